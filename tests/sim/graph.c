/* Graphs from a seed: every kind of worker and need, in any order of the manifest. */
#include "sim.h"

#include <signal.h>
#include <stdlib.h>

static int64_t one_of(struct sim *sim, const int64_t *values, size_t count)
{
    return values[random_range(sim, 0, (int64_t)count - 1)];
}
#define ONE_OF(sim, ...)                                                                                     \
    one_of((sim), (const int64_t[]){__VA_ARGS__}, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static void failure_make(struct sim *sim, struct plan_failure *failure)
{
    failure->kind = (enum plan_failure_kind)random_range(sim, FAILURE_STATUS, FAILURE_TIMEOUT);
    failure->low = failure->high = (int)ONE_OF(sim, 1, 75);
    if (failure->kind == FAILURE_STATUS && chance(sim, 50))
        failure->low = 70, failure->high = 130;
    if (failure->kind == FAILURE_SIGNAL)
        failure->low = (int)ONE_OF(sim, SIGSEGV, SIGKILL);
}

static void retry_make(struct sim *sim, size_t index, struct plan_retry *retry)
{
    retry->backoff = 1;
    if (chance(sim, 50))
        return;
    retry->max = ONE_OF(sim, 1, 2, 5, -1);
    retry->delay_ms = ONE_OF(sim, 0, 1, 100, 1000, 5000);
    retry->max_delay_ms = ONE_OF(sim, 0, 2000, 300000);
    retry->backoff = chance(sim, 50) ? 2 : 1;
    retry->jitter = chance(sim, 30) ? 0.5 : 0;
    retry->reset_after_ms = ONE_OF(sim, 0, 0, 1000);
    retry->failures = sim->graph.failures[index];
    retry->failure_count = (size_t)ONE_OF(sim, 0, 0, 1, 2);
    for (size_t i = 0; i < retry->failure_count; i++)
        failure_make(sim, &retry->failures[i]);
}

static void trigger_make(struct sim *sim, struct plan_trigger *trigger)
{
    trigger->given = true;
    trigger->drain = chance(sim, 80);
    trigger->overlap = (enum plan_overlap)random_range(sim, OVERLAP_QUEUE, OVERLAP_PARALLEL);
    trigger->max = ONE_OF(sim, 0, 0, 1, 3);
    trigger->timeout_ms = chance(sim, 10) ? ONE_OF(sim, 50, 600, 5000) : 0;
}

bool sim_inside(const struct plan_worker *worker)
{
    return worker->trigger.given && worker->trigger.condition >= CONDITION_WORKER;
}

/* Of some triggers the events come from within: from a worker before it, so that none triggers itself. */
static void source_make(struct sim *sim, size_t index)
{
    struct plan_worker *worker = &sim->graph.workers[index];
    struct plan_trigger *trigger = &worker->trigger;
    if (!trigger->given || chance(sim, 50))
        return;
    trigger->max = 0;
    trigger->condition = index > 0 && chance(sim, 70) ? CONDITION_WORKER : CONDITION_TIME;
    if (trigger->condition == CONDITION_WORKER) {
        trigger->worker = sim->graph.names[random_range(sim, 0, (int64_t)index - 1)];
        trigger->moment = (enum plan_moment)random_range(sim, MOMENT_STARTED, MOMENT_SKIPPED);
        return;
    }
    static const struct cron each_minute = {UINT64_MAX, 0xffffff, UINT32_MAX, UINT32_MAX, 0x7f, false};
    trigger->drain = false;
    trigger->timeout_ms = 0;
    worker->schedule.calendar = chance(sim, 30);
    worker->schedule.cron = each_minute;
    worker->schedule.zone = sim->graph.utc;
    worker->schedule.every_ms = ONE_OF(sim, 70, 300, 2000);
}

static void map_make(struct sim *sim, struct plan_map *map)
{
    map->given = true;
    map->count = ONE_OF(sim, 1, 2, 3, 8);
    map->keep_going = chance(sim, 40);
    map->stays = chance(sim, 40);
}

static void success_make(struct sim *sim, size_t index, struct plan_worker *worker)
{
    worker->success = sim->graph.success[index];
    worker->success_count = chance(sim, 20) ? 2 : 1;
    worker->success[0] = worker->success_count == 2 ? 3 : 0;
    worker->success[1] = 4;
}

static void mutex_make(struct sim *sim, size_t index, struct plan_worker *worker)
{
    static char *const names[] = {(char *)"m0", (char *)"m1", (char *)"m2"};
    size_t first = (size_t)random_range(sim, 0, 2);
    bool ends = !worker->service && !worker->restart_always;
    worker->mutex = sim->graph.mutex[index];
    worker->mutex_count = ends && chance(sim, 25) ? (size_t)random_range(sim, 1, 2) : 0;
    worker->mutex[0] = names[first];
    worker->mutex[1] = names[(first + 1) % 3];
}

static void limits_make(struct sim *sim, struct plan_worker *worker)
{
    worker->timeout_ms = chance(sim, 20) ? ONE_OF(sim, 1, 500, 2500) : 0;
    worker->silence_ms = chance(sim, 15) ? ONE_OF(sim, 50, 400, 2000) : 0;
    worker->total_timeout_ms = chance(sim, 15) ? ONE_OF(sim, 1, 1000, 6000) : 0;
    if (worker->retry.max < 0) /* whose every attempt comes too late would go on for ever */
        worker->timeout_ms = worker->ready.timeout_ms = worker->silence_ms = 0;
}

/* From numbers of its own: so that graphs of pinned seeds stay what they were. */
static void matrix_make(struct sim *sim, size_t index, struct plan_worker *worker)
{
    static const char *const labels[ROWS_MAX] = {"[a]", "[b]", "[c]"};
    uint64_t drawn = sim->seed * 0x9e3779b97f4a7c15u >> 32;
    if (drawn % 5 != 4)
        return;
    drawn = (sim->seed + index * 7919) * 0xbf58476d1ce4e5b9u >> 32;
    worker->fail_fast = drawn % 4 != 0;
    if (drawn / 4 % 4 != 0)
        return;
    worker->rows = sim->graph.rows[index];
    worker->row_count = drawn / 16 % ROWS_MAX + 1;
    for (size_t i = 0; i < worker->row_count; i++)
        worker->rows[i].label = (char *)labels[i];
}

/* In some seeds: what makes a run that ends only when it is stopped. From numbers of its own, too. */
static void endless_make(struct sim *sim, size_t index)
{
    struct plan_worker *worker = &sim->graph.workers[index];
    uint64_t drawn = (sim->seed + index * 104729) * 0xbf58476d1ce4e5b9u >> 32;
    if ((sim->seed * 0xd1342543de82ef95u >> 32) % 8 != 2)
        return;
    if (worker->trigger.given && worker->trigger.condition == CONDITION_WORKER)
        worker->trigger.max = (int64_t)(drawn % 4);
    if ((worker->service || worker->restart_always) && drawn % 3 == 0)
        worker->mutex_count = drawn / 4 % 2 + 1;
}

static char some_condition; /* only that there is one counts */

static void worker_make(struct sim *sim, size_t index)
{
    struct plan_worker *worker = &sim->graph.workers[index];
    snprintf(sim->graph.names[index], sizeof sim->graph.names[index], "w%zu", index);
    worker->name = sim->graph.names[index];
    worker->run.given = true;
    worker->run.shell = chance(sim, 50);
    worker->start = !chance(sim, 5);
    worker->optional = chance(sim, 25);
    worker->replicas = (int)(chance(sim, 15) ? random_range(sim, 2, 4) : 1);
    worker->when = chance(sim, 15) ? (struct expr *)&some_condition : NULL;
    if (chance(sim, 20))
        trigger_make(sim, &worker->trigger);
    else if (chance(sim, 15))
        map_make(sim, &worker->map);
    else
        worker->service = chance(sim, 25);
    worker->restart_always =
        !worker->trigger.given && !worker->map.given && (worker->service ? chance(sim, 80) : chance(sim, 3));
    matrix_make(sim, index, worker);
    retry_make(sim, index, &worker->retry);
    worker->ready.given = chance(sim, 25);
    worker->ready.timeout_ms = ONE_OF(sim, 0, 1000, 3000);
    worker->alive.probes.given = chance(sim, 20);
    worker->only_if = chance(sim, 15) ? (struct expr *)&some_condition : NULL;
    limits_make(sim, worker);
    mutex_make(sim, index, worker);
    worker->stop.grace_ms = ONE_OF(sim, 0, 100, 1000);
    success_make(sim, index, worker);
}

static bool above_now(const struct sim *sim, size_t needed, size_t worker)
{
    return needed == worker || sim->graph.above[needed][worker];
}

/* b needs a: and so does all that needs b, of all that a needs. */
static void above_add(struct sim *sim, size_t a, size_t b)
{
    size_t count = sim->graph.plan.worker_count;
    bool upper[WORKERS_MAX], lower[WORKERS_MAX];
    for (size_t i = 0; i < count; i++) {
        upper[i] = above_now(sim, i, a);
        lower[i] = above_now(sim, b, i);
    }
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++)
            sim->graph.above[i][k] |= upper[i] && lower[k];
}

static void needs_make(struct sim *sim, size_t index)
{
    struct plan_worker *worker = &sim->graph.workers[index];
    worker->needs = sim->graph.needs[index];
    int64_t want = chance(sim, 40) ? 0 : random_range(sim, 1, NEEDS_MAX);
    for (int64_t i = 0; i < want; i++) {
        size_t needed = (size_t)random_range(sim, 0, (int64_t)sim->graph.plan.worker_count - 1);
        if (above_now(sim, index, needed))
            continue;
        above_add(sim, needed, index);
        enum plan_need_is is = (enum plan_need_is)random_range(sim, NEED_STARTED, NEED_ENDED);
        if (chance(sim, 50))
            is = sim->graph.workers[needed].service ? NEED_READY : NEED_SUCCEEDED;
        worker->needs[worker->need_count++] = (struct plan_need){
            .worker = needed,
            .name = sim->graph.names[needed],
            .is = is,
            .on_restart = worker->trigger.given || worker->map.given
                              ? ON_RESTART_IGNORE
                              : (enum plan_on_restart)ONE_OF(sim, ON_RESTART_IGNORE, ON_RESTART_IGNORE,
                                                             ON_RESTART_RESTART, ON_RESTART_STOP),
            .timeout_ms = chance(sim, 15) ? ONE_OF(sim, 1, 500, 3000, 20000) : 0,
        };
    }
}

static const struct plan_worker *worker_now(const struct sim *sim, size_t index)
{
    return sim->now_is[index] ? sim->now_is[index] : &sim->graph.workers[index];
}

static bool waits_for_chance(const struct sim *sim, size_t index)
{
    const struct plan_worker *worker = worker_now(sim, index);
    if (!worker->start || sim->absent[index])
        return true;
    for (size_t i = 0; i < worker->need_count; i++) {
        size_t at = strtoul(worker->needs[i].name + 1, NULL, 10);
        const struct plan_worker *needed = worker_now(sim, at);
        bool lasting =
            needed->service || needed->restart_always || (needed->trigger.given && needed->trigger.max == 0);
        if (lasting && worker->needs[i].is >= NEED_SUCCEEDED)
            return true;
        if (waits_for_chance(sim, at))
            return true;
    }
    return false;
}

void graph_mark_dormant(struct sim *sim)
{
    for (size_t i = 0; i < sim->graph.plan.worker_count; i++)
        sim->graph.dormant[i] |= waits_for_chance(sim, i);
}

/* A run ends by itself when there is a job in it, and no job that is started again for ever. */
static void ends_mark(struct sim *sim)
{
    bool job = false, lasting = false;
    graph_mark_dormant(sim);
    for (size_t i = 0; i < sim->graph.plan.worker_count; i++) {
        const struct plan_worker *worker = &sim->graph.workers[i];
        bool keeps = !worker->service && (!worker->trigger.given || worker->trigger.max > 0);
        bool waits = worker->trigger.condition == CONDITION_WORKER && worker->trigger.max > 0;
        job |= keeps && !sim->graph.dormant[i];
        lasting |= keeps && worker->restart_always;
        lasting |= waits || (worker->service && worker->mutex_count > 0);
    }
    sim->graph.needs_stop = !job || lasting;
}

void graph_make(struct sim *sim)
{
    struct graph *graph = &sim->graph;
    graph->plan.name = (char *)"sim";
    graph->plan.workers = graph->workers;
    graph->plan.worker_count = (size_t)random_range(sim, 1, chance(sim, 20) ? WORKERS_MAX : 8);
    graph->plan.run.fail = (enum plan_fail)random_range(sim, FAIL_FAST, FAIL_KEEP_GOING);
    graph->plan.run.jobs = ONE_OF(sim, 0, 0, 1, 2, 4);
    graph->plan.run.timeout_ms = chance(sim, 8) ? random_range(sim, 1, 20000) : 0;
    for (size_t i = 0; i < graph->plan.worker_count; i++)
        worker_make(sim, i);
    for (size_t i = 0; i < graph->plan.worker_count; i++)
        needs_make(sim, i);
    graph->utc = zone_parse_rule(STR("UTC0"), NULL);
    for (size_t i = 0; i < graph->plan.worker_count; i++)
        source_make(sim, i), endless_make(sim, i);
    ends_mark(sim);
    weather_conditions(sim);
}
