/* The next time of a line of cron. Time is cut into the stretches between two shifts of the zone, in which
 * local time runs evenly. */
#include "calendar_priv.h"

#define YEARS_AHEAD 9 /* between two 29th of February there may be 8 */

static bool has(uint64_t bits, int number)
{
    return bits >> number & 1;
}

static bool day_fits(const struct cron *cron, const struct date *date)
{
    bool day = has(cron->days, date->day), weekday = has(cron->weekdays, date->weekday);
    return has(cron->months, date->month) && (cron->either_day ? day || weekday : day && weekday);
}

static int first_from(uint64_t bits, int from, int high)
{
    while (from <= high && !has(bits, from))
        from++;
    return from <= high ? from : -1;
}

/* The first time of the line from this minute of a day on, in minutes; -1: none on that day. */
static int minute_of_day(const struct cron *cron, int from)
{
    int hour = first_from(cron->hours, from / 60, 23);
    if (hour < 0)
        return -1;
    int minute = first_from(cron->minutes, hour == from / 60 ? from % 60 : 0, 59);
    if (minute >= 0)
        return hour * 60 + minute;
    hour = first_from(cron->hours, hour + 1, 23);
    return hour < 0 ? -1 : hour * 60 + first_from(cron->minutes, 0, 59);
}

/* The first local time (in seconds) of the line with from <= time < to; false: there is none. */
static bool local_next(const struct cron *cron, int64_t from, int64_t to, int64_t *out)
{
    int64_t minute = floor_div(from + 59, 60);
    for (int64_t day = floor_div(minute, 1440); day * DAY_S < to; day++) {
        struct date date = date_of(day);
        int start = day == floor_div(minute, 1440) ? (int)(minute - day * 1440) : 0;
        int found = day_fits(cron, &date) ? minute_of_day(cron, start) : -1;
        *out = day * DAY_S + found * (int64_t)60;
        if (found >= 0)
            return *out < to;
    }
    return false;
}

int64_t cron_next(const struct cron *cron, const struct zone *zone, int64_t after)
{
    bool hourly = cron->hours == 0xffffff;
    int64_t from = floor_div(after, 1000) + 1, limit = from + YEARS_AHEAD * (int64_t)366 * DAY_S, found;
    for (size_t i = zone_shifts_until(zone, from); from < limit; i++) {
        int64_t offset = i > 0 ? zone->shifts[i - 1].offset : zone->first;
        int64_t before = i > 1 ? zone->shifts[i - 2].offset : zone->first;
        int64_t begin = i > 0 ? zone->shifts[i - 1].at : INT64_MIN;
        int64_t end = i < zone->count && zone->shifts[i].at < limit ? zone->shifts[i].at : limit;
        int64_t local = from + offset;
        /* The times that were left out, right at the shift; those that come again, not at all. */
        if (!hourly && from == begin && local_next(cron, begin + before, begin + offset, &found))
            return from * 1000;
        if (!hourly && i > 0 && local < begin + before)
            local = begin + before;
        if (local_next(cron, local, end + offset, &found))
            return (found - offset) * 1000;
        from = end;
    }
    return -1;
}
