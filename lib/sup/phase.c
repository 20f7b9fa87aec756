/* The run as a whole: what a failure means for it, the draining of triggers, and its end. */
#include "sup_priv.h"

#include <stdlib.h>

void phase_decide(struct sup *sup, int status, enum sup_state outcome, const char *reason)
{
    if (sup->decided)
        return;
    sup->decided = true;
    sup->status = status;
    sup->outcome = outcome;
    free(sup->reason);
    sup->reason = mem_text(reason);
    sup->run_dirty = true;
}

int phase_failure_status(const struct task *task)
{
    if (task->trigger && task->trigger->opened && !task->trigger->map)
        return task->state == TASK_TIMEOUT ? 124 : 125;
    if (task->cause == CAUSE_UNHEALTHY) /* the status is that of our own signal */
        return 1;
    if (task->state == TASK_TIMEOUT || task->cause >= CAUSE_TIMEOUT)
        return 124;
    return task->status > 0 ? task->status : 1;
}

void phase_task_failed(struct sup *sup, const struct task *task)
{
    /* A map says itself what the failure of an item means. */
    if (task->worker->optional || (task->parent && task->parent->trigger->map))
        return;
    if (!sup->decided) {
        AUTO_FREE char *reason = mem_format("%s failed: %s", task->name, task->reason);
        AUTO_FREE char *why = mem_format("stopped because %s failed", task->name);
        phase_decide(sup, phase_failure_status(task), TASK_FAILED, reason);
        if (sup->phase == PHASE_GOING) {
            free(sup->why);
            sup->why = mem_text(why);
        }
    }
    sup->failed = true;
}

static void sibling_stop(struct sup *sup, struct task *task)
{
    const struct list *whys = &task->group->whys;
    if (!task->parent)
        stop_task(sup, task, whys->items[whys->count - 1]);
}

bool phase_siblings(struct sup *sup)
{
    bool busy = sup->broken_groups.count > 0 && sup->phase == PHASE_GOING;
    for (size_t i = 0; i < sup->broken_groups.count && busy; i++)
        group_each(sup, sup->broken_groups.items[i], sibling_stop);
    sup->broken_groups.count = 0;
    if (busy)
        stop_order(sup);
    return busy;
}

bool phase_act(struct sup *sup)
{
    if (!sup->failed)
        return false;
    sup->failed = false;
    if (sup->phase != PHASE_GOING || sup->plan->run.fail == FAIL_KEEP_GOING || sup->finishing)
        return false;
    AUTO_FREE char *why = mem_text(sup->why);
    if (sup->plan->run.fail == FAIL_FAST)
        stop_all(sup, why);
    else
        stop_new(sup);
    return true;
}

/* Every job is final, and what the triggers with drain have begun is over. Of a worker that is being replaced
 * a job may come. */
static bool quiet(const struct sup *sup)
{
    return sup->has_job && sup->jobs == 0 && sup->runs_drained == 0 && sup->replacing == 0;
}

static bool all_done(const struct sup *sup)
{
    if (sup->finishing)
        return sup->jobs == 0 && sup->runs_open == 0;
    return (sup->open == 0 && (sup->has_job || !sup->by_hand)) || (quiet(sup) && sup->drains == 0);
}

static void fence_send(struct sup *sup)
{
    sup->fence_valid = true;
    effect_add(sup, SUP_SEND_FENCE, NULL, ++sup->fence);
}

void phase_fence(struct sup *sup, int64_t id)
{
    if (sup->phase == PHASE_GOING && sup->fence_valid && id == sup->fence && quiet(sup))
        stop_all(sup, NULL);
}

static void end(struct sup *sup)
{
    phase_decide(sup, 0, TASK_SUCCEEDED, "");
    sup->phase = PHASE_OVER;
    sup->ended_ms = sup->wall;
    sup->run_dirty = true;
}

bool phase_advance(struct sup *sup)
{
    if (sup->phase == PHASE_ENDING && sup->open == 0) {
        end(sup);
        return true;
    }
    if (sup->phase != PHASE_GOING)
        return false;
    if (all_done(sup)) {
        stop_all(sup, NULL);
        return true;
    }
    if (quiet(sup) && !sup->finishing && !sup->fence_valid)
        fence_send(sup);
    return false;
}
