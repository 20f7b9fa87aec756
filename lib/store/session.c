/* Sessions: a cursor a space, moved only by acknowledgement. */
#include "store_priv.h"

#include <stdlib.h>

struct session *session_open(struct store *store, struct str name, int64_t revision, struct err *err)
{
    if (!space_name_valid(name)) {
        err_set(err, ERR_INVALID,
                "'%.*s' is not a name for a session: 1 to 255 bytes without control characters",
                STR_ARG(name));
        return NULL;
    }
    if (session_find(store, name)) {
        err_set(err, ERR_CONFLICT, "session '%.*s' exists", STR_ARG(name));
        return NULL;
    }
    struct session *session = mem_new(sizeof *session + name.len + 1);
    session->start = revision;
    session->name_len = name.len;
    memcpy(session->name, name.data, name.len);
    table_put(&store->sessions, (struct str){session->name, session->name_len}, session);
    return session;
}

struct session *session_find(struct store *store, struct str name)
{
    return table_get(&store->sessions, name);
}

void session_close(struct store *store, struct session *session)
{
    table_remove(&store->sessions, (struct str){session->name, session->name_len});
    for (size_t i = 0; i < session->place_count; i++) {
        struct place *place = session->places[i];
        if (place->wait)
            wait_orphan(place->wait);
        free(place);
    }
    free(session->places);
    free(session);
}

const struct place *session_look(const struct session *session, const struct space *space)
{
    for (size_t i = 0; i < session->place_count; i++)
        if (session->places[i]->space == space)
            return session->places[i];
    return NULL;
}

struct place *session_place(struct session *session, const struct space *space)
{
    for (size_t i = 0; i < session->place_count; i++)
        if (session->places[i]->space == space)
            return session->places[i];
    struct place *place = mem_new(sizeof *place);
    *place = (struct place){.space = space, .cursor = session->start, .wrote = -1, .delivered = -1};
    mem_grow(session->places, session->place_capacity, session->place_count);
    session->places[session->place_count++] = place;
    return place;
}

bool session_busy(const struct session *session, const struct space *space)
{
    const struct place *place = session_look(session, space);
    return place && (place->wait || place->delivered >= 0);
}

void session_idle(struct session *session, const struct space *space)
{
    session_place(session, space)->delivered = -1;
}

/* Remembers where the condition was answered; the one that was answered longest ago makes room. */
static void place_check(struct place *place, uint64_t hash, int64_t revision)
{
    size_t at = 0;
    for (size_t i = 0; i < place->check_count; i++) {
        if (place->checks[i].hash == hash) {
            at = i;
            break;
        }
        if (place->checks[i].revision < place->checks[at].revision)
            at = i;
    }
    bool known = place->check_count && place->checks[at].hash == hash;
    if (!known && place->check_count < LENGTH_OF(place->checks))
        at = place->check_count++;
    place->checks[at] = (struct check){hash, revision};
}

void session_ack(struct session *session, struct space *space, int64_t revision)
{
    struct place *place = session_place(session, space);
    if (place->delivered >= 0 && place->delivered <= revision) {
        place_check(place, place->delivered_hash, place->delivered);
        place->delivered = -1;
    }
    if (revision > place->cursor)
        place->cursor = revision;
}

int64_t session_go_live(struct session *session, struct space *space)
{
    struct place *place = session_place(session, space);
    place->cursor = space->store->revision;
    return place->cursor;
}

int64_t session_cursor(const struct session *session, const struct space *space)
{
    const struct place *place = session_look(session, space);
    return place ? place->cursor : session->start;
}

void session_wrote(struct session *session, struct space *space, int64_t revision)
{
    session_place(session, space)->wrote = revision;
}
