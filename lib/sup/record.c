/* Records for the namespace `zproc`, and the words for the end of a process. */
#include "sup_priv.h"

char *reason_ended(const struct task *task)
{
    if (!task->signal)
        return mem_format("exit status %d", task->status);
    const char *name = sigabbrev_np(task->signal);
    return name ? mem_format("killed by SIG%s", name) : mem_format("killed by signal %d", task->signal);
}

static void field_text(struct buf *buf, const char *name, const char *text)
{
    buf_add_format(buf, ",\"%s\":", name);
    string_print(buf, str_of(text));
}

static void field_number(struct buf *buf, const char *name, int64_t number, bool known)
{
    if (known)
        buf_add_format(buf, ",\"%s\":%lld", name, (long long)number);
    else
        buf_add_format(buf, ",\"%s\":null", name);
}

void sup_record_print(struct buf *buf, const struct sup_task *task, const char *log)
{
    bool ended = task->status >= 0 && (sup_state_final(task->state) || task->state == TASK_RETRYING);
    buf_add_format(buf, "{\"status\":\"%s\"", sup_state_name(task->state));
    field_number(buf, "pid", task->pid, task->pid > 0);
    field_number(buf, "attempt", task->attempt, true);
    field_number(buf, "started", task->started_ms, task->started_ms > 0);
    field_number(buf, "ended", task->ended_ms, task->ended_ms > 0);
    field_number(buf, "exit", task->status, ended && task->signal == 0);
    field_number(buf, "signal", task->signal, ended && task->signal > 0);
    field_text(buf, "reason", task->reason);
    field_number(buf, "restarts", task->restarts, true);
    if (task->worker->map.given) {
        field_number(buf, "items", task->items, task->items >= 0);
        field_number(buf, "done", task->runs, true);
        field_number(buf, "failed", task->failed, true);
    }
    buf_add_format(buf, ",\"result\":%s", task->result ? task->result : "null");
    field_text(buf, "log", log);
    buf_add_char(buf, '}');
}

static const char *run_status(const struct sup *sup)
{
    switch (sup->phase) {
    case PHASE_NEW:
        return sup_state_name(TASK_WAITING);
    case PHASE_GOING:
        return sup_state_name(TASK_RUNNING);
    case PHASE_ENDING:
        return sup_state_name(TASK_STOPPING);
    default:
        return sup_state_name(sup->outcome);
    }
}

void sup_run_record_print(struct buf *buf, const struct sup *sup)
{
    bool over = sup->phase == PHASE_OVER;
    buf_add_format(buf, "{\"status\":\"%s\"", run_status(sup));
    field_text(buf, "name", sup->plan->name ? sup->plan->name : "");
    field_number(buf, "started", sup->begun_ms, sup->begun_ms > 0);
    field_number(buf, "ended", sup->ended_ms, over);
    field_number(buf, "exit", sup->status, over);
    field_text(buf, "reason", sup->reason ? sup->reason : "");
    buf_add_char(buf, '}');
}
