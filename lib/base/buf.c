/* Growing byte buffers. */
#include "base.h"

#include <stdlib.h>

char *buf_reserve(struct buf *buf, size_t len)
{
    size_t need = buf->len + len + 1;
    if (need > buf->capacity) {
        size_t capacity = buf->capacity ? buf->capacity : 64;
        while (capacity < need)
            capacity *= 2;
        buf->data = mem_resize(buf->data, capacity, 1);
        buf->capacity = capacity;
    }
    return buf->data + buf->len;
}

void buf_commit(struct buf *buf, size_t len)
{
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void buf_add(struct buf *buf, const void *data, size_t len)
{
    char *end = buf_reserve(buf, len);
    if (len)
        memcpy(end, data, len);
    buf_commit(buf, len);
}

void buf_add_str(struct buf *buf, struct str s)
{
    buf_add(buf, s.data, s.len);
}

void buf_add_text(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_add_char(struct buf *buf, char c)
{
    buf_add(buf, &c, 1);
}

void buf_add_int(struct buf *buf, int64_t i)
{
    char digits[20];
    buf_add(buf, digits, int_print(i, digits));
}

void buf_add_vformat(struct buf *buf, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    if (len > 0) {
        char *end = buf_reserve(buf, (size_t)len);
        vsnprintf(end, (size_t)len + 1, format, again);
        buf_commit(buf, (size_t)len);
    } else {
        buf_add(buf, "", 0);
    }
    va_end(again);
}

void buf_add_format(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_add_vformat(buf, format, args);
    va_end(args);
}

void buf_consume(struct buf *buf, size_t len)
{
    if (len == 0)
        return;
    memmove(buf->data, buf->data + len, buf->len - len);
    buf->len -= len;
    buf->data[buf->len] = '\0';
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    if (buf->data)
        buf->data[0] = '\0';
}

void buf_release(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}

char *buf_detach(struct buf *buf)
{
    char *data = buf->data ? buf->data : mem_text("");
    *buf = (struct buf){0};
    return data;
}
