/* The manifest: YAML text in, an immutable, checked plan out; or a list of problems, each with its place. */
#ifndef ZPROC_PLAN_H
#define ZPROC_PLAN_H

#include "calendar.h"
#include "expr.h"

/* ---- Problems ---- */

/* One problem of a manifest: where, and a sentence that helps. Line and column count from 1. */
struct plan_problem {
    char *file;
    size_t order; /* of the file among those of the manifest */
    size_t line, column;
    char *message; /* with "did you mean" where there is a near name */
    char *text;    /* the line itself, of a long one what is near the column */
    size_t caret;  /* the column within text */
};
struct plan_problems {
    struct plan_problem *items;
    size_t count, capacity;
};
void plan_problems_release(struct plan_problems *problems);
/* "file:line:column: message", the line, and a caret below it; colour when asked. */
void plan_problem_print(struct buf *buf, const struct plan_problem *problem, bool colour);

/* ---- The plan ---- */

/* A place in a file, for messages that come later. */
struct plan_place {
    const char *file; /* owned by the plan */
    size_t line, column;
};

/* Text that may hold ${{ }}: `template` is NULL when it does not. */
struct plan_text {
    char *raw; /* NULL: not given */
    struct template *template;
    const char *folder; /* of a path: where a relative one starts; NULL: it is no path */
};
struct plan_texts {
    struct plan_text *items;
    size_t count;
};
struct plan_variable {
    char *name;
    struct plan_text value; /* raw NULL: the variable is taken out */
};
struct plan_env {
    struct plan_variable *items;
    size_t count;
};

/* A command: a shell string, or an argv. */
struct plan_command {
    bool given, shell;
    struct plan_texts words; /* shell: exactly one */
};

enum plan_need_is { NEED_STARTED, NEED_READY, NEED_SUCCEEDED, NEED_FAILED, NEED_ENDED };
enum plan_on_restart { ON_RESTART_IGNORE, ON_RESTART_RESTART, ON_RESTART_STOP };
struct plan_need {
    size_t worker; /* index into plan->workers: all its instances */
    char *name;    /* as the worker's own file calls it: without the prefix of an inclusion */
    enum plan_need_is is;
    enum plan_on_restart on_restart; /* what becomes of who has it when the needed one is started again */
    int64_t timeout_ms;              /* how long to wait for it; 0: without end */
    struct plan_place place;
};

enum plan_failure_kind { FAILURE_ANY, FAILURE_STATUS, FAILURE_SIGNAL, FAILURE_TIMEOUT, FAILURE_LOST };
struct plan_failure {
    enum plan_failure_kind kind;
    int low, high; /* statuses, or low: the signal's number */
};

struct plan_retry {
    struct plan_failure *failures; /* none: every failure */
    size_t failure_count;
    int64_t max; /* retries; -1: without end */
    int64_t delay_ms, max_delay_ms;
    double backoff;         /* factor on the delay of each further retry */
    double jitter;          /* 0 to 1: part of the delay that is random */
    int64_t reset_after_ms; /* 0: never; an attempt that ran so long makes the count start anew */
    bool has_args;
    struct plan_texts args; /* in place of the worker's args from the first retry on */
    struct plan_env env;    /* over the worker's from the first retry on */
};

struct plan_ready { /* all that is given must hold */
    bool given;
    struct expr *when;
    struct plan_command exec;
    struct plan_text tcp; /* HOST:PORT */
    struct {
        struct plan_text url; /* http:// */
        int64_t status;       /* 0: 200 to 399 */
    } http;
    char *log;   /* regular expression for a line of output; NULL: none */
    bool notify; /* sd_notify */
    int64_t every_ms, timeout_ms;
};

struct plan_alive {           /* probed while the worker is ready; all that is given must hold */
    struct plan_ready probes; /* timeout_ms is not used */
    int64_t failures;         /* in a row: then the attempt failed */
};

enum plan_condition {
    CONDITION_CHANGE,
    CONDITION_EXCLUDE,
    CONDITION_PREFIX,
    CONDITION_WHEN,
    CONDITION_EQUAL,
    CONDITION_NOT_EQUAL,
    CONDITION_NONE,
    CONDITION_NOT_NONE,
    CONDITION_AVAILABLE,
    CONDITION_TRUTHY,
    CONDITION_FALSY,
    CONDITION_WORKER, /* another worker comes to a state */
    CONDITION_TIME,   /* `every` or `cron` */
};
enum plan_moment {
    MOMENT_STARTED,
    MOMENT_READY,
    MOMENT_SUCCEEDED,
    MOMENT_FAILED, /* failed, timeout, lost */
    MOMENT_ENDED,  /* any final state but skipped */
    MOMENT_RETRYING,
    MOMENT_STOPPED,
    MOMENT_SKIPPED,
};
enum plan_overlap { OVERLAP_QUEUE, OVERLAP_SKIP, OVERLAP_RESTART, OVERLAP_PARALLEL };
struct plan_trigger {
    bool given;
    enum plan_condition condition;
    struct value *keys;  /* change, exclude: list of strings (change []: anything) */
    char *key;           /* the other key conditions; prefix: the text */
    struct value *value; /* equal, not_equal */
    struct expr *when;
    char *worker; /* the name of the other worker */
    enum plan_moment moment;
    bool live, duplicates, edge, drain;
    enum plan_overlap overlap;
    int64_t max;        /* 0: no limit */
    int64_t timeout_ms; /* no event for so long, 0: none */
};
const char *plan_moment_name(enum plan_moment moment);

struct plan_schedule {
    int64_t every_ms; /* 0: not given */
    bool calendar;    /* `cron` is given */
    struct cron cron;
    struct zone *zone;
    enum plan_overlap overlap; /* the trigger's too */
};

/* In the order of source_names. */
enum plan_map_source { MAP_ITEMS, MAP_RANGE, MAP_LINES, MAP_GLOB, MAP_KEY, MAP_RUN };
struct plan_map {
    bool given;
    enum plan_map_source source;
    struct value *items; /* list */
    int64_t range;       /* 0 to range - 1 */
    struct plan_text lines, glob;
    char *key;
    struct plan_command run; /* its lines */
    /* One an item; the shortest sequence cuts off. */
    bool has_args, has_env;
    struct plan_texts *args;
    size_t arg_count;
    struct plan_env *env;
    size_t env_count;
    int64_t count; /* at once; 0: as many as there are processors */
    bool stays;    /* `mode: lines`: a process takes item after item, a line each */
    bool keep_going;
};

struct plan_log {
    struct plan_text file; /* raw NULL: a file in the run's folder */
    int64_t max_size;      /* bytes; 0: never rotated */
    int64_t keep;          /* rotated files */
    bool timestamps;       /* in front of each line */
    bool hide;             /* from the terminal */
};

/* In the order of `stdin`'s words; a plan has no STDIN_DEFAULT. */
enum plan_stdin_kind { STDIN_DEFAULT, STDIN_NULL, STDIN_INHERIT, STDIN_SNAPSHOT, STDIN_FILE, STDIN_TEXT };
struct plan_stdin {
    enum plan_stdin_kind kind;
    struct plan_text text; /* the file's path, or what is read */
};

enum plan_limit_kind { LIMIT_NOFILE, LIMIT_CORE, LIMIT_CPU_TIME, LIMIT_ADDRESS_SPACE, LIMIT_KINDS };
struct plan_limit {
    bool given;
    int64_t value; /* number, bytes or ms; -1: none */
};
struct plan_limits {
    struct plan_limit items[LIMIT_KINDS];
    bool has_nice;
    int nice;
    int64_t memory;       /* bytes, of all its processes together; 0: no bound */
    bool memory_optional; /* it runs without where none can be set */
};

/* A combination of a matrix; the worker has its replicas for each. */
struct plan_row {
    char *label;          /* behind the worker's name in that of the instance: "[a,3.10]" */
    struct value *values; /* map, for ${{ matrix.KEY }} */
};

struct plan_launcher {
    char *name;
    struct plan_texts run; /* goes in front of a worker's command */
};

/* The keys of the manifest or of a worker that say something else than what holds without them, each in one
 * spelling whatever way it was written; defaults and templates are merged in. */
struct plan_spelling {
    const char *key;
    char *text;
};
struct plan_definition {
    struct plan_spelling *items;
    size_t count;
};
/* The first key that differs but for the ignored ones (which end with NULL); NULL: none. */
const char *plan_difference(const struct plan_definition *a, const struct plan_definition *b,
                            const char *const *ignored);
const char *plan_spelled(const struct plan_definition *definition, const char *key); /* "": not there */

struct plan_worker {
    char *name, *description;
    struct plan_definition definition;
    struct plan_place place;
    struct plan_command run;
    struct plan_texts args;
    /* The worker's own, defaults and templates merged in; env lies over what env_file has. */
    struct plan_env file_env, env;
    struct plan_text dir; /* raw NULL: `folder` */
    const char *folder;   /* absolute: of the file that it stands in first */
    char *namespace;
    char *user; /* NAME, UID, NAME:GROUP or UID:GID; NULL: zproc's own */
    struct plan_stdin input;
    struct plan_limits limits;
    const struct plan_launcher *launcher; /* NULL: none */
    bool service, stateful, tty, start, optional, cleanup, restart_always, result_stdout;
    int replicas; /* of each row, where there is a matrix */
    struct plan_row *rows;
    size_t row_count; /* 0: no matrix */
    bool fail_fast;   /* matrix: the first instance that fails stops the others */
    struct plan_need *needs;
    size_t need_count;
    struct expr *only_if; /* `if`: NULL: always */
    struct expr *when;
    struct plan_ready ready;
    struct plan_alive alive;
    char **mutex; /* names; never at the same time as another with one of these */
    size_t mutex_count;
    struct plan_retry retry;
    int *success; /* exit statuses that count as success */
    size_t success_count;
    int64_t timeout_ms;       /* of an attempt, 0: none */
    int64_t total_timeout_ms; /* of all attempts, 0: none */
    int64_t silence_ms;       /* without output, 0: none */
    struct {
        int signal;
        int64_t grace_ms;
        struct plan_command run;
    } stop;
    struct plan_log log;
    struct {
        bool given;
        struct plan_texts watch, ignore; /* patterns */
        int64_t debounce_ms;
        int act; /* 0: restart, the only one there is */
    } files;
    struct plan_texts secrets;   /* names of variables whose values are not shown */
    struct plan_trigger trigger; /* given for `every` and `cron` too */
    struct plan_schedule schedule;
    struct plan_map map;
};

struct plan_namespace {
    char *name;
    struct value *state; /* map */
};

enum plan_fail { FAIL_FAST, FAIL_FINISH, FAIL_KEEP_GOING };
enum plan_durability { PLAN_PROCESS, PLAN_SECOND, PLAN_ALWAYS };
struct plan {
    char *file; /* as the user named it */
    struct plan_definition definition;
    char *name;
    char *dir; /* absolute folder of the manifest: relative paths start here */
    struct {
        char *address; /* NULL: a new one */
        bool external, insecure;
        char *secret_key_file; /* as written; NULL: none */
        char *persist;         /* run, none, or a folder: absolute or below dir */
        enum plan_durability durability;
        int64_t log_limit, state_limit; /* bytes */
    } server;
    struct {
        int64_t jobs; /* 0: no limit */
        enum plan_fail fail;
        int64_t timeout_ms; /* 0: none */
        struct plan_texts shell;
        char *dir; /* logs and records; as written */
        int64_t stop_grace_ms;
        int64_t keep; /* runs whose records are kept */
    } run;
    struct plan_launcher *launchers;
    size_t launcher_count;
    struct value *vars;                /* map */
    struct plan_env file_env, env;     /* env lies over what env_file has */
    struct plan_namespace *namespaces; /* initial states; the first is "default" when `state` is given */
    size_t namespace_count;
    struct plan_worker *workers; /* in the manifest's order */
    size_t worker_count;
    struct plan_memory *memory; /* what the strings stand in, private */
};

/* What the command line adds. */
struct plan_options {
    const char *const *files; /* paths, each over those before it; none: zproc.yaml or zproc.yml here */
    size_t file_count;
    const char *const *vars; /* K=V, over the manifest's vars; V is JSON if it is JSON, else a string */
    size_t var_count;
    const char *const *workers; /* only these and what they need; none: all */
    size_t worker_count;
    bool keyed; /* a secret key comes from elsewhere */
};

/* Reads and checks a manifest. NULL with at least one problem otherwise; as many problems at once as can be
 * found. A file that cannot be read is a problem too (line 0). The caller frees the plan. */
struct plan *plan_load(const struct plan_options *options, struct plan_problems *problems);
/* The same from memory; `file` is the name for messages, `dir` the folder for relative paths. */
struct plan *plan_parse(struct str text, const char *file, const char *dir,
                        const struct plan_options *options, struct plan_problems *problems);
/* A plan of one worker named `name` that runs argv (for `zproc run -- CMD`): no ready probe, no retries. argv
 * is copied. */
struct plan *plan_command(const char *name, char *const *argv);
void plan_free(struct plan *plan); /* NULL is fine */

/* Every key of the manifest as a table for the manual and the JSON schema: calls visit for each, in order. */
struct plan_key {
    const char *section; /* "", "server", "run", "worker", "worker.retry" … */
    const char *name, *type, *fallback /* default as text */, *help;
    double low, high; /* bounds of a number; high 0: none */
};
void plan_keys(void (*visit)(void *ctx, const struct plan_key *key), void *ctx);

#endif
