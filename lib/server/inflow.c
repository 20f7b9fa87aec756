/* What may reach libzmq, and how much of it at a time. Whole messages that the server has not come to hold up
 * the reading of more. Of large messages only so many come at a time: who begins another one waits its turn,
 * and who does not go on with his loses it when others wait. */
#include "inflow.h"
#include "server_priv.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

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

/* What libzmq's memory for messages has besides their bytes: it reads so much at once, and frames that came
 * with it keep all of it. */
#define MESSAGE_COST 256
#define READ_COST    (18 * 1024)

#define BACKLOG_BYTES (64 << 20) /* of whole messages that the server has not come to */
#define BACKLOG_WAITS 100        /* ms that no connection is read then, at most at once */

#define SMALL_MOST  (64 * 1024) /* a message of more bytes is large */
#define SMALL_BYTES (128 << 20) /* of all small ones that have come in part */
#define LARGE_COUNT 32          /* at a time */
#define LOOK_MS     250         /* from one look at those that others wait for to the next */
#define LOOK_BYTES  (16 * 1024) /* whoever has sent less since the last one is slow */
#define LOOKS       4           /* that one may be slow */

struct queue {
    int first, last; /* descriptors; -1: none */
};
struct inflow {
    bool ours;     /* it was accepted here */
    bool with_key; /* its mechanism is CURVE */
    bool last;     /* the frame is the last of its message */
    /* With the bytes that are looked at: */
    bool whole;              /* something for the server has come to its end */
    bool ended;              /* the message that had come in part has */
    atomic_bool over;        /* nothing more of it reaches libzmq */
    unsigned char greeting;  /* bytes of it so far */
    unsigned char handshake; /* commands that are still to come before the first message */
    unsigned char head_len, parts;
    unsigned char head[FRAME_HEAD_MAX];
    uint32_t bytes;   /* of the message's frames, as far as they were announced */
    uint32_t command; /* of the command that is coming */
    uint64_t left;    /* of the frame */
    int epoll_fd;
    struct epoll_event event; /* that libzmq waits for there */
    /* Of a message in part; changed under the lock. */
    struct queue *queue; /* NULL: in none */
    int previous, next;
    uint32_t small;     /* what it adds to small_bytes */
    uint32_t got, seen; /* bytes of the message, now and at the last look */
    unsigned char slow; /* looks since it was not */
};
/* By descriptor: libzmq's calls bring no context along. */
static struct inflow inflows[INFLOW_FDS];
static bool keyed; /* the server has a secret key */

/* ---- Whole messages ---- */

/* What lies between the two is in memory; connections that have ended leave theirs there, so that HIGH_WATER
 * does not bound it. */
static atomic_ullong taken, settled;
static atomic_bool closing; /* nobody comes to it any more */

unsigned long long inflow_taken(void)
{
    return atomic_load(&taken);
}

void inflow_settle(unsigned long long bytes)
{
    atomic_store(&settled, bytes);
}

void inflow_close(void)
{
    atomic_store(&closing, true);
}

static bool backlog_is_full(void)
{
    return atomic_load(&taken) - atomic_load(&settled) > BACKLOG_BYTES && !atomic_load(&closing);
}

/* The server comes to it sooner or later; it may be waiting for a disk. */
static void backlog_wait(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < BACKLOG_WAITS && backlog_is_full(); i++)
        nanosleep(&pause, NULL);
}

/* ---- Messages in part ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Large ones that come, large ones that wait, and small ones. */
static struct queue going = {-1, -1}, paused = {-1, -1}, small = {-1, -1};
static int going_count;
static uint64_t small_bytes;
static atomic_bool crowded; /* somebody waits for others, or small ones are too many */
static int alarm_fd = -1;   /* readable as long */

static void queue_remove(struct inflow *in)
{
    if (!in->queue)
        return;
    *(in->previous >= 0 ? &inflows[in->previous].next : &in->queue->first) = in->next;
    *(in->next >= 0 ? &inflows[in->next].previous : &in->queue->last) = in->previous;
    going_count -= in->queue == &going;
    small_bytes -= in->small;
    in->small = 0;
    in->queue = NULL;
}

static void queue_add(struct queue *queue, int fd)
{
    struct inflow *in = &inflows[fd];
    in->queue = queue;
    in->previous = queue->last;
    in->next = -1;
    *(queue->last >= 0 ? &inflows[queue->last].next : &queue->first) = fd;
    queue->last = fd;
    going_count += queue == &going;
    in->seen = in->got;
    in->slow = 0;
}

static void events_mask(const struct inflow *in, struct epoll_event *event)
{
    if (in->queue == &paused)
        event->events &= ~(uint32_t)EPOLLIN;
}

static void events_change(int fd)
{
    struct epoll_event event = inflows[fd].event;
    events_mask(&inflows[fd], &event);
    syscall(SYS_epoll_ctl, inflows[fd].epoll_fd, EPOLL_CTL_MOD, fd, &event);
}

static void crowd_look(void)
{
    bool now = paused.first >= 0 || small_bytes > SMALL_BYTES;
    if (now != atomic_exchange(&crowded, now)) {
        eventfd_t count = 1;
        (void)(now ? eventfd_write(alarm_fd, count) : eventfd_read(alarm_fd, &count));
    }
}

static void paused_resume(int fd)
{
    queue_remove(&inflows[fd]);
    queue_add(&going, fd);
    events_change(fd);
}

/* Where the connection belongs, by the message that it has in part. A large one that has begun goes on. */
static struct queue *queue_choose(const struct inflow *in)
{
    if (in->bytes <= SMALL_MOST)
        return in->bytes + in->command > 0 ? &small : NULL;
    bool free = paused.first < 0 && going_count < LARGE_COUNT;
    return (in->queue == &going && !in->ended) || free ? &going : &paused;
}

static void part_change(int fd)
{
    struct inflow *in = &inflows[fd];
    if (in->ended)
        queue_remove(in);
    struct queue *queue = queue_choose(in);
    if (queue != in->queue) {
        queue_remove(in);
        if (queue)
            queue_add(queue, fd);
        if (queue == &paused)
            events_change(fd);
    }
    uint32_t bytes = queue == &small ? in->bytes + in->command + in->parts * READ_COST : 0;
    small_bytes += (uint64_t)bytes - in->small;
    in->small = bytes;
    while (paused.first >= 0 && going_count < LARGE_COUNT)
        paused_resume(paused.first);
    crowd_look();
}

static void part_look(int fd)
{
    struct inflow *in = &inflows[fd];
    if (in->bytes == 0 && in->command == 0 && !in->queue)
        return;
    pthread_mutex_lock(&lock);
    in->got = in->bytes - (in->command > 0 ? 0 : (uint32_t)in->left);
    part_change(fd);
    pthread_mutex_unlock(&lock);
}

/* Whether it stands still, or nearly, and not because nobody reads it. */
static bool is_slow(int fd)
{
    struct inflow *in = &inflows[fd];
    int unread = 0;
    bool slow = in->got - in->seen < LOOK_BYTES && ioctl(fd, FIONREAD, &unread) == 0 && unread == 0;
    in->seen = in->got;
    in->slow = slow ? in->slow + 1 : 0;
    return in->slow > LOOKS;
}

/* libzmq notices that a connection is shut down, and closes it. Until then its descriptor is no other's. */
static void slow_end(const struct queue *queue)
{
    for (int fd = queue->first; fd >= 0; fd = inflows[fd].next) {
        if (atomic_load(&inflows[fd].over) || !is_slow(fd))
            continue;
        atomic_store(&inflows[fd].over, true);
        refusal_note(REFUSAL_STALLED);
        shutdown(fd, SHUT_RDWR);
    }
}

/* Whoever has said all over tcp and is gone: nothing tells of that while it is paused. */
static void gone_end(void)
{
    for (int fd = paused.first; fd >= 0; fd = inflows[fd].next) {
        struct pollfd item = {.fd = fd, .events = POLLRDHUP};
        if (poll(&item, 1, 0) > 0)
            shutdown(fd, SHUT_RDWR);
    }
}

int inflow_relieve(void)
{
    static int64_t looked_ms;
    if (!atomic_load(&crowded))
        return -1;
    int64_t left = looked_ms + LOOK_MS - time_now_ms();
    if (left > 0)
        return (int)left;
    looked_ms = time_now_ms();
    pthread_mutex_lock(&lock);
    if (paused.first >= 0)
        slow_end(&going);
    if (small_bytes > SMALL_BYTES)
        slow_end(&small);
    gone_end();
    pthread_mutex_unlock(&lock);
    return LOOK_MS;
}

int inflow_alarm(void)
{
    return alarm_fd;
}

/* ---- Frames ---- */

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
        if (!(flags & FRAME_COMMAND) || flags & FRAME_MORE || len > COMMAND_MOST)
            return false;
        in->command = (uint32_t)len;
        return true;
    }
    if (len > MESSAGE_MOST || in->bytes + len > MESSAGE_MOST || in->parts == PARTS_MOST)
        return false;
    in->parts++;
    in->bytes += (uint32_t)len;
    in->last = !(flags & FRAME_MORE);
    return true;
}

static void whole_end(struct inflow *in, uint32_t bytes)
{
    atomic_fetch_add(&taken, bytes + MESSAGE_COST);
    in->whole = true;
}

/* Behind the handshake commands can reach the server too (libzmq's SUBSCRIBE and CANCEL do). */
static void frame_end(struct inflow *in)
{
    if (in->head[0] & FRAME_COMMAND) {
        if (in->handshake > 0)
            in->handshake--;
        else
            whole_end(in, in->command);
        in->command = 0;
    } else if (in->last) {
        whole_end(in, in->bytes);
        in->bytes = in->parts = 0;
        in->last = false;
        in->ended = true;
    }
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
    if (!frame_fits(in, in->head[0], in->left))
        return false;
    if (in->left == 0)
        frame_end(in);
    return true;
}

static bool frames_take(struct inflow *in, const unsigned char *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        if (in->left > 0) {
            size_t some = in->left < len - at ? (size_t)in->left : len - at;
            in->left -= some;
            at += some;
            if (in->left == 0)
                frame_end(in);
        } else if (!(in->greeting < GREETING_LEN ? greeting_take : head_take)(in, bytes[at++])) {
            return false;
        }
    }
    return true;
}

/* ---- Connections ---- */

static struct inflow *inflow_at(int fd)
{
    return fd >= 0 && fd < INFLOW_FDS && inflows[fd].ours ? &inflows[fd] : NULL;
}

bool inflow_open(bool with_key, struct err *err)
{
    keyed = with_key;
    atomic_store(&closing, false);
    if (alarm_fd < 0)
        alarm_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return alarm_fd >= 0 || err_errno(err, errno, "cannot make an event descriptor");
}

void inflow_begin(int fd)
{
    inflows[fd] = (struct inflow){.ours = true};
}

void inflow_end(int fd)
{
    struct inflow *in = inflow_at(fd);
    if (!in)
        return;
    if (in->greeting == GREETING_LEN && in->handshake > 0 && (keyed || in->with_key) &&
        !atomic_load(&in->over))
        refusal_note(REFUSAL_KEY);
    if (in->queue) {
        pthread_mutex_lock(&lock);
        in->bytes = in->command = 0;
        part_change(fd);
        pthread_mutex_unlock(&lock);
    }
    in->ours = false;
}

/* What a peer that is gone has left in its socket is not much, and is read in any case. */
static bool has_hung_up(int fd)
{
    struct pollfd item = {.fd = fd};
    return poll(&item, 1, 0) > 0 && (item.revents & (POLLHUP | POLLERR));
}

enum inflow_state inflow_state(int fd)
{
    struct inflow *in = inflow_at(fd);
    if (!in)
        return INFLOW_FOREIGN;
    if (atomic_load(&in->over))
        return INFLOW_OVER;
    if (in->queue != &paused)
        return INFLOW_OPEN;
    if (!has_hung_up(fd))
        return INFLOW_PAUSED;
    pthread_mutex_lock(&lock);
    paused_resume(fd);
    crowd_look();
    pthread_mutex_unlock(&lock);
    return INFLOW_OPEN;
}

bool inflow_take(int fd, const unsigned char *bytes, size_t len)
{
    struct inflow *in = &inflows[fd];
    in->whole = in->ended = false;
    if (!frames_take(in, bytes, len)) {
        atomic_store(&in->over, true);
        refusal_note(in->greeting < GREETING_LEN ? REFUSAL_PROTOCOL : REFUSAL_SIZE);
        return false;
    }
    part_look(fd);
    if (in->whole)
        atomic_fetch_add(&taken, READ_COST);
    if (in->whole || in->queue == &going)
        backlog_wait();
    return true;
}

void inflow_watch(int fd, int epoll_fd, struct epoll_event *event)
{
    struct inflow *in = inflow_at(fd);
    if (!in)
        return;
    in->epoll_fd = epoll_fd;
    in->event = *event;
    events_mask(in, event);
}
