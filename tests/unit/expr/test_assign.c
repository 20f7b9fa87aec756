/* Assignments: what is one, where it puts its value, and the errors with their columns. */
#include "namespace.h"

#define KEYS "{\"n\":2,\"l\":[1,{\"a\":3}],\"s\":\"x\",\"a.b\":7,\"a\":{\"b\":1}}"

/* "PLACE=VALUE PLACE=VALUE …", or "CODE: message"; the caller frees it. */
static char *describe(const char *text)
{
    struct namespace ns = {.roots = {json(KEYS), NULL}};
    struct expr_scope scope = namespace_scope(&ns);
    AUTO_VALUE struct value *args = json("{\"who\":\"me\"}");
    scope.args = args;
    struct err err = {0};
    struct buf out = {0};
    struct assignments *all = assignments_parse(str_of(text), &err);
    for (size_t i = 0; all && i < assignments_count(all) && err.code == ERR_NONE; i++) {
        AUTO_VALUE struct value *place = assignment_place(all, i, &scope, &err);
        AUTO_VALUE struct value *value = place ? assignment_value(all, i, &scope, &err) : NULL;
        if (!value)
            break;
        buf_add_text(&out, i ? " " : "");
        value_print(&out, place);
        buf_add_char(&out, '=');
        value_print(&out, value);
    }
    if (err.code != ERR_NONE) {
        buf_clear(&out);
        buf_add_format(&out, "%s: %s", err_code_name(err.code), err.message);
    }
    assignments_free(all);
    value_unref(ns.roots[EXPR_STATE]);
    return buf_detach(&out);
}

static void test_rows(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"n = n + 1", "[\"n\"]=3"},
        {" n=1 ; ; ", NULL},
        {"n = 1;", "[\"n\"]=1"},
        {"n=1;s='a;b=c'", "[\"n\"]=1 [\"s\"]=\"a;b=c\""},
        {"n = n == 2", "[\"n\"]=true"},
        {"n = n >= 2 && n <= 3 && n != 4 // a = b; c\n; s = 'y'", "[\"n\"]=true [\"s\"]=\"y\""},
        {"n = \"\"\"a=;\"\"\"", "[\"n\"]=\"a=;\""},
        {"l[1].a = 5", "[\"l\",1,\"a\"]=5"},
        {"l[size(l)] = 0", "[\"l\",2]=0"},
        {"state[\"a-b\"] = 0", "[\"a-b\"]=0"},
        {"state[who] = who", "[\"me\"]=\"me\""},
        {"state.old = 1", "[\"old\"]=1"},
        {"state['x']['y'][0].z = 1", "[\"x\",\"y\",0,\"z\"]=1"},
        {"a.b = 2", "[\"a\",\"b\"]=2"},
        {"a.`b-c` = 2", "[\"a\",\"b-c\"]=2"},
        {"n = {'a': [1, 2]}.a[1]", "[\"n\"]=2"},
        {"", "invalid: there is no assignment in it"},
        {"n", "invalid: 'n' is no assignment: write TARGET = EXPRESSION"},
        {"n == 1", "invalid: 'n == 1' is no assignment: write TARGET = EXPRESSION"},
        {"n = ", "invalid: expected a value, but the expression ends at column 5"},
        {"n = 1 +; s = 2", "invalid: expected a value, but the expression ends at column 8"},
        {"s = 2; n = (1", "invalid: expected ')', but the expression ends at column 14"},
        {"n = s = 1", "invalid: a second '=' in one assignment; separate assignments with ';'"},
        {"1 = 2", NULL},
        {"state = {}", NULL},
        {"size(l) = 2", NULL},
        {"l.map(x, x) = 2", NULL},
        {"old.n = 2", NULL},
        {"n + 1 = 2", NULL},
        {"state[1] = 2", "type: a key must be a string, not int"},
        {"l[1.5] = 2", "type: an index must be an int or a string, not double"},
        {"n = none", "not_found: no such key 'none'"},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        char *got = describe(rows[i][0]);
        bool fits = rows[i][1] ? strcmp(got, rows[i][1]) == 0 : strncmp(got, "invalid: ", 9) == 0;
        if (!fits)
            fail_msg("%s\n  expected %s\n  got      %s", rows[i][0], rows[i][1], got);
        free(got);
    }
}

static void test_limits(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = {0};
    struct err err = {0};
    for (size_t i = 0; i < ASSIGNMENTS_MAX; i++)
        buf_add_text(&text, "n=1;");
    struct assignments *all = assignments_parse(buf_str(&text), &err);
    assert_int_equal(assignments_count(all), ASSIGNMENTS_MAX);
    assignments_free(all);
    buf_add_text(&text, "n=1;");
    assert_null(assignments_parse(buf_str(&text), &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    while (text.len <= EXPR_LENGTH_MAX)
        buf_add_text(&text, " ");
    assert_null(assignments_parse(buf_str(&text), &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_non_null(strstr(err.message, "longer"));
}

static void test_args(void **state)
{
    (void)state;
    static const struct {
        const char *args;
        bool valid;
    } rows[] = {
        {"{}", true},          {"{\"a\":1,\"_b2\":[]}", true}, {"[]", false},         {"{\"a-b\":1}", false},
        {"{\"\":1}", false},   {"{\"old\":1}", false},         {"{\"in\":1}", false}, {"{\"true\":1}", false},
        {"{\"if\":1}", false}, {"{\"a b\":1}", false},         {"{\"1\":1}", false},  {"{\" a\":1}", false},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        AUTO_VALUE struct value *args = json(rows[i].args);
        struct err err = {0};
        if (expr_args_valid(args, &err) != rows[i].valid)
            fail_msg("%s: %s", rows[i].args, err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_limits),
                                       cmocka_unit_test(test_args)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
