/* The client against a small server: a ROUTER in a thread that answers by a script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

#include "client.h"

#define PATIENCE_MS 10000

struct server {
    void *context;
    char endpoint[64];
    pthread_t thread;
    int drop;       /* this many requests are left unanswered, and the socket is bound again after each */
    int late_ms;    /* binds that much later */
    int falls_off;  /* so often a second page is refused, as its revision has left the log */
    int revision;   /* of pages */
    struct buf log; /* headers of all requests, a line each */
};

static void *router_open(struct server *server)
{
    int zero = 0;
    void *router = zmq_socket(server->context, ZMQ_ROUTER);
    zmq_setsockopt(router, ZMQ_LINGER, &zero, sizeof zero);
    int64_t until = time_now_ms() + PATIENCE_MS;
    while (zmq_bind(router, server->endpoint) != 0 && time_now_ms() < until)
        poll(NULL, 0, 1);
    return router;
}

/* There are two pages; the second one may be refused. Its value frame, NULL: none. */
static const char *reply_page(struct server *server, struct buf *buf, const struct request *request)
{
    long long id = (long long)request_int(request, id);
    if (request_int(request, page) == 0) {
        buf_add_format(buf, "{\"id\":%lld,\"ok\":true,\"rev\":%d,\"next\":1}", id,
                       request_has(request, at) ? (int)request_int(request, at) : ++server->revision);
        return "[1]";
    }
    if (server->falls_off > 0) {
        server->falls_off--;
        buf_add_format(buf, "{\"id\":%lld,\"ok\":false,\"error\":\"lost\",\"message\":\"it is gone\"}", id);
        return NULL;
    }
    buf_add_format(buf, "{\"id\":%lld,\"ok\":true,\"rev\":%d}", id, (int)request_int(request, at));
    return "[2,3]";
}

static void reply_text(struct buf *buf, const struct request *request)
{
    long long id = (long long)request_int(request, id);
    if (request->operation == OP_has)
        buf_add_format(buf, "{\"id\":%lld,\"ok\":false,\"error\":\"not_found\",\"message\":\"no key 'k'\"}",
                       id);
    else if (request->operation == OP_hello)
        buf_add_text(buf, "{\"id\":\"x\",\"ok\":1}");
    else if (request->operation == OP_popitem)
        buf_add_text(buf, "{\"ok\":false,\"error\":\"invalid\",\"message\":\"what?\"}");
    else
        buf_add_format(buf, "{\"id\":%lld,\"ok\":true,\"rev\":9,\"pid\":7}", id);
}

/* Answers until `clear` was answered. */
static void *serve(void *argument)
{
    struct server *server = argument;
    poll(NULL, 0, server->late_ms);
    void *router = router_open(server);
    for (bool end = false; !end;) {
        char peer[256], delimiter[8];
        char *header = mem_new(1 << 20), *value = mem_new(1 << 20);
        int peer_len = zmq_recv(router, peer, sizeof peer, 0), value_len = -1, more = 0;
        size_t more_len = sizeof more;
        zmq_recv(router, delimiter, sizeof delimiter, 0);
        int len = zmq_recv(router, header, 1 << 20, 0);
        zmq_getsockopt(router, ZMQ_RCVMORE, &more, &more_len);
        if (more)
            value_len = zmq_recv(router, value, 1 << 20, 0);
        buf_add(&server->log, header, (size_t)len);
        buf_add_char(&server->log, '\n');
        struct request request;
        request_parse((struct str){header, (size_t)len}, &request, NULL);
        if (server->drop > 0) {
            server->drop--;
            zmq_close(router);
            router = router_open(server);
        } else if (request.operation != OP_stats) {
            struct buf text = {0};
            const char *page = NULL;
            if (request_has(&request, page))
                page = reply_page(server, &text, &request);
            else
                reply_text(&text, &request);
            if (page)
                value_len = snprintf(value, 64, "%s", page);
            zmq_send(router, peer, (size_t)peer_len, ZMQ_SNDMORE);
            zmq_send(router, "", 0, ZMQ_SNDMORE);
            zmq_send(router, text.data, text.len, value_len >= 0 ? ZMQ_SNDMORE : 0);
            if (value_len >= 0)
                zmq_send(router, value, (size_t)value_len, 0);
            buf_release(&text);
            end = request.operation == OP_clear;
        }
        request_release(&request);
        free(header);
        free(value);
    }
    /* The last answer must leave before the socket goes. */
    int linger = PATIENCE_MS;
    zmq_setsockopt(router, ZMQ_LINGER, &linger, sizeof linger);
    zmq_close(router);
    return NULL;
}

static void server_start(struct server *server, const char *name)
{
    snprintf(server->endpoint, sizeof server->endpoint, "ipc://@client-%s-%d", name, (int)getpid());
    server->context = zmq_ctx_new();
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

/* Asks the server to end. */
static void server_stop(struct server *server, struct client *client)
{
    struct request request = {.operation = OP_clear};
    struct reply reply;
    struct err err = {0};
    if (!client_do(client, &request, (struct str){0}, PATIENCE_MS, &reply, &err))
        fail_msg("%s", err.message);
    reply_release(&reply);
    client_close(client);
    pthread_join(server->thread, NULL);
    zmq_ctx_term(server->context);
    buf_release(&server->log);
}

static struct client *open_client(struct server *server)
{
    struct err err = {0};
    struct client *client = client_open(server->endpoint, NULL, PATIENCE_MS, &err);
    if (!client)
        fail_msg("%s", err.message);
    return client;
}

static bool ask(struct client *client, enum op op, struct str value, struct reply *reply, struct err *err)
{
    struct request request = {.operation = op};
    if (op == OP_has || op == OP_set)
        request_set_str(&request, FIELD_key, STR("k"));
    return client_ask(client, &request, value, PATIENCE_MS, reply, err);
}

static void answers(void **state)
{
    (void)state;
    struct server server = {0};
    struct reply reply;
    struct err err = {0};
    server_start(&server, "answers");
    struct client *client = open_client(&server);
    assert_true(ask(client, OP_ping, STR("[1]"), &reply, &err));
    assert_true(reply.ok);
    assert_int_equal(reply.rev, 9);
    assert_true(str_is(reply.value, "[1]"));
    assert_int_equal(value_as_int(reply_field(&reply, "pid")), 7);
    assert_null(reply_field(&reply, "nothing"));
    reply_release(&reply);
    assert_true(ask(client, OP_len, (struct str){0}, &reply, &err));
    assert_null(reply.value.data);
    reply_release(&reply);
    server_stop(&server, client);
}

static void refusals(void **state)
{
    (void)state;
    struct server server = {0};
    struct reply reply;
    struct err err = {0};
    server_start(&server, "refusals");
    struct client *client = open_client(&server);
    assert_true(ask(client, OP_has, (struct str){0}, &reply, &err));
    assert_false(reply.ok);
    assert_int_equal(reply.error.code, ERR_NOT_FOUND);
    assert_string_equal(reply.error.message, "no key 'k'");
    reply_release(&reply);
    struct request request = {.operation = OP_has};
    request_set_str(&request, FIELD_key, STR("k"));
    assert_false(client_do(client, &request, (struct str){0}, PATIENCE_MS, &reply, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    server_stop(&server, client);
}

static void bad_answers(void **state)
{
    (void)state;
    struct server server = {0};
    struct reply reply;
    struct err err = {0};
    server_start(&server, "bad");
    struct client *client = open_client(&server);
    assert_false(ask(client, OP_hello, (struct str){0}, &reply, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
    server_stop(&server, client);
}

static void a_refusal_without_a_number(void **state)
{
    (void)state;
    struct server server = {0};
    struct reply reply;
    struct err err = {0};
    server_start(&server, "numberless");
    struct client *client = open_client(&server);
    assert_true(ask(client, OP_popitem, (struct str){0}, &reply, &err));
    assert_false(reply.ok);
    assert_int_equal(reply.error.code, ERR_INVALID);
    reply_release(&reply);
    server_stop(&server, client);
}

static void names_that_are_no_text(void **state)
{
    (void)state;
    struct server server = {0};
    struct reply reply;
    struct err err = {0};
    struct request request = {.operation = OP_has};
    request_set_str(&request, FIELD_key, STR("\xff"));
    server_start(&server, "utf8");
    struct client *client = open_client(&server);
    assert_false(client_ask(client, &request, (struct str){0}, PATIENCE_MS, &reply, &err));
    assert_int_equal(err.code, ERR_INVALID);
    server_stop(&server, client);
}

static void a_server_with_a_key(void **state)
{
    (void)state;
    char public_key[41], secret_key[41], endpoint[64];
    int on = 1;
    struct err err = {0};
    void *context = zmq_ctx_new(), *router = zmq_socket(context, ZMQ_ROUTER);
    zmq_curve_keypair(public_key, secret_key);
    zmq_setsockopt(router, ZMQ_CURVE_SERVER, &on, sizeof on);
    zmq_setsockopt(router, ZMQ_CURVE_SECRETKEY, secret_key, 40);
    snprintf(endpoint, sizeof endpoint, "ipc://@client-key-%d", (int)getpid());
    assert_int_equal(zmq_bind(router, endpoint), 0);
    /* At once, however patient the client is with servers that are not there. */
    assert_null(client_open(endpoint, NULL, 1000 * PATIENCE_MS, &err));
    assert_int_equal(err.code, ERR_KEY_REJECTED);
    assert_non_null(strstr(err.message, "secret key rejected by ipc://@client-key"));
    zmq_close(router);
    zmq_ctx_term(context);
}

static void time_is_up(void **state)
{
    (void)state;
    struct server server = {0};
    struct reply reply;
    struct err err = {0};
    struct request request = {.operation = OP_stats};
    server_start(&server, "time");
    struct client *client = open_client(&server);
    assert_false(client_ask(client, &request, (struct str){0}, 1, &reply, &err));
    assert_int_equal(err.code, ERR_TIMEOUT);
    assert_true(ask(client, OP_len, (struct str){0}, &reply, &err));
    reply_release(&reply);
    server_stop(&server, client);
}

static void only_writes_are_numbered(void **state)
{
    (void)state;
    struct server server = {0};
    struct reply reply;
    struct err err = {0};
    server_start(&server, "numbers");
    struct client *client = open_client(&server);
    assert_true(ask(client, OP_len, (struct str){0}, &reply, &err));
    reply_release(&reply);
    assert_null(strstr(server.log.data, "\"seq\""));
    for (int i = 0; i < 2; i++) {
        assert_true(ask(client, OP_set, STR("1"), &reply, &err));
        reply_release(&reply);
    }
    assert_non_null(strstr(server.log.data, "\"seq\":1,\"done\":1"));
    assert_non_null(strstr(server.log.data, "\"seq\":2,\"done\":2"));
    server_stop(&server, client);
}

static void a_server_that_comes_late(void **state)
{
    (void)state;
    struct server server = {.late_ms = 50};
    server_start(&server, "late");
    struct client *client = open_client(&server);
    server_stop(&server, client);
}

static void no_server(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(client_open("ipc://@client-nobody", NULL, 0, &err));
    assert_int_equal(err.code, ERR_UNREACHABLE);
    assert_non_null(strstr(err.message, "cannot reach the state server at ipc://@client-nobody: nobody"));
    assert_null(client_open("ipc://@client-nobody", NULL, 20, &err));
    assert_int_equal(err.code, ERR_UNREACHABLE);
    assert_null(client_open("nonsense", NULL, 20, &err));
    assert_int_equal(err.code, ERR_INVALID);
}

/* The server goes away with a request unanswered and comes back: the same request is asked again. */
static void asked_again(void **state)
{
    (void)state;
    struct server server = {.drop = 2};
    struct reply reply;
    struct err err = {0};
    server_start(&server, "again");
    struct client *client = open_client(&server);
    if (!ask(client, OP_set, STR("5"), &reply, &err))
        fail_msg("%s", err.message);
    assert_true(str_is(reply.value, "5"));
    reply_release(&reply);
    struct str log = buf_str(&server.log);
    const char *line = memchr(log.data, '\n', log.len);
    size_t len = (size_t)(line - log.data) + 1;
    assert_int_equal(log.len, 3 * len);
    assert_memory_equal(log.data, log.data + len, len);
    assert_memory_equal(log.data, log.data + 2 * len, len);
    server_stop(&server, client);
}

static void not_asked_again(void **state)
{
    (void)state;
    struct server server = {.drop = 1};
    struct reply reply;
    struct err err = {0};
    struct request request = {.operation = OP_claim};
    server_start(&server, "once");
    struct client *client = open_client(&server);
    assert_false(client_ask(client, &request, (struct str){0}, PATIENCE_MS, &reply, &err));
    assert_int_equal(err.code, ERR_UNREACHABLE);
    /* The next request connects anew. */
    server_stop(&server, client);
}

static void outcome_unknown(void **state)
{
    (void)state;
    struct server server = {.drop = 1};
    struct reply reply;
    struct err err = {0};
    server_start(&server, "unknown");
    struct client *helper = open_client(&server);
    struct client *client = client_open(server.endpoint, NULL, 0, &err);
    assert_non_null(client);
    assert_false(ask(client, OP_set, STR("5"), &reply, &err));
    assert_int_equal(err.code, ERR_UNREACHABLE);
    assert_non_null(strstr(err.message, "outcome unknown"));
    client_close(client);
    server_stop(&server, helper);
}

static void wait_step(struct client *client)
{
    struct pollfd poll_fd = {.fd = client_fd(client), .events = client_events(client)};
    struct err err = {0};
    assert_true(poll(&poll_fd, 1, PATIENCE_MS) > 0);
    if (!client_step(client, &err))
        fail_msg("%s", err.message);
}

static void in_an_event_loop(void **state)
{
    (void)state;
    struct server server = {0};
    struct reply reply;
    struct err err = {0};
    server_start(&server, "loop");
    struct client *client = open_client(&server);
    int64_t ids[3];
    for (size_t i = 0; i < 3; i++) {
        struct request request = {.operation = OP_len};
        ids[i] = client_send(client, &request, (struct str){0}, &err);
        assert_true(ids[i] > 0);
    }
    /* A blocking request in between keeps the other answers. */
    assert_true(ask(client, OP_ping, STR("1"), &reply, &err));
    reply_release(&reply);
    for (size_t i = 0; i < 3; i++) {
        while (!client_next(client, &reply))
            wait_step(client);
        assert_int_equal(reply.id, ids[i]);
        reply_release(&reply);
    }
    assert_false(client_next(client, &reply));
    server_stop(&server, client);
}

static bool pages_ask(struct server *server, struct client *client, int falls_off, int64_t at,
                      struct reply *reply, struct err *err)
{
    struct request request = {.operation = OP_items};
    server->falls_off = falls_off;
    if (at >= 0)
        request_set_int(&request, FIELD_at, at);
    return client_do_all(client, &request, PATIENCE_MS, reply, err);
}

static void pages_are_joined(void **state)
{
    (void)state;
    struct server server = {0};
    struct reply reply;
    struct err err = {0};
    server_start(&server, "pages");
    struct client *client = open_client(&server);
    assert_true(pages_ask(&server, client, 0, -1, &reply, &err));
    assert_string_equal(reply.value.data, "[1,2,3]");
    assert_int_equal(reply.value.len, 7);
    assert_int_equal(reply.rev, 1);
    assert_null(reply_field(&reply, "next"));
    assert_int_equal(str_find(reply.message.header, STR("next")), -1);
    reply_release(&reply);
    server_stop(&server, client);
}

/* The read begins again at a newer revision, and gives up in the end; not where the revision was asked for.
 */
static void pages_that_fall_off_the_log(void **state)
{
    (void)state;
    struct server server = {0};
    struct reply reply;
    struct err err = {0};
    server_start(&server, "falls");
    struct client *client = open_client(&server);
    assert_true(pages_ask(&server, client, 3, -1, &reply, &err));
    assert_int_equal(reply.rev, 4);
    assert_string_equal(reply.value.data, "[1,2,3]");
    reply_release(&reply);
    assert_false(pages_ask(&server, client, 100, -1, &reply, &err));
    assert_int_equal(err.code, ERR_LOST);
    assert_non_null(strstr(err.message, "faster"));
    assert_int_equal(server.revision, 9);
    assert_false(pages_ask(&server, client, 1, 3, &reply, &err));
    assert_int_equal(err.code, ERR_LOST);
    assert_non_null(strstr(err.message, "it is gone"));
    server_stop(&server, client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(refusals),
        cmocka_unit_test(bad_answers),
        cmocka_unit_test(a_refusal_without_a_number),
        cmocka_unit_test(names_that_are_no_text),
        cmocka_unit_test(a_server_with_a_key),
        cmocka_unit_test(time_is_up),
        cmocka_unit_test(only_writes_are_numbered),
        cmocka_unit_test(a_server_that_comes_late),
        cmocka_unit_test(no_server),
        cmocka_unit_test(asked_again),
        cmocka_unit_test(not_asked_again),
        cmocka_unit_test(outcome_unknown),
        cmocka_unit_test(in_an_event_loop),
        cmocka_unit_test(pages_are_joined),
        cmocka_unit_test(pages_that_fall_off_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
