/* Maps: a worker that runs once for every item. Like a trigger it has no process of its own, and its runs are
 * tasks: the next one is made when another has ended. Results stand in the items' order; a map whose item has
 * failed for good begins no more (or, with keep_going, has null in its place), and fails when its last run is
 * over, with the status of the lowest item. */
#include "sup_priv.h"

#include <stdlib.h>

enum { TELL_MS = 100, TELL_BYTES_MS = 1000 }; /* its record: so often at most, and so many bytes a ms */

static struct map *map_of(const struct task *task)
{
    return task->trigger ? task->trigger->map : NULL;
}

static void map_clear(struct map *map)
{
    for (int64_t i = 0; i < map->total && map->results; i++)
        free(map->results[i]);
    free(map->results);
    buf_release(&map->list);
    *map = (struct map){.lowest = -1};
}

void map_free(struct map *map)
{
    if (map)
        map_clear(map);
    free(map);
}

void map_make(struct task *task)
{
    task->trigger->map = mem_new(sizeof *task->trigger->map);
    task->trigger->map->lowest = -1;
}

void map_reset(struct task *task)
{
    if (map_of(task))
        map_clear(map_of(task));
}

void map_begin(struct sup *sup, struct task *task)
{
    struct map *map = map_of(task);
    task->trigger->opened = true;
    task->started_ms = sup->wall;
    task->started_mono_ms = sup->now;
    buf_add_text(&map->list, "[]");
    map->asked = true;
    effect_add(sup, SUP_ITEMS, task, 0);
    task_move(sup, task, TASK_IDLE, NULL);
    task_move(sup, task, TASK_RUNNING, NULL);
}

/* ---- Its record ---- */

/* What grows is not told with every item: that would cost its length squared. */
static void tell_later(struct sup *sup, struct task *task)
{
    int64_t wait = (int64_t)map_of(task)->list.len / TELL_BYTES_MS;
    if (task->alarm_ms >= 0)
        return;
    task->alarm_ms = sup->now + (wait > TELL_MS ? wait : TELL_MS);
    due_update(sup, task);
}

void map_alarm(struct sup *sup, struct task *task)
{
    task->alarm_ms = -1;
    due_update(sup, task);
    task_touch(sup, task);
}

static void result_append(struct map *map, const char *result)
{
    map->list.len--; /* the bracket at its end */
    if (map->list.len > 1)
        buf_add_char(&map->list, ',');
    buf_add_text(&map->list, result);
    buf_add_char(&map->list, ']');
}

static void results_advance(struct sup *sup, struct task *task)
{
    struct map *map = map_of(task);
    int64_t before = map->first;
    for (; map->first < map->total && map->results[map->first]; map->first++) {
        result_append(map, map->results[map->first]);
        free(map->results[map->first]);
        map->results[map->first] = NULL;
    }
    if (map->first > before)
        tell_later(sup, task);
}

/* ---- Items ---- */

static int64_t at_once(const struct task *task)
{
    return task->worker->map.count > 0 ? task->worker->map.count : 1;
}

static bool cut(const struct task *task)
{
    return (map_of(task)->failed > 0 || map_of(task)->broken) && !task->worker->map.keep_going;
}

static char *failure_reason(const struct map *map)
{
    if (map->failed == 0)
        return mem_text(map->why);
    if (map->failed == 1)
        return mem_format("item %lld: %s", (long long)map->lowest, map->why);
    return mem_format("item %lld: %s (%lld items failed)", (long long)map->lowest, map->why,
                      (long long)map->failed);
}

static void map_finish(struct sup *sup, struct task *task)
{
    const struct map *map = map_of(task);
    bool failed = map->failed > 0 || map->broken;
    task->status = failed ? map->status : 0;
    if (failed)
        task_move(sup, task, TASK_FAILED, failure_reason(map));
    else
        task_move(sup, task, TASK_SUCCEEDED, NULL);
}

/* With processes that stay it ends when these have ended. */
static void map_close(struct sup *sup, struct task *task)
{
    struct map *map = map_of(task);
    if (!task->worker->map.stays || map->closed) {
        map_finish(sup, task);
        return;
    }
    if (!map->closing)
        effect_add(sup, SUP_LINES_END, task, 0);
    map->closing = true;
}

/* Begins what can be begun; ends the map when there is nothing left. */
static void map_fill(struct sup *sup, struct task *task)
{
    struct map *map = map_of(task);
    if (task->state != TASK_RUNNING)
        return;
    while (map->known && !cut(task) && map->open < at_once(task) && map->next < map->total) {
        struct task *run = task_make_run(sup, task, 0);
        run->item = map->next++;
        map->open++;
        run_link(task, run);
        slot_want(sup, run);
    }
    if (map->known && map->open == 0)
        map_close(sup, task);
}

void map_items(struct sup *sup, struct task *task, int64_t count)
{
    struct map *map = map_of(task);
    if (!map || !map->asked || map->known || task->state != TASK_RUNNING)
        return;
    map->known = true;
    map->total = count > 0 ? count : 0;
    map->results = mem_array((size_t)map->total + 1, sizeof *map->results);
    task_touch(sup, task);
    map_fill(sup, task);
}

void map_items_failed(struct sup *sup, struct task *task, struct str why)
{
    const struct map *map = map_of(task);
    if (!map || !map->asked || map->known || task->state != TASK_RUNNING)
        return;
    task->status = 125;
    task_move(sup, task, TASK_FAILED, mem_format("no items: %.*s", (int)why.len, why.data));
}

static void item_failed(struct map *map, const struct task *run)
{
    map->failed++;
    if (map->lowest >= 0 && map->lowest < run->item)
        return;
    map->lowest = run->item;
    map->status = phase_failure_status(run);
    snprintf(map->why, sizeof map->why, "%s", run->reason);
}

/* What waits for a slot has not begun. */
static void stop_waiting(struct sup *sup, const struct task *task)
{
    for (struct task *run = task->trigger->runs, *next; run; run = next) {
        next = run->run_next;
        if (run->state == TASK_WAITING)
            task_move(sup, run, TASK_STOPPED, mem_text("another item failed"));
    }
}

void map_run_ended(struct sup *sup, struct task *task, struct task *run)
{
    struct map *map = map_of(task);
    if (run->acked)
        return;
    map->open--;
    if (task->state != TASK_RUNNING)
        return;
    bool succeeded = run->state == TASK_SUCCEEDED;
    if (run->state == TASK_STOPPED)
        return; /* below, for another one's failure */
    if (!succeeded)
        item_failed(map, run);
    if (cut(task))
        stop_waiting(sup, task);
    if (succeeded || task->worker->map.keep_going)
        map->results[run->item] = mem_text(succeeded && run->result ? run->result : "null");
    results_advance(sup, task);
    map_fill(sup, task);
}

void map_lines_failed(struct sup *sup, struct task *task, const struct sup_event *event)
{
    struct map *map = map_of(task);
    if (!map || !map->known || map->closed || task->state != TASK_RUNNING)
        return;
    if (map->failed == 0 && !map->broken) {
        map->status = event->status;
        snprintf(map->why, sizeof map->why, "%.*s", (int)event->text.len, event->text.data);
    }
    map->broken = true;
    if (cut(task))
        stop_waiting(sup, task);
    map_fill(sup, task);
}

void map_lines_ended(struct sup *sup, struct task *task)
{
    struct map *map = map_of(task);
    if (!map || !map->closing || map->closed || task->state != TASK_RUNNING)
        return;
    map->closed = true;
    map_fill(sup, task);
}

void map_disown(struct task *run)
{
    if (map_of(run->parent) && !run->acked)
        map_of(run->parent)->open--;
}

char *task_label(const struct task *task)
{
    return task->parent && map_of(task->parent)
               ? mem_format("%s: item %lld", task->name, (long long)task->item)
               : mem_text(task->name);
}

const char *map_check(const struct task *task)
{
    const struct map *map = map_of(task);
    int64_t open = 0;
    for (const struct task *run = task->trigger->runs; run; run = run->run_next)
        open += !run->acked;
    if (open != map->open)
        return "a map miscounts its items";
    if (open > at_once(task))
        return "a map has more items at once than its count";
    if (task->trigger->armed)
        return "a map waits for an event";
    bool going = task->trigger->opened && !sup_state_final(task->state) && task->state != TASK_WAITING;
    if (going && task->state != TASK_RUNNING)
        return "a map that goes on is not running";
    return going && map->known && open == 0 && !map->closing ? "a map has nothing left to do and goes on"
                                                             : NULL;
}
