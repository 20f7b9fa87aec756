/* RE2's syntax to PCRE2's: what only PCRE2 has is refused, what they read differently is rewritten. */
#include "match_priv.h"

enum last { LAST_NOTHING, LAST_ITEM, LAST_REPEAT, LAST_LAZY };

struct pattern {
    struct str in;
    size_t i;
    struct buf *out;
    enum last last; /* what a repetition would follow */
    struct err *err;
};

enum { REPEAT_MAX = 1000 };

static int peek(const struct pattern *p, size_t offset)
{
    return p->i + offset < p->in.len ? (unsigned char)p->in.data[p->i + offset] : -1;
}

/* Copies the next n bytes. */
static bool copy(struct pattern *p, size_t n)
{
    buf_add(p->out, p->in.data + p->i, n);
    p->i += n;
    return true;
}

static bool invalid(struct pattern *p, const char *message)
{
    return err_set(p->err, ERR_INVALID, "%s, at byte %zu", message, p->i);
}

static bool is_digit(int c, int highest)
{
    return c >= '0' && c <= highest;
}

static bool is_letter(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int hex_digit(int c)
{
    if (is_digit(c, '9'))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool emit_code(struct pattern *p, uint32_t code)
{
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return invalid(p, "the escape is not a Unicode character");
    buf_add_format(p->out, "\\x{%x}", (unsigned)code);
    return true;
}

/* \012: the digits begin at the current place */
static bool octal(struct pattern *p)
{
    uint32_t code = 0;
    for (size_t n = 0; n < 3 && is_digit(peek(p, 0), '7'); n++, p->i++)
        code = code * 8 + (uint32_t)(peek(p, 0) - '0');
    return emit_code(p, code);
}

/* xFF or x{10FFFF} */
static bool hex(struct pattern *p)
{
    bool braces = peek(p, 1) == '{';
    size_t from = braces ? 2 : 1, len = 0;
    uint32_t code = 0;
    while (len < (braces ? 8 : 2) && hex_digit(peek(p, from + len)) >= 0)
        code = code * 16 + (uint32_t)hex_digit(peek(p, from + len++));
    if (braces ? len == 0 || peek(p, from + len) != '}' : len < 2)
        return invalid(p, "expected hex digits behind '\\x', as in \\x41 or \\x{1F600}");
    p->i += from + len + braces;
    return emit_code(p, code);
}

/* pL, p{Greek}, P{^Lu} */
static bool property(struct pattern *p)
{
    size_t len = 2;
    if (peek(p, 1) == '{') {
        while (is_letter(peek(p, len)) || peek(p, len) == '_' || (len == 2 && peek(p, len) == '^'))
            len++;
        if (peek(p, len++) != '}')
            return invalid(p, "expected the name of a Unicode class, as in \\p{Greek}");
    } else if (!is_letter(peek(p, 1))) {
        return invalid(p, "expected the name of a Unicode class, as in \\pL");
    }
    buf_add_char(p->out, '\\');
    return copy(p, len);
}

/* What stands behind a backslash and means the same in a class and outside; the current place is behind the
 * backslash. */
static bool escape(struct pattern *p)
{
    int c = peek(p, 0);
    if (c < 0)
        return invalid(p, "a backslash at the end");
    if (c == '0' || (is_digit(c, '7') && is_digit(peek(p, 1), '7')))
        return octal(p);
    if (is_digit(c, '9'))
        return invalid(p, "backreferences are not supported, as in RE2");
    switch (c) {
    case 'x':
        return hex(p);
    case 'p':
    case 'P':
        return property(p);
    case 'v':
        p->i++;
        return emit_code(p, '\v');
    case 'a':
    case 'd':
    case 'D':
    case 'f':
    case 'n':
    case 'r':
    case 't':
    case 'w':
    case 'W':
        break;
    case 'g':
    case 'k':
        return invalid(p, "backreferences are not supported, as in RE2");
    default:
        if (is_letter(c) || c >= 0x80)
            return invalid(p, "the escape is not part of RE2's syntax");
        break;
    }
    buf_add_char(p->out, '\\');
    return copy(p, 1);
}

/* \Q…\E: literal text; the current place is at the Q */
static bool quoted(struct pattern *p)
{
    for (p->i++; peek(p, 0) >= 0;) {
        if (peek(p, 0) == '\\' && peek(p, 1) == 'E') {
            p->i += 2;
            break;
        }
        int c = peek(p, 0);
        if (c < 0x80 && !is_letter(c) && !is_digit(c, '9'))
            buf_add_char(p->out, '\\');
        copy(p, 1);
        p->last = LAST_ITEM;
    }
    return true;
}

static bool outer_escape(struct pattern *p)
{
    p->i++;
    if (peek(p, 0) == 'Q')
        return quoted(p);
    p->last = LAST_ITEM;
    switch (peek(p, 0)) {
    case 's': /* PCRE2's has a vertical tab in it */
        buf_add_text(p->out, "[\\t\\n\\f\\r ]");
        break;
    case 'S':
        buf_add_text(p->out, "[^\\t\\n\\f\\r ]");
        break;
    case 'A':
    case 'b':
    case 'B':
    case 'z':
        buf_add_char(p->out, '\\');
        return copy(p, 1);
    default:
        return escape(p);
    }
    p->i++;
    return true;
}

static bool class_escape(struct pattern *p)
{
    p->i++;
    if (peek(p, 0) != 's' && peek(p, 0) != 'S')
        return escape(p);
    buf_add_text(p->out, peek(p, 0) == 's' ? "\\t\\n\\f\\r " : "\\S\\x{b}");
    p->i++;
    return true;
}

/* [[:alpha:]]; the current place is at the inner bracket */
static bool class_bracket(struct pattern *p)
{
    if (peek(p, 1) == ':') {
        size_t len = peek(p, 2) == '^' ? 3 : 2;
        while (is_letter(peek(p, len)))
            len++;
        if (peek(p, len) == ':' && peek(p, len + 1) == ']')
            return copy(p, len + 2);
    }
    buf_add_char(p->out, '\\');
    return copy(p, 1);
}

static bool class(struct pattern *p)
{
    size_t start = p->i;
    copy(p, peek(p, 1) == '^' ? 2 : 1);
    bool first = true;
    while (peek(p, 0) >= 0) {
        int c = peek(p, 0);
        bool good = true;
        if (c == ']' && !first) {
            p->last = LAST_ITEM;
            return copy(p, 1);
        }
        if (c == ']') {
            buf_add_char(p->out, '\\');
            copy(p, 1);
        } else if (c == '\\') {
            good = class_escape(p);
        } else if (c == '[') {
            good = class_bracket(p);
        } else {
            copy(p, 1);
        }
        if (!good)
            return false;
        first = false;
    }
    p->i = start;
    return invalid(p, "expected ']' to close the class");
}

/* (?P<name> and (?<name>: the names are dropped, since nobody asks for groups. name_at: offset of the name.
 */
static bool named_group(struct pattern *p, size_t name_at)
{
    size_t len = name_at;
    while (is_letter(peek(p, len)) || is_digit(peek(p, len), '9') || peek(p, len) == '_')
        len++;
    if (len == name_at || peek(p, len) != '>')
        return invalid(p, "expected a name and '>' in the group");
    buf_add_char(p->out, '(');
    p->i += len + 1;
    return true;
}

/* (?i) (?m-s:…) */
static bool flags(struct pattern *p)
{
    size_t len = 2;
    bool any = false, minus = false;
    for (;; len++) {
        int c = peek(p, len);
        if (c == 'i' || c == 'm' || c == 's' || c == 'U')
            any = true;
        else if (c == '-' && !minus)
            minus = true, any = false;
        else
            break;
    }
    int end = peek(p, len);
    if ((end == ':' && (any || !minus)) || (end == ')' && any))
        return copy(p, len + 1);
    return invalid(p, "the group is not part of RE2's syntax");
}

static bool group(struct pattern *p)
{
    p->last = LAST_NOTHING;
    if (peek(p, 1) != '?')
        return copy(p, 1);
    int c = peek(p, 2), d = peek(p, 3);
    if (c == '=' || c == '!')
        return invalid(p, "lookahead is not supported, as in RE2");
    if (c == '<' && (d == '=' || d == '!'))
        return invalid(p, "lookbehind is not supported, as in RE2");
    if (c == 'P' && d == '=')
        return invalid(p, "backreferences are not supported, as in RE2");
    if (c == '>')
        return invalid(p, "atomic groups are not supported, as in RE2");
    if (c == '<')
        return named_group(p, 3);
    if (c == 'P' && d == '<')
        return named_group(p, 4);
    return flags(p);
}

/* The length of {n}, {n,} or {n,m} at the current place; 0 when it is none and the brace is a literal one. */
static size_t counted_repeat(const struct pattern *p, unsigned *least, unsigned *most)
{
    unsigned *bounds[] = {least, most};
    size_t len = 1;
    *least = *most = 0;
    for (size_t which = 0; which < 2; which++) {
        size_t from = len;
        for (; is_digit(peek(p, len), '9'); len++)
            if (*bounds[which] <= REPEAT_MAX)
                *bounds[which] = *bounds[which] * 10 + (unsigned)(peek(p, len) - '0');
        if (which == 0 && len == from)
            return 0;
        if (peek(p, len) == '}') {
            if (len == from || which == 0)
                *most = *least;
            return len + 1;
        }
        if (which == 1 || peek(p, len) != ',')
            return 0;
        len++;
    }
    return 0;
}

static bool repeat(struct pattern *p)
{
    size_t len = 1;
    if (peek(p, 0) == '{') {
        unsigned least, most;
        len = counted_repeat(p, &least, &most);
        if (len == 0) {
            buf_add_char(p->out, '\\');
            p->last = LAST_ITEM;
            return copy(p, 1);
        }
        if (least > REPEAT_MAX || most > REPEAT_MAX || most < least)
            return invalid(p, "a repetition goes up to 1000, the smaller number first");
    }
    if (p->last == LAST_REPEAT && peek(p, 0) == '?') {
        p->last = LAST_LAZY;
        return copy(p, 1);
    }
    if (p->last == LAST_REPEAT && peek(p, 0) == '+')
        return invalid(p, "possessive repetitions are not supported, as in RE2");
    if (p->last == LAST_REPEAT || p->last == LAST_LAZY)
        return invalid(p, "a repetition cannot follow another one");
    if (p->last == LAST_NOTHING)
        return invalid(p, "nothing to repeat");
    p->last = LAST_REPEAT;
    return copy(p, len);
}

static bool translate_one(struct pattern *p)
{
    switch (peek(p, 0)) {
    case '\\':
        return outer_escape(p);
    case '[':
        return class(p);
    case '(':
        return group(p);
    case '|':
        p->last = LAST_NOTHING;
        return copy(p, 1);
    case '*':
    case '+':
    case '?':
    case '{':
        return repeat(p);
    default:
        p->last = LAST_ITEM;
        return copy(p, 1);
    }
}

bool re2_translate(struct str pattern, struct buf *out, struct err *err)
{
    if (!utf8_valid(pattern))
        return err_set(err, ERR_INVALID, "not valid UTF-8");
    struct pattern p = {.in = pattern, .out = out, .err = err};
    while (p.i < pattern.len)
        if (!translate_one(&p))
            return false;
    return true;
}
