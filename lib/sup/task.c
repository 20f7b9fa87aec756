/* Tasks: making them, finding them by number, showing them. The task of a trigger's run, and one that was
 * taken out of its group, is freed one step after its last record, and its number is not used again. */
#include "sup_priv.h"

#include <stdlib.h>

static struct str number_key(const uint32_t *number)
{
    return (struct str){(const char *)number, sizeof *number};
}

void task_touch(struct sup *sup, struct task *task)
{
    if (!task->dirty)
        list_add(&sup->dirty, task);
    task->dirty = true;
}

static struct task *task_new(struct sup *sup, struct group *group)
{
    struct task *task = mem_new(sizeof *task);
    *task = (struct task){.ref = {sup->next_number++, 0},
                          .group = group,
                          .worker = group->worker,
                          .plan = group->plan,
                          .state = TASK_WAITING};
    task->status = -1;
    task->limit_ms = task->alarm_ms = task->silence_ms = task->total_ms = -1;
    task->reason = mem_text("");
    table_put(&sup->tasks, number_key(&task->ref.task), task);
    task_touch(sup, task);
    sup->open++;
    return task;
}

void task_rename(struct task *task)
{
    const struct group *group = task->group;
    const char *label = task->row ? task->row->label : "";
    if (task->owns_name)
        free(task->name);
    task->owns_name = group->numbered || task->row;
    task->name = group->numbered   ? mem_format("%s%s.%d", group->worker->name, label, task->replica)
                 : task->owns_name ? mem_format("%s%s", group->worker->name, label)
                                   : group->worker->name;
}

struct task *task_make(struct sup *sup, struct group *group)
{
    struct task *task = task_new(sup, group);
    const struct plan_worker *worker = group->worker;
    task->replica = (int)group->tasks.count;
    if (worker->row_count > 0) {
        task->row = &worker->rows[task->replica / worker->replicas];
        task->replica %= worker->replicas;
    }
    task_rename(task);
    if (group->worker->trigger.given || group->worker->map.given)
        task->trigger = mem_new(sizeof *task->trigger);
    if (group->worker->map.given)
        map_make(task);
    list_add(&group->tasks, task);
    return task;
}

/* Items of a map are part of a job, also when it was stopped before them. */
bool run_is_awaited(const struct task *run)
{
    return run->worker->map.given || run->worker->trigger.drain;
}

struct task *task_make_run(struct sup *sup, struct task *trigger, int64_t revision)
{
    struct task *run = task_new(sup, trigger->group);
    run->owns_name = true;
    run->name = mem_text(trigger->name);
    run->replica = trigger->replica;
    run->row = trigger->row;
    run->parent = trigger;
    run->revision = revision;
    sup->runs_open++;
    if (run_is_awaited(run))
        sup->runs_drained++;
    return run;
}

void task_free(struct task *task)
{
    if (task->owns_name)
        free(task->name);
    if (task->trigger) {
        source_drop(task);
        map_free(task->trigger->map);
    }
    free(task->trigger);
    free(task->event_worker);
    free(task->reason);
    free(task->result);
    free(task->recent);
    free(task->locks);
    free(task->why_text);
    free(task);
}

void tasks_free_dead(struct sup *sup)
{
    for (size_t i = 0; i < sup->dead.count; i++) {
        struct task *task = sup->dead.items[i];
        table_remove(&sup->tasks, number_key(&task->ref.task));
        task_free(task);
    }
    sup->dead.count = 0;
}

struct task *task_find(const struct sup *sup, uint32_t number)
{
    return table_get(&sup->tasks, number_key(&number));
}

bool task_lives(const struct task *task)
{
    return !task->trigger && (task->state == TASK_STARTING || task->state == TASK_RUNNING ||
                              task->state == TASK_READY || task->state == TASK_STOPPING);
}

bool task_unasked(const struct task *task)
{
    return task->state == TASK_IDLE && !(task->trigger && task->trigger->opened);
}

bool task_is_job(const struct task *task)
{
    const struct plan_worker *worker = task->worker;
    return !task->parent && !worker->service && (!worker->trigger.given || worker->trigger.max > 0);
}

void task_count_as_job(struct sup *sup, struct task *task)
{
    if (task->counted || !task_is_job(task))
        return;
    task->counted = sup->has_job = true;
    sup->jobs++;
    sup->fence_valid = false;
}

uint32_t sup_task_count(const struct sup *sup)
{
    return sup->next_number;
}

bool sup_task_at(const struct sup *sup, uint32_t number, struct sup_task *out)
{
    const struct task *task = task_find(sup, number);
    if (!task)
        return false;
    const struct map *map = task->trigger ? task->trigger->map : NULL;
    *out = (struct sup_task){
        .ref = task->ref,
        .worker = task->worker,
        .plan = task->plan,
        .group = task->group->index,
        .name = task->name,
        .parent = task->parent ? task->parent->ref.task : SUP_NO_TASK,
        .replica = task->replica,
        .row = task->row,
        .state = task->state,
        .attempt = task->attempt,
        .revision = task->revision,
        .item = task->item,
        .items = map && map->known ? map->total : -1,
        .failed = map ? map->failed : 0,
        .event_worker = task->event_worker,
        .event_state = task->event_state,
        .pid = task->pid,
        .started_ms = task->started_ms,
        .ended_ms = task->ended_ms,
        .started_mono_ms = task->started_mono_ms,
        .ended_mono_ms = task->ended_mono_ms,
        .status = task->status,
        .signal = task->signal,
        .reason = task->reason,
        .restarts = task->restarts,
        .runs = task->trigger ? task->trigger->done : 0,
        .result = map && map->list.len > 0 ? map->list.data : task->result,
        .flaky = task->state == TASK_SUCCEEDED && task->attempt > 1,
        .unwanted = task->state == TASK_STARTING && stop_is_due(task),
    };
    return true;
}

bool sup_task_lives(const struct sup *sup, uint32_t number)
{
    const struct task *task = task_find(sup, number);
    bool lives = task && task_lives(task);
    for (const struct task *run = task && task->trigger ? task->trigger->runs : NULL; run && !lives;
         run = run->run_next)
        lives = task_lives(run);
    return lives;
}
