/* Base64: the vectors of RFC 4648, all bytes, and what is none. */
#include "../unit.h"

static void check(const char *plain, const char *coded)
{
    AUTO_BUF struct buf out = {0}, back = {0};
    base64_add(&out, str_of(plain));
    assert_true(str_is(buf_str(&out), coded));
    assert_true(base64_read(&back, str_of(coded)));
    assert_true(str_is(buf_str(&back), plain));
}

static void test_vectors(void **state)
{
    (void)state;
    check("", "");
    check("f", "Zg==");
    check("fo", "Zm8=");
    check("foo", "Zm9v");
    check("foob", "Zm9vYg==");
    check("fooba", "Zm9vYmE=");
    check("foobar", "Zm9vYmFy");
}

static void test_all_bytes(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 300; len++) {
        AUTO_BUF struct buf bytes = {0}, text = {0}, back = {0};
        for (size_t i = 0; i < len; i++)
            buf_add_char(&bytes, (char)(i * 7 + len));
        base64_add(&text, buf_str(&bytes));
        assert_int_equal(text.len, (len + 2) / 3 * 4);
        assert_true(base64_read(&back, buf_str(&text)));
        assert_true(str_equal(buf_str(&back), buf_str(&bytes)));
    }
}

static void test_wrong(void **state)
{
    static const char *const wrong[] = {"Zg=", "Z", "Zm9v!", "Zm9v====", "=m9v", "Zg==Zg==", "Zm 9", "Zm9\n"};
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(wrong); i++) {
        AUTO_BUF struct buf out = {0};
        assert_false(base64_read(&out, str_of(wrong[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors), cmocka_unit_test(test_all_bytes),
                                       cmocka_unit_test(test_wrong)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
