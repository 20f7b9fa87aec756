/* What the tests of expressions share: cmocka, and a namespace held in two maps. */
#ifndef TEST_EXPR_NAMESPACE_H
#define TEST_EXPR_NAMESPACE_H

#include "expr.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

struct namespace
{
    struct value *roots[2]; /* by expr_root */
    size_t key_calls, whole_calls;
};

static inline const struct value *namespace_key(void *ctx, enum expr_root root, struct str key)
{
    struct namespace *ns = ctx;
    ns->key_calls++;
    return ns->roots[root] ? map_get(ns->roots[root], key) : NULL;
}

static inline struct value *namespace_whole(void *ctx, enum expr_root root)
{
    struct namespace *ns = ctx;
    ns->whole_calls++;
    return ns->roots[root] ? value_ref(ns->roots[root]) : NULL;
}

static inline size_t namespace_size(void *ctx, enum expr_root root)
{
    struct namespace *ns = ctx;
    return ns->roots[root] ? value_len(ns->roots[root]) : 0;
}

static inline struct value *json(const char *text)
{
    struct err err = {0};
    struct value *value = value_parse(str_of(text), &err);
    if (!value)
        fail_msg("%s: %s", text, err.message);
    return value;
}

static inline struct expr_scope namespace_scope(struct namespace *ns)
{
    return (struct expr_scope){
        .ctx = ns, .key = namespace_key, .whole = namespace_whole, .size = namespace_size};
}

/* The value as JSON, or "CODE: message"; the caller frees it. */
static inline char *evaluate(const char *text, const struct expr_scope *scope)
{
    struct err err = {0};
    struct buf out = {0};
    struct expr *expr = expr_parse(str_of(text), &err);
    struct value *value = expr ? expr_eval(expr, scope, &err) : NULL;
    if (value)
        value_print(&out, value);
    else
        buf_add_format(&out, "%s: %s", err_code_name(err.code), err.message);
    value_unref(value);
    expr_free(expr);
    return buf_detach(&out);
}

static inline void check_at(const char *text, const struct expr_scope *scope, const char *expected, int line)
{
    char *got = evaluate(text, scope);
    if (strcmp(got, expected) != 0)
        fail_msg("line %d: %.200s\n  expected %s\n  got      %.300s", line, text, expected, got);
    free(got);
}
#define check(text, scope, expected) check_at(text, scope, expected, __LINE__)

#endif
