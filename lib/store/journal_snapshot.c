/* Snapshots: the whole store in one file, so that the segments before it are not needed any more. */
#include "journal_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK (1 << 20)

struct output {
    struct journal *journal;
    int fd;
    const char *name;
    struct buf buf;
    struct err *err;
    bool ok;
};

/* Writes what has gathered, when it is much. */
static void output_flush(struct output *output, size_t limit)
{
    if (output->buf.len <= limit || !output->ok)
        return;
    output->ok = journal_write_fd(output->journal, output->fd, &output->buf, output->name, output->err);
    buf_clear(&output->buf);
}

struct base {
    const struct entry *entry;
    const struct version *version;
};

static int base_order(const void *a, const void *b)
{
    uint64_t left = ((const struct base *)a)->version->birth,
             right = ((const struct base *)b)->version->birth;
    return (left > right) - (left < right);
}

/* The keys as of the revision before the log begins, in order of insertion. */
static void base_write(struct output *output, const struct space *space, int64_t at)
{
    int64_t revision = space->store->revision;
    struct base *keys = mem_array(space->entries.count + 1, sizeof *keys);
    size_t count = 0, pos = 0;
    for (const struct entry *entry; (entry = table_next(&space->entries, &pos));) {
        const struct version *version = entry_version(entry, at);
        if (version && version->value)
            keys[count++] = (struct base){entry, version};
    }
    qsort(keys, count, sizeof *keys, base_order);
    code_space(&output->buf, space, revision);
    for (size_t i = 0; i < count; i++) {
        code_key(&output->buf, keys[i].entry, keys[i].version, revision);
        output_flush(output, CHUNK);
    }
    free(keys);
}

static void sessions_write(struct output *output, const struct store *store)
{
    size_t pos = 0;
    for (const struct session *session; (session = table_next(&store->sessions, &pos));) {
        code_session(&output->buf, session, store->revision);
        if (session_is_temporary(session))
            code_expires(&output->buf, session, store->revision);
        for (size_t i = 0; i < session->place_count; i++) {
            const struct place *place = session->places[i];
            code_place(&output->buf, place, store->revision);
            for (size_t j = 0; j < place->check_count; j++)
                code_check(&output->buf, place, &place->checks[j], store->revision);
        }
        output_flush(output, CHUNK);
    }
}

static void owners_write(struct output *output, const struct owned *owned, int64_t revision)
{
    for (size_t i = 0; i < owned->count; i++) {
        code_owner(&output->buf, owned->items[i], revision);
        output_flush(output, CHUNK);
    }
}

static void answers_write(struct output *output, const struct store *store)
{
    for (const struct writer *writer = store->answers.first; writer; writer = writer->next) {
        code_number(&output->buf, FRAME_WRITER, writer, writer->highest, store->revision);
        for (size_t i = 0; i < writer->count; i++)
            code_answer(&output->buf, writer, writer->kept[i], store->revision);
        output_flush(output, CHUNK);
    }
}

static void mark_write(struct output *output, enum frame_kind kind)
{
    frame_end(&output->buf, frame_begin(&output->buf, kind, output->journal->store->revision));
}

static bool store_write(struct output *output)
{
    const struct store *store = output->journal->store;
    int64_t at = store->log.count ? ring_at(&store->log, 0)->revision - 1 : store->revision;
    size_t pos = 0;
    file_first(&output->buf, output->journal->meta.id, 0);
    if (store->dropped)
        code_dropped(&output->buf, store);
    for (const struct space *space; (space = table_next(&store->spaces, &pos));)
        base_write(output, space, at);
    for (size_t i = 0; i < store->log.count; i++) {
        code_record(&output->buf, ring_at(&store->log, i));
        output_flush(output, CHUNK);
    }
    mark_write(output, FRAME_REVISION);
    sessions_write(output, store);
    size_t place = 0;
    for (const struct session *session; (session = table_next(&store->sessions, &place));)
        owners_write(output, &session->owned, store->revision);
    owners_write(output, &store->orphans, store->revision);
    answers_write(output, store);
    mark_write(output, FRAME_END);
    output_flush(output, 0);
    return output->ok;
}

bool snapshot_write(struct journal *journal, uint64_t number, struct err *err)
{
    char name[FILE_NAME_MAX], aside[FILE_NAME_MAX + 4];
    file_name(name, FILE_SNAPSHOT, number);
    snprintf(aside, sizeof aside, "%s.new", name);
    AUTO_FD int fd = openat(journal->folder, aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, errno, "cannot make '%s/%s'", journal->path, aside);
    struct output output = {.journal = journal, .fd = fd, .name = aside, .err = err, .ok = true};
    bool ok = store_write(&output) && journal_sync_fd(journal, fd, aside, err);
    buf_release(&output.buf);
    if (ok && renameat(journal->folder, aside, journal->folder, name) != 0)
        ok = err_errno(err, errno, "cannot rename '%s/%s'", journal->path, aside);
    ok = ok && journal_sync_fd(journal, journal->folder, ".", err);
    if (!ok)
        unlinkat(journal->folder, aside, 0);
    return ok;
}

void files_forget(struct journal *journal, uint64_t number)
{
    for (enum journal_file kind = FILE_LOG; kind <= FILE_SNAPSHOT; kind++) {
        uint64_t *numbers;
        size_t count;
        char name[FILE_NAME_MAX];
        if (!folder_list(journal->folder, kind, &numbers, &count, NULL))
            continue;
        for (size_t i = 0; i < count && numbers[i] < number; i++) {
            file_name(name, kind, numbers[i]);
            unlinkat(journal->folder, name, 0);
        }
        free(numbers);
    }
}
