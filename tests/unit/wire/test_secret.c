/* The secret key as text and file, and what is derived from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The key and the id that this passphrase leads to. */
#define PASSPHRASE_TEXT "zpk1_Dpx26u7cM5YsdCVxLJnVO4vdoW4LkZa6HTqW-bWZGlZIvz3A"
#define PASSPHRASE_ID   "78105b146d6e7ccb"

static void text_and_back(void **state)
{
    (void)state;
    char text[SECRET_TEXT_SIZE], again[SECRET_TEXT_SIZE], other[SECRET_TEXT_SIZE];
    struct secret secret;
    struct err err = {0};
    assert_true(secret_make(text, &err));
    assert_int_equal(strlen(text), SECRET_TEXT_SIZE - 1);
    assert_true(str_starts_with(str_of(text), STR("zpk1_")));
    assert_true(secret_from_text(str_of(text), &secret, &err));
    assert_false(secret.stretched);
    assert_int_equal(strlen(secret.id), 16);
    secret_print(&secret, again);
    assert_string_equal(text, again);
    assert_true(secret_make(other, &err));
    assert_string_not_equal(text, other);
}

/* Every single character that is another one is found out before any connection. */
static void typing_errors(void **state)
{
    (void)state;
    char text[SECRET_TEXT_SIZE];
    struct secret secret;
    struct err err = {0};
    assert_true(secret_make(text, &err));
    for (size_t i = 5; text[i]; i++) {
        char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        assert_false(secret_from_text(str_of(text), &secret, &err));
        assert_int_equal(err.code, ERR_INVALID);
        assert_non_null(strstr(err.message, "mistyped"));
        text[i] = was;
    }
    assert_true(secret_from_text(str_of(text), &secret, &err));
    assert_false(secret_from_text(STR("zpk1_"), &secret, &err));
    assert_false(secret_from_text((struct str){text, strlen(text) - 1}, &secret, &err));
    assert_false(secret_from_text(STR(""), &secret, &err));
}

/* The same text leads to the same key on any machine and in any version: fixed values. */
static void derivation_stands(void **state)
{
    (void)state;
    struct secret secret, again;
    struct err err = {0};
    char text[SECRET_TEXT_SIZE];
    assert_true(secret_from_text(STR("correct horse battery staple"), &secret, &err));
    assert_true(secret.stretched);
    secret_print(&secret, text);
    assert_string_equal(text, PASSPHRASE_TEXT);
    assert_string_equal(secret.id, PASSPHRASE_ID);
    assert_true(secret_from_text(str_of(text), &again, &err));
    assert_memory_equal(secret.server_public, again.server_public, SECRET_KEY_LEN);
    assert_memory_equal(secret.client_secret, again.client_secret, SECRET_KEY_LEN);
    assert_memory_not_equal(secret.server_secret, secret.client_secret, SECRET_KEY_LEN);
    assert_true(secret_is_client(&secret, again.client_public));
    assert_false(secret_is_client(&secret, again.server_public));
}

struct place {
    char folder[64], path[96];
};

static void place_make(struct place *place)
{
    snprintf(place->folder, sizeof place->folder, "/tmp/zproc-secret-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->path, sizeof place->path, "%s/key", place->folder);
}

static void place_clear(struct place *place)
{
    unlink(place->path);
    rmdir(place->folder);
}

static void files(void **state)
{
    (void)state;
    struct place place;
    struct secret secret;
    struct err err = {0};
    struct stat info;
    char text[SECRET_TEXT_SIZE], back[SECRET_TEXT_SIZE];
    place_make(&place);
    mode_t mask = umask(0);
    assert_true(secret_make(text, &err));
    assert_true(secret_write(place.path, text, &err));
    umask(mask);
    assert_int_equal(stat(place.path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_true(secret_from_file(place.path, &secret, &err));
    secret_print(&secret, back);
    assert_string_equal(text, back);
    assert_false(secret_write(place.path, text, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_int_equal(chmod(place.path, 0640), 0);
    assert_false(secret_from_file(place.path, &secret, &err));
    assert_int_equal(err.code, ERR_DENIED);
    assert_false(secret_from_file(place.folder, &secret, &err));
    unlink(place.path);
    assert_false(secret_from_file(place.path, &secret, &err));
    assert_int_equal(err.code, ERR_INVALID);
    place_clear(&place);
}

static void environment(void **state)
{
    (void)state;
    struct secret secret;
    struct err err = {0};
    char text[SECRET_TEXT_SIZE];
    bool given;
    unsetenv("ZPROC_SECRET_KEY");
    unsetenv("ZPROC_KEY_FILE");
    assert_true(secret_from_env(&secret, &given, &err));
    assert_false(given);
    assert_true(secret_make(text, &err));
    setenv("ZPROC_SECRET_KEY", text, 1);
    const char *stands = getenv("ZPROC_SECRET_KEY");
    assert_true(secret_from_env(&secret, &given, &err));
    assert_true(given);
    assert_null(getenv("ZPROC_SECRET_KEY"));
    assert_int_equal(stands[0], '\0');
    setenv("ZPROC_KEY_FILE", "/nowhere/key", 1);
    assert_false(secret_from_env(&secret, &given, &err));
    assert_non_null(strstr(err.message, "/nowhere/key"));
    setenv("ZPROC_SECRET_KEY", text, 1);
    assert_false(secret_from_env(&secret, &given, &err));
    assert_non_null(strstr(err.message, "both set"));
    unsetenv("ZPROC_SECRET_KEY");
    unsetenv("ZPROC_KEY_FILE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_back), cmocka_unit_test(typing_errors), cmocka_unit_test(derivation_stands),
        cmocka_unit_test(files),         cmocka_unit_test(environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
