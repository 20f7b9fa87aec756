/* The public API's transactions. */
#include "api_priv.h"

static void text_set(struct request *request, enum field field, const char *text)
{
    if (text)
        request_set_str(request, field, str_of(text));
}

enum zp_code zp_txn(zp_client *client, const zp_txn_spec *spec, int64_t timeout_ms, zp_reply **reply)
{
    struct request request = {.operation = OP_txn};
    if (reply)
        *reply = NULL;
    AUTO_VALUE struct value *conditions = api_list(client, spec->conditions, spec->condition_count);
    if (!conditions)
        return api_fail(client);
    if (spec->condition_count > 0)
        request_set_keys(&request, FIELD_if, conditions);
    text_set(&request, FIELD_then, spec->then_do);
    text_set(&request, FIELD_else, spec->else_do);
    if (spec->ephemeral)
        request_set_int(&request, FIELD_ephemeral, true);
    if (spec->wait) {
        request_set_int(&request, FIELD_wait, true);
        api_timeout(&request, timeout_ms);
    }
    return api_ask(client, &request, str_of(spec->named), reply);
}
