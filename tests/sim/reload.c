/* Manifests that are read again in the simulated world: workers leave, come back, change and join. A worker's
 * needs stay what they are, so that what is above what is known once for all. */
#include "sim.h"

#include <stdlib.h>

size_t index_of(const struct plan_worker *worker)
{
    return strtoul(worker->name + 1, NULL, 10);
}

int instances_of(const struct plan_worker *worker)
{
    return worker->replicas * (int)(worker->row_count ? worker->row_count : 1);
}

static struct plan *plan_copy(struct sim *sim)
{
    struct plan *plan = mem_new(sizeof *plan);
    *plan = sim->graph.plan;
    plan->workers = mem_array(WORKERS_MAX, sizeof *plan->workers);
    plan->worker_count = 0;
    if (sim->plan_count == PLANS_MAX)
        abort();
    sim->plans[sim->plan_count++] = plan;
    return plan;
}

void plans_release(struct sim *sim)
{
    for (size_t i = 0; i < sim->plan_count; i++) {
        struct plan *plan = sim->plans[i];
        for (size_t k = 0; k < plan->worker_count; k++)
            free(plan->workers[k].needs);
        free(plan->workers);
        free(plan);
    }
}

/* Needs go by number within a plan. */
static void needs_copy(struct plan_worker *worker, const size_t *place)
{
    struct plan_need *needs = mem_array(worker->need_count + 1, sizeof *needs);
    for (size_t i = 0; i < worker->need_count; i++) {
        needs[i] = worker->needs[i];
        needs[i].worker = place[strtoul(needs[i].name + 1, NULL, 10)];
    }
    worker->needs = needs;
}

static void worker_change(struct sim *sim, struct plan_worker *worker)
{
    worker->stop.grace_ms = random_range(sim, 0, 1500);
    worker->optional = chance(sim, 50);
    if (worker->retry.max >= 0)
        worker->retry.max = random_range(sim, 0, 2);
    if (chance(sim, 30))
        worker->replicas = (int)random_range(sim, 1, 3);
}

/* Whom a manifest names, so must it name those that it needs. */
static void kept_draw(struct sim *sim, bool kept[WORKERS_MAX])
{
    size_t count = sim->graph.plan.worker_count;
    for (size_t i = 0; i < count; i++)
        kept[i] = chance(sim, sim->absent[i] ? 50 : 80);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++)
            if (sim->graph.above[i][k] && !kept[i])
                kept[k] = false;
    kept[0] |= count == 1;
}

static void expect_out(struct sim *sim, size_t index)
{
    size_t group = sup_group_find(sim->sup, str_of(sim->graph.names[index]));
    for (uint32_t i = 0; group != SIZE_MAX && i < sup_group_at(sim->sup, group).count; i++)
        hand_take_out(sim, sup_group_task(sim->sup, group, i));
    sim->replaced[index] = true;
}

void reload_do(struct sim *sim)
{
    bool kept[WORKERS_MAX] = {0}, same[WORKERS_MAX] = {0};
    size_t place[WORKERS_MAX];
    if (sim->plan_count == PLANS_MAX)
        return;
    kept_draw(sim, kept);
    struct plan *plan = plan_copy(sim);
    for (size_t i = 0; i < sim->graph.plan.worker_count; i++) {
        place[i] = plan->worker_count;
        if (!kept[i])
            continue;
        struct plan_worker *worker = &plan->workers[plan->worker_count];
        *worker = sim->absent[i] ? sim->graph.workers[i] : *sim->now_is[i];
        same[plan->worker_count++] = !sim->absent[i] && chance(sim, 60);
        if (!same[place[i]])
            worker_change(sim, worker);
    }
    for (size_t i = 0; i < plan->worker_count; i++)
        needs_copy(&plan->workers[i], place);
    struct sup_event event = {.kind = SUP_RELOAD, .plan = plan, .same = same};
    bool allowed = plan->worker_count > 0 && sup_allows(sim->sup, &event, NULL) && !sim->ending;
    for (size_t i = 0; i < sim->graph.plan.worker_count && allowed; i++) {
        size_t group = sup_group_find(sim->sup, str_of(sim->graph.names[i]));
        bool added = group != SIZE_MAX && sup_group_at(sim->sup, group).added;
        if ((!kept[i] && !added) || (kept[i] && !same[place[i]]))
            expect_out(sim, i);
        sim->absent[i] = !kept[i] && !added;
        if (kept[i])
            sim->now_is[i] = &plan->workers[place[i]];
        if (kept[i] && !same[place[i]])
            sim->scales[i] = instances_of(&plan->workers[place[i]]);
        if (sim->absent[i])
            sim->scales[i] = 0;
    }
    if (plan->worker_count > 0)
        world_step(sim, event);
}

/* All of the graph stands in the plan, so that needs find their names; only one of it joins. */
void add_do(struct sim *sim)
{
    size_t place[WORKERS_MAX],
        wanted = (size_t)random_range(sim, 0, (int64_t)sim->graph.plan.worker_count - 1);
    if (sim->plan_count == PLANS_MAX)
        return;
    struct plan *plan = plan_copy(sim);
    plan->worker_count = sim->graph.plan.worker_count;
    for (size_t i = 0; i < plan->worker_count; i++) {
        plan->workers[i] = sim->graph.workers[i];
        place[i] = i;
    }
    for (size_t i = 0; i < plan->worker_count; i++)
        needs_copy(&plan->workers[i], place);
    struct sup_event event = {.kind = SUP_ADD, .plan = plan, .number = (int64_t)wanted};
    if (sup_allows(sim->sup, &event, NULL) && !sim->ending) {
        expect_out(sim, wanted);
        sim->absent[wanted] = false;
        sim->now_is[wanted] = &plan->workers[wanted];
        sim->scales[wanted] = instances_of(&plan->workers[wanted]);
    }
    world_step(sim, event);
}
