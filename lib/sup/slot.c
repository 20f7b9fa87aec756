/* Who may start now: services at once, jobs as slots are free, first come first served; what becomes runnable
 * in the same step goes by the manifest's order. */
#include "sup_priv.h"

#include <stdlib.h>

void slot_want(struct sup *sup, struct task *task)
{
    if (task->queued)
        return;
    task->queued = true;
    list_add(&sup->runnable, task);
}

static void queue_append(struct sup *sup, struct task *task)
{
    task->queue_prev = sup->queue_last;
    if (sup->queue_last)
        sup->queue_last->queue_next = task;
    else
        sup->queue_first = task;
    sup->queue_last = task;
}

static void queue_remove(struct sup *sup, struct task *task)
{
    task->queued = false;
    if (task->queue_prev)
        task->queue_prev->queue_next = task->queue_next;
    else if (sup->queue_first == task)
        sup->queue_first = task->queue_next;
    if (task->queue_next)
        task->queue_next->queue_prev = task->queue_prev;
    else if (sup->queue_last == task)
        sup->queue_last = task->queue_prev;
    task->queue_prev = task->queue_next = NULL;
}

static bool stands_in_queue(const struct sup *sup, const struct task *task)
{
    return task->queue_prev || sup->queue_first == task;
}

/* Also of a task that stands in the runnable list still: slots_fill passes over it then. */
void slot_leave(struct sup *sup, struct task *task)
{
    if (!task->queued)
        return;
    queue_remove(sup, task);
    mutex_leave(sup, task);
}

static int by_number(const void *a, const void *b)
{
    const struct task *const *left = a, *const *right = b;
    return ((*left)->ref.task > (*right)->ref.task) - ((*left)->ref.task < (*right)->ref.task);
}

/* Its slot has come in the moment when all attempts time out, or later. */
static bool attempts_are_over(const struct sup *sup, const struct task *task)
{
    return task->state == TASK_RETRYING && task->total_ms >= 0 && task->total_ms <= sup->now;
}

/* Its needs are judged at the last moment: a service may have ceased to be ready while it waited. */
static bool may_start(const struct sup *sup, const struct task *task)
{
    if (sup->phase != PHASE_GOING)
        return false;
    if (task->state == TASK_RETRYING)
        return !attempts_are_over(sup, task);
    return task->state == TASK_WAITING && !sup->finishing && (task->parent || task->group->unmet == 0);
}

static void start_or_drop(struct sup *sup, struct task *task)
{
    queue_remove(sup, task);
    if (may_start(sup, task)) {
        attempt_start(sup, task);
        return;
    }
    mutex_leave(sup, task);
    if (attempts_are_over(sup, task))
        attempts_time_out(sup, task);
}

static bool slot_free(const struct sup *sup)
{
    return sup->plan->run.jobs <= 0 || sup->slots < sup->plan->run.jobs;
}

/* One that came too late has failed: what that means for the others comes first. */
static bool must_settle(const struct sup *sup)
{
    return sup->failed || sup->broken_groups.count > 0;
}

static bool queue_run(struct sup *sup)
{
    bool any = false;
    while (sup->queue_first && slot_free(sup) && !must_settle(sup)) {
        start_or_drop(sup, sup->queue_first);
        any = true;
    }
    return any;
}

/* What left and came back stands in the list twice. */
bool slots_fill(struct sup *sup)
{
    bool any = queue_run(sup) || sup->runnable.count > 0;
    if (sup->runnable.count > 1)
        qsort(sup->runnable.items, sup->runnable.count, sizeof *sup->runnable.items, by_number);
    size_t done = 0;
    while (done < sup->runnable.count && !must_settle(sup)) {
        struct task *task = sup->runnable.items[done++];
        if (!task->queued || stands_in_queue(sup, task) || !mutex_take(sup, task))
            continue;
        if (task->worker->service)
            start_or_drop(sup, task);
        else
            queue_append(sup, task);
        queue_run(sup);
    }
    sup->runnable.count -= done;
    if (sup->runnable.count > 0)
        memmove(sup->runnable.items, sup->runnable.items + done, sup->runnable.count * sizeof(void *));
    return any;
}
