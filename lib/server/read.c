/* Reads: they take no revision and wake nobody. */
#include "server_priv.h"

/* The revision that a read speaks of: the newest, or the one it asks for. */
static bool read_at(const struct job *job, int64_t *at, int64_t *revision, struct err *err)
{
    *at = request_has(&job->request, at) ? request_int(&job->request, at) : NOW;
    *revision = *at == NOW ? store_revision(job->server->store) : *at;
    if (*at < 0)
        return err_set(err, ERR_INVALID, "'at' must be a revision, from 0");
    return space_covers(job->space, *at, err);
}

/* The value at key and path. Borrowed; NULL with ERR_NOT_FOUND, ERR_TYPE or ERR_INVALID. */
static const struct value *read_find(const struct job *job, int64_t at, struct err *err)
{
    struct str key = request_str(&job->request, key);
    const struct value *value = space_get(job->space, key, at);
    if (!value) {
        err_set(err, ERR_NOT_FOUND, "no such key '%.*s'", STR_ARG(key));
        return NULL;
    }
    if (!request_has(&job->request, path))
        return value;
    value = pointer_get(value, request_str(&job->request, path), err);
    if (!value)
        err_wrap(err, "key '%.*s#%.*s'", STR_ARG(key), STR_ARG(request_str(&job->request, path)));
    return value;
}

bool handle_get(struct job *job, struct err *err)
{
    int64_t at, revision;
    if (!read_at(job, &at, &revision, err))
        return false;
    if (!request_has(&job->request, key)) {
        if (job->value || request_has(&job->request, path))
            return err_set(err, ERR_INVALID, "a default or a path needs a key");
        AUTO_VALUE struct value *map = space_map(job->space, at);
        return job_answer(job, revision, map);
    }
    const struct value *value = read_find(job, at, err);
    if (!value && job->value && err->code == ERR_NOT_FOUND)
        value = job->value;
    return value && job_answer(job, revision, value);
}

static bool answer_bool(struct job *job, int64_t revision, bool b)
{
    AUTO_VALUE struct value *value = value_bool(b);
    return job_answer(job, revision, value);
}

bool handle_has(struct job *job, struct err *err)
{
    int64_t at, revision;
    if (!read_at(job, &at, &revision, err))
        return false;
    bool found = read_find(job, at, err) != NULL;
    if (!found && err->code != ERR_NOT_FOUND)
        return false;
    return answer_bool(job, revision, found);
}

static void add_key(void *ctx, struct str key, const struct value *value)
{
    (void)value;
    list_push(ctx, value_string(key));
}

static void add_value(void *ctx, struct str key, const struct value *value)
{
    (void)key;
    list_push(ctx, value_ref(value));
}

static void add_item(void *ctx, struct str key, const struct value *value)
{
    struct value *pair = value_list();
    list_push(pair, value_string(key));
    list_push(pair, value_ref(value));
    list_push(ctx, pair);
}

static bool answer_list(struct job *job, void (*add)(void *ctx, struct str key, const struct value *value),
                        struct err *err)
{
    int64_t at, revision;
    if (!read_at(job, &at, &revision, err))
        return false;
    AUTO_VALUE struct value *list = value_list();
    space_each(job->space, at, add, list);
    return job_answer(job, revision, list);
}

bool handle_keys(struct job *job, struct err *err)
{
    return answer_list(job, add_key, err);
}

bool handle_values(struct job *job, struct err *err)
{
    return answer_list(job, add_value, err);
}

bool handle_items(struct job *job, struct err *err)
{
    return answer_list(job, add_item, err);
}

bool handle_len(struct job *job, struct err *err)
{
    int64_t at, revision;
    if (!read_at(job, &at, &revision, err))
        return false;
    AUTO_VALUE struct value *value = value_int((int64_t)space_len(job->space, at));
    return job_answer(job, revision, value);
}

bool job_args_valid(const struct job *job, struct err *err)
{
    return !job->value || expr_args_valid(job->value, err);
}

bool handle_eval(struct job *job, struct err *err)
{
    if (!job_args_valid(job, err))
        return false;
    struct expr *expr = expr_parse(request_str(&job->request, expr), err);
    if (!expr)
        return false;
    struct space_view view = {job->space, NOW, -1};
    struct expr_scope scope = space_scope(&view, NULL);
    scope.args = job->value;
    AUTO_VALUE struct value *value = expr_eval(expr, &scope, err);
    expr_free(expr);
    return value && job_answer(job, store_revision(job->server->store), value);
}
