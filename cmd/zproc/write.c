/* Commands that write a key: set, del, setdefault, pop, popitem, incr, append, extend, remove, cas. */
#include "command.h"

static const struct option value_options[] = {VALUE_OPTIONS, {0}};

/* KEY VALUE; prints the answer when the operation has one. */
static int run_key_value(struct context *context, enum op op, bool print, struct err *err)
{
    struct request request = {.operation = op};
    AUTO_BUF struct buf value = {0};
    key_operand(&request, context->args.operands[0]);
    if (args_has(&context->args, "ephemeral"))
        request_set_int(&request, FIELD_ephemeral, true);
    if (!value_operand(&context->args, context->args.operands[1], &value, err))
        return FAILED;
    return print ? context_print(context, &request, buf_str(&value), err)
                 : context_do(context, &request, buf_str(&value), err);
}

static const struct option set_options[] = {
    {'e', "ephemeral", NULL, "KEY goes with the session (--session, $ZPROC_SESSION)"},
    VALUE_OPTIONS,
    {0},
};

static int run_set(struct context *context, struct err *err)
{
    return run_key_value(context, OP_set, false, err);
}

const struct command cmd_set = {
    .name = "set",
    .group = GROUP_WRITE,
    .usage = "KEY VALUE",
    .operands_min = 2,
    .operands_max = 2,
    .summary = "Set KEY to VALUE",
    .notes =
        VALUE_NOTES "KEY#/a/0 writes inside the value (JSON Pointer; - appends to a list).\n"
                    "An ephemeral key is deleted when its session ends, unless it is set again without -e.\n"
                    "Within a run each worker has a session, which ends with it.\n",
    .options = set_options,
    .examples = "  zproc set count 5\n  zproc set -s name -- \"$NAME\"\n  zproc set config @config.json\n",
    .run = run_set,
};

static int run_setdefault(struct context *context, struct err *err)
{
    return run_key_value(context, OP_setdefault, true, err);
}

const struct command cmd_setdefault = {
    .name = "setdefault",
    .group = GROUP_WRITE,
    .usage = "KEY VALUE",
    .operands_min = 2,
    .operands_max = 2,
    .summary = "Set KEY to VALUE unless it exists; print its value",
    .notes = VALUE_NOTES,
    .options = value_options,
    .examples = "  zproc setdefault retries 3\n",
    .run = run_setdefault,
};

static int run_append(struct context *context, struct err *err)
{
    return run_key_value(context, OP_append, true, err);
}

const struct command cmd_append = {
    .name = "append",
    .group = GROUP_WRITE,
    .usage = "KEY VALUE",
    .operands_min = 2,
    .operands_max = 2,
    .summary = "Append VALUE to the list KEY (made when absent); print the list",
    .notes = VALUE_NOTES,
    .options = value_options,
    .examples = "  zproc append jobs '{\"id\": 7}'\n",
    .run = run_append,
};

static int run_extend(struct context *context, struct err *err)
{
    return run_key_value(context, OP_extend, true, err);
}

const struct command cmd_extend = {
    .name = "extend",
    .group = GROUP_WRITE,
    .usage = "KEY LIST",
    .operands_min = 2,
    .operands_max = 2,
    .summary = "Append the items of LIST to the list KEY (made when absent); print the list",
    .notes = VALUE_NOTES,
    .options = value_options,
    .examples = "  zproc extend jobs '[7, 8, 9]'\n",
    .run = run_extend,
};

static int run_remove(struct context *context, struct err *err)
{
    return run_key_value(context, OP_remove, true, err);
}

const struct command cmd_remove = {
    .name = "remove",
    .group = GROUP_WRITE,
    .usage = "KEY VALUE",
    .operands_min = 2,
    .operands_max = 2,
    .summary = "Remove the first item that equals VALUE from the list KEY; print the list",
    .notes = VALUE_NOTES,
    .options = value_options,
    .examples = "  zproc remove jobs '{\"id\": 7}'\n",
    .run = run_remove,
};

/* ---- del ---- */

static int run_del(struct context *context, struct err *err)
{
    struct request request = {.operation = OP_del};
    const struct args *args = &context->args;
    if (args->operand_count == 1) {
        key_operand(&request, args->operands[0]);
        return context_do(context, &request, (struct str){0}, err);
    }
    AUTO_VALUE struct value *keys = value_list();
    for (size_t i = 0; i < args->operand_count; i++) {
        struct str key = str_of(args->operands[i]);
        if (str_find(key, STR("#/")) >= 0 || !utf8_valid(key)) {
            err_set(err, ERR_INVALID, "'%.*s': %s", STR_ARG(key),
                    utf8_valid(key) ? "a part of a value is deleted on its own, not together with other keys"
                                    : "a key must be valid UTF-8");
            return FAILED;
        }
        list_push(keys, value_string(key));
    }
    request_set_keys(&request, FIELD_keys, keys);
    return context_do(context, &request, (struct str){0}, err);
}

const struct command cmd_del = {
    .name = "del",
    .alias = "delete",
    .group = GROUP_WRITE,
    .usage = "KEY...",
    .operands_min = 1,
    .operands_max = OPERANDS_ANY,
    .summary = "Delete keys; when one of them does not exist, none is deleted",
    .examples = "  zproc del a b c\n  zproc del 'config#/db'\n",
    .run = run_del,
};

/* ---- pop, popitem ---- */

static const struct option pop_options[] = {
    {'d', "default", "VALUE", "print this when KEY does not exist"},
    VALUE_OPTIONS,
    {0},
};

static int run_pop(struct context *context, struct err *err)
{
    struct request request = {.operation = OP_pop};
    AUTO_BUF struct buf value = {0};
    const char *otherwise;
    key_operand(&request, context->args.operands[0]);
    if (!default_operand(&context->args, &otherwise, &value, err))
        return FAILED;
    return context_print(context, &request, otherwise ? buf_str(&value) : (struct str){0}, err);
}

const struct command cmd_pop = {
    .name = "pop",
    .group = GROUP_WRITE,
    .usage = "KEY",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Delete KEY and print its value",
    .notes = VALUE_NOTES,
    .options = pop_options,
    .examples = "  zproc pop token\n",
    .run = run_pop,
};

static int run_popitem(struct context *context, struct err *err)
{
    struct request request = {.operation = OP_popitem};
    return context_print(context, &request, (struct str){0}, err);
}

const struct command cmd_popitem = {
    .name = "popitem",
    .group = GROUP_WRITE,
    .usage = "",
    .summary = "Delete the key added last and print [KEY, VALUE]",
    .examples = "  zproc popitem\n",
    .run = run_popitem,
};

/* ---- incr ---- */

static int run_incr(struct context *context, struct err *err)
{
    struct request request = {.operation = OP_incr};
    struct str by = {0};
    key_operand(&request, context->args.operands[0]);
    if (context->args.operand_count == 2) {
        by = str_of(context->args.operands[1]);
        struct err why = {0};
        AUTO_VALUE struct value *number = value_parse(by, &why);
        bool is_number = number && (value_type(number) == VALUE_INT || value_type(number) == VALUE_DOUBLE);
        if (!is_number) {
            err_set(err, ERR_INVALID, "'%.200s' is not a number%s%s", by.data, number ? "" : ": ",
                    why.message);
            return FAILED;
        }
    }
    return context_print(context, &request, by, err);
}

const struct command cmd_incr = {
    .name = "incr",
    .group = GROUP_WRITE,
    .usage = "KEY [N]",
    .operands_min = 1,
    .operands_max = 2,
    .summary = "Add N (1) to a number (0 when KEY is absent); print the sum",
    .examples = "  zproc incr visits\n  zproc incr balance -0.5\n",
    .run = run_incr,
};

/* ---- cas ---- */

static const struct option cas_options[] = {
    {0, "absent", NULL, "set KEY to NEW when it does not exist"},
    {0, "at", "REV", "set KEY to NEW when it was last changed at this revision"},
    VALUE_OPTIONS,
    {0},
};

/* The request's value: NEW, or [OLD, NEW]. */
static bool cas_value(const struct args *args, bool compare, struct buf *value, struct err *err)
{
    if (!compare)
        return value_operand(args, args->operands[1], value, err);
    buf_add_char(value, '[');
    if (!value_operand(args, args->operands[1], value, err))
        return false;
    buf_add_char(value, ',');
    if (!value_operand(args, args->operands[2], value, err))
        return false;
    buf_add_char(value, ']');
    return true;
}

static int run_cas(struct context *context, struct err *err)
{
    struct request request = {.operation = OP_cas};
    const struct args *args = &context->args;
    AUTO_BUF struct buf value = {0};
    bool absent = args_has(args, "absent"), at = args_has(args, "at");
    int64_t rev = 0;
    key_operand(&request, args->operands[0]);
    if (!args_number(args, "at", &rev, err))
        return FAILED;
    if (absent && at) {
        err_set(err, ERR_INVALID, "options '--absent' and '--at' exclude each other");
        return FAILED;
    }
    if (args->operand_count != (absent || at ? 2 : 3)) {
        err_set(err, ERR_INVALID,
                absent || at ? "with '--absent' or '--at': zproc cas KEY NEW"
                             : "without '--absent' or '--at': zproc cas KEY OLD NEW");
        return FAILED;
    }
    if (absent)
        request_set_int(&request, FIELD_absent, true);
    if (at)
        request_set_int(&request, FIELD_at, rev);
    if (!cas_value(args, !absent && !at, &value, err))
        return FAILED;
    return context_print(context, &request, buf_str(&value), err);
}

const struct command cmd_cas = {
    .name = "cas",
    .group = GROUP_WRITE,
    .usage = "KEY [OLD] NEW",
    .operands_min = 2,
    .operands_max = 3,
    .summary = "Set KEY to NEW if it equals OLD, and print NEW; else status 1",
    .notes = VALUE_NOTES,
    .options = cas_options,
    .examples = "  zproc cas leader '\"a\"' '\"b\"'\n  zproc cas --absent lock \"$$\"\n",
    .run = run_cas,
};
