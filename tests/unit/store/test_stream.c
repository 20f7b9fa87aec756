/* Streams and searches in slices: order, credit, pauses, losses, ends. */
#include "store_test.h"

int wake_count;

/* What a stream delivered. */
struct log {
    struct wait *wait;
    int64_t revisions[600], missed;
    size_t count;
    bool nothing, closed;
};

static void log_found(void *ctx, const struct watch_event *event)
{
    struct log *log = ctx;
    log->closed |= !event;
    if (!event)
        return;
    log->nothing |= event->nothing;
    log->missed += event->missed;
    if (!event->nothing && !event->missed)
        log->revisions[log->count++] = event->revision;
}

static void stream(struct log *log, struct space *space, const char *kind, const char *operand,
                   int64_t credit, struct watch_start start)
{
    struct condition condition = condition_of(kind, operand);
    condition.edge = true;
    *log = (struct log){0};
    log->wait = stream_begin(space, &condition, &start, credit, log_found, log);
}

static void search(struct fixture *f)
{
    assert_false(store_scan(f->store, always, NULL));
}

static void fill(struct fixture *f, int count)
{
    for (int i = 0; i < count; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        set(f->space, i % 2 ? "odd" : "even", text);
    }
}

static void credit_is_kept(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    struct log log;
    fill(&f, 500);
    stream(&log, f.space, "change", "[\"odd\"]", 3, (struct watch_start){.has_after = true});
    search(&f);
    assert_int_equal(log.count, 3);
    stream_credit(log.wait, 1000);
    assert_int_equal(log.count, 3); /* from store_scan only */
    search(&f);
    assert_int_equal(log.count, 250);
    fill(&f, 2); /* live */
    assert_int_equal(log.count, 251);
    for (size_t i = 0; i < log.count; i++)
        assert_int_equal(log.revisions[i], 2 * i + 2);
    wait_cancel(log.wait);
    store_free(f.store);
}

static void pauses(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    struct log log;
    stream(&log, f.space, "change", "[]", 10, (struct watch_start){.live = true});
    search(&f);
    stream_pause(log.wait, true);
    fill(&f, 3);
    stream_credit(log.wait, 10);
    search(&f);
    assert_int_equal(log.count, 0);
    stream_pause(log.wait, false);
    search(&f);
    assert_int_equal(log.count, 3);
    stream_pause(log.wait, true); /* what it had seen does not come again */
    stream_pause(log.wait, false);
    search(&f);
    assert_int_equal(log.count, 3);
    wait_cancel(log.wait);
    assert_int_equal(figures(f.store).waits, 0);
    store_free(f.store);
}

static bool never(void *ctx)
{
    (void)ctx;
    return false;
}

/* Who is woken while there is no room is called later, and nothing of it is left out. */
static void room(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    struct log log;
    struct watcher watcher;
    stream(&log, f.space, "change", "[]", 10, (struct watch_start){.live = true});
    search(&f);
    watch(&watcher, f.space, "equal", "even=0", (struct watch_start){.live = true});
    store_set_room(f.store, never, NULL);
    fill(&f, 3);
    assert_int_equal(log.count, 0);
    assert_false(watcher.woken);
    assert_true(store_scans(f.store));
    assert_true(store_scan(f.store, never, NULL));
    search(&f);
    assert_int_equal(log.count, 3);
    assert_true(watcher.woken);
    assert_int_equal(watcher.event.revision, 1);
    wait_cancel(log.wait);
    store_free(f.store);
}

static void losses(void **state)
{
    (void)state;
    struct fixture f = fixture_limited(4000, 1 << 20);
    struct session *session = session_open(f.store, STR("s"), 0, NULL);
    struct log log;
    assert_true(session_enter(session, f.space, NULL));
    stream(&log, f.space, "change", "[]", 2, (struct watch_start){.session = session});
    fill(&f, 500);
    int64_t oldest = figures(f.store).oldest;
    assert_true(oldest > 1);
    search(&f);
    assert_int_equal(log.missed, oldest - 1);
    assert_int_equal(log.count, 1);
    assert_int_equal(log.revisions[0], oldest);
    assert_int_equal(figures(f.store).oldest_cursor, oldest - 1);
    assert_ptr_equal(session_holder(session, f.space), &log);
    session_close(f.store, session);
    assert_true(log.closed);
    assert_int_equal(figures(f.store).waits, 0);
    store_free(f.store);
}

/* A search whose time is up goes through to the end. */
static void finishes(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    struct log log;
    fill(&f, 500);
    stream(&log, f.space, "when", "odd == 499 || even < 0", 10, (struct watch_start){.has_after = true});
    assert_false(wait_finish(log.wait));
    search(&f);
    assert_int_equal(log.count, 1);
    assert_true(log.nothing);
    wait_cancel(log.wait);
    stream(&log, f.space, "when", "odd < 0", 10, (struct watch_start){.live = true});
    search(&f);
    assert_true(wait_finish(log.wait));
    wait_cancel(log.wait);
    store_free(f.store);
}

/* More waits on one key than one commit calls: all are called, in order of arrival. */
static void many_on_one_key(void **state)
{
    (void)state;
    static struct watcher watchers[10000];
    struct fixture f = fixture_new();
    for (size_t i = 0; i < LENGTH_OF(watchers); i++)
        watch(&watchers[i], f.space, "truthy", "k", (struct watch_start){.live = true});
    wake_count = 0;
    set(f.space, "k", "1");
    assert_true(store_scans(f.store));
    set(f.space, "k", "0");
    search(&f);
    for (size_t i = 0; i < LENGTH_OF(watchers); i++) {
        assert_int_equal(watchers[i].order, i + 1);
        assert_int_equal(watchers[i].event.revision, 1);
    }
    store_free(f.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credit_is_kept), cmocka_unit_test(pauses),   cmocka_unit_test(room),
        cmocka_unit_test(losses),         cmocka_unit_test(finishes), cmocka_unit_test(many_on_one_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
