/* Names to values, and the way on from them: fields, indexes, methods; has() and `in`. */
#include "eval_priv.h"

static bool root_key(struct eval *ev, enum expr_root root, struct str key, const struct value **value)
{
    *value = ev->scope->key ? ev->scope->key(ev->scope->ctx, root, key) : NULL;
    return eval_spend_bytes(ev, key.len);
}

static const char *root_name(enum expr_root root)
{
    return root == EXPR_OLD ? "old" : "state";
}

bool root_eval(struct eval *ev, enum expr_root root, struct cell *out)
{
    const struct expr_scope *scope = ev->scope;
    if (!ev->whole[root]) {
        if (!scope->whole)
            return err_set(ev->err, ERR_NOT_FOUND, "undeclared name '%s'", root_name(root));
        if (scope->size && !eval_spend(ev, scope->size(scope->ctx, root)))
            return false;
        ev->whole[root] = scope->whole(scope->ctx, root);
        if (!ev->whole[root])
            return err_set(ev->err, ERR_NOT_FOUND, "undeclared name '%s'", root_name(root));
    }
    *out = cell_of_value(value_ref(ev->whole[root]));
    return true;
}

/* Finds what a name and up to most - 1 fields behind it stand for, the longest dotted name first, arguments
 * before keys. used: how many parts of the name were taken, 0 when there is nothing. */
static bool name_find(struct eval *ev, const struct node *name, size_t most, struct cell *out, size_t *used)
{
    const struct value *found = ev->scope->args ? map_get(ev->scope->args, name->text) : NULL;
    *used = found ? 1 : 0;
    for (size_t count = most; count > 0 && !found && ev->scope->key; count--) {
        if (!root_key(ev, EXPR_STATE, name->dotted[count - 1], &found))
            return false;
        *used = found ? count : 0;
    }
    if (found)
        *out = cell_of_value(value_ref(found));
    return true;
}

static bool name_resolve(struct eval *ev, const struct node *name, size_t most, struct cell *out,
                         size_t *used)
{
    if (!name_find(ev, name, most, out, used))
        return false;
    if (*used > 0)
        return true;
    return err_set(ev->err, ERR_NOT_FOUND, ev->scope->key ? "no such key '%.*s'" : "undeclared name '%.*s'",
                   STR_ARG(name->text));
}

bool name_eval(struct eval *ev, const struct node *name, struct cell *out)
{
    size_t used;
    return name_resolve(ev, name, 1, out, &used);
}

static bool no_such_key(struct eval *ev, const struct cell *key)
{
    if (key->type == CELL_STRING)
        return err_set(ev->err, ERR_NOT_FOUND, "no such key '%.*s'", STR_ARG(cell_str(key)));
    if (key->type == CELL_INT)
        return err_set(ev->err, ERR_NOT_FOUND, "no such key %lld", (long long)key->i);
    return err_set(ev->err, ERR_NOT_FOUND, "no such key of type %s", cell_type_name(key));
}

/* base.field, where base is a map or a ROOT. */
static bool find_field(struct eval *ev, const struct cell *base, struct str field, bool *there,
                       struct cell *out)
{
    const struct value *value = NULL;
    if (base->type == CELL_ROOT) {
        if (!ev->scope->key)
            return err_set(ev->err, ERR_NOT_FOUND, "undeclared name '%s'", root_name(base->root));
        if (!root_key(ev, base->root, field, &value))
            return false;
    } else if (base->type != CELL_MAP) {
        return err_set(ev->err, ERR_TYPE, "no field '%.*s' in a value of type %s", STR_ARG(field),
                       cell_type_name(base));
    } else if (cell_is_bag(base)) {
        AUTO_CELL struct cell key = cell_of_value(value_string(field));
        return map_find(ev, base, &key, there, out);
    } else {
        value = map_get(base->value, field);
    }
    *there = value != NULL;
    if (value)
        *out = cell_of_value(value_ref(value));
    return true;
}

static bool eval_field(struct eval *ev, const struct cell *base, struct str field, bool lenient,
                       struct cell *out)
{
    bool there;
    if (!find_field(ev, base, field, &there, out))
        return false;
    if (there)
        return true;
    if (!lenient)
        return err_set(ev->err, ERR_NOT_FOUND, "no such key '%.*s'", STR_ARG(field));
    *out = cell_of_value(value_string(STR("")));
    return true;
}

static bool list_index(struct eval *ev, const struct cell *list, const struct cell *index, struct cell *out)
{
    int64_t i = index->i;
    if (index->type == CELL_DOUBLE && index->d >= -0x1p53 && index->d <= 0x1p53 &&
        index->d == (double)(int64_t)index->d)
        i = (int64_t)index->d;
    else if (index->type == CELL_DOUBLE)
        return err_set(ev->err, ERR_TYPE, "the index of a list must be a whole number");
    else if (index->type != CELL_INT)
        return err_set(ev->err, ERR_TYPE, "the index of a list must be an int, not %s",
                       cell_type_name(index));
    if (i < 0 || (uint64_t)i >= cell_len(list))
        return err_set(ev->err, ERR_NOT_FOUND, "index %lld is out of range: the list has %zu items",
                       (long long)i, cell_len(list));
    cell_entry(list, (size_t)i, NULL, out);
    return true;
}

static bool eval_index(struct eval *ev, const struct cell *base, const struct node *step, bool lenient,
                       struct cell *out)
{
    AUTO_CELL struct cell index = {0};
    if (!eval_node(ev, step->first, &index))
        return false;
    if (index.type == CELL_STRING && (base->type == CELL_ROOT || lenient))
        return eval_field(ev, base, cell_str(&index), lenient, out);
    if (base->type == CELL_LIST)
        return list_index(ev, base, &index, out);
    if (base->type == CELL_ROOT)
        return no_such_key(ev, &index);
    if (base->type != CELL_MAP)
        return err_set(ev->err, ERR_TYPE, "cannot index %s", cell_type_name(base));
    bool there;
    if (!map_find(ev, base, &index, &there, out))
        return false;
    return there ? true : no_such_key(ev, &index);
}

/* One step on from base; a method or a macro needs the whole of a ROOT. */
static bool eval_step(struct eval *ev, const struct node *step, const struct cell *base, bool lenient,
                      struct cell *out)
{
    if (!eval_spend(ev, 1))
        return false;
    if (step->type == NODE_FIELD)
        return eval_field(ev, base, step->text, lenient, out);
    if (step->type == NODE_INDEX)
        return eval_index(ev, base, step, lenient, out);
    AUTO_CELL struct cell whole = {0};
    if (base->type == CELL_ROOT) {
        if (!root_eval(ev, base->root, &whole))
            return false;
        base = &whole;
    }
    return step->type == NODE_CALL ? call_eval(ev, step, base, out) : macro_eval(ev, step, base, out);
}

/* The base of a path; *step is the first step that is still to go. most: parts that a dotted name may take.
 */
static bool eval_base(struct eval *ev, const struct node *base, size_t most, struct cell *out,
                      const struct node **step)
{
    *step = base->next;
    if (base->type == NODE_ROOT) {
        *out = (struct cell){.type = CELL_ROOT, .root = base->root};
        return eval_spend(ev, 1);
    }
    if (base->type != NODE_NAME)
        return eval_node(ev, base, out);
    size_t used;
    if (!eval_spend(ev, 1) || !name_resolve(ev, base, most, out, &used))
        return false;
    for (; used > 1; used--)
        *step = (*step)->next;
    return true;
}

/* Goes along path as far as the step end. */
static bool eval_until(struct eval *ev, const struct node *path, const struct node *end, size_t most,
                       struct cell *out)
{
    const struct node *base = path->first, *step;
    AUTO_CELL struct cell cell = {0};
    if (!eval_base(ev, base, most, &cell, &step))
        return false;
    bool lenient = ev->env_is_lenient && base->type == NODE_NAME && str_is(base->text, "env");
    for (; step != end; step = step->next) {
        struct cell next;
        if (!eval_step(ev, step, &cell, lenient && step == base->next, &next))
            return false;
        cell_release(&cell);
        cell = next;
    }
    *out = cell;
    cell = (struct cell){0};
    return true;
}

bool path_eval(struct eval *ev, const struct node *path, struct cell *out)
{
    return eval_until(ev, path, NULL, path->first->type == NODE_NAME ? path->first->dotted_count : 0, out);
}

bool path_has(struct eval *ev, const struct node *has, struct cell *out)
{
    const struct node *path = has->first, *base = path->first;
    AUTO_CELL struct cell cell = {0}, item = {0};
    size_t most = base->type == NODE_NAME ? base->dotted_count : 0;
    /* has(a.b) for a key that is named "a.b" */
    if (most == path->count) {
        size_t used;
        if (!name_find(ev, base, most, &cell, &used))
            return false;
        if (used == most) {
            *out = cell_of_bool(true);
            return true;
        }
        cell_release(&cell);
        most--;
    }
    bool there;
    if (!eval_until(ev, path, path->last, most, &cell) ||
        !find_field(ev, &cell, path->last->text, &there, &item))
        return false;
    *out = cell_of_bool(there);
    return true;
}

static bool in_list(struct eval *ev, const struct cell *left, const struct cell *list, bool *found)
{
    size_t count = cell_len(list);
    for (size_t i = 0; i < count && !*found; i++) {
        AUTO_CELL struct cell item = {0};
        cell_entry(list, i, NULL, &item);
        if (!cells_equal(ev, left, &item, found))
            return false;
    }
    return true;
}

bool cell_in(struct eval *ev, const struct cell *left, const struct cell *right, struct cell *out)
{
    AUTO_CELL struct cell item = {0};
    bool found = false, good;
    if (right->type == CELL_LIST)
        good = in_list(ev, left, right, &found);
    else if (right->type == CELL_MAP)
        good = map_find(ev, right, left, &found, &item);
    else if (right->type == CELL_ROOT && left->type == CELL_STRING)
        good = find_field(ev, right, cell_str(left), &found, &item);
    else if (right->type == CELL_ROOT)
        good = true;
    else
        return err_set(ev->err, ERR_TYPE, "'in' takes a list or a map on its right, not %s",
                       cell_type_name(right));
    *out = cell_of_bool(found);
    return good;
}
