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
    if (api_ask(client, &request, NO_VALUE, &answer) != ZP_OK)
        return api_fail(client);
    if (lock_keep(client, answer) && reply)
        *reply = answer;
    else
        zp_reply_free(answer);
    return api_fail(client);
}

/* An operation on the lock. It may be about another namespace than the client's newest. */
static enum zp_code lock_ask(zp_client *client, enum op op, struct str value)
{
    struct request request = {.operation = op};
    if (!client->lock_token) {
        err_set(&client->err, ERR_CONFLICT, "the client holds no lock");
        return api_fail(client);
    }
    request_set_str(&request, FIELD_ns, str_of(client->lock_ns));
    request_set_str(&request, FIELD_token, str_of(client->lock_token));
    enum zp_code code = api_ask(client, &request, value, NULL);
    if (code == ZP_CONFLICT || (code == ZP_OK && op != OP_renew))
        api_unlocked(client);
    return code;
}

enum zp_code zp_renew(zp_client *client)
{
    return lock_ask(client, OP_renew, NO_VALUE);
}

enum zp_code zp_commit(zp_client *client, const char *json, size_t len)
{
    return lock_ask(client, OP_commit, api_str(json, len));
}

enum zp_code zp_abort(zp_client *client)
{
    return lock_ask(client, OP_abort, NO_VALUE);
}
