/* Templates: where an expression ends, what goes in, what is an error and where. */
#include "namespace.h"

static struct value *args;
static struct expr_scope scope;

static int set_up(void **state)
{
    (void)state;
    args = json(
        "{\"env\":{\"HOME\":\"/root\"},\"vars\":{\"n\":1.50,\"list\":[1,\"a\"],\"none\":null,\"q\":\"it's\"},"
        "\"matrix\":{\"py\":\"3.10\"}}");
    scope = (struct expr_scope){.args = args, .quote = true};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    value_unref(args);
    return 0;
}

static void check_template(const char *text, const char *expected)
{
    struct err err = {0};
    size_t at = 0;
    AUTO_BUF struct buf out = {0};
    struct template *t = template_parse(str_of(text), &at, &err);
    if (!t) {
        buf_add_format(&out, "%s at %zu: %s", err_code_name(err.code), at, err.message);
    } else if (!template_expand(t, &scope, &out, &err)) {
        buf_clear(&out);
        buf_add_format(&out, "%s: %s", err_code_name(err.code), err.message);
    }
    template_free(t);
    assert_string_equal(buf_str(&out).data, expected);
}

static void test_text(void **state)
{
    (void)state;
    check_template("", "");
    check_template("plain $HOME ${X} $$ {{ }} }}", "plain $HOME ${X} $$ {{ }} }}");
    check_template("a${{ env.HOME }}b", "a/rootb");
    check_template("${{env.HOME}}${{ matrix.py }}", "/root3.10");
    check_template("$${{ 1 + 1 }}", "$2");
    check_template("${{ vars.n }} ${{ vars.list }} ${{ vars.none }} ${{ true }}", "1.50 [1,\"a\"] null true");
}

static void test_end_of_expression(void **state)
{
    (void)state;
    check_template("${{ 'a}}b' }}", "a}}b");
    check_template("${{ \"}}\" + r'}}' + '''}}''' }}!", "}}}}}}!");
    check_template("${{ {'a': {'b': 1}} }}", "{\"a\":{\"b\":1}}");
    check_template("${{ {'a': {'b': 1}}.a.b }}", "1");
    check_template("${{ {'a': 1}}}}", "{\"a\":1}}");
}

static void test_syntax_errors(void **state)
{
    (void)state;
    check_template("ab ${{ 1", "invalid at 3: '${{' is not closed; expected '}}'");
    check_template("ab ${{ 1 + }}", "invalid at 11: expected a value, but the expression ends");
    check_template("ab ${{ }}", "invalid at 7: expected a value, but the expression ends");
    check_template("${{ 1 }} ${{ 'x }}", "invalid at 13: the string is not closed; expected a closing \"'\"");
    check_template("${{ 1 2 }}", "invalid at 6: expected an operator or the end, found '2'");
}

static void test_names(void **state)
{
    (void)state;
    check_template("[${{ env.NOPE }}${{ env['NOPE'] }}]", "[]");
    check_template("${{ env.NOPE == '' ? 'unset' : env.NOPE }}", "unset");
    check_template("${{ has(env.NOPE) }}${{ 'HOME' in env }}", "falsetrue");
    check_template("${{ vars.nope }}", "not_found: in '${{ vars.nope }}': no such key 'nope'");
    check_template("${{ nope.x }}", "not_found: in '${{ nope.x }}': undeclared name 'nope'");
    check_template("${{ {'env': {}}.env.X }}", "not_found: in '${{ {'env': {}}.env.X }}': no such key 'X'");
}

static void test_quote(void **state)
{
    (void)state;
    check_template("${{ quote(vars.q) }}", "'it'\\''s'");
    check_template("${{ quote('') }} ${{ quote('a b\\n$`\\\\') }}", "'' 'a b\n$`\\'");
    check_template("${{ quote(vars.list) }} ${{ quote(vars.n) }}", "'[1,\"a\"]' '1.50'");
    check_template(
        "${{ quote('\\x00') }}",
        "type: in '${{ quote('\\x00') }}': quote() cannot quote a NUL character: no shell can take it");
    scope.quote = false;
    check_template("${{ quote('') }}", "not_found: in '${{ quote('') }}': unknown function 'quote'");
}

static void test_plain(void **state)
{
    (void)state;
    size_t at;
    struct template *plain = template_parse(STR("a $b }}"), &at, NULL);
    assert_true(template_is_plain(plain));
    template_free(plain);
    struct template *other = template_parse(STR("${{ 1 }}"), &at, NULL);
    assert_false(template_is_plain(other));
    template_free(other);
}

static void test_expressions(void **state)
{
    (void)state;
    size_t at;
    struct template *t = template_parse(STR("a ${{ vars.x }}-${{env.y}}"), &at, NULL);
    assert_int_equal(template_expr_count(t), 2);
    assert_true(str_is(expr_text(template_expr(t, 0, &at)), " vars.x "));
    assert_int_equal(at, 5);
    assert_true(str_is(expr_text(template_expr(t, 1, &at)), "env.y"));
    assert_int_equal(at, 19);
    template_free(t);
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_text),          test(test_end_of_expression),
        test(test_syntax_errors), test(test_names),
        test(test_quote),         test(test_plain),
        test(test_expressions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
