/* The cases of cel-spec's own suite that JSON values can express. */
#include "namespace.h"

/* Equal, where an int and an integral double count as equal (value_identical's rule). */
static bool run_case(const struct value *row)
{
    struct namespace ns = {.roots = {map_get(row, STR("state"))}};
    struct expr_scope scope = namespace_scope(&ns);
    struct err err = {0};
    struct expr *expr = expr_parse(value_as_str(map_get(row, STR("expr"))), &err);
    AUTO_VALUE struct value *got = expr ? expr_eval(expr, &scope, &err) : NULL;
    expr_free(expr);
    const struct value *expected = map_get(row, STR("value"));
    bool good = expected ? got && value_identical(got, expected) : !got;
    if (!good) {
        AUTO_BUF struct buf text = {0};
        if (got)
            value_print(&text, got);
        struct str id = value_as_str(map_get(row, STR("id")));
        print_error("%.*s: got %s%s\n", STR_ARG(id), buf_str(&text).data, got ? "" : err.message);
    }
    return good;
}

static void test_cases(void **state)
{
    (void)state;
    AUTO_BUF struct buf file = {0};
    struct err err = {0};
    if (!file_read(CONFORMANCE_DIR "/cel.jsonl", 64 << 20, &file, &err)) {
        print_message("skipped: %s\n", err.message);
        skip();
    }
    size_t count = 0, failed = 0;
    struct str rest = buf_str(&file);
    while (rest.len) {
        ptrdiff_t end = str_find(rest, STR("\n"));
        struct str line = {rest.data, end < 0 ? rest.len : (size_t)end};
        rest.data += line.len + (end >= 0);
        rest.len -= line.len + (end >= 0);
        if (line.len == 0)
            continue;
        AUTO_VALUE struct value *row = value_parse(line, &err);
        assert_non_null(row);
        count++;
        failed += !run_case(row);
    }
    print_message("%zu cases, %zu failed\n", count, failed);
    assert_true(count > 0);
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
