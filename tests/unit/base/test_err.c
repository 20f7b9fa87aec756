/* Error objects: codes and their names, context, messages that are always valid UTF-8. */
#include "../unit.h"

#include <errno.h>

static void test_set(void **state)
{
    (void)state;
    struct err err = {0};
    assert_false(err_set(&err, ERR_TYPE, "'%s' is %d", "a", 1));
    assert_int_equal(err.code, ERR_TYPE);
    assert_string_equal(err.message, "'a' is 1");
    assert_false(err_set(NULL, ERR_TYPE, "nobody reads this"));
}

static void test_errno(void **state)
{
    (void)state;
    struct err err = {0};
    assert_false(err_errno(&err, ENOENT, "cannot open '%s'", "x"));
    assert_int_equal(err.code, ERR_INTERNAL);
    assert_string_equal(err.message, "cannot open 'x': No such file or directory");
    assert_false(err_errno(NULL, ENOENT, "nobody reads this"));
}

static void test_wrap(void **state)
{
    (void)state;
    struct err err = {0};
    err_set(&err, ERR_LOST, "the peer is gone");
    assert_false(err_wrap(&err, "worker '%s'", "w"));
    assert_int_equal(err.code, ERR_LOST);
    assert_string_equal(err.message, "worker 'w': the peer is gone");
    assert_false(err_wrap(NULL, "nobody reads this"));
}

static void test_long_messages_are_cut(void **state)
{
    (void)state;
    struct err err = {0};
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    err_set(&err, ERR_INVALID, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    err_wrap(&err, "%s", "context");
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    assert_message(&err, "context: xxx");
    err_errno(&err, ENOENT, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

static void test_messages_are_utf8(void **state)
{
    (void)state;
    struct err err = {0};
    err_set(&err, ERR_INVALID, "'%s' is bad", "a\xff\xc3z");
    assert_string_equal(err.message, "'a??z' is bad");
    err_set(&err, ERR_INVALID, "'%s' is good", "ä€😀");
    assert_string_equal(err.message, "'ä€😀' is good");
    err_set(&err, ERR_INVALID, "'%.*s'", 3, "a€");
    assert_string_equal(err.message, "'a?\?'");
    /* Cut by the room there is, at each byte of a character. */
    for (int before = 990; before < 1000; before++) {
        err_set(&err, ERR_INVALID, "%*s€€€€", before, "");
        assert_true(utf8_valid(str_of(err.message)));
        err_set(&err, ERR_INVALID, "€€€€");
        err_wrap(&err, "%*s", before - 2, "");
        assert_true(utf8_valid(str_of(err.message)));
    }
}

static void test_codes(void **state)
{
    (void)state;
    const struct {
        enum err_code code;
        const char *name;
        int status;
    } codes[] = {
#define X(code, name, status) {code, name, status},
        ERR_CODES(X)
#undef X
    };
    for (size_t i = 0; i < LENGTH_OF(codes); i++) {
        assert_string_equal(err_code_name(codes[i].code), codes[i].name);
        assert_int_equal(err_code_from_name(codes[i].name), codes[i].code);
        assert_int_equal(err_code_status(codes[i].code), codes[i].status);
    }
    assert_int_equal(err_code_from_name("from a later version"), ERR_INTERNAL);
    assert_string_equal(err_code_name((enum err_code)1000), "internal");
    assert_int_equal(err_code_status((enum err_code)1000), 125);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_errno),
        cmocka_unit_test(test_wrap),
        cmocka_unit_test(test_long_messages_are_cut),
        cmocka_unit_test(test_messages_are_utf8),
        cmocka_unit_test(test_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
