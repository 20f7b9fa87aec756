/* Problems of a manifest: collected, said once each, sorted by place, printed with the line and a caret. */
#include "plan_priv.h"

#include <stdlib.h>

#define SHOWN_MAX       200    /* characters of a line that are shown */
#define SUGGESTIONS_MAX 200000 /* candidates that are looked at for "did you mean", in all */

void plan_problems_release(struct plan_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        free(problems->items[i].file);
        free(problems->items[i].message);
        free(problems->items[i].text);
    }
    free(problems->items);
    *problems = (struct plan_problems){0};
}

static void caret_print(struct buf *buf, const struct plan_problem *problem, bool colour)
{
    struct str text = str_of(problem->text);
    size_t pos = 0;
    for (size_t column = 1; column < problem->caret; column++) {
        if (pos >= text.len) { /* behind the end of the line */
            buf_add_char(buf, ' ');
            break;
        }
        buf_add_char(buf, utf8_next(text, &pos) == '\t' ? '\t' : ' ');
    }
    buf_add_text(buf, colour ? "\033[1;32m^\033[0m" : "^");
}

void plan_problem_print(struct buf *buf, const struct plan_problem *problem, bool colour)
{
    const char *bold = colour ? "\033[1m" : "", *plain = colour ? "\033[0m" : "";
    buf_add_format(buf, "%s%s:", bold, problem->file);
    if (problem->line)
        buf_add_format(buf, "%zu:%zu:", problem->line, problem->column);
    buf_add_format(buf, "%s %s\n", plain, problem->message);
    if (!problem->line || !problem->text)
        return;
    buf_add_format(buf, "%5zu | %s\n      | ", problem->line, problem->text);
    caret_print(buf, problem, colour);
    while (buf->len && buf->data[buf->len - 1] == ' ')
        buf->data[--buf->len] = '\0';
    buf_add_char(buf, '\n');
}

/* ---- The source ---- */

/* Length of the line break at pos, as libyaml counts them (YAML 1.1: NEL, LS and PS too); 0: none. */
static size_t break_length(struct str text, size_t pos)
{
    struct str rest = {text.data + pos, text.len - pos};
    if (str_starts_with(rest, STR("\r\n")))
        return 2;
    if (rest.len && (rest.data[0] == '\n' || rest.data[0] == '\r'))
        return 1;
    if (str_starts_with(rest, STR("\xc2\x85")))
        return 2;
    return str_starts_with(rest, STR("\xe2\x80\xa8")) || str_starts_with(rest, STR("\xe2\x80\xa9")) ? 3 : 0;
}

static void source_index(struct source *source)
{
    size_t capacity = 0;
    mem_grow(source->lines, capacity, source->line_count);
    source->lines[source->line_count++] = 0;
    for (size_t pos = 0; pos < source->text.len;) {
        size_t skip = break_length(source->text, pos);
        pos += skip ? skip : 1;
        if (!skip)
            continue;
        mem_grow(source->lines, capacity, source->line_count);
        source->lines[source->line_count++] = pos;
    }
}

static struct str source_line(const struct source *source, size_t line)
{
    if (line == 0 || line > source->line_count)
        return STR("");
    size_t start = source->lines[line - 1], end = start;
    while (end < source->text.len && !break_length(source->text, end))
        end++;
    return (struct str){source->text.data + start, end - start};
}

/* Length of one character, also of what is not UTF-8. */
static size_t character_length(struct str text, size_t pos)
{
    size_t next = pos;
    utf8_next(text, &next);
    return next - pos;
}

size_t source_offset(const struct source *source, size_t line, size_t column)
{
    if (line == 0 || line > source->line_count)
        return source->text.len;
    struct str text = source_line(source, line);
    size_t pos = 0;
    for (size_t i = 1; i < column && pos < text.len; i++)
        pos += character_length(text, pos);
    return source->lines[line - 1] + pos;
}

static void source_place(const struct source *source, size_t offset, size_t *line, size_t *column)
{
    size_t low = 0, high = source->line_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (source->lines[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    *line = low + 1;
    *column = 1;
    for (size_t pos = source->lines[low]; pos < offset && pos < source->text.len; ++*column)
        pos += character_length(source->text, pos);
}

/* ---- Collecting ---- */

/* Adds text so that a terminal shows it as it is: no control characters, only UTF-8. */
static void printable_add(struct buf *buf, struct str text, size_t limit)
{
    for (size_t pos = 0, shown = 0; pos < text.len; shown++) {
        if (shown == limit) {
            buf_add_text(buf, "…");
            return;
        }
        size_t start = pos;
        uint32_t code = utf8_next(text, &pos);
        struct str bytes = {text.data + start, pos - start};
        bool control = (code < 0x20 && code != '\t') || (code >= 0x7f && code < 0xa0);
        if (control || !utf8_valid(bytes))
            buf_add_text(buf, "\xef\xbf\xbd");
        else
            buf_add_str(buf, bytes);
    }
}

/* Adds what of a line is near a column; returns where that column is in it. */
static size_t line_add(struct buf *buf, struct str line, size_t column)
{
    if (column <= SHOWN_MAX) {
        printable_add(buf, line, SHOWN_MAX);
        return column;
    }
    size_t pos = 0, hidden = 0;
    for (; hidden < column - SHOWN_MAX / 2 && pos < line.len; hidden++)
        pos += character_length(line, pos);
    buf_add_text(buf, "…");
    printable_add(buf, (struct str){line.data + pos, line.len - pos}, SHOWN_MAX);
    return column - hidden + 1;
}

void diag_init(struct diag *diag, struct plan_memory *memory, struct plan_problems *problems)
{
    *diag = (struct diag){.memory = memory,
                          .problems = problems,
                          .first = problems->count,
                          .suggestions_left = SUGGESTIONS_MAX};
}

struct source *diag_source(struct diag *diag, const char *file, struct str text)
{
    struct source *source = memory_take(diag->memory, sizeof *source);
    *source = (struct source){.file = file, .text = text, .number = diag->source_count};
    source_index(source);
    mem_grow(diag->sources, diag->source_capacity, diag->source_count);
    diag->sources[diag->source_count++] = source;
    if (!diag->source)
        diag->source = source;
    return source;
}

static int problem_compare(const void *a, const void *b)
{
    const struct plan_problem *x = a, *y = b;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    return strcmp(x->message, y->message);
}

void diag_finish(struct diag *diag)
{
    size_t count = diag->problems->count - diag->first;
    if (count > 1)
        qsort(diag->problems->items + diag->first, count, sizeof *diag->problems->items, problem_compare);
    table_release(&diag->seen);
    for (size_t i = 0; i < diag->source_count; i++)
        free(diag->sources[i]->lines);
    free(diag->sources);
}

bool diag_failed(const struct diag *diag)
{
    return diag->problems->count > diag->first;
}

static void problem_store(struct diag *diag, const struct source *source, size_t line, size_t column,
                          char *message)
{
    struct plan_problems *problems = diag->problems;
    mem_grow(problems->items, problems->capacity, problems->count);
    AUTO_BUF struct buf text = {0};
    size_t caret = line ? line_add(&text, source_line(source, line), column) : 0;
    problems->items[problems->count++] = (struct plan_problem){
        .file = mem_text(source->file),
        .order = source->number,
        .line = line,
        .column = column,
        .message = message,
        .caret = caret,
        .text = line ? buf_detach(&text) : NULL,
    };
}

static void diag_vadd(struct diag *diag, const struct source *source, size_t line, size_t column,
                      const char *format, va_list args)
{
    size_t count = diag->problems->count - diag->first;
    if (count > PROBLEMS_MAX)
        return;
    if (count == PROBLEMS_MAX) {
        source = diag->sources[diag->source_count - 1];
        problem_store(diag, source, SIZE_MAX, 1,
                      mem_format("more than %d problems; the rest is left out", PROBLEMS_MAX));
        diag->problems->items[diag->problems->count - 1].line = source->line_count;
        return;
    }
    AUTO_BUF struct buf message = {0}, printable = {0};
    buf_add_vformat(&message, format, args);
    printable_add(&printable, buf_str(&message), 4000);
    AUTO_FREE char *key = mem_format("%s:%zu:%zu:%s", source->file, line, column, printable.data);
    if (table_get(&diag->seen, str_of(key)))
        return;
    char *kept = memory_text(diag->memory, str_of(key));
    table_put(&diag->seen, str_of(kept), kept);
    problem_store(diag, source, line, column, buf_detach(&printable));
}

void diag_add(struct diag *diag, size_t line, size_t column, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    diag_vadd(diag, diag->source, line, column, format, args);
    va_end(args);
}

void diag_add_place(struct diag *diag, const struct plan_place *place, const char *format, ...)
{
    const struct source *source = diag->source;
    va_list args;
    for (size_t i = 0; i < diag->source_count; i++)
        if (diag->sources[i]->file == place->file)
            source = diag->sources[i];
    va_start(args, format);
    diag_vadd(diag, source, place->line, place->column, format, args);
    va_end(args);
}

static const struct source *source_of(const struct diag *diag, const struct node *node)
{
    return node->source ? node->source : diag->source;
}

void diag_add_at(struct diag *diag, const struct node *node, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    diag_vadd(diag, source_of(diag, node), node->line, node->column, format, args);
    va_end(args);
}

void diag_add_offset(struct diag *diag, size_t offset, const char *format, ...)
{
    size_t line, column;
    source_place(diag->source, offset, &line, &column);
    va_list args;
    va_start(args, format);
    diag_vadd(diag, diag->source, line, column, format, args);
    va_end(args);
}

void diag_add_inside(struct diag *diag, const struct node *node, size_t offset, const char *format, ...)
{
    size_t line, column;
    const struct source *source = source_of(diag, node);
    source_place(source, source_locate(source, node, offset), &line, &column);
    va_list args;
    va_start(args, format);
    diag_vadd(diag, source, line, column, format, args);
    va_end(args);
}

const char *diag_nearest(struct diag *diag, struct str name, const char *const *candidates, size_t count)
{
    if (count > diag->suggestions_left)
        return NULL;
    diag->suggestions_left -= count;
    return str_nearest(name, candidates, count);
}
