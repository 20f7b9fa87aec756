/* Lines that GitHub Actions understands (workflow commands): what failed, shown beside the run. */
#include "view.h"

static void add_data(struct buf *buf, struct str text, const char *special)
{
    AUTO_BUF struct buf mended = {0};
    view_add_utf8(&mended, text);
    for (size_t i = 0; i < mended.len; i++) {
        char c = mended.data[i];
        if (c && strchr(special, c))
            buf_add_format(buf, "%%%02X", (unsigned)c);
        else
            buf_add_char(buf, c);
    }
}

void view_github_group(struct buf *buf, const char *name, struct str lines)
{
    buf_add_text(buf, "::group::");
    add_data(buf, str_of(name), "%\r\n");
    buf_add_char(buf, '\n');
    buf_add_str(buf, lines);
    buf_add_text(buf, "::endgroup::\n");
}

void view_github_failures(struct buf *buf, const struct view_summary *summary)
{
    for (size_t i = 0; i < summary->count; i++) {
        const struct view_worker *worker = &summary->workers[i];
        if (!view_worker_failed(worker))
            continue;
        buf_add_format(buf, "::%s title=", worker->optional ? "warning" : "error");
        add_data(buf, str_of(worker->name), "%\r\n:,");
        buf_add_format(buf, " %s::", worker->status);
        add_data(buf, str_of(worker->reason), "%\r\n");
        buf_add_text(buf, worker->tail.len > 0 ? "%0A" : "");
        add_data(buf, worker->tail, "%\r\n");
        buf_add_char(buf, '\n');
    }
}
