/* Our own stdout and stderr. A reader that is slow must not hold up the loop (signals, children): bytes queue
 * here, and while the queue is long the workers that fill it are paused. */
#include "run_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUEUE_FULL  (1024 * 1024)
#define QUEUE_SPACE (256 * 1024)
#define SIGNAL_MS   1000 /* after a signal: how long a reader is waited for at the end */

/* O_NONBLOCK on what we were given would change it for the shell too; a pipe or a terminal can be opened once
 * more, with flags of its own. */
static void reopen(struct sink *sink)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", sink->fd);
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0)
        sink->fd = sink->ready = fd;
    sink->own = fd >= 0;
}

/* What ssh gives a command. Each send says that it must not block; to be watched, a descriptor gets
 * O_NONBLOCK from the loop, hence one of our own that tells of it. */
static void watch_socket(struct sink *sink)
{
    struct epoll_event event = {.events = EPOLLOUT};
    sink->ready = epoll_create1(EPOLL_CLOEXEC);
    if (sink->ready >= 0 && epoll_ctl(sink->ready, EPOLL_CTL_ADD, sink->fd, &event) != 0)
        fd_close(&sink->ready);
    sink->socket = sink->ready >= 0;
}

static void sink_ready(void *ctx, short events)
{
    struct sink *sink = ctx;
    (void)events;
    sink_add(sink, (struct str){0});
}

void sink_open(struct sink *sink, struct run *run, int fd)
{
    struct stat st;
    *sink = (struct sink){.run = run, .fd = fd, .ready = -1};
    if (fstat(fd, &st) != 0)
        return;
    if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
        reopen(sink);
    else if (S_ISSOCK(st.st_mode))
        watch_socket(sink);
}

/* Logs go on, the console does not. A reader that went away, or output that was closed from the start, is
 * somebody's wish. */
static void sink_end(struct sink *sink, int number)
{
    sink->gone = true;
    buf_clear(&sink->queue);
    if (number != EPIPE && number != ECONNRESET && number != EBADF && sink == &sink->run->out)
        run_say(sink->run, 1, "cannot print what workers print any more: %s", strerror(number));
}

static ssize_t write_some(const struct sink *sink, const char *data, size_t len)
{
    return sink->socket ? send(sink->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) : write(sink->fd, data, len);
}

static void sink_write(struct sink *sink)
{
    size_t done = 0;
    while (done < sink->queue.len && !sink->gone) {
        ssize_t wrote = write_some(sink, sink->queue.data + done, sink->queue.len - done);
        if (wrote > 0)
            done += (size_t)wrote;
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            sink_end(sink, errno);
    }
    if (!sink->gone)
        buf_consume(&sink->queue, done);
}

/* Writing is watched for only while something waits; a file of the disk never makes anyone wait. */
static void sink_watch(struct sink *sink)
{
    if (sink->ready < 0 || !sink->run->loop)
        return;
    if (sink->queue.len > 0 && !sink->watcher)
        sink->watcher =
            watcher_new(sink->run->loop, sink->ready, sink->socket ? POLLIN : POLLOUT, sink_ready, sink);
    if (sink->queue.len == 0 && sink->watcher) {
        watcher_free(sink->watcher);
        sink->watcher = NULL;
    }
}

void sink_add(struct sink *sink, struct str bytes)
{
    bool full = sink->queue.len > QUEUE_FULL;
    if (sink->gone || (full && sink->run->lossy && bytes.len > 0))
        return;
    buf_add(&sink->queue, bytes.data, bytes.len);
    sink_write(sink);
    sink_watch(sink);
    if (sink->queue.len > QUEUE_FULL && !sink->run->lossy)
        output_pause(sink->run, true);
    else if (sink->queue.len < QUEUE_SPACE)
        output_pause(sink->run, false);
}

void sink_flush(struct sink *sink, int64_t until_ms)
{
    while (sink->queue.len > 0 && !sink->gone) {
        /* The loop does not run here, so that a signal would have no effect. */
        struct pollfd items[] = {{.fd = sink->fd, .events = POLLOUT},
                                 {.fd = until_ms < 0 ? sink->run->control.fd : -1, .events = POLLIN}};
        int64_t left = until_ms < 0 ? -1 : until_ms - time_now_ms();
        if ((until_ms >= 0 && left <= 0) || poll(items, 2, (int)left) == 0)
            return;
        if (items[1].revents) {
            sink->run->lossy = true;
            until_ms = time_now_ms() + SIGNAL_MS;
        }
        sink_write(sink);
    }
}

void sink_close(struct sink *sink)
{
    if (sink->watcher)
        watcher_free(sink->watcher);
    if (sink->own || sink->socket)
        fd_close(&sink->ready);
    buf_release(&sink->queue);
    *sink = (struct sink){.fd = -1, .ready = -1, .gone = true};
}
