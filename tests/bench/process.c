/* Starting, timing and ending processes. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define START_MS 10000
#define END_MS   15000

/* execve takes strings that it does not change. */
static char *const *argv_of(const struct command *command)
{
    return (char *const *)(const void *)command->argv;
}

static void child_run(const struct command *command, pid_t parent)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() == parent && null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0 &&
        (getenv("BENCH_VERBOSE") || dup2(null, STDERR_FILENO) >= 0))
        execv(command->argv[0], argv_of(command));
    _exit(127);
}

pid_t process_start(const struct command *command)
{
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        child_run(command, parent);
    return pid;
}

void process_end(pid_t pid)
{
    process_end_by(pid, SIGTERM);
}

void process_end_by(pid_t pid, int number)
{
    if (pid <= 0)
        return;
    int64_t until = time_now_ms() + END_MS;
    kill(pid, number);
    while (waitpid(pid, NULL, WNOHANG) == 0) {
        if (time_now_ms() >= until) {
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
            return;
        }
        poll(NULL, 0, 5);
    }
}

double process_time(const struct command *command)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (!getenv("BENCH_VERBOSE"))
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t pid;
    int status = -1;
    double start = now_ns();
    int failure = posix_spawn(&pid, command->argv[0], &actions, NULL, argv_of(command), environ);
    if (failure == 0)
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
    double end = now_ns();
    posix_spawn_file_actions_destroy(&actions);
    return failure == 0 && status == 0 ? end - start : -1;
}

char *program_in(const char *folder, const char *name)
{
    char *path = mem_format("%s/%s", folder, name);
    if (access(path, X_OK) == 0)
        return path;
    free(path);
    return NULL;
}

char *program_in_path(const char *name)
{
    const char *from = getenv("PATH");
    while (from && *from) {
        size_t len = strcspn(from, ":");
        AUTO_FREE char *folder = mem_copy(from, len);
        char *path = program_in(folder, name);
        if (path)
            return path;
        from += len + (from[len] == ':');
    }
    return NULL;
}

/* Its status is left for process_end. */
static bool pid_ended(pid_t pid)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

bool socket_wait(const char *path, pid_t pid)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int64_t until = time_now_ms() + START_MS;
    if (strlen(path) >= sizeof name.sun_path)
        return false;
    strcpy(name.sun_path, path);
    for (; time_now_ms() < until; poll(NULL, 0, 5)) {
        AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, (const struct sockaddr *)&name, sizeof name) == 0)
            return true;
        if (pid_ended(pid))
            return false;
    }
    return false;
}
