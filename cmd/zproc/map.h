/* The inside of `zproc map`: items come from a source, processes work on them, results are printed in order.
 */
#ifndef ZPROC_MAP_H
#define ZPROC_MAP_H

#include "command.h"

#include <poll.h>
#include <signal.h>

#define MAP_NONE (-1)

/* ---- Where items come from: map_source.c ---- */

enum source_form { SOURCE_LINES, SOURCE_NULL, SOURCE_JSON };
struct source {
    const char *const *operands; /* NULL: a stream */
    size_t count;
    int64_t taken;
    int fd; /* -1: none or read to its end */
    enum source_form form;
    struct buf bytes;     /* read ahead */
    size_t begin, looked; /* in bytes: the next item, and how far its end was looked for */
    size_t ahead;         /* how many bytes to read ahead */
    bool whole;           /* JSON strings stay JSON */
};
enum source_got { SOURCE_ITEM, SOURCE_LATER, SOURCE_END, SOURCE_FAILED };

void source_operands(struct source *source, const char *const *operands, size_t count);
/* Takes fd. */
void source_stream(struct source *source, int fd, enum source_form form);
void source_release(struct source *source);
/* The next item's text is added to text. LATER: poll source_wants. */
enum source_got source_next(struct source *source, struct buf *text, struct err *err);
/* The descriptor that more is to be read from now, or -1. */
int source_wants(const struct source *source);
bool source_read(struct source *source, struct err *err);
/* How many items there are in all; -1: not known yet. */
int64_t source_total(const struct source *source);

/* ---- Items in order, their output until its turn: map_order.c ---- */

/* Items past the first unfinished one that may have been started. */
#define ORDER_AHEAD 65536

struct held { /* output whose turn has not come: pieces of the spill file, then memory */
    struct buf memory;
    struct piece {
        off_t at;
        size_t len;
    } * pieces;
    size_t piece_count, piece_capacity, piece_next;
};
enum item_state { ITEM_WAITING, ITEM_RUNNING, ITEM_ENDED };
struct item {
    char *text; /* owned, and a NUL behind it */
    size_t len;
    int64_t failures; /* attempts that failed */
    int64_t start_ms;
    enum item_state state;
    int status;
    struct held held;
};
struct order {
    struct item *items; /* a ring */
    size_t capacity;
    int64_t first, next; /* numbers: of the first that is not printed, of the next to come */
    bool whole;          /* print an item's output only when the item has ended */
    struct buf out;      /* what is to be written now */
    size_t written;      /* of out */
    int fd, own;         /* standard output, and a descriptor of our own for it or -1 */
    bool is_socket, is_terminal;
    char last; /* character that was written */
    size_t held;
    int spill; /* a file without a name; -1: none yet */
    off_t spill_end;
    size_t spilled; /* pieces in it */
};

void order_open(struct order *order);
void order_release(struct order *order);
/* Takes the text; returns the item's number. */
int64_t order_add(struct order *order, char *text, size_t len);
struct item *order_item(const struct order *order, int64_t number);
/* False with err when it can be kept neither in memory nor in a file. */
bool order_output(struct order *order, int64_t number, struct str bytes, struct err *err);
/* Forgets what a failed attempt printed. */
void order_forget(struct order *order, int64_t number);
void order_end(struct order *order, int64_t number, int status);
/* Writes what can be written without waiting; ERR_LOST: nobody reads any more. */
bool order_write(struct order *order, struct err *err);
/* There is something to write: poll order->fd for POLLOUT. */
bool order_waits(const struct order *order);
/* So much is to be printed at once that whoever prints it should wait. */
bool order_full(const struct order *order);

/* ---- Standard error: map_tell.c ---- */

struct tell {
    bool quiet, bar, colour, drawn;
    bool names; /* before the lines of items */
    int64_t start_ms, drawn_ms;
};
struct map;
void tell_open(struct tell *tell, const struct context *context);
/* "zproc: map: …" */
void tell(struct map *map, const char *format, ...) PRINTF_LIKE(2, 3);
/* "item 3 'text'" */
void tell_item_name(struct buf *buf, int64_t number, const struct item *item);
/* Passes the whole lines among bytes on; what has no end yet stays in partial. ended: nothing follows. */
void tell_lines(struct map *map, struct str name, struct buf *partial, struct str bytes, bool ended);
void tell_erase(struct map *map);
/* Draws the bar when it is time to. */
void tell_draw(struct map *map);

/* ---- Processes: map_worker.c ---- */

struct worker {
    size_t place; /* in map->workers */
    int pid;      /* 0: none */
    int in, out, err;
    int end;             /* as waitpid gave it */
    bool ended;          /* reaped */
    int64_t drain_until; /* for who still holds its output after its end; -1: not ended */
    struct buf partial;  /* of its standard error */
    int64_t item;        /* spawn: what it works on */
    /* lines: */
    struct buf input;  /* to be written */
    size_t given;      /* of input */
    struct buf answer; /* a line without its end yet */
    int64_t *queue;    /* a ring: items that it has, oldest first */
    size_t queue_first, queue_count, queue_capacity;
    size_t window, least; /* items that it may have at once; never fewer than least */
    int64_t asked_us;     /* when the batch was handed over that is being answered */
    size_t batch;         /* answers until the end of that batch */
    int64_t look_ms;      /* when it is looked at next because it is silent */
    int64_t silent_ms;    /* how long it has been by then */
};

/* Starts map's command for item (NULL: none, it reads lines). False with err as spawn_process says. */
bool worker_start(struct map *map, struct worker *worker, const struct item *item, int64_t number,
                  struct err *err);
void worker_signal(const struct worker *worker, int number);
/* Reads what there is of its standard error and passes it on. */
void worker_read_errors(struct map *map, struct worker *worker);
/* Reaped, and its output was read to its end. */
bool worker_done(const struct worker *worker);
int worker_status(const struct worker *worker);
/* "exit status 3", "signal 9 (Killed)" */
void worker_end_print(struct buf *buf, const struct worker *worker);
void worker_clear(struct worker *worker);
void worker_release(struct worker *worker);

/* ---- The two modes ---- */

struct map_mode {
    /* Starts what can be started now. False with err: the map cannot go on. */
    bool (*fill)(struct map *map, struct err *err);
    /* Its output is there to be read. */
    bool (*read)(struct map *map, struct worker *worker, struct err *err);
    /* Its input takes more; NULL: has none. */
    bool (*write)(struct map *map, struct worker *worker, struct err *err);
    /* It has ended and all was read. */
    bool (*ended)(struct map *map, struct worker *worker, struct err *err);
    /* The next time to look at silent ones, or -1; NULL: never. */
    int64_t (*look)(struct map *map);
};
extern const struct map_mode map_spawn, map_lines;
bool map_lines_refuse(int64_t number, struct err *err); /* an item with a line break; false */

struct map {
    struct context *context;
    const struct map_mode *mode;
    const char *const *argv; /* the command */
    size_t argc;
    char *path;  /* where it was found; NULL: it is looked up for each item */
    bool braces; /* {} stands in it */
    bool keep_going, verbose, stateful;
    int64_t retry;
    struct worker *workers;
    size_t slot_count;   /* places in workers */
    size_t worker_count; /* at most at once: fewer when the system does not allow as many */
    size_t live;
    struct source source;
    struct order order;
    struct tell tell;
    bool source_ended;
    int64_t *again; /* items that wait for another attempt */
    size_t again_count, again_capacity;
    char **env; /* complete, with room for an item's variables at env_own */
    size_t env_own;
    int signals, null;     /* descriptors: tells of signals; /dev/null */
    bool stopping;         /* nothing new is started */
    int stop_signal;       /* that ended it; 0: none */
    int64_t kill_at;       /* -1: none */
    int64_t ended, failed; /* items */
    int64_t failed_number; /* lowest; MAP_NONE */
    int failed_status;
    int status; /* of a worker that failed without an item */
};

/* map_loop.c: until all is done. False with err: it could not go on. */
bool map_loop(struct map *map, struct err *err);
/* Ends what runs, with this signal; after grace_ms with SIGKILL. */
void map_stop(struct map *map, int number, int64_t grace_ms);

/* map_task.c: prints the task's name. */
int map_task(struct map *map, struct err *err);

/* map_item.c: the next item to be worked on; SOURCE_ITEM sets *number. */
enum source_got map_next(struct map *map, int64_t *number, struct err *err);
bool map_source_dry(const struct map *map);
/* An attempt has ended; why is NULL when it succeeded. */
/* It is to be worked on once more, before those that have not been. */
void map_again(struct map *map, int64_t number);
void map_item_end(struct map *map, int64_t number, int status, const char *why);

#endif
