/* How a command is started: where it is found, what it inherits, how a failure is named. */
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char folder[] = "/tmp/zproc-test-XXXXXX";

static int folder_setup(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int folder_teardown(void **state)
{
    (void)state;
    AUTO_FREE char *command = mem_format("rm -rf '%s'", folder);
    return system(command) == 0 ? 0 : -1;
}

/* A file in the folder; its path is to be freed. */
static char *file_make(const char *name, const char *text, size_t len, mode_t mode)
{
    char *path = mem_format("%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_true(fd_write_all(fd, text, len));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    return path;
}

static void assert_refused(struct world *world, const struct child_spec *spec, enum err_code code,
                           const char *message)
{
    struct err err = {0};
    assert_null(child_spawn(world->children, spec, &run_callbacks, NULL, &err));
    assert_string_equal(err.message, message);
    assert_int_equal(err.code, code);
}

static void missing_commands(void **state)
{
    char *argv[] = {"/no/such/command", NULL};
    struct child_spec spec = run_spec(argv);
    assert_refused(*state, &spec, ERR_NOT_FOUND, "cannot run '/no/such/command': it does not exist");
    argv[0] = "no-such-command";
    assert_refused(*state, &spec, ERR_NOT_FOUND, "cannot run 'no-such-command': no such command in PATH");
    argv[0] = "";
    assert_refused(*state, &spec, ERR_NOT_FOUND, "cannot run '': no such command in PATH");
    AUTO_FREE char *path = file_make("lost", "#!/no/such/interpreter\n", 23, 0755);
    argv[0] = path;
    AUTO_FREE char *message =
        mem_format("cannot run '%s': the interpreter that it names does not exist", path);
    assert_refused(*state, &spec, ERR_NOT_FOUND, message);
}

static void not_executable(void **state)
{
    AUTO_FREE char *path = file_make("plain", "echo no\n", 8, 0644);
    char *argv[] = {path, NULL};
    struct child_spec spec = run_spec(argv);
    AUTO_FREE char *message = mem_format("cannot run '%s': not an executable file", path);
    assert_refused(*state, &spec, ERR_DENIED, message);
    argv[0] = "/tmp";
    assert_refused(*state, &spec, ERR_DENIED, "cannot run '/tmp': not an executable file");
    AUTO_FREE char *binary = file_make("binary", "\1\2\0\3", 4, 0755);
    AUTO_FREE char *format = mem_format("cannot run '%s': Exec format error", binary);
    argv[0] = binary;
    assert_refused(*state, &spec, ERR_DENIED, format);
}

static void missing_folders(void **state)
{
    char *const argv[] = {"true", NULL};
    struct child_spec spec = run_spec(argv);
    spec.dir = "/no/such/folder";
    assert_refused(*state, &spec, ERR_NOT_FOUND,
                   "cannot enter the folder '/no/such/folder': it does not exist");
    spec.dir = "/etc/passwd";
    assert_refused(*state, &spec, ERR_NOT_FOUND, "cannot enter the folder '/etc/passwd': it is not a folder");
    spec.dir = NULL;
    spec.input = CHILD_STDIN_FILE;
    spec.input_file = "/no/such/input";
    assert_refused(*state, &spec, ERR_NOT_FOUND,
                   "cannot open the input '/no/such/input': No such file or directory");
}

/* What a command that is not there anywhere must not hide: one that is, but may not be run. */
static void search_goes_on(void **state)
{
    struct world *world = *state;
    AUTO_FREE char *plain = file_make("sh", "no", 2, 0644);
    AUTO_FREE char *path = mem_format("PATH=/no/such:%s:/bin", folder);
    char *const env[] = {path, NULL};
    char *const argv[] = {"sh", "-c", "echo found", NULL};
    struct child_spec spec = {.argv = argv, .env = env};
    struct run run = {0};
    run_start(world, &run, &spec);
    run_finish(&run);
    assert_output(&run, 1, "found\n");
    run_release(&run);
    AUTO_FREE char *only = mem_format("PATH=%s:/no/such", folder);
    char *const env_only[] = {only, NULL};
    spec.env = env_only;
    AUTO_FREE char *message = mem_format("cannot run '%s': not an executable file", plain);
    assert_refused(world, &spec, ERR_DENIED, message);
    unlink(plain);
}

static void script_without_interpreter(void **state)
{
    AUTO_FREE char *path = file_make("script", "echo \"$1-$2\"\n", 13, 0755);
    assert_int_equal(access(path, X_OK), 0);
    char *const argv[] = {"./script", "a b", "c", NULL};
    struct child_spec spec = run_spec(argv);
    spec.dir = folder;
    struct run run = {0};
    run_start(*state, &run, &spec);
    run_finish(&run);
    assert_output(&run, 1, "a b-c\n");
    assert_int_equal(run.end.status, 0);
    run_release(&run);
}

static void environment_and_folder(void **state)
{
    char *const env[] = {"ONE=1", "TWO=two words", NULL};
    char *const argv[] = {"/usr/bin/env", NULL};
    struct child_spec spec = {.argv = argv, .env = env};
    struct run run = {0};
    run_start(*state, &run, &spec);
    run_finish(&run);
    assert_output(&run, 1, "ONE=1\nTWO=two words\n");
    run_release(&run);
    char *const pwd[] = {"/bin/pwd", NULL};
    spec.argv = pwd;
    spec.dir = "/usr/bin";
    run_start(*state, &run, &spec);
    run_finish(&run);
    assert_output(&run, 1, "/usr/bin\n");
    run_release(&run);
}

static void only_three_descriptors(void **state)
{
    int leaked = open("/dev/null", O_RDONLY);
    assert_true(leaked > 2);
    char *const argv[] = {"/bin/ls", "/proc/self/fd", NULL};
    struct child_spec spec = run_spec(argv);
    struct run run = {0};
    run_start(*state, &run, &spec);
    run_finish(&run);
    assert_output(&run, 1, "0\n1\n2\n3\n"); /* 3 is the folder that ls reads */
    run_release(&run);
    int kept = fcntl(leaked, F_DUPFD_CLOEXEC, 77);
    spec.keep = &kept;
    spec.keep_count = 1;
    run_start(*state, &run, &spec);
    run_finish(&run);
    assert_output(&run, 1, "0\n1\n2\n3\n77\n");
    run_release(&run);
    close(leaked);
    close(kept);
}

static void inputs(void **state)
{
    struct run run = {0};
    run_script(*state, &run, "cat; echo end");
    assert_output(&run, 1, "end\n");
    run_release(&run);
    AUTO_FREE char *path = file_make("input", "some text", 9, 0600);
    char *const argv[] = {"cat", NULL};
    struct child_spec spec = run_spec(argv);
    spec.input = CHILD_STDIN_FILE;
    spec.input_file = path;
    run_start(*state, &run, &spec);
    run_finish(&run);
    assert_output(&run, 1, "some text");
    run_release(&run);
}

/* Our own 0, 1 and 2 for a moment: a pipe's ends. */
static void inherited_descriptors(void **state)
{
    int in[2], out[2], saved[3];
    for (int i = 0; i < 3; i++)
        saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(write(in[1], "given", 5), 5);
    close(in[1]);
    dup2(in[0], 0);
    dup2(out[1], 1);
    dup2(out[1], 2);
    char *const argv[] = {"sh", "-c", "cat; echo >&2", NULL};
    struct child_spec spec = run_spec(argv);
    spec.input = CHILD_STDIN_INHERIT;
    spec.inherit_output = true;
    struct run run = {0};
    run_start(*state, &run, &spec);
    run_finish(&run);
    for (int i = 0; i < 3; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
    char bytes[16];
    assert_int_equal(read(out[0], bytes, sizeof bytes), 6);
    assert_memory_equal(bytes, "given\n", 6);
    assert_int_equal(run.bytes[0] + run.bytes[1], 0);
    close(in[0]);
    close(out[0]);
    close(out[1]);
    run_release(&run);
}

/* A supervisor whose own 0 to 2 are closed: the new pipes must not get lost among them. */
static void closed_descriptors(void **state)
{
    int saved[3];
    for (int i = 0; i < 3; i++)
        saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
    for (int i = 0; i < 3; i++)
        close(i);
    struct run run = {0};
    run_script(*state, &run, "cat; echo out; echo err >&2");
    for (int i = 0; i < 3; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
    assert_output(&run, 1, "out\n");
    assert_output(&run, 2, "err\n");
    run_release(&run);
}

/* Ignored and blocked signals of ours are not the child's; it leads its own session and group. */
static void fresh_signals_and_session(void **state)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    /* libc keeps this one for itself: it can only be inherited, or set so. */
    const uint64_t ignore[4] = {(uint64_t)(uintptr_t)SIG_IGN};
    syscall(SYS_rt_sigaction, 32, ignore, NULL, 8);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    struct run run = {0};
    char *const argv[] = {"grep", "^Sig[BI]", "/proc/self/status", NULL};
    struct child_spec spec = run_spec(argv);
    run_start(*state, &run, &spec);
    run_finish(&run);
    assert_output(&run, 1, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    run_release(&run);
    sigset_t now;
    sigprocmask(SIG_SETMASK, NULL, &now);
    assert_true(sigismember(&now, SIGTERM));
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGUSR1, SIG_DFL);
    run_script(*state, &run,
               "read pid name state parent group session rest </proc/self/stat;"
               "echo pid=$$ group=$group session=$session");
    assert_int_equal(run_number(&run, "pid"), run_number(&run, "group"));
    assert_int_equal(run_number(&run, "pid"), run_number(&run, "session"));
    run_release(&run);
}

/* A helper process starts a child with die_with_parent and is killed. */
static void dies_with_parent(void **state)
{
    struct world *world = *state;
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    int helper = fork();
    if (helper == 0) {
        struct loop *loop = loop_new(NULL);
        struct children *children = children_new(loop, NULL);
        prctl(PR_SET_CHILD_SUBREAPER, 0); /* lets the child go when the helper is killed */
        char *const argv[] = {"sleep", "1000", NULL};
        struct child_spec spec = run_spec(argv);
        spec.die_with_parent = true;
        struct child *child = child_spawn(children, &spec, &run_callbacks, NULL, NULL);
        int pid = child ? child_pid(child) : -1;
        if (write(pipe_ends[1], &pid, sizeof pid) < 0)
            _exit(1);
        for (;;)
            pause();
    }
    int pid = -1;
    assert_int_equal(read(pipe_ends[0], &pid, sizeof pid), sizeof pid);
    assert_true(pid > 0 && pid_lives(pid));
    assert_int_equal(kill(helper, SIGKILL), 0);
    int64_t until = time_now_ms() + 10000;
    while (pid_lives(pid) && time_now_ms() < until)
        usleep(1000);
    assert_false(pid_lives(pid));
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    (void)world;
}

static void large_parent(void **state)
{
    size_t size = 1UL << 30;
    char *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    for (size_t at = 0; at < size; at += 64 * 4096)
        memory[at] = 1;
    struct run run = {0};
    run_script(*state, &run, "echo fine");
    assert_output(&run, 1, "fine\n");
    run_release(&run);
    munmap(memory, size);
}

static void out_of_descriptors(void **state)
{
    struct rlimit before, few;
    getrlimit(RLIMIT_NOFILE, &before);
    few = before;
    few.rlim_cur = 64;
    setrlimit(RLIMIT_NOFILE, &few);
    int taken[64];
    size_t count = 0;
    while ((taken[count] = dup(2)) >= 0)
        count++;
    char *const argv[] = {"true", NULL};
    struct child_spec spec = run_spec(argv);
    struct err err = {0};
    struct world *world = *state;
    for (size_t free_count = 0; free_count < 5; free_count++) {
        assert_null(child_spawn(world->children, &spec, &run_callbacks, NULL, &err));
        assert_int_equal(err.code, ERR_INTERNAL);
        assert_non_null(strstr(err.message, "Too many open files"));
        close(taken[--count]);
    }
    while (count > 0)
        close(taken[--count]);
    setrlimit(RLIMIT_NOFILE, &before);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(missing_commands),
        TEST(not_executable),
        TEST(missing_folders),
        TEST(search_goes_on),
        TEST(script_without_interpreter),
        TEST(environment_and_folder),
        TEST(only_three_descriptors),
        TEST(inputs),
        TEST(inherited_descriptors),
        TEST(closed_descriptors),
        TEST(fresh_signals_and_session),
        TEST(dies_with_parent),
        TEST(large_parent),
        TEST(out_of_descriptors),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
