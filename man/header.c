/* The part of libzproc(3) that describes the interface: made from the comments and declarations of zproc.h.
 * The header's form is simple on purpose: "---- Title ----" begins a section, a comment stands before what it
 * is about, members have theirs on the same line. */
#include "generate.h"

#include <ctype.h>

struct header {
    struct str rest;
    struct buf comment;
    struct buf *out;
    bool list; /* a list is open */
};

static struct str trimmed(struct str s)
{
    while (s.len > 0 && isspace((unsigned char)s.data[0]))
        s = (struct str){s.data + 1, s.len - 1};
    while (s.len > 0 && isspace((unsigned char)s.data[s.len - 1]))
        s.len--;
    return s;
}

static struct str part_of(struct str s, size_t from, size_t to)
{
    return (struct str){s.data + from, to - from};
}

static bool line_next(struct header *header, struct str *line)
{
    if (header->rest.len == 0)
        return false;
    ptrdiff_t end = str_find(header->rest, STR("\n"));
    size_t len = end < 0 ? header->rest.len : (size_t)end;
    *line = part_of(header->rest, 0, len);
    header->rest = part_of(header->rest, len + (end >= 0), header->rest.len);
    return true;
}

/* ---- mdoc ---- */

static void sentence_add(struct buf *out, struct buf *comment)
{
    if (comment->len > 0)
        mdoc_sentence(out, comment->data);
    buf_clear(comment);
}

static void list_open(struct header *header)
{
    if (!header->list)
        buf_add_text(header->out, ".Bl -tag -width Ds\n");
    header->list = true;
}

static bool list_close(struct header *header)
{
    bool was_open = header->list;
    if (was_open)
        buf_add_text(header->out, ".El\n");
    header->list = false;
    return was_open;
}

/* One argument of a macro. */
static void argument_add(struct buf *out, struct str text)
{
    buf_add_text(out, " \"");
    mdoc_literal(out, trimmed(text));
    buf_add_char(out, '"');
}

static void item_add(struct header *header, const char *macro, struct str name)
{
    list_open(header);
    buf_add_format(header->out, ".It %s", macro);
    argument_add(header->out, name);
    buf_add_char(header->out, '\n');
    sentence_add(header->out, &header->comment);
}

/* ---- The header's parts ---- */

static void comment_read(struct header *header, struct str line)
{
    buf_clear(&header->comment);
    line = part_of(line, 2, line.len);
    for (ptrdiff_t end; (end = str_find(line, STR("*/"))) < 0;) {
        buf_add_str(&header->comment, trimmed(line));
        buf_add_char(&header->comment, ' ');
        if (!line_next(header, &line))
            return;
        line = trimmed(line);
        if (line.len > 1 && line.data[0] == '*' && line.data[1] == ' ')
            line = part_of(line, 2, line.len);
    }
    line = trimmed(part_of(line, 0, (size_t)str_find(line, STR("*/"))));
    if (line.len > 0)
        buf_add_str(&header->comment, line);
    else if (header->comment.len > 0)
        header->comment.data[--header->comment.len] = '\0';
}

/* "type name(one, two);": a tag of its type, its name and its parameters. */
static void function_add(struct header *header, struct str text)
{
    size_t open = (size_t)str_find(text, STR("(")), name = open, close = text.len;
    while (name > 0 && (isalnum((unsigned char)text.data[name - 1]) || text.data[name - 1] == '_'))
        name--;
    while (close > open && text.data[close] != ')')
        close--;
    list_open(header);
    buf_add_text(header->out, ".It Xo\n.Ft ");
    mdoc_literal(header->out, trimmed(part_of(text, 0, name)));
    buf_add_text(header->out, "\n.Fn ");
    buf_add_str(header->out, part_of(text, name, open));
    for (size_t from = open + 1, at = from; at <= close; at++) {
        if (at < close && text.data[at] != ',')
            continue;
        argument_add(header->out, part_of(text, from, at));
        from = at + 1;
    }
    buf_add_text(header->out, "\n.Xc\n");
    sentence_add(header->out, &header->comment);
}

/* Everything up to the ';', in one line with single spaces. */
static void declaration_add(struct header *header, struct str line)
{
    AUTO_BUF struct buf text = {0};
    buf_add_str(&text, trimmed(line));
    while (!str_ends_with(buf_str(&text), STR(";")) && line_next(header, &line)) {
        buf_add_char(&text, ' ');
        buf_add_str(&text, trimmed(line));
    }
    struct str all = part_of(buf_str(&text), 0, text.len - 1);
    if (str_find(all, STR("(")) >= 0) {
        function_add(header, all);
        return;
    }
    size_t name = all.len;
    while (name > 0 && all.data[name - 1] != ' ')
        name--;
    item_add(header, "Vt", part_of(all, name, all.len));
}

/* "NAME = 1, " or "type name; ", and what the line says about it. */
static void member_add(struct header *header, struct str line)
{
    ptrdiff_t comment = str_find(line, STR("/*"));
    struct str member = trimmed(comment < 0 ? line : part_of(line, 0, (size_t)comment));
    size_t end = member.len;
    for (size_t i = 0; i < member.len; i++)
        if (strchr("=,;", member.data[i]) && i < end)
            end = i;
    buf_add_text(header->out, ".It Fa");
    argument_add(header->out, part_of(member, 0, end));
    buf_add_char(header->out, '\n');
    if (comment >= 0) {
        comment_read(header, part_of(line, (size_t)comment, line.len));
        sentence_add(header->out, &header->comment);
    }
}

/* "enum zp_x {" or "typedef struct zp_x {": an item with a list of its members. */
static void members_add(struct header *header, struct str line)
{
    struct str name = trimmed(part_of(line, 0, line.len - 1)), type = STR("typedef struct ");
    if (str_starts_with(name, type))
        name = part_of(name, type.len, name.len);
    item_add(header, "Vt", name);
    buf_add_text(header->out, ".Bl -tag -width Ds -compact\n");
    while (line_next(header, &line) && !str_starts_with(line, STR("}")))
        member_add(header, trimmed(line));
    buf_add_text(header->out, ".El\n");
}

static void title_add(struct header *header, struct str line)
{
    list_close(header);
    buf_add_text(header->out, ".Ss ");
    mdoc_literal(header->out, part_of(line, strlen("/* ---- "), line.len - strlen(" ---- */")));
    buf_add_char(header->out, '\n');
}

static void macro_add(struct header *header, struct str line)
{
    struct str define = STR("#define ");
    if (!str_starts_with(line, define)) {
        buf_clear(&header->comment);
        return;
    }
    line = part_of(line, define.len, line.len);
    item_add(header, "Dv", part_of(line, 0, (size_t)str_find(line, STR(" "))));
}

/* A comment with nothing behind it is a paragraph. */
static void blank_add(struct header *header)
{
    if (header->comment.len == 0)
        return;
    if (list_close(header))
        buf_add_text(header->out, ".Pp\n");
    sentence_add(header->out, &header->comment);
}

static void line_add(struct header *header, struct str line)
{
    if (str_starts_with(line, STR("/* ---- ")))
        title_add(header, line);
    else if (str_starts_with(line, STR("/*")))
        comment_read(header, line);
    else if (str_starts_with(line, STR("#")))
        macro_add(header, line);
    else if (line.len == 0)
        blank_add(header);
    else if (str_ends_with(line, STR("{")))
        members_add(header, line);
    else if (line.data[0] != '}')
        declaration_add(header, line);
}

bool header_write(struct str text, struct buf *out, struct err *err)
{
    struct str begin = STR("extern \"C\" {\n#endif\n");
    ptrdiff_t at = str_find(text, begin);
    if (at < 0)
        return err_set(err, ERR_INVALID, "the header has no line 'extern \"C\" {'");
    struct header header = {.rest = part_of(text, (size_t)at + begin.len, text.len), .out = out};
    struct str line;
    while (line_next(&header, &line))
        line_add(&header, line);
    list_close(&header);
    buf_release(&header.comment);
    return true;
}
