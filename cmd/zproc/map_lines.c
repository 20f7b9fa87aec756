/* A map whose processes stay: each item is a line of input, and a line of output is its result. A process has
 * several items at once when it is quick, so that pipes are filled and emptied in one go: as many as it
 * answers in a few milliseconds. */
#include "map.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READ_SIZE    65536
#define WINDOW_MAX   8192
#define INPUT_MAX    (256 * 1024) /* bytes for a process that wait to be written */
#define QUICK_US     2000         /* a batch that is answered sooner may grow */
#define SLOW_US      8000         /* one that takes longer shrinks */
#define LOOK_MS      20           /* silence before a process is looked at, the first time */
#define LOOK_MAX_MS  1000
#define GIVE_MORE_MS 10000 /* silence before one that nothing is known of gets more */

/* ---- Its queue ---- */

static void queue_push(struct worker *worker, int64_t number)
{
    if (worker->queue_count == worker->queue_capacity) {
        size_t capacity = worker->queue_capacity ? worker->queue_capacity * 2 : 16;
        int64_t *queue = mem_array(capacity, sizeof *queue);
        for (size_t i = 0; i < worker->queue_count; i++)
            queue[i] = worker->queue[(worker->queue_first + i) & (worker->queue_capacity - 1)];
        free(worker->queue);
        worker->queue = queue;
        worker->queue_first = 0;
        worker->queue_capacity = capacity;
    }
    worker->queue[(worker->queue_first + worker->queue_count++) & (worker->queue_capacity - 1)] = number;
}

static int64_t queue_pop(struct worker *worker)
{
    int64_t number = worker->queue[worker->queue_first];
    worker->queue_first = (worker->queue_first + 1) & (worker->queue_capacity - 1);
    worker->queue_count--;
    return number;
}

/* ---- Giving ---- */

static bool lines_write(struct map *map, struct worker *worker, struct err *err)
{
    (void)map;
    (void)err;
    while (worker->given < worker->input.len) {
        ssize_t wrote =
            write(worker->in, worker->input.data + worker->given, worker->input.len - worker->given);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0 && errno == EAGAIN)
            return true;
        if (wrote < 0) { /* its end says what that means */
            fd_close(&worker->in);
            break;
        }
        worker->given += (size_t)wrote;
    }
    buf_clear(&worker->input);
    worker->given = 0;
    return true;
}

bool map_lines_refuse(int64_t number, struct err *err)
{
    return err_set(err, ERR_INVALID, "item %lld has a line break, and '--lines' gives each item as a line",
                   (long long)number);
}

static bool item_give(struct map *map, struct worker *worker, int64_t number, struct err *err)
{
    struct item *item = order_item(&map->order, number);
    if (memchr(item->text, '\n', item->len))
        return map_lines_refuse(number, err);
    item->state = ITEM_RUNNING;
    item->start_ms = map->verbose ? time_now_ms() : 0;
    buf_add(&worker->input, item->text, item->len);
    buf_add_char(&worker->input, '\n');
    queue_push(worker, number);
    return true;
}

static void batch_begin(struct worker *worker)
{
    worker->batch = worker->queue_count;
    worker->asked_us = time_now_us();
    worker->silent_ms = LOOK_MS;
    worker->look_ms = worker->asked_us / 1000 + LOOK_MS;
}

static void batch_end(struct worker *worker)
{
    int64_t took_us = time_now_us() - worker->asked_us;
    if (took_us < QUICK_US && worker->window < WINDOW_MAX)
        worker->window *= 2;
    else if (took_us > SLOW_US && worker->window / 2 >= worker->least)
        worker->window /= 2;
}

/* False with err; *starved: there is no item now. */
static bool start(struct map *map, struct worker *worker, bool *starved, struct err *err)
{
    int64_t number;
    enum source_got got = map_next(map, &number, err);
    *starved = got != SOURCE_ITEM;
    if (*starved)
        return got != SOURCE_FAILED;
    if (!worker_start(map, worker, NULL, MAP_NONE, err)) {
        map_again(map, number);
        map->worker_count = map->live;
        if (err->code == ERR_INTERNAL && map->live > 0)
            return true;
        map->status = err->code == ERR_NOT_FOUND ? 127 : err->code == ERR_DENIED ? 126 : 125;
        return false;
    }
    worker->window = worker->least = 1;
    return item_give(map, worker, number, err);
}

static bool give(struct map *map, struct worker *worker, bool *starved, struct err *err)
{
    if (worker->in < 0 || worker->queue_count > worker->window / 2)
        return true;
    while (!*starved && worker->queue_count < worker->window &&
           worker->input.len - worker->given < INPUT_MAX) {
        int64_t number;
        enum source_got got = map_next(map, &number, err);
        *starved = got != SOURCE_ITEM;
        if (got == SOURCE_FAILED || (got == SOURCE_ITEM && !item_give(map, worker, number, err)))
            return false;
    }
    return true;
}

static bool fill_one(struct map *map, struct worker *worker, bool *starved, struct err *err)
{
    size_t before = worker->pid ? worker->queue_count : 0;
    if (worker->pid == 0 && map->live >= map->worker_count)
        return true;
    if (worker->pid ? !give(map, worker, starved, err) : !start(map, worker, starved, err))
        return false;
    if (worker->queue_count > before && worker->batch == 0)
        batch_begin(worker);
    return worker->in < 0 || lines_write(map, worker, err);
}

static bool lines_fill(struct map *map, struct err *err)
{
    bool starved = false;
    for (size_t i = 0; i < map->slot_count && !starved; i++)
        if (!fill_one(map, &map->workers[i], &starved, err))
            return false;
    /* Nothing more comes: their input ends, and what they still hold comes out. */
    for (size_t i = 0; i < map->slot_count && map_source_dry(map); i++)
        if (map->workers[i].input.len == 0)
            fd_close(&map->workers[i].in);
    return true;
}

/* ---- Taking ---- */

static bool line_take(struct map *map, struct worker *worker, struct str line, struct err *err)
{
    if (worker->queue_count == 0)
        return err_set(
            err, ERR_INVALID,
            "'%s' printed a line that no item asked for ('%.*s'): '--lines' needs a line of output "
            "for each line of input",
            map->argv[0], STR_ARG(line));
    int64_t number = queue_pop(worker);
    if (!order_output(&map->order, number, line, err) || !order_output(&map->order, number, STR("\n"), err))
        return false;
    map_item_end(map, number, 0, NULL);
    if (worker->batch > 0 && --worker->batch == 0)
        batch_end(worker);
    return true;
}

static bool lines_take(struct map *map, struct worker *worker, struct str bytes, struct err *err)
{
    const char *newline;
    while (bytes.len > 0 && (newline = memchr(bytes.data, '\n', bytes.len))) {
        struct str line = {bytes.data, (size_t)(newline - bytes.data)};
        bytes.data += line.len + 1;
        bytes.len -= line.len + 1;
        if (worker->answer.len > 0) {
            buf_add_str(&worker->answer, line);
            line = buf_str(&worker->answer);
        }
        if (!line_take(map, worker, line, err))
            return false;
        buf_clear(&worker->answer);
    }
    buf_add_str(&worker->answer, bytes);
    return true;
}

/* It cannot answer any more. If it is about to end, its exit status stays what it is. */
static void lines_silent(struct worker *worker)
{
    fd_close(&worker->out);
    fd_close(&worker->in);
    if (worker->queue_count > 0)
        worker_signal(worker, SIGTERM);
}

static bool lines_read(struct map *map, struct worker *worker, struct err *err)
{
    char bytes[READ_SIZE];
    ssize_t got;
    do {
        if (order_full(&map->order))
            return true;
        got = read(worker->out, bytes, sizeof bytes);
        if (got > 0 && !lines_take(map, worker, (struct str){bytes, (size_t)got}, err))
            return false;
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            lines_silent(worker);
    } while (got > 0 && worker->ended);
    worker->silent_ms = LOOK_MS;
    worker->look_ms = time_now_ms() + LOOK_MS;
    return true;
}

/* ---- Silence ---- */

/* It has read all that it was given and waits for more: its answers are in a buffer of its own. */
static bool wants_more(const struct worker *worker)
{
    int unread = 0;
    char path[40], wanted[24];
    AUTO_BUF struct buf text = {0};
    if (worker->given < worker->input.len || ioctl(worker->in, FIONREAD, &unread) != 0 || unread > 0)
        return false;
    snprintf(path, sizeof path, "/proc/%d/syscall", worker->pid);
    snprintf(wanted, sizeof wanted, "%d 0x0 ", SYS_read);
    return file_read(path, 4096, &text, NULL) && str_starts_with(buf_str(&text), str_of(wanted));
}

static void look_at(struct worker *worker, int64_t now)
{
    int64_t silent_ms = worker->silent_ms;
    if (wants_more(worker) || silent_ms >= GIVE_MORE_MS) {
        worker->window = worker->window < WINDOW_MAX ? worker->window * 2 : worker->window;
        worker->least = worker->window;
    }
    int64_t wait_ms = silent_ms < LOOK_MAX_MS ? silent_ms : LOOK_MAX_MS;
    worker->silent_ms += wait_ms;
    worker->look_ms = now + wait_ms;
}

/* Only where there is something to give that its window does not allow. */
static bool is_silent(const struct map *map, const struct worker *worker)
{
    return worker->pid && worker->in >= 0 && worker->queue_count > worker->window / 2 &&
           worker->window < WINDOW_MAX && !map->stopping;
}

static int64_t lines_look(struct map *map)
{
    int64_t now = time_now_ms(), at = -1;
    for (size_t i = 0; i < map->slot_count; i++) {
        struct worker *worker = &map->workers[i];
        if (!is_silent(map, worker))
            continue;
        if (worker->look_ms <= now)
            look_at(worker, now);
        /* What its window allows now is given at once. */
        int64_t next = worker->queue_count <= worker->window / 2 ? now : worker->look_ms;
        at = at < 0 || next < at ? next : at;
    }
    return at;
}

/* ---- Its end ---- */

static void end_explain(const struct worker *worker, struct buf *why)
{
    worker_end_print(why, worker);
    if (worker_status(worker) == 0)
        buf_add_text(why, ", without a line for this item");
}

/* The first of those that it had has failed, the others were not begun. */
static void queue_end(struct map *map, struct worker *worker)
{
    AUTO_BUF struct buf why = {0};
    int status = worker_status(worker);
    end_explain(worker, &why);
    int64_t first = queue_pop(worker);
    while (worker->queue_count > 0)
        map_again(map, queue_pop(worker));
    map_item_end(map, first, status ? status : 1, why.data);
}

static bool lines_ended(struct map *map, struct worker *worker, struct err *err)
{
    AUTO_BUF struct buf why = {0};
    if (worker->answer.len > 0 && !line_take(map, worker, buf_str(&worker->answer), err))
        return false;
    if (worker->queue_count > 0) {
        queue_end(map, worker);
    } else if (worker_status(worker) != 0 && !map->stop_signal) {
        worker_end_print(&why, worker);
        tell(map, "'%s' failed after its last item: %s", map->argv[0], why.data);
        map->status = map->status ? map->status : worker_status(worker);
        map->stopping = map->stopping || !map->keep_going;
    }
    worker->batch = 0;
    return true;
}

const struct map_mode map_lines = {
    .fill = lines_fill, .read = lines_read, .write = lines_write, .ended = lines_ended, .look = lines_look};
