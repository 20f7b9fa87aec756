/* Starts a command as vfork does: the new process runs on our memory until exec, so that its cost does not
 * grow with ours. All that allocates is prepared before; what goes wrong comes back in struct start. */
#include "bound_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Enough for the calls below and for the dynamic linker, which saves wide registers. */
#define STACK_SIZE      (64 * 1024)
#define SHELL           "/bin/sh"
#define DESCRIPTORS_MAX (1 << 20)
/* As execvp without PATH. */
#define PATH_DEFAULT "/bin:/usr/bin"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

/* What runs between clone and exec uses a stack that the sanitizers do not know. */
#define ON_OWN_STACK __attribute__((no_sanitize("address", "undefined")))

enum stage { STAGE_SETUP, STAGE_GROUP, STAGE_LIMIT, STAGE_NICE, STAGE_USER, STAGE_DIR, STAGE_EXEC };

struct start {
    /* Prepared by the parent. */
    const struct child_spec *spec;
    const int *descriptors;
    char **paths;      /* the command's possible places, in order, NULL at the end */
    char **shell_argv; /* [1] is set to the path of a script without #! */
    pid_t parent;
    int door; /* of the group to enter; -1: none */
    /* Written by the new process. */
    bool failed;
    enum stage stage;
    int number;         /* errno */
    const char *path;   /* of paths: what number is about; NULL: none was there */
    size_t limit;       /* which of spec's number is about */
    bool missing_inner; /* path is there, but not the interpreter or loader that it names */
};

/* By system call: libc's sigaction refuses the two signals that it keeps for itself, and they can be
 * inherited as ignored. All zeros is the default action with an empty mask, whatever the layout. */
ON_OWN_STACK static void signals_reset(void)
{
    const uint64_t fallback[20] = {0};
    for (int number = 1; number < NSIG; number++)
        syscall(SYS_rt_sigaction, number, fallback, NULL, (NSIG - 1) / 8);
}

ON_OWN_STACK static void mark_cloexec_from(unsigned first)
{
    if (syscall(SYS_close_range, first, UINT_MAX, CLOSE_RANGE_CLOEXEC) == 0)
        return;
    /* A kernel before 5.11; the bound is for limits that only say "very many". */
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > DESCRIPTORS_MAX)
        limit.rlim_cur = DESCRIPTORS_MAX;
    for (int fd = (int)first; fd < (int)limit.rlim_cur; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

ON_OWN_STACK static bool descriptors_set(const struct start *start)
{
    for (int i = 0; i < 3; i++)
        if (start->descriptors[i] >= 0 && dup2(start->descriptors[i], i) < 0)
            return false;
    mark_cloexec_from(3);
    for (size_t i = 0; i < start->spec->keep_count; i++)
        if (fcntl(start->spec->keep[i], F_SETFD, 0) < 0)
            return false;
    return true;
}

/* Whether the shell may try it: as execvp, but not for a program of another machine. */
ON_OWN_STACK static bool is_text(const char *path)
{
    char head[256];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, head, sizeof head) : -1;
    if (fd >= 0)
        close(fd);
    for (ssize_t i = 0; i < len; i++)
        if (head[i] == '\0')
            return false;
    return len >= 0;
}

/* Tries one place; returns only when that failed. False: the search is over. */
ON_OWN_STACK static bool exec_at(struct start *start, char *path)
{
    execve(path, start->spec->argv, start->spec->env);
    int number = errno;
    if (number == ENOEXEC && is_text(path)) {
        start->shell_argv[1] = path;
        execve(SHELL, start->shell_argv, start->spec->env);
        number = errno;
    }
    bool missing = number == ENOENT || number == ENOTDIR;
    bool missing_inner = missing && access(path, F_OK) == 0;
    if (missing && !missing_inner)
        return true;
    /* Of several that are there, the first is named. */
    if (!start->path) {
        start->path = path;
        start->number = number;
        start->missing_inner = missing_inner;
    }
    return number == EACCES || missing_inner;
}

/* Before it has memory of its own: all of that is to count. */
ON_OWN_STACK static bool group_enter(struct start *start)
{
    start->stage = STAGE_GROUP;
    return start->door < 0 || write(start->door, "0", 1) == 1;
}

ON_OWN_STACK static bool limits_set(struct start *start)
{
    const struct child_spec *spec = start->spec;
    start->stage = STAGE_LIMIT;
    for (start->limit = 0; start->limit < spec->limit_count; start->limit++) {
        const struct child_limit *limit = &spec->limits[start->limit];
        const struct rlimit wanted = {limit->soft, limit->hard};
        if (setrlimit((__rlimit_resource_t)limit->resource, &wanted) != 0)
            return false;
    }
    start->stage = STAGE_NICE;
    return !spec->nice || setpriority(PRIO_PROCESS, 0, *spec->nice) == 0;
}

/* By system call: libc's functions would change every thread of ours. */
ON_OWN_STACK static bool user_set(struct start *start)
{
    const struct child_user *user = start->spec->user;
    start->stage = STAGE_USER;
    if (!user)
        return true;
    if (syscall(SYS_setgroups, user->group_count, user->groups) != 0)
        return false;
    return syscall(SYS_setresgid, user->gid, user->gid, user->gid) == 0 &&
           syscall(SYS_setresuid, user->uid, user->uid, user->uid) == 0;
}

/* Goes up to exec; returns only when that failed. */
ON_OWN_STACK static void run_command(struct start *start)
{
    const struct child_spec *spec = start->spec;
    signals_reset();
    setsid();
    if (!descriptors_set(start) || (spec->tty && ioctl(STDIN_FILENO, TIOCSCTTY, 0) != 0) ||
        !group_enter(start) || !limits_set(start) || !user_set(start)) {
        start->number = errno;
        return;
    }
    /* A change of user takes the signal away again, so it comes after that. */
    if (spec->die_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() != start->parent)
        _exit(127); /* it was gone before it could be said */
    start->stage = STAGE_DIR;
    if (spec->dir && chdir(spec->dir) != 0) {
        start->number = errno;
        return;
    }
    start->stage = STAGE_EXEC;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (char **path = start->paths; *path && exec_at(start, *path); path++)
        ;
}

ON_OWN_STACK static int child_main(void *arg)
{
    struct start *start = arg;
    run_command(start);
    start->failed = true;
    _exit(127);
}

/* Signals stay blocked until the new process has its own dispositions: our handlers must not run there. */
static int clone_blocked(struct start *start)
{
    char stack[STACK_SIZE] __attribute__((aligned(64)));
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    int pid = clone(child_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, start);
    int number = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = number;
    return pid;
}

static const char *path_variable(char *const *env)
{
    for (; *env; env++)
        if (strncmp(*env, "PATH=", 5) == 0)
            return *env + 5;
    return PATH_DEFAULT;
}

/* The places where a command may be, as one array to be freed with paths_free. */
static char **paths_make(const char *command, char *const *env)
{
    if (!*command || strchr(command, '/')) {
        char **paths = mem_array(2, sizeof *paths);
        paths[0] = *command ? mem_text(command) : NULL;
        return paths;
    }
    const char *next = path_variable(env);
    size_t count = 2;
    for (const char *c = next; *c; c++)
        count += *c == ':';
    char **paths = mem_array(count, sizeof *paths);
    for (size_t i = 0;; i++) {
        size_t len = strcspn(next, ":");
        paths[i] = mem_format("%.*s%s%s", (int)len, next, len > 0 ? "/" : "", command);
        if (!next[len])
            return paths;
        next += len + 1;
    }
}

static void paths_free(char ***paths)
{
    for (char **path = *paths; *path; path++)
        free(*path);
    free(*paths);
}

char *spawn_find(const char *command, char *const *env)
{
    __attribute__((cleanup(paths_free))) char **paths = paths_make(command, env);
    for (char **path = paths; *path; path++) {
        struct stat st;
        if (access(*path, X_OK) == 0 && stat(*path, &st) == 0 && S_ISREG(st.st_mode))
            return mem_text(*path);
    }
    return NULL;
}

/* {SHELL, the script's path, argv[1] …}: what execvp makes of a script without #!. */
static char **shell_argv_make(char *const *argv)
{
    size_t count = 1;
    while (argv[count])
        count++;
    char **shell = mem_array(count + 2, sizeof *shell);
    shell[0] = (char *)SHELL;
    memcpy(shell + 2, argv + 1, (count - 1) * sizeof *argv);
    return shell;
}

static bool dir_failed(const struct start *start, struct err *err)
{
    const char *dir = start->spec->dir;
    switch (start->number) {
    case ENOENT:
        return err_set(err, ERR_NOT_FOUND, "cannot enter the folder '%s': it does not exist", dir);
    case ENOTDIR:
        return err_set(err, ERR_NOT_FOUND, "cannot enter the folder '%s': it is not a folder", dir);
    case EACCES:
        return err_set(err, ERR_DENIED, "cannot enter the folder '%s': permission denied", dir);
    default:
        return err_errno(err, start->number, "cannot enter the folder '%s'", dir);
    }
}

static bool exec_failed(const struct start *start, struct err *err)
{
    const char *command = start->spec->argv[0];
    /* Other tools take one argument for a line of shell. */
    bool line = strchr(command, ' ') && !start->spec->argv[1];
    if (!start->path)
        return err_set(err, ERR_NOT_FOUND, "cannot run '%s': %s%s", command,
                       strchr(command, '/') ? "it does not exist" : "no such command in PATH",
                       line ? "; for a line of shell write sh -c 'LINE'" : "");
    if (start->missing_inner)
        return err_set(err, ERR_NOT_FOUND, "cannot run '%s': the interpreter that it names does not exist",
                       start->path);
    switch (start->number) {
    case EACCES:
        return err_set(err, ERR_DENIED, "cannot run '%s': not an executable file", start->path);
    case ENOMEM:
    case EAGAIN:
    case EMFILE:
    case ENFILE:
    case EIO:
        return err_errno(err, start->number, "cannot run '%s'", start->path);
    default:
        return err_set(err, ERR_DENIED, "cannot run '%s': %s", start->path, strerror(start->number));
    }
}

static bool setup_failed(const struct start *start, struct err *err)
{
    const struct child_spec *spec = start->spec;
    if (start->stage == STAGE_GROUP)
        return err_errno(err, start->number, "cannot enter the control group that bounds its memory");
    if (start->stage == STAGE_LIMIT && start->number == EPERM)
        return err_set(err, ERR_DENIED,
                       "cannot set the limit '%s': it is above zproc's own, which only root can raise",
                       spec->limits[start->limit].name);
    if (start->stage == STAGE_LIMIT)
        return err_errno(err, start->number, "cannot set the limit '%s'", spec->limits[start->limit].name);
    if (start->stage == STAGE_NICE && start->number == EACCES)
        return err_set(err, ERR_DENIED, "cannot set 'nice' to %d: below zproc's own needs root", *spec->nice);
    if (start->stage == STAGE_NICE)
        return err_errno(err, start->number, "cannot set 'nice' to %d", *spec->nice);
    if (start->stage == STAGE_USER && start->number == EPERM)
        return err_set(err, ERR_DENIED, "cannot run as the user '%s': that needs root", spec->user->name);
    if (start->stage == STAGE_USER)
        return err_errno(err, start->number, "cannot run as the user '%s'", spec->user->name);
    return err_errno(err, start->number, "cannot set up the descriptors of '%s'", spec->argv[0]);
}

int spawn_process(const struct child_spec *spec, const int descriptors[3], struct err *err)
{
    __attribute__((cleanup(paths_free))) char **paths =
        paths_make(spec->path ? spec->path : spec->argv[0], spec->env);
    AUTO_FREE char **shell_argv = shell_argv_make(spec->argv);
    struct start start = {.spec = spec,
                          .descriptors = descriptors,
                          .paths = paths,
                          .shell_argv = shell_argv,
                          .door = spec->bound ? bound_door(spec->bound) : -1,
                          .parent = getpid()};
    int pid = clone_blocked(&start);
    if (pid < 0) {
        err_errno(err, errno, "cannot start a process for '%s'", spec->argv[0]);
        return -1;
    }
    if (!start.failed)
        return pid;
    if (start.stage == STAGE_DIR)
        dir_failed(&start, err);
    else if (start.stage == STAGE_EXEC)
        exec_failed(&start, err);
    else
        setup_failed(&start, err);
    return -1;
}
