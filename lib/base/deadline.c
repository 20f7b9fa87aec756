/* A binary heap of deadlines; an item knows its place, so it can be moved and removed. */
#include "base.h"

#include <stdlib.h>

static bool earlier(const struct deadline *a, const struct deadline *b)
{
    return a->at != b->at ? a->at < b->at : a->rank < b->rank;
}

static void deadline_put(struct deadlines *heap, size_t index, struct deadline *item)
{
    heap->items[index] = item;
    item->place = index + 1;
}

static void deadline_up(struct deadlines *heap, size_t index, struct deadline *item)
{
    while (index > 0 && earlier(item, heap->items[(index - 1) / 2])) {
        deadline_put(heap, index, heap->items[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    deadline_put(heap, index, item);
}

static void deadline_down(struct deadlines *heap, size_t index, struct deadline *item)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child + 1 < heap->count && earlier(heap->items[child + 1], heap->items[child]))
            child++;
        if (child >= heap->count || !earlier(heap->items[child], item))
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
    bool sooner = at < item->at;
    item->at = at;
    if (sooner)
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
    if (earlier(last, item))
        deadline_up(heap, index, last);
    else
        deadline_down(heap, index, last);
}

void deadlines_release(struct deadlines *heap)
{
    free(heap->items);
    *heap = (struct deadlines){0};
}
