/* Durations and sizes as people write them, and clocks. */
#include "../unit.h"

struct row {
    const char *text;
    int64_t value;
};

static void test_durations(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"250ms", 250},
        {"5s", 5000},
        {"1m30s", 90000},
        {"2h", 7200000},
        {"1d", 86400000},
        {"0", 0},
        {"0.5", 500},
        {"3", 3000},
        {".5", 500},
        {"1.5h", 5400000},
        {"1d2h3m4s5ms", 93784005},
        {"0.0004", 0},
        {"0.0006", 1},
        {"1H", 3600000},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct err err = {0};
        int64_t ms = -1;
        if (!duration_parse(str_of(rows[i].text), &ms, &err) || ms != rows[i].value)
            fail_msg("%s: %lld %s", rows[i].text, (long long)ms, err.message);
    }
}

static void test_bad_durations(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "-1",
        "-1s",
        "+1",
        "s",
        "1x",
        "1 s",
        " 1",
        "1s ",
        "1m30",
        "1.2.3",
        ".",
        ".s",
        "1e3",
        "0x10",
        "nan",
        "inf",
        "1s1",
        "99999999999999999999",
        "1000000000001s",
        "1111111111111111111111111111111111111111s",
    };
    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        struct err err = {0};
        int64_t ms;
        if (duration_parse(str_of(texts[i]), &ms, &err))
            fail_msg("'%s' is taken for a duration", texts[i]);
        assert_int_equal(err.code, ERR_INVALID);
        assert_message(&err, "duration");
    }
    int64_t ms;
    assert_false(duration_parse(STR("1\0"), &ms, NULL));
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"0", 0},
        {"17", 17},
        {"17b", 17},
        {"10k", 10000},
        {"10KB", 10000},
        {"1KiB", 1024},
        {"64MiB", 64LL << 20},
        {"1GB", 1000000000},
        {"2GiB", 2LL << 30},
        {"1.5KiB", 1536},
        {"5m", 5000000},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct err err = {0};
        int64_t bytes = -1;
        if (!size_parse(str_of(rows[i].text), &bytes, &err) || bytes != rows[i].value)
            fail_msg("%s: %lld %s", rows[i].text, (long long)bytes, err.message);
    }
    static const char *const bad[] = {"",    "-1",  "k",     "1x", "1 k",
                                      "1kk", "1k2", "1.2.3", "1s", "99999999999GiB"};
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        struct err err = {0};
        int64_t bytes;
        if (size_parse(str_of(bad[i]), &bytes, &err))
            fail_msg("'%s' is taken for a size", bad[i]);
        assert_int_equal(err.code, ERR_INVALID);
    }
}

static void test_print(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"0ms", 0},          {"35ms", 35},       {"999ms", 999},       {"1.0s", 1000},
        {"2.4s", 2449},      {"59.9s", 59999},   {"1m00s", 60000},     {"1m03s", 63999},
        {"59m59s", 3599999}, {"1h00m", 3600000}, {"25h01m", 90060000},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        AUTO_BUF struct buf buf = {0};
        duration_print(&buf, rows[i].value);
        assert_str(buf_str(&buf), rows[i].text);
    }
    static const struct row sizes[] = {
        {"0B", 0}, {"1000B", 1000}, {"3KiB", 3072}, {"48MiB", 48 << 20}, {"1GiB", 1 << 30}, {"1025B", 1025},
    };
    for (size_t i = 0; i < LENGTH_OF(sizes); i++) {
        AUTO_BUF struct buf buf = {0};
        size_print(&buf, sizes[i].value);
        assert_str(buf_str(&buf), sizes[i].text);
    }
}

static void test_clocks(void **state)
{
    (void)state;
    int64_t us = time_now_us(), ms = time_now_ms();
    assert_true(ms >= us / 1000);
    assert_true(time_now_us() / 1000 >= ms);
    assert_true(time_wall_ms() > 1600000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations), cmocka_unit_test(test_bad_durations), cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_print),     cmocka_unit_test(test_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
