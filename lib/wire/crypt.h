/* The primitives of the secret key: the only header behind which libsodium stands. */
#ifndef ZPROC_CRYPT_H
#define ZPROC_CRYPT_H

#include "value.h"

enum { CRYPT_KEY = 32, CRYPT_NONCE = 24, CRYPT_MAC = 16 };

/* Before anything else; cheap when it has been done. */
bool crypt_start(struct err *err);
void crypt_random(void *bytes, size_t len);
/* A new Curve25519 pair, or the one that belongs to a seed. */
void crypt_pair(unsigned char public_key[CRYPT_KEY], unsigned char secret_key[CRYPT_KEY]);
void crypt_pair_of(const unsigned char seed[CRYPT_KEY], unsigned char public_key[CRYPT_KEY],
                   unsigned char secret_key[CRYPT_KEY]);
/* The key that two pairs share. False when the public key is a weak one. */
bool crypt_share(unsigned char shared[CRYPT_KEY], const unsigned char public_key[CRYPT_KEY],
                 const unsigned char secret_key[CRYPT_KEY]);
/* Curve25519-XSalsa20-Poly1305: box gets CRYPT_MAC bytes more than text, which may stand at box + CRYPT_MAC.
 */
void crypt_seal(unsigned char *box, const unsigned char *text, size_t len,
                const unsigned char nonce[CRYPT_NONCE], const unsigned char shared[CRYPT_KEY]);
/* text gets CRYPT_MAC bytes less than box, and may be the same place. False when it was not sealed so. */
bool crypt_open(unsigned char *text, const unsigned char *box, size_t len,
                const unsigned char nonce[CRYPT_NONCE], const unsigned char shared[CRYPT_KEY]);
/* BLAKE2b of so many bytes. */
void crypt_digest(unsigned char *digest, size_t digest_len, const void *bytes, size_t len);
/* The number-th key that is derived from a master key. */
void crypt_derive(unsigned char key[CRYPT_KEY], unsigned number, const unsigned char master[CRYPT_KEY]);
/* Argon2id with interactive cost. False without the memory for it. */
bool crypt_stretch(unsigned char master[CRYPT_KEY], struct str passphrase, struct err *err);
/* In constant time. */
bool crypt_equal(const void *a, const void *b, size_t len);
void crypt_wipe(void *bytes, size_t len);
/* base64url without padding; text has room for it and a NUL. Decoding wants exactly len bytes. */
void crypt_encode(char *text, size_t size, const unsigned char *bytes, size_t len);
bool crypt_decode(unsigned char *bytes, size_t len, struct str text);

#endif
