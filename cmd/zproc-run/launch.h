/* Starting and ending the process of a task. */
#ifndef ZPROC_RUN_LAUNCH_H
#define ZPROC_RUN_LAUNCH_H

#include "output.h"
#include "proc.h"
#include "sup.h"

struct run;
struct task;

/* ---- environment.c ---- */

struct environment {
    char **items; /* NAME=VALUE, NULL at the end */
    size_t count, capacity;
};
/* The inherited one without what zproc itself had set there. */
void environment_inherit(struct environment *environment);
void environment_set(struct environment *environment, const char *name, const char *value); /* NULL: unset */
const char *environment_get(const struct environment *environment, const char *name);
void environment_release(struct environment *environment);

/* ---- scope.c: ${{ }} ---- */

struct scope {
    struct run *run;
    const struct task *task;
    struct environment *env;
};
/* The names themselves, as a map for the caller, and one of them. */
struct value *scope_env(const struct environment *env);
struct value *scope_names(const struct scope *scope);
/* Appends the text with its templates filled in. */
bool scope_expand(const struct scope *scope, const struct plan_text *text, struct buf *out, struct err *err);

/* ---- account.c ---- */

struct account {
    struct child_user user;
    char *login, *home;
    gid_t *groups;
};
/* text: NAME, UID, NAME:GROUP or UID:GID; borrowed. To be released in any case. */
bool account_find(struct account *account, const char *text, struct err *err);
void account_release(struct account *account);
/* Whether every worker can run as the user that it names. */
bool accounts_check(const struct run *run, const struct plan *plan, struct err *err);

/* ---- launch.c ---- */

struct words {
    char **items; /* NULL at the end */
    size_t count, capacity;
};
void words_release(struct words *words);
/* What is needed to start a process for a task. */
struct launch {
    struct environment env;
    struct words argv;
    char *dir;
    struct account account; /* of `user` */
    struct child_limit limits[LIMIT_KINDS];
    struct child_spec spec; /* points into the above */
    char *marks[2];
    char *input; /* the file of stdin; NULL: none */
    bool own_number;
    uint32_t number; /* what tells it apart from others, where own_number; else that of its task */
};
struct process {
    struct run *run;
    struct task *task;
    struct sup_ref ref;
    struct child *child;
    struct bound *bound; /* that bounds its memory; NULL: none */
    struct output output;
    struct line *line;               /* of a map whose processes stay; NULL: it ends with its task */
    bool stopping;                   /* it was told to end */
    struct process *next, *previous; /* all that run */
};
struct process *process_new(struct run *run, struct task *task, struct sup_ref ref);
void process_free(struct process *process);
void process_output(void *ctx, struct child *child, int stream, struct str bytes);
/* Its end counts as success. */
bool process_succeeded(const struct plan_worker *worker, const struct child_end *end);
void spawn_failed(struct run *run, struct sup_ref ref, int status, const char *reason);
enum launch_what { LAUNCH_WORKER, LAUNCH_STOP, LAUNCH_PROBE, LAUNCH_GUARD, LAUNCH_ITEMS };
/* What the manifest puts into a worker's environment, over the inherited one. */
bool launch_environment(const struct scope *scope, bool retry, struct err *err);
bool launch_prepare(struct launch *launch, struct run *run, struct task *task, enum launch_what what,
                    struct err *err);
void launch_release(struct launch *launch);
/* The task's process, or SUP_SPAWN_FAILED. */
void launch_now(struct run *run, struct task *task);
void launch_terminate(struct run *run, struct task *task, struct sup_ref ref);
/* When the task's process wrote something last (monotonic ms). */
int64_t launch_last_output(const struct run *run, const struct task *task, struct sup_ref ref);
void launch_kill(struct run *run, struct task *task, struct sup_ref ref);

/* ---- start.c: starts that wait ---- */

/* The task's process with the next starts_begin, or as soon as its session and snapshot are there. */
void start_task(struct run *run, struct task *task, struct sup_ref ref);
/* After all effects of an event: what ended in it comes before what starts in it. */
void starts_begin(struct run *run);
/* An answer that the start waits for is there. */
void start_ready(struct run *run, struct task *task);
/* The start does not come about: sup hears why. */
void start_give_up(struct run *run, struct task *task, const char *why);
/* All starts that wait are looked at again, or given up (why not NULL). */
void starts_look(struct run *run, const char *why);
/* A stop before the start has come about. False: it waits no more. */
bool start_cancel(struct run *run, struct task *task, struct sup_ref ref, int signal);

#endif
