/* Text to tokens, as in the lexis of cel-spec's langdef. */
#include "ast_priv.h"

#include <math.h>
#include <stdlib.h>

static const char *const sign_texts[] = {
#define X(sign, text) [sign] = text,
    SIGNS(X)
#undef X
};

const char *sign_text(enum sign sign)
{
    return sign_texts[sign];
}

bool lex_fail(struct lexer *lex, size_t at, const char *format, ...)
{
    char message[sizeof lex->err->message];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    lex->fault = at;
    return err_set(lex->err, ERR_INVALID, "%s", message);
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name(int c)
{
    return is_name_start(c) || is_digit(c);
}

/* The byte at offset from the current place, -1 past the end. */
static int peek(const struct lexer *lex, size_t offset)
{
    return lex->pos + offset < lex->text.len ? (unsigned char)lex->text.data[lex->pos + offset] : -1;
}

void lex_skip_blanks(struct lexer *lex)
{
    for (;;) {
        int c = peek(lex, 0);
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
            lex->pos++;
        } else if (c == '/' && peek(lex, 1) == '/') {
            while (peek(lex, 0) >= 0 && peek(lex, 0) != '\n')
                lex->pos++;
        } else {
            return;
        }
    }
}

/* Ends the current token before the byte at offset. */
static bool take(struct lexer *lex, enum token_type type, size_t len)
{
    struct token *token = &lex->token;
    token->type = type;
    token->body = token->at;
    token->text = (struct str){lex->text.data + token->at, len};
    lex->pos = token->at + len;
    return true;
}

static int hex_digit(int c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_int(struct lexer *lex, size_t from, size_t len, unsigned base)
{
    uint64_t number = 0;
    for (size_t i = from; i < len; i++) {
        if (__builtin_mul_overflow(number, (uint64_t)base, &number) ||
            __builtin_add_overflow(number, (uint64_t)hex_digit(peek(lex, i)), &number))
            return lex_fail(lex, lex->token.at, "the number is too large for an int");
    }
    lex->token.number = number;
    return take(lex, TOKEN_INT, len);
}

static bool take_double(struct lexer *lex, size_t len)
{
    AUTO_FREE char *text = mem_copy(lex->text.data + lex->pos, len);
    lex->token.real = strtod(text, NULL);
    if (!isfinite(lex->token.real))
        return lex_fail(lex, lex->token.at, "the number is too large for a double");
    return take(lex, TOKEN_DOUBLE, len);
}

static size_t digits_from(const struct lexer *lex, size_t i)
{
    while (is_digit(peek(lex, i)))
        i++;
    return i;
}

static bool lex_number(struct lexer *lex)
{
    if (peek(lex, 0) == '0' && (peek(lex, 1) | 0x20) == 'x' && hex_digit(peek(lex, 2)) >= 0) {
        size_t len = 2;
        while (hex_digit(peek(lex, len)) >= 0)
            len++;
        if ((peek(lex, len) | 0x20) == 'u')
            return lex_fail(lex, lex->token.at, "unsigned integers are not supported; leave the 'u' out");
        return take_int(lex, 2, len, 16);
    }
    size_t len = digits_from(lex, 0);
    bool real = false;
    if (peek(lex, len) == '.' && is_digit(peek(lex, len + 1))) {
        real = true;
        len = digits_from(lex, len + 1);
    }
    if ((peek(lex, len) | 0x20) == 'e') {
        size_t sign = peek(lex, len + 1) == '+' || peek(lex, len + 1) == '-';
        if (is_digit(peek(lex, len + 1 + sign))) {
            real = true;
            len = digits_from(lex, len + 1 + sign);
        }
    }
    if (real)
        return take_double(lex, len);
    if ((peek(lex, len) | 0x20) == 'u')
        return lex_fail(lex, lex->token.at, "unsigned integers are not supported; leave the 'u' out");
    return take_int(lex, 0, len, 10);
}

/* The current place is the opening quote. */
static bool lex_string(struct lexer *lex, bool raw)
{
    int quote = peek(lex, 0);
    bool triple = peek(lex, 1) == quote && peek(lex, 2) == quote;
    size_t marks = triple ? 3 : 1;
    lex->pos += marks;
    size_t body = lex->pos;
    for (;; lex->pos++) {
        int c = peek(lex, 0);
        if (c < 0 || (!triple && (c == '\n' || c == '\r')))
            return lex_fail(lex, lex->token.at, "the string is not closed; expected %s",
                            triple ? (quote == '"' ? "\"\"\"" : "'''")
                                   : (quote == '"' ? "'\"'" : "a closing \"'\""));
        if (c == '\\' && !raw && peek(lex, 1) >= 0)
            lex->pos++;
        else if (c == quote && (!triple || (peek(lex, 1) == quote && peek(lex, 2) == quote)))
            break;
    }
    lex->token.type = TOKEN_STRING;
    lex->token.raw = raw;
    lex->token.body = body;
    lex->token.text = (struct str){lex->text.data + body, lex->pos - body};
    lex->pos += marks;
    return true;
}

static bool lex_name(struct lexer *lex)
{
    size_t len = 0;
    while (is_name(peek(lex, len)))
        len++;
    take(lex, TOKEN_NAME, len);
    if (str_is(lex->token.text, "in")) {
        lex->token.type = TOKEN_SIGN;
        lex->token.sign = SIGN_IN;
    }
    return true;
}

/* A field that is no plain name: x.`content-type` */
static bool lex_quoted_name(struct lexer *lex)
{
    size_t len = 1;
    while (is_name(peek(lex, len)) || peek(lex, len) == '.' || peek(lex, len) == '-' ||
           peek(lex, len) == '/' || peek(lex, len) == ' ')
        len++;
    if (peek(lex, len) != '`' || len == 1)
        return lex_fail(
            lex, lex->pos + len,
            "expected '`' behind a field's name of letters, digits and '_', '.', '-', '/' or ' '");
    take(lex, TOKEN_QUOTED_NAME, len + 1);
    lex->token.body++;
    lex->token.text = (struct str){lex->token.text.data + 1, len - 1};
    return true;
}

static bool lex_sign(struct lexer *lex)
{
    struct str rest = {lex->text.data + lex->pos, lex->text.len - lex->pos};
    for (int sign = 0; sign < SIGN_COUNT; sign++) {
        struct str text = str_of(sign_texts[sign]);
        if (sign != SIGN_IN && str_starts_with(rest, text)) {
            lex->token.sign = (enum sign)sign;
            return take(lex, TOKEN_SIGN, text.len);
        }
    }
    static const char *const doubled = "&|=";
    if (strchr(doubled, rest.data[0]) && rest.data[0])
        return lex_fail(lex, lex->pos, "expected an operator, found '%c'; write '%c%c'", rest.data[0],
                        rest.data[0], rest.data[0]);
    size_t end = 0;
    uint32_t code = utf8_next(rest, &end);
    if (code < 0x20 || code == 0x7f)
        return lex_fail(lex, lex->pos, "a control character has no place here");
    return lex_fail(lex, lex->pos, "'%.*s' has no place here", (int)end, rest.data);
}

bool lex_next(struct lexer *lex)
{
    lex_skip_blanks(lex);
    lex->token = (struct token){.at = lex->pos};
    int c = peek(lex, 0);
    if (c < 0)
        return take(lex, TOKEN_END, 0);
    if (is_digit(c) || (c == '.' && is_digit(peek(lex, 1))))
        return lex_number(lex);
    if (c == '"' || c == '\'')
        return lex_string(lex, false);
    int second = peek(lex, 1), third = peek(lex, 2);
    bool quote_second = second == '"' || second == '\'', quote_third = third == '"' || third == '\'';
    if ((c | 0x20) == 'r' && quote_second) {
        lex->pos++;
        return lex_string(lex, true);
    }
    if (((c | 0x20) == 'b' && (quote_second || ((second | 0x20) == 'r' && quote_third))) ||
        ((c | 0x20) == 'r' && (second | 0x20) == 'b' && quote_third))
        return lex_fail(lex, lex->pos, "bytes are not supported; write a string without the 'b'");
    if (is_name_start(c))
        return lex_name(lex);
    if (c == '`')
        return lex_quoted_name(lex);
    return lex_sign(lex);
}
