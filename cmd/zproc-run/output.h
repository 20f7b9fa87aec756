/* What workers print and what is said of them. */
#ifndef ZPROC_RUN_OUTPUT_H
#define ZPROC_RUN_OUTPUT_H

#include "proc.h"
#include "sup.h"
#include "view.h"

struct environment;
struct process;
struct run;
struct task;

/* ---- sink.c: stdout and stderr of this process, without ever blocking on a slow reader ---- */

struct sink {
    struct run *run;
    int fd;
    int ready;   /* tells the loop that more can be written; -1: writing blocks (files of the disk) */
    bool own;    /* fd is an open file of our own that does not block */
    bool socket; /* one that we share */
    bool gone;   /* nobody reads it any more */
    struct buf queue;
    struct watcher *watcher;
};
void sink_open(struct sink *sink, struct run *run, int fd);
void sink_add(struct sink *sink, struct str bytes);
/* Waits until all is written, until the time (-1: without end), or not much longer when a signal comes. */
void sink_flush(struct sink *sink, int64_t until_ms);
void sink_close(struct sink *sink);

/* ---- log.c: log files ---- */

struct log;
/* The log of that path, shared by all who write to it; the first one's settings count. NULL with err. */
struct log *log_open(struct run *run, const char *path, const struct plan_log *settings, struct err *err);
void log_close(struct log *log); /* NULL is fine */
/* Lines with the time in front. partial keeps what has no newline yet, one for each stream that writes. */
void log_lines(struct log *log, struct buf *partial, struct str bytes);
/* Ends a line that has no newline. */
void log_flush(struct log *log, struct buf *partial);
/* Bytes as they are. */
void log_bytes(struct log *log, struct str bytes);

/* ---- files.c ---- */

/* Begins to watch the files of all workers of the plan that have some, in place of those watched before. */
void files_watch(struct run *run);
void files_watch_end(struct run *run);

/* ---- secrets.c ---- */

/* Before anything is shown that knows the values: those of the worker's `secrets` in this environment.
 * ERR_TOO_LARGE when they have had too many. */
bool secrets_learn(struct run *run, const struct plan_worker *worker, const struct environment *env,
                   struct err *err);
/* The text as it may be shown, itself or in space. */
struct str secrets_hide(const struct run *run, struct str text, struct buf *space);
/* The same for JSON text; what comes out is JSON. */
struct str secrets_hide_json(const struct run *run, struct str json, struct buf *space);

/* ---- output.c: what workers print ---- */

struct output {
    struct run *run;
    const char *name; /* borrowed from the task */
    size_t worker;    /* its worker's place among all */
    const struct plan_log *settings;
    struct log *log;             /* NULL: none */
    struct mask_stream shown[2]; /* each stream without secrets */
    struct buf unlogged[2];      /* of each stream: the line that has no end yet, for the log */
    struct buf lines[2];         /* the same for the console */
    struct buf held;             /* group, failed: kept until the end */
    size_t dropped;              /* bytes that did not fit there */
    int64_t last_ms;             /* when it wrote something last */
    struct task *tty;            /* its terminal is shown to who is attached; NULL: it has none */
    bool wants_result, last_ended, last_long;
    struct buf last;  /* last line of stdout */
    struct buf *tail; /* end of stderr; borrowed from the task */
};
void output_open(struct output *output, struct run *run, struct task *task);
void output_bytes(struct output *output, int stream, struct str bytes);
/* Completes its last lines; prints what was held (`failed`: only if it failed). */
void output_end(struct output *output, bool failed);
/* A line as the JSON text of a result. */
void result_print(struct buf *json, struct str line);
/* The result as JSON text, empty when there is none. */
void output_result(const struct output *output, struct buf *json);
void output_release(struct output *output);
/* The console is full, or has room again: workers that print there are paused. */
void output_pause(struct run *run, bool paused);

/* ---- export.c: files for other programs ---- */

struct export
{
    int junit, events; /* -1: not asked for */
    uint64_t last;     /* hash of the run's record that was told last */
};
bool export_open(struct run *run, struct err *err);
/* The record of the task, or of the run (SUP_NO_TASK), has changed. */
void export_event(struct run *run, uint32_t number);
void export_summary(struct run *run, const struct view_summary *summary);
void export_close(struct run *run);

/* ---- report.c ---- */

void report_plan(struct run *run, struct buf *buf); /* --dry-run */
void report_summary(struct run *run);

#endif
