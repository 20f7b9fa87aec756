/* What the journal's files share: frames, segment and snapshot files, what a folder holds. */
#ifndef ZPROC_STORE_JOURNAL_PRIV_H
#define ZPROC_STORE_JOURNAL_PRIV_H

#include "store_priv.h"

/* ---- Frames: u32 length of what follows the checksum, u32 CRC-32C over length and that, u8 kind, u64
 * revision of the store, payload. Little-endian. ---- */

#define FRAME_HEAD 17
/* Flags of the kind. */
#define FRAME_MORE   0x40 /* it counts only together with the frame that follows */
#define FRAME_SYNCED 0x80 /* all that stands before it was on the disk when it was written */

/* What a payload holds; strings are a u32 length and bytes, numbers 64 bits. */
enum frame_kind {
    FRAME_FIRST = 1, /* of each file: magic, store id, bytes of the segment before that count */
    FRAME_CHANGE,    /* a record: namespace, time, who, u32 count, (key, u8 flags, value) */
    FRAME_REVISION,  /* no revision up to this one is used again */
    FRAME_SESSION,   /* session_open: name, start */
    FRAME_CLOSE,     /* session_close: name */
    FRAME_PLACE,   /* a session's place as it is now: session, namespace, cursor, wrote, offered, its hash */
    FRAME_CHECK,   /* session, namespace, hash, revision */
    FRAME_SPACE,   /* snapshots: namespace, trimmed */
    FRAME_KEY,     /* snapshots: namespace, key, revision, value */
    FRAME_ANSWER,  /* a kept answer: client, seq, u8 has a value, header, value */
    FRAME_EXPECT,  /* answer_expect: client, seq */
    FRAME_DONE,    /* answers_done: client, seq */
    FRAME_WRITER,  /* snapshots: client, highest seq */
    FRAME_END,     /* snapshots: it is complete */
    FRAME_OWNER,   /* an ephemeral key's owner: namespace, key, u8 0 nobody 1 session 2 orphan, session */
    FRAME_EXPIRES, /* session_expires: name */
    FRAME_DROPPED, /* snapshots: newest revision of spaces that are not there any more */
    FRAME_KINDS
};

struct frame {
    enum frame_kind kind;
    bool synced, more;
    int64_t revision;
    struct str payload;
    size_t size; /* of the whole frame */
};

uint32_t crc32c(uint32_t crc, const void *data, size_t len);
/* Begins a frame at the end of buf; frame_end fills in what is known only then. Returns where it begins. */
size_t frame_begin(struct buf *buf, enum frame_kind kind, int64_t revision);
void frame_end(struct buf *buf, size_t begin);
/* Sets or clears flags of a finished frame. */
void frame_mark(struct buf *buf, size_t begin, int set, int clear);
void put_u32(struct buf *buf, uint32_t number);
void put_int(struct buf *buf, int64_t number);
void put_str(struct buf *buf, struct str s);
void put_value(struct buf *buf, const struct value *value);
/* The frame at offset; false when there is no good one. */
bool frame_read(struct str file, size_t offset, struct frame *frame);
/* A good frame stands somewhere behind offset (only_synced: with the flag). */
bool frame_behind(struct str file, size_t offset, bool only_synced);

/* ---- Changes as frames, and back ---- */

void code_record(struct buf *buf, const struct record *record);
void code_session(struct buf *buf, const struct session *session, int64_t revision);
void code_expires(struct buf *buf, const struct session *session, int64_t revision);
void code_close(struct buf *buf, const struct session *session, int64_t revision);
void code_place(struct buf *buf, const struct place *place, int64_t revision);
void code_check(struct buf *buf, const struct place *place, const struct check *check, int64_t revision);
void code_answer(struct buf *buf, const struct writer *writer, const struct kept *kept, int64_t revision);
/* FRAME_DONE, FRAME_WRITER */
void code_number(struct buf *buf, enum frame_kind kind, const struct writer *writer, int64_t seq,
                 int64_t revision);
void code_space(struct buf *buf, const struct space *space, int64_t revision);
void code_dropped(struct buf *buf, const struct store *store);
void code_owner(struct buf *buf, const struct entry *entry, int64_t revision);
void code_key(struct buf *buf, const struct entry *entry, const struct version *version, int64_t revision);
/* Does to the store what the frame tells. ERR_INVALID when that makes no sense. */
bool code_apply(struct store *store, const struct frame *frame, struct err *err);

/* The answers among these frames will not be given: their requests are open. */
void code_undo_answers(struct store *store, struct str frames);

/* ---- Files ---- */

enum journal_file { FILE_LOG, FILE_SNAPSHOT };
#define FILE_NAME_MAX 64
void file_name(char out[FILE_NAME_MAX], enum journal_file kind, uint64_t number);
/* The numbers of the files of a kind, ascending; the caller frees them. Removes what was not finished. */
bool folder_list(int folder, enum journal_file kind, uint64_t **numbers, size_t *count, struct err *err);
/* A file's bytes. */
struct mapped {
    struct str bytes;
    void *memory;
};
bool file_map(int folder, const char *name, struct mapped *mapped, struct err *err);
void file_unmap(struct mapped *mapped);
/* The first frame of a file. */
void file_first(struct buf *buf, const char *id, uint64_t before);
/* Reads it: before is the number of bytes of the segment before that count. ERR_INVALID for another store. */
bool file_first_read(struct str bytes, const char *id, struct frame *frame, uint64_t *before,
                     struct err *err);

/* ---- The file `meta` ---- */

struct meta {
    char id[33], boot[37];
    int64_t ceiling; /* no revision beyond it was used */
    enum durability durability;
    bool clean; /* all was synced when the last server ended */
};
#define CEILING_STEP 1000000
void boot_id(char out[37]);
/* found: there is one. */
bool meta_read(int folder, struct meta *meta, bool *found, struct err *err);
/* Written aside, synced, renamed, the folder synced. lazy: without syncing. */
bool meta_write(int folder, const struct meta *meta, const struct journal_io *io, bool lazy, struct err *err);

/* ---- The journal ---- */

struct journal {
    struct store *store;
    char *path;
    enum durability durability;
    bool repair;
    void (*say)(const char *message);
    struct journal_io io;
    int64_t segment_max;
    int folder, lock, fd; /* fd: the present segment; -1: none can be written */
    struct meta meta;
    uint64_t number;   /* of the present segment */
    int64_t length;    /* its bytes that count */
    int64_t rotate_at; /* its length at which the next segment begins */
    int64_t synced;    /* its bytes that are on the disk */
    int64_t since;     /* bytes of all segments since the newest snapshot */
    int64_t snapshot;  /* bytes of the newest snapshot */
    int64_t sync_at;   /* `second`: when to sync; -1: nothing is unsynced */
    int64_t meta_at;   /* `process`: when to sync the meta of a new folder; -1: it is synced */
    bool meta_due;     /* the meta of this server could not be written yet */
    int64_t retry_at;  /* not to try sooner to begin a new segment */
    int64_t undone;    /* the newest revision that was undone; never used again */
    pid_t child;       /* writes a snapshot; 0: there is none */
    uint64_t child_number;
    struct err broken;  /* why nothing can be written; ERR_NONE: it can */
    struct buf pending; /* frames; all of them count or none */
    size_t last;        /* where the last of them begins */
    struct journal_figures figures;
};

void journal_say(const struct journal *journal, const char *format, ...) PRINTF_LIKE(2, 3);
bool journal_sync_fd(struct journal *journal, int fd, const char *name, struct err *err);
bool journal_write_fd(struct journal *journal, int fd, const struct buf *buf, const char *name,
                      struct err *err);
/* Loads the folder into the store; leaves number, length, since and snapshot as they stand (number 0: there
 * is nothing yet). */
bool journal_load(struct journal *journal, struct err *err);
/* Writes the store as it is to snapshot-NUMBER: aside, synced, renamed. */
bool snapshot_write(struct journal *journal, uint64_t number, struct err *err);
/* Removes segments and snapshots before the number. */
void files_forget(struct journal *journal, uint64_t number);

#endif
