/* Streams: a watch whose events are answered one by one, as long as its client grants credit for them. What
 * is not granted yet is not kept anywhere: the stream's place in the log is all that there is of it. */
#include "server_priv.h"

#define TURN_US 1000 /* that searching the log may take before others have their turn */

static void stream_lost(struct parked *parked, const struct watch_event *event)
{
    struct peer *peer = parked->peer;
    reply_begin(parked->server, parked->id, event->revision);
    reply_int(parked->server, "lost", event->missed);
    reply_send(parked->server, (struct str){peer->identity, peer->identity_len}, peer->fd);
}

/* An event too large for an answer has been answered with an error, which is the stream's end. */
static void stream_event(struct parked *parked, const struct watch_event *event)
{
    if (event_send(parked, event))
        return;
    parked->ended = true;
    if (parked->wait)
        parked_free(parked);
}

static void stream_found(void *ctx, const struct watch_event *event)
{
    struct parked *parked = ctx;
    if (!event) {
        parked->wait = NULL;
        parked_fail(parked, ERR_LOST, "the session was closed");
    } else if (event->nothing) {
        parked_fail(parked, ERR_TIMEOUT, "no more events in time");
    } else if (event->missed > 0) {
        stream_lost(parked, event);
    } else {
        stream_event(parked, event);
    }
}

bool handle_stream(struct job *job, struct err *err)
{
    struct watch_request watch;
    int64_t credit = request_int(&job->request, credit);
    if (session_settles(job, err))
        return err->code == ERR_NONE;
    if (!watch_read(job, &watch, err))
        return false;
    if (!request_has(&job->request, edge))
        watch.condition.edge = true;
    struct parked *parked = parked_new(job, PARKED_STREAM, err);
    if (!parked) {
        condition_release(&watch.condition);
        return err->code == ERR_NONE;
    }
    parked->want = watch.want;
    parked->paged = watch.paged;
    if (request_has(&job->request, path))
        buf_add_str(&parked->path, request_str(&job->request, path));
    parked->session = job->session;
    parked->wait = stream_begin(job->space, &watch.condition, &watch.start, credit, stream_found, parked);
    if (parked->peer->stalled_since)
        stream_pause(parked->wait, true);
    if (parked->ended)
        parked_free(parked);
    else if (request_has(&job->request, timeout_ms) && request_int(&job->request, timeout_ms) == 0)
        parked_expire(parked);
    return true;
}

static struct parked *stream_find(const struct job *job)
{
    struct peer *peer = peer_find(job->server, job->frames->identity);
    for (struct parked *parked = peer ? peer->parked : NULL; parked; parked = parked->next)
        if (parked->kind == PARKED_STREAM && parked->id == request_int(&job->request, call))
            return parked;
    return NULL;
}

bool handle_credit(struct job *job, struct err *err)
{
    struct parked *parked = stream_find(job);
    if (!parked)
        return err_set(err, ERR_NOT_FOUND, "no stream %lld of this connection is there",
                       (long long)request_int(&job->request, call));
    if (request_has(&job->request, ack) && !parked->session)
        return err_set(err, ERR_INVALID, "'ack' needs a stream with a session");
    if (request_has(&job->request, ack) &&
        !session_ack(parked->session, parked->space, request_int(&job->request, ack), err))
        return false;
    if (request_has(&job->request, credit))
        stream_credit(parked->wait, request_int(&job->request, credit));
    return job_answer(job, store_revision(job->server->store), NULL);
}

void streams_pause(struct peer *peer, bool pause)
{
    for (struct parked *parked = peer->parked; parked; parked = parked->next)
        if (parked->kind == PARKED_STREAM)
            stream_pause(parked->wait, pause);
}

/* ---- Fairness ---- */

static bool answers_fit(void *ctx)
{
    return !server_full(ctx);
}

void server_share(struct server *server)
{
    store_set_room(server->store, answers_fit, server);
}

struct turn {
    struct server *server;
    int64_t end_us;
};

static bool turn_lasts(void *ctx)
{
    const struct turn *turn = ctx;
    return answers_fit(turn->server) && time_now_us() < turn->end_us;
}

void server_search(struct server *server)
{
    if (!store_scans(server->store))
        return;
    struct turn turn = {server, time_now_us() + TURN_US};
    store_scan(server->store, turn_lasts, &turn);
}
