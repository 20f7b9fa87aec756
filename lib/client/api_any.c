/* The public API's requests by name, and its side for event loops. */
#include "api_priv.h"

/* What the library fills in itself. */
static bool field_own(struct str name)
{
    static const enum field own[] = {FIELD_v, FIELD_id, FIELD_op, FIELD_client, FIELD_seq, FIELD_done};
    for (size_t i = 0; i < LENGTH_OF(own); i++)
        if (str_is(name, field_info(own[i])->name))
            return true;
    return false;
}

/* The caller's fields as a map that may be changed; NULL with err. */
static struct value *fields_read(const char *text, struct err *err)
{
    if (!text)
        return value_map();
    AUTO_VALUE struct value *fields = value_parse(str_of(text), err);
    if (!fields) {
        err_wrap(err, "the fields");
        return NULL;
    }
    if (value_type(fields) != VALUE_MAP) {
        err_set(err, ERR_INVALID, "the fields must be a JSON object");
        return NULL;
    }
    struct str name;
    for (size_t i = 0; map_at(fields, i, &name); i++) {
        if (!field_own(name))
            continue;
        err_set(err, ERR_INVALID, "the field '%.*s' is the library's own", STR_ARG(name));
        return NULL;
    }
    return value_copy(fields);
}

/* The request says all that the server would check, so that mistakes are told before anything is sent. The
 * caller releases it. False with client->err. */
static bool request_read(zp_client *client, const char *op, const char *text, struct request *request)
{
    AUTO_BUF struct buf header = {0};
    client->err = (struct err){0};
    *request = (struct request){0};
    if (!utf8_valid(str_of(op)))
        return err_set(&client->err, ERR_INVALID, "the operation's name is not valid UTF-8");
    AUTO_VALUE struct value *fields = fields_read(text, &client->err);
    if (!fields)
        return false;
    const char *session = api_session(op_from_name(str_of(op))) ? client->session : NULL;
    map_set(fields, STR("v"), value_int(1));
    map_set(fields, STR("id"), value_int(0));
    map_set(fields, STR("op"), value_string(str_of(op)));
    if (session && !map_get(fields, STR("session")) && utf8_valid(str_of(session)))
        map_set(fields, STR("session"), value_string(str_of(session)));
    value_print(&header, fields);
    return request_parse(buf_str(&header), request, &client->err);
}

enum zp_code zp_request(zp_client *client, const char *op, const char *fields, const char *json, size_t len,
                        zp_reply **reply)
{
    struct request request;
    if (reply)
        *reply = NULL;
    if (request_read(client, op, fields, &request))
        api_ask(client, &request, api_str(json, len), reply);
    request_release(&request);
    return api_fail(client);
}

/* ---- For event loops ---- */

int zp_fd(const zp_client *client)
{
    return client->link ? client_fd(client->link) : -1;
}

short zp_events(const zp_client *client)
{
    return client->link ? client_events(client->link) : 0;
}

enum zp_code zp_step(zp_client *client)
{
    if (api_ready(client))
        client_step(client->link, &client->err);
    return api_fail(client);
}

enum zp_code zp_send(zp_client *client, const char *op, const char *fields, const char *json, size_t len,
                     int64_t *id)
{
    struct request request;
    *id = 0;
    if (request_read(client, op, fields, &request))
        api_send(client, &request, api_str(json, len), id);
    request_release(&request);
    return api_fail(client);
}

zp_reply *zp_next(zp_client *client)
{
    struct reply reply;
    return api_ready(client) && client_next(client->link, &reply) ? api_reply(&reply) : NULL;
}

enum zp_code zp_cancel(zp_client *client, int64_t id)
{
    struct request request = {.operation = OP_cancel};
    request_set_int(&request, FIELD_call, id);
    if (api_ask(client, &request, NO_VALUE, NULL) == ZP_OK)
        client_forget(client->link, id);
    return api_fail(client);
}
