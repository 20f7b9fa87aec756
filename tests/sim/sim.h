/* The simulation: a graph made from a seed is run through sup_step in a world that is made from the seed too,
 * in virtual time, and judged by rules that are written down a second time here (check*.c). */
#ifndef SIM_H
#define SIM_H

#include "sup.h"

enum { PLANS_MAX = 16, WORKERS_MAX = 24, NEEDS_MAX = 4, EVENTS_MAX = 24, ITEMS_MAX = 8, ROWS_MAX = 3 };

struct graph {
    struct plan plan;
    struct plan_worker workers[WORKERS_MAX];
    struct plan_need needs[WORKERS_MAX][NEEDS_MAX];
    struct plan_failure failures[WORKERS_MAX][2];
    int success[WORKERS_MAX][2];
    char *mutex[WORKERS_MAX][2];
    struct plan_row rows[WORKERS_MAX][ROWS_MAX];
    struct zone *utc;
    char names[WORKERS_MAX][8];
    bool above[WORKERS_MAX][WORKERS_MAX];        /* [a][b]: b needs a, directly or not */
    bool above_before[WORKERS_MAX][WORKERS_MAX]; /* the step */
    bool dormant[WORKERS_MAX];
    bool never[WORKERS_MAX]; /* its `when` will not hold */
    bool needs_stop;         /* does not end by itself */
};

/* A change of the state that a trigger waits for. */
struct change {
    int64_t revision;
    bool owed; /* made by a job or by a run that the end waits for: must not be lost */
    bool delivered;
};

/* Why a process was told to end, as its record says. */
enum why { WHY_NONE, WHY_ASKED, WHY_TIMEOUT, WHY_SILENT, WHY_UNREADY, WHY_TOTAL, WHY_UNHEALTHY };

/* What the world knows of a task. */
struct actor {
    uint32_t incarnation;
    bool asked, alive; /* a start was asked for; it succeeded, and it has not ended */
    bool terminated, killed, ready, probing, awaiting, armed, forgotten;
    bool ever_started, spawn_failed, over; /* over: the last attempt has ended */
    int spawns, status, signal;
    int64_t retries;
    enum why why;
    bool guarding, unhealthy, listening, asking /* for `if` */, judged;
    int judgement; /* of its `if`, as the event says */
    int64_t asked_at, total_from /* 0: not yet */, last_output;
    bool condition, forced /* the last attempt was stopped */;
    int64_t spawned_at, terminated_at, ended_at;
    struct change changes[EVENTS_MAX]; /* of a trigger */
    int change_count, cursor;
    uint32_t arming;
    bool opened, opens /* in this step */, lost;
    int64_t armed_at, expected; /* events of other workers that it has to work off */
    /* By hand: is to end; is to start once it has; was stopped and not started since; was taken out; is gone.
     */
    bool doomed, again, stopped, leaving, removed;
    /* Of a map: its items are being read; how many there are; bits of those that were begun, that failed; the
     * status of the lowest of these. */
    bool reading, refused;
    int items;
    uint32_t begun, broken;
    int broken_status;
    enum sup_state last_state;
    const char *returned, *output; /* of this attempt; NULL: nothing */
    /* One whose processes stay: they are there; are told to end; have ended; the status of one that failed
     * without an item, 0: none has. */
    bool staying, closing, closed;
    int stray_status;
    bool blank;  /* it began anew and ended in one step, or only the latter: it may have no result */
    bool halted; /* an instance of its matrix has failed: it is to end, and not to start again by itself */
};

enum happening_kind {
    HAPPEN_EVENT,   /* the event is handed in, if it still fits */
    HAPPEN_CHANGE,  /* the state changes for trigger `event.ref.task` */
    HAPPEN_DELIVER, /* the server hands the next change to the trigger */
    HAPPEN_HAND,    /* somebody controls the run by hand */
    HAPPEN_CLOCK,   /* somebody sets the wall clock */
    HAPPEN_LATE,    /* the server keeps its answers to itself for a while */
};
struct happening {
    int64_t at, order;
    enum happening_kind kind;
    struct sup_event event;
    bool owed;
};

enum { FEATURES_MAX = 96, SIGNALS_SHOWN = 3 };

struct coverage { /* counts, and nothing else: they are added up */
    uint64_t features[FEATURES_MAX], needs[NEED_ENDED + 1][3], need_timeouts;
    uint64_t fails[3], jobs, run_timeouts, signals[SIGNALS_SHOWN];
    uint64_t clock_forward, clock_back, server_late, never, turns;
    uint64_t events[SUP_RELOAD + 1], effects[SUP_END + 1];
    uint64_t states[SUP_STATE_COUNT], moves[SUP_STATE_COUNT][SUP_STATE_COUNT];
    uint64_t hands[SUP_FILES_CHANGED - SUP_START_TASKS + 1][SUP_STATE_COUNT];
};

struct sim {
    struct coverage coverage;
    uint64_t seed, random;
    bool verbose;
    struct graph graph;
    struct sup *sup;
    struct sup_effects effects;
    int64_t now, order, channel /* when the server's last answer comes */, revision;
    int64_t clock /* what the wall clock was set forward in all */, clock_steps;
    struct happening *queue;
    size_t queue_count, queue_capacity;
    struct actor *actors; /* by task */
    size_t actor_count, actor_capacity;
    int64_t steps;
    uint64_t digest; /* of all effects */
    bool ended;
    bool turns /* reloads change needs */, by_hand, lossy /* triggers fail often */;
    int scales[WORKERS_MAX];    /* how many instances a worker should have */
    bool replaced[WORKERS_MAX]; /* or none as long as those before have not ended */
    bool absent[WORKERS_MAX];   /* was removed */
    const struct plan_worker *now_is[WORKERS_MAX], *worked_as[WORKERS_MAX]; /* is to be; is, or was last */
    struct plan *plans[PLANS_MAX];                                          /* those that came later */
    size_t plan_count;
    /* What check_run.c keeps. */
    bool decided, ending, was_ending, cut /* does not end by itself */, failed;
    int status, signals;
    char fault[400];
};

/* sim.c */
uint64_t random_next(struct sim *sim);
int64_t random_range(struct sim *sim, int64_t low, int64_t high); /* both included */
bool chance(struct sim *sim, int percent);
void fault(struct sim *sim, const char *format, ...) PRINTF_LIKE(2, 3); /* the first one counts */

/* graph.c */
void graph_make(struct sim *sim);
void graph_mark_dormant(struct sim *sim); /* also what was so once */

bool sim_inside(const struct plan_worker *worker); /* its events come from within sup */

/* world.c */
struct actor *actor_of(struct sim *sim, uint32_t task);
struct happening *happen(struct sim *sim, int64_t delay, enum happening_kind kind, struct sup_event event);
void actor_renew(struct actor *actor); /* another life begins */
void world_step(struct sim *sim, struct sup_event event);
void world_run(struct sim *sim);
void world_release(struct sim *sim);

extern const char *const event_names[SUP_RELOAD + 1];
extern const char *const effect_names[SUP_END + 1];

/* act.c */
void act_do(struct sim *sim, const struct sup_effect *effect);
void act_spawned(struct sim *sim, const struct sup_event *event); /* a process begins its life */
void act_items_come(struct actor *actor, const struct sup_event *event);
void act_change(struct sim *sim, const struct happening *what); /* of what a trigger waits for */

/* weather.c */
void weather_conditions(struct sim *sim);
void weather_draw(struct sim *sim);
void weather_do(struct sim *sim, const struct happening *what);

/* coverage.c */
void coverage_graph(struct coverage *coverage, const struct graph *graph);
void coverage_event(struct sim *sim, const struct sup_event *event); /* after its step */
void coverage_hand(struct sim *sim, const struct sup_event *event, enum sup_state state);
void coverage_effect(struct sim *sim, const struct sup_effect *effect);
void coverage_add(struct coverage *sum, const struct coverage *one);
int coverage_show(const struct coverage *coverage); /* how many things were not reached */

/* hand.c */
void hand_draw(struct sim *sim);
void hand_do(struct sim *sim, struct sup_event event);
/* What has this instance to be told when another one of its matrix has failed? */
void halt_expect(struct sim *sim, const struct sup_task *failed);
void hand_take_out(struct sim *sim, uint32_t task); /* it is expected to leave */

/* reload.c */
size_t index_of(const struct plan_worker *worker); /* in the graph */
int instances_of(const struct plan_worker *worker);
void reload_do(struct sim *sim);
void add_do(struct sim *sim);
void above_follow(struct sim *sim); /* who needs whom after a step */
void plans_release(struct sim *sim);

/* check_map.c */
bool is_parent(const struct sup_task *task); /* a trigger or a map: it has no process of its own */
bool is_item(const struct sup_task *task);
void map_item_failed(struct sim *sim, const struct sup_task *run, int status);
int map_status(const struct actor *map); /* of one that has failed */
void check_item_spawn(struct sim *sim, const struct sup_task *run);
void check_map_record(struct sim *sim, const struct sup_task *task);
void check_map_end(struct sim *sim, const struct sup_task *task);

/* check_attempt.c */
void check_incarnation(struct sim *sim, const struct sup_effect *effect, const struct sup_task *task);
void check_overlap(struct sim *sim, const struct sup_task *run);
void check_result(struct sim *sim, const struct sup_task *task);
void check_times(struct sim *sim, const struct sup_task *task);

/* check.c */
void check_effect(struct sim *sim, const struct sup_effect *effect);
bool check_success(const struct plan_worker *worker, const struct actor *actor);
void check_needs(struct sim *sim, const struct sup_task *task);           /* that they hold */
int check_status(const struct sup_task *task, const struct actor *actor); /* that its failure gives the run */

/* check_run.c */
void check_before(struct sim *sim, const struct sup_event *event);
/* A task comes to a state: what triggers have to work off. */
void check_moment(struct sim *sim, uint32_t task, enum sup_state state);
void check_opened(struct sim *sim); /* once effects are judged */
void check_inside(struct sim *sim); /* triggers whose events come from within; before effects are judged */
void check_run(struct sim *sim);    /* what the step meant for the run; before its effects are judged */
void check_after(struct sim *sim);
void check_end(struct sim *sim);

#endif
