/* Unix sockets that listen: bound so that a live one is never taken over and others never get in. And the
 * dead ones that killed programs have left in the folder for sockets. */
#include "wire_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG      4096
#define TURN_WAIT_MS 1000
#define NAME_LEN     12 /* of what address_new makes */
#define SWEEP_MOST   64 /* files that are looked at, however many there are */
#define SWEEP_AGE_S  60 /* younger ones may be about to listen */
#define KEY_FILE_END ".key"

static socklen_t name_of(const struct address *address, struct sockaddr_un *name)
{
    bool abstract = address->kind == ADDRESS_ABSTRACT;
    size_t len = strlen(address->path);
    *name = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(name->sun_path + abstract, address->path, len);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
}

/* ---- One at a time ---- */

/* Of two programs that find the same stale socket, the slower one must not remove what the faster one has
 * bound there. An abstract name that stands for the folder is a lock that leaves no file and ends with its
 * holder. Others could hold it too, so that it is waited for only so long: it guards against accidents. */
static int turn_take(const char *path, int64_t wait_ms)
{
    AUTO_FREE char *dir = mem_text(path);
    char *slash = strrchr(dir, '/');
    struct stat st;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (slash)
        slash[slash == dir] = '\0';
    if (stat(slash ? dir : ".", &st) != 0)
        return -1;
    int len = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "zproc-listen-%llx-%llx",
                       (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
    AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int64_t until = time_now_ms() + wait_ms;
    while (fd >= 0 && bind(fd, (struct sockaddr *)&name, size) != 0) {
        if (errno != EADDRINUSE || time_now_ms() >= until)
            return -1;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    int turn = fd;
    fd = -1;
    return turn;
}

/* ---- Binding ---- */

enum found { FOUND_DEAD, FOUND_LIVE, FOUND_UNKNOWN };

static enum found socket_test(const struct sockaddr_un *name, socklen_t size)
{
    AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return FOUND_UNKNOWN;
    if (connect(fd, (const struct sockaddr *)name, size) == 0 || errno == EAGAIN)
        return FOUND_LIVE;
    return errno == ECONNREFUSED ? FOUND_DEAD : FOUND_UNKNOWN;
}

bool socket_is_dead(const char *path)
{
    struct address address = {.kind = ADDRESS_IPC};
    struct sockaddr_un name;
    snprintf(address.path, sizeof address.path, "%s", path);
    return socket_test(&name, name_of(&address, &name)) == FOUND_DEAD;
}

static bool live(const struct address *address, struct err *err)
{
    return err_set(err, ERR_CONFLICT,
                   "a server is running at 'ipc://%s%s' already; stop it, or choose another address",
                   address->kind == ADDRESS_ABSTRACT ? "@" : "", address->path);
}

/* A stale socket is taken away; a live one and anything else is left alone. */
static bool path_clear(const struct address *address, struct err *err)
{
    struct stat st;
    struct sockaddr_un name;
    const char *path = address->path;
    if (lstat(path, &st) != 0)
        return errno == ENOENT || err_errno(err, errno, "cannot listen at 'ipc://%s'", path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(err, ERR_DENIED, "'%s' is not a socket and is left alone; choose another address",
                       path);
    enum found found = socket_test(&name, name_of(address, &name));
    if (found == FOUND_LIVE)
        return live(address, err);
    if (found == FOUND_UNKNOWN)
        return err_errno(err, errno, "cannot find out whether '%s' is in use", path);
    return unlink(path) == 0 || err_errno(err, errno, "cannot replace the stale socket '%s'", path);
}

/* It has its mode from the first moment. */
static bool bind_closed(int fd, const struct address *address, struct err *err)
{
    struct sockaddr_un name;
    socklen_t size = name_of(address, &name);
    mode_t mask = umask(0177);
    bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&name, size) == 0;
    int number = errno;
    umask(mask);
    if (!bound && number == EADDRINUSE)
        return live(address, err);
    if (bound && listen(fd, BACKLOG) == 0)
        return true;
    if (bound) {
        number = errno;
        if (address->kind != ADDRESS_ABSTRACT)
            unlink(address->path);
    }
    return err_errno(err, number, "cannot listen at 'ipc://%s%s'",
                     address->kind == ADDRESS_ABSTRACT ? "@" : "", address->path);
}

int socket_listen(const struct address *address, struct socket_file *file, struct err *err)
{
    bool abstract = address->kind == ADDRESS_ABSTRACT;
    struct stat st;
    AUTO_FD __attribute__((unused)) int turn = abstract ? -1 : turn_take(address->path, TURN_WAIT_MS);
    AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    *file = (struct socket_file){0};
    AUTO_FREE char *path = mem_text(address->path);
    if ((!abstract && !path_clear(address, err)) || !bind_closed(fd, address, err))
        return -1;
    if (!abstract && lstat(path, &st) == 0) {
        *file = (struct socket_file){path, st.st_dev, st.st_ino};
        path = NULL;
    }
    int listening = fd;
    fd = -1;
    return listening;
}

void socket_file_remove(struct socket_file *file)
{
    struct stat st;
    if (file->path && lstat(file->path, &st) == 0 && st.st_dev == file->device && st.st_ino == file->inode)
        unlink(file->path);
    free(file->path);
    *file = (struct socket_file){0};
}

/* ---- What killed programs have left ---- */

/* "abcdefghijkl", "abcdefghijkl.key" */
static int is_made_up(const struct dirent *entry)
{
    size_t len = strspn(entry->d_name, "abcdefghijklmnopqrstuvwxyz0123456789");
    const char *end = entry->d_name + len;
    return len == NAME_LEN && (*end == '\0' || strcmp(end, KEY_FILE_END) == 0);
}

/* A socket at which nobody listens, or a key's file that no run holds. */
static bool is_dead(const char *path, mode_t mode)
{
    if (S_ISSOCK(mode))
        return socket_is_dead(path);
    bool is_key = S_ISREG(mode) && str_ends_with(str_of(path), STR(KEY_FILE_END));
    AUTO_FD int fd = is_key ? open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static void sweep_one(const char *folder, const char *name)
{
    AUTO_FREE char *path = mem_format("%s/%s", folder, name);
    struct stat st, now;
    struct address address;
    if (strlen(path) >= sizeof address.path || lstat(path, &st) != 0 || st.st_uid != geteuid() ||
        time_wall_ms() / 1000 - st.st_mtime < SWEEP_AGE_S || !is_dead(path, st.st_mode))
        return;
    if (lstat(path, &now) == 0 && now.st_ino == st.st_ino && now.st_mtime == st.st_mtime)
        unlink(path);
}

void sockets_sweep(const char *folder)
{
    struct dirent **found;
    AUTO_FREE char *within = mem_format("%s/.", folder);
    int count = scandir(folder, &found, is_made_up, NULL);
    if (count <= 0)
        return;
    AUTO_FD int turn = turn_take(within, 0); /* else somebody does it right now */
    unsigned start = 0;                      /* anywhere: many live ones must not hide the dead for ever */
    (void)!getrandom(&start, sizeof start, 0);
    for (unsigned i = 0; turn >= 0 && i < (unsigned)count && i < SWEEP_MOST; i++)
        sweep_one(folder, found[(start % (unsigned)count + i) % (unsigned)count]->d_name);
    for (int i = 0; i < count; i++)
        free(found[i]);
    free(found);
}
