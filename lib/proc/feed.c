/* Input of a child through a pipe: written as far as there is room, the rest when there is room again. */
#include "child_priv.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

void feed_close(struct feed *feed)
{
    watcher_free(feed->watcher);
    feed->watcher = NULL;
    fd_close(&feed->fd);
    buf_release(&feed->rest);
}

/* How many of the bytes were taken; closes the pipe when nobody reads it any more. */
static size_t feed_write(struct feed *feed, struct str bytes)
{
    size_t done = 0;
    while (done < bytes.len && feed->fd >= 0) {
        ssize_t wrote = write(feed->fd, bytes.data + done, bytes.len - done);
        if (wrote > 0)
            done += (size_t)wrote;
        else if (wrote < 0 && errno == EAGAIN)
            break;
        else if (wrote == 0 || errno != EINTR)
            feed_close(feed);
    }
    return done;
}

static void feed_ready(void *ctx, short events)
{
    struct feed *feed = ctx;
    (void)events;
    buf_consume(&feed->rest, feed_write(feed, buf_str(&feed->rest)));
    if (feed->rest.len > 0 || feed->fd < 0)
        return;
    if (feed->ends)
        feed_close(feed);
    else
        watcher_set(feed->watcher, 0);
}

void child_feed(struct child *child, struct str bytes)
{
    struct feed *feed = &child->feed;
    size_t done = feed->rest.len == 0 ? feed_write(feed, bytes) : 0;
    if (feed->fd < 0 || done == bytes.len)
        return;
    buf_add(&feed->rest, bytes.data + done, bytes.len - done);
    if (!feed->watcher)
        feed->watcher = watcher_new(child->children->loop, feed->fd, POLLOUT, feed_ready, feed);
    else
        watcher_set(feed->watcher, POLLOUT);
}

bool child_hungry(const struct child *child)
{
    int unread = 0;
    char path[40], wanted[24];
    AUTO_BUF struct buf text = {0};
    if (child->feed.fd < 0 || child->feed.rest.len > 0 || ioctl(child->feed.fd, FIONREAD, &unread) != 0 ||
        unread > 0)
        return false;
    snprintf(path, sizeof path, "/proc/%d/syscall", child->pid);
    snprintf(wanted, sizeof wanted, "%d 0x0 ", SYS_read);
    return file_read(path, 4096, &text, NULL) && str_starts_with(buf_str(&text), str_of(wanted));
}

void child_feed_end(struct child *child)
{
    child->feed.ends = true;
    if (child->feed.rest.len == 0)
        feed_close(&child->feed);
}
