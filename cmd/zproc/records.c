/* The records of a run: which run is meant, reading them, and waiting for changes over a stream without a
 * session. */
#include "records.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CREDIT    1024 /* changes that may be under way */
#define FILE_MAX  (256 * 1024 * 1024)
#define LOGS      ".zproc/logs"
#define NAME_LAST "latest"

static const char *env(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

bool run_options_check(const struct context *context, struct err *err)
{
    static const char *const foreign[] = {"namespace", "session"};
    for (size_t i = 0; i < LENGTH_OF(foreign); i++)
        if (args_has(&context->args, foreign[i]))
            return err_set(err, ERR_INVALID, "'--%s' has no meaning here; '--run' names another run",
                           foreign[i]);
    return true;
}

/* ---- Reading ---- */

void records_release(struct records *records)
{
    free(records->space);
    value_unref(records->map);
    *records = (struct records){0};
}

bool records_read_space(struct records *records, struct context *context, const char *space, struct err *err)
{
    struct request request = {.operation = OP_get};
    AUTO_BUF struct buf json = {0};
    *records = (struct records){.context = context, .space = mem_text(space)};
    request_set_str(&request, FIELD_ns, str_of(records->space));
    if (!context_ask_all(context, &request, &json, err))
        return false;
    records->rev = request_int(&request, at);
    records->map = value_parse(buf_str(&json), err);
    return records->map != NULL;
}

const struct value *records_run(const struct records *records)
{
    return map_get(records->map, STR("run"));
}

/* Of the further supervisor RUN, or of the first one when that is its id. */
static bool read_run(struct records *records, struct context *context, const char *run, struct err *err)
{
    AUTO_FREE char *space = mem_format("zproc.%s", run);
    if (!records_read_space(records, context, space, err))
        return false;
    if (records_run(records))
        return true;
    records_release(records);
    if (!records_read_space(records, context, "zproc", err))
        return false;
    const struct value *own = records_run(records);
    if (own && str_is(record_text(own, "id"), run))
        return true;
    return err_set(err, ERR_NOT_FOUND, "there is no run '%s' on this server; 'zproc ps --all' lists them",
                   run);
}

/* Whether a run with its records in this namespace goes on. id NULL: any. */
static bool goes_on(struct context *context, const char *space, const char *id)
{
    struct request request = {.operation = OP_get};
    struct reply reply;
    struct err ignored = {0};
    request_set_str(&request, FIELD_ns, str_of(space));
    request_set_str(&request, FIELD_key, STR("run"));
    if (!context_ask(context, &request, (struct str){0}, &reply, &ignored))
        return false;
    AUTO_VALUE struct value *run = value_parse(reply.value, NULL);
    reply_release(&reply);
    const struct value *ended = run ? map_get(run, STR("ended")) : NULL;
    return ended && value_type(ended) == VALUE_NULL && (!id || str_is(record_text(run, "id"), id));
}

/* Whether this run is a further one on the server, and goes on. */
static bool further_goes_on(struct context *context, const char *id)
{
    AUTO_FREE char *space = mem_format("zproc.%s", id);
    return goes_on(context, space, NULL);
}

bool records_go_on(struct context *context, const char *id)
{
    return goes_on(context, "zproc", id) || (id && further_goes_on(context, id));
}

char *records_folder_run(struct context *context)
{
    char id[64];
    struct stat info;
    if (lstat(LOGS "/" NAME_LAST, &info) != 0 || (info.st_uid != geteuid() && info.st_uid != 0))
        return NULL;
    ssize_t len = readlink(LOGS "/" NAME_LAST, id, sizeof id);
    if (len <= 0 || (size_t)len == sizeof id)
        return NULL;
    id[len] = '\0';
    return further_goes_on(context, id) ? mem_text(id) : NULL;
}

static bool read_live(struct records *records, struct context *context, struct err *err)
{
    const char *given = args_value(&context->args, "run"), *own = env("ZPROC_RUN");
    AUTO_FREE char *here = given || own ? NULL : records_folder_run(context);
    own = own ? own : here;
    if (given)
        return read_run(records, context, given, err);
    if (own && read_run(records, context, own, err))
        return true;
    if (own && err->code != ERR_NOT_FOUND)
        return false;
    records_release(records);
    if (!records_read_space(records, context, "zproc", err))
        return false;
    return records_run(records) ||
           err_set(err, ERR_NOT_FOUND, "no run has used this server; 'zproc up' or 'zproc run' start one");
}

/* ---- A run that has ended ---- */

static bool read_past(struct records *records, struct context *context, const char *id)
{
    AUTO_FREE char *path = mem_format("%s/%s/records.json", context->logs ? context->logs : LOGS, id);
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info;
    AUTO_BUF struct buf text = {0};
    if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) ||
        (info.st_uid != geteuid() && info.st_uid != 0) || !fd_read_all(fd, FILE_MAX, &text, NULL))
        return false;
    struct value *map = value_parse(buf_str(&text), NULL);
    if (!map || !map_get(map, STR("run"))) {
        value_unref(map);
        return false;
    }
    records_release(records);
    *records = (struct records){.context = context, .space = mem_text("zproc"), .map = map, .past = true};
    return true;
}

/* An address that somebody named is taken at its word. */
static bool address_named(const struct context *context)
{
    return !context->address && (args_has(&context->args, "address") || env("ZPROC_ADDRESS"));
}

bool records_explain_none(const struct context *context, struct err *err)
{
    if (err->code != ERR_UNREACHABLE || address_named(context))
        return false;
    return err_set(err, ERR_UNREACHABLE,
                   "no run is going on here; 'zproc up' starts one, --address or ZPROC_ADDRESS name one "
                   "that is elsewhere");
}

/* A run that was killed, or found the disk full, has left its logs only. */
static bool explain_logs(const struct context *context, struct err *err)
{
    const char *logs = context->logs ? context->logs : LOGS;
    AUTO_FREE char *last = mem_format("%s/%s/.", logs, NAME_LAST);
    if (access(last, F_OK) != 0)
        return records_explain_none(context, err);
    return err_set(err, ERR_UNREACHABLE,
                   "no run is going on here; the last one was killed or could not keep its records, what it "
                   "printed is in %s/%s",
                   logs, NAME_LAST);
}

bool records_read(struct records *records, struct context *context, struct err *err)
{
    *records = (struct records){0};
    if (!run_options_check(context, err))
        return false;
    if (read_live(records, context, err))
        return true;
    const char *given = args_value(&context->args, "run");
    if (err->code != ERR_UNREACHABLE || address_named(context))
        return false;
    if (given && (strchr(given, '/') || given[0] == '.'))
        return err_set(err, ERR_INVALID, "'%s' is no id of a run", given);
    if (read_past(records, context, given ? given : NAME_LAST))
        return true;
    return given ? records_explain_none(context, err) : explain_logs(context, err);
}

bool records_find(struct records *records, struct context *context, const char *space, const char *id,
                  struct err *err)
{
    if (records_read_space(records, context, space, err) && records_run(records))
        return true;
    if (err->code == ERR_UNREACHABLE && read_past(records, context, id))
        return true;
    return err->code != ERR_NONE ? false : err_set(err, ERR_NOT_FOUND, "the run '%s' has no records", id);
}

bool records_past(struct records *records, const struct records *live)
{
    struct str id = record_text(records_run(live), "id");
    AUTO_FREE char *text = mem_copy(id.data, id.len);
    *records = (struct records){0};
    return !address_named(live->context) && *text && read_past(records, live->context, text);
}

/* ---- Changes ---- */

static void take_change(struct records *records, const struct value *change, record_fn *changed, void *ctx)
{
    const struct value *key = map_get(change, STR("key")), *value = map_get(change, STR("value"));
    if (!key || value_type(key) != VALUE_STRING)
        return;
    struct str name = value_as_str(key);
    if (!value) {
        map_remove(records->map, name);
        changed(ctx, name, NULL);
        return;
    }
    map_set(records->map, name, value_ref(value));
    changed(ctx, name, value);
}

static void tell_all(struct records *records, record_fn *changed, void *ctx)
{
    struct str name;
    for (size_t i = 0; i < value_len(records->map); i++) {
        const struct value *record = map_at(records->map, i, &name);
        changed(ctx, name, record);
    }
}

static bool stream_begin(struct records *records, struct err *err)
{
    struct request request = {.operation = OP_stream};
    request_set_str(&request, FIELD_ns, str_of(records->space));
    request_set_str(&request, FIELD_condition, STR("change"));
    request_set_str(&request, FIELD_want, STR("event"));
    request_set_int(&request, FIELD_after, records->rev);
    request_set_int(&request, FIELD_credit, CREDIT);
    records->credit = CREDIT;
    records->stream = client_stream(records->context->client, &request, (struct str){0}, err);
    return records->stream != 0;
}

static bool credit_renew(struct records *records, struct err *err)
{
    struct request request = {.operation = OP_credit};
    if (records->credit > CREDIT / 2)
        return true;
    request_set_int(&request, FIELD_call, records->stream);
    request_set_int(&request, FIELD_credit, CREDIT - records->credit);
    records->credit = CREDIT;
    return client_send(records->context->client, &request, (struct str){0}, err) != 0;
}

/* Everything anew: what changed meanwhile was not told. */
static bool read_again(struct records *records, record_fn *changed, void *ctx, struct err *err)
{
    struct context *context = records->context;
    AUTO_FREE char *space = mem_text(records->space);
    const struct value *run = records_run(records);
    struct str id = record_text(run, "id");
    AUTO_FREE char *past = mem_copy(id.data, id.len);
    struct records fresh;
    bool there = records_read_space(&fresh, context, space, err) && records_run(&fresh);
    if (!there) {
        records_release(&fresh);
        there = !address_named(context) && *past && read_past(&fresh, context, past);
    }
    if (!there)
        return err->code != ERR_NONE ? false : err_set(err, ERR_UNREACHABLE, "the run's server is gone");
    records_release(records);
    *records = fresh;
    tell_all(records, changed, ctx);
    return true;
}

static bool take_reply(struct records *records, const struct reply *reply, record_fn *changed, void *ctx,
                       struct err *err)
{
    if (!reply->ok) {
        *err = reply->error;
        return false;
    }
    if (reply->id != records->stream)
        return true; /* the answer to a renewal */
    records->rev = reply->rev;
    records->credit--;
    if (reply_field(reply, "lost")) {
        client_close(records->context->client); /* and with it the stream */
        records->context->client = NULL;
        return read_again(records, changed, ctx, err);
    }
    AUTO_VALUE struct value *event = value_parse(reply->value, err);
    const struct value *changes = event ? map_get(event, STR("changes")) : NULL;
    for (size_t i = 0; changes && i < value_len(changes); i++)
        take_change(records, list_at(changes, i), changed, ctx);
    return event != NULL;
}

static bool wait_readable(struct client *client, int64_t until_ms, struct err *err)
{
    int64_t left = until_ms < 0 ? -1 : until_ms - time_now_ms();
    struct pollfd item = {.fd = client_fd(client), .events = client_events(client)};
    if (until_ms >= 0 && left <= 0)
        return err_set(err, ERR_TIMEOUT, "timed out");
    if (poll(&item, 1, left > INT32_MAX ? INT32_MAX : (int)left) < 0 && errno != EINTR)
        return err_errno(err, errno, "waiting for the run failed");
    return client_step(client, err);
}

/* False: nothing has come yet (err is none), or it failed. */
static bool take_all(struct records *records, record_fn *changed, void *ctx, struct err *err)
{
    struct reply reply;
    bool any = false, ok = true;
    while (ok && records->stream && client_next(records->context->client, &reply)) {
        any |= reply.id == records->stream;
        ok = take_reply(records, &reply, changed, ctx, err);
        reply_release(&reply);
    }
    return any && ok;
}

static bool wait_once(struct records *records, int64_t until_ms, record_fn *changed, void *ctx,
                      struct err *err)
{
    struct client *client = records->context->client;
    if (!records->stream && !stream_begin(records, err))
        return false;
    while (!take_all(records, changed, ctx, err))
        if (err->code != ERR_NONE || !wait_readable(client, until_ms, err))
            return false;
    return !records->stream || credit_renew(records, err);
}

bool records_wait(struct records *records, int64_t until_ms, record_fn *changed, void *ctx, struct err *err)
{
    *err = (struct err){0};
    if (wait_once(records, until_ms, changed, ctx, err))
        return true;
    if (err->code != ERR_UNREACHABLE || !records->context->client)
        return false;
    /* A lost server is started again by its run; one that ended with its run has left its records. */
    client_close(records->context->client);
    records->context->client = NULL;
    *err = (struct err){0};
    return read_again(records, changed, ctx, err);
}

/* ---- Names ---- */

const struct value *records_next(const struct records *records, size_t *at, struct str *name)
{
    const struct value *record = map_at(records->map, (*at)++, name);
    return record && str_is(*name, "run") ? map_at(records->map, (*at)++, name) : record;
}

bool record_is(struct str key, const struct value *record, const char *name)
{
    return str_is(key, name) || str_is(record_text(record, "worker"), name);
}

static bool name_known(const struct records *records, const char *name)
{
    struct str key;
    size_t at = 0;
    for (const struct value *record; (record = records_next(records, &at, &key));)
        if (record_is(key, record, name))
            return true;
    return false;
}

static bool name_unknown(const struct records *records, const char *name, struct err *err)
{
    const char **names = mem_array(value_len(records->map) + 1, sizeof(*names));
    struct str key;
    size_t at = 0, count = 0;
    for (const struct value *record; (record = records_next(records, &at, &key));)
        names[count++] = mem_copy(key.data, key.len);
    const char *nearest = str_nearest(str_of(name), names, count);
    if (nearest)
        err_set(err, ERR_NOT_FOUND, "there is no worker '%.100s'; did you mean '%s'?", name, nearest);
    else
        err_set(err, ERR_NOT_FOUND, "there is no worker '%.100s'; 'zproc ps' lists them", name);
    for (size_t i = 0; i < count; i++)
        free((char *)names[i]);
    free(names);
    return false;
}

bool records_check_names(const struct records *records, const char *const *names, size_t count,
                         struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (!name_known(records, names[i]))
            return name_unknown(records, names[i], err);
    return true;
}
