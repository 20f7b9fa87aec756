/* Which keys an expression reads, for the index of watches. */
#include "ast_priv.h"

#include <stdlib.h>

static void add_key(struct expr *expr, struct str key)
{
    mem_grow(expr->keys, expr->key_capacity, expr->key_count);
    expr->keys[expr->key_count++] = key;
}

static void note_root(struct expr *expr, const struct node *root)
{
    if (root->root == EXPR_OLD)
        expr->uses_old = true;
}

/* Notes a use of all keys: `old` as a whole depends on them too. */
static void note_whole(struct expr *expr, const struct node *root)
{
    note_root(expr, root);
    expr->uses_state = true;
}

static bool is_literal_string(const struct node *node)
{
    return node->type == NODE_LITERAL && value_type(node->literal) == VALUE_STRING;
}

static void walk(struct expr *expr, const struct node *node);

static void walk_list(struct expr *expr, const struct node *first)
{
    for (const struct node *node = first; node; node = node->next)
        walk(expr, node);
}

static void walk_path(struct expr *expr, const struct node *path)
{
    const struct node *base = path->first, *step = base->next;
    if (base->type != NODE_ROOT) {
        walk_list(expr, base);
        return;
    }
    note_root(expr, base);
    if (step->type == NODE_FIELD)
        add_key(expr, step->text);
    else if (step->type == NODE_INDEX && is_literal_string(step->first))
        add_key(expr, value_as_str(step->first->literal));
    else
        note_whole(expr, base);
    walk_list(expr, step);
}

/* "key" in state */
static void walk_chain(struct expr *expr, const struct node *chain)
{
    const struct node *left = chain->first, *right = left->next;
    if (right->join == SIGN_IN && right->type == NODE_ROOT && is_literal_string(left)) {
        note_root(expr, right);
        add_key(expr, value_as_str(left->literal));
        walk_list(expr, right->next);
        return;
    }
    walk_list(expr, left);
}

static void walk(struct expr *expr, const struct node *node)
{
    switch (node->type) {
    case NODE_NAME:
        for (size_t i = 0; i < node->dotted_count; i++)
            add_key(expr, node->dotted[i]);
        break;
    case NODE_ROOT:
        note_whole(expr, node);
        break;
    case NODE_CHANGED:
        expr->uses_changed = true;
        break;
    case NODE_PATH:
        walk_path(expr, node);
        break;
    case NODE_CHAIN:
        walk_chain(expr, node);
        break;
    default:
        walk_list(expr, node->first);
        break;
    }
}

static int compare_keys(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

void expr_list_keys(struct expr *expr)
{
    walk(expr, expr->root);
    if (expr->key_count == 0)
        return;
    qsort(expr->keys, expr->key_count, sizeof *expr->keys, compare_keys);
    size_t kept = 1;
    for (size_t i = 1; i < expr->key_count; i++)
        if (!str_equal(expr->keys[i], expr->keys[kept - 1]))
            expr->keys[kept++] = expr->keys[i];
    expr->key_count = kept;
}

size_t expr_key_count(const struct expr *expr)
{
    return expr->key_count;
}

struct str expr_key(const struct expr *expr, size_t index)
{
    return expr->keys[index];
}

bool expr_uses_state(const struct expr *expr)
{
    return expr->uses_state;
}

bool expr_uses_old(const struct expr *expr)
{
    return expr->uses_old;
}

bool expr_uses_changed(const struct expr *expr)
{
    return expr->uses_changed;
}
