/* Bounds on the memory of workers: the groups are made when the first worker needs one. */
#include "run_priv.h"

#include <unistd.h>

static bool make(struct run *run, int64_t max, struct bound **bound, struct err *err)
{
    bool guarded = run->options->control >= 0;
    if (!run->bounds) {
        run->bounds = bounds_open(run->id, guarded ? getppid() : getpid(), err);
        if (!run->bounds)
            return false;
        control_leave(run, bounds_path(run->bounds), NULL);
    }
    *bound = bound_new(run->bounds, max, err);
    return *bound != NULL;
}

bool bound_open(struct run *run, const struct task *task, struct bound **bound, struct err *err)
{
    const struct plan_limits *limits = &task->worker->limits;
    struct err why;
    if (limits->memory == 0 || make(run, limits->memory, bound, &why))
        return true;
    if (!limits->memory_optional)
        return err_set(err, ERR_INTERNAL, "cannot set the limit 'memory': %s", why.message);
    if (!run->unbounded)
        run_say(run, 1, "%s: runs without its limit 'memory': %s", task->worker->name, why.message);
    run->unbounded = true;
    return true;
}

void bound_explain(const struct process *process, struct buf *text)
{
    if (!process->bound || !bound_struck(process->bound))
        return;
    buf_add_text(text, "out of memory, its limit is ");
    size_print(text, process->task->worker->limits.memory);
}
