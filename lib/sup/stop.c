/* The end in order: what has no process ends at once; a group's processes are stopped when nothing that needs
 * the group, directly or not, lives any more. */
#include "sup_priv.h"

#include <stdlib.h>

static bool trigger_open(const struct task *task)
{
    return task->trigger && !sup_state_final(task->state) && task->state != TASK_WAITING;
}

/* Final at once where it has no process. done: because the run has come to its end. */
static void end_without_process(struct sup *sup, struct task *task, bool done)
{
    if (task_unasked(task))
        task_move(sup, task, TASK_SKIPPED, mem_text("nobody started it"));
    else if (task->state == TASK_WAITING && done)
        task_move(sup, task, TASK_SKIPPED, mem_text("the run ended before it could start"));
    else if (task->state == TASK_WAITING || task->state == TASK_RETRYING || trigger_open(task))
        task_move(sup, task, TASK_STOPPED, mem_text(sup->why));
}

static void end_done(struct sup *sup, struct task *task)
{
    end_without_process(sup, task, true);
}

static void end_cut(struct sup *sup, struct task *task)
{
    end_without_process(sup, task, false);
}

static void each_group(struct sup *sup, visit_fn *visit)
{
    for (size_t i = 0; i < sup->groups.count; i++)
        group_each(sup, group_at(sup, i), visit);
}

/* ---- In order ---- */

static void mark(struct sup *sup, struct task *task)
{
    if (!task_lives(task) || task->marked)
        return;
    task->marked = true;
    task->group->going++;
    sup->going++;
    if (!task->parent)
        gate_update(sup, task);
}

bool stop_is_due(const struct task *task)
{
    return task->asked || (task->marked && task->group->released);
}

/* One that is being started is told when it has: if its turn has not passed by then. */
static void task_end(struct sup *sup, struct task *task)
{
    if (task->marked && !task->asked && task->state != TASK_STARTING)
        attempt_stop(sup, task, CAUSE_ASKED, NULL);
}

static void group_release(struct sup *sup, struct group *group)
{
    group->released = true;
    if (group->going > 0)
        group_each(sup, group, task_end);
    if (group->going == 0)
        list_add(&sup->cleared, group);
}

void stop_cleared(struct sup *sup, struct group *group)
{
    for (size_t i = 0; i < group->need_count; i++) {
        struct group *needed = group->needs[i].group;
        if (--needed->uncleared == 0)
            group_release(sup, needed);
    }
}

/* Anew for all that is marked: an order that was under way goes on as part of it. */
void stop_order(struct sup *sup)
{
    if (sup->going == 0)
        return;
    sup->cleared.count = 0;
    for (size_t i = 0; i < sup->groups.count; i++) {
        struct group *group = group_at(sup, i);
        group->uncleared = group_dependents(group);
        group->released = false;
    }
    for (size_t i = 0; i < sup->groups.count; i++)
        if (group_dependents(group_at(sup, i)) == 0)
            group_release(sup, group_at(sup, i));
}

void stop_task_gone(struct sup *sup, struct task *task)
{
    struct group *group = task->group;
    if (!task->marked)
        return;
    task->marked = false;
    sup->going--;
    if (--group->going == 0 && group->released)
        list_add(&sup->cleared, group);
}

/* ---- One of them ---- */

static void stop_run(struct sup *sup, struct task *run, const char *why)
{
    map_disown(run);
    run->acked = true; /* the trigger's next life does not ask for events on its account */
    run->why = why;
    if (run->state == TASK_WAITING || run->state == TASK_RETRYING)
        task_move(sup, run, TASK_STOPPED, mem_text(why));
    else
        mark(sup, run);
}

void stop_runs(struct sup *sup, struct task *task, const char *why)
{
    for (struct task *run = task->trigger->runs, *next; run; run = next) {
        next = run->run_next;
        stop_run(sup, run, why);
    }
}

/* The trigger first: so it does not ask for another event when its run is ended. */
static void stop_trigger(struct sup *sup, struct task *task, const char *why)
{
    task_move(sup, task, TASK_STOPPED, mem_text(why));
    stop_runs(sup, task, why);
}

void stop_task(struct sup *sup, struct task *task, const char *why)
{
    if (sup_state_final(task->state) || task_unasked(task))
        return;
    task->why = why;
    task->again = false;
    if (task->trigger)
        stop_trigger(sup, task, why);
    else if (task_lives(task))
        mark(sup, task);
    else
        task_move(sup, task, TASK_STOPPED, mem_text(why));
}

/* ---- The run ---- */

static void forget_again(struct sup *sup, struct task *task)
{
    (void)sup;
    task->again = false;
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
    each_group(sup, forget_again);
    each_group(sup, why ? end_cut : end_done);
    each_group(sup, mark);
    stop_order(sup);
}

static void end_new(struct sup *sup, struct task *task)
{
    if (task->state == TASK_WAITING || trigger_open(task))
        end_without_process(sup, task, false);
}

void stop_new(struct sup *sup)
{
    sup->finishing = true;
    each_group(sup, end_new);
}

static void task_kill(struct sup *sup, struct task *task)
{
    if (task->state == TASK_RUNNING || task->state == TASK_READY) {
        attempt_stop(sup, task, CAUSE_ASKED, NULL);
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
    each_group(sup, task_kill);
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
    each_group(sup, task_abandon);
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
