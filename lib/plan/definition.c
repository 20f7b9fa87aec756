/* Definitions in one spelling, so that a manifest that is read again can be compared with what runs. */
#include "plan_priv.h"

static void spell_section(struct loader *loader, const struct section *section, const struct node *map,
                          struct buf *out);

/* As it is written, with the type where it may matter. */
static void spell_node(const struct node *node, bool typed, struct buf *out)
{
    if (ynode_is_scalar(node)) {
        if (typed)
            buf_add_format(out, "%d", (int)node->type);
        string_print(out, node->text);
        return;
    }
    buf_add_char(out, node->type == NODE_MAP ? '{' : '[');
    for (size_t i = 0; i < node->count; i++) {
        if (node->type == NODE_MAP)
            string_print(out, node->entries[i].key->text);
        spell_node(node->entries[i].value, typed, out);
        buf_add_char(out, ',');
    }
    buf_add_char(out, node->type == NODE_MAP ? '}' : ']');
}

static void spell(struct loader *loader, const struct field *field, const struct node *node, struct buf *out)
{
    int64_t number;
    double real;
    if (field->type == FIELD_SECTION)
        node = shorthand_expand(loader, field, node);
    if (field->type == FIELD_SECTION && node->type == NODE_MAP && !field->section->open)
        spell_section(loader, field->section, node, out);
    else if (field->type == FIELD_DURATION && duration_parse(node->text, &number, NULL))
        buf_add_int(out, number);
    else if (field->type == FIELD_SIZE && size_parse(node->text, &number, NULL))
        buf_add_int(out, number);
    else if (field->type == FIELD_NUMBER && (node->type == NODE_INT || node->type == NODE_FLOAT) &&
             ynode_as_double(node, &real))
        buf_add_format(out, "%.17g", real);
    else
        spell_node(node,
                   field->type == FIELD_CUSTOM || field->type == FIELD_LATER || field->type == FIELD_SECTION,
                   out);
}

/* What is not set is spelled as its fallback. */
static void spell_key(struct loader *loader, const struct field *field, const struct node *map,
                      struct buf *out)
{
    const struct node *node = ynode_get(map, str_of(field->name));
    if (ynode_is_unset(node) && field->fallback)
        node = fallback_node(loader, field->fallback);
    if (!ynode_is_unset(node))
        spell(loader, field, node, out);
}

static bool is_fallback(struct loader *loader, const struct field *field, const struct buf *text)
{
    AUTO_BUF struct buf usual = {0};
    spell_key(loader, field, NULL, &usual);
    return str_equal(buf_str(&usual), buf_str(text));
}

static void spell_section(struct loader *loader, const struct section *section, const struct node *map,
                          struct buf *out)
{
    for (size_t i = 0; i < section->count; i++) {
        buf_add_format(out, "%s:", section->fields[i].name);
        spell_key(loader, &section->fields[i], map, out);
        buf_add_char(out, ';');
    }
}

static void spell_env(const struct plan_env *env, struct buf *out)
{
    for (size_t i = 0; i < env->count; i++) {
        string_print(out, str_of(env->items[i].name));
        if (env->items[i].value.raw)
            string_print(out, str_of(env->items[i].value.raw));
        buf_add_char(out, ';');
    }
}

/* What it is, not only its name. */
static void spell_launcher(const struct loader *loader, const struct node *name, struct buf *out)
{
    for (size_t i = 0; name && i < loader->plan->launcher_count; i++) {
        const struct plan_launcher *launcher = &loader->plan->launchers[i];
        for (size_t k = 0; k < launcher->run.count && str_is(name->text, launcher->name); k++)
            string_print(out, str_of(launcher->run.items[k].raw));
    }
}

void definition_make(struct loader *loader, const struct section *section, const struct node *map,
                     const struct plan_env *const envs[2], struct plan_definition *definition)
{
    if (diag_failed(&loader->diag))
        return; /* nobody will have it */
    definition->items = memory_take(loader->memory, map->count * sizeof *definition->items);
    for (size_t i = 0; i < section->count; i++) {
        const struct field *field = &section->fields[i];
        AUTO_BUF struct buf text = {0};
        if (field->type == FIELD_IGNORED || !ynode_get(map, str_of(field->name)))
            continue;
        if (strcmp(field->name, "env_file") == 0)
            spell_env(envs[0], &text);
        else if (strcmp(field->name, "env") == 0)
            spell_env(envs[1], &text);
        else
            spell_key(loader, field, map, &text);
        if (section == &worker_section && strcmp(field->name, "launcher") == 0)
            spell_launcher(loader, ynode_get(map, STR("launcher")), &text);
        if (!is_fallback(loader, field, &text))
            definition->items[definition->count++] =
                (struct plan_spelling){field->name, memory_text(loader->memory, buf_str(&text))};
    }
}

const char *plan_spelled(const struct plan_definition *definition, const char *key)
{
    for (size_t i = 0; i < definition->count; i++)
        if (strcmp(definition->items[i].key, key) == 0)
            return definition->items[i].text;
    return "";
}

static bool is_among(const char *const *names, const char *name)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

static const char *first_other(const struct plan_definition *a, const struct plan_definition *b,
                               const char *const *ignored)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct plan_spelling *item = &a->items[i];
        if (!is_among(ignored, item->key) && strcmp(item->text, plan_spelled(b, item->key)) != 0)
            return item->key;
    }
    return NULL;
}

const char *plan_difference(const struct plan_definition *a, const struct plan_definition *b,
                            const char *const *ignored)
{
    const char *key = first_other(a, b, ignored);
    return key ? key : first_other(b, a, ignored);
}
