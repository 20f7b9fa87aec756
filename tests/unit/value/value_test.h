/* What the tests of values share: values from text and their text. */
#ifndef ZPROC_TEST_VALUE_H
#define ZPROC_TEST_VALUE_H

#include "../unit.h"

#include <stdlib.h>

#include "value.h"

#define assert_prints(value, text) assert_prints_at(value, text, __FILE__, __LINE__)

/* A value from JSON text, which must be right; the caller drops it. */
static inline struct value *parsed(const char *text)
{
    struct err err = {0};
    struct value *value = value_parse(str_of(text), &err);
    if (!value)
        fail_msg("%s: %s", text, err.message);
    return value;
}

static inline void assert_prints_at(const struct value *value, const char *text, const char *file, int line)
{
    AUTO_BUF struct buf buf = {0};
    value_print(&buf, value);
    assert_str_at(buf_str(&buf), str_of(text), file, line);
}

/* Lists inside each other, around null; depth of them. */
static inline struct value *nested(size_t depth)
{
    struct value *value = value_null();
    for (; depth > 0; depth--) {
        struct value *list = value_list();
        list_push(list, value);
        value = list;
    }
    return value;
}

#endif
