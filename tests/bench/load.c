/* Requests a second: many clients in one event loop, against redis-benchmark, in turns. */
#include "bench.h"

#include <poll.h>
#include <stdlib.h>

#define TURNS        7
#define TURN_NS      0.3e9
#define CLIENTS_MOST 50

struct load {
    struct client *clients[CLIENTS_MOST];
    int count;
    bool writes;
};

static bool send_one(struct client *client, bool writes)
{
    struct request request = {.operation = writes ? OP_set : OP_get};
    request_set_str(&request, FIELD_key, STR("k"));
    struct str value = writes ? STR("\"xxx\"") : (struct str){0}; /* redis-benchmark's value */
    return client_send(client, &request, value, NULL) != 0;
}

/* Takes the answers that are there and asks again. */
static int serve_one(struct client *client, bool writes)
{
    struct reply reply;
    int answers = 0;
    if (!client_step(client, NULL))
        return -1;
    while (client_next(client, &reply)) {
        bool ok = reply.ok;
        reply_release(&reply);
        if (!ok || !send_one(client, writes))
            return -1;
        answers++;
    }
    return answers;
}

/* Answers a second; -1 on failure. */
static double load_turn(struct load *load)
{
    struct pollfd polls[CLIENTS_MOST];
    int answers = 0;
    double start = now_ns();
    while (now_ns() - start < TURN_NS) {
        for (int i = 0; i < load->count; i++)
            polls[i] =
                (struct pollfd){.fd = client_fd(load->clients[i]), .events = client_events(load->clients[i])};
        if (poll(polls, (nfds_t)load->count, 10000) <= 0)
            return -1;
        for (int i = 0; i < load->count; i++) {
            int n = polls[i].revents ? serve_one(load->clients[i], load->writes) : 0;
            if (n < 0)
                return -1;
            answers += n;
        }
    }
    return answers / ((now_ns() - start) / 1e9);
}

static bool load_open(struct load *load, const char *address)
{
    for (int i = 0; i < load->count; i++) {
        load->clients[i] = client_open(address, 1000, NULL);
        if (!load->clients[i] || !ask_set(load->clients[i], "k", "\"xxx\"") ||
            !send_one(load->clients[i], load->writes))
            return false;
    }
    return true;
}

static void load_close(struct load *load)
{
    for (int i = 0; i < load->count; i++)
        client_close(load->clients[i]);
}

/* Answers a second as redis-benchmark says; -1 on failure. */
static double redis_turn(const char *program, const struct server *redis, const struct load *load)
{
    char line[256];
    double rate = -1;
    const char *test = load->writes ? "set" : "get";
    AUTO_FREE char *command = mem_format("%s -s '%s' -t %s -c %d -n %d --csv", program, redis->path, test,
                                         load->count, load->count > 1 ? 30000 : 10000);
    FILE *out = popen(command, "r");
    while (out && fgets(line, sizeof line, out))
        if (strncasecmp(line + 1, test, 3) == 0)
            sscanf(line + 5, ",\"%lf\"", &rate);
    if (!out || pclose(out) != 0)
        return -1;
    return rate;
}

static void measure(struct bench *bench, const struct server *zproc, const struct server *redis,
                    const char *redis_program, struct load load, struct row row)
{
    struct samples ours = {0}, theirs = {0};
    bool fine = load_open(&load, zproc->address);
    for (int i = 0; fine && i < TURNS; i++) {
        double mine = load_turn(&load), his = redis_turn(redis_program, redis, &load);
        fine = mine > 0 && his > 0;
        samples_add(&ours, mine);
        samples_add(&theirs, his);
    }
    row.zproc = samples_median(&ours);
    row.peer = samples_median(&theirs);
    if (fine)
        row_add(bench, row);
    else
        row_break(bench, row.what, "a request was not answered");
    load_close(&load);
    samples_release(&ours);
    samples_release(&theirs);
}

static void measure_all(struct bench *bench, const struct server *zproc, const struct server *redis,
                        const char *program)
{
    static const struct {
        const char *what;
        int clients;
        bool writes;
        enum reach reach;
    } loads[] = {
        {"requests a second, 1 client: get", 1, false, REACH_NONE},
        {"requests a second, 1 client: set", 1, true, REACH_NONE},
        {"requests a second, 50 clients: get", 50, false, REACH_RATIO_LEAST},
        {"requests a second, 50 clients: set", 50, true, REACH_RATIO_LEAST},
    };
    for (size_t i = 0; i < LENGTH_OF(loads); i++)
        measure(bench, zproc, redis, program,
                (struct load){.count = loads[i].clients, .writes = loads[i].writes},
                (struct row){.what = loads[i].what,
                             .peer_name = "redis, no pipelining",
                             .unit = UNIT_RATE,
                             .reach = loads[i].reach,
                             .figure = 1});
}

void load_rows(struct bench *bench)
{
    static const char what[] = "requests a second";
    struct server zproc, redis = {.pid = -1};
    const char *why = "redis-benchmark is not installed (make deps-bench)";
    AUTO_FREE char *program = program_in_path("redis-benchmark");
    if (!program) {
        row_skip(bench, what, why);
        return;
    }
    if (server_open(bench, "load", &zproc, &why) && redis_open(bench, &redis, &why))
        measure_all(bench, &zproc, &redis, program);
    else
        row_skip(bench, what, why);
    server_shut(&zproc);
    server_shut(&redis);
}
