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
    struct value *item;     /* owned until it is in its place; NULL to remove */
    bool insert;            /* lists insert instead of replacing */
    struct edit_work *work; /* NULL: without bound, and depths are kept exact */
    struct err *err;
};

bool work_spend(struct edit_work *work, size_t items, struct err *err)
{
    if (items <= (size_t)work->left) {
        work->left -= (int64_t)items;
        return true;
    }
    work->left = 0;
    return err_set(err, ERR_TOO_LARGE,
                   "it would copy or move more items of lists and objects than one request may; do it in "
                   "several requests, or spread the value over several keys");
}

static bool edit_spend(struct edit *edit, size_t items)
{
    return !edit->work || work_spend(edit->work, items, edit->err);
}

/* Makes *slot one that nobody else refers to. */
static bool edit_own(struct edit *edit, struct value **slot)
{
    struct value *shared = *slot;
    if (shared->refs == 1)
        return true;
    if (!edit_spend(edit, value_len(shared) + 1))
        return false;
    *slot = value_copy(shared);
    value_unref(shared);
    return true;
}

/* Items that have to move when the one at the place comes or goes. */
static size_t place_moves(const struct edit *edit, const struct value *parent, const struct place *place)
{
    size_t count = value_len(parent);
    struct str last;
    if (parent->type == VALUE_LIST)
        return edit->item && !edit->insert ? 0 : (count - place->index) / 8;
    if (edit->item || !map_at(parent, count - 1, &last))
        return 0;
    return str_equal(last, place->key) ? 0 : count;
}

/* What went may have been the deepest. */
static void place_measure(struct edit *edit, struct value *parent, size_t went, size_t came)
{
    if (went <= came || went + 1 < parent->depth)
        return;
    if (edit->work)
        edit->work->loose = true;
    else
        container_measure(parent);
}

/* The end of the pointer is reached: the place in parent gets the item, or goes. */
static bool edit_apply(struct edit *edit, struct value **slot, const struct place *place)
{
    bool new_allowed = edit->item && ((*slot)->type == VALUE_MAP || place->index == value_len(*slot));
    if (!place->child && !new_allowed) {
        not_found(edit->pointer, edit->pointer.len, edit->err);
        return false;
    }
    size_t went = place->child ? place->child->depth : 0, came = edit->item ? edit->item->depth : 0;
    if (!edit_own(edit, slot) || !edit_spend(edit, place_moves(edit, *slot, place)))
        return false;
    struct value *parent = *slot, *item = edit->item;
    edit->item = NULL;
    if (parent->type == VALUE_MAP && item)
        map_set(parent, place->key, item);
    else if (parent->type == VALUE_MAP)
        map_remove(parent, place->key);
    else if (!item)
        list_remove(parent, place->index);
    else if (edit->insert || !place->child)
        list_insert(parent, place->index, item);
    else
        list_set(parent, place->index, item);
    place_measure(edit, parent, went, came);
    return true;
}

/* Changes the place that the pointer from pos on leads to below *slot. level counts what is around it:
 * whatever stands too deep would make the result too deep, which bounds the recursion. */
static bool edit_inside(struct edit *edit, struct value **slot, size_t pos, size_t level)
{
    AUTO_BUF struct buf scratch = {0};
    struct place place;
    if (!place_find(*slot, edit->pointer, &pos, &scratch, &place, edit->err))
        return false;
    if (level >= VALUE_DEPTH_MAX) {
        too_deep(edit->err);
        return false;
    }
    if (pos == edit->pointer.len)
        return edit_apply(edit, slot, &place);
    if (!place.child) {
        not_found(edit->pointer, pos, edit->err);
        return false;
    }
    if (!edit_own(edit, slot))
        return false;
    struct value *parent = *slot;
    struct value **inner =
        parent->type == VALUE_MAP ? map_place(parent, place.key) : &as_list(parent)->items[place.index];
    size_t went = (*inner)->depth;
    container_lose(as_container(parent), *inner);
    bool changed = edit_inside(edit, inner, pos, level + 1);
    container_gain(as_container(parent), *inner);
    place_measure(edit, parent, went, (*inner)->depth);
    return changed;
}

/* Depth that is only said to be there is no reason to refuse. */
static bool depth_check(struct edit *edit, struct value *root)
{
    if (value_depth(root) > VALUE_DEPTH_MAX && edit->work && edit->work->loose) {
        if (!edit_spend(edit, value_size(root) / 32))
            return false;
        value_settle(root);
    }
    if (value_depth(root) <= VALUE_DEPTH_MAX)
        return true;
    too_deep(edit->err);
    return false;
}

static bool edit_run(struct edit *edit, struct value **root)
{
    bool changed = pointer_valid(edit->pointer, edit->err);
    if (changed && edit->pointer.len == 0) {
        value_unref(*root);
        *root = edit->item;
        edit->item = NULL;
    } else if (changed) {
        changed = edit_inside(edit, root, 0, 0);
    }
    value_unref(edit->item);
    return changed && depth_check(edit, *root);
}

static bool remove_check(struct str pointer, struct err *err)
{
    return pointer.len > 0 ||
           err_set(err, ERR_INVALID, "the whole value cannot be removed; name a part of it, as in /key");
}

bool pointer_edit(struct value **root, enum edit_how how, struct str pointer, struct value *item,
                  struct edit_work *work, struct err *err)
{
    struct edit edit = {pointer, item, how == EDIT_ADD, work, err};
    return (how != EDIT_REMOVE || remove_check(pointer, err)) && edit_run(&edit, root);
}

void value_settle(struct value *value)
{
    if (!is_container(value) || value->refs != 1)
        return;
    for (size_t i = 0; i < value_len(value); i++)
        value_settle(value->type == VALUE_LIST ? list_at(value, i) : map_at(value, i, NULL));
    container_measure(value);
}

static struct value *edit_copy(struct edit *edit, const struct value *root)
{
    struct value *result = value_ref(root); /* so the root is shared, and copied */
    if (edit_run(edit, &result))
        return result;
    value_unref(result);
    return NULL;
}

struct value *pointer_set(const struct value *root, struct str pointer, struct value *item, struct err *err)
{
    return edit_copy(&(struct edit){pointer, item, false, NULL, err}, root);
}

struct value *pointer_add(const struct value *root, struct str pointer, struct value *item, struct err *err)
{
    return edit_copy(&(struct edit){pointer, item, true, NULL, err}, root);
}

struct value *pointer_remove(const struct value *root, struct str pointer, struct err *err)
{
    return remove_check(pointer, err) ? edit_copy(&(struct edit){pointer, NULL, false, NULL, err}, root)
                                      : NULL;
}
