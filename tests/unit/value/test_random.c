/* Random values: text and back, copies, edits by pointer and their undoing. */
#include "value_test.h"

static struct value *random_string(uint64_t *random)
{
    AUTO_BUF struct buf buf = {0};
    for (size_t n = random_below(random, 12); n > 0; n--) {
        static const uint32_t limits[] = {0x20, 0x80, 0x80, 0x80, 0x800, 0xd800, 0x10000};
        size_t kind = random_below(random, LENGTH_OF(limits));
        uint32_t code = (uint32_t)random_below(random, limits[kind]);
        if (kind == LENGTH_OF(limits) - 1)
            code += 0x10000;
        char bytes[4];
        buf_add(&buf, bytes, utf8_encode(code, bytes));
    }
    return value_string(buf_str(&buf));
}

static struct value *random_scalar(uint64_t *random)
{
    uint64_t bits = random_next(random);
    switch (random_below(random, 7)) {
    case 0:
        return value_null();
    case 1:
        return value_bool(bits & 1);
    case 2:
        return value_int((int64_t)bits);
    case 3:
        return value_int((int64_t)(bits % 200) - 100);
    case 4:
        return value_double((double)(int64_t)bits / 4096);
    case 5:
        return value_double((double)(bits % 1000) / 100);
    default:
        return random_string(random);
    }
}

static struct value *random_value(uint64_t *random, int depth)
{
    size_t kind = depth > 0 ? random_below(random, 5) : 4;
    if (kind >= 4)
        return random_scalar(random);
    struct value *value = kind < 2 ? value_list() : value_map();
    for (size_t n = random_below(random, random_below(random, 4) ? 5 : 25); n > 0; n--) {
        struct value *item = random_value(random, depth - 1);
        if (kind < 2) {
            list_push(value, item);
        } else {
            AUTO_VALUE struct value *key = random_string(random);
            map_set(value, value_as_str(key), item);
        }
    }
    return value;
}

static void test_round_trip(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        uint64_t random = seed;
        AUTO_VALUE struct value *value = random_value(&random, 5);
        AUTO_BUF struct buf text = {0}, again = {0};
        struct err err = {0};
        value_print(&text, value);
        AUTO_VALUE struct value *back = value_parse(buf_str(&text), &err);
        if (!back)
            fail_msg("with seed %llu: %s in %s", (unsigned long long)seed, err.message, text.data);
        value_print(&again, back);
        assert_seeded(seed, str_equal(buf_str(&text), buf_str(&again)));
        assert_seeded(seed, value_identical(value, back) && value_same_text(back, value));
        assert_seeded(seed, value_depth(value) == value_depth(back));
    }
}

/* Text that is damaged in one byte is refused or is JSON again; it is never read beyond its end. */
static void test_damaged_text(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        uint64_t random = seed;
        AUTO_VALUE struct value *value = random_value(&random, 4);
        AUTO_BUF struct buf text = {0}, again = {0};
        value_print(&text, value);
        text.data[random_below(&random, text.len)] = (char)random_next(&random);
        AUTO_FREE char *exact = mem_resize(NULL, text.len, 1);
        memcpy(exact, text.data, text.len);
        struct err err = {0};
        AUTO_VALUE struct value *other = value_parse((struct str){exact, text.len}, &err);
        assert_seeded(seed, !other == (err.code != ERR_NONE));
        if (!other)
            continue;
        value_print(&again, other);
        AUTO_VALUE struct value *back = value_parse(buf_str(&again), NULL);
        assert_seeded(seed, back && value_same_text(back, other));
    }
}

/* Goes down at random and writes the pointer of where it ends. */
static const struct value *random_place(uint64_t *random, const struct value *root, struct buf *pointer)
{
    const struct value *value = root;
    while (value_type(value) >= VALUE_LIST && value_len(value) > 0 && random_below(random, 4)) {
        size_t at = random_below(random, value_len(value));
        buf_add_char(pointer, '/');
        if (value_type(value) == VALUE_LIST) {
            buf_add_format(pointer, "%zu", at);
            value = list_at(value, at);
            continue;
        }
        struct str key;
        value = map_at(value, at, &key);
        for (size_t i = 0; i < key.len; i++)
            if (key.data[i] == '~' || key.data[i] == '/')
                buf_add_text(pointer, key.data[i] == '~' ? "~0" : "~1");
            else
                buf_add_char(pointer, key.data[i]);
    }
    return value;
}

static void test_pointers(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        uint64_t random = seed;
        AUTO_BUF struct buf pointer = {0}, before = {0}, after = {0};
        AUTO_VALUE struct value *root = random_value(&random, 5);
        value_print(&before, root);
        const struct value *place = random_place(&random, root, &pointer);
        assert_seeded(seed, pointer_get(root, buf_str(&pointer), NULL) == place);
        struct value *item = random_value(&random, 3);
        AUTO_VALUE struct value *changed = pointer_set(root, buf_str(&pointer), item, NULL);
        assert_seeded(seed, changed && pointer_get(changed, buf_str(&pointer), NULL) == item);
        AUTO_VALUE struct value *undone = pointer_set(changed, buf_str(&pointer), value_ref(place), NULL);
        assert_seeded(seed, value_same_text(undone, root) && value_depth(undone) == value_depth(root));
        value_print(&after, root);
        assert_seeded(seed, str_equal(buf_str(&before), buf_str(&after)));
        if (pointer.len == 0)
            continue;
        AUTO_VALUE struct value *removed = pointer_remove(root, buf_str(&pointer), NULL);
        assert_seeded(seed, removed);
        AUTO_VALUE struct value *added = pointer_add(removed, buf_str(&pointer), value_ref(place), NULL);
        assert_seeded(seed, value_identical(added, root) && value_depth(added) == value_depth(root));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_damaged_text),
        cmocka_unit_test(test_pointers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
