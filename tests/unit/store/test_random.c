/* Random operations against a naive model: a full snapshot of every revision, and every watch answered by
 * looking through all of them. */
#include "store_test.h"

#include <stdlib.h>

int wake_count;

#define KEYS     6
#define OPS      3000
#define WATCHERS 12

/* What the model knows of a revision: the whole map afterwards, in order, as text and as a value. */
struct model {
    uint64_t random;
    struct fixture f;
    struct value *states[OPS + 1];
    struct session *session;
    int64_t cursor;
    struct pending_watch {
        struct watcher watcher;
        int kind;
        char key[8];
        struct value *operand;
        int64_t since;
        bool parked;
    } watches[WATCHERS];
};

static const char *const values[] = {"null",  "0",  "1",   "1.0", "2",    "\"\"",
                                     "\"x\"", "[]", "[1]", "{}",  "true", "false"};

static void random_key(struct model *m, char key[8])
{
    snprintf(key, 8, "k%zu", random_below(&m->random, KEYS));
}

static struct value *random_value(struct model *m)
{
    return json(values[random_below(&m->random, LENGTH_OF(values))]);
}

static struct value *random_map(struct model *m)
{
    struct value *map = value_map();
    for (size_t i = random_below(&m->random, KEYS); i > 0; i--) {
        char key[8];
        random_key(m, key);
        map_set(map, str_of(key), random_value(m));
    }
    return map;
}

static void map_move(struct value *to, const struct value *from)
{
    struct str key;
    const struct value *item;
    for (size_t i = 0; (item = map_at(from, i, &key)); i++)
        map_set(to, key, value_ref(item));
}

/* One random write in the store and in the model; false when both refuse it. */
static bool step_write(struct model *m, struct txn *txn, struct value *model)
{
    char text[8];
    random_key(m, text);
    struct str key = str_of(text), last = {0};
    AUTO_VALUE struct value *value = random_value(m), *map = random_map(m), *answer = NULL;
    size_t len = value_len(model);
    switch (random_below(&m->random, 12)) {
    case 0:
        write_clear(txn);
        while (map_at(model, 0, &key))
            map_remove(model, key);
        return true;
    case 1:
        while (map_at(model, 0, &last))
            map_remove(model, last);
        map_move(model, map);
        return write_replace(txn, map, NULL);
    case 2:
        map_move(model, map);
        return write_update(txn, map, NULL);
    case 3:
        answer = write_popitem(txn, NULL);
        assert_int_equal(answer != NULL, len > 0);
        if (len == 0)
            return false;
        map_at(model, len - 1, &last);
        assert_true(str_equal(value_as_str(list_at(answer, 0)), last));
        return map_remove(model, last);
    case 4:
    case 5: {
        bool gone = write_delete(txn, key, STR(""), NULL);
        assert_int_equal(gone, map_get(model, key) != NULL);
        return map_remove(model, key);
    }
    case 6:
        answer = write_setdefault(txn, key, STR(""), value, NULL);
        if (!map_get(model, key))
            map_set(model, key, value_ref(value));
        assert_true(value_same_text(answer, map_get(model, key)));
        return true;
    default:
        map_set(model, key, value_ref(value));
        return write_set(txn, key, STR(""), value, NULL);
    }
}

static void state_compare(struct model *m, int64_t at)
{
    AUTO_VALUE struct value *now = space_map(m->f.space, at);
    const struct value *expected = m->states[at];
    if (!value_same_text(now, expected)) {
        AUTO_BUF struct buf a = {0}, b = {0};
        value_print(&a, now);
        value_print(&b, expected);
        fail_msg("as of %lld: %s, not %s", (long long)at, a.data, b.data);
    }
    assert_int_equal(space_len(m->f.space, at), value_len(expected));
}

/* ---- Watches ---- */

static const char *const kinds[] = {"change", "exclude",  "when",      "equal",  "not_equal",
                                    "none",   "not_none", "available", "truthy", "falsy"};

static bool identical(const struct value *a, const struct value *b)
{
    return (!a && !b) || (a && b && value_identical(a, b));
}

/* Some key other than `except` differs between the two states. */
static bool differs(const struct value *a, const struct value *b, struct str except)
{
    for (int i = 0; i < KEYS; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%d", i);
        if (!str_is(except, key) && !identical(map_get(a, str_of(key)), map_get(b, str_of(key))))
            return true;
    }
    return false;
}

/* The condition at a revision, from two full snapshots. */
static bool model_matches(const struct pending_watch *w, const struct value *before,
                          const struct value *after)
{
    const struct value *old = map_get(before, str_of(w->key)), *new = map_get(after, str_of(w->key));
    const char *kind = kinds[w->kind];
    if (strcmp(kind, "exclude") == 0)
        return differs(before, after, str_of(w->key));
    if (identical(old, new))
        return false;
    if (strcmp(kind, "change") == 0)
        return true;
    if (!new)
        return false;
    if (strcmp(kind, "when") == 0 || strcmp(kind, "equal") == 0)
        return value_identical(new, w->operand);
    if (strcmp(kind, "not_equal") == 0)
        return !value_identical(new, w->operand);
    if (strcmp(kind, "none") == 0)
        return value_type(new) == VALUE_NULL;
    if (strcmp(kind, "not_none") == 0)
        return value_type(new) != VALUE_NULL;
    if (strcmp(kind, "available") == 0)
        return !old;
    return value_truthy(new) == (strcmp(kind, "truthy") == 0);
}

static int64_t model_first(struct model *m, const struct pending_watch *w, int64_t behind)
{
    for (int64_t at = behind + 1; at <= store_revision(m->f.store); at++)
        if (model_matches(w, m->states[at - 1], m->states[at]))
            return at;
    return -1;
}

static struct condition watch_condition(const struct pending_watch *w)
{
    AUTO_BUF struct buf text = {0};
    if (w->kind < 2) {
        buf_add_format(&text, "[\"%s\"]", w->key);
    } else {
        buf_add_text(&text, w->key);
        if (w->kind == 2)
            buf_add_text(&text, " == ");
        else if (w->kind < 5)
            buf_add_char(&text, '=');
        if (w->kind < 5)
            value_print(&text, w->operand);
    }
    return condition_of(kinds[w->kind], text.data);
}

/* Begins a watch behind a random revision that the log still has, and compares what it finds. */
static void step_watch(struct model *m, struct pending_watch *w)
{
    int64_t newest = store_revision(m->f.store), oldest = figures(m->f.store).oldest;
    if (w->parked) {
        wait_cancel(w->watcher.wait);
        w->parked = false;
    }
    value_unref(w->operand);
    w->operand = random_value(m);
    random_key(m, w->key);
    w->kind = (int)random_below(&m->random, LENGTH_OF(kinds));
    int64_t low = oldest > 0 ? oldest - 1 : 0;
    w->since = low + (int64_t)random_below(&m->random, (size_t)(newest - low) + 1);
    if (random_below(&m->random, 2))
        w->since = newest;
    struct watch_start start = {.has_after = true, .after = w->since, .next = true};
    enum watch_result result = watch_with(&w->watcher, m->f.space, watch_condition(w), start);
    int64_t expected = model_first(m, w, w->since);
    if (result == WATCH_FOUND)
        assert_int_equal(w->watcher.event.revision, expected);
    else
        assert_int_equal(expected, -1);
    w->parked = result == WATCH_WAITS;
}

/* Parked watches were woken exactly by the revision that the model says. */
static void watches_compare(struct model *m, int64_t revision)
{
    for (int i = 0; i < WATCHERS; i++) {
        struct pending_watch *w = &m->watches[i];
        if (!w->parked)
            continue;
        bool matches = model_matches(w, m->states[revision - 1], m->states[revision]);
        if (matches != w->watcher.woken)
            fail_msg("%s %s at %lld: woken %d", kinds[w->kind], w->key, (long long)revision,
                     w->watcher.woken);
        if (matches)
            assert_int_equal(w->watcher.event.revision, revision);
        w->parked = !matches;
    }
}

/* The record's event says what the two snapshots say. */
static void event_compare(struct model *m, int64_t revision)
{
    const struct record *record = store_record(m->f.store, revision);
    AUTO_VALUE struct value *event = record_event(record), *state = value_map();
    map_move(state, m->states[revision - 1]);
    const struct value *changes = map_get(event, STR("changes")), *change;
    for (size_t i = 0; (change = list_at(changes, i)); i++) {
        struct str key = value_as_str(map_get(change, STR("key")));
        const struct value *old = map_get(change, STR("old")), *new = map_get(change, STR("value"));
        assert_true(identical(old, map_get(state, key)));
        assert_int_equal(new == NULL, map_get(change, STR("deleted")) != NULL);
        if (new)
            map_set(state, key, value_ref(new));
        else
            map_remove(state, key);
    }
    assert_true(value_identical(state, m->states[revision]));
    assert_int_equal(value_as_bool(map_get(event, STR("identical"))),
                     value_identical(m->states[revision - 1], m->states[revision]));
}

/* The session reads on: each matching revision once, in order. */
static void session_step(struct model *m)
{
    struct pending_watch any = {.kind = 1, .key = "none"};
    struct watcher watcher;
    struct condition condition = condition_of("exclude", "[\"none\"]");
    enum watch_result result =
        watch_with(&watcher, m->f.space, condition, (struct watch_start){.session = m->session});
    if (result == WATCH_LOST) {
        int64_t oldest = figures(m->f.store).oldest;
        assert_int_equal(watcher.missed, oldest - 1 - m->cursor);
        m->cursor = oldest - 1;
        return;
    }
    int64_t expected = model_first(m, &any, m->cursor);
    assert_int_equal(result == WATCH_FOUND ? watcher.event.revision : -1, expected);
    if (result == WATCH_WAITS) {
        wait_cancel(watcher.wait);
    } else if (random_below(&m->random, 3)) {
        ack(m->session, m->f.space, expected);
        m->cursor = expected;
    } else {
        session_idle(m->session, m->f.space);
    }
}

static void model_step(struct model *m)
{
    int64_t revision = store_revision(m->f.store);
    struct value *model = value_copy(m->states[revision]);
    struct txn *txn = txn_begin(m->f.space);
    if (step_write(m, txn, model)) {
        assert_int_equal(commit(txn), ++revision);
        m->states[revision] = model;
        watches_compare(m, revision);
        event_compare(m, revision);
        state_compare(m, revision);
    } else {
        txn_abort(txn);
        value_unref(model);
    }
    int64_t oldest = figures(m->f.store).oldest, low = oldest > 0 ? oldest - 1 : 0;
    state_compare(m, low + (int64_t)random_below(&m->random, (size_t)(revision - low) + 1));
    step_watch(m, &m->watches[random_below(&m->random, WATCHERS)]);
    if (random_below(&m->random, 3) == 0)
        session_step(m);
}

static void run(uint64_t seed, int64_t log_limit)
{
    struct model *m = mem_new(sizeof *m);
    print_message("seed %llu\n", (unsigned long long)seed);
    m->random = seed;
    m->f = fixture_limited(log_limit, 1 << 30);
    m->states[0] = value_map();
    m->session = session_open(m->f.store, STR("s"), 0, NULL);
    for (int i = 0; i < OPS && store_revision(m->f.store) < OPS; i++)
        model_step(m);
    for (int i = 0; i < WATCHERS; i++) {
        if (m->watches[i].parked)
            wait_cancel(m->watches[i].watcher.wait);
        value_unref(m->watches[i].operand);
    }
    for (int i = 0; i <= OPS; i++)
        value_unref(m->states[i]);
    store_free(m->f.store);
    free(m);
}

/* ZPROC_TEST_SEED repeats one. */
static void like_the_model(void **state)
{
    (void)state;
    const char *text = getenv("ZPROC_TEST_SEED");
    uint64_t first = text ? strtoull(text, NULL, 10) : 1;
    for (uint64_t seed = first; seed < first + (text ? 1 : 4); seed++) {
        run(seed, 64 << 20);
        run(seed, 20000);
        run(seed, 1500);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(like_the_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
