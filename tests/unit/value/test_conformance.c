/* The cases of JSONTestSuite in CONFORMANCE_DIR/json.jsonl, where that file is there. */
#include "value_test.h"

#include <unistd.h>

static const char cases_path[] = CONFORMANCE_DIR "/json.jsonl";

/* The bytes that base64 text (RFC 4648, padded) stands for. */
static void base64_decode(struct str text, struct buf *bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    int count = 0;
    for (size_t i = 0; i < text.len && text.data[i] != '='; i++) {
        const char *digit = strchr(digits, text.data[i]);
        assert_true(digit && *digit);
        bits = bits << 6 | (uint32_t)(digit - digits);
        count += 6;
        if (count >= 8)
            buf_add_char(bytes, (char)(bits >> (count -= 8)));
    }
}

static bool case_passes(const struct value *row)
{
    AUTO_BUF struct buf text = {0}, again = {0};
    struct err err = {0};
    base64_decode(value_as_str(map_get(row, STR("base64"))), &text);
    bool valid = value_as_bool(map_get(row, STR("valid")));
    AUTO_VALUE struct value *value = value_parse(buf_str(&text), &err);
    if (!value != !valid) {
        print_error("%.*s: %s\n", STR_ARG(value_as_str(map_get(row, STR("id")))),
                    value ? "is accepted" : err.message);
        return false;
    }
    if (!value)
        return err.code == ERR_INVALID && strstr(err.message, "at byte ");
    value_print(&again, value);
    AUTO_VALUE struct value *back = value_parse(buf_str(&again), &err);
    return back && value_same_text(back, value);
}

static void test_json(void **state)
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
    size_t count = 0, failed = 0;
    for (struct str rest = buf_str(&file); rest.len > 0; count++) {
        ptrdiff_t end = str_find(rest, STR("\n"));
        struct str line = {rest.data, end < 0 ? rest.len : (size_t)end};
        AUTO_VALUE struct value *row = value_parse(line, &err);
        if (!row)
            fail_msg("line %zu: %s", count + 1, err.message);
        failed += !case_passes(row);
        size_t taken = line.len + (end >= 0);
        rest = (struct str){rest.data + taken, rest.len - taken};
    }
    print_message("%zu cases\n", count);
    assert_true(count > 0);
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_json)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
