/* What stands between libzmq and the system's sockets: who is let in, and what of theirs may reach libzmq. */
#include "server_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SPARE_FDS 32 /* descriptors that are never given to connections */
#define LEAST_FDS 80 /* its own, the spare ones, and some connections */
#define FD_MOST   (1 << 20)

#define BACKLOG_BYTES (64 << 20) /* that the server has not come to */
#define BACKLOG_WAITS 100        /* ms that no connection is read then, at most at once */

/* ZMTP 3 (RFC 37). */
#define GREETING_LEN     64
#define VERSION_OFFSET   10
#define MECHANISM_OFFSET 12
#define FRAME_HEAD_MAX   9
#define FRAME_MORE       1U
#define FRAME_LONG       2U
#define FRAME_COMMAND    4U

#define COMMAND_MOST (64 * 1024)
#define PARTS_MOST   16 /* of a message: some more than are answered with an error */
#define MESSAGE_MOST (2 * WIRE_FRAME_MAX + 64 * 1024) /* bytes: header, value, and what a key adds */

/* What has come over a connection, as far as it is looked at: nothing but the lengths of frames. */
struct inflow {
    bool ours;               /* it was accepted here */
    bool with_key;           /* its mechanism is CURVE */
    unsigned char greeting;  /* bytes of it so far */
    unsigned char handshake; /* commands that are still to come before the first message */
    unsigned char head_len, parts;
    unsigned char head[FRAME_HEAD_MAX];
    uint32_t bytes; /* of the message's frames */
    uint64_t left;  /* of the frame */
};
/* By descriptor. libzmq's calls bring no context along, and come from its one I/O thread. */
static struct inflow inflows[FD_MOST];
static bool keyed; /* the server has a secret key */
/* Bytes that libzmq has taken, and how many there were when it had nothing more for the server. What lies in
 * between is in memory; connections that have ended leave theirs there, so that HIGH_WATER does not bound it.
 */
static atomic_ullong taken, settled;

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
    bool full =
        fd >= FD_MOST || (getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)fd + SPARE_FDS >= limit.rlim_cur);
    if (full || !peer_allowed(fd)) {
        refusal_note(full ? REFUSAL_FULL : REFUSAL_USER);
        close(fd);
        errno = ECONNABORTED;
        return -1;
    }
    inflows[fd] = (struct inflow){.ours = true};
    return fd;
}

/* Stands before libc's for libzmq, which does not tell in a safe way why a handshake ended: its events of
 * that lose errno, and leave the connection open for ever (4.3.4, curve_mechanism_base.cpp). */
int close(int fd)
{
    struct inflow *in = fd >= 0 && fd < FD_MOST ? &inflows[fd] : NULL;
    if (in && in->ours) {
        if (in->greeting == GREETING_LEN && in->handshake > 0 && (keyed || in->with_key))
            refusal_note(REFUSAL_KEY);
        in->ours = false;
    }
    return (int)syscall(SYS_close, fd);
}

/* ZMTP 3 it must be: libzmq's older protocols (for peers of before 2013) abort the process when a peer ends
 * at the wrong moment (4.3.4, zmtp_engine.cpp). */
static bool greeting_take(struct inflow *in, unsigned char byte)
{
    unsigned place = in->greeting++;
    if (place == MECHANISM_OFFSET) {
        in->with_key = byte == 'C';
        in->handshake = in->with_key ? 2 : 1; /* CURVE: HELLO and INITIATE; NULL: READY */
    }
    return place == 0 ? byte == 0xff : place == 9 ? byte & 1 : place != VERSION_OFFSET || byte >= 3;
}

/* libzmq keeps frames until the message's last one is there, however many, and commands of any length from
 * anybody. With a key the end of a message is sealed, and whoever has it is trusted this far. */
static bool frame_fits(struct inflow *in, unsigned flags, uint64_t len)
{
    if (flags & FRAME_COMMAND || in->handshake > 0) {
        bool fits = flags & FRAME_COMMAND && len <= COMMAND_MOST;
        if (in->handshake > 0)
            in->handshake--;
        return fits;
    }
    if (len > MESSAGE_MOST || in->bytes + len > MESSAGE_MOST || in->parts == PARTS_MOST)
        return false;
    in->parts = flags & FRAME_MORE ? in->parts + 1 : 0;
    in->bytes = flags & FRAME_MORE ? in->bytes + (uint32_t)len : 0;
    return true;
}

/* One more byte of a frame's head. */
static bool head_take(struct inflow *in, unsigned char byte)
{
    in->head[in->head_len++] = byte;
    bool is_long = in->head[0] & FRAME_LONG;
    if (in->head_len < (is_long ? FRAME_HEAD_MAX : 2))
        return true;
    in->left = 0;
    for (unsigned i = 1; i < in->head_len; i++)
        in->left = in->left << 8 | in->head[i];
    in->head_len = 0;
    return frame_fits(in, in->head[0], in->left);
}

static bool inflow_take(struct inflow *in, const unsigned char *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        if (in->left > 0) {
            size_t some = in->left < len - at ? (size_t)in->left : len - at;
            in->left -= some;
            at += some;
        } else if (!(in->greeting < GREETING_LEN ? greeting_take : head_take)(in, bytes[at++])) {
            return false;
        }
    }
    return true;
}

/* The server comes to it sooner or later; it may be waiting for a disk, or be at its end. */
static void backlog_wait(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < BACKLOG_WAITS && atomic_load(&taken) - atomic_load(&settled) > BACKLOG_BYTES; i++)
        nanosleep(&pause, NULL);
}

unsigned long long gate_taken(void)
{
    return atomic_load(&taken);
}

void gate_settle(unsigned long long bytes)
{
    atomic_store(&settled, bytes);
}

/* Stands before libc's for libzmq. Whoever sends what must not reach libzmq is gone, as far as it can tell.
 */
ssize_t recv(int fd, void *data, size_t size, int flags)
{
    ssize_t len = syscall(SYS_recvfrom, fd, data, size, flags, NULL, NULL);
    struct inflow *in = fd >= 0 && fd < FD_MOST ? &inflows[fd] : NULL;
    if (len <= 0 || !in || !in->ours)
        return len;
    atomic_fetch_add(&taken, (unsigned long long)len);
    backlog_wait();
    if (inflow_take(in, data, (size_t)len))
        return len;
    refusal_note(in->greeting < GREETING_LEN ? REFUSAL_PROTOCOL : REFUSAL_SIZE);
    in->greeting = 0;
    return 0;
}

/* As far as it goes; too few, and nobody would ever be let in. */
bool gate_open(bool with_key, struct err *err)
{
    keyed = with_key;
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
