/* scale: the number of a worker's instances in a run that goes on. */
#include "call.h"

#include <stdlib.h>

static const struct option scale_options[] = {CALL_TIMEOUT, RUN_OPTION, {0}};

static bool add_count(struct buf *json, const char *operand, struct err *err)
{
    const char *equals = strrchr(operand, '=');
    size_t digits = equals ? strlen(equals + 1) : 0;
    if (!equals || equals == operand || digits == 0 || digits > 9 ||
        strspn(equals + 1, "0123456789") != digits || !utf8_valid(str_of(operand)))
        return err_set(err, ERR_INVALID, "'%.200s' is not of the form NAME=N", operand);
    string_print(json, (struct str){operand, (size_t)(equals - operand)});
    buf_add_char(json, ':');
    buf_add_int(json, strtoll(equals + 1, NULL, 10));
    return true;
}

static int run_scale(struct context *context, struct err *err)
{
    const struct args *args = &context->args;
    AUTO_BUF struct buf json = {0};
    AUTO_VALUE struct value *answer = NULL;
    call_begin(&json, "scale");
    buf_add_text(&json, ",\"counts\":{");
    for (size_t i = 0; i < args->operand_count; i++) {
        if (i > 0)
            buf_add_char(&json, ',');
        if (!add_count(&json, args->operands[i], err))
            return FAILED;
    }
    buf_add_char(&json, '}');
    return call_ask(context, &json, &answer, err) ? 0 : FAILED;
}

const struct command cmd_scale = {
    .name = "scale",
    .group = GROUP_CONTROL,
    .usage = "NAME=N...",
    .operands_min = 1,
    .operands_max = OPERANDS_ANY,
    .summary = "Give a worker N instances",
    .notes =
        "Those with the highest numbers are stopped when there are too many; it returns when nothing of\n"
        "them is left. New ones are started. Instances of a scaled worker are NAME.0, NAME.1, ...\n",
    .options = scale_options,
    .examples = "  zproc scale oven=4\n",
    .run = run_scale,
};
