/* Requests and answers over one connection; reconnects and asks again inside the caller's patience. */
#include "client_priv.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>

#define HANDSHAKE_MS 10000

/* ---- Connecting ---- */

bool fail_connect(const struct client *client, struct err *err)
{
    if (err && err->code == ERR_UNREACHABLE)
        return err_wrap(err, "cannot reach the state server at %s", client->address_text);
    if (err && err->code == ERR_KEY_REJECTED)
        return err_wrap(err, "secret key rejected by %s", client->address_text);
    return err_wrap(err, "cannot use the state server at %s", client->address_text);
}

/* Without a timeout of its own (<0) a silent server counts as one that is not there. */
static bool connect_once(struct client *client, int64_t timeout_ms, struct err *err)
{
    client->conn = conn_open(&client->address, client->secret, err);
    if (!client->conn)
        return false;
    if (conn_wait_open(client->conn, time_now_ms() + (timeout_ms < 0 ? HANDSHAKE_MS : timeout_ms), err))
        return true;
    if (err->code == ERR_TIMEOUT && timeout_ms < 0)
        err_set(err, ERR_UNREACHABLE, "it does not answer the greeting");
    conn_close(client->conn);
    client->conn = NULL;
    return false;
}

/* Tries until the monotonic time while nobody listens; at least once. */
static bool client_connect(struct client *client, int64_t timeout_ms, int64_t until_ms, struct err *err)
{
    struct err local = {0};
    int pause_ms = RETRY_LEAST_MS;
    while (!connect_once(client, timeout_ms, &local)) {
        if (local.code != ERR_UNREACHABLE || time_now_ms() >= until_ms) {
            fail_connect(client, &local);
            if (err)
                *err = local;
            return false;
        }
        poll(NULL, 0, pause_ms);
        pause_ms = pause_ms * 2 < RETRY_MOST_MS ? pause_ms * 2 : RETRY_MOST_MS;
    }
    sent_renew(client);
    return true;
}

static struct client *client_new(const char *address, const struct secret *secret, int64_t patience_ms)
{
    struct client *client = mem_new(sizeof *client);
    client->patience_ms = patience_ms;
    client->poll_fd = client->timer_fd = client->watched_fd = -1;
    client->address_text = mem_text(address);
    if (secret) {
        client->secret = mem_new(sizeof *client->secret);
        *client->secret = *secret;
    }
    return client;
}

struct client *client_begin(const char *address, const struct secret *secret, struct err *err)
{
    struct client *client = client_new(address, secret, 0);
    if (address_parse(address, &client->address, err)) {
        client->conn = conn_open(&client->address, client->secret, err);
        if (client->conn)
            return client;
        fail_connect(client, err);
    }
    client_close(client);
    return NULL;
}

struct client *client_open_within(const char *address, const struct secret *secret, int64_t timeout_ms,
                                  int64_t patience_ms, struct err *err)
{
    struct client *client = client_new(address, secret, patience_ms);
    if (address_parse(address, &client->address, err) &&
        client_connect(client, timeout_ms, patience_ms > 0 ? time_now_ms() + patience_ms : 0, err))
        return client;
    client_close(client);
    return NULL;
}

struct client *client_open(const char *address, const struct secret *secret, int64_t patience_ms,
                           struct err *err)
{
    return client_open_within(address, secret, -1, patience_ms, err);
}

void client_disconnect(struct client *client)
{
    conn_close(client->conn);
    client->conn = NULL;
    client->watched_fd = -1;
}

void client_close(struct client *client)
{
    if (!client)
        return;
    client_disconnect(client);
    for (size_t i = 0; i < client->reply_count; i++)
        reply_release(&client->replies[i]);
    for (size_t i = 0; i < client->sent_count; i++)
        sent_release(&client->sent[i]);
    fd_close(&client->poll_fd);
    fd_close(&client->timer_fd);
    free(client->replies);
    free(client->sent);
    free(client->address_text);
    if (client->secret)
        secret_wipe(client->secret);
    free(client->secret);
    free(client);
}

/* ---- Replies ---- */

void reply_release(struct reply *reply)
{
    value_unref(reply->fields);
    message_release(&reply->message);
    *reply = (struct reply){0};
}

const struct value *reply_field(const struct reply *reply, const char *name)
{
    return reply->fields ? map_get(reply->fields, str_of(name)) : NULL;
}

static bool is_a(const struct value *value, enum value_type type)
{
    return value && value_type(value) == type;
}

static void error_read(struct reply *reply)
{
    const struct value *code = reply_field(reply, "error"), *text = reply_field(reply, "message");
    struct str message = is_a(text, VALUE_STRING) ? value_as_str(text) : STR("the server gave no reason");
    AUTO_FREE char *name = is_a(code, VALUE_STRING)
                               ? mem_copy(value_as_str(code).data, value_as_str(code).len)
                               : mem_text("internal");
    /* The server cuts its messages to the size of struct err. */
    err_set(&reply->error, err_code_from_name(name), "%.*s", (int)message.len, message.data);
}

/* Takes message. */
bool reply_parse(struct message *message, struct reply *reply, struct err *err)
{
    *reply = (struct reply){.message = *message, .value = message->value};
    reply->fields = value_parse(message->header, NULL);
    const struct value *id = NULL, *ok = NULL, *rev = NULL;
    if (is_a(reply->fields, VALUE_MAP)) {
        id = reply_field(reply, "id");
        ok = reply_field(reply, "ok");
        rev = reply_field(reply, "rev");
    }
    if (!is_a(ok, VALUE_BOOL) || (id && !is_a(id, VALUE_INT)) || (rev && !is_a(rev, VALUE_INT))) {
        reply_release(reply);
        return err_set(err, ERR_INTERNAL, "the server's answer is not in the protocol's form");
    }
    reply->ok = value_as_bool(ok);
    reply->id = id ? value_as_int(id) : 0;
    reply->rev = rev ? value_as_int(rev) : 0;
    if (!reply->ok)
        error_read(reply);
    return true;
}

/* ---- Requests ---- */

static bool name_make(struct client *client, struct err *err)
{
    if (client->name[0])
        return true;
    unsigned char random[16];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return err_set(err, ERR_INTERNAL, "the system gives no random bytes");
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(client->name + 2 * i, 3, "%02x", random[i]);
    return true;
}

static int64_t oldest_seq(const struct client *client)
{
    int64_t oldest = client->last_seq;
    for (size_t i = 0; i < client->sent_count; i++)
        if (client->sent[i].seq > 0 && client->sent[i].seq < oldest)
            oldest = client->sent[i].seq;
    return oldest;
}

bool request_stamp(struct client *client, struct request *request, struct err *err)
{
    request_set_int(request, FIELD_v, 1);
    request_set_int(request, FIELD_id, ++client->last_id);
    if (op_info(request->operation)->kind != OP_KIND_WRITE)
        return true;
    if (!name_make(client, err))
        return false;
    request_set_str(request, FIELD_client, str_of(client->name));
    request_set_int(request, FIELD_seq, ++client->last_seq);
    request_set_int(request, FIELD_done, oldest_seq(client));
    return true;
}

/* Asking twice does no harm: reads, writes with a seq, and what says the same thing again. */
bool may_resend(enum op op)
{
    switch (op) {
    case OP_hello:
    case OP_ping:
    case OP_stats:
    case OP_watch:
    case OP_ack:
    case OP_go_live:
    case OP_lock: /* the first one ended with its connection */
        return true;
    default:
        return op_info(op)->kind == OP_KIND_READ || op_info(op)->kind == OP_KIND_WRITE;
    }
}

bool request_text(const struct request *request, struct buf *header, struct err *err)
{
    request_print(header, request);
    return utf8_valid(buf_str(header)) ||
           err_set(err, ERR_INVALID, "keys, names and expressions must be valid UTF-8");
}

static bool send_request(struct client *client, const struct request *request, struct str value,
                         struct err *err)
{
    AUTO_BUF struct buf header = {0};
    return request_text(request, &header, err) && conn_send(client->conn, buf_str(&header), value, err);
}

static bool wait_answer(struct client *client, int64_t id, int64_t until_ms, struct reply *reply,
                        struct err *err)
{
    for (;;) {
        struct message message;
        if (!conn_wait(client->conn, until_ms, &message, err) || !reply_parse(&message, reply, err))
            return false;
        /* A request that the server could not read is refused without its number. */
        if (reply->id == id || (!reply->ok && reply->id == 0))
            return true;
        reply_keep(client, reply);
    }
}

static bool fail_gone(const struct client *client, const struct request *request, bool named, struct err *err)
{
    if (!named)
        fail_connect(client, err);
    if (op_info(request->operation)->kind == OP_KIND_WRITE)
        return err_wrap(err, "outcome unknown, it may have been done or not");
    return false;
}

bool client_ask(struct client *client, struct request *request, struct str value, int64_t timeout_ms,
                struct reply *reply, struct err *err)
{
    struct err local = {0};
    int64_t start = time_now_ms(), until = timeout_ms < 0 ? -1 : start + timeout_ms;
    int64_t patience = client->patience_ms, resend_until = -1;
    int64_t parks = request_has(request, timeout_ms) ? request_int(request, timeout_ms) : -1;
    *reply = (struct reply){0};
    err = err ? err : &local;
    if (!client->conn && !client_connect(client, -1, patience > 0 ? start + patience : 0, err))
        return false;
    if (!request_stamp(client, request, err) || !send_request(client, request, value, err))
        return false;
    while (!wait_answer(client, request_int(request, id), until, reply, err)) {
        if (err->code == ERR_TIMEOUT)
            return false;
        if (client->resends)
            sent_lost(client, err);
        else
            client_disconnect(client);
        bool alone = client->resends || client->sent_count == 0;
        bool again = err->code == ERR_UNREACHABLE && patience > 0 && alone && may_resend(request->operation);
        int64_t now = time_now_ms();
        if (resend_until < 0)
            resend_until = now + RESEND_MS;
        int64_t give_up = now + patience < resend_until ? now + patience : resend_until;
        if (!again || now >= resend_until || !client_connect(client, -1, give_up, err))
            return fail_gone(client, request, again && now < resend_until, err);
        /* What is left of the time that the server was to wait. */
        if (parks >= 0)
            request_set_int(request, FIELD_timeout_ms, parks > now - start ? parks - (now - start) : 0);
        if (!send_request(client, request, value, err))
            return false;
    }
    return true;
}

bool client_do(struct client *client, struct request *request, struct str value, int64_t timeout_ms,
               struct reply *reply, struct err *err)
{
    if (!client_ask(client, request, value, timeout_ms, reply, err))
        return false;
    if (reply->ok)
        return true;
    if (err)
        *err = reply->error;
    reply_release(reply);
    return false;
}
