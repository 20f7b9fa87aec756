/* The values of string literals: escapes to characters. */
#include "ast_priv.h"

static int digit_value(char c, unsigned base)
{
    int value = -1;
    if (c >= '0' && c <= '9')
        value = c - '0';
    else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        value = (c | 0x20) - 'a' + 10;
    return value < (int)base ? value : -1;
}

/* A character given by its number: count digits from offset i of the token's text. */
static bool decode_code(struct lexer *lex, const struct token *token, size_t i, size_t count, unsigned base,
                        uint32_t *code)
{
    size_t at = token->body + i;
    *code = 0;
    for (size_t end = i + count; i < end; i++) {
        int digit = i < token->text.len ? digit_value(token->text.data[i], base) : -1;
        if (digit < 0)
            return lex_fail(lex, at, "expected %zu %s digits in the escape", count,
                            base == 8 ? "octal" : "hex");
        *code = *code * base + (uint32_t)digit;
    }
    if (*code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
        return lex_fail(lex, at, "the escape is not a Unicode character");
    return true;
}

/* text[*i] is what follows the backslash. */
static bool decode_escape(struct lexer *lex, const struct token *token, size_t *i, struct buf *out)
{
    static const char simple[] = "abfnrtv\\?\"'`";
    static const char meaning[] = "\a\b\f\n\r\t\v\\?\"'`";
    char c = token->text.data[*i];
    const char *found = c ? strchr(simple, c) : NULL;
    if (found) {
        buf_add_char(out, meaning[found - simple]);
        ++*i;
        return true;
    }
    size_t count = c == 'x' || c == 'X' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    bool octal = c >= '0' && c <= '3';
    if (count == 0 && !octal)
        return lex_fail(lex, token->body + *i - 1,
                        "unknown escape in the string; write '\\\\' for a backslash");
    size_t from = octal ? *i : *i + 1;
    if (octal)
        count = 3;
    uint32_t code;
    if (!decode_code(lex, token, from, count, octal ? 8 : 16, &code))
        return false;
    char bytes[4];
    buf_add(out, bytes, utf8_encode(code, bytes));
    *i = from + count;
    return true;
}

struct value *literal_string(struct lexer *lex, const struct token *token)
{
    if (token->raw)
        return value_string(token->text);
    AUTO_BUF struct buf out = {0};
    for (size_t i = 0; i < token->text.len;) {
        if (token->text.data[i] != '\\') {
            buf_add_char(&out, token->text.data[i++]);
            continue;
        }
        i++;
        if (!decode_escape(lex, token, &i, &out))
            return NULL;
    }
    return value_string(buf_str(&out));
}
