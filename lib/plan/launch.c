/* Keys of a worker that say how its process is started: standard input, user, limits, launcher. */
#include "plan_priv.h"

#include <limits.h>

#define MEMORY_MIN (1024 * 1024)

/* ---- stdin ---- */

static const struct field stdin_fields[] = {
    {.name = "file",
     .type = FIELD_PATH,
     .offset = offsetof(struct plan_stdin, text),
     .help = "a file that it reads"},
    {.name = "text",
     .type = FIELD_TEXT,
     .offset = offsetof(struct plan_stdin, text),
     .help = "what it reads"},
};
const struct section stdin_section = {
    .name = "worker.stdin", .fields = stdin_fields, .count = LENGTH_OF(stdin_fields)};

static void stdin_map_read(struct loader *loader, const struct node *node, struct plan_stdin *input)
{
    bool file = !ynode_is_unset(ynode_get(node, STR("file")));
    bool text = !ynode_is_unset(ynode_get(node, STR("text")));
    section_read(loader, &stdin_section, node, input);
    input->kind = file ? STDIN_FILE : STDIN_TEXT;
    if (file == text && (file || node->count == 0))
        diag_add_at(&loader->diag, node, "'stdin' needs one of 'file' and 'text'");
}

void stdin_read(struct loader *loader, const struct node *node, void *target)
{
    static const char *const words[] = {
        [STDIN_NULL] = "null", [STDIN_INHERIT] = "inherit", [STDIN_SNAPSHOT] = "snapshot"};
    struct plan_stdin *input = &((struct plan_worker *)target)->input;
    if (node->type == NODE_MAP) {
        stdin_map_read(loader, node, input);
        return;
    }
    for (size_t i = STDIN_NULL; ynode_is_text(node) && i < LENGTH_OF(words); i++)
        if (str_is(node->text, words[i])) {
            input->kind = (enum plan_stdin_kind)i;
            return;
        }
    if (ynode_is_text(node))
        diag_add_at(&loader->diag, node,
                    "'stdin' must be null, inherit, snapshot, {file} or {text}, not '%.*s'",
                    STR_ARG(node->text));
    else
        diag_add_at(&loader->diag, node, "'stdin' must be null, inherit, snapshot, {file} or {text}, not %s",
                    ynode_type_name(node));
}

void stdin_check(struct loader *loader, const struct node *map, struct plan_worker *worker)
{
    const struct node_entry *entry = ynode_entry_get(map, STR("stdin"));
    /* A null that is written is the empty input, for triggers too. */
    if (entry && ynode_is_unset(entry->value))
        worker->input.kind = STDIN_NULL;
    if (worker->tty && worker->input.kind != STDIN_DEFAULT && entry)
        diag_add_at(&loader->diag, entry->value, "'stdin' and 'tty: true' exclude each other");
    if (worker->input.kind == STDIN_SNAPSHOT && !worker->trigger.given)
        diag_add_at(&loader->diag, entry->value, "'stdin: snapshot' is for workers with a 'trigger'");
    if (worker->input.kind == STDIN_DEFAULT)
        worker->input.kind = worker->trigger.given ? STDIN_SNAPSHOT : STDIN_NULL;
}

/* ---- user ---- */

void user_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_worker *worker = target;
    if (!read_string(loader, "user", node, &worker->user))
        return;
    const char *colon = strchr(worker->user, ':');
    if (worker->user[0] == '\0' || colon == worker->user || (colon && (!colon[1] || strchr(colon + 1, ':'))))
        diag_add_at(&loader->diag, node, "'%.*s' is no user; write NAME, UID, NAME:GROUP or UID:GID",
                    STR_ARG(node->text));
}

/* ---- limits ---- */

static void limit_read(struct loader *loader, enum plan_limit_kind kind, const char *what,
                       const struct node *node, struct plan_limits *limits)
{
    static const struct field count = {.name = "nofile", .low = 3, .high = 1e9};
    struct plan_limit *limit = &limits->items[kind];
    if (node->type == NODE_STRING && str_is(node->text, "unlimited")) {
        *limit = (struct plan_limit){true, -1};
        return;
    }
    limit->given = kind == LIMIT_NOFILE     ? read_int(loader, &count, node, &limit->value)
                   : kind == LIMIT_CPU_TIME ? read_duration(loader, what, node, &limit->value)
                                            : read_size(loader, what, node, &limit->value);
    if (limit->given && kind == LIMIT_CPU_TIME && limit->value < 1000)
        diag_add_at(&loader->diag, node, "'cpu_time' is at least a second");
}

static void nofile_read(struct loader *loader, const struct node *node, void *target)
{
    limit_read(loader, LIMIT_NOFILE, "nofile", node, target);
}

static void core_read(struct loader *loader, const struct node *node, void *target)
{
    limit_read(loader, LIMIT_CORE, "core", node, target);
}

static void cpu_time_read(struct loader *loader, const struct node *node, void *target)
{
    limit_read(loader, LIMIT_CPU_TIME, "cpu_time", node, target);
}

static void address_space_read(struct loader *loader, const struct node *node, void *target)
{
    limit_read(loader, LIMIT_ADDRESS_SPACE, "address_space", node, target);
}

static void nice_read(struct loader *loader, const struct node *node, void *target)
{
    static const struct field field = {.name = "nice", .low = -20, .high = 19};
    struct plan_limits *limits = target;
    int64_t nice;
    if (!read_int(loader, &field, node, &nice))
        return;
    limits->has_nice = true;
    limits->nice = (int)nice;
}

static const struct field memory_fields[] = {
    {.name = "max",
     .type = FIELD_SIZE,
     .offset = offsetof(struct plan_limits, memory),
     .otherwise = "required",
     .help = "the bound"},
    {.name = "optional",
     .type = FIELD_BOOL,
     .offset = offsetof(struct plan_limits, memory_optional),
     .fallback = "false",
     .help = "true: where no bound can be set it runs without, with a warning"},
};
const struct section memory_section = {
    .name = "worker.limits.memory", .fields = memory_fields, .count = LENGTH_OF(memory_fields)};

static void bound_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_limits *limits = target;
    const struct node *max = node;
    limits->memory = -1;
    if (node->type == NODE_MAP) {
        section_read(loader, &memory_section, node, limits);
        max = ynode_get(node, STR("max"));
        if (ynode_is_unset(max)) {
            diag_add_at(&loader->diag, node, "'memory' needs 'max', a size");
            return;
        }
    } else if (!read_size(loader, "memory", node, &limits->memory)) {
        return;
    }
    if (limits->memory >= 0 && limits->memory < MEMORY_MIN)
        diag_add_at(&loader->diag, max, "'memory' is at least 1 MiB: less is not enough to start anything");
}

static const struct field limits_fields[] = {
    {.name = "nofile",
     .type = FIELD_CUSTOM,
     .form = "integer or unlimited",
     .read = nofile_read,
     .otherwise = "that of zproc",
     .help = "open files"},
    {.name = "core",
     .type = FIELD_CUSTOM,
     .form = "size or unlimited",
     .read = core_read,
     .otherwise = "that of zproc",
     .help = "of a core file"},
    {.name = "cpu_time",
     .type = FIELD_CUSTOM,
     .form = "duration or unlimited",
     .read = cpu_time_read,
     .otherwise = "that of zproc",
     .help = "of each process, in whole seconds; then SIGXCPU, and SIGKILL a second later"},
    {.name = "address_space",
     .type = FIELD_CUSTOM,
     .form = "size or unlimited",
     .read = address_space_read,
     .otherwise = "that of zproc",
     .help = "of each process"},
    {.name = "nice",
     .type = FIELD_CUSTOM,
     .form = "integer",
     .read = nice_read,
     .low = -20,
     .high = 19,
     .otherwise = "that of zproc",
     .help = "how much it gives way to others; below zproc's own only as root"},
    {.name = "memory",
     .type = FIELD_CUSTOM,
     .form = "size or map",
     .read = bound_read,
     .section = &memory_section,
     .otherwise = "none",
     .help = "of all its processes together, by a control group; a size is {max: size}"},
};
const struct section limits_section = {
    .name = "worker.limits", .fields = limits_fields, .count = LENGTH_OF(limits_fields)};

/* ---- launchers ---- */

static void launcher_run_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_launcher *launcher = target;
    if (node->type == NODE_LIST && node->count == 0)
        diag_add_at(&loader->diag, node, "'run' is empty; write the command that goes in front");
    else
        read_texts(loader, "run", node, true, &launcher->run);
}

static const struct field launcher_fields[] = {
    {.name = "run",
     .type = FIELD_CUSTOM,
     .form = "list of text",
     .read = launcher_run_read,
     .otherwise = "required",
     .help = "a program and its arguments; the worker's own command comes behind them"},
};
const struct section launcher_section = {
    .name = "launchers", .fields = launcher_fields, .count = LENGTH_OF(launcher_fields)};

void launchers_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan *plan = target;
    if (node->type != NODE_MAP) {
        if (!ynode_is_false(node))
            diag_add_at(&loader->diag, node, "'launchers' must be a map of {run}, not %s",
                        ynode_type_name(node));
        return;
    }
    plan->launchers = memory_take(loader->memory, node->count * sizeof *plan->launchers);
    for (size_t i = 0; i < node->count; i++) {
        const struct node_entry *entry = &node->entries[i];
        if (ynode_is_unset(entry->value) || ynode_is_false(entry->value))
            continue;
        struct plan_launcher *launcher = &plan->launchers[plan->launcher_count++];
        launcher->name = memory_text(loader->memory, entry->key->text);
        if (entry->value->type != NODE_MAP)
            diag_add_at(&loader->diag, entry->value, "'%.*s' must be a map with 'run', not %s",
                        STR_ARG(entry->key->text), ynode_type_name(entry->value));
        else
            section_read(loader, &launcher_section, entry->value, launcher);
        if (entry->value->type == NODE_MAP && ynode_is_unset(ynode_get(entry->value, STR("run"))))
            diag_add_at(&loader->diag, entry->key, "the launcher '%s' has no 'run'", launcher->name);
    }
}

void launcher_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_worker *worker = target;
    const struct plan *plan = loader->plan;
    char *name = NULL;
    if (ynode_is_false(node) || !read_string(loader, "launcher", node, &name))
        return;
    const char **names = memory_take(loader->scratch, (plan->launcher_count + 1) * sizeof *names);
    for (size_t i = 0; i < plan->launcher_count; i++) {
        names[i] = plan->launchers[i].name;
        if (strcmp(names[i], name) == 0)
            worker->launcher = &plan->launchers[i];
    }
    if (worker->launcher)
        return;
    const char *nearest = diag_nearest(&loader->diag, node->text, names, plan->launcher_count);
    diag_add_at(&loader->diag, node, "no launcher '%s'%s%s%s", name, nearest ? "; did you mean '" : "",
                nearest ? nearest : "", nearest ? "'?" : "; 'launchers' at the top level names them");
}
