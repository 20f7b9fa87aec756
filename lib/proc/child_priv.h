/* A child and its output streams; what child.c, stream.c and probe.c share. */
#ifndef ZPROC_CHILD_PRIV_H
#define ZPROC_CHILD_PRIV_H

#include "tree_priv.h"

#define READ_SIZE 65536

struct children {
    struct loop *loop;
    struct table running;   /* own children that are not reaped, by pid */
    struct child *settling; /* reaped, not ended yet: linked by next */
    char bytes[READ_SIZE];  /* where all streams read to */
};

/* The reading end of a pipe; fd < 0: at its end or not there. */
struct stream {
    struct child *child;
    int fd, number;
    struct watcher *watcher;
    bool enlarged; /* the pipe, once it had been seen full */
};

/* The writing end of a pipe; fd < 0: closed or not there. */
struct feed {
    int fd;
    struct watcher *watcher; /* made when the pipe was first full */
    struct buf rest;         /* that it did not take yet */
    bool ends;               /* to be closed after that */
};

struct child {
    struct children *children;
    struct child_callbacks callbacks;
    void *ctx;
    struct child *previous, *next; /* in settling */
    int pid;
    struct stream streams[2];
    bool paused;
    bool tty;         /* streams[0] is a terminal */
    struct buf typed; /* that it did not take yet */
    struct feed feed; /* its input, where that is a pipe */
    char *marks[2];   /* owned */
    bool keep_orphans;
    int64_t orphan_grace_ms;

    bool reaped, killed;
    bool group_asked, asked; /* its group, what it left behind has had SIGTERM */
    struct child_end end;
    struct process_list tree; /* what else belonged to it when last looked at */
    struct timer *timer;      /* looks again; made when first needed */
    int64_t hold_until;       /* so long a pipe may stay open after the end */
    int64_t sure_at;          /* so long an unclear look is repeated; 0: all were clear */
    int64_t kill_at;          /* then what is left gets SIGKILL; 0: not decided yet */
    int64_t give_up_at;       /* then what is left is named; 0: no SIGKILL yet */
};

/* Kills it and never calls its callbacks again: for whoever goes away first. */
void child_disown(struct child *child);

/* Begins to read fd (taken over, when it fails too). */
bool stream_open(struct stream *stream, struct child *child, int number, int fd, struct err *err);
/* Reads what is there, but not so much that others starve; closes it at its end. */
void stream_read(struct stream *stream);
/* Reads what is there by now and closes it. */
void stream_finish(struct stream *stream);
void stream_close(struct stream *stream);
/* Watches for what matters now: bytes to read unless paused, room for what was typed. */
void stream_watch(struct stream *stream);
/* A terminal and its three ends for the child. */
bool pty_open(const struct child_spec *spec, int *master, int ends[3], struct err *err);
void feed_close(struct feed *feed);
/* Writes what was typed, as far as there is room. */
void pty_feed(struct child *child);
/* The stream was closed by its reader's event: the child may be at its end. Frees the child perhaps. */
void child_stream_ended(struct child *child);

#endif
