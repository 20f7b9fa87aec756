/* What the run asks of the state server, and what it leaves there. */
#ifndef ZPROC_RUN_STATE_H
#define ZPROC_RUN_STATE_H

#include "client.h"
#include "sup.h"

struct run;
struct task;

/* ---- state.c: the connection; requests never block the loop ---- */

/* Called with the answer; reply->ok may be false. */
typedef void answer_fn(struct run *run, struct task *task, int64_t tag, struct reply *reply);
struct ask {
    struct ask_key {
        int64_t link, id; /* the connection that it goes over; 0: it waits for its turn to be sent */
    } key;
    int64_t serial;      /* in the order in which they are sent */
    bool quick;          /* not one that waits on the server */
    bool again;          /* sent a second time: the first may have been done */
    struct queued *sent; /* the request, for a server that is started again; NULL: it waits for its turn */
    struct ask **owner;  /* where it is kept to be cancelled: set to NULL when it is over; NULL: nowhere */
    answer_fn *answer;   /* NULL: nobody cares any more */
    uint32_t task;       /* SUP_NO_TASK: none; an answer for a forgotten task is dropped */
    int64_t tag;
};
/* A connection. */
struct link {
    struct client *client; /* NULL: not open */
    struct watcher *watcher;
    size_t tasks; /* that watch over it */
};
struct state {
    struct link *links; /* opened when they are needed */
    size_t link_count, link_capacity;
    bool open, closed; /* what is queued is sent; nothing is asked any more */
    int64_t lives;     /* how often all connections were closed */
    int64_t serial;    /* of the ask that was sent last */
    struct table asks; /* those that were sent */
    size_t quick;      /* how many of them are answered at once */
    struct queued *first, *last;
    size_t queued;
    struct fence *fences;
};
/* Connects to run->address without waiting; again: what was claimed is claimed before anything else is sent.
 */
bool state_connect(struct run *run, bool again, struct err *err);
/* The connections are gone; what was not answered is asked once more when there is one again. */
void state_detach(struct run *run);
void state_close(struct run *run);
/* SUP_FENCE comes after every event of an earlier change. */
void state_fence(struct run *run, int64_t number);
/* The task watches nothing any more. */
void state_leave(struct run *run, struct task *task);
/* Queues it to be sent in order; the ask is valid until its answer function has been called. NULL when the
 * connection is gone. value.data NULL: none. */
struct ask *state_ask(struct run *run, struct request *request, struct str value, answer_fn *answer,
                      uint32_t task, int64_t tag);
/* Keeps an ask (NULL: there is none) to be cancelled later. */
void state_keep(struct ask **owner, struct ask *ask);
/* Ends a request that waits on the server; its answer is dropped. Sets *ask to NULL. */
void state_cancel(struct run *run, struct ask **ask);
/* Sends what is queued, as far as there is room. */
void state_send(struct run *run);
/* Reads and writes what is possible. True when an answer was handed out. */
bool state_pump(struct run *run);
/* Nothing that is answered at once is on its way. */
bool state_quiet(const struct run *run);
size_t state_pending(const struct run *run);

/* ---- record.c: the reserved namespace ---- */

struct records {
    char *space, *token;
    size_t sending; /* requests of an update that is on its way; what changes meanwhile goes with the next */
    bool run_dirty;
    uint32_t *dirty; /* tasks */
    size_t count, capacity;
    struct value *gone; /* names of records that are to be deleted; NULL: none */
    uint32_t *held;     /* tasks that start when what had happened by then is there to be read */
    size_t held_count, held_capacity;
    size_t held_sent; /* so many of them, the first, wait for the update that is on its way */
};
/* Sends the claim and the initial state; then, when those are answered, records_publish. */
void records_claim(struct run *run);
/* On a new connection the token of the claim is another one. The request that comes first there, and its
 * answer: false when that is of no use. */
void records_claim_again(const struct run *run, struct request *request);
bool records_claimed_again(struct run *run, const struct reply *reply);
void records_publish(struct run *run);
void records_touch(struct run *run, uint32_t task); /* SUP_NO_TASK: the run's own */
void records_flush(struct run *run);
/* Nothing waits: what is asked of the server now comes after all that has happened. */
bool records_clean(const struct run *run);
/* A task's record, or the run's (SUP_NO_TASK); false: there is none. */
bool record_print(struct run *run, uint32_t number, struct buf *json);
void records_remove(struct run *run, struct task *task); /* it has this name no more, or is no more */
/* The task's start waits until all that has happened is there to be read, for some seconds at most. */
void records_hold(struct run *run, struct task *task);
void records_unhold(struct run *run); /* not those any more that are to be stopped */
void records_late(void *ctx);         /* the timer, run->patience */
void records_release(struct records *records);
/* At the end: leaves them in the folder of the run, for who asks when the server is gone. */
void records_keep(struct run *run);
/* Initial state of the manifest. */
void records_initial(struct run *run);

/* ---- session.c ---- */

/* Gives the task a session when it is to have one (another one, if the last was closed); rev: where it
 * starts, -1: now. */
void session_open(struct run *run, struct task *task, int64_t rev);
void session_close(struct run *run, struct task *task);
/* The task's start waits: sessions of workers that have ended are closed first, so that nothing ephemeral of
 * theirs is there any more, and the server is just not there. */
bool session_holds(struct run *run, const struct task *task);

#endif
