/* The state server: one thread that takes requests from a ZeroMQ ROUTER socket, applies them to the store and
 * answers. */
#ifndef ZPROC_SERVER_H
#define ZPROC_SERVER_H

#include "store.h"

struct secret;

struct server;

struct server_options {
    const char
        *address; /* ipc://PATH, ipc://@NAME, tcp://HOST:PORT; with listen_fd: what that socket is bound to */
    int listen_fd;                  /* a bound, listening socket to use; -1: make one */
    bool insecure;                  /* tcp beyond loopback without a key is allowed */
    const struct secret *secret;    /* only clients with this key are let in; NULL: no key */
    int64_t log_limit, state_limit; /* bytes */
    const char *persist;            /* folder that keeps the state; NULL: it is in memory */
    enum durability durability;     /* DURABILITY_NONE without a folder, another one with it */
    bool repair;                    /* keep what is before a damaged record */
};

/* Takes from this thread, and from those that it starts, what a server with these options does not need: all
 * files but the folder that keeps the state, made here when it is missing, and the socket's; connecting to
 * others. Called before server_new, whose threads read what strangers send. */
bool server_confine(const struct server_options *options, struct err *err);
/* Binds and listens, loads the folder. ERR_INVALID (address), ERR_DENIED (not loopback without insecure, a
 * file that is no socket), ERR_CONFLICT (a live server is there, or holds the folder), ERR_INTERNAL (the
 * folder cannot be used or is damaged). */
struct server *server_new(const struct server_options *options, struct err *err);
/* The address that clients use, the port filled in; borrowed. */
const char *server_address(const struct server *server);
/* Serves until stop_fd becomes readable. False when the socket failed. */
bool server_run(struct server *server, int stop_fd, struct err *err);
/* Closes the socket, removes a socket file that server_new made. NULL is fine. */
void server_free(struct server *server);

#endif
