/* Commands that write several keys or all: update, replace, patch, clear. */
#include "command.h"

static const struct option value_options[] = {VALUE_OPTIONS, {0}};

static int run_update(struct context *context, struct err *err)
{
    struct request request = {.operation = OP_update};
    const struct args *args = &context->args;
    AUTO_BUF struct buf map = {0};
    char separator = '{';
    for (size_t i = 0; i < args->operand_count; i++) {
        struct str key;
        AUTO_BUF struct buf value = {0};
        if (!pair_operand(args, args->operands[i], &key, &value, err))
            return FAILED;
        if (!utf8_valid(key)) {
            err_set(err, ERR_INVALID, "a key must be valid UTF-8");
            return FAILED;
        }
        buf_add_char(&map, separator);
        string_print(&map, key);
        buf_add_char(&map, ':');
        buf_add_str(&map, buf_str(&value));
        separator = ',';
    }
    buf_add_char(&map, '}');
    return context_do(context, &request, buf_str(&map), err);
}

const struct command cmd_update = {
    .name = "update",
    .group = GROUP_WRITE,
    .usage = "KEY=VALUE...",
    .operands_min = 1,
    .operands_max = OPERANDS_ANY,
    .summary = "Set several keys in one step",
    .notes = VALUE_NOTES,
    .options = value_options,
    .examples = "  zproc update state=ready port=8080\n",
    .run = run_update,
};

static int run_replace(struct context *context, struct err *err)
{
    struct request request = {.operation = OP_replace};
    AUTO_BUF struct buf value = {0};
    if (!value_operand(&context->args, context->args.operands[0], &value, err))
        return FAILED;
    return context_do(context, &request, buf_str(&value), err);
}

const struct command cmd_replace = {
    .name = "replace",
    .group = GROUP_WRITE,
    .usage = "VALUE",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Make the namespace equal to VALUE, a JSON object",
    .notes = VALUE_NOTES,
    .options = value_options,
    .examples = "  zproc replace '{\"a\": 1}'\n  zproc replace @state.json\n",
    .run = run_replace,
};

static const struct option patch_options[] = {
    {0, "merge", NULL, "VALUE is a merge patch (RFC 7396): an object; null deletes"},
    VALUE_OPTIONS,
    {0},
};

static int run_patch(struct context *context, struct err *err)
{
    struct request request = {.operation = OP_patch};
    AUTO_BUF struct buf value = {0};
    if (!value_operand(&context->args, context->args.operands[0], &value, err))
        return FAILED;
    if (args_has(&context->args, "merge"))
        request_set_int(&request, FIELD_merge, true);
    return context_do(context, &request, buf_str(&value), err);
}

const struct command cmd_patch = {
    .name = "patch",
    .group = GROUP_WRITE,
    .usage = "VALUE",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Apply a JSON Patch (RFC 6902) to the namespace: all of it or nothing",
    .notes = "The namespace is the document: /count is the key count, /config/db a part of its value.\n"
             "A test that does not hold gives status 1.\n" VALUE_NOTES,
    .options = patch_options,
    .examples = "  zproc patch '[{\"op\": \"add\", \"path\": \"/jobs/-\", \"value\": 7}]'\n"
                "  zproc patch --merge '{\"config\": {\"debug\": null}}'\n",
    .run = run_patch,
};

static int run_clear(struct context *context, struct err *err)
{
    struct request request = {.operation = OP_clear};
    return context_do(context, &request, (struct str){0}, err);
}

const struct command cmd_clear = {
    .name = "clear",
    .group = GROUP_WRITE,
    .usage = "",
    .summary = "Delete every key of the namespace",
    .examples = "  zproc clear -n scratch\n",
    .run = run_clear,
};
