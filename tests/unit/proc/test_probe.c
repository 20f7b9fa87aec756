/* Probes: results of tries, their times, and that none is left when a probe goes away. */
#include "world.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct watch {
    struct world *world;
    struct probe *probe;
    int good, bad, wanted;
    bool free_at_once;
    int64_t times[8];
};

static void on_result(void *ctx, bool ok)
{
    struct watch *watch = ctx;
    size_t count = (size_t)(watch->good + watch->bad);
    if (count < LENGTH_OF(watch->times))
        watch->times[count] = time_now_ms();
    *(ok ? &watch->good : &watch->bad) += 1;
    if (watch->free_at_once) {
        probe_free(watch->probe);
        watch->probe = NULL;
    }
    world_check(watch->world);
}

static bool has_results(void *ctx)
{
    const struct watch *watch = ctx;
    return watch->good + watch->bad >= watch->wanted;
}

static void exec_watch(struct watch *watch, char *const *argv, int64_t every_ms, int64_t timeout_ms)
{
    struct child_spec spec = run_spec(argv);
    watch->probe = probe_exec(watch->world->children, &spec, every_ms, timeout_ms, on_result, watch);
    world_until(watch->world, has_results, watch);
    probe_free(watch->probe);
}

static void exec_good(void **state)
{
    struct watch watch = {.world = *state, .wanted = 3};
    char *const argv[] = {"sh", "-c", "echo noise; exit 0", NULL};
    exec_watch(&watch, argv, 30, 5000);
    assert_int_equal(watch.good, 3);
    /* Counted from start to start; a result comes a little after its start. */
    assert_true(watch.times[2] - watch.times[0] > 30);
}

static void exec_bad(void **state)
{
    struct watch watch = {.world = *state, .wanted = 2};
    char *const failing[] = {"false", NULL};
    exec_watch(&watch, failing, 1, 5000);
    assert_int_equal(watch.bad, 2);
    struct watch missing = {.world = *state, .wanted = 2};
    char *const argv[] = {"/no/such/command", NULL};
    exec_watch(&missing, argv, 1, 5000);
    assert_int_equal(missing.bad, 2);
}

/* The second try must not start before the first one's process is gone. */
static void exec_timeout(void **state)
{
    struct watch watch = {.world = *state, .wanted = 2};
    char *const argv[] = {"sleep", "1000", NULL};
    exec_watch(&watch, argv, 1, 30);
    assert_int_equal(watch.bad, 2);
    assert_true(watch.times[1] - watch.times[0] >= 30);
}

static void freed_within_result(void **state)
{
    struct watch watch = {.world = *state, .wanted = 1, .free_at_once = true};
    char *const argv[] = {"true", NULL};
    exec_watch(&watch, argv, 1, 5000);
    struct watch late = {.world = *state, .wanted = 1, .free_at_once = true};
    char *const slow[] = {"sleep", "1000", NULL};
    exec_watch(&late, slow, 1, 10);
    assert_int_equal(late.bad, 1);
    struct watch tcp = {.world = *state, .wanted = 1, .free_at_once = true};
    tcp.probe = probe_tcp(tcp.world->loop, "127.0.0.1:1", 1, 1000, on_result, &tcp, NULL);
    world_until(tcp.world, has_results, &tcp);
    assert_int_equal(tcp.bad, 1);
}

/* A socket on a free port of the loopback, listening or not; its address is to be freed. */
static char *port_take(int *fd, bool listening)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(*fd, (struct sockaddr *)&address, &len), 0);
    if (listening)
        assert_int_equal(listen(*fd, 10), 0);
    return mem_format("%d", ntohs(address.sin_port));
}

static void tcp_watch(struct watch *watch, const char *host, const char *port)
{
    AUTO_FREE char *address = mem_format("%s:%s", host, port);
    struct err err = {0};
    watch->probe = probe_tcp(watch->world->loop, address, 20, 5000, on_result, watch, &err);
    if (!watch->probe)
        fail_msg("%s", err.message);
    world_until(watch->world, has_results, watch);
    probe_free(watch->probe);
}

static void tcp_good(void **state)
{
    const char *const hosts[] = {"127.0.0.1", "localhost", ""};
    for (size_t i = 0; i < LENGTH_OF(hosts); i++) {
        struct watch watch = {.world = *state, .wanted = 2};
        int fd;
        AUTO_FREE char *port = port_take(&fd, true);
        tcp_watch(&watch, hosts[i], port);
        assert_int_equal(watch.good, 2);
        close(fd);
    }
}

static void tcp_refused_then_accepted(void **state)
{
    struct watch watch = {.world = *state, .wanted = 2};
    int fd;
    AUTO_FREE char *port = port_take(&fd, false);
    AUTO_FREE char *address = mem_format("127.0.0.1:%s", port);
    watch.probe = probe_tcp(watch.world->loop, address, 20, 5000, on_result, &watch, NULL);
    world_until(watch.world, has_results, &watch);
    assert_int_equal(watch.bad, 2);
    assert_int_equal(listen(fd, 10), 0);
    watch.wanted = 3;
    world_until(watch.world, has_results, &watch);
    assert_int_equal(watch.good, 1);
    probe_free(watch.probe);
    close(fd);
}

/* A queue of length 0 that is full: the connection is neither accepted nor refused. */
static void tcp_timeout(void **state)
{
    int fd, taken[4];
    AUTO_FREE char *port = port_take(&fd, false);
    assert_int_equal(listen(fd, 0), 0);
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    getsockname(fd, (struct sockaddr *)&address, &len);
    for (size_t i = 0; i < LENGTH_OF(taken); i++) {
        taken[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (connect(taken[i], (struct sockaddr *)&address, len) == 0)
            continue;
    }
    struct watch watch = {.world = *state, .wanted = 2};
    AUTO_FREE char *name = mem_format("127.0.0.1:%s", port);
    watch.probe = probe_tcp(watch.world->loop, name, 1, 40, on_result, &watch, NULL);
    world_until(watch.world, has_results, &watch);
    probe_free(watch.probe);
    assert_int_equal(watch.bad, 2);
    assert_true(watch.times[1] - watch.times[0] >= 40);
    for (size_t i = 0; i < LENGTH_OF(taken); i++)
        close(taken[i]);
    close(fd);
}

static void tcp_addresses(void **state)
{
    struct world *world = *state;
    const char *const wrong[] = {"localhost", "localhost:", "::1:80", "127.0.0.1:nothing"};
    for (size_t i = 0; i < LENGTH_OF(wrong); i++) {
        struct err err = {0};
        assert_null(probe_tcp(world->loop, wrong[i], 1, 1, on_result, NULL, &err));
        assert_int_equal(err.code, ERR_INVALID);
    }
    probe_free(NULL);
}

/* ---- http ---- */

/* Answers each connection with these bytes, in pieces of one byte; runs in a child. */
struct web {
    int pid, port;
    char url[64];
};

static void web_serve(int fd, const char *answer)
{
    for (;;) {
        char request[4096];
        int peer = accept(fd, NULL, NULL);
        if (peer < 0 || read(peer, request, sizeof request) <= 0)
            _exit(1);
        for (const char *at = answer; *at; at++)
            if (write(peer, at, 1) != 1)
                break;
        close(peer);
    }
}

static void web_start(struct web *web, const char *answer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    AUTO_FD int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(web->url, sizeof web->url, "http://127.0.0.1:%d/health?x=1", ntohs(address.sin_port));
    web->pid = fork();
    if (web->pid == 0) {
        signal(SIGPIPE, SIG_IGN);
        web_serve(fd, answer);
    }
}

static void web_stop(const struct web *web)
{
    kill(web->pid, SIGKILL);
    waitpid(web->pid, NULL, 0);
}

static bool web_probe(struct world *world, const char *answer, int status)
{
    struct web web;
    struct watch watch = {.world = world, .wanted = 2};
    web_start(&web, answer);
    watch.probe = probe_http(world->loop, web.url, status, 1, 1000, on_result, &watch, NULL);
    assert_non_null(watch.probe);
    world_until(world, has_results, &watch);
    probe_free(watch.probe);
    web_stop(&web);
    assert_true(watch.good == 2 || watch.bad == 2);
    return watch.good == 2;
}

static void http_answers(void **state)
{
    assert_true(web_probe(*state, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 0));
    assert_true(web_probe(*state, "HTTP/1.0 302 Found\r\n\r\n", 0));
    assert_false(web_probe(*state, "HTTP/1.1 503 Service Unavailable\r\n\r\n", 0));
    assert_true(web_probe(*state, "HTTP/1.1 503\r\n\r\n", 503));
    assert_false(web_probe(*state, "HTTP/1.1 200 OK\r\n\r\n", 204));
    assert_false(web_probe(*state, "HTTP/1.1 20", 0));
    assert_false(web_probe(*state, "SSH-2.0-OpenSSH\r\n", 0));
    assert_false(web_probe(*state, "", 0));
}

static void http_silence(void **state)
{
    struct watch watch = {.world = *state, .wanted = 1};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    AUTO_FD int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    AUTO_FREE char *url = mem_format("http://127.0.0.1:%d", ntohs(address.sin_port));
    watch.probe = probe_http(watch.world->loop, url, 0, 1, 30, on_result, &watch, NULL);
    world_until(watch.world, has_results, &watch);
    probe_free(watch.probe);
    assert_int_equal(watch.bad, 1);
}

static void http_bad_url(void **state)
{
    struct watch watch = {.world = *state};
    struct err err;
    static const char *const urls[] = {"https://x",       "ftp://x",     "x",           "http://",
                                       "http:///path",    "http://a b/", "http://u@h/", "http://h/\r\nX: y",
                                       "http://h:99999/", "http://[::1/"};
    for (size_t i = 0; i < LENGTH_OF(urls); i++)
        assert_null(probe_http(watch.world->loop, urls[i], 0, 1, 1, on_result, &watch, &err));
    assert_null(probe_http(watch.world->loop, "https://x", 0, 1, 1, on_result, &watch, &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(exec_good),           TEST(exec_bad),      TEST(exec_timeout),
        TEST(freed_within_result), TEST(tcp_good),      TEST(tcp_refused_then_accepted),
        TEST(tcp_timeout),         TEST(tcp_addresses), TEST(http_answers),
        TEST(http_silence),        TEST(http_bad_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
