/* sim --seed N replays one seed and shows every step; --seeds A..B and --file FILE run many, and --coverage
 * A..B shows what they have reached and fails where something was not. */
#include "sim.h"

#include <errno.h>
#include <stdlib.h>

uint64_t random_next(struct sim *sim)
{
    uint64_t z = sim->random += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

int64_t random_range(struct sim *sim, int64_t low, int64_t high)
{
    return low + (int64_t)(random_next(sim) % (uint64_t)(high - low + 1));
}

bool chance(struct sim *sim, int percent)
{
    return random_range(sim, 0, 99) < percent;
}

void fault(struct sim *sim, const char *format, ...)
{
    if (sim->fault[0])
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(sim->fault, sizeof sim->fault, format, args);
    va_end(args);
}

/* The digest of its effects, so that two runs of a seed can be compared. */
static uint64_t seed_run(uint64_t seed, bool verbose, bool *good, struct coverage *sum)
{
    struct sim *sim = mem_new(sizeof *sim);
    sim->seed = sim->random = seed;
    sim->verbose = verbose;
    graph_make(sim);
    world_run(sim);
    *good = !sim->fault[0];
    if (!*good)
        printf("seed %llu fails after %lld steps at %lld ms: %s\n  replay it with: sim --seed %llu\n",
               (unsigned long long)seed, (long long)sim->steps, (long long)sim->now, sim->fault,
               (unsigned long long)seed);
    uint64_t digest = sim->digest;
    if (sum)
        coverage_add(sum, &sim->coverage);
    world_release(sim);
    free(sim);
    return digest;
}

static bool seed_check(uint64_t seed, struct coverage *sum)
{
    bool good, again = true;
    uint64_t digest = seed_run(seed, false, &good, sum);
    if (good && seed % 64 == 0 && seed_run(seed, false, &again, NULL) != digest) {
        printf("seed %llu does not give the same effects twice\n", (unsigned long long)seed);
        return false;
    }
    return good && again;
}

static int seeds_check(uint64_t from, uint64_t to, struct coverage *sum)
{
    enum { FAILURES_SHOWN = 10 };
    int bad = 0;
    uint64_t seed = from;
    for (; seed <= to && bad < FAILURES_SHOWN; seed++)
        bad += !seed_check(seed, sum);
    printf("%llu seeds, %d failed\n", (unsigned long long)(seed - from), bad);
    return bad > 0;
}

/* One seed a line; what follows it is a word on what it found. */
static int file_check(const char *path)
{
    AUTO_BUF struct buf text = {0};
    struct err err;
    if (!file_read(path, 1 << 20, &text, &err)) {
        fprintf(stderr, "sim: %s\n", err.message);
        return 2;
    }
    int bad = 0, count = 0;
    for (char *line = strtok(text.data ? text.data : (char[1]){0}, "\n"); line;
         line = strtok(NULL, "\n"), count++)
        bad += !seed_check(strtoull(line, NULL, 10), NULL);
    printf("%d pinned seeds, %d failed\n", count, bad);
    return bad > 0;
}

int main(int argc, char **argv)
{
    const char *option = argc == 3 ? argv[1] : "";
    bool good;
    char *end;
    if (strcmp(option, "--seed") == 0) {
        seed_run(strtoull(argv[2], NULL, 10), true, &good, NULL);
        return !good;
    }
    if (strcmp(option, "--file") == 0)
        return file_check(argv[2]);
    bool shows = strcmp(option, "--coverage") == 0;
    if (shows || strcmp(option, "--seeds") == 0) {
        struct coverage sum = {0};
        uint64_t from = strtoull(argv[2], &end, 10);
        if (strncmp(end, "..", 2) == 0) {
            int bad = seeds_check(from, strtoull(end + 2, NULL, 10), shows ? &sum : NULL);
            return bad || (shows && coverage_show(&sum) > 0);
        }
    }
    fprintf(stderr, "usage: sim --seed N | --seeds A..B | --coverage A..B | --file FILE\n");
    return 2;
}
