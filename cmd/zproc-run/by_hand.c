/* Control by hand: what is asked for is handed to sup, and answered when it has come about. */
#include "run_priv.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define SCALE_MAX  10000
#define RETURN_MAX (1024 * 1024)

/* {"workers": [one object a task]} of those that are done. */
static void answer_tasks(struct run *run, const struct parked *parked)
{
    AUTO_BUF struct buf json = {0};
    buf_add_text(&json, "{\"workers\":[");
    for (size_t i = 0; i < parked->count; i++) {
        buf_add_text(&json, i > 0 ? ",{\"name\":" : "{\"name\":");
        string_print(&json, str_of(parked->tasks[i].name));
        buf_add_str(&json, buf_str(&parked->tasks[i].answer));
        buf_add_char(&json, '}');
    }
    buf_add_text(&json, "]}");
    call_answer(run, parked->call, buf_str(&json));
}

/* Looks at those that are not done; true when all are. */
static bool tasks_done(struct run *run, struct parked *parked, bool over,
                       bool (*done)(struct run *run, struct parked_task *task, bool over))
{
    for (size_t i = parked->done; i < parked->count; i++) {
        struct parked_task *task = &parked->tasks[i];
        task->done = task->done || done(run, task, over);
        if (task->done && i == parked->done)
            parked->done++;
    }
    return parked->done == parked->count;
}

/* ---- stop ---- */

/* What was removed, or has begun another life already, was stopped; its exit status is not known any more. */
static bool stop_done(struct run *run, struct parked_task *task, bool over)
{
    struct sup_task info;
    bool there = run_task(run, task->number) && sup_task_at(run->sup, task->number, &info);
    bool same = there && info.ref.incarnation == task->incarnation;
    if (same && !over &&
        (sup_task_lives(run->sup, task->number) ||
         !(sup_state_final(info.state) || (info.state == TASK_IDLE && info.started_ms == 0))))
        return false;
    if (same && info.status >= 0)
        buf_add_format(&task->answer, ",\"exit\":%d", info.status);
    else
        buf_add_text(&task->answer, ",\"exit\":null");
    return true;
}

static bool stop_check(struct run *run, struct parked *parked, bool over)
{
    if (!tasks_done(run, parked, over, stop_done))
        return false;
    answer_tasks(run, parked);
    return true;
}

/* ---- start, restart ---- */

static bool is_trigger(const struct sup_task *info)
{
    return info->worker->trigger.given;
}

/* Has it come to run since the call? A trigger does when it is armed, a map when its items are read. */
static bool has_started(const struct sup_task *info, const struct parked_task *task)
{
    if (is_trigger(info))
        return info->started_ms > 0 && !sup_state_final(info->state);
    if (info->worker->map.given)
        return info->started_ms > 0 &&
               (info->state == TASK_RUNNING || info->state == TASK_SUCCEEDED || info->state == TASK_FAILED);
    return info->ref.incarnation > task->incarnation && info->pid > 0 && info->state != TASK_STARTING;
}

/* {"pid": …, "already": …} or {"error": why it did not start} */
static bool start_done(struct run *run, struct parked_task *task, bool over)
{
    struct sup_task info;
    bool there = run_task(run, task->number) && sup_task_at(run->sup, task->number, &info);
    const char *why = there ? info.reason : "it was removed";
    if (there && (task->ran || has_started(&info, task))) {
        buf_add_format(&task->answer, ",\"pid\":%d,\"already\":%s", info.pid, task->ran ? "true" : "false");
        return true;
    }
    if (there && !over && !sup_state_final(info.state))
        return false;
    buf_add_text(&task->answer, ",\"error\":");
    string_print(&task->answer, str_of(*why ? why : "it has ended before it could start"));
    return true;
}

static bool start_check(struct run *run, struct parked *parked, bool over)
{
    if (!tasks_done(run, parked, over, start_done))
        return false;
    answer_tasks(run, parked);
    return true;
}

/* Idle, final, or being stopped: what runs or is about to is not started. */
static bool can_start(const struct run *run, uint32_t number)
{
    struct sup_task info;
    sup_task_at(run->sup, number, &info);
    if (sup_state_final(info.state) || info.state == TASK_STOPPING)
        return true;
    return info.state == TASK_IDLE && info.started_ms == 0;
}

static void ask_tasks(struct run *run, int64_t call, const struct value *request, enum sup_event_kind kind)
{
    struct err err;
    struct picked picked;
    bool ok = pick_tasks(run, request, &picked, &err);
    if (!ok) {
        call_refuse(run, call, &err);
        return;
    }
    struct sup_event event = {.kind = kind, .tasks = picked.tasks, .task_count = picked.count};
    if (sup_allows(run->sup, &event, &err)) {
        struct parked *parked =
            call_park(run, call, kind == SUP_STOP_TASKS ? stop_check : start_check, &picked);
        for (size_t i = 0; i < parked->count; i++)
            parked->tasks[i].ran = kind == SUP_START_TASKS && !can_start(run, parked->tasks[i].number);
        run_event(run, event);
    } else {
        call_refuse(run, call, &err);
    }
    free(picked.tasks);
}

void ask_start(struct run *run, int64_t call, const struct value *request)
{
    ask_tasks(run, call, request, SUP_START_TASKS);
}

void ask_restart(struct run *run, int64_t call, const struct value *request)
{
    ask_tasks(run, call, request, SUP_RESTART_TASKS);
}

void ask_stop(struct run *run, int64_t call, const struct value *request)
{
    ask_tasks(run, call, request, SUP_STOP_TASKS);
}

/* ---- signal ---- */

void ask_signal(struct run *run, int64_t call, const struct value *request)
{
    struct err err;
    struct picked picked;
    const struct value *number = map_get(request, STR("signal"));
    size_t reached = 0;
    bool ok = number && value_type(number) == VALUE_INT && value_as_int(number) > 0 &&
              value_as_int(number) <= SIGRTMAX;
    if (!ok)
        err_set(&err, ERR_INVALID, "the request names no signal");
    if (!ok || !pick_tasks(run, request, &picked, &err)) {
        call_refuse(run, call, &err);
        return;
    }
    for (size_t i = 0; i < picked.count; i++) {
        const struct task *task = run_task(run, picked.tasks[i]);
        for (const struct process *process = run->processes; process; process = process->next) {
            bool of = process->task == task || process->task->parent == task->number;
            if (!of || process->ref.incarnation == 0)
                continue;
            child_signal(process->child, (int)value_as_int(number));
            reached++;
        }
    }
    free(picked.tasks);
    AUTO_FREE char *json = mem_format("{\"signalled\":%zu}", reached);
    call_answer(run, call, str_of(json));
}

/* ---- scale ---- */

static bool is_gone(struct run *run, struct parked_task *task, bool over)
{
    return over || !run_task(run, task->number);
}

/* When those that were taken out have ended. */
static bool gone_check(struct run *run, struct parked *parked, bool over)
{
    if (!tasks_done(run, parked, over, is_gone))
        return false;
    call_answer(run, parked->call, str_of(parked->json));
    return true;
}

void call_when_gone(struct run *run, int64_t call, const struct picked *picked, char *json)
{
    struct parked *parked = call_park(run, call, gone_check, picked);
    parked->json = json;
}

struct scaling {
    struct sup_event events[64];
    size_t count;
};

static bool scaling_read(struct run *run, const struct value *request, struct scaling *scaling,
                         struct err *err)
{
    const struct value *counts = map_get(request, STR("counts"));
    if (!counts || value_type(counts) != VALUE_MAP || value_len(counts) > LENGTH_OF(scaling->events))
        return err_set(err, ERR_INVALID, "the request names no workers, or more than %zu",
                       LENGTH_OF(scaling->events));
    for (; scaling->count < value_len(counts); scaling->count++) {
        struct str name;
        const struct value *count = map_at(counts, scaling->count, &name);
        struct sup_event *event = &scaling->events[scaling->count];
        if (value_type(count) != VALUE_INT || value_as_int(count) < 0 || value_as_int(count) > SCALE_MAX)
            return err_set(err, ERR_INVALID, "'%.*s': the number of instances must be 0 to %d", STR_ARG(name),
                           SCALE_MAX);
        *event = (struct sup_event){.kind = SUP_SCALE, .number = value_as_int(count)};
        if (!pick_group(run, name, &event->group, err) || !sup_allows(run->sup, event, err))
            return false;
    }
    return true;
}

void ask_scale(struct run *run, int64_t call, const struct value *request)
{
    struct err err;
    struct scaling scaling = {0};
    struct picked leaving = {0};
    if (!scaling_read(run, request, &scaling, &err)) {
        call_refuse(run, call, &err);
        return;
    }
    for (size_t i = 0; i < scaling.count; i++) {
        const struct sup_event *event = &scaling.events[i];
        for (uint32_t k = (uint32_t)event->number; k < sup_group_at(run->sup, event->group).count; k++) {
            mem_grow(leaving.tasks, leaving.capacity, leaving.count);
            leaving.tasks[leaving.count++] = sup_group_task(run->sup, event->group, k);
        }
    }
    call_when_gone(run, call, &leaving, mem_text("{}"));
    free(leaving.tasks);
    for (size_t i = 0; i < scaling.count; i++)
        run_event(run, scaling.events[i]);
}

/* ---- return ---- */

/* What a worker says of itself; its next attempt can say something else. */
void ask_return(struct run *run, int64_t call, const struct value *request)
{
    const struct value *number = map_get(request, STR("task")), *value = map_get(request, STR("value"));
    AUTO_BUF struct buf json = {0};
    struct sup_task info;
    struct err err;
    bool known = number && value && value_type(number) == VALUE_INT && value_as_int(number) >= 0 &&
                 sup_task_at(run->sup, (uint32_t)value_as_int(number), &info);
    if (value)
        value_print(&json, value);
    if (!known || !sup_task_lives(run->sup, info.ref.task))
        err_set(&err, ERR_CONFLICT, "the worker that this result is of does not run (any more)");
    else if (json.len > RETURN_MAX)
        err_set(&err, ERR_TOO_LARGE, "a result can have %d KiB; write it to the state or a file instead",
                RETURN_MAX / 1024);
    else
        err.code = ERR_NONE;
    if (err.code != ERR_NONE) {
        call_refuse(run, call, &err);
        return;
    }
    run_event(run, (struct sup_event){.kind = SUP_RETURNED, .ref = info.ref, .text = buf_str(&json)});
    call_answer(run, call, STR("{}"));
}

/* ---- down ---- */

static bool down_check(struct run *run, struct parked *parked, bool over)
{
    AUTO_BUF struct buf json = {0};
    if (!over)
        return false;
    buf_add_format(&json, "{\"exit\":%d,\"pid\":%d", run->status, (int)getpid());
    if (run->options->control >= 0)
        buf_add_format(&json, ",\"guardian\":%d", (int)getppid());
    buf_add_char(&json, '}');
    call_answer(run, parked->call, buf_str(&json));
    return true;
}

void ask_down(struct run *run, int64_t call, const struct value *request)
{
    (void)request;
    call_park(run, call, down_check, NULL);
    run_event(run, (struct sup_event){.kind = SUP_DOWN});
}
