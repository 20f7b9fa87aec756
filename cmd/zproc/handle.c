/* A command for an event: its variables, the snapshot as its standard input, and its end. */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define VALUE_MAX (64 * 1024) /* a longer value is passed as a file */

/* A file without a name that the command inherits, at its beginning; -1 with err. */
static int file_of(const char *name, struct str text, struct err *err)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd >= 0 && fd_write_all(fd, text.data, text.len) && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    err_errno(err, errno, "cannot hand over the event");
    if (fd >= 0)
        close(fd);
    return -1;
}

static void value_text(const struct reply *reply, const struct value *key, struct buf *text)
{
    AUTO_VALUE struct value *snapshot = value_parse(reply->value, NULL);
    bool is_map = snapshot && value_type(snapshot) == VALUE_MAP;
    const struct value *value = key && is_map ? map_get(snapshot, value_as_str(key)) : NULL;
    if (value && value_type(value) == VALUE_STRING)
        buf_add_str(text, value_as_str(value));
    else if (value)
        value_print(text, value);
}

/* *value_fd: a file of the value when it does not fit into a variable, else -1. */
static bool variables_set(const struct reply *reply, int *value_fd, struct err *err)
{
    const struct value *key = reply_field(reply, "key");
    AUTO_BUF struct buf text = {0};
    AUTO_FREE char *revision = mem_format("%lld", (long long)reply->rev);
    AUTO_FREE char *name = key ? mem_copy(value_as_str(key).data, value_as_str(key).len) : mem_text("");
    value_text(reply, key, &text);
    bool is_long = text.len > VALUE_MAX || (text.len > 0 && memchr(text.data, '\0', text.len));
    *value_fd = -1;
    if (is_long && (*value_fd = file_of("value", buf_str(&text), err)) < 0)
        return false;
    setenv("ZPROC_REVISION", revision, 1);
    setenv("ZPROC_KEY", name, 1);
    setenv("ZPROC_VALUE", is_long || !text.data ? "" : text.data, 1);
    setenv("ZPROC_DELETED", reply_field(reply, "deleted") ? "1" : "", 1);
    unsetenv("ZPROC_VALUE_FILE");
    AUTO_FREE char *path = is_long ? mem_format("/proc/self/fd/%d", *value_fd) : NULL;
    if (path)
        setenv("ZPROC_VALUE_FILE", path, 1);
    return !is_long || fd_set_cloexec(*value_fd, false) ||
           err_errno(err, errno, "cannot hand over the value");
}

static void become(char *const *argv, int snapshot, const sigset_t *before, int failure)
{
    sigprocmask(SIG_SETMASK, before, NULL);
    if (dup2(snapshot, STDIN_FILENO) == STDIN_FILENO)
        execvp(argv[0], argv);
    int number = errno;
    (void)!write(failure, &number, sizeof number);
    _exit(127);
}

/* Waits for the command; signals that a process sends to us go to it. */
static int command_wait(pid_t pid, const sigset_t *set)
{
    int status;
    for (;;) {
        pid_t ended = waitpid(pid, &status, WNOHANG);
        if (ended == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        siginfo_t info;
        int number = sigwaitinfo(set, &info);
        if (number > 0 && number != SIGCHLD && info.si_code <= 0)
            kill(pid, number);
    }
}

static int command_run(char *const *argv, int snapshot, struct err *err)
{
    sigset_t set, before;
    int failure[2], number;
    if (pipe2(failure, O_CLOEXEC) != 0) {
        err_errno(err, errno, "cannot make a pipe");
        return 125;
    }
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_BLOCK, &set, &before);
    pid_t pid = fork();
    if (pid == 0)
        become(argv, snapshot, &before, failure[1]);
    number = errno;
    close(failure[1]);
    bool failed = pid < 0 || read(failure[0], &number, sizeof number) == (ssize_t)sizeof number;
    close(failure[0]);
    int status = pid > 0 ? command_wait(pid, &set) : 125;
    sigprocmask(SIG_SETMASK, &before, NULL); /* a signal that came to us as well has its effect now */
    if (!failed)
        return status;
    err_errno(err, number, "cannot run '%s'", argv[0]);
    return pid < 0 ? 125 : number == ENOENT ? 127 : 126;
}

int handle_event(char *const *argv, const struct reply *reply, struct err *err)
{
    int value_fd;
    bool ready = variables_set(reply, &value_fd, err);
    int snapshot = ready ? file_of("snapshot", reply->value, err) : -1;
    int status = snapshot >= 0 ? command_run(argv, snapshot, err) : 125;
    if (snapshot >= 0)
        close(snapshot);
    if (value_fd >= 0)
        close(value_fd);
    return status;
}
