/* JSON Pointer: RFC 6901's examples, edits that share all but the way, errors. */
#include "value_test.h"

static void test_rfc_examples(void **state)
{
    (void)state;
    AUTO_VALUE struct value *root =
        parsed("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,"
               "\"k\\\"l\":6,\" \":7,\"m~n\":8}");
    static const char *const rows[][2] = {
        {"/foo", "[\"bar\",\"baz\"]"},
        {"/foo/0", "\"bar\""},
        {"/", "0"},
        {"/a~1b", "1"},
        {"/c%d", "2"},
        {"/e^f", "3"},
        {"/g|h", "4"},
        {"/i\\j", "5"},
        {"/k\"l", "6"},
        {"/ ", "7"},
        {"/m~0n", "8"},
    };
    assert_ptr_equal(pointer_get(root, STR(""), NULL), root);
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct err err = {0};
        struct value *value = pointer_get(root, str_of(rows[i][0]), &err);
        if (!value)
            fail_msg("%s: %s", rows[i][0], err.message);
        assert_prints(value, rows[i][1]);
    }
}

static void test_valid(void **state)
{
    (void)state;
    static const char *const good[] = {"", "/", "//", "/a", "/~0", "/~1~0", "/ä", "/-", "/a/00", "/~01"};
    static const char *const bad[] = {"a",   "a/b", " /a",   "#/a",   "/~",
                                      "/~2", "/a~", "/~a/b", "/\xff", "/~\xff"};
    for (size_t i = 0; i < LENGTH_OF(good); i++)
        assert_true(pointer_valid(str_of(good[i]), NULL));
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        struct err err = {0};
        if (pointer_valid(str_of(bad[i]), &err))
            fail_msg("%s is accepted", bad[i]);
        assert_int_equal(err.code, ERR_INVALID);
        assert_null(pointer_get(value_null(), str_of(bad[i]), &err));
        assert_null(pointer_set(value_null(), str_of(bad[i]), value_int(1), &err));
        assert_null(pointer_remove(value_null(), str_of(bad[i]), &err));
        assert_int_equal(err.code, ERR_INVALID);
    }
}

/* "~01" is "~1", not "/". */
static void test_escapes(void **state)
{
    (void)state;
    AUTO_VALUE struct value *root = parsed("{\"~1\":1,\"/\":2,\"~\":{\"a/~b\":3}}");
    assert_prints(pointer_get(root, STR("/~01"), NULL), "1");
    assert_prints(pointer_get(root, STR("/~1"), NULL), "2");
    assert_prints(pointer_get(root, STR("/~0/a~1~0b"), NULL), "3");
    AUTO_VALUE struct value *changed = pointer_set(root, STR("/~0/a~1~0c"), value_int(4), NULL);
    assert_prints(changed, "{\"~1\":1,\"/\":2,\"~\":{\"a/~b\":3,\"a/~c\":4}}");
    AUTO_VALUE struct value *less = pointer_remove(changed, STR("/~0/a~1~0b"), NULL);
    assert_prints(less, "{\"~1\":1,\"/\":2,\"~\":{\"a/~c\":4}}");
}

static void test_get_errors(void **state)
{
    (void)state;
    AUTO_VALUE struct value *root = parsed("{\"a\":{\"b\":[1,2]},\"s\":\"x\"}");
    static const struct {
        const char *pointer;
        enum err_code code;
        const char *message;
    } rows[] = {
        {"/x", ERR_NOT_FOUND, "there is no '/x'"},
        {"/a/x/y", ERR_NOT_FOUND, "there is no '/a/x'"},
        {"/a/b/2", ERR_NOT_FOUND, "there is no '/a/b/2'"},
        {"/a/b/-", ERR_NOT_FOUND, "there is no '/a/b/-'"},
        {"/a/b/-/c", ERR_NOT_FOUND, "there is no '/a/b/-'"},
        {"/a/b/18446744073709551616", ERR_NOT_FOUND, "there is no"},
        {"/a/b/99999999999999999999999999999999", ERR_NOT_FOUND, "there is no"},
        {"/a/b/01", ERR_INVALID, "'/a/b/01' does not end in a list index"},
        {"/a/b/00", ERR_INVALID, "list index"},
        {"/a/b/", ERR_INVALID, "list index"},
        {"/a/b/x", ERR_INVALID, "list index"},
        {"/a/b/-1", ERR_INVALID, "list index"},
        {"/a/b/+1", ERR_INVALID, "list index"},
        {"/a/b/1e0", ERR_INVALID, "list index"},
        {"/s/0", ERR_TYPE, "there is no '/s/0': it would stand in a value of type string"},
        {"/a/b/0/c", ERR_TYPE, "of type int"},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct err err = {0};
        assert_null(pointer_get(root, str_of(rows[i].pointer), &err));
        assert_int_equal(err.code, rows[i].code);
        assert_message(&err, rows[i].message);
        assert_null(pointer_remove(root, str_of(rows[i].pointer), &err));
        assert_int_equal(err.code, rows[i].code);
    }
}

enum edit { SET, ADD, REMOVE };

static struct value *edited(const struct value *root, enum edit edit, struct str pointer, struct err *err)
{
    if (edit == REMOVE)
        return pointer_remove(root, pointer, err);
    return (edit == SET ? pointer_set : pointer_add)(root, pointer, value_string(STR("new")), err);
}

static void test_edits(void **state)
{
    (void)state;
    static const struct {
        const char *root;
        enum edit edit;
        const char *pointer, *result;
    } rows[] = {
        {"1", SET, "", "\"new\""},
        {"1", ADD, "", "\"new\""},
        {"{}", SET, "/a", "{\"a\":\"new\"}"},
        {"{\"a\":1,\"b\":2}", SET, "/a", "{\"a\":\"new\",\"b\":2}"},
        {"{\"a\":1,\"b\":2}", ADD, "/a", "{\"a\":\"new\",\"b\":2}"},
        {"{\"a\":1,\"b\":2}", REMOVE, "/a", "{\"b\":2}"},
        {"{\"\":1}", REMOVE, "/", "{}"},
        {"[1,2]", SET, "/0", "[\"new\",2]"},
        {"[1,2]", ADD, "/0", "[\"new\",1,2]"},
        {"[1,2]", ADD, "/1", "[1,\"new\",2]"},
        {"[1,2]", SET, "/2", "[1,2,\"new\"]"},
        {"[1,2]", ADD, "/2", "[1,2,\"new\"]"},
        {"[1,2]", SET, "/-", "[1,2,\"new\"]"},
        {"[]", ADD, "/-", "[\"new\"]"},
        {"[1,2]", REMOVE, "/1", "[1]"},
        {"{\"-\":1}", SET, "/-", "{\"-\":\"new\"}"},
        {"{\"a\":[{\"b\":1},3]}", SET, "/a/0/b", "{\"a\":[{\"b\":\"new\"},3]}"},
        {"{\"a\":[[1],3]}", ADD, "/a/0/0", "{\"a\":[[\"new\",1],3]}"},
        {"{\"a\":[[1],3]}", REMOVE, "/a/0/0", "{\"a\":[[],3]}"},
        {"{\"a\":[[1],3],\"c\":4}", REMOVE, "/a", "{\"c\":4}"},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct err err = {0};
        AUTO_VALUE struct value *root = parsed(rows[i].root);
        AUTO_VALUE struct value *result = edited(root, rows[i].edit, str_of(rows[i].pointer), &err);
        if (!result)
            fail_msg("%s of %s: %s", rows[i].pointer, rows[i].root, err.message);
        assert_prints(result, rows[i].result);
        assert_prints(root, rows[i].root);
    }
}

static void test_edit_errors(void **state)
{
    (void)state;
    static const struct {
        const char *root;
        enum edit edit;
        const char *pointer;
        enum err_code code;
    } rows[] = {
        {"{}", SET, "/a/b", ERR_NOT_FOUND},
        {"{}", ADD, "/a/b", ERR_NOT_FOUND},
        {"[1]", SET, "/2", ERR_NOT_FOUND},
        {"[1]", ADD, "/2", ERR_NOT_FOUND},
        {"[1]", ADD, "/99999999999999999999", ERR_NOT_FOUND},
        {"[1]", SET, "/-/a", ERR_NOT_FOUND},
        {"[1]", SET, "/x", ERR_INVALID},
        {"[1]", ADD, "/01", ERR_INVALID},
        {"1", SET, "/a", ERR_TYPE},
        {"[null]", ADD, "/0/a", ERR_TYPE},
        {"[null]", SET, "/0/a/b", ERR_TYPE},
        {"{}", REMOVE, "/a", ERR_NOT_FOUND},
        {"[1]", REMOVE, "/1", ERR_NOT_FOUND},
        {"[1]", REMOVE, "/-", ERR_NOT_FOUND},
        {"{}", REMOVE, "", ERR_INVALID},
        {"{\"a\":1}", REMOVE, "/a/b", ERR_TYPE},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct err err = {0};
        AUTO_VALUE struct value *root = parsed(rows[i].root);
        assert_null(edited(root, rows[i].edit, str_of(rows[i].pointer), &err));
        if (err.code != rows[i].code)
            fail_msg("%s of %s: %s", rows[i].pointer, rows[i].root, err.message);
        assert_prints(root, rows[i].root);
    }
}

/* What is not on the way is the same memory in both roots. */
static void test_sharing(void **state)
{
    (void)state;
    AUTO_VALUE struct value *root = parsed("{\"a\":{\"x\":[1],\"y\":[2]},\"b\":{\"z\":3}}");
    AUTO_VALUE struct value *changed = pointer_set(root, STR("/a/x/0"), value_int(9), NULL);
    assert_ptr_equal(pointer_get(root, STR("/b"), NULL), pointer_get(changed, STR("/b"), NULL));
    assert_ptr_equal(pointer_get(root, STR("/a/y"), NULL), pointer_get(changed, STR("/a/y"), NULL));
    assert_prints(root, "{\"a\":{\"x\":[1],\"y\":[2]},\"b\":{\"z\":3}}");
    assert_prints(changed, "{\"a\":{\"x\":[9],\"y\":[2]},\"b\":{\"z\":3}}");
    /* A part of the root put into itself is a copy of what was there. */
    AUTO_VALUE struct value *twice = pointer_set(root, STR("/b/z"), value_ref(root), NULL);
    assert_ptr_equal(pointer_get(twice, STR("/b/z"), NULL), root);
}

static struct str way_down(struct buf *buf, size_t parts)
{
    buf_clear(buf);
    for (size_t i = 0; i < parts; i++)
        buf_add_text(buf, "/0");
    return buf_str(buf);
}

static void test_nesting_limit(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO_BUF struct buf way = {0};
    AUTO_VALUE struct value *root = nested(VALUE_DEPTH_MAX);
    AUTO_VALUE struct value *same = pointer_set(root, way_down(&way, VALUE_DEPTH_MAX), value_int(1), &err);
    assert_int_equal(value_depth(same), VALUE_DEPTH_MAX);
    assert_null(pointer_set(root, way_down(&way, VALUE_DEPTH_MAX), value_list(), &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_null(pointer_add(root, STR("/-"), value_ref(root), &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_null(pointer_set(root, STR(""), nested(VALUE_DEPTH_MAX + 1), &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    /* From what is too deep already, all on the way is counted, and what is at its end. */
    AUTO_VALUE struct value *deep = nested(100000);
    assert_null(pointer_set(deep, way_down(&way, 90000), value_int(1), &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_null(pointer_remove(deep, way_down(&way, 90000), &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_non_null(pointer_get(deep, way_down(&way, 90000), &err));
    AUTO_VALUE struct value *cut = pointer_remove(deep, way_down(&way, VALUE_DEPTH_MAX), &err);
    assert_int_equal(value_depth(cut), VALUE_DEPTH_MAX);
}

/* Depth stays exact when the deepest part goes, so that nothing is refused for what is no longer there. */
static void test_depth_is_exact(void **state)
{
    (void)state;
    AUTO_VALUE struct value *root = parsed("{\"a\":{\"b\":[[[]]]},\"c\":[[]]}");
    assert_int_equal(value_depth(root), 5);
    AUTO_VALUE struct value *flat = pointer_set(root, STR("/a/b"), value_int(1), NULL);
    assert_int_equal(value_depth(flat), 3);
    AUTO_VALUE struct value *less = pointer_remove(root, STR("/a/b"), NULL);
    assert_int_equal(value_depth(pointer_get(less, STR("/a"), NULL)), 1);
    assert_int_equal(value_depth(less), 3);
    AUTO_VALUE struct value *least = pointer_remove(less, STR("/c/0"), NULL);
    assert_int_equal(value_depth(least), 2);
}

static void test_item_is_taken_on_failure(void **state)
{
    (void)state;
    AUTO_VALUE struct value *item = value_string(STR("mine"));
    AUTO_VALUE struct value *root = parsed("[1]");
    static const char *const pointers[] = {"x", "/9", "/0/a"};
    for (size_t i = 0; i < LENGTH_OF(pointers); i++) {
        assert_null(pointer_set(root, str_of(pointers[i]), value_ref(item), NULL));
        assert_null(pointer_add(root, str_of(pointers[i]), value_ref(item), NULL));
    }
    assert_str(value_as_str(item), "mine");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc_examples),   cmocka_unit_test(test_valid),
        cmocka_unit_test(test_escapes),        cmocka_unit_test(test_get_errors),
        cmocka_unit_test(test_edits),          cmocka_unit_test(test_edit_errors),
        cmocka_unit_test(test_sharing),        cmocka_unit_test(test_nesting_limit),
        cmocka_unit_test(test_depth_is_exact), cmocka_unit_test(test_item_is_taken_on_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
