/* A map with a process for each item. */
#include "map.h"

#include <errno.h>
#include <unistd.h>

#define READ_SIZE 65536

static struct worker *free_worker(struct map *map)
{
    for (size_t i = 0; i < map->slot_count; i++)
        if (map->workers[i].pid == 0)
            return &map->workers[i];
    return NULL;
}

/* A command that cannot be run for one item can be run for none, unless the items themselves are in it. */
static void not_run(struct map *map, int64_t number, const struct err *err)
{
    map_item_end(map, number, err->code == ERR_NOT_FOUND ? 127 : 126, err->message);
    if (err->code != ERR_TOO_LARGE && !strstr(map->argv[0], "{}"))
        map->stopping = true;
}

/* False with err when not even one process can be started; else it is tried again when another has ended. */
static bool start(struct map *map, int64_t number, struct err *err)
{
    struct worker *worker = free_worker(map);
    struct item *item = order_item(&map->order, number);
    item->state = ITEM_RUNNING;
    item->start_ms = map->verbose ? time_now_ms() : 0;
    if (worker_start(map, worker, item, number, err)) {
        worker->item = number;
        return true;
    }
    if (err->code != ERR_INTERNAL) {
        not_run(map, number, err);
        return true;
    }
    map_again(map, number);
    map->worker_count = map->live;
    return map->live > 0;
}

static bool spawn_fill(struct map *map, struct err *err)
{
    while (map->live < map->worker_count) {
        int64_t number;
        enum source_got got = map_next(map, &number, err);
        if (got != SOURCE_ITEM)
            return got != SOURCE_FAILED;
        if (!start(map, number, err))
            return false;
    }
    return true;
}

static bool spawn_read(struct map *map, struct worker *worker, struct err *err)
{
    char bytes[READ_SIZE];
    ssize_t got;
    do {
        if (worker->item == map->order.first && order_full(&map->order))
            return true;
        got = read(worker->out, bytes, sizeof bytes);
        if (got > 0 && !order_output(&map->order, worker->item, (struct str){bytes, (size_t)got}, err))
            return false;
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            fd_close(&worker->out);
    } while (got > 0 && worker->ended);
    return true;
}

static bool spawn_ended(struct map *map, struct worker *worker, struct err *err)
{
    AUTO_BUF struct buf why = {0};
    int status = worker_status(worker);
    (void)err;
    worker_end_print(&why, worker);
    map_item_end(map, worker->item, status, status ? why.data : NULL);
    return true;
}

const struct map_mode map_spawn = {.fill = spawn_fill, .read = spawn_read, .ended = spawn_ended};
