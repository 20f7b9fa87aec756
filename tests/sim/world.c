/* The simulated world: what is going to happen in virtual time, and the steps that events make. */
#include "sim.h"

#include <signal.h>
#include <stdlib.h>

enum { STEPS_MAX = 300000, TIME_MAX = 6 * 3600 * 1000 };

struct actor *actor_of(struct sim *sim, uint32_t task)
{
    while (task >= sim->actor_count) {
        mem_grow(sim->actors, sim->actor_capacity, sim->actor_count);
        sim->actors[sim->actor_count++] = (struct actor){0};
    }
    return &sim->actors[task];
}

/* ---- The queue of what is going to happen ---- */

struct happening *happen(struct sim *sim, int64_t delay, enum happening_kind kind, struct sup_event event)
{
    mem_grow(sim->queue, sim->queue_capacity, sim->queue_count);
    struct happening *what = &sim->queue[sim->queue_count++];
    *what = (struct happening){.at = sim->now + delay, .order = sim->order++, .kind = kind, .event = event};
    return what;
}

static bool sooner(const struct happening *a, const struct happening *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static struct happening *queue_next(struct sim *sim)
{
    struct happening *next = NULL;
    for (size_t i = 0; i < sim->queue_count; i++)
        if (!next || sooner(&sim->queue[i], next))
            next = &sim->queue[i];
    return next;
}

/* ---- Steps ---- */

const char *const effect_names[SUP_END + 1] = {
    "spawn",  "probe",  "probe_end", "guard",  "guard_end", "ask_output", "terminate", "kill",
    "ask_if", "await",  "await_end", "arm",    "disarm",    "items",      "lines_end", "fence",
    "status", "forget", "renew",     "remove", "say",       "end",
};
const char *const event_names[SUP_RELOAD + 1] = {
    "begin",        "tick",           "spawned",       "spawn_failed",  "probes_hold", "unhealthy",
    "output",       "ended",          "returned",      "condition",     "if",          "trigger",
    "trigger_lost", "trigger_failed", "items_come",    "items_failed",  "undone",      "lines_failed",
    "lines_ended",  "clock",          "fence",         "stop",          "down",        "server_lost",
    "start_tasks",  "stop_tasks",     "restart_tasks", "files_changed", "scale",       "add",
    "reload",
};

static void effect_show(const struct sim *sim, const struct sup_effect *effect)
{
    struct sup_task task;
    bool known = sup_task_at(sim->sup, effect->ref.task, &task);
    if (effect->kind == SUP_SAY || effect->kind == SUP_FORGET)
        return;
    printf("    %s", effect_names[effect->kind]);
    if (known)
        printf(" %s#%u/%u %s %s", task.name, effect->ref.task, effect->ref.incarnation,
               sup_state_name(task.state), task.reason);
    printf(" %lld%s\n", (long long)effect->number, effect->live ? " live" : "");
}

static void digest_add(struct sim *sim, const struct sup_effect *effect)
{
    uint64_t words[] = {effect->kind, effect->ref.task, effect->ref.incarnation, (uint64_t)effect->number};
    for (size_t i = 0; i < LENGTH_OF(words); i++)
        sim->digest = (sim->digest ^ words[i]) * 0x100000001b3;
}

static void event_show(const struct sim *sim, const struct sup_event *event)
{
    printf("%lld %s #%u/%u %lld status %d signal %d", (long long)sim->now, event_names[event->kind],
           event->ref.task, event->ref.incarnation, (long long)event->number, event->status, event->signal);
    for (size_t i = 0; i < event->task_count; i++)
        printf(" #%u", event->tasks[i]);
    printf(event->kind == SUP_SCALE ? " group %zu\n" : "\n", event->group);
}

void world_step(struct sim *sim, struct sup_event event)
{
    event.now_ms = sim->now;
    event.wall_ms = 1700000000000 + sim->now + sim->clock;
    if (sim->verbose)
        event_show(sim, &event);
    check_before(sim, &event);
    sup_effects_clear(&sim->effects);
    sup_step(sim->sup, &event, &sim->effects);
    above_follow(sim);
    sim->steps++;
    const char *broken = sup_invariant(sim->sup);
    if (broken)
        fault(sim, "%s", broken);
    check_run(sim);
    check_inside(sim);
    for (size_t i = 0; i < sim->effects.count; i++) {
        const struct sup_effect *effect = &sim->effects.items[i];
        if (sim->verbose)
            effect_show(sim, effect);
        digest_add(sim, effect);
        check_effect(sim, effect);
        coverage_effect(sim, effect);
        act_do(sim, effect);
    }
    coverage_event(sim, &event);
    check_opened(sim);
    check_after(sim);
}

/* An attempt has ended: the retries that should follow are counted here for check.c. */
static void over(struct sim *sim, struct actor *actor, const struct sup_event *event)
{
    struct sup_task task;
    sup_task_at(sim->sup, event->ref.task, &task);
    int64_t reset = task.worker->retry.reset_after_ms;
    actor->spawn_failed = event->kind == SUP_SPAWN_FAILED;
    actor->status = event->status;
    actor->signal = event->signal;
    actor->ended_at = sim->now;
    actor->output = event->kind == SUP_ENDED && event->text.len > 0 ? event->text.data : NULL;
    actor->over = true;
    actor->forced = actor->terminated || actor->killed;
    actor->asked = actor->alive = actor->probing = actor->guarding = false;
    if (check_success(task.worker, actor))
        actor->total_from = 0;
    if (check_success(task.worker, actor) ||
        (reset > 0 && !actor->spawn_failed && sim->now - actor->spawned_at >= reset))
        actor->retries = 0;
    actor->retries += !check_success(task.worker, actor);
    if (actor->again && !sim->ending)
        actor_renew(actor);
}

/* An event about a process, as long as it can come. */
static bool process_fits(struct sim *sim, const struct sup_event *event)
{
    struct actor *actor = actor_of(sim, event->ref.task);
    bool same = actor->incarnation == event->ref.incarnation;
    switch (event->kind) {
    case SUP_SPAWNED:
    case SUP_SPAWN_FAILED:
        return same && actor->asked;
    case SUP_ENDED:
    case SUP_RETURNED:
    case SUP_UNDONE:
        return same && actor->alive;
    case SUP_PROBES_HOLD:
        return same && actor->probing;
    case SUP_UNHEALTHY:
        return same && actor->guarding;
    case SUP_OUTPUT:
        return same && actor->listening;
    case SUP_IF:
        return actor->asking;
    case SUP_CONDITION:
        return actor->awaiting;
    case SUP_TRIGGER_LOST:
    case SUP_TRIGGER_FAILED:
        return actor->opened && !actor->forgotten;
    case SUP_ITEMS_COME:
    case SUP_ITEMS_FAILED:
        return actor->reading;
    case SUP_LINES_FAILED:
        return actor->staying && !actor->closed;
    case SUP_LINES_ENDED:
        return actor->closing;
    default:
        return true;
    }
}

static void process_event(struct sim *sim, const struct sup_event *event)
{
    if (event->kind < SUP_FENCE && !process_fits(sim, event))
        return;
    struct actor *actor = event->kind < SUP_FENCE ? actor_of(sim, event->ref.task) : NULL;
    if (event->kind == SUP_SPAWNED) {
        actor->asked = false;
        actor->alive = actor->ever_started = true;
        actor->spawned_at = actor->last_output = sim->now;
        check_moment(sim, event->ref.task, TASK_RUNNING);
        act_spawned(sim, event);
    } else if (event->kind == SUP_PROBES_HOLD) {
        actor->ready = true;
    } else if (event->kind == SUP_RETURNED) {
        actor->returned = event->text.data;
    } else if (event->kind == SUP_UNHEALTHY) {
        actor->unhealthy = true;
    } else if (event->kind == SUP_OUTPUT) {
        actor->listening = false;
    } else if (event->kind == SUP_IF) {
        actor->asking = false;
        actor->judged = true;
        actor->judgement = (int)event->number;
    } else if (event->kind == SUP_CONDITION) {
        actor->awaiting = false;
        actor->condition = true;
    } else if (event->kind == SUP_ENDED || event->kind == SUP_UNDONE || event->kind == SUP_SPAWN_FAILED) {
        over(sim, actor, event);
    } else if (event->kind == SUP_TRIGGER_LOST || event->kind == SUP_TRIGGER_FAILED) {
        actor->lost = true;
    } else if (event->kind == SUP_ITEMS_COME || event->kind == SUP_ITEMS_FAILED) {
        act_items_come(actor, event);
    } else if (event->kind == SUP_LINES_FAILED) {
        actor->stray_status = actor->stray_status ? actor->stray_status : event->status;
    } else if (event->kind == SUP_LINES_ENDED) {
        actor->closing = false;
        actor->closed = true;
    }
    world_step(sim, *event);
}

/* Every event that is handed in becomes exactly one new task. */
static void deliver(struct sim *sim, struct sup_event event)
{
    struct actor *actor = actor_of(sim, event.ref.task);
    if (!actor->armed || actor->arming != event.ref.incarnation || actor->cursor >= actor->change_count)
        return;
    struct change *given = &actor->changes[actor->cursor++];
    given->delivered = true;
    actor->armed = false;
    uint32_t number = sup_task_count(sim->sup);
    int64_t revision = event.number = given->revision;
    world_step(sim, event);
    struct sup_task run;
    if (sup_task_count(sim->sup) <= number || !sup_task_at(sim->sup, number, &run) ||
        run.parent != event.ref.task || run.revision != revision)
        fault(sim, "an event of a trigger did not become one run");
}

/* What must change nothing: late and double events, early ticks. */
static void noise(struct sim *sim)
{
    uint32_t number = (uint32_t)random_range(sim, 0, (int64_t)sup_task_count(sim->sup) + 1);
    const struct actor *actor = actor_of(sim, number);
    struct sup_event event = {.ref = {number, actor->incarnation - 1}, .status = 1, .text = STR("7")};
    event.kind = (enum sup_event_kind)random_range(sim, SUP_TICK, SUP_FENCE);
    bool known = event.kind == SUP_TRIGGER_LOST || event.kind == SUP_TRIGGER_FAILED;
    if ((event.kind == SUP_ITEMS_COME || event.kind == SUP_ITEMS_FAILED) && actor->reading)
        return;
    if ((event.kind == SUP_LINES_FAILED || event.kind == SUP_LINES_ENDED) && actor->staying)
        return;
    if ((known && (actor->opened || actor->armed)) || event.kind == SUP_CLOCK)
        return;
    if ((event.kind == SUP_TRIGGER && actor->armed) || (event.kind == SUP_CONDITION && actor->awaiting) ||
        (event.kind == SUP_IF && actor->asking))
        return;
    if (event.kind == SUP_TICK && sup_deadline(sim->sup) >= 0 && sup_deadline(sim->sup) <= sim->now)
        return;
    world_step(sim, event);
    if (sim->effects.count > 0)
        fault(sim, "an event that does not fit (%s) has an effect", event_names[event.kind]);
}

static void stops_draw(struct sim *sim)
{
    if (!sim->graph.needs_stop && !chance(sim, 20))
        return;
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    int64_t at = random_range(sim, 0, chance(sim, 30) ? 30000 : 3000);
    struct sup_event event = {.kind = SUP_STOP, .signal = signals[random_range(sim, 0, 2)]};
    if (chance(sim, 15))
        event.kind = SUP_DOWN;
    else if (chance(sim, 10))
        event.kind = SUP_SERVER_LOST;
    happen(sim, at, HAPPEN_EVENT, event);
    event.kind = SUP_STOP;
    for (int i = 0; i < 2 && chance(sim, 30); i++)
        happen(sim, at += random_range(sim, 0, 500), HAPPEN_EVENT, event);
}

static void happening_do(struct sim *sim, struct happening *what)
{
    struct happening now = *what;
    *what = sim->queue[--sim->queue_count];
    sim->now = now.at;
    if (now.kind == HAPPEN_CHANGE)
        act_change(sim, &now);
    else if (now.kind == HAPPEN_DELIVER)
        deliver(sim, now.event);
    else if (now.kind == HAPPEN_HAND)
        hand_do(sim, now.event);
    else if (now.kind == HAPPEN_CLOCK || now.kind == HAPPEN_LATE)
        weather_do(sim, &now);
    else
        process_event(sim, &now.event);
}

static void advance(struct sim *sim)
{
    struct happening *next = queue_next(sim);
    int64_t due = sup_deadline(sim->sup);
    if (!next && due < 0) {
        fault(sim, "nothing is going to happen, and the run has not ended");
    } else if (due >= 0 && (!next || due < next->at || (due == next->at && chance(sim, 50)))) {
        sim->now = due > sim->now ? due : sim->now;
        world_step(sim, (struct sup_event){.kind = SUP_TICK});
        int64_t after = sup_deadline(sim->sup);
        if (after >= 0 && after <= sim->now)
            fault(sim, "a deadline does not pass");
    } else {
        happening_do(sim, next);
    }
}

void world_run(struct sim *sim)
{
    sim->now = 1;
    sim->sup = sup_new(&sim->graph.plan, sim->seed);
    for (size_t i = 0; i < sup_group_count(sim->sup); i++)
        sim->scales[i] = instances_of(&sim->graph.workers[i]), sim->now_is[i] = &sim->graph.workers[i];
    stops_draw(sim);
    hand_draw(sim);
    weather_draw(sim);
    coverage_graph(&sim->coverage, &sim->graph);
    world_step(sim, (struct sup_event){.kind = SUP_BEGIN});
    while (!sim->ended && !sim->fault[0]) {
        advance(sim);
        if (!sim->ended && chance(sim, 3))
            noise(sim);
        if (sim->steps > STEPS_MAX || sim->now > TIME_MAX)
            fault(sim, "the run does not end");
    }
    if (!sim->fault[0])
        check_end(sim);
}

void world_release(struct sim *sim)
{
    sup_free(sim->sup);
    zone_free(sim->graph.utc);
    sup_effects_release(&sim->effects);
    free(sim->queue);
    free(sim->actors);
    plans_release(sim);
}
