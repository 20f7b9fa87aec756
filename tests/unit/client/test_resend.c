/* The public API over the end of its server: requests under way are asked again. */
#include "api_test.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "server_process.h"

#define INCREMENTS 3000
#define PIPELINED  64
#define KILLS      12

static void server_again(struct server_process *own, const char *folder)
{
    char address[sizeof own->address];
    memcpy(address, own->address, sizeof address);
    server_process_end(own, SIGKILL);
    server_process_start_kept(own, address, folder);
}

/* Many requests under way all the time: each is done once and answered once, whatever happens to the server.
 */
static void resent_under_load(void **state)
{
    struct server_process own;
    char address[64], folder[] = "/tmp/zproc-api-XXXXXX", path[64], command[96];
    zp_client *client = zp_client_new();
    bool *seen = calloc(INCREMENTS + 1, sizeof *seen);
    int sent = 0, answered = 0, kills = 0;
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/state", folder);
    snprintf(address, sizeof address, "ipc://@zproc-api-load-%d", (int)getpid());
    server_process_start_kept(&own, address, path);
    zp_set_patience(client, PATIENCE_MS);
    check(client, zp_connect(client, address));
    int fd = zp_fd(client);
    while (answered < INCREMENTS) {
        int64_t id;
        for (; sent < INCREMENTS && sent - answered < PIPELINED; sent++)
            check(client, zp_send(client, "incr", "{\"key\":\"n\"}", NULL, 0, &id));
        if (answered > (kills + 1) * INCREMENTS / (KILLS + 2) && kills < KILLS) {
            kills++;
            server_again(&own, path);
        }
        zp_reply *reply = next_reply(client);
        if (zp_reply_code(reply) != ZP_OK)
            fail_msg("%s", zp_reply_message(reply));
        int number = atoi(zp_reply_value(reply, NULL));
        assert_true(number >= 1 && number <= INCREMENTS && !seen[number]);
        seen[number] = true;
        zp_reply_free(reply);
        answered++;
    }
    assert_int_equal(kills, KILLS);
    assert_int_equal(zp_fd(client), fd);
    /* A blocking call in between takes what is under way along. */
    int64_t id;
    check(client, zp_send(client, "incr", "{\"key\":\"n\"}", NULL, 0, &id));
    server_again(&own, path);
    assert_key(client, "n", "3001");
    zp_reply *reply;
    check(client, zp_wait(client, id, PATIENCE_MS, &reply));
    assert_reply(reply, "3001");
    server_process_end(&own, SIGTERM);
    zp_client_free(client);
    free(seen);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

/* A watch waits on at the next server, with what is left of its time; a stream does not. */
static void resent_waits(void **state)
{
    struct server_process own;
    char address[64];
    zp_client *client = zp_client_new();
    const zp_watch_spec spec = {.condition = ZP_AVAILABLE, .key = "k", .want = ZP_WANT_VALUE};
    int64_t watch, late, stream, call;
    zp_reply *reply;
    (void)state;
    snprintf(address, sizeof address, "ipc://@zproc-api-waits-%d", (int)getpid());
    server_process_start(&own, address);
    zp_set_patience(client, PATIENCE_MS);
    check(client, zp_connect_begin(client, address));
    check(client, zp_send_watch(client, &spec, ZP_FOREVER, &watch));
    check(client, zp_send_watch(client, &spec, 300, &late));
    check(client, zp_send_stream(client, &spec, 9, &stream));
    check(client, zp_send(client, "serve", "{\"service\":\"s\"}", NULL, 0, &call));
    check(client, zp_ping(client, NULL, 0, NULL));
    server_again(&own, NULL);
    assert_refused(client, zp_wait(client, stream, PATIENCE_MS, &reply), ZP_UNREACHABLE, "was lost");
    assert_refused(client, zp_wait(client, call, PATIENCE_MS, &reply), ZP_UNREACHABLE, "was lost");
    assert_refused(client, zp_wait(client, late, PATIENCE_MS, &reply), ZP_TIMEOUT, "in time");
    check(client, zp_set(client, "k", "8", ZP_TEXT));
    check(client, zp_wait(client, watch, PATIENCE_MS, &reply));
    assert_reply(reply, "8");
    server_process_end(&own, SIGTERM);
    zp_client_free(client);
}

/* Nobody comes back: what was sent is answered so, and the next step fails. */
static void not_resent_for_ever(void **state)
{
    struct server_process own;
    char address[64];
    zp_client *client = zp_client_new();
    int64_t write, read;
    zp_reply *reply;
    (void)state;
    snprintf(address, sizeof address, "ipc://@zproc-api-gone-%d", (int)getpid());
    server_process_start(&own, address);
    zp_set_patience(client, 200);
    check(client, zp_connect(client, address));
    kill(own.pid, SIGSTOP);
    check(client, zp_send(client, "set", "{\"key\":\"k\"}", "1", ZP_TEXT, &write));
    server_process_end(&own, SIGKILL);
    check(client, zp_step(client));
    check(client, zp_send(client, "len", NULL, NULL, 0, &read));
    assert_refused(client, zp_wait(client, read, PATIENCE_MS, &reply), ZP_UNREACHABLE, "cannot reach");
    reply = zp_next(client);
    assert_non_null(reply);
    assert_int_equal(zp_reply_id(reply), write);
    assert_int_equal(zp_reply_code(reply), ZP_UNREACHABLE);
    assert_non_null(strstr(zp_reply_message(reply), "outcome unknown"));
    zp_reply_free(reply);
    assert_refused(client, zp_step(client), ZP_UNREACHABLE, "gone");
    assert_int_equal(zp_send(client, "len", NULL, NULL, 0, &read), ZP_UNREACHABLE);
    server_process_start(&own, address);
    check(client, zp_ping(client, NULL, 0, NULL));
    check(client, zp_step(client));
    server_process_end(&own, SIGTERM);
    zp_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resent_under_load),
        cmocka_unit_test(resent_waits),
        cmocka_unit_test(not_resent_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
