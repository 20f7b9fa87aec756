/* The public API's reads, and questions to the server. */
#include "api_priv.h"

/* {0} but for the operation, and the revision unless that is the newest. */
static struct request read_request(enum op op, int64_t at)
{
    struct request request = {.operation = op};
    if (at != ZP_NOW)
        request_set_int(&request, FIELD_at, at);
    return request;
}

static enum zp_code read_all(zp_client *client, enum op op, int64_t at, zp_reply **reply)
{
    struct request request = read_request(op, at);
    struct reply answer;
    if (reply)
        *reply = NULL;
    if (!api_ready(client))
        return api_fail(client);
    api_stamp(client, &request);
    if (!client_do_all(client->link, &request, client->timeout_ms, &answer, &client->err))
        return api_fail(client);
    client->revision = answer.rev;
    if (reply)
        *reply = api_reply(&answer);
    else
        reply_release(&answer);
    return ZP_OK;
}

enum zp_code api_rest(zp_client *client, zp_reply *reply, bool (*between)(zp_client *client))
{
    struct pages pages = {.next = -1};
    enum zp_code code = ZP_OK;
    if (!reply_field(&reply->reply, "next"))
        return ZP_OK;
    pages_add(&pages, &reply->reply);
    while (code == ZP_OK && pages.next >= 0) {
        struct request request;
        zp_reply *page;
        pages_request(&pages, &request, (struct str){0});
        code = api_ask(client, &request, NO_VALUE, &page);
        if (code == ZP_OK)
            pages_add(&pages, &page->reply);
        zp_reply_free(page);
        if (code == ZP_OK && between && !between(client))
            code = api_fail(client);
    }
    if (code == ZP_OK)
        pages_give(&pages, &reply->reply);
    pages_release(&pages);
    return code;
}

enum zp_code zp_get(zp_client *client, const char *key, int64_t at, zp_reply **reply)
{
    struct request request = read_request(OP_get, at);
    api_key(&request, key);
    return api_ask(client, &request, NO_VALUE, reply);
}

enum zp_code zp_get_or(zp_client *client, const char *key, const char *json, size_t len, zp_reply **reply)
{
    struct request request = read_request(OP_get, ZP_NOW);
    api_key(&request, key);
    return api_ask(client, &request, api_str(json, len), reply);
}

enum zp_code zp_get_all(zp_client *client, int64_t at, zp_reply **reply)
{
    return read_all(client, OP_get, at, reply);
}

enum zp_code zp_keys(zp_client *client, int64_t at, zp_reply **reply)
{
    return read_all(client, OP_keys, at, reply);
}

enum zp_code zp_values(zp_client *client, int64_t at, zp_reply **reply)
{
    return read_all(client, OP_values, at, reply);
}

enum zp_code zp_items(zp_client *client, int64_t at, zp_reply **reply)
{
    return read_all(client, OP_items, at, reply);
}

enum zp_code zp_items_page(zp_client *client, int64_t at, int64_t page, zp_reply **reply, int64_t *next)
{
    struct request request = read_request(OP_items, at);
    zp_reply *answer;
    if (reply)
        *reply = NULL;
    *next = -1;
    request_set_int(&request, FIELD_page, page);
    if (api_ask(client, &request, NO_VALUE, &answer) != ZP_OK)
        return api_fail(client);
    if (!zp_reply_number(answer, "next", next))
        *next = -1;
    if (reply)
        *reply = answer;
    else
        zp_reply_free(answer);
    return ZP_OK;
}

enum zp_code zp_namespaces(zp_client *client, zp_reply **reply)
{
    struct request request = {.operation = OP_namespaces};
    return api_ask(client, &request, NO_VALUE, reply);
}

/* Asks for a value of a type that C has; NULL with client->err when there is none. The caller unrefs. */
static struct value *ask_value(zp_client *client, struct request *request, enum value_type type)
{
    zp_reply *reply;
    if (api_ask(client, request, NO_VALUE, &reply) != ZP_OK)
        return NULL;
    struct value *value = value_parse(reply->reply.value, NULL);
    zp_reply_free(reply);
    if (value && value_type(value) == type)
        return value;
    value_unref(value);
    err_set(&client->err, ERR_INTERNAL, "the server's answer is not in the protocol's form");
    return NULL;
}

enum zp_code zp_has(zp_client *client, const char *key, int64_t at, bool *found)
{
    struct request request = read_request(OP_has, at);
    api_key(&request, key);
    AUTO_VALUE struct value *value = ask_value(client, &request, VALUE_BOOL);
    *found = value && value_as_bool(value);
    return api_fail(client);
}

enum zp_code zp_len(zp_client *client, int64_t at, int64_t *count)
{
    struct request request = read_request(OP_len, at);
    AUTO_VALUE struct value *value = ask_value(client, &request, VALUE_INT);
    *count = value ? value_as_int(value) : 0;
    return api_fail(client);
}

enum zp_code zp_eval(zp_client *client, const char *expression, const char *named, zp_reply **reply)
{
    struct request request = {.operation = OP_eval};
    request_set_str(&request, FIELD_expr, str_of(expression));
    return api_ask(client, &request, str_of(named), reply);
}

enum zp_code zp_hello(zp_client *client, zp_reply **reply)
{
    struct request request = {.operation = OP_hello};
    return api_ask(client, &request, NO_VALUE, reply);
}

enum zp_code zp_ping(zp_client *client, const char *json, size_t len, zp_reply **reply)
{
    struct request request = {.operation = OP_ping};
    return api_ask(client, &request, api_str(json, len), reply);
}

enum zp_code zp_stats(zp_client *client, zp_reply **reply)
{
    struct request request = {.operation = OP_stats};
    return api_ask(client, &request, NO_VALUE, reply);
}
