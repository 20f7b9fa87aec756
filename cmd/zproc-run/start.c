/* Starts that wait: for the end of the event that they are part of, for answers of the state server. */
#include "run_priv.h"

#include <stdlib.h>

/* It starts because of what others came to, and may look at that in the state. */
static bool follows_others(const struct run *run, const struct task *task)
{
    const struct plan_worker *worker = task->worker;
    const struct task *parent = run_task(run, task->parent);
    return worker->stateful && (worker->need_count > 0 || (parent && parent->worker->trigger.worker));
}

void start_task(struct run *run, struct task *task, struct sup_ref ref)
{
    task->spawn = ref;
    task->spawning = true;
    mem_grow(run->starting, run->starting_capacity, run->starting_count);
    run->starting[run->starting_count++] = task->number;
}

void starts_begin(struct run *run)
{
    size_t count = run->starting_count;
    uint32_t *starting = run->starting;
    run->starting = NULL;
    run->starting_count = run->starting_capacity = 0;
    if (count > 0 && run->closing > 0)
        state_send(run);
    for (size_t i = 0; i < count; i++) {
        struct task *task = run_task(run, starting[i]);
        if (!task)
            continue;
        if (follows_others(run, task))
            records_hold(run, task);
        start_ready(run, task);
    }
    free(starting);
}

void start_ready(struct run *run, struct task *task)
{
    if (task->spawning && task->needed == 0 && !run->over && !session_holds(run, task))
        launch_now(run, task);
}

void start_give_up(struct run *run, struct task *task, const char *why)
{
    struct sup_ref ref = task->spawn;
    task->spawning = false;
    spawn_failed(run, ref, 125, why);
}

void starts_look(struct run *run, const char *why)
{
    uint32_t *waiting = mem_array(run->tasks.count + 1, sizeof *waiting);
    size_t count = 0, at = 0;
    for (struct task *task; (task = table_next(&run->tasks, &at));)
        if (task->spawning)
            waiting[count++] = task->number;
    for (size_t i = 0; i < count; i++) {
        struct task *task = run_task(run, waiting[i]);
        if (task && task->spawning && why)
            start_give_up(run, task, why);
        else if (task)
            start_ready(run, task);
    }
    free(waiting);
}

/* Nothing ran, so that it has ended. */
bool start_cancel(struct run *run, struct task *task, struct sup_ref ref, int signal)
{
    if (!task->spawning || task->spawn.incarnation != ref.incarnation)
        return false;
    task->spawning = false;
    run_event(run, (struct sup_event){.kind = SUP_ENDED, .ref = ref, .signal = signal});
    return true;
}
