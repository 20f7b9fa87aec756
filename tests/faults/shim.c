/* Preloaded into a server: makes the writes and syncs of one folder's files fail, or ends the server at one
 * of them, as a file that the test maps too says. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum call { CALL_NONE, CALL_WRITE, CALL_SYNC };
enum action { FAIL = 1, FAIL_HALF, KILL_BEFORE, KILL_HALF, KILL_AFTER };
enum power { POWER_ON, POWER_DROP, POWER_TEAR, POWER_ZERO };

#define FILES 128

struct control {
    int32_t call;   /* which calls are struck */
    int32_t action; /* what happens to them */
    int32_t error;  /* errno of those that fail */
    int32_t skip;   /* this many are spared first */
    int32_t struck; /* how many have been */
    int32_t power;  /* what the end of the server does to bytes that are not synced */
    int32_t next;   /* of files: where another one is noted */
    struct {
        int64_t number; /* of the inode */
        int64_t synced; /* bytes */
    } files[FILES];
};

static struct control *control;
static const char *folder;
static size_t folder_len;
static pid_t server;
static int boot = -1; /* opened before the server confines itself */
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
    const char *path = getenv("ZPROC_FAULT_CONTROL"), *boot_path = getenv("ZPROC_FAULT_BOOT");
    boot = boot_path ? openat(AT_FDCWD, boot_path, O_RDONLY | O_CLOEXEC) : -1;
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

static bool is_ours(int fd)
{
    char link[64], target[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, target, sizeof target);
    return len >= 0 && (size_t)len >= folder_len && memcmp(target, folder, folder_len) == 0;
}

static int64_t *file_synced(int64_t number)
{
    for (int i = 0; i < FILES; i++)
        if (control->files[i].number == number)
            return &control->files[i].synced;
    return NULL;
}

/* Before a write: what the file holds already was there when it was opened, or noted at a write before. */
static void file_note(int fd)
{
    struct stat info;
    if (!control || !is_ours(fd) || fstat(fd, &info) != 0)
        return;
    int64_t *synced = file_synced((int64_t)info.st_ino);
    if (!synced) {
        int place = control->next++ % FILES;
        control->files[place].number = (int64_t)info.st_ino;
        synced = &control->files[place].synced;
        *synced = info.st_size;
    } else if (info.st_size == 0) { /* the number of a file that was removed */
        *synced = 0;
    }
}

static void file_note_synced(int fd)
{
    struct stat info;
    int64_t *synced = NULL;
    if (control && is_ours(fd) && fstat(fd, &info) == 0)
        synced = file_synced((int64_t)info.st_ino);
    if (synced)
        *synced = info.st_size;
}

/* A disk may have any part of what was not synced, also its length without its bytes. */
static void file_lose(int fd, int64_t synced, int64_t size)
{
    if (control->power == POWER_TEAR)
        synced += (size - synced) / 2;
    if (ftruncate(fd, synced) != 0 || (control->power == POWER_ZERO && ftruncate(fd, size) != 0))
        abort();
}

static void power_cut(void)
{
    DIR *listing = opendir(folder);
    if (!listing)
        return;
    for (struct dirent *entry; (entry = readdir(listing));) {
        struct stat info;
        const int64_t *synced;
        int fd = openat(dirfd(listing), entry->d_name, O_WRONLY | O_CLOEXEC);
        if (fd >= 0 && fstat(fd, &info) == 0 && (synced = file_synced((int64_t)info.st_ino)) &&
            *synced < info.st_size)
            file_lose(fd, *synced, info.st_size);
        if (fd >= 0)
            close(fd);
    }
    closedir(listing);
}

/* The action for this call on this descriptor, 0 for none. */
static int strike(int call, int fd)
{
    if (!control || control->call != call)
        return 0;
    if (!is_ours(fd))
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
    if (control->power != POWER_ON)
        power_cut();
    kill(getpid(), SIGKILL);
}

/* After a power cut the machine has another boot id. */
int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (boot >= 0 && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0)
        return lseek(boot, 0, SEEK_SET) == 0 ? dup(boot) : -1;
    return openat(AT_FDCWD, path, flags, mode);
}

static int fail(void)
{
    errno = control->error;
    return -1;
}

ssize_t write(int fd, const void *data, size_t len)
{
    file_note(fd);
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
    if (result == 0)
        file_note_synced(fd);
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
