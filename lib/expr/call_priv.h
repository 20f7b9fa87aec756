/* The functions of expressions: the table is in call.c, conversions between types are in convert.c. */
#ifndef ZPROC_EXPR_CALL_PRIV_H
#define ZPROC_EXPR_CALL_PRIV_H

#include "eval_priv.h"

/* args are as many as the table says; a method's target comes first. */
typedef bool function_run(struct eval *ev, const struct node *call, const struct cell *args,
                          struct cell *out);

struct function {
    const char *name;
    size_t args; /* a method's target included; at most 2 */
    bool method, function;
    function_run *run;
};

function_run function_size, function_starts_with, function_ends_with, function_contains, function_matches;
function_run function_int, function_double, function_string, function_bool, function_quote;

#endif
