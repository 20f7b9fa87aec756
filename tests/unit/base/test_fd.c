/* Descriptors, files and folders, in a folder of their own under /tmp. */
#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_close(void **state)
{
    (void)state;
    int fd = dup(0);
    assert_true(fd >= 0);
    int number = fd;
    errno = EAGAIN;
    fd_close(&fd);
    assert_int_equal(fd, -1);
    assert_int_equal(fcntl(number, F_GETFD), -1);
    errno = EAGAIN;
    fd_close(&fd);
    fd = 1 << 20;
    fd_close(&fd);
    assert_int_equal(errno, EAGAIN);
}

static void test_flags(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, 0), 0);
    AUTO_FD int reader = ends[0];
    AUTO_FD int writer = ends[1];
    assert_true(fd_set_nonblocking(reader, true));
    char byte;
    assert_int_equal(read(reader, &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    assert_true(fd_set_nonblocking(reader, false));
    assert_int_equal(fcntl(reader, F_GETFL) & O_NONBLOCK, 0);
    assert_true(fd_set_cloexec(writer, true));
    assert_int_equal(fcntl(writer, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_true(fd_set_cloexec(writer, false));
    assert_int_equal(fcntl(writer, F_GETFD) & FD_CLOEXEC, 0);
    assert_false(fd_set_cloexec(-1, true));
    assert_false(fd_set_nonblocking(-1, true));
}

static void test_colour(void **state)
{
    (void)state;
    AUTO_FD int pseudo = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(pseudo >= 0 && grantpt(pseudo) == 0 && unlockpt(pseudo) == 0);
    AUTO_FD int terminal = open(ptsname(pseudo), O_RDWR | O_NOCTTY | O_CLOEXEC);
    AUTO_FD int file = open("/dev/null", O_WRONLY | O_CLOEXEC);
    unsetenv("NO_COLOR");
    unsetenv("CI");
    setenv("TERM", "xterm", true);
    assert_true(fd_takes_colour(terminal));
    assert_false(fd_takes_colour(file));
    const char *const against[][2] = {{"NO_COLOR", "1"}, {"CI", "true"}, {"TERM", "dumb"}};
    for (size_t i = 0; i < LENGTH_OF(against); i++) {
        setenv(against[i][0], against[i][1], true);
        assert_false(fd_takes_colour(terminal));
        setenv(against[i][0], "", true);
        assert_true(fd_takes_colour(terminal));
    }
}

/* In a process of its own: 0 when both are taken and cannot be used. */
static int fill_closed(void)
{
    char byte;
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    fd_fill_standard();
    bool reads = read(STDIN_FILENO, &byte, 1) >= 0 || errno != EBADF;
    bool writes = fd_write_all(STDOUT_FILENO, "x", 1) || errno != EBADF;
    return reads || writes || open("/dev/null", O_RDONLY | O_CLOEXEC) <= STDERR_FILENO;
}

static void test_closed_standard_descriptors(void **state)
{
    (void)state;
    int status = -1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(fill_closed());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void test_write_all_reports_errno(void **state)
{
    (void)state;
    AUTO_FD int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_false(fd_write_all(fd, "x", 1));
    assert_int_equal(errno, ENOSPC);
    assert_true(fd_write_all(fd, "", 0));
}

static void test_read_file(void **state)
{
    (void)state;
    struct err err = {0};
    char data[100000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 31);
    file_write("file", (struct str){data, sizeof data});
    AUTO_BUF struct buf buf = {0};
    assert_true(file_read("file", sizeof data, &buf, &err));
    assert_int_equal(buf.len, sizeof data);
    assert_memory_equal(buf.data, data, sizeof data);
    buf_clear(&buf);
    assert_false(file_read("file", sizeof data - 1, &buf, &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_message(&err, "'file'");
}

static void test_read_empty_file(void **state)
{
    (void)state;
    file_write("file", STR(""));
    AUTO_BUF struct buf buf = {0};
    assert_true(file_read("file", 0, &buf, NULL));
    assert_str(buf_str(&buf), "");
}

static void test_read_failures(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO_BUF struct buf buf = {0};
    assert_false(file_read("missing", 10, &buf, &err));
    assert_message(&err, "cannot open 'missing': No such file");
    assert_false(file_read(".", 10, &buf, &err));
    assert_message(&err, "Is a directory");
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static void test_make_folders(void **state)
{
    (void)state;
    struct err err = {0};
    assert_true(dir_make("d", 0700, &err));
    assert_true(dir_make("d//e/f/", 0750, &err));
    assert_true(is_folder("d/e/f"));
    assert_true(dir_make("d/e/f", 0700, &err));
    assert_true(dir_make("/", 0700, &err));
    assert_true(dir_make(".", 0700, &err));
    AUTO_FREE char *absolute = mem_format("%s/d/e", (char *)*state);
    assert_true(dir_make(absolute, 0700, &err));
}

static void test_folders_that_cannot_be_made(void **state)
{
    (void)state;
    struct err err = {0};
    file_write("file", STR(""));
    assert_false(dir_make("", 0700, &err));
    assert_false(dir_make("file", 0700, &err));
    assert_message(&err, "cannot make the folder 'file'");
    assert_false(dir_make("file/below", 0700, &err));
    assert_false(dir_make("/proc/nothing/here", 0700, &err));
    assert_message(&err, "'/proc/nothing'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_colour),
        cmocka_unit_test(test_closed_standard_descriptors),
        cmocka_unit_test(test_write_all_reports_errno),
        cmocka_unit_test(test_read_file),
        cmocka_unit_test(test_read_empty_file),
        cmocka_unit_test(test_read_failures),
        cmocka_unit_test(test_make_folders),
        cmocka_unit_test(test_folders_that_cannot_be_made),
    };
    return cmocka_run_group_tests(tests, folder_enter, folder_leave);
}
