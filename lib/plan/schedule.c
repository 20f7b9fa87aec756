/* Schedules: `every`, `cron`, `timezone` and what they make of a worker: a trigger whose events are times. */
#include "plan_priv.h"

void every_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_worker *worker = target;
    if (read_duration(loader, "every", node, &worker->schedule.every_ms) && worker->schedule.every_ms == 0)
        diag_add_at(&loader->diag, node, "'every' must be more than 0");
}

void cron_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_worker *worker = target;
    struct err err;
    if (!ynode_is_text(node))
        diag_add_at(&loader->diag, node, "'cron' must be text like \"0 3 * * *\", not %s",
                    ynode_type_name(node));
    else if (!cron_parse(node->text, &worker->schedule.cron, &err))
        diag_add_at(&loader->diag, node, "'cron': %s", err.message);
    worker->schedule.calendar = true;
}

void timezone_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_worker *worker = target;
    struct err err;
    char *name;
    if (!read_string(loader, "timezone", node, &name))
        return;
    struct zone *zone = zone_read(name, &err);
    if (zone)
        worker->schedule.zone = memory_own_zone(loader->memory, zone);
    else
        diag_add_at(&loader->diag, node, "'timezone': %s", err.message);
}

void overlap_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_worker *worker = target;
    static const struct field field = {.name = "overlap", .choices = overlap_choices};
    int overlap = OVERLAP_QUEUE;
    read_choice(loader, &field, node, &overlap);
    worker->schedule.overlap = (enum plan_overlap)overlap;
}

/* The key itself, where it is set; NULL: it is not. */
static const struct node *key_of(const struct node *map, const char *name)
{
    const struct node_entry *entry = ynode_entry_get(map, str_of(name));
    return entry && !ynode_is_unset(entry->value) ? entry->key : NULL;
}

static void fit_check(struct loader *loader, const struct node *key, const struct plan_worker *worker)
{
    if (worker->trigger.given)
        diag_add_at(&loader->diag, key, "'%.*s' and 'trigger' do not fit: one of them says when it runs",
                    STR_ARG(key->text));
    else if (worker->service)
        diag_add_at(&loader->diag, key, "a service cannot have '%.*s': it runs all the time",
                    STR_ARG(key->text));
    else if (worker->restart_always)
        diag_add_at(&loader->diag, key, "'%.*s' and 'restart: always' do not fit: it runs once each time",
                    STR_ARG(key->text));
}

static void zone_default(struct loader *loader, struct plan_schedule *schedule)
{
    if (!loader->local_zone)
        loader->local_zone = memory_own_zone(loader->memory, zone_read(NULL, NULL));
    if (!schedule->zone)
        schedule->zone = loader->local_zone;
}

void schedule_finish(struct loader *loader, const struct node *map, struct plan_worker *worker)
{
    const struct node *every = key_of(map, "every"), *cron = key_of(map, "cron");
    const struct node *timezone = key_of(map, "timezone"), *overlap = key_of(map, "overlap");
    if (timezone && !cron)
        diag_add_at(&loader->diag, timezone, "'timezone' is for 'cron', which is not there");
    if (overlap && !every && !cron)
        diag_add_at(&loader->diag, overlap,
                    "'overlap' is for 'every' and 'cron' here; a trigger has one of its own");
    if (!every && !cron)
        return;
    if (every && cron)
        diag_add_at(&loader->diag, cron, "'every' and 'cron' do not fit: one of them says when it runs");
    fit_check(loader, every ? every : cron, worker);
    zone_default(loader, &worker->schedule);
    worker->trigger.given = true;
    worker->trigger.condition = CONDITION_TIME;
    worker->trigger.overlap = worker->schedule.overlap;
    worker->trigger.drain = false;
    worker->trigger.max = 0;
}
