/* The public API's requests by name, and its side for event loops. */
#include "api_priv.h"

#include <limits.h>
#include <poll.h>

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
 * caller releases it, and header, which it points into. False with client->err. */
static bool request_read(zp_client *client, const char *op, const char *text, struct buf *header,
                         struct request *request)
{
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
    value_print(header, fields);
    return request_parse(buf_str(header), request, &client->err);
}

/* There would be nobody to take its second event. */
static bool stream_refuse(zp_client *client, const struct request *request)
{
    return request->operation != OP_stream ||
           err_set(&client->err, ERR_INVALID, "a stream has many replies; begin it with zp_send_stream");
}

enum zp_code zp_request(zp_client *client, const char *op, const char *fields, const char *json, size_t len,
                        zp_reply **reply)
{
    AUTO_BUF struct buf header = {0};
    struct request request;
    if (reply)
        *reply = NULL;
    if (request_read(client, op, fields, &header, &request) && stream_refuse(client, &request))
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
    AUTO_BUF struct buf header = {0};
    struct request request;
    *id = 0;
    if (request_read(client, op, fields, &header, &request))
        api_send(client, &request, api_str(json, len), id);
    request_release(&request);
    return api_fail(client);
}

static zp_reply *kept_take(zp_client *client, size_t index)
{
    zp_reply *reply = client->kept[index];
    client->kept_count--;
    memmove(client->kept + index, client->kept + index + 1,
            (client->kept_count - index) * sizeof *client->kept);
    return reply;
}

zp_reply *zp_next(zp_client *client)
{
    struct reply reply;
    if (!api_ready(client))
        return NULL;
    if (client->kept_count > 0)
        return kept_take(client, 0);
    return client_next(client->link, &reply) ? api_reply(&reply) : NULL;
}

/* The reply with this number, if it has arrived. */
static zp_reply *reply_find(zp_client *client, int64_t id)
{
    struct reply reply;
    for (size_t i = 0; i < client->kept_count; i++)
        if (zp_reply_id(client->kept[i]) == id)
            return kept_take(client, i);
    while (client_next(client->link, &reply)) {
        if (reply.id == id)
            return api_reply(&reply);
        mem_grow(client->kept, client->kept_capacity, client->kept_count);
        client->kept[client->kept_count++] = api_reply(&reply);
    }
    return NULL;
}

/* One step, when there is something to read or to write before the monotonic time (below 0: no end). */
static bool step_wait(zp_client *client, int64_t until_ms)
{
    int64_t left = until_ms < 0 ? -1 : until_ms - time_now_ms();
    if (until_ms >= 0 && left < 0)
        return err_set(&client->err, ERR_TIMEOUT, "no reply in time");
    struct pollfd poll_fd = {.fd = client_fd(client->link), .events = client_events(client->link)};
    poll(&poll_fd, 1, left > INT_MAX ? INT_MAX : (int)left);
    return client_step(client->link, &client->err);
}

static bool awaits(zp_client *client, int64_t id)
{
    if (client_fd(client->link) < 0)
        return client_step(client->link, &client->err);
    return client_awaits(client->link, id) ||
           err_set(&client->err, ERR_INVALID, "no request %lld of this connection is unanswered",
                   (long long)id);
}

enum zp_code zp_wait(zp_client *client, int64_t id, int64_t timeout_ms, zp_reply **reply)
{
    int64_t until = timeout_ms < 0 ? -1 : time_now_ms() + timeout_ms;
    zp_reply *found = NULL;
    if (reply)
        *reply = NULL;
    if (!api_ready(client))
        return api_fail(client);
    bool alive = true;
    while (!(found = reply_find(client, id))) {
        if (!alive || !awaits(client, id))
            return api_fail(client);
        alive = step_wait(client, until); /* the last step may have brought it too */
    }
    client->err = found->reply.error;
    client->revision = found->reply.ok ? found->reply.rev : client->revision;
    if (found->reply.ok && reply)
        *reply = found;
    else
        zp_reply_free(found);
    return api_fail(client);
}

enum zp_code zp_cancel(zp_client *client, int64_t id)
{
    struct request request = {.operation = OP_cancel};
    request_set_int(&request, FIELD_call, id);
    if (api_ask(client, &request, NO_VALUE, NULL) != ZP_OK)
        return api_fail(client);
    client_forget(client->link, id);
    for (size_t i = 0; i < client->kept_count;)
        if (zp_reply_id(client->kept[i]) == id)
            zp_reply_free(kept_take(client, i));
        else
            i++;
    return ZP_OK;
}
