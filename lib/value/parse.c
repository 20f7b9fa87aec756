/* JSON text (RFC 8259) to values. Recursive descent, bounded by VALUE_DEPTH_MAX. */
#include "value_priv.h"

#include <math.h>
#include <stdlib.h>

#define KEY_CACHE 64

struct parser {
    struct str text;
    size_t pos;
    size_t depth;
    struct buf scratch;            /* a string whose escapes are being decoded */
    uint64_t cached;               /* by bit: the keys that are set */
    struct value *keys[KEY_CACHE]; /* recent keys: the maps of a list mostly have the same ones */
    struct err *err;
};

static struct value *value_read(struct parser *p);

/* ---- Bytes ---- */

/* The next byte, or -1 at the end. */
static int peek(const struct parser *p)
{
    return p->pos < p->text.len ? (unsigned char)p->text.data[p->pos] : -1;
}

static void space_skip(struct parser *p)
{
    for (;; p->pos++) {
        int c = peek(p);
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
            return;
    }
}

static bool byte_take(struct parser *p, char c)
{
    if (peek(p) != c)
        return false;
    p->pos++;
    return true;
}

/* The text does not go on with what is wanted. */
static bool fail(const struct parser *p, const char *wanted)
{
    int c = peek(p);
    if (c < 0)
        return err_set(p->err, ERR_INVALID, "the JSON text ends where %s should stand, at byte %zu", wanted,
                       p->pos);
    if (c > 0x20 && c < 0x7f)
        return err_set(p->err, ERR_INVALID, "'%c' stands where %s should, at byte %zu", c, wanted, p->pos);
    return err_set(p->err, ERR_INVALID, "byte 0x%02x stands where %s should, at byte %zu", c, wanted, p->pos);
}

static bool fail_at(const struct parser *p, size_t pos, const char *what)
{
    return err_set(p->err, ERR_INVALID, "%s at byte %zu", what, pos);
}

/* ---- Numbers ---- */

static bool digits_skip(struct parser *p)
{
    size_t start = p->pos;
    while (p->pos < p->text.len && (unsigned char)(p->text.data[p->pos] - '0') < 10)
        p->pos++;
    return p->pos > start || fail(p, "a digit");
}

/* Moves behind a number; *integral when it has neither fraction nor exponent. */
static bool number_skip(struct parser *p, bool *integral)
{
    *integral = true;
    byte_take(p, '-');
    size_t start = p->pos;
    if (!digits_skip(p))
        return false;
    if (p->text.data[start] == '0' && p->pos - start > 1)
        return fail_at(p, start, "a number with a leading zero");
    if (byte_take(p, '.')) {
        *integral = false;
        if (!digits_skip(p))
            return false;
    }
    if (byte_take(p, 'e') || byte_take(p, 'E')) {
        *integral = false;
        if (!byte_take(p, '+'))
            byte_take(p, '-');
        return digits_skip(p);
    }
    return true;
}

static struct value *too_large(const struct parser *p, struct str spelling, size_t start, const char *range)
{
    err_set(p->err, ERR_TOO_LARGE, "the number %.*s%s is beyond %s, at byte %zu",
            spelling.len > 40 ? 40 : (int)spelling.len, spelling.data, spelling.len > 40 ? "…" : "", range,
            start);
    return NULL;
}

static struct value *double_make(const struct parser *p, struct str spelling, size_t start)
{
    struct number *number = number_spelled(VALUE_DOUBLE, spelling.data, spelling.len);
    number->d = strtod(number->spelling, NULL);
    if (!isinf(number->d))
        return &number->head;
    free(number);
    return too_large(p, spelling, start, "double");
}

static struct value *int_make(const struct parser *p, struct str spelling, size_t start)
{
    if (str_is(spelling, "-0")) {
        struct number *number = number_spelled(VALUE_INT, spelling.data, spelling.len);
        number->i = 0;
        return &number->head;
    }
    bool negative = spelling.data[0] == '-';
    uint64_t limit = (uint64_t)INT64_MAX + negative, magnitude = 0;
    for (size_t i = negative; i < spelling.len; i++) {
        uint64_t digit = (uint64_t)(spelling.data[i] - '0');
        if (magnitude > (limit - digit) / 10)
            return too_large(p, spelling, start, "int64");
        magnitude = magnitude * 10 + digit;
    }
    return value_int((int64_t)(negative ? -magnitude : magnitude));
}

static struct value *number_read(struct parser *p)
{
    size_t start = p->pos;
    bool integral;
    if (!number_skip(p, &integral))
        return NULL;
    struct str spelling = {p->text.data + start, p->pos - start};
    return integral ? int_make(p, spelling, start) : double_make(p, spelling, start);
}

/* ---- Strings ---- */

/* Four hexadecimal digits behind \u. */
static bool hex_read(struct parser *p, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++) {
        int c = peek(p), lower = c | 0x20;
        if (c >= '0' && c <= '9')
            *code = *code << 4 | (uint32_t)(c - '0');
        else if (c > 0 && lower >= 'a' && lower <= 'f')
            *code = *code << 4 | (uint32_t)(lower - 'a' + 10);
        else
            return fail(p, "a hexadecimal digit");
        p->pos++;
    }
    return true;
}

static bool unicode_read(struct parser *p)
{
    size_t start = p->pos - 2;
    uint32_t code, low;
    if (!hex_read(p, &code))
        return false;
    if (code >= 0xd800 && code <= 0xdfff) {
        if (code >= 0xdc00 || !byte_take(p, '\\') || !byte_take(p, 'u'))
            return fail_at(p, start, "a lone surrogate");
        if (!hex_read(p, &low))
            return false;
        if (low < 0xdc00 || low > 0xdfff)
            return fail_at(p, start, "a lone surrogate");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    char bytes[4];
    buf_add(&p->scratch, bytes, utf8_encode(code, bytes));
    return true;
}

static bool escape_read(struct parser *p)
{
    static const char letters[] = "\"\\/bfnrtu", meanings[] = "\"\\/\b\f\n\r\t";
    int c = peek(p);
    const char *letter = c > 0 ? strchr(letters, c) : NULL;
    if (!letter)
        return fail(p, "an escape (one of \"\\/bfnrtu)");
    p->pos++;
    if (c == 'u')
        return unicode_read(p);
    buf_add_char(&p->scratch, meanings[letter - letters]);
    return true;
}

/* The rest of a string that has escapes: `plain` bytes from pos on are known to have none. */
static bool string_decode(struct parser *p, size_t plain)
{
    buf_clear(&p->scratch);
    for (;;) {
        buf_add(&p->scratch, p->text.data + p->pos, plain);
        p->pos += plain;
        if (byte_take(p, '"'))
            return true;
        if (peek(p) != '\\')
            return fail(p, peek(p) < 0 ? "the end of a string"
                                       : "a character (control characters need an escape)");
        p->pos++;
        if (!escape_read(p))
            return false;
        plain = plain_length((struct str){p->text.data + p->pos, p->text.len - p->pos});
    }
}

/* The bytes of a string; they stand in the text or in scratch until the next one is read. */
static bool string_read(struct parser *p, struct str *s)
{
    size_t start = p->pos++;
    struct str rest = {p->text.data + p->pos, p->text.len - p->pos};
    size_t plain = plain_length(rest);
    if (plain < rest.len && rest.data[plain] == '"') {
        *s = (struct str){rest.data, plain};
        p->pos += plain + 1;
    } else if (string_decode(p, plain)) {
        *s = buf_str(&p->scratch);
    } else {
        return false;
    }
    /* Escapes are ASCII and make valid UTF-8, so the result is valid when the bytes around them are; a
     * sequence cannot be completed across an escape. */
    return utf8_valid(*s) || fail_at(p, start, "invalid UTF-8 in the string");
}

static struct value *key_make(struct parser *p, struct str s)
{
    if (s.len == 0 || s.len > 32)
        return value_string(s);
    size_t at = ((unsigned char)s.data[0] * 31U + (unsigned char)s.data[s.len - 1] * 7U + s.len) % KEY_CACHE;
    struct value **key = &p->keys[at];
    bool cached = (p->cached >> at) & 1;
    if (!cached || !str_equal(string_str(*key), s)) {
        if (cached)
            value_unref(*key);
        *key = value_string(s);
        p->cached |= UINT64_C(1) << at;
    }
    return value_ref(*key);
}

/* ---- Lists and maps ---- */

/* Behind '[' or '{': true when the closing byte follows at once. */
static bool is_empty(struct parser *p, char close)
{
    p->pos++;
    space_skip(p);
    return byte_take(p, close);
}

/* Behind an item: 1 when another one follows, 0 when the container is closed, -1 on failure. */
static int more_follows(struct parser *p, char close, const char *wanted)
{
    space_skip(p);
    if (byte_take(p, ',')) {
        space_skip(p);
        return 1;
    }
    if (byte_take(p, close))
        return 0;
    fail(p, wanted);
    return -1;
}

static bool list_read(struct parser *p, struct value *list)
{
    if (is_empty(p, ']'))
        return true;
    int more;
    do {
        struct value *item = value_read(p);
        if (!item)
            return false;
        list_push(list, item);
        more = more_follows(p, ']', "',' or ']'");
    } while (more > 0);
    return more == 0;
}

static bool entry_read(struct parser *p, struct value *map)
{
    struct str name;
    if (peek(p) != '"')
        return fail(p, "a key (a string in double quotes)");
    if (!string_read(p, &name))
        return false;
    struct value *key = key_make(p, name);
    space_skip(p);
    struct value *item = NULL;
    if (byte_take(p, ':')) {
        space_skip(p);
        item = value_read(p);
    } else {
        fail(p, "':'");
    }
    if (!item) {
        value_unref(key);
        return false;
    }
    map_put(map, key, item);
    return true;
}

static bool map_read(struct parser *p, struct value *map)
{
    if (is_empty(p, '}'))
        return true;
    int more;
    do {
        if (!entry_read(p, map))
            return false;
        more = more_follows(p, '}', "',' or '}'");
    } while (more > 0);
    return more == 0;
}

static struct value *container_read(struct parser *p)
{
    if (p->depth == VALUE_DEPTH_MAX) {
        err_set(p->err, ERR_INVALID, "nested deeper than %d, at byte %zu", VALUE_DEPTH_MAX, p->pos);
        return NULL;
    }
    p->depth++;
    bool is_list = peek(p) == '[';
    struct value *value = is_list ? value_list() : value_map();
    if (!(is_list ? list_read(p, value) : map_read(p, value))) {
        value_unref(value);
        return NULL;
    }
    container_trim(value);
    p->depth--;
    return value;
}

/* ---- Values ---- */

static struct value *word_read(struct parser *p, struct str word, struct value *value)
{
    struct str rest = {p->text.data + p->pos, p->text.len - p->pos};
    if (!str_starts_with(rest, word)) {
        fail(p, "a JSON value");
        return NULL;
    }
    p->pos += word.len;
    return value;
}

static struct value *value_read(struct parser *p)
{
    struct str s;
    int c = peek(p);
    if (c == '-' || (c >= '0' && c <= '9'))
        return number_read(p);
    switch (c) {
    case '"':
        return string_read(p, &s) ? value_string(s) : NULL;
    case '[':
    case '{':
        return container_read(p);
    case 'n':
        return word_read(p, STR("null"), value_null());
    case 't':
        return word_read(p, STR("true"), value_bool(true));
    case 'f':
        return word_read(p, STR("false"), value_bool(false));
    default:
        fail(p, "a JSON value");
        return NULL;
    }
}

/* Without clearing the keys, which most texts have few of. */
static void parser_init(struct parser *p, struct str text, struct err *err)
{
    p->text = text;
    p->pos = p->depth = 0;
    p->scratch = (struct buf){0};
    p->cached = 0;
    p->err = err;
}

static void parser_release(struct parser *p)
{
    buf_release(&p->scratch);
    for (uint64_t left = p->cached; left; left &= left - 1)
        value_unref(p->keys[__builtin_ctzll(left)]);
}

static bool start_read(struct parser *p)
{
    if (str_starts_with(p->text, STR("\xef\xbb\xbf")))
        return fail_at(p, 0, "a byte order mark, which JSON does not have,");
    space_skip(p);
    return true;
}

static bool end_read(struct parser *p)
{
    space_skip(p);
    return p->pos == p->text.len || fail(p, "the end of the JSON text");
}

struct value *value_parse(struct str text, struct err *err)
{
    struct parser p;
    parser_init(&p, text, err);
    struct value *value = start_read(&p) ? value_read(&p) : NULL;
    if (value && !end_read(&p)) {
        value_unref(value);
        value = NULL;
    }
    parser_release(&p);
    return value;
}

/* ---- Objects, member by member ---- */

typedef bool member_taker(void *ctx, const struct member *member, struct err *err);

static bool other_take(struct parser *p, struct member *member, member_taker *take, void *ctx)
{
    AUTO_VALUE struct value *value = value_read(p);
    if (!value)
        return false;
    member->type = value_type(value);
    member->value = value;
    if (member->type == VALUE_INT)
        member->i = value_as_int(value);
    else if (member->type == VALUE_BOOL)
        member->i = value_as_bool(value);
    return take(ctx, member, p->err);
}

static bool member_take(struct parser *p, struct buf *name, member_taker *take, void *ctx)
{
    struct member member = {0};
    if (peek(p) != '"')
        return fail(p, "a key (a string in double quotes)");
    if (!string_read(p, &member.name))
        return false;
    if (member.name.data == p->scratch.data) { /* the member's string may need the scratch */
        struct buf other = *name;
        *name = p->scratch;
        p->scratch = other;
    }
    space_skip(p);
    if (!byte_take(p, ':'))
        return fail(p, "':'");
    space_skip(p);
    if (peek(p) != '"')
        return other_take(p, &member, take, ctx);
    if (!string_read(p, &member.s))
        return false;
    member.type = VALUE_STRING;
    member.lasting = member.s.data != p->scratch.data;
    return take(ctx, &member, p->err);
}

static bool members_take(struct parser *p, member_taker *take, void *ctx)
{
    AUTO_BUF struct buf name = {0};
    if (is_empty(p, '}'))
        return true;
    int more;
    p->depth++;
    do {
        if (!member_take(p, &name, take, ctx))
            return false;
        more = more_follows(p, '}', "',' or '}'");
    } while (more > 0);
    return more == 0;
}

bool object_take(struct str text, member_taker *take, void *ctx, struct err *err)
{
    struct parser p;
    parser_init(&p, text, err);
    bool fine = start_read(&p);
    if (fine && peek(&p) != '{')
        fine = fail(&p, "a JSON object");
    fine = fine && members_take(&p, take, ctx) && end_read(&p);
    parser_release(&p);
    return fine;
}
