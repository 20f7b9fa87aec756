/* CurveZMQ (RFC 26), the client's side, as bytes in and bytes out. The shared key of the two short-term pairs
 * is all that is kept once the handshake is through. */
#include "wire_priv.h"

#include "crypt.h"

#include <stdlib.h>

enum {
    COOKIE_LEN = 96,
    NONCE_LEN = 8,       /* the part that is sent of a counted nonce */
    LONG_NONCE_LEN = 16, /* of a random one */
    WELCOME_LEN = LONG_NONCE_LEN + CRYPT_MAC + CRYPT_KEY + COOKIE_LEN,
    HELLO_ZEROS = 72,
};

struct curve {
    unsigned char peer[CRYPT_KEY];                                  /* the server's long-term key */
    unsigned char long_public[CRYPT_KEY], long_secret[CRYPT_KEY];   /* ours */
    unsigned char short_public[CRYPT_KEY], short_secret[CRYPT_KEY]; /* of this connection */
    unsigned char
        shared[CRYPT_KEY];   /* short-term of ours with the server's long-term, later short-term key */
    uint64_t sent, received; /* counters of nonces */
};

struct curve *curve_new(const struct secret *secret)
{
    struct curve *curve = mem_new(sizeof *curve);
    memcpy(curve->peer, secret->server_public, CRYPT_KEY);
    memcpy(curve->long_public, secret->client_public, CRYPT_KEY);
    memcpy(curve->long_secret, secret->client_secret, CRYPT_KEY);
    crypt_pair(curve->short_public, curve->short_secret);
    return curve;
}

void curve_free(struct curve *curve)
{
    if (!curve)
        return;
    crypt_wipe(curve, sizeof *curve);
    free(curve);
}

/* ---- Nonces ---- */

static void number_put(unsigned char bytes[NONCE_LEN], uint64_t number)
{
    for (int i = NONCE_LEN - 1; i >= 0; i--, number >>= 8)
        bytes[i] = (unsigned char)number;
}

/* A counted nonce of ours; adds the part that the peer needs. */
static void nonce_next(struct curve *curve, const char prefix[LONG_NONCE_LEN + 1],
                       unsigned char nonce[CRYPT_NONCE], struct buf *out)
{
    memcpy(nonce, prefix, LONG_NONCE_LEN);
    number_put(nonce + LONG_NONCE_LEN, ++curve->sent);
    buf_add(out, nonce + LONG_NONCE_LEN, NONCE_LEN);
}

/* A counted nonce of the peer's, which only grows: nothing that was recorded is taken twice. */
static bool nonce_take(struct curve *curve, const char prefix[LONG_NONCE_LEN + 1], const char *bytes,
                       unsigned char nonce[CRYPT_NONCE])
{
    uint64_t number = 0;
    memcpy(nonce, prefix, LONG_NONCE_LEN);
    memcpy(nonce + LONG_NONCE_LEN, bytes, NONCE_LEN);
    for (size_t i = LONG_NONCE_LEN; i < CRYPT_NONCE; i++)
        number = number << 8 | nonce[i];
    if (number <= curve->received)
        return false;
    curve->received = number;
    return true;
}

/* Adds a box of what stands behind the first CRYPT_MAC bytes of the len reserved ones. */
static void seal(struct buf *out, const void *text, size_t len, const unsigned char nonce[CRYPT_NONCE],
                 const unsigned char shared[CRYPT_KEY])
{
    unsigned char *box = (unsigned char *)buf_reserve(out, len + CRYPT_MAC);
    crypt_seal(box, text, len, nonce, shared);
    buf_commit(out, len + CRYPT_MAC);
}

/* The first half of a random nonce. */
static void random_nonce_name(unsigned char nonce[CRYPT_NONCE], const char name[9])
{
    for (size_t i = 0; i < 8; i++)
        nonce[i] = (unsigned char)name[i];
}

/* ---- Handshake ---- */

void curve_hello(struct curve *curve, struct buf *out)
{
    static const unsigned char zeros[HELLO_ZEROS];
    unsigned char nonce[CRYPT_NONCE];
    /* A weak key of the server's leads to a shared key that no server has. */
    if (!crypt_share(curve->shared, curve->peer, curve->short_secret))
        crypt_random(curve->shared, CRYPT_KEY);
    buf_add_str(out, STR("\5HELLO\1\0"));
    buf_add(out, zeros, HELLO_ZEROS);
    buf_add(out, curve->short_public, CRYPT_KEY);
    nonce_next(curve, "CurveZMQHELLO---", nonce, out);
    seal(out, zeros, 64, nonce, curve->shared);
}

/* The client's long-term key vouches for its short-term one, under the server's short-term key. */
static bool initiate(struct curve *curve, const unsigned char server_short[CRYPT_KEY], struct str cookie,
                     struct str metadata, struct buf *out)
{
    unsigned char nonce[CRYPT_NONCE], shared[CRYPT_KEY], pair[2 * CRYPT_KEY];
    AUTO_BUF struct buf text = {0};
    if (!crypt_share(shared, server_short, curve->long_secret) ||
        !crypt_share(curve->shared, server_short, curve->short_secret))
        return false;
    buf_add(&text, curve->long_public, CRYPT_KEY);
    random_nonce_name(nonce, "VOUCH---");
    crypt_random(nonce + 8, LONG_NONCE_LEN);
    buf_add(&text, nonce + 8, LONG_NONCE_LEN);
    memcpy(pair, curve->short_public, CRYPT_KEY);
    memcpy(pair + CRYPT_KEY, curve->peer, CRYPT_KEY);
    seal(&text, pair, sizeof pair, nonce, shared);
    crypt_wipe(shared, sizeof shared);
    buf_add_str(&text, metadata);
    buf_add_str(out, STR("\10INITIATE"));
    buf_add_str(out, cookie);
    nonce_next(curve, "CurveZMQINITIATE", nonce, out);
    seal(out, text.data, text.len, nonce, curve->shared);
    crypt_wipe(curve->long_secret, CRYPT_KEY);
    crypt_wipe(curve->short_secret, CRYPT_KEY);
    return true;
}

bool curve_welcome(struct curve *curve, struct str welcome, struct str metadata, struct buf *out)
{
    unsigned char nonce[CRYPT_NONCE], text[CRYPT_KEY + COOKIE_LEN];
    if (welcome.len != WELCOME_LEN)
        return false;
    random_nonce_name(nonce, "WELCOME-");
    memcpy(nonce + 8, welcome.data, LONG_NONCE_LEN);
    const unsigned char *box = (const unsigned char *)welcome.data + LONG_NONCE_LEN;
    return crypt_open(text, box, welcome.len - LONG_NONCE_LEN, nonce, curve->shared) &&
           initiate(curve, text, (struct str){(char *)text + CRYPT_KEY, COOKIE_LEN}, metadata, out);
}

bool curve_ready(struct curve *curve, struct str ready, struct buf *metadata)
{
    unsigned char nonce[CRYPT_NONCE];
    if (ready.len < NONCE_LEN + CRYPT_MAC || !nonce_take(curve, "CurveZMQREADY---", ready.data, nonce))
        return false;
    size_t len = ready.len - NONCE_LEN;
    unsigned char *text = (unsigned char *)buf_reserve(metadata, len);
    if (!crypt_open(text, (const unsigned char *)ready.data + NONCE_LEN, len, nonce, curve->shared))
        return false;
    buf_commit(metadata, len - CRYPT_MAC);
    return true;
}

/* ---- Messages ---- */

void curve_seal(struct curve *curve, unsigned char flags, struct str payload, struct buf *out)
{
    unsigned char nonce[CRYPT_NONCE];
    buf_add_str(out, STR("\7MESSAGE"));
    nonce_next(curve, "CurveZMQMESSAGEC", nonce, out);
    unsigned char *box = (unsigned char *)buf_reserve(out, CURVE_OVERHEAD + payload.len);
    unsigned char *text = box + CRYPT_MAC;
    text[0] = flags;
    if (payload.len > 0)
        memcpy(text + 1, payload.data, payload.len);
    crypt_seal(box, text, payload.len + 1, nonce, curve->shared);
    buf_commit(out, CRYPT_MAC + payload.len + 1);
}

bool curve_open(struct curve *curve, char *message, size_t *len, unsigned char *flags)
{
    unsigned char nonce[CRYPT_NONCE];
    size_t head = strlen("\7MESSAGE") + NONCE_LEN;
    if (*len < CURVE_OVERHEAD || memcmp(message, "\7MESSAGE", 8) != 0 ||
        !nonce_take(curve, "CurveZMQMESSAGES", message + 8, nonce))
        return false;
    unsigned char *text = (unsigned char *)message;
    if (!crypt_open(text, text + head, *len - head, nonce, curve->shared))
        return false;
    *flags = text[0];
    *len -= CURVE_OVERHEAD;
    memmove(text, text + 1, *len);
    return true;
}
