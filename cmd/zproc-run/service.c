/* What is asked of a run while it goes on: calls to the service `supervisor.RUNID`, and to `supervisor` where
 * this is the first run on its server. A call's value is {"do": NAME, …}; its answer is an object.
 * A new request: a row of `requests`, a function of type call_fn that answers at once (call_answer,
 * call_refuse) or parks the call (call_park) with a function that answers it later; that is called after
 * every event, when the records that the event changed are on their way. The caller's timeout is the server's
 * business: an answer that comes too late is dropped there. */
#include "run_priv.h"

#include <stdlib.h>

#define END_MS 1000 /* how long the last answers may take */

static const struct {
    const char *name;
    call_fn *follow;
} requests[] = {
    {"start", ask_start},
    {"stop", ask_stop},
    {"restart", ask_restart},
    {"signal", ask_signal},
    {"scale", ask_scale},
    {"down", ask_down},
    {"spawn", ask_spawn},
    {"return", ask_return},
    {"reload", ask_reload},
    {"logs", ask_logs},
    {"attach.read", ask_attach_read},
    {"attach.write", ask_attach_write},
    {"attach.resize", ask_attach_resize},
};

/* ---- Answers ---- */

static void answer(struct run *run, int64_t call, bool ok, struct str json)
{
    struct request request = {.operation = OP_answer};
    request_set_int(&request, FIELD_call, call);
    if (!ok)
        request_set_int(&request, FIELD_ok, false);
    state_ask(run, &request, json, NULL, SUP_NO_TASK, 0);
}

void call_answer(struct run *run, int64_t call, struct str json)
{
    answer(run, call, true, json);
}

void call_refuse(struct run *run, int64_t call, const struct err *err)
{
    AUTO_BUF struct buf json = {0};
    buf_add_format(&json, "{\"error\":\"%s\",\"message\":", err_code_name(err->code));
    string_print(&json, str_of(err->message));
    buf_add_char(&json, '}');
    answer(run, call, false, buf_str(&json));
}

/* ---- Parked calls ---- */

static void parked_free(struct parked *parked)
{
    for (size_t i = 0; i < parked->count; i++) {
        free(parked->tasks[i].name);
        buf_release(&parked->tasks[i].answer);
    }
    free(parked->tasks);
    free(parked->json);
    free(parked);
}

struct parked *call_park(struct run *run, int64_t call, parked_fn *check, const struct picked *picked)
{
    struct parked *parked = mem_new(sizeof *parked);
    *parked = (struct parked){.call = call, .check = check, .count = picked ? picked->count : 0};
    parked->tasks = mem_array(parked->count + 1, sizeof *parked->tasks);
    for (size_t i = 0; i < parked->count; i++) {
        struct sup_task info;
        sup_task_at(run->sup, picked->tasks[i], &info);
        parked->tasks[i] = (struct parked_task){
            .number = info.ref.task, .incarnation = info.ref.incarnation, .name = mem_text(info.name)};
    }
    struct parked **last = &run->services.parked;
    while (*last)
        last = &(*last)->next;
    *last = parked;
    return parked;
}

static void parked_check(struct run *run, bool over)
{
    for (struct parked **at = &run->services.parked; *at;) {
        struct parked *parked = *at;
        if (!parked->check(run, parked, over)) {
            at = &parked->next;
            continue;
        }
        *at = parked->next;
        parked_free(parked);
    }
}

void services_check(struct run *run)
{
    if (run->services.parked && records_clean(run))
        parked_check(run, false);
}

void services_close(struct run *run)
{
    if (run->state.closed)
        return;
    parked_check(run, true);
    run_work(run);
    run_until(run, state_quiet, time_now_ms() + END_MS);
}

void services_release(struct services *services)
{
    for (struct parked *parked = services->parked, *next; parked; parked = next) {
        next = parked->next;
        parked_free(parked);
    }
    services->parked = NULL;
}

/* ---- Serving ---- */

/* What may be asked for when the run is over: the rest of what was printed. */
static bool is_late(call_fn *function)
{
    return function == ask_logs || function == ask_attach_read;
}

static void follow(struct run *run, int64_t call, const struct value *request)
{
    bool is_map = request && value_type(request) == VALUE_MAP;
    const struct value *name = is_map ? map_get(request, STR("do")) : NULL;
    struct err err;
    for (size_t i = 0; name && i < LENGTH_OF(requests); i++)
        if (value_type(name) == VALUE_STRING && str_is(value_as_str(name), requests[i].name)) {
            if (!run->over || is_late(requests[i].follow))
                requests[i].follow(run, call, request);
            return;
        }
    err_set(&err, ERR_UNSUPPORTED, "the supervisor does not know what to do with this request");
    call_refuse(run, call, &err);
}

static void refuse_early(struct run *run, int64_t call)
{
    struct err err;
    err_set(&err, ERR_BUSY, "the run is only just starting; ask again");
    call_refuse(run, call, &err);
}

static void serve(struct run *run, bool own);

/* tag: whether it is the service of this run's own name. */
static void served(struct run *run, struct task *task, int64_t tag, struct reply *reply)
{
    (void)task;
    if (!reply->ok) {
        if (tag || reply->error.code != ERR_CONFLICT)
            run_say(run, 1, "this run cannot be controlled: %s", reply->error.message);
        return;
    }
    const struct value *call = reply_field(reply, "call");
    AUTO_VALUE struct value *request = reply->value.data ? value_parse(reply->value, NULL) : NULL;
    serve(run, tag);
    if (call && !run->begun)
        refuse_early(run, value_as_int(call));
    else if (call)
        follow(run, value_as_int(call), request);
}

static void serve(struct run *run, bool own)
{
    struct request request = {.operation = OP_serve};
    AUTO_FREE char *name = own ? mem_format("supervisor.%s", run->id) : mem_text("supervisor");
    request_set_str(&request, FIELD_service, str_of(name));
    state_ask(run, &request, (struct str){0}, served, SUP_NO_TASK, own);
}

void services_open(struct run *run)
{
    serve(run, true);
    if (run->records.space && strcmp(run->records.space, "zproc") == 0)
        serve(run, false);
}

/* ---- Who is meant ---- */

static void pick(struct run *run, struct picked *picked, uint32_t number)
{
    struct task *task = run_task(run, number);
    if (!task || task->picked)
        return;
    task->picked = true;
    mem_grow(picked->tasks, picked->capacity, picked->count);
    picked->tasks[picked->count++] = number;
}

/* test[a,1] of test; SUP_NO_TASK: there is none. */
static uint32_t find_combination(const struct run *run, struct str name)
{
    const char *bracket = memchr(name.data, '[', name.len);
    size_t group = sup_group_find(run->sup, (struct str){name.data, (size_t)(bracket - name.data)});
    uint32_t count = group == SIZE_MAX ? 0 : sup_group_at(run->sup, group).count;
    for (uint32_t i = 0; i < count; i++) {
        struct sup_task info;
        uint32_t number = sup_group_task(run->sup, group, i);
        if (sup_task_at(run->sup, number, &info) && str_is(name, info.name))
            return number;
    }
    return SUP_NO_TASK;
}

/* oven.1 of oven; SUP_NO_TASK: there is none. */
static uint32_t find_instance(const struct run *run, struct str name)
{
    if (memchr(name.data, '[', name.len))
        return find_combination(run, name);
    const char *dot = memrchr(name.data, '.', name.len);
    AUTO_FREE char *digits = dot ? mem_copy(dot + 1, name.len - (size_t)(dot + 1 - name.data)) : mem_text("");
    size_t len = strlen(digits);
    if (len == 0 || len > 9 || strspn(digits, "0123456789") != len)
        return SUP_NO_TASK;
    size_t group = sup_group_find(run->sup, (struct str){name.data, (size_t)(dot - name.data)});
    if (group == SIZE_MAX || sup_group_at(run->sup, group).worker->row_count > 0)
        return SUP_NO_TASK;
    return sup_group_task(run->sup, group, (uint32_t)strtoul(digits, NULL, 10));
}

static bool refuse_name(const struct run *run, struct str name, struct err *err)
{
    size_t count = 0;
    const char **names = mem_array(run->tasks.count + sup_group_count(run->sup) + 1, sizeof *names);
    struct sup_place place = {0};
    for (size_t i = 0; i < sup_group_count(run->sup); i++)
        names[count++] = sup_group_at(run->sup, i).worker->name;
    for (struct sup_task info; sup_next(run->sup, &place, &info);)
        names[count++] = info.name;
    const char *nearest = str_nearest(name, names, count);
    if (nearest)
        err_set(err, ERR_INVALID, "this run has no worker '%.*s'; did you mean '%s'?", STR_ARG(name),
                nearest);
    else
        err_set(err, ERR_INVALID, "this run has no worker '%.*s'; 'zproc ps' lists them", STR_ARG(name));
    free(names);
    return false;
}

struct task *pick_instance(const struct run *run, struct str name)
{
    size_t group = sup_group_find(run->sup, name);
    uint32_t number = group == SIZE_MAX ? find_instance(run, name) : sup_group_task(run->sup, group, 0);
    return number == SUP_NO_TASK ? NULL : run_task(run, number);
}

static bool pick_name(struct run *run, struct picked *picked, struct str name, struct err *err)
{
    size_t group = sup_group_find(run->sup, name);
    if (group == SIZE_MAX) {
        uint32_t number = find_instance(run, name);
        if (number == SUP_NO_TASK)
            return refuse_name(run, name, err);
        pick(run, picked, number);
        return true;
    }
    for (uint32_t i = 0; i < sup_group_at(run->sup, group).count; i++)
        pick(run, picked, sup_group_task(run->sup, group, i));
    return true;
}

bool pick_group(struct run *run, struct str name, size_t *group, struct err *err)
{
    *group = sup_group_find(run->sup, name);
    if (*group == SIZE_MAX && find_instance(run, name) != SUP_NO_TASK)
        return err_set(err, ERR_INVALID, "'%.*s' is an instance; name the worker that it is one of",
                       STR_ARG(name));
    return *group != SIZE_MAX || refuse_name(run, name, err);
}

static bool pick_names(struct run *run, struct picked *picked, const struct value *names, struct err *err)
{
    if (!names || value_type(names) != VALUE_LIST)
        return err_set(err, ERR_INVALID, "the request names no workers");
    for (size_t i = 0; i < value_len(names); i++) {
        const struct value *name = list_at(names, i);
        if (value_type(name) != VALUE_STRING)
            return err_set(err, ERR_INVALID, "a worker's name must be a string");
        if (!pick_name(run, picked, value_as_str(name), err))
            return false;
    }
    return true;
}

bool pick_tasks(struct run *run, const struct value *request, struct picked *picked, struct err *err)
{
    const struct value *all = map_get(request, STR("all"));
    struct sup_place place = {0};
    bool ok = true;
    *picked = (struct picked){0};
    if (all && value_truthy(all))
        for (struct sup_task info; sup_next(run->sup, &place, &info);)
            pick(run, picked, info.ref.task);
    else
        ok = pick_names(run, picked, map_get(request, STR("names")), err);
    for (size_t i = 0; i < picked->count; i++)
        run_task(run, picked->tasks[i])->picked = false;
    if (!ok)
        free(picked->tasks);
    return ok;
}
