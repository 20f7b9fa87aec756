/* map --task: hands the map over to the supervisor of a run, as a worker of its own. */
#include "map.h"

#include "call.h"

#include <stdlib.h>

#include <sys/random.h>

#define REQUEST_MAX (15 << 20) /* a message holds 16 MiB */

static bool task_check(const struct map *map, const struct args *args, struct err *err)
{
    if (map->braces)
        return err_set(
            err, ERR_UNSUPPORTED,
            "'{}' in the command of a '--task' is not supported yet: the item is its last argument");
    if (args_has(args, "stateful"))
        return err_set(err, ERR_INVALID, "a '--task' has the state of its run; '--stateful' has no meaning");
    if (args_has(args, "session"))
        return err_set(err, ERR_INVALID, "'--session' has no meaning for a '--task'");
    return true;
}

static bool add_text(struct buf *json, struct str text, const char *what, struct err *err)
{
    if (!utf8_valid(text))
        return err_set(err, ERR_INVALID, "%s must be valid UTF-8 for a '--task'", what);
    string_print(json, text);
    return true;
}

static bool add_command(const struct map *map, struct buf *json, struct err *err)
{
    buf_add_text(json, "\"run\":[");
    for (size_t i = 0; i < map->argc; i++) {
        buf_add_text(json, i > 0 ? "," : "");
        if (!add_text(json, str_of(map->argv[i]), "the command", err))
            return false;
    }
    buf_add_char(json, ']');
    return true;
}

/* All of them: a task does not read our input. */
static bool add_items(struct map *map, bool lines, struct buf *json, struct err *err)
{
    AUTO_BUF struct buf text = {0};
    for (int64_t number = 0;;) {
        buf_clear(&text);
        enum source_got got = source_next(&map->source, &text, err);
        if (got == SOURCE_END)
            return true;
        if (got == SOURCE_FAILED || (got == SOURCE_LATER && !source_read(&map->source, err)))
            return false;
        if (got != SOURCE_ITEM)
            continue;
        if (lines && memchr(buf_str(&text).data, '\n', text.len))
            return map_lines_refuse(number, err);
        buf_add_text(json, number++ > 0 ? "," : "");
        if (!add_text(json, buf_str(&text), "an item", err))
            return false;
        if (json->len > REQUEST_MAX)
            return err_set(
                err, ERR_TOO_LARGE,
                "the items of a '--task' are more than 15 MiB; a manifest's map can read them from a "
                "file or a key");
    }
}

/* The worker as a manifest would have it. Its failure is for those to see who ask for its results. */
static bool add_worker(struct map *map, const struct args *args, struct buf *json, struct err *err)
{
    const char *namespace = args_value(args, "namespace");
    AUTO_FREE char *folder = realpath(".", NULL);
    buf_add_text(json, ",\"worker\":{\"optional\":true,");
    if (!add_command(map, json, err))
        return false;
    if (folder && utf8_valid(str_of(folder)))
        call_text(json, "dir", str_of(folder));
    if (namespace)
        call_text(json, "namespace", str_of(namespace));
    if (map->retry > 0)
        buf_add_format(json, ",\"retry\":{\"max\":%lld,\"delay\":0}", (long long)map->retry);
    bool lines = args_has(args, "lines");
    buf_add_format(json, ",\"map\":{\"count\":%zu,\"keep_going\":%s,\"mode\":\"%s\",\"items\":[",
                   map->worker_count, map->keep_going ? "true" : "false", lines ? "lines" : "spawn");
    if (!add_items(map, lines, json, err))
        return false;
    buf_add_text(json, "]}}");
    return true;
}

static bool name_make(struct buf *name, struct err *err)
{
    unsigned char random[6];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return err_set(err, ERR_INTERNAL, "cannot make a name for the task");
    buf_add_text(name, "map-");
    for (size_t i = 0; i < sizeof random; i++)
        buf_add_format(name, "%02x", random[i]);
    return true;
}

int map_task(struct map *map, struct err *err)
{
    struct context *context = map->context;
    AUTO_BUF struct buf json = {0}, name = {0};
    AUTO_VALUE struct value *answer = NULL;
    if (!task_check(map, &context->args, err) || !name_make(&name, err))
        return FAILED;
    call_begin(&json, "spawn");
    call_text(&json, "name", buf_str(&name));
    if (!add_worker(map, &context->args, &json, err) || !call_ask(context, &json, &answer, err))
        return FAILED;
    buf_add_char(&name, '\n');
    return output_write(&name, err) ? 0 : FAILED;
}
