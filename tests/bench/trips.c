/* Round trips over a connection that is kept, against libzmq's own. */
#include "bench.h"

#include <zmq.h>

#define ROUNDS   10000
#define WARM_UPS 500

struct trips {
    struct client *client;
    void *context, *requester;
    struct samples get, set, echo;
};

/* As many bytes as zproc's request for the key has. */
static const char echo_text[] = "{\"v\":1,\"id\":1,\"op\":\"get\",\"key\":\"k\"}";

static bool echo_once(void *requester)
{
    char answer[256];
    return zmq_send(requester, echo_text, sizeof echo_text, 0) >= 0 &&
           zmq_recv(requester, answer, sizeof answer, 0) == (int)sizeof echo_text;
}

static bool requester_open(struct trips *trips, const struct server *echo)
{
    int patience = 10000, none = 0;
    trips->context = zmq_ctx_new();
    trips->requester = trips->context ? zmq_socket(trips->context, ZMQ_REQ) : NULL;
    return trips->requester &&
           zmq_setsockopt(trips->requester, ZMQ_RCVTIMEO, &patience, sizeof patience) == 0 &&
           zmq_setsockopt(trips->requester, ZMQ_LINGER, &none, sizeof none) == 0 &&
           zmq_connect(trips->requester, echo->address) == 0;
}

static void trips_close(struct trips *trips)
{
    client_close(trips->client);
    if (trips->requester)
        zmq_close(trips->requester);
    if (trips->context)
        zmq_ctx_term(trips->context);
    samples_release(&trips->get);
    samples_release(&trips->set);
    samples_release(&trips->echo);
}

static bool take_turns(struct trips *trips)
{
    for (int round = -WARM_UPS; round < ROUNDS; round++) {
        double start = now_ns();
        if (!ask_set(trips->client, "k", "1"))
            return false;
        double set = now_ns();
        if (!ask_get(trips->client, "k"))
            return false;
        double get = now_ns();
        if (!echo_once(trips->requester))
            return false;
        double echo = now_ns();
        if (round < 0)
            continue;
        samples_add(&trips->set, set - start);
        samples_add(&trips->get, get - set);
        samples_add(&trips->echo, echo - get);
    }
    return true;
}

static void rows_put(struct bench *bench, struct trips *trips)
{
    struct row row = {.what = "round trip on a kept connection: get",
                      .peer_name = "libzmq REQ to ROUTER echo",
                      .peer = samples_median(&trips->echo),
                      .zproc = samples_median(&trips->get),
                      .reach = REACH_RATIO_MOST,
                      .figure = 1.2};
    row_add(bench, row);
    row.what = "round trip on a kept connection: set";
    row.zproc = samples_median(&trips->set);
    row_add(bench, row);
}

void trip_rows(struct bench *bench)
{
    static const char what[] = "round trip on a kept connection";
    struct server zproc, echo = {.pid = -1};
    struct trips trips = {0};
    const char *why = NULL;
    if (!server_open(bench, "trips", &zproc, &why) || !echo_open(bench, "zmq", &echo, &why)) {
        row_skip(bench, what, why);
        server_shut(&zproc);
        return;
    }
    trips.client = client_open(zproc.address, NULL, 1000, NULL);
    if (trips.client && requester_open(&trips, &echo) && take_turns(&trips))
        rows_put(bench, &trips);
    else
        row_break(bench, what, "a round trip failed");
    trips_close(&trips);
    server_shut(&zproc);
    server_shut(&echo);
}
