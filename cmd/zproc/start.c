/* start, restart: begin workers of a run that goes on. */
#include "call.h"

static const struct option start_options[] = {CALL_ALL, CALL_TIMEOUT, {0}};

static void print_pid(struct buf *line, const struct value *worker)
{
    const struct value *pid = map_get(worker, STR("pid"));
    if (pid && value_as_int(pid) > 0)
        buf_add_int(line, value_as_int(pid));
    else
        buf_add_char(line, '-');
    buf_add_char(line, '\n');
}

/* The first that did not start, or ran already. */
static bool find_failure(const struct value *answer, struct err *err)
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

static int ask(struct context *context, const char *what, struct err *err)
{
    AUTO_BUF struct buf json = {0};
    AUTO_VALUE struct value *answer = NULL;
    call_begin(&json, what);
    bool ok = call_names(context, 0, &json, err) && call_ask(context, &json, &answer, err) &&
              call_print(context, answer, print_pid, err) && find_failure(answer, err);
    return ok ? 0 : FAILED;
}

static int run_start(struct context *context, struct err *err)
{
    return ask(context, "start", err);
}

static int run_restart(struct context *context, struct err *err)
{
    return ask(context, "restart", err);
}

#define PRINTS                                                                                               \
    "Returns when they run, and prints a line each: the process id, - for a trigger or for one that did\n"   \
    "not start. They wait for their needs as at first; with a need that can no longer hold this fails.\n"

const struct command cmd_start = {
    .name = "start",
    .group = GROUP_CONTROL,
    .usage = "NAME... | --all",
    .operands_max = OPERANDS_ANY,
    .summary = "Start workers that have ended, were stopped, or have 'start: false'",
    .notes = CALL_NAMES PRINTS "Status 1 if one of them runs already; the others are started.\n",
    .options = start_options,
    .examples = "  zproc start web\n",
    .run = run_start,
};

const struct command cmd_restart = {
    .name = "restart",
    .group = GROUP_CONTROL,
    .usage = "NAME... | --all",
    .operands_max = OPERANDS_ANY,
    .summary = "Stop workers, in reverse order of needs, and start them again",
    .notes = CALL_NAMES PRINTS "What does not run is started.\n",
    .options = start_options,
    .examples = "  zproc restart web\n",
    .run = run_restart,
};
