/* Locks: a client gets a namespace for itself, with a token and under a lease. Meanwhile other writes to it,
 * and other requests for the lock, wait in order of arrival. */
#include "server_priv.h"

#include <stdlib.h>

#define LEASE_MS          5000
#define WAITING_BYTES_MAX (64 << 20) /* of all writes that wait for locks */

struct lock {
    struct deadline timer;       /* the end of the lease; without a holder: when the queue goes on */
    struct peer *holder;         /* NULL: nobody */
    struct parked *first, *last; /* what waits */
    bool reached;                /* while a circle is looked for */
    char token[33];
    size_t ns_len;
    char ns[];
};

static struct str lock_name(const struct lock *lock)
{
    return (struct str){lock->ns, lock->ns_len};
}

static struct lock *lock_find(const struct job *job)
{
    return table_get(&job->server->locks, job->ns);
}

bool lock_is_held(const struct server *server, struct str ns)
{
    const struct lock *lock = table_get(&server->locks, ns);
    return lock && lock->holder;
}

static struct lock *lock_get(struct server *server, struct str ns)
{
    struct lock *lock = table_get(&server->locks, ns);
    if (lock)
        return lock;
    lock = mem_new(sizeof *lock + ns.len + 1);
    lock->ns_len = ns.len;
    memcpy(lock->ns, ns.data, ns.len);
    table_put(&server->locks, lock_name(lock), lock);
    deadline_set(&server->timers_lock, &lock->timer, 0);
    return lock;
}

static void lock_free(struct server *server, struct lock *lock)
{
    deadline_remove(&server->timers_lock, &lock->timer);
    table_remove(&server->locks, lock_name(lock));
    free(lock);
}

/* What waits goes on at the end of the batch. */
static struct peer *lock_release(struct server *server, struct lock *lock)
{
    struct peer *peer = lock->holder;
    lock->holder = NULL;
    peer->holds--;
    deadline_set(&server->timers_lock, &lock->timer, 0);
    return peer;
}

void locks_end(struct server *server, const struct peer *peer)
{
    size_t pos = 0;
    for (struct lock *lock; (lock = table_next(&server->locks, &pos));)
        if (lock->holder == peer)
            lock_release(server, lock);
}

void locks_release(struct server *server)
{
    size_t pos = 0;
    for (struct lock *lock; (lock = table_next(&server->locks, &pos));)
        lock_free(server, lock);
    table_release(&server->locks);
    deadlines_release(&server->timers_lock);
}

/* ---- The queue ---- */

static void queue_add(struct lock *lock, struct parked *parked, const struct request *request)
{
    struct str inside = request_has(request, token) ? request_str(request, token) : STR("");
    parked->inside = inside.len ? mem_copy(inside.data, inside.len) : NULL;
    parked->lock = lock;
    parked->lock_previous = lock->last;
    *(lock->last ? &lock->last->lock_next : &lock->first) = parked;
    lock->last = parked;
}

void lock_unpark(struct parked *parked)
{
    struct lock *lock = parked->lock;
    if (!lock)
        return;
    *(parked->lock_previous ? &parked->lock_previous->lock_next : &lock->first) = parked->lock_next;
    *(parked->lock_next ? &parked->lock_next->lock_previous : &lock->last) = parked->lock_previous;
    parked->server->waiting_bytes -= parked->message.len;
    buf_release(&parked->message);
    free(parked->inside);
}

static void lock_grant(struct server *server, struct lock *lock, struct parked *parked)
{
    struct peer *peer = parked->peer;
    reply_begin(server, parked->id, store_revision(server->store));
    reply_snapshot(server, store_look(server->store, lock_name(lock)), NOW, parked->paged);
    if (reply_text(server).len > WIRE_FRAME_MAX) {
        parked_fail(
            parked, ERR_TOO_LARGE,
            "the namespace is larger than a frame of 16 MiB; lock it with 'page' and read it in pages");
        return;
    }
    random_hex(lock->token);
    lock->holder = peer;
    peer->holds++;
    reply_str(server, "token", str_of(lock->token));
    reply_int(server, "lease_ms", LEASE_MS);
    reply_send(server, (struct str){peer->identity, peer->identity_len}, peer->fd);
    parked_free(parked);
}

/* What waits, up to the next holder; the answers of one batch at most. */
static void lock_advance(struct server *server, struct lock *lock, int64_t now)
{
    for (size_t count = 0; !lock->holder && lock->first; count++) {
        if (count == BATCH_COUNT || server_full(server)) {
            deadline_set(&server->timers_lock, &lock->timer, now + 1); /* in the next batch */
            return;
        }
        if (lock->first->kind == PARKED_LOCK)
            lock_grant(server, lock, lock->first);
        else
            parked_resume(lock->first);
    }
    if (lock->holder)
        deadline_set(&server->timers_lock, &lock->timer, now + LEASE_MS);
    else
        lock_free(server, lock);
}

void locks_timer(struct server *server, int64_t now)
{
    for (struct deadline *item; (item = deadline_first(&server->timers_lock)) && item->at <= now;) {
        struct lock *lock = (struct lock *)item; /* the timer is its first member */
        if (lock->holder)
            peer_drop_if_unused(server, lock_release(server, lock));
        lock_advance(server, lock, now);
    }
}

/* ---- Circles: each holds what the next one waits for ---- */

#define CIRCLE_MAX 64 /* locks; longer ones are left to the leases */

/* Who asks holds the lock, or runs inside of it. */
static bool is_inside(const struct lock *lock, const struct peer *peer, struct str tokens)
{
    return lock->holder && (lock->holder == peer || str_find(tokens, str_of(lock->token)) >= 0);
}

/* A lock that has not been reached yet, for which somebody waits who holds `from` or runs inside of it. */
static struct lock *reach_next(struct server *server, const struct lock *from)
{
    size_t pos = 0;
    for (struct lock *lock; (lock = table_next(&server->locks, &pos));)
        for (const struct parked *waits = lock->reached ? NULL : lock->first; waits; waits = waits->lock_next)
            if (is_inside(from, waits->peer, str_of(waits->inside)))
                return lock;
    return NULL;
}

/* The lock that who holds `lock` waits for, directly or not, and that the job holds or runs inside of. */
static const struct lock *circle_find(const struct job *job, struct lock *lock)
{
    struct server *server = job->server;
    const struct peer *peer = peer_find(server, job->frames->identity);
    struct str tokens = request_has(&job->request, token) ? request_str(&job->request, token) : STR("");
    struct lock *reached[CIRCLE_MAX] = {lock};
    const struct lock *found = NULL;
    size_t count = 1;
    if (tokens.len == 0 && !(peer && peer->holds))
        return NULL;
    lock->reached = true;
    for (size_t i = 0; i < count && !found; i++)
        for (struct lock *next; !found && count < CIRCLE_MAX && (next = reach_next(server, reached[i]));) {
            next->reached = true;
            reached[count++] = next;
            found = is_inside(next, peer, tokens) ? next : NULL;
        }
    for (size_t i = 0; i < count; i++)
        reached[i]->reached = false;
    return found;
}

/* Waiting for it may end. */
static bool circle_check(const struct job *job, struct lock *lock, struct err *err)
{
    const struct lock *held = lock ? circle_find(job, lock) : NULL;
    return !held ||
           err_set(
               err, ERR_LOCKED,
               "namespace '%.*s' is locked by somebody who waits for namespace '%.*s', which is locked here: "
               "neither would go on; lock namespaces in the same order everywhere",
               STR_ARG(lock_name(lock)), STR_ARG(lock_name(held)));
}

/* ---- Requests ---- */

/* A request from inside the lock would wait for itself. */
static bool inside_check(const struct job *job, const struct lock *lock, struct err *err)
{
    if (!lock || !lock->holder || !request_has(&job->request, token) ||
        str_find(request_str(&job->request, token), str_of(lock->token)) < 0)
        return true;
    return err_set(err, ERR_LOCKED,
                   "namespace '%.*s' is locked by the command that this runs in; that prints its new state "
                   "instead",
                   STR_ARG(job->ns));
}

bool lock_admit(struct job *job, bool *waits, struct err *err)
{
    struct server *server = job->server;
    struct lock *lock = lock_find(job);
    if (!lock)
        return true;
    if (!inside_check(job, lock, err) || !circle_check(job, lock, err))
        return false;
    if (server->waiting_bytes + job->frames->header.len + job->frames->value.len > WAITING_BYTES_MAX)
        return err_set(err, ERR_BUSY,
                       "namespace '%.*s' is locked, and 64 MiB of writes are waiting; try again later",
                       STR_ARG(job->ns));
    *waits = true;
    struct parked *parked = parked_new(job, PARKED_WRITE, err);
    if (!parked)
        return err->code == ERR_NONE;
    message_store(&parked->message, job->frames->header, job->frames->value);
    server->waiting_bytes += parked->message.len;
    if (job->numbered)
        parked_expect(parked, job);
    queue_add(lock, parked, &job->request);
    return true;
}

bool handle_lock(struct job *job, struct err *err)
{
    struct server *server = job->server;
    if (space_name_reserved(job->ns))
        return err_set(err, ERR_DENIED, "namespace '%.*s' is reserved and cannot be locked",
                       STR_ARG(job->ns));
    if (!page_first_check(job, err) || !inside_check(job, lock_find(job), err) ||
        !circle_check(job, lock_find(job), err))
        return false;
    struct parked *parked = parked_new(job, PARKED_LOCK, err);
    if (!parked)
        return err->code == ERR_NONE;
    parked->paged = request_has(&job->request, page);
    if (parked->peer->holds >= PEER_HOLDS_MAX) {
        parked_free(parked);
        return err_set(err, ERR_BUSY, "this connection has %d claims, services and locks already",
                       PEER_HOLDS_MAX);
    }
    queue_add(lock_get(server, job->ns), parked, &job->request);
    return true;
}

/* The lock that the request's token belongs to; NULL with ERR_CONFLICT when it is not held any more. */
static struct lock *lock_held(const struct job *job, struct err *err)
{
    struct lock *lock = lock_find(job);
    if (lock && lock->holder && str_is(request_str(&job->request, token), lock->token))
        return lock;
    err_set(err, ERR_CONFLICT,
            "the lock of namespace '%.*s' is lost: its lease or its connection ended; nothing was changed",
            STR_ARG(job->ns));
    return NULL;
}

bool handle_renew(struct job *job, struct err *err)
{
    struct lock *lock = lock_held(job, err);
    if (!lock)
        return false;
    deadline_set(&job->server->timers_lock, &lock->timer, time_now_ms() + LEASE_MS);
    job_begin(job, store_revision(job->server->store));
    reply_int(job->server, "lease_ms", LEASE_MS);
    return job_send(job);
}

static bool commit_apply(struct job *job, struct txn *txn, struct value **answer, struct err *err)
{
    (void)answer;
    if (!request_bool(&job->request, merge))
        return write_replace(txn, job->value, err);
    const struct value *keys = request_has(&job->request, keys) ? job->request.field[FIELD_keys].keys : NULL;
    for (size_t i = 0; keys && i < value_len(keys); i++)
        if (!write_delete(txn, value_as_str(list_at(keys, i)), STR(""), err))
            return false;
    return write_update(txn, job->value, err);
}

bool handle_commit(struct job *job, struct err *err)
{
    struct server *server = job->server;
    struct lock *lock = lock_held(job, err);
    if (!lock || !job_write(job, commit_apply, err))
        return false;
    peer_drop_if_unused(server, lock_release(server, lock));
    return true;
}

bool handle_abort(struct job *job, struct err *err)
{
    struct server *server = job->server;
    struct lock *lock = lock_held(job, err);
    if (!lock)
        return false;
    peer_drop_if_unused(server, lock_release(server, lock));
    return job_answer(job, store_revision(server->store), NULL);
}
