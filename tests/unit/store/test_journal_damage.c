/* Files that were cut or damaged: recovery keeps a prefix or refuses with file and offset; it never crashes
 * and never invents. */
#include "journal_test.h"

int wake_count;

static struct life {
    char folder[64];
    struct buf log, meta;
    size_t ends[128]; /* bytes of the log after each step */
    char *told[128];  /* the store as it was then */
    size_t count;
    char **prefixes; /* the store by bytes of the log that are there: a pointer per byte */
} life;

static void step_note(struct home *kept, void *ctx)
{
    (void)ctx;
    life.ends[life.count] = (size_t)kept->journal->length;
    life.told[life.count++] = dump(kept->store);
}

static int life_make(void **state)
{
    (void)state;
    folder_make(life.folder);
    struct home kept = keep(life.folder, options_default);
    step_note(&kept, NULL);
    live(&kept, step_note, NULL);
    keep_kill(&kept);
    file_get(life.folder, LOG_1, &life.log);
    file_get(life.folder, "meta", &life.meta);
    return 0;
}

static int life_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < life.count; i++)
        free(life.told[i]);
    for (size_t i = 0; life.prefixes && i <= life.log.len; i++)
        free(life.prefixes[i]);
    free(life.prefixes);
    buf_release(&life.log);
    buf_release(&life.meta);
    folder_remove(life.folder);
    return 0;
}

static bool life_load(struct home *kept, struct str log, struct journal_options options, struct err *err)
{
    file_put(life.folder, "meta", buf_str(&life.meta));
    file_put(life.folder, LOG_1, log);
    return keep_try(kept, life.folder, options, err);
}

/* Cut at every byte: the changes before it are there, nothing else is. */
static void test_cut(void **state)
{
    (void)state;
    life.prefixes = mem_array(life.log.len + 1, sizeof *life.prefixes);
    size_t step = 0;
    for (size_t len = 0; len <= life.log.len; len++) {
        struct home kept;
        struct err err = {0};
        if (!life_load(&kept, (struct str){life.log.data, len}, options_default, &err))
            fail_msg("cut at byte %zu: %s", len, err.message);
        life.prefixes[len] = dump(kept.store);
        keep_kill(&kept);
        if (step < life.count && life.ends[step] == len)
            assert_string_equal(life.prefixes[len], life.told[step++]);
        else if (len > 0)
            assert_string_equal(life.prefixes[len], life.prefixes[len - 1]);
    }
    assert_int_equal(step, life.count);
}

static bool is_prefix(struct store *store)
{
    AUTO_FREE char *text = dump(store);
    for (size_t len = 0; len <= life.log.len; len++)
        if (strcmp(text, life.prefixes[len]) == 0)
            return true;
    return false;
}

static void flip(size_t byte, int bit, struct journal_options options, size_t *refused, size_t *kept_count)
{
    AUTO_FREE char *bytes = mem_copy(life.log.data, life.log.len);
    struct home kept;
    struct err err = {0};
    bytes[byte] = (char)(bytes[byte] ^ 1 << bit);
    if (life_load(&kept, (struct str){bytes, life.log.len}, options, &err)) {
        if (!is_prefix(kept.store))
            fail_msg("bit %d of byte %zu: the store holds what was never written", bit, byte);
        keep_kill(&kept);
        ++*kept_count;
        return;
    }
    assert_int_equal(err.code, ERR_INTERNAL);
    assert_message(&err, LOG_1);
    assert_true(strstr(err.message, "byte ") || strstr(err.message, "belongs to another"));
    ++*refused;
}

/* Every bit: damage with good records behind it is refused, a damaged last record is cut off. */
static void test_flip(void **state)
{
    (void)state;
    size_t refused = 0, cut = 0;
    for (size_t byte = 0; byte < life.log.len; byte++)
        for (int bit = 0; bit < 8; bit++)
            flip(byte, bit, options_default, &refused, &cut);
    struct frame frame;
    size_t last = 0;
    for (size_t at = 0; frame_read(buf_str(&life.log), at, &frame); at += frame.size)
        last = at;
    assert_int_equal(cut, 8 * (life.log.len - last));
    assert_int_equal(refused, 8 * last);
}

/* --repair keeps what is before the damage and puts the rest aside. */
static void test_repair(void **state)
{
    (void)state;
    struct journal_options options = options_default;
    options.repair = true;
    size_t at = life.ends[3] + 30;
    AUTO_FREE char *bytes = mem_copy(life.log.data, life.log.len);
    bytes[at] ^= 4;
    struct home kept;
    struct err err = {0};
    if (!life_load(&kept, (struct str){bytes, life.log.len}, options, &err))
        fail_msg("%s", err.message);
    assert_dump(kept.store, life.told[3]);
    AUTO_BUF struct buf rest = {0};
    file_get(life.folder, LOG_1 ".damaged", &rest);
    assert_int_equal(rest.len, life.log.len - life.ends[3]);
    assert_int_equal(set(kept.space, "on", "1"), 3 + 1);
    keep_write(&kept);
    keep_kill(&kept);
    kept = keep(life.folder, options_default);
    assert_json(space_get(kept.space, STR("on"), NOW), "1");
    keep_kill(&kept);
}

/* After a power loss a hole in what was never synced is no damage. */
static void test_power(void **state)
{
    (void)state;
    struct journal_options options = options_default;
    options.durability = DURABILITY_PROCESS;
    char folder[64];
    folder_make(folder);
    struct home kept = keep(folder, options);
    set(kept.space, "a", "1");
    keep_write(&kept);
    size_t at = (size_t)kept.journal->length;
    for (int i = 0; i < 20; i++) {
        set(kept.space, "a", "2");
        keep_write(&kept);
    }
    keep_kill(&kept);
    AUTO_BUF struct buf log = {0};
    file_get(folder, LOG_1, &log);
    memset(log.data + at, 0, 30);
    file_put(folder, LOG_1, buf_str(&log));
    struct err err = {0};
    assert_false(keep_try(&kept, folder, options, &err));
    assert_message(&err, "byte ");
    struct meta meta;
    bool found;
    int fd = open(folder, O_RDONLY | O_DIRECTORY);
    assert_true(meta_read(fd, &meta, &found, NULL));
    snprintf(meta.boot, sizeof meta.boot, "another");
    assert_true(meta_write(fd, &meta, &io_fast, false, NULL));
    close(fd);
    kept = keep(folder, options);
    assert_json(space_get(kept.space, STR("a"), NOW), "1");
    assert_int_equal(set(kept.space, "a", "3"), CEILING_STEP + 1);
    keep_end(&kept);
    folder_remove(folder);
}

/* A snapshot cut or flipped anywhere: older files are used, or the start is refused. */
static void test_snapshot(void **state)
{
    (void)state;
    char folder[64];
    folder_make(folder);
    struct home kept = keep(folder, options_default);
    live(&kept, NULL, NULL);
    AUTO_FREE char *expected = dump(kept.store);
    struct err err = {0};
    assert_true(snapshot_write(kept.journal, 2, &err));
    AUTO_BUF struct buf snapshot = {0}, meta = {0};
    file_get(folder, "snapshot-0000000000000002", &snapshot);
    file_get(folder, "meta", &meta);
    keep_kill(&kept);
    for (int old = 0; old < 2; old++) {
        for (size_t i = 0; i < snapshot.len; i++) {
            AUTO_FREE char *bytes = mem_copy(snapshot.data, snapshot.len);
            bytes[i] = (char)(bytes[i] ^ 1 << i % 8);
            bool cut = i % 2;
            file_put(folder, "meta", buf_str(&meta));
            file_put(folder, "snapshot-0000000000000002", (struct str){bytes, cut ? i : snapshot.len});
            bool loaded = keep_try(&kept, folder, options_default, &err);
            assert_int_equal(loaded, old == 0);
            if (!loaded) {
                assert_message(&err, "snapshot-0000000000000002");
                continue;
            }
            assert_dump(kept.store, expected);
            keep_kill(&kept);
        }
        /* The second time the segment that could replace it is gone. */
        AUTO_FREE char *log = path_in(folder, LOG_1);
        unlink(log);
    }
    file_put(folder, "snapshot-0000000000000002", buf_str(&snapshot));
    kept = keep(folder, options_default);
    assert_dump(kept.store, expected);
    assert_true(file_there(folder, LOG_2));
    keep_end(&kept);
    folder_remove(folder);
}

/* The segment before the last ends where the last says. */
static void test_segments(void **state)
{
    (void)state;
    char folder[64];
    struct journal_options options = options_default;
    options.segment = 300;
    folder_make(folder);
    struct home kept = keep(folder, options);
    kept.journal->snapshot = 1 << 30; /* no snapshot yet */
    live(&kept, NULL, NULL);
    AUTO_FREE char *expected = dump(kept.store);
    keep_kill(&kept);
    assert_true(file_there(folder, LOG_2));
    kept = keep(folder, options);
    assert_dump(kept.store, expected);
    keep_kill(&kept);
    AUTO_BUF struct buf log = {0};
    struct err err = {0};
    file_get(folder, LOG_1, &log);
    /* More than counts is not read; less is damage. */
    file_put(folder, LOG_1, (struct str){log.data, log.len - 1});
    assert_false(keep_try(&kept, folder, options, &err));
    assert_message(&err, LOG_1);
    struct str whole = buf_str(&log);
    buf_add_text(&log, "never acknowledged");
    file_put(folder, LOG_1, buf_str(&log));
    kept = keep(folder, options);
    assert_dump(kept.store, expected);
    keep_kill(&kept);
    AUTO_FREE char *path = path_in(folder, LOG_2);
    unlink(path);
    file_put(folder, LOG_1, (struct str){log.data, whole.len});
    assert_false(keep_try(&kept, folder, options, &err));
    assert_message(&err, LOG_2);
    assert_message(&err, "missing");
    folder_remove(folder);
}

static void test_meta(void **state)
{
    (void)state;
    for (size_t i = 0; i < life.meta.len; i++) {
        struct home kept;
        struct err err = {0};
        AUTO_BUF struct buf meta = {0};
        buf_add(&meta, life.meta.data, life.meta.len);
        meta.data[i] ^= 1;
        file_put(life.folder, LOG_1, buf_str(&life.log));
        file_put(life.folder, "meta", buf_str(&meta));
        assert_false(keep_try(&kept, life.folder, options_default, &err));
        assert_message(&err, "meta");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut),   cmocka_unit_test(test_flip),     cmocka_unit_test(test_repair),
        cmocka_unit_test(test_power), cmocka_unit_test(test_snapshot), cmocka_unit_test(test_segments),
        cmocka_unit_test(test_meta),
    };
    return cmocka_run_group_tests(tests, life_make, life_end);
}
