/* map: a command for each item of a list, several at once, with the results in the list's order. */
#include "map.h"

#include "guardian.h"
#include "records.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "proc.h"

#define JOBS_MAX      4096
#define VARIABLES_MAX 3 /* of an item */

static const struct option options[] = {
    {'j', "jobs", "N", "N processes at once (default: as many as there are processors)"},
    {'l', "lines", NULL, "N processes stay: an item is a line of their input, its result a line of output"},
    {'k', "keep-going", NULL, "do all items, also after one has failed"},
    {'r', "retry", "N", "try an item that fails up to N times more"},
    {'a', "arg-file", "FILE", "read the items from FILE instead of standard input"},
    {'0', "null", NULL, "items end in NUL characters instead of newlines"},
    {0, "json-lines", NULL, "items are JSON values, one a line; strings are handed on as they are meant"},
    {0, "stateful", NULL,
     "the processes have a state: that of --address or of the run, else one of their own"},
    {0, "task", NULL, "let the supervisor of the run do it; prints the task's name, for 'zproc results'"},
    RUN_OPTION,
    {0},
};

/* ---- Arguments ---- */

static bool usage_check(const struct args *args, struct err *err)
{
    static const char *const stateful[] = {"address", "namespace", "session"};
    if (args->dashes > 0 && args->operand_count > 0)
        return err_set(err, ERR_INVALID, "write the command behind '--': zproc map -- CMD... ::: ITEM...");
    if (args->dashes == args->operand_count || args->operand_count == 0)
        return err_set(err, ERR_INVALID, "no command behind '--'");
    if (args_has(args, "json"))
        return err_set(err, ERR_INVALID, "'--json' has no meaning here; '--json-lines' reads items as JSON");
    if (args_has(args, "run") && !args_has(args, "task"))
        return err_set(err, ERR_INVALID, "option '--run' needs '--task'");
    if (args_has(args, "null") && args_has(args, "json-lines"))
        return err_set(err, ERR_INVALID, "options '--null' and '--json-lines' exclude each other");
    for (size_t i = 0; i < LENGTH_OF(stateful); i++)
        if (args_has(args, stateful[i]) && !args_has(args, "stateful") && !args_has(args, "task"))
            return err_set(err, ERR_INVALID, "option '--%s' needs '--stateful'", stateful[i]);
    return true;
}

static bool jobs_find(struct map *map, const struct args *args, struct err *err)
{
    cpu_set_t set;
    int64_t jobs = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    if (!args_number(args, "jobs", &jobs, err))
        return false;
    map->worker_count = map->slot_count = (size_t)jobs;
    return (jobs > 0 && jobs <= JOBS_MAX) ||
           err_set(err, ERR_INVALID, "option '--jobs' needs a number from 1 to %d", JOBS_MAX);
}

/* The command, and the items behind ":::"; *items stays NULL when there are none. */
static bool operands_split(struct map *map, const struct args *args, const char *const **items, size_t *count,
                           struct err *err)
{
    const char *const *operands = args->operands;
    map->argv = operands;
    for (map->argc = 0; map->argc < args->operand_count; map->argc++) {
        if (strcmp(operands[map->argc], ":::") == 0)
            break;
        map->braces = map->braces || strstr(operands[map->argc], "{}");
    }
    if (map->argc == 0)
        return err_set(err, ERR_INVALID, "no command before ':::'");
    if (map->argc == args->operand_count)
        return true;
    *items = operands + map->argc + 1;
    *count = args->operand_count - map->argc - 1;
    for (size_t i = 0; i < *count; i++)
        if (strcmp((*items)[i], ":::") == 0)
            return err_set(err, ERR_UNSUPPORTED, "more than one ':::' is not supported yet");
    return true;
}

static bool stream_open(struct map *map, const struct args *args, struct err *err)
{
    const char *path = args_value(args, "arg-file");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : STDIN_FILENO;
    if (fd < 0)
        return err_set(err, ERR_INVALID, "cannot read '%s': %s", path, strerror(errno));
    source_stream(&map->source, fd,
                  args_has(args, "null")         ? SOURCE_NULL
                  : args_has(args, "json-lines") ? SOURCE_JSON
                                                 : SOURCE_LINES);
    map->source.whole = map->mode == &map_lines;
    return true;
}

static bool source_open(struct map *map, const struct args *args, struct err *err)
{
    static const char *const of_streams[] = {"arg-file", "null", "json-lines"};
    const char *const *items = NULL;
    size_t count = 0;
    if (!operands_split(map, args, &items, &count, err))
        return false;
    if (map->braces && map->mode == &map_lines)
        return err_set(err, ERR_INVALID, "with '--lines' items are lines of input: '{}' has no meaning");
    if (!items)
        return stream_open(map, args, err);
    for (size_t i = 0; i < LENGTH_OF(of_streams); i++)
        if (args_has(args, of_streams[i]))
            return err_set(err, ERR_INVALID, "option '--%s' has no meaning with items behind ':::'",
                           of_streams[i]);
    source_operands(&map->source, items, count);
    return true;
}

/* ---- What processes get ---- */

static bool is_ours(const char *entry, bool stateful)
{
    static const char *const names[] = {"ZPROC_ITEM=", "ZPROC_INDEX=", "ZPROC_ITEM_FILE=", "ZPROC_ADDRESS="};
    for (size_t i = 0; i < LENGTH_OF(names) - stateful; i++)
        if (strncmp(entry, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static void env_make(struct map *map)
{
    size_t count = 0;
    while (environ[count])
        count++;
    map->env = mem_array(count + 1 + VARIABLES_MAX + 1, sizeof *map->env);
    for (size_t i = 0; i < count; i++)
        if (!is_ours(environ[i], map->stateful))
            map->env[map->env_own++] = environ[i];
    if (!map->stateful)
        map->env[map->env_own++] = (char *)"ZPROC_ADDRESS=none";
}

static void state_set(const struct args *args)
{
    static const struct {
        const char *option, *variable;
    } table[] = {
        {"address", "ZPROC_ADDRESS"}, {"namespace", "ZPROC_NAMESPACE"}, {"session", "ZPROC_SESSION"}};
    for (size_t i = 0; i < LENGTH_OF(table); i++)
        if (args_has(args, table[i].option))
            setenv(table[i].variable, args_value(args, table[i].option), 1);
}

static bool signals_open(struct map *map, struct err *err)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    for (size_t i = 0; i < LENGTH_OF(numbers); i++) {
        struct sigaction action; /* what is ignored (nohup) stays so */
        if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&set, numbers[i]);
    }
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 ||
        (map->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
        return err_errno(err, errno, "cannot wait for signals");
    map->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return map->null >= 0 || err_errno(err, errno, "cannot open '/dev/null'");
}

static void workers_make(struct map *map)
{
    map->workers = mem_array(map->slot_count, sizeof *map->workers);
    for (size_t i = 0; i < map->slot_count; i++)
        map->workers[i] =
            (struct worker){.place = i, .in = -1, .out = -1, .err = -1, .item = MAP_NONE, .drain_until = -1};
}

static bool map_configure(struct map *map, struct err *err)
{
    const struct args *args = &map->context->args;
    map->mode = args_has(args, "lines") ? &map_lines : &map_spawn;
    map->keep_going = args_has(args, "keep-going");
    map->stateful = args_has(args, "stateful");
    map->verbose = map->context->verbose;
    return usage_check(args, err) && jobs_find(map, args, err) &&
           args_number(args, "retry", &map->retry, err) && source_open(map, args, err);
}

static bool map_open(struct map *map, struct err *err)
{
    state_set(&map->context->args);
    env_make(map);
    map->path = strstr(map->argv[0], "{}") ? NULL : spawn_find(map->argv[0], map->env);
    workers_make(map);
    order_open(&map->order);
    map->order.whole = map->retry > 0;
    tell_open(&map->tell, map->context);
    if (map->tell.bar)
        map->source.ahead = 1 << 20;
    return signals_open(map, err) && tree_adopt(err);
}

static void map_release(struct map *map)
{
    for (size_t i = 0; i < map->slot_count && map->workers; i++)
        worker_release(&map->workers[i]);
    free(map->workers);
    free(map->again);
    free(map->env);
    free(map->path);
    source_release(&map->source);
    order_release(&map->order);
    fd_close(&map->signals);
    fd_close(&map->null);
}

/* ---- Its end ---- */

static void summary(struct map *map)
{
    bool left = map->order.next > map->ended || source_total(&map->source) != map->order.next;
    if (map->stop_signal && map->stop_signal != SIGPIPE) {
        const char *name = sigabbrev_np(map->stop_signal);
        tell(map, "stopped by SIG%s", name ? name : "?");
    }
    if (map->stop_signal || map->failed == 0)
        return;
    if (left && !map->keep_going)
        tell(map, "stopped after a failure; --keep-going does the rest too");
    else if (map->failed > 1)
        tell(map, "%lld of %lld items failed", (long long)map->failed, (long long)map->ended);
}

static int map_status(const struct map *map)
{
    if (map->stop_signal)
        return 128 + map->stop_signal;
    return map->failed > 0 ? map->failed_status : map->status;
}

static int map_run(struct context *context, struct err *err)
{
    struct map map = {.context = context,
                      .source.fd = -1,
                      .order = {.own = -1, .spill = -1},
                      .signals = -1,
                      .null = -1,
                      .kill_at = -1,
                      .failed_number = MAP_NONE};
    int status = FAILED;
    bool configured = map_configure(&map, err);
    if (configured && args_has(&context->args, "task")) {
        status = map_task(&map, err);
    } else if (configured && map_open(&map, err)) {
        context->failure_status = 125;
        if (map_loop(&map, err)) {
            summary(&map);
            status = map_status(&map);
        } else if (map.status) {
            context->failure_status = map.status;
        }
    }
    map_release(&map);
    return status;
}

/* ---- A state of its own ---- */

/* zproc-run -- zproc map, with the same arguments. */
static int map_in_run(struct context *context, struct err *err)
{
    const struct args *args = &context->args;
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    char *program = len > 0 ? program_find("zproc-run", err) : NULL;
    if (len <= 0)
        err_errno(err, errno, "cannot find this program");
    if (!program)
        return FAILED;
    self[len] = '\0';
    char **argv = mem_array(args->given_count + args->operand_count + 6, sizeof *argv);
    size_t count = 0;
    argv[count++] = program;
    argv[count++] = mem_text("--");
    argv[count++] = mem_text(self);
    argv[count++] = mem_text("map");
    for (size_t i = 0; i < args->given_count; i++) {
        const struct given *given = &args->given[i];
        argv[count++] = given->value ? mem_format("--%s=%s", given->row->name, given->value)
                                     : mem_format("--%s", given->row->name);
    }
    argv[count++] = mem_text("--");
    for (size_t i = 0; i < args->operand_count; i++)
        argv[count++] = mem_text(args->operands[i]);
    int status = guardian_run(argv, err);
    for (size_t i = 0; i < count; i++)
        free(argv[i]);
    free(argv);
    return status;
}

static bool has_state(const struct args *args)
{
    const char *address = getenv("ZPROC_ADDRESS");
    return args_has(args, "address") || (address && *address && strcmp(address, "none") != 0);
}

static int run_map(struct context *context, struct err *err)
{
    if (args_has(&context->args, "stateful") && !args_has(&context->args, "task") &&
        !has_state(&context->args))
        return usage_check(&context->args, err) ? map_in_run(context, err) : FAILED;
    return map_run(context, err);
}

const struct command cmd_map = {
    .name = "map",
    .group = GROUP_RUN,
    .usage = "-- CMD... [::: ITEM...]",
    .operands_max = OPERANDS_ANY,
    .summary = "Run CMD for each ITEM (or line of input), several at once, and print the results in order",
    .notes =
        "The item is CMD's last argument, or stands where CMD has {}; it is $ZPROC_ITEM too, and\n"
        "$ZPROC_INDEX counts from 0. The output of an item is printed when its turn comes. After a\n"
        "failure no more items are begun, unless --keep-going. The exit status is that of the failed item\n"
        "with the lowest index. With --lines CMD must print a line for each line that it reads.\n",
    .options = options,
    .examples = "  zproc map -j 4 -- gzip -k ::: *.log\n"
                "  find . -name '*.json' -print0 | zproc map -0 -- wc -c\n"
                "  zproc map --keep-going --retry 2 -a names -- touch {}.txt {}.md\n"
                "  task=$(zproc map --task -- ./render ::: *.scene); zproc results \"$task\"\n"
                "  seq 1000 | zproc map --lines -- awk '{ print $1 * $1 }'\n",
    .run = run_map,
};
