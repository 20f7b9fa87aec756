/* reload: the manifest of a run that goes on, read again. */
#include "call.h"

#include <stdlib.h>
#include <unistd.h>

static const struct option reload_options[] = {
    {'f', "manifest", "FILE", "read this file in place of those of the run (may be repeated)"},
    {0, "dry-run", NULL, "only show what would be done"},
    CALL_TIMEOUT,
    RUN_OPTION,
    {0}};

/* The supervisor may have another current folder. */
static bool add_files(const struct args *args, struct buf *json, struct err *err)
{
    size_t count = 0;
    for (size_t i = 0; i < args->given_count; i++) {
        const struct given *given = &args->given[i];
        if (strcmp(given->row->name, "manifest") != 0)
            continue;
        AUTO_FREE char *whole = realpath(given->value, NULL);
        if (!whole || !utf8_valid(str_of(whole)))
            return err_set(err, ERR_INVALID, "'%.500s': there is no such file", given->value);
        buf_add_text(json, count++ == 0 ? ",\"files\":[" : ",");
        string_print(json, str_of(whole));
    }
    if (count > 0)
        buf_add_char(json, ']');
    return true;
}

static bool print_lines(const struct context *context, const struct value *lines, struct err *err)
{
    AUTO_BUF struct buf text = {0};
    if (context->json) {
        value_print(&text, lines);
        buf_add_char(&text, '\n');
    }
    for (size_t i = 0; !context->json && i < value_len(lines); i++)
        output_line(&text, list_at(lines, i), false);
    return text.len == 0 || output_write(&text, err);
}

static int run_reload(struct context *context, struct err *err)
{
    AUTO_BUF struct buf json = {0};
    AUTO_VALUE struct value *answer = NULL;
    call_begin(&json, "reload");
    if (args_has(&context->args, "dry-run"))
        buf_add_text(&json, ",\"dry\":true");
    if (!add_files(&context->args, &json, err) || !call_ask(context, &json, &answer, err))
        return FAILED;
    const struct value *problems = map_get(answer, STR("problems")), *lines = map_get(answer, STR("lines"));
    if (problems) {
        struct str text = value_as_str(problems);
        (void)fd_write_all(STDERR_FILENO, text.data, text.len);
        return 2;
    }
    return !lines || print_lines(context, lines, err) ? 0 : FAILED;
}

const struct command cmd_reload = {
    .name = "reload",
    .group = GROUP_CONTROL,
    .usage = "",
    .summary = "Read the manifest of the run again and take over what has changed",
    .notes =
        "Workers that are new are started, those that are gone are stopped, those that have changed are\n"
        "replaced; all others are left alone. A run does not end by itself before what is replaced has\n"
        "been. Prints a line each: '+ NAME', '- NAME', '~ NAME: key KEY changed'. It returns when what had\n"
        "to be stopped has ended. A manifest with problems changes nothing: status 2. 'name', 'server' and\n"
        "'run' cannot change while the run goes on: status 1.\n",
    .options = reload_options,
    .examples = "  zproc reload --dry-run\n  zproc reload\n",
    .run = run_reload,
};
