/* Groups: workers with their instances, and the edges between them. */
#include "sup_priv.h"

#include <stdlib.h>

/* ---- Making ---- */

struct group *group_new(struct sup *sup, const struct plan *plan, size_t worker)
{
    struct group *group = mem_new(sizeof *group);
    *group = (struct group){.worker = &plan->workers[worker], .plan = plan, .index = sup->groups.count};
    list_add(&sup->groups, group);
    table_put(&sup->names, str_of(group->worker->name), group);
    return group;
}

static void instance_make(struct sup *sup, struct group *group)
{
    struct task *task = task_make(sup, group);
    if (!group->worker->start)
        task->state = TASK_IDLE;
}

static void instances_init(struct sup *sup, struct group *group)
{
    const struct plan_worker *worker = group->worker;
    size_t count = (size_t)worker->replicas * (worker->row_count ? worker->row_count : 1);
    group->numbered = worker->replicas != 1;
    for (size_t i = 0; i < count; i++)
        instance_make(sup, group);
}

void instances_make(struct sup *sup, struct group *group)
{
    instances_init(sup, group);
    for (size_t i = 0; i < group->tasks.count; i++) {
        struct task *task = group->tasks.items[i];
        if (!group->dormant)
            task_count_as_job(sup, task);
        gate_update(sup, task);
        task->entered = true;
        list_add(&sup->entered, task);
    }
    gate_judge(sup, group);
}

/* A name that no plan of the run has any more stands for one that was removed. */
static struct group *group_needed(struct sup *sup, const struct plan *plan, size_t worker)
{
    struct group *group = table_get(&sup->names, str_of(plan->workers[worker].name));
    if (!group) {
        group = group_new(sup, plan, worker);
        group->removed = true;
    }
    return group;
}

void group_link(struct sup *sup, struct group *group)
{
    const struct plan_worker *worker = group->worker;
    free(group->needs);
    group->needs = mem_array(worker->need_count + 1, sizeof *group->needs);
    group->need_count = worker->need_count;
    for (size_t i = 0; i < worker->need_count; i++) {
        const struct plan_need *need = &worker->needs[i];
        struct group *needed = group_needed(sup, group->plan, need->worker);
        group->needs[i] = (struct need){needed, need->is, need->on_restart, need->timeout_ms};
        list_add(&needed->dependents[need->is], group);
        group->unmet += !((needed->met >> need->is) & 1);
    }
    if (worker->trigger.given && worker->trigger.condition == CONDITION_WORKER && !group->watches) {
        group->watches = true;
        list_add(&sup->watchers, group);
    }
}

void group_unlink(struct group *group)
{
    for (size_t i = 0; i < group->need_count; i++) {
        struct list *dependents = &group->needs[i].group->dependents[group->needs[i].is];
        size_t at = 0;
        while (dependents->items[at] != group)
            at++;
        dependents->count--;
        memmove(&dependents->items[at], &dependents->items[at + 1],
                (dependents->count - at) * sizeof(void *));
    }
    group->need_count = 0;
    group->unmet = 0;
}

size_t group_dependents(const struct group *group)
{
    size_t count = 0;
    for (int is = 0; is < NEED_KINDS; is++)
        count += group->dependents[is].count;
    return count;
}

/* ---- Who keeps the run alive ---- */

/* Ends only when something goes wrong or the run ends. */
static bool worker_endless(const struct plan_worker *worker)
{
    if (worker->trigger.given)
        return worker->trigger.max == 0;
    return worker->service || worker->restart_always;
}

static bool group_waits_for_chance(const struct group *group)
{
    bool dormant = !group->worker->start;
    for (size_t i = 0; i < group->need_count && !dormant; i++) {
        const struct need *need = &group->needs[i];
        bool end = need->is != NEED_STARTED && need->is != NEED_READY;
        dormant = need->group->dormant || (end && worker_endless(need->group->worker));
    }
    return dormant;
}

/* In topological order, so that what a group needs is known before it. */
void dormant_mark(struct sup *sup)
{
    size_t count = sup->groups.count, head = 0, tail = 0;
    struct group **order = mem_array(count, sizeof(*order));
    size_t *left = mem_array(count, sizeof *left);
    for (size_t i = 0; i < count; i++) {
        struct group *group = group_at(sup, i);
        left[i] = group->need_count;
        if (left[i] == 0)
            order[tail++] = group;
    }
    while (head < tail) {
        struct group *group = order[head++];
        group->dormant = group_waits_for_chance(group);
        for (int is = 0; is < NEED_KINDS; is++)
            for (size_t k = 0; k < group->dependents[is].count; k++) {
                struct group *dependent = group->dependents[is].items[k];
                if (--left[dependent->index] == 0)
                    order[tail++] = dependent;
            }
    }
    free(order);
    free(left);
}

void groups_make(struct sup *sup)
{
    const struct plan *plan = sup->plan;
    for (size_t i = 0; i < plan->worker_count; i++)
        instances_init(sup, group_new(sup, plan, i));
    for (size_t i = 0; i < plan->worker_count; i++)
        gate_judge(sup, group_at(sup, i));
    for (size_t i = 0; i < plan->worker_count; i++)
        group_link(sup, group_at(sup, i));
    dormant_mark(sup);
}

void groups_release(struct sup *sup)
{
    for (size_t i = 0; i < sup->groups.count; i++) {
        struct group *group = sup->groups.items[i];
        for (int is = 0; is < NEED_KINDS; is++)
            free(group->dependents[is].items);
        free(group->tasks.items);
        free(group->leaving.items);
        free(group->needs);
        for (size_t k = 0; k < group->whys.count; k++)
            free(group->whys.items[k]);
        free(group->whys.items);
        free(group);
    }
    free(sup->groups.items);
    table_release(&sup->names);
}

/* ---- Looking ---- */

struct group *group_at(const struct sup *sup, size_t index)
{
    return index < sup->groups.count ? sup->groups.items[index] : NULL;
}

/* A visit may end a task, which takes it out of the list of those that leave. */
static void list_each(struct sup *sup, const struct list *tasks, visit_fn *visit)
{
    for (size_t i = 0; i < tasks->count;) {
        struct task *task = tasks->items[i];
        visit(sup, task);
        for (struct task *run = task->trigger ? task->trigger->runs : NULL, *next; run; run = next) {
            next = run->run_next;
            visit(sup, run);
        }
        i += i < tasks->count && tasks->items[i] == task;
    }
}

void group_each(struct sup *sup, const struct group *group, visit_fn *visit)
{
    list_each(sup, &group->tasks, visit);
    list_each(sup, &group->leaving, visit);
}

struct group *group_named(const struct sup *sup, struct str name)
{
    struct group *group = table_get(&sup->names, name);
    return group && !group->removed ? group : NULL;
}

size_t sup_group_count(const struct sup *sup)
{
    return sup->groups.count;
}

struct sup_group sup_group_at(const struct sup *sup, size_t index)
{
    const struct group *group = group_at(sup, index);
    return (struct sup_group){.worker = group->worker,
                              .count = (uint32_t)group->tasks.count,
                              .added = group->added,
                              .removed = group->removed};
}

uint32_t sup_group_task(const struct sup *sup, size_t index, uint32_t replica)
{
    const struct group *group = group_at(sup, index);
    const struct task *task = group && replica < group->tasks.count ? group->tasks.items[replica] : NULL;
    return task ? task->ref.task : SUP_NO_TASK;
}

bool sup_next(const struct sup *sup, struct sup_place *place, struct sup_task *out)
{
    for (; place->group < sup->groups.count; place->group++, place->replica = 0) {
        uint32_t number = sup_group_task(sup, place->group, place->replica);
        if (number == SUP_NO_TASK)
            continue;
        place->replica++;
        return sup_task_at(sup, number, out);
    }
    return false;
}

size_t sup_group_find(const struct sup *sup, struct str name)
{
    const struct group *group = group_named(sup, name);
    return group ? group->index : SIZE_MAX;
}

/* ---- Scaling ---- */

static void number_instances(struct sup *sup, struct group *group)
{
    if (group->numbered)
        return;
    group->numbered = true;
    for (size_t i = 0; i < group->tasks.count; i++) {
        task_rename(group->tasks.items[i]);
        task_touch(sup, group->tasks.items[i]);
    }
}

static void instance_add(struct sup *sup, struct group *group)
{
    struct task *task = task_make(sup, group);
    if (!group->dormant)
        task_count_as_job(sup, task);
    gate_update(sup, task);
    task->entered = true;
    list_add(&sup->entered, task);
}

static bool task_over(const struct task *task)
{
    return sup_state_final(task->state) && !(task->trigger && task->trigger->runs);
}

/* The last one. What has no process is gone at once; a trigger only with its last run. */
static void instance_take_out(struct sup *sup, struct group *group, const char *why)
{
    struct task *task = group->tasks.items[--group->tasks.count];
    task->leaving = true;
    task->again = false;
    task->place = group->leaving.count;
    list_add(&group->leaving, task);
    gate_update(sup, task);
    if (sup_state_final(task->state)) {
        task_touch(sup, task);
        if (task_over(task))
            group_left(sup, task);
    } else if (task_unasked(task)) {
        task_move(sup, task, TASK_STOPPED, mem_text(why));
    } else {
        stop_task(sup, task, why);
    }
}

void group_left(struct sup *sup, struct task *task)
{
    struct group *group = task->group;
    struct task *last = group->leaving.items[--group->leaving.count];
    group->leaving.items[task->place] = last;
    last->place = task->place;
    list_add(&sup->left, task);
    if (group->leaving.count == 0 && (group->next_plan || group->removed))
        list_add(&sup->vacated, group);
}

void group_empty(struct sup *sup, struct group *group, const char *why)
{
    while (group->tasks.count > 0)
        instance_take_out(sup, group, why);
    gate_judge(sup, group);
}

void group_scale(struct sup *sup, struct group *group, int64_t count)
{
    size_t wanted = (size_t)count;
    number_instances(sup, group);
    while (group->tasks.count > wanted)
        instance_take_out(sup, group, "scaled down");
    while (group->tasks.count < wanted)
        instance_add(sup, group);
    gate_judge(sup, group);
    stop_order(sup);
}
