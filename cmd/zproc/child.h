/* A command that zproc runs: its standard input and output are pipes to us, its descriptor 3 is our standard
 * output. */
#ifndef ZPROC_CHILD_H
#define ZPROC_CHILD_H

#include <signal.h>

#include "base.h"

struct child {
    pid_t pid;   /* 0: none is there */
    bool group;  /* it leads a process group */
    int in, out; /* our ends of its input and output, non-blocking; -1: closed */
    int signals; /* a descriptor (signalfd) that tells of its end, and of signals to us */
    sigset_t before;
};

/* Starts argv with one more environment variable. From now on signals that would end us, and SIGCHLD, come
 * through `signals`. Without a terminal on standard input it gets a process group of its own, so that it can
 * be ended with what it started. False: *status is 127 (not found), 126 (not runnable) or 125. */
bool child_start(struct child *child, const char *const *argv, const char *name, const char *value,
                 int *status, struct err *err);
/* To it and its group. */
void child_signal(const struct child *child, int number);
/* Takes in what `signals` tells; what came to us is handed on. True once it has ended: *status as the shell
 * has it, 128 + N for a signal. */
bool child_ended(struct child *child, int *status);
/* Closes what is open; signals are ours again. The child is not waited for. */
void child_release(struct child *child);

#endif
