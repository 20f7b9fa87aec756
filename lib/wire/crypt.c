/* The only file that uses libsodium. */
#include "crypt.h"

#include <sodium.h>

/* The same words lead to the same key anywhere. */
static const unsigned char salt[crypto_pwhash_SALTBYTES] = "zproc-key-v1";
static const char context[crypto_kdf_CONTEXTBYTES + 1] = "zproc-v1";

bool crypt_start(struct err *err)
{
    return sodium_init() >= 0 || err_set(err, ERR_INTERNAL, "cannot start the cryptography (libsodium)");
}

void crypt_random(void *bytes, size_t len)
{
    randombytes_buf(bytes, len);
}

void crypt_pair(unsigned char public_key[CRYPT_KEY], unsigned char secret_key[CRYPT_KEY])
{
    crypto_box_keypair(public_key, secret_key);
}

void crypt_pair_of(const unsigned char seed[CRYPT_KEY], unsigned char public_key[CRYPT_KEY],
                   unsigned char secret_key[CRYPT_KEY])
{
    crypto_box_seed_keypair(public_key, secret_key, seed);
}

bool crypt_share(unsigned char shared[CRYPT_KEY], const unsigned char public_key[CRYPT_KEY],
                 const unsigned char secret_key[CRYPT_KEY])
{
    return crypto_box_beforenm(shared, public_key, secret_key) == 0;
}

void crypt_seal(unsigned char *box, const unsigned char *text, size_t len,
                const unsigned char nonce[CRYPT_NONCE], const unsigned char shared[CRYPT_KEY])
{
    crypto_box_easy_afternm(box, text, len, nonce, shared);
}

bool crypt_open(unsigned char *text, const unsigned char *box, size_t len,
                const unsigned char nonce[CRYPT_NONCE], const unsigned char shared[CRYPT_KEY])
{
    return len >= CRYPT_MAC && crypto_box_open_easy_afternm(text, box, len, nonce, shared) == 0;
}

void crypt_digest(unsigned char *digest, size_t digest_len, const void *bytes, size_t len)
{
    unsigned char all[crypto_generichash_BYTES];
    crypto_generichash(all, sizeof all, bytes, len, NULL, 0);
    memcpy(digest, all, digest_len);
}

void crypt_derive(unsigned char key[CRYPT_KEY], unsigned number, const unsigned char master[CRYPT_KEY])
{
    crypto_kdf_derive_from_key(key, CRYPT_KEY, number, context, master);
}

bool crypt_stretch(unsigned char master[CRYPT_KEY], struct str passphrase, struct err *err)
{
    if (crypto_pwhash(master, CRYPT_KEY, passphrase.data, passphrase.len, salt,
                      crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
                      crypto_pwhash_ALG_ARGON2ID13) == 0)
        return true;
    return err_set(err, ERR_INTERNAL, "not enough memory to stretch a passphrase (64 MiB)");
}

bool crypt_equal(const void *a, const void *b, size_t len)
{
    return sodium_memcmp(a, b, len) == 0;
}

void crypt_wipe(void *bytes, size_t len)
{
    sodium_memzero(bytes, len);
}

void crypt_encode(char *text, size_t size, const unsigned char *bytes, size_t len)
{
    sodium_bin2base64(text, size, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool crypt_decode(unsigned char *bytes, size_t len, struct str text)
{
    size_t got;
    const char *end;
    return sodium_base642bin(bytes, len, text.data, text.len, NULL, &got, &end,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
           got == len && end == text.data + text.len;
}
