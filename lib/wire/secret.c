/* The secret key: its forms as text and file, and the pairs that are derived from it. */
#include "wire_priv.h"

#include "crypt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX    "zpk1_"
#define CHECK_LEN 4
#define FILE_MOST 4096 /* bytes of a key file */
#define DATA_LEN  48   /* characters behind the prefix: 36 bytes in base64url */

/* Subkeys of the master key: numbers that stay as they are. */
enum { SUBKEY_SERVER = 1, SUBKEY_CLIENT = 2, SUBKEY_ID = 3 };

_Static_assert(SECRET_TEXT_SIZE == sizeof PREFIX + DATA_LEN, "the size of a key's text");
_Static_assert(SECRET_KEY_LEN == CRYPT_KEY, "the length of a key");

static void check_make(unsigned char check[CHECK_LEN], const unsigned char master[CRYPT_KEY])
{
    crypt_digest(check, CHECK_LEN, master, CRYPT_KEY);
}

static void derive(struct secret *secret)
{
    unsigned char seed[CRYPT_KEY];
    crypt_derive(seed, SUBKEY_SERVER, secret->master);
    crypt_pair_of(seed, secret->server_public, secret->server_secret);
    crypt_derive(seed, SUBKEY_CLIENT, secret->master);
    crypt_pair_of(seed, secret->client_public, secret->client_secret);
    crypt_derive(seed, SUBKEY_ID, secret->master);
    for (size_t i = 0; i < 8; i++)
        snprintf(secret->id + 2 * i, 3, "%02x", seed[i]);
    crypt_wipe(seed, sizeof seed);
}

static bool generated_parse(struct str text, unsigned char master[CRYPT_KEY], struct err *err)
{
    unsigned char bytes[CRYPT_KEY + CHECK_LEN], check[CHECK_LEN];
    struct str data = {text.data + strlen(PREFIX), text.len - strlen(PREFIX)};
    bool fine = data.len == DATA_LEN && crypt_decode(bytes, sizeof bytes, data);
    if (fine) {
        check_make(check, bytes);
        fine = crypt_equal(check, bytes + CRYPT_KEY, CHECK_LEN);
        memcpy(master, bytes, CRYPT_KEY);
    }
    crypt_wipe(bytes, sizeof bytes);
    return fine ||
           err_set(err, ERR_INVALID,
                   "the secret key is mistyped: it begins with " PREFIX ", but what follows does not fit");
}

bool secret_from_text(struct str text, struct secret *secret, struct err *err)
{
    *secret = (struct secret){0};
    if (text.len == 0)
        return err_set(err, ERR_INVALID, "the secret key is empty");
    if (!crypt_start(err))
        return false;
    bool generated = str_starts_with(text, STR(PREFIX));
    if (generated ? !generated_parse(text, secret->master, err) : !crypt_stretch(secret->master, text, err))
        return false;
    secret->stretched = !generated;
    derive(secret);
    return true;
}

/* Whoever else can read it has the key too. */
static bool mode_check(const char *path, int fd, struct err *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return err_errno(err, errno, "cannot read the key file '%s'", path);
    if (!S_ISREG(info.st_mode))
        return err_set(err, ERR_DENIED, "the key file '%s' is no file", path);
    if (info.st_mode & 077)
        return err_set(
            err, ERR_DENIED,
            "the key file '%s' can be read by others (mode %04o); chmod 600 it, and make a new key if "
            "others may have read it",
            path, (unsigned)(info.st_mode & 07777));
    if (info.st_uid != geteuid() && info.st_uid != 0)
        return err_set(err, ERR_DENIED, "the key file '%s' belongs to another user", path);
    return true;
}

bool secret_from_file(const char *path, struct secret *secret, struct err *err)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct buf text = {0};
    if (fd < 0)
        return err_set(err, ERR_INVALID, "cannot read the key file '%s': %s%s", path, strerror(errno),
                       errno == ENOENT ? "; 'zproc keygen FILE' makes one" : "");
    if (!mode_check(path, fd, err))
        return false;
    buf_reserve(&text, FILE_MOST); /* it never moves, so that no copy stays behind */
    bool fine = fd_read_all(fd, FILE_MOST, &text, err);
    struct str key = {text.data, text.len};
    while (key.len > 0 && (key.data[key.len - 1] == '\n' || key.data[key.len - 1] == '\r'))
        key.len--;
    fine = fine && secret_from_text(key, secret, err);
    crypt_wipe(text.data, text.len);
    buf_release(&text);
    return fine || err_wrap(err, "key file '%s'", path);
}

static bool key_take(char *text, struct secret *secret, struct err *err)
{
    bool fine = secret_from_text(str_of(text), secret, err) || err_wrap(err, "ZPROC_SECRET_KEY");
    crypt_wipe(text, strlen(text)); /* where /proc shows the environment too */
    unsetenv("ZPROC_SECRET_KEY");
    return fine;
}

bool secret_from_env(struct secret *secret, bool *given, struct err *err)
{
    char *text = getenv("ZPROC_SECRET_KEY");
    const char *path = getenv("ZPROC_KEY_FILE");
    bool has_text = text && *text, has_path = path && *path;
    *given = has_text || has_path;
    if (has_text && has_path)
        return err_set(err, ERR_INVALID,
                       "ZPROC_SECRET_KEY and ZPROC_KEY_FILE are both set; unset one of them");
    if (has_text)
        return key_take(text, secret, err);
    return !has_path || secret_from_file(path, secret, err);
}

bool secret_make(char text[SECRET_TEXT_SIZE], struct err *err)
{
    struct secret secret;
    if (!crypt_start(err))
        return false;
    crypt_random(secret.master, sizeof secret.master);
    secret_print(&secret, text);
    secret_wipe(&secret);
    return true;
}

void secret_print(const struct secret *secret, char text[SECRET_TEXT_SIZE])
{
    unsigned char bytes[CRYPT_KEY + CHECK_LEN];
    memcpy(bytes, secret->master, CRYPT_KEY);
    check_make(bytes + CRYPT_KEY, secret->master);
    snprintf(text, SECRET_TEXT_SIZE, "%s", PREFIX);
    crypt_encode(text + strlen(PREFIX), DATA_LEN + 1, bytes, sizeof bytes);
    crypt_wipe(bytes, sizeof bytes);
}

bool secret_write(const char *path, const char *text, struct err *err)
{
    AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return err_set(err, ERR_CONFLICT, "'%s' is there already; a key is never overwritten", path);
    if (fd < 0)
        return err_errno(err, errno, "cannot write the key file '%s'", path);
    if (fchmod(fd, 0600) == 0 && fd_write_all(fd, text, strlen(text)) && fd_write_all(fd, "\n", 1) &&
        fsync(fd) == 0)
        return true;
    int number = errno;
    unlink(path);
    return err_errno(err, number, "cannot write the key file '%s'", path);
}

bool secret_is_client(const struct secret *secret, const void *public_key)
{
    return crypt_equal(public_key, secret->client_public, SECRET_KEY_LEN);
}

void secret_wipe(struct secret *secret)
{
    crypt_wipe(secret, sizeof *secret);
}
