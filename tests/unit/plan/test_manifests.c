/* Every manifest of tests/manifests: the good ones load, the bad ones give exactly the text of their .txt
 * (with UPDATE=1 in the environment that text is written anew; read it before you commit it). */
#include "plan.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define MANIFESTS TEST_SOURCE_DIR "/tests/manifests/"

static int is_yaml(const struct dirent *entry)
{
    return str_ends_with(str_of(entry->d_name), STR(".yaml"));
}

/* Calls check for each .yaml file of the folder; returns how many there are. */
static size_t each_manifest(const char *folder, bool (*check)(const char *path, const char *name))
{
    AUTO_FREE char *dir = mem_format("%s%s", MANIFESTS, folder);
    struct dirent **entries;
    int count = scandir(dir, &entries, is_yaml, alphasort);
    assert_true(count > 0);
    size_t wrong = 0;
    for (int i = 0; i < count; i++) {
        AUTO_FREE char *path = mem_format("%s/%s", dir, entries[i]->d_name);
        wrong += !check(path, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    assert_int_equal(wrong, 0);
    return (size_t)count;
}

static void diagnostics(const char *path, const char *name, struct buf *out)
{
    AUTO_BUF struct buf text = {0};
    struct plan_problems problems = {0};
    AUTO_FREE char *dir = mem_copy(path, strlen(path) - strlen(name) - 1);
    assert_true(file_read(path, 1 << 24, &text, NULL));
    struct plan *plan = plan_parse(buf_str(&text), name, dir, NULL, &problems);
    assert_int_equal(plan == NULL, problems.count > 0);
    buf_add_text(out, "");
    for (size_t i = 0; i < problems.count; i++)
        plan_problem_print(out, &problems.items[i], false);
    plan_problems_release(&problems);
    plan_free(plan);
}

static bool check_good(const char *path, const char *name)
{
    AUTO_BUF struct buf out = {0};
    diagnostics(path, name, &out);
    if (out.len)
        print_error("%s:\n%s", name, out.data);
    return out.len == 0;
}

static void test_good(void **state)
{
    (void)state;
    assert_true(each_manifest("good", check_good) >= 5);
}

static bool check_bad(const char *path, const char *name)
{
    AUTO_BUF struct buf out = {0}, wanted = {0};
    diagnostics(path, name, &out);
    AUTO_FREE char *expected = mem_format("%.*s.txt", (int)strlen(path) - 5, path);
    if (getenv("UPDATE")) {
        FILE *file = fopen(expected, "w");
        assert_non_null(file);
        fputs(out.data, file);
        fclose(file);
    }
    bool good =
        file_read(expected, 1 << 24, &wanted, NULL) && str_equal(buf_str(&out), buf_str(&wanted)) && out.len;
    if (!good)
        print_error("%s: wanted\n%sgot\n%s\n", name, wanted.data ? wanted.data : "", out.data);
    return good;
}

static void test_bad(void **state)
{
    (void)state;
    assert_true(each_manifest("bad", check_bad) >= 70);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
