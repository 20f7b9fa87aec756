/* Days of the Gregorian calendar, counted from 1970. */
#include "calendar_priv.h"

int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

/* Years begin in March here, so that the leap day is the last one of a year. */
int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = floor_div(year, 400), of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct date date_of(int64_t days)
{
    int64_t shifted = days + 719468, era = floor_div(shifted, 146097), of_era = shifted - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    struct date date = {.day = (int)(of_year - (153 * month + 2) / 5 + 1),
                        .month = (int)(month < 10 ? month + 3 : month - 9),
                        .weekday = (int)(((days + 4) % 7 + 7) % 7)};
    date.year = year + era * 400 + (date.month <= 2);
    return date;
}

int month_length(int64_t year, int month)
{
    return (int)(month == 12 ? 31 : days_of(year, month + 1, 1) - days_of(year, month, 1));
}
