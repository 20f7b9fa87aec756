/* Assignments that the server carries out: atomic, and txn with its conditions. */
#include "server_priv.h"

static bool atomic_apply(struct job *job, struct txn *txn, struct value **answer, struct err *err)
{
    struct assignments *all = assignments_parse(request_str(&job->request, assign), err);
    if (all)
        *answer = write_assign(txn, all, job->value, err);
    assignments_free(all);
    return *answer != NULL;
}

bool handle_atomic(struct job *job, struct err *err)
{
    return job_args_valid(job, err) && job_write(job, atomic_apply, err);
}
