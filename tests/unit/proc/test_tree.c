/* Tree kill: nothing that a child ever started outlives it. */
#include "tree_priv.h"
#include "world.h"

#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void kill_group(void **state)
{
    struct run run = {0};
    run_start_script(*state, &run, "sleep 1000 & echo pid=$! there; wait");
    run_until_output(&run, "there");
    child_kill(run.child);
    run_finish(&run);
    assert_int_equal(run.end.signal, SIGKILL);
    assert_null(run.left);
    assert_false(pid_lives(run_number(&run, "pid")));
    run_release(&run);
}

static void kill_in_other_session(void **state)
{
    struct run run = {0};
    run_start_script(*state, &run, "setsid sh -c 'echo pid=$$ there; trap \"\" TERM; sleep 1000; :' & wait");
    run_until_output(&run, "there");
    child_kill(run.child);
    run_finish(&run);
    assert_null(run.left);
    assert_false(pid_lives(run_number(&run, "pid")));
    run_release(&run);
}

/* Forked twice, in its own session, holding no pipe, ignoring SIGTERM: known by its environment alone. */
#define DAEMON                                                                                               \
    "(setsid sh -c 'trap \"\" TERM; sh -c \"echo pid=\\$\\$ there; exec >/dev/null 2>&1; sleep 1000; :\" & " \
    "' ) & "

static void kill_daemon(void **state)
{
    struct run run = {0};
    run_start_script(*state, &run, DAEMON "wait; sleep 1000");
    run_until_output(&run, "there");
    int pid = run_number(&run, "pid");
    assert_true(pid_lives(pid));
    child_kill(run.child);
    run_finish(&run);
    assert_null(run.left);
    assert_false(pid_lives(pid));
    run_release(&run);
}

static void daemon_ended_with_its_worker(void **state)
{
    struct run run = {0};
    run_script(*state, &run, DAEMON "wait; exit 7");
    assert_int_equal(run.end.status, 7);
    assert_null(run.left);
    if (run.bytes[0] > 0)
        assert_false(pid_lives(run_number(&run, "pid")));
    run_release(&run);
}

/* setsid -f returns while its child is between fork and exec, where an environment cannot be read. */
static void daemons_in_the_midst_of_exec(void **state)
{
    for (int i = 0; i < 50; i++) {
        struct run run = {0};
        run_script(*state, &run, "setsid -f sleep 1000 >/dev/null 2>&1");
        assert_null(run.left);
        struct process_list orphans = {0};
        struct table none = {0};
        tree_orphans(&none, &orphans);
        assert_int_equal(orphans.count, 0);
        process_list_release(&orphans);
        run_release(&run);
    }
}

static void daemon_kept(void **state)
{
    struct world *world = *state;
    struct run run = {0};
    char *const argv[] = {"sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 & echo pid=$!", NULL};
    struct child_spec spec = run_spec(argv);
    spec.keep_orphans = true;
    run_start(world, &run, &spec);
    run_finish(&run);
    int pid = run_number(&run, "pid");
    assert_true(pid_lives(pid));
    assert_null(run.left);
    kill(pid, SIGKILL);
    run_release(&run);
}

/* Other workers' orphans are theirs. */
static void daemon_of_another_worker(void **state)
{
    struct world *world = *state;
    struct run one = {0}, two = {0};
    char *const env[] = {run_env[0], run_env[1], "ZPROC_WORKER=other", NULL};
    char *const argv[] = {"sh", "-c", DAEMON "wait; echo ready; sleep 1000", NULL};
    struct child_spec spec = {.argv = argv, .env = env, .marks = {env[1], env[2]}};
    run_start(world, &one, &spec);
    run_until_output(&one, "there");
    run_start_script(world, &two, "sleep 1000");
    child_kill(two.child);
    run_finish(&two);
    assert_true(pid_lives(run_number(&one, "pid")));
    child_kill(one.child);
    run_finish(&one);
    assert_false(pid_lives(run_number(&one, "pid")));
    run_release(&one);
    run_release(&two);
}

/* Without marks and session only a record of before the signal tells whose it was. */
static void recorded_before_the_signal(void **state)
{
    struct run run = {0};
    run_start_script(*state, &run,
                     "env -i setsid sh -c 'echo pid=$$ there; exec >/dev/null 2>&1; sleep 1000; :' & wait");
    run_until_output(&run, "there");
    int pid = run_number(&run, "pid");
    child_signal(run.child, SIGTERM);
    run_finish(&run);
    assert_int_equal(run.end.signal, SIGTERM);
    assert_null(run.left);
    assert_false(pid_lives(pid));
    run_release(&run);
}

static void ignored_sigterm(void **state)
{
    struct run run = {0};
    run_start_script(*state, &run, "trap 'echo asked' TERM; echo there; while :; do sleep 0.01; done");
    run_until_output(&run, "there");
    child_signal(run.child, SIGTERM);
    run_until_output(&run, "asked");
    assert_false(run.ended);
    child_kill(run.child);
    run_finish(&run);
    assert_int_equal(run.end.signal, SIGKILL);
    run_release(&run);
}

static void stopped_child(void **state)
{
    struct run run = {0};
    run_start_script(*state, &run, "trap 'echo bye; exit 5' TERM; echo there; kill -STOP $$; sleep 1000");
    run_until_output(&run, "there");
    child_signal(run.child, SIGTERM);
    run_finish(&run);
    assert_int_equal(run.end.status, 5);
    run_release(&run);
}

static bool is_stopped(void *ctx)
{
    struct process process;
    return process_read(child_pid(((const struct run *)ctx)->child), &process) && process.state == 'T';
}

static void stop_and_continue(void **state)
{
    struct world *world = *state;
    struct run run = {0};
    run_start_script(world, &run, "echo there; exec sleep 1000");
    run_until_output(&run, "there");
    child_signal(run.child, SIGSTOP);
    world_until(world, is_stopped, &run);
    child_signal(run.child, SIGHUP);
    run_finish(&run);
    assert_int_equal(run.end.signal, SIGHUP);
    run_release(&run);
}

/* What it leaves behind may say goodbye, and that is read. */
static void goodbye_of_what_is_left(void **state)
{
    struct run run = {0};
    run_script(*state, &run,
               "sh -c 'trap \"echo bye; exit\" TERM; echo there; while :; do sleep 0.01; done' &");
    assert_non_null(strstr(run.out[0].data, "bye\n"));
    assert_null(run.left);
    run_release(&run);
}

/* Time for what is left after a stop: it had its SIGTERM with the group and must not get a second one. */
static void asked_once(void **state)
{
    struct run run = {0};
    char *const argv[] = {"sh", "-c",
                          "sh -c 'trap \"echo asked; sleep 0.7; echo done; exit\" TERM; echo there; while :; "
                          "do sleep 0.01; done' & wait",
                          NULL};
    struct child_spec spec = run_spec(argv);
    spec.orphan_grace_ms = 10000;
    run_start(*state, &run, &spec);
    run_until_output(&run, "there");
    child_signal(run.child, SIGTERM);
    run_finish(&run);
    assert_int_equal(run.end.signal, SIGTERM);
    assert_output(&run, 1, "there\nasked\ndone\n");
    run_release(&run);
}

/* Starts others as fast as it can, each in its own session. */
static void busy_forker(void **state)
{
    struct run run = {0};
    run_start_script(*state, &run,
                     "i=0; while [ $i -lt 1000 ]; do setsid -f sleep 1000 >/dev/null 2>&1;"
                     "i=$((i+1)); [ $i = 30 ] && echo there; done");
    run_until_output(&run, "there");
    child_kill(run.child);
    run_finish(&run);
    assert_null(run.left);
    struct process_list orphans = {0};
    struct table none = {0};
    tree_orphans(&none, &orphans);
    assert_int_equal(orphans.count, 0);
    process_list_release(&orphans);
    run_release(&run);
}

static void kill_from_output(struct run *run)
{
    run->on_output = NULL;
    child_kill(run->child);
}

static void kill_within_output(void **state)
{
    struct run run = {.on_output = kill_from_output};
    run_start_script(*state, &run, "echo there; exec sleep 1000");
    run_finish(&run);
    assert_int_equal(run.end.signal, SIGKILL);
    run_release(&run);
}

static void same_by_list_and_by_scan(void **state)
{
    struct run run = {0};
    run_start_script(*state, &run, "(sleep 1000 & echo one; wait) & sleep 1000 & echo there; wait");
    run_until_output(&run, "there");
    run_until_output(&run, "one");
    struct process_list listed = {0}, scanned = {0};
    /* sh may be about to exec: names settle, pids are there. */
    tree_add_below(child_pid(run.child), &listed);
    tree_add_below_by_scan(child_pid(run.child), &scanned);
    assert_int_equal(listed.count, 3);
    assert_int_equal(scanned.count, 3);
    uint64_t sum = 0;
    for (size_t i = 0; i < 3; i++)
        sum += (uint64_t)listed.items[i].pid * listed.items[i].started -
               (uint64_t)scanned.items[i].pid * scanned.items[i].started;
    assert_int_equal(sum, 0);
    process_list_release(&listed);
    process_list_release(&scanned);
    child_kill(run.child);
    run_finish(&run);
    run_release(&run);
}

/* A start time that is not its own: the pid belongs to somebody else by now. */
static void reused_pid_is_spared(void **state)
{
    struct run run = {0};
    run_start_script(*state, &run, "echo there; exec sleep 1000");
    run_until_output(&run, "there");
    struct process process;
    assert_true(process_read(child_pid(run.child), &process));
    assert_true(process_lives(&process));
    process.started--;
    assert_false(process_lives(&process));
    process_signal(&process, SIGKILL);
    process.started++;
    process_signal(&process, SIGTERM);
    run_finish(&run);
    assert_int_equal(run.end.signal, SIGTERM);
    run_release(&run);
}

/* In a process of its own: a supervisor that may not signal what its child left. Returns that one's pid. */
static int survivor_helper(void)
{
    void *state;
    world_setup(&state);
    struct run run = {0};
    char *const argv[] = {"sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo pid=$!", NULL};
    struct child_spec spec = run_spec(argv);
    spec.orphan_grace_ms = 1;
    run_start(state, &run, &spec);
    if (setresuid(65534, 65534, 65534) != 0)
        return -1;
    run_finish(&run);
    int pid = run_number(&run, "pid");
    AUTO_FREE char *name = mem_format("pid %d (sleep)", pid);
    return run.left && strcmp(run.left, name) == 0 ? pid : -1;
}

static void survivors_are_named(void **state)
{
    (void)state;
    int ends[2];
    if (geteuid() != 0)
        skip();
    assert_int_equal(pipe(ends), 0);
    int helper = fork();
    if (helper == 0) {
        int pid = survivor_helper();
        _exit(write(ends[1], &pid, sizeof pid) == sizeof pid ? 0 : 1);
    }
    close(ends[1]);
    int pid = -1;
    assert_int_equal(read(ends[0], &pid, sizeof pid), sizeof pid);
    close(ends[0]);
    waitpid(helper, NULL, 0);
    assert_true(pid > 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
}

/* Nobody is called back, nothing leaks; the children go on. */
static void freed_with_children(void **state)
{
    (void)state;
    struct loop *loop = loop_new(NULL);
    struct children *children = children_new(loop, NULL);
    char *const argv[] = {"sleep", "1000", NULL};
    struct child_spec spec = run_spec(argv);
    struct child *child = child_spawn(children, &spec, &run_callbacks, NULL, NULL);
    assert_non_null(child);
    int pid = child_pid(child);
    children_free(children);
    loop_free(loop);
    assert_true(pid_lives(pid));
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* In a process of its own: starts a daemon and a stubborn child, then ends all. */
static int kill_all_helper(void)
{
    int ends[2];
    if (!tree_adopt(NULL) || pipe(ends) != 0)
        return 10;
    int child = fork();
    if (child == 0) {
        dup2(ends[1], 1);
        execl(
            "/bin/sh", "sh", "-c",
            "trap '' TERM HUP; for i in 1 2 3; do env -i setsid sh -c '(sleep 1000 & echo x; wait) &' & done;"
            "wait; kill -STOP $$",
            NULL);
        _exit(11);
    }
    char bytes[6];
    for (size_t got = 0; got < sizeof bytes;) {
        ssize_t len = read(ends[0], bytes + got, sizeof bytes - got);
        if (len <= 0)
            return 12;
        got += (size_t)len;
    }
    if (tree_kill_all(time_now_ms() + 10000, NULL) != 0)
        return 13;
    return waitpid(-1, NULL, 0) < 0 ? 0 : 14;
}

static void helper_is_content(int (*helper_main)(void))
{
    int helper = fork();
    if (helper == 0)
        _exit(helper_main());
    int status;
    assert_int_equal(waitpid(helper, &status, 0), helper);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void kill_all(void **state)
{
    (void)state;
    helper_is_content(kill_all_helper);
}

/* Of two children, the one that bears the mark lives on. */
static int spare_helper(void)
{
    int pids[2];
    if (!tree_adopt(NULL))
        return 10;
    for (int i = 0; i < 2; i++) {
        char *const env[] = {i == 0 ? (char *)PROC_SPARED : NULL, NULL};
        char *const argv[] = {(char *)"sleep", (char *)"1000", NULL};
        if (posix_spawn(&pids[i], "/bin/sleep", NULL, NULL, argv, env) !=
            0) /* exec is over when it returns */
            return 11;
    }
    if (tree_kill_all(time_now_ms() + 10000, PROC_SPARED) != 0)
        return 12;
    int status, ended = waitpid(-1, &status, WNOHANG);
    bool kept = kill(pids[0], 0) == 0 && ended <= 0;
    kill(pids[0], SIGKILL);
    return kept && kill(pids[1], 0) != 0 ? 0 : 13;
}

static void kill_all_spares(void **state)
{
    (void)state;
    helper_is_content(spare_helper);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(kill_group),
        TEST(kill_in_other_session),
        TEST(kill_daemon),
        TEST(daemon_ended_with_its_worker),
        TEST(daemons_in_the_midst_of_exec),
        TEST(daemon_kept),
        TEST(daemon_of_another_worker),
        TEST(recorded_before_the_signal),
        TEST(ignored_sigterm),
        TEST(stopped_child),
        TEST(stop_and_continue),
        TEST(goodbye_of_what_is_left),
        TEST(asked_once),
        TEST(busy_forker),
        TEST(kill_within_output),
        TEST(same_by_list_and_by_scan),
        TEST(reused_pid_is_spared),
        cmocka_unit_test(survivors_are_named),
        cmocka_unit_test(freed_with_children),
        cmocka_unit_test(kill_all),
        cmocka_unit_test(kill_all_spares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
