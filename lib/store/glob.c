/* Patterns of keys: * any text, ? one character, [a-z] and [!a-z] one of a set, \ takes the next character
 * as it stands. Time is at most the key's length times the pattern's. */
#include "store_priv.h"

#define GLOB_MAX 255

/* Where the set that begins at `open` (a '[') ends: index of its ']', or the pattern's length. A ']' that
 * comes first belongs to the set. */
static size_t set_end(struct str pattern, size_t open)
{
    size_t i = open + 1;
    if (i < pattern.len && (pattern.data[i] == '!' || pattern.data[i] == '^'))
        i++;
    for (size_t first = i; i < pattern.len; i++) {
        if (pattern.data[i] == ']' && i > first)
            return i;
        if (pattern.data[i] == '\\')
            i++;
    }
    return pattern.len;
}

bool glob_check(struct str pattern, struct err *err)
{
    if (pattern.len > GLOB_MAX)
        return err_set(err, ERR_TOO_LARGE, "a glob has at most %d bytes, this one has %zu", GLOB_MAX,
                       pattern.len);
    for (size_t i = 0; i < pattern.len; i++) {
        bool escape = pattern.data[i] == '\\';
        if (escape && ++i == pattern.len)
            return err_set(err, ERR_INVALID,
                           "the glob '%.*s' ends in a backslash; write \\\\ for one as it stands",
                           STR_ARG(pattern));
        if (!escape && pattern.data[i] == '[' && (i = set_end(pattern, i)) == pattern.len)
            return err_set(err, ERR_INVALID,
                           "the glob '%.*s' has a '[' without a ']'; write \\[ for one as it stands",
                           STR_ARG(pattern));
    }
    return true;
}

/* A character of a set, which may stand behind a backslash. */
static uint32_t set_character(struct str pattern, size_t *at)
{
    if (pattern.data[*at] == '\\')
        ++*at;
    return utf8_next(pattern, at);
}

static bool set_has(struct str set, uint32_t character)
{
    bool found = false;
    for (size_t at = 0; at < set.len;) {
        uint32_t low = set_character(set, &at), high = low;
        if (at + 1 < set.len && set.data[at] == '-') {
            at++;
            high = set_character(set, &at);
        }
        found |= low <= character && character <= high;
    }
    return found;
}

/* One character of the text against what stands at *at in the pattern, which is no '*'. */
static bool one_matches(struct str pattern, size_t *at, uint32_t character)
{
    if (pattern.data[*at] == '?') {
        ++*at;
        return true;
    }
    if (pattern.data[*at] == '[') {
        size_t end = set_end(pattern, *at), from = *at + 1;
        bool other = pattern.data[from] == '!' || pattern.data[from] == '^';
        from += other;
        *at = end + 1;
        return set_has((struct str){pattern.data + from, end - from}, character) != other;
    }
    return set_character(pattern, at) == character;
}

bool glob_match(struct str pattern, struct str text)
{
    size_t at = 0, pos = 0;
    size_t star = SIZE_MAX,
           resume = 0; /* behind the last '*', and where what it stands for ends at present */
    while (pos < text.len) {
        if (at < pattern.len && pattern.data[at] == '*') {
            star = ++at;
            resume = pos;
            continue;
        }
        size_t next = pos;
        uint32_t character = utf8_next(text, &next);
        if (at < pattern.len && one_matches(pattern, &at, character)) {
            pos = next;
            continue;
        }
        if (star == SIZE_MAX)
            return false;
        at = star;
        utf8_next(text, &resume);
        pos = resume;
    }
    while (at < pattern.len && pattern.data[at] == '*')
        at++;
    return at == pattern.len;
}
