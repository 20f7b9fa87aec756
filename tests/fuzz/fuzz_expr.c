/* Expressions, assignments, templates and patterns: TEXT, NUL, JSON of a state. Whatever the text, evaluating
 * it ends within its bounds. */
#include "expr.h"
#include "fuzz.h"

static const struct value *key(void *ctx, enum expr_root root, struct str name)
{
    (void)root;
    return map_get(ctx, name);
}

static struct value *whole(void *ctx, enum expr_root root)
{
    (void)root;
    return value_ref(ctx);
}

static size_t keys(void *ctx, enum expr_root root)
{
    (void)root;
    return value_len(ctx);
}

static void evaluate(struct str text, const struct expr_scope *scope)
{
    struct err err = {0};
    struct expr *expr = expr_parse(text, &err);
    MUST(expr || err.message[0]);
    if (!expr)
        return;
    for (size_t i = 0; i < expr_key_count(expr); i++)
        MUST(i == 0 || str_compare(expr_key(expr, i - 1), expr_key(expr, i)) < 0);
    AUTO_VALUE struct value *value = expr_eval(expr, scope, &err);
    MUST(value || err.code != ERR_NONE);
    expr_free(expr);
}

static void assign(struct str text, const struct expr_scope *scope)
{
    struct assignments *all = assignments_parse(text, NULL);
    for (size_t i = 0; all && i < assignments_count(all); i++) {
        value_unref(assignment_place(all, i, scope, NULL));
        value_unref(assignment_value(all, i, scope, NULL));
    }
    assignments_free(all);
}

static void fill_in(struct str text, const struct expr_scope *scope)
{
    size_t at = 0;
    AUTO_BUF struct buf out = {0};
    struct template *template = template_parse(text, &at, NULL);
    MUST(template || at <= text.len);
    if (template)
        template_expand(template, scope, &out, NULL);
    template_free(template);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest, text = fuzz_cut(data, size, &rest);
    AUTO_VALUE struct value *state = value_parse(rest, NULL);
    if (!state || value_type(state) != VALUE_MAP) {
        value_unref(state);
        state = value_map();
        map_set(state, STR("a"), value_int(1));
    }
    struct expr_scope scope = {.ctx = state, .key = key, .whole = whole, .size = keys, .quote = true};
    evaluate(text, &scope);
    assign(text, &scope);
    fill_in(text, &scope);
    struct regex *regex = regex_new(text, NULL);
    if (regex)
        regex_find(regex, rest, NULL);
    regex_free(regex);
    return 0;
}
