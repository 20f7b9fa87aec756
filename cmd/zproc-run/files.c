/* `files`: workers that are started again when files change. */
#include "run_priv.h"

#include <stdlib.h>

struct watched {
    struct run *run;
    char *name; /* of the worker */
    struct files *files;
    struct watched *next;
};

/* What changes without anybody's meaning it: version control, editors' own files, what Python compiles. */
static const char *const never[] = {".git", "*~", ".*.sw?", ".*.sw?x", ".#*", "#*#", "4913", "__pycache__"};

static void files_changed(void *ctx, const char *path)
{
    struct watched *watched = ctx;
    struct run *run = watched->run;
    size_t group = sup_group_find(run->sup, str_of(watched->name)), dir = strlen(run->plan->dir);
    if (group == SIZE_MAX)
        return;
    uint32_t count = sup_group_at(run->sup, group).count;
    uint32_t *tasks = mem_array(count + 1, sizeof *tasks);
    for (uint32_t i = 0; i < count; i++)
        tasks[i] = sup_group_task(run->sup, group, i);
    struct sup_event event = {.kind = SUP_FILES_CHANGED, .tasks = tasks, .task_count = count};
    bool below = strncmp(path, run->plan->dir, dir) == 0 && path[dir] == '/';
    if (sup_allows(run->sup, &event, NULL) && !run->options->quiet)
        run_say(run, 0, "%s: '%s' has changed", watched->name, below ? path + dir + 1 : path);
    run_event(run, event);
    free(tasks);
}

static void files_trouble(void *ctx, const char *text)
{
    const struct watched *watched = ctx;
    run_say(watched->run, 1, "%s: %s", watched->name, text);
}

static const char **texts_of(const struct plan_texts *texts, size_t more)
{
    const char **items = mem_array(texts->count + more + 1, sizeof *items);
    for (size_t i = 0; i < texts->count; i++)
        items[i] = texts->items[i].raw;
    return items;
}

static void watch_worker(struct run *run, const struct plan_worker *worker)
{
    static const struct files_callbacks callbacks = {.changed = files_changed, .trouble = files_trouble};
    struct err err;
    size_t ignored = worker->files.ignore.count, own = LENGTH_OF(never);
    AUTO_FREE const char **watch = texts_of(&worker->files.watch, 0);
    AUTO_FREE const char **ignore = texts_of(&worker->files.ignore, own + 1);
    memcpy(ignore + ignored, never, sizeof never);
    ignore[ignored + own] = run->folder.root; /* logs, which grow */
    struct files_spec spec = {.dir = run->plan->dir,
                              .watch = watch,
                              .watch_count = worker->files.watch.count,
                              .ignore = ignore,
                              .ignore_count = ignored + own + (run->folder.root ? 1 : 0),
                              .debounce_ms = worker->files.debounce_ms};
    struct watched *watched = mem_new(sizeof *watched);
    *watched = (struct watched){.run = run, .name = mem_text(worker->name), .next = run->watched};
    run->watched = watched;
    watched->files = files_new(run->loop, &spec, &callbacks, watched, &err);
    if (!watched->files)
        files_trouble(watched, err.message);
}

void files_watch_end(struct run *run)
{
    for (struct watched *watched = run->watched, *next; watched; watched = next) {
        next = watched->next;
        files_free(watched->files);
        free(watched->name);
        free(watched);
    }
    run->watched = NULL;
}

void files_watch(struct run *run)
{
    files_watch_end(run);
    for (size_t i = 0; i < run->plan->worker_count; i++)
        if (run->plan->workers[i].files.given)
            watch_worker(run, &run->plan->workers[i]);
}
