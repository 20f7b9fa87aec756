/* Commands that read: get, has, keys, values, items, len. */
#include "command.h"

#define AT_OPTION                                                                                            \
    {                                                                                                        \
        0, "at", "REV", "as of a revision"                                                                   \
    }
#define LINE_NOTES                                                                                           \
    "One line each; a string with control characters is printed as JSON. With --json: one list.\n"

static bool at_add(const struct context *context, struct request *request, struct err *err)
{
    int64_t at = -1;
    if (!args_number(&context->args, "at", &at, err))
        return false;
    if (at >= 0)
        request_set_int(request, FIELD_at, at);
    return true;
}

/* Everything as one JSON value. */
static int all_print(struct context *context, struct request *request, struct err *err)
{
    AUTO_BUF struct buf json = {0};
    return context_ask_all(context, request, &json, err) && output_value(context, buf_str(&json), err)
               ? 0
               : FAILED;
}

/* ---- get ---- */

static const struct option get_options[] = {
    {'d', "default", "VALUE", "print this when KEY does not exist"},
    AT_OPTION,
    VALUE_OPTIONS,
    {0},
};

static int run_get(struct context *context, struct err *err)
{
    struct request request = {.operation = OP_get};
    AUTO_BUF struct buf value = {0};
    const char *otherwise;
    bool has_key = context->args.operand_count > 0;
    if (has_key)
        key_operand(&request, context->args.operands[0]);
    if (!default_operand(&context->args, &otherwise, &value, err))
        return FAILED;
    if (otherwise && !has_key) {
        err_set(err, ERR_INVALID, "option '--default' needs a KEY");
        return FAILED;
    }
    if (!has_key)
        return at_add(context, &request, err) ? all_print(context, &request, err) : FAILED;
    if (!at_add(context, &request, err))
        return FAILED;
    return context_print(context, &request, otherwise ? buf_str(&value) : (struct str){0}, err);
}

const struct command cmd_get = {
    .name = "get",
    .group = GROUP_READ,
    .usage = "[KEY]",
    .operands_max = 1,
    .summary = "Print the value of KEY, or of all keys as a JSON object",
    .notes = "KEY#/a/0 reads inside the value (JSON Pointer). A string is printed as it is, all else as "
             "JSON.\n" VALUE_NOTES,
    .options = get_options,
    .examples = "  zproc get count\n  zproc get 'config#/db/host' --default localhost\n",
    .run = run_get,
};

/* ---- has ---- */

static const struct option at_options[] = {AT_OPTION, {0}};

static int run_has(struct context *context, struct err *err)
{
    struct request request = {.operation = OP_has};
    struct reply reply;
    key_operand(&request, context->args.operands[0]);
    if (!at_add(context, &request, err) || !context_ask(context, &request, (struct str){0}, &reply, err))
        return FAILED;
    bool found = str_is(reply.value, "true");
    bool written = output_value(context, reply.value, err);
    reply_release(&reply);
    return !written ? FAILED : found ? 0 : 1;
}

const struct command cmd_has = {
    .name = "has",
    .group = GROUP_READ,
    .usage = "KEY",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Whether KEY exists: true with status 0, or false with status 1",
    .options = at_options,
    .examples = "  zproc has ready >/dev/null && echo ready\n",
    .run = run_has,
};

/* ---- keys, values, items ---- */

static const struct option line_options[] = {
    AT_OPTION,
    {'0', "null", NULL, "end each with NUL instead of a newline"},
    {0},
};

static bool lines_print(const struct context *context, struct str json, struct err *err)
{
    AUTO_BUF struct buf text = {0};
    AUTO_VALUE struct value *list = value_parse(json, err);
    if (!list || value_type(list) != VALUE_LIST)
        return err_set(err, ERR_INTERNAL, "the server's answer is no list");
    for (size_t i = 0; i < value_len(list); i++)
        output_line(&text, list_at(list, i), args_has(&context->args, "null"));
    return output_write(&text, err);
}

static int run_lines(struct context *context, enum op op, struct err *err)
{
    struct request request = {.operation = op};
    if (context->json && args_has(&context->args, "null")) {
        err_set(err, ERR_INVALID, "options '--json' and '--null' exclude each other");
        return FAILED;
    }
    if (!at_add(context, &request, err))
        return FAILED;
    if (context->json)
        return all_print(context, &request, err);
    AUTO_BUF struct buf json = {0};
    return context_ask_all(context, &request, &json, err) && lines_print(context, buf_str(&json), err)
               ? 0
               : FAILED;
}

static int run_keys(struct context *context, struct err *err)
{
    return run_lines(context, OP_keys, err);
}

static int run_values(struct context *context, struct err *err)
{
    return run_lines(context, OP_values, err);
}

static int run_items(struct context *context, struct err *err)
{
    return run_lines(context, OP_items, err);
}

const struct command cmd_keys = {
    .name = "keys",
    .group = GROUP_READ,
    .usage = "",
    .summary = "Print the keys, in the order in which they were added",
    .notes = LINE_NOTES,
    .options = line_options,
    .examples = "  zproc keys | wc -l\n  zproc keys -0 | xargs -0 -r zproc del\n",
    .run = run_keys,
};

const struct command cmd_values = {
    .name = "values",
    .group = GROUP_READ,
    .usage = "",
    .summary = "Print the values, in the order of their keys",
    .notes = LINE_NOTES,
    .options = line_options,
    .examples = "  zproc values\n",
    .run = run_values,
};

const struct command cmd_items = {
    .name = "items",
    .group = GROUP_READ,
    .usage = "",
    .summary = "Print keys and values, each pair as a JSON list",
    .notes = "One line each. With --json: one list.\n",
    .options = line_options,
    .examples = "  zproc items\n",
    .run = run_items,
};

/* ---- len ---- */

static int run_len(struct context *context, struct err *err)
{
    struct request request = {.operation = OP_len};
    return at_add(context, &request, err) ? context_print(context, &request, (struct str){0}, err) : FAILED;
}

const struct command cmd_len = {
    .name = "len",
    .group = GROUP_READ,
    .usage = "",
    .summary = "Print the number of keys",
    .options = at_options,
    .examples = "  zproc len\n",
    .run = run_len,
};
