/* Sessions: cursors, acknowledgements, the first check of a loop, what is lost, what closing ends. */
#include "store_test.h"

int wake_count;

static struct session *session_new(struct fixture *f, const char *name)
{
    return session_open(f->store, str_of(name), store_revision(f->store), NULL);
}

static struct watch_start of(struct session *session)
{
    return (struct watch_start){.session = session};
}

static void names(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    struct err err = {0};
    assert_non_null(session_open(f.store, STR("s"), 0, &err));
    assert_null(session_open(f.store, STR("s"), 0, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_null(session_open(f.store, STR(""), 0, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_null(session_open(f.store, STR("a\nb"), 0, &err));
    assert_null(session_find(f.store, STR("other")));
    session_close(f.store, session_find(f.store, STR("s")));
    assert_null(session_find(f.store, STR("s")));
    assert_non_null(session_open(f.store, STR("s"), 0, &err));
    store_free(f.store);
}

static void limits(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    struct err err = {0};
    struct session *session = session_new(&f, "s");
    for (int i = 0; i < SESSION_SPACES_MAX; i++) {
        AUTO_FREE char *name = mem_format("%d", i);
        assert_true(session_enter(session, store_space(f.store, str_of(name), NULL), &err));
    }
    assert_true(session_enter(session, store_space(f.store, STR("0"), NULL), &err));
    assert_false(session_enter(session, f.space, &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    for (int i = 1; i < STORE_SESSIONS_MAX; i++) {
        AUTO_FREE char *name = mem_format("%d", i);
        assert_non_null(session_open(f.store, str_of(name), 0, &err));
    }
    assert_null(session_open(f.store, STR("x"), 0, &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    store_free(f.store);
}

/* From the cursor on every matching revision, one a call, until it is acknowledged. */
static void buffered(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    set(f.space, "a", "0");
    struct session *session = session_new(&f, "s");
    set(f.space, "a", "1");
    set(f.space, "b", "1");
    set(f.space, "a", "2");
    struct watcher watcher;
    for (int i = 0; i < 3; i++) { /* not acknowledged: again */
        assert_int_equal(watch(&watcher, f.space, "change", "[\"a\"]", of(session)), WATCH_FOUND);
        assert_int_equal(watcher.event.revision, 2);
        assert_ptr_equal(session_holder(session, f.space), &watcher);
        session_idle(session, f.space);
        assert_null(session_holder(session, f.space));
    }
    watch(&watcher, f.space, "change", "[\"a\"]", of(session));
    ack(session, f.space, 2);
    assert_null(session_holder(session, f.space));
    assert_int_equal(watch(&watcher, f.space, "change", "[\"a\"]", of(session)), WATCH_FOUND);
    assert_int_equal(watcher.event.revision, 4);
    ack(session, f.space, 4);
    assert_int_equal(watch(&watcher, f.space, "change", "[\"a\"]", of(session)), WATCH_WAITS);
    assert_ptr_equal(session_holder(session, f.space), &watcher);
    set(f.space, "a", "3");
    assert_true(watcher.woken);
    assert_ptr_equal(session_holder(session, f.space), &watcher);
    set(f.space, "a", "4"); /* while the event is on its way */
    ack(session, f.space, 5);
    assert_int_equal(watch(&watcher, f.space, "change", "[\"a\"]", of(session)), WATCH_FOUND);
    assert_int_equal(watcher.event.revision, 6);
    store_free(f.store);
}

static void never_back(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    struct session *session = session_new(&f, "s");
    for (int i = 0; i < 5; i++)
        set(f.space, "a", i % 2 ? "1" : "2");
    assert_true(session_enter(session, f.space, NULL));
    ack(session, f.space, 3);
    ack(session, f.space, 1);
    struct err err = {0};
    assert_false(session_ack(session, f.space, 6, &err));
    assert_int_equal(err.code, ERR_INVALID);
    struct watcher watcher;
    assert_int_equal(watch(&watcher, f.space, "change", "[]", of(session)), WATCH_FOUND);
    assert_int_equal(watcher.event.revision, 4);
    ack(session, f.space, 3); /* of an older one: this one stays unacknowledged */
    assert_non_null(session_holder(session, f.space));
    assert_int_equal(session_go_live(session, f.space), 5);
    ack(session, f.space, 4);
    assert_null(session_holder(session, f.space));
    assert_int_equal(watch(&watcher, f.space, "change", "[]", of(session)), WATCH_WAITS);
    wait_cancel(watcher.wait);
    store_free(f.store);
}

/* Cursors are a namespace's, and start where the session does. */
static void several_spaces(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    struct space *other = store_space(f.store, STR("other"), NULL);
    struct session *session = session_open(f.store, STR("s"), 0, NULL);
    set(f.space, "a", "1");
    set(other, "a", "2");
    struct watcher here, there;
    assert_int_equal(watch(&here, f.space, "change", "[]", of(session)), WATCH_FOUND);
    assert_int_equal(watch(&there, other, "change", "[]", of(session)), WATCH_FOUND);
    assert_int_equal(here.event.revision, 1);
    assert_int_equal(there.event.revision, 2);
    ack(session, other, 2);
    assert_null(session_holder(session, other));
    assert_non_null(session_holder(session, f.space));
    assert_int_equal(figures(f.store).oldest_cursor, 0);
    store_free(f.store);
}

/* `while zproc watch --when …` waits for the next match instead of spinning on a state that stays true. */
static void a_loop_does_not_spin(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    set(f.space, "n", "1");
    struct session *session = session_new(&f, "s");
    struct watcher watcher;
    for (int live = 0; live < 2; live++) {
        struct watch_start start = {.session = session, .live = live};
        struct condition condition = condition_of("when", live ? "n > 0 && true" : "n > 0");
        assert_int_equal(watch_with(&watcher, f.space, condition, start), WATCH_FOUND);
        assert_null(watcher.event.record);
        ack(session, f.space, watcher.event.revision);
        for (int i = 0; i < 3; i++) {
            condition = condition_of("when", live ? "n > 0 && true" : "n > 0");
            assert_int_equal(watch_with(&watcher, f.space, condition, start), WATCH_WAITS);
            set(f.space, "other", i % 2 ? "1" : "2");
            assert_false(watcher.woken);
            AUTO_FREE char *text = mem_format("%d", (int)store_revision(f.store));
            set(f.space, "n", text);
            assert_true(watcher.woken);
            ack(session, f.space, watcher.event.revision);
        }
        set(f.space, "other", "3");
        condition = condition_of("when", live ? "n > 0 && true" : "n > 0");
        assert_int_equal(watch_with(&watcher, f.space, condition, start), WATCH_WAITS);
        wait_cancel(watcher.wait);
    }
    store_free(f.store);
}

/* Another condition, and another session, have first checks of their own. */
static void first_checks_are_per_condition_and_session(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    set(f.space, "n", "1");
    struct session *session = session_new(&f, "s"), *other = session_new(&f, "t");
    struct watcher watcher;
    static const char *const expressions[] = {"n > 0", "n > -1", "n == 1"};
    for (size_t i = 0; i < LENGTH_OF(expressions); i++) {
        assert_int_equal(watch(&watcher, f.space, "when", expressions[i], of(session)), WATCH_FOUND);
        ack(session, f.space, watcher.event.revision);
    }
    assert_int_equal(watch(&watcher, f.space, "when", expressions[0], of(session)), WATCH_WAITS);
    wait_cancel(watcher.wait);
    assert_int_equal(watch(&watcher, f.space, "when", expressions[0], of(other)), WATCH_FOUND);
    /* One that was not acknowledged is made again. */
    session_idle(other, f.space);
    assert_int_equal(watch(&watcher, f.space, "when", expressions[0], of(other)), WATCH_FOUND);
    /* Many conditions: the first one is forgotten at last. */
    for (int i = 0; i < 100; i++) {
        set(f.space, "n", i % 2 ? "1" : "2");
        session_go_live(session, f.space);
        AUTO_FREE char *text = mem_format("n > -%d", i);
        assert_int_equal(watch(&watcher, f.space, "when", text, of(session)), WATCH_FOUND);
        ack(session, f.space, watcher.event.revision);
        assert_int_equal(watch(&watcher, f.space, "when", text, of(session)), WATCH_WAITS);
        wait_cancel(watcher.wait);
    }
    store_free(f.store);
}

/* The first check looks at what the session itself wrote; an own write that does not touch it is no reason.
 */
static void own_writes(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    struct session *session = session_new(&f, "s");
    assert_true(session_enter(session, f.space, NULL));
    session_wrote(session, f.space, set(f.space, "n", "1"));
    session_wrote(session, f.space, set(f.space, "n", "0"));
    struct watcher watcher;
    /* Not true where it stands now; but it was, at a revision behind the cursor. */
    assert_int_equal(watch(&watcher, f.space, "equal", "n=1", of(session)), WATCH_FOUND);
    assert_int_equal(watcher.event.revision, 1);
    assert_non_null(watcher.event.record);
    session_idle(session, f.space);
    session_wrote(session, f.space, set(f.space, "n", "1"));
    assert_int_equal(watch(&watcher, f.space, "equal", "n=1", of(session)), WATCH_FOUND);
    assert_int_equal(watcher.event.revision, 3);
    assert_null(watcher.event.record);
    ack(session, f.space, 3);
    session_wrote(session, f.space, set(f.space, "other", "1"));
    assert_int_equal(watch(&watcher, f.space, "equal", "n=1", of(session)), WATCH_WAITS);
    wait_cancel(watcher.wait);
    session_wrote(session, f.space, set(f.space, "n", "2"));
    session_wrote(session, f.space, set(f.space, "n", "1"));
    assert_int_equal(watch(&watcher, f.space, "equal", "n=1", of(session)), WATCH_FOUND);
    assert_int_equal(watcher.event.revision, 6);
    store_free(f.store);
}

/* With `edge` a loop gets each time that it turns true: the first check counts once. */
static void edges(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    set(f.space, "n", "1");
    struct session *session = session_new(&f, "s");
    static const char *const values[] = {"2", "0", "3", "4", "0", "0", "5"};
    for (size_t i = 0; i < LENGTH_OF(values); i++)
        set(f.space, "n", values[i]);
    static const int64_t expected[] = {1, 4, 8};
    struct watcher watcher;
    for (size_t i = 0; i <= LENGTH_OF(expected); i++) {
        struct condition condition = condition_of("truthy", "n");
        condition.edge = true;
        enum watch_result result = watch_with(&watcher, f.space, condition, of(session));
        assert_int_equal(result, i < LENGTH_OF(expected) ? WATCH_FOUND : WATCH_WAITS);
        if (result == WATCH_WAITS)
            wait_cancel(watcher.wait);
        else
            assert_int_equal(watcher.event.revision, expected[i]);
        if (result == WATCH_FOUND)
            ack(session, f.space, watcher.event.revision);
    }
    store_free(f.store);
}

static void lost_once(void **state)
{
    (void)state;
    struct fixture f = fixture_limited(2000, 1 << 20);
    struct session *session = session_new(&f, "s");
    for (int i = 0; i < 100; i++)
        set(f.space, "a", i % 2 ? "1" : "2");
    int64_t oldest = figures(f.store).oldest;
    struct watcher watcher;
    struct watch_start after = {.session = session, .has_after = true, .after = 1};
    assert_int_equal(watch(&watcher, f.space, "change", "[]", after), WATCH_LOST);
    assert_int_equal(watcher.missed, oldest - 2);
    assert_int_equal(watch(&watcher, f.space, "change", "[]", of(session)), WATCH_LOST);
    assert_int_equal(watcher.missed, oldest - 1);
    assert_null(session_holder(session, f.space));
    assert_int_equal(watch(&watcher, f.space, "change", "[]", of(session)), WATCH_FOUND);
    assert_int_equal(watcher.event.revision, oldest);
    store_free(f.store);
}

static void closing(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    struct space *other = store_space(f.store, STR("other"), NULL),
                 *third = store_space(f.store, STR("t"), NULL);
    struct session *session = session_new(&f, "s");
    set(other, "a", "1");
    struct watcher waits, delivered, done;
    assert_int_equal(watch(&waits, f.space, "change", "[]", of(session)), WATCH_WAITS);
    assert_int_equal(watch(&delivered, other, "change", "[]", of(session)), WATCH_FOUND);
    assert_int_equal(watch(&done, third, "change", "[]", of(session)), WATCH_WAITS);
    wait_cancel(done.wait);
    session_close(f.store, session);
    assert_true(waits.closed);
    assert_true(delivered.closed);
    assert_false(done.closed);
    assert_int_equal(figures(f.store).waits, 0);
    set(f.space, "a", "1");
    assert_false(waits.woken);
    store_free(f.store);
}

static void idle(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    struct session *lasting = session_open(f.store, STR("run"), 0, NULL);
    struct session *temporary = session_open(f.store, STR("shell"), 0, NULL);
    assert_int_equal(sessions_due(f.store), -1);
    session_expires(f.store, temporary, 1000);
    assert_true(session_is_temporary(temporary));
    assert_false(session_is_temporary(lasting));
    assert_int_equal(sessions_due(f.store), 1000 + SESSION_IDLE_MS);
    sessions_expire(f.store, 999 + SESSION_IDLE_MS);
    assert_ptr_equal(session_find(f.store, STR("shell")), temporary);
    /* Used in between: its hour began anew. */
    session_use(temporary, 2000);
    sessions_expire(f.store, 1000 + SESSION_IDLE_MS);
    assert_ptr_equal(session_find(f.store, STR("shell")), temporary);
    assert_int_equal(sessions_due(f.store), 2000 + SESSION_IDLE_MS);
    sessions_expire(f.store, 2000 + SESSION_IDLE_MS);
    assert_null(session_find(f.store, STR("shell")));
    assert_int_equal(sessions_due(f.store), -1);
    assert_ptr_equal(session_find(f.store, STR("run")), lasting);
    store_free(f.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle),
        cmocka_unit_test(names),
        cmocka_unit_test(limits),
        cmocka_unit_test(buffered),
        cmocka_unit_test(never_back),
        cmocka_unit_test(several_spaces),
        cmocka_unit_test(a_loop_does_not_spin),
        cmocka_unit_test(first_checks_are_per_condition_and_session),
        cmocka_unit_test(own_writes),
        cmocka_unit_test(edges),
        cmocka_unit_test(lost_once),
        cmocka_unit_test(closing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
