/* Growing buffers, and the allocations that never fail. */
#include "../unit.h"

#include <stdlib.h>

static void test_empty(void **state)
{
    (void)state;
    struct buf buf = {0};
    assert_str(buf_str(&buf), "");
    buf_consume(&buf, 0);
    buf_clear(&buf);
    AUTO_FREE char *text = buf_detach(&buf);
    assert_string_equal(text, "");
    buf_release(&buf);
}

static void test_add(void **state)
{
    (void)state;
    AUTO_BUF struct buf buf = {0};
    buf_add(&buf, NULL, 0);
    assert_string_equal(buf.data, "");
    buf_add_text(&buf, "ab");
    buf_add_char(&buf, '\0');
    buf_add_str(&buf, STR("cd"));
    buf_add_format(&buf, "%s%d", "", 17);
    buf_add_format(&buf, "%s", "");
    assert_int_equal(buf.len, 7);
    assert_memory_equal(buf.data, "ab\0cd17", 8);
}

static void test_add_int(void **state)
{
    (void)state;
    AUTO_BUF struct buf buf = {0};
    static const int64_t numbers[] = {0, 7, -1, 100, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < LENGTH_OF(numbers); i++) {
        buf_add_int(&buf, numbers[i]);
        buf_add_char(&buf, ' ');
    }
    assert_str(buf_str(&buf), "0 7 -1 100 9223372036854775807 -9223372036854775808 ");
}

static void test_format_longer_than_room(void **state)
{
    (void)state;
    AUTO_BUF struct buf buf = {0};
    for (int i = 0; i < 50; i++)
        buf_add_format(&buf, "%0*d", i * 7, i);
    size_t len = 0;
    for (size_t i = 0; i < 50; i++)
        len += i == 0 ? 1 : i * 7;
    assert_int_equal(buf.len, len);
    assert_int_equal(strlen(buf.data), len);
}

static void test_reserve(void **state)
{
    (void)state;
    AUTO_BUF struct buf buf = {0};
    memset(buf_reserve(&buf, 1000), 'x', 1000);
    buf_commit(&buf, 3);
    assert_str(buf_str(&buf), "xxx");
    assert_true(buf.capacity > 1000);
}

static void test_consume(void **state)
{
    (void)state;
    AUTO_BUF struct buf buf = {0};
    buf_add_text(&buf, "hello world");
    buf_consume(&buf, 6);
    assert_string_equal(buf.data, "world");
    buf_consume(&buf, 5);
    assert_string_equal(buf.data, "");
    size_t capacity = buf.capacity;
    buf_add_text(&buf, "again");
    buf_clear(&buf);
    assert_int_equal(buf.len, 0);
    assert_int_equal(buf.capacity, capacity);
}

static void test_detach(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_add_text(&buf, "mine");
    AUTO_FREE char *text = buf_detach(&buf);
    assert_string_equal(text, "mine");
    assert_null(buf.data);
    assert_int_equal(buf.capacity, 0);
}

/* Adding and consuming at random gives the same bytes as one long text. */
static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        uint64_t random = seed;
        AUTO_BUF struct buf buf = {0};
        size_t written = 0, read = 0;
        for (int step = 0; step < 200; step++) {
            for (size_t n = random_below(&random, 40); n > 0; n--)
                buf_add_char(&buf, (char)(written++ * 7));
            size_t take = random_below(&random, buf.len + 1);
            for (size_t i = 0; i < take; i++)
                assert_seeded(seed, buf.data[i] == (char)(read++ * 7));
            buf_consume(&buf, take);
            assert_seeded(seed, buf.len == written - read);
        }
    }
}

static void test_mem(void **state)
{
    (void)state;
    AUTO_FREE unsigned char *zeros = mem_array(3, 5);
    for (int i = 0; i < 15; i++)
        assert_int_equal(zeros[i], 0);
    AUTO_FREE void *nothing = mem_new(0);
    assert_non_null(nothing);
    AUTO_FREE char *copy = mem_copy("ab\0c", 4);
    assert_memory_equal(copy, "ab\0c", 5);
    AUTO_FREE char *empty = mem_copy(NULL, 0);
    assert_string_equal(empty, "");
    AUTO_FREE char *text = mem_format("%s-%d", "n", 1);
    assert_string_equal(text, "n-1");
}

static void test_grow(void **state)
{
    (void)state;
    int *numbers = NULL;
    size_t capacity = 0, count = 0;
    for (int i = 0; i < 1000; i++) {
        mem_grow(numbers, capacity, count);
        numbers[count++] = i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(numbers[i], i);
    free(numbers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),   cmocka_unit_test(test_add),
        cmocka_unit_test(test_add_int), cmocka_unit_test(test_format_longer_than_room),
        cmocka_unit_test(test_reserve), cmocka_unit_test(test_consume),
        cmocka_unit_test(test_detach),  cmocka_unit_test(test_random),
        cmocka_unit_test(test_mem),     cmocka_unit_test(test_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
