/* Connections that something is kept for: stalled ones, ended ones, and what is undone when they end. */
#include "server_priv.h"

#include <stdlib.h>

#define STALL_FIRST_MS 1
#define STALL_LAST_MS  1000
#define STALL_LIMIT_MS 30000
#define HELD_COUNT_MAX 1024
#define HELD_BYTES_MAX (16 * 1024 * 1024)
#define GONE_TRIES     7
#define BACKLOG_MAX    (256 << 20) /* of what is kept for all stalled peers */

struct peer *peer_find(struct server *server, struct str identity)
{
    return table_get(&server->peers, identity);
}

static struct str peer_identity(const struct peer *peer)
{
    return (struct str){peer->identity, peer->identity_len};
}

/* The peers of a descriptor: the list's head, made when it is not there. */
static struct peer **fd_peers(struct server *server, int fd)
{
    size_t count = server->fd_count;
    if ((size_t)fd >= count) {
        server->fd_count = (size_t)fd < 128 ? 256 : 2 * (size_t)fd;
        server->fds = mem_resize(server->fds, server->fd_count, sizeof *server->fds);
        memset(server->fds + count, 0, (server->fd_count - count) * sizeof *server->fds);
    }
    return &server->fds[fd];
}

void peers_suspect(struct server *server, int fd)
{
    for (struct peer *peer = *fd_peers(server, fd); peer; peer = peer->fd_next) {
        if (peer->gone_tries)
            continue;
        peer->gone_tries = GONE_TRIES;
        deadline_set(&server->timers_peer, &peer->timer, time_now_ms());
    }
}

static struct peer *peer_new(struct server *server, struct str identity, int fd)
{
    struct peer *peer = mem_new(sizeof *peer + identity.len + 1);
    peer->fd = fd;
    peer->identity_len = identity.len;
    memcpy(peer->identity, identity.data, identity.len);
    peers_suspect(server, fd); /* a descriptor has one connection */
    struct peer **list = fd_peers(server, fd);
    peer->fd_next = *list;
    if (*list)
        (*list)->fd_previous = peer;
    *list = peer;
    table_put(&server->peers, peer_identity(peer), peer);
    return peer;
}

struct peer *peer_get(struct server *server, const struct frames *frames)
{
    struct peer *peer = peer_find(server, frames->identity);
    if (peer)
        return peer;
    /* Its end may be known already, and will not be told again; or its beginning is not yet. */
    if (!transport_alive(server->transport, frames->fd))
        peers_look(server);
    if (!transport_alive(server->transport, frames->fd))
        return NULL;
    return peer_new(server, frames->identity, frames->fd);
}

/* An answer to a stalled peer: where its value lies, and the rest. */
static void unsent_add(struct peer *peer, struct str header, struct str value, struct blob *blob)
{
    blob_ref(blob);
    buf_add(&peer->unsent, &blob, sizeof blob);
    message_store(&peer->unsent, header, blob ? (struct str){0} : value);
    peer->unsent_bytes += header.len + value.len;
}

/* The answer at pos, which moves behind it; the buffer keeps its reference to the blob. */
static void unsent_load(const struct peer *peer, size_t *pos, struct parcel *message)
{
    memcpy(&message->blob, peer->unsent.data + *pos, sizeof message->blob);
    *pos += sizeof message->blob;
    message_load(&peer->unsent, pos, &message->header, &message->value);
    if (message->blob)
        message->value = blob_str(message->blob);
}

static void unsent_release(struct peer *peer)
{
    struct parcel message;
    for (size_t pos = 0; pos < peer->unsent.len;) {
        unsent_load(peer, &pos, &message);
        blob_unref(message.blob);
    }
    buf_release(&peer->unsent);
}

static void peer_free(struct server *server, struct peer *peer)
{
    deadline_remove(&server->timers_peer, &peer->timer);
    table_remove(&server->peers, peer_identity(peer));
    *(peer->fd_previous ? &peer->fd_previous->fd_next : fd_peers(server, peer->fd)) = peer->fd_next;
    if (peer->fd_next)
        peer->fd_next->fd_previous = peer->fd_previous;
    if (peer->stalled_since)
        server->stalled_count--;
    unsent_release(peer);
    buf_release(&peer->held);
    server->backlog_bytes -= peer->backlog;
    free(peer);
}

void peer_drop_if_unused(struct server *server, struct peer *peer)
{
    if (!peer->parked && !peer->holds && !peer->stalled_since && !peer->gone_tries)
        peer_free(server, peer);
}

static void services_gone(struct server *server, struct peer *peer)
{
    size_t pos = 0;
    for (struct service *service; (service = table_next(&server->services, &pos));)
        if (service->peer == peer)
            service_end(server, service);
}

void peer_gone(struct server *server, struct peer *peer)
{
    bool holds = peer->holds > 0;
    peer->holds++; /* it must not be freed under our hands */
    while (peer->parked)
        parked_free(peer->parked);
    if (holds) {
        claims_end(server, peer);
        services_gone(server, peer);
        locks_end(server, peer);
    }
    peer_free(server, peer);
}

/* ---- Messages that wait in a buffer: length-prefixed identity-less header and value ---- */

struct stored {
    size_t header, value; /* lengths; value SIZE_MAX: there is none */
};

void message_store(struct buf *buf, struct str header, struct str value)
{
    struct stored stored = {header.len, value.data ? value.len : SIZE_MAX};
    buf_add(buf, &stored, sizeof stored);
    buf_add_str(buf, header);
    if (value.data)
        buf_add_str(buf, value);
}

/* Reads the message at pos and moves pos behind it. */
void message_load(const struct buf *buf, size_t *pos, struct str *header, struct str *value)
{
    struct stored stored;
    memcpy(&stored, buf->data + *pos, sizeof stored);
    *pos += sizeof stored;
    *header = (struct str){buf->data + *pos, stored.header};
    *pos += stored.header;
    *value = (struct str){0};
    if (stored.value != SIZE_MAX) {
        *value = (struct str){buf->data + *pos, stored.value};
        *pos += stored.value;
    }
}

/* ---- Stalled peers ---- */

/* False when all stalled peers together take too much memory. */
static bool backlog_update(struct server *server, struct peer *peer)
{
    server->backlog_bytes -= peer->backlog;
    peer->backlog = peer->unsent.len + peer->held.len;
    server->backlog_bytes += peer->backlog;
    return server->backlog_bytes <= BACKLOG_MAX;
}

static void peer_disconnect(struct server *server, struct peer *peer)
{
    refusal_note(REFUSAL_UNREAD);
    transport_disconnect(peer->fd);
    peer_gone(server, peer);
}

static void peer_stall(struct server *server, const struct parcel *message)
{
    struct peer *peer = peer_find(server, message->identity);
    if (!peer)
        peer = peer_new(server, message->identity, message->fd);
    if (!peer->stalled_since) {
        peer->stalled_since = time_now_ms();
        peer->retry_ms = STALL_FIRST_MS;
        server->stalled_count++;
        streams_pause(peer, true);
        deadline_set(&server->timers_peer, &peer->timer, peer->stalled_since + peer->retry_ms);
    }
    unsent_add(peer, message->header, message->value, message->blob);
    if (!backlog_update(server, peer) || peer->unsent_bytes > HELD_BYTES_MAX + WIRE_FRAME_MAX)
        peer_disconnect(server, peer);
}

bool peer_hold(struct server *server, const struct frames *frames)
{
    struct peer *peer = server->stalled_count ? peer_find(server, frames->identity) : NULL;
    if (!peer || !peer->stalled_since)
        return false;
    if (peer->held_count >= HELD_COUNT_MAX || peer->held.len > HELD_BYTES_MAX) {
        peer_disconnect(server, peer);
        return true;
    }
    message_store(&peer->held, frames->header, frames->value);
    peer->held_count++;
    if (!backlog_update(server, peer))
        peer_disconnect(server, peer);
    return true;
}

/* It reads again: what it asked meanwhile is done now, as far as the batch's answers may grow. */
static void held_execute(struct server *server, struct peer *peer)
{
    struct frames frames = {.identity = peer_identity(peer), .fd = peer->fd};
    size_t pos = 0;
    while (peer->held_count && !server_full(server)) {
        message_load(&peer->held, &pos, &frames.header, &frames.value);
        peer->held_count--;
        request_execute(server, &frames);
    }
    buf_consume(&peer->held, pos);
    backlog_update(server, peer);
}

/* Sends what the peer takes of its answers; false when it was forgotten. */
static bool unsent_send(struct server *server, struct peer *peer, int64_t now)
{
    size_t pos = 0;
    enum send_result result = SEND_DONE;
    while (pos < peer->unsent.len && result == SEND_DONE) {
        size_t next = pos;
        struct parcel message = {.identity = peer_identity(peer), .fd = peer->fd};
        unsent_load(peer, &next, &message);
        result = transport_send(server->transport, &message);
        if (result != SEND_DONE)
            break;
        peer->unsent_bytes -= message.header.len + message.value.len;
        blob_unref(message.blob);
        pos = next;
    }
    buf_consume(&peer->unsent, pos);
    backlog_update(server, peer);
    if (result == SEND_GONE) {
        peer_gone(server, peer);
        return false;
    }
    if (pos > 0) { /* it reads: the answers are just more than the socket takes at once */
        peer->stalled_since = now;
        peer->retry_ms = 0;
    }
    return true;
}

static void peer_retry(struct server *server, struct peer *peer, int64_t now)
{
    if (!unsent_send(server, peer, now))
        return;
    if (peer->unsent.len == 0)
        held_execute(server, peer);
    if (peer->unsent.len == 0 && peer->held_count == 0) {
        peer->stalled_since = 0;
        server->stalled_count--;
        streams_pause(peer, false);
        peer_drop_if_unused(server, peer);
    } else if (peer->unsent.len == 0) {
        deadline_set(&server->timers_peer, &peer->timer, now + 1); /* in the next batch */
    } else if (now - peer->stalled_since >= STALL_LIMIT_MS) {
        peer_disconnect(server, peer);
    } else {
        int64_t next_ms = peer->retry_ms ? peer->retry_ms * 2 : STALL_FIRST_MS;
        peer->retry_ms = next_ms > STALL_LAST_MS ? STALL_LAST_MS : next_ms;
        deadline_set(&server->timers_peer, &peer->timer, now + peer->retry_ms);
    }
}

/* ---- Ended connections ---- */

/* libzmq tells that a descriptor's connection has ended a moment before the socket knows it, and the
 * descriptor may have been given to another connection since: only an unroutable identity is proof. */
static void peer_probe(struct server *server, struct peer *peer, int64_t now)
{
    struct parcel nothing = {.identity = peer_identity(peer), .fd = peer->fd};
    if (transport_send(server->transport, &nothing) == SEND_GONE) {
        peer_gone(server, peer);
        return;
    }
    if (--peer->gone_tries > 0)
        deadline_set(&server->timers_peer, &peer->timer,
                     now + (1 << 2 * (GONE_TRIES - 1 - peer->gone_tries)));
    else if (peer->stalled_since)
        deadline_set(&server->timers_peer, &peer->timer, now + peer->retry_ms);
    else
        peer_drop_if_unused(server, peer);
}

void peers_look(struct server *server)
{
    int fd;
    while (transport_gone(server->transport, &fd)) {
        if (fd < 0)
            continue;
        peers_suspect(server, fd);
    }
}

void peers_timer(struct server *server, int64_t now)
{
    for (struct deadline *item; (item = deadline_first(&server->timers_peer)) && item->at <= now;) {
        struct peer *peer = (struct peer *)item; /* the timer is its first member */
        deadline_remove(&server->timers_peer, item);
        if (peer->gone_tries)
            peer_probe(server, peer, now);
        else
            peer_retry(server, peer, now);
    }
}

/* ---- Answers of a batch ---- */

struct outgoing {
    int64_t id; /* of the request */
    int fd;
    bool unsaved;      /* it may speak of a change that is not saved yet */
    struct blob *blob; /* where its value lies; NULL: behind it */
};

static void answer_load(const struct buf *out, size_t *pos, struct outgoing *answer, struct parcel *message)
{
    struct str none;
    memcpy(answer, out->data + *pos, sizeof *answer);
    *pos += sizeof *answer;
    *message = (struct parcel){.fd = answer->fd, .blob = answer->blob};
    message_load(out, pos, &message->identity, &none);
    message_load(out, pos, &message->header, &message->value);
    if (message->blob)
        message->value = blob_str(message->blob);
}

static void answer_send(struct server *server, const struct buf *out, size_t *pos)
{
    struct outgoing answer;
    struct parcel message;
    answer_load(out, pos, &answer, &message);
    const struct peer *peer = server->stalled_count ? peer_find(server, message.identity) : NULL;
    if ((peer && peer->stalled_since) || transport_send(server->transport, &message) == SEND_STALLED)
        peer_stall(server, &message);
    blob_unref(message.blob);
}

void answers_flush(struct server *server)
{
    struct buf out = server->out;
    server->out = (struct buf){0};
    for (size_t pos = 0; pos < out.len;)
        answer_send(server, &out, &pos);
    buf_clear(&out);
    if (server->out.len == 0 && out.capacity <= BATCH_BYTES)
        server->out = out;
    else
        buf_release(&out);
}

static void answer_store(struct buf *out, const struct outgoing *answer, struct str identity,
                         struct str header, struct str value)
{
    buf_add(out, answer, sizeof *answer);
    message_store(out, identity, (struct str){0});
    message_store(out, header, answer->blob ? (struct str){0} : value);
}

void answers_fail(struct server *server, const struct err *why)
{
    AUTO_BUF struct buf reason = {0};
    string_print(&reason, str_of(why->message));
    struct buf out = server->out;
    server->out = (struct buf){0};
    for (size_t pos = 0; pos < out.len;) {
        struct outgoing answer;
        struct parcel message;
        AUTO_BUF struct buf failure = {0};
        answer_load(&out, &pos, &answer, &message);
        if (answer.unsaved) {
            buf_add_format(
                &failure,
                "{\"id\":%lld,\"ok\":false,\"error\":\"internal\",\"outcome\":\"unknown\",\"message\":",
                (long long)answer.id);
            buf_add_str(&failure, buf_str(&reason));
            buf_add_char(&failure, '}');
            message.header = buf_str(&failure);
            message.value = (struct str){0};
            blob_unref(answer.blob);
            answer.blob = NULL;
            answer.unsaved = false;
        }
        answer_store(&server->out, &answer, message.identity, message.header, message.value);
    }
    buf_release(&out);
}

void answer_queue(struct server *server, struct str identity, int fd, struct str header, struct str value,
                  struct blob *blob)
{
    struct outgoing answer = {0};
    answer.id = server->reply_id;
    answer.fd = fd;
    answer.unsaved = server->journal && journal_pending(server->journal);
    answer.blob = blob_ref(blob);
    if (!blob && value.len >= SHARE_MIN) {
        struct buf copy = {0};
        buf_add_str(&copy, value);
        answer.blob = blob_take(server, &copy);
    }
    if (answer.blob)
        server->blob_out += value.len;
    answer_store(&server->out, &answer, identity, header, value);
}
