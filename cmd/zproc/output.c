/* Standard output: written at once and checked. */
#include "command.h"

#include <errno.h>
#include <unistd.h>

bool output_write(struct buf *buf, struct err *err)
{
    if (fd_write_all(STDOUT_FILENO, buf->data, buf->len))
        return true;
    return err_errno(err, errno, "cannot write to standard output");
}

static bool has_control(struct str s, bool null_ends)
{
    for (size_t i = 0; i < s.len; i++)
        if (null_ends ? s.data[i] == '\0' : (unsigned char)s.data[i] < ' ' || s.data[i] == 127)
            return true;
    return false;
}

void output_line(struct buf *buf, const struct value *item, bool null_ends)
{
    if (value_type(item) == VALUE_STRING && !has_control(value_as_str(item), null_ends))
        buf_add_str(buf, value_as_str(item));
    else
        value_print(buf, item);
    buf_add_char(buf, null_ends ? '\0' : '\n');
}

bool output_value(const struct context *context, struct str json, struct err *err)
{
    AUTO_BUF struct buf text = {0};
    if (!json.data)
        return err_set(err, ERR_INTERNAL, "the server's answer has no value");
    if (!context->json && json.len > 0 && json.data[0] == '"') {
        AUTO_VALUE struct value *value = value_parse(json, err);
        if (!value)
            return err_wrap(err, "the server's answer");
        buf_add_str(&text, value_as_str(value));
    } else {
        buf_add_str(&text, json);
    }
    buf_add_char(&text, '\n');
    return output_write(&text, err);
}
