/* Samples, and the table of rows. */
#include "bench.h"

#include <stdlib.h>
#include <time.h>

#define WHAT_WIDTH 52

double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

void samples_add(struct samples *samples, double value)
{
    mem_grow(samples->values, samples->capacity, samples->count);
    samples->values[samples->count++] = value;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double samples_least(struct samples *samples, double part)
{
    if (samples->count == 0)
        return 0;
    qsort(samples->values, samples->count, sizeof *samples->values, compare);
    return samples->values[(size_t)((double)samples->count * part)];
}

double samples_median(struct samples *samples)
{
    return samples_least(samples, 0.5);
}

void samples_release(struct samples *samples)
{
    free(samples->values);
    *samples = (struct samples){0};
}

void row_add(struct bench *bench, struct row row)
{
    mem_grow(bench->rows, bench->row_capacity, bench->row_count);
    bench->rows[bench->row_count++] = row;
}

void row_skip(struct bench *bench, const char *what, const char *why)
{
    row_add(bench, (struct row){.what = what, .skipped = why});
}

void row_break(struct bench *bench, const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    bench->broken = true;
    row_skip(bench, what, why);
}

/* ---- Printing ---- */

static void amount_print(struct buf *buf, enum unit unit, double amount)
{
    if (unit == UNIT_RATE)
        buf_add_format(buf, "%.0f/s", amount);
    else if (unit == UNIT_COUNT)
        buf_add_format(buf, "%.4g", amount);
    else if (unit == UNIT_STREAM)
        buf_add_format(buf, "%.0f MB/s", amount / 1e6);
    else if (unit == UNIT_MEMORY && amount < 1e5)
        buf_add_format(buf, "%.0f B", amount);
    else if (unit == UNIT_MEMORY)
        buf_add_format(buf, "%.1f MB", amount / 1e6);
    else if (amount < 1e6)
        buf_add_format(buf, "%.1f us", amount / 1e3);
    else if (amount < 1e9)
        buf_add_format(buf, "%.2f ms", amount / 1e6);
    else
        buf_add_format(buf, "%.2f s", amount / 1e9);
}

static double ratio(const struct row *row)
{
    return row->reach == REACH_FASTER ? row->peer / row->zproc : row->zproc / row->peer;
}

static bool reached(const struct row *row)
{
    switch (row->reach) {
    case REACH_RATIO_MOST:
        return ratio(row) <= row->figure;
    case REACH_FASTER:
    case REACH_RATIO_LEAST:
        return ratio(row) >= row->figure;
    case REACH_MOST:
        return row->zproc <= row->figure;
    case REACH_LEAST:
        return row->zproc >= row->figure;
    case REACH_NONE:
        break;
    }
    return true;
}

static void reach_print(struct buf *buf, const struct row *row)
{
    switch (row->reach) {
    case REACH_RATIO_MOST:
        buf_add_format(buf, "<= %g x", row->figure);
        return;
    case REACH_FASTER:
        buf_add_format(buf, ">= %g x faster", row->figure);
        return;
    case REACH_RATIO_LEAST:
        buf_add_format(buf, ">= %g x", row->figure);
        return;
    case REACH_MOST:
    case REACH_LEAST:
        buf_add_text(buf, row->reach == REACH_MOST ? "<= " : ">= ");
        amount_print(buf, row->unit, row->figure);
        return;
    case REACH_NONE:
        buf_add_char(buf, '-');
    }
}

static void row_print(const struct row *row)
{
    if (row->skipped) {
        printf("%-*s  skipped: %s\n", WHAT_WIDTH, row->what, row->skipped);
        return;
    }
    AUTO_BUF struct buf zproc = {0}, peer = {0}, factor = {0}, reach = {0};
    amount_print(&zproc, row->unit, row->zproc);
    reach_print(&reach, row);
    if (row->peer_name) {
        amount_print(&peer, row->unit, row->peer);
        buf_add_format(&peer, " %s", row->peer_name);
        buf_add_format(&factor, "%.2f", ratio(row));
    }
    printf("%-*s  %11s  %-37s  %6s  %-13s  %s\n", WHAT_WIDTH, row->what, zproc.data,
           peer.data ? peer.data : "-", factor.data ? factor.data : "-", reach.data,
           row->reach == REACH_NONE ? "-"
           : reached(row)           ? "ok"
                                    : "missed");
}

void table_print(const struct bench *bench)
{
    printf("%-*s  %11s  %-37s  %6s  %-13s\n", WHAT_WIDTH, "what (medians)", "zproc", "peer", "ratio",
           "reach");
    for (size_t i = 0; i < bench->row_count; i++)
        row_print(&bench->rows[i]);
}
