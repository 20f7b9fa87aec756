/* Hash tables against a naive model: an array with a place for every key. */
#include "../unit.h"

#define KEYS 400

/* What the table should hold. */
struct model {
    char keys[KEYS][8];
    int values[KEYS][2]; /* what is put: one of the two */
    void *put[KEYS];     /* NULL: not there */
    size_t count;
};

static void model_init(struct model *model)
{
    *model = (struct model){0};
    for (size_t i = 0; i < KEYS; i++)
        snprintf(model->keys[i], sizeof model->keys[i], "k%zu", i);
}

static void table_check(uint64_t seed, const struct table *table, const struct model *model)
{
    assert_seeded(seed, table->count == model->count);
    for (size_t i = 0; i < KEYS; i++)
        assert_seeded(seed, table_get(table, str_of(model->keys[i])) == model->put[i]);
    size_t pos = 0, visited = 0;
    while (table_next(table, &pos))
        visited++;
    assert_seeded(seed, visited == model->count);
}

static void random_step(uint64_t seed, uint64_t *random, struct table *table, struct model *model,
                        size_t keys)
{
    size_t i = random_below(random, keys);
    struct str key = str_of(model->keys[i]);
    bool was_there = model->put[i];
    if (random_below(random, 2)) {
        void *value = &model->values[i][random_below(random, 2)];
        assert_seeded(seed, table_put(table, key, value) == model->put[i]);
        model->put[i] = value;
        model->count += !was_there;
    } else {
        assert_seeded(seed, table_remove(table, key) == model->put[i]);
        model->put[i] = NULL;
        model->count -= was_there;
    }
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        uint64_t random = seed;
        struct table table = {0};
        struct model model;
        model_init(&model);
        size_t keys = 1 + random_below(&random, KEYS);
        for (int round = 0; round < 10; round++) {
            for (int step = 0; step < 300; step++)
                random_step(seed, &random, &table, &model, keys);
            table_check(seed, &table, &model);
        }
        table_release(&table);
        assert_null(table.slots);
    }
}

/* Keys that come and go must not fill the table with deleted slots. */
static void test_churn_does_not_grow(void **state)
{
    (void)state;
    struct table table = {0};
    char keys[6][16];
    for (int i = 0; i < 100000; i++) {
        char *key = keys[i % 6];
        if (i >= 6)
            assert_ptr_equal(table_remove(&table, str_of(key)), key);
        snprintf(key, sizeof keys[0], "key %d", i);
        assert_null(table_put(&table, str_of(key), key));
    }
    assert_int_equal(table.count, 6);
    assert_true(table.capacity <= 64);
    table_release(&table);
}

static void test_empty(void **state)
{
    (void)state;
    struct table table = {0};
    size_t pos = 0;
    assert_null(table_get(&table, STR("a")));
    assert_null(table_remove(&table, STR("a")));
    assert_null(table_next(&table, &pos));
    table_release(&table);
}

static void test_odd_keys(void **state)
{
    (void)state;
    struct table table = {0};
    int a, b, c;
    assert_null(table_put(&table, (struct str){NULL, 0}, &a));
    assert_null(table_put(&table, STR("x\0y"), &b));
    assert_null(table_put(&table, STR("x\0z"), &c));
    assert_ptr_equal(table_get(&table, STR("")), &a);
    assert_ptr_equal(table_get(&table, STR("x\0y")), &b);
    assert_null(table_get(&table, STR("x")));
    assert_ptr_equal(table_remove(&table, STR("")), &a);
    assert_null(table_remove(&table, STR("")));
    assert_ptr_equal(table_get(&table, STR("x\0z")), &c);
    table_release(&table);
}

/* The key is replaced with the value, as the old one's bytes may go. */
static void test_put_replaces_key(void **state)
{
    (void)state;
    struct table table = {0};
    char first[] = "key", second[] = "key";
    int a, b;
    table_put(&table, str_of(first), &a);
    assert_ptr_equal(table_put(&table, str_of(second), &b), &a);
    first[0] = '?';
    assert_ptr_equal(table_get(&table, STR("key")), &b);
    table_release(&table);
}

static void test_remove_while_visiting(void **state)
{
    (void)state;
    struct table table = {0};
    struct model model;
    model_init(&model);
    for (size_t i = 0; i < KEYS; i++)
        table_put(&table, str_of(model.keys[i]), model.keys[i]);
    size_t pos = 0, visited = 0;
    for (const char *key; (key = table_next(&table, &pos)); visited++)
        assert_ptr_equal(table_remove(&table, str_of(key)), key);
    assert_int_equal(visited, KEYS);
    assert_int_equal(table.count, 0);
    table_release(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_churn_does_not_grow),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_odd_keys),
        cmocka_unit_test(test_put_replaces_key),
        cmocka_unit_test(test_remove_while_visiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
