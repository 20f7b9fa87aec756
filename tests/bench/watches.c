/* How soon a waiting watcher wakes. */
#include "bench.h"

#include <poll.h>
#include <unistd.h>

#define WAKE_ROUNDS 3000

/* ---- The watcher, a process of its own ---- */

bool watch_send(struct client *client, const char *key)
{
    struct request request = {.operation = OP_watch};
    struct err err = {0};
    struct value *keys = value_list();
    list_push(keys, value_string(str_of(key)));
    request_set_keys(&request, FIELD_keys, keys);
    request_set_int(&request, FIELD_live, 1);
    request_set_int(&request, FIELD_timeout_ms, 120000);
    bool sent = client_send(client, &request, (struct str){0}, &err) != 0;
    if (!sent)
        fprintf(stderr, "bench: %s\n", err.message);
    value_unref(keys);
    return sent;
}

bool watches_settled(struct client *client)
{
    struct request request = {.operation = OP_ping};
    struct reply reply;
    if (!client_do(client, &request, (struct str){0}, 10000, &reply, NULL))
        return false;
    reply_release(&reply);
    return true;
}

static bool event_wait(struct client *client)
{
    struct reply reply;
    while (!client_next(client, &reply)) {
        struct pollfd poll_fd = {.fd = client_fd(client), .events = client_events(client)};
        if (poll(&poll_fd, 1, 10000) <= 0 || !client_step(client, NULL))
            return false;
    }
    bool ok = reply.ok;
    if (!ok)
        fprintf(stderr, "bench: %s\n", reply.error.message);
    reply_release(&reply);
    return ok;
}

/* Writes 0 when its watch waits, and the time when it woke. */
static int watcher(const char *address, int out)
{
    struct client *client = client_open(address, NULL, 1000, NULL);
    double waiting = 0;
    for (int i = 0; client && i < WAKE_ROUNDS; i++) {
        if (!watch_send(client, "w") || !watches_settled(client) ||
            !fd_write_all(out, &waiting, sizeof waiting) || !event_wait(client))
            break;
        double woke = now_ns();
        if (!fd_write_all(out, &woke, sizeof woke))
            break;
    }
    client_close(client);
    return 0;
}

/* ---- Waking ---- */

static bool wake_once(struct client *client, int from, int round, struct samples *wakes,
                      struct samples *trips)
{
    double time;
    char text[16];
    snprintf(text, sizeof text, "%d", round);
    if (read(from, &time, sizeof time) != sizeof time)
        return false;
    double start = now_ns();
    if (!ask_get(client, "w"))
        return false;
    samples_add(trips, now_ns() - start);
    start = now_ns();
    if (!ask_set(client, "w", text) || read(from, &time, sizeof time) != sizeof time)
        return false;
    samples_add(wakes, time - start);
    return true;
}

static bool wake(const char *address, struct samples *wakes, struct samples *trips)
{
    int ends[2];
    /* The key is there before anybody watches it. */
    struct client *first = client_open(address, NULL, 1000, NULL);
    bool put = first && ask_set(first, "w", "0");
    client_close(first);
    if (!put || pipe(ends) != 0)
        return false;
    pid_t pid = fork();
    if (pid == 0)
        _exit(watcher(address, ends[1]));
    close(ends[1]);
    struct client *client = pid > 0 ? client_open(address, NULL, 1000, NULL) : NULL;
    bool fine = client;
    for (int i = 0; fine && i < WAKE_ROUNDS; i++)
        fine = wake_once(client, ends[0], i + 1, wakes, trips);
    client_close(client);
    close(ends[0]);
    process_end(pid);
    return fine;
}

static void wake_row(struct bench *bench, const char *durability, const char *what)
{
    bool synced = strcmp(durability, "always") == 0; /* as fast as the disk, whatever the figure */
    struct row row = {.what = what,
                      .peer_name = "a bare round trip (get)",
                      .reach = synced ? REACH_NONE : REACH_RATIO_MOST,
                      .figure = 2};
    struct samples wakes = {0}, trips = {0};
    struct server zproc;
    const char *why;
    if (!server_open_durable(bench, durability, &zproc, &why)) {
        row_skip(bench, row.what, why);
    } else if (!wake(zproc.address, &wakes, &trips)) {
        row_break(bench, row.what, "a watcher was not woken");
    } else {
        row.zproc = samples_median(&wakes);
        row.peer = samples_median(&trips);
        row_add(bench, row);
    }
    server_shut(&zproc);
    samples_release(&wakes);
    samples_release(&trips);
}

void watch_rows(struct bench *bench)
{
    wake_row(bench, "none", "set until a waiting watcher is awake");
    wake_row(bench, "process", "set until awake, durability process");
    wake_row(bench, "always", "set until awake, durability always");
}
