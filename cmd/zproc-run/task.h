/* A task of sup, and what is watched, asked and read for it. */
#ifndef ZPROC_RUN_TASK_H
#define ZPROC_RUN_TASK_H

#include "proc.h"
#include "state.h"
#include "sup.h"

struct environment;
struct run;
struct process;

/* What a trigger run is about. */
struct event {
    int64_t revision;
    char *key;           /* the key that it is about, NULL: none */
    struct value *value; /* what it was set to; NULL: deleted, or not known before the snapshot is there */
    bool changed;        /* the event changed the key (it did not at a first check) */
};
struct task {
    uint32_t number;
    const struct plan_worker *worker;
    const struct plan *plan; /* of the worker */
    char *name;
    int replica;
    const struct plan_row *row; /* of the worker's matrix; NULL: there is none */
    uint32_t parent;
    char *session; /* NULL: none */
    struct event event;
    int64_t item;                /* of a map's run: which one */
    struct items *items;         /* of a map; NULL: not read */
    bool lines_end;              /* SUP_LINES_END came for it */
    bool lines_warned;           /* of processes that keep their lines back */
    struct process *idle;        /* its processes that stay and have no item just now */
    struct ask *armed, *awaited; /* requests that wait on the server */
    uint64_t exported;           /* hash of its record that --events told last */
    size_t link;                 /* 1 + the connection that they go over; 0: none yet */
    int64_t awaited_ms;          /* since when; 0: not, or it has been said already */
    int64_t again_ms;            /* when its condition is to be asked for again; 0: not */
    struct process *process;     /* NULL: none runs */
    struct probes *probes;
    struct guard *guard;
    struct notify *notify; /* socket that its process tells its readiness to; NULL: none */
    int needed;            /* answers that its start still waits for */
    bool spawning;         /* SUP_SPAWN came, `spawn` is its ref */
    struct sup_ref spawn;
    char *obstacle;            /* why it cannot be started, NULL: nothing */
    char *snapshot, *value;    /* files of a trigger's event, NULL: none */
    char *log;                 /* NULL: none */
    struct buf tail;           /* the end of its stderr */
    int held;                  /* processes that refer to it */
    bool forgotten;            /* to be freed with the last of them */
    bool dirty;                /* its record waits to be published */
    bool published;            /* it has been under its name */
    struct terminal *terminal; /* what a worker with a tty has printed; NULL: nothing yet */
    int rows, columns;         /* of it, 0: the usual ones */
    bool picked;               /* named by the request that is being read */
    size_t group;
};
/* NULL when it is no more or was never there. */
struct task *run_task(const struct run *run, uint32_t number);
/* Frees a forgotten task that no process refers to any more. */
void task_drop(struct run *run, struct task *task);

/* ---- watch.c ---- */

/* Waits for a condition in a worker's namespace without a session; the answer comes when it holds. */
struct ask *watch_when(struct run *run, const struct task *task, const struct expr *when, answer_fn *answer);
void watch_await(struct run *run, struct task *task);
void watch_await_end(struct run *run, struct task *task);
/* The timer that says which keys are missing, and asks again. */
void watch_note(void *ctx);

/* ---- trigger.c ---- */

void trigger_arm(struct run *run, struct task *task, int64_t ack, bool live);
void trigger_disarm(struct run *run, struct task *task);
void event_release(struct event *event);
/* A new task that is a run of `parent`'s event: takes the event over and fetches its snapshot. */
void trigger_adopt(struct run *run, struct task *task, struct task *parent);
void trigger_forget(struct task *task);
/* A new file of the run's folder, named after the task; NULL with err. */
char *task_file(const struct run *run, const struct task *task, const char *what, struct str text,
                struct err *err);

/* ---- probe.c ---- */

struct probes;
void probes_start(struct run *run, struct task *task, struct sup_ref ref);
void probes_end(struct run *run, struct task *task);
/* What the process of this incarnation printed. */
void probes_output(struct run *run, struct task *task, struct sup_ref ref, int stream, struct str bytes);
/* The process said that it is ready. */
void probes_notified(struct run *run, struct task *task);

/* ---- notify.c: sd_notify ---- */

/* A new socket for the task's next process, in place of an older one. */
bool notify_open(struct run *run, struct task *task, struct err *err);
/* For NOTIFY_SOCKET; borrowed. */
const char *notify_name(const struct notify *notify);
bool notify_is_ready(const struct notify *notify); /* said so already */
/* What the process last said of itself; NULL: nothing. */
const char *notify_status(const struct notify *notify);
void notify_close(struct task *task);

/* ---- guard.c ---- */

struct guard;
void guard_start(struct run *run, struct task *task, struct sup_ref ref);
void guard_end(struct run *run, struct task *task);
/* Appends a probe's text, filled in within the environment that the worker has. */
bool guard_fill_in(struct run *run, struct task *task, const struct plan_text *text, struct buf *out,
                   struct err *err);

/* ---- clock.c ---- */

void clock_open(struct run *run);
void clock_close(struct run *run);

/* ---- judge.c ---- */

/* Evaluates the task's `if`; SUP_IF follows. */
void judge_if(struct run *run, struct task *task);

/* ---- items.c: the items of maps ---- */

/* Begins to read them: an event says what came of it. */
void items_read(struct run *run, struct task *task);
void items_stop(struct run *run, struct task *task); /* they are not waited for any more */
void items_drop(struct run *run, struct task *task);
/* The item of a map's run. */
void items_text(const struct run *run, const struct task *task, struct buf *text);
bool items_variables(struct environment *env, const struct run *run, struct task *task, struct err *err);

/* ---- lines.c: processes of a map that stay: a line in, a line out ---- */

struct line;
/* Gives the item of this task to a process of its map that has none, or to a new one; SUP_SPAWNED follows,
 * or SUP_SPAWN_FAILED. */
void lines_give(struct run *run, struct task *task, struct sup_ref ref);
void lines_output(struct process *process, struct str bytes); /* of stdout */
void lines_ended(struct process *process, const struct child_end *end);
/* All of a map: their input ends, and after its grace SIGTERM, then SIGKILL follow; SUP_LINES_ENDED comes
 * when the last is gone. */
void lines_end(struct run *run, struct task *map);
/* The map is over before its items are: those that have none are stopped. */
void lines_stop(struct run *run, struct task *map);
/* Before the run ends. */
void lines_settle(struct run *run);
void line_free(struct line *line); /* NULL is fine */

/* ---- bound.c: bounds on memory ---- */

/* The group that the process of this task is to be in; *bound is NULL where it needs none, or can do without.
 */
bool bound_open(struct run *run, const struct task *task, struct bound **bound, struct err *err);
/* What to say of an end that came from the bound, in text; else it stays empty. */
void bound_explain(const struct process *process, struct buf *text);

#endif
