/* Transactions: changes to one space that become one revision, or nothing. */
#include "store_priv.h"

#include <stdlib.h>

struct txn *txn_begin(struct space *space)
{
    struct txn *txn = &space->store->txn;
    txn->space = space;
    txn->count = 0;
    txn->work = (struct edit_work){.left = TXN_WORK_MAX};
    txn->steps = 0;
    return txn;
}

static void txn_end(struct txn *txn)
{
    for (size_t i = 0; i < txn->count; i++) {
        struct pending *pending = &txn->items[i];
        pending->entry->pending = 0;
        value_unref(pending->value);
        entry_drop_if_unused(pending->entry);
    }
    txn->count = 0;
}

void txn_restart(struct txn *txn)
{
    txn_end(txn);
}

void txn_abort(struct txn *txn)
{
    txn_end(txn);
}

const struct value *txn_get(const struct txn *txn, struct str key)
{
    const struct entry *entry = space_find(txn->space, key);
    if (!entry)
        return NULL;
    return entry->pending ? txn->items[entry->pending - 1].value : entry_value(entry, NOW);
}

struct value *txn_map(const struct txn *txn)
{
    struct value *map = value_map();
    for (const struct entry *entry = txn->space->head; entry; entry = entry->next) {
        const struct pending *pending = entry->pending ? &txn->items[entry->pending - 1] : NULL;
        const struct value *value = pending ? pending->value : entry_value(entry, NOW);
        if (value && !(pending && pending->reborn))
            map_set(map, entry_key(entry), value_ref(value));
    }
    for (size_t i = 0; i < txn->count; i++) /* what is inserted anew comes last */
        if (txn->items[i].value)
            map_set(map, entry_key(txn->items[i].entry), value_ref(txn->items[i].value));
    return map;
}

static const struct value *scope_key(void *ctx, enum expr_root root, struct str key)
{
    const struct txn *txn = ctx;
    return root == EXPR_OLD ? space_get(txn->space, key, NOW) : txn_get(txn, key);
}

static struct value *scope_whole(void *ctx, enum expr_root root)
{
    const struct txn *txn = ctx;
    return root == EXPR_OLD ? space_map(txn->space, NOW) : txn_map(txn);
}

/* What is deleted counts too: it is only a measure of cost. */
static size_t scope_size(void *ctx, enum expr_root root)
{
    const struct txn *txn = ctx;
    return txn->space->live + (root == EXPR_OLD ? 0 : txn->count);
}

struct expr_scope txn_scope(struct txn *txn, const struct value *args)
{
    return (struct expr_scope){.ctx = txn,
                               .key = scope_key,
                               .whole = scope_whole,
                               .size = scope_size,
                               .args = args,
                               .steps = &txn->steps};
}

static struct pending *txn_pending(struct txn *txn, struct entry *entry)
{
    if (!entry->pending) {
        mem_grow(txn->items, txn->capacity, txn->count);
        txn->items[txn->count++] = (struct pending){.entry = entry};
        entry->pending = txn->count;
    }
    return &txn->items[entry->pending - 1];
}

bool txn_set(struct txn *txn, struct str key, struct value *value, struct err *err)
{
    if (key.len == 0 || key.len > STORE_KEY_MAX || value_depth(value) > VALUE_DEPTH_MAX) {
        value_unref(value);
        if (key.len == 0)
            return err_set(err, ERR_INVALID, "a key cannot be empty");
        return err_set(err, ERR_TOO_LARGE,
                       key.len > STORE_KEY_MAX ? "key '%.*s…' is longer than 64 KiB"
                                               : "the value of key '%.*s' is nested too deep",
                       STR_ARG(key));
    }
    struct entry *entry = space_entry(txn->space, key);
    bool deleted = entry->pending && !txn->items[entry->pending - 1].value;
    struct pending *pending = txn_pending(txn, entry);
    pending->reborn |= deleted;
    value_unref(pending->value);
    pending->value = value;
    return true;
}

bool txn_edit(struct txn *txn, struct str key, enum edit_how how, struct str path, struct value *item,
              struct err *err)
{
    struct entry *entry = space_find(txn->space, key);
    struct pending *pending = txn_pending(txn, entry);
    if (!pending->value)
        pending->value = value_ref(entry_value(entry, NOW));
    return pointer_edit(&pending->value, how, path, item, &txn->work, err);
}

/* Of what was edited in place. */
static void txn_settle(struct txn *txn)
{
    for (size_t i = 0; txn->work.loose && i < txn->count; i++)
        if (txn->items[i].value)
            value_settle(txn->items[i].value);
    txn->work.loose = false;
}

void txn_delete(struct txn *txn, struct str key)
{
    struct entry *entry = space_find(txn->space, key);
    if (!entry)
        return;
    struct pending *pending = txn_pending(txn, entry);
    value_unref(pending->value);
    pending->value = NULL;
}

static size_t entry_bytes(const struct entry *entry, const struct value *value)
{
    return value ? sizeof *entry + entry->key_len + sizeof(struct version) + value_size(value) : 0;
}

/* Bytes that the state would take afterwards; saturates. */
static int64_t txn_state_bytes(const struct txn *txn)
{
    int64_t sum = txn->space->store->state_bytes;
    for (size_t i = 0; i < txn->count; i++) {
        const struct pending *pending = &txn->items[i];
        size_t bytes = entry_bytes(pending->entry, pending->value);
        if (bytes > (size_t)(INT64_MAX / 4))
            return INT64_MAX;
        sum += (int64_t)bytes - (int64_t)pending->entry->size;
    }
    return sum;
}

void entry_change(struct entry *entry, int64_t revision, struct value *value, bool reborn)
{
    size_t bytes = entry_bytes(entry, value);
    entry->space->store->state_bytes += (int64_t)bytes - (int64_t)entry->size;
    entry->size = bytes;
    entry_push(entry, revision, value, reborn);
}

/* The owner of before, if it is still there; an ephemeral key whose session has ended meanwhile is an orphan.
 */
static struct owned *owner_find(struct store *store, const struct owned *owner)
{
    size_t place = 0;
    for (struct session *session; (session = table_next(&store->sessions, &place));)
        if (owner == &session->owned)
            return &session->owned;
    return &store->orphans;
}

static void change_undo(const struct change *change)
{
    struct entry *entry = change->entry;
    entry_disown(entry);
    entry_pop(entry);
    if (change->owner && entry_value(entry, NOW))
        entry_own(entry, owner_find(entry->space->store, change->owner));
    size_t bytes = entry_bytes(entry, entry_value(entry, NOW));
    entry->space->store->state_bytes += (int64_t)bytes - (int64_t)entry->size;
    entry->size = bytes;
    entry_drop_if_unused(entry);
}

void store_undo(struct store *store, int64_t revision)
{
    while (store->log.count && ring_at(&store->log, store->log.count - 1)->revision > revision) {
        struct record *record = ring_pop_newest(&store->log);
        ring_pop_newest(&record->space->records);
        store->log_bytes -= (int64_t)record->bytes;
        for (size_t i = record->count; i > 0; i--)
            change_undo(&record->changes[i - 1]);
        space_vacate(record->space);
        record_free(record);
    }
    store->revision = revision;
    sessions_clamp(store, revision);
}

static void change_apply(struct record *record, struct pending *pending)
{
    struct entry *entry = pending->entry;
    const struct value *before = entry_value(entry, NOW);
    if (!before && !pending->value)
        return;
    struct change *change = &record->changes[record->count++];
    *change = (struct change){entry,
                              value_ref(pending->value),
                              before && pending->value && value_identical(before, pending->value),
                              pending->reborn && pending->value,
                              false,
                              entry->owner};
    record->identical &= change->identical;
    entry_change(entry, record->revision, value_ref(pending->value), change->reborn);
    record->bytes += sizeof *change + sizeof(struct version) + entry->size;
    if (pending->owns && pending->value) {
        change->handed = entry->owner != pending->owner;
        entry_disown(entry);
        if (pending->owner)
            entry_own(entry, pending->owner);
    }
}

const struct record *txn_commit(struct txn *txn, int64_t time_ms, struct str who, struct err *err)
{
    struct store *store = txn->space->store;
    txn_settle(txn);
    int64_t state_bytes = txn_state_bytes(txn);
    if (state_bytes > store->limits.state && state_bytes > store->state_bytes) {
        txn_end(txn);
        err_set(
            err, ERR_TOO_LARGE,
            "the state would be larger than its limit of %lld bytes; delete something or raise state_limit",
            (long long)store->limits.state);
        return NULL;
    }
    struct record *record = mem_new(sizeof *record + txn->count * sizeof *record->changes);
    record->revision = ++store->revision;
    record->time_ms = time_ms;
    record->space = txn->space;
    record->who = who.len ? mem_copy(who.data, who.len) : NULL;
    record->bytes = sizeof *record + who.len + 2 * sizeof record;
    record->identical = true;
    for (size_t i = 0; i < txn->count; i++)
        change_apply(record, &txn->items[i]);
    txn_end(txn);
    log_append(store, record);
    note_record(record);
    for (size_t i = 0; i < record->count; i++)
        if (record->changes[i].handed)
            note_owner(record->changes[i].entry);
    waits_wake(record->space, record);
    return record;
}
