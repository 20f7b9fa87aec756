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

void view_table_print(struct buf *buf, const struct view_table *table, bool colour)
{
    size_t *widths = mem_array(table->columns, sizeof *widths);
    for (size_t i = 0; i < table->count; i++) {
        size_t width = view_width(str_of(table->cells[i].text));
        if (width > widths[i % table->columns])
            widths[i % table->columns] = width;
    }
    for (size_t row = 0; row < table->count; row += table->columns) {
        size_t end = row_end(table, row);
        for (size_t column = 0; column < end; column++) {
            const struct view_cell *cell = &table->cells[row + column];
            view_paint(buf, cell->colour, str_of(cell->text), colour);
            for (size_t pad = view_width(str_of(cell->text)); column + 1 < end && pad < widths[column] + 2;
                 pad++)
                buf_add_char(buf, ' ');
        }
        buf_add_char(buf, '\n');
    }
    free(widths);
}

void view_table_release(struct view_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i].text);
    free(table->cells);
    *table = (struct view_table){0};
}
