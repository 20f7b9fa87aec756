/* Lists: growing arrays of references. */
#include "value_priv.h"

struct value *value_list(void)
{
    struct list *list = value_new(VALUE_LIST, sizeof *list);
    *list = (struct list){.base.head = list->base.head};
    list->base.head.depth = 1;
    return &list->base.head;
}

void list_insert(struct value *value, size_t index, struct value *item)
{
    struct list *list = as_list(value);
    struct container *base = &list->base;
    if (base->count == base->capacity) {
        base->capacity = container_grown(base);
        list->items = mem_resize(list->items, base->capacity, sizeof *list->items);
    }
    memmove(list->items + index + 1, list->items + index, (base->count - index) * sizeof *list->items);
    list->items[index] = item;
    base->count++;
    container_gain(base, item);
}

void list_push(struct value *list, struct value *item)
{
    list_insert(list, as_container(list)->count, item);
}

void list_set(struct value *list, size_t index, struct value *item)
{
    struct value **place = &as_list(list)->items[index];
    container_lose(as_container(list), *place);
    value_unref(*place);
    *place = item;
    container_gain(as_container(list), item);
}

void list_remove(struct value *value, size_t index)
{
    struct list *list = as_list(value);
    container_lose(&list->base, list->items[index]);
    value_unref(list->items[index]);
    list->base.count--;
    memmove(list->items + index, list->items + index + 1, (list->base.count - index) * sizeof *list->items);
}

struct value *list_at(const struct value *list, size_t index)
{
    if (list->type != VALUE_LIST || index >= as_container(list)->count)
        return NULL;
    return as_list(list)->items[index];
}
