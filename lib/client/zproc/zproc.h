/* The C API of zproc's state server: link with -lzproc (pkg-config zproc). The manual page libzproc(3) is
 * made from this header and says what holds for all of it. */
#ifndef ZPROC_ZPROC_H
#define ZPROC_ZPROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a call returns. The numbers stay as they are; later versions may add some. */
enum zp_code {
    ZP_OK = 0,
    ZP_NOT_FOUND = 1,    /* no such key, or nothing at that place of its value */
    ZP_CONFLICT = 2,     /* something else is there: another value, another owner, a session of that name */
    ZP_TYPE = 3,         /* the value at that place is of a type that does not fit */
    ZP_INVALID = 4,      /* the call is wrong: JSON, a name, an expression, an address */
    ZP_TOO_LARGE = 5,    /* past a limit: 16 MiB a message, 64 KiB a key, the server's limit of the state */
    ZP_UNSUPPORTED = 6,  /* the server does not know that operation */
    ZP_DENIED = 7,       /* a reserved namespace, or a socket of another user */
    ZP_UNREACHABLE = 8,  /* nobody listens, or the connection ended; of a write the outcome may be unknown */
    ZP_KEY_REJECTED = 9, /* the secret key does not fit */
    ZP_LOST = 10,        /* no such session, or changes fell off the log before they were seen */
    ZP_TIMEOUT = 11,     /* time is up */
    ZP_BUSY = 12,        /* another watch of the session waits or is not acknowledged, or a queue is full */
    ZP_LOCKED = 13,      /* the namespace is locked */
    ZP_INTERNAL = 14     /* the server or the system failed */
};

/* A connection to a state server, and what the requests over it have in common. */
typedef struct zp_client zp_client;
/* The answer to one request. */
typedef struct zp_reply zp_reply;

/* A length: "up to the NUL byte". */
#define ZP_TEXT ((size_t)-1)
/* A revision: "the newest". */
#define ZP_NOW ((int64_t)-1)
/* A timeout: "without end". */
#define ZP_FOREVER ((int64_t)-1)

/* ---- Connecting ---- */

/* A new client without a connection; free it with zp_client_free(). Never NULL. */
zp_client *zp_client_new(void);
/* Closes the connection and frees the client; what was waiting on it ends. NULL is fine. */
void zp_client_free(zp_client *client);
/* The secret key of the connections that follow: a generated key ("zpk1_...") or a passphrase, which costs
 * 64 MiB and some 50 ms here; NULL for a server without a key. It is copied. ZP_INVALID when it is mistyped.
 */
enum zp_code zp_set_secret_key(zp_client *client, const char *key);
/* The same from a file of one line, which nobody else may read (ZP_DENIED); NULL for a server without a key.
 */
enum zp_code zp_set_key_file(zp_client *client, const char *path);
/* Connects to an address (ipc://PATH, ipc://@NAME, tcp://HOST:PORT) and waits until the server has answered
 * the greeting. An earlier connection of this client is closed first. ZP_UNREACHABLE, ZP_KEY_REJECTED,
 * ZP_DENIED, ZP_INVALID, and ZP_TIMEOUT past the time of zp_set_timeout(). */
enum zp_code zp_connect(zp_client *client, const char *address);
/* Connects as the command zproc does within a run: the address from ZPROC_ADDRESS (ZP_INVALID without it),
 * the namespace from ZPROC_NAMESPACE, the session from ZPROC_SESSION, the secret key from ZPROC_SECRET_KEY
 * (which is taken out of the environment) or ZPROC_KEY_FILE; with ZPROC_RUN a patience of 10 s. Else as
 * zp_connect(). */
enum zp_code zp_connect_env(zp_client *client);
/* Begins to connect and returns at once; zp_step() goes on with it. What zp_send() sends meanwhile leaves as
 * soon as the server has answered the greeting. Only the
 * look-up of a host's name blocks. */
enum zp_code zp_connect_begin(zp_client *client, const char *address);
/* The namespace of the requests that follow; NULL for "default". The name is copied. */
void zp_set_namespace(zp_client *client, const char *name);
/* The session that the writes and watches that follow belong to; NULL for none. It has to be made with
 * zp_session_open() by somebody. The name is copied. */
void zp_set_session(zp_client *client, const char *name);
/* The token that allows to write a reserved namespace, see zp_claim(); NULL for none. It is copied. */
void zp_set_token(zp_client *client, const char *token);
/* How many milliseconds a call may take at most that does not wait by itself, and the greeting of
 * zp_connect(); ZP_FOREVER at first. Past it the call returns ZP_TIMEOUT: the outcome of a write is then
 * unknown. */
void zp_set_timeout(zp_client *client, int64_t timeout_ms);
/* How many milliseconds a call, or zp_step(), tries to reach a server again that went away or is not there
 * yet; 0 at first. It counts from the next connection on. What was not answered is asked again then, for 30 s
 * at most; writes are numbered, so that none is done twice. */
void zp_set_patience(zp_client *client, int64_t patience_ms);

/* ---- Errors ---- */

/* What went wrong in the last call on this client that failed: one sentence in lower case. It is borrowed,
 * until the next call on the client; never NULL. */
const char *zp_message(const zp_client *client);
/* The name of a code as in the protocol ("not_found"); static. */
const char *zp_code_name(enum zp_code code);
/* The revision that the last blocking call which succeeded speaks of: that of a write, or the one at which a
 * read was done; 0 before. */
int64_t zp_revision(const zp_client *client);

/* ---- Replies ---- */

/* Frees a reply and all that was borrowed from it. NULL is fine. */
void zp_reply_free(zp_reply *reply);
/* The value as JSON text, NUL-terminated, and its length in bytes unless len is NULL. It is borrowed from the
 * reply; NULL when it holds no value. */
const char *zp_reply_value(const zp_reply *reply, size_t *len);
/* The revision that the reply speaks of. */
int64_t zp_reply_revision(const zp_reply *reply);
/* The number of the request that it answers, from zp_send(). */
int64_t zp_reply_id(const zp_reply *reply);
/* Whether the request was done: ZP_OK, or why not. Replies of blocking calls are always ZP_OK. */
enum zp_code zp_reply_code(const zp_reply *reply);
/* Why it was not done; borrowed from the reply; empty when it was. */
const char *zp_reply_message(const zp_reply *reply);
/* A text field of the reply's header, such as the key of a watch. It is NUL-terminated and borrowed from the
 * reply; its length goes to len unless that is NULL. NULL when there is no such field. */
const char *zp_reply_text(const zp_reply *reply, const char *field, size_t *len);
/* An integer field of the reply's header, such as pid; bools count as 0 and 1. False when there is no such
 * field; *number is then 0. */
bool zp_reply_number(const zp_reply *reply, const char *field, int64_t *number);
/* The whole header as JSON text of *len bytes, not NUL-terminated; borrowed from the reply. */
const char *zp_reply_header(const zp_reply *reply, size_t *len);

/* ---- Reading ---- */

/* Reads take at, a revision that the log still holds (ZP_NOW: the newest); an older one is ZP_LOST. */

/* The value of a key. ZP_NOT_FOUND when it is absent. */
enum zp_code zp_get(zp_client *client, const char *key, int64_t at, zp_reply **reply);
/* The value of a key, or the given value when it is absent. */
enum zp_code zp_get_or(zp_client *client, const char *key, const char *json, size_t len, zp_reply **reply);
/* The whole namespace as a map, also past 16 MiB: this and the three calls after zp_len() read it in pages of
 * one revision, and begin again when that has fallen off the log before the last of them; ZP_LOST after a few
 * times. */
enum zp_code zp_get_all(zp_client *client, int64_t at, zp_reply **reply);
/* Whether a key is there. */
enum zp_code zp_has(zp_client *client, const char *key, int64_t at, bool *found);
/* The number of keys. */
enum zp_code zp_len(zp_client *client, int64_t at, int64_t *count);
/* The keys as a list, in order of insertion. */
enum zp_code zp_keys(zp_client *client, int64_t at, zp_reply **reply);
/* The values as a list, in order of insertion. */
enum zp_code zp_values(zp_client *client, int64_t at, zp_reply **reply);
/* A list of [key, value], in order of insertion. */
enum zp_code zp_items(zp_client *client, int64_t at, zp_reply **reply);
/* The same in parts, for namespaces past 16 MiB: as many items as fit in an answer, from item number page on
 * (0 is the first). *next is the number to go on with, with zp_revision() of the first part as at, or -1 when
 * that was all. */
enum zp_code zp_items_page(zp_client *client, int64_t at, int64_t page, zp_reply **reply, int64_t *next);
/* The names of all namespaces that have keys, as a sorted list. */
enum zp_code zp_namespaces(zp_client *client, zp_reply **reply);
/* The value of an expression, zproc-expr(7). named is a JSON object of values that it may name,
 * NUL-terminated, or NULL. */
enum zp_code zp_eval(zp_client *client, const char *expression, const char *named, zp_reply **reply);

/* ---- Writing ---- */

/* Each write is one step: it succeeds as a whole and takes the next revision, or fails and changes nothing.
 */

/* Sets a key to a value. */
enum zp_code zp_set(zp_client *client, const char *key, const char *json, size_t len);
/* Sets a key that is removed when the client's session ends; ZP_INVALID without a session. */
enum zp_code zp_set_ephemeral(zp_client *client, const char *key, const char *json, size_t len);
/* Deletes a key; ZP_NOT_FOUND when it is absent. */
enum zp_code zp_del(zp_client *client, const char *key);
/* Deletes several keys in one step, all of which must exist. */
enum zp_code zp_del_keys(zp_client *client, const char *const *keys, size_t count);
/* Sets all keys of a map. */
enum zp_code zp_update(zp_client *client, const char *json, size_t len);
/* Deletes every key. */
enum zp_code zp_clear(zp_client *client);
/* Makes the namespace equal to a map. */
enum zp_code zp_replace(zp_client *client, const char *json, size_t len);
/* Sets a key unless it exists; the reply holds its value then. */
enum zp_code zp_setdefault(zp_client *client, const char *key, const char *json, size_t len,
                           zp_reply **reply);
/* Deletes a key; the reply holds the value that it had. ZP_NOT_FOUND when it is absent. */
enum zp_code zp_pop(zp_client *client, const char *key, zp_reply **reply);
/* The same, but the reply holds the given value when the key is absent. */
enum zp_code zp_pop_or(zp_client *client, const char *key, const char *json, size_t len, zp_reply **reply);
/* Deletes the key that was inserted last; the reply holds [key, value]. ZP_NOT_FOUND when there is none. */
enum zp_code zp_popitem(zp_client *client, zp_reply **reply);
/* Adds a number to a key, where an absent one counts as 0; the reply holds the sum. ZP_TYPE when it is no
 * number; past 64 bits it is an error. */
enum zp_code zp_incr(zp_client *client, const char *key, const char *json, size_t len, zp_reply **reply);
/* Appends a value to a list, where an absent key counts as []; the reply holds the list. */
enum zp_code zp_append(zp_client *client, const char *key, const char *json, size_t len, zp_reply **reply);
/* Appends all items of a list to a list, where an absent key counts as []; the reply holds the list. */
enum zp_code zp_extend(zp_client *client, const char *key, const char *json, size_t len, zp_reply **reply);
/* Removes the first item that equals the value from a list; the reply holds the list. ZP_NOT_FOUND without
 * one. */
enum zp_code zp_remove(zp_client *client, const char *key, const char *json, size_t len, zp_reply **reply);
/* Applies a JSON Patch (RFC 6902) to the namespace, all of it or nothing. */
enum zp_code zp_patch(zp_client *client, const char *json, size_t len);
/* Applies a JSON Merge Patch (RFC 7396) to the namespace. */
enum zp_code zp_merge(zp_client *client, const char *json, size_t len);
/* Carries out assignments, zproc-expr(7), such as "a = a + 1; b = [a]", all of them or none. The reply holds
 * the value assigned, or of several an object. named is as for zp_eval(). */
enum zp_code zp_atomic(zp_client *client, const char *assignments, const char *named, zp_reply **reply);
/* Sets a key if its value equals json_old. ZP_CONFLICT when it has another or is absent. Both values are
 * NUL-terminated. */
enum zp_code zp_cas(zp_client *client, const char *key, const char *json_old, const char *json_new);
/* Sets a key if it is absent; else ZP_CONFLICT. */
enum zp_code zp_cas_absent(zp_client *client, const char *key, const char *json, size_t len);
/* Sets a key if it was last changed at this revision; else ZP_CONFLICT. */
enum zp_code zp_cas_at(zp_client *client, const char *key, int64_t revision, const char *json, size_t len);

/* ---- Transactions ---- */

/* Conditions, and what to do when they hold. All that is 0 or NULL means the default, so begin with {0} ({}
 * in C++). Everything is borrowed for the call only. */
typedef struct zp_txn_spec {
    const char *const
        *conditions; /* condition_count expressions, which must all be true; an error is false */
    size_t condition_count;
    const char *then_do; /* assignments as for zp_atomic() when they hold */
    const char *else_do; /* the same for when they do not */
    const char *named;   /* as for zp_eval() */
    bool wait;           /* wait until the conditions hold; first come first served */
    bool ephemeral;      /* the keys that are set are removed when the session ends */
} zp_txn_spec;

/* Tests the conditions and carries out the assignments in one step. The reply holds what was assigned, as
 * with zp_atomic(), and the field held. ZP_CONFLICT when the conditions do not hold and nothing is to be done
 * then; ZP_TIMEOUT when they did not within timeout_ms, which counts with wait only. */
enum zp_code zp_txn(zp_client *client, const zp_txn_spec *spec, int64_t timeout_ms, zp_reply **reply);

/* ---- Locking ---- */

/* A lock is for read-modify-writes that take a while. Meanwhile writes of other clients wait; reads do not.
 */

/* Waits up to timeout_ms for the client's namespace and locks it; the reply holds all of it as a map. The
 * lock is lost when the connection ends, or when it was not renewed for the reply's field lease_ms. One lock
 * a client at a time: ZP_BUSY. This client's own writes to the namespace are ZP_LOCKED until zp_commit() or
 * zp_abort(). */
enum zp_code zp_lock(zp_client *client, int64_t timeout_ms, zp_reply **reply);
/* Begins the time of the lock anew. ZP_CONFLICT when it is lost. */
enum zp_code zp_renew(zp_client *client);
/* Makes the locked namespace equal to a map and unlocks it. ZP_CONFLICT when the lock is lost; nothing is
 * changed. */
enum zp_code zp_commit(zp_client *client, const char *json, size_t len);
/* Sets the keys of a map in the locked namespace, deletes count others, and unlocks it: for a state past 16
 * MiB, of which a message only holds what changes. As zp_commit(); ZP_NOT_FOUND when a key to delete is
 * absent. */
enum zp_code zp_commit_changes(zp_client *client, const char *json, size_t len, const char *const *deleted,
                               size_t count);
/* Unlocks the namespace and leaves it as it was. ZP_CONFLICT when the lock is lost. */
enum zp_code zp_abort(zp_client *client);

/* ---- Watching ---- */

/* What a watch waits for, and which operands it takes. */
enum zp_condition {
    ZP_CHANGE = 0,    /* one of keys changes; without keys: anything changes */
    ZP_EXCLUDE = 1,   /* something else than keys changes */
    ZP_WHEN = 2,      /* expression is true after a change of what it reads */
    ZP_EQUAL = 3,     /* key equals json */
    ZP_NOT_EQUAL = 4, /* key is there and differs from json */
    ZP_NONE = 5,      /* key is null */
    ZP_NOT_NONE = 6,  /* key is there and not null */
    ZP_AVAILABLE = 7, /* key is added */
    ZP_TRUTHY = 8,    /* key is none of null, false, 0, "", [], {} */
    ZP_FALSY = 9,     /* key is one of these */
    ZP_PREFIX = 10,   /* a key that begins with key changes */
    ZP_GLOB = 11      /* a key that fits the pattern key changes: * ? [a-z] */
};

/* What the reply of a watch holds as its value. */
enum zp_want {
    ZP_WANT_EVENT = 0,   /* the revision with its changes, zproc-protocol(7) */
    ZP_WANT_VALUE = 1,   /* the value of the key that matched; none when it was deleted */
    ZP_WANT_SNAPSHOT = 2 /* the namespace as of the revision */
};

/* A watch. All that is 0 or NULL means the default, so begin with {0} ({} in C++). Everything is borrowed for
 * the call only. */
typedef struct zp_watch_spec {
    enum zp_condition condition;
    enum zp_want want;
    const char *key;
    const char *const *keys; /* key_count of them */
    size_t key_count;
    const char *expression;
    const char *json; /* NUL-terminated; for ZP_WHEN named values as for zp_eval() */
    bool live;        /* start at the newest revision, not at the session's cursor */
    bool next;        /* skip the first check: wait for the next change even if the condition holds */
    bool duplicates;  /* writes that change nothing count too */
    bool edge;        /* only when the condition turns true; streams always do so but for level */
    bool level;       /* streams: at each change after which the condition holds */
    bool paged;     /* zp_send_watch(), zp_send_stream(): of a snapshot past 16 MiB the first page comes, with
                       the field next: the rest is asked for with the operation get, its fields page and at */
    bool has_after; /* start behind the revision after; 0: at the oldest that is kept */
    int64_t after;
} zp_watch_spec;

/* Waits up to timeout_ms milliseconds (0: only for what is there already) for the next revision that matches,
 * else ZP_TIMEOUT. The reply has its revision, the value that was wanted, and the fields key (text), deleted
 * and first. Without a session a watch starts at now. With one it starts at the session's cursor; zp_ack()
 * moves that, and until then the next watch is ZP_BUSY. ZP_LOST: some changes fell off the log; the cursor
 * now stands behind them. */
enum zp_code zp_watch(zp_client *client, const zp_watch_spec *spec, int64_t timeout_ms, zp_reply **reply);
/* Says that the event of a revision was dealt with: the session's cursor moves to it. */
enum zp_code zp_ack(zp_client *client, int64_t revision);
/* Moves the session's cursor to the newest revision. */
enum zp_code zp_go_live(zp_client *client);
/* Makes a session whose cursors start at a revision (ZP_NOW: the newest); ZP_CONFLICT when it exists. It
 * stays when the client goes. To use it: zp_set_session(). */
enum zp_code zp_session_open(zp_client *client, const char *name, int64_t revision);
/* The same for a session that ends by itself when nobody has used it for an hour; it starts at the newest
 * revision. */
enum zp_code zp_session_open_temporary(zp_client *client, const char *name);
/* Forgets a session; its watches end with ZP_LOST. */
enum zp_code zp_session_close(zp_client *client, const char *name);

/* ---- Services ---- */

/* Asks a service and waits for its answer, which the reply holds. json may be NULL. ZP_NOT_FOUND when nobody
 * serves it; the service's own errors. */
enum zp_code zp_call(zp_client *client, const char *service, const char *json, size_t len, int64_t timeout_ms,
                     zp_reply **reply);
/* Waits for the next call to a service, which is this connection's from the first zp_serve() on. The reply,
 * which must not be NULL, holds what was asked; *call is the number to answer with. ZP_CONFLICT when somebody
 * else serves it. */
enum zp_code zp_serve(zp_client *client, const char *service, int64_t timeout_ms, zp_reply **reply,
                      int64_t *call);
/* Answers a call. json may be NULL. */
enum zp_code zp_answer(zp_client *client, int64_t call, const char *json, size_t len);
/* Answers a call with an error. */
enum zp_code zp_answer_error(zp_client *client, int64_t call, enum zp_code code, const char *message);
/* Becomes the owner of the client's namespace, which must be a reserved one, until the connection ends; the
 * token is set as with zp_set_token(). ZP_CONFLICT while another owns it. */
enum zp_code zp_claim(zp_client *client);

/* ---- The server ---- */

/* Facts as fields of the reply: version, pid, protocol_min, protocol_max, store, durability. */
enum zp_code zp_hello(zp_client *client, zp_reply **reply);
/* Sends a value (or NULL) there and back; the reply also has the field pid. */
enum zp_code zp_ping(zp_client *client, const char *json, size_t len, zp_reply **reply);
/* Figures of the server as a map. */
enum zp_code zp_stats(zp_client *client, zp_reply **reply);

/* ---- Any request ---- */

/* Does any operation of zproc-protocol(7) by its name. fields is a JSON object of its header's fields (NULL:
 * none); v, id, op, client, seq and done are the library's and ZP_INVALID there. Namespace, session and token
 * come from the client unless they are given. json is the value, or NULL. An operation that this version of
 * the library does not know is ZP_UNSUPPORTED. */
enum zp_code zp_request(zp_client *client, const char *op, const char *fields, const char *json, size_t len,
                        zp_reply **reply);

/* ---- Event loops ---- */

/* The descriptor to poll, -1 without a connection. It is the library's; do not close it. It changes with
 * every connection that is made by zp_connect(), and without patience by a blocking call. */
int zp_fd(const zp_client *client);
/* What to poll it for: POLLIN and, while something is to be sent, POLLOUT. It may change with every call. */
short zp_events(const zp_client *client);
/* Reads and writes what is possible without waiting. With zp_set_patience() it also connects again when the
 * connection has ended, and asks again what was not answered; what cannot be asked twice (streams, calls and
 * such) gets a reply that is ZP_UNREACHABLE, and so does what got no answer in that time: of a write "outcome
 * unknown". On failure the connection is of no use any more: connect again, and send again what has no reply.
 */
enum zp_code zp_step(zp_client *client);
/* Sends a request as zp_request() does, without waiting. The reply will have the number *id. */
enum zp_code zp_send(zp_client *client, const char *op, const char *fields, const char *json, size_t len,
                     int64_t *id);
/* Sends a watch without waiting. The reply will have the number *id; ZP_TIMEOUT is a reply too. */
enum zp_code zp_send_watch(zp_client *client, const zp_watch_spec *spec, int64_t timeout_ms, int64_t *id);
/* The next reply that has arrived, in no order; the caller frees it. NULL when there is none. Call it until
 * then after each zp_step(). */
zp_reply *zp_next(zp_client *client);
/* Waits up to timeout_ms for the reply to the request of this number, and leaves others to zp_next(). As with
 * blocking calls a request that was not done is its code here. ZP_INVALID when no such request is unanswered;
 * what was sent before the connection ended is not. */
enum zp_code zp_wait(zp_client *client, int64_t id, int64_t timeout_ms, zp_reply **reply);
/* Begins a watch that goes on: up to credit events, then as many as zp_credit() adds, arrive as replies with
 * the number *id. A reply with the field lost tells how many revisions fell off the log before. The stream
 * ends with a reply that is not ZP_OK, with zp_cancel(), or with the connection; to go on behind the last
 * event begin another one with after. */
enum zp_code zp_send_stream(zp_client *client, const zp_watch_spec *spec, int64_t credit, int64_t *id);
/* Lets credit more events of a stream come (0: none), and acknowledges its events up to a revision as
 * zp_ack() does (ZP_NOW: none). Blocks for the answer; an event loop that must not sends the operation credit
 * with zp_send(). */
enum zp_code zp_credit(zp_client *client, int64_t id, int64_t credit, int64_t acknowledged);
/* Ends a request that waits (a watch, a call); it is not answered any more. Blocks for the answer to this. */
enum zp_code zp_cancel(zp_client *client, int64_t id);

/* ---- Strings ---- */

/* A JSON string, quotes included, for len bytes of UTF-8. The caller frees it with free(). NULL when the text
 * is not valid UTF-8. */
char *zp_quote(const char *text, size_t len);
/* The text of a JSON string, NUL-terminated, and its length in *text_len unless that is NULL. The caller
 * frees it with free(). NULL when the JSON is not a string. */
char *zp_unquote(const char *json, size_t len, size_t *text_len);

#ifdef __cplusplus
}
#endif

#endif
