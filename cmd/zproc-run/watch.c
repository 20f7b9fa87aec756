/* Conditions of the state that a start or a readiness waits for. */
#include "run_priv.h"

#include <stdlib.h>

#define NOTE_MS  1000 /* after which a missing key is pointed out */
#define AGAIN_MS 500  /* after which a condition that the server refused is asked for again */

struct ask *watch_when(struct run *run, const struct task *task, const struct expr *when, answer_fn *answer)
{
    struct request request = {.operation = OP_watch};
    request_set_str(&request, FIELD_ns, str_of(task->worker->namespace));
    request_set_str(&request, FIELD_condition, STR("when"));
    request_set_str(&request, FIELD_expr, expr_text(when));
    request_set_str(&request, FIELD_want, STR("value"));
    return state_ask(run, &request, (struct str){0}, answer, task->number, 0);
}

static void condition_answered(struct run *run, struct task *task, int64_t tag, struct reply *reply)
{
    (void)tag;
    task->awaited_ms = 0;
    if (reply->ok) {
        run_event(run, (struct sup_event){.kind = SUP_CONDITION, .ref = {.task = task->number}});
        return;
    }
    run_say(run, 1, "%s: the server refused to wait for its 'when', asking again: %s", task->name,
            reply->error.message);
    task->again_ms = time_now_ms() + AGAIN_MS;
    timer_set(run->note, task->again_ms);
}

void watch_await(struct run *run, struct task *task)
{
    watch_await_end(run, task);
    task->awaited_ms = time_now_ms();
    state_keep(&task->awaited, watch_when(run, task, task->worker->when, condition_answered));
    if (run->terminal)
        timer_set(run->note, task->awaited_ms + NOTE_MS);
}

void watch_await_end(struct run *run, struct task *task)
{
    task->awaited_ms = task->again_ms = 0;
    state_cancel(run, &task->awaited);
}

static void key_looked_up(struct run *run, struct task *task, int64_t tag, struct reply *reply)
{
    if (!reply->ok || !task->awaited || !str_is(reply->value, "false"))
        return;
    struct str key = expr_key(task->worker->when, (size_t)tag);
    run_say(run, 0, "%s is waiting: no key '%.*s' yet", task->name, STR_ARG(key));
}

static void look_up_keys(struct run *run, struct task *task)
{
    for (size_t i = 0; i < expr_key_count(task->worker->when); i++) {
        struct request request = {.operation = OP_has};
        request_set_str(&request, FIELD_ns, str_of(task->worker->namespace));
        request_set_str(&request, FIELD_key, expr_key(task->worker->when, i));
        state_ask(run, &request, (struct str){0}, key_looked_up, task->number, (int64_t)i);
    }
}

/* What is due for a task: returns when it is to be looked at again, -1: not at all. */
static int64_t note_task(struct run *run, struct task *task, int64_t now)
{
    if (task->again_ms > 0 && task->again_ms <= now)
        watch_await(run, task);
    if (task->again_ms > 0)
        return task->again_ms;
    if (!run->terminal || !task->awaited || task->awaited_ms == 0)
        return -1;
    if (task->awaited_ms + NOTE_MS > now)
        return task->awaited_ms + NOTE_MS;
    task->awaited_ms = 0;
    look_up_keys(run, task);
    return -1;
}

void watch_note(void *ctx)
{
    struct run *run = ctx;
    int64_t now = time_now_ms(), next = -1;
    size_t at = 0;
    for (struct task *task; (task = table_next(&run->tasks, &at));) {
        int64_t due = note_task(run, task, now);
        if (due >= 0 && (next < 0 || due < next))
            next = due;
    }
    timer_set(run->note, next);
    run_work(run);
}
