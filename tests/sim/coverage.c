/* What a set of seeds has reached: keys of workers and of the run, events, effects, states and the ways
 * between them. What is not reached is not tested; so one that is counted nowhere is a failure. */
#include "sim.h"

struct feature {
    const char *name;
    bool (*has)(const struct plan_worker *worker);
};

#define FEATURE(id, condition)                                                                               \
    static bool has_##id(const struct plan_worker *w)                                                        \
    {                                                                                                        \
        return condition;                                                                                    \
    }
#define WORKER_FEATURES(X)                                                                                   \
    X(job, !w->service && !w->trigger.given && !w->map.given)                                                \
    X(service, w->service)                                                                                   \
    X(service_that_may_end, w->service && !w->restart_always)                                                \
    X(restart_always_of_a_job, !w->service && w->restart_always)                                             \
    X(start_false, !w->start)                                                                                \
    X(optional, w->optional)                                                                                 \
    X(success, w->success_count > 1)                                                                         \
    X(only_if, w->only_if)                                                                                   \
    X(when, w->when)                                                                                         \
    X(replicas, w->replicas > 1)                                                                             \
    X(matrix, w->row_count > 0)                                                                              \
    X(matrix_with_replicas, w->row_count > 1 && w->replicas > 1)                                             \
    X(fail_fast, w->row_count > 1 && w->fail_fast)                                                           \
    X(no_fail_fast, w->row_count > 1 && !w->fail_fast)                                                       \
    X(ready, w->ready.given)                                                                                 \
    X(ready_timeout, w->ready.given && w->ready.timeout_ms > 0)                                              \
    X(alive, w->alive.probes.given)                                                                          \
    X(timeout, w->timeout_ms > 0)                                                                            \
    X(silence, w->silence_ms > 0)                                                                            \
    X(total_timeout, w->total_timeout_ms > 0)                                                                \
    X(grace_none, w->stop.grace_ms == 0)                                                                     \
    X(mutex, w->mutex_count == 1)                                                                            \
    X(mutexes, w->mutex_count > 1)                                                                           \
    X(mutex_of_a_service, w->service && w->mutex_count > 0)                                                  \
    X(retry_for_a_status, has_failure(w, FAILURE_STATUS))                                                    \
    X(retry_for_a_signal, has_failure(w, FAILURE_SIGNAL))                                                    \
    X(retry_for_a_timeout, has_failure(w, FAILURE_TIMEOUT))                                                  \
    X(trigger_worker_max, w->trigger.condition == CONDITION_WORKER && w->trigger.max > 0)                    \
    X(map_stays, w->map.given && w->map.stays)                                                               \
    X(retry_max, w->retry.max > 0)                                                                           \
    X(retry_without_end, w->retry.max < 0)                                                                   \
    X(retry_at_once, w->retry.max != 0 && w->retry.delay_ms == 0)                                            \
    X(retry_backoff, w->retry.max != 0 && w->retry.backoff > 1)                                              \
    X(retry_max_delay, w->retry.max != 0 && w->retry.max_delay_ms > 0)                                       \
    X(retry_jitter, w->retry.jitter > 0)                                                                     \
    X(retry_reset_after, w->retry.max != 0 && w->retry.reset_after_ms > 0)                                   \
    X(retry_for, w->retry.max != 0 && w->retry.failure_count > 0)                                            \
    X(retry_with_restart, w->retry.max != 0 && w->restart_always)                                            \
    X(trigger_queue, w->trigger.given && w->trigger.overlap == OVERLAP_QUEUE)                                \
    X(trigger_skip, w->trigger.given && w->trigger.overlap == OVERLAP_SKIP)                                  \
    X(trigger_restart, w->trigger.given && w->trigger.overlap == OVERLAP_RESTART)                            \
    X(trigger_parallel, w->trigger.given && w->trigger.overlap == OVERLAP_PARALLEL)                          \
    X(trigger_max, w->trigger.given && w->trigger.max > 0)                                                   \
    X(trigger_no_drain, w->trigger.given && !w->trigger.drain)                                               \
    X(trigger_timeout, w->trigger.given && w->trigger.timeout_ms > 0)                                        \
    X(trigger_worker_started, has_moment(w, MOMENT_STARTED))                                                 \
    X(trigger_worker_ready, has_moment(w, MOMENT_READY))                                                     \
    X(trigger_worker_succeeded, has_moment(w, MOMENT_SUCCEEDED))                                             \
    X(trigger_worker_failed, has_moment(w, MOMENT_FAILED))                                                   \
    X(trigger_worker_ended, has_moment(w, MOMENT_ENDED))                                                     \
    X(trigger_worker_retrying, has_moment(w, MOMENT_RETRYING))                                               \
    X(trigger_worker_stopped, has_moment(w, MOMENT_STOPPED))                                                 \
    X(trigger_worker_skipped, has_moment(w, MOMENT_SKIPPED))                                                 \
    X(every, has_time(w) && !w->schedule.calendar)                                                           \
    X(cron, has_time(w) && w->schedule.calendar)                                                             \
    X(map, w->map.given)                                                                                     \
    X(map_keep_going, w->map.given && w->map.keep_going)                                                     \
    X(map_one_by_one, w->map.given && w->map.count == 1)                                                     \
    X(map_with_retry, w->map.given && w->retry.max != 0)                                                     \
    X(map_in_matrix, w->map.given && w->row_count > 0)                                                       \
    X(trigger_with_retry, w->trigger.given && w->retry.max != 0)                                             \
    X(trigger_with_mutex, w->trigger.given && w->mutex_count > 0)

static bool has_moment(const struct plan_worker *worker, enum plan_moment moment)
{
    return worker->trigger.given && worker->trigger.condition == CONDITION_WORKER &&
           worker->trigger.moment == moment;
}

static bool has_time(const struct plan_worker *worker)
{
    return worker->trigger.given && worker->trigger.condition == CONDITION_TIME;
}

static bool has_failure(const struct plan_worker *worker, enum plan_failure_kind kind)
{
    bool has = false;
    for (size_t i = 0; i < worker->retry.failure_count && worker->retry.max != 0; i++)
        has |= worker->retry.failures[i].kind == kind;
    return has;
}

WORKER_FEATURES(FEATURE)

static const struct feature features[] = {
#define ROW(id, condition) {#id, has_##id},
    WORKER_FEATURES(ROW)
#undef ROW
};
_Static_assert(LENGTH_OF(features) <= FEATURES_MAX, "room for the counts of features");

static const char *const need_names[] = {"started", "ready", "succeeded", "failed", "ended"};
static const char *const again_names[] = {"ignore", "restart", "stop"};
static const char *const fail_names[] = {"fast", "finish", "keep-going"};

void coverage_graph(struct coverage *coverage, const struct graph *graph)
{
    for (size_t i = 0; i < graph->plan.worker_count; i++) {
        const struct plan_worker *worker = &graph->workers[i];
        for (size_t k = 0; k < LENGTH_OF(features); k++)
            coverage->features[k] += features[k].has(worker);
        for (size_t k = 0; k < worker->need_count; k++) {
            coverage->needs[worker->needs[k].is][worker->needs[k].on_restart]++;
            coverage->need_timeouts += worker->needs[k].timeout_ms > 0;
        }
    }
    coverage->fails[graph->plan.run.fail]++;
    coverage->jobs += graph->plan.run.jobs > 0;
    coverage->run_timeouts += graph->plan.run.timeout_ms > 0;
}

void coverage_event(struct sim *sim, const struct sup_event *event)
{
    sim->coverage.events[event->kind] += sim->effects.count > 0;
    if (event->kind == SUP_STOP && sim->signals <= SIGNALS_SHOWN)
        sim->coverage.signals[sim->signals - 1]++;
}

/* A control by hand that has changed something, by the state that the task was in. */
void coverage_hand(struct sim *sim, const struct sup_event *event, enum sup_state state)
{
    sim->coverage.hands[event->kind - SUP_START_TASKS][state]++;
}

void coverage_effect(struct sim *sim, const struct sup_effect *effect)
{
    struct sup_task task;
    sim->coverage.effects[effect->kind]++;
    if (effect->kind != SUP_STATUS || !sup_task_at(sim->sup, effect->ref.task, &task))
        return;
    struct actor *actor = actor_of(sim, effect->ref.task);
    sim->coverage.moves[actor->last_state][task.state] += actor->last_state != task.state;
    sim->coverage.states[task.state]++;
    actor->last_state = task.state;
}

void coverage_add(struct coverage *sum, const struct coverage *one)
{
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)one;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
        to[i] += from[i];
}

/* ---- Showing ---- */

static int show(const char *of, const char *name, uint64_t count)
{
    printf("%-8s %-32s %12llu%s\n", of, name, (unsigned long long)count, count ? "" : "  not reached");
    return count == 0;
}

static int show_needs(const struct coverage *coverage)
{
    int missing = 0;
    for (size_t i = 0; i < LENGTH_OF(need_names); i++)
        for (size_t k = 0; k < LENGTH_OF(again_names); k++) {
            AUTO_FREE char *name = mem_format("%s, on_restart %s", need_names[i], again_names[k]);
            missing += show("need", name, coverage->needs[i][k]);
        }
    return missing + show("need", "timeout", coverage->need_timeouts);
}

static int show_run(const struct coverage *coverage)
{
    int missing = show("run", "jobs", coverage->jobs) + show("run", "timeout", coverage->run_timeouts);
    for (size_t i = 0; i < LENGTH_OF(fail_names); i++)
        missing += show("fail", fail_names[i], coverage->fails[i]);
    for (size_t i = 0; i < SIGNALS_SHOWN; i++) {
        AUTO_FREE char *name = mem_format("signal %zu", i + 1);
        missing += show("run", name, coverage->signals[i]);
    }
    missing += show("world", "clock set forward", coverage->clock_forward);
    missing += show("world", "clock set back", coverage->clock_back);
    missing += show("world", "needs that change", coverage->turns);
    missing += show("world", "server answers late", coverage->server_late);
    return missing + show("world", "condition that never holds", coverage->never);
}

static int show_moves(const struct coverage *coverage)
{
    for (int from = 0; from < SUP_STATE_COUNT; from++)
        for (int to = 0; to < SUP_STATE_COUNT; to++) {
            AUTO_FREE char *name = mem_format("%s to %s", sup_state_name((enum sup_state)from),
                                              sup_state_name((enum sup_state)to));
            if (coverage->moves[from][to] > 0)
                show("move", name, coverage->moves[from][to]);
        }
    return 0;
}

static int show_hands(const struct coverage *coverage)
{
    int missing = 0;
    for (int kind = 0; kind <= SUP_FILES_CHANGED - SUP_START_TASKS; kind++)
        for (int state = 0; state < SUP_STATE_COUNT; state++) {
            AUTO_FREE char *name = mem_format("%s while %s", event_names[SUP_START_TASKS + kind],
                                              sup_state_name((enum sup_state)state));
            missing += show("hand", name, coverage->hands[kind][state]);
        }
    return missing;
}

int coverage_show(const struct coverage *coverage)
{
    int missing = 0;
    for (size_t i = 0; i < LENGTH_OF(features); i++)
        missing += show("key", features[i].name, coverage->features[i]);
    missing += show_needs(coverage) + show_run(coverage);
    for (int i = 0; i <= SUP_RELOAD; i++)
        missing += show("event", event_names[i], coverage->events[i]);
    for (int i = 0; i <= SUP_END; i++)
        missing += show("effect", effect_names[i], coverage->effects[i]);
    for (int i = 0; i < SUP_STATE_COUNT; i++)
        missing += show("state", sup_state_name((enum sup_state)i), coverage->states[i]);
    missing += show_hands(coverage) + show_moves(coverage);
    printf("%d not reached\n", missing);
    return missing;
}
