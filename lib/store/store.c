/* The store as a whole: its spaces, limits and figures. */
#include "store_priv.h"

#include <stdlib.h>

static struct space *space_new(struct store *store, struct str name)
{
    struct space *space = mem_new(sizeof *space + name.len + 1);
    space->store = store;
    space->name_len = name.len;
    memcpy(space->name, name.data, name.len);
    return space;
}

struct store *store_new(const struct store_limits *limits)
{
    struct store *store = mem_new(sizeof *store);
    store->limits = *limits;
    store->settled = INT64_MAX;
    store->spaces_max = STORE_SPACES_MAX;
    store->nowhere = space_new(store, STR(""));
    return store;
}

static void space_free(struct space *space)
{
    size_t pos = 0;
    for (struct entry *entry; (entry = table_next(&space->entries, &pos));) {
        for (size_t i = 0; i < entry->count; i++)
            value_unref(entry->versions[entry->first + i].value);
        free(entry->versions);
        free(entry);
    }
    table_release(&space->entries);
    free(space->records.items);
    free(space);
}

/* Waits belong to whoever parked them: all are cancelled before. */
void store_free(struct store *store)
{
    for (size_t i = 0; i < store->log.count; i++)
        record_free(ring_at(&store->log, i));
    free(store->log.items);
    size_t pos = 0;
    for (struct session *session; (session = table_next(&store->sessions, &pos));)
        session_close(store, session);
    table_release(&store->sessions);
    deadlines_release(&store->idle);
    free(store->orphans.items);
    pos = 0;
    for (struct space *space; (space = table_next(&store->spaces, &pos));)
        space_free(space);
    table_release(&store->spaces);
    space_free(store->nowhere);
    free(store->vacant);
    answers_release(&store->answers);
    free(store->txn.items);
    free(store);
}

int64_t store_revision(const struct store *store)
{
    return store->revision;
}

bool space_name_valid(struct str name)
{
    if (name.len == 0 || name.len > 255 || !utf8_valid(name))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.data[i] < 0x20 || name.data[i] == 0x7f)
            return false;
    return true;
}

bool space_name_reserved(struct str name)
{
    return str_is(name, "zproc") || str_starts_with(name, STR("zproc."));
}

struct space *store_space(struct store *store, struct str name, struct err *err)
{
    struct space *space = table_get(&store->spaces, name);
    if (space)
        return space;
    if (store->spaces.count >= store->spaces_max) {
        err_set(err, ERR_TOO_LARGE, "there are %d namespaces already; '%.*s' would be one too many",
                STORE_SPACES_MAX, STR_ARG(name));
        return NULL;
    }
    space = space_new(store, name);
    space->trimmed = store->dropped;
    table_put(&store->spaces, space_name(space), space);
    space_vacate(space); /* nobody may come to need it */
    return space;
}

static bool space_is_vacant(const struct space *space)
{
    return space->live + space->records.count + space->entries.count + space->users == 0;
}

void space_vacate(struct space *space)
{
    struct store *store = space->store;
    if (space->vacant || !space_is_vacant(space))
        return;
    space->vacant = true;
    mem_grow(store->vacant, store->vacant_capacity, store->vacant_count);
    store->vacant[store->vacant_count++] = space;
}

/* One that comes to be there again must not look as if it had never been. */
static void space_drop(struct space *space)
{
    struct store *store = space->store;
    if (space->trimmed > store->dropped)
        store->dropped = store->nowhere->trimmed = space->trimmed;
    table_remove(&store->spaces, space_name(space));
    space_free(space);
}

void store_tidy(struct store *store)
{
    while (store->vacant_count) {
        struct space *space = store->vacant[--store->vacant_count];
        space->vacant = false;
        if (space_is_vacant(space))
            space_drop(space);
    }
}

struct space *store_look(struct store *store, struct str name)
{
    struct space *space = table_get(&store->spaces, name);
    return space ? space : store->nowhere;
}

void store_each(const struct store *store, void (*visit)(void *ctx, struct str name), void *ctx)
{
    size_t pos = 0;
    for (const struct space *space; (space = table_next(&store->spaces, &pos));)
        if (space->live)
            visit(ctx, space_name(space));
}

struct str space_name(const struct space *space)
{
    return (struct str){space->name, space->name_len};
}

static int64_t oldest_cursor(const struct store *store)
{
    int64_t oldest = -1;
    size_t pos = 0;
    for (const struct session *session; (session = table_next(&store->sessions, &pos));)
        for (size_t i = 0; i < session->place_count; i++)
            if (oldest < 0 || session->places[i]->cursor < oldest)
                oldest = session->places[i]->cursor;
    return oldest;
}

void store_measure(const struct store *store, struct store_figures *figures)
{
    *figures = (struct store_figures){
        .revision = store->revision,
        .oldest = store->log.count ? ring_at(&store->log, 0)->revision : store->revision,
        .log_bytes = store->log_bytes,
        .state_bytes = store->state_bytes,
        .spaces = store->spaces.count,
        .keys = store->keys,
        .sessions = store->sessions.count,
        .waits = store->waits,
        .oldest_cursor = oldest_cursor(store),
    };
}
