/* wait: until workers have ended; prints their results, passes on how the first failure ended. */
#include "records.h"

#include <stdlib.h>

static const struct option wait_options[] = {
    {0, "all", NULL, "all jobs (the default without NAMEs)"},
    {0, "any", NULL, "only until the first of them has ended"},
    {0, "safe", NULL, "a line of JSON each: the result, or {\"error\": ...}; failures do not end it"},
    {'t', "timeout", "TIME", "wait so long at most (5s, 1m); then status 124"},
    RUN_OPTION,
    {0},
};

/* A worker that is waited for. */
struct awaited {
    char *name;
    struct value *end; /* its record at its first end, NULL: not yet */
};
struct waiting {
    struct context *context;
    struct records records;
    struct awaited **items; /* in the records' order */
    size_t count, capacity;
    struct table names;    /* of them */
    size_t left;           /* that have not ended */
    size_t printed;        /* results so far */
    struct awaited *first; /* that ended, with `any`; else that failed */
    bool any, safe;
    struct buf out;
};

/* ---- What is waited for ---- */

/* Jobs, but not one that nobody has started (`start: false`). */
static bool is_wanted(const struct waiting *waiting, struct str name, const struct value *record)
{
    const struct args *args = &waiting->context->args;
    for (size_t i = 0; i < args->operand_count; i++)
        if (record_is(name, record, args->operands[i]))
            return true;
    const struct value *start = map_get(record, STR("start"));
    bool starts = !start || value_as_bool(start) || record_number(record, "attempt") > 0;
    return args->operand_count == 0 && str_is(record_text(record, "kind"), "job") && starts;
}

static struct awaited *awaited_add(struct waiting *waiting, struct str name)
{
    struct awaited *item = mem_new(sizeof *item);
    item->name = mem_copy(name.data, name.len);
    mem_grow(waiting->items, waiting->capacity, waiting->count);
    waiting->items[waiting->count++] = item;
    waiting->left++;
    table_put(&waiting->names, str_of(item->name), item);
    return item;
}

static bool is_good(const struct value *record)
{
    return record_exit(record) == 0 && !record_status_is(record, "skipped");
}

/* What never started has no time of its end, and comes last. */
static bool ended_before(const struct value *record, const struct value *other)
{
    int64_t ended = record_number(record, "ended"), other_ended = record_number(other, "ended");
    return ended >= 0 && (other_ended < 0 || ended < other_ended);
}

/* Its first end counts, whatever becomes of the worker afterwards. */
static void awaited_end(struct waiting *waiting, struct awaited *item, const struct value *record)
{
    item->end = value_ref(record);
    waiting->left--;
    bool counts = waiting->any || !is_good(record);
    if (counts && (!waiting->first || ended_before(record, waiting->first->end)))
        waiting->first = item;
}

/* An instance that was scaled away, a worker that a reload took out. */
static void end_removed(struct waiting *waiting, struct awaited *item)
{
    struct value *end = value_map();
    map_set(end, STR("status"), value_string(STR("stopped")));
    map_set(end, STR("reason"), value_string(STR("it was removed from the run")));
    awaited_end(waiting, item, end);
    value_unref(end);
}

static void take_record(void *ctx, struct str name, const struct value *record)
{
    struct waiting *waiting = ctx;
    struct awaited *item = table_get(&waiting->names, name);
    if (str_is(name, "run"))
        return;
    if (!record) {
        if (item && !item->end)
            end_removed(waiting, item);
        return;
    }
    if (!item && is_wanted(waiting, name, record))
        item = awaited_add(waiting, name);
    if (item && !item->end && record_ended(record))
        awaited_end(waiting, item, record);
}

/* When the run is over, what has not ended never will. */
static void take_over(struct waiting *waiting)
{
    if (!record_ended(records_run(&waiting->records)))
        return;
    for (size_t i = 0; i < waiting->count; i++) {
        struct awaited *item = waiting->items[i];
        const struct value *record = map_get(waiting->records.map, str_of(item->name));
        if (item->end)
            continue;
        struct value *end = record ? value_copy(record) : value_map();
        map_set(end, STR("reason"), value_string(STR("the run ended before it did")));
        awaited_end(waiting, item, end);
        value_unref(end);
    }
}

/* ---- What is printed ---- */

static void add_error(struct buf *out, const struct awaited *item, const struct value *record)
{
    static const char *const fields[] = {"status", "exit", "signal", "reason", "tail"};
    buf_add_text(out, "{\"error\":{\"worker\":");
    string_print(out, str_of(item->name));
    for (size_t i = 0; i < LENGTH_OF(fields); i++) {
        const struct value *value = map_get(record, str_of(fields[i]));
        if (!value)
            continue;
        buf_add_format(out, ",\"%s\":", fields[i]);
        value_print(out, value);
    }
    buf_add_text(out, "}}\n");
}

static void add_result(struct waiting *waiting, const struct awaited *item)
{
    struct buf *out = &waiting->out;
    AUTO_VALUE struct value *none = value_null();
    const struct value *result = map_get(item->end, STR("result"));
    result = result ? result : none;
    if (waiting->safe && !is_good(item->end)) {
        add_error(out, item, item->end);
    } else if (waiting->any && waiting->context->json) {
        buf_add_text(out, "{\"worker\":");
        string_print(out, str_of(item->name));
        buf_add_text(out, ",\"result\":");
        value_print(out, result);
        buf_add_text(out, "}\n");
    } else if (waiting->safe || waiting->context->json) {
        value_print(out, result);
        buf_add_char(out, '\n');
    } else {
        output_line(out, result, false);
    }
}

/* Each result as soon as its turn comes. */
static bool print_results(struct waiting *waiting, struct err *err)
{
    buf_clear(&waiting->out);
    while (!waiting->any && waiting->printed < waiting->count && waiting->items[waiting->printed]->end) {
        const struct awaited *item = waiting->items[waiting->printed];
        if (!waiting->safe && !is_good(item->end))
            break;
        add_result(waiting, item);
        waiting->printed++;
    }
    if (waiting->any && waiting->first && (waiting->safe || is_good(waiting->first->end)))
        add_result(waiting, waiting->first);
    return waiting->out.len == 0 || output_write(&waiting->out, err);
}

/* The rest, when time is up. */
static int give_up(struct waiting *waiting, struct err *err)
{
    buf_clear(&waiting->out);
    for (size_t i = waiting->printed; waiting->safe && !waiting->any && i < waiting->count; i++) {
        const struct awaited *item = waiting->items[i];
        const struct value *record = map_get(waiting->records.map, str_of(item->name));
        if (item->end)
            add_result(waiting, item);
        else if (record)
            add_error(&waiting->out, item, record);
    }
    struct err failure;
    if (waiting->out.len > 0 && !output_write(&waiting->out, &failure))
        *err = failure;
    else
        err_set(err, ERR_TIMEOUT, "%zu of %zu had not ended in time", waiting->left, waiting->count);
    return FAILED;
}

/* ---- Waiting ---- */

static bool is_over(const struct waiting *waiting)
{
    return waiting->left == 0 || (waiting->first && (waiting->any || !waiting->safe));
}

static int end_status(const struct waiting *waiting)
{
    const struct awaited *first = waiting->first;
    if (!first || waiting->safe || is_good(first->end))
        return 0;
    record_explain(waiting->context, str_of(first->name), first->end);
    return record_exit(first->end);
}

static int wait_until(struct waiting *waiting, int64_t until_ms, struct err *err)
{
    for (;;) {
        take_over(waiting);
        if (!print_results(waiting, err))
            return FAILED;
        if (is_over(waiting))
            return end_status(waiting);
        if (!records_wait(&waiting->records, until_ms, take_record, waiting, err))
            return err->code == ERR_TIMEOUT ? give_up(waiting, err) : FAILED;
    }
}

static int wait_begin(struct waiting *waiting, int64_t until_ms, struct err *err)
{
    const struct args *args = &waiting->context->args;
    struct records *records = &waiting->records;
    if (!records_read(records, waiting->context, err) ||
        !records_check_names(records, args->operands, args->operand_count, err))
        return FAILED;
    struct str name;
    size_t at = 0;
    for (const struct value *record; (record = records_next(records, &at, &name));)
        take_record(waiting, name, record);
    return wait_until(waiting, until_ms, err);
}

static void waiting_release(struct waiting *waiting)
{
    for (size_t i = 0; i < waiting->count; i++) {
        free(waiting->items[i]->name);
        value_unref(waiting->items[i]->end);
        free(waiting->items[i]);
    }
    free(waiting->items);
    table_release(&waiting->names);
    records_release(&waiting->records);
    buf_release(&waiting->out);
}

/* Our own failures are told from those of workers. */
static void tell_apart(struct err *err)
{
    if (err_code_status(err->code) != 2 && err->code != ERR_TIMEOUT && err->code != ERR_KEY_REJECTED)
        err->code = ERR_INTERNAL;
}

static bool wait_times(const struct args *args, int64_t *until_ms, struct err *err)
{
    const char *timeout = args_value(args, "timeout");
    int64_t ms;
    *until_ms = -1;
    if (args_has(args, "all") && (args_has(args, "any") || args->operand_count > 0))
        return err_set(err, ERR_INVALID, "'--all' goes without '--any' and NAMEs");
    if (!timeout)
        return true;
    if (!duration_parse(str_of(timeout), &ms, err))
        return err_wrap(err, "option '--timeout'");
    *until_ms = time_now_ms() + ms;
    return true;
}

static int run_wait(struct context *context, struct err *err)
{
    struct waiting waiting = {
        .context = context, .any = args_has(&context->args, "any"), .safe = args_has(&context->args, "safe")};
    int64_t until_ms;
    int status = wait_times(&context->args, &until_ms, err) ? wait_begin(&waiting, until_ms, err) : FAILED;
    waiting_release(&waiting);
    if (status == FAILED)
        tell_apart(err);
    return status;
}

const struct command cmd_wait = {
    .name = "wait",
    .group = GROUP_CONTROL,
    .usage = "[NAME...]",
    .operands_max = OPERANDS_ANY,
    .summary = "Wait until workers have ended, and print their results",
    .notes =
        "NAME is a worker (all its instances) or one instance; without NAMEs all jobs of the run. Results\n"
        "are printed in the manifest's order, each as soon as its turn comes. The first failure ends it,\n"
        "with the worker's status (128+N for signal N, 124 for a timeout) and why on stderr; failures of\n"
        "zproc itself are 125. A worker that has ended already counts as it ended, also when the run that\n"
        "went on in this folder is over.\n",
    .options = wait_options,
    .examples = "  zproc wait\n  size=$(zproc wait measure)\n  zproc wait --safe --timeout 5m test lint\n"
                "  zproc wait --any --json mirror\n",
    .run = run_wait,
};
