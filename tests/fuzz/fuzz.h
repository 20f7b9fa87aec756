/* What fuzz targets share: the entry that libFuzzer and replay.c call, and checks that cannot be compiled
 * out. */
#ifndef ZPROC_FUZZ_H
#define ZPROC_FUZZ_H

#include "base.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);                          \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

/* The input up to the first NUL, and what stands behind it. */
static inline struct str fuzz_cut(const uint8_t *data, size_t size, struct str *rest)
{
    const uint8_t *end = size > 0 ? memchr(data, 0, size) : NULL;
    size_t len = end ? (size_t)(end - data) : size;
    *rest = end ? (struct str){(const char *)end + 1, size - len - 1} : STR("");
    return (struct str){(const char *)data, len};
}

#endif
