/* JSON Pointer, JSON Patch and merge patch: DOCUMENT, NUL, PATCH. All or nothing; what was there is untouched
 * when it is refused. */
#include "fuzz.h"
#include "store.h"

static void patch(const struct value *document, const struct value *change, bool merge)
{
    struct err err = {0};
    struct store *store = store_new(&(struct store_limits){1 << 20, 1 << 24});
    struct space *space = store_space(store, STR("default"), NULL);
    struct txn *txn = txn_begin(space);
    bool taken = write_replace(txn, document, NULL); /* not with an empty key, or one that is too long */
    if (!taken)
        txn_abort(txn);
    if (!taken || !txn_commit(txn, 1, STR("fuzz"), NULL)) {
        store_free(store);
        return;
    }
    AUTO_VALUE struct value *before = space_map(space, NOW);
    txn = txn_begin(space);
    bool applied = merge ? write_merge(txn, change, &err) : write_patch(txn, change, &err);
    MUST(applied || err.message[0]);
    if (applied)
        applied = txn_commit(txn, 2, STR("fuzz"), &err) != NULL;
    else
        txn_abort(txn);
    AUTO_VALUE struct value *after = space_map(space, NOW);
    AUTO_VALUE struct value *was = space_map(space, 1);
    MUST(value_identical(before, was));
    MUST(applied || value_identical(before, after));
    store_free(store);
}

static void point(const struct value *document, struct str pointer)
{
    if (!pointer_valid(pointer, NULL))
        return;
    AUTO_VALUE struct value *set = pointer_set(document, pointer, value_int(7), NULL);
    const struct value *found = set ? pointer_get(set, pointer, NULL) : NULL;
    bool appended = pointer.len > 0 && pointer.data[pointer.len - 1] == '-';
    MUST(!set || appended || (found && value_type(found) == VALUE_INT));
    value_unref(pointer_add(document, pointer, value_null(), NULL));
    value_unref(pointer_remove(document, pointer, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest, text = fuzz_cut(data, size, &rest);
    AUTO_VALUE struct value *document = value_parse(text, NULL);
    if (!document)
        return 0;
    point(document, rest);
    AUTO_VALUE struct value *change = value_parse(rest, NULL);
    if (!change || value_type(document) != VALUE_MAP)
        return 0;
    patch(document, change, false);
    patch(document, change, true);
    return 0;
}
