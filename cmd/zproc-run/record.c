/* The reserved namespace: the ordered copy of what happens to workers, for everybody else. */
#include "run_priv.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAIL_MAX 4096
#define HOLD_MS  5000 /* that a start waits for a server that does not answer */

static void claim_space(struct run *run, char *space);

static void claimed(struct run *run, struct task *task, int64_t tag, struct reply *reply)
{
    (void)task;
    (void)tag;
    const struct value *token = reply_field(reply, "token");
    if (reply->ok && token && value_type(token) == VALUE_STRING) {
        struct str text = value_as_str(token);
        run->records.token = mem_copy(text.data, text.len);
        if (reply->rev > run->rev)
            run->rev = reply->rev;
    } else if (reply->error.code == ERR_CONFLICT && strcmp(run->records.space, "zproc") == 0) {
        claim_space(run, mem_format("zproc.%s", run->id)); /* a further supervisor on the same server */
    } else {
        run_say(run, 1, "no records of this run on the server: %s", reply->error.message);
    }
}

void records_claim_again(const struct run *run, struct request *request)
{
    *request = (struct request){.operation = run->records.token ? OP_claim : OP_hello};
    if (run->records.token)
        request_set_str(request, FIELD_ns, str_of(run->records.space));
}

bool records_claimed_again(struct run *run, const struct reply *reply)
{
    const struct value *token = reply_field(reply, "token");
    if (!run->records.token)
        return true;
    if (!token || value_type(token) != VALUE_STRING)
        return false;
    free(run->records.token);
    run->records.token = mem_copy(value_as_str(token).data, value_as_str(token).len);
    return true;
}

static void claim_space(struct run *run, char *space)
{
    free(run->records.space);
    run->records.space = space;
    struct request request = {.operation = OP_claim};
    request_set_str(&request, FIELD_ns, str_of(space));
    state_ask(run, &request, (struct str){0}, claimed, SUP_NO_TASK, 0);
}

void records_claim(struct run *run)
{
    claim_space(run, mem_text("zproc"));
}

/* A refusal of an initial value ends the start: workers would run on a state that is not theirs. */
static void initialised(struct run *run, struct task *task, int64_t tag, struct reply *reply)
{
    (void)task;
    (void)tag;
    if (reply->ok && reply->rev > run->rev)
        run->rev = reply->rev;
    if (!reply->ok) {
        run_say(run, 2, "cannot set the initial state: %s", reply->error.message);
        run->over = true;
        run->status = 125;
    }
}

void records_initial(struct run *run)
{
    for (size_t i = 0; i < run->plan->namespace_count; i++) {
        const struct plan_namespace *space = &run->plan->namespaces[i];
        if (value_len(space->state) == 0)
            continue;
        AUTO_BUF struct buf text = {0};
        value_print(&text, space->state);
        struct request request = {.operation = OP_update};
        request_set_str(&request, FIELD_ns, str_of(space->name));
        state_ask(run, &request, buf_str(&text), initialised, SUP_NO_TASK, 0);
    }
}

static const char *worker_kind(const struct plan_worker *worker)
{
    return worker->trigger.given ? "trigger" : worker->service ? "service" : "job";
}

/* The end of what a failed worker wrote to stderr; what it was cut in is no character any more. */
static void add_tail(struct buf *json, const struct task *task)
{
    AUTO_BUF struct buf text = {0};
    view_add_utf8(&text, buf_str(&task->tail));
    struct str tail = buf_str(&text);
    if (tail.len > TAIL_MAX)
        tail = (struct str){tail.data + tail.len - TAIL_MAX, TAIL_MAX};
    while (tail.len > 0 && ((unsigned char)tail.data[0] & 0xc0) == 0x80) {
        tail.data++;
        tail.len--;
    }
    buf_add_text(json, ",\"tail\":");
    string_print(json, tail);
}

/* What sup does not know, or what is not about the task's life. */
static void add_more(struct buf *json, const struct task *task, const struct sup_task *info)
{
    bool failed = info->state == TASK_FAILED || info->state == TASK_TIMEOUT || info->state == TASK_LOST;
    json->len--; /* the bracket at its end */
    buf_add_text(json, ",\"worker\":");
    string_print(json, str_of(info->worker->name));
    buf_add_format(json, ",\"kind\":\"%s\"", worker_kind(info->worker));
    if (info->worker->optional)
        buf_add_text(json, ",\"optional\":true");
    if (!info->worker->start)
        buf_add_text(json, ",\"start\":false");
    if (info->worker->log.timestamps)
        buf_add_text(json, ",\"stamps\":true");
    if (failed)
        add_tail(json, task);
    if (task->notify && notify_status(task->notify)) {
        buf_add_text(json, ",\"note\":");
        string_print(json, str_of(notify_status(task->notify)));
    }
    buf_add_char(json, '}');
}

static void print_task(struct buf *json, const struct task *task, const struct sup_task *info)
{
    sup_record_print(json, info, task->log ? task->log : "");
    add_more(json, task, info);
}

static void add_record(struct run *run, struct buf *json, uint32_t number)
{
    struct sup_task info;
    struct task *task = run_task(run, number);
    if (!task || !sup_task_at(run->sup, number, &info))
        return;
    if (json->len > 1)
        buf_add_char(json, ',');
    string_print(json, str_of(info.name));
    buf_add_char(json, ':');
    print_task(json, task, &info);
    task->published = true;
}

static void print_run(const struct run *run, struct buf *json)
{
    sup_run_record_print(json, run->sup);
    json->len--; /* the bracket at its end */
    buf_add_format(json, ",\"id\":\"%s\",\"pid\":%d}", run->id, (int)getpid());
}

static void add_run(struct run *run, struct buf *json)
{
    if (json->len > 1)
        buf_add_char(json, ',');
    buf_add_text(json, "\"run\":");
    print_run(run, json);
}

bool record_print(struct run *run, uint32_t number, struct buf *json)
{
    struct sup_task info;
    struct task *task = number == SUP_NO_TASK ? NULL : run_task(run, number);
    if (number == SUP_NO_TASK)
        print_run(run, json);
    else if (task && sup_task_at(run->sup, number, &info))
        print_task(json, task, &info);
    return json->len > 0;
}

static void add_all(struct run *run, struct buf *json)
{
    buf_add_char(json, '{');
    struct sup_place place = {0};
    for (struct sup_task info; sup_next(run->sup, &place, &info);)
        add_record(run, json, info.ref.task);
    add_run(run, json);
    buf_add_char(json, '}');
}

void records_keep(struct run *run)
{
    struct err err;
    AUTO_BUF struct buf json = {0};
    if (!run->folder.run)
        return;
    AUTO_FREE char *path = mem_format("%s/records.json", run->folder.run);
    add_all(run, &json);
    buf_add_char(&json, '\n');
    if (!file_replace(path, buf_str(&json), &err))
        run_say(run, 1, "no records of this run are kept: %s", err.message);
}

void records_hold(struct run *run, struct task *task)
{
    struct records *records = &run->records;
    bool clean = records_clean(run);
    if (!records->token || run->state.closed || (clean && records->sending == 0))
        return;
    task->needed++;
    if (records->held_count == 0)
        timer_set(run->patience, time_now_ms() + HOLD_MS);
    mem_grow(records->held, records->held_capacity, records->held_count);
    records->held[records->held_count++] = task->number;
    if (clean)
        records->held_sent = records->held_count;
}

/* The first so many of those that are held. */
static void let_go(struct run *run, size_t count)
{
    struct records *records = &run->records;
    if (count == 0)
        return;
    uint32_t *held = mem_array(count, sizeof *held);
    memcpy(held, records->held, count * sizeof *held);
    records->held_count -= count;
    records->held_sent = records->held_sent > count ? records->held_sent - count : 0;
    memmove(records->held, records->held + count, records->held_count * sizeof *held);
    timer_set(run->patience, records->held_count > 0 ? time_now_ms() + HOLD_MS : -1);
    for (size_t i = 0; i < count; i++) {
        struct task *task = run_task(run, held[i]);
        if (!task)
            continue;
        task->needed--;
        start_ready(run, task);
    }
    free(held);
}

void records_unhold(struct run *run)
{
    struct records *records = &run->records;
    for (size_t i = 0; i < records->held_count; i++) {
        struct sup_task info;
        struct task *task = run_task(run, records->held[i]);
        if (task && task->spawning && sup_task_at(run->sup, task->number, &info) && info.unwanted)
            start_give_up(run, task, "it was stopped before it was started");
    }
}

void records_late(void *ctx)
{
    struct run *run = ctx;
    run_say(run, 1,
            "the state server does not take records; workers start before those of what they need are there");
    let_go(run, run->records.held_count);
}

static void published(struct run *run, struct task *task, int64_t tag, struct reply *reply)
{
    (void)task;
    (void)tag;
    run->records.sending--;
    if (!reply->ok)
        run_say(run, 1, "cannot publish what happens to workers: %s", reply->error.message);
    if (run->records.sending == 0)
        let_go(run, run->records.held_sent);
}

static void send_records(struct run *run, enum op op, const struct buf *json)
{
    struct request request = {.operation = op};
    if (json->len <= 2 && op == OP_update)
        return;
    request_set_str(&request, FIELD_ns, str_of(run->records.space));
    request_set_str(&request, FIELD_token, str_of(run->records.token));
    if (state_ask(run, &request, buf_str(json), published, SUP_NO_TASK, 0))
        run->records.sending++;
}

/* A trigger's run has its trigger's name: the trigger's own record stands for it. */
static bool has_record(const struct task *task)
{
    return task && task->parent == SUP_NO_TASK;
}

void records_publish(struct run *run)
{
    if (!run->records.token)
        return;
    AUTO_BUF struct buf json = {0};
    add_all(run, &json);
    send_records(run, OP_replace, &json);
}

bool records_clean(const struct run *run)
{
    const struct records *records = &run->records;
    return !records->token || (records->count == 0 && !records->run_dirty && !records->gone);
}

void records_remove(struct run *run, struct task *task)
{
    struct records *records = &run->records;
    if (!task->published)
        return;
    task->published = false;
    if (!records->gone)
        records->gone = value_list();
    list_push(records->gone, value_string(str_of(task->name)));
}

/* Before what has changed: another instance may have the name now. */
static void send_gone(struct run *run)
{
    struct records *records = &run->records;
    struct request request = {.operation = OP_del};
    request_set_str(&request, FIELD_ns, str_of(records->space));
    request_set_str(&request, FIELD_token, str_of(records->token));
    request_set_keys(&request, FIELD_keys, records->gone);
    if (state_ask(run, &request, (struct str){0}, published, SUP_NO_TASK, 0))
        records->sending++;
    value_unref(records->gone);
    records->gone = NULL;
}

void records_touch(struct run *run, uint32_t number)
{
    struct records *records = &run->records;
    struct task *task = run_task(run, number);
    logs_grew(run);
    export_event(run, number);
    if (!task)
        records->run_dirty = true;
    if (task)
        terminal_check(run, task);
    if (!has_record(task) || task->dirty)
        return;
    task->dirty = true;
    mem_grow(records->dirty, records->capacity, records->count);
    records->dirty[records->count++] = number;
}

void records_flush(struct run *run)
{
    struct records *records = &run->records;
    if (records->sending > 0 || !records->token || run->state.closed || records_clean(run))
        return;
    if (records->gone)
        send_gone(run);
    AUTO_BUF struct buf json = {0};
    buf_add_char(&json, '{');
    for (size_t i = 0; i < records->count; i++) {
        add_record(run, &json, records->dirty[i]);
        struct task *task = run_task(run, records->dirty[i]);
        if (task)
            task->dirty = false;
    }
    if (records->run_dirty)
        add_run(run, &json);
    buf_add_char(&json, '}');
    records->count = 0;
    records->run_dirty = false;
    records->held_sent = records->held_count;
    send_records(run, OP_update, &json);
    if (records->sending == 0)
        let_go(run, records->held_sent);
}

void records_release(struct records *records)
{
    free(records->space);
    free(records->token);
    free(records->dirty);
    free(records->held);
    value_unref(records->gone);
    *records = (struct records){0};
}
