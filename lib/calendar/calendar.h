/* Lines of cron and time zones: when the next time of a schedule comes. Pure, but for zone_read. */
#ifndef ZPROC_CALENDAR_H
#define ZPROC_CALENDAR_H

#include "base.h"

/* ---- Lines of cron ---- */

/* Bits by number. A day fits when its day of the month and its weekday both fit; where neither field begins
 * with '*', when one of them does. */
struct cron {
    uint64_t minutes;
    uint32_t hours, days, months;
    uint8_t weekdays; /* 0: Sunday */
    bool either_day;
};
/* "MINUTE HOUR DAY MONTH WEEKDAY", or @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually.
 * ERR_INVALID, also for a date that never comes. */
bool cron_parse(struct str text, struct cron *cron, struct err *err);

/* ---- Time zones ---- */

struct zone;
/* The bytes of a TZif file (RFC 8536). */
struct zone *zone_parse(struct str bytes, struct err *err);
/* The rule of a TZ variable: "CET-1CEST,M3.5.0,M10.5.0/3". */
struct zone *zone_parse_rule(struct str rule, struct err *err);
/* By its name in the database of time zones, like Europe/Berlin; UTC is known without one. NULL: the zone of
 * this machine (TZ, else /etc/localtime, else UTC). ERR_NOT_FOUND, ERR_INVALID. */
struct zone *zone_read(const char *name, struct err *err);
void zone_free(struct zone *zone); /* NULL is fine */
/* Seconds east of UTC at a time (seconds since 1970). */
int64_t zone_offset(const struct zone *zone, int64_t at);

/* ---- The next time ---- */

/* The first time of the line after `after` (both ms since 1970), -1: never. When clocks are put forward,
 * times that are left out come once, right at the change; when they are put back, times that come a second
 * time are left out then. Lines for every hour know no such thing: they go by the hours that really pass. */
int64_t cron_next(const struct cron *cron, const struct zone *zone, int64_t after);

#endif
