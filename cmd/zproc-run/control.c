/* The socket to the guardian, and signals. The guardian sends one byte for each signal that it gets; when it
 * is gone, so is whoever started the run. */
#include "run_priv.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* A signal that reaches guardian and supervisor at about the same time (somebody signals every process of a
 * job) counts once. */
#define SAME_SIGNAL_MS 1000

static void stop_by(struct run *run, int number)
{
    run->lossy = true;
    if (!run->begun || run->over) {
        run->interrupt = number; /* nothing runs (any more): what is waited for is given up */
        run_wake(run);
        return;
    }
    output_pause(run, false);
    run_event(run, (struct sup_event){.kind = SUP_STOP, .signal = number});
}

static void signal_came(struct run *run, int number, bool direct)
{
    struct control *control = &run->control;
    int64_t now = time_now_ms();
    bool same =
        control->last_ms > 0 && control->last_direct != direct && now - control->last_ms <= SAME_SIGNAL_MS;
    control->last_ms = same ? 0 : now;
    control->last_direct = direct;
    if (same)
        return;
    if (number == SIGHUP && run->options->background >= 0)
        reload_run(run);
    else
        stop_by(run, number);
}

static void signal_caught(void *ctx, int number)
{
    signal_came(ctx, number, true);
}

static void guardian_gone(struct run *run)
{
    watcher_free(run->control.watcher);
    run->control.watcher = NULL;
    fd_close(&run->control.fd);
    run_say(run, 1, "the process that started this run has ended; stopping");
    stop_by(run, SIGTERM);
}

static void control_ready(void *ctx, short events)
{
    struct run *run = ctx;
    unsigned char bytes[64];
    (void)events;
    ssize_t got = recv(run->control.fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        guardian_gone(run);
        return;
    }
    for (ssize_t i = 0; i < got; i++)
        signal_came(run, bytes[i], false);
}

bool control_open(struct run *run, struct err *err)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < LENGTH_OF(numbers); i++)
        if (!loop_signal(run->loop, numbers[i], signal_caught, run, err))
            return false;
    run->control.fd = run->options->control;
    if (run->control.fd < 0)
        return true;
    if (!fd_set_cloexec(run->control.fd, true))
        return err_errno(err, errno, "cannot use descriptor %d of the guardian", run->control.fd);
    run->control.watcher = watcher_new(run->loop, run->control.fd, POLLIN, control_ready, run);
    return true;
}

void control_leave(struct run *run, const char *path, const char *holds)
{
    if (run->control.fd < 0)
        return;
    /* Without an allocation, which could be the end before the guardian knows. */
    if (!holds)
        holds = "";
    struct iovec parts[] = {
        {(void *)path, strlen(path)}, {(void *)"\t", 1}, {(void *)holds, strlen(holds)}, {(void *)"\n", 1}};
    struct msghdr line = {.msg_iov = parts, .msg_iovlen = LENGTH_OF(parts)};
    /* A few lines always fit; a guardian that is gone cannot clean up. */
    (void)!sendmsg(run->control.fd, &line, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void control_log(struct run *run, const char *path)
{
    if (run->control.fd < 0)
        return;
    AUTO_FREE char *line = mem_format(">%s\n", path);
    (void)!send(run->control.fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void control_close(struct run *run, bool clean)
{
    if (run->control.fd >= 0 && clean)
        (void)!send(run->control.fd, ".\n", 2, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (run->control.watcher)
        watcher_free(run->control.watcher);
    run->control.watcher = NULL;
    fd_close(&run->control.fd);
}
