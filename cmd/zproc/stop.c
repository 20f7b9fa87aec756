/* stop: ends workers of a run that goes on. */
#include "call.h"

static const struct option stop_options[] = {CALL_ALL, CALL_TIMEOUT, RUN_OPTION, {0}};

static void print_exit(struct buf *line, const struct value *worker)
{
    const struct value *exit = map_get(worker, STR("exit"));
    if (exit && value_type(exit) == VALUE_INT)
        buf_add_int(line, value_as_int(exit));
    else
        buf_add_char(line, '-');
    buf_add_char(line, '\n');
}

static int run_stop(struct context *context, struct err *err)
{
    AUTO_BUF struct buf json = {0};
    AUTO_VALUE struct value *answer = NULL;
    call_begin(&json, "stop");
    bool ok = call_names(context, 0, &json, err) && call_ask(context, &json, &answer, err) &&
              call_print(context, answer, print_exit, err);
    return ok ? 0 : FAILED;
}

const struct command cmd_stop = {
    .name = "stop",
    .group = GROUP_CONTROL,
    .usage = "NAME... | --all",
    .operands_max = OPERANDS_ANY,
    .summary = "Stop workers, in reverse order of needs, and print their exit statuses",
    .notes = CALL_NAMES
    "Returns when nothing of them is left. Prints a line each: the status of its last attempt, 128+N\n"
    "for signal N, - for one that has never run. They are not started again unless 'start' says so.\n",
    .options = stop_options,
    .examples = "  zproc stop web db\n  zproc stop --all\n",
    .run = run_stop,
};
