/* Probes: a command or a connection tried again and again, one try at a time. */
#include "child_priv.h"
#include "http_priv.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_READ 4096 /* at once, of an answer; its first line is enough */

struct probe {
    struct loop *loop;
    int64_t every_ms, timeout_ms;
    void (*result)(void *ctx, bool ok);
    void *ctx;
    struct timer *timer;       /* the next try or, with deadline, the end of this one's time */
    int64_t started, deadline; /* deadline < 0: no result is due */

    /* exec */
    struct children *children;
    struct child_spec spec;
    struct child *child; /* there may be one after its time is over, until it has ended */

    /* tcp */
    struct addrinfo *addresses, *address; /* all, and the one that is tried */
    int fd;
    struct watcher *watcher;

    /* http: tcp, and then */
    char *request; /* NULL: the connection is enough */
    size_t sent;
    bool connected;
    struct buf head;             /* of the answer */
    int status_low, status_high; /* that are fine */
};

/* May free the probe: nothing may follow it. */
static void report(struct probe *probe, bool ok)
{
    probe->deadline = -1;
    probe->result(probe->ctx, ok);
}

static void next_try(struct probe *probe)
{
    timer_set(probe->timer, probe->started + probe->every_ms);
}

static void try_begins(struct probe *probe)
{
    probe->started = time_now_ms();
    probe->deadline = probe->started + probe->timeout_ms;
    timer_set(probe->timer, probe->deadline);
}

static struct probe *probe_new(struct loop *loop, void (*fire)(void *ctx), int64_t every_ms,
                               int64_t timeout_ms)
{
    struct probe *probe = mem_new(sizeof *probe);
    probe->loop = loop;
    probe->every_ms = every_ms;
    probe->timeout_ms = timeout_ms;
    probe->deadline = -1;
    probe->fd = -1;
    probe->timer = timer_new(loop, fire, probe);
    timer_set(probe->timer, time_now_ms());
    return probe;
}

/* ---- A command ---- */

static void exec_ended(void *ctx, struct child *child, const struct child_end *end)
{
    (void)child;
    struct probe *probe = ctx;
    probe->child = NULL;
    next_try(probe);
    if (probe->deadline >= 0)
        report(probe, end->signal == 0 && end->status == 0);
}

static void exec_try(struct probe *probe)
{
    static const struct child_callbacks callbacks = {.ended = exec_ended};
    try_begins(probe);
    probe->child = child_spawn(probe->children, &probe->spec, &callbacks, probe, NULL);
    if (probe->child)
        return;
    next_try(probe);
    report(probe, false);
}

static void exec_fire(void *ctx)
{
    struct probe *probe = ctx;
    if (!probe->child) {
        exec_try(probe);
        return;
    }
    child_kill(probe->child);
    report(probe, false);
}

struct probe *probe_exec(struct children *children, const struct child_spec *spec, int64_t every_ms,
                         int64_t timeout_ms, void (*result)(void *ctx, bool ok), void *ctx)
{
    struct probe *probe = probe_new(children->loop, exec_fire, every_ms, timeout_ms);
    probe->children = children;
    probe->spec = *spec;
    probe->spec.inherit_output = false;
    probe->result = result;
    probe->ctx = ctx;
    return probe;
}

/* ---- A connection ---- */

static void tcp_close(struct probe *probe)
{
    probe->connected = false;
    probe->sent = 0;
    buf_clear(&probe->head);
    watcher_free(probe->watcher);
    probe->watcher = NULL;
    fd_close(&probe->fd);
}

static void tcp_done(struct probe *probe, bool ok)
{
    tcp_close(probe);
    next_try(probe);
    report(probe, ok);
}

/* A socket to a free local port may happen to get that very port and connect to itself. */
static bool is_own_end(int fd)
{
    struct sockaddr_storage near, far;
    socklen_t near_len = sizeof near, far_len = sizeof far;
    return getsockname(fd, (struct sockaddr *)&near, &near_len) == 0 &&
           getpeername(fd, (struct sockaddr *)&far, &far_len) == 0 && near_len == far_len &&
           memcmp(&near, &far, near_len) == 0;
}

static void tcp_connect(struct probe *probe);

static void http_send(struct probe *probe)
{
    size_t left = strlen(probe->request) - probe->sent;
    ssize_t len = send(probe->fd, probe->request + probe->sent, left, MSG_NOSIGNAL);
    if (len >= 0)
        probe->sent += (size_t)len;
    if (len < 0 && errno != EAGAIN && errno != EINTR)
        tcp_done(probe, false);
    else if ((size_t)len == left)
        watcher_set(probe->watcher, POLLIN);
}

static void http_receive(struct probe *probe)
{
    ssize_t len = recv(probe->fd, buf_reserve(&probe->head, HEAD_READ), HEAD_READ, 0);
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    buf_commit(&probe->head, len > 0 ? (size_t)len : 0);
    int status = http_status(buf_str(&probe->head));
    if (status != 0 || len <= 0)
        tcp_done(probe, status >= probe->status_low && status <= probe->status_high);
}

static void tcp_ready(void *ctx, short events)
{
    struct probe *probe = ctx;
    int number = 0;
    socklen_t len = sizeof number;
    if (probe->connected && (events & POLLIN)) {
        http_receive(probe);
        return;
    }
    bool fine = getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &number, &len) == 0 && number == 0 &&
                !is_own_end(probe->fd);
    if (fine && probe->request) {
        probe->connected = true;
        http_send(probe);
        return;
    }
    if (fine) {
        tcp_done(probe, true);
        return;
    }
    tcp_close(probe);
    probe->address = probe->address->ai_next;
    tcp_connect(probe);
}

/* Begins to connect to the first of the addresses that are left which does not refuse at once. */
static void tcp_connect(struct probe *probe)
{
    for (; probe->address; probe->address = probe->address->ai_next) {
        const struct addrinfo *to = probe->address;
        probe->fd = socket(to->ai_family, to->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to->ai_protocol);
        if (probe->fd >= 0 && (connect(probe->fd, to->ai_addr, to->ai_addrlen) == 0 || errno == EINPROGRESS))
            probe->watcher = watcher_new(probe->loop, probe->fd, POLLOUT, tcp_ready, probe);
        if (probe->watcher)
            return;
        tcp_close(probe);
    }
    tcp_done(probe, false);
}

static void tcp_fire(void *ctx)
{
    struct probe *probe = ctx;
    if (probe->deadline >= 0) {
        tcp_done(probe, false);
        return;
    }
    try_begins(probe);
    probe->address = probe->addresses;
    tcp_connect(probe);
}

/* "host:port" or "[::1]:port" into two parts; the host may be empty: this machine. */
static bool host_port_split(const char *text, char **host, char **port)
{
    const char *colon = strrchr(text, ':');
    if (!colon || !colon[1])
        return false;
    struct str name = {text, (size_t)(colon - text)};
    if (name.len >= 2 && name.data[0] == '[' && name.data[name.len - 1] == ']')
        name = (struct str){name.data + 1, name.len - 2};
    else if (memchr(name.data, ':', name.len))
        return false;
    *host = name.len > 0 ? mem_format("%.*s", (int)name.len, name.data) : mem_text("localhost");
    *port = mem_text(colon + 1);
    return true;
}

static struct addrinfo *host_port_resolve(const char *text, struct err *err)
{
    AUTO_FREE char *host = NULL;
    AUTO_FREE char *port = NULL;
    if (!host_port_split(text, &host, &port)) {
        err_set(err, ERR_INVALID, "'%s' is no address; write it like localhost:8080 or [::1]:8080", text);
        return NULL;
    }
    /* localhost is the loopback address whatever a machine's files say (RFC 6761); no node means both of its
     * forms. */
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *addresses;
    int status = getaddrinfo(strcmp(host, "localhost") == 0 ? NULL : host, port, &hints, &addresses);
    if (status == 0)
        return addresses;
    err_set(err, status == EAI_SERVICE ? ERR_INVALID : ERR_NOT_FOUND, "cannot resolve '%s': %s", text,
            gai_strerror(status));
    return NULL;
}

struct probe *probe_tcp(struct loop *loop, const char *host_port, int64_t every_ms, int64_t timeout_ms,
                        void (*result)(void *ctx, bool ok), void *ctx, struct err *err)
{
    struct addrinfo *addresses = host_port_resolve(host_port, err);
    if (!addresses)
        return NULL;
    struct probe *probe = probe_new(loop, tcp_fire, every_ms, timeout_ms);
    probe->addresses = addresses;
    probe->result = result;
    probe->ctx = ctx;
    return probe;
}

struct probe *probe_http(struct loop *loop, const char *url, int status, int64_t every_ms, int64_t timeout_ms,
                         void (*result)(void *ctx, bool ok), void *ctx, struct err *err)
{
    AUTO_FREE char *host_port = NULL;
    char *request = NULL;
    if (!http_request(url, &host_port, &request, err))
        return NULL;
    struct probe *probe = probe_tcp(loop, host_port, every_ms, timeout_ms, result, ctx, err);
    if (!probe) {
        free(request);
        return NULL;
    }
    probe->request = request;
    probe->status_low = status > 0 ? status : 200;
    probe->status_high = status > 0 ? status : 399;
    return probe;
}

void probe_free(struct probe *probe)
{
    if (!probe)
        return;
    if (probe->child)
        child_disown(probe->child);
    tcp_close(probe);
    if (probe->addresses)
        freeaddrinfo(probe->addresses);
    timer_free(probe->timer);
    free(probe->request);
    buf_release(&probe->head);
    free(probe);
}
