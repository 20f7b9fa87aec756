/* Control groups: what spawn.c and tests need of bound.c. */
#ifndef ZPROC_BOUND_PRIV_H
#define ZPROC_BOUND_PRIV_H

#include "tree_priv.h"

/* The folder of the group that bounds this process's memory, from the text of /proc/self/cgroup and
 * /proc/self/mountinfo; unified: it is one of version 2. ERR_DENIED: there is none. */
bool bound_locate(struct str cgroup, struct str mounts, struct buf *path, bool *unified, struct err *err);
/* The descriptor where a process that writes "0" enters the group. */
int bound_door(const struct bound *bound);

#endif
