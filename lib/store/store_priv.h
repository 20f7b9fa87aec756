/* What the files of this folder share: entries with versions, records, spaces, sessions. */
#ifndef ZPROC_STORE_PRIV_H
#define ZPROC_STORE_PRIV_H

#include "store.h"

struct version {
    int64_t revision;
    struct value *value; /* NULL: deleted */
    uint64_t birth;      /* order of insertion */
};

/* A wait stands in the lists of the keys that can make its condition true, or in its space's list for any
 * key. */
struct link {
    struct wait *wait;
    struct link **list;
    struct link *previous, *next;
    struct entry *entry; /* whose list it is; NULL: the space's */
};

/* A key with its versions within the log and the one before it. It stays while it has a version, a record or
 * a wait. */
struct entry {
    struct space *space;
    struct version *versions; /* ascending */
    size_t first, count,
        capacity; /* first: versions that fell off stand before it until the array is packed */
    struct entry *previous, *next; /* live keys in order of insertion */
    struct link *waits;
    size_t size;         /* bytes of the present value, counted in the store's state_bytes */
    size_t pending;      /* 1 + its place in the transaction that is under way; 0: none */
    struct owned *owner; /* whose end removes it; NULL: it stays */
    size_t owner_place;  /* in the owner's list */
    size_t key_len;
    char key[];
};

struct change {
    struct entry *entry;
    struct value *value; /* NULL: deleted */
    bool identical, reborn;
    bool handed;               /* the key has another owner now */
    const struct owned *owner; /* the one before; its session may be gone */
};

struct record {
    int64_t revision, time_ms;
    struct space *space;
    char *who;
    size_t bytes, count;
    bool identical; /* nothing changed */
    struct change changes[];
};

/* Records in order of revision. */
struct ring {
    struct record **items;
    size_t head, count, capacity;
};
void ring_push(struct ring *ring, struct record *record);
struct record *ring_pop(struct ring *ring);
struct record *ring_pop_newest(struct ring *ring);
static inline struct record *ring_at(const struct ring *ring, size_t index)
{
    return ring->items[(ring->head + index) & (ring->capacity - 1)];
}
/* Index of the first record behind the revision. */
size_t ring_behind(const struct ring *ring, int64_t revision);

struct space {
    struct store *store;
    struct table entries;
    struct entry *head, *tail; /* live keys in order of insertion */
    size_t live;
    struct ring records;
    int64_t trimmed;    /* newest revision of this space that fell off the log */
    struct link *waits; /* for any key */
    size_t users;       /* waits, and places of sessions */
    bool vacant;        /* it stands in the store's list of those that may not be needed any more */
    size_t name_len;
    char name[];
};

/* Keys that go with a session. */
struct owned {
    struct entry **items;
    size_t count, capacity;
};
void entry_own(struct entry *entry, struct owned *owner);
/* All of them lose their session. */
void owned_orphan(struct store *store, struct owned *owned);
void entry_disown(struct entry *entry); /* nothing happens when nobody owns it */

struct pending {
    struct entry *entry;
    struct value *value; /* NULL: deleted */
    bool reborn;         /* inserted anew: it goes to the end of the order */
    bool owns;           /* it changes hands, to `owner`, which may be NULL */
    struct owned *owner;
};
/* There is one at a time, so its memory is kept for the next one. */
struct txn {
    struct space *space;
    struct pending *items;
    size_t count, capacity;
    struct edit_work work; /* what it may still copy and move */
    size_t steps;          /* of its expressions */
};
/* Items of lists and objects that one transaction may copy: some 10 ms of work. */
#define TXN_WORK_MAX 4000000
/* Of values that are compared: they take as long as one item that is copied. */
#define COMPARED_BYTES 64
/* Changes what stands below a key that is there; takes item (NULL to remove). After a failure the transaction
 * can only be aborted. */
bool txn_edit(struct txn *txn, struct str key, enum edit_how how, struct str path, struct value *item,
              struct err *err);

/* What a numbered request was answered; not yet: it waits. */
struct kept {
    int64_t seq;
    size_t header_len, value_len;
    bool answered, has_value;
    char bytes[]; /* header and value */
};
/* A client that numbers its requests. */
struct writer {
    struct writer *previous, *next; /* in order of their last requests */
    int64_t used_ms, highest;       /* its last request; the highest number that was answered or waits */
    size_t waiting;                 /* requests that wait: it is not forgotten meanwhile */
    struct kept **kept;             /* in order of their numbers */
    size_t count, capacity;
    char name[32];
};
struct answers {
    struct table writers; /* by name */
    struct writer *first, *last;
    struct writer *fullest; /* writers before this one have no answers left */
    size_t bytes;
};
void answers_release(struct answers *answers);
/* What recovery does: a writer with its highest number. */
void answers_restore(struct store *store, struct str client, int64_t highest);
/* It will not be given: what it speaks of was undone, so its request is open. */
void answer_undo(struct store *store, struct str client, int64_t seq);
/* What answer_expect and recovery do: its number was used and not answered. */
void answer_open(struct store *store, struct str client, int64_t seq);

struct store {
    struct store_limits limits;
    struct answers answers;
    struct deadlines idle; /* sessions that end when nobody uses them */
    struct txn txn;
    struct table spaces, sessions;
    struct space *nowhere; /* empty; stands for spaces that are not there */
    struct space **vacant; /* spaces to look at in store_tidy */
    size_t vacant_count, vacant_capacity, spaces_max;
    int64_t dropped;      /* newest revision that fell off the log of a space that is not there any more */
    struct owned orphans; /* ephemeral keys whose session has ended */
    struct ring log;      /* of all spaces; revisions may have gaps */
    int64_t revision;
    struct journal *journal; /* is told of every change; NULL: none */
    int64_t settled;         /* records up to here are never undone; INT64_MAX without a journal */
    uint64_t births;
    int64_t log_bytes, state_bytes;
    uint64_t wait_serial;
    struct wait *first_scan, *last_scan; /* waits that have log to search */
    bool (*room)(void *ctx);             /* NULL: always */
    void *room_ctx;
    size_t keys, waits, places;
    size_t steps; /* of all conditions so far */
};

static inline struct str entry_key(const struct entry *entry)
{
    return (struct str){entry->key, entry->key_len};
}
/* Something that needed the space is gone. */
void space_vacate(struct space *space);
struct entry *space_entry(struct space *space, struct str key); /* made when it is not there */
struct entry *space_find(const struct space *space, struct str key);
/* The version as of a revision; NULL when there was none. */
const struct version *entry_version(const struct entry *entry, int64_t at);
static inline const struct value *entry_value(const struct entry *entry, int64_t at)
{
    const struct version *version = entry_version(entry, at);
    return version ? version->value : NULL;
}
/* Appends a version (takes value) and keeps the list of live keys; reborn: it counts as inserted now. */
void entry_push(struct entry *entry, int64_t revision, struct value *value, bool reborn);
/* Drops versions that no revision from `oldest` on can see, and the entry itself when nothing needs it any
 * more. */
void entry_trim(struct entry *entry, int64_t oldest);
void entry_drop_if_unused(struct entry *entry);

/* Forgets all changes so far. */
void txn_restart(struct txn *txn);
/* Drops the newest version. */
void entry_pop(struct entry *entry);
/* Makes it the key's present value: version (takes value), size of the state. */
void entry_change(struct entry *entry, int64_t revision, struct value *value, bool reborn);

void log_append(struct store *store, struct record *record);
/* Drops settled records from the old end until the log is within its limit. */
void log_trim(struct store *store);
/* Undoes every record behind the revision, newest first, and what sessions know of them. The revision itself
 * goes back too. */
void store_undo(struct store *store, int64_t revision);
void record_free(struct record *record);
/* Calls the waits whose condition the record meets. */
void waits_wake(struct space *space, const struct record *record);

/* The condition at a revision: the record changes something that it looks at, and it holds afterwards (for
 * `edge`: and did not before). key is the changed key that it is about. */
bool condition_matches(const struct condition *condition, const struct record *record, struct str *key);
/* The first check: it holds as of the revision. */
bool condition_holds(const struct condition *condition, const struct space *space, int64_t at);
bool condition_first_check(const struct condition *condition);
/* Something that it looks at was changed behind `from`, up to `to`. */
bool condition_touched(const struct condition *condition, const struct space *space, int64_t from,
                       int64_t to);
bool glob_match(struct str pattern, struct str text);
uint64_t condition_hash(const struct condition *condition);
/* The only key that it is about; data NULL when there is none. */
struct str condition_key(const struct condition *condition);
/* Calls visit for each key whose change can make it match; false when that can be any key. */
bool condition_keys(const struct condition *condition, void (*visit)(void *ctx, struct str key), void *ctx);

/* A session's place in one space. */
struct place {
    const struct session *session;
    struct space *space;
    int64_t cursor, wrote;
    struct wait *wait;     /* NULL: none */
    int64_t delivered;     /* revision of the event that is not acknowledged yet; -1: none */
    int64_t offered;       /* the same, but known after a restart too, when nobody holds it any more */
    uint64_t offered_hash; /* of its condition */
    watch_found *found;    /* of the wait or the event */
    void *ctx;
    struct check *checks; /* where a condition was answered last; at most CHECKS_MAX, the oldest makes room */
    size_t check_count, check_capacity;
};
struct check {
    uint64_t hash;
    int64_t revision;
};
#define CHECKS_MAX 32
struct session {
    struct deadline idle; /* in store->idle when it ends by itself: when to look whether it is idle */
    int64_t used_ms;
    struct owned owned; /* ephemeral keys */
    int64_t start;
    struct place **places;
    size_t place_count, place_capacity;
    size_t name_len;
    char name[];
};
static inline struct str session_name(const struct session *session)
{
    return (struct str){session->name, session->name_len};
}
/* After records behind the revision were undone. */
void sessions_clamp(struct store *store, int64_t revision);
/* Remembers where the condition was answered; the one that was answered longest ago makes room. */
void place_check(struct place *place, uint64_t hash, int64_t revision);
/* NULL when the session has not entered the space. */
struct place *session_place(const struct session *session, const struct space *space);

/* ---- What the journal is told; nothing happens without one ---- */
void note_record(const struct record *record);
void note_owner(const struct entry *entry);
void note_session(const struct store *store, const struct session *session);
void note_expires(const struct store *store, const struct session *session);
void note_close(const struct store *store, const struct session *session);
void note_place(const struct place *place);
void note_check(const struct place *place, const struct check *check);
void note_answer(const struct store *store, const struct writer *writer, const struct kept *kept);
void note_done(const struct store *store, const struct writer *writer, int64_t seq);

#endif
