/* Children with a terminal of their own: what it is to them, typing, its size, and everything that they
 * print. */
#include "world.h"

#include <signal.h>
#include <stdlib.h>

static void start(struct world *world, struct run *run, const char *script, int rows, int columns)
{
    char *const argv[] = {"/bin/sh", "-c", (char *)script, NULL};
    struct child_spec spec = run_spec(argv);
    spec.tty = true;
    spec.rows = rows;
    spec.columns = columns;
    run_start(world, run, &spec);
}

static void is_controlling(void **state)
{
    struct run run = {0};
    start(*state, &run, "test -t 0 && test -t 1 && test -t 2 && echo yes >/dev/tty; stty size", 0, 0);
    run_finish(&run);
    assert_output(&run, 1, "yes\r\n24 80\r\n");
    assert_int_equal(run.end.status, 0);
    run_release(&run);
}

static void typing(void **state)
{
    struct run run = {0};
    start(*state, &run, "stty -echo; echo ready; read -r a; read -r b; echo \"$a-$b\"", 0, 0);
    run_until_output(&run, "ready\r\n");
    assert_true(child_write(run.child, STR("one\ntw")));
    assert_true(child_write(run.child, STR("o\n")));
    run_finish(&run);
    assert_output(&run, 1, "ready\r\none-two\r\n");
    run_release(&run);
}

static void typed_keys_are_signals(void **state)
{
    struct run run = {0};
    start(*state, &run, "trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.05; done", 0, 0);
    run_until_output(&run, "ready\r\n");
    assert_true(child_write(run.child, STR("\003")));
    run_finish(&run);
    assert_int_equal(run.end.status, 5);
    run_release(&run);
}

static void resizing(void **state)
{
    struct run run = {0};
    start(*state, &run, "trap 'stty size; exit' WINCH; stty size; while :; do sleep 0.05; done", 30, 100);
    run_until_output(&run, "30 100\r\n");
    child_resize(run.child, 41, 121);
    run_finish(&run);
    assert_output(&run, 1, "30 100\r\n41 121\r\n");
    run_release(&run);
}

/* What is not read is kept up to a limit; nobody is held up. */
static void nobody_reads(void **state)
{
    struct run run = {0};
    size_t typed = 0;
    start(*state, &run, "stty raw -echo; echo ready; exec sleep 100", 0, 0);
    run_until_output(&run, "ready");
    AUTO_FREE char *bytes = mem_new(65536);
    memset(bytes, 'x', 65536);
    while (child_write(run.child, (struct str){bytes, 65536}) && typed < (size_t)64 << 20)
        typed += 65536;
    assert_true(typed > 65536 && typed < (size_t)4 << 20);
    child_kill(run.child);
    run_finish(&run);
    assert_int_equal(run.end.signal, SIGKILL);
    run_release(&run);
}

static void everything_is_read(void **state)
{
    struct run run = {0};
    start(*state, &run, "stty -opost; head -c 3000000 /dev/zero; printf end", 0, 0);
    run_finish(&run);
    assert_int_equal(run.bytes[0], 3000003);
    run_release(&run);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(is_controlling), TEST(typing),       TEST(typed_keys_are_signals),
        TEST(resizing),       TEST(nobody_reads), TEST(everything_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
