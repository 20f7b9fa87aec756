/* The client in an event loop: requests that are sent without waiting. */
#include "client_priv.h"

#include <poll.h>
#include <stdlib.h>

/* ---- What was sent ---- */

void sent_release(struct sent *sent)
{
    free(sent->header);
    free(sent->value);
    *sent = (struct sent){0};
}

static size_t sent_find(const struct client *client, int64_t id)
{
    size_t i = 0;
    while (i < client->sent_count && client->sent[i].id != id)
        i++;
    return i;
}

static void sent_delete(struct client *client, size_t index)
{
    sent_release(&client->sent[index]);
    client->sent[index] = client->sent[--client->sent_count];
}

/* Whether a reply answers something that client_send sent; if so it is no longer waited for. */
static bool sent_answered(struct client *client, const struct reply *reply)
{
    size_t i = sent_find(client, reply->id);
    if (i == client->sent_count)
        return false;
    if (!client->sent[i].stream || !reply->ok)
        sent_delete(client, i);
    return true;
}

void reply_keep(struct client *client, struct reply *reply)
{
    if (!sent_answered(client, reply)) {
        reply_release(reply);
        return;
    }
    mem_grow(client->replies, client->reply_capacity, client->reply_count);
    client->replies[client->reply_count++] = *reply;
}

static void sent_add(struct client *client, const struct request *request, struct str header,
                     struct str value, bool stream)
{
    struct sent sent = {.id = request_int(request, id),
                        .seq = request_has(request, seq) ? request_int(request, seq) : 0,
                        .stream = stream,
                        .operation = request->operation,
                        .park_until = -1};
    int64_t now = time_now_ms();
    if (request_has(request, timeout_ms) && request_int(request, timeout_ms) < INT64_MAX - now)
        sent.park_until = now + request_int(request, timeout_ms);
    if (client->resends) {
        sent.header = mem_copy(header.data, header.len);
        sent.header_len = header.len;
        sent.value = value.data ? mem_copy(value.data, value.len) : NULL;
        sent.value_len = value.len;
    }
    mem_grow(client->sent, client->sent_capacity, client->sent_count);
    client->sent[client->sent_count++] = sent;
}

/* ---- The loop's side ---- */

int client_fd(const struct client *client)
{
    return client->resends ? client->poll_fd : client->conn ? conn_fd(client->conn) : -1;
}

short client_events(const struct client *client)
{
    return client->resends ? POLLIN : client->conn ? conn_events(client->conn) : 0;
}

static bool fail_gone(const struct client *client, struct err *err)
{
    return err_set(err, ERR_UNREACHABLE, "the connection to the state server at %s is gone",
                   client->address_text);
}

bool client_step(struct client *client, struct err *err)
{
    if (client->resends)
        return step_over(client, err) || (err->code != ERR_NONE ? false : fail_gone(client, err));
    if (!client->conn)
        return fail_gone(client, err);
    return conn_step(client->conn, err) || fail_connect(client, err);
}

static int64_t client_start(struct client *client, struct request *request, struct str value, bool stream,
                            struct err *err)
{
    AUTO_BUF struct buf header = {0};
    bool returns = client->resends && !client->given_up && client->lost_ms > 0;
    if (!client->conn && !returns) {
        fail_gone(client, err);
        return 0;
    }
    if (!request_stamp(client, request, err) || !request_text(request, &header, err))
        return 0;
    if (client->conn && !conn_send(client->conn, buf_str(&header), value, err))
        return 0;
    if (client->conn)
        conn_flush(client->conn);
    sent_add(client, request, buf_str(&header), value, stream);
    descriptor_set(client);
    return request_int(request, id);
}

int64_t client_send(struct client *client, struct request *request, struct str value, struct err *err)
{
    return client_start(client, request, value, false, err);
}

int64_t client_stream(struct client *client, struct request *request, struct str value, struct err *err)
{
    return client_start(client, request, value, true, err);
}

bool client_next(struct client *client, struct reply *reply)
{
    if (client->reply_count > 0) {
        *reply = client->replies[0];
        client->reply_count--;
        memmove(client->replies, client->replies + 1, client->reply_count * sizeof *reply);
        return true;
    }
    struct message message;
    while (client->conn && conn_receive(client->conn, &message)) {
        if (!reply_parse(&message, reply, NULL))
            continue;
        sent_proven(client);
        if (sent_answered(client, reply))
            return true;
        reply_release(reply);
    }
    descriptor_set(client);
    return false;
}

bool client_awaits(const struct client *client, int64_t id)
{
    bool may = client->conn || (client->resends && !client->given_up);
    return may && sent_find(client, id) < client->sent_count;
}

void client_forget(struct client *client, int64_t id)
{
    size_t left = 0, found = sent_find(client, id);
    if (found < client->sent_count)
        sent_delete(client, found);
    for (size_t i = 0; i < client->reply_count; i++)
        if (client->replies[i].id != id)
            client->replies[left++] = client->replies[i];
        else
            reply_release(&client->replies[i]);
    client->reply_count = left;
}
