/* spawn: a new worker in a run that goes on. */
#include "call.h"

#include <stdlib.h>

static const struct option spawn_options[] = {
    {'e', "env", "NAME=VALUE", "a variable of its environment (may be repeated)"},
    {0, "need", "NAME[=STATE]", "wait until this worker is ready or has succeeded, or is in STATE"},
    {'C', "dir", "DIR", "where it runs (default: the manifest's folder)"},
    {0, "service", NULL, "a service: started again when it ends, does not keep the run alive"},
    {0, "optional", NULL, "its failure does not fail the run"},
    {0, "retry", "N", "try N times more after a failure"},
    {0, "replicas", "N", "so many instances"},
    {0, "run-timeout", "TIME", "of an attempt"},
    CALL_TIMEOUT,
    RUN_OPTION,
    {0}};

/* The value of each NAME=VALUE of an option, as JSON. */
static bool add_env(const struct args *args, struct buf *json, struct err *err)
{
    size_t count = 0;
    for (size_t i = 0; i < args->given_count; i++) {
        const struct given *given = &args->given[i];
        const char *equals = given->value ? strchr(given->value, '=') : NULL;
        if (strcmp(given->row->name, "env") != 0)
            continue;
        if (!equals || equals == given->value || !utf8_valid(str_of(given->value)))
            return err_set(err, ERR_INVALID, "'%.200s' is not of the form NAME=VALUE", given->value);
        buf_add_text(json, count++ == 0 ? ",\"env\":{" : ",");
        string_print(json, (struct str){given->value, (size_t)(equals - given->value)});
        buf_add_char(json, ':');
        string_print(json, str_of(equals + 1));
    }
    if (count > 0)
        buf_add_char(json, '}');
    return true;
}

static void add_needs(const struct args *args, struct buf *json)
{
    buf_add_text(json, ",\"needs\":[");
    size_t count = 0;
    for (size_t i = 0; i < args->given_count; i++) {
        const struct given *given = &args->given[i];
        if (strcmp(given->row->name, "need") != 0)
            continue;
        const char *equals = strchr(given->value, '=');
        size_t len = equals ? (size_t)(equals - given->value) : strlen(given->value);
        buf_add_text(json, count++ > 0 ? ",[" : "[");
        string_print(json, (struct str){given->value, len});
        buf_add_char(json, ',');
        if (equals)
            string_print(json, str_of(equals + 1));
        else
            buf_add_text(json, "null");
        buf_add_char(json, ']');
    }
    buf_add_char(json, ']');
}

static bool add_dir(const struct args *args, struct buf *json, struct err *err)
{
    const char *dir = args_value(args, "dir");
    if (!dir)
        return true;
    AUTO_FREE char *whole = realpath(dir, NULL);
    if (!whole)
        return err_set(err, ERR_INVALID, "'%s': there is no such folder", dir);
    call_text(json, "dir", str_of(whole));
    return true;
}

static bool add_numbers(const struct args *args, struct buf *json, struct err *err)
{
    static const char *const names[] = {"retry", "replicas"};
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        int64_t number = -1;
        if (!args_number(args, names[i], &number, err))
            return false;
        if (number >= 0)
            buf_add_format(json, ",\"%s\":%lld", names[i], (long long)number);
    }
    int64_t ms;
    const char *timeout = args_value(args, "run-timeout");
    if (timeout && !duration_parse(str_of(timeout), &ms, err))
        return err_wrap(err, "option '--run-timeout'");
    if (timeout)
        call_text(json, "timeout", str_of(timeout));
    return true;
}

/* The worker as a manifest would have it. */
static bool add_worker(const struct args *args, struct buf *json, struct err *err)
{
    const char *namespace = args_value(args, "namespace");
    buf_add_text(json, ",\"worker\":{\"run\":[");
    for (size_t i = args->dashes; i < args->operand_count; i++) {
        if (!utf8_valid(str_of(args->operands[i])))
            return err_set(err, ERR_INVALID, "the command must be valid UTF-8");
        if (i > args->dashes)
            buf_add_char(json, ',');
        string_print(json, str_of(args->operands[i]));
    }
    buf_add_char(json, ']');
    if (args_has(args, "service"))
        buf_add_text(json, ",\"service\":true");
    if (args_has(args, "optional"))
        buf_add_text(json, ",\"optional\":true");
    if (namespace)
        call_text(json, "namespace", str_of(namespace));
    if (!add_env(args, json, err) || !add_dir(args, json, err) || !add_numbers(args, json, err))
        return false;
    buf_add_char(json, '}');
    return true;
}

static int run_spawn(struct context *context, struct err *err)
{
    const struct args *args = &context->args;
    AUTO_BUF struct buf json = {0};
    AUTO_VALUE struct value *answer = NULL;
    if (args->dashes != 1 || args->operand_count < 2) {
        err_set(err, ERR_INVALID, "a name and a command are needed: zproc spawn NAME -- CMD");
        return FAILED;
    }
    call_begin(&json, "spawn");
    call_text(&json, "name", str_of(args->operands[0]));
    if (!add_worker(args, &json, err))
        return FAILED;
    add_needs(args, &json);
    bool ok = call_ask(context, &json, &answer, err) && call_print(context, answer, call_print_pid, err) &&
              call_started(answer, err);
    return ok ? 0 : FAILED;
}

const struct command cmd_spawn = {
    .name = "spawn",
    .group = GROUP_CONTROL,
    .usage = "NAME -- CMD...",
    .operands_min = 1,
    .operands_max = OPERANDS_ANY,
    .summary = "Add a worker to the run that goes on",
    .notes =
        "Prints its process id, - when it has to wait for its needs or a free slot. From within a worker\n"
        "too: the new one belongs to the run, works on the same state and keeps the run alive unless it\n"
        "is a service. When it fails, the run fails, unless it is --optional. A name can be taken again\n"
        "when what had it has ended; the new one must not need what needs it. With -n it works in that\n"
        "namespace. ${{ }} in CMD is filled in as in a manifest.\n",
    .options = spawn_options,
    .examples = "  zproc spawn worker2 -- ./work.sh 2\n"
                "  zproc spawn db --service -e PORT=5433 -- ./db\n"
                "  zproc spawn report --need worker2=ended -- ./report.sh\n",
    .run = run_spawn,
};
