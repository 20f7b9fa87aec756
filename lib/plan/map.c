/* A map's source of items, and what goes with each of them. */
#include "plan_priv.h"

#include <sched.h>

static const char *const source_names[] = {
    [MAP_ITEMS] = "items", [MAP_RANGE] = "range", [MAP_LINES] = "lines",
    [MAP_GLOB] = "glob",   [MAP_KEY] = "key",     [MAP_RUN] = "run",
};

static bool is_list(struct loader *loader, const char *what, const struct node *node)
{
    if (node->type != NODE_LIST)
        diag_add_at(&loader->diag, node, "'%s' must be a list, not %s", what, ynode_type_name(node));
    return node->type == NODE_LIST;
}

/* Where text is wanted a plain scalar keeps its spelling. */
void map_items_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_map *map = target;
    if (!is_list(loader, "items", node))
        return;
    struct value *items = memory_own_value(loader->memory, value_list());
    for (size_t i = 0; i < node->count; i++) {
        const struct node *item = node->entries[i].value;
        struct value *value = ynode_is_text(item) ? value_string(item->text) : read_value(loader, item);
        list_push(items, value ? value : value_null());
    }
    map->items = items;
}

void map_args_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_map *map = target;
    if (!is_list(loader, "args", node))
        return;
    map->args = memory_take(loader->memory, node->count * sizeof *map->args);
    map->arg_count = node->count;
    map->has_args = true;
    for (size_t i = 0; i < node->count; i++)
        read_texts(loader, "args", node->entries[i].value, true, &map->args[i]);
}

void map_env_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_map *map = target;
    if (!is_list(loader, "env", node))
        return;
    map->env = memory_take(loader->memory, node->count * sizeof *map->env);
    map->env_count = node->count;
    map->has_env = true;
    for (size_t i = 0; i < node->count; i++)
        read_env(loader, "env", node->entries[i].value, &map->env[i]);
}

void map_mode_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_map *map = target;
    map->stays = ynode_is_text(node) && str_is(node->text, "lines");
    if (!map->stays && !(ynode_is_text(node) && str_is(node->text, "spawn")))
        diag_add_at(&loader->diag, node, "'mode' must be spawn or lines");
}

static void source_check(struct loader *loader, const struct node *node, struct plan_map *map)
{
    const struct node_entry *first = NULL;
    for (size_t i = 0; i < node->count; i++) {
        const struct node_entry *entry = &node->entries[i];
        for (size_t k = 0; k < LENGTH_OF(source_names) && !ynode_is_unset(entry->value); k++) {
            if (!str_is(entry->key->text, source_names[k]))
                continue;
            if (first)
                diag_add_at(&loader->diag, entry->key,
                            "a map has one source of items; there is '%.*s' already, in line %zu",
                            STR_ARG(first->key->text), first->key->line);
            else
                map->source = (enum plan_map_source)k;
            first = first ? first : entry;
        }
    }
    if (!first)
        diag_add_at(&loader->diag, node,
                    "the map has no items; give it items, range, lines, glob, key or run");
}

void map_finish(struct loader *loader, const struct node *node, void *target)
{
    struct plan_map *map = target;
    cpu_set_t set;
    map->given = true;
    if (map->count == 0)
        map->count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    if (!loader->partial)
        source_check(loader, node, map);
}

/* What would be of an item or of an attempt, where processes outlive both. */
static void stays_check(struct loader *loader, const struct node *node, const struct plan_worker *worker)
{
    static const char *const own[] = {"args", "env"};
    const struct node *map = ynode_get(node, STR("map")), *retry = ynode_get(node, STR("retry"));
    const struct node *sections[] = {map, retry && retry->type == NODE_MAP ? retry : NULL};
    static const char *const names[] = {"map", "retry"};
    for (size_t i = 0; i < LENGTH_OF(sections); i++)
        for (size_t k = 0; k < LENGTH_OF(own) && sections[i]; k++) {
            const struct node_entry *entry = ynode_entry_get(sections[i], str_of(own[k]));
            if (entry && !ynode_is_unset(entry->value))
                diag_add_at(&loader->diag, entry->key,
                            "'mode: lines' and '%s.%s' do not fit: a process stays from item to item",
                            names[i], own[k]);
        }
    const struct node_entry *input = ynode_entry_get(node, STR("stdin"));
    if (input && !ynode_is_unset(input->value))
        diag_add_at(&loader->diag, input->key,
                    "'mode: lines' and 'stdin' do not fit: the items are the input");
    if (worker->tty)
        diag_add_at(&loader->diag, ynode_entry_get(node, STR("tty"))->key,
                    "'mode: lines' and 'tty' do not fit: items and results go through pipes");
}

void map_fit_check(struct loader *loader, const struct node *node, struct plan_worker *worker)
{
    const struct node *key = ynode_entry_get(node, STR("map"))->key;
    if (worker->trigger.given)
        diag_add_at(&loader->diag, key, "a worker has either a 'map' or a 'trigger'");
    else if (worker->service)
        diag_add_at(&loader->diag, key, "a service cannot have a 'map': it runs all the time");
    else if (worker->restart_always)
        diag_add_at(&loader->diag, key,
                    "'map' and 'restart: always' do not fit: it runs once for every item");
    else if (worker->replicas != 1)
        diag_add_at(&loader->diag, key, "'map' and 'replicas' do not fit; 'count' says how many run at once");
    else if (worker->ready.given)
        diag_add_at(&loader->diag, key, "'map' and 'ready' do not fit: each item is a process of its own");
    if (worker->map.stays)
        stays_check(loader, node, worker);
    worker->trigger.drain = false;
}
