/* The journal: takes note of every change, writes them as one batch, syncs as promised, begins new segments
 * and snapshots, and undoes what could not be written. */
#include "journal_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEGMENT_BYTES  (8 << 20)
#define PENDING_KEEP   (1 << 20)
#define SYNC_EVERY_MS  1000
#define RETRY_MS       100
#define RETRY_TIMER_MS 1000
#define LOCK_MS        1000

/* ---- What the store tells ---- */

/* Where the next frame goes; NULL without a journal. */
static struct buf *note_begin(const struct store *store)
{
    if (!store->journal)
        return NULL;
    store->journal->last = store->journal->pending.len;
    return &store->journal->pending;
}

void note_record(const struct record *record)
{
    struct buf *buf = note_begin(record->space->store);
    if (buf)
        code_record(buf, record);
}

void note_owner(const struct entry *entry)
{
    const struct store *store = entry->space->store;
    struct buf *buf = note_begin(store);
    if (buf)
        code_owner(buf, entry, store->revision);
}

void note_session(const struct store *store, const struct session *session)
{
    struct buf *buf = note_begin(store);
    if (buf)
        code_session(buf, session, store->revision);
}

void note_expires(const struct store *store, const struct session *session)
{
    struct buf *buf = note_begin(store);
    if (buf)
        code_expires(buf, session, store->revision);
}

void note_close(const struct store *store, const struct session *session)
{
    struct buf *buf = note_begin(store);
    if (buf)
        code_close(buf, session, store->revision);
}

void note_place(const struct place *place)
{
    const struct store *store = place->space->store;
    struct buf *buf = note_begin(store);
    if (buf)
        code_place(buf, place, store->revision);
}

void note_check(const struct place *place, const struct check *check)
{
    const struct store *store = place->space->store;
    struct buf *buf = note_begin(store);
    if (buf)
        code_check(buf, place, check, store->revision);
}

void note_answer(const struct store *store, const struct writer *writer, const struct kept *kept)
{
    struct buf *buf = note_begin(store);
    if (buf)
        code_answer(buf, writer, kept, store->revision);
}

void note_done(const struct store *store, const struct writer *writer, int64_t seq)
{
    struct buf *buf = note_begin(store);
    if (buf)
        code_number(buf, FRAME_DONE, writer, seq, store->revision);
}

static void note_revision(const struct store *store)
{
    struct buf *buf = note_begin(store);
    frame_end(buf, frame_begin(buf, FRAME_REVISION, store->revision));
}

/* ---- Writing ---- */

void journal_say(const struct journal *journal, const char *format, ...)
{
    if (!journal->say)
        return;
    AUTO_BUF struct buf text = {0};
    va_list args;
    va_start(args, format);
    buf_add_vformat(&text, format, args);
    va_end(args);
    journal->say(text.data);
}

bool journal_write_fd(struct journal *journal, int fd, const struct buf *buf, const char *name,
                      struct err *err)
{
    for (size_t done = 0; done < buf->len;) {
        ssize_t n = journal->io.write(fd, buf->data + done, buf->len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_errno(err, n < 0 ? errno : ENOSPC, "writing '%s/%s' failed", journal->path, name);
        done += (size_t)n;
    }
    return true;
}

bool journal_sync_fd(struct journal *journal, int fd, const char *name, struct err *err)
{
    int64_t begin = time_now_us();
    if (journal->io.sync(fd) != 0)
        return err_errno(err, errno, "syncing '%s/%s' failed", journal->path, name);
    journal->figures.syncs++;
    journal->figures.sync_last_us = time_now_us() - begin;
    if (journal->figures.sync_last_us > journal->figures.sync_max_us)
        journal->figures.sync_max_us = journal->figures.sync_last_us;
    return true;
}

static bool segment_sync(struct journal *journal, struct err *err)
{
    char name[FILE_NAME_MAX];
    file_name(name, FILE_LOG, journal->number);
    journal->sync_at = -1;
    if (journal->synced < journal->length && !journal_sync_fd(journal, journal->fd, name, err))
        return false;
    journal->synced = journal->length;
    return true;
}

/* Begins a segment; the present one stays as it is. */
static bool segment_begin(struct journal *journal, uint64_t number, struct err *err)
{
    char name[FILE_NAME_MAX];
    AUTO_BUF struct buf first = {0};
    bool synced = journal->synced == journal->length;
    file_name(name, FILE_LOG, number);
    file_first(&first, journal->meta.id, (uint64_t)journal->length);
    if (synced)
        frame_mark(&first, 0, FRAME_SYNCED, 0);
    AUTO_FD int fd = openat(journal->folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, errno, "cannot make '%s/%s'", journal->path, name);
    bool ok = journal_write_fd(journal, fd, &first, name, err);
    if (ok && journal->durability > DURABILITY_PROCESS)
        ok = journal_sync_fd(journal, fd, name, err) && journal_sync_fd(journal, journal->folder, ".", err);
    if (!ok) {
        unlinkat(journal->folder, name, 0);
        return false;
    }
    fd_close(&journal->fd);
    journal->fd = fd;
    fd = -1;
    journal->number = number;
    journal->length = (int64_t)first.len;
    journal->synced = journal->durability > DURABILITY_PROCESS ? journal->length : 0;
    journal->rotate_at = journal->segment_max;
    journal->sync_at = -1;
    return true;
}

/* ---- Snapshots in the background ---- */

/* The child has a copy of the store as it is now, which is what stands before the segment that begins now. */
static void snapshot_start(struct journal *journal)
{
    pid_t server = getpid(), pid = fork();
    if (pid < 0)
        return; /* tried again with the next segment */
    if (pid == 0) {
        close(journal->lock);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(getppid() == server && snapshot_write(journal, journal->number, NULL) ? 0 : 1);
    }
    journal->child = pid;
    journal->child_number = journal->number;
    journal->since = 0;
}

static void snapshot_done(struct journal *journal, uint64_t number)
{
    char name[FILE_NAME_MAX];
    struct stat info;
    file_name(name, FILE_SNAPSHOT, number);
    if (fstatat(journal->folder, name, &info, 0) == 0)
        journal->snapshot = info.st_size;
    files_forget(journal, number);
}

static void snapshot_look(struct journal *journal, int flags)
{
    int status;
    if (journal->child <= 0 || waitpid(journal->child, &status, flags) != journal->child)
        return;
    journal->child = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        snapshot_done(journal, journal->child_number);
    else
        journal->since += journal->snapshot + journal->segment_max; /* with the next segment again */
}

/* The next segment, and a snapshot when the segments have grown enough to be worth one. What was written is
 * safe, so a failure only means to try again later. */
static void journal_rotate(struct journal *journal)
{
    struct err err = {0};
    journal->rotate_at = journal->length + journal->segment_max;
    if (journal->durability > DURABILITY_PROCESS && !segment_sync(journal, &err))
        return;
    if (!segment_begin(journal, journal->number + 1, &err))
        return;
    if (journal->child == 0 && journal->since >= journal->snapshot)
        snapshot_start(journal);
}

/* ---- Failure ---- */

static void journal_fail(struct journal *journal, const struct err *err)
{
    fd_close(&journal->fd);
    journal->broken = *err;
    journal->retry_at = time_now_ms() + RETRY_MS;
    journal->sync_at = -1;
}

static void journal_undo(struct journal *journal)
{
    struct store *store = journal->store;
    if (store->revision > journal->undone)
        journal->undone = store->revision;
    store_undo(store, store->settled);
    code_undo_answers(store, buf_str(&journal->pending));
    buf_clear(&journal->pending);
}

static bool meta_begin(struct journal *journal, bool is_new, struct err *err);

static void revision_jump(struct journal *journal, int64_t revision)
{
    if (revision > journal->store->revision)
        journal->store->revision = journal->store->settled = revision;
}

/* A new segment from a snapshot: then writing goes on. */
static void journal_restart(struct journal *journal)
{
    struct err err = {0};
    journal->retry_at = time_now_ms() + RETRY_MS;
    snapshot_look(journal, 0);
    int64_t revision = journal->store->revision;
    revision_jump(journal, journal->undone);
    journal->synced = journal->length;
    uint64_t number = journal->number + 1;
    if ((journal->meta_due && !meta_begin(journal, false, &err)) || !snapshot_write(journal, number, &err) ||
        !segment_begin(journal, number, &err)) {
        journal->store->revision = journal->store->settled = revision;
        journal->broken = err;
        return;
    }
    journal->since = 0;
    journal->broken = (struct err){0};
    buf_clear(&journal->pending); /* the snapshot has it */
    snapshot_done(journal, number);
}

static bool ceiling_raise(struct journal *journal, struct err *err)
{
    if (journal->store->revision <= journal->meta.ceiling - CEILING_STEP / 2)
        return true;
    int64_t old = journal->meta.ceiling;
    journal->meta.ceiling = journal->store->revision + CEILING_STEP;
    if (meta_write(journal->folder, &journal->meta, &journal->io, false, err))
        return true;
    journal->meta.ceiling = old;
    return err_wrap(err, "'%s'", journal->path);
}

static bool batch_write(struct journal *journal, struct err *err)
{
    char name[FILE_NAME_MAX];
    file_name(name, FILE_LOG, journal->number);
    if (!ceiling_raise(journal, err))
        return false;
    if (journal->synced == journal->length)
        frame_mark(&journal->pending, 0, FRAME_SYNCED, 0);
    frame_mark(&journal->pending, journal->last, 0, FRAME_MORE);
    if (!journal_write_fd(journal, journal->fd, &journal->pending, name, err))
        return false;
    if (journal->durability == DURABILITY_ALWAYS && !journal_sync_fd(journal, journal->fd, name, err))
        return false;
    journal->length += (int64_t)journal->pending.len;
    journal->since += (int64_t)journal->pending.len;
    if (journal->durability == DURABILITY_ALWAYS)
        journal->synced = journal->length;
    else if (journal->durability == DURABILITY_SECOND && journal->sync_at < 0)
        journal->sync_at = time_now_ms() + SYNC_EVERY_MS;
    return true;
}

bool journal_pending(const struct journal *journal)
{
    return journal->pending.len > 0;
}

bool journal_write(struct journal *journal, struct err *err)
{
    struct err why = journal->broken;
    if (journal->child)
        snapshot_look(journal, WNOHANG);
    if (!journal_pending(journal))
        return true;
    if (why.code == ERR_NONE && !batch_write(journal, &why))
        journal_fail(journal, &why);
    if (why.code != ERR_NONE) {
        journal_undo(journal);
        *err = why;
        return false;
    }
    buf_clear(&journal->pending);
    if (journal->pending.capacity > PENDING_KEEP)
        buf_release(&journal->pending);
    journal->store->settled = journal->store->revision;
    log_trim(journal->store);
    if (journal->length >= journal->rotate_at)
        journal_rotate(journal);
    return true;
}

bool journal_ready(struct journal *journal, struct err *err)
{
    if (journal->broken.code != ERR_NONE && time_now_ms() >= journal->retry_at)
        journal_restart(journal);
    if (journal->broken.code == ERR_NONE)
        return true;
    *err = journal->broken;
    return err_wrap(err, "the state cannot be kept, so it cannot be changed");
}

int64_t journal_timer(const struct journal *journal)
{
    if (journal->broken.code != ERR_NONE)
        return journal->retry_at + RETRY_TIMER_MS;
    return journal->meta_at >= 0 ? journal->meta_at : journal->sync_at;
}

/* A short run does not wait for it, but without it a power loss would leave a folder that cannot be opened.
 */
static bool meta_sync(struct journal *journal, struct err *err)
{
    journal->meta_at = -1;
    return meta_write(journal->folder, &journal->meta, &journal->io, false, err);
}

void journal_tick(struct journal *journal, int64_t now)
{
    struct err err = {0};
    if (journal->broken.code != ERR_NONE && now >= journal->retry_at)
        journal_restart(journal);
    else if (journal->sync_at >= 0 && now >= journal->sync_at && !segment_sync(journal, &err))
        journal_fail(journal, &err);
    else if (journal->meta_at >= 0 && now >= journal->meta_at && !meta_sync(journal, &err))
        journal_fail(journal, &err);
}

/* ---- Opening and closing ---- */

static bool folder_lock(struct journal *journal, struct err *err)
{
    int64_t end = time_now_ms() + LOCK_MS;
    journal->lock = openat(journal->folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (journal->lock < 0)
        return err_errno(err, errno, "cannot make '%s/lock'", journal->path);
    /* A server that was killed a moment ago may not be gone yet. */
    while (flock(journal->lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_errno(err, errno, "cannot lock '%s'", journal->path);
        if (time_now_ms() >= end)
            return err_set(err, ERR_CONFLICT, "another server keeps its state in '%s'", journal->path);
        usleep(5000);
    }
    return true;
}

static bool folder_open(struct journal *journal, struct err *err)
{
    if (!dir_make(journal->path, 0700, err))
        return false;
    journal->folder = open(journal->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return journal->folder >= 0 || err_errno(err, errno, "cannot open '%s'", journal->path);
}

/* After a power loss revisions may have been used that the disk does not know of. */
static bool revisions_lost(const struct meta *meta, const char *boot)
{
    return !meta->clean && meta->durability < DURABILITY_ALWAYS && strcmp(meta->boot, boot) != 0;
}

/* Goes on in the segment that was the last, or begins the first. */
static bool segment_resume(struct journal *journal, struct err *err)
{
    char name[FILE_NAME_MAX];
    if (journal->length == 0)
        return segment_begin(journal, journal->number ? journal->number : 1, err);
    file_name(name, FILE_LOG, journal->number);
    journal->fd = openat(journal->folder, name, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (journal->fd < 0 || ftruncate(journal->fd, journal->length) != 0)
        return err_errno(err, errno, "cannot open '%s/%s'", journal->path, name);
    journal->rotate_at = journal->segment_max;
    return journal->durability == DURABILITY_PROCESS || segment_sync(journal, err);
}

/* A new store that outlives only its server has nothing that a power loss could contradict. */
static bool meta_begin(struct journal *journal, bool is_new, struct err *err)
{
    char boot[37];
    boot_id(boot);
    journal->meta_due = true;
    bool lazy = is_new && journal->durability == DURABILITY_PROCESS;
    journal->meta_at = lazy ? time_now_ms() + SYNC_EVERY_MS : -1;
    snprintf(journal->meta.boot, sizeof journal->meta.boot, "%s", boot);
    journal->meta.durability = journal->durability;
    journal->meta.clean = false;
    if (journal->meta.ceiling < journal->store->revision + CEILING_STEP)
        journal->meta.ceiling = journal->store->revision + CEILING_STEP;
    journal->meta_due = !meta_write(journal->folder, &journal->meta, &journal->io, lazy, err);
    return !journal->meta_due || err_wrap(err, "'%s'", journal->path);
}

static void id_make(char out[33])
{
    unsigned char bytes[16];
    for (size_t len = 0; len < sizeof bytes;) {
        ssize_t n = getrandom(bytes + len, sizeof bytes - len, 0);
        len += n > 0 ? (size_t)n : 0;
    }
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* What the folder holds can be read even though nothing can be added to it at present. */
static bool journal_without(struct journal *journal, const struct err *why)
{
    if (journal->broken.code == ERR_NONE)
        journal_fail(journal, why);
    journal_say(journal, "%s; the state can be read, and is changed again once it can be kept", why->message);
    return true;
}

static bool journal_recover(struct journal *journal, struct err *err)
{
    struct store *store = journal->store;
    struct store_limits limits = store->limits;
    char boot[37];
    bool found;
    boot_id(boot);
    if (!meta_read(journal->folder, &journal->meta, &found, err))
        return err_wrap(err, "'%s'", journal->path);
    if (!found)
        id_make(journal->meta.id);
    store->limits.state = INT64_MAX; /* what was accepted once stays */
    store->spaces_max = SIZE_MAX;
    bool loaded = journal_load(journal, err);
    store->limits = limits;
    store->spaces_max = STORE_SPACES_MAX;
    if (!loaded)
        return false;
    if (found && revisions_lost(&journal->meta, boot))
        revision_jump(journal, journal->meta.ceiling);
    store->journal = journal;
    store->settled = store->revision;
    if (meta_begin(journal, !found, err) && segment_resume(journal, err)) {
        note_revision(store);
        return journal_write(journal, err) || (found && journal_without(journal, err));
    }
    return found && journal_without(journal, err);
}

static ssize_t system_write(int fd, const void *data, size_t len)
{
    return write(fd, data, len);
}

struct journal *journal_open(const struct journal_options *options, struct store *store, struct err *err)
{
    struct journal *journal = mem_new(sizeof *journal);
    *journal =
        (struct journal){.store = store,
                         .path = mem_text(options->folder),
                         .durability = options->durability,
                         .repair = options->repair,
                         .say = options->say,
                         .io = options->io ? *options->io : (struct journal_io){system_write, fdatasync},
                         .segment_max = options->segment ? options->segment : SEGMENT_BYTES,
                         .folder = -1,
                         .lock = -1,
                         .fd = -1,
                         .sync_at = -1,
                         .meta_at = -1};
    if (folder_open(journal, err) && folder_lock(journal, err) && journal_recover(journal, err))
        return journal;
    store->journal = NULL;
    fd_close(&journal->fd);
    journal_close(journal);
    return NULL;
}

/* Where syncing was promised: everything is on the disk, and the next start need not doubt it. */
static void journal_end(struct journal *journal)
{
    struct err err = {0};
    if (!journal_write(journal, &err) || journal->durability == DURABILITY_PROCESS ||
        !segment_sync(journal, &err))
        return;
    journal->meta.clean = true;
    meta_write(journal->folder, &journal->meta, &journal->io, false, &err);
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    if (journal->child > 0) {
        kill(journal->child, SIGKILL);
        snapshot_look(journal, 0);
    }
    if (journal->fd >= 0)
        journal_end(journal);
    if (journal->store->journal == journal) {
        journal->store->journal = NULL;
        journal->store->settled = INT64_MAX;
    }
    fd_close(&journal->fd);
    fd_close(&journal->folder);
    fd_close(&journal->lock);
    buf_release(&journal->pending);
    free(journal->path);
    free(journal);
}

const char *journal_store_id(const struct journal *journal)
{
    return journal->meta.id;
}

enum durability journal_durability(const struct journal *journal)
{
    return journal->durability;
}

void journal_measure(const struct journal *journal, struct journal_figures *figures)
{
    *figures = journal->figures;
    figures->segment_bytes = journal->length;
    figures->folder_bytes = journal->snapshot + journal->since;
    figures->broken = journal->broken.code != ERR_NONE;
}
