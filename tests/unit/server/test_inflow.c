/* What reaches libzmq: whole and broken frames, and large messages that wait their turn. */
#include "../unit.h"
#include "inflow.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LARGE   (16 << 20)
#define MANY    34
#define FITTING 32 /* large ones at a time */

static const unsigned char greeting[64] = {[0] = 0xff, [9] = 0x7f, [10] = 3, [12] = 'N'};
static const unsigned char ready[] = {4, 3, 2, 'H', 'I'};

/* Connections, accepted and through their handshake, and the epoll set that they are watched in. */
struct world {
    int ours[MANY], theirs[MANY], epoll_fd;
};

static bool take(int fd, const void *bytes, size_t len)
{
    return inflow_take(fd, bytes, len);
}

static int setup(void **state)
{
    struct world *world = mem_new(sizeof *world);
    struct err err;
    assert_true(inflow_open(false, &err));
    world->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < MANY; i++) {
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        world->ours[i] = pair[0];
        world->theirs[i] = pair[1];
        inflow_begin(pair[0]);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = pair[0]};
        inflow_watch(pair[0], world->epoll_fd, &event);
        assert_int_equal(event.events, EPOLLIN);
        assert_int_equal(epoll_ctl(world->epoll_fd, EPOLL_CTL_ADD, pair[0], &event), 0);
        assert_true(take(pair[0], greeting, sizeof greeting));
        assert_true(take(pair[0], ready, sizeof ready));
    }
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < MANY; i++) {
        inflow_end(world->ours[i]);
        close(world->ours[i]);
        close(world->theirs[i]);
    }
    close(world->epoll_fd);
    free(world);
    return 0;
}

static bool alarmed(void)
{
    struct pollfd item = {.fd = inflow_alarm(), .events = POLLIN};
    return poll(&item, 1, 0) == 1;
}

/* An empty frame, and the head of a last one of that length. */
static void begin(int fd, uint64_t len)
{
    unsigned char head[11] = {1, 0, 2};
    for (int i = 0; i < 8; i++)
        head[3 + i] = (unsigned char)(len >> (56 - 8 * i));
    assert_true(take(fd, head, sizeof head));
}

static void go_on(int fd, size_t len)
{
    static const char zeros[1 << 16];
    for (size_t some; len > 0; len -= some) {
        some = len < sizeof zeros ? len : sizeof zeros;
        assert_true(take(fd, zeros, some));
        inflow_settle(inflow_taken());
    }
}

/* Whether the set tells of what has come. */
static bool told(const struct world *world, int i)
{
    struct epoll_event events[MANY];
    assert_int_equal(write(world->theirs[i], "x", 1), 1);
    int count = epoll_wait(world->epoll_fd, events, MANY, 0);
    char byte;
    assert_int_equal(read(world->ours[i], &byte, 1), 1);
    for (int at = 0; at < count; at++)
        if (events[at].data.fd == world->ours[i])
            return true;
    return false;
}

static void whole_messages_are_counted(void **state)
{
    int fd = ((struct world *)*state)->ours[0];
    unsigned long long before = inflow_taken();
    static const char message[] = "\1\0\1\5hello\0\3you";
    for (size_t i = 0; i + 2 < sizeof message; i++) {
        assert_true(take(fd, message + i, 1));
        assert_true(inflow_taken() == before);
    }
    assert_true(take(fd, message + sizeof message - 2, 1));
    assert_true(inflow_taken() - before >= 8);
    assert_int_equal(inflow_state(fd), INFLOW_OPEN);
}

static void what_is_no_message_is_over(void **state)
{
    struct world *world = *state;
    unsigned char many[64] = {0}, long_one[] = {2, 0, 0, 0, 1, 0, 0, 0, 0}, command[] = {5, 1, 0};
    for (size_t i = 0; i < sizeof many; i += 2)
        many[i] = 1;
    assert_false(take(world->ours[0], many, sizeof many));
    assert_false(take(world->ours[1], long_one, sizeof long_one));
    assert_false(take(world->ours[2], command, sizeof command)); /* more of a command does not exist */
    inflow_begin(world->ours[3]);
    assert_false(take(world->ours[3], "GET / HTTP/1.1", 14));
    for (int i = 0; i < 4; i++)
        assert_int_equal(inflow_state(world->ours[i]), INFLOW_OVER);
    assert_int_equal(inflow_state(world->theirs[0]), INFLOW_FOREIGN);
    assert_int_equal(inflow_state(-1), INFLOW_FOREIGN);
}

/* So many that two more have to wait. */
static void crowd(const struct world *world)
{
    for (int i = 0; i < MANY; i++) {
        begin(world->ours[i], LARGE);
        assert_int_equal(inflow_state(world->ours[i]), i < FITTING ? INFLOW_OPEN : INFLOW_PAUSED);
        assert_int_equal(alarmed(), i >= FITTING);
    }
}

static void large_messages_take_turns(void **state)
{
    struct world *world = *state;
    crowd(world);
    assert_true(told(world, 0));
    assert_false(told(world, FITTING));
    /* What libzmq waits for besides comes to it, and is kept for later. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.fd = world->ours[FITTING]};
    inflow_watch(world->ours[FITTING], world->epoll_fd, &event);
    assert_int_equal(event.events, EPOLLOUT);
    go_on(world->ours[3], LARGE);
    assert_int_equal(inflow_state(world->ours[FITTING]), INFLOW_OPEN);
    assert_true(told(world, FITTING));
    assert_int_equal(inflow_state(world->ours[FITTING + 1]), INFLOW_PAUSED);
    assert_true(alarmed());
    /* One that has had its turn comes last. */
    begin(world->ours[3], LARGE);
    assert_int_equal(inflow_state(world->ours[3]), INFLOW_PAUSED);
    inflow_end(world->ours[5]);
    assert_int_equal(inflow_state(world->ours[FITTING + 1]), INFLOW_OPEN);
    assert_int_equal(inflow_state(world->ours[3]), INFLOW_PAUSED);
    go_on(world->ours[FITTING], LARGE);
    assert_int_equal(inflow_state(world->ours[3]), INFLOW_OPEN);
    assert_false(alarmed());
    assert_int_equal(inflow_relieve(), -1);
}

static void small_ones_do_not_wait(void **state)
{
    struct world *world = *state;
    crowd(world);
    inflow_end(world->ours[FITTING + 1]); /* it has gone while it waited */
    inflow_begin(world->ours[FITTING + 1]);
    assert_true(take(world->ours[FITTING + 1], greeting, sizeof greeting));
    assert_true(take(world->ours[FITTING + 1], ready, sizeof ready));
    begin(world->ours[FITTING + 1], 60000);
    assert_int_equal(inflow_state(world->ours[FITTING + 1]), INFLOW_OPEN);
    go_on(world->ours[FITTING + 1], 60000);
    assert_int_equal(inflow_state(world->ours[FITTING]), INFLOW_PAUSED);
}

/* What has begun goes on, also with more frames, and with commands in between. */
static void who_has_begun_goes_on(void **state)
{
    struct world *world = *state;
    static const unsigned char more[] = {3, 0, 0, 0, 0, 1, 0, 0, 0}, last[] = {2, 0, 0, 0, 0, 1, 0, 0, 0};
    for (int i = 0; i < FITTING; i++) {
        assert_true(take(world->ours[i], more, sizeof more));
        go_on(world->ours[i], LARGE);
    }
    for (int i = 0; i < FITTING; i++) {
        assert_true(take(world->ours[i], last, sizeof last));
        assert_true(take(world->ours[i], ready, sizeof ready));
        assert_int_equal(inflow_state(world->ours[i]), INFLOW_OPEN);
    }
    begin(world->ours[FITTING], LARGE);
    assert_int_equal(inflow_state(world->ours[FITTING]), INFLOW_PAUSED);
}

static void who_is_gone_is_read_to_the_end(void **state)
{
    struct world *world = *state;
    crowd(world);
    close(world->theirs[FITTING]);
    assert_int_equal(inflow_state(world->ours[FITTING]), INFLOW_OPEN);
    assert_int_equal(inflow_state(world->ours[FITTING + 1]), INFLOW_PAUSED);
    world->theirs[FITTING] = -1;
}

/* Over tcp nothing but this tells of a peer that has said all. */
static void who_has_left_is_not_kept_paused(void **state)
{
    struct world *world = *state;
    crowd(world);
    assert_int_equal(shutdown(world->theirs[FITTING], SHUT_WR), 0);
    int64_t end = time_now_ms() + 20000;
    while (inflow_state(world->ours[FITTING]) == INFLOW_PAUSED && time_now_ms() < end) {
        assert_true(inflow_relieve() > 0);
        poll(NULL, 0, 5);
    }
    assert_int_equal(inflow_state(world->ours[FITTING]), INFLOW_OPEN);
    assert_int_equal(inflow_state(world->ours[FITTING + 1]), INFLOW_PAUSED);
}

/* So many that together they are too much, though each is small. */
static void small_ones_that_stand_still_are_too_many(void **state)
{
    enum { COUNT = 420, PART = 4000 };
    static const unsigned char head[] = {3, 0, 0, 0, 0, 0, 0, PART >> 8, PART & 0xff};
    int fds[COUNT], count = 0;
    (void)state;
    for (int i = 0; i < COUNT && !alarmed(); i++) {
        count = i + 1;
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fds[i] >= 0);
        inflow_begin(fds[i]);
        assert_true(take(fds[i], greeting, sizeof greeting));
        assert_true(take(fds[i], ready, sizeof ready));
        for (int part = 0; part < 15; part++) {
            assert_true(take(fds[i], head, sizeof head));
            go_on(fds[i], PART);
        }
    }
    assert_true(alarmed());
    int64_t end = time_now_ms() + 20000;
    while (inflow_state(fds[0]) != INFLOW_OVER && time_now_ms() < end) {
        assert_true(inflow_relieve() > 0);
        poll(NULL, 0, 5);
    }
    for (int i = 0; i < count; i++) {
        assert_int_equal(inflow_state(fds[i]), INFLOW_OVER);
        inflow_end(fds[i]);
        close(fds[i]);
    }
    assert_false(alarmed());
    assert_int_equal(inflow_relieve(), -1);
}

static void who_stands_still_makes_room(void **state)
{
    struct world *world = *state;
    crowd(world);
    go_on(world->ours[2], LARGE);
    begin(world->ours[2], 2 * LARGE);
    go_on(world->ours[3], LARGE);
    assert_int_equal(inflow_state(world->ours[2]), INFLOW_PAUSED);
    go_on(world->ours[4], LARGE);
    assert_int_equal(inflow_state(world->ours[2]), INFLOW_OPEN);
    begin(world->ours[3], LARGE);
    assert_int_equal(write(world->theirs[1], "x", 1), 1); /* this one waits for us, not we for it */
    int64_t end = time_now_ms() + 20000;
    while (inflow_state(world->ours[0]) != INFLOW_OVER && time_now_ms() < end) {
        assert_true(inflow_relieve() > 0);
        go_on(world->ours[2], 16384);
        poll(NULL, 0, 5);
    }
    assert_int_equal(inflow_state(world->ours[0]), INFLOW_OVER);
    assert_int_equal(inflow_state(world->ours[1]), INFLOW_OPEN);
    assert_int_equal(inflow_state(world->ours[2]), INFLOW_OPEN);
    char byte;
    assert_int_equal(read(world->theirs[0], &byte, 1), 0);
    inflow_end(world->ours[0]);
    assert_int_equal(inflow_state(world->ours[3]), INFLOW_OPEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whole_messages_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_message_is_over, setup, teardown),
        cmocka_unit_test_setup_teardown(large_messages_take_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(small_ones_do_not_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(who_has_begun_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_gone_is_read_to_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(who_has_left_is_not_kept_paused, setup, teardown),
        cmocka_unit_test(small_ones_that_stand_still_are_too_many),
        cmocka_unit_test_setup_teardown(who_stands_still_makes_room, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
