/* The end of a connection in an event loop: it is made anew, and what was not answered is asked again. The
 * caller polls one descriptor all the time, which stands for the connection and for the next try. */
#include "client_priv.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

/* The descriptor tells what the connection waits for now. */
void descriptor_set(struct client *client)
{
    if (!client->resends)
        return;
    int fd = client->conn ? conn_fd(client->conn) : -1;
    short events = client->conn ? conn_events(client->conn) : 0;
    struct epoll_event item = {.events = EPOLLIN | (events & POLLOUT ? (uint32_t)EPOLLOUT : 0)};
    if (fd >= 0 && (fd != client->watched_fd || events != client->watched_events))
        epoll_ctl(client->poll_fd, fd == client->watched_fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &item);
    client->watched_fd = fd;
    client->watched_events = events;
}

static int64_t patience_end(const struct client *client)
{
    return client->lost_ms + (client->patience_ms < RESEND_MS ? client->patience_ms : RESEND_MS);
}

/* When client_step is to be called though nothing comes. A time of 0 would mean never. */
static void timer_arm(struct client *client)
{
    int64_t at = client->given_up ? 0 : client->conn ? patience_end(client) : client->try_ms;
    int64_t left = at - time_now_ms();
    struct itimerspec when = {0};
    if (client->given_up || client->lost_ms > 0) {
        when.it_value.tv_sec = left > 0 ? left / 1000 : 0;
        when.it_value.tv_nsec = left > 0 ? left % 1000 * 1000000 : 1;
    }
    timerfd_settime(client->timer_fd, 0, &when, NULL);
}

bool client_resends(struct client *client, int64_t patience_ms, struct err *err)
{
    client->patience_ms = patience_ms;
    client->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    client->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct epoll_event item = {.events = EPOLLIN};
    if (client->poll_fd < 0 || client->timer_fd < 0 ||
        epoll_ctl(client->poll_fd, EPOLL_CTL_ADD, client->timer_fd, &item) != 0)
        return err_set(err, ERR_INTERNAL, "the system gives no descriptors to wait with");
    client->resends = true;
    descriptor_set(client);
    return true;
}

/* ---- What was sent ---- */

static int sent_order(const void *a, const void *b)
{
    int64_t left = ((const struct sent *)a)->id, right = ((const struct sent *)b)->id;
    return (left > right) - (left < right);
}

static void sent_sort(struct client *client)
{
    if (client->sent_count > 1)
        qsort(client->sent, client->sent_count, sizeof *client->sent, sent_order);
}

/* The request gets an answer of our own, and is not waited for any more. */
static void sent_fail(struct client *client, const struct sent *sent, const struct err *why)
{
    struct reply reply = {.id = sent->id, .error = *why};
    if (sent->seq > 0)
        err_wrap(&reply.error, "outcome unknown, it may have been done or not");
    reply_keep(client, &reply);
}

/* Fails all that are to fail, in order. */
static void sent_fail_some(struct client *client, bool (*fails)(const struct sent *sent),
                           const struct err *why)
{
    size_t count = 0;
    sent_sort(client);
    struct sent *all = mem_array(client->sent_count + 1, sizeof *all);
    for (size_t i = 0; i < client->sent_count; i++)
        if (fails(&client->sent[i]))
            all[count++] = client->sent[i];
    for (size_t i = 0; i < count; i++)
        sent_fail(client, &all[i], why);
    free(all);
}

static bool is_any(const struct sent *sent)
{
    (void)sent;
    return true;
}

static bool is_once(const struct sent *sent)
{
    return sent->stream || !may_resend(sent->operation);
}

static bool is_late(const struct sent *sent)
{
    return sent->lost_ms > 0 && time_now_ms() - sent->lost_ms >= RESEND_MS;
}

/* The header with what is left of the time that the server was to wait. */
static void header_print(const struct sent *sent, struct buf *header)
{
    struct str text = {sent->header, sent->header_len};
    struct request request;
    int64_t left = sent->park_until - time_now_ms();
    if (sent->park_until < 0 || !request_parse(text, &request, NULL)) {
        buf_add_str(header, text);
        return;
    }
    request_set_int(&request, FIELD_timeout_ms, left > 0 ? left : 0);
    request_print(header, &request);
    request_release(&request);
}

void sent_renew(struct client *client)
{
    struct err err = {0};
    client->lost_ms = 0;
    client->given_up = client->answered = false;
    if (!client->resends) {
        client->sent_count = 0; /* a new connection answers nothing of the old one */
        return;
    }
    err_set(&err, ERR_UNREACHABLE, "the connection to the state server at %s was lost", client->address_text);
    sent_fail_some(client, is_once, &err);
    sent_sort(client);
    for (size_t i = 0; i < client->sent_count; i++) {
        const struct sent *sent = &client->sent[i];
        AUTO_BUF struct buf header = {0};
        header_print(sent, &header);
        conn_send(client->conn, buf_str(&header), (struct str){sent->value, sent->value_len}, NULL);
    }
    conn_flush(client->conn);
    timer_arm(client);
    descriptor_set(client);
}

/* Somebody is there, and answers: what is lost from now on has all the time again. */
void sent_proven(struct client *client)
{
    if (client->answered)
        return;
    client->answered = true;
    for (size_t i = 0; i < client->sent_count; i++)
        client->sent[i].lost_ms = 0;
}

/* ---- Trying again ---- */

/* What had arrived before the end counts. */
static void replies_save(struct client *client)
{
    struct message message;
    struct reply reply;
    while (client->conn && conn_receive(client->conn, &message))
        if (reply_parse(&message, &reply, NULL)) {
            sent_proven(client);
            reply_keep(client, &reply);
        }
}

void sent_lost(struct client *client, const struct err *why)
{
    int64_t now = time_now_ms();
    replies_save(client);
    client_disconnect(client);
    if (client->lost_ms == 0) {
        client->lost_ms = client->try_ms = now;
        client->pause_ms = RETRY_LEAST_MS;
    }
    for (size_t i = 0; i < client->sent_count; i++)
        if (client->sent[i].lost_ms == 0)
            client->sent[i].lost_ms = now;
    sent_fail_some(client, is_late, why);
    timer_arm(client);
}

static void give_up(struct client *client, const struct err *why)
{
    client_disconnect(client);
    client->given_up = true;
    client->lost_ms = 0;
    sent_fail_some(client, is_any, why);
    timer_arm(client);
}

static void try_again(struct client *client, int64_t now)
{
    struct err ignored;
    int64_t since = client->lost_ms;
    client->try_ms = now + client->pause_ms;
    client->pause_ms = client->pause_ms * 2 < RETRY_MOST_MS ? client->pause_ms * 2 : RETRY_MOST_MS;
    client->conn = conn_open(&client->address, client->secret, &ignored);
    if (client->conn)
        sent_renew(client);
    client->lost_ms = since; /* until it has greeted */
    timer_arm(client);
}

static bool connection_step(struct client *client, struct err *err)
{
    if (!conn_step(client->conn, err)) {
        fail_connect(client, err);
        sent_lost(client, err);
        if (err->code != ERR_UNREACHABLE)
            give_up(client, err);
        return !client->given_up;
    }
    if (client->lost_ms > 0 && conn_is_open(client->conn)) {
        client->lost_ms = 0;
        timer_arm(client);
    }
    return true;
}

bool step_over(struct client *client, struct err *err)
{
    struct err why = {0};
    int64_t now = time_now_ms();
    *err = (struct err){0};
    if (client->given_up)
        return false;
    if (client->conn && !connection_step(client, &why)) {
        *err = why;
        return false;
    }
    if (client->lost_ms > 0 && now >= patience_end(client)) {
        err_set(err, ERR_UNREACHABLE, "cannot reach the state server at %s for %lld ms", client->address_text,
                (long long)(now - client->lost_ms));
        give_up(client, err);
        return false;
    }
    if (!client->conn && now >= client->try_ms)
        try_again(client, now);
    descriptor_set(client);
    return true;
}
