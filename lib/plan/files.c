/* From files to one tree: those of the command line, each over those before it, and under each file what it
 * includes. */
#include "plan_priv.h"

#include <stdlib.h>
#include <sys/stat.h>

struct chain { /* a file and what includes it */
    const char *path, *file;
    const struct chain *parent;
    struct str prefix; /* of all the names in it, over the whole chain */
};
struct files {
    struct loader *loader;
    struct yaml_spent spent;
    struct table once; /* what was included: path and prefix */
    size_t count, bytes;
    bool failed; /* a part is missing: no need to complain about what it would have had */
};
struct inclusion {
    char *file, *prefix;
};

static const char *joined(struct files *files, const char *folder, const char *path)
{
    AUTO_FREE char *text = path[0] == '/' ? mem_text(path) : mem_format("%s/%s", folder, path);
    return memory_text(files->loader->memory, str_of(text));
}

/* ---- Names of an included file ---- */

static const struct node *name_rename(struct files *files, const struct node *name, struct str prefix)
{
    struct plan_memory *memory = files->loader->scratch;
    struct node *renamed = ynode_new(memory, NODE_STRING, name);
    AUTO_FREE char *text = mem_format("%s%s", prefix.data, name->text.data);
    renamed->style = name->style;
    renamed->text = (struct str){memory_text(memory, str_of(text)), prefix.len + name->text.len};
    renamed->written = name->written.data ? name->written : name->text;
    renamed->bytes = renamed->text.len;
    return renamed;
}

struct renaming {
    struct files *files;
    struct str prefix;
    struct table names; /* of the file's workers and templates */
};

/* A name of this file; others are left: the including file has them, or nobody. */
static const struct node *reference_rename(struct renaming *renaming, const struct node *node)
{
    if (!ynode_is_text(node) || !table_get(&renaming->names, node->text))
        return node;
    return name_rename(renaming->files, node, renaming->prefix);
}

/* Of a list the items, of a map the keys, else the name itself. */
static const struct node *references_rename(struct renaming *renaming, const struct node *node)
{
    struct plan_memory *memory = renaming->files->loader->scratch;
    if (ynode_is_scalar(node))
        return reference_rename(renaming, node);
    struct node *renamed = ynode_new(memory, node->type, node);
    for (size_t i = 0; i < node->count; i++) {
        const struct node_entry *entry = &node->entries[i];
        if (node->type == NODE_LIST)
            ynode_add(memory, renamed, NULL, reference_rename(renaming, entry->value));
        else
            ynode_add(memory, renamed, reference_rename(renaming, entry->key), entry->value);
    }
    return renamed;
}

static const struct node *trigger_rename(struct renaming *renaming, const struct node *trigger)
{
    struct plan_memory *memory = renaming->files->loader->scratch;
    if (trigger->type != NODE_MAP || !ynode_get(trigger, STR("worker")))
        return trigger;
    struct node *renamed = ynode_new(memory, NODE_MAP, trigger);
    for (size_t i = 0; i < trigger->count; i++) {
        const struct node_entry *entry = &trigger->entries[i];
        bool worker = str_is(entry->key->text, "worker");
        ynode_add(memory, renamed, entry->key,
                  worker ? references_rename(renaming, entry->value) : entry->value);
    }
    return renamed;
}

static const struct node *worker_rename(struct renaming *renaming, const struct node *worker)
{
    struct plan_memory *memory = renaming->files->loader->scratch;
    if (worker->type != NODE_MAP)
        return worker;
    struct node *renamed = ynode_new(memory, NODE_MAP, worker);
    for (size_t i = 0; i < worker->count; i++) {
        const struct node_entry *entry = &worker->entries[i];
        const struct node *value = entry->value;
        if (str_is(entry->key->text, "needs") || str_is(entry->key->text, "extends"))
            value = references_rename(renaming, value);
        else if (str_is(entry->key->text, "trigger"))
            value = trigger_rename(renaming, value);
        ynode_add(memory, renamed, entry->key, value);
    }
    return renamed;
}

static const struct node *workers_rename(struct renaming *renaming, const struct node *workers)
{
    struct plan_memory *memory = renaming->files->loader->scratch;
    if (workers->type != NODE_MAP)
        return workers;
    struct node *renamed = ynode_new(memory, NODE_MAP, workers);
    for (size_t i = 0; i < workers->count; i++)
        ynode_add(memory, renamed, name_rename(renaming->files, workers->entries[i].key, renaming->prefix),
                  worker_rename(renaming, workers->entries[i].value));
    return renamed;
}

static void names_collect(struct renaming *renaming, const struct node *workers)
{
    for (size_t i = 0; workers && workers->type == NODE_MAP && i < workers->count; i++)
        table_put(&renaming->names, workers->entries[i].key->text, renaming);
}

static const struct node *tree_rename(struct files *files, const struct node *root, const char *prefix)
{
    struct plan_memory *memory = files->loader->scratch;
    struct renaming renaming = {.files = files, .prefix = str_of(prefix)};
    names_collect(&renaming, ynode_get(root, STR("workers")));
    names_collect(&renaming, ynode_get(root, STR("templates")));
    struct node *renamed = ynode_new(memory, NODE_MAP, root);
    for (size_t i = 0; i < root->count; i++) {
        const struct node_entry *entry = &root->entries[i];
        const struct node *value = entry->value;
        if (str_is(entry->key->text, "workers") || str_is(entry->key->text, "templates"))
            value = workers_rename(&renaming, value);
        else if (str_is(entry->key->text, "defaults"))
            value = worker_rename(&renaming, value);
        ynode_add(memory, renamed, entry->key, value);
    }
    table_release(&renaming.names);
    return renamed;
}

/* ---- Reading ---- */

static bool text_read(struct files *files, const char *path, struct str *text, struct err *err)
{
    AUTO_BUF struct buf buf = {0};
    if (files->count >= FILES_MAX)
        return err_set(err, ERR_TOO_LARGE, "the manifest has more than %d files", FILES_MAX);
    struct stat st;
    if (stat(path, &st) != 0)
        return err_set(err, ERR_NOT_FOUND, "there is no such file");
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INVALID, "it is not a file");
    if (!file_read(path, MANIFEST_SIZE_MAX - files->bytes, &buf, err)) {
        if (err->code == ERR_TOO_LARGE)
            err_set(err, ERR_TOO_LARGE, "the manifest's files have more than %zu MiB in all",
                    MANIFEST_SIZE_MAX / 1024 / 1024);
        return false;
    }
    *text = (struct str){memory_text(files->loader->scratch, buf_str(&buf)), buf.len};
    return true;
}

/* base NULL: the file's own folder. NULL when there is nothing to go on with. */
static const struct node *tree_read(struct files *files, const struct chain *chain, const char *base,
                                    struct str text)
{
    struct loader *loader = files->loader;
    if (str_starts_with(text, STR("\xef\xbb\xbf")))
        text = (struct str){text.data + 3, text.len - 3};
    files->count++;
    files->bytes += text.len;
    struct source *source = diag_source(&loader->diag, chain->file, text);
    const char *slash = strrchr(chain->path, '/');
    struct str folder = {chain->path, slash > chain->path ? (size_t)(slash - chain->path) : 1};
    source->folder = memory_text(loader->memory, folder);
    source->base = base ? base : source->folder;
    loader->diag.source = source;
    const struct node *root = yaml_read(&loader->diag, loader->scratch, &files->spent);
    if (root && root->type != NODE_MAP && root->type != NODE_NULL) {
        diag_add_at(&loader->diag, root, "a manifest must be a map with 'version: 1' and 'workers', not %s",
                    ynode_type_name(root));
        root = NULL;
    }
    const struct node *version = root ? ynode_get(root, STR("version")) : NULL;
    if (!ynode_is_unset(version))
        version_read(loader, version, NULL);
    loader->diag.source = loader->diag.sources[0];
    files->failed |= !root;
    return root;
}

/* ---- include ---- */

static bool chain_check(struct files *files, const struct node *place, const struct chain *chain)
{
    const struct chain *again = chain->parent;
    while (again && strcmp(again->path, chain->path) != 0)
        again = again->parent;
    if (!again)
        return true;
    AUTO_BUF struct buf text = {0}, rest = {0};
    for (const struct chain *link = chain; link != again; link = link->parent) {
        buf_clear(&rest);
        buf_add_format(&rest, " -> %s%s", link->file, text.data ? text.data : "");
        buf_clear(&text);
        buf_add_str(&text, buf_str(&rest));
    }
    diag_add_at(&files->loader->diag, place, "'include' goes round in a circle: %s%s", again->file,
                text.data);
    files->failed = true;
    return false;
}

static const struct node *tree_complete(struct files *files, const struct chain *chain,
                                        const struct node *root);

/* The file that a node names, with what it includes; NULL: nothing, or it is there already. */
static const struct node *file_include(struct files *files, const struct chain *parent,
                                       const struct node *place, const struct inclusion *inclusion)
{
    struct str text;
    struct err err;
    const char *near = strrchr(parent->file, '/');
    AUTO_FREE char *beside = near ? mem_copy(parent->file, (size_t)(near - parent->file)) : NULL;
    const char *path = joined(files, place->source->folder, inclusion->file);
    AUTO_FREE char *whole = realpath(path, NULL);
    AUTO_FREE char *prefix = mem_format("%s%s", parent->prefix.data, inclusion->prefix);
    AUTO_FREE char *key = mem_format("%s\n%s", prefix, whole ? whole : path);
    struct chain chain = {.path = whole ? memory_text(files->loader->memory, str_of(whole)) : path,
                          .parent = parent,
                          .prefix = str_of(prefix)};
    chain.file = beside ? joined(files, beside, inclusion->file)
                        : memory_text(files->loader->memory, str_of(inclusion->file));
    if (!chain_check(files, place, &chain) || table_get(&files->once, str_of(key)))
        return NULL;
    table_put(&files->once, (struct str){memory_text(files->loader->scratch, str_of(key)), strlen(key)},
              files);
    if (!text_read(files, chain.path, &text, &err)) {
        diag_add_at(&files->loader->diag, place, "cannot include '%s': %s", chain.file, err.message);
        files->failed = true;
        return NULL;
    }
    const struct node *root = tree_read(files, &chain, NULL, text);
    if (!root || root->type == NODE_NULL)
        return NULL;
    root = tree_complete(files, &chain, root);
    return inclusion->prefix[0] ? tree_rename(files, root, inclusion->prefix) : root;
}

static const struct field inclusion_fields[] = {
    {.name = "file",
     .type = FIELD_STRING,
     .offset = offsetof(struct inclusion, file),
     .otherwise = "required",
     .help = "a manifest, relative to the file that includes it"},
    {.name = "prefix",
     .type = FIELD_STRING,
     .offset = offsetof(struct inclusion, prefix),
     .otherwise = "none",
     .help = "put before the names of its workers and templates"},
};
const struct section include_section = {
    .name = "include", .fields = inclusion_fields, .count = LENGTH_OF(inclusion_fields)};

static bool inclusion_read(struct loader *loader, const struct node *node, struct inclusion *inclusion)
{
    size_t before = loader->diag.problems->count;
    *inclusion = (struct inclusion){.prefix = memory_text(loader->scratch, STR(""))};
    if (node->type == NODE_MAP) {
        section_read(loader, &include_section, node, inclusion);
        const struct node *prefix = ynode_get(node, STR("prefix"));
        if (inclusion->prefix[0])
            name_check(loader, prefix);
    } else if (ynode_is_text(node)) {
        read_string(loader, "include", node, &inclusion->file);
    } else {
        diag_add_at(&loader->diag, node, "an item of 'include' must be a file or {file, prefix}, not %s",
                    ynode_type_name(node));
    }
    if (loader->diag.problems->count == before && (!inclusion->file || !inclusion->file[0]))
        diag_add_at(&loader->diag, node, "'include' names no 'file' here");
    return loader->diag.problems->count == before;
}

/* Files that are included side by side do not lie over one another. */
static void neighbours_check(struct files *files, const char *what, const struct node *below,
                             const struct node *next)
{
    const struct node *names = ynode_get(next, str_of(what)), *taken = ynode_get(below, str_of(what));
    for (size_t i = 0; names && names->type == NODE_MAP && i < names->count; i++) {
        const struct node *key = names->entries[i].key;
        const struct node_entry *other = ynode_entry_get(taken, key->text);
        if (other)
            diag_add_at(&files->loader->diag, key,
                        "'%.*s' is in '%s' too (line %zu), which is included as well; include one of them "
                        "with a 'prefix'",
                        STR_ARG(key->text), other->key->source->file, other->key->line);
    }
}

/* root over what it includes, without what holds for the file alone. */
static const struct node *tree_complete(struct files *files, const struct chain *chain,
                                        const struct node *root)
{
    struct loader *loader = files->loader;
    const struct node *include = ynode_get(root, STR("include")), *below = NULL;
    struct inclusion inclusion;
    if (!ynode_is_unset(include) && include->type != NODE_LIST)
        diag_add_at(&loader->diag, include, "'include' must be a list of files, not %s",
                    ynode_type_name(include));
    for (size_t i = 0; include && include->type == NODE_LIST && i < include->count; i++) {
        const struct node *item = include->entries[i].value;
        if (!inclusion_read(loader, item, &inclusion))
            continue;
        const struct node *next = file_include(files, chain, item, &inclusion);
        if (below && next) {
            neighbours_check(files, "workers", below, next);
            neighbours_check(files, "templates", below, next);
        }
        below = below && next ? manifest_merge(loader, next, below) : next ? next : below;
    }
    if (!include && !chain->parent)
        return root;
    struct node *own = ynode_new(loader->scratch, NODE_MAP, root);
    for (size_t i = 0; i < root->count; i++) {
        struct str key = root->entries[i].key->text;
        bool alone = str_is(key, "version") || str_is(key, "name");
        if (!str_is(key, "include") && !(chain->parent && alone))
            ynode_add(loader->scratch, own, root->entries[i].key, root->entries[i].value);
    }
    return below ? manifest_merge(loader, own, below) : own;
}

/* ---- The command line ---- */

static const struct node *further_file(struct files *files, const char *file)
{
    struct err err;
    AUTO_FREE char *whole = realpath(file, NULL);
    struct chain chain = {.path = whole ? whole : file,
                          .file = memory_text(files->loader->memory, str_of(file)),
                          .prefix = STR("")};
    struct str text;
    if (!text_read(files, chain.path, &text, &err)) {
        const struct node nowhere = {.source = diag_source(&files->loader->diag, chain.file, STR(""))};
        diag_add_at(&files->loader->diag, &nowhere, "%s", err.message);
        files->failed = true;
        return NULL;
    }
    const struct node *root = tree_read(files, &chain, files->loader->plan->dir, text);
    if (!root || root->type == NODE_NULL)
        return NULL;
    return tree_complete(files, &chain, root);
}

const struct node *files_read(struct loader *loader, struct str text)
{
    struct files files = {.loader = loader};
    const struct plan_options *options = loader->options;
    const char *slash = strrchr(loader->plan->file, '/');
    const char *path = joined(&files, loader->plan->dir, slash ? slash + 1 : loader->plan->file);
    struct chain chain = {.path = path, .file = loader->plan->file, .prefix = STR("")};
    const struct node *root = tree_read(&files, &chain, loader->plan->dir, text);
    bool whole = root && root->type == NODE_MAP;
    if (whole)
        root = tree_complete(&files, &chain, root);
    for (size_t i = 1; options && i < options->file_count; i++) {
        const struct node *over = further_file(&files, options->files[i]);
        root = whole && over ? manifest_merge(loader, over, root) : over ? over : root;
        whole |= over != NULL;
    }
    table_release(&files.once);
    return files.failed ? NULL : root;
}
