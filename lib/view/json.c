/* Reports as JSON: the only file that includes cJSON here. It carries our own fields; a user's result is
 * spliced in as the text that lib/value made of it. */
#include "view.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

/* cJSON passes bytes on as they are, so that they are mended before. */
static void add_text(cJSON *object, const char *name, const char *text)
{
    AUTO_BUF struct buf mended = {0};
    view_add_utf8(&mended, str_of(text));
    cJSON_AddStringToObject(object, name, mended.data ? mended.data : "");
}

static void add_int(cJSON *object, const char *name, int64_t number)
{
    cJSON_AddNumberToObject(object, name, (double)number);
}

static cJSON *worker_json(const struct view_worker *worker)
{
    cJSON *object = cJSON_CreateObject();
    add_text(object, "name", worker->name);
    add_text(object, "status", worker->status);
    add_int(object, "attempts", worker->attempts);
    if (worker->signal > 0)
        add_int(object, "signal", worker->signal);
    else if (worker->exit >= 0)
        add_int(object, "exit", worker->exit);
    if (worker->runs >= 0)
        add_int(object, "runs", worker->runs);
    if (worker->duration_ms >= 0)
        add_int(object, "duration_ms", worker->duration_ms);
    add_text(object, "reason", worker->reason);
    cJSON_AddBoolToObject(object, "flaky", worker->flaky);
    cJSON_AddRawToObject(object, "result", worker->result ? worker->result : "null");
    add_text(object, "log", worker->log);
    return object;
}

void view_summary_json(struct buf *buf, const struct view_summary *summary)
{
    cJSON *object = cJSON_CreateObject();
    add_text(object, "name", summary->name);
    add_text(object, "id", summary->id);
    add_int(object, "exit", summary->exit);
    add_int(object, "duration_ms", summary->duration_ms);
    cJSON *workers = cJSON_AddArrayToObject(object, "workers");
    for (size_t i = 0; i < summary->count; i++)
        cJSON_AddItemToArray(workers, worker_json(&summary->workers[i]));
    char *text = cJSON_PrintUnformatted(object);
    buf_add_text(buf, text ? text : "{}");
    buf_add_char(buf, '\n');
    cJSON_free(text);
    cJSON_Delete(object);
}

void view_line_json(struct buf *buf, const char *worker, int stream, struct str line, int64_t wall_ms)
{
    AUTO_BUF struct buf mended = {0};
    view_add_utf8(&mended, line);
    /* Not by cJSON: a line may hold NUL, which its strings cannot. */
    buf_add_text(buf, "{\"worker\":");
    string_print(buf, str_of(worker));
    buf_add_format(buf, ",\"stream\":\"%s\",\"line\":", stream == 2 ? "stderr" : "stdout");
    string_print(buf, buf_str(&mended));
    buf_add_format(buf, ",\"time\":%lld}\n", (long long)wall_ms);
}
