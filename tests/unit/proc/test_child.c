/* Ends and output: exit statuses, signals, every byte, pipes that others hold. */
#include "world.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void exit_statuses(void **state)
{
    for (int status = 0; status < 256; status += 51) {
        struct run run = {0};
        AUTO_FREE char *script = mem_format("exit %d", status);
        run_script(*state, &run, script);
        assert_int_equal(run.end.status, status);
        assert_int_equal(run.end.signal, 0);
        assert_null(run.left);
        run_release(&run);
    }
}

static void ended_by_signals(void **state)
{
    const int signals[] = {SIGTERM, SIGKILL, SIGUSR1, SIGHUP};
    for (size_t i = 0; i < LENGTH_OF(signals); i++) {
        struct run run = {0};
        AUTO_FREE char *script = mem_format("kill -%d $$", signals[i]);
        run_script(*state, &run, script);
        assert_int_equal(run.end.signal, signals[i]);
        run_release(&run);
    }
}

static void both_streams(void **state)
{
    struct run run = {0};
    run_script(*state, &run, "echo out; echo err >&2");
    assert_output(&run, 1, "out\n");
    assert_output(&run, 2, "err\n");
    run_release(&run);
}

static void any_bytes(void **state)
{
    struct run run = {0};
    run_script(*state, &run, "printf 'a\\000b\\377\\303'");
    assert_output(&run, 1, "a\0b\377\303");
    run_release(&run);
}

static void closed_stdout(void **state)
{
    struct run run = {0};
    run_script(*state, &run, "exec >&- 2>&-; sleep 0.05; exit 3");
    assert_int_equal(run.end.status, 3);
    assert_int_equal(run.bytes[0], 0);
    run_release(&run);
}

static void hundred_megabytes(void **state)
{
    struct run run = {0};
    run_script(*state, &run, "head -c 100000000 /dev/zero; printf x >&2");
    assert_int_equal(run.bytes[0], 100000000);
    assert_int_equal(run.bytes[1], 1);
    run_release(&run);
}

/* All of a full pipe is there when the writer has long ended. */
static void pause_run(struct run *run)
{
    child_pause(run->child, true);
}

static bool is_reaped(void *ctx)
{
    const int *pid = ctx;
    return kill(*pid, 0) != 0;
}

static void paused_output(void **state)
{
    struct world *world = *state;
    struct run run = {.on_output = pause_run};
    run_start_script(world, &run, "printf a; sleep 0.1; head -c 50000 /dev/zero; printf z");
    run_until_output(&run, "a");
    int pid = child_pid(run.child);
    world_until(world, is_reaped, &pid);
    assert_false(run.ended);
    assert_int_equal(run.bytes[0], 1);
    run.on_output = NULL;
    child_pause(run.child, false);
    run_finish(&run);
    assert_int_equal(run.bytes[0], 50002);
    run_release(&run);
}

/* A process that is nobody's by its marks holds the pipe: it gets its time, then we go on without it. */
static void stranger_holds_pipe(void **state)
{
    struct run run = {0};
    run_start_script(*state, &run,
                     "trap 'echo last; exit 4' USR1;"
                     "env -i setsid sh -c 'echo pid=$$ there; exec sleep 1000' & wait");
    run_until_output(&run, "there");
    int64_t start = time_now_ms();
    kill(child_pid(run.child), SIGUSR1);
    run_finish(&run);
    assert_int_equal(run.end.status, 4);
    assert_true(time_now_ms() - start >= 500);
    assert_non_null(strstr(run.out[0].data, "last\n"));
    int stranger = run_number(&run, "pid");
    assert_true(pid_lives(stranger));
    kill(stranger, SIGKILL);
    run_release(&run);
}

/* What comes within the time that a grandchild is given is not lost. */
static void late_line_of_grandchild(void **state)
{
    struct run run = {0};
    run_script(*state, &run, "(sleep 0.1; echo late) & echo early");
    assert_output(&run, 1, "early\nlate\n");
    assert_null(run.left);
    run_release(&run);
}

static void discarded_output(void **state)
{
    struct world *world = *state;
    struct run run = {.world = world};
    const struct child_callbacks callbacks = {.ended = run_callbacks.ended};
    char *const argv[] = {"sh", "-c", "echo lost; echo lost >&2; exit 9", NULL};
    struct child_spec spec = run_spec(argv);
    run.child = child_spawn(world->children, &spec, &callbacks, &run, NULL);
    assert_non_null(run.child);
    run_finish(&run);
    assert_int_equal(run.end.status, 9);
    run_release(&run);
}

struct crowd {
    struct world *world;
    size_t started, ended, wrong, total;
};

static void crowd_output(void *ctx, struct child *child, int stream, struct str bytes)
{
    (void)child;
    struct crowd *crowd = ctx;
    if (stream != 1 || !str_is(bytes, "x"))
        crowd->wrong++;
}

static void crowd_ended(void *ctx, struct child *child, const struct child_end *end);
static const struct child_callbacks crowd_callbacks = {.output = crowd_output, .ended = crowd_ended};

static void crowd_start(struct crowd *crowd)
{
    char *const argv[] = {"/usr/bin/printf", "x", NULL};
    struct child_spec spec = run_spec(argv);
    if (child_spawn(crowd->world->children, &spec, &crowd_callbacks, crowd, NULL))
        crowd->started++;
    else
        crowd->wrong++;
}

static void crowd_ended(void *ctx, struct child *child, const struct child_end *end)
{
    (void)child;
    struct crowd *crowd = ctx;
    crowd->ended++;
    if (end->status != 0 || end->signal != 0 || end->left)
        crowd->wrong++;
    if (crowd->started < crowd->total)
        crowd_start(crowd);
    world_check(crowd->world);
}

static bool crowd_is_done(void *ctx)
{
    const struct crowd *crowd = ctx;
    return crowd->ended == crowd->total || crowd->wrong > 0;
}

/* The teardown looks for descriptors and zombies. */
static void many_quick_exits(void **state)
{
    struct crowd crowd = {.world = *state, .total = 2000};
    for (int i = 0; i < 20; i++)
        crowd_start(&crowd);
    world_until(crowd.world, crowd_is_done, &crowd);
    assert_int_equal(crowd.wrong, 0);
    assert_int_equal(crowd.ended, crowd.total);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(exit_statuses),    TEST(ended_by_signals),    TEST(both_streams),
        TEST(any_bytes),        TEST(closed_stdout),       TEST(hundred_megabytes),
        TEST(paused_output),    TEST(stranger_holds_pipe), TEST(late_line_of_grandchild),
        TEST(discarded_output), TEST(many_quick_exits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
