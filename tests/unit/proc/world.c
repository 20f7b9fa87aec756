/* A loop with children for tests. */
#include "world.h"
#include "tree_priv.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>

#define DEADLINE_MS 20000
#define POLL_MS     10
#define OUTPUT_KEPT 65536

static size_t descriptors_open(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

void world_check(struct world *world)
{
    if (world->done && world->done(world->ctx))
        loop_stop(world->loop);
}

static void on_poll(void *ctx)
{
    struct world *world = ctx;
    timer_set(world->poll, time_now_ms() + POLL_MS);
    world_check(world);
    if (time_now_ms() >= world->deadline)
        loop_stop(world->loop);
}

int world_setup(void **state)
{
    struct world *world = mem_new(sizeof *world);
    struct err err;
    world->loop = loop_new(&err);
    assert_non_null(world->loop);
    world->children = children_new(world->loop, &err);
    assert_non_null(world->children);
    world->poll = timer_new(world->loop, on_poll, world);
    world->descriptors = descriptors_open();
    *state = world;
    return 0;
}

/* Starts of commands that failed leave a process for the loop to reap. */
static bool has_no_children(void *ctx)
{
    (void)ctx;
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD;
}

int world_teardown(void **state)
{
    struct world *world = *state;
    world_until(world, has_no_children, NULL);
    assert_int_equal(descriptors_open(), world->descriptors);
    timer_free(world->poll);
    children_free(world->children);
    loop_free(world->loop);
    free(world);
    return 0;
}

void world_until(struct world *world, bool (*done)(void *ctx), void *ctx)
{
    world->done = done;
    world->ctx = ctx;
    world->deadline = time_now_ms() + DEADLINE_MS;
    timer_set(world->poll, 0);
    while (!done(ctx) && time_now_ms() < world->deadline)
        loop_run(world->loop);
    timer_set(world->poll, -1);
    world->done = NULL;
    if (!done(ctx))
        fail_msg("nothing came in %d ms", DEADLINE_MS);
}

static void on_output(void *ctx, struct child *child, int stream, struct str bytes)
{
    struct run *run = ctx;
    assert_ptr_equal(child, run->child);
    struct buf *out = &run->out[stream - 1];
    if (out->len < OUTPUT_KEPT)
        buf_add_str(out, bytes);
    run->bytes[stream - 1] += bytes.len;
    if (run->on_output)
        run->on_output(run);
    world_check(run->world);
}

static void on_ended(void *ctx, struct child *child, const struct child_end *end)
{
    (void)child;
    struct run *run = ctx;
    assert_false(run->ended);
    run->ended = true;
    run->end = *end;
    run->left = end->left ? mem_text(end->left) : NULL;
    world_check(run->world);
}

const struct child_callbacks run_callbacks = {.output = on_output, .ended = on_ended};
char *const run_env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "ZPROC_RUN=test", "ZPROC_WORKER=w", NULL};

struct child_spec run_spec(char *const *argv)
{
    return (struct child_spec){.argv = argv, .env = run_env, .marks = {run_env[1], run_env[2]}};
}

void run_start(struct world *world, struct run *run, const struct child_spec *spec)
{
    struct err err = {0};
    run->world = world;
    run->child = child_spawn(world->children, spec, &run_callbacks, run, &err);
    if (!run->child)
        fail_msg("%s", err.message);
}

void run_start_script(struct world *world, struct run *run, const char *script)
{
    char *const argv[] = {"/bin/sh", "-c", (char *)script, NULL};
    struct child_spec spec = run_spec(argv);
    run_start(world, run, &spec);
}

static bool run_has_ended(void *ctx)
{
    const struct run *run = ctx;
    return run->ended;
}

void run_finish(struct run *run)
{
    world_until(run->world, run_has_ended, run);
}

void run_release(struct run *run)
{
    buf_release(&run->out[0]);
    buf_release(&run->out[1]);
    free(run->left);
    *run = (struct run){0};
}

void run_script(struct world *world, struct run *run, const char *script)
{
    run_start_script(world, run, script);
    run_finish(run);
}

struct expected {
    struct run *run;
    const char *text;
};

static bool has_output(void *ctx)
{
    const struct expected *expected = ctx;
    return str_find(buf_str(&expected->run->out[0]), str_of(expected->text)) >= 0;
}

void run_until_output(struct run *run, const char *text)
{
    struct expected expected = {run, text};
    world_until(run->world, has_output, &expected);
}

bool pid_lives(int pid)
{
    struct process process;
    return process_read(pid, &process) && process_lives(&process);
}

int run_number(const struct run *run, const char *word)
{
    AUTO_FREE char *key = mem_format("%s=", word);
    assert_non_null(run->out[0].data);
    const char *found = strstr(run->out[0].data, key);
    assert_non_null(found);
    return (int)strtol(found + strlen(key), NULL, 10);
}
