/* Masks: texts that are not to be shown, found in a stream of bytes wherever it is cut. Each text is looked
 * for on its own (Knuth, Morris and Pratt), so that texts may overlap; what may become one is held back. */
#include "base.h"

#include <stdlib.h>

#define SIGN "***"

struct mask_text {
    char *bytes;
    size_t len;
    uint32_t *back; /* of each length that fits: the longest shorter one that fits there too */
};

static uint32_t *back_make(struct str text)
{
    uint32_t *back = mem_array(text.len + 1, sizeof *back);
    for (size_t i = 1, fits = 0; i < text.len; i++) {
        while (fits > 0 && text.data[i] != text.data[fits])
            fits = back[fits];
        fits += text.data[i] == text.data[fits];
        back[i + 1] = (uint32_t)fits;
    }
    return back;
}

bool mask_add(struct mask *mask, struct str text)
{
    if (text.len < MASK_MIN || text.len > MASK_MAX)
        return false;
    for (size_t i = 0; i < mask->count; i++)
        if (str_equal((struct str){mask->items[i].bytes, mask->items[i].len}, text))
            return true;
    mem_grow(mask->items, mask->capacity, mask->count);
    mask->items[mask->count++] = (struct mask_text){mem_copy(text.data, text.len), text.len, back_make(text)};
    return true;
}

void mask_release(struct mask *mask)
{
    for (size_t i = 0; i < mask->count; i++) {
        free(mask->items[i].bytes);
        free(mask->items[i].back);
    }
    free(mask->items);
    *mask = (struct mask){0};
}

/* Goes on from `fits` bytes of the text; marks where it stands as a whole; returns how much of it fits at the
 * end.
 */
static size_t look_for(const struct mask_text *text, struct str bytes, size_t from, size_t fits, char *marks)
{
    for (size_t i = from; i < bytes.len; i++) {
        if (fits == 0) {
            const char *first = memchr(bytes.data + i, text->bytes[0], bytes.len - i);
            if (!first)
                return 0;
            i = (size_t)(first - bytes.data);
        }
        while (fits > 0 && bytes.data[i] != text->bytes[fits])
            fits = text->back[fits];
        fits += bytes.data[i] == text->bytes[fits];
        if (fits == text->len) {
            memset(marks + i + 1 - text->len, 1, text->len);
            fits = text->back[fits];
        }
    }
    return fits;
}

/* The first len bytes of those that are held, each marked stretch as one sign. */
static void show(struct mask_stream *stream, size_t len, struct buf *out)
{
    const char *bytes = stream->held.data, *marks = stream->marks.data;
    if (len == 0)
        return;
    for (size_t at = 0; at < len;) {
        const char *change = memchr(marks + at, !marks[at], len - at);
        size_t end = change ? (size_t)(change - marks) : len;
        if (!marks[at])
            buf_add(out, bytes + at, end - at);
        else if (!stream->within)
            buf_add_text(out, SIGN);
        stream->within = marks[at];
        at = end;
    }
    buf_consume(&stream->held, len);
    buf_consume(&stream->marks, len);
}

void mask_feed(const struct mask *mask, struct mask_stream *stream, struct str bytes, struct buf *out)
{
    size_t from = stream->held.len, keep = 0;
    if (stream->count < mask->count) {
        stream->fits = mem_resize(stream->fits, mask->count, sizeof *stream->fits);
        memset(stream->fits + stream->count, 0, (mask->count - stream->count) * sizeof *stream->fits);
        stream->count = mask->count;
    }
    buf_add_str(&stream->held, bytes);
    memset(buf_reserve(&stream->marks, bytes.len), 0, bytes.len);
    buf_commit(&stream->marks, bytes.len);
    for (size_t i = 0; i < mask->count; i++) {
        stream->fits[i] =
            look_for(&mask->items[i], buf_str(&stream->held), from, stream->fits[i], stream->marks.data);
        keep = stream->fits[i] > keep ? stream->fits[i] : keep;
    }
    show(stream, stream->held.len - keep, out);
}

void mask_end(struct mask_stream *stream, struct buf *out)
{
    show(stream, stream->held.len, out);
    for (size_t i = 0; i < stream->count; i++)
        stream->fits[i] = 0;
    stream->within = false;
}

void mask_stream_release(struct mask_stream *stream)
{
    free(stream->fits);
    buf_release(&stream->held);
    buf_release(&stream->marks);
    *stream = (struct mask_stream){0};
}

void mask_whole(const struct mask *mask, struct str text, struct buf *out)
{
    struct mask_stream stream = {0};
    if (mask->count == 0) {
        buf_add_str(out, text);
        return;
    }
    mask_feed(mask, &stream, text, out);
    mask_end(&stream, out);
    mask_stream_release(&stream);
}
