/* JSON text to values: what is accepted, what is refused, and with which word. */
#include "value_test.h"

static void test_scalars(void **state)
{
    (void)state;
    AUTO_VALUE struct value *null = parsed(" null\t");
    AUTO_VALUE struct value *yes = parsed("\r\ntrue");
    AUTO_VALUE struct value *no = parsed("false");
    AUTO_VALUE struct value *text = parsed("\"a b\"");
    assert_int_equal(value_type(null), VALUE_NULL);
    assert_true(value_as_bool(yes));
    assert_int_equal(value_type(no), VALUE_BOOL);
    assert_false(value_as_bool(no));
    assert_str(value_as_str(text), "a b");
}

static void test_ints(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t i;
    } rows[] = {
        {"0", 0},
        {"-0", 0},
        {"1", 1},
        {"-10", -10},
        {"9007199254740993", 9007199254740993},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        AUTO_VALUE struct value *value = parsed(rows[i].text);
        assert_int_equal(value_type(value), VALUE_INT);
        assert_int_equal(value_as_int(value), rows[i].i);
        assert_prints(value, rows[i].text);
    }
}

/* A fraction or an exponent makes a double, and its spelling stays. */
static void test_doubles(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double d;
    } rows[] = {
        {"1.0", 1},
        {"-0.0", 0},
        {"1.10", 1.1},
        {"1e0", 1},
        {"1E+2", 100},
        {"12e-1", 1.2},
        {"5e-324", 5e-324},
        {"1e-400", 0},
        {"1.7976931348623157e308", 1.7976931348623157e308},
        {"9223372036854775808.0", 0x1p63},
        {"0.30000000000000004441", 0.30000000000000004},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        AUTO_VALUE struct value *value = parsed(rows[i].text);
        assert_int_equal(value_type(value), VALUE_DOUBLE);
        assert_true(value_as_double(value) == rows[i].d);
        assert_prints(value, rows[i].text);
    }
}

static void test_strings(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct str bytes;
    } rows[] = {
        {"\"\"", {"", 0}},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", {"\"\\/\b\f\n\r\t", 8}},
        {"\"a\\u0000b\"", {"a\0b", 3}},
        {"\"\\u00e4\\u20AC\\uD83d\\uDe00\"", {"ä€😀", 9}},
        {"\"ä€😀\"", {"ä€😀", 9}},
        {"\"\x7f\"", {"\x7f", 1}},
        {"\"long enough for words\\nand more than one of them\"",
         {"long enough for words\nand more than one of them", 47}},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        AUTO_VALUE struct value *value = parsed(rows[i].text);
        assert_true(str_equal(value_as_str(value), rows[i].bytes));
    }
}

static void test_containers(void **state)
{
    (void)state;
    AUTO_VALUE struct value *value = parsed(" { \"a\" : [ 1 , [ ] , { } ] , \"\" : null } ");
    assert_prints(value, "{\"a\":[1,[],{}],\"\":null}");
    assert_int_equal(value_len(value), 2);
    assert_int_equal(value_len(map_get(value, STR("a"))), 3);
}

static void test_last_duplicate_counts(void **state)
{
    (void)state;
    AUTO_VALUE struct value *value = parsed("{\"a\":1,\"b\":2,\"a\":[3]}");
    assert_prints(value, "{\"a\":[3],\"b\":2}");
}

/* The parser keeps recent keys: maps with the same and with colliding keys stay right. */
static void test_many_maps(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = {0};
    buf_add_char(&text, '[');
    for (int i = 0; i < 300; i++)
        buf_add_format(&text, "%s{\"id\":%d,\"k%d\":\"%d\",\"\":0,\"%0*d\":1}", i ? "," : "", i, i, i,
                       20 + i % 30, i);
    buf_add_char(&text, ']');
    AUTO_VALUE struct value *value = parsed(text.data);
    assert_prints(value, text.data);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"", "ends where a JSON value should stand, at byte 0"},
        {"  ", "ends where a JSON value should stand, at byte 2"},
        {"nul", "'n' stands where a JSON value should, at byte 0"},
        {"True", "'T' stands"},
        {"1 2", "'2' stands where the end of the JSON text should, at byte 2"},
        {"01", "leading zero at byte 0"},
        {"-", "ends where a digit should stand, at byte 1"},
        {"-01", "leading zero at byte 1"},
        {"+1", "'+' stands"},
        {".5", "'.' stands"},
        {"1.", "a digit should stand, at byte 2"},
        {"1e+", "a digit should stand, at byte 3"},
        {"1.e1", "'e' stands where a digit should"},
        {"0x1", "'x' stands where the end"},
        {"NaN", "'N' stands"},
        {"\"a", "ends where the end of a string should stand, at byte 2"},
        {"\"a\nb\"",
         "byte 0x0a stands where a character (control characters need an escape) should, at byte 2"},
        {"\"\\x\"", "'x' stands where an escape"},
        {"\"\\u12g4\"", "'g' stands where a hexadecimal digit should, at byte 5"},
        {"\"\\ud800\"", "lone surrogate at byte 1"},
        {"\"\\ud800\\u0041\"", "lone surrogate"},
        {"\"\\ud800\\n\"", "lone surrogate"},
        {"\"\\udc00\\ud800\"", "lone surrogate"},
        {"\"\xff\"", "invalid UTF-8 in the string at byte 0"},
        {"\"\xc3\\n\xa4\"", "invalid UTF-8"},
        {"\"\xed\xa0\x80\"", "invalid UTF-8"},
        {"{\"\xff\":1}", "invalid UTF-8 in the string at byte 1"},
        {"[1,]", "']' stands where a JSON value should, at byte 3"},
        {"[1", "',' or ']'"},
        {"[1 2]", "'2' stands where ',' or ']' should"},
        {"{\"a\"}", "'}' stands where ':' should"},
        {"{\"a\":}", "'}' stands where a JSON value should"},
        {"{\"a\":1,}", "'}' stands where a key"},
        {"{a:1}", "'a' stands where a key"},
        {"{\"a\":1", "',' or '}'"},
        {"[1}", "'}' stands"},
        {"\xef\xbb\xbf[]", "byte order mark"},
        {"[]\v", "byte 0x0b stands"},
        {"// no\n1", "'/' stands"},
        {"'a'", "''' stands"},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct err err = {0};
        if (value_parse(str_of(rows[i].text), &err))
            fail_msg("%s is accepted", rows[i].text);
        assert_int_equal(err.code, ERR_INVALID);
        assert_message(&err, rows[i].message);
    }
    assert_null(value_parse((struct str){NULL, 0}, NULL));
    assert_null(value_parse(STR("1\0"), NULL));
}

/* Every beginning of a text is refused, and nothing leaks. */
static void test_cut(void **state)
{
    (void)state;
    struct str text = STR("{\"a\":[1,{\"b\":\"c\\u00e4\\n\"},[true,null]],\"d\":{}}");
    for (size_t len = 0; len < text.len; len++) {
        /* An exact copy, so that reading on would be seen. */
        AUTO_FREE char *part = mem_resize(NULL, len, 1);
        memcpy(part, text.data, len);
        assert_null(value_parse((struct str){part, len}, NULL));
    }
}

static void test_too_large(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"9223372036854775808", "beyond int64, at byte 0"},
        {"[-9223372036854775809]", "beyond int64, at byte 1"},
        {"99999999999999999999999999999999999999999999999",
         "the number 9999999999999999999999999999999999999999… is"},
        {"1e309", "the number 1e309 is beyond double, at byte 0"},
        {"-1e999", "beyond double"},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct err err = {0};
        assert_null(value_parse(str_of(rows[i].text), &err));
        assert_int_equal(err.code, ERR_TOO_LARGE);
        assert_message(&err, rows[i].message);
    }
}

static void text_nest(struct buf *buf, const char *open, const char *close, size_t depth)
{
    for (size_t i = 0; i < depth; i++)
        buf_add_text(buf, open);
    buf_add_char(buf, '0');
    for (size_t i = 0; i < depth; i++)
        buf_add_text(buf, close);
}

static void test_depth(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"[", "]"}, {"{\"a\":", "}"}, {"[{\"a\":", "}]"}};
    for (size_t i = 0; i < LENGTH_OF(pairs); i++) {
        size_t most = VALUE_DEPTH_MAX / (i == 2 ? 2 : 1);
        AUTO_BUF struct buf fits = {0}, deep = {0}, endless = {0};
        text_nest(&fits, pairs[i][0], pairs[i][1], most);
        AUTO_VALUE struct value *value = parsed(fits.data);
        assert_int_equal(value_depth(value), VALUE_DEPTH_MAX);
        struct err err = {0};
        text_nest(&deep, pairs[i][0], pairs[i][1], most + 1);
        assert_null(value_parse(buf_str(&deep), &err));
        assert_int_equal(err.code, ERR_INVALID);
        assert_message(&err, "nested deeper than 512");
        text_nest(&endless, pairs[i][0], "", 100000);
        assert_null(value_parse(buf_str(&endless), NULL));
    }
    /* What is closed does not count. */
    AUTO_BUF struct buf wide = {0};
    buf_add_char(&wide, '[');
    for (int i = 0; i < 2000; i++)
        buf_add_text(&wide, "[],");
    buf_add_text(&wide, "0]");
    AUTO_VALUE struct value *value = parsed(wide.data);
    assert_int_equal(value_depth(value), 2);
}

struct taken {
    struct buf text; /* name=what, one after another */
    size_t left;     /* members until taking fails */
};

static bool member_note(void *ctx, const struct member *member, struct err *err)
{
    struct taken *taken = ctx;
    if (taken->left-- == 0)
        return err_set(err, ERR_BUSY, "enough");
    buf_add_str(&taken->text, member->name);
    buf_add_char(&taken->text, '=');
    if (member->type == VALUE_STRING) {
        buf_add_str(&taken->text, member->s);
        buf_add_text(&taken->text, member->lasting ? "!" : "");
    } else if (member->type == VALUE_INT || member->type == VALUE_BOOL) {
        buf_add_int(&taken->text, member->i);
    } else {
        value_print(&taken->text, member->value);
    }
    buf_add_char(&taken->text, ' ');
    return true;
}

/* What was taken, or nothing when the object was refused. */
static void assert_taken(const char *text, const char *wanted)
{
    struct err err = {0};
    struct taken taken = {.left = 100};
    bool fine = object_take(str_of(text), member_note, &taken, &err);
    assert_int_equal(fine, wanted != NULL);
    assert_int_equal(err.code, wanted ? ERR_NONE : ERR_INVALID);
    if (wanted)
        assert_string_equal(taken.text.data ? taken.text.data : "", wanted);
    buf_release(&taken.text);
}

static void test_members(void **state)
{
    (void)state;
    assert_taken(" { } ", "");
    assert_taken("{\"a\" : -1,\"b\":true , \"c\":null,\"d\":1.5,\"e\":[1,{}]}",
                 "a=-1 b=1 c=null d=1.5 e=[1,{}] ");
    assert_taken("{\"a\":\"x\",\"a\":\"\",\"a\":2}", "a=x! a=! a=2 ");
    assert_taken("{\"\\u0061b\":\"\\n\",\"c\":\"d\\te\",\"\\u0066\":\"g\"}", "ab=\n c=d\te f=g! ");
    static const char *const refused[] = {
        "",           "[]",           "1",
        "{\"a\":1",   "{\"a\"}",      "{a:1}",
        "{1:1}",      "{\"a\":1}x",   "{,}",
        "{\"a\":1,}", "{\"a\":\"x}",  "\xef\xbb\xbf{}",
        "{\"a\" 1}",  "{\"\xff\":1}", "{\"a\":\"\xff\"}",
    };
    for (size_t i = 0; i < LENGTH_OF(refused); i++)
        assert_taken(refused[i], NULL);
}

static void test_members_given_up(void **state)
{
    (void)state;
    struct err err = {0};
    struct taken taken = {.left = 1};
    assert_false(object_take(STR("{\"a\":1,\"b\":2,"), member_note, &taken, &err));
    assert_int_equal(err.code, ERR_BUSY);
    assert_string_equal(taken.text.data, "a=1 ");
    buf_release(&taken.text);
    AUTO_BUF struct buf deep = {0};
    buf_add_text(&deep, "{\"a\":");
    text_nest(&deep, "[", "]", VALUE_DEPTH_MAX);
    buf_add_char(&deep, '}');
    taken = (struct taken){.left = 1};
    assert_false(object_take(buf_str(&deep), member_note, &taken, &err));
    assert_message(&err, "nested deeper than 512");
    buf_release(&taken.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_ints),
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_containers),
        cmocka_unit_test(test_last_duplicate_counts),
        cmocka_unit_test(test_many_maps),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_members_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
