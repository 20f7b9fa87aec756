/* Tables align, the summary counts, JSON carries results untouched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "view.h"

static void test_table_aligns_by_width(void **state)
{
    (void)state;
    struct view_table table = {.columns = 3};
    const char *const cells[] = {"a", "bb", "c", "\xe7\x8c\xab", "b", "", "abc", "", "x"};
    for (size_t i = 0; i < LENGTH_OF(cells); i++)
        view_table_add(&table, VIEW_RED, cells[i]);
    AUTO_BUF struct buf out = {0};
    view_table_print(&out, &table, false);
    assert_string_equal(out.data, "a    bb  c\n"
                                  "\xe7\x8c\xab   b\n"
                                  "abc      x\n");
    view_table_release(&table);
}

/* Prints a table of three columns and two rows at a width. */
static void print_at(size_t width, struct buf *out)
{
    struct view_table table = {.columns = 3, .width = width, .headed = true};
    const char *const cells[] = {"NAME",   "STATUS",
                                 "REASON", "a-worker-with-a-name.12",
                                 "failed", "exit status 7 after three attempts"};
    for (size_t i = 0; i < LENGTH_OF(cells); i++)
        view_table_add(&table, VIEW_PLAIN, cells[i]);
    buf_clear(out);
    view_table_print(out, &table, false);
    view_table_release(&table);
}

static void test_table_fits_the_terminal(void **state)
{
    (void)state;
    AUTO_BUF struct buf out = {0};
    print_at(67, &out);
    assert_string_equal(out.data, "NAME                     STATUS  REASON\n"
                                  "a-worker-with-a-name.12  failed  exit status 7 after three attempts\n");
    print_at(60, &out);
    assert_string_equal(out.data, "NAME                     STATUS  REASON\n"
                                  "a-worker-with-a-name.12  failed  exit status 7 after three\n"
                                  "                                 attempts\n");
    print_at(45, &out);
    assert_string_equal(out.data, "NAME             STATUS  REASON\n"
                                  "a-worker-w\xe2\x80\xa6"
                                  "e.12  failed  exit status 7 after\n"
                                  "                         three attempts\n");
    print_at(30, &out);
    assert_string_equal(out.data, "NAME                    STATUS\n"
                                  "a-worker-with-a-n\xe2\x80\xa6"
                                  "e.12  failed\n"
                                  "    exit status 7 after three\n    attempts\n");
    for (size_t width = 1; width < 80; width++)
        print_at(width, &out);
}

static void test_colour_only_when_asked(void **state)
{
    (void)state;
    AUTO_BUF struct buf out = {0};
    view_paint(&out, VIEW_RED, STR("x"), false);
    view_paint(&out, VIEW_RED, STR("y"), true);
    assert_string_equal(out.data, "x\033[31my\033[0m");
}

static void test_text_is_cleaned(void **state)
{
    (void)state;
    AUTO_BUF struct buf out = {0};
    view_add_clean(&out, STR("a\tb\x1b[31m\xff\xc3\xa4"));
    assert_string_equal(out.data, "a b [31m\xef\xbf\xbd\xc3\xa4");
}

static const struct view_worker workers[] = {
    {.name = "oven",
     .status = "succeeded",
     .reason = "",
     .log = "",
     .attempts = 2,
     .exit = 0,
     .duration_ms = 35,
     .runs = -1,
     .flaky = true,
     .result = "9007199254740993"},
    {.name = "baker",
     .status = "failed",
     .reason = "exit status 7",
     .log = "/l/baker.log",
     .attempts = 1,
     .exit = 7,
     .duration_ms = 2400,
     .runs = -1,
     .tail = {"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n", 24}},
    {.name = "late",
     .status = "skipped",
     .reason = "baker failed",
     .log = "",
     .exit = -1,
     .duration_ms = -1,
     .runs = -1},
};
static const struct view_summary summary = {.name = "bakery",
                                            .id = "r1",
                                            .exit = 7,
                                            .duration_ms = 3400,
                                            .workers = workers,
                                            .count = LENGTH_OF(workers)};

static void test_summary_says_what_failed(void **state)
{
    (void)state;
    AUTO_BUF struct buf out = {0};
    view_summary_print(&out, &summary, false);
    assert_non_null(strstr(out.data, "oven    succeeded  2 (flaky)  35ms\n"));
    assert_non_null(strstr(out.data, "baker   failed     1          2.4s  exit status 7\n"));
    assert_non_null(strstr(out.data, "late    skipped    -          -     baker failed\n"));
    assert_non_null(strstr(out.data, "baker: the end of its stderr (/l/baker.log)\n  2\n  3\n"));
    assert_non_null(strstr(out.data, "1 succeeded, 1 failed, 1 skipped in 3.4s\n"));
}

static void test_summary_as_json(void **state)
{
    (void)state;
    AUTO_BUF struct buf out = {0};
    view_summary_json(&out, &summary);
    struct err err;
    AUTO_VALUE struct value *root = value_parse((struct str){out.data, out.len - 1}, &err);
    assert_non_null(root);
    struct value *list = map_get(root, STR("workers"));
    assert_int_equal(value_len(list), 3);
    assert_int_equal(value_as_int(map_get(list_at(list, 0), STR("result"))), 9007199254740993);
    assert_int_equal(value_as_int(map_get(list_at(list, 1), STR("exit"))), 7);
    assert_null(map_get(list_at(list, 2), STR("exit")));
}

static void test_line_as_json(void **state)
{
    (void)state;
    AUTO_BUF struct buf out = {0};
    view_line_json(&out, "w", 2, (struct str){"a\0\xff\"", 4}, 5);
    assert_string_equal(
        out.data,
        "{\"worker\":\"w\",\"stream\":\"stderr\",\"line\":\"a\\u0000\xef\xbf\xbd\\\"\",\"time\":5}\n");
}

static void test_replicas_that_went_alike_share_a_row(void **state)
{
    (void)state;
    struct view_worker replicas[8];
    char names[8][8];
    for (int i = 0; i < 8; i++) {
        snprintf(names[i], sizeof names[i], "w.%d", i);
        replicas[i] = (struct view_worker){.name = names[i],
                                           .worker = "w",
                                           .status = i == 1 ? "failed" : "succeeded",
                                           .reason = i == 1 ? "exit status 3" : "",
                                           .log = "",
                                           .attempts = 1,
                                           .optional = true,
                                           .duration_ms = i,
                                           .runs = -1};
    }
    struct view_summary alike = {.workers = replicas, .count = 8, .duration_ms = 9};
    AUTO_BUF struct buf out = {0};
    view_summary_print(&out, &alike, false);
    assert_string_equal(out.data, "WORKER  STATUS     ATTEMPTS  TIME  REASON\n"
                                  "w.0     succeeded  1         0ms\n"
                                  "w.1     failed     1         1ms   exit status 3 (optional)\n"
                                  "w (6)   succeeded  1         7ms\n"
                                  "7 succeeded, 1 failed in 9ms\n");
}

static const struct view_worker reported[] = {
    {.name = "good", .status = "succeeded", .reason = "", .exit = 0, .duration_ms = 1234, .runs = -1},
    {.name = "a<b&\"c\"",
     .status = "failed",
     .reason = "exit status 7: 50%",
     .tail = {"one\x1b[1m\ntwo \xff", 13},
     .exit = 7,
     .duration_ms = 5,
     .runs = -1},
    {.name = "late",
     .status = "timeout",
     .reason = "",
     .exit = 124,
     .duration_ms = 0,
     .runs = -1,
     .optional = true},
    {.name = "never", .status = "skipped", .reason = "why", .exit = -1, .duration_ms = -1, .runs = -1},
};
static const struct view_summary report = {
    .name = "r", .id = "1", .exit = 7, .duration_ms = 61002, .workers = reported, .count = 4};

static void test_junit(void **state)
{
    (void)state;
    AUTO_BUF struct buf out = {0};
    view_summary_junit(&out, &report);
    assert_string_equal(
        out.data,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<testsuites name=\"r\" tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"2\" time=\"61.002\">\n"
        "  <testsuite name=\"r\" tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"2\" time=\"61.002\">\n"
        "    <testcase name=\"good\" classname=\"r\" time=\"1.234\">\n"
        "    </testcase>\n"
        "    <testcase name=\"a&#60;b&#38;&#34;c&#34;\" classname=\"r\" time=\"0.005\">\n"
        "      <failure message=\"exit status 7: 50%\" type=\"failed\"/>\n"
        "      <system-err>one\xef\xbf\xbd[1m&#10;two \xef\xbf\xbd</system-err>\n"
        "    </testcase>\n"
        "    <testcase name=\"late\" classname=\"r\" time=\"0.000\">\n"
        "      <skipped message=\"timeout (optional)\"/>\n"
        "    </testcase>\n"
        "    <testcase name=\"never\" classname=\"r\" time=\"0.000\">\n"
        "      <skipped message=\"skipped: why\"/>\n"
        "    </testcase>\n"
        "  </testsuite>\n"
        "</testsuites>\n");
}

static void test_github(void **state)
{
    (void)state;
    AUTO_BUF struct buf out = {0};
    view_github_failures(&out, &report);
    assert_string_equal(out.data, "::error title=a<b&\"c\" failed::exit status 7: 50%25%0Aone\x1b[1m%0Atwo "
                                  "\xef\xbf\xbd\n"
                                  "::warning title=late timeout::\n");
    buf_clear(&out);
    view_github_group(&out, "test[a,b]", STR("x\n"));
    assert_string_equal(out.data, "::group::test[a,b]\nx\n::endgroup::\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_junit),
        cmocka_unit_test(test_github),
        cmocka_unit_test(test_table_aligns_by_width),
        cmocka_unit_test(test_table_fits_the_terminal),
        cmocka_unit_test(test_colour_only_when_asked),
        cmocka_unit_test(test_text_is_cleaned),
        cmocka_unit_test(test_replicas_that_went_alike_share_a_row),
        cmocka_unit_test(test_summary_says_what_failed),
        cmocka_unit_test(test_summary_as_json),
        cmocka_unit_test(test_line_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
