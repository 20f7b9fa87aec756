/* Request headers: there and back, and every refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire.h"

static void refused(const char *header, enum err_code code, const char *part)
{
    struct request request;
    struct err err = {0};
    if (request_parse(str_of(header), &request, &err))
        fail_msg("accepted: %s", header);
    if (err.code != code || !strstr(err.message, part))
        fail_msg("%s: %s (%s)", header, err.message, err_code_name(err.code));
    request_release(&request);
}

static void accepted(const char *header)
{
    struct request request;
    struct err err = {0};
    if (!request_parse(str_of(header), &request, &err))
        fail_msg("%s: %s", header, err.message);
    request_release(&request);
}

static void there_and_back(void **state)
{
    (void)state;
    struct request request = {.operation = OP_watch};
    AUTO_VALUE struct value *keys = value_list();
    list_push(keys, value_string(STR("a")));
    list_push(keys, value_string(STR("b\"\n\0c")));
    request_set_int(&request, FIELD_v, 1);
    request_set_int(&request, FIELD_id, -7);
    request_set_str(&request, FIELD_ns, STR("name \xc3\xa4"));
    request_set_keys(&request, FIELD_keys, keys);
    request_set_int(&request, FIELD_live, true);
    request_set_int(&request, FIELD_next, false);
    request_set_int(&request, FIELD_timeout_ms, INT64_MAX);
    AUTO_BUF struct buf text = {0};
    request_print(&text, &request);

    struct request back;
    struct err err = {0};
    if (!request_parse(buf_str(&text), &back, &err))
        fail_msg("%s: %s", text.data, err.message);
    assert_int_equal(back.operation, OP_watch);
    assert_int_equal(request_int(&back, id), -7);
    assert_true(str_is(request_str(&back, ns), "name \xc3\xa4"));
    assert_true(value_identical(back.field[FIELD_keys].keys, keys));
    assert_true(request_bool(&back, live));
    assert_true(request_has(&back, next));
    assert_false(request_bool(&back, next));
    assert_false(request_has(&back, edge));
    assert_false(request_has(&back, key));
    assert_true(request_int(&back, timeout_ms) == INT64_MAX);
    AUTO_BUF struct buf again = {0};
    request_print(&again, &back);
    assert_string_equal(again.data, text.data);
    request_release(&back);
}

static void tables(void **state)
{
    (void)state;
    for (int op = OP_NONE + 1; op < OP_COUNT; op++)
        assert_int_equal(op_from_name(str_of(op_info((enum op)op)->name)), op);
    assert_int_equal(op_from_name(STR("")), OP_NONE);
    assert_int_equal(op_from_name(STR("gett")), OP_NONE);
    assert_int_equal(op_info(OP_set)->kind, OP_KIND_WRITE);
    assert_int_equal(op_info(OP_set)->value, OP_VALUE_ONE);
    assert_string_equal(field_info(FIELD_timeout_ms)->name, "timeout_ms");
    assert_int_equal(field_info(FIELD_keys)->kind, FIELD_KEYS);
    assert_true(FIELD_COUNT <= 64);
}

/* Every field that an op names is a field. */
static void fields_of_ops(void **state)
{
    (void)state;
    for (int op = OP_NONE + 1; op < OP_COUNT; op++) {
        AUTO_FREE char *names = mem_text(op_info((enum op)op)->fields);
        for (char *rest = names, *name; (name = strsep(&rest, " ")) && *name;) {
            bool found = false;
            for (int field = 0; field < FIELD_COUNT; field++)
                found = found || strcmp(field_info((enum field)field)->name, name) == 0;
            if (!found)
                fail_msg("op %s: no field '%s'", op_info((enum op)op)->name, name);
        }
    }
}

static void the_header_itself(void **state)
{
    (void)state;
    refused("", ERR_INVALID, "header");
    refused("{", ERR_INVALID, "header");
    refused("[]", ERR_INVALID, "JSON object");
    refused("{}", ERR_INVALID, "'op'");
    refused("{\"v\":1,\"id\":1}", ERR_INVALID, "'op'");
    refused("{\"v\":1,\"op\":\"len\"}", ERR_INVALID, "'id'");
    refused("{\"id\":1,\"op\":\"len\"}", ERR_INVALID, "'v'");
    refused("{\"v\":2,\"id\":1,\"op\":\"len\"}", ERR_UNSUPPORTED, "version 2");
    refused("{\"v\":1,\"id\":1,\"op\":\"fly\"}", ERR_UNSUPPORTED, "'fly'");
    refused("{\"v\":1,\"id\":1,\"op\":\"\"}", ERR_UNSUPPORTED, "unknown operation");
    refused("{\"v\":1,\"id\":1,\"op\":\"len\",\"wings\":2}", ERR_INVALID, "unknown field 'wings'");
}

static void types(void **state)
{
    (void)state;
    refused("{\"v\":\"1\",\"id\":1,\"op\":\"len\"}", ERR_INVALID, "'v' must be an integer");
    refused("{\"v\":1.0,\"id\":1,\"op\":\"len\"}", ERR_INVALID, "'v' must be an integer");
    refused("{\"v\":1,\"id\":null,\"op\":\"len\"}", ERR_INVALID, "'id' must be an integer");
    refused("{\"v\":1,\"id\":1,\"op\":7}", ERR_INVALID, "'op' must be a string");
    refused("{\"v\":1,\"id\":1,\"op\":\"watch\",\"live\":1}", ERR_INVALID, "'live' must be true or false");
    refused("{\"v\":1,\"id\":1,\"op\":\"watch\",\"keys\":\"a\"}", ERR_INVALID, "'keys' must be a list");
    refused("{\"v\":1,\"id\":1,\"op\":\"watch\",\"keys\":[1]}", ERR_INVALID, "'keys' must be a list of str");
    refused("{\"v\":1,\"id\":1,\"op\":\"watch\",\"keys\":[]}", ERR_INVALID, "'keys' is an empty list");
    refused("{\"v\":1,\"id\":1,\"op\":\"len\",\"at\":-1}", ERR_INVALID, "'at' must not be less than 0");
    refused("{\"v\":1,\"id\":1,\"op\":\"len\",\"timeout_ms\":-1}", ERR_INVALID, "'timeout_ms'");
}

static void names_and_keys(void **state)
{
    (void)state;
    refused("{\"v\":1,\"id\":1,\"op\":\"len\",\"ns\":\"\"}", ERR_INVALID, "'ns' must have 1 to 255");
    refused("{\"v\":1,\"id\":1,\"op\":\"len\",\"ns\":\"a\\nb\"}", ERR_INVALID, "'ns' has a control");
    refused("{\"v\":1,\"id\":1,\"op\":\"has\",\"key\":\"\"}", ERR_INVALID, "must not be empty");
    refused("{\"v\":1,\"id\":1,\"op\":\"has\",\"key\":\"a\",\"path\":\"b\"}", ERR_INVALID, "'path'");
    refused("{\"v\":1,\"id\":1,\"op\":\"watch\",\"keys\":[\"\"]}", ERR_INVALID, "must not be empty");
    refused("{\"v\":1,\"id\":1,\"op\":\"watch\",\"condition\":\"x\"}", ERR_INVALID, "unknown value 'x'");
    refused("{\"v\":1,\"id\":1,\"op\":\"watch\",\"want\":\"x\"}", ERR_INVALID, "unknown value 'x'");
    accepted("{\"v\":1,\"id\":1,\"op\":\"has\",\"key\":\"a\",\"path\":\"/b/0\"}");

    AUTO_BUF struct buf text = {0};
    buf_add_text(&text, "{\"v\":1,\"id\":1,\"op\":\"has\",\"key\":\"");
    memset(buf_reserve(&text, 65536), 'k', 65536);
    buf_commit(&text, 65536);
    size_t end = text.len;
    buf_add_text(&text, "\"}");
    accepted(text.data);
    text.len = end;
    buf_add_text(&text, "k\"}");
    refused(text.data, ERR_TOO_LARGE, "at most 65536 bytes");
}

static void resending(void **state)
{
    (void)state;
    accepted("{\"v\":1,\"id\":1,\"op\":\"clear\",\"client\":\"0123456789abcdef0123456789abcdef\",\"seq\":1}");
    refused("{\"v\":1,\"id\":1,\"op\":\"clear\",\"seq\":1}", ERR_INVALID, "go together");
    refused("{\"v\":1,\"id\":1,\"op\":\"clear\",\"client\":\"0123456789abcdef0123456789abcdef\"}",
            ERR_INVALID, "go together");
    refused("{\"v\":1,\"id\":1,\"op\":\"clear\",\"client\":\"0123456789ABCDEF0123456789abcdef\",\"seq\":1}",
            ERR_INVALID, "32 hexadecimal");
    refused("{\"v\":1,\"id\":1,\"op\":\"clear\",\"client\":\"01\",\"seq\":1}", ERR_INVALID, "32 hexadecimal");
    refused("{\"v\":1,\"id\":1,\"op\":\"clear\",\"client\":\"0123456789abcdef0123456789abcdef\",\"seq\":0}",
            ERR_INVALID, "less than 1");
    accepted("{\"v\":1,\"id\":1,\"op\":\"clear\",\"client\":\"0123456789abcdef0123456789abcdef\",\"seq\":2,"
             "\"done\":1}");
    refused("{\"v\":1,\"id\":1,\"op\":\"clear\",\"done\":1}", ERR_INVALID, "'done' needs");
    refused("{\"v\":1,\"id\":1,\"op\":\"len\",\"client\":\"0123456789abcdef0123456789abcdef\",\"seq\":1}",
            ERR_INVALID, "'len' writes nothing");
}

static void needs(void **state)
{
    (void)state;
    static const char *const with_key[] = {"has", "set", "setdefault", "pop", "incr", "append", "cas", "del"};
    char header[200];
    for (size_t i = 0; i < LENGTH_OF(with_key); i++) {
        snprintf(header, sizeof header, "{\"v\":1,\"id\":1,\"op\":\"%s\"}", with_key[i]);
        refused(header, ERR_INVALID, "needs the field 'key'");
        snprintf(header, sizeof header, "{\"v\":1,\"id\":1,\"op\":\"%s\",\"key\":\"k\"}", with_key[i]);
        accepted(header);
    }
    static const struct {
        const char *header, *field;
    } cases[] = {
        {"{\"v\":1,\"id\":1,\"op\":\"eval\"}", "'expr'"},
        {"{\"v\":1,\"id\":1,\"op\":\"watch\",\"condition\":\"when\"}", "'expr'"},
        {"{\"v\":1,\"id\":1,\"op\":\"watch\",\"condition\":\"equal\"}", "'key'"},
        {"{\"v\":1,\"id\":1,\"op\":\"watch\",\"condition\":\"none\",\"keys\":[\"a\"]}", "'keys'"},
        {"{\"v\":1,\"id\":1,\"op\":\"watch\",\"condition\":\"exclude\"}", "'keys'"},
        {"{\"v\":1,\"id\":1,\"op\":\"ack\",\"session\":\"s\"}", "'ack'"},
        {"{\"v\":1,\"id\":1,\"op\":\"ack\",\"ack\":1}", "'session'"},
        {"{\"v\":1,\"id\":1,\"op\":\"go_live\"}", "'session'"},
        {"{\"v\":1,\"id\":1,\"op\":\"session_open\"}", "'session'"},
        {"{\"v\":1,\"id\":1,\"op\":\"session_close\"}", "'session'"},
        {"{\"v\":1,\"id\":1,\"op\":\"serve\"}", "'service'"},
        {"{\"v\":1,\"id\":1,\"op\":\"call\"}", "'service'"},
        {"{\"v\":1,\"id\":1,\"op\":\"answer\"}", "'call'"},
        {"{\"v\":1,\"id\":1,\"op\":\"get\",\"path\":\"/a\"}", "'key'"},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        refused(cases[i].header, ERR_INVALID, cases[i].field);
    accepted("{\"v\":1,\"id\":1,\"op\":\"watch\"}");
    accepted("{\"v\":1,\"id\":1,\"op\":\"get\"}");
    accepted("{\"v\":1,\"id\":1,\"op\":\"del\",\"keys\":[\"a\",\"b\"]}");
}

static void fields_that_do_not_fit(void **state)
{
    (void)state;
    refused("{\"v\":1,\"id\":1,\"op\":\"len\",\"key\":\"a\"}", ERR_INVALID, "does not take the field 'key'");
    refused("{\"v\":1,\"id\":1,\"op\":\"set\",\"key\":\"a\",\"at\":1}", ERR_INVALID,
            "does not take the field 'at'");
    refused("{\"v\":1,\"id\":1,\"op\":\"cas\",\"key\":\"a\",\"at\":1,\"absent\":true}", ERR_INVALID,
            "not both");
    refused("{\"v\":1,\"id\":1,\"op\":\"del\",\"key\":\"a\",\"keys\":[\"b\"]}", ERR_INVALID, "not both");
    refused("{\"v\":1,\"id\":1,\"op\":\"watch\",\"expr\":\"a\"}", ERR_INVALID,
            "does not take the field 'expr'");
    refused("{\"v\":1,\"id\":1,\"op\":\"watch\",\"condition\":\"when\",\"expr\":\"a\",\"key\":\"a\"}",
            ERR_INVALID, "does not take the field 'key'");
}

static void a_refusal_keeps_the_id(void **state)
{
    (void)state;
    struct request request;
    assert_false(request_parse(STR("{\"op\":\"fly\",\"bad\":1,\"id\":42}"), &request, NULL));
    assert_true(request_has(&request, id));
    assert_int_equal(request_int(&request, id), 42);
    request_release(&request);
}

/* What the header's text does not have as it is lives with the request. */
static void escaped_strings(void **state)
{
    (void)state;
    struct request request;
    struct err err = {0};
    assert_true(
        request_parse(STR("{\"v\":1,\"\\u0069d\":1,\"op\":\"\\u0068as\",\"key\":\"a\\nb\",\"ns\":\"c\\/d\"}"),
                      &request, &err));
    assert_int_equal(request.operation, OP_has);
    assert_true(str_is(request_str(&request, key), "a\nb"));
    assert_true(str_is(request_str(&request, ns), "c/d"));
    request_release(&request);
    refused("{\"v\":1,\"id\":1,\"op\":\"len\",\"ns\":\"a\\u0000b\"}", ERR_INVALID, "'ns' has a control");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(tables),
        cmocka_unit_test(fields_of_ops),
        cmocka_unit_test(the_header_itself),
        cmocka_unit_test(types),
        cmocka_unit_test(names_and_keys),
        cmocka_unit_test(resending),
        cmocka_unit_test(needs),
        cmocka_unit_test(fields_that_do_not_fit),
        cmocka_unit_test(a_refusal_keeps_the_id),
        cmocka_unit_test(escaped_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
