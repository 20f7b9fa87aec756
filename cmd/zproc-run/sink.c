/* Our own stdout and stderr. A reader that is slow must not hold up the loop (signals, children): bytes queue
 * here, and while the queue is long the workers that fill it are paused. */
#include "run_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUEUE_FULL  (1024 * 1024)
#define QUEUE_SPACE (256 * 1024)

/* O_NONBLOCK on what we were given would change it for the shell too; a pipe or a terminal can be opened once
 * more, with flags of its own. */
static bool reopen(struct sink *sink)
{
    struct stat st;
    char path[32];
    if (fstat(sink->fd, &st) != 0 || !(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
        return false;
    snprintf(path, sizeof path, "/proc/self/fd/%d", sink->fd);
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return false;
    sink->fd = fd;
    return true;
}

static void sink_ready(void *ctx, short events)
{
    struct sink *sink = ctx;
    (void)events;
    sink_add(sink, (struct str){0});
}

void sink_open(struct sink *sink, struct run *run, int fd)
{
    *sink = (struct sink){.run = run, .fd = fd};
    sink->own = reopen(sink);
}

static void sink_write(struct sink *sink)
{
    size_t done = 0;
    while (done < sink->queue.len && !sink->gone) {
        ssize_t wrote = write(sink->fd, sink->queue.data + done, sink->queue.len - done);
        if (wrote > 0)
            done += (size_t)wrote;
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            sink->gone = true; /* the reader went away: logs go on, the console does not */
    }
    if (sink->gone)
        buf_clear(&sink->queue);
    else
        buf_consume(&sink->queue, done);
}

/* Writing is watched for only while something waits; a file of the disk never makes anyone wait. */
static void sink_watch(struct sink *sink)
{
    if (!sink->own || !sink->run->loop)
        return;
    if (sink->queue.len > 0 && !sink->watcher)
        sink->watcher = watcher_new(sink->run->loop, sink->fd, POLLOUT, sink_ready, sink);
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
        struct pollfd item = {.fd = sink->fd, .events = POLLOUT};
        int64_t left = until_ms < 0 ? -1 : until_ms - time_now_ms();
        if ((until_ms >= 0 && left <= 0) || poll(&item, 1, (int)left) == 0)
            return;
        sink_write(sink);
    }
}

void sink_close(struct sink *sink)
{
    if (sink->watcher)
        watcher_free(sink->watcher);
    if (sink->own)
        fd_close(&sink->fd);
    buf_release(&sink->queue);
    *sink = (struct sink){.fd = -1, .gone = true};
}
