/* Workers that come and go while the run goes on: one that is added, and a manifest that was read again. */
#include "sup_priv.h"

#include <stdlib.h>

/* ---- Circles: what is being replaced has its old needs until nothing of it is left ---- */

struct walk {
    const struct sup *sup;
    bool *seen; /* by group */
    const struct group **open;
    size_t open_count;
};

static void walk_to(struct walk *walk, const struct group *group)
{
    if (!group || walk->seen[group->index])
        return;
    walk->seen[group->index] = true;
    walk->open[walk->open_count++] = group;
}

static void walk_needs(struct walk *walk, const struct plan *plan, size_t worker)
{
    for (size_t i = 0; i < plan->workers[worker].need_count; i++)
        walk_to(walk, table_get(&walk->sup->names,
                                str_of(plan->workers[plan->workers[worker].needs[i].worker].name)));
}

bool reload_leads(const struct sup *sup, const struct plan *plan, size_t worker, const struct group *to,
                  bool ahead)
{
    AUTO_FREE bool *seen = mem_array(sup->groups.count + 1, sizeof *seen);
    AUTO_FREE const struct group **open = mem_array(sup->groups.count + 1, sizeof *open);
    struct walk walk = {.sup = sup, .seen = seen, .open = open};
    walk_needs(&walk, plan, worker);
    while (walk.open_count > 0 && !seen[to->index]) {
        const struct group *group = open[--walk.open_count];
        for (size_t i = 0; i < group->need_count; i++)
            walk_to(&walk, group->needs[i].group);
        if (ahead && group->next_plan)
            walk_needs(&walk, group->next_plan, group->next);
    }
    return seen[to->index];
}

/* ---- Groups ---- */

static void group_define(struct sup *sup, struct group *group, const struct plan *plan, size_t worker)
{
    table_remove(&sup->names, str_of(group->worker->name));
    group->worker = &plan->workers[worker];
    group->plan = plan;
    table_put(&sup->names, str_of(group->worker->name), group);
}

static void group_await_next(struct sup *sup, struct group *group, const struct plan *plan, size_t worker)
{
    sup->replacing += !group->next_plan - !plan;
    group->next_plan = plan;
    group->next = worker;
}

/* By other needs or as another worker it may wait for chance now, or no more. */
static void job_judge(struct sup *sup, struct task *task)
{
    if (task->parent || task->leaving || sup_state_final(task->state))
        return;
    bool waits = task->state == TASK_WAITING && task->group->unmet > 0 && !task->wanted;
    if (!task->group->dormant)
        task_count_as_job(sup, task);
    else if (waits && task->counted)
        task->counted = false, sup->jobs--;
}

/* The new worker of a group in which nothing is left. */
static void group_become(struct sup *sup, struct group *group)
{
    group_unlink(group);
    group_define(sup, group, group->next_plan, group->next);
    group_await_next(sup, group, NULL, 0);
    group_link(sup, group);
    dormant_mark(sup);
    instances_make(sup, group);
    for (size_t i = 0; i < sup->groups.count; i++)
        group_each(sup, group_at(sup, i), job_judge);
    stop_order(sup); /* there are other edges now */
}

static void group_replace(struct sup *sup, struct group *group, const struct plan *plan, size_t worker)
{
    group_await_next(sup, group, plan, worker);
    group->removed = false;
    group_empty(sup, group, "replaced");
    if (group->leaving.count == 0)
        list_add(&sup->vacated, group);
}

static void group_remove(struct sup *sup, struct group *group)
{
    group->removed = true;
    group_await_next(sup, group, NULL, 0);
    group_empty(sup, group, "removed");
    if (group->leaving.count == 0)
        list_add(&sup->vacated, group);
}

static void group_join(struct sup *sup, const struct plan *plan, size_t worker)
{
    struct group *group = table_get(&sup->names, str_of(plan->workers[worker].name));
    if (!group)
        group = group_new(sup, plan, worker);
    group_replace(sup, group, plan, worker);
}

/* The last manifest counts also for what another one before it has begun to replace. */
static void group_keep(struct sup *sup, struct group *group, const struct plan *plan, size_t worker)
{
    if (group->next_plan)
        group_await_next(sup, group, plan, worker);
    else
        group_define(sup, group, plan, worker);
}

/* Where its new needs would close a circle with old ones, it waits until another group has new ones, too. Of
 * one that was removed the edges stay: they are part of the order, and it may come again. */
void reload_vacated(struct sup *sup, struct group *group)
{
    if (group->leaving.count > 0 || group->tasks.count > 0 || sup->phase != PHASE_GOING)
        return;
    if (group->next_plan && reload_leads(sup, group->next_plan, group->next, group, false)) {
        list_add(&sup->deferred, group);
        return;
    }
    if (group->next_plan)
        group_become(sup, group);
    for (size_t i = 0; i < sup->deferred.count; i++)
        list_add(&sup->vacated, sup->deferred.items[i]);
    sup->deferred.count = 0;
}

void reload_add(struct sup *sup, const struct plan *plan, size_t worker)
{
    group_join(sup, plan, worker);
    struct group *group = table_get(&sup->names, str_of(plan->workers[worker].name));
    group->added = true;
    stop_order(sup);
}

void reload_all(struct sup *sup, const struct plan *plan, const bool *same)
{
    size_t before = sup->groups.count;
    bool *kept = mem_array(before + plan->worker_count + 1, sizeof *kept);
    for (size_t i = 0; i < plan->worker_count; i++) {
        struct group *group = table_get(&sup->names, str_of(plan->workers[i].name));
        if (group)
            kept[group->index] = true;
        if (group)
            group->added = false;
        if (!group || group->removed || !same[i])
            group_join(sup, plan, i);
        else
            group_keep(sup, group, plan, i);
    }
    for (size_t i = 0; i < before; i++) {
        struct group *group = group_at(sup, i);
        if (!kept[i] && !group->removed && !group->added)
            group_remove(sup, group);
    }
    for (size_t i = 0; i < before; i++)
        if (group_at(sup, i)->removed)
            gate_removed(sup, group_at(sup, i));
    free(kept);
    sup->plan = plan;
    stop_order(sup);
}
