/* ZMTP 3.1, client side, socket type DEALER, mechanism NULL or CURVE: bytes in, messages out, no I/O.
 * Greeting and READY are sent without waiting for the peer's; messages wait for its READY, because libzmq
 * drops a peer whose message comes earlier. HELLO waits for its greeting: libzmq closes on a wrong key at
 * once, and what closes before its greeting may have died. */
#include "wire_priv.h"

#include <stdlib.h>

enum {
    FLAG_MORE = 1,
    FLAG_LONG = 2,
    FLAG_COMMAND = 4,
    VERSION_OFFSET = 10,
    MECHANISM_OFFSET = 12,
    MECHANISM_LEN = 20,
    /* Inside a MESSAGE of CURVE. */
    CURVE_MORE = 1,
    CURVE_COMMAND = 2,
};

#define SIGNATURE "\xff\0\0\0\0\0\0\0\1\x7f\3\1"
static const char greeting[ZMTP_GREETING_LEN] = SIGNATURE "NULL";
static const char keyed_greeting[ZMTP_GREETING_LEN] = SIGNATURE "CURVE";

#define METADATA "\13Socket-Type\0\0\0\6DEALER"

/* ---- To the peer ---- */

static void head_put(struct buf *out, unsigned flags, size_t size)
{
    unsigned char head[9];
    size_t len = 0;
    bool is_long = size > 255;
    head[len++] = (unsigned char)(flags | (is_long ? FLAG_LONG : 0));
    if (is_long)
        for (int shift = 56; shift >= 0; shift -= 8)
            head[len++] = (unsigned char)((uint64_t)size >> shift);
    else
        head[len++] = (unsigned char)size;
    buf_add(out, head, len);
}

static void frame_put(struct buf *out, unsigned flags, struct str payload)
{
    head_put(out, flags, payload.len);
    buf_add_str(out, payload);
}

/* A frame behind the handshake: with a key its flags and its bytes are the secret of a MESSAGE. */
static void frame_send(struct zmtp *zmtp, unsigned flags, struct str payload)
{
    if (!zmtp->curve) {
        frame_put(&zmtp->out, flags, payload);
        return;
    }
    unsigned inner = (flags & FLAG_MORE ? CURVE_MORE : 0) | (flags & FLAG_COMMAND ? CURVE_COMMAND : 0);
    head_put(&zmtp->out, 0, payload.len + CURVE_OVERHEAD);
    curve_seal(zmtp->curve, (unsigned char)inner, payload, &zmtp->out);
}

void zmtp_init(struct zmtp *zmtp, const struct secret *secret)
{
    *zmtp = (struct zmtp){.stage = ZMTP_IN_GREETING, .curve = secret ? curve_new(secret) : NULL};
    buf_add(&zmtp->out, zmtp->curve ? keyed_greeting : greeting, ZMTP_GREETING_LEN);
    if (!zmtp->curve)
        frame_put(&zmtp->out, FLAG_COMMAND, STR("\5READY" METADATA));
}

void zmtp_release(struct zmtp *zmtp)
{
    curve_free(zmtp->curve);
    buf_release(&zmtp->out);
    buf_release(&zmtp->pending);
    buf_release(&zmtp->body);
}

static void message_frame(struct zmtp *zmtp, unsigned flags, struct str payload)
{
    if (zmtp->stage == ZMTP_OPEN)
        frame_send(zmtp, flags, payload);
    else
        frame_put(&zmtp->pending, flags, payload);
}

void zmtp_put(struct zmtp *zmtp, struct str header, struct str value)
{
    message_frame(zmtp, FLAG_MORE, STR(""));
    message_frame(zmtp, value.data ? FLAG_MORE : 0, header);
    if (value.data)
        message_frame(zmtp, 0, value);
}

/* What waited for the handshake: frames in their plain form. */
static void pending_send(struct zmtp *zmtp)
{
    struct str rest = buf_str(&zmtp->pending);
    if (!zmtp->curve)
        buf_add_str(&zmtp->out, rest);
    while (zmtp->curve && rest.len > 0) {
        const unsigned char *head = (const unsigned char *)rest.data;
        bool is_long = head[0] & FLAG_LONG;
        size_t len = head[1], start = is_long ? 9 : 2;
        for (size_t i = 2; is_long && i <= 8; i++)
            len = len << 8 | head[i];
        frame_send(zmtp, head[0] & FLAG_MORE, (struct str){rest.data + start, len});
        rest = (struct str){rest.data + start + len, rest.len - start - len};
    }
    buf_release(&zmtp->pending);
}

struct str zmtp_signature(void)
{
    return (struct str){greeting, VERSION_OFFSET + 1};
}

/* ---- Greeting ---- */

static enum zmtp_got fail(struct err *err, const char *what)
{
    err_set(err, ERR_INTERNAL, "the server broke the ZMTP protocol: %s", what);
    return ZMTP_FAILED;
}

static bool signature_fits(const unsigned char *head, size_t len)
{
    return head[0] == 0xff && (len < VERSION_OFFSET || (head[VERSION_OFFSET - 1] & 1));
}

bool zmtp_greeting_check(const unsigned char head[ZMTP_GREETING_LEN], bool keyed, struct err *err)
{
    if (!signature_fits(head, ZMTP_GREETING_LEN))
        return err_set(err, ERR_INTERNAL, "whoever listens there does not speak ZMTP");
    if (head[VERSION_OFFSET] < 3)
        return err_set(err, ERR_INTERNAL, "the server speaks ZMTP %d, this client 3.1", head[VERSION_OFFSET]);
    char mechanism[MECHANISM_LEN + 1] = {0};
    memcpy(mechanism, head + MECHANISM_OFFSET, MECHANISM_LEN);
    if (strcmp(mechanism, keyed ? "CURVE" : "NULL") == 0)
        return true;
    if (strcmp(mechanism, "CURVE") == 0)
        return err_set(err, ERR_KEY_REJECTED,
                       "the server wants one; name its file with --key-file or ZPROC_KEY_FILE");
    if (strcmp(mechanism, "NULL") == 0)
        return err_set(err, ERR_KEY_REJECTED,
                       "the server has none; leave out --key-file, --secret-key and their variables to "
                       "trust it as it is");
    return err_set(err, ERR_KEY_REJECTED,
                   "the server wants another kind of authentication than a secret key");
}

static enum zmtp_got greeting_take(struct zmtp *zmtp, struct str *in, struct err *err)
{
    size_t len = ZMTP_GREETING_LEN - zmtp->head_len;
    len = len < in->len ? len : in->len;
    memcpy(zmtp->head + zmtp->head_len, in->data, len);
    zmtp->head_len += len;
    in->data += len;
    in->len -= len;
    /* A peer that speaks something else is told early: it may never send 64 bytes. */
    if (zmtp->head_len > 0 && !signature_fits(zmtp->head, zmtp->head_len)) {
        err_set(err, ERR_INTERNAL, "whoever listens there does not speak ZMTP");
        return ZMTP_FAILED;
    }
    if (zmtp->head_len < ZMTP_GREETING_LEN)
        return ZMTP_MORE;
    if (!zmtp_greeting_check(zmtp->head, zmtp->curve != NULL, err))
        return ZMTP_FAILED;
    zmtp->stage = ZMTP_IN_HANDSHAKE;
    zmtp->head_len = 0;
    if (zmtp->curve) {
        AUTO_BUF struct buf hello = {0};
        curve_hello(zmtp->curve, &hello);
        frame_put(&zmtp->out, FLAG_COMMAND, buf_str(&hello));
    }
    return ZMTP_MORE;
}

/* ---- Commands ---- */

static bool text_take(struct str *in, size_t len, struct str *text)
{
    if (in->len < len)
        return false;
    *text = (struct str){in->data, len};
    in->data += len;
    in->len -= len;
    return true;
}

/* A text behind its length in one byte. */
static bool short_text_take(struct str *in, struct str *text)
{
    struct str len;
    return text_take(in, 1, &len) && text_take(in, (unsigned char)len.data[0], text);
}

/* A text behind its length in four bytes. */
static bool long_text_take(struct str *in, struct str *text)
{
    struct str len;
    if (!text_take(in, 4, &len))
        return false;
    const unsigned char *b = (const unsigned char *)len.data;
    return text_take(in, (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3], text);
}

static enum zmtp_got ready_take(struct zmtp *zmtp, struct str metadata, struct err *err)
{
    while (metadata.len > 0) {
        struct str name, value;
        if (!short_text_take(&metadata, &name) || !long_text_take(&metadata, &value))
            return fail(err, "READY is cut short");
        bool is_type = name.len == 11 && strncasecmp(name.data, "Socket-Type", 11) == 0;
        if (is_type && !str_is(value, "ROUTER")) {
            err_set(err, ERR_INTERNAL, "whoever listens there is no state server (its socket is a '%.*s')",
                    STR_ARG(value));
            return ZMTP_FAILED;
        }
    }
    zmtp->stage = ZMTP_OPEN;
    pending_send(zmtp);
    return ZMTP_MORE;
}

static enum zmtp_got reject(struct err *err)
{
    err_set(err, ERR_KEY_REJECTED, "the server has another one");
    return ZMTP_FAILED;
}

static enum zmtp_got welcome_take(struct zmtp *zmtp, struct str welcome, struct err *err)
{
    AUTO_BUF struct buf initiate = {0};
    if (!curve_welcome(zmtp->curve, welcome, STR(METADATA), &initiate))
        return reject(err);
    frame_put(&zmtp->out, FLAG_COMMAND, buf_str(&initiate));
    zmtp->welcomed = true;
    return ZMTP_MORE;
}

static enum zmtp_got keyed_ready_take(struct zmtp *zmtp, struct str ready, struct err *err)
{
    AUTO_BUF struct buf metadata = {0};
    if (!curve_ready(zmtp->curve, ready, &metadata))
        return reject(err);
    return ready_take(zmtp, buf_str(&metadata), err);
}

/* NULL: READY is all. CURVE: WELCOME, then READY. */
static enum zmtp_got handshake_take(struct zmtp *zmtp, struct str name, struct str data, struct err *err)
{
    if (zmtp->curve && !zmtp->welcomed)
        return str_is(name, "WELCOME") ? welcome_take(zmtp, data, err)
                                       : fail(err, "its first command is not WELCOME");
    if (!str_is(name, "READY"))
        return fail(err, "its first command is not READY");
    return zmtp->curve ? keyed_ready_take(zmtp, data, err) : ready_take(zmtp, data, err);
}

static enum zmtp_got error_take(struct str data, struct err *err)
{
    struct str reason = {0};
    if (!short_text_take(&data, &reason) || !utf8_valid(reason))
        reason = STR("no reason");
    err_set(err, ERR_KEY_REJECTED, "the server refused it (%.*s)", STR_ARG(reason));
    return ZMTP_FAILED;
}

static enum zmtp_got ping_take(struct zmtp *zmtp, struct str data, struct err *err)
{
    struct str ttl;
    if (!text_take(&data, 2, &ttl) || data.len > 16)
        return fail(err, "bad PING");
    char pong[5 + 16] = "\4PONG";
    if (data.len > 0)
        memcpy(pong + 5, data.data, data.len);
    frame_send(zmtp, FLAG_COMMAND, (struct str){pong, 5 + data.len});
    return ZMTP_MORE;
}

static enum zmtp_got command_take(struct zmtp *zmtp, struct str command, struct err *err)
{
    struct str name;
    if (!short_text_take(&command, &name) || name.len == 0)
        return fail(err, "a command without a name");
    if (str_is(name, "ERROR"))
        return error_take(command, err);
    if (zmtp->stage == ZMTP_IN_HANDSHAKE)
        return handshake_take(zmtp, name, command, err);
    if (str_is(name, "PING"))
        return ping_take(zmtp, command, err);
    /* RFC 37: unknown commands are ignored (PONG is one: we never ask). */
    return ZMTP_MORE;
}

/* ---- Frames ---- */

static void body_cut(struct zmtp *zmtp, size_t len)
{
    zmtp->body.len = len;
    if (zmtp->body.data)
        zmtp->body.data[len] = '\0';
}

/* "" | header | value?; anything else is dropped. */
static enum zmtp_got message_take(struct zmtp *zmtp, struct message *message)
{
    bool fits = (zmtp->frames == 2 || zmtp->frames == 3) && zmtp->ends[0] == 0;
    if (!fits) {
        body_cut(zmtp, 0);
        zmtp->frames = 0;
        return ZMTP_MORE;
    }
    size_t header = zmtp->ends[1], all = zmtp->body.len;
    bool has_value = zmtp->frames == 3;
    zmtp->frames = 0;
    char *memory = buf_detach(&zmtp->body);
    *message = (struct message){.header = {memory, header}, .memory = memory};
    if (has_value)
        message->value = (struct str){memory + header, all - header};
    return ZMTP_MESSAGE;
}

/* What a MESSAGE of CURVE holds takes the place of it. */
static bool message_open(struct zmtp *zmtp)
{
    unsigned char inner;
    size_t len = zmtp->body.len - zmtp->start;
    if (!zmtp->body.data || !curve_open(zmtp->curve, zmtp->body.data + zmtp->start, &len, &inner))
        return false;
    body_cut(zmtp, zmtp->start + len);
    zmtp->flags =
        (unsigned char)((inner & CURVE_MORE ? FLAG_MORE : 0) | (inner & CURVE_COMMAND ? FLAG_COMMAND : 0));
    return true;
}

static enum zmtp_got frame_end(struct zmtp *zmtp, struct message *message, struct err *err)
{
    zmtp->in_frame = false;
    if (zmtp->curve && zmtp->stage == ZMTP_OPEN && !message_open(zmtp))
        return fail(err, "a message was not sealed with the key of this connection");
    if (zmtp->flags & FLAG_COMMAND) {
        struct str command = {zmtp->body.data ? zmtp->body.data + zmtp->start : "",
                              zmtp->body.len - zmtp->start};
        enum zmtp_got got = command_take(zmtp, command, err);
        body_cut(zmtp, zmtp->start);
        return got;
    }
    zmtp->ends[zmtp->frames++] = zmtp->body.len;
    return zmtp->flags & FLAG_MORE ? ZMTP_MORE : message_take(zmtp, message);
}

/* The frame's head is whole: checks it before a byte of the frame is kept. */
static enum zmtp_got frame_begin(struct zmtp *zmtp, struct err *err)
{
    uint64_t len = zmtp->head[1];
    zmtp->flags = zmtp->head[0];
    if (zmtp->flags & FLAG_LONG)
        for (size_t i = 2; i <= 8; i++)
            len = len << 8 | zmtp->head[i];
    bool is_command = zmtp->flags & FLAG_COMMAND;
    zmtp->head_len = 0;
    if (zmtp->flags & ~(FLAG_MORE | FLAG_LONG | FLAG_COMMAND) || (is_command && zmtp->flags & FLAG_MORE))
        return fail(err, "bad flags of a frame");
    if (!is_command && zmtp->stage != ZMTP_OPEN)
        return fail(err, "a message before READY");
    if (len > (is_command ? ZMTP_COMMAND_MAX : WIRE_FRAME_MAX + (zmtp->curve ? CURVE_OVERHEAD : 0)))
        return fail(err, is_command ? "a command is too large" : "a frame is too large");
    if (!is_command && zmtp->frames == WIRE_FRAMES_MAX)
        return fail(err, "a message has too many frames");
    zmtp->in_frame = true;
    zmtp->left = (size_t)len;
    zmtp->start = zmtp->body.len;
    return ZMTP_MORE;
}

static bool head_whole(const struct zmtp *zmtp)
{
    return zmtp->head_len >= 2 && (!(zmtp->head[0] & FLAG_LONG) || zmtp->head_len == 9);
}

/* One step inside the frames: some of a head, or some of a frame. */
static enum zmtp_got frame_take(struct zmtp *zmtp, struct str *in, struct message *message, struct err *err)
{
    if (!zmtp->in_frame) {
        zmtp->head[zmtp->head_len++] = (unsigned char)in->data[0];
        in->data++;
        in->len--;
        if (!head_whole(zmtp))
            return ZMTP_MORE;
        if (frame_begin(zmtp, err) == ZMTP_FAILED)
            return ZMTP_FAILED;
    } else {
        size_t len = zmtp->left < in->len ? zmtp->left : in->len;
        buf_add(&zmtp->body, in->data, len);
        in->data += len;
        in->len -= len;
        zmtp->left -= len;
    }
    return zmtp->left == 0 ? frame_end(zmtp, message, err) : ZMTP_MORE;
}

enum zmtp_got zmtp_take(struct zmtp *zmtp, struct str *in, struct message *message, struct err *err)
{
    while (in->len > 0) {
        enum zmtp_got got = zmtp->stage == ZMTP_IN_GREETING ? greeting_take(zmtp, in, err)
                                                            : frame_take(zmtp, in, message, err);
        if (got != ZMTP_MORE)
            return got;
    }
    return ZMTP_MORE;
}
