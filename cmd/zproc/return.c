/* return: the result of the worker that calls it. */
#include "call.h"

#include <stdlib.h>

static const struct option return_options[] = {VALUE_OPTIONS, {0}};

static int run_return(struct context *context, struct err *err)
{
    const char *run = getenv("ZPROC_RUN"), *task = getenv("ZPROC_TASK");
    AUTO_BUF struct buf json = {0};
    AUTO_VALUE struct value *answer = NULL;
    if (!run || !*run || !task || !*task || strspn(task, "0123456789") != strlen(task)) {
        err_set(err, ERR_INVALID,
                "only a worker of a run has a result (ZPROC_RUN and ZPROC_TASK are not set)");
        return FAILED;
    }
    call_begin(&json, "return");
    buf_add_format(&json, ",\"task\":%s,\"value\":", task);
    bool ok = value_operand(&context->args, context->args.operands[0], &json, err) &&
              call_ask(context, &json, &answer, err);
    return ok ? 0 : FAILED;
}

const struct command cmd_return = {
    .name = "return",
    .group = GROUP_CONTROL,
    .usage = "VALUE",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Within a worker: make VALUE its result",
    .notes =
        VALUE_NOTES "It stands in place of the last line that the worker prints. The last call counts.\n",
    .options = return_options,
    .examples = "  zproc run -- zproc return '{\"found\": 3}'\n",
    .run = run_return,
};
