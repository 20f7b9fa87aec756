/* Watches and sessions: from a request to a condition, and from an event to an answer. */
#include "server_priv.h"

#include <stdlib.h>

/* ---- Which session is busy, and through whom: a table from "session NUL namespace" to the parked request.
 * ---- */

static char *busy_key(const struct job *job, size_t *len)
{
    struct str session = request_str(&job->request, session), ns = space_name(job->space);
    *len = session.len + 1 + ns.len;
    char *key = mem_new(*len + 1);
    memcpy(key, session.data, session.len);
    memcpy(key + session.len + 1, ns.data, ns.len);
    return key;
}

static void busy_set(struct parked *parked, const struct job *job)
{
    parked->busy = busy_key(job, &parked->busy_len);
    table_put(&parked->server->busy, (struct str){parked->busy, parked->busy_len}, parked);
}

static struct parked *busy_find(const struct job *job)
{
    size_t len;
    AUTO_FREE char *key = busy_key(job, &len);
    return table_get(&job->server->busy, (struct str){key, len});
}

static void busy_clear(struct parked *parked)
{
    if (!parked->busy)
        return;
    table_remove(&parked->server->busy, (struct str){parked->busy, parked->busy_len});
    free(parked->busy);
    parked->busy = NULL;
}

void watch_end(struct parked *parked)
{
    if (parked->wait)
        wait_cancel(parked->wait);
    parked->wait = NULL;
    if (parked->busy) {
        struct session *session = session_find(parked->server->store, str_of(parked->busy));
        if (session)
            session_idle(session, parked->space);
    }
    busy_clear(parked);
}

/* ---- Conditions ---- */

static bool key_valid(struct str key, struct err *err)
{
    if (key.len == 0)
        return err_set(err, ERR_INVALID, "a key cannot be empty");
    return key.len <= STORE_KEY_MAX || err_set(err, ERR_TOO_LARGE, "a key is longer than 64 KiB");
}

static bool keys_valid(const struct value *keys, struct err *err)
{
    const struct value *key;
    for (size_t i = 0; (key = list_at(keys, i)); i++)
        if (!key_valid(value_as_str(key), err))
            return false;
    return true;
}

static bool operand_read(const struct job *job, struct condition *condition, const char *name,
                         struct err *err)
{
    const struct request *request = &job->request;
    enum condition_operand operand = condition_operand(condition->kind);
    bool keys = operand == OPERAND_KEYS, expr = operand == OPERAND_EXPR, value = operand == OPERAND_VALUE;
    if ((request_has(request, keys) && !keys) || request_has(request, expr) != expr ||
        request_has(request, key) != (!keys && !expr) || (job->value != NULL) != value)
        return err_set(err, ERR_INVALID, "condition '%s' needs %s", name,
                       keys    ? "'keys'"
                       : expr  ? "'expr'"
                       : value ? "'key' and a value frame"
                               : "'key'");
    if (keys) {
        condition->keys =
            request_has(request, keys) ? value_ref(request->field[FIELD_keys].keys) : value_list();
        return keys_valid(condition->keys, err);
    }
    if (expr)
        return (condition->expr = expr_parse(request_str(request, expr), err)) != NULL;
    struct str key = request_str(request, key);
    condition->key = mem_copy(key.data, key.len);
    condition->key_len = key.len;
    condition->value = value ? value_ref(job->value) : NULL;
    return key_valid(key, err);
}

static bool condition_read(const struct job *job, struct condition *condition, struct err *err)
{
    const struct request *request = &job->request;
    struct str name = request_has(request, condition) ? request_str(request, condition) : STR("change");
    *condition = (struct condition){.kind = condition_kind_from_name(name)};
    if (condition->kind == CONDITION_KIND_COUNT)
        return err_set(err, ERR_INVALID, "'%.*s' is not a condition", STR_ARG(name));
    AUTO_FREE char *text = mem_copy(name.data, name.len);
    condition->duplicates = request_bool(request, duplicates);
    condition->edge = request_bool(request, edge);
    if (operand_read(job, condition, text, err))
        return true;
    condition_release(condition);
    return false;
}

static bool want_read(const struct job *job, enum want *want, struct err *err)
{
    static const char *const names[] = {
        [WANT_VALUE] = "value", [WANT_EVENT] = "event", [WANT_SNAPSHOT] = "snapshot"};
    *want = WANT_EVENT;
    if (!request_has(&job->request, want))
        return true;
    for (*want = 0; *want < LENGTH_OF(names); ++*want)
        if (str_is(request_str(&job->request, want), names[*want]))
            return true;
    return err_set(err, ERR_INVALID, "'want' must be value, event or snapshot");
}

/* ---- Answers ---- */

static struct value *first_event(const struct space *space, int64_t revision)
{
    struct value *event = value_map();
    map_set(event, STR("rev"), value_int(revision));
    map_set(event, STR("ns"), value_string(space_name(space)));
    map_set(event, STR("first"), value_bool(true));
    map_set(event, STR("changes"), value_list());
    return event;
}

static void event_send(struct server *server, struct str identity, int fd, int64_t id, struct space *space,
                       enum want want, const struct watch_event *event)
{
    reply_begin(server, id, event->revision);
    const struct value *value = NULL;
    if (event->key.data) {
        reply_str(server, "key", event->key);
        value = space_get(space, event->key, event->revision);
        if (!value)
            reply_bool(server, "deleted", true);
    }
    if (!event->record)
        reply_bool(server, "first", true);
    AUTO_VALUE struct value *made = NULL;
    if (want == WANT_EVENT)
        value = made = event->record ? record_event(event->record) : first_event(space, event->revision);
    else if (want == WANT_SNAPSHOT)
        value = made = space_map(space, event->revision);
    if (value)
        reply_value(server, value);
    reply_send(server, identity, fd);
}

/* A parked watch has its event: it is answered, and stays as an unacknowledged one when it has a session. */
static void watch_found(void *ctx, const struct watch_event *event)
{
    struct parked *parked = ctx;
    parked->wait = NULL;
    if (!event) {
        parked_fail(parked, ERR_LOST, "the session was closed");
        return;
    }
    struct peer *peer = parked->peer;
    event_send(parked->server, (struct str){peer->identity, peer->identity_len}, peer->fd, parked->id,
               parked->space, parked->want, event);
    if (parked->busy) {
        parked->kind = PARKED_DELIVERED;
        deadline_remove(&parked->server->timers_parked, &parked->timer);
    } else {
        parked_free(parked);
    }
}

static void delivered_park(struct job *job)
{
    struct err err = {0};
    struct parked *parked = parked_new(job, PARKED_DELIVERED, &err);
    if (!parked) { /* nobody is there to acknowledge it: it will be delivered again */
        session_idle(job->session, job->space);
        return;
    }
    deadline_remove(&job->server->timers_parked, &parked->timer);
    busy_set(parked, job);
}

static void session_acknowledge(struct job *job, int64_t revision)
{
    session_ack(job->session, job->space, revision);
    struct parked *parked = busy_find(job);
    if (parked && parked->kind == PARKED_DELIVERED && !session_busy(job->session, job->space)) {
        busy_clear(parked);
        parked_free(parked);
    }
}

static bool session_need(const struct job *job, struct err *err)
{
    if (!request_has(&job->request, session))
        return err_set(err, ERR_INVALID, "'%s' needs a session", op_info(job->request.operation)->name);
    if (!job->session)
        return err_set(err, ERR_LOST, "there is no session '%.*s' (any more)",
                       STR_ARG(request_str(&job->request, session)));
    return true;
}

/* What a watch request says besides its condition; acknowledges what it acknowledges. */
static bool start_read(struct job *job, struct watch_start *start, struct err *err)
{
    const struct request *request = &job->request;
    *start = (struct watch_start){.session = job->session,
                                  .live = request_bool(request, live),
                                  .next = request_bool(request, next),
                                  .has_after = request_has(request, after),
                                  .after = request_has(request, after) ? request_int(request, after) : 0};
    if (request_has(request, session) && !session_need(job, err))
        return false;
    if (request_has(request, ack) && !job->session)
        return err_set(err, ERR_INVALID, "'ack' needs a session");
    if (start->live && start->has_after)
        return err_set(err, ERR_INVALID, "a watch starts either live or after a revision");
    if (start->has_after && (start->after < 0 || start->after > store_revision(job->server->store)))
        return err_set(err, ERR_INVALID, "'after' must be a revision that is there: 0 to %lld",
                       (long long)store_revision(job->server->store));
    if (request_has(request, ack))
        session_acknowledge(job, request_int(request, ack));
    if (job->session && session_busy(job->session, job->space))
        return err_set(err, ERR_BUSY,
                       "another watch of session '%.*s' is waiting or has not acknowledged its event; give "
                       "this one its own with --session NAME",
                       STR_ARG(request_str(request, session)));
    return true;
}

bool handle_watch(struct job *job, struct err *err)
{
    struct condition condition;
    struct watch_start start;
    enum want want;
    if (!want_read(job, &want, err) || !start_read(job, &start, err) || !condition_read(job, &condition, err))
        return false;
    struct parked *parked = parked_new(job, PARKED_WATCH, err);
    if (!parked) {
        condition_release(&condition);
        return err->code == ERR_NONE;
    }
    struct server *server = job->server;
    struct watch_event event;
    int64_t missed;
    parked->want = want;
    switch (
        watch_begin(job->space, &condition, &start, watch_found, parked, &event, &missed, &parked->wait)) {
    case WATCH_WAITS:
        if (job->session)
            busy_set(parked, job);
        if (request_has(&job->request, timeout_ms) && request_int(&job->request, timeout_ms) <= 0)
            parked_fail(parked, ERR_TIMEOUT, "no event is there");
        return true;
    case WATCH_LOST:
        parked_free(parked);
        return err_set(err, ERR_LOST, "%lld revisions have fallen off the log before they were seen",
                       (long long)missed);
    default:
        event_send(server, job->frames->identity, job->frames->fd, parked->id, job->space, want, &event);
        parked_free(parked);
        if (job->session)
            delivered_park(job);
        return true;
    }
}

/* ---- Sessions ---- */

bool handle_ack(struct job *job, struct err *err)
{
    if (!session_need(job, err))
        return false;
    session_acknowledge(job, request_int(&job->request, ack));
    return job_answer(job, store_revision(job->server->store), NULL);
}

bool handle_go_live(struct job *job, struct err *err)
{
    return session_need(job, err) && job_answer(job, session_go_live(job->session, job->space), NULL);
}

bool handle_session_open(struct job *job, struct err *err)
{
    int64_t newest = store_revision(job->server->store);
    if (!request_has(&job->request, session))
        return err_set(err, ERR_INVALID, "'session_open' needs a session");
    int64_t revision = request_has(&job->request, rev) ? request_int(&job->request, rev) : newest;
    if (revision < 0 || revision > newest)
        return err_set(err, ERR_INVALID, "'rev' must be a revision that is there: 0 to %lld",
                       (long long)newest);
    return session_open(job->server->store, request_str(&job->request, session), revision, err) &&
           job_answer(job, revision, NULL);
}

bool handle_session_close(struct job *job, struct err *err)
{
    if (!session_need(job, err))
        return false;
    struct server *server = job->server;
    struct str name = request_str(&job->request, session);
    size_t pos = 0;
    for (struct parked *parked; (parked = table_next(&server->busy, &pos));) {
        struct str busy = str_of(parked->busy);
        if (parked->kind == PARKED_DELIVERED && str_equal(busy, name)) {
            busy_clear(parked);
            parked_free(parked);
        }
    }
    session_close(server->store, job->session);
    return job_answer(job, store_revision(server->store), NULL);
}
