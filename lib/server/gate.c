/* What stands between libzmq and the system's sockets: who is let in, and what of theirs may reach libzmq. */
#include "inflow.h"
#include "server_priv.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define SPARE_FDS 32 /* descriptors that are never given to connections */
#define LEAST_FDS 80 /* its own, the spare ones, and some connections */

/* Whether the peer of a Unix socket may be let in: our own user or root. */
static bool peer_allowed(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return true; /* tcp */
    struct sockaddr_un name;
    socklen_t name_size = sizeof name;
    if (getsockname(fd, (struct sockaddr *)&name, &name_size) != 0 || name.sun_family != AF_UNIX)
        return true;
    return peer.uid == geteuid() || peer.uid == 0;
}

/* Stands before libc's for libzmq, which aborts its process when accepting fails with EMFILE (4.3.4, ipc).
 * Above the limit, and for strangers, the connection is closed on arrival; ECONNABORTED is what libzmq
 * expects of a peer that went away. */
int accept4(int listener, __SOCKADDR_ARG address, socklen_t *restrict size, int flags)
{
    int fd = (int)syscall(SYS_accept4, listener, address.__sockaddr__, size, flags);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            refusal_note(REFUSAL_FULL);
            errno = ECONNABORTED;
        }
        return -1;
    }
    struct rlimit limit;
    bool full = fd >= INFLOW_FDS ||
                (getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)fd + SPARE_FDS >= limit.rlim_cur);
    if (full || !peer_allowed(fd)) {
        refusal_note(full ? REFUSAL_FULL : REFUSAL_USER);
        close(fd);
        errno = ECONNABORTED;
        return -1;
    }
    inflow_begin(fd);
    return fd;
}

/* Stands before libc's for libzmq, which does not tell in a safe way why a handshake ended: its events of
 * that lose errno, and leave the connection open for ever (4.3.4, curve_mechanism_base.cpp). */
int close(int fd)
{
    inflow_end(fd);
    return (int)syscall(SYS_close, fd);
}

/* Stands before libc's for libzmq. Whoever sends what must not reach libzmq is gone, as far as it can tell.
 */
ssize_t recv(int fd, void *data, size_t size, int flags)
{
    enum inflow_state state = inflow_state(fd);
    if (state == INFLOW_OVER)
        return 0;
    if (state == INFLOW_PAUSED) {
        errno = EAGAIN;
        return -1;
    }
    ssize_t len = syscall(SYS_recvfrom, fd, data, size, flags, NULL, NULL);
    return len <= 0 || state == INFLOW_FOREIGN || inflow_take(fd, data, (size_t)len) ? len : 0;
}

/* Stands before libc's for libzmq, which is not told of what comes over a connection that is paused. */
int epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    struct epoll_event told = {0};
    if (event && operation != EPOLL_CTL_DEL) {
        told = *event;
        inflow_watch(fd, epoll_fd, &told);
    }
    return (int)syscall(SYS_epoll_ctl, epoll_fd, operation, fd, &told);
}

/* As far as it goes; too few, and nobody would ever be let in. */
bool gate_open(bool keyed, struct err *err)
{
    struct rlimit limit;
    if (!inflow_open(keyed, err))
        return false;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return true;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max > INFLOW_FDS ? INFLOW_FDS : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    return limit.rlim_cur >= LEAST_FDS ||
           err_set(
               err, ERR_INTERNAL,
               "only %llu descriptors are allowed, and a server needs at least %d; raise the limit ('ulimit "
               "-n')",
               (unsigned long long)limit.rlim_cur, LEAST_FDS);
}
