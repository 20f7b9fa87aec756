/* The log: what falls off it, and what is left of it. */
#include "store_test.h"

int wake_count;

static void falls_off(void **state)
{
    (void)state;
    struct fixture f = fixture_limited(4000, 1 << 20);
    set(f.space, "quiet", "\"stays\"");
    set(f.space, "gone", "1");
    del(f.space, "gone");
    for (int i = 0; i < 200; i++) {
        AUTO_FREE char *text = mem_format("%d", i);
        set(f.space, "a", text);
    }
    struct store_figures now = figures(f.store);
    assert_int_equal(now.revision, 203);
    assert_true(now.log_bytes <= 4000 && now.log_bytes > 2000);
    assert_true(now.oldest > 100);
    struct err err = {0};
    assert_true(space_covers(f.space, now.oldest - 1, &err));
    assert_false(space_covers(f.space, now.oldest - 2, &err));
    assert_int_equal(err.code, ERR_LOST);
    assert_null(store_record(f.store, now.oldest - 1));
    assert_non_null(store_record(f.store, now.oldest));
    assert_null(store_record(f.store, 204));
    AUTO_FREE char *before = mem_format("{\"quiet\":\"stays\",\"a\":%d}", (int)now.oldest - 1 - 4);
    assert_space(f.space, now.oldest - 1, before);
    assert_space(f.space, NOW, "{\"quiet\":\"stays\",\"a\":199}");
    assert_int_equal(now.keys, 2);
    store_free(f.store);
}

/* A space whose records all fell off keeps its values. */
static void other_spaces(void **state)
{
    (void)state;
    struct fixture f = fixture_limited(4000, 1 << 20);
    struct space *other = store_space(f.store, STR("other"), NULL);
    set(other, "a", "1");
    set(other, "b", "2");
    for (int i = 0; i < 200; i++)
        set(f.space, "a", i % 2 ? "1" : "2");
    assert_space(other, NOW, "{\"a\":1,\"b\":2}");
    assert_space(other, 2, "{\"a\":1,\"b\":2}");
    assert_true(space_covers(other, 2, NULL));
    assert_false(space_covers(other, 1, NULL));
    set(other, "b", "3");
    assert_space(other, 202, "{\"a\":1,\"b\":2}");
    store_free(f.store);
}

/* A record that is larger than the log is kept alone: its watchers read it. */
static void larger_than_the_log(void **state)
{
    (void)state;
    struct fixture f = fixture_limited(1, 1 << 20);
    set(f.space, "a", "1");
    set(f.space, "a", "2");
    assert_null(store_record(f.store, 1));
    assert_non_null(store_record(f.store, 2));
    AUTO_VALUE struct value *event = record_event(store_record(f.store, 2));
    assert_json(event, "{\"rev\":2,\"ns\":\"default\",\"time\":1,\"by\":\"me\",\"changes\":[{\"key\":\"a\","
                       "\"old\":1,\"value\":2}],\"identical\":false}");
    store_free(f.store);
}

/* Deleted keys leave nothing behind: the log's size stays where it is, however many keys come and go. */
static void keys_come_and_go(void **state)
{
    (void)state;
    struct fixture f = fixture_limited(8000, 1 << 20);
    for (int i = 0; i < 5000; i++) {
        AUTO_FREE char *key = mem_format("key%d", i);
        set(f.space, key, "1");
        del(f.space, key);
    }
    assert_int_equal(figures(f.store).keys, 0);
    assert_int_equal(figures(f.store).state_bytes, 0);
    assert_true(figures(f.store).log_bytes <= 8000);
    assert_space(f.space, NOW, "{}");
    store_free(f.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(falls_off),
        cmocka_unit_test(other_spaces),
        cmocka_unit_test(larger_than_the_log),
        cmocka_unit_test(keys_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
