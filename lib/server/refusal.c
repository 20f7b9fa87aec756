/* Connections that are refused or ended for what they do: all are counted, and of each kind the first is
 * said, so that whoever sends a million of them writes no log. */
#include "server_priv.h"

#include <stdio.h>

static const struct {
    const char *name;   /* in the figures */
    const char *reason; /* said of the first */
} kinds[] = {
    [REFUSAL_USER] = {"user", "it came from another user"},
    [REFUSAL_FULL] = {"full", "no more descriptors are allowed; raise the limit ('ulimit -n')"},
    [REFUSAL_PROTOCOL] = {"protocol", "what it sent is not ZMTP 3; is it another program's address?"},
    [REFUSAL_SIZE] = {"size", "it sent more frames, or longer ones, than a request has"},
    [REFUSAL_STALLED] = {"stalled",
                         "its client did not go on with a large message while others waited to send theirs"},
    [REFUSAL_KEY] = {"key", "its client and the server do not have the same secret key"},
    [REFUSAL_UNREAD] = {"unread", "its client did not take its answers, or not fast enough"},
};

/* gate.c and inflow.c have no server at hand, and note from libzmq's thread. */
static atomic_llong counts[LENGTH_OF(kinds)];

void refusal_note(enum refusal kind)
{
    if (atomic_fetch_add(&counts[kind], 1) == 0)
        fprintf(
            stderr,
            "zproc: server: a connection was closed: %s; more of this kind are only counted (zproc stats)\n",
            kinds[kind].reason);
}

struct value *refusal_figures(void)
{
    struct value *map = value_map();
    for (size_t i = 0; i < LENGTH_OF(kinds); i++)
        map_set(map, str_of(kinds[i].name), value_int(atomic_load(&counts[i])));
    return map;
}
