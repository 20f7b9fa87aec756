/* Reads a map by its section of the table of keys: unknown keys, values by type, what holds without a key. */
#include "plan_priv.h"

#define KEYS_MAX 64 /* of a section */

/* The key that says here what this one says in docker compose, process-compose or supervisord. NULL for none.
 */
static const char *key_elsewhere(const struct section *section, struct str key)
{
    static const struct {
        const char *there, *here;
    } words[] = {
        {"command", "run"},           {"cmd", "run"},
        {"depends_on", "needs"},      {"environment", "env"},
        {"healthcheck", "alive"},     {"liveness_probe", "alive"},
        {"readiness_probe", "ready"}, {"working_dir", "dir"},
        {"directory", "dir"},         {"cwd", "dir"},
        {"scale", "replicas"},        {"numprocs", "replicas"},
        {"autostart", "start"},       {"schedule", "cron"},
        {"shutdown", "stop"},         {"restart_policy", "restart"},
        {"autorestart", "restart"},   {"availability", "restart"},
        {"services", "workers"},      {"processes", "workers"},
        {"programs", "workers"},      {"jobs", "workers"},
        {"tasks", "workers"},
    };
    for (size_t i = 0; i < LENGTH_OF(words); i++)
        if (str_is(key, words[i].there) && field_find(section, str_of(words[i].here)))
            return words[i].here;
    return NULL;
}

static void unknown_key(struct loader *loader, const struct section *section, const struct node *key)
{
    const char *names[KEYS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < section->count && count < KEYS_MAX; i++)
        if (section->fields[i].type != FIELD_IGNORED)
            names[count++] = section->fields[i].name;
    const char *here = key_elsewhere(section, key->text);
    const char *nearest = here ? NULL : diag_nearest(&loader->diag, key->text, names, count);
    if (str_is(key->text, "<<"))
        diag_add_at(&loader->diag, key, "'<<' is not part of YAML 1.2; use 'extends' with a template");
    else if (section == &manifest_section && field_find(&worker_section, key->text))
        diag_add_at(&loader->diag, key, "'%.*s' is a key of workers; put it under a worker or 'defaults'",
                    STR_ARG(key->text));
    else if (here)
        diag_add_at(&loader->diag, key, "unknown key '%.*s'; that is '%s' here", STR_ARG(key->text), here);
    else if (nearest)
        diag_add_at(&loader->diag, key, "unknown key '%.*s'; did you mean '%s'?", STR_ARG(key->text),
                    nearest);
    else
        diag_add_at(&loader->diag, key, "unknown key '%.*s'", STR_ARG(key->text));
}

const struct node *shorthand_expand(struct loader *loader, const struct field *field, const struct node *node)
{
    if (!field->shorthand || node->type != NODE_INT)
        return node;
    struct node *key = ynode_new(loader->scratch, NODE_STRING, node);
    key->text = str_of(field->shorthand);
    struct node *map = ynode_new(loader->scratch, NODE_MAP, node);
    ynode_add(loader->scratch, map, key, node);
    return map;
}

static void subsection_read(struct loader *loader, const struct field *field, const struct node *node,
                            void *target)
{
    node = shorthand_expand(loader, field, node);
    if (node->type != NODE_MAP && !ynode_is_false(node))
        diag_add_at(&loader->diag, node, "'%s' must be %sa map, not %s", field->name,
                    field->shorthand ? "a number or " : "", ynode_type_name(node));
    section_read(loader, field->section, node->type == NODE_MAP ? node : NULL, target);
}

static void field_read(struct loader *loader, const struct field *field, const struct node *node,
                       void *target)
{
    void *out = (char *)target + field->offset;
    switch (field->type) {
    case FIELD_BOOL:
        read_bool(loader, field->name, node, out);
        break;
    case FIELD_INT:
        read_int(loader, field, node, out);
        break;
    case FIELD_NUMBER:
        read_number(loader, field, node, out);
        break;
    case FIELD_DURATION:
        read_duration(loader, field->name, node, out);
        break;
    case FIELD_SIZE:
        read_size(loader, field->name, node, out);
        break;
    case FIELD_STRING:
        read_string(loader, field->name, node, out);
        break;
    case FIELD_TEXT:
        read_text(loader, field->name, node, out);
        break;
    case FIELD_PATH:
        read_path(loader, field->name, node, out);
        break;
    case FIELD_STRINGS:
    case FIELD_TEXTS:
        read_texts(loader, field->name, node, field->type == FIELD_TEXTS, out);
        break;
    case FIELD_ENV:
        read_env(loader, field->name, node, out);
        break;
    case FIELD_COMMAND:
        read_command(loader, field->name, node, out);
        break;
    case FIELD_EXPR:
        read_expr(loader, field->name, node, out);
        break;
    case FIELD_CHOICE:
        read_choice(loader, field, node, out);
        break;
    case FIELD_SECTION:
        subsection_read(loader, field, node, out);
        break;
    case FIELD_CUSTOM:
        field->read(loader, node, target);
        break;
    case FIELD_LATER:
    case FIELD_IGNORED:
        break;
    }
}

const struct node *fallback_node(struct loader *loader, const char *text)
{
    struct node *node = table_get(&loader->fallbacks, str_of(text));
    if (node)
        return node;
    bool list = text[0] == '[';
    node = ynode_new(loader->scratch, list ? NODE_LIST : ynode_resolve(str_of(text)), NULL);
    node->text = str_of(text);
    const char *at = text;
    while (list && (at == text || *at == ',')) {
        at += 1 + strspn(at + 1, " ");
        struct str word = {at, strcspn(at, ",]")};
        struct node *item = ynode_new(loader->scratch, ynode_resolve(word), NULL);
        item->text = word;
        ynode_add(loader->scratch, node, NULL, item);
        at += word.len;
    }
    table_put(&loader->fallbacks, str_of(text), node);
    return node;
}

static void fallback_read(struct loader *loader, const struct field *field, void *target)
{
    if (field->type == FIELD_SECTION)
        section_read(loader, field->section, NULL, (char *)target + field->offset);
    else if (field->fallback)
        field_read(loader, field, fallback_node(loader, field->fallback), target);
}

void section_read(struct loader *loader, const struct section *section, const struct node *map, void *target)
{
    for (size_t i = 0; map && i < map->count; i++) {
        const struct node_entry *entry = &map->entries[i];
        const struct field *field = field_find(section, entry->key->text);
        if (!field && section->open)
            continue;
        if (!field)
            unknown_key(loader, section, entry->key);
        else if (!ynode_is_unset(entry->value))
            field_read(loader, field, entry->value, target);
    }
    for (size_t i = 0; i < section->count; i++)
        if (ynode_is_unset(ynode_get(map, str_of(section->fields[i].name))))
            fallback_read(loader, &section->fields[i], target);
    if (map && section->finish)
        section->finish(loader, map, target);
}
