/* The items of a map in order. The output of the first that has not ended goes straight out; that of later
 * ones is held: in memory while it is little, else in a file without a name. */
#include "map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUT_ENOUGH (256 * 1024)
#define HELD_MAX   (64 << 20)
#define READ_BACK  65536

void order_open(struct order *order)
{
    struct stat st;
    char path[32];
    *order = (struct order){.fd = STDOUT_FILENO, .own = -1, .spill = -1, .last = '\n'};
    bool known = fstat(STDOUT_FILENO, &st) == 0;
    order->is_socket = known && S_ISSOCK(st.st_mode);
    order->is_terminal = isatty(STDOUT_FILENO);
    if (!known || !(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
        return;
    /* O_NONBLOCK on what we were given would change it for the shell too. */
    snprintf(path, sizeof path, "/proc/self/fd/%d", STDOUT_FILENO);
    order->own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (order->own >= 0)
        order->fd = order->own;
}

static void held_release(struct held *held)
{
    buf_release(&held->memory);
    free(held->pieces);
}

struct item *order_item(const struct order *order, int64_t number)
{
    return &order->items[(size_t)number & (order->capacity - 1)];
}

static void item_release(struct item *item)
{
    free(item->text);
    held_release(&item->held);
    *item = (struct item){0};
}

void order_release(struct order *order)
{
    for (; order->first < order->next; order->first++)
        item_release(order_item(order, order->first));
    free(order->items);
    buf_release(&order->out);
    fd_close(&order->own);
    fd_close(&order->spill);
}

static void ring_grow(struct order *order)
{
    size_t capacity = order->capacity ? order->capacity * 2 : 64;
    struct item *items = mem_array(capacity, sizeof *items);
    for (int64_t i = order->first; i < order->next; i++)
        items[(size_t)i & (capacity - 1)] = *order_item(order, i);
    free(order->items);
    order->items = items;
    order->capacity = capacity;
}

int64_t order_add(struct order *order, char *text, size_t len)
{
    if ((size_t)(order->next - order->first) == order->capacity)
        ring_grow(order);
    *order_item(order, order->next) = (struct item){.text = text, .len = len};
    return order->next++;
}

/* ---- The spill file ---- */

static int spill_make(struct err *err)
{
    const char *folder = getenv("TMPDIR");
    folder = folder && *folder ? folder : "/tmp";
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
        AUTO_FREE char *name = mem_format("%s/zproc-map-XXXXXX", folder);
        fd = mkostemp(name, O_CLOEXEC);
        if (fd >= 0)
            unlink(name);
    }
    if (fd < 0)
        err_errno(err, errno, "cannot keep the output of items in a file of '%s' (see TMPDIR)", folder);
    return fd;
}

static bool spill_write(struct order *order, struct str bytes, struct err *err)
{
    while (bytes.len > 0) {
        ssize_t wrote = pwrite(order->spill, bytes.data, bytes.len, order->spill_end);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return err_errno(err, errno, "cannot keep the output of items in a temporary file (see TMPDIR)");
        order->spill_end += wrote;
        bytes.data += wrote;
        bytes.len -= (size_t)wrote;
    }
    return true;
}

static bool held_spill(struct order *order, struct held *held, struct err *err)
{
    struct piece piece = {order->spill_end, held->memory.len};
    struct piece *last = held->piece_count > 0 ? &held->pieces[held->piece_count - 1] : NULL;
    if (order->spill < 0 && (order->spill = spill_make(err)) < 0)
        return false;
    if (!spill_write(order, buf_str(&held->memory), err))
        return false;
    if (last && held->piece_next < held->piece_count && last->at + (off_t)last->len == piece.at) {
        last->len += piece.len;
    } else {
        mem_grow(held->pieces, held->piece_capacity, held->piece_count);
        held->pieces[held->piece_count++] = piece;
        order->spilled++;
    }
    order->held -= held->memory.len;
    buf_release(&held->memory);
    held->memory = (struct buf){0};
    return true;
}

static void piece_drop(struct order *order, struct held *held)
{
    held->piece_next++;
    if (--order->spilled == 0 && ftruncate(order->spill, 0) == 0)
        order->spill_end = 0;
}

/* Moves a part of the next piece to what is written now. */
static bool piece_take(struct order *order, struct held *held, struct err *err)
{
    struct piece *piece = &held->pieces[held->piece_next];
    size_t len = piece->len < READ_BACK ? piece->len : READ_BACK;
    ssize_t got = pread(order->spill, buf_reserve(&order->out, len), len, piece->at);
    if (got <= 0)
        return err_errno(err, got < 0 ? errno : EIO, "cannot read the output of items back");
    buf_commit(&order->out, (size_t)got);
    piece->at += got;
    piece->len -= (size_t)got;
    if (piece->len == 0)
        piece_drop(order, held);
    return true;
}

/* ---- Order ---- */

static bool is_empty(const struct held *held)
{
    return held->piece_next == held->piece_count && held->memory.len == 0;
}

bool order_output(struct order *order, int64_t number, struct str bytes, struct err *err)
{
    struct held *held = &order_item(order, number)->held;
    if (number == order->first && !order->whole && is_empty(held)) {
        buf_add_str(&order->out, bytes);
        return true;
    }
    buf_add_str(&held->memory, bytes);
    order->held += bytes.len;
    return order->held <= HELD_MAX || held_spill(order, held, err);
}

void order_forget(struct order *order, int64_t number)
{
    struct held *held = &order_item(order, number)->held;
    order->held -= held->memory.len;
    while (held->piece_next < held->piece_count)
        piece_drop(order, held);
    held_release(held);
    *held = (struct held){0};
}

void order_end(struct order *order, int64_t number, int status)
{
    struct item *item = order_item(order, number);
    item->state = ITEM_ENDED;
    item->status = status;
}

/* Moves output whose turn has come to what is written now, up to a bound. */
static bool order_pump(struct order *order, struct err *err)
{
    while (order->first < order->next && order->out.len - order->written < OUT_ENOUGH) {
        struct item *item = order_item(order, order->first);
        struct held *held = &item->held;
        if (order->whole && item->state != ITEM_ENDED)
            break;
        if (held->piece_next < held->piece_count) {
            if (!piece_take(order, held, err))
                return false;
            continue;
        }
        buf_add_str(&order->out, buf_str(&held->memory));
        order->held -= held->memory.len;
        buf_clear(&held->memory);
        if (item->state != ITEM_ENDED)
            break;
        item_release(item);
        order->first++;
    }
    return true;
}

/* ---- Writing ---- */

static ssize_t write_some(const struct order *order, const char *data, size_t len)
{
    if (order->is_socket)
        return send(order->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    return write(order->fd, data, len);
}

static bool write_failed(struct err *err)
{
    if (errno == EPIPE || errno == ECONNRESET)
        return err_set(err, ERR_LOST, "nobody reads standard output any more");
    return err_errno(err, errno, "cannot write to standard output");
}

static bool out_write(struct order *order, bool *waits, struct err *err)
{
    while (order->written < order->out.len && !*waits) {
        ssize_t wrote = write_some(order, order->out.data + order->written, order->out.len - order->written);
        if (wrote > 0) {
            order->written += (size_t)wrote;
            order->last = order->out.data[order->written - 1];
        } else if (wrote < 0 && errno == EAGAIN) {
            *waits = true;
        } else if (wrote < 0 && errno != EINTR) {
            return write_failed(err);
        }
    }
    if (order->written == order->out.len) {
        buf_clear(&order->out);
        order->written = 0;
    } else if (order->written > OUT_ENOUGH) {
        buf_consume(&order->out, order->written);
        order->written = 0;
    }
    return true;
}

bool order_write(struct order *order, struct err *err)
{
    bool waits = false;
    do {
        if (!order_pump(order, err) || !out_write(order, &waits, err))
            return false;
    } while (!waits && order->first < order->next && order_item(order, order->first)->state == ITEM_ENDED);
    return true;
}

bool order_waits(const struct order *order)
{
    return order->out.len > 0;
}

bool order_full(const struct order *order)
{
    return order->out.len - order->written >= OUT_ENOUGH;
}
