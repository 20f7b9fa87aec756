/* Manifests that are read again in the simulated world: workers leave, come back, change and join. In
 * some seeds needs change, too, in the others what is above what is known once for all. */
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

/* Needs go by number within a plan, and to what is in it. */
static void needs_copy(struct plan_worker *worker, const size_t *place)
{
    struct plan_need *needs = mem_array(NEEDS_MAX, sizeof *needs);
    size_t count = 0;
    for (size_t i = 0; i < worker->need_count; i++) {
        size_t at = place[strtoul(worker->needs[i].name + 1, NULL, 10)];
        if (at == SIZE_MAX)
            continue;
        needs[count] = worker->needs[i];
        needs[count++].worker = at;
    }
    worker->needs = needs;
    worker->need_count = count;
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

/* ---- Needs that change ---- */

static bool needs_lead(const struct plan *plan, size_t from, size_t to)
{
    bool found = from == to;
    for (size_t i = 0; i < plan->workers[from].need_count && !found; i++)
        found = needs_lead(plan, plan->workers[from].needs[i].worker, to);
    return found;
}

/* Others than before, in an order that may be the other way round. */
static void needs_turn(struct sim *sim, const struct plan *plan, size_t at, size_t before)
{
    struct plan_worker *worker = &plan->workers[at];
    for (size_t i = 0; i < before; i++)
        if (chance(sim, 50) && !needs_lead(plan, worker->needs[i].worker, at))
            worker->needs[worker->need_count++] = worker->needs[i];
    while (worker->need_count < NEEDS_MAX && chance(sim, 60)) {
        size_t needed = (size_t)random_range(sim, 0, (int64_t)plan->worker_count - 1);
        bool known = needs_lead(plan, needed, at);
        for (size_t i = 0; i < worker->need_count; i++)
            known |= worker->needs[i].worker == needed;
        if (!known)
            worker->needs[worker->need_count++] = (struct plan_need){
                .worker = needed,
                .name = plan->workers[needed].name,
                .is = (enum plan_need_is)random_range(sim, NEED_STARTED, NEED_ENDED),
                .timeout_ms = chance(sim, 10) ? 500 : 0,
            };
    }
}

/* From none on: what a worker needed that comes again may need that worker by now. */
static void needs_turn_all(struct sim *sim, const struct plan *plan, const bool *same)
{
    size_t before[WORKERS_MAX];
    for (size_t i = 0; i < plan->worker_count; i++) {
        before[i] = plan->workers[i].need_count;
        plan->workers[i].need_count = same[i] ? before[i] : 0;
    }
    for (size_t i = 0; i < plan->worker_count; i++)
        if (!same[i])
            needs_turn(sim, plan, i, before[i]);
}

/* What stays the same must find all that it needs. */
static void kept_follow(const struct sim *sim, bool kept[WORKERS_MAX], const bool stays[WORKERS_MAX])
{
    size_t count = sim->graph.plan.worker_count;
    bool more = true;
    while (more) {
        more = false;
        for (size_t i = 0; i < count; i++)
            for (size_t k = 0; kept[i] && stays[i] && k < sim->now_is[i]->need_count; k++)
                if (!kept[strtoul(sim->now_is[i]->needs[k].name + 1, NULL, 10)])
                    kept[i] = false, more = true;
    }
}

static void above_close(struct sim *sim)
{
    size_t count = sim->graph.plan.worker_count;
    for (size_t via = 0; via < count; via++)
        for (size_t i = 0; i < count; i++)
            for (size_t k = 0; k < count && sim->graph.above[i][via]; k++)
                sim->graph.above[i][k] |= sim->graph.above[via][k];
}

/* What is being stopped has its old needs, and so has what was removed. */
void above_follow(struct sim *sim)
{
    bool other = false;
    memcpy(sim->graph.above_before, sim->graph.above, sizeof sim->graph.above);
    for (size_t i = 0; sim->turns && sim->plan_count > 0 && i < sup_group_count(sim->sup); i++) {
        const struct plan_worker *worker = sup_group_at(sim->sup, i).worker;
        other |= sim->worked_as[index_of(worker)] != worker;
        sim->worked_as[index_of(worker)] = worker;
    }
    if (!other)
        return;
    memset(sim->graph.above, 0, sizeof sim->graph.above);
    for (size_t i = 0; i < sim->graph.plan.worker_count; i++)
        for (size_t k = 0; k < sim->worked_as[i]->need_count; k++)
            sim->graph.above[strtoul(sim->worked_as[i]->needs[k].name + 1, NULL, 10)][i] = true;
    above_close(sim);
}

/* ---- Manifests ---- */

/* Whom a manifest names, so must it name those that it needs. */
static void kept_draw(struct sim *sim, bool kept[WORKERS_MAX])
{
    size_t count = sim->graph.plan.worker_count;
    for (size_t i = 0; i < count; i++)
        kept[i] = chance(sim, sim->absent[i] ? 50 : 80);
    for (size_t i = 0; i < count && !sim->turns; i++)
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
    bool kept[WORKERS_MAX] = {0}, same[WORKERS_MAX] = {0}, stays[WORKERS_MAX] = {0};
    size_t place[WORKERS_MAX];
    if (sim->plan_count == PLANS_MAX)
        return;
    kept_draw(sim, kept);
    for (size_t i = 0; i < sim->graph.plan.worker_count && sim->turns; i++)
        stays[i] = !sim->absent[i] && chance(sim, 50);
    kept_follow(sim, kept, stays);
    struct plan *plan = plan_copy(sim);
    for (size_t i = 0; i < sim->graph.plan.worker_count; i++) {
        place[i] = kept[i] ? plan->worker_count : SIZE_MAX;
        if (!kept[i])
            continue;
        struct plan_worker *worker = &plan->workers[plan->worker_count];
        *worker = sim->absent[i] ? sim->graph.workers[i] : *sim->now_is[i];
        same[plan->worker_count++] = sim->turns ? stays[i] : !sim->absent[i] && chance(sim, 60);
        if (!same[place[i]])
            worker_change(sim, worker);
    }
    for (size_t i = 0; i < plan->worker_count; i++)
        needs_copy(&plan->workers[i], place);
    if (sim->turns)
        needs_turn_all(sim, plan, same);
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
    if (sim->turns)
        graph_mark_dormant(sim);
    sim->coverage.turns += sim->turns && allowed;
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
    size_t needs = plan->workers[wanted].need_count;
    for (size_t i = 0; i < plan->worker_count && sim->turns; i++)
        plan->workers[i].need_count = 0; /* of the others only the names count */
    if (sim->turns)
        needs_turn(sim, plan, wanted, needs);
    struct sup_event event = {.kind = SUP_ADD, .plan = plan, .number = (int64_t)wanted};
    if (sup_allows(sim->sup, &event, NULL) && !sim->ending) {
        expect_out(sim, wanted);
        sim->absent[wanted] = false;
        sim->now_is[wanted] = &plan->workers[wanted];
        sim->scales[wanted] = instances_of(&plan->workers[wanted]);
        if (sim->turns)
            graph_mark_dormant(sim);
    }
    world_step(sim, event);
}
