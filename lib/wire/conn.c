/* A connection: a socket that feeds the ZMTP machine, without ever blocking except in conn_wait. */
#include "wire_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#define READ_CHUNK    32767 /* buf_reserve adds one and doubles */
#define PROBE_WAIT_MS 1000

struct conn {
    int fd;
    bool has_address;
    struct address address;
    struct zmtp zmtp;
    struct buf in; /* bytes read and not yet taken */
    size_t in_pos;
    size_t out_pos; /* bytes of zmtp.out that are written */
    bool has_message;
    struct message message;
    bool failed;
    struct err failure;
};

struct conn *conn_from_fd(int fd, const struct address *address, const struct secret *secret)
{
    struct conn *conn = mem_new(sizeof *conn);
    conn->fd = fd;
    if (address) {
        conn->has_address = true;
        conn->address = *address;
    }
    zmtp_init(&conn->zmtp, secret);
    return conn;
}

struct conn *conn_open(const struct address *address, const struct secret *secret, struct err *err)
{
    int fd = socket_connect(address, err);
    return fd < 0 ? NULL : conn_from_fd(fd, address, secret);
}

void message_release(struct message *message)
{
    free(message->memory);
    *message = (struct message){0};
}

void conn_close(struct conn *conn)
{
    if (!conn)
        return;
    fd_close(&conn->fd);
    zmtp_release(&conn->zmtp);
    buf_release(&conn->in);
    message_release(&conn->message);
    free(conn);
}

int conn_fd(const struct conn *conn)
{
    return conn->fd;
}

short conn_events(const struct conn *conn)
{
    /* Something to take or to report must not wait for the peer's next byte. */
    bool now = conn->failed || conn->has_message || conn->in_pos < conn->in.len ||
               conn->out_pos < conn->zmtp.out.len;
    return now ? POLLIN | POLLOUT : POLLIN;
}

/* ---- Why the peer is gone ---- */

/* Sends only the start of a greeting and reads the peer's whole one. */
static bool greeting_fetch(int fd, unsigned char greeting[ZMTP_GREETING_LEN])
{
    struct str signature = zmtp_signature();
    int64_t until = time_now_ms() + PROBE_WAIT_MS;
    size_t sent = 0, got = 0;
    while (got < ZMTP_GREETING_LEN) {
        struct pollfd poll_fd = {.fd = fd, .events = sent < signature.len ? POLLOUT : POLLIN};
        int64_t left = until - time_now_ms();
        if (left <= 0 || (poll(&poll_fd, 1, (int)left) < 0 && errno != EINTR))
            return false;
        ssize_t n = sent < signature.len ? send(fd, signature.data + sent, signature.len - sent, MSG_NOSIGNAL)
                                         : recv(fd, greeting + got, ZMTP_GREETING_LEN - got, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        if (n > 0 && sent < signature.len)
            sent += (size_t)n;
        else if (n > 0)
            got += (size_t)n;
    }
    return true;
}

/* libzmq closes at once, without its own greeting, when the mechanisms differ, and without a word when the
 * key does. To tell that from a server that went away, it is asked again, slowly. */
static bool closed_in_handshake(const struct conn *conn, struct err *err)
{
    struct err ignored;
    unsigned char greeting[ZMTP_GREETING_LEN];
    AUTO_FD int fd = conn->has_address ? socket_connect(&conn->address, &ignored) : -1;
    bool keyed = conn->zmtp.curve != NULL, answers = fd >= 0 && greeting_fetch(fd, greeting);
    if (answers && !zmtp_greeting_check(greeting, keyed, err))
        return false;
    if (answers && keyed && conn->zmtp.stage == ZMTP_IN_HANDSHAKE)
        return err_set(err, ERR_KEY_REJECTED, "the server has another one");
    return err_set(err, ERR_UNREACHABLE, "the server closed the connection in the handshake");
}

static bool closed_because(const struct conn *conn, int number, struct err *err)
{
    if (number != 0 && number != ECONNRESET && number != EPIPE)
        return err_set(err, ERR_UNREACHABLE, "%s",
                       number == ECONNREFUSED ? "nobody listens there" : strerror(number));
    if (conn->zmtp.stage != ZMTP_OPEN)
        return closed_in_handshake(conn, err);
    return err_set(err, ERR_UNREACHABLE, "the server closed the connection");
}

/* ---- Steps ---- */

static bool fail(const struct conn *conn, struct err *err)
{
    if (err)
        *err = conn->failure;
    return false;
}

/* False when the socket is of no use: errno says why. A peer that closed shows when its last bytes are read.
 */
static bool flush(struct conn *conn)
{
    struct buf *out = &conn->zmtp.out;
    while (conn->out_pos < out->len) {
        ssize_t n = send(conn->fd, out->data + conn->out_pos, out->len - conn->out_pos, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == ENOTCONN))
            return true;
        if (n < 0 && errno != EPIPE && errno != ECONNRESET)
            return false;
        if (n < 0)
            break;
        conn->out_pos += (size_t)n;
    }
    conn->out_pos = 0;
    buf_clear(out);
    return true;
}

/* Takes what was read until a message is whole. */
static bool digest(struct conn *conn)
{
    if (conn->has_message || conn->failed)
        return !conn->failed;
    struct str in = {conn->in.data + conn->in_pos, conn->in.len - conn->in_pos};
    if (in.len == 0)
        return true;
    enum zmtp_got got = zmtp_take(&conn->zmtp, &in, &conn->message, &conn->failure);
    conn->in_pos = conn->in.len - in.len;
    conn->has_message = got == ZMTP_MESSAGE;
    conn->failed = got == ZMTP_FAILED;
    return !conn->failed;
}

/* Reads once, after everything read before was taken. 1: bytes came, 0: none are there, -1: the end, errno
 * (or 0) says why. */
static int fill(struct conn *conn)
{
    buf_clear(&conn->in);
    conn->in_pos = 0;
    char *space = buf_reserve(&conn->in, READ_CHUNK);
    ssize_t n;
    do
        n = recv(conn->fd, space, READ_CHUNK, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == ENOTCONN))
        return 0;
    if (n <= 0) {
        errno = n == 0 ? 0 : errno;
        return -1;
    }
    buf_commit(&conn->in, (size_t)n);
    return 1;
}

static bool gone(struct conn *conn, struct err *err)
{
    conn->failed = true;
    closed_because(conn, errno, &conn->failure);
    return fail(conn, err);
}

bool conn_step(struct conn *conn, struct err *err)
{
    if (!digest(conn))
        return fail(conn, err);
    if (!flush(conn))
        return gone(conn, err);
    while (!conn->has_message) {
        int filled = fill(conn);
        if (filled < 0)
            return gone(conn, err);
        if (filled == 0)
            break;
        bool full = conn->in.len == READ_CHUNK;
        if (!digest(conn))
            return fail(conn, err);
        /* A short read emptied the socket; the next byte wakes the caller's poll. */
        if (!full)
            break;
    }
    /* What was read may have given something to say: requests behind READY, a PONG. */
    return flush(conn) || gone(conn, err);
}

bool conn_send(struct conn *conn, struct str header, struct str value, struct err *err)
{
    if (header.len > WIRE_FRAME_MAX || (value.data && value.len > WIRE_FRAME_MAX))
        return err_set(err, ERR_TOO_LARGE, "a message of %zu bytes is larger than the %d that a server takes",
                       header.len > value.len ? header.len : value.len, WIRE_FRAME_MAX);
    zmtp_put(&conn->zmtp, header, value);
    return true;
}

void conn_flush(struct conn *conn)
{
    if (!conn->failed && !flush(conn))
        gone(conn, NULL);
}

bool conn_receive(struct conn *conn, struct message *message)
{
    if (!conn->has_message)
        digest(conn);
    if (!conn->has_message)
        return false;
    *message = conn->message;
    conn->message = (struct message){0};
    conn->has_message = false;
    return true;
}

/* One poll and one step. */
static bool wait_once(struct conn *conn, int64_t until_ms, struct err *err)
{
    /* Writing before the first poll saves a fresh process a read in vain. */
    if (!conn->failed && !flush(conn))
        return gone(conn, err);
    int64_t left = until_ms < 0 ? -1 : until_ms - time_now_ms();
    left = until_ms >= 0 && left < 0 ? 0 : left;
    struct pollfd poll_fd = {.fd = conn->fd, .events = conn_events(conn)};
    int ready = poll(&poll_fd, 1, (int)(left > 60000 ? 60000 : left));
    if (ready < 0 && errno != EINTR)
        return err_errno(err, errno, "poll failed");
    if (ready == 0 && left == 0)
        return err_set(err, ERR_TIMEOUT, "no answer in time");
    return ready <= 0 || conn_step(conn, err);
}

bool conn_wait_open(struct conn *conn, int64_t until_ms, struct err *err)
{
    while (conn->zmtp.stage != ZMTP_OPEN)
        if (!wait_once(conn, until_ms, err))
            return false;
    return true;
}

bool conn_is_open(const struct conn *conn)
{
    return conn->zmtp.stage == ZMTP_OPEN;
}

bool conn_wait(struct conn *conn, int64_t until_ms, struct message *message, struct err *err)
{
    while (!conn_receive(conn, message))
        if (!wait_once(conn, until_ms, err))
            return false;
    return true;
}
