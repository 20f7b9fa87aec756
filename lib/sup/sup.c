/* The step: an event is handled, then all that follows from it is settled. */
#include "sup_priv.h"

#include <stdlib.h>

struct sup *sup_new(const struct plan *plan, uint64_t seed)
{
    struct sup *sup = mem_new(sizeof *sup);
    sup->plan = plan;
    sup->random = seed;
    sup->limit_ms = -1;
    sup->run_dirty = true;
    groups_make(sup);
    return sup;
}

void sup_free(struct sup *sup)
{
    if (!sup)
        return;
    size_t pos = 0;
    for (struct task *task; (task = table_next(&sup->tasks, &pos));)
        task_free(task);
    table_release(&sup->tasks);
    groups_release(sup);
    deadlines_release(&sup->dues);
    mutexes_release(sup);
    free(sup->dooms);
    struct list *lists[] = {&sup->broken_groups, &sup->vacated, &sup->opened,   &sup->cleared,
                            &sup->entered,       &sup->fired,   &sup->watchers, &sup->runnable,
                            &sup->dirty,         &sup->left,    &sup->dead,     &sup->deferred};
    for (size_t i = 0; i < LENGTH_OF(lists); i++)
        free(lists[i]->items);
    free(sup->why);
    free(sup->reason);
    free(sup);
}

int64_t sup_deadline(const struct sup *sup)
{
    const struct deadline *first = deadline_first(&sup->dues);
    int64_t due = first ? first->at : -1;
    if (sup->limit_ms >= 0 && (due < 0 || sup->limit_ms < due))
        due = sup->limit_ms;
    return sup->phase == PHASE_OVER ? -1 : due;
}

int sup_exit_status(const struct sup *sup, bool *ended)
{
    if (ended)
        *ended = sup->phase == PHASE_OVER;
    return sup->status;
}

static void begin(struct sup *sup)
{
    if (sup->phase != PHASE_NEW)
        return;
    sup->phase = PHASE_GOING;
    sup->begun_ms = sup->wall;
    sup->run_dirty = true;
    if (sup->plan->run.timeout_ms > 0)
        sup->limit_ms = sup->now + sup->plan->run.timeout_ms;
    for (size_t i = 0; i < sup->groups.count; i++)
        group_each(sup, group_at(sup, i), gate_update);
    for (size_t i = 0; i < sup->groups.count; i++)
        group_each(sup, group_at(sup, i), gate_wait);
    for (size_t i = 0; i < sup->groups.count; i++) {
        struct group *group = group_at(sup, i);
        if (!group->dormant)
            group_each(sup, group, task_count_as_job);
        if (group->unmet == 0)
            list_add(&sup->opened, group);
    }
}

static void run_timeout(struct sup *sup)
{
    AUTO_FREE char *time = duration_text(sup->plan->run.timeout_ms);
    AUTO_FREE char *why = mem_format("the run timed out after %s", time);
    effect_say(sup, NULL, SAY_ERROR, "%s", why);
    phase_decide(sup, 124, TASK_TIMEOUT, why);
    stop_all(sup, why);
}

static void tick(struct sup *sup)
{
    if (sup->limit_ms >= 0 && sup->limit_ms <= sup->now)
        run_timeout(sup);
    for (struct task *task; (task = due_first(sup)) && task->due.at <= sup->now;)
        attempt_alarm(sup, task);
}

static void trigger_broken(struct sup *sup, struct task *task, const struct sup_event *event)
{
    if (!task->trigger || !task->trigger->opened || sup_state_final(task->state))
        return;
    if (event->kind == SUP_TRIGGER_LOST)
        task_move(sup, task, TASK_LOST,
                  mem_format("%lld revisions are no longer in the log; raise server.log_limit",
                             (long long)event->number));
    else
        task_move(sup, task, TASK_FAILED, mem_copy(event->text.data, event->text.len));
}

static void server_lost(struct sup *sup, struct str text)
{
    AUTO_FREE char *why = mem_format("the state server was lost: %.*s", STR_ARG(text));
    effect_say(sup, NULL, SAY_ERROR, "%s", why);
    phase_decide(sup, 125, TASK_FAILED, why);
    stop_all(sup, why);
}

/* Events about a task. */
static void task_event(struct sup *sup, struct task *task, const struct sup_event *event)
{
    switch (event->kind) {
    case SUP_CONDITION:
        if (!task->awaiting)
            break;
        task->awaiting = false;
        task->condition = true;
        gate_proceed(sup, task);
        break;
    case SUP_IF:
        gate_judged(sup, task, event);
        break;
    case SUP_TRIGGER:
        trigger_event(sup, task, event->number);
        break;
    case SUP_TRIGGER_LOST:
    case SUP_TRIGGER_FAILED:
        trigger_broken(sup, task, event);
        break;
    case SUP_ITEMS_COME:
        map_items(sup, task, event->number);
        break;
    case SUP_ITEMS_FAILED:
        map_items_failed(sup, task, event->text);
        break;
    case SUP_LINES_FAILED:
        map_lines_failed(sup, task, event);
        break;
    case SUP_LINES_ENDED:
        map_lines_ended(sup, task);
        break;
    default:
        break;
    }
}

/* Events about a process of a task. */
static void process_event(struct sup *sup, struct task *task, const struct sup_event *event)
{
    if (event->ref.incarnation != task->ref.incarnation || !task_lives(task))
        return;
    switch (event->kind) {
    case SUP_SPAWNED:
        attempt_spawned(sup, task, event);
        break;
    case SUP_SPAWN_FAILED:
        attempt_spawn_failed(sup, task, event);
        break;
    case SUP_PROBES_HOLD:
        attempt_probes_hold(sup, task);
        break;
    case SUP_UNHEALTHY:
        attempt_unhealthy(sup, task, event->text);
        break;
    case SUP_OUTPUT:
        attempt_output(sup, task, event->number);
        break;
    case SUP_ENDED:
        attempt_ended(sup, task, event);
        break;
    case SUP_UNDONE:
        attempt_undone(sup, task, event->text);
        break;
    case SUP_RETURNED:
        attempt_returned(sup, task, event->text);
        break;
    default:
        break;
    }
}

static void event_handle(struct sup *sup, const struct sup_event *event)
{
    struct task *task;
    if (control_handle(sup, event))
        return;
    switch (event->kind) {
    case SUP_BEGIN:
        begin(sup);
        break;
    case SUP_TICK:
        tick(sup);
        break;
    case SUP_CLOCK:
        for (size_t i = 0; i < sup->groups.count; i++)
            group_each(sup, group_at(sup, i), source_clock);
        break;
    case SUP_FENCE:
        phase_fence(sup, event->number);
        break;
    case SUP_STOP:
        stop_signal(sup, event->signal);
        break;
    case SUP_DOWN:
        phase_decide(sup, 0, TASK_STOPPED, "zproc down");
        stop_all(sup, "stopped by zproc down");
        break;
    case SUP_SERVER_LOST:
        server_lost(sup, event->text);
        break;
    default:
        if ((task = task_find(sup, event->ref.task))) {
            task_event(sup, task, event);
            process_event(sup, task, event);
        }
    }
}

/* What can no longer come about. */
static bool settle_dooms(struct sup *sup)
{
    bool busy = sup->doom_count > 0;
    for (size_t i = 0; i < sup->doom_count; i++)
        gate_doom(sup, sup->dooms[i]);
    sup->doom_count = 0;
    return busy;
}

/* What the end has done with. */
static bool settle_ends(struct sup *sup)
{
    bool busy = sup->cleared.count + sup->vacated.count > 0;
    for (size_t i = 0; i < sup->cleared.count; i++)
        stop_cleared(sup, sup->cleared.items[i]);
    sup->cleared.count = 0;
    for (size_t i = 0; i < sup->vacated.count; i++)
        reload_vacated(sup, sup->vacated.items[i]);
    sup->vacated.count = 0;
    return busy;
}

static bool settle_gates(struct sup *sup)
{
    bool busy = sup->opened.count + sup->entered.count > 0;
    for (size_t i = 0; i < sup->entered.count; i++)
        gate_admit(sup, sup->entered.items[i]);
    sup->entered.count = 0;
    for (size_t i = 0; i < sup->opened.count; i++)
        gate_open(sup, sup->opened.items[i]);
    sup->opened.count = 0;
    return busy;
}

static bool settle_events(struct sup *sup)
{
    bool busy = sup->fired.count > 0;
    for (size_t i = 0; i < sup->fired.count; i++)
        source_fire(sup, sup->fired.items[i]);
    sup->fired.count = 0;
    return busy;
}

/* Dooms come before failures are acted on: what needed the failed one is skipped and not stopped. These come
 * before an ordered stop goes on, so that what is to be stopped for a failure is part of the order. Processes
 * are started last: not where the first failure stops everything, and no service when the last job is over.
 */
static void settle(struct sup *sup)
{
    while (settle_dooms(sup) || phase_siblings(sup) || phase_act(sup) || settle_ends(sup) ||
           settle_gates(sup) || settle_events(sup) || phase_advance(sup) || slots_fill(sup))
        ;
}

void sup_step(struct sup *sup, const struct sup_event *event, struct sup_effects *effects)
{
    if (sup->phase == PHASE_OVER)
        return;
    tasks_free_dead(sup);
    sup->effects = effects;
    sup->now = event->now_ms;
    sup->wall = event->wall_ms;
    event_handle(sup, event);
    settle(sup);
    effects_flush(sup);
    if (sup->phase == PHASE_OVER)
        effect_add(sup, SUP_END, NULL, sup->status);
    sup->effects = NULL;
}
