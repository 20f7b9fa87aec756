/* The rule of a zone as POSIX writes it: STDoffset[DST[offset],start[/time],end[/time]]. */
#include "calendar_priv.h"

#include <ctype.h>

enum day_kind { DAY_MONTH, DAY_JULIAN, DAY_ZERO };
struct change { /* a day of every year and a time of that day */
    enum day_kind kind;
    int month, week, day;
    int64_t seconds;
};
struct rule {
    int64_t standard, summer; /* seconds east */
    bool changes;
    struct change start, end;
};

/* A cursor over text that ends in NUL. */
static bool take(const char **at, char c)
{
    if (**at != c)
        return false;
    ++*at;
    return true;
}

static bool number_take(const char **at, int high, int *out)
{
    *out = 0;
    if (!isdigit((unsigned char)**at))
        return false;
    while (isdigit((unsigned char)**at) && *out <= high)
        *out = *out * 10 + (*(*at)++ - '0');
    return *out <= high;
}

static bool name_skip(const char **at)
{
    const char *start = *at;
    if (take(at, '<')) {
        while (**at && **at != '>')
            ++*at;
        return take(at, '>');
    }
    while (isalpha((unsigned char)**at))
        ++*at;
    return *at - start >= 3;
}

/* [+-]hh[:mm[:ss]] */
static bool time_take(const char **at, int64_t *seconds)
{
    int hours, minutes = 0, rest = 0;
    bool negative = take(at, '-');
    if (!negative)
        take(at, '+');
    if (!number_take(at, 167, &hours) || (take(at, ':') && !number_take(at, 59, &minutes)) ||
        (take(at, ':') && !number_take(at, 59, &rest)))
        return false;
    *seconds = (negative ? -1 : 1) * (hours * (int64_t)3600 + minutes * (int64_t)60 + rest);
    return true;
}

static bool day_take(const char **at, struct change *change)
{
    change->kind = take(at, 'M') ? DAY_MONTH : take(at, 'J') ? DAY_JULIAN : DAY_ZERO;
    if (change->kind != DAY_MONTH)
        return number_take(at, 365, &change->day);
    return number_take(at, 12, &change->month) && change->month > 0 && take(at, '.') &&
           number_take(at, 5, &change->week) && change->week > 0 && take(at, '.') &&
           number_take(at, 6, &change->day);
}

static bool change_take(const char **at, struct change *change)
{
    change->seconds = 2 * 3600;
    return take(at, ',') && day_take(at, change) && (!take(at, '/') || time_take(at, &change->seconds));
}

/* Offsets are written west of UTC. */
static bool offset_take(const char **at, int64_t *offset)
{
    if (!time_take(at, offset))
        return false;
    *offset = -*offset;
    return true;
}

static bool rule_read(const char *at, struct rule *rule)
{
    if (!name_skip(&at) || !offset_take(&at, &rule->standard))
        return false;
    rule->changes = *at != '\0';
    if (!rule->changes)
        return true;
    rule->summer = rule->standard + 3600;
    if (!name_skip(&at) || (*at != ',' && *at && !offset_take(&at, &rule->summer)))
        return false;
    if (*at == '\0')
        at = ",M3.2.0,M11.1.0";
    return change_take(&at, &rule->start) && change_take(&at, &rule->end) && *at == '\0';
}

static int64_t change_day(const struct change *change, int64_t year)
{
    int64_t new_year = days_of(year, 1, 1);
    if (change->kind == DAY_ZERO)
        return new_year + change->day;
    if (change->kind == DAY_JULIAN) /* the 29th of February is never counted */
        return new_year + change->day - 1 + (month_length(year, 2) == 29 && change->day >= 60);
    int64_t first = days_of(year, change->month, 1);
    int64_t day = first + (change->day - date_of(first).weekday + 7) % 7 + 7 * (change->week - 1);
    while (day >= first + month_length(year, change->month))
        day -= 7;
    return day;
}

static void year_add(struct zone *zone, const struct rule *rule, int64_t year)
{
    int64_t start = change_day(&rule->start, year) * DAY_S + rule->start.seconds - rule->standard;
    int64_t end = change_day(&rule->end, year) * DAY_S + rule->end.seconds - rule->summer;
    if (start < end)
        zone_shift(zone, start, rule->summer);
    zone_shift(zone, end, rule->standard);
    if (start > end)
        zone_shift(zone, start, rule->summer);
}

bool rule_apply(struct zone *zone, struct str text, int64_t year, struct err *err)
{
    struct rule rule = {0};
    AUTO_FREE char *copy = mem_copy(text.data, text.len);
    if (strlen(copy) != text.len || !rule_read(copy, &rule))
        return err_set(err, ERR_INVALID, "'%.*s' is not the rule of a time zone", STR_ARG(text));
    if (zone->count == 0)
        zone->first = rule.standard;
    for (; rule.changes && year <= LAST_YEAR; year++)
        year_add(zone, &rule, year);
    return true;
}
