/* The ZMTP machine: fed whole, split at every byte, and with what a broken or hostile peer sends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire_priv.h"

#define GREETING                                                                                             \
    "\xff\0\0\0\0\0\0\0\1\x7f\3\1"                                                                           \
    "NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define READY  "\4\51\5READY\13Socket-Type\0\0\0\6ROUTER\10Identity\0\0\0\0"
#define PING   "\4\10\4PING\0\12x"
#define ANSWER "\1\0\1\4head\0\5value"

_Static_assert(sizeof GREETING - 1 == ZMTP_GREETING_LEN, "a greeting has 64 bytes");

/* Feeds bytes; returns the last outcome and counts the messages, of which the last one stays. */
static enum zmtp_got feed(struct zmtp *zmtp, struct str in, struct message *last, int *count, struct err *err)
{
    for (;;) {
        struct message message = {0};
        enum zmtp_got got = zmtp_take(zmtp, &in, &message, err);
        if (got != ZMTP_MESSAGE)
            return got;
        message_release(last);
        *last = message;
        ++*count;
    }
}

static void check_conversation(size_t split)
{
    static const char text[] = GREETING READY PING ANSWER "\1\0\0\4only";
    struct str all = {text, sizeof text - 1};
    struct zmtp zmtp;
    struct message message = {0};
    int count = 0;
    zmtp_init(&zmtp, NULL);
    struct str first = {all.data, split}, second = {all.data + split, all.len - split};
    assert_int_equal(feed(&zmtp, first, &message, &count, NULL), ZMTP_MORE);
    assert_int_equal(feed(&zmtp, second, &message, &count, NULL), ZMTP_MORE);
    assert_int_equal(count, 2);
    assert_true(str_is(message.header, "only"));
    assert_null(message.value.data);
    assert_true(str_ends_with(buf_str(&zmtp.out), STR("\4\6\4PONGx")));
    message_release(&message);
    zmtp_release(&zmtp);
}

static void split_at_every_byte(void **state)
{
    (void)state;
    for (size_t split = 0; split <= sizeof(GREETING READY PING ANSWER "\1\0\0\4only") - 1; split++)
        check_conversation(split);
}

static void fed_byte_by_byte(void **state)
{
    (void)state;
    static const char text[] = GREETING READY ANSWER;
    struct zmtp zmtp;
    struct message message = {0};
    int count = 0;
    zmtp_init(&zmtp, NULL);
    for (size_t i = 0; i < sizeof text - 1; i++)
        assert_int_equal(feed(&zmtp, (struct str){text + i, 1}, &message, &count, NULL), ZMTP_MORE);
    assert_int_equal(count, 1);
    assert_true(str_is(message.header, "head"));
    assert_true(str_is(message.value, "value"));
    message_release(&message);
    zmtp_release(&zmtp);
}

static void requests_wait_for_ready(void **state)
{
    (void)state;
    struct zmtp zmtp;
    struct message message = {0};
    int count = 0;
    zmtp_init(&zmtp, NULL);
    zmtp_put(&zmtp, STR("h"), STR("v"));
    size_t before = zmtp.out.len;
    assert_int_equal(before, 64 + 2 + 6 + 12 + 4 + 6);
    assert_int_equal(feed(&zmtp, STR(GREETING), &message, &count, NULL), ZMTP_MORE);
    assert_int_equal(zmtp.out.len, before);
    assert_int_equal(feed(&zmtp, STR(READY), &message, &count, NULL), ZMTP_MORE);
    assert_true(str_ends_with(buf_str(&zmtp.out), STR("\1\0\1\1h\0\1v")));
    zmtp_put(&zmtp, STR("x"), (struct str){0});
    assert_true(str_ends_with(buf_str(&zmtp.out), STR("\0\1v\1\0\0\1x")));
    zmtp_release(&zmtp);
}

static void long_frames(void **state)
{
    (void)state;
    struct zmtp zmtp;
    struct message message = {0};
    int count = 0;
    char big[300];
    memset(big, 'b', sizeof big);
    zmtp_init(&zmtp, NULL);
    feed(&zmtp, STR(GREETING READY), &message, &count, NULL);
    zmtp_put(&zmtp, (struct str){big, sizeof big}, (struct str){0});
    assert_memory_equal(zmtp.out.data + zmtp.out.len - 309, "\2\0\0\0\0\0\0\1\54b", 10);
    feed(&zmtp, STR("\1\0\2\0\0\0\0\0\0\1\54"), &message, &count, NULL);
    assert_int_equal(feed(&zmtp, (struct str){big, sizeof big}, &message, &count, NULL), ZMTP_MORE);
    assert_int_equal(count, 1);
    assert_int_equal(message.header.len, sizeof big);
    message_release(&message);
    zmtp_release(&zmtp);
}

static void empty_header_and_value(void **state)
{
    (void)state;
    struct zmtp zmtp;
    struct message message = {0};
    int count = 0;
    zmtp_init(&zmtp, NULL);
    feed(&zmtp, STR(GREETING READY "\1\0\1\0\0\0"), &message, &count, NULL);
    assert_int_equal(count, 1);
    assert_int_equal(message.header.len, 0);
    assert_non_null(message.value.data);
    assert_int_equal(message.value.len, 0);
    message_release(&message);
    zmtp_release(&zmtp);
}

static void odd_messages_are_skipped(void **state)
{
    (void)state;
    static const char *const odd[] = {"\0\0", "\0\1x", "\1\1x\0\1y", "\1\0\1\1a\1\1b\0\1c"};
    static const size_t lengths[] = {2, 3, 6, 11};
    for (size_t i = 0; i < LENGTH_OF(odd); i++) {
        struct zmtp zmtp;
        struct message message = {0};
        int count = 0;
        zmtp_init(&zmtp, NULL);
        feed(&zmtp, STR(GREETING READY), &message, &count, NULL);
        assert_int_equal(feed(&zmtp, (struct str){odd[i], lengths[i]}, &message, &count, NULL), ZMTP_MORE);
        assert_int_equal(count, 0);
        feed(&zmtp, STR(ANSWER), &message, &count, NULL);
        assert_int_equal(count, 1);
        assert_true(str_is(message.value, "value"));
        message_release(&message);
        zmtp_release(&zmtp);
    }
}

static void check_failure(struct str text, enum err_code code, const char *part)
{
    struct zmtp zmtp;
    struct message message = {0};
    struct err err = {0};
    int count = 0;
    zmtp_init(&zmtp, NULL);
    if (feed(&zmtp, text, &message, &count, &err) != ZMTP_FAILED)
        fail_msg("not refused: %s", part);
    assert_int_equal(err.code, code);
    if (!strstr(err.message, part))
        fail_msg("'%s' is not in: %s", part, err.message);
    message_release(&message);
    zmtp_release(&zmtp);
}

static void bad_greetings(void **state)
{
    (void)state;
    char text[] = GREETING;
    struct str all = {text, ZMTP_GREETING_LEN};
    check_failure(STR("HTTP/1.1 400 Bad Request\r\n"), ERR_INTERNAL, "does not speak ZMTP");
    text[10] = 2;
    check_failure(all, ERR_INTERNAL, "ZMTP 2");
    text[10] = 3;
    memcpy(text + 12, "CURVE", 5);
    check_failure(all, ERR_KEY_REJECTED, "the server wants one");
    memcpy(text + 12, "PLAIN", 5);
    check_failure(all, ERR_KEY_REJECTED, "another kind");
}

static void bad_handshakes(void **state)
{
    (void)state;
    check_failure(STR(GREETING ANSWER), ERR_INTERNAL, "before READY");
    check_failure(STR(GREETING PING), ERR_INTERNAL, "not READY");
    check_failure(STR(GREETING "\4\1\0"), ERR_INTERNAL, "without a name");
    check_failure(STR(GREETING "\4\0"), ERR_INTERNAL, "without a name");
    check_failure(STR(GREETING "\4\6\20READY"), ERR_INTERNAL, "without a name");
    check_failure(STR(GREETING "\4\7\5READY\7"), ERR_INTERNAL, "cut short");
    check_failure(STR(GREETING "\4\14\5READY\1a\xff\xff\xff\xff"), ERR_INTERNAL, "cut short");
    check_failure(STR(GREETING "\4\33\5READY\13Socket-Type\0\0\0\5DEALE"), ERR_INTERNAL, "no state server");
    check_failure(STR(GREETING "\4\12\5ERROR\3"
                               "400"),
                  ERR_KEY_REJECTED, "(400)");
    check_failure(STR(GREETING "\4\6\5ERROR"), ERR_KEY_REJECTED, "no reason");
}

static void bad_frames(void **state)
{
    (void)state;
    check_failure(STR(GREETING READY "\10\0"), ERR_INTERNAL, "flags");
    check_failure(STR(GREETING READY "\5\0"), ERR_INTERNAL, "flags");
    check_failure(STR(GREETING READY "\2\0\0\0\0\1\0\0\1"), ERR_INTERNAL, "frame is too large");
    check_failure(STR(GREETING READY "\2\xff\xff\xff\xff\xff\xff\xff\xff"), ERR_INTERNAL,
                  "frame is too large");
    check_failure(STR(GREETING READY "\6\0\0\0\0\0\1\0\1"), ERR_INTERNAL, "command is too large");
    check_failure(STR(GREETING READY "\1\0\1\0\1\0\1\0\1\0"), ERR_INTERNAL, "too many frames");
    check_failure(STR(GREETING READY "\4\6\4PING\0"), ERR_INTERNAL, "PING");
    check_failure(STR(GREETING READY "\4\30\4PING\0\0"
                                     "12345678901234567"),
                  ERR_INTERNAL, "PING");
}

static void unknown_commands_are_ignored(void **state)
{
    (void)state;
    struct zmtp zmtp;
    struct message message = {0};
    int count = 0;
    zmtp_init(&zmtp, NULL);
    assert_int_equal(feed(&zmtp, STR(GREETING READY "\4\5\4NEWS\4\5\4PONG" ANSWER), &message, &count, NULL),
                     ZMTP_MORE);
    assert_int_equal(count, 1);
    message_release(&message);
    zmtp_release(&zmtp);
}

/* Whatever single byte is changed, the machine ends in an outcome and frees what it took. */
static void flipped_bytes(void **state)
{
    (void)state;
    char text[] = GREETING READY PING ANSWER;
    for (size_t i = 0; i < sizeof text - 1; i++) {
        for (int bit = 0; bit < 8; bit++) {
            struct zmtp zmtp;
            struct message message = {0};
            struct err err = {0};
            int count = 0;
            text[i] = (char)(text[i] ^ (1 << bit));
            zmtp_init(&zmtp, NULL);
            if (feed(&zmtp, (struct str){text, sizeof text - 1}, &message, &count, &err) == ZMTP_FAILED)
                assert_int_not_equal(err.code, ERR_NONE);
            assert_true(count <= 1);
            message_release(&message);
            zmtp_release(&zmtp);
            text[i] = (char)(text[i] ^ (1 << bit));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_at_every_byte),
        cmocka_unit_test(fed_byte_by_byte),
        cmocka_unit_test(requests_wait_for_ready),
        cmocka_unit_test(long_frames),
        cmocka_unit_test(empty_header_and_value),
        cmocka_unit_test(odd_messages_are_skipped),
        cmocka_unit_test(bad_greetings),
        cmocka_unit_test(bad_handshakes),
        cmocka_unit_test(bad_frames),
        cmocka_unit_test(unknown_commands_are_ignored),
        cmocka_unit_test(flipped_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
