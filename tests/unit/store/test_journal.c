/* A store in a folder: round trips, segments and snapshots, the lock, what fails and is undone. */
#include "journal_test.h"

int wake_count;

static void round_trip(enum durability durability, bool killed)
{
    char folder[64];
    folder_make(folder);
    struct journal_options options = options_default;
    options.durability = durability;
    struct home kept = keep(folder, options);
    live(&kept, NULL, NULL);
    AUTO_FREE char *expected = dump(kept.store);
    AUTO_FREE char *id = mem_text(journal_store_id(kept.journal));
    (killed ? keep_kill : keep_end)(&kept);
    for (int again = 0; again < 2; again++) {
        kept = keep(folder, options);
        assert_dump(kept.store, expected);
        assert_string_equal(journal_store_id(kept.journal), id);
        keep_end(&kept);
    }
    folder_remove(folder);
}

static void test_round_trip(void **state)
{
    (void)state;
    for (enum durability level = DURABILITY_PROCESS; level < DURABILITY_COUNT; level++) {
        round_trip(level, false);
        round_trip(level, true);
    }
}

/* The key inserted last, watches and cursors go on where they were. */
static void test_goes_on(void **state)
{
    (void)state;
    char folder[64];
    folder_make(folder);
    struct home kept = keep(folder, options_default);
    live(&kept, NULL, NULL);
    keep_kill(&kept);
    kept = keep(folder, options_default);
    struct str last;
    assert_true(space_last(kept.space, &last));
    assert_str(last, "theirs");
    struct session *session = session_find(kept.store, STR("reader"));
    static struct watcher watcher;
    /* It was offered before and never acknowledged: it comes again. */
    assert_int_equal(watch(&watcher, kept.space, "change", "[]", (struct watch_start){.session = session}),
                     WATCH_FOUND);
    int64_t again = watcher.event.revision;
    ack(session, kept.space, again);
    assert_int_equal(watch(&watcher, kept.space, "change", "[]", (struct watch_start){.session = session}),
                     WATCH_FOUND);
    assert_true(watcher.event.revision > again);
    assert_int_equal(set(kept.space, "z", "1"), 11);
    keep_end(&kept);
    folder_remove(folder);
}

/* Sessions that end when they are idle do so after a restart too: from the log, and from a snapshot. */
static void test_temporary_sessions(void **state)
{
    (void)state;
    char folder[64];
    folder_make(folder);
    struct home kept = keep(folder, options_default);
    session_new(kept.store, "lasting", 0);
    session_expires(kept.store, session_new(kept.store, "temporary", 0), 0);
    keep_write(&kept);
    for (int i = 0; i < 2; i++) {
        keep_kill(&kept);
        kept = keep(folder, options_default);
        assert_false(session_is_temporary(session_find(kept.store, STR("lasting"))));
        assert_true(session_is_temporary(session_find(kept.store, STR("temporary"))));
    }
    sessions_expire(kept.store, time_now_ms() + SESSION_IDLE_MS);
    keep_write(&kept);
    keep_kill(&kept);
    kept = keep(folder, options_default);
    assert_non_null(session_find(kept.store, STR("lasting")));
    assert_null(session_find(kept.store, STR("temporary")));
    keep_end(&kept);
    folder_remove(folder);
}

/* An event that was answered before the crash and acknowledged after it is not found again. */
static void test_acknowledged_later(void **state)
{
    (void)state;
    char folder[64];
    folder_make(folder);
    struct home kept = keep(folder, options_default);
    set(kept.space, "a", "1");
    struct session *session = session_new(kept.store, "reader", 1);
    struct watcher watcher;
    struct watch_start start = {.session = session};
    assert_int_equal(watch(&watcher, kept.space, "truthy", "a", start), WATCH_FOUND);
    keep_write(&kept);
    keep_kill(&kept);
    kept = keep(folder, options_default);
    start.session = session = session_find(kept.store, STR("reader"));
    ack(session, kept.space, 1);
    assert_int_equal(watch(&watcher, kept.space, "truthy", "a", start), WATCH_WAITS);
    wait_cancel(watcher.wait);
    keep_end(&kept);
    folder_remove(folder);
}

static void snapshot_await(struct home *kept)
{
    int64_t end = time_now_ms() + 20000;
    while (kept->journal->child && time_now_ms() < end) {
        set(kept->space, "tick", "1");
        keep_write(kept);
    }
    assert_int_equal(kept->journal->child, 0);
}

/* Small segments and a small log: old files go, and what comes back is the same, over and over. */
static void test_compaction(void **state)
{
    (void)state;
    char folder[64], value[200];
    folder_make(folder);
    struct journal_options options = options_default;
    options.segment = 4096;
    struct home kept = keep(folder, options);
    kept.store->limits.log = 8192;
    live(&kept, NULL, NULL);
    for (int i = 0; i < 600; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i * 7 % 40);
        snprintf(value, sizeof value, "{\"i\":%d,\"pad\":\"%0100d\"}", i, i);
        if (i % 5)
            set(kept.space, key, value);
        else if (space_get(kept.space, str_of(key), NOW))
            del(kept.space, key);
        if (i % 50 == 0)
            session_go_live(session_find(kept.store, STR("reader")), kept.space);
        keep_write(&kept);
    }
    snapshot_await(&kept);
    assert_false(file_there(folder, LOG_1));
    struct journal_figures numbers;
    journal_measure(kept.journal, &numbers);
    assert_true(numbers.folder_bytes < 1000000);
    AUTO_FREE char *expected = dump(kept.store);
    keep_kill(&kept);
    struct home again = keep(folder, options);
    /* It has the limits that it was given: the log holds at least what it held. */
    AUTO_FREE char *whole = dump(again.store);
    assert_non_null(strstr(whole, "\"i\":599"));
    assert_string_equal(strstr(whole, "session "), strstr(expected, "session "));
    keep_end(&again);
    folder_remove(folder);
}

static void test_lock(void **state)
{
    (void)state;
    char folder[64];
    folder_make(folder);
    struct home kept = keep(folder, options_default), second;
    struct err err = {0};
    struct stat info;
    assert_false(keep_try(&second, folder, options_default, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_message(&err, folder);
    AUTO_FREE char *log = path_in(folder, LOG_1);
    assert_int_equal(stat(log, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    keep_end(&kept);
    kept = keep(folder, options_default);
    keep_end(&kept);
    folder_remove(folder);
}

static void meta_change(const char *folder, const char *boot, bool clean)
{
    struct meta meta;
    bool found;
    int fd = open(folder, O_RDONLY | O_DIRECTORY);
    assert_true(meta_read(fd, &meta, &found, NULL) && found);
    snprintf(meta.boot, sizeof meta.boot, "%s", boot);
    meta.clean = clean;
    assert_true(meta_write(fd, &meta, &io_fast, false, NULL));
    close(fd);
}

/* After a power loss no revision that may have been told is used again. */
static void test_ceiling(void **state)
{
    (void)state;
    static const struct {
        enum durability durability;
        const char *boot;
        bool clean, jumps;
    } cases[] = {{DURABILITY_PROCESS, "another", false, true},
                 {DURABILITY_SECOND, "another", false, true},
                 {DURABILITY_SECOND, "another", true, false},
                 {DURABILITY_ALWAYS, "another", false, false}};
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        char folder[64];
        folder_make(folder);
        struct journal_options options = options_default;
        options.durability = cases[i].durability;
        struct home kept = keep(folder, options);
        assert_int_equal(set(kept.space, "a", "1"), 1);
        keep_write(&kept);
        keep_kill(&kept);
        meta_change(folder, cases[i].boot, cases[i].clean);
        kept = keep(folder, options);
        int64_t next = cases[i].jumps ? CEILING_STEP + 1 : 2;
        assert_int_equal(set(kept.space, "a", "2"), next);
        assert_null(store_record(kept.store, next - 1 == 1 ? 0 : next - 1));
        assert_int_equal(record_revision(store_record(kept.store, next)), next);
        keep_write(&kept);
        keep_kill(&kept);
        kept = keep(folder, options);
        assert_int_equal(store_revision(kept.store), next);
        assert_json(space_get(kept.space, STR("a"), next - 1), "1");
        keep_end(&kept);
        folder_remove(folder);
    }
}

/* ---- Failures ---- */

/* How many bytes may still be written, and how many syncs may be done. */
static int64_t room, syncs;

static ssize_t write_limited(int fd, const void *data, size_t len)
{
    if (room <= 0) {
        errno = ENOSPC;
        return -1;
    }
    size_t part = (int64_t)len > room ? (size_t)room : len;
    ssize_t n = write(fd, data, part);
    room -= n > 0 ? n : 0;
    return n;
}

static int sync_limited(int fd)
{
    (void)fd;
    if (syncs-- > 0)
        return 0;
    errno = EIO;
    return -1;
}

static const struct journal_io io_limited = {write_limited, sync_limited};

static struct home failing(const char *folder, enum durability durability)
{
    struct journal_options options = {.durability = durability, .io = &io_limited};
    room = syncs = 1 << 30;
    return keep(folder, options);
}

/* Whatever fails, the store is as after the last write that did not, and says so after a restart too. */
static void failure(enum durability durability, int64_t bytes, int64_t allowed)
{
    char folder[64];
    struct err err = {0};
    folder_make(folder);
    struct home kept = failing(folder, durability);
    live(&kept, NULL, NULL);
    AUTO_FREE char *expected = dump(kept.store);
    int64_t before = store_revision(kept.store);
    room = bytes;
    syncs = allowed;
    del(kept.space, "b");
    set(kept.space, "b", "7");
    set(kept.space, "new", "[]");
    AUTO_VALUE struct value *map = json("{\"c\":1}");
    struct txn *txn = txn_begin(kept.space);
    assert_true(write_replace(txn, map, NULL));
    commit(txn);
    /* It was never given, so it is not kept: the request can be done, once it is certain that it was not. */
    struct answer answer = {STR(",\"ok\":true}"), {0}};
    client_answer(kept.store, 4, &answer);
    assert_false(journal_write(kept.journal, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
    assert_int_equal(answer_find(kept.store, STR(CLIENT), 4, time_now_ms(), &answer), ANSWER_OPEN);
    struct writer *writer = kept.store->answers.last; /* as before, for the comparison */
    writer->highest = 3;
    free(writer->kept[--writer->count]);
    kept.store->answers.bytes -= sizeof(struct kept);
    assert_message(&err, bytes < 1000 ? "No space left" : "Input/output error");
    assert_dump(kept.store, expected);
    assert_false(journal_ready(kept.journal, &err));
    /* It is tried again after a while: still nothing can be written. */
    kept.journal->retry_at = 0;
    assert_false(journal_ready(kept.journal, &err));
    assert_dump(kept.store, expected);
    /* Now it can. What was undone keeps its revisions. */
    room = syncs = 1 << 30;
    kept.journal->retry_at = 0;
    assert_true(journal_ready(kept.journal, &err));
    assert_false(file_there(folder, LOG_1));
    assert_int_equal(set(kept.space, "new", "1"), before + 5);
    keep_write(&kept);
    AUTO_FREE char *after = dump(kept.store);
    keep_kill(&kept);
    kept = keep(folder, options_default);
    assert_dump(kept.store, after);
    keep_end(&kept);
    folder_remove(folder);
}

static void test_failed_write(void **state)
{
    (void)state;
    failure(DURABILITY_PROCESS, 0, 1000);
    failure(DURABILITY_PROCESS, 100, 1000);
    failure(DURABILITY_ALWAYS, 200, 1000);
}

static void test_failed_sync(void **state)
{
    (void)state;
    failure(DURABILITY_ALWAYS, 1 << 30, 0);
}

/* `second`: what was answered stays, nothing new is accepted. */
static void test_failed_later_sync(void **state)
{
    (void)state;
    char folder[64];
    struct err err = {0};
    folder_make(folder);
    struct home kept = failing(folder, DURABILITY_SECOND);
    set(kept.space, "a", "1");
    keep_write(&kept);
    int64_t at = journal_timer(kept.journal);
    assert_true(at > 0);
    syncs = 0;
    journal_tick(kept.journal, at - 1);
    assert_true(journal_ready(kept.journal, &err));
    journal_tick(kept.journal, at);
    assert_false(journal_ready(kept.journal, &err));
    assert_message(&err, "Input/output error");
    assert_space(kept.space, NOW, "{\"a\":1}");
    assert_true(journal_timer(kept.journal) > 0);
    syncs = 1 << 30;
    kept.journal->retry_at = 0;
    journal_tick(kept.journal, journal_timer(kept.journal));
    assert_true(journal_ready(kept.journal, &err));
    assert_int_equal(journal_timer(kept.journal), -1);
    keep_kill(&kept);
    kept = keep(folder, options_default);
    assert_space(kept.space, NOW, "{\"a\":1}");
    keep_end(&kept);
    folder_remove(folder);
}

/* A server that dies while nothing can be written comes back with what was answered, and perhaps with what
 * was not: never with less. */
static void test_killed_when_failing(void **state)
{
    (void)state;
    for (int64_t bytes = 0; bytes < 400; bytes += 13) {
        char folder[64];
        struct err err = {0};
        folder_make(folder);
        struct home kept = failing(folder, DURABILITY_PROCESS);
        set(kept.space, "a", "1");
        keep_write(&kept);
        room = bytes;
        set(kept.space, "a", "2");
        set(kept.space, "b", "3");
        bool written = journal_write(kept.journal, &err);
        keep_kill(&kept);
        kept = keep(folder, options_default);
        AUTO_VALUE struct value *map = space_map(kept.space, NOW);
        AUTO_BUF struct buf text = {0};
        value_print(&text, map);
        assert_true(
            str_is(buf_str(&text), "{\"a\":2,\"b\":3}") ||
            (!written && (str_is(buf_str(&text), "{\"a\":1}") || str_is(buf_str(&text), "{\"a\":2}"))));
        keep_end(&kept);
        folder_remove(folder);
    }
}

/* Undoing leaves no trace, whatever the batch did. */
static void test_undo(void **state)
{
    (void)state;
    uint64_t seed = 5;
    char folder[64];
    folder_make(folder);
    struct home kept = failing(folder, DURABILITY_PROCESS);
    for (int round = 0; round < 300; round++) {
        bool fails = round % 3 == 0;
        AUTO_FREE char *expected = dump(kept.store);
        for (size_t i = random_below(&seed, 12); i > 0; i--) {
            char key[2] = {(char)('a' + random_below(&seed, 6)), 0};
            if (random_below(&seed, 3) && space_get(kept.space, str_of(key), NOW))
                del(kept.space, key);
            else
                set(kept.space, key, random_below(&seed, 2) ? "[1,2,3]" : "1");
        }
        struct err err = {0};
        room = fails ? 0 : 1 << 30;
        bool pending = journal_pending(kept.journal);
        assert_int_equal(journal_write(kept.journal, &err), !fails || !pending);
        if (!fails || !pending)
            continue;
        assert_dump(kept.store, expected);
        room = 1 << 30;
        kept.journal->retry_at = 0;
        assert_true(journal_ready(kept.journal, &err));
    }
    keep_end(&kept);
    folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_temporary_sessions),
        cmocka_unit_test(test_goes_on),
        cmocka_unit_test(test_acknowledged_later),
        cmocka_unit_test(test_compaction),
        cmocka_unit_test(test_lock),
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_failed_write),
        cmocka_unit_test(test_failed_sync),
        cmocka_unit_test(test_failed_later_sync),
        cmocka_unit_test(test_killed_when_failing),
        cmocka_unit_test(test_undo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
