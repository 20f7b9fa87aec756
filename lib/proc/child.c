/* Children from spawn to `ended`: reaped, output read to its end, nothing left of what they started. */
#include "child_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long a pipe may be held open by others after the child's end. */
#define HOLD_MS 500
/* From SIGTERM to SIGKILL for what a child that ended by itself left behind. */
#define ASK_MS 500
/* How long a look at the processes may stay unclear. */
#define SURE_MS 500
/* From the first SIGKILL until what still lives is named as left. */
#define GIVE_UP_MS 2000
/* From one SIGKILL to the next, for what was started meanwhile. */
#define STRIKE_MS 20

static struct str pid_key(const int *pid)
{
    return (struct str){(const char *)pid, sizeof *pid};
}

static void child_free(struct child *child)
{
    stream_close(&child->streams[0]);
    stream_close(&child->streams[1]);
    timer_free(child->timer);
    process_list_release(&child->tree);
    free(child->marks[0]);
    free(child->marks[1]);
    buf_release(&child->typed);
    feed_close(&child->feed);
    free(child);
}

/* ---- What belongs to a child ---- */

static bool tree_knows(const struct child *child, const struct process *process)
{
    for (size_t i = 0; i < child->tree.count; i++)
        if (child->tree.items[i].pid == process->pid && child->tree.items[i].started == process->started)
            return true;
    return false;
}

/* Whether an orphan that fell to us is one of this child's. */
static enum marked orphan_belongs(const struct child *child, const struct process *orphan)
{
    if (orphan->group == child->pid || orphan->session == child->pid || tree_knows(child, orphan))
        return MARKED_YES;
    return process_marked(orphan->pid, child->marks);
}

bool child_owns(const struct child *child, int pid)
{
    struct process process, above;
    if (!process_read(pid, &process))
        return true;
    above = process;
    while (above.pid != child->pid && above.parent > 1 && process_read(above.parent, &above))
        ;
    return above.pid == child->pid || process.group == child->pid || process.session == child->pid ||
           process_marked(pid, child->marks) == MARKED_YES;
}

/* Brings child->tree up to date: below the child, orphans of it, what was seen before; all with what lives
 * below them. Costs little when there is nothing. False when more may come to light in a moment. */
static bool tree_refresh(struct child *child)
{
    struct process_list now = {0}, orphans = {0};
    if (!child->reaped)
        tree_add_below(child->pid, &now);
    bool sure = tree_orphans(&child->children->running, &orphans);
    for (size_t i = 0; i < orphans.count; i++) {
        enum marked belongs = orphan_belongs(child, &orphans.items[i]);
        if (belongs == MARKED_YES)
            tree_add(&orphans.items[i], &now);
        sure &= belongs != MARKED_UNKNOWN;
    }
    for (size_t i = 0; i < child->tree.count; i++)
        if (process_lives(&child->tree.items[i]))
            tree_add(&child->tree.items[i], &now);
    process_list_release(&orphans);
    process_list_release(&child->tree);
    child->tree = now;
    return sure;
}

static void tree_signal(struct child *child, int signal)
{
    for (size_t i = 0; i < child->tree.count; i++)
        process_signal(&child->tree.items[i], signal);
}

/* ---- The end ---- */

static void child_settle(void *ctx);

static void look_again(struct child *child, int64_t at_ms)
{
    if (!child->timer)
        child->timer = timer_new(child->children->loop, child_settle, child);
    timer_set(child->timer, at_ms);
}

static bool child_is_open(const struct child *child)
{
    return child->streams[0].fd >= 0 || child->streams[1].fd >= 0;
}

/* SIGKILL to all of the tree, with a look again soon; false when that has gone on for long enough. */
static bool tree_strike(struct child *child, int64_t now)
{
    if (child->give_up_at == 0)
        child->give_up_at = now + GIVE_UP_MS;
    if (!child->reaped)
        kill(-child->pid, SIGKILL);
    if (!child->keep_orphans) {
        tree_refresh(child);
        tree_signal(child, SIGKILL);
    }
    if (now >= child->give_up_at)
        return false;
    look_again(child, now + STRIKE_MS);
    return true;
}

/* SIGTERM to what is left, but not twice to the same. */
static void tree_ask(struct child *child)
{
    for (size_t i = 0; i < child->tree.count; i++) {
        const struct process *process = &child->tree.items[i];
        if (!child->group_asked || process->group != child->pid)
            process_signal(process, SIGTERM);
        process_signal(process, SIGCONT);
    }
    child->asked = true;
}

/* Whether a look that found nothing is to be believed; else there is another one. */
static bool child_is_clean(struct child *child, int64_t now, bool sure)
{
    if (child->sure_at == 0)
        child->sure_at = now + SURE_MS;
    if (sure || now >= child->sure_at)
        return true;
    look_again(child, now + 1);
    return false;
}

/* Ends what a reaped child left behind; false while there is something to wait for. */
static bool child_clean(struct child *child, int64_t now)
{
    if (child->keep_orphans)
        return true;
    bool sure = tree_refresh(child);
    if (child->tree.count == 0)
        return child_is_clean(child, now, sure);
    if (child->kill_at == 0)
        child->kill_at = now + child->orphan_grace_ms;
    if (child->killed || now >= child->kill_at)
        return !tree_strike(child, now);
    if (!child->asked)
        tree_ask(child);
    look_again(child, child->kill_at);
    return false;
}

static char *tree_names(const struct child *child)
{
    struct buf names = {0};
    for (size_t i = 0; i < child->tree.count; i++)
        buf_add_format(&names, "%spid %d (%s)", i ? ", " : "", child->tree.items[i].pid,
                       child->tree.items[i].name);
    return buf_detach(&names);
}

static void child_finish(struct child *child)
{
    stream_finish(&child->streams[0]);
    stream_finish(&child->streams[1]);
    if (child->previous)
        child->previous->next = child->next;
    else
        child->children->settling = child->next;
    if (child->next)
        child->next->previous = child->previous;
    AUTO_FREE char *left = NULL;
    if (child->tree.count > 0 && !child->keep_orphans)
        left = tree_names(child);
    child->end.left = left;
    if (child->callbacks.ended)
        child->callbacks.ended(child->ctx, child, &child->end);
    child_free(child);
}

/* Goes as far towards `ended` as is possible now; events or the timer bring it here again. May free the
 * child.
 */
static void child_settle(void *ctx)
{
    struct child *child = ctx;
    int64_t now = time_now_ms();
    if (!child->reaped) {
        if (child->killed)
            tree_strike(child, now);
        return;
    }
    bool hold = child_is_open(child) && (child->paused || now < child->hold_until);
    if ((!hold || child->killed) && !child_clean(child, now))
        return;
    if (hold)
        look_again(child, child->paused ? -1 : child->hold_until);
    else
        child_finish(child);
}

void child_stream_ended(struct child *child)
{
    if (!child->reaped && child->streams[0].fd < 0 && child->callbacks.silent)
        child->callbacks.silent(child->ctx, child);
    child_settle(child);
}

static void child_reaped(struct child *child, int status)
{
    struct children *children = child->children;
    table_remove(&children->running, pid_key(&child->pid));
    child->reaped = true;
    feed_close(&child->feed);
    child->give_up_at = 0; /* what is left has its own time from here */
    child->hold_until = time_now_ms() + HOLD_MS;
    if (WIFSIGNALED(status))
        child->end.signal = WTERMSIG(status);
    else
        child->end.status = WEXITSTATUS(status);
    child->next = children->settling;
    if (child->next)
        child->next->previous = child;
    children->settling = child;
    /* Most often all of its output is there by now: no need to go round the loop for it. */
    stream_read(&child->streams[0]);
    stream_read(&child->streams[1]);
}

/* Whatever ended: own children, and orphans that fell to us, which may have been what a child left. */
static void on_sigchld(void *ctx, int number)
{
    (void)number;
    struct children *children = ctx;
    int pid, status;
    while ((pid = tree_reap(&status)) > 0) {
        struct child *child = table_get(&children->running, pid_key(&pid));
        if (child)
            child_reaped(child, status);
    }
    for (struct child *child = children->settling, *next; child; child = next) {
        next = child->next;
        child_settle(child);
    }
}

/* ---- Children ---- */

struct children *children_new(struct loop *loop, struct err *err)
{
    struct children *children = mem_new(sizeof *children);
    children->loop = loop;
    if (!tree_adopt(err) || !loop_signal(loop, SIGCHLD, on_sigchld, children, err)) {
        free(children);
        return NULL;
    }
    return children;
}

void children_free(struct children *children)
{
    if (!children)
        return;
    size_t pos = 0;
    for (struct child *child; (child = table_next(&children->running, &pos));)
        child_free(child);
    for (struct child *child = children->settling, *next; child; child = next) {
        next = child->next;
        child_free(child);
    }
    table_release(&children->running);
    free(children);
}

/* Descriptors 0 to 2 of the new process must not stand in each other's way: 3 or above. */
static int fd_raise(int fd)
{
    if (fd < 0 || fd > 2)
        return fd;
    int raised = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    fd_close(&fd);
    return raised;
}

static bool null_open(int flags, int *fd, struct err *err)
{
    *fd = fd_raise(open("/dev/null", flags | O_CLOEXEC));
    return *fd >= 0 || err_errno(err, errno, "cannot open '/dev/null'");
}

static bool input_open(const struct child_spec *spec, int *fd, struct err *err)
{
    if (spec->input == CHILD_STDIN_INHERIT)
        return true;
    if (spec->input == CHILD_STDIN_NULL)
        return null_open(O_RDONLY, fd, err);
    /* Not blocking, for a named pipe without a writer. */
    *fd = fd_raise(open(spec->input_file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (*fd >= 0 && fd_set_nonblocking(*fd, false))
        return true;
    int number = errno;
    err_errno(err, number, "cannot open the input '%s'", spec->input_file);
    if (err && (number == ENOENT || number == ENOTDIR))
        err->code = ERR_NOT_FOUND;
    else if (err && number == EACCES)
        err->code = ERR_DENIED;
    return false;
}

static bool output_open(int *reading, int *writing, const char *command, struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(err, errno, "cannot make a pipe for '%s'", command);
    *reading = ends[0];
    *writing = fd_raise(ends[1]);
    if (*writing >= 0)
        return true;
    fd_close(reading);
    return err_errno(err, errno, "cannot make a pipe for '%s'", command);
}

static bool feed_open(struct feed *feed, int *reading, const char *command, struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(err, errno, "cannot make a pipe for '%s'", command);
    *reading = fd_raise(ends[0]);
    feed->fd = ends[1];
    return (*reading >= 0 && fd_set_nonblocking(feed->fd, true)) ||
           err_errno(err, errno, "cannot make a pipe for '%s'", command);
}

/* What the new process gets as 0 to 2; -1: ours. */
struct ends {
    int fd[3];
};

static void ends_close(struct ends *ends)
{
    for (int i = 0; i < 3; i++)
        fd_close(&ends->fd[i]);
}

/* The other ends become the child's streams. */
static bool ends_open(struct ends *ends, const struct child_spec *spec, struct child *child, struct err *err)
{
    if (spec->tty) {
        int master;
        child->tty = true;
        return pty_open(spec, &master, ends->fd, err) &&
               stream_open(&child->streams[0], child, 1, master, err);
    }
    if (spec->input == CHILD_STDIN_PIPE ? !feed_open(&child->feed, &ends->fd[0], spec->argv[0], err)
                                        : !input_open(spec, &ends->fd[0], err))
        return false;
    for (int i = 1; i <= 2 && !spec->inherit_output; i++) {
        int reading = -1;
        if (!child->callbacks.output) {
            if (!null_open(O_WRONLY, &ends->fd[i], err))
                return false;
        } else if (!output_open(&reading, &ends->fd[i], spec->argv[0], err) ||
                   !stream_open(&child->streams[i - 1], child, i, reading, err)) {
            return false;
        }
    }
    return true;
}

static struct child *child_new(struct children *children, const struct child_spec *spec,
                               const struct child_callbacks *callbacks, void *ctx)
{
    struct child *child = mem_new(sizeof *child);
    child->children = children;
    child->feed.fd = -1;
    child->callbacks = *callbacks;
    child->ctx = ctx;
    child->keep_orphans = spec->keep_orphans;
    child->orphan_grace_ms = spec->orphan_grace_ms > 0 ? spec->orphan_grace_ms : ASK_MS;
    for (int i = 0; i < 2; i++) {
        child->marks[i] = spec->marks[i] ? mem_text(spec->marks[i]) : NULL;
        child->streams[i].fd = -1;
    }
    return child;
}

struct child *child_spawn(struct children *children, const struct child_spec *spec,
                          const struct child_callbacks *callbacks, void *ctx, struct err *err)
{
    __attribute__((cleanup(ends_close))) struct ends ends = {{-1, -1, -1}};
    struct child *child = child_new(children, spec, callbacks, ctx);
    child->pid = ends_open(&ends, spec, child, err) ? spawn_process(spec, ends.fd, err) : -1;
    if (child->pid < 0) {
        child_free(child);
        return NULL;
    }
    table_put(&children->running, pid_key(&child->pid), child);
    return child;
}

int child_pid(const struct child *child)
{
    return child->pid;
}

static bool signal_stops(int signal)
{
    return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

void child_signal(struct child *child, int signal)
{
    tree_refresh(child);
    if (child->reaped) {
        /* The group's number is free for others by now. */
        tree_signal(child, signal);
        return;
    }
    kill(-child->pid, signal);
    child->group_asked |= signal == SIGTERM;
    if (!signal_stops(signal))
        kill(-child->pid, SIGCONT);
}

void child_kill(struct child *child)
{
    child->killed = true;
    int64_t now = time_now_ms();
    tree_strike(child, now);
    /* Never ended from here: the caller still holds it. */
    if (child->reaped)
        look_again(child, now);
}

void child_disown(struct child *child)
{
    child->callbacks = (struct child_callbacks){0};
    child_kill(child);
}

void child_pause(struct child *child, bool paused)
{
    child->paused = paused;
    stream_watch(&child->streams[0]);
    stream_watch(&child->streams[1]);
    if (!paused && child->reaped) {
        child->hold_until = time_now_ms() + HOLD_MS;
        look_again(child, child->hold_until);
    }
}
