/* The tables of operations and fields, made from ops.def. */
#include "wire_priv.h"

static const struct op_info ops[OP_COUNT] = {
    [OP_NONE] = {"", OP_KIND_OTHER, OP_VALUE_NONE, "", ""},
#define OP(name, kind, fields, value, help)                                                                  \
    [OP_##name] = {#name, OP_KIND_##kind, OP_VALUE_##value, fields, help},
#include "ops.def"
};

static const struct field_info fields[FIELD_COUNT] = {
#define FIELD(name, kind, help) [FIELD_##name] = {#name, FIELD_##kind, help},
#include "ops.def"
};

/* The lengths of the names: most candidates are ruled out by them. */
static const unsigned char op_lengths[OP_COUNT] = {
#define OP(name, kind, fields, value, help) [OP_##name] = sizeof #name - 1,
#include "ops.def"
};

static const unsigned char field_lengths[FIELD_COUNT] = {
#define FIELD(name, kind, help) [FIELD_##name] = sizeof #name - 1,
#include "ops.def"
};

const struct op_info *op_info(enum op op)
{
    return &ops[op];
}

const struct field_info *field_info(enum field field)
{
    return &fields[field];
}

enum op op_from_name(struct str name)
{
    for (int op = OP_NONE + 1; op < OP_COUNT; op++)
        if (op_lengths[op] == name.len && memcmp(ops[op].name, name.data, name.len) == 0)
            return (enum op)op;
    return OP_NONE;
}

enum field field_from_name(struct str name)
{
    for (int field = 0; field < FIELD_COUNT; field++)
        if (field_lengths[field] == name.len && memcmp(fields[field].name, name.data, name.len) == 0)
            return (enum field)field;
    return FIELD_COUNT;
}

bool op_takes(enum op op, enum field field)
{
    /* The fields down to timeout_ms go with every request. */
    if (field <= FIELD_timeout_ms)
        return true;
    const char *next = ops[op].fields;
    const struct str name = {fields[field].name, field_lengths[field]};
    while (*next) {
        size_t len = strcspn(next, " ");
        if (str_equal((struct str){next, len}, name))
            return true;
        next += len + (next[len] == ' ');
    }
    return false;
}
