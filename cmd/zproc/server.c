/* server, ping and stats: a state server on its own, and questions about one. */
#include "command.h"

#include <errno.h>
#include <unistd.h>

/* ---- server ---- */

static const struct option server_options[] = {
    {0, "durability", "LEVEL",
     "what an answer to a write promises: always (synced to disk), second (synced every second), process "
     "(survives a crash of the server; default with --persist) or none (in memory; default)"},
    {0, "log-limit", "SIZE", "memory for changes that can still be watched (default 64MiB)"},
    {0, "state-limit", "SIZE", "memory for values (default 1GiB)"},
    {0, "insecure", NULL, "allow tcp beyond this machine without a secret key"},
    {0, "persist", "DIR", "keep the state in this folder, which is made when it is not there"},
    {0, "repair", NULL,
     "start with what stands before a damaged record of the folder; the rest is put aside"},
    {0},
};

static int run_server(struct context *context, struct err *err)
{
    static const struct {
        const char *name, *passed;
    } with_value[] = {{"address", "--address"},
                      {"log-limit", "--log-limit"},
                      {"state-limit", "--state-limit"},
                      {"persist", "--persist"},
                      {"durability", "--durability"}};
    static const struct {
        const char *name, *passed;
    } flags[] = {{"insecure", "--insecure"}, {"repair", "--repair"}};
    static const char *const foreign[] = {"namespace", "session", "json", "quiet", "verbose"};
    const struct args *args = &context->args;
    for (size_t i = 0; i < LENGTH_OF(foreign); i++)
        if (args_has(args, foreign[i])) {
            err_set(err, ERR_INVALID, "'--%s' has no meaning for a server", foreign[i]);
            return FAILED;
        }
    char *argv[1 + 2 * LENGTH_OF(with_value) + LENGTH_OF(flags) + 1] = {0};
    size_t count = 1;
    for (size_t i = 0; i < LENGTH_OF(with_value); i++) {
        const char *value = args_value(args, with_value[i].name);
        if (!value)
            continue;
        /* exec does not write to them, whatever its type says. */
        argv[count++] = (char *)with_value[i].passed;
        argv[count++] = (char *)value;
    }
    for (size_t i = 0; i < LENGTH_OF(flags); i++)
        if (args_has(args, flags[i].name))
            argv[count++] = (char *)flags[i].passed;
    AUTO_FREE char *program = program_find("zproc-server", err);
    if (!program)
        return FAILED;
    argv[0] = program;
    execv(program, argv);
    err_errno(err, errno, "cannot start '%s'", program);
    return FAILED;
}

const struct command cmd_server = {
    .name = "server",
    .group = GROUP_SERVER,
    .usage = "",
    .summary = "Run a state server; its address is the line that it prints",
    .notes = "Without --address it makes a new ipc address for this user.\n",
    .options = server_options,
    .examples = "  zproc server --address ipc:///tmp/state.sock\n  zproc server --address tcp://127.0.0.1:0\n"
                "  zproc server --persist /tmp/state --durability always\n",
    .run = run_server,
};

/* ---- ping ---- */

static const struct option ping_options[] = {
    {'p', "payload", "VALUE", "send this along and check that it comes back"},
    {'t', "timeout", "TIME", "wait so long at most (default: without end), then status 124"},
    VALUE_OPTIONS,
    {0},
};

static bool payload_check(const struct str sent, const struct reply *reply, struct err *err)
{
    AUTO_VALUE struct value *ours = value_parse(sent, err);
    AUTO_VALUE struct value *theirs = value_parse(reply->value, NULL);
    if (ours && theirs && value_identical(ours, theirs))
        return true;
    return err_set(err, ERR_INTERNAL, "the server sent back something else than the payload");
}

static bool pong_print(const struct reply *reply, struct err *err)
{
    const struct value *pid = reply_field(reply, "pid");
    AUTO_BUF struct buf line = {0};
    if (!pid)
        return err_set(err, ERR_INTERNAL, "the server does not tell its pid");
    value_print(&line, pid);
    buf_add_char(&line, '\n');
    return output_write(&line, err);
}

static int run_ping(struct context *context, struct err *err)
{
    struct request request = {.operation = OP_ping};
    struct reply reply;
    AUTO_BUF struct buf value = {0};
    const char *payload = args_value(&context->args, "payload");
    const char *timeout = args_value(&context->args, "timeout");
    if (payload && !value_operand(&context->args, payload, &value, err))
        return FAILED;
    if (timeout && !duration_parse(str_of(timeout), &context->timeout_ms, err)) {
        err_wrap(err, "option '--timeout'");
        return FAILED;
    }
    if (!context_ask(context, &request, payload ? buf_str(&value) : (struct str){0}, &reply, err))
        return FAILED;
    bool fine = (!payload || payload_check(buf_str(&value), &reply, err)) && pong_print(&reply, err);
    reply_release(&reply);
    return fine ? 0 : FAILED;
}

const struct command cmd_ping = {
    .name = "ping",
    .group = GROUP_SERVER,
    .usage = "",
    .summary = "Print the server's pid; with -v the time of the round trip too",
    .notes = VALUE_NOTES,
    .options = ping_options,
    .examples = "  zproc ping --timeout 1s\n",
    .run = run_ping,
};

/* ---- stats ---- */

static bool table_print(struct str json, struct err *err)
{
    AUTO_BUF struct buf text = {0};
    AUTO_VALUE struct value *map = value_parse(json, err);
    struct str name;
    struct value *item;
    if (!map)
        return false;
    for (size_t i = 0; (item = map_at(map, i, &name)); i++) {
        buf_add_format(&text, "%-20.*s ", STR_ARG(name));
        value_print(&text, item);
        buf_add_char(&text, '\n');
    }
    return output_write(&text, err);
}

static int run_stats(struct context *context, struct err *err)
{
    struct request request = {.operation = OP_stats};
    struct reply reply;
    if (context->json || !isatty(STDOUT_FILENO))
        return context_print(context, &request, (struct str){0}, err);
    if (!context_ask(context, &request, (struct str){0}, &reply, err))
        return FAILED;
    bool printed = table_print(reply.value, err);
    reply_release(&reply);
    return printed ? 0 : FAILED;
}

const struct command cmd_stats = {
    .name = "stats",
    .group = GROUP_SERVER,
    .usage = "",
    .summary = "Print figures of the server: a table on a terminal, else JSON",
    .examples = "  zproc stats --json\n",
    .run = run_stats,
};
