/* JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7396) over a namespace as the document: the first part of a
 * path is a key, so that only the values of these keys are copied. */
#include "store_priv.h"

#define PATCH_OPERATIONS_MAX 100000

/* ---- Paths: a key and what is below it ---- */

struct target {
    bool whole;     /* the empty path: the namespace */
    struct buf key; /* decoded */
    struct str below;
};

static void target_release(struct target *target)
{
    buf_release(&target->key);
}
#define AUTO_TARGET __attribute__((cleanup(target_release)))

static bool target_read(struct target *target, struct str path, struct err *err)
{
    if (!pointer_valid(path, err))
        return false;
    size_t end = 1;
    target->whole = path.len == 0;
    for (; end < path.len && path.data[end] != '/'; end++) {
        bool escape = path.data[end] == '~';
        end += escape;
        buf_add_char(&target->key, !escape ? path.data[end] : path.data[end] == '0' ? '~' : '/');
    }
    target->below = target->whole ? STR("") : (struct str){path.data + end, path.len - end};
    return true;
}

/* ---- The document: a reference to what stands at a path, adding, removing ---- */

/* The whole namespace is looked at, or replaced. */
static bool whole_spend(struct txn *txn, struct err *err)
{
    return work_spend(&txn->work, txn->space->live + txn->count + 1, err);
}

static struct value *document_get(struct txn *txn, struct str path, struct err *err)
{
    AUTO_TARGET struct target target = {0};
    if (!target_read(&target, path, err))
        return NULL;
    if (target.whole)
        return whole_spend(txn, err) ? txn_map(txn) : NULL;
    return value_ref(txn_find(txn, buf_str(&target.key), target.below, err));
}

static bool document_put(struct txn *txn, const struct value *value, struct err *err)
{
    return whole_spend(txn, err) && work_spend(&txn->work, value_len(value), err) &&
           write_replace(txn, value, err);
}

static bool document_add(struct txn *txn, struct str path, const struct value *value, struct err *err)
{
    AUTO_TARGET struct target target = {0};
    if (!target_read(&target, path, err))
        return false;
    if (target.whole)
        return document_put(txn, value, err);
    struct str key = buf_str(&target.key);
    if (target.below.len == 0)
        return txn_set(txn, key, value_ref(value), err);
    return txn_find(txn, key, STR(""), err) &&
           txn_edit(txn, key, EDIT_ADD, target.below, value_ref(value), err);
}

static bool document_replace(struct txn *txn, struct str path, const struct value *value, struct err *err)
{
    AUTO_TARGET struct target target = {0};
    if (!target_read(&target, path, err))
        return false;
    if (target.whole)
        return document_put(txn, value, err);
    return txn_find(txn, buf_str(&target.key), target.below, err) &&
           write_set(txn, buf_str(&target.key), target.below, value, err);
}

static bool document_remove(struct txn *txn, struct str path, struct err *err)
{
    AUTO_TARGET struct target target = {0};
    if (!target_read(&target, path, err))
        return false;
    if (target.whole)
        return err_set(err, ERR_INVALID, "the whole namespace cannot be removed; replace it with {}");
    return write_delete(txn, buf_str(&target.key), target.below, err);
}

/* ---- Operations ---- */

/* One element of the patch. */
struct step {
    struct str path, from;
    const struct value *value;
};

static bool step_add(struct txn *txn, const struct step *step, struct err *err)
{
    return document_add(txn, step->path, step->value, err);
}

static bool step_remove(struct txn *txn, const struct step *step, struct err *err)
{
    return document_remove(txn, step->path, err);
}

static bool step_replace(struct txn *txn, const struct step *step, struct err *err)
{
    return document_replace(txn, step->path, step->value, err);
}

static bool step_copy(struct txn *txn, const struct step *step, struct err *err)
{
    AUTO_VALUE struct value *value = document_get(txn, step->from, err);
    return value && document_add(txn, step->path, value, err);
}

/* Depth that went earlier must not count where it goes. */
static bool moved_settle(struct txn *txn, struct value *value, struct err *err)
{
    if (!txn->work.loose || value_depth(value) < VALUE_DEPTH_MAX / 2)
        return true;
    if (!work_spend(&txn->work, value_size(value) / COMPARED_BYTES, err))
        return false;
    value_settle(value);
    return true;
}

static bool step_move(struct txn *txn, const struct step *step, struct err *err)
{
    AUTO_VALUE struct value *value = document_get(txn, step->from, err);
    if (!value)
        return false;
    if (str_equal(step->from, step->path))
        return true;
    if (str_starts_with(step->path, step->from) && step->path.data[step->from.len] == '/')
        return err_set(err, ERR_INVALID, "'%.*s' cannot be moved into itself", STR_ARG(step->from));
    return document_remove(txn, step->from, err) && moved_settle(txn, value, err) &&
           document_add(txn, step->path, value, err);
}

static bool step_test(struct txn *txn, const struct step *step, struct err *err)
{
    AUTO_VALUE struct value *value = document_get(txn, step->path, err);
    if (!value || !work_spend(&txn->work, value_size(step->value) / COMPARED_BYTES, err))
        return false;
    if (value_identical(value, step->value))
        return true;
    AUTO_BUF struct buf text = {0};
    value_print(&text, value);
    return err_set(err, ERR_CONFLICT, "'%.*s' is %.*s", STR_ARG(step->path), STR_ARG(buf_str(&text)));
}

static const struct {
    const char *name;
    bool (*apply)(struct txn *txn, const struct step *step, struct err *err);
    bool takes_value, takes_from;
} operations[] = {
    {"add", step_add, .takes_value = true},         {"remove", step_remove, .takes_value = false},
    {"replace", step_replace, .takes_value = true}, {"move", step_move, .takes_from = true},
    {"copy", step_copy, .takes_from = true},        {"test", step_test, .takes_value = true},
};

static bool member_read(const struct value *element, const char *name, struct str *text, struct err *err)
{
    const struct value *member = map_get(element, str_of(name));
    if (!member || value_type(member) != VALUE_STRING)
        return err_set(err, ERR_INVALID, "it needs \"%s\", a string", name);
    *text = value_as_str(member);
    return true;
}

static bool element_apply(struct txn *txn, const struct value *element, struct err *err)
{
    struct step step = {0};
    struct str name = {0};
    if (value_type(element) != VALUE_MAP)
        return err_set(err, ERR_INVALID, "it is no object");
    if (!member_read(element, "op", &name, err) || !member_read(element, "path", &step.path, err))
        return false;
    size_t i = 0;
    while (i < LENGTH_OF(operations) && !str_is(name, operations[i].name))
        i++;
    if (i == LENGTH_OF(operations))
        return err_set(err, ERR_INVALID, "there is no operation '%.*s'", STR_ARG(name));
    step.value = map_get(element, STR("value"));
    if (operations[i].takes_value && !step.value)
        return err_set(err, ERR_INVALID, "it needs \"value\"");
    if (operations[i].takes_from && !member_read(element, "from", &step.from, err))
        return false;
    return operations[i].apply(txn, &step, err);
}

bool write_patch(struct txn *txn, const struct value *patch, struct err *err)
{
    if (value_type(patch) != VALUE_LIST)
        return err_set(err, ERR_TYPE, "a patch must be a list of operations, not %s", value_type_name(patch));
    if (value_len(patch) > PATCH_OPERATIONS_MAX)
        return err_set(err, ERR_TOO_LARGE, "a patch has at most %d operations", PATCH_OPERATIONS_MAX);
    for (size_t i = 0; i < value_len(patch); i++)
        if (!element_apply(txn, list_at(patch, i), err))
            return err_wrap(err, "operation %zu of the patch", i);
    return true;
}

/* ---- Merge patch ---- */

#define FEW 8

static size_t merge_removes(const struct value *target, const struct value *patch)
{
    struct str key;
    const struct value *item;
    size_t count = 0;
    for (size_t i = 0; (item = map_at(patch, i, &key)); i++)
        count += value_type(item) == VALUE_NULL && map_get(target, key);
    return count;
}

/* The target without what the patch removes. Each removal moves all that stands behind, so many of them are
 * left out from the start. */
static struct value *merge_start(const struct value *target, const struct value *patch)
{
    bool few = merge_removes(target, patch) <= FEW;
    struct value *result = few ? value_copy(target) : value_map();
    struct str key;
    const struct value *item, *change;
    for (size_t i = 0; few && (item = map_at(patch, i, &key)); i++)
        if (value_type(item) == VALUE_NULL)
            map_remove(result, key);
    for (size_t i = 0; !few && (item = map_at(target, i, &key)); i++)
        if (!(change = map_get(patch, key)) || value_type(change) != VALUE_NULL)
            map_set(result, key, value_ref(item));
    return result;
}

/* MergePatch of RFC 7396; target may be NULL. A reference, or NULL when that is too much work. Depth is
 * bounded by that of the patch. */
static struct value *value_merge(const struct value *target, const struct value *patch,
                                 struct edit_work *work, struct err *err)
{
    if (value_type(patch) != VALUE_MAP)
        return value_ref(patch);
    bool from_map = target && value_type(target) == VALUE_MAP;
    if (from_map && !work_spend(work, value_len(target), err))
        return NULL;
    AUTO_VALUE struct value *result = from_map ? merge_start(target, patch) : value_map();
    struct str key;
    const struct value *item;
    for (size_t i = 0; (item = map_at(patch, i, &key)); i++) {
        if (value_type(item) == VALUE_NULL)
            continue;
        struct value *merged = value_merge(map_get(result, key), item, work, err);
        if (!merged)
            return NULL;
        map_set(result, key, merged);
    }
    return value_ref(result);
}

bool write_merge(struct txn *txn, const struct value *patch, struct err *err)
{
    if (value_type(patch) != VALUE_MAP)
        return err_set(err, ERR_TYPE, "a merge patch must be an object, not %s", value_type_name(patch));
    struct str key;
    const struct value *item;
    for (size_t i = 0; (item = map_at(patch, i, &key)); i++) {
        if (value_type(item) == VALUE_NULL) {
            txn_delete(txn, key);
            continue;
        }
        struct value *merged = value_merge(txn_get(txn, key), item, &txn->work, err);
        if (!merged || !txn_set(txn, key, merged, err))
            return false;
    }
    return true;
}
