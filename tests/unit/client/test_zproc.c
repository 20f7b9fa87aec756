/* The public API as a program uses it: only <zproc/zproc.h> and the static library, against a server process.
 */
#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zproc/zproc.h>

#include "api_test.h"
#include "server_process.h"

static struct server_process server;

static int server_begin(void **state)
{
    char address[64];
    (void)state;
    snprintf(address, sizeof address, "ipc://@zproc-api-%d", (int)getpid());
    server_process_start(&server, address);
    return 0;
}

static int server_stop(void **state)
{
    (void)state;
    server_process_end(&server, SIGTERM);
    return 0;
}

static zp_client *connected(void)
{
    zp_client *client = zp_client_new();
    check(client, zp_connect(client, server.address));
    return client;
}

/* Every test has a namespace of its own. */
static int client_begin_test(void **state)
{
    static int count;
    char ns[32];
    zp_client *client = connected();
    snprintf(ns, sizeof ns, "test-%d", ++count);
    zp_set_namespace(client, ns);
    *state = client;
    return 0;
}

static int client_end_test(void **state)
{
    zp_client_free(*state);
    return 0;
}

/* ---- Connecting ---- */

static void nobody_there(void **state)
{
    (void)state;
    zp_client *client = zp_client_new();
    zp_reply *reply = (zp_reply *)client;
    assert_string_equal(zp_message(client), "");
    assert_refused(client, zp_connect(client, "ipc://@zproc-api-nobody"), ZP_UNREACHABLE,
                   "cannot reach the state server at ipc://@zproc-api-nobody");
    assert_refused(client, zp_connect(client, "nonsense"), ZP_INVALID, "nonsense");
    assert_refused(client, zp_get(client, "k", ZP_NOW, &reply), ZP_UNREACHABLE, "zp_connect");
    assert_null(reply);
    assert_int_equal(zp_fd(client), -1);
    assert_int_equal(zp_events(client), 0);
    zp_client_free(client);
    zp_client_free(NULL);
    zp_reply_free(NULL);
}

static void environment(void **state)
{
    zp_client *writer = *state, *client = zp_client_new();
    unsetenv("ZPROC_ADDRESS");
    assert_refused(client, zp_connect_env(client), ZP_INVALID, "ZPROC_ADDRESS");
    setenv("ZPROC_ADDRESS", server.address, 1);
    setenv("ZPROC_NAMESPACE", "by-environment", 1);
    setenv("ZPROC_SESSION", "by-environment", 1);
    check(client, zp_connect_env(client));
    check(client, zp_set(client, "k", "1", ZP_TEXT));
    zp_set_namespace(writer, "by-environment");
    assert_key(writer, "k", "1");
    assert_refused(client, zp_go_live(client), ZP_LOST, "by-environment");
    unsetenv("ZPROC_ADDRESS");
    unsetenv("ZPROC_NAMESPACE");
    unsetenv("ZPROC_SESSION");
    zp_client_free(client);
}

static void another_process(void **state)
{
    zp_client *client = *state;
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        bool refused = zp_set(client, "k", "1", ZP_TEXT) == ZP_INVALID && !zp_next(client);
        zp_client *own = zp_client_new();
        bool fine = zp_connect(own, server.address) == ZP_OK && zp_set(own, "k", "2", ZP_TEXT) == ZP_OK;
        zp_client_free(own);
        zp_client_free(client);
        _exit(refused && fine ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    check(client, zp_set(client, "k", "3", ZP_TEXT));
}

/* ---- Reads and writes ---- */

static void codes(void **state)
{
    (void)state;
    assert_string_equal(zp_code_name(ZP_OK), "none");
    assert_string_equal(zp_code_name(ZP_NOT_FOUND), "not_found");
    assert_string_equal(zp_code_name(ZP_INTERNAL), "internal");
    assert_string_equal(zp_code_name((enum zp_code)1000), "unknown");
}

static void strings(void **state)
{
    (void)state;
    size_t len;
    char *json = zp_quote("a \"b\"\n\0c", 8), *text = zp_unquote(json, ZP_TEXT, &len);
    assert_string_equal(json, "\"a \\\"b\\\"\\n\\u0000c\"");
    assert_int_equal(len, 8);
    assert_memory_equal(text, "a \"b\"\n\0c", 9);
    free(json);
    free(text);
    assert_null(zp_quote("\xff", ZP_TEXT));
    assert_null(zp_unquote("1", ZP_TEXT, NULL));
    assert_null(zp_unquote("\"", ZP_TEXT, NULL));
}

static void get_and_set(void **state)
{
    zp_client *client = *state;
    zp_reply *reply;
    bool found;
    check(client, zp_set(client, "k", "{\"a\":[1.10]} ", 12));
    int64_t first = zp_revision(client);
    assert_true(first > 0);
    assert_key(client, "k", "{\"a\":[1.10]}");
    assert_key(client, "k#/a/0", "1.10");
    check(client, zp_set(client, "k#/a/-", "2", ZP_TEXT));
    assert_key(client, "k#/a", "[1.10,2]");
    assert_int_equal(zp_revision(client), first + 1);
    check(client, zp_get(client, "k", first, &reply));
    assert_int_equal(zp_reply_revision(reply), first);
    assert_int_equal(zp_reply_code(reply), ZP_OK);
    assert_string_equal(zp_reply_message(reply), "");
    assert_reply(reply, "{\"a\":[1.10]}");
    assert_refused(client, zp_get(client, "no", ZP_NOW, &reply), ZP_NOT_FOUND, "'no'");
    assert_null(reply);
    check(client, zp_get_or(client, "no", "7,", 1, &reply));
    assert_reply(reply, "7");
    check(client, zp_has(client, "k", ZP_NOW, &found));
    assert_true(found);
    check(client, zp_has(client, "k", first - 1, &found));
    assert_false(found);
    assert_refused(client, zp_set(client, "k", "nonsense", ZP_TEXT), ZP_INVALID, "value");
    assert_refused(client, zp_set(client, "k", NULL, 0), ZP_INVALID, "value frame");
    assert_refused(client, zp_set(client, "\xff", "1", ZP_TEXT), ZP_INVALID, "UTF-8");
}

static void whole_namespaces(void **state)
{
    zp_client *client = *state;
    const char *const keys[] = {"a", "b"}, *const bad[] = {"\xff"};
    zp_reply *reply;
    int64_t count;
    check(client, zp_replace(client, "{\"a\":1,\"b\":2}", ZP_TEXT));
    int64_t first = zp_revision(client);
    check(client, zp_update(client, "{\"c\":3,\"a\":4}", ZP_TEXT));
    check(client, zp_get_all(client, ZP_NOW, &reply));
    assert_reply(reply, "{\"a\":4,\"b\":2,\"c\":3}");
    check(client, zp_keys(client, first, &reply));
    assert_reply(reply, "[\"a\",\"b\"]");
    check(client, zp_values(client, ZP_NOW, &reply));
    assert_reply(reply, "[4,2,3]");
    check(client, zp_items(client, ZP_NOW, &reply));
    assert_reply(reply, "[[\"a\",4],[\"b\",2],[\"c\",3]]");
    check(client, zp_eval(client, "a + size(state) + n", "{\"n\":10}", &reply));
    assert_reply(reply, "17");
    check(client, zp_eval(client, "a", NULL, &reply));
    assert_reply(reply, "4");
    check(client, zp_popitem(client, &reply));
    assert_reply(reply, "[\"c\",3]");
    check(client, zp_len(client, ZP_NOW, &count));
    assert_int_equal(count, 2);
    check(client, zp_del_keys(client, keys, 2));
    assert_refused(client, zp_del_keys(client, keys, 2), ZP_NOT_FOUND, "'a'");
    assert_refused(client, zp_del_keys(client, bad, 1), ZP_INVALID, "UTF-8");
    assert_refused(client, zp_len(client, -5, &count), ZP_INVALID, "at");
    check(client, zp_clear(client));
}

#define LARGE (6 << 20)

/* A lock, and what a watch wants, are not limited by a message either. */
static void whole_snapshots(zp_client *client, size_t least)
{
    zp_watch_spec spec = {.condition = ZP_AVAILABLE, .want = ZP_WANT_SNAPSHOT, .key = "a"};
    const char *const gone[] = {"a", "b"};
    zp_reply *reply;
    size_t len;
    check(client, zp_watch(client, &spec, 0, &reply));
    assert_non_null(zp_reply_value(reply, &len));
    assert_true(len > least - 64);
    zp_reply_free(reply);
    check(client, zp_lock(client, PATIENCE_MS, &reply));
    assert_non_null(zp_reply_value(reply, &len));
    assert_true(len > least - 64);
    zp_reply_free(reply);
    check(client, zp_commit_changes(client, "{\"n\":1}", ZP_TEXT, gone, 2));
    check(client, zp_keys(client, ZP_NOW, &reply));
    assert_reply(reply, "[\"c\",\"n\"]");
}

static void pages(void **state)
{
    zp_client *client = *state;
    const char *const keys[] = {"a", "b", "c"};
    char *large = malloc(LARGE + 1);
    zp_reply *reply;
    int64_t next = 0, at = ZP_NOW;
    memset(large, '7', LARGE);
    large[0] = large[LARGE - 1] = '"';
    large[LARGE] = '\0';
    for (size_t i = 0; i < LENGTH_OF(keys); i++)
        check(client, zp_set(client, keys[i], large, LARGE));
    assert_refused(client, zp_request(client, "items", NULL, NULL, 0, &reply), ZP_TOO_LARGE, "");
    size_t len, all = 0;
    for (size_t parts = 0; next >= 0; parts++) {
        assert_true(parts < LENGTH_OF(keys));
        check(client, zp_items_page(client, at, next, &reply, &next));
        assert_non_null(zp_reply_value(reply, &len));
        zp_reply_free(reply);
        all += len;
        at = zp_revision(client);
    }
    assert_true(all > 3 * LARGE);
    check(client, zp_items(client, at, &reply));
    assert_non_null(zp_reply_value(reply, &len));
    assert_int_equal(len, all - 2); /* two times "][" for "," */
    assert_false(zp_reply_number(reply, "next", &next));
    zp_reply_free(reply);
    whole_snapshots(client, len);
    check(client, zp_items_page(client, ZP_NOW, 0, NULL, &next));
    check(client, zp_namespaces(client, &reply));
    assert_non_null(strstr(zp_reply_value(reply, NULL), "\"test-"));
    zp_reply_free(reply);
    check(client, zp_clear(client));
    free(large);
}

static void read_and_write_at_once(void **state)
{
    zp_client *client = *state;
    zp_reply *reply;
    check(client, zp_setdefault(client, "k", "1", ZP_TEXT, &reply));
    assert_reply(reply, "1");
    check(client, zp_setdefault(client, "k", "2", ZP_TEXT, NULL));
    check(client, zp_incr(client, "k", "41", ZP_TEXT, &reply));
    assert_reply(reply, "42");
    check(client, zp_append(client, "list", "[1]", ZP_TEXT, &reply));
    assert_reply(reply, "[[1]]");
    check(client, zp_pop(client, "k", &reply));
    assert_reply(reply, "42");
    check(client, zp_pop_or(client, "k", "null", ZP_TEXT, &reply));
    assert_reply(reply, "null");
    assert_refused(client, zp_pop(client, "k", &reply), ZP_NOT_FOUND, "'k'");
    assert_refused(client, zp_del(client, "k"), ZP_NOT_FOUND, "'k'");
    assert_refused(client, zp_incr(client, "list", "1", 1, NULL), ZP_TYPE, "'list'");
}

static void compare_and_set(void **state)
{
    zp_client *client = *state;
    check(client, zp_cas_absent(client, "k", "1", ZP_TEXT));
    int64_t revision = zp_revision(client);
    assert_refused(client, zp_cas_absent(client, "k", "2", ZP_TEXT), ZP_CONFLICT, "'k'");
    check(client, zp_cas(client, "k", "1.0", "[2]"));
    assert_refused(client, zp_cas(client, "k", "1", "3"), ZP_CONFLICT, "'k'");
    assert_refused(client, zp_cas_at(client, "k", revision, "4", ZP_TEXT), ZP_CONFLICT, "'k'");
    check(client, zp_cas_at(client, "k", revision + 1, "5", ZP_TEXT));
    assert_key(client, "k", "5");
    /* Together these would be a pair. */
    assert_refused(client, zp_cas(client, "k", "\"a", "b\",2"), ZP_INVALID, "value");
}

static void lists_and_patches(void **state)
{
    zp_client *client = *state;
    zp_reply *reply;
    check(client, zp_extend(client, "list", "[1,2,1]", ZP_TEXT, &reply));
    assert_reply(reply, "[1,2,1]");
    check(client, zp_remove(client, "list", "1", ZP_TEXT, &reply));
    assert_reply(reply, "[2,1]");
    assert_refused(client, zp_remove(client, "list", "7", ZP_TEXT, NULL), ZP_NOT_FOUND, "'list'");
    check(client, zp_patch(client, "[{\"op\":\"add\",\"path\":\"/k\",\"value\":1}]", ZP_TEXT));
    assert_key(client, "k", "1");
    check(client, zp_merge(client, "{\"k\":null,\"l\":2}", ZP_TEXT));
    assert_refused(client, zp_get(client, "k", ZP_NOW, NULL), ZP_NOT_FOUND, "'k'");
    check(client, zp_atomic(client, "l = l + n", "{\"n\":40}", &reply));
    assert_reply(reply, "42");
    check(client, zp_atomic(client, "l = 1; m = l + 1", NULL, &reply));
    assert_reply(reply, "{\"l\":1,\"m\":2}");
}

/* ---- Transactions ---- */

static void transactions(void **state)
{
    zp_client *client = *state;
    const char *const conditions[] = {"size(jobs) > 0", "n == n"}, *const bad[] = {"\xff"};
    zp_txn_spec spec = {.conditions = conditions,
                        .condition_count = 2,
                        .then_do = "job = jobs[0]; jobs = []",
                        .named = "{\"n\":1}"};
    zp_reply *reply;
    int64_t held;
    assert_refused(client, zp_txn(client, &spec, 0, &reply), ZP_CONFLICT, "");
    assert_null(reply);
    spec.else_do = "idle = true";
    check(client, zp_txn(client, &spec, 0, &reply));
    assert_true(zp_reply_number(reply, "held", &held));
    assert_int_equal(held, 0);
    assert_reply(reply, "true");
    spec.else_do = NULL;
    spec.wait = true;
    assert_refused(client, zp_txn(client, &spec, 1, &reply), ZP_TIMEOUT, "");
    check(client, zp_set(client, "jobs", "[7]", ZP_TEXT));
    check(client, zp_txn(client, &spec, ZP_FOREVER, &reply));
    assert_true(zp_reply_number(reply, "held", &held));
    assert_int_equal(held, 1);
    assert_reply(reply, "{\"job\":7,\"jobs\":[]}");
    spec = (zp_txn_spec){.conditions = bad, .condition_count = 1};
    assert_refused(client, zp_txn(client, &spec, 0, &reply), ZP_INVALID, "UTF-8");
}

/* ---- Locks ---- */

static void locks(void **state)
{
    zp_client *client = *state, *other = connected();
    zp_reply *reply;
    int64_t lease_ms;
    zp_set_namespace(client, "locks");
    zp_set_namespace(other, "locks");
    assert_refused(client, zp_commit(client, "{}", ZP_TEXT), ZP_CONFLICT, "no lock");
    check(client, zp_set(client, "k", "1", ZP_TEXT));
    check(client, zp_lock(client, PATIENCE_MS, &reply));
    assert_true(zp_reply_number(reply, "lease_ms", &lease_ms) && lease_ms > 0);
    assert_reply(reply, "{\"k\":1}");
    assert_refused(client, zp_set(client, "k", "2", ZP_TEXT), ZP_LOCKED, "locks");
    assert_refused(client, zp_lock(client, 0, &reply), ZP_BUSY, "'locks'");
    assert_refused(other, zp_lock(other, 1, &reply), ZP_TIMEOUT, "");
    assert_null(reply);
    assert_key(other, "k", "1");
    check(client, zp_renew(client));
    zp_set_namespace(client, "beside");
    check(client, zp_set(client, "k", "3", ZP_TEXT));
    assert_refused(client, zp_commit(client, "[]", ZP_TEXT), ZP_TYPE, "");
    check(client, zp_commit(client, "{\"k\":4}", ZP_TEXT));
    assert_key(other, "k", "4");
    check(other, zp_lock(other, PATIENCE_MS, NULL));
    check(other, zp_abort(other));
    assert_refused(other, zp_abort(other), ZP_CONFLICT, "no lock");
    zp_client_free(other);
}

static void a_lock_that_is_lost(void **state)
{
    zp_client *client = *state, *other = connected();
    zp_set_namespace(client, "lost");
    zp_set_namespace(other, "lost");
    check(client, zp_lock(client, PATIENCE_MS, NULL));
    check(client, zp_connect(client, server.address));
    assert_refused(client, zp_commit(client, "{\"k\":1}", ZP_TEXT), ZP_CONFLICT, "no lock");
    check(other, zp_lock(other, PATIENCE_MS, NULL));
    zp_client_free(other);
    check(client, zp_set(client, "k", "2", ZP_TEXT));
}

/* ---- Any request ---- */

static void any_request(void **state)
{
    zp_client *client = *state;
    zp_reply *reply;
    int64_t pid;
    size_t len;
    check(client, zp_request(client, "set", "{\"key\":\"a\\u0000b\"}", "5", ZP_TEXT, NULL));
    check(client, zp_request(client, "get", "{\"key\":\"a\\u0000b\"}", NULL, 0, &reply));
    assert_reply(reply, "5");
    check(client, zp_request(client, "len", "{\"ns\":\"elsewhere\"}", NULL, 0, &reply));
    assert_reply(reply, "0");
    check(client, zp_request(client, "keys", NULL, NULL, 0, &reply));
    assert_reply(reply, "[\"a\\u0000b\"]");
    assert_refused(client, zp_request(client, "get", "{\"id\":3}", NULL, 0, &reply), ZP_INVALID, "'id'");
    assert_null(reply);
    assert_refused(client, zp_request(client, "get", "{\"kez\":3}", NULL, 0, NULL), ZP_INVALID, "'kez'");
    assert_refused(client, zp_request(client, "get", "[]", NULL, 0, NULL), ZP_INVALID, "object");
    assert_refused(client, zp_request(client, "get", "{", NULL, 0, NULL), ZP_INVALID, "fields");
    assert_refused(client, zp_request(client, "fly", NULL, NULL, 0, NULL), ZP_UNSUPPORTED, "'fly'");
    assert_refused(client, zp_request(client, "\xff", NULL, NULL, 0, NULL), ZP_INVALID, "UTF-8");
    check(client, zp_hello(client, &reply));
    assert_string_equal(zp_reply_text(reply, "version", &len), ZPROC_VERSION);
    assert_int_equal(len, strlen(ZPROC_VERSION));
    assert_null(zp_reply_text(reply, "pid", NULL));
    assert_true(zp_reply_number(reply, "pid", &pid));
    assert_int_equal(pid, server.pid);
    assert_false(zp_reply_number(reply, "store", &pid));
    assert_memory_equal(zp_reply_header(reply, &len), "{\"id\":", 6);
    assert_null(zp_reply_value(reply, NULL));
    zp_reply_free(reply);
    check(client, zp_ping(client, "\"echo\"", ZP_TEXT, &reply));
    assert_reply(reply, "\"echo\"");
    check(client, zp_stats(client, &reply));
    assert_non_null(strstr(zp_reply_value(reply, NULL), "\"revision\":"));
    zp_reply_free(reply);
}

/* ---- Watches ---- */

static void watches(void **state)
{
    zp_client *client = *state;
    const char *const keys[] = {"k"};
    zp_reply *reply;
    int64_t flag;
    zp_watch_spec spec = {.condition = ZP_EQUAL, .want = ZP_WANT_VALUE, .key = "k", .json = "1"};
    assert_refused(client, zp_watch(client, &spec, 0, &reply), ZP_TIMEOUT, "");
    assert_null(reply);
    check(client, zp_set(client, "k", "1", ZP_TEXT));
    int64_t revision = zp_revision(client);
    check(client, zp_watch(client, &spec, PATIENCE_MS, &reply));
    assert_true(zp_reply_number(reply, "first", &flag));
    assert_int_equal(flag, 1);
    assert_string_equal(zp_reply_text(reply, "key", NULL), "k");
    assert_reply(reply, "1");
    check(client, zp_del(client, "k"));
    spec = (zp_watch_spec){.keys = keys, .key_count = 1, .has_after = true, .after = revision - 1};
    check(client, zp_watch(client, &spec, PATIENCE_MS, &reply));
    assert_int_equal(zp_reply_revision(reply), revision);
    assert_non_null(strstr(zp_reply_value(reply, NULL), "\"changes\":[{\"key\":\"k\",\"value\":1}]"));
    zp_reply_free(reply);
    spec.after = revision;
    spec.want = ZP_WANT_SNAPSHOT;
    check(client, zp_watch(client, &spec, PATIENCE_MS, &reply));
    assert_true(zp_reply_number(reply, "deleted", &flag));
    assert_reply(reply, "{}");
    spec = (zp_watch_spec){.condition = ZP_WHEN, .expression = "1 +"};
    assert_refused(client, zp_watch(client, &spec, 0, NULL), ZP_INVALID, "");
    spec = (zp_watch_spec){.condition = (enum zp_condition)99};
    assert_refused(client, zp_watch(client, &spec, 0, NULL), ZP_INVALID, "condition");
}

/* Each condition is understood: it holds at once, or at a change that is there already. */
static void all_conditions(void **state)
{
    zp_client *client = *state;
    const char *const other[] = {"other"};
    const zp_watch_spec specs[] = {
        {.condition = ZP_CHANGE},
        {.condition = ZP_EXCLUDE, .keys = other, .key_count = 1},
        {.condition = ZP_WHEN, .expression = "two == 2"},
        {.condition = ZP_EQUAL, .key = "two", .json = "2"},
        {.condition = ZP_NOT_EQUAL, .key = "two", .json = "3"},
        {.condition = ZP_NONE, .key = "nothing"},
        {.condition = ZP_NOT_NONE, .key = "two"},
        {.condition = ZP_AVAILABLE, .key = "two"},
        {.condition = ZP_TRUTHY, .key = "two"},
        {.condition = ZP_FALSY, .key = "nothing"},
        {.condition = ZP_PREFIX, .key = "tw"},
        {.condition = ZP_GLOB, .key = "t?o"},
        {.condition = ZP_WHEN, .expression = "two == n", .json = "{\"n\":2}"},
    };
    check(client, zp_update(client, "{\"two\":2,\"nothing\":null}", ZP_TEXT));
    int64_t revision = zp_revision(client);
    for (size_t i = 0; i < LENGTH_OF(specs); i++) {
        zp_watch_spec spec = specs[i];
        zp_reply *reply;
        spec.has_after = true;
        spec.after = revision - 1;
        if (zp_watch(client, &spec, 0, &reply) != ZP_OK)
            fail_msg("condition %d: %s", (int)spec.condition, zp_message(client));
        zp_reply_free(reply);
    }
}

static void sessions(void **state)
{
    zp_client *client = *state;
    const zp_watch_spec spec = {.want = ZP_WANT_VALUE};
    zp_reply *reply;
    check(client, zp_session_open(client, "api", ZP_NOW));
    assert_refused(client, zp_session_open(client, "api", 0), ZP_CONFLICT, "'api'");
    zp_set_session(client, "api");
    for (int i = 1; i <= 3; i++)
        check(client, zp_incr(client, "k", "1", ZP_TEXT, NULL));
    for (int i = 1; i <= 2; i++) {
        check(client, zp_watch(client, &spec, PATIENCE_MS, &reply));
        assert_int_equal(zp_reply_value(reply, NULL)[0], '0' + i);
        assert_refused(client, zp_watch(client, &spec, 0, NULL), ZP_BUSY, "api");
        check(client, zp_ack(client, zp_reply_revision(reply)));
        zp_reply_free(reply);
    }
    check(client, zp_go_live(client));
    assert_int_equal(zp_watch(client, &spec, 0, &reply), ZP_TIMEOUT);
    check(client, zp_request(client, "go_live", NULL, NULL, 0, NULL));
    check(client, zp_session_close(client, "api"));
    assert_refused(client, zp_watch(client, &spec, 0, &reply), ZP_LOST, "api");
    check(client, zp_session_open_temporary(client, "api"));
    assert_refused(client, zp_session_open_temporary(client, "api"), ZP_CONFLICT, "'api'");
    check(client, zp_session_close(client, "api"));
    zp_set_session(client, NULL);
    assert_refused(client, zp_ack(client, 1), ZP_INVALID, "session");
}

static void ephemeral_keys(void **state)
{
    zp_client *client = *state;
    const zp_txn_spec spec = {.then_do = "leader = 1", .ephemeral = true};
    zp_reply *reply;
    assert_refused(client, zp_set_ephemeral(client, "k", "1", ZP_TEXT), ZP_INVALID, "session");
    check(client, zp_session_open(client, "ephemeral", ZP_NOW));
    zp_set_session(client, "ephemeral");
    check(client, zp_set_ephemeral(client, "k", "1", ZP_TEXT));
    check(client, zp_txn(client, &spec, 0, NULL));
    check(client, zp_set(client, "stays", "2", ZP_TEXT));
    check(client, zp_session_close(client, "ephemeral"));
    check(client, zp_get_all(client, ZP_NOW, &reply));
    assert_reply(reply, "{\"stays\":2}");
}

/* ---- Services and claims ---- */

static void *serve(void *argument)
{
    zp_client *client = connected();
    int64_t call;
    zp_reply *reply;
    (void)argument;
    check(client, zp_serve(client, "echo", PATIENCE_MS, &reply, &call));
    check(client, zp_answer(client, call, zp_reply_value(reply, NULL), ZP_TEXT));
    zp_reply_free(reply);
    check(client, zp_serve(client, "echo", PATIENCE_MS, &reply, &call));
    check(client, zp_answer_error(client, call, ZP_DENIED, "not \"you\""));
    zp_reply_free(reply);
    zp_client_free(client);
    return NULL;
}

static void services(void **state)
{
    zp_client *client = *state;
    pthread_t thread;
    zp_reply *reply;
    enum zp_code code;
    int64_t until = time_now_ms() + PATIENCE_MS;
    assert_int_equal(pthread_create(&thread, NULL, serve, NULL), 0);
    while ((code = zp_call(client, "echo", "[1]", ZP_TEXT, PATIENCE_MS, &reply)) == ZP_NOT_FOUND &&
           time_now_ms() < until)
        poll(NULL, 0, 1);
    check(client, code);
    assert_reply(reply, "[1]");
    assert_refused(client, zp_call(client, "echo", NULL, 0, PATIENCE_MS, &reply), ZP_DENIED, "not \"you\"");
    pthread_join(thread, NULL);
    assert_refused(client, zp_answer_error(client, 1, ZP_DENIED, "\xff"), ZP_INVALID, "UTF-8");
}

static void claims(void **state)
{
    zp_client *client = *state, *other = connected();
    zp_set_namespace(client, "zproc.api");
    zp_set_namespace(other, "zproc.api");
    assert_refused(client, zp_set(client, "k", "1", ZP_TEXT), ZP_DENIED, "reserved");
    check(client, zp_claim(client));
    check(client, zp_set(client, "k", "1", ZP_TEXT));
    assert_refused(other, zp_claim(other), ZP_CONFLICT, "owner");
    assert_refused(other, zp_set(other, "k", "1", ZP_TEXT), ZP_DENIED, "reserved");
    assert_key(other, "k", "1");
    zp_client_free(other);
}

/* ---- Event loops ---- */

static void event_loop(void **state)
{
    zp_client *writer = *state, *client = zp_client_new();
    int64_t watch_id, get_id;
    zp_watch_spec spec = {.condition = ZP_AVAILABLE, .want = ZP_WANT_VALUE, .key = "k"};
    zp_reply *reply;
    check(client, zp_connect_begin(client, server.address));
    zp_set_namespace(client, "loop");
    zp_set_namespace(writer, "loop");
    check(client, zp_send_watch(client, &spec, ZP_FOREVER, &watch_id));
    check(client, zp_send(client, "get", "{\"key\":\"k\"}", NULL, 0, &get_id));
    reply = next_reply(client);
    assert_int_equal(zp_reply_id(reply), get_id);
    assert_int_equal(zp_reply_code(reply), ZP_NOT_FOUND);
    assert_non_null(strstr(zp_reply_message(reply), "'k'"));
    zp_reply_free(reply);
    check(writer, zp_set(writer, "k", "8", ZP_TEXT));
    reply = next_reply(client);
    assert_int_equal(zp_reply_id(reply), watch_id);
    assert_reply(reply, "8");
    assert_null(zp_next(client));
    spec.next = true;
    check(client, zp_send_watch(client, &spec, 1, &watch_id));
    reply = next_reply(client);
    assert_int_equal(zp_reply_code(reply), ZP_TIMEOUT);
    zp_reply_free(reply);
    assert_refused(client, zp_send(client, "get", "{\"v\":1}", NULL, 0, &get_id), ZP_INVALID, "'v'");
    assert_int_equal(get_id, 0);
    zp_client_free(client);
}

static void cancelled(void **state)
{
    zp_client *client = *state;
    const zp_watch_spec spec = {0};
    zp_reply *reply;
    int64_t id, after;
    check(client, zp_send_watch(client, &spec, ZP_FOREVER, &id));
    check(client, zp_cancel(client, id));
    check(client, zp_set(client, "k", "1", ZP_TEXT));
    check(client, zp_send(client, "len", NULL, NULL, 0, &after));
    reply = next_reply(client);
    assert_int_equal(zp_reply_id(reply), after);
    zp_reply_free(reply);
    assert_null(zp_next(client));
}

static void wait_for_one_of_several(void **state)
{
    zp_client *client = *state;
    const zp_watch_spec spec = {0};
    int64_t watch, first, second;
    zp_reply *reply;
    check(client, zp_send_watch(client, &spec, ZP_FOREVER, &watch));
    check(client, zp_send(client, "len", NULL, NULL, 0, &first));
    check(client, zp_send(client, "get", "{\"key\":\"no\"}", NULL, 0, &second));
    assert_refused(client, zp_wait(client, second, PATIENCE_MS, &reply), ZP_NOT_FOUND, "'no'");
    assert_null(reply);
    assert_refused(client, zp_wait(client, watch, 1, &reply), ZP_TIMEOUT, "in time");
    reply = zp_next(client);
    assert_non_null(reply);
    assert_int_equal(zp_reply_id(reply), first);
    assert_reply(reply, "0");
    check(client, zp_send(client, "len", NULL, NULL, 0, &first));
    check(client, zp_set(client, "k", "1", ZP_TEXT));
    check(client, zp_wait(client, watch, PATIENCE_MS, &reply));
    assert_int_equal(zp_reply_revision(reply), zp_revision(client));
    zp_reply_free(reply);
    check(client, zp_wait(client, first, PATIENCE_MS, NULL));
    assert_refused(client, zp_wait(client, first, ZP_FOREVER, &reply), ZP_INVALID, "unanswered");
}

static void streams(void **state)
{
    zp_client *client = *state;
    const zp_watch_spec spec = {.condition = ZP_CHANGE, .want = ZP_WANT_SNAPSHOT};
    int64_t id;
    zp_reply *reply;
    check(client, zp_session_open(client, "stream", ZP_NOW));
    zp_set_session(client, "stream");
    check(client, zp_send_stream(client, &spec, 2, &id));
    for (int i = 0; i < 4; i++)
        check(client, zp_incr(client, "k", "1", 1, NULL));
    for (int i = 1; i <= 4; i++) {
        char snapshot[16];
        snprintf(snapshot, sizeof snapshot, "{\"k\":%d}", i);
        check(client, zp_wait(client, id, PATIENCE_MS, &reply));
        int64_t revision = zp_reply_revision(reply);
        assert_reply(reply, snapshot);
        if (i == 2)
            assert_refused(client, zp_wait(client, id, 1, &reply), ZP_TIMEOUT, "in time");
        check(client, zp_credit(client, id, i == 2 ? 2 : 0, revision));
    }
    check(client, zp_cancel(client, id));
    assert_refused(client, zp_credit(client, id, 1, ZP_NOW), ZP_NOT_FOUND, "stream");
    assert_refused(client, zp_wait(client, id, 0, &reply), ZP_INVALID, "unanswered");
    assert_refused(client, zp_request(client, "stream", "{\"credit\":1}", NULL, 0, NULL), ZP_INVALID,
                   "zp_send_stream");
    check(client, zp_session_close(client, "stream"));
}

static void stream_conditions(void **state)
{
    zp_client *client = *state;
    zp_watch_spec spec = {.condition = ZP_TRUTHY, .want = ZP_WANT_VALUE, .key = "k"};
    int64_t edge, level, third;
    zp_reply *reply;
    check(client, zp_send_stream(client, &spec, 10, &edge));
    spec.level = true;
    check(client, zp_send_stream(client, &spec, 10, &level));
    for (int i = 1; i <= 2; i++)
        check(client, zp_incr(client, "k", "1", 1, NULL));
    check(client, zp_send(client, "len", NULL, NULL, 0, &third));
    check(client, zp_wait(client, third, PATIENCE_MS, NULL));
    check(client, zp_wait(client, edge, PATIENCE_MS, &reply));
    assert_reply(reply, "1");
    assert_int_equal(zp_wait(client, edge, 0, &reply), ZP_TIMEOUT);
    check(client, zp_wait(client, level, PATIENCE_MS, NULL));
    check(client, zp_wait(client, level, PATIENCE_MS, &reply));
    assert_reply(reply, "2");
}

static void connect_begin_to_nobody(void **state)
{
    (void)state;
    zp_client *client = zp_client_new();
    assert_refused(client, zp_connect_begin(client, "ipc://@zproc-api-nobody"), ZP_UNREACHABLE,
                   "cannot reach");
    assert_refused(client, zp_step(client), ZP_UNREACHABLE, "");
    assert_null(zp_next(client));
    zp_client_free(client);
}

/* ---- Threads, and a server that goes ---- */

#define THREADS    4
#define INCREMENTS 100

static void *increment(void *ns)
{
    zp_client *client = connected();
    zp_set_namespace(client, ns);
    for (int i = 0; i < INCREMENTS; i++)
        check(client, zp_incr(client, "sum", "1", 1, NULL));
    zp_client_free(client);
    return NULL;
}

static void threads(void **state)
{
    zp_client *client = *state;
    pthread_t running[THREADS];
    char ns[] = "threads";
    zp_set_namespace(client, ns);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&running[i], NULL, increment, ns), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(running[i], NULL);
    assert_key(client, "sum", "400");
}

static void a_server_that_goes(void **state)
{
    struct server_process own;
    char address[64];
    zp_client *client = zp_client_new(), *loop = zp_client_new();
    const zp_watch_spec spec = {0};
    zp_reply *reply;
    int64_t id;
    (void)state;
    snprintf(address, sizeof address, "ipc://@zproc-api-own-%d", (int)getpid());
    server_process_start(&own, address);
    zp_set_patience(client, PATIENCE_MS);
    check(client, zp_connect(client, address));
    check(loop, zp_connect(loop, address));
    check(loop, zp_send_watch(loop, &spec, ZP_FOREVER, &id));
    server_process_end(&own, SIGKILL);
    assert_refused(loop, zp_wait(loop, id, ZP_FOREVER, &reply), ZP_UNREACHABLE, "cannot reach");
    assert_refused(loop, zp_get(loop, "k", ZP_NOW, &reply), ZP_UNREACHABLE, "cannot reach");
    assert_refused(loop, zp_step(loop), ZP_UNREACHABLE, "gone");
    server_process_start(&own, address);
    check(client, zp_set(client, "k", "1", ZP_TEXT));
    check(loop, zp_get(loop, "k", ZP_NOW, &reply));
    assert_reply(reply, "1");
    assert_refused(loop, zp_wait(loop, id, ZP_FOREVER, &reply), ZP_INVALID, "unanswered");
    server_process_end(&own, SIGTERM);
    zp_client_free(client);
    zp_client_free(loop);
}

static void a_server_that_is_silent(void **state)
{
    struct server_process own;
    char address[64];
    zp_client *client = zp_client_new();
    (void)state;
    snprintf(address, sizeof address, "ipc://@zproc-api-silent-%d", (int)getpid());
    server_process_start(&own, address);
    check(client, zp_connect(client, address));
    kill(own.pid, SIGSTOP);
    zp_set_timeout(client, 50);
    assert_int_equal(zp_set(client, "k", "1", ZP_TEXT), ZP_TIMEOUT);
    assert_int_equal(zp_connect(client, address), ZP_TIMEOUT);
    server_process_end(&own, SIGKILL);
    zp_client_free(client);
}

#define with_client(test) cmocka_unit_test_setup_teardown(test, client_begin_test, client_end_test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_there),
        with_client(environment),
        with_client(another_process),
        cmocka_unit_test(codes),
        cmocka_unit_test(strings),
        with_client(get_and_set),
        with_client(whole_namespaces),
        with_client(pages),
        with_client(read_and_write_at_once),
        with_client(compare_and_set),
        with_client(lists_and_patches),
        with_client(transactions),
        with_client(locks),
        with_client(a_lock_that_is_lost),
        with_client(any_request),
        with_client(watches),
        with_client(all_conditions),
        with_client(sessions),
        with_client(ephemeral_keys),
        with_client(services),
        with_client(claims),
        with_client(event_loop),
        with_client(cancelled),
        with_client(wait_for_one_of_several),
        with_client(streams),
        with_client(stream_conditions),
        cmocka_unit_test(connect_begin_to_nobody),
        with_client(threads),
        cmocka_unit_test(a_server_that_goes),
        cmocka_unit_test(a_server_that_is_silent),
    };
    return cmocka_run_group_tests(tests, server_begin, server_stop);
}
