/* What a script feels: whole processes, from start to exit. */
#include "bench.h"

#include <stdlib.h>

#define ROUNDS   700
#define WARM_UPS 20

struct peer {
    const char *name, *missing; /* missing: why it cannot be measured, NULL if it can */
    struct command command;
    enum reach reach;
    double figure;
};

/* The two in turns and nothing else in between: a third, larger program would leave its cold caches to
 * whichever comes next. */
static void row_measure(struct bench *bench, const char *what, const struct command *get,
                        const struct peer *peer)
{
    struct row row = {.what = what, .peer_name = peer->name, .reach = peer->reach, .figure = peer->figure};
    struct samples ours = {0}, theirs = {0};
    double time = 0, peer_time = 0;
    for (int round = -WARM_UPS; round < ROUNDS && time >= 0 && peer_time >= 0; round++) {
        time = process_time(get);
        peer_time = process_time(&peer->command);
        if (round >= 0) {
            samples_add(&ours, time);
            samples_add(&theirs, peer_time);
        }
    }
    row.zproc = samples_median(&ours);
    row.peer = samples_median(&theirs);
    if (time >= 0 && peer_time >= 0)
        row_add(bench, row);
    else
        row_break(bench, row.what, time < 0 ? "zproc get failed" : "the peer failed");
    samples_release(&ours);
    samples_release(&theirs);
}

static void measure(struct bench *bench, const struct server *zproc, const char *program)
{
    struct server echo, redis;
    const char *no_echo = NULL, *no_redis = NULL;
    AUTO_FREE char *nothing = program_in(bench->own, "bench_nothing");
    AUTO_FREE char *trip = program_in(bench->own, "bench_trip");
    AUTO_FREE char *redis_cli = program_in_path("redis-cli");
    if (echo_open(bench, "unix", &echo, &no_echo))
        no_echo = trip ? NULL : "bench_trip is not built";
    if (redis_open(bench, &redis, &no_redis))
        no_redis = redis_cli ? NULL : "redis-cli is not installed (make deps-bench)";
    const struct peer peers[] = {
        {"C, does nothing", nothing ? NULL : "bench_nothing is not built", {{nothing}}, REACH_NONE, 0},
        {"C, one AF_UNIX round trip", no_echo, {{trip, echo.path}}, REACH_RATIO_MOST, 1.3},
        {"redis-cli get", no_redis, {{redis_cli, "-s", redis.path, "get", "answer"}}, REACH_FASTER, 4},
    };
    struct command get = {{program, "get", "answer"}};
    setenv("ZPROC_ADDRESS", zproc->address, 1);
    for (size_t i = 0; i < LENGTH_OF(peers); i++)
        if (peers[i].missing)
            row_skip(bench, "zproc get, a fresh process", peers[i].missing);
        else
            row_measure(bench, "zproc get, a fresh process", &get, &peers[i]);
    unsetenv("ZPROC_ADDRESS");
    server_shut(&echo);
    server_shut(&redis);
}

static bool answer_put(const struct server *zproc, const struct secret *secret)
{
    struct client *client = client_open(zproc->address, secret, 1000, NULL);
    bool put = client && ask_set(client, "answer", "42");
    client_close(client);
    return put;
}

/* The server finds the key where every program of zproc does: in the environment. */
static bool keyed_open(struct bench *bench, struct server *keyed, const char *file, const char **why)
{
    char text[SECRET_TEXT_SIZE];
    struct secret secret;
    *why = "a key cannot be made";
    if (!secret_make(text, NULL) || !secret_write(file, text, NULL) ||
        !secret_from_text(str_of(text), &secret, NULL))
        return false;
    setenv("ZPROC_KEY_FILE", file, 1);
    bool open = server_open(bench, "keyed", keyed, why);
    unsetenv("ZPROC_KEY_FILE");
    *why = open ? "the server does not take a key" : *why;
    return open && answer_put(keyed, &secret);
}

static void keyed_measure(struct bench *bench, const struct server *zproc, const char *program)
{
    static const char what[] = "zproc get with a secret key, a fresh process";
    struct server keyed = {.pid = -1};
    const char *why;
    AUTO_FREE char *file = mem_format("%s/key", bench->folder);
    if (!keyed_open(bench, &keyed, file, &why)) {
        row_break(bench, what, why);
        server_shut(&keyed);
        return;
    }
    struct command get = {{program, "-a", keyed.address, "--key-file", file, "get", "answer"}};
    struct peer plain = {.name = "without a key",
                         .command = {{program, "-a", zproc->address, "get", "answer"}},
                         .reach = REACH_RATIO_MOST,
                         .figure = 2};
    row_measure(bench, what, &get, &plain);
    server_shut(&keyed);
}

void fresh_rows(struct bench *bench)
{
    static const char what[] = "zproc get, a fresh process";
    struct server zproc;
    const char *why;
    AUTO_FREE char *program = program_in(bench->bin, "zproc");
    if (!program)
        row_skip(bench, what, "zproc is not built");
    else if (!server_open(bench, "fresh", &zproc, &why))
        row_skip(bench, what, why);
    else {
        if (answer_put(&zproc, NULL)) {
            measure(bench, &zproc, program);
            keyed_measure(bench, &zproc, program);
        } else {
            row_break(bench, what, "the server does not take a key");
        }
        server_shut(&zproc);
    }
}
