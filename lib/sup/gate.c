/* Needs. A group counts how many of its instances meet each kind of need, and how many never will; when a
 * count becomes complete, or breaks, the groups that need it are told along edges laid out by kind. */
#include "sup_priv.h"

#include <stdlib.h>

enum { CHAIN_MAX = 600 }; /* bytes of a chain of reasons: a chain of 10,000 must not cost 10,000 squared */

/* ---- The edges ---- */

static void edges_count(struct sup *sup)
{
    for (size_t i = 0; i < sup->plan->worker_count; i++) {
        const struct plan_worker *worker = &sup->plan->workers[i];
        for (size_t k = 0; k < worker->need_count; k++)
            sup->groups[worker->needs[k].worker].offsets[worker->needs[k].is + 1]++;
    }
    for (size_t i = 0; i < sup->plan->worker_count; i++) {
        struct group *group = &sup->groups[i];
        for (int is = 0; is < NEED_KINDS; is++)
            group->offsets[is + 1] += group->offsets[is];
        group->dependents = mem_array(group->offsets[NEED_KINDS], sizeof *group->dependents);
    }
}

/* held serves as the cursor of each kind while the edges are filled in. */
static void edges_fill(struct sup *sup)
{
    for (uint32_t i = 0; i < sup->plan->worker_count; i++) {
        const struct plan_worker *worker = &sup->plan->workers[i];
        for (size_t k = 0; k < worker->need_count; k++) {
            struct group *needed = &sup->groups[worker->needs[k].worker];
            enum plan_need_is is = worker->needs[k].is;
            needed->dependents[needed->offsets[is] + needed->held[is]++] = i;
            sup->groups[i].unmet += needed->count > 0;
        }
    }
    for (size_t i = 0; i < sup->plan->worker_count; i++)
        memset(sup->groups[i].held, 0, sizeof sup->groups[i].held);
}

/* Ends only when something goes wrong or the run ends. */
static bool worker_endless(const struct plan_worker *worker)
{
    if (worker->trigger.given)
        return worker->trigger.max == 0;
    return worker->service || worker->restart_always;
}

static bool group_waits_for_chance(const struct sup *sup, const struct group *group)
{
    const struct plan_worker *worker = group->worker;
    bool dormant = !worker->start;
    for (size_t k = 0; k < worker->need_count && !dormant; k++) {
        const struct group *needed = &sup->groups[worker->needs[k].worker];
        bool end = worker->needs[k].is != NEED_STARTED && worker->needs[k].is != NEED_READY;
        dormant = needed->dormant || (end && worker_endless(needed->worker));
    }
    return dormant;
}

/* In topological order, so that what a group needs is known before it. */
static void dormant_mark(struct sup *sup)
{
    size_t count = sup->plan->worker_count, head = 0, tail = 0;
    uint32_t *order = mem_array(count, sizeof *order);
    size_t *left = mem_array(count, sizeof *left);
    for (uint32_t i = 0; i < count; i++) {
        left[i] = sup->plan->workers[i].need_count;
        if (left[i] == 0)
            order[tail++] = i;
    }
    while (head < tail) {
        struct group *group = &sup->groups[order[head++]];
        group->dormant = group_waits_for_chance(sup, group);
        for (uint32_t k = 0; k < group->offsets[NEED_KINDS]; k++)
            if (--left[group->dependents[k]] == 0)
                order[tail++] = group->dependents[k];
    }
    free(order);
    free(left);
}

void gates_make(struct sup *sup)
{
    edges_count(sup);
    edges_fill(sup);
    dormant_mark(sup);
}

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
    if (task->state == TASK_READY || (task->state == TASK_SUCCEEDED && task->was_ready))
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

static void need_met(struct sup *sup, const struct group *group, int is, bool met)
{
    for (uint32_t k = group->offsets[is]; k < group->offsets[is + 1]; k++) {
        struct group *dependent = &sup->groups[group->dependents[k]];
        dependent->unmet += met ? UINT32_MAX : 1;
        if (dependent->unmet == 0)
            list_add(&sup->opened, dependent);
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
    for (int is = 0; is < NEED_KINDS; is++) {
        unsigned bit = 1u << is;
        if ((holds & bit) && !(task->holds & bit) && ++group->held[is] == group->count)
            need_met(sup, group, is, true);
        if (!(holds & bit) && (task->holds & bit) && group->held[is]-- == group->count)
            need_met(sup, group, is, false);
        if ((dead & bit) && !(task->dead & bit) && group->dead[is]++ == 0)
            doom_add(sup, task, (enum plan_need_is)is);
    }
    task->holds = (uint8_t)holds;
    task->dead = (uint8_t)dead;
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
                          task->trigger ? "is a trigger without max" : "is started again whenever it ends");
    if (task->state == TASK_SUCCEEDED && doom->is == NEED_READY)
        return mem_format("needs %s to be ready, which ended before that", task->name);
    return mem_format("needs %s to %s, which %s%s%.*s%s", task->name, word, fate_words[task->state],
                      *task->reason ? ": " : "", CHAIN_MAX, task->reason,
                      strlen(task->reason) > CHAIN_MAX ? " …" : "");
}

static bool never_began(const struct task *task)
{
    return task->state == TASK_WAITING || (task->state == TASK_IDLE && !task->worker->start);
}

void gate_doom(struct sup *sup, struct doom doom)
{
    const struct group *group = doom.task->group;
    for (uint32_t k = group->offsets[doom.is]; k < group->offsets[doom.is + 1]; k++) {
        const struct group *dependent = &sup->groups[group->dependents[k]];
        for (uint32_t i = 0; i < dependent->count; i++)
            if (never_began(&dependent->tasks[i]))
                task_move(sup, &dependent->tasks[i], TASK_SKIPPED, doom_reason(&doom));
    }
}

void gate_proceed(struct sup *sup, struct task *task)
{
    if (task->state != TASK_WAITING || task->group->unmet > 0 || sup->finishing || sup->phase != PHASE_GOING)
        return;
    task_count_as_job(sup, task);
    if (task->worker->when && !task->condition) {
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
    for (uint32_t i = 0; i < group->count; i++)
        gate_proceed(sup, &group->tasks[i]);
}
