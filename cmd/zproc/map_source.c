/* Where the items of a map come from: operands, or a stream that is read only a little ahead. */
#include "map.h"

#include <errno.h>
#include <unistd.h>

#define READ_SIZE 65536
#define ITEM_MAX  (16 << 20)

void source_operands(struct source *source, const char *const *operands, size_t count)
{
    *source = (struct source){.operands = operands, .count = count, .fd = -1};
}

void source_stream(struct source *source, int fd, enum source_form form)
{
    *source = (struct source){.fd = fd, .form = form, .ahead = READ_SIZE};
}

void source_release(struct source *source)
{
    buf_release(&source->bytes);
    if (source->fd > STDERR_FILENO)
        fd_close(&source->fd);
}

static char separator(const struct source *source)
{
    return source->form == SOURCE_NULL ? '\0' : '\n';
}

int source_wants(const struct source *source)
{
    return source->bytes.len - source->begin < source->ahead || source->looked == source->bytes.len
               ? source->fd
               : -1;
}

bool source_read(struct source *source, struct err *err)
{
    if (source->begin > READ_SIZE) {
        buf_consume(&source->bytes, source->begin);
        source->looked -= source->begin;
        source->begin = 0;
    }
    ssize_t got = read(source->fd, buf_reserve(&source->bytes, READ_SIZE), READ_SIZE);
    if (got > 0)
        buf_commit(&source->bytes, (size_t)got);
    else if (got == 0 && source->fd > STDERR_FILENO)
        fd_close(&source->fd);
    else if (got == 0)
        source->fd = -1;
    else if (errno != EAGAIN && errno != EINTR)
        return err_errno(err, errno, "cannot read the items");
    return true;
}

static bool is_blank(struct str line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.data[i] == '\0' || !strchr(" \t\r\n", line.data[i]))
            return false;
    return true;
}

/* Strings as they are meant, all else as it is written. */
static bool add_json(const struct source *source, struct str line, struct buf *text, struct err *err)
{
    AUTO_VALUE struct value *value = value_parse(line, err);
    if (!value)
        return err_wrap(err, "item %lld is no JSON", (long long)source->taken);
    if (value_type(value) == VALUE_STRING && !source->whole)
        buf_add_str(text, value_as_str(value));
    else
        value_print(text, value);
    return true;
}

/* The bytes up to the next separator, or to the end of the stream. */
static enum source_got next_line(struct source *source, struct str *line, struct err *err)
{
    const struct buf *bytes = &source->bytes;
    const char *end = source->looked < bytes->len ? memchr(bytes->data + source->looked, separator(source),
                                                           bytes->len - source->looked)
                                                  : NULL;
    source->looked = end ? (size_t)(end - bytes->data) + 1 : bytes->len;
    if (!end && bytes->len - source->begin > ITEM_MAX) {
        err_set(err, ERR_TOO_LARGE, "item %lld is longer than 16 MiB", (long long)source->taken);
        return SOURCE_FAILED;
    }
    if (!end && source->fd >= 0)
        return SOURCE_LATER;
    if (!end && source->begin == bytes->len)
        return SOURCE_END;
    *line = (struct str){bytes->data + source->begin, source->looked - source->begin - (end ? 1 : 0)};
    source->begin = source->looked;
    return SOURCE_ITEM;
}

static enum source_got next_of_stream(struct source *source, struct buf *text, struct err *err)
{
    struct str line;
    enum source_got got;
    do {
        got = next_line(source, &line, err);
        if (got != SOURCE_ITEM)
            return got;
    } while (source->form == SOURCE_JSON && is_blank(line));
    if (source->form != SOURCE_JSON)
        buf_add_str(text, line);
    else if (!add_json(source, line, text, err))
        return SOURCE_FAILED;
    source->taken++;
    return SOURCE_ITEM;
}

enum source_got source_next(struct source *source, struct buf *text, struct err *err)
{
    if (!source->operands)
        return next_of_stream(source, text, err);
    if ((size_t)source->taken == source->count)
        return SOURCE_END;
    buf_add_text(text, source->operands[source->taken++]);
    return SOURCE_ITEM;
}

int64_t source_total(const struct source *source)
{
    if (source->operands)
        return (int64_t)source->count;
    if (source->fd >= 0)
        return -1;
    int64_t rest = 0;
    const char *next = source->bytes.data, *end = next + source->bytes.len;
    for (next += source->begin; next < end; rest++) {
        const char *found = memchr(next, separator(source), (size_t)(end - next));
        next = found ? found + 1 : end;
    }
    return source->taken + rest;
}
