/* The public API's writes. */
#include "api_priv.h"

/* An operation on one key. */
static enum zp_code write_key(zp_client *client, enum op op, const char *key, struct str value,
                              zp_reply **reply)
{
    struct request request = {.operation = op};
    api_key(&request, key);
    return api_ask(client, &request, value, reply);
}

/* An operation on the whole namespace. */
static enum zp_code write_all(zp_client *client, enum op op, struct str value, zp_reply **reply)
{
    struct request request = {.operation = op};
    return api_ask(client, &request, value, reply);
}

enum zp_code zp_set(zp_client *client, const char *key, const char *json, size_t len)
{
    return write_key(client, OP_set, key, api_str(json, len), NULL);
}

enum zp_code zp_set_ephemeral(zp_client *client, const char *key, const char *json, size_t len)
{
    struct request request = {.operation = OP_set};
    api_key(&request, key);
    request_set_int(&request, FIELD_ephemeral, true);
    return api_ask(client, &request, api_str(json, len), NULL);
}

enum zp_code zp_del(zp_client *client, const char *key)
{
    return write_key(client, OP_del, key, NO_VALUE, NULL);
}

enum zp_code zp_del_keys(zp_client *client, const char *const *keys, size_t count)
{
    struct request request = {.operation = OP_del};
    AUTO_VALUE struct value *list = api_list(client, keys, count);
    if (!list)
        return api_fail(client);
    request_set_keys(&request, FIELD_keys, list);
    return api_ask(client, &request, NO_VALUE, NULL);
}

enum zp_code zp_update(zp_client *client, const char *json, size_t len)
{
    return write_all(client, OP_update, api_str(json, len), NULL);
}

enum zp_code zp_clear(zp_client *client)
{
    return write_all(client, OP_clear, NO_VALUE, NULL);
}

enum zp_code zp_replace(zp_client *client, const char *json, size_t len)
{
    return write_all(client, OP_replace, api_str(json, len), NULL);
}

enum zp_code zp_setdefault(zp_client *client, const char *key, const char *json, size_t len, zp_reply **reply)
{
    return write_key(client, OP_setdefault, key, api_str(json, len), reply);
}

enum zp_code zp_pop(zp_client *client, const char *key, zp_reply **reply)
{
    return write_key(client, OP_pop, key, NO_VALUE, reply);
}

enum zp_code zp_pop_or(zp_client *client, const char *key, const char *json, size_t len, zp_reply **reply)
{
    return write_key(client, OP_pop, key, api_str(json, len), reply);
}

enum zp_code zp_popitem(zp_client *client, zp_reply **reply)
{
    return write_all(client, OP_popitem, NO_VALUE, reply);
}

enum zp_code zp_incr(zp_client *client, const char *key, const char *json, size_t len, zp_reply **reply)
{
    return write_key(client, OP_incr, key, api_str(json, len), reply);
}

enum zp_code zp_append(zp_client *client, const char *key, const char *json, size_t len, zp_reply **reply)
{
    return write_key(client, OP_append, key, api_str(json, len), reply);
}

enum zp_code zp_extend(zp_client *client, const char *key, const char *json, size_t len, zp_reply **reply)
{
    return write_key(client, OP_extend, key, api_str(json, len), reply);
}

enum zp_code zp_remove(zp_client *client, const char *key, const char *json, size_t len, zp_reply **reply)
{
    return write_key(client, OP_remove, key, api_str(json, len), reply);
}

enum zp_code zp_patch(zp_client *client, const char *json, size_t len)
{
    return write_all(client, OP_patch, api_str(json, len), NULL);
}

enum zp_code zp_merge(zp_client *client, const char *json, size_t len)
{
    struct request request = {.operation = OP_patch};
    request_set_int(&request, FIELD_merge, true);
    return api_ask(client, &request, api_str(json, len), NULL);
}

enum zp_code zp_atomic(zp_client *client, const char *assignments, const char *named, zp_reply **reply)
{
    struct request request = {.operation = OP_atomic};
    request_set_str(&request, FIELD_assign, str_of(assignments));
    return api_ask(client, &request, str_of(named), reply);
}

/* Whole values only, so that nothing slips from one side of the pair to the other. */
static bool pair_add(struct buf *pair, char before, const char *json, struct err *err)
{
    AUTO_VALUE struct value *value = value_parse(str_of(json), err);
    if (!value)
        return err_wrap(err, "value");
    buf_add_char(pair, before);
    buf_add_text(pair, json);
    return true;
}

enum zp_code zp_cas(zp_client *client, const char *key, const char *json_old, const char *json_new)
{
    AUTO_BUF struct buf pair = {0};
    client->err = (struct err){0};
    if (!pair_add(&pair, '[', json_old, &client->err) || !pair_add(&pair, ',', json_new, &client->err))
        return api_fail(client);
    buf_add_char(&pair, ']');
    return write_key(client, OP_cas, key, buf_str(&pair), NULL);
}

enum zp_code zp_cas_absent(zp_client *client, const char *key, const char *json, size_t len)
{
    struct request request = {.operation = OP_cas};
    api_key(&request, key);
    request_set_int(&request, FIELD_absent, true);
    return api_ask(client, &request, api_str(json, len), NULL);
}

enum zp_code zp_cas_at(zp_client *client, const char *key, int64_t revision, const char *json, size_t len)
{
    struct request request = {.operation = OP_cas};
    api_key(&request, key);
    request_set_int(&request, FIELD_at, revision);
    return api_ask(client, &request, api_str(json, len), NULL);
}
