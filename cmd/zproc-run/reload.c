/* Workers that join and leave while the run goes on: the manifest that is read again, and workers that
 * somebody adds. */
#include "run_priv.h"

#include <stdlib.h>

static void keep_plan(struct run *run, struct plan *plan)
{
    mem_grow(run->plans, run->plan_capacity, run->plan_count);
    run->plans[run->plan_count++] = plan;
}

/* ---- reload ---- */

/* A manifest beside the one that runs. */
struct change {
    struct run *run;
    struct plan *plan;
    bool *same;
    const char *common;      /* what every worker has, and has changed; NULL: nothing */
    bool vars, launchers;    /* those of the manifest have changed */
    struct picked leaving;   /* instances of what is replaced or removed */
    struct sup_event *sizes; /* workers of which only the number of instances has changed */
    size_t size_count;
    struct value *lines;
};

static void change_release(struct change *change)
{
    free(change->same);
    free(change->leaving.tasks);
    free(change->sizes);
    value_unref(change->lines);
}

static void add_line(struct change *change, const char *format, ...) PRINTF_LIKE(2, 3);
static void add_line(struct change *change, const char *format, ...)
{
    AUTO_BUF struct buf line = {0};
    va_list args;
    va_start(args, format);
    buf_add_vformat(&line, format, args);
    va_end(args);
    list_push(change->lines, value_string(buf_str(&line)));
}

static struct plan *read_again(struct run *run, const struct value *request, struct plan_problems *problems)
{
    const struct options *options = run->options;
    const struct value *files = request ? map_get(request, STR("files")) : NULL;
    size_t count = files && value_type(files) == VALUE_LIST ? value_len(files) : 0;
    char **names = mem_array(count + 1, sizeof *names);
    for (size_t i = 0; i < count; i++) {
        struct str name = value_as_str(list_at(files, i));
        names[i] = mem_copy(name.data, name.len);
    }
    struct plan_options wanted = {.files = count ? (const char *const *)names : options->manifests,
                                  .file_count = count ? count : options->manifest_count,
                                  .vars = options->vars,
                                  .var_count = options->var_count,
                                  .workers = options->workers,
                                  .worker_count = options->worker_count};
    struct plan *plan = plan_load(&wanted, problems);
    if (plan)
        options_apply(options, plan);
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
    return plan;
}

/* What a run that goes on cannot take over. */
static bool top_allows(const struct plan *old, const struct plan *plan, struct err *err)
{
    static const char *const others[] = {"version",   "include", "vars",       "env",
                                         "env_file",  "state",   "namespaces", "defaults",
                                         "templates", "workers", "launchers",  NULL};
    const char *key = plan_difference(&old->definition, &plan->definition, others);
    if (key)
        return err_set(err, ERR_CONFLICT,
                       "'%s' of the manifest has changed, which a run that goes on cannot take over; end the "
                       "run and start it again",
                       key);
    if (strcmp(old->dir, plan->dir) != 0)
        return err_set(err, ERR_CONFLICT, "this manifest stands in another folder than the one that runs");
    return true;
}

static bool differs(const struct change *change, const char *key)
{
    return strcmp(plan_spelled(&change->run->plan->definition, key),
                  plan_spelled(&change->plan->definition, key)) != 0;
}

static bool mentions_vars(const struct plan_worker *worker)
{
    for (size_t i = 0; i < worker->definition.count; i++)
        if (strstr(worker->definition.items[i].text, "vars"))
            return true;
    return false;
}

/* Why a worker is another one now; NULL: it is not. */
static const char *reason_of(const struct change *change, const struct plan_worker *old,
                             const struct plan_worker *worker)
{
    static const char *const other[] = {"description", "extends", "replicas", NULL};
    const char *key = plan_difference(&old->definition, &worker->definition, other);
    if (key || change->common)
        return key ? key : change->common;
    if (strcmp(old->folder, worker->folder) != 0)
        return "folder";
    if (change->vars && mentions_vars(worker))
        return "vars";
    return change->launchers && *plan_spelled(&worker->definition, "launcher") ? "launchers" : NULL;
}

static void leave(struct change *change, size_t group)
{
    struct picked *leaving = &change->leaving;
    for (uint32_t i = 0; i < sup_group_at(change->run->sup, group).count; i++) {
        mem_grow(leaving->tasks, leaving->capacity, leaving->count);
        leaving->tasks[leaving->count++] = sup_group_task(change->run->sup, group, i);
    }
}

static void compare_worker(struct change *change, size_t number)
{
    const struct plan_worker *worker = &change->plan->workers[number];
    size_t place = sup_group_find(change->run->sup, str_of(worker->name));
    if (place == SIZE_MAX) {
        add_line(change, "+ %s", worker->name);
        return;
    }
    struct sup_group group = sup_group_at(change->run->sup, place);
    const char *key = group.added ? "run" : reason_of(change, group.worker, worker);
    if (!key && worker->row_count > 0 && group.worker->replicas != worker->replicas)
        key = "replicas"; /* a matrix cannot be scaled */
    change->same[number] = !key;
    if (key) {
        leave(change, place);
        add_line(change, "~ %s: key %s changed", worker->name, key);
    } else if (group.worker->replicas != worker->replicas) {
        add_line(change, "~ %s: key replicas changed", worker->name);
        change->sizes[change->size_count++] =
            (struct sup_event){.kind = SUP_SCALE, .group = place, .number = worker->replicas};
        for (uint32_t i = (uint32_t)worker->replicas; i < group.count; i++) {
            mem_grow(change->leaving.tasks, change->leaving.capacity, change->leaving.count);
            change->leaving.tasks[change->leaving.count++] = sup_group_task(change->run->sup, place, i);
        }
    }
}

static bool has_worker(const struct plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->worker_count; i++)
        if (strcmp(plan->workers[i].name, name) == 0)
            return true;
    return false;
}

static void compare(struct change *change)
{
    const struct run *run = change->run;
    change->same = mem_array(change->plan->worker_count + 1, sizeof *change->same);
    change->sizes = mem_array(change->plan->worker_count + 1, sizeof *change->sizes);
    change->lines = value_list();
    change->vars = !value_identical(run->plan->vars, change->plan->vars);
    change->launchers = differs(change, "launchers");
    change->common = differs(change, "env") || differs(change, "env_file") ? "env" : NULL;
    for (size_t i = 0; i < change->plan->worker_count; i++)
        compare_worker(change, i);
    for (size_t i = 0; i < sup_group_count(run->sup); i++) {
        struct sup_group group = sup_group_at(run->sup, i);
        if (group.added || group.removed || has_worker(change->plan, group.worker->name))
            continue;
        leave(change, i);
        add_line(change, "- %s", group.worker->name);
    }
    if (differs(change, "state") || differs(change, "namespaces"))
        add_line(change, "= state: initial values are set at the start of a run only");
}

/* {"lines": […], "problems": text} */
static char *describe(const struct change *change)
{
    struct buf json = {0};
    buf_add_text(&json, "{\"lines\":");
    value_print(&json, change->lines);
    buf_add_char(&json, '}');
    return buf_detach(&json);
}

static void answer_problems(struct run *run, int64_t call, const struct plan_problems *problems)
{
    AUTO_BUF struct buf text = {0}, json = {0};
    for (size_t i = 0; i < problems->count; i++)
        plan_problem_print(&text, &problems->items[i], false);
    buf_add_format(&text, "zproc: %zu %s; nothing was changed\n", problems->count,
                   problems->count == 1 ? "problem" : "problems");
    buf_add_text(&json, "{\"problems\":");
    string_print(&json, buf_str(&text));
    buf_add_char(&json, '}');
    call_answer(run, call, buf_str(&json));
}

static void apply(struct change *change)
{
    struct run *run = change->run;
    keep_plan(run, run->plan);
    run->plan = change->plan;
    run_event(run, (struct sup_event){.kind = SUP_RELOAD, .plan = change->plan, .same = change->same});
    files_watch_end(run);
    files_watch(run);
    for (size_t i = 0; i < change->size_count; i++)
        run_event(run, change->sizes[i]);
}

static bool can_reload(struct run *run, const struct plan *plan, struct err *err)
{
    struct sup_event event = {.kind = SUP_RELOAD};
    return top_allows(run->plan, plan, err) && accounts_check(run, plan, err) &&
           sup_allows(run->sup, &event, err);
}

void ask_reload(struct run *run, int64_t call, const struct value *request)
{
    struct plan_problems problems = {0};
    struct err err;
    struct change change = {.run = run};
    const struct value *dry = map_get(request, STR("dry"));
    if (run->options->command) {
        err_set(&err, ERR_CONFLICT, "this run has no manifest");
        call_refuse(run, call, &err);
        return;
    }
    change.plan = read_again(run, request, &problems);
    if (!change.plan) {
        answer_problems(run, call, &problems);
    } else if (!can_reload(run, change.plan, &err)) {
        call_refuse(run, call, &err);
        plan_free(change.plan);
    } else {
        compare(&change);
        char *json = describe(&change);
        bool only_look = dry && value_truthy(dry);
        if (only_look)
            plan_free(change.plan);
        call_when_gone(run, call, only_look ? NULL : &change.leaving, json);
        if (!only_look)
            apply(&change);
    }
    plan_problems_release(&problems);
    change_release(&change);
}

void reload_run(struct run *run)
{
    struct plan_problems problems = {0};
    struct err err;
    struct change change = {.run = run, .plan = read_again(run, NULL, &problems)};
    if (!change.plan) {
        AUTO_BUF struct buf text = {0};
        for (size_t i = 0; i < problems.count; i++)
            plan_problem_print(&text, &problems.items[i], run->colour);
        sink_add(&run->errors, buf_str(&text));
        run_say(run, 2, "the manifest was not read again: %zu problems", problems.count);
    } else if (!can_reload(run, change.plan, &err)) {
        run_say(run, 2, "the manifest was not read again: %s", err.message);
        plan_free(change.plan);
    } else {
        compare(&change);
        for (size_t i = 0; i < value_len(change.lines); i++)
            run_say(run, 0, "%.*s", STR_ARG(value_as_str(list_at(change.lines, i))));
        apply(&change);
    }
    plan_problems_release(&problems);
    change_release(&change);
}

/* ---- spawn ---- */

/* Needs of a new worker: [[name, what it must be or null], …]. In its plan they stand for themselves only. */
static bool add_needs(struct run *run, const struct value *needs, struct buf *stubs, struct buf *map,
                      struct err *err)
{
    if (needs && value_type(needs) != VALUE_LIST)
        return err_set(err, ERR_INVALID, "the needs must be a list");
    for (size_t i = 0; needs && i < value_len(needs); i++) {
        const struct value *need = list_at(needs, i);
        if (value_type(need) != VALUE_LIST || value_len(need) != 2 ||
            value_type(list_at(need, 0)) != VALUE_STRING)
            return err_set(err, ERR_INVALID, "a need must be a pair: a name, and what it must be or null");
        const struct value *is = list_at(need, 1);
        struct str name = value_as_str(list_at(need, 0));
        size_t group;
        if (!pick_group(run, name, &group, err))
            return false;
        bool service = sup_group_at(run->sup, group).worker->service;
        string_print(stubs, name);
        buf_add_text(stubs, ": {\"run\": [\"true\"]}, ");
        buf_add_text(map, i > 0 ? ", " : "");
        string_print(map, name);
        buf_add_text(map, ": ");
        string_print(map, value_type(is) == VALUE_STRING ? value_as_str(is)
                          : service                      ? STR("ready")
                                                         : STR("succeeded"));
    }
    return true;
}

/* The request as a manifest of its own: what holds for a worker there holds here. */
static struct plan *read_worker(struct run *run, const struct value *request, struct err *err)
{
    const struct value *name = map_get(request, STR("name")), *worker = map_get(request, STR("worker"));
    const struct value *needs = map_get(request, STR("needs"));
    AUTO_BUF struct buf text = {0}, stubs = {0}, map = {0};
    struct plan_problems problems = {0};
    if (!name || value_type(name) != VALUE_STRING || !worker || value_type(worker) != VALUE_MAP) {
        err_set(err, ERR_INVALID, "the request describes no worker");
        return NULL;
    }
    if (!add_needs(run, needs, &stubs, &map, err))
        return NULL;
    AUTO_VALUE struct value *whole = value_copy(worker);
    buf_add_format(&text, "{\"version\": 1, \"run\": {\"stop_grace\": %lldms}, \"workers\": {",
                   (long long)run->plan->run.stop_grace_ms);
    buf_add_str(&text, buf_str(&stubs));
    string_print(&text, value_as_str(name));
    buf_add_text(&text, ": ");
    value_print(&text, whole);
    if (map.len > 0) {
        text.len--; /* the bracket at its end */
        buf_add_text(&text, ", \"needs\": {");
        buf_add_str(&text, buf_str(&map));
        buf_add_text(&text, "}}");
    }
    buf_add_text(&text, "}}");
    struct plan *plan = plan_parse(buf_str(&text), "the new worker", run->plan->dir, NULL, &problems);
    if (!plan)
        err_set(err, ERR_INVALID, "%s", problems.items[0].message);
    plan_problems_release(&problems);
    return plan;
}

/* Its process, or that it waits for something. */
static bool spawn_check(struct run *run, struct parked *parked, bool over)
{
    struct sup_task info;
    AUTO_BUF struct buf json = {0};
    bool there = sup_task_at(run->sup, parked->tasks[0].number, &info);
    if (there && !over && info.state == TASK_STARTING)
        return false;
    buf_add_text(&json, "{\"workers\":[{\"name\":");
    string_print(&json, str_of(parked->tasks[0].name));
    if (there && sup_state_final(info.state) && info.pid <= 0) {
        buf_add_text(&json, ",\"error\":");
        string_print(&json, str_of(info.reason));
    } else if (there && info.pid > 0) {
        buf_add_format(&json, ",\"pid\":%d", info.pid);
    }
    buf_add_text(&json, "}]}");
    call_answer(run, parked->call, buf_str(&json));
    return true;
}

void ask_spawn(struct run *run, int64_t call, const struct value *request)
{
    struct err err;
    struct plan *plan = read_worker(run, request, &err);
    struct sup_event event = {
        .kind = SUP_ADD, .plan = plan, .number = plan ? (int64_t)plan->worker_count - 1 : 0};
    if (!plan || !accounts_check(run, plan, &err) || !sup_allows(run->sup, &event, &err)) {
        call_refuse(run, call, &err);
        plan_free(plan);
        return;
    }
    keep_plan(run, plan);
    run_event(run, event);
    size_t group = sup_group_find(run->sup, str_of(plan->workers[event.number].name));
    uint32_t number = sup_group_task(run->sup, group, 0);
    if (number == SUP_NO_TASK) {
        call_answer(run, call, STR("{\"workers\":[]}"));
        return;
    }
    call_park(run, call, spawn_check, &(struct picked){.tasks = &number, .count = 1});
}
