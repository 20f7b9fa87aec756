/* From a spec to a process that runs its command, or a named error. */
#ifndef ZPROC_SPAWN_PRIV_H
#define ZPROC_SPAWN_PRIV_H

#include "proc.h"

/* Starts the command with these as its descriptors 0 to 2 (borrowed, 3 or above; -1: inherit ours). Returns
 * its pid, or -1 with err set as child_spawn says; a process that could not exec is left to tree_reap. */
int spawn_process(const struct child_spec *spec, const int descriptors[3], struct err *err);

#endif
