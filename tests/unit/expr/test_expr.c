/* Expressions: syntax errors, precedence, where names come from, what is listed as read, bounds. */
#include "namespace.h"

static struct namespace ns;
static struct expr_scope scope;

static int set_up(void **state)
{
    (void)state;
    ns = (struct namespace){
        .roots = {json("{\"cookies\":5,\"my-key\":[1,2,{\"a\":true}],\"config\":{\"host\":\"h\",\"n\":1.10},"
                       "\"old\":7,\"a.b\":\"dotted\",\"a\":{\"b\":\"nested\",\"c\":3},\"null\":0,"
                       "\"s\":\"text\",\"for\":9}"),
                  json("{\"cookies\":4}")}};
    scope = namespace_scope(&ns);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    value_unref(ns.roots[EXPR_STATE]);
    value_unref(ns.roots[EXPR_OLD]);
    return 0;
}

static void test_syntax_errors(void **state)
{
    (void)state;
    check("", &scope, "invalid: expected a value, but the expression ends at column 1");
    check("(1 + 2", &scope, "invalid: expected ')', but the expression ends at column 7");
    check("1 + * 2", &scope, "invalid: expected a value, found '*' at column 5");
    check("[1, 2", &scope, "invalid: expected ',' or ']', but the expression ends at column 6");
    check("{'a' 1}", &scope, "invalid: expected ':', found '1' at column 6");
    check("{'a': 1 'b'}", &scope, "invalid: expected ',' or '}', found a string at column 9");
    check("size(s, )", &scope, "invalid: expected an argument, found ')' at column 9");
    check("a b", &scope, "invalid: expected an operator or the end, found 'b' at column 3");
    check("a = 1", &scope, "invalid: expected an operator, found '='; write '==' at column 3");
    check("a & b", &scope, "invalid: expected an operator, found '&'; write '&&' at column 3");
    check("'é' # 1", &scope, "invalid: '#' has no place here at column 5");
    check("'abc", &scope, "invalid: the string is not closed; expected a closing \"'\" at column 1");
    check("'a\\q'", &scope,
          "invalid: unknown escape in the string; write '\\\\' for a backslash at column 3");
    check("'\\uD800'", &scope, "invalid: the escape is not a Unicode character at column 4");
    check("'\\x1'", &scope, "invalid: expected 2 hex digits in the escape at column 4");
    check("9223372036854775808", &scope, "invalid: the number is too large for an int at column 1");
    check("-9223372036854775809", &scope, "invalid: the number is too large for an int at column 2");
    check("1e999", &scope, "invalid: the number is too large for a double at column 1");
    check("5u", &scope, "invalid: unsigned integers are not supported; leave the 'u' out at column 1");
    check("b'x'", &scope, "invalid: bytes are not supported; write a string without the 'b' at column 1");
    check("a.1", &scope, "invalid: expected an operator or the end, found '.1' at column 2");
    check("a.true", &scope, "invalid: expected the name of a field, found 'true' at column 3");
    check("for", &scope,
          "invalid: 'for' is a reserved word; a key of that name is state[\"for\"] at column 1");
    check("has(cookies)", &scope,
          "invalid: has() takes one field, as in has(state.key) or has(key.field) at column 1");
    check("[1].map(x.y, 1)", &scope, "invalid: expected ',', found '.' at column 10");
    check("[1].filter(x, 1, 2)", &scope, "invalid: filter() does not take 3 arguments at column 5");
    check("[1].map(state, 1)", &scope,
          "invalid: 'state' is reserved; use another name for the variable at column 9");
    check("a.`x", &scope,
          "invalid: expected '`' behind a field's name of letters, digits and '_', '.', '-', '/' or ' ' at "
          "column 5");
    check("\xff", &scope, "invalid: the expression is not valid UTF-8 at column 1");
}

static void test_precedence(void **state)
{
    (void)state;
    check("1 + 2 * 3", &scope, "7");
    check("(1 + 2) * 3", &scope, "9");
    check("10 - 4 - 3", &scope, "3");
    check("100 / 5 / 2 % 4", &scope, "2");
    check("-2 - -3", &scope, "1");
    check("--5", &scope, "5");
    check("!true || true", &scope, "true");
    check("true || false && false", &scope, "true");
    check("1 + 1 == 2 && 3 < 4", &scope, "true");
    check("1 < 2 == true", &scope, "true");
    check("false ? 1 : true ? 2 : 3", &scope, "2");
    check("true ? false ? 1 : 2 : 3", &scope, "invalid: expected ':', found '?' at column 14");
    check("1 + 2 in [3]", &scope, "true");
    check("-cookies + 6", &scope, "1");
    check("-9223372036854775808", &scope, "-9223372036854775808");
    check("-0x8000000000000000", &scope, "-9223372036854775808");
    check("5 // a comment\n + 1", &scope, "6");
    check(".5 + 1e0", &scope, "1.5");
    check("'''a'b''' + r'\\n' + \"\\u00e9\\U0001F600\\101\"", &scope, "\"a'b\\\\né😀A\"");
}

static void test_names(void **state)
{
    (void)state;
    check("cookies == 5", &scope, "true");
    check(".cookies", &scope, "5");
    check("cokies", &scope, "not_found: no such key 'cokies'");
    check("config.host", &scope, "\"h\"");
    check("config.port", &scope, "not_found: no such key 'port'");
    check("config.n", &scope, "1.10");
    check("s.length", &scope, "type: no field 'length' in a value of type string");
    check("state['my-key'][2].a", &scope, "true");
    check("state['my-key'][3]", &scope, "not_found: index 3 is out of range: the list has 3 items");
    check("state['my-key'][-1]", &scope, "not_found: index -1 is out of range: the list has 3 items");
    check("state['my-key']['a']", &scope, "type: the index of a list must be an int, not string");
    check("state.old", &scope, "7");
    check("state['for']", &scope, "9");
    check("state['n' + 'ull']", &scope, "0");
    check("state[1]", &scope, "not_found: no such key 1");
    check("null", &scope, "null");
    check("old.cookies < cookies", &scope, "true");
    check("old.s", &scope, "not_found: no such key 's'");
    check("'cookies' in old && !('s' in old)", &scope, "true");
    check("a.b", &scope, "\"dotted\"");
    check("a.c", &scope, "3");
    check("state.a.b", &scope, "\"nested\"");
    check("a['b']", &scope, "\"nested\"");
    check("has(state.s) && !has(state.t) && has(config.host) && !has(config.port) && has(a.b)", &scope,
          "true");
    check("has(cookies.x)", &scope, "type: no field 'x' in a value of type int");
    check("[1, 2].map(cookies, cookies * 2)", &scope, "[2,4]");
    check("[1].map(cookies, .cookies)", &scope, "[5]");
    check("[1].map(a, [2].map(a, a))", &scope, "[[2]]");
    check("size(state) + state.size()", &scope, "18");
    check("state == state && old != state", &scope, "true");
    check("changed", &scope,
          "not_found: undeclared name 'changed': it is known in conditions of watches only");
}

static void test_scope(void **state)
{
    (void)state;
    struct value *args = json("{\"cookies\":\"arg\",\"env\":{}}");
    struct value *changed = json("[\"cookies\"]");
    scope.args = args;
    scope.changed = changed;
    check("cookies", &scope, "\"arg\"");
    check("state.cookies", &scope, "5");
    check("'cookies' in changed", &scope, "true");
    check("env.X", &scope, "not_found: no such key 'X'");
    check("quote('x')", &scope, "not_found: unknown function 'quote'");
    struct expr_scope bare = {.args = args};
    check("cookies", &bare, "\"arg\"");
    check("x.y", &bare, "not_found: undeclared name 'x'");
    check("state", &bare, "not_found: undeclared name 'state'");
    check("state.x", &bare, "not_found: undeclared name 'state'");
    check("'x' in old", &bare, "not_found: undeclared name 'old'");
    check("size(state)", &bare, "not_found: undeclared name 'state'");
    check("changed", &(struct expr_scope){0},
          "not_found: undeclared name 'changed': it is known in conditions of watches only");
    value_unref(args);
    value_unref(changed);
}

static void test_whole_only_when_needed(void **state)
{
    (void)state;
    check("state.cookies + state['cookies']", &scope, "10");
    check("has(state.x) || 'x' in state", &scope, "false");
    assert_int_equal(ns.whole_calls, 0);
    check("state.exists(k, k == 'for') && state.exists(k, v, v == 9)", &scope, "true");
    assert_int_equal(ns.whole_calls, 1);
}

static void test_type_errors(void **state)
{
    (void)state;
    check("'a' < 1", &scope, "type: cannot compare string and int with '<'");
    check("1 + 1.0", &scope, "type: cannot apply '+' to int and double; convert one with int() or double()");
    check("[] - []", &scope, "type: cannot apply '-' to list and list");
    check("1 / 0", &scope, "type: division by zero in '/'");
    check("1 % 0", &scope, "type: division by zero in '%'");
    check("9223372036854775807 + 1", &scope, "type: int overflow in '+'");
    check("-(-9223372036854775808)", &scope, "type: int overflow in '-'");
    check("1.0 / 0.0", &scope, "type: the result is not a finite number");
    check("{1: 2}", &scope,
          "type: the result is a map that JSON cannot express: keys must be strings, numbers finite");
    check("{'a': 1, 'a': 2}", &scope, "type: a key stands twice in the map");
    check("{1: 1, 1: 2}", &scope, "type: a key stands twice in the map");
    check("{1.0: 1}", &scope, "type: double cannot be a key of a map");
    check("!1", &scope, "type: '!' takes a bool, not int");
    check("-'a'", &scope, "type: cannot apply '-' to string");
    check("1 ? 2 : 3", &scope, "type: the condition of '?:' takes a bool, not int");
    check("1 in 2", &scope, "type: 'in' takes a list or a map on its right, not int");
    check("5[0]", &scope, "type: cannot index int");
    check("(5).all(x, true)", &scope, "type: all() takes a list or a map, not int");
    check("nope(1)", &scope, "not_found: unknown function 'nope'");
    check("size(1, 2)", &scope, "type: size() takes 1 argument, not 2");
    check("contains('a', 'b')", &scope, "type: contains() is a method; write x.contains(y)");
    check("'a'.int()", &scope, "type: int() is no method; write int(x)");
    check("int('1x')", &scope, "type: int() cannot convert the string '1x'");
    check("int(1e30)", &scope, "type: int() cannot convert a double that is out of range");
    check("double('nan')", &scope, "type: double() cannot convert the string 'nan'");
    check("string([])", &scope, "type: string() does not take list");
}

static void test_values(void **state)
{
    (void)state;
    check("9007199254740993 == 9007199254740992.0", &scope, "false");
    check("9007199254740993 > 9007199254740992.0", &scope, "true");
    check("9223372036854775807 < 9223372036854775808.0", &scope, "true");
    check("[1, {'a': 2}] == [1.0, {'a': 2.0}]", &scope, "true");
    check("[0.0/0.0] == [0.0/0.0]", &scope, "false");
    check("[{1: 'a'}][0][1]", &scope, "\"a\"");
    check("{1: 'a'}[1.0]", &scope, "\"a\"");
    check("1.0 in {1: 'a'}", &scope, "true");
    check("{1: {2: 3}} == {1: {2: 3.0}}", &scope, "true");
    check("[{1: 2}] + [3]", &scope,
          "type: the result is a list that JSON cannot express: keys must be strings, numbers finite");
    check("([{1: 2}] + [3])[1]", &scope, "3");
    check("[5, 6].transformMap(i, v, v)[1]", &scope, "6");
    check("[7, 8][1.0]", &scope, "8");
    check("size('äöü') + 'äöü'.size()", &scope, "6");
    check("string(1.0) + string(2.5) + string(true) + string(-3) + string(1.0/0.0)", &scope,
          "\"12.5true-3+Inf\"");
    check("int(-1.9) + int('+7') + int(3)", &scope, "9");
    check("double('1e3') + double(2)", &scope, "1002.0");
    check("{'a': 1}.map(k, k + '!') + {'a': 1, 'b': 2}.filter(k, k == 'b')", &scope, "[\"a!\",\"b\"]");
    check("[1, 2, 3].map(x, x > 1, x * 10)", &scope, "[20,30]");
    check("[1, 2].exists_one(x, x == 2) && ![2, 2].exists_one(x, x == 2)", &scope, "true");
}

static void test_errors_that_do_not_count(void **state)
{
    (void)state;
    check("nope || true", &scope, "true");
    check("true || nope", &scope, "true");
    check("nope && false", &scope, "false");
    check("nope && true", &scope, "not_found: no such key 'nope'");
    check("1 || 'a' == 'b' || nope", &scope, "type: '||' takes a bool, not int");
    check("[1, 0].exists(x, 1 / x == 1)", &scope, "true");
    check("[0, 1].exists(x, 1 / x == 1)", &scope, "true");
    check("[0, 2].exists(x, 1 / x == 1)", &scope, "type: division by zero in '/'");
    check("[0, 2].all(x, 1 / x == 1)", &scope, "false");
    struct expr *expr = expr_parse(STR("nope == 1"), NULL);
    assert_false(expr_holds(expr, &scope));
    expr_free(expr);
    expr = expr_parse(STR("cookies == 5"), NULL);
    assert_true(expr_holds(expr, &scope));
    expr_free(expr);
}

/* The keys, comma-separated, then flags: S state, O old, C changed. */
static void check_keys(const char *text, const char *expected)
{
    struct err err = {0};
    struct expr *expr = expr_parse(str_of(text), &err);
    if (!expr)
        fail_msg("%s: %s", text, err.message);
    assert_true(str_is(expr_text(expr), text));
    AUTO_BUF struct buf got = {0};
    for (size_t i = 0; i < expr_key_count(expr); i++) {
        buf_add_str(&got, expr_key(expr, i));
        buf_add_char(&got, ',');
    }
    buf_add_format(&got, "%s%s%s", expr_uses_state(expr) ? "S" : "", expr_uses_old(expr) ? "O" : "",
                   expr_uses_changed(expr) ? "C" : "");
    expr_free(expr);
    assert_string_equal(buf_str(&got).data, expected);
}

static void test_keys(void **state)
{
    (void)state;
    check_keys("1 + 2", "");
    check_keys("b == 1 && a < b", "a,b,");
    check_keys("a ? b : c ? d : e", "a,b,c,d,e,");
    check_keys("state['x y'] == state.z", "x y,z,");
    check_keys("'k' in state && has(state.f.g)", "f,k,");
    check_keys("old.n != n", "n,O");
    check_keys("'k' in old || has(old.j)", "j,k,O");
    check_keys("state[k]", "k,S");
    check_keys("old[k]", "k,SO");
    check_keys("size(state) > 3", "S");
    check_keys("state", "S");
    check_keys("old == state", "SO");
    check_keys("'x' in changed", "C");
    check_keys("[1].all(x, x == y)", "y,");
    check_keys("[1].exists(i, x, x == y && i == .i)", "i,y,");
    check_keys("x.all(x, x)", "x,");
    check_keys("f(g, h.size())", "g,h,");
    check_keys("config.db.host", "config,config.db,config.db.host,");
    check_keys("config['db'].host", "config,");
    check_keys("has(a.b)", "a,a.b,");
    check_keys("state.a[b].c", "a,b,");
    check_keys("{'k': v}.k", "v,");
}

static char *repeated(const char *head, const char *part, size_t count, const char *tail)
{
    struct buf buf = {0};
    buf_add_text(&buf, head);
    for (size_t i = 0; i < count; i++)
        buf_add_text(&buf, part);
    buf_add_text(&buf, tail);
    return buf_detach(&buf);
}

static void check_repeated(const char *head, const char *part, size_t count, const char *tail,
                           const char *expected)
{
    char *text = repeated(head, part, count, tail);
    check(text, &scope, expected);
    free(text);
}

static void test_bounds_of_text(void **state)
{
    (void)state;
    check_repeated("1", " ", EXPR_LENGTH_MAX - 1, "", "1");
    check_repeated("1", " ", EXPR_LENGTH_MAX, "", "too_large: the expression is longer than 65536 bytes");
    char *closing = repeated("", ")", EXPR_NESTING_MAX, "");
    char *text = repeated("", "(", EXPR_NESTING_MAX, "1");
    char *whole = mem_format("%s%s", text, closing);
    check(whole, &scope, "1");
    free(closing);
    free(text);
    free(whole);
    static const char *const openers[] = {"(", "[", "{'a':", "!", "- ", "f(", "a[", "[1].map(x,"};
    for (size_t i = 0; i < LENGTH_OF(openers); i++)
        check_repeated("", openers[i], 5000, "",
                       "too_large: the expression is nested deeper than 128 levels");
}

static void test_nesting_of_values(void **state)
{
    (void)state;
    check_repeated("[1]", ".map(x,[x])", VALUE_DEPTH_MAX - 1, ".size()", "1");
    AUTO_FREE char *deepest = repeated("[1]", ".map(x,[x])", VALUE_DEPTH_MAX - 1, "");
    struct expr *expr = expr_parse(str_of(deepest), NULL);
    struct value *value = expr_eval(expr, &scope, NULL);
    assert_non_null(value);
    value_unref(value);
    expr_free(expr);
    check_repeated("[1]", ".map(x,[x])", VALUE_DEPTH_MAX, "",
                   "too_large: the result is nested deeper than 512 levels");
    check_repeated("[1]", ".map(x,[x])", 5000, "", "too_large: the result is nested deeper than 512 levels");
    AUTO_FREE char *deep = repeated("[1]", ".map(x,[x])", 2500, "");
    AUTO_FREE char *equal = mem_format("%s == %s", deep, deep);
    check(equal, &scope, "too_large: values nested too deeply to be compared");
    AUTO_FREE char *open = repeated("", "1+0*(1+", EXPR_NESTING_MAX - 1, "1");
    AUTO_FREE char *closing = repeated("", ")", EXPR_NESTING_MAX - 1, "");
    AUTO_FREE char *whole = mem_format("%s%s", open, closing);
    check(whole, &scope, "1");
}

/* Long texts that are not nested: no recursion. */
static void test_long_chains(void **state)
{
    (void)state;
    check_repeated("1", "+1", 30000, "", "30001");
    check_repeated("true", "&&true", 10000, "", "true");
    check_repeated("", "false?1:", 8000, "2", "2");
    check_repeated("s", ".s", 200, "", "type: no field 's' in a value of type string");
    check_repeated("cookies", ".a.b", 16000, "", "too_large: the evaluation takes more than 100000 steps");
}

static void test_bounds_of_cost(void **state)
{
    (void)state;
    static const char *const steps = "too_large: the evaluation takes more than 100000 steps";
    static const char *const ten = "[0,1,2,3,4,5,6,7,8,9]";
    AUTO_FREE char *five =
        mem_format("%s.map(a,%s.map(b,%s.map(c,%s.map(d,%s.map(e,1)))))", ten, ten, ten, ten, ten);
    check(five, &scope, steps);
    AUTO_FREE char *absorbed = mem_format("size(%s) == 0 || true", five);
    check(absorbed, &scope, steps);
    AUTO_FREE char *later = mem_format("nope || size(%s) == 0", five);
    check(later, &scope, steps);
    /* A variable that doubles: exponential in the length of the text */
    AUTO_FREE char *strings = repeated("['0123456789abcdef']", ".map(x, x + x)", 40, "");
    check(strings, &scope, steps);
    AUTO_FREE char *lists = repeated("[[1]]", ".map(x, x + x)", 40, "");
    check(lists, &scope, steps);
    AUTO_FREE char *shared = repeated("[[1]]", ".map(x, [x, x])", 20, "");
    AUTO_FREE char *equal = mem_format("%s == %s", shared, shared);
    check(equal, &scope, steps);
}

static void test_cost_of_big_values(void **state)
{
    (void)state;
    static const char *const steps = "too_large: the evaluation takes more than 100000 steps";
    struct value *list = value_list();
    for (int i = 0; i < 200000; i++)
        list_push(list, value_int(i));
    struct value *text = NULL;
    AUTO_FREE char *bytes = repeated("", "0123456789abcdef", 200000, "");
    text = value_string(str_of(bytes));
    map_set(ns.roots[EXPR_STATE], STR("list"), list);
    map_set(ns.roots[EXPR_STATE], STR("text"), text);
    check("size(list)", &scope, "200000");
    check("list[199999]", &scope, "199999");
    check("-1 in list", &scope, steps);
    check("list == list", &scope, steps);
    check("size(list + [1])", &scope, steps);
    check("list.map(x, x)", &scope, steps);
    check("text == text + ''", &scope, steps);
    check("size(text)", &scope, steps);
    check("text.contains('x')", &scope, steps);
    check("text.matches('x')", &scope, steps);
    for (int i = 0; i < 100000; i++) {
        char name[16];
        int len = snprintf(name, sizeof name, "k%d", i);
        map_set(ns.roots[EXPR_STATE], (struct str){name, (size_t)len}, value_int(i));
    }
    check("state == {}", &scope, steps);
    check("state.k77 + size(state) - size(state)", &scope, "77");
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Pieces of the grammar in any order, some bytes changed: parses or not, evaluates or not, never crashes. */
static void test_garbage(void **state)
{
    (void)state;
    static const char *const pieces[] = {"cookies",  "state",       "old",
                                         "a",        "config",      ".host",
                                         ".map(x, ", ".all(k, v, ", ".filter(a, ",
                                         "x",        "k",           "(",
                                         ")",        "[",           "]",
                                         "{",        "}",           ",",
                                         ":",        "?",           "1",
                                         "-",        "0x7f",        "1.5e3",
                                         "'a'",      "\"b\"",       "r'\\'",
                                         "'''",      "'\\u00e9'",   "true",
                                         "null",     "!",           "&&",
                                         "||",       "==",          "<",
                                         "+",        "*",           "/",
                                         "%",        " in ",        "has(",
                                         "size(",    ".matches(",   ".",
                                         "`x-y`",    "//",          "\n",
                                         "\xc3\xa9", "[0]",         ".transformMap(i, v, ",
                                         "'(a+)+$'", "string(",     "int("};
    uint64_t seed = 0x5eed2018;
    size_t evaluated = 0;
    for (int round = 0; round < 60000; round++) {
        struct buf text = {0};
        size_t count = next_random(&seed) % 12;
        for (size_t i = 0; i <= count; i++)
            buf_add_text(&text, pieces[next_random(&seed) % LENGTH_OF(pieces)]);
        if (next_random(&seed) % 8 == 0)
            text.data[next_random(&seed) % text.len] = (char)next_random(&seed);
        struct err err = {0};
        struct expr *expr = expr_parse(buf_str(&text), &err);
        struct value *value = expr ? expr_eval(expr, &scope, &err) : NULL;
        if (!value && (err.code == ERR_NONE || err.code == ERR_INTERNAL || !err.message[0]))
            fail_msg("no proper error for: %s", buf_str(&text).data);
        evaluated += value != NULL;
        value_unref(value);
        expr_free(expr);
        buf_release(&text);
    }
    assert_true(evaluated > 100);
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_syntax_errors),
        test(test_precedence),
        test(test_names),
        test(test_scope),
        test(test_whole_only_when_needed),
        test(test_type_errors),
        test(test_values),
        test(test_errors_that_do_not_count),
        test(test_keys),
        test(test_bounds_of_text),
        test(test_long_chains),
        test(test_nesting_of_values),
        test(test_bounds_of_cost),
        test(test_cost_of_big_values),
        test(test_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
