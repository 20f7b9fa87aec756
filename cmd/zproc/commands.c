/* The table of commands: each stands in a file of its own or of its family. */
#include "command.h"

extern const struct command cmd_get, cmd_has, cmd_keys, cmd_values, cmd_items, cmd_len, cmd_eval;
extern const struct command cmd_set, cmd_del, cmd_update, cmd_replace, cmd_clear, cmd_setdefault, cmd_pop,
    cmd_popitem, cmd_incr, cmd_append, cmd_extend, cmd_remove, cmd_cas, cmd_patch, cmd_atomic, cmd_txn,
    cmd_dump, cmd_load;
extern const struct command cmd_watch, cmd_events, cmd_go_live;
extern const struct command cmd_server, cmd_ping, cmd_stats, cmd_keygen;
extern const struct command cmd_run, cmd_check, cmd_map, cmd_results;
extern const struct command cmd_ps, cmd_attach, cmd_logs, cmd_up, cmd_wait;
extern const struct command cmd_start, cmd_stop, cmd_restart, cmd_signal, cmd_scale, cmd_down, cmd_spawn,
    cmd_return, cmd_reload;

const struct command *const commands[] = {
    &cmd_get,     &cmd_has,  &cmd_keys,    &cmd_values,  &cmd_items,  &cmd_len,        &cmd_eval,
    &cmd_set,     &cmd_del,  &cmd_update,  &cmd_replace, &cmd_clear,  &cmd_setdefault, &cmd_pop,
    &cmd_popitem, &cmd_incr, &cmd_append,  &cmd_extend,  &cmd_remove, &cmd_cas,        &cmd_patch,
    &cmd_atomic,  &cmd_txn,  &cmd_dump,    &cmd_load,    &cmd_watch,  &cmd_events,     &cmd_go_live,
    &cmd_server,  &cmd_ping, &cmd_stats,   &cmd_keygen,  &cmd_run,    &cmd_check,      &cmd_map,
    &cmd_ps,      &cmd_wait, &cmd_results, &cmd_start,   &cmd_stop,   &cmd_restart,    &cmd_signal,
    &cmd_scale,   &cmd_down, &cmd_up,      &cmd_logs,    &cmd_spawn,  &cmd_return,     &cmd_reload,
    &cmd_attach,  NULL,
};

const struct command_later commands_later[] = {
    {"graph", "'zproc run --dry-run' lists what would start, in order"},
    {"import", "'man zproc.yaml' says how to write a manifest"},
    {"init", "'man zproc.yaml' begins with a manifest to copy"},
    {"top", "'watch zproc ps' shows a run as it goes on"},
    {"history", ".zproc/logs has the last runs, 'zproc ps' shows the latest"},
    {"report", "'zproc run --junit FILE' and '--events FILE' write reports"},
    {0},
};

const struct command *command_find(const char *name)
{
    for (const struct command *const *next = commands; *next; next++)
        if (strcmp((*next)->name, name) == 0 || ((*next)->alias && strcmp((*next)->alias, name) == 0))
            return *next;
    return NULL;
}

const char *command_nearest(const char *name)
{
    const char *names[64];
    size_t count = 0;
    for (const struct command *const *next = commands; *next && count < LENGTH_OF(names); next++)
        names[count++] = (*next)->name;
    return str_nearest(str_of(name), names, count);
}

const char *command_elsewhere(const char *name)
{
    static const struct {
        const char *name, *here;
    } words[] = {
        {"status", "zproc ps"},      {"list", "zproc ps"},       {"ls", "zproc ps"},
        {"kill", "zproc signal"},    {"tail", "zproc logs -f"},  {"log", "zproc logs"},
        {"exec", "zproc spawn"},     {"config", "zproc check"},  {"validate", "zproc check"},
        {"reread", "zproc reload"},  {"shutdown", "zproc down"}, {"version", "zproc --version"},
        {"delete", "zproc del"},     {"rm", "zproc del"},        {"subscribe", "zproc watch"},
        {"monitor", "zproc events"}, {"exists", "zproc has"},    {"flush", "zproc clear"},
        {"info", "zproc stats"},
    };
    for (size_t i = 0; i < LENGTH_OF(words); i++)
        if (strcmp(words[i].name, name) == 0)
            return words[i].here;
    return NULL;
}
