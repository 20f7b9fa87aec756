/* Reading logs that are written, and rotated, meanwhile: a place is a file, known by its inode whatever it is
 * called by now, and an offset in it. */
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROTATED_MAX 1000
#define BLOCK       16384

/* The file, or the one that was rotated away `number` times; -1: there is none. */
static int open_number(const char *path, int number, struct stat *st)
{
    AUTO_FREE char *rotated = number > 0 ? mem_format("%s.%d", path, number) : mem_text(path);
    int fd = open(rotated, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0 && (fstat(fd, st) != 0 || !S_ISREG(st->st_mode)))
        fd_close(&fd);
    return fd;
}

static int count_rotated(const char *path)
{
    int number = 0;
    struct stat st;
    for (AUTO_FD int fd = -1; number < ROTATED_MAX; number++) {
        fd_close(&fd);
        fd = open_number(path, number + 1, &st);
        if (fd < 0)
            break;
    }
    return number;
}

/* The file that the place is in, and by which number; -1: it is no more. */
static int open_place(const char *path, const struct log_place *place, int *number, struct stat *st)
{
    for (*number = 0; *number <= ROTATED_MAX; (*number)++) {
        int fd = open_number(path, *number, st);
        if (fd < 0 && *number > 0)
            return -1;
        if (fd >= 0 && (uint64_t)st->st_ino == place->file)
            return fd;
        fd_close(&fd);
    }
    return -1;
}

static ssize_t read_some(int fd, int64_t at, size_t max, struct buf *out)
{
    ssize_t got;
    do
        got = pread(fd, buf_reserve(out, max), max, at);
    while (got < 0 && errno == EINTR);
    if (got > 0)
        buf_commit(out, (size_t)got);
    return got;
}

bool log_read(const char *path, struct log_place *place, size_t max, struct buf *out)
{
    struct stat st;
    int number = 0;
    AUTO_FD int fd = place->file ? open_place(path, place, &number, &st) : -1;
    if (fd < 0) {
        /* Nothing was read yet, or it is gone: the oldest that is there. */
        number = count_rotated(path);
        fd = open_number(path, number, &st);
        place->at = 0;
    }
    while (fd >= 0) {
        place->file = (uint64_t)st.st_ino;
        if (place->at > st.st_size)
            place->at = 0; /* somebody emptied it */
        ssize_t got = read_some(fd, place->at, max, out);
        if (got != 0 || number == 0) {
            place->at += got > 0 ? got : 0;
            return got > 0;
        }
        fd_close(&fd);
        fd = open_number(path, --number, &st);
        place->at = 0;
    }
    return false;
}

/* Where the last *lines lines of a file begin; what it has not is left in *lines. */
static int64_t seek_back(int fd, int64_t size, int64_t *lines)
{
    AUTO_BUF struct buf block = {0};
    for (int64_t end = size; end > 0;) {
        int64_t start = end > BLOCK ? end - BLOCK : 0;
        buf_clear(&block);
        if (read_some(fd, start, (size_t)(end - start), &block) <= 0)
            return end;
        for (size_t i = block.len; i > 0; i--) {
            bool last = start + (int64_t)i == size; /* the newline that ends it */
            if (block.data[i - 1] == '\n' && !last && --*lines == 0)
                return start + (int64_t)i;
        }
        end = start;
    }
    if (size > 0)
        --*lines; /* the first one */
    return 0;
}

void log_seek(const char *path, int64_t lines, struct log_place *place)
{
    struct stat st;
    *place = (struct log_place){0};
    for (int number = 0; number <= ROTATED_MAX; number++) {
        AUTO_FD int fd = open_number(path, number, &st);
        if (fd < 0)
            return;
        place->file = (uint64_t)st.st_ino;
        place->at = lines > 0 ? seek_back(fd, st.st_size, &lines) : st.st_size;
        if (lines <= 0)
            return;
    }
}
