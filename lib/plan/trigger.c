/* A trigger's one condition. */
#include "plan_priv.h"

static void keys_read(struct loader *loader, enum plan_condition condition, const char *what,
                      const struct node *node, struct plan_trigger *trigger)
{
    trigger->condition = condition;
    if (node->type != NODE_LIST) {
        diag_add_at(&loader->diag, node, "'%s' must be a list of keys, not %s", what, ynode_type_name(node));
        return;
    }
    struct value *keys = memory_own_value(loader->memory, value_list());
    for (size_t i = 0; i < node->count; i++) {
        const struct node *item = node->entries[i].value;
        if (!ynode_is_text(item))
            diag_add_at(&loader->diag, item, "a key must be text, not %s", ynode_type_name(item));
        else if (item->text.len == 0)
            diag_add_at(&loader->diag, item, "a key of the state cannot be empty");
        else
            list_push(keys, value_string(item->text));
    }
    trigger->keys = keys;
}

void trigger_change_read(struct loader *loader, const struct node *node, void *target)
{
    keys_read(loader, CONDITION_CHANGE, "change", node, target);
}

void trigger_exclude_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_trigger *trigger = target;
    keys_read(loader, CONDITION_EXCLUDE, "exclude", node, trigger);
    if (node->type == NODE_LIST && node->count == 0)
        diag_add_at(&loader->diag, node, "'exclude' is empty; 'change: []' is for every change");
}

static void key_set(struct loader *loader, const struct node *node, struct plan_trigger *trigger)
{
    if (node->text.len == 0)
        diag_add_at(&loader->diag, node, "a key of the state cannot be empty");
    else if (memchr(node->text.data, '\0', node->text.len))
        diag_add_at(&loader->diag, node, "the key of a trigger cannot hold a NUL character");
    trigger->key = memory_text(loader->memory, node->text);
}

static void pair_read(struct loader *loader, enum plan_condition condition, const char *what,
                      const struct node *node, struct plan_trigger *trigger)
{
    trigger->condition = condition;
    if (node->type != NODE_MAP || node->count != 1) {
        diag_add_at(&loader->diag, node, "'%s' must be a map of one key and its value, like {pizza: 1}",
                    what);
        return;
    }
    key_set(loader, node->entries[0].key, trigger);
    struct value *value = read_value(loader, node->entries[0].value);
    trigger->value = memory_own_value(loader->memory, value ? value : value_null());
}

void trigger_equal_read(struct loader *loader, const struct node *node, void *target)
{
    pair_read(loader, CONDITION_EQUAL, "equal", node, target);
}

void trigger_not_equal_read(struct loader *loader, const struct node *node, void *target)
{
    pair_read(loader, CONDITION_NOT_EQUAL, "not_equal", node, target);
}

static void key_read(struct loader *loader, enum plan_condition condition, const char *what,
                     const struct node *node, struct plan_trigger *trigger)
{
    trigger->condition = condition;
    if (ynode_is_text(node))
        key_set(loader, node, trigger);
    else
        diag_add_at(&loader->diag, node, "'%s' must be a key, not %s", what, ynode_type_name(node));
}

void trigger_none_read(struct loader *loader, const struct node *node, void *target)
{
    key_read(loader, CONDITION_NONE, "none", node, target);
}

void trigger_not_none_read(struct loader *loader, const struct node *node, void *target)
{
    key_read(loader, CONDITION_NOT_NONE, "not_none", node, target);
}

void trigger_available_read(struct loader *loader, const struct node *node, void *target)
{
    key_read(loader, CONDITION_AVAILABLE, "available", node, target);
}

void trigger_truthy_read(struct loader *loader, const struct node *node, void *target)
{
    key_read(loader, CONDITION_TRUTHY, "truthy", node, target);
}

void trigger_falsy_read(struct loader *loader, const struct node *node, void *target)
{
    key_read(loader, CONDITION_FALSY, "falsy", node, target);
}

void trigger_prefix_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_trigger *trigger = target;
    trigger->condition = CONDITION_PREFIX;
    if (!ynode_is_text(node))
        diag_add_at(&loader->diag, node, "'prefix' must be text, not %s", ynode_type_name(node));
    else if (node->text.len == 0)
        diag_add_at(&loader->diag, node, "'prefix' is empty; 'change: []' is for every change");
    else
        key_set(loader, node, trigger);
}

void trigger_when_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_trigger *trigger = target;
    trigger->condition = CONDITION_WHEN;
    read_expr(loader, "when", node, &trigger->when);
}

static const char *const moments[] = {
    [MOMENT_STARTED] = "started", [MOMENT_READY] = "ready",     [MOMENT_SUCCEEDED] = "succeeded",
    [MOMENT_FAILED] = "failed",   [MOMENT_ENDED] = "ended",     [MOMENT_RETRYING] = "retrying",
    [MOMENT_STOPPED] = "stopped", [MOMENT_SKIPPED] = "skipped", [MOMENT_SKIPPED + 1] = NULL,
};

const char *plan_moment_name(enum plan_moment moment)
{
    return moments[moment];
}

void trigger_worker_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_trigger *trigger = target;
    static const struct field states = {.name = "worker", .choices = moments};
    int moment = MOMENT_ENDED;
    trigger->condition = CONDITION_WORKER;
    if (node->type != NODE_MAP || node->count != 1) {
        diag_add_at(&loader->diag, node,
                    "'worker' must be a map of one worker and its state, like {oven: ready}");
        return;
    }
    read_choice(loader, &states, node->entries[0].value, &moment);
    trigger->moment = (enum plan_moment)moment;
    trigger->worker = memory_text(loader->memory, node->entries[0].key->text);
}

void trigger_finish(struct loader *loader, const struct node *map, void *target)
{
    struct plan_trigger *trigger = target;
    static const char *const conditions[] = {"change",    "exclude", "prefix",   "equal",
                                             "not_equal", "none",    "not_none", "available",
                                             "truthy",    "falsy",   "when",     "worker"};
    trigger->given = true;
    const struct node_entry *first = NULL;
    for (size_t i = 0; i < map->count && !loader->partial; i++) {
        const struct node_entry *entry = &map->entries[i];
        for (size_t j = 0; j < LENGTH_OF(conditions) && !ynode_is_unset(entry->value); j++) {
            if (!str_is(entry->key->text, conditions[j]))
                continue;
            if (first)
                diag_add_at(&loader->diag, entry->key,
                            "a trigger has one condition; there is '%.*s' already, in line %zu",
                            STR_ARG(first->key->text), first->key->line);
            else
                first = entry;
        }
    }
    if (!first && !loader->partial)
        diag_add_at(&loader->diag, map,
                    "the trigger has no condition; give it change, exclude, prefix, equal, not_equal, none, "
                    "not_none, available, truthy, falsy, when or worker");
}
