/* From a byte of a scalar's text back to its place in the file: walks both side by side, over quotes,
 * escapes, folded lines and the indentation of blocks. */
#include "plan_priv.h"

struct walk {
    struct str source, text;
    enum node_style style;
    size_t at, done; /* in the source, in the text */
    size_t indent;   /* of a block's lines */
};

static char source_char(const struct walk *walk, size_t ahead)
{
    if (walk->at + ahead >= walk->source.len)
        return '\0';
    return walk->source.data[walk->at + ahead];
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Over a tag and an anchor, which libyaml counts to the scalar. */
static void skip_properties(struct walk *walk)
{
    while (source_char(walk, 0) == '!' || source_char(walk, 0) == '&') {
        while (source_char(walk, 0) && !is_space(source_char(walk, 0)))
            walk->at++;
        while (is_space(source_char(walk, 0)))
            walk->at++;
    }
}

static void skip_indent(struct walk *walk)
{
    for (size_t i = 0; i < walk->indent && source_char(walk, 0) == ' '; i++)
        walk->at++;
}

/* Behind the header of a block; its indentation is that of its first line with text. */
static void enter_block(struct walk *walk)
{
    while (source_char(walk, 0) && source_char(walk, 0) != '\n')
        walk->at++;
    walk->at++;
    size_t leading = 0;
    while (leading < walk->text.len && walk->text.data[leading] == ' ')
        leading++;
    for (size_t pos = walk->at, column = 0; pos < walk->source.len; pos++) {
        char c = walk->source.data[pos];
        if (c == ' ') {
            column++;
        } else if (c == '\n') {
            column = 0;
        } else {
            walk->indent = column > leading ? column - leading : 0;
            break;
        }
    }
    skip_indent(walk);
}

static size_t escape_length(char c)
{
    return c == 'x' ? 4 : c == 'u' ? 6 : c == 'U' ? 10 : 2;
}

static void step_over_character(struct walk *walk)
{
    utf8_next(walk->text, &walk->done);
}

/* Folding changes white space only: goes over a run of it on both sides. False when there is none. */
static bool skip_white(struct walk *walk)
{
    if (!is_space(source_char(walk, 0)) || !is_space(walk->text.data[walk->done]))
        return false;
    while (is_space(source_char(walk, 0)))
        walk->at++;
    while (walk->done < walk->text.len && is_space(walk->text.data[walk->done]))
        walk->done++;
    return true;
}

static bool step(struct walk *walk)
{
    char c = source_char(walk, 0), wanted = walk->text.data[walk->done];
    if (walk->style == STYLE_DOUBLE && c == '\\') {
        if (source_char(walk, 1) == '\n') {
            walk->at += 2;
            while (source_char(walk, 0) == ' ' || source_char(walk, 0) == '\t')
                walk->at++;
            return true;
        }
        walk->at += escape_length(source_char(walk, 1));
        step_over_character(walk);
        return true;
    }
    if (walk->style == STYLE_SINGLE && c == '\'' && source_char(walk, 1) == '\'') {
        walk->at += 2;
        walk->done++;
        return true;
    }
    if (c != wanted || (c == '\n' && walk->style != STYLE_LITERAL))
        return skip_white(walk);
    walk->at++;
    walk->done++;
    if (c == '\n')
        skip_indent(walk);
    return true;
}

size_t source_locate(const struct source *source, const struct node *node, size_t offset)
{
    size_t start = source_offset(source, node->line, node->column);
    struct walk walk = {.source = source->text, .text = node->text, .style = node->style, .at = start};
    skip_properties(&walk);
    if (node->style == STYLE_LITERAL || node->style == STYLE_FOLDED)
        enter_block(&walk);
    else if (node->style != STYLE_PLAIN)
        walk.at++;
    while (walk.done < offset && walk.done < walk.text.len)
        if (walk.at >= source->text.len || !step(&walk))
            return start;
    return walk.at;
}
