/* What commands share that ask the supervisor of a run. */
#ifndef ZPROC_CALL_H
#define ZPROC_CALL_H

#include "records.h"

#define CALL_TIMEOUT                                                                                         \
    {                                                                                                        \
        't', "timeout", "TIME", "wait so long at most (default: without end), then status 124"               \
    }
#define CALL_ALL                                                                                             \
    {                                                                                                        \
        0, "all", NULL, "all workers of the run"                                                             \
    }
#define CALL_NAMES "NAME is a worker (all its instances) or an instance, like 'oven.1'.\n"

/* Begins a request: {"do": NAME */
void call_begin(struct buf *json, const char *name);
void call_text(struct buf *json, const char *name, struct str text); /* a further member */
/* Operands from `first` on as "names", or "all". ERR_INVALID when there are none, or both. */
bool call_names(const struct context *context, size_t first, struct buf *json, struct err *err);
/* The name of its service; the caller frees it. */
char *call_service(struct context *context);
/* Ends the request and asks with it; *answer is what the supervisor answers, owned by the caller. The option
 * --timeout is followed, if the command has it. ERR_UNREACHABLE when nobody supervises a run there. */
bool call_ask(struct context *context, struct buf *json, struct value **answer, struct err *err);
/* A line for every item of the answer's list `workers`: what `print` appends. With --json the list. */
bool call_print(const struct context *context, const struct value *answer,
                void (*print)(struct buf *line, const struct value *worker), struct err *err);
/* The process id of one of `workers`, - for none. */
void call_print_pid(struct buf *line, const struct value *worker);
/* False with the first of `workers` that did not start, or ran already. */
bool call_started(const struct value *answer, struct err *err);

#endif
