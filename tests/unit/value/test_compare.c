/* Equality of values and of their text, and the exact order of numbers. */
#include "value_test.h"

static void test_equality(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool identical, same_text;
    } rows[] = {
        {"null", "null", true, true},
        {"null", "false", false, false},
        {"null", "0", false, false},
        {"true", "true", true, true},
        {"true", "false", false, false},
        {"1", "1", true, true},
        {"1", "1.0", true, false},
        {"1", "true", false, false},
        {"1", "\"1\"", false, false},
        {"1.10", "1.1", true, false},
        {"1e2", "100", true, false},
        {"0", "-0", true, false},
        {"0.0", "-0.0", true, false},
        {"9007199254740993", "9007199254740992.0", false, false},
        {"9007199254740992", "9007199254740992.0", true, false},
        {"9223372036854775807", "9223372036854775808.0", false, false},
        {"-9223372036854775808", "-9223372036854775808.0", true, false},
        {"\"a\"", "\"a\"", true, true},
        {"\"a\"", "\"\\u0061\"", true, true},
        {"\"a\\u0000b\"", "\"a\\u0000c\"", false, false},
        {"\"a\"", "\"ab\"", false, false},
        {"[]", "{}", false, false},
        {"[]", "null", false, false},
        {"[1,2]", "[1,2]", true, true},
        {"[1,2]", "[2,1]", false, false},
        {"[1]", "[1,1]", false, false},
        {"[[1],[2.0]]", "[[1.0],[2]]", true, false},
        {"{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":2}", true, true},
        {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true, false},
        {"{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", false, false},
        {"{\"a\":1}", "{\"a\":2}", false, false},
        {"{\"a\":null}", "{}", false, false},
        {"{\"a\":{\"x\":[1,{\"y\":2}]},\"b\":3}", "{\"b\":3.0,\"a\":{\"x\":[1,{\"y\":2}]}}", true, false},
        {"{\"a\":{\"x\":[1,{\"y\":2}]},\"b\":3}", "{\"b\":3,\"a\":{\"x\":[1,{\"y\":4}]}}", false, false},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        AUTO_VALUE struct value *a = parsed(rows[i].a);
        AUTO_VALUE struct value *b = parsed(rows[i].b);
        if (value_identical(a, b) != rows[i].identical || value_identical(b, a) != rows[i].identical)
            fail_msg("identical: %s and %s", rows[i].a, rows[i].b);
        if (value_same_text(a, b) != rows[i].same_text || value_same_text(b, a) != rows[i].same_text)
            fail_msg("same text: %s and %s", rows[i].a, rows[i].b);
        assert_true(value_identical(a, a) && value_same_text(b, b));
    }
}

/* A computed number has the text that it prints. */
static void test_computed_text(void **state)
{
    (void)state;
    AUTO_VALUE struct value *computed = value_double(1.5);
    AUTO_VALUE struct value *same = parsed("1.5");
    AUTO_VALUE struct value *other = parsed("1.50");
    assert_true(value_same_text(computed, same));
    assert_false(value_same_text(computed, other));
    assert_true(value_identical(computed, other));
}

static void test_number_order(void **state)
{
    (void)state;
    /* Ascending; the groups of equals are not separated by anything a double could not show. */
    static const char *const ascending[] = {
        "-1.7976931348623157e308",
        "-9223372036854777856.0",
        "-9223372036854775808",
        "-9223372036854775807",
        "-9007199254740993",
        "-9007199254740992.0",
        "-2",
        "-1.5",
        "-1",
        "-0.5",
        "-5e-324",
        "0",
        "5e-324",
        "0.5",
        "1",
        "1.5",
        "9007199254740992.0",
        "9007199254740993",
        "9007199254740994.0",
        "9223372036854774784.0",
        "9223372036854775807",
        "9223372036854775808.0",
        "1e300",
    };
    for (size_t i = 0; i < LENGTH_OF(ascending); i++) {
        AUTO_VALUE struct value *a = parsed(ascending[i]);
        for (size_t j = 0; j < LENGTH_OF(ascending); j++) {
            AUTO_VALUE struct value *b = parsed(ascending[j]);
            if (value_compare_numbers(a, b) != (i > j) - (i < j))
                fail_msg("%s and %s", ascending[i], ascending[j]);
        }
    }
}

static void test_any_depth(void **state)
{
    (void)state;
    AUTO_VALUE struct value *a = nested(300000);
    AUTO_VALUE struct value *b = nested(300000);
    AUTO_VALUE struct value *c = nested(299999);
    assert_true(value_identical(a, b));
    assert_true(value_same_text(a, b));
    assert_false(value_identical(a, c));
}

static void test_large_maps_without_order(void **state)
{
    (void)state;
    AUTO_VALUE struct value *up = value_map();
    AUTO_VALUE struct value *down = value_map();
    for (int i = 0; i < 1000; i++) {
        AUTO_FREE char *low = mem_format("%d", i);
        AUTO_FREE char *high = mem_format("%d", 999 - i);
        map_set(up, str_of(low), value_int(i));
        map_set(down, str_of(high), value_double(999 - i));
    }
    assert_true(value_identical(up, down));
    assert_false(value_same_text(up, down));
    map_set(down, STR("500"), value_int(0));
    assert_false(value_identical(up, down));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equality),
        cmocka_unit_test(test_computed_text),
        cmocka_unit_test(test_number_order),
        cmocka_unit_test(test_any_depth),
        cmocka_unit_test(test_large_maps_without_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
