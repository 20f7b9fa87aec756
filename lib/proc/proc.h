/* Processes and the event loop of the supervisor: spawn, reap, output to the last byte, tree kill, probes.
 * libuv is included in loop.c only; waitpid is called in one place (tree_reap in tree.c); what is Linux's
 * alone (subreaper, pidfd, /proc, PDEATHSIG) stands in tree.c and spawn.c. One thread. */
#ifndef ZPROC_PROC_H
#define ZPROC_PROC_H

#include "base.h"

/* ---- Event loop ---- */

struct loop;
struct loop *loop_new(struct err *err);
/* Last of all: frees the timers and watchers that are left too. */
void loop_free(struct loop *loop);
/* Runs until loop_stop; makes no wake-ups while nothing happens. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

struct timer;
/* A timer that is not set. It fires once a setting, never early, and may be freed from within fire. */
struct timer *timer_new(struct loop *loop, void (*fire)(void *ctx), void *ctx);
void timer_set(struct timer *timer, int64_t at_ms); /* monotonic; replaces an earlier setting; <0: unset */
void timer_free(struct timer *timer);

struct watcher;
/* Calls ready whenever the descriptor (borrowed, made non-blocking) has one of events (POLLIN, POLLOUT); a
 * hang-up or an error counts as all of them: the next read or write tells. May be freed from within ready.
 * NULL only for a descriptor that cannot be watched (a plain file). */
struct watcher *watcher_new(struct loop *loop, int fd, short events, void (*ready)(void *ctx, short events),
                            void *ctx);
void watcher_set(struct watcher *watcher, short events); /* 0: none for now */
void watcher_free(struct watcher *watcher);

/* Calls caught(ctx, number) in the loop, not in the handler, until loop_free. Unblocks the signal. */
bool loop_signal(struct loop *loop, int number, void (*caught)(void *ctx, int number), void *ctx,
                 struct err *err);

/* ---- Bounds on memory ---- */

/* Control groups (Linux): a folder of this run below the group of this process, one group in it for each
 * process tree that has a bound. */
struct bounds;
struct bound;
/* id names the run; top is the first process of the run: this one or its guardian. Removes what killed runs
 * have left. NULL: ERR_DENIED, none can be made here; the message says what to do. */
struct bounds *bounds_open(const char *id, int top, struct err *err);
const char *bounds_path(const struct bounds *bounds);
/* Removes what nothing lives in. NULL is fine. */
void bounds_close(struct bounds *bounds);
/* Of a run that was killed: the same for its path. */
void bounds_remove(const char *path);
/* max in bytes. To be given to child_spawn, and freed when the child has ended. */
struct bound *bound_new(struct bounds *bounds, int64_t max, struct err *err);
/* Whether the kernel has killed a process in it because of the bound. */
bool bound_struck(const struct bound *bound);
void bound_free(struct bound *bound); /* NULL is fine */

/* ---- Children ---- */

/* Makes this process the one that orphans below it fall to; installs SIGCHLD's handling. Once, before the
 * first child. */
struct children;
struct children *children_new(struct loop *loop, struct err *err);
/* After the loop has run for the last time. Children that are left go on without callbacks. */
void children_free(struct children *children);

struct child;
enum child_stdin { CHILD_STDIN_NULL, CHILD_STDIN_INHERIT, CHILD_STDIN_FILE, CHILD_STDIN_PIPE };
struct child_limit {
    int resource; /* RLIMIT_… */
    uint64_t soft, hard;
    const char *name; /* for messages */
};
struct child_user {
    const char *name; /* for messages */
    uid_t uid;
    gid_t gid;
    const gid_t *groups; /* supplementary ones */
    size_t group_count;
};
struct child_spec {
    char *const *argv; /* argv[0] is looked up in the PATH of env when it has no slash */
    const char *path;  /* where argv[0] was found before (spawn_find); NULL: look it up */
    char *const *env;  /* complete */
    const char *dir;   /* NULL: stay */
    enum child_stdin input;
    const char *input_file;
    bool inherit_output;     /* descriptors 1 and 2 are ours; no output callbacks */
    bool die_with_parent;    /* PDEATHSIG KILL */
    bool keep_orphans;       /* what it leaves behind is let alone; signals go to its process group only */
    int64_t orphan_grace_ms; /* else that has so long from SIGTERM to SIGKILL; 0: 500 ms */
    const int *keep; /* further descriptors to inherit (count), at their numbers; for the server's listening
                        socket */
    size_t keep_count;
    /* Marks what belongs to this child in the environment of its descendants ("ZPROC_RUN=…" and
     * "ZPROC_WORKER=…" entries of env): orphans that fall to us are told apart by them. NULL entries do not
     * count. */
    const char *marks[2];
    const struct child_limit *limits;
    size_t limit_count;
    const int *nice;               /* NULL: ours */
    const struct child_user *user; /* NULL: ours */
    const struct bound *bound;     /* NULL: ours */
    bool tty; /* descriptors 0 to 2 are a terminal of its own, which is its controlling one; stream 1 */
    int rows, columns; /* of it; 0: 24, 80 */
};
struct child_end {
    int status, signal; /* signal > 0: ended by it; else exit status */
    const char *left;   /* names what could not be ended ("pid 4711 (sleep)"), NULL when nothing is left */
};
struct child_callbacks {
    /* Bytes as they come, 64 KiB at most; stream 1 or 2. NULL: descriptors 1 and 2 are /dev/null. */
    void (*output)(void *ctx, struct child *child, int stream, struct str bytes);
    /* Reaped, output drained to the last byte (a grandchild that holds the pipe gets 500 ms), and, without
     * keep_orphans, nothing of its tree is left. Last callback; the child is freed
     * after it. May be NULL. */
    void (*ended)(void *ctx, struct child *child, const struct child_end *end);
    /* Nobody has its stream 1 any more, but it goes on (or its end is not known yet). More than once when
     * stream 2 ends too. May be NULL. */
    void (*silent)(void *ctx, struct child *child);
};
/* spec and callbacks are copied as far as they are needed later; ctx is borrowed.
 * vfork-like; own session and process group, default dispositions, empty mask, descriptors 0 to 2 only (and
 * keep). NULL: ERR_NOT_FOUND (no such command or folder: status 127), ERR_DENIED (not executable: 126) or
 * ERR_INTERNAL (fork, pipes: 125), the message naming the path. exec has succeeded when it returns a child.
 * What the child leaves behind is ended (TERM, then KILL) before `ended` is called, when it ends by itself
 * too, unless keep_orphans. */
struct child *child_spawn(struct children *children, const struct child_spec *spec,
                          const struct child_callbacks *callbacks, void *ctx, struct err *err);
int child_pid(const struct child *child);
/* Records the descendants, then signals the process group, then SIGCONT (not after a signal that stops). */
void child_signal(struct child *child, int signal);
/* SIGKILL to everything that it ever started: group, recorded and present descendants, adopted orphans with
 * its marks; repeated until nothing is left. With keep_orphans: to its group. */
void child_kill(struct child *child);
/* Of a child with a terminal. Types; false when it has not read for too long. */
bool child_write(struct child *child, struct str bytes);
/* Of a child whose input is a pipe: what it does not take at once is kept for it. */
void child_feed(struct child *child, struct str bytes);
/* It has read all that it was fed and waits for more. */
bool child_hungry(const struct child *child);
/* The input ends with what was fed. */
void child_feed_end(struct child *child);
/* Tells it its size, and its processes by SIGWINCH. */
void child_resize(struct child *child, int rows, int columns);
/* Stop reading output for now (back-pressure), go on reading. `ended` waits for what was not read. */
void child_pause(struct child *child, bool paused);

/* In the environment of workers whose orphans outlive the run. */
#define PROC_SPARED "ZPROC_CLEANUP=false"

/* Whether the process is the child or was started below it; true as well for one that is gone by now, which
 * nobody can tell any more. */
bool child_owns(const struct child *child, int pid);

/* SIGKILL to every process below this one (children and adopted orphans, again and again) until none is left
 * or the monotonic time has come; returns how many are left. Those with spared_mark ("NAME=VALUE", NULL:
 * none) in their environment are let alone. Used by the guardian too: it needs no loop. */
size_t tree_kill_all(int64_t until_ms, const char *spared_mark);
/* Makes this process a subreaper. */
bool tree_adopt(struct err *err);
/* The one call of waitpid: a child that has ended, 0 when none has, -1 when there are no children. */
int tree_reap(int *status);
/* For programs with a loop of their own: starts the command as child_spawn does, with these as its
 * descriptors 0 to 2 (borrowed, 3 or above; -1: inherit ours). Returns its pid, or -1 with err set as
 * child_spawn says; a process that could not exec is left to tree_reap. */
int spawn_process(const struct child_spec *spec, const int descriptors[3], struct err *err);
/* The first place of PATH where there is an executable file of this name, for those who start it often; NULL:
 * none. The caller frees it. */
char *spawn_find(const char *command, char *const *env);

/* ---- Log files ---- */

/* {0}: before the oldest that is kept. */
struct log_place {
    uint64_t file; /* its inode */
    int64_t at;
};
/* Appends up to max bytes from the place on and moves it; goes on in the file that came after one that was
 * rotated away (PATH.1, PATH.2 …). False: there are no more now. */
bool log_read(const char *path, struct log_place *place, size_t max, struct buf *out);
/* The place where the last lines begin; 0: the end. */
void log_seek(const char *path, int64_t lines, struct log_place *place);

/* ---- Probes ---- */

struct probe;
/* Calls result(ctx, ok) once for each try: a command that exits 0, a tcp connection that is accepted, or a
 * GET of an http:// URL that is answered with this status (0: 200 to 399; redirects are not followed). A try
 * that takes longer than timeout_ms fails. The first try starts at once (from the loop), the next ones
 * every_ms after the start of the one before, never while that is still under way. What spec points at is
 * borrowed until probe_free; its output is discarded. host_port is HOST:PORT or [IPV6]:PORT, resolved here.
 */
struct probe *probe_exec(struct children *children, const struct child_spec *spec, int64_t every_ms,
                         int64_t timeout_ms, void (*result)(void *ctx, bool ok), void *ctx);
struct probe *probe_tcp(struct loop *loop, const char *host_port, int64_t every_ms, int64_t timeout_ms,
                        void (*result)(void *ctx, bool ok), void *ctx, struct err *err);
struct probe *probe_http(struct loop *loop, const char *url, int status, int64_t every_ms, int64_t timeout_ms,
                         void (*result)(void *ctx, bool ok), void *ctx, struct err *err);
void probe_free(struct probe *probe); /* from within result too */

/* ---- Files ---- */

struct files;
struct files_spec {
    const char *dir; /* where patterns start that are not absolute */
    /* `*`, `?`, `[…]` within a name, `**` for any number of folders; a folder stands for all that is in it.
     * An ignored name without a slash is one of any folder. */
    const char *const *watch, *const *ignore;
    size_t watch_count, ignore_count;
    int64_t debounce_ms;
};
struct files_callbacks {
    /* Something was written, came, went or was renamed, and for debounce_ms nothing more; path is the first.
     * May free the files. */
    void (*changed)(void *ctx, const char *path);
    /* Said once: a folder is not watched. */
    void (*trouble)(void *ctx, const char *text);
};
/* All is copied but ctx. What is not there yet is watched for. */
struct files *files_new(struct loop *loop, const struct files_spec *spec,
                        const struct files_callbacks *callbacks, void *ctx, struct err *err);
void files_free(struct files *files);

#endif
