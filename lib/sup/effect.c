/* The list of effects, and what every step adds to it at its end. */
#include "sup_priv.h"

#include <stdlib.h>

void sup_effects_clear(struct sup_effects *effects)
{
    for (size_t i = 0; i < effects->count; i++)
        free(effects->items[i].text);
    effects->count = 0;
}

void sup_effects_release(struct sup_effects *effects)
{
    sup_effects_clear(effects);
    free(effects->items);
    *effects = (struct sup_effects){0};
}

static struct sup_effect *effect_new(struct sup *sup, enum sup_effect_kind kind, const struct task *task)
{
    struct sup_effects *effects = sup->effects;
    mem_grow(effects->items, effects->capacity, effects->count);
    struct sup_effect *effect = &effects->items[effects->count++];
    *effect = (struct sup_effect){.kind = kind, .ref = task ? task->ref : (struct sup_ref){SUP_NO_TASK, 0}};
    return effect;
}

void effect_add(struct sup *sup, enum sup_effect_kind kind, const struct task *task, int64_t number)
{
    struct sup_effect *effect = effect_new(sup, kind, task);
    effect->number = number;
    effect->live = kind == SUP_ARM && number > 0 && task->worker->trigger.overlap == OVERLAP_SKIP;
}

void effect_say(struct sup *sup, const struct task *task, int level, const char *format, ...)
{
    struct buf text = {0};
    va_list args;
    va_start(args, format);
    buf_add_vformat(&text, format, args);
    va_end(args);
    struct sup_effect *effect = effect_new(sup, SUP_SAY, task);
    effect->number = level;
    effect->text = buf_detach(&text);
}

/* Records come before what is forgotten, so that a last record is published under a session that is open. */
void effects_flush(struct sup *sup)
{
    for (size_t i = 0; i < sup->dirty.count; i++) {
        struct task *task = sup->dirty.items[i];
        task->dirty = false;
        effect_add(sup, SUP_STATUS, task, 0);
    }
    for (size_t i = 0; i < sup->dirty.count; i++) {
        struct task *task = sup->dirty.items[i];
        if (!sup_state_final(task->state) || task->forgotten)
            continue;
        task->forgotten = true;
        effect_add(sup, SUP_FORGET, task, 0);
        if (task->parent)
            list_add(&sup->dead, task);
    }
    sup->dirty.count = 0;
    for (size_t i = 0; i < sup->left.count; i++) {
        effect_add(sup, SUP_REMOVE, sup->left.items[i], 0);
        list_add(&sup->dead, sup->left.items[i]);
    }
    sup->left.count = 0;
    if (sup->run_dirty)
        effect_add(sup, SUP_STATUS, NULL, 0);
    sup->run_dirty = false;
}

void list_add(struct list *list, void *item)
{
    mem_grow(list->items, list->capacity, list->count);
    list->items[list->count++] = item;
}

char *duration_text(int64_t ms)
{
    if (ms < 60 * 1000 && ms % 1000 == 0)
        return mem_format("%ds", (int)(ms / 1000));
    struct buf text = {0};
    duration_print(&text, ms);
    return buf_detach(&text);
}
