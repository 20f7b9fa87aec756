/* The event loop: timers, descriptors and signals. The only file that knows libuv.
 * libuv closes its handles in a later turn, so each object is freed by its handle's close callback. */
#include "proc.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <uv.h>

struct loop {
    uv_loop_t uv;
    uv_async_t keep; /* never sent: keeps uv_run from returning when nothing else is active */
};

/* The handle is the first member of each of these: its address is the object's. */
struct timer {
    uv_timer_t handle;
    void (*fire)(void *ctx);
    void *ctx;
};

struct watcher {
    uv_poll_t handle;
    void (*ready)(void *ctx, short events);
    void *ctx;
    short events;
};

struct signal_watch {
    uv_signal_t handle;
    void (*caught)(void *ctx, int number);
    void *ctx;
};

static void handle_closed(uv_handle_t *handle)
{
    free(handle);
}

static void keep_closed(uv_handle_t *handle)
{
    (void)handle;
}

struct loop *loop_new(struct err *err)
{
    struct loop *loop = mem_new(sizeof *loop);
    int status = uv_loop_init(&loop->uv);
    if (status != 0) {
        free(loop);
        err_errno(err, -status, "cannot make the event loop");
        return NULL;
    }
    status = uv_async_init(&loop->uv, &loop->keep, NULL);
    if (status != 0) {
        uv_loop_close(&loop->uv);
        free(loop);
        err_errno(err, -status, "cannot make the event loop");
        return NULL;
    }
    return loop;
}

static void close_left(uv_handle_t *handle, void *keep)
{
    if (!uv_is_closing(handle))
        uv_close(handle, handle == keep ? keep_closed : handle_closed);
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    uv_walk(&loop->uv, close_left, &loop->keep);
    /* The close callbacks come in a turn or two, without waiting. */
    while (uv_loop_close(&loop->uv) == UV_EBUSY)
        uv_run(&loop->uv, UV_RUN_NOWAIT);
    free(loop);
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

static void timer_fired(uv_timer_t *handle)
{
    struct timer *timer = (struct timer *)handle;
    timer->fire(timer->ctx);
}

struct timer *timer_new(struct loop *loop, void (*fire)(void *ctx), void *ctx)
{
    struct timer *timer = mem_new(sizeof *timer);
    timer->fire = fire;
    timer->ctx = ctx;
    uv_timer_init(&loop->uv, &timer->handle);
    return timer;
}

void timer_set(struct timer *timer, int64_t at_ms)
{
    if (at_ms < 0) {
        uv_timer_stop(&timer->handle);
        return;
    }
    /* libuv compares with its own, cached time; that is the same clock, rounded down and never ahead of
     * it, so a delay from there ends at at_ms or later. */
    int64_t now = (int64_t)uv_now(timer->handle.loop);
    uv_timer_start(&timer->handle, timer_fired, at_ms > now ? (uint64_t)(at_ms - now) : 0, 0);
}

void timer_free(struct timer *timer)
{
    if (timer)
        uv_close((uv_handle_t *)&timer->handle, handle_closed);
}

static void watcher_start(struct watcher *watcher);

static void watcher_ready(uv_poll_t *handle, int status, int events)
{
    struct watcher *watcher = (struct watcher *)handle;
    short ready = 0;
    if (status < 0) {
        /* An error on the descriptor, for which libuv has stopped the handle. */
        watcher_start(watcher);
        ready = watcher->events;
    }
    if (events & UV_READABLE)
        ready |= POLLIN;
    if (events & UV_WRITABLE)
        ready |= POLLOUT;
    watcher->ready(watcher->ctx, ready);
}

static void watcher_start(struct watcher *watcher)
{
    int events = 0;
    if (watcher->events & POLLIN)
        events |= UV_READABLE;
    if (watcher->events & POLLOUT)
        events |= UV_WRITABLE;
    if (events)
        uv_poll_start(&watcher->handle, events, watcher_ready);
    else
        uv_poll_stop(&watcher->handle);
}

struct watcher *watcher_new(struct loop *loop, int fd, short events, void (*ready)(void *ctx, short events),
                            void *ctx)
{
    struct watcher *watcher = mem_new(sizeof *watcher);
    watcher->ready = ready;
    watcher->ctx = ctx;
    if (uv_poll_init(&loop->uv, &watcher->handle, fd) != 0) {
        free(watcher);
        return NULL;
    }
    watcher_set(watcher, events);
    return watcher;
}

void watcher_set(struct watcher *watcher, short events)
{
    watcher->events = events;
    watcher_start(watcher);
}

void watcher_free(struct watcher *watcher)
{
    if (watcher)
        uv_close((uv_handle_t *)&watcher->handle, handle_closed);
}

static void signal_caught(uv_signal_t *handle, int number)
{
    struct signal_watch *watch = (struct signal_watch *)handle;
    watch->caught(watch->ctx, number);
}

bool loop_signal(struct loop *loop, int number, void (*caught)(void *ctx, int number), void *ctx,
                 struct err *err)
{
    struct signal_watch *watch = mem_new(sizeof *watch);
    watch->caught = caught;
    watch->ctx = ctx;
    int status = uv_signal_init(&loop->uv, &watch->handle);
    if (status != 0) {
        free(watch);
        return err_errno(err, -status, "cannot catch signal %d", number);
    }
    status = uv_signal_start(&watch->handle, signal_caught, number);
    if (status != 0) {
        uv_close((uv_handle_t *)&watch->handle, handle_closed);
        return err_errno(err, -status, "cannot catch signal %d", number);
    }
    /* Whoever started us may have blocked it. */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    return true;
}
