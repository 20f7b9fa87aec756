/* Lines of cron: which are read, and when their next time comes, over changes of the clocks too. */
#include "../unit.h"
#include "calendar.h"

#include <time.h>

#define BERLIN   "CET-1CEST,M3.5.0,M10.5.0/3"
#define NEW_YORK "EST5EDT,M3.2.0,M11.1.0"
#define TOKYO    "JST-9"

/* "2026-03-29 01:59:59" in UTC, in ms */
static int64_t utc(const char *text)
{
    struct tm tm = {0};
    assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
    return (int64_t)timegm(&tm) * 1000;
}

struct next {
    const char *zone, *line, *after;
    const char *times[5]; /* in UTC, one after the other */
};

static void next_check(const struct next *row)
{
    struct err err = {0};
    struct cron cron;
    struct zone *zone = zone_parse_rule(str_of(row->zone), &err);
    assert_non_null(zone);
    if (!cron_parse(str_of(row->line), &cron, &err))
        fail_msg("'%s': %s", row->line, err.message);
    int64_t at = utc(row->after);
    for (size_t i = 0; i < LENGTH_OF(row->times) && row->times[i]; i++) {
        at = cron_next(&cron, zone, at);
        time_t seconds = at / 1000;
        char text[32];
        struct tm tm;
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", gmtime_r(&seconds, &tm));
        if (strcmp(text, row->times[i]) != 0)
            fail_msg("'%s' after %s in %s, %zu: %s, not %s", row->line, row->after, row->zone, i, text,
                     row->times[i]);
    }
    zone_free(zone);
}

static void next_times(void **state)
{
    (void)state;
    static const struct next rows[] = {
        {"UTC0", "* * * * *", "2026-01-01 00:00:00", {"2026-01-01 00:01:00", "2026-01-01 00:02:00"}},
        {"UTC0", "* * * * *", "2025-12-31 23:59:59", {"2026-01-01 00:00:00"}},
        {"UTC0", "*/15 * * * *", "2026-01-01 00:31:07", {"2026-01-01 00:45:00", "2026-01-01 01:00:00"}},
        {"UTC0", "0 3 * * *", "2026-01-01 03:00:00", {"2026-01-02 03:00:00"}},
        {"UTC0", "0 3 * * *", "2026-01-01 02:59:59", {"2026-01-01 03:00:00"}},
        {"UTC0",
         "30 8,12-14 * * mon-fri",
         "2026-01-02 13:00:00",
         {"2026-01-02 13:30:00", "2026-01-02 14:30:00", "2026-01-05 08:30:00", "2026-01-05 12:30:00"}},
        {"UTC0", "@daily", "2026-02-27 12:00:00", {"2026-02-28 00:00:00", "2026-03-01 00:00:00"}},
        {"UTC0", "@hourly", "2026-02-28 23:00:00", {"2026-03-01 00:00:00"}},
        {"UTC0", "@weekly", "2026-01-01 00:00:00", {"2026-01-04 00:00:00", "2026-01-11 00:00:00"}},
        {"UTC0", "@monthly", "2026-01-01 00:00:00", {"2026-02-01 00:00:00", "2026-03-01 00:00:00"}},
        {"UTC0", "@yearly", "2026-01-01 00:00:00", {"2027-01-01 00:00:00"}},
        {"UTC0", "0 0 29 2 *", "2026-01-01 00:00:00", {"2028-02-29 00:00:00", "2032-02-29 00:00:00"}},
        {"UTC0", "0 0 29 feb *", "2096-02-29 00:00:00", {"2104-02-29 00:00:00"}},
        {"UTC0", "0 0 31 * *", "2026-01-31 00:00:00", {"2026-03-31 00:00:00", "2026-05-31 00:00:00"}},
        {"UTC0", "0 0 30 2,4 *", "2026-01-01 00:00:00", {"2026-04-30 00:00:00"}},
        {"UTC0",
         "0 0 1-31/10 * *",
         "2026-01-01 00:00:00",
         {"2026-01-11 00:00:00", "2026-01-21 00:00:00", "2026-01-31 00:00:00", "2026-02-01 00:00:00"}},
        {"UTC0", "0 0 * * 7", "2026-01-01 00:00:00", {"2026-01-04 00:00:00"}},
        {"UTC0", "0 0 * * SUN", "2026-01-01 00:00:00", {"2026-01-04 00:00:00"}},
        {"UTC0",
         "0 0 * * sat-sun",
         "2026-01-01 00:00:00",
         {"2026-01-03 00:00:00", "2026-01-04 00:00:00", "2026-01-10 00:00:00"}},
        /* Day of the month or weekday where both are given; both where one begins with a star. */
        {"UTC0",
         "0 0 13 * fri",
         "2026-02-01 00:00:00",
         {"2026-02-06 00:00:00", "2026-02-13 00:00:00", "2026-02-20 00:00:00", "2026-02-27 00:00:00",
          "2026-03-06 00:00:00"}},
        {"UTC0",
         "0 0 1,15 * 3",
         "2026-01-01 00:00:00",
         {"2026-01-07 00:00:00", "2026-01-14 00:00:00", "2026-01-15 00:00:00", "2026-01-21 00:00:00"}},
        {"UTC0", "0 0 */2 * mon", "2026-01-01 00:00:00", {"2026-01-05 00:00:00", "2026-01-19 00:00:00"}},
        {TOKYO, "0 9 * * *", "2026-01-01 00:00:00", {"2026-01-02 00:00:00"}},
        {NEW_YORK, "0 0 1 1 *", "2026-01-01 05:00:00", {"2027-01-01 05:00:00"}},
        {BERLIN, "0 3 * * *", "2026-07-01 00:00:00", {"2026-07-01 01:00:00"}},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        next_check(&rows[i]);
}

/* Berlin: 2026-03-29 02:00 becomes 03:00 (01:00 UTC). New York: 2026-03-08 02:00 becomes 03:00 (07:00 UTC).
 */
static void clocks_go_forward(void **state)
{
    (void)state;
    static const struct next rows[] = {
        {BERLIN,
         "30 2 * * *",
         "2026-03-28 00:00:00",
         {"2026-03-28 01:30:00", "2026-03-29 01:00:00", "2026-03-30 00:30:00"}},
        {BERLIN, "*/15 2 * * *", "2026-03-29 00:00:00", {"2026-03-29 01:00:00", "2026-03-30 00:00:00"}},
        {BERLIN, "0 2,3 * * *", "2026-03-29 00:00:00", {"2026-03-29 01:00:00", "2026-03-30 00:00:00"}},
        {BERLIN, "0 3 * * *", "2026-03-28 12:00:00", {"2026-03-29 01:00:00", "2026-03-30 01:00:00"}},
        {BERLIN, "0 1,4 * * *", "2026-03-28 23:30:00", {"2026-03-29 00:00:00", "2026-03-29 02:00:00"}},
        {BERLIN, "30 2 29 3 *", "2026-03-29 00:59:59", {"2026-03-29 01:00:00", "2027-03-29 00:30:00"}},
        {BERLIN, "30 2 29 3 *", "2026-03-29 01:00:00", {"2027-03-29 00:30:00"}},
        {BERLIN, "30 2 30 3 *", "2026-03-29 00:59:59", {"2026-03-30 00:30:00"}},
        {NEW_YORK, "30 2 * * *", "2026-03-07 12:00:00", {"2026-03-08 07:00:00", "2026-03-09 06:30:00"}},
        /* For every hour: no time is made up for. */
        {BERLIN,
         "30 * * * *",
         "2026-03-29 00:00:00",
         {"2026-03-29 00:30:00", "2026-03-29 01:30:00", "2026-03-29 02:30:00"}},
        {NEW_YORK, "*/30 * * * *", "2026-03-08 06:30:00", {"2026-03-08 07:00:00", "2026-03-08 07:30:00"}},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        next_check(&rows[i]);
}

/* Berlin: 2026-10-25 03:00 becomes 02:00 (01:00 UTC). New York: 2026-11-01 02:00 becomes 01:00 (06:00 UTC).
 */
static void clocks_go_back(void **state)
{
    (void)state;
    static const struct next rows[] = {
        {BERLIN, "30 2 * * *", "2026-10-24 12:00:00", {"2026-10-25 00:30:00", "2026-10-26 01:30:00"}},
        {BERLIN, "30 2 * * *", "2026-10-25 01:10:00", {"2026-10-26 01:30:00"}},
        {BERLIN,
         "*/30 2 * * *",
         "2026-10-24 23:00:00",
         {"2026-10-25 00:00:00", "2026-10-25 00:30:00", "2026-10-26 01:00:00"}},
        {BERLIN, "0 3 * * *", "2026-10-24 12:00:00", {"2026-10-25 02:00:00", "2026-10-26 02:00:00"}},
        {BERLIN, "0 2 * * *", "2026-10-24 12:00:00", {"2026-10-25 00:00:00", "2026-10-26 01:00:00"}},
        {NEW_YORK, "30 1 * * *", "2026-10-31 12:00:00", {"2026-11-01 05:30:00", "2026-11-02 06:30:00"}},
        {NEW_YORK, "0 1,2 * * *", "2026-11-01 00:00:00", {"2026-11-01 05:00:00", "2026-11-01 07:00:00"}},
        /* For every hour: also in the hour that comes twice. */
        {BERLIN,
         "30 * * * *",
         "2026-10-25 00:00:00",
         {"2026-10-25 00:30:00", "2026-10-25 01:30:00", "2026-10-25 02:30:00"}},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        next_check(&rows[i]);
}

static void bad_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line, *message;
    } rows[] = {
        {"", "0 fields, cron has 5"},
        {"* * * *", "4 fields, cron has 5"},
        {"0 * * * * *", "6 fields, cron has 5: minute, hour, day of the month, month and weekday; there is "
                        "none for seconds"},
        {"60 * * * *", "the minute: '60' is not a minute: write 0 to 59"},
        {"* 24 * * *", "'24' is not a hour"},
        {"* * 0 * *", "write 1 to 31"},
        {"* * 32 * *", "write 1 to 31"},
        {"* * * 13 *", "write 1 to 12, or the first three letters of its name"},
        {"* * * * 8", "write 0 to 7"},
        {"* * * january *", "'january'"},
        {"* * * * 5-3", "goes backwards"},
        {"*/0 * * * *", "has no step"},
        {"*/ * * * *", "has no step"},
        {"*/x * * * *", "has no step"},
        {"5/15 * * * *", "'5/15' is a step without a range; write 5-59/15"},
        {"1,, * * * *", "'' is not a minute"},
        {"-5 * * * *", "'' is not a minute"},
        {"1-2-3 * * * *", "'2-3' is not a minute"},
        {"99999999999999999999 * * * *", "is not a minute"},
        {"@reboot", "there are @hourly, @daily"},
        {"0 0 30 2 *", "never comes"},
        {"0 0 31 4,6,9,11 *", "never comes"},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct err err = {0};
        struct cron cron;
        if (cron_parse(str_of(rows[i].line), &cron, &err))
            fail_msg("'%s' is taken for a line of cron", rows[i].line);
        assert_int_equal(err.code, ERR_INVALID);
        assert_message(&err, rows[i].message);
    }
}

/* The next time as it is looked for minute by minute, for lines and times drawn from a seed. */
static void agrees_with_a_search(void **state)
{
    (void)state;
    static const char *const lines[] = {"*/7 * * * *", "5,50 1-4 * * *", "0 2 * * *",     "30 2 */3 * *",
                                        "15 3 1 * 0",  "0 0 * * *",      "59 23 * * 6,0", "1 2,3 29 3 *"};
    struct zone *zone = zone_parse_rule(STR(BERLIN), NULL);
    for (size_t i = 0; i < LENGTH_OF(lines); i++) {
        struct cron cron;
        assert_true(cron_parse(str_of(lines[i]), &cron, NULL));
        for (int64_t day = 0; day < 400; day++) {
            int64_t after = utc("2026-01-01 00:00:00") + day * 86400000 + day * 1234567 % 86400000;
            int64_t next = cron_next(&cron, zone, after);
            assert_true(next > after);
            assert_int_equal(cron_next(&cron, zone, next - 1), next);
            assert_int_equal(next % 60000, 0);
            if (next - after > 60000)
                assert_int_equal(cron_next(&cron, zone, after + (next - after) / 2), next);
        }
    }
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_times),           cmocka_unit_test(clocks_go_forward),
        cmocka_unit_test(clocks_go_back),       cmocka_unit_test(bad_lines),
        cmocka_unit_test(agrees_with_a_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
