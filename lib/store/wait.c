/* Watches: answered from the state or the log, or parked in the lists of the keys that they look at. What is
 * left of the log is searched in slices, so that nobody waits for somebody else's long search. */
#include "store_priv.h"

#include <stdlib.h>

#define SLICE_EFFORT                                                                                         \
    256 /* of a search at a time; a record is 1, but EXPR_EFFORT where an expression reads                   \
         */
#define EXPR_EFFORT  32
#define EFFORT_STEPS 4    /* of an expression that are as much as one record */
#define WAKE_EFFORT  4096 /* of looking at waits within a commit; the rest is searched for in slices */

enum wait_state {
    WAIT_LISTED, /* it has seen everything and stands in the lists of its keys */
    WAIT_SCANS,  /* it stands in the store's list of those that have log to search */
    WAIT_RESTS,  /* nothing may be delivered to it at present */
};

struct wait {
    struct condition condition;
    struct space *space;
    struct place *place; /* of its session; NULL: none */
    watch_found *found;
    void *ctx;
    bool standing;   /* its keys are all that matters; what it finds lets it rest */
    uint64_t serial; /* order of arrival */
    enum wait_state state;
    int64_t seen;      /* the newest revision that was looked at */
    bool stream;       /* it stays after an event */
    bool paused, once; /* streams: hold back; end when the log has been searched */
    bool at_cursor;    /* what it loses moves the session's cursor */
    int64_t credit;    /* streams: events that may be delivered */
    struct wait *scan_previous, *scan_next;
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
static void wait_list(struct wait *wait)
{
    wait->state = WAIT_LISTED;
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

static void wait_scan_later(struct wait *wait)
{
    struct store *store = wait->space->store;
    wait->state = WAIT_SCANS;
    wait->scan_next = NULL;
    wait->scan_previous = store->last_scan;
    *(store->last_scan ? &store->last_scan->scan_next : &store->first_scan) = wait;
    store->last_scan = wait;
}

/* Takes it out of whatever list it stands in. */
static void wait_unlink(struct wait *wait)
{
    struct store *store = wait->space->store;
    if (wait->state == WAIT_SCANS) {
        *(wait->scan_previous ? &wait->scan_previous->scan_next : &store->first_scan) = wait->scan_next;
        *(wait->scan_next ? &wait->scan_next->scan_previous : &store->last_scan) = wait->scan_previous;
    }
    for (size_t i = 0; i < wait->link_count; i++)
        link_remove(&wait->links[i]);
    wait->link_count = 0;
    wait->state = WAIT_RESTS;
}

void wait_cancel(struct wait *wait)
{
    wait_unlink(wait);
    if (wait->place)
        wait->place->wait = NULL;
    wait->space->store->waits--;
    wait->space->users--;
    space_vacate(wait->space);
    condition_release(&wait->condition);
    free(wait->links);
    free(wait);
}

/* It rests until wait_list or wait_scan_later. */
static struct wait *wait_new(struct space *space, struct condition *condition, struct place *place,
                             watch_found *found, void *ctx)
{
    struct wait *wait = mem_new(sizeof *wait);
    *wait =
        (struct wait){.condition = *condition, .space = space, .place = place, .found = found, .ctx = ctx};
    wait->state = WAIT_RESTS;
    wait->serial = ++space->store->wait_serial;
    space->store->waits++;
    space->users++;
    if (place)
        place->wait = wait;
    return wait;
}

struct wait *wait_standing(struct space *space, struct value *keys, watch_found *found, void *ctx)
{
    struct condition condition = {.kind = WATCH_CHANGE, .keys = keys};
    struct wait *wait = wait_new(space, &condition, NULL, found, ctx);
    wait->standing = true;
    wait_again(wait);
    return wait;
}

void wait_touch(struct wait *wait)
{
    struct watch_event event = {.revision = wait->space->store->revision};
    wait_unlink(wait);
    wait->found(wait->ctx, &event);
}

void wait_again(struct wait *wait)
{
    wait->seen = wait->space->store->revision;
    wait_list(wait);
}

static void place_deliver(struct place *place, const struct condition *condition, int64_t revision)
{
    if (!place)
        return;
    place->delivered = place->offered = revision;
    place->offered_hash = condition_hash(condition);
    note_place(place);
}

/* found comes last: it may cancel a stream. */
static void wait_deliver(struct wait *wait, const struct watch_event *event)
{
    watch_found *found = wait->found;
    void *ctx = wait->ctx;
    if (!event->nothing && event->missed == 0)
        place_deliver(wait->place, &wait->condition, event->revision);
    if (!wait->stream) {
        wait_cancel(wait);
    } else if (!event->nothing) {
        wait->seen = event->revision;
        if (--wait->credit == 0)
            wait_unlink(wait);
    }
    found(ctx, event);
}

/* ---- Waking ---- */

struct waits {
    struct wait **items;
    size_t count, capacity;
};

static void waits_add(struct waits *waits, const struct link *list, int64_t revision)
{
    for (const struct link *link = list; link; link = link->next) {
        if (link->wait->seen == revision)
            continue;
        link->wait->seen = revision;
        mem_grow(waits->items, waits->capacity, waits->count);
        waits->items[waits->count++] = link->wait;
    }
}

static int wait_order(const void *a, const void *b)
{
    uint64_t left = (*(struct wait *const *)a)->serial, right = (*(struct wait *const *)b)->serial;
    return (left > right) - (left < right);
}

/* Of looking whether a record meets the condition: each of its changes is looked at. */
static size_t look_effort(const struct condition *condition, const struct record *record)
{
    return (condition->kind == WATCH_WHEN ? EXPR_EFFORT : 1) + record->count / 4;
}

/* Adds what evaluating expressions really took since `before`. */
static size_t steps_effort(const struct store *store, size_t before)
{
    return (store->steps - before) / EFFORT_STEPS;
}

void store_set_room(struct store *store, bool (*room)(void *ctx), void *ctx)
{
    store->room = room;
    store->room_ctx = ctx;
}

static bool store_has_room(const struct store *store)
{
    return !store->room || store->room(store->room_ctx);
}

void waits_wake(struct space *space, const struct record *record)
{
    struct waits waits = {0};
    size_t effort = 0;
    waits_add(&waits, space->waits, record->revision);
    for (size_t i = 0; i < record->count; i++)
        waits_add(&waits, record->changes[i].entry->waits, record->revision);
    if (waits.count > 1)
        qsort(waits.items, waits.count, sizeof(struct wait *), wait_order);
    for (size_t i = 0; i < waits.count; i++) {
        struct wait *wait = waits.items[i];
        struct watch_event event = {.revision = record->revision, .record = record};
        if (wait->standing) {
            wait_unlink(wait);
            wait->found(wait->ctx, &event);
            continue;
        }
        effort += look_effort(&wait->condition, record);
        if (effort > WAKE_EFFORT || !store_has_room(space->store)) {
            wait_unlink(wait);
            wait->seen = record->revision - 1;
            wait_scan_later(wait);
            continue;
        }
        size_t before = space->store->steps;
        bool matches = condition_matches(&wait->condition, record, &event.key);
        effort += steps_effort(space->store, before);
        if (matches)
            wait_deliver(wait, &event);
    }
    free(waits.items);
}

/* ---- Searching the log ---- */

enum search { SEARCH_FOUND, SEARCH_END, SEARCH_MORE };

/* Looks at records behind *seen for a while; *seen moves to the last one. */
static enum search log_search(const struct condition *condition, const struct space *space, int64_t *seen,
                              struct watch_event *event)
{
    size_t effort = 0, steps = space->store->steps;
    bool first = true;
    for (size_t i = ring_behind(&space->records, *seen); i < space->records.count; i++, first = false) {
        const struct record *record = ring_at(&space->records, i);
        effort += look_effort(condition, record);
        if (!first && effort + steps_effort(space->store, steps) > SLICE_EFFORT)
            return SEARCH_MORE;
        *seen = record->revision;
        if (condition_matches(condition, record, &event->key)) {
            event->revision = record->revision;
            event->record = record;
            return SEARCH_FOUND;
        }
    }
    *seen = space->store->revision;
    return SEARCH_END;
}

static void wait_lose(struct wait *wait)
{
    int64_t trimmed = wait->space->trimmed;
    struct watch_event event = {.revision = trimmed, .missed = trimmed - wait->seen};
    if (wait->place && wait->at_cursor && wait->place->cursor < trimmed) {
        wait->place->cursor = trimmed;
        note_place(wait->place);
    }
    wait_deliver(wait, &event);
}

/* A slice of its search. It may be gone afterwards. */
static void wait_scan(struct wait *wait)
{
    struct watch_event event = {0};
    if (wait->seen < wait->space->trimmed) {
        wait_lose(wait);
        return;
    }
    switch (log_search(&wait->condition, wait->space, &wait->seen, &event)) {
    case SEARCH_FOUND:
        wait_deliver(wait, &event);
        break;
    case SEARCH_END:
        wait_unlink(wait);
        if (wait->once)
            wait_deliver(wait, &(struct watch_event){.revision = wait->seen, .nothing = true});
        else
            wait_list(wait);
        break;
    case SEARCH_MORE:
        break;
    }
}

bool store_scan(struct store *store, bool (*more)(void *ctx), void *ctx)
{
    while (store->first_scan && more(ctx)) {
        struct wait *wait = store->first_scan;
        wait_unlink(wait); /* to the end: it is the others' turn first */
        wait_scan_later(wait);
        wait_scan(wait);
    }
    return store->first_scan != NULL;
}

bool store_scans(const struct store *store)
{
    return store->first_scan != NULL;
}

bool wait_finish(struct wait *wait)
{
    wait->once = true;
    return wait->state == WAIT_LISTED;
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

static int64_t start_revision(const struct watch_start *start, const struct place *place, int64_t newest)
{
    int64_t revision = start->has_after ? start->after : start->live || !place ? newest : place->cursor;
    return revision > newest ? newest : revision;
}

/* Where a watch begins, and whether its first check holds there. */
struct beginning {
    struct place *place;
    int64_t cursor, at;
    bool holds, lost;
};

static struct beginning begin(struct space *space, const struct condition *condition,
                              const struct watch_start *start, watch_found *found, void *ctx)
{
    struct place *place = start->session ? session_place(start->session, space) : NULL;
    struct beginning at = {.place = place, .cursor = start_revision(start, place, space->store->revision)};
    bool from_cursor = place && !start->live && !start->has_after;
    if (place) {
        place->found = found;
        place->ctx = ctx;
    }
    at.lost = at.cursor < space->trimmed;
    at.at = from_cursor && place->wrote > at.cursor ? place->wrote : at.cursor;
    at.holds = !at.lost && !start->next && first_check(condition, space, place, at.at);
    return at;
}

enum watch_result watch_begin(struct space *space, struct condition *condition,
                              const struct watch_start *start, watch_found *found, void *ctx,
                              struct watch_event *event, int64_t *missed, struct wait **wait)
{
    struct beginning at = begin(space, condition, start, found, ctx);
    enum search search = SEARCH_FOUND;
    *event = (struct watch_event){0};
    if (at.lost) {
        *missed = space->trimmed - at.cursor;
        if (at.place && !start->has_after) {
            at.place->cursor = space->trimmed;
            note_place(at.place);
        }
        condition_release(condition);
        return WATCH_LOST;
    }
    if (at.holds)
        *event = (struct watch_event){.revision = at.at, .key = condition_key(condition)};
    else
        search = log_search(condition, space, &at.cursor, event);
    if (search != SEARCH_FOUND) {
        *wait = wait_new(space, condition, at.place, found, ctx);
        (*wait)->seen = at.cursor;
        (*wait)->at_cursor = !start->has_after;
        search == SEARCH_END ? wait_list(*wait) : wait_scan_later(*wait);
        return WATCH_WAITS;
    }
    place_deliver(at.place, condition, event->revision);
    /* The key must outlive the condition. */
    const struct entry *entry = event->key.data ? space_find(space, event->key) : NULL;
    event->key = entry ? entry_key(entry) : (struct str){0};
    condition_release(condition);
    return WATCH_FOUND;
}

/* ---- Streams ---- */

struct wait *stream_begin(struct space *space, struct condition *condition, const struct watch_start *start,
                          int64_t credit, watch_found *found, void *ctx)
{
    struct beginning at = begin(space, condition, start, found, ctx);
    struct wait *wait = wait_new(space, condition, at.place, found, ctx);
    wait->stream = true;
    wait->credit = credit;
    wait->seen = at.cursor;
    wait->at_cursor = !start->has_after;
    wait_scan_later(wait);
    if (at.holds)
        wait_deliver(wait, &(struct watch_event){.revision = at.at, .key = condition_key(&wait->condition)});
    return wait;
}

/* Rests or goes on, as credit and pause say. */
static void stream_update(struct wait *wait)
{
    bool may = wait->credit > 0 && !wait->paused;
    if (may == (wait->state != WAIT_RESTS))
        return;
    if (may) {
        wait_scan_later(wait);
        return;
    }
    if (wait->state == WAIT_LISTED) /* what it was not called for was not for it */
        wait->seen = wait->space->store->revision;
    wait_unlink(wait);
}

void stream_credit(struct wait *wait, int64_t credit)
{
    wait->credit += credit;
    stream_update(wait);
}

void stream_pause(struct wait *wait, bool pause)
{
    wait->paused = pause;
    stream_update(wait);
}
