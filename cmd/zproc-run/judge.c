/* `if`: the server evaluates it on the state of that moment, with the names of ${{ }} beside its keys. */
#include "run_priv.h"

#include <ctype.h>
#include <stdlib.h>

static void judged(struct run *run, struct task *task, int64_t tag, struct reply *reply)
{
    (void)tag;
    struct sup_event event = {.kind = SUP_IF, .ref = {.task = task->number}, .number = -1};
    AUTO_FREE char *text = NULL;
    if (reply->ok && str_is(reply->value, "true"))
        event.number = 1;
    else if (reply->ok && str_is(reply->value, "false"))
        event.number = 0;
    else if (reply->ok)
        text = mem_format("its 'if' gives %.*s, not true or false", STR_ARG(reply->value));
    else
        text = mem_format("its 'if' cannot be evaluated: %s", reply->error.message);
    event.text = str_of(text);
    run_event(run, event);
}

static bool names(const struct expr *expr, const char *name)
{
    for (size_t i = 0; i < expr_key_count(expr); i++)
        if (str_is(expr_key(expr, i), name))
            return true;
    return false;
}

static size_t word_len(const char *at)
{
    size_t len = 0;
    while (isalnum((unsigned char)at[len]) || at[len] == '_')
        len++;
    return len;
}

/* A variable that is not set is "", as in ${{ }}: the server knows nothing of that. */
static void add_unset(struct value *env, struct str text)
{
    AUTO_FREE char *copy = mem_copy(text.data, text.len);
    for (const char *at = copy; (at = strstr(at, "env.")); at += strlen("env.")) {
        struct str name = {at + strlen("env."), word_len(at + strlen("env."))};
        if (name.len > 0 && !map_get(env, name))
            map_set(env, name, value_string(STR("")));
    }
}

/* The environment is made only for an `if` that asks for it: its texts may not come out before that is known.
 */
static bool names_print(struct run *run, struct task *task, struct buf *out, struct err *err)
{
    struct environment env = {0};
    struct scope scope = {.run = run, .task = task, .env = &env};
    bool ok = !names(task->worker->only_if, "env") || launch_environment(&scope, false, err);
    if (ok) {
        AUTO_VALUE struct value *values = scope_names(&scope);
        AUTO_VALUE struct value *variables = scope_env(&env);
        add_unset(variables, expr_text(task->worker->only_if));
        map_set(values, STR("env"), value_ref(variables));
        value_print(out, values);
    }
    environment_release(&env);
    return ok;
}

void judge_if(struct run *run, struct task *task)
{
    AUTO_BUF struct buf values = {0};
    struct reply failed = {0};
    if (!names_print(run, task, &values, &failed.error)) {
        judged(run, task, 0, &failed);
        return;
    }
    struct request request = {.operation = OP_eval};
    request_set_str(&request, FIELD_ns, str_of(task->worker->namespace));
    request_set_str(&request, FIELD_expr, expr_text(task->worker->only_if));
    state_ask(run, &request, buf_str(&values), judged, task->number, 0);
}
