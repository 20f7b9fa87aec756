/* The protocol of sd_notify(3): a datagram socket for each process of a worker with `ready: {notify: true}`,
 * which it tells READY=1 and STATUS=…. Only its own tree of processes is believed. */
#include "run_priv.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGE_MAX 4096
#define STATUS_MAX  256
#define TURN        16  /* messages in one turn of the loop */
#define FDS_MAX     253 /* that the kernel lets a message carry */

struct notify {
    struct run *run;
    struct task *task;
    int fd;
    struct watcher *watcher;
    char *name;
    bool ready;
    char *status;
};

/* ---- Messages ---- */

static void set_status(struct notify *notify, struct str text)
{
    AUTO_BUF struct buf clean = {0}, space = {0};
    text = secrets_hide(notify->run, text, &space);
    if (text.len > STATUS_MAX)
        text.len = STATUS_MAX;
    view_add_clean(&clean, text);
    free(notify->status);
    notify->status = buf_detach(&clean);
    records_touch(notify->run, notify->task->number);
}

/* Lines of NAME=VALUE; others are for systemd alone. */
static void take_message(struct notify *notify, struct str text)
{
    while (text.len > 0) {
        const char *newline = memchr(text.data, '\n', text.len);
        struct str line = {text.data, newline ? (size_t)(newline - text.data) : text.len};
        struct str status = STR("STATUS=");
        if (str_is(line, "READY=1"))
            notify->ready = true;
        else if (str_starts_with(line, status))
            set_status(notify, (struct str){line.data + status.len, line.len - status.len});
        size_t step = line.len + (newline ? 1 : 0);
        text = (struct str){text.data + step, text.len - step};
    }
}

/* Who sent it, as the kernel says; descriptors that came along are closed, which is what a BARRIER=1 waits
 * for.
 */
static struct ucred take_control(struct msghdr *message)
{
    struct ucred sender = {.uid = (uid_t)-1};
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET)
            continue;
        if (part->cmsg_type == SCM_CREDENTIALS)
            memcpy(&sender, CMSG_DATA(part), sizeof sender);
        for (size_t at = CMSG_LEN(0); part->cmsg_type == SCM_RIGHTS && at + sizeof(int) <= part->cmsg_len;
             at += sizeof(int)) {
            int fd;
            memcpy(&fd, (const char *)part + at, sizeof fd);
            close(fd);
        }
    }
    return sender;
}

static bool is_ours(const struct notify *notify, const struct ucred *sender)
{
    const struct process *process = notify->task->process;
    if (!process || sender->pid <= 0 || !child_owns(process->child, sender->pid))
        return false;
    /* One that has ended since, like systemd-notify, is known by its user only. */
    return sender->uid == geteuid() || sender->uid == 0 || kill(sender->pid, 0) == 0 || errno == EPERM;
}

static bool receive(struct notify *notify)
{
    char text[MESSAGE_MAX];
    union {
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(FDS_MAX * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {text, sizeof text};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t len = recvmsg(notify->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (len < 0)
        return false;
    struct ucred sender = take_control(&message);
    if (!(message.msg_flags & MSG_TRUNC) && is_ours(notify, &sender))
        take_message(notify, (struct str){text, (size_t)len});
    return true;
}

static void socket_ready(void *ctx, short events)
{
    struct notify *notify = ctx;
    struct run *run = notify->run;
    bool before = notify->ready;
    (void)events;
    for (int i = 0; i < TURN && receive(notify); i++)
        ;
    if (notify->ready && !before)
        probes_notified(run, notify->task);
    run_work(run);
}

/* ---- The socket ---- */

/* In the abstract namespace: nothing to clean up, and no path that is too long. */
static bool bind_socket(struct notify *notify, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int yes = 1;
    notify->name =
        mem_format("@zproc/%s/%u.%u", notify->run->id, notify->task->number, notify->task->spawn.incarnation);
    size_t len = strlen(notify->name);
    memcpy(address.sun_path + 1, notify->name + 1, len - 1);
    notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (notify->fd >= 0 && setsockopt(notify->fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) == 0 &&
        bind(notify->fd, (struct sockaddr *)&address,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0)
        notify->watcher = watcher_new(notify->run->loop, notify->fd, POLLIN, socket_ready, notify);
    return notify->watcher || err_set(err, ERR_INTERNAL, "cannot make the socket for 'ready.notify'");
}

bool notify_open(struct run *run, struct task *task, struct err *err)
{
    notify_close(task);
    task->notify = mem_new(sizeof *task->notify);
    *task->notify = (struct notify){.run = run, .task = task, .fd = -1};
    if (bind_socket(task->notify, err))
        return true;
    notify_close(task);
    return false;
}

void notify_close(struct task *task)
{
    struct notify *notify = task->notify;
    if (!notify)
        return;
    task->notify = NULL;
    if (notify->watcher)
        watcher_free(notify->watcher);
    fd_close(&notify->fd);
    free(notify->name);
    free(notify->status);
    free(notify);
}

const char *notify_name(const struct notify *notify)
{
    return notify->name;
}

bool notify_is_ready(const struct notify *notify)
{
    return notify->ready;
}

const char *notify_status(const struct notify *notify)
{
    return notify->status;
}
