/* Files of variables, in the form that docker compose reads: NAME=VALUE a line, comments, quotes, ${NAME}.
 * Nothing is ever run. */
#include "plan_priv.h"

#include <stdlib.h>

#define VALUE_BYTES_MAX ((size_t)128 * 1024) /* Linux gives a process no longer ones */
#define EXPANSION_MAX   16                   /* nesting of ${A:-${B}} */

struct reading {
    struct loader *loader;
    struct str text;
    size_t at;
    struct plan_env *env; /* grows */
    size_t capacity;
    struct table index; /* name to number, from 1, of its last value */
};

static char peek(const struct reading *r)
{
    return r->at < r->text.len ? r->text.data[r->at] : '\0';
}

static bool at_end(const struct reading *r)
{
    return r->at >= r->text.len;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void skip_blanks(struct reading *r)
{
    while (is_blank(peek(r)))
        r->at++;
}

static void skip_line(struct reading *r)
{
    while (!at_end(r) && peek(r) != '\n')
        r->at++;
}

static bool is_name(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!first && ((c >= '0' && c <= '9') || c == '.' || c == '-'));
}

static bool problem(const struct reading *r, size_t at, const char *message)
{
    diag_add_offset(&r->loader->diag, at, "%s", message);
    return false;
}

/* ---- ${NAME} ---- */

/* What stands above in the file, else zproc's own environment. */
static const char *lookup(const struct reading *r, struct str name)
{
    size_t number = (size_t)(uintptr_t)table_get(&r->index, name);
    if (number)
        return r->env->items[number - 1].value.raw;
    AUTO_FREE char *variable = mem_copy(name.data, name.len);
    return getenv(variable);
}

static struct str take_word(struct reading *r)
{
    size_t start = r->at;
    /* '.' and '-' are for names on the left: ${A-b} has a default. */
    while (is_name(peek(r), r->at == start) && peek(r) != '.' && peek(r) != '-')
        r->at++;
    return (struct str){r->text.data + start, r->at - start};
}

static bool expand(struct reading *r, struct buf *out, int depth);

/* Up to the '}' that closes it; what it stands for goes to out. */
static bool operand(struct reading *r, struct buf *out, size_t start, int depth)
{
    while (!at_end(r) && peek(r) != '}') {
        if (peek(r) == '$') {
            if (!expand(r, out, depth + 1))
                return false;
        } else {
            buf_add_char(out, r->text.data[r->at++]);
        }
        if (out->len > VALUE_BYTES_MAX)
            return problem(r, start, "the value is longer than 128 KiB");
    }
    if (at_end(r))
        return problem(r, start, "'${' is not closed; expected '}'");
    r->at++;
    return true;
}

/* Behind "${" and the name. */
static bool braces(struct reading *r, struct str name, struct buf *out, size_t start, int depth)
{
    AUTO_BUF struct buf word = {0};
    const char *value = lookup(r, name);
    bool colon = peek(r) == ':';
    r->at += colon;
    char sign = peek(r);
    if (sign == '}' && !colon) {
        r->at++;
        buf_add_text(out, value ? value : "");
        return true;
    }
    if (!sign || !strchr("-?+", sign) || depth > EXPANSION_MAX)
        return problem(r, start,
                       "'${' is followed by a name and '}', or ':-', ':+', ':?' and a text before the '}'");
    r->at++;
    if (!operand(r, &word, start, depth))
        return false;
    bool set = value && (!colon || *value);
    if (sign == '?' && !set) {
        diag_add_offset(&r->loader->diag, start, "'%.*s' is not set: %s", STR_ARG(name),
                        word.data ? word.data : "it is needed here");
        return false;
    }
    if (sign == '+' ? set : !set)
        buf_add_str(out, buf_str(&word));
    else if (sign != '+')
        buf_add_text(out, value);
    return true;
}

/* At a '$'. One that no name follows stands for itself. */
static bool expand(struct reading *r, struct buf *out, int depth)
{
    size_t start = r->at++;
    bool open = peek(r) == '{';
    r->at += open;
    struct str name = take_word(r);
    if (open && name.len == 0)
        return problem(r, start, "'${' is followed by the name of a variable");
    if (open)
        return braces(r, name, out, start, depth);
    if (name.len) {
        const char *value = lookup(r, name);
        buf_add_text(out, value ? value : "");
        return true;
    }
    r->at += peek(r) == '$'; /* $$ is one */
    buf_add_char(out, '$');
    return true;
}

/* ---- Values ---- */

static void escape(struct reading *r, struct buf *out)
{
    static const char letters[] = "nrtabfv\\\"$", meanings[] = "\n\r\t\a\b\f\v\\\"$";
    char c = r->at + 1 < r->text.len ? r->text.data[r->at + 1] : '\0';
    const char *found = c ? strchr(letters, c) : NULL;
    r->at += found ? 2 : 1;
    buf_add_char(out, found ? meanings[found - letters] : '\\');
}

static bool quoted(struct reading *r, struct buf *out)
{
    size_t start = r->at;
    char quote = r->text.data[r->at++];
    while (!at_end(r) && peek(r) != quote) {
        bool escaped_quote =
            quote == '\'' && peek(r) == '\\' && r->at + 1 < r->text.len && r->text.data[r->at + 1] == quote;
        if (out->len > VALUE_BYTES_MAX)
            return problem(r, start, "the value is longer than 128 KiB");
        if (quote == '"' && peek(r) == '\\') {
            escape(r, out);
        } else if (quote == '"' && peek(r) == '$') {
            if (!expand(r, out, 0))
                return false;
        } else {
            r->at += escaped_quote;
            buf_add_char(out, r->text.data[r->at++]);
        }
    }
    if (at_end(r))
        return problem(r, start, "the text in quotes is not closed");
    r->at++;
    skip_blanks(r);
    if (!at_end(r) && peek(r) != '\n' && peek(r) != '#')
        return problem(r, r->at, "only a comment can stand behind the closing quote");
    return true;
}

static bool unquoted(struct reading *r, struct buf *out)
{
    size_t start = r->at, length = 0; /* without blanks at the end */
    while (!at_end(r) && peek(r) != '\n') {
        if (peek(r) == '#' && is_blank(r->text.data[r->at - 1]))
            break;
        if (out->len > VALUE_BYTES_MAX)
            return problem(r, start, "the value is longer than 128 KiB");
        bool blank = is_blank(peek(r));
        if (peek(r) == '$') {
            if (!expand(r, out, 0))
                return false;
        } else {
            buf_add_char(out, r->text.data[r->at++]);
        }
        if (!blank)
            length = out->len;
    }
    if (out->data) {
        out->len = length;
        out->data[length] = '\0';
    }
    return true;
}

/* ---- Lines ---- */

static void variable_add(struct reading *r, struct str name, const char *value)
{
    struct plan_memory *memory = r->loader->memory;
    if (r->env->count == r->capacity) {
        r->capacity = r->capacity ? r->capacity * 2 : 8;
        struct plan_variable *items = memory_take(memory, r->capacity * sizeof *items);
        if (r->env->count)
            memcpy(items, r->env->items, r->env->count * sizeof *items);
        r->env->items = items;
    }
    r->env->items[r->env->count++] = (struct plan_variable){.name = memory_text(memory, name),
                                                            .value.raw = memory_text(memory, str_of(value))};
    table_put(&r->index, name, (void *)(uintptr_t)r->env->count);
}

/* A name alone is the variable as zproc itself has it. */
static void inherit(struct reading *r, struct str name)
{
    AUTO_FREE char *variable = mem_copy(name.data, name.len);
    const char *value = getenv(variable);
    if (value)
        variable_add(r, name, value);
}

static struct str take_name(struct reading *r)
{
    size_t start = r->at;
    while (is_name(peek(r), r->at == start))
        r->at++;
    return (struct str){r->text.data + start, r->at - start};
}

static bool line_read(struct reading *r)
{
    AUTO_BUF struct buf value = {0};
    struct str name = take_name(r);
    size_t after = r->at;
    skip_blanks(r);
    if (str_is(name, "export") && r->at > after && is_name(peek(r), true)) {
        name = take_name(r);
        skip_blanks(r);
    }
    if (name.len == 0)
        return problem(r, r->at,
                       "a line is NAME=VALUE, and a name has letters, digits and _, first no digit");
    if (at_end(r) || peek(r) == '\n' || peek(r) == '#') {
        inherit(r, name);
        return true;
    }
    if (peek(r) != '=' && peek(r) != ':') {
        diag_add_offset(&r->loader->diag, r->at, "a '=' is missing behind the name '%.*s'", STR_ARG(name));
        return false;
    }
    r->at++;
    skip_blanks(r);
    if (peek(r) == '"' || peek(r) == '\'' ? !quoted(r, &value) : !unquoted(r, &value))
        return false;
    variable_add(r, name, value.data ? value.data : "");
    return true;
}

void dotenv_read(struct loader *loader, struct plan_env *env)
{
    struct reading r = {.loader = loader, .text = loader->diag.source->text, .env = env};
    const char *nul = memchr(r.text.data, '\0', r.text.len);
    if (nul) {
        problem(&r, (size_t)(nul - r.text.data), "a file of variables cannot hold a NUL character");
        return;
    }
    if (str_starts_with(r.text, STR("\xef\xbb\xbf")))
        r.at = 3;
    while (!at_end(&r)) {
        skip_blanks(&r);
        if (!at_end(&r) && peek(&r) != '\n' && peek(&r) != '#')
            line_read(&r); /* a problem spoils its own line only */
        skip_line(&r);
        r.at++;
    }
    table_release(&r.index);
}
