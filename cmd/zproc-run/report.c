/* What a run tells people: the order of a dry run, the summary at the end. */
#include "run_priv.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- --dry-run ---- */

/* A worker comes after everything that it needs; 0 is the first round. */
static size_t *worker_rounds(const struct plan *plan, size_t *last)
{
    size_t *rounds = mem_array(plan->worker_count + 1, sizeof *rounds);
    *last = 0;
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < plan->worker_count; i++)
            for (size_t n = 0; n < plan->workers[i].need_count; n++) {
                size_t least = rounds[plan->workers[i].needs[n].worker] + 1;
                if (rounds[i] >= least)
                    continue;
                rounds[i] = least;
                *last = least > *last ? least : *last;
                changed = true;
            }
    }
    return rounds;
}

/* What can be filled in before anything runs. */
static struct value *known_names(const struct plan *plan, const struct plan_worker *worker,
                                 const struct plan_row *row)
{
    struct value *names = value_map();
    map_set(names, STR("vars"), plan->vars ? value_ref(plan->vars) : value_map());
    map_set(names, STR("worker"), value_string(str_of(worker->name)));
    if (row)
        map_set(names, STR("matrix"), value_ref(row->values));
    return names;
}

static void add_command(struct buf *buf, const struct plan_command *command, const struct value *names)
{
    struct expr_scope scope = {.args = names, .quote = true};
    struct err err;
    for (size_t i = 0; i < command->words.count; i++) {
        const struct plan_text *word = &command->words.items[i];
        AUTO_BUF struct buf filled = {0};
        bool known = word->template && template_expand(word->template, &scope, &filled, &err);
        struct str text = known ? buf_str(&filled) : str_of(word->raw);
        const char *newline = memchr(text.data, '\n', text.len);
        bool more = newline && newline + 1 < text.data + text.len;
        if (newline)
            text.len = (size_t)(newline - text.data);
        buf_add_text(buf, i > 0 ? " " : "");
        view_add_clean(buf, text);
        buf_add_text(buf, more ? " …" : "");
    }
}

static void add_needs(struct buf *buf, const struct plan *plan, const struct plan_worker *worker)
{
    static const char *const words[] = {[NEED_STARTED] = "started",
                                        [NEED_READY] = "ready",
                                        [NEED_SUCCEEDED] = "succeeded",
                                        [NEED_FAILED] = "failed",
                                        [NEED_ENDED] = "ended"};
    for (size_t i = 0; i < worker->need_count; i++)
        buf_add_format(buf, "%s%s %s", i > 0 ? ", " : "after ", plan->workers[worker->needs[i].worker].name,
                       words[worker->needs[i].is]);
    if (worker->when) {
        buf_add_text(buf, worker->need_count > 0 ? ", when " : "when ");
        buf_add_str(buf, expr_text(worker->when));
    }
}

static const char *worker_kind(const struct plan_worker *worker)
{
    return !worker->start                                ? "not started"
           : worker->trigger.condition == CONDITION_TIME ? "schedule"
           : worker->trigger.given                       ? "trigger"
           : worker->service                             ? "service"
                                                         : "job";
}

/* As far as they are known before anything has run. */
static void learn_secrets(struct run *run)
{
    for (size_t i = 0; i < run->plan->worker_count; i++) {
        struct environment env = {0};
        const struct plan_worker *worker = &run->plan->workers[i];
        struct task task = {.worker = worker, .parent = SUP_NO_TASK};
        struct scope scope = {.run = run, .task = &task, .env = &env};
        size_t row = 0;
        do {
            task.row = worker->row_count ? &worker->rows[row] : NULL;
            launch_environment(&scope, false, NULL);
            secrets_learn(run, worker, &env, NULL);
            environment_release(&env);
        } while (++row < worker->row_count);
    }
}

static void add_instance(struct view_table *table, const struct plan *plan, const struct plan_worker *worker,
                         const struct plan_row *row)
{
    AUTO_BUF struct buf name = {0}, command = {0}, needs = {0};
    AUTO_VALUE struct value *names = known_names(plan, worker, row);
    buf_add_format(&name, "%s%s", worker->name, row ? row->label : "");
    if (worker->replicas > 1)
        buf_add_format(&name, " x%d", worker->replicas);
    if (worker->launcher)
        buf_add_format(&command, "%s: ", worker->launcher->name);
    add_command(&command, &worker->run, names);
    add_needs(&needs, plan, worker);
    view_table_add(table, VIEW_PLAIN, name.data);
    view_table_add(table, VIEW_PLAIN, worker_kind(worker));
    view_table_add(table, VIEW_PLAIN, needs.data ? needs.data : "at once");
    view_table_add(table, VIEW_PLAIN, command.data ? command.data : "");
}

static void print_plan(const struct plan *plan, struct buf *buf)
{
    size_t last;
    size_t *rounds = worker_rounds(plan, &last);
    struct view_table table = {.columns = 4, .width = fd_columns(STDOUT_FILENO)};
    for (size_t round = 0; round <= last; round++)
        for (size_t i = 0; i < plan->worker_count; i++) {
            const struct plan_worker *worker = &plan->workers[i];
            if (rounds[i] != round)
                continue;
            if (worker->row_count == 0)
                add_instance(&table, plan, worker, NULL);
            for (size_t row = 0; row < worker->row_count; row++)
                add_instance(&table, plan, worker, &worker->rows[row]);
        }
    view_table_print(buf, &table, false);
    view_table_release(&table);
    free(rounds);
}

void report_plan(struct run *run, struct buf *buf)
{
    AUTO_BUF struct buf text = {0}, space = {0};
    sink_open(&run->errors, run, STDERR_FILENO);
    learn_secrets(run);
    sink_close(&run->errors);
    print_plan(run->plan, &text);
    buf_add_str(buf, secrets_hide(run, buf_str(&text), &space));
    mask_release(&run->mask);
    table_release(&run->short_secrets);
}

/* ---- The summary ---- */

static struct view_worker describe(const struct sup_task *info, const struct task *task)
{
    bool started = info->started_mono_ms > 0;
    int64_t end = info->ended_mono_ms > 0 ? info->ended_mono_ms : time_now_ms();
    return (struct view_worker){
        .name = info->name,
        .worker = strcmp(info->name, info->worker->name) != 0 ? info->worker->name : NULL,
        .status = sup_state_name(info->state),
        .reason = info->reason,
        .log = task->log ? task->log : "",
        .result = info->result,
        .tail = task->worker->log.hide ? (struct str){0} : buf_str(&task->tail),
        .attempts = info->attempt,
        .exit = info->status,
        .signal = info->signal,
        .duration_ms = started ? end - info->started_mono_ms : -1,
        .runs = info->worker->trigger.given ? info->runs : -1,
        .flaky = info->flaky,
        .optional = info->worker->optional,
    };
}

void report_summary(struct run *run)
{
    const struct options *options = run->options;
    struct view_worker *workers = mem_array(run->tasks.count + 1, sizeof *workers);
    struct view_summary summary = {.name = run->plan->name,
                                   .id = run->id,
                                   .exit = run->status,
                                   .duration_ms = time_now_ms() - run->started_ms,
                                   .workers = workers,
                                   .width = fd_columns(STDERR_FILENO)};
    struct sup_place place = {0};
    for (struct sup_task info; sup_next(run->sup, &place, &info);)
        workers[summary.count++] = describe(&info, run_task(run, info.ref.task));
    AUTO_BUF struct buf text = {0};
    export_summary(run, &summary);
    bool quiet = (options->quiet || options->command) && run->status == 0;
    if (options->json) {
        view_summary_json(&text, &summary);
        sink_add(&run->out, buf_str(&text));
    } else if (!quiet) {
        sink_flush(&run->out, run->lossy ? time_now_ms() : -1);
        view_summary_print(&text, &summary, run->colour);
        if (run->github)
            view_github_failures(&text, &summary);
        sink_add(&run->errors, buf_str(&text));
    }
    free(workers);
}
