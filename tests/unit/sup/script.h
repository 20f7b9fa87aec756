/* Scripts for supervision: a plan made by hand, events by the name of a worker, and the effects of the steps
 * as one line of words that a test compares. After every step the invariants are checked. */
#ifndef SUP_SCRIPT_H
#define SUP_SCRIPT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sup.h"

struct script {
    struct plan plan;
    struct plan_worker workers[64];
    struct plan_need needs[64][8];
    struct plan_failure failures[64][4];
    struct sup *sup;
    struct sup_effects effects;
    struct buf words; /* effects since the last `expect`, records, words to people and forgets left out */
    struct buf said;  /* lines for people since the last `said` */
    int64_t now, wall_step;
    bool manual; /* starts are not answered by SUP_SPAWNED at once */
};

void script_init(struct script *s);
void script_release(struct script *s);
/* A job: `true`, no retries, grace 10 s, started with the run. */
struct plan_worker *worker(struct script *s, const char *name);
struct plan_worker *service(struct script *s, const char *name);
struct plan_worker *trigger(struct script *s, const char *name, enum plan_overlap overlap);
void need(struct script *s, const char *name, const char *needed, enum plan_need_is is);
void retry_for(struct script *s, const char *name, struct plan_failure failure);

/* Events. `name` is a task's name; the newest task of that name that is no trigger itself, if there is one.
 */
void begin(struct script *s);
void spawned(struct script *s, const char *name);
void spawn_failed(struct script *s, const char *name, int status, const char *text);
void ended(struct script *s, const char *name, int status);
void killed(struct script *s, const char *name, int signal);
void probes_hold(struct script *s, const char *name);
void condition(struct script *s, const char *name);
void triggered(struct script *s, const char *name, int64_t revision);
void fence(struct script *s, int64_t id);
void signalled(struct script *s, int signal);
/* Ticks at every deadline up to now + ms. */
void pass(struct script *s, int64_t ms);
/* Any event; the times are filled in. */
void event(struct script *s, struct sup_event event);

struct sup_task task(struct script *s, const char *name);
struct sup_task trigger_task(struct script *s, const char *name);
void expect_words(struct script *s, const char *words, const char *file, int line);
void expect_state(struct script *s, const char *name, enum sup_state state, const char *reason,
                  const char *file, int line);
void expect_said(struct script *s, const char *part, const char *file, int line);
#define expect(s, words)              expect_words(s, words, __FILE__, __LINE__)
#define state_is(s, name, state, why) expect_state(s, name, state, why, __FILE__, __LINE__)
#define said(s, part)                 expect_said(s, part, __FILE__, __LINE__)
#define SCRIPT                        __attribute__((cleanup(script_release))) struct script

#endif
