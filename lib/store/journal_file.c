/* Frames with their checksums, and the files of a state folder. */
#include "journal_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "zproc state 1"

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
    /* Castagnoli, reflected, four bits at a time. */
    static const uint32_t table[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
                                       0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                       0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
    const unsigned char *bytes = data;
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc = table[(crc ^ bytes[i]) & 15] ^ crc >> 4;
        crc = table[(crc ^ (uint32_t)(bytes[i] >> 4)) & 15] ^ crc >> 4;
    }
    return ~crc;
}

/* ---- Frames ---- */

static void store_number(char *out, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        out[i] = (char)(number >> 8 * i);
}

static uint64_t load_number(const char *in, size_t bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes; i++)
        number |= (uint64_t)(unsigned char)in[i] << 8 * i;
    return number;
}

void put_u32(struct buf *buf, uint32_t number)
{
    store_number(buf_reserve(buf, 4), number, 4);
    buf_commit(buf, 4);
}

void put_int(struct buf *buf, int64_t number)
{
    store_number(buf_reserve(buf, 8), (uint64_t)number, 8);
    buf_commit(buf, 8);
}

void put_str(struct buf *buf, struct str s)
{
    put_u32(buf, (uint32_t)s.len);
    buf_add_str(buf, s);
}

void put_value(struct buf *buf, const struct value *value)
{
    size_t at = buf->len;
    put_u32(buf, 0);
    value_print(buf, value);
    store_number(buf->data + at, buf->len - at - 4, 4);
}

size_t frame_begin(struct buf *buf, enum frame_kind kind, int64_t revision)
{
    size_t begin = buf->len;
    put_int(buf, 0);
    buf_add_char(buf, (char)(kind == FRAME_FIRST ? kind : kind | FRAME_MORE));
    put_int(buf, revision);
    return begin;
}

static uint32_t frame_checksum(const char *frame, size_t length)
{
    return crc32c(crc32c(0, frame, 4), frame + 8, length);
}

void frame_end(struct buf *buf, size_t begin)
{
    char *frame = buf->data + begin;
    size_t length = buf->len - begin - 8;
    store_number(frame, length, 4);
    store_number(frame + 4, frame_checksum(frame, length), 4);
}

void frame_mark(struct buf *buf, size_t begin, int set, int clear)
{
    char *frame = buf->data + begin;
    frame[8] = (char)((frame[8] | set) & ~clear);
    store_number(frame + 4, frame_checksum(frame, load_number(frame, 4)), 4);
}

bool frame_read(struct str file, size_t offset, struct frame *frame)
{
    if (file.len < FRAME_HEAD || offset > file.len - FRAME_HEAD)
        return false;
    const char *data = file.data + offset;
    size_t length = load_number(data, 4), left = file.len - offset - 8;
    int kind = (unsigned char)data[8] & ~(FRAME_SYNCED | FRAME_MORE);
    /* The cheap checks come first: searching for a frame tries every byte. */
    if (length < FRAME_HEAD - 8 || length > left || kind < FRAME_FIRST || kind >= FRAME_KINDS ||
        data[16] != 0 || load_number(data + 4, 4) != frame_checksum(data, length))
        return false;
    *frame = (struct frame){.kind = (enum frame_kind)kind,
                            .synced = ((unsigned char)data[8] & FRAME_SYNCED) != 0,
                            .more = ((unsigned char)data[8] & FRAME_MORE) != 0,
                            .revision = (int64_t)load_number(data + 9, 8),
                            .payload = {data + FRAME_HEAD, length - (FRAME_HEAD - 8)},
                            .size = length + 8};
    return true;
}

bool frame_behind(struct str file, size_t offset, bool only_synced)
{
    struct frame frame;
    while (++offset < file.len) {
        if (!frame_read(file, offset, &frame))
            continue;
        if (!only_synced || frame.synced)
            return true;
        offset += frame.size - 1;
    }
    return false;
}

void file_first(struct buf *buf, const char *id, uint64_t before)
{
    size_t begin = frame_begin(buf, FRAME_FIRST, 0);
    put_str(buf, STR(MAGIC));
    put_str(buf, str_of(id));
    put_int(buf, (int64_t)before);
    frame_end(buf, begin);
}

bool file_first_read(struct str bytes, const char *id, struct frame *frame, uint64_t *before, struct err *err)
{
    if (!frame_read(bytes, 0, frame) || frame->kind != FRAME_FIRST)
        return err_set(err, ERR_INTERNAL, "is damaged at byte 0");
    AUTO_BUF struct buf expected = {0};
    file_first(&expected, id, 0);
    const size_t same = expected.len - 8;
    if (frame->size != expected.len ||
        memcmp(bytes.data + FRAME_HEAD, expected.data + FRAME_HEAD, same - FRAME_HEAD) != 0)
        return err_set(err, ERR_INTERNAL, "belongs to another store or version");
    *before = load_number(bytes.data + same, 8);
    return true;
}

/* ---- Files ---- */

static const char *const prefixes[] = {[FILE_LOG] = "log-", [FILE_SNAPSHOT] = "snapshot-"};

void file_name(char out[FILE_NAME_MAX], enum journal_file kind, uint64_t number)
{
    snprintf(out, FILE_NAME_MAX, "%s%016llx", prefixes[kind], (unsigned long long)number);
}

/* False when the name is not of this kind. */
static bool name_number(const char *name, enum journal_file kind, uint64_t *number)
{
    if (!str_starts_with(str_of(name), str_of(prefixes[kind])))
        return false;
    const char *digits = name + strlen(prefixes[kind]);
    if (strlen(digits) != 16 || strspn(digits, "0123456789abcdef") != 16)
        return false;
    *number = strtoull(digits, NULL, 16);
    return true;
}

static int number_order(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

bool folder_list(int folder, enum journal_file kind, uint64_t **numbers, size_t *count, struct err *err)
{
    size_t capacity = 0;
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    *numbers = NULL;
    *count = 0;
    if (!dir) {
        fd_close(&fd);
        return err_errno(err, errno, "cannot list the folder");
    }
    for (const struct dirent *item; (item = readdir(dir));) {
        uint64_t number;
        if (str_ends_with(str_of(item->d_name), STR(".new")))
            unlinkat(folder, item->d_name, 0);
        if (!name_number(item->d_name, kind, &number))
            continue;
        mem_grow(*numbers, capacity, *count);
        (*numbers)[(*count)++] = number;
    }
    closedir(dir);
    if (*count)
        qsort(*numbers, *count, sizeof **numbers, number_order);
    return true;
}

bool file_map(int folder, const char *name, struct mapped *mapped, struct err *err)
{
    struct stat info;
    *mapped = (struct mapped){.bytes = STR("")};
    AUTO_FD int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &info) != 0)
        return err_errno(err, errno, "cannot read '%s'", name);
    if (!S_ISREG(info.st_mode))
        return err_set(err, ERR_INTERNAL, "'%s' is no file", name);
    if (info.st_size == 0)
        return true;
    void *memory = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (memory == MAP_FAILED)
        return err_errno(err, errno, "cannot read '%s'", name);
    *mapped = (struct mapped){{memory, (size_t)info.st_size}, memory};
    return true;
}

void file_unmap(struct mapped *mapped)
{
    if (mapped->memory)
        munmap(mapped->memory, mapped->bytes.len);
    *mapped = (struct mapped){0};
}
