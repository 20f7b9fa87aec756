/* The state: namespaces of keys with their versions, a bounded log of revisions, conditions that wait for a
 * change, and sessions with cursors. In memory; no sockets, no clock, no knowledge of requests. state.md is
 * the source of its rules. */
#ifndef ZPROC_STORE_H
#define ZPROC_STORE_H

#include "expr.h"

#define STORE_KEY_MAX      65536  /* bytes of a key */
#define STORE_SPACES_MAX   100000 /* namespaces */
#define STORE_SESSIONS_MAX 100000
#define STORE_CURSORS_MAX  200000 /* of all sessions */
#define SESSION_SPACES_MAX 1024   /* that one session has cursors in */
#define WATCH_KEYS_MAX     1024   /* that one condition names */
#define STORE_LIMIT_MIN    16384  /* bytes of log, of state: below, nothing useful would fit */

struct store;
struct session;
struct space;  /* a namespace */
struct record; /* what one revision changed */

struct store_limits {
    int64_t log;   /* bytes of memory that records and old versions may take */
    int64_t state; /* bytes of memory that the present values may take */
};
struct store *store_new(const struct store_limits *limits);
void store_free(struct store *store);
/* The newest revision; 0 before the first change. */
int64_t store_revision(const struct store *store);
struct store_figures {
    int64_t revision, oldest, log_bytes, state_bytes;
    size_t spaces, keys, sessions, waits;
    int64_t oldest_cursor; /* of all sessions; -1: there is none */
};
void store_measure(const struct store *store, struct store_figures *figures);

/* ---- Reading ---- */

/* Names: 1 to 255 bytes of UTF-8 without control characters. `zproc` and `zproc.…` are reserved. */
bool space_name_valid(struct str name);
bool space_name_reserved(struct str name);
/* Made when it is not there; NULL with ERR_TOO_LARGE past STORE_SPACES_MAX. */
struct space *store_space(struct store *store, struct str name, struct err *err);
/* Forgets spaces that have neither keys nor records in the log, and that no session and no wait needs.
 * Between two requests: whoever holds a space from store_space or store_look without one of these looks it up
 * again. */
void store_tidy(struct store *store);
/* For reading: never NULL, and makes none: an empty space stands for all that are not there. */
struct space *store_look(struct store *store, struct str name);
/* The names of spaces that have keys, in no order. */
void store_each(const struct store *store, void (*visit)(void *ctx, struct str name), void *ctx);
struct str space_name(const struct space *space);

/* Reads are as of a revision; NOW is the newest. A revision that the log no longer covers for this space is
 * ERR_LOST, one that is not there yet ERR_INVALID: ask space_covers first. */
#define NOW INT64_MAX
bool space_covers(const struct space *space, int64_t at, struct err *err);
/* By how many revisions it is too old. */
int64_t space_missed(const struct space *space, int64_t at);
/* Borrowed until the next commit; NULL when absent. */
const struct value *space_get(const struct space *space, struct str key, int64_t at);
size_t space_len(const struct space *space, int64_t at);
/* In order of insertion as of that revision. */
void space_each(const struct space *space, int64_t at,
                void (*visit)(void *ctx, struct str key, const struct value *value), void *ctx);
/* All of it as a map. */
struct value *space_map(const struct space *space, int64_t at);
/* The key that was inserted last; false when there is none. */
bool space_last(const struct space *space, struct str *key);
/* An expression's view of a space: `state` as of `at`, `old` as of the revision before. */
struct space_view {
    const struct space *space;
    int64_t at, before; /* before < 0: `old` is the same as `state` */
};
struct expr_scope space_scope(struct space_view *view, const struct value *changed);

/* ---- Writing: a set of changes to one space that becomes one revision, or nothing ---- */

struct txn;
struct txn *txn_begin(struct space *space);
void txn_abort(struct txn *txn);
/* What all expressions of one request may take together. */
#define STEPS_REQUEST_MAX (10 * EXPR_STEPS_MAX)
/* The key's value as the transaction left it; borrowed; NULL when absent. */
const struct value *txn_get(const struct txn *txn, struct str key);
/* The whole namespace as the transaction left it. */
struct value *txn_map(const struct txn *txn);
/* An expression's view: `state` as the transaction left it, `old` as it was before. */
struct expr_scope txn_scope(struct txn *txn, const struct value *args);
/* Takes value. ERR_INVALID or ERR_TOO_LARGE for a key that is none; value is then freed. */
bool txn_set(struct txn *txn, struct str key, struct value *value, struct err *err);
void txn_delete(struct txn *txn, struct str key); /* of a key that is there */
/* The keys that it has set so far become ephemeral: they go with the session; NULL: they stay. */
void txn_own(struct txn *txn, struct session *session);
/* Makes it the next revision (also when nothing changed) and wakes whoever waits for it. ERR_TOO_LARGE past
 * the state limit: nothing has changed then. Ends the transaction either way. time_ms is the wall clock, who
 * an identification for the record. NULL on failure. */
const struct record *txn_commit(struct txn *txn, int64_t time_ms, struct str who, struct err *err);

/* ---- Read-modify-writes within a transaction; each answers a reference to the value, or NULL with an error
 * that names the key; path may be empty ---- */

/* The value at key and path. ERR_NOT_FOUND, ERR_TYPE, ERR_INVALID. Borrowed. */
const struct value *txn_find(const struct txn *txn, struct str key, struct str path, struct err *err);
bool write_set(struct txn *txn, struct str key, struct str path, const struct value *value, struct err *err);
bool write_delete(struct txn *txn, struct str key, struct str path, struct err *err);
bool write_update(struct txn *txn, const struct value *map, struct err *err);
void write_clear(struct txn *txn);
/* In an empty transaction. */
bool write_replace(struct txn *txn, const struct value *map, struct err *err);
struct value *write_setdefault(struct txn *txn, struct str key, struct str path, const struct value *value,
                               struct err *err);
/* fallback may be NULL: then an absent key is ERR_NOT_FOUND. */
struct value *write_pop(struct txn *txn, struct str key, struct str path, const struct value *fallback,
                        struct err *err);
struct value *write_popitem(struct txn *txn, struct err *err);
struct value *write_incr(struct txn *txn, struct str key, struct str path, const struct value *by,
                         struct err *err);
struct value *write_append(struct txn *txn, struct str key, struct str path, const struct value *item,
                           struct err *err);
/* Appends the items of a list. */
struct value *write_extend(struct txn *txn, struct str key, struct str path, const struct value *items,
                           struct err *err);
/* Removes the first item that is identical; ERR_NOT_FOUND when there is none. */
struct value *write_remove(struct txn *txn, struct str key, struct str path, const struct value *item,
                           struct err *err);
/* What cas compares with: a value, or absence (old NULL), or the revision at which the key was changed last
 * (at >= 0). ERR_CONFLICT. */
bool write_cas(struct txn *txn, struct str key, struct str path, const struct value *old, int64_t at,
               const struct value *value, struct err *err);

/* Evaluates and sets one after the other, each seeing what those before it left; args may be NULL. Answers
 * the value assigned, or of several assignments a map of KEY or KEY#/POINTER to value. */
struct value *write_assign(struct txn *txn, const struct assignments *all, const struct value *args,
                           struct err *err);
/* RFC 6902 with the namespace as the document; a test that fails is ERR_CONFLICT. RFC 7396. */
bool write_patch(struct txn *txn, const struct value *patch, struct err *err);
bool write_merge(struct txn *txn, const struct value *patch, struct err *err);

/* ---- Records ---- */

int64_t record_revision(const struct record *record);
/* The revision's event as a map: {rev, ns, time, by, changes: [{key, old?, value?}], identical?}. */
struct value *record_event(const struct record *record);
/* The record of a revision, NULL when the log no longer has it. */
const struct record *store_record(const struct store *store, int64_t revision);

/* ---- Conditions ---- */

/* X(kind, name, has a first check, operand) — operand: KEYS, PATTERN (of keys), KEY, VALUE (key and value),
 * EXPR */
#define CONDITION_KINDS(X)                                                                                   \
    X(WATCH_CHANGE, "change", false, OPERAND_KEYS)                                                           \
    X(WATCH_EXCLUDE, "exclude", false, OPERAND_KEYS)                                                         \
    X(WATCH_PREFIX, "prefix", false, OPERAND_PATTERN)                                                        \
    X(WATCH_GLOB, "glob", false, OPERAND_PATTERN)                                                            \
    X(WATCH_WHEN, "when", true, OPERAND_EXPR)                                                                \
    X(WATCH_EQUAL, "equal", true, OPERAND_VALUE)                                                             \
    X(WATCH_NOT_EQUAL, "not_equal", true, OPERAND_VALUE)                                                     \
    X(WATCH_NONE, "none", true, OPERAND_KEY)                                                                 \
    X(WATCH_NOT_NONE, "not_none", true, OPERAND_KEY)                                                         \
    X(WATCH_AVAILABLE, "available", true, OPERAND_KEY)                                                       \
    X(WATCH_TRUTHY, "truthy", true, OPERAND_KEY)                                                             \
    X(WATCH_FALSY, "falsy", true, OPERAND_KEY)

enum condition_kind {
#define X(kind, name, first, operand) kind,
    CONDITION_KINDS(X)
#undef X
        CONDITION_KIND_COUNT
};
enum condition_operand { OPERAND_KEYS, OPERAND_PATTERN, OPERAND_KEY, OPERAND_VALUE, OPERAND_EXPR };
/* CONDITION_KIND_COUNT when there is no such name. */
enum condition_kind condition_kind_from_name(struct str name);
enum condition_operand condition_operand(enum condition_kind kind);

struct condition {
    enum condition_kind kind;
    bool duplicates;    /* identical writes count as changes */
    bool edge;          /* only when it turns true */
    struct value *keys; /* OPERAND_KEYS: list of strings, empty: any; the others: NULL */
    char *key;          /* OPERAND_PATTERN, OPERAND_KEY and OPERAND_VALUE */
    size_t key_len;
    char *path; /* below the only key: what stands there is all that matters; NULL: none */
    size_t path_len;
    struct value *value; /* OPERAND_VALUE; OPERAND_EXPR: named values for it, may be NULL */
    struct expr *expr;   /* OPERAND_EXPR */
};
/* A glob: at most 255 bytes, sets closed. ERR_TOO_LARGE, ERR_INVALID. */
bool glob_check(struct str pattern, struct err *err);
void condition_release(struct condition *condition); /* frees what it points to */

/* ---- Watching ---- */

struct session;

/* What a watch found, or that there is nothing to find. record is NULL at a first check. */
struct watch_event {
    int64_t revision;
    const struct record *record;
    struct str key; /* the key that it is about, data NULL when there is no single one; borrowed until the
                       next commit */
    int64_t missed; /* > 0: no event; so many revisions fell off the log before they were looked at */
    bool nothing;   /* no event; the log holds none, and the wait was to finish then */
};
struct watch_start {
    struct session *session; /* NULL: none */
    bool live, next;
    bool has_after;
    int64_t after;
};
/* NULL: its session was closed. */
enum watch_result { WATCH_FOUND, WATCH_WAITS, WATCH_LOST };
typedef void watch_found(void *ctx, const struct watch_event *event);
struct wait;
/* Answers from the first check or from the log, or parks. The condition's memory becomes the store's in every
 * case. WATCH_LOST: *missed revisions are gone and the session's cursor stands at the oldest record now.
 * WATCH_WAITS: *wait is made. found is called from within the commit that matches, or from store_scan when
 * there is much log to search; the wait is then already gone. wait_cancel ends it otherwise. found must not
 * change the store.
 * With a session (which has entered the space): it has one wait or one unacknowledged event a space, so ask
 * session_holder first. ctx is the holder until the acknowledgement or session_idle; when the session is
 * closed before, found is called with a NULL event. */
enum watch_result watch_begin(struct space *space, struct condition *condition,
                              const struct watch_start *start, watch_found *found, void *ctx,
                              struct watch_event *event, int64_t *missed, struct wait **wait);
void wait_cancel(struct wait *wait);
/* Its time is up: true when it has seen everything and can be cancelled; else found is called with `nothing`
 * when the log has been searched. */
bool wait_finish(struct wait *wait);

/* A watch that stays: found is called for each event, until credit is used up, and goes on from there when
 * there is more. A first check that holds is delivered from within, the rest from store_scan and commits;
 * found may cancel it, except from within stream_begin. With a session it is its holder until it is
 * cancelled; a loss is told once, with `missed`, and it goes on at the oldest record. */
struct wait *stream_begin(struct space *space, struct condition *condition, const struct watch_start *start,
                          int64_t credit, watch_found *found, void *ctx);
void stream_credit(struct wait *wait, int64_t credit);
/* Holds it back, whatever its credit. */
void stream_pause(struct wait *wait, bool pause);

/* Searches on in the log, each wait a slice in turn, while more says so. True when there is something left.
 */
bool store_scan(struct store *store, bool (*more)(void *ctx), void *ctx);
bool store_scans(const struct store *store);
/* Where room says false, a commit does not call the waits that it wakes; store_scan does later. */
void store_set_room(struct store *store, bool (*room)(void *ctx), void *ctx);

/* Calls found at the next revision that changes one of the keys (a list of strings, taken; empty: anything),
 * and then not before wait_again; wait_cancel ends it. found must not change the store, nor end a wait. */
struct wait *wait_standing(struct space *space, struct value *keys, watch_found *found, void *ctx);
void wait_again(struct wait *wait);
/* As if one of its keys had changed just now. */
void wait_touch(struct wait *wait);

/* ---- Sessions ---- */

/* ERR_CONFLICT when it exists, ERR_INVALID for a bad name, ERR_TOO_LARGE past STORE_SESSIONS_MAX. Its cursors
 * start at the revision. */
struct session *session_open(struct store *store, struct str name, int64_t revision, struct err *err);
struct session *session_find(struct store *store, struct str name);
void session_close(struct store *store, struct session *session);
/* It ends by itself once nobody has used it for SESSION_IDLE_MS, and has neither a watch that waits nor an
 * event that is not acknowledged. now_ms: monotonic. */
#define SESSION_IDLE_MS (60 * 60 * 1000)
void session_expires(struct store *store, struct session *session, int64_t now_ms);
void session_use(struct session *session, int64_t now_ms);
bool session_is_temporary(const struct session *session);
/* When sessions_expire has something to do; -1: never. */
int64_t sessions_due(const struct store *store);
void sessions_expire(struct store *store, int64_t now_ms);
/* Gives it a cursor in the space, which whatever follows needs. ERR_TOO_LARGE past the limits above. */
bool session_enter(struct session *session, struct space *space, struct err *err);
/* The ctx of its watch in this space that waits, or whose event is not acknowledged; NULL: there is none. */
void *session_holder(const struct session *session, const struct space *space);
/* Ephemeral keys whose session has ended are orphans until they are removed. A space with some, in which
 * `may` is true; NULL: there is none. */
struct space *store_orphaned(const struct store *store, bool (*may)(void *ctx, struct space *space),
                             void *ctx);
/* Deletes the orphans of the transaction's space. */
void write_orphans(struct txn *txn);
/* The holder is gone without an acknowledgement: its event will be delivered again. */
void session_idle(struct session *session, const struct space *space);
/* The event of the revision was dealt with: the cursor moves there (never back). ERR_INVALID for a revision
 * that is not there yet. */
bool session_ack(struct session *session, struct space *space, int64_t revision, struct err *err);
/* Moves the cursor to the newest revision, which it returns. */
int64_t session_go_live(struct session *session, struct space *space);
/* Its own write, in a space that it has a cursor in or has room for: the first check of its next watch looks
 * at the state from there on. */
void session_wrote(struct session *session, struct space *space, int64_t revision);
/* session_enter would succeed. */
bool session_has_room(const struct session *session, const struct space *space, struct err *err);

/* ---- Kept answers: a numbered request that is sent again is done once ---- */

#define ANSWER_KEPT_MS 60000 /* after the client's last request */

/* A reply without its beginning, `{"id":N`; value.data is NULL without a value frame. */
struct answer {
    struct str header, value;
};
enum answer_state {
    ANSWER_NEW,  /* it was not done */
    ANSWER_OPEN, /* it waits, or what it did was undone: it is not done */
    ANSWER_KEPT, /* it was done: *answer, borrowed until the next call */
    ANSWER_GONE, /* it was done perhaps: its answer is not kept any more */
    ANSWER_FULL, /* too many clients: it cannot be done safely */
};
/* What is known of a request; counts as a request of its client. client: 32 characters. now_ms: monotonic. */
enum answer_state answer_find(struct store *store, struct str client, int64_t seq, int64_t now_ms,
                              struct answer *answer);
/* A request that was found to be new or open waits: requests with higher numbers may be answered before it,
 * and its client is not forgotten before answer_unexpect. */
void answer_expect(struct store *store, struct str client, int64_t seq);
/* It does not wait any more, answered or not. */
void answer_unexpect(struct store *store, struct str client);
/* The answer to a request that was found to be new or open; copied. */
void answer_keep(struct store *store, struct str client, int64_t seq, const struct answer *answer);
/* The client waits for nothing below this number. */
void answers_done(struct store *store, struct str client, int64_t done);
/* When answers_expire has something to do; -1: never. */
int64_t answers_due(const struct store *store);
void answers_expire(struct store *store, int64_t now_ms);
/* ---- Journal: the store in a folder (state.md, durability) ---- */

/* X(level, name); in ascending order of what they promise. */
#define DURABILITY_LEVELS(X)                                                                                 \
    X(DURABILITY_NONE, "none")                                                                               \
    X(DURABILITY_PROCESS, "process")                                                                         \
    X(DURABILITY_SECOND, "second")                                                                           \
    X(DURABILITY_ALWAYS, "always")
enum durability {
#define X(level, name) level,
    DURABILITY_LEVELS(X)
#undef X
        DURABILITY_COUNT
};
const char *durability_name(enum durability level);
/* DURABILITY_COUNT when there is no such name. */
enum durability durability_from_name(struct str name);

struct journal;
/* How it writes, so that tests can make it fail; like write(2) and fdatasync(2). */
struct journal_io {
    ssize_t (*write)(int fd, const void *data, size_t len);
    int (*sync)(int fd);
};
struct journal_options {
    const char *folder;               /* made when it is not there */
    enum durability durability;       /* not DURABILITY_NONE */
    bool repair;                      /* keep what is before a damaged record */
    void (*say)(const char *message); /* what recovery cut off or put aside; NULL: nobody listens */
    const struct journal_io *io;      /* NULL: the system's */
    int64_t segment;                  /* bytes of a segment; 0: 8 MiB */
};
/* Takes the folder, loads what it holds into the store (which is new, and outlives the journal), and is told
 * of every change from then on. ERR_CONFLICT: another server holds it. ERR_INTERNAL: it cannot be used, or a
 * record is damaged: the message names file and offset. */
struct journal *journal_open(const struct journal_options *options, struct store *store, struct err *err);
/* Writes and syncs what is left. NULL is fine. */
void journal_close(struct journal *journal);
/* The id of the folder's store, 32 hexadecimal digits; borrowed. */
const char *journal_store_id(const struct journal *journal);
enum durability journal_durability(const struct journal *journal);
/* There are changes that have not been written. */
bool journal_pending(const struct journal *journal);
/* Brings every change to its level. False: it could not be written; the store stands again where it stood
 * after the last journal_write that succeeded, and journal_ready says no for a while. */
bool journal_write(struct journal *journal, struct err *err);
/* Changes are welcome. False with the reason: writing failed, and a new segment could not be begun yet (it is
 * tried again from here, at most every 100 ms). */
bool journal_ready(struct journal *journal, struct err *err);
/* When journal_tick wants to be called, as of time_now_ms; -1: never. */
int64_t journal_timer(const struct journal *journal);
void journal_tick(struct journal *journal, int64_t now);
struct journal_figures {
    int64_t segment_bytes, folder_bytes; /* of the present segment; of all since the newest snapshot */
    int64_t syncs, sync_last_us, sync_max_us;
    bool broken;
};
void journal_measure(const struct journal *journal, struct journal_figures *figures);

#endif
