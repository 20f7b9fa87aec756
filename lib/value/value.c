/* Values as such: making and freeing, type, size and depth, copies. */
#include "value_priv.h"

#include <stdlib.h>

static const struct value null_value = {.refs = REFS_IMMORTAL, .type = VALUE_NULL};
static const struct value bool_values[2] = {
    {.refs = REFS_IMMORTAL, .type = VALUE_BOOL, .flag = false},
    {.refs = REFS_IMMORTAL, .type = VALUE_BOOL, .flag = true},
};

/* ---- References ---- */

void *value_new(enum value_type type, size_t size)
{
    struct value *value = mem_resize(NULL, 1, size);
    *value = (struct value){.refs = 1, .type = (uint8_t)type};
    return value;
}

struct value *value_ref(const struct value *value)
{
    if (!value)
        return NULL;
    struct value *shared = (struct value *)value;
    if (shared->refs != REFS_IMMORTAL)
        shared->refs++;
    return shared;
}

/* The dead wait in a chain through their own memory, so that depth needs no stack. */
static void item_unref(struct value *item, struct container **dead)
{
    if (!value_drop(item))
        return;
    if (!is_container(item)) {
        free(item);
        return;
    }
    as_container(item)->next_dead = *dead;
    *dead = as_container(item);
}

static void container_free(struct container *c, struct container **dead)
{
    if (c->head.type == VALUE_LIST) {
        struct list *list = (struct list *)c;
        for (size_t i = 0; i < c->count; i++)
            item_unref(list->items[i], dead);
        free(list->items);
    } else {
        struct map *map = (struct map *)c;
        for (size_t i = 0; i < c->count; i++) {
            item_unref(map->entries[i].key, dead);
            item_unref(map->entries[i].item, dead);
        }
        free(map->entries);
        free(map->slots);
    }
    free(c);
}

void value_unref(struct value *value)
{
    if (!value)
        return;
    struct container *dead = NULL;
    item_unref(value, &dead);
    while (dead) {
        struct container *c = dead;
        dead = c->next_dead;
        container_free(c, &dead);
    }
}

void cleanup_value(struct value **value)
{
    value_unref(*value);
}

/* ---- Scalars ---- */

struct value *value_null(void)
{
    return (struct value *)&null_value;
}

struct value *value_bool(bool b)
{
    return (struct value *)&bool_values[b];
}

struct value *value_int(int64_t i)
{
    struct number *number = value_new(VALUE_INT, sizeof *number);
    number->i = i;
    return &number->head;
}

struct value *value_double(double d)
{
    struct number *number = value_new(VALUE_DOUBLE, sizeof *number);
    number->d = d;
    return &number->head;
}

struct value *value_string(struct str s)
{
    struct string *string = value_new(VALUE_STRING, sizeof *string + s.len + 1);
    string->len = s.len;
    if (s.len)
        memcpy(string->data, s.data, s.len);
    string->data[s.len] = '\0';
    return &string->head;
}

/* ---- Containers ---- */

static size_t size_add(size_t a, size_t b)
{
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

void container_gain(struct container *c, const struct value *item)
{
    c->content = size_add(c->content, value_size(item));
    size_t depth = (size_t)item->depth + 1;
    if (depth > c->head.depth)
        c->head.depth = depth < UINT16_MAX ? (uint16_t)depth : UINT16_MAX;
}

void container_lose(struct container *c, const struct value *item)
{
    if (c->content != SIZE_MAX)
        c->content -= value_size(item);
}

size_t container_grown(const struct container *c)
{
    return c->capacity ? c->capacity + c->capacity / 2 + 1 : 4;
}

void container_trim(struct value *value)
{
    struct container *c = as_container(value);
    if (c->count == c->capacity || c->count == 0)
        return;
    if (value->type == VALUE_LIST)
        as_list(value)->items = mem_resize(as_list(value)->items, c->count, sizeof(struct value *));
    else
        as_map(value)->entries = mem_resize(as_map(value)->entries, c->count, sizeof(struct map_entry));
    c->capacity = c->count;
}

void container_measure(struct value *value)
{
    struct container *c = as_container(value);
    c->content = 0;
    value->depth = 1;
    for (size_t i = 0; i < c->count; i++) {
        if (value->type == VALUE_LIST) {
            container_gain(c, as_list(value)->items[i]);
        } else {
            container_gain(c, as_map(value)->entries[i].key);
            container_gain(c, as_map(value)->entries[i].item);
        }
    }
}

static void list_copy_items(struct list *copy, const struct list *list)
{
    for (size_t i = 0; i < copy->base.count; i++)
        copy->items[i] = value_ref(list->items[i]);
}

static void map_copy_entries(struct map *copy, const struct map *map)
{
    for (size_t i = 0; i < copy->base.count; i++)
        copy->entries[i] =
            (struct map_entry){value_ref(map->entries[i].key), value_ref(map->entries[i].item)};
    if (map->slots) {
        copy->slots = mem_resize(NULL, map->slot_count, sizeof *copy->slots);
        memcpy(copy->slots, map->slots, map->slot_count * sizeof *copy->slots);
        copy->slot_count = map->slot_count;
    }
}

struct value *value_copy(const struct value *value)
{
    /* One more than there are: the usual reason for a copy is to add something. */
    size_t count = as_container(value)->count, capacity = count + 1;
    struct value *copy = value->type == VALUE_LIST ? value_list() : value_map();
    as_container(copy)->count = count;
    as_container(copy)->capacity = capacity;
    if (value->type == VALUE_LIST) {
        as_list(copy)->items = mem_resize(NULL, capacity, sizeof(struct value *));
        list_copy_items(as_list(copy), as_list(value));
    } else {
        as_map(copy)->entries = mem_resize(NULL, capacity, sizeof(struct map_entry));
        map_copy_entries(as_map(copy), as_map(value));
    }
    container_measure(copy);
    return copy;
}

/* ---- Reading ---- */

enum value_type value_type(const struct value *value)
{
    return (enum value_type)value->type;
}

const char *value_type_name(const struct value *value)
{
    static const char *const names[] = {
        [VALUE_NULL] = "null",     [VALUE_BOOL] = "bool", [VALUE_INT] = "int", [VALUE_DOUBLE] = "double",
        [VALUE_STRING] = "string", [VALUE_LIST] = "list", [VALUE_MAP] = "map",
    };
    return names[value->type];
}

bool value_as_bool(const struct value *value)
{
    return value->type == VALUE_BOOL && value->flag;
}

int64_t value_as_int(const struct value *value)
{
    return value->type == VALUE_INT ? as_number(value)->i : 0;
}

double value_as_double(const struct value *value)
{
    if (value->type == VALUE_INT)
        return (double)as_number(value)->i;
    return value->type == VALUE_DOUBLE ? as_number(value)->d : 0;
}

struct str value_as_str(const struct value *value)
{
    return value->type == VALUE_STRING ? string_str(value) : STR("");
}

size_t value_len(const struct value *value)
{
    if (value->type == VALUE_STRING)
        return as_string(value)->len;
    return is_container(value) ? as_container(value)->count : 0;
}

bool value_truthy(const struct value *value)
{
    switch ((enum value_type)value->type) {
    case VALUE_NULL:
        return false;
    case VALUE_BOOL:
        return value->flag;
    case VALUE_INT:
        return as_number(value)->i != 0;
    case VALUE_DOUBLE:
        return as_number(value)->d != 0;
    case VALUE_STRING:
    case VALUE_LIST:
    case VALUE_MAP:
        break;
    }
    return value_len(value) > 0;
}

static size_t array_size(size_t count, size_t size)
{
    return count ? real_size(count * size) : 0;
}

size_t value_size(const struct value *value)
{
    size_t own = 0;
    switch ((enum value_type)value->type) {
    case VALUE_NULL:
    case VALUE_BOOL:
        return 0;
    case VALUE_INT:
    case VALUE_DOUBLE:
        return real_size(sizeof(struct number) + (value->flag ? strlen(as_number(value)->spelling) + 1 : 0));
    case VALUE_STRING:
        return real_size(sizeof(struct string) + as_string(value)->len + 1);
    case VALUE_LIST:
        own = real_size(sizeof(struct list)) +
              array_size(as_container(value)->capacity, sizeof(struct value *));
        break;
    case VALUE_MAP:
        own = real_size(sizeof(struct map)) +
              array_size(as_container(value)->capacity, sizeof(struct map_entry)) +
              array_size(as_map(value)->slot_count, sizeof(struct map_slot));
        break;
    }
    return size_add(own, as_container(value)->content);
}

size_t value_depth(const struct value *value)
{
    return value->depth;
}
