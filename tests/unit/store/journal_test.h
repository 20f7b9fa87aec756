/* What tests of the journal share: a folder of one's own, files in it, and a store told as text. */
#ifndef ZPROC_TEST_JOURNAL_H
#define ZPROC_TEST_JOURNAL_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal_priv.h"
#include "store_test.h"

struct home {
    struct store *store;
    struct space *space;
    struct journal *journal;
};

/* ---- Files ---- */

static inline void folder_make(char out[64])
{
    /* In memory where that is possible: some tests open it ten thousand times. */
    snprintf(out, 64, "%s/zproc-journal-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(out));
}

static inline char *path_in(const char *folder, const char *name)
{
    return mem_format("%s/%s", folder, name);
}

static inline void folder_remove(const char *folder)
{
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (const struct dirent *item; (item = readdir(dir));) {
        AUTO_FREE char *path = path_in(folder, item->d_name);
        if (item->d_name[0] != '.')
            unlink(path);
    }
    closedir(dir);
    assert_int_equal(rmdir(folder), 0);
}

static inline void file_put(const char *folder, const char *name, struct str bytes)
{
    AUTO_FREE char *path = path_in(folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && fd_write_all(fd, bytes.data, bytes.len));
    close(fd);
}

static inline void file_get(const char *folder, const char *name, struct buf *bytes)
{
    AUTO_FREE char *path = path_in(folder, name);
    buf_clear(bytes);
    assert_true(file_read(path, 1 << 30, bytes, NULL));
}

static inline bool file_there(const char *folder, const char *name)
{
    AUTO_FREE char *path = path_in(folder, name);
    return access(path, F_OK) == 0;
}

#define LOG_1 "log-0000000000000001"
#define LOG_2 "log-0000000000000002"

/* ---- A store in a folder ---- */

static inline ssize_t write_through(int fd, const void *data, size_t len)
{
    return write(fd, data, len);
}

static inline int sync_never(int fd)
{
    (void)fd;
    return 0;
}

static const struct journal_io io_fast = {write_through, sync_never};
static struct journal_options options_default = {.durability = DURABILITY_ALWAYS, .io = &io_fast};

static inline bool keep_try(struct home *kept, const char *folder, struct journal_options options,
                            struct err *err)
{
    options.folder = folder;
    struct fixture fixture = fixture_new();
    *kept = (struct home){.store = fixture.store};
    kept->journal = journal_open(&options, kept->store, err);
    kept->space = store_space(kept->store, STR("default"), NULL);
    if (!kept->journal)
        store_free(kept->store);
    return kept->journal != NULL;
}

static inline struct home keep(const char *folder, struct journal_options options)
{
    struct home kept;
    struct err err = {0};
    if (!keep_try(&kept, folder, options, &err))
        fail_msg("%s", err.message);
    return kept;
}

static inline void keep_write(struct home *kept)
{
    struct err err = {0};
    if (!journal_write(kept->journal, &err))
        fail_msg("%s", err.message);
}

/* As after kill -9: what was not written is gone. */
static inline void keep_kill(struct home *kept)
{
    fd_close(&kept->journal->fd);
    journal_close(kept->journal);
    store_free(kept->store);
}

static inline void keep_end(struct home *kept)
{
    journal_close(kept->journal);
    store_free(kept->store);
}

/* ---- A store as text: everything that a client could ever see ---- */

static inline int name_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static inline void dump_space(struct buf *out, struct space *space)
{
    if (space->records.count + space->live + (size_t)space->trimmed == 0)
        return; /* as if it were not there */
    buf_add_format(out, "space %s trimmed %lld\n", space->name, (long long)space->trimmed);
    for (int64_t at = space->trimmed; at <= space->store->revision; at++) {
        if (at < space->store->revision && !store_record(space->store, at) && at != space->trimmed)
            continue;
        AUTO_VALUE struct value *map = space_map(space, at);
        buf_add_format(out, " %lld ", (long long)at);
        value_print(out, map);
        buf_add_char(out, '\n');
    }
    for (const struct entry *entry = space->head; entry; entry = entry->next)
        buf_add_format(out, " %s@%lld%s", entry->key, (long long)entry_version(entry, NOW)->revision,
                       !entry->owner                            ? ""
                       : entry->owner == &space->store->orphans ? " orphan"
                                                                : " ephemeral");
    buf_add_char(out, '\n');
}

static inline void dump_session(struct buf *out, const struct session *session)
{
    buf_add_format(out, "session %s start %lld\n", session->name, (long long)session->start);
    for (size_t i = 0; i < session->place_count; i++) {
        const struct place *place = session->places[i];
        buf_add_format(out, " %s cursor %lld wrote %lld offered %lld %llx:", place->space->name,
                       (long long)place->cursor, (long long)place->wrote, (long long)place->offered,
                       (unsigned long long)(place->offered < 0 ? 0 : place->offered_hash));
        for (size_t j = 0; j < place->check_count; j++)
            buf_add_format(out, " %llx@%lld", (unsigned long long)place->checks[j].hash,
                           (long long)place->checks[j].revision);
        buf_add_char(out, '\n');
    }
}

static inline void dump_answers(struct buf *out, const struct answers *answers)
{
    for (const struct writer *writer = answers->first; writer; writer = writer->next) {
        buf_add_format(out, "client %.32s highest %lld:", writer->name, (long long)writer->highest);
        for (size_t i = 0; i < writer->count; i++) {
            const struct kept *kept = writer->kept[i];
            buf_add_format(out, " %lld %s %.*s", (long long)kept->seq, kept->answered ? "is" : "waits",
                           (int)(kept->header_len + kept->value_len), kept->bytes);
        }
        buf_add_char(out, '\n');
    }
}

/* In order of name, whatever the table's order is. */
static inline void dump_table(struct buf *out, const struct table *table, bool sessions)
{
    const char *names[64];
    size_t count = 0, pos = 0;
    for (const char *item; (item = table_next(table, &pos));)
        names[count++] = sessions ? ((const struct session *)item)->name : ((const struct space *)item)->name;
    qsort(names, count, sizeof *names, name_order);
    for (size_t i = 0; i < count; i++) {
        void *item = table_get(table, str_of(names[i]));
        if (sessions)
            dump_session(out, item);
        else
            dump_space(out, item);
    }
}

static inline char *dump(struct store *store)
{
    struct buf out = {0};
    struct store_figures numbers = figures(store);
    buf_add_format(&out, "revision %lld log %lld state %lld keys %zu\n", (long long)numbers.revision,
                   (long long)numbers.log_bytes, (long long)numbers.state_bytes, numbers.keys);
    dump_table(&out, &store->spaces, false);
    for (size_t i = 0; i < store->log.count; i++) {
        AUTO_VALUE struct value *event = record_event(ring_at(&store->log, i));
        value_print(&out, event);
        buf_add_char(&out, '\n');
    }
    dump_table(&out, &store->sessions, true);
    dump_answers(&out, &store->answers);
    return buf_detach(&out);
}

static inline void assert_dump(struct store *store, const char *expected)
{
    AUTO_FREE char *text = dump(store);
    if (strcmp(text, expected) != 0)
        fail_msg("the store is\n%s\nbut should be\n%s", text, expected);
}

/* ---- A life of every kind of change; note is told after each ---- */

static inline struct session *session_new(struct store *store, const char *name, int64_t revision)
{
    struct session *session = session_open(store, str_of(name), revision, NULL);
    assert_non_null(session);
    return session;
}

#define CLIENT "0123456789abcdef0123456789abcdef"

static inline void client_answer(struct store *store, int64_t seq, const struct answer *answer)
{
    struct answer ignored;
    assert_int_equal(answer_find(store, STR(CLIENT), seq, time_now_ms(), &ignored), ANSWER_NEW);
    if (answer)
        answer_keep(store, STR(CLIENT), seq, answer);
    else
        answer_expect(store, STR(CLIENT), seq);
}

/* Keys die and are born again, spaces, sessions with acknowledged, offered and checked events, answers
 * that are kept. */
static inline void live(struct home *kept, void (*note)(struct home *kept, void *ctx), void *ctx)
{
    struct space *other = store_space(kept->store, STR("other ns"), NULL);
    static struct watcher watcher; /* it still holds an event when the store is freed */
#define STEP(action)                                                                                         \
    do {                                                                                                     \
        action;                                                                                              \
        keep_write(kept);                                                                                    \
        if (note)                                                                                            \
            note(kept, ctx);                                                                                 \
    } while (0)
    STEP(set(kept->space, "a", "1.10"));
    STEP(set(kept->space, "b", "{\"x\":[1,\"\\u0000é\"]}"));
    struct session *session = session_new(kept->store, "reader", 1);
    STEP(set(kept->space, "a", "1.1"));
    STEP(assert_int_equal(
        watch(&watcher, kept->space, "truthy", "a", (struct watch_start){.session = session}), WATCH_FOUND));
    STEP(ack(session, kept->space, watcher.event.revision));
    STEP(del(kept->space, "a"));
    STEP(set(other, "k", "null"));
    STEP(set(kept->space, "a", "2"));
    STEP(assert_int_equal(
        watch(&watcher, kept->space, "change", "[]", (struct watch_start){.session = session}), WATCH_FOUND));
    struct session *closed = session_new(kept->store, "gone", 2);
    STEP((void)0);
    STEP({
        AUTO_VALUE struct value *map = json("{\"b\":2,\"c\":3}");
        struct txn *txn = txn_begin(kept->space);
        assert_true(write_replace(txn, map, NULL));
        commit(txn);
    });
    STEP({
        AUTO_VALUE struct value *value = json("1");
        struct txn *txn = txn_begin(kept->space);
        assert_true(write_set(txn, STR("mine"), STR(""), value, NULL));
        txn_own(txn, session);
        commit(txn);
        txn = txn_begin(kept->space);
        assert_true(write_set(txn, STR("theirs"), STR(""), value, NULL));
        txn_own(txn, closed);
        commit(txn);
    });
    STEP(session_close(kept->store, closed));
    const struct answer first = {STR(",\"ok\":true}"), STR("17")}, second = {STR(",\"ok\":false}"), {0}};
    STEP(client_answer(kept->store, 1, &first));
    STEP({
        client_answer(kept->store, 2, NULL);
        client_answer(kept->store, 3, &second);
    });
    STEP(answers_done(kept->store, STR(CLIENT), 2));
    assert_true(session_enter(session, other, NULL));
    STEP(session_go_live(session, other));
    STEP({
        assert_non_null(txn_commit(txn_begin(other), 5, STR("reader"), NULL));
        session_wrote(session, other, store_revision(kept->store));
    });
#undef STEP
}

#endif
