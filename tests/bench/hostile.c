/* What a hostile client costs the others: the slowest hundredth of their round trips, with it and without. */
#include "bench.h"

#include <stdlib.h>

#define TURNS 8
#define TRIPS 1500 /* a turn */

static bool trips_measure(struct client *client, struct samples *samples)
{
    for (int i = 0; i < TRIPS; i++) {
        double start = now_ns();
        if (!ask_get(client, "k"))
            return false;
        samples_add(samples, now_ns() - start);
    }
    return true;
}

static bool take_turns(struct client *client, const struct command *attack, struct samples *with,
                       struct samples *without)
{
    bool fine = true;
    for (int i = 0; fine && i < TURNS; i++) {
        pid_t pid = process_start(attack);
        fine = pid > 0 && trips_measure(client, with);
        if (pid > 0)
            process_end(pid);
        fine = fine && trips_measure(client, without);
    }
    return fine;
}

static void measure(struct bench *bench, const struct server *server, const char *attack, const char *kind,
                    const char *what)
{
    struct samples with = {0}, without = {0};
    struct client *client = client_open(server->address, NULL, 10000, NULL);
    const struct command command = {{attack, server->address, kind, "100000000", "1"}};
    if (client && ask_set(client, "k", "1") && take_turns(client, &command, &with, &without))
        row_add(bench, (struct row){.what = what,
                                    .peer_name = "the same without it",
                                    .zproc = samples_least(&with, 0.99),
                                    .peer = samples_least(&without, 0.99),
                                    .reach = REACH_RATIO_MOST,
                                    .figure = 2});
    else
        row_break(bench, what, "a request was not answered");
    client_close(client);
    samples_release(&with);
    samples_release(&without);
}

void hostile_rows(struct bench *bench)
{
    static const char what[] = "p99 of a get beside a hostile client";
    struct server server = {.pid = -1};
    const char *why = "the attacker is not built (target 'attack')";
    char *attack = program_in(bench->bin, "attack");
    if (attack && server_open(bench, "hostile", &server, &why)) {
        measure(bench, &server, attack, "noise", "p99 of a get beside one that sends noise");
        measure(bench, &server, attack, "parts", "p99 of a get beside one that sends bad frames");
        measure(bench, &server, attack, "commands", "p99 of a get beside one that sends bad handshakes");
    } else {
        row_skip(bench, what, why);
    }
    server_shut(&server);
    free(attack);
}
