/* Processes of tasks: the command line and the environment, and their start, end and output. */
#include "run_priv.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define VALUE_MAX (64 * 1024) /* a longer value is passed as a file */

void words_release(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->items[i]);
    free(words->items);
    *words = (struct words){0};
}

static void words_add(struct words *words, char *word)
{
    mem_grow(words->items, words->capacity, words->count + 1);
    words->items[words->count++] = word;
    words->items[words->count] = NULL;
}

/* The text filled in; NULL with err, also for a NUL, which no process can be given. */
static char *expand(const struct scope *scope, const struct plan_text *text, struct err *err)
{
    AUTO_BUF struct buf out = {0};
    if (!scope_expand(scope, text, &out, err)) {
        err_wrap(err, "cannot fill in \"%s\"", text->raw);
        return NULL;
    }
    if (out.len > 0 && memchr(out.data, '\0', out.len)) {
        err_set(err, ERR_INVALID, "\"%s\" comes out with a NUL character, which no command can be given",
                text->raw);
        return NULL;
    }
    return buf_detach(&out);
}

/* The same for a path; absolute. */
static char *expand_path(const struct scope *scope, const struct plan_text *text, struct err *err)
{
    AUTO_FREE char *path = expand(scope, text, err);
    return !path ? NULL : path[0] == '/' ? mem_text(path) : mem_format("%s/%s", text->folder, path);
}

static bool add_texts(struct words *words, const struct scope *scope, const struct plan_texts *texts,
                      struct err *err)
{
    for (size_t i = 0; i < texts->count; i++) {
        char *word = expand(scope, &texts->items[i], err);
        if (!word)
            return false;
        words_add(words, word);
    }
    return true;
}

static bool add_command(struct words *words, const struct scope *scope, const struct plan_command *command,
                        const struct plan_texts *args, struct err *err)
{
    if (command->shell && !add_texts(words, scope, &scope->run->plan->run.shell, err))
        return false;
    if (!add_texts(words, scope, &command->words, err))
        return false;
    if (command->shell)
        words_add(words, mem_text(scope->task->worker->name)); /* $0 */
    return !args || add_texts(words, scope, args, err);
}

static bool apply_env(const struct scope *scope, const struct plan_env *env, struct err *err)
{
    for (size_t i = 0; i < env->count; i++) {
        const struct plan_variable *variable = &env->items[i];
        AUTO_FREE char *value = variable->value.raw ? expand(scope, &variable->value, err) : NULL;
        if (variable->value.raw && !value)
            return err_wrap(err, "variable %s", variable->name);
        environment_set(scope->env, variable->name, value);
    }
    return true;
}

/* What the manifest gives this item of a map. */
static bool apply_item_env(const struct scope *scope, struct err *err)
{
    const struct task *task = scope->task;
    const struct plan_map *map = &task->worker->map;
    return task->parent == SUP_NO_TASK || !map->has_env || apply_env(scope, &map->env[task->item], err);
}

/* A list of words gets the item; a script has it in $ZPROC_ITEM. */
static bool add_item(struct words *words, const struct scope *scope, struct err *err)
{
    const struct task *task = scope->task;
    const struct plan_map *map = &task->worker->map;
    if (!map->given || task->parent == SUP_NO_TASK)
        return true;
    AUTO_BUF struct buf text = {0};
    items_text(scope->run, task, &text);
    if (text.len > 0 && memchr(text.data, '\0', text.len) && !task->worker->run.shell)
        return err_set(err, ERR_INVALID, "item %lld holds a NUL character, which no argument can",
                       (long long)task->item);
    if (!task->worker->run.shell)
        words_add(words, mem_text(text.data ? text.data : ""));
    return !map->has_args || add_texts(words, scope, &map->args[task->item], err);
}

static bool add_worker_command(struct words *words, const struct scope *scope, const struct plan_texts *args,
                               struct err *err)
{
    return add_command(words, scope, &scope->task->worker->run, NULL, err) && add_item(words, scope, err) &&
           add_texts(words, scope, args, err);
}

static void set_number(struct environment *env, const char *name, int64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)number);
    environment_set(env, name, text);
}

/* A trigger's event. A value that does not fit into a variable goes into a file. */
static bool set_event(struct environment *env, const struct run *run, struct task *task, struct err *err)
{
    const struct event *event = &task->event;
    AUTO_BUF struct buf value = {0};
    if (event->value && value_type(event->value) == VALUE_STRING)
        buf_add_str(&value, value_as_str(event->value));
    else if (event->value)
        value_print(&value, event->value);
    bool long_value = value.len > VALUE_MAX || (value.len > 0 && memchr(value.data, '\0', value.len));
    if (long_value && !task->value && !(task->value = task_file(run, task, "value", buf_str(&value), err)))
        return false;
    set_number(env, "ZPROC_REVISION", event->revision);
    environment_set(env, "ZPROC_KEY", event->key ? event->key : "");
    environment_set(env, "ZPROC_VALUE", long_value || !value.data ? "" : value.data);
    environment_set(env, "ZPROC_VALUE_FILE", task->value);
    environment_set(env, "ZPROC_DELETED", event->changed && !event->value ? "1" : "");
    environment_set(env, "ZPROC_SNAPSHOT", task->snapshot);
    return true;
}

static bool set_own(struct launch *launch, struct run *run, struct task *task, const struct sup_task *info,
                    struct err *err)
{
    struct environment *env = &launch->env;
    const char *path = environment_get(env, "PATH");
    AUTO_FREE char *new_path =
        path ? mem_format("%s:%s", run->path, path) : mem_format("%s:/usr/bin:/bin", run->path);
    environment_set(env, "PATH", new_path);
    environment_set(env, "ZPROC_ADDRESS", task->worker->stateful ? run->address : "none");
    environment_set(env, "ZPROC_NAMESPACE", task->worker->namespace);
    if (task->worker->stateful)
        environment_set(env, "ZPROC_SESSION", task->session);
    if (task->worker->stateful)
        environment_set(env, "ZPROC_KEY_FILE", run->key.file);
    environment_set(env, "ZPROC_RUN", run->id);
    environment_set(env, "ZPROC_WORKER", task->worker->name);
    set_number(env, "ZPROC_REPLICA", task->replica);
    uint32_t number = launch->own_number ? launch->number : task->number;
    set_number(env, "ZPROC_ATTEMPT", info->attempt > 0 ? info->attempt : 1);
    set_number(env, "ZPROC_TASK", number);
    environment_set(env, "ZPROC_CLEANUP", task->worker->cleanup ? NULL : "false"); /* PROC_SPARED */
    /* Descendants are told apart by these two, also from those of another instance of the same worker. */
    launch->marks[0] = mem_format("ZPROC_RUN=%s", run->id);
    launch->marks[1] = mem_format("ZPROC_TASK=%u", number);
    environment_set(env, "NOTIFY_SOCKET", task->notify ? notify_name(task->notify) : NULL);
    environment_set(env, "ZPROC_TRIGGER_WORKER", info->event_worker);
    environment_set(env, "ZPROC_TRIGGER_STATE", info->event_state);
    if (task->parent == SUP_NO_TASK || task->worker->trigger.condition >= CONDITION_WORKER)
        return true;
    return task->worker->map.given ? items_variables(env, run, task, err) : set_event(env, run, task, err);
}

/* Programs want to know what kind of terminal they have; ours is what people attach with. */
static void set_terminal(struct launch *launch, const struct task *task, enum launch_what what)
{
    const char *term = environment_get(&launch->env, "TERM");
    if (what == LAUNCH_WORKER && task->worker->tty && (!term || !*term || strcmp(term, "dumb") == 0))
        environment_set(&launch->env, "TERM", "xterm-256color");
}

static bool set_dir(struct launch *launch, const struct scope *scope, struct err *err)
{
    const struct plan_text *text = &scope->task->worker->dir;
    launch->dir = text->raw ? expand_path(scope, text, err) : mem_text(scope->task->worker->folder);
    return launch->dir != NULL;
}

/* What follows from who it runs as; what the manifest sets lies over it. */
static bool set_login(struct environment *env, const struct plan_worker *worker, struct err *err)
{
    struct account account = {0};
    bool ok = !worker->user || account_find(&account, worker->user, err);
    if (!ok)
        err_wrap(err, "'user'");
    if (ok && worker->user) {
        environment_set(env, "HOME", account.home);
        environment_set(env, "USER", account.login);
        environment_set(env, "LOGNAME", account.login);
    }
    account_release(&account);
    return ok;
}

static void set_limits(struct launch *launch, const struct plan_limits *limits)
{
    static const struct {
        int resource;
        const char *name;
    } kinds[] = {
        [LIMIT_NOFILE] = {RLIMIT_NOFILE, "nofile"},
        [LIMIT_CORE] = {RLIMIT_CORE, "core"},
        [LIMIT_CPU_TIME] = {RLIMIT_CPU, "cpu_time"},
        [LIMIT_ADDRESS_SPACE] = {RLIMIT_AS, "address_space"},
    };
    struct child_spec *spec = &launch->spec;
    for (size_t i = 0; i < LIMIT_KINDS; i++) {
        const struct plan_limit *limit = &limits->items[i];
        if (!limit->given)
            continue;
        bool time = i == LIMIT_CPU_TIME;
        uint64_t value = limit->value < 0 ? RLIM_INFINITY
                         : time           ? ((uint64_t)limit->value + 999) / 1000
                                          : (uint64_t)limit->value;
        launch->limits[spec->limit_count++] = (struct child_limit){
            .resource = kinds[i].resource,
            .soft = value,
            .hard = time && limit->value >= 0 ? value + 1 : value, /* SIGXCPU comes before SIGKILL */
            .name = kinds[i].name,
        };
    }
    spec->limits = launch->limits;
    spec->nice = limits->has_nice ? &limits->nice : NULL;
}

/* The file that stands for stdin. */
static bool set_input(struct launch *launch, struct run *run, struct task *task, struct err *err)
{
    const struct plan_stdin *input = &task->worker->input;
    struct scope scope = {.run = run, .task = task, .env = &launch->env};
    AUTO_BUF struct buf text = {0};
    switch (input->kind) {
    case STDIN_DEFAULT:
    case STDIN_NULL:
        return true;
    case STDIN_INHERIT:
        launch->spec.input = CHILD_STDIN_INHERIT;
        return true;
    case STDIN_SNAPSHOT:
        if (!task->snapshot)
            return true;
        launch->spec.input = CHILD_STDIN_FILE;
        launch->spec.input_file = task->snapshot;
        return true;
    case STDIN_FILE:
        launch->input = expand_path(&scope, &input->text, err);
        break;
    case STDIN_TEXT:
        if (!scope_expand(&scope, &input->text, &text, err))
            return err_wrap(err, "cannot fill in \"%s\"", input->text.raw);
        launch->input = task_file(run, task, "stdin", buf_str(&text), err);
        break;
    }
    launch->spec.input = CHILD_STDIN_FILE;
    launch->spec.input_file = launch->input;
    return launch->input != NULL;
}

static void set_spec(struct launch *launch, const struct run *run, const struct task *task,
                     enum launch_what what)
{
    bool direct = run->options->command && what == LAUNCH_WORKER;
    launch->spec = (struct child_spec){
        .argv = launch->argv.items,
        .env = launch->env.items,
        .dir = launch->dir,
        .input = direct ? CHILD_STDIN_INHERIT : CHILD_STDIN_NULL,
        .inherit_output = direct,
        .die_with_parent = true,
        .keep_orphans = !task->worker->cleanup,
        .marks = {launch->marks[0], launch->marks[1]},
        .user = task->worker->user ? &launch->account.user : NULL,
    };
    if (what == LAUNCH_WORKER && task->worker->tty) {
        launch->spec.tty = true;
        launch->spec.rows = task->rows;
        launch->spec.columns = task->columns;
    }
    if (what == LAUNCH_WORKER)
        set_limits(launch, &task->worker->limits);
}

bool launch_environment(const struct scope *scope, bool retry, struct err *err)
{
    const struct plan_worker *worker = scope->task->worker;
    environment_inherit(scope->env);
    const struct plan *plan = scope->run->plan;
    return set_login(scope->env, worker, err) && apply_env(scope, &plan->file_env, err) &&
           apply_env(scope, &plan->env, err) && apply_env(scope, &worker->file_env, err) &&
           apply_env(scope, &worker->env, err) && apply_item_env(scope, err) &&
           (!retry || apply_env(scope, &worker->retry.env, err));
}

bool launch_prepare(struct launch *launch, struct run *run, struct task *task, enum launch_what what,
                    struct err *err)
{
    const struct plan_worker *worker = task->worker;
    struct scope scope = {.run = run, .task = task, .env = &launch->env};
    struct sup_task info;
    if (!sup_task_at(run->sup, task->number, &info))
        return err_set(err, ERR_INTERNAL, "the task is gone");
    bool retry = info.attempt > 1;
    if (worker->user && !account_find(&launch->account, worker->user, err))
        return err_wrap(err, "'user'");
    if (!launch_environment(&scope, retry, err) || !secrets_learn(run, worker, &launch->env, err) ||
        !set_own(launch, run, task, &info, err) || !set_dir(launch, &scope, err))
        return false;
    set_terminal(launch, task, what);
    const struct plan_texts *args = retry && worker->retry.has_args ? &worker->retry.args : &worker->args;
    bool ok = what != LAUNCH_WORKER || !worker->launcher ||
              add_texts(&launch->argv, &scope, &worker->launcher->run, err);
    if (!ok)
        return false;
    ok = what == LAUNCH_WORKER  ? add_worker_command(&launch->argv, &scope, args, err)
         : what == LAUNCH_ITEMS ? add_command(&launch->argv, &scope, &worker->map.run, NULL, err)
         : what == LAUNCH_STOP  ? add_command(&launch->argv, &scope, &worker->stop.run, NULL, err)
         : what == LAUNCH_GUARD ? add_command(&launch->argv, &scope, &worker->alive.probes.exec, NULL, err)
                                : add_command(&launch->argv, &scope, &worker->ready.exec, NULL, err);
    if (!ok)
        return false;
    set_spec(launch, run, task, what);
    return true;
}

void launch_release(struct launch *launch)
{
    environment_release(&launch->env);
    words_release(&launch->argv);
    free(launch->dir);
    account_release(&launch->account);
    free(launch->input);
    free(launch->marks[0]);
    free(launch->marks[1]);
    *launch = (struct launch){0};
}

/* ---- Processes ---- */

struct process *process_new(struct run *run, struct task *task, struct sup_ref ref)
{
    struct process *process = mem_new(sizeof *process);
    *process = (struct process){.run = run, .task = task, .ref = ref, .next = run->processes};
    if (run->processes)
        run->processes->previous = process;
    run->processes = process;
    task->held++;
    output_open(&process->output, run, task);
    return process;
}

void process_free(struct process *process)
{
    struct run *run = process->run;
    struct task *task = process->task;
    if (process->previous)
        process->previous->next = process->next;
    else
        run->processes = process->next;
    if (process->next)
        process->next->previous = process->previous;
    output_release(&process->output);
    bound_free(process->bound);
    line_free(process->line);
    free(process);
    task->held--;
    task_drop(run, task);
}

void process_output(void *ctx, struct child *child, int stream, struct str bytes)
{
    struct process *process = ctx;
    (void)child;
    output_bytes(&process->output, stream, bytes);
    if (process->line && stream == 1)
        lines_output(process, bytes);
    if (process->task->worker->tty)
        run_work(process->run);
    if (process->task->probes)
        probes_output(process->run, process->task, process->ref, stream, bytes);
}

bool process_succeeded(const struct plan_worker *worker, const struct child_end *end)
{
    for (size_t i = 0; i < worker->success_count; i++)
        if (end->signal == 0 && end->status == worker->success[i])
            return true;
    return end->signal == 0 && worker->success_count == 0 && end->status == 0;
}

static void process_ended(void *ctx, struct child *child, const struct child_end *end)
{
    struct process *process = ctx;
    struct run *run = process->run;
    AUTO_BUF struct buf result = {0}, why = {0};
    (void)child;
    if (end->left)
        run_say(run, 1, "%s: could not end %s", process->task->name, end->left);
    output_end(&process->output, !process_succeeded(process->task->worker, end));
    output_result(&process->output, &result);
    bound_explain(process, &why);
    struct sup_event event = {.kind = SUP_ENDED,
                              .ref = process->ref,
                              .status = end->status,
                              .signal = end->signal,
                              .text = buf_str(&result),
                              .why = buf_str(&why)};
    process->task->process = NULL;
    notify_close(process->task);
    process_free(process);
    run_event(run, event);
}

void spawn_failed(struct run *run, struct sup_ref ref, int status, const char *reason)
{
    run_event(run, (struct sup_event){
                       .kind = SUP_SPAWN_FAILED, .ref = ref, .status = status, .text = str_of(reason)});
}

void launch_now(struct run *run, struct task *task)
{
    static const struct child_callbacks callbacks = {.output = process_output, .ended = process_ended};
    struct launch launch = {0};
    struct err err = {0};
    struct sup_ref ref = task->spawn;
    task->spawning = false;
    if (task->obstacle) {
        spawn_failed(run, ref, 125, task->obstacle);
        return;
    }
    if (task->worker->map.stays) {
        lines_give(run, task, ref);
        return;
    }
    struct process *process = NULL;
    int status = 125;
    bool ready = !task->worker->ready.notify || notify_open(run, task, &err);
    if (ready && launch_prepare(&launch, run, task, LAUNCH_WORKER, &err) &&
        set_input(&launch, run, task, &err)) {
        process = process_new(run, task, ref);
        buf_clear(process->output.tail);
        bool bound = bound_open(run, task, &process->bound, &err);
        launch.spec.bound = process->bound;
        process->child = bound ? child_spawn(run->children, &launch.spec, &callbacks, process, &err) : NULL;
        status = err.code == ERR_NOT_FOUND ? 127 : err.code == ERR_DENIED ? 126 : 125;
    }
    if (launch.input && task->worker->input.kind == STDIN_TEXT)
        unlink(launch.input); /* it is open by now, or not needed */
    launch_release(&launch);
    if (process && process->child) {
        task->process = process;
        if (run->paused)
            child_pause(process->child, true);
        run_event(run, (struct sup_event){.kind = SUP_SPAWNED, .ref = ref, .pid = child_pid(process->child)});
        return;
    }
    if (process)
        process_free(process);
    spawn_failed(run, ref, status, err.message);
}

static struct process *find_process(const struct task *task, struct sup_ref ref)
{
    return task->process && task->process->ref.incarnation == ref.incarnation ? task->process : NULL;
}

/* While workers are paused for the console's sake nothing can be said of their silence. */
int64_t launch_last_output(const struct run *run, const struct task *task, struct sup_ref ref)
{
    const struct process *process = find_process(task, ref);
    return process && !run->paused ? process->output.last_ms : time_now_ms();
}

static void stop_ended(void *ctx, struct child *child, const struct child_end *end)
{
    struct process *process = ctx;
    (void)child;
    (void)end;
    output_end(&process->output, end->status != 0 || end->signal > 0);
    process_free(process);
}

/* The worker's own stop command; it has the time of `grace`. */
static bool run_stop(struct run *run, struct task *task, struct err *err)
{
    static const struct child_callbacks callbacks = {.output = process_output, .ended = stop_ended};
    struct launch launch = {0};
    bool ok = launch_prepare(&launch, run, task, LAUNCH_STOP, err);
    if (ok) {
        struct process *process = process_new(run, task, (struct sup_ref){task->number, 0});
        process->child = child_spawn(run->children, &launch.spec, &callbacks, process, err);
        ok = process->child != NULL;
        if (!ok)
            process_free(process);
    }
    launch_release(&launch);
    return ok;
}

void launch_terminate(struct run *run, struct task *task, struct sup_ref ref)
{
    struct err err;
    if (start_cancel(run, task, ref, SIGTERM))
        return;
    struct process *process = find_process(task, ref);
    if (!process)
        return;
    process->stopping = true;
    if (task->worker->stop.run.given) {
        if (run_stop(run, task, &err))
            return;
        run_say(run, 1, "%s: cannot run its stop command: %s", task->name, err.message);
    }
    child_signal(process->child, task->worker->stop.signal);
}

void launch_kill(struct run *run, struct task *task, struct sup_ref ref)
{
    if (start_cancel(run, task, ref, SIGKILL))
        return;
    struct process *process = find_process(task, ref);
    if (!process)
        return;
    process->stopping = true;
    child_kill(process->child);
}
