/* What must hold between steps: every counter is counted again from the states, and every list is what it
 * says. */
#include "sup_priv.h"

struct recount {
    uint32_t open, live, slots, jobs, runs_open, runs_drained, drains, replacing;
    bool leaving;
};

static void recount_task(struct recount *sum, const struct task *task)
{
    bool open = !sup_state_final(task->state);
    bool drain = task->worker->trigger.drain;
    sum->open += open;
    sum->live += task_lives(task);
    sum->slots += task_lives(task) && !task->worker->service;
    sum->jobs += open && task->counted;
    sum->runs_open += open && task->parent;
    sum->runs_drained += open && task->parent && run_is_awaited(task);
    sum->drains += open && task->trigger && task->trigger->opened && drain && !source_is_inside(task->worker);
}

static bool attempt_runs(const struct task *task)
{
    return task->state == TASK_RUNNING || task->state == TASK_READY;
}

static const char *times_check(const struct task *task)
{
    if ((task->due.place > 0) != (task_due(task) >= 0) || (task->due.place && task->due.at != task_due(task)))
        return "a task is due at another time than its own";
    if (task->limit_ms >= 0 && !attempt_runs(task))
        return "a task without a running attempt has a time limit";
    if (task->alarm_ms >= 0 && task->state != TASK_RUNNING && task->state != TASK_STOPPING &&
        task->state != TASK_RETRYING && task->state != TASK_WAITING && !task->trigger)
        return "a task has an alarm in a state that has none";
    return NULL;
}

static const char *queue_fits(const struct sup *sup, const struct task *task)
{
    if (task->queued && task->state != TASK_WAITING && task->state != TASK_RETRYING)
        return "a task is in the queue that cannot start";
    if (task->queued && sup->phase != PHASE_GOING)
        return "a task is in the queue of a run that ends";
    if (task->state == TASK_RETRYING && task->alarm_ms < 0 && !task->queued)
        return "a task that retries waits for nothing";
    return NULL;
}

static const char *waiting_check(const struct sup *sup, const struct task *task)
{
    if (sup->phase != PHASE_GOING || task->state != TASK_WAITING)
        return NULL;
    bool waits = task->parent ? task->run_prev != NULL : task->group->unmet > 0;
    waits |= task->awaiting || task->asking || task->queued || (task->trigger && task->trigger->runs);
    return waits ? NULL : "a waiting task waits for nothing";
}

static const char *mutexes_check(const struct task *task)
{
    if (task->worker->mutex_count > 0 && task_lives(task) && !task->locked)
        return "a task lives without its mutexes";
    if ((task->locked || task->locking) && !task_lives(task) && !task->queued)
        return "a task that does not want to start has a mutex, or waits for one";
    for (size_t i = 0; i < task->worker->mutex_count && task->locked; i++)
        if (task->locks[i].mutex->holder != task)
            return "a mutex has two holders";
    return NULL;
}

static const char *task_check(const struct sup *sup, const struct task *task)
{
    const char *broken = times_check(task);
    if (!broken)
        broken = queue_fits(sup, task);
    if (!broken)
        broken = waiting_check(sup, task);
    if (!broken)
        broken = mutexes_check(task);
    if (broken)
        return broken;
    if (task->probing && task->state != TASK_RUNNING)
        return "probes run for a task that is not running";
    if (task->guarding && task->state != TASK_READY)
        return "a task is guarded that is not ready";
    if (task->asking && task->state != TASK_WAITING)
        return "the condition of a task is asked for that does not wait";
    if (task->silence_ms >= 0 && !attempt_runs(task))
        return "a task without a running attempt has a time of silence";
    if (task->worker->retry.max > 0 && task->retries > task->worker->retry.max &&
        !task->worker->restart_always)
        return "more retries than allowed";
    if (task->awaiting && task->state != TASK_WAITING)
        return "a condition is watched for a task that does not wait";
    return NULL;
}

static const char *trigger_check(const struct task *task)
{
    const struct trigger *trigger = task->trigger;
    if (trigger->map)
        return map_check(task);
    bool open = trigger->opened && !sup_state_final(task->state);
    if (trigger->armed && !open)
        return "a trigger is armed that is not open";
    if (open && (task->state == TASK_RUNNING) != (trigger->runs != NULL))
        return "a trigger's state does not tell whether it has runs";
    bool all = task->worker->trigger.max > 0 && trigger->events >= task->worker->trigger.max;
    if (open && !trigger->armed && !trigger->runs)
        return "a trigger neither waits for an event nor works one off";
    if (trigger->armed && trigger->pending)
        return "an event waits for a trigger that is armed";
    return trigger->armed && all ? "a trigger waits for more events than its max" : NULL;
}

struct group_sum {
    uint32_t held[NEED_KINDS], dead[NEED_KINDS], live, going;
};

static void group_sum_task(struct group_sum *sum, const struct task *task)
{
    for (int is = 0; is < NEED_KINDS; is++) {
        sum->held[is] += (task->holds >> is) & 1;
        sum->dead[is] += (task->dead >> is) & 1;
    }
    sum->live += task_lives(task);
    sum->going += task->marked;
    for (struct task *run = task->trigger ? task->trigger->runs : NULL; run; run = run->run_next) {
        sum->live += task_lives(run);
        sum->going += run->marked;
    }
}

static const char *group_check(const struct group *group)
{
    struct group_sum sum = {0};
    uint32_t unmet = 0;
    for (size_t i = 0; i < group->tasks.count; i++)
        group_sum_task(&sum, group->tasks.items[i]);
    for (size_t i = 0; i < group->leaving.count; i++)
        group_sum_task(&sum, group->leaving.items[i]);
    for (size_t i = 0; i < group->need_count; i++) {
        const struct need *need = &group->needs[i];
        const struct group *needed = need->group;
        unmet += needed->next_plan || needed->removed || needed->held[need->is] < needed->tasks.count;
    }
    if (memcmp(sum.held, group->held, sizeof sum.held) != 0)
        return "a group miscounts who meets a need";
    if (memcmp(sum.dead, group->dead, sizeof sum.dead) != 0)
        return "a group miscounts who can never meet a need";
    if (unmet != group->unmet)
        return "a group miscounts its needs";
    if (sum.going != group->going)
        return "a group miscounts what is to be stopped";
    return sum.live != group->live ? "a group miscounts its processes" : NULL;
}

static const char *counters_check(const struct sup *sup, const struct recount *sum)
{
    if (sum->open != sup->open || sum->live != sup->live || sum->slots != sup->slots)
        return "open or living tasks are miscounted";
    if (sum->jobs != sup->jobs || sum->drains != sup->drains)
        return "jobs or triggers are miscounted";
    if (sum->replacing != sup->replacing)
        return "workers that are being replaced are miscounted";
    if (sup->phase == PHASE_GOING && sup->deferred.count > 0 && !sum->leaving)
        return "a worker is not replaced, and nothing is in its way";
    if (sum->runs_open != sup->runs_open || sum->runs_drained != sup->runs_drained)
        return "trigger runs are miscounted";
    if (sup->plan->run.jobs > 0 && sup->slots > sup->plan->run.jobs)
        return "more jobs run than allowed";
    if (sup->phase == PHASE_OVER && sup->open > 0)
        return "the run is over, a task is not";
    return NULL;
}

static const char *list_check(const struct sup *sup, const struct list *tasks, struct recount *sum)
{
    const char *broken = NULL;
    for (size_t i = 0; i < tasks->count && !broken; i++) {
        const struct task *task = tasks->items[i];
        recount_task(sum, task);
        broken = task_check(sup, task);
        if (!broken && task->trigger)
            broken = trigger_check(task);
        for (struct task *run = task->trigger ? task->trigger->runs : NULL; run && !broken;
             run = run->run_next) {
            recount_task(sum, run);
            broken = task_check(sup, run);
        }
    }
    return broken;
}

static const char *lists_check(const struct sup *sup)
{
    if (sup->doom_count + sup->opened.count + sup->cleared.count + sup->vacated.count + sup->entered.count +
            sup->fired.count + sup->runnable.count + sup->dirty.count + sup->left.count >
        0)
        return "a step has left work undone";
    return NULL;
}

static const char *queue_check(const struct sup *sup)
{
    const struct task *previous = NULL;
    for (const struct task *task = sup->queue_first; task; previous = task, task = task->queue_next)
        if (!task->queued || task->queue_prev != previous)
            return "the queue is tangled";
    return previous == sup->queue_last ? NULL : "the queue ends somewhere else";
}

const char *sup_invariant(const struct sup *sup)
{
    struct recount sum = {0};
    const char *broken = sup->broken ? sup->broken : lists_check(sup);
    if (!broken)
        broken = queue_check(sup);
    for (size_t i = 0; i < sup->groups.count && !broken; i++) {
        const struct group *group = group_at(sup, i);
        broken = group_check(group);
        sum.replacing += group->next_plan != NULL;
        sum.leaving |= group->leaving.count > 0;
        if (!broken)
            broken = list_check(sup, &group->tasks, &sum);
        if (!broken)
            broken = list_check(sup, &group->leaving, &sum);
    }
    return broken ? broken : counters_check(sup, &sum);
}
