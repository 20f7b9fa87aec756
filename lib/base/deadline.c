/* A binary heap of deadlines; an item knows its place, so it can be moved and removed. */
#include "base.h"

#include <stdlib.h>

static void deadline_put(struct deadlines *heap, size_t index, struct deadline *item)
{
    heap->items[index] = item;
    item->place = index + 1;
}

static void deadline_up(struct deadlines *heap, size_t index, struct deadline *item)
{
    while (index > 0 && heap->items[(index - 1) / 2]->at > item->at) {
        deadline_put(heap, index, heap->items[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    deadline_put(heap, index, item);
}

static void deadline_down(struct deadlines *heap, size_t index, struct deadline *item)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child + 1 < heap->count && heap->items[child + 1]->at < heap->items[child]->at)
            child++;
        if (child >= heap->count || heap->items[child]->at >= item->at)
            break;
        deadline_put(heap, index, heap->items[child]);
        index = child;
    }
    deadline_put(heap, index, item);
}

void deadline_set(struct deadlines *heap, struct deadline *item, int64_t at)
{
    if (item->place == 0) {
        mem_grow(heap->items, heap->capacity, heap->count);
        item->at = at;
        deadline_up(heap, heap->count++, item);
        return;
    }
    bool earlier = at < item->at;
    item->at = at;
    if (earlier)
        deadline_up(heap, item->place - 1, item);
    else
        deadline_down(heap, item->place - 1, item);
}

void deadline_remove(struct deadlines *heap, struct deadline *item)
{
    if (item->place == 0)
        return;
    size_t index = item->place - 1;
    struct deadline *last = heap->items[--heap->count];
    item->place = 0;
    if (last == item)
        return;
    if (last->at < item->at)
        deadline_up(heap, index, last);
    else
        deadline_down(heap, index, last);
}

void deadlines_release(struct deadlines *heap)
{
    free(heap->items);
    *heap = (struct deadlines){0};
}
