/* Ephemeral keys: each is in the list of the session that set it, and goes with it. */
#include "store_priv.h"

#include <stdlib.h>

void entry_own(struct entry *entry, struct owned *owner)
{
    mem_grow(owner->items, owner->capacity, owner->count);
    entry->owner = owner;
    entry->owner_place = owner->count;
    owner->items[owner->count++] = entry;
}

void entry_disown(struct entry *entry)
{
    struct owned *owner = entry->owner;
    if (!owner)
        return;
    struct entry *last = owner->items[--owner->count];
    owner->items[entry->owner_place] = last;
    last->owner_place = entry->owner_place;
    entry->owner = NULL;
}

void owned_orphan(struct store *store, struct owned *owned)
{
    while (owned->count) {
        struct entry *entry = owned->items[owned->count - 1];
        entry_disown(entry);
        entry_own(entry, &store->orphans);
    }
    free(owned->items);
    *owned = (struct owned){0};
}

void txn_own(struct txn *txn, struct session *session)
{
    for (size_t i = 0; i < txn->count; i++) {
        txn->items[i].owns = true;
        txn->items[i].owner = session ? &session->owned : NULL;
    }
}

struct space *store_orphaned(const struct store *store, bool (*may)(void *ctx, struct space *space),
                             void *ctx)
{
    for (size_t i = 0; i < store->orphans.count; i++)
        if (may(ctx, store->orphans.items[i]->space))
            return store->orphans.items[i]->space;
    return NULL;
}

void write_orphans(struct txn *txn)
{
    const struct owned *orphans = &txn->space->store->orphans;
    for (size_t i = 0; i < orphans->count; i++)
        if (orphans->items[i]->space == txn->space)
            txn_delete(txn, entry_key(orphans->items[i]));
}
