/* Large values as text. What several answers have in common is printed once; it lies in one place for all of
 * them until libzmq has sent the last one. */
#include "server_priv.h"

#include <stdlib.h>

#define SWEEP_MS 100 /* as long a text is kept for further answers */

/* ---- Texts: libzmq gives them back from a thread of its own ---- */

struct blob {
    atomic_size_t refs;
    atomic_size_t *total; /* bytes of all of them */
    size_t len;
    char *text;
};

struct blob *blob_take(struct server *server, struct buf *text)
{
    struct blob *blob = mem_new(sizeof *blob);
    atomic_init(&blob->refs, 1);
    blob->total = &server->blob_bytes;
    blob->len = text->len;
    blob->text = mem_resize(buf_detach(text), blob->len + 1, 1);
    atomic_fetch_add(blob->total, blob->len);
    return blob;
}

struct blob *blob_ref(struct blob *blob)
{
    if (blob)
        atomic_fetch_add(&blob->refs, 1);
    return blob;
}

void blob_unref(struct blob *blob)
{
    if (!blob || atomic_fetch_sub(&blob->refs, 1) != 1)
        return;
    atomic_fetch_sub(blob->total, blob->len);
    free(blob->text);
    free(blob);
}

struct str blob_str(const struct blob *blob)
{
    return (struct str){blob->text, blob->len};
}

/* ---- Which text belongs to what ---- */

struct shared {
    struct share_key key;
    struct value *value; /* keeps the key's address its own; NULL: the key has none */
    struct blob *blob;
    int64_t next;
};

static struct str key_bytes(const struct share_key *key)
{
    return (struct str){(const char *)key, sizeof *key};
}

bool shared_find(struct server *server, const struct share_key *key, int64_t *next)
{
    const struct shared *shared = table_get(&server->shared, key_bytes(key));
    if (!shared)
        return false;
    server->blob = blob_ref(shared->blob);
    server->has_value = true;
    if (next)
        *next = shared->next;
    return true;
}

void shared_put(struct server *server, const struct share_key *key, const struct value *value, int64_t next)
{
    if (server->value.len < SHARE_MIN)
        return;
    struct shared *shared = mem_new(sizeof *shared);
    server->blob = blob_take(server, &server->value);
    *shared = (struct shared){*key, value_ref(value), blob_ref(server->blob), next};
    if (server->shared.count == 0)
        server->sweep_at = time_now_ms() + SWEEP_MS;
    table_put(&server->shared, key_bytes(&shared->key), shared);
}

static void shared_free(struct server *server, struct shared *shared)
{
    table_remove(&server->shared, key_bytes(&shared->key));
    value_unref(shared->value);
    blob_unref(shared->blob);
    free(shared);
}

int64_t shared_due(const struct server *server)
{
    return server->shared.count ? server->sweep_at : -1;
}

void shared_sweep(struct server *server, int64_t now)
{
    size_t pos = 0;
    server->sweep_at = now + SWEEP_MS;
    for (struct shared *shared; (shared = table_next(&server->shared, &pos));)
        if (atomic_load(&shared->blob->refs) == 1)
            shared_free(server, shared);
}

void shared_release(struct server *server)
{
    size_t pos = 0;
    for (struct shared *shared; (shared = table_next(&server->shared, &pos));)
        shared_free(server, shared);
    table_release(&server->shared);
}
