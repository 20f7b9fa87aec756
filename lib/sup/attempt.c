/* One attempt of a task: a process from its start to its end. */
#include "sup_priv.h"

#include <stdlib.h>

void attempt_start(struct sup *sup, struct task *task)
{
    task->ref.incarnation++;
    task->attempt = (int)(task->retries < INT32_MAX ? task->retries + 1 : INT32_MAX);
    task->cause = CAUSE_NONE;
    task->was_ready = task->returned = false;
    task->alarm_ms = -1;
    if (task->worker->total_timeout_ms > 0 && task->total_ms < 0)
        task->total_ms = sup->now + task->worker->total_timeout_ms;
    free(task->result);
    task->result = NULL;
    task_move(sup, task, TASK_STARTING, NULL);
    effect_add(sup, SUP_SPAWN, task, 0);
    if (task->parent)
        trigger_run_started(sup, task);
    else if (task->ref.incarnation > 1)
        again_needed(sup, task);
}

static void probes_end(struct sup *sup, struct task *task)
{
    if (task->probing)
        effect_add(sup, SUP_PROBE_END, task, 0);
    task->probing = false;
    if (task->guarding)
        effect_add(sup, SUP_GUARD_END, task, 0);
    task->guarding = false;
}

static void become_ready(struct sup *sup, struct task *task)
{
    task->was_ready = true;
    task->alarm_ms = -1;
    task_move(sup, task, TASK_READY, NULL);
    if (!task->worker->alive.probes.given)
        return;
    task->guarding = true;
    effect_add(sup, SUP_GUARD, task, 0);
}

static void watch_readiness(struct sup *sup, struct task *task)
{
    const struct plan_ready *ready = &task->worker->ready;
    if (!ready->given) {
        become_ready(sup, task);
        return;
    }
    task->probing = true;
    effect_add(sup, SUP_PROBE, task, 0);
    if (ready->timeout_ms > 0)
        task->alarm_ms = sup->now + ready->timeout_ms;
    due_update(sup, task);
}

void attempt_spawned(struct sup *sup, struct task *task, const struct sup_event *event)
{
    if (task->state != TASK_STARTING)
        return;
    task->pid = event->pid;
    task->ever_started = true;
    task->attempt_mono_ms = sup->now;
    if (task->started_ms == 0) {
        task->started_ms = sup->wall;
        task->started_mono_ms = sup->now;
    }
    if (task->worker->timeout_ms > 0)
        task->limit_ms = sup->now + task->worker->timeout_ms;
    if (task->worker->silence_ms > 0)
        task->silence_ms = sup->now + task->worker->silence_ms;
    task_move(sup, task, TASK_RUNNING, NULL);
    if (stop_is_due(task))
        attempt_stop(sup, task, CAUSE_ASKED, NULL);
    else
        watch_readiness(sup, task);
}

void attempt_spawn_failed(struct sup *sup, struct task *task, const struct sup_event *event)
{
    if (task->state != TASK_STARTING)
        return;
    task->status = event->status;
    task->signal = 0;
    task->attempt_mono_ms = sup->now;
    char *reason = event->text.len ? mem_copy(event->text.data, event->text.len) : reason_ended(task);
    attempt_over(sup, task, FAILED_STATUS, reason);
}

void attempt_probes_hold(struct sup *sup, struct task *task)
{
    if (task->state != TASK_RUNNING || !task->probing)
        return;
    probes_end(sup, task);
    become_ready(sup, task);
}

void attempt_unhealthy(struct sup *sup, struct task *task, struct str what)
{
    if (task->guarding)
        attempt_stop(sup, task, CAUSE_UNHEALTHY, mem_copy(what.data, what.len));
}

void attempt_output(struct sup *sup, struct task *task, int64_t last_ms)
{
    if (!task->listening)
        return;
    task->listening = false;
    int64_t since = last_ms > task->attempt_mono_ms ? last_ms : task->attempt_mono_ms;
    AUTO_FREE char *time = duration_text(task->worker->silence_ms);
    task->silence_ms = since + task->worker->silence_ms;
    if (task->silence_ms <= sup->now)
        attempt_stop(sup, task, CAUSE_SILENT, mem_format("no output for %s", time));
    due_update(sup, task);
}

static void result_set(struct sup *sup, struct task *task, struct str result)
{
    free(task->result);
    task->result = mem_copy(result.data, result.len);
    if (!task->dirty)
        list_add(&sup->dirty, task);
    task->dirty = true;
}

void attempt_returned(struct sup *sup, struct task *task, struct str result)
{
    if (!task_lives(task))
        return;
    task->returned = true;
    result_set(sup, task, result);
}

static bool status_succeeds(const struct plan_worker *worker, int status)
{
    for (size_t i = 0; i < worker->success_count; i++)
        if (worker->success[i] == status)
            return true;
    return worker->success_count == 0 && status == 0;
}

static char *reason_with(const struct task *task, struct str why)
{
    char *reason = reason_ended(task);
    if (why.len == 0)
        return reason;
    char *longer = mem_format("%s: %.*s", reason, STR_ARG(why));
    free(reason);
    return longer;
}

static const enum failure failures[] = {
    [CAUSE_TIMEOUT] = FAILED_TIMEOUT, [CAUSE_TOTAL] = FAILED_TOTAL,         [CAUSE_SILENT] = FAILED_TIMEOUT,
    [CAUSE_UNREADY] = FAILED_UNREADY, [CAUSE_UNHEALTHY] = FAILED_UNHEALTHY,
};

void attempt_ended(struct sup *sup, struct task *task, const struct sup_event *event)
{
    if (!task_lives(task) || task->state == TASK_STARTING)
        return;
    task->signal = event->signal > 0 ? event->signal : 0;
    task->status = task->signal ? 128 + task->signal : event->status;
    probes_end(sup, task);
    if (event->text.len && !task->returned)
        result_set(sup, task, event->text);
    if (task->cause >= CAUSE_TIMEOUT)
        attempt_over(sup, task, failures[task->cause], mem_text(task->reason));
    else if (task->signal)
        attempt_over(sup, task, FAILED_SIGNAL, reason_with(task, event->why));
    else if (!status_succeeds(task->worker, task->status))
        attempt_over(sup, task, FAILED_STATUS, reason_with(task, event->why));
    else
        attempt_over(sup, task, FAILED_NOT, NULL);
}

void attempt_undone(struct sup *sup, struct task *task, struct str why)
{
    if (task->state == TASK_STARTING)
        return;
    task->signal = 0;
    task->status = 1;
    probes_end(sup, task);
    if (task->cause >= CAUSE_TIMEOUT)
        attempt_over(sup, task, failures[task->cause], mem_text(task->reason));
    else
        attempt_over(sup, task, FAILED_STATUS, mem_copy(why.data, why.len));
}

/* The stop procedure. Who is being stopped already keeps its deadline. */
void attempt_stop(struct sup *sup, struct task *task, enum cause cause, char *reason)
{
    int64_t grace = task->worker->stop.grace_ms;
    task->asked |= cause == CAUSE_ASKED;
    if (task->state != TASK_RUNNING && task->state != TASK_READY) {
        free(reason);
        return;
    }
    task->cause = cause;
    task->listening = false;
    task->limit_ms = task->silence_ms = -1;
    task->alarm_ms = grace > 0 && !sup->killing ? sup->now + grace : -1;
    probes_end(sup, task);
    task_move(sup, task, TASK_STOPPING, reason);
    if (!sup->killing)
        effect_add(sup, SUP_TERMINATE, task, 0);
    if (grace <= 0 || sup->killing)
        effect_add(sup, SUP_KILL, task, 0);
}

static bool has_come(const struct sup *sup, int64_t time)
{
    return time >= 0 && time <= sup->now;
}

static void run_alarm(struct sup *sup, struct task *task)
{
    const struct plan_worker *worker = task->worker;
    AUTO_FREE char *limit = duration_text(worker->timeout_ms);
    AUTO_FREE char *total = duration_text(worker->total_timeout_ms);
    AUTO_FREE char *ready = duration_text(worker->ready.timeout_ms);
    if (has_come(sup, task->total_ms)) {
        attempt_stop(sup, task, CAUSE_TOTAL, mem_format("timed out after %s in all", total));
    } else if (has_come(sup, task->limit_ms)) {
        attempt_stop(sup, task, CAUSE_TIMEOUT, mem_format("timed out after %s", limit));
    } else if (has_come(sup, task->alarm_ms)) {
        attempt_stop(sup, task, CAUSE_UNREADY, mem_format("not ready within %s", ready));
    } else {
        task->silence_ms = -1;
        task->listening = true;
        effect_add(sup, SUP_ASK_OUTPUT, task, 0);
    }
}

void attempt_alarm(struct sup *sup, struct task *task)
{
    if (task->trigger && task->trigger->map && task->state == TASK_RUNNING) {
        map_alarm(sup, task);
        return;
    }
    if (task->trigger && !task->trigger->map && task->state != TASK_WAITING) {
        source_alarm(sup, task);
        return;
    }
    switch (task->state) {
    case TASK_RUNNING:
    case TASK_READY:
        run_alarm(sup, task);
        break;
    case TASK_WAITING:
        gate_overdue(sup, task);
        break;
    case TASK_STOPPING:
        effect_add(sup, SUP_KILL, task, 0);
        task->alarm_ms = -1;
        break;
    default: /* TASK_RETRYING: nothing else sets an alarm */
        task->alarm_ms = -1;
        if (has_come(sup, task->total_ms))
            attempts_time_out(sup, task);
        else
            slot_want(sup, task);
    }
    due_update(sup, task);
}
