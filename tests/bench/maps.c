/* zproc map beside xargs and GNU parallel, and its processes that stay. */
#include "bench.h"

#include <stdlib.h>

#define ITEMS  1000
#define LINES  1000000
#define ROUNDS 7

static bool numbers_write(const char *path, int count)
{
    AUTO_BUF struct buf text = {0};
    for (int i = 0; i < count; i++)
        buf_add_format(&text, "%d\n", i);
    return file_write(path, buf_str(&text));
}

/* In turns, so that both see the same machine. */
static void pair_measure(struct bench *bench, struct row row, const struct command *ours,
                         const struct command *theirs)
{
    struct samples our_times = {0}, their_times = {0};
    bool fine = true;
    for (int i = 0; fine && i < ROUNDS; i++) {
        double our_time = process_time(ours), their_time = process_time(theirs);
        fine = our_time > 0 && their_time > 0;
        samples_add(&our_times, our_time);
        samples_add(&their_times, their_time);
    }
    row.zproc = samples_median(&our_times);
    row.peer = samples_median(&their_times);
    if (fine)
        row_add(bench, row);
    else
        row_break(bench, row.what, "a command failed");
    samples_release(&our_times);
    samples_release(&their_times);
}

static void spawn_rows(struct bench *bench, const char *program)
{
    struct row row = {.what = "1,000 times true, two at a time",
                      .peer_name = "xargs -P2 -n1",
                      .reach = REACH_RATIO_MOST,
                      .figure = 1};
    AUTO_FREE char *xargs = program_in_path("xargs"), *parallel = program_in_path("parallel");
    struct command ours = {{program, "map", "-j2", "-a", "items", "--", "true"}};
    struct command with_xargs = {{xargs, "-P2", "-n1", "-a", "items", "true"}};
    struct command with_parallel = {{parallel, "-j2", "-a", "items", "true"}};
    if (xargs)
        pair_measure(bench, row, &ours, &with_xargs);
    else
        row_skip(bench, row.what, "xargs is not installed");
    row.what = "the same beside GNU parallel";
    row.peer_name = "parallel -j2";
    if (parallel)
        pair_measure(bench, row, &ours, &with_parallel);
    else
        row_skip(bench, row.what, "GNU parallel is not installed");
}

static void line_rows(struct bench *bench, const char *program)
{
    static const char what[] = "items a second through map --lines, two times cat";
    struct command ours = {{program, "map", "-j2", "--lines", "-a", "lines", "--", "cat"}};
    struct samples rates = {0};
    double time = 1;
    for (int i = 0; time > 0 && i < ROUNDS; i++) {
        time = process_time(&ours);
        samples_add(&rates, LINES / (time / 1e9));
    }
    if (time > 0)
        row_add(bench, (struct row){.what = what,
                                    .unit = UNIT_RATE,
                                    .zproc = samples_median(&rates),
                                    .reach = REACH_LEAST,
                                    .figure = 200000});
    else
        row_break(bench, what, "the map failed");
    samples_release(&rates);
}

void map_rows(struct bench *bench)
{
    AUTO_FREE char *program = program_in(bench->bin, "zproc");
    if (!program || !numbers_write("items", ITEMS) || !numbers_write("lines", LINES)) {
        row_skip(bench, "zproc map", "zproc is not built");
        return;
    }
    spawn_rows(bench, program);
    line_rows(bench, program);
}
