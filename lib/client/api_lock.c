/* The public API's locks: the client keeps the token. */
#include "api_priv.h"

#include <stdlib.h>

void api_unlocked(zp_client *client)
{
    free(client->lock_ns);
    free(client->lock_token);
    client->lock_ns = client->lock_token = NULL;
}

/* Takes nothing; the answer has the token. */
static bool lock_keep(zp_client *client, const zp_reply *reply)
{
    const char *token = zp_reply_text(reply, "token", NULL);
    if (!token)
        return err_set(&client->err, ERR_INTERNAL, "the server's answer is not in the protocol's form");
    client->lock_ns = mem_text(client->ns ? client->ns : "default");
    client->lock_token = mem_text(token);
    return true;
}

/* An operation on the lock. It may be about another namespace than the client's newest. */
static enum zp_code lock_ask(zp_client *client, struct request *request, struct str value)
{
    if (!client->lock_token) {
        err_set(&client->err, ERR_CONFLICT, "the client holds no lock");
        return api_fail(client);
    }
    request_set_str(request, FIELD_ns, str_of(client->lock_ns));
    request_set_str(request, FIELD_token, str_of(client->lock_token));
    enum zp_code code = api_ask(client, request, value, NULL);
    if (code == ZP_CONFLICT || (code == ZP_OK && request->operation != OP_renew))
        api_unlocked(client);
    return code;
}

enum zp_code zp_renew(zp_client *client)
{
    struct request request = {.operation = OP_renew};
    return lock_ask(client, &request, NO_VALUE);
}

/* The lease is kept up while a large namespace is read. */
static bool between_pages(zp_client *client)
{
    return zp_renew(client) == ZP_OK;
}

enum zp_code zp_lock(zp_client *client, int64_t timeout_ms, zp_reply **reply)
{
    struct request request = {.operation = OP_lock};
    zp_reply *answer;
    if (reply)
        *reply = NULL;
    if (client->lock_token) {
        err_set(&client->err, ERR_BUSY, "the client holds the lock of namespace '%s'", client->lock_ns);
        return api_fail(client);
    }
    api_timeout(&request, timeout_ms);
    request_set_int(&request, FIELD_page, 0);
    if (api_ask(client, &request, NO_VALUE, &answer) != ZP_OK)
        return api_fail(client);
    bool locked = lock_keep(client, answer);
    if (locked && reply && api_rest(client, answer, between_pages) == ZP_OK) {
        *reply = answer;
        return ZP_OK;
    }
    zp_reply_free(answer);
    if (locked && reply) {
        struct err why = client->err; /* the lock without its snapshot is of no use */
        if (client->lock_token)
            zp_abort(client);
        client->err = why;
    }
    return api_fail(client);
}

enum zp_code zp_commit(zp_client *client, const char *json, size_t len)
{
    struct request request = {.operation = OP_commit};
    return lock_ask(client, &request, api_str(json, len));
}

enum zp_code zp_commit_changes(zp_client *client, const char *json, size_t len, const char *const *deleted,
                               size_t count)
{
    struct request request = {.operation = OP_commit};
    AUTO_VALUE struct value *keys = count > 0 ? api_list(client, deleted, count) : NULL;
    if (count > 0 && !keys)
        return api_fail(client);
    request_set_int(&request, FIELD_merge, true);
    if (keys)
        request_set_keys(&request, FIELD_keys, keys);
    return lock_ask(client, &request, api_str(json, len));
}

enum zp_code zp_abort(zp_client *client)
{
    struct request request = {.operation = OP_abort};
    return lock_ask(client, &request, NO_VALUE);
}
