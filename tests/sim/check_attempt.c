/* The rules of single processes and of a trigger's runs, judged from outside. */
#include "sim.h"

/* Nobody speaks of a process that is over, but to say that its probes end. */
void check_incarnation(struct sim *sim, const struct sup_effect *effect, const struct sup_task *task)
{
    const struct actor *actor = actor_of(sim, effect->ref.task);
    bool about = effect->kind == SUP_PROBE || effect->kind == SUP_GUARD || effect->kind == SUP_ASK_OUTPUT ||
                 effect->kind == SUP_TERMINATE || effect->kind == SUP_KILL;
    bool ends = effect->kind == SUP_PROBE_END || effect->kind == SUP_GUARD_END;
    if ((about || ends) && effect->ref.incarnation != actor->incarnation)
        fault(sim, "%s: an effect (%s) is about another incarnation", task->name, effect_names[effect->kind]);
    if (about && !actor->alive)
        fault(sim, "%s: an effect (%s) is about a process that does not run", task->name,
              effect_names[effect->kind]);
}

/* Runs of a trigger follow each other, but where they may overlap. */
void check_overlap(struct sim *sim, const struct sup_task *run)
{
    if (run->parent == SUP_NO_TASK || !run->worker->trigger.given ||
        run->worker->trigger.overlap == OVERLAP_PARALLEL)
        return;
    for (uint32_t i = 0; i < sim->actor_count; i++) {
        const struct actor *actor = &sim->actors[i];
        struct sup_task other;
        if ((actor->asked || actor->alive) && i != run->ref.task && sup_task_at(sim->sup, i, &other) &&
            other.parent == run->parent)
            fault(sim, "%s starts a run while another one goes on", run->name);
    }
}

/* The result is what the last attempt returned, else the last line of its output. */
void check_result(struct sim *sim, const struct sup_task *task)
{
    const struct actor *actor = actor_of(sim, task->ref.task);
    const char *wanted = actor->returned ? actor->returned : actor->output;
    if (is_parent(task) || !actor->over || sim->signals > 2 || (actor->blank && !task->result))
        return;
    if (!task->result != !wanted || (wanted && strcmp(task->result, wanted) != 0))
        fault(sim, "%s has the result %s, not %s", task->name, task->result ? task->result : "none",
              wanted ? wanted : "none");
}

/* Times come no more often than they may. A clock that is set brings one time more at most. */
void check_times(struct sim *sim, const struct sup_task *task)
{
    const struct plan_schedule *schedule = &task->worker->schedule;
    int64_t every = schedule->calendar ? 60 * 1000 : schedule->every_ms;
    int64_t since = sim->now - task->started_mono_ms;
    bool timed = task->worker->trigger.given && task->worker->trigger.condition == CONDITION_TIME;
    if (timed && task->parent == SUP_NO_TASK && task->started_mono_ms > 0 &&
        task->runs > since / every + 1 + sim->clock_steps)
        fault(sim, "%s has run %lld times in %lld ms", task->name, (long long)task->runs, (long long)since);
}
