/* Log files: one for all who write to it, rotated by size at the end of a line, lines with the time in front.
 * What cannot be written is lost, counted and told of; the worker goes on. */
#include "run_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES (64 * 1024) /* of a line that has no end yet; then it is written in pieces */
#define STAMP_LEN  25          /* "2026-11-23T05:42:00.123Z " */

struct log {
    struct run *run;
    char *path;
    int fd;
    int users;
    int64_t size, max; /* max 0: it is never rotated */
    int64_t line_at;   /* where its last line begins */
    int64_t keep;
    const void *open_by; /* whose line has no end yet; NULL: it ends with a line */
    uint64_t lost;       /* bytes that could not be written since the last that could */
    bool warned;
    int64_t second; /* that stamp begins with */
    char stamp[64];
    struct buf lines;
};

/* ---- The file ---- */

static int open_file(const char *path)
{
    /* Not blocking: a named pipe that nobody reads must not hold up everything. */
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0644);
}

/* What an earlier run left may end in the middle of a line. */
static bool ends_within_line(const char *path, int64_t size)
{
    char last = '\n';
    AUTO_FD int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    return fd >= 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

static void look(struct log *log)
{
    struct stat st;
    bool plain = fstat(log->fd, &st) == 0 && S_ISREG(st.st_mode);
    log->size = plain ? (int64_t)st.st_size : 0;
    log->max = plain ? log->max : 0;
    log->open_by = log->size > 0 && ends_within_line(log->path, log->size) ? log : NULL;
    log->line_at = log->size;
}

struct log *log_open(struct run *run, const char *path, const struct plan_log *settings, struct err *err)
{
    struct log *log = table_get(&run->logs, str_of(path));
    if (log) {
        log->users++;
        return log;
    }
    AUTO_FREE char *copy = mem_text(path);
    int fd = open_file(path);
    if (fd < 0 && errno == ENOENT && dir_make(dirname(copy), 0755, NULL))
        fd = open_file(path);
    if (fd < 0) {
        err_errno(err, errno, "cannot write '%s'", path);
        return NULL;
    }
    log = mem_new(sizeof *log);
    *log = (struct log){.run = run,
                        .path = mem_text(path),
                        .fd = fd,
                        .users = 1,
                        .max = settings->max_size,
                        .keep = settings->keep,
                        .second = -1};
    look(log);
    table_put(&run->logs, str_of(log->path), log);
    return log;
}

void log_close(struct log *log)
{
    if (!log || --log->users > 0)
        return;
    table_remove(&log->run->logs, str_of(log->path));
    fd_close(&log->fd);
    free(log->path);
    buf_release(&log->lines);
    free(log);
}

/* ---- Rotation ---- */

static void move_up(const struct log *log)
{
    AUTO_FREE char *to = mem_format("%s.%lld", log->path, (long long)log->keep);
    for (int64_t i = log->keep - 1; i >= 0; i--) {
        char *from = i > 0 ? mem_format("%s.%lld", log->path, (long long)i) : mem_text(log->path);
        rename(from, to); /* a gap in the chain is fine */
        free(to);
        to = from;
    }
    if (log->keep == 0)
        unlink(log->path);
}

/* The file is replaced by a new one; where that is not possible it grows on. */
static void rotate(struct log *log)
{
    move_up(log);
    int fd = open_file(log->path);
    int number = errno;
    int64_t size = log->size;
    if (fd >= 0) {
        fd_close(&log->fd);
        log->fd = fd;
        look(log);
    }
    if (fd >= 0 && log->size < size)
        return;
    log->max = 0;
    run_say(log->run, 1, "the log '%s' cannot be rotated and grows on%s%s", log->path,
            fd < 0 ? ": " : ", its folder does not let it be renamed", fd < 0 ? strerror(number) : "");
}

/* How many bytes of these go into the file as it is; 0: it is to be rotated first. Only whole lines are put
 * apart, so that no line is cut but one that would fill a file by itself. */
static size_t fitting(const struct log *log, struct str bytes)
{
    int64_t room = log->max > log->size ? log->max - log->size : 0;
    if (log->max == 0 || bytes.len <= (size_t)room)
        return bytes.len;
    const char *last = room > 0 ? memrchr(bytes.data, '\n', (size_t)room) : NULL;
    if (last)
        return (size_t)(last - bytes.data) + 1;
    if (log->size > 0 && (!log->open_by || log->size - log->line_at >= log->max))
        return 0;
    const char *end = memchr(bytes.data, '\n', bytes.len);
    return end ? (size_t)(end - bytes.data) + 1 : bytes.len;
}

/* ---- Writing ---- */

static void lose(struct log *log, struct str bytes, int number)
{
    int64_t before = log->size;
    look(log);
    int64_t wrote = log->size > before ? log->size - before : 0;
    log->lost += bytes.len - (wrote < (int64_t)bytes.len ? (size_t)wrote : bytes.len);
    if (!log->warned)
        run_say(log->run, 1, "the log '%s' cannot be written, output is lost until it can: %s", log->path,
                strerror(number));
    log->warned = true;
}

static bool write_bytes(struct log *log, struct str bytes, const void *by)
{
    if (!fd_write_all(log->fd, bytes.data, bytes.len)) {
        lose(log, bytes, errno);
        return false;
    }
    const char *newline = memrchr(bytes.data, '\n', bytes.len);
    if (newline)
        log->line_at = log->size + (newline + 1 - bytes.data);
    log->size += (int64_t)bytes.len;
    log->open_by = bytes.data[bytes.len - 1] == '\n' ? NULL : by;
    return true;
}

/* Tells in the file itself what is missing; false while it still cannot be written. */
static bool write_gap(struct log *log)
{
    AUTO_BUF struct buf note = {0};
    uint64_t lost = log->lost;
    buf_add_format(&note, "%s[zproc: %llu bytes are missing here]\n", log->open_by ? "\n" : "",
                   (unsigned long long)lost);
    if (!write_bytes(log, buf_str(&note), NULL)) {
        log->lost = lost;
        return false;
    }
    log->lost = 0;
    return true;
}

static void append(struct log *log, struct str bytes, const void *by)
{
    logs_grew(log->run);
    while (bytes.len > 0) {
        size_t len = fitting(log, bytes);
        if (len == 0) {
            rotate(log);
            continue;
        }
        struct str part = {bytes.data, len};
        if (log->lost > 0 && !write_gap(log))
            log->lost += len;
        else
            write_bytes(log, part, by);
        bytes = (struct str){bytes.data + len, bytes.len - len};
    }
}

/* ---- Lines with the time ---- */

static struct str stamp(struct log *log)
{
    int64_t now = time_wall_ms();
    if (now / 1000 != log->second) {
        time_t second = (time_t)(now / 1000);
        struct tm tm;
        gmtime_r(&second, &tm);
        strftime(log->stamp, sizeof log->stamp, "%Y-%m-%dT%H:%M:%S.000Z ", &tm);
        log->second = now / 1000;
    }
    int ms = (int)(now % 1000);
    log->stamp[20] = (char)('0' + ms / 100);
    log->stamp[21] = (char)('0' + ms / 10 % 10);
    log->stamp[22] = (char)('0' + ms % 10);
    return (struct str){log->stamp, STAMP_LEN};
}

/* The beginning of a line, unless the piece goes on with the line that stands open. */
static void begin_line(struct log *log, struct str time, const struct buf *partial)
{
    struct buf *out = &log->lines;
    bool within = out->len > 0 ? out->data[out->len - 1] != '\n' : log->open_by != NULL;
    if (within && log->open_by == partial && out->len == 0)
        return;
    if (within)
        buf_add_char(out, '\n');
    buf_add_str(out, time);
}

static void add_line(struct log *log, struct str time, struct buf *partial, struct str rest)
{
    begin_line(log, time, partial);
    buf_add_str(&log->lines, buf_str(partial));
    buf_add_str(&log->lines, rest);
    buf_clear(partial);
}

void log_lines(struct log *log, struct buf *partial, struct str bytes)
{
    struct str time = stamp(log);
    struct buf *out = &log->lines;
    while (bytes.len > 0) {
        const char *newline = memchr(bytes.data, '\n', bytes.len);
        size_t len = newline ? (size_t)(newline - bytes.data) + 1 : bytes.len;
        if (newline)
            add_line(log, time, partial, (struct str){bytes.data, len});
        else if (partial->len + len > LINE_BYTES)
            add_line(log, time, partial, bytes);
        else
            buf_add(partial, bytes.data, len);
        bytes = (struct str){bytes.data + len, bytes.len - len};
    }
    if (out->len > 0)
        append(log, buf_str(out), partial);
    buf_clear(out);
}

void log_flush(struct log *log, struct buf *partial)
{
    if (partial->len > 0 || log->open_by == partial)
        log_lines(log, partial, STR("\n"));
}

void log_bytes(struct log *log, struct str bytes)
{
    append(log, bytes, log);
}
