/* A command between two pipes. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#define FD_LEAST 10 /* above the child's own descriptors */

/* A pipe whose ends are out of the way of what the child gets. */
static bool pipe_open(int ends[2], struct err *err)
{
    int low[2];
    if (pipe2(low, O_CLOEXEC) != 0)
        return err_errno(err, errno, "cannot make a pipe");
    for (int i = 0; i < 2; i++)
        ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, FD_LEAST);
    int number = errno;
    close(low[0]);
    close(low[1]);
    return (ends[0] >= 0 && ends[1] >= 0) || err_errno(err, number, "cannot make a pipe");
}

/* Signals that would end us are the child's; what is ignored (nohup) stays so. */
static bool signals_open(struct child *child, struct err *err)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    for (size_t i = 0; i < LENGTH_OF(numbers); i++) {
        struct sigaction action;
        if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&set, numbers[i]);
    }
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_IGN); /* it need not read its input */
    if (sigprocmask(SIG_BLOCK, &set, &child->before) != 0 ||
        (child->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
        return err_errno(err, errno, "cannot wait for signals");
    return true;
}

struct pipes {
    int in[2], out[2], failure[2];
};

static void pipes_close(struct pipes *pipes)
{
    for (int i = 0; i < 2; i++) {
        fd_close(&pipes->in[i]);
        fd_close(&pipes->out[i]);
        fd_close(&pipes->failure[i]);
    }
}

static void become(const struct child *child, const struct pipes *pipes, const char *const *argv,
                   pid_t parent)
{
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* when we are killed the lock is free: it must not go on */
#endif
    if (getppid() != parent)
        _exit(125);
    if (child->group)
        setpgid(0, 0);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &child->before, NULL);
    dup2(STDOUT_FILENO, 3);
    if (dup2(pipes->in[0], STDIN_FILENO) >= 0 && dup2(pipes->out[1], STDOUT_FILENO) >= 0)
        execvp(argv[0], (char *const *)argv);
    int number = errno;
    (void)!write(pipes->failure[1], &number, sizeof number);
    _exit(127);
}

static bool spawn(struct child *child, struct pipes *pipes, const char *const *argv, int *status,
                  struct err *err)
{
    pid_t parent = getpid();
    child->pid = fork();
    if (child->pid == 0)
        become(child, pipes, argv, parent);
    if (child->pid < 0) {
        child->pid = 0;
        return err_errno(err, errno, "cannot fork for '%s'", argv[0]);
    }
    if (child->group)
        setpgid(child->pid, child->pid); /* whoever comes first */
    int number;
    fd_close(&pipes->failure[1]);
    if (read(pipes->failure[0], &number, sizeof number) != (ssize_t)sizeof number)
        return true;
    waitpid(child->pid, NULL, 0);
    child->pid = 0;
    *status = number == ENOENT ? 127 : 126;
    return err_errno(err, number, "cannot run '%s'", argv[0]);
}

bool child_start(struct child *child, const char *const *argv, const char *name, const char *value,
                 int *status, struct err *err)
{
    struct pipes pipes = {{-1, -1}, {-1, -1}, {-1, -1}};
    *child = (struct child){.group = !isatty(STDIN_FILENO), .in = -1, .out = -1, .signals = -1};
    *status = 125;
    bool started = setenv(name, value, 1) == 0 && pipe_open(pipes.in, err) && pipe_open(pipes.out, err) &&
                   pipe_open(pipes.failure, err) && signals_open(child, err) &&
                   spawn(child, &pipes, argv, status, err);
    if (started) {
        child->in = pipes.in[1];
        child->out = pipes.out[0];
        pipes.in[1] = pipes.out[0] = -1;
        fd_set_nonblocking(child->in, true);
        fd_set_nonblocking(child->out, true);
    }
    pipes_close(&pipes);
    return started;
}

void child_signal(const struct child *child, int number)
{
    if (child->pid > 0)
        kill(child->group ? -child->pid : child->pid, number);
}

static bool child_reap(struct child *child, int *status)
{
    int result;
    if (child->pid == 0 || waitpid(child->pid, &result, WNOHANG) != child->pid)
        return false;
    *status = WIFSIGNALED(result) ? 128 + WTERMSIG(result) : WEXITSTATUS(result);
    child->pid = 0;
    return true;
}

bool child_ended(struct child *child, int *status)
{
    struct signalfd_siginfo info;
    while (read(child->signals, &info, sizeof info) == (ssize_t)sizeof info)
        /* A terminal's own signals have reached its whole foreground group already. */
        if (info.ssi_signo != SIGCHLD && (child->group || info.ssi_code != SI_KERNEL))
            child_signal(child, (int)info.ssi_signo);
    return child_reap(child, status);
}

void child_release(struct child *child)
{
    fd_close(&child->in);
    fd_close(&child->out);
    if (child->signals >= 0)
        sigprocmask(SIG_SETMASK, &child->before, NULL);
    fd_close(&child->signals);
}
