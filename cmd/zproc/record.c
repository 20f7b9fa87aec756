/* One record of the namespace zproc: what its fields say. */
#include "records.h"

#include <unistd.h>

#include "view.h"

#define TAIL_LINES 10

struct str record_text(const struct value *record, const char *field)
{
    const struct value *value = map_get(record, str_of(field));
    return value ? value_as_str(value) : STR("");
}

int64_t record_number(const struct value *record, const char *field)
{
    const struct value *value = map_get(record, str_of(field));
    return value && value_type(value) == VALUE_INT ? value_as_int(value) : -1;
}

bool record_status_is(const struct value *record, const char *status)
{
    return str_is(record_text(record, "status"), status);
}

static bool status_in(const struct value *record, const char *const *statuses, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (record_status_is(record, statuses[i]))
            return true;
    return false;
}

bool record_alive(const struct value *record)
{
    static const char *const statuses[] = {"starting", "running", "ready", "stopping"};
    return status_in(record, statuses, LENGTH_OF(statuses)) && record_number(record, "pid") > 0;
}

bool record_failed(const struct value *record)
{
    static const char *const statuses[] = {"failed", "timeout", "lost"};
    return status_in(record, statuses, LENGTH_OF(statuses));
}

bool record_ended(const struct value *record)
{
    static const char *const statuses[] = {"succeeded", "stopped", "skipped"};
    return record_failed(record) || status_in(record, statuses, LENGTH_OF(statuses));
}

int record_exit(const struct value *record)
{
    int64_t number = record_number(record, "signal"), status = record_number(record, "exit");
    if (record_status_is(record, "succeeded"))
        return 0;
    if (record_status_is(record, "timeout"))
        return 124;
    if (number > 0)
        return 128 + (int)number;
    if (record_status_is(record, "stopped") && status == 0)
        return 0;
    return status > 0 ? (int)status : 1;
}

/* The last lines of text, each indented. */
static void add_tail(struct buf *buf, struct str text)
{
    size_t at = text.len, lines = TAIL_LINES;
    at -= at > 0 && text.data[at - 1] == '\n';
    for (; at > 0; at--)
        if (text.data[at - 1] == '\n' && --lines == 0)
            break;
    while (at < text.len) {
        const char *end = memchr(text.data + at, '\n', text.len - at);
        size_t len = end ? (size_t)(end - text.data) - at : text.len - at;
        buf_add_text(buf, "  ");
        view_add_clean(buf, (struct str){text.data + at, len});
        buf_add_char(buf, '\n');
        at += len + 1;
    }
}

void record_explain(const struct context *context, struct str name, const struct value *record)
{
    struct str status = record_text(record, "status"), reason = record_text(record, "reason");
    AUTO_BUF struct buf text = {0};
    if (context->quiet)
        return;
    context_say(context, "%.*s: %.*s%s%.*s", STR_ARG(name), STR_ARG(status), reason.len > 0 ? ": " : "",
                STR_ARG(reason));
    add_tail(&text, record_text(record, "tail"));
    (void)fd_write_all(STDERR_FILENO, text.data, text.len);
}

void context_say(const struct context *context, const char *format, ...)
{
    va_list args;
    AUTO_BUF struct buf text = {0}, line = {0};
    if (context->quiet)
        return;
    va_start(args, format);
    buf_add_vformat(&text, format, args);
    va_end(args);
    bool colour = !args_has(&context->args, "no-color") && fd_takes_colour(STDERR_FILENO);
    view_paint(&line, VIEW_DIM, STR("zproc:"), colour);
    buf_add_format(&line, " %s: ", context->command->name);
    view_add_clean(&line, buf_str(&text));
    buf_add_char(&line, '\n');
    /* Where stderr itself fails there is nobody left to tell. */
    (void)fd_write_all(STDERR_FILENO, line.data, line.len);
}
