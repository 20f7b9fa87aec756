/* The supervisor's command line. `zproc run` checks it for people; this is what it hands on. */
#include "run_priv.h"

#include <stdlib.h>

enum option {
    OPTION_MANIFEST,
    OPTION_VAR,
    OPTION_JOBS,
    OPTION_FAIL,
    OPTION_SERVER,
    OPTION_OUTPUT,
    OPTION_JUNIT,
    OPTION_EVENTS,
    OPTION_CONTROL,
    OPTION_BACKGROUND,
    OPTION_CHECK,
    OPTION_DRY_RUN,
    OPTION_NO_COLOR,
    OPTION_JSON,
    OPTION_QUIET,
};
static const struct {
    const char *name, *alias;
    bool takes;
} table[] = {
    [OPTION_MANIFEST] = {"--manifest", "-f", true},  [OPTION_VAR] = {"--var", NULL, true},
    [OPTION_JOBS] = {"--jobs", "-j", true},          [OPTION_FAIL] = {"--fail", NULL, true},
    [OPTION_SERVER] = {"--server", NULL, true},      [OPTION_OUTPUT] = {"--output", NULL, true},
    [OPTION_JUNIT] = {"--junit", NULL, true},        [OPTION_EVENTS] = {"--events", NULL, true},
    [OPTION_CONTROL] = {"--control", NULL, true},    [OPTION_BACKGROUND] = {"--background", NULL, true},
    [OPTION_CHECK] = {"--check", NULL, false},       [OPTION_DRY_RUN] = {"--dry-run", NULL, false},
    [OPTION_NO_COLOR] = {"--no-color", NULL, false}, [OPTION_JSON] = {"--json", NULL, false},
    [OPTION_QUIET] = {"--quiet", "-q", false},
};
static const char *const outputs[] = {
    [OUTPUT_PREFIX] = "prefix", [OUTPUT_GROUP] = "group", [OUTPUT_FAILED] = "failed",
    [OUTPUT_QUIET] = "quiet",   [OUTPUT_RAW] = "raw",     [OUTPUT_JSON] = "json",
};
static const char *const fails[] = {
    [FAIL_FAST] = "fast", [FAIL_FINISH] = "finish", [FAIL_KEEP_GOING] = "keep-going"};

static int find_name(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

static bool parse_count(const char *option, const char *text, int64_t *number, struct err *err)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value < 0 || value > 1000000)
        return err_set(err, ERR_INVALID, "'%s' is not a number that '%s' takes", text, option);
    *number = value;
    return true;
}

static bool set_option(struct options *options, enum option option, const char *value, struct err *err)
{
    int64_t number = 0;
    int found;
    switch (option) {
    case OPTION_MANIFEST:
        options->manifests[options->manifest_count++] = value;
        return true;
    case OPTION_VAR:
        if (value[0] == '=' || !strchr(value, '='))
            return err_set(err, ERR_INVALID, "'%s' is no variable; write --var NAME=VALUE", value);
        options->vars[options->var_count++] = value;
        return true;
    case OPTION_JOBS:
        return parse_count("--jobs", value, &options->jobs, err);
    case OPTION_FAIL:
        options->fail = find_name(fails, LENGTH_OF(fails), value);
        return options->fail >= 0 ||
               err_set(err, ERR_INVALID, "'%s' is none of fast, finish, keep-going (--fail)", value);
    case OPTION_SERVER:
        options->server = value;
        return true;
    case OPTION_OUTPUT:
        found = find_name(outputs, LENGTH_OF(outputs), value);
        if (found < 0)
            return err_set(err, ERR_INVALID,
                           "'%s' is none of prefix, group, failed, quiet, raw, json (--output)", value);
        options->output = (enum output_mode)found;
        options->output_given = true;
        return true;
    case OPTION_JUNIT:
        options->junit = value;
        return true;
    case OPTION_EVENTS:
        options->events = value;
        return true;
    case OPTION_CONTROL:
        if (!parse_count("--control", value, &number, err))
            return false;
        options->control = (int)number;
        return true;
    case OPTION_BACKGROUND:
        if (!parse_count("--background", value, &number, err))
            return false;
        options->background = (int)number;
        return fd_set_cloexec(options->background, true) ||
               err_set(err, ERR_INVALID, "descriptor %s of '--background' is not open", value);
    case OPTION_CHECK:
        return options->check = true;
    case OPTION_DRY_RUN:
        return options->dry_run = true;
    case OPTION_NO_COLOR:
        return options->colourless = true;
    case OPTION_JSON:
        return options->json = true;
    case OPTION_QUIET:
        return options->quiet = true;
    }
    return true;
}

/* One argument that begins with '-'; *at moves over the value when that is the next one. */
static bool parse_option(struct options *options, char **argv, int argc, int *at, struct err *err)
{
    const char *text = argv[*at];
    size_t len = strcspn(text, "=");
    for (size_t i = 0; i < LENGTH_OF(table); i++) {
        bool is_alias = table[i].alias && strncmp(text, table[i].alias, 2) == 0 && text[1] != '-';
        bool is_name = strlen(table[i].name) == len && strncmp(text, table[i].name, len) == 0;
        if (!is_alias && !is_name)
            continue;
        const char *value = is_alias ? (text[2] ? text + 2 : NULL) : (text[len] ? text + len + 1 : NULL);
        if (value && !table[i].takes)
            return err_set(err, ERR_INVALID, "'%s' takes no value", table[i].name);
        if (!value && table[i].takes) {
            if (*at + 1 >= argc)
                return err_set(err, ERR_INVALID, "'%s' needs a value", table[i].name);
            value = argv[++*at];
        }
        return set_option(options, (enum option)i, value, err);
    }
    return err_set(err, ERR_INVALID, "unknown option '%.*s'; see zproc run --help", (int)len, text);
}

bool options_parse(struct options *options, int argc, char **argv, struct err *err)
{
    *options = (struct options){.jobs = -1, .fail = -1, .control = -1, .background = -1};
    options->vars = mem_array((size_t)argc + 1, sizeof *options->vars);
    options->manifests = mem_array((size_t)argc + 1, sizeof *options->manifests);
    options->workers = mem_array((size_t)argc + 1, sizeof *options->workers);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            options->command = argv + i + 1;
            break;
        }
        if (argv[i][0] != '-')
            options->workers[options->worker_count++] = argv[i];
        else if (!parse_option(options, argv, argc, &i, err))
            return false;
    }
    if (options->background >= 0)
        options->json = options->quiet = false; /* of what `up` prints; the log has everything */
    if ((options->json || options->background >= 0) && !options->output_given)
        options->output = OUTPUT_QUIET; /* nothing but JSON on stdout */
    if (!options->command)
        return true;
    if (!options->command[0])
        return err_set(err, ERR_INVALID, "no command behind '--'");
    if (options->manifest_count > 0 || options->worker_count > 0 || options->var_count > 0)
        return err_set(err, ERR_INVALID,
                       "a command behind '--' goes without manifest, variables and workers");
    return true;
}

void options_release(struct options *options)
{
    free(options->manifests);
    free(options->vars);
    free(options->workers);
}

void options_apply(const struct options *options, struct plan *plan)
{
    if (options->jobs >= 0)
        plan->run.jobs = options->jobs;
    if (options->fail >= 0)
        plan->run.fail = (enum plan_fail)options->fail;
}
