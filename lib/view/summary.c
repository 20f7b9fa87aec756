/* The table that a run ends with. */
#include "view.h"

#include <stdlib.h>

#define TAIL_LINES 10
#define ROW_EACH   5 /* so many replicas that went alike still have a row each */

bool view_worker_failed(const struct view_worker *worker)
{
    return strcmp(worker->status, "failed") == 0 || strcmp(worker->status, "timeout") == 0 ||
           strcmp(worker->status, "lost") == 0;
}

/* "3", "3 (flaky)", "12 runs" */
static void add_attempts(struct view_table *table, const struct view_worker *worker)
{
    AUTO_BUF struct buf text = {0};
    if (worker->runs >= 0)
        buf_add_format(&text, "%lld %s", (long long)worker->runs, worker->runs == 1 ? "run" : "runs");
    else if (worker->attempts > 0)
        buf_add_format(&text, "%d%s", worker->attempts, worker->flaky ? " (flaky)" : "");
    else
        buf_add_text(&text, "-");
    view_table_add(table, worker->flaky ? VIEW_YELLOW : VIEW_PLAIN, text.data);
}

/* How many workers from here on are replicas of one worker that went the same way. */
static size_t alike_count(const struct view_worker *workers, size_t count)
{
    const struct view_worker *first = &workers[0];
    size_t alike = 1;
    if (!first->worker || view_worker_failed(first) || first->flaky)
        return 1;
    while (alike < count && workers[alike].worker && strcmp(workers[alike].worker, first->worker) == 0 &&
           strcmp(workers[alike].status, first->status) == 0 &&
           strcmp(workers[alike].reason, first->reason) == 0 && workers[alike].attempts == first->attempts)
        alike++;
    return alike;
}

/* A row for `count` workers that went alike; the time is the longest. */
static void add_row(struct view_table *table, const struct view_worker *worker, size_t count)
{
    AUTO_BUF struct buf duration = {0}, name = {0};
    int64_t longest = -1;
    for (size_t i = 0; i < count; i++)
        if (worker[i].duration_ms > longest)
            longest = worker[i].duration_ms;
    if (longest >= 0)
        duration_print(&duration, longest);
    else
        buf_add_char(&duration, '-');
    if (count > 1)
        buf_add_format(&name, "%s (%zu)", worker->worker, count);
    else
        buf_add_text(&name, worker->name);
    view_table_add(table, VIEW_PLAIN, name.data);
    view_table_add(table, view_status_colour(worker->status), worker->status);
    add_attempts(table, worker);
    view_table_add(table, VIEW_PLAIN, duration.data);
    AUTO_FREE char *reason = mem_format("%s%s", worker->reason,
                                        worker->optional && view_worker_failed(worker) ? " (optional)" : "");
    view_table_add(table, VIEW_PLAIN, reason);
}

/* The last lines of text. */
static struct str last_lines(struct str text, size_t lines)
{
    size_t at = text.len;
    if (at > 0 && text.data[at - 1] == '\n')
        at--;
    for (; at > 0; at--)
        if (text.data[at - 1] == '\n' && --lines == 0)
            break;
    return (struct str){text.data + at, text.len - at};
}

static void print_tail(struct buf *buf, const struct view_worker *worker, bool colour)
{
    if (!view_worker_failed(worker) || worker->tail.len == 0)
        return;
    AUTO_BUF struct buf title = {0};
    buf_add_format(&title, "%s: the end of its stderr", worker->name);
    if (worker->log[0] != '\0')
        buf_add_format(&title, " (%s)", worker->log);
    buf_add_char(buf, '\n');
    view_paint(buf, VIEW_BOLD, buf_str(&title), colour);
    buf_add_char(buf, '\n');
    struct str rest = last_lines(worker->tail, TAIL_LINES);
    while (rest.len > 0) {
        const char *end = memchr(rest.data, '\n', rest.len);
        size_t len = end ? (size_t)(end - rest.data) : rest.len;
        buf_add_text(buf, "  ");
        view_add_clean(buf, (struct str){rest.data, len});
        buf_add_char(buf, '\n');
        size_t step = end ? len + 1 : len;
        rest = (struct str){rest.data + step, rest.len - step};
    }
}

/* "12 succeeded, 1 failed, 2 skipped in 3.4s": the statuses in a fixed order, those that nobody has left out.
 */
static void print_counts(struct buf *buf, const struct view_summary *summary, bool colour)
{
    static const char *const order[] = {"succeeded", "failed",  "timeout", "lost",    "stopped",
                                        "skipped",   "waiting", "idle",    "running", "ready"};
    const char *between = "";
    for (size_t i = 0; i < LENGTH_OF(order); i++) {
        size_t count = 0;
        for (size_t w = 0; w < summary->count; w++)
            count += strcmp(summary->workers[w].status, order[i]) == 0;
        if (count == 0)
            continue;
        AUTO_BUF struct buf part = {0};
        buf_add_format(&part, "%zu %s", count, order[i]);
        buf_add_text(buf, between);
        view_paint(buf, view_status_colour(order[i]), buf_str(&part), colour);
        between = ", ";
    }
    if (between[0] == '\0')
        buf_add_text(buf, "nothing ran");
    buf_add_text(buf, " in ");
    duration_print(buf, summary->duration_ms);
    buf_add_char(buf, '\n');
}

void view_summary_print(struct buf *buf, const struct view_summary *summary, bool colour)
{
    static const char *const titles[] = {"WORKER", "STATUS", "ATTEMPTS", "TIME", "REASON"};
    struct view_table table = {.columns = LENGTH_OF(titles), .width = summary->width, .headed = true};
    for (size_t i = 0; i < LENGTH_OF(titles); i++)
        view_table_add(&table, VIEW_BOLD, titles[i]);
    for (size_t i = 0, alike; i < summary->count; i += alike) {
        alike = alike_count(&summary->workers[i], summary->count - i);
        if (alike <= ROW_EACH)
            alike = 1;
        add_row(&table, &summary->workers[i], alike);
    }
    view_table_print(buf, &table, colour);
    view_table_release(&table);
    for (size_t i = 0; i < summary->count; i++)
        print_tail(buf, &summary->workers[i], colour);
    print_counts(buf, summary, colour);
}
