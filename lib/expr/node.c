/* The memory of a parsed expression: an arena of nodes, and what they own besides. */
#include "ast_priv.h"

#include <stdlib.h>

enum { CHUNK_SIZE = 2048 };

struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(16) char bytes[];
};

void *arena_new(struct expr *expr, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    struct chunk *chunk = expr->chunks;
    if (!chunk || chunk->size - chunk->used < size) {
        size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
        chunk = mem_new(sizeof *chunk + room);
        chunk->size = room;
        chunk->next = expr->chunks;
        expr->chunks = chunk;
    }
    void *memory = chunk->bytes + chunk->used;
    chunk->used += size;
    return memory;
}

struct node *node_new(struct expr *expr, enum node_type type)
{
    struct node *node = arena_new(expr, sizeof *node);
    node->type = type;
    return node;
}

void node_append(struct node *parent, struct node *child)
{
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
}

void node_own(struct expr *expr, struct node *node)
{
    node->owned = expr->owned;
    expr->owned = node;
}

struct str expr_text(const struct expr *expr)
{
    return expr->text;
}

void expr_free(struct expr *expr)
{
    if (!expr)
        return;
    for (struct node *node = expr->owned; node; node = node->owned) {
        if (node->type == NODE_LITERAL)
            value_unref(node->literal);
        else
            regex_free(node->regex);
    }
    for (struct chunk *chunk = expr->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(expr->keys);
    free(expr);
}
