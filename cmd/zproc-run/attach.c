/* Terminals of workers with `tty`: what they print is kept for a screenful or more, and given to who is
 * attached:
 * {"do": "attach.read", "name", "at"} waits for what comes behind `at` (without it: the last `rows` lines),
 * "attach.write" types, "attach.resize" sets the size. Any number may be attached. */
#include "run_priv.h"

#include <stdlib.h>

#define KEPT_BYTES  (256 * 1024)
#define WRITE_BYTES (64 * 1024)
#define ROWS        24
#define CLOSE_MS    2000 /* that the end of the run waits for who is attached to ask for the rest */
#define SILENT_MS   2000 /* who has not asked for so long does not any more */

/* Who is attached, and waits. */
struct viewer {
    int64_t call, at;
    struct viewer *next;
};
struct terminal {
    struct buf bytes;
    int64_t end; /* how many there have been */
    struct viewer *viewers;
};

void terminal_free(struct terminal *terminal)
{
    if (!terminal)
        return;
    for (struct viewer *viewer = terminal->viewers, *next; viewer; viewer = next) {
        next = viewer->next;
        free(viewer);
    }
    buf_release(&terminal->bytes);
    free(terminal);
}

static struct terminal *terminal_of(struct task *task)
{
    if (!task->terminal)
        task->terminal = mem_new(sizeof *task->terminal);
    return task->terminal;
}

/* Where the last rows begin. */
static int64_t screen_start(const struct terminal *terminal, int64_t rows)
{
    const struct buf *bytes = &terminal->bytes;
    size_t at = bytes->len;
    while (at > 0 && (bytes->data[at - 1] != '\n' || rows-- > 0))
        at--;
    return terminal->end - (int64_t)(bytes->len - at);
}

static void add_end(struct run *run, const struct task *task, struct buf *json, bool *ended)
{
    struct sup_task info;
    bool there = sup_task_at(run->sup, task->number, &info);
    *ended = run->over || !there || (sup_state_final(info.state) && !task->process);
    buf_add_format(json, ",\"ended\":%s", *ended ? "true" : "false");
    if (there && *ended)
        buf_add_format(json, ",\"exit\":%d", info.status < 0 ? 1 : info.status);
}

/* Answers, unless there is nothing to say. */
static bool answer(struct run *run, struct task *task, int64_t call, int64_t at)
{
    const struct terminal *terminal = terminal_of(task);
    int64_t start = terminal->end - (int64_t)terminal->bytes.len;
    size_t skip = at > start ? (size_t)(at - start) : 0;
    AUTO_BUF struct buf json = {0};
    bool ended;
    if (skip > terminal->bytes.len)
        skip = terminal->bytes.len;
    buf_add_format(&json, "{\"at\":%lld,\"data\":\"", (long long)terminal->end);
    base64_add(&json, (struct str){buf_str(&terminal->bytes).data + skip, terminal->bytes.len - skip});
    buf_add_char(&json, '"');
    add_end(run, task, &json, &ended);
    buf_add_char(&json, '}');
    if (skip == terminal->bytes.len && !ended)
        return false;
    call_answer(run, call, buf_str(&json));
    run->attached.owed += !ended;
    run->attached.last_ms = time_now_ms();
    return true;
}

void terminal_check(struct run *run, struct task *task)
{
    struct viewer **at = task->terminal ? &task->terminal->viewers : NULL;
    while (at && *at) {
        struct viewer *viewer = *at;
        if (!answer(run, task, viewer->call, viewer->at)) {
            at = &viewer->next;
            continue;
        }
        *at = viewer->next;
        free(viewer);
    }
}

void terminal_add(struct run *run, struct task *task, struct str bytes)
{
    struct terminal *terminal = terminal_of(task);
    buf_add_str(&terminal->bytes, bytes);
    terminal->end += (int64_t)bytes.len;
    if (terminal->bytes.len > (size_t)2 * KEPT_BYTES)
        buf_consume(&terminal->bytes, terminal->bytes.len - KEPT_BYTES);
    terminal_check(run, task);
}

/* ---- Requests ---- */

static int64_t number_of(const struct value *request, const char *field, int64_t otherwise)
{
    const struct value *value = map_get(request, str_of(field));
    return value && value_type(value) == VALUE_INT ? value_as_int(value) : otherwise;
}

/* The worker that is meant; NULL: the call was refused. */
static struct task *find(struct run *run, int64_t call, const struct value *request)
{
    const struct value *name = map_get(request, STR("name"));
    struct str text = name ? value_as_str(name) : STR("");
    struct task *task = pick_instance(run, text);
    struct err err;
    if (task && task->worker->tty)
        return task;
    if (task)
        err_set(&err, ERR_INVALID, "'%.*s' has no terminal; give it 'tty: true' in the manifest",
                STR_ARG(text));
    else
        err_set(&err, ERR_INVALID, "this run has no worker '%.*s'; 'zproc ps' lists them", STR_ARG(text));
    call_refuse(run, call, &err);
    return NULL;
}

void ask_attach_read(struct run *run, int64_t call, const struct value *request)
{
    struct task *task = find(run, call, request);
    if (!task)
        return;
    struct terminal *terminal = terminal_of(task);
    int64_t at = number_of(request, "at", -1);
    if (at >= 0 && run->attached.owed > 0)
        run->attached.owed--;
    if (at < 0)
        at = screen_start(terminal, number_of(request, "rows", ROWS));
    if (answer(run, task, call, at))
        return;
    struct viewer *viewer = mem_new(sizeof *viewer);
    *viewer = (struct viewer){.call = call, .at = at, .next = terminal->viewers};
    terminal->viewers = viewer;
}

void ask_attach_write(struct run *run, int64_t call, const struct value *request)
{
    struct task *task = find(run, call, request);
    const struct value *data = map_get(request, STR("data"));
    AUTO_BUF struct buf bytes = {0};
    struct err err;
    if (!task)
        return;
    if (!data || value_len(data) > WRITE_BYTES * 2 || !base64_read(&bytes, value_as_str(data))) {
        err_set(&err, ERR_INVALID, "what is typed must be base64, %d bytes at most", WRITE_BYTES);
        call_refuse(run, call, &err);
        return;
    }
    if (task->process && !child_write(task->process->child, buf_str(&bytes))) {
        err_set(&err, ERR_BUSY, "'%s' does not read what is typed", task->name);
        call_refuse(run, call, &err);
        return;
    }
    call_answer(run, call, STR("{}"));
}

void ask_attach_resize(struct run *run, int64_t call, const struct value *request)
{
    struct task *task = find(run, call, request);
    if (!task)
        return;
    int64_t rows = number_of(request, "rows", 0), columns = number_of(request, "columns", 0);
    struct err err;
    if (rows < 1 || rows > 10000 || columns < 1 || columns > 10000) {
        err_set(&err, ERR_INVALID, "a terminal has 1 to 10000 rows and columns");
        call_refuse(run, call, &err);
        return;
    }
    task->rows = (int)rows;
    task->columns = (int)columns;
    const struct value *redraw = map_get(request, STR("redraw"));
    /* A program that fills the screen draws it again when its size changes. */
    if (task->process && redraw && value_truthy(redraw) && rows > 1)
        child_resize(task->process->child, task->rows - 1, task->columns);
    if (task->process)
        child_resize(task->process->child, task->rows, task->columns);
    call_answer(run, call, STR("{}"));
}

/* ---- The end ---- */

static bool none_asks(const struct run *run)
{
    bool silent = time_now_ms() - run->attached.last_ms > SILENT_MS;
    return (run->attached.owed == 0 || silent) && state_quiet(run);
}

void terminals_close(struct run *run)
{
    if (run->attached.owed > 0)
        run_until(run, none_asks, time_now_ms() + CLOSE_MS);
}
