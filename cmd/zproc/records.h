/* What a run tells of its workers: the records of the reserved namespace `zproc` (`zproc.RUN` of a further
 * supervisor on the same server), as they are now, as they change, and, when the run has ended, as they were.
 */
#ifndef ZPROC_RECORDS_H
#define ZPROC_RECORDS_H

#include "command.h"

struct records {
    struct context *context;
    char *space;       /* the namespace */
    struct value *map; /* records by name, in the manifest's order; the run's own under "run" */
    int64_t rev;
    bool past;      /* of a run that has ended, read from its folder; nothing changes any more */
    int64_t stream; /* id of the stream of changes, 0: none yet */
    int64_t credit; /* events that may still come */
};

#define RUN_OPTION                                                                                           \
    {                                                                                                        \
        0, "run", "RUN", "the run of this id (default: that of this folder, else the server's first)"        \
    }

/* Finds the run (--run, $ZPROC_RUN, that of this folder, else the server's first) and reads its records.
 * Without a server the last run of this folder, if it has left some. To be released in any case. */
bool records_read(struct records *records, struct context *context, struct err *err);
/* The id of this folder's run when it goes on, and is not the first one on its server; else NULL. The caller
 * frees it. */
char *records_folder_run(struct context *context);
/* Whether the records on the server say that this run goes on; id NULL: the server's first one. */
bool records_go_on(struct context *context, const char *id);
/* Says so when nobody can be reached although no address was named: no run goes on in this folder. Always
 * false. */
bool records_explain_none(const struct context *context, struct err *err);
/* The same for a namespace that is known. */
bool records_read_space(struct records *records, struct context *context, const char *space, struct err *err);
/* The same of the run with this id; from its folder when its server is gone already. */
bool records_find(struct records *records, struct context *context, const char *space, const char *id,
                  struct err *err);
/* What a run left in its folder, whose records these were while it went on. To be released when true. */
bool records_past(struct records *records, const struct records *live);
void records_release(struct records *records);
/* Gets a record that is new; NULL: the worker is no more. */
typedef void record_fn(void *ctx, struct str name, const struct value *record);
/* Waits for changes and takes them in; each changed record is told. False with err: ERR_TIMEOUT past
 * until_ms (monotonic; <0: no end), ERR_UNREACHABLE when the server is gone and left no records. */
bool records_wait(struct records *records, int64_t until_ms, record_fn *changed, void *ctx, struct err *err);

/* One entry after the other but the run's own; NULL at the end. *at starts with 0. */
const struct value *records_next(const struct records *records, size_t *at, struct str *name);
const struct value *records_run(const struct records *records);
/* Whether the record is one of those that NAME means: its own name, or that of the worker whose instance it
 * is. */
bool record_is(struct str key, const struct value *record, const char *name);
/* Every NAME means at least one worker; else ERR_NOT_FOUND with what is near. */
bool records_check_names(const struct records *records, const char *const *names, size_t count,
                         struct err *err);

/* ---- One record ---- */

struct str record_text(const struct value *record, const char *field); /* "" when it is not there */
int64_t record_number(const struct value *record, const char *field);  /* -1 when it is null or not there */
bool record_status_is(const struct value *record, const char *status);
bool record_alive(const struct value *record);  /* a process of it runs */
bool record_ended(const struct value *record);  /* it is in a final state */
bool record_failed(const struct value *record); /* failed, timeout or lost */
/* What a command exits with that passes on its status: 128 + N for a signal, 124 for a timeout, 0 only when
 * nothing failed. */
int record_exit(const struct value *record);
/* "NAME failed: exit status 7" and the end of its stderr, for people. */
void record_explain(const struct context *context, struct str name, const struct value *record);

/* Refuses -n and --session, which have no meaning for commands on runs. */
bool run_options_check(const struct context *context, struct err *err);
/* "zproc: COMMAND: …" on stderr, unless --quiet. */
void context_say(const struct context *context, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
