/* JSON values: immutable, reference-counted, exact.
 * A value under construction (its only reference is the builder's) may be changed with list_push and
 * map_set; from the moment that it is shared, or handed to a list or a map, it never changes. Not safe
 * between threads. */
#ifndef ZPROC_VALUE_H
#define ZPROC_VALUE_H

#include "base.h"

enum value_type { VALUE_NULL, VALUE_BOOL, VALUE_INT, VALUE_DOUBLE, VALUE_STRING, VALUE_LIST, VALUE_MAP };

struct value;

/* Nesting that the parser and pointer_set accept. Printing, comparing and freeing work at any depth; who
 * nests values with list_push or map_set checks value_depth before the result is kept. */
#define VALUE_DEPTH_MAX 512

/* ---- References: every function that returns `struct value *` hands over a reference unless it says
 * "borrowed"; parameters are borrowed unless the function says that it takes them. ---- */
struct value *value_ref(const struct value *value); /* NULL gives NULL */
void value_unref(struct value *value);              /* NULL is fine */
void cleanup_value(struct value **value);
#define AUTO_VALUE __attribute__((cleanup(cleanup_value)))

/* ---- Making ---- */
struct value *value_null(void);
struct value *value_bool(bool b);
struct value *value_int(int64_t i);
/* d must be finite. */
struct value *value_double(double d);
/* s must be valid UTF-8 (the caller checks); the bytes are copied. */
struct value *value_string(struct str s);
struct value *value_list(void);
struct value *value_map(void);
/* Appends; takes item. */
void list_push(struct value *list, struct value *item);
/* Replaces the item at index, which must be there; takes item. */
void list_set(struct value *list, size_t index, struct value *item);
/* Inserts before index (at most the length); takes item. */
void list_insert(struct value *list, size_t index, struct value *item);
/* Removes the item at index, which must be there. */
void list_remove(struct value *list, size_t index);
/* Sets key (copied), at its old place when it is there already; takes item. */
void map_set(struct value *map, struct str key, struct value *item);
/* Removes key, keeps the order of the rest; false when it was not there. */
bool map_remove(struct value *map, struct str key);
/* A shallow copy that may be changed. Of a list or a map only. */
struct value *value_copy(const struct value *value);

/* ---- Reading: of a value of another type these give false, 0, an empty string or NULL ---- */
enum value_type value_type(const struct value *value);
/* "null", "bool", "int", "double", "string", "list", "map" */
const char *value_type_name(const struct value *value);
bool value_as_bool(const struct value *value);
int64_t value_as_int(const struct value *value);
double value_as_double(const struct value *value);  /* of an int too */
struct str value_as_str(const struct value *value); /* borrowed */
/* Number of characters is not meant: bytes of a string, items of a list, entries of a map; else 0. */
size_t value_len(const struct value *value);
struct value *list_at(const struct value *list, size_t index);  /* borrowed; NULL past the end */
struct value *map_get(const struct value *map, struct str key); /* borrowed; NULL when absent */
/* In order of insertion; borrowed; NULL past the end. */
struct value *map_at(const struct value *map, size_t index, struct str *key);
/* null, false, 0, "", [], {} are falsy (state.md, watching). */
bool value_truthy(const struct value *value);
/* Bytes of real memory that the tree takes, overhead included. Shared parts count each time; null and the
 * bools are static and take none. Kept while a value is built, so O(1); stays at SIZE_MAX once it is past. */
size_t value_size(const struct value *value);
/* Nesting: 0 for a scalar, 1 for a flat list. O(1); after an item was replaced or removed it may be more than
 * is there, until the next value_copy. */
size_t value_depth(const struct value *value);

/* ---- Comparing ---- */
/* Type and value are equal; 1 and 1.0 are equal (exactly, over all of int64); maps without order. */
bool value_identical(const struct value *a, const struct value *b);
/* Exact order of two numbers, int or double: -1, 0, 1. */
int value_compare_numbers(const struct value *a, const struct value *b);
/* Printed the same way (1.10 and 1.1 differ, and so do maps in another order). */
bool value_same_text(const struct value *a, const struct value *b);

/* ---- Text ---- */
/* Exactly RFC 8259, UTF-8 only, depth 512. Integers beyond int64 and numbers beyond double are errors
 * (ERR_TOO_LARGE), everything else that is wrong is ERR_INVALID with "… at byte N", counted from 0. Of
 * duplicate keys the last one counts, at the place of the first. A number without fraction and exponent is an
 * int, and a number's spelling is kept: "-0" is the int 0 and prints as "-0". */
struct value *value_parse(struct str text, struct err *err);
/* A member of an object, seen without making a tree of it. */
struct member {
    struct str name; /* good while its member is taken */
    enum value_type type;
    bool lasting;              /* the string stands in the text and lives as long */
    int64_t i;                 /* of an int or (0 or 1) a bool */
    struct str s;              /* of a string; good while its member is taken, unless lasting */
    const struct value *value; /* of a double, a list or a map; borrowed */
};
/* Gives the members of a JSON object to take, in order, duplicates too; ends when take fails. What is wrong
 * behind a member shows only after it was taken. Errors as value_parse's. */
bool object_take(struct str text, bool (*take)(void *ctx, const struct member *member, struct err *err),
                 void *ctx, struct err *err);
/* One line, no spaces, as stored: keys in order of insertion, numbers as spelled, a double with the fewest
 * digits that read back the same (always with '.' or 'e', so that it stays a double: 1.0, 1e+300). Strings
 * escape only what JSON demands (control characters, '"', '\\'). */
void value_print(struct buf *buf, const struct value *value);
/* The fewest digits that read back as d, the nearest of these, with an exponent below 1e-4 and from 1e16 on;
 * d is finite. Returns the length; the text ends with NUL. */
size_t double_print(double d, char out[32]);
/* A JSON string with its quotes. */
void string_print(struct buf *buf, struct str s);

/* ---- JSON Pointer (RFC 6901) ---- */
/* Checks the form: empty, or "/" before each part, ~ only in ~0 and ~1, valid UTF-8. */
bool pointer_valid(struct str pointer, struct err *err);
/* Borrowed; NULL with ERR_NOT_FOUND (a missing part), ERR_TYPE (a part of something that is no list or map)
 * or ERR_INVALID (bad form or list index). "-" is never found. */
struct value *pointer_get(const struct value *root, struct str pointer, struct err *err);
/* A new root in which the place has item (takes it, also on failure). The parent must exist; a map gets or
 * replaces the key, a list replaces an index or appends at "-" (or at its length). The empty pointer replaces
 * the root. root is unchanged. Errors as pointer_get, and ERR_TOO_LARGE for nesting beyond VALUE_DEPTH_MAX.
 */
struct value *pointer_set(const struct value *root, struct str pointer, struct value *item, struct err *err);
/* Like pointer_set, but a list inserts before the index (RFC 6902, add). */
struct value *pointer_add(const struct value *root, struct str pointer, struct value *item, struct err *err);
/* A new root without the place, which must exist. The empty pointer is ERR_INVALID. */
struct value *pointer_remove(const struct value *root, struct str pointer, struct err *err);

/* Many edits of one root that the caller owns: lists and maps on the way that nobody else refers to are
 * changed in place, others are copied first. */
enum edit_how { EDIT_SET, EDIT_ADD, EDIT_REMOVE }; /* pointer_set, pointer_add, pointer_remove */
struct edit_work {
    int64_t left; /* items that may still be copied; one counts as much as eight that are moved */
    bool loose;   /* depths may be more than is there, until value_settle */
};
/* Takes item (NULL to remove). On failure the root is good for nothing but value_unref; the errors are those
 * of the functions above, and ERR_TOO_LARGE when the work is used up. */
bool pointer_edit(struct value **root, enum edit_how how, struct str pointer, struct value *item,
                  struct edit_work *work, struct err *err);
/* Counts the work of something else; false with ERR_TOO_LARGE when it is used up. */
bool work_spend(struct edit_work *work, size_t items, struct err *err);
/* Makes the depths of lists and maps that nobody else refers to exact again. */
void value_settle(struct value *value);

#endif
