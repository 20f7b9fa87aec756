/* The connection to the state server. Every request is sent at once and answered by a function later, so that
 * a slow server never holds up the children. */
#include "run_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#define QUICK_MAX 12 /* requests that are answered at once: how many are on their way */

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

/* ---- Requests that wait for their turn ---- */

struct queued {
    struct ask *ask;
    struct request request; /* its strings are copies */
    char *value;            /* NULL: none */
    size_t value_len;
    struct queued *next;
};

static void queued_free(struct queued *queued)
{
    for (int field = 0; field < FIELD_COUNT; field++) {
        if (!((queued->request.set >> field) & 1))
            continue;
        if (field_info((enum field)field)->kind == FIELD_STR)
            free((char *)queued->request.field[field].s.data);
        if (field_info((enum field)field)->kind == FIELD_KEYS)
            value_unref((struct value *)queued->request.field[field].keys);
    }
    free(queued->value);
    free(queued);
}

static void queue_add(struct state *state, struct ask *ask, const struct request *request, struct str value)
{
    struct queued *queued = mem_new(sizeof *queued);
    *queued = (struct queued){.ask = ask, .request = *request, .value_len = value.len};
    if (value.data)
        queued->value = mem_copy(value.data, value.len);
    for (int field = 0; field < FIELD_COUNT; field++) {
        struct str text = request->field[field].s;
        if (!((request->set >> field) & 1))
            continue;
        if (field_info((enum field)field)->kind == FIELD_STR)
            queued->request.field[field].s.data = mem_copy(text.data, text.len);
        if (field_info((enum field)field)->kind == FIELD_KEYS)
            queued->request.field[field].keys = value_ref(request->field[field].keys);
    }
    *(state->last ? &state->last->next : &state->first) = queued;
    state->last = queued;
    state->queued++;
}

static void queue_remove(struct state *state, const struct ask *ask)
{
    struct queued *before = NULL, *queued = state->first;
    while (queued && queued->ask != ask) {
        before = queued;
        queued = queued->next;
    }
    if (!queued)
        return;
    *(before ? &before->next : &state->first) = queued->next;
    if (state->last == queued)
        state->last = before;
    state->queued--;
    queued_free(queued);
}

/* ---- Asking ---- */

static void answer_ask(struct run *run, struct ask *ask, struct reply *reply)
{
    struct task *task = run_task(run, ask->task);
    struct ask copy = *ask;
    if (ask->owner)
        *ask->owner = NULL;
    if (ask->sent)
        queued_free(ask->sent);
    free(ask);
    if (copy.answer && (task || copy.task == SUP_NO_TASK))
        copy.answer(run, task, copy.tag, reply);
}

/* What cannot be sent (it is too large) is answered like what the server refuses. */
static bool send_ask(struct run *run, struct ask *ask, struct request *request, struct str value)
{
    struct reply reply = {0};
    ask->id = client_send(run->state.client, request, value, &reply.error);
    if (ask->id == 0) {
        answer_ask(run, ask, &reply);
        return false;
    }
    table_put(&run->state.asks, ask_key(ask), ask);
    run->state.quick += ask->quick;
    return true;
}

/* The socket of the server holds few answers for a client: no more is asked at a time. What waits there
 * without an answer does not count. */
static bool has_room(const struct state *state)
{
    return state->quick < QUICK_MAX;
}

static void send_queued(struct run *run)
{
    struct state *state = &run->state;
    while (state->client && !run->server.missed && state->first && has_room(state)) {
        struct queued *queued = state->first;
        state->first = queued->next;
        if (!state->first)
            state->last = NULL;
        state->queued--;
        struct request request = queued->request; /* the client adds fields of its own */
        queued->next = NULL;
        struct ask *ask = queued->ask;
        if (request_has(&request, token) && run->records.token)
            request_set_str(&request, FIELD_token, str_of(run->records.token));
        if (send_ask(run, ask, &request, (struct str){queued->value, queued->value_len}))
            ask->sent = queued;
        else
            queued_free(queued);
    }
}

struct ask *state_ask(struct run *run, struct request *request, struct str value, answer_fn *answer,
                      uint32_t task, int64_t tag)
{
    struct state *state = &run->state;
    if (!state->client && !run->server.missed)
        return NULL;
    struct ask *ask = mem_new(sizeof *ask);
    *ask = (struct ask){.answer = answer,
                        .task = task,
                        .tag = tag,
                        .quick = op_info(request->operation)->kind != OP_KIND_WAIT};
    /* One queue for all, so that requests keep their order; the next turn of the loop sends. */
    queue_add(state, ask, request, value);
    return ask;
}

void state_close(struct run *run)
{
    struct state *state = &run->state;
    size_t at = 0;
    for (struct ask *ask; (ask = table_next(&state->asks, &at));) {
        if (ask->owner)
            *ask->owner = NULL;
        if (ask->sent)
            queued_free(ask->sent);
        free(ask);
    }
    table_release(&state->asks);
    for (struct queued *queued = state->first, *next; queued; queued = next) {
        next = queued->next;
        if (queued->ask->owner)
            *queued->ask->owner = NULL;
        free(queued->ask);
        queued_free(queued);
    }
    if (state->watcher)
        watcher_free(state->watcher);
    client_close(state->client);
    *state = (struct state){0};
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
    struct ask *ended = *ask;
    struct request request = {.operation = OP_cancel};
    request_set_int(&request, FIELD_call, ended->id);
    *ask = NULL;
    /* It is not answered any more; an answer that is on its way already finds nobody. */
    if (ended->id == 0)
        queue_remove(&run->state, ended);
    else
        table_remove(&run->state.asks, ask_key(ended));
    bool sent = ended->id != 0;
    if (ended->sent)
        queued_free(ended->sent);
    free(ended);
    if (sent)
        state_ask(run, &request, (struct str){0}, NULL, SUP_NO_TASK, 0);
}

static void hand_out(struct run *run, struct reply *reply)
{
    struct ask *ask =
        table_remove(&run->state.asks, (struct str){(const char *)&reply->id, sizeof reply->id});
    if (!ask)
        return;
    run->state.quick -= ask->quick;
    /* It is there because the first server made it before it died. */
    if (ask->again && ask->sent->request.operation == OP_session_open && reply->error.code == ERR_CONFLICT)
        reply->ok = true;
    answer_ask(run, ask, reply);
}

/* ---- A server that was started again ---- */

static int sent_order(const void *a, const void *b)
{
    int64_t left = (*(struct ask *const *)a)->id, right = (*(struct ask *const *)b)->id;
    return (left > right) - (left < right);
}

/* What was not answered goes to the front of the queue, in the order in which it was sent. */
static void requeue(struct state *state)
{
    struct ask **asks = mem_array(state->asks.count + 1, sizeof(*asks));
    size_t count = 0, at = 0;
    for (struct ask *ask; (ask = table_next(&state->asks, &at));)
        asks[count++] = ask;
    table_release(&state->asks);
    qsort(asks, count, sizeof(*asks), sent_order);
    for (size_t i = count; i > 0; i--) {
        struct ask *ask = asks[i - 1];
        struct queued *queued = ask->sent;
        queued->next = state->first;
        state->first = queued;
        if (!state->last)
            state->last = queued;
        state->queued++;
        ask->sent = NULL;
        ask->id = 0;
        ask->again = true;
    }
    state->quick = 0;
    free(asks);
}

bool state_reopen(struct run *run, struct err *err)
{
    struct state *state = &run->state;
    if (state->watcher)
        watcher_free(state->watcher);
    state->watcher = NULL;
    client_close(state->client);
    state->client = NULL;
    requeue(state);
    /* It said that it serves. If it has died since, only the socket's backlog takes the connection. */
    state->client = client_open_within(run->address, REOPEN_MS, 0, err);
    if (!state->client || !records_claim_again(run, err))
        return false;
    state_attach(run);
    return true;
}

bool state_pump(struct run *run)
{
    struct err err;
    if (!run->state.client)
        return false;
    send_queued(run);
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
    return run->state.asks.count + run->state.queued;
}

bool state_wait(struct run *run, int64_t until_ms, struct err *err)
{
    struct client *client = run->state.client;
    while (client) {
        bool any = false;
        struct reply reply;
        send_queued(run);
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
