/* The supervisor's program: what its files share. sup_step decides; the files here carry out its effects and
 * hand it what happens. One thread, one loop. */
#ifndef ZPROC_RUN_PRIV_H
#define ZPROC_RUN_PRIV_H

#include "launch.h"
#include "options.h"
#include "output.h"
#include "place.h"
#include "service.h"
#include "state.h"
#include "task.h"

#define STARTUP_MS 5000 /* how long each step of the start may take */

struct run {
    const struct options *options;
    struct plan *plan; /* the newest; those before and those of workers that were added stay to the end */
    struct plan **plans;
    size_t plan_count, plan_capacity;
    const char *programs; /* folder of zproc-server */
    const char *path;     /* folder of zproc: first on PATH */
    char id[32];
    int64_t started_ms;
    bool colour, terminal; /* of stderr: colours are fine; a person looks at it */
    bool colour_out;
    bool github; /* the console is that of GitHub Actions */
    struct loop *loop;
    struct children *children;
    struct control control;
    struct key key;
    struct folder folder;
    struct server server;
    bool external; /* the server is not ours */
    char *address;
    struct state state;
    int64_t rev; /* after the initial state */
    struct records records;
    struct export export;
    struct sup *sup;
    struct sup_effects effects;
    size_t effect; /* the next to carry out */
    bool working;
    struct timer *tick, *note, *limit, *patience;
    int late_turns;
    uint32_t *starting; /* tasks that are to be started after the effects */
    size_t starting_count, starting_capacity;
    size_t closing; /* sessions whose end is not answered */
    bool held;      /* starts wait for that */
    int clock;      /* 0: nothing goes by the wall clock */
    struct watcher *clock_watcher;
    bool begun, waiting; /* workers may run; run_until goes on */
    bool failed;         /* it cannot start */
    int interrupt;       /* the signal that came before that, 0: none */
    struct err trouble;  /* why it cannot start; or what it tries again for */
    int64_t start_until; /* how long */
    struct table tasks;  /* by number; triggers' runs and what was removed leave it when they are forgotten */
    uint32_t met;        /* how many tasks of sup were taken in */
    uint32_t born;       /* how many there were at the start */
    struct services services;
    struct readers readers;
    struct attached attached;
    size_t name_width;
    struct process *processes;
    struct bounds *bounds;      /* that bound memory; NULL: there are none yet */
    bool unbounded;             /* it was said that there can be none */
    struct table logs;          /* that are open, by path */
    struct mask mask;           /* secrets */
    struct watched *watched;    /* workers whose files are */
    struct table short_secrets; /* names of those that were warned of */
    bool paused,
        lossy; /* workers are paused; a stop was asked for: what the console cannot take is dropped */
    struct sink out, errors;
    int said;  /* the stderr of who started a run in the background, until it is up; -1: none */
    bool over; /* all has ended */
    int status;
};
/* Hands an event to sup and carries out what follows. Time is filled in. */
void run_event(struct run *run, struct sup_event event);
/* Everything that is due after an answer or an event; the loop's callbacks end in it. */
void run_work(struct run *run);
/* Before the workers run and after: the loop runs until `done`, the time, trouble or a signal. True: done. */
bool run_until(struct run *run, bool (*done)(const struct run *run), int64_t until_ms);
/* What run_until waits for may have come. */
void run_wake(struct run *run);
/* The run cannot start. */
void run_fail(struct run *run, const struct err *err);
/* A line for people on stderr. */
void run_say(struct run *run, int level, const char *format, ...) PRINTF_LIKE(3, 4);
/* The whole run; the exit status. */
int run_main(struct run *run);

#endif
