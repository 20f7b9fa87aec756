/* The only file that uses libzmq: a ROUTER socket that never blocks and a monitor that tells which
 * connections end. */
#include "inflow.h"
#include "server_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <zmq.h>

#define HANDSHAKE_MS    3000
#define LINGER_MS       500 /* at the end, for answers that are on their way */
#define HIGH_WATER      16  /* messages a peer, in each direction */
#define EXCESS_MAX      1 /* frames too many that are a mistake; more are an attack, and end the connection */
#define PEER_OWED_MAX   (32 << 20) /* of large values that a peer has not taken */
#define EVICT_MS        200        /* without taking anything, when memory is short */
#define MONITOR_ADDRESS "inproc://monitor"
#define ZAP_ADDRESS     "inproc://zeromq.zap.01"
#define ZAP_DOMAIN      "zproc"
#define ZAP_FRAMES      7
#define CURVE_OVERHEAD  33 /* bytes that a frame grows by when it is sealed (RFC 26) */

/* Large values that were handed to libzmq for a descriptor's connections and not taken by the peer yet. */
struct line {
    atomic_size_t bytes;
    atomic_llong taken_ms; /* when the peer took something, or had nothing to take */
};
/* One of them. */
struct loan {
    struct line *line;
    struct blob *blob;
};

struct transport {
    void *context, *router, *monitor;
    int router_fd, monitor_fd;         /* libzmq's, to wait at */
    bool monitor_read;                 /* to its end */
    zmq_msg_t identity, header, value; /* the request that was received last */
    uint8_t *alive;                    /* by descriptor: of a connection that has not ended */
    size_t alive_size;
    struct line **lines; /* by descriptor */
    size_t line_count;
    struct socket_file socket_file; /* removed at the end */
    void *zap;                      /* who asks whether a key is let in; NULL: without a key nobody does */
    int zap_fd;
    const struct secret *secret;
};

/* ---- Binding ---- */

static bool option_int(struct transport *transport, int option, int value, struct err *err)
{
    if (zmq_setsockopt(transport->router, option, &value, sizeof value) == 0)
        return true;
    return err_set(err, ERR_INTERNAL, "cannot set option %d of the socket: %s", option,
                   zmq_strerror(zmq_errno()));
}

static bool options_set(struct transport *transport, struct err *err)
{
    int64_t frame_max = WIRE_FRAME_MAX + (transport->secret ? CURVE_OVERHEAD : 0);
    if (zmq_setsockopt(transport->router, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max) != 0)
        return err_set(err, ERR_INTERNAL, "cannot bound messages: %s", zmq_strerror(zmq_errno()));
    return option_int(transport, ZMQ_ROUTER_MANDATORY, 1, err) && option_int(transport, ZMQ_LINGER, 0, err) &&
           option_int(transport, ZMQ_SNDHWM, HIGH_WATER, err) &&
           option_int(transport, ZMQ_RCVHWM, HIGH_WATER, err) &&
           option_int(transport, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS, err) &&
           option_int(transport, ZMQ_BACKLOG, 4096, err) &&
           option_int(transport, ZMQ_TCP_KEEPALIVE, 1, err) &&
           option_int(transport, ZMQ_TCP_KEEPALIVE_IDLE, 30, err) &&
           option_int(transport, ZMQ_TCP_KEEPALIVE_INTVL, 10, err) &&
           option_int(transport, ZMQ_TCP_KEEPALIVE_CNT, 3, err);
}

/* ---- The secret key ---- */

/* libzmq asks here (RFC 27) for every client that has gone through CURVE's handshake so far: whoever knows
 * the server's public key could, so that only the derived client key is let in. */
static bool curve_open(struct transport *transport, struct err *err)
{
    int one = 1, none = 0;
    transport->zap = zmq_socket(transport->context, ZMQ_REP);
    if (transport->zap && zmq_setsockopt(transport->zap, ZMQ_LINGER, &none, sizeof none) == 0 &&
        zmq_bind(transport->zap, ZAP_ADDRESS) == 0 &&
        zmq_setsockopt(transport->router, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN, strlen(ZAP_DOMAIN)) == 0 &&
        zmq_setsockopt(transport->router, ZMQ_CURVE_SERVER, &one, sizeof one) == 0 &&
        zmq_setsockopt(transport->router, ZMQ_CURVE_SECRETKEY, transport->secret->server_secret,
                       SECRET_KEY_LEN) == 0)
        return true;
    return err_set(err, ERR_INTERNAL, "cannot use the secret key: %s", zmq_strerror(zmq_errno()));
}

/* One question: version, id, domain, address, identity, mechanism, the client's public key. */
struct zap_question {
    char id[256];
    size_t id_len;
    bool fits; /* in its form, and the key is ours */
};

static void zap_frame(struct transport *transport, struct zap_question *question, int index, zmq_msg_t *part)
{
    const char *data = zmq_msg_data(part);
    size_t len = zmq_msg_size(part);
    struct str text = {data, len};
    if (index == 0)
        question->fits = str_is(text, "1.0");
    else if (index == 1 && len <= sizeof question->id)
        memcpy(question->id, data, question->id_len = len);
    else if (index == 2)
        question->fits &= str_is(text, ZAP_DOMAIN);
    else if (index == 5)
        question->fits &= str_is(text, "CURVE");
    else if (index == 6)
        question->fits &= len == SECRET_KEY_LEN && secret_is_client(transport->secret, data);
}

static bool zap_take(struct transport *transport, struct zap_question *question)
{
    zmq_msg_t part;
    bool more = true;
    int count = 0;
    *question = (struct zap_question){0};
    while (more) {
        zmq_msg_init(&part);
        if (zmq_msg_recv(&part, transport->zap, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&part);
            return false;
        }
        zap_frame(transport, question, count++, &part);
        more = zmq_msg_more(&part);
        zmq_msg_close(&part);
    }
    question->fits &= count == ZAP_FRAMES;
    return true;
}

static void zap_answer(struct transport *transport, const struct zap_question *question)
{
    if (!question->fits)
        refusal_note(REFUSAL_KEY);
    const struct str frames[] = {STR("1.0"),
                                 {question->id, question->id_len},
                                 question->fits ? STR("200") : STR("400"),
                                 question->fits ? STR("OK") : STR("wrong key"),
                                 STR(""),
                                 STR("")};
    for (size_t i = 0; i < LENGTH_OF(frames); i++)
        zmq_send(transport->zap, frames[i].data, frames[i].len,
                 ZMQ_DONTWAIT | (i + 1 < LENGTH_OF(frames) ? ZMQ_SNDMORE : 0));
}

static void zap_serve(struct transport *transport)
{
    struct zap_question question;
    while (transport->zap && zap_take(transport, &question))
        zap_answer(transport, &question);
}

static bool monitor_open(struct transport *transport, struct err *err)
{
    int none = 0;
    if (zmq_socket_monitor(transport->router, MONITOR_ADDRESS, ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED) !=
        0)
        return err_set(err, ERR_INTERNAL, "cannot watch connections: %s", zmq_strerror(zmq_errno()));
    transport->monitor = zmq_socket(transport->context, ZMQ_PAIR);
    if (!transport->monitor || zmq_setsockopt(transport->monitor, ZMQ_RCVHWM, &none, sizeof none) != 0 ||
        zmq_setsockopt(transport->monitor, ZMQ_LINGER, &none, sizeof none) != 0 ||
        zmq_connect(transport->monitor, MONITOR_ADDRESS) != 0)
        return err_set(err, ERR_INTERNAL, "cannot watch connections: %s", zmq_strerror(zmq_errno()));
    return true;
}

static bool is_loopback(const struct address *address)
{
    struct in_addr v4;
    return strcmp(address->host, "localhost") == 0 || strcmp(address->host, "::1") == 0 ||
           (inet_pton(AF_INET, address->host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
}

/* What a server can listen at: an address of its own, or a network interface. */
static bool host_check(const struct address *address, struct err *err)
{
    struct in_addr v4;
    struct in6_addr v6;
    const char *host = address->host;
    return strcmp(host, "*") == 0 || strcmp(host, "localhost") == 0 || inet_pton(AF_INET, host, &v4) == 1 ||
           inet_pton(AF_INET6, host, &v6) == 1 || if_nametoindex(host) != 0 ||
           err_set(
               err, ERR_INVALID,
               "'%s' is neither an IP address nor a network interface of this machine; a server listens at "
               "one of these, at localhost or at *",
               host);
}

/* As libzmq takes it, which looks a name up among the network interfaces only. */
static char *bind_text(const struct address *address, const char *text)
{
    bool named = address->kind == ADDRESS_TCP && strcmp(address->host, "localhost") == 0;
    return named ? mem_format("tcp://127.0.0.1:%u", address->port) : mem_text(text);
}

static bool router_bind(struct transport *transport, const struct server_options *options, struct buf *text,
                        struct err *err)
{
    struct address address;
    if (!address_parse(options->address, &address, err))
        return false;
    if (address.kind == ADDRESS_TCP && !host_check(&address, err))
        return false;
    if (address.kind == ADDRESS_TCP && !is_loopback(&address) && !options->insecure && !options->secret)
        return err_set(err, ERR_DENIED,
                       "'%s' can be reached from other machines and there is no secret key; make one with "
                       "'zproc keygen' and name it with --key-file, use a loopback address, or --insecure if "
                       "you trust the network",
                       options->address);
    if (address.kind == ADDRESS_TCP && !is_loopback(&address) && !options->secret && options->listen_fd < 0)
        fprintf(stderr,
                "zproc: server: warning: there is no secret key: whoever can reach '%s' can read and change "
                "everything\n",
                options->address);
    AUTO_FD int fd = options->listen_fd;
    if (fd < 0 && address.kind != ADDRESS_TCP &&
        (fd = socket_listen(&address, &transport->socket_file, err)) < 0)
        return false;
    if (fd >= 0 && (!fd_set_cloexec(fd, true) || !option_int(transport, ZMQ_USE_FD, fd, err)))
        return false;
    if (address.kind == ADDRESS_TCP && strchr(address.host, ':') && !option_int(transport, ZMQ_IPV6, 1, err))
        return false;
    AUTO_FREE char *name = bind_text(&address, options->address);
    if (zmq_bind(transport->router, name) != 0)
        return err_set(err, zmq_errno() == EADDRINUSE ? ERR_CONFLICT : ERR_INTERNAL,
                       "cannot listen at '%s': %s", options->address, zmq_strerror(zmq_errno()));
    fd = -1; /* libzmq's now */
    char last[512];
    size_t size = sizeof last;
    bool known = address.kind == ADDRESS_TCP &&
                 zmq_getsockopt(transport->router, ZMQ_LAST_ENDPOINT, last, &size) == 0 && size > 1;
    buf_add_text(text, known ? last : options->address);
    return true;
}

static bool fds_get(struct transport *transport, struct err *err)
{
    size_t size = sizeof transport->router_fd;
    transport->zap_fd = -1;
    if (zmq_getsockopt(transport->router, ZMQ_FD, &transport->router_fd, &size) == 0 &&
        zmq_getsockopt(transport->monitor, ZMQ_FD, &transport->monitor_fd, &size) == 0 &&
        (!transport->zap || zmq_getsockopt(transport->zap, ZMQ_FD, &transport->zap_fd, &size) == 0))
        return true;
    return err_set(err, ERR_INTERNAL, "cannot wait for requests: %s", zmq_strerror(zmq_errno()));
}

struct transport *transport_bind(const struct server_options *options, struct buf *address, struct err *err)
{
    if (!gate_open(options->secret != NULL, err))
        return NULL;
    struct transport *transport = mem_new(sizeof *transport);
    transport->secret = options->secret;
    zmq_msg_init(&transport->identity);
    zmq_msg_init(&transport->header);
    zmq_msg_init(&transport->value);
    transport->context = zmq_ctx_new();
    if (transport->context)
        zmq_ctx_set(transport->context, ZMQ_MAX_SOCKETS, 16);
    transport->router = transport->context ? zmq_socket(transport->context, ZMQ_ROUTER) : NULL;
    if (!transport->router)
        err_set(err, ERR_INTERNAL, "cannot make a socket: %s", zmq_strerror(zmq_errno()));
    else if (options_set(transport, err) && (!transport->secret || curve_open(transport, err)) &&
             monitor_open(transport, err) && router_bind(transport, options, address, err) &&
             fds_get(transport, err))
        return transport;
    transport_close(transport);
    return NULL;
}

void transport_close(struct transport *transport)
{
    inflow_close();
    zmq_msg_close(&transport->identity);
    zmq_msg_close(&transport->header);
    zmq_msg_close(&transport->value);
    socket_file_remove(&transport->socket_file);
    if (transport->router) {
        /* What was answered is still delivered, but not to somebody who does not read it. */
        option_int(transport, ZMQ_LINGER, LINGER_MS, NULL);
        zmq_socket_monitor(transport->router, NULL, 0);
        zmq_close(transport->router);
    }
    if (transport->monitor)
        zmq_close(transport->monitor);
    if (transport->zap)
        zmq_close(transport->zap);
    if (transport->context)
        zmq_ctx_term(transport->context);
    for (size_t i = 0; i < transport->line_count; i++)
        free(transport->lines[i]);
    free(transport->lines);
    free(transport->alive);
    free(transport);
}

/* ---- Messages ---- */

static struct str message_bytes(zmq_msg_t *message)
{
    return (struct str){zmq_msg_data(message), zmq_msg_size(message)};
}

static bool part_receive(struct transport *transport, zmq_msg_t *part)
{
    int result;
    do
        result = zmq_msg_recv(part, transport->router, ZMQ_DONTWAIT);
    while (result < 0 && zmq_errno() == EINTR);
    return result >= 0;
}

/* Reads what is left of a message; how many frames. There are not very many (inflow.c), unless it came
 * sealed.
 */
static size_t rest_skip(struct transport *transport, bool more)
{
    size_t count = 0;
    for (; more; count++) {
        zmq_msg_t part;
        zmq_msg_init(&part);
        more = part_receive(transport, &part) && zmq_msg_more(&part);
        zmq_msg_close(&part);
    }
    return count;
}

bool transport_receive(struct transport *transport, struct frames *frames)
{
    *frames = (struct frames){0};
    unsigned long long taken = inflow_taken();
    if (!part_receive(transport, &transport->identity)) {
        inflow_settle(taken);
        return false;
    }
    bool more = zmq_msg_more(&transport->identity) && part_receive(transport, &transport->header);
    /* The empty delimiter, then the header. What has another form is not ours to answer. */
    if (!more || zmq_msg_size(&transport->header) != 0 || !zmq_msg_more(&transport->header)) {
        rest_skip(transport, more && zmq_msg_more(&transport->header));
        return true;
    }
    if (!part_receive(transport, &transport->header))
        return true;
    frames->identity = message_bytes(&transport->identity);
    frames->header = message_bytes(&transport->header);
    frames->fd = zmq_msg_get(&transport->header, ZMQ_SRCFD);
    if (zmq_msg_more(&transport->header) && part_receive(transport, &transport->value)) {
        frames->value = message_bytes(&transport->value);
        frames->excess = zmq_msg_more(&transport->value);
        if (rest_skip(transport, frames->excess) > EXCESS_MAX) {
            refusal_note(REFUSAL_SIZE);
            transport_disconnect(frames->fd);
            *frames = (struct frames){0};
        }
    }
    return true;
}

/* ROUTER decides with the first frame whether the message goes: the others follow without fail. */
static enum send_result part_send(struct transport *transport, struct str part, int flags)
{
    for (;;) {
        if (zmq_send(transport->router, part.data, part.len, ZMQ_DONTWAIT | flags) >= 0)
            return SEND_DONE;
        if (zmq_errno() == EAGAIN)
            return SEND_STALLED;
        if (zmq_errno() != EINTR)
            return SEND_GONE;
    }
}

/* A descriptor's line. */
static struct line *line_get(struct transport *transport, int fd)
{
    size_t place = fd < 0 ? 0 : (size_t)fd, count = transport->line_count;
    if (place >= count) {
        transport->line_count = 2 * place + 64;
        transport->lines = mem_resize(transport->lines, transport->line_count, sizeof *transport->lines);
        memset(transport->lines + count, 0, (transport->line_count - count) * sizeof *transport->lines);
    }
    if (!transport->lines[place])
        transport->lines[place] = mem_new(sizeof(struct line));
    return transport->lines[place];
}

/* Called by libzmq, from its own thread, when it needs the value no more. */
static void loan_end(void *data, void *hint)
{
    (void)data;
    struct loan *loan = hint;
    atomic_store(&loan->line->taken_ms, time_now_ms());
    atomic_fetch_sub(&loan->line->bytes, blob_str(loan->blob).len);
    blob_unref(loan->blob);
    free(loan);
}

/* Without a copy. */
static void blob_send(struct transport *transport, struct line *line, struct blob *blob)
{
    struct loan *loan = mem_new(sizeof *loan);
    *loan = (struct loan){line, blob_ref(blob)};
    struct str bytes = blob_str(blob);
    if (atomic_fetch_add(&line->bytes, bytes.len) == 0)
        atomic_store(&line->taken_ms, time_now_ms());
    zmq_msg_t part;
    zmq_msg_init_data(&part, (void *)bytes.data, bytes.len, loan_end, loan);
    while (zmq_msg_send(&part, transport->router, ZMQ_DONTWAIT) < 0)
        if (zmq_errno() != EINTR) {
            zmq_msg_close(&part);
            return;
        }
}

enum send_result transport_send(struct transport *transport, const struct parcel *message)
{
    struct str header = message->header, value = message->value;
    struct line *line = message->blob ? line_get(transport, message->fd) : NULL;
    size_t owed = line ? atomic_load(&line->bytes) : 0;
    if (owed > 0 && owed + value.len > PEER_OWED_MAX)
        return SEND_STALLED;
    enum send_result result = part_send(transport, message->identity, ZMQ_SNDMORE);
    if (result != SEND_DONE)
        return result;
    part_send(transport, STR(""), header.data ? ZMQ_SNDMORE : 0);
    if (header.data)
        part_send(transport, header, value.data ? ZMQ_SNDMORE : 0);
    if (line)
        blob_send(transport, line, message->blob);
    else if (header.data && value.data)
        part_send(transport, value, 0);
    return SEND_DONE;
}

void transport_evict(struct transport *transport, int64_t now)
{
    size_t worst = 0;
    int64_t oldest = now - EVICT_MS;
    for (size_t fd = 0; fd < transport->line_count; fd++) {
        struct line *line = transport->lines[fd];
        if (!line || atomic_load(&line->bytes) == 0 || atomic_load(&line->taken_ms) > oldest)
            continue;
        oldest = atomic_load(&line->taken_ms);
        worst = fd;
    }
    if (worst == 0 || !transport_alive(transport, (int)worst))
        return;
    atomic_store(&transport->lines[worst]->taken_ms, now);
    refusal_note(REFUSAL_UNREAD);
    transport_disconnect((int)worst);
}

/* ---- Connections ---- */

static void alive_set(struct transport *transport, int fd, bool alive)
{
    if (fd < 0)
        return;
    if ((size_t)fd >= transport->alive_size) {
        size_t size = transport->alive_size ? transport->alive_size : 256;
        while (size <= (size_t)fd)
            size *= 2;
        transport->alive = mem_resize(transport->alive, size, 1);
        memset(transport->alive + transport->alive_size, 0, size - transport->alive_size);
        transport->alive_size = size;
    }
    transport->alive[fd] = alive;
}

/* Takes one event: its number, and the descriptor in fd. 0: there is none. */
static int monitor_next(struct transport *transport, int *fd)
{
    zmq_msg_t part;
    zmq_msg_init(&part);
    int event = 0;
    if (zmq_msg_recv(&part, transport->monitor, ZMQ_DONTWAIT) >= 0) {
        const unsigned char *data = zmq_msg_data(&part);
        uint16_t number = 0;
        uint32_t value = 0;
        if (zmq_msg_size(&part) >= 6) {
            memcpy(&number, data, 2);
            memcpy(&value, data + 2, 4);
        }
        event = number;
        *fd = (int)value;
        if (zmq_msg_more(&part)) /* the endpoint */
            zmq_msg_recv(&part, transport->monitor, 0);
        alive_set(transport, *fd, event == ZMQ_EVENT_ACCEPTED);
    }
    zmq_msg_close(&part);
    return event;
}

bool transport_gone(struct transport *transport, int *fd)
{
    struct pollfd item = {.fd = transport->monitor_fd, .events = POLLIN};
    /* Once it has been read to its end, its descriptor tells of more at a quarter of the cost of asking it.
     */
    if (transport->monitor_read && poll(&item, 1, 0) == 0)
        return false;
    transport->monitor_read = false;
    for (int event; (event = monitor_next(transport, fd)) != 0;)
        if (event == ZMQ_EVENT_DISCONNECTED)
            return true;
    transport->monitor_read = true;
    return false;
}

bool transport_alive(struct transport *transport, int fd)
{
    return fd >= 0 && (size_t)fd < transport->alive_size && transport->alive[fd];
}

void transport_disconnect(int fd)
{
    shutdown(fd, SHUT_RDWR);
}

/* A socket's descriptor tells only of what arrives after the socket was asked for its events. */
static bool socket_ready(void *socket)
{
    int events = 0;
    size_t size = sizeof events;
    return zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN);
}

/* Less than zmq_poll does: the monitor has been read to its end, so its descriptor tells all. */
bool transport_poll(struct transport *transport, int stop_fd, int64_t timeout_ms, struct err *err)
{
    int relief_ms = inflow_relieve();
    struct pollfd items[] = {
        {.fd = stop_fd, .events = POLLIN},
        {.fd = transport->router_fd, .events = POLLIN},
        {.fd = transport->monitor_fd, .events = POLLIN},
        {.fd = transport->zap_fd, .events = POLLIN},
        {.fd = relief_ms < 0 ? inflow_alarm() : -1, .events = POLLIN},
    };
    zap_serve(transport);
    bool ready = socket_ready(transport->router);
    int most_ms = timeout_ms > INT_MAX ? INT_MAX : (int)timeout_ms;
    if (relief_ms >= 0 && (most_ms < 0 || most_ms > relief_ms))
        most_ms = relief_ms;
    if (poll(items, LENGTH_OF(items), ready ? 0 : most_ms) < 0 && errno != EINTR)
        return err_errno(err, errno, "waiting for requests failed");
    return !(items[0].revents & POLLIN);
}
