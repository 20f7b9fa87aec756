/* The names that ${{ }} may use: env, vars, matrix, worker, replica, run, needs. */
#include "run_priv.h"

static struct value *text_value(const char *text)
{
    AUTO_BUF struct buf mended = {0};
    view_add_utf8(&mended, str_of(text));
    return value_string(buf_str(&mended));
}

struct value *scope_env(const struct environment *env)
{
    struct value *map = value_map();
    for (size_t i = 0; i < env->count; i++) {
        size_t len = strcspn(env->items[i], "=");
        struct str name = {env->items[i], len};
        if (utf8_valid(name))
            map_set(map, name, text_value(env->items[i] + len + 1));
    }
    return map;
}

static struct value *run_value(const struct run *run)
{
    struct value *map = value_map();
    map_set(map, STR("id"), text_value(run->id));
    map_set(map, STR("name"), text_value(run->plan->name));
    map_set(map, STR("dir"), text_value(run->folder.run ? run->folder.run : run->plan->dir));
    return map;
}

static struct value *instance_value(const struct sup_task *info)
{
    struct value *map = value_map(), *result = NULL;
    if (info->result)
        result = value_parse(str_of(info->result), NULL);
    map_set(map, STR("status"), text_value(sup_state_name(info->state)));
    map_set(map, STR("exit"), info->status < 0 || info->signal > 0 ? value_null() : value_int(info->status));
    map_set(map, STR("signal"), info->signal > 0 ? value_int(info->signal) : value_null());
    map_set(map, STR("result"), result ? result : value_null());
    return map;
}

/* A need with one instance is that instance; a group is the list of its instances. */
static struct value *need_value(const struct run *run, const struct plan_worker *worker)
{
    AUTO_VALUE struct value *list = value_list();
    size_t group = sup_group_find(run->sup, str_of(worker->name));
    struct sup_task info;
    for (uint32_t i = 0; sup_task_at(run->sup, sup_group_task(run->sup, group, i), &info); i++)
        list_push(list, instance_value(&info));
    return value_ref(value_len(list) == 1 ? list_at(list, 0) : list);
}

static struct value *needs_value(const struct run *run, const struct task *task)
{
    struct value *map = value_map();
    const struct plan_worker *worker = task->worker;
    for (size_t i = 0; run->sup && i < worker->need_count; i++) { /* nothing is known in a dry run */
        const struct plan_worker *need = &task->plan->workers[worker->needs[i].worker];
        map_set(map, str_of(worker->needs[i].name), need_value(run, need));
    }
    return map;
}

struct value *scope_names(const struct scope *scope)
{
    struct value *names = value_map();
    map_set(names, STR("env"), scope_env(scope->env));
    map_set(names, STR("vars"), scope->run->plan->vars ? value_ref(scope->run->plan->vars) : value_map());
    map_set(names, STR("worker"), text_value(scope->task->worker->name));
    map_set(names, STR("replica"), value_int(scope->task->replica));
    map_set(names, STR("matrix"), scope->task->row ? value_ref(scope->task->row->values) : value_map());
    map_set(names, STR("run"), run_value(scope->run));
    map_set(names, STR("needs"), needs_value(scope->run, scope->task));
    return names;
}

bool scope_expand(const struct scope *scope, const struct plan_text *text, struct buf *out, struct err *err)
{
    if (!text->template) {
        buf_add_text(out, text->raw);
        return true;
    }
    AUTO_VALUE struct value *names = scope_names(scope);
    struct expr_scope view = {.args = names, .quote = true};
    return template_expand(text->template, &view, out, err);
}
