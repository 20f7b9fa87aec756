/* watch-counter KEY GOAL: prints what KEY counts, each change exactly once, until it has reached GOAL. */
#include <stdio.h>
#include <stdlib.h>
#include <zproc/zproc.h>

static int fail(zp_client *client, enum zp_code code)
{
    fprintf(stderr, "watch-counter: %s\n", zp_message(client));
    zp_client_free(client);
    return code;
}

int main(int argc, char **argv)
{
    zp_client *client = zp_client_new();
    zp_watch_spec spec = {.condition = ZP_NOT_NONE, .want = ZP_WANT_VALUE};
    enum zp_code code;
    long count = 0, goal = argc == 3 ? atol(argv[2]) : 0;

    if (argc != 3) {
        zp_client_free(client);
        return ZP_INVALID;
    }
    spec.key = argv[1];
    if ((code = zp_connect_env(client)) != ZP_OK)
        return fail(client, code);
    /* The session's cursor remembers how far we are, also when this program is started again. */
    code = zp_session_open(client, "watch-counter", 0);
    if (code != ZP_OK && code != ZP_CONFLICT)
        return fail(client, code);
    zp_set_session(client, "watch-counter");

    while (count < goal) {
        zp_reply *reply;
        if ((code = zp_watch(client, &spec, ZP_FOREVER, &reply)) != ZP_OK)
            return fail(client, code);
        count = atol(zp_reply_value(reply, NULL));
        printf("%ld\n", count);
        fflush(stdout);
        code = zp_ack(client, zp_reply_revision(reply));
        zp_reply_free(reply);
        if (code != ZP_OK)
            return fail(client, code);
    }
    zp_client_free(client);
    return 0;
}
