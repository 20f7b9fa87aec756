/* The read-modify-writes: what they leave, what they answer, and that a failure changes nothing. */
#include "store_test.h"

int wake_count;

#define START "{\"n\":1,\"d\":1.5,\"s\":\"x\",\"l\":[1,{\"a\":2}],\"m\":{\"k\":{\"z\":0}},\"null\":null}"

/* One write, in the words of a row: op, key, path, operand (JSON; for cas [OLD, NEW]). */
struct row {
    const char *op, *key, *path, *operand;
    const char *answer; /* NULL: it answers nothing */
    const char *after;  /* the whole space; NULL: unchanged */
    enum err_code code;
    const char *message;
};

static const char *const no_keys = "{}";

static bool row_write(struct txn *txn, const struct row *row, struct value **answer, struct err *err)
{
    struct str key = str_of(row->key), path = str_of(row->path);
    AUTO_VALUE struct value *operand = row->operand ? json(row->operand) : NULL;
    if (strcmp(row->op, "set") == 0)
        return write_set(txn, key, path, operand, err);
    if (strcmp(row->op, "del") == 0)
        return write_delete(txn, key, path, err);
    if (strcmp(row->op, "update") == 0)
        return write_update(txn, operand, err);
    if (strcmp(row->op, "replace") == 0)
        return write_replace(txn, operand, err);
    if (strcmp(row->op, "cas") == 0)
        return write_cas(txn, key, path, list_at(operand, 0), -1, list_at(operand, 1), err);
    if (strcmp(row->op, "absent") == 0)
        return write_cas(txn, key, path, NULL, -1, operand, err);
    if (strcmp(row->op, "at1") == 0)
        return write_cas(txn, key, path, NULL, 1, operand, err);
    if (strcmp(row->op, "at0") == 0)
        return write_cas(txn, key, path, NULL, 0, operand, err);
    if (strcmp(row->op, "setdefault") == 0)
        return (*answer = write_setdefault(txn, key, path, operand, err)) != NULL;
    if (strcmp(row->op, "pop") == 0)
        return (*answer = write_pop(txn, key, path, operand, err)) != NULL;
    if (strcmp(row->op, "popitem") == 0)
        return (*answer = write_popitem(txn, err)) != NULL;
    if (strcmp(row->op, "incr") == 0)
        return (*answer = write_incr(txn, key, path, operand, err)) != NULL;
    if (strcmp(row->op, "append") == 0)
        return (*answer = write_append(txn, key, path, operand, err)) != NULL;
    if (strcmp(row->op, "extend") == 0)
        return (*answer = write_extend(txn, key, path, operand, err)) != NULL;
    if (strcmp(row->op, "remove") == 0)
        return (*answer = write_remove(txn, key, path, operand, err)) != NULL;
    assert_string_equal(row->op, "clear");
    write_clear(txn);
    return true;
}

static void row_check(const struct row *row, const char *start)
{
    struct fixture f = fixture_new();
    AUTO_VALUE struct value *initial = json(start), *answer = NULL;
    struct txn *txn = txn_begin(f.space);
    assert_true(write_update(txn, initial, NULL));
    commit(txn);
    struct store_figures before = figures(f.store);
    struct err err = {0};
    txn = txn_begin(f.space);
    bool ok = row_write(txn, row, &answer, &err);
    if (ok != (row->code == ERR_NONE) || err.code != row->code)
        fail_msg("%s %s%s %s: %s %s", row->op, row->key, row->path, row->operand, err_code_name(err.code),
                 err.message);
    if (ok)
        assert_int_equal(commit(txn), 2);
    else
        txn_abort(txn);
    assert_int_equal(store_revision(f.store), ok ? 2 : 1);
    if (row->answer)
        assert_json(answer, row->answer);
    else
        assert_null(answer);
    if (row->message)
        assert_message(&err, row->message);
    assert_space(f.space, NOW, row->after ? row->after : start);
    assert_space(f.space, 1, start);
    if (!ok) {
        struct store_figures after = figures(f.store);
        assert_memory_equal(&before, &after, sizeof before);
    }
    store_free(f.store);
}

#define CHANGED_S(text)                                                                                      \
    "{\"n\":1,\"d\":1.5,\"s\":" text ",\"l\":[1,{\"a\":2}],\"m\":{\"k\":{\"z\":0}},\"null\":null}"
#define CHANGED_N(text)                                                                                      \
    "{\"n\":" text ",\"d\":1.5,\"s\":\"x\",\"l\":[1,{\"a\":2}],\"m\":{\"k\":{\"z\":0}},\"null\":null}"
#define CHANGED_L(text) "{\"n\":1,\"d\":1.5,\"s\":\"x\",\"l\":" text ",\"m\":{\"k\":{\"z\":0}},\"null\":null}"
#define CHANGED_M(text) "{\"n\":1,\"d\":1.5,\"s\":\"x\",\"l\":[1,{\"a\":2}],\"m\":" text ",\"null\":null}"
#define WITH_NEW(text)                                                                                       \
    "{\"n\":1,\"d\":1.5,\"s\":\"x\",\"l\":[1,{\"a\":2}],\"m\":{\"k\":{\"z\":0}},\"null\":null,\"new\":" text \
    "}"

static const struct row rows[] = {
    {"set", "new", "", "[1]", NULL, WITH_NEW("[1]"), 0, NULL},
    {"set", "s", "", "2", NULL, CHANGED_S("2"), 0, NULL},
    {"set", "m", "/k/z", "2", NULL, CHANGED_M("{\"k\":{\"z\":2}}"), 0, NULL},
    {"set", "m", "/k/y", "2", NULL, CHANGED_M("{\"k\":{\"z\":0,\"y\":2}}"), 0, NULL},
    {"set", "l", "/-", "2", NULL, CHANGED_L("[1,{\"a\":2},2]"), 0, NULL},
    {"set", "l", "/0", "2", NULL, CHANGED_L("[2,{\"a\":2}]"), 0, NULL},
    {"set", "l", "/5", "2", NULL, NULL, ERR_NOT_FOUND, "key 'l#/5'"},
    {"set", "m", "/q/z", "2", NULL, NULL, ERR_NOT_FOUND, "key 'm#/q/z'"},
    {"set", "n", "/q", "2", NULL, NULL, ERR_TYPE, "key 'n#/q'"},
    {"set", "new", "/q", "2", NULL, NULL, ERR_NOT_FOUND, "'new'"},
    {"set", "", "", "2", NULL, NULL, ERR_INVALID, "empty"},
    {"del", "n", "", NULL, NULL,
     "{\"d\":1.5,\"s\":\"x\",\"l\":[1,{\"a\":2}],\"m\":{\"k\":{\"z\":0}},\"null\":null}", 0, NULL},
    {"del", "m", "/k/z", NULL, NULL, CHANGED_M("{\"k\":{}}"), 0, NULL},
    {"del", "l", "/0", NULL, NULL, CHANGED_L("[{\"a\":2}]"), 0, NULL},
    {"del", "new", "", NULL, NULL, NULL, ERR_NOT_FOUND, "'new'"},
    {"del", "m", "/q", NULL, NULL, NULL, ERR_NOT_FOUND, "'m#/q'"},
    {"update", "", "", "{\"s\":2,\"new\":3}", NULL,
     "{\"n\":1,\"d\":1.5,\"s\":2,\"l\":[1,{\"a\":2}],\"m\":{\"k\":{\"z\":0}},\"null\":null,\"new\":3}", 0,
     NULL},
    {"update", "", "", "{}", NULL, NULL, 0, NULL},
    {"update", "", "", "[]", NULL, NULL, ERR_TYPE, "object"},
    {"update", "", "", "{\"s\":3,\"\":1}", NULL, NULL, ERR_INVALID, "empty"},
    {"replace", "", "", "{\"new\":3,\"n\":1}", NULL, "{\"new\":3,\"n\":1}", 0, NULL},
    {"replace", "", "", "7", NULL, NULL, ERR_TYPE, "object"},
    {"replace", "", "", "{\"a\":1,\"\":1}", NULL, NULL, ERR_INVALID, "empty"},
    {"clear", "", "", NULL, NULL, "{}", 0, NULL},
    {"setdefault", "s", "", "7", "\"x\"", NULL, 0, NULL},
    {"setdefault", "null", "", "7", "null", NULL, 0, NULL},
    {"setdefault", "new", "", "7", "7", WITH_NEW("7"), 0, NULL},
    {"setdefault", "m", "/k/z", "7", "0", NULL, 0, NULL},
    {"setdefault", "m", "/k/y", "7", "7", CHANGED_M("{\"k\":{\"z\":0,\"y\":7}}"), 0, NULL},
    {"setdefault", "m", "/q/y", "7", NULL, NULL, ERR_NOT_FOUND, "'m#/q/y'"},
    {"setdefault", "n", "/y", "7", NULL, NULL, ERR_TYPE, "'n#/y'"},
    {"pop", "null", "", NULL, "null",
     "{\"n\":1,\"d\":1.5,\"s\":\"x\",\"l\":[1,{\"a\":2}],\"m\":{\"k\":{\"z\":0}}}", 0, NULL},
    {"pop", "new", "", NULL, NULL, NULL, ERR_NOT_FOUND, "'new'"},
    {"pop", "new", "", "9", "9", NULL, 0, NULL},
    {"pop", "m", "/q", "9", "9", NULL, 0, NULL},
    {"pop", "n", "/q", "9", NULL, NULL, ERR_TYPE, "'n#/q'"},
    {"pop", "l", "/1", NULL, "{\"a\":2}", CHANGED_L("[1]"), 0, NULL},
    {"popitem", "", "", NULL, "[\"null\",null]",
     "{\"n\":1,\"d\":1.5,\"s\":\"x\",\"l\":[1,{\"a\":2}],\"m\":{\"k\":{\"z\":0}}}", 0, NULL},
    {"incr", "n", "", "5", "6", CHANGED_N("6"), 0, NULL},
    {"incr", "n", "", "-2", "-1", CHANGED_N("-1"), 0, NULL},
    {"incr", "n", "", "0.5", "1.5", CHANGED_N("1.5"), 0, NULL},
    {"incr", "n", "", "9223372036854775806", "9223372036854775807", CHANGED_N("9223372036854775807"), 0,
     NULL},
    {"incr", "n", "", "9223372036854775807", NULL, NULL, ERR_TYPE, "key 'n'"},
    {"incr", "d", "", "1e308", "1e+308",
     "{\"n\":1,\"d\":1e+308,\"s\":\"x\",\"l\":[1,{\"a\":2}],\"m\":{\"k\":{\"z\":0}},\"null\":null}", 0, NULL},
    {"incr", "new", "", "3", "3", WITH_NEW("3"), 0, NULL},
    {"incr", "m", "/k/z", "3", "3", CHANGED_M("{\"k\":{\"z\":3}}"), 0, NULL},
    {"incr", "m", "/k/y", "3", "3", CHANGED_M("{\"k\":{\"z\":0,\"y\":3}}"), 0, NULL},
    {"incr", "new", "/k", "3", NULL, NULL, ERR_NOT_FOUND, "'new'"},
    {"incr", "s", "", "1", NULL, NULL, ERR_TYPE, "key 's'"},
    {"incr", "null", "", "1", NULL, NULL, ERR_TYPE, "null"},
    {"incr", "n", "", "\"1\"", NULL, NULL, ERR_TYPE, "string"},
    {"append", "l", "", "[3]", "[1,{\"a\":2},[3]]", CHANGED_L("[1,{\"a\":2},[3]]"), 0, NULL},
    {"append", "new", "", "3", "[3]", WITH_NEW("[3]"), 0, NULL},
    {"append", "m", "/k/y", "3", "[3]", CHANGED_M("{\"k\":{\"z\":0,\"y\":[3]}}"), 0, NULL},
    {"append", "m", "", "3", NULL, NULL, ERR_TYPE, "key 'm'"},
    {"append", "m", "/k/z/y", "3", NULL, NULL, ERR_TYPE, "'m#/k/z/y'"},
    {"extend", "l", "", "[3,[4]]", "[1,{\"a\":2},3,[4]]", CHANGED_L("[1,{\"a\":2},3,[4]]"), 0, NULL},
    {"extend", "new", "", "[3]", "[3]", WITH_NEW("[3]"), 0, NULL},
    {"extend", "m", "/k/y", "[]", "[]", CHANGED_M("{\"k\":{\"z\":0,\"y\":[]}}"), 0, NULL},
    {"extend", "l", "", "3", NULL, NULL, ERR_TYPE, "key 'l'"},
    {"extend", "s", "", "[3]", NULL, NULL, ERR_TYPE, "key 's'"},
    {"remove", "l", "", "{\"a\":2.0}", "[1]", CHANGED_L("[1]"), 0, NULL},
    {"remove", "l", "", "7", NULL, NULL, ERR_NOT_FOUND, "key 'l'"},
    {"remove", "new", "", "7", NULL, NULL, ERR_NOT_FOUND, "'new'"},
    {"remove", "m", "/k", "7", NULL, NULL, ERR_TYPE, "'m#/k'"},
    {"cas", "n", "", "[1,2]", NULL, CHANGED_N("2"), 0, NULL},
    {"cas", "n", "", "[1.0,2]", NULL, CHANGED_N("2"), 0, NULL},
    {"cas", "n", "", "[3,2]", NULL, NULL, ERR_CONFLICT, "'n' is 1"},
    {"cas", "new", "", "[null,2]", NULL, NULL, ERR_CONFLICT, "'new'"},
    {"cas", "m", "/k/z", "[0,2]", NULL, CHANGED_M("{\"k\":{\"z\":2}}"), 0, NULL},
    {"cas", "m", "/k/z", "[1,2]", NULL, NULL, ERR_CONFLICT, "'m'"},
    {"absent", "new", "", "2", NULL, WITH_NEW("2"), 0, NULL},
    {"absent", "n", "", "2", NULL, NULL, ERR_CONFLICT, "'n' exists"},
    {"absent", "m", "/k/y", "2", NULL, CHANGED_M("{\"k\":{\"z\":0,\"y\":2}}"), 0, NULL},
    {"absent", "m", "/k/z", "2", NULL, NULL, ERR_CONFLICT, "'m'"},
    {"at1", "n", "", "2", NULL, CHANGED_N("2"), 0, NULL},
    {"at1", "new", "", "2", NULL, NULL, ERR_CONFLICT, "revision 1"},
    {"at0", "n", "", "2", NULL, NULL, ERR_CONFLICT, "revision 0"},
};

static void each_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        row_check(&rows[i], START);
}

static void of_nothing(void **state)
{
    (void)state;
    row_check(&(struct row){"popitem", "", "", NULL, NULL, NULL, ERR_NOT_FOUND, "default"}, no_keys);
    row_check(&(struct row){"clear", "", "", NULL, NULL, NULL, 0, NULL}, no_keys);
    row_check(&(struct row){"incr", "d", "", "1e308", NULL, NULL, ERR_TYPE, "doubles"}, "{\"d\":1e308}");
}

static void long_keys(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    AUTO_FREE char *key = mem_new(STORE_KEY_MAX + 1);
    memset(key, 'k', STORE_KEY_MAX + 1);
    struct err err = {0};
    AUTO_VALUE struct value *one = value_int(1);
    struct txn *txn = txn_begin(f.space);
    assert_true(write_set(txn, (struct str){key, STORE_KEY_MAX}, STR(""), one, &err));
    assert_false(write_set(txn, (struct str){key, STORE_KEY_MAX + 1}, STR(""), one, &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    txn_abort(txn);
    assert_int_equal(figures(f.store).keys, 0);
    store_free(f.store);
}

static void nested_too_deep(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    AUTO_BUF struct buf text = {0};
    for (int i = 0; i < VALUE_DEPTH_MAX; i++)
        buf_add_char(&text, '[');
    for (int i = 0; i < VALUE_DEPTH_MAX; i++)
        buf_add_char(&text, ']');
    set(f.space, "a", text.data);
    set(f.space, "l", "[]");
    AUTO_VALUE struct value *deep = json(text.data);
    struct err err = {0};
    struct txn *txn = txn_begin(f.space);
    assert_null(write_append(txn, STR("l"), STR(""), deep, &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_message(&err, "'l'");
    txn_abort(txn);
    assert_json(space_get(f.space, STR("l"), NOW), "[]");
    store_free(f.store);
}

/* The reads of a transaction see what it did; the others do not, until it is committed. */
static void within(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    set(f.space, "a", "1");
    AUTO_VALUE struct value *two = value_int(2);
    struct txn *txn = txn_begin(f.space);
    assert_true(write_set(txn, STR("a"), STR(""), two, NULL));
    assert_true(write_set(txn, STR("b"), STR(""), two, NULL));
    assert_json(txn_get(txn, STR("a")), "2");
    assert_json(txn_get(txn, STR("b")), "2");
    assert_true(write_delete(txn, STR("a"), STR(""), NULL));
    assert_null(txn_get(txn, STR("a")));
    assert_space(f.space, NOW, "{\"a\":1}");
    commit(txn);
    assert_space(f.space, NOW, "{\"b\":2}");
    store_free(f.store);
}

/* cas at a revision: the one at which the key was changed last, also by an identical write. */
static void cas_at(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    set(f.space, "a", "1");
    set(f.space, "b", "1");
    set(f.space, "a", "1");
    AUTO_VALUE struct value *two = value_int(2);
    struct err err = {0};
    struct txn *txn = txn_begin(f.space);
    assert_false(write_cas(txn, STR("a"), STR(""), NULL, 1, two, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    txn_abort(txn);
    txn = txn_begin(f.space);
    assert_true(write_cas(txn, STR("a"), STR(""), NULL, 3, two, &err));
    commit(txn);
    del(f.space, "a");
    txn = txn_begin(f.space);
    assert_false(write_cas(txn, STR("a"), STR(""), NULL, 5, two, &err));
    txn_abort(txn);
    store_free(f.store);
}

static void state_limit(void **state)
{
    (void)state;
    struct fixture f = fixture_limited(1 << 20, 4000);
    set(f.space, "a", "1");
    AUTO_BUF struct buf text = {0};
    buf_add_char(&text, '"');
    for (int i = 0; i < 3000; i++)
        buf_add_char(&text, 'x');
    buf_add_char(&text, '"');
    set(f.space, "big", text.data);
    struct store_figures before = figures(f.store);
    AUTO_VALUE struct value *big = json(text.data);
    struct txn *txn = txn_begin(f.space);
    assert_true(write_set(txn, STR("more"), STR(""), big, NULL));
    assert_true(write_delete(txn, STR("a"), STR(""), NULL));
    struct err err = {0};
    assert_null(txn_commit(txn, 1, STR(""), &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_message(&err, "state_limit");
    struct store_figures after = figures(f.store);
    assert_memory_equal(&before, &after, sizeof before);
    assert_null(space_get(f.space, STR("more"), NOW));
    assert_json(space_get(f.space, STR("a"), NOW), "1");
    del(f.space, "big");
    set(f.space, "more", text.data);
    del(f.space, "more");
    del(f.space, "a");
    assert_int_equal(figures(f.store).state_bytes, 0);
    store_free(f.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row),        cmocka_unit_test(of_nothing), cmocka_unit_test(long_keys),
        cmocka_unit_test(nested_too_deep), cmocka_unit_test(within),     cmocka_unit_test(cas_at),
        cmocka_unit_test(state_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
