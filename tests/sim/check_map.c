/* The rules of maps, judged from outside. */
#include "sim.h"

bool is_parent(const struct sup_task *task)
{
    return (task->worker->trigger.given || task->worker->map.given) && task->parent == SUP_NO_TASK;
}

bool is_item(const struct sup_task *task)
{
    return task->worker->map.given && task->parent != SUP_NO_TASK;
}

/* Of this life of its map. */
void map_item_failed(struct sim *sim, const struct sup_task *run, int status)
{
    struct actor *map = actor_of(sim, run->parent);
    uint32_t bit = 1u << run->item;
    if (actor_of(sim, run->ref.task)->doomed)
        return;
    if (map->broken == 0 || bit < (map->broken & -map->broken))
        map->broken_status = status;
    map->broken |= bit;
}

int map_status(const struct actor *map)
{
    return map->broken ? map->broken_status : map->stray_status;
}

void check_item_spawn(struct sim *sim, const struct sup_task *run)
{
    struct actor *map = actor_of(sim, run->parent);
    const struct plan_map *plan = &run->worker->map;
    uint32_t bit = 1u << run->item;
    int64_t at_once = 1;
    if (actor_of(sim, run->ref.task)->spawns > 0)
        return;
    for (uint32_t i = 0; i < sim->actor_count; i++) {
        struct sup_task other;
        const struct actor *actor = &sim->actors[i];
        at_once += (actor->asked || actor->alive) && !actor->doomed && sup_task_at(sim->sup, i, &other) &&
                   other.parent == run->parent;
    }
    if (run->item >= map->items || (map->begun & bit))
        fault(sim, "%s begins item %lld twice, or has no such item", run->name, (long long)run->item);
    if (at_once > plan->count)
        fault(sim, "%s has %lld items at once", run->name, (long long)at_once);
    if ((map->broken || map->stray_status) && !plan->keep_going)
        fault(sim, "%s begins item %lld after a failure", run->name, (long long)run->item);
    map->begun |= bit;
}

/* The results so far are those of the first items, in order. */
void check_map_record(struct sim *sim, const struct sup_task *task)
{
    const struct actor *map = actor_of(sim, task->ref.task);
    AUTO_BUF struct buf wanted = {0};
    int count = 0;
    if (!task->result || strcmp(task->result, "[]") == 0)
        return;
    for (const char *at = task->result; at; at = strchr(at + 1, ','))
        count++;
    for (int i = 0; i < count; i++)
        buf_add_format(&wanted, (map->broken >> i) & 1 ? "%cnull" : "%c%d", i ? ',' : '[', i);
    buf_add_char(&wanted, ']');
    bool known = count <= map->items && (map->begun >> (count - 1)) & 1;
    if (!known || strcmp(task->result, wanted.data) != 0)
        fault(sim, "%s has the results %s, not %s", task->name, task->result, wanted.data);
}

void check_map_end(struct sim *sim, const struct sup_task *task)
{
    const struct actor *map = actor_of(sim, task->ref.task);
    uint32_t all = (1u << map->items) - 1;
    if (!map->opened && task->state != TASK_SUCCEEDED)
        return; /* its needs or its `if` */
    bool done = map->begun == all && task->items == map->items && task->runs >= map->items;
    bool failed = map->broken || map->stray_status;
    if (map->opened && task->worker->map.stays && !map->refused && !map->closed &&
        task->state != TASK_STOPPED)
        fault(sim, "%s is over before its processes are", task->name);
    if (task->state == TASK_SUCCEEDED && (failed || map->refused || map->reading || !done))
        fault(sim, "%s has succeeded, but not all of its items", task->name);
    if (task->state == TASK_FAILED && !failed && !map->refused)
        fault(sim, "%s has failed, but none of its items", task->name);
    if (task->state == TASK_FAILED && task->worker->map.keep_going && !map->refused && !done)
        fault(sim, "%s has not done all of its items", task->name);
    if (task->state == TASK_TIMEOUT || task->state == TASK_LOST)
        fault(sim, "%s cannot be %s", task->name, sup_state_name(task->state));
}
