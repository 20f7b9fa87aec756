/* Effects are carried out in virtual time, with delays and faults: processes that start, end and change the
 * state, probes, items, triggers. */
#include "sim.h"

#include <signal.h>
#include <stdlib.h>

enum { CAUSED_MAX = EVENTS_MAX / 2 };

/* Answers of the server come in order. */
static void happen_in_order(struct sim *sim, enum happening_kind kind, struct sup_event event)
{
    int64_t at = sim->now + (chance(sim, 50) ? 0 : random_range(sim, 0, 50));
    if (at < sim->channel)
        at = sim->channel;
    sim->channel = at;
    happen(sim, at - sim->now, kind, event);
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

void act_spawned(struct sim *sim, const struct sup_event *event)
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

void act_items_come(struct actor *actor, const struct sup_event *event)
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

void act_change(struct sim *sim, const struct happening *what)
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

/* ---- Effects ---- */

static const struct plan_worker *sim_worker(const struct sim *sim, uint32_t number)
{
    struct sup_task task;
    sup_task_at(sim->sup, number, &task);
    return task.worker;
}

void act_do(struct sim *sim, const struct sup_effect *effect)
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
