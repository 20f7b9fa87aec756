/* A loop with children for tests, and runs: commands whose output and end are collected. */
#ifndef ZPROC_TEST_WORLD_H
#define ZPROC_TEST_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proc.h"

struct world {
    struct loop *loop;
    struct children *children;
    struct timer *poll; /* looks at done now and then, for what causes no event */
    int64_t deadline;
    size_t descriptors; /* open before the first child */
    bool (*done)(void *ctx);
    void *ctx;
};

struct run {
    struct world *world;
    struct child *child;
    struct buf out[2];
    size_t bytes[2]; /* all of them; out has the first few only */
    struct child_end end;
    char *left;
    bool ended;
    void (*on_output)(struct run *run);
};

/* For cmocka's setup and teardown; the teardown fails when a process or a descriptor is left. */
int world_setup(void **state);
int world_teardown(void **state);
/* Runs the loop until done(ctx); fails after 20 s. */
void world_until(struct world *world, bool (*done)(void *ctx), void *ctx);
/* To be called by callbacks that may have changed what done looks at, to end world_until at once. */
void world_check(struct world *world);

extern const struct child_callbacks run_callbacks;
/* Marks "ZPROC_RUN=test" and "ZPROC_WORKER=w" in a short environment with PATH. */
extern char *const run_env[];
struct child_spec run_spec(char *const *argv);
/* Starts a spec; the run must be a fresh one. */
void run_start(struct world *world, struct run *run, const struct child_spec *spec);
/* Starts /bin/sh -c script. */
void run_start_script(struct world *world, struct run *run, const char *script);
/* Waits for its end. */
void run_finish(struct run *run);
void run_release(struct run *run);
/* start, finish. */
void run_script(struct world *world, struct run *run, const char *script);
/* Waits until stream 1 has given this text. */
void run_until_output(struct run *run, const char *text);
#define assert_output(run, stream, text)                                                                     \
    do {                                                                                                     \
        assert_int_equal((run)->bytes[(stream)-1], sizeof(text) - 1);                                        \
        assert_memory_equal((run)->out[(stream)-1].data, text, sizeof(text) - 1);                            \
    } while (0)

/* Whether a process is there and no zombie. */
bool pid_lives(int pid);
/* The number that stream 1 gave after this word and '='. */
int run_number(const struct run *run, const char *word);

#endif
