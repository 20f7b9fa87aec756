/* Preloaded into the programs of one name: their n-th call of one function fails, or that and every later
 * one. ZPROC_INJECT is "PROGRAM CALL N ERRNO", with a '+' after N for every later one too; how many failed is
 * counted in the file ZPROC_INJECT_COUNT. Without '+' the first process that gets there is the only one. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char program[64], wanted[32];
static long first;
static int number;
static bool later;
static long count;
static int *failures;                  /* of all processes; in the file ZPROC_INJECT_COUNT */
static uintptr_t code_start, code_end; /* of the program itself, without its libraries */

/* The program comes first. */
static int program_find(struct dl_phdr_info *info, size_t size, void *ctx)
{
    (void)size;
    (void)ctx;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
            continue;
        code_start = (uintptr_t)(info->dlpi_addr + part->p_vaddr);
        code_end = code_start + (uintptr_t)part->p_memsz;
    }
    return 1;
}

static int *counter_map(const char *path);

__attribute__((constructor)) static void inject_open(void)
{
    const char *rule = getenv("ZPROC_INJECT");
    char path[4096], plus = 0;
    ssize_t len = rule ? readlink("/proc/self/exe", path, sizeof path - 1) : -1;
    const char *file = getenv("ZPROC_INJECT_COUNT");
    if (len < 0 || !file)
        return;
    path[len] = '\0';
    char call[sizeof wanted];
    long n = 0;
    int error = 0;
    if (sscanf(rule, "%63s %31s %ld%c%d", program, call, &n, &plus, &error) != 5 ||
        strcmp(strrchr(path, '/') + 1, program) != 0)
        return;
    failures = counter_map(file);
    if (!failures)
        return;
    dl_iterate_phdr(program_find, NULL);
    first = n;
    later = plus == '+';
    number = error;
    memcpy(wanted, call, sizeof wanted);
}

/* By system call: these functions are ours here. Mapped at once, because a program may bar itself from files
 * later. */
static int *counter_map(const char *path)
{
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || syscall(SYS_ftruncate, fd, sizeof *failures) != 0)
        return NULL;
    long mapped = syscall(SYS_mmap, NULL, sizeof *failures, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
    syscall(SYS_close, fd);
    return mapped > 0 ? (int *)mapped : NULL;
}

/* Whether this call fails; errno is set then. */
static bool strikes(const char *call)
{
    if (!wanted[0] || strcmp(call, wanted) != 0)
        return false;
    long n = __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
    if (n < first || (!later && n > first))
        return false;
    if (__atomic_fetch_add(failures, 1, __ATOMIC_RELAXED) > 0 && !later)
        return false;
    errno = number;
    return true;
}

static bool is_ours(void *caller)
{
    return (uintptr_t)caller >= code_start && (uintptr_t)caller < code_end;
}

/* Copied, because ISO C has no way from a pointer to data to one to a function. */
static void real_find(void *slot, const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    memcpy(slot, &symbol, sizeof symbol);
}

#define WRAP(type, failed, name, parameters, arguments)                                                      \
    type name parameters                                                                                     \
    {                                                                                                        \
        static type(*real) parameters;                                                                       \
        if (!real)                                                                                           \
            real_find(&real, #name);                                                                         \
        return strikes(#name) ? (failed) : real arguments;                                                   \
    }

/* Libraries write to pipes of their own with these, which never fail in truth, and end the process. */
ssize_t write(int fd, const void *data, size_t len)
{
    static ssize_t (*real)(int, const void *, size_t);
    if (!real)
        real_find(&real, "write");
    return is_ours(__builtin_return_address(0)) && strikes("write") ? -1 : real(fd, data, len);
}

ssize_t read(int fd, void *data, size_t len)
{
    static ssize_t (*real)(int, void *, size_t);
    if (!real)
        real_find(&real, "read");
    return is_ours(__builtin_return_address(0)) && strikes("read") ? -1 : real(fd, data, len);
}

/* What does not wait is not interrupted. */
pid_t waitpid(pid_t pid, int *status, int flags)
{
    static pid_t (*real)(pid_t, int *, int);
    if (!real)
        real_find(&real, "waitpid");
    return !(flags & WNOHANG) && strikes("waitpid") ? -1 : real(pid, status, flags);
}

WRAP(ssize_t, -1, pwrite, (int fd, const void *data, size_t len, off_t at), (fd, data, len, at))
WRAP(ssize_t, -1, writev, (int fd, const struct iovec *parts, int len), (fd, parts, len))
WRAP(ssize_t, -1, pread, (int fd, void *data, size_t len, off_t at), (fd, data, len, at))
WRAP(ssize_t, -1, send, (int fd, const void *data, size_t len, int flags), (fd, data, len, flags))
WRAP(ssize_t, -1, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
WRAP(ssize_t, -1, recv, (int fd, void *data, size_t len, int flags), (fd, data, len, flags))
WRAP(ssize_t, -1, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))
WRAP(int, -1, fsync, (int fd), (fd))
WRAP(int, -1, fdatasync, (int fd), (fd))
WRAP(int, -1, ftruncate, (int fd, off_t len), (fd, len))
WRAP(int, -1, fstat, (int fd, struct stat *info), (fd, info))
WRAP(int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(int, -1, flock, (int fd, int what), (fd, what))
WRAP(int, -1, dup2, (int fd, int to), (fd, to))
WRAP(int, -1, pipe2, (int fds[2], int flags), (fds, flags))
WRAP(int, -1, socket, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(int, -1, socketpair, (int domain, int type, int protocol, int fds[2]), (domain, type, protocol, fds))
WRAP(int, -1, listen, (int fd, int backlog), (fd, backlog))
WRAP(int, -1, setsockopt, (int fd, int level, int option, const void *value, socklen_t len),
     (fd, level, option, value, len))
WRAP(int, -1, poll, (struct pollfd * fds, nfds_t count_, int timeout), (fds, count_, timeout))
WRAP(int, -1, epoll_create1, (int flags), (flags))
WRAP(int, -1, epoll_ctl, (int epoll, int what, int fd, struct epoll_event *event), (epoll, what, fd, event))
WRAP(int, -1, epoll_wait, (int epoll, struct epoll_event *events, int max, int timeout),
     (epoll, events, max, timeout))
WRAP(int, -1, epoll_pwait,
     (int epoll, struct epoll_event *events, int max, int timeout, const sigset_t *mask),
     (epoll, events, max, timeout, mask))
WRAP(int, -1, eventfd, (unsigned initial, int flags), (initial, flags))
WRAP(int, -1, timerfd_create, (int clock, int flags), (clock, flags))
WRAP(int, -1, timerfd_settime, (int fd, int flags, const struct itimerspec *value, struct itimerspec *old),
     (fd, flags, value, old))
WRAP(int, -1, signalfd, (int fd, const sigset_t *mask, int flags), (fd, mask, flags))
WRAP(int, -1, inotify_init1, (int flags), (flags))
WRAP(int, -1, inotify_add_watch, (int fd, const char *path, uint32_t mask), (fd, path, mask))
WRAP(int, -1, memfd_create, (const char *name, unsigned flags), (name, flags))
WRAP(void *, MAP_FAILED, mmap, (void *at, size_t len, int protection, int flags, int fd, off_t offset),
     (at, len, protection, flags, fd, offset))
WRAP(int, -1, rename, (const char *from, const char *to), (from, to))
WRAP(int, -1, renameat, (int from_dir, const char *from, int to_dir, const char *to),
     (from_dir, from, to_dir, to))
WRAP(int, -1, unlink, (const char *path), (path))
WRAP(int, -1, unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
WRAP(int, -1, rmdir, (const char *path), (path))
WRAP(int, -1, mkdir, (const char *path, mode_t mode), (path, mode))
WRAP(int, -1, symlink, (const char *to, const char *path), (to, path))
WRAP(int, -1, stat, (const char *path, struct stat *info), (path, info))
WRAP(int, -1, lstat, (const char *path, struct stat *info), (path, info))
WRAP(ssize_t, -1, readlink, (const char *path, char *to, size_t size), (path, to, size))
WRAP(DIR *, NULL, opendir, (const char *path), (path))
WRAP(int, -1, chdir, (const char *path), (path))
WRAP(pid_t, -1, fork, (void), ())
WRAP(int, -1, execv, (const char *path, char *const *argv), (path, argv))
WRAP(int, -1, access, (const char *path, int mode), (path, mode))
WRAP(char *, NULL, realpath, (const char *path, char *to), (path, to))
WRAP(DIR *, NULL, fdopendir, (int fd), (fd))
WRAP(int, -1, scandir,
     (const char *path, struct dirent ***names, int (*choose)(const struct dirent *),
      int (*order)(const struct dirent **, const struct dirent **)),
     (path, names, choose, order))
WRAP(int, -1, mkostemp, (char *name, int flags), (name, flags))
WRAP(int, -1, fstatat, (int dir, const char *path, struct stat *info, int flags), (dir, path, info, flags))
WRAP(int, -1, getrlimit, (__rlimit_resource_t what, struct rlimit *limit), (what, limit))
WRAP(int, -1, setrlimit, (__rlimit_resource_t what, const struct rlimit *limit), (what, limit))
WRAP(int, -1, execve, (const char *path, char *const *argv, char *const *env), (path, argv, env))
WRAP(int, -1, execvp, (const char *path, char *const *argv), (path, argv))

/* With the types that these have in C; the headers' are a GNU extension. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
WRAP(int, -1, bind, (int fd, const struct sockaddr *address, socklen_t len), (fd, address, len))
WRAP(int, -1, connect, (int fd, const struct sockaddr *address, socklen_t len), (fd, address, len))
WRAP(int, -1, accept, (int fd, struct sockaddr *address, socklen_t *len), (fd, address, len))
WRAP(int, -1, accept4, (int fd, struct sockaddr *address, socklen_t *len, int flags),
     (fd, address, len, flags))
#pragma GCC diagnostic pop

/* The stack of the new process is its own; what comes after its memory is not used here. */
int clone(int (*run)(void *), void *stack, int flags, void *arg, ...);
WRAP(int, -1, clone, (int (*run)(void *), void *stack, int flags, void *arg, ...), (run, stack, flags, arg))

/* What the programs call by number, among it what stands before a function of libc in the server. */
static const char *number_name(long call)
{
    switch (call) {
    case SYS_accept4:
        return "accept4";
    case SYS_recvfrom:
        return "recv";
    case SYS_pidfd_open:
        return "pidfd_open";
    case SYS_landlock_create_ruleset:
    case SYS_landlock_add_rule:
    case SYS_landlock_restrict_self:
        return "landlock";
    default:
        return "";
    }
}

long syscall(long call, ...)
{
    static long (*real)(long, ...);
    long given[6];
    va_list rest;
    va_start(rest, call);
    for (int i = 0; i < 6; i++)
        given[i] = va_arg(rest, long);
    va_end(rest);
    if (!real)
        real_find(&real, "syscall");
    if (is_ours(__builtin_return_address(0)) && strikes(number_name(call)))
        return -1;
    return real(call, given[0], given[1], given[2], given[3], given[4], given[5]);
}

/* Its third argument is a number or a pointer, or none. */
int fcntl(int fd, int what, ...)
{
    static int (*real)(int, int, ...);
    va_list rest;
    va_start(rest, what);
    void *given = va_arg(rest, void *);
    va_end(rest);
    if (!real)
        real_find(&real, "fcntl");
    return is_ours(__builtin_return_address(0)) && strikes("fcntl") ? -1 : real(fd, what, given);
}

int prctl(int what, ...)
{
    static int (*real)(int, ...);
    unsigned long given[4];
    va_list rest;
    va_start(rest, what);
    for (int i = 0; i < 4; i++)
        given[i] = va_arg(rest, unsigned long);
    va_end(rest);
    if (!real)
        real_find(&real, "prctl");
    return is_ours(__builtin_return_address(0)) && strikes("prctl")
               ? -1
               : real(what, given[0], given[1], given[2], given[3]);
}

static int open_any(const char *call, int dir, const char *path, int flags, mode_t mode)
{
    return strikes(call) ? -1 : (int)syscall(SYS_openat, dir, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_any("open", AT_FDCWD, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_any("openat", dir, path, flags, mode);
}

/* ---- Allocations of the program's own code, as one kind: "alloc" ---- */

void *calloc(size_t items, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(items, size, &bytes) ||
        (is_ours(__builtin_return_address(0)) && strikes("alloc"))) {
        errno = ENOMEM;
        return NULL;
    }
    void *memory = malloc(bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}

void *reallocarray(void *memory, size_t items, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(items, size, &bytes) ||
        (is_ours(__builtin_return_address(0)) && strikes("alloc"))) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(memory, bytes);
}
