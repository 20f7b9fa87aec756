/* Keys of a worker that have a form of their own, and what no single key of it shows. */
#include "plan_priv.h"

#include <signal.h>

#define LOG_SIZE_MIN 1024

void replicas_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_worker *worker = target;
    int64_t replicas;
    if (read_int(loader, field_find(&worker_section, STR("replicas")), node, &replicas))
        worker->replicas = (int)replicas;
}

void namespace_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_worker *worker = target;
    if (read_string(loader, "namespace", node, &worker->namespace))
        namespace_check(loader, node);
}

/* What to write in place of a word that other tools have. */
static const char *word_elsewhere(const struct node *node)
{
    if (str_is(node->text, "on-failure") || str_is(node->text, "on_failure"))
        return "; 'retry' starts a worker again after failures";
    if (str_is(node->text, "unless-stopped"))
        return "; always is like that: what 'zproc stop' has stopped stays so";
    return "";
}

static bool word_check(struct loader *loader, const char *what, const struct node *node, const char *first,
                       const char *second, bool *is_second)
{
    *is_second = ynode_is_text(node) && str_is(node->text, second);
    if (*is_second || (ynode_is_text(node) && str_is(node->text, first)))
        return true;
    if (ynode_is_text(node))
        diag_add_at(&loader->diag, node, "'%s' must be %s or %s, not '%.*s'%s", what, first, second,
                    STR_ARG(node->text), word_elsewhere(node));
    else
        diag_add_at(&loader->diag, node, "'%s' must be %s or %s, not %s", what, first, second,
                    ynode_type_name(node));
    return false;
}

void restart_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_worker *worker = target;
    word_check(loader, "restart", node, "never", "always", &worker->restart_always);
}

void result_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_worker *worker = target;
    word_check(loader, "result", node, "none", "stdout", &worker->result_stdout);
}

static bool status_read(const struct node *node, int *status)
{
    int64_t number;
    if (!ynode_as_int(node, &number) || number < 0 || number > 255)
        return false;
    *status = (int)number;
    return true;
}

void success_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_worker *worker = target;
    if (node->type != NODE_LIST) {
        diag_add_at(&loader->diag, node, "'success' must be a list of exit statuses, not %s",
                    ynode_type_name(node));
        return;
    }
    worker->success = memory_take(loader->memory, node->count * sizeof *worker->success);
    for (size_t i = 0; i < node->count; i++) {
        const struct node *item = node->entries[i].value;
        if (status_read(item, &worker->success[worker->success_count]))
            worker->success_count++;
        else
            diag_add_at(&loader->diag, item, "an exit status is a number from 0 to 255");
    }
    if (node->count == 0)
        diag_add_at(&loader->diag, node, "'success' is empty: nothing could succeed; leave it out for [0]");
}

void stop_signal_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_worker *worker = target;
    int number = ynode_is_text(node) ? signal_number(node->text) : 0;
    if (number)
        worker->stop.signal = number;
    else if (!ynode_is_text(node))
        diag_add_at(&loader->diag, node, "'signal' must be a signal like SIGTERM, not %s",
                    ynode_type_name(node));
    else
        diag_add_at(&loader->diag, node, "no signal '%.*s'; write its name, like SIGTERM or INT",
                    STR_ARG(node->text));
}

void secrets_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_worker *worker = target;
    if (!read_texts(loader, "secrets", node, false, &worker->secrets))
        return;
    for (size_t i = 0; i < node->count; i++) {
        struct str name = node->entries[i].value->text;
        if (name.len == 0 || memchr(name.data, '=', name.len))
            diag_add_at(&loader->diag, node->entries[i].value,
                        "'secrets' takes the names of variables, not what is in them");
    }
}

void files_finish(struct loader *loader, const struct node *map, void *target)
{
    struct plan_worker *worker = target;
    const struct node *watch = ynode_get(map, STR("watch"));
    worker->files.given = worker->files.watch.count > 0;
    if (ynode_is_unset(watch) ? !loader->partial : watch->type == NODE_LIST && watch->count == 0)
        diag_add_at(&loader->diag, map, "'files' has nothing to 'watch'; give it patterns like src/**");
}

/* A file that holds hardly a line would be renamed all the time. */
void log_finish(struct loader *loader, const struct node *map, void *target)
{
    const struct plan_log *log = target;
    if (log->max_size > 0 && log->max_size < LOG_SIZE_MIN)
        diag_add_at(&loader->diag, ynode_get(map, STR("max_size")),
                    "'max_size' must be at least 1KiB, or 0 for a file that grows without end");
}

/* ---- ready ---- */

/* Checked here only when there is no ${{ }} in it. */
void http_url_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_ready *ready = target;
    struct str url = node->text, scheme = STR("http://");
    if (!read_text(loader, "http", node, &ready->http.url) || ready->http.url.template)
        return;
    if (str_starts_with(url, STR("https://")))
        diag_add_at(&loader->diag, node,
                    "https is not supported in 'http'; use http://, or 'exec' with a command like curl");
    else if (!str_starts_with(url, scheme) || url.len == scheme.len || strcspn(url.data, " \t\r\n") < url.len)
        diag_add_at(&loader->diag, node, "'%.*s' is not an address like http://localhost:8080/path",
                    STR_ARG(url));
}

void http_finish(struct loader *loader, const struct node *map, void *target)
{
    (void)target;
    if (!loader->partial && ynode_is_unset(ynode_get(map, STR("url"))))
        diag_add_at(&loader->diag, map, "'http' has no 'url'");
}

void http_read(struct loader *loader, const struct node *node, void *target)
{
    if (node->type == NODE_MAP)
        section_read(loader, &http_section, node, target);
    else
        http_url_read(loader, node, target);
}

void ready_log_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_ready *ready = target;
    struct err err;
    if (!read_string(loader, "log", node, &ready->log))
        return;
    struct regex *regex = regex_new(str_of(ready->log), &err);
    if (!regex)
        diag_add_at(&loader->diag, node, "'log': %s", err.message);
    regex_free(regex);
}

static void probes_check(struct loader *loader, const struct node *map, const char *what, bool notify)
{
    static const char *const probes[] = {"when", "exec", "tcp", "http", "log"};
    bool any = notify;
    for (size_t i = 0; i < LENGTH_OF(probes); i++)
        any |= !ynode_is_unset(ynode_get(map, str_of(probes[i])));
    if (!any && !loader->partial)
        diag_add_at(&loader->diag, map, "'%s' has no probe; give it when, exec, tcp%s", what,
                    strcmp(what, "ready") == 0 ? ", http, log or notify" : " or http");
}

void ready_finish(struct loader *loader, const struct node *map, void *target)
{
    struct plan_ready *ready = target;
    ready->given = true;
    probes_check(loader, map, "ready", ready->notify);
}

void alive_tcp_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_alive *alive = target;
    tcp_read(loader, node, &alive->probes);
}

void alive_http_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_alive *alive = target;
    http_read(loader, node, &alive->probes);
}

void alive_finish(struct loader *loader, const struct node *map, void *target)
{
    struct plan_alive *alive = target;
    alive->probes.given = true;
    probes_check(loader, map, "alive", false);
    if (alive->probes.every_ms == 0)
        diag_add_at(&loader->diag, ynode_get(map, STR("every")), "'every' must be more than 0");
}

/* ---- mutex ---- */

void mutex_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_worker *worker = target;
    struct plan_texts names;
    struct table seen = {0};
    if (!read_texts(loader, "mutex", node, false, &names))
        return;
    worker->mutex = memory_take(loader->memory, names.count * sizeof *worker->mutex);
    for (size_t i = 0; i < names.count; i++) {
        struct str name = str_of(names.items[i].raw);
        if (name.len == 0)
            diag_add_at(&loader->diag, node->entries[i].value, "the name of a mutex cannot be empty");
        else if (table_put(&seen, name, worker))
            diag_add_at(&loader->diag, node->entries[i].value, "'%.*s' is listed twice", STR_ARG(name));
        else
            worker->mutex[worker->mutex_count++] = names.items[i].raw;
    }
    table_release(&seen);
}

/* ---- retry ---- */

static bool range_read(struct str text, struct plan_failure *failure)
{
    int numbers[2] = {0, 0}, part = 0;
    size_t digits = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '-' && part == 0 && digits) {
            part = 1;
            digits = 0;
        } else if (c >= '0' && c <= '9' && digits < 3) {
            numbers[part] = numbers[part] * 10 + (c - '0');
            digits++;
        } else {
            return false;
        }
    }
    *failure = (struct plan_failure){FAILURE_STATUS, numbers[0], numbers[1]};
    return part == 1 && digits && numbers[0] <= numbers[1] && numbers[1] <= 255;
}

static bool failure_read(const struct node *node, struct plan_failure *failure)
{
    int number;
    if (!ynode_is_text(node))
        return false;
    if (status_read(node, &number))
        *failure = (struct plan_failure){FAILURE_STATUS, number, number};
    else if (str_is(node->text, "failure"))
        *failure = (struct plan_failure){FAILURE_ANY, 0, 0};
    else if (str_is(node->text, "timeout"))
        *failure = (struct plan_failure){FAILURE_TIMEOUT, 0, 0};
    else if (str_is(node->text, "lost"))
        *failure = (struct plan_failure){FAILURE_LOST, 0, 0};
    else if ((number = signal_number(node->text)))
        *failure = (struct plan_failure){FAILURE_SIGNAL, number, number};
    else
        return range_read(node->text, failure);
    return true;
}

void failures_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_retry *retry = target;
    if (node->type != NODE_LIST) {
        diag_add_at(&loader->diag, node, "'for' must be a list of failures, not %s", ynode_type_name(node));
        return;
    }
    if (node->count == 0)
        diag_add_at(&loader->diag, node,
                    "'for' is empty: nothing would be retried; leave it out for every failure");
    retry->failures = memory_take(loader->memory, node->count * sizeof *retry->failures);
    for (size_t i = 0; i < node->count; i++) {
        const struct node *item = node->entries[i].value;
        if (failure_read(item, &retry->failures[retry->failure_count]))
            retry->failure_count++;
        else if (ynode_is_text(item))
            diag_add_at(
                &loader->diag, item,
                "'%.*s' is not a failure; write a status (0 to 255), a range like 100-110, a signal like "
                "SIGSEGV, timeout, lost, or failure for all of them",
                STR_ARG(item->text));
        else
            diag_add_at(&loader->diag, item, "a failure must be text or a number, not %s",
                        ynode_type_name(item));
    }
}

void retry_args_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_retry *retry = target;
    retry->has_args = read_texts(loader, "args", node, true, &retry->args);
}

void retry_finish(struct loader *loader, const struct node *map, void *target)
{
    struct plan_retry *retry = target;
    const struct node_entry *max = ynode_entry_get(map, STR("max")),
                            *kinds = ynode_entry_get(map, STR("for"));
    if (max && ynode_is_unset(max->value))
        retry->max = -1;
    if (!max && kinds && !ynode_is_unset(kinds->value) && !loader->partial)
        diag_add_at(&loader->diag, kinds->key,
                    "'for' needs 'max': say how often to retry ('max: null' is without end)");
}

/* ---- The worker as a whole ---- */

static void trigger_fit_check(struct loader *loader, const struct node *map, const struct plan_worker *worker)
{
    const struct node *key = ynode_entry_get(map, STR("trigger"))->key;
    if (worker->files.given)
        diag_add_at(&loader->diag, key, "'trigger' and 'files' do not fit: it runs once for every event");
    if (worker->service)
        diag_add_at(&loader->diag, key, "a service cannot have a 'trigger': it runs all the time");
    else if (worker->restart_always)
        diag_add_at(&loader->diag, key,
                    "'trigger' and 'restart: always' do not fit: it runs once for every event");
}

void worker_finish(struct loader *loader, const struct node *map, void *target)
{
    struct plan_worker *worker = target;
    if (ynode_is_unset(ynode_get(map, STR("restart"))))
        worker->restart_always = worker->service;
    if (loader->partial)
        return;
    stdin_check(loader, map, worker);
    if (worker->trigger.given)
        trigger_fit_check(loader, map, worker);
    if (worker->map.given)
        map_fit_check(loader, map, worker);
    schedule_finish(loader, map, worker);
    if (ynode_is_unset(ynode_get(map, STR("run"))))
        diag_add_place(&loader->diag, &worker->place, "the worker '%s' has no 'run'", worker->name);
}
