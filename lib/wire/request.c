/* Request headers: from and to JSON, with every check that needs no state. */
#include "wire_priv.h"

#define KEY_MAX        (64 * 1024)
#define NAME_MAX_BYTES 255
#define CREDIT_MAX     65536

/* ---- Building ---- */

void request_set_int(struct request *request, enum field field, int64_t i)
{
    request->field[field].i = i;
    request->set |= UINT64_C(1) << field;
}

void request_set_str(struct request *request, enum field field, struct str s)
{
    request->field[field].s = s;
    request->set |= UINT64_C(1) << field;
}

void request_set_keys(struct request *request, enum field field, const struct value *keys)
{
    request->field[field].keys = keys;
    request->set |= UINT64_C(1) << field;
}

static bool has(const struct request *request, enum field field)
{
    return (request->set >> field) & 1;
}

static void field_print(struct buf *buf, const struct request *request, enum field field)
{
    switch (field_info(field)->kind) {
    case FIELD_INT:
        buf_add_int(buf, request->field[field].i);
        return;
    case FIELD_BOOL:
        buf_add_text(buf, request->field[field].i ? "true" : "false");
        return;
    case FIELD_STR:
        string_print(buf, request->field[field].s);
        return;
    case FIELD_KEYS:
        value_print(buf, request->field[field].keys);
        return;
    }
}

void request_print(struct buf *buf, const struct request *request)
{
    char separator = '{';
    for (int field = 0; field < FIELD_COUNT; field++) {
        if (field != FIELD_op && !has(request, (enum field)field))
            continue;
        buf_add_char(buf, separator);
        buf_add_char(buf, '"');
        buf_add_text(buf, field_info((enum field)field)->name);
        buf_add_text(buf, "\":");
        if (field == FIELD_op)
            string_print(buf, str_of(op_info(request->operation)->name));
        else
            field_print(buf, request, (enum field)field);
        separator = ',';
    }
    buf_add_char(buf, '}');
}

/* ---- Checking single fields ---- */

static bool key_check(const char *name, struct str key, struct err *err)
{
    if (key.len == 0)
        return err_set(err, ERR_INVALID, "field '%s': a key must not be empty", name);
    if (key.len > KEY_MAX)
        return err_set(err, ERR_TOO_LARGE, "field '%s': a key has at most %d bytes, this one has %zu", name,
                       KEY_MAX, key.len);
    return true;
}

static bool name_check(const char *name, struct str text, struct err *err)
{
    if (text.len == 0 || text.len > NAME_MAX_BYTES)
        return err_set(err, ERR_INVALID, "field '%s' must have 1 to %d bytes", name, NAME_MAX_BYTES);
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 127)
            return err_set(err, ERR_INVALID, "field '%s' has a control character", name);
    return true;
}

static bool client_check(struct str client, struct err *err)
{
    bool fits = client.len == 32;
    for (size_t i = 0; fits && i < client.len; i++)
        fits = strchr("0123456789abcdef", client.data[i]) && client.data[i];
    return fits || err_set(err, ERR_INVALID, "field 'client' must be 32 hexadecimal digits");
}

static bool keys_check(const char *name, const struct value *keys, struct err *err)
{
    if (value_len(keys) == 0)
        return err_set(err, ERR_INVALID, "field '%s' is an empty list", name);
    for (size_t i = 0; i < value_len(keys); i++) {
        const struct value *key = list_at(keys, i);
        if (value_type(key) != VALUE_STRING)
            return err_set(err, ERR_INVALID, "field '%s' must be a list of strings", name);
        if (!key_check(name, value_as_str(key), err))
            return false;
    }
    return true;
}

static bool exprs_check(const char *name, const struct value *exprs, struct err *err)
{
    for (size_t i = 0; i < value_len(exprs); i++)
        if (value_type(list_at(exprs, i)) != VALUE_STRING)
            return err_set(err, ERR_INVALID, "field '%s' must be a list of strings", name);
    return true;
}

static bool word_check(const char *name, struct str word, const char *const *words, struct err *err)
{
    for (size_t i = 0; words[i]; i++)
        if (str_is(word, words[i]))
            return true;
    return err_set(err, ERR_INVALID, "field '%s' has the unknown value '%.*s'", name, STR_ARG(word));
}

static bool int_check(enum field field, int64_t i, struct err *err)
{
    const char *name = field_info(field)->name;
    if (field == FIELD_v && i != 1)
        return err_set(err, ERR_UNSUPPORTED, "protocol version %lld is not known here, only 1", (long long)i);
    if (field == FIELD_credit && i > CREDIT_MAX)
        return err_set(err, ERR_INVALID, "field 'credit' must not be more than %d", CREDIT_MAX);
    int64_t least = field == FIELD_seq || field == FIELD_done || field == FIELD_credit ? 1
                    : field == FIELD_id                                                ? INT64_MIN
                                                                                       : 0;
    if (i < least)
        return err_set(err, ERR_INVALID, "field '%s' must not be less than %lld", name, (long long)least);
    return true;
}

static bool str_check(enum field field, struct str s, struct err *err)
{
    static const char *const conditions[] = {"change", "exclude",   "prefix", "glob",     "when",
                                             "equal",  "not_equal", "none",   "not_none", "available",
                                             "truthy", "falsy",     NULL};
    static const char *const wants[] = {"value", "event", "snapshot", NULL};
    const char *name = field_info(field)->name;
    switch (field) {
    case FIELD_key:
        return key_check(name, s, err);
    case FIELD_ns:
    case FIELD_session:
    case FIELD_service:
    case FIELD_token:
        return name_check(name, s, err);
    case FIELD_client:
        return client_check(s, err);
    case FIELD_path:
        return pointer_valid(s, err) || err_wrap(err, "field 'path'");
    case FIELD_condition:
        return word_check(name, s, conditions, err);
    case FIELD_want:
        return word_check(name, s, wants, err);
    default:
        return true;
    }
}

/* ---- Checking fields together ---- */

static bool need(const struct request *request, enum field field, struct err *err)
{
    if (has(request, field))
        return true;
    return err_set(err, ERR_INVALID, "operation '%s' needs the field '%s'", op_info(request->operation)->name,
                   field_info(field)->name);
}

static bool exclusive(const struct request *request, enum field a, enum field b, struct err *err)
{
    if (!has(request, a) || !has(request, b))
        return true;
    return err_set(err, ERR_INVALID, "operation '%s' takes the field '%s' or '%s', not both",
                   op_info(request->operation)->name, field_info(a)->name, field_info(b)->name);
}

/* change (the default) and exclude: keys; when: expr; all else: key. */
static bool watch_check(const struct request *request, struct err *err)
{
    static const enum field operands[] = {FIELD_key, FIELD_keys, FIELD_expr};
    struct str condition = request_has(request, condition) ? request_str(request, condition) : STR("change");
    bool change = str_is(condition, "change"), exclude = str_is(condition, "exclude");
    enum field takes = change || exclude ? FIELD_keys : str_is(condition, "when") ? FIELD_expr : FIELD_key;
    /* One key, with or without a path, is as good as a list of one. */
    if (change && request_has(request, key))
        takes = FIELD_key;
    for (size_t i = 0; i < LENGTH_OF(operands); i++)
        if (operands[i] != takes && has(request, operands[i]))
            return err_set(err, ERR_INVALID, "condition '%.*s' does not take the field '%s'",
                           STR_ARG(condition), field_info(operands[i])->name);
    if (request_has(request, path) && (str_is(condition, "prefix") || str_is(condition, "glob")))
        return err_set(err, ERR_INVALID, "condition '%.*s' does not take the field 'path'",
                       STR_ARG(condition));
    return change || need(request, takes, err);
}

static bool op_check(const struct request *request, struct err *err)
{
    switch (request->operation) {
    case OP_has:
    case OP_set:
    case OP_setdefault:
    case OP_pop:
    case OP_incr:
    case OP_append:
    case OP_extend:
    case OP_remove:
        return need(request, FIELD_key, err);
    case OP_cas:
        return need(request, FIELD_key, err) && exclusive(request, FIELD_at, FIELD_absent, err);
    case OP_del:
        return exclusive(request, FIELD_key, FIELD_keys, err) &&
               (request_has(request, keys) || need(request, FIELD_key, err));
    case OP_eval:
        return need(request, FIELD_expr, err);
    case OP_atomic:
        return need(request, FIELD_assign, err);
    case OP_txn:
        if (request_bool(request, wait))
            return exclusive(request, FIELD_wait, FIELD_else, err);
        return true;
    case OP_watch:
        return watch_check(request, err);
    case OP_stream:
        return watch_check(request, err) && need(request, FIELD_credit, err);
    case OP_credit:
        return need(request, FIELD_call, err);
    case OP_ack:
        return need(request, FIELD_session, err) && need(request, FIELD_ack, err);
    case OP_go_live:
    case OP_session_open:
    case OP_session_close:
        return need(request, FIELD_session, err);
    case OP_commit:
        if (request_has(request, keys) && !request_bool(request, merge))
            return err_set(err, ERR_INVALID, "field 'keys' of commit needs the field 'merge'");
        return need(request, FIELD_token, err);
    case OP_renew:
    case OP_abort:
        return need(request, FIELD_token, err);
    case OP_serve:
    case OP_call:
        return need(request, FIELD_service, err);
    case OP_answer:
    case OP_cancel:
        return need(request, FIELD_call, err);
    default:
        return true;
    }
}

static bool request_check(const struct request *request, struct err *err)
{
    for (int field = FIELD_timeout_ms + 1; field < FIELD_COUNT; field++)
        if (has(request, (enum field)field) && !op_takes(request->operation, (enum field)field))
            return err_set(err, ERR_INVALID, "operation '%s' does not take the field '%s'",
                           op_info(request->operation)->name, field_info((enum field)field)->name);
    if (!need(request, FIELD_v, err) || !need(request, FIELD_id, err))
        return false;
    if (request_has(request, client) != request_has(request, seq))
        return err_set(err, ERR_INVALID, "the fields 'client' and 'seq' go together");
    if (request_has(request, done) && !request_has(request, seq))
        return err_set(err, ERR_INVALID, "field 'done' needs the fields 'client' and 'seq'");
    if (request_has(request, seq) && op_info(request->operation)->kind != OP_KIND_WRITE)
        return err_set(err, ERR_INVALID, "operation '%s' writes nothing and does not take the field 'seq'",
                       op_info(request->operation)->name);
    if (request_has(request, path) && !request_has(request, key))
        return err_set(err, ERR_INVALID, "field 'path' needs the field 'key'");
    return op_check(request, err);
}

/* ---- Parsing ---- */

static const char *const kind_names[] = {[FIELD_INT] = "an integer",
                                         [FIELD_BOOL] = "true or false",
                                         [FIELD_STR] = "a string",
                                         [FIELD_KEYS] = "a list of strings"};

static void keep(struct request *request, struct value *value)
{
    if (!request->kept)
        request->kept = value_list();
    list_push(request->kept, value);
}

static struct str str_keep(struct request *request, const struct member *member)
{
    if (member->lasting)
        return member->s;
    struct value *string = value_string(member->s);
    keep(request, string);
    return value_as_str(string);
}

static bool field_parse(struct request *request, enum field field, const struct member *member,
                        struct err *err)
{
    static const enum value_type types[] = {[FIELD_INT] = VALUE_INT,
                                            [FIELD_BOOL] = VALUE_BOOL,
                                            [FIELD_STR] = VALUE_STRING,
                                            [FIELD_KEYS] = VALUE_LIST};
    const struct field_info *info = field_info(field);
    if (member->type != types[info->kind])
        return err_set(err, ERR_INVALID, "field '%s' must be %s", info->name, kind_names[info->kind]);
    switch (info->kind) {
    case FIELD_INT:
        request_set_int(request, field, member->i);
        return int_check(field, member->i, err);
    case FIELD_BOOL:
        request_set_int(request, field, member->i);
        return true;
    case FIELD_STR:
        request_set_str(request, field, str_keep(request, member));
        return str_check(field, member->s, err);
    case FIELD_KEYS:
        keep(request, value_ref(member->value));
        request_set_keys(request, field, member->value);
        return field == FIELD_if ? exprs_check(info->name, member->value, err)
                                 : keys_check(info->name, member->value, err);
    }
    return true;
}

/* After the first mistake only the id is of interest: a refusal names its request. */
struct parsing {
    struct request *request;
    struct err mistake;
};

static bool member_parse(void *ctx, const struct member *member, struct err *err)
{
    (void)err;
    struct parsing *parsing = ctx;
    enum field field = field_from_name(member->name);
    if (parsing->mistake.code != ERR_NONE) {
        if (field == FIELD_id && member->type == VALUE_INT)
            request_set_int(parsing->request, FIELD_id, member->i);
    } else if (field == FIELD_COUNT) {
        err_set(&parsing->mistake, ERR_INVALID, "unknown field '%.*s'", STR_ARG(member->name));
    } else {
        field_parse(parsing->request, field, member, &parsing->mistake);
    }
    return true;
}

bool request_parse(struct str header, struct request *request, struct err *err)
{
    struct parsing parsing = {.request = request};
    *request = (struct request){0};
    if (!object_take(header, member_parse, &parsing, err))
        return err_wrap(err, "the header");
    if (parsing.mistake.code != ERR_NONE) {
        if (err)
            *err = parsing.mistake;
        return false;
    }
    if (!request_has(request, op))
        return err_set(err, ERR_INVALID, "the header needs the field 'op'");
    request->operation = op_from_name(request_str(request, op));
    if (request->operation == OP_NONE)
        return err_set(err, ERR_UNSUPPORTED, "unknown operation '%.*s'", STR_ARG(request_str(request, op)));
    return request_check(request, err);
}

void request_release(struct request *request)
{
    value_unref(request->kept);
    *request = (struct request){0};
}
