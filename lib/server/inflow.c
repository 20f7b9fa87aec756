/* What may reach libzmq, and how much of it at a time. Whole messages that the server has not come to hold up
 * the reading of more. Messages that have come in part are bounded together: who begins a large one waits its
 * turn, and who does not go on with his loses it when others wait. */
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
#define MESSAGE_COST 256                              /* bytes in memory besides its own */

#define BACKLOG_BYTES (64 << 20) /* of whole messages that the server has not come to */
#define BACKLOG_WAITS 100        /* ms that no connection is read then, at most at once */

#define PARTS_BYTES (512 << 20) /* of all messages that have come in part */
#define PART_SMALL  (64 * 1024) /* one that is no larger never waits */
#define STALL_MS    1000        /* without a byte, while others wait */
#define SLOW_BYTES  1024        /* a ms, on the whole, are slow then */
#define RELIEF_MS   250

struct queue {
    int first, last; /* descriptors; -1: none */
};
struct inflow {
    bool ours;               /* it was accepted here */
    bool with_key;           /* its mechanism is CURVE */
    bool last;               /* the frame is the last of its message */
    bool whole;              /* a message has come to its end with the bytes that are looked at */
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
    uint32_t held;   /* bytes that it may have in memory */
    uint32_t wanted; /* as far as it is announced */
    uint32_t got;
    int64_t since_ms, moved_ms;
};
/* By descriptor: libzmq's calls bring no context along. */
static struct inflow inflows[INFLOW_FDS];
static bool keyed; /* the server has a secret key */

/* ---- Whole messages ---- */

/* What lies between the two is in memory; connections that have ended leave theirs there, so that HIGH_WATER
 * does not bound it. */
static atomic_ullong taken, settled;

unsigned long long inflow_taken(void)
{
    return atomic_load(&taken);
}

void inflow_settle(unsigned long long bytes)
{
    atomic_store(&settled, bytes);
}

/* The server comes to it sooner or later; it may be waiting for a disk, or be at its end. */
static void backlog_wait(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < BACKLOG_WAITS && atomic_load(&taken) - atomic_load(&settled) > BACKLOG_BYTES; i++)
        nanosleep(&pause, NULL);
}

/* ---- Messages in part ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct queue going = {-1, -1}, paused = {-1, -1}; /* in the order in which they came to be there */
static int64_t held;                                     /* bytes, of all */
static atomic_bool crowded;                              /* somebody is paused */
static int alarm_fd = -1;                                /* readable as long */

static void queue_remove(struct inflow *in)
{
    if (!in->queue)
        return;
    *(in->previous >= 0 ? &inflows[in->previous].next : &in->queue->first) = in->next;
    *(in->next >= 0 ? &inflows[in->next].previous : &in->queue->last) = in->previous;
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

static void part_grant(int fd, int64_t now)
{
    struct inflow *in = &inflows[fd];
    held += (int64_t)in->wanted - in->held;
    in->held = in->wanted;
    in->since_ms = in->moved_ms = now;
    queue_add(&going, fd);
}

/* One at least goes on, whatever the others hold. */
static bool part_fits(const struct inflow *in)
{
    return in->wanted <= PART_SMALL || going.first < 0 ||
           held + (int64_t)in->wanted - in->held <= (int64_t)PARTS_BYTES;
}

static void crowd_look(void)
{
    bool now = paused.first >= 0;
    if (now != atomic_exchange(&crowded, now)) {
        eventfd_t count = 1;
        (void)(now ? eventfd_write(alarm_fd, 1) : eventfd_read(alarm_fd, &count));
    }
}

static void parts_resume(int64_t now)
{
    for (int fd; (fd = paused.first) >= 0 && part_fits(&inflows[fd]);) {
        queue_remove(&inflows[fd]);
        part_grant(fd, now);
        events_change(fd);
    }
    crowd_look();
}

/* Another message, more of the same, or none. */
static void part_want(int fd, uint32_t wanted, int64_t now)
{
    struct inflow *in = &inflows[fd];
    queue_remove(in);
    in->wanted = wanted;
    if (wanted < in->held) {
        held -= in->held - wanted;
        in->held = wanted;
    }
    if (wanted > 0 && part_fits(in) && (wanted <= PART_SMALL || paused.first < 0)) {
        part_grant(fd, now);
    } else if (wanted > 0) {
        queue_add(&paused, fd);
        events_change(fd);
    }
    parts_resume(now);
}

static void part_count(int fd)
{
    struct inflow *in = &inflows[fd];
    uint32_t wanted = in->bytes + in->command;
    if (wanted == 0 && !in->queue)
        return;
    int64_t now = time_now_ms();
    pthread_mutex_lock(&lock);
    in->moved_ms = now;
    in->got = wanted - (uint32_t)in->left;
    if (in->whole || wanted != in->wanted || !in->queue)
        part_want(fd, wanted, now);
    pthread_mutex_unlock(&lock);
}

/* It stands still, and not because nobody reads it. */
static bool part_stalls(int fd, int64_t now)
{
    const struct inflow *in = &inflows[fd];
    int unread = 0;
    return in->held > PART_SMALL && !atomic_load(&in->over) &&
           (now - in->moved_ms >= STALL_MS || now - in->since_ms >= STALL_MS + in->got / SLOW_BYTES) &&
           ioctl(fd, FIONREAD, &unread) == 0 && unread == 0;
}

/* libzmq notices that a connection is shut down, and closes it. Until then its descriptor is no other's. */
int inflow_relieve(void)
{
    if (!atomic_load(&crowded))
        return -1;
    int64_t now = time_now_ms();
    pthread_mutex_lock(&lock);
    for (int fd = going.first; fd >= 0; fd = inflows[fd].next) {
        if (!part_stalls(fd, now))
            continue;
        atomic_store(&inflows[fd].over, true);
        refusal_note(REFUSAL_STALLED);
        shutdown(fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&lock);
    return RELIEF_MS;
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
        if (!(flags & FRAME_COMMAND) || len > COMMAND_MOST)
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

static void frame_end(struct inflow *in)
{
    bool command = in->head[0] & FRAME_COMMAND;
    if (command && in->handshake > 0)
        in->handshake--;
    in->command = 0;
    if (!in->last)
        return;
    atomic_fetch_add(&taken, in->bytes + MESSAGE_COST);
    in->bytes = in->parts = 0;
    in->last = false;
    in->whole = true;
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
        part_want(fd, 0, time_now_ms());
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
    queue_remove(in);
    part_grant(fd, time_now_ms());
    events_change(fd);
    crowd_look();
    pthread_mutex_unlock(&lock);
    return INFLOW_OPEN;
}

bool inflow_take(int fd, const unsigned char *bytes, size_t len)
{
    struct inflow *in = &inflows[fd];
    in->whole = false;
    if (!frames_take(in, bytes, len)) {
        atomic_store(&in->over, true);
        refusal_note(in->greeting < GREETING_LEN ? REFUSAL_PROTOCOL : REFUSAL_SIZE);
        return false;
    }
    part_count(fd);
    if (in->whole)
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
