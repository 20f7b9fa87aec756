/* Byte strings, UTF-8, hashes and the nearest name. */
#include "../unit.h"

static void test_compare(void **state)
{
    (void)state;
    const struct str nothing = {NULL, 0};
    assert_true(str_equal(nothing, STR("")));
    assert_false(str_equal(STR("a\0b"), STR("a\0c")));
    assert_true(str_is(STR("a"), "a"));
    assert_true(str_compare(STR("a"), STR("b")) < 0);
    assert_true(str_compare(STR("a"), STR("aa")) < 0);
    assert_true(str_compare(STR("\xff"), STR("a")) > 0);
    assert_int_equal(str_compare(nothing, STR("")), 0);
}

static void test_parts(void **state)
{
    (void)state;
    const struct str nothing = {NULL, 0};
    assert_true(str_starts_with(STR("abc"), STR("ab")));
    assert_false(str_starts_with(STR("ab"), STR("abc")));
    assert_true(str_starts_with(nothing, STR("")));
    assert_true(str_ends_with(STR("abc"), STR("bc")));
    assert_false(str_ends_with(STR("abc"), STR("ab")));
    assert_true(str_ends_with(STR("abc"), nothing));
    assert_int_equal(str_find(STR("abcbc"), STR("bc")), 1);
    assert_int_equal(str_find(STR("abc"), STR("x")), -1);
    assert_int_equal(str_find(STR("abc"), STR("")), 0);
    assert_int_equal(str_find(nothing, STR("x")), -1);
}

static void test_utf8_valid(void **state)
{
    (void)state;
    const struct str good[] = {
        STR(""),
        STR("a\0b"),
        STR("\x7f"),
        STR("\xc2\x80"),
        STR("\xdf\xbf"),
        STR("\xe0\xa0\x80"),
        STR("\xed\x9f\xbf"),
        STR("\xee\x80\x80"),
        STR("\xef\xbf\xbf"),
        STR("\xf0\x90\x80\x80"),
        STR("\xf4\x8f\xbf\xbf"),
    };
    const struct str bad[] = {
        STR("\x80"),
        STR("\xbf"),
        STR("\xc0\x80"),
        STR("\xc1\xbf"),
        STR("\xc2"),
        STR("\xc2\x41"),
        STR("\xe0\x9f\xbf"),
        STR("\xe1\x80"),
        STR("\xe1\x80\xc0"),
        STR("\xed\xa0\x80"),
        STR("\xed\xbf\xbf"),
        STR("\xf0\x8f\xbf\xbf"),
        STR("\xf1\x80\x80"),
        STR("\xf4\x90\x80\x80"),
        STR("\xf5\x80\x80\x80"),
        STR("\xff"),
        STR("ok\xe2\x82"),
    };
    for (size_t i = 0; i < LENGTH_OF(good); i++)
        assert_true(utf8_valid(good[i]));
    for (size_t i = 0; i < LENGTH_OF(bad); i++)
        if (utf8_valid(bad[i]))
            fail_msg("bad[%zu] is taken for UTF-8", i);
}

static void test_utf8_every_character(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x10ffff; code++) {
        char bytes[4];
        struct str s = {bytes, utf8_encode(code, bytes)};
        bool surrogate = code >= 0xd800 && code <= 0xdfff;
        if (utf8_valid(s) == surrogate)
            fail_msg("U+%04X", code);
        size_t pos = 0;
        if (!surrogate && (utf8_next(s, &pos) != code || pos != s.len))
            fail_msg("U+%04X", code);
    }
}

static void test_utf8_next_in_broken_text(void **state)
{
    (void)state;
    struct str s = STR("\xff\xe2\x82z");
    size_t pos = 0;
    assert_int_equal(utf8_next(s, &pos), 0xff);
    assert_int_equal(utf8_next(s, &pos), 0xe2);
    assert_int_equal(utf8_next(s, &pos), 0x82);
    assert_int_equal(utf8_next(s, &pos), 'z');
    assert_int_equal(pos, s.len);
}

static void test_hash(void **state)
{
    (void)state;
    char bytes[64] = {0};
    assert_true(str_hash(STR("key")) == str_hash(str_of("key")));
    assert_true(str_hash((struct str){NULL, 0}) == str_hash(STR("")));
    /* Each length and each bit of a text counts. */
    uint64_t hashes[64 * 8 + 65];
    size_t count = 0;
    for (size_t len = 0; len <= 64; len++)
        hashes[count++] = str_hash((struct str){bytes, len});
    for (size_t bit = 0; bit < 64 * 8; bit++) {
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        hashes[count++] = str_hash((struct str){bytes, 64});
        bytes[bit / 8] = 0;
    }
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            assert_true(hashes[i] != hashes[j]);
}

static const char *nearest(const char *name)
{
    static const char *const commands[] = {"get", "set", "watch", "status", "start", "stop", "", "restart"};
    return str_nearest(str_of(name), commands, LENGTH_OF(commands));
}

static void test_nearest(void **state)
{
    (void)state;
    assert_string_equal(nearest("wach"), "watch");
    assert_string_equal(nearest("wathc"), "watch");
    assert_string_equal(nearest("statuss"), "status");
    assert_string_equal(nearest("ge"), "get");
    assert_string_equal(nearest("restrat"), "restart");
    assert_string_equal(nearest("stop"), "stop");
    assert_null(nearest("x"));
    assert_null(nearest(""));
    assert_null(nearest("entirely different"));
    assert_null(str_nearest(STR("a"), NULL, 0));
    char long_name[100];
    memset(long_name, 'x', sizeof long_name);
    assert_null(str_nearest((struct str){long_name, sizeof long_name}, (const char *[]){"x"}, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_utf8_valid),
        cmocka_unit_test(test_utf8_every_character),
        cmocka_unit_test(test_utf8_next_in_broken_text),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
