/* Values to JSON text: shortest doubles, kept spellings, escapes. */
#include "value_test.h"

#include <float.h>
#include <math.h>

static void test_doubles(void **state)
{
    (void)state;
    static const struct {
        double d;
        const char *text;
    } rows[] = {
        {0, "0.0"},
        {-0.0, "-0.0"},
        {1, "1.0"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},
        {0.0001, "0.0001"},
        {0.00012345, "0.00012345"},
        {0.00001, "1e-05"},
        {1.5e-7, "1.5e-07"},
        {123456.789, "123456.789"},
        {1e15, "1000000000000000.0"},
        {1234567890123456.0, "1234567890123456.0"},
        {9007199254740993.0, "9007199254740992.0"},
        {1e16, "1e+16"},
        {1.5e16, "1.5e+16"},
        {1e22, "1e+22"},
        {1e23, "1e+23"},
        {1e300, "1e+300"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {5e-324, "5e-324"},
        {-5e-324, "-5e-324"},
        {0x1p63, "9.223372036854776e+18"},
        {-0x1p63, "-9.223372036854776e+18"},
        /* The nearest decimal of 16 digits is outside below a power of two; the next one above is inside. */
        {0x1p-44, "5.684341886080802e-14"},
        {9.5367431640625e-07, "9.5367431640625e-07"},
        {2.2250738585072011e-308, "2.225073858507201e-308"},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        char text[32];
        size_t len = double_print(rows[i].d, text);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(len, strlen(text));
        AUTO_VALUE struct value *value = value_double(rows[i].d);
        assert_prints(value, rows[i].text);
    }
}

static size_t digits_count(const char *text)
{
    char digits[32];
    size_t count = 0, leading = 0;
    for (; *text && *text != 'e'; text++)
        if (*text >= '0' && *text <= '9')
            digits[count++] = *text;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    while (leading + 1 < count && digits[leading] == '0')
        leading++;
    return count - leading;
}

/* Reads back the same, and no printf with fewer digits does. */
static void double_check(uint64_t seed, double d)
{
    char text[32], shorter[40];
    assert_seeded(seed, double_print(d, text) == strlen(text));
    assert_seeded(seed, strpbrk(text, ".e"));
    double back = strtod(text, NULL);
    assert_seeded(seed, memcmp(&back, &d, sizeof d) == 0);
    size_t digits = digits_count(text);
    if (digits > 1) {
        snprintf(shorter, sizeof shorter, "%.*e", (int)digits - 2, d);
        assert_seeded(seed, strtod(shorter, NULL) != d);
    }
    AUTO_VALUE struct value *value = parsed(text);
    assert_seeded(seed, value_type(value) == VALUE_DOUBLE && value_as_double(value) == d);
}

static void test_random_doubles(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (int i = 0; i < 20000; i++) {
        uint64_t seed = random, bits = random_next(&random);
        double d;
        memcpy(&d, &bits, sizeof d);
        if (isfinite(d))
            double_check(seed, d);
        double_check(seed, (double)(int64_t)bits / 1000);
        double_check(seed, (double)(bits % 100000) / 100);
    }
    for (int exponent = -1074; exponent < 1024; exponent++) {
        double power = ldexp(1, exponent);
        double_check((uint64_t)exponent, power);
        double_check((uint64_t)exponent, nextafter(power, 0) > 0 ? nextafter(power, 0) : power);
        double_check((uint64_t)exponent, -nextafter(power, 1e308));
    }
}

static void test_ints(void **state)
{
    (void)state;
    static const struct {
        int64_t i;
        const char *text;
    } rows[] = {
        {0, "0"},
        {7, "7"},
        {-10, "-10"},
        {INT64_MAX, "9223372036854775807"},
        {INT64_MIN, "-9223372036854775808"},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        AUTO_VALUE struct value *value = value_int(rows[i].i);
        assert_prints(value, rows[i].text);
    }
}

static void test_spelling_is_kept(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "-0",
        "1.10",
        "1e5",
        "1E5",
        "1e+05",
        "-0.0e-0",
        "100000000000000000000000000.0",
        "{\"b\":[1.50,-0],\"a\":2e0}",
    };
    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        AUTO_VALUE struct value *value = parsed(texts[i]);
        assert_prints(value, texts[i]);
    }
}

static void test_strings(void **state)
{
    (void)state;
    static const struct {
        struct str s;
        const char *text;
    } rows[] = {
        {{NULL, 0}, "\"\""},
        {{"\"\\/", 3}, "\"\\\"\\\\/\""},
        {{"\b\f\n\r\t", 5}, "\"\\b\\f\\n\\r\\t\""},
        {{"\0\x01\x1f\x7f", 4}, "\"\\u0000\\u0001\\u001f\x7f\""},
        {{"ä€😀", 9}, "\"ä€😀\""},
        {{"\xe2\x80\xa8", 3}, "\"\xe2\x80\xa8\""},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        AUTO_VALUE struct value *value = value_string(rows[i].s);
        assert_prints(value, rows[i].text);
    }
}

/* Words of eight bytes are looked at in one go: an escape at every place, between bytes of every kind. */
static void test_escape_at_every_place(void **state)
{
    (void)state;
    static const char specials[] = {'"', '\\', '\n', '\x1f', '\0'};
    static const char fillers[] = {' ', '!', '#', '[', ']', '\x7f'};
    for (size_t at = 0; at < 40; at++) {
        for (size_t i = 0; i < sizeof specials * sizeof fillers; i++) {
            char bytes[40];
            memset(bytes, fillers[i % sizeof fillers], sizeof bytes);
            bytes[at] = specials[i / sizeof fillers];
            AUTO_BUF struct buf buf = {0};
            string_print(&buf, (struct str){bytes, sizeof bytes});
            assert_int_equal(buf.data[at + 1], '\\');
            AUTO_VALUE struct value *value = value_parse(buf_str(&buf), NULL);
            assert_non_null(value);
            assert_memory_equal(value_as_str(value).data, bytes, sizeof bytes);
        }
    }
}

static void test_containers(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "[]", "{}", "[[],{}]", "{\"\":{\"a\":[1,\"x\",null,true,false]}}", "[{\"a\":1},{\"b\":2},3]",
    };
    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        AUTO_VALUE struct value *value = parsed(texts[i]);
        assert_prints(value, texts[i]);
    }
}

static void test_any_depth(void **state)
{
    (void)state;
    AUTO_VALUE struct value *value = nested(300000);
    AUTO_BUF struct buf buf = {0};
    value_print(&buf, value);
    assert_int_equal(buf.len, 2 * 300000 + 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles),    cmocka_unit_test(test_random_doubles),
        cmocka_unit_test(test_ints),       cmocka_unit_test(test_spelling_is_kept),
        cmocka_unit_test(test_strings),    cmocka_unit_test(test_escape_at_every_place),
        cmocka_unit_test(test_containers), cmocka_unit_test(test_any_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
