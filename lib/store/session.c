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
    if (store->sessions.count >= STORE_SESSIONS_MAX) {
        err_set(err, ERR_TOO_LARGE, "there are %d sessions already; close some", STORE_SESSIONS_MAX);
        return NULL;
    }
    struct session *session = mem_new(sizeof *session + name.len + 1);
    session->start = revision;
    session->name_len = name.len;
    memcpy(session->name, name.data, name.len);
    table_put(&store->sessions, (struct str){session->name, session->name_len}, session);
    note_session(store, session);
    return session;
}

void session_expires(struct store *store, struct session *session, int64_t now_ms)
{
    session->used_ms = now_ms;
    deadline_set(&store->idle, &session->idle, now_ms + SESSION_IDLE_MS);
    note_expires(store, session);
}

bool session_is_temporary(const struct session *session)
{
    return session->idle.place > 0;
}

void session_use(struct session *session, int64_t now_ms)
{
    session->used_ms = now_ms;
}

int64_t sessions_due(const struct store *store)
{
    const struct deadline *first = deadline_first(&store->idle);
    return first ? first->at : -1;
}

struct session *session_find(struct store *store, struct str name)
{
    return table_get(&store->sessions, name);
}

static bool place_busy(const struct place *place)
{
    return place->wait || place->delivered >= 0;
}

void session_close(struct store *store, struct session *session)
{
    note_close(store, session);
    deadline_remove(&store->idle, &session->idle);
    table_remove(&store->sessions, (struct str){session->name, session->name_len});
    for (size_t i = 0; i < session->place_count; i++) {
        struct place *place = session->places[i];
        if (!place_busy(place))
            continue;
        if (place->wait)
            wait_cancel(place->wait);
        place->found(place->ctx, NULL);
    }
    for (size_t i = 0; i < session->place_count; i++) {
        struct space *space = session->places[i]->space;
        space->users--;
        space_vacate(space);
        free(session->places[i]->checks);
        free(session->places[i]);
    }
    store->places -= session->place_count;
    owned_orphan(store, &session->owned);
    free(session->places);
    free(session);
}

static bool session_waits(const struct session *session)
{
    for (size_t i = 0; i < session->place_count; i++)
        if (place_busy(session->places[i]))
            return true;
    return false;
}

/* Looked at once an hour, not at every use. */
void sessions_expire(struct store *store, int64_t now_ms)
{
    for (struct deadline *first; (first = deadline_first(&store->idle)) && first->at <= now_ms;) {
        struct session *session = (struct session *)first; /* idle is its first member */
        if (session_waits(session))
            session->used_ms = now_ms;
        if (now_ms - session->used_ms >= SESSION_IDLE_MS)
            session_close(store, session);
        else
            deadline_set(&store->idle, first, session->used_ms + SESSION_IDLE_MS);
    }
}

struct place *session_place(const struct session *session, const struct space *space)
{
    for (size_t i = 0; i < session->place_count; i++)
        if (session->places[i]->space == space)
            return session->places[i];
    return NULL;
}

bool session_has_room(const struct session *session, const struct space *space, struct err *err)
{
    if (session_place(session, space))
        return true;
    if (session->place_count >= SESSION_SPACES_MAX || space->store->places >= STORE_CURSORS_MAX)
        return err_set(err, ERR_TOO_LARGE,
                       "session '%s' has cursors in %zu namespaces, and all sessions have %zu: no more are "
                       "kept; close some",
                       session->name, session->place_count, space->store->places);
    return true;
}

static void place_new(struct session *session, struct space *space, int64_t wrote)
{
    struct place *place = mem_new(sizeof *place);
    *place = (struct place){.session = session,
                            .space = space,
                            .cursor = session->start,
                            .wrote = wrote,
                            .delivered = -1,
                            .offered = -1};
    mem_grow(session->places, session->place_capacity, session->place_count);
    session->places[session->place_count++] = place;
    space->store->places++;
    space->users++;
    note_place(place);
}

bool session_enter(struct session *session, struct space *space, struct err *err)
{
    if (!session_has_room(session, space, err))
        return false;
    if (!session_place(session, space))
        place_new(session, space, -1);
    return true;
}

void *session_holder(const struct session *session, const struct space *space)
{
    const struct place *place = session_place(session, space);
    return place && place_busy(place) ? place->ctx : NULL;
}

void session_idle(struct session *session, const struct space *space)
{
    struct place *place = session_place(session, space);
    place->delivered = place->offered = -1;
}

void place_check(struct place *place, uint64_t hash, int64_t revision)
{
    size_t oldest = 0, at = 0;
    for (; at < place->check_count && place->checks[at].hash != hash; at++)
        if (place->checks[at].revision < place->checks[oldest].revision)
            oldest = at;
    if (at == CHECKS_MAX) {
        at = oldest;
    } else if (at == place->check_count) {
        mem_grow(place->checks, place->check_capacity, place->check_count);
        place->check_count++;
    }
    place->checks[at] = (struct check){hash, revision};
}

bool session_ack(struct session *session, struct space *space, int64_t revision, struct err *err)
{
    struct place *place = session_place(session, space);
    if (revision > space->store->revision)
        return err_set(err, ERR_INVALID, "revision %lld is not there yet; the newest is %lld",
                       (long long)revision, (long long)space->store->revision);
    if (place->offered >= 0 && place->offered <= revision) {
        struct check check = {place->offered_hash, place->offered};
        place_check(place, check.hash, check.revision);
        note_check(place, &check);
        place->delivered = place->offered = -1;
    }
    if (revision > place->cursor)
        place->cursor = revision;
    note_place(place);
    return true;
}

int64_t session_go_live(struct session *session, struct space *space)
{
    struct place *place = session_place(session, space);
    place->cursor = space->store->revision;
    note_place(place);
    return place->cursor;
}

void session_wrote(struct session *session, struct space *space, int64_t revision)
{
    struct place *place = session_place(session, space);
    if (place)
        place->wrote = revision;
    else
        place_new(session, space, revision);
}

/* What was to be acknowledged or checked behind the revision never happened. */
static void place_clamp(struct place *place, int64_t revision)
{
    if (place->cursor > revision)
        place->cursor = revision;
    if (place->wrote > revision)
        place->wrote = revision;
    if (place->delivered > revision)
        place->delivered = -1;
    if (place->offered > revision)
        place->offered = -1;
    for (size_t i = place->check_count; i > 0; i--)
        if (place->checks[i - 1].revision > revision)
            place->checks[i - 1] = place->checks[--place->check_count];
}

void sessions_clamp(struct store *store, int64_t revision)
{
    size_t pos = 0;
    for (struct session *session; (session = table_next(&store->sessions, &pos));) {
        if (session->start > revision)
            session->start = revision;
        for (size_t i = 0; i < session->place_count; i++)
            place_clamp(session->places[i], revision);
    }
}
