/* Help screens, made from the tables. */
#include "command.h"

#define COLUMN 30

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
    buf_add_format(buf, "%*s%s\n", width < COLUMN ? (int)(COLUMN - width) : 1, "", help);
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
