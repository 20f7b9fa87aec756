/* Regular expressions: RE2's syntax and meaning, what is refused, bounds. */
#include "namespace.h"

#include "eval_priv.h"

static void check_find_at(struct str pattern, struct str subject, bool expected, int line)
{
    struct err err = {0};
    struct regex *regexes[] = {regex_new(pattern, &err), regex_new_counted(pattern, &err)};
    if (!regexes[0] || !regexes[1])
        fail_msg("line %d: %s", line, err.message);
    size_t work;
    bool found;
    if (regex_find(regexes[0], subject, &err) != expected)
        fail_msg("line %d: /%.*s/ does not do what is expected", line, STR_ARG(pattern));
    if (!regex_find_counted(regexes[1], subject, 1000000, &work, &found, &err) || found != expected)
        fail_msg("line %d: /%.*s/ does not do what is expected when counted", line, STR_ARG(pattern));
    assert_int_equal(err.code, ERR_NONE);
    regex_free(regexes[0]);
    regex_free(regexes[1]);
}
#define finds(pattern, subject)  check_find_at(STR(pattern), STR(subject), true, __LINE__)
#define misses(pattern, subject) check_find_at(STR(pattern), STR(subject), false, __LINE__)

static void check_bad_at(struct str pattern, const char *part, int line)
{
    struct err err = {0};
    struct regex *regex = regex_new(pattern, &err);
    if (regex || err.code != ERR_INVALID || !strstr(err.message, part))
        fail_msg("line %d: /%.*s/: %s", line, STR_ARG(pattern), regex ? "is accepted" : err.message);
}
#define refuses(pattern, part) check_bad_at(STR(pattern), part, __LINE__)

static void test_meaning(void **state)
{
    (void)state;
    finds("", "");
    finds("b.d", "abcd");
    misses("^b", "ab\nb");
    finds("(?m)^b", "ab\nb");
    misses("a$", "a\n");
    finds("(?m)a$", "a\n");
    finds("(?m)^$", "a\n");
    misses("a.b", "a\nb");
    finds("(?s)a.b", "a\nb");
    finds("a.b", "a\rb");
    finds("(?i)É", "é");
    finds("(?i:A)b", "ab");
    misses("(?i:A)b", "aB");
    misses("^\\s$", "\v");
    finds("^\\S$", "\v");
    misses("^[\\s]$", "\v");
    finds("^[\\S]$", "\v");
    finds("^[[:space:]]$", "\v");
    finds("^\\v$", "\v");
    misses("^\\v$", "\n");
    finds("^\\d+\\W\\w$", "42 a");
    misses("\\d", "٣");
    finds("^\\pL\\p{Greek}\\P{Lu}\\p{^Lu}$", "éλab");
    finds("^\\x41\\x{1F600}\\101\\012\\0$", "A😀A\n\0");
    finds("^\\Qa.b*\\E+$", "a.b**");
    finds("^(?P<x>a)(?<y>b)(c)$", "abc");
    finds("^a{2}b{1,}c{0,2}?$", "aabbb");
    finds("^a{,2}$", "a{,2}");
    finds("^x{$", "x{");
    finds("^[]a]+$", "]a");
    finds("^[^]a]+$", "bc");
    finds("^[[a]+$", "[a");
    finds("^[a\\]\\-b]+$", "]-");
    finds("a|^$", "");
    finds("^.$", "é");
    finds("\\bfoo\\b", "a foo b");
    finds("\\Afoo\\z", "foo");
    finds("^\\.\\*\\_\\-\\/$", ".*_-/");
    finds("(?U)^a+$", "aaa");
    finds("^a b#c$", "a b#c");
}

static void test_raw_bytes(void **state)
{
    (void)state;
    finds("ready", "\xff\xfe ready \x80");
    misses("^.$", "\xff");
    finds("a\\x00b", "a\0b");
}

static void test_refused(void **state)
{
    (void)state;
    refuses("(a)\\1", "backreferences");
    refuses("(?P<x>a)(?P=x)", "backreferences");
    refuses("(?<x>a)\\k<x>", "backreferences");
    refuses("a(?=b)", "lookahead");
    refuses("a(?!b)", "lookahead");
    refuses("(?<=a)b", "lookbehind");
    refuses("(?<!a)b", "lookbehind");
    refuses("(?>a)b", "atomic");
    refuses("a++", "possessive");
    refuses("a{2}+", "possessive");
    refuses("a**", "a repetition cannot follow");
    refuses("a{2}{3}", "a repetition cannot follow");
    refuses("a???", "a repetition cannot follow");
    refuses("(*UTF)a", "nothing to repeat");
    refuses("(*ACCEPT)", "nothing to repeat");
    refuses("*a", "nothing to repeat");
    refuses("a|*", "nothing to repeat");
    refuses("a{1001}", "up to 1000");
    refuses("a{3,2}", "up to 1000");
    refuses("(?R)", "not part of RE2");
    refuses("(?1)", "not part of RE2");
    refuses("(?|a|b)", "not part of RE2");
    refuses("(?#x)", "not part of RE2");
    refuses("(?x) a", "not part of RE2");
    refuses("(?(1)a|b)", "not part of RE2");
    refuses("(?C1)a", "not part of RE2");
    refuses("\\K", "not part of RE2");
    refuses("\\R", "not part of RE2");
    refuses("\\X", "not part of RE2");
    refuses("\\C", "not part of RE2");
    refuses("\\h", "not part of RE2");
    refuses("\\Z", "not part of RE2");
    refuses("\\N{U+41}", "not part of RE2");
    refuses("[\\b]", "not part of RE2");
    refuses("\\x4", "hex digits");
    refuses("\\x{110000}", "not a Unicode character");
    refuses("\\p{Nope}", "unknown property");
    refuses("(a", "missing closing parenthesis");
    refuses("a)", "unmatched closing parenthesis");
    refuses("[a", "expected ']'");
    refuses("a\\", "a backslash at the end");
    refuses("\xff", "UTF-8");
}

static void test_match_limit(void **state)
{
    (void)state;
    struct err err = {0};
    struct regex *regex = regex_new(STR("(a+)+$"), &err);
    assert_false(regex_find(regex, STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"), &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    regex_free(regex);
}

/* What stays below the match limit at each place of the text adds up all the same. */
static void test_cost(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = {0};
    for (int i = 0; i < 50000; i++)
        buf_add_text(&text, i % 1000 == 999 ? "\n" : "x");
    struct value *args = value_map();
    map_set(args, STR("t"), value_string(buf_str(&text)));
    struct expr_scope scope = {.args = args};
    static const char *const slow =
        "too_large: the regular expression takes too long on this text; make it simpler";
    check("t.matches('x*x*(y|z)')", &scope, slow);
    check("t.matches('x*x*(y|z)') || true", &scope, slow);
    check("t.matches('y')", &scope, "false");
    check("t.matches('x+$')", &scope, "false");
    check("t.matches('x{500}' + '{')", &scope, "false");
    static const char *const steps = "too_large: the evaluation takes more than 100000 steps";
    check("[1,2,3,4,5,6,7,8,9,0].all(x, [1,2,3,4,5,6,7,8,9,0].all(y, !''.matches('(abc){900}' + '')))",
          &scope, steps);
    /* More compiled patterns than an expression may keep */
    AUTO_BUF struct buf heavy = {0};
    for (int i = 0; i < 2000; i++)
        buf_add_text(&heavy, "''.matches('(abc){900}')||");
    buf_add_text(&heavy, "true");
    check(buf_str(&heavy).data, &scope, steps);
    AUTO_BUF struct buf many = {0};
    buf_add_text(&many, "'aaaaaaaaaaaaab'.matches('(a+)+$')");
    for (int i = 0; i < 1000; i++)
        buf_add_text(&many, "||'aaaaaaaaaaaaab'.matches('(a+)+$')");
    check(buf_str(&many).data, &scope, slow);
    value_unref(args);
}

static void test_in_expressions(void **state)
{
    (void)state;
    struct expr_scope scope = {0};
    check("'banana'.matches('^ba(na)*$') && matches('x', 'x')", &scope, "true");
    check("'a1'.matches('a' + '[0-9]')", &scope, "true");
    check("'a'.matches('(')", &scope, "invalid: bad regular expression '(': missing closing parenthesis");
    check("'a'.matches('\\\\1') || true", &scope, "true");
    check("'a'.matches(1)", &scope, "type: matches() does not take int");
}

/* Never a crash, and never a pattern that translates to something PCRE2 takes for a verb or a reference. */
static void test_garbage(void **state)
{
    (void)state;
    static const char bytes[] = "ab()[]{}*+?|^$.\\\\12,-:=!<>PQEpx#im^sS\xc3\xa9 ";
    uint64_t seed = 42;
    size_t good = 0;
    for (int round = 0; round < 30000; round++) {
        char text[12];
        size_t len = (size_t)(round % (int)sizeof text);
        for (size_t i = 0; i < len; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            text[i] = bytes[(seed >> 33) % (sizeof bytes - 1)];
        }
        struct err err = {0};
        struct regex *regex = regex_new((struct str){text, len}, &err);
        if (regex)
            (void)regex_find(regex, STR("abab12 a\n\xc3\xa9x"), &err);
        else
            assert_int_equal(err.code, ERR_INVALID);
        good += regex != NULL;
        regex_free(regex);
    }
    assert_true(good > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meaning), cmocka_unit_test(test_raw_bytes),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_match_limit),
        cmocka_unit_test(test_cost),    cmocka_unit_test(test_in_expressions),
        cmocka_unit_test(test_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
