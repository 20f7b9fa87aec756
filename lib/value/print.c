/* Values as JSON text. */
#include "value_priv.h"

#include <stdlib.h>

#define EVERY_BYTE(b) ((uint64_t)(b)*0x0101010101010101)

/* Eight bytes at once: is one of them below n, or equal to b? (Sean Anderson, Bit Twiddling Hacks) */
static inline bool word_has_less(uint64_t word, uint64_t n)
{
    return ((word - EVERY_BYTE(n)) & ~word & EVERY_BYTE(0x80)) != 0;
}
static inline bool word_has(uint64_t word, unsigned char b)
{
    return word_has_less(word ^ EVERY_BYTE(b), 1);
}

size_t plain_length(struct str s)
{
    size_t i = 0;
    for (; i + 8 <= s.len; i += 8) {
        uint64_t word;
        memcpy(&word, s.data + i, 8);
        if (word_has_less(word, 0x20) || word_has(word, '"') || word_has(word, '\\'))
            break;
    }
    while (i < s.len && (unsigned char)s.data[i] >= 0x20 && s.data[i] != '"' && s.data[i] != '\\')
        i++;
    return i;
}

static void escape_print(struct buf *buf, char c)
{
    static const char shorts[] = {
        ['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
    };
    if (shorts[(unsigned char)c])
        buf_add(buf, (char[]){'\\', shorts[(unsigned char)c]}, 2);
    else
        buf_add_format(buf, "\\u%04x", (unsigned)c);
}

void string_print(struct buf *buf, struct str s)
{
    buf_add_char(buf, '"');
    while (s.len > 0) {
        size_t plain = plain_length(s);
        buf_add(buf, s.data, plain);
        if (plain < s.len)
            escape_print(buf, s.data[plain++]);
        s = (struct str){s.data + plain, s.len - plain};
    }
    buf_add_char(buf, '"');
}

static void scalar_print(struct buf *buf, const struct value *value)
{
    char room[32];
    switch ((enum value_type)value->type) {
    case VALUE_NULL:
        buf_add_str(buf, STR("null"));
        break;
    case VALUE_BOOL:
        buf_add_text(buf, value->flag ? "true" : "false");
        break;
    case VALUE_INT:
    case VALUE_DOUBLE:
        buf_add_str(buf, number_text(value, room));
        break;
    case VALUE_STRING:
        string_print(buf, string_str(value));
        break;
    case VALUE_LIST:
    case VALUE_MAP:
        break;
    }
}

/* A list or a map that is being printed, and the next item in it. */
struct frame {
    const struct value *value;
    size_t next;
};

/* Prints what stands before the next item and returns the item; NULL after the last one. */
static const struct value *frame_next(struct frame *frame, struct buf *buf)
{
    struct str key;
    bool is_list = frame->value->type == VALUE_LIST;
    const struct value *item =
        is_list ? list_at(frame->value, frame->next) : map_at(frame->value, frame->next, &key);
    if (!item) {
        buf_add_char(buf, is_list ? ']' : '}');
        return NULL;
    }
    if (frame->next++ > 0)
        buf_add_char(buf, ',');
    if (!is_list) {
        string_print(buf, key);
        buf_add_char(buf, ':');
    }
    return item;
}

void value_print(struct buf *buf, const struct value *value)
{
    struct frame *frames = NULL;
    size_t capacity = 0, depth = 0;
    do {
        if (value && is_container(value)) {
            mem_grow(frames, capacity, depth);
            frames[depth++] = (struct frame){value, 0};
            buf_add_char(buf, value->type == VALUE_LIST ? '[' : '{');
        } else if (value) {
            scalar_print(buf, value);
        } else {
            depth--;
        }
        if (depth > 0)
            value = frame_next(&frames[depth - 1], buf);
    } while (depth > 0);
    free(frames);
}
