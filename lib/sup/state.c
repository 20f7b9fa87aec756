/* States and allowed transitions: one table, and the one function that moves a task from state to state and
 * keeps every counter that hangs on it. */
#include "sup_priv.h"

#include <stdlib.h>

#define TO(state) (1u << (state))
enum {
    TO_FAILURE = TO(TASK_FAILED) | TO(TASK_TIMEOUT) | TO(TASK_LOST),
    TO_NEVER = TO(TASK_STOPPED) | TO(TASK_SKIPPED),
    TO_OVER = TO(TASK_STOPPING) | TO(TASK_RETRYING) | TO(TASK_SUCCEEDED) | TO(TASK_FAILED) |
              TO(TASK_TIMEOUT) | TO(TASK_STOPPED),
};

/* A trigger is idle or running; it has no process of its own. Every new attempt goes through retrying; what
 * is started or restarted by hand waits once more. */
static const unsigned allowed[SUP_STATE_COUNT] = {
    [TASK_WAITING] = TO(TASK_IDLE) | TO(TASK_STARTING) | TO(TASK_FAILED) | TO(TASK_TIMEOUT) | TO_NEVER,
    [TASK_IDLE] = TO(TASK_WAITING) | TO(TASK_RUNNING) | TO_FAILURE | TO_NEVER,
    [TASK_STARTING] = TO(TASK_RUNNING) | TO(TASK_STOPPING) | TO(TASK_RETRYING) | TO(TASK_FAILED) |
                      TO(TASK_TIMEOUT) | TO(TASK_STOPPED) | TO(TASK_WAITING),
    [TASK_RUNNING] = TO(TASK_READY) | TO(TASK_IDLE) | TO_OVER | TO(TASK_LOST) | TO(TASK_WAITING),
    [TASK_READY] = TO_OVER | TO(TASK_WAITING),
    [TASK_STOPPING] =
        TO(TASK_RETRYING) | TO(TASK_FAILED) | TO(TASK_TIMEOUT) | TO(TASK_STOPPED) | TO(TASK_WAITING),
    [TASK_RETRYING] = TO(TASK_STARTING) | TO(TASK_TIMEOUT) | TO(TASK_STOPPED) | TO(TASK_WAITING),
    [TASK_SUCCEEDED] = TO(TASK_WAITING),
    [TASK_FAILED] = TO(TASK_WAITING),
    [TASK_TIMEOUT] = TO(TASK_WAITING),
    [TASK_LOST] = TO(TASK_WAITING),
    [TASK_STOPPED] = TO(TASK_WAITING),
    [TASK_SKIPPED] = TO(TASK_WAITING),
};

static const struct {
    const char *name;
    bool final;
} states[SUP_STATE_COUNT] = {
#define X(state, name, final) [state] = {name, final},
    SUP_STATES(X)
#undef X
};

const char *sup_state_name(enum sup_state state)
{
    return states[state].name;
}

bool sup_state_final(enum sup_state state)
{
    return states[state].final;
}

bool state_allows(enum sup_state from, enum sup_state to)
{
    return allowed[from] & TO(to);
}

static void live_update(struct sup *sup, struct task *task, bool lived)
{
    bool lives = task_lives(task);
    if (lives == lived)
        return;
    uint32_t step = lives ? 1 : UINT32_MAX;
    sup->live += step;
    task->group->live += step;
    if (!task->worker->service)
        sup->slots += step;
    if (!lived)
        return;
    mutex_leave(sup, task);
    stop_task_gone(sup, task);
}

static void await_end(struct sup *sup, struct task *task)
{
    if (task->awaiting)
        effect_add(sup, SUP_AWAIT_END, task, 0);
    task->awaiting = false;
}

static void trigger_end(struct sup *sup, struct task *task)
{
    source_drop(task);
    if (!task->trigger->opened)
        return;
    task->trigger->armed = false;
    if (source_is_inside(task->worker))
        return;
    effect_add(sup, SUP_DISARM, task, 0);
    if (task->worker->trigger.drain && !task->trigger->map)
        sup->drains--;
}

static void say_final(struct sup *sup, const struct task *task)
{
    AUTO_FREE char *label = task_label(task);
    if (task->state == TASK_SKIPPED && *task->reason && task->worker->start)
        effect_say(sup, task, task->ruled_out ? SAY_NOTE : SAY_WARNING, "%s: skipped: %s", task->name,
                   task->reason);
    else if (TO(task->state) & TO_FAILURE && task->attempt > 1)
        effect_say(sup, task, SAY_ERROR, "%s: failed after %d attempts: %s", label, task->attempt,
                   task->reason);
    else if (TO(task->state) & TO_FAILURE)
        effect_say(sup, task, SAY_ERROR, "%s: failed: %s", label, task->reason);
}

static void siblings_note(struct sup *sup, const struct task *task)
{
    list_add(&task->group->whys, mem_format("stopped because %s failed", task->name));
    list_add(&sup->broken_groups, task->group);
}

static void task_finish(struct sup *sup, struct task *task)
{
    task->ended_ms = sup->wall;
    task->ended_mono_ms = sup->now;
    task->limit_ms = task->alarm_ms = task->silence_ms = task->total_ms = -1;
    task->asking = false;
    due_update(sup, task);
    slot_leave(sup, task);
    await_end(sup, task);
    sup->open--;
    if (task->counted)
        sup->jobs--;
    say_final(sup, task);
    if (task->trigger)
        trigger_end(sup, task);
    if (TO(task->state) & TO_FAILURE)
        phase_task_failed(sup, task);
    if (TO(task->state) & TO_FAILURE && task->row && task->worker->fail_fast && !task->parent)
        siblings_note(sup, task);
    if (task->parent)
        trigger_run_ended(sup, task);
    else if (task->leaving && !(task->trigger && task->trigger->runs))
        group_left(sup, task);
}

void task_move(struct sup *sup, struct task *task, enum sup_state state, char *reason)
{
    if (!state_allows(task->state, state))
        sup->broken = "a task made a forbidden transition";
    bool lived = task_lives(task);
    task->state = state;
    free(task->reason);
    task->reason = reason ? reason : mem_text("");
    task_touch(sup, task);
    due_update(sup, task);
    live_update(sup, task, lived);
    if (sup_state_final(state))
        task_finish(sup, task);
    if (!task->parent)
        gate_update(sup, task);
    source_moved(sup, task);
}
