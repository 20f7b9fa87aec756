/* What every other folder builds on: errors, memory, buffers, strings, tables, time, descriptors.
 * Nothing here knows of JSON, sockets or processes. */
#ifndef ZPROC_BASE_H
#define ZPROC_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define LENGTH_OF(array)       (sizeof(array) / sizeof((array)[0]))

/* ---- Errors ------------------------------------------------------------------------------------ */

/* Every failure has one of these codes: X(code, name on the wire, exit status of a command). */
#define ERR_CODES(X)                                                                                         \
    X(ERR_NONE, "none", 0)                                                                                   \
    X(ERR_NOT_FOUND, "not_found", 1)                                                                         \
    X(ERR_CONFLICT, "conflict", 1)                                                                           \
    X(ERR_TYPE, "type", 1)                                                                                   \
    X(ERR_INVALID, "invalid", 2)                                                                             \
    X(ERR_TOO_LARGE, "too_large", 2)                                                                         \
    X(ERR_UNSUPPORTED, "unsupported", 2)                                                                     \
    X(ERR_DENIED, "denied", 2)                                                                               \
    X(ERR_UNREACHABLE, "unreachable", 3)                                                                     \
    X(ERR_KEY_REJECTED, "key_rejected", 4)                                                                   \
    X(ERR_LOST, "lost", 5)                                                                                   \
    X(ERR_TIMEOUT, "timeout", 124)                                                                           \
    X(ERR_BUSY, "busy", 125)                                                                                 \
    X(ERR_LOCKED, "locked", 125)                                                                             \
    X(ERR_INTERNAL, "internal", 125)

enum err_code {
#define X(code, name, status) code,
    ERR_CODES(X)
#undef X
};

/* An error object is the last parameter of whatever can fail; a function that fails fills it and
 * returns false or NULL. The message is one plain sentence part: lower case, no full stop. It is valid UTF-8
 * whatever it quotes ('?' stands for a byte that is not). */
struct err {
    enum err_code code;
    char message[1000];
};

/* Fills err (which may be NULL) and returns false, so that `return err_set(…)` reads well. */
bool err_set(struct err *err, enum err_code code, const char *format, ...) PRINTF_LIKE(3, 4);
/* Like err_set with ERR_INTERNAL and ": strerror(number)" appended. */
bool err_errno(struct err *err, int number, const char *format, ...) PRINTF_LIKE(3, 4);
/* Puts "context: " before the message; returns false. */
bool err_wrap(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);
const char *err_code_name(enum err_code code);
/* ERR_INTERNAL for a name that is not known. */
enum err_code err_code_from_name(const char *name);
/* The exit status of a command that fails with this code. */
int err_code_status(enum err_code code);

/* ---- Memory ------------------------------------------------------------------------------------ */

/* These never return NULL: when memory runs out the process says so on stderr and exits with 125.
 * Memory is zeroed. Sizes that users control are bounded before they come here. */
void *mem_new(size_t size);
void *mem_array(size_t count, size_t size);
/* Grows or shrinks; new bytes are not zeroed. mem_resize(NULL, n, s) allocates. */
void *mem_resize(void *memory, size_t count, size_t size);
/* Owned copies, NUL-terminated. */
char *mem_text(const char *text);
char *mem_copy(const void *data, size_t len);
char *mem_format(const char *format, ...) PRINTF_LIKE(1, 2);

/* Makes room for one more element in a growing array: array, its capacity and its count. */
#define mem_grow(array, capacity, count)                                                                     \
    do {                                                                                                     \
        if ((count) >= (capacity)) {                                                                         \
            (capacity) = (capacity) ? (capacity)*2 : 8;                                                      \
            (array) = mem_resize((array), (capacity), sizeof *(array));                                      \
        }                                                                                                    \
    } while (0)

/* ---- Strings ----------------------------------------------------------------------------------- */

/* A view of bytes that somebody else owns; not NUL-terminated. */
struct str {
    const char *data;
    size_t len;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
/* For printf's %.*s */
#define STR_ARG(s) ((int)((s).len > 200 ? 200 : (s).len)), (s).data

static inline struct str str_of(const char *text)
{
    return (struct str){text, text ? strlen(text) : 0};
}
static inline bool str_equal(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}
static inline bool str_is(struct str a, const char *text)
{
    return str_equal(a, str_of(text));
}
bool str_starts_with(struct str s, struct str prefix);
bool str_ends_with(struct str s, struct str suffix);
/* Byte order: <0, 0, >0. */
int str_compare(struct str a, struct str b);
/* Index of needle in s, or -1. */
ptrdiff_t str_find(struct str s, struct str needle);
/* SipHash-1-3, seeded once a process from the kernel's random bytes (AT_RANDOM). */
uint64_t str_hash(struct str s);
/* The candidate that a mistyped name most likely means, or NULL when none is near. */
const char *str_nearest(struct str name, const char *const *candidates, size_t count);

/* Whole text is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool utf8_valid(struct str s);
/* Decodes the character at *pos and moves *pos behind it; a byte that begins none stands for itself. */
uint32_t utf8_next(struct str s, size_t *pos);
/* Decimal digits; returns how many bytes. */
size_t int_print(int64_t i, char out[20]);
/* Writes up to 4 bytes, returns how many. */
size_t utf8_encode(uint32_t code, char out[4]);

/* ---- Buffers ----------------------------------------------------------------------------------- */

/* Growing bytes. {0} is an empty buffer; data is NUL-terminated once anything was added. */
struct buf {
    char *data;
    size_t len, capacity;
};

void buf_add(struct buf *buf, const void *data, size_t len);
void buf_add_str(struct buf *buf, struct str s);
void buf_add_text(struct buf *buf, const char *text);
void buf_add_char(struct buf *buf, char c);
void buf_add_int(struct buf *buf, int64_t i);
void buf_add_format(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_add_vformat(struct buf *buf, const char *format, va_list args);
/* Makes room for len more bytes and returns where they go; buf_commit says how many were written. */
char *buf_reserve(struct buf *buf, size_t len);
void buf_commit(struct buf *buf, size_t len);
/* Removes bytes from the front. */
void buf_consume(struct buf *buf, size_t len);
/* Empties it, keeps the memory. */
void buf_clear(struct buf *buf);
void buf_release(struct buf *buf);
/* Hands the bytes (NUL-terminated, never NULL) to the caller, who frees them. */
char *buf_detach(struct buf *buf);
static inline struct str buf_str(const struct buf *buf)
{
    return (struct str){buf->data ? buf->data : "", buf->len};
}

/* ---- Masks ---------------------------------------------------------------------------------------- */

#define MASK_MIN 4 /* bytes: a shorter text would be found everywhere */
#define MASK_MAX (1024 * 1024)
/* Texts that are not to be shown. {0} has none; texts may be added at any time. */
struct mask {
    struct mask_text *items;
    size_t count, capacity;
};
/* A copy is kept, once. False for a text that is too short or too long. */
bool mask_add(struct mask *mask, struct str text);
void mask_release(struct mask *mask);
/* Bytes on their way through one mask, the same for all of them. {0} is at its beginning. */
struct mask_stream {
    size_t *fits; /* of each text: how much of it stands at the end of what has come */
    size_t count;
    struct buf held, marks; /* what may be the beginning of a text, and which of it belongs to one */
    bool within;            /* the last byte shown was a masked one */
};
/* Appends what can be shown by now, with *** for each stretch of texts. What may go on to be one is held back
 * until more comes or mask_end. */
void mask_feed(const struct mask *mask, struct mask_stream *stream, struct str bytes, struct buf *out);
void mask_end(struct mask_stream *stream, struct buf *out);
void mask_stream_release(struct mask_stream *stream);
/* All of a text at once. */
void mask_whole(const struct mask *mask, struct str text, struct buf *out);

/* Base64 (RFC 4648) with padding. */
void base64_add(struct buf *buf, struct str bytes);
/* False: it is none; what was good before is added. */
bool base64_read(struct buf *buf, struct str text);

/* ---- Tables ------------------------------------------------------------------------------------ */

/* Hash table from byte strings to pointers. It borrows the keys: the bytes must live as long as their
 * entry (usually they stand in the value itself). {0} is an empty table. */
struct table_slot {
    struct str key;
    void *value; /* NULL: never used or deleted */
    uint64_t hash;
};
struct table {
    struct table_slot *slots;
    size_t capacity, count, used; /* used counts deleted slots too */
};

void *table_get(const struct table *table, struct str key);
/* value must not be NULL. Returns the value that stood there before, or NULL. The key is replaced too. */
void *table_put(struct table *table, struct str key, void *value);
/* Returns what was removed, or NULL. */
void *table_remove(struct table *table, struct str key);
/* Frees the table's own memory only. */
void table_release(struct table *table);
/* Visits values in no order; start with *pos = 0; NULL at the end. Removing the visited entry is allowed. */
void *table_next(const struct table *table, size_t *pos);

/* ---- Deadlines ------------------------------------------------------------------------------------- */

/* Deadlines in order. The item stands inside what it belongs to and must not move while it is in the heap.
 * {0} is empty. */
struct deadline {
    int64_t at;
    uint64_t rank; /* of those with the same time the lower one comes first; set while it is in no heap */
    size_t place;  /* 0: in no heap */
};
struct deadlines {
    struct deadline **items;
    size_t count, capacity;
};
/* Inserts, or moves to another time. */
void deadline_set(struct deadlines *heap, struct deadline *item, int64_t at);
void deadline_remove(struct deadlines *heap,
                     struct deadline *item); /* nothing happens when it is in no heap */
static inline struct deadline *deadline_first(const struct deadlines *heap)
{
    return heap->count ? heap->items[0] : NULL;
}
void deadlines_release(struct deadlines *heap);

/* ---- Time -------------------------------------------------------------------------------------- */

int64_t time_now_ms(void);  /* monotonic */
int64_t time_now_us(void);  /* monotonic */
int64_t time_wall_ms(void); /* since 1970, for records only */

/* "250ms", "5s", "1m30s", "2h", "1d" or a number of seconds ("0.5") to milliseconds. */
bool duration_parse(struct str text, int64_t *ms, struct err *err);
/* "64MiB", "1GB", "10k" or bytes. */
bool size_parse(struct str text, int64_t *bytes, struct err *err);
/* The largest unit that needs no fraction: "512MiB", "1000B". */
void size_print(struct buf *buf, int64_t bytes);
/* A short form for people: "35ms", "2.4s", "1m03s". */
void duration_print(struct buf *buf, int64_t ms);

/* ---- Descriptors and files --------------------------------------------------------------------- */

/* Closes *fd when it is not negative and sets it to -1; keeps errno. */
void fd_close(int *fd);
bool fd_set_nonblocking(int fd, bool on);
bool fd_set_cloexec(int fd, bool on);
/* Whether colours may be written there: a terminal that knows them, and neither NO_COLOR nor CI in the
 * environment. */
bool fd_takes_colour(int fd);
/* How wide a terminal is; 0 for what is none, or does not say. */
size_t fd_columns(int fd);
/* For the start of main: of descriptors 0 to 2, those that are closed are opened so that using them still
 * fails. Else the next file or socket would get such a number, and take what is printed for its own. */
void fd_fill_standard(void);
/* Writes everything, over EINTR and short writes. False with errno set. */
bool fd_write_all(int fd, const void *data, size_t len);
/* Reads to the end into buf; ERR_TOO_LARGE past limit bytes. */
bool fd_read_all(int fd, size_t limit, struct buf *buf, struct err *err);
bool file_read(const char *path, size_t limit, struct buf *buf, struct err *err);
/* mkdir -p with mode (less the umask) for what is made. */
bool dir_make(const char *path, mode_t mode, struct err *err);

/* ---- Cleanup attributes ------------------------------------------------------------------------ */

void cleanup_free(void *pointer_to_pointer);
void cleanup_fd(int *fd);
#define AUTO_FREE __attribute__((cleanup(cleanup_free)))
#define AUTO_BUF  __attribute__((cleanup(buf_release)))
#define AUTO_FD   __attribute__((cleanup(cleanup_fd)))

#endif
