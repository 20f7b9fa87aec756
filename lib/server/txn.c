/* Assignments that the server carries out: atomic, and txn with its conditions. */
#include "server_priv.h"

#include <stdlib.h>

static bool atomic_apply(struct job *job, struct txn *txn, struct value **answer, struct err *err)
{
    struct assignments *all = assignments_parse(request_str(&job->request, assign), err);
    if (all)
        *answer = write_assign(txn, all, job->value, err);
    assignments_free(all);
    return *answer != NULL;
}

bool handle_atomic(struct job *job, struct err *err)
{
    return job_args_valid(job, err) && job_write(job, atomic_apply, err);
}

/* ---- txn: conditions, assignments, and waiting ---- */

#define CONDITIONS_MAX 64
/* Effort that a turn of the loop spends on trying waiting transactions: a try is one, and so are so many
 * steps of its conditions. It grows while there is more to do than that, so that whoever came late is reached
 * too. */
#define TURN_EFFORT     4000
#define TURN_EFFORT_MAX 32000
#define EFFORT_STEPS    16

/* What a transaction asks for. One that waits is tried again when a key changes that its conditions read. */
struct demand {
    struct deadline turn; /* in server->demands, `at` is its order of arrival */
    struct parked *parked;
    struct wait *wait;
    struct space *space;
    struct expr *conditions[CONDITIONS_MAX];
    size_t count;
    struct assignments *then, *otherwise; /* NULL: none */
    struct value *args;
    int64_t arrival;
    char *session;  /* its name, as the writer; NULL: none */
    bool ephemeral; /* what it assigns goes with the session */
    char *numbered; /* client and number; NULL: it has none */
    int64_t seq;
};

static void demand_free(struct demand *demand)
{
    for (size_t i = 0; i < demand->count; i++)
        expr_free(demand->conditions[i]);
    assignments_free(demand->then);
    assignments_free(demand->otherwise);
    value_unref(demand->args);
    free(demand->session);
    free(demand->numbered);
    free(demand);
}

static bool conditions_parse(struct demand *demand, const struct value *texts, struct err *err)
{
    if (value_len(texts) > CONDITIONS_MAX)
        return err_set(err, ERR_TOO_LARGE, "a transaction has at most %d conditions", CONDITIONS_MAX);
    for (size_t i = 0; i < value_len(texts); i++) {
        struct expr *expr = expr_parse(value_as_str(list_at(texts, i)), err);
        if (!expr)
            return err_wrap(err, "condition %zu", i + 1);
        demand->conditions[demand->count++] = expr;
        if (expr_uses_changed(expr))
            return err_set(err, ERR_INVALID, "condition %zu: 'changed' is known to watches only", i + 1);
    }
    return true;
}

static bool demand_parse(struct demand *demand, const struct job *job, struct err *err)
{
    const struct request *request = &job->request;
    struct str session = request_str(request, session);
    demand->space = job->space;
    demand->args = value_ref(job->value);
    demand->session = request_has(request, session) ? mem_copy(session.data, session.len) : NULL;
    demand->ephemeral = request_bool(request, ephemeral);
    if (request_has(request, if) && !conditions_parse(demand, request->field[FIELD_if].keys, err))
        return false;
    if (request_has(request, then) && !(demand->then = assignments_parse(request_str(request, then), err)))
        return err_wrap(err, "then");
    if (request_has(request, else) &&
        !(demand->otherwise = assignments_parse(request_str(request, else), err)))
        return err_wrap(err, "else");
    return true;
}

/* Adds the steps that it takes; past what a request may take it does not hold, like any error. */
static bool demand_holds(const struct demand *demand, size_t *steps)
{
    struct space_view view = {demand->space, NOW, -1};
    struct expr_scope scope = space_scope(&view, NULL);
    scope.args = demand->args;
    scope.steps = steps;
    for (size_t i = 0; i < demand->count; i++)
        if (!expr_holds(demand->conditions[i], &scope) || *steps > STEPS_REQUEST_MAX)
            return false;
    return true;
}

static struct session *demand_session(const struct server *server, const struct demand *demand)
{
    return demand->session ? session_find(server->store, str_of(demand->session)) : NULL;
}

static bool demand_own(const struct server *server, const struct demand *demand, struct txn *txn,
                       struct err *err)
{
    struct session *session = demand_session(server, demand);
    if (!session)
        return err_set(err, ERR_LOST, "there is no session '%s' any more", demand->session);
    txn_own(txn, session);
    return true;
}

/* Carries out the assignments, which may be none. 0 with err on failure; *answer: a reference or NULL. */
static int64_t demand_apply(const struct server *server, const struct demand *demand,
                            const struct assignments *what, struct value **answer, struct err *err)
{
    struct txn *txn = txn_begin(demand->space);
    *answer = NULL;
    if (what && !(*answer = write_assign(txn, what, demand->args, err))) {
        txn_abort(txn);
        return 0;
    }
    if (demand->ephemeral && !demand_own(server, demand, txn, err)) {
        txn_abort(txn);
        return 0;
    }
    const struct record *record = txn_commit(txn, time_wall_ms(), str_of(demand->session), err);
    return record ? record_revision(record) : 0;
}

static void session_note(struct server *server, const struct demand *demand, int64_t revision)
{
    struct session *session = demand_session(server, demand);
    if (session && session_has_room(session, demand->space, NULL))
        session_wrote(session, demand->space, revision);
}

/* ---- Waiting ---- */

void demand_end(struct parked *parked)
{
    struct demand *demand = parked->demand;
    struct server *server = parked->server;
    wait_cancel(demand->wait);
    deadline_remove(&server->demands, &demand->turn);
    if (demand->numbered)
        table_remove(&server->numbered_demands, str_of(demand->numbered));
    demand_free(demand);
}

/* Its turn will come; the wait rests until then. */
static void demand_touched(void *ctx, const struct watch_event *event)
{
    (void)event;
    struct demand *demand = ctx;
    deadline_set(&demand->parked->server->demands, &demand->turn, demand->arrival);
}

/* The keys that the conditions read; empty when that can be any. */
static struct value *demand_keys(const struct demand *demand)
{
    struct value *keys = value_map(); /* as a set */
    bool any = false;
    for (size_t i = 0; i < demand->count; i++) {
        const struct expr *expr = demand->conditions[i];
        any |= expr_uses_state(expr);
        for (size_t k = 0; k < expr_key_count(expr); k++)
            map_set(keys, expr_key(expr, k), value_null());
    }
    struct value *list = value_list();
    struct str key;
    for (size_t i = 0; !any && map_at(keys, i, &key); i++)
        list_push(list, value_string(key));
    value_unref(keys);
    return list;
}

/* A copy of a numbered request that waits already: the first one, whose connection is gone, makes room. */
static void demand_number(struct demand *demand, const struct job *job)
{
    struct server *server = job->server;
    struct str client = request_str(&job->request, client);
    demand->seq = request_int(&job->request, seq);
    demand->numbered = mem_format("%.*s %lld", (int)client.len, client.data, (long long)demand->seq);
    const struct demand *before = table_get(&server->numbered_demands, str_of(demand->numbered));
    if (before) {
        demand->arrival = before->arrival;
        parked_free(before->parked);
    }
    table_put(&server->numbered_demands, str_of(demand->numbered), demand);
    parked_expect(demand->parked, job);
}

/* Takes demand; queues: it has not been tried yet. */
static bool demand_park(struct demand *demand, bool queues, struct job *job, struct err *err)
{
    bool now = request_has(&job->request, timeout_ms) && request_int(&job->request, timeout_ms) == 0;
    struct parked *parked = now ? NULL : parked_new(job, PARKED_TXN, err);
    if (!parked) {
        demand_free(demand);
        if (now)
            return err_set(err, ERR_TIMEOUT, "the conditions do not hold");
        return err->code == ERR_NONE;
    }
    parked->demand = demand;
    demand->parked = parked;
    demand->arrival = ++job->server->demand_serial;
    if (job->numbered)
        demand_number(demand, job);
    demand->wait = wait_standing(demand->space, demand_keys(demand), demand_touched, demand);
    if (queues)
        wait_touch(demand->wait);
    return true;
}

/* Others came before and have not had their turn yet: it must not take from them what they wait for. */
static bool demand_queues(const struct job *job)
{
    return deadline_first(&job->server->demands) && request_bool(&job->request, wait) &&
           !(request_has(&job->request, timeout_ms) && request_int(&job->request, timeout_ms) == 0);
}

static void held_send(struct server *server, const struct parked *parked, int64_t revision,
                      const struct value *answer)
{
    const struct peer *peer = parked->peer;
    reply_begin(server, parked->id, revision);
    reply_bool(server, "held", true);
    if (answer)
        reply_value(server, answer);
    reply_send(server, (struct str){peer->identity, peer->identity_len}, peer->fd);
}

static void demand_try(struct server *server, struct demand *demand)
{
    struct parked *parked = demand->parked;
    const struct peer *peer = parked->peer;
    AUTO_VALUE struct value *answer = NULL;
    struct err err = {0};
    size_t steps = 0;
    deadline_remove(&server->demands, &demand->turn);
    bool holds = demand_holds(demand, &steps);
    size_t effort = 1 + steps / EFFORT_STEPS;
    server->demand_left -= effort < server->demand_left ? effort : server->demand_left;
    if (!holds) {
        wait_again(demand->wait);
        return;
    }
    int64_t revision = demand_apply(server, demand, demand->then, &answer, &err);
    if (revision) {
        session_note(server, demand, revision);
        held_send(server, parked, revision, answer);
    } else {
        reply_error(server, (struct str){peer->identity, peer->identity_len}, peer->fd, parked->id, &err);
    }
    if (demand->numbered)
        answer_keep_sent(server, (struct str){demand->numbered, strcspn(demand->numbered, " ")}, demand->seq);
    parked_free(parked);
}

void demands_turn(struct server *server)
{
    if (!deadline_first(&server->demands))
        server->demand_turn = TURN_EFFORT;
    else if (server->demand_turn < TURN_EFFORT_MAX)
        server->demand_turn *= 2;
    server->demand_left = server->demand_turn;
}

void demands_try(struct server *server)
{
    for (struct deadline *first;
         (first = deadline_first(&server->demands)) && server->demand_left > 0 && !server_full(server);)
        demand_try(server, (struct demand *)first); /* its turn is its first member */
}

bool handle_txn(struct job *job, struct err *err)
{
    if (!job_args_valid(job, err) || !ephemeral_check(job, err) || !claim_check(job, err) ||
        !job_may_write(job, err))
        return false;
    struct demand *demand = mem_new(sizeof *demand);
    AUTO_VALUE struct value *answer = NULL;
    int64_t revision = 0;
    size_t steps = 0;
    bool parsed = demand_parse(demand, job, err), queues = parsed && demand_queues(job);
    bool held = parsed && !queues && demand_holds(demand, &steps);
    if (parsed && !held && request_bool(&job->request, wait))
        return demand_park(demand, queues, job, err);
    if (parsed && !held && !demand->otherwise)
        err_set(err, ERR_CONFLICT, "the conditions do not hold");
    else if (parsed)
        revision = demand_apply(job->server, demand, held ? demand->then : demand->otherwise, &answer, err);
    if (revision)
        session_note(job->server, demand, revision);
    demand_free(demand);
    if (!revision)
        return false;
    job_begin(job, revision);
    reply_bool(job->server, "held", held);
    if (answer)
        reply_value(job->server, answer);
    return job_send(job);
}
