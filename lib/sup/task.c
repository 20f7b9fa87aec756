/* Tasks: making them, finding them by number, showing them. The plan's tasks stay to the end; the task of a
 * trigger's run is freed one step after its last record, and its number is not used again. */
#include "sup_priv.h"

#include <stdlib.h>

static void task_init(struct sup *sup, struct task *task, uint32_t number, struct group *group)
{
    *task = (struct task){.ref = {number, 0}, .group = group, .worker = group->worker, .state = TASK_WAITING};
    task->status = -1;
    task->limit_ms = task->alarm_ms = -1;
    task->reason = mem_text("");
    task->dirty = true;
    list_add(&sup->dirty, task);
    sup->open++;
}

static uint32_t replicas(const struct plan_worker *worker)
{
    return worker->replicas > 0 ? (uint32_t)worker->replicas : 0;
}

static void instance_init(struct sup *sup, struct task *task, uint32_t number, struct group *group)
{
    task_init(sup, task, number, group);
    task->replica = (int)(task - group->tasks);
    task->owns_name = group->count > 1;
    task->name =
        task->owns_name ? mem_format("%s.%d", group->worker->name, task->replica) : group->worker->name;
    if (group->worker->trigger.given)
        task->trigger = mem_new(sizeof *task->trigger);
    if (!group->worker->start)
        task->state = TASK_IDLE;
}

void tasks_make(struct sup *sup)
{
    const struct plan *plan = sup->plan;
    size_t total = 0;
    for (size_t i = 0; i < plan->worker_count; i++)
        total += replicas(&plan->workers[i]);
    sup->tasks = mem_array(total, sizeof *sup->tasks);
    sup->groups = mem_array(plan->worker_count, sizeof *sup->groups);
    for (size_t i = 0; i < plan->worker_count; i++) {
        struct group *group = &sup->groups[i];
        group->worker = &plan->workers[i];
        group->tasks = &sup->tasks[sup->task_count];
        group->count = replicas(group->worker);
        for (uint32_t k = 0; k < group->count; k++, sup->task_count++)
            instance_init(sup, &group->tasks[k], sup->task_count, group);
    }
    sup->next_number = sup->task_count;
}

static struct str number_key(const uint32_t *number)
{
    return (struct str){(const char *)number, sizeof *number};
}

struct task *task_make_run(struct sup *sup, struct task *trigger, int64_t revision)
{
    struct task *run = mem_new(sizeof *run);
    task_init(sup, run, sup->next_number++, trigger->group);
    run->name = trigger->name;
    run->replica = trigger->replica;
    run->parent = trigger;
    run->revision = revision;
    table_put(&sup->runs, number_key(&run->ref.task), run);
    sup->runs_open++;
    if (run->worker->trigger.drain)
        sup->runs_drained++;
    return run;
}

void task_release(struct task *task)
{
    if (task->owns_name)
        free(task->name);
    free(task->trigger);
    free(task->reason);
    free(task->result);
    free(task->recent);
}

void runs_free_dead(struct sup *sup)
{
    for (size_t i = 0; i < sup->dead.count; i++) {
        struct task *run = sup->dead.items[i];
        table_remove(&sup->runs, number_key(&run->ref.task));
        task_release(run);
        free(run);
    }
    sup->dead.count = 0;
}

struct task *task_find(const struct sup *sup, uint32_t number)
{
    return number < sup->task_count ? &sup->tasks[number] : table_get(&sup->runs, number_key(&number));
}

bool task_lives(const struct task *task)
{
    return !task->trigger && (task->state == TASK_STARTING || task->state == TASK_RUNNING ||
                              task->state == TASK_READY || task->state == TASK_STOPPING);
}

bool task_is_job(const struct task *task)
{
    const struct plan_worker *worker = task->worker;
    return !task->parent && !worker->service && worker->start &&
           (!worker->trigger.given || worker->trigger.max > 0);
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
    *out = (struct sup_task){
        .ref = task->ref,
        .worker = task->worker,
        .name = task->name,
        .parent = task->parent ? task->parent->ref.task : SUP_NO_TASK,
        .replica = task->replica,
        .state = task->state,
        .attempt = task->attempt,
        .revision = task->revision,
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
        .result = task->result,
        .flaky = task->state == TASK_SUCCEEDED && task->attempt > 1,
    };
    return true;
}
