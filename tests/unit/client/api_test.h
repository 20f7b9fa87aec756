/* What the tests of the public API share. */
#ifndef ZPROC_API_TEST_H
#define ZPROC_API_TEST_H

#include "unit.h"

#include <poll.h>

#include <zproc/zproc.h>

#define PATIENCE_MS 20000
#define check(client, call)                                                                                  \
    do {                                                                                                     \
        if ((call) != ZP_OK)                                                                                 \
            fail_msg("%s: %s", #call, zp_message(client));                                                   \
    } while (0)

/* Takes reply. */
static inline void assert_reply(zp_reply *reply, const char *json)
{
    size_t len;
    const char *value = zp_reply_value(reply, &len);
    assert_non_null(value);
    assert_string_equal(value, json);
    assert_int_equal(len, strlen(json));
    zp_reply_free(reply);
}

static inline void assert_key(zp_client *client, const char *key, const char *json)
{
    zp_reply *reply;
    check(client, zp_get(client, key, ZP_NOW, &reply));
    assert_reply(reply, json);
}

static inline void assert_refused(zp_client *client, enum zp_code code, enum zp_code expected,
                                  const char *part)
{
    if (code != expected || !strstr(zp_message(client), part))
        fail_msg("%s: '%s', not %s: '%s'", zp_code_name(code), zp_message(client), zp_code_name(expected),
                 part);
}

static inline zp_reply *next_reply(zp_client *client)
{
    zp_reply *reply;
    while (!(reply = zp_next(client))) {
        struct pollfd poll_fd = {.fd = zp_fd(client), .events = zp_events(client)};
        assert_true(poll(&poll_fd, 1, PATIENCE_MS) > 0);
        check(client, zp_step(client));
    }
    return reply;
}

#endif
