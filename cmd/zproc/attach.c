/* attach: this terminal becomes that of a worker with `tty: true`, until it ends or the detach keys are
 * typed. */
#include "call.h"
#include "records.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#define KEYS_MAX   8
#define TYPED_MAX  4096
#define KEYS_USUAL "ctrl-p,ctrl-q"

static const struct option attach_options[] = {
    {0, "detach-keys", "KEYS", "what ends it here, like ctrl-p,ctrl-q (the default) or ctrl-]"},
    RUN_OPTION,
    {0},
};

struct attached {
    struct context *context;
    const char *name;
    char *service;
    char keys[KEYS_MAX];
    size_t key_count, held; /* so many of them were typed, and not handed on yet */
    struct termios before;
    bool raw, typing; /* our terminal is changed; there may be more input */
    int signals;      /* descriptor */
    int64_t read;     /* id of the call that waits for output, 0: none */
    int64_t at;       /* -1: from the last screenful on */
    bool detached, ended;
    int status; /* once it is over */
};

/* ---- Detach keys ---- */

static bool key_parse(struct str text, char *key)
{
    static const struct str control = {"ctrl-", 5};
    if (text.len == 1) {
        *key = text.data[0];
        return true;
    }
    if (text.len != control.len + 1 || !str_starts_with(text, control))
        return false;
    char letter = text.data[control.len];
    bool good = (letter >= 'a' && letter <= 'z') || (letter >= '@' && letter <= '_');
    *key = (char)(letter & 31);
    return good;
}

static bool keys_parse(struct attached *attached, const char *text, struct err *err)
{
    const char *next = text;
    for (;;) {
        size_t len = *next == ',' ? 1 + strcspn(next + 1, ",") : strcspn(next, ",");
        char key;
        if (attached->key_count == KEYS_MAX || !key_parse((struct str){next, len}, &key))
            return err_set(err, ERR_INVALID, "'%s' are no keys; write them like ctrl-p,ctrl-q or ctrl-]",
                           text);
        attached->keys[attached->key_count++] = key;
        if (!next[len])
            return true;
        next += len + 1;
    }
}

/* Takes what was typed; what is to be handed on is appended to out. */
static void keys_take(struct attached *attached, const char *typed, size_t len, struct buf *out)
{
    for (size_t i = 0; i < len && !attached->detached; i++) {
        if (typed[i] != attached->keys[attached->held]) {
            buf_add(out, attached->keys, attached->held); /* it was the beginning of something else */
            attached->held = 0;
        }
        if (typed[i] == attached->keys[attached->held])
            attached->held++;
        else
            buf_add_char(out, typed[i]);
        attached->detached = attached->held == attached->key_count;
    }
}

/* ---- Our terminal ---- */

static bool terminal_begin(struct attached *attached, struct err *err)
{
    sigset_t set;
    sigemptyset(&set);
    const int caught[] = {SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    for (size_t i = 0; i < LENGTH_OF(caught); i++)
        sigaddset(&set, caught[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    attached->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (attached->signals < 0)
        return err_errno(err, errno, "cannot wait for signals");
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &attached->before) != 0)
        return true;
    struct termios raw = attached->before;
    cfmakeraw(&raw);
    attached->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
    return attached->raw || err_errno(err, errno, "cannot change the terminal");
}

/* Also what the worker may have left: no cursor, colours. */
static void terminal_end(struct attached *attached)
{
    static const char reset[] = "\033[0m\033[?25h\r\n";
    if (attached->raw) {
        if (isatty(STDOUT_FILENO))
            (void)fd_write_all(STDOUT_FILENO, reset, sizeof reset - 1);
        tcsetattr(STDIN_FILENO, TCSADRAIN, &attached->before);
    }
    attached->raw = false;
    fd_close(&attached->signals);
}

/* ---- Requests ---- */

static int64_t send_call(struct attached *attached, struct buf *json, struct err *err)
{
    struct request request = {.operation = OP_call};
    buf_add_char(json, '}');
    request_set_str(&request, FIELD_service, str_of(attached->service));
    return client_send(attached->context->client, &request, buf_str(json), err);
}

static void begin(const struct attached *attached, struct buf *json, const char *what)
{
    call_begin(json, what);
    call_text(json, "name", str_of(attached->name));
}

static bool send_size(struct attached *attached, bool redraw, struct err *err)
{
    struct winsize size;
    AUTO_BUF struct buf json = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
        return true;
    begin(attached, &json, "attach.resize");
    buf_add_format(&json, ",\"rows\":%d,\"columns\":%d", size.ws_row, size.ws_col);
    if (redraw)
        buf_add_text(&json, ",\"redraw\":true");
    return send_call(attached, &json, err) != 0;
}

static bool send_read(struct attached *attached, struct err *err)
{
    struct winsize size;
    AUTO_BUF struct buf json = {0};
    begin(attached, &json, "attach.read");
    if (attached->at >= 0)
        buf_add_format(&json, ",\"at\":%lld", (long long)attached->at);
    else if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0)
        buf_add_format(&json, ",\"rows\":%d", size.ws_row - 1);
    return (attached->read = send_call(attached, &json, err)) != 0;
}

static bool send_typed(struct attached *attached, struct str bytes, struct err *err)
{
    AUTO_BUF struct buf json = {0};
    begin(attached, &json, "attach.write");
    buf_add_text(&json, ",\"data\":\"");
    base64_add(&json, bytes);
    buf_add_char(&json, '"');
    return send_call(attached, &json, err) != 0;
}

/* ---- What happens ---- */

static bool input_ready(struct attached *attached, struct err *err)
{
    char typed[TYPED_MAX];
    AUTO_BUF struct buf out = {0};
    ssize_t len = read(STDIN_FILENO, typed, sizeof typed);
    if (len < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (len <= 0) {
        attached->typing = false; /* no more is typed; what it prints is still shown */
        return true;
    }
    keys_take(attached, typed, (size_t)len, &out);
    return out.len == 0 || send_typed(attached, buf_str(&out), err);
}

static bool signal_ready(struct attached *attached, struct err *err)
{
    struct signalfd_siginfo info;
    while (read(attached->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGWINCH && !send_size(attached, false, err))
            return false;
        if (info.ssi_signo == SIGWINCH)
            continue;
        attached->ended = true;
        attached->status = 128 + (int)info.ssi_signo;
    }
    return true;
}

static bool output_take(struct attached *attached, struct str json, struct err *err)
{
    AUTO_VALUE struct value *answer = value_parse(json, err);
    const struct value *data = answer ? map_get(answer, STR("data")) : NULL;
    AUTO_BUF struct buf bytes = {0};
    if (!data || !base64_read(&bytes, value_as_str(data)))
        return err_set(err, ERR_INTERNAL, "the supervisor's answer makes no sense");
    attached->at = record_number(answer, "at");
    const struct value *ended = map_get(answer, STR("ended"));
    if (bytes.len > 0 && !output_write(&bytes, err))
        return false;
    attached->ended = ended && value_as_bool(ended);
    attached->status = (int)record_number(answer, "exit");
    return attached->ended || send_read(attached, err);
}

static bool answers_ready(struct attached *attached, struct err *err)
{
    struct reply reply;
    bool ok = client_step(attached->context->client, err);
    while (ok && !attached->ended && client_next(attached->context->client, &reply)) {
        if (!reply.ok) {
            *err = reply.error;
            ok = false;
        } else if (reply.id == attached->read) {
            ok = output_take(attached, reply.value, err);
        }
        reply_release(&reply);
    }
    return ok;
}

static bool attached_loop(struct attached *attached, struct err *err)
{
    while (!attached->detached && !attached->ended) {
        struct client *client = attached->context->client;
        struct pollfd items[] = {{.fd = client_fd(client), .events = client_events(client)},
                                 {.fd = attached->signals, .events = POLLIN},
                                 {.fd = attached->typing ? STDIN_FILENO : -1, .events = POLLIN}};
        if (poll(items, LENGTH_OF(items), -1) < 0 && errno != EINTR)
            return err_errno(err, errno, "waiting failed");
        if ((items[1].revents && !signal_ready(attached, err)) ||
            (items[2].revents && !input_ready(attached, err)) ||
            ((items[0].revents || items[2].revents) && !answers_ready(attached, err)))
            return false;
    }
    return true;
}

/* The run ended so fast that its server was gone first: its records tell how the worker ended. */
static bool end_past(struct attached *attached, const struct records *live, const struct err *err)
{
    struct records past;
    if (err->code != ERR_UNREACHABLE || !records_past(&past, live))
        return false;
    const struct value *record = map_get(past.map, str_of(attached->name));
    attached->ended = record != NULL;
    attached->status = record ? record_exit(record) : 0;
    records_release(&past);
    return attached->ended;
}

static int attach(struct attached *attached, const struct records *records, struct err *err)
{
    if (!terminal_begin(attached, err))
        return FAILED;
    bool ok = send_size(attached, true, err) && send_read(attached, err) && attached_loop(attached, err);
    terminal_end(attached);
    if (!ok && !end_past(attached, records, err))
        return FAILED;
    if (attached->detached) {
        struct err ignored;
        client_step(attached->context->client, &ignored); /* what was typed before */
        context_say(attached->context, "detached; '%s' goes on", attached->name);
    }
    return attached->detached ? 0 : attached->status;
}

static int run_attach(struct context *context, struct err *err)
{
    const char *keys = args_value(&context->args, "detach-keys");
    struct attached attached = {
        .context = context, .name = context->args.operands[0], .typing = true, .signals = -1, .at = -1};
    struct records records = {0};
    int status = FAILED;
    bool ok = keys_parse(&attached, keys ? keys : KEYS_USUAL, err) && records_read(&records, context, err);
    if (ok && records.past)
        ok = err_set(err, ERR_UNREACHABLE, "no run is going on here; 'zproc up' starts one");
    ok = ok && records_check_names(&records, &attached.name, 1, err);
    if (ok) {
        attached.service = call_service(context);
        status = attach(&attached, &records, err);
    }
    free(attached.service);
    records_release(&records);
    return status;
}

const struct command cmd_attach = {
    .name = "attach",
    .group = GROUP_CONTROL,
    .usage = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Use the terminal of a worker that has one (tty: true)",
    .notes =
        "What is typed goes to the worker, what it prints comes here, beginning with the last screenful.\n"
        "ctrl-p ctrl-q leaves it running and returns with status 0; when the worker ends, so does this, "
        "with\n"
        "its status. Several may be attached; the size is that of the one who came or changed it last.\n",
    .options = attach_options,
    .examples = "  zproc attach shell\n  zproc attach --detach-keys ctrl-] shell\n",
    .run = run_attach,
};
