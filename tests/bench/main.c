/* bench_driver ZPROC-PROGRAMS OWN-PROGRAMS FOLDER [ROWS…]: measures and prints one table. The status says
 * only whether something broke: figures that are missed are for people to look at. */
#include "bench.h"

#include <stdlib.h>
#include <unistd.h>

static const struct {
    const char *name;
    void (*rows)(struct bench *bench);
} parts[] = {
    {"fresh", fresh_rows},    {"trips", trip_rows},      {"watches", watch_rows},   {"many", many_rows},
    {"load", load_rows},      {"hostile", hostile_rows}, {"durable", durable_rows}, {"run", run_rows},
    {"workers", worker_rows}, {"restart", restart_rows}, {"output", output_rows},   {"idle", idle_rows},
    {"jobs", job_rows},       {"maps", map_rows},
};

static bool wanted(const char *name, int argc, char **argv)
{
    for (int i = 4; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc <= 4;
}

int main(int argc, char **argv)
{
    struct bench bench = {0};
    if (argc < 4 || !(bench.bin = realpath(argv[1], NULL)) || !(bench.own = realpath(argv[2], NULL)) ||
        !(bench.folder = realpath(argv[3], NULL)) || chdir(bench.folder) != 0) {
        fputs("usage: bench_driver ZPROC-PROGRAMS OWN-PROGRAMS FOLDER [ROWS...]\n", stderr);
        return 2;
    }
    for (size_t i = 0; i < LENGTH_OF(parts); i++)
        if (wanted(parts[i].name, argc, argv))
            parts[i].rows(&bench);
    table_print(&bench);
    return bench.broken ? 1 : 0;
}
