/* What a watch waits for: whether a record matches, whether it holds at a revision. One row of a table a
 * kind. */
#include "store_priv.h"

#include <stdlib.h>

static const struct {
    const char *name;
    bool first;
    enum condition_operand operand;
} kinds[] = {
#define X(kind, name, first, operand) [kind] = {name, first, operand},
    CONDITION_KINDS(X)
#undef X
};

enum condition_kind condition_kind_from_name(struct str name)
{
    enum condition_kind kind = 0;
    while (kind < CONDITION_KIND_COUNT && !str_is(name, kinds[kind].name))
        kind++;
    return kind;
}

enum condition_operand condition_operand(enum condition_kind kind)
{
    return kinds[kind].operand;
}

bool condition_first_check(const struct condition *condition)
{
    return kinds[condition->kind].first;
}

void condition_release(struct condition *condition)
{
    value_unref(condition->keys);
    value_unref(condition->value);
    free(condition->key);
    free(condition->path);
    expr_free(condition->expr);
    *condition = (struct condition){0};
}

static bool keys_have(const struct value *keys, struct str key)
{
    const struct value *item;
    for (size_t i = 0; (item = list_at(keys, i)); i++)
        if (str_equal(value_as_str(item), key))
            return true;
    return false;
}

static bool expr_reads(const struct expr *expr, struct str key)
{
    for (size_t i = 0; i < expr_key_count(expr); i++)
        if (str_equal(expr_key(expr, i), key))
            return true;
    return expr_uses_state(expr) || expr_uses_changed(expr);
}

static struct str condition_operand_key(const struct condition *condition)
{
    return (struct str){condition->key, condition->key_len};
}

/* The part of a key's value that the condition looks at; NULL when it is not there. */
static const struct value *condition_part(const struct condition *condition, const struct value *value)
{
    if (!value || !condition->path)
        return value;
    return pointer_get(value, (struct str){condition->path, condition->path_len}, NULL);
}

/* A change of this key is one that the condition looks at. */
static bool condition_looks_at(const struct condition *condition, struct str key)
{
    switch (condition->kind) {
    case WATCH_CHANGE:
        return value_len(condition->keys) == 0 || keys_have(condition->keys, key);
    case WATCH_EXCLUDE:
        return !keys_have(condition->keys, key);
    case WATCH_PREFIX:
        return str_starts_with(key, condition_operand_key(condition));
    case WATCH_GLOB:
        return glob_match(condition_operand_key(condition), key);
    case WATCH_WHEN:
        return expr_reads(condition->expr, key);
    default:
        return str_equal(key, condition_operand_key(condition));
    }
}

bool condition_keys(const struct condition *condition, void (*visit)(void *ctx, struct str key), void *ctx)
{
    switch (condition->kind) {
    case WATCH_CHANGE:
        for (size_t i = 0; i < value_len(condition->keys); i++)
            visit(ctx, value_as_str(list_at(condition->keys, i)));
        return value_len(condition->keys) > 0;
    case WATCH_EXCLUDE:
    case WATCH_PREFIX:
    case WATCH_GLOB:
        return false;
    case WATCH_WHEN:
        if (expr_uses_state(condition->expr) || expr_uses_changed(condition->expr))
            return false;
        for (size_t i = 0; i < expr_key_count(condition->expr); i++)
            visit(ctx, expr_key(condition->expr, i));
        return true;
    default:
        visit(ctx, condition_operand_key(condition));
        return true;
    }
}

struct str condition_key(const struct condition *condition)
{
    if (kinds[condition->kind].operand == OPERAND_KEY || kinds[condition->kind].operand == OPERAND_VALUE)
        return condition_operand_key(condition);
    if (condition->kind == WATCH_CHANGE && value_len(condition->keys) == 1)
        return value_as_str(list_at(condition->keys, 0));
    return (struct str){0};
}

/* It holds in the state as of `at`, where `old` is the state as of `before` (<0: the same). */
static bool condition_true(const struct condition *condition, const struct space *space, int64_t at,
                           int64_t before, const struct value *changed)
{
    if (condition->kind == WATCH_WHEN) {
        struct space_view view = {space, at, before};
        struct expr_scope scope = space_scope(&view, changed);
        scope.args = condition->value;
        scope.steps = &space->store->steps;
        return expr_holds(condition->expr, &scope);
    }
    const struct value *value =
        condition_part(condition, space_get(space, condition_operand_key(condition), at));
    if (!value)
        return false;
    switch (condition->kind) {
    case WATCH_EQUAL:
        return value_identical(value, condition->value);
    case WATCH_NOT_EQUAL:
        return !value_identical(value, condition->value);
    case WATCH_NONE:
        return value_type(value) == VALUE_NULL;
    case WATCH_NOT_NONE:
        return value_type(value) != VALUE_NULL;
    case WATCH_TRUTHY:
        return value_truthy(value);
    case WATCH_FALSY:
        return !value_truthy(value);
    default:
        return true;
    }
}

bool condition_holds(const struct condition *condition, const struct space *space, int64_t at)
{
    AUTO_VALUE struct value *none = value_list();
    return condition_true(condition, space, at, -1, none);
}

static struct value *record_changed(const struct record *record)
{
    struct value *list = value_list();
    for (size_t i = 0; i < record->count; i++)
        if (!record->changes[i].identical)
            list_push(list, value_string(entry_key(record->changes[i].entry)));
    return list;
}

/* What it looks at differs between two values of its key. */
static bool part_changed(const struct condition *condition, const struct value *before,
                         const struct value *after)
{
    before = condition_part(condition, before);
    after = condition_part(condition, after);
    if (!before || !after)
        return before != after;
    return condition->duplicates || !value_identical(before, after);
}

/* The first change that the condition looks at; NULL when there is none. */
static const struct change *condition_change(const struct condition *condition, const struct record *record)
{
    for (size_t i = 0; i < record->count; i++) {
        const struct change *change = &record->changes[i];
        if (change->identical && !condition->duplicates)
            continue;
        if (!condition_looks_at(condition, entry_key(change->entry)))
            continue;
        if (!condition->path ||
            part_changed(condition, entry_value(change->entry, record->revision - 1), change->value))
            return change;
    }
    return NULL;
}

bool condition_matches(const struct condition *condition, const struct record *record, struct str *key)
{
    const struct change *change = condition_change(condition, record);
    if (!change)
        return false;
    *key = entry_key(change->entry);
    if (!kinds[condition->kind].first)
        return true;
    int64_t at = record->revision;
    if (condition->kind == WATCH_AVAILABLE)
        return condition_part(condition, change->value) &&
               !condition_part(condition, entry_value(change->entry, at - 1));
    AUTO_VALUE struct value *changed = condition->kind == WATCH_WHEN && expr_uses_changed(condition->expr)
                                           ? record_changed(record)
                                           : value_list();
    if (!condition_true(condition, record->space, at, at - 1, changed))
        return false;
    return !condition->edge || !condition_holds(condition, record->space, at - 1);
}

struct touch {
    const struct condition *condition;
    const struct space *space;
    int64_t from, to;
    bool touched;
};

/* Whether a version of the key behind `from`, up to `to`, differs from the one before it. */
static void touch_key(void *ctx, struct str key)
{
    struct touch *touch = ctx;
    const struct entry *entry = touch->touched ? NULL : space_find(touch->space, key);
    if (!entry)
        return;
    const struct version *before = entry_version(entry, touch->from), *end;
    end = entry->versions + entry->first + entry->count;
    for (const struct version *version = before ? before + 1 : entry->versions + entry->first;
         version < end && version->revision <= touch->to && !touch->touched; before = version++)
        touch->touched = part_changed(touch->condition, before ? before->value : NULL, version->value);
}

bool condition_touched(const struct condition *condition, const struct space *space, int64_t from, int64_t to)
{
    struct touch touch = {condition, space, from, to, false};
    if (condition_keys(condition, touch_key, &touch))
        return touch.touched;
    for (size_t i = ring_behind(&space->records, from); i < space->records.count; i++) {
        const struct record *record = ring_at(&space->records, i);
        if (record->revision > to)
            return false;
        if (condition_change(condition, record))
            return true;
    }
    return false;
}

uint64_t condition_hash(const struct condition *condition)
{
    AUTO_BUF struct buf text = {0};
    buf_add_format(&text, "%s%s ", kinds[condition->kind].name, condition->duplicates ? "+" : "");
    if (condition->keys)
        value_print(&text, condition->keys);
    if (condition->path)
        buf_add(&text, condition->path, condition->path_len + 1);
    if (condition->key)
        string_print(&text, condition_operand_key(condition));
    if (condition->value)
        value_print(&text, condition->value);
    if (condition->expr)
        buf_add_str(&text, expr_text(condition->expr));
    /* FNV-1a: the same after a restart, which str_hash is not. */
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * 0x100000001b3;
    return hash;
}
