/* Event after event over one stream. An event is acknowledged when it is written out, or when its command has
 * succeeded; the message that does so lets more of them come. */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define CREDIT    64          /* events under way at most */
#define OUT_BYTES (64 * 1024) /* that are collected before they are written */

struct follow {
    struct context *context;
    struct watch *watch;
    char *const *argv;           /* NULL: events are printed */
    int64_t id, left;            /* of the stream; events still wanted, <0: all */
    int64_t granted;             /* events that may still come */
    int64_t done_rev, acked_rev; /* newest events that were dealt with and acknowledged; 0: none */
    int64_t lost, start_ms;
    bool flush_each, one_by_one; /* lines; a snapshot is large */
    struct buf out;
};

static bool out_flush(struct follow *follow, struct err *err)
{
    bool written = follow->out.len == 0 || output_write(&follow->out, err);
    buf_clear(&follow->out);
    return written;
}

/* How many events may be under way: a command takes them one by one. */
static int64_t credit_most(const struct follow *follow)
{
    int64_t most = follow->argv || follow->one_by_one ? 1 : CREDIT;
    return follow->left >= 0 && follow->left < most ? follow->left : most;
}

/* ---- Events ---- */

static void say(const struct follow *follow, const char *text)
{
    AUTO_BUF struct buf line = {0};
    buf_add_format(&line, "zproc: %s: %s\n", follow->context->command->name, text);
    if (!follow->context->quiet)
        (void)fd_write_all(STDERR_FILENO, line.data, line.len);
}

static void tell_lost(struct follow *follow, const struct reply *reply, int64_t lost)
{
    AUTO_FREE char *text =
        mem_format("%lld revisions have fallen off the log before they were seen", (long long)lost);
    follow->lost += lost;
    follow->done_rev = reply->rev;
    say(follow, text);
}

/* A large snapshot comes in pages; they are there as long as its revision is in the log. */
static bool snapshot_complete(struct follow *follow, struct reply *reply, struct err *err)
{
    if (!reply_field(reply, "next"))
        return true;
    follow->one_by_one = true;
    if (context_ask_rest(follow->context, reply, err))
        return true;
    if (err->code != ERR_LOST)
        return false;
    follow->lost++;
    follow->done_rev = reply->rev;
    say(follow, err->message);
    *err = (struct err){0};
    return false;
}

/* FAILED, a command's status, or 0: go on. */
static int event_handle(struct follow *follow, struct reply *reply, struct err *err)
{
    if (!snapshot_complete(follow, reply, err))
        return err->code == ERR_NONE ? 0 : FAILED;
    if (follow->argv) {
        struct err why = {0};
        int status = handle_event(follow->argv, reply, &why);
        if (why.code != ERR_NONE)
            say(follow, why.message);
        if (status != 0)
            return status;
    } else if (!event_add(follow->context, follow->watch, reply, &follow->out, err) ||
               ((follow->flush_each || follow->out.len > OUT_BYTES) && !out_flush(follow, err))) {
        return FAILED;
    }
    follow->done_rev = reply->rev;
    if (follow->left > 0)
        follow->left--;
    return 0;
}

static int reply_handle(struct follow *follow, struct reply *reply, struct err *err)
{
    if (!reply->ok) {
        *err = reply->error;
        return FAILED;
    }
    if (reply->id != follow->id)
        return 0; /* the answer to a renewal */
    const struct value *lost = reply_field(reply, "lost");
    follow->granted--;
    if (!lost)
        return event_handle(follow, reply, err);
    tell_lost(follow, reply, value_type(lost) == VALUE_INT ? value_as_int(lost) : 0);
    return 0;
}

/* ---- Renewing and ending ---- */

/* Lets more events come and acknowledges those that were dealt with, when there is enough to tell. */
static bool renew(struct follow *follow, bool idle, struct err *err)
{
    struct request request = {.operation = OP_credit};
    int64_t missing = credit_most(follow) - follow->granted;
    bool acks = follow->context->session && follow->done_rev > follow->acked_rev;
    if (follow->left == 0 || (missing <= 0 && !acks) || (!idle && missing < CREDIT / 2))
        return true;
    if (!out_flush(follow, err))
        return false;
    request_set_int(&request, FIELD_call, follow->id);
    if (missing > 0) {
        request_set_int(&request, FIELD_credit, missing);
        follow->granted += missing;
    }
    if (acks) {
        request_set_int(&request, FIELD_ack, follow->done_rev);
        follow->acked_rev = follow->done_rev;
    }
    return client_send(follow->context->client, &request, (struct str){0}, err) != 0;
}

/* What is out is acknowledged, and the stream given up, so that who comes next finds the session free. */
static bool settle(struct follow *follow, struct err *err)
{
    struct request ack = {.operation = OP_ack}, cancel = {.operation = OP_cancel};
    if (!out_flush(follow, err))
        return false;
    request_set_int(&ack, FIELD_ack, follow->done_rev);
    if (follow->context->session && follow->done_rev > 0 &&
        context_do(follow->context, &ack, (struct str){0}, err) != 0)
        return false;
    struct err gone = {0};
    request_set_int(&cancel, FIELD_call, follow->id);
    if (context_do(follow->context, &cancel, (struct str){0}, &gone) == 0 || gone.code == ERR_NOT_FOUND)
        return true;
    *err = gone;
    return false;
}

static bool wait_more(struct follow *follow, struct err *err)
{
    struct client *client = follow->context->client;
    struct pollfd item = {.fd = client_fd(client), .events = client_events(client)};
    if (poll(&item, 1, -1) < 0 && errno != EINTR)
        return err_errno(err, errno, "waiting for events failed");
    return client_step(client, err);
}

static int follow_loop(struct follow *follow, struct err *err)
{
    struct reply reply;
    while (follow->left != 0) {
        int status = 0;
        bool idle = !client_next(follow->context->client, &reply);
        if (!idle) {
            status = reply_handle(follow, &reply, err);
            reply_release(&reply);
        }
        if (status != 0)
            return status;
        if (!renew(follow, idle || follow->argv, err) ||
            (idle && (!out_flush(follow, err) || !wait_more(follow, err))))
            return FAILED;
    }
    return 0;
}

/* Failures of ours are told from those of the command. */
static void tell_apart(const struct follow *follow, struct err *err)
{
    if (follow->argv && err_code_status(err->code) != 2 && err->code != ERR_TIMEOUT &&
        err->code != ERR_KEY_REJECTED)
        err->code = ERR_INTERNAL;
}

/* What is left of the time that the server was to wait. */
static void time_shorten(struct follow *follow)
{
    struct request *request = &follow->watch->request;
    int64_t now = time_now_ms(), used = now - follow->start_ms;
    follow->start_ms = now;
    if (request_has(request, timeout_ms))
        request_set_int(request, FIELD_timeout_ms,
                        request_int(request, timeout_ms) > used ? request_int(request, timeout_ms) - used
                                                                : 0);
}

static bool in_run(void)
{
    const char *run = getenv("ZPROC_RUN");
    return run && *run;
}

/* Within a run the stream may have to begin again where it began: at the revision that is the newest now. */
static bool place(struct follow *follow, struct err *err)
{
    struct request *request = &follow->watch->request, len = {.operation = OP_len};
    struct reply reply;
    if (!in_run() || request_has(request, after))
        return true;
    if (!context_prepare(follow->context, request, err))
        return false;
    if (follow->context->session)
        return true;
    if (!context_ask(follow->context, &len, (struct str){0}, &reply, err))
        return false;
    request->set &= ~(UINT64_C(1) << FIELD_live);
    request_set_int(request, FIELD_after, reply.rev);
    reply_release(&reply);
    return true;
}

/* Within a run a lost server comes back. The stream is asked for again, behind what was dealt with. */
static bool resume(struct follow *follow, struct err *err)
{
    struct request *request = &follow->watch->request, ack = {.operation = OP_ack};
    bool lost = err->code == ERR_UNREACHABLE && follow->context->client;
    if (!lost || !in_run() || !out_flush(follow, err))
        return false;
    client_close(follow->context->client);
    follow->context->client = NULL;
    time_shorten(follow);
    if (follow->done_rev == 0)
        return true;
    request->set &= ~(UINT64_C(1) << FIELD_live | UINT64_C(1) << FIELD_after);
    request_set_int(request, FIELD_next, true);
    if (!follow->context->session) {
        request_set_int(request, FIELD_after, follow->done_rev);
        return true;
    }
    request_set_int(&ack, FIELD_ack, follow->done_rev);
    follow->acked_rev = follow->done_rev;
    return context_do(follow->context, &ack, (struct str){0}, err) == 0;
}

static int stream_once(struct follow *follow, struct err *err)
{
    struct request *request = &follow->watch->request;
    struct str value = follow->watch->value.data ? buf_str(&follow->watch->value) : (struct str){0};
    follow->granted = credit_most(follow);
    request_set_int(request, FIELD_credit, follow->granted);
    if (!context_prepare(follow->context, request, err))
        return FAILED;
    follow->id = client_stream(follow->context->client, request, value, err);
    return follow->id ? follow_loop(follow, err) : FAILED;
}

static int follow_stream(struct follow *follow, struct err *err)
{
    int status = FAILED;
    if (place(follow, err))
        do
            status = stream_once(follow, err);
        while (status == FAILED && resume(follow, err));
    struct err ending = {0};
    bool settled = follow->id && (status >= 0 || err->code == ERR_TIMEOUT) && settle(follow, &ending);
    if (!settled && status == 0) {
        *err = ending;
        return FAILED;
    }
    return status;
}

int follow(struct context *context, struct watch *watch, char *const *argv, struct err *err)
{
    struct follow follow = {
        .context = context, .watch = watch, .argv = argv, .left = -1, .start_ms = time_now_ms()};
    follow.flush_each = isatty(STDOUT_FILENO);
    if (!args_number(&context->args, "count", &follow.left, err))
        return FAILED;
    if (follow.left == 0) {
        err_set(err, ERR_INVALID, "option '--count' needs a number of 1 or more");
        return FAILED;
    }
    watch->request.operation = OP_stream;
    if (argv) {
        request_set_str(&watch->request, FIELD_want, STR("snapshot"));
        request_set_int(&watch->request, FIELD_page, 0);
    }
    if (args_has(&context->args, "level"))
        request_set_int(&watch->request, FIELD_edge, false);
    int status = follow_stream(&follow, err);
    buf_release(&follow.out);
    if (status == FAILED)
        tell_apart(&follow, err);
    return status == 0 && follow.lost ? err_code_status(ERR_LOST) : status;
}
