/* What a script feels: whole processes, from start to exit. */
#include "bench.h"

#include <stdlib.h>

#define ROUNDS   800
#define WARM_UPS 20

struct subject {
    struct command command;
    struct samples samples;
    bool there, failed;
};

/* All subjects in turn, ROUNDS times. */
static void take_turns(struct subject *subjects, size_t count)
{
    for (int round = -WARM_UPS; round < ROUNDS; round++)
        for (size_t i = 0; i < count; i++) {
            if (!subjects[i].there || subjects[i].failed)
                continue;
            double time = process_time(&subjects[i].command);
            subjects[i].failed = time < 0;
            if (round >= 0 && time >= 0)
                samples_add(&subjects[i].samples, time);
        }
}

enum { GET, NOTHING, TRIP, REDIS, SUBJECTS };

static void row_of(struct bench *bench, struct subject *subjects, int peer, struct row row, const char *why)
{
    if (!subjects[peer].there)
        row_skip(bench, row.what, why);
    else if (subjects[GET].failed || subjects[peer].failed)
        row_break(bench, row.what, subjects[GET].failed ? "zproc get failed" : "the peer failed");
    else {
        row.zproc = samples_median(&subjects[GET].samples);
        row.peer = samples_median(&subjects[peer].samples);
        row_add(bench, row);
    }
}

static void measure(struct bench *bench, const struct server *zproc, const struct server *echo,
                    const struct server *redis, const char *zproc_program, const char *why[SUBJECTS])
{
    AUTO_FREE char *nothing = program_in(bench->own, "bench_nothing");
    AUTO_FREE char *trip = program_in(bench->own, "bench_trip");
    AUTO_FREE char *redis_cli = program_in_path("redis-cli");
    struct subject subjects[SUBJECTS] = {
        [GET] = {{{zproc_program, "get", "answer"}}, .there = true},
        [NOTHING] = {{{nothing}}, .there = nothing},
        [TRIP] = {{{trip, echo->path}}, .there = trip && echo->pid > 0},
        [REDIS] = {{{redis_cli, "-s", redis->path, "get", "answer"}}, .there = redis_cli && redis->pid > 0},
    };
    setenv("ZPROC_ADDRESS", zproc->address, 1);
    take_turns(subjects, SUBJECTS);
    unsetenv("ZPROC_ADDRESS");
    row_of(bench, subjects, NOTHING,
           (struct row){.what = "zproc get, a fresh process", .peer_name = "a C program that does nothing"},
           why[NOTHING]);
    row_of(bench, subjects, TRIP,
           (struct row){.what = "zproc get, a fresh process",
                        .peer_name = "C, one AF_UNIX round trip",
                        .reach = REACH_RATIO_MOST,
                        .figure = 1.3},
           why[TRIP]);
    row_of(bench, subjects, REDIS,
           (struct row){.what = "zproc get, a fresh process",
                        .peer_name = "redis-cli get",
                        .reach = REACH_FASTER,
                        .figure = 4},
           why[REDIS]);
    for (size_t i = 0; i < SUBJECTS; i++)
        samples_release(&subjects[i].samples);
}

static bool answer_put(const struct server *zproc)
{
    struct client *client = client_open(zproc->address, 1000, NULL);
    bool put = client && ask_set(client, "answer", "42");
    client_close(client);
    return put;
}

void fresh_rows(struct bench *bench)
{
    static const char what[] = "zproc get, a fresh process";
    struct server zproc, echo, redis;
    const char *why[SUBJECTS] = {[NOTHING] = "bench_nothing is not built"};
    AUTO_FREE char *program = program_in(bench->bin, "zproc");
    if (!program) {
        row_skip(bench, what, "zproc is not built");
        return;
    }
    if (!server_open(bench, "fresh", &zproc, &why[GET])) {
        row_skip(bench, what, why[GET]);
        return;
    }
    echo_open(bench, "unix", &echo, &why[TRIP]);
    redis_open(bench, &redis, &why[REDIS]);
    if (answer_put(&zproc))
        measure(bench, &zproc, &echo, &redis, program, why);
    else
        row_break(bench, what, "the server does not take a key");
    server_shut(&zproc);
    server_shut(&echo);
    server_shut(&redis);
}
