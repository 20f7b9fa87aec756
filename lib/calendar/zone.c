/* Time zones as tables of shifts: TZif files (RFC 8536) with the rule at their end, which stands for what
 * comes after the table. */
#include "calendar_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define ZONE_BYTES_MAX (256 * 1024)
#define HEADER_BYTES   44

struct counts {
    uint32_t utc, standard, leaps, times, types, chars;
};

void zone_free(struct zone *zone)
{
    if (zone)
        free(zone->shifts);
    free(zone);
}

void zone_shift(struct zone *zone, int64_t at, int64_t offset)
{
    if (zone->count > 0 && zone->shifts[zone->count - 1].at >= at)
        return;
    mem_grow(zone->shifts, zone->capacity, zone->count);
    zone->shifts[zone->count++] = (struct shift){at, offset};
}

size_t zone_shifts_until(const struct zone *zone, int64_t at)
{
    size_t low = 0, high = zone->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (zone->shifts[middle].at <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int64_t zone_offset(const struct zone *zone, int64_t at)
{
    size_t count = zone_shifts_until(zone, at);
    return count > 0 ? zone->shifts[count - 1].offset : zone->first;
}

/* ---- TZif ---- */

static int64_t number_at(const char *bytes, size_t size)
{
    uint64_t number = (bytes[0] & 0x80) && size == 4 ? UINT32_MAX : 0;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | (unsigned char)bytes[i];
    return (int64_t)number;
}

static bool header_read(struct str bytes, struct counts *counts)
{
    if (bytes.len < HEADER_BYTES || memcmp(bytes.data, "TZif", 4) != 0)
        return false;
    uint32_t *fields[] = {&counts->utc,   &counts->standard, &counts->leaps,
                          &counts->times, &counts->types,    &counts->chars};
    for (size_t i = 0; i < LENGTH_OF(fields); i++)
        *fields[i] = (uint32_t)number_at(bytes.data + 20 + 4 * i, 4);
    for (size_t i = 0; i < LENGTH_OF(fields); i++)
        if (*fields[i] > ZONE_BYTES_MAX)
            return false;
    return counts->types > 0;
}

static size_t body_size(const struct counts *counts, size_t time_size)
{
    return counts->times * (time_size + 1) + (size_t)counts->types * 6 + counts->chars +
           counts->leaps * (time_size + 4) + counts->standard + counts->utc;
}

static bool body_read(struct zone *zone, const char *body, const struct counts *counts, size_t time_size)
{
    const char *kinds = body + counts->times * time_size, *types = kinds + counts->times;
    zone->first = number_at(types, 4);
    for (uint32_t i = 0; i < counts->times; i++) {
        unsigned char kind = (unsigned char)kinds[i];
        if (kind >= counts->types)
            return false;
        zone_shift(zone, number_at(body + i * time_size, time_size), number_at(types + 6 * kind, 4));
    }
    return true;
}

/* The year from which on the rule holds: that of the last shift. */
static int64_t rule_year(const struct zone *zone)
{
    if (zone->count == 0)
        return 1970;
    int64_t year = date_of(floor_div(zone->shifts[zone->count - 1].at, DAY_S)).year;
    return year < 1900 ? 1900 : year;
}

static bool footer_read(struct zone *zone, struct str rest, struct err *err)
{
    if (rest.len < 2 || rest.data[0] != '\n')
        return true;
    const char *end = memchr(rest.data + 1, '\n', rest.len - 1);
    if (!end || end == rest.data + 1)
        return true;
    return rule_apply(zone, (struct str){rest.data + 1, (size_t)(end - rest.data) - 1}, rule_year(zone), err);
}

static bool zone_fill(struct zone *zone, struct str bytes, struct err *err)
{
    struct counts counts;
    size_t time_size = 4;
    bool good = header_read(bytes, &counts);
    if (good && bytes.data[4] >= '2') { /* behind the table in 32 bits stands the same in 64 */
        size_t skip = HEADER_BYTES + body_size(&counts, 4);
        bytes = skip < bytes.len ? (struct str){bytes.data + skip, bytes.len - skip} : STR("");
        good = header_read(bytes, &counts);
        time_size = 8;
    }
    size_t size = good ? HEADER_BYTES + body_size(&counts, time_size) : 0;
    if (!good || size > bytes.len || !body_read(zone, bytes.data + HEADER_BYTES, &counts, time_size))
        return err_set(err, ERR_INVALID, "not a table of a time zone (TZif)");
    return time_size == 4 || footer_read(zone, (struct str){bytes.data + size, bytes.len - size}, err);
}

struct zone *zone_parse(struct str bytes, struct err *err)
{
    struct zone *zone = mem_new(sizeof *zone);
    if (zone_fill(zone, bytes, err))
        return zone;
    zone_free(zone);
    return NULL;
}

struct zone *zone_parse_rule(struct str rule, struct err *err)
{
    struct zone *zone = mem_new(sizeof *zone);
    if (rule_apply(zone, rule, 1970, err))
        return zone;
    zone_free(zone);
    return NULL;
}

/* ---- Finding it ---- */

static const char *database(void)
{
    const char *folder = getenv("TZDIR");
    return folder && folder[0] == '/' ? folder : "/usr/share/zoneinfo";
}

static bool is_name(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
    return name[0] && name[0] != '/' && strspn(name, allowed) == strlen(name);
}

static struct zone *file_read_zone(const char *path, struct err *err)
{
    AUTO_BUF struct buf bytes = {0};
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) {
        err_set(err, ERR_NOT_FOUND, "no file '%s'", path);
        return NULL;
    }
    return file_read(path, ZONE_BYTES_MAX, &bytes, err) ? zone_parse(buf_str(&bytes), err) : NULL;
}

static struct zone *named(const char *name, struct err *err)
{
    AUTO_FREE char *path = mem_format("%s/%s", database(), name);
    struct zone *zone = is_name(name) ? file_read_zone(path, err) : NULL;
    if (!zone && (!is_name(name) || err->code == ERR_NOT_FOUND))
        err_set(err, ERR_NOT_FOUND, "no time zone '%s' in %s; write a name like Europe/Berlin, or UTC", name,
                database());
    return zone;
}

/* As the C library reads TZ; what it cannot read is UTC there too. */
static struct zone *local(void)
{
    struct err err = {0};
    const char *name = getenv("TZ");
    struct zone *zone = NULL;
    if (!name)
        zone = file_read_zone("/etc/localtime", &err);
    else if (name[0])
        name += name[0] == ':';
    if (name && name[0] == '/')
        zone = file_read_zone(name, &err);
    else if (name && name[0] && !(zone = named(name, &err)))
        zone = zone_parse_rule(str_of(name), &err);
    return zone ? zone : mem_new(sizeof *zone);
}

struct zone *zone_read(const char *name, struct err *err)
{
    struct err ignored = {0};
    if (!name)
        return local();
    struct zone *zone = named(name, err ? err : &ignored);
    return zone || strcmp(name, "UTC") != 0 ? zone : mem_new(sizeof *zone);
}
