/* What the files of the public API share: its objects, and the way of every request. */
#ifndef ZPROC_API_PRIV_H
#define ZPROC_API_PRIV_H

#include "client.h"
#include "zproc/zproc.h"

#define NO_VALUE ((struct str){0})

struct zp_client {
    struct client *link;   /* NULL: not connected */
    pid_t owner;           /* the process that connected */
    struct secret *secret; /* NULL: no key */
    char *ns, *session, *token;
    char *lock_ns, *lock_token; /* NULL: no lock */
    int64_t timeout_ms, patience_ms;
    int64_t revision;
    zp_reply **kept; /* arrived while zp_wait waited for another */
    size_t kept_count, kept_capacity;
    struct err err;
};

struct zp_reply {
    struct reply reply;
};

/* The length of what a caller handed in; NULL has no value. */
static inline struct str api_str(const char *text, size_t len)
{
    return (struct str){text, text && len == ZP_TEXT ? strlen(text) : len};
}
/* Sets key, and path behind "#/". */
void api_key(struct request *request, const char *key);
/* Below 0: without end. */
void api_timeout(struct request *request, int64_t timeout_ms);
/* Forgets the lock. */
void api_unlocked(zp_client *client);
/* A list of keys or expressions for a request, to be unreffed after it; NULL with client->err. */
struct value *api_list(zp_client *client, const char *const *keys, size_t count);
/* Whether the client's session matters to an operation. */
bool api_session(enum op op);
enum zp_code api_code(enum err_code code);
/* The code of client->err, which says what failed. */
enum zp_code api_fail(const zp_client *client);
/* Connected, by this process. False with client->err. */
bool api_ready(zp_client *client);
/* Fills in what the client has for all requests, where the request does not say it itself. */
void api_stamp(const zp_client *client, struct request *request);
/* Asks and waits. reply may be NULL; otherwise it gets the answer, or NULL on failure. */
enum zp_code api_ask(zp_client *client, struct request *request, struct str value, zp_reply **reply);
/* A reply that holds the first page of a snapshot gets the other ones too; between is called after each that
 * was asked for (false with client->err ends it), NULL: nothing. */
enum zp_code api_rest(zp_client *client, zp_reply *reply, bool (*between)(zp_client *client));
/* Sends without waiting. */
enum zp_code api_send(zp_client *client, struct request *request, struct str value, int64_t *id);
/* Takes reply; never NULL. */
zp_reply *api_reply(struct reply *reply);

#endif
