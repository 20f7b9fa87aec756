/* Timers, watchers and signals of the event loop. */
#include "world.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct tick {
    struct world *world;
    struct timer *timer;
    int64_t at, fired_at;
    int count;
};

static void tick_fire(void *ctx)
{
    struct tick *tick = ctx;
    tick->fired_at = time_now_ms();
    tick->count++;
    world_check(tick->world);
}

static bool tick_is_done(void *ctx)
{
    const struct tick *tick = ctx;
    return tick->count > 0;
}

static void timers_are_never_early(void **state)
{
    struct tick tick = {.world = *state};
    tick.timer = timer_new(tick.world->loop, tick_fire, &tick);
    for (int i = 0; i < 50; i++) {
        tick.count = 0;
        /* The loop's cached time grows old meanwhile. */
        for (int64_t until = time_now_us() + i * 50; time_now_us() < until;)
            ;
        tick.at = time_now_ms() + i % 7;
        timer_set(tick.timer, tick.at);
        world_until(tick.world, tick_is_done, &tick);
        assert_true(tick.fired_at >= tick.at);
        assert_int_equal(tick.count, 1);
    }
    timer_free(tick.timer);
}

static void timers_fire_in_order_and_can_be_unset(void **state)
{
    struct tick first = {.world = *state}, second = first, never = first;
    struct loop *loop = first.world->loop;
    first.timer = timer_new(loop, tick_fire, &first);
    second.timer = timer_new(loop, tick_fire, &second);
    never.timer = timer_new(loop, tick_fire, &never);
    int64_t now = time_now_ms();
    timer_set(second.timer, now + 60);
    timer_set(never.timer, now + 10);
    timer_set(first.timer, now + 1000000);
    timer_set(first.timer, now + 20);
    timer_set(never.timer, -1);
    world_until(second.world, tick_is_done, &second);
    assert_int_equal(first.count, 1);
    assert_int_equal(never.count, 0);
    assert_true(first.fired_at <= second.fired_at);
    timer_free(first.timer);
    timer_free(second.timer);
    timer_free(never.timer);
    timer_free(NULL);
}

static void tick_fire_and_stop(void *ctx)
{
    struct tick *tick = ctx;
    tick_fire(tick);
    loop_stop(tick->world->loop);
}

static void tick_fire_and_free(void *ctx)
{
    struct tick *tick = ctx;
    timer_free(tick->timer);
    tick_fire(tick);
}

static void timer_freed_by_itself(void **state)
{
    struct tick tick = {.world = *state};
    tick.timer = timer_new(tick.world->loop, tick_fire_and_free, &tick);
    timer_set(tick.timer, 0);
    world_until(tick.world, tick_is_done, &tick);
}

/* With a timer far away and idle descriptors the loop sleeps once. */
static void idle_loop_sleeps(void **state)
{
    struct tick tick = {.world = *state};
    tick.timer = timer_new(tick.world->loop, tick_fire_and_stop, &tick);
    struct rusage before, after;
    timer_set(tick.timer, time_now_ms() + 300);
    getrusage(RUSAGE_SELF, &before);
    loop_run(tick.world->loop);
    getrusage(RUSAGE_SELF, &after);
    assert_in_range(after.ru_nvcsw - before.ru_nvcsw, 1, 5);
    timer_free(tick.timer);
}

struct ends {
    struct world *world;
    int fd[2];
    struct watcher *watcher;
    int readable, writable;
    bool free_when_ready;
};

static void on_ready(void *ctx, short events)
{
    struct ends *ends = ctx;
    char byte;
    if (events & POLLIN) {
        ends->readable++;
        if (read(ends->fd[0], &byte, 1) < 0)
            ends->readable = -1000;
    }
    if (events & POLLOUT) {
        ends->writable++;
        watcher_set(ends->watcher, POLLIN);
    }
    if (ends->free_when_ready) {
        watcher_free(ends->watcher);
        ends->watcher = NULL;
    }
    world_check(ends->world);
}

static bool is_writable(void *ctx)
{
    return ((const struct ends *)ctx)->writable > 0;
}

static bool is_readable_thrice(void *ctx)
{
    return ((const struct ends *)ctx)->readable >= 3;
}

static void watchers(void **state)
{
    struct ends ends = {.world = *state};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.fd), 0);
    ends.watcher = watcher_new(ends.world->loop, ends.fd[0], POLLIN | POLLOUT, on_ready, &ends);
    world_until(ends.world, is_writable, &ends);
    assert_int_equal(ends.readable, 0);
    assert_int_equal(write(ends.fd[1], "ab", 2), 2);
    close(ends.fd[1]); /* the end is the third time */
    world_until(ends.world, is_readable_thrice, &ends);
    assert_int_equal(ends.writable, 1);
    watcher_free(ends.watcher);
    close(ends.fd[0]);
}

static bool is_freed(void *ctx)
{
    return ((const struct ends *)ctx)->watcher == NULL;
}

/* The reader of a pipe is gone: that is an error on its writing end. */
static void watcher_sees_an_error(void **state)
{
    struct ends ends = {.world = *state, .free_when_ready = true};
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    close(fds[0]);
    ends.watcher = watcher_new(ends.world->loop, fds[1], POLLOUT, on_ready, &ends);
    world_until(ends.world, is_freed, &ends);
    assert_int_equal(ends.writable, 1);
    close(fds[1]);
}

static void watcher_of_a_file(void **state)
{
    struct world *world = *state;
    FILE *file = tmpfile();
    assert_null(watcher_new(world->loop, fileno(file), POLLIN, on_ready, NULL));
    fclose(file);
}

struct caught {
    struct world *world;
    int number;
};

static void on_signal(void *ctx, int number)
{
    struct caught *caught = ctx;
    caught->number = number;
    world_check(caught->world);
}

static bool is_caught(void *ctx)
{
    return ((const struct caught *)ctx)->number != 0;
}

static void signals_even_if_blocked_before(void **state)
{
    struct caught caught = {.world = *state};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    assert_true(loop_signal(caught.world->loop, SIGUSR2, on_signal, &caught, NULL));
    raise(SIGUSR2);
    world_until(caught.world, is_caught, &caught);
    assert_int_equal(caught.number, SIGUSR2);
    struct err err = {0};
    assert_false(loop_signal(caught.world->loop, SIGKILL, on_signal, &caught, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
}

static void left_over_handles_are_freed(void **state)
{
    (void)state;
    struct loop *loop = loop_new(NULL);
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_non_null(timer_new(loop, tick_fire, NULL));
    assert_non_null(watcher_new(loop, fds[0], POLLIN, on_ready, NULL));
    loop_free(loop);
    loop_free(NULL);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(timers_are_never_early),
        TEST(timers_fire_in_order_and_can_be_unset),
        TEST(timer_freed_by_itself),
        TEST(idle_loop_sleeps),
        TEST(watchers),
        TEST(watcher_sees_an_error),
        TEST(watcher_of_a_file),
        TEST(signals_even_if_blocked_before),
        TEST(left_over_handles_are_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
