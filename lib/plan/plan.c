/* From a file, a text or a command to a plan. */
#include "plan_priv.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct plan *plan_new(const char *file, const char *dir)
{
    struct plan_memory *memory = memory_new();
    struct plan *plan = memory_take(memory, sizeof *plan);
    plan->memory = memory;
    plan->file = memory_text(memory, str_of(file));
    plan->dir = memory_text(memory, str_of(dir));
    return plan;
}

void plan_free(struct plan *plan)
{
    if (plan)
        memory_free(plan->memory);
}

static void loader_init(struct loader *loader, struct plan *plan, const struct plan_options *options,
                        struct plan_problems *problems)
{
    *loader = (struct loader){
        .scratch = memory_new(),
        .memory = plan->memory,
        .plan = plan,
        .options = options,
        .reading = NO_WORKER,
    };
    diag_init(&loader->diag, loader->scratch, problems);
}

static void loader_release(struct loader *loader)
{
    diag_finish(&loader->diag);
    free(loader->references);
    table_release(&loader->fallbacks);
    table_release(&loader->env_files);
    table_release(&loader->worker_index);
    memory_free(loader->scratch);
}

/* The folder's name, where the manifest gives none. */
static void name_default(struct plan *plan)
{
    const char *slash = strrchr(plan->dir, '/');
    const char *base = slash ? slash + 1 : plan->dir;
    if (!plan->name)
        plan->name = memory_text(plan->memory, str_of(base[0] ? base : "zproc"));
}

struct plan *plan_parse(struct str text, const char *file, const char *dir,
                        const struct plan_options *options, struct plan_problems *problems)
{
    struct plan *plan = plan_new(file, dir);
    struct loader loader;
    loader_init(&loader, plan, options, problems);
    const struct node *root = files_read(&loader, text);
    if (root)
        manifest_read(&loader, root);
    name_default(plan);
    bool failed = diag_failed(&loader.diag);
    loader_release(&loader);
    if (!failed)
        return plan;
    plan_free(plan);
    return NULL;
}

/* ---- Files ---- */

static void file_problem(struct plan_problems *problems, const char *file, const char *message)
{
    struct plan_memory *memory = memory_new();
    struct diag diag;
    diag_init(&diag, memory, problems);
    diag_source(&diag, file, STR(""));
    diag_add(&diag, 0, 0, "%s", message);
    diag_finish(&diag);
    memory_free(memory);
}

/* zproc.yaml or zproc.yml of the current folder; NULL with a problem when there is none. */
static const char *file_find(struct plan_problems *problems)
{
    static const char *const names[] = {"zproc.yaml", "zproc.yml"};
    for (size_t i = 0; i < LENGTH_OF(names); i++)
        if (access(names[i], F_OK) == 0)
            return names[i];
    file_problem(problems, names[0],
                 "there is no zproc.yaml (or zproc.yml) in this folder; name a manifest with -f FILE, or "
                 "see 'man zproc.yaml' for how to write one");
    return NULL;
}

/* The absolute folder that file stands in, for a pipe the current one; NULL with errno set. The caller frees
 * it. */
static char *folder_of(const char *file)
{
    struct stat st;
    bool pipe = stat(file, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
    const char *slash = pipe ? NULL : strrchr(file, '/');
    AUTO_FREE char *folder = slash ? mem_copy(file, (size_t)(slash - file) + 1) : mem_text(".");
    return realpath(folder, NULL);
}

struct plan *plan_load(const struct plan_options *options, struct plan_problems *problems)
{
    AUTO_BUF struct buf text = {0};
    struct err err;
    const char *file = options && options->file_count ? options->files[0] : file_find(problems);
    if (!file)
        return NULL;
    AUTO_FREE char *dir = folder_of(file);
    if (!dir && errno != ENOENT)
        err_errno(&err, errno, "cannot find the manifest's folder");
    else if (!dir)
        err_set(&err, ERR_NOT_FOUND, "there is no such file");
    const char *path = strcmp(file, "-") == 0 ? "/dev/stdin" : file;
    if (!dir || !file_read(path, MANIFEST_SIZE_MAX, &text, &err)) {
        file_problem(problems, file, err.message);
        return NULL;
    }
    if (path != file && text.len == 0) {
        file_problem(problems, file, "standard input has nothing more; name a manifest with -f FILE");
        return NULL;
    }
    return plan_parse(buf_str(&text), file, dir, options, problems);
}

/* ---- One command ---- */

static void words_copy(struct plan *plan, struct plan_command *command, char *const *argv)
{
    size_t count = 0;
    while (argv[count])
        count++;
    command->given = true;
    command->words.items = memory_take(plan->memory, count * sizeof *command->words.items);
    command->words.count = count;
    for (size_t i = 0; i < count; i++)
        command->words.items[i].raw = memory_text(plan->memory, str_of(argv[i]));
}

struct plan *plan_command(const char *name, char *const *argv)
{
    AUTO_FREE char *dir = realpath(".", NULL);
    struct plan *plan = plan_new("", dir ? dir : "/");
    struct plan_problems problems = {0};
    struct loader loader;
    loader_init(&loader, plan, NULL, &problems);
    diag_source(&loader.diag, plan->file, STR(""));
    section_read(&loader, &manifest_section, NULL, plan);
    plan->name = memory_text(plan->memory, str_of(name));
    plan->vars = memory_own_value(plan->memory, value_map());
    struct plan_worker *worker = memory_take(plan->memory, sizeof *worker);
    worker->name = plan->name;
    worker->place.file = plan->file;
    worker->folder = plan->dir;
    worker->stop.grace_ms = plan->run.stop_grace_ms;
    section_read(&loader, &worker_section, NULL, worker);
    words_copy(plan, &worker->run, argv);
    plan->workers = worker;
    plan->worker_count = 1;
    loader_release(&loader);
    plan_problems_release(&problems);
    return plan;
}
