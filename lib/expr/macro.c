/* Macros over lists and maps: all, exists, exists_one, filter, map, transformList, transformMap. */
#include "eval_priv.h"

/* Sets the variables for one entry. With one variable it is the item of a list or the key of a map. */
static bool bind(struct eval *ev, const struct node *macro, const struct cell *range, size_t index,
                 struct cell *key, struct cell *item)
{
    struct cell *slots = ev->slots + macro->slot;
    cell_entry(range, index, key, item);
    cell_release(&slots[0]);
    if (macro->two) {
        cell_release(&slots[1]);
        slots[0] = cell_ref(key);
        slots[1] = cell_ref(item);
    } else {
        slots[0] = cell_ref(range->type == CELL_MAP ? key : item);
    }
    return key->type != CELL_STRING || eval_spend_bytes(ev, cell_len(key));
}

static bool test(struct eval *ev, const struct node *macro, bool *holds)
{
    return eval_condition(ev, macro->first, "the condition of a macro", holds);
}

/* all and exists: errors only count when no entry decides. */
static bool eval_quantifier(struct eval *ev, const struct node *macro, const struct cell *range,
                            struct cell *out)
{
    bool decisive = macro->macro == MACRO_EXISTS, decided = false;
    struct pending pending = {0};
    size_t count = cell_len(range);
    for (size_t i = 0; i < count && !decided; i++) {
        AUTO_CELL struct cell key = {0}, item = {0};
        bool holds = !decisive;
        if ((!bind(ev, macro, range, i, &key, &item) || !test(ev, macro, &holds)) &&
            !pending_absorb(ev, &pending))
            break;
        decided = holds == decisive;
    }
    if (!pending_finish(ev, &pending, decided) || ev->stopped)
        return false;
    *out = cell_of_bool(decided ? decisive : !decisive);
    return true;
}

static bool eval_exists_one(struct eval *ev, const struct node *macro, const struct cell *range,
                            struct cell *out)
{
    size_t count = cell_len(range), found = 0;
    for (size_t i = 0; i < count; i++) {
        AUTO_CELL struct cell key = {0}, item = {0};
        bool holds;
        if ((!bind(ev, macro, range, i, &key, &item) || !test(ev, macro, &holds)))
            return false;
        found += holds;
    }
    *out = cell_of_bool(found == 1);
    return true;
}

/* Adds to bag what one entry becomes. */
static bool transform(struct eval *ev, const struct node *macro, const struct cell *range, size_t index,
                      struct bag *bag)
{
    AUTO_CELL struct cell key = {0}, item = {0};
    if (!bind(ev, macro, range, index, &key, &item))
        return false;
    bool wanted = true;
    bool filters = macro->macro == MACRO_FILTER || macro->count == 2;
    if (filters && !test(ev, macro, &wanted))
        return false;
    if (!wanted)
        return true;
    struct cell made;
    if (macro->macro == MACRO_FILTER)
        made = cell_ref(&ev->slots[macro->slot]);
    else if (!eval_node(ev, macro->last, &made))
        return false;
    if (!bag->is_map) {
        bag_push(bag, NULL, &made);
        return true;
    }
    bag_push(bag, &key, &made);
    key = (struct cell){0};
    return true;
}

static bool eval_transform(struct eval *ev, const struct node *macro, const struct cell *range,
                           struct cell *out)
{
    struct bag *bag = bag_new(macro->macro == MACRO_TRANSFORM_MAP);
    size_t count = cell_len(range);
    for (size_t i = 0; i < count; i++) {
        if (!eval_spend(ev, 1) || !transform(ev, macro, range, i, bag)) {
            bag_unref(bag);
            return false;
        }
    }
    *out = bag_finish(bag);
    return true;
}

bool macro_eval(struct eval *ev, const struct node *macro, const struct cell *range, struct cell *out)
{
    if (range->type != CELL_LIST && range->type != CELL_MAP)
        return err_set(ev->err, ERR_TYPE, "%.*s() takes a list or a map, not %s", STR_ARG(macro->text),
                       cell_type_name(range));
    bool good;
    if (macro->macro == MACRO_ALL || macro->macro == MACRO_EXISTS)
        good = eval_quantifier(ev, macro, range, out);
    else if (macro->macro == MACRO_EXISTS_ONE)
        good = eval_exists_one(ev, macro, range, out);
    else
        good = eval_transform(ev, macro, range, out);
    cell_release(&ev->slots[macro->slot]);
    if (macro->two)
        cell_release(&ev->slots[macro->slot + 1]);
    return good;
}
