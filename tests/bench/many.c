/* What many waiting watches cost: those who write other keys, the server's memory, and all of them to answer.
 */
#include "bench.h"

#include <poll.h>

#define SET_ROUNDS   4000
#define WATCH_CLIENT 500 /* watches a connection: below the server's bound */
#define WATCHES      10000
#define WATCHES_MOST 99500 /* just below the server's bound */
#define CLIENTS(n)   ((n) / WATCH_CLIENT)

/* ---- Putting them there ---- */

struct crowd {
    size_t count;
    struct client *clients[CLIENTS(WATCHES_MOST)];
};

/* Each on a key of its own, or all on one. */
static bool watches_put(struct crowd *crowd, struct client *client, bool same)
{
    for (size_t i = 0; i < WATCH_CLIENT; i++) {
        char key[32] = "one";
        if (!same)
            snprintf(key, sizeof key, "other-%zu", crowd->count * WATCH_CLIENT + i);
        if (!watch_send(client, key))
            return false;
    }
    return watches_settled(client);
}

/* Up to so many watches. */
static bool crowd_grow(struct crowd *crowd, const char *address, size_t watches, bool same)
{
    while (crowd->count < CLIENTS(watches)) {
        struct client *client = client_open(address, NULL, 1000, NULL);
        if (!client)
            return false;
        crowd->clients[crowd->count] = client;
        bool put = watches_put(crowd, client, same);
        crowd->count++;
        if (!put)
            return false;
    }
    return true;
}

static void crowd_release(struct crowd *crowd)
{
    for (size_t i = 0; i < crowd->count; i++)
        client_close(crowd->clients[i]);
}

/* ---- Sets of other keys ---- */

static bool set_timed(struct client *client, int round, struct samples *samples)
{
    char text[16];
    snprintf(text, sizeof text, "%d", round);
    double start = now_ns();
    if (!ask_set(client, "k", text))
        return false;
    samples_add(samples, now_ns() - start);
    return true;
}

static bool sets(const char *with_address, const char *without_address, struct samples *with,
                 struct samples *without)
{
    struct crowd crowd = {0};
    struct client *a = client_open(with_address, NULL, 1000, NULL);
    struct client *b = client_open(without_address, NULL, 1000, NULL);
    bool fine = a && b && crowd_grow(&crowd, with_address, WATCHES, false);
    for (int i = 0; fine && i < SET_ROUNDS; i++)
        fine = set_timed(a, i, with) && set_timed(b, i, without);
    crowd_release(&crowd);
    client_close(a);
    client_close(b);
    return fine;
}

static void many_row(struct bench *bench)
{
    struct row row = {.what = "set while 10,000 watches wait for other keys",
                      .peer_name = "set, nobody waits",
                      .reach = REACH_RATIO_MOST,
                      .figure = 1.1};
    struct samples with = {0}, without = {0};
    struct server a, b = {.pid = -1};
    const char *why;
    if (!server_open(bench, "many", &a, &why) || !server_open(bench, "none", &b, &why)) {
        row_skip(bench, row.what, why);
    } else if (!sets(a.address, b.address, &with, &without)) {
        row_break(bench, row.what, "the server refused a watch or a set");
    } else {
        row.zproc = samples_median(&with);
        row.peer = samples_median(&without);
        row_add(bench, row);
    }
    server_shut(&a);
    server_shut(&b);
    samples_release(&with);
    samples_release(&without);
}

/* ---- Memory ---- */

static double rss_bytes(pid_t pid)
{
    long kib = 0;
    AUTO_FREE char *path = mem_format("/proc/%d/status", (int)pid);
    AUTO_BUF struct buf text = {0};
    const char *at = file_read(path, 1 << 16, &text, NULL) ? strstr(text.data, "\nVmRSS:") : NULL;
    if (at)
        sscanf(at, "\nVmRSS: %ld", &kib);
    return (double)kib * 1024;
}

static void memory_rows(struct bench *bench)
{
    static const struct {
        const char *what;
        size_t watches;
    } sizes[] = {{"memory a waiting watch, of 10,000", WATCHES},
                 {"memory a waiting watch, of 99,500", WATCHES_MOST}};
    struct crowd crowd = {0};
    struct server server;
    const char *why;
    bool open = server_open(bench, "memory", &server, &why);
    double before = open ? rss_bytes(server.pid) : 0;
    for (size_t i = 0; i < LENGTH_OF(sizes); i++) {
        if (!open)
            row_skip(bench, sizes[i].what, why);
        else if (!crowd_grow(&crowd, server.address, sizes[i].watches, false))
            row_break(bench, sizes[i].what, "the server refused a watch");
        else
            row_add(bench,
                    (struct row){.what = sizes[i].what,
                                 .unit = UNIT_MEMORY,
                                 .zproc = (rss_bytes(server.pid) - before) / (double)sizes[i].watches});
    }
    crowd_release(&crowd);
    server_shut(&server);
}

/* ---- All on one key ---- */

static long events_take(struct client *client)
{
    long events = 0;
    struct reply reply;
    if (!client_step(client, NULL))
        return -1;
    while (client_next(client, &reply)) {
        events += reply.ok;
        reply_release(&reply);
    }
    return events;
}

static bool crowd_answered(struct crowd *crowd, long missing)
{
    struct pollfd polls[CLIENTS(WATCHES)];
    while (missing > 0) {
        for (size_t i = 0; i < crowd->count; i++)
            polls[i] = (struct pollfd){.fd = client_fd(crowd->clients[i]),
                                       .events = client_events(crowd->clients[i])};
        if (poll(polls, crowd->count, 10000) <= 0)
            return false;
        for (size_t i = 0; i < crowd->count; i++) {
            long events = polls[i].revents ? events_take(crowd->clients[i]) : 0;
            if (events < 0)
                return false;
            missing -= events;
        }
    }
    return true;
}

static void all_row(struct bench *bench)
{
    static const char what[] = "10,000 watches of one key: all have answered";
    struct crowd crowd = {0};
    struct server server;
    const char *why;
    if (!server_open(bench, "all", &server, &why)) {
        row_skip(bench, what, why);
        return;
    }
    struct client *client = client_open(server.address, NULL, 1000, NULL);
    bool fine = client && crowd_grow(&crowd, server.address, WATCHES, true);
    double start = now_ns();
    if (fine && ask_set(client, "one", "1") && crowd_answered(&crowd, WATCHES))
        row_add(bench,
                (struct row){.what = what, .zproc = now_ns() - start, .reach = REACH_MOST, .figure = 1e9});
    else
        row_break(bench, what, "not all of them answered");
    client_close(client);
    crowd_release(&crowd);
    server_shut(&server);
}

void many_rows(struct bench *bench)
{
    many_row(bench);
    memory_rows(bench);
    all_row(bench);
}
