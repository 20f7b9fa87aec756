/* The public API's client: its connection, what its requests have in common, and the way of every request. */
#include "api_priv.h"

#include <stdlib.h>
#include <unistd.h>

#define RUN_PATIENCE_MS 10000 /* within a run the supervisor starts a lost server again */

/* ---- Codes ---- */

static const enum zp_code codes[] = {
    [ERR_NONE] = ZP_OK,
    [ERR_NOT_FOUND] = ZP_NOT_FOUND,
    [ERR_CONFLICT] = ZP_CONFLICT,
    [ERR_TYPE] = ZP_TYPE,
    [ERR_INVALID] = ZP_INVALID,
    [ERR_TOO_LARGE] = ZP_TOO_LARGE,
    [ERR_UNSUPPORTED] = ZP_UNSUPPORTED,
    [ERR_DENIED] = ZP_DENIED,
    [ERR_UNREACHABLE] = ZP_UNREACHABLE,
    [ERR_KEY_REJECTED] = ZP_KEY_REJECTED,
    [ERR_LOST] = ZP_LOST,
    [ERR_TIMEOUT] = ZP_TIMEOUT,
    [ERR_BUSY] = ZP_BUSY,
    [ERR_LOCKED] = ZP_LOCKED,
    [ERR_INTERNAL] = ZP_INTERNAL,
};

enum zp_code api_code(enum err_code code)
{
    return codes[code];
}

enum zp_code api_fail(const zp_client *client)
{
    return api_code(client->err.code);
}

const char *zp_code_name(enum zp_code code)
{
    for (size_t i = 0; i < LENGTH_OF(codes); i++)
        if (codes[i] == code)
            return err_code_name((enum err_code)i);
    return "unknown";
}

const char *zp_message(const zp_client *client)
{
    return client->err.message;
}

int64_t zp_revision(const zp_client *client)
{
    return client->revision;
}

/* ---- Connecting ---- */

static void secret_keep(zp_client *client, struct secret *secret)
{
    if (client->secret)
        secret_wipe(client->secret);
    free(client->secret);
    client->secret = NULL;
    if (!secret)
        return;
    client->secret = mem_new(sizeof *client->secret);
    *client->secret = *secret;
    secret_wipe(secret);
}

enum zp_code zp_set_secret_key(zp_client *client, const char *key)
{
    struct secret secret;
    client->err = (struct err){0};
    if (key && !secret_from_text(str_of(key), &secret, &client->err))
        return api_fail(client);
    secret_keep(client, key ? &secret : NULL);
    return ZP_OK;
}

enum zp_code zp_set_key_file(zp_client *client, const char *path)
{
    struct secret secret;
    client->err = (struct err){0};
    if (path && !secret_from_file(path, &secret, &client->err))
        return api_fail(client);
    secret_keep(client, path ? &secret : NULL);
    return ZP_OK;
}

zp_client *zp_client_new(void)
{
    zp_client *client = mem_new(sizeof *client);
    client->timeout_ms = ZP_FOREVER;
    return client;
}

static void link_close(zp_client *client)
{
    client_close(client->link);
    client->link = NULL;
    api_unlocked(client);
    for (size_t i = 0; i < client->kept_count; i++)
        zp_reply_free(client->kept[i]);
    client->kept_count = 0;
}

void zp_client_free(zp_client *client)
{
    if (!client)
        return;
    link_close(client);
    secret_keep(client, NULL);
    free(client->kept);
    free(client->ns);
    free(client->session);
    free(client->token);
    free(client);
}

static enum zp_code link_resends(zp_client *client)
{
    if (client->link && client->patience_ms > 0 &&
        !client_resends(client->link, client->patience_ms, &client->err))
        link_close(client);
    return api_fail(client);
}

enum zp_code zp_connect(zp_client *client, const char *address)
{
    link_close(client);
    client->err = (struct err){0};
    client->owner = getpid();
    client->link =
        client_open_within(address, client->secret, client->timeout_ms, client->patience_ms, &client->err);
    return link_resends(client);
}

enum zp_code zp_connect_begin(zp_client *client, const char *address)
{
    link_close(client);
    client->err = (struct err){0};
    client->owner = getpid();
    client->link = client_begin(address, client->secret, &client->err);
    return link_resends(client);
}

static const char *env(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

enum zp_code zp_connect_env(zp_client *client)
{
    const char *address = env("ZPROC_ADDRESS");
    if (!address || strcmp(address, "none") == 0) {
        err_set(&client->err, ERR_INVALID, "ZPROC_ADDRESS names no state server");
        return api_fail(client);
    }
    zp_set_namespace(client, env("ZPROC_NAMESPACE"));
    zp_set_session(client, env("ZPROC_SESSION"));
    bool given;
    struct secret secret;
    client->err = (struct err){0};
    if (!secret_from_env(&secret, &given, &client->err))
        return api_fail(client);
    secret_keep(client, given ? &secret : NULL);
    if (env("ZPROC_RUN"))
        zp_set_patience(client, RUN_PATIENCE_MS);
    return zp_connect(client, address);
}

/* ---- What requests have in common ---- */

static void text_set(char **place, const char *text)
{
    free(*place);
    *place = text ? mem_text(text) : NULL;
}

void zp_set_namespace(zp_client *client, const char *name)
{
    text_set(&client->ns, name);
}

void zp_set_session(zp_client *client, const char *name)
{
    text_set(&client->session, name);
}

void zp_set_token(zp_client *client, const char *token)
{
    text_set(&client->token, token);
}

void zp_set_timeout(zp_client *client, int64_t timeout_ms)
{
    client->timeout_ms = timeout_ms;
}

void zp_set_patience(zp_client *client, int64_t patience_ms)
{
    client->patience_ms = patience_ms;
}

/* Sessions matter to what writes and to what moves along them. */
bool api_session(enum op op)
{
    return op_info(op)->kind == OP_KIND_WRITE || op == OP_watch || op == OP_stream || op == OP_ack ||
           op == OP_go_live;
}

static void text_add(struct request *request, enum field field, const char *text)
{
    if (text && !((request->set >> field) & 1))
        request_set_str(request, field, str_of(text));
}

/* The lock's, where it is about the locked namespace: a write there would wait for itself. */
static const char *token_of(const zp_client *client, const struct request *request)
{
    struct str ns = request_has(request, ns) ? request_str(request, ns) : STR("default");
    return client->lock_token && str_is(ns, client->lock_ns) ? client->lock_token : client->token;
}

void api_stamp(const zp_client *client, struct request *request)
{
    text_add(request, FIELD_ns, client->ns);
    if (op_info(request->operation)->kind == OP_KIND_WRITE)
        text_add(request, FIELD_token, token_of(client, request));
    if (api_session(request->operation))
        text_add(request, FIELD_session, client->session);
}

/* As on the command line: "config#/db/host" is the place /db/host of the value of config. */
void api_key(struct request *request, const char *text)
{
    struct str key = str_of(text);
    ptrdiff_t split = str_find(key, STR("#/"));
    if (split >= 0) {
        request_set_str(request, FIELD_path, (struct str){key.data + split + 1, key.len - (size_t)split - 1});
        key.len = (size_t)split;
    }
    request_set_str(request, FIELD_key, key);
}

void api_timeout(struct request *request, int64_t timeout_ms)
{
    if (timeout_ms >= 0)
        request_set_int(request, FIELD_timeout_ms, timeout_ms);
}

struct value *api_list(zp_client *client, const char *const *keys, size_t count)
{
    struct value *list = value_list();
    client->err = (struct err){0};
    for (size_t i = 0; i < count; i++) {
        if (!utf8_valid(str_of(keys[i]))) {
            err_set(&client->err, ERR_INVALID, "keys and expressions must be valid UTF-8");
            value_unref(list);
            return NULL;
        }
        list_push(list, value_string(str_of(keys[i])));
    }
    return list;
}

/* ---- Requests ---- */

bool api_ready(zp_client *client)
{
    client->err = (struct err){0};
    if (!client->link)
        return err_set(&client->err, ERR_UNREACHABLE, "the client is not connected; call zp_connect first");
    if (client->owner != getpid())
        return err_set(&client->err, ERR_INVALID,
                       "the client was connected by process %d; after a fork the child connects its own",
                       (int)client->owner);
    return true;
}

/* What waits by itself carries its own timeout, which the server keeps. */
static int64_t patience_of(const zp_client *client, const struct request *request)
{
    bool waits = op_info(request->operation)->kind == OP_KIND_WAIT || request_bool(request, wait);
    return waits ? ZP_FOREVER : client->timeout_ms;
}

enum zp_code api_ask(zp_client *client, struct request *request, struct str value, zp_reply **reply)
{
    struct reply answer;
    if (reply)
        *reply = NULL;
    if (!api_ready(client))
        return api_fail(client);
    api_stamp(client, request);
    if (!client_do(client->link, request, value, patience_of(client, request), &answer, &client->err))
        return api_fail(client);
    client->revision = answer.rev;
    if (reply)
        *reply = api_reply(&answer);
    else
        reply_release(&answer);
    return ZP_OK;
}

enum zp_code api_send(zp_client *client, struct request *request, struct str value, int64_t *id)
{
    *id = 0;
    if (api_ready(client)) {
        api_stamp(client, request);
        *id = request->operation == OP_stream ? client_stream(client->link, request, value, &client->err)
                                              : client_send(client->link, request, value, &client->err);
    }
    return api_fail(client);
}
