/* The wall clock: tells sup when it is set, or the machine has slept, for the schedules that go by it. */
#include "run_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* A time that never comes: only a step of the clock ends the wait. */
static bool clock_arm(int fd)
{
    const struct itimerspec never = {.it_value = {.tv_sec = INT32_MAX * (time_t)64}};
    return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) == 0;
}

static void clock_was_set(void *ctx, short events)
{
    struct run *run = ctx;
    uint64_t count;
    (void)events;
    if (read(run->clock, &count, sizeof count) < 0 && errno == EAGAIN)
        return;
    clock_arm(run->clock);
    run_event(run, (struct sup_event){.kind = SUP_CLOCK});
}

static bool goes_by_clock(const struct plan *plan)
{
    for (size_t i = 0; i < plan->worker_count; i++)
        if (plan->workers[i].schedule.calendar)
            return true;
    return false;
}

void clock_open(struct run *run)
{
    if (!goes_by_clock(run->plan))
        return;
    run->clock = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (run->clock >= 0 && clock_arm(run->clock))
        run->clock_watcher = watcher_new(run->loop, run->clock, POLLIN, clock_was_set, run);
    if (!run->clock_watcher)
        run_say(run, 1, "steps of the clock go unnoticed until the next time of 'cron': %s", strerror(errno));
}

void clock_close(struct run *run)
{
    if (run->clock_watcher)
        watcher_free(run->clock_watcher);
    if (run->clock > 0)
        fd_close(&run->clock);
}
