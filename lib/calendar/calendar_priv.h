/* What the files of this folder share: days of the civil calendar, and the inside of a zone. */
#ifndef ZPROC_CALENDAR_PRIV_H
#define ZPROC_CALENDAR_PRIV_H

#include "calendar.h"

enum { DAY_S = 24 * 3600, LAST_YEAR = 2199 /* up to which the rule of a zone is carried out */ };

struct date {
    int64_t year;
    int month, day; /* from 1 */
    int weekday;    /* 0: Sunday */
};
int64_t days_of(int64_t year, int month, int day); /* since 1970-01-01 */
struct date date_of(int64_t days);
int month_length(int64_t year, int month);
int64_t floor_div(int64_t a, int64_t b);

/* From `at` on the offset holds. */
struct shift {
    int64_t at, offset;
};
struct zone {
    int64_t first; /* offset before the first shift */
    struct shift *shifts;
    size_t count, capacity;
};
void zone_shift(struct zone *zone, int64_t at, int64_t offset);
size_t zone_shifts_until(const struct zone *zone, int64_t at); /* how many; one at that time counts */

/* rule.c: adds the shifts of a rule from the year on, and sets `first` where there are none. */
bool rule_apply(struct zone *zone, struct str rule, int64_t year, struct err *err);

#endif
