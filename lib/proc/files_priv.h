/* Patterns of paths, for the watch of files. */
#ifndef ZPROC_FILES_PRIV_H
#define ZPROC_FILES_PRIV_H

#include "base.h"

/* An absolute pattern, cut at its slashes. */
struct pattern {
    char **parts;
    size_t count, capacity;
    size_t plain; /* so many parts at the beginning have no wildcards: they are names */
};
/* Below dir, unless the text begins with a slash; "." and ".." are resolved as they are spelled. */
void pattern_open(struct pattern *pattern, const char *dir, const char *text);
void pattern_release(struct pattern *pattern);
/* Matches the absolute path, or a folder above it. */
bool pattern_fits(const struct pattern *pattern, const char *path);
/* Whether something below this folder may match. */
bool pattern_reaches(const struct pattern *pattern, const char *folder);
/* The path of its first `count` parts; the caller's. */
char *pattern_prefix(const struct pattern *pattern, size_t count);

#endif
