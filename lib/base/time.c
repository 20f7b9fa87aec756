/* Clocks, and durations and sizes as people write them. */
#include "base.h"

#include <ctype.h>
#include <stdlib.h>
#include <time.h>

static int64_t clock_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t time_now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int64_t time_now_ms(void)
{
    return time_now_us() / 1000;
}

int64_t time_wall_ms(void)
{
    return clock_us(CLOCK_REALTIME) / 1000;
}

struct unit {
    const char *name;
    double factor;
};

static const struct unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60e3}, {"h", 3600e3}, {"d", 24 * 3600e3},
};

static const struct unit size_units[] = {
    {"b", 1},   {"k", 1e3},  {"kb", 1e3},   {"m", 1e6},       {"mb", 1e6},
    {"g", 1e9}, {"gb", 1e9}, {"kib", 1024}, {"mib", 1 << 20}, {"gib", 1 << 30},
};

/* Reads digits with an optional fraction; false when there are none. */
static bool number_read(struct str text, size_t *pos, double *number)
{
    char digits[32];
    size_t len = 0;
    bool digit = false;
    while (*pos < text.len && len < sizeof digits - 1) {
        char c = text.data[*pos];
        if (!isdigit((unsigned char)c) && c != '.')
            break;
        digit |= c != '.';
        digits[len++] = c;
        ++*pos;
    }
    digits[len] = '\0';
    char *end;
    *number = strtod(digits, &end);
    return digit && *end == '\0';
}

static const struct unit *unit_read(struct str text, size_t *pos, const struct unit *units, size_t count)
{
    size_t start = *pos;
    while (*pos < text.len && isalpha((unsigned char)text.data[*pos]))
        ++*pos;
    for (size_t i = 0; i < count; i++)
        if (strlen(units[i].name) == *pos - start &&
            strncasecmp(units[i].name, text.data + start, *pos - start) == 0)
            return &units[i];
    return NULL;
}

bool duration_parse(struct str text, int64_t *ms, struct err *err)
{
    double sum = 0, number;
    size_t pos = 0;
    if (number_read(text, &pos, &number) && pos == text.len) {
        sum = number * 1000;
    } else {
        for (pos = 0; pos < text.len || pos == 0;) {
            const struct unit *unit = NULL;
            if (number_read(text, &pos, &number))
                unit = unit_read(text, &pos, duration_units, LENGTH_OF(duration_units));
            if (!unit)
                return err_set(
                    err, ERR_INVALID,
                    "'%.*s' is not a duration; write it like 250ms, 5s, 1m30s, 2h or a number of seconds",
                    STR_ARG(text));
            sum += number * unit->factor;
        }
    }
    if (sum > 1e15)
        return err_set(err, ERR_INVALID, "the duration '%.*s' is too long", STR_ARG(text));
    *ms = (int64_t)(sum + 0.5);
    return true;
}

bool size_parse(struct str text, int64_t *bytes, struct err *err)
{
    double number;
    size_t pos = 0;
    if (number_read(text, &pos, &number)) {
        const struct unit *unit =
            pos == text.len ? &size_units[0] : unit_read(text, &pos, size_units, LENGTH_OF(size_units));
        if (unit && pos == text.len && number * unit->factor < 9e18) {
            *bytes = (int64_t)(number * unit->factor);
            return true;
        }
    }
    return err_set(err, ERR_INVALID, "'%.*s' is not a size; write it like 64MiB, 1GB or a number of bytes",
                   STR_ARG(text));
}

void size_print(struct buf *buf, int64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    while (bytes > 0 && bytes % 1024 == 0 && unit + 1 < LENGTH_OF(units)) {
        bytes /= 1024;
        unit++;
    }
    buf_add_int(buf, bytes);
    buf_add_text(buf, units[unit]);
}

void duration_print(struct buf *buf, int64_t ms)
{
    if (ms < 1000)
        buf_add_format(buf, "%dms", (int)ms);
    else if (ms < 60 * 1000)
        buf_add_format(buf, "%d.%ds", (int)(ms / 1000), (int)(ms / 100 % 10));
    else if (ms < 3600 * 1000)
        buf_add_format(buf, "%dm%02ds", (int)(ms / 60000), (int)(ms / 1000 % 60));
    else
        buf_add_format(buf, "%lldh%02dm", (long long)(ms / 3600000), (int)(ms / 60000 % 60));
}
