/* One value of the manifest at a time: from a node to the type that the plan keeps. */
#include "plan_priv.h"

#include <signal.h>

/* The names that ${{ }} knows. */
static const char *const template_names[] = {"env", "vars", "matrix", "worker", "replica", "run", "needs"};

static bool type_problem(struct loader *loader, const char *what, const char *wanted, const struct node *node)
{
    diag_add_at(&loader->diag, node, "'%s' must be %s, not %s", what, wanted, ynode_type_name(node));
    return false;
}

bool read_bool(struct loader *loader, const char *what, const struct node *node, bool *out)
{
    static const char *const words[] = {"yes", "no",  "on",  "off", "Yes", "No",
                                        "On",  "Off", "YES", "NO",  "y",   "n"};
    if (node->type == NODE_BOOL) {
        *out = !ynode_is_false(node);
        return true;
    }
    for (size_t i = 0; node->type == NODE_STRING && i < LENGTH_OF(words); i++) {
        if (!str_is(node->text, words[i]))
            continue;
        diag_add_at(&loader->diag, node, "'%s' must be true or false; '%s' is text in YAML 1.2", what,
                    words[i]);
        return false;
    }
    return type_problem(loader, what, "true or false", node);
}

bool read_int(struct loader *loader, const struct field *field, const struct node *node, int64_t *out)
{
    int64_t number;
    if (node->type == NODE_FLOAT) {
        diag_add_at(&loader->diag, node, "'%s' must be a whole number, not %.*s", field->name,
                    STR_ARG(node->text));
        return false;
    }
    if (node->type != NODE_INT)
        return type_problem(loader, field->name, "a whole number", node);
    if (!ynode_as_int(node, &number) || (double)number < field->low || (double)number > field->high) {
        diag_add_at(&loader->diag, node, "'%s' must be from %.0f to %.0f, not %.*s", field->name, field->low,
                    field->high, STR_ARG(node->text));
        return false;
    }
    *out = number;
    return true;
}

bool read_number(struct loader *loader, const struct field *field, const struct node *node, double *out)
{
    double number;
    if (node->type != NODE_INT && node->type != NODE_FLOAT)
        return type_problem(loader, field->name, "a number", node);
    if (!ynode_as_double(node, &number) || number < field->low || number > field->high) {
        diag_add_at(&loader->diag, node, "'%s' must be from %g to %g, not %.*s", field->name, field->low,
                    field->high, STR_ARG(node->text));
        return false;
    }
    *out = number;
    return true;
}

bool read_duration(struct loader *loader, const char *what, const struct node *node, int64_t *ms)
{
    struct err err;
    if (!ynode_is_text(node) || node->type == NODE_BOOL)
        return type_problem(loader, what, "a duration like 5s", node);
    if (duration_parse(node->text, ms, &err))
        return true;
    diag_add_at(&loader->diag, node, "'%s': %s", what, err.message);
    return false;
}

bool read_size(struct loader *loader, const char *what, const struct node *node, int64_t *bytes)
{
    struct err err;
    if (!ynode_is_text(node) || node->type == NODE_BOOL)
        return type_problem(loader, what, "a size like 64MiB", node);
    if (size_parse(node->text, bytes, &err))
        return true;
    diag_add_at(&loader->diag, node, "'%s': %s", what, err.message);
    return false;
}

bool read_choice(struct loader *loader, const struct field *field, const struct node *node, int *out)
{
    AUTO_BUF struct buf all = {0};
    size_t count = 0;
    for (; field->choices[count]; count++) {
        if (ynode_is_text(node) && str_is(node->text, field->choices[count])) {
            *out = (int)count;
            return true;
        }
        buf_add_format(&all, "%s%s", count ? ", " : "", field->choices[count]);
    }
    if (!ynode_is_text(node)) {
        diag_add_at(&loader->diag, node, "'%s' must be one of %s, not %s", field->name, all.data,
                    ynode_type_name(node));
        return false;
    }
    const char *nearest = diag_nearest(&loader->diag, node->text, field->choices, count);
    diag_add_at(&loader->diag, node, "'%s' must be one of %s, not '%.*s'%s%s%s", field->name, all.data,
                STR_ARG(node->text), nearest ? "; did you mean '" : "", nearest ? nearest : "",
                nearest ? "'?" : "");
    return false;
}

/* ---- Text ---- */

/* Text that can go to the operating system: no NUL in it. */
static bool text_check(struct loader *loader, const char *what, const struct node *node)
{
    if (!ynode_is_text(node))
        return type_problem(loader, what, "text", node);
    const char *nul = memchr(node->text.data, '\0', node->text.len);
    if (!nul)
        return true;
    diag_add_inside(&loader->diag, node, (size_t)(nul - node->text.data), "'%s' cannot hold a NUL character",
                    what);
    return false;
}

bool read_string(struct loader *loader, const char *what, const struct node *node, char **out)
{
    if (!text_check(loader, what, node))
        return false;
    ptrdiff_t found = str_find(node->text, STR("${{"));
    if (found >= 0) {
        diag_add_inside(&loader->diag, node, (size_t)found, "${{ }} is not possible in '%s'", what);
        return false;
    }
    *out = memory_text(loader->memory, node->text);
    return true;
}

/* Takes " at column N" off the end of an expression's error and returns the byte that it means; 0 when there
 * is none. */
static size_t error_offset(struct str expression, char *message)
{
    static const char mark[] = " at column ";
    char *found = NULL;
    for (char *next = message; (next = strstr(next, mark)); next++)
        found = next;
    size_t column = 0, pos = 0;
    if (!found || sscanf(found + strlen(mark), "%zu", &column) != 1)
        return 0;
    *found = '\0';
    for (size_t i = 1; i < column && pos < expression.len; i++)
        utf8_next(expression, &pos);
    return pos;
}

/* `at` is where expr begins in node's text. */
static void unknown_name(struct loader *loader, const struct node *node, const struct expr *expr, size_t at,
                         struct str name)
{
    size_t place;
    if (!reference_find(expr_text(expr), name, &place)) {
        /* A key that is not a word by itself is one of the state's (state.x, "x" in state), or of old's,
         * which is said anyway. */
        if (expr_uses_old(expr))
            return;
        name = STR("state");
        reference_find(expr_text(expr), name, &place);
    }
    const char *nearest = diag_nearest(&loader->diag, name, template_names, LENGTH_OF(template_names));
    if (nearest)
        diag_add_inside(&loader->diag, node, at + place, "${{ }} knows no name '%.*s'; did you mean '%s'?",
                        STR_ARG(name), nearest);
    else
        diag_add_inside(&loader->diag, node, at + place,
                        "${{ }} knows no name '%.*s', only env, vars, matrix, worker, replica, run and needs",
                        STR_ARG(name));
}

static void names_check(struct loader *loader, const struct node *node, const struct expr *expr, size_t at)
{
    for (size_t i = 0; i < expr_key_count(expr); i++) {
        struct str key = expr_key(expr, i);
        bool known = memchr(key.data, '.', key.len) != NULL; /* its first part is listed too */
        for (size_t j = 0; j < LENGTH_OF(template_names); j++)
            known |= str_is(key, template_names[j]);
        if (!known)
            unknown_name(loader, node, expr, at, key);
    }
    if (expr_uses_state(expr))
        unknown_name(loader, node, expr, at, STR("state"));
    if (expr_uses_old(expr))
        unknown_name(loader, node, expr, at, STR("old"));
    if (expr_uses_changed(expr))
        unknown_name(loader, node, expr, at, STR("changed"));
}

bool read_text(struct loader *loader, const char *what, const struct node *node, struct plan_text *out)
{
    if (!text_check(loader, what, node))
        return false;
    out->raw = memory_text(loader->memory, node->text);
    out->template = NULL;
    if (str_find(node->text, STR("${{")) < 0)
        return true;
    struct err err;
    size_t at = 0;
    struct template *t = template_parse(node->text, &at, &err);
    if (!t) {
        error_offset(node->text, err.message);
        diag_add_inside(&loader->diag, node, at, "'%s': %s", what, err.message);
        return false;
    }
    out->template = memory_own_template(loader->memory, t);
    for (size_t i = 0; i < template_expr_count(t); i++) {
        const struct expr *expr = template_expr(t, i, &at);
        names_check(loader, node, expr, at);
        reference_note(loader, node, expr, at);
    }
    return true;
}

bool read_path(struct loader *loader, const char *what, const struct node *node, struct plan_text *out)
{
    out->folder = node->source ? node->source->base : loader->plan->dir;
    return read_text(loader, what, node, out);
}

bool read_texts(struct loader *loader, const char *what, const struct node *node, bool templates,
                struct plan_texts *out)
{
    if (node->type != NODE_LIST)
        return type_problem(loader, what, "a list", node);
    out->items = memory_take(loader->memory, node->count * sizeof *out->items);
    out->count = node->count;
    bool good = true;
    for (size_t i = 0; i < node->count; i++) {
        const struct node *item = node->entries[i].value;
        if (!ynode_is_text(item)) {
            diag_add_at(&loader->diag, item, "an item of '%s' must be text, not %s", what,
                        ynode_type_name(item));
            good = false;
        } else if (templates) {
            good &= read_text(loader, what, item, &out->items[i]);
        } else {
            good &= read_string(loader, what, item, &out->items[i].raw);
        }
    }
    return good;
}

static bool variable_check(struct loader *loader, const struct node *key)
{
    for (size_t i = 0; i < key->text.len; i++) {
        unsigned char c = (unsigned char)key->text.data[i];
        if (c != '=' && c >= ' ' && c != 0x7f)
            continue;
        diag_add_at(&loader->diag, key, "'%.*s' cannot be the name of a variable", STR_ARG(key->text));
        return false;
    }
    if (key->text.len == 0)
        diag_add_at(&loader->diag, key, "the name of a variable cannot be empty");
    return key->text.len > 0;
}

bool read_env(struct loader *loader, const char *what, const struct node *node, struct plan_env *out)
{
    if (node->type != NODE_MAP)
        return type_problem(loader, what, "a map", node);
    out->items = memory_take(loader->memory, node->count * sizeof *out->items);
    out->count = 0;
    bool good = true;
    for (size_t i = 0; i < node->count; i++) {
        const struct node_entry *entry = &node->entries[i];
        struct plan_variable *variable = &out->items[out->count];
        if (!variable_check(loader, entry->key)) {
            good = false;
            continue;
        }
        variable->name = memory_text(loader->memory, entry->key->text);
        if (!ynode_is_unset(entry->value))
            good &= read_text(loader, variable->name, entry->value, &variable->value);
        out->count++;
    }
    return good;
}

bool read_command(struct loader *loader, const char *what, const struct node *node, struct plan_command *out)
{
    bool list = node->type == NODE_LIST;
    if (!list && !ynode_is_text(node))
        return type_problem(loader, what, "a shell command or a list", node);
    if (list ? node->count == 0 : strspn(node->text.data, " \t\r\n") == node->text.len) {
        diag_add_at(&loader->diag, node, "'%s' is empty; write a shell command or a list", what);
        return false;
    }
    if (list && ynode_is_text(node->entries[0].value) && node->entries[0].value->text.len == 0) {
        diag_add_at(&loader->diag, node->entries[0].value, "the program in '%s' is empty", what);
        return false;
    }
    out->given = true;
    out->shell = !list;
    if (list)
        return read_texts(loader, what, node, true, &out->words);
    out->words.items = memory_take(loader->memory, sizeof *out->words.items);
    out->words.count = 1;
    return read_text(loader, what, node, &out->words.items[0]);
}

bool read_expr(struct loader *loader, const char *what, const struct node *node, struct expr **out)
{
    struct err err;
    if (!ynode_is_text(node))
        return type_problem(loader, what, "an expression", node);
    struct expr *expr = expr_parse(node->text, &err);
    if (!expr) {
        size_t offset = error_offset(node->text, err.message);
        diag_add_inside(&loader->diag, node, offset, "'%s': %s", what, err.message);
        return false;
    }
    *out = memory_own_expr(loader->memory, expr);
    return true;
}

/* ---- Values ---- */

static struct value *number_value(struct loader *loader, const struct node *node)
{
    struct err err;
    int64_t whole;
    double number;
    /* A number that JSON can spell keeps its spelling. */
    struct value *value = value_parse(node->text, &err);
    if (value && (value_type(value) == VALUE_INT || value_type(value) == VALUE_DOUBLE))
        return value;
    value_unref(value);
    if (ynode_as_int(node, &whole))
        return value_int(whole);
    if (node->type == NODE_FLOAT && ynode_as_double(node, &number))
        return value_double(number);
    diag_add_at(&loader->diag, node, "the number %.*s cannot be kept; %s", STR_ARG(node->text),
                node->type == NODE_INT ? "whole numbers have 64 bits" : "it must be finite");
    return NULL;
}

static struct value *map_value(struct loader *loader, const struct node *node)
{
    struct value *map = value_map();
    for (size_t i = 0; i < node->count; i++) {
        const struct node *key = node->entries[i].key;
        if (key->type != NODE_STRING)
            diag_add_at(&loader->diag, key, "a key must be text, not %s; put it in quotes",
                        ynode_type_name(key));
        struct value *item = read_value(loader, node->entries[i].value);
        if (item)
            map_set(map, key->text, item);
    }
    return map;
}

struct value *read_value(struct loader *loader, const struct node *node)
{
    struct value *list;
    switch (node->type) {
    case NODE_NULL:
        return value_null();
    case NODE_BOOL:
        return value_bool(!ynode_is_false(node));
    case NODE_INT:
    case NODE_FLOAT:
        return number_value(loader, node);
    case NODE_STRING:
        return value_string(node->text);
    case NODE_MAP:
        return map_value(loader, node);
    case NODE_LIST:
        break;
    }
    list = value_list();
    for (size_t i = 0; i < node->count; i++) {
        struct value *item = read_value(loader, node->entries[i].value);
        if (item)
            list_push(list, item);
    }
    return list;
}

int signal_number(struct str name)
{
    static const struct {
        const char *name;
        int number;
    } signals[] = {
        {"HUP", SIGHUP},   {"INT", SIGINT},     {"QUIT", SIGQUIT}, {"ILL", SIGILL},   {"TRAP", SIGTRAP},
        {"ABRT", SIGABRT}, {"BUS", SIGBUS},     {"FPE", SIGFPE},   {"KILL", SIGKILL}, {"USR1", SIGUSR1},
        {"SEGV", SIGSEGV}, {"USR2", SIGUSR2},   {"PIPE", SIGPIPE}, {"ALRM", SIGALRM}, {"TERM", SIGTERM},
        {"CHLD", SIGCHLD}, {"CONT", SIGCONT},   {"STOP", SIGSTOP}, {"TSTP", SIGTSTP}, {"TTIN", SIGTTIN},
        {"TTOU", SIGTTOU}, {"URG", SIGURG},     {"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ}, {"VTALRM", SIGVTALRM},
        {"PROF", SIGPROF}, {"WINCH", SIGWINCH}, {"IO", SIGIO},     {"SYS", SIGSYS},
    };
    if (str_starts_with(name, STR("SIG")))
        name = (struct str){name.data + 3, name.len - 3};
    for (size_t i = 0; i < LENGTH_OF(signals); i++)
        if (str_is(name, signals[i].name))
            return signals[i].number;
    return 0;
}
