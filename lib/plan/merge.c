/* Maps over maps: a worker over what it extends and the defaults, a file over another one. */
#include "plan_priv.h"

static bool merge_allowed(struct loader *loader, const struct node *over, const struct node *under)
{
    loader->merged += over->count + under->count;
    if (loader->merged <= MERGED_MAX)
        return true;
    diag_add_at(&loader->diag, over, "what lies under this makes more than %d entries up to here",
                MERGED_MAX);
    return false;
}

/* What only `over` has comes last. */
static void rest_add(struct loader *loader, struct node *merged, const struct node *over,
                     const struct node *under)
{
    for (size_t i = 0; i < over->count; i++)
        if (!ynode_entry_get(under, over->entries[i].key->text))
            ynode_add(loader->scratch, merged, over->entries[i].key, over->entries[i].value);
}

/* ---- Workers: the table of keys says which maps are merged ---- */

static const struct node *value_merge(struct loader *loader, const struct field *field,
                                      const struct node *over, const struct node *under)
{
    if (!field || !field->merge)
        return over;
    const struct node *low = shorthand_expand(loader, field, under);
    const struct node *high = low->type == NODE_MAP ? shorthand_expand(loader, field, over) : over;
    return low->type == NODE_MAP && high->type == NODE_MAP ? ynode_merge(loader, field->section, high, low)
                                                           : over;
}

const struct node *ynode_merge(struct loader *loader, const struct section *section, const struct node *over,
                               const struct node *under)
{
    if (!merge_allowed(loader, over, under))
        return over;
    struct node *merged = ynode_new(loader->scratch, NODE_MAP, over);
    for (size_t i = 0; i < under->count; i++) {
        const struct node_entry *low = &under->entries[i], *high = ynode_entry_get(over, low->key->text);
        if (!high) {
            ynode_add(loader->scratch, merged, low->key, low->value);
            continue;
        }
        const struct field *field = section ? field_find(section, low->key->text) : NULL;
        ynode_add(loader->scratch, merged, high->key, value_merge(loader, field, high->value, low->value));
    }
    rest_add(loader, merged, over, under);
    return merged;
}

/* ---- Files: every map is merged ---- */

/* What a map's keys are: those of a section, or names of workers. */
struct layer {
    const struct section *section;
    bool workers;
};

static struct layer layer_below(struct layer layer, const struct field *field, struct str key)
{
    if (layer.workers)
        return (struct layer){.section = &worker_section};
    if (layer.section != &manifest_section)
        return (struct layer){.section = field && field->type == FIELD_SECTION ? field->section : NULL};
    if (str_is(key, "workers") || str_is(key, "templates"))
        return (struct layer){.workers = true};
    if (str_is(key, "defaults"))
        return (struct layer){.section = &worker_section};
    return (struct layer){.section = field && field->type == FIELD_SECTION ? field->section : NULL};
}

static const struct node *layer_merge(struct loader *loader, struct layer layer, const struct node *over,
                                      const struct node *under)
{
    if (!merge_allowed(loader, over, under))
        return over;
    struct node *merged = ynode_new(loader->scratch, NODE_MAP, over);
    for (size_t i = 0; i < under->count; i++) {
        const struct node_entry *low = &under->entries[i], *high = ynode_entry_get(over, low->key->text);
        if (!high) {
            ynode_add(loader->scratch, merged, low->key, low->value);
            continue;
        }
        /* A worker of the lower file is taken out; else it stays where it was first written. */
        if (layer.workers && (ynode_is_unset(high->value) || ynode_is_false(high->value)))
            continue;
        const struct field *field = layer.section ? field_find(layer.section, low->key->text) : NULL;
        const struct node *a = field ? shorthand_expand(loader, field, high->value) : high->value;
        const struct node *b = field ? shorthand_expand(loader, field, low->value) : low->value;
        bool maps = a->type == NODE_MAP && b->type == NODE_MAP;
        ynode_add(loader->scratch, merged, layer.workers ? low->key : high->key,
                  maps ? layer_merge(loader, layer_below(layer, field, low->key->text), a, b) : high->value);
    }
    rest_add(loader, merged, over, under);
    return merged;
}

const struct node *manifest_merge(struct loader *loader, const struct node *over, const struct node *under)
{
    return layer_merge(loader, (struct layer){.section = &manifest_section}, over, under);
}
