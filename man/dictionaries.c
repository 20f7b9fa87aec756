/* Dictionaries of the fuzzers (libFuzzer's form): the words that the tables know. */
#include "generate.h"
#include "plan.h"
#include "wire.h"

static void word_add(struct buf *buf, const char *before, const char *word, const char *after)
{
    buf_add_format(buf, "\"%s%s%s\"\n", before, word, after);
}

bool request_words_write(struct buf *buf, struct err *err)
{
    (void)err;
    for (int i = 0; i < FIELD_COUNT; i++)
        word_add(buf, "\\\"", field_info((enum field)i)->name, "\\\":");
    for (int i = OP_NONE + 1; i < OP_COUNT; i++)
        word_add(buf, "\\\"", op_info((enum op)i)->name, "\\\"");
    return true;
}

static void key_add(void *ctx, const struct plan_key *key)
{
    word_add(ctx, "", key->name, ": ");
}

bool manifest_words_write(struct buf *buf, struct err *err)
{
    (void)err;
    plan_keys(key_add, buf);
    word_add(buf, "", "${{ ", " }}");
    return true;
}
