/* Descriptors and files. */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

void fd_close(int *fd)
{
    int saved = errno;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = saved;
}

void cleanup_fd(int *fd)
{
    fd_close(fd);
}

static bool flag_set(int fd, int get, int set, int flag, bool on)
{
    int flags = fcntl(fd, get);
    if (flags < 0)
        return false;
    return fcntl(fd, set, on ? flags | flag : flags & ~flag) == 0;
}

bool fd_set_nonblocking(int fd, bool on)
{
    return flag_set(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

bool fd_set_cloexec(int fd, bool on)
{
    return flag_set(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value;
}

bool fd_takes_colour(int fd)
{
    const char *term = getenv("TERM");
    return isatty(fd) && !is_set("NO_COLOR") && !is_set("CI") && !(term && strcmp(term, "dumb") == 0);
}

size_t fd_columns(int fd)
{
    struct winsize size = {0};
    return isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void fd_fill_standard(void)
{
    /* The lowest free number is the one that is given out: the loop's own. */
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

bool fd_write_all(int fd, const void *data, size_t len)
{
    const char *next = data;
    while (len > 0) {
        ssize_t n = write(fd, next, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        next += n;
        len -= (size_t)n;
    }
    return true;
}

bool fd_read_all(int fd, size_t limit, struct buf *buf, struct err *err)
{
    for (;;) {
        ssize_t n = read(fd, buf_reserve(buf, 16384), 16384);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "reading failed");
        if (n == 0)
            return true;
        buf_commit(buf, (size_t)n);
        if (buf->len > limit)
            return err_set(err, ERR_TOO_LARGE, "more than %zu bytes", limit);
    }
}

bool file_read(const char *path, size_t limit, struct buf *buf, struct err *err)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, "cannot open '%s'", path);
    if (!fd_read_all(fd, limit, buf, err))
        return err_wrap(err, "'%s'", path);
    return true;
}

static bool is_dir(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool dir_make(const char *path, mode_t mode, struct err *err)
{
    AUTO_FREE char *copy = mem_text(path);
    char *end = copy;
    do {
        end += strspn(end, "/");
        end += strcspn(end, "/");
        char saved = *end;
        *end = '\0';
        if (mkdir(copy, mode) != 0 && !(errno == EEXIST && is_dir(copy)))
            return err_errno(err, errno, "cannot make the folder '%s'", copy);
        *end = saved;
    } while (*end != '\0');
    return true;
}
