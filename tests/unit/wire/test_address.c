/* Addresses: what is accepted, what it becomes, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void prints_as(const char *text, const char *expected)
{
    struct address address;
    struct err err = {0};
    AUTO_BUF struct buf buf = {0};
    if (!address_parse(text, &address, &err))
        fail_msg("%s: %s", text, err.message);
    address_print(&buf, &address);
    assert_string_equal(buf.data, expected);
}

static void refused(const char *text, const char *part)
{
    struct address address;
    struct err err = {0};
    assert_false(address_parse(text, &address, &err));
    assert_int_equal(err.code, ERR_INVALID);
    if (!strstr(err.message, part))
        fail_msg("'%s' does not say '%s': %s", text, part, err.message);
}

static void accepts(void **state)
{
    (void)state;
    prints_as("ipc:///tmp/a.sock", "ipc:///tmp/a.sock");
    prints_as("ipc://a.sock", "ipc://a.sock");
    prints_as("ipc://@name", "ipc://@name");
    prints_as("tcp://127.0.0.1:80", "tcp://127.0.0.1:80");
    prints_as("tcp://*:0", "tcp://*:0");
    prints_as("tcp://*:*", "tcp://*:0");
    prints_as("tcp://[::1]:65535", "tcp://[::1]:65535");
    prints_as("tcp://some-host.example:1", "tcp://some-host.example:1");
}

static void kinds(void **state)
{
    (void)state;
    struct address address;
    assert_true(address_parse("ipc://@name", &address, NULL));
    assert_int_equal(address.kind, ADDRESS_ABSTRACT);
    assert_string_equal(address.path, "name");
    assert_true(address_parse("tcp://[::1]:7", &address, NULL));
    assert_int_equal(address.kind, ADDRESS_TCP);
    assert_string_equal(address.host, "::1");
    assert_int_equal(address.port, 7);
}

static void refuses(void **state)
{
    (void)state;
    refused("", "an address is");
    refused("/tmp/x", "an address is");
    refused("udp://x:1", "an address is");
    refused("ipc://", "without a path");
    refused("ipc://@", "without a path");
    refused("tcp://host", "no port");
    refused("tcp://:1", "bad host");
    refused("tcp://[]:1", "bad host");
    refused("tcp://a b:1", "bad host");
    refused("tcp://::1:1", "bad host");
    refused("tcp://h:", "bad port");
    refused("tcp://h:65536", "bad port");
    refused("tcp://h:123456", "bad port");
    refused("tcp://h:-1", "bad port");
    refused("tcp://h:1x", "bad port");
}

static void paths_have_a_bound(void **state)
{
    (void)state;
    char text[256] = "ipc:///";
    struct address address;
    memset(text + 6, '/', 1);
    memset(text + 7, 'a', 106); /* 107 bytes with the slash */
    assert_true(address_parse(text, &address, NULL));
    text[113] = 'a';
    refused(text, "at most 107 bytes");
}

static void hosts_have_a_bound(void **state)
{
    (void)state;
    char text[400] = "tcp://";
    memset(text + 6, 'a', 300);
    memcpy(text + 306, ":1", 3);
    refused(text, "bad host");
}

static void made_below(const char *folder)
{
    struct address address, other;
    struct err err = {0};
    struct stat st;
    AUTO_BUF struct buf text = {0};
    if (!address_new(&address, &err) || !address_new(&other, &err))
        fail_msg("%s", err.message);
    assert_string_not_equal(address.path, other.path);
    address_print(&text, &address);
    prints_as(text.data, text.data);
    *strrchr(address.path, '/') = '\0';
    assert_string_equal(address.path, folder);
    assert_int_equal(stat(folder, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

/* Places that the environment names and that are of no use are passed over. */
static void new_addresses(void **state)
{
    (void)state;
    char folder[] = "/tmp/zproc-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    AUTO_FREE char *runtime = mem_format("%s/zproc", folder);
    AUTO_FREE char *temporary = mem_format("%s/zproc-%ld", folder, (long)geteuid());
    AUTO_FREE char *common = mem_format("/tmp/zproc-%ld", (long)geteuid());
    AUTO_FREE char *deep = mem_format("/tmp/%080d", 0);
    setenv("XDG_RUNTIME_DIR", folder, true);
    made_below(runtime);
    setenv("XDG_RUNTIME_DIR", "/nowhere/at/all", true);
    setenv("TMPDIR", folder, true);
    made_below(temporary);
    setenv("TMPDIR", "/nowhere/at/all", true);
    made_below(common);
    setenv("TMPDIR", deep, true);
    made_below(common);
    setenv("XDG_RUNTIME_DIR", folder, true);
    assert_int_equal(chmod(runtime, 0755), 0);
    struct address address;
    struct err err = {0};
    assert_false(address_new(&address, &err));
    assert_int_equal(err.code, ERR_DENIED);
    assert_non_null(strstr(err.message, "is not a folder that only you can use"));
    rmdir(runtime);
    rmdir(temporary);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts),
        cmocka_unit_test(kinds),
        cmocka_unit_test(refuses),
        cmocka_unit_test(paths_have_a_bound),
        cmocka_unit_test(hosts_have_a_bound),
        cmocka_unit_test(new_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
