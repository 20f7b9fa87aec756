/* Values as such: references, types, size and depth. */
#include "value_test.h"

static void test_references(void **state)
{
    (void)state;
    struct value *item = value_string(STR("kept"));
    struct value *list = value_list();
    list_push(list, value_ref(item));
    list_push(list, value_ref(item));
    value_unref(list);
    assert_str(value_as_str(item), "kept");
    value_unref(item);
    value_unref(NULL);
    for (int i = 0; i < 3; i++) {
        value_unref(value_null());
        value_unref(value_bool(true));
    }
    assert_true(value_as_bool(value_bool(true)));
}

/* Depth must not use up the stack. */
static void test_free_at_any_depth(void **state)
{
    (void)state;
    value_unref(nested(1000000));
    struct value *value = value_null();
    for (int i = 0; i < 100000; i++) {
        struct value *map = value_map();
        map_set(map, STR("a"), value);
        value = map;
    }
    value_unref(value);
}

static void test_types(void **state)
{
    (void)state;
    static const struct {
        const char *text, *type;
        size_t len;
        bool truthy;
    } rows[] = {
        {"null", "null", 0, false},   {"true", "bool", 0, true},    {"false", "bool", 0, false},
        {"0", "int", 0, false},       {"-0", "int", 0, false},      {"-1", "int", 0, true},
        {"0.0", "double", 0, false},  {"-0.0", "double", 0, false}, {"0.1", "double", 0, true},
        {"\"\"", "string", 0, false}, {"\"ä\"", "string", 2, true}, {"[]", "list", 0, false},
        {"[null]", "list", 1, true},  {"{}", "map", 0, false},      {"{\"a\":0}", "map", 1, true},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        AUTO_VALUE struct value *value = parsed(rows[i].text);
        assert_string_equal(value_type_name(value), rows[i].type);
        assert_int_equal(value_len(value), rows[i].len);
        assert_int_equal(value_truthy(value), rows[i].truthy);
    }
}

static void test_reading_other_types(void **state)
{
    (void)state;
    AUTO_VALUE struct value *text = value_string(STR("1"));
    AUTO_VALUE struct value *one = value_int(1);
    AUTO_VALUE struct value *half = value_double(0.5);
    assert_false(value_as_bool(one));
    assert_int_equal(value_as_int(text), 0);
    assert_int_equal(value_as_int(half), 0);
    assert_true(value_as_double(one) == 1);
    assert_true(value_as_double(text) == 0);
    assert_str(value_as_str(one), "");
    assert_str(value_as_str(text), "1");
}

static void test_size(void **state)
{
    (void)state;
    AUTO_VALUE struct value *one = value_int(1);
    AUTO_VALUE struct value *text = value_string(STR("0123456789012345678901234567890123456789"));
    AUTO_VALUE struct value *list = value_list();
    assert_int_equal(value_size(value_null()), 0);
    assert_int_equal(value_size(value_bool(true)), 0);
    assert_true(value_size(one) >= 16);
    assert_true(value_size(text) >= 40);
    size_t empty = value_size(list);
    list_push(list, value_null());
    size_t with_room = value_size(list);
    assert_true(with_room > empty);
    list_push(list, value_ref(text));
    list_push(list, value_ref(text));
    assert_int_equal(value_size(list), with_room + 2 * value_size(text));
    list_set(list, 1, value_ref(one));
    assert_int_equal(value_size(list), with_room + value_size(text) + value_size(one));
    list_remove(list, 1);
    list_remove(list, 1);
    assert_int_equal(value_size(list), with_room);
}

static void test_size_of_map(void **state)
{
    (void)state;
    AUTO_VALUE struct value *a = value_string(STR("a"));
    AUTO_VALUE struct value *text = value_string(STR("0123456789012345678901234567890123456789"));
    AUTO_VALUE struct value *map = value_map();
    size_t empty = value_size(map);
    map_set(map, STR("a"), value_null());
    size_t with_room = value_size(map) - value_size(a);
    assert_true(with_room > empty);
    map_set(map, STR("a"), value_ref(text));
    map_set(map, STR("b"), value_ref(text));
    assert_int_equal(value_size(map), with_room + 2 * (value_size(a) + value_size(text)));
    map_set(map, STR("b"), value_null());
    map_remove(map, STR("a"));
    assert_int_equal(value_size(map), with_room + value_size(a));
    map_remove(map, STR("b"));
    assert_int_equal(value_size(map), with_room);
    /* The index counts. */
    for (int i = 0; i < 1000; i++)
        map_set(
            map,
            (struct str){(char[]){(char)('a' + i / 100), (char)('a' + i / 10 % 10), (char)('a' + i % 10)}, 3},
            value_null());
    assert_true(value_size(map) > 1000 * (value_size(a) + 2 * sizeof(void *) + 8));
}

/* A value that holds the one before twice, and so on, has exponential size: the count must not wrap. */
static void test_size_does_not_wrap(void **state)
{
    (void)state;
    struct value *value = value_int(1);
    size_t before = 0;
    for (int i = 0; i < 100; i++) {
        struct value *list = value_list();
        list_push(list, value_ref(value));
        list_push(list, value);
        value = list;
        assert_true(value_size(value) > before || value_size(value) == SIZE_MAX);
        before = value_size(value);
    }
    assert_true(value_size(value) == SIZE_MAX);
    list_remove(value, 0);
    assert_true(value_size(value) == SIZE_MAX);
    value_unref(value);
}

static void test_depth(void **state)
{
    (void)state;
    AUTO_VALUE struct value *scalar = value_int(1);
    assert_int_equal(value_depth(scalar), 0);
    static const struct {
        const char *text;
        size_t depth;
    } rows[] = {{"[]", 1}, {"{}", 1}, {"[1]", 1}, {"{\"a\":[]}", 2}, {"[[],{\"a\":[[]]},1]", 4}};
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        AUTO_VALUE struct value *value = parsed(rows[i].text);
        assert_int_equal(value_depth(value), rows[i].depth);
    }
    AUTO_VALUE struct value *list = parsed("[[[]],1]");
    list_remove(list, 0);
    AUTO_VALUE struct value *copy = value_copy(list);
    assert_int_equal(value_depth(copy), 1);
    AUTO_VALUE struct value *deep = nested(100000);
    assert_true(value_depth(deep) > VALUE_DEPTH_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_free_at_any_depth),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_reading_other_types),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_size_of_map),
        cmocka_unit_test(test_size_does_not_wrap),
        cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
