/* Cells and bags. */
#include "eval_priv.h"

#include <math.h>
#include <stdlib.h>

struct cell cell_of_value(struct value *value)
{
    struct cell cell = {.value = value};
    switch (value_type(value)) {
    case VALUE_NULL:
        cell.type = CELL_NULL;
        break;
    case VALUE_BOOL:
        cell.type = CELL_BOOL;
        cell.b = value_as_bool(value);
        break;
    case VALUE_INT:
        cell.type = CELL_INT;
        cell.i = value_as_int(value);
        break;
    case VALUE_DOUBLE:
        cell.type = CELL_DOUBLE;
        cell.d = value_as_double(value);
        break;
    case VALUE_STRING:
        cell.type = CELL_STRING;
        break;
    case VALUE_LIST:
        cell.type = CELL_LIST;
        break;
    case VALUE_MAP:
        cell.type = CELL_MAP;
        break;
    }
    return cell;
}

struct cell cell_of_bool(bool b)
{
    return (struct cell){.type = CELL_BOOL, .b = b};
}

struct cell cell_of_int(int64_t i)
{
    return (struct cell){.type = CELL_INT, .i = i};
}

struct cell cell_of_double(double d)
{
    return (struct cell){.type = CELL_DOUBLE, .d = d};
}

struct cell cell_ref(const struct cell *cell)
{
    if (cell->value)
        value_ref(cell->value);
    else if (cell_is_bag(cell))
        cell->bag->refs++;
    return *cell;
}

void cell_release(struct cell *cell)
{
    if (cell->value)
        value_unref(cell->value);
    else if (cell_is_bag(cell))
        bag_unref(cell->bag);
    *cell = (struct cell){0};
}

const char *cell_type_name(const struct cell *cell)
{
    static const char *const names[] = {
        [CELL_NULL] = "null",     [CELL_BOOL] = "bool", [CELL_INT] = "int", [CELL_DOUBLE] = "double",
        [CELL_STRING] = "string", [CELL_LIST] = "list", [CELL_MAP] = "map", [CELL_ROOT] = "map",
    };
    return names[cell->type];
}

struct str cell_str(const struct cell *cell)
{
    return value_as_str(cell->value);
}

size_t cell_len(const struct cell *cell)
{
    return cell->value ? value_len(cell->value) : cell->bag->count;
}

void cell_entry(const struct cell *cell, size_t index, struct cell *key, struct cell *item)
{
    if (key && cell->type == CELL_LIST)
        *key = cell_of_int((int64_t)index);
    if (cell_is_bag(cell)) {
        if (key && cell->type == CELL_MAP)
            *key = cell_ref(&cell->bag->keys[index]);
        *item = cell_ref(&cell->bag->items[index]);
        return;
    }
    if (cell->type == CELL_LIST) {
        *item = cell_of_value(value_ref(list_at(cell->value, index)));
        return;
    }
    struct str name;
    *item = cell_of_value(value_ref(map_at(cell->value, index, &name)));
    if (key)
        *key = cell_of_value(value_string(name));
}

/* The value of a cell that holds nothing exotic. */
static struct value *make_value(const struct cell *cell)
{
    if (cell->value)
        return value_ref(cell->value);
    switch (cell->type) {
    case CELL_BOOL:
        return value_bool(cell->b);
    case CELL_INT:
        return value_int(cell->i);
    case CELL_DOUBLE:
        return value_double(cell->d);
    default:
        return value_null();
    }
}

struct value *cell_to_value(struct eval *ev, const struct cell *cell)
{
    if (cell_is_bag(cell)) {
        err_set(ev->err, ERR_TYPE,
                "the result is a %s that JSON cannot express: keys must be strings, numbers finite",
                cell_type_name(cell));
        return NULL;
    }
    if (cell->type == CELL_DOUBLE && !isfinite(cell->d)) {
        err_set(ev->err, ERR_TYPE, "the result is not a finite number");
        return NULL;
    }
    /* What is nested deeper could not be read back. */
    if (cell->value && value_depth(cell->value) > VALUE_DEPTH_MAX) {
        err_set(ev->err, ERR_TOO_LARGE, "the result is nested deeper than %d levels", VALUE_DEPTH_MAX);
        return NULL;
    }
    return make_value(cell);
}

struct bag *bag_new(bool is_map)
{
    struct bag *bag = mem_new(sizeof *bag);
    bag->refs = 1;
    bag->is_map = is_map;
    return bag;
}

void bag_push(struct bag *bag, const struct cell *key, const struct cell *item)
{
    if (bag->count == bag->capacity) {
        bag->capacity = bag->capacity ? bag->capacity * 2 : 4;
        bag->items = mem_resize(bag->items, bag->capacity, sizeof *bag->items);
        if (bag->is_map)
            bag->keys = mem_resize(bag->keys, bag->capacity, sizeof *bag->keys);
    }
    if (bag->is_map) {
        bag->keys[bag->count] = *key;
        bag->exotic |= key->type != CELL_STRING;
    }
    bag->exotic |= cell_is_bag(item) || (item->type == CELL_DOUBLE && !isfinite(item->d));
    bag->items[bag->count++] = *item;
}

void bag_unref(struct bag *bag)
{
    if (!bag || --bag->refs > 0)
        return;
    for (size_t i = 0; i < bag->count; i++) {
        cell_release(&bag->items[i]);
        if (bag->is_map)
            cell_release(&bag->keys[i]);
    }
    free(bag->keys);
    free(bag->items);
    free(bag);
}

struct cell bag_finish(struct bag *bag)
{
    struct cell cell = {.type = bag->is_map ? CELL_MAP : CELL_LIST, .bag = bag};
    if (bag->exotic)
        return cell;
    struct value *value = bag->is_map ? value_map() : value_list();
    for (size_t i = 0; i < bag->count; i++) {
        if (bag->is_map)
            map_set(value, cell_str(&bag->keys[i]), make_value(&bag->items[i]));
        else
            list_push(value, make_value(&bag->items[i]));
    }
    bag_unref(bag);
    return cell_of_value(value);
}
