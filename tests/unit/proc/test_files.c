/* Patterns of paths, and the watch of files: what counts, what comes later, renames, the time to settle. */
#include "world.h"

#include "../../../lib/proc/files_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Patterns ---- */

static bool fits(const char *text, const char *path)
{
    struct pattern pattern;
    pattern_open(&pattern, "/d", text);
    bool fit = pattern_fits(&pattern, path);
    pattern_release(&pattern);
    return fit;
}

static bool reaches(const char *text, const char *path)
{
    struct pattern pattern;
    pattern_open(&pattern, "/d", text);
    bool may = pattern_reaches(&pattern, path);
    pattern_release(&pattern);
    return may;
}

static void patterns(void **state)
{
    (void)state;
    assert_true(fits("a.c", "/d/a.c"));
    assert_false(fits("a.c", "/d/b/a.c"));
    assert_true(fits("*.c", "/d/x.c"));
    assert_false(fits("*.c", "/d/x.h"));
    assert_false(fits("*.c", "/d/x/y.c"));
    assert_true(fits("src/**", "/d/src/a/b/c"));
    assert_true(fits("src/**", "/d/src/a"));
    assert_false(fits("src/**", "/d/srcx/a"));
    assert_true(fits("src/**/*.c", "/d/src/a.c"));
    assert_true(fits("src/**/*.c", "/d/src/x/y/a.c"));
    assert_false(fits("src/**/*.c", "/d/src/x/y/a.h"));
    assert_true(fits("**/x/**/y", "/d/a/x/b/c/y"));
    assert_false(fits("**/x/**/y", "/d/a/b/c/y"));
    assert_true(fits("src", "/d/src/below/it"));
    assert_true(fits("./src/../lib/?.[ch]", "/d/lib/a.h"));
    assert_true(fits("../e", "/e"));
    assert_true(fits("/abs/*", "/abs/x"));
    assert_true(fits("**/**/**/a", "/d/a"));
    assert_true(reaches("src/**/*.c", "/d"));
    assert_true(reaches("src/**/*.c", "/d/src/x"));
    assert_false(reaches("src/**/*.c", "/d/lib"));
    assert_false(reaches("*.c", "/d/src"));
    assert_true(reaches("/abs/x", "/"));
}

/* ---- Watching ---- */

struct watch {
    struct world *world;
    struct files *files;
    char dir[32];
    int count, troubles;
    char path[256];
    int64_t at;
};

static void on_changed(void *ctx, const char *path)
{
    struct watch *watch = ctx;
    watch->count++;
    watch->at = time_now_ms();
    snprintf(watch->path, sizeof watch->path, "%s", path + strlen(watch->dir));
    world_check(watch->world);
}

static void on_trouble(void *ctx, const char *text)
{
    struct watch *watch = ctx;
    (void)text;
    watch->troubles++;
}

static void put(const struct watch *watch, const char *name)
{
    AUTO_FREE char *path = mem_format("%s/%s", watch->dir, name);
    AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
}

static void make(const struct watch *watch, const char *name)
{
    AUTO_FREE char *path = mem_format("%s/%s", watch->dir, name);
    assert_true(dir_make(path, 0755, NULL));
}

static void move(const struct watch *watch, const char *from, const char *to)
{
    AUTO_FREE char *old = mem_format("%s/%s", watch->dir, from);
    AUTO_FREE char *new = mem_format("%s/%s", watch->dir, to);
    assert_int_equal(rename(old, new), 0);
}

static bool has_changed(void *ctx)
{
    return ((struct watch *)ctx)->count > 0;
}

static void expect_change(struct watch *watch, const char *path)
{
    world_until(watch->world, has_changed, watch);
    assert_string_equal(watch->path, path);
    watch->count = 0;
}

/* A change that counts comes after what must not. */
static void expect_none(struct watch *watch)
{
    put(watch, "src/marker");
    expect_change(watch, "/src/marker");
}

static void watch_open(struct watch *watch, struct world *world, const char *const *patterns, size_t count,
                       int64_t debounce_ms)
{
    static const char *const ignore[] = {"*.o", "build/", "src/gen"};
    static const struct files_callbacks callbacks = {.changed = on_changed, .trouble = on_trouble};
    *watch = (struct watch){.world = world, .dir = "/tmp/zproc-files-XXXXXX"};
    assert_non_null(mkdtemp(watch->dir));
    make(watch, "src/deep");
    make(watch, "src/gen");
    make(watch, "other");
    struct files_spec spec = {.dir = watch->dir,
                              .watch = patterns,
                              .watch_count = count,
                              .ignore = ignore,
                              .ignore_count = LENGTH_OF(ignore),
                              .debounce_ms = debounce_ms};
    watch->files = files_new(world->loop, &spec, &callbacks, watch, NULL);
    assert_non_null(watch->files);
}

static void watch_close(struct watch *watch)
{
    files_free(watch->files);
    AUTO_FREE char *command = mem_format("rm -r '%s'", watch->dir);
    assert_int_equal(system(command), 0);
}

static void counts(void **state)
{
    static const char *const patterns[] = {"src/**", "*.conf", "later/x/*.c"};
    struct watch watch;
    watch_open(&watch, *state, patterns, 3, 20);
    put(&watch, "src/a.c");
    expect_change(&watch, "/src/a.c");
    put(&watch, "src/deep/b.c");
    expect_change(&watch, "/src/deep/b.c");
    put(&watch, "x.conf");
    expect_change(&watch, "/x.conf");
    put(&watch, "other/file");
    put(&watch, "src/a.o");
    put(&watch, "src/gen/c.c");
    put(&watch, "x.txt");
    expect_none(&watch);
    make(&watch, "src/new/er");
    expect_change(&watch, "/src/new");
    put(&watch, "src/new/er/file");
    expect_change(&watch, "/src/new/er/file");
    make(&watch, "later");
    make(&watch, "later/y");
    expect_none(&watch);
    make(&watch, "later/x");
    put(&watch, "later/x/a.c");
    expect_change(&watch, "/later/x/a.c");
    watch_close(&watch);
}

static void renames(void **state)
{
    static const char *const patterns[] = {"src/**"};
    struct watch watch;
    watch_open(&watch, *state, patterns, 1, 20);
    put(&watch, "src/a");
    expect_change(&watch, "/src/a");
    put(&watch, "other/a.new"); /* an editor's atomic save */
    move(&watch, "other/a.new", "src/a");
    expect_change(&watch, "/src/a");
    move(&watch, "src/deep", "other/deep");
    expect_change(&watch, "/src/deep");
    put(&watch, "other/deep/x");
    expect_none(&watch);
    move(&watch, "other/deep", "src/deeper");
    expect_change(&watch, "/src/deeper");
    put(&watch, "src/deeper/x");
    expect_change(&watch, "/src/deeper/x");
    move(&watch, "src", "away"); /* the whole folder is replaced */
    expect_change(&watch, "/src");
    make(&watch, "src");
    expect_change(&watch, "/src");
    put(&watch, "src/b");
    expect_change(&watch, "/src/b");
    watch_close(&watch);
}

/* Changes that go on put the news off. */
static void settles(void **state)
{
    static const char *const patterns[] = {"src"};
    struct watch watch;
    watch_open(&watch, *state, patterns, 1, 150);
    int64_t last = 0;
    for (int i = 0; i < 50; i++) {
        AUTO_FREE char *name = mem_format("src/f%d", i);
        put(&watch, name);
        last = time_now_ms();
    }
    expect_change(&watch, "/src/f0");
    assert_true(watch.at >= last + 150);
    watch_close(&watch);
}

/* More happens than the kernel keeps: what has come meanwhile is watched all the same. */
static void overflow(void **state)
{
    static const char *const patterns[] = {"src/**"};
    struct watch watch;
    AUTO_BUF struct buf text = {0};
    assert_true(file_read("/proc/sys/fs/inotify/max_queued_events", 100, &text, NULL));
    int events = atoi(text.data);
    if (events > 100000)
        skip();
    watch_open(&watch, *state, patterns, 1, 20);
    AUTO_FREE char *path = mem_format("%s/src/again", watch.dir);
    for (int i = 0; i <= events / 2; i++) {
        put(&watch, "src/again");
        assert_int_equal(unlink(path), 0);
    }
    make(&watch, "src/unseen/deep");
    expect_change(&watch, "/src/again");
    put(&watch, "src/unseen/deep/x");
    expect_change(&watch, "/src/unseen/deep/x");
    watch_close(&watch);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {cmocka_unit_test(patterns), TEST(counts), TEST(renames), TEST(settles),
                                       TEST(overflow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
