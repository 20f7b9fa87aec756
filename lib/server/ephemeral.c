/* Ephemeral keys whose session has ended are removed, one revision for each namespace. */
#include "server_priv.h"

static bool is_free(void *ctx, struct space *space)
{
    return !lock_is_held(ctx, space_name(space));
}

void orphans_remove(struct server *server)
{
    for (struct space *space; (space = store_orphaned(server->store, is_free, server));) {
        struct txn *txn = txn_begin(space);
        struct err err = {0};
        write_orphans(txn);
        /* Deleting makes the state smaller: no limit refuses it. */
        if (!txn_commit(txn, time_wall_ms(), STR(""), &err))
            return;
    }
}

bool ephemeral_check(const struct job *job, struct err *err)
{
    if (!request_bool(&job->request, ephemeral))
        return true;
    if (!request_has(&job->request, session))
        return err_set(err, ERR_INVALID, "an ephemeral key needs a session, with which it goes");
    return job->session || err_set(err, ERR_LOST, "there is no session '%.*s' (any more)",
                                   STR_ARG(request_str(&job->request, session)));
}
