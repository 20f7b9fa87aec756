/* The simulated world: it carries effects out in virtual time, with delays and faults, and hands events in.
 */
#include "sim.h"

#include <signal.h>
#include <stdlib.h>

enum { STEPS_MAX = 300000, TIME_MAX = 6 * 3600 * 1000, CAUSED_MAX = EVENTS_MAX / 2 };

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

/* Answers of the server come in order. */
static void happen_in_order(struct sim *sim, enum happening_kind kind, struct sup_event event)
{
    int64_t at = sim->now + (chance(sim, 50) ? 0 : random_range(sim, 0, 50));
    if (at < sim->channel)
        at = sim->channel;
    sim->channel = at;
    happen(sim, at - sim->now, kind, event);
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

/* ---- Processes ---- */

static void end_draw(struct sim *sim, const struct plan_worker *worker, struct sup_event *event)
{
    static const int statuses[] = {0, 1, 2, 75, 100, 127, 128 + SIGSEGV};
    static const int signals[] = {SIGSEGV, SIGKILL, SIGABRT};
    if (chance(sim, 75))
        event->status = worker->success[random_range(sim, 0, (int64_t)worker->success_count - 1)];
    else if (chance(sim, 70))
        event->status = statuses[random_range(sim, 0, LENGTH_OF(statuses) - 1)];
    else
        event->signal = signals[random_range(sim, 0, LENGTH_OF(signals) - 1)];
}

/* What it was stopped for is forgotten, and so are its retries. */
void actor_renew(struct actor *actor)
{
    actor->retries = 0;
    actor->spawns = 0;
    actor->over = actor->ready = actor->doomed = actor->again = actor->stopped = false;
    actor->judged = false;
    actor->why = WHY_NONE;
    actor->total_from = 0;
    actor->halted = actor->blank = false;
}

static void spawn(struct sim *sim, const struct sup_effect *effect)
{
    struct actor *actor = actor_of(sim, effect->ref.task);
    actor->incarnation = effect->ref.incarnation;
    actor->asked = true;
    actor->terminated = actor->killed = actor->ready = actor->over = actor->forced = false;
    actor->unhealthy = actor->listening = false;
    actor->returned = actor->output = NULL;
    actor->why = WHY_NONE;
    actor->asked_at = sim->now;
    if (actor->total_from == 0)
        actor->total_from = sim->now;
    actor->doomed = actor->stopped = false;
    actor->spawns++;
    struct sup_event event = {.kind = SUP_SPAWNED, .ref = effect->ref, .pid = 1000 + (int)sim->order};
    if (chance(sim, 5)) {
        event.kind = SUP_SPAWN_FAILED;
        event.status = (int)random_range(sim, 125, 127);
    }
    happen(sim, chance(sim, 70) ? 0 : random_range(sim, 1, 200), HAPPEN_EVENT, event);
}

/* A task's process changes what triggers wait for, at times of its life. */
static void changes_draw(struct sim *sim, struct sup_ref ref)
{
    uint32_t tasks = sup_task_count(sim->sup), trigger = (uint32_t)random_range(sim, 0, tasks - 1);
    struct sup_task task;
    if (!sup_task_at(sim->sup, trigger, &task) || !task.worker->trigger.given || task.parent != SUP_NO_TASK ||
        sim_inside(task.worker))
        return;
    if (actor_of(sim, trigger)->change_count >= CAUSED_MAX)
        return;
    struct sup_event event = {.ref = {trigger, ref.incarnation}, .pid = (int)ref.task};
    happen(sim, random_range(sim, 0, 300), HAPPEN_CHANGE, event)->owed = true;
}

/* A process of a map that stays fails between two items, or its item never gets its line. */
static void stray_draw(struct sim *sim, uint32_t map, int64_t delay)
{
    struct sup_event event = {.kind = SUP_LINES_FAILED, .ref = {map, 0}, .text = STR("a line too many")};
    event.status = (int)random_range(sim, 1, 125);
    happen(sim, delay, HAPPEN_EVENT, event);
}

static const char *const digits[ITEMS_MAX] = {"0", "1", "2", "3", "4", "5", "6", "7"};

static void spawned(struct sim *sim, const struct sup_event *event)
{
    struct sup_task task;
    sup_task_at(sim->sup, event->ref.task, &task);
    for (int i = 0; i < 4; i++)
        changes_draw(sim, event->ref);
    if (task.worker->service && chance(sim, 60))
        return;
    struct sup_event end = {.kind = SUP_ENDED, .ref = event->ref};
    end_draw(sim, task.worker, &end);
    if (is_item(&task))
        end.text = str_of(digits[task.item]);
    else if (end.status == 0 && event->pid % 4 == 0)
        end.text = str_of("\"last line\"");
    if (event->pid % 8 == 0)
        happen(sim, event->pid % 500, HAPPEN_EVENT,
               (struct sup_event){.kind = SUP_RETURNED,
                                  .ref = event->ref,
                                  .text = is_item(&task) ? end.text : str_of("[\"returned\"]")});
    if (task.worker->map.stays && chance(sim, 5))
        stray_draw(sim, task.parent, random_range(sim, 0, 1500));
    if (task.worker->map.stays && end.signal == 0 && chance(sim, 5)) {
        end.kind = SUP_UNDONE;
        end.status = 1;
        end.text = STR("no line for this item");
    }
    happen(sim, random_range(sim, 0, chance(sim, 15) ? 10000 : 1500), HAPPEN_EVENT, end);
}

static void terminate(struct sim *sim, const struct sup_effect *effect)
{
    struct actor *actor = actor_of(sim, effect->ref.task);
    actor->terminated = true;
    actor->terminated_at = sim->now;
    if (chance(sim, 15))
        return;
    struct sup_event end = {.kind = SUP_ENDED, .ref = effect->ref};
    if (chance(sim, 70))
        end.signal = SIGTERM;
    happen(sim, random_range(sim, 0, 1500), HAPPEN_EVENT, end);
}

static void probe(struct sim *sim, const struct sup_effect *effect)
{
    struct sup_task task;
    sup_task_at(sim->sup, effect->ref.task, &task);
    actor_of(sim, effect->ref.task)->probing = true;
    if (task.worker->ready.timeout_ms > 0 && chance(sim, 15))
        return;
    happen(sim, random_range(sim, 0, 1200), HAPPEN_EVENT,
           (struct sup_event){.kind = SUP_PROBES_HOLD, .ref = effect->ref});
}

static void guard(struct sim *sim, const struct sup_effect *effect)
{
    actor_of(sim, effect->ref.task)->guarding = true;
    if (chance(sim, 25))
        happen(sim, random_range(sim, 0, 1200), HAPPEN_EVENT,
               (struct sup_event){.kind = SUP_UNHEALTHY, .ref = effect->ref, .text = STR("its probe")});
}

/* It has written something since the last time that was asked, or not. */
static void ask_output(struct sim *sim, const struct sup_effect *effect)
{
    struct actor *actor = actor_of(sim, effect->ref.task);
    actor->listening = true;
    if (chance(sim, 60))
        actor->last_output = random_range(sim, actor->last_output, sim->now);
    happen(sim, 0, HAPPEN_EVENT,
           (struct sup_event){.kind = SUP_OUTPUT, .ref = effect->ref, .number = actor->last_output});
}

static void await(struct sim *sim, const struct sup_effect *effect)
{
    struct sup_task task;
    sup_task_at(sim->sup, effect->ref.task, &task);
    actor_of(sim, effect->ref.task)->awaiting = true;
    if (!sim->graph.never[index_of(task.worker)])
        happen(sim, random_range(sim, 0, 3000), HAPPEN_EVENT,
               (struct sup_event){.kind = SUP_CONDITION, .ref = {effect->ref.task, 0}});
}

static void ask_if(struct sim *sim, const struct sup_effect *effect)
{
    struct sup_event event = {.kind = SUP_IF, .ref = {effect->ref.task, 0}, .number = 1};
    if (chance(sim, 25))
        event.number = chance(sim, 70) ? 0 : -1;
    event.text = event.number < 0 ? STR("its 'if' is broken") : STR("");
    actor_of(sim, effect->ref.task)->asking = true;
    happen(sim, random_range(sim, 0, 300), HAPPEN_EVENT, event);
}

/* ---- Maps ---- */

static void items_read(struct sim *sim, uint32_t task)
{
    struct actor *actor = actor_of(sim, task);
    struct sup_event event = {.kind = SUP_ITEMS_COME, .ref = {task, 0}, .text = STR("no such file")};
    actor->reading = actor->opened = true;
    event.number = random_range(sim, 0, ITEMS_MAX);
    if (chance(sim, 8))
        event.kind = SUP_ITEMS_FAILED;
    happen(sim, chance(sim, 50) ? 0 : random_range(sim, 0, 500), HAPPEN_EVENT, event);
}

static void items_come(struct actor *actor, const struct sup_event *event)
{
    actor->reading = false;
    actor->refused = event->kind == SUP_ITEMS_FAILED;
    actor->items = actor->refused ? 0 : (int)event->number;
    actor->staying = !actor->refused;
    actor->closing = actor->closed = false;
    actor->stray_status = 0;
}

static void lines_end(struct sim *sim, uint32_t task)
{
    struct actor *actor = actor_of(sim, task);
    int64_t delay = chance(sim, 50) ? 0 : random_range(sim, 0, 1000);
    if (actor->closing)
        fault(sim, "the processes of a map are told twice to end");
    actor->closing = true;
    if (chance(sim, 10))
        stray_draw(sim, task, delay);
    happen(sim, delay, HAPPEN_EVENT, (struct sup_event){.kind = SUP_LINES_ENDED, .ref = {task, 0}});
}

/* ---- Triggers ---- */

static void deliver_later(struct sim *sim, uint32_t task)
{
    struct sup_event event = {.kind = SUP_TRIGGER, .ref = {task, actor_of(sim, task)->arming}};
    happen_in_order(sim, HAPPEN_DELIVER, event);
}

static void arm(struct sim *sim, const struct sup_effect *effect)
{
    struct actor *actor = actor_of(sim, effect->ref.task);
    struct sup_task task;
    sup_task_at(sim->sup, effect->ref.task, &task);
    actor->armed = actor->opened = true;
    actor->armed_at = sim->now;
    actor->arming++;
    if (effect->live)
        actor->cursor = actor->change_count;
    if (chance(sim, sim->lossy ? 30 : 1))
        happen(sim, random_range(sim, 0, 500), HAPPEN_EVENT,
               (struct sup_event){.kind = chance(sim, 50) ? SUP_TRIGGER_LOST : SUP_TRIGGER_FAILED,
                                  .ref = {effect->ref.task, 0},
                                  .number = 7});
    if (actor->cursor < actor->change_count)
        deliver_later(sim, effect->ref.task);
    else if (task.worker->trigger.max > 0)
        happen(sim, random_range(sim, 0, 2000), HAPPEN_CHANGE,
               (struct sup_event){.ref = {effect->ref.task, 0}});
}

static void change(struct sim *sim, const struct happening *what)
{
    uint32_t number = what->event.ref.task;
    bool owed = false;
    if (what->owed) { /* made by a process, if that still lives */
        const struct actor *maker = actor_of(sim, (uint32_t)what->event.pid);
        struct sup_task task;
        if (!maker->alive || maker->incarnation != what->event.ref.incarnation ||
            !sup_task_at(sim->sup, (uint32_t)what->event.pid, &task))
            return;
        owed = task.worker->trigger.given ? task.worker->trigger.drain : !task.worker->service;
    }
    struct actor *trigger = actor_of(sim, number);
    if (trigger->change_count == EVENTS_MAX)
        return;
    trigger->changes[trigger->change_count++] = (struct change){.revision = ++sim->revision, .owed = owed};
    if (trigger->armed && trigger->cursor == trigger->change_count - 1)
        deliver_later(sim, number);
}

/* ---- Steps ---- */

static const struct plan_worker *sim_worker(const struct sim *sim, uint32_t number)
{
    struct sup_task task;
    sup_task_at(sim->sup, number, &task);
    return task.worker;
}

static void effect_do(struct sim *sim, const struct sup_effect *effect)
{
    struct actor *actor = effect->ref.task == SUP_NO_TASK ? NULL : actor_of(sim, effect->ref.task);
    switch (effect->kind) {
    case SUP_SPAWN:
        spawn(sim, effect);
        break;
    case SUP_PROBE:
        probe(sim, effect);
        break;
    case SUP_PROBE_END:
        actor->probing = false;
        break;
    case SUP_GUARD:
        guard(sim, effect);
        break;
    case SUP_GUARD_END:
        actor->guarding = false;
        break;
    case SUP_ASK_OUTPUT:
        ask_output(sim, effect);
        break;
    case SUP_ASK_IF:
        ask_if(sim, effect);
        break;
    case SUP_TERMINATE:
        terminate(sim, effect);
        break;
    case SUP_KILL:
        actor->killed = true;
        if (sim->signals < 2 || chance(sim, 80))
            happen(sim, random_range(sim, 0, 20), HAPPEN_EVENT,
                   (struct sup_event){.kind = SUP_ENDED, .ref = effect->ref, .signal = SIGKILL});
        else
            happen(sim, 5000, HAPPEN_EVENT,
                   (struct sup_event){.kind = SUP_ENDED, .ref = effect->ref, .signal = SIGKILL});
        break;
    case SUP_AWAIT:
        await(sim, effect);
        break;
    case SUP_AWAIT_END:
        actor->awaiting = false;
        break;
    case SUP_ARM:
        arm(sim, effect);
        break;
    case SUP_ITEMS:
        items_read(sim, effect->ref.task);
        break;
    case SUP_LINES_END:
        lines_end(sim, effect->ref.task);
        break;
    case SUP_DISARM:
        actor->armed = actor->reading = actor->staying = actor->closing = false;
        break;
    case SUP_SEND_FENCE:
        happen_in_order(sim, HAPPEN_EVENT, (struct sup_event){.kind = SUP_FENCE, .number = effect->number});
        break;
    case SUP_FORGET:
        actor->forgotten = true;
        actor->asking = false;
        break;
    case SUP_RENEW:
        actor_renew(actor);
        actor->forgotten = actor->reading = actor->refused = false;
        actor->items = 0;
        actor->begun = actor->broken = 0;
        actor->opened &= sim_inside(sim_worker(sim, effect->ref.task));
        while (actor->cursor < actor->change_count) /* its session begins anew */
            actor->changes[actor->cursor++].owed = false;
        break;
    case SUP_REMOVE:
        actor->removed = true;
        break;
    case SUP_END:
        sim->ended = true;
        break;
    default:
        break;
    }
}

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
        effect_do(sim, effect);
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
        spawned(sim, event);
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
        items_come(actor, event);
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
        change(sim, &now);
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
