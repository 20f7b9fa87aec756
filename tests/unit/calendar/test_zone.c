/* Time zones: rules, the files of the database, and what is broken. */
#include "../unit.h"
#include "calendar.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void rules(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        int64_t winter, summer; /* offsets on 2026-01-15 and 2026-07-15 */
    } rows[] = {
        {"UTC0", 0, 0},
        {"<+0530>-5:30", 19800, 19800},
        {"CET-1CEST,M3.5.0,M10.5.0/3", 3600, 7200},
        {"EST5EDT,M3.2.0,M11.1.0", -18000, -14400},
        {"EST5EDT", -18000, -14400},
        {"AEST-10AEDT,M10.1.0,M4.1.0/3", 39600, 36000},
        {"IST-1GMT0,M10.5.0,M3.5.0/1", 0, 3600},
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", -7200, -3600},
        {"XXX3YYY,J60,J300", -10800, -7200},
        {"XXX3YYY,59,299", -10800, -7200},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct err err = {0};
        struct zone *zone = zone_parse_rule(str_of(rows[i].rule), &err);
        if (!zone)
            fail_msg("%s: %s", rows[i].rule, err.message);
        assert_int_equal(zone_offset(zone, 1768435200), rows[i].winter);
        assert_int_equal(zone_offset(zone, 1784073600), rows[i].summer);
        zone_free(zone);
    }
}

static void bad_rules(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "UT",
                                        "UTC",
                                        "UTC999",
                                        "CET-1CEST,M13.1.0,M10.5.0",
                                        "CET-1CEST,M3.6.0,M1.1.0",
                                        "CET-1CEST,M3.5.0",
                                        "<CET-1",
                                        "CET-1CEST,M3.5.0,M10.5.0/3x",
                                        "CET-1:60"};
    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        struct err err = {0};
        if (zone_parse_rule(str_of(texts[i]), &err))
            fail_msg("'%s' is taken for a rule", texts[i]);
        assert_int_equal(err.code, ERR_INVALID);
    }
}

/* The C library reads the same files. */
static void agrees_with_the_c_library(void **state)
{
    (void)state;
    static const char *const names[] = {
        "Europe/Berlin", "America/New_York",  "Australia/Lord_Howe", "Asia/Kolkata",
        "Pacific/Apia",  "Africa/Casablanca", "Europe/Dublin",       "UTC"};
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0)
        skip();
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        struct err err = {0};
        struct zone *zone = zone_read(names[i], &err);
        if (!zone)
            fail_msg("%s: %s", names[i], err.message);
        setenv("TZ", names[i], 1);
        tzset();
        for (time_t at = -2000000000; at < 4100000000; at += 1000003) {
            struct tm tm;
            localtime_r(&at, &tm);
            if (zone_offset(zone, at) != tm.tm_gmtoff)
                fail_msg("%s at %lld: %lld, not %ld", names[i], (long long)at,
                         (long long)zone_offset(zone, at), tm.tm_gmtoff);
        }
        zone_free(zone);
    }
    unsetenv("TZ");
}

static void names(void **state)
{
    (void)state;
    static const char *const bad[] = {"Europe/Berln",        "",       "/etc/passwd",
                                      "../../../etc/passwd", "Europe", "no zone"};
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        struct err err = {0};
        assert_null(zone_read(bad[i], &err));
        assert_int_equal(err.code, ERR_NOT_FOUND);
        assert_message(&err, "no time zone '");
    }
    setenv("TZDIR", "/nowhere", 1);
    struct zone *utc = zone_read("UTC", NULL);
    assert_non_null(utc);
    zone_free(utc);
    unsetenv("TZDIR");
}

static void the_local_zone(void **state)
{
    (void)state;
    static const struct {
        const char *tz;
        int64_t offset;
    } rows[] = {{"", 0}, {"JST-9", 32400}, {":JST-9", 32400}, {"nonsense", 0}, {"/nowhere", 0}, {"UTC", 0}};
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        setenv("TZ", rows[i].tz, 1);
        struct zone *zone = zone_read(NULL, NULL);
        assert_int_equal(zone_offset(zone, 1768435200), rows[i].offset);
        zone_free(zone);
    }
    unsetenv("TZ");
    struct zone *zone = zone_read(NULL, NULL);
    assert_non_null(zone);
    zone_free(zone);
}

static void broken_files(void **state)
{
    (void)state;
    AUTO_BUF struct buf bytes = {0};
    if (!file_read("/usr/share/zoneinfo/Europe/Berlin", 1 << 20, &bytes, NULL))
        skip();
    /* Cut anywhere, or with a byte changed, it is refused or read, and nothing else. */
    for (size_t len = 0; len < bytes.len; len++) {
        char *cut = mem_copy(bytes.data, len);
        zone_free(zone_parse((struct str){cut, len}, NULL));
        free(cut);
    }
    for (size_t at = 0; at < bytes.len; at++) {
        char *changed = mem_copy(bytes.data, bytes.len);
        changed[at] = (char)0xff;
        zone_free(zone_parse((struct str){changed, bytes.len}, NULL));
        free(changed);
    }
    struct err err = {0};
    assert_null(zone_parse(STR("no zone"), &err));
    assert_message(&err, "not a table of a time zone");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules),
        cmocka_unit_test(bad_rules),
        cmocka_unit_test(agrees_with_the_c_library),
        cmocka_unit_test(names),
        cmocka_unit_test(the_local_zone),
        cmocka_unit_test(broken_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
