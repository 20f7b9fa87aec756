/* What ${{ }} refers to: names that nothing can give are found before anything starts. */
#include "plan_priv.h"

#include <stdlib.h>

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool reference_find(struct str text, struct str name, size_t *at)
{
    for (*at = 0; *at + name.len <= text.len; ++*at) {
        bool fits = memcmp(text.data + *at, name.data, name.len) == 0;
        bool begins = *at == 0 || (!is_word(text.data[*at - 1]) && text.data[*at - 1] != '.');
        bool ends = *at + name.len == text.len || !is_word(text.data[*at + name.len]);
        if (fits && begins && ends)
            return true;
    }
    *at = 0;
    return false;
}

void reference_note(struct loader *loader, const struct node *node, const struct expr *expr, size_t at)
{
    /* What asks whether there is such a name may use one that there is not. */
    if (loader->partial || str_find(expr_text(expr), STR("has(")) >= 0)
        return;
    mem_grow(loader->references, loader->reference_capacity, loader->reference_count);
    loader->references[loader->reference_count++] =
        (struct reference){.node = node, .expr = expr, .at = at, .worker = loader->reading};
}

/* Names that are known, for "did you mean". */
struct choice {
    const char **names;
    size_t count, capacity;
};

static void choice_add(struct choice *choice, const char *name)
{
    mem_grow(choice->names, choice->capacity, choice->count);
    choice->names[choice->count++] = name;
}

static void unknown(struct loader *loader, const struct reference *reference, struct str key, struct str name,
                    const char *what, const struct choice *choice)
{
    size_t place;
    reference_find(expr_text(reference->expr), key, &place);
    const char *nearest = diag_nearest(&loader->diag, name, choice->names, choice->count);
    diag_add_inside(&loader->diag, reference->node, reference->at + place, "'%.*s': %s '%.*s'%s%s%s",
                    STR_ARG(key), what, STR_ARG(name), nearest ? "; did you mean '" : "",
                    nearest ? nearest : "", nearest ? "'?" : "");
}

static bool chosen(const struct choice *choice, struct str name)
{
    for (size_t i = 0; i < choice->count; i++)
        if (str_is(name, choice->names[i]))
            return true;
    return false;
}

static void map_choice(struct loader *loader, struct choice *choice, const struct value *map)
{
    struct str key;
    for (size_t i = 0; map && map_at(map, i, &key); i++)
        choice_add(choice, memory_text(loader->scratch, key));
}

static bool in_matrix(const struct plan_worker *worker, struct str name)
{
    for (size_t i = 0; i < worker->row_count; i++)
        if (map_get(worker->rows[i].values, name))
            return true;
    return false;
}

/* As the worker writes them, of those too that do not exist: that is said elsewhere. */
static void needs_choice(struct loader *loader, size_t worker, struct choice *choice)
{
    const struct node *needs = ynode_get(loader->worker_nodes[worker], STR("needs"));
    for (size_t i = 0; needs && !ynode_is_scalar(needs) && i < needs->count; i++) {
        const struct node_entry *entry = &needs->entries[i];
        const struct node *name = needs->type == NODE_LIST ? entry->value : entry->key;
        if (ynode_is_text(name) && !ynode_is_false(entry->value))
            choice_add(choice, name->written.data ? name->written.data : name->text.data);
    }
}

static bool is_group(const struct loader *loader, size_t worker, struct str name)
{
    const struct plan_worker *own = &loader->plan->workers[worker];
    for (size_t i = 0; i < own->need_count; i++) {
        const struct plan_worker *needed = &loader->plan->workers[own->needs[i].worker];
        if (str_is(name, own->needs[i].name))
            return needed->replicas > 1 || needed->row_count > 1;
    }
    return false;
}

/* needs.NAME.FIELD */
static void field_check(struct loader *loader, const struct reference *reference, struct str key,
                        struct str name, struct str field)
{
    static const char *fields[] = {"status", "exit", "signal", "result"};
    const struct choice choice = {.names = fields, .count = LENGTH_OF(fields)};
    size_t place;
    if (is_group(loader, reference->worker, name)) {
        reference_find(expr_text(reference->expr), key, &place);
        diag_add_inside(&loader->diag, reference->node, reference->at + place,
                        "'%.*s' has several instances: needs.%.*s is a list of them", STR_ARG(name),
                        STR_ARG(name));
    } else if (!chosen(&choice, field)) {
        unknown(loader, reference, key, field, "of a need there is no", &choice);
    }
}

static void name_check_in(struct loader *loader, const struct reference *reference, struct str key,
                          struct str root, struct str name)
{
    static const char *runs[] = {"id", "name", "dir"};
    struct choice choice = {0};
    const char *what = "the manifest has no variable";
    bool of_worker = reference->worker != NO_WORKER;
    if (str_is(root, "run")) {
        for (size_t i = 0; i < LENGTH_OF(runs); i++)
            choice_add(&choice, runs[i]);
        what = "of a run there is no";
    } else if (str_is(root, "vars")) {
        if (map_get(loader->plan->vars, name))
            return;
        map_choice(loader, &choice, loader->plan->vars);
    } else if (str_is(root, "needs") && of_worker) {
        needs_choice(loader, reference->worker, &choice);
        what = "the worker does not need";
    } else if (str_is(root, "matrix") && of_worker) {
        const struct plan_worker *worker = &loader->plan->workers[reference->worker];
        const struct node *matrix = ynode_get(loader->worker_nodes[reference->worker], STR("matrix"));
        bool broken = !worker->row_count && !ynode_is_unset(matrix) && !ynode_is_false(matrix);
        if (broken || in_matrix(worker, name))
            return;
        if (worker->row_count)
            map_choice(loader, &choice, worker->rows[0].values);
        what = worker->row_count ? "the matrix has no" : "the worker has no matrix, so no";
    } else {
        return;
    }
    if (!chosen(&choice, name))
        unknown(loader, reference, key, name, what, &choice);
    free(choice.names);
}

/* ROOT.NAME and needs.NAME.FIELD; deeper ones are values that are only there later. */
static void key_check(struct loader *loader, const struct reference *reference, struct str key)
{
    struct str parts[3];
    size_t count = 0, start = 0;
    for (size_t i = 0; i <= key.len; i++) {
        if (i < key.len && key.data[i] != '.')
            continue;
        if (count == LENGTH_OF(parts))
            return;
        parts[count++] = (struct str){key.data + start, i - start};
        start = i + 1;
    }
    if (count == 2)
        name_check_in(loader, reference, key, parts[0], parts[1]);
    else if (count == 3 && str_is(parts[0], "needs") && reference->worker != NO_WORKER)
        field_check(loader, reference, key, parts[1], parts[2]);
}

void references_check(struct loader *loader)
{
    for (size_t i = 0; i < loader->reference_count; i++) {
        const struct reference *reference = &loader->references[i];
        for (size_t k = 0; k < expr_key_count(reference->expr); k++)
            key_check(loader, reference, expr_key(reference->expr, k));
    }
}
