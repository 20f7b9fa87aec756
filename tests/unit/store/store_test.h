/* What tests of the store share: values from JSON text, writes in one call, a store with one space. */
#ifndef ZPROC_TEST_STORE_H
#define ZPROC_TEST_STORE_H

#include "../unit.h"
#include "store_priv.h"

struct fixture {
    struct store *store;
    struct space *space;
};

static inline struct fixture fixture_limited(int64_t log, int64_t state)
{
    struct store *store = store_new(&(struct store_limits){log, state});
    return (struct fixture){store, store_space(store, STR("default"), NULL)};
}

static inline struct fixture fixture_new(void)
{
    return fixture_limited(64 << 20, 1 << 30);
}

static inline struct value *json(const char *text)
{
    struct err err = {0};
    struct value *value = value_parse(str_of(text), &err);
    if (!value)
        fail_msg("%s: %s", text, err.message);
    return value;
}

/* Ends the transaction; the new revision. */
static inline int64_t commit(struct txn *txn)
{
    struct err err = {0};
    const struct record *record = txn_commit(txn, 1, STR("me"), &err);
    if (!record)
        fail_msg("%s", err.message);
    return record_revision(record);
}

static inline int64_t set(struct space *space, const char *key, const char *text)
{
    AUTO_VALUE struct value *value = json(text);
    struct txn *txn = txn_begin(space);
    assert_true(write_set(txn, str_of(key), STR(""), value, NULL));
    return commit(txn);
}

static inline int64_t del(struct space *space, const char *key)
{
    struct txn *txn = txn_begin(space);
    assert_true(write_delete(txn, str_of(key), STR(""), NULL));
    return commit(txn);
}

static inline void value_is(const struct value *value, const char *text, const char *file, int line)
{
    AUTO_BUF struct buf buf = {0};
    if (value)
        value_print(&buf, value);
    else
        buf_add_text(&buf, "(nothing)");
    if (str_is(buf_str(&buf), text))
        return;
    print_error("%s is not %s\n", buf.data, text);
    _fail(file, line);
}

static inline void space_is(const struct space *space, int64_t at, const char *text, const char *file,
                            int line)
{
    AUTO_VALUE struct value *map = space_map(space, at);
    value_is(map, text, file, line);
    assert_int_equal(space_len(space, at), value_len(map));
}

/* Prints and compares: the value, or the space as of a revision. */
#define assert_json(value, text)      value_is(value, text, __FILE__, __LINE__)
#define assert_space(space, at, text) space_is(space, at, text, __FILE__, __LINE__)

static inline struct store_figures figures(const struct store *store)
{
    struct store_figures figures;
    store_measure(store, &figures);
    return figures;
}

/* ---- Watching ---- */

/* A watch and what it got. */
struct watcher {
    struct wait *wait;
    struct watch_event event;
    bool woken, closed;
    int order; /* of those woken */
    int64_t missed;
    char key[64];
};
extern int wake_count;

static inline void watcher_note(struct watcher *watcher, const struct watch_event *event)
{
    watcher->event = *event;
    snprintf(watcher->key, sizeof watcher->key, "%.*s", (int)event->key.len,
             event->key.data ? event->key.data : "");
}

static inline void watcher_found(void *ctx, const struct watch_event *event)
{
    struct watcher *watcher = ctx;
    watcher->wait = NULL;
    watcher->closed = !event;
    if (!event)
        return;
    watcher->woken = true;
    watcher->order = ++wake_count;
    watcher_note(watcher, event);
}

/* operand: keys as a JSON list, a key, KEY=JSON, or an expression, as the kind demands. */
static inline struct condition condition_of(const char *kind, const char *operand)
{
    struct condition condition = {.kind = condition_kind_from_name(str_of(kind))};
    assert_int_not_equal(condition.kind, CONDITION_KIND_COUNT);
    struct err err = {0};
    size_t key_len = strcspn(operand, "=");
    switch (condition_operand(condition.kind)) {
    case OPERAND_KEYS:
        condition.keys = json(operand);
        break;
    case OPERAND_VALUE:
        condition.value = json(operand + key_len + (operand[key_len] == '='));
        condition.key_len = key_len;
        condition.key = mem_copy(operand, condition.key_len);
        break;
    case OPERAND_PATTERN:
    case OPERAND_KEY:
        condition.key = mem_text(operand);
        condition.key_len = strlen(operand);
        break;
    case OPERAND_EXPR:
        condition.expr = expr_parse(str_of(operand), &err);
        if (!condition.expr)
            fail_msg("%s", err.message);
    }
    return condition;
}

static inline bool always(void *ctx)
{
    (void)ctx;
    return true;
}

/* What is in the log already is found before it returns. */
static inline enum watch_result watch_with(struct watcher *watcher, struct space *space,
                                           struct condition condition, struct watch_start start)
{
    *watcher = (struct watcher){0};
    if (start.session)
        assert_true(session_enter(start.session, space, NULL));
    struct watch_event event;
    enum watch_result result = watch_begin(space, &condition, &start, watcher_found, watcher, &event,
                                           &watcher->missed, &watcher->wait);
    if (result == WATCH_FOUND)
        watcher_note(watcher, &event);
    if (result == WATCH_WAITS && !store_scan(space->store, always, NULL) && watcher->woken) {
        watcher->woken = false;
        return WATCH_FOUND;
    }
    return result;
}

static inline enum watch_result watch(struct watcher *watcher, struct space *space, const char *kind,
                                      const char *operand, struct watch_start start)
{
    return watch_with(watcher, space, condition_of(kind, operand), start);
}

static inline void ack(struct session *session, struct space *space, int64_t revision)
{
    assert_true(session_ack(session, space, revision, NULL));
}

#endif
