/* logs: what workers have printed and print. The supervisor reads the files and tells of what comes; when the
 * run has ended they are read from its folder. */
#include "call.h"
#include "proc.h"
#include "records.h"
#include "view.h"

#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define READ_BYTES 65536
#define STAMP_LEN  25 /* "2026-11-23T05:42:00.123Z " */

static const struct option logs_options[] = {
    {'f', "follow", NULL, "go on with what comes, until the workers have ended"},
    {'n', "lines", "N", "only the last N lines of each"},
    {'t', "timestamps", NULL, "with the time of each line, where the log has it"},
    RUN_OPTION,
    {0},
};

/* The log of one worker. */
struct source {
    char *name, *path; /* path: of a run that has ended, "" for none */
    size_t worker;     /* its place among the workers, for its colour */
    bool stamps;       /* its lines begin with the time */
    struct log_place place;
    bool begun;      /* place is known */
    struct buf text; /* bytes that came, of which so many were printed */
    size_t printed;
    bool drained, ended; /* there is no more for now; for good */
};
struct logs {
    struct context *context;
    struct records records;
    struct source *sources;
    size_t count, capacity;
    size_t width; /* of the names; 0: they are not shown */
    int64_t lines, reader;
    bool follow, stamps, colour;
    struct buf out;
};

/* ---- Sources ---- */

static void source_add(struct logs *logs, struct str name, const struct value *record, size_t worker)
{
    const struct value *stamps = map_get(record, STR("stamps"));
    struct str log = record_text(record, "log");
    mem_grow(logs->sources, logs->capacity, logs->count);
    logs->sources[logs->count++] = (struct source){.name = mem_copy(name.data, name.len),
                                                   .path = mem_copy(log.data, log.len),
                                                   .worker = worker,
                                                   .stamps = stamps && value_as_bool(stamps)};
}

static bool is_wanted(const struct args *args, struct str name, const struct value *record)
{
    for (size_t i = 0; i < args->operand_count; i++)
        if (record_is(name, record, args->operands[i]))
            return true;
    return args->operand_count == 0;
}

static void sources_find(struct logs *logs)
{
    struct str name, worker = STR("");
    size_t at = 0, number = SIZE_MAX, widest = 0;
    for (const struct value *record; (record = records_next(&logs->records, &at, &name));) {
        number += !str_equal(worker, record_text(record, "worker"));
        worker = record_text(record, "worker");
        if (!is_wanted(&logs->context->args, name, record))
            continue;
        source_add(logs, name, record, number);
        widest = name.len > widest ? name.len : widest;
    }
    logs->width = logs->count > 1 ? widest : 0;
}

static void logs_release(struct logs *logs)
{
    for (size_t i = 0; i < logs->count; i++) {
        free(logs->sources[i].name);
        free(logs->sources[i].path);
        buf_release(&logs->sources[i].text);
    }
    free(logs->sources);
    buf_release(&logs->out);
    records_release(&logs->records);
}

/* ---- Reading ---- */

static void forget_printed(struct source *source)
{
    buf_consume(&source->text, source->printed);
    source->printed = 0;
}

static void read_file(const struct logs *logs, struct source *source)
{
    forget_printed(source);
    if (!source->begun && logs->lines >= 0)
        log_seek(source->path, logs->lines, &source->place);
    source->begun = true;
    source->drained = !*source->path || !log_read(source->path, &source->place, READ_BYTES, &source->text);
    source->ended = source->drained;
}

static struct str unprinted(const struct source *source)
{
    return (struct str){buf_str(&source->text).data + source->printed, source->text.len - source->printed};
}

/* Whether more of it is to be read before anything of it, or of what is later than that, can be printed. */
static bool is_hungry(const struct source *source)
{
    struct str text = unprinted(source);
    return !source->drained && !memchr(text.data, '\n', text.len);
}

static void add_from(const struct logs *logs, struct buf *json, const struct source *source)
{
    buf_add_text(json, json->data[json->len - 1] == '[' ? "{\"name\":" : ",{\"name\":");
    string_print(json, str_of(source->name));
    if (source->begun)
        buf_add_format(json, ",\"file\":%lld,\"at\":%lld", (long long)source->place.file,
                       (long long)source->place.at);
    else if (logs->lines >= 0)
        buf_add_format(json, ",\"lines\":%lld", (long long)logs->lines);
    buf_add_char(json, '}');
}

static int64_t field_of(const struct value *map, const char *field)
{
    const struct value *value = map_get(map, str_of(field));
    return value ? value_as_int(value) : 0;
}

static bool take_log(struct source *source, const struct value *log, struct err *err)
{
    const struct value *data = map_get(log, STR("data")), *more = map_get(log, STR("more")),
                       *ended = map_get(log, STR("ended"));
    forget_printed(source);
    source->begun = true;
    source->place = (struct log_place){(uint64_t)field_of(log, "file"), field_of(log, "at")};
    source->drained = !more || !value_as_bool(more);
    source->ended = ended && value_as_bool(ended);
    return !data || base64_read(&source->text, value_as_str(data)) ||
           err_set(err, ERR_INTERNAL, "the supervisor's answer makes no sense");
}

static bool take_answer(struct logs *logs, const struct value *answer, struct err *err)
{
    const struct value *list = map_get(answer, STR("logs"));
    bool ok = list != NULL;
    size_t at = 0;
    for (size_t i = 0; ok && i < value_len(list); i++) {
        const struct value *log = list_at(list, i), *name = map_get(log, STR("name"));
        while (at < logs->count && (!name || !str_is(value_as_str(name), logs->sources[at].name)))
            at++;
        ok = at < logs->count && take_log(&logs->sources[at], log, err);
    }
    return ok || err_set(err, ERR_INTERNAL, "the supervisor's answer makes no sense");
}

/* Asks for more of those that are hungry, or, with wait, of all. */
static bool ask(struct logs *logs, bool wait, struct err *err)
{
    AUTO_BUF struct buf json = {0};
    AUTO_VALUE struct value *answer = NULL;
    call_begin(&json, "logs");
    if (logs->follow)
        buf_add_format(&json, ",\"reader\":%lld", (long long)logs->reader);
    if (wait)
        buf_add_text(&json, ",\"wait\":true");
    buf_add_text(&json, ",\"from\":[");
    for (size_t i = 0; i < logs->count; i++)
        if (!logs->sources[i].ended && (wait || is_hungry(&logs->sources[i])))
            add_from(logs, &json, &logs->sources[i]);
    buf_add_char(&json, ']');
    return call_ask(logs->context, &json, &answer, err) && take_answer(logs, answer, err);
}

/* ---- Printing ---- */

static bool is_stamp(struct str text)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ ";
    for (size_t i = 0; i < STAMP_LEN; i++)
        if (i >= text.len ||
            (form[i] == 'd' ? text.data[i] < '0' || text.data[i] > '9' : text.data[i] != form[i]))
            return false;
    return true;
}

static void add_json(struct logs *logs, const struct source *source, struct str time, struct str line)
{
    AUTO_BUF struct buf mended = {0};
    view_add_utf8(&mended, line);
    buf_add_text(&logs->out, "{\"worker\":");
    string_print(&logs->out, str_of(source->name));
    buf_add_text(&logs->out, ",\"line\":");
    string_print(&logs->out, buf_str(&mended));
    if (time.len > 0) {
        buf_add_text(&logs->out, ",\"time\":");
        string_print(&logs->out, (struct str){time.data, time.len - 1});
    }
    buf_add_text(&logs->out, "}\n");
}

/* line is without its newline; `whole` says whether it had one. */
static void add_line(struct logs *logs, const struct source *source, struct str line, bool whole)
{
    struct str time = {line.data, source->stamps && is_stamp(line) ? STAMP_LEN : 0};
    struct str rest = {line.data + time.len, line.len - time.len};
    if (logs->context->json) {
        add_json(logs, source, time, rest);
        return;
    }
    if (logs->width > 0 && rest.len > 0 && rest.data[rest.len - 1] == '\r') {
        rest.len--; /* a terminal's line: it would go back over the name */
        line.len--;
    }
    if (logs->width > 0) {
        AUTO_BUF struct buf name = {0};
        buf_add_format(&name, "%-*s |", (int)logs->width, source->name);
        view_paint(&logs->out, view_name_colour(source->worker), buf_str(&name), logs->colour);
        buf_add_char(&logs->out, ' ');
    }
    buf_add_str(&logs->out, logs->stamps ? line : rest);
    if (whole || logs->width > 0)
        buf_add_char(&logs->out, '\n');
}

/* The next line to print of a source; false: none is there. What has no newline is one when no more will
 * come. */
static bool next_line(const struct logs *logs, const struct source *source, struct str *line)
{
    struct str text = unprinted(source);
    const char *end = memchr(text.data, '\n', text.len);
    bool last = source->drained && (source->ended || !logs->follow);
    *line = (struct str){text.data, end ? (size_t)(end - text.data) : text.len};
    return end || (last && text.len > 0);
}

/* The source whose next line is the oldest; one without times has its turn at once. */
static struct source *oldest(struct logs *logs, struct str *line)
{
    struct source *found = NULL;
    for (size_t i = 0; i < logs->count; i++) {
        struct str next;
        if (!next_line(logs, &logs->sources[i], &next))
            continue;
        bool stamped = logs->sources[i].stamps && is_stamp(next);
        if (found && stamped && memcmp(next.data, line->data, STAMP_LEN) >= 0)
            continue;
        found = &logs->sources[i];
        *line = next;
        if (!stamped)
            break;
    }
    return found;
}

static bool any_hungry(const struct logs *logs)
{
    for (size_t i = 0; i < logs->count; i++)
        if (is_hungry(&logs->sources[i]))
            return true;
    return false;
}

static bool flush(struct logs *logs, struct err *err)
{
    bool ok = logs->out.len == 0 || output_write(&logs->out, err);
    buf_clear(&logs->out);
    return ok;
}

static bool print_lines(struct logs *logs, struct err *err)
{
    struct source *source;
    struct str line;
    while (!any_hungry(logs) && (source = oldest(logs, &line))) {
        bool whole = line.len < unprinted(source).len;
        add_line(logs, source, line, whole);
        source->printed += line.len + whole;
        if (logs->out.len > READ_BYTES && !flush(logs, err))
            return false;
    }
    return flush(logs, err);
}

/* ---- From the beginning to the end ---- */

static bool print_past(struct logs *logs, struct err *err)
{
    do {
        for (size_t i = 0; i < logs->count; i++)
            if (is_hungry(&logs->sources[i]))
                read_file(logs, &logs->sources[i]);
        if (!print_lines(logs, err))
            return false;
    } while (any_hungry(logs));
    return true;
}

static bool all_ended(const struct logs *logs)
{
    for (size_t i = 0; i < logs->count; i++)
        if (!logs->sources[i].ended)
            return false;
    return true;
}

static bool print_live(struct logs *logs, struct err *err)
{
    while (any_hungry(logs))
        if (!ask(logs, false, err) || !print_lines(logs, err))
            return false;
    while (logs->follow && !all_ended(logs))
        if (!ask(logs, true, err) || !print_lines(logs, err))
            return false;
    return true;
}

/* The server went with its run: what was not told stands in the files. */
static bool finish_past(struct logs *logs, struct err *err)
{
    struct records past;
    if (err->code != ERR_UNREACHABLE || !records_past(&past, &logs->records))
        return false;
    for (size_t i = 0; i < logs->count; i++) {
        struct source *source = &logs->sources[i];
        const struct value *record = map_get(past.map, str_of(source->name));
        struct str path = record ? record_text(record, "log") : STR("");
        free(source->path);
        source->path = mem_copy(path.data, path.len);
        source->drained = source->ended = false;
    }
    records_release(&past);
    return print_past(logs, err);
}

static int run_logs(struct context *context, struct err *err)
{
    const struct args *args = &context->args;
    struct logs logs = {.context = context,
                        .lines = -1,
                        .follow = args_has(args, "follow"),
                        .stamps = args_has(args, "timestamps")};
    logs.colour = !args_has(args, "no-color") && fd_takes_colour(STDOUT_FILENO);
    bool ok = args_number(args, "lines", &logs.lines, err) && records_read(&logs.records, context, err) &&
              records_check_names(&logs.records, args->operands, args->operand_count, err);
    if (getrandom(&logs.reader, sizeof logs.reader, 0) < 0)
        logs.reader = getpid();
    logs.reader = (logs.reader & INT64_MAX) | 1;
    if (ok)
        sources_find(&logs);
    ok = ok &&
         (logs.records.past ? print_past(&logs, err) : print_live(&logs, err) || finish_past(&logs, err));
    logs_release(&logs);
    return ok ? 0 : FAILED;
}

const struct command cmd_logs = {
    .name = "logs",
    .group = GROUP_CONTROL,
    .usage = "[NAME...]",
    .operands_max = OPERANDS_ANY,
    .summary = "Print what workers have printed",
    .notes =
        "NAME is a worker (all its instances) or one instance; without NAMEs all workers. Lines of several\n"
        "come in the order of their times, each with its worker's name. With -f it goes on, and ends when\n"
        "all of them have ended. When no run goes on in this folder, it is the last one's.\n",
    .options = logs_options,
    .examples = "  zproc logs\n  zproc logs -f -n 20 oven baker\n  zproc logs --json | jq -r .line\n",
    .run = run_logs,
};
