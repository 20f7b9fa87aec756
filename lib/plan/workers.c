/* Workers with what lies under them: defaults, and the chain of templates and workers that they extend. */
#include "plan_priv.h"

/* A template or worker as it is written. */
struct origin {
    const struct node *key, *node;
    const struct node *merged; /* with what it extends below it; NULL: not known yet */
    size_t depth;              /* of its chain */
    bool on_chain;
    bool broken; /* no map: said already */
};
struct origins {
    struct origin *items;
    size_t count;
    struct table by_name;
};
struct family {
    struct loader *loader;
    struct origins templates, workers;
    const char **names; /* of all of these, for "did you mean" */
    size_t name_count;
};

struct plan_place ynode_place(const struct loader *loader, const struct node *node)
{
    return (struct plan_place){node->source ? node->source->file : loader->plan->file, node->line,
                               node->column};
}

/* ---- Chains of `extends` ---- */

static struct str origin_name(const struct origin *origin)
{
    return origin->key->text;
}

static void unknown_parent(struct family *family, const struct node *name)
{
    struct diag *diag = &family->loader->diag;
    const char *nearest = diag_nearest(diag, name->text, family->names, family->name_count);
    diag_add_at(diag, name, "no template or worker '%.*s'%s%s%s", STR_ARG(name->text),
                nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

/* What origin extends; NULL: nothing, or nothing that there is. */
static struct origin *parent_find(struct family *family, const struct origin *origin)
{
    const struct node *name = ynode_get(origin->node, STR("extends"));
    if (ynode_is_unset(name) || ynode_is_false(name))
        return NULL;
    if (!ynode_is_text(name)) {
        diag_add_at(&family->loader->diag, name, "'extends' must be the name of a template or worker, not %s",
                    ynode_type_name(name));
        return NULL;
    }
    struct origin *parent = table_get(&family->templates.by_name, name->text);
    if (!parent)
        parent = table_get(&family->workers.by_name, name->text);
    if (!parent)
        unknown_parent(family, name);
    return parent;
}

static void chain_cycle(struct family *family, struct origin **chain, size_t count,
                        const struct origin *again)
{
    AUTO_BUF struct buf text = {0};
    size_t first = 0;
    while (first + 1 < count && chain[first] != again)
        first++;
    for (size_t i = first; i < count; i++)
        buf_add_format(&text, "%.*s -> ", STR_ARG(origin_name(chain[i])));
    diag_add_at(&family->loader->diag, ynode_get(chain[count - 1]->node, STR("extends")),
                "'extends' goes round in a circle: %s%.*s", text.data, STR_ARG(origin_name(again)));
}

/* Fills in origin->merged, and that of all that it extends. */
static void origin_resolve(struct family *family, struct origin *origin)
{
    struct origin *chain[EXTENDS_MAX + 1], *parent = origin;
    size_t count = 0;
    while (parent && !parent->merged && !parent->on_chain && count <= EXTENDS_MAX) {
        parent->on_chain = true;
        chain[count++] = parent;
        parent = parent_find(family, parent);
    }
    if (parent && parent->on_chain && count)
        chain_cycle(family, chain, count, parent);
    else if (parent && count + parent->depth > EXTENDS_MAX)
        diag_add_at(&family->loader->diag, origin->key,
                    "the chain of 'extends' from '%.*s' is longer than %d", STR_ARG(origin_name(origin)),
                    EXTENDS_MAX);
    const struct origin *under = parent && parent->merged ? parent : NULL;
    while (count-- > 0) {
        struct origin *next = chain[count];
        next->merged =
            under ? ynode_merge(family->loader, &worker_section, next->node, under->merged) : next->node;
        next->depth = under ? under->depth + 1 : 1;
        next->on_chain = false;
        under = next;
    }
}

/* ---- Reading ---- */

bool name_check(struct loader *loader, const struct node *key)
{
    struct str name = key->text;
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    bool good = name.len > 0 && name.len <= 64 && strspn(name.data, allowed) == name.len &&
                name.data[0] != '.' && name.data[0] != '-';
    if (!good)
        diag_add_at(&loader->diag, key,
                    "'%.*s' cannot be a name: up to 64 letters, digits and _ . -, first a letter, digit or _",
                    STR_ARG(name));
    else if (str_is(name, "run"))
        diag_add_at(&loader->diag, key, "a worker cannot be named 'run'; that stands for the run itself");
    return good;
}

static void origins_collect(struct loader *loader, const char *what, const struct node *map,
                            struct origins *origins)
{
    if (!map || map->type == NODE_NULL)
        return;
    if (map->type != NODE_MAP) {
        diag_add_at(&loader->diag, map, "'%s' must be a map of workers, not %s", what, ynode_type_name(map));
        return;
    }
    origins->items = memory_take(loader->scratch, map->count * sizeof *origins->items);
    for (size_t i = 0; i < map->count; i++) {
        const struct node_entry *entry = &map->entries[i];
        name_check(loader, entry->key);
        const struct node *node = entry->value;
        bool broken = !ynode_is_unset(node) && node->type != NODE_MAP;
        if (broken)
            diag_add_at(&loader->diag, node, "'%.*s' must be a map with 'run', not %s",
                        STR_ARG(entry->key->text), ynode_type_name(node));
        if (node->type != NODE_MAP)
            node = ynode_new(loader->scratch, NODE_MAP, entry->key);
        struct origin *origin = &origins->items[origins->count++];
        *origin = (struct origin){.key = entry->key, .node = node, .broken = broken};
        table_put(&origins->by_name, entry->key->text, origin);
    }
}

/* Checks what need not be a whole worker, so that a template that nobody extends is checked too. */
static void partial_read(struct loader *loader, const struct node *node)
{
    struct plan_worker worker = {.name = "", .stop.grace_ms = loader->plan->run.stop_grace_ms};
    loader->partial = true;
    section_read(loader, &worker_section, node, &worker);
    loader->partial = false;
}

static const struct node *defaults_read(struct loader *loader, const struct node *root)
{
    const struct node *defaults = ynode_get(root, STR("defaults"));
    if (ynode_is_unset(defaults))
        return NULL;
    if (defaults->type != NODE_MAP) {
        diag_add_at(&loader->diag, defaults, "'defaults' must be a map of a worker's keys, not %s",
                    ynode_type_name(defaults));
        return NULL;
    }
    const struct node_entry *extends = ynode_entry_get(defaults, STR("extends"));
    if (extends)
        diag_add_at(&loader->diag, extends->key, "'extends' is not possible in 'defaults'");
    partial_read(loader, defaults);
    return defaults;
}

static void worker_read(struct family *family, struct origin *origin, const struct node *defaults, size_t i)
{
    struct loader *loader = family->loader;
    struct plan_worker *worker = &loader->plan->workers[i];
    origin_resolve(family, origin);
    const struct node *node = origin->merged;
    if (defaults)
        node = ynode_merge(loader, &worker_section, node, defaults);
    worker->name = memory_text(loader->memory, origin_name(origin));
    worker->place = ynode_place(loader, origin->key);
    worker->folder = origin->key->source->base;
    worker->stop.grace_ms = loader->plan->run.stop_grace_ms;
    loader->worker_nodes[i] = node;
    loader->worker_names[i] = worker->name;
    table_put(&loader->worker_index, str_of(worker->name), worker);
    loader->partial = origin->broken;
    loader->reading = i;
    section_read(loader, &worker_section, node, worker);
    loader->partial = false;
    loader->reading = NO_WORKER;
    definition_make(loader, &worker_section, node,
                    (const struct plan_env *const[]){&worker->file_env, &worker->env}, &worker->definition);
}

static void names_add(struct family *family, const struct origins *origins)
{
    for (size_t i = 0; i < origins->count; i++)
        family->names[family->name_count++] = origin_name(&origins->items[i]).data;
}

static void family_read(struct family *family, const struct node *defaults)
{
    struct loader *loader = family->loader;
    size_t count = family->workers.count;
    loader->plan->workers = memory_take(loader->memory, count * sizeof *loader->plan->workers);
    loader->plan->worker_count = count;
    loader->worker_nodes = memory_take(loader->scratch, count * sizeof(void *));
    loader->worker_names = memory_take(loader->scratch, count * sizeof *loader->worker_names);
    family->names = memory_take(loader->scratch, (family->templates.count + count) * sizeof *family->names);
    names_add(family, &family->templates);
    names_add(family, &family->workers);
    for (size_t i = 0; i < family->templates.count; i++) {
        partial_read(loader, family->templates.items[i].node);
        origin_resolve(family, &family->templates.items[i]);
    }
    for (size_t i = 0; i < count; i++)
        worker_read(family, &family->workers.items[i], defaults, i);
}

void workers_read(struct loader *loader, const struct node *root)
{
    struct family family = {.loader = loader};
    const struct node_entry *workers = ynode_entry_get(root, STR("workers"));
    const struct node *defaults = defaults_read(loader, root);
    origins_collect(loader, "templates", ynode_get(root, STR("templates")), &family.templates);
    origins_collect(loader, "workers", workers ? workers->value : NULL, &family.workers);
    if (workers && (workers->value->type == NODE_NULL ||
                    (workers->value->type == NODE_MAP && workers->value->count == 0)))
        diag_add_at(&loader->diag, workers->key, "'workers' is empty; say there what is to run");
    family_read(&family, defaults);
    table_release(&family.templates.by_name);
    table_release(&family.workers.by_name);
}
