/* A binary heap of tasks by the next time that matters to them; ties go to the lower number, so that a run
 * can be replayed. */
#include "sup_priv.h"

int64_t task_due(const struct task *task)
{
    if (task->limit_ms < 0 || (task->alarm_ms >= 0 && task->alarm_ms < task->limit_ms))
        return task->alarm_ms;
    return task->limit_ms;
}

static bool earlier(const struct task *a, const struct task *b)
{
    int64_t due_a = task_due(a), due_b = task_due(b);
    return due_a != due_b ? due_a < due_b : a->ref.task < b->ref.task;
}

static void heap_put(struct sup *sup, size_t place, struct task *task)
{
    sup->heap[place - 1] = task;
    task->heap_place = place;
}

static void heap_up(struct sup *sup, struct task *task)
{
    size_t place = task->heap_place;
    while (place > 1 && earlier(task, sup->heap[place / 2 - 1])) {
        heap_put(sup, place, sup->heap[place / 2 - 1]);
        place /= 2;
    }
    heap_put(sup, place, task);
}

static void heap_down(struct sup *sup, struct task *task)
{
    size_t place = task->heap_place;
    for (;;) {
        size_t child = place * 2;
        if (child < sup->heap_count && earlier(sup->heap[child], sup->heap[child - 1]))
            child++;
        if (child > sup->heap_count || !earlier(sup->heap[child - 1], task))
            break;
        heap_put(sup, place, sup->heap[child - 1]);
        place = child;
    }
    heap_put(sup, place, task);
}

static void heap_remove(struct sup *sup, struct task *task)
{
    size_t place = task->heap_place;
    struct task *last = sup->heap[--sup->heap_count];
    task->heap_place = 0;
    if (last == task)
        return;
    heap_put(sup, place, last);
    heap_up(sup, last);
    heap_down(sup, last);
}

void heap_update(struct sup *sup, struct task *task)
{
    if (task_due(task) < 0) {
        if (task->heap_place)
            heap_remove(sup, task);
        return;
    }
    if (!task->heap_place) {
        mem_grow(sup->heap, sup->heap_capacity, sup->heap_count);
        heap_put(sup, ++sup->heap_count, task);
    }
    heap_up(sup, task);
    heap_down(sup, task);
}
