/* Functions and methods. */
#include "call_priv.h"

static const struct function functions[] = {
    {"size", 1, true, true, function_size},           {"startsWith", 2, true, false, function_starts_with},
    {"endsWith", 2, true, false, function_ends_with}, {"contains", 2, true, false, function_contains},
    {"matches", 2, true, true, function_matches},     {"int", 1, false, true, function_int},
    {"double", 1, false, true, function_double},      {"string", 1, false, true, function_string},
    {"bool", 1, false, true, function_bool},          {"quote", 1, false, true, function_quote},
};

const struct function *function_find(struct str name)
{
    for (size_t i = 0; i < LENGTH_OF(functions); i++)
        if (str_is(name, functions[i].name))
            return &functions[i];
    return NULL;
}

enum { REGEX_BYTES_MAX = 1024 * 1024 };

void function_prepare(struct expr *expr, struct node *call, bool method)
{
    if (!call->function || call->function->run != function_matches || call->count != (method ? 1 : 2))
        return;
    const struct node *pattern = call->last;
    if (pattern->type != NODE_LITERAL || value_type(pattern->literal) != VALUE_STRING)
        return;
    /* A bad pattern is an error of evaluation: it is compiled again then, as are patterns that take much
     * memory. */
    struct regex *regex = regex_new_counted(value_as_str(pattern->literal), NULL);
    if (!regex || expr->regex_bytes + regex_size(regex) > REGEX_BYTES_MAX) {
        regex_free(regex);
        return;
    }
    expr->regex_bytes += regex_size(regex);
    call->regex = regex;
    node_own(expr, call);
}

static bool check_call(struct eval *ev, const struct node *call, bool method)
{
    const struct function *function = call->function;
    if (!function || (function->run == function_quote && !ev->scope->quote))
        return err_set(ev->err, ERR_NOT_FOUND, "unknown function '%.*s'", STR_ARG(call->text));
    if (method && !function->method)
        return err_set(ev->err, ERR_TYPE, "%s() is no method; write %s(x)", function->name, function->name);
    if (!method && !function->function)
        return err_set(ev->err, ERR_TYPE, "%s() is a method; write x.%s(y)", function->name, function->name);
    if (call->count + method != function->args)
        return err_set(ev->err, ERR_TYPE, "%s() takes %zu argument%s, not %zu", function->name,
                       function->args - method, function->args - method == 1 ? "" : "s", call->count);
    return true;
}

/* size(state) needs no look at the values. */
static bool size_of_root(struct eval *ev, enum expr_root root, struct cell *out)
{
    *out = cell_of_int((int64_t)ev->scope->size(ev->scope->ctx, root));
    return eval_spend(ev, 1);
}

bool call_eval(struct eval *ev, const struct node *call, const struct cell *target, struct cell *out)
{
    if (!check_call(ev, call, target != NULL))
        return false;
    const struct node *first = call->first;
    if (!target && call->function->run == function_size && first->type == NODE_ROOT && ev->scope->size &&
        ev->scope->whole)
        return size_of_root(ev, first->root, out);
    struct cell args[2] = {0};
    size_t count = 0;
    bool good = true;
    if (target)
        args[count++] = cell_ref(target);
    for (const struct node *arg = first; arg && good; arg = arg->next)
        good = eval_node(ev, arg, &args[count++]);
    good = good && call->function->run(ev, call, args, out);
    cell_release(&args[0]);
    cell_release(&args[1]);
    return good;
}

static bool no_overload(struct eval *ev, const char *name, const struct cell *arg)
{
    return err_set(ev->err, ERR_TYPE, "%s() does not take %s", name, cell_type_name(arg));
}

/* Both arguments are strings, and their bytes are paid for. */
static bool check_strings(struct eval *ev, const char *name, const struct cell *args)
{
    for (size_t i = 0; i < 2; i++)
        if (args[i].type != CELL_STRING)
            return no_overload(ev, name, &args[i]);
    return eval_spend_bytes(ev, cell_len(&args[0]) + cell_len(&args[1]));
}

bool function_size(struct eval *ev, const struct node *call, const struct cell *args, struct cell *out)
{
    (void)call;
    if (args->type == CELL_LIST || args->type == CELL_MAP) {
        *out = cell_of_int((int64_t)cell_len(args));
        return true;
    }
    if (args->type != CELL_STRING)
        return no_overload(ev, "size", args);
    struct str s = cell_str(args);
    if (!eval_spend_bytes(ev, s.len))
        return false;
    int64_t characters = 0;
    for (size_t i = 0; i < s.len; i++)
        characters += ((unsigned char)s.data[i] & 0xc0) != 0x80;
    *out = cell_of_int(characters);
    return true;
}

bool function_starts_with(struct eval *ev, const struct node *call, const struct cell *args, struct cell *out)
{
    (void)call;
    if (!check_strings(ev, "startsWith", args))
        return false;
    *out = cell_of_bool(str_starts_with(cell_str(&args[0]), cell_str(&args[1])));
    return true;
}

bool function_ends_with(struct eval *ev, const struct node *call, const struct cell *args, struct cell *out)
{
    (void)call;
    if (!check_strings(ev, "endsWith", args))
        return false;
    *out = cell_of_bool(str_ends_with(cell_str(&args[0]), cell_str(&args[1])));
    return true;
}

bool function_contains(struct eval *ev, const struct node *call, const struct cell *args, struct cell *out)
{
    (void)call;
    if (!check_strings(ev, "contains", args))
        return false;
    *out = cell_of_bool(str_find(cell_str(&args[0]), cell_str(&args[1])) >= 0);
    return true;
}

/* Of a pattern that was not compiled with the expression. */
static struct regex *compile_pattern(struct eval *ev, struct str pattern)
{
    enum { COMPILE_STEPS = 16 };
    if (!eval_spend(ev, COMPILE_STEPS))
        return NULL;
    struct regex *regex = regex_new_counted(pattern, ev->err);
    if (!regex || eval_spend_bytes(ev, regex_size(regex)))
        return regex;
    regex_free(regex);
    return NULL;
}

/* What a step pays for: 64 units of the work that match.c counts. */
enum { MATCH_WORK = 64 };

bool function_matches(struct eval *ev, const struct node *call, const struct cell *args, struct cell *out)
{
    if (!check_strings(ev, "matches", args))
        return false;
    struct regex *regex = call->regex ? call->regex : compile_pattern(ev, cell_str(&args[1]));
    if (!regex)
        return false;
    size_t work, limit = (EXPR_STEPS_MAX - ev->steps) * MATCH_WORK;
    bool found;
    bool good = regex_find_counted(regex, cell_str(&args[0]), limit, &work, &found, ev->top);
    if (regex != call->regex)
        regex_free(regex);
    if (!good) {
        ev->stopped = true;
        return false;
    }
    *out = cell_of_bool(found);
    return eval_spend(ev, work / MATCH_WORK);
}

bool function_quote(struct eval *ev, const struct node *call, const struct cell *args, struct cell *out)
{
    (void)call;
    AUTO_VALUE struct value *value = cell_to_value(ev, args);
    if (!value)
        return false;
    AUTO_BUF struct buf text = {0}, quoted = {0};
    if (args->type == CELL_STRING)
        buf_add_str(&text, cell_str(args));
    else
        value_print(&text, value);
    if (memchr(buf_str(&text).data, '\0', text.len))
        return err_set(ev->err, ERR_TYPE, "quote() cannot quote a NUL character: no shell can take it");
    buf_add_char(&quoted, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\'')
            buf_add_text(&quoted, "'\\''");
        else
            buf_add_char(&quoted, text.data[i]);
    }
    buf_add_char(&quoted, '\'');
    *out = cell_of_value(value_string(buf_str(&quoted)));
    return eval_spend_bytes(ev, quoted.len);
}
