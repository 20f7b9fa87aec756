/* Events of triggers that come from within: another worker comes to a state, a time has come. They wait here
 * until the trigger is armed. Of times only one waits: it says nothing but that it is time. */
#include "sup_priv.h"

#include <stdlib.h>

/* A time of the calendar that is over for longer is left out, and a clock that was put back by more is
 * believed, whatever has run by it. */
#define CLOCK_STEP_MS (3 * 3600 * (int64_t)1000)

struct pending {
    char *worker; /* NULL: a time */
    const char *state;
    struct pending *next;
};

bool source_is_inside(const struct plan_worker *worker)
{
    return worker->trigger.given && worker->trigger.condition >= CONDITION_WORKER;
}

void source_drop(struct task *task)
{
    struct trigger *trigger = task->trigger;
    while (trigger->pending) {
        struct pending *first = trigger->pending;
        trigger->pending = first->next;
        free(first->worker);
        free(first);
    }
    trigger->last_pending = NULL;
}

void source_armed(struct sup *sup, struct task *task)
{
    if (task->trigger->pending)
        list_add(&sup->fired, task);
}

/* Takes worker. */
static void pending_add(struct sup *sup, struct task *task, char *worker, const char *state)
{
    struct trigger *trigger = task->trigger;
    struct pending *pending = mem_new(sizeof *pending);
    *pending = (struct pending){.worker = worker, .state = state};
    if (trigger->last_pending)
        trigger->last_pending->next = pending;
    else
        trigger->pending = pending;
    trigger->last_pending = pending;
    if (trigger->armed)
        list_add(&sup->fired, task);
}

void source_fire(struct sup *sup, struct task *task)
{
    struct trigger *trigger = task->trigger;
    struct pending *first = trigger->pending;
    if (!trigger->armed || !first || sup_state_final(task->state))
        return;
    trigger->pending = first->next;
    if (!first->next)
        trigger->last_pending = NULL;
    struct task *run = trigger_take(sup, task, 0);
    run->event_worker = first->worker;
    run->event_state = first->state;
    free(first);
}

/* ---- States of workers ---- */

static bool moment_is(enum plan_moment moment, enum sup_state state)
{
    switch (moment) {
    case MOMENT_STARTED:
        return state == TASK_RUNNING;
    case MOMENT_READY:
        return state == TASK_READY;
    case MOMENT_SUCCEEDED:
        return state == TASK_SUCCEEDED;
    case MOMENT_FAILED:
        return state == TASK_FAILED || state == TASK_TIMEOUT || state == TASK_LOST;
    case MOMENT_ENDED:
        return sup_state_final(state) && state != TASK_SKIPPED;
    case MOMENT_RETRYING:
        return state == TASK_RETRYING;
    case MOMENT_STOPPED:
        return state == TASK_STOPPED;
    case MOMENT_SKIPPED:
        return state == TASK_SKIPPED;
    }
    return false;
}

static bool is_watched(const struct group *group, const struct group *watcher)
{
    const struct plan_trigger *trigger = &watcher->worker->trigger;
    return trigger->given && trigger->condition == CONDITION_WORKER &&
           strcmp(trigger->worker, group->worker->name) == 0;
}

/* When the last job is over, only what jobs and the runs that are waited for do is worked off still: services
 * and schedules would make events for ever. */
static bool comes_too_late(const struct sup *sup, const struct task *task)
{
    bool waited_for = task->parent ? run_is_awaited(task) : task->counted;
    return sup->has_job && sup->jobs == 0 && !waited_for;
}

/* Of a worker that has a trigger itself its runs are meant. */
void source_moved(struct sup *sup, const struct task *task)
{
    const struct group *group = task->group;
    if (sup->watchers.count == 0 || sup->phase != PHASE_GOING ||
        group->worker->trigger.given != (task->parent != NULL) || comes_too_late(sup, task))
        return;
    for (size_t i = 0; i < sup->watchers.count; i++) {
        const struct group *watcher = sup->watchers.items[i];
        if (!is_watched(group, watcher) || !moment_is(watcher->worker->trigger.moment, task->state))
            continue;
        for (size_t k = 0; k < watcher->tasks.count; k++) {
            struct task *trigger = watcher->tasks.items[k];
            if (!sup_state_final(trigger->state) && !task_unasked(trigger))
                pending_add(sup, trigger, mem_text(task->name), sup_state_name(task->state));
        }
    }
}

/* ---- Times ---- */

static void time_has_come(struct sup *sup, struct task *task)
{
    if (!task->trigger->pending && !comes_too_late(sup, task))
        pending_add(sup, task, NULL, NULL);
}

static void next_by_calendar(struct sup *sup, struct task *task)
{
    const struct plan_schedule *schedule = &task->worker->schedule;
    struct trigger *trigger = task->trigger;
    if (trigger->last_wall - sup->wall > CLOCK_STEP_MS)
        trigger->last_wall = 0;
    int64_t after = trigger->last_wall > sup->wall ? trigger->last_wall : sup->wall;
    trigger->next_wall = cron_next(&schedule->cron, schedule->zone, after);
    task->alarm_ms = trigger->next_wall < 0 ? -1 : sup->now + (trigger->next_wall - sup->wall);
}

static void calendar_alarm(struct sup *sup, struct task *task)
{
    struct trigger *trigger = task->trigger;
    if (trigger->next_wall >= 0 && trigger->next_wall <= sup->wall) {
        trigger->last_wall = trigger->next_wall;
        if (sup->wall - trigger->next_wall <= CLOCK_STEP_MS)
            time_has_come(sup, task);
    }
    next_by_calendar(sup, task);
}

static void interval_alarm(struct sup *sup, struct task *task)
{
    int64_t every = task->worker->schedule.every_ms;
    task->alarm_ms = task->alarm_ms + every > sup->now ? task->alarm_ms + every : sup->now + every;
    time_has_come(sup, task);
}

void source_begin(struct sup *sup, struct task *task)
{
    task->alarm_ms = -1;
    if (task->worker->trigger.condition == CONDITION_TIME && task->worker->schedule.calendar) {
        task->trigger->last_wall = 0;
        next_by_calendar(sup, task);
    } else if (task->worker->trigger.condition == CONDITION_TIME) {
        task->alarm_ms = sup->now;
        interval_alarm(sup, task);
    }
}

void source_alarm(struct sup *sup, struct task *task)
{
    if (task->worker->trigger.condition != CONDITION_TIME) {
        AUTO_FREE char *time = duration_text(task->worker->trigger.timeout_ms);
        task_move(sup, task, TASK_TIMEOUT, mem_format("no event for %s", time));
        return;
    }
    if (task->worker->schedule.calendar)
        calendar_alarm(sup, task);
    else
        interval_alarm(sup, task);
    due_update(sup, task);
}

void source_clock(struct sup *sup, struct task *task)
{
    bool open = task->trigger && task->trigger->opened && !sup_state_final(task->state);
    if (!open || task->state == TASK_WAITING || !task->worker->schedule.calendar)
        return;
    calendar_alarm(sup, task);
    due_update(sup, task);
}
