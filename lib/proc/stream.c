/* Output of a child, to the last byte: pipes are read as they fill, in turns that let others have theirs. */
#include "child_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Reads in one turn. */
#define TURN_READS 4
/* What a pipe holds once a child has shown that it writes faster than we read. */
#define PIPE_LARGE (1024 * 1024)

/* One read; returns how many bytes came, 0 when there are none for now or ever. */
static size_t read_once(struct stream *stream)
{
    struct child *child = stream->child;
    char *bytes = child->children->bytes;
    ssize_t len;
    do {
        len = read(stream->fd, bytes, READ_SIZE);
    } while (len < 0 && errno == EINTR);
    if (len < 0 && errno == EAGAIN)
        return 0;
    if (len <= 0) {
        stream_close(stream);
        return 0;
    }
    if (len == READ_SIZE && !stream->enlarged) {
        /* Only now: large pipes count against a limit that all of a user's processes share. */
        fcntl(stream->fd, F_SETPIPE_SZ, PIPE_LARGE);
        stream->enlarged = true;
    }
    if (child->callbacks.output)
        child->callbacks.output(child->ctx, child, stream->number, (struct str){bytes, (size_t)len});
    return (size_t)len;
}

void stream_read(struct stream *stream)
{
    for (int i = 0; i < TURN_READS && stream->fd >= 0 && !stream->child->paused; i++)
        if (read_once(stream) == 0)
            return;
}

void stream_finish(struct stream *stream)
{
    int there = 0;
    if (stream->fd >= 0)
        ioctl(stream->fd, FIONREAD, &there);
    for (size_t left = (size_t)there, len; left > 0; left -= len < left ? len : left)
        if ((len = read_once(stream)) == 0)
            break;
    stream_close(stream);
}

static void stream_ready(void *ctx, short events)
{
    struct stream *stream = ctx;
    if (events & POLLOUT && stream->child->typed.len > 0)
        pty_feed(stream->child);
    stream_read(stream);
    if (stream->fd < 0)
        child_stream_ended(stream->child);
}

void stream_watch(struct stream *stream)
{
    const struct child *child = stream->child;
    if (stream->fd >= 0)
        watcher_set(stream->watcher,
                    (short)((child->paused ? 0 : POLLIN) | (child->typed.len > 0 ? POLLOUT : 0)));
}

bool stream_open(struct stream *stream, struct child *child, int number, int fd, struct err *err)
{
    stream->child = child;
    stream->number = number;
    stream->fd = fd;
    stream->watcher = watcher_new(child->children->loop, fd, POLLIN, stream_ready, stream);
    if (stream->watcher)
        return true;
    fd_close(&stream->fd);
    return err_set(err, ERR_INTERNAL,
                   "cannot watch the output of a process: too many descriptors are watched");
}

void stream_close(struct stream *stream)
{
    watcher_free(stream->watcher);
    stream->watcher = NULL;
    fd_close(&stream->fd);
}
