/* From a message to its handler: decoding, what all operations share, and the small ones. */
#include "server_priv.h"

#include <stdlib.h>
#include <unistd.h>

static handler *const handlers[] = {
#define OP(name, kind, fields, value, help) [OP_##name] = handle_##name,
#include "ops.def"
};

static bool job_value(struct job *job, struct err *err)
{
    const struct op_info *info = op_info(job->request.operation);
    bool given = job->frames->value.data != NULL;
    if (!given && info->value == OP_VALUE_ONE)
        return err_set(err, ERR_INVALID, "'%s' needs a value frame", info->name);
    if (given && info->value == OP_VALUE_NONE)
        return err_set(err, ERR_INVALID, "'%s' takes no value frame", info->name);
    if (given && !(job->value = value_parse(job->frames->value, err)))
        return err_wrap(err, "value");
    return true;
}

static void job_look(struct job *job)
{
    job->ns = request_has(&job->request, ns) ? request_str(&job->request, ns) : STR("default");
    job->space = store_look(job->server->store, job->ns);
    if (request_has(&job->request, session))
        job->session = session_find(job->server->store, request_str(&job->request, session));
    if (job->session && session_is_temporary(job->session))
        session_use(job->session, time_now_ms());
}

bool job_enter(struct job *job, struct err *err)
{
    job->space = store_space(job->server->store, job->ns, err);
    return job->space && (!job->session || session_enter(job->session, job->space, err));
}

bool job_may_write(struct job *job, struct err *err)
{
    job->space = store_space(job->server->store, job->ns, err);
    return job->space && (!job->session || session_has_room(job->session, job->space, err));
}

static bool job_handle(struct job *job, struct err *err)
{
    enum op op = job->request.operation;
    bool waits = false;
    if (job->server->locks.count && op_info(op)->kind == OP_KIND_WRITE && op != OP_commit && !job->resumed &&
        !lock_admit(job, &waits, err))
        return false;
    return waits || handlers[op](job, err);
}

/* ---- Numbered requests are done once ---- */

static bool answer_again(struct job *job, const struct answer *answer)
{
    struct server *server = job->server;
    AUTO_BUF struct buf header = {0};
    buf_add_text(&header, "{\"id\":");
    buf_add_int(&header, request_int(&job->request, id));
    buf_add_str(&header, answer->header);
    answer_queue(server, job->frames->identity, job->frames->fd, buf_str(&header), answer->value, NULL);
    return true;
}

/* Kept without its beginning: a copy of the request may have another id. */
void answer_keep_sent(struct server *server, struct str client, int64_t seq)
{
    struct str header = buf_str(&server->header);
    ptrdiff_t start = str_find(header, STR(","));
    struct answer answer = {.header = {header.data + start, header.len - (size_t)start}};
    answer.value = reply_text(server);
    answer_keep(server->store, client, seq, &answer);
}

static void job_keep(const struct job *job)
{
    answer_keep_sent(job->server, request_str(&job->request, client), request_int(&job->request, seq));
}

/* A request that failed with an unknown outcome was undone in memory, but while no new segment has been begun
 * its record may still stand in the old one, and count after a crash: until then its outcome stays unknown.
 * From the new segment's snapshot on it is certain that it was not done, and a copy of it is a new request.
 * After a crash the folder tells: what is found was done and has its answer kept. */
static bool job_once(struct job *job, struct err *err)
{
    struct store *store = job->server->store;
    struct str client = request_str(&job->request, client);
    int64_t seq = request_int(&job->request, seq);
    struct answer answer;
    bool open = false;
    switch (answer_find(store, client, seq, time_now_ms(), &answer)) {
    case ANSWER_KEPT:
        return answer_again(job, &answer);
    case ANSWER_GONE:
        return err_set(err, ERR_CONFLICT,
                       "request %lld of this client was done before, or a later one was; its answer is not "
                       "kept any more",
                       (long long)seq);
    case ANSWER_FULL:
        return err_set(err, ERR_BUSY, "too many clients have written within a minute; try again later");
    case ANSWER_OPEN:
        open = true;
        break;
    case ANSWER_NEW:
        break;
    }
    if (!persist_ready(job->server, &job->request, err)) {
        job->unknown = open && !job->resumed;
        return false;
    }
    if (request_has(&job->request, done) && request_int(&job->request, done) <= seq)
        answers_done(store, client, request_int(&job->request, done));
    job->numbered = true;
    return job_handle(job, err);
}

static bool job_execute(struct job *job, struct err *err)
{
    const struct frames *frames = job->frames;
    if (!request_parse(frames->header, &job->request, err))
        return false;
    if (frames->excess)
        return err_set(err, ERR_INVALID, "more frames than delimiter, header and value");
    if (!job_value(job, err))
        return false;
    job_look(job);
    if (request_has(&job->request, seq))
        return job_once(job, err);
    return persist_ready(job->server, &job->request, err) && job_handle(job, err);
}

static void job_fail(const struct job *job, const struct err *err)
{
    struct server *server = job->server;
    int64_t id = request_has(&job->request, id) ? request_int(&job->request, id) : 0;
    reply_fail(server, id, err->code, err->message);
    if (job->unknown)
        reply_str(server, "outcome", STR("unknown"));
    if (job->missed)
        reply_int(server, "missed", job->missed);
    reply_send(server, job->frames->identity, job->frames->fd);
}

static void request_run(struct server *server, const struct frames *frames, bool resumed)
{
    struct job job = {.server = server, .frames = frames, .resumed = resumed};
    struct err err = {0};
    if (!job_execute(&job, &err)) {
        job_fail(&job, &err);
        if (job.numbered)
            job_keep(&job);
    }
    value_unref(job.value);
    request_release(&job.request);
    orphans_remove(server);
    demands_try(server);
}

void request_execute(struct server *server, const struct frames *frames)
{
    server->requests++;
    request_run(server, frames, false);
}

void request_resume(struct server *server, const struct frames *frames)
{
    request_run(server, frames, true);
}

void job_begin(struct job *job, int64_t revision)
{
    reply_begin(job->server, request_int(&job->request, id), revision);
}

bool job_send(struct job *job)
{
    reply_send(job->server, job->frames->identity, job->frames->fd);
    if (job->numbered)
        job_keep(job);
    return true;
}

bool job_answer(struct job *job, int64_t revision, const struct value *value)
{
    job_begin(job, revision);
    if (value)
        reply_value(job->server, value);
    return job_send(job);
}

static int64_t newest(const struct job *job)
{
    return store_revision(job->server->store);
}

bool handle_hello(struct job *job, struct err *err)
{
    (void)err;
    job_begin(job, newest(job));
    reply_str(job->server, "version", STR(ZPROC_VERSION));
    reply_int(job->server, "pid", getpid());
    reply_int(job->server, "protocol_min", 1);
    reply_int(job->server, "protocol_max", 1);
    reply_str(job->server, "store", str_of(job->server->store_id));
    reply_str(job->server, "durability", str_of(durability_name(server_durability(job->server))));
    return job_send(job);
}

bool handle_ping(struct job *job, struct err *err)
{
    (void)err;
    job_begin(job, newest(job));
    reply_int(job->server, "pid", getpid());
    if (job->value)
        reply_value(job->server, job->value);
    return job_send(job);
}

static void figure_add(struct value *map, const char *name, int64_t number)
{
    map_set(map, str_of(name), value_int(number));
}

bool handle_stats(struct job *job, struct err *err)
{
    (void)err;
    struct server *server = job->server;
    struct store_figures figures;
    store_measure(server->store, &figures);
    AUTO_VALUE struct value *map = value_map();
    figure_add(map, "revision", figures.revision);
    figure_add(map, "oldest", figures.oldest);
    figure_add(map, "log_bytes", figures.log_bytes);
    figure_add(map, "state_bytes", figures.state_bytes);
    figure_add(map, "namespaces", (int64_t)figures.spaces);
    figure_add(map, "keys", (int64_t)figures.keys);
    figure_add(map, "sessions", (int64_t)figures.sessions);
    if (figures.oldest_cursor >= 0)
        figure_add(map, "oldest_cursor", figures.oldest_cursor);
    figure_add(map, "waits", (int64_t)figures.waits);
    figure_add(map, "parked", (int64_t)server->parked_count);
    figure_add(map, "locks", (int64_t)server->locks.count);
    figure_add(map, "peers", (int64_t)server->peers.count);
    figure_add(map, "stalled", (int64_t)server->stalled_count);
    figure_add(map, "requests", server->requests);
    figure_add(map, "uptime_ms", time_now_ms() - server->started_ms);
    persist_figures(server, map);
    map_set(map, STR("refused"), refusal_figures());
    return job_answer(job, figures.revision, map);
}
