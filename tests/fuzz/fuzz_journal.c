/* Recovery of the log. An even first byte: the rest is a segment behind its good first frame, as it stands on
 * the disk. An odd one: it is made into frames whose checksums fit (u8 kind, u16 length, payload), so that
 * what is behind the checksum is reached. A prefix is kept, or the file is refused; what was kept can be
 * written to. */
#include "fuzz.h"
#include "journal_priv.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int no_sync(int fd)
{
    (void)fd;
    return 0;
}

static const struct journal_io io = {.write = write, .sync = no_sync};

static void folder_clear(void)
{
    uint64_t *numbers;
    size_t count;
    AUTO_FD int fd = open(folder, O_RDONLY | O_DIRECTORY);
    for (int kind = FILE_LOG; kind <= FILE_SNAPSHOT; kind++) {
        if (!folder_list(fd, (enum journal_file)kind, &numbers, &count, NULL))
            continue;
        for (size_t i = 0; i < count; i++) {
            char name[FILE_NAME_MAX];
            file_name(name, (enum journal_file)kind, numbers[i]);
            unlinkat(fd, name, 0);
        }
        free(numbers);
    }
    unlinkat(fd, "meta", 0);
    unlinkat(fd, "lock", 0);
}

static void folder_remove(void)
{
    folder_clear();
    rmdir(folder);
}

static void folder_make(void)
{
    struct stat info;
    snprintf(folder, sizeof folder, "%s/zproc-fuzz-XXXXXX",
             stat("/dev/shm", &info) == 0 ? "/dev/shm" : "/tmp");
    MUST(mkdtemp(folder));
    atexit(folder_remove);
}

static struct journal *open_store(struct store **store, bool repair, struct err *err)
{
    struct journal_options options = {
        .folder = folder, .durability = DURABILITY_PROCESS, .repair = repair, .io = &io};
    *store = store_new(&(struct store_limits){1 << 20, 1 << 24});
    struct journal *journal = journal_open(&options, *store, err);
    if (!journal)
        store_free(*store);
    return journal;
}

static void frames_make(struct buf *buf, struct str in)
{
    while (in.len >= 3) {
        size_t len = (unsigned char)in.data[1] << 8 | (unsigned char)in.data[2];
        len = len < in.len - 3 ? len : in.len - 3;
        size_t begin = frame_begin(buf, (enum frame_kind)((unsigned char)in.data[0] % FRAME_KINDS), 1);
        buf_add(buf, in.data + 3, len);
        frame_end(buf, begin);
        in = (struct str){in.data + 3 + len, in.len - 3 - len};
    }
}

static void segment_append(struct str bytes)
{
    char name[FILE_NAME_MAX];
    uint64_t *numbers;
    size_t count;
    AUTO_FD int dir = open(folder, O_RDONLY | O_DIRECTORY);
    MUST(folder_list(dir, FILE_LOG, &numbers, &count, NULL) && count > 0);
    file_name(name, FILE_LOG, numbers[count - 1]);
    free(numbers);
    AUTO_FD int fd = openat(dir, name, O_WRONLY | O_APPEND);
    MUST(fd >= 0 && fd_write_all(fd, bytes.data, bytes.len));
}

static void write_one(struct store *store, struct journal *journal)
{
    struct space *space = store_space(store, STR("fuzz"), NULL);
    struct txn *txn = space ? txn_begin(space) : NULL;
    AUTO_VALUE struct value *value = value_int(1);
    if (txn && write_set(txn, STR("k"), STR(""), value, NULL) && txn_commit(txn, 1, STR("me"), NULL))
        MUST(journal_write(journal, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct store *store;
    struct err err = {0};
    if (size == 0)
        return 0;
    if (!folder[0])
        folder_make();
    struct journal *journal = open_store(&store, false, &err);
    MUST(journal);
    write_one(store, journal);
    int64_t revision = store_revision(store);
    journal_close(journal);
    store_free(store);
    AUTO_BUF struct buf frames = {0};
    struct str rest = {(const char *)data + 1, size - 1};
    if (data[0] & 1)
        frames_make(&frames, rest);
    else
        buf_add_str(&frames, rest);
    segment_append(buf_str(&frames));
    for (int repair = 0; repair <= 1; repair++) {
        journal = open_store(&store, repair, &err);
        MUST(journal || (err.message[0] && !repair));
        if (!journal)
            continue;
        MUST(store_revision(store) >= revision);
        write_one(store, journal);
        journal_close(journal);
        store_free(store);
    }
    folder_clear();
    return 0;
}
