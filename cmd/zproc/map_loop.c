/* The loop of a map: signals, items, processes and standard output, until all is done. */
#include "map.h"

#include "proc.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define DRAIN_MS  500   /* for what an ended process left behind and what still holds its output */
#define GRACE_MS  10000 /* from a signal to SIGKILL */
#define BROKEN_MS 1000  /* the same when nobody reads the results any more */
#define KILL_MS   1000
#define BAR_MS    250
#define POLL_OWN  3 /* descriptors before those of the processes */

struct polled {
    struct pollfd *items;
    nfds_t count;
};

void map_stop(struct map *map, int number, int64_t grace_ms)
{
    map->stopping = true;
    map->kill_at = time_now_ms() + grace_ms;
    for (size_t i = 0; i < map->slot_count; i++) {
        worker_signal(&map->workers[i], number);
        fd_close(&map->workers[i].in);
    }
}

static void kill_all(struct map *map)
{
    map->kill_at = -1;
    for (size_t i = 0; i < map->slot_count; i++)
        worker_signal(&map->workers[i], SIGKILL);
}

/* ---- Ends ---- */

static void reap(struct map *map)
{
    int status;
    /* Others than our own have fallen to us because their parents ended. */
    for (int pid; (pid = tree_reap(&status)) > 0;)
        for (size_t i = 0; i < map->slot_count; i++) {
            struct worker *worker = &map->workers[i];
            if (worker->pid != pid || worker->ended)
                continue;
            worker->ended = true;
            worker->end = status;
            worker->drain_until = time_now_ms() + DRAIN_MS;
        }
}

static void signals_read(struct map *map)
{
    struct signalfd_siginfo info;
    bool child = false;
    while (read(map->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        child = child || info.ssi_signo == SIGCHLD;
        if (info.ssi_signo == SIGCHLD)
            continue;
        if (map->stop_signal)
            kill_all(map);
        else
            map_stop(map, (int)info.ssi_signo, GRACE_MS);
        map->stop_signal = (int)info.ssi_signo;
    }
    if (child)
        reap(map);
}

/* The end of one process, as far as it has come. */
static bool worker_settle(struct map *map, struct worker *worker, struct err *err)
{
    if (worker->out >= 0 && !map->mode->read(map, worker, err))
        return false;
    worker_read_errors(map, worker);
    bool held = time_now_ms() >= worker->drain_until && !order_full(&map->order);
    if (held)
        fd_close(&worker->out);
    if (held)
        fd_close(&worker->err);
    if (!worker_done(worker))
        return true;
    map->live--;
    if (!map->mode->ended(map, worker, err))
        return false;
    worker_clear(worker);
    return true;
}

static bool settle(struct map *map, struct err *err)
{
    for (size_t i = 0; i < map->slot_count; i++)
        if (map->workers[i].ended && !worker_settle(map, &map->workers[i], err))
            return false;
    return true;
}

/* ---- Waiting ---- */

static void polled_add(struct polled *polled, int fd, short events)
{
    polled->items[polled->count++] = (struct pollfd){.fd = fd, .events = events};
}

/* Whether its output is to be read now: not while the reader of ours is behind. */
static bool is_read(const struct map *map, const struct worker *worker)
{
    return !order_full(&map->order) || (worker->item >= 0 && worker->item != map->order.first);
}

static void polled_fill(struct map *map, struct polled *polled)
{
    bool wants = !map->stopping && !map->source_ended;
    polled->count = 0;
    polled_add(polled, map->signals, POLLIN);
    polled_add(polled, wants ? source_wants(&map->source) : -1, POLLIN);
    polled_add(polled, order_waits(&map->order) ? map->order.fd : -1, POLLOUT);
    for (size_t i = 0; i < map->slot_count; i++) {
        const struct worker *worker = &map->workers[i];
        bool has_input = worker->given < worker->input.len;
        polled_add(polled, worker->pid && is_read(map, worker) ? worker->out : -1, POLLIN);
        polled_add(polled, worker->pid ? worker->err : -1, POLLIN);
        polled_add(polled, worker->pid && has_input ? worker->in : -1, POLLOUT);
    }
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int patience(struct map *map)
{
    int64_t now = time_now_ms(), at = map->kill_at;
    for (size_t i = 0; i < map->slot_count; i++)
        if (map->workers[i].ended)
            at = sooner(at, map->workers[i].drain_until > now ? map->workers[i].drain_until : now + BAR_MS);
    if (map->mode->look)
        at = sooner(at, map->mode->look(map));
    if (map->tell.bar)
        at = sooner(at, now + BAR_MS);
    return at < 0 ? -1 : at > now ? (int)(at - now) : 0;
}

static bool worker_handle(struct map *map, struct worker *worker, const struct pollfd *items, struct err *err)
{
    if (items[0].revents && worker->out >= 0 && !map->mode->read(map, worker, err))
        return false;
    if (items[1].revents)
        worker_read_errors(map, worker);
    return !items[2].revents || worker->in < 0 || map->mode->write(map, worker, err);
}

static bool handle(struct map *map, const struct polled *polled, struct err *err)
{
    if (polled->items[1].revents && !source_read(&map->source, err))
        return false;
    for (size_t i = 0; i < map->slot_count; i++)
        if (map->workers[i].pid &&
            !worker_handle(map, &map->workers[i], &polled->items[POLL_OWN + 3 * i], err))
            return false;
    if (polled->items[0].revents)
        signals_read(map);
    if (map->kill_at >= 0 && time_now_ms() >= map->kill_at)
        kill_all(map);
    return settle(map, err);
}

/* ---- The loop ---- */

/* A reader that went away is somebody's wish: what runs is ended, and so are we. */
static bool write_out(struct map *map, struct err *err)
{
    if (map->stop_signal == SIGPIPE)
        return true;
    bool terminal = map->order.is_terminal && order_waits(&map->order);
    if (terminal)
        tell_erase(map);
    if (order_write(&map->order, err))
        return true;
    if (err->code != ERR_LOST)
        return false;
    map_stop(map, SIGTERM, BROKEN_MS);
    map->stop_signal = SIGPIPE;
    return true;
}

static bool is_over(const struct map *map)
{
    return map->live == 0 && map_source_dry(map) && (map->stop_signal || !order_waits(&map->order));
}

static bool loop(struct map *map, struct polled *polled, struct err *err)
{
    for (;;) {
        if (!map->mode->fill(map, err) || !write_out(map, err))
            return false;
        if (is_over(map))
            return true;
        tell_draw(map);
        polled_fill(map, polled);
        if (poll(polled->items, polled->count, patience(map)) < 0 && errno != EINTR)
            return err_errno(err, errno, "cannot wait");
        if (!handle(map, polled, err))
            return false;
    }
}

bool map_loop(struct map *map, struct err *err)
{
    struct polled polled = {.items = mem_array(POLL_OWN + 3 * map->slot_count, sizeof *polled.items)};
    bool fine = loop(map, &polled, err);
    free(polled.items);
    tell_erase(map);
    if (!fine)
        (void)order_write(&map->order, NULL); /* results that are known already; err has the first failure */
    /* When it was stopped, so is what the processes left behind. */
    if ((!fine || map->stop_signal) && tree_kill_all(time_now_ms() + KILL_MS, NULL) > 0)
        tell(map, "some processes could not be ended");
    return fine;
}
