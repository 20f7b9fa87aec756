/* Readiness: all probes of a worker's `ready` hold at once. */
#include "run_priv.h"

#include <stdlib.h>

#define TRY_MS 5000 /* longest single try */

#define LINE_BYTES (64 * 1024) /* a longer line is looked at in pieces */

enum probe_kind { PROBE_WHEN, PROBE_EXEC, PROBE_TCP, PROBE_HTTP, PROBE_LOG, PROBE_NOTIFY, PROBE_KINDS };
struct probes {
    struct run *run;
    uint32_t task;
    struct sup_ref ref;
    bool wanted[PROBE_KINDS], holds[PROBE_KINDS];
    struct ask *when;
    struct probe *exec, *tcp, *http;
    struct launch launch; /* of exec */
    struct regex *log;
    struct buf lines[2]; /* of each stream: the line that has no end yet */
    bool too_hard;       /* it was said that the expression takes too long */
};

static void probes_free(struct probes *probes)
{
    state_cancel(probes->run, &probes->when);
    probe_free(probes->exec);
    probe_free(probes->tcp);
    probe_free(probes->http);
    regex_free(probes->log);
    buf_release(&probes->lines[0]);
    buf_release(&probes->lines[1]);
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

static void http_result(void *ctx, bool ok)
{
    probe_answered(ctx, PROBE_HTTP, ok);
}

static bool start_tcp(struct probes *probes, struct task *task, int64_t try_ms, struct err *err)
{
    const struct plan_ready *ready = &task->worker->ready;
    AUTO_BUF struct buf target = {0};
    if (!guard_fill_in(probes->run, task, &ready->tcp, &target, err))
        return false;
    probes->tcp = probe_tcp(probes->run->loop, target.data, ready->every_ms, try_ms, tcp_result, probes, err);
    return probes->tcp != NULL;
}

static bool start_http(struct probes *probes, struct task *task, int64_t try_ms, struct err *err)
{
    const struct plan_ready *ready = &task->worker->ready;
    AUTO_BUF struct buf url = {0};
    if (!guard_fill_in(probes->run, task, &ready->http.url, &url, err))
        return false;
    probes->http = probe_http(probes->run->loop, url.data, (int)ready->http.status, ready->every_ms, try_ms,
                              http_result, probes, err);
    return probes->http != NULL;
}

static bool start_all(struct probes *probes, struct task *task, struct err *err)
{
    const struct plan_ready *ready = &task->worker->ready;
    int64_t try_ms = ready->timeout_ms > 0 && ready->timeout_ms < TRY_MS ? ready->timeout_ms : TRY_MS;
    probes->wanted[PROBE_WHEN] = ready->when != NULL;
    probes->wanted[PROBE_EXEC] = ready->exec.given;
    probes->wanted[PROBE_TCP] = ready->tcp.raw != NULL;
    probes->wanted[PROBE_HTTP] = ready->http.url.raw != NULL;
    probes->wanted[PROBE_LOG] = ready->log != NULL;
    probes->wanted[PROBE_NOTIFY] = ready->notify;
    if (ready->exec.given) {
        if (!launch_prepare(&probes->launch, probes->run, task, LAUNCH_PROBE, err))
            return false;
        probes->exec = probe_exec(probes->run->children, &probes->launch.spec, ready->every_ms, try_ms,
                                  exec_result, probes);
    }
    if (ready->tcp.raw && !start_tcp(probes, task, try_ms, err))
        return false;
    if (ready->http.url.raw && !start_http(probes, task, try_ms, err))
        return false;
    if (ready->log && !(probes->log = regex_new(str_of(ready->log), err)))
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
    if (start_all(task->probes, task, &err)) {
        if (task->notify && notify_is_ready(task->notify))
            probes_notified(run, task);
        return;
    }
    /* Not ready in time is what follows, if `ready` has a timeout: say why. */
    run_say(run, 2, "%s: cannot probe whether it is ready: %s", task->name, err.message);
    probes_end(run, task);
}

/* ---- What the process itself says ---- */

static bool line_fits(struct probes *probes, struct task *task, struct str line)
{
    struct err err = {0};
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    bool found = regex_find(probes->log, line, &err);
    if (err.code != ERR_NONE && !probes->too_hard) {
        run_say(probes->run, 1, "%s: a line is not looked at for 'ready.log': %s", task->name, err.message);
        probes->too_hard = true;
    }
    return found;
}

void probes_output(struct run *run, struct task *task, struct sup_ref ref, int stream, struct str bytes)
{
    struct probes *probes = task->probes;
    (void)run;
    if (!probes->log || probes->ref.incarnation != ref.incarnation || probes->holds[PROBE_LOG])
        return;
    struct buf *partial = &probes->lines[stream - 1];
    bool found = false;
    while (bytes.len > 0 && !found) {
        const char *newline = memchr(bytes.data, '\n', bytes.len);
        size_t len = newline ? (size_t)(newline - bytes.data) : bytes.len;
        buf_add(partial, bytes.data, len);
        if (newline || partial->len > LINE_BYTES) {
            found = line_fits(probes, task, buf_str(partial));
            buf_clear(partial);
        }
        len += newline ? 1 : 0;
        bytes = (struct str){bytes.data + len, bytes.len - len};
    }
    if (found)
        probe_answered(probes, PROBE_LOG, true);
}

void probes_notified(struct run *run, struct task *task)
{
    (void)run;
    if (task->probes && task->probes->wanted[PROBE_NOTIFY])
        probe_answered(task->probes, PROBE_NOTIFY, true);
}
