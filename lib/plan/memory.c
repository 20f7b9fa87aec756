/* The arena that a plan stands in: strings and arrays, and the expressions and values that must be freed. */
#include "plan_priv.h"

#include <stdlib.h>

#define PIECE_FIRST ((size_t)1008)
#define PIECE_MAX   ((size_t)64 * 1024)

enum owned_kind { OWNED_EXPR, OWNED_TEMPLATE, OWNED_VALUE, OWNED_TABLE, OWNED_ZONE };
struct owned {
    enum owned_kind kind;
    void *pointer;
};
struct piece {
    struct piece *next;
    size_t used, size;
    _Alignas(16) char data[];
};
struct plan_memory {
    struct piece *pieces;
    struct owned *owned;
    size_t owned_count, owned_capacity;
};

struct plan_memory *memory_new(void)
{
    return mem_new(sizeof(struct plan_memory));
}

static void owned_free(const struct owned *owned)
{
    switch (owned->kind) {
    case OWNED_EXPR:
        expr_free(owned->pointer);
        break;
    case OWNED_TEMPLATE:
        template_free(owned->pointer);
        break;
    case OWNED_VALUE:
        value_unref(owned->pointer);
        break;
    case OWNED_ZONE:
        zone_free(owned->pointer);
        break;
    case OWNED_TABLE:
        table_release(owned->pointer);
        break;
    }
}

void memory_free(struct plan_memory *memory)
{
    if (!memory)
        return;
    for (size_t i = 0; i < memory->owned_count; i++)
        owned_free(&memory->owned[i]);
    free(memory->owned);
    for (struct piece *piece = memory->pieces, *next; piece; piece = next) {
        next = piece->next;
        free(piece);
    }
    free(memory);
}

void *memory_take(struct plan_memory *memory, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    struct piece *piece = memory->pieces;
    if (!piece || piece->size - piece->used < size) {
        size_t room = piece ? piece->size * 2 : PIECE_FIRST;
        if (room > PIECE_MAX)
            room = PIECE_MAX;
        if (room < size)
            room = size;
        piece = mem_new(sizeof *piece + room);
        piece->size = room;
        piece->next = memory->pieces;
        memory->pieces = piece;
    }
    void *taken = piece->data + piece->used;
    piece->used += size;
    return taken;
}

char *memory_text(struct plan_memory *memory, struct str text)
{
    char *copy = memory_take(memory, text.len + 1);
    if (text.len)
        memcpy(copy, text.data, text.len);
    return copy;
}

static void *memory_own(struct plan_memory *memory, enum owned_kind kind, void *pointer)
{
    mem_grow(memory->owned, memory->owned_capacity, memory->owned_count);
    memory->owned[memory->owned_count++] = (struct owned){kind, pointer};
    return pointer;
}

struct expr *memory_own_expr(struct plan_memory *memory, struct expr *expr)
{
    return memory_own(memory, OWNED_EXPR, expr);
}

struct template *memory_own_template(struct plan_memory *memory, struct template *t)
{
    return memory_own(memory, OWNED_TEMPLATE, t);
}

struct zone *memory_own_zone(struct plan_memory *memory, struct zone *zone)
{
    return memory_own(memory, OWNED_ZONE, zone);
}

struct value *memory_own_value(struct plan_memory *memory, struct value *value)
{
    return memory_own(memory, OWNED_VALUE, value);
}

struct table *memory_own_table(struct plan_memory *memory)
{
    return memory_own(memory, OWNED_TABLE, memory_take(memory, sizeof(struct table)));
}
