/* The connection to the state server. Every request is sent at once and answered by a function later, so that
 * a slow server never holds up the children. */
#include "run_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

static struct str ask_key(const struct ask *ask)
{
    return (struct str){(const char *)&ask->id, sizeof ask->id};
}

bool state_open(struct run *run, const char *address, struct err *err)
{
    run->state.client = client_open(address, STARTUP_MS, err);
    return run->state.client != NULL;
}

static void state_ready(void *ctx, short events)
{
    (void)events;
    run_work(ctx);
}

void state_attach(struct run *run)
{
    run->state.watcher = watcher_new(run->loop, client_fd(run->state.client),
                                     client_events(run->state.client), state_ready, run);
}

void state_close(struct run *run)
{
    struct state *state = &run->state;
    size_t at = 0;
    for (struct ask *ask; (ask = table_next(&state->asks, &at));) {
        if (ask->owner)
            *ask->owner = NULL;
        free(ask);
    }
    table_release(&state->asks);
    if (state->watcher)
        watcher_free(state->watcher);
    client_close(state->client);
    *state = (struct state){0};
}

struct ask *state_ask(struct run *run, struct request *request, struct str value, answer_fn *answer,
                      uint32_t task, int64_t tag)
{
    struct err err;
    if (!run->state.client)
        return NULL;
    int64_t id = client_send(run->state.client, request, value, &err);
    if (id == 0) {
        /* What cannot be sent (too large) is answered like what the server refuses. */
        struct reply reply = {.error = err};
        struct task *asked = run_task(run, task);
        if (answer && (asked || task == SUP_NO_TASK))
            answer(run, asked, tag, &reply);
        return NULL;
    }
    struct ask *ask = mem_new(sizeof *ask);
    *ask = (struct ask){.id = id, .answer = answer, .task = task, .tag = tag};
    table_put(&run->state.asks, ask_key(ask), ask);
    return ask;
}

void state_keep(struct ask **owner, struct ask *ask)
{
    *owner = ask;
    if (ask)
        ask->owner = owner;
}

void state_cancel(struct run *run, struct ask **ask)
{
    if (!*ask)
        return;
    struct request request = {.operation = OP_cancel};
    request_set_int(&request, FIELD_call, (*ask)->id);
    /* It is not answered any more; an answer that is on its way already finds nobody. */
    free(table_remove(&run->state.asks, ask_key(*ask)));
    *ask = NULL;
    state_ask(run, &request, (struct str){0}, NULL, SUP_NO_TASK, 0);
}

static void hand_out(struct run *run, struct reply *reply)
{
    struct ask *ask =
        table_remove(&run->state.asks, (struct str){(const char *)&reply->id, sizeof reply->id});
    if (!ask)
        return;
    struct task *task = run_task(run, ask->task);
    struct ask copy = *ask;
    if (ask->owner)
        *ask->owner = NULL;
    free(ask);
    if (copy.answer && (task || copy.task == SUP_NO_TASK))
        copy.answer(run, task, copy.tag, reply);
}

bool state_pump(struct run *run)
{
    struct err err;
    if (!run->state.client)
        return false;
    bool alive = client_step(run->state.client, &err), any = false;
    struct reply reply;
    while (run->state.client && client_next(run->state.client, &reply)) {
        hand_out(run, &reply);
        reply_release(&reply);
        any = true;
    }
    if (!run->state.client)
        return any;
    if (run->state.watcher)
        watcher_set(run->state.watcher, alive ? client_events(run->state.client) : 0);
    if (!alive && !any)
        server_missed(run, err.message);
    return any;
}

size_t state_pending(const struct run *run)
{
    return run->state.asks.count;
}

bool state_wait(struct run *run, int64_t until_ms, struct err *err)
{
    struct client *client = run->state.client;
    while (client) {
        bool any = false;
        struct reply reply;
        if (!client_step(client, err))
            return false;
        while (client_next(client, &reply)) {
            hand_out(run, &reply);
            reply_release(&reply);
            any = true;
        }
        if (any)
            return true;
        int64_t wait = until_ms - time_now_ms();
        struct pollfd item = {.fd = client_fd(client), .events = client_events(client)};
        if (wait <= 0 || poll(&item, 1, (int)wait) == 0)
            return err_set(err, ERR_TIMEOUT, "the state server does not answer");
    }
    return err_set(err, ERR_UNREACHABLE, "no connection to the state server");
}
