/* What is asked for by hand: start, stop, restart, scale. */
#include "sup_priv.h"

#include <stdlib.h>

/* All that belongs to an earlier life begins anew. */
static void reset(struct task *task)
{
    task->again = task->asked = task->was_ready = task->returned = false;
    task->why = NULL;
    task->cause = CAUSE_NONE;
    task->retries = 0;
    task->attempt = task->restarts = task->pid = task->signal = 0;
    task->status = -1;
    task->started_ms = task->ended_ms = task->started_mono_ms = task->ended_mono_ms = 0;
    task->limit_ms = task->alarm_ms = task->silence_ms = task->total_ms = -1;
    task->ruled_out = false;
    free(task->recent);
    task->recent = NULL;
    free(task->result);
    task->result = NULL;
    if (task->trigger)
        source_drop(task);
    if (task->trigger)
        task->trigger->opened = task->trigger->armed = false;
    map_reset(task);
    if (task->trigger)
        task->trigger->events = 0;
}

/* Those of a trigger that has failed may still go on: they mean nothing to its next life, which waits for
 * them. */
static void runs_disown(struct task *task)
{
    for (struct task *run = task->trigger ? task->trigger->runs : NULL; run; run = run->run_next)
        run->acked = true;
}

static void revive(struct sup *sup, struct task *task)
{
    if (!task->forgotten)
        effect_add(sup, SUP_FORGET, task, 0);
    task->forgotten = false;
    effect_add(sup, SUP_RENEW, task, 0);
    sup->open++;
    if (task->counted)
        sup->jobs++;
    sup->fence_valid = false;
    reset(task);
    runs_disown(task);
    gate_enter(sup, task, NULL);
}

void control_again(struct sup *sup, struct task *task)
{
    reset(task);
    due_update(sup, task);
    gate_enter(sup, task, NULL);
}

static void again_when_ended(struct sup *sup, struct task *task)
{
    task->again = true;
    gate_update(sup, task);
}

static void start_task(struct sup *sup, struct task *task)
{
    if (sup_state_final(task->state)) {
        revive(sup, task);
    } else if (task_unasked(task)) {
        gate_enter(sup, task, NULL);
    } else if (task_lives(task) && (task->marked || task->asked)) {
        again_when_ended(sup, task);
        return;
    } else {
        return;
    }
    task->wanted = true;
    task_count_as_job(sup, task);
}

void control_restart(struct sup *sup, struct task *task, const char *why)
{
    if (task_lives(task)) {
        stop_task(sup, task, why);
        again_when_ended(sup, task);
    } else if (task->state == TASK_RETRYING) {
        slot_leave(sup, task);
        control_again(sup, task);
    } else if (task->state != TASK_WAITING) {
        if (task->trigger && !sup_state_final(task->state) && !task_unasked(task))
            stop_task(sup, task, why);
        else if (task->trigger)
            stop_runs(sup, task, why);
        start_task(sup, task);
    }
}

static void restart_one(struct sup *sup, struct task *task)
{
    control_restart(sup, task, "restarted by hand");
}

/* What nobody has started yet, or somebody has stopped, is left alone. */
static void refresh_one(struct sup *sup, struct task *task)
{
    if (task->started_ms > 0 && task->state != TASK_STOPPED)
        control_restart(sup, task, "restarted, its files have changed");
}

static void stop_one(struct sup *sup, struct task *task)
{
    stop_task(sup, task, "stopped by hand");
}

static void each_named(struct sup *sup, const struct sup_event *event, visit_fn *visit)
{
    for (size_t i = 0; i < event->task_count; i++) {
        struct task *task = task_find(sup, event->tasks[i]);
        if (task && !task->parent && !task->leaving)
            visit(sup, task);
    }
}

bool control_handle(struct sup *sup, const struct sup_event *event)
{
    if (event->kind < SUP_START_TASKS)
        return false;
    if (!sup_allows(sup, event, NULL))
        return true;
    switch (event->kind) {
    case SUP_START_TASKS:
        each_named(sup, event, start_task);
        break;
    case SUP_STOP_TASKS:
        each_named(sup, event, stop_one);
        stop_order(sup);
        break;
    case SUP_RESTART_TASKS:
        each_named(sup, event, restart_one);
        stop_order(sup);
        break;
    case SUP_FILES_CHANGED:
        each_named(sup, event, refresh_one);
        stop_order(sup);
        break;
    case SUP_ADD:
        reload_add(sup, event->plan, (size_t)event->number);
        break;
    case SUP_RELOAD:
        reload_all(sup, event->plan, event->same);
        break;
    default: /* SUP_SCALE */
        group_scale(sup, group_at(sup, event->group), event->number);
    }
    sup->by_hand = true;
    return true;
}

/* ---- Whether it can be followed ---- */

static int by_number(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

/* Would it wait for its needs if it were started? */
static bool would_enter(const struct task *task)
{
    return task->state != TASK_WAITING;
}

static bool needs_allow(const struct sup *sup, const struct sup_event *event, struct err *err)
{
    uint32_t *apart = mem_array(event->task_count + 1, sizeof *apart);
    bool allowed = true;
    if (event->task_count > 0)
        memcpy(apart, event->tasks, event->task_count * sizeof *apart);
    qsort(apart, event->task_count, sizeof *apart, by_number);
    for (size_t i = 0; i < event->task_count && allowed; i++) {
        const struct task *task = task_find(sup, event->tasks[i]);
        if (!task || task->parent || !would_enter(task))
            continue;
        AUTO_FREE char *reason = gate_dead_need(task->group, apart, event->task_count);
        if (reason)
            allowed = err_set(err, ERR_CONFLICT, "'%s' cannot start: it %s", task->name, reason);
    }
    free(apart);
    return allowed;
}

/* A name can be taken again when all that had it is over. */
static bool name_allows(const struct sup *sup, const char *name, struct err *err)
{
    const struct group *group = group_named(sup, str_of(name));
    bool over = !group || !group->next_plan;
    for (size_t i = 0; over && group && i < group->tasks.count; i++)
        over = sup_state_final(((const struct task *)group->tasks.items[i])->state);
    return over || err_set(err, ERR_CONFLICT, "there is a worker '%s' already, and it has not ended", name);
}

/* What joins under the name of another may be needed by what it needs, or soon be. */
static bool needs_allow_name(const struct sup *sup, const struct plan *plan, size_t worker, struct err *err)
{
    const char *name = plan->workers[worker].name;
    const struct group *group = table_get(&sup->names, str_of(name));
    return !group || !reload_leads(sup, plan, worker, group, true) ||
           err_set(err, ERR_CONFLICT, "'%s' cannot need what needs it; give it another name", name);
}

bool sup_allows(const struct sup *sup, const struct sup_event *event, struct err *err)
{
    if (sup->phase != PHASE_GOING)
        return event->kind == SUP_STOP_TASKS || err_set(err, ERR_CONFLICT, "the run is ending");
    if (event->kind == SUP_STOP_TASKS)
        return true;
    const struct group *group = event->kind == SUP_SCALE ? group_at(sup, event->group) : NULL;
    if (event->kind == SUP_SCALE && (!group || group->removed || group->next_plan || event->number < 0))
        return err_set(err, ERR_CONFLICT, "no such worker, or it is being replaced");
    if (group && group->worker->row_count > 0)
        return err_set(err, ERR_INVALID, "'%s' has a matrix, which says what its instances are",
                       group->worker->name);
    if (sup->finishing && !(group && (size_t)event->number <= group->tasks.count))
        return err_set(err, ERR_CONFLICT, "nothing new starts after a failure ('fail: finish')");
    if (event->kind == SUP_ADD)
        return name_allows(sup, event->plan->workers[event->number].name, err) &&
               needs_allow_name(sup, event->plan, (size_t)event->number, err);
    return group || event->kind == SUP_RELOAD || needs_allow(sup, event, err);
}
