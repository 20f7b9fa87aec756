/* Sends malformed streams to a server, one connection each: attack ADDRESS KIND COUNT SEED. The server's
 * secret key, when it has one, comes from ZPROC_KEY_FILE. Without an argument the kinds are listed: name,
 * whether a key is needed. */
#include "wire_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HELD_MOST  64   /* connections that stay open for a while */
#define PATIENCE_S 10   /* for a server that takes or says nothing */
#define STREAM_MAX 4096 /* bytes, more or less */

struct attack {
    struct address address;
    struct secret secret;
    bool keyed;
    uint64_t random;
    int held[HELD_MOST];
    size_t next;
};

/* One connection, and what is sent over it. */
struct stream {
    int fd;
    struct zmtp zmtp;
    struct buf out;
};

static unsigned draw(struct attack *attack, unsigned below)
{
    attack->random ^= attack->random << 13;
    attack->random ^= attack->random >> 7;
    attack->random ^= attack->random << 17;
    return (unsigned)(attack->random >> 16) % below;
}

static void noise_add(struct attack *attack, struct buf *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        buf_add_char(out, (char)draw(attack, 256));
}

/* Changes a few bytes from `start` on, and cuts it short now and then. */
static void mutate(struct attack *attack, struct buf *out, size_t start)
{
    if (out->len <= start)
        return;
    for (unsigned i = draw(attack, 6); i > 0; i--)
        out->data[start + draw(attack, (unsigned)(out->len - start))] = (char)draw(attack, 256);
    if (draw(attack, 3) == 0)
        out->len = start + draw(attack, (unsigned)(out->len - start));
}

/* ---- The server's side of a handshake ---- */

static bool pour(int fd, struct buf *out)
{
    bool sent = true;
    for (size_t at = 0; sent && at < out->len;) {
        ssize_t n = send(fd, out->data + at, out->len - at, MSG_NOSIGNAL);
        sent = n > 0;
        at += n > 0 ? (size_t)n : 0;
    }
    buf_clear(out);
    return sent;
}

/* One step of the handshake: says what is to be said, and takes what comes. */
static bool shake(struct stream *stream)
{
    char bytes[512];
    struct message message;
    if (!pour(stream->fd, &stream->zmtp.out))
        return false;
    ssize_t n = recv(stream->fd, bytes, sizeof bytes, 0);
    struct str in = {bytes, n > 0 ? (size_t)n : 0};
    return n > 0 && zmtp_take(&stream->zmtp, &in, &message, NULL) == ZMTP_MORE;
}

static bool shake_to_the_end(struct stream *stream)
{
    while (stream->zmtp.stage != ZMTP_OPEN)
        if (!shake(stream))
            return false;
    return pour(stream->fd, &stream->zmtp.out);
}

/* ---- Before the handshake ---- */

static bool send_noise(struct attack *attack, struct stream *stream)
{
    noise_add(attack, &stream->out, 1 + draw(attack, STREAM_MAX));
    return true;
}

/* What many protocols begin with. */
static bool send_foreign(struct attack *attack, struct stream *stream)
{
    static const char *const texts[] = {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                        "\x16\x03\x01\x02",
                                        "SSH-2.0-OpenSSH_9.2\r\n",
                                        "*1\r\n$4\r\nPING\r\n",
                                        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
                                        "\x01",
                                        "\xff"};
    buf_add_text(&stream->out, texts[draw(attack, LENGTH_OF(texts))]);
    noise_add(attack, &stream->out, draw(attack, 200));
    return true;
}

/* ZMTP 1 and 2. */
static bool send_old(struct attack *attack, struct stream *stream)
{
    unsigned len = draw(attack, 20);
    if (draw(attack, 2)) {
        buf_add_str(&stream->out, STR("\xff\0\0\0\0\0\0\0\1\x7f"));
        buf_add_char(&stream->out, (char)draw(attack, 3));
        buf_add_char(&stream->out, (char)draw(attack, 12));
        buf_add_char(&stream->out, '\0');
        buf_add_char(&stream->out, (char)len);
    } else {
        buf_add_char(&stream->out, (char)(1 + len));
        buf_add_char(&stream->out, '\0');
    }
    noise_add(attack, &stream->out, len + (draw(attack, 2) ? draw(attack, 300) : 0));
    return true;
}

static bool send_greeting(struct attack *attack, struct stream *stream)
{
    buf_add_str(&stream->out, buf_str(&stream->zmtp.out));
    mutate(attack, &stream->out, 0);
    noise_add(attack, &stream->out, draw(attack, 100));
    return true;
}

static void head_add(struct attack *attack, struct buf *out, unsigned flags, uint64_t len)
{
    bool is_long = len > 255 || draw(attack, 8) == 0;
    buf_add_char(out, (char)(flags | (is_long ? 2 : 0)));
    for (int shift = is_long ? 56 : 0; shift >= 0; shift -= 8)
        buf_add_char(out, (char)(len >> shift));
}

/* Frames of any kind, some of which say that they are longer than they are. */
static void frames_add(struct attack *attack, struct buf *out)
{
    static const uint64_t lens[] = {UINT64_MAX,     INT64_MAX,          1ULL << 32,
                                    WIRE_FRAME_MAX, WIRE_FRAME_MAX + 1, 65536};
    for (unsigned i = 1 + draw(attack, 30); i > 0; i--) {
        unsigned len = draw(attack, 3) ? draw(attack, 10) : draw(attack, 400);
        unsigned flags = draw(attack, 10) ? draw(attack, 2) : draw(attack, 256);
        head_add(attack, out, flags, draw(attack, 40) ? len : lens[draw(attack, LENGTH_OF(lens))]);
        noise_add(attack, out, len);
    }
}

/* A good greeting, and then commands that are none. */
static bool send_commands(struct attack *attack, struct stream *stream)
{
    const struct str names[] = {STR("\5READY"),
                                STR("\5HELLO"),
                                STR("\10INITIATE"),
                                STR("\4PING"),
                                STR("\5ERROR"),
                                STR("\11SUBSCRIBE"),
                                STR("\7MESSAGE"),
                                STR("\xff"
                                    "A"),
                                STR("")};
    buf_add(&stream->out, stream->zmtp.out.data, ZMTP_GREETING_LEN);
    for (unsigned i = 1 + draw(attack, 5); i > 0; i--) {
        struct str name = names[draw(attack, LENGTH_OF(names))];
        unsigned len = draw(attack, 2) ? draw(attack, 300) : 0;
        head_add(attack, &stream->out, 4, name.len + (draw(attack, 10) ? len : draw(attack, 100000)));
        buf_add_str(&stream->out, name);
        noise_add(attack, &stream->out, len);
    }
    frames_add(attack, &stream->out);
    return true;
}

/* The client's first command, which with a key waits for the server's greeting: READY or HELLO, with faults.
 */
static bool send_first(struct attack *attack, struct stream *stream)
{
    if (attack->keyed && !shake(stream))
        return false;
    buf_add_str(&stream->out, buf_str(&stream->zmtp.out));
    mutate(attack, &stream->out, attack->keyed ? 0 : ZMTP_GREETING_LEN);
    return true;
}

/* INITIATE with faults, and with a metadata that is none. */
static bool send_initiate(struct attack *attack, struct stream *stream)
{
    while (!stream->zmtp.welcomed)
        if (!shake(stream))
            return false;
    buf_add_str(&stream->out, buf_str(&stream->zmtp.out));
    mutate(attack, &stream->out, 0);
    return true;
}

/* ---- Behind the handshake ---- */

static bool send_frames(struct attack *attack, struct stream *stream)
{
    frames_add(attack, &stream->out);
    return shake_to_the_end(stream);
}

/* A frame, sealed when there is a key; sometimes what was sealed is changed. */
static void frame_add(struct attack *attack, struct stream *stream, unsigned flags, struct str payload)
{
    if (!stream->zmtp.curve) {
        head_add(attack, &stream->out, flags, payload.len);
        buf_add_str(&stream->out, payload);
        return;
    }
    struct buf body = {0};
    curve_seal(stream->zmtp.curve, (unsigned char)flags, payload, &body);
    if (draw(attack, 50) == 0)
        mutate(attack, &body, 0);
    head_add(attack, &stream->out, 0, body.len);
    buf_add_str(&stream->out, buf_str(&body));
    buf_release(&body);
}

/* Many frames, of one byte, empty, or long, in messages that have any number of them. */
static bool send_parts(struct attack *attack, struct stream *stream)
{
    if (!shake_to_the_end(stream))
        return false;
    struct buf payload = {0};
    unsigned most = draw(attack, 20) ? 10 : 300;
    for (unsigned i = 1 + draw(attack, most); i > 0; i--) {
        buf_clear(&payload);
        noise_add(attack, &payload, draw(attack, 20) ? draw(attack, 4) : draw(attack, STREAM_MAX));
        frame_add(attack, stream, draw(attack, 30) ? draw(attack, 2) : draw(attack, 256), buf_str(&payload));
    }
    buf_release(&payload);
    return true;
}

/* Requests of every operation, some of whose bytes are wrong. */
static bool send_requests(struct attack *attack, struct stream *stream)
{
    static const char *const fields[] = {"\"key\":\"k\"",
                                         "\"key\":1",
                                         "\"ns\":\"x\"",
                                         "\"ns\":\"zproc\"",
                                         "\"path\":\"/a/0\"",
                                         "\"path\":\"a\"",
                                         "\"expr\":\"k + 1\"",
                                         "\"expr\":\"((((\"",
                                         "\"assign\":\"a = b\"",
                                         "\"keys\":[\"a\",\"b\"]",
                                         "\"keys\":{}",
                                         "\"at\":-1",
                                         "\"at\":9223372036854775807",
                                         "\"timeout_ms\":0",
                                         "\"timeout_ms\":1e99",
                                         "\"session\":\"s\"",
                                         "\"client\":\"00000000000000000000000000000000\"",
                                         "\"seq\":1",
                                         "\"seq\":0",
                                         "\"token\":\"t\"",
                                         "\"call\":7",
                                         "\"page\":1000000",
                                         "\"service\":\"supervisor\"",
                                         "\"condition\":\"when\"",
                                         "\"if\":[\"true\"]",
                                         "\"credit\":65536",
                                         "\"live\":true",
                                         "\"wait\":true",
                                         "\"then\":\"\"",
                                         "\"op\":\"get\"",
                                         "\"id\":2"};
    static const char *const values[] = {"1",
                                         "{}",
                                         "[]",
                                         "\"x\"",
                                         "{\"a\":[1,2,{\"b\":null}]}",
                                         "[1,2",
                                         "nul",
                                         "1e999",
                                         "[{\"op\":\"add\",\"path\":\"/a\",\"value\":1}]",
                                         "\"\\ud800\""};
    if (!shake_to_the_end(stream))
        return false;
    struct buf header = {0}, value = {0};
    for (unsigned i = 1 + draw(attack, 8); i > 0; i--) {
        buf_clear(&header);
        buf_clear(&value);
        buf_add_format(&header, "{\"v\":1,\"id\":%u,\"op\":\"%s\"", i,
                       op_info((enum op)draw(attack, OP_COUNT))->name);
        for (unsigned k = draw(attack, 6); k > 0; k--)
            buf_add_format(&header, ",%s", fields[draw(attack, LENGTH_OF(fields))]);
        buf_add_char(&header, '}');
        buf_add_text(&value, values[draw(attack, LENGTH_OF(values))]);
        if (draw(attack, 4) == 0)
            mutate(attack, &header, 0);
        if (draw(attack, 4) == 0)
            mutate(attack, &value, 0);
        bool valued = draw(attack, 2);
        frame_add(attack, stream, 1, STR(""));
        frame_add(attack, stream, valued, buf_str(&header));
        if (valued)
            frame_add(attack, stream, 0, buf_str(&value));
    }
    buf_release(&header);
    buf_release(&value);
    return true;
}

/* ---- Streams ---- */

static const struct kind {
    const char *name;
    bool needs_key;
    bool (*make)(struct attack *attack, struct stream *stream); /* what is sent last stands in stream->out */
} kinds[] = {
    {"noise", false, send_noise},       {"foreign", false, send_foreign},   {"old", false, send_old},
    {"greeting", false, send_greeting}, {"commands", false, send_commands}, {"first", false, send_first},
    {"initiate", true, send_initiate},  {"frames", false, send_frames},     {"parts", false, send_parts},
    {"requests", false, send_requests},
};

/* At once, with a reset, after a word of the server, or much later. */
static void leave(struct attack *attack, struct stream *stream)
{
    char bytes[256];
    switch (draw(attack, 4)) {
    case 0:
        setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
        break;
    case 1:
        shutdown(stream->fd, SHUT_WR);
        (void)!recv(stream->fd, bytes, sizeof bytes, 0);
        break;
    case 2: {
        int *place = &attack->held[attack->next++ % HELD_MOST], before = *place;
        *place = stream->fd;
        stream->fd = before;
        break;
    }
    default:
        break;
    }
    fd_close(&stream->fd);
}

/* False when nobody lets us in any more. */
static bool stream_send(struct attack *attack, const struct kind *kind)
{
    struct err err = {0};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    struct stream stream = {.fd = socket_connect(&attack->address, &err)};
    if (stream.fd < 0 || !fd_set_nonblocking(stream.fd, false) ||
        setsockopt(stream.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
        setsockopt(stream.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0) {
        fprintf(stderr, "attack: %s\n", err.message);
        fd_close(&stream.fd);
        return false;
    }
    zmtp_init(&stream.zmtp, attack->keyed ? &attack->secret : NULL);
    if (kind->make(attack, &stream))
        pour(stream.fd, &stream.out);
    zmtp_release(&stream.zmtp);
    buf_release(&stream.out);
    leave(attack, &stream);
    return true;
}

static int kinds_print(void)
{
    for (size_t i = 0; i < LENGTH_OF(kinds); i++)
        printf("%s%s\n", kinds[i].name, kinds[i].needs_key ? " key" : "");
    return 0;
}

static const struct kind *kind_find(const char *name)
{
    for (size_t i = 0; i < LENGTH_OF(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

int main(int argc, char **argv)
{
    struct attack attack = {0};
    struct err err = {0};
    const struct kind *kind = argc == 5 ? kind_find(argv[2]) : NULL;
    if (argc == 1)
        return kinds_print();
    if (!kind || !address_parse(argv[1], &attack.address, &err) ||
        !secret_from_env(&attack.secret, &attack.keyed, &err)) {
        fprintf(stderr, "attack ADDRESS KIND COUNT SEED: %s\n", err.message);
        return 2;
    }
    attack.random = strtoull(argv[4], NULL, 10) * 0x9e3779b97f4a7c15 + 1;
    memset(attack.held, -1, sizeof attack.held);
    for (long i = strtol(argv[3], NULL, 10); i > 0; i--)
        if (!stream_send(&attack, kind))
            return 1;
    for (size_t i = 0; i < HELD_MOST; i++)
        fd_close(&attack.held[i]);
    return 0;
}
