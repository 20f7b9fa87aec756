/* down: ends a run. */
#include "call.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GONE_MS 10000 /* how long the supervisor is waited for once all workers have ended */

static const struct option down_options[] = {CALL_TIMEOUT, RUN_OPTION, {0}};

/* Whether what the supervisor calls its process is one of this machine. */
static bool is_local(const struct context *context)
{
    struct err err;
    AUTO_FREE char *address = address_find(&context->args, &err);
    return address && strncmp(address, "ipc://", 6) == 0;
}

/* The socket and the files go when the supervisor does; its guardian is the last of all. */
static void wait_gone(const struct value *answer, const char *process)
{
    const struct value *number = map_get(answer, str_of(process));
    int64_t pid = number ? value_as_int(number) : 0;
    if (pid <= 1)
        return;
    AUTO_FD int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    struct pollfd item = {.fd = fd, .events = POLLIN};
    if (fd >= 0)
        (void)poll(&item, 1, GONE_MS);
}

static int run_down(struct context *context, struct err *err)
{
    AUTO_BUF struct buf json = {0};
    AUTO_VALUE struct value *answer = NULL;
    bool local = is_local(context); /* the record of the address goes too */
    call_begin(&json, "down");
    if (!call_ask(context, &json, &answer, err))
        return FAILED;
    const struct value *status = map_get(answer, STR("exit"));
    if (local) {
        wait_gone(answer, "pid");
        wait_gone(answer, "guardian");
    }
    return status ? (int)value_as_int(status) : 0;
}

const struct command cmd_down = {
    .name = "down",
    .group = GROUP_CONTROL,
    .usage = "",
    .summary = "End the run: stop everything in order",
    .notes = "Returns when it has ended. Status 0 unless something had failed before: then the run's.\n",
    .options = down_options,
    .examples = "  zproc down\n",
    .run = run_down,
};
