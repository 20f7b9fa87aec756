/* Namespaces: names, versions, reading as of a revision, order of insertion. */
#include "store_test.h"

int wake_count;

static void names(void **state)
{
    (void)state;
    char long_name[257];
    memset(long_name, 'n', sizeof long_name);
    assert_true(space_name_valid(STR("default")));
    assert_true(space_name_valid(STR("zwölf/. x")));
    assert_true(space_name_valid((struct str){long_name, 255}));
    assert_false(space_name_valid((struct str){long_name, 256}));
    assert_false(space_name_valid(STR("")));
    assert_false(space_name_valid(STR("a\nb")));
    assert_false(space_name_valid(STR("a\x7f")));
    assert_false(space_name_valid(STR("a\0b")));
    assert_false(space_name_valid(STR("\xff")));
    assert_true(space_name_reserved(STR("zproc")));
    assert_true(space_name_reserved(STR("zproc.web")));
    assert_false(space_name_reserved(STR("zprocs")));
    assert_false(space_name_reserved(STR("my.zproc")));
}

static void spaces_are_made_by_writers_only(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    assert_int_equal(figures(f.store).spaces, 1);
    assert_space(store_look(f.store, STR("other")), NOW, "{}");
    assert_space(store_look(f.store, STR("other")), 0, "{}");
    assert_null(space_get(store_look(f.store, STR("other")), STR("a"), NOW));
    assert_int_equal(figures(f.store).spaces, 1);
    struct space *other = store_space(f.store, STR("other"), NULL);
    assert_ptr_equal(store_look(f.store, STR("other")), other);
    assert_ptr_equal(store_space(f.store, STR("other"), NULL), other);
    assert_str(space_name(other), "other");
    set(other, "a", "1");
    set(f.space, "a", "2");
    assert_space(other, NOW, "{\"a\":1}");
    assert_space(f.space, NOW, "{\"a\":2}");
    assert_space(f.space, 1, "{}");
    store_free(f.store);
}

static void too_many_spaces(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    for (int i = 1; i < STORE_SPACES_MAX; i++) {
        AUTO_FREE char *name = mem_format("%d", i);
        assert_non_null(store_space(f.store, str_of(name), NULL));
    }
    struct err err = {0};
    assert_null(store_space(f.store, STR("one more"), &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_message(&err, "one more");
    assert_non_null(store_space(f.store, STR("default"), &err));
    store_free(f.store);
}

static void as_of(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    set(f.space, "a", "1");
    set(f.space, "b", "2");
    set(f.space, "a", "3");
    del(f.space, "b");
    set(f.space, "b", "5");
    assert_space(f.space, 0, "{}");
    assert_space(f.space, 1, "{\"a\":1}");
    assert_space(f.space, 2, "{\"a\":1,\"b\":2}");
    assert_space(f.space, 3, "{\"a\":3,\"b\":2}");
    assert_space(f.space, 4, "{\"a\":3}");
    assert_space(f.space, 5, "{\"a\":3,\"b\":5}");
    assert_space(f.space, NOW, "{\"a\":3,\"b\":5}");
    assert_json(space_get(f.space, STR("b"), 3), "2");
    assert_null(space_get(f.space, STR("b"), 4));
    assert_null(space_get(f.space, STR("c"), NOW));
    struct err err = {0};
    assert_true(space_covers(f.space, 0, &err));
    assert_true(space_covers(f.space, 5, &err));
    assert_true(space_covers(f.space, NOW, &err));
    assert_false(space_covers(f.space, 6, &err));
    assert_int_equal(err.code, ERR_INVALID);
    store_free(f.store);
}

static void order(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    set(f.space, "a", "1");
    set(f.space, "b", "2");
    set(f.space, "c", "3");
    set(f.space, "a", "4"); /* keeps its place */
    assert_space(f.space, NOW, "{\"a\":4,\"b\":2,\"c\":3}");
    del(f.space, "a");
    set(f.space, "a", "5"); /* a new one */
    assert_space(f.space, NOW, "{\"b\":2,\"c\":3,\"a\":5}");
    assert_space(f.space, 4, "{\"a\":4,\"b\":2,\"c\":3}");
    struct str last;
    assert_true(space_last(f.space, &last));
    assert_str(last, "a");
    store_free(f.store);
}

static void order_after_replace(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    set(f.space, "a", "1");
    set(f.space, "b", "2");
    set(f.space, "x", "0");
    AUTO_VALUE struct value *map = json("{\"c\":3,\"b\":2,\"a\":1}");
    struct txn *txn = txn_begin(f.space);
    assert_true(write_replace(txn, map, NULL));
    commit(txn);
    assert_space(f.space, NOW, "{\"c\":3,\"b\":2,\"a\":1}");
    assert_space(f.space, 3, "{\"a\":1,\"b\":2,\"x\":0}");
    txn = txn_begin(f.space);
    AUTO_VALUE struct value *pair = write_popitem(txn, NULL);
    assert_json(pair, "[\"a\",1]");
    commit(txn);
    assert_space(f.space, NOW, "{\"c\":3,\"b\":2}");
    assert_space(f.space, 4, "{\"c\":3,\"b\":2,\"a\":1}");
    store_free(f.store);
}

static void spelling(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    set(f.space, "a", "1.1");
    set(f.space, "a", "1.10");
    set(f.space, "m", "{\"x\":1,\"y\":2}");
    set(f.space, "m", "{\"y\":2,\"x\":1}");
    assert_space(f.space, NOW, "{\"a\":1.10,\"m\":{\"y\":2,\"x\":1}}");
    assert_space(f.space, 1, "{\"a\":1.1}");
    AUTO_VALUE struct value *first = record_event(store_record(f.store, 1));
    AUTO_VALUE struct value *second = record_event(store_record(f.store, 2));
    assert_json(first, "{\"rev\":1,\"ns\":\"default\",\"time\":1,\"by\":\"me\",\"changes\":[{\"key\":\"a\","
                       "\"value\":1.1}],\"identical\":false}");
    assert_json(second, "{\"rev\":2,\"ns\":\"default\",\"time\":1,\"by\":\"me\",\"changes\":[{\"key\":\"a\","
                        "\"old\":1.1,\"value\":1.10,\"identical\":true}],\"identical\":true}");
    store_free(f.store);
}

static void expressions_see_a_revision(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    set(f.space, "a", "1");
    set(f.space, "a", "2");
    set(f.space, "old", "7");
    struct expr *expr = expr_parse(STR("[a, old.a, state['a'], size(state), state['old'], size(old)]"), NULL);
    struct space_view view = {f.space, 3, 1};
    struct expr_scope scope = space_scope(&view, NULL);
    AUTO_VALUE struct value *value = expr_eval(expr, &scope, NULL);
    assert_json(value, "[2,1,2,2,7,1]");
    view = (struct space_view){f.space, 3, -1};
    AUTO_VALUE struct value *same = expr_eval(expr, &scope, NULL);
    assert_json(same, "[2,2,2,2,7,2]");
    expr_free(expr);
    store_free(f.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),           cmocka_unit_test(spaces_are_made_by_writers_only),
        cmocka_unit_test(too_many_spaces), cmocka_unit_test(as_of),
        cmocka_unit_test(order),           cmocka_unit_test(order_after_replace),
        cmocka_unit_test(spelling),        cmocka_unit_test(expressions_see_a_revision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
