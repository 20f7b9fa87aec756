/* Readiness: all probes of a worker's `ready` hold at once. */
#include "run_priv.h"

#include <stdlib.h>

#define TRY_MS 5000 /* longest single try */

enum probe_kind { PROBE_WHEN, PROBE_EXEC, PROBE_TCP, PROBE_KINDS };
struct probes {
    struct run *run;
    uint32_t task;
    struct sup_ref ref;
    bool wanted[PROBE_KINDS], holds[PROBE_KINDS];
    struct ask *when;
    struct probe *exec, *tcp;
    struct launch launch; /* of exec */
};

static void probes_free(struct probes *probes)
{
    state_cancel(probes->run, &probes->when);
    probe_free(probes->exec);
    probe_free(probes->tcp);
    launch_release(&probes->launch);
    free(probes);
}

void probes_end(struct run *run, struct task *task)
{
    (void)run;
    if (!task->probes)
        return;
    struct probes *probes = task->probes;
    task->probes = NULL;
    probes_free(probes);
}

static void probe_answered(struct probes *probes, enum probe_kind kind, bool ok)
{
    probes->holds[kind] = ok;
    for (int i = 0; i < PROBE_KINDS; i++)
        if (probes->wanted[i] && !probes->holds[i])
            return;
    struct run *run = probes->run;
    struct sup_ref ref = probes->ref;
    probes_end(run, run_task(run, probes->task));
    run_event(run, (struct sup_event){.kind = SUP_PROBES_HOLD, .ref = ref});
}

static void exec_result(void *ctx, bool ok)
{
    probe_answered(ctx, PROBE_EXEC, ok);
}

static void tcp_result(void *ctx, bool ok)
{
    probe_answered(ctx, PROBE_TCP, ok);
}

static void when_holds(struct run *run, struct task *task, int64_t tag, struct reply *reply)
{
    (void)tag;
    if (!task->probes)
        return;
    if (reply->ok)
        probe_answered(task->probes, PROBE_WHEN, true);
    else
        run_say(run, 2, "%s: the server refused to wait for 'ready.when': %s", task->name,
                reply->error.message);
}

static bool start_tcp(struct probes *probes, struct task *task, int64_t try_ms, struct err *err)
{
    const struct plan_ready *ready = &task->worker->ready;
    AUTO_BUF struct buf target = {0};
    struct launch launch = {0};
    /* The environment that the worker has, for templates. */
    bool ok = launch_prepare(&launch, probes->run, task, LAUNCH_WORKER, err);
    struct scope scope = {.run = probes->run, .task = task, .env = &launch.env};
    ok = ok && scope_expand(&scope, &ready->tcp, &target, err);
    launch_release(&launch);
    if (!ok)
        return false;
    probes->tcp = probe_tcp(probes->run->loop, target.data ? target.data : "", ready->every_ms, try_ms,
                            tcp_result, probes, err);
    return probes->tcp != NULL;
}

static bool start_all(struct probes *probes, struct task *task, struct err *err)
{
    const struct plan_ready *ready = &task->worker->ready;
    int64_t try_ms = ready->timeout_ms > 0 && ready->timeout_ms < TRY_MS ? ready->timeout_ms : TRY_MS;
    probes->wanted[PROBE_WHEN] = ready->when != NULL;
    probes->wanted[PROBE_EXEC] = ready->exec.given;
    probes->wanted[PROBE_TCP] = ready->tcp.raw != NULL;
    if (ready->exec.given) {
        if (!launch_prepare(&probes->launch, probes->run, task, LAUNCH_PROBE, err))
            return false;
        probes->exec = probe_exec(probes->run->children, &probes->launch.spec, ready->every_ms, try_ms,
                                  exec_result, probes);
    }
    if (ready->tcp.raw && !start_tcp(probes, task, try_ms, err))
        return false;
    if (ready->when)
        state_keep(&probes->when, watch_when(probes->run, task, ready->when, when_holds));
    return true;
}

void probes_start(struct run *run, struct task *task, struct sup_ref ref)
{
    struct err err;
    probes_end(run, task);
    task->probes = mem_new(sizeof *task->probes);
    *task->probes = (struct probes){.run = run, .task = task->number, .ref = ref};
    if (start_all(task->probes, task, &err))
        return;
    /* Not ready in time is what follows, if `ready` has a timeout: say why. */
    run_say(run, 2, "%s: cannot probe whether it is ready: %s", task->name, err.message);
    probes_end(run, task);
}
