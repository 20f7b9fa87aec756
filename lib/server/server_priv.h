/* What the files of this folder share: the transport's five functions, peers, parked requests, replies. */
#ifndef ZPROC_SERVER_PRIV_H
#define ZPROC_SERVER_PRIV_H

#include "server.h"
#include "store.h"
#include "wire.h"

#include <stdatomic.h>

#define BATCH_COUNT    256           /* requests that are taken at once */
#define BATCH_TURNS    16            /* before other things than requests are looked at */
#define BATCH_BYTES    (1024 * 1024) /* of requests, and of their answers, that end a batch */
#define DRAIN_MS       200           /* that the end waits for the search of the log */
#define PEER_HOLDS_MAX 1024          /* claims and services of a connection */

/* ---- Transport: libzmq behind five functions (bind, receive, send, gone, poll) ---- */

struct transport;

/* One request as it came; the views are good until the next receive. */
struct frames {
    struct str identity, header, value; /* header.data is NULL when it has not the protocol's form, value.data
                                           without a value frame */
    bool excess;                        /* more frames than a request has; the rest was thrown away */
    int fd;                             /* of the connection */
};
enum send_result { SEND_DONE, SEND_STALLED, SEND_GONE };

/* Raises the limit of descriptors; from then on, what is accepted goes through gate.c. keyed: only those with
 * a key are let in. ERR_INTERNAL when there are too few. */
bool gate_open(bool keyed, struct err *err);
struct transport *transport_bind(const struct server_options *options, struct buf *address, struct err *err);
void transport_close(struct transport *transport);
/* The next whole request; false when there is none now. */
bool transport_receive(struct transport *transport, struct frames *frames);
/* A message to a peer. header.data NULL: a frame that every client ignores, to learn whether the peer is
 * there.
 */
struct parcel {
    struct str identity;
    int fd;            /* of its connection */
    struct str header; /* value.data NULL: there is no value frame */
    struct str value;
    struct blob *blob; /* where the value lies, which is sent from there; NULL: it is copied */
};
/* Never blocks. SEND_STALLED also while the peer has not taken enough of what it got before. */
enum send_result transport_send(struct transport *transport, const struct parcel *message);
/* Ends the connection that has taken nothing for the longest time, and for a while at least. */
void transport_evict(struct transport *transport, int64_t now);
/* The descriptor of the next connection that has ended; false when there is none. */
bool transport_gone(struct transport *transport, int *fd);
/* This descriptor belongs to a connection that has not ended. */
bool transport_alive(struct transport *transport, int fd);
void transport_disconnect(int fd);
/* Waits for requests, ended connections or stop_fd. False when it is time to stop. timeout_ms <0: no end. */
bool transport_poll(struct transport *transport, int stop_fd, int64_t timeout_ms, struct err *err);

/* ---- Connections that are refused, or ended for what they do ---- */

enum refusal {
    REFUSAL_USER,
    REFUSAL_FULL,
    REFUSAL_PROTOCOL,
    REFUSAL_SIZE,
    REFUSAL_STALLED,
    REFUSAL_KEY,
    REFUSAL_UNREAD
};
/* Counts one, and says the first of its kind on stderr. From any thread. */
void refusal_note(enum refusal kind);
/* A map: how many of each kind. The caller's. */
struct value *refusal_figures(void);

/* ---- Peers: connections that something is kept for: a parked request, an unacknowledged event, a claim, a
 * service, an answer that could not be sent. Others leave no trace. ---- */

struct parked;
struct peer {
    struct deadline timer; /* the next try to send, or to see whether it is gone */
    struct parked *parked; /* of this connection */
    size_t parked_count, parked_bytes;
    int fd;
    struct peer *fd_previous, *fd_next; /* others of this descriptor, which may have been used again */
    size_t holds;                       /* claims and services, besides parked ones */
    /* Stalled: it does not read its answers. */
    struct buf unsent, held; /* messages: answers to send, requests to execute afterwards */
    size_t unsent_bytes;     /* of these answers, with values that lie elsewhere */
    size_t backlog;          /* of both buffers, as counted in the server's backlog_bytes */
    size_t held_count;
    int64_t stalled_since, retry_ms; /* stalled_since 0: it reads and nothing is held */
    int gone_tries;                  /* > 0: its connection seems to have ended */
    size_t identity_len;
    char identity[];
};

/* A request that waits, or an event that was delivered to a session and is not acknowledged yet. */
enum parked_kind {
    PARKED_WATCH,
    PARKED_STREAM,
    PARKED_DELIVERED,
    PARKED_SERVE,
    PARKED_CALL,
    PARKED_LOCK,
    PARKED_WRITE,
    PARKED_TXN,
    PARKED_BEHIND
};
enum want { WANT_VALUE, WANT_EVENT, WANT_SNAPSHOT };
struct parked {
    struct deadline timer; /* its deadline */
    enum parked_kind kind;
    struct server *server;
    struct peer *peer;
    struct parked *previous, *next;
    int64_t id;              /* of the request */
    struct space *space;     /* PARKED_WATCH, PARKED_STREAM, PARKED_DELIVERED */
    struct session *session; /* that it is the holder of; NULL: none */
    struct wait *wait;       /* PARKED_WATCH, PARKED_STREAM */
    struct buf path;         /* PARKED_WATCH, PARKED_STREAM: what is wanted of the key's value; empty: all */
    enum want want;          /* PARKED_WATCH, PARKED_STREAM */
    bool paged;              /* PARKED_WATCH, PARKED_STREAM, PARKED_LOCK: of a snapshot the first page */
    bool ended;              /* PARKED_STREAM: by its first event */
    struct service *service; /* PARKED_SERVE */
    struct calls *calls;     /* PARKED_CALL: the list that it stands in */
    struct parked *calls_previous, *calls_next;
    struct value *value; /* PARKED_CALL: what is asked */
    int64_t call;        /* PARKED_CALL: its number */
    struct lock *lock;   /* PARKED_LOCK, PARKED_WRITE: what it waits for */
    struct parked *lock_previous, *lock_next;
    char *inside; /* PARKED_LOCK, PARKED_WRITE: tokens of the locks that it runs inside of; NULL: none */
    struct buf message; /* PARKED_WRITE, PARKED_BEHIND: the request as it came */
    size_t bytes;       /* that it takes */
    char *client; /* PARKED_WRITE, PARKED_TXN: it is numbered, and this is who numbers; NULL: it is not */
    struct demand *demand; /* PARKED_TXN */
};
struct calls {
    struct parked *first, *last;
};

/* A name that answers calls. */
struct service {
    struct peer *peer;          /* who registered it */
    struct parked *serving;     /* the parked serve; NULL: it is at work */
    struct calls queued, asked; /* calls that nobody has taken yet; those handed out and not answered */
    size_t name_len;
    char name[];
};
struct claim {
    struct peer *peer;
    char token[33];
    size_t ns_len;
    char ns[];
};

struct server {
    struct transport *transport;
    struct store *store;
    struct journal *journal; /* NULL: the state is in memory */
    struct buf address;
    char store_id[33];
    struct deadlines timers_peer, timers_parked, timers_lock;
    struct table peers; /* by identity */
    struct peer **fds;  /* by descriptor: the first of its peers */
    size_t fd_count;
    struct table services;    /* by name */
    struct table claims;      /* by namespace */
    struct table locks;       /* by namespace; while somebody holds it or waits */
    size_t waiting_bytes;     /* of writes that wait for locks */
    struct buf out;           /* answers of this batch */
    struct buf header, value; /* the answer that is being made */
    bool has_value;
    struct blob *blob;        /* its value, when it lies there and not in `value` */
    struct table shared;      /* texts that further answers may need, by share_key */
    int64_t sweep_at;         /* when to forget those that nobody needs any more */
    atomic_size_t blob_bytes; /* of all texts */
    size_t blob_out;          /* of those in this batch's answers */
    size_t backlog_bytes;     /* of what is kept for stalled peers */
    size_t parked_bytes;      /* of what parked requests came with */
    int64_t evict_at;         /* not to end a connection for taking nothing before */
    int64_t reply_id;
    struct deadlines demands; /* waiting transactions to try again, in order of arrival */
    size_t demand_turn,
        demand_left; /* effort that a turn of the loop may spend on them; what is left of it */
    struct table
        numbered_demands; /* by client and number: a copy of a request takes the place of the first one */
    int64_t calls, requests, started_ms;
    int64_t demand_serial;
    size_t parked_count, stalled_count;
};

/* A request that is being executed. */
struct job {
    struct server *server;
    const struct frames *frames;
    struct request request;
    struct value *value; /* of the value frame; NULL: none */
    struct str ns;
    struct space *space;     /* to read from; to write or to watch only after job_enter */
    struct session *session; /* that the request names; NULL: none or not there */
    bool numbered;           /* its answer is kept, so that a copy of it is not done again */
    bool unknown;            /* it fails, and nobody knows whether it will turn out to have been done */
    int64_t missed;          /* it fails as lost: so many revisions are gone */
    bool resumed;            /* it has waited for a lock */
};

/* ---- Large values as text, which answers share ---- */

#define SHARE_MIN 4096 /* bytes */
struct blob;
/* Takes the text out of the buffer. */
struct blob *blob_take(struct server *server, struct buf *text);
struct blob *blob_ref(struct blob *blob); /* NULL gives NULL */
void blob_unref(struct blob *blob);       /* from any thread; NULL is fine */
struct str blob_str(const struct blob *blob);

/* What a text says: a value, the event of a revision, or a namespace as of a revision. */
enum share_kind { SHARE_VALUE, SHARE_EVENT, SHARE_SNAPSHOT, SHARE_PAGE };
struct share_key {
    uint64_t kind;    /* no padding: its bytes are compared */
    const void *what; /* the value, the space */
    int64_t revision;
};
/* Takes the value of the reply that is being made from a text that is there. next (may be NULL): of a page.
 */
bool shared_find(struct server *server, const struct share_key *key, int64_t *next);
/* The value of the reply was printed: when it is large it is kept for others. value: what the key is about,
 * NULL when that is no value. */
void shared_put(struct server *server, const struct share_key *key, const struct value *value, int64_t next);
/* When shared_sweep has something to do; -1: never. */
int64_t shared_due(const struct server *server);
void shared_sweep(struct server *server, int64_t now);
void shared_release(struct server *server);

struct peer *peer_find(struct server *server, struct str identity);
/* Made when it is not there. NULL when the connection has already ended. */
struct peer *peer_get(struct server *server, const struct frames *frames);
/* Forgets it when nothing is kept for it any more. */
void peer_drop_if_unused(struct server *server, struct peer *peer);
/* The connection has ended: everything of it is undone. */
void peer_gone(struct server *server, struct peer *peer);
/* Takes in which connections have ended. */
void peers_look(struct server *server);
/* The connections of a descriptor may have ended: each is looked at, now and a few times more. */
void peers_suspect(struct server *server, int fd);
/* Timers that are due: sending again, looking again whether it is there. */
void peers_timer(struct server *server, int64_t now);
/* A request of a stalled peer is kept for later; true when it was. */
bool peer_hold(struct server *server, const struct frames *frames);
/* A header and a value at the end of a buffer; and read back at pos, which moves behind them. */
void message_store(struct buf *buf, struct str header, struct str value);
void message_load(const struct buf *buf, size_t *pos, struct str *header, struct str *value);
/* Sends the answers of the batch; that may make more. */
void answers_flush(struct server *server);
/* Those that speak of what could not be saved become failures whose outcome is unknown. */
void answers_fail(struct server *server, const struct err *why);

/* ---- What outlives the server ---- */

bool persist_open(struct server *server, const struct server_options *options, struct err *err);
/* Saves what the batch changed, then sends its answers. */
void server_settle(struct server *server);
/* The request may change what is kept. */
bool persist_ready(struct server *server, const struct request *request, struct err *err);
/* Adds its figures to the map. */
void persist_figures(const struct server *server, struct value *map);
enum durability server_durability(const struct server *server);

/* ---- Replies: begin, fields, send. ---- */
void reply_begin(struct server *server, int64_t id, int64_t revision);
void reply_int(struct server *server, const char *name, int64_t i);
void reply_bool(struct server *server, const char *name, bool b);
void reply_str(struct server *server, const char *name, struct str s);
void reply_value(struct server *server, const struct value *value); /* the value frame; borrowed */
/* The event of a record. */
void reply_event(struct server *server, const struct record *record);
/* The value frame so far; data NULL: there is none. */
struct str reply_text(const struct server *server);
/* The namespace as a map: all of it, or its first page and, when there are more, the field next. */
void reply_snapshot(struct server *server, const struct space *space, int64_t at, bool paged);
void reply_send(struct server *server, struct str identity, int fd);
void reply_error(struct server *server, struct str identity, int fd, int64_t id, const struct err *err);
/* Begins a reply of failure; fields may follow. */
void reply_fail(struct server *server, int64_t id, enum err_code code, const char *message);
/* The reply to a job: begin, then fields, then send; or all at once (value may be NULL). */
void job_begin(struct job *job, int64_t revision);
bool job_send(struct job *job);
bool job_answer(struct job *job, int64_t revision, const struct value *value);
/* This batch has enough answers. */
static inline bool server_full(const struct server *server)
{
    return server->out.len + server->blob_out >= BATCH_BYTES;
}
/* Puts a message into the batch's answers; blob: where the value lies, NULL: it is copied. */
void answer_queue(struct server *server, struct str identity, int fd, struct str header, struct str value,
                  struct blob *blob);
void random_hex(char out[33]);
/* Makes the namespace when it is not there, and the session's cursor in it. */
bool job_enter(struct job *job, struct err *err);
/* Makes the namespace when it is not there; the session will have room for a cursor in it. */
bool job_may_write(struct job *job, struct err *err);

/* The value frame holds named values for expressions, or there is none. */
bool job_args_valid(const struct job *job, struct err *err);
/* The request asks for no page, or for the first one. */
bool page_first_check(const struct job *job, struct err *err);
/* What a write does within its transaction; *answer may be set to a reference of the value to answer. */
typedef bool change(struct job *job, struct txn *txn, struct value **answer, struct err *err);
/* Keeps the reply that was just sent for a copy of this numbered request. */
void answer_keep_sent(struct server *server, struct str client, int64_t seq);
/* The whole of a write: checks, transaction, revision, answer. */
bool job_write(struct job *job, change *apply, struct err *err);

/* ---- Parking ---- */

/* NULL with ERR_BUSY past the limits; NULL with ERR_NONE when the connection has ended meanwhile: there is
 * nobody to answer. */
struct parked *parked_new(struct job *job, enum parked_kind kind, struct err *err);
void parked_free(struct parked *parked);
/* The job's request is numbered: requests with higher numbers may be answered before it. */
void parked_expect(struct parked *parked, const struct job *job);
/* Answers the request with `lost` and forgets it. */
void parked_lose(struct parked *parked, int64_t missed);
/* Answers the request with an error and forgets it. */
void parked_fail(struct parked *parked, enum err_code code, const char *message);
/* The time of a watch or a stream is up: it ends now, or when it has searched what is there. */
void parked_expire(struct parked *parked);
/* Executes the request, which has waited, and forgets that it did. */
void parked_resume(struct parked *parked);
/* Deadlines that have come. */
void parked_timer(struct server *server, int64_t now);

/* ---- Handlers: each answers the job or fails. ---- */
typedef bool handler(struct job *job, struct err *err);
#define OP(name, kind, fields, value, help) handler handle_##name;
#include "ops.def"
void request_execute(struct server *server, const struct frames *frames);
/* The same for one that has waited, for a lock or behind a connection that ends. */
void request_resume(struct server *server, const struct frames *frames);

/* What a watch or a stream asks for. Acknowledges what it acknowledges. */
struct watch_request {
    struct condition condition;
    struct watch_start start;
    enum want want;
    bool paged;
};
bool watch_read(struct job *job, struct watch_request *watch, struct err *err);
/* The session's last watch seems to have ended with its connection, and that is not sure yet: the request is
 * executed again when it may be. False: there is nothing to wait for. */
bool session_settles(struct job *job, struct err *err);
/* Answers with the event; false when it does not fit into an answer: then that was answered. */
bool event_send(struct parked *parked, const struct watch_event *event);
/* Streams of a peer that does not read its answers are held back. */
void streams_pause(struct peer *peer, bool pause);
/* From now on no more answers are made at once than a batch may have. */
void server_share(struct server *server);
/* Searches the log for those who wait, for a moment. */
void server_search(struct server *server);

/* Removes the ephemeral keys of ended sessions, but not from a namespace that is locked. */
void orphans_remove(struct server *server);
/* The request may make keys ephemeral, or does not ask for it. */
bool ephemeral_check(const struct job *job, struct err *err);
/* A turn of the loop begins: as much effort may be spent on waiting transactions again. */
void demands_turn(struct server *server);
/* Tries the waiting transactions whose keys have changed, until nothing more happens or this turn has done
 * enough for them. */
void demands_try(struct server *server);
/* The parked transaction ends without an answer. */
void demand_end(struct parked *parked);
/* The watch, or the unacknowledged event, has ended without an answer or an acknowledgement. */
void watch_end(struct parked *parked);
/* The service has lost its connection: who waits for it is told. */
void service_end(struct server *server, struct service *service);
/* The parked serve or call leaves its service. */
void service_unpark(struct parked *parked);
/* The write is to a free namespace, or has the token of its owner. */
bool claim_check(const struct job *job, struct err *err);
void claims_end(struct server *server, struct peer *peer);

/* ---- Locks ---- */

/* A write to a namespace that is locked waits (*waits), or is refused. */
bool lock_admit(struct job *job, bool *waits, struct err *err);
/* Somebody has the namespace for itself. */
bool lock_is_held(const struct server *server, struct str ns);
/* What waits leaves the queue. */
void lock_unpark(struct parked *parked);
/* The connection has ended. */
void locks_end(struct server *server, const struct peer *peer);
/* Leases that have ended, and queues that go on. */
void locks_timer(struct server *server, int64_t now);
void locks_release(struct server *server);

#endif
