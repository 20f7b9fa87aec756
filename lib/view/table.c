/* Colours, widths and aligned tables. */
#include "view.h"

#include <stdlib.h>

static const char *const codes[] = {
    [VIEW_PLAIN] = "",        [VIEW_BOLD] = "\033[1m",     [VIEW_DIM] = "\033[2m",
    [VIEW_RED] = "\033[31m",  [VIEW_GREEN] = "\033[32m",   [VIEW_YELLOW] = "\033[33m",
    [VIEW_BLUE] = "\033[34m", [VIEW_MAGENTA] = "\033[35m", [VIEW_CYAN] = "\033[36m",
};

void view_paint(struct buf *buf, enum view_colour colour, struct str text, bool on)
{
    if (!on || colour == VIEW_PLAIN || text.len == 0) {
        buf_add_str(buf, text);
        return;
    }
    buf_add_text(buf, codes[colour]);
    buf_add_str(buf, text);
    buf_add_text(buf, "\033[0m");
}

enum view_colour view_name_colour(size_t index)
{
    static const enum view_colour names[] = {VIEW_CYAN, VIEW_YELLOW, VIEW_GREEN, VIEW_MAGENTA, VIEW_BLUE};
    return names[index % LENGTH_OF(names)];
}

enum view_colour view_status_colour(const char *status)
{
    static const struct {
        const char *status;
        enum view_colour colour;
    } colours[] = {
        {"succeeded", VIEW_GREEN}, {"failed", VIEW_RED},  {"timeout", VIEW_RED}, {"lost", VIEW_RED},
        {"stopped", VIEW_YELLOW},  {"skipped", VIEW_DIM}, {"idle", VIEW_DIM},    {"ready", VIEW_GREEN},
        {"running", VIEW_CYAN},    {"waiting", VIEW_DIM},
    };
    for (size_t i = 0; i < LENGTH_OF(colours); i++)
        if (strcmp(colours[i].status, status) == 0)
            return colours[i].colour;
    return VIEW_PLAIN;
}

/* Wide and combining characters by range: wcwidth would need a locale, which a supervisor does not set. */
static size_t character_width(uint32_t c)
{
    if ((c >= 0x300 && c <= 0x36f) || c == 0x200d || (c >= 0xfe00 && c <= 0xfe0f))
        return 0;
    bool wide = (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) ||
                (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
                (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
                (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd);
    return wide ? 2 : 1;
}

size_t view_width(struct str text)
{
    size_t width = 0;
    for (size_t at = 0; at < text.len;)
        width += character_width(utf8_next(text, &at));
    return width;
}

/* Length of the UTF-8 character at the start of text, 0 when there is none. */
static size_t character_length(struct str text)
{
    for (size_t len = 1; len <= 4 && len <= text.len; len++)
        if (utf8_valid((struct str){text.data, len}))
            return len;
    return 0;
}

static void add_mended(struct buf *buf, struct str text, bool clean)
{
    while (text.len > 0) {
        size_t len = character_length(text);
        unsigned char first = (unsigned char)text.data[0];
        if (len == 0)
            buf_add_text(buf, "\xef\xbf\xbd");
        else if (clean && (first < 0x20 || first == 0x7f))
            buf_add_char(buf, ' ');
        else
            buf_add(buf, text.data, len);
        size_t step = len == 0 ? 1 : len;
        text = (struct str){text.data + step, text.len - step};
    }
}

void view_add_clean(struct buf *buf, struct str text)
{
    add_mended(buf, text, true);
}

void view_add_utf8(struct buf *buf, struct str text)
{
    if (utf8_valid(text))
        buf_add_str(buf, text);
    else
        add_mended(buf, text, false);
}

void view_table_add(struct view_table *table, enum view_colour colour, const char *text)
{
    struct buf clean = {0};
    view_add_clean(&clean, str_of(text));
    mem_grow(table->cells, table->capacity, table->count);
    table->cells[table->count++] = (struct view_cell){.text = buf_detach(&clean), .colour = colour};
}

/* The last column that has text in this row: nothing is padded behind it. */
static size_t row_end(const struct view_table *table, size_t row)
{
    size_t end = 0;
    for (size_t column = 0; column < table->columns && row + column < table->count; column++)
        if (table->cells[row + column].text[0] != '\0')
            end = column + 1;
    return end;
}

/* ---- Fitting ---- */

#define GAP        2
#define NAME_LEAST 10 /* columns that the first column keeps at least */
#define LAST_LEAST 20 /* and the last one; else it goes below its row */
#define BELOW      4  /* indentation there */
#define SUFFIX     4  /* of a shortened name: the number of an instance */

/* Bytes of the longest beginning that is so wide at most; of all there is at least one character. */
static size_t fitting(struct str text, size_t width)
{
    size_t at = 0, used = 0;
    while (at < text.len) {
        size_t next = at;
        used += character_width(utf8_next(text, &next));
        if (used > width && at > 0)
            return at;
        at = next;
    }
    return at;
}

/* The same, broken behind a word where there is one. */
static size_t fitting_words(struct str text, size_t width)
{
    size_t all = fitting(text, width), at = all;
    if (all == text.len)
        return all;
    while (at > 0 && text.data[at] != ' ')
        at--;
    return at > 0 ? at : all;
}

/* The beginning and the end of a name that is too wide. */
static void add_short(struct buf *buf, struct str name, size_t width)
{
    size_t whole = view_width(name), tail = name.len;
    if (whole <= width || width < SUFFIX + 3) {
        buf_add_str(buf, name);
        return;
    }
    while (tail > 0 && view_width((struct str){name.data + tail, name.len - tail}) < SUFFIX)
        do
            tail--;
        while (tail > 0 && ((unsigned char)name.data[tail] & 0xc0) == 0x80);
    struct str end = {name.data + tail, name.len - tail};
    buf_add(buf, name.data, fitting(name, width - 1 - view_width(end)));
    buf_add_text(buf, "\xe2\x80\xa6");
    buf_add_str(buf, end);
}

struct layout {
    size_t *widths;
    size_t last;  /* width of the last column: it is broken into lines so wide; 0: it is not */
    size_t start; /* where these begin */
    bool below;   /* all of them stand below the row */
};

static size_t sum(const size_t *widths, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += widths[i] + (i > 0 ? GAP : 0);
    return total;
}

static void shrink(size_t *width, size_t least, size_t over)
{
    size_t keep = *width > over ? *width - over : 0;
    *width = keep > least ? keep : *width < least ? *width : least;
}

static void fit(const struct view_table *table, struct layout *layout)
{
    size_t count = table->columns, *widths = layout->widths, total = sum(widths, count), first = widths[0];
    if (table->width == 0 || total <= table->width || count < 2)
        return;
    shrink(&widths[count - 1], LAST_LEAST, total - table->width);
    total = sum(widths, count);
    if (total > table->width)
        shrink(&widths[0], NAME_LEAST, total - table->width);
    layout->below = sum(widths, count) > table->width;
    if (layout->below) { /* there is room for the others then */
        widths[0] = first;
        total = sum(widths, count - 1);
        shrink(&widths[0], NAME_LEAST, total > table->width ? total - table->width : 0);
    }
    layout->start = layout->below ? BELOW : sum(widths, count - 1) + GAP;
    layout->last = table->width > layout->start + 1 ? table->width - layout->start : 1;
}

/* The last column, line by line. */
static void add_broken(struct buf *buf, const struct view_cell *cell, const struct layout *layout,
                       bool colour)
{
    struct str rest = str_of(cell->text);
    bool first = !layout->below;
    while (rest.len > 0) {
        size_t len = fitting_words(rest, layout->last);
        for (size_t i = 0; !first && i < layout->start; i++)
            buf_add_char(buf, ' ');
        view_paint(buf, cell->colour, (struct str){rest.data, len}, colour);
        buf_add_char(buf, '\n');
        while (len < rest.len && rest.data[len] == ' ')
            len++;
        rest = (struct str){rest.data + len, rest.len - len};
        first = false;
    }
}

static void add_row(struct buf *buf, const struct view_table *table, size_t row, const struct layout *layout,
                    bool colour)
{
    size_t end = row_end(table, row), count = table->columns;
    bool broken = layout->last > 0 && end == count;
    for (size_t column = 0; column < end; column++) {
        const struct view_cell *cell = &table->cells[row + column];
        AUTO_BUF struct buf text = {0};
        if (broken && column + 1 == count && layout->below)
            break;
        if (broken && column + 1 == count) {
            add_broken(buf, cell, layout, colour);
            return;
        }
        add_short(&text, str_of(cell->text), column == 0 ? layout->widths[0] : SIZE_MAX);
        view_paint(buf, cell->colour, buf_str(&text), colour);
        bool more = column + 1 < end && !(broken && layout->below && column + 2 == count);
        for (size_t pad = view_width(buf_str(&text)); more && pad < layout->widths[column] + GAP; pad++)
            buf_add_char(buf, ' ');
    }
    buf_add_char(buf, '\n');
    if (broken && !(table->headed && row == 0))
        add_broken(buf, &table->cells[row + count - 1], layout, colour);
}

void view_table_print(struct buf *buf, const struct view_table *table, bool colour)
{
    struct layout layout = {.widths = mem_array(table->columns, sizeof(size_t))};
    for (size_t i = 0; i < table->count; i++) {
        size_t width = view_width(str_of(table->cells[i].text));
        if (width > layout.widths[i % table->columns])
            layout.widths[i % table->columns] = width;
    }
    fit(table, &layout);
    for (size_t row = 0; row < table->count; row += table->columns)
        add_row(buf, table, row, &layout, colour);
    free(layout.widths);
}

void view_table_release(struct view_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i].text);
    free(table->cells);
    *table = (struct view_table){0};
}
