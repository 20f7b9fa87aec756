/* watch, events and go-live: waits for an event, prints it, and only then moves the session's cursor. */
#include "watch.h"

#include <stdlib.h>

/* Conditions that options name, and what their arguments are. Without one: change. */
static const struct condition {
    const char *option, *name;
    bool has_value; /* K=VALUE instead of K */
    bool has_expr;  /* an expression instead of K */
    bool pattern;   /* of keys */
    bool many;      /* several, and an event of more than one key */
} conditions[] = {
    {.option = "exclude", .name = "exclude", .many = true},
    {.option = "prefix", .name = "prefix", .pattern = true},
    {.option = "glob", .name = "glob", .pattern = true},
    {.option = "when", .name = "when", .has_expr = true},
    {.option = "equal", .name = "equal", .has_value = true},
    {.option = "not-equal", .name = "not_equal", .has_value = true},
    {.option = "none", .name = "none"},
    {.option = "not-none", .name = "not_none"},
    {.option = "available", .name = "available"},
    {.option = "truthy", .name = "truthy"},
    {.option = "falsy", .name = "falsy"},
};

static const struct option options[] = {
    {'x', "exclude", "KEY", "anything but this key changes (may be repeated)"},
    {0, "prefix", "TEXT", "a key that begins with TEXT changes"},
    {0, "glob", "PATTERN", "a key that fits changes: * any text, ? a character, [a-z] one of a set"},
    {'w', "when", "EXPR", "an expression is true after a change of what it reads"},
    {0, "equal", "KEY=VALUE", "KEY is set and equals VALUE"},
    {0, "not-equal", "KEY=VALUE", "KEY is set and differs from VALUE"},
    {0, "none", "KEY", "KEY is set to null"},
    {0, "not-none", "KEY", "KEY is set to something else than null"},
    {0, "available", "KEY", "KEY is added"},
    {0, "truthy", "KEY", "KEY is set to something else than null, false, 0, \"\", [] and {}"},
    {0, "falsy", "KEY", "KEY is set to one of these"},
    {'l', "live", NULL, "start at the newest revision, not at the session's cursor"},
    {0, "next", NULL, "skip the first check: wait for the next change even if the condition holds"},
    {0, "duplicates", NULL, "writes that change nothing count too"},
    {'t', "timeout", "TIME", "wait so long at most (5s, 250ms, 1m); 0: only what is there; then status 124"},
    {0, "after", "REV", "start behind this revision; 0: at the oldest that is kept"},
    {'p', "print", "WHAT",
     "value (of the key that changed; default for one key), event (default else) or snapshot"},
    {'f', "follow", NULL, "go on: a line for each event, until --count, --timeout or the end"},
    {'c', "count", "N", "follow until there were N events"},
    {0, "level", NULL, "follow: every change after which the condition holds, not only when it turns true"},
    {'0', "null", NULL, "follow: end each with a NUL character instead of a newline"},
    VALUE_OPTIONS,
    ARG_OPTIONS,
    {0},
};

static void watch_release(struct watch *watch)
{
    value_unref(watch->keys);
    buf_release(&watch->value);
}

static const struct condition *condition_of(const struct option *row)
{
    for (size_t i = 0; i < LENGTH_OF(conditions); i++)
        if (strcmp(conditions[i].option, row->name) == 0)
            return &conditions[i];
    return NULL;
}

/* Operands before a command. */
static size_t key_count(const struct args *args)
{
    return args->dashes < args->operand_count ? args->dashes : args->operand_count;
}

/* The one condition that was given; NULL without err: none was. False when they do not fit together. */
static bool condition_find(const struct args *args, const struct condition **found, struct err *err)
{
    *found = NULL;
    for (size_t i = 0; i < args->given_count; i++) {
        const struct condition *next = condition_of(args->given[i].row);
        if (next && *found && (next != *found || !next->many))
            return err_set(err, ERR_INVALID, "a watch has one condition, not '--%s' and '--%s'",
                           (*found)->option, next->option);
        *found = next ? next : *found;
    }
    if (*found && key_count(args) > 0)
        return err_set(err, ERR_INVALID, "a watch has either KEYs or '--%s'", (*found)->option);
    return true;
}

static bool key_check(struct str key, struct err *err)
{
    if (str_find(key, STR("#/")) >= 0)
        return err_set(
            err, ERR_INVALID,
            "'%.*s': a part of a value is watched on its own, not together with other keys; use --when",
            STR_ARG(key));
    return utf8_valid(key) || err_set(err, ERR_INVALID, "a key must be valid UTF-8");
}

static bool keys_add(struct watch *watch, const char *key, struct err *err)
{
    if (!key_check(str_of(key), err))
        return false;
    list_push(watch->keys, value_string(str_of(key)));
    return true;
}

/* KEY or KEY#/POINTER */
static bool key_set(struct watch *watch, struct str key, struct err *err)
{
    ptrdiff_t split = str_find(key, STR("#/"));
    watch->single = true;
    if (split >= 0) {
        struct str path = {key.data + split + 1, key.len - (size_t)split - 1};
        request_set_str(&watch->request, FIELD_path, path);
        key.len = (size_t)split;
    }
    request_set_str(&watch->request, FIELD_key, key);
    return utf8_valid(key) || err_set(err, ERR_INVALID, "a key must be valid UTF-8");
}

static bool keys_set(struct watch *watch, const struct args *args, bool exclude, struct err *err)
{
    if (!exclude && key_count(args) == 1)
        return key_set(watch, str_of(args->operands[0]), err);
    watch->keys = value_list();
    for (size_t i = 0; exclude && i < args->given_count; i++)
        if (condition_of(args->given[i].row) && !keys_add(watch, args->given[i].value, err))
            return false;
    for (size_t i = 0; !exclude && i < key_count(args); i++)
        if (!keys_add(watch, args->operands[i], err))
            return false;
    if (value_len(watch->keys) > 0)
        request_set_keys(&watch->request, FIELD_keys, watch->keys);
    return true;
}

static bool pattern_set(struct watch *watch, struct str pattern, struct err *err)
{
    if (pattern.len == 0)
        return err_set(err, ERR_INVALID, "the pattern is empty; a watch without one is for any key");
    request_set_str(&watch->request, FIELD_key, pattern);
    return utf8_valid(pattern) || err_set(err, ERR_INVALID, "a pattern must be valid UTF-8");
}

static bool condition_set(struct watch *watch, const struct args *args, const struct condition *condition,
                          struct err *err)
{
    watch->single = !condition && key_count(args) == 1;
    if (!condition || condition->many)
        return keys_set(watch, args, condition != NULL, err);
    const char *argument = args_value(args, condition->option);
    struct str key = str_of(argument);
    if (condition->has_expr) {
        request_set_str(&watch->request, FIELD_expr, str_of(argument));
        return args_operands(args, &watch->value, err);
    }
    if (condition->pattern)
        return pattern_set(watch, key, err);
    if (condition->has_value && !pair_operand(args, argument, &key, &watch->value, err))
        return false;
    return key_set(watch, key, err);
}

static bool want_set(struct watch *watch, const struct args *args, bool events, struct err *err)
{
    const char *print = args_value(args, "print");
    const char *want = print ? print : watch->single && !events ? "value" : "event";
    if (strcmp(want, "value") != 0 && strcmp(want, "event") != 0 && strcmp(want, "snapshot") != 0)
        return err_set(err, ERR_INVALID, "option '--print' needs value, event or snapshot, not '%s'", want);
    if (strcmp(want, "value") == 0 && request_has(&watch->request, expr))
        return err_set(err, ERR_INVALID,
                       "'--print value' needs a watch on keys; of '--when' print event or snapshot");
    request_set_str(&watch->request, FIELD_want, str_of(want));
    if (strcmp(want, "snapshot") == 0)
        request_set_int(&watch->request, FIELD_page, 0);
    return true;
}

static bool start_set(struct watch *watch, const struct args *args, struct err *err)
{
    int64_t after = -1, timeout_ms = -1;
    const char *timeout = args_value(args, "timeout");
    if (!args_number(args, "after", &after, err))
        return false;
    if (timeout && !duration_parse(str_of(timeout), &timeout_ms, err))
        return err_wrap(err, "option '--timeout'");
    if (after >= 0 && args_has(args, "live"))
        return err_set(err, ERR_INVALID, "options '--after' and '--live' exclude each other");
    if (after >= 0)
        request_set_int(&watch->request, FIELD_after, after);
    if (timeout)
        request_set_int(&watch->request, FIELD_timeout_ms, timeout_ms);
    if (args_has(args, "live"))
        request_set_int(&watch->request, FIELD_live, true);
    if (args_has(args, "next"))
        request_set_int(&watch->request, FIELD_next, true);
    if (args_has(args, "duplicates"))
        request_set_int(&watch->request, FIELD_duplicates, true);
    return true;
}

static bool watch_build(struct watch *watch, const struct args *args, bool events, struct err *err)
{
    const struct condition *condition;
    if (!condition_find(args, &condition, err))
        return false;
    if ((args_has(args, "arg") || args_has(args, "argjson")) && !(condition && condition->has_expr))
        return err_set(err, ERR_INVALID, "options '--arg' and '--argjson' go with '--when'");
    request_set_str(&watch->request, FIELD_condition, str_of(condition ? condition->name : "change"));
    return condition_set(watch, args, condition, err) && want_set(watch, args, events, err) &&
           start_set(watch, args, err);
}

static bool is_deletion(const struct watch *watch, const struct reply *reply)
{
    const struct value *deleted = reply_field(reply, "deleted");
    return str_is(request_str(&watch->request, want), "value") && deleted && value_truthy(deleted);
}

static bool event_print(const struct context *context, const struct watch *watch, const struct reply *reply,
                        struct err *err)
{
    if (!is_deletion(watch, reply))
        return output_value(context, reply->value, err);
    AUTO_BUF struct buf line = {0};
    buf_add_text(&line, context->json ? "{\"deleted\":true}\n" : "\n");
    return output_write(&line, err);
}

bool event_add(const struct context *context, const struct watch *watch, const struct reply *reply,
               struct buf *out, struct err *err)
{
    bool null_ends = args_has(&context->args, "null"), deleted = is_deletion(watch, reply);
    if (!deleted && !reply->value.data)
        return err_set(err, ERR_INTERNAL, "the server's event has no value");
    if (!deleted && !context->json && reply->value.data[0] == '"') {
        AUTO_VALUE struct value *value = value_parse(reply->value, err);
        if (!value)
            return err_wrap(err, "the server's event");
        output_line(out, value, null_ends);
        return true;
    }
    if (!deleted)
        buf_add_str(out, reply->value);
    else if (context->json)
        buf_add_text(out, "{\"deleted\":true}");
    buf_add_char(out, null_ends ? '\0' : '\n');
    return true;
}

/* The event is out: the cursor may move. Its answer is awaited, so that status 0 means exactly once. */
static int acknowledge(struct context *context, int64_t rev, struct err *err)
{
    struct request request = {.operation = OP_ack};
    if (!context->session)
        return 0;
    request_set_int(&request, FIELD_ack, rev);
    return context_do(context, &request, (struct str){0}, err);
}

static int watch_once(struct context *context, struct watch *watch, struct err *err)
{
    struct reply reply;
    struct str value = watch->value.data ? buf_str(&watch->value) : (struct str){0};
    if (!context_ask(context, &watch->request, value, &reply, err))
        return FAILED;
    int64_t rev = reply.rev;
    bool printed = context_ask_rest(context, &reply, err) && event_print(context, watch, &reply, err);
    reply_release(&reply);
    return printed ? acknowledge(context, rev, err) : FAILED;
}

/* The command behind "--"; NULL: there is none. */
static char *const *command_of(struct args *args)
{
    args->operands[args->operand_count] = NULL;
    /* exec does not write to them, whatever its type says. */
    return args->dashes <= args->operand_count ? (char *const *)(args->operands + args->dashes) : NULL;
}

static bool follow_check(const struct args *args, bool follows, char *const *argv, struct err *err)
{
    static const char *const need_follow[] = {"level", "null"}, *const need_print[] = {"print", "null"};
    for (size_t i = 0; i < LENGTH_OF(need_follow) && !follows; i++)
        if (args_has(args, need_follow[i]))
            return err_set(err, ERR_INVALID, "option '--%s' needs '--follow'", need_follow[i]);
    for (size_t i = 0; i < LENGTH_OF(need_print) && argv; i++)
        if (args_has(args, need_print[i]))
            return err_set(err, ERR_INVALID, "option '--%s' has no meaning with a command", need_print[i]);
    return !argv || argv[0] || err_set(err, ERR_INVALID, "no command behind '--'");
}

static int watch_run(struct context *context, bool events, struct err *err)
{
    struct watch watch = {.request.operation = OP_watch};
    struct args *args = &context->args;
    char *const *argv = command_of(args);
    bool follows = events || argv || args_has(args, "follow") || args_has(args, "count");
    int status = FAILED;
    if (follow_check(args, follows, argv, err) && watch_build(&watch, args, events, err))
        status = follows ? follow(context, &watch, argv, err) : watch_once(context, &watch, err);
    watch_release(&watch);
    return status;
}

static int run_watch(struct context *context, struct err *err)
{
    return watch_run(context, false, err);
}

const struct command cmd_watch = {
    .name = "watch",
    .group = GROUP_WATCH,
    .usage = "[KEY...] [-- CMD...]",
    .operands_max = OPERANDS_ANY,
    .summary = "Wait until a KEY changes (none: anything), or for one of the conditions below",
    .notes =
        "With CMD it goes on, and runs CMD for every event: ZPROC_KEY, ZPROC_VALUE (ZPROC_VALUE_FILE when\n"
        "long), ZPROC_DELETED, ZPROC_REVISION, the state then as its input; it ends when CMD fails.\n"
        "Within a session (--session, $ZPROC_SESSION) each call goes on where the last one ended.\n"
        "A key that was deleted is printed as an empty line, with --json as {\"deleted\":true}.\n",
    .options = options,
    .examples = "  zproc watch count\n  zproc watch --when 'cookies > 5' --timeout 1m\n"
                "  while v=$(zproc watch --session me jobs); do echo \"$v\"; done\n"
                "  zproc watch --follow --prefix job. | tee jobs.log\n"
                "  zproc watch price -- sh -c 'echo \"it is $ZPROC_VALUE now\"'\n",
    .run = run_watch,
};

static int run_events(struct context *context, struct err *err)
{
    return watch_run(context, true, err);
}

const struct command cmd_events = {
    .name = "events",
    .group = GROUP_WATCH,
    .usage = "[KEY...]",
    .operands_max = OPERANDS_ANY,
    .summary = "Print every change (of a KEY, or that fits) as a line of JSON, until it is ended",
    .options = options,
    .examples = "  zproc events --after 0\n  zproc events --prefix job. --count 10\n",
    .run = run_events,
};

static int run_go_live(struct context *context, struct err *err)
{
    struct request request = {.operation = OP_go_live};
    const char *session = getenv("ZPROC_SESSION");
    if (!args_has(&context->args, "session") && (!session || !*session)) {
        err_set(err, ERR_INVALID, "only a session has a cursor; name one with --session NAME");
        return FAILED;
    }
    return context_do(context, &request, (struct str){0}, err);
}

const struct command cmd_go_live = {
    .name = "go-live",
    .group = GROUP_WATCH,
    .usage = "",
    .summary = "Move the session's cursor to now: what happened until here is not watched any more",
    .examples = "  zproc go-live --session me\n",
    .run = run_go_live,
};
