/* The items of maps: read from where the manifest says when the worker starts, and kept until it is
 * forgotten.
 */
#include "run_priv.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>

#define SOURCE_MAX   (256 << 20) /* bytes of a file or of a command's output */
#define VARIABLE_MAX (64 * 1024) /* a longer item is passed as a file */

struct items {
    struct run *run;
    uint32_t task;
    struct str *texts; /* into bytes; NULL: the numbers from 0 */
    size_t count, capacity;
    struct buf bytes;
    struct value *list;  /* what texts of a list point into */
    struct ask *ask;     /* for the key */
    struct child *child; /* of `run`; it comes back to items_ended */
    struct buf errors;   /* its last words */
    bool dropped;        /* nobody wants them any more; to be freed with the child */
};

static void items_free(struct items *items)
{
    free(items->texts);
    buf_release(&items->bytes);
    buf_release(&items->errors);
    value_unref(items->list);
    free(items);
}

static void items_add(struct items *items, struct str text)
{
    mem_grow(items->texts, items->capacity, items->count);
    items->texts[items->count++] = text;
}

/* ---- What comes of it ---- */

static void items_refuse(struct items *items, const char *why)
{
    run_event(items->run, (struct sup_event){
                              .kind = SUP_ITEMS_FAILED, .ref = {.task = items->task}, .text = str_of(why)});
}

static void items_come(struct items *items, const struct plan_map *map)
{
    size_t count = items->count;
    if (map->has_args && map->arg_count < count)
        count = map->arg_count;
    if (map->has_env && map->env_count < count)
        count = map->env_count;
    run_event(
        items->run,
        (struct sup_event){.kind = SUP_ITEMS_COME, .ref = {.task = items->task}, .number = (int64_t)count});
}

static void split_lines(struct items *items)
{
    struct str rest = buf_str(&items->bytes);
    while (rest.len > 0) {
        const char *newline = memchr(rest.data, '\n', rest.len);
        size_t len = newline ? (size_t)(newline - rest.data) : rest.len;
        items_add(items, (struct str){rest.data, len});
        rest.data += len + (newline != NULL);
        rest.len -= len + (newline != NULL);
    }
}

/* ---- Lists ---- */

/* Texts that are no strings are made first: bytes moves while it grows. */
static void add_list(struct items *items)
{
    size_t count = value_len(items->list);
    size_t *ends = mem_array(count + 1, sizeof *ends);
    for (size_t i = 0; i < count; i++) {
        const struct value *value = list_at(items->list, i);
        if (value_type(value) != VALUE_STRING)
            value_print(&items->bytes, value);
        ends[i] = items->bytes.len;
    }
    for (size_t i = 0, at = 0; i < count; at = ends[i++]) {
        const struct value *value = list_at(items->list, i);
        bool text = value_type(value) == VALUE_STRING;
        items_add(items, text ? value_as_str(value) : (struct str){items->bytes.data + at, ends[i] - at});
    }
    free(ends);
}

static void key_answered(struct run *run, struct task *task, int64_t tag, struct reply *reply)
{
    struct items *items = task->items;
    const struct plan_map *map = &task->worker->map;
    AUTO_BUF struct buf why = {0};
    (void)run;
    (void)tag;
    items->list = reply->ok ? value_parse(reply->value, NULL) : NULL;
    if (items->list && value_type(items->list) == VALUE_LIST) {
        add_list(items);
        items_come(items, map);
        return;
    }
    if (!reply->ok)
        buf_add_format(&why, "key '%s': %s", map->key, reply->error.message);
    else
        buf_add_format(&why, "key '%s' is no list", map->key);
    items_refuse(items, why.data);
}

static void ask_key(struct items *items, struct task *task)
{
    struct request request = {.operation = OP_get};
    request_set_str(&request, FIELD_ns, str_of(task->worker->namespace));
    request_set_str(&request, FIELD_key, str_of(task->worker->map.key));
    state_keep(&items->ask, state_ask(items->run, &request, (struct str){0}, key_answered, task->number, 0));
}

/* ---- Files ---- */

static char *path_of(const struct run *run, const struct task *task, const struct plan_text *text,
                     struct err *err)
{
    struct environment env = {0};
    struct scope scope = {.run = (struct run *)run, .task = task, .env = &env};
    AUTO_BUF struct buf path = {0};
    bool ok = launch_environment(&scope, false, err) && scope_expand(&scope, text, &path, err);
    environment_release(&env);
    return ok ? buf_detach(&path) : NULL;
}

static bool read_file(struct items *items, const struct task *task, struct err *err)
{
    const struct plan_text *text = &task->worker->map.lines;
    AUTO_FREE char *name = path_of(items->run, task, text, err);
    if (!name)
        return false;
    AUTO_FREE char *path = name[0] == '/' ? mem_text(name) : mem_format("%s/%s", text->folder, name);
    if (!file_read(path, SOURCE_MAX, &items->bytes, err))
        return false;
    split_lines(items);
    return true;
}

/* The pattern's own folder is taken as it is. */
static void add_plain(struct buf *pattern, const char *text)
{
    for (; *text; text++) {
        if (strchr("*?[\\", *text))
            buf_add_char(pattern, '\\');
        buf_add_char(pattern, *text);
    }
}

static bool match_files(struct items *items, const struct task *task, struct err *err)
{
    const struct plan_text *text = &task->worker->map.glob;
    AUTO_FREE char *name = path_of(items->run, task, text, err);
    AUTO_BUF struct buf pattern = {0};
    glob_t found;
    if (!name)
        return false;
    size_t skip = name[0] == '/' ? 0 : strlen(text->folder) + 1;
    if (skip > 0) {
        add_plain(&pattern, text->folder);
        buf_add_char(&pattern, '/');
    }
    buf_add_text(&pattern, name);
    int result = glob(pattern.data, 0, NULL, &found);
    if (result != 0 && result != GLOB_NOMATCH)
        return err_set(err, ERR_INTERNAL, "cannot read the folders of '%s'", name);
    for (size_t i = 0; result == 0 && i < found.gl_pathc; i++) {
        buf_add_text(&items->bytes, found.gl_pathv[i] + skip);
        buf_add_char(&items->bytes, '\n');
    }
    if (result == 0)
        globfree(&found);
    split_lines(items);
    return true;
}

/* ---- A command ---- */

static void command_output(void *ctx, struct child *child, int stream, struct str bytes)
{
    struct items *items = ctx;
    struct buf *buf = stream == 1 ? &items->bytes : &items->errors;
    buf_add_str(buf, bytes);
    if (buf->len > (stream == 1 ? (size_t)SOURCE_MAX : 4096) && stream == 1)
        child_kill(child);
    else if (stream == 2 && buf->len > 8192)
        buf_consume(buf, buf->len - 4096);
}

static void command_ended(void *ctx, struct child *child, const struct child_end *end)
{
    struct items *items = ctx;
    struct task *task = run_task(items->run, items->task);
    AUTO_BUF struct buf why = {0};
    (void)child;
    items->child = NULL;
    if (items->dropped || !task) {
        items_free(items);
        return;
    }
    if (end->status == 0 && end->signal == 0 && items->bytes.len <= SOURCE_MAX) {
        split_lines(items);
        items_come(items, &task->worker->map);
        return;
    }
    if (items->bytes.len > SOURCE_MAX)
        buf_add_text(&why, "the command printed more than 256 MiB");
    else if (end->signal > 0)
        buf_add_format(&why, "the command was killed by signal %d", end->signal);
    else
        buf_add_format(&why, "the command's exit status is %d", end->status);
    while (items->errors.len > 0 && items->errors.data[items->errors.len - 1] == '\n')
        items->errors.len--;
    if (items->errors.len > 0)
        buf_add_format(&why, ": %.*s", (int)items->errors.len, items->errors.data);
    items_refuse(items, why.data);
}

static bool run_command(struct items *items, struct task *task, struct err *err)
{
    static const struct child_callbacks callbacks = {.output = command_output, .ended = command_ended};
    struct launch launch = {0};
    bool ok = launch_prepare(&launch, items->run, task, LAUNCH_ITEMS, err);
    if (ok)
        items->child = child_spawn(items->run->children, &launch.spec, &callbacks, items, err);
    launch_release(&launch);
    return items->child != NULL;
}

/* ---- For a map, and for its runs ---- */

static bool source_read(struct items *items, struct task *task, struct err *err)
{
    const struct plan_map *map = &task->worker->map;
    switch (map->source) {
    case MAP_ITEMS:
        items->list = value_ref(map->items);
        add_list(items);
        return true;
    case MAP_RANGE:
        items->count = (size_t)map->range;
        return true;
    case MAP_LINES:
        return read_file(items, task, err);
    case MAP_GLOB:
        return match_files(items, task, err);
    case MAP_KEY:
        ask_key(items, task);
        return true;
    case MAP_RUN:
        return run_command(items, task, err);
    }
    return false;
}

void items_read(struct run *run, struct task *task)
{
    struct err err;
    items_drop(run, task);
    struct items *items = mem_new(sizeof *items);
    *items = (struct items){.run = run, .task = task->number};
    task->items = items;
    if (!source_read(items, task, &err))
        items_refuse(items, err.message);
    else if (task->worker->map.source != MAP_KEY && task->worker->map.source != MAP_RUN)
        items_come(items, &task->worker->map);
}

void items_stop(struct run *run, struct task *task)
{
    struct items *items = task->items;
    if (!items)
        return;
    state_cancel(run, &items->ask);
    if (items->child)
        child_kill(items->child);
}

void items_drop(struct run *run, struct task *task)
{
    struct items *items = task->items;
    if (!items)
        return;
    items_stop(run, task);
    task->items = NULL;
    items->dropped = true;
    if (!items->child)
        items_free(items);
}

void items_text(const struct run *run, const struct task *task, struct buf *text)
{
    const struct task *parent = run_task(run, task->parent);
    const struct items *items = parent ? parent->items : NULL;
    if (!items || (size_t)task->item >= items->count)
        return;
    if (items->texts)
        buf_add_str(text, items->texts[task->item]);
    else
        buf_add_int(text, task->item);
}

bool items_variables(struct environment *env, const struct run *run, struct task *task, struct err *err)
{
    AUTO_BUF struct buf text = {0};
    char number[24];
    items_text(run, task, &text);
    bool is_long = text.len > VARIABLE_MAX || (text.len > 0 && memchr(text.data, '\0', text.len));
    if (is_long && !task->value && !(task->value = task_file(run, task, "item", buf_str(&text), err)))
        return false;
    snprintf(number, sizeof number, "%lld", (long long)task->item);
    environment_set(env, "ZPROC_ITEM", is_long || !text.data ? "" : text.data);
    environment_set(env, "ZPROC_ITEM_FILE", task->value);
    environment_set(env, "ZPROC_INDEX", number);
    return true;
}
