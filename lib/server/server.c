/* The server's loop: take what has arrived, apply it, answer. And how an answer is made. */
#include "server_priv.h"

#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define OWED_BYTES_MAX                                                                                       \
    (256 << 20) /* of large values that peers have not taken: past it some of them must go */
#define EVICT_PAUSE_MS 5

void random_hex(char out[33])
{
    unsigned char bytes[16];
    for (size_t len = 0; len < sizeof bytes;) {
        ssize_t n = getrandom(bytes + len, sizeof bytes - len, 0);
        len += n > 0 ? (size_t)n : 0;
    }
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

struct server *server_new(const struct server_options *options, struct err *err)
{
    struct server *server = mem_new(sizeof *server);
    server->transport = transport_bind(options, &server->address, err);
    if (!server->transport) {
        buf_release(&server->address);
        free(server);
        return NULL;
    }
    server->store = store_new(&(struct store_limits){options->log_limit, options->state_limit});
    server_share(server);
    server->started_ms = time_now_ms();
    random_hex(server->store_id);
    if (options->persist && !persist_open(server, options, err)) {
        server_free(server);
        return NULL;
    }
    return server;
}

const char *server_address(const struct server *server)
{
    return server->address.data;
}

void server_free(struct server *server)
{
    if (!server)
        return;
    size_t pos = 0;
    journal_close(server->journal); /* what ends with the server is no change of the state */
    server->journal = NULL;
    for (struct peer *peer; (peer = table_next(&server->peers, &pos));)
        peer_gone(server, peer);
    transport_close(server->transport);
    locks_release(server);
    store_free(server->store);
    table_release(&server->peers);
    free(server->fds);
    table_release(&server->services);
    table_release(&server->claims);
    deadlines_release(&server->timers_peer);
    deadlines_release(&server->timers_parked);
    deadlines_release(&server->demands);
    table_release(&server->numbered_demands);
    blob_unref(server->blob);
    shared_release(server);
    buf_release(&server->out);
    buf_release(&server->header);
    buf_release(&server->value);
    buf_release(&server->address);
    free(server);
}

/* ---- The loop ---- */

/* Of the answer that was made last. */
static void reply_drop(struct server *server)
{
    server->has_value = false;
    blob_unref(server->blob);
    server->blob = NULL;
}

/* Milliseconds until the next timer; -1: there is none. */
static int64_t server_patience(const struct server *server)
{
    const struct deadline *peer = deadline_first(&server->timers_peer),
                          *parked = deadline_first(&server->timers_parked),
                          *lock = deadline_first(&server->timers_lock);
    if (store_scans(server->store) || deadline_first(&server->demands))
        return 0;
    const int64_t times[] = {
        peer ? peer->at : -1,        parked ? parked->at : -1,
        lock ? lock->at : -1,        answers_due(server->store),
        sessions_due(server->store), server->journal ? journal_timer(server->journal) : -1,
        shared_due(server)};
    int64_t first = -1;
    for (size_t i = 0; i < LENGTH_OF(times); i++)
        if (times[i] >= 0 && (first < 0 || times[i] < first))
            first = times[i];
    if (first < 0)
        return -1;
    int64_t left = first - time_now_ms();
    return left > 0 ? left : 0;
}

/* What is due. Without timers the clock is not even read. */
static void server_timers(struct server *server)
{
    int64_t answers = answers_due(server->store), sessions = sessions_due(server->store);
    int64_t journal = server->journal ? journal_timer(server->journal) : -1, shared = shared_due(server);
    if (!deadline_first(&server->timers_parked) && !deadline_first(&server->timers_peer) &&
        !deadline_first(&server->timers_lock) && answers < 0 && sessions < 0 && journal < 0 && shared < 0)
        return;
    int64_t now = time_now_ms();
    locks_timer(server, now); /* before the deadlines of who waits for them */
    parked_timer(server, now);
    peers_timer(server, now);
    if (answers >= 0 && now >= answers)
        answers_expire(server->store, now);
    if (sessions >= 0 && now >= sessions)
        sessions_expire(server->store, now);
    orphans_remove(server); /* of sessions and locks that ended here */
    if (journal >= 0)
        journal_tick(server->journal, now);
    if (shared >= 0 && now >= shared)
        shared_sweep(server, now);
    if (server->blob_bytes > OWED_BYTES_MAX && now >= server->evict_at) {
        transport_evict(server->transport, now);
        server->evict_at = now + EVICT_PAUSE_MS;
    }
}

/* Executes up to a batch of requests; their answers stand in `out`. A message in another form than the
 * protocol's is nobody's request. */
static size_t server_batch(struct server *server)
{
    struct frames frames;
    size_t count = 0, bytes = 0;
    while (count < BATCH_COUNT && bytes < BATCH_BYTES && !server_full(server) &&
           transport_receive(server->transport, &frames)) {
        count++;
        bytes += frames.header.len + frames.value.len;
        if (frames.header.data && !peer_hold(server, &frames))
            request_execute(server, &frames);
    }
    return count;
}

/* Who waits for what has happened already is told before the end. */
static void server_drain(struct server *server)
{
    int64_t until = time_now_ms() + DRAIN_MS;
    do {
        server_search(server);
        server_settle(server);
    } while (store_scans(server->store) && time_now_ms() < until);
}

bool server_run(struct server *server, int stop_fd, struct err *err)
{
    struct err failure = {0};
    while (transport_poll(server->transport, stop_fd, server_patience(server), &failure)) {
        size_t count, turns = 0;
        do {
            peers_look(server);
            demands_turn(server);
            server->blob_out = 0;
            count = server_batch(server);
            server_search(server);
            demands_try(server);
            server_timers(server);
            server_settle(server);
            reply_drop(server);
            store_tidy(server->store);
            if (server->value.capacity > BATCH_BYTES)
                buf_release(&server->value);
        } while (count == BATCH_COUNT && ++turns < BATCH_TURNS);
    }
    server_drain(server);
    if (failure.code != ERR_NONE && err)
        *err = failure;
    return failure.code == ERR_NONE;
}

/* ---- Replies ---- */

void reply_begin(struct server *server, int64_t id, int64_t revision)
{
    buf_clear(&server->header);
    buf_clear(&server->value);
    reply_drop(server);
    server->reply_id = id;
    buf_add_text(&server->header, "{\"id\":");
    buf_add_int(&server->header, id);
    buf_add_text(&server->header, ",\"ok\":true,\"rev\":");
    buf_add_int(&server->header, revision);
}

static void reply_name(struct server *server, const char *name)
{
    buf_add_text(&server->header, ",\"");
    buf_add_text(&server->header, name);
    buf_add_text(&server->header, "\":");
}

void reply_int(struct server *server, const char *name, int64_t i)
{
    reply_name(server, name);
    buf_add_int(&server->header, i);
}

void reply_bool(struct server *server, const char *name, bool b)
{
    reply_name(server, name);
    buf_add_text(&server->header, b ? "true" : "false");
}

void reply_str(struct server *server, const char *name, struct str s)
{
    reply_name(server, name);
    string_print(&server->header, s);
}

void reply_value(struct server *server, const struct value *value)
{
    struct share_key key = {.kind = SHARE_VALUE, .what = value};
    if (shared_find(server, &key, NULL))
        return;
    value_print(&server->value, value);
    server->has_value = true;
    shared_put(server, &key, value, -1);
}

void reply_event(struct server *server, const struct record *record)
{
    struct share_key key = {.kind = SHARE_EVENT, .revision = record_revision(record)};
    if (shared_find(server, &key, NULL))
        return;
    AUTO_VALUE struct value *event = record_event(record);
    value_print(&server->value, event);
    server->has_value = true;
    shared_put(server, &key, NULL, -1);
}

struct str reply_text(const struct server *server)
{
    if (!server->has_value)
        return (struct str){0};
    return server->blob ? blob_str(server->blob) : buf_str(&server->value);
}

void reply_fail(struct server *server, int64_t id, enum err_code code, const char *message)
{
    buf_clear(&server->header);
    reply_drop(server);
    server->reply_id = id;
    buf_add_format(&server->header, "{\"id\":%lld,\"ok\":false", (long long)id);
    reply_str(server, "error", str_of(err_code_name(code)));
    reply_str(server, "message", str_of(message));
}

void reply_send(struct server *server, struct str identity, int fd)
{
    if (reply_text(server).len > WIRE_FRAME_MAX)
        reply_fail(server, server->reply_id, ERR_TOO_LARGE,
                   "the answer is larger than a frame of 16 MiB; ask for less of it");
    buf_add_char(&server->header, '}');
    if (server->has_value && !server->blob && server->value.len >= SHARE_MIN)
        server->blob = blob_take(server, &server->value);
    answer_queue(server, identity, fd, buf_str(&server->header), reply_text(server), server->blob);
}

void reply_error(struct server *server, struct str identity, int fd, int64_t id, const struct err *err)
{
    reply_fail(server, id, err->code, err->message);
    reply_send(server, identity, fd);
}
