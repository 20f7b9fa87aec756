/* What comes after an attempt: success, another attempt, or the end.
 * Failures of a worker with `retry` are retried as it says, `restart: always` or not. Without `retry` a
 * worker with `restart: always` is started again at once after a failure. After a success it is started again
 * too, after retry.delay where there is a retry, else at once, and the count of retries begins anew; these
 * restarts have no other bound than that more than 5 in 10 s are too many. */
#include "sup_priv.h"

#include <stdlib.h>

static bool failure_matches(const struct task *task, const struct plan_failure *match, enum failure failure)
{
    switch (match->kind) {
    case FAILURE_ANY:
        return true;
    case FAILURE_STATUS:
        return failure == FAILED_STATUS && task->status >= match->low && task->status <= match->high;
    case FAILURE_SIGNAL:
        return (failure == FAILED_SIGNAL && task->signal == match->low) ||
               (failure == FAILED_STATUS && task->worker->run.shell && task->status == 128 + match->low);
    case FAILURE_TIMEOUT:
        return failure == FAILED_TIMEOUT || failure == FAILED_UNREADY;
    case FAILURE_LOST: /* a remote worker's: no local process can be lost */
        return false;
    }
    return false;
}

static bool retry_applies(const struct task *task, enum failure failure)
{
    const struct plan_retry *retry = &task->worker->retry;
    if (retry->max >= 0 && task->retries >= retry->max)
        return false;
    for (size_t i = 0; i < retry->failure_count; i++)
        if (failure_matches(task, &retry->failures[i], failure))
            return true;
    return retry->failure_count == 0;
}

/* splitmix64, to 0 ≤ x < 1 */
static double random_next(struct sup *sup)
{
    uint64_t z = sup->random += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* delay * backoff^retries, at most max_delay, of which the part `jitter` is random. */
static int64_t retry_delay(struct sup *sup, const struct task *task)
{
    const struct plan_retry *retry = &task->worker->retry;
    double max = retry->max_delay_ms > 0 ? (double)retry->max_delay_ms : 1e15;
    double delay = (double)retry->delay_ms;
    for (int64_t i = 0; i < task->retries && delay < max && retry->backoff != 1 && i < 4096; i++)
        delay *= retry->backoff;
    if (delay > max)
        delay = max;
    if (retry->jitter > 0)
        delay *= 1 - retry->jitter * random_next(sup);
    return (int64_t)(delay + 0.5);
}

static bool counts_restarts(const struct task *task)
{
    return task->worker->service || task->worker->restart_always;
}

void attempts_time_out(struct sup *sup, struct task *task)
{
    AUTO_FREE char *time = duration_text(task->worker->total_timeout_ms);
    task_move(sup, task, TASK_TIMEOUT, mem_format("timed out after %s in all", time));
}

/* The next attempt, after the delay. Takes reason. */
static void again_after(struct sup *sup, struct task *task, int64_t delay, char *reason)
{
    task->limit_ms = -1;
    task->alarm_ms = delay > 0 ? sup->now + delay : -1;
    due_update(sup, task);
    task->restarts += counts_restarts(task);
    task_move(sup, task, TASK_RETRYING, reason);
    if (delay <= 0)
        slot_want(sup, task);
}

/* Takes what. */
static void retry_begin(struct sup *sup, struct task *task, char *what)
{
    int64_t delay = retry_delay(sup, task), max = task->worker->retry.max;
    AUTO_FREE char *failure = what;
    AUTO_FREE char *time = duration_text(delay);
    AUTO_FREE char *of = max > 0 ? mem_format(" of %lld", (long long)max) : mem_text("");
    task->retries++;
    char *reason = mem_format("%s, retry %lld%s in %s", failure, (long long)task->retries, of, time);
    AUTO_FREE char *label = task_label(task);
    effect_say(sup, task, SAY_WARNING, "%s: %s", label, reason);
    again_after(sup, task, delay, reason);
}

static bool restart_too_fast(struct sup *sup, struct task *task)
{
    if (!task->recent) {
        task->recent = mem_new(sizeof *task->recent);
        for (int i = 0; i < TOO_FAST_RESTARTS; i++)
            task->recent->at[i] = INT64_MIN / 2;
    }
    int64_t *oldest = &task->recent->at[task->recent->next++ % TOO_FAST_RESTARTS];
    bool too_fast = sup->now - *oldest < TOO_FAST_MS;
    *oldest = sup->now;
    return too_fast;
}

/* Takes what. */
static void restart_begin(struct sup *sup, struct task *task, bool succeeded, char *what)
{
    AUTO_FREE char *end = what;
    if (restart_too_fast(sup, task)) {
        task_move(sup, task, TASK_FAILED, mem_format("%s, restarting too fast", end));
        return;
    }
    task->retries = succeeded ? 0 : task->retries + 1;
    task->total_ms = succeeded ? -1 : task->total_ms;
    char *reason = mem_format("%s, restart %d", end, task->restarts + 1);
    effect_say(sup, task, succeeded ? SAY_NOTE : SAY_WARNING, "%s: %s", task->name, reason);
    again_after(sup, task, task->worker->retry.max != 0 ? task->worker->retry.delay_ms : 0, reason);
}

static void retries_reset(struct sup *sup, struct task *task)
{
    int64_t after = task->worker->retry.reset_after_ms;
    if (after > 0 && sup->now - task->attempt_mono_ms >= after)
        task->retries = 0;
}

static void stopped(struct sup *sup, struct task *task, char *reason)
{
    free(reason);
    task_move(sup, task, TASK_STOPPED, mem_text(task->why ? task->why : sup->why));
}

static void failed(struct sup *sup, struct task *task, enum failure failure, char *reason)
{
    bool ending = sup->phase != PHASE_GOING || task->asked || task->marked;
    bool always = task->worker->restart_always && task->worker->retry.max == 0;
    retries_reset(sup, task);
    bool again = failure != FAILED_TOTAL && (retry_applies(task, failure) || always);
    bool over = task->total_ms >= 0 && task->total_ms <= sup->now;
    if (again && ending) {
        stopped(sup, task, reason);
    } else if (again && over) {
        free(reason);
        attempts_time_out(sup, task);
    } else if (again && !always) {
        retry_begin(sup, task, reason);
    } else if (again) {
        restart_begin(sup, task, false, reason);
    } else {
        bool timeout = failure == FAILED_TIMEOUT || failure == FAILED_TOTAL;
        task_move(sup, task, timeout ? TASK_TIMEOUT : TASK_FAILED, reason);
    }
}

static void succeeded(struct sup *sup, struct task *task)
{
    if (!task->worker->restart_always)
        task_move(sup, task, TASK_SUCCEEDED, NULL);
    else if (sup->phase != PHASE_GOING || task->asked || task->marked)
        stopped(sup, task, NULL);
    else
        restart_begin(sup, task, true, reason_ended(task));
}

void attempt_over(struct sup *sup, struct task *task, enum failure failure, char *reason)
{
    task->limit_ms = task->alarm_ms = task->silence_ms = -1;
    task->listening = false;
    due_update(sup, task);
    bool stopping = task->state == TASK_STOPPING || task->state == TASK_STARTING;
    if (task->again) {
        free(reason);
        control_again(sup, task);
    } else if (stopping && stop_is_due(task) && task->cause < CAUSE_TIMEOUT) {
        stopped(sup, task, reason);
    } else if (failure == FAILED_NOT) {
        succeeded(sup, task);
    } else {
        failed(sup, task, failure, reason);
    }
}
