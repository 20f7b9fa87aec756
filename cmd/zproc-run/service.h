/* What is asked of a run while it goes on. */
#ifndef ZPROC_RUN_SERVICE_H
#define ZPROC_RUN_SERVICE_H

#include "proc.h"
#include "sup.h"

struct run;
struct task;

/* ---- service.c: what is asked of the run while it goes on ---- */

/* A call that was not answered at once. */
struct parked;
/* Answers it when it can be answered; true when it was. over: the run has ended. */
typedef bool parked_fn(struct run *run, struct parked *parked, bool over);
struct parked_task {
    uint32_t number, incarnation; /* at the time of the call */
    bool done, ran;               /* start: it ran already */
    char *name;
    struct buf answer; /* of this task, JSON, once it is done */
};
struct parked {
    int64_t call;
    parked_fn *check;
    char *json; /* an answer that is known already; NULL: none */
    struct parked_task *tasks;
    size_t count, done; /* those before `done` need no second look */
    struct parked *next;
};
struct services {
    struct parked *parked;
};
/* From now on calls are served. */
void services_open(struct run *run);
/* After events: answers what can be answered. */
void services_check(struct run *run);
/* The run has ended: answers everything. */
void services_close(struct run *run);
void services_release(struct services *services);
void call_answer(struct run *run, int64_t call, struct str json);
void call_refuse(struct run *run, int64_t call, const struct err *err);
/* The tasks of a request's `names`, or all with `all`; a group stands for its instances. Owned by the caller;
 * false with err. */
struct picked {
    uint32_t *tasks;
    size_t count, capacity;
};
bool pick_tasks(struct run *run, const struct value *request, struct picked *picked, struct err *err);
/* A single instance by its own name; NULL: there is none. */
struct task *pick_instance(const struct run *run, struct str name);
bool pick_group(struct run *run, struct str name, size_t *group, struct err *err);
/* Parks a call; tasks may be NULL. */
struct parked *call_park(struct run *run, int64_t call, parked_fn *check, const struct picked *picked);

/* ---- by_hand.c: start, stop, restart, scale, signal, down ---- */

typedef void call_fn(struct run *run, int64_t call, const struct value *request);
void ask_start(struct run *run, int64_t call, const struct value *request);
void ask_stop(struct run *run, int64_t call, const struct value *request);
void ask_restart(struct run *run, int64_t call, const struct value *request);
void ask_signal(struct run *run, int64_t call, const struct value *request);
void ask_scale(struct run *run, int64_t call, const struct value *request);
void ask_return(struct run *run, int64_t call, const struct value *request);
void ask_down(struct run *run, int64_t call, const struct value *request);

/* ---- logs.c: what workers have printed, for who asks for it ---- */

struct reader;
struct readers {
    struct reader *first;
    struct timer *timer; /* set while there is something new */
};
void ask_logs(struct run *run, int64_t call, const struct value *request);
/* Something was written to a log, or a worker has ended. */
void logs_grew(struct run *run);
/* The run has ended: those that follow logs are given the rest. */
void logs_close(struct run *run);
void logs_release(struct run *run);

/* When these are gone: answers with json (owned by the call from now on). */
void call_when_gone(struct run *run, int64_t call, const struct picked *picked, char *json);

/* ---- reload.c: workers that join and leave ---- */

void ask_reload(struct run *run, int64_t call, const struct value *request);
void ask_spawn(struct run *run, int64_t call, const struct value *request);
/* The manifest is read again, as the signal SIGHUP asks for. */
void reload_run(struct run *run);

/* ---- attach.c: terminals of workers ---- */

struct terminal;
struct attached {
    int64_t owed;    /* answers after which another question is to come */
    int64_t last_ms; /* the last of them */
};
void ask_attach_read(struct run *run, int64_t call, const struct value *request);
void ask_attach_write(struct run *run, int64_t call, const struct value *request);
void ask_attach_resize(struct run *run, int64_t call, const struct value *request);
void terminal_add(struct run *run, struct task *task, struct str bytes);
/* After a change of the task: tells who is attached when it has ended. */
void terminal_check(struct run *run, struct task *task);
/* The run has ended: who is attached is told the rest. */
void terminals_close(struct run *run);
void terminal_free(struct terminal *terminal); /* NULL is fine */

#endif
