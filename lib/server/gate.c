/* What stands between libzmq and the system's sockets: who is let in, and that their first bytes cannot harm.
 */
#include "server_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define SPARE_FDS 32 /* descriptors that are never given to connections */
#define LEAST_FDS 80 /* its own, the spare ones, and some connections */
#define FD_MOST   (1 << 20)

/* By descriptor of a connection: how many bytes of its greeting have come, as far as they are looked at.
 * libzmq's calls bring no context along, and come from its one I/O thread. */
enum { GREETING_NONE, GREETING_BEGUN, GREETING_DONE = GREETING_BEGUN + 11 };
static unsigned char greeted[FD_MOST];

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
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            errno = ECONNABORTED;
        return -1;
    }
    struct rlimit limit;
    bool full =
        fd >= FD_MOST || (getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)fd + SPARE_FDS >= limit.rlim_cur);
    if (full || !peer_allowed(fd)) {
        close(fd);
        errno = ECONNABORTED;
        return -1;
    }
    greeted[fd] = GREETING_BEGUN;
    return fd;
}

/* Whether what came now (len bytes) goes on like the greeting of ZMTP 3. */
static bool greeting_fits(unsigned char *state, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len && *state != GREETING_DONE; i++, ++*state) {
        int place = *state - GREETING_BEGUN;
        if ((place == 0 && bytes[i] != 0xff) || (place == 9 && !(bytes[i] & 1)) ||
            (place == 10 && bytes[i] < 3))
            return false;
    }
    return true;
}

/* Stands before libc's for libzmq, whose older protocols (ZMTP 1 and 2, for peers of before 2013) abort the
 * process when a peer ends at the wrong moment (4.3.4, zmtp_engine.cpp): whoever greets in one of these is
 * gone, as far as libzmq can tell. */
ssize_t recv(int fd, void *data, size_t size, int flags)
{
    ssize_t len = syscall(SYS_recvfrom, fd, data, size, flags, NULL, NULL);
    unsigned char *state = fd >= 0 && fd < FD_MOST ? &greeted[fd] : NULL;
    if (len <= 0 || !state || *state == GREETING_NONE || *state == GREETING_DONE)
        return len;
    return greeting_fits(state, data, (size_t)len) ? len : 0;
}

/* As far as it goes; too few, and nobody would ever be let in. */
bool gate_open(struct err *err)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return true;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max > 1 << 20 ? 1 << 20 : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    return limit.rlim_cur >= LEAST_FDS ||
           err_set(
               err, ERR_INTERNAL,
               "only %llu descriptors are allowed, and a server needs at least %d; raise the limit ('ulimit "
               "-n')",
               (unsigned long long)limit.rlim_cur, LEAST_FDS);
}
