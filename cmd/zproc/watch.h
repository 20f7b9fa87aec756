/* What watch, events and what follows them share. */
#ifndef ZPROC_WATCH_H
#define ZPROC_WATCH_H

#include "command.h"

/* What stays alive as long as the request. */
struct watch {
    struct request request;
    struct value *keys;
    struct buf value;
    bool single; /* one key */
};

/* The event as a line of standard output. False with err when the answer makes no sense. */
bool event_add(const struct context *context, const struct watch *watch, const struct reply *reply,
               struct buf *out, struct err *err);
/* Event after event, until --count, --timeout or a failure; with a command it is run for each. Returns like a
 * command. */
int follow(struct context *context, struct watch *watch, char *const *argv, struct err *err);
/* Runs the command for an event that came with its snapshot, and waits for it. Its status, 128 + N for a
 * signal; 125 to 127 with err when it did not run. */
int handle_event(char *const *argv, const struct reply *reply, struct err *err);

#endif
