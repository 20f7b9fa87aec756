/* The command line of the supervisor, for the commands that start one. */
#ifndef ZPROC_RUN_H
#define ZPROC_RUN_H

#include "command.h"

/* A command line under construction. */
struct line {
    char **items; /* owned; NULL at the end */
    size_t count, capacity;
};
void line_release(struct line *line);
/* What was given to the command, for zproc-run; extra (NULL: none) comes first. False with err; the line is
 * to be released in any case. */
bool supervisor_line(struct line *line, const struct args *args, const char *extra, struct err *err);

#endif
