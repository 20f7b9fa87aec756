/* Text as mdoc wants it. */
#include "generate.h"

#include <ctype.h>

/* Characters that roff prints as something nicer, or takes for its own. */
static const char *escape_of(uint32_t code)
{
    switch (code) {
    case '\\':
        return "\\e";
    case '-':
        return "\\-";
    case '\'':
        return "\\(aq";
    case '`':
        return "\\(ga";
    case '^':
        return "\\(ha";
    case '~':
        return "\\(ti";
    case '"':
        return "\\(dq";
    default:
        return NULL;
    }
}

static void char_add(struct buf *buf, uint32_t code)
{
    if (code >= 0x80)
        buf_add_format(buf, "\\[u%04X]", code);
    else
        buf_add_char(buf, (char)code);
}

void mdoc_literal(struct buf *buf, struct str text)
{
    bool line_begins = true;
    for (size_t pos = 0; pos < text.len;) {
        uint32_t code = utf8_next(text, &pos);
        const char *escape = escape_of(code);
        if (line_begins && code == '.')
            buf_add_text(buf, "\\&");
        if (escape)
            buf_add_text(buf, escape);
        else
            char_add(buf, code);
        line_begins = code == '\n';
    }
}

void mdoc_block(struct buf *buf, struct str lines)
{
    buf_add_text(buf, ".Bd -literal -offset indent\n");
    mdoc_literal(buf, lines);
    buf_add_text(buf, ".Ed\n");
}

/* A dash that begins a word begins an option. */
static bool is_option(const char *text, size_t i)
{
    return text[i] == '-' && (i == 0 || !isalnum((unsigned char)text[i - 1]));
}

/* mdoc wants every sentence on a line of its own. */
static bool sentence_ends(const char *text, size_t i)
{
    return (text[i] == '.' || text[i] == ')') && text[i + 1] == ' ' && text[i + 2] != '(' &&
           (text[i] == '.' || (i > 0 && text[i - 1] == '.')) && isupper((unsigned char)text[i + 2]);
}

static void text_add(struct buf *buf, const char *text, bool capital)
{
    struct str whole = str_of(text);
    for (size_t pos = 0; pos < whole.len;) {
        size_t at = pos;
        uint32_t code = utf8_next(whole, &pos);
        if (code == '\\')
            buf_add_text(buf, "\\e");
        else if (is_option(text, at))
            buf_add_text(buf, "\\-");
        else
            char_add(buf, capital && at == 0 && code < 0x80 ? (uint32_t)toupper((int)code) : code);
        if (sentence_ends(text, at)) {
            buf_add_char(buf, '\n');
            pos++;
        }
    }
}

/* A line must not begin like a request. */
static void line_guard(struct buf *buf, const char *text)
{
    bool begins = buf->len == 0 || buf->data[buf->len - 1] == '\n';
    if (begins && (*text == '.' || *text == '\''))
        buf_add_text(buf, "\\&");
}

void mdoc_text(struct buf *buf, const char *text)
{
    line_guard(buf, text);
    text_add(buf, text, false);
}

/* Words of a table that are quoted before a colon ("watch, ack: …") stay as they are. */
static bool begins_with_names(const char *text)
{
    size_t len = strcspn(text, ":;.");
    for (size_t i = 0; text[len] == ':' && i < len; i++)
        if (text[i] == ' ' && (i == 0 || text[i - 1] != ','))
            return false;
    return text[len] == ':';
}

/* Lower case letters up to the end of the word. */
static bool begins_with_word(const char *text)
{
    size_t word = 0;
    while (islower((unsigned char)text[word]))
        word++;
    return word > 0 && strchr(" ;", text[word]) != NULL;
}

void mdoc_sentence(struct buf *buf, const char *text)
{
    size_t len = strlen(text);
    line_guard(buf, text);
    text_add(buf, text, begins_with_word(text) && !begins_with_names(text));
    if (len > 0 && text[len - 1] != '.')
        buf_add_char(buf, '.');
    buf_add_char(buf, '\n');
}
