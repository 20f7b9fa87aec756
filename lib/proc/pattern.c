/* Patterns of paths: `*`, `?` and `[…]` within a name, `**` for any number of folders. */
#include "files_priv.h"

#include <fnmatch.h>
#include <stdlib.h>

static void add_parts(struct pattern *pattern, const char *text)
{
    for (size_t len; *text; text += len + (text[len] == '/')) {
        len = strcspn(text, "/");
        struct str part = {text, len};
        if (len == 0 || str_is(part, "."))
            continue;
        if (str_is(part, "..")) {
            if (pattern->count > 0)
                free(pattern->parts[--pattern->count]);
            continue;
        }
        mem_grow(pattern->parts, pattern->capacity, pattern->count);
        pattern->parts[pattern->count++] = mem_copy(text, len);
    }
}

void pattern_open(struct pattern *pattern, const char *dir, const char *text)
{
    *pattern = (struct pattern){0};
    if (text[0] != '/')
        add_parts(pattern, dir);
    pattern->plain = pattern->count; /* whatever stands in the folder's name */
    add_parts(pattern, text);
    if (pattern->plain > pattern->count)
        pattern->plain = pattern->count;
    while (pattern->plain < pattern->count && !strpbrk(pattern->parts[pattern->plain], "*?[\\"))
        pattern->plain++;
}

void pattern_release(struct pattern *pattern)
{
    for (size_t i = 0; i < pattern->count; i++)
        free(pattern->parts[i]);
    free(pattern->parts);
    *pattern = (struct pattern){0};
}

static bool is_any(const struct pattern *pattern, size_t at)
{
    return at >= pattern->plain && strcmp(pattern->parts[at], "**") == 0;
}

static bool part_fits(const struct pattern *pattern, size_t at, struct str name)
{
    if (at < pattern->plain)
        return str_is(name, pattern->parts[at]);
    AUTO_FREE char *text = mem_copy(name.data, name.len);
    return fnmatch(pattern->parts[at], text, 0) == 0;
}

/* Both ways of looking go through the path name by name, with the set of places in the pattern that they may
 * have reached: patterns with several ** cost no more than others. reached has count + 1 places. */
static void step(const struct pattern *pattern, bool *reached, struct str name)
{
    for (size_t at = pattern->count + 1; at-- > 0;) {
        bool here = reached[at];
        reached[at] = false;
        if (!here)
            continue;
        if (at == pattern->count) {
            reached[at] = true; /* what lies below a match */
        } else if (is_any(pattern, at)) {
            reached[at] = true;
        } else if (part_fits(pattern, at, name)) {
            reached[at + 1] = true;
        }
    }
    for (size_t at = 0; at < pattern->count; at++)
        if (reached[at] && is_any(pattern, at))
            reached[at + 1] = true;
}

static bool *walk(const struct pattern *pattern, const char *path)
{
    bool *reached = mem_array(pattern->count + 1, sizeof *reached);
    reached[0] = true;
    for (size_t at = 0; at < pattern->count && is_any(pattern, at); at++)
        reached[at + 1] = true;
    for (size_t len; *path; path += len + (path[len] == '/')) {
        len = strcspn(path, "/");
        if (len > 0)
            step(pattern, reached, (struct str){path, len});
    }
    return reached;
}

bool pattern_fits(const struct pattern *pattern, const char *path)
{
    AUTO_FREE bool *reached = walk(pattern, path);
    return reached[pattern->count];
}

bool pattern_reaches(const struct pattern *pattern, const char *folder)
{
    AUTO_FREE bool *reached = walk(pattern, folder);
    for (size_t at = 0; at <= pattern->count; at++)
        if (reached[at])
            return true;
    return false;
}

char *pattern_prefix(const struct pattern *pattern, size_t count)
{
    struct buf path = {0};
    for (size_t i = 0; i < count && i < pattern->count; i++) {
        buf_add_char(&path, '/');
        buf_add_text(&path, pattern->parts[i]);
    }
    if (path.len == 0)
        buf_add_char(&path, '/');
    return buf_detach(&path);
}
