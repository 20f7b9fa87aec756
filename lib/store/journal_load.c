/* Recovery: the newest snapshot that is whole, then every segment behind it. */
#include "journal_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* What the folder holds. */
struct folder {
    uint64_t *logs, *snapshots;
    size_t log_count, snapshot_count;
};

static bool damaged(const struct journal *journal, const char *name, size_t offset, const char *why,
                    struct err *err)
{
    return err_set(err, ERR_INTERNAL,
                   "'%s/%s' is damaged at byte %zu%s%s; restore it, or keep what is before with --repair",
                   journal->path, name, offset, why ? ": " : "", why ? why : "");
}

/* The end of the frames from offset on that count together; SIZE_MAX when one is not good: *bad is where. */
static size_t group_end(struct str bytes, size_t offset, size_t *bad)
{
    struct frame frame;
    do {
        *bad = offset;
        if (!frame_read(bytes, offset, &frame))
            return SIZE_MAX;
        offset += frame.size;
    } while (frame.more);
    return offset;
}

/* Applies the frames from offset on, group by group; false at the first that is not good: *offset is where
 * its group begins, *bad where it stands. */
static bool frames_apply(struct journal *journal, struct str bytes, size_t *offset, size_t *bad,
                         struct err *why)
{
    while (*offset < bytes.len) {
        size_t end = group_end(bytes, *offset, bad);
        if (end == SIZE_MAX)
            return false;
        struct frame frame;
        for (*bad = *offset; *bad < end; *bad += frame.size)
            if (!frame_read(bytes, *bad, &frame) || !code_apply(journal->store, &frame, why))
                return false;
        *offset = end;
        store_tidy(journal->store); /* as often as the server did */
    }
    return true;
}

/* ---- Snapshots ---- */

/* Where the snapshot is not good; its length when it is whole. */
static size_t snapshot_check(struct journal *journal, struct str bytes, struct err *why)
{
    struct frame frame;
    uint64_t before;
    if (!file_first_read(bytes, journal->meta.id, &frame, &before, why))
        return 0;
    size_t offset = frame.size;
    while (frame_read(bytes, offset, &frame)) {
        if (frame.kind == FRAME_END && offset + frame.size == bytes.len)
            return bytes.len;
        offset += frame.size;
    }
    return offset < bytes.len ? offset : bytes.len - 1;
}

static bool snapshot_apply(struct journal *journal, const char *name, struct str bytes, struct err *err)
{
    struct frame frame;
    struct err why = {0};
    frame_read(bytes, 0, &frame);
    for (size_t at = frame.size; frame_read(bytes, at, &frame) && frame.kind != FRAME_END; at += frame.size)
        if (!code_apply(journal->store, &frame, &why))
            return damaged(journal, name, at, why.message, err);
    return true;
}

/* Loads the newest snapshot that is whole; *number is its number, 0 when there is none. */
static bool snapshot_load(struct journal *journal, const struct folder *folder, uint64_t *number,
                          struct err *err)
{
    struct err first = {0};
    *number = 0;
    for (size_t i = folder->snapshot_count; i > 0 && !*number; i--) {
        char name[FILE_NAME_MAX];
        struct mapped mapped;
        struct err why = {0};
        file_name(name, FILE_SNAPSHOT, folder->snapshots[i - 1]);
        if (!file_map(journal->folder, name, &mapped, err))
            return false;
        size_t good = snapshot_check(journal, mapped.bytes, &why);
        bool whole = mapped.bytes.len && good == mapped.bytes.len;
        bool ok = !whole || snapshot_apply(journal, name, mapped.bytes, err);
        if (whole) {
            *number = folder->snapshots[i - 1];
            journal->snapshot = (int64_t)mapped.bytes.len;
        } else if (first.code == ERR_NONE) {
            err_set(&first, ERR_INTERNAL, "'%s/%s' is damaged at byte %zu%s%s, and nothing replaces it",
                    journal->path, name, good, why.message[0] ? ": it " : "", why.message);
        }
        file_unmap(&mapped);
        if (!ok)
            return false;
    }
    if (first.code == ERR_NONE)
        return true;
    /* An older one, or none, will do when every segment since is there. */
    if (*number || (folder->log_count && folder->logs[0] == 1)) {
        journal_say(journal, "%s; older files are used", first.message);
        return true;
    }
    *err = first;
    return false;
}

/* ---- Segments ---- */

/* Bytes of the segment that count: its successor says; all when nothing does. */
static size_t log_limit(struct journal *journal, uint64_t next, size_t len, bool *known)
{
    char name[FILE_NAME_MAX];
    struct mapped mapped;
    struct frame frame;
    uint64_t before;
    file_name(name, FILE_LOG, next);
    *known = false;
    if (!file_map(journal->folder, name, &mapped, NULL))
        return len;
    *known = file_first_read(mapped.bytes, journal->meta.id, &frame, &before, NULL);
    file_unmap(&mapped);
    return *known ? (size_t)before : len;
}

/* A later segment began when everything before it was on the disk. */
static bool synced_later(struct journal *journal, const struct folder *folder, uint64_t number)
{
    bool synced = false;
    for (size_t i = 0; i < folder->log_count && !synced; i++) {
        char name[FILE_NAME_MAX];
        struct mapped mapped;
        struct frame frame;
        file_name(name, FILE_LOG, folder->logs[i]);
        if (folder->logs[i] <= number || !file_map(journal->folder, name, &mapped, NULL))
            continue;
        synced = frame_read(mapped.bytes, 0, &frame) && frame.synced;
        file_unmap(&mapped);
    }
    return synced;
}

/* Puts the later segments, and what stands in this one from offset on, aside. */
static bool rest_aside(struct journal *journal, const struct folder *folder, uint64_t number,
                       struct str bytes, size_t offset, struct err *err)
{
    char name[FILE_NAME_MAX], aside[FILE_NAME_MAX + 16];
    for (size_t i = 0; i < folder->log_count; i++) {
        if (folder->logs[i] <= number)
            continue;
        file_name(name, FILE_LOG, folder->logs[i]);
        snprintf(aside, sizeof aside, "%s.damaged", name);
        if (renameat(journal->folder, name, journal->folder, aside) != 0)
            return err_errno(err, errno, "cannot rename '%s/%s'", journal->path, name);
    }
    file_name(name, FILE_LOG, number);
    snprintf(aside, sizeof aside, "%s.damaged", name);
    AUTO_FD int fd = openat(journal->folder, aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct buf rest = {.data = (char *)bytes.data + offset, .len = bytes.len - offset};
    if (fd < 0)
        return err_errno(err, errno, "cannot make '%s/%s'", journal->path, aside);
    return journal_write_fd(journal, fd, &rest, aside, err);
}

/* The segment counts up to at[0] only, since what stands at at[1] is not good. Decides between a tail that
 * was never finished, which is cut off, and damage. After a crash of the server alone what was written is a
 * prefix; after a power loss anything that was not synced may be missing. */
static bool log_cut(struct journal *journal, const struct folder *folder, uint64_t number, struct str bytes,
                    const size_t at[2], const char *why, struct err *err)
{
    char boot[37], name[FILE_NAME_MAX];
    boot_id(boot);
    file_name(name, FILE_LOG, number);
    bool power_lost = strcmp(boot, journal->meta.boot) != 0;
    bool last = number == folder->logs[folder->log_count - 1];
    bool torn = !why && !frame_behind(bytes, at[1], power_lost) &&
                (last || (power_lost && !synced_later(journal, folder, number)));
    if (!torn && !journal->repair)
        return damaged(journal, name, at[1], why, err);
    if ((!torn || !last) && !rest_aside(journal, folder, number, bytes, at[0], err))
        return false;
    if (torn && last)
        journal_say(journal, "cut %zu bytes off '%s/%s' at byte %zu: a record that was never finished",
                    bytes.len - at[0], journal->path, name, at[0]);
    else
        journal_say(journal, "'%s/%s' is damaged at byte %zu: what is behind was put aside as *.damaged",
                    journal->path, name, at[1]);
    return true;
}

/* Loads one segment; *go_on turns false when nothing behind it counts any more. */
static bool log_load(struct journal *journal, const struct folder *folder, uint64_t number, bool *go_on,
                     struct err *err)
{
    char name[FILE_NAME_MAX];
    struct mapped mapped;
    struct frame frame;
    struct err why = {0};
    uint64_t before;
    bool last = number == folder->logs[folder->log_count - 1], known = false;
    file_name(name, FILE_LOG, number);
    if (!file_map(journal->folder, name, &mapped, err))
        return false;
    size_t limit = last ? mapped.bytes.len : log_limit(journal, number + 1, mapped.bytes.len, &known);
    size_t at[2] = {0, 0}, end = limit < mapped.bytes.len ? limit : mapped.bytes.len;
    bool good = file_first_read(mapped.bytes, journal->meta.id, &frame, &before, &why);
    if (good) {
        at[0] = at[1] = frame.size;
        good =
            frames_apply(journal, (struct str){mapped.bytes.data, end}, &at[0], &at[1], &why) && end == limit;
    } else if (!frame_read(mapped.bytes, 0, &frame)) {
        why.message[0] = '\0';
    }
    bool ok =
        good || log_cut(journal, folder, number, mapped.bytes, at, why.message[0] ? why.message : NULL, err);
    *go_on = good;
    if (at[0] == 0 && journal->number) {
        /* Not even begun: the one before it goes on. */
        unlinkat(journal->folder, name, 0);
        file_unmap(&mapped);
        return ok;
    }
    journal->number = number;
    journal->length = (int64_t)at[0];
    journal->since += (int64_t)at[0];
    file_unmap(&mapped);
    return ok;
}

static bool logs_load(struct journal *journal, const struct folder *folder, uint64_t from, struct err *err)
{
    bool go_on = true;
    uint64_t next = from;
    for (size_t i = 0; i < folder->log_count && go_on; i++) {
        if (folder->logs[i] < from)
            continue;
        if (folder->logs[i] != next++)
            return err_set(err, ERR_INTERNAL, "'%s/log-%016llx' is missing", journal->path,
                           (unsigned long long)next - 1);
        if (!log_load(journal, folder, folder->logs[i], &go_on, err))
            return false;
    }
    return true;
}

bool journal_load(struct journal *journal, struct err *err)
{
    struct folder folder = {0};
    uint64_t snapshot = 0;
    bool ok = folder_list(journal->folder, FILE_LOG, &folder.logs, &folder.log_count, err) &&
              folder_list(journal->folder, FILE_SNAPSHOT, &folder.snapshots, &folder.snapshot_count, err) &&
              snapshot_load(journal, &folder, &snapshot, err) &&
              logs_load(journal, &folder, snapshot ? snapshot : 1, err);
    /* Its segment may not have been begun yet. */
    if (ok && journal->number == 0 && snapshot)
        journal->number = snapshot;
    free(folder.logs);
    free(folder.snapshots);
    return ok;
}
