/* Triggers: the next event is asked for when there is room for it, and every event becomes a task of its own.
 * queue and skip ask when the run of the last event is over; restart asks at once, and of the events that
 * come while a run is being stopped only the newest waits; parallel asks when the last run has started, so
 * that never more than one waits for a slot. */
#include "sup_priv.h"

static void trigger_arm(struct sup *sup, struct task *task, int64_t revision)
{
    task->trigger->armed = true;
    if (task->worker->trigger.timeout_ms > 0)
        task->alarm_ms = sup->now + task->worker->trigger.timeout_ms;
    due_update(sup, task);
    if (source_is_inside(task->worker)) {
        source_armed(sup, task);
        return;
    }
    effect_add(sup, SUP_ARM, task, revision);
    if (task->worker->trigger.drain)
        sup->fence_valid = false;
}

void trigger_begin(struct sup *sup, struct task *task)
{
    task->trigger->done = 0; /* runs of an earlier life have ended since */
    if (task->trigger->map) {
        map_begin(sup, task);
        return;
    }
    task->trigger->opened = true;
    task->started_ms = sup->wall;
    task->started_mono_ms = sup->now;
    if (task->worker->trigger.drain && !source_is_inside(task->worker))
        sup->drains++;
    source_begin(sup, task);
    trigger_arm(sup, task, 0);
    task_move(sup, task, TASK_IDLE, NULL);
}

static bool all_events_came(const struct task *task)
{
    return task->worker->trigger.max > 0 && task->trigger->events >= task->worker->trigger.max;
}

/* Asks for the next event on account of this run, once. */
static void arm_after(struct sup *sup, struct task *run)
{
    struct task *task = run->parent;
    if (run->acked || sup_state_final(task->state) || all_events_came(task))
        return;
    run->acked = true;
    if (source_is_inside(task->worker) && task->worker->trigger.overlap == OVERLAP_SKIP)
        source_drop(task);
    trigger_arm(sup, task, run->revision);
}

void run_link(struct task *task, struct task *run)
{
    struct trigger *trigger = task->trigger;
    run->run_prev = trigger->last_run;
    if (trigger->last_run)
        trigger->last_run->run_next = run;
    else
        trigger->runs = run;
    trigger->last_run = run;
}

static void run_unlink(struct task *task, struct task *run)
{
    struct trigger *trigger = task->trigger;
    if (run->run_prev)
        run->run_prev->run_next = run->run_next;
    else
        trigger->runs = run->run_next;
    if (run->run_next)
        run->run_next->run_prev = run->run_prev;
    else
        trigger->last_run = run->run_prev;
}

static void supersede(struct sup *sup, struct task *run)
{
    run->why = "a newer event came";
    if (run->state == TASK_WAITING || run->state == TASK_RETRYING)
        task_move(sup, run, TASK_STOPPED, mem_text(run->why));
    else
        attempt_stop(sup, run, CAUSE_ASKED, NULL);
}

/* An older run that waits still ends here; the one that lives is stopped. */
static void supersede_before(struct sup *sup, struct task *run)
{
    for (struct task *older = run->parent->trigger->runs, *next; older != run; older = next) {
        next = older->run_next;
        supersede(sup, older);
    }
}

void trigger_event(struct sup *sup, struct task *task, int64_t revision)
{
    if (task->trigger && task->trigger->armed && !source_is_inside(task->worker))
        trigger_take(sup, task, revision);
}

struct task *trigger_take(struct sup *sup, struct task *task, int64_t revision)
{
    task->trigger->armed = false;
    if (task->worker->trigger.timeout_ms > 0)
        task->alarm_ms = -1;
    due_update(sup, task);
    task->trigger->events++;
    sup->fence_valid = false;
    enum plan_overlap overlap = task->worker->trigger.overlap;
    struct task *run = task_make_run(sup, task, revision);
    run_link(task, run);
    if (task->state == TASK_IDLE)
        task_move(sup, task, TASK_RUNNING, NULL);
    if (overlap == OVERLAP_RESTART) {
        arm_after(sup, run);
        supersede_before(sup, run);
    }
    if (overlap != OVERLAP_RESTART || task->trigger->runs == run)
        slot_want(sup, run);
    return run;
}

void trigger_run_started(struct sup *sup, struct task *run)
{
    if (run->worker->trigger.overlap == OVERLAP_PARALLEL)
        arm_after(sup, run);
}

/* What the end of its runs means for a trigger that goes on. */
static void trigger_rest(struct sup *sup, struct task *task)
{
    if (task->trigger->runs)
        return;
    if (all_events_came(task))
        task_move(sup, task, TASK_SUCCEEDED, NULL);
    else
        task_move(sup, task, TASK_IDLE, NULL);
}

/* A run that waits for an older one to be stopped does so even when the trigger itself has failed meanwhile.
 */
static void run_next(struct sup *sup, struct task *task)
{
    struct task *next = task->trigger->runs;
    if (next && next->worker->trigger.overlap == OVERLAP_RESTART && next->state == TASK_WAITING)
        slot_want(sup, next);
}

/* Of a trigger that was taken out, or that is to start once more. */
static void runs_are_over(struct sup *sup, struct task *task)
{
    if (task->leaving && sup_state_final(task->state))
        group_left(sup, task);
    else
        gate_proceed(sup, task);
}

void trigger_run_ended(struct sup *sup, struct task *run)
{
    struct task *task = run->parent;
    run_unlink(task, run);
    task->trigger->done++;
    sup->runs_open--;
    if (run_is_awaited(run))
        sup->runs_drained--;
    if (task->trigger->map)
        map_run_ended(sup, task, run);
    else
        run_next(sup, task);
    if (sup_state_final(task->state) || task->state == TASK_WAITING) {
        if (!task->trigger->runs)
            runs_are_over(sup, task);
        return;
    }
    if (task->trigger->map)
        return;
    arm_after(sup, run);
    trigger_rest(sup, task);
}
