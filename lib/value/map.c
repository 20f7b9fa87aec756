/* Maps: entries in order of insertion. Few entries are searched one by one; more get an index, an
 * open-addressing table of places in the entries with linear probing and no deleted marks. */
#include "value_priv.h"

#include <stdlib.h>

#define UNINDEXED_MAX 8
#define NOT_FOUND     SIZE_MAX

struct value *value_map(void)
{
    struct map *map = value_new(VALUE_MAP, sizeof *map);
    *map = (struct map){.base.head = map->base.head};
    map->base.head.depth = 1;
    return &map->base.head;
}

/* ---- The index ---- */

static uint32_t key_hash(struct str key)
{
    return (uint32_t)str_hash(key);
}

static void slot_add(struct map *map, struct map_slot slot)
{
    size_t mask = map->slot_count - 1, i = slot.hash & mask;
    while (map->slots[i].place)
        i = (i + 1) & mask;
    map->slots[i] = slot;
}

/* The slot of the key, or NULL. */
static struct map_slot *slot_find(const struct map *map, struct str key, uint32_t hash)
{
    size_t mask = map->slot_count - 1;
    for (size_t i = hash & mask; map->slots[i].place; i = (i + 1) & mask) {
        struct map_slot *slot = &map->slots[i];
        if (slot->hash == hash && str_equal(string_str(map->entries[slot->place - 1].key), key))
            return slot;
    }
    return NULL;
}

/* Moves the slots behind it up, so that no search ends too early at the hole. */
static void slot_remove(struct map *map, struct map_slot *slot)
{
    size_t mask = map->slot_count - 1, hole = (size_t)(slot - map->slots);
    for (size_t i = (hole + 1) & mask; map->slots[i].place; i = (i + 1) & mask) {
        size_t from_home = (i - map->slots[i].hash) & mask;
        if (from_home >= ((i - hole) & mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole] = (struct map_slot){0};
}

static void index_build(struct map *map)
{
    map->slot_count = 16;
    map->slots = mem_array(map->slot_count, sizeof *map->slots);
    for (size_t i = 0; i < map->base.count; i++)
        slot_add(map, (struct map_slot){key_hash(string_str(map->entries[i].key)), (uint32_t)i + 1});
}

static void index_grow(struct map *map)
{
    struct map_slot *old = map->slots;
    size_t old_count = map->slot_count;
    map->slot_count *= 2;
    map->slots = mem_array(map->slot_count, sizeof *map->slots);
    for (size_t i = 0; i < old_count; i++)
        if (old[i].place)
            slot_add(map, old[i]);
    free(old);
}

/* Enters the last entry. */
static void index_add_last(struct map *map, uint32_t hash)
{
    if (!map->slots) {
        if (map->base.count > UNINDEXED_MAX)
            index_build(map);
        return;
    }
    if (map->base.count * 4 > map->slot_count * 3)
        index_grow(map);
    slot_add(map, (struct map_slot){hash, (uint32_t)map->base.count});
}

static void index_remove(struct map *map, struct str key, size_t at)
{
    if (!map->slots)
        return;
    slot_remove(map, slot_find(map, key, key_hash(key)));
    if (at == map->base.count - 1)
        return;
    for (size_t i = 0; i < map->slot_count; i++)
        if (map->slots[i].place > at + 1)
            map->slots[i].place--;
}

/* ---- Entries ---- */

/* The index of the key's entry, or NOT_FOUND. *hash is set when there is an index. */
static size_t entry_find(const struct map *map, struct str key, uint32_t *hash)
{
    if (map->slots) {
        *hash = key_hash(key);
        const struct map_slot *slot = slot_find(map, key, *hash);
        return slot ? slot->place - 1 : NOT_FOUND;
    }
    for (size_t i = 0; i < map->base.count; i++)
        if (str_equal(string_str(map->entries[i].key), key))
            return i;
    return NOT_FOUND;
}

static void entry_replace(struct map *map, struct map_entry *entry, struct value *item)
{
    container_lose(&map->base, entry->item);
    value_unref(entry->item);
    entry->item = item;
    container_gain(&map->base, item);
}

static void entry_add(struct map *map, struct map_entry entry, uint32_t hash)
{
    struct container *base = &map->base;
    if (base->count == base->capacity) {
        base->capacity = container_grown(base);
        map->entries = mem_resize(map->entries, base->capacity, sizeof *map->entries);
    }
    map->entries[base->count++] = entry;
    index_add_last(map, hash);
    container_gain(base, entry.key);
    container_gain(base, entry.item);
}

void map_put(struct value *value, struct value *key, struct value *item)
{
    struct map *map = as_map(value);
    uint32_t hash = 0;
    size_t at = entry_find(map, string_str(key), &hash);
    if (at == NOT_FOUND) {
        entry_add(map, (struct map_entry){key, item}, hash);
    } else {
        entry_replace(map, &map->entries[at], item);
        value_unref(key);
    }
}

void map_set(struct value *value, struct str key, struct value *item)
{
    struct map *map = as_map(value);
    uint32_t hash = 0;
    size_t at = entry_find(map, key, &hash);
    if (at == NOT_FOUND)
        entry_add(map, (struct map_entry){value_string(key), item}, hash);
    else
        entry_replace(map, &map->entries[at], item);
}

bool map_remove(struct value *value, struct str key)
{
    struct map *map = as_map(value);
    uint32_t hash;
    size_t at = entry_find(map, key, &hash);
    if (at == NOT_FOUND)
        return false;
    struct map_entry gone = map->entries[at];
    index_remove(map, key, at);
    map->base.count--;
    memmove(map->entries + at, map->entries + at + 1, (map->base.count - at) * sizeof *map->entries);
    container_lose(&map->base, gone.key);
    container_lose(&map->base, gone.item);
    value_unref(gone.key);
    value_unref(gone.item);
    return true;
}

/* ---- Reading ---- */

struct value **map_place(struct value *map, struct str key)
{
    uint32_t hash;
    size_t at = entry_find(as_map(map), key, &hash);
    return at == NOT_FOUND ? NULL : &as_map(map)->entries[at].item;
}

struct value *map_get(const struct value *map, struct str key)
{
    if (map->type != VALUE_MAP)
        return NULL;
    uint32_t hash;
    size_t at = entry_find(as_map(map), key, &hash);
    return at == NOT_FOUND ? NULL : as_map(map)->entries[at].item;
}

struct value *map_at(const struct value *map, size_t index, struct str *key)
{
    if (map->type != VALUE_MAP || index >= as_container(map)->count)
        return NULL;
    const struct map_entry *entry = &as_map(map)->entries[index];
    if (key)
        *key = string_str(entry->key);
    return entry->item;
}
