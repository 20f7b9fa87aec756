/* zproc: finds the command, gives it its arguments, and turns its end into an exit status. */
#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define COLUMNS_LEAST 50 /* narrower: the terminal itself breaks the lines of help */

/* "zproc: COMMAND: why" on stderr; returns the exit status. */
static int report(const struct args *args, const char *command, int failure_status, const struct err *err)
{
    if (!args_has(args, "quiet")) {
        AUTO_BUF struct buf line = {0};
        bool colour = !args_has(args, "no-color") && fd_takes_colour(STDERR_FILENO);
        buf_add_text(&line, colour ? "\033[31mzproc:\033[0m " : "zproc: ");
        if (command)
            buf_add_format(&line, "%s: ", command);
        buf_add_format(&line, "%s\n", err->message);
        /* Where stderr itself fails there is nobody left to tell; the status still says it. */
        (void)fd_write_all(STDERR_FILENO, line.data, line.len);
    }
    bool own = err->code == ERR_KEY_REJECTED || !failure_status;
    return own ? err_code_status(err->code) : failure_status;
}

static int print_help(const struct command *command, struct err *err)
{
    AUTO_BUF struct buf text = {0};
    if (command)
        help_command(&text, command);
    else
        help_all(&text);
    size_t columns = fd_columns(STDOUT_FILENO);
    if (columns < COLUMNS_LEAST)
        return output_write(&text, err) ? 0 : FAILED;
    AUTO_BUF struct buf fitted = {0};
    help_fit(&fitted, buf_str(&text), columns);
    return output_write(&fitted, err) ? 0 : FAILED;
}

static int print_version(struct err *err)
{
    AUTO_BUF struct buf text = {0};
    buf_add_text(&text, "zproc " ZPROC_VERSION "\n");
    return output_write(&text, err) ? 0 : FAILED;
}

static int unknown(const char *name, struct err *err)
{
    for (const struct command_later *later = commands_later; later->name; later++)
        if (strcmp(later->name, name) == 0) {
            err_set(err, ERR_UNSUPPORTED, "'%s' is not supported yet; %s", name, later->meanwhile);
            return FAILED;
        }
    const char *here = command_elsewhere(name), *nearest = command_nearest(name);
    if (here)
        err_set(err, ERR_INVALID, "unknown command '%.100s'; that is '%s' here", name, here);
    else if (nearest)
        err_set(err, ERR_INVALID, "unknown command '%.100s'; did you mean '%s'?", name, nearest);
    else
        err_set(err, ERR_INVALID, "unknown command '%.100s'; 'zproc help' lists them", name);
    return FAILED;
}

static bool operands_check(const struct command *command, const struct args *args, struct err *err)
{
    if (args->operand_count >= command->operands_min && args->operand_count <= command->operands_max)
        return true;
    return err_set(err, ERR_INVALID, "%s; usage: zproc %s%s%s",
                   args->operand_count < command->operands_min ? "an operand is missing"
                                                               : "too many operands",
                   command->name, *command->usage ? " " : "", command->usage);
}

/* What the options say of the secret key goes into the environment, where every program of zproc finds it. */
static bool key_apply(const struct args *args, struct err *err)
{
    const char *path = args_value(args, "key-file"), *text = args_value(args, "secret-key");
    if (path && text)
        return err_set(err, ERR_INVALID, "--key-file and --secret-key are both given; leave one out");
    if (!path && !text)
        return true;
    AUTO_FREE char *real = path ? realpath(path, NULL) : NULL;
    if (path && !real)
        return err_set(err, ERR_INVALID, "cannot read the key file '%s': %s%s", path, strerror(errno),
                       errno == ENOENT ? "; 'zproc keygen FILE' makes one" : "");
    unsetenv(path ? "ZPROC_SECRET_KEY" : "ZPROC_KEY_FILE");
    setenv(path ? "ZPROC_KEY_FILE" : "ZPROC_SECRET_KEY", path ? real : text, 1);
    /* Every user can read the command line in /proc; it is ours to write to. */
    if (text)
        explicit_bzero((char *)text, strlen(text));
    return true;
}

static int command_run(struct context *context, struct err *err)
{
    const struct args *args = &context->args;
    if (args_has(args, "help"))
        return print_help(context->command, err);
    if (!operands_check(context->command, args, err) || !key_apply(args, err))
        return FAILED;
    context->json = args_has(args, "json");
    context->quiet = args_has(args, "quiet");
    context->verbose = args_has(args, "verbose");
    return context->command->run(context, err);
}

static int help_run(const struct args_source *source, struct err *err)
{
    if (source->next == source->argc)
        return print_help(NULL, err);
    const char *name = source->argv[source->next];
    const struct command *command = command_find(name);
    return command ? print_help(command, err) : unknown(name, err);
}

/* The command's name is at source->next. */
static int dispatch(struct context *context, struct args_source *source, struct err *err)
{
    const char *name = source->argv[source->next++];
    if (strcmp(name, "help") == 0)
        return help_run(source, err);
    context->command = command_find(name);
    if (!context->command)
        return unknown(name, err);
    source->own = context->command->options;
    source->stop_at_operand = false;
    if (!args_parse(&context->args, source, err))
        return FAILED;
    return command_run(context, err);
}

static int run(struct context *context, struct args_source *source, struct err *err)
{
    if (!args_parse(&context->args, source, err))
        return FAILED;
    if (args_has(&context->args, "version"))
        return print_version(err);
    if (source->next == source->argc || args_has(&context->args, "help"))
        return print_help(NULL, err);
    return dispatch(context, source, err);
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct context context = {.timeout_ms = -1};
    struct args_source source = {.argv = argv, .argc = argc, .next = argc > 0, .stop_at_operand = true};
    fd_fill_standard();
    args_init(&context.args, argc);
    int status = run(&context, &source, &err);
    if (status == FAILED)
        status = report(&context.args, context.command ? context.command->name : NULL, context.failure_status,
                        &err);
    client_close(context.client);
    args_release(&context.args);
    return status;
}
