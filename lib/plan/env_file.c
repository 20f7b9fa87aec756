/* `env_file`: which files of variables are read, each of them once. */
#include "plan_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define ENV_FILE_MAX ((size_t)1024 * 1024) /* bytes of a file of variables */

struct env_file {
    char *file;
    bool required;
};
static const struct field env_file_fields[] = {
    {.name = "file",
     .type = FIELD_STRING,
     .offset = offsetof(struct env_file, file),
     .otherwise = "required",
     .help = "relative to the folder of the manifest that names it"},
    {.name = "required",
     .type = FIELD_BOOL,
     .offset = offsetof(struct env_file, required),
     .fallback = "true",
     .help = "false: it may be missing"},
};
const struct section env_file_section = {
    .name = "env_file", .fields = env_file_fields, .count = LENGTH_OF(env_file_fields)};
const struct section worker_env_file_section = {
    .name = "worker.env_file", .fields = env_file_fields, .count = LENGTH_OF(env_file_fields)};

/* As messages name it: beside the manifest, in the user's words. */
static char *shown_name(const struct loader *loader, const struct node *node, const char *file)
{
    const char *manifest = node->source->base == loader->plan->dir ? loader->plan->file : node->source->file;
    const char *slash = strrchr(manifest, '/');
    if (file[0] == '/' || !slash)
        return memory_text(loader->memory, str_of(file));
    AUTO_FREE char *name = mem_format("%.*s%s", (int)(slash + 1 - manifest), manifest, file);
    return memory_text(loader->memory, str_of(name));
}

static bool text_read(struct loader *loader, const char *path, struct str *text, struct err *err)
{
    AUTO_BUF struct buf buf = {0};
    struct stat st;
    if (stat(path, &st) != 0)
        return err_set(err, errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_DENIED, "%s",
                       errno == ENOENT ? "there is no such file" : strerror(errno));
    if (S_ISDIR(st.st_mode))
        return err_set(err, ERR_INVALID, "it is a folder");
    if (!file_read(path, ENV_FILE_MAX, &buf, err))
        return err->code != ERR_TOO_LARGE || err_set(err, ERR_TOO_LARGE, "it has more than 1 MiB");
    *text = (struct str){memory_text(loader->scratch, buf_str(&buf)), buf.len};
    return true;
}

/* NULL when it cannot be read: said, unless it may be missing. */
static const struct plan_env *file_env(struct loader *loader, const struct node *node,
                                       const struct env_file *env_file)
{
    struct err err;
    struct str text;
    AUTO_FREE char *path = env_file->file[0] == '/' ? mem_text(env_file->file)
                                                    : mem_format("%s/%s", node->source->base, env_file->file);
    struct plan_env *env = table_get(&loader->env_files, str_of(path));
    if (env)
        return env;
    if (!text_read(loader, path, &text, &err)) {
        if (err.code == ERR_NOT_FOUND && !env_file->required)
            return NULL;
        diag_add_at(
            &loader->diag, node, "cannot read the variables of '%s': %s%s", env_file->file, err.message,
            err.code == ERR_NOT_FOUND ? "; write {file: …, required: false} if it may be missing" : "");
        return NULL;
    }
    const struct source *before = loader->diag.source;
    env = memory_take(loader->memory, sizeof *env);
    struct str kept = {memory_text(loader->scratch, str_of(path)), strlen(path)};
    table_put(&loader->env_files, kept, env);
    loader->diag.source = diag_source(&loader->diag, shown_name(loader, node, env_file->file), text);
    dotenv_read(loader, env);
    loader->diag.source = before;
    return env;
}

static void env_append(struct loader *loader, struct plan_env *env, const struct plan_env *more)
{
    if (!more || more->count == 0)
        return;
    struct plan_variable *items = memory_take(loader->memory, (env->count + more->count) * sizeof *items);
    if (env->count)
        memcpy(items, env->items, env->count * sizeof *items);
    memcpy(items + env->count, more->items, more->count * sizeof *items);
    *env = (struct plan_env){items, env->count + more->count};
}

static void item_read(struct loader *loader, const struct node *node, struct plan_env *env)
{
    struct env_file env_file = {.required = true};
    if (node->type == NODE_MAP)
        section_read(loader, &env_file_section, node, &env_file);
    else if (ynode_is_text(node))
        read_string(loader, "env_file", node, &env_file.file);
    else
        diag_add_at(&loader->diag, node,
                    "'env_file' must be a file, {file, required} or a list of these, not %s",
                    ynode_type_name(node));
    if (env_file.file && env_file.file[0])
        env_append(loader, env, file_env(loader, node, &env_file));
    else if (node->type == NODE_MAP ? ynode_is_unset(ynode_get(node, STR("file"))) : env_file.file != NULL)
        diag_add_at(&loader->diag, node, "'env_file' names no file here");
}

static void files_env_read(struct loader *loader, const struct node *node, struct plan_env *env)
{
    *env = (struct plan_env){0};
    if (ynode_is_false(node))
        return;
    if (node->type != NODE_LIST) {
        item_read(loader, node, env);
        return;
    }
    for (size_t i = 0; i < node->count; i++)
        item_read(loader, node->entries[i].value, env);
}

void plan_env_file_read(struct loader *loader, const struct node *node, void *target)
{
    files_env_read(loader, node, &((struct plan *)target)->file_env);
}

void worker_env_file_read(struct loader *loader, const struct node *node, void *target)
{
    files_env_read(loader, node, &((struct plan_worker *)target)->file_env);
}
