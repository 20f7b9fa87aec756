/* txn: conditions, and assignments for when they hold and when they do not, in one step. */
#include "command.h"

static const struct option options[] = {
    {'i', "if", "EXPR", "a condition (may be repeated: all must be true); one that fails is false"},
    {0, "then", "ASSIGNMENTS", "what to do when the conditions hold: 'TARGET = EXPR; ...'"},
    {0, "else", "ASSIGNMENTS", "what to do when they do not hold"},
    {'w', "wait", NULL, "wait until the conditions hold; who came first is served first"},
    {'e', "ephemeral", NULL, "the keys assigned to go with the session (--session, $ZPROC_SESSION)"},
    {'t', "timeout", "TIME", "with --wait: so long at most (5s, 250ms, 1m); then status 124"},
    ARG_OPTIONS,
    {0},
};

/* The list of conditions. False when one is not valid UTF-8. */
static bool conditions_add(const struct args *args, struct value *conditions, struct err *err)
{
    for (size_t i = 0; i < args->given_count; i++) {
        if (strcmp(args->given[i].row->name, "if") != 0)
            continue;
        struct str text = str_of(args->given[i].value);
        if (!utf8_valid(text))
            return err_set(err, ERR_INVALID, "option '--if' must be valid UTF-8");
        list_push(conditions, value_string(text));
    }
    return true;
}

static bool wait_set(struct request *request, const struct args *args, struct err *err)
{
    const char *timeout = args_value(args, "timeout");
    bool wait = args_has(args, "wait");
    int64_t timeout_ms;
    if (timeout && !wait)
        return err_set(err, ERR_INVALID, "option '--timeout' needs '--wait'");
    if (wait && args_has(args, "else"))
        return err_set(err, ERR_INVALID, "options '--wait' and '--else' exclude each other");
    if (timeout && !duration_parse(str_of(timeout), &timeout_ms, err))
        return err_wrap(err, "option '--timeout'");
    if (wait)
        request_set_int(request, FIELD_wait, true);
    if (timeout)
        request_set_int(request, FIELD_timeout_ms, timeout_ms);
    return true;
}

static bool txn_build(struct request *request, const struct args *args, struct value *conditions,
                      struct err *err)
{
    const char *then = args_value(args, "then"), *otherwise = args_value(args, "else");
    if (!conditions_add(args, conditions, err))
        return false;
    if (value_len(conditions))
        request_set_keys(request, FIELD_if, conditions);
    else if (!then)
        return err_set(err, ERR_INVALID, "a transaction needs '--if' or '--then'");
    if (then)
        request_set_str(request, FIELD_then, str_of(then));
    if (otherwise)
        request_set_str(request, FIELD_else, str_of(otherwise));
    if (args_has(args, "ephemeral"))
        request_set_int(request, FIELD_ephemeral, true);
    return wait_set(request, args, err);
}

static int run_txn(struct context *context, struct err *err)
{
    struct request request = {.operation = OP_txn};
    struct reply reply;
    AUTO_VALUE struct value *conditions = value_list();
    AUTO_BUF struct buf named = {0};
    if (!txn_build(&request, &context->args, conditions, err) || !args_operands(&context->args, &named, err))
        return FAILED;
    if (!context_ask(context, &request, named.len ? buf_str(&named) : (struct str){0}, &reply, err))
        return FAILED;
    const struct value *held = reply_field(&reply, "held");
    int status = held && value_as_bool(held) ? 0 : 1;
    if (reply.value.data && !output_value(context, reply.value, err))
        status = FAILED;
    reply_release(&reply);
    return status;
}

const struct command cmd_txn = {
    .name = "txn",
    .group = GROUP_WRITE,
    .usage = "",
    .summary = "Test conditions and assign in one step; status 1 when the conditions do not hold",
    .notes = "Prints the value assigned, or an object of several. Assignments as for atomic.\n"
             "With --wait this makes queues, semaphores, barriers and elections.\n",
    .options = options,
    .examples = "  zproc txn --wait --if 'next < size(jobs)' --then 'job = jobs[next]; next = next + 1'\n"
                "  zproc txn --wait --if 'free > 0' --then 'free = free - 1'\n"
                "  zproc txn --if 'balance >= 5' --then 'balance = balance - 5' --else 'refused = true'\n",
    .run = run_txn,
};
