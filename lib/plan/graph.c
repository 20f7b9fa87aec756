/* The graph of workers: needs by name, cycles, names of instances, and the part that was asked for. */
#include "plan_priv.h"

#include <stdlib.h>

#define CHAIN_SHOWN 20 /* names of a cycle that are shown */

/* ---- Needs ---- */

static size_t worker_number(const struct loader *loader, const struct plan_worker *worker)
{
    return (size_t)(worker - loader->plan->workers);
}

static const struct plan_worker *worker_find(struct loader *loader, struct str name)
{
    return table_get(&loader->worker_index, name);
}

static void unknown_worker(struct loader *loader, const struct node *node, struct str name)
{
    const char *nearest = diag_nearest(&loader->diag, name, loader->worker_names, loader->plan->worker_count);
    static const struct node nowhere = {.line = 0};
    if (!node && !nearest)
        diag_add_at(&loader->diag, &nowhere, "no worker '%.*s'; 'zproc run --dry-run' lists them",
                    STR_ARG(name));
    else
        diag_add_at(&loader->diag, node ? node : &nowhere, "no worker '%.*s'%s%s%s", STR_ARG(name),
                    nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

/* What cannot come to pass would keep the run waiting for ever. */
static void need_check(struct loader *loader, const struct node *place, const struct plan_worker *needed,
                       enum plan_need_is is)
{
    if (is != NEED_SUCCEEDED)
        return;
    if (needed->restart_always)
        diag_add_at(&loader->diag, place,
                    "'%s' is started again after success, so it never counts as succeeded; need 'ready' or "
                    "'started'",
                    needed->name);
    else if (needed->trigger.given && needed->trigger.condition == CONDITION_TIME)
        diag_add_at(&loader->diag, place,
                    "'%s' runs again and again, so it never counts as succeeded; need 'started'",
                    needed->name);
    else if (needed->trigger.given && needed->trigger.max == 0)
        diag_add_at(&loader->diag, place,
                    "'%s' has a trigger without 'max', so it never counts as succeeded; need 'started'",
                    needed->name);
}

/* need.is < 0: what is usual for the needed worker. */
static void need_add(struct loader *loader, struct plan_worker *worker, const struct node *name,
                     struct plan_need need)
{
    const struct plan_worker *needed = worker_find(loader, name->text);
    if (!needed) {
        unknown_worker(loader, name, name->text);
        return;
    }
    if (needed == worker) {
        diag_add_at(&loader->diag, name, "the worker '%s' needs itself", worker->name);
        return;
    }
    if ((int)need.is < 0)
        need.is = needed->service ? NEED_READY : NEED_SUCCEEDED;
    need_check(loader, name, needed, need.is);
    need.worker = worker_number(loader, needed);
    need.name = memory_text(loader->memory, name->written.data ? name->written : name->text);
    need.place = ynode_place(loader, name);
    worker->needs[worker->need_count++] = need;
}

static void needs_list_read(struct loader *loader, struct plan_worker *worker, const struct node *list)
{
    struct table seen = {0};
    for (size_t i = 0; i < list->count; i++) {
        const struct node *name = list->entries[i].value;
        if (!ynode_is_text(name))
            diag_add_at(&loader->diag, name, "an item of 'needs' must be the name of a worker, not %s%s",
                        ynode_type_name(name),
                        name->type == NODE_MAP ? "; conditions go into a map: 'needs: {NAME: ready}'" : "");
        else if (table_put(&seen, name->text, worker))
            diag_add_at(&loader->diag, name, "'%.*s' is listed twice", STR_ARG(name->text));
        else
            need_add(loader, worker, name, (struct plan_need){.is = (enum plan_need_is) - 1});
    }
    table_release(&seen);
}

/* A trigger or a map has no process of its own that could be started again. */
static void on_restart_check(struct loader *loader, const struct plan_worker *worker,
                             const struct node_entry *entry, struct plan_need *need)
{
    if (need->on_restart == ON_RESTART_IGNORE || !(worker->trigger.given || worker->map.given))
        return;
    diag_add_at(
        &loader->diag, ynode_get(entry->value, STR("on_restart")),
        "'%s' runs once for every %s; its needs count before the first, so that 'on_restart' can only "
        "be ignore",
        worker->name, worker->map.given ? "item" : "event");
    need->on_restart = ON_RESTART_IGNORE;
}

static void needs_map_read(struct loader *loader, struct plan_worker *worker, const struct node *map)
{
    struct field word = *field_find(&need_section, STR("is"));
    word.name = "needs";
    for (size_t i = 0; i < map->count; i++) {
        const struct node_entry *entry = &map->entries[i];
        struct plan_need need = {.is = (enum plan_need_is) - 1};
        int is = -1;
        if (ynode_is_false(entry->value))
            continue;
        if (entry->value->type == NODE_MAP) {
            section_read(loader, &need_section, entry->value, &need);
            on_restart_check(loader, worker, entry, &need);
        } else if (!ynode_is_unset(entry->value)) {
            /* Where the word is wrong no further problem is to follow from that. */
            need.is = read_choice(loader, &word, entry->value, &is) ? (enum plan_need_is)is : NEED_STARTED;
        }
        need_add(loader, worker, entry->key, need);
    }
}

static void needs_read(struct loader *loader, struct plan_worker *worker, const struct node *node)
{
    if (ynode_is_unset(node) || ynode_is_false(node))
        return;
    worker->needs = memory_take(loader->memory, node->count * sizeof *worker->needs);
    if (node->type == NODE_LIST)
        needs_list_read(loader, worker, node);
    else if (node->type == NODE_MAP)
        needs_map_read(loader, worker, node);
    else
        diag_add_at(&loader->diag, node, "'needs' must be a list or a map of workers, not %s",
                    ynode_type_name(node));
}

/* ---- Cycles: depth first, without recursion ---- */

struct visit {
    size_t worker, next; /* the need to follow next */
};
struct search {
    struct loader *loader;
    struct visit *stack;
    size_t depth;
    unsigned char *marks; /* 0: not seen, 1: on the stack, 2: done */
};

static void cycle_problem(struct search *search, const struct plan_need *need)
{
    const struct plan *plan = search->loader->plan;
    AUTO_BUF struct buf chain = {0};
    size_t first = search->depth;
    while (search->stack[first - 1].worker != need->worker)
        first--;
    for (size_t i = first - 1; i < search->depth; i++) {
        if (i - first + 1 < CHAIN_SHOWN)
            buf_add_format(&chain, "%s -> ", plan->workers[search->stack[i].worker].name);
        else if (i + 1 == search->depth)
            buf_add_text(&chain, "… -> ");
    }
    diag_add_place(&search->loader->diag, &need->place, "'needs' goes round in a circle: %s%s", chain.data,
                   plan->workers[need->worker].name);
}

static void search_enter(struct search *search, size_t worker)
{
    search->marks[worker] = 1;
    search->stack[search->depth++] = (struct visit){worker, 0};
}

static void search_from(struct search *search, size_t start)
{
    const struct plan *plan = search->loader->plan;
    search_enter(search, start);
    while (search->depth) {
        struct visit *top = &search->stack[search->depth - 1];
        const struct plan_worker *worker = &plan->workers[top->worker];
        if (top->next == worker->need_count) {
            search->marks[top->worker] = 2;
            search->depth--;
            continue;
        }
        const struct plan_need *need = &worker->needs[top->next++];
        if (search->marks[need->worker] == 1)
            cycle_problem(search, need);
        else if (search->marks[need->worker] == 0)
            search_enter(search, need->worker);
    }
}

static void cycles_check(struct loader *loader)
{
    size_t count = loader->plan->worker_count;
    struct search search = {
        .loader = loader,
        .stack = memory_take(loader->scratch, count * sizeof *search.stack),
        .marks = memory_take(loader->scratch, count),
    };
    for (size_t i = 0; i < count; i++)
        if (search.marks[i] == 0)
            search_from(&search, i);
}

/* ---- Names of instances ---- */

/* oven with 2 replicas has instances oven.0 and oven.1; a worker of such a name is an error. */
static void instance_check(struct loader *loader, const struct plan_worker *worker)
{
    const char *dot = strrchr(worker->name, '.');
    if (!dot || dot[1] == '\0' || strspn(dot + 1, "0123456789") != strlen(dot + 1) || strlen(dot + 1) > 5 ||
        (dot[1] == '0' && dot[2] != '\0'))
        return;
    const struct plan_worker *group =
        worker_find(loader, (struct str){worker->name, (size_t)(dot - worker->name)});
    if (group && group->replicas > 1 && group->row_count == 0 && atoi(dot + 1) < group->replicas)
        diag_add_place(
            &loader->diag, &worker->place,
            "the worker '%s' has the name of an instance of '%s' (line %zu), which has %d replicas",
            worker->name, group->name, group->place.line, group->replicas);
}

/* ---- Triggers on other workers ---- */

/* Without end round a circle of triggers: each event would make the next. */
static bool triggers_itself(struct loader *loader, const struct plan_worker *worker)
{
    const struct plan_worker *at = worker;
    for (size_t i = 0; at && at->trigger.worker && i < loader->plan->worker_count; i++) {
        at = worker_find(loader, str_of(at->trigger.worker));
        if (at == worker)
            return true;
    }
    return false;
}

static void source_check(struct loader *loader, const struct plan_worker *worker, const struct node *trigger)
{
    if (!worker->trigger.worker)
        return;
    const struct node *name = ynode_get(trigger, STR("worker"))->entries[0].key;
    if (!worker_find(loader, name->text))
        unknown_worker(loader, name, name->text);
    else if (triggers_itself(loader, worker))
        diag_add_at(&loader->diag, name,
                    "the trigger of '%s' goes round in a circle: it would trigger itself", worker->name);
}

void graph_check(struct loader *loader)
{
    struct plan *plan = loader->plan;
    for (size_t i = 0; i < plan->worker_count; i++) {
        needs_read(loader, &plan->workers[i], ynode_get(loader->worker_nodes[i], STR("needs")));
        source_check(loader, &plan->workers[i], ynode_get(loader->worker_nodes[i], STR("trigger")));
        instance_check(loader, &plan->workers[i]);
    }
    cycles_check(loader);
}

/* ---- Selecting ---- */

static void selection_mark(struct loader *loader, bool *keep)
{
    const struct plan *plan = loader->plan;
    size_t *queue = memory_take(loader->scratch, plan->worker_count * sizeof *queue), count = 0;
    for (size_t i = 0; i < loader->options->worker_count; i++) {
        struct str name = str_of(loader->options->workers[i]);
        const struct plan_worker *worker = worker_find(loader, name);
        if (!worker)
            unknown_worker(loader, NULL, name);
        else if (!keep[worker_number(loader, worker)])
            keep[queue[count++] = worker_number(loader, worker)] = true;
    }
    for (size_t next = 0; next < count; next++) {
        const struct plan_worker *worker = &plan->workers[queue[next]];
        for (size_t i = 0; i < worker->need_count; i++)
            if (!keep[worker->needs[i].worker])
                keep[queue[count++] = worker->needs[i].worker] = true;
        const struct plan_worker *source =
            worker->trigger.worker ? worker_find(loader, str_of(worker->trigger.worker)) : NULL;
        if (source && !keep[worker_number(loader, source)])
            keep[queue[count++] = worker_number(loader, source)] = true;
    }
}

void graph_select(struct loader *loader)
{
    struct plan *plan = loader->plan;
    if (!loader->options || loader->options->worker_count == 0)
        return;
    bool *keep = memory_take(loader->scratch, plan->worker_count * sizeof *keep);
    size_t *numbers = memory_take(loader->scratch, plan->worker_count * sizeof *numbers), count = 0;
    selection_mark(loader, keep);
    for (size_t i = 0; i < plan->worker_count; i++) {
        if (!keep[i])
            continue;
        numbers[i] = count;
        plan->workers[count++] = plan->workers[i];
    }
    plan->worker_count = count;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < plan->workers[i].need_count; j++)
            plan->workers[i].needs[j].worker = numbers[plan->workers[i].needs[j].worker];
}
