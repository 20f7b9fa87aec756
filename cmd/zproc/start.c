/* start, restart: begin workers of a run that goes on. */
#include "call.h"

static const struct option start_options[] = {CALL_ALL, CALL_TIMEOUT, RUN_OPTION, {0}};

static int ask(struct context *context, const char *what, struct err *err)
{
    AUTO_BUF struct buf json = {0};
    AUTO_VALUE struct value *answer = NULL;
    call_begin(&json, what);
    bool ok = call_names(context, 0, &json, err) && call_ask(context, &json, &answer, err) &&
              call_print(context, answer, call_print_pid, err) && call_started(answer, err);
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
