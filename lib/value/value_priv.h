/* How values lie in memory: one allocation for a scalar (bytes inline), a header and an array for a list,
 * a header, entries and from 9 entries on a hash index for a map. */
#ifndef ZPROC_VALUE_PRIV_H
#define ZPROC_VALUE_PRIV_H

#include "value.h"

/* A count that is never changed: of static values, and of one that so many would share. */
#define REFS_IMMORTAL UINT32_MAX

struct value {
    uint32_t refs;
    uint8_t type;
    bool flag; /* a bool's value; of a number: its spelling is kept */
    uint16_t depth;
};

struct number {
    struct value head;
    union {
        int64_t i;
        double d;
    };
    char spelling[]; /* NUL-terminated, only when head.flag */
};

struct string {
    struct value head;
    size_t len;
    char data[]; /* NUL-terminated */
};

/* What lists and maps begin with. */
struct container {
    struct value head;
    size_t count;
    union {
        size_t capacity;
        struct container *next_dead; /* while it is being freed */
    };
    size_t content; /* value_size of all that is inside */
};

struct list {
    struct container base;
    struct value **items;
};

struct map_entry {
    struct value *key; /* a string; copies of a map share it */
    struct value *item;
};

struct map_slot {
    uint32_t hash;
    uint32_t place; /* index of the entry + 1; 0 when free */
};

struct map {
    struct container base;
    struct map_entry *entries;
    struct map_slot *slots; /* NULL for a small map */
    size_t slot_count;      /* a power of two */
};

static inline struct number *as_number(const struct value *value)
{
    return (struct number *)value;
}
static inline struct string *as_string(const struct value *value)
{
    return (struct string *)value;
}
static inline struct container *as_container(const struct value *value)
{
    return (struct container *)value;
}
static inline struct list *as_list(const struct value *value)
{
    return (struct list *)value;
}
static inline struct map *as_map(const struct value *value)
{
    return (struct map *)value;
}
static inline bool is_container(const struct value *value)
{
    return value->type >= VALUE_LIST;
}
static inline bool is_number(const struct value *value)
{
    return value->type == VALUE_INT || value->type == VALUE_DOUBLE;
}
static inline struct str string_str(const struct value *value)
{
    return (struct str){as_string(value)->data, as_string(value)->len};
}

/* What an allocation of size bytes takes from a malloc with a word of overhead and 16-byte steps. */
static inline size_t real_size(size_t size)
{
    return size <= 24 ? 32 : (size + 8 + 15) & ~(size_t)15;
}

/* A new value of size bytes with one reference; what is behind the header is not set. */
void *value_new(enum value_type type, size_t size);
/* Drops one reference; true when it was the last, and then the caller frees the value. */
static inline bool value_drop(struct value *value)
{
    return value->refs != REFS_IMMORTAL && --value->refs == 0;
}

/* Keep content and depth right when an item or a key comes in, and content when one goes out. */
void container_gain(struct container *c, const struct value *item);
void container_lose(struct container *c, const struct value *item);
/* Room for one more: the capacity to grow to. */
size_t container_grown(const struct container *c);
/* Gives unused room back; parsers call it when a list or a map is complete. */
void container_trim(struct value *value);
/* Counts depth and content anew, which makes the depth exact again. */
void container_measure(struct value *value);

/* Where the item of a key stands; NULL when it is absent. */
struct value **map_place(struct value *map, struct str key);
/* Takes key (a string) and item. */
void map_put(struct value *map, struct value *key, struct value *item);

/* A number with its spelling (len bytes, already checked to be JSON's); the caller sets i or d. */
struct number *number_spelled(enum value_type type, const char *spelling, size_t len);
/* A number as value_print writes it; room is used when the spelling is not kept. */
struct str number_text(const struct value *value, char room[32]);

/* How many bytes at the start of s need no escape in a JSON string: no control character, '"' or '\\'. */
size_t plain_length(struct str s);

#endif
