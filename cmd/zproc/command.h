/* What a subcommand of zproc is, and what it works with: its arguments, the server, its output. */
#ifndef ZPROC_COMMAND_H
#define ZPROC_COMMAND_H

#include "client.h"

/* ---- Tables ---- */

/* A row of a command's options; a table ends with an empty row. */
struct option {
    char letter;          /* 0: none */
    const char *name;     /* without "--" */
    const char *argument; /* what it is called in the help; two words: it takes two; NULL: a flag */
    const char *help;
};

enum command_group { GROUP_RUN, GROUP_CONTROL, GROUP_READ, GROUP_WRITE, GROUP_WATCH, GROUP_SERVER };

struct context;

#define OPERANDS_ANY SIZE_MAX
#define FAILED       (-1)

struct command {
    const char *name;
    const char *alias; /* NULL: none */
    enum command_group group;
    const char *usage; /* the operands */
    size_t operands_min, operands_max;
    const char *summary; /* one line */
    const char *notes;   /* more lines for its help, or NULL */
    const struct option *options;
    const char *examples; /* lines */
    /* Returns an exit status, or FAILED with err filled. */
    int (*run)(struct context *context, struct err *err);
};

/* Ends with NULL. */
extern const struct command *const commands[];
/* Commands that later versions have, and what helps until then; ends with a row of NULL. */
struct command_later {
    const char *name, *meanwhile;
};
extern const struct command_later commands_later[];
extern const struct option global_options[];
/* What the help calls a group; NULL past the last one. */
const char *group_title(size_t group);

const struct command *command_find(const char *name);
/* The known name that a mistyped one most likely means, or NULL. */
const char *command_nearest(const char *name);
/* What does here what a command of this name does in other tools of the kind; NULL for none. */
const char *command_elsewhere(const char *name);

/* ---- Arguments ---- */

struct given {
    const struct option *row;
    const char *value;  /* of a flag: NULL */
    const char *second; /* of an option that takes two */
};
struct args {
    struct given *given; /* in order */
    size_t given_count;
    const char **operands;
    size_t operand_count;
    size_t dashes; /* operands before "--", or their number without one */
};
/* Where arguments come from. own may be NULL; next moves on; with stop_at_operand it ends at the first
 * operand. */
struct args_source {
    const struct option *own;
    char **argv;
    int argc, next;
    bool stop_at_operand;
};
void args_init(struct args *args, int argc);
void args_release(struct args *args);
/* The strings are borrowed. ERR_INVALID. */
bool args_parse(struct args *args, struct args_source *source, struct err *err);
/* By the option's long name: the value given last, or NULL; whether it was given at all. */
const char *args_value(const struct args *args, const char *name);
bool args_has(const struct args *args, const char *name);
/* A number of 0 and more; *number stays as it is when the option was not given. */
bool args_number(const struct args *args, const char *name, int64_t *number, struct err *err);

/* ---- Help ---- */

void help_command(struct buf *buf, const struct command *command);
void help_all(struct buf *buf);
/* Appends a help screen with its lines broken for a terminal that is so wide. Every line of it has a newline.
 */
void help_fit(struct buf *buf, struct str text, size_t columns);

/* ---- The other programs ---- */

/* The path of zproc-run or zproc-server: beside zproc (build folder) or in ../libexec/zproc (installed). NULL
 * with err; the caller frees it. */
char *program_find(const char *name, struct err *err);

/* ---- The context of a command ---- */

struct context {
    const struct command *command;
    struct args args;
    bool json, quiet, verbose;
    struct client *client; /* NULL until the first question */
    const char *address;   /* of a run that was just started; NULL: to be found */
    const char *logs;      /* where runs leave their folders; NULL: below this one */
    const char *session;   /* NULL: none */
    int64_t timeout_ms;    /* of a question, from connecting to its answer; <0: no end */
    int failure_status;    /* what a failure exits with; 0: as its error says */
};
/* Where the server is: --address, $ZPROC_ADDRESS, ./.zproc/address. Owned by the caller; NULL with err. */
char *address_find(const struct args *args, struct err *err);
/* Connects when it is the first, adds namespace and session. */
bool context_prepare(struct context *context, struct request *request, struct err *err);
/* Connects when it is the first, adds namespace and session, asks and waits. */
bool context_ask(struct context *context, struct request *request, struct str value, struct reply *reply,
                 struct err *err);
/* Sends without waiting; client_next has the answer. The connection is there already. */
bool context_send(struct context *context, struct request *request, struct err *err);
/* Asks for all keys, page by page, all of one revision; json: what one answer would have held. A request that
 * has a namespace keeps it; its `at` is that revision then. */
bool context_ask_all(struct context *context, struct request *request, struct buf *json, struct err *err);
/* An answer that holds the first page of a snapshot gets the other ones too. */
bool context_ask_rest(struct context *context, struct reply *reply, struct err *err);
/* The same as context_ask, for commands that need nothing of the answer. */
int context_do(struct context *context, struct request *request, struct str value, struct err *err);
/* The same, and prints the answer's value. */
int context_print(struct context *context, struct request *request, struct str value, struct err *err);

/* atomic -- CMD: the operands as a command that works on the locked namespace. */
int run_locked(struct context *context, struct err *err);

/* ---- Operands ---- */

/* KEY or KEY#/POINTER into the request's key and path. */
void key_operand(struct request *request, const char *operand);
/* A VALUE into JSON text: JSON if it is JSON, else a string; -s and -J, "-" and "@FILE". */
bool value_operand(const struct args *args, const char *operand, struct buf *json, struct err *err);
/* The same for option --default, whose text is NULL in *given when it is not there; what says how to read it
 * has no meaning then and is refused. */
bool default_operand(const struct args *args, const char **given, struct buf *value, struct err *err);
/* K=VALUE: *key is borrowed, the value is added to json. */
bool pair_operand(const struct args *args, const char *operand, struct str *key, struct buf *json,
                  struct err *err);
#define VALUE_OPTIONS                                                                                        \
    {'s', "string", NULL, "VALUE is literally a string"},                                                    \
    {                                                                                                        \
        'J', "strict", NULL, "VALUE must be JSON"                                                            \
    }
/* --arg and --argjson, which give an expression named values so that no text is pasted into it. */
#define ARG_OPTIONS                                                                                          \
    {0, "arg", "NAME STRING", "a string that the expression knows as NAME (may be repeated)"},               \
    {                                                                                                        \
        0, "argjson", "NAME JSON", "the same with a JSON value"                                              \
    }
/* They as one JSON object; json stays empty when none were given. */
bool args_operands(const struct args *args, struct buf *json, struct err *err);
#define VALUE_NOTES                                                                                          \
    "VALUE is JSON if it is JSON, else a string. Without -s, - reads standard input and @FILE a file\n"      \
    "(a string from there loses one final newline).\n"

/* ---- Output ---- */

/* Writes everything to standard output; a failure is an error, so that nothing is lost silently. */
bool output_write(struct buf *buf, struct err *err);
/* One value of several, for people and scripts: strings raw unless they hold control characters (or, where
 * lines end in NUL, that), all else JSON; and the line's end. */
void output_line(struct buf *buf, const struct value *item, bool null_ends);
/* A value for people and scripts: strings raw unless --json, all else JSON, and a newline. */
bool output_value(const struct context *context, struct str json, struct err *err);

#endif
