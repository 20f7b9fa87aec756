/* Workers that come and go while the run goes on: one that is added, and a manifest that was read again. */
#include "sup_priv.h"

#include <stdlib.h>

static void group_define(struct sup *sup, struct group *group, const struct plan *plan, size_t worker)
{
    table_remove(&sup->names, str_of(group->worker->name));
    group->worker = &plan->workers[worker];
    group->plan = plan;
    table_put(&sup->names, str_of(group->worker->name), group);
}

/* The new worker of a group in which nothing is left. */
static void group_become(struct sup *sup, struct group *group, const struct plan *plan, size_t worker)
{
    group_unlink(group);
    group_define(sup, group, plan, worker);
    group->next_plan = NULL;
    group_link(sup, group);
    dormant_mark(sup);
    instances_make(sup, group);
    stop_order(sup); /* there are other edges now */
}

static void group_replace(struct sup *sup, struct group *group, const struct plan *plan, size_t worker)
{
    group->next_plan = plan;
    group->next = worker;
    group->removed = false;
    group_empty(sup, group, "replaced");
    if (group->leaving.count == 0)
        list_add(&sup->vacated, group);
}

static void group_remove(struct sup *sup, struct group *group)
{
    group->removed = true;
    group->next_plan = NULL;
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

void reload_vacated(struct sup *sup, struct group *group)
{
    if (group->leaving.count > 0 || group->tasks.count > 0 || sup->phase != PHASE_GOING)
        return;
    if (group->next_plan)
        group_become(sup, group, group->next_plan, group->next);
    /* Else it was removed. Its edges stay: they are part of the order, and it may come again. */
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
        struct group *group = group_named(sup, str_of(plan->workers[i].name));
        if (group)
            kept[group->index] = true;
        if (group)
            group->added = false;
        if (!group || !same[i])
            group_join(sup, plan, i);
        else
            group_define(sup, group, plan, i);
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
