/* The guardian of a supervisor: hands signals on, and ends everything that the supervisor leaves behind. */
#ifndef ZPROC_GUARDIAN_H
#define ZPROC_GUARDIAN_H

#include "base.h"

/* Starts argv, with "--control N" put in as its first arguments, and waits for its end. Returns its status;
 * 125 when it was killed, after everything below it has been ended; -1 with err when it could not be started.
 */
int guardian_run(char *const *argv, struct err *err);
/* The same in the background: argv inherits `report`, which is closed here, and our standard descriptors,
 * which are /dev/null here from then on. */
int guardian_run_background(char *const *argv, int report, struct err *err);

#endif
