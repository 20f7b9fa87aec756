/* Sessions: a cursor for each instance, so that a shell loop that calls `zproc watch` misses nothing. */
#include "run_priv.h"

#include <stdlib.h>

static void opened(struct run *run, struct task *task, int64_t tag, struct reply *reply)
{
    (void)tag;
    if (!reply->ok && !task->obstacle)
        task->obstacle = mem_format("cannot open its session: %s", reply->error.message);
    task->needed--;
    start_ready(run, task);
}

void session_open(struct run *run, struct task *task, int64_t rev)
{
    bool triggers = task->worker->trigger.given && task->parent == SUP_NO_TASK;
    if ((!triggers && !task->worker->stateful) || task->worker->map.stays)
        return;
    /* What comes later may have the name of something that is closed only afterwards. */
    free(task->session);
    task->session = task->number < run->born ? mem_format("%s.%s", run->id, task->name)
                                             : mem_format("%s.%s.%u", run->id, task->name, task->number);
    struct request request = {.operation = OP_session_open};
    request_set_str(&request, FIELD_session, str_of(task->session));
    if (rev >= 0)
        request_set_int(&request, FIELD_rev, rev);
    free(task->obstacle);
    task->obstacle = NULL;
    task->needed++;
    state_ask(run, &request, (struct str){0}, opened, task->number, 0);
}

static void closed(struct run *run, struct task *task, int64_t tag, struct reply *reply)
{
    (void)task;
    (void)tag;
    (void)reply;
    run->closing--;
    if (run->closing > 0 || !run->held)
        return;
    run->held = false;
    starts_look(run, NULL);
}

bool session_holds(struct run *run, const struct task *task)
{
    bool holds = task->worker->stateful && run->closing > 0 && !run->state.open && !run->state.closed;
    run->held = run->held || holds;
    return holds;
}

void session_close(struct run *run, struct task *task)
{
    if (!task->session)
        return;
    struct request request = {.operation = OP_session_close};
    request_set_str(&request, FIELD_session, str_of(task->session));
    if (state_ask(run, &request, (struct str){0}, closed, SUP_NO_TASK, 0))
        run->closing++;
}
