/* The run: events go into sup_step, its effects are carried out, until it says that all has ended. */
#include "run_priv.h"

#include <stdlib.h>
#include <unistd.h>

#define END_MS     1000 /* for what is done after the last worker has ended */
#define LATE_MS    50
#define LATE_TURNS 3 /* of the loop */

static struct str number_key(const uint32_t *number)
{
    return (struct str){(const char *)number, sizeof *number};
}

struct task *run_task(const struct run *run, uint32_t number)
{
    return table_get(&run->tasks, number_key(&number));
}

void run_say(struct run *run, int level, const char *format, ...)
{
    va_list args;
    AUTO_BUF struct buf text = {0}, line = {0}, space = {0};
    va_start(args, format);
    buf_add_vformat(&text, format, args);
    va_end(args);
    view_paint(&line,
               level == 2   ? VIEW_RED
               : level == 1 ? VIEW_YELLOW
                            : VIEW_DIM,
               STR("zproc: "), run->colour);
    buf_add_str(&line, secrets_hide(run, buf_str(&text), &space));
    buf_add_char(&line, '\n');
    sink_add(&run->errors, buf_str(&line));
}

/* ---- Tasks ---- */

static struct task *task_new(struct run *run, const struct sup_task *info)
{
    struct task *task = mem_new(sizeof *task);
    *task = (struct task){.number = info->ref.task,
                          .worker = info->worker,
                          .plan = info->plan,
                          .name = mem_text(info->name),
                          .group = info->group,
                          .replica = info->replica,
                          .row = info->row,
                          .parent = info->parent,
                          .item = info->item};
    if (strlen(task->name) > run->name_width)
        run->name_width = strlen(task->name);
    return task;
}

static void task_free(struct run *run, struct task *task)
{
    if (!task)
        return;
    probes_end(run, task);
    notify_close(task);
    state_leave(run, task);
    guard_end(run, task);
    terminal_free(task->terminal);
    trigger_forget(task);
    items_drop(run, task);
    free(task->name);
    free(task->session);
    free(task->obstacle);
    free(task->log);
    buf_release(&task->tail);
    free(task);
}

/* Takes in tasks that sup has made since; rev: where their sessions start. */
static void meet_tasks(struct run *run, int64_t rev)
{
    uint32_t count = sup_task_count(run->sup);
    while (run->met < count) {
        struct sup_task info;
        if (!sup_task_at(run->sup, run->met++, &info))
            continue;
        struct task *task = task_new(run, &info), *parent = run_task(run, task->parent);
        table_put(&run->tasks, number_key(&task->number), task);
        if (parent && !parent->worker->map.given)
            trigger_adopt(run, task, parent);
        session_open(run, task, rev);
    }
}

/* Once no process holds on to it. */
static void remove_task(struct run *run, struct task *task)
{
    records_remove(run, task);
    table_remove(&run->tasks, number_key(&task->number));
    task->forgotten = true;
    task_drop(run, task);
}

/* A worker's own task stays for the summary, and may start again; the run of a trigger goes. */
static void forget(struct run *run, struct task *task)
{
    trigger_disarm(run, task);
    watch_await_end(run, task);
    session_close(run, task);
    items_drop(run, task);
    if (task->parent != SUP_NO_TASK)
        remove_task(run, task);
}

/* A worker that was scaled has numbered instances from then on. */
static void rename_task(struct run *run, struct task *task)
{
    struct sup_task info;
    if (task->parent != SUP_NO_TASK || !sup_task_at(run->sup, task->number, &info) ||
        strcmp(info.name, task->name) == 0)
        return;
    records_remove(run, task);
    char *old = task->name;
    task->name = mem_text(info.name);
    for (struct process *process = run->processes; process; process = process->next)
        if (process->output.name == old)
            process->output.name = task->name;
    free(old);
}

void task_drop(struct run *run, struct task *task)
{
    if (task->forgotten && task->held == 0)
        task_free(run, task);
}

/* ---- Effects ---- */

static void say(struct run *run, const struct sup_effect *effect)
{
    if (!run->options->quiet || effect->number > 0)
        run_say(run, (int)effect->number, "%s", effect->text);
}

static void run_ended(struct run *run, int status)
{
    run->over = true;
    run->status = status;
    records_touch(run, SUP_NO_TASK);
    loop_stop(run->loop);
}

static void carry_out(struct run *run, const struct sup_effect *effect)
{
    struct task *task = run_task(run, effect->ref.task);
    if (effect->kind == SUP_SAY)
        say(run, effect);
    else if (effect->kind == SUP_SEND_FENCE)
        state_fence(run, effect->number);
    else if (effect->kind == SUP_END)
        run_ended(run, (int)effect->number);
    else if (effect->kind == SUP_STATUS)
        records_touch(run, effect->ref.task);
    if (!task)
        return;
    switch (effect->kind) {
    case SUP_SPAWN:
        start_task(run, task, effect->ref);
        break;
    case SUP_PROBE:
        probes_start(run, task, effect->ref);
        break;
    case SUP_PROBE_END:
        probes_end(run, task);
        break;
    case SUP_GUARD:
        guard_start(run, task, effect->ref);
        break;
    case SUP_GUARD_END:
        guard_end(run, task);
        break;
    case SUP_ASK_OUTPUT:
        run_event(run, (struct sup_event){.kind = SUP_OUTPUT,
                                          .ref = effect->ref,
                                          .number = launch_last_output(run, task, effect->ref)});
        break;
    case SUP_ASK_IF:
        judge_if(run, task);
        break;
    case SUP_TERMINATE:
        launch_terminate(run, task, effect->ref);
        break;
    case SUP_KILL:
        launch_kill(run, task, effect->ref);
        break;
    case SUP_AWAIT:
        watch_await(run, task);
        break;
    case SUP_AWAIT_END:
        watch_await_end(run, task);
        break;
    case SUP_ARM:
        trigger_arm(run, task, effect->number, effect->live);
        break;
    case SUP_DISARM:
        trigger_disarm(run, task);
        items_stop(run, task);
        lines_stop(run, task);
        break;
    case SUP_ITEMS:
        items_read(run, task);
        break;
    case SUP_LINES_END:
        lines_end(run, task);
        break;
    case SUP_FORGET:
        forget(run, task);
        break;
    case SUP_RENEW:
        session_open(run, task, -1);
        break;
    case SUP_REMOVE:
        remove_task(run, task);
        break;
    case SUP_STATUS:
        rename_task(run, task);
        break;
    case SUP_SEND_FENCE:
    case SUP_SAY:
    case SUP_END:
        break;
    }
}

void run_event(struct run *run, struct sup_event event)
{
    AUTO_BUF struct buf space = {0};
    bool result = event.kind == SUP_ENDED || event.kind == SUP_RETURNED;
    event.text = result ? secrets_hide_json(run, event.text, &space) : secrets_hide(run, event.text, &space);
    event.now_ms = time_now_ms();
    event.wall_ms = time_wall_ms();
    sup_step(run->sup, &event, &run->effects);
    meet_tasks(run, -1);
    run_work(run);
}

void run_work(struct run *run)
{
    if (run->working)
        return;
    run->working = true;
    do {
        while (run->effect < run->effects.count) {
            struct sup_effect effect = run->effects.items[run->effect++];
            carry_out(run, &effect);
        }
        sup_effects_clear(&run->effects);
        run->effect = 0;
        starts_begin(run);
        records_flush(run);
        records_unhold(run);
        services_check(run);
    } while (state_pump(run) || run->effects.count > 0);
    timer_set(run->tick, run->over ? -1 : sup_deadline(run->sup));
    run->working = false;
    run_wake(run);
}

/* After a pause (this process was stopped, the machine is loaded) timers come first. What has come meanwhile,
 * an end, output, an event, may say that nothing was late but we: it is looked at before. */
static void tick(void *ctx)
{
    struct run *run = ctx;
    int64_t now = time_now_ms();
    if (now - sup_deadline(run->sup) > LATE_MS && run->late_turns < LATE_TURNS) {
        run->late_turns++;
        timer_set(run->tick, now + 2);
        return;
    }
    run->late_turns = 0;
    run_event(run, (struct sup_event){.kind = SUP_TICK});
}

/* ---- Before the workers run, and after ---- */

void run_wake(struct run *run)
{
    if (run->waiting)
        loop_stop(run->loop);
}

void run_fail(struct run *run, const struct err *err)
{
    run->trouble = *err;
    run->failed = true;
    run_wake(run);
}

static void limit_reached(void *ctx)
{
    run_wake(ctx);
}

bool run_until(struct run *run, bool (*done)(const struct run *run), int64_t until_ms)
{
    run->waiting = true;
    timer_set(run->limit, until_ms);
    while (!done(run) && !run->failed && run->interrupt == 0 && time_now_ms() < until_ms)
        loop_run(run->loop);
    timer_set(run->limit, -1);
    run->waiting = false;
    return done(run);
}

/* Why a step of the start did not come about; late: when it took too long. */
static bool start_fail(const struct run *run, const char *late, struct err *err)
{
    if (run->interrupt)
        return err_set(err, ERR_INTERNAL, "interrupted before anything was started");
    if (!run->failed && run->trouble.code == ERR_NONE)
        return err_set(err, ERR_TIMEOUT, "%s", late);
    *err = run->trouble;
    return false;
}

/* ---- Start and end ---- */

static bool open_folder(struct run *run, struct err *err)
{
    bool manifest = run->options->command == NULL;
    enum folder_use use = !manifest                       ? FOLDER_ADDRESS
                          : run->options->background >= 0 ? FOLDER_ALONE
                                                          : FOLDER_LOGS;
    if (folder_open(&run->folder, run->plan, run->id, use, err))
        return true;
    /* A single command needs no folder; its address just cannot be found from another terminal then. */
    return !manifest;
}

static void record_address(struct run *run)
{
    struct err err;
    bool single = run->options->command != NULL;
    if (!folder_record(run, single, &err) && !single)
        run_say(run, 1, "other terminals will not find this run: %s", err.message);
}

static bool is_settled(const struct run *run)
{
    return state_pending(run) == 0;
}

static bool settle(struct run *run, struct err *err)
{
    AUTO_FREE char *late = mem_format("the state server at %s does not answer", run->address);
    run->start_until = time_now_ms() + STARTUP_MS;
    run_work(run);
    return run_until(run, is_settled, run->start_until) || start_fail(run, late, err);
}

/* Two round trips: claim and initial state; then services, records and every session. */
static bool open_state(struct run *run, struct err *err)
{
    records_claim(run);
    records_initial(run);
    if (!settle(run, err))
        return false;
    if (run->over)
        return err_set(err, ERR_INTERNAL, "the run was not started");
    run->born = sup_task_count(run->sup);
    meet_tasks(run, run->rev);
    services_open(run);
    records_publish(run);
    return settle(run, err);
}

static bool is_served(const struct run *run)
{
    return run->address != NULL;
}

/* Our own connects by itself as soon as it serves. */
static bool reach_server(struct run *run, struct err *err)
{
    run->start_until = time_now_ms() + STARTUP_MS;
    if (!run->external)
        return run_until(run, is_served, run->start_until) ||
               start_fail(run, "the state server did not start in time", err);
    run->address = mem_text(run->options->server ? run->options->server : run->plan->server.address);
    server_connect(run);
    return !run->failed || start_fail(run, "", err);
}

static bool start(struct run *run, struct err *err)
{
    if (!export_open(run, err))
        return false;
    run->loop = loop_new(err);
    run->children = run->loop ? children_new(run->loop, err) : NULL;
    if (!run->children || !control_open(run, err))
        return false;
    run->tick = timer_new(run->loop, tick, run);
    clock_open(run);
    run->note = timer_new(run->loop, watch_note, run);
    run->patience = timer_new(run->loop, records_late, run);
    run->limit = timer_new(run->loop, limit_reached, run);
    run->server.timer = timer_new(run->loop, server_timer, run);
    run->external = run->options->server || run->plan->server.external;
    if (!key_open(run, err))
        return false;
    run_id_make(run->id);
    bool background = run->options->background >= 0;
    if (background && (!open_folder(run, err) || !background_enter(run, err)))
        return false;
    if (!run->external && !server_start(run, err))
        return false;
    /* While the server starts. */
    if (!background && !open_folder(run, err))
        return false;
    run->sup = sup_new(run->plan, (uint64_t)time_now_us() ^ ((uint64_t)getpid() << 32));
    if (!reach_server(run, err))
        return false;
    record_address(run);
    return accounts_check(run, run->plan, err) && open_state(run, err) &&
           (!background || background_tell(run, err));
}

static bool none_runs(const struct run *run)
{
    return run->processes == NULL;
}

/* Stop commands that outlive their worker. */
static void end_processes(struct run *run)
{
    for (struct process *process = run->processes; process; process = process->next)
        child_kill(process->child);
    run->interrupt = 0;
    run_until(run, none_runs, time_now_ms() + END_MS);
}

static bool is_published(const struct run *run)
{
    return !run->records.sending || run->state.closed;
}

/* The last records, one after the other. */
static void publish_end(struct run *run)
{
    int64_t until = time_now_ms() + END_MS;
    run_until(run, is_published, until);
    records_flush(run);
    run_work(run);
    run_until(run, is_published, until);
}

static void finish(struct run *run)
{
    if (run->over) {
        publish_end(run);
        services_close(run);
        logs_close(run);
        terminals_close(run);
        records_keep(run);
        report_summary(run);
    }
    lines_settle(run);
    server_leave(run);
    state_close(run);
    if (run->processes)
        end_processes(run);
    server_stop(run);
}

static void release(struct run *run)
{
    sink_flush(&run->out, run->lossy ? time_now_ms() + END_MS : -1);
    sink_flush(&run->errors, run->lossy ? time_now_ms() + END_MS : -1);
    export_close(run);
    bool clean = folder_close(&run->folder);
    clock_close(run);
    key_close(run);
    size_t at = 0;
    for (struct task *task; (task = table_next(&run->tasks, &at));)
        task_free(run, task);
    table_release(&run->tasks);
    table_release(&run->logs);
    services_release(&run->services);
    logs_release(run);
    free(run->starting);
    records_release(&run->records);
    sup_effects_release(&run->effects);
    sup_free(run->sup);
    files_watch_end(run);
    mask_release(&run->mask);
    table_release(&run->short_secrets);
    table_release(&run->logs);
    sink_close(&run->out);
    sink_close(&run->errors);
    fd_close(&run->said);
    struct timer *timers[] = {run->tick, run->note, run->limit};
    for (size_t i = 0; i < LENGTH_OF(timers); i++)
        if (timers[i])
            timer_free(timers[i]);
    if (run->children)
        children_free(run->children);
    bounds_close(run->bounds);
    control_close(run, clean);
    if (run->loop)
        loop_free(run->loop);
    free(run->address);
}

int run_main(struct run *run)
{
    struct err err;
    run->started_ms = time_now_ms();
    sink_open(&run->out, run, STDOUT_FILENO);
    sink_open(&run->errors, run, STDERR_FILENO);
    if (start(run, &err)) {
        run->begun = true;
        files_watch(run);
        run_event(run, (struct sup_event){.kind = SUP_BEGIN});
        if (!run->over)
            loop_run(run->loop);
    } else {
        run_say(run, 2, "%s", err.message);
        run->over = false;
        run->status = run->interrupt                                             ? 128 + run->interrupt
                      : err.code == ERR_INVALID || err.code == ERR_DENIED        ? 2
                      : err.code == ERR_CONFLICT || err.code == ERR_KEY_REJECTED ? err_code_status(err.code)
                                                                                 : 125;
    }
    finish(run);
    release(run);
    return run->status;
}
