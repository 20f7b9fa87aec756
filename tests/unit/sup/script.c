/* Runs the scripts of the tests of supervision. */
#include "script.h"

#include <signal.h>
#include <stdlib.h>

void script_init(struct script *s)
{
    *s = (struct script){.now = 1000};
    s->plan.workers = s->workers;
    s->plan.name = (char *)"script";
    s->plan.run.fail = FAIL_FAST;
}

void script_release(struct script *s)
{
    sup_free(s->sup);
    sup_effects_release(&s->effects);
    buf_release(&s->words);
    buf_release(&s->said);
}

struct plan_worker *worker(struct script *s, const char *name)
{
    static int zero;
    struct plan_worker *w = &s->workers[s->plan.worker_count++];
    *w = (struct plan_worker){.name = (char *)name, .start = true, .replicas = 1};
    w->run.given = true;
    w->success = &zero;
    w->success_count = 1;
    w->retry.backoff = 1;
    w->retry.delay_ms = 5000;
    w->stop.signal = SIGTERM;
    w->stop.grace_ms = 10000;
    return w;
}

struct plan_worker *service(struct script *s, const char *name)
{
    struct plan_worker *w = worker(s, name);
    w->service = w->restart_always = true;
    return w;
}

struct plan_worker *trigger(struct script *s, const char *name, enum plan_overlap overlap)
{
    struct plan_worker *w = worker(s, name);
    w->trigger.given = w->trigger.drain = true;
    w->trigger.overlap = overlap;
    return w;
}

static size_t worker_index(const struct script *s, const char *name)
{
    for (size_t i = 0; i < s->plan.worker_count; i++)
        if (strcmp(s->workers[i].name, name) == 0)
            return i;
    fail_msg("no worker %s", name);
    return 0;
}

void need(struct script *s, const char *name, const char *needed, enum plan_need_is is)
{
    size_t i = worker_index(s, name);
    struct plan_worker *w = &s->workers[i];
    w->needs = s->needs[i];
    w->needs[w->need_count++] = (struct plan_need){.worker = worker_index(s, needed), .is = is};
}

void retry_for(struct script *s, const char *name, struct plan_failure failure)
{
    size_t i = worker_index(s, name);
    struct plan_retry *retry = &s->workers[i].retry;
    retry->failures = s->failures[i];
    retry->failures[retry->failure_count++] = failure;
}

static const char *const effect_words[] = {
    [SUP_SPAWN] = "spawn",
    [SUP_PROBE] = "probe",
    [SUP_PROBE_END] = "probe_end",
    [SUP_TERMINATE] = "terminate",
    [SUP_KILL] = "kill",
    [SUP_AWAIT] = "await",
    [SUP_AWAIT_END] = "await_end",
    [SUP_ARM] = "arm",
    [SUP_DISARM] = "disarm",
    [SUP_SEND_FENCE] = "fence",
    [SUP_END] = "end",
    [SUP_GUARD] = "guard",
    [SUP_GUARD_END] = "guard_end",
    [SUP_ASK_OUTPUT] = "ask_output",
    [SUP_ASK_IF] = "ask_if",
    [SUP_RENEW] = "renew",
    [SUP_REMOVE] = "remove",
};

static void word_add(struct script *s, const struct sup_effect *effect)
{
    struct sup_task of;
    if (effect->kind == SUP_SAY) {
        buf_add_format(&s->said, "%s\n", effect->text);
        return;
    }
    if (effect->kind == SUP_STATUS || effect->kind == SUP_FORGET)
        return;
    buf_add_format(&s->words, "%s%s", s->words.len ? " " : "", effect_words[effect->kind]);
    if (sup_task_at(s->sup, effect->ref.task, &of))
        buf_add_format(&s->words, ":%s", of.name);
    if (effect->number || effect->kind == SUP_END)
        buf_add_format(&s->words, ":%d", (int)effect->number);
    if (effect->live)
        buf_add_text(&s->words, ":live");
}

static void answer_spawns(struct script *s, const struct sup_effects *effects)
{
    struct sup_ref started[64];
    size_t count = 0;
    for (size_t i = 0; i < effects->count; i++)
        if (effects->items[i].kind == SUP_SPAWN)
            started[count++] = effects->items[i].ref;
    for (size_t i = 0; i < count && !s->manual; i++)
        event(s, (struct sup_event){.kind = SUP_SPAWNED, .ref = started[i], .pid = 100});
}

void event(struct script *s, struct sup_event e)
{
    e.now_ms = s->now;
    e.wall_ms = 1700000000000 + s->now + s->wall_step;
    sup_effects_clear(&s->effects);
    sup_step(s->sup, &e, &s->effects);
    const char *broken = sup_invariant(s->sup);
    if (broken)
        fail_msg("%s", broken);
    for (size_t i = 0; i < s->effects.count; i++)
        word_add(s, &s->effects.items[i]);
    answer_spawns(s, &s->effects);
}

void begin(struct script *s)
{
    s->sup = sup_new(&s->plan, 1);
    event(s, (struct sup_event){.kind = SUP_BEGIN});
}

static struct sup_task find(struct script *s, const char *name, bool controller)
{
    struct sup_task found = {0}, at;
    for (uint32_t i = 0; i < sup_task_count(s->sup); i++)
        if (sup_task_at(s->sup, i, &at) && strcmp(at.name, name) == 0 &&
            (!controller || at.parent == SUP_NO_TASK))
            found = at;
    if (!found.name)
        fail_msg("no task %s", name);
    return found;
}

struct sup_task task(struct script *s, const char *name)
{
    return find(s, name, false);
}

struct sup_task trigger_task(struct script *s, const char *name)
{
    return find(s, name, true);
}

void spawned(struct script *s, const char *name)
{
    event(s, (struct sup_event){.kind = SUP_SPAWNED, .ref = task(s, name).ref, .pid = 100});
}

void spawn_failed(struct script *s, const char *name, int status, const char *text)
{
    event(s, (struct sup_event){
                 .kind = SUP_SPAWN_FAILED, .ref = task(s, name).ref, .status = status, .text = str_of(text)});
}

void ended(struct script *s, const char *name, int status)
{
    event(s, (struct sup_event){.kind = SUP_ENDED, .ref = task(s, name).ref, .status = status});
}

void killed(struct script *s, const char *name, int signal)
{
    event(s, (struct sup_event){.kind = SUP_ENDED, .ref = task(s, name).ref, .signal = signal});
}

void probes_hold(struct script *s, const char *name)
{
    event(s, (struct sup_event){.kind = SUP_PROBES_HOLD, .ref = task(s, name).ref});
}

void condition(struct script *s, const char *name)
{
    event(s, (struct sup_event){.kind = SUP_CONDITION, .ref = task(s, name).ref});
}

void triggered(struct script *s, const char *name, int64_t revision)
{
    event(s, (struct sup_event){.kind = SUP_TRIGGER, .ref = trigger_task(s, name).ref, .number = revision});
}

void fence(struct script *s, int64_t id)
{
    event(s, (struct sup_event){.kind = SUP_FENCE, .number = id});
}

void signalled(struct script *s, int signal)
{
    event(s, (struct sup_event){.kind = SUP_STOP, .signal = signal});
}

void pass(struct script *s, int64_t ms)
{
    int64_t until = s->now + ms, due;
    while ((due = sup_deadline(s->sup)) >= 0 && due <= until) {
        s->now = due;
        event(s, (struct sup_event){.kind = SUP_TICK});
        if (sup_deadline(s->sup) == due)
            fail_msg("a deadline does not pass");
    }
    s->now = until;
}

void expect_words(struct script *s, const char *words, const char *file, int line)
{
    _assert_string_equal(s->words.data ? s->words.data : "", words, file, line);
    buf_clear(&s->words);
    if (s->words.data)
        s->words.data[0] = '\0';
}

void expect_state(struct script *s, const char *name, enum sup_state state, const char *reason,
                  const char *file, int line)
{
    struct sup_task at = task(s, name);
    _assert_string_equal(sup_state_name(at.state), sup_state_name(state), file, line);
    _assert_string_equal(at.reason, reason, file, line);
}

void expect_said(struct script *s, const char *part, const char *file, int line)
{
    if (!s->said.data || !strstr(s->said.data, part)) {
        print_error("not said: %s\nsaid: %s\n", part, s->said.data ? s->said.data : "");
        _fail(file, line);
    }
    buf_clear(&s->said);
}
