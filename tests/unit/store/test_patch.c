/* JSON Patch and merge patch over a namespace: the cases of CONFORMANCE_DIR/json-patch.json, where that file
 * is there, with the document in a key and, where it is an object, as the namespace itself; the cases of RFC
 * 7396. */
#include "store_test.h"

#include <unistd.h>

int wake_count;

static const char cases_path[] = CONFORMANCE_DIR "/json-patch.json";

/* A patch whose paths begin with "/doc" (not before what is no pointer). */
static struct value *patch_under_doc(const struct value *patch)
{
    if (value_type(patch) != VALUE_LIST)
        return value_ref(patch);
    struct value *result = value_list();
    const struct value *element;
    for (size_t i = 0; (element = list_at(patch, i)); i++) {
        struct value *copy = value_copy(element);
        static const char *const names[] = {"path", "from"};
        for (size_t n = 0; n < LENGTH_OF(names); n++) {
            const struct value *path = map_get(element, str_of(names[n]));
            if (!path || value_type(path) != VALUE_STRING || !pointer_valid(value_as_str(path), NULL))
                continue;
            AUTO_BUF struct buf text = {0};
            buf_add_text(&text, "/doc");
            buf_add_str(&text, value_as_str(path));
            map_set(copy, str_of(names[n]), value_string(buf_str(&text)));
        }
        list_push(result, copy);
    }
    return result;
}

/* What the namespace is after the patch; NULL when it was refused. */
static struct value *space_patched(const struct value *namespace, const struct value *patch, bool merge)
{
    struct fixture f = fixture_new();
    struct err err = {0};
    struct txn *txn = txn_begin(f.space);
    assert_true(write_replace(txn, namespace, NULL));
    commit(txn);
    txn = txn_begin(f.space);
    bool applied = merge ? write_merge(txn, patch, &err) : write_patch(txn, patch, &err);
    if (applied)
        commit(txn);
    else
        txn_abort(txn);
    AUTO_VALUE struct value *after = space_map(f.space, NOW);
    assert_true(applied || (err.code != ERR_NONE && value_identical(after, namespace)));
    store_free(f.store);
    return applied ? value_ref(after) : NULL;
}

static bool outcome_fits(const struct value *row, const struct value *result, const struct value *expected)
{
    bool refused = map_get(row, STR("error")) != NULL;
    if (refused ? !result : result && (!expected || value_identical(result, expected)))
        return true;
    AUTO_BUF struct buf text = {0};
    value_print(&text, row);
    print_error("%.*s\n  %s\n", (int)text.len, text.data, result ? "another result" : "refused");
    return false;
}

static bool case_passes(const struct value *row)
{
    const struct value *doc = map_get(row, STR("doc")), *patch = map_get(row, STR("patch")),
                       *expected = map_get(row, STR("expected"));
    AUTO_VALUE struct value *inside = value_map(), *wanted = value_map();
    map_set(inside, STR("doc"), value_ref(doc));
    if (expected)
        map_set(wanted, STR("doc"), value_ref(expected));
    AUTO_VALUE struct value *moved = patch_under_doc(patch);
    AUTO_VALUE struct value *result = space_patched(inside, moved, false);
    if (!outcome_fits(row, result, expected ? wanted : NULL))
        return false;
    if (value_type(doc) != VALUE_MAP || (expected && value_type(expected) != VALUE_MAP))
        return true;
    /* A key of a namespace cannot be empty. */
    AUTO_BUF struct buf text = {0};
    value_print(&text, row);
    if (map_get(doc, STR("")) || str_find(buf_str(&text), STR("\"path\":\"/\"")) >= 0)
        return true;
    AUTO_VALUE struct value *whole = space_patched(doc, patch, false);
    return outcome_fits(row, whole, expected);
}

static void test_conformance(void **state)
{
    (void)state;
    if (access(cases_path, R_OK) != 0) {
        print_message("skipped: %s is not there\n", cases_path);
        skip();
    }
    AUTO_BUF struct buf file = {0};
    struct err err = {0};
    if (!file_read(cases_path, 1 << 24, &file, &err))
        fail_msg("%s", err.message);
    AUTO_VALUE struct value *rows = value_parse(buf_str(&file), &err);
    if (!rows)
        fail_msg("%s", err.message);
    size_t count = 0, failed = 0;
    const struct value *row;
    for (size_t i = 0; (row = list_at(rows, i)); i++) {
        const struct value *disabled = map_get(row, STR("disabled")); /* a member that stands twice */
        if (!map_get(row, STR("patch")) || (disabled && value_as_bool(disabled)))
            continue;
        count++;
        failed += !case_passes(row);
    }
    print_message("%zu cases\n", count);
    assert_true(count > 0);
    assert_int_equal(failed, 0);
}

/* The table of RFC 7396, appendix A, in a key: target, patch, result. */
static void test_merge(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
        {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
        {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        AUTO_VALUE struct value *namespace = value_map(), *patch = value_map(), *wanted = value_map();
        map_set(namespace, STR("k"), json(rows[i][0]));
        map_set(patch, STR("k"), json(rows[i][1]));
        map_set(wanted, STR("k"), json(rows[i][2]));
        AUTO_VALUE struct value *result = space_patched(namespace, patch, true);
        assert_true(result && value_identical(result, wanted));
    }
    AUTO_VALUE struct value *namespace = json("{\"a\":1,\"b\":{\"c\":2}}");
    AUTO_VALUE struct value *patch = json("{\"a\":null,\"x\":null,\"b\":{\"d\":3}}"), *list = json("[]");
    AUTO_VALUE struct value *result = space_patched(namespace, patch, true);
    assert_json(result, "{\"b\":{\"c\":2,\"d\":3}}");
    assert_null(space_patched(namespace, list, true));
}

/* What a patch refuses, each with the number of the operation. */
static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *patch, *message;
        enum err_code code;
    } rows[] = {
        {"{}", "list", ERR_TYPE},
        {"[1]", "operation 0", ERR_INVALID},
        {"[{\"op\":\"add\",\"path\":\"/a\",\"value\":1},{\"op\":\"x\",\"path\":\"\"}]", "operation 1",
         ERR_INVALID},
        {"[{\"op\":\"test\",\"path\":\"/n\",\"value\":2}]", "'/n' is 1", ERR_CONFLICT},
        {"[{\"op\":\"remove\",\"path\":\"\"}]", "whole", ERR_INVALID},
        {"[{\"op\":\"replace\",\"path\":\"\",\"value\":1}]", "object", ERR_TYPE},
        {"[{\"op\":\"add\",\"path\":\"/\",\"value\":1}]", "empty", ERR_INVALID},
        {"[{\"op\":\"move\",\"from\":\"/m\",\"path\":\"/m/k\"}]", "into itself", ERR_INVALID},
    };
    struct fixture f = fixture_new();
    AUTO_VALUE struct value *start = json("{\"n\":1,\"m\":{}}");
    struct txn *txn = txn_begin(f.space);
    assert_true(write_update(txn, start, NULL));
    commit(txn);
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        AUTO_VALUE struct value *patch = json(rows[i].patch);
        struct err err = {0};
        txn = txn_begin(f.space);
        assert_false(write_patch(txn, patch, &err));
        txn_abort(txn);
        assert_int_equal(err.code, rows[i].code);
        assert_message(&err, rows[i].message);
    }
    assert_space(f.space, NOW, "{\"n\":1,\"m\":{}}");
    store_free(f.store);
}

/* A key that is removed and added again is the last one; a replaced namespace has the order of its value. */
static void test_order(void **state)
{
    (void)state;
    AUTO_VALUE struct value *start = json("{\"a\":1,\"b\":2,\"c\":3}");
    AUTO_VALUE struct value *move =
        json("[{\"op\":\"remove\",\"path\":\"/a\"},{\"op\":\"add\",\"path\":\"/a\",\"value\":4}]");
    AUTO_VALUE struct value *result = space_patched(start, move, false);
    assert_json(result, "{\"b\":2,\"c\":3,\"a\":4}");
    AUTO_VALUE struct value *whole = json("[{\"op\":\"add\",\"path\":\"/z\",\"value\":0},"
                                          "{\"op\":\"add\",\"path\":\"\",\"value\":{\"c\":1,\"a\":2}}]");
    AUTO_VALUE struct value *replaced = space_patched(start, whole, false);
    assert_json(replaced, "{\"c\":1,\"a\":2}");
}

/* A patch of count operations, all alike. */
static struct value *patch_of(const char *operation, size_t count)
{
    AUTO_VALUE struct value *element = json(operation);
    struct value *patch = value_list();
    for (size_t i = 0; i < count; i++)
        list_push(patch, value_ref(element));
    return patch;
}

static struct value *list_of(size_t count)
{
    struct value *list = value_list();
    for (size_t i = 0; i < count; i++)
        list_push(list, value_int((int64_t)i));
    return list;
}

/* A list is copied once, whatever number of operations change it; what the patch came with, and what older
 * revisions hold, stays as it was. */
static void test_copied_once(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    AUTO_VALUE struct value *list = list_of(1000), *outer = value_map(), *before = value_list();
    AUTO_VALUE struct value *patch = patch_of("{\"op\":\"add\",\"path\":\"/k/l/-\",\"value\":[7]}", 5000);
    list_push(before, value_ref(list));
    map_set(outer, STR("l"), value_ref(list));
    struct txn *txn = txn_begin(f.space);
    assert_true(write_set(txn, STR("k"), STR(""), outer, NULL));
    int64_t first = commit(txn);
    txn = txn_begin(f.space);
    assert_true(write_patch(txn, patch, NULL));
    assert_in_range(TXN_WORK_MAX - txn->work.left, 1000, 1100);
    commit(txn);
    assert_int_equal(value_len(list), 1000);
    assert_int_equal(value_len(map_get(space_get(f.space, STR("k"), first), STR("l"))), 1000);
    const struct value *after = map_get(space_get(f.space, STR("k"), NOW), STR("l"));
    assert_int_equal(value_len(after), 6000);
    AUTO_VALUE struct value *copy = value_copy(space_get(f.space, STR("k"), NOW));
    assert_int_equal(value_size(space_get(f.space, STR("k"), NOW)), value_size(copy));
    assert_int_equal(value_depth(after), 2);
    store_free(f.store);
}

/* Depth that went is not counted, in the middle of a patch or afterwards. */
static void test_depth(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    struct value *deep = value_int(1);
    for (size_t i = 0; i < VALUE_DEPTH_MAX - 1; i++) {
        struct value *outer = value_list();
        list_push(outer, deep);
        deep = outer;
    }
    AUTO_VALUE struct value *element = json("{\"op\":\"add\",\"path\":\"/k\"}");
    map_set(element, STR("value"), value_list());
    list_push(map_get(element, STR("value")), deep);
    AUTO_VALUE struct value *patch = json("[{\"op\":\"remove\",\"path\":\"/k/0/0\"},"
                                          "{\"op\":\"add\",\"path\":\"/m\",\"value\":[]},"
                                          "{\"op\":\"move\",\"from\":\"/k\",\"path\":\"/m/0\"}]");
    AUTO_VALUE struct value *all = value_list();
    list_push(all, value_ref(element));
    for (size_t i = 0; i < value_len(patch); i++)
        list_push(all, value_ref(list_at(patch, i)));
    struct txn *txn = txn_begin(f.space);
    assert_true(write_patch(txn, all, NULL));
    commit(txn);
    assert_space(f.space, NOW, "{\"m\":[[[]]]}");
    assert_int_equal(value_depth(space_get(f.space, STR("m"), NOW)), 3);
    store_free(f.store);
}

/* What would hold everybody up is refused, and nothing has changed. */
static void test_too_much(void **state)
{
    (void)state;
    static const char *const operations[] = {
        "{\"op\":\"add\",\"path\":\"/l/0\",\"value\":0}",  "{\"op\":\"remove\",\"path\":\"/l/0\"}",
        "{\"op\":\"replace\",\"path\":\"\",\"value\":{}}", "{\"op\":\"copy\",\"from\":\"\",\"path\":\"/c\"}",
        "{\"op\":\"test\",\"path\":\"/l\",\"value\":0}",
    };
    struct fixture f = fixture_new();
    AUTO_VALUE struct value *list = list_of(100000);
    struct txn *txn = txn_begin(f.space);
    assert_true(write_set(txn, STR("l"), STR(""), list, NULL));
    for (int i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        assert_true(write_set(txn, str_of(key), STR(""), value_null(), NULL));
    }
    commit(txn);
    for (size_t i = 0; i < LENGTH_OF(operations); i++) {
        AUTO_VALUE struct value *element = json(operations[i]);
        if (i == 4) { /* the list itself, another copy of it */
            AUTO_VALUE struct value *same = list_of(100000);
            map_set(element, STR("value"), value_ref(same));
        }
        AUTO_VALUE struct value *patch = value_list();
        for (size_t n = 0; n < 100000; n++)
            list_push(patch, value_ref(element));
        struct err err = {0};
        txn = txn_begin(f.space);
        bool done = write_patch(txn, patch, &err);
        txn_abort(txn);
        if (done || err.code != ERR_TOO_LARGE)
            fail_msg("%s: %s", operations[i], done ? "done" : err.message);
        assert_int_equal(space_len(f.space, NOW), 101);
    }
    store_free(f.store);
}

/* Removing many members of a large object does not move the rest each time. */
static void test_merge_many(void **state)
{
    (void)state;
    AUTO_VALUE struct value *namespace = value_map(), *patch = value_map();
    struct value *members = value_map(), *gone = value_map();
    for (int i = 0; i < 200000; i++) {
        char key[16];
        snprintf(key, sizeof key, "m%d", i);
        map_set(members, str_of(key), value_int(i));
        if (i % 2)
            map_set(gone, str_of(key), value_null());
    }
    map_set(gone, STR("m0"), value_int(-1));
    map_set(namespace, STR("k"), members);
    map_set(patch, STR("k"), gone);
    AUTO_VALUE struct value *result = space_patched(namespace, patch, true);
    assert_int_equal(value_len(map_get(result, STR("k"))), 100000);
    struct str key;
    assert_int_equal(value_as_int(map_at(map_get(result, STR("k")), 0, &key)), -1);
    assert_true(str_is(key, "m0"));
    map_at(map_get(result, STR("k")), 99999, &key);
    assert_true(str_is(key, "m199998"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_copied_once), cmocka_unit_test(test_depth),
                                       cmocka_unit_test(test_too_much),    cmocka_unit_test(test_merge_many),
                                       cmocka_unit_test(test_conformance), cmocka_unit_test(test_merge),
                                       cmocka_unit_test(test_refusals),    cmocka_unit_test(test_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
