/* Logs for who asks for them: {"do": "logs", "from": [{"name", "file", "at"} …]} is answered with what there
 * is from each place on, and the places behind it. With "wait" the answer waits until there is something, and
 * with "reader" (a number of the caller's own) the end of the run waits until all of it has been asked for.
 */
#include "run_priv.h"

#include <stdlib.h>

#define ANSWER_BYTES (1024 * 1024) /* of all logs in one answer */
#define EACH_BYTES   (128 * 1024)
#define GATHER_MS    5    /* that new output is gathered before it is sent */
#define CLOSE_MS     2000 /* that the end of the run waits for readers */
#define SILENT_MS    2000 /* then a reader that has not asked again is gone */

/* Who follows logs; its call is parked, or it deals with an answer. */
struct reader {
    int64_t id, call;      /* call 0: none waits */
    struct value *request; /* of the call */
    int64_t seen_ms;
    bool done; /* it has been given everything */
    struct reader *next;
};

struct answer {
    struct buf json;
    bool any;  /* there is something in it */
    bool done; /* and nothing will follow */
};

static int64_t number_of(const struct value *map, const char *field)
{
    const struct value *value = map_get(map, str_of(field));
    return value ? value_as_int(value) : 0;
}

static char *path_of(const struct run *run, struct str name, bool *ended)
{
    struct task *task = pick_instance(run, name);
    struct sup_task info;
    *ended = run->over;
    if (str_is(name, "run"))
        return run->folder.run ? mem_format("%s/run.log", run->folder.run) : NULL;
    if (task && sup_task_at(run->sup, task->number, &info))
        *ended |= sup_state_final(info.state);
    else
        *ended = true;
    if (task)
        return task->log ? mem_text(task->log) : NULL;
    /* It was there once, perhaps. */
    char *path = run->folder.run ? mem_format("%s/%.*s.log", run->folder.run, STR_ARG(name)) : NULL;
    for (char *at = path ? path + strlen(run->folder.run) + 1 : NULL; at && *at; at++)
        if (*at == '/')
            *at = '_';
    return path;
}

/* What there is of one log. Counts whether it is worth an answer (bytes, or that there will be no more). */
static void add_log(struct run *run, struct answer *answer, const struct value *item, size_t max)
{
    struct buf *json = &answer->json;
    const struct value *name = map_get(item, STR("name"));
    struct log_place place = {(uint64_t)number_of(item, "file"), number_of(item, "at")};
    AUTO_BUF struct buf bytes = {0};
    bool ended;
    AUTO_FREE char *path = path_of(run, name ? value_as_str(name) : STR(""), &ended);
    if (path && map_get(item, STR("lines")))
        log_seek(path, number_of(item, "lines"), &place);
    bool more = path && max > 0 && log_read(path, &place, max, &bytes);
    buf_add_text(json, "{\"name\":");
    string_print(json, name ? value_as_str(name) : STR(""));
    buf_add_format(json, ",\"file\":%lld,\"at\":%lld,\"data\":\"", (long long)place.file,
                   (long long)place.at);
    base64_add(json, buf_str(&bytes));
    bool over = ended && !more && max > 0;
    buf_add_format(json, "\",\"more\":%s,\"ended\":%s}", more || (path && max == 0) ? "true" : "false",
                   over ? "true" : "false");
    answer->any |= more || over;
    answer->done &= over;
}

static void answer_make(struct run *run, struct answer *answer, const struct value *request)
{
    const struct value *from = map_get(request, STR("from"));
    *answer = (struct answer){.done = true, .any = value_len(from) == 0};
    buf_add_text(&answer->json, "{\"logs\":[");
    for (size_t i = 0; i < value_len(from); i++) {
        buf_add_text(&answer->json, i > 0 ? "," : "");
        add_log(run, answer, list_at(from, i), answer->json.len < ANSWER_BYTES ? EACH_BYTES : 0);
    }
    buf_add_text(&answer->json, "]}");
}

/* ---- Readers ---- */

static struct reader *reader_get(struct run *run, int64_t id)
{
    struct reader *reader = run->readers.first;
    while (reader && reader->id != id)
        reader = reader->next;
    if (!reader) {
        reader = mem_new(sizeof *reader);
        *reader = (struct reader){.id = id, .next = run->readers.first};
        run->readers.first = reader;
    }
    reader->seen_ms = time_now_ms();
    return reader;
}

static void reader_park(struct reader *reader, int64_t call, const struct value *request)
{
    value_unref(reader->request);
    reader->request = request ? value_ref(request) : NULL;
    reader->call = call;
}

static void reader_answer(struct run *run, struct reader *reader, int64_t call, const struct answer *answer)
{
    call_answer(run, call, buf_str(&answer->json));
    reader->seen_ms = time_now_ms();
    reader->done = answer->done;
    reader_park(reader, 0, NULL);
}

static void readers_answer(struct run *run)
{
    for (struct reader *reader = run->readers.first; reader; reader = reader->next) {
        struct answer answer = {0};
        if (reader->call)
            answer_make(run, &answer, reader->request);
        if (answer.any)
            reader_answer(run, reader, reader->call, &answer);
        buf_release(&answer.json);
    }
}

static void readers_free(struct run *run, bool (*gone)(const struct reader *reader))
{
    for (struct reader **at = &run->readers.first; *at;) {
        struct reader *reader = *at;
        if (!gone(reader)) {
            at = &reader->next;
            continue;
        }
        *at = reader->next;
        value_unref(reader->request);
        free(reader);
    }
}

static bool is_gone(const struct reader *reader)
{
    return reader->done || (!reader->call && time_now_ms() - reader->seen_ms > SILENT_MS);
}

static bool is_any(const struct reader *reader)
{
    (void)reader;
    return true;
}

static void grew(void *ctx)
{
    struct run *run = ctx;
    readers_answer(run);
    readers_free(run, is_gone);
    run_work(run);
}

void logs_grew(struct run *run)
{
    bool waits = false;
    for (const struct reader *reader = run->readers.first; reader && !waits; reader = reader->next)
        waits = reader->call != 0;
    if (!waits || !run->loop)
        return;
    if (!run->readers.timer)
        run->readers.timer = timer_new(run->loop, grew, run);
    timer_set(run->readers.timer, time_now_ms() + GATHER_MS);
}

static bool request_check(const struct value *request, struct err *err)
{
    const struct value *from = map_get(request, STR("from"));
    bool ok = from && value_type(from) == VALUE_LIST;
    for (size_t i = 0; ok && i < value_len(from); i++) {
        const struct value *item = list_at(from, i);
        const struct value *name = value_type(item) == VALUE_MAP ? map_get(item, STR("name")) : NULL;
        ok = name && value_type(name) == VALUE_STRING;
    }
    return ok || err_set(err, ERR_INVALID, "the request names no logs");
}

void ask_logs(struct run *run, int64_t call, const struct value *request)
{
    struct err err;
    struct answer answer;
    const struct value *wait = map_get(request, STR("wait"));
    int64_t id = number_of(request, "reader");
    if (!request_check(request, &err)) {
        call_refuse(run, call, &err);
        return;
    }
    answer_make(run, &answer, request);
    struct reader *reader = id ? reader_get(run, id) : NULL;
    bool waits = reader && wait && value_truthy(wait) && !answer.any;
    if (waits)
        reader_park(reader, call, request);
    else if (reader)
        reader_answer(run, reader, call, &answer);
    else
        call_answer(run, call, buf_str(&answer.json));
    buf_release(&answer.json);
    readers_free(run, is_gone);
}

/* ---- The end ---- */

static bool is_read(const struct run *run)
{
    for (const struct reader *reader = run->readers.first; reader; reader = reader->next)
        if (!is_gone(reader))
            return false;
    return state_quiet(run);
}

void logs_close(struct run *run)
{
    if (!run->readers.first)
        return;
    readers_answer(run);
    run_work(run);
    run_until(run, is_read, time_now_ms() + CLOSE_MS);
}

void logs_release(struct run *run)
{
    readers_free(run, is_any);
    if (run->readers.timer)
        timer_free(run->readers.timer);
    run->readers.timer = NULL;
}
