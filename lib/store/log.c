/* The log: records in rings, trimmed to the limit from the old end. */
#include "store_priv.h"

#include <stdlib.h>

/* Of a space, with its table of keys and its ring of records. */
#define SPACE_BYTES (sizeof(struct space) + 1024)

void ring_push(struct ring *ring, struct record *record)
{
    if (ring->count == ring->capacity) {
        size_t capacity = ring->capacity ? ring->capacity * 2 : 16;
        struct record **items = mem_array(capacity, sizeof(*items));
        for (size_t i = 0; i < ring->count; i++)
            items[i] = ring_at(ring, i);
        free(ring->items);
        *ring = (struct ring){items, 0, ring->count, capacity};
    }
    ring->items[(ring->head + ring->count++) & (ring->capacity - 1)] = record;
}

struct record *ring_pop(struct ring *ring)
{
    struct record *record = ring_at(ring, 0);
    ring->head = (ring->head + 1) & (ring->capacity - 1);
    ring->count--;
    return record;
}

struct record *ring_pop_newest(struct ring *ring)
{
    return ring_at(ring, --ring->count);
}

size_t ring_behind(const struct ring *ring, int64_t revision)
{
    size_t low = 0, high = ring->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ring_at(ring, middle)->revision <= revision)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void record_free(struct record *record)
{
    for (size_t i = 0; i < record->count; i++)
        value_unref(record->changes[i].value);
    free(record->who);
    free(record);
}

/* The oldest record falls off: what was before it can no longer be looked at. */
static void log_trim_one(struct store *store)
{
    struct record *record = ring_pop(&store->log);
    ring_pop(&record->space->records);
    record->space->trimmed = record->revision;
    store->log_bytes -= (int64_t)record->bytes;
    for (size_t i = 0; i < record->count; i++)
        entry_trim(record->changes[i].entry, record->revision);
    space_vacate(record->space);
    record_free(record);
}

void log_append(struct store *store, struct record *record)
{
    ring_push(&store->log, record);
    ring_push(&record->space->records, record);
    if (record->space->records.count == 1) /* it keeps the space */
        record->bytes += SPACE_BYTES + record->space->name_len;
    store->log_bytes += (int64_t)record->bytes;
    log_trim(store);
}

void log_trim(struct store *store)
{
    while (store->log_bytes > store->limits.log && store->log.count > 1 &&
           ring_at(&store->log, 0)->revision <= store->settled)
        log_trim_one(store);
}

int64_t record_revision(const struct record *record)
{
    return record->revision;
}

const struct record *store_record(const struct store *store, int64_t revision)
{
    size_t index = ring_behind(&store->log, revision - 1);
    if (index == store->log.count)
        return NULL;
    const struct record *record = ring_at(&store->log, index);
    return record->revision == revision ? record : NULL;
}

static struct value *change_event(const struct change *change, int64_t revision)
{
    struct value *map = value_map();
    const struct value *old = entry_value(change->entry, revision - 1);
    map_set(map, STR("key"), value_string(entry_key(change->entry)));
    if (old)
        map_set(map, STR("old"), value_ref(old));
    if (change->value)
        map_set(map, STR("value"), value_ref(change->value));
    else
        map_set(map, STR("deleted"), value_bool(true));
    if (change->identical)
        map_set(map, STR("identical"), value_bool(true));
    return map;
}

struct value *record_event(const struct record *record)
{
    struct value *event = value_map();
    map_set(event, STR("rev"), value_int(record->revision));
    map_set(event, STR("ns"), value_string(space_name(record->space)));
    map_set(event, STR("time"), value_int(record->time_ms));
    if (record->who)
        map_set(event, STR("by"), value_string(str_of(record->who)));
    struct value *changes = value_list();
    for (size_t i = 0; i < record->count; i++)
        list_push(changes, change_event(&record->changes[i], record->revision));
    map_set(event, STR("changes"), changes);
    map_set(event, STR("identical"), value_bool(record->identical));
    return event;
}
