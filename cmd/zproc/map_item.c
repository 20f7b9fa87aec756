/* The items of a map from their source to their end: attempts, failures, and what they mean for the rest. */
#include "map.h"

#include <stdlib.h>

bool map_source_dry(const struct map *map)
{
    return map->stopping || (map->source_ended && map->again_count == 0);
}

enum source_got map_next(struct map *map, int64_t *number, struct err *err)
{
    struct buf text = {0};
    if (map->stopping)
        return SOURCE_END;
    if (map->again_count > 0) {
        *number = map->again[0];
        memmove(map->again, map->again + 1, --map->again_count * sizeof *map->again);
        return SOURCE_ITEM;
    }
    if (map->source_ended)
        return SOURCE_END;
    if (map->order.next - map->order.first >= ORDER_AHEAD)
        return SOURCE_LATER;
    enum source_got got = source_next(&map->source, &text, err);
    if (got == SOURCE_ITEM) {
        size_t len = text.len;
        *number = order_add(&map->order, buf_detach(&text), len);
    } else {
        map->source_ended = got == SOURCE_END;
        buf_release(&text);
    }
    return got;
}

void map_again(struct map *map, int64_t number)
{
    order_item(&map->order, number)->state = ITEM_WAITING;
    mem_grow(map->again, map->again_capacity, map->again_count);
    size_t place = map->again_count++;
    for (; place > 0 && map->again[place - 1] > number; place--)
        map->again[place] = map->again[place - 1];
    map->again[place] = number;
}

static void item_failed(struct map *map, int64_t number, int status, const char *why)
{
    AUTO_BUF struct buf name = {0};
    tell_item_name(&name, number, order_item(&map->order, number));
    if (!map->stop_signal)
        tell(map, "%s: %s", name.data, why);
    map->failed++;
    if (map->failed_number < 0 || number < map->failed_number) {
        map->failed_number = number;
        map->failed_status = status ? status : 1;
    }
    map->stopping = map->stopping || !map->keep_going;
}

static bool tried_again(struct map *map, int64_t number, const char *why)
{
    struct item *item = order_item(&map->order, number);
    AUTO_BUF struct buf name = {0};
    if (++item->failures > map->retry || map->stopping)
        return false;
    tell_item_name(&name, number, item);
    tell(map, "%s: %s; trying again (%lld of %lld)", name.data, why, (long long)item->failures,
         (long long)map->retry);
    order_forget(&map->order, number);
    map_again(map, number);
    return true;
}

static void tell_success(struct map *map, int64_t number)
{
    const struct item *item = order_item(&map->order, number);
    AUTO_BUF struct buf name = {0};
    tell_item_name(&name, number, item);
    buf_add_text(&name, ": done in ");
    duration_print(&name, time_now_ms() - item->start_ms);
    tell(map, "%s", name.data);
}

void map_item_end(struct map *map, int64_t number, int status, const char *why)
{
    if (why && tried_again(map, number, why))
        return;
    map->ended++;
    if (why)
        item_failed(map, number, status, why);
    else if (map->verbose)
        tell_success(map, number);
    order_end(&map->order, number, status);
}
