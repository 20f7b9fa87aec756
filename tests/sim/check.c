/* The rules of supervision.md, judged from outside: from what the world knows and the records say. */
#include "sim.h"

#include <stdlib.h>

/* ---- What an attempt came to ---- */

static bool timed(const struct actor *actor)
{
    return actor->why >= WHY_TIMEOUT && actor->why <= WHY_TOTAL;
}

bool check_success(const struct plan_worker *worker, const struct actor *actor)
{
    if (actor->spawn_failed || actor->signal > 0 || actor->why >= WHY_TIMEOUT)
        return false;
    for (size_t i = 0; i < worker->success_count; i++)
        if (worker->success[i] == actor->status)
            return true;
    return false;
}

static bool failure_fits(const struct plan_worker *worker, const struct actor *actor,
                         const struct plan_failure *failure)
{
    if (failure->kind == FAILURE_TIMEOUT)
        return timed(actor);
    if (actor->why >= WHY_TIMEOUT)
        return false;
    if (failure->kind == FAILURE_STATUS)
        return actor->signal == 0 && actor->status >= failure->low && actor->status <= failure->high;
    return actor->signal == failure->low ||
           (actor->signal == 0 && worker->run.shell && actor->status - 128 == failure->low);
}

/* Is another attempt due after this failure? */
static bool retry_due(const struct plan_worker *worker, const struct actor *actor)
{
    const struct plan_retry *retry = &worker->retry;
    if (actor->why == WHY_TOTAL)
        return false;
    if (retry->max == 0)
        return worker->restart_always;
    if (retry->max > 0 && actor->retries > retry->max)
        return false;
    bool fits = retry->failure_count == 0;
    for (size_t i = 0; i < retry->failure_count; i++)
        fits |= failure_fits(worker, actor, &retry->failures[i]);
    return fits;
}

static double least_delay(const struct plan_worker *worker, const struct actor *actor)
{
    const struct plan_retry *retry = &worker->retry;
    if (retry->max == 0)
        return 0;
    double delay = (double)retry->delay_ms;
    for (int64_t i = 1; i < actor->retries && i < 64; i++)
        delay *= retry->backoff;
    if (retry->max_delay_ms > 0 && delay > (double)retry->max_delay_ms)
        delay = (double)retry->max_delay_ms;
    return actor->retries > 0 ? delay * (1 - retry->jitter) - 1 : delay;
}

int check_status(const struct sup_task *task, const struct actor *actor)
{
    if (actor->opened && task->parent == SUP_NO_TASK)
        return task->worker->map.given && !actor->refused ? map_status(actor)
               : task->state == TASK_TIMEOUT              ? 124
                                                          : 125;
    if (actor->why == WHY_UNHEALTHY)
        return 1;
    if (timed(actor) || task->state == TASK_TIMEOUT)
        return 124;
    if (actor->signal > 0)
        return 128 + actor->signal;
    return actor->status ? actor->status : 1;
}

/* ---- Needs ---- */

/* SUP_NO_TASK past the last instance of what is needed. */
static uint32_t needed_task(const struct sim *sim, const struct plan_need *need, uint32_t replica)
{
    return sup_group_task(sim->sup, sup_group_find(sim->sup, str_of(need->name)), replica);
}

static bool instance_ready(const struct sup_task *task, const struct actor *actor)
{
    if (is_parent(task))
        return actor->opened && (!sup_state_final(task->state) || task->state == TASK_SUCCEEDED);
    bool ready = task->worker->ready.given ? actor->ready : actor->ever_started;
    bool stays = actor->alive && !actor->terminated && !actor->again && !actor->doomed;
    return ready && (task->state == TASK_SUCCEEDED || stays);
}

static bool instance_meets(const struct sup_task *task, const struct actor *actor, enum plan_need_is is)
{
    switch (is) {
    case NEED_STARTED:
        return is_parent(task) ? actor->opened : actor->ever_started;
    case NEED_READY:
        return instance_ready(task, actor);
    case NEED_SUCCEEDED:
        return task->state == TASK_SUCCEEDED;
    case NEED_FAILED:
        return task->state == TASK_FAILED || task->state == TASK_TIMEOUT || task->state == TASK_LOST;
    case NEED_ENDED:
        return sup_state_final(task->state) && task->state != TASK_SKIPPED;
    }
    return false;
}

void check_needs(struct sim *sim, const struct sup_task *task)
{
    for (size_t i = 0; i < task->worker->need_count; i++) {
        const struct plan_need *need = &task->worker->needs[i];
        struct sup_task needed;
        size_t at = strtoul(need->name + 1, NULL, 10);
        if (sim->absent[at])
            fault(sim, "%s starts and needs %s, which was removed", task->name, need->name);
        for (uint32_t k = 0; sup_task_at(sim->sup, needed_task(sim, need, k), &needed); k++)
            if (!instance_meets(&needed, actor_of(sim, needed.ref.task), need->is))
                fault(sim, "%s starts, its need of %s does not hold", task->name, needed.name);
    }
    if (task->worker->when && !actor_of(sim, task->ref.task)->condition)
        fault(sim, "%s starts, its condition did not hold", task->name);
    if (task->worker->only_if && actor_of(sim, task->ref.task)->judgement != 1)
        fault(sim, "%s starts, its 'if' was not true", task->name);
}

static enum plan_on_restart on_restart(const struct plan_worker *worker, size_t needed)
{
    for (size_t i = 0; i < worker->need_count; i++)
        if (strtoul(worker->needs[i].name + 1, NULL, 10) == needed)
            return worker->needs[i].on_restart;
    return ON_RESTART_IGNORE;
}

/* A new process of a needed worker: those that say so have to be stopped, and with `restart` begin anew. */
static void note_started_again(struct sim *sim, const struct sup_task *needed)
{
    for (uint32_t i = 0; i < sim->actor_count && !sim->was_ending; i++) {
        struct actor *actor = &sim->actors[i];
        struct sup_task task;
        if (actor->spawns == 0 || actor->forgotten || actor->doomed || actor->leaving ||
            !sup_task_at(sim->sup, i, &task))
            continue;
        enum plan_on_restart what = on_restart(task.worker, index_of(needed->worker));
        bool lives = actor->asked || actor->alive;
        actor->stopped |= what == ON_RESTART_STOP;
        actor->again |= what == ON_RESTART_RESTART && lives;
        actor->doomed = what != ON_RESTART_IGNORE && lives;
        actor->blank |= what == ON_RESTART_RESTART && !lives && sup_state_final(task.state);
        if (sim->ending)
            continue;
        if (what == ON_RESTART_RESTART && !lives && !sup_state_final(task.state))
            actor_renew(actor);
    }
}

static void check_mutexes(struct sim *sim, const struct sup_task *task)
{
    for (uint32_t i = 0; i < sim->actor_count; i++) {
        struct sup_task other;
        bool lives = sim->actors[i].asked || sim->actors[i].alive;
        if (!lives || i == task->ref.task || !sup_task_at(sim->sup, i, &other))
            continue;
        for (size_t a = 0; a < task->worker->mutex_count; a++)
            for (size_t b = 0; b < other.worker->mutex_count; b++)
                if (strcmp(task->worker->mutex[a], other.worker->mutex[b]) == 0)
                    fault(sim, "%s starts while %s has the mutex %s", task->name, other.name,
                          task->worker->mutex[a]);
    }
}

/* All attempts together have taken as long as they may. */
static bool total_over(const struct sim *sim, const struct sup_task *task, const struct actor *actor)
{
    int64_t total = task->worker->total_timeout_ms;
    return total > 0 && actor->total_from > 0 && sim->now >= actor->total_from + total;
}

/* ---- Effects ---- */

static void check_slots(struct sim *sim)
{
    int64_t running = 1;
    for (uint32_t i = 0; i < sim->actor_count; i++) {
        struct sup_task task;
        bool lives = sim->actors[i].asked || sim->actors[i].alive;
        running += lives && sup_task_at(sim->sup, i, &task) && !task.worker->service;
    }
    if (sim->graph.plan.run.jobs > 0 && running > sim->graph.plan.run.jobs)
        fault(sim, "%lld jobs run at once", (long long)running);
}

static void check_next_attempt(struct sim *sim, const struct sup_task *task, const struct actor *actor)
{
    bool success = check_success(task->worker, actor);
    if (!actor->over || (success ? !task->worker->restart_always : !retry_due(task->worker, actor)) ||
        total_over(sim, task, actor))
        fault(sim, "%s gets an attempt that it must not have", task->name);
    if ((double)(sim->now - actor->ended_at) < least_delay(task->worker, actor))
        fault(sim, "%s does not wait for its delay", task->name);
}

static void check_spawn(struct sim *sim, const struct sup_task *task)
{
    struct actor *actor = actor_of(sim, task->ref.task);
    if (actor->asked || actor->alive)
        fault(sim, "%s starts while it lives", task->name);
    check_mutexes(sim, task);
    /* Started again it may stop the last job that the run was for. */
    if (sim->ending && (actor->incarnation == 0 || sim->was_ending))
        fault(sim, "%s starts in a run that ends", task->name);
    if (actor->halted)
        fault(sim, "%s starts after an instance of its matrix has failed", task->name);
    if (sim->failed && sim->graph.plan.run.fail == FAIL_FINISH && actor->spawns == 0)
        fault(sim, "%s starts after a failure", task->name);
    if (task->ref.incarnation != actor->incarnation + 1)
        fault(sim, "%s skips an incarnation", task->name);
    if (task->attempt != actor->retries + 1)
        fault(sim, "%s makes attempt %d after %lld retries", task->name, task->attempt,
              (long long)actor->retries);
    if (actor->spawns > 0)
        check_next_attempt(sim, task, actor);
    else if (task->parent == SUP_NO_TASK)
        check_needs(sim, task);
    if (actor->incarnation > 0 && task->parent == SUP_NO_TASK)
        note_started_again(sim, task);
    if (is_item(task))
        check_item_spawn(sim, task);
    check_overlap(sim, task);
    if (!task->worker->service)
        check_slots(sim);
}

static void check_order(struct sim *sim, const struct sup_task *task)
{
    size_t worker = index_of(task->worker);
    bool by_hand = actor_of(sim, task->ref.task)->doomed;
    for (uint32_t i = 0; i < sim->actor_count; i++) {
        struct sup_task other;
        const struct actor *actor = &sim->actors[i];
        if (!(actor->asked || actor->alive) || !sup_task_at(sim->sup, i, &other))
            continue;
        bool all = sim->ending && (sim->was_ending || !by_hand);
        if (!all && !actor->doomed)
            continue; /* it stays, or did when this one was told by hand */
        size_t upper = index_of(other.worker);
        if (sim->graph.above[worker][upper] && sim->graph.above_before[worker][upper])
            fault(sim, "%s is stopped before %s, which needs it", task->name, other.name);
    }
}

static enum why why_of(const char *reason)
{
    struct str why = str_of(reason);
    if (str_starts_with(why, STR("timed out after ")))
        return str_ends_with(why, STR(" in all")) ? WHY_TOTAL : WHY_TIMEOUT;
    if (str_starts_with(why, STR("no output for ")))
        return WHY_SILENT;
    if (str_starts_with(why, STR("not ready within ")))
        return WHY_UNREADY;
    return why.len ? WHY_UNHEALTHY : WHY_ASKED;
}

static bool stop_is_due(const struct sim *sim, const struct sup_task *task, const struct actor *actor)
{
    const struct plan_worker *worker = task->worker;
    int64_t ran = sim->now - actor->spawned_at;
    switch (actor->why) {
    case WHY_TIMEOUT:
        return worker->timeout_ms > 0 && ran >= worker->timeout_ms;
    case WHY_UNREADY:
        return worker->ready.given && worker->ready.timeout_ms > 0 && !actor->ready &&
               ran >= worker->ready.timeout_ms;
    case WHY_SILENT:
        return worker->silence_ms > 0 && sim->now - actor->last_output >= worker->silence_ms;
    case WHY_TOTAL:
        return total_over(sim, task, actor);
    case WHY_UNHEALTHY:
        return actor->unhealthy;
    default:
        return sim->ending || actor->doomed ||
               (task->parent != SUP_NO_TASK && worker->trigger.overlap == OVERLAP_RESTART);
    }
}

static void check_terminate(struct sim *sim, const struct sup_task *task)
{
    struct actor *actor = actor_of(sim, task->ref.task);
    bool restart = task->parent != SUP_NO_TASK && task->worker->trigger.overlap == OVERLAP_RESTART;
    if (!actor->alive || actor->terminated)
        fault(sim, "%s is told to end, and does not run, or was told before", task->name);
    actor->why = why_of(task->reason);
    if (!stop_is_due(sim, task, actor))
        fault(sim, "%s is stopped for no reason: %s", task->name, task->reason);
    if (actor->why == WHY_ASKED && !restart)
        check_order(sim, task);
}

static void check_kill(struct sim *sim, const struct sup_task *task)
{
    const struct actor *actor = actor_of(sim, task->ref.task);
    bool grace = actor->terminated && sim->now >= actor->terminated_at + task->worker->stop.grace_ms;
    if (!actor->alive || (!grace && sim->signals < 2))
        fault(sim, "%s is killed for no reason", task->name);
}

/* A need's time is over, and it does not hold. */
static bool need_overdue(struct sim *sim, const struct sup_task *task)
{
    for (size_t i = 0; i < task->worker->need_count; i++) {
        const struct plan_need *need = &task->worker->needs[i];
        size_t at = strtoul(need->name + 1, NULL, 10);
        struct sup_task needed;
        if (need->timeout_ms > 0 && sim->now >= 1 + need->timeout_ms &&
            (sim->absent[at] || sim->replaced[at]))
            return true;
        for (uint32_t k = 0; sup_task_at(sim->sup, needed_task(sim, need, k), &needed); k++) {
            bool meets = instance_meets(&needed, actor_of(sim, needed.ref.task), need->is);
            if (need->timeout_ms > 0 && sim->now >= 1 + need->timeout_ms &&
                (!meets || sim->ending || needed.ended_mono_ms == sim->now ||
                 needed.started_mono_ms == sim->now))
                return true;
        }
    }
    return false;
}

static bool process_end_fits(struct sim *sim, const struct sup_task *task, const struct actor *actor)
{
    bool success = actor->over && check_success(task->worker, actor);
    bool fast = str_ends_with(str_of(task->reason), STR(", restarting too fast"));
    switch (task->state) {
    case TASK_SUCCEEDED:
        return success && !actor->forced && !task->worker->restart_always;
    case TASK_TIMEOUT:
        return actor->over ? total_over(sim, task, actor) || (timed(actor) && actor->why != WHY_UNREADY &&
                                                              !retry_due(task->worker, actor))
                           : need_overdue(sim, task);
    case TASK_FAILED:
        if (!actor->over)
            return actor->judgement < 0;
        return (fast ? task->restarts >= 5 : !success && !retry_due(task->worker, actor));
    case TASK_SKIPPED:
        return (actor->spawns == 0 || actor->blank) && *task->reason &&
               (actor->judged && actor->judgement == 0) == (strcmp(task->reason, "its 'if' is false") == 0);
    case TASK_STOPPED:
        return *task->reason && (sim->ending || sim->failed || task->worker->trigger.given || is_item(task) ||
                                 actor->stopped || actor->leaving);
    default:
        return false;
    }
}

static void check_forget(struct sim *sim, const struct sup_task *task)
{
    const struct actor *actor = actor_of(sim, task->ref.task);
    bool trigger = is_parent(task);
    if (trigger && actor->again)
        return; /* stopped and to be armed again in one step */
    if (actor->forgotten || !sup_state_final(task->state))
        fault(sim, "%s is forgotten twice, or too early", task->name);
    if ((actor->asked || actor->alive) && sim->signals < 3)
        fault(sim, "%s is final and lives", task->name);
    if (actor->armed || actor->awaiting || ((actor->probing || actor->guarding) && sim->signals < 3))
        fault(sim, "%s is final and still waits for something", task->name);
    int64_t timeout = task->worker->trigger.timeout_ms;
    if (trigger && actor->opened && task->state == TASK_TIMEOUT &&
        (timeout <= 0 || (!sim_inside(task->worker) && sim->now < actor->armed_at + timeout)))
        fault(sim, "%s has not waited long enough for an event", task->name);
    check_result(sim, task);
    check_times(sim, task);
    if (trigger && task->worker->map.given)
        check_map_end(sim, task);
    if (!trigger && !process_end_fits(sim, task, actor))
        fault(sim, "%s cannot be %s (%s)", task->name, sup_state_name(task->state), task->reason);
}

static void check_arm(struct sim *sim, const struct sup_task *task, const struct sup_effect *effect)
{
    const struct actor *actor = actor_of(sim, task->ref.task);
    bool known = effect->number == 0 && !actor->opened;
    for (int i = 0; i < actor->cursor; i++)
        known |= actor->changes[i].revision == effect->number && actor->changes[i].delivered;
    if (actor->armed || !known)
        fault(sim, "%s asks for an event twice, or acknowledges what it was not given", task->name);
    if (!actor->opened && !sup_state_final(task->state)) /* armed and disarmed in one step: too late to ask */
        check_needs(sim, task);
}

static void check_remove(struct sim *sim, const struct sup_task *task)
{
    const struct actor *actor = actor_of(sim, task->ref.task);
    if (!actor->leaving || !actor->forgotten || actor->removed)
        fault(sim, "%s is removed too early, or for no reason", task->name);
    for (uint32_t i = 0; i < sim->actor_count; i++) {
        struct sup_task run;
        bool lives = sim->actors[i].asked || sim->actors[i].alive;
        if (lives && sim->signals < 3 && sup_task_at(sim->sup, i, &run) && run.parent == task->ref.task)
            fault(sim, "%s is removed while a run of its lives", task->name);
    }
}

void check_effect(struct sim *sim, const struct sup_effect *effect)
{
    struct sup_task task;
    if (effect->ref.task == SUP_NO_TASK)
        return;
    if (!sup_task_at(sim->sup, effect->ref.task, &task)) {
        fault(sim, "an effect speaks of a task that is gone");
        return;
    }
    check_incarnation(sim, effect, &task);
    if (effect->kind == SUP_SPAWN)
        check_spawn(sim, &task);
    else if (effect->kind == SUP_TERMINATE)
        check_terminate(sim, &task);
    else if (effect->kind == SUP_KILL)
        check_kill(sim, &task);
    else if (effect->kind == SUP_FORGET)
        check_forget(sim, &task);
    else if (effect->kind == SUP_ARM)
        check_arm(sim, &task, effect);
    else if (effect->kind == SUP_ITEMS && !sup_state_final(task.state))
        check_needs(sim, &task);
    else if (effect->kind == SUP_STATUS && is_parent(&task) && task.worker->map.given)
        check_map_record(sim, &task);
    else if (effect->kind == SUP_RENEW && !actor_of(sim, effect->ref.task)->forgotten)
        fault(sim, "%s is renewed before it was forgotten", task.name);
    else if (effect->kind == SUP_REMOVE)
        check_remove(sim, &task);
}
