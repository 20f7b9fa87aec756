/* What comes in over connections, by their descriptors, on its way to libzmq: only the lengths of frames are
 * looked at. gate.c calls from libzmq's one I/O thread, transport.c from the server's. */
#ifndef ZPROC_SERVER_INFLOW_H
#define ZPROC_SERVER_INFLOW_H

#include "base.h"

#include <sys/epoll.h>

#define INFLOW_FDS (1 << 20) /* a descriptor from here on cannot be a connection */

/* Before all else. keyed: only those with a key are let in. */
bool inflow_open(bool keyed, struct err *err);

/* ---- A connection ---- */

void inflow_begin(int fd); /* it was accepted */
void inflow_end(int fd);   /* it is being closed; does nothing for other descriptors */

enum inflow_state {
    INFLOW_FOREIGN, /* it was not accepted here */
    INFLOW_OPEN,
    INFLOW_PAUSED, /* nothing is read of it for now */
    INFLOW_OVER,   /* nothing of it is read any more */
};
enum inflow_state inflow_state(int fd);
/* These bytes have come. False: they must not reach libzmq, and the connection is over. */
bool inflow_take(int fd, const unsigned char *bytes, size_t len);
/* libzmq waits for these events of it: takes away what it is not to be told of while the connection is
 * paused. */
void inflow_watch(int fd, int epoll_fd, struct epoll_event *event);

/* ---- What is in memory ---- */

/* How many bytes of whole messages libzmq has got so far. */
unsigned long long inflow_taken(void);
/* The server comes to nothing any more. */
void inflow_close(void);
/* libzmq has nothing more for the server: all but those that came after so many were handed out. */
void inflow_settle(unsigned long long bytes);

/* Ends connections whose messages stand still while others wait for them. Milliseconds until it is to be
 * called again; -1: when the alarm comes. */
int inflow_relieve(void);
/* Readable while inflow_relieve is to be called. */
int inflow_alarm(void);

#endif
