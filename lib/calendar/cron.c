/* Reads a line of cron. */
#include "calendar_priv.h"

#include <ctype.h>
#include <strings.h>

struct part {
    const char *name;
    int low, high;
    const char *const *names; /* of low and those that follow; NULL: none */
};

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};
enum { PART_MINUTE, PART_HOUR, PART_DAY, PART_MONTH, PART_WEEKDAY, PARTS };
static const struct part parts[PARTS] = {
    [PART_MINUTE] = {"minute", 0, 59, NULL},        [PART_HOUR] = {"hour", 0, 23, NULL},
    [PART_DAY] = {"day of the month", 1, 31, NULL}, [PART_MONTH] = {"month", 1, 12, month_names},
    [PART_WEEKDAY] = {"weekday", 0, 7, day_names},
};

static bool number_read(struct str text, int *out)
{
    *out = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || i > 3)
            return false;
        *out = *out * 10 + (text.data[i] - '0');
    }
    return text.len > 0;
}

static bool place_read(const struct part *part, struct str text, int *out, struct err *err)
{
    for (int i = 0; part->names && part->names[i]; i++) {
        *out = part->low + i;
        if (text.len == 3 && strncasecmp(text.data, part->names[i], 3) == 0)
            return true;
    }
    if (number_read(text, out) && *out >= part->low && *out <= part->high)
        return true;
    return err_set(err, ERR_INVALID, "'%.*s' is not a %s: write %d to %d%s", STR_ARG(text), part->name,
                   part->low, part->high, part->names ? ", or the first three letters of its name" : "");
}

/* The index of c in text, its length where there is none. */
static size_t index_of(struct str text, char c)
{
    const char *found = text.len ? memchr(text.data, c, text.len) : NULL;
    return found ? (size_t)(found - text.data) : text.len;
}

static struct str behind(struct str text, size_t at)
{
    return at < text.len ? (struct str){text.data + at + 1, text.len - at - 1} : (struct str){text.data, 0};
}

static bool range_read(const struct part *part, struct str text, int *low, int *high, struct err *err)
{
    size_t dash = index_of(text, '-');
    if (!place_read(part, (struct str){text.data, dash}, low, err))
        return false;
    *high = *low;
    if (dash == text.len)
        return true;
    if (!place_read(part, behind(text, dash), high, err))
        return false;
    if (part == &parts[PART_WEEKDAY] && *high == 0 && *low > 0)
        *high = 7; /* fri-sun */
    return *low <= *high || err_set(err, ERR_INVALID,
                                    "the range '%.*s' goes backwards; write two with a comma", STR_ARG(text));
}

/* "*", "5", "1-5", "*" or a range with "/2" */
static bool item_read(const struct part *part, struct str text, uint64_t *bits, struct err *err)
{
    size_t slash = index_of(text, '/');
    struct str range = {text.data, slash};
    int low = part->low, high = part == &parts[PART_WEEKDAY] ? 6 : part->high, step = 1;
    bool star = str_is(range, "*");
    if (!star && !range_read(part, range, &low, &high, err))
        return false;
    if (slash < text.len && (!number_read(behind(text, slash), &step) || step == 0))
        return err_set(err, ERR_INVALID, "'%.*s' has no step; write a number from 1 on behind the '/'",
                       STR_ARG(text));
    if (slash < text.len && !star && index_of(range, '-') == range.len)
        return err_set(err, ERR_INVALID, "'%.*s' is a step without a range; write %d-%d/%d", STR_ARG(text),
                       low, part->high, step);
    for (int i = low; i <= high; i += step)
        *bits |= (uint64_t)1 << i;
    return true;
}

static bool part_read(const struct part *part, struct str text, uint64_t *bits, struct err *err)
{
    *bits = 0;
    for (struct str rest = text;;) {
        size_t comma = index_of(rest, ',');
        if (!item_read(part, (struct str){rest.data, comma}, bits, err))
            return err_wrap(err, "the %s", part->name);
        if (comma == rest.len)
            return true;
        rest = behind(rest, comma);
    }
}

/* Up to count words; how many there are. */
static size_t words_split(struct str text, struct str *words, size_t count)
{
    size_t found = 0;
    for (size_t i = 0; i < text.len;) {
        size_t start = i;
        while (i < text.len && !isspace((unsigned char)text.data[i]))
            i++;
        if (i > start && found++ < count)
            words[found - 1] = (struct str){text.data + start, i - start};
        while (i < text.len && isspace((unsigned char)text.data[i]))
            i++;
    }
    return found;
}

static bool fields_read(struct str text, struct cron *cron, struct err *err)
{
    struct str words[PARTS];
    uint64_t bits[PARTS];
    size_t count = words_split(text, words, PARTS);
    if (count != PARTS)
        return err_set(err, ERR_INVALID,
                       "%zu fields, cron has 5: minute, hour, day of the month, month and weekday%s", count,
                       count == 6 ? "; there is none for seconds (see 'every')" : "");
    for (size_t i = 0; i < PARTS; i++)
        if (!part_read(&parts[i], words[i], &bits[i], err))
            return false;
    *cron = (struct cron){
        .minutes = bits[PART_MINUTE],
        .hours = (uint32_t)bits[PART_HOUR],
        .days = (uint32_t)bits[PART_DAY],
        .months = (uint32_t)bits[PART_MONTH],
        .weekdays = (uint8_t)((bits[PART_WEEKDAY] | bits[PART_WEEKDAY] >> 7) & 0x7f),
        .either_day = words[PART_DAY].data[0] != '*' && words[PART_WEEKDAY].data[0] != '*',
    };
    return true;
}

static bool comes_at_all(const struct cron *cron)
{
    const struct zone utc = {.first = 0};
    return cron_next(cron, &utc, 946684800000) >= 0; /* 2000-01-01 */
}

bool cron_parse(struct str text, struct cron *cron, struct err *err)
{
    static const struct {
        const char *name, *fields;
    } macros[] = {
        {"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
        {"@weekly", "0 0 * * 0"},   {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
        {"@annually", "0 0 1 1 *"},
    };
    struct str word = {0}, fields = text;
    bool single = words_split(text, &word, 1) == 1;
    if (single && word.data[0] == '@') {
        fields.data = NULL;
        for (size_t i = 0; i < LENGTH_OF(macros); i++)
            if (str_is(word, macros[i].name))
                fields = str_of(macros[i].fields);
        if (!fields.data)
            return err_set(err, ERR_INVALID,
                           "no '%.*s'; there are @hourly, @daily, @weekly, @monthly and @yearly",
                           STR_ARG(word));
    }
    if (!fields_read(fields, cron, err))
        return false;
    return comes_at_all(cron) ||
           err_set(err, ERR_INVALID, "'%.*s' never comes: no such month has that day", STR_ARG(text));
}
