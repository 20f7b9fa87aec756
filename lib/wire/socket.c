/* Sockets to an address: ipc with a check of who listens, tcp with names looked up. */
#include "wire_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG_WAIT_S  10
#define CONNECT_WAIT_MS 5000 /* for each address of a name that has several */

static int fail(int fd, struct err *err, enum err_code code, const char *why)
{
    fd_close(&fd);
    err_set(err, code, "%s", why);
    return -1;
}

static const char *reason(int number)
{
    return number == ECONNREFUSED ? "nobody listens there"
           : number == ENOENT     ? "there is no such socket"
                                  : strerror(number);
}

/* ---- ipc ---- */

static bool peer_is_ours(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return false;
    return peer.uid == 0 || peer.uid == geteuid();
}

/* A full backlog is EAGAIN for a non-blocking unix socket, and there is nothing to poll for. */
static int connect_waiting(int fd, const struct sockaddr *name, socklen_t len)
{
    struct timeval limit = {.tv_sec = BACKLOG_WAIT_S};
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 || !fd_set_nonblocking(fd, false))
        return -1;
    int result;
    do
        result = connect(fd, name, len);
    while (result != 0 && errno == EINTR);
    return result == 0 && fd_set_nonblocking(fd, true) ? 0 : -1;
}

static int ipc_connect(const struct address *address, struct err *err)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    bool abstract = address->kind == ADDRESS_ABSTRACT;
    size_t len = strlen(address->path);
    memcpy(name.sun_path + abstract, address->path, len);
    socklen_t name_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail(fd, err, ERR_INTERNAL, strerror(errno));
    int result = connect(fd, (struct sockaddr *)&name, name_len);
    if (result != 0 && errno == EAGAIN)
        result = connect_waiting(fd, (struct sockaddr *)&name, name_len);
    if (result != 0)
        return fail(fd, err, ERR_UNREACHABLE, reason(errno));
    if (!peer_is_ours(fd))
        return fail(fd, err, ERR_DENIED, "another user listens there");
    return fd;
}

/* ---- tcp ---- */

static int tcp_start(const struct sockaddr *name, socklen_t len)
{
    int fd = socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, name, len) != 0 && errno != EINPROGRESS)
        fd_close(&fd);
    return fd;
}

static int numeric_connect(const struct address *address, struct err *err, bool *numeric)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(address->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
    const char *host = strcmp(address->host, "localhost") == 0 ? "127.0.0.1" : address->host;
    int fd = -1;
    *numeric = true;
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1)
        fd = tcp_start((struct sockaddr *)&v4, sizeof v4);
    else if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1)
        fd = tcp_start((struct sockaddr *)&v6, sizeof v6);
    else
        *numeric = false;
    return fd < 0 && *numeric ? fail(-1, err, ERR_UNREACHABLE, reason(errno)) : fd;
}

static bool connected(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    int number = 0;
    socklen_t len = sizeof number;
    if (poll(&poll_fd, 1, CONNECT_WAIT_MS) != 1)
        number = ETIMEDOUT;
    else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &len) != 0)
        number = errno;
    errno = number;
    return number == 0;
}

/* The only address goes on in the background, several are tried one after another. */
static int name_connect(const struct address *address, struct err *err)
{
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)address->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int problem = getaddrinfo(address->host, port, &hints, &list);
    if (problem != 0)
        return fail(-1, err, ERR_UNREACHABLE, gai_strerror(problem));
    int fd = -1;
    for (struct addrinfo *next = list; next && fd < 0; next = next->ai_next) {
        fd = tcp_start(next->ai_addr, next->ai_addrlen);
        if (fd >= 0 && list->ai_next && !connected(fd))
            fd_close(&fd);
    }
    if (fd < 0)
        err_set(err, ERR_UNREACHABLE, "%s", reason(errno));
    freeaddrinfo(list);
    return fd;
}

static int tcp_connect(const struct address *address, struct err *err)
{
    if (strcmp(address->host, "*") == 0 || address->port == 0)
        return fail(-1, err, ERR_INVALID, "a client needs a host and a port");
    bool numeric;
    int fd = numeric_connect(address, err, &numeric);
    return numeric ? fd : name_connect(address, err);
}

int socket_connect(const struct address *address, struct err *err)
{
    return address->kind == ADDRESS_TCP ? tcp_connect(address, err) : ipc_connect(address, err);
}
