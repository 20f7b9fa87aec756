/* Trees of processes: who lives below whom, told apart by start time, signalled without hitting a reused pid.
 * Linux's /proc, pidfd and subreaper are used behind this header only. */
#ifndef ZPROC_TREE_PRIV_H
#define ZPROC_TREE_PRIV_H

#include "proc.h"

struct process {
    int pid, parent, group, session, threads;
    uint64_t started; /* clock ticks since boot: with the pid this names a process for good */
    char state;       /* 'Z': a zombie */
    char name[32];
};

/* {0} is an empty list. */
struct process_list {
    struct process *items;
    size_t count, capacity;
};
void process_list_release(struct process_list *list);

/* False when there is no such process. */
bool process_read(int pid, struct process *process);
/* The very same process is there and has not ended. */
bool process_lives(const struct process *process);
/* Signals this process and no other that has its pid by now. */
void process_signal(const struct process *process, int signal);
/* Each of marks (NULL entries do not count) stands in the environment that the process was started with. Not
 * known in the midst of an exec: ask again soon. */
enum marked { MARKED_NO, MARKED_YES, MARKED_UNKNOWN };
enum marked process_marked(int pid, char *const marks[2]);

/* Adds the direct children of this process that are not in own (by the bytes of their pid). False when one of
 * them had just ended: what lived below it may not be among them yet. */
bool tree_orphans(const struct table *own, struct process_list *out);
/* Adds root unless the list has it, and everything that lives below it. */
void tree_add(const struct process *root, struct process_list *out);
/* Adds everything that lives below pid. */
void tree_add_below(int pid, struct process_list *out);

/* The same by a look at every process, as on kernels that do not list children; here for tests. */
void tree_add_below_by_scan(int pid, struct process_list *out);

#endif
