/* Maps: order of insertion, with and without an index, against a naive model. */
#include "value_test.h"

#define KEYS 120

/* Keys in order with their numbers. */
struct model {
    struct {
        size_t key;
        int64_t number;
    } entries[KEYS];
    size_t count;
};

static struct str key_name(size_t key, char room[32])
{
    return (struct str){room, (size_t)snprintf(room, 32, "%s%zu", key % 3 ? "key " : "", key)};
}

static size_t model_find(const struct model *model, size_t key)
{
    size_t at = 0;
    while (at < model->count && model->entries[at].key != key)
        at++;
    return at;
}

static void model_set(struct model *model, size_t key, int64_t number)
{
    size_t at = model_find(model, key);
    model->entries[at].key = key;
    model->entries[at].number = number;
    model->count += at == model->count;
}

static bool model_remove(struct model *model, size_t key)
{
    size_t at = model_find(model, key);
    if (at == model->count)
        return false;
    model->count--;
    memmove(&model->entries[at], &model->entries[at + 1], (model->count - at) * sizeof model->entries[0]);
    return true;
}

static void map_check(uint64_t seed, const struct value *map, const struct model *model)
{
    char room[32];
    struct str key;
    assert_seeded(seed, value_len(map) == model->count);
    for (size_t i = 0; i < model->count; i++) {
        struct str expected = key_name(model->entries[i].key, room);
        const struct value *item = map_at(map, i, &key);
        assert_seeded(seed, item && str_equal(key, expected));
        assert_seeded(seed, value_as_int(item) == model->entries[i].number);
        assert_seeded(seed, map_get(map, expected) == item);
    }
    assert_seeded(seed, !map_at(map, model->count, &key));
    for (size_t i = 0; i < KEYS; i++)
        if (model_find(model, i) == model->count)
            assert_seeded(seed, !map_get(map, key_name(i, room)));
}

static struct value *random_step(uint64_t seed, uint64_t *random, struct value *map, struct model *model,
                                 size_t keys)
{
    char room[32];
    size_t key = random_below(random, keys), what = random_below(random, 100);
    int64_t number = (int64_t)random_next(random);
    if (what < 55) {
        map_set(map, key_name(key, room), value_int(number));
        model_set(model, key, number);
    } else if (what < 98) {
        if (what < 60 && model->count > 0)
            key = model->entries[model->count - 1].key;
        assert_seeded(seed, map_remove(map, key_name(key, room)) == model_remove(model, key));
    } else {
        struct value *copy = value_copy(map);
        map_set(map, STR("only in the old one"), value_null());
        value_unref(map);
        return copy;
    }
    return map;
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        uint64_t random = seed;
        struct value *map = value_map();
        struct model model = {0};
        size_t keys = 1 + random_below(&random, KEYS);
        for (int round = 0; round < 10; round++) {
            for (int step = 0; step < 100; step++)
                map = random_step(seed, &random, map, &model, keys);
            map_check(seed, map, &model);
        }
        value_unref(map);
    }
}

static void test_set_keeps_place(void **state)
{
    (void)state;
    AUTO_VALUE struct value *map = parsed("{\"a\":1,\"b\":2,\"c\":3}");
    map_set(map, STR("b"), value_bool(true));
    map_set(map, STR("d"), value_null());
    assert_true(map_remove(map, STR("a")));
    assert_false(map_remove(map, STR("a")));
    map_set(map, STR("a"), value_int(4));
    assert_prints(map, "{\"b\":true,\"c\":3,\"d\":null,\"a\":4}");
}

static void test_keys_with_any_bytes(void **state)
{
    (void)state;
    AUTO_VALUE struct value *map = value_map();
    for (int i = 0; i < 20; i++)
        map_set(map, (struct str){"a\0b\0c\0d\0e\0f\0g\0h\0i\0j", (size_t)i}, value_int(i));
    assert_int_equal(value_as_int(map_get(map, STR(""))), 0);
    assert_int_equal(value_as_int(map_get(map, STR("a\0"))), 2);
    assert_int_equal(value_as_int(map_get(map, STR("a"))), 1);
    assert_null(map_get(map, STR("b")));
}

static void test_copy_is_apart(void **state)
{
    (void)state;
    for (int count = 0; count < 40; count += 13) {
        AUTO_VALUE struct value *map = value_map();
        for (int i = 0; i < count; i++) {
            AUTO_FREE char *key = mem_format("k%d", i);
            map_set(map, str_of(key), value_int(i));
        }
        AUTO_VALUE struct value *copy = value_copy(map);
        map_set(copy, STR("new"), value_int(1));
        map_set(copy, STR("k0"), value_null());
        assert_null(map_get(map, STR("new")));
        assert_int_equal(value_len(map), count);
        if (count > 0)
            assert_int_equal(value_type(map_get(map, STR("k0"))), VALUE_INT);
        map_remove(copy, STR("k1"));
        assert_int_equal(value_len(map), count);
    }
}

static void test_large(void **state)
{
    (void)state;
    AUTO_VALUE struct value *map = value_map();
    for (int i = 0; i < 100000; i++) {
        AUTO_FREE char *key = mem_format("%d", i);
        map_set(map, str_of(key), value_int(i));
    }
    for (int i = 0; i < 100000; i += 997) {
        AUTO_FREE char *key = mem_format("%d", i);
        assert_int_equal(value_as_int(map_get(map, str_of(key))), i);
    }
    assert_null(map_get(map, STR("100000")));
}

static void test_no_map(void **state)
{
    (void)state;
    AUTO_VALUE struct value *list = parsed("[1]");
    assert_null(map_get(list, STR("0")));
    assert_null(map_at(list, 0, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_set_keeps_place),
        cmocka_unit_test(test_keys_with_any_bytes),
        cmocka_unit_test(test_copy_is_apart),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_no_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
