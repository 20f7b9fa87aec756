/* Bounds on the memory of process trees, by Linux's control groups. Version 1 and version 2 differ in names,
 * and in that a group of version 2 with bounded groups below it holds no processes itself: then those of this
 * run move into a group of their own first. */
#include "bound_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX    "zproc-"
#define SELF      "self"    /* where this run's own processes are, if they had to move */
#define FILE_MAX  (1 << 20) /* of what the kernel says */
#define MOVES_MAX 20        /* looks at a group whose processes go on starting others */

struct bounds {
    bool unified; /* version 2 */
    char *own;    /* the group of this process when it came */
    char *dir;    /* this run's, below it */
    int lock;     /* held on dir: one that nobody holds was left behind */
    int64_t made;
};
struct bound {
    bool unified;
    char *path;
    int procs; /* where a process enters */
};

/* ---- Files of the kernel ---- */

static bool write_file(const char *dir, const char *name, const char *text)
{
    AUTO_FREE char *path = mem_format("%s/%s", dir, name);
    AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool read_file(const char *dir, const char *name, struct buf *out)
{
    AUTO_FREE char *path = mem_format("%s/%s", dir, name);
    return file_read(path, FILE_MAX, out, NULL);
}

/* The next of the parts that the separator divides, "" parts too. */
static bool next_part(struct str *rest, char separator, struct str *part)
{
    if (!rest->data)
        return false;
    const char *end = memchr(rest->data, separator, rest->len);
    *part = (struct str){rest->data, end ? (size_t)(end - rest->data) : rest->len};
    *rest = end ? (struct str){end + 1, rest->len - part->len - 1} : (struct str){0};
    return true;
}

static bool has_word(struct str list, const char *word)
{
    for (struct str part; next_part(&list, ',', &part);)
        if (str_is(part, word))
            return true;
    return false;
}

/* ---- Where we are ---- */

/* A line of /proc/PID/cgroup, number:controllers:path: the group that bounds memory. */
static struct str own_path(struct str cgroup, bool *unified)
{
    struct str found = {0};
    for (struct str line, number, controllers; next_part(&cgroup, '\n', &line);) {
        if (!next_part(&line, ':', &number) || !next_part(&line, ':', &controllers))
            continue;
        bool memory = has_word(controllers, "memory");
        if (!memory && (controllers.len > 0 || found.data))
            continue;
        *unified = !memory;
        found = line;
        if (memory)
            break;
    }
    return found;
}

/* id parent device root place options… - type source options */
static bool read_mount(struct str line, bool unified, struct str *root, struct str *place)
{
    struct str word, last = {0};
    for (int i = 0; i < 5; i++) {
        if (!next_part(&line, ' ', &word))
            return false;
        *(i == 3 ? root : place) = word;
    }
    while (next_part(&line, ' ', &word) && !str_is(word, "-"))
        ;
    if (!next_part(&line, ' ', &word))
        return false;
    bool type = str_is(word, unified ? "cgroup2" : "cgroup");
    while (next_part(&line, ' ', &word))
        last = word;
    return type && (unified || has_word(last, "memory"));
}

bool bound_locate(struct str cgroup, struct str mounts, struct buf *path, bool *unified, struct err *err)
{
    struct str own = own_path(cgroup, unified);
    struct str root, place;
    if (!own.data)
        return err_set(err, ERR_DENIED, "this system has no control groups");
    for (struct str line; next_part(&mounts, '\n', &line);) {
        if (!read_mount(line, *unified, &root, &place))
            continue;
        if (str_is(root, "/"))
            root.len = 0;
        if (!str_starts_with(own, root) || (own.len > root.len && own.data[root.len] != '/'))
            continue;
        buf_add_str(path, place);
        if (own.len > root.len + 1)
            buf_add(path, own.data + root.len, own.len - root.len);
        return true;
    }
    return err_set(err, ERR_DENIED, "the control group '%.*s' is not mounted here", STR_ARG(own));
}

static char *locate(bool *unified, struct err *err)
{
    AUTO_BUF struct buf cgroup = {0}, mounts = {0}, path = {0};
    if (!file_read("/proc/self/cgroup", FILE_MAX, &cgroup, err) ||
        !file_read("/proc/self/mountinfo", FILE_MAX, &mounts, err) ||
        !bound_locate(buf_str(&cgroup), buf_str(&mounts), &path, unified, err))
        return NULL;
    return buf_detach(&path);
}

/* ---- Version 2: room for bounded groups ---- */

/* Whether it is top or lives below it. */
static bool belongs(int pid, int top)
{
    struct process process;
    while (pid != top && pid > 1 && process_read(pid, &process))
        pid = process.parent;
    return pid == top;
}

/* Moves all processes from one group to another; top 0: whoever they are. False at one that is not below top,
 * or cannot be moved. */
static bool move_all(const char *from, const char *to, int top)
{
    AUTO_BUF struct buf pids = {0};
    if (!read_file(from, "cgroup.procs", &pids))
        return false;
    struct str rest = buf_str(&pids);
    for (struct str line; next_part(&rest, '\n', &line);) {
        AUTO_FREE char *pid = mem_copy(line.data, line.len);
        if (line.len == 0)
            continue;
        if (top && !belongs(atoi(pid), top))
            return false;
        if (!write_file(to, "cgroup.procs", pid) && errno != ESRCH)
            return false;
    }
    return true;
}

static bool enable(const char *dir)
{
    return write_file(dir, "cgroup.subtree_control", "+memory");
}

static bool make_room(const struct bounds *bounds, int top, struct err *err)
{
    AUTO_FREE char *self = mem_format("%s/" SELF, bounds->dir);
    bool enabled = enable(bounds->own);
    if (!enabled && errno != EBUSY)
        return err_set(err, ERR_DENIED,
                       "the control group '%s' has no memory controller: %s; start zproc with: "
                       "systemd-run --user --scope -p Delegate=yes zproc …",
                       bounds->own, strerror(errno));
    if (!enabled && mkdir(self, 0755) != 0)
        return err_errno(err, errno, "cannot make the control group '%s'", self);
    for (int i = 0; !enabled && i < MOVES_MAX && move_all(bounds->own, self, top); i++)
        enabled = enable(bounds->own);
    if (!enabled)
        return err_set(err, ERR_DENIED,
                       "the control group '%s' holds other processes too; start zproc in one of "
                       "its own: systemd-run --user --scope -p Delegate=yes zproc …",
                       bounds->own);
    return enable(bounds->dir) ||
           err_errno(err, errno, "cannot have bounds on memory in the control group '%s'", bounds->dir);
}

/* ---- The groups of a run ---- */

static void remove_below(const char *dir)
{
    DIR *entries = opendir(dir);
    if (!entries)
        return;
    for (struct dirent *entry; (entry = readdir(entries));) {
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            unlinkat(dirfd(entries), entry->d_name, AT_REMOVEDIR);
    }
    closedir(entries);
}

void bounds_remove(const char *path)
{
    const char *name = strrchr(path, '/');
    if (!name || strncmp(name + 1, PREFIX, strlen(PREFIX)) != 0)
        return;
    AUTO_FREE char *self = mem_format("%s/" SELF, path);
    AUTO_FREE char *own = mem_copy(path, (size_t)(name - path));
    if (access(self, F_OK) == 0 && write_file(path, "cgroup.subtree_control", "-memory") &&
        write_file(own, "cgroup.subtree_control", "-memory"))
        move_all(self, own, 0);
    remove_below(path);
    rmdir(path);
}

/* Groups of supervisors that are no more: nobody holds them. */
static void sweep(const char *own)
{
    DIR *entries = opendir(own);
    if (!entries)
        return;
    for (struct dirent *entry; (entry = readdir(entries));) {
        if (entry->d_type != DT_DIR || strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0)
            continue;
        AUTO_FREE char *path = mem_format("%s/%s", own, entry->d_name);
        AUTO_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
            bounds_remove(path);
    }
    closedir(entries);
}

/* Made and held; another run that sweeps may take it away in between. */
static bool make_dir(struct bounds *bounds, struct err *err)
{
    for (;;) {
        struct stat held, there;
        if (mkdir(bounds->dir, 0755) != 0 && errno != EEXIST)
            return err_set(err, ERR_DENIED, "cannot make the control group '%s': %s", bounds->dir,
                           strerror(errno));
        fd_close(&bounds->lock);
        bounds->lock = open(bounds->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (bounds->lock < 0 && errno == ENOENT)
            continue;
        if (bounds->lock < 0 || flock(bounds->lock, LOCK_SH) != 0)
            return err_errno(err, errno, "cannot hold the control group '%s'", bounds->dir);
        if (fstat(bounds->lock, &held) == 0 && stat(bounds->dir, &there) == 0 && held.st_ino == there.st_ino)
            return true;
    }
}

struct bounds *bounds_open(const char *id, int top, struct err *err)
{
    struct bounds *bounds = mem_new(sizeof *bounds);
    bounds->lock = -1;
    bounds->own = locate(&bounds->unified, err);
    bool ok = bounds->own != NULL;
    if (ok) {
        sweep(bounds->own);
        bounds->dir = mem_format("%s/" PREFIX "%s", bounds->own, id);
        ok = make_dir(bounds, err) && (!bounds->unified || make_room(bounds, top, err));
    }
    if (ok)
        return bounds;
    bounds_close(bounds);
    return NULL;
}

const char *bounds_path(const struct bounds *bounds)
{
    return bounds->dir;
}

void bounds_close(struct bounds *bounds)
{
    if (!bounds)
        return;
    if (bounds->lock >= 0)
        bounds_remove(bounds->dir);
    fd_close(&bounds->lock);
    free(bounds->dir);
    free(bounds->own);
    free(bounds);
}

/* ---- One group ---- */

/* Where swap is counted too, what does not fit into memory is not to go there. */
static bool set_bound(const struct bound *bound, int64_t max)
{
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)max);
    if (!write_file(bound->path, bound->unified ? "memory.max" : "memory.limit_in_bytes", number))
        return false;
    (void)write_file(bound->path, bound->unified ? "memory.swap.max" : "memory.memsw.limit_in_bytes",
                     bound->unified ? "0" : number);
    return true;
}

struct bound *bound_new(struct bounds *bounds, int64_t max, struct err *err)
{
    struct bound *bound = mem_new(sizeof *bound);
    bound->unified = bounds->unified;
    bound->path = mem_format("%s/%lld", bounds->dir, (long long)++bounds->made);
    AUTO_FREE char *procs = mem_format("%s/cgroup.procs", bound->path);
    bool made = mkdir(bound->path, 0755) == 0;
    bound->procs = made && set_bound(bound, max) ? open(procs, O_WRONLY | O_CLOEXEC) : -1;
    if (bound->procs >= 0)
        return bound;
    err_set(err, ERR_DENIED, "cannot %s the control group '%s': %s", made ? "set the bound of" : "make",
            bound->path, strerror(errno));
    bound_free(bound);
    return NULL;
}

int bound_door(const struct bound *bound)
{
    return bound->procs;
}

bool bound_struck(const struct bound *bound)
{
    AUTO_BUF struct buf text = {0};
    if (!read_file(bound->path, bound->unified ? "memory.events" : "memory.oom_control", &text))
        return false;
    struct str rest = buf_str(&text);
    for (struct str line; next_part(&rest, '\n', &line);)
        if (str_starts_with(line, STR("oom_kill ")))
            return !str_is(line, "oom_kill 0");
    return false;
}

void bound_free(struct bound *bound)
{
    if (!bound)
        return;
    fd_close(&bound->procs);
    rmdir(bound->path);
    free(bound->path);
    free(bound);
}
