/* eval: an expression, evaluated by the server. */
#include "command.h"

static const struct option options[] = {
    {'t', "test", NULL, "print nothing; status 0 when it is true, 1 when it is false"},
    ARG_OPTIONS,
    {0},
};

static int test_status(struct str json, struct err *err)
{
    if (str_is(json, "true"))
        return 0;
    if (str_is(json, "false"))
        return 1;
    err_set(err, ERR_TYPE, "the expression is neither true nor false: %.*s", STR_ARG(json));
    return FAILED;
}

static int run_eval(struct context *context, struct err *err)
{
    struct request request = {.operation = OP_eval};
    struct reply reply;
    AUTO_BUF struct buf named = {0};
    request_set_str(&request, FIELD_expr, str_of(context->args.operands[0]));
    if (!args_operands(&context->args, &named, err))
        return FAILED;
    struct str value = named.len ? buf_str(&named) : (struct str){0};
    if (!args_has(&context->args, "test"))
        return context_print(context, &request, value, err);
    if (!context_ask(context, &request, value, &reply, err))
        return FAILED;
    int status = test_status(reply.value, err);
    reply_release(&reply);
    return status;
}

const struct command cmd_eval = {
    .name = "eval",
    .group = GROUP_READ,
    .usage = "EXPR",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Print the value of an expression (CEL) over the keys of the namespace",
    .notes = "Keys are names; state is the whole namespace, for other keys: state[\"my-key\"].\n",
    .options = options,
    .examples = "  zproc eval 'size(jobs) + done'\n  zproc eval --arg who \"$USER\" 'owners[who]'\n  if "
                "zproc eval --test 'cookies > 5'; then echo enough; fi\n",
    .run = run_eval,
};
