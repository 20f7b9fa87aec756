/* Control by hand in the simulated world: starts, stops, restarts and scalings at random moments, and what
 * the world expects of them. */
#include "sim.h"

#include <stdlib.h>

enum { NAMED_MAX = 16, SCALE_TOP = 4 };

void hand_draw(struct sim *sim)
{
    if (!chance(sim, 40))
        return;
    sim->by_hand = true;
    int64_t count = random_range(sim, 1, 12);
    for (int64_t i = 0; i < count; i++) {
        struct sup_event event = {.kind =
                                      (enum sup_event_kind)random_range(sim, SUP_START_TASKS, SUP_RELOAD)};
        happen(sim, random_range(sim, 0, chance(sim, 30) ? 12000 : 2500), HAPPEN_HAND, event);
    }
    /* What is started by hand may go on for ever. */
    happen(sim, random_range(sim, 3000, 40000), HAPPEN_EVENT, (struct sup_event){.kind = SUP_DOWN});
}

static bool lives(const struct actor *actor)
{
    return actor->asked || actor->alive;
}

static void doom(struct actor *actor)
{
    actor->doomed = lives(actor);
}

static void doom_runs(struct sim *sim, uint32_t trigger)
{
    for (uint32_t i = 0; i < sim->actor_count; i++) {
        struct sup_task run;
        if (sup_task_at(sim->sup, i, &run) && run.parent == trigger)
            doom(&sim->actors[i]);
    }
}

static bool is_open(const struct sup_task *task, const struct actor *actor)
{
    return !sup_state_final(task->state) && (task->state != TASK_IDLE || actor->opened);
}

static void expect_stop(struct sim *sim, const struct sup_task *task)
{
    struct actor *actor = actor_of(sim, task->ref.task);
    if (!is_open(task, actor))
        return;
    actor->stopped = true;
    actor->again = false;
    doom(actor);
    if (is_parent(task))
        doom_runs(sim, task->ref.task);
}

void halt_expect(struct sim *sim, const struct sup_task *failed)
{
    struct sup_task task;
    for (uint32_t i = 0; sup_task_at(sim->sup, sup_group_task(sim->sup, failed->group, i), &task); i++) {
        struct actor *actor = actor_of(sim, task.ref.task);
        bool idle = task.state == TASK_IDLE && !actor->opened;
        if (actor->forgotten || idle || task.ref.task == failed->ref.task)
            continue;
        actor->stopped = actor->halted = true;
        actor->again = false;
        doom(actor);
        if (is_parent(&task))
            doom_runs(sim, task.ref.task);
    }
}

static void expect_restart(struct sim *sim, const struct sup_task *task)
{
    struct actor *actor = actor_of(sim, task->ref.task);
    if (is_parent(task)) {
        actor->again = is_open(task, actor) && task->state != TASK_WAITING;
        if (actor->again || sup_state_final(task->state))
            doom_runs(sim, task->ref.task);
    } else if (lives(actor)) {
        actor->doomed = actor->again = true;
    } else if (task->state == TASK_RETRYING) {
        actor_renew(actor);
    }
}

static void expect_start(struct sim *sim, const struct sup_task *task)
{
    struct actor *actor = actor_of(sim, task->ref.task);
    actor->again |= lives(actor) && actor->doomed;
}

void hand_take_out(struct sim *sim, uint32_t number)
{
    struct sup_task task;
    sup_task_at(sim->sup, number, &task);
    actor_of(sim, number)->leaving = true;
    expect_stop(sim, &task);
}

static void expect_scale(struct sim *sim, size_t group, int64_t count)
{
    for (uint32_t i = (uint32_t)count; i < sup_group_at(sim->sup, group).count; i++)
        hand_take_out(sim, sup_group_task(sim->sup, group, i));
    sim->scales[index_of(sup_group_at(sim->sup, group).worker)] = (int)count;
}

static uint32_t instance_draw(struct sim *sim)
{
    size_t group = (size_t)random_range(sim, 0, (int64_t)sup_group_count(sim->sup) - 1);
    int64_t count = sup_group_at(sim->sup, group).count;
    return count == 0 ? SUP_NO_TASK
                      : sup_group_task(sim->sup, group, (uint32_t)random_range(sim, 0, count - 1));
}

static size_t tasks_draw(struct sim *sim, uint32_t numbers[NAMED_MAX])
{
    size_t count = 0, wanted = (size_t)random_range(sim, 1, chance(sim, 30) ? NAMED_MAX : 2);
    for (size_t i = 0; i < wanted; i++) {
        uint32_t number = instance_draw(sim);
        bool known = number == SUP_NO_TASK;
        for (size_t k = 0; k < count; k++)
            known |= numbers[k] == number;
        if (!known)
            numbers[count++] = number;
    }
    return count;
}

static void expect(struct sim *sim, const struct sup_event *event)
{
    if (event->kind == SUP_SCALE)
        expect_scale(sim, event->group, event->number);
    for (size_t i = 0; i < event->task_count; i++) {
        struct sup_task task;
        sup_task_at(sim->sup, event->tasks[i], &task);
        coverage_hand(sim, event, task.state);
        if (event->kind == SUP_START_TASKS)
            expect_start(sim, &task);
        else if (event->kind == SUP_STOP_TASKS)
            expect_stop(sim, &task);
        else if (event->kind == SUP_RESTART_TASKS || (task.started_ms > 0 && task.state != TASK_STOPPED))
            expect_restart(sim, &task);
    }
}

void hand_do(struct sim *sim, struct sup_event event)
{
    uint32_t numbers[NAMED_MAX];
    if (event.kind == SUP_RELOAD)
        reload_do(sim);
    if (event.kind == SUP_ADD)
        add_do(sim);
    if (event.kind == SUP_RELOAD || event.kind == SUP_ADD)
        return;
    event.tasks = numbers;
    if (event.kind == SUP_SCALE) {
        event.group = (size_t)random_range(sim, 0, (int64_t)sup_group_count(sim->sup) - 1);
        event.number = random_range(sim, 0, SCALE_TOP);
    } else {
        event.task_count = tasks_draw(sim, numbers);
    }
    bool allowed = sup_allows(sim->sup, &event, NULL);
    if (allowed && !sim->ending)
        expect(sim, &event);
    world_step(sim, event);
    if (!allowed && sim->effects.count > 0)
        fault(sim, "a request that is not allowed has an effect");
}
