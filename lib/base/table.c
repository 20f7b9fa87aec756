/* Open-addressing hash table with linear probing; deleted slots keep their hash and a NULL value. */
#include "base.h"

#include <stdlib.h>

static bool slot_fits(const struct table_slot *slot, struct str key, uint64_t hash)
{
    return slot->value && slot->hash == hash && str_equal(slot->key, key);
}

/* The slot of the key, or the first that is free for it. A slot that was never used has key.data NULL. */
static struct table_slot *slot_find(const struct table *table, struct str key, uint64_t hash)
{
    size_t mask = table->capacity - 1;
    struct table_slot *free_slot = NULL;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct table_slot *slot = &table->slots[i];
        if (slot_fits(slot, key, hash))
            return slot;
        if (!slot->value && !free_slot)
            free_slot = slot;
        if (!slot->key.data)
            return free_slot;
    }
}

static void table_rebuild(struct table *table, size_t capacity)
{
    struct table fresh = {mem_array(capacity, sizeof *fresh.slots), capacity, 0, 0};
    for (size_t i = 0; i < table->capacity; i++) {
        struct table_slot *old = &table->slots[i];
        if (old->value) {
            *slot_find(&fresh, old->key, old->hash) = *old;
            fresh.count++;
        }
    }
    fresh.used = fresh.count;
    free(table->slots);
    *table = fresh;
}

void *table_get(const struct table *table, struct str key)
{
    if (table->count == 0)
        return NULL;
    struct table_slot *slot = slot_find(table, key, str_hash(key));
    return slot->value;
}

void *table_put(struct table *table, struct str key, void *value)
{
    if ((table->used + 1) * 4 > table->capacity * 3)
        table_rebuild(table,
                      table->count * 2 < 8
                          ? 16
                          : (table->count * 4 > table->capacity * 2 ? table->capacity * 2 : table->capacity));
    uint64_t hash = str_hash(key);
    struct table_slot *slot = slot_find(table, key, hash);
    void *before = slot->value;
    if (!before) {
        table->count++;
        if (!slot->key.data)
            table->used++;
    }
    *slot = (struct table_slot){{key.data ? key.data : "", key.len}, value, hash};
    return before;
}

void *table_remove(struct table *table, struct str key)
{
    if (table->count == 0)
        return NULL;
    struct table_slot *slot = slot_find(table, key, str_hash(key));
    void *before = slot->value;
    if (!before)
        return NULL;
    slot->value = NULL;
    slot->key = STR("");
    table->count--;
    return before;
}

void table_release(struct table *table)
{
    free(table->slots);
    *table = (struct table){0};
}

void *table_next(const struct table *table, size_t *pos)
{
    while (*pos < table->capacity) {
        void *value = table->slots[(*pos)++].value;
        if (value)
            return value;
    }
    return NULL;
}
