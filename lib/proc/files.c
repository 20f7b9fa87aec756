/* Files that are watched: inotify on every folder in which something may match, also on those that come
 * later. Changes that follow each other quickly are told of once. */
#include "files_priv.h"
#include "proc.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENTS                                                                                               \
    (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF |  \
     IN_ONLYDIR | IN_EXCL_UNLINK)
#define READ_SIZE 65536

struct folder {
    int wd;
    char *path; /* absolute */
};

struct files {
    char *dir; /* where patterns start */
    struct pattern *watch, *ignore;
    size_t watch_count, ignore_count;
    int64_t debounce_ms;
    struct files_callbacks callbacks;
    void *ctx;
    int fd;
    struct watcher *watcher;
    struct timer *timer;
    struct table folders; /* by wd */
    char *changed;        /* the first that changed since it was told last; NULL: nothing */
    bool troubled;        /* it was told that something is not watched */
};

static struct str wd_key(const int *wd)
{
    return (struct str){(const char *)wd, sizeof *wd};
}

/* ---- What matters ---- */

static bool is_ignored(const struct files *files, const char *path)
{
    for (size_t i = 0; i < files->ignore_count; i++)
        if (pattern_fits(&files->ignore[i], path))
            return true;
    return false;
}

static bool is_wanted(const struct files *files, const char *path)
{
    for (size_t i = 0; i < files->watch_count; i++)
        if (pattern_fits(&files->watch[i], path))
            return !is_ignored(files, path);
    return false;
}

static bool may_hold_wanted(const struct files *files, const char *path)
{
    for (size_t i = 0; i < files->watch_count; i++)
        if (pattern_reaches(&files->watch[i], path))
            return !is_ignored(files, path);
    return false;
}

static void note_change(struct files *files, const char *path)
{
    if (!files->changed)
        files->changed = mem_text(path);
    timer_set(files->timer, time_now_ms() + files->debounce_ms);
}

static void tell(void *ctx)
{
    struct files *files = ctx;
    AUTO_FREE char *path = files->changed;
    files->changed = NULL;
    if (path)
        files->callbacks.changed(files->ctx, path); /* may free files: nothing may follow */
}

/* ---- Folders ---- */

static void folder_free(struct folder *folder)
{
    free(folder->path);
    free(folder);
}

static void trouble(struct files *files, const char *path, int number)
{
    AUTO_FREE char *text =
        number == ENOSPC
            ? mem_format("'%s' cannot be watched: too many folders are (see fs.inotify.max_user_watches)",
                         path)
            : mem_format("'%s' cannot be watched: %s", path, strerror(number));
    if (!files->troubled)
        files->callbacks.trouble(files->ctx, text);
    files->troubled = true;
}

/* False when it is no folder that can be watched. */
static bool folder_add(struct files *files, const char *path)
{
    int wd = inotify_add_watch(files->fd, path, EVENTS);
    if (wd < 0 && errno != ENOENT && errno != ENOTDIR)
        trouble(files, path, errno);
    if (wd < 0)
        return false;
    struct folder *folder = mem_new(sizeof *folder);
    *folder = (struct folder){wd, mem_text(path)};
    struct folder *before = table_put(&files->folders, wd_key(&folder->wd), folder);
    if (before)
        folder_free(before); /* the same folder, by another name perhaps */
    return true;
}

/* A name in the pattern itself may be a link; below that, links are not followed: they may lead in circles.
 */
static bool is_folder(const struct files *files, const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return false;
    for (size_t i = 0; S_ISLNK(st.st_mode) && i < files->watch_count; i++) {
        for (size_t count = 1; count <= files->watch[i].plain; count++) {
            AUTO_FREE char *prefix = pattern_prefix(&files->watch[i], count);
            if (strcmp(prefix, path) == 0)
                return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
        }
    }
    return S_ISDIR(st.st_mode);
}

static char *path_join(const char *folder, const char *name)
{
    return mem_format("%s%s%s", folder, strcmp(folder, "/") == 0 ? "" : "/", name);
}

/* The folder and what is below it; fresh: what is there already has just come. */
static void folder_walk(struct files *files, const char *path, bool fresh)
{
    if (!may_hold_wanted(files, path) || !folder_add(files, path))
        return;
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        AUTO_FREE char *below = path_join(path, entry->d_name);
        if (fresh && is_wanted(files, below))
            note_change(files, below);
        if ((entry->d_type == DT_DIR || entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN) &&
            is_folder(files, below))
            folder_walk(files, below, fresh);
    }
    if (dir)
        closedir(dir);
}

/* A folder went elsewhere: what is known by its old path is not there any more. */
static void folder_leave(struct files *files, const char *path)
{
    size_t pos = 0, len = strlen(path);
    for (struct folder *folder; (folder = table_next(&files->folders, &pos));) {
        if (strncmp(folder->path, path, len) != 0 || (folder->path[len] != '/' && folder->path[len] != '\0'))
            continue;
        inotify_rm_watch(files->fd, folder->wd);
        table_remove(&files->folders, wd_key(&folder->wd));
        folder_free(folder);
    }
}

/* Each pattern from the manifest's folder on, or, elsewhere, from the last folder above its wildcards that is
 * there and the one above that: so that a folder is found again when it is replaced. */
static void walk_all(struct files *files)
{
    size_t len = strlen(files->dir);
    bool inside = false;
    for (size_t i = 0; i < files->watch_count; i++) {
        const struct pattern *pattern = &files->watch[i];
        AUTO_FREE char *base = pattern_prefix(pattern, pattern->plain);
        if (strncmp(base, files->dir, len) == 0 && (base[len] == '/' || base[len] == '\0')) {
            inside = true;
            continue;
        }
        size_t count = pattern->plain;
        for (; count > 0; count--) {
            AUTO_FREE char *path = pattern_prefix(pattern, count);
            if (access(path, F_OK) == 0)
                break;
        }
        AUTO_FREE char *from = pattern_prefix(pattern, count > 0 ? count - 1 : 0);
        folder_walk(files, from, false);
    }
    if (inside)
        folder_walk(files, files->dir, false);
}

/* ---- Events ---- */

static void take_event(struct files *files, const struct inotify_event *event)
{
    struct folder *folder = table_get(&files->folders, wd_key(&event->wd));
    if (event->mask & IN_Q_OVERFLOW) {
        walk_all(files);
        note_change(files, files->dir);
        return;
    }
    if (!folder)
        return;
    if (event->mask & IN_IGNORED) {
        table_remove(&files->folders, wd_key(&folder->wd));
        folder_free(folder);
        return;
    }
    if (event->len == 0)
        return;
    AUTO_FREE char *path = path_join(folder->path, event->name);
    bool wanted = is_wanted(files, path);
    if (event->mask & IN_MOVED_FROM && event->mask & IN_ISDIR) {
        wanted |= may_hold_wanted(files, path);
        folder_leave(files, path);
    }
    if (wanted)
        note_change(files, path);
    if (event->mask & (IN_CREATE | IN_MOVED_TO) && is_folder(files, path))
        folder_walk(files, path, true);
}

static void files_ready(void *ctx, short events)
{
    struct files *files = ctx;
    union {
        char bytes[READ_SIZE];
        struct inotify_event align;
    } space;
    (void)events;
    ssize_t len = read(files->fd, space.bytes, sizeof space);
    for (ssize_t at = 0; at < len;) {
        const struct inotify_event *event = (const struct inotify_event *)(const void *)(space.bytes + at);
        at += (ssize_t)(sizeof *event + event->len);
        take_event(files, event);
    }
}

/* ---- From beginning to end ---- */

static struct pattern *patterns_make(const char *dir, const char *const *texts, size_t count, bool anywhere)
{
    struct pattern *patterns = mem_array(count + 1, sizeof *patterns);
    for (size_t i = 0; i < count; i++) {
        /* As in .gitignore: a mere name is one of any folder. */
        bool name = anywhere && !strchr(texts[i], '/');
        AUTO_FREE char *text = name ? mem_format("**/%s", texts[i]) : mem_text(texts[i]);
        pattern_open(&patterns[i], dir, text);
    }
    return patterns;
}

struct files *files_new(struct loop *loop, const struct files_spec *spec,
                        const struct files_callbacks *callbacks, void *ctx, struct err *err)
{
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd < 0) {
        err_errno(err, errno, "no files can be watched");
        return NULL;
    }
    char *whole = realpath(spec->dir, NULL), *dir = whole ? whole : mem_text(spec->dir);
    struct files *files = mem_new(sizeof *files);
    *files = (struct files){
        .dir = dir,
        .watch = patterns_make(dir, spec->watch, spec->watch_count, false),
        .watch_count = spec->watch_count,
        .ignore = patterns_make(dir, spec->ignore, spec->ignore_count, true),
        .ignore_count = spec->ignore_count,
        .debounce_ms = spec->debounce_ms,
        .callbacks = *callbacks,
        .ctx = ctx,
        .fd = fd,
    };
    files->timer = timer_new(loop, tell, files);
    files->watcher = watcher_new(loop, fd, POLLIN, files_ready, files);
    walk_all(files);
    return files;
}

static void patterns_free(struct pattern *patterns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pattern_release(&patterns[i]);
    free(patterns);
}

void files_free(struct files *files)
{
    if (!files)
        return;
    size_t pos = 0;
    for (struct folder *folder; (folder = table_next(&files->folders, &pos));)
        folder_free(folder);
    table_release(&files->folders);
    patterns_free(files->watch, files->watch_count);
    patterns_free(files->ignore, files->ignore_count);
    watcher_free(files->watcher);
    timer_free(files->timer);
    fd_close(&files->fd);
    free(files->changed);
    free(files->dir);
    free(files);
}
