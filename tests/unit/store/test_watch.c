/* Watches: every kind of condition, first checks, parking and waking. */
#include "store_test.h"

int wake_count;

#define LIVE                                                                                                 \
    (struct watch_start)                                                                                     \
    {                                                                                                        \
        .live = true                                                                                         \
    }

/* The key "k" goes from one value to another (NULL: absent): does a watch begin at once, does it wake? */
static const struct row {
    const char *kind, *operand, *before, *after;
    bool first, wakes, edge_wakes;
} rows[] = {
    {"change", "[\"k\"]", "1", "2", false, true, true},
    {"change", "[\"k\"]", NULL, "2", false, true, true},
    {"change", "[\"k\"]", "1", NULL, false, true, true},
    {"change", "[\"k\"]", "1", "1", false, false, false},
    {"change", "[\"k\"]", "1", "1.0", false, false, false},
    {"change", "[\"q\",\"k\"]", "1", "2", false, true, true},
    {"change", "[\"q\"]", "1", "2", false, false, false},
    {"change", "[]", "1", "2", false, true, true},
    {"change", "[]", "1", "1", false, false, false},
    {"exclude", "[\"q\"]", "1", "2", false, true, true},
    {"exclude", "[\"q\",\"k\"]", "1", "2", false, false, false},
    {"prefix", "k", "1", "2", false, true, true},
    {"prefix", "kk", "1", "2", false, false, false},
    {"glob", "[j-l]", NULL, "2", false, true, true},
    {"glob", "*", "1", NULL, false, true, true},
    {"glob", "k?", "1", "2", false, false, false},
    {"when", "k == 2", "1", "2", false, true, true},
    {"when", "k == 2", NULL, "2", false, true, true},
    {"when", "k >= 2", "2", "3", true, true, false},
    {"when", "k == 2", "2", "3", true, false, false},
    {"when", "k == 2", "2", NULL, true, false, false},
    {"when", "k > 'x'", "1", "2", false, false, false},
    {"when", "old.k < k", "1", "2", false, true, true},
    {"when", "old.k < k", "2", "1", false, false, false},
    {"when", "'k' in changed", "1", "2", false, true, true},
    {"when", "'q' in changed", "1", "2", false, false, false},
    {"when", "size(state) == 0", "1", NULL, false, true, true},
    {"when", "k", "1", "true", false, true, true},
    {"when", "k", "1", "2", false, false, false},
    {"equal", "k=2", "1", "2", false, true, true},
    {"equal", "k=2", "1", "2.0", false, true, true},
    {"equal", "k=2", "2", "3", true, false, false},
    {"equal", "k=2", "2", NULL, true, false, false},
    {"equal", "q=2", "1", "2", false, false, false},
    {"equal", "k={\"a\":1,\"b\":2}", "0", "{\"b\":2,\"a\":1}", false, true, true},
    {"not_equal", "k=2", "2", "1", false, true, true},
    {"not_equal", "k=2", "1", "3", true, true, false},
    {"not_equal", "k=2", NULL, "3", false, true, true},
    {"not_equal", "k=2", "2", NULL, false, false, false},
    {"not_equal", "k=2", "1", "2", true, false, false},
    {"none", "k", "1", "null", false, true, true},
    {"none", "k", "null", "1", true, false, false},
    {"none", "k", "1", NULL, false, false, false},
    {"none", "k", "0", "0.0", false, false, false},
    {"not_none", "k", "null", "0", false, true, true},
    {"not_none", "k", "1", "2", true, true, false},
    {"not_none", "k", "1", NULL, true, false, false},
    {"not_none", "k", "1", "null", true, false, false},
    {"available", "k", NULL, "null", false, true, true},
    {"available", "k", "1", "2", true, false, false},
    {"available", "k", "1", NULL, true, false, false},
    {"truthy", "k", "0", "1", false, true, true},
    {"truthy", "k", "\"\"", "\"0\"", false, true, true},
    {"truthy", "k", "[1]", "[]", true, false, false},
    {"truthy", "k", "1", "2", true, true, false},
    {"truthy", "k", "1", NULL, true, false, false},
    {"falsy", "k", "1", "0", false, true, true},
    {"falsy", "k", "1", "0.0", false, true, true},
    {"falsy", "k", "1", "\"\"", false, true, true},
    {"falsy", "k", "1", "[]", false, true, true},
    {"falsy", "k", "1", "{}", false, true, true},
    {"falsy", "k", "1", "null", false, true, true},
    {"falsy", "k", "1", "false", false, true, true},
    {"falsy", "k", "1", NULL, false, false, false},
    {"falsy", "k", "0", "null", true, true, false},
};

static void row_fail(const struct row *row, const char *what)
{
    fail_msg("%s %s, from %s to %s: %s", row->kind, row->operand, row->before, row->after, what);
}

static void row_change(const struct row *row, struct space *space)
{
    if (row->after)
        set(space, "k", row->after);
    else
        del(space, "k");
}

static void row_check(const struct row *row, bool edge)
{
    struct fixture f = fixture_new();
    set(f.space, "other", "0");
    if (row->before)
        set(f.space, "k", row->before);
    else
        del(f.space, "other");
    if (strcmp(row->operand, "size(state) == 0") == 0)
        del(f.space, "other");
    struct condition condition = condition_of(row->kind, row->operand);
    condition.edge = edge;
    struct watcher watcher;
    if ((watch_with(&watcher, f.space, condition, LIVE) == WATCH_FOUND) != row->first)
        row_fail(row, "first check");
    if (row->first) { /* and once more without it */
        assert_null(watcher.event.record);
        assert_int_equal(watcher.event.revision, store_revision(f.store));
        condition = condition_of(row->kind, row->operand);
        condition.edge = edge;
        struct watch_start next = {.live = true, .next = true};
        assert_int_equal(watch_with(&watcher, f.space, condition, next), WATCH_WAITS);
    }
    row_change(row, f.space);
    if (watcher.woken != (edge ? row->edge_wakes : row->wakes))
        row_fail(row, edge ? "waking on an edge" : "waking");
    if (watcher.woken) {
        assert_int_equal(watcher.event.revision, store_revision(f.store));
        assert_string_equal(watcher.key, "k");
    } else {
        wait_cancel(watcher.wait);
    }
    assert_int_equal(figures(f.store).waits, 0);
    /* From the log it is the same. */
    condition = condition_of(row->kind, row->operand);
    condition.edge = edge;
    struct watch_start after = {.has_after = true, .after = store_revision(f.store) - 1, .next = true};
    bool found = watch_with(&watcher, f.space, condition, after) == WATCH_FOUND;
    if (found != (edge ? row->edge_wakes : row->wakes))
        row_fail(row, "from the log");
    if (!found)
        wait_cancel(watcher.wait);
    store_free(f.store);
}

static void each_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        row_check(&rows[i], false);
        row_check(&rows[i], true);
    }
}

static void duplicates(void **state)
{
    (void)state;
    static const char *const kinds[][2] = {{"change", "[\"k\"]"}, {"change", "[]"}, {"exclude", "[\"q\"]"},
                                           {"when", "k == 1"},    {"equal", "k=1"}, {"not_none", "k"},
                                           {"truthy", "k"},       {"none", "null"}, {"falsy", "null"},
                                           {"not_equal", "k=2"}};
    for (size_t i = 0; i < LENGTH_OF(kinds); i++) {
        struct fixture f = fixture_new();
        set(f.space, "k", "1");
        set(f.space, "null", "null");
        struct watcher watcher;
        struct condition condition = condition_of(kinds[i][0], kinds[i][1]);
        condition.duplicates = true;
        struct watch_start start = {.live = true, .next = true};
        assert_int_equal(watch_with(&watcher, f.space, condition, start), WATCH_WAITS);
        set(f.space, "k", "1");
        set(f.space, "null", "null");
        assert_true(watcher.woken);
        store_free(f.store);
    }
}

/* A write that changes several keys wakes a watch on several of them once. */
static void several_keys(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    struct watcher both, one, any, none;
    watch(&both, f.space, "change", "[\"a\",\"b\",\"a\"]", LIVE);
    watch(&one, f.space, "when", "a + b == 3", LIVE);
    watch(&any, f.space, "change", "[]", LIVE);
    watch(&none, f.space, "change", "[\"c\"]", LIVE);
    assert_int_equal(figures(f.store).waits, 4);
    AUTO_VALUE struct value *map = json("{\"b\":1,\"a\":2}");
    struct txn *txn = txn_begin(f.space);
    assert_true(write_update(txn, map, NULL));
    wake_count = 0;
    commit(txn);
    assert_int_equal(wake_count, 3);
    assert_int_equal(both.order, 1);
    assert_int_equal(one.order, 2);
    assert_int_equal(any.order, 3);
    assert_int_equal(figures(f.store).waits, 1);
    assert_string_equal(both.key, "b");
    wait_cancel(none.wait);
    assert_int_equal(figures(f.store).keys, 2);
    store_free(f.store);
}

static void order_of_arrival(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    struct watcher watchers[100];
    static const char *const kinds[][2] = {{"change", "[\"a\"]"},
                                           {"change", "[]"},
                                           {"when", "a == 1"},
                                           {"available", "a"},
                                           {"exclude", "[\"z\"]"}};
    for (size_t i = 0; i < LENGTH_OF(watchers); i++)
        watch(&watchers[i], f.space, kinds[i % LENGTH_OF(kinds)][0], kinds[i % LENGTH_OF(kinds)][1], LIVE);
    for (size_t i = 10; i < 100; i += 10)
        wait_cancel(watchers[i].wait);
    wake_count = 0;
    set(f.space, "a", "1");
    int expected = 0;
    for (size_t i = 0; i < LENGTH_OF(watchers); i++)
        if (i == 0 || i % 10 != 0)
            assert_int_equal(watchers[i].order, ++expected);
    assert_int_equal(wake_count, expected);
    store_free(f.store);
}

/* Other namespaces, failed writes and writes of nothing wake nobody. */
static void wakes_nobody(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    struct space *other = store_space(f.store, STR("other"), NULL);
    struct watcher watcher;
    watch(&watcher, f.space, "change", "[]", LIVE);
    set(other, "a", "1");
    struct txn *txn = txn_begin(f.space);
    AUTO_VALUE struct value *map = json("{\"a\":1,\"\":2}");
    assert_false(write_update(txn, map, NULL));
    txn_abort(txn);
    txn = txn_begin(f.space);
    write_clear(txn);
    commit(txn);
    assert_false(watcher.woken);
    wait_cancel(watcher.wait);
    store_free(f.store);
}

/* A wait keeps the key of its index although nothing is stored there, and the key is forgotten with it. */
static void waits_on_absent_keys(void **state)
{
    (void)state;
    struct fixture f = fixture_limited(2000, 1 << 20);
    struct watcher watcher;
    watch(&watcher, f.space, "available", "later", LIVE);
    for (int i = 0; i < 100; i++)
        set(f.space, "a", i % 2 ? "1" : "2");
    assert_false(watcher.woken);
    assert_space(f.space, NOW, "{\"a\":1}");
    set(f.space, "later", "1");
    assert_true(watcher.woken);
    watch(&watcher, f.space, "change", "[\"later\"]", LIVE);
    del(f.space, "later");
    assert_true(watcher.woken);
    watch(&watcher, f.space, "available", "later", LIVE);
    for (int i = 0; i < 100; i++) /* its deletion falls off the log */
        set(f.space, "a", i % 2 ? "1" : "2");
    set(f.space, "later", "2");
    assert_true(watcher.woken);
    store_free(f.store);
}

static void after_a_revision(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    set(f.space, "a", "1");
    set(f.space, "b", "2");
    set(f.space, "a", "3");
    struct watcher watcher;
    for (int64_t after = 0; after < 3; after++) {
        struct watch_start start = {.has_after = true, .after = after};
        assert_int_equal(watch(&watcher, f.space, "change", "[\"a\"]", start), WATCH_FOUND);
        assert_int_equal(watcher.event.revision, after == 0 ? 1 : 3);
        assert_int_equal(record_revision(watcher.event.record), watcher.event.revision);
    }
    struct watch_start start = {.has_after = true, .after = 1};
    assert_int_equal(watch(&watcher, f.space, "equal", "a=1", start), WATCH_FOUND); /* as it was then */
    assert_int_equal(watcher.event.revision, 1);
    assert_null(watcher.event.record);
    store_free(f.store);
}

static void lost(void **state)
{
    (void)state;
    struct fixture f = fixture_limited(2000, 1 << 20);
    for (int i = 0; i < 100; i++)
        set(f.space, "a", i % 2 ? "1" : "2");
    int64_t oldest = figures(f.store).oldest;
    struct watcher watcher;
    struct watch_start start = {.has_after = true, .after = oldest - 3};
    assert_int_equal(watch(&watcher, f.space, "change", "[]", start), WATCH_LOST);
    assert_int_equal(watcher.missed, 2);
    start.after = oldest - 1;
    assert_int_equal(watch(&watcher, f.space, "change", "[]", start), WATCH_FOUND);
    assert_int_equal(watcher.event.revision, oldest);
    store_free(f.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind),        cmocka_unit_test(duplicates),
        cmocka_unit_test(several_keys),     cmocka_unit_test(order_of_arrival),
        cmocka_unit_test(wakes_nobody),     cmocka_unit_test(waits_on_absent_keys),
        cmocka_unit_test(after_a_revision), cmocka_unit_test(lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
