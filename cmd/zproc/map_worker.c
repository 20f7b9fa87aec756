/* The processes of a map: their start, their streams, their end. */
#include "map.h"

#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ITEM_VARIABLE_MAX (64 * 1024)  /* a longer item is passed as a file */
#define ARGUMENT_MAX      (128 * 1024) /* MAX_ARG_STRLEN of Linux */
#define READ_SIZE         65536

/* ---- Start ---- */

/* Both ends close on exec; ours, *mine, does not block. */
static bool pipe_make(int *mine, int *theirs, bool to_it, struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(err, errno, "cannot make a pipe");
    *mine = ends[to_it];
    *theirs = ends[!to_it];
    return fd_set_nonblocking(*mine, true) || err_errno(err, errno, "cannot make a pipe");
}

/* One argument of the command; every {} becomes the item. */
static char *argument_make(const char *text, const struct item *item)
{
    struct buf whole = {0};
    for (const char *next; (next = strstr(text, "{}")); text = next + 2) {
        buf_add(&whole, text, (size_t)(next - text));
        buf_add(&whole, item->text, item->len);
    }
    buf_add_text(&whole, text);
    return buf_detach(&whole);
}

/* NULL at the end; own[i] of those that are to be freed stand behind it, NULL at their end too. */
static char **argv_make(const struct map *map, const struct item *item)
{
    char **argv = mem_array(2 * (map->argc + 2), sizeof *argv), **own = argv + map->argc + 2;
    /* exec does not write to them, whatever its type says. */
    for (size_t i = 0; i < map->argc; i++)
        argv[i] = item && strstr(map->argv[i], "{}") ? (*own++ = argument_make(map->argv[i], item))
                                                     : (char *)map->argv[i];
    if (item && !map->braces)
        argv[map->argc] = item->text;
    return argv;
}

static void argv_free(const struct map *map, char **argv)
{
    for (char **own = argv + map->argc + 2; *own; own++)
        free(*own);
    free(argv);
}

static bool item_fits(const struct item *item, struct err *err)
{
    if (memchr(item->text, '\0', item->len))
        return err_set(err, ERR_TOO_LARGE, "it holds a NUL character, which no argument can");
    return item->len < ARGUMENT_MAX ||
           err_set(err, ERR_TOO_LARGE,
                   "it is longer than an argument can be (128 KiB); --lines has no bound");
}

/* The variables of an item; *file: of a long one, else -1. */
static bool variables_set(struct map *map, const struct item *item, int64_t number, int *file,
                          struct err *err)
{
    char **env = map->env + map->env_own;
    bool is_long = item->len > ITEM_VARIABLE_MAX;
    env[0] = mem_format("ZPROC_INDEX=%lld", (long long)number);
    env[1] = mem_format("ZPROC_ITEM=%s", is_long ? "" : item->text);
    if (!is_long)
        return true;
    *file = memfd_create("item", MFD_CLOEXEC);
    if (*file < 0 || !fd_write_all(*file, item->text, item->len) || lseek(*file, 0, SEEK_SET) != 0)
        return err_errno(err, errno, "cannot hand over an item");
    env[2] = mem_format("ZPROC_ITEM_FILE=/proc/self/fd/%d", *file);
    return true;
}

static void variables_clear(struct map *map)
{
    for (char **next = map->env + map->env_own; *next; next++) {
        free(*next);
        *next = NULL;
    }
}

static bool process_start(struct map *map, struct worker *worker, const struct item *item, int theirs[3],
                          int file, struct err *err)
{
    char **argv = argv_make(map, item);
    struct child_spec spec = {
        .argv = argv, .env = map->env, .die_with_parent = true, .keep = &file, .keep_count = file >= 0};
    int pid = spawn_process(&spec, theirs, err);
    argv_free(map, argv);
    worker->pid = pid > 0 ? pid : 0;
    return pid > 0;
}

bool worker_start(struct map *map, struct worker *worker, const struct item *item, int64_t number,
                  struct err *err)
{
    int theirs[3] = {-1, -1, -1};
    AUTO_FD int file = -1;
    if (item && !item_fits(item, err))
        return false;
    bool ok = (item ? variables_set(map, item, number, &file, err)
                    : pipe_make(&worker->in, &theirs[0], true, err)) &&
              pipe_make(&worker->out, &theirs[1], false, err) &&
              pipe_make(&worker->err, &theirs[2], false, err);
    if (item)
        theirs[0] = map->null;
    ok = ok && process_start(map, worker, item, theirs, file, err);
    variables_clear(map);
    for (int i = item ? 1 : 0; i < 3; i++)
        fd_close(&theirs[i]);
    if (!ok) {
        worker_clear(worker);
        return false;
    }
    worker->ended = false;
    worker->drain_until = -1;
    map->live++;
    return true;
}

/* ---- Life and end ---- */

void worker_signal(const struct worker *worker, int number)
{
    if (worker->pid > 0 && !worker->ended)
        kill(-worker->pid, number);
}

static struct str name_of(const struct map *map, const struct worker *worker, struct buf *text)
{
    const struct item *item = worker->item >= 0 ? order_item(&map->order, worker->item) : NULL;
    if (item)
        return (struct str){item->text, item->len};
    buf_add_format(text, "%s.%zu", map->argv[0], worker->place);
    return buf_str(text);
}

void worker_read_errors(struct map *map, struct worker *worker)
{
    AUTO_BUF struct buf bytes = {0}, text = {0};
    ssize_t got = worker->err >= 0 ? read(worker->err, buf_reserve(&bytes, READ_SIZE), READ_SIZE) : -1;
    if (worker->err < 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))
        return;
    if (got > 0)
        buf_commit(&bytes, (size_t)got);
    else
        fd_close(&worker->err);
    if (got > 0 || worker->partial.len > 0)
        tell_lines(map, name_of(map, worker, &text), &worker->partial, buf_str(&bytes), got <= 0);
}

bool worker_done(const struct worker *worker)
{
    return worker->ended && worker->out < 0 && worker->err < 0;
}

int worker_status(const struct worker *worker)
{
    return WIFSIGNALED(worker->end) ? 128 + WTERMSIG(worker->end) : WEXITSTATUS(worker->end);
}

void worker_end_print(struct buf *buf, const struct worker *worker)
{
    if (WIFSIGNALED(worker->end))
        buf_add_format(buf, "signal %d (%s)", WTERMSIG(worker->end), strsignal(WTERMSIG(worker->end)));
    else
        buf_add_format(buf, "exit status %d", WEXITSTATUS(worker->end));
}

void worker_clear(struct worker *worker)
{
    fd_close(&worker->in);
    fd_close(&worker->out);
    fd_close(&worker->err);
    buf_clear(&worker->partial);
    buf_clear(&worker->input);
    buf_clear(&worker->answer);
    worker->given = 0;
    worker->queue_count = 0;
    worker->item = MAP_NONE;
    worker->pid = 0;
    worker->ended = false;
}

void worker_release(struct worker *worker)
{
    worker_clear(worker);
    buf_release(&worker->partial);
    buf_release(&worker->input);
    buf_release(&worker->answer);
    free(worker->queue);
}
