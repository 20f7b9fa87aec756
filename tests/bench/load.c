/* Requests a second against redis, both driven by the same loop, in turns. */
#include "bench.h"

#define TURNS 9

static bool take_turns(struct drive *ours, struct drive *theirs, struct samples *mine, struct samples *his)
{
    for (int i = -1; i < TURNS; i++) { /* the first to warm up */
        double my = drive_turn(ours), its = drive_turn(theirs);
        if (my < 0 || its < 0)
            return false;
        if (i >= 0) {
            samples_add(mine, my);
            samples_add(his, its);
        }
    }
    return true;
}

static void measure(struct bench *bench, const struct server *zproc, const struct server *redis,
                    enum drive_kind kind, int clients, struct row row)
{
    struct samples mine = {0}, his = {0};
    struct drive *ours = drive_zproc(zproc, kind, clients), *theirs = drive_redis(redis, kind, clients);
    if (ours && theirs && take_turns(ours, theirs, &mine, &his)) {
        row.zproc = samples_median(&mine);
        row.peer = samples_median(&his);
        row_add(bench, row);
    } else {
        row_break(bench, row.what, "a request was not answered");
    }
    drive_close(ours);
    drive_close(theirs);
    samples_release(&mine);
    samples_release(&his);
}

static void measure_all(struct bench *bench, const struct server *zproc, const struct server *redis)
{
    static const struct {
        const char *what;
        int clients;
        enum drive_kind kind;
        enum reach reach;
    } loads[] = {
        /* sets first: the keys are there for the gets */
        {"requests a second, 1 client: set", 1, DRIVE_SET, REACH_NONE},
        {"requests a second, 1 client: get", 1, DRIVE_GET, REACH_NONE},
        {"requests a second, 50 clients: set", 50, DRIVE_SET, REACH_RATIO_LEAST},
        {"requests a second, 50 clients: set, numbered", 50, DRIVE_SET_NUMBERED, REACH_NONE},
        {"requests a second, 50 clients: get", 50, DRIVE_GET, REACH_RATIO_LEAST},
    };
    for (size_t i = 0; i < LENGTH_OF(loads); i++)
        measure(bench, zproc, redis, loads[i].kind, loads[i].clients,
                (struct row){.what = loads[i].what,
                             .peer_name = "redis, no pipelining",
                             .unit = UNIT_RATE,
                             .reach = loads[i].reach,
                             .figure = 1});
}

void load_rows(struct bench *bench)
{
    struct server zproc, redis = {.pid = -1};
    const char *why;
    if (server_open(bench, "load", &zproc, &why) && redis_open(bench, &redis, &why))
        measure_all(bench, &zproc, &redis);
    else
        row_skip(bench, "requests a second", why);
    server_shut(&zproc);
    server_shut(&redis);
}
