/* Assignments within a transaction: `count = count + 1; jobs[0].state = "done"`. */
#include "store_priv.h"

static void pointer_add_part(struct buf *pointer, const struct value *part)
{
    buf_add_char(pointer, '/');
    if (value_type(part) == VALUE_INT) {
        buf_add_int(pointer, value_as_int(part));
        return;
    }
    struct str text = value_as_str(part);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '~' || text.data[i] == '/')
            buf_add_text(pointer, text.data[i] == '~' ? "~0" : "~1");
        else
            buf_add_char(pointer, text.data[i]);
    }
}

/* An int goes with a list, a string with a map: a JSON Pointer alone would not tell them apart. */
static bool part_fits(const struct value *parent, const struct value *part, struct err *err)
{
    enum value_type wanted = value_type(part) == VALUE_INT ? VALUE_LIST : VALUE_MAP;
    if (value_type(parent) != wanted)
        return err_set(err, ERR_TYPE, "%s does not fit a value of type %s",
                       wanted == VALUE_LIST ? "an index" : "a field", value_type_name(parent));
    if (wanted == VALUE_LIST && (value_as_int(part) < 0 || (size_t)value_as_int(part) > value_len(parent)))
        return err_set(err, ERR_NOT_FOUND, "index %lld is out of range: the list has %zu items",
                       (long long)value_as_int(part), value_len(parent));
    return true;
}

/* The place below the key as a JSON Pointer. */
static bool place_pointer(const struct txn *txn, const struct value *place, struct buf *pointer,
                          struct err *err)
{
    const struct value *part;
    struct str key = value_as_str(list_at(place, 0));
    for (size_t i = 1; (part = list_at(place, i)); i++) {
        const struct value *parent = txn_find(txn, key, buf_str(pointer), err);
        if (!parent)
            return false;
        if (!part_fits(parent, part, err))
            return err_wrap(err, "key '%.*s%s%.*s'", STR_ARG(key), pointer->len ? "#" : "",
                            STR_ARG(buf_str(pointer)));
        pointer_add_part(pointer, part);
    }
    return true;
}

/* KEY or KEY#/POINTER */
static void name_print(struct buf *name, struct str key, struct str pointer)
{
    buf_add_str(name, key);
    if (pointer.len)
        buf_add_char(name, '#');
    buf_add_str(name, pointer);
}

/* One assignment; adds what it assigned to a map by the name of its place. */
static bool assign_one(struct txn *txn, const struct assignments *all, size_t index,
                       const struct expr_scope *scope, struct value *assigned, struct err *err)
{
    if (txn->steps > STEPS_REQUEST_MAX)
        return err_set(err, ERR_TOO_LARGE, "the assignments take more than %d steps", STEPS_REQUEST_MAX);
    AUTO_VALUE struct value *place = assignment_place(all, index, scope, err);
    AUTO_VALUE struct value *value = place ? assignment_value(all, index, scope, err) : NULL;
    AUTO_BUF struct buf pointer = {0}, name = {0};
    if (!value || !place_pointer(txn, place, &pointer, err))
        return false;
    struct str key = value_as_str(list_at(place, 0));
    if (!write_set(txn, key, buf_str(&pointer), value, err))
        return false;
    name_print(&name, key, buf_str(&pointer));
    map_set(assigned, buf_str(&name), value_ref(value));
    return true;
}

struct value *write_assign(struct txn *txn, const struct assignments *all, const struct value *args,
                           struct err *err)
{
    struct expr_scope scope = txn_scope(txn, args);
    AUTO_VALUE struct value *assigned = value_map();
    size_t count = assignments_count(all);
    for (size_t i = 0; i < count; i++)
        if (!assign_one(txn, all, i, &scope, assigned, err)) {
            if (count > 1)
                err_wrap(err, "assignment %zu", i + 1);
            return NULL;
        }
    return value_ref(count == 1 ? map_at(assigned, 0, &(struct str){0}) : assigned);
}
