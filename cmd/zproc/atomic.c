/* atomic: assignments, carried out by the server in one step, or a command that has the namespace for itself.
 */
#include "command.h"

static const struct option options[] = {ARG_OPTIONS, {0}};

static int bad_usage(const char *why, struct err *err)
{
    err_set(err, ERR_INVALID, "%s", why);
    return FAILED;
}

static int run_atomic(struct context *context, struct err *err)
{
    struct request request = {.operation = OP_atomic};
    AUTO_BUF struct buf named = {0};
    if (context->args.dashes == 0)
        return args_has(&context->args, "arg") || args_has(&context->args, "argjson")
                   ? bad_usage("options '--arg' and '--argjson' go with assignments, not with a command", err)
                   : run_locked(context, err);
    if (context->args.operand_count != 1)
        return bad_usage("atomic takes one operand, the assignments separated by ';', or -- CMD", err);
    request_set_str(&request, FIELD_assign, str_of(context->args.operands[0]));
    if (!args_operands(&context->args, &named, err))
        return FAILED;
    return context_print(context, &request, named.len ? buf_str(&named) : (struct str){0}, err);
}

const struct command cmd_atomic = {
    .name = "atomic",
    .group = GROUP_WRITE,
    .usage = "'TARGET = EXPR; ...' | -- CMD...",
    .operands_min = 1,
    .operands_max = OPERANDS_ANY,
    .summary = "Assign values of expressions to keys, all or none; print the value, or an object of several",
    .notes = "TARGET is KEY or state[\"KEY\"], and .FIELD or [INDEX] behind it. Each EXPR sees what was\n"
             "assigned before it; an error leaves all as it was.\n"
             "CMD runs while everybody else's writes wait: it has the namespace on standard input, as an\n"
             "object, and prints what it shall be (nothing: unchanged); what it writes to descriptor 3 is\n"
             "printed. Nothing changes when it fails (its status is passed on), or when the lock is lost:\n"
             "then it is ended and the status is 125. The namespace may be large; past 16 MiB only what CMD\n"
             "changed is sent, and may have 16 MiB.\n",
    .options = options,
    .examples = "  zproc atomic 'count = count + 1; numbers = numbers + [count]'\n"
                "  zproc atomic --arg who \"$USER\" 'owners[who] = \"here\"'\n"
                "  zproc atomic -- jq -c '.count += 1'\n"
                "  id=$(zproc atomic -- python3 assign.py)\n",
    .run = run_atomic,
};
