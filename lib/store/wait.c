/* Watches: answered from the state or the log, or parked in the lists of the keys that they look at. */
#include "store_priv.h"

#include <stdlib.h>

struct wait {
    struct condition condition;
    struct space *space;
    struct place *place; /* of its session; NULL: none */
    watch_found *found;
    void *ctx;
    uint64_t serial; /* order of arrival */
    int64_t
        seen; /* the newest revision that was looked at: a wait may stand in several lists of one record */
    size_t link_count, link_capacity;
    struct link *links;
};

static void link_insert(struct link *link)
{
    link->previous = NULL;
    link->next = *link->list;
    if (link->next)
        link->next->previous = link;
    *link->list = link;
}

static void link_remove(struct link *link)
{
    *(link->previous ? &link->previous->next : link->list) = link->next;
    if (link->next)
        link->next->previous = link->previous;
    if (link->entry)
        entry_drop_if_unused(link->entry);
}

static void wait_add_key(void *ctx, struct str key)
{
    struct wait *wait = ctx;
    if (key.len == 0 || key.len > STORE_KEY_MAX)
        return; /* no such key can ever be */
    struct entry *entry = space_entry(wait->space, key);
    for (size_t i = 0; i < wait->link_count; i++)
        if (wait->links[i].entry == entry)
            return;
    mem_grow(wait->links, wait->link_capacity, wait->link_count);
    wait->links[wait->link_count++] = (struct link){wait, NULL, NULL, NULL, entry};
}

/* Links go into their lists when the array has its final place in memory. */
static void wait_insert(struct wait *wait)
{
    if (!condition_keys(&wait->condition, wait_add_key, wait)) {
        mem_grow(wait->links, wait->link_capacity, wait->link_count);
        wait->links[wait->link_count++] = (struct link){.wait = wait};
    }
    for (size_t i = 0; i < wait->link_count; i++) {
        struct link *link = &wait->links[i];
        link->list = link->entry ? &link->entry->waits : &wait->space->waits;
        link_insert(link);
    }
}

void wait_cancel(struct wait *wait)
{
    for (size_t i = 0; i < wait->link_count; i++)
        link_remove(&wait->links[i]);
    if (wait->place)
        wait->place->wait = NULL;
    wait->space->store->waits--;
    condition_release(&wait->condition);
    free(wait->links);
    free(wait);
}

static struct wait *wait_park(struct space *space, struct condition *condition, struct place *place,
                              watch_found *found, void *ctx)
{
    struct wait *wait = mem_new(sizeof *wait);
    *wait =
        (struct wait){.condition = *condition, .space = space, .place = place, .found = found, .ctx = ctx};
    wait->serial = ++space->store->wait_serial;
    space->store->waits++;
    if (place)
        place->wait = wait;
    wait_insert(wait);
    return wait;
}

static void place_deliver(struct place *place, const struct condition *condition, int64_t revision)
{
    if (!place)
        return;
    place->delivered = revision;
    place->delivered_hash = condition_hash(condition);
}

/* ---- Waking ---- */

struct match {
    struct wait *wait;
    struct str key;
};
struct matches {
    struct match *items;
    size_t count, capacity;
};

static void matches_add(struct matches *matches, const struct link *list, const struct record *record)
{
    for (const struct link *link = list; link; link = link->next) {
        struct wait *wait = link->wait;
        struct str key;
        if (wait->seen == record->revision)
            continue;
        wait->seen = record->revision;
        if (!condition_matches(&wait->condition, record, &key))
            continue;
        mem_grow(matches->items, matches->capacity, matches->count);
        matches->items[matches->count++] = (struct match){wait, key};
    }
}

static int match_order(const void *a, const void *b)
{
    uint64_t left = ((const struct match *)a)->wait->serial, right = ((const struct match *)b)->wait->serial;
    return (left > right) - (left < right);
}

static void wait_wake(struct wait *wait, const struct watch_event *event)
{
    watch_found *found = wait->found;
    void *ctx = wait->ctx;
    place_deliver(wait->place, &wait->condition, event->revision);
    wait_cancel(wait);
    found(ctx, event);
}

void waits_wake(struct space *space, const struct record *record)
{
    struct matches matches = {0};
    matches_add(&matches, space->waits, record);
    for (size_t i = 0; i < record->count; i++)
        matches_add(&matches, record->changes[i].entry->waits, record);
    if (matches.count > 1)
        qsort(matches.items, matches.count, sizeof *matches.items, match_order);
    for (size_t i = 0; i < matches.count; i++)
        wait_wake(matches.items[i].wait,
                  &(struct watch_event){record->revision, record, matches.items[i].key});
    free(matches.items);
}

/* ---- Beginning ---- */

/* The last revision at which this session was answered for the condition; -1: never. */
static int64_t place_checked(const struct place *place, uint64_t hash)
{
    for (size_t i = 0; place && i < place->check_count; i++)
        if (place->checks[i].hash == hash)
            return place->checks[i].revision;
    return -1;
}

/* The first check: whether the state at the start is worth an answer. A state that was answered for and has
 * not been touched since is not. */
static bool first_check(const struct condition *condition, const struct space *space,
                        const struct place *place, int64_t at)
{
    if (!condition_first_check(condition))
        return false;
    int64_t checked = place ? place_checked(place, condition_hash(condition)) : -1;
    if (checked >= 0 && condition->edge)
        return false;
    if (checked >= 0 && checked <= at && !condition_touched(condition, space, checked, at))
        return false;
    return condition_holds(condition, space, at);
}

static bool log_search(const struct condition *condition, const struct space *space, int64_t behind,
                       struct watch_event *event)
{
    for (size_t i = ring_behind(&space->records, behind); i < space->records.count; i++) {
        const struct record *record = ring_at(&space->records, i);
        if (condition_matches(condition, record, &event->key)) {
            event->revision = record->revision;
            event->record = record;
            return true;
        }
    }
    return false;
}

static int64_t start_revision(const struct watch_start *start, const struct place *place, int64_t newest)
{
    int64_t revision = start->has_after ? start->after : start->live || !place ? newest : place->cursor;
    return revision > newest ? newest : revision;
}

enum watch_result watch_begin(struct space *space, struct condition *condition,
                              const struct watch_start *start, watch_found *found, void *ctx,
                              struct watch_event *event, int64_t *missed, struct wait **wait)
{
    struct place *place = start->session ? session_place(start->session, space) : NULL;
    int64_t newest = space->store->revision, cursor = start_revision(start, place, newest);
    enum watch_result result = WATCH_FOUND;
    *event = (struct watch_event){0};
    if (place) {
        place->found = found;
        place->ctx = ctx;
    }
    if (cursor < space->trimmed) {
        *missed = space->trimmed - cursor;
        if (place && !start->has_after)
            place->cursor = space->trimmed;
        result = WATCH_LOST;
    } else {
        bool from_cursor = place && !start->live && !start->has_after;
        int64_t at = from_cursor && place->wrote > cursor ? place->wrote : cursor;
        if (!start->next && first_check(condition, space, place, at))
            *event = (struct watch_event){at, NULL, condition_key(condition)};
        else if (!log_search(condition, space, cursor, event))
            result = WATCH_WAITS;
    }
    if (result == WATCH_WAITS) {
        *wait = wait_park(space, condition, place, found, ctx);
        (*wait)->seen = newest;
        return result;
    }
    if (result == WATCH_FOUND) {
        place_deliver(place, condition, event->revision);
        /* The key must outlive the condition. */
        const struct entry *entry = event->key.data ? space_find(space, event->key) : NULL;
        event->key = entry ? entry_key(entry) : (struct str){0};
    }
    condition_release(condition);
    return result;
}
