/* atomic -- CMD: a command that works on the namespace while it is locked for it. */
#include "command.h"

#include "child.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define END_MS   2000 /* from SIGTERM to SIGKILL, when the lock is lost */
#define DRAIN_MS 500  /* for what the command left behind and what still has its output */

#define STATE_MAX                                                                                            \
    (1024 * 1024 * 1024) /* bytes that the command may print: the server's own limit at first                \
                          */

struct locked {
    struct context *context;
    struct child child;
    struct str token; /* borrowed from reply */
    struct reply reply;
    struct buf state; /* what the command prints */
    size_t given;     /* bytes of the snapshot that it has got */
    int64_t lease_ms;
    int64_t renew_at, kill_at, drain_until; /* monotonic; -1: not yet or not any more */
    bool ended;
    int status;
    struct err lost; /* ERR_NONE: the lock is held */
};

static bool field_read(struct locked *locked, struct err *err)
{
    const struct value *token = reply_field(&locked->reply, "token"),
                       *lease = reply_field(&locked->reply, "lease_ms");
    if (!token || value_type(token) != VALUE_STRING || !lease || value_type(lease) != VALUE_INT ||
        !locked->reply.value.data)
        return err_set(err, ERR_INTERNAL, "the server's answer has no token");
    locked->token = value_as_str(token);
    locked->lease_ms = value_as_int(lease);
    return true;
}

/* Whatever the command still does cannot count any more. */
static void lock_lost(struct locked *locked, const struct err *err)
{
    if (locked->lost.code != ERR_NONE)
        return;
    locked->lost = *err;
    locked->renew_at = -1;
    locked->kill_at = time_now_ms() + END_MS;
    child_signal(&locked->child, SIGTERM);
}

static void lock_renew(struct locked *locked)
{
    struct request request = {.operation = OP_renew};
    struct err err = {0};
    request_set_str(&request, FIELD_token, locked->token);
    locked->renew_at = time_now_ms() + locked->lease_ms * 3 / 10;
    if (!context_send(locked->context, &request, &err))
        lock_lost(locked, &err);
}

static void answers_read(struct locked *locked)
{
    struct client *client = locked->context->client;
    struct err err = {0};
    struct reply reply;
    bool alive = client_step(client, &err);
    while (client_next(client, &reply)) {
        if (!reply.ok)
            lock_lost(locked, &reply.error);
        reply_release(&reply);
    }
    if (!alive)
        lock_lost(locked, &err);
}

/* ---- The command's input and output ---- */

static void input_write(struct locked *locked)
{
    struct str snapshot = locked->reply.value;
    /* The newline behind it makes it a line for those that read lines. */
    const char *data = locked->given < snapshot.len ? snapshot.data + locked->given : "\n";
    size_t len = locked->given < snapshot.len ? snapshot.len - locked->given : 1;
    ssize_t n = write(locked->child.in, data, len);
    locked->given += n > 0 ? (size_t)n : 0;
    if ((n < 0 && errno != EAGAIN && errno != EINTR) || locked->given > snapshot.len)
        fd_close(&locked->child.in);
}

static void output_read(struct locked *locked)
{
    ssize_t n = read(locked->child.out, buf_reserve(&locked->state, 65536), 65536);
    if (n > 0)
        buf_commit(&locked->state, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        fd_close(&locked->child.out);
    if (locked->state.len > STATE_MAX) {
        struct err err = {0};
        err_set(&err, ERR_TOO_LARGE, "the new state is larger than 1 GiB; nothing was changed");
        lock_lost(locked, &err);
        fd_close(&locked->child.out);
    }
}

/* ---- The loop ---- */

static int64_t sooner(int64_t a, int64_t b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int patience(const struct locked *locked)
{
    int64_t at = sooner(sooner(locked->renew_at, locked->kill_at), locked->drain_until);
    int64_t left = at < 0 ? -1 : at - time_now_ms();
    return at < 0 ? -1 : left > 0 ? (int)left : 0;
}

static void timers(struct locked *locked)
{
    int64_t now = time_now_ms();
    if (locked->renew_at >= 0 && now >= locked->renew_at)
        lock_renew(locked);
    if (locked->kill_at >= 0 && now >= locked->kill_at) {
        child_signal(&locked->child, SIGKILL);
        locked->kill_at = -1;
    }
    if (locked->drain_until >= 0 && now >= locked->drain_until)
        fd_close(&locked->child.out);
}

/* Until the command has ended and its output too. */
static void locked_wait(struct locked *locked)
{
    while (!locked->ended || locked->child.out >= 0) {
        struct client *client = locked->context->client;
        bool held = locked->lost.code == ERR_NONE;
        struct pollfd items[] = {
            {.fd = locked->child.signals, .events = POLLIN},
            {.fd = locked->child.in, .events = POLLOUT},
            {.fd = locked->child.out, .events = POLLIN},
            {.fd = held ? client_fd(client) : -1, .events = client_events(client)},
        };
        if (poll(items, LENGTH_OF(items), patience(locked)) < 0 && errno != EINTR)
            break;
        if (items[3].revents)
            answers_read(locked);
        if (items[2].revents)
            output_read(locked);
        if (items[1].revents)
            input_write(locked);
        if (items[0].revents && child_ended(&locked->child, &locked->status)) {
            locked->ended = true;
            locked->drain_until = time_now_ms() + DRAIN_MS;
        }
        timers(locked);
    }
}

/* ---- Its end ---- */

static bool is_blank(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!strchr(" \t\r\n", text.data[i]) || !text.data[i])
            return false;
    return true;
}

static int lock_end(struct locked *locked, enum op op, struct str value, struct err *err)
{
    struct request request = {.operation = op};
    request_set_str(&request, FIELD_token, locked->token);
    return context_do(locked->context, &request, value, err);
}

/* What is new in a state: keys that are gone, and a map of those that are new or not spelled as before. */
static struct value *state_compare(const struct value *before, const struct value *after, struct buf *changed)
{
    struct value *gone = value_list(), *value;
    struct str key;
    for (size_t i = 0; map_at(before, i, &key); i++)
        if (!map_get(after, key))
            list_push(gone, value_string(key));
    buf_add_char(changed, '{');
    for (size_t i = 0; (value = map_at(after, i, &key)); i++) {
        AUTO_BUF struct buf old = {0}, new = {0};
        const struct value *was = map_get(before, key);
        if (was)
            value_print(&old, was);
        value_print(&new, value);
        if (was && str_equal(buf_str(&old), buf_str(&new)))
            continue;
        if (changed->len > 1)
            buf_add_char(changed, ',');
        string_print(changed, key);
        buf_add_char(changed, ':');
        buf_add_str(changed, buf_str(&new));
    }
    buf_add_char(changed, '}');
    return gone;
}

static bool is_map(const struct value *value)
{
    return value && value_type(value) == VALUE_MAP;
}

/* A state that does not fit into a message: of it what has changed. */
static int commit_changes(struct locked *locked, struct err *err)
{
    AUTO_VALUE struct value *after = value_parse(buf_str(&locked->state), err), *gone = NULL;
    AUTO_VALUE struct value *before = after ? value_parse(locked->reply.value, err) : NULL;
    AUTO_BUF struct buf changed = {0};
    struct request request = {.operation = OP_commit};
    if (!after || !before)
        return FAILED;
    if (!is_map(after) || !is_map(before)) {
        err_set(err, ERR_TYPE, "it must be an object, not %s", value_type_name(after));
        return FAILED;
    }
    gone = state_compare(before, after, &changed);
    if (changed.len > WIRE_FRAME_MAX) {
        err_set(err, ERR_TOO_LARGE,
                "what it changes is larger than 16 MiB; nothing was changed. Change it in several steps");
        return FAILED;
    }
    request_set_str(&request, FIELD_token, locked->token);
    request_set_int(&request, FIELD_merge, true);
    if (value_len(gone) > 0)
        request_set_keys(&request, FIELD_keys, gone);
    return context_do(locked->context, &request, buf_str(&changed), err);
}

static int locked_finish(struct locked *locked, struct err *err)
{
    if (locked->lost.code != ERR_NONE) {
        *err = locked->lost;
        return FAILED;
    }
    if (locked->status != 0) {
        struct err ignored = {0}; /* the connection's end unlocks as well */
        (void)lock_end(locked, OP_abort, (struct str){0}, &ignored);
        return locked->status;
    }
    if (is_blank(buf_str(&locked->state)))
        return lock_end(locked, OP_abort, (struct str){0}, err);
    int status = locked->state.len > WIRE_FRAME_MAX
                     ? commit_changes(locked, err)
                     : lock_end(locked, OP_commit, buf_str(&locked->state), err);
    if (status == FAILED && err->code != ERR_CONFLICT)
        err_wrap(err, "the new state");
    return status;
}

/* The tokens of all locks that the command is inside of. */
static char *tokens(struct str token)
{
    const char *outer = getenv("ZPROC_LOCK");
    return outer && *outer ? mem_format("%s %.*s", outer, STR_ARG(token))
                           : mem_format("%.*s", STR_ARG(token));
}

/* All of the snapshot; the lease is kept up meanwhile. */
static bool snapshot_read(struct locked *locked, struct err *err)
{
    struct pages pages = {.next = -1};
    pages_add(&pages, &locked->reply);
    bool read = true;
    while (read && pages.next >= 0) {
        struct request request;
        struct reply page;
        pages_request(&pages, &request, (struct str){0});
        read = context_ask(locked->context, &request, (struct str){0}, &page, err);
        if (read)
            pages_add(&pages, &page);
        reply_release(&page);
        if (read && time_now_ms() >= locked->renew_at) {
            read = lock_end(locked, OP_renew, (struct str){0}, err) == 0;
            locked->renew_at = time_now_ms() + locked->lease_ms * 3 / 10;
        }
    }
    if (read)
        pages_give(&pages, &locked->reply);
    pages_release(&pages);
    return read && field_read(locked, err);
}

static int locked_run(struct locked *locked, struct err *err)
{
    struct context *context = locked->context;
    struct request request = {.operation = OP_lock};
    request_set_int(&request, FIELD_page, 0);
    if (!context_ask(context, &request, (struct str){0}, &locked->reply, err) || !field_read(locked, err))
        return FAILED;
    locked->renew_at = time_now_ms() + locked->lease_ms * 3 / 10;
    if (reply_field(&locked->reply, "next") && !snapshot_read(locked, err))
        return FAILED;
    AUTO_FREE char *inside = tokens(locked->token);
    const char **argv = mem_array(context->args.operand_count + 1, sizeof *argv);
    memcpy(argv, context->args.operands, context->args.operand_count * sizeof *argv);
    locked->renew_at = time_now_ms() + locked->lease_ms * 3 / 10;
    bool started = child_start(&locked->child, argv, "ZPROC_LOCK", inside, &context->failure_status, err);
    free(argv);
    if (!started)
        return FAILED;
    locked_wait(locked);
    child_release(&locked->child);
    return locked_finish(locked, err);
}

int run_locked(struct context *context, struct err *err)
{
    struct locked locked = {.context = context,
                            .child = {.in = -1, .out = -1, .signals = -1},
                            .renew_at = -1,
                            .kill_at = -1,
                            .drain_until = -1};
    context->failure_status = 125;
    int status = locked_run(&locked, err);
    child_release(&locked.child);
    reply_release(&locked.reply);
    buf_release(&locked.state);
    return status;
}
