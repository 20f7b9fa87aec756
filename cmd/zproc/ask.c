/* The server: where it is, and questions to it. */
#include "command.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN_PATIENCE_MS 10000 /* within a run the supervisor starts a lost server again */
#define RUN_ADDRESS     ".zproc/address"
#define RUN_KEY         ".zproc/key" /* a link to the key's file */
#define ADDRESS_MAX     1024

static const char *env(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* The address that a run in this folder has written; NULL when there is none. Somebody else's file is not
 * believed. */
static char *run_address(void)
{
    AUTO_FD int fd = open(RUN_ADDRESS, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info;
    AUTO_BUF struct buf text = {0};
    if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) ||
        (info.st_uid != geteuid() && info.st_uid != 0) || !fd_read_all(fd, ADDRESS_MAX, &text, NULL))
        return NULL;
    size_t len = strcspn(text.data, "\n");
    return len > 0 ? mem_copy(text.data, len) : NULL;
}

char *address_find(const struct args *args, struct err *err)
{
    const char *given = args_value(args, "address");
    const char *address = given ? given : env("ZPROC_ADDRESS");
    if (address && strcmp(address, "none") != 0)
        return mem_text(address);
    char *found = address ? NULL : run_address();
    if (!found)
        err_set(err, ERR_UNREACHABLE,
                "no state server is known%s: use --address or ZPROC_ADDRESS; 'zproc server' starts one",
                address ? " (the address is 'none')" : "");
    return found;
}

/* The key for the server: as the options and the environment say, or that of the folder's run. */
static bool secret_find(const struct args *args, struct secret *secret, bool *given, struct err *err)
{
    struct stat info;
    if (!secret_from_env(secret, given, err))
        return false;
    bool recorded = !*given && !args_value(args, "address") && !env("ZPROC_ADDRESS") &&
                    lstat(RUN_KEY, &info) == 0 && (info.st_uid == geteuid() || info.st_uid == 0);
    *given |= recorded;
    return !recorded || secret_from_file(RUN_KEY, secret, err);
}

/* A session that was named on the command line is made; one that exists already is as good. */
static bool session_make(struct context *context, struct err *err)
{
    struct request request = {.operation = OP_session_open};
    struct reply reply;
    request_set_str(&request, FIELD_session, str_of(context->session));
    request_set_int(&request, FIELD_temporary, true);
    if (!client_ask(context->client, &request, (struct str){0}, -1, &reply, err))
        return false;
    bool fine = reply.ok || reply.error.code == ERR_CONFLICT;
    if (!fine && err)
        *err = reply.error;
    reply_release(&reply);
    return fine;
}

static bool context_connect(struct context *context, struct err *err)
{
    AUTO_FREE char *address =
        context->address ? mem_text(context->address) : address_find(&context->args, err);
    struct secret secret;
    bool keyed;
    if (!address || !secret_find(&context->args, &secret, &keyed, err))
        return false;
    int64_t patience_ms = env("ZPROC_RUN") ? RUN_PATIENCE_MS : 0;
    context->client =
        client_open_within(address, keyed ? &secret : NULL, context->timeout_ms, patience_ms, err);
    return context->client != NULL;
}

/* Sessions matter to what writes and to what moves along them. */
static bool uses_session(enum op op)
{
    return op_info(op)->kind == OP_KIND_WRITE || op == OP_watch || op == OP_stream || op == OP_ack ||
           op == OP_go_live;
}

static bool session_add(struct context *context, struct request *request, struct err *err)
{
    if (!uses_session(request->operation))
        return true;
    const char *given = args_value(&context->args, "session");
    bool first = !context->session;
    context->session = given ? given : env("ZPROC_SESSION");
    if (context->session)
        request_set_str(request, FIELD_session, str_of(context->session));
    return !first || !given || session_make(context, err);
}

static void tell_time(const struct context *context, int64_t start_us, const struct reply *reply)
{
    AUTO_BUF struct buf line = {0};
    buf_add_format(&line, "zproc: %s: revision %lld, %lld us\n", context->command->name,
                   (long long)reply->rev, (long long)(time_now_us() - start_us));
    (void)fd_write_all(STDERR_FILENO, line.data, line.len);
}

static int64_t time_left(int64_t timeout_ms, int64_t start_us)
{
    int64_t used_ms = (time_now_us() - start_us) / 1000;
    return used_ms < timeout_ms ? timeout_ms - used_ms : 0;
}

static void fields_add(const struct context *context, struct request *request)
{
    const char *name = args_value(&context->args, "namespace");
    name = name ? name : env("ZPROC_NAMESPACE");
    if (name && !request_has(request, ns))
        request_set_str(request, FIELD_ns, str_of(name));
    /* Inside of 'atomic -- CMD': what would wait for that lock is refused. */
    const char *lock = env("ZPROC_LOCK");
    bool waits = op_info(request->operation)->kind == OP_KIND_WRITE || request->operation == OP_lock;
    if (lock && waits && !request_has(request, token))
        request_set_str(request, FIELD_token, str_of(lock));
}

bool context_send(struct context *context, struct request *request, struct err *err)
{
    fields_add(context, request);
    return client_send(context->client, request, (struct str){0}, err) != 0;
}

bool context_prepare(struct context *context, struct request *request, struct err *err)
{
    if (!context->client && !context_connect(context, err))
        return false;
    fields_add(context, request);
    return session_add(context, request, err);
}

bool context_ask(struct context *context, struct request *request, struct str value, struct reply *reply,
                 struct err *err)
{
    int64_t start_us = time_now_us();
    if (!context_prepare(context, request, err))
        return false;
    int64_t timeout_ms = context->timeout_ms < 0 ? -1 : time_left(context->timeout_ms, start_us);
    start_us = time_now_us();
    if (!client_do(context->client, request, value, timeout_ms, reply, err))
        return false;
    if (context->verbose && !context->quiet)
        tell_time(context, start_us, reply);
    return true;
}

bool context_ask_all(struct context *context, struct request *request, struct buf *json, struct err *err)
{
    int64_t start_us = time_now_us();
    struct reply reply;
    if (!context_prepare(context, request, err) ||
        !client_do_all(context->client, request, context->timeout_ms, &reply, err))
        return false;
    if (context->verbose && !context->quiet)
        tell_time(context, start_us, &reply);
    buf_add_str(json, reply.value);
    request_set_int(request, FIELD_at, reply.rev);
    reply_release(&reply);
    return true;
}

bool context_ask_rest(struct context *context, struct reply *reply, struct err *err)
{
    struct pages pages = {.next = -1};
    int64_t rev = reply->rev;
    if (!reply_field(reply, "next"))
        return true;
    pages_add(&pages, reply);
    while (pages.next >= 0) {
        struct request request;
        struct reply page;
        pages_request(&pages, &request, (struct str){0});
        if (!context_ask(context, &request, (struct str){0}, &page, err)) {
            pages_release(&pages);
            return err_wrap(err, "the snapshot of revision %lld", (long long)rev);
        }
        pages_add(&pages, &page);
        reply_release(&page);
    }
    pages_give(&pages, reply);
    return true;
}

int context_do(struct context *context, struct request *request, struct str value, struct err *err)
{
    struct reply reply;
    if (!context_ask(context, request, value, &reply, err))
        return FAILED;
    reply_release(&reply);
    return 0;
}

int context_print(struct context *context, struct request *request, struct str value, struct err *err)
{
    struct reply reply;
    if (!context_ask(context, request, value, &reply, err))
        return FAILED;
    bool written = output_value(context, reply.value, err);
    reply_release(&reply);
    return written ? 0 : FAILED;
}
