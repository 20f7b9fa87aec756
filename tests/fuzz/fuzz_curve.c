/* The CURVE client against a hostile server that has the key: the handshake is played through, and the input
 * is sealed as it should be, frame by frame: u8 flags and u16 length before each. The first byte chooses what
 * is not sealed but sent as it is: 1 WELCOME, 2 READY, 3 the frames, else nothing. */
#include "crypt.h"
#include "fuzz.h"
#include "wire_priv.h"

enum { HELLO_CLIENT = 80, HELLO_COMMAND = 6 };

struct server {
    struct secret secret;
    unsigned char short_public[CRYPT_KEY], short_secret[CRYPT_KEY], shared[CRYPT_KEY];
    uint64_t sent;
};

static void nonce_make(unsigned char nonce[CRYPT_NONCE], const char *name, uint64_t number)
{
    memset(nonce, 0, CRYPT_NONCE);
    memcpy(nonce, name, strlen(name));
    for (int i = CRYPT_NONCE - 1; number > 0; i--, number >>= 8)
        nonce[i] = (unsigned char)number;
}

static void command_feed(struct zmtp *zmtp, struct str body, bool command)
{
    AUTO_BUF struct buf frame = {0};
    struct err err = {0};
    unsigned char head[9] = {(unsigned char)((command ? 4 : 0) | 2)};
    for (int i = 0; i < 8; i++)
        head[8 - i] = (unsigned char)((uint64_t)body.len >> 8 * i);
    buf_add(&frame, head, sizeof head);
    buf_add_str(&frame, body);
    struct str in = buf_str(&frame);
    for (enum zmtp_got got = ZMTP_MESSAGE; got == ZMTP_MESSAGE && in.len > 0;) {
        struct message message = {0};
        got = zmtp_take(zmtp, &in, &message, &err);
        MUST(got != ZMTP_FAILED || err.message[0]);
        message_release(&message);
    }
}

static void welcome(struct server *server, struct zmtp *zmtp)
{
    const char *hello = zmtp->out.data + ZMTP_GREETING_LEN + 2;
    unsigned char nonce[CRYPT_NONCE], text[CRYPT_KEY + 96] = {0}, shared[CRYPT_KEY];
    unsigned char body[8 + 16 + CRYPT_MAC + sizeof text] = "\7WELCOME";
    const unsigned char *client = (const unsigned char *)hello + HELLO_CLIENT;
    crypt_pair(server->short_public, server->short_secret);
    MUST(crypt_share(shared, client, server->secret.server_secret));
    MUST(crypt_share(server->shared, client, server->short_secret));
    memcpy(text, server->short_public, CRYPT_KEY);
    nonce_make(nonce, "WELCOME-", 1);
    memcpy(body + 8, nonce + 8, 16);
    crypt_seal(body + 24, text, sizeof text, nonce, shared);
    command_feed(zmtp, (struct str){(char *)body, sizeof body}, true);
}

static void sealed_feed(struct server *server, struct zmtp *zmtp, const char *name, const char *nonce_name,
                        struct str text)
{
    unsigned char nonce[CRYPT_NONCE];
    AUTO_BUF struct buf body = {0};
    nonce_make(nonce, nonce_name, ++server->sent);
    buf_add_char(&body, (char)strlen(name));
    buf_add_text(&body, name);
    buf_add(&body, nonce + 16, 8);
    crypt_seal((unsigned char *)buf_reserve(&body, text.len + CRYPT_MAC), (const unsigned char *)text.data,
               text.len, nonce, server->shared);
    buf_commit(&body, text.len + CRYPT_MAC);
    command_feed(zmtp, buf_str(&body), strcmp(name, "READY") == 0);
}

static void frames_feed(struct server *server, struct zmtp *zmtp, struct str in, bool raw)
{
    while (in.len >= 3 && zmtp->stage == ZMTP_OPEN) {
        size_t len = (unsigned char)in.data[1] << 8 | (unsigned char)in.data[2];
        len = len < in.len - 3 ? len : in.len - 3;
        AUTO_BUF struct buf text = {0};
        buf_add_char(&text, in.data[0]);
        buf_add(&text, in.data + 3, len);
        if (raw)
            command_feed(zmtp, buf_str(&text), in.data[0] & 4);
        else
            sealed_feed(server, zmtp, "MESSAGE", "CurveZMQMESSAGES", buf_str(&text));
        in = (struct str){in.data + 3 + len, in.len - 3 - len};
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct server server;
    static const char greeting[ZMTP_GREETING_LEN] = "\xff\0\0\0\0\0\0\0\1\x7f\3\1CURVE";
    struct zmtp zmtp;
    struct message message;
    if (size == 0)
        return 0;
    struct str rest = {(const char *)data + 1, size - 1}, in = {greeting, sizeof greeting};
    if (!server.secret.id[0]) {
        char text[SECRET_TEXT_SIZE];
        MUST(secret_make(text, NULL) && secret_from_text(str_of(text), &server.secret, NULL));
    }
    server.sent = 0;
    zmtp_init(&zmtp, &server.secret);
    zmtp_put(&zmtp, STR("{\"op\":\"ping\"}"), STR("1"));
    MUST(zmtp_take(&zmtp, &in, &message, NULL) == ZMTP_MORE);
    if (data[0] == 1) {
        command_feed(&zmtp, rest, true);
    } else {
        welcome(&server, &zmtp);
        if (data[0] == 2)
            command_feed(&zmtp, rest, true);
        else if (data[0] == 4)
            sealed_feed(&server, &zmtp, "READY", "CurveZMQREADY---", rest);
        else {
            sealed_feed(&server, &zmtp, "READY", "CurveZMQREADY---", STR("\13Socket-Type\0\0\0\6ROUTER"));
            MUST(zmtp.stage == ZMTP_OPEN);
            frames_feed(&server, &zmtp, rest, data[0] == 3);
        }
    }
    zmtp_release(&zmtp);
    return 0;
}
