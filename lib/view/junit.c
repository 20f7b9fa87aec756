/* A run as JUnit XML, as continuous integration reads it: a worker is a test case. */
#include "view.h"

/* XML 1.0 has no form for other control characters. */
static bool is_character(uint32_t code)
{
    return code == '\t' || code == '\n' || code == '\r' || (code >= 0x20 && code != 0xfffe && code != 0xffff);
}

static void add_escaped(struct buf *buf, struct str text)
{
    AUTO_BUF struct buf mended = {0};
    view_add_utf8(&mended, text);
    struct str clean = buf_str(&mended);
    for (size_t pos = 0; pos < clean.len;) {
        size_t start = pos;
        uint32_t code = utf8_next(clean, &pos);
        if (code == '&' || code == '<' || code == '>' || code == '"' || code == '\n' || code == '\r')
            buf_add_format(buf, "&#%d;", (int)code);
        else if (is_character(code))
            buf_add(buf, clean.data + start, pos - start);
        else
            buf_add_text(buf, "\xef\xbf\xbd");
    }
}

static void add_attribute(struct buf *buf, const char *name, struct str text)
{
    buf_add_format(buf, " %s=\"", name);
    add_escaped(buf, text);
    buf_add_char(buf, '"');
}

static void add_seconds(struct buf *buf, int64_t ms)
{
    ms = ms > 0 ? ms : 0;
    buf_add_format(buf, " time=\"%lld.%03d\"", (long long)(ms / 1000), (int)(ms % 1000));
}

static bool is_failure(const struct view_worker *worker)
{
    return view_worker_failed(worker) && !worker->optional;
}

static bool is_skipped(const struct view_worker *worker)
{
    return !is_failure(worker) && strcmp(worker->status, "succeeded") != 0;
}

static void add_outcome(struct buf *buf, const struct view_worker *worker)
{
    AUTO_BUF struct buf message = {0};
    bool failure = is_failure(worker);
    if (!failure && !is_skipped(worker))
        return;
    buf_add_format(&message, "%s%s%s%s", failure ? "" : worker->status,
                   view_worker_failed(worker) && !failure ? " (optional)" : "",
                   !failure && *worker->reason ? ": " : "", worker->reason);
    buf_add_text(buf, failure ? "      <failure" : "      <skipped");
    add_attribute(buf, "message", buf_str(&message));
    if (failure)
        add_attribute(buf, "type", str_of(worker->status));
    buf_add_text(buf, "/>\n");
}

static void add_case(struct buf *buf, const struct view_summary *summary, const struct view_worker *worker)
{
    buf_add_text(buf, "    <testcase");
    add_attribute(buf, "name", str_of(worker->name));
    add_attribute(buf, "classname", str_of(summary->name));
    add_seconds(buf, worker->duration_ms);
    buf_add_text(buf, ">\n");
    add_outcome(buf, worker);
    if (worker->tail.len > 0) {
        buf_add_text(buf, "      <system-err>");
        add_escaped(buf, worker->tail);
        buf_add_text(buf, "</system-err>\n");
    }
    buf_add_text(buf, "    </testcase>\n");
}

static void add_totals(struct buf *buf, const struct view_summary *summary)
{
    size_t failures = 0, skipped = 0;
    for (size_t i = 0; i < summary->count; i++) {
        failures += is_failure(&summary->workers[i]);
        skipped += is_skipped(&summary->workers[i]);
    }
    add_attribute(buf, "name", str_of(summary->name));
    buf_add_format(buf, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\"", summary->count,
                   failures, skipped);
    add_seconds(buf, summary->duration_ms);
    buf_add_text(buf, ">\n");
}

void view_summary_junit(struct buf *buf, const struct view_summary *summary)
{
    buf_add_text(buf, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites");
    add_totals(buf, summary);
    buf_add_text(buf, "  <testsuite");
    add_totals(buf, summary);
    for (size_t i = 0; i < summary->count; i++)
        add_case(buf, summary, &summary->workers[i]);
    buf_add_text(buf, "  </testsuite>\n</testsuites>\n");
}
