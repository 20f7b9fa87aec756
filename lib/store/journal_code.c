/* Changes of the store as frames, and back. */
#include "journal_priv.h"

#define CHANGE_DELETED 1
#define CHANGE_REBORN  2

/* ---- To frames ---- */

void code_record(struct buf *buf, const struct record *record)
{
    size_t begin = frame_begin(buf, FRAME_CHANGE, record->revision);
    put_str(buf, space_name(record->space));
    put_int(buf, record->time_ms);
    put_str(buf, str_of(record->who ? record->who : ""));
    put_u32(buf, (uint32_t)record->count);
    for (size_t i = 0; i < record->count; i++) {
        const struct change *change = &record->changes[i];
        put_str(buf, entry_key(change->entry));
        buf_add_char(buf,
                     (char)((change->value ? 0 : CHANGE_DELETED) | (change->reborn ? CHANGE_REBORN : 0)));
        if (change->value)
            put_value(buf, change->value);
    }
    frame_end(buf, begin);
}

void code_session(struct buf *buf, const struct session *session, int64_t revision)
{
    size_t begin = frame_begin(buf, FRAME_SESSION, revision);
    put_str(buf, session_name(session));
    put_int(buf, session->start);
    frame_end(buf, begin);
}

void code_expires(struct buf *buf, const struct session *session, int64_t revision)
{
    size_t begin = frame_begin(buf, FRAME_EXPIRES, revision);
    put_str(buf, session_name(session));
    frame_end(buf, begin);
}

void code_close(struct buf *buf, const struct session *session, int64_t revision)
{
    size_t begin = frame_begin(buf, FRAME_CLOSE, revision);
    put_str(buf, session_name(session));
    frame_end(buf, begin);
}

void code_place(struct buf *buf, const struct place *place, int64_t revision)
{
    size_t begin = frame_begin(buf, FRAME_PLACE, revision);
    put_str(buf, session_name(place->session));
    put_str(buf, space_name(place->space));
    put_int(buf, place->cursor);
    put_int(buf, place->wrote);
    put_int(buf, place->offered);
    put_int(buf, (int64_t)place->offered_hash);
    frame_end(buf, begin);
}

void code_check(struct buf *buf, const struct place *place, const struct check *check, int64_t revision)
{
    size_t begin = frame_begin(buf, FRAME_CHECK, revision);
    put_str(buf, session_name(place->session));
    put_str(buf, space_name(place->space));
    put_int(buf, (int64_t)check->hash);
    put_int(buf, check->revision);
    frame_end(buf, begin);
}

void code_space(struct buf *buf, const struct space *space, int64_t revision)
{
    size_t begin = frame_begin(buf, FRAME_SPACE, revision);
    put_str(buf, space_name(space));
    put_int(buf, space->trimmed);
    frame_end(buf, begin);
}

void code_dropped(struct buf *buf, const struct store *store)
{
    size_t begin = frame_begin(buf, FRAME_DROPPED, store->revision);
    put_int(buf, store->dropped);
    frame_end(buf, begin);
}

void code_owner(struct buf *buf, const struct entry *entry, int64_t revision)
{
    const struct owned *owner = entry->owner;
    bool orphan = owner == &entry->space->store->orphans;
    const struct session *session =
        owner && !orphan ? (const void *)((const char *)owner - offsetof(struct session, owned)) : NULL;
    size_t begin = frame_begin(buf, FRAME_OWNER, revision);
    put_str(buf, space_name(entry->space));
    put_str(buf, entry_key(entry));
    buf_add_char(buf, (char)(session ? 1 : orphan ? 2 : 0));
    put_str(buf, session ? session_name(session) : STR(""));
    frame_end(buf, begin);
}

void code_key(struct buf *buf, const struct entry *entry, const struct version *version, int64_t revision)
{
    size_t begin = frame_begin(buf, FRAME_KEY, revision);
    put_str(buf, space_name(entry->space));
    put_str(buf, entry_key(entry));
    put_int(buf, version->revision);
    put_value(buf, version->value);
    frame_end(buf, begin);
}

void code_answer(struct buf *buf, const struct writer *writer, const struct kept *kept, int64_t revision)
{
    struct str header = {kept->bytes, kept->header_len};
    size_t begin = frame_begin(buf, kept->answered ? FRAME_ANSWER : FRAME_EXPECT, revision);
    put_str(buf, (struct str){writer->name, sizeof writer->name});
    put_int(buf, kept->seq);
    if (kept->answered) {
        buf_add_char(buf, kept->has_value);
        put_str(buf, header);
        put_str(buf, (struct str){kept->bytes + kept->header_len, kept->value_len});
    }
    frame_end(buf, begin);
}

void code_number(struct buf *buf, enum frame_kind kind, const struct writer *writer, int64_t seq,
                 int64_t revision)
{
    size_t begin = frame_begin(buf, kind, revision);
    put_str(buf, (struct str){writer->name, sizeof writer->name});
    put_int(buf, seq);
    frame_end(buf, begin);
}

/* ---- And back ---- */

/* A payload that is read from its front; ok turns false where it ends too early. */
struct reader {
    struct str left;
    bool ok;
};

static uint64_t take_number(struct reader *reader, size_t bytes)
{
    uint64_t number = 0;
    reader->ok = reader->ok && reader->left.len >= bytes;
    for (size_t i = 0; reader->ok && i < bytes; i++)
        number |= (uint64_t)(unsigned char)reader->left.data[i] << 8 * i;
    if (reader->ok)
        reader->left = (struct str){reader->left.data + bytes, reader->left.len - bytes};
    return number;
}

static int64_t take_int(struct reader *reader)
{
    return (int64_t)take_number(reader, 8);
}

static struct str take_str(struct reader *reader)
{
    size_t len = take_number(reader, 4);
    reader->ok = reader->ok && reader->left.len >= len;
    if (!reader->ok)
        return STR("");
    struct str s = {reader->left.data, len};
    reader->left = (struct str){reader->left.data + len, reader->left.len - len};
    return s;
}

static struct value *take_value(struct reader *reader, struct err *err)
{
    struct str text = take_str(reader);
    return value_parse(text, err);
}

static bool is_short(struct err *err)
{
    return err_set(err, ERR_INVALID, "the record is too short");
}

static struct space *take_space(struct reader *reader, struct store *store, struct err *err)
{
    struct str name = take_str(reader);
    if (reader->ok && space_name_valid(name))
        return store_space(store, name, err);
    err_set(err, ERR_INVALID, "the record has no valid namespace");
    return NULL;
}

static struct session *take_session(struct reader *reader, struct store *store, struct err *err)
{
    struct session *session = session_find(store, take_str(reader));
    if (!session)
        err_set(err, ERR_INVALID, "the record is about a session that is not there");
    return session;
}

static bool change_take(struct reader *reader, struct txn *txn, struct err *err)
{
    struct str key = take_str(reader);
    uint64_t flags = take_number(reader, 1);
    if (!reader->ok)
        return is_short(err);
    if (flags & CHANGE_DELETED) {
        txn_delete(txn, key);
        return true;
    }
    struct value *value = take_value(reader, err);
    if (!value || !txn_set(txn, key, value, err))
        return false;
    txn->items[txn->count - 1].reborn = (flags & CHANGE_REBORN) != 0;
    return true;
}

/* As it was committed: through a transaction. */
static bool apply_change(struct store *store, const struct frame *frame, struct reader *reader,
                         struct err *err)
{
    struct space *space = take_space(reader, store, err);
    int64_t time_ms = take_int(reader);
    struct str who = take_str(reader);
    uint64_t count = take_number(reader, 4);
    if (!space || !reader->ok)
        return is_short(err);
    if (frame->revision <= store->revision)
        return err_set(err, ERR_INVALID, "revision %lld comes after %lld", (long long)frame->revision,
                       (long long)store->revision);
    struct txn *txn = txn_begin(space);
    for (uint64_t i = 0; i < count; i++)
        if (!change_take(reader, txn, err)) {
            txn_abort(txn);
            return false;
        }
    store->revision = frame->revision - 1;
    if (!txn_commit(txn, time_ms, who, err))
        return false;
    struct session *writer = session_find(store, who);
    struct place *place = writer ? session_place(writer, space) : NULL;
    if (place)
        place->wrote = frame->revision;
    return true;
}

static struct place *take_place(struct reader *reader, struct store *store, struct err *err)
{
    struct session *session = take_session(reader, store, err);
    struct space *space = session ? take_space(reader, store, err) : NULL;
    if (!space || !session_enter(session, space, err))
        return NULL;
    return session_place(session, space);
}

static bool apply_place(struct store *store, struct reader *reader, struct err *err)
{
    struct place *place = take_place(reader, store, err);
    if (!place)
        return false;
    place->cursor = take_int(reader);
    place->wrote = take_int(reader);
    place->offered = take_int(reader);
    place->offered_hash = take_number(reader, 8);
    return reader->ok || is_short(err);
}

static bool apply_check(struct store *store, struct reader *reader, struct err *err)
{
    struct place *place = take_place(reader, store, err);
    uint64_t hash = take_number(reader, 8);
    int64_t revision = take_int(reader);
    if (!place || !reader->ok)
        return place && is_short(err);
    place_check(place, hash, revision);
    return true;
}

static bool apply_space(struct store *store, struct reader *reader, struct err *err)
{
    struct space *space = take_space(reader, store, err);
    int64_t trimmed = take_int(reader);
    if (!space || !reader->ok)
        return space && is_short(err);
    space->trimmed = trimmed;
    return true;
}

static bool apply_dropped(struct store *store, struct reader *reader, struct err *err)
{
    int64_t dropped = take_int(reader);
    if (!reader->ok)
        return is_short(err);
    store->dropped = store->nowhere->trimmed = dropped;
    return true;
}

static bool apply_key(struct store *store, struct reader *reader, struct err *err)
{
    struct space *space = take_space(reader, store, err);
    struct str key = take_str(reader);
    int64_t revision = take_int(reader);
    if (!space || !reader->ok || key.len == 0 || key.len > STORE_KEY_MAX || space_find(space, key))
        return err_set(err, ERR_INVALID, "the record has no valid key");
    struct value *value = take_value(reader, err);
    if (!value)
        return false;
    entry_change(space_entry(space, key), revision, value, false);
    return true;
}

static bool apply_owner(struct store *store, struct reader *reader, struct err *err)
{
    struct space *space = take_space(reader, store, err);
    struct str key = take_str(reader);
    uint64_t kind = take_number(reader, 1);
    struct str name = take_str(reader);
    struct entry *entry = space && reader->ok ? space_find(space, key) : NULL;
    struct session *session = kind == 1 ? session_find(store, name) : NULL;
    if (!entry || !entry_value(entry, NOW) || (kind == 1 && !session))
        return err_set(err, ERR_INVALID, "the record is about a key or a session that is not there");
    entry_disown(entry);
    if (kind != 0)
        entry_own(entry, session ? &session->owned : &store->orphans);
    return true;
}

static bool apply_session(struct store *store, struct reader *reader, struct err *err)
{
    struct str name = take_str(reader);
    int64_t start = take_int(reader);
    return reader->ok ? session_open(store, name, start, err) != NULL : is_short(err);
}

/* Its hour begins anew. */
static bool apply_expires(struct store *store, struct reader *reader, struct err *err)
{
    struct session *session = take_session(reader, store, err);
    if (session)
        session_expires(store, session, time_now_ms());
    return session != NULL;
}

static bool apply_close(struct store *store, struct reader *reader, struct err *err)
{
    struct session *session = take_session(reader, store, err);
    if (session)
        session_close(store, session);
    return session != NULL;
}

static bool apply_answer(struct store *store, const struct frame *frame, struct reader *reader,
                         struct err *err)
{
    struct str client = take_str(reader);
    int64_t seq = take_int(reader);
    if (!reader->ok || client.len != sizeof((struct writer *)0)->name)
        return is_short(err);
    answers_restore(store, client, frame->kind == FRAME_WRITER ? seq : 0);
    if (frame->kind == FRAME_EXPECT)
        answer_open(store, client, seq);
    if (frame->kind == FRAME_DONE)
        answers_done(store, client, seq);
    if (frame->kind != FRAME_ANSWER)
        return true;
    bool has_value = take_number(reader, 1) != 0;
    struct str header = take_str(reader), value = take_str(reader);
    if (!reader->ok)
        return is_short(err);
    answer_keep(store, client, seq,
                &(struct answer){header, {has_value ? value.data : NULL, has_value ? value.len : 0}});
    return true;
}

void code_undo_answers(struct store *store, struct str frames)
{
    struct frame frame;
    for (size_t at = 0; frame_read(frames, at, &frame); at += frame.size) {
        struct reader reader = {frame.payload, true};
        if (frame.kind != FRAME_ANSWER && frame.kind != FRAME_EXPECT)
            continue;
        struct str client = take_str(&reader);
        answer_undo(store, client, take_int(&reader));
    }
}

bool code_apply(struct store *store, const struct frame *frame, struct err *err)
{
    struct reader reader = {frame->payload, true};
    switch (frame->kind) {
    case FRAME_CHANGE:
        return apply_change(store, frame, &reader, err);
    case FRAME_REVISION:
        if (frame->revision > store->revision)
            store->revision = frame->revision;
        return true;
    case FRAME_SESSION:
        return apply_session(store, &reader, err);
    case FRAME_EXPIRES:
        return apply_expires(store, &reader, err);
    case FRAME_CLOSE:
        return apply_close(store, &reader, err);
    case FRAME_PLACE:
        return apply_place(store, &reader, err);
    case FRAME_CHECK:
        return apply_check(store, &reader, err);
    case FRAME_ANSWER:
    case FRAME_EXPECT:
    case FRAME_DONE:
    case FRAME_WRITER:
        return apply_answer(store, frame, &reader, err);
    case FRAME_OWNER:
        return apply_owner(store, &reader, err);
    case FRAME_SPACE:
        return apply_space(store, &reader, err);
    case FRAME_DROPPED:
        return apply_dropped(store, &reader, err);
    case FRAME_KEY:
        return apply_key(store, &reader, err);
    default:
        return err_set(err, ERR_INVALID, "a record of kind %d stands at the wrong place", (int)frame->kind);
    }
}
