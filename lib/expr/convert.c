/* int(), double(), string() and bool(). */
#include "call_priv.h"

#include <math.h>
#include <stdlib.h>

static bool cannot_convert(struct eval *ev, const char *name, const struct cell *arg)
{
    if (arg->type == CELL_STRING)
        return err_set(ev->err, ERR_TYPE, "%s() cannot convert the string '%.*s'", name,
                       STR_ARG(cell_str(arg)));
    if (arg->type == CELL_DOUBLE)
        return err_set(ev->err, ERR_TYPE, "%s() cannot convert a double that is out of range", name);
    return err_set(ev->err, ERR_TYPE, "%s() does not take %s", name, cell_type_name(arg));
}

/* How many digits stand at i. */
static size_t digits_at(struct str s, size_t i)
{
    size_t from = i;
    while (i < s.len && s.data[i] >= '0' && s.data[i] <= '9')
        i++;
    return i - from;
}

static bool parse_int(struct str s, int64_t *out)
{
    bool negative = s.len > 0 && s.data[0] == '-';
    size_t from = s.len > 0 && (negative || s.data[0] == '+') ? 1 : 0;
    if (digits_at(s, from) == 0 || digits_at(s, from) != s.len - from)
        return false;
    int64_t number = 0;
    for (size_t i = from; i < s.len; i++) {
        int digit = s.data[i] - '0';
        if (__builtin_mul_overflow(number, (int64_t)10, &number) ||
            __builtin_add_overflow(number, (int64_t)(negative ? -digit : digit), &number))
            return false;
    }
    *out = number;
    return true;
}

/* [+-] digits [. digits] [e [+-] digits], with digits on one side of the dot at least */
static bool parse_double(struct str s, double *out)
{
    size_t i = s.len > 0 && (s.data[0] == '-' || s.data[0] == '+') ? 1 : 0;
    size_t digits = digits_at(s, i);
    i += digits;
    if (i < s.len && s.data[i] == '.') {
        size_t fraction = digits_at(s, i + 1);
        digits += fraction;
        i += 1 + fraction;
    }
    if (digits > 0 && i < s.len && (s.data[i] | 0x20) == 'e') {
        i += i + 1 < s.len && (s.data[i + 1] == '-' || s.data[i + 1] == '+') ? 2 : 1;
        size_t exponent = digits_at(s, i);
        if (exponent == 0)
            return false;
        i += exponent;
    }
    if (digits == 0 || i != s.len)
        return false;
    AUTO_FREE char *text = mem_copy(s.data, s.len);
    *out = strtod(text, NULL);
    return isfinite(*out);
}

bool function_int(struct eval *ev, const struct node *call, const struct cell *args, struct cell *out)
{
    (void)call;
    int64_t number;
    if (args->type == CELL_INT)
        number = args->i;
    /* Both bounds are left out: they may have been rounded to (cel-spec, conversions) */
    else if (args->type == CELL_DOUBLE && args->d > -0x1p63 && args->d < 0x1p63)
        number = (int64_t)args->d;
    else if (args->type != CELL_STRING)
        return cannot_convert(ev, "int", args);
    else if (!eval_spend_bytes(ev, cell_len(args)))
        return false;
    else if (!parse_int(cell_str(args), &number))
        return cannot_convert(ev, "int", args);
    *out = cell_of_int(number);
    return true;
}

bool function_double(struct eval *ev, const struct node *call, const struct cell *args, struct cell *out)
{
    (void)call;
    double number;
    if (args->type == CELL_DOUBLE)
        number = args->d;
    else if (args->type == CELL_INT)
        number = (double)args->i;
    else if (args->type != CELL_STRING)
        return cannot_convert(ev, "double", args);
    else if (!eval_spend_bytes(ev, cell_len(args)))
        return false;
    else if (!parse_double(cell_str(args), &number))
        return cannot_convert(ev, "double", args);
    *out = cell_of_double(number);
    return true;
}

static void print_double(struct buf *buf, double d)
{
    if (isnan(d)) {
        buf_add_text(buf, "NaN");
    } else if (isinf(d)) {
        buf_add_text(buf, d < 0 ? "-Inf" : "+Inf");
    } else {
        char text[32];
        struct str s = {text, double_print(d, text)};
        if (str_ends_with(s, STR(".0")))
            s.len -= 2;
        buf_add_str(buf, s);
    }
}

bool function_string(struct eval *ev, const struct node *call, const struct cell *args, struct cell *out)
{
    (void)call;
    AUTO_BUF struct buf text = {0};
    switch (args->type) {
    case CELL_STRING:
        *out = cell_ref(args);
        return true;
    case CELL_BOOL:
        buf_add_text(&text, args->b ? "true" : "false");
        break;
    case CELL_INT:
        buf_add_int(&text, args->i);
        break;
    case CELL_DOUBLE:
        print_double(&text, args->d);
        break;
    default:
        return cannot_convert(ev, "string", args);
    }
    *out = cell_of_value(value_string(buf_str(&text)));
    return eval_spend(ev, 1);
}

bool function_bool(struct eval *ev, const struct node *call, const struct cell *args, struct cell *out)
{
    (void)call;
    static const char *const truths[] = {"1", "t", "true", "TRUE", "True"};
    static const char *const lies[] = {"0", "f", "false", "FALSE", "False"};
    if (args->type == CELL_BOOL) {
        *out = cell_ref(args);
        return true;
    }
    for (size_t i = 0; args->type == CELL_STRING && i < LENGTH_OF(truths); i++) {
        bool truth = str_is(cell_str(args), truths[i]);
        if (truth || str_is(cell_str(args), lies[i])) {
            *out = cell_of_bool(truth);
            return true;
        }
    }
    return cannot_convert(ev, "bool", args);
}
