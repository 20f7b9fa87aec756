/* results: what a map of a run has come to so far, and the rest as it comes. */
#include "records.h"

static const struct option results_options[] = {
    {'t', "timeout", "TIME", "wait so long at most (5s, 1m); then status 124"},
    {'0', "null", NULL, "end each with a NUL character instead of a newline"},
    RUN_OPTION,
    {0},
};

struct results {
    struct context *context;
    struct records records;
    size_t printed;
};

static const struct value *own_record(const struct results *results)
{
    return map_get(results->records.map, str_of(results->context->args.operands[0]));
}

/* Those that are new. */
static bool print_new(struct results *results, struct err *err)
{
    const struct value *list = map_get(own_record(results), STR("result"));
    bool null_ends = args_has(&results->context->args, "null");
    AUTO_BUF struct buf out = {0};
    for (; results->printed < value_len(list); results->printed++) {
        const struct value *item = list_at(list, results->printed);
        if (results->context->json) {
            value_print(&out, item);
            buf_add_char(&out, null_ends ? '\0' : '\n');
        } else {
            output_line(&out, item, null_ends);
        }
    }
    return out.len == 0 || output_write(&out, err);
}

/* The map's own status: that of the failed item with the lowest number. */
static int end_status(const struct results *results)
{
    const struct value *record = own_record(results);
    bool good = record_exit(record) == 0 && !record_status_is(record, "skipped");
    if (!good)
        record_explain(results->context, str_of(results->context->args.operands[0]), record);
    return good ? 0 : record_exit(record);
}

static void nothing(void *ctx, struct str name, const struct value *record)
{
    (void)ctx;
    (void)name;
    (void)record;
}

static int follow(struct results *results, int64_t until_ms, struct err *err)
{
    while (own_record(results)) {
        if (!print_new(results, err))
            return FAILED;
        if (record_ended(own_record(results)))
            return end_status(results);
        if (record_ended(records_run(&results->records))) {
            err_set(err, ERR_INTERNAL, "the run ended before the map did");
            return FAILED;
        }
        if (!records_wait(&results->records, until_ms, nothing, NULL, err)) {
            if (err->code == ERR_TIMEOUT)
                err_set(err, ERR_TIMEOUT, "there were %zu results in time", results->printed);
            return FAILED;
        }
    }
    err_set(err, ERR_INTERNAL, "'%s' was removed from the run", results->context->args.operands[0]);
    return FAILED;
}

static bool begin(struct results *results, struct err *err)
{
    const struct args *args = &results->context->args;
    if (!records_read(&results->records, results->context, err) ||
        !records_check_names(&results->records, args->operands, 1, err))
        return false;
    const struct value *record = own_record(results);
    return (record && map_get(record, STR("items"))) ||
           err_set(err, ERR_INVALID, "'%s' is no map; 'zproc wait' prints the result of other workers",
                   args->operands[0]);
}

static int run_results(struct context *context, struct err *err)
{
    struct results results = {.context = context};
    const char *timeout = args_value(&context->args, "timeout");
    int64_t until_ms = -1, ms = 0;
    if (timeout && !duration_parse(str_of(timeout), &ms, err)) {
        err_wrap(err, "option '--timeout'");
        return FAILED;
    }
    if (timeout)
        until_ms = time_now_ms() + ms;
    int status = begin(&results, err) ? follow(&results, until_ms, err) : FAILED;
    records_release(&results.records);
    /* Our own failures are told from those of items. */
    if (status == FAILED && err_code_status(err->code) != 2 && err->code != ERR_TIMEOUT &&
        err->code != ERR_KEY_REJECTED)
        err->code = ERR_INTERNAL;
    return status;
}

const struct command cmd_results = {
    .name = "results",
    .group = GROUP_CONTROL,
    .usage = "TASK",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Print the results of a map, in order, while it runs too",
    .notes = "TASK is what 'zproc map --task' printed, or a worker with a 'map'. Any client may ask, and\n"
             "several at once. The exit status is that of the failed item with the lowest number.\n",
    .options = results_options,
    .examples = "  zproc results squares\n  zproc results --json --timeout 5m squares | jq .\n",
    .run = run_results,
};
