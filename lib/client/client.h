/* A client of the state server, for zproc's own programs: requests and answers over one connection, blocking
 * or driven by an event loop. (The public C API, <zproc/zproc.h>, stands on it.) */
#ifndef ZPROC_CLIENT_H
#define ZPROC_CLIENT_H

#include "wire.h"

struct client;

/* A reply: {0} is empty. `fields` is the header's map; value is the value frame's text, data NULL without
 * one. */
struct reply {
    bool ok;
    int64_t id, rev;
    struct err error;       /* when not ok */
    struct value *fields;   /* owned */
    struct message message; /* owned; value is borrowed from it */
    struct str value;
};
void reply_release(struct reply *reply);
/* A field of the header: borrowed, NULL when absent. */
const struct value *reply_field(const struct reply *reply, const char *name);

/* Connects and waits for the handshake. secret (copied): NULL for a server without a key. patience_ms > 0:
 * tries again until then while nobody listens (a client within a run: 10 s). ERR_UNREACHABLE "cannot reach
 * the state server at ADDRESS: …", ERR_KEY_REJECTED, ERR_INVALID. */
struct client *client_open(const char *address, const struct secret *secret, int64_t patience_ms,
                           struct err *err);
/* The same, but a server that does not go through the handshake within timeout_ms is ERR_TIMEOUT. */
struct client *client_open_within(const char *address, const struct secret *secret, int64_t timeout_ms,
                                  int64_t patience_ms, struct err *err);
/* Begins to connect; client_step goes through the handshake, and what client_send sends leaves after it. */
struct client *client_begin(const char *address, const struct secret *secret, struct err *err);
void client_close(struct client *client); /* NULL is fine */

/* Fills in v and id (and client and seq for ops that write), sends, waits for the answer. False when there is
 * none: ERR_UNREACHABLE, ERR_TIMEOUT … A reply with ok false is an answer: true. timeout_ms < 0: no end. */
bool client_ask(struct client *client, struct request *request, struct str value, int64_t timeout_ms,
                struct reply *reply, struct err *err);
/* Like client_ask, but an answer that is not ok is a failure too: err is the server's. */
bool client_do(struct client *client, struct request *request, struct str value, int64_t timeout_ms,
               struct reply *reply, struct err *err);

/* ---- Answers in pages: how large a namespace may be is not limited by a frame ---- */

/* Like client_do for get (without a key), keys, values and items: asks for one page after the other, all of
 * one revision, and answers as if it had been one. When that revision falls off the log before its last page
 * was read, it begins again at the newest, a few times, unless the request says at: then ERR_LOST. */
bool client_do_all(struct client *client, struct request *request, int64_t timeout_ms, struct reply *reply,
                   struct err *err);
/* The same step by step, for a snapshot whose first page came with a lock or an event. */
struct pages {
    struct buf json; /* of those that are there */
    int64_t rev;     /* that they are of */
    int64_t next;    /* entry that the next one begins with; -1: all are there */
};
void pages_add(struct pages *pages, const struct reply *reply);
/* The request for the next page; ns.data NULL: of the default namespace. */
void pages_request(const struct pages *pages, struct request *request, struct str ns);
/* All pages become the value of the reply that the first one came with. Releases pages. */
void pages_give(struct pages *pages, struct reply *reply);
void pages_release(struct pages *pages);

/* ---- For event loops ---- */

/* From now on client_step deals with the end of the connection: for patience_ms, 30 s at most, it connects
 * again, and asks again what was not answered. What must not be asked twice, and what was lost again and
 * again for 30 s, is answered by a reply of our own: not ok, ERR_UNREACHABLE, of a write "outcome unknown".
 * client_fd stays the same. */
bool client_resends(struct client *client, int64_t patience_ms, struct err *err);
int client_fd(const struct client *client);
short client_events(const struct client *client);
/* Reads and writes what is possible. False: the connection is gone (err says how). */
bool client_step(struct client *client, struct err *err);
/* Sends without waiting; returns the id that the reply will carry, 0 with err on failure. */
int64_t client_send(struct client *client, struct request *request, struct str value, struct err *err);
/* Whether the answer to what client_send sent may still arrive. */
bool client_awaits(const struct client *client, int64_t id);
/* What client_send sent will not be answered, or nobody waits for it any more. */
void client_forget(struct client *client, int64_t id);
/* The same for a request that is answered more than once: until an answer is not ok. */
int64_t client_stream(struct client *client, struct request *request, struct str value, struct err *err);
/* The next reply that has arrived, whatever it answers. False when there is none. */
bool client_next(struct client *client, struct reply *reply);

#endif
