/* Damaged manifests: bytes flipped, cut out, doubled and swapped, from a seed. Whatever comes out of it, the
 * loader must end and say either a plan or problems. SEED in the environment replays one seed. */
#include "plan.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define SEEDS    200 /* for each file */
#define CHANGES  8
#define MANIFEST TEST_SOURCE_DIR "/tests/manifests/"

static uint64_t next_random(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

static void change(struct buf *text, uint64_t *random)
{
    static const char special[] = "{}[]:,-&*!|>'\"%@`#?\n\t $~.0\\\0\xff";
    if (text->len == 0)
        return;
    size_t at = next_random(random) % text->len, len = next_random(random) % 16 + 1;
    if (len > text->len - at)
        len = text->len - at;
    switch (next_random(random) % 4) {
    case 0:
        text->data[at] = (char)(text->data[at] ^ (1 << next_random(random) % 8));
        break;
    case 1:
        text->data[at] = special[next_random(random) % (sizeof special - 1)];
        break;
    case 2:
        memmove(text->data + at, text->data + at + len, text->len - at - len);
        text->len -= len;
        break;
    default:
        buf_add(text, special, len);
        memmove(text->data + at + len, text->data + at, text->len - len - at);
        break;
    }
}

static void load(struct str text)
{
    AUTO_BUF struct buf out = {0};
    /* A copy of the exact size, so that the sanitizer sees the first byte read beyond it. */
    char *exact = malloc(text.len ? text.len : 1);
    memcpy(exact, text.data, text.len);
    struct plan_problems problems = {0};
    struct plan *plan = plan_parse((struct str){exact, text.len}, "mutated.yaml", "/work", NULL, &problems);
    assert_int_equal(plan == NULL, problems.count > 0);
    for (size_t i = 0; i < problems.count; i++)
        plan_problem_print(&out, &problems.items[i], i % 2);
    assert_true(out.len == 0 || utf8_valid(buf_str(&out)));
    plan_problems_release(&problems);
    plan_free(plan);
    free(exact);
}

static void mutate_file(const char *path, uint64_t first, uint64_t count)
{
    AUTO_BUF struct buf original = {0};
    assert_true(file_read(path, 1 << 24, &original, NULL));
    for (uint64_t seed = first; seed < first + count; seed++) {
        AUTO_BUF struct buf text = {0};
        uint64_t random = seed * 0x9e3779b97f4a7c15 + 1;
        buf_add_str(&text, buf_str(&original));
        for (size_t i = next_random(&random) % CHANGES + 1; i > 0; i--)
            change(&text, &random);
        int64_t start = time_now_ms();
        load(buf_str(&text));
        if (time_now_ms() - start > 20000)
            fail_msg("%s with SEED=%llu takes more than 20 s", path, (unsigned long long)seed);
    }
}

static size_t mutate_folder(const char *folder)
{
    AUTO_FREE char *path = mem_format("%s%s", MANIFEST, folder);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    const char *replay = getenv("SEED");
    size_t files = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (!str_ends_with(str_of(entry->d_name), STR(".yaml")))
            continue;
        AUTO_FREE char *file = mem_format("%s/%s", path, entry->d_name);
        mutate_file(file, replay ? strtoull(replay, NULL, 10) : 1, replay ? 1 : SEEDS);
        files++;
    }
    closedir(dir);
    return files;
}

static void test_mutations(void **state)
{
    (void)state;
    assert_true(mutate_folder("good") > 0);
    assert_true(mutate_folder("bad") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mutations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
