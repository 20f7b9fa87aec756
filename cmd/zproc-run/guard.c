/* Liveness: the probes of `alive` of a worker that is ready. One that does not hold often enough in a row is
 * reported, once. */
#include "run_priv.h"

#include <stdlib.h>

#define TRY_MS 5000 /* longest single try */

enum { GUARD_WHEN, GUARD_EXEC, GUARD_TCP, GUARD_HTTP, GUARD_KINDS };
struct guard {
    struct run *run;
    uint32_t task;
    struct sup_ref ref;
    int64_t failed[GUARD_KINDS]; /* times in a row */
    struct probe *exec, *tcp, *http;
    struct ask *when;
    struct timer *timer;  /* the next look at `when` */
    struct launch launch; /* of exec */
};

void guard_end(struct run *run, struct task *task)
{
    struct guard *guard = task->guard;
    task->guard = NULL;
    if (!guard)
        return;
    state_cancel(run, &guard->when);
    probe_free(guard->exec);
    probe_free(guard->tcp);
    probe_free(guard->http);
    if (guard->timer)
        timer_free(guard->timer);
    launch_release(&guard->launch);
    free(guard);
}

static void guard_report(struct guard *guard, char *what)
{
    struct run *run = guard->run;
    struct sup_ref ref = guard->ref;
    AUTO_FREE char *text = what;
    guard_end(run, run_task(run, guard->task));
    run_event(run, (struct sup_event){.kind = SUP_UNHEALTHY, .ref = ref, .text = str_of(text)});
}

static void guard_answered(struct guard *guard, int kind, bool ok)
{
    static const char *const names[GUARD_KINDS] = {"when", "exec", "tcp", "http"};
    const struct plan_alive *alive = &run_task(guard->run, guard->task)->worker->alive;
    guard->failed[kind] = ok ? 0 : guard->failed[kind] + 1;
    if (guard->failed[kind] >= alive->failures)
        guard_report(guard, mem_format("not alive: 'alive.%s' did not hold %lld time%s in a row", names[kind],
                                       (long long)alive->failures, alive->failures == 1 ? "" : "s"));
}

static void exec_result(void *ctx, bool ok)
{
    guard_answered(ctx, GUARD_EXEC, ok);
}

static void tcp_result(void *ctx, bool ok)
{
    guard_answered(ctx, GUARD_TCP, ok);
}

static void http_result(void *ctx, bool ok)
{
    guard_answered(ctx, GUARD_HTTP, ok);
}

static void when_answered(struct run *run, struct task *task, int64_t tag, struct reply *reply)
{
    (void)run;
    (void)tag;
    if (!task->guard)
        return;
    timer_set(task->guard->timer, time_now_ms() + task->worker->alive.probes.every_ms);
    guard_answered(task->guard, GUARD_WHEN, reply->ok && str_is(reply->value, "true"));
}

static void when_look(void *ctx)
{
    struct guard *guard = ctx;
    const struct task *task = run_task(guard->run, guard->task);
    struct request request = {.operation = OP_eval};
    request_set_str(&request, FIELD_ns, str_of(task->worker->namespace));
    request_set_str(&request, FIELD_expr, expr_text(task->worker->alive.probes.when));
    state_keep(&guard->when, state_ask(guard->run, &request, (struct str){0}, when_answered, guard->task, 0));
    run_work(guard->run);
}

bool guard_fill_in(struct run *run, struct task *task, const struct plan_text *text, struct buf *out,
                   struct err *err)
{
    struct launch launch = {0};
    bool ok = launch_prepare(&launch, run, task, LAUNCH_WORKER, err);
    struct scope scope = {.run = run, .task = task, .env = &launch.env};
    ok = ok && scope_expand(&scope, text, out, err);
    launch_release(&launch);
    buf_add_text(out, "");
    return ok;
}

static bool begin_tcp(struct guard *guard, struct task *task, struct err *err)
{
    const struct plan_ready *probes = &task->worker->alive.probes;
    AUTO_BUF struct buf target = {0};
    if (!guard_fill_in(guard->run, task, &probes->tcp, &target, err))
        return false;
    guard->tcp = probe_tcp(guard->run->loop, target.data, probes->every_ms, TRY_MS, tcp_result, guard, err);
    return guard->tcp != NULL;
}

static bool begin_http(struct guard *guard, struct task *task, struct err *err)
{
    const struct plan_ready *probes = &task->worker->alive.probes;
    AUTO_BUF struct buf url = {0};
    if (!guard_fill_in(guard->run, task, &probes->http.url, &url, err))
        return false;
    guard->http = probe_http(guard->run->loop, url.data, (int)probes->http.status, probes->every_ms, TRY_MS,
                             http_result, guard, err);
    return guard->http != NULL;
}

static bool guard_begin(struct guard *guard, struct task *task, struct err *err)
{
    struct run *run = guard->run;
    const struct plan_ready *probes = &task->worker->alive.probes;
    if (probes->exec.given) {
        if (!launch_prepare(&guard->launch, run, task, LAUNCH_GUARD, err))
            return false;
        guard->exec =
            probe_exec(run->children, &guard->launch.spec, probes->every_ms, TRY_MS, exec_result, guard);
    }
    if (probes->tcp.raw && !begin_tcp(guard, task, err))
        return false;
    if (probes->http.url.raw && !begin_http(guard, task, err))
        return false;
    if (probes->when) {
        guard->timer = timer_new(run->loop, when_look, guard);
        timer_set(guard->timer, time_now_ms());
    }
    return true;
}

void guard_start(struct run *run, struct task *task, struct sup_ref ref)
{
    struct err err;
    guard_end(run, task);
    task->guard = mem_new(sizeof *task->guard);
    *task->guard = (struct guard){.run = run, .task = task->number, .ref = ref};
    if (!guard_begin(task->guard, task, &err))
        guard_report(task->guard, mem_format("cannot probe whether it is alive: %s", err.message));
}
