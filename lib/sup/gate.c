/* Needs. A group counts how many of its instances meet each kind of need, and how many never will; when a
 * count becomes complete, or breaks, the groups that need it are told along edges by kind. */
#include "sup_priv.h"

#include <stdlib.h>

enum { CHAIN_MAX = 600 }; /* bytes of a chain of reasons: a chain of 10,000 must not cost 10,000 squared */

/* ---- What holds ---- */

static unsigned trigger_holds(const struct task *task)
{
    bool over = sup_state_final(task->state);
    unsigned holds = task->trigger->opened ? 1u << NEED_STARTED : 0;
    if (task->trigger->opened && (!over || task->state == TASK_SUCCEEDED))
        holds |= 1u << NEED_READY;
    return holds;
}

static unsigned process_holds(const struct task *task)
{
    unsigned holds = task->ever_started ? 1u << NEED_STARTED : 0;
    if ((task->state == TASK_READY && !task->again && !task->marked) ||
        (task->state == TASK_SUCCEEDED && task->was_ready))
        holds |= 1u << NEED_READY;
    return holds;
}

static unsigned need_bits(const struct task *task)
{
    unsigned holds = task->trigger ? trigger_holds(task) : process_holds(task);
    enum sup_state state = task->state;
    if (state == TASK_SUCCEEDED)
        holds |= 1u << NEED_SUCCEEDED;
    if (state == TASK_FAILED || state == TASK_TIMEOUT || state == TASK_LOST)
        holds |= 1u << NEED_FAILED;
    if (sup_state_final(state) && state != TASK_SKIPPED)
        holds |= 1u << NEED_ENDED;
    return holds;
}

static bool never_succeeds(const struct plan_worker *worker)
{
    return worker->trigger.given ? worker->trigger.max == 0 : worker->restart_always;
}

static unsigned dead_bits(const struct task *task, unsigned holds)
{
    if (sup_state_final(task->state))
        return ~holds & ((1u << NEED_KINDS) - 1);
    return never_succeeds(task->worker) ? 1u << NEED_SUCCEEDED : 0;
}

static void need_met(struct sup *sup, const struct list *dependents, bool met)
{
    for (size_t k = 0; k < dependents->count; k++) {
        struct group *dependent = dependents->items[k];
        dependent->unmet += met ? UINT32_MAX : 1;
        if (dependent->unmet == 0)
            list_add(&sup->opened, dependent);
    }
}

void gate_judge(struct sup *sup, struct group *group)
{
    for (int is = 0; is < NEED_KINDS; is++) {
        bool met = !group->next_plan && !group->removed && group->held[is] == group->tasks.count;
        if (met == ((group->met >> is) & 1))
            continue;
        group->met = (uint8_t)(group->met ^ (1u << is));
        need_met(sup, &group->dependents[is], met);
    }
}

static void doom_add(struct sup *sup, const struct task *task, enum plan_need_is is)
{
    mem_grow(sup->dooms, sup->doom_capacity, sup->doom_count);
    sup->dooms[sup->doom_count++] = (struct doom){task, is};
}

void gate_update(struct sup *sup, struct task *task)
{
    struct group *group = task->group;
    unsigned holds = need_bits(task), dead = dead_bits(task, holds);
    if (task->leaving)
        holds = dead = 0;
    for (int is = 0; is < NEED_KINDS; is++) {
        unsigned bit = 1u << is;
        group->held[is] += ((holds & bit) > 0) - ((task->holds & bit) > 0);
        if ((dead & bit) && !(task->dead & bit) && group->dead[is]++ == 0)
            doom_add(sup, task, (enum plan_need_is)is);
        if (!(dead & bit) && (task->dead & bit))
            group->dead[is]--;
    }
    task->holds = (uint8_t)holds;
    task->dead = (uint8_t)dead;
    gate_judge(sup, group);
}

/* ---- What follows ---- */

static const char *const need_words[NEED_KINDS] = {
    [NEED_STARTED] = "start", [NEED_READY] = "be ready", [NEED_SUCCEEDED] = "succeed",
    [NEED_FAILED] = "fail",   [NEED_ENDED] = "end",
};

static const char *const fate_words[SUP_STATE_COUNT] = {
    [TASK_SUCCEEDED] = "succeeded", [TASK_FAILED] = "failed",       [TASK_TIMEOUT] = "failed",
    [TASK_LOST] = "was lost",       [TASK_STOPPED] = "was stopped", [TASK_SKIPPED] = "was skipped",
};

/* "needs build to succeed, which failed: exit status 7" */
static char *doom_reason(const struct doom *doom)
{
    const struct task *task = doom->task;
    const char *word = need_words[doom->is];
    if (!sup_state_final(task->state))
        return mem_format("needs %s to %s, which %s", task->name, word,
                          task->worker->trigger.condition == CONDITION_TIME ? "runs again and again"
                          : task->trigger                                   ? "is a trigger without max"
                                          : "is started again whenever it ends");
    if (task->state == TASK_SUCCEEDED && doom->is == NEED_READY)
        return mem_format("needs %s to be ready, which ended before that", task->name);
    return mem_format("needs %s to %s, which %s%s%.*s%s", task->name, word, fate_words[task->state],
                      *task->reason ? ": " : "", CHAIN_MAX, task->reason,
                      strlen(task->reason) > CHAIN_MAX ? " …" : "");
}

void gate_doom(struct sup *sup, struct doom doom)
{
    const struct list *dependents = &doom.task->group->dependents[doom.is];
    if (!((doom.task->dead >> doom.is) & 1))
        return; /* it has come alive again meanwhile */
    for (size_t k = 0; k < dependents->count; k++) {
        const struct group *dependent = dependents->items[k];
        for (size_t i = 0; i < dependent->tasks.count; i++) {
            struct task *task = dependent->tasks.items[i];
            if (task->state == TASK_WAITING || task_unasked(task))
                task_move(sup, task, TASK_SKIPPED, doom_reason(&doom));
        }
    }
}

/* ---- Starting anew ---- */

static bool is_among(uint32_t number, const uint32_t *numbers, size_t count)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (numbers[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && numbers[low] == number;
}

char *gate_dead_need(const struct group *group, const uint32_t *apart, size_t count)
{
    for (size_t i = 0; i < group->need_count; i++) {
        const struct need *need = &group->needs[i];
        if (need->group->removed)
            return mem_format("needs %s to %s, which was removed", need->group->worker->name,
                              need_words[need->is]);
        for (size_t k = 0; need->group->dead[need->is] > 0 && k < need->group->tasks.count; k++) {
            const struct task *task = need->group->tasks.items[k];
            if (((task->dead >> need->is) & 1) && !is_among(task->ref.task, apart, count))
                return doom_reason(&(struct doom){task, need->is});
        }
    }
    return NULL;
}

void gate_removed(struct sup *sup, const struct group *group)
{
    for (int is = 0; is < NEED_KINDS; is++)
        for (size_t k = 0; k < group->dependents[is].count; k++) {
            const struct group *dependent = group->dependents[is].items[k];
            for (size_t i = 0; i < dependent->tasks.count; i++) {
                struct task *task = dependent->tasks.items[i];
                if (task->state == TASK_WAITING || task_unasked(task))
                    task_move(sup, task, TASK_SKIPPED, gate_dead_need(dependent, NULL, 0));
            }
        }
}

void gate_enter(struct sup *sup, struct task *task, char *reason)
{
    task_move(sup, task, TASK_WAITING, reason);
    if (!task->entered)
        list_add(&sup->entered, task);
    task->entered = true;
}

void gate_admit(struct sup *sup, struct task *task)
{
    task->entered = false;
    if (task->state != TASK_WAITING)
        return;
    gate_wait(sup, task);
    char *reason = gate_dead_need(task->group, NULL, 0);
    if (sup->finishing || sup->phase != PHASE_GOING)
        task_move(sup, task, TASK_STOPPED, mem_text(sup->why));
    else if (reason)
        task_move(sup, task, TASK_SKIPPED, mem_text(reason));
    else
        gate_proceed(sup, task);
    free(reason);
}

void gate_proceed(struct sup *sup, struct task *task)
{
    if (task->state != TASK_WAITING || task->group->unmet > 0 || sup->finishing || sup->phase != PHASE_GOING)
        return;
    if (task->trigger && task->trigger->runs)
        return; /* of its earlier life: they are being stopped */
    task_count_as_job(sup, task);
    if (task->worker->only_if && !task->agreed) {
        if (!task->asking)
            effect_add(sup, SUP_ASK_IF, task, 0);
        task->asking = true;
    } else if (task->worker->when && !task->condition) {
        if (!task->awaiting)
            effect_add(sup, SUP_AWAIT, task, 0);
        task->awaiting = true;
    } else if (task->trigger) {
        trigger_begin(sup, task);
    } else {
        slot_want(sup, task);
    }
}

void gate_open(struct sup *sup, struct group *group)
{
    for (size_t i = 0; i < group->tasks.count && group->unmet == 0; i++)
        gate_proceed(sup, group->tasks.items[i]);
}

void gate_judged(struct sup *sup, struct task *task, const struct sup_event *event)
{
    if (!task->asking || task->state != TASK_WAITING)
        return;
    task->asking = false;
    task->agreed = event->number > 0;
    task->ruled_out = event->number == 0;
    if (event->number < 0)
        task_move(sup, task, TASK_FAILED, mem_copy(event->text.data, event->text.len));
    else if (task->ruled_out)
        task_move(sup, task, TASK_SKIPPED, mem_text("its 'if' is false"));
    else
        gate_proceed(sup, task);
}

/* ---- Timeouts of needs ---- */

/* The next one, its need met by now or not. */
static void wait_on(struct sup *sup, struct task *task)
{
    task->alarm_ms = -1;
    for (size_t i = 0; i < task->group->need_count; i++) {
        int64_t timeout = task->group->needs[i].timeout_ms, at = task->waiting_mono_ms + timeout;
        if (timeout > 0 && at > sup->now && (task->alarm_ms < 0 || at < task->alarm_ms))
            task->alarm_ms = at;
    }
    due_update(sup, task);
}

void gate_wait(struct sup *sup, struct task *task)
{
    task->waiting_mono_ms = sup->now;
    if (task->state == TASK_WAITING)
        wait_on(sup, task);
}

void gate_overdue(struct sup *sup, struct task *task)
{
    for (size_t i = 0; i < task->group->need_count; i++) {
        const struct need *need = &task->group->needs[i];
        bool over = need->timeout_ms > 0 && task->waiting_mono_ms + need->timeout_ms <= sup->now;
        if (!over || ((need->group->met >> need->is) & 1))
            continue;
        AUTO_FREE char *time = duration_text(need->timeout_ms);
        task_move(sup, task, TASK_TIMEOUT,
                  mem_format("needs %s to %s, which did not come about within %s", need->group->worker->name,
                             need_words[need->is], time));
        return;
    }
    wait_on(sup, task);
}
