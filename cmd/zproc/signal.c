/* signal: sends a signal to workers of a run. */
#include "call.h"

#include <signal.h>
#include <strings.h>

static const struct option signal_options[] = {CALL_ALL, RUN_OPTION, {0}};

/* TERM, SIGTERM or 15. */
static bool read_signal(const char *text, int *number, struct err *err)
{
    size_t len = strlen(text);
    const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
    *number = 0;
    if (len > 0 && len <= 2 && strspn(text, "0123456789") == len)
        sscanf(text, "%d", number);
    for (int i = 1; *number == 0 && i < SIGRTMIN; i++) {
        const char *known = sigabbrev_np(i);
        if (known && strcasecmp(known, name) == 0)
            *number = i;
    }
    if (*number > 0 && *number <= SIGRTMAX)
        return true;
    return err_set(err, ERR_INVALID,
                   "'%.100s' is not a signal; a name like HUP or a number comes first, then the workers",
                   text);
}

static int run_signal(struct context *context, struct err *err)
{
    AUTO_BUF struct buf json = {0};
    AUTO_VALUE struct value *answer = NULL;
    int number;
    if (!read_signal(context->args.operands[0], &number, err))
        return FAILED;
    call_begin(&json, "signal");
    buf_add_format(&json, ",\"signal\":%d", number);
    if (!call_names(context, 1, &json, err) || !call_ask(context, &json, &answer, err))
        return FAILED;
    const struct value *reached = map_get(answer, STR("signalled"));
    if (reached && value_as_int(reached) > 0)
        return 0;
    err_set(err, ERR_CONFLICT, "none of these workers runs; 'zproc ps' shows which do");
    return FAILED;
}

const struct command cmd_signal = {
    .name = "signal",
    .group = GROUP_CONTROL,
    .usage = "SIGNAL NAME... | SIGNAL --all",
    .operands_min = 1,
    .operands_max = OPERANDS_ANY,
    .summary = "Send a signal to the processes of workers",
    .notes = CALL_NAMES "It goes to the process group. Status 1 when none of them runs.\n",
    .options = signal_options,
    .examples = "  zproc signal HUP web\n  zproc signal 10 --all\n",
    .run = run_signal,
};
