/* Questions to the supervisor of a run: calls to its service on the state server. */
#include "call.h"

#include <poll.h>
#include <stdlib.h>

#define RETURN_MS 3000 /* that a supervisor is waited for whose run goes on */
#define AGAIN_MS  20

void call_begin(struct buf *json, const char *name)
{
    buf_add_format(json, "{\"do\":\"%s\"", name);
}

void call_text(struct buf *json, const char *name, struct str text)
{
    buf_add_format(json, ",\"%s\":", name);
    string_print(json, text);
}

bool call_names(const struct context *context, size_t first, struct buf *json, struct err *err)
{
    const struct args *args = &context->args;
    bool all = args_has(args, "all"), named = args->operand_count > first;
    if (all == named)
        return err_set(err, ERR_INVALID,
                       all ? "'--all' and names exclude each other"
                           : "no worker is named; name one or more, or use --all");
    buf_add_text(json, all ? ",\"all\":true" : ",\"names\":[");
    for (size_t i = first; i < args->operand_count; i++) {
        if (!utf8_valid(str_of(args->operands[i])))
            return err_set(err, ERR_INVALID, "a worker's name must be valid UTF-8");
        if (i > first)
            buf_add_char(json, ',');
        string_print(json, str_of(args->operands[i]));
    }
    if (!all)
        buf_add_char(json, ']');
    return true;
}

/* Within a run that run's, unless another server was named; else that of the run of this folder, or of the
 * first one on the server. */
char *call_service(struct context *context)
{
    const char *run = getenv("ZPROC_RUN"), *given = args_value(&context->args, "run");
    if (given)
        return mem_format("supervisor.%s", given);
    if (run && *run && !args_value(&context->args, "address"))
        return mem_format("supervisor.%s", run);
    AUTO_FREE char *here = records_folder_run(context);
    return here ? mem_format("supervisor.%s", here) : mem_text("supervisor");
}

/* The supervisor's own refusals have other codes. */
static bool explain_absent(const struct context *context, struct err *err)
{
    const char *given = args_value(&context->args, "run");
    if (given)
        return err_set(err, ERR_UNREACHABLE,
                       "no run '%s' goes on at this server; 'zproc ps --all' lists them", given);
    return err_set(err, ERR_UNREACHABLE,
                   "no run goes on at this server, or its first one has ended; 'zproc ps --all' lists them, "
                   "--run names one");
}

/* The supervisor comes back to a server that was started again a moment after that can be reached. */
static bool ask_service(struct context *context, const char *service, struct str json, struct reply *reply,
                        struct err *err)
{
    const char *dot = strchr(service, '.'), *run = dot ? dot + 1 : NULL;
    int64_t until = time_now_ms() + RETURN_MS;
    for (;;) {
        struct request request = {.operation = OP_call};
        request_set_str(&request, FIELD_service, str_of(service));
        if (context_ask(context, &request, json, reply, err))
            return true;
        if (err->code != ERR_NOT_FOUND || time_now_ms() > until || !records_go_on(context, run))
            return false;
        poll(NULL, 0, AGAIN_MS);
    }
}

bool call_ask(struct context *context, struct buf *json, struct value **answer, struct err *err)
{
    struct reply reply;
    const char *timeout = args_value(&context->args, "timeout");
    if (timeout && !duration_parse(str_of(timeout), &context->timeout_ms, err))
        return err_wrap(err, "option '--timeout'");
    AUTO_FREE char *service = call_service(context);
    buf_add_char(json, '}');
    if (!ask_service(context, service, buf_str(json), &reply, err))
        return err->code == ERR_NOT_FOUND ? explain_absent(context, err) : records_explain_none(context, err);
    *answer = value_parse(reply.value, err);
    reply_release(&reply);
    return *answer || err_wrap(err, "the supervisor's answer");
}

bool call_print(const struct context *context, const struct value *answer,
                void (*print)(struct buf *line, const struct value *worker), struct err *err)
{
    AUTO_BUF struct buf text = {0};
    const struct value *workers = map_get(answer, STR("workers"));
    if (context->json && workers) {
        value_print(&text, workers);
        buf_add_char(&text, '\n');
    }
    for (size_t i = 0; !context->json && workers && i < value_len(workers); i++)
        print(&text, list_at(workers, i));
    return text.len == 0 || output_write(&text, err);
}

void call_print_pid(struct buf *line, const struct value *worker)
{
    const struct value *pid = map_get(worker, STR("pid"));
    if (pid && value_as_int(pid) > 0)
        buf_add_int(line, value_as_int(pid));
    else
        buf_add_char(line, '-');
    buf_add_char(line, '\n');
}

bool call_started(const struct value *answer, struct err *err)
{
    const struct value *workers = map_get(answer, STR("workers"));
    for (size_t i = 0; workers && i < value_len(workers); i++) {
        const struct value *worker = list_at(workers, i), *why = map_get(worker, STR("error"));
        const struct value *already = map_get(worker, STR("already"));
        struct str name = value_as_str(map_get(worker, STR("name")));
        if (why)
            return err_set(err, ERR_CONFLICT, "'%.*s' did not start: %.*s", STR_ARG(name),
                           STR_ARG(value_as_str(why)));
        if (already && value_as_bool(already))
            return err_set(err, ERR_CONFLICT, "'%.*s' runs already, or waits to", STR_ARG(name));
    }
    return true;
}
