/* Help screens, made from the tables. */
#include "command.h"

#define COLUMN 30 /* where the words on a row begin */

static const char *const group_titles[] = {
    [GROUP_RUN] = "Run workers",       [GROUP_CONTROL] = "Control a run",  [GROUP_READ] = "Read the state",
    [GROUP_WRITE] = "Write the state", [GROUP_WATCH] = "Wait for changes", [GROUP_SERVER] = "Servers",
};

const char *group_title(size_t group)
{
    return group < LENGTH_OF(group_titles) ? group_titles[group] : NULL;
}

static void add_row(struct buf *buf, size_t start, const char *help)
{
    size_t width = buf->len - start;
    bool fits = width < COLUMN;
    buf_add_format(buf, "%s%*s%s\n", fits ? "" : "\n", fits ? (int)(COLUMN - width) : COLUMN, "", help);
}

static void add_options(struct buf *buf, const struct option *rows)
{
    for (; rows && rows->name; rows++) {
        size_t start = buf->len;
        if (rows->letter)
            buf_add_format(buf, "  -%c, --%s", rows->letter, rows->name);
        else
            buf_add_format(buf, "      --%s", rows->name);
        if (rows->argument)
            buf_add_format(buf, " %s", rows->argument);
        add_row(buf, start, rows->help);
    }
}

void help_command(struct buf *buf, const struct command *command)
{
    bool has_options = command->options && command->options->name;
    buf_add_format(buf, "Usage: zproc %s%s%s%s\n%s.\n", command->name, has_options ? " [OPTIONS]" : "",
                   *command->usage ? " " : "", command->usage, command->summary);
    if (command->alias)
        buf_add_format(buf, "Also called: %s\n", command->alias);
    if (command->notes)
        buf_add_format(buf, "\n%s", command->notes);
    if (has_options) {
        buf_add_text(buf, "\nOptions:\n");
        add_options(buf, command->options);
    }
    if (command->examples)
        buf_add_format(buf, "\nExamples:\n%s", command->examples);
    buf_add_text(buf, "\nGlobal options and all commands: zproc help\n");
}

void help_all(struct buf *buf)
{
    buf_add_text(buf, "Usage: zproc [GLOBAL OPTIONS] COMMAND [OPTIONS] [OPERANDS]\n"
                      "Run a graph of commands with one shared, watchable JSON state.\n");
    const char *title;
    for (size_t group = 0; (title = group_title(group)); group++) {
        buf_add_format(buf, "\n%s:\n", title);
        for (const struct command *const *next = commands; *next; next++) {
            if ((*next)->group != group)
                continue;
            size_t start = buf->len;
            buf_add_format(buf, "  %s %s", (*next)->name, (*next)->usage);
            add_row(buf, start, (*next)->summary);
        }
    }
    buf_add_text(buf, "\nGlobal options:\n");
    add_options(buf, global_options);
    buf_add_text(buf, "\nHelp for a command: zproc help COMMAND\n");
}

/* ---- A narrow terminal ---- */

/* Where the rest of a line goes on; SIZE_MAX for what is not broken: examples are there to be copied. */
static size_t indent_of(struct str line)
{
    if (str_starts_with(line, STR("Usage:")))
        return strlen("Usage: ");
    if (line.len == 0 || line.data[0] != ' ')
        return 0;
    bool row = line.len > COLUMN && line.data[COLUMN - 1] == ' ' && line.data[COLUMN] != ' ';
    return row ? COLUMN : SIZE_MAX;
}

/* Appends the line, broken at spaces to fit, without a newline at its end. True when it had to be broken. */
static bool fit_line(struct buf *buf, struct str line, size_t indent, size_t columns)
{
    const char *start = line.data;
    size_t room = columns, least = indent;
    while (indent != SIZE_MAX && line.len > room) {
        size_t end = room;
        while (end > least && line.data[end] != ' ')
            end--;
        if (end == least)
            break;
        buf_add_format(buf, "%.*s\n%*s", (int)end, line.data, (int)indent, "");
        line = (struct str){line.data + end + 1, line.len - end - 1};
        room = columns - indent;
        least = 0;
    }
    buf_add_str(buf, line);
    return line.data != start;
}

void help_fit(struct buf *buf, struct str text, size_t columns)
{
    AUTO_BUF struct buf line = {0};
    for (size_t at = 0; at < text.len;) {
        size_t len = (size_t)((char *)memchr(text.data + at, '\n', text.len - at) - (text.data + at));
        buf_add(&line, text.data + at, len);
        at += len + 1;
        size_t indent = indent_of(buf_str(&line)), start = buf->len;
        bool broken = fit_line(buf, buf_str(&line), indent, columns);
        bool goes_on = at < text.len && text.data[at] != '\n' && text.data[at] != ' ';
        line.len = 0;
        if (broken && indent == 0 && goes_on) { /* prose: its rest flows into the next line */
            size_t last = buf->len;
            while (last > start && buf->data[last - 1] != '\n')
                last--;
            buf_add_format(&line, "%.*s ", (int)(buf->len - last), buf->data + last);
            buf->len = last;
        } else {
            buf_add_char(buf, '\n');
        }
    }
}
