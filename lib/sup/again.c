/* on_restart: what becomes of those that need a worker of which a new process was started. */
#include "sup_priv.h"

#include <stdlib.h>

static bool stop_for(struct sup *sup, struct task *task, const char *needed, enum plan_on_restart what)
{
    if (task->asked || task->marked || !(task_lives(task) || task->state == TASK_RETRYING))
        return false;
    free(task->why_text);
    task->why_text = mem_format("%s was started again", needed);
    if (what == ON_RESTART_STOP)
        stop_task(sup, task, task->why_text);
    else
        control_restart(sup, task, task->why_text);
    return true;
}

static enum plan_on_restart on_restart_of(const struct group *dependent, const struct group *needed)
{
    for (size_t i = 0; i < dependent->need_count; i++)
        if (dependent->needs[i].group == needed)
            return dependent->needs[i].on_restart;
    return ON_RESTART_IGNORE;
}

void again_needed(struct sup *sup, const struct task *task)
{
    const struct group *group = task->group;
    bool any = false;
    if (sup->phase != PHASE_GOING)
        return;
    for (int is = 0; is < NEED_KINDS; is++)
        for (size_t k = 0; k < group->dependents[is].count; k++) {
            struct group *dependent = group->dependents[is].items[k];
            enum plan_on_restart what = on_restart_of(dependent, group);
            for (size_t i = 0; i < dependent->tasks.count && what != ON_RESTART_IGNORE; i++)
                any |= stop_for(sup, dependent->tasks.items[i], task->name, what);
        }
    if (any)
        stop_order(sup);
}
