/* The parts of zproc-protocol(7): operations and header fields. */
#include "wire.h"
#include "generate.h"

static const char *const field_kinds[] = {
    [FIELD_INT] = "integer", [FIELD_BOOL] = "bool", [FIELD_STR] = "string", [FIELD_KEYS] = "list of strings"};
static const char *const op_kinds[] = {
    [OP_KIND_READ] = "read", [OP_KIND_WRITE] = "write", [OP_KIND_WAIT] = "waits", [OP_KIND_OTHER] = NULL};
static const char *const op_values[] = {
    [OP_VALUE_NONE] = NULL, [OP_VALUE_ONE] = "value", [OP_VALUE_MAYBE] = "value?"};

bool fields_write(struct buf *buf, struct err *err)
{
    (void)err;
    buf_add_text(buf, ".Bl -tag -width Ds\n");
    for (int i = 0; i < FIELD_COUNT; i++) {
        const struct field_info *field = field_info((enum field)i);
        buf_add_format(buf, ".It Fa %s : %s\n", field->name, field_kinds[field->kind]);
        mdoc_sentence(buf, field->help);
    }
    buf_add_text(buf, ".El\n");
    return true;
}

bool ops_write(struct buf *buf, struct err *err)
{
    (void)err;
    buf_add_text(buf, ".Bl -tag -width Ds\n");
    for (int i = OP_NONE + 1; i < OP_COUNT; i++) {
        const struct op_info *op = op_info((enum op)i);
        buf_add_format(buf, ".It Ic %s", op->name);
        if (*op->fields)
            buf_add_format(buf, " Fa %s", op->fields);
        if (op_values[op->value])
            buf_add_format(buf, " Ar %s", op_values[op->value]);
        if (op_kinds[op->kind])
            buf_add_format(buf, " No \\(em %s", op_kinds[op->kind]);
        buf_add_char(buf, '\n');
        mdoc_sentence(buf, op->help);
    }
    buf_add_text(buf, ".El\n");
    return true;
}
