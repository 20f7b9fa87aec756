/* Lists: pushing, inserting, replacing, removing. */
#include "value_test.h"

static void test_edit(void **state)
{
    (void)state;
    AUTO_VALUE struct value *list = value_list();
    list_insert(list, 0, value_int(2));
    list_insert(list, 0, value_int(1));
    list_push(list, value_int(4));
    list_insert(list, 2, value_int(3));
    assert_prints(list, "[1,2,3,4]");
    list_set(list, 0, value_null());
    list_set(list, 3, value_list());
    assert_prints(list, "[null,2,3,[]]");
    list_remove(list, 3);
    list_remove(list, 0);
    assert_prints(list, "[2,3]");
    list_remove(list, 0);
    list_remove(list, 0);
    assert_prints(list, "[]");
    list_push(list, value_int(5));
    assert_prints(list, "[5]");
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        uint64_t random = seed;
        AUTO_VALUE struct value *list = value_list();
        int64_t model[200];
        size_t count = 0;
        for (int step = 0; step < 200; step++) {
            size_t at = random_below(&random, count + 1), what = random_below(&random, 3);
            if (what == 0 || at == count) {
                memmove(model + at + 1, model + at, (count++ - at) * sizeof *model);
                list_insert(list, at, value_int(model[at] = step));
            } else if (what == 1) {
                list_set(list, at, value_int(model[at] = step));
            } else {
                memmove(model + at, model + at + 1, (--count - at) * sizeof *model);
                list_remove(list, at);
            }
        }
        assert_seeded(seed, value_len(list) == count);
        for (size_t i = 0; i < count; i++)
            assert_seeded(seed, value_as_int(list_at(list, i)) == model[i]);
        AUTO_VALUE struct value *copy = value_copy(list);
        assert_seeded(seed, value_identical(copy, list));
    }
}

static void test_copy_is_apart(void **state)
{
    (void)state;
    AUTO_VALUE struct value *list = parsed("[1,[2]]");
    AUTO_VALUE struct value *copy = value_copy(list);
    assert_ptr_equal(list_at(copy, 1), list_at(list, 1));
    list_push(copy, value_int(3));
    list_set(copy, 0, value_null());
    assert_prints(list, "[1,[2]]");
    assert_prints(copy, "[null,[2],3]");
}

static void test_reading(void **state)
{
    (void)state;
    AUTO_VALUE struct value *list = parsed("[1]");
    AUTO_VALUE struct value *map = parsed("{\"0\":1}");
    assert_int_equal(value_as_int(list_at(list, 0)), 1);
    assert_null(list_at(list, 1));
    assert_null(list_at(list, SIZE_MAX));
    assert_null(list_at(map, 0));
    assert_null(list_at(value_null(), 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edit),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_copy_is_apart),
        cmocka_unit_test(test_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
