/* The rules of the run as a whole, judged from outside: when it ends and with what, that it stops what it
 * must and loses nothing. */
#include "sim.h"

#include <stdlib.h>

static void decide(struct sim *sim, int status)
{
    if (!sim->decided)
        sim->status = status;
    sim->decided = true;
}

static void cut_short(struct sim *sim, int status)
{
    decide(sim, status);
    sim->cut = sim->ending = true;
}

void check_before(struct sim *sim, const struct sup_event *event)
{
    sim->was_ending = sim->ending;
    int64_t timeout = sim->graph.plan.run.timeout_ms;
    bool limit = event->kind == SUP_TICK && timeout > 0 && sim->now >= 1 + timeout && !sim->ending;
    if (limit)
        cut_short(sim, 124);
    if (event->kind == SUP_DOWN)
        cut_short(sim, 0);
    if (event->kind == SUP_SERVER_LOST)
        cut_short(sim, 125);
    if (event->kind == SUP_STOP) {
        cut_short(sim, 128 + event->signal);
        sim->signals++;
    }
}

static bool has_failed(const struct sup_task *task)
{
    return task->state == TASK_FAILED || task->state == TASK_TIMEOUT || task->state == TASK_LOST;
}

/* Before the maps are judged that they belong to. */
static void item_failures_count(struct sim *sim)
{
    for (size_t i = 0; i < sim->effects.count; i++) {
        struct sup_task task;
        if (sim->effects.items[i].kind == SUP_FORGET &&
            sup_task_at(sim->sup, sim->effects.items[i].ref.task, &task) && is_item(&task) &&
            has_failed(&task))
            map_item_failed(sim, &task, check_status(&task, actor_of(sim, task.ref.task)));
    }
}

static void failures_count(struct sim *sim)
{
    item_failures_count(sim);
    for (size_t i = 0; i < sim->effects.count; i++) {
        struct sup_task task;
        if (sim->effects.items[i].kind != SUP_FORGET ||
            !sup_task_at(sim->sup, sim->effects.items[i].ref.task, &task) || task.worker->optional)
            continue;
        if (!has_failed(&task) || is_item(&task))
            continue;
        decide(sim, check_status(&task, actor_of(sim, task.ref.task)));
        sim->failed = true;
        sim->cut |= sim->graph.plan.run.fail != FAIL_KEEP_GOING;
    }
}

static void siblings_halt(struct sim *sim)
{
    for (size_t i = 0; i < sim->effects.count && !sim->ending; i++) {
        struct sup_task task;
        if (sim->effects.items[i].kind == SUP_FORGET &&
            sup_task_at(sim->sup, sim->effects.items[i].ref.task, &task) && task.row &&
            task.worker->fail_fast && task.parent == SUP_NO_TASK &&
            !actor_of(sim, task.ref.task)->leaving && /* that new ones come instead is no concern of theirs */
            (task.state == TASK_FAILED || task.state == TASK_TIMEOUT || task.state == TASK_LOST))
            halt_expect(sim, &task);
    }
}

/* Of a worker that is being replaced a job may come. */
static void check_own_end(struct sim *sim)
{
    for (size_t i = 0; i < sim->graph.plan.worker_count; i++) {
        size_t group = sup_group_find(sim->sup, str_of(sim->graph.names[i]));
        if (group != SIZE_MAX && sim->replaced[i] && sim->scales[i] > 0 &&
            sup_group_at(sim->sup, group).count == 0)
            fault(sim, "the run ends while w%zu is being replaced", i);
    }
}

void check_run(struct sim *sim)
{
    AUTO_BUF struct buf record = {0};
    sim->was_ending = sim->ending;
    siblings_halt(sim);
    failures_count(sim);
    sup_run_record_print(&record, sim->sup);
    bool going = str_starts_with(buf_str(&record), STR("{\"status\":\"running\""));
    if (going && (sim->ending || (sim->failed && sim->graph.plan.run.fail == FAIL_FAST)))
        fault(sim, "the run goes on when it should end");
    if (!going && !sim->ending && !sim->cut)
        check_own_end(sim);
    sim->ending |= !going;
}

/* Something that needs it is being stopped still. */
static bool held_up(struct sim *sim, const struct sup_task *task)
{
    for (uint32_t i = 0; i < sim->actor_count; i++) {
        const struct actor *actor = &sim->actors[i];
        struct sup_task other;
        if ((actor->alive || actor->asked) && (actor->doomed || actor->terminated || sim->ending) &&
            sup_task_at(sim->sup, i, &other) &&
            sim->graph.above[index_of(task->worker)][index_of(other.worker)])
            return true;
    }
    return false;
}

/* Those before it have not ended. Where needs change it may have to wait for others, too. */
static bool being_replaced(const struct sim *sim, size_t index)
{
    for (uint32_t i = 0; i < sim->actor_count; i++) {
        struct sup_task task;
        if (sim->actors[i].leaving && !sim->actors[i].removed && sup_task_at(sim->sup, i, &task) &&
            (sim->turns || index_of(task.worker) == index))
            return true;
    }
    return false;
}

/* A worker has the instances that it should have, or none while those before it end. */
static void check_sizes(struct sim *sim)
{
    for (size_t i = 0; i < sim->graph.plan.worker_count && !sim->ending; i++) {
        size_t group = sup_group_find(sim->sup, str_of(sim->graph.names[i]));
        int count = group == SIZE_MAX ? 0 : (int)sup_group_at(sim->sup, group).count;
        if (count == sim->scales[i])
            sim->replaced[i] = false;
        else if (!sim->replaced[i] || count > 0 || (!sim->absent[i] && !being_replaced(sim, i)))
            fault(sim, "w%zu has another number of instances than it should have", i);
    }
}

void check_after(struct sim *sim)
{
    bool ended;
    int status = sup_exit_status(sim->sup, &ended);
    if (ended != sim->ended)
        fault(sim, "the run has ended without saying so");
    check_sizes(sim);
    if (ended && status != sim->status)
        fault(sim, "the exit status is %d and should be %d", status, sim->status);
    for (uint32_t i = 0; i < sim->actor_count; i++) {
        const struct actor *actor = &sim->actors[i];
        struct sup_task task;
        if (!actor->alive || actor->terminated || sim->signals > 1 || !sup_task_at(sim->sup, i, &task))
            continue;
        struct sup_task trigger; /* the runs of one that has failed go on */
        bool orphan = sup_task_at(sim->sup, task.parent, &trigger) && sup_state_final(trigger.state);
        if (actor->doomed && !orphan && !held_up(sim, &task))
            fault(sim, "%s goes on and should be stopped", task.name);
        if (task.worker->silence_ms > 0 && !actor->listening &&
            sim->now - actor->last_output > task.worker->silence_ms)
            fault(sim, "%s goes on in silence", task.name);
        if (sim->now > actor->total_from + task.worker->total_timeout_ms &&
            task.worker->total_timeout_ms > 0 && sim->now > actor->spawned_at)
            fault(sim, "%s goes on, all of its attempts have no time left", task.name);
    }
}

static void check_job_end(struct sim *sim, const struct sup_task *task)
{
    bool skipped = task->state == TASK_SKIPPED && (strncmp(task->reason, "needs ", 6) == 0 ||
                                                   strcmp(task->reason, "its 'if' is false") == 0);
    skipped |= task->state == TASK_STOPPED && strstr(task->reason, "needs ");
    skipped |= task->state == TASK_STOPPED && strstr(task->reason, " was started again");
    if ((task->state == TASK_STOPPED || task->state == TASK_SKIPPED) && !skipped)
        fault(sim, "%s was not worked off: %s (%s)", task->name, sup_state_name(task->state), task->reason);
}

static bool moment_fits(enum plan_moment moment, enum sup_state state)
{
    bool failed = state == TASK_FAILED || state == TASK_TIMEOUT || state == TASK_LOST;
    return (moment == MOMENT_STARTED && state == TASK_RUNNING) ||
           (moment == MOMENT_SUCCEEDED && state == TASK_SUCCEEDED) || (moment == MOMENT_FAILED && failed) ||
           (moment == MOMENT_ENDED && (failed || state == TASK_SUCCEEDED || state == TASK_STOPPED)) ||
           (moment == MOMENT_STOPPED && state == TASK_STOPPED) ||
           (moment == MOMENT_SKIPPED && state == TASK_SKIPPED);
}

void check_moment(struct sim *sim, uint32_t number, enum sup_state state)
{
    struct sup_task task, trigger;
    sup_task_at(sim->sup, number, &task);
    if (sim->ending || task.worker->trigger.given != (task.parent != SUP_NO_TASK))
        return;
    for (size_t i = 0; i < sim->graph.plan.worker_count; i++) {
        const struct plan_trigger *of = &sim->graph.workers[i].trigger;
        if (!of->given || of->condition != CONDITION_WORKER || strcmp(of->worker, task.worker->name) != 0 ||
            !moment_fits(of->moment, state))
            continue;
        for (uint32_t k = 0; sup_task_at(sim->sup, sup_group_task(sim->sup, i, k), &trigger); k++)
            if (!actor_of(sim, trigger.ref.task)->forgotten)
                actor_of(sim, trigger.ref.task)->expected++;
    }
}

static void note_opened(struct sim *sim, uint32_t number, bool check)
{
    struct sup_task task;
    if (!sup_task_at(sim->sup, number, &task) || !sim_inside(task.worker) || task.parent != SUP_NO_TASK)
        return;
    struct actor *actor = actor_of(sim, number);
    if (check && actor->opens && !sup_state_final(task.state))
        check_needs(sim, &task);
    actor->opens = !check && task.started_ms > 0 && !actor->opened;
    actor->opened = task.started_ms > 0;
}

static void note_all_opened(struct sim *sim, bool check)
{
    for (size_t i = 0; i < sim->effects.count; i++)
        if (sim->effects.items[i].kind == SUP_STATUS)
            note_opened(sim, sim->effects.items[i].ref.task, check);
}

void check_opened(struct sim *sim)
{
    for (size_t i = 0; i < sim->effects.count; i++)
        if (sim->effects.items[i].kind == SUP_TERMINATE)
            return; /* what it needed may have been stopped after it was armed */
    note_all_opened(sim, true);
}

void check_inside(struct sim *sim)
{
    note_all_opened(sim, false);
    for (size_t i = 0; i < sim->effects.count; i++) {
        const struct sup_effect *effect = &sim->effects.items[i];
        struct sup_task task;
        if (effect->kind == SUP_FORGET && sup_task_at(sim->sup, effect->ref.task, &task))
            check_moment(sim, effect->ref.task, task.state);
    }
}

static void check_changes(struct sim *sim, const struct sup_task *task, const struct actor *actor)
{
    const struct plan_trigger *trigger = &task->worker->trigger;
    bool all = trigger->drain && trigger->max == 0 && trigger->overlap != OVERLAP_SKIP;
    bool seen = trigger->moment != MOMENT_READY && trigger->moment != MOMENT_RETRYING;
    for (size_t i = 0; i < sim->graph.plan.worker_count && trigger->worker; i++)
        if (strcmp(sim->graph.workers[i].name, trigger->worker) == 0)
            seen &= !sim->graph.workers[i].service && !sim->graph.workers[i].trigger.given &&
                    !sim->graph.workers[i].map.given && !sim->graph.dormant[i];
    if (sim_inside(task->worker) && all && seen && actor->opened && !sim->by_hand &&
        task->state == TASK_STOPPED && task->runs != actor->expected)
        fault(sim, "%s has worked off %lld events of %lld", task->name, (long long)task->runs,
              (long long)actor->expected);
    for (int i = 0;
         i < actor->change_count && all && actor->opened && !actor->lost && task->state != TASK_TIMEOUT; i++)
        if (actor->changes[i].owed && !actor->changes[i].delivered)
            fault(sim, "%s has lost the event of revision %lld", task->name,
                  (long long)actor->changes[i].revision);
}

void check_end(struct sim *sim)
{
    for (uint32_t i = 0; i < sup_task_count(sim->sup); i++) {
        const struct actor *actor = actor_of(sim, i);
        struct sup_task task;
        if (!actor->forgotten)
            fault(sim, "task %u was never final", i);
        if ((actor->asked || actor->alive) && sim->signals < 3)
            fault(sim, "task %u lives after the end", i);
        if (actor->leaving && !actor->removed)
            fault(sim, "task %u was taken out, and is still there", i);
        if (sim->cut || !sup_task_at(sim->sup, i, &task) || task.parent != SUP_NO_TASK || actor->stopped)
            continue;
        const struct plan_worker *worker = task.worker;
        if (!worker->service && (!worker->trigger.given || worker->trigger.max > 0) &&
            !sim->graph.dormant[index_of(worker)])
            check_job_end(sim, &task);
        if (worker->trigger.given)
            check_changes(sim, &task, actor);
    }
    if (sup_deadline(sim->sup) != -1)
        fault(sim, "there is a deadline after the end");
}
