/* Globs: what fits, what is refused, and that many stars do not take long. */
#include "store_test.h"

int wake_count;

static const struct row {
    const char *pattern, *text;
    bool fits;
} rows[] = {
    {"", "", true},
    {"", "a", false},
    {"a", "a", true},
    {"a", "ab", false},
    {"ab", "a", false},
    {"*", "", true},
    {"*", "a/b", true},
    {"**", "abc", true},
    {"a*", "abc", true},
    {"*c", "abc", true},
    {"a*c", "ac", true},
    {"a*c", "abcabc", true},
    {"a*c", "abcab", false},
    {"*a*b*", "xxaxxbxx", true},
    {"*a*b*", "xxbxxaxx", false},
    {"*aab", "aaab", true},
    {"a.*", "a.b.c", true},
    {"a.*.c", "a.b.d.c", true},
    {"?", "a", true},
    {"?", "", false},
    {"?", "ä", true},
    {"??", "ä", false},
    {"*?", "", false},
    {"*?", "ä", true},
    {"[abc]", "b", true},
    {"[abc]", "d", false},
    {"[a-c]x", "bx", true},
    {"[a-c]x", "b", false},
    {"[!a-c]", "b", false},
    {"[!a-c]", "d", true},
    {"[^a-c]", "d", true},
    {"[!a-c]", "", false},
    {"[]a]", "]", true},
    {"[!]a]", "]", false},
    {"[a-]", "-", true},
    {"[-a]", "-", true},
    {"[\\]]", "]", true},
    {"[a\\-c]", "b", false},
    {"[α-ω]", "λ", true},
    {"[α-ω]", "l", false},
    {"*[0-9]", "job 12", true},
    {"*[0-9]", "job 1x", false},
    {"\\*", "*", true},
    {"\\*", "a", false},
    {"\\\\[ab]", "\\b", true},
    {"a\\?*", "a?b", true},
    {"]", "]", true},
};

static void fits(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        const struct row *row = &rows[i];
        assert_true(glob_check(str_of(row->pattern), NULL));
        if (glob_match(str_of(row->pattern), str_of(row->text)) != row->fits)
            fail_msg("%s on %s", row->pattern, row->text);
    }
}

static void refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"[",     "a[", "[a",  "[]",    "[!]",  "[!",
                                      "[a\\]", "\\", "a\\", "[a]\\", "\\\\["};
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        struct err err = {0};
        if (glob_check(str_of(bad[i]), &err))
            fail_msg("%s", bad[i]);
        assert_int_equal(err.code, ERR_INVALID);
    }
    char text[256];
    memset(text, 'a', sizeof text);
    struct err err = {0};
    assert_true(glob_check((struct str){text, 255}, &err));
    assert_false(glob_check((struct str){text, 256}, &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
}

/* What would take for ever if every star tried everything. */
static void bounded(void **state)
{
    (void)state;
    AUTO_BUF struct buf pattern = {0};
    AUTO_BUF struct buf text = {0};
    for (int i = 0; i < 120; i++)
        buf_add_text(&pattern, "a*");
    buf_add_char(&pattern, 'b');
    for (int i = 0; i < STORE_KEY_MAX; i++)
        buf_add_char(&text, 'a');
    assert_false(glob_match(buf_str(&pattern), buf_str(&text)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fits),
        cmocka_unit_test(refused),
        cmocka_unit_test(bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
