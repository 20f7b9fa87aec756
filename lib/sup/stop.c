/* The end in order: what has no process ends at once; a group's processes are stopped when nothing that needs
 * the group, directly or not, lives any more. */
#include "sup_priv.h"

#include <stdlib.h>

static bool trigger_open(const struct task *task)
{
    return task->trigger && !sup_state_final(task->state) && task->state != TASK_WAITING;
}

static bool never_asked_for(const struct task *task)
{
    return task->state == TASK_IDLE && !task->worker->start;
}

/* Final at once where it has no process. done: because the run has come to its end. */
static void end_without_process(struct sup *sup, struct task *task, bool done)
{
    if (never_asked_for(task))
        task_move(sup, task, TASK_SKIPPED, mem_text("nobody started it"));
    else if (task->state == TASK_WAITING && done)
        task_move(sup, task, TASK_SKIPPED, mem_text("the run ended before it could start"));
    else if (task->state == TASK_WAITING || task->state == TASK_RETRYING || trigger_open(task))
        task_move(sup, task, TASK_STOPPED, mem_text(sup->why));
}

static void end_runs_without_process(struct sup *sup, struct task *trigger, bool done)
{
    for (struct task *run = trigger->trigger->runs, *next; run; run = next) {
        next = run->run_next;
        end_without_process(sup, run, done);
    }
}

/* The trigger first: so it does not ask for another event when its run is ended. */
static void end_all_without_process(struct sup *sup, bool done)
{
    for (uint32_t i = 0; i < sup->task_count; i++) {
        struct task *task = &sup->tasks[i];
        end_without_process(sup, task, done);
        if (task->trigger)
            end_runs_without_process(sup, task, done);
    }
}

static void task_end(struct sup *sup, struct task *task)
{
    if (!task_lives(task))
        return;
    attempt_stop(sup, task, CAUSE_ASKED);
}

static void each_process(struct sup *sup, const struct group *group,
                         void (*visit)(struct sup *sup, struct task *task))
{
    for (uint32_t i = 0; i < group->count; i++) {
        struct task *task = &group->tasks[i];
        visit(sup, task);
        for (struct task *run = task->trigger ? task->trigger->runs : NULL, *next; run; run = next) {
            next = run->run_next;
            visit(sup, run);
        }
    }
}

static void group_release(struct sup *sup, struct group *group)
{
    group->released = true;
    each_process(sup, group, task_end);
    if (group->live == 0)
        list_add(&sup->cleared, group);
}

void stop_cleared(struct sup *sup, struct group *group)
{
    for (size_t i = 0; i < group->worker->need_count; i++) {
        struct group *needed = &sup->groups[group->worker->needs[i].worker];
        if (--needed->uncleared == 0)
            group_release(sup, needed);
    }
}

void stop_task_gone(struct sup *sup, struct task *task)
{
    if (task->group->released && task->group->live == 0)
        list_add(&sup->cleared, task->group);
}

void stop_all(struct sup *sup, const char *why)
{
    if (sup->phase == PHASE_ENDING || sup->phase == PHASE_OVER)
        return;
    sup->phase = PHASE_ENDING;
    sup->run_dirty = true;
    sup->limit_ms = -1;
    free(sup->why);
    sup->why = mem_text(why ? why : "the run ended");
    end_all_without_process(sup, !why);
    for (size_t i = 0; i < sup->plan->worker_count; i++)
        sup->groups[i].uncleared = sup->groups[i].offsets[NEED_KINDS];
    for (size_t i = 0; i < sup->plan->worker_count; i++)
        if (sup->groups[i].offsets[NEED_KINDS] == 0)
            group_release(sup, &sup->groups[i]);
}

void stop_new(struct sup *sup)
{
    sup->finishing = true;
    for (uint32_t i = 0; i < sup->task_count; i++) {
        struct task *task = &sup->tasks[i];
        if (task->state == TASK_WAITING || trigger_open(task))
            end_without_process(sup, task, false);
        for (struct task *run = task->trigger ? task->trigger->runs : NULL, *next; run; run = next) {
            next = run->run_next;
            if (run->state == TASK_WAITING)
                end_without_process(sup, run, false);
        }
    }
}

static void task_kill(struct sup *sup, struct task *task)
{
    if (task->state == TASK_RUNNING || task->state == TASK_READY) {
        attempt_stop(sup, task, CAUSE_ASKED);
    } else if (task->state == TASK_STOPPING) {
        task->alarm_ms = -1;
        due_update(sup, task);
        effect_add(sup, SUP_KILL, task, 0);
    } else if (task->state == TASK_STARTING) {
        task->asked = true;
    }
}

static void kill_all(struct sup *sup)
{
    sup->killing = true;
    effect_say(sup, NULL, SAY_WARNING, "second signal: killing what still runs (%u)", sup->live);
    for (size_t i = 0; i < sup->plan->worker_count; i++)
        each_process(sup, &sup->groups[i], task_kill);
}

static void task_abandon(struct sup *sup, struct task *task)
{
    if (task_lives(task)) {
        if (task->state != TASK_STARTING && task->state != TASK_STOPPING)
            task_kill(sup, task);
        task_move(sup, task, TASK_STOPPED, mem_text("not waited for"));
    }
}

static void abandon_all(struct sup *sup)
{
    effect_say(sup, NULL, SAY_ERROR, "third signal: not waiting for what still runs (%u)", sup->live);
    for (size_t i = 0; i < sup->plan->worker_count; i++)
        each_process(sup, &sup->groups[i], task_abandon);
}

void stop_signal(struct sup *sup, int signal)
{
    const char *name = sigabbrev_np(signal);
    AUTO_FREE char *why = mem_format("stopped by SIG%s", name ? name : "?");
    phase_decide(sup, 128 + signal, TASK_STOPPED, why);
    sup->signals++;
    if (sup->signals == 1) {
        if (sup->live > 0)
            effect_say(sup, NULL, SAY_NOTE, "stopping (%u running); a second signal kills", sup->live);
        stop_all(sup, why);
    } else if (sup->signals == 2) {
        kill_all(sup);
    } else {
        abandon_all(sup);
    }
}
