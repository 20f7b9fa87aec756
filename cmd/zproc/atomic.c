/* atomic: assignments, carried out by the server in one step. */
#include "command.h"

static const struct option options[] = {ARG_OPTIONS, {0}};

static int run_atomic(struct context *context, struct err *err)
{
    struct request request = {.operation = OP_atomic};
    AUTO_BUF struct buf named = {0};
    if (context->args.dashes < context->args.operand_count) {
        err_set(err, ERR_UNSUPPORTED, "a command under a lock (-- CMD) is not supported yet");
        return FAILED;
    }
    if (context->args.operand_count != 1) {
        err_set(err, ERR_INVALID, "atomic takes one operand: the assignments, separated by ';'");
        return FAILED;
    }
    request_set_str(&request, FIELD_assign, str_of(context->args.operands[0]));
    if (!args_operands(&context->args, &named, err))
        return FAILED;
    return context_print(context, &request, named.len ? buf_str(&named) : (struct str){0}, err);
}

const struct command cmd_atomic = {
    .name = "atomic",
    .group = GROUP_WRITE,
    .usage = "'TARGET = EXPR; ...'",
    .operands_min = 1,
    .operands_max = OPERANDS_ANY,
    .summary = "Assign values of expressions to keys, all or none; print the value, or an object of several",
    .notes = "TARGET is KEY or state[\"KEY\"], and .FIELD or [INDEX] behind it. Each EXPR sees what was\n"
             "assigned before it; an error leaves all as it was.\n",
    .options = options,
    .examples = "  zproc atomic 'count = count + 1; numbers = numbers + [count]'\n"
                "  zproc atomic --arg who \"$USER\" 'owners[who] = \"here\"'\n",
    .run = run_atomic,
};
