/* Triggers: the next event of a condition is asked for when there is a slot for it; the cursor of the
 * trigger's session is its queue. */
#include "run_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void event_release(struct event *event)
{
    value_unref(event->value);
    free(event->key);
    *event = (struct event){0};
}

static bool is_among(const struct value *keys, struct str key)
{
    for (size_t i = 0; i < value_len(keys); i++)
        if (str_equal(value_as_str(list_at(keys, i)), key))
            return true;
    return false;
}

/* The first change that the trigger's condition is about. */
static const struct value *find_change(const struct plan_trigger *trigger, const struct value *data)
{
    const struct value *changes = data ? map_get(data, STR("changes")) : NULL;
    for (size_t i = 0; changes && i < value_len(changes); i++) {
        const struct value *change = list_at(changes, i);
        const struct value *name = map_get(change, STR("key"));
        if (!name)
            continue;
        struct str key = value_as_str(name);
        bool listed = trigger->keys && is_among(trigger->keys, key);
        bool fits = trigger->condition == CONDITION_PREFIX    ? str_starts_with(key, str_of(trigger->key))
                    : trigger->key                            ? str_is(key, trigger->key)
                    : trigger->condition == CONDITION_CHANGE  ? listed || value_len(trigger->keys) == 0
                    : trigger->condition == CONDITION_EXCLUDE ? !listed
                                                              : true;
        if (fits)
            return change;
    }
    return NULL;
}

static void event_read(struct event *event, const struct plan_trigger *trigger, const struct reply *reply)
{
    event_release(event);
    AUTO_VALUE struct value *data = reply->value.data ? value_parse(reply->value, NULL) : NULL;
    const struct value *rev = data ? map_get(data, STR("rev")) : NULL;
    event->revision = rev ? value_as_int(rev) : reply->rev;
    const struct value *change = find_change(trigger, data);
    if (change) {
        struct str key = value_as_str(map_get(change, STR("key")));
        const struct value *value = map_get(change, STR("value"));
        event->key = mem_copy(key.data, key.len);
        event->value = value ? value_ref(value) : NULL;
        event->changed = true;
    } else if (trigger->key) {
        event->key = mem_text(trigger->key);
    }
}

static void trigger_answered(struct run *run, struct task *task, int64_t tag, struct reply *reply)
{
    (void)tag;
    struct sup_event event = {.kind = SUP_TRIGGER, .ref = {.task = task->number}};
    if (reply->ok) {
        event_read(&task->event, &task->worker->trigger, reply);
        event.number = task->event.revision;
    } else if (reply->error.code == ERR_LOST) {
        event.kind = SUP_TRIGGER_LOST;
        const struct value *missed = reply_field(reply, "missed");
        event.number = missed && value_type(missed) == VALUE_INT ? value_as_int(missed) : 0;
    } else {
        event.kind = SUP_TRIGGER_FAILED;
        event.text = str_of(reply->error.message);
    }
    run_event(run, event);
}

static const char *condition_name(enum plan_condition condition)
{
    static const char *const names[] = {
        [CONDITION_CHANGE] = "change",     [CONDITION_EXCLUDE] = "exclude",     [CONDITION_WHEN] = "when",
        [CONDITION_EQUAL] = "equal",       [CONDITION_NOT_EQUAL] = "not_equal", [CONDITION_NONE] = "none",
        [CONDITION_NOT_NONE] = "not_none", [CONDITION_AVAILABLE] = "available", [CONDITION_PREFIX] = "prefix",
        [CONDITION_TRUTHY] = "truthy",     [CONDITION_FALSY] = "falsy",
    };
    return names[condition];
}

void trigger_arm(struct run *run, struct task *task, int64_t ack, bool live)
{
    const struct plan_trigger *trigger = &task->worker->trigger;
    AUTO_BUF struct buf value = {0};
    struct request request = {.operation = OP_watch};
    state_cancel(run, &task->armed);
    request_set_str(&request, FIELD_ns, str_of(task->worker->namespace));
    request_set_str(&request, FIELD_session, str_of(task->session));
    request_set_str(&request, FIELD_condition, str_of(condition_name(trigger->condition)));
    request_set_str(&request, FIELD_want, STR("event"));
    if (trigger->keys && value_len(trigger->keys) > 0)
        request_set_keys(&request, FIELD_keys, trigger->keys);
    if (trigger->key)
        request_set_str(&request, FIELD_key, str_of(trigger->key));
    if (trigger->when)
        request_set_str(&request, FIELD_expr, expr_text(trigger->when));
    if (trigger->value)
        value_print(&value, trigger->value);
    if (ack > 0)
        request_set_int(&request, FIELD_ack, ack);
    if (live)
        request_set_int(&request, FIELD_live, true);
    if (trigger->duplicates)
        request_set_int(&request, FIELD_duplicates, true);
    if (trigger->edge)
        request_set_int(&request, FIELD_edge, true);
    state_keep(&task->armed, state_ask(run, &request, value.data ? buf_str(&value) : (struct str){0},
                                       trigger_answered, task->number, 0));
}

void trigger_disarm(struct run *run, struct task *task)
{
    state_cancel(run, &task->armed);
}

/* The name of a new file of the run's folder. */
static char *file_path(const struct run *run, const struct task *task, const char *what)
{
    AUTO_BUF struct buf name = {0};
    file_name_add(&name, task);
    buf_add_format(&name, ".%u.%s", task->number, what);
    return mem_format("%s/%s", run->folder.run, name.data);
}

char *task_file(const struct run *run, const struct task *task, const char *what, struct str text,
                struct err *err)
{
    AUTO_FREE char *path = file_path(run, task, what);
    AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && fd_write_all(fd, text.data, text.len))
        return mem_text(path);
    err_errno(err, errno, "cannot write '%s'", path);
    return NULL;
}

/* ---- The snapshot: read in pages of its revision, into a file ---- */

/* A page as it comes, without the bracket at its end; a comma goes before the next one. */
static bool page_write(const struct run *run, struct task *task, struct str page, bool last, struct err *err)
{
    bool first = !task->snapshot;
    if (first)
        task->snapshot = file_path(run, task, "snapshot");
    int flags = first ? O_CREAT | O_EXCL : O_APPEND;
    AUTO_FD int fd = open(task->snapshot, flags | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
    struct str inside = {page.data + !first, page.len - !first - 1};
    if (fd >= 0 && (first || inside.len == 0 || fd_write_all(fd, ",", 1)) &&
        fd_write_all(fd, inside.data, inside.len) && (!last || fd_write_all(fd, "}", 1)))
        return true;
    return err_errno(err, errno, "cannot write '%s'", task->snapshot);
}

/* At a first check nothing was changed: the key's value is the one that held. */
static void note_value(struct event *event, struct str page)
{
    if (event->changed || !event->key)
        return;
    AUTO_VALUE struct value *state = value_parse(page, NULL);
    const struct value *value = state ? map_get(state, str_of(event->key)) : NULL;
    if (!value)
        return;
    event->value = value_ref(value);
    event->changed = true;
}

static void page_ask(struct run *run, struct task *task, int64_t page);

static void page_arrived(struct run *run, struct task *task, int64_t tag, struct reply *reply)
{
    struct err err = reply->error;
    const struct value *next = reply->ok ? reply_field(reply, "next") : NULL;
    bool written =
        reply->ok && reply->value.len >= 2 && page_write(run, task, reply->value, next == NULL, &err);
    (void)tag;
    if (written)
        note_value(&task->event, reply->value);
    if (written && next) {
        page_ask(run, task, value_as_int(next));
        return;
    }
    if (!written && !task->obstacle)
        task->obstacle = mem_format("cannot have the snapshot of revision %lld: %s",
                                    (long long)task->event.revision, err.message);
    task->event.changed = true;
    task->needed--;
    start_ready(run, task);
}

static void page_ask(struct run *run, struct task *task, int64_t page)
{
    struct request request = {.operation = OP_get};
    request_set_str(&request, FIELD_ns, str_of(task->worker->namespace));
    request_set_int(&request, FIELD_at, task->event.revision);
    request_set_int(&request, FIELD_page, page);
    state_ask(run, &request, (struct str){0}, page_arrived, task->number, 0);
}

void trigger_adopt(struct run *run, struct task *task, struct task *parent)
{
    if (task->worker->trigger.condition >= CONDITION_WORKER)
        return; /* no event of the state */
    task->event = parent->event;
    parent->event = (struct event){0};
    task->needed++;
    page_ask(run, task, 0);
}

void trigger_forget(struct task *task)
{
    event_release(&task->event);
    if (task->snapshot)
        unlink(task->snapshot);
    if (task->value)
        unlink(task->value);
    free(task->snapshot);
    free(task->value);
    task->snapshot = task->value = NULL;
}
