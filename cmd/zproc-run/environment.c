/* A process environment under construction. */
#include "run_priv.h"

#include <stdlib.h>
#include <unistd.h>

/* What zproc sets for a worker, and secrets: nothing of an outer run may shine through. */
static const char *const own[] = {
    "ZPROC_ADDRESS", "ZPROC_NAMESPACE",  "ZPROC_SESSION",        "ZPROC_KEY_FILE",      "ZPROC_RUN",
    "ZPROC_WORKER",  "ZPROC_REPLICA",    "ZPROC_ATTEMPT",        "ZPROC_TASK",          "ZPROC_REVISION",
    "ZPROC_KEY",     "ZPROC_VALUE",      "ZPROC_DELETED",        "ZPROC_SNAPSHOT",      "ZPROC_VALUE_FILE",
    "ZPROC_LOCK",    "ZPROC_SECRET_KEY", "NOTIFY_SOCKET",        "ZPROC_CLEANUP",       "ZPROC_ITEM",
    "ZPROC_INDEX",   "ZPROC_ITEM_FILE",  "ZPROC_TRIGGER_WORKER", "ZPROC_TRIGGER_STATE",
};

static ptrdiff_t find(const struct environment *environment, const char *name, size_t len)
{
    for (size_t i = 0; i < environment->count; i++)
        if (strncmp(environment->items[i], name, len) == 0 && environment->items[i][len] == '=')
            return (ptrdiff_t)i;
    return -1;
}

static void append(struct environment *environment, char *item)
{
    mem_grow(environment->items, environment->capacity, environment->count + 1);
    environment->items[environment->count++] = item;
    environment->items[environment->count] = NULL;
}

static bool is_own(const char *item)
{
    size_t len = strcspn(item, "=");
    for (size_t i = 0; i < LENGTH_OF(own); i++)
        if (strlen(own[i]) == len && strncmp(own[i], item, len) == 0)
            return true;
    return false;
}

void environment_inherit(struct environment *environment)
{
    for (char **item = environ; *item; item++)
        if (strchr(*item, '=') && !is_own(*item))
            append(environment, mem_text(*item));
}

void environment_set(struct environment *environment, const char *name, const char *value)
{
    ptrdiff_t at = find(environment, name, strlen(name));
    if (at >= 0 && !value) {
        free(environment->items[at]);
        environment->items[at] = environment->items[--environment->count];
        environment->items[environment->count] = NULL;
    } else if (at >= 0) {
        char *item = mem_format("%s=%s", name, value);
        free(environment->items[at]);
        environment->items[at] = item;
    } else if (value) {
        append(environment, mem_format("%s=%s", name, value));
    }
}

const char *environment_get(const struct environment *environment, const char *name)
{
    size_t len = strlen(name);
    ptrdiff_t at = find(environment, name, len);
    return at < 0 ? NULL : environment->items[at] + len + 1;
}

void environment_release(struct environment *environment)
{
    for (size_t i = 0; i < environment->count; i++)
        free(environment->items[i]);
    free(environment->items);
    *environment = (struct environment){0};
}
