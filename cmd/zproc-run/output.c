/* What workers print: every byte into the log; lines with the worker's name, or as the user wants them, on
 * the console; the last line of stdout is the result; the end of stderr is kept for the summary. */
#include "run_priv.h"

#include <stdlib.h>

#define RESULT_MAX (64 * 1024)
#define LINE_BYTES (64 * 1024)       /* a longer line is shown in pieces */
#define HELD_MAX   (4 * 1024 * 1024) /* of a worker, for the modes that print at its end */
#define TAIL_MAX   4096

static char *log_path(struct run *run, const struct task *task, struct err *err)
{
    if (!task->worker->log.file.raw) {
        struct buf path = {0};
        buf_add_format(&path, "%s/", run->folder.run);
        file_name_add(&path, task);
        buf_add_text(&path, ".log");
        return buf_detach(&path);
    }
    struct environment env = {0};
    AUTO_BUF struct buf text = {0};
    environment_inherit(&env);
    struct scope scope = {.run = run, .task = task, .env = &env};
    bool ok = scope_expand(&scope, &task->worker->log.file, &text, err);
    environment_release(&env);
    if (!ok)
        return NULL;
    const char *path = text.data ? text.data : "";
    return path[0] == '/' ? mem_text(path) : mem_format("%s/%s", task->worker->log.file.folder, path);
}

static void open_log(struct output *output, struct task *task)
{
    struct err err;
    struct run *run = output->run;
    if (!run->folder.run)
        return;
    if (!task->log)
        task->log = log_path(run, task, &err);
    if (task->log)
        output->log = log_open(run, task->log, output->settings, &err);
    struct task *parent = run_task(run, task->parent);
    if (parent && task->log && !parent->log)
        parent->log = mem_text(task->log); /* the trigger's, which all of its runs write to */
    if (!output->log)
        run_say(run, 1, "%s: no log: %s", task->name, err.message);
}

void output_open(struct output *output, struct run *run, struct task *task)
{
    struct task *parent = run_task(run, task->parent);
    *output = (struct output){.run = run,
                              .name = task->name,
                              .worker = task->group,
                              .settings = &task->worker->log,
                              .tty = task->worker->tty ? task : NULL,
                              .wants_result = task->worker->result_stdout,
                              .tail = parent ? &parent->tail : &task->tail};
    open_log(output, task);
}

/* The last line of stdout so far, whether it has its newline yet or not. */
static void track_result(struct output *output, struct str bytes)
{
    const char *end = bytes.data + bytes.len;
    bool ended = end[-1] == '\n';
    const char *newline = memrchr(bytes.data, '\n', bytes.len - (ended ? 1 : 0));
    const char *start = newline ? newline + 1 : bytes.data;
    if (newline || output->last_ended) {
        buf_clear(&output->last);
        output->last_long = false;
    }
    output->last_ended = ended;
    size_t len = (size_t)(end - start) - (ended ? 1 : 0);
    if (output->last.len + len > RESULT_MAX)
        output->last_long = true;
    else
        buf_add(&output->last, start, len);
}

static void track_tail(struct buf *tail, struct str bytes)
{
    if (bytes.len > TAIL_MAX)
        bytes = (struct str){bytes.data + bytes.len - TAIL_MAX, TAIL_MAX};
    buf_add_str(tail, bytes);
    if (tail->len > (size_t)2 * TAIL_MAX)
        buf_consume(tail, tail->len - TAIL_MAX);
}

/* "baker  | " */
static void add_prefix(struct buf *buf, const struct output *output)
{
    const struct run *run = output->run;
    AUTO_BUF struct buf name = {0};
    buf_add_format(&name, "%-*s |", (int)run->name_width, output->name);
    view_paint(buf, view_name_colour(output->worker), buf_str(&name), run->colour_out);
    buf_add_char(buf, ' ');
}

static void add_line(struct buf *buf, const struct output *output, int stream, struct str prefix,
                     struct str line)
{
    if (output->run->options->output == OUTPUT_JSON) {
        view_line_json(buf, output->name, stream, line, time_wall_ms());
        return;
    }
    buf_add_str(buf, prefix);
    buf_add_str(buf, line);
    buf_add_char(buf, '\n');
}

/* Whole lines of bytes, decorated; what has no end yet stays in `partial`. */
static void add_lines(struct output *output, int stream, struct str bytes, struct buf *out)
{
    struct buf *partial = &output->lines[stream - 1];
    AUTO_BUF struct buf prefix = {0};
    add_prefix(&prefix, output);
    while (bytes.len > 0) {
        const char *newline = memchr(bytes.data, '\n', bytes.len);
        size_t len = newline ? (size_t)(newline - bytes.data) : bytes.len;
        if (newline && partial->len == 0) {
            add_line(out, output, stream, buf_str(&prefix), (struct str){bytes.data, len});
        } else {
            buf_add(partial, bytes.data, len);
            if (newline || partial->len >= LINE_BYTES) {
                add_line(out, output, stream, buf_str(&prefix), buf_str(partial));
                buf_clear(partial);
            }
        }
        size_t step = newline ? len + 1 : len;
        bytes = (struct str){bytes.data + step, bytes.len - step};
    }
}

static void hold(struct output *output, const struct buf *text)
{
    if (output->held.len + text->len > HELD_MAX)
        output->dropped += text->len;
    else
        buf_add_str(&output->held, buf_str(text));
}

static void show(struct output *output, int stream, struct str bytes)
{
    struct run *run = output->run;
    enum output_mode mode = run->options->output;
    if (mode == OUTPUT_QUIET || output->settings->hide)
        return;
    if (mode == OUTPUT_RAW) {
        sink_add(stream == 2 ? &run->errors : &run->out, bytes);
        return;
    }
    AUTO_BUF struct buf lines = {0};
    add_lines(output, stream, bytes, &lines);
    if (mode == OUTPUT_GROUP || mode == OUTPUT_FAILED)
        hold(output, &lines);
    else
        sink_add(&run->out, buf_str(&lines));
}

static void take(struct output *output, int stream, struct str bytes)
{
    if (bytes.len == 0)
        return;
    output->last_ms = time_now_ms();
    if (output->log && output->settings->timestamps)
        log_lines(output->log, &output->unlogged[stream - 1], bytes);
    else if (output->log)
        log_bytes(output->log, bytes);
    if (output->tty)
        terminal_add(output->run, output->tty, bytes);
    if (stream == 1 && output->wants_result)
        track_result(output, bytes);
    if (stream == 2)
        track_tail(output->tail, bytes);
    show(output, stream, bytes);
}

void output_bytes(struct output *output, int stream, struct str bytes)
{
    const struct mask *mask = &output->run->mask;
    if (mask->count == 0) {
        take(output, stream, bytes);
        return;
    }
    AUTO_BUF struct buf shown = {0};
    mask_feed(mask, &output->shown[stream - 1], bytes, &shown);
    take(output, stream, buf_str(&shown));
}

/* What looked like the beginning of a secret was none. */
static void end_mask(struct output *output, int stream)
{
    AUTO_BUF struct buf shown = {0};
    mask_end(&output->shown[stream - 1], &shown);
    take(output, stream, buf_str(&shown));
}

void output_end(struct output *output, bool failed)
{
    enum output_mode mode = output->run->options->output;
    end_mask(output, 1);
    end_mask(output, 2);
    for (int stream = 1; stream <= 2; stream++)
        if (output->lines[stream - 1].len > 0)
            show(output, stream, STR("\n"));
    if (output->dropped > 0) {
        AUTO_BUF struct buf note = {0};
        AUTO_FREE char *text = mem_format("(%zu bytes more in the log)\n", output->dropped);
        add_lines(output, 1, str_of(text), &note);
        buf_add_str(&output->held, buf_str(&note));
    }
    if (output->held.len > 0 && (mode == OUTPUT_GROUP || (mode == OUTPUT_FAILED && failed))) {
        AUTO_BUF struct buf group = {0};
        if (output->run->github)
            view_github_group(&group, output->name, buf_str(&output->held));
        sink_add(&output->run->out, buf_str(output->run->github ? &group : &output->held));
    }
    buf_clear(&output->held);
}

void result_print(struct buf *json, struct str line)
{
    AUTO_VALUE struct value *value = value_parse(line, NULL);
    if (value) {
        value_print(json, value);
        return;
    }
    AUTO_BUF struct buf mended = {0};
    view_add_utf8(&mended, line);
    string_print(json, buf_str(&mended));
}

void output_result(const struct output *output, struct buf *json)
{
    if (!output->wants_result || output->last_long || (output->last.len == 0 && !output->last_ended))
        return;
    struct str last = buf_str(&output->last);
    if (output->tty && last.len > 0 && last.data[last.len - 1] == '\r')
        last.len--; /* lines of a terminal end in CR LF */
    result_print(json, last);
}

void output_release(struct output *output)
{
    for (int i = 0; i < 2; i++) {
        mask_stream_release(&output->shown[i]);
        if (output->log)
            log_flush(output->log, &output->unlogged[i]);
        buf_release(&output->unlogged[i]);
        buf_release(&output->lines[i]);
    }
    log_close(output->log);
    buf_release(&output->held);
    buf_release(&output->last);
}

void output_pause(struct run *run, bool paused)
{
    if (run->paused == paused)
        return;
    run->paused = paused;
    for (struct process *process = run->processes; process; process = process->next)
        child_pause(process->child, paused);
}
