/* A namespace: its keys, their versions, and reading as of a revision. */
#include "store_priv.h"

#include <stdlib.h>

struct entry *space_find(const struct space *space, struct str key)
{
    return table_get(&space->entries, key);
}

struct entry *space_entry(struct space *space, struct str key)
{
    struct entry *entry = space_find(space, key);
    if (entry)
        return entry;
    entry = mem_new(sizeof *entry + key.len + 1);
    entry->space = space;
    entry->key_len = key.len;
    memcpy(entry->key, key.data, key.len);
    table_put(&space->entries, entry_key(entry), entry);
    return entry;
}

void entry_drop_if_unused(struct entry *entry)
{
    if (entry->count || entry->waits || entry->pending)
        return;
    table_remove(&entry->space->entries, entry_key(entry));
    free(entry->versions);
    free(entry);
}

static struct version *entry_newest(const struct entry *entry)
{
    return entry->count ? &entry->versions[entry->first + entry->count - 1] : NULL;
}

const struct version *entry_version(const struct entry *entry, int64_t at)
{
    if (entry->count == 0)
        return NULL;
    const struct version *versions = entry->versions + entry->first;
    size_t low = 0, high = entry->count;
    if (versions[high - 1].revision <= at)
        return &versions[high - 1];
    while (low < high) { /* the first version behind `at` */
        size_t middle = low + (high - low) / 2;
        if (versions[middle].revision <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &versions[low - 1] : NULL;
}

static void live_add(struct entry *entry)
{
    struct space *space = entry->space;
    entry->previous = space->tail;
    entry->next = NULL;
    *(space->tail ? &space->tail->next : &space->head) = entry;
    space->tail = entry;
    space->live++;
    space->store->keys++;
}

static void live_remove(struct entry *entry)
{
    struct space *space = entry->space;
    *(entry->previous ? &entry->previous->next : &space->head) = entry->next;
    *(entry->next ? &entry->next->previous : &space->tail) = entry->previous;
    space->live--;
    space->store->keys--;
}

void entry_push(struct entry *entry, int64_t revision, struct value *value, bool reborn)
{
    const struct version *newest = entry_newest(entry);
    bool was_live = newest && newest->value;
    uint64_t birth = was_live && !reborn ? newest->birth : ++entry->space->store->births;
    if (was_live && (!value || reborn))
        live_remove(entry);
    if (value && (!was_live || reborn))
        live_add(entry);
    if (!value)
        entry_disown(entry);
    if (entry->first + entry->count == entry->capacity) {
        if (entry->first > entry->count) {
            memmove(entry->versions, entry->versions + entry->first, entry->count * sizeof *entry->versions);
            entry->first = 0;
        } else {
            entry->capacity = entry->capacity ? entry->capacity * 2 : 2;
            entry->versions = mem_resize(entry->versions, entry->capacity, sizeof *entry->versions);
        }
    }
    entry->versions[entry->first + entry->count++] = (struct version){revision, value, birth};
}

/* Back among the live keys at the place of its birth. */
static void live_insert(struct entry *entry)
{
    struct space *space = entry->space;
    struct entry *before = space->tail;
    while (before && entry_newest(before)->birth > entry_newest(entry)->birth)
        before = before->previous;
    entry->previous = before;
    entry->next = before ? before->next : space->head;
    *(entry->next ? &entry->next->previous : &space->tail) = entry;
    *(before ? &before->next : &space->head) = entry;
    space->live++;
    space->store->keys++;
}

void entry_pop(struct entry *entry)
{
    if (entry_newest(entry)->value)
        live_remove(entry);
    value_unref(entry_newest(entry)->value);
    entry->count--;
    if (entry->count && entry_newest(entry)->value)
        live_insert(entry);
}

static void entry_shift(struct entry *entry)
{
    value_unref(entry->versions[entry->first].value);
    entry->first++;
    entry->count--;
}

void entry_trim(struct entry *entry, int64_t oldest)
{
    while (entry->count > 1 && entry->versions[entry->first + 1].revision <= oldest)
        entry_shift(entry);
    if (entry->count && entry->versions[entry->first].revision <= oldest &&
        !entry->versions[entry->first].value)
        entry_shift(entry);
    entry_drop_if_unused(entry);
}

bool space_covers(const struct space *space, int64_t at, struct err *err)
{
    if (at != NOW && at > space->store->revision)
        return err_set(err, ERR_INVALID, "revision %lld is not there yet; the newest is %lld", (long long)at,
                       (long long)space->store->revision);
    if (at < space->trimmed)
        return err_set(err, ERR_LOST,
                       "revision %lld has fallen off the log, which begins after %lld; begin again with the "
                       "newest",
                       (long long)at, (long long)space->trimmed);
    return true;
}

int64_t space_missed(const struct space *space, int64_t at)
{
    return at < space->trimmed ? space->trimmed - at : 0;
}

const struct value *space_get(const struct space *space, struct str key, int64_t at)
{
    const struct entry *entry = space_find(space, key);
    return entry ? entry_value(entry, at) : NULL;
}

/* Nothing of the space was changed behind `at`: the present order can be used. */
static bool is_present(const struct space *space, int64_t at)
{
    size_t count = space->records.count;
    return count == 0 || ring_at(&space->records, count - 1)->revision <= at;
}

struct past {
    const struct entry *entry;
    const struct version *version;
};

static int past_order(const void *a, const void *b)
{
    uint64_t left = ((const struct past *)a)->version->birth,
             right = ((const struct past *)b)->version->birth;
    return (left > right) - (left < right);
}

/* The keys that were there as of a revision, in the order of that time; the caller frees them. */
static struct past *space_past(const struct space *space, int64_t at, size_t *count)
{
    struct past *found = mem_array(space->entries.count, sizeof *found);
    *count = 0;
    size_t pos = 0;
    for (const struct entry *entry; (entry = table_next(&space->entries, &pos));) {
        const struct version *version = entry_version(entry, at);
        if (version && version->value)
            found[(*count)++] = (struct past){entry, version};
    }
    qsort(found, *count, sizeof *found, past_order);
    return found;
}

size_t space_len(const struct space *space, int64_t at)
{
    if (is_present(space, at))
        return space->live;
    size_t count;
    free(space_past(space, at, &count));
    return count;
}

void space_each(const struct space *space, int64_t at,
                void (*visit)(void *ctx, struct str key, const struct value *value), void *ctx)
{
    if (is_present(space, at)) {
        for (const struct entry *entry = space->head; entry; entry = entry->next)
            visit(ctx, entry_key(entry), entry_newest(entry)->value);
        return;
    }
    size_t count;
    AUTO_FREE struct past *past = space_past(space, at, &count);
    for (size_t i = 0; i < count; i++)
        visit(ctx, entry_key(past[i].entry), past[i].version->value);
}

static void map_add(void *ctx, struct str key, const struct value *value)
{
    map_set(ctx, key, value_ref(value));
}

struct value *space_map(const struct space *space, int64_t at)
{
    struct value *map = value_map();
    space_each(space, at, map_add, map);
    return map;
}

bool space_last(const struct space *space, struct str *key)
{
    if (!space->tail)
        return false;
    *key = entry_key(space->tail);
    return true;
}

static int64_t view_revision(const struct space_view *view, enum expr_root root)
{
    return root == EXPR_OLD && view->before >= 0 ? view->before : view->at;
}

static const struct value *view_key(void *ctx, enum expr_root root, struct str key)
{
    const struct space_view *view = ctx;
    return space_get(view->space, key, view_revision(view, root));
}

static struct value *view_whole(void *ctx, enum expr_root root)
{
    const struct space_view *view = ctx;
    return space_map(view->space, view_revision(view, root));
}

static size_t view_size(void *ctx, enum expr_root root)
{
    const struct space_view *view = ctx;
    return space_len(view->space, view_revision(view, root));
}

struct expr_scope space_scope(struct space_view *view, const struct value *changed)
{
    return (struct expr_scope){
        .ctx = view, .key = view_key, .whole = view_whole, .size = view_size, .changed = changed};
}
