/* What people and other programs are shown of a run: aligned tables, the summary at the end, the same as
 * JSON. Nothing here writes to a descriptor; everything goes to a buffer. */
#ifndef ZPROC_VIEW_H
#define ZPROC_VIEW_H

#include "value.h"

/* ---- Colours ---- */

enum view_colour {
    VIEW_PLAIN,
    VIEW_BOLD,
    VIEW_DIM,
    VIEW_RED,
    VIEW_GREEN,
    VIEW_YELLOW,
    VIEW_BLUE,
    VIEW_MAGENTA,
    VIEW_CYAN,
};
/* Text in a colour; without `on` the text alone. */
void view_paint(struct buf *buf, enum view_colour colour, struct str text, bool on);
/* The colour of a worker's name, by its number: neighbours differ. */
enum view_colour view_name_colour(size_t index);
/* The colour of a worker's status: "failed" is red … */
enum view_colour view_status_colour(const char *status);
/* Columns that a text takes on a terminal (characters; combining ones count as none, wide ones as two). */
size_t view_width(struct str text);
/* Copies text, showing control characters as spaces and bytes that are not UTF-8 as U+FFFD. */
void view_add_clean(struct buf *buf, struct str text);
/* Copies text with each byte that is not UTF-8 as U+FFFD: fit for value_string. */
void view_add_utf8(struct buf *buf, struct str text);

/* ---- Tables ---- */

struct view_cell {
    char *text;
    enum view_colour colour;
};
/* {.columns = n} is an empty table. Cells are added row by row. */
struct view_table {
    size_t columns, count, capacity;
    size_t width; /* of the terminal; 0: as wide as it gets */
    bool headed;  /* the first row has titles */
    struct view_cell *cells;
};
void view_table_add(struct view_table *table, enum view_colour colour, const char *text); /* copies */
/* Every column as wide as its widest cell, two spaces between, nothing behind the last. Where that is wider
 * than the terminal the last column is broken into lines, in its place or below its row, and the first is
 * shortened.
 */
void view_table_print(struct buf *buf, const struct view_table *table, bool colour);
void view_table_release(struct view_table *table);

/* ---- The summary of a run ---- */

struct view_worker {
    const char *name, *status, *reason, *log; /* reason, log: "" for none */
    const char *worker;         /* of an instance: the name that its replicas share; else NULL */
    const char *result;         /* JSON text, NULL for none */
    struct str tail;            /* the end of its stderr */
    int attempts, exit, signal; /* exit -1: no attempt has ended */
    int64_t duration_ms;        /* -1: never started */
    int64_t runs;               /* of a trigger; -1: it is none */
    bool flaky;
    bool optional; /* its failure does not fail the run */
};
/* failed, timeout or lost */
bool view_worker_failed(const struct view_worker *worker);
struct view_summary {
    const char *name, *id;
    int exit;
    int64_t duration_ms;
    const struct view_worker *workers; /* in the manifest's order */
    size_t count;
    size_t width; /* of the terminal; 0: as wide as it gets */
};
/* A table (many replicas that went alike share a row), the last lines of stderr of what failed, and "12
 * succeeded, 1 failed in 3.4s". */
void view_summary_print(struct buf *buf, const struct view_summary *summary, bool colour);
/* One line of JSON. */
void view_summary_json(struct buf *buf, const struct view_summary *summary);

/* JUnit XML: a worker is a test case; one that was skipped, stopped or never ran is a skipped one, and one
 * that failed but is optional too. */
void view_summary_junit(struct buf *buf, const struct view_summary *summary);
/* For GitHub Actions: lines in a group that can be folded; ::error for each worker that failed. */
void view_github_group(struct buf *buf, const char *name, struct str lines);
void view_github_failures(struct buf *buf, const struct view_summary *summary);

/* One line of a worker's output as a line of JSON: {"worker", "stream", "line", "time"}; bytes that are not
 * UTF-8 become U+FFFD. */
void view_line_json(struct buf *buf, const char *worker, int stream, struct str line, int64_t wall_ms);

#endif
