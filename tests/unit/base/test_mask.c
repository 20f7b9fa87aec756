/* Masks: texts are found however the stream is cut, and nothing else is touched. */
#include "../unit.h"

#include <stdlib.h>

/* Feeds text in pieces of `step` bytes. */
static char *masked(const struct mask *mask, struct str text, size_t step)
{
    struct mask_stream stream = {0};
    struct buf out = {0};
    for (size_t at = 0; at < text.len; at += step)
        mask_feed(mask, &stream, (struct str){text.data + at, text.len - at < step ? text.len - at : step},
                  &out);
    mask_end(&stream, &out);
    mask_stream_release(&stream);
    return buf_detach(&out);
}

static void check(const char *const *secrets, const char *text, const char *wanted)
{
    struct mask mask = {0};
    for (; *secrets; secrets++)
        assert_true(mask_add(&mask, str_of(*secrets)));
    for (size_t step = 1; step <= strlen(text) + 1; step++) {
        AUTO_FREE char *got = masked(&mask, str_of(text), step);
        assert_string_equal(got, wanted);
    }
    AUTO_BUF struct buf out = {0};
    mask_whole(&mask, str_of(text), &out);
    buf_add_text(&out, "");
    assert_string_equal(out.data, wanted);
    mask_release(&mask);
}

#define CHECK(text, wanted, ...) check((const char *const[]){__VA_ARGS__, NULL}, text, wanted)

static void finds(void **state)
{
    (void)state;
    CHECK("the password is hunter22.", "the password is ***.", "hunter22");
    CHECK("hunter22", "***", "hunter22");
    CHECK("hunter22hunter22 hunter2", "*** hunter2", "hunter22");
    CHECK("line\nmulti\nline\nsecret\n", "line\n***\nsecret\n", "multi\nline");
    CHECK("nothing here", "nothing here", "hunter22");
    CHECK("", "", "hunter22");
}

static void finds_overlapping(void **state)
{
    (void)state;
    CHECK("xabcdefx", "x***x", "abcd", "cdef");
    CHECK("abcdeabcdab", "***e***", "abcd", "cdab");
    CHECK("aabaabaaab", "***ab", "abaabaa", "aaba");
    CHECK("aaaaaaa", "***", "aaaa");
    CHECK("secret-key secret", "*** ***", "secret", "secret-key");
    CHECK("abcabcabd abcabcab", "*** abcabcab", "abcabcabd");
}

static void too_short_or_new(void **state)
{
    (void)state;
    struct mask mask = {0};
    struct mask_stream stream = {0};
    AUTO_BUF struct buf out = {0};
    assert_false(mask_add(&mask, STR("")));
    assert_false(mask_add(&mask, STR("abc")));
    assert_int_equal(mask.count, 0);
    assert_true(mask_add(&mask, STR("first")));
    assert_true(mask_add(&mask, STR("first")));
    assert_int_equal(mask.count, 1);
    mask_feed(&mask, &stream, STR("fir"), &out);
    assert_int_equal(out.len, 0);
    assert_true(mask_add(&mask, STR("other")));
    mask_feed(&mask, &stream, STR("st other oth"), &out);
    assert_true(str_is(buf_str(&out), "*** *** "));
    mask_end(&stream, &out);
    assert_true(str_is(buf_str(&out), "*** *** oth"));
    mask_stream_release(&stream);
    mask_release(&mask);
}

/* Against a search of the whole text, on texts of few letters, so that much overlaps. */
static void random_texts(void **state)
{
    (void)state;
    unsigned seed = 1;
    for (int round = 0; round < 20000; round++) {
        struct mask mask = {0};
        char secrets[3][8], text[41], marks[40] = {0};
        size_t len = (size_t)rand_r(&seed) % 40;
        for (size_t i = 0; i < len; i++)
            text[i] = (char)('a' + rand_r(&seed) % 2);
        for (int s = 0; s < 3; s++) {
            size_t size = 4 + (size_t)rand_r(&seed) % 4;
            for (size_t i = 0; i < size; i++)
                secrets[s][i] = (char)('a' + rand_r(&seed) % 2);
            mask_add(&mask, (struct str){secrets[s], size});
            for (size_t i = 0; i + size <= len; i++)
                if (memcmp(text + i, secrets[s], size) == 0)
                    memset(marks + i, 1, size);
        }
        AUTO_BUF struct buf wanted = {0};
        for (size_t i = 0; i < len; i++)
            if (!marks[i])
                buf_add_char(&wanted, text[i]);
            else if (i == 0 || !marks[i - 1])
                buf_add_text(&wanted, "***");
        buf_add_text(&wanted, "");
        AUTO_FREE char *got = masked(&mask, (struct str){text, len}, 1 + (size_t)rand_r(&seed) % 7);
        assert_string_equal(got, wanted.data);
        mask_release(&mask);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds),
        cmocka_unit_test(finds_overlapping),
        cmocka_unit_test(too_short_or_new),
        cmocka_unit_test(random_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
