/* Pseudo-terminals for children: opened for them, typed into, resized. */
#include "child_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ROWS      24
#define COLUMNS   80
#define QUEUE_MAX (1024 * 1024) /* of what is typed and not read */

static bool set_size(int fd, int rows, int columns)
{
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    return ioctl(fd, TIOCSWINSZ, &size) == 0;
}

static bool pty_fail(int *master, struct err *err)
{
    err_errno(err, errno, "cannot make a terminal");
    fd_close(master);
    return false;
}

bool pty_open(const struct child_spec *spec, int *master, int ends[3], struct err *err)
{
    char name[64];
    *master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*master < 0 || grantpt(*master) != 0 || unlockpt(*master) != 0 ||
        ptsname_r(*master, name, sizeof name) != 0)
        return pty_fail(master, err);
    for (int i = 0; i < 3; i++) {
        int fd = i == 0 ? open(name, O_RDWR | O_NOCTTY | O_CLOEXEC) : ends[0];
        ends[i] = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (i == 0)
            fd_close(&fd);
        if (ends[i] < 0)
            return pty_fail(master, err);
    }
    if (spec->user && fchown(ends[0], spec->user->uid, (gid_t)-1) != 0)
        return pty_fail(master, err);
    int rows = spec->rows > 0 ? spec->rows : ROWS, columns = spec->columns > 0 ? spec->columns : COLUMNS;
    return set_size(*master, rows, columns) || pty_fail(master, err);
}

void pty_feed(struct child *child)
{
    struct stream *stream = &child->streams[0];
    size_t done = 0;
    while (stream->fd >= 0 && done < child->typed.len) {
        ssize_t wrote = write(stream->fd, child->typed.data + done, child->typed.len - done);
        if (wrote > 0)
            done += (size_t)wrote;
        else if (wrote == 0 || errno != EINTR)
            break;
    }
    buf_consume(&child->typed, done);
    stream_watch(stream);
}

bool child_write(struct child *child, struct str bytes)
{
    if (!child->tty || child->streams[0].fd < 0)
        return true; /* it has ended: nobody reads it any more */
    if (child->typed.len + bytes.len > QUEUE_MAX)
        return false;
    buf_add_str(&child->typed, bytes);
    pty_feed(child);
    return true;
}

void child_resize(struct child *child, int rows, int columns)
{
    if (child->tty && child->streams[0].fd >= 0)
        set_size(child->streams[0].fd, rows, columns);
}
