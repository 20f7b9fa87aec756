/* run and check: hands the manifest to the supervisor and looks after it. */
#include "run.h"

#include "guardian.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static const struct option run_options[] = {
    {'f', "manifest", "FILE",
     "a manifest, - for standard input (default: zproc.yaml); later ones lie over earlier ones"},
    {0, "var", "NAME=VALUE", "a variable for ${{ vars.NAME }}, over the manifest's"},
    {'j', "jobs", "N", "at most N jobs at once; 0: no limit"},
    {0, "fail", "MODE", "after a failure: fast (stop the rest), finish, keep-going"},
    {0, "server", "ADDRESS", "use the state server there instead of starting one"},
    {0, "output", "MODE", "prefix, group, failed, quiet, raw or json"},
    {0, "junit", "FILE", "write a report for CI there (JUnit XML): a worker is a test case"},
    {0, "events", "FILE", "write each change of a worker there, a line of JSON each"},
    {0, "dry-run", NULL, "show what would start, in order"},
    {0},
};

/* What is handed on as it was given: names are the same there. */
static const char *const passed[] = {"manifest", "var",    "jobs",    "fail", "server", "output",
                                     "junit",    "events", "dry-run", "json", "quiet",  "no-color"};

static void line_add(struct line *line, char *item)
{
    mem_grow(line->items, line->capacity, line->count + 1);
    line->items[line->count++] = item;
    line->items[line->count] = NULL;
}

void line_release(struct line *line)
{
    for (size_t i = 0; i < line->count; i++)
        free(line->items[i]);
    free(line->items);
}

static bool is_passed(const char *name)
{
    for (size_t i = 0; i < LENGTH_OF(passed); i++)
        if (strcmp(passed[i], name) == 0)
            return true;
    return false;
}

static bool add_options(struct line *line, const struct args *args, struct err *err)
{
    static const char *const foreign[] = {"namespace", "session"};
    for (size_t i = 0; i < LENGTH_OF(foreign); i++)
        if (args_has(args, foreign[i]))
            return err_set(err, ERR_INVALID,
                           "'--%s' has no meaning here: the manifest says it for each worker", foreign[i]);
    if (args_has(args, "verbose"))
        return err_set(err, ERR_UNSUPPORTED, "'--verbose' is not supported yet with a manifest or a run");
    for (size_t i = 0; i < args->given_count; i++) {
        const struct given *given = &args->given[i];
        const char *name = strcmp(given->row->name, "address") == 0 ? "server" : given->row->name;
        if (!is_passed(name))
            continue;
        line_add(line, given->value ? mem_format("--%s=%s", name, given->value) : mem_format("--%s", name));
    }
    return true;
}

bool supervisor_line(struct line *line, const struct args *args, const char *extra, struct err *err)
{
    char *program = program_find("zproc-run", err);
    if (!program)
        return false;
    line_add(line, program);
    if (extra)
        line_add(line, mem_text(extra));
    if (!add_options(line, args, err))
        return false;
    for (size_t i = 0; i < args->operand_count; i++) {
        if (i == args->dashes)
            line_add(line, mem_text("--"));
        line_add(line, mem_text(args->operands[i]));
    }
    return true;
}

static int run_run(struct context *context, struct err *err)
{
    struct line line = {0};
    int status = FAILED;
    if (context->args.dashes == context->args.operand_count)
        err_set(err, ERR_INVALID, "no command behind '--'");
    else if (supervisor_line(&line, &context->args, NULL, err))
        status = guardian_run(line.items, err);
    line_release(&line);
    return status;
}

const struct command cmd_run = {
    .name = "run",
    .group = GROUP_RUN,
    .usage = "[WORKER...] | -- CMD...",
    .operands_max = OPERANDS_ANY,
    .summary = "Run a manifest, or one command with a state of its own, until it ends",
    .notes =
        "With WORKERs only those and what they need. Its status is 0 only when nothing required failed,\n"
        "else that of the first failure; 124 for a timeout, 128+N for signal N, 125 when zproc failed.\n"
        "Ctrl-C stops the workers in order; a second one kills them.\n",
    .options = run_options,
    .examples = "  zproc run\n  zproc run -f ci.yaml -j 4 --fail keep-going test lint\n"
                "  zproc run -- sh -c 'zproc set a 1; zproc incr a 41'\n",
    .run = run_run,
};

static const struct option check_options[] = {
    {'f', "manifest", "FILE",
     "a manifest, - for standard input (default: zproc.yaml); later ones lie over earlier ones"},
    {0, "var", "NAME=VALUE", "a variable for ${{ vars.NAME }}, over the manifest's"},
    {0},
};

static int run_check(struct context *context, struct err *err)
{
    struct line line = {0};
    if (args_has(&context->args, "json")) {
        err_set(err, ERR_UNSUPPORTED, "'--json' is not supported yet");
    } else if (supervisor_line(&line, &context->args, "--check", err)) {
        execv(line.items[0], line.items);
        err_errno(err, errno, "cannot start '%s'", line.items[0]);
    }
    line_release(&line);
    return FAILED;
}

const struct command cmd_check = {
    .name = "check",
    .group = GROUP_RUN,
    .usage = "[WORKER...]",
    .operands_max = OPERANDS_ANY,
    .summary = "Read a manifest and say what is wrong with it",
    .options = check_options,
    .examples = "  zproc check -f ci.yaml\n",
    .run = run_check,
};
