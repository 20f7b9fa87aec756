/* Answers to numbered requests, kept so that a request that is sent again is done once. What cannot be kept
 * any longer leaves its number behind: a late copy of that request is refused, never done. */
#include "store_priv.h"

#include <stdlib.h>

#define BYTES_MAX       (64 << 20) /* of all answers */
#define WRITERS_MAX     1000000
#define WRITER_KEPT_MAX 1024 /* of one client */
#define SLACK_MS        5000 /* what is due within this time is forgotten together */

static struct str writer_name(const struct writer *writer)
{
    return (struct str){writer->name, sizeof writer->name};
}

static struct writer *writer_find(const struct answers *answers, struct str name)
{
    return table_get(&answers->writers, name);
}

/* ---- The list of writers: who asked longest ago comes first ---- */

static void order_remove(struct answers *answers, struct writer *writer)
{
    *(writer->previous ? &writer->previous->next : &answers->first) = writer->next;
    *(writer->next ? &writer->next->previous : &answers->last) = writer->previous;
    if (answers->fullest == writer)
        answers->fullest = writer->next;
    writer->previous = writer->next = NULL;
}

static void order_append(struct answers *answers, struct writer *writer)
{
    writer->previous = answers->last;
    *(answers->last ? &answers->last->next : &answers->first) = writer;
    answers->last = writer;
    if (!answers->fullest)
        answers->fullest = writer;
}

static struct writer *writer_new(struct answers *answers, struct str name)
{
    struct writer *writer = mem_new(sizeof *writer);
    memcpy(writer->name, name.data, sizeof writer->name);
    table_put(&answers->writers, writer_name(writer), writer);
    order_append(answers, writer);
    return writer;
}

/* ---- What one of them is kept of ---- */

static size_t kept_bytes(const struct kept *kept)
{
    return sizeof *kept + kept->header_len + kept->value_len;
}

static void kept_remove(struct answers *answers, struct writer *writer, size_t index)
{
    answers->bytes -= kept_bytes(writer->kept[index]);
    free(writer->kept[index]);
    writer->count--;
    memmove(writer->kept + index, writer->kept + index + 1, (writer->count - index) * sizeof *writer->kept);
}

static void writer_free(struct answers *answers, struct writer *writer)
{
    while (writer->count)
        kept_remove(answers, writer, writer->count - 1);
    table_remove(&answers->writers, writer_name(writer));
    order_remove(answers, writer);
    free(writer->kept);
    free(writer);
}

/* Where the number stands or would stand: most often at the end. */
static size_t kept_place(const struct writer *writer, int64_t seq)
{
    size_t place = writer->count;
    while (place > 0 && writer->kept[place - 1]->seq >= seq)
        place--;
    return place;
}

static struct kept *kept_find(const struct writer *writer, int64_t seq)
{
    size_t place = kept_place(writer, seq);
    return place < writer->count && writer->kept[place]->seq == seq ? writer->kept[place] : NULL;
}

/* Takes kept; replaces what stands there. */
static void kept_put(struct answers *answers, struct writer *writer, struct kept *kept)
{
    size_t place = kept_place(writer, kept->seq);
    if (place < writer->count && writer->kept[place]->seq == kept->seq)
        kept_remove(answers, writer, place);
    if (writer->count == WRITER_KEPT_MAX) {
        kept_remove(answers, writer, 0);
        place -= place > 0;
    }
    mem_grow(writer->kept, writer->capacity, writer->count);
    memmove(writer->kept + place + 1, writer->kept + place, (writer->count - place) * sizeof *writer->kept);
    writer->kept[place] = kept;
    writer->count++;
    answers->bytes += kept_bytes(kept);
    if (kept->seq > writer->highest)
        writer->highest = kept->seq;
}

/* Past the limit the answers go whose clients have been silent longest. */
static void answers_limit(struct answers *answers, const struct writer *current)
{
    while (answers->bytes > BYTES_MAX && answers->fullest && answers->fullest != current) {
        struct writer *writer = answers->fullest;
        for (size_t i = writer->count; i > 0; i--)
            if (writer->kept[i - 1]->answered)
                kept_remove(answers, writer, i - 1);
        answers->fullest = writer->next;
    }
}

/* ---- The interface ---- */

enum answer_state answer_find(struct store *store, struct str client, int64_t seq, int64_t now_ms,
                              struct answer *answer)
{
    struct answers *answers = &store->answers;
    struct writer *writer = writer_find(answers, client);
    if (!writer && answers->writers.count >= WRITERS_MAX)
        return ANSWER_FULL;
    if (!writer)
        writer = writer_new(answers, client);
    writer->used_ms = now_ms;
    if (writer != answers->last) {
        order_remove(answers, writer);
        order_append(answers, writer);
    }
    const struct kept *kept = kept_find(writer, seq);
    if (!kept)
        return seq > writer->highest ? ANSWER_NEW : ANSWER_GONE;
    if (!kept->answered)
        return ANSWER_OPEN;
    const char *value = kept->bytes + kept->header_len;
    *answer =
        (struct answer){{kept->bytes, kept->header_len}, {kept->has_value ? value : NULL, kept->value_len}};
    return ANSWER_KEPT;
}

void answer_open(struct store *store, struct str client, int64_t seq)
{
    struct writer *writer = writer_find(&store->answers, client);
    if (!writer || kept_find(writer, seq))
        return;
    struct kept *kept = mem_new(sizeof *kept);
    kept->seq = seq;
    note_answer(store, writer, kept);
    kept_put(&store->answers, writer, kept);
}

void answer_expect(struct store *store, struct str client, int64_t seq)
{
    answer_open(store, client, seq);
    writer_find(&store->answers, client)->waiting++;
}

void answer_unexpect(struct store *store, struct str client)
{
    writer_find(&store->answers, client)->waiting--;
}

void answer_keep(struct store *store, struct str client, int64_t seq, const struct answer *answer)
{
    struct writer *writer = writer_find(&store->answers, client);
    if (!writer)
        return;
    struct kept *kept = mem_new(sizeof *kept + answer->header.len + answer->value.len);
    *kept = (struct kept){.seq = seq,
                          .header_len = answer->header.len,
                          .value_len = answer->value.len,
                          .answered = true,
                          .has_value = answer->value.data != NULL};
    memcpy(kept->bytes, answer->header.data, answer->header.len);
    if (answer->value.len)
        memcpy(kept->bytes + answer->header.len, answer->value.data, answer->value.len);
    note_answer(store, writer, kept);
    kept_put(&store->answers, writer, kept);
    answers_limit(&store->answers, writer);
}

void answers_done(struct store *store, struct str client, int64_t done)
{
    struct writer *writer = writer_find(&store->answers, client);
    size_t count = writer ? kept_place(writer, done) : 0;
    if (count == 0)
        return;
    note_done(store, writer, done);
    for (size_t i = 0; i < count; i++) {
        store->answers.bytes -= kept_bytes(writer->kept[i]);
        free(writer->kept[i]);
    }
    writer->count -= count;
    memmove(writer->kept, writer->kept + count, writer->count * sizeof *writer->kept);
}

int64_t answers_due(const struct store *store)
{
    const struct writer *oldest = store->answers.first;
    return oldest ? oldest->used_ms + ANSWER_KEPT_MS + SLACK_MS : -1;
}

void answers_expire(struct store *store, int64_t now_ms)
{
    struct answers *answers = &store->answers;
    for (struct writer *writer; (writer = answers->first) && now_ms - writer->used_ms >= ANSWER_KEPT_MS;) {
        if (!writer->waiting) {
            writer_free(answers, writer);
            continue;
        }
        writer->used_ms = now_ms; /* its minute begins when nothing of it waits any more */
        order_remove(answers, writer);
        order_append(answers, writer);
    }
    if (!answers->first)
        table_release(&answers->writers);
}

void answers_restore(struct store *store, struct str client, int64_t highest)
{
    struct writer *writer = writer_find(&store->answers, client);
    if (!writer)
        writer = writer_new(&store->answers, client);
    writer->used_ms = time_now_ms();
    if (highest > writer->highest)
        writer->highest = highest;
}

void answer_undo(struct store *store, struct str client, int64_t seq)
{
    struct writer *writer = writer_find(&store->answers, client);
    struct kept *kept = writer ? kept_find(writer, seq) : NULL;
    if (!kept)
        return;
    store->answers.bytes -= kept->header_len + kept->value_len;
    kept->header_len = kept->value_len = 0;
    kept->answered = kept->has_value = false;
}

void answers_release(struct answers *answers)
{
    while (answers->first)
        writer_free(answers, answers->first);
    table_release(&answers->writers);
}
