/* ps: the workers of a run as a table, or a line of JSON each. */
#include "records.h"
#include "view.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define ROW_EACH 5 /* so many instances that stand alike still have a row each */

static const struct option ps_options[] = {
    {'A', "all", NULL, "the workers of every run on this server"},
    RUN_OPTION,
    {0},
};

struct listing {
    struct context *context;
    struct view_table table;
    struct buf out;
    bool alive; /* everything that was shown */
};

static int operand_find(const struct args *args, struct str key, const struct value *record)
{
    for (size_t i = 0; i < args->operand_count; i++)
        if (record_is(key, record, args->operands[i]))
            return (int)i;
    return -1;
}

static bool is_shown(const struct context *context, struct str key, const struct value *record)
{
    return context->args.operand_count == 0 || operand_find(&context->args, key, record) >= 0;
}

/* ---- JSON and names ---- */

static void add_json(struct listing *listing, const struct records *records, struct str key,
                     const struct value *record)
{
    struct buf *out = &listing->out;
    buf_add_text(out, "{\"name\":");
    string_print(out, key);
    buf_add_text(out, ",\"run\":");
    string_print(out, record_text(records_run(records), "id"));
    struct str field;
    for (size_t i = 0; i < value_len(record); i++) {
        const struct value *value = map_at(record, i, &field);
        buf_add_char(out, ',');
        string_print(out, field);
        buf_add_char(out, ':');
        value_print(out, value);
    }
    buf_add_text(out, "}\n");
}

/* ---- The table ---- */

static void add_number(struct view_table *table, int64_t number)
{
    AUTO_BUF struct buf text = {0};
    if (number < 0)
        buf_add_char(&text, '-');
    else
        buf_add_int(&text, number);
    view_table_add(table, VIEW_PLAIN, text.data);
}

/* How long it has run, or ran; -1: it never started. */
static int64_t record_time(const struct value *record)
{
    int64_t started = record_number(record, "started"), ended = record_number(record, "ended");
    int64_t end = ended >= 0 ? ended : time_wall_ms();
    return started < 0 ? -1 : end > started ? end - started : 0;
}

static void add_time(struct view_table *table, int64_t ms)
{
    AUTO_BUF struct buf text = {0};
    if (ms < 0)
        buf_add_char(&text, '-');
    else
        duration_print(&text, ms);
    view_table_add(table, VIEW_PLAIN, text.data);
}

static void add_exit(struct view_table *table, const struct value *record)
{
    int64_t number = record_number(record, "signal");
    const char *name = number > 0 ? sigabbrev_np((int)number) : NULL;
    AUTO_FREE char *text = name ? mem_format("SIG%s", name) : NULL;
    if (text)
        view_table_add(table, VIEW_PLAIN, text);
    else
        add_number(table, record_number(record, "exit"));
}

static void add_text(struct view_table *table, enum view_colour colour, struct str text)
{
    AUTO_FREE char *copy = mem_copy(text.data, text.len);
    view_table_add(table, colour, copy);
}

/* A row for `count` instances that stand alike. */
static void add_row(struct listing *listing, const struct records *records, size_t at, size_t count)
{
    struct view_table *table = &listing->table;
    struct str name;
    const struct value *record = records_next(records, &at, &name);
    AUTO_FREE char *status = mem_copy(record_text(record, "status").data, record_text(record, "status").len);
    AUTO_FREE char *group = mem_format("%.*s (%zu)", STR_ARG(record_text(record, "worker")), count);
    int64_t longest = record_time(record);
    for (size_t i = 1; i < count; i++) {
        struct str other;
        int64_t time = record_time(records_next(records, &at, &other));
        longest = time > longest ? time : longest;
    }
    add_text(table, VIEW_PLAIN, count > 1 ? str_of(group) : name);
    view_table_add(table, view_status_colour(status), status);
    add_number(table, count > 1 || !record_alive(record) ? -1 : record_number(record, "pid"));
    add_number(table, record_number(record, "attempt"));
    add_number(table, record_number(record, "restarts"));
    add_time(table, longest);
    add_exit(table, record);
    add_text(table, VIEW_PLAIN, record_text(record, "reason"));
}

static bool look_alike(const struct value *a, const struct value *b)
{
    static const char *const texts[] = {"worker", "status", "reason"};
    static const char *const numbers[] = {"attempt", "restarts", "exit", "signal"};
    for (size_t i = 0; i < LENGTH_OF(texts); i++)
        if (!str_equal(record_text(a, texts[i]), record_text(b, texts[i])))
            return false;
    for (size_t i = 0; i < LENGTH_OF(numbers); i++)
        if (record_number(a, numbers[i]) != record_number(b, numbers[i]))
            return false;
    return !record_failed(a);
}

/* How many records from here on are instances of one worker and stand alike. */
static size_t count_alike(const struct records *records, size_t at)
{
    struct str name;
    size_t count = 1;
    const struct value *first = records_next(records, &at, &name), *next;
    while ((next = records_next(records, &at, &name)) && look_alike(first, next))
        count++;
    return count;
}

static void list_records(struct listing *listing, const struct records *records)
{
    const struct context *context = listing->context;
    bool named = context->args.operand_count > 0, table = !context->json && !context->quiet;
    struct str name;
    for (size_t at = 0, here = 0;; here = at) {
        const struct value *record = records_next(records, &at, &name);
        if (!record)
            return;
        if (!is_shown(context, name, record))
            continue;
        size_t alike = table && !named ? count_alike(records, here) : 1;
        alike = alike > ROW_EACH ? alike : 1;
        listing->alive &= record_alive(record);
        if (context->json)
            add_json(listing, records, name, record);
        else if (context->quiet)
            buf_add_format(&listing->out, "%.*s\n", STR_ARG(name));
        else
            add_row(listing, records, here, alike);
        for (size_t i = 1; i < alike; i++)
            records_next(records, &at, &name);
    }
}

static void begin_table(struct listing *listing, const struct records *records, bool heading)
{
    static const char *const titles[] = {"NAME",     "STATUS", "PID",  "ATTEMPT",
                                         "RESTARTS", "TIME",   "EXIT", "REASON"};
    const struct value *run = records_run(records);
    listing->table =
        (struct view_table){.columns = LENGTH_OF(titles), .width = fd_columns(STDOUT_FILENO), .headed = true};
    if (listing->context->json || listing->context->quiet)
        return;
    if (heading)
        buf_add_format(&listing->out, "%srun %.*s (%.*s): %.*s\n", listing->out.len ? "\n" : "",
                       STR_ARG(record_text(run, "id")), STR_ARG(record_text(run, "name")),
                       STR_ARG(record_text(run, "status")));
    for (size_t i = 0; i < LENGTH_OF(titles); i++)
        view_table_add(&listing->table, VIEW_BOLD, titles[i]);
}

static void list_run(struct listing *listing, const struct records *records, bool heading)
{
    bool colour = !args_has(&listing->context->args, "no-color") && fd_takes_colour(STDOUT_FILENO);
    begin_table(listing, records, heading);
    list_records(listing, records);
    view_table_print(&listing->out, &listing->table, colour);
    view_table_release(&listing->table);
}

/* ---- Several runs ---- */

static bool list_space(struct listing *listing, struct str space, struct err *err)
{
    struct records records;
    AUTO_FREE char *name = mem_copy(space.data, space.len);
    bool ok = records_read_space(&records, listing->context, name, err);
    if (ok && records_run(&records))
        list_run(listing, &records, true);
    records_release(&records);
    return ok;
}

static bool list_all(struct listing *listing, struct err *err)
{
    struct request request = {.operation = OP_namespaces};
    struct reply reply;
    if (args_has(&listing->context->args, "run") || listing->context->args.operand_count > 0)
        return err_set(err, ERR_INVALID, "'--all' goes without '--run' and NAMEs");
    if (!run_options_check(listing->context, err) ||
        !context_ask(listing->context, &request, (struct str){0}, &reply, err))
        return false;
    AUTO_VALUE struct value *spaces = value_parse(reply.value, err);
    reply_release(&reply);
    bool ok = spaces != NULL;
    for (size_t i = 0; ok && i < value_len(spaces); i++) {
        struct str space = value_as_str(list_at(spaces, i));
        if (str_is(space, "zproc") || str_starts_with(space, STR("zproc.")))
            ok = list_space(listing, space, err);
    }
    return ok;
}

static void tell_past(const struct context *context, const struct records *records)
{
    const struct value *run = records_run(records);
    AUTO_BUF struct buf ago = {0};
    int64_t ended = record_number(run, "ended");
    duration_print(&ago, ended > 0 && time_wall_ms() > ended ? time_wall_ms() - ended : 0);
    context_say(context, "no run is going on here; the last one ended %s ago with status %d", ago.data,
                (int)record_number(run, "exit"));
}

static int list_one(struct listing *listing, struct err *err)
{
    struct records records;
    struct args *args = &listing->context->args;
    bool named = args->operand_count > 0, ok = records_read(&records, listing->context, err);
    ok = ok && records_check_names(&records, args->operands, args->operand_count, err);
    if (ok)
        list_run(listing, &records, false);
    if (ok && records.past)
        tell_past(listing->context, &records);
    int status = !ok ? FAILED : named ? !listing->alive : records.past ? err_code_status(ERR_UNREACHABLE) : 0;
    records_release(&records);
    return status;
}

static int run_ps(struct context *context, struct err *err)
{
    struct listing listing = {.context = context, .alive = true};
    int status;
    if (args_has(&context->args, "all"))
        status = list_all(&listing, err) ? 0 : FAILED;
    else
        status = list_one(&listing, err);
    if (status != FAILED && !output_write(&listing.out, err))
        status = FAILED;
    buf_release(&listing.out);
    return status;
}

const struct command cmd_ps = {
    .name = "ps",
    .group = GROUP_CONTROL,
    .usage = "[NAME...]",
    .operands_max = OPERANDS_ANY,
    .summary = "Show the workers of a run",
    .notes =
        "NAME is a worker, or an instance of it (oven.0, test[a,1]); with NAMEs the status is 1 unless all\n"
        "of them are alive, that is, have a process. With --json a line of JSON each, with -q the names.\n"
        "When no run goes on in this folder, the last one is shown, and the status is 3.\n",
    .options = ps_options,
    .examples = "  zproc ps\n  zproc ps oven >/dev/null || echo 'the oven is off'\n"
                "  zproc ps --json | jq -r 'select(.status == \"failed\").name'\n",
    .run = run_ps,
};
