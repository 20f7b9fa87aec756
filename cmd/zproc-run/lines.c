/* Maps whose processes stay: each takes an item as a line of input, and answers with a line of output. To sup
 * an item is a task with a process of its own: it is spawned when a process has got it, and has ended when
 * its line has come. A process has one item at a time, so that nobody else's is lost with it. */
#include "run_priv.h"

#include <stdlib.h>

#define LOOK_MS        2000        /* without a first answer, before a process is looked at */
#define LINE_MAX_BYTES (64 * 1024) /* a longer one is no result */

struct line {
    bool busy; /* it has the item of process->ref */
    bool lost; /* it printed a line too many: what it prints is not looked at any more */
    bool ends; /* its input has ended */
    bool told; /* we have sent it a signal */
    bool answered;
    struct buf text;
    struct timer *timer;
    struct process *idle_next;
};

void line_free(struct line *line)
{
    if (!line)
        return;
    if (line->timer)
        timer_free(line->timer);
    buf_release(&line->text);
    free(line);
}

static bool is_of(const struct process *process, const struct task *map)
{
    return process->line && process->task == map;
}

/* ---- Those that wait for an item ---- */

static void idle_push(struct process *process)
{
    process->line->idle_next = process->task->idle;
    process->task->idle = process;
}

static void idle_remove(struct process *process)
{
    for (struct process **place = &process->task->idle; *place; place = &(*place)->line->idle_next)
        if (*place == process) {
            *place = process->line->idle_next;
            return;
        }
}

static struct process *idle_pop(struct task *map)
{
    struct process *process = map->idle;
    if (process)
        map->idle = process->line->idle_next;
    return process;
}

/* ---- Its timer: the first answer, then its end ---- */

static void line_tell(struct process *process)
{
    struct line *line = process->line;
    if (line->told) {
        child_kill(process->child);
        return;
    }
    line->told = true;
    child_signal(process->child, process->task->worker->stop.signal);
    timer_set(line->timer, time_now_ms() + process->task->worker->stop.grace_ms);
}

/* Many programs keep their output back until there is much of it: there will never be. */
static void line_look(struct process *process)
{
    struct task *map = process->task;
    if (map->lines_warned)
        return;
    map->lines_warned = child_hungry(process->child);
    if (!map->lines_warned)
        timer_set(process->line->timer, time_now_ms() + LOOK_MS);
    else
        run_say(process->run, 1,
                "%s: a process has read its item and waits for more without having answered; it may keep its "
                "output in a buffer, and must write each line at once (sed -u, grep --line-buffered, "
                "python3 -u, fflush)",
                map->name);
}

static void line_due(void *ctx)
{
    struct process *process = ctx;
    if (process->line->ends)
        line_tell(process);
    else
        line_look(process);
}

static void line_end(struct process *process, bool now)
{
    struct line *line = process->line;
    if (line->ends || line->lost)
        return;
    line->ends = true;
    idle_remove(process);
    child_feed_end(process->child);
    if (now)
        line_tell(process);
    else
        timer_set(line->timer, time_now_ms() + process->task->worker->stop.grace_ms);
}

/* What it has been given it cannot answer any more. */
static void line_silent(void *ctx, struct child *child)
{
    struct process *process = ctx;
    (void)child;
    line_end(process, process->line->busy);
}

/* ---- Giving ---- */

static void line_ended(void *ctx, struct child *child, const struct child_end *end)
{
    (void)child;
    lines_ended(ctx, end);
}

/* A new one; it is told apart by the number of its first item. */
static struct process *line_start(struct run *run, struct task *map, struct sup_ref ref, struct err *err)
{
    static const struct child_callbacks callbacks = {
        .output = process_output, .ended = line_ended, .silent = line_silent};
    struct launch launch = {.own_number = true, .number = ref.task};
    struct process *process = NULL;
    if (launch_prepare(&launch, run, map, LAUNCH_WORKER, err)) {
        launch.spec.input = CHILD_STDIN_PIPE;
        process = process_new(run, map, ref);
        process->output.wants_result = false;
        process->line = mem_new(sizeof *process->line);
        bool bound = bound_open(run, map, &process->bound, err);
        launch.spec.bound = process->bound;
        process->child = bound ? child_spawn(run->children, &launch.spec, &callbacks, process, err) : NULL;
    }
    launch_release(&launch);
    if (process && !process->child) {
        process_free(process);
        return NULL;
    }
    if (process) {
        process->line->timer = timer_new(run->loop, line_due, process);
        timer_set(process->line->timer, time_now_ms() + LOOK_MS);
        child_pause(process->child, run->paused);
    }
    return process;
}

void lines_give(struct run *run, struct task *task, struct sup_ref ref)
{
    struct task *map = run_task(run, task->parent);
    AUTO_BUF struct buf text = {0};
    struct err err;
    items_text(run, task, &text);
    if (text.len > 0 && memchr(text.data, '\n', text.len)) {
        spawn_failed(run, ref, 125, "the item has a line break, and 'mode: lines' gives each item as a line");
        return;
    }
    struct process *process = idle_pop(map);
    if (!process)
        process = line_start(run, map, ref, &err);
    if (!process) {
        int status = err.code == ERR_NOT_FOUND ? 127 : err.code == ERR_DENIED ? 126 : 125;
        spawn_failed(run, ref, status, err.message);
        return;
    }
    process->ref = ref;
    process->line->busy = true;
    task->process = process;
    buf_add_char(&text, '\n');
    child_feed(process->child, buf_str(&text));
    run_event(run, (struct sup_event){.kind = SUP_SPAWNED, .ref = ref, .pid = child_pid(process->child)});
}

/* ---- Taking ---- */

static void lines_fail(struct process *process, int status, const char *why)
{
    run_event(process->run, (struct sup_event){.kind = SUP_LINES_FAILED,
                                               .ref = {.task = process->task->number},
                                               .status = status,
                                               .text = str_of(why)});
}

/* From here on nobody knows which line belongs to which item. */
static void surplus(struct process *process, struct str bytes)
{
    const char *newline = memchr(bytes.data, '\n', bytes.len);
    struct str line = {bytes.data, newline ? (size_t)(newline - bytes.data) : bytes.len};
    AUTO_FREE char *why =
        mem_format("a process printed a line that no item asked for ('%.*s'): 'mode: lines' needs a "
                   "line of output for each line of input",
                   STR_ARG(line));
    idle_remove(process);
    process->line->lost = process->line->told = true;
    child_kill(process->child);
    lines_fail(process, 125, why);
}

/* The item is done, and the process free for another one. */
static void item_end(struct process *process, struct sup_event event)
{
    struct task *task = run_task(process->run, process->ref.task);
    process->line->busy = false;
    if (task && task->process == process)
        task->process = NULL;
    event.ref = process->ref;
    process->ref = (struct sup_ref){SUP_NO_TASK, 1};
    run_event(process->run, event);
}

static void line_print(const struct process *process, struct buf *json)
{
    const struct buf *text = &process->line->text;
    if (process->task->worker->result_stdout && text->len <= LINE_MAX_BYTES)
        result_print(json, buf_str(text));
}

void lines_output(struct process *process, struct str bytes)
{
    struct line *line = process->line;
    if (line->lost || process->stopping)
        return;
    if (!line->busy) {
        surplus(process, bytes);
        return;
    }
    const char *newline = memchr(bytes.data, '\n', bytes.len);
    size_t len = newline ? (size_t)(newline - bytes.data) : bytes.len;
    if (line->text.len <= LINE_MAX_BYTES)
        buf_add(&line->text, bytes.data, len);
    if (!newline)
        return;
    if (!line->answered)
        timer_set(line->timer, -1);
    line->answered = true;
    AUTO_BUF struct buf json = {0};
    struct str rest = {newline + 1, bytes.len - len - 1};
    line_print(process, &json);
    buf_clear(&line->text);
    if (rest.len > 0)
        surplus(process, rest);
    else
        idle_push(process);
    item_end(process, (struct sup_event){.kind = SUP_ENDED, .text = buf_str(&json)});
}

/* ---- The end ---- */

static bool any_left(const struct run *run, const struct task *map)
{
    for (const struct process *process = run->processes; process; process = process->next)
        if (map ? is_of(process, map) : process->line != NULL)
            return true;
    return false;
}

static void tell_ended(struct run *run, struct task *map)
{
    if (!map->lines_end || any_left(run, map))
        return;
    map->lines_end = false;
    run_event(run, (struct sup_event){.kind = SUP_LINES_ENDED, .ref = {.task = map->number}});
}

static void end_without_item(struct process *process, const struct child_end *end)
{
    AUTO_FREE char *why =
        end->signal > 0 ? mem_format("a process was ended by signal %d after its last item", end->signal)
                        : mem_format("a process failed after its last item: exit status %d", end->status);
    idle_remove(process);
    if (!process->line->told && !process->stopping && !process_succeeded(process->task->worker, end))
        lines_fail(process, end->signal > 0 ? 128 + end->signal : end->status, why);
}

/* A last line needs no newline. */
static void end_with_item(struct process *process, const struct child_end *end)
{
    AUTO_BUF struct buf json = {0}, bound = {0};
    AUTO_FREE char *why =
        mem_format("exit status %d, without a line for this item", end->signal > 0 ? 0 : end->status);
    bool undone = process->line->text.len == 0 && process_succeeded(process->task->worker, end);
    bound_explain(process, &bound);
    struct sup_event event = {
        .kind = SUP_ENDED, .status = end->status, .signal = end->signal, .why = buf_str(&bound)};
    if (undone && !process->stopping)
        event = (struct sup_event){.kind = SUP_UNDONE, .text = str_of(why)};
    else if (process->line->text.len > 0)
        line_print(process, &json);
    if (json.len > 0)
        event.text = buf_str(&json);
    item_end(process, event);
}

void lines_ended(struct process *process, const struct child_end *end)
{
    struct run *run = process->run;
    struct task *map = process->task;
    if (end->left)
        run_say(run, 1, "%s: could not end %s", map->name, end->left);
    output_end(&process->output, !process_succeeded(map->worker, end));
    map->held++;
    if (process->line->busy)
        end_with_item(process, end);
    else
        end_without_item(process, end);
    process_free(process);
    tell_ended(run, map);
    map->held--;
    task_drop(run, map);
    run_wake(run);
}

/* Those that have an item are stopped as that is. */
static void each_end(struct run *run, const struct task *map, bool now)
{
    for (struct process *process = run->processes; process; process = process->next)
        if (is_of(process, map) && !process->line->busy)
            line_end(process, now);
}

void lines_end(struct run *run, struct task *map)
{
    map->lines_end = true;
    each_end(run, map, false);
    tell_ended(run, map);
}

void lines_stop(struct run *run, struct task *map)
{
    map->lines_end = false;
    each_end(run, map, true);
}

static bool none_left(const struct run *run)
{
    return !any_left(run, NULL);
}

void lines_settle(struct run *run)
{
    if (any_left(run, NULL))
        run_until(run, none_left, time_now_ms() + run->plan->run.stop_grace_ms);
}
