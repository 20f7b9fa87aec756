/* Watches and sessions: from a request to a condition, and from an event to an answer. */
#include "server_priv.h"

#include <stdlib.h>

void watch_end(struct parked *parked)
{
    if (parked->wait)
        wait_cancel(parked->wait);
    if (parked->session)
        session_idle(parked->session, parked->space);
}

/* ---- Conditions ---- */

static bool operand_read(const struct job *job, struct condition *condition, const char *name,
                         struct err *err)
{
    const struct request *request = &job->request;
    enum condition_operand operand = condition_operand(condition->kind);
    bool keys = operand == OPERAND_KEYS, expr = operand == OPERAND_EXPR, value = operand == OPERAND_VALUE;
    if ((request_has(request, keys) && !keys) || request_has(request, expr) != expr ||
        (request_has(request, key) != (!keys && !expr) && condition->kind != WATCH_CHANGE) ||
        (!expr && (job->value != NULL) != value))
        return err_set(err, ERR_INVALID, "condition '%s' needs %s", name,
                       keys    ? "'keys'"
                       : expr  ? "'expr'"
                       : value ? "'key' and a value frame"
                               : "'key'");
    if (request_has(request, path) && request_str(request, path).len) {
        struct str path = request_str(request, path);
        condition->path = mem_copy(path.data, path.len);
        condition->path_len = path.len;
    }
    if (keys && request_has(request, key)) {
        condition->keys = value_list();
        list_push(condition->keys, value_string(request_str(request, key)));
        return true;
    }
    if (keys) {
        condition->keys =
            request_has(request, keys) ? value_ref(request->field[FIELD_keys].keys) : value_list();
        return value_len(condition->keys) <= WATCH_KEYS_MAX ||
               err_set(err, ERR_TOO_LARGE, "a watch names at most %d keys", WATCH_KEYS_MAX);
    }
    if (expr) {
        condition->value = value_ref(job->value);
        return job_args_valid(job, err) &&
               (condition->expr = expr_parse(request_str(request, expr), err)) != NULL;
    }
    struct str key = request_str(request, key);
    condition->key = mem_copy(key.data, key.len);
    condition->key_len = key.len;
    condition->value = value ? value_ref(job->value) : NULL;
    return condition->kind != WATCH_GLOB || glob_check(key, err);
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

bool event_send(struct parked *parked, const struct watch_event *event)
{
    struct server *server = parked->server;
    const struct peer *peer = parked->peer;
    struct space *space = parked->space;
    const struct value *value = NULL;
    reply_begin(server, parked->id, event->revision);
    if (event->key.data) {
        reply_str(server, "key", event->key);
        value = space_get(space, event->key, event->revision);
        if (value && parked->path.len)
            value = pointer_get(value, buf_str(&parked->path), NULL);
        if (!value)
            reply_bool(server, "deleted", true);
    }
    if (!event->record)
        reply_bool(server, "first", true);
    AUTO_VALUE struct value *first =
        parked->want == WANT_EVENT && !event->record ? first_event(space, event->revision) : NULL;
    if (parked->want == WANT_SNAPSHOT)
        reply_snapshot(server, space, event->revision, parked->paged);
    else if (parked->want == WANT_EVENT && event->record)
        reply_event(server, event->record);
    else if (first || value)
        reply_value(server, first ? first : value);
    bool fits = reply_text(server).len <= WIRE_FRAME_MAX;
    reply_send(server, (struct str){peer->identity, peer->identity_len}, peer->fd);
    return fits;
}

/* A watch has its event: it is answered, and stays as an unacknowledged one when it has a session. Without
 * an event: its session is closed. */
static void watch_answer(void *ctx, const struct watch_event *event)
{
    struct parked *parked = ctx;
    bool waits = parked->kind == PARKED_WATCH;
    parked->wait = NULL;
    if (!event && waits) {
        parked_fail(parked, ERR_LOST, "the session was closed");
    } else if (!event) {
        parked_free(parked);
    } else if (event->nothing) {
        parked_fail(parked, ERR_TIMEOUT, "no event is there");
    } else if (event->missed > 0) {
        parked_lose(parked, event->missed);
    } else {
        event_send(parked, event);
        deadline_remove(&parked->server->timers_parked, &parked->timer);
        parked->kind = PARKED_DELIVERED;
        if (!parked->session)
            parked_free(parked);
    }
}

static bool session_acknowledge(struct job *job, int64_t revision, struct err *err)
{
    struct parked *parked = session_holder(job->session, job->space);
    if (!session_ack(job->session, job->space, revision, err))
        return false;
    if (parked && !session_holder(job->session, job->space))
        parked_free(parked);
    return true;
}

static bool session_need(const struct job *job, struct err *err)
{
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
    if (!job_enter(job, err))
        return false;
    if (request_has(request, ack) && !job->session)
        return err_set(err, ERR_INVALID, "'ack' needs a session");
    if (start->live && start->has_after)
        return err_set(err, ERR_INVALID, "a watch starts either live or after a revision");
    if (start->has_after && (start->after < 0 || start->after > store_revision(job->server->store)))
        return err_set(err, ERR_INVALID, "'after' must be a revision that is there: 0 to %lld",
                       (long long)store_revision(job->server->store));
    if (request_has(request, ack) && !session_acknowledge(job, request_int(request, ack), err))
        return false;
    if (job->session && session_holder(job->session, job->space))
        return err_set(err, ERR_BUSY,
                       "another watch of session '%.*s' is waiting or has not acknowledged its event; give "
                       "this one its own with --session NAME",
                       STR_ARG(request_str(request, session)));
    return true;
}

bool watch_read(struct job *job, struct watch_request *watch, struct err *err)
{
    watch->paged = request_has(&job->request, page);
    if (!want_read(job, &watch->want, err) || !page_first_check(job, err))
        return false;
    if (watch->paged && watch->want != WANT_SNAPSHOT)
        return err_set(err, ERR_INVALID, "'page' is for watches that want a snapshot");
    return start_read(job, &watch->start, err) && condition_read(job, &watch->condition, err);
}

/* Whoever starts after the end of another process must not be told that this one is still there. */
bool session_settles(struct job *job, struct err *err)
{
    const struct parked *holder =
        job->session && job->space ? session_holder(job->session, job->space) : NULL;
    if (!holder || request_has(&job->request, ack))
        return false;
    const struct frames *frames = job->frames;
    const struct peer *peer = holder->peer;
    bool same = str_equal(frames->identity, (struct str){peer->identity, peer->identity_len});
    peers_look(job->server);
    if (!same && peer->fd == frames->fd)
        peers_suspect(job->server, peer->fd);
    if (same || !peer->gone_tries)
        return false;
    int64_t now = time_now_ms(), at = peer->timer.at;
    struct parked *parked = parked_new(job, PARKED_BEHIND, err);
    if (parked) {
        message_store(&parked->message, frames->header, frames->value);
        deadline_set(&job->server->timers_parked, &parked->timer, (at > now ? at : now) + 1);
    }
    return true;
}

bool handle_watch(struct job *job, struct err *err)
{
    struct watch_request watch;
    if (session_settles(job, err))
        return err->code == ERR_NONE;
    if (!watch_read(job, &watch, err))
        return false;
    struct parked *parked = parked_new(job, PARKED_WATCH, err);
    if (!parked) {
        condition_release(&watch.condition);
        return err->code == ERR_NONE;
    }
    struct watch_event event;
    int64_t missed;
    parked->want = watch.want;
    parked->paged = watch.paged;
    if (request_has(&job->request, path))
        buf_add_str(&parked->path, request_str(&job->request, path));
    parked->session = job->session;
    switch (watch_begin(job->space, &watch.condition, &watch.start, watch_answer, parked, &event, &missed,
                        &parked->wait)) {
    case WATCH_WAITS:
        if (request_has(&job->request, timeout_ms) && request_int(&job->request, timeout_ms) <= 0 &&
            wait_finish(parked->wait))
            parked_fail(parked, ERR_TIMEOUT, "no event is there");
        return true;
    case WATCH_LOST:
        parked_lose(parked, missed);
        return true;
    default:
        watch_answer(parked, &event);
        return true;
    }
}

/* ---- Sessions ---- */

bool handle_ack(struct job *job, struct err *err)
{
    return session_need(job, err) && job_enter(job, err) &&
           session_acknowledge(job, request_int(&job->request, ack), err) &&
           job_answer(job, store_revision(job->server->store), NULL);
}

bool handle_go_live(struct job *job, struct err *err)
{
    return session_need(job, err) && job_enter(job, err) &&
           job_answer(job, session_go_live(job->session, job->space), NULL);
}

bool handle_session_open(struct job *job, struct err *err)
{
    int64_t newest = store_revision(job->server->store);
    int64_t revision = request_has(&job->request, rev) ? request_int(&job->request, rev) : newest;
    if (revision < 0 || revision > newest)
        return err_set(err, ERR_INVALID, "'rev' must be a revision that is there: 0 to %lld",
                       (long long)newest);
    struct store *store = job->server->store;
    struct session *session = session_open(store, request_str(&job->request, session), revision, err);
    if (session && request_bool(&job->request, temporary))
        session_expires(store, session, time_now_ms());
    return session && job_answer(job, revision, NULL);
}

bool handle_session_close(struct job *job, struct err *err)
{
    if (!session_need(job, err))
        return false;
    session_close(job->server->store, job->session);
    return job_answer(job, store_revision(job->server->store), NULL);
}
