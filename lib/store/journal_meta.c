/* The folder's file `meta`: which store this is, and up to where its revisions may have been used. */
#include "journal_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define META_MAX 4096

static const char *const levels[] = {
#define X(level, name) [level] = name,
    DURABILITY_LEVELS(X)
#undef X
};

const char *durability_name(enum durability level)
{
    return levels[level];
}

enum durability durability_from_name(struct str name)
{
    enum durability level = 0;
    while (level < DURABILITY_COUNT && !str_is(name, levels[level]))
        level++;
    return level;
}

void boot_id(char out[37])
{
    AUTO_BUF struct buf text = {0};
    out[0] = '\0';
    if (file_read("/proc/sys/kernel/random/boot_id", 64, &text, NULL) && text.len >= 36)
        snprintf(out, 37, "%.36s", text.data);
}

static struct str meta_text(const struct value *map, const char *name)
{
    const struct value *value = map_get(map, str_of(name));
    return value ? value_as_str(value) : STR("");
}

static bool meta_parse(struct meta *meta, const struct value *map)
{
    struct str id = meta_text(map, "store"), boot = meta_text(map, "boot");
    const struct value *ceiling = map_get(map, STR("ceiling"));
    const struct value *format = map_get(map, STR("format"));
    const struct value *clean = map_get(map, STR("clean"));
    meta->durability = durability_from_name(meta_text(map, "durability"));
    if (id.len != 32 || boot.len > 36 || !format || value_as_int(format) != 1 || !ceiling ||
        value_as_int(ceiling) < 0 || meta->durability == DURABILITY_COUNT)
        return false;
    snprintf(meta->id, sizeof meta->id, "%.*s", (int)id.len, id.data);
    snprintf(meta->boot, sizeof meta->boot, "%.*s", (int)boot.len, boot.data);
    meta->ceiling = value_as_int(ceiling);
    meta->clean = clean && value_as_bool(clean);
    return true;
}

/* With a checksum over what follows it. */
static char *meta_print(const struct meta *meta)
{
    AUTO_FREE char *body =
        mem_format("\"format\":1,\"store\":\"%s\",\"boot\":\"%s\",\"ceiling\":%lld,\"durability\":\"%s\","
                   "\"clean\":%s}\n",
                   meta->id, meta->boot, (long long)meta->ceiling, levels[meta->durability],
                   meta->clean ? "true" : "false");
    return mem_format("{\"crc\":%u,%s", crc32c(0, body, strlen(body)), body);
}

bool meta_read(int folder, struct meta *meta, bool *found, struct err *err)
{
    AUTO_BUF struct buf text = {0};
    AUTO_FD int fd = openat(folder, "meta", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    *found = fd >= 0;
    if (fd < 0)
        return errno == ENOENT || err_errno(err, errno, "cannot read 'meta'");
    if (!fd_read_all(fd, META_MAX, &text, err))
        return err_wrap(err, "'meta'");
    AUTO_VALUE struct value *map = value_parse(buf_str(&text), NULL);
    AUTO_FREE char *expected =
        map && value_type(map) == VALUE_MAP && meta_parse(meta, map) ? meta_print(meta) : NULL;
    return (expected && str_is(buf_str(&text), expected)) ||
           err_set(err, ERR_INTERNAL, "'meta' is damaged or of another version");
}

bool meta_write(int folder, const struct meta *meta, const struct journal_io *io, bool lazy, struct err *err)
{
    AUTO_FREE char *text = meta_print(meta);
    AUTO_FD int fd = openat(folder, "meta.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t len = (ssize_t)strlen(text);
    if (fd < 0 || io->write(fd, text, (size_t)len) != len || (!lazy && io->sync(fd) != 0) ||
        renameat(folder, "meta.new", folder, "meta") != 0 || (!lazy && io->sync(folder) != 0))
        return err_errno(err, errno, "cannot write 'meta'");
    return true;
}
