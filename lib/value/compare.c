/* Equality of values and the exact order of numbers. */
#include "value_priv.h"

#include <stdlib.h>

/* Without rounding: the whole part of a double within int64 is exact. */
static int compare_int_double(int64_t i, double d)
{
    if (d >= 0x1p63)
        return -1;
    if (d < -0x1p63)
        return 1;
    int64_t whole = (int64_t)d;
    if (i != whole)
        return i < whole ? -1 : 1;
    double rest = d - (double)whole;
    return (rest < 0) - (rest > 0);
}

int value_compare_numbers(const struct value *a, const struct value *b)
{
    const struct number *x = as_number(a), *y = as_number(b);
    if (a->type == VALUE_INT && b->type == VALUE_INT)
        return (x->i > y->i) - (x->i < y->i);
    if (a->type == VALUE_INT)
        return compare_int_double(x->i, y->d);
    if (b->type == VALUE_INT)
        return -compare_int_double(y->i, x->d);
    return (x->d > y->d) - (x->d < y->d);
}

/* For values that are no lists or maps, and for different types. */
static bool scalars_identical(const struct value *a, const struct value *b)
{
    if (is_number(a) && is_number(b))
        return value_compare_numbers(a, b) == 0;
    if (a->type != b->type)
        return false;
    return a->type == VALUE_STRING ? str_equal(string_str(a), string_str(b)) : a->flag == b->flag;
}

static bool scalars_same_text(const struct value *a, const struct value *b)
{
    if (a->type != b->type)
        return false;
    if (!is_number(a))
        return scalars_identical(a, b);
    char room_a[32], room_b[32];
    return str_equal(number_text(a, room_a), number_text(b, room_b));
}

/* Two lists or maps of equal length that are being compared, and the next item. */
struct frame {
    const struct value *a, *b;
    size_t next;
};

struct comparison {
    bool same_text;
    struct frame *frames;
    size_t capacity, depth;
};

/* The item of b that belongs to the entry of a; NULL when there is none. Order counts for the text only. */
static const struct value *entry_partner(const struct comparison *c, const struct frame *frame,
                                         struct str key)
{
    struct str other;
    const struct value *item = map_at(frame->b, frame->next, &other);
    if (str_equal(key, other))
        return item;
    return c->same_text ? NULL : map_get(frame->b, key);
}

/* Compares two values; lists and maps only by length, their items are left to a new frame. */
static bool values_enter(struct comparison *c, const struct value *a, const struct value *b)
{
    if (a == b)
        return true;
    if (a->type != b->type || !is_container(a))
        return c->same_text ? scalars_same_text(a, b) : scalars_identical(a, b);
    if (value_len(a) != value_len(b))
        return false;
    mem_grow(c->frames, c->capacity, c->depth);
    c->frames[c->depth++] = (struct frame){a, b, 0};
    return true;
}

/* Goes on with the next item of the innermost frame. */
static bool frame_step(struct comparison *c)
{
    struct frame *frame = &c->frames[c->depth - 1];
    const struct value *a, *b;
    if (frame->next == value_len(frame->a)) {
        c->depth--;
        return true;
    }
    if (frame->a->type == VALUE_LIST) {
        a = list_at(frame->a, frame->next);
        b = list_at(frame->b, frame->next);
    } else {
        struct str key;
        a = map_at(frame->a, frame->next, &key);
        b = entry_partner(c, frame, key);
    }
    frame->next++;
    return b && values_enter(c, a, b);
}

static bool values_compare(const struct value *a, const struct value *b, bool same_text)
{
    struct comparison c = {.same_text = same_text};
    bool equal = values_enter(&c, a, b);
    while (equal && c.depth > 0)
        equal = frame_step(&c);
    free(c.frames);
    return equal;
}

bool value_identical(const struct value *a, const struct value *b)
{
    return values_compare(a, b, false);
}

bool value_same_text(const struct value *a, const struct value *b)
{
    return values_compare(a, b, true);
}
