/* Preloaded into a server: makes the writes and syncs of one folder's files fail, or ends the server at one
 * of them, as a file that the test maps too says. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum call { CALL_NONE, CALL_WRITE, CALL_SYNC };
enum action { FAIL = 1, FAIL_HALF, KILL_BEFORE, KILL_HALF, KILL_AFTER };

struct control {
    int32_t call;   /* which calls are struck */
    int32_t action; /* what happens to them */
    int32_t error;  /* errno of those that fail */
    int32_t skip;   /* this many are spared first */
    int32_t struck; /* how many have been */
};

static struct control *control;
static const char *folder;
static size_t folder_len;
static pid_t server;
static ssize_t (*real_write)(int, const void *, size_t);
static int (*real_fdatasync)(int), (*real_fsync)(int);

/* Copied, because ISO C has no way from a pointer to data to one to a function. */
static void real_find(void *slot, const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    memcpy(slot, &symbol, sizeof symbol);
}

__attribute__((constructor)) static void shim_open(void)
{
    real_find(&real_write, "write");
    real_find(&real_fdatasync, "fdatasync");
    real_find(&real_fsync, "fsync");
    const char *path = getenv("ZPROC_FAULT_CONTROL");
    folder = getenv("ZPROC_FAULT_FOLDER");
    int fd = path && folder ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    folder_len = strlen(folder);
    server = getpid();
    void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED)
        control = mapped;
}

/* The action for this call on this descriptor, 0 for none. */
static int strike(int call, int fd)
{
    if (!control || control->call != call)
        return 0;
    char link[64], target[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, target, sizeof target);
    if (len < 0 || (size_t)len < folder_len || memcmp(target, folder, folder_len) != 0)
        return 0;
    int action = control->action;
    if (action >= KILL_BEFORE && getpid() != server)
        return 0;
    if (control->skip > 0) {
        control->skip--;
        return 0;
    }
    control->struck++;
    return action;
}

static void die(void)
{
    control->call = CALL_NONE; /* the next server lives */
    kill(getpid(), SIGKILL);
}

static int fail(void)
{
    errno = control->error;
    return -1;
}

ssize_t write(int fd, const void *data, size_t len)
{
    int action = strike(CALL_WRITE, fd);
    if (action == KILL_BEFORE)
        die();
    if (action == FAIL)
        return fail();
    if (action == FAIL_HALF || action == KILL_HALF) {
        ssize_t half = real_write(fd, data, len / 2);
        if (action == KILL_HALF)
            die();
        control->action = FAIL;
        return half > 0 ? half : fail();
    }
    ssize_t written = real_write(fd, data, len);
    if (action == KILL_AFTER)
        die();
    return written;
}

static int sync_file(int fd, int (*real)(int))
{
    int action = strike(CALL_SYNC, fd);
    if (action == KILL_BEFORE || action == KILL_HALF)
        die();
    if (action == FAIL || action == FAIL_HALF)
        return fail();
    int result = real(fd);
    if (action == KILL_AFTER)
        die();
    return result;
}

int fdatasync(int fd)
{
    return sync_file(fd, real_fdatasync);
}

int fsync(int fd)
{
    return sync_file(fd, real_fsync);
}
