/* Where a run is: its folder, its socket and key, its server and its guardian. */
#ifndef ZPROC_RUN_PLACE_H
#define ZPROC_RUN_PLACE_H

#include "client.h"
#include "plan.h"
#include "proc.h"

struct run;
struct task;

/* ---- folder.c: .zproc of the manifest's folder, and the folder of this run in it ---- */

struct folder {
    char *root;    /* absolute; NULL: none */
    char *run;     /* logs/ID below it; NULL for a run without manifest */
    char *address; /* the file that records the server's address, NULL: not written */
    char *recorded;
    char *key;    /* the link to the key's file; NULL: none */
    char *before; /* what stood there: a run that may go on when this one has ended; NULL: nothing */
    int taken;    /* held on `root` by a run in the background; -1: not */
    int lock;     /* held on `run` while the run goes on, so that its logs are not cleared away; -1: none */
    bool made;    /* root did not exist before */
};
/* A new file with this text, put in place of the old one as a whole. */
bool file_replace(const char *path, struct str text, struct err *err);
/* Adds a task's name as that of a file: no two names come out alike, and none is a path. */
void file_name_add(struct buf *buf, const struct task *task);
/* Makes ID: sortable by time, unpredictable. */
void run_id_make(char id[32]);
/* FOLDER_ALONE: ERR_CONFLICT when another run goes on there. */
enum folder_use { FOLDER_ADDRESS, FOLDER_LOGS, FOLDER_ALONE };
bool folder_open(struct folder *folder, const struct plan *plan, const char *id, enum folder_use use,
                 struct err *err);
/* yields: the record of a run that goes on is left as it is. */
bool folder_record(struct run *run, bool yields, struct err *err);
/* Takes the record back, unless another run has put its own there meanwhile; the run that was found here
 * before is found again, if it goes on. false: the record is still there. */
bool folder_close(struct folder *folder);

/* ---- endpoint.c: the listening socket ---- */

struct endpoint {
    int fd; /* -1: closed */
    char *address;
    struct socket_file file;
};
/* At the manifest's address, or at a new ipc address. */
bool endpoint_open(struct run *run, struct err *err);
/* Other machines can reach it. */
bool endpoint_is_open_to_all(const struct endpoint *endpoint);
void endpoint_close(struct endpoint *endpoint); /* the socket file goes too, if it is still this socket */

/* ---- control.c: the guardian and signals ---- */

struct control {
    int fd;
    struct watcher *watcher;
    int64_t last_ms;  /* when a signal came last, 0: none */
    bool last_direct; /* to this process itself, not through the guardian */
};
bool control_open(struct run *run, struct err *err);
/* Tells the guardian of a file (or a folder of control groups) to remove should this process end before it
 * has cleaned up: if `holds` is given, only while that is what it holds. */
void control_leave(struct run *run, const char *path, const char *holds);
/* Where the guardian is to say how this process ended, should it be killed. */
void control_log(struct run *run, const char *path);
/* clean: what control_leave told of is removed, or another's by now. */
void control_close(struct run *run, bool clean);

/* ---- background.c ---- */

/* When the folder is open and before anything else is started. */
bool background_enter(struct run *run, struct err *err);
/* When the run is up; from now on it says everything to its log. */
bool background_tell(struct run *run, struct err *err);

/* ---- key.c ---- */

struct key {
    bool given;
    struct secret secret;
    char *file; /* absolute; what workers are told; NULL without a key */
    bool file_ours;
    int lock; /* held on a file of ours, so that it is not taken for a dead run's */
};
/* From the environment (where the command line's options stand too), else from the manifest. */
bool key_open(struct run *run, struct err *err);
/* NULL: the server has none. */
const struct secret *key_of(const struct run *run);
void key_close(struct run *run);

/* ---- server.c ---- */

#define SERVER_STARTS_MAX 5 /* so often in 10 s is it started again */
struct server {
    struct endpoint endpoint;
    struct child *child;
    int ready; /* read end of the pipe that says that it serves; -1: closed */
    struct watcher *ready_watcher;
    bool missed, lost, closing;        /* the connection broke; the state is gone; it is being stopped */
    char *end;                         /* how it ended, NULL: not known */
    char *persist;                     /* folder that keeps the state; NULL: it is in memory */
    bool persist_ours;                 /* it ends with the run */
    int64_t starts[SERVER_STARTS_MAX]; /* when it was started again, the last ones */
    size_t start_count;
    struct timer *timer;
};
/* Binds and starts it; run->address is set and the connection begun once it serves. */
bool server_start(struct run *run, struct err *err);
/* One that is not ours. */
void server_connect(struct run *run);
/* The connection broke: tells sup, with the server's end when that is known in a moment; or starts it again.
 */
void server_missed(struct run *run, const struct err *why);
/* The connection to the server that was started again is taken up. */
void server_taken_up(struct run *run);
/* The timer of the above, and of server_stop. */
void server_timer(void *ctx);
/* From here on it is not connected to any more, though it may only just come to serve. */
void server_leave(struct run *run);
/* After that: stops it (runs the loop) and removes its socket. */
void server_stop(struct run *run);

#endif
