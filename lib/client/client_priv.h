/* What the files of the client share: the connection, and what was sent over it and waits for an answer. */
#ifndef ZPROC_CLIENT_PRIV_H
#define ZPROC_CLIENT_PRIV_H

#include "client.h"

#define RETRY_LEAST_MS 5 /* between tries to connect, doubling */
#define RETRY_MOST_MS  100
#define RESEND_MS      30000 /* from the end of a connection: how long a request is asked again */

/* A request of client_send. */
struct sent {
    int64_t id, seq; /* seq is 0 for what does not write */
    bool stream;     /* it may be answered again */
    /* Where it is sent again after the connection has ended: */
    enum op operation;
    char *header, *value; /* value NULL: none */
    size_t header_len, value_len;
    int64_t park_until; /* monotonic; the server waits until then; -1: without end */
    int64_t lost_ms;    /* when the connection ended that it was sent over; 0: not since one has answered */
};

struct client {
    struct address address;
    char *address_text;
    struct secret *secret; /* NULL: none */
    int64_t patience_ms;
    struct conn *conn; /* NULL: gone */
    int64_t last_id, last_seq;
    char name[33];     /* empty until the first write */
    struct sent *sent; /* by client_send and not yet answered; in no order */
    size_t sent_count, sent_capacity;
    struct reply *replies; /* to those, arrived while client_ask waited for another */
    size_t reply_count, reply_capacity;
    /* With client_resends: */
    bool resends, given_up;
    bool answered;         /* the connection has brought an answer */
    int poll_fd, timer_fd; /* readable when the connection has something, or the next try is due */
    int watched_fd;        /* of the connection, in poll_fd; -1: none */
    short watched_events;
    int64_t lost_ms; /* since when there is no connection that has greeted; 0: there is one */
    int64_t try_ms;  /* when to connect again */
    int pause_ms;    /* after which the try behind that comes */
};

bool fail_connect(const struct client *client, struct err *err);
void client_disconnect(struct client *client);
/* Takes message. */
bool reply_parse(struct message *message, struct reply *reply, struct err *err);
/* Takes reply. What nobody waits for any more (a client_ask that timed out) is dropped. */
void reply_keep(struct client *client, struct reply *reply);
/* The fields that the client itself answers for. */
bool request_stamp(struct client *client, struct request *request, struct err *err);
bool request_text(const struct request *request, struct buf *header, struct err *err);
/* Asking twice does no harm. */
bool may_resend(enum op op);
void sent_release(struct sent *sent);
/* The connection is another one: what was sent over the last is sent over it, or will not be answered. */
void sent_renew(struct client *client);
/* The connection has ended. */
void sent_lost(struct client *client, const struct err *why);
/* The connection has brought an answer. */
void sent_proven(struct client *client);
/* client_step with client_resends; err has no code when it has been told before. */
bool step_over(struct client *client, struct err *err);
/* What client_resends makes the caller poll stands for the connection as it is now. */
void descriptor_set(struct client *client);

#endif
