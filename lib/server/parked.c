/* Requests that wait: kept with their connection, ended by an answer, their deadline, or the connection's
 * end. */
#include "server_priv.h"

#include <stdlib.h>

#define PARKED_MAX      100000 /* of all connections */
#define PARKED_PEER_MAX 1024   /* of one */
/* What they came with: values, expressions. */
#define PARKED_BYTES_MAX      (256 << 20)
#define PARKED_PEER_BYTES_MAX (64 << 20)

/* Expressions take several times as much as their text. */
static size_t job_bytes(const struct job *job)
{
    return 4 * job->frames->header.len + (job->value ? value_size(job->value) : 0);
}

struct parked *parked_new(struct job *job, enum parked_kind kind, struct err *err)
{
    struct server *server = job->server;
    if (server->parked_count >= PARKED_MAX) {
        err_set(err, ERR_BUSY, "%d requests are waiting already; try again later", PARKED_MAX);
        return NULL;
    }
    struct peer *peer = peer_get(server, job->frames);
    if (!peer) {
        err->code = ERR_NONE;
        return NULL;
    }
    if (peer->parked_count >= PARKED_PEER_MAX) {
        err_set(err, ERR_BUSY, "%d requests of this connection are waiting already", PARKED_PEER_MAX);
        return NULL;
    }
    size_t bytes = job_bytes(job);
    if (server->parked_bytes + bytes > PARKED_BYTES_MAX ||
        peer->parked_bytes + bytes > PARKED_PEER_BYTES_MAX) {
        peer_drop_if_unused(server, peer);
        err_set(err, ERR_BUSY, "what waiting requests came with takes too much memory; try again later");
        return NULL;
    }
    struct parked *parked = mem_new(sizeof *parked);
    parked->kind = kind;
    parked->bytes = bytes;
    peer->parked_bytes += bytes;
    server->parked_bytes += bytes;
    parked->server = server;
    parked->peer = peer;
    parked->id = request_int(&job->request, id);
    parked->space = job->space;
    parked->next = peer->parked;
    if (parked->next)
        parked->next->previous = parked;
    peer->parked = parked;
    peer->parked_count++;
    server->parked_count++;
    int64_t now = time_now_ms();
    if (request_has(&job->request, timeout_ms) && request_int(&job->request, timeout_ms) < INT64_MAX - now)
        deadline_set(&server->timers_parked, &parked->timer, now + request_int(&job->request, timeout_ms));
    return parked;
}

void parked_free(struct parked *parked)
{
    struct server *server = parked->server;
    struct peer *peer = parked->peer;
    if (parked->kind == PARKED_WATCH || parked->kind == PARKED_STREAM || parked->kind == PARKED_DELIVERED)
        watch_end(parked);
    else if (parked->kind == PARKED_LOCK || parked->kind == PARKED_WRITE)
        lock_unpark(parked);
    else if (parked->kind == PARKED_TXN)
        demand_end(parked);
    else if (parked->kind == PARKED_BEHIND)
        buf_release(&parked->message);
    else
        service_unpark(parked);
    deadline_remove(&server->timers_parked, &parked->timer);
    *(parked->previous ? &parked->previous->next : &peer->parked) = parked->next;
    if (parked->next)
        parked->next->previous = parked->previous;
    peer->parked_count--;
    server->parked_count--;
    peer->parked_bytes -= parked->bytes;
    server->parked_bytes -= parked->bytes;
    if (parked->client)
        answer_unexpect(server->store, str_of(parked->client));
    free(parked->client);
    value_unref(parked->value);
    buf_release(&parked->path);
    free(parked);
    peer_drop_if_unused(server, peer);
}

void parked_expect(struct parked *parked, const struct job *job)
{
    struct str client = request_str(&job->request, client);
    parked->client = mem_copy(client.data, client.len);
    answer_expect(parked->server->store, client, request_int(&job->request, seq));
}

void parked_lose(struct parked *parked, int64_t missed)
{
    struct server *server = parked->server;
    struct peer *peer = parked->peer;
    struct err err;
    err_set(&err, ERR_LOST, "%lld revisions have fallen off the log before they were seen",
            (long long)missed);
    reply_fail(server, parked->id, err.code, err.message);
    reply_int(server, "missed", missed);
    reply_send(server, (struct str){peer->identity, peer->identity_len}, peer->fd);
    parked_free(parked);
}

void parked_fail(struct parked *parked, enum err_code code, const char *message)
{
    struct err err;
    err_set(&err, code, "%s", message);
    struct peer *peer = parked->peer;
    reply_error(parked->server, (struct str){peer->identity, peer->identity_len}, peer->fd, parked->id, &err);
    parked_free(parked);
}

void parked_resume(struct parked *parked)
{
    const struct peer *peer = parked->peer;
    struct frames frames = {.identity = {peer->identity, peer->identity_len}, .fd = peer->fd};
    size_t pos = 0;
    message_load(&parked->message, &pos, &frames.header, &frames.value);
    request_resume(parked->server, &frames);
    parked_free(parked);
}

void parked_expire(struct parked *parked)
{
    static const char *const reasons[] = {[PARKED_WATCH] = "no event in time",
                                          [PARKED_STREAM] = "no more events in time",
                                          [PARKED_SERVE] = "no call in time",
                                          [PARKED_CALL] = "no answer in time",
                                          [PARKED_LOCK] = "the namespace was not free in time",
                                          [PARKED_WRITE] = "the namespace was locked all the time",
                                          [PARKED_TXN] = "the conditions did not hold in time"};
    deadline_remove(&parked->server->timers_parked, &parked->timer);
    if (parked->kind == PARKED_BEHIND)
        parked_resume(parked);
    else if (!parked->wait || wait_finish(parked->wait))
        parked_fail(parked, ERR_TIMEOUT, reasons[parked->kind]);
}

void parked_timer(struct server *server, int64_t now)
{
    for (struct deadline *item; (item = deadline_first(&server->timers_parked)) && item->at <= now;)
        parked_expire((struct parked *)item); /* the timer is its first member */
}

bool handle_cancel(struct job *job, struct err *err)
{
    struct peer *peer = peer_find(job->server, job->frames->identity);
    for (struct parked *parked = peer ? peer->parked : NULL; parked; parked = parked->next) {
        if (parked->id != request_int(&job->request, call) || parked->kind == PARKED_DELIVERED)
            continue;
        parked_free(parked);
        return job_answer(job, store_revision(job->server->store), NULL);
    }
    return err_set(err, ERR_NOT_FOUND, "no request %lld of this connection is waiting",
                   (long long)request_int(&job->request, call));
}
