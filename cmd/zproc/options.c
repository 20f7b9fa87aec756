/* Options and operands: options may stand among operands, "--" ends them, -5 and -.5 are operands,
 * long names are never cut short. */
#include "command.h"

#include <stdlib.h>

const struct option global_options[] = {
    {'a', "address", "ADDRESS", "the server: ipc:///path, ipc://@name or tcp://host:port"},
    {'n', "namespace", "NAME", "namespace of the state (default: $ZPROC_NAMESPACE, else \"default\")"},
    {0, "key-file", "FILE", "file with the server's secret key (default: $ZPROC_KEY_FILE)"},
    {0, "secret-key", "KEY", "the secret key itself, or a passphrase; others can see it in the process list"},
    {0, "session", "NAME", "session that remembers what was seen; made when it does not exist"},
    {0, "json", NULL, "print JSON always"},
    {'q', "quiet", NULL, "no messages"},
    {'v', "verbose", NULL, "say more: revision and time of each request"},
    {0, "no-color", NULL, "no colour on a terminal"},
    {'h', "help", NULL, "show help"},
    {0, "version", NULL, "print the version"},
    {0},
};

void args_init(struct args *args, int argc)
{
    size_t count = (size_t)argc + 1;
    /* Bundled flags are more than arguments; args_add makes room for those. */
    *args = (struct args){.operands = mem_array(count, sizeof *args->operands), .dashes = SIZE_MAX};
}

void args_release(struct args *args)
{
    free(args->given);
    free(args->operands);
    *args = (struct args){0};
}

static void args_add(struct args *args, const struct option *row, const char *value)
{
    args->given = mem_resize(args->given, args->given_count + 1, sizeof *args->given);
    args->given[args->given_count++] = (struct given){row, value, NULL};
}

/* ---- Finding rows ---- */

static const struct option *find_letter(const struct option *rows, char letter)
{
    for (; rows && rows->name; rows++)
        if (rows->letter == letter)
            return rows;
    return NULL;
}

static const struct option *find_name(const struct option *rows, struct str name)
{
    for (; rows && rows->name; rows++)
        if (str_is(name, rows->name))
            return rows;
    return NULL;
}

static bool unknown_name(const struct option *own, struct str name, struct err *err)
{
    /* Options of the command line that later versions have. */
    static const char *const later[] = {
        "resume",
        "timeline",
    };
    for (size_t i = 0; i < LENGTH_OF(later); i++)
        if (str_is(name, later[i]))
            return err_set(err, ERR_UNSUPPORTED, "option '--%s' is not supported yet", later[i]);
    const char *names[64];
    size_t count = 0;
    for (const struct option *row = own; row && row->name && count < LENGTH_OF(names); row++)
        names[count++] = row->name;
    for (const struct option *row = global_options; row->name && count < LENGTH_OF(names); row++)
        names[count++] = row->name;
    const char *nearest = str_nearest(name, names, count);
    if (nearest)
        return err_set(err, ERR_INVALID, "unknown option '--%.*s'; did you mean '--%s'?", STR_ARG(name),
                       nearest);
    return err_set(err, ERR_INVALID, "unknown option '--%.*s'", STR_ARG(name));
}

/* ---- Parsing ---- */

/* The second value of an option that takes two. */
static bool take_second(struct args *args, struct args_source *source, const struct option *row,
                        struct err *err)
{
    if (!row->argument || !strchr(row->argument, ' '))
        return true;
    if (source->next == source->argc)
        return err_set(err, ERR_INVALID, "option '--%s' needs two values: %s", row->name, row->argument);
    args->given[args->given_count - 1].second = source->argv[source->next++];
    return true;
}

static bool take_value(struct args *args, struct args_source *source, const struct option *row,
                       struct err *err)
{
    if (source->next == source->argc)
        return err_set(err, ERR_INVALID, "option '--%s' needs a value: %s", row->name, row->argument);
    args_add(args, row, source->argv[source->next++]);
    return take_second(args, source, row, err);
}

static bool parse_long(struct args *args, struct args_source *source, const char *text, struct err *err)
{
    size_t len = strcspn(text, "=");
    struct str name = {text, len};
    const char *value = text[len] ? text + len + 1 : NULL;
    const struct option *row = find_name(source->own, name);
    row = row ? row : find_name(global_options, name);
    if (!row)
        return unknown_name(source->own, name, err);
    if (row->argument && !value)
        return take_value(args, source, row, err);
    if (!row->argument && value)
        return err_set(err, ERR_INVALID, "option '--%s' takes no value", row->name);
    args_add(args, row, value);
    return take_second(args, source, row, err);
}

static bool parse_letters(struct args *args, struct args_source *source, const char *letters, struct err *err)
{
    for (; *letters; letters++) {
        const struct option *row = find_letter(source->own, *letters);
        row = row ? row : find_letter(global_options, *letters);
        if (!row)
            return err_set(err, ERR_INVALID, "unknown option '-%c'", *letters);
        if (row->argument && !letters[1])
            return take_value(args, source, row, err);
        args_add(args, row, row->argument ? letters + 1 : NULL);
        if (row->argument)
            return take_second(args, source, row, err);
    }
    return true;
}

/* A dash before a digit or a dot is a number, unless the command has that digit as an option. */
static bool is_operand(const struct option *own, const char *text)
{
    if (text[0] != '-' || text[1] == '\0')
        return true;
    bool numeric = (text[1] >= '0' && text[1] <= '9') || text[1] == '.';
    return numeric && !find_letter(own, text[1]);
}

bool args_parse(struct args *args, struct args_source *source, struct err *err)
{
    while (source->next < source->argc) {
        const char *text = source->argv[source->next];
        if (is_operand(source->own, text)) {
            if (source->stop_at_operand)
                break;
            args->operands[args->operand_count++] = text;
            source->next++;
            continue;
        }
        source->next++;
        if (strcmp(text, "--") == 0) {
            args->dashes = args->operand_count;
            while (source->next < source->argc)
                args->operands[args->operand_count++] = source->argv[source->next++];
        } else if (text[1] == '-' ? !parse_long(args, source, text + 2, err)
                                  : !parse_letters(args, source, text + 1, err)) {
            return false;
        }
    }
    return true;
}

/* ---- Asking ---- */

static const struct given *find_given(const struct args *args, const char *name)
{
    for (size_t i = args->given_count; i > 0; i--)
        if (strcmp(args->given[i - 1].row->name, name) == 0)
            return &args->given[i - 1];
    return NULL;
}

const char *args_value(const struct args *args, const char *name)
{
    const struct given *given = find_given(args, name);
    return given ? given->value : NULL;
}

bool args_has(const struct args *args, const char *name)
{
    return find_given(args, name) != NULL;
}

bool args_number(const struct args *args, const char *name, int64_t *number, struct err *err)
{
    const char *text = args_value(args, name);
    if (!text)
        return true;
    int64_t result = 0;
    for (const char *c = text; *c; c++)
        if (*c < '0' || *c > '9' || __builtin_mul_overflow(result, 10, &result) ||
            __builtin_add_overflow(result, *c - '0', &result))
            return err_set(err, ERR_INVALID, "option '--%s' needs a number of 0 or more, not '%s'", name,
                           text);
    if (!*text)
        return err_set(err, ERR_INVALID, "option '--%s' needs a number", name);
    *number = result;
    return true;
}
