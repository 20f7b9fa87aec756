/* The inside of supervision: tasks, their groups, and the counters and lists that spare every step a scan.
 * A step handles its event and then settles: what one move makes possible stands in a work list until nothing
 * is left to do. Only task_move changes a state. */
#ifndef ZPROC_SUP_PRIV_H
#define ZPROC_SUP_PRIV_H

#include "sup.h"

enum { NEED_KINDS = NEED_ENDED + 1 };
enum { TOO_FAST_RESTARTS = 5, TOO_FAST_MS = 10 * 1000 };

struct list { /* of pointers */
    void **items;
    size_t count, capacity;
};

struct need {
    struct group *group;
    enum plan_need_is is;
    enum plan_on_restart on_restart;
    int64_t timeout_ms;
};

/* A worker with its instances. All of them have the same needs, and a need means all instances of another, so
 * needs are counted once a group. */
struct group {
    const struct plan_worker *worker;
    const struct plan *plan;
    size_t index;        /* in sup->groups */
    struct list tasks;   /* its instances */
    struct list leaving; /* tasks that were taken out of it and have not ended yet */
    struct need *needs;
    size_t need_count;
    struct list dependents[NEED_KINDS];          /* groups that need this one */
    bool watches;                                /* stands among the watchers */
    uint32_t held[NEED_KINDS], dead[NEED_KINDS]; /* instances for which this kind of need holds, never will */
    uint8_t met;                                 /* bits by kind: what its dependents were told */
    uint32_t unmet;                              /* its needs that do not hold now */
    uint32_t live;                               /* its tasks that have a process, trigger runs included */
    uint32_t going;                              /* of these, those that are marked to be stopped */
    size_t uncleared;                            /* in an ordered stop: dependents that are not cleared yet */
    bool released;                               /* in an ordered stop: nothing above it has to go any more */
    struct list whys; /* owned texts: why its instances were stopped when one of them failed */
    bool dormant;     /* waits for what does not come by itself: does not keep the run alive */
    bool added;       /* by SUP_ADD */
    bool removed;     /* leaves the run; what needs it waits in vain */
    const struct plan
        *next_plan; /* replaced, when nothing of it is left, by worker next of this; NULL: not */
    size_t next;
    bool numbered; /* its instances have numbers in their names */
};

enum cause {
    CAUSE_NONE,
    CAUSE_ASKED,
    CAUSE_TIMEOUT,
    CAUSE_TOTAL,
    CAUSE_SILENT,
    CAUSE_UNREADY,
    CAUSE_UNHEALTHY,
};

struct restarts { /* times of the last restarts, a ring */
    int64_t at[TOO_FAST_RESTARTS];
    uint32_t next;
};

struct lock { /* a task in the queue of a mutex, or its holder */
    struct task *task;
    struct mutex *mutex;
    struct lock *next, *prev;
};
struct mutex {
    struct task *holder;       /* NULL: it is free */
    struct lock *first, *last; /* who waits for it, in order */
};

struct map { /* how far a map's items are */
    bool asked, known;
    int64_t total, next, open; /* items, the next to be begun, those that are no final tasks */
    int64_t first;             /* whose result is not in the list yet */
    char **results;            /* that wait for their turn; by item */
    struct buf list;           /* results in order, JSON */
    int64_t failed, lowest;    /* how many, the first of them: -1 none */
    bool broken;               /* a process failed that had no item */
    bool closing, closed;      /* its processes are told to end; have ended */
    int status;                /* of that one */
    char why[200];
};

struct trigger {
    struct map *map; /* of a map, whose runs are its items; NULL: it is a trigger */
    bool armed;
    bool opened; /* was armed at least once */
    int64_t events, done;
    struct pending *pending, *last_pending; /* events from within that wait, oldest first */
    int64_t next_wall, last_wall;           /* of the calendar: the next time, and the last that came */
    struct task *runs, *last_run;           /* not final, oldest first */
};

struct task {
    struct sup_ref ref;
    struct group *group;
    const struct plan_worker *worker;
    const struct plan *plan;
    char *name;              /* owned where owns_name */
    struct task *parent;     /* the trigger or the map of this run */
    struct trigger *trigger; /* of a trigger or a map itself */
    int replica;
    const struct plan_row *row; /* of its worker's matrix; NULL: there is none */
    enum sup_state state;
    enum cause cause;    /* why it is being stopped */
    uint8_t holds, dead; /* bits by kind of need, as counted in its group */
    bool owns_name, counted /* keeps the run alive */, condition /* its `when` held */, awaiting, probing,
        queued;
    bool asked;      /* told to end: no further attempt */
    bool marked;     /* to be told when its turn in the order has come */
    bool again;      /* to be started when it has ended */
    bool leaving;    /* taken out of its group */
    bool wanted;     /* was started by hand */
    bool entered;    /* stands in the list of those whose needs are to be judged */
    const char *why; /* it is being stopped by hand or for a newer event; NULL: not */
    size_t place;    /* in its group's leaving, where it is leaving */
    bool ever_started, was_ready, returned, dirty, forgotten;
    bool acked; /* a trigger's run: it was armed again on its account; a map's: of its earlier life */
    bool asking /* for `if` */, agreed /* `if` was true */, ruled_out /* it was false */;
    bool guarding;  /* the probes of `alive` run */
    bool listening; /* asked for its last output */
    bool locking /* waits for its mutexes */, locked /* has them */;
    struct lock *locks; /* one a mutex of its worker */
    char *why_text;     /* what `why` points to, where that is no constant */
    int attempt, restarts, pid, status, signal;
    int64_t retries;        /* since the count last began */
    int64_t revision, item; /* of a trigger's run; of a map's */
    char *event_worker;     /* of a trigger's run: whose state is the event; NULL: nobody's */
    const char *event_state;
    int64_t started_ms, ended_ms, started_mono_ms, ended_mono_ms, attempt_mono_ms;
    int64_t limit_ms;   /* when the attempt times out; -1: never */
    int64_t alarm_ms;   /* timeout of needs or of ready, end of grace or of the delay, by state; -1: none */
    int64_t silence_ms; /* when to ask for its last output; -1: never */
    int64_t total_ms;   /* when all attempts time out; -1: never, or not started */
    int64_t waiting_mono_ms; /* since when it waits for its needs */
    struct deadline due;     /* the earliest of these that counts in its state */
    char *reason, *result;
    struct restarts *recent;
    struct task *queue_prev, *queue_next;
    struct task *run_prev, *run_next;
};

struct doom { /* a need that can no longer hold, because of a task */
    const struct task *task;
    enum plan_need_is is;
};

enum phase { PHASE_NEW, PHASE_GOING, PHASE_ENDING, PHASE_OVER };

struct sup {
    const struct plan *plan;
    struct list groups;
    struct table names; /* groups by name */
    struct table tasks; /* by number */
    uint32_t next_number;
    uint64_t random;
    int64_t now, wall, begun_ms, ended_ms /* wall clock */, limit_ms;

    struct deadlines dues;                 /* of tasks */
    struct task *queue_first, *queue_last; /* jobs that wait for a slot */
    struct table mutexes;                  /* by name */

    /* Counters. */
    uint32_t open;      /* tasks that are not final */
    uint32_t live;      /* tasks that have a process */
    uint32_t going;     /* of these, those that are marked to be stopped */
    uint32_t slots;     /* of these, those that are no services */
    uint32_t jobs;      /* open tasks that keep the run alive */
    uint32_t replacing; /* groups that are to become another worker */
    uint32_t runs_open, runs_drained /* those of triggers with drain, and of maps */;
    uint32_t drains; /* open triggers with drain that have been armed */
    bool has_job;
    bool by_hand; /* was ever stopped or scaled by hand */

    /* Work lists of a step. */
    struct doom *dooms;
    size_t doom_count, doom_capacity;
    struct list opened;        /* groups whose needs hold now */
    struct list cleared;       /* groups that the end has done with */
    struct list vacated;       /* groups that are replaced or removed, and have nothing left */
    struct list deferred;      /* of these, those that wait until others are, too */
    struct list entered;       /* tasks that are to start again: their needs are judged */
    struct list watchers;      /* groups with a trigger on another worker, or that had one */
    struct list fired;         /* triggers that are armed and have an event from within */
    struct list runnable;      /* tasks that may start */
    struct list dirty;         /* tasks whose record has changed */
    struct list left;          /* tasks that were taken out and have ended */
    struct list dead;          /* tasks to be freed at the next step */
    struct list broken_groups; /* an instance has failed, and the others are to be stopped */
    bool failed;               /* a failure of the run has not been acted on */

    /* The end. */
    enum phase phase;
    bool finishing; /* fail: finish has come true: nothing new starts */
    bool killing;
    bool run_dirty;
    int signals;
    bool decided; /* the exit status is */
    int status;
    enum sup_state outcome; /* of the run, for its record */
    char *why;              /* reason for what is stopped */
    char *reason;           /* of the run's record */
    int64_t fence;
    bool fence_valid;            /* sent, and nothing has happened since */
    const char *broken;          /* a forbidden transition */
    struct sup_effects *effects; /* of the step that runs */
};

/* state.c: the table of states, and the one function that moves a task. Takes reason (NULL: none). */
bool state_allows(enum sup_state from, enum sup_state to);
void task_move(struct sup *sup, struct task *task, enum sup_state state, char *reason);

/* task.c */
struct task *task_make(struct sup *sup, struct group *group);
struct task *task_make_run(struct sup *sup, struct task *trigger, int64_t revision);
bool run_is_awaited(const struct task *run);         /* when the last job is over */
void task_rename(struct task *task);                 /* by its group's way to name */
void task_touch(struct sup *sup, struct task *task); /* its record has changed */
void task_free(struct task *task);
void tasks_free_dead(struct sup *sup);
struct task *task_find(const struct sup *sup, uint32_t number);
bool task_lives(const struct task *task); /* has a process, or is about to */
bool task_is_job(const struct task *task);
void task_count_as_job(struct sup *sup, struct task *task);
bool task_unasked(const struct task *task); /* idle: nobody has started it */

/* reload.c: workers that come and go */
void reload_add(struct sup *sup, const struct plan *plan, size_t worker);
void reload_all(struct sup *sup, const struct plan *plan, const bool *same);
void reload_vacated(struct sup *sup, struct group *group); /* nothing of it is left */
/* Do the needs of this worker lead to that group? ahead: now, or when all that is replaced has its new ones.
 */
bool reload_leads(const struct sup *sup, const struct plan *plan, size_t worker, const struct group *to,
                  bool ahead);

/* group.c: workers with their instances, and the edges between them */
void groups_make(struct sup *sup);
void groups_release(struct sup *sup);
struct group *group_new(struct sup *sup, const struct plan *plan, size_t worker);
/* Needs of a worker stand in its plan by number, here by name: plans may come later. */
void group_link(struct sup *sup, struct group *group);
void group_unlink(struct group *group);
void group_empty(struct sup *sup, struct group *group, const char *why); /* takes out all its instances */
void instances_make(struct sup *sup, struct group *group);               /* while the run goes on */
struct group *group_named(const struct sup *sup, struct str name); /* NULL: there is none, or it leaves */
void dormant_mark(struct sup *sup);
struct group *group_at(const struct sup *sup, size_t index); /* NULL: there is none */
size_t group_dependents(const struct group *group);
void group_scale(struct sup *sup, struct group *group, int64_t count);
void group_left(struct sup *sup, struct task *task); /* one that was taken out has ended */
/* Calls visit for each task of the group: its instances, those that leave it, and runs of triggers. */
typedef void visit_fn(struct sup *sup, struct task *task);
void group_each(struct sup *sup, const struct group *group, visit_fn *visit);

/* gate.c: needs */
void gate_judge(struct sup *sup, struct group *group); /* after its instances have become other ones */
void gate_update(struct sup *sup, struct task *task);  /* after each move */
void gate_open(struct sup *sup, struct group *group);
void gate_doom(struct sup *sup, struct doom doom);
void gate_removed(struct sup *sup, const struct group *group); /* who waits for it is skipped */
void gate_proceed(struct sup *sup, struct task *task); /* waiting: is there anything left to wait for? */
/* Makes it wait for its needs, as at first; they are judged when the event was handled. Takes reason. */
void gate_enter(struct sup *sup, struct task *task, char *reason);
void gate_admit(struct sup *sup, struct task *task);
/* A dead need of the group that none of these tasks (sorted numbers) stands for; NULL: there is none. */
char *gate_dead_need(const struct group *group, const uint32_t *apart, size_t count);

void gate_wait(struct sup *sup, struct task *task);    /* begins to wait: timeouts of its needs run */
void gate_overdue(struct sup *sup, struct task *task); /* one of these has come */
void gate_judged(struct sup *sup, struct task *task, const struct sup_event *event); /* the answer to `if` */

/* again.c: on_restart */
void again_needed(struct sup *sup, const struct task *task); /* a new process of what others need */

/* control.c: what is asked for by hand */
bool control_handle(struct sup *sup, const struct sup_event *event); /* false: it is no such event */
void control_again(struct sup *sup, struct task *task);              /* it has ended and is to start again */
/* Stops what runs, and lets it start anew; stop_order has to follow. why is kept. */
void control_restart(struct sup *sup, struct task *task, const char *why);

/* slot.c: who may start */
void slot_want(struct sup *sup, struct task *task);
void slot_leave(struct sup *sup, struct task *task);
bool slots_fill(struct sup *sup); /* false: nothing could start */

/* mutex.c */
bool mutex_take(struct sup *sup, struct task *task);  /* false: it stands in line, and comes up by itself */
void mutex_leave(struct sup *sup, struct task *task); /* the line, or what it holds */
void mutexes_release(struct sup *sup);

/* attempt.c: one process from start to end */
void attempt_start(struct sup *sup, struct task *task);
void attempt_spawned(struct sup *sup, struct task *task, const struct sup_event *event);
void attempt_spawn_failed(struct sup *sup, struct task *task, const struct sup_event *event);
void attempt_probes_hold(struct sup *sup, struct task *task);
void attempt_unhealthy(struct sup *sup, struct task *task, struct str what);
void attempt_output(struct sup *sup, struct task *task, int64_t last_ms);
void attempt_returned(struct sup *sup, struct task *task, struct str result);
void attempt_undone(struct sup *sup, struct task *task, struct str why);
void attempt_ended(struct sup *sup, struct task *task, const struct sup_event *event);
void attempt_alarm(struct sup *sup, struct task *task); /* a time of its has come */
/* Takes reason (NULL: there is none). */
void attempt_stop(struct sup *sup, struct task *task, enum cause cause, char *reason);

/* retry.c: what comes after an attempt */
enum failure {
    FAILED_NOT,
    FAILED_STATUS,
    FAILED_SIGNAL,
    FAILED_TIMEOUT, /* also for silence */
    FAILED_TOTAL,
    FAILED_UNREADY,
    FAILED_UNHEALTHY,
};
/* Takes reason. */
void attempt_over(struct sup *sup, struct task *task, enum failure failure, char *reason);
void attempts_time_out(struct sup *sup, struct task *task); /* all of them, between two */

/* trigger.c */
void trigger_begin(struct sup *sup, struct task *task);
void trigger_event(struct sup *sup, struct task *task, int64_t revision);
/* An event: a new task that is its run. */
struct task *trigger_take(struct sup *sup, struct task *task, int64_t revision);
void trigger_run_started(struct sup *sup, struct task *run);
void trigger_run_ended(struct sup *sup, struct task *run);

void run_link(struct task *task, struct task *run);

/* map.c */
void map_make(struct task *task);
void map_free(struct map *map);
void map_reset(struct task *task); /* it begins anew */
void map_begin(struct sup *sup, struct task *task);
void map_items(struct sup *sup, struct task *task, int64_t count);
void map_items_failed(struct sup *sup, struct task *task, struct str why);
void map_lines_failed(struct sup *sup, struct task *task, const struct sup_event *event);
void map_lines_ended(struct sup *sup, struct task *task);
void map_run_ended(struct sup *sup, struct task *task, struct task *run);
void map_disown(struct task *run); /* it is stopped, and its end means nothing to the map's next life */
void map_alarm(struct sup *sup, struct task *task);
const char *map_check(const struct task *task);
char *task_label(const struct task *task); /* for messages; owned */
/* source.c: events from within */
bool source_is_inside(const struct plan_worker *worker);
void source_begin(struct sup *sup, struct task *task);
void source_armed(struct sup *sup, struct task *task);
void source_drop(struct task *task); /* the events that wait */
void source_fire(struct sup *sup, struct task *task);
void source_moved(struct sup *sup, const struct task *task); /* after each move */
void source_alarm(struct sup *sup, struct task *task);
void source_clock(struct sup *sup, struct task *task); /* the wall clock was set */

/* phase.c: failures of the run, draining, the end */
int phase_failure_status(const struct task *task);
void phase_task_failed(struct sup *sup, const struct task *task);
bool phase_siblings(struct sup *sup); /* on failures of a matrix; true: something was done */
bool phase_act(struct sup *sup);      /* on a failure of the run; true: something was done */
bool phase_advance(struct sup *sup);  /* true: something was done */
void phase_fence(struct sup *sup, int64_t id);
/* Settles the exit status unless it is. */
void phase_decide(struct sup *sup, int status, enum sup_state outcome, const char *reason);

/* stop.c: the ordered end */
void stop_all(struct sup *sup, const char *why); /* why NULL: everything is done */
void stop_new(struct sup *sup);                  /* fail: finish: what has not started never will */
/* Stops a task: at once where it has no process, else it is marked, and told by stop_order. */
void stop_task(struct sup *sup, struct task *task, const char *why);
void stop_runs(struct sup *sup, struct task *task, const char *why); /* of a trigger or a map */
void stop_order(struct sup *sup);          /* tells those that are marked, in reverse order of needs */
bool stop_is_due(const struct task *task); /* told to end, or to be told as soon as it has started */
void stop_cleared(struct sup *sup, struct group *group);
void stop_task_gone(struct sup *sup, struct task *task); /* its process is gone */
void stop_signal(struct sup *sup, int signal);

/* due.c: tasks by the next time that matters to them */
int64_t task_due(const struct task *task); /* -1: never */
void due_update(struct sup *sup, struct task *task);
struct task *due_first(const struct sup *sup); /* NULL: nothing is due ever */

/* effect.c */
enum { SAY_NOTE, SAY_WARNING, SAY_ERROR };
void effect_add(struct sup *sup, enum sup_effect_kind kind, const struct task *task, int64_t number);
void effect_say(struct sup *sup, const struct task *task, int level, const char *format, ...)
    PRINTF_LIKE(4, 5);
void effects_flush(struct sup *sup); /* the records that changed, the tasks that are final */
void list_add(struct list *list, void *item);
char *duration_text(int64_t ms); /* "1s", "1.5s", "10m00s"; owned */

/* record.c */
char *reason_ended(const struct task *task); /* "exit status 7", "killed by SIGSEGV"; owned */

#endif
