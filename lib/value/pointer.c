/* JSON Pointer (RFC 6901): finding a place in a value, and new roots in which a place has changed. An edit
 * copies the lists and maps on its way only; all else is shared with the old root. */
#include "value_priv.h"

/* ---- Parts ---- */

bool pointer_valid(struct str pointer, struct err *err)
{
    const char *wrong = NULL;
    if (pointer.len > 0 && pointer.data[0] != '/')
        wrong = "it must be empty or begin with '/'";
    else if (!utf8_valid(pointer))
        wrong = "it must be UTF-8";
    for (size_t i = 0; i < pointer.len && !wrong; i++)
        if (pointer.data[i] == '~' &&
            (i + 1 == pointer.len || (pointer.data[i + 1] != '0' && pointer.data[i + 1] != '1')))
            wrong = "write '~' as ~0 and, inside of a key, '/' as ~1";
    return !wrong || err_set(err, ERR_INVALID, "'%.*s' is not a JSON pointer: %s", STR_ARG(pointer), wrong);
}

/* The part behind the '/' at *pos of a valid pointer, decoded (in scratch if need be); moves *pos behind it.
 */
static struct str part_take(struct str pointer, size_t *pos, struct buf *scratch)
{
    const char *start = pointer.data + *pos + 1;
    size_t left = pointer.len - *pos - 1;
    const char *slash = left ? memchr(start, '/', left) : NULL;
    struct str raw = {start, slash ? (size_t)(slash - start) : left};
    *pos += 1 + raw.len;
    if (str_find(raw, STR("~")) < 0)
        return raw;
    for (size_t i = 0; i < raw.len; i++) {
        bool escape = raw.data[i] == '~';
        buf_add_char(scratch, !escape ? raw.data[i] : raw.data[++i] == '0' ? '~' : '/');
    }
    return buf_str(scratch);
}

/* Decimal digits without leading zeros, or "-" for the place behind the last item. An index that is too large
 * for size_t becomes SIZE_MAX. */
static bool index_read(struct str part, size_t len, size_t *index)
{
    *index = len;
    if (str_is(part, "-"))
        return true;
    *index = 0;
    for (size_t i = 0; i < part.len; i++) {
        unsigned digit = (unsigned char)part.data[i] - '0';
        if (digit > 9)
            return false;
        *index = *index > (SIZE_MAX - digit) / 10 ? SIZE_MAX : *index * 10 + digit;
    }
    return part.len == 1 || (part.len > 1 && part.data[0] != '0');
}

/* ---- Places ---- */

/* Where one part leads in a list or a map. */
struct place {
    struct value *child; /* borrowed; NULL when nothing stands there */
    struct str key;      /* in a map */
    size_t index;        /* in a list */
};

static bool place_find(const struct value *parent, struct str pointer, size_t *pos, struct buf *scratch,
                       struct place *place, struct err *err)
{
    struct str part = part_take(pointer, pos, scratch), way = {pointer.data, *pos};
    if (!is_container(parent))
        return err_set(err, ERR_TYPE, "there is no '%.*s': it would stand in a value of type %s",
                       STR_ARG(way), value_type_name(parent));
    *place = (struct place){.key = part};
    if (parent->type == VALUE_MAP) {
        place->child = map_get(parent, part);
        return true;
    }
    if (!index_read(part, value_len(parent), &place->index))
        return err_set(err, ERR_INVALID, "'%.*s' does not end in a list index; write 0, 1, 2 … or -",
                       STR_ARG(way));
    place->child = list_at(parent, place->index);
    return true;
}

static void *not_found(struct str pointer, size_t pos, struct err *err)
{
    struct str way = {pointer.data, pos};
    err_set(err, ERR_NOT_FOUND, "there is no '%.*s'", STR_ARG(way));
    return NULL;
}

static void *too_deep(struct err *err)
{
    err_set(err, ERR_TOO_LARGE, "the result would be nested deeper than %d", VALUE_DEPTH_MAX);
    return NULL;
}

struct value *pointer_get(const struct value *root, struct str pointer, struct err *err)
{
    if (!pointer_valid(pointer, err))
        return NULL;
    AUTO_BUF struct buf scratch = {0};
    struct place place = {.child = (struct value *)root};
    for (size_t pos = 0; pos < pointer.len;) {
        buf_clear(&scratch);
        if (!place_find(place.child, pointer, &pos, &scratch, &place, err))
            return NULL;
        if (!place.child)
            return not_found(pointer, pos, err);
    }
    return place.child;
}

/* ---- Edits ---- */

struct edit {
    struct str pointer;
    struct value *item; /* owned until it is in its place; NULL to remove */
    bool insert;        /* lists insert instead of replacing */
    struct err *err;
};

/* A copy of parent in which the place has item (takes it), or nothing when item is NULL. */
static struct value *place_change(const struct value *parent, const struct place *place, struct value *item,
                                  bool insert)
{
    struct value *copy = value_copy(parent);
    if (parent->type == VALUE_MAP && item)
        map_set(copy, place->key, item);
    else if (parent->type == VALUE_MAP)
        map_remove(copy, place->key);
    else if (!item)
        list_remove(copy, place->index);
    else if (insert || !place->child)
        list_insert(copy, place->index, item);
    else
        list_set(copy, place->index, item);
    /* What went may have been the deepest. */
    size_t went = place->child ? place->child->depth : 0, came = item ? item->depth : 0;
    if (went > came && went + 1 >= copy->depth)
        container_measure(copy);
    return copy;
}

/* The end of the pointer is reached. */
static struct value *edit_apply(struct edit *edit, const struct value *parent, const struct place *place)
{
    bool new_allowed = edit->item && (parent->type == VALUE_MAP || place->index == value_len(parent));
    if (!place->child && !new_allowed)
        return not_found(edit->pointer, edit->pointer.len, edit->err);
    struct value *item = edit->item;
    edit->item = NULL;
    return place_change(parent, place, item, edit->insert);
}

/* parent with the place that the pointer from pos on leads to changed. level counts what is around parent:
 * whatever stands too deep would make the result too deep, which bounds the recursion. */
static struct value *edit_inside(struct edit *edit, const struct value *parent, size_t pos, size_t level)
{
    AUTO_BUF struct buf scratch = {0};
    struct place place;
    if (!place_find(parent, edit->pointer, &pos, &scratch, &place, edit->err))
        return NULL;
    if (level >= VALUE_DEPTH_MAX)
        return too_deep(edit->err);
    if (pos == edit->pointer.len)
        return edit_apply(edit, parent, &place);
    if (!place.child)
        return not_found(edit->pointer, pos, edit->err);
    struct value *child = edit_inside(edit, place.child, pos, level + 1);
    return child ? place_change(parent, &place, child, false) : NULL;
}

static struct value *edit_run(struct edit *edit, const struct value *root)
{
    struct value *result = NULL;
    if (pointer_valid(edit->pointer, edit->err))
        result = edit->pointer.len ? edit_inside(edit, root, 0, 0) : value_ref(edit->item);
    value_unref(edit->item);
    if (!result || value_depth(result) <= VALUE_DEPTH_MAX)
        return result;
    value_unref(result);
    return too_deep(edit->err);
}

struct value *pointer_set(const struct value *root, struct str pointer, struct value *item, struct err *err)
{
    return edit_run(&(struct edit){pointer, item, false, err}, root);
}

struct value *pointer_add(const struct value *root, struct str pointer, struct value *item, struct err *err)
{
    return edit_run(&(struct edit){pointer, item, true, err}, root);
}

struct value *pointer_remove(const struct value *root, struct str pointer, struct err *err)
{
    if (pointer.len == 0) {
        err_set(err, ERR_INVALID, "the whole value cannot be removed; name a part of it, as in /key");
        return NULL;
    }
    return edit_run(&(struct edit){pointer, NULL, false, err}, root);
}
