/* Trees of processes on Linux: subreaper, /proc, pidfd. Needs no event loop: the guardian uses it too. */
#include "tree_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Longest environment that is searched for marks. */
#define ENVIRON_LIMIT (4 << 20)
/* How long tree_kill_all waits for an end before it looks again for what was started meanwhile. */
#define LOOK_AGAIN_MS 20

void process_list_release(struct process_list *list)
{
    free(list->items);
    *list = (struct process_list){0};
}

static void list_add(struct process_list *list, const struct process *process)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].pid == process->pid && list->items[i].started == process->started)
            return;
    mem_grow(list->items, list->capacity, list->count);
    list->items[list->count++] = *process;
}

/* Fields of proc(5)'s stat; the name may hold spaces and parentheses, so it ends at the last one. */
static bool stat_parse(char *text, struct process *process)
{
    char *open = strchr(text, '('), *close = strrchr(text, ')');
    if (!open || !close || close < open)
        return false;
    *close = '\0';
    snprintf(process->name, sizeof process->name, "%s", open + 1);
    unsigned long long started;
    int count = sscanf(
        close + 1, " %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d %*d %llu",
        &process->state, &process->parent, &process->group, &process->session, &process->threads, &started);
    process->started = started;
    return count == 6;
}

bool process_read(int pid, struct process *process)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    AUTO_BUF struct buf text = {0};
    process->pid = pid;
    return file_read(path, 4096, &text, NULL) && text.len > 0 && stat_parse(text.data, process);
}

/* A zombie with threads is one whose first thread alone has ended. */
static bool has_ended(const struct process *process)
{
    return process->state == 'X' || (process->state == 'Z' && process->threads <= 1);
}

bool process_lives(const struct process *process)
{
    struct process now;
    return process_read(process->pid, &now) && now.started == process->started && !has_ended(&now);
}

/* -1 when it has ended. The start time is read while the descriptor pins the process. */
static int process_open(const struct process *process)
{
    int fd = (int)syscall(SYS_pidfd_open, process->pid, 0);
    if (fd >= 0 && !process_lives(process))
        fd_close(&fd);
    return fd;
}

void process_signal(const struct process *process, int signal)
{
    AUTO_FD int fd = process_open(process);
    if (fd >= 0)
        syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0);
    else if ((errno == ENOSYS || errno == EMFILE || errno == ENFILE) && process_lives(process))
        kill(process->pid, signal);
}

static bool environ_has(const struct buf *entries, const char *entry)
{
    size_t len = strlen(entry) + 1;
    for (size_t pos = 0; pos < entries->len;) {
        const char *next = entries->data + pos;
        const char *end = memchr(next, '\0', entries->len - pos);
        size_t size = end ? (size_t)(end - next) + 1 : entries->len - pos;
        if (size == len && memcmp(next, entry, len) == 0)
            return true;
        pos += size;
    }
    return false;
}

/* Where the environment ends in memory: 0 until an exec has laid it out. */
static bool environ_is_laid_out(int pid)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    AUTO_BUF struct buf text = {0};
    if (!file_read(path, 4096, &text, NULL) || text.len == 0)
        return true;
    char *field = strrchr(text.data, ')');
    for (int i = 2; field && i < 51; i++) /* env_end is field 51, the name 2 */
        field = strchr(field + 1, ' ');
    return !field || strtoull(field, NULL, 10) != 0;
}

enum marked process_marked(int pid, char *const marks[2])
{
    if (!marks[0] && !marks[1])
        return MARKED_NO;
    /* An empty one that has been laid out after the first look was not empty: hence a second. */
    AUTO_BUF struct buf entries = {0};
    for (int looks = 0; looks < 2 && entries.len == 0; looks++) {
        if (looks > 0 && !environ_is_laid_out(pid))
            return MARKED_UNKNOWN;
        char path[40];
        snprintf(path, sizeof path, "/proc/%d/environ", pid);
        AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return errno == EACCES || errno == EPERM ? MARKED_NO : MARKED_UNKNOWN;
        if (!fd_read_all(fd, ENVIRON_LIMIT, &entries, NULL))
            return MARKED_NO;
    }
    for (int i = 0; i < 2; i++)
        if (marks[i] && !environ_has(&entries, marks[i]))
            return MARKED_NO;
    return MARKED_YES;
}

/* A look at the children of one process. */
struct look {
    int parent;
    const struct table *except; /* by pid; may be NULL */
    struct process_list *out;
    bool ended; /* one had ended, but is there still */
};

static void look_at(struct look *look, int pid)
{
    if (look->except && table_get(look->except, (struct str){(const char *)&pid, sizeof pid}))
        return;
    struct process process;
    if (!process_read(pid, &process) || process.parent != look->parent)
        return;
    if (has_ended(&process))
        look->ended = true;
    else
        list_add(look->out, &process);
}

/* The children that one thread has; false when the kernel does not list any thread's. */
static bool look_at_thread(struct look *look, const char *thread)
{
    char path[80];
    snprintf(path, sizeof path, "/proc/%d/task/%s/children", look->parent, thread);
    AUTO_BUF struct buf text = {0};
    if (!file_read(path, SIZE_MAX, &text, NULL))
        return access("/proc/thread-self/children", F_OK) == 0;
    char *next = text.len > 0 ? text.data : NULL;
    for (char *end; next && *next; next = end) {
        int child = (int)strtol(next, &end, 10);
        if (end == next)
            break;
        look_at(look, child);
    }
    return true;
}

static void look_at_all(struct look *look)
{
    DIR *dir = opendir("/proc");
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
            look_at(look, (int)strtol(entry->d_name, NULL, 10));
    closedir(dir);
}

static void look_at_children(struct look *look)
{
    char path[40], leader[16];
    snprintf(path, sizeof path, "/proc/%d/task", look->parent);
    snprintf(leader, sizeof leader, "%d", look->parent);
    struct stat info;
    if (stat(path, &info) != 0)
        return;
    if (!look_at_thread(look, leader)) {
        look_at_all(look);
        return;
    }
    if (info.st_nlink <= 3) /* one thread, as nearly always */
        return;
    DIR *dir = opendir(path);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, leader) != 0)
            look_at_thread(look, entry->d_name);
    closedir(dir);
}

bool tree_orphans(const struct table *own, struct process_list *out)
{
    struct look look = {.parent = getpid(), .except = own, .out = out};
    look_at_children(&look);
    return !look.ended;
}

typedef void (*looker)(struct look *look);

static void add_below_from(size_t first, struct process_list *out, looker look_below)
{
    for (size_t i = first; i < out->count; i++)
        look_below(&(struct look){.parent = out->items[i].pid, .out = out});
}

void tree_add(const struct process *root, struct process_list *out)
{
    size_t first = out->count;
    list_add(out, root);
    add_below_from(first, out, look_at_children);
}

static void add_below(int pid, struct process_list *out, looker look_below)
{
    size_t first = out->count;
    look_below(&(struct look){.parent = pid, .out = out});
    add_below_from(first, out, look_below);
}

void tree_add_below(int pid, struct process_list *out)
{
    add_below(pid, out, look_at_children);
}

void tree_add_below_by_scan(int pid, struct process_list *out)
{
    add_below(pid, out, look_at_all);
}

int tree_reap(int *status)
{
    int pid;
    do {
        pid = waitpid(-1, status, WNOHANG);
    } while (pid < 0 && errno == EINTR);
    return pid;
}

bool tree_adopt(struct err *err)
{
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        return err_errno(err, errno, "cannot become the process that orphans fall to");
    return true;
}

/* Until the first of these has ended, but not long. */
static void wait_for_first(const struct process_list *list, int64_t until_ms)
{
    AUTO_FD int fd = list->count > 0 ? process_open(&list->items[0]) : -1;
    int64_t left = until_ms - time_now_ms();
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    if (left > 0)
        poll(&wait, fd >= 0, (int)(left < LOOK_AGAIN_MS ? left : LOOK_AGAIN_MS));
}

/* Takes out those that are to be let alone; false when there may be one that cannot be told yet. */
static bool spare(struct process_list *list, const char *mark, size_t *spared)
{
    char *marks[2] = {(char *)mark, NULL};
    size_t kept = 0;
    bool sure = true;
    *spared = 0;
    for (size_t i = 0; i < list->count; i++) {
        enum marked marked = process_marked(list->items[i].pid, marks);
        if (marked == MARKED_NO)
            list->items[kept++] = list->items[i];
        *spared += marked == MARKED_YES;
        sure &= marked != MARKED_UNKNOWN;
    }
    list->count = kept;
    return sure;
}

size_t tree_kill_all(int64_t until_ms, const char *spared_mark)
{
    struct process_list list = {0};
    for (;;) {
        int pid, status;
        do {
            pid = tree_reap(&status);
        } while (pid > 0);
        list.count = 0;
        if (pid == 0)
            tree_add_below(getpid(), &list);
        size_t spared = 0;
        bool sure = !spared_mark || spare(&list, spared_mark, &spared);
        for (size_t i = 0; i < list.count; i++)
            process_signal(&list.items[i], SIGKILL);
        if (pid < 0 || (sure && spared > 0 && list.count == 0) || time_now_ms() >= until_ms)
            break;
        wait_for_first(&list, until_ms);
    }
    size_t left = list.count;
    process_list_release(&list);
    return left;
}
