/* The read-modify-writes: each works on a transaction, so that a failure leaves everything as it was. */
#include "store_priv.h"

#include <math.h>

/* Names key and path in an error: "key 'config#/db': …". */
static bool place_fail(struct err *err, struct str key, struct str path)
{
    return err_wrap(err, "key '%.*s%s%.*s'", STR_ARG(key), path.len ? "#" : "", STR_ARG(path));
}

const struct value *txn_find(const struct txn *txn, struct str key, struct str path, struct err *err)
{
    const struct value *root = txn_get(txn, key);
    if (!root) {
        err_set(err, ERR_NOT_FOUND, "no such key '%.*s'", STR_ARG(key));
        return NULL;
    }
    if (path.len == 0)
        return root;
    const struct value *value = pointer_get(root, path, err);
    if (!value)
        place_fail(err, key, path);
    return value;
}

bool write_set(struct txn *txn, struct str key, struct str path, const struct value *value, struct err *err)
{
    if (path.len == 0)
        return txn_set(txn, key, value_ref(value), err);
    return txn_find(txn, key, STR(""), err) &&
           (txn_edit(txn, key, EDIT_SET, path, value_ref(value), err) || place_fail(err, key, path));
}

bool write_delete(struct txn *txn, struct str key, struct str path, struct err *err)
{
    const struct value *root = txn_find(txn, key, STR(""), err);
    if (!root)
        return false;
    if (path.len == 0) {
        txn_delete(txn, key);
        return true;
    }
    return txn_edit(txn, key, EDIT_REMOVE, path, NULL, err) || place_fail(err, key, path);
}

bool write_update(struct txn *txn, const struct value *map, struct err *err)
{
    if (value_type(map) != VALUE_MAP)
        return err_set(err, ERR_TYPE, "the value must be an object, not %s", value_type_name(map));
    struct str key;
    struct value *value;
    for (size_t i = 0; (value = map_at(map, i, &key)); i++)
        if (!txn_set(txn, key, value_ref(value), err))
            return false;
    return true;
}

void write_clear(struct txn *txn)
{
    for (struct entry *entry = txn->space->head; entry; entry = entry->next)
        txn_delete(txn, entry_key(entry));
}

/* The map's keys come first among the changes, all of them as inserted now: so its order becomes theirs. */
bool write_replace(struct txn *txn, const struct value *map, struct err *err)
{
    txn_restart(txn);
    if (!write_update(txn, map, err))
        return false;
    for (size_t i = 0; i < txn->count; i++)
        txn->items[i].reborn = true;
    for (struct entry *entry = txn->space->head; entry; entry = entry->next)
        if (!entry->pending)
            txn_delete(txn, entry_key(entry));
    return true;
}

struct value *write_setdefault(struct txn *txn, struct str key, struct str path, const struct value *value,
                               struct err *err)
{
    const struct value *root = txn_get(txn, key);
    const struct value *present = root && path.len ? pointer_get(root, path, NULL) : root;
    if (present)
        return value_ref(present);
    return write_set(txn, key, path, value, err) ? value_ref(value) : NULL;
}

struct value *write_pop(struct txn *txn, struct str key, struct str path, const struct value *fallback,
                        struct err *err)
{
    struct err missing = {0};
    const struct value *present = txn_find(txn, key, path, &missing);
    if (!present && fallback && missing.code == ERR_NOT_FOUND)
        return value_ref(fallback);
    if (!present) {
        if (err)
            *err = missing;
        return NULL;
    }
    struct value *popped = value_ref(present);
    if (write_delete(txn, key, path, err))
        return popped;
    value_unref(popped);
    return NULL;
}

struct value *write_popitem(struct txn *txn, struct err *err)
{
    struct str key;
    if (!space_last(txn->space, &key)) {
        err_set(err, ERR_NOT_FOUND, "namespace '%.*s' has no keys", STR_ARG(space_name(txn->space)));
        return NULL;
    }
    struct value *pair = value_list();
    list_push(pair, value_string(key));
    list_push(pair, value_ref(txn_get(txn, key)));
    txn_delete(txn, key);
    return pair;
}

static bool is_number(const struct value *value)
{
    return value_type(value) == VALUE_INT || value_type(value) == VALUE_DOUBLE;
}

/* The value that a read-modify-write starts from: what is there, or `initial` for a key that is absent. A
 * reference. */
static struct value *modify_start(struct txn *txn, struct str key, struct str path, struct value *initial,
                                  struct err *err)
{
    struct err missing = {0};
    const struct value *present = txn_find(txn, key, path, &missing);
    if (!present && missing.code != ERR_NOT_FOUND) {
        value_unref(initial);
        if (err)
            *err = missing;
        return NULL;
    }
    if (!present)
        return initial;
    value_unref(initial);
    return value_ref(present);
}

struct value *write_incr(struct txn *txn, struct str key, struct str path, const struct value *by,
                         struct err *err)
{
    AUTO_VALUE struct value *start = modify_start(txn, key, path, value_int(0), err);
    if (!start)
        return NULL;
    if (!is_number(start) || !is_number(by)) {
        const struct value *bad = is_number(by) ? start : by;
        err_set(err, ERR_TYPE, "cannot increment: %s is no number", value_type_name(bad));
        place_fail(err, key, path);
        return NULL;
    }
    struct value *sum;
    if (value_type(start) == VALUE_INT && value_type(by) == VALUE_INT) {
        int64_t total;
        if (__builtin_add_overflow(value_as_int(start), value_as_int(by), &total)) {
            err_set(err, ERR_TYPE, "the sum is beyond the range of 64-bit integers");
            place_fail(err, key, path);
            return NULL;
        }
        sum = value_int(total);
    } else {
        double total = value_as_double(start) + value_as_double(by);
        if (!isfinite(total)) {
            err_set(err, ERR_TYPE, "the sum is beyond the range of doubles");
            place_fail(err, key, path);
            return NULL;
        }
        sum = value_double(total);
    }
    if (write_set(txn, key, path, sum, err))
        return sum;
    value_unref(sum);
    return NULL;
}

/* The list that a change of one starts from, as a copy; NULL with an error that names the place. */
static struct value *list_start(struct txn *txn, struct str key, struct str path, const char *change,
                                struct err *err)
{
    AUTO_VALUE struct value *start = modify_start(txn, key, path, value_list(), err);
    if (!start)
        return NULL;
    if (value_type(start) == VALUE_LIST)
        return work_spend(&txn->work, value_len(start), err) ? value_copy(start) : NULL;
    err_set(err, ERR_TYPE, "cannot %s %s, only a list", change, value_type_name(start));
    place_fail(err, key, path);
    return NULL;
}

static struct value *list_finish(struct txn *txn, struct str key, struct str path, struct value *list,
                                 struct err *err)
{
    if (write_set(txn, key, path, list, err))
        return list;
    value_unref(list);
    return NULL;
}

struct value *write_append(struct txn *txn, struct str key, struct str path, const struct value *item,
                           struct err *err)
{
    struct value *list = list_start(txn, key, path, "append to", err);
    if (!list)
        return NULL;
    list_push(list, value_ref(item));
    return list_finish(txn, key, path, list, err);
}

struct value *write_extend(struct txn *txn, struct str key, struct str path, const struct value *items,
                           struct err *err)
{
    if (value_type(items) != VALUE_LIST) {
        err_set(err, ERR_TYPE, "cannot extend by %s, only by a list", value_type_name(items));
        place_fail(err, key, path);
        return NULL;
    }
    struct value *list = list_start(txn, key, path, "extend", err);
    for (size_t i = 0; list && i < value_len(items); i++)
        list_push(list, value_ref(list_at(items, i)));
    return list ? list_finish(txn, key, path, list, err) : NULL;
}

struct value *write_remove(struct txn *txn, struct str key, struct str path, const struct value *item,
                           struct err *err)
{
    if (!txn_find(txn, key, path, err))
        return NULL;
    struct value *list = list_start(txn, key, path, "remove an item of", err);
    if (!list || !work_spend(&txn->work, value_size(list) / COMPARED_BYTES, err)) {
        value_unref(list);
        return NULL;
    }
    size_t i = 0;
    while (i < value_len(list) && !value_identical(list_at(list, i), item))
        i++;
    if (i < value_len(list)) {
        list_remove(list, i);
        return list_finish(txn, key, path, list, err);
    }
    value_unref(list);
    err_set(err, ERR_NOT_FOUND, "the list has no such item");
    place_fail(err, key, path);
    return NULL;
}

bool write_cas(struct txn *txn, struct str key, struct str path, const struct value *old, int64_t at,
               const struct value *value, struct err *err)
{
    if (at >= 0) {
        const struct entry *entry = space_find(txn->space, key);
        const struct version *version = entry ? entry_version(entry, NOW) : NULL;
        if (!version || !version->value || version->revision != at)
            return err_set(err, ERR_CONFLICT, "key '%.*s' does not stand at revision %lld", STR_ARG(key),
                           (long long)at);
        return write_set(txn, key, path, value, err);
    }
    const struct value *root = txn_get(txn, key);
    const struct value *present = root && path.len ? pointer_get(root, path, NULL) : root;
    if (!old && present)
        return err_set(err, ERR_CONFLICT, "key '%.*s' exists", STR_ARG(key));
    if (old && !present)
        return err_set(err, ERR_CONFLICT, "no such key '%.*s'", STR_ARG(key));
    if (old && !value_identical(old, present)) {
        AUTO_BUF struct buf text = {0};
        value_print(&text, present);
        return err_set(err, ERR_CONFLICT, "key '%.*s' is %.*s", STR_ARG(key), STR_ARG(buf_str(&text)));
    }
    return write_set(txn, key, path, value, err);
}
