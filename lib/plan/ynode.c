/* Nodes: lookup in maps, and the types of YAML 1.2's core schema (YAML 1.2.2, 10.3.2). */
#include "plan_priv.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define INDEX_FROM 16 /* maps of fewer entries are searched from front to back */

bool ynode_is_scalar(const struct node *node)
{
    return node->type != NODE_LIST && node->type != NODE_MAP;
}

bool ynode_is_text(const struct node *node)
{
    return ynode_is_scalar(node) && node->type != NODE_NULL;
}

bool ynode_is_unset(const struct node *node)
{
    return !node || node->type == NODE_NULL;
}

bool ynode_is_false(const struct node *node)
{
    return node && node->type == NODE_BOOL && (node->text.data[0] == 'f' || node->text.data[0] == 'F');
}

const char *ynode_type_name(const struct node *node)
{
    static const char *const names[] = {"null", "true or false", "a number", "a number",
                                        "text", "a list",        "a map"};
    return names[node->type];
}

const struct node_entry *ynode_entry_get(const struct node *map, struct str key)
{
    if (!map || map->type != NODE_MAP)
        return NULL;
    if (map->index) {
        size_t number = (size_t)(uintptr_t)table_get(map->index, key);
        return number ? &map->entries[number - 1] : NULL;
    }
    for (size_t i = 0; i < map->count; i++)
        if (map->entries[i].key && str_equal(map->entries[i].key->text, key))
            return &map->entries[i];
    return NULL;
}

const struct node *ynode_get(const struct node *map, struct str key)
{
    const struct node_entry *entry = ynode_entry_get(map, key);
    return entry ? entry->value : NULL;
}

static void index_add(struct node *map, size_t entry)
{
    table_put(map->index, map->entries[entry].key->text, (void *)(uintptr_t)(entry + 1));
}

void ynode_add(struct plan_memory *memory, struct node *parent, const struct node *key,
               const struct node *value)
{
    if (parent->count == parent->capacity) {
        size_t capacity = parent->capacity ? parent->capacity * 2 : 4;
        struct node_entry *entries = memory_take(memory, capacity * sizeof *entries);
        if (parent->count)
            memcpy(entries, parent->entries, parent->count * sizeof *entries);
        parent->entries = entries;
        parent->capacity = capacity;
    }
    parent->entries[parent->count++] = (struct node_entry){key, value};
    parent->nodes += value->nodes + (key ? 1 : 0);
    parent->bytes += value->bytes + (key ? key->bytes : 0);
    if (parent->height <= value->height)
        parent->height = value->height + 1;
    if (parent->type != NODE_MAP || parent->count < INDEX_FROM)
        return;
    if (!parent->index) {
        parent->index = memory_own_table(memory);
        for (size_t i = 0; i + 1 < parent->count; i++)
            index_add(parent, i);
    }
    index_add(parent, parent->count - 1);
}

struct node *ynode_new(struct plan_memory *memory, enum node_type type, const struct node *place)
{
    struct node *node = memory_take(memory, sizeof *node);
    node->type = type;
    node->nodes = 1;
    if (place) {
        node->source = place->source;
        node->line = place->line;
        node->column = place->column;
    }
    return node;
}

static bool is_one_of(struct str text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_is(text, words[i]))
            return true;
    return false;
}

static size_t skip_digits(struct str text, size_t pos)
{
    while (pos < text.len && isdigit((unsigned char)text.data[pos]))
        pos++;
    return pos;
}

static bool is_based(struct str text, const char *prefix, const char *digits)
{
    if (!str_starts_with(text, str_of(prefix)) || text.len == 2)
        return false;
    for (size_t i = 2; i < text.len; i++)
        if (!text.data[i] || !strchr(digits, text.data[i]))
            return false;
    return true;
}

static size_t skip_sign(struct str text)
{
    return text.len && (text.data[0] == '-' || text.data[0] == '+') ? 1 : 0;
}

static bool is_int(struct str text)
{
    size_t start = skip_sign(text);
    return (start < text.len && skip_digits(text, start) == text.len) || is_based(text, "0o", "01234567") ||
           is_based(text, "0x", "0123456789abcdefABCDEF");
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_decimal(struct str text)
{
    size_t start = skip_sign(text), pos = skip_digits(text, start);
    size_t digits = pos - start;
    if (pos < text.len && text.data[pos] == '.') {
        size_t end = skip_digits(text, pos + 1);
        digits += end - pos - 1;
        pos = end;
    }
    if (digits == 0)
        return false;
    if (pos < text.len && (text.data[pos] == 'e' || text.data[pos] == 'E')) {
        pos++;
        if (pos < text.len && (text.data[pos] == '-' || text.data[pos] == '+'))
            pos++;
        size_t end = skip_digits(text, pos);
        if (end == pos)
            return false;
        pos = end;
    }
    return pos == text.len;
}

static bool is_special_float(struct str text)
{
    static const char *const nan_words[] = {".nan", ".NaN", ".NAN"};
    static const char *const inf_words[] = {".inf", ".Inf", ".INF"};
    size_t start = skip_sign(text);
    return is_one_of(text, nan_words, LENGTH_OF(nan_words)) ||
           is_one_of((struct str){text.data + start, text.len - start}, inf_words, LENGTH_OF(inf_words));
}

enum node_type ynode_resolve(struct str text)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    static const char *const bools[] = {"true", "True", "TRUE", "false", "False", "FALSE"};
    if (is_one_of(text, nulls, LENGTH_OF(nulls)))
        return NODE_NULL;
    if (is_one_of(text, bools, LENGTH_OF(bools)))
        return NODE_BOOL;
    if (is_int(text))
        return NODE_INT;
    return is_decimal(text) || is_special_float(text) ? NODE_FLOAT : NODE_STRING;
}

bool ynode_as_int(const struct node *node, int64_t *number)
{
    if (node->type != NODE_INT)
        return false;
    char *text = mem_copy(node->text.data, node->text.len), *end;
    bool octal = text[0] == '0' && text[1] == 'o', hex = text[0] == '0' && text[1] == 'x';
    errno = 0;
    long long parsed = strtoll(octal || hex ? text + 2 : text, &end, octal ? 8 : hex ? 16 : 10);
    bool fits = errno == 0 && *end == '\0';
    free(text);
    if (fits)
        *number = parsed;
    return fits;
}

bool ynode_as_double(const struct node *node, double *number)
{
    int64_t whole;
    if (ynode_as_int(node, &whole)) {
        *number = (double)whole;
        return true;
    }
    if (node->type != NODE_FLOAT || is_special_float(node->text))
        return false;
    char *text = mem_copy(node->text.data, node->text.len);
    double parsed = strtod(text, NULL);
    free(text);
    if (!isfinite(parsed))
        return false;
    *number = parsed;
    return true;
}
