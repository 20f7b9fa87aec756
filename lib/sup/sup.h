/* Supervision as a pure function: a plan and a stream of events in, effects out. No I/O, no clock, no
 * randomness but a seed, so that the life of a whole graph can be run in a simulated world. supervision.md is
 * the source of its rules; where that is silent:
 * - A need counts for the first start only, and for one that on_restart brings about; `ready` must hold at
 * that moment, by the incarnation that lives. A trigger meets `started` and `ready` once it is armed, and has
 * needs, `if` and `when` behind it by then.
 * - `if` is asked for once, when all needs hold; a need that can no longer hold skips without asking.
 * - A need's timeout runs from when its worker begins to wait. on_restart acts when a new process of the
 * needed worker is started: what runs is stopped, and with `restart` started again as soon as its needs hold.
 * - A mutex is held from when an instance may start until nothing of its process is left, not between
 * attempts; who waited longest comes first, and nobody holds one while it waits for another.
 * - A trigger on another worker's states queues them from the beginning, one for each instance that comes
 * there; of one that has a trigger itself its runs are meant. `every` runs at once and then from start to
 * start. Of times that come while the worker runs at most one waits, and none
 * comes once the last job is over; nor do the states of services and schedules count for triggers then. A
 * time of `cron` that the wall clock jumps over comes at once, unless it is over for more than 3 hours; none
 * comes twice, unless the clock is put back by more than that.
 * - `alive` begins when the worker is ready. total_timeout runs from the first start, anew after a success.
 * - A job that waits for what comes only by chance (a service or a trigger without max to fail or end, a
 *   `start: false` that nobody starts) does not keep the run alive, and is skipped when the run ends.
 * - At the end triggers that still wait for needs or their `when` are not waited for; runs of triggers with
 *   `drain: false` are stopped.
 * - Fail fast stops what waits for the failure too; `finish` lets retries and restarts of what runs go on.
 * - A retry gives its slot back during the delay. Not ready in time is `failed`, exit status 124, and matches
 *   `for: [timeout]`. What is stopped when it would have been retried is `stopped`.
 * - `attempt` begins anew at 1 after a success (`restart: always`) and after retry.reset_after.
 * - A map whose processes stay ends when these have ended; one that fails after its last item fails the map.
 * When it is stopped, those that have an item just then are waited for.
 * Control by hand:
 * - What is started by hand waits for its needs as at first, and for its `when` only if that never held. With
 * a need that can no longer hold the start is refused. It keeps the run alive if it is no service, also where
 *   it was `start: false`; attempt, restarts, result and times begin anew, a trigger counts its events anew.
 * - What is stopped by hand is `stopped`, also a job, and does not fail the run. Several are stopped in
 * reverse order of needs. What ends by itself before its turn has come has ended by itself. Who waits for
 * something that was stopped is skipped, as for any other end.
 * - What is to be stopped or restarted does not count as ready from the request on. What is restarted is not
 *   `stopped` meanwhile: nobody is skipped for it. Retries that wait are replaced by a start.
 * - A worker that was ever scaled has numbered instances (`oven.0`). A need on a worker with no instance
 * holds.
 * - A run without a job that was controlled by hand does not end when nothing is left in it.
 * - Of a worker that is replaced or removed first all processes end. Who needs one that is replaced waits for
 * the new one; who waits for one that was removed is skipped. Who runs already is left alone. The run does
 * not end before the new one is there, which may have to wait for others that are replaced: new needs never
 * close a circle with old ones.
 * - While the run ends nothing is started, and after a failure with `finish` neither. */
#ifndef ZPROC_SUP_H
#define ZPROC_SUP_H

#include "plan.h"

struct sup;

/* A task is one instance of a worker (a replica, or one run of a trigger). Its number is never reused within
 * a run. An incarnation is one process of a task: events about an earlier one are ignored. */
struct sup_ref {
    uint32_t task, incarnation;
};

/* X(state, name, is final) */
#define SUP_STATES(X)                                                                                        \
    X(TASK_WAITING, "waiting", false)                                                                        \
    X(TASK_IDLE, "idle", false)                                                                              \
    X(TASK_STARTING, "starting", false)                                                                      \
    X(TASK_RUNNING, "running", false)                                                                        \
    X(TASK_READY, "ready", false)                                                                            \
    X(TASK_RETRYING, "retrying", false)                                                                      \
    X(TASK_STOPPING, "stopping", false)                                                                      \
    X(TASK_SUCCEEDED, "succeeded", true)                                                                     \
    X(TASK_FAILED, "failed", true)                                                                           \
    X(TASK_TIMEOUT, "timeout", true)                                                                         \
    X(TASK_LOST, "lost", true)                                                                               \
    X(TASK_STOPPED, "stopped", true)                                                                         \
    X(TASK_SKIPPED, "skipped", true)

enum sup_state {
#define X(state, name, final) state,
    SUP_STATES(X)
#undef X
        SUP_STATE_COUNT
};
const char *sup_state_name(enum sup_state state);
bool sup_state_final(enum sup_state state);

/* ---- Events: what happened in the world. Each carries the time. ---- */

enum sup_event_kind {
    SUP_BEGIN,        /* once, first: sessions are open, initial state is set */
    SUP_TICK,         /* the time that sup_deadline named has come */
    SUP_SPAWNED,      /* ref, pid: exec succeeded */
    SUP_SPAWN_FAILED, /* ref, status 126 or 127 (the command) or 125 (fork, pipes), text: reason with path */
    SUP_PROBES_HOLD,  /* ref: everything of `ready` holds */
    SUP_UNHEALTHY,    /* ref, text: what of `alive` does not hold any more */
    SUP_OUTPUT,       /* ref, number: when it last wrote something (monotonic ms): answers SUP_ASK_OUTPUT */
    SUP_ENDED, /* ref, status or signal, text: result (JSON) or empty: reaped, output drained, and nothing of
                  its tree is left (after a stop or kill); why: more about a failure, or empty */
    SUP_RETURNED,  /* ref, text: a result given explicitly, before it ended */
    SUP_CONDITION, /* ref.task: its `when` holds */
    SUP_IF,      /* ref.task, number: 1 true, 0 false, -1 an error and text says which: answers SUP_ASK_IF */
    SUP_TRIGGER, /* ref.task: an event arrived; number: its revision; the runner keeps its contents until the
                    run of the event has ended */
    SUP_TRIGGER_LOST,   /* ref.task, number: revisions missed */
    SUP_TRIGGER_FAILED, /* ref.task, text: the server refused the watch */
    SUP_ITEMS_COME,     /* ref.task: the items of a map have been read; number: how many there are */
    SUP_ITEMS_FAILED,   /* ref.task, text: they cannot be */
    SUP_UNDONE, /* ref, text: why: of a map whose processes stay, one has ended well, but without a line for
                   the item that it had */
    SUP_LINES_FAILED, /* ref.task, status, text: of such a map, a process failed that had no item */
    SUP_LINES_ENDED,  /* ref.task: none of its processes is left: answers SUP_LINES_END */
    SUP_CLOCK,        /* the wall clock was set: wall_ms is another than time that passed would make it */
    SUP_FENCE, /* number: the id of the fence; every event of a state change before it has been handed in */
    SUP_STOP,  /* end the run: signal SIGINT, SIGTERM or SIGHUP; a second one: kill, a third: end now */
    SUP_DOWN,  /* end the run because someone asked for it: exit status 0 unless something had failed */
    SUP_SERVER_LOST, /* the state is gone, text: why; the run fails with 125 */
    /* Control by hand. Of tasks that are runs of a trigger nothing is taken. */
    SUP_START_TASKS,   /* tasks: what is idle, final or being stopped is to start */
    SUP_STOP_TASKS,    /* tasks: in reverse order of needs; they are `stopped` and not tried again */
    SUP_RESTART_TASKS, /* tasks: the same, then they start; what is idle or final starts */
    SUP_FILES_CHANGED, /* tasks: the same for those that have been started and were not stopped */
    SUP_SCALE,         /* group, number: so many instances; those with the highest numbers go */
    SUP_ADD, /* plan, number: this worker of the plan joins the run; it may take the name of one that is final
              */
    SUP_RELOAD, /* plan, same: workers that are no more in the plan go, others join, those that are not the
                   same are replaced when nothing of them is left; those that were added are left alone */
};
struct sup_event {
    enum sup_event_kind kind;
    int64_t now_ms;  /* monotonic */
    int64_t wall_ms; /* for records */
    struct sup_ref ref;
    int64_t number;
    int pid, status, signal; /* signal > 0: ended by it; else status */
    struct str text, why;    /* borrowed for the call */
    const uint32_t *tasks;   /* control by hand: numbers, borrowed for the call */
    size_t task_count;
    size_t group;
    const struct plan *plan; /* must outlive sup; its needs name workers of the run too */
    const bool *same;        /* by worker of the plan; borrowed for the call */
};

/* ---- Effects: what is to be done. ---- */

enum sup_effect_kind {
    SUP_SPAWN, /* ref: start a process for it (sup_task tells worker, attempt, revision of the event …) */
    SUP_PROBE, /* ref: start the probes of `ready` */
    SUP_PROBE_END,  /* ref: stop them; also after they have held */
    SUP_GUARD,      /* ref: start the probes of `alive` */
    SUP_GUARD_END,  /* ref: stop them; also after SUP_UNHEALTHY */
    SUP_ASK_OUTPUT, /* ref: answer with SUP_OUTPUT */
    SUP_TERMINATE,  /* ref: stop.run, or stop.signal to the group, then SIGCONT */
    SUP_KILL,       /* ref: SIGKILL to everything that it ever started */
    SUP_ASK_IF,     /* ref.task: evaluate its `if` and answer with SUP_IF */
    SUP_AWAIT,      /* ref.task: watch for its `when` */
    SUP_AWAIT_END,  /* ref.task: no longer */
    SUP_ARM, /* ref.task: ask for the trigger's next event; number > 0: acknowledge the event of this revision
                first; live: forget what is pending first */
    SUP_DISARM,     /* ref.task: stop asking, or reading items */
    SUP_ITEMS,      /* ref.task: read the items of a map and keep them until it is forgotten */
    SUP_LINES_END,  /* ref.task: the processes of a map are to end, as there are no more items */
    SUP_SEND_FENCE, /* number: a request whose answer is SUP_FENCE */
    SUP_STATUS,     /* ref.task (or UINT32_MAX: the run): its record has changed: publish it */
    SUP_FORGET,     /* ref.task: final; close its session, drop the event's contents and its files */
    SUP_RENEW,      /* ref.task: forgotten, and to be started again: it gets what a new task gets */
    SUP_REMOVE,     /* ref.task: forgotten, and no part of the run any more: its record goes too */
    SUP_SAY,        /* ref.task (or UINT32_MAX: the run), text: a line for people, level in number: 0 note, 1
                       warning, 2 error */
    SUP_END,        /* number: the exit status: every task is final and nothing runs */
};
struct sup_effect {
    enum sup_effect_kind kind;
    struct sup_ref ref;
    int64_t number;
    bool live;
    char *text; /* owned by the list */
};
struct sup_effects { /* {0} is empty */
    struct sup_effect *items;
    size_t count, capacity;
};
void sup_effects_clear(struct sup_effects *effects);
void sup_effects_release(struct sup_effects *effects);

/* ---- The function ---- */

/* plan is borrowed and must outlive it. seed feeds the jitter of retries. */
struct sup *sup_new(const struct plan *plan, uint64_t seed);
void sup_free(struct sup *sup);
/* Appends to effects. Events that do not fit (an old incarnation, a final task) change nothing. */
void sup_step(struct sup *sup, const struct sup_event *event, struct sup_effects *effects);
/* Whether an event of control by hand can be followed now; false with ERR_CONFLICT and the reason. One that
 * cannot changes nothing. */
bool sup_allows(const struct sup *sup, const struct sup_event *event, struct err *err);
/* When SUP_TICK is due (monotonic ms); -1: nothing is due. */
int64_t sup_deadline(const struct sup *sup);

/* ---- Looking at it ---- */

#define SUP_NO_TASK UINT32_MAX
struct sup_task {
    struct sup_ref ref;
    const struct plan_worker *worker;
    const struct plan *plan; /* of the worker */
    size_t group;
    const char *name; /* oven, oven.0; a trigger's run has its trigger's name; may change, see above */
    uint32_t parent;  /* the trigger's or map's task, of its runs; else SUP_NO_TASK */
    int replica;
    const struct plan_row *row; /* of the worker's matrix; NULL: there is none */
    enum sup_state state;
    int attempt;              /* from 1; 0: not started yet */
    int64_t revision;         /* of the event, in a trigger's run */
    int64_t item;             /* in a map's run: its place, from 0 */
    int64_t items, failed;    /* of a map: how many there are (-1: not known yet), have failed */
    const char *event_worker; /* or whose state is the event, and the state; NULL: neither */
    const char *event_state;
    int pid;                      /* of the process that runs, or of the last */
    int64_t started_ms, ended_ms; /* wall clock, 0: not yet: first start and final end */
    int64_t started_mono_ms, ended_mono_ms;
    int status, signal; /* of the last attempt; status -1: none ended yet; 128 + signal when that is > 0 */
    const char *reason; /* why it is in this state, "" when there is nothing to say */
    int restarts;       /* of a service or `restart: always` */
    int64_t runs;       /* of a trigger: events worked off; of a map: items */
    const char *result; /* JSON text or NULL */
    bool flaky;         /* succeeded after more than one attempt */
    bool unwanted;      /* it is being started, and would be stopped at once */
};
/* Number of tasks ever made; tasks of ended trigger runs and removed ones are gone (sup_task_at gives false).
 */
uint32_t sup_task_count(const struct sup *sup);
bool sup_task_at(const struct sup *sup, uint32_t task,
                 struct sup_task *out); /* strings are borrowed until the next step */
/* A worker with its instances. Their places never change; those that were removed have no instances and no
 * name that can be found. */
struct sup_group {
    const struct plan_worker *worker;
    uint32_t count;
    bool added;   /* by SUP_ADD: no manifest speaks of it */
    bool removed; /* it has left the run, or is about to */
};
size_t sup_group_count(const struct sup *sup);
struct sup_group sup_group_at(const struct sup *sup, size_t group);
uint32_t sup_group_task(const struct sup *sup, size_t group, uint32_t replica); /* SUP_NO_TASK: none */
size_t sup_group_find(const struct sup *sup, struct str name);                  /* SIZE_MAX: there is none */
/* The instances in the manifest's order, those of workers that came later behind them. {0} is the beginning.
 */
struct sup_place {
    size_t group;
    uint32_t replica;
};
bool sup_next(const struct sup *sup, struct sup_place *place, struct sup_task *out);
/* Whether something of a task runs still: its process, or processes of a trigger's runs. */
bool sup_task_lives(const struct sup *sup, uint32_t task);
/* Exit status as it would be if it ended now, and whether it has ended. */
int sup_exit_status(const struct sup *sup, bool *ended);
/* The record for namespace `zproc`, as JSON text: {status, pid, attempt, started, ended, exit, signal,
 * reason, restarts, result, log}; log is filled in by the caller (path or ""). */
void sup_record_print(struct buf *buf, const struct sup_task *task, const char *log);
/* The run's own record (key `run`): {status, name, started, ended, exit, reason}. */
void sup_run_record_print(struct buf *buf, const struct sup *sup);
/* Checks the invariants of the whole state; NULL when they hold, else what is broken (static text). For tests
 * and the simulation. */
const char *sup_invariant(const struct sup *sup);

#endif
