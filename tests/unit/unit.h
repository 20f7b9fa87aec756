/* What unit tests share: cmocka with what it needs before it, and random numbers that a seed repeats. */
#ifndef ZPROC_TEST_UNIT_H
#define ZPROC_TEST_UNIT_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base.h"

#define assert_str(s, text)       assert_str_at(s, str_of(text), __FILE__, __LINE__)
#define assert_message(err, part) assert_message_at(err, part, __FILE__, __LINE__)
#define assert_seeded(seed, condition)                                                                       \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            fail_msg("with seed %llu: %s", (unsigned long long)(seed), #condition);                          \
    } while (0)

static inline void assert_str_at(struct str s, struct str expected, const char *file, int line)
{
    if (str_equal(s, expected))
        return;
    print_error("'%.*s' is not '%.*s'\n", (int)s.len, s.data, (int)expected.len, expected.data);
    _fail(file, line);
}

static inline void assert_message_at(const struct err *err, const char *part, const char *file, int line)
{
    if (strstr(err->message, part))
        return;
    print_error("'%s' does not say '%s'\n", err->message, part);
    _fail(file, line);
}

/* Setup and teardown: the test is in an empty folder of its own, whose path is its state. */
static inline int folder_enter(void **state)
{
    char *folder = mem_text("/tmp/zproc-test-XXXXXX");
    *state = folder;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static inline int folder_leave(void **state)
{
    AUTO_FREE char *folder = *state;
    AUTO_FREE char *command = mem_format("rm -rf %s", folder);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static inline void file_write(const char *path, struct str bytes)
{
    AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_true(fd_write_all(fd, bytes.data, bytes.len));
}

/* SplitMix64. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* From 0 to limit - 1. */
static inline size_t random_below(uint64_t *state, size_t limit)
{
    return (size_t)(random_next(state) % limit);
}

#endif
