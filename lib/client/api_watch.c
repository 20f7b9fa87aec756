/* The public API's watches, sessions and services. */
#include "api_priv.h"

static const char *const conditions[] = {
    [ZP_CHANGE] = "change",     [ZP_EXCLUDE] = "exclude",     [ZP_WHEN] = "when",
    [ZP_EQUAL] = "equal",       [ZP_NOT_EQUAL] = "not_equal", [ZP_NONE] = "none",
    [ZP_NOT_NONE] = "not_none", [ZP_AVAILABLE] = "available", [ZP_TRUTHY] = "truthy",
    [ZP_FALSY] = "falsy",       [ZP_PREFIX] = "prefix",       [ZP_GLOB] = "glob",
};
static const char *const wants[] = {
    [ZP_WANT_EVENT] = "event", [ZP_WANT_VALUE] = "value", [ZP_WANT_SNAPSHOT] = "snapshot"};

/* ---- Watches ---- */

static void flag_set(struct request *request, enum field field, bool on)
{
    if (on)
        request_set_int(request, field, true);
}

/* *keys is the caller's to unref, after the request. False with client->err. */
static bool watch_request(zp_client *client, const zp_watch_spec *spec, struct request *request,
                          struct value **keys)
{
    client->err = (struct err){0};
    if ((size_t)spec->condition >= LENGTH_OF(conditions) || (size_t)spec->want >= LENGTH_OF(wants))
        return err_set(&client->err, ERR_INVALID, "the watch has an unknown condition or want");
    *request = (struct request){.operation = OP_watch};
    request_set_str(request, FIELD_condition, str_of(conditions[spec->condition]));
    request_set_str(request, FIELD_want, str_of(wants[spec->want]));
    if (spec->key_count > 0) {
        if (!(*keys = api_list(client, spec->keys, spec->key_count)))
            return false;
        request_set_keys(request, FIELD_keys, *keys);
    }
    if (spec->key && (spec->condition == ZP_PREFIX || spec->condition == ZP_GLOB))
        request_set_str(request, FIELD_key, str_of(spec->key));
    else if (spec->key)
        api_key(request, spec->key);
    if (spec->expression)
        request_set_str(request, FIELD_expr, str_of(spec->expression));
    flag_set(request, FIELD_live, spec->live);
    flag_set(request, FIELD_next, spec->next);
    flag_set(request, FIELD_duplicates, spec->duplicates);
    flag_set(request, FIELD_edge, spec->edge);
    if (spec->paged)
        request_set_int(request, FIELD_page, 0);
    if (spec->has_after)
        request_set_int(request, FIELD_after, spec->after);
    return true;
}

enum zp_code zp_watch(zp_client *client, const zp_watch_spec *spec, int64_t timeout_ms, zp_reply **reply)
{
    struct request request;
    AUTO_VALUE struct value *keys = NULL;
    if (reply)
        *reply = NULL;
    if (!watch_request(client, spec, &request, &keys))
        return api_fail(client);
    api_timeout(&request, timeout_ms);
    if (spec->want == ZP_WANT_SNAPSHOT)
        request_set_int(&request, FIELD_page, 0);
    if (api_ask(client, &request, str_of(spec->json), reply) != ZP_OK || !reply)
        return api_fail(client);
    int64_t revision = client->revision;
    if (api_rest(client, *reply, NULL) != ZP_OK) {
        zp_reply_free(*reply);
        *reply = NULL;
    }
    client->revision = revision;
    return api_fail(client);
}

enum zp_code zp_send_watch(zp_client *client, const zp_watch_spec *spec, int64_t timeout_ms, int64_t *id)
{
    struct request request;
    AUTO_VALUE struct value *keys = NULL;
    *id = 0;
    if (!watch_request(client, spec, &request, &keys))
        return api_fail(client);
    api_timeout(&request, timeout_ms);
    return api_send(client, &request, str_of(spec->json), id);
}

enum zp_code zp_send_stream(zp_client *client, const zp_watch_spec *spec, int64_t credit, int64_t *id)
{
    struct request request;
    AUTO_VALUE struct value *keys = NULL;
    *id = 0;
    if (!watch_request(client, spec, &request, &keys))
        return api_fail(client);
    request.operation = OP_stream;
    request_set_int(&request, FIELD_credit, credit);
    if (spec->level)
        request_set_int(&request, FIELD_edge, false);
    return api_send(client, &request, str_of(spec->json), id);
}

enum zp_code zp_credit(zp_client *client, int64_t id, int64_t credit, int64_t acknowledged)
{
    struct request request = {.operation = OP_credit};
    request_set_int(&request, FIELD_call, id);
    if (credit != 0)
        request_set_int(&request, FIELD_credit, credit);
    if (acknowledged != ZP_NOW)
        request_set_int(&request, FIELD_ack, acknowledged);
    return api_ask(client, &request, NO_VALUE, NULL);
}

/* ---- Sessions ---- */

enum zp_code zp_ack(zp_client *client, int64_t revision)
{
    struct request request = {.operation = OP_ack};
    request_set_int(&request, FIELD_ack, revision);
    return api_ask(client, &request, NO_VALUE, NULL);
}

enum zp_code zp_go_live(zp_client *client)
{
    struct request request = {.operation = OP_go_live};
    return api_ask(client, &request, NO_VALUE, NULL);
}

enum zp_code zp_session_open(zp_client *client, const char *name, int64_t revision)
{
    struct request request = {.operation = OP_session_open};
    request_set_str(&request, FIELD_session, str_of(name));
    if (revision != ZP_NOW)
        request_set_int(&request, FIELD_rev, revision);
    return api_ask(client, &request, NO_VALUE, NULL);
}

enum zp_code zp_session_open_temporary(zp_client *client, const char *name)
{
    struct request request = {.operation = OP_session_open};
    request_set_str(&request, FIELD_session, str_of(name));
    request_set_int(&request, FIELD_temporary, true);
    return api_ask(client, &request, NO_VALUE, NULL);
}

enum zp_code zp_session_close(zp_client *client, const char *name)
{
    struct request request = {.operation = OP_session_close};
    request_set_str(&request, FIELD_session, str_of(name));
    return api_ask(client, &request, NO_VALUE, NULL);
}

/* ---- Services ---- */

enum zp_code zp_call(zp_client *client, const char *service, const char *json, size_t len, int64_t timeout_ms,
                     zp_reply **reply)
{
    struct request request = {.operation = OP_call};
    request_set_str(&request, FIELD_service, str_of(service));
    api_timeout(&request, timeout_ms);
    return api_ask(client, &request, api_str(json, len), reply);
}

enum zp_code zp_serve(zp_client *client, const char *service, int64_t timeout_ms, zp_reply **reply,
                      int64_t *call)
{
    struct request request = {.operation = OP_serve};
    request_set_str(&request, FIELD_service, str_of(service));
    api_timeout(&request, timeout_ms);
    enum zp_code code = api_ask(client, &request, NO_VALUE, reply);
    *call = 0;
    if (code == ZP_OK)
        zp_reply_number(*reply, "call", call);
    return code;
}

enum zp_code zp_answer(zp_client *client, int64_t call, const char *json, size_t len)
{
    struct request request = {.operation = OP_answer};
    request_set_int(&request, FIELD_call, call);
    return api_ask(client, &request, api_str(json, len), NULL);
}

enum zp_code zp_answer_error(zp_client *client, int64_t call, enum zp_code code, const char *message)
{
    struct request request = {.operation = OP_answer};
    AUTO_BUF struct buf json = {0};
    client->err = (struct err){0};
    if (!utf8_valid(str_of(message))) {
        err_set(&client->err, ERR_INVALID, "the message is not valid UTF-8");
        return api_fail(client);
    }
    request_set_int(&request, FIELD_call, call);
    request_set_int(&request, FIELD_ok, false);
    buf_add_format(&json, "{\"error\":\"%s\",\"message\":", zp_code_name(code));
    string_print(&json, str_of(message));
    buf_add_char(&json, '}');
    return api_ask(client, &request, buf_str(&json), NULL);
}

enum zp_code zp_claim(zp_client *client)
{
    struct request request = {.operation = OP_claim};
    zp_reply *reply;
    enum zp_code code = api_ask(client, &request, NO_VALUE, &reply);
    if (code == ZP_OK)
        zp_set_token(client, zp_reply_text(reply, "token", NULL));
    zp_reply_free(reply);
    return code;
}
