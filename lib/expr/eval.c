/* Walks the tree: literals, logic, lists and maps. Every node costs a step. */
#include "eval_priv.h"

#include <stdlib.h>

#define TEXT_OF_(x) #x
#define TEXT_OF(x)  TEXT_OF_(x)

bool eval_stop(struct eval *ev, const char *message)
{
    ev->stopped = true;
    return err_set(ev->top, ERR_TOO_LARGE, "%s", message);
}

bool eval_spend(struct eval *ev, size_t steps)
{
    if (steps <= EXPR_STEPS_MAX - ev->steps) {
        ev->steps += steps;
        return true;
    }
    ev->steps = EXPR_STEPS_MAX;
    return eval_stop(ev, "the evaluation takes more than " TEXT_OF(EXPR_STEPS_MAX) " steps");
}

bool eval_spend_bytes(struct eval *ev, size_t bytes)
{
    return eval_spend(ev, bytes / 16);
}

bool pending_absorb(struct eval *ev, struct pending *pending)
{
    if (ev->stopped)
        return false;
    if (!pending->failed) {
        pending->failed = true;
        pending->err = ev->err;
        ev->err = NULL;
    }
    return true;
}

bool pending_finish(struct eval *ev, struct pending *pending, bool decided)
{
    if (!pending->failed)
        return true;
    ev->err = pending->err;
    return decided;
}

bool eval_condition(struct eval *ev, const struct node *node, const char *where, bool *out)
{
    AUTO_CELL struct cell cell = {0};
    if (!eval_node(ev, node, &cell))
        return false;
    if (cell.type != CELL_BOOL)
        return err_set(ev->err, ERR_TYPE, "%s takes a bool, not %s", where, cell_type_name(&cell));
    *out = cell.b;
    return true;
}

static bool eval_logic(struct eval *ev, const struct node *node, struct cell *out)
{
    bool decisive = node->type == NODE_OR, decided = false;
    const char *where = decisive ? "'||'" : "'&&'";
    struct pending pending = {0};
    for (const struct node *operand = node->first; operand && !decided; operand = operand->next) {
        bool b = !decisive;
        if (!eval_condition(ev, operand, where, &b) && !pending_absorb(ev, &pending))
            break;
        decided = b == decisive;
    }
    if (!pending_finish(ev, &pending, decided) || ev->stopped)
        return false;
    *out = cell_of_bool(decided ? decisive : !decisive);
    return true;
}

static bool eval_cond(struct eval *ev, const struct node *node, struct cell *out)
{
    const struct node *child = node->first;
    while (child->next) {
        bool yes;
        if (!eval_condition(ev, child, "the condition of '?:'", &yes))
            return false;
        child = child->next;
        if (yes)
            break;
        child = child->next;
    }
    return eval_node(ev, child, out);
}

/* The right side of `in` may stay a ROOT. */
static bool eval_operand(struct eval *ev, const struct node *operand, struct cell *out)
{
    if (operand->type != NODE_ROOT || operand->join != SIGN_IN)
        return eval_node(ev, operand, out);
    *out = (struct cell){.type = CELL_ROOT, .root = operand->root};
    return eval_spend(ev, 1);
}

static bool eval_chain(struct eval *ev, const struct node *node, struct cell *out)
{
    AUTO_CELL struct cell left = {0};
    if (!eval_node(ev, node->first, &left))
        return false;
    for (const struct node *operand = node->first->next; operand; operand = operand->next) {
        AUTO_CELL struct cell right = {0};
        struct cell result;
        if (!eval_spend(ev, 1) || !eval_operand(ev, operand, &right))
            return false;
        bool good = operand->join == SIGN_IN ? cell_in(ev, &left, &right, &result)
                                             : operate(ev, operand->join, &left, &right, &result);
        if (!good)
            return false;
        cell_release(&left);
        left = result;
    }
    *out = left;
    left = (struct cell){0};
    return true;
}

static bool eval_list(struct eval *ev, const struct node *node, struct cell *out)
{
    struct bag *bag = bag_new(false);
    for (const struct node *child = node->first; child; child = child->next) {
        struct cell item;
        if (!eval_node(ev, child, &item)) {
            bag_unref(bag);
            return false;
        }
        bag_push(bag, NULL, &item);
    }
    *out = bag_finish(bag);
    return true;
}

static bool check_key(struct eval *ev, const struct cell *key)
{
    if (key->type == CELL_STRING)
        return eval_spend_bytes(ev, cell_len(key));
    if (key->type == CELL_INT || key->type == CELL_BOOL)
        return true;
    return err_set(ev->err, ERR_TYPE, "%s cannot be a key of a map", cell_type_name(key));
}

static bool eval_map(struct eval *ev, const struct node *node, struct cell *out)
{
    struct bag *bag = bag_new(true);
    for (const struct node *child = node->first; child; child = child->next->next) {
        struct cell key, item;
        if (!eval_node(ev, child, &key))
            goto failed;
        if (!check_key(ev, &key) || !eval_node(ev, child->next, &item)) {
            cell_release(&key);
            goto failed;
        }
        bag_push(bag, &key, &item);
    }
    size_t count = bag->count;
    *out = bag_finish(bag);
    if (map_check_unique(ev, out, count))
        return true;
    cell_release(out);
    return false;

failed:
    bag_unref(bag);
    return false;
}

static bool eval_not(struct eval *ev, const struct node *node, struct cell *out)
{
    bool b;
    if (!eval_condition(ev, node->first, "'!'", &b))
        return false;
    *out = cell_of_bool(!b);
    return true;
}

static bool eval_negate(struct eval *ev, const struct node *node, struct cell *out)
{
    AUTO_CELL struct cell cell = {0};
    return eval_node(ev, node->first, &cell) && operate_negate(ev, &cell, out);
}

static bool eval_changed(struct eval *ev, struct cell *out)
{
    if (!ev->scope->changed)
        return err_set(ev->err, ERR_NOT_FOUND,
                       "undeclared name 'changed': it is known in conditions of watches only");
    *out = cell_of_value(value_ref(ev->scope->changed));
    return true;
}

bool eval_node(struct eval *ev, const struct node *node, struct cell *out)
{
    if (!eval_spend(ev, 1))
        return false;
    switch (node->type) {
    case NODE_LITERAL:
        *out = cell_of_value(value_ref(node->literal));
        return true;
    case NODE_VARIABLE:
        *out = cell_ref(&ev->slots[node->slot]);
        return true;
    case NODE_NAME:
        return name_eval(ev, node, out);
    case NODE_ROOT:
        return root_eval(ev, node->root, out);
    case NODE_CHANGED:
        return eval_changed(ev, out);
    case NODE_LIST:
        return eval_list(ev, node, out);
    case NODE_MAP:
        return eval_map(ev, node, out);
    case NODE_NOT:
        return eval_not(ev, node, out);
    case NODE_NEGATE:
        return eval_negate(ev, node, out);
    case NODE_AND:
    case NODE_OR:
        return eval_logic(ev, node, out);
    case NODE_CHAIN:
        return eval_chain(ev, node, out);
    case NODE_COND:
        return eval_cond(ev, node, out);
    case NODE_PATH:
        return path_eval(ev, node, out);
    case NODE_CALL:
        return call_eval(ev, node, NULL, out);
    case NODE_HAS:
        return path_has(ev, node, out);
    case NODE_FIELD:
    case NODE_INDEX:
    case NODE_MACRO:
        break; /* steps of a path, which are not evaluated on their own */
    }
    return err_set(ev->err, ERR_INTERNAL, "a step of a path stands on its own");
}

static struct value *eval_run(const struct expr *expr, const struct node *node, struct eval *ev,
                              struct err *err)
{
    struct err cause = {0};
    ev->err = ev->top = err ? &cause : NULL;
    if (expr->slots)
        ev->slots = mem_array(expr->slots, sizeof *ev->slots);
    AUTO_CELL struct cell cell = {0};
    struct value *value = eval_node(ev, node, &cell) ? cell_to_value(ev, &cell) : NULL;
    if (!value && err)
        *err = cause;
    if (ev->scope && ev->scope->steps)
        *ev->scope->steps += ev->steps;
    value_unref(ev->whole[EXPR_STATE]);
    value_unref(ev->whole[EXPR_OLD]);
    free(ev->slots);
    return value;
}

struct value *eval_expr(const struct expr *expr, const struct expr_scope *scope, bool env_is_lenient,
                        struct err *err)
{
    struct eval ev = {.scope = scope, .env_is_lenient = env_is_lenient};
    return eval_run(expr, expr->root, &ev, err);
}

struct value *eval_part(const struct expr *expr, const struct node *node, const struct expr_scope *scope,
                        struct err *err)
{
    struct eval ev = {.scope = scope};
    return eval_run(expr, node, &ev, err);
}

struct value *expr_eval(const struct expr *expr, const struct expr_scope *scope, struct err *err)
{
    return eval_expr(expr, scope, false, err);
}

bool expr_holds(const struct expr *expr, const struct expr_scope *scope)
{
    AUTO_VALUE struct value *value = expr_eval(expr, scope, NULL);
    return value && value_type(value) == VALUE_BOOL && value_as_bool(value);
}
