/* The connections to the state server. Every request is sent at once and answered by a function later, so
 * that a slow server, or one that is started again, never holds up the children. */
#include "run_priv.h"

#include <stdlib.h>

#define QUICK_MAX 12 /* requests that are answered at once: how many are on their way */
#define LINK_TASKS                                                                                           \
    300 /* that share a connection for what they watch: the server lets one have 1,024 waits                 \
         */

static struct str ask_key(const struct ask *ask)
{
    return (struct str){(const char *)&ask->key, sizeof ask->key};
}

/* ---- Connections: the first one has the claims, and does all but the watches of many tasks ---- */

static void link_ready(void *ctx, short events)
{
    (void)events;
    run_work(ctx);
}

static bool link_open(struct run *run, size_t number, struct err *err)
{
    struct link *link = &run->state.links[number];
    link->client = client_begin(run->address, key_of(run), err);
    if (!link->client)
        return false;
    link->watcher =
        watcher_new(run->loop, client_fd(link->client), client_events(link->client), link_ready, run);
    return true;
}

static void links_close(struct state *state)
{
    for (size_t i = 0; i < state->link_count; i++) {
        struct link *link = &state->links[i];
        if (link->watcher)
            watcher_free(link->watcher);
        client_close(link->client);
        link->watcher = NULL;
        link->client = NULL;
    }
    state->open = false;
    state->lives++;
}

static size_t link_add(struct state *state)
{
    mem_grow(state->links, state->link_capacity, state->link_count);
    state->links[state->link_count] = (struct link){0};
    return state->link_count++;
}

/* What a task watches goes over one connection, so that an end of it and the next one keep their order. */
static size_t link_of(struct state *state, struct task *task)
{
    if (task->link > 0)
        return task->link - 1;
    size_t i = 0;
    while (i < state->link_count && state->links[i].tasks >= LINK_TASKS)
        i++;
    if (i == state->link_count)
        link_add(state);
    state->links[i].tasks++;
    task->link = i + 1;
    return i;
}

void state_leave(struct run *run, struct task *task)
{
    if (task->link > 0 && task->link <= run->state.link_count)
        run->state.links[task->link - 1].tasks--;
    task->link = 0;
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

static void queue_link(struct state *state, struct queued *queued)
{
    queued->next = NULL;
    *(state->last ? &state->last->next : &state->first) = queued;
    state->last = queued;
    state->queued++;
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
    queue_link(state, queued);
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
    struct client *client = run->state.links[ask->key.link].client;
    ask->key.id = client_send(client, request, value, &reply.error);
    if (ask->key.id == 0) {
        answer_ask(run, ask, &reply);
        return false;
    }
    ask->serial = ++run->state.serial;
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

/* The connection that the first request in the queue goes over. */
static bool link_prepare(struct run *run)
{
    struct state *state = &run->state;
    size_t number = (size_t)state->first->ask->key.link;
    struct err err = {0};
    if (state->links[number].client || link_open(run, number, &err))
        return true;
    server_missed(run, &err);
    return false;
}

void state_send(struct run *run)
{
    struct state *state = &run->state;
    while (state->open && state->first && has_room(state) && link_prepare(run)) {
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

static struct ask *ask_new(const struct request *request, size_t link, answer_fn *answer, uint32_t task,
                           int64_t tag)
{
    struct ask *ask = mem_new(sizeof *ask);
    *ask = (struct ask){.answer = answer,
                        .key.link = (int64_t)link,
                        .task = task,
                        .tag = tag,
                        .quick = op_info(request->operation)->kind != OP_KIND_WAIT};
    return ask;
}

/* One queue for all, so that requests keep their order; the next turn of the loop sends. */
static struct ask *ask_over(struct run *run, size_t link, struct request *request, struct str value,
                            answer_fn *answer, uint32_t task, int64_t tag)
{
    if (run->state.closed)
        return NULL;
    if (run->state.link_count == 0)
        link_add(&run->state);
    struct ask *ask = ask_new(request, link, answer, task, tag);
    queue_add(&run->state, ask, request, value);
    return ask;
}

struct ask *state_ask(struct run *run, struct request *request, struct str value, answer_fn *answer,
                      uint32_t number, int64_t tag)
{
    struct task *task = request->operation == OP_watch ? run_task(run, number) : NULL;
    size_t link = task && !run->state.closed ? link_of(&run->state, task) : 0;
    return ask_over(run, link, request, value, answer, number, tag);
}

/* ---- Fences ---- */

struct fence {
    int64_t number;
    size_t left; /* connections that have not answered */
    struct fence *next;
};

static void fence_answered(struct run *run, struct task *task, int64_t tag, struct reply *reply)
{
    (void)task;
    (void)reply;
    for (struct fence **at = &run->state.fences; *at; at = &(*at)->next) {
        struct fence *fence = *at;
        if (fence->number != tag)
            continue;
        if (--fence->left > 0)
            return;
        *at = fence->next;
        free(fence);
        run_event(run, (struct sup_event){.kind = SUP_FENCE, .number = tag});
        return;
    }
}

/* Answers of one connection keep their order: every event of an earlier change comes before this one. */
void state_fence(struct run *run, int64_t number)
{
    struct state *state = &run->state;
    if (state->closed)
        return;
    struct fence *fence = mem_new(sizeof *fence);
    *fence = (struct fence){.number = number, .next = state->fences};
    state->fences = fence;
    for (size_t i = 0; i == 0 || i < state->link_count; i++) {
        struct request request = {.operation = OP_len};
        if (i > 0 && state->links[i].tasks == 0)
            continue;
        fence->left++;
        ask_over(run, i, &request, (struct str){0}, fence_answered, SUP_NO_TASK, number);
    }
}

/* ---- Ending ---- */

static void ask_free(struct ask *ask)
{
    if (ask->owner)
        *ask->owner = NULL;
    if (ask->sent)
        queued_free(ask->sent);
    free(ask);
}

void state_close(struct run *run)
{
    struct state *state = &run->state;
    size_t at = 0;
    for (struct ask *ask; (ask = table_next(&state->asks, &at));)
        ask_free(ask);
    table_release(&state->asks);
    for (struct queued *queued = state->first, *next; queued; queued = next) {
        next = queued->next;
        ask_free(queued->ask);
        queued_free(queued);
    }
    for (struct fence *fence = state->fences, *next; fence; fence = next) {
        next = fence->next;
        free(fence);
    }
    links_close(state);
    free(state->links);
    *state = (struct state){.closed = true, .lives = state->lives};
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
    bool sent = ended->key.id != 0;
    size_t link = (size_t)ended->key.link;
    request_set_int(&request, FIELD_call, ended->key.id);
    *ask = NULL;
    /* It is not answered any more; an answer that is on its way already finds nobody. */
    if (!sent)
        queue_remove(&run->state, ended);
    else
        table_remove(&run->state.asks, ask_key(ended));
    if (ended->sent)
        queued_free(ended->sent);
    free(ended);
    if (sent)
        ask_over(run, link, &request, (struct str){0}, NULL, SUP_NO_TASK, 0);
}

static void hand_out(struct run *run, size_t link, struct reply *reply)
{
    struct ask_key key = {(int64_t)link, reply->id};
    struct ask *ask = table_remove(&run->state.asks, (struct str){(const char *)&key, sizeof key});
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
    int64_t left = (*(struct ask *const *)a)->serial, right = (*(struct ask *const *)b)->serial;
    return (left > right) - (left < right);
}

/* About requests and calls of the connection that is gone: their numbers mean something else on the next. */
static bool is_bound(const struct queued *queued)
{
    return queued->request.operation == OP_cancel || queued->request.operation == OP_answer;
}

/* What was not answered goes to the front of the queue, in the order in which it was sent. */
static void requeue(struct state *state)
{
    struct ask **asks = mem_array(state->asks.count + 1, sizeof(*asks));
    struct queued *rest = state->first, *next;
    size_t count = 0, at = 0;
    for (struct ask *ask; (ask = table_next(&state->asks, &at));)
        asks[count++] = ask;
    table_release(&state->asks);
    qsort(asks, count, sizeof(*asks), sent_order);
    state->first = state->last = NULL;
    state->queued = state->quick = 0;
    for (size_t i = 0; i < count; i++) {
        struct ask *ask = asks[i];
        struct queued *queued = ask->sent;
        ask->key.id = 0;
        ask->again = true;
        if (!queued || is_bound(queued)) {
            ask_free(ask);
            continue;
        }
        ask->sent = NULL;
        queue_link(state, queued);
    }
    free(asks);
    for (; rest; rest = next) {
        next = rest->next;
        if (!is_bound(rest)) {
            queue_link(state, rest);
            continue;
        }
        ask_free(rest->ask);
        queued_free(rest);
    }
}

void state_detach(struct run *run)
{
    links_close(&run->state);
    requeue(&run->state);
}

/* The claim has its new token, or the server has greeted: what was queued may follow. */
static void taken_up(struct run *run, struct task *task, int64_t tag, struct reply *reply)
{
    (void)task;
    (void)tag;
    if (!reply->ok || !records_claimed_again(run, reply)) {
        server_missed(run, &reply->error);
        return;
    }
    run->state.open = true;
    server_taken_up(run);
}

bool state_connect(struct run *run, bool again, struct err *err)
{
    struct state *state = &run->state;
    if (state->link_count == 0)
        link_add(state);
    if (!link_open(run, 0, err))
        return false;
    state->open = !again;
    if (!again)
        return true;
    struct request request;
    records_claim_again(run, &request);
    send_ask(run, ask_new(&request, 0, taken_up, SUP_NO_TASK, 0), &request, (struct str){0});
    return true;
}

/* ---- The loop's side ---- */

static bool link_pump(struct run *run, size_t number)
{
    struct state *state = &run->state;
    struct client *client = state->links[number].client;
    int64_t life = state->lives;
    struct err err = {0};
    struct reply reply;
    bool any = false;
    if (!client)
        return false;
    bool alive = client_step(client, &err);
    while (state->lives == life && client_next(client, &reply)) {
        hand_out(run, number, &reply);
        reply_release(&reply);
        any = true;
    }
    if (state->lives != life)
        return any;
    watcher_set(state->links[number].watcher, alive ? client_events(client) : 0);
    if (!alive && !any)
        server_missed(run, &err);
    return any;
}

bool state_pump(struct run *run)
{
    bool any = false;
    state_send(run);
    for (size_t i = 0; i < run->state.link_count; i++)
        any = link_pump(run, i) || any;
    return any;
}

bool state_quiet(const struct run *run)
{
    return run->state.closed || (run->state.quick == 0 && run->state.queued == 0);
}

size_t state_pending(const struct run *run)
{
    return run->state.quick + run->state.queued;
}
