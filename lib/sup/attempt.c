/* One attempt of a task: a process from its start to its end. */
#include "sup_priv.h"

#include <stdlib.h>

void attempt_start(struct sup *sup, struct task *task)
{
    task->ref.incarnation++;
    task->attempt = (int)(task->retries < INT32_MAX ? task->retries + 1 : INT32_MAX);
    task->cause = CAUSE_NONE;
    task->was_ready = task->returned = false;
    free(task->result);
    task->result = NULL;
    task_move(sup, task, TASK_STARTING, NULL);
    effect_add(sup, SUP_SPAWN, task, 0);
    if (task->parent)
        trigger_run_started(sup, task);
}

static void probes_end(struct sup *sup, struct task *task)
{
    if (task->probing)
        effect_add(sup, SUP_PROBE_END, task, 0);
    task->probing = false;
}

static void become_ready(struct sup *sup, struct task *task)
{
    task->was_ready = true;
    task->alarm_ms = -1;
    due_update(sup, task);
    task_move(sup, task, TASK_READY, NULL);
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
    task_move(sup, task, TASK_RUNNING, NULL);
    if (stop_is_due(task))
        attempt_stop(sup, task, CAUSE_ASKED);
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

static char *timeout_reason(const struct task *task)
{
    bool ready = task->cause == CAUSE_UNREADY;
    AUTO_FREE char *time = duration_text(ready ? task->worker->ready.timeout_ms : task->worker->timeout_ms);
    return mem_format(ready ? "not ready within %s" : "timed out after %s", time);
}

void attempt_ended(struct sup *sup, struct task *task, const struct sup_event *event)
{
    if (!task_lives(task) || task->state == TASK_STARTING)
        return;
    task->signal = event->signal > 0 ? event->signal : 0;
    task->status = task->signal ? 128 + task->signal : event->status;
    probes_end(sup, task);
    if (event->text.len && !task->returned)
        result_set(sup, task, event->text);
    if (task->cause == CAUSE_TIMEOUT)
        attempt_over(sup, task, FAILED_TIMEOUT, timeout_reason(task));
    else if (task->cause == CAUSE_UNREADY)
        attempt_over(sup, task, FAILED_UNREADY, timeout_reason(task));
    else if (task->signal)
        attempt_over(sup, task, FAILED_SIGNAL, reason_ended(task));
    else if (!status_succeeds(task->worker, task->status))
        attempt_over(sup, task, FAILED_STATUS, reason_ended(task));
    else
        attempt_over(sup, task, FAILED_NOT, NULL);
}

/* The stop procedure. Who is being stopped already keeps its deadline. */
void attempt_stop(struct sup *sup, struct task *task, enum cause cause)
{
    int64_t grace = task->worker->stop.grace_ms;
    task->asked |= cause == CAUSE_ASKED;
    if (task->state != TASK_RUNNING && task->state != TASK_READY)
        return;
    task->cause = cause;
    task->limit_ms = -1;
    task->alarm_ms = grace > 0 && !sup->killing ? sup->now + grace : -1;
    due_update(sup, task);
    probes_end(sup, task);
    task_move(sup, task, TASK_STOPPING, cause == CAUSE_ASKED ? NULL : timeout_reason(task));
    if (!sup->killing)
        effect_add(sup, SUP_TERMINATE, task, 0);
    if (grace <= 0 || sup->killing)
        effect_add(sup, SUP_KILL, task, 0);
}

void attempt_alarm(struct sup *sup, struct task *task)
{
    bool limit = task->limit_ms >= 0 && task->limit_ms <= sup->now;
    switch (task->state) {
    case TASK_RUNNING:
    case TASK_READY:
        attempt_stop(sup, task, limit ? CAUSE_TIMEOUT : CAUSE_UNREADY);
        break;
    case TASK_STOPPING:
        effect_add(sup, SUP_KILL, task, 0);
        task->alarm_ms = -1;
        break;
    default: /* TASK_RETRYING: nothing else sets an alarm */
        task->alarm_ms = -1;
        slot_want(sup, task);
    }
    due_update(sup, task);
}
