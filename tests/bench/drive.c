/* Load: the same loop and the same little work for each server, so that the servers are compared. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TURN_NS     0.3e9
#define REQUEST_MAX 512
#define ANSWER_MAX  4096
#define PATIENCE_MS 10000
#define FIRST_SEQ   INT64_C(1000000000) /* all numbers have as many digits: they are put in place */
#define SEQ_DIGITS  10

struct speaker {
    struct conn *conn; /* zproc; it does no more than the handshake */
    int fd;
    char request[REQUEST_MAX], answer[ANSWER_MAX];
    size_t request_len, answer_len;
    int64_t seq; /* 0: not numbered */
    char *seq_at, *done_at;
};

/* How long the answer at the start of the bytes is; 0: not whole yet, -1: it is no success. */
typedef int answer_end(struct str bytes);

struct drive {
    answer_end *end;
    int epoll, count;
    struct speaker speakers[DRIVE_CLIENTS_MOST];
};

/* ---- zproc: ZMTP frames ---- */

static void frame_put(struct speaker *speaker, bool more, struct str text)
{
    char *at = speaker->request + speaker->request_len;
    at[0] = more;
    at[1] = (char)text.len;
    if (text.len)
        memcpy(at + 2, text.data, text.len);
    speaker->request_len += 2 + text.len;
}

static void zproc_request(struct speaker *speaker, enum drive_kind kind, int number)
{
    AUTO_BUF struct buf header = {0};
    buf_add_format(&header, "{\"v\":1,\"id\":1,\"op\":\"%s\",", kind == DRIVE_GET ? "get" : "set");
    if (kind == DRIVE_SET_NUMBERED) {
        speaker->seq = FIRST_SEQ;
        buf_add_format(&header, "\"client\":\"%032x\",\"seq\":%lld,\"done\":%lld,", number,
                       (long long)speaker->seq, (long long)speaker->seq);
    }
    buf_add_format(&header, "\"key\":\"key:%02d\"}", number);
    frame_put(speaker, true, STR(""));
    frame_put(speaker, kind != DRIVE_GET, buf_str(&header));
    if (kind != DRIVE_GET)
        frame_put(speaker, false, STR("\"xxx\""));
    if (speaker->seq) {
        struct str request = {speaker->request, speaker->request_len};
        speaker->seq_at = speaker->request + str_find(request, STR("\"seq\":")) + 6;
        speaker->done_at = speaker->request + str_find(request, STR("\"done\":")) + 7;
    }
}

static void request_number(struct speaker *speaker)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", (long long)++speaker->seq);
    memcpy(speaker->seq_at, digits, SEQ_DIGITS);
    memcpy(speaker->done_at, digits, SEQ_DIGITS);
}

static int zproc_end(struct str bytes)
{
    size_t pos = 0;
    bool more = true;
    while (more) {
        if (pos + 2 > bytes.len)
            return 0;
        if (bytes.data[pos] & ~1) /* a long frame or a command: nothing that is expected */
            return -1;
        more = bytes.data[pos] & 1;
        pos += 2 + (unsigned char)bytes.data[pos + 1];
    }
    if (pos > bytes.len)
        return 0;
    return memmem(bytes.data, pos, "\"ok\":true", 9) ? (int)pos : -1;
}

static bool zproc_connect(struct speaker *speaker, const struct server *server)
{
    struct address address;
    if (!address_parse(server->address, &address, NULL) ||
        !(speaker->conn = conn_open(&address, NULL, NULL)) ||
        !conn_wait_open(speaker->conn, time_now_ms() + PATIENCE_MS, NULL))
        return false;
    speaker->fd = conn_fd(speaker->conn);
    return true;
}

/* ---- redis: RESP ---- */

static void redis_request(struct speaker *speaker, enum drive_kind kind, int number)
{
    static const char get[] = "*2\r\n$3\r\nGET\r\n$6\r\nkey:%02d\r\n";
    static const char set[] = "*3\r\n$3\r\nSET\r\n$6\r\nkey:%02d\r\n$3\r\nxxx\r\n";
    AUTO_BUF struct buf text = {0};
    if (kind == DRIVE_GET)
        buf_add_format(&text, get, number);
    else
        buf_add_format(&text, set, number);
    memcpy(speaker->request, text.data, text.len);
    speaker->request_len = text.len;
}

static int redis_end(struct str bytes)
{
    const char *line_end = memmem(bytes.data, bytes.len, "\r\n", 2);
    if (!line_end)
        return 0;
    size_t len = (size_t)(line_end - bytes.data) + 2;
    if (bytes.data[0] == '$' && bytes.data[1] != '-')
        len += (size_t)atoi(bytes.data + 1) + 2;
    else if (bytes.data[0] != '+')
        return -1;
    return len <= bytes.len ? (int)len : 0;
}

static bool redis_connect(struct speaker *speaker, const struct server *server)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    strcpy(name.sun_path, server->path);
    speaker->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return speaker->fd >= 0 && connect(speaker->fd, (const struct sockaddr *)&name, sizeof name) == 0 &&
           fcntl(speaker->fd, F_SETFL, O_NONBLOCK) == 0;
}

/* ---- The loop ---- */

/* A request fits into an empty socket buffer. */
static bool speaker_ask(struct speaker *speaker)
{
    if (speaker->seq)
        request_number(speaker);
    return send(speaker->fd, speaker->request, speaker->request_len, MSG_NOSIGNAL) ==
           (ssize_t)speaker->request_len;
}

/* Takes an answer and asks again: 1, 0 when it is not whole, -1. */
static int speaker_serve(struct speaker *speaker, answer_end *end)
{
    ssize_t n = recv(speaker->fd, speaker->answer + speaker->answer_len,
                     sizeof speaker->answer - speaker->answer_len, 0);
    if (n <= 0)
        return n < 0 && errno == EAGAIN ? 0 : -1;
    speaker->answer_len += (size_t)n;
    int len = end((struct str){speaker->answer, speaker->answer_len});
    if (len <= 0)
        return len;
    if ((size_t)len != speaker->answer_len) /* an answer that nothing asked for */
        return -1;
    speaker->answer_len = 0;
    return speaker_ask(speaker) ? 1 : -1;
}

double drive_turn(struct drive *drive)
{
    struct epoll_event events[DRIVE_CLIENTS_MOST];
    int answers = 0;
    double start = now_ns(), now;
    while ((now = now_ns()) - start < TURN_NS) {
        int count = epoll_wait(drive->epoll, events, drive->count, PATIENCE_MS);
        if (count <= 0)
            return -1;
        for (int i = 0; i < count; i++) {
            int n = speaker_serve(events[i].data.ptr, drive->end);
            if (n < 0)
                return -1;
            answers += n;
        }
    }
    return answers / ((now - start) / 1e9);
}

static bool speaker_open(struct drive *drive, struct speaker *speaker, enum drive_kind kind, int number,
                         const struct server *server)
{
    bool zproc = drive->end == zproc_end;
    speaker->fd = -1;
    if (!(zproc ? zproc_connect(speaker, server) : redis_connect(speaker, server)))
        return false;
    (zproc ? zproc_request : redis_request)(speaker, kind, number);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = speaker};
    return epoll_ctl(drive->epoll, EPOLL_CTL_ADD, speaker->fd, &event) == 0 && speaker_ask(speaker);
}

static struct drive *drive_open(answer_end *end, const struct server *server, enum drive_kind kind,
                                int clients)
{
    struct drive *drive = mem_new(sizeof *drive);
    drive->end = end;
    drive->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (; drive->count < clients; drive->count++)
        if (!speaker_open(drive, &drive->speakers[drive->count], kind, drive->count, server)) {
            drive->count++;
            drive_close(drive);
            return NULL;
        }
    return drive;
}

struct drive *drive_zproc(const struct server *server, enum drive_kind kind, int clients)
{
    return drive_open(zproc_end, server, kind, clients);
}

struct drive *drive_redis(const struct server *server, enum drive_kind kind, int clients)
{
    return drive_open(redis_end, server, kind, clients);
}

void drive_close(struct drive *drive)
{
    if (!drive)
        return;
    for (int i = 0; i < drive->count; i++) {
        struct speaker *speaker = &drive->speakers[i];
        if (speaker->conn)
            conn_close(speaker->conn);
        else if (speaker->fd >= 0)
            close(speaker->fd);
    }
    close(drive->epoll);
    free(drive);
}
