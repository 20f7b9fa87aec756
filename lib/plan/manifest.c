/* The manifest's top level: its own keys, the server, variables and initial states. */
#include "plan_priv.h"

#include <stdlib.h>

#define KEY_BYTES_MAX ((size_t)64 * 1024) /* of a key of the state */

void version_read(struct loader *loader, const struct node *node, void *target)
{
    (void)target;
    int64_t version = 0;
    if (node->type != NODE_INT)
        diag_add_at(&loader->diag, node, "'version' must be the number 1, not %s", ynode_type_name(node));
    else if (!ynode_as_int(node, &version) || version != 1)
        diag_add_at(&loader->diag, node, "version %.*s is not known; this zproc reads version 1",
                    STR_ARG(node->text));
}

void name_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan *plan = target;
    if (read_string(loader, "name", node, &plan->name) && plan->name[0] == '\0')
        diag_add_at(&loader->diag, node, "'name' is empty");
}

void vars_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan *plan = target;
    if (node->type != NODE_MAP) {
        diag_add_at(&loader->diag, node, "'vars' must be a map, not %s", ynode_type_name(node));
        return;
    }
    plan->vars = memory_own_value(loader->memory, read_value(loader, node));
}

/* ---- The server ---- */

/* Splits HOST:PORT; false when it is not of this form. least: 0 where the system may choose a port. */
static bool port_split(struct str text, long least, struct str *host)
{
    size_t colon = text.len;
    while (colon > 0 && text.data[colon - 1] != ':')
        colon--;
    if (colon < 2)
        return false;
    long port = 0;
    if (colon == text.len)
        return false;
    for (size_t i = colon; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || port > 65535)
            return false;
        port = port * 10 + (text.data[i] - '0');
    }
    *host = (struct str){text.data, colon - 1};
    return port >= least && port <= 65535;
}

static bool is_loopback(struct str host)
{
    return str_is(host, "localhost") || str_is(host, "[::1]") || str_is(host, "::1") ||
           str_starts_with(host, STR("127."));
}

void address_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan *plan = target;
    struct str host;
    if (!read_string(loader, "address", node, &plan->server.address))
        return;
    struct str address = node->text, ipc = STR("ipc://"), tcp = STR("tcp://");
    bool good = str_starts_with(address, ipc) && address.len > ipc.len;
    if (str_starts_with(address, tcp))
        good = port_split((struct str){address.data + tcp.len, address.len - tcp.len}, 0, &host);
    if (!good)
        diag_add_at(&loader->diag, node,
                    "'%.*s' is not an address; write ipc:// and a path, or tcp:// and HOST:PORT",
                    STR_ARG(address));
}

#define LIMIT_MIN 16384 /* the server's own */

static void limit_check(struct loader *loader, const struct node *map, const char *name, int64_t bytes)
{
    const struct node *node = ynode_get(map, str_of(name));
    int64_t ignored;
    if (!ynode_is_unset(node) && ynode_is_text(node) && size_parse(node->text, &ignored, NULL) &&
        bytes < LIMIT_MIN)
        diag_add_at(&loader->diag, node, "'%s: %.*s' is too little to work with; give it at least %d KiB",
                    name, STR_ARG(node->text), LIMIT_MIN / 1024);
}

void server_finish(struct loader *loader, const struct node *map, void *target)
{
    struct plan *plan = target;
    const struct node *address = ynode_get(map, STR("address"));
    struct str host, tcp = STR("tcp://");
    if (plan->server.external && ynode_is_unset(address))
        diag_add_at(&loader->diag, ynode_entry_get(map, STR("external"))->key,
                    "'external' without 'address'; say where the server is");
    limit_check(loader, map, "log_limit", plan->server.log_limit);
    limit_check(loader, map, "state_limit", plan->server.state_limit);
    const struct node *durability = ynode_get(map, STR("durability"));
    if (!ynode_is_unset(durability) && plan->server.persist && strcmp(plan->server.persist, "none") == 0)
        diag_add_at(&loader->diag, durability,
                    "'durability' has no effect with 'persist: none', which keeps the state in memory");
    if (ynode_is_unset(address) || !ynode_is_text(address) || !str_starts_with(address->text, tcp) ||
        !port_split((struct str){address->text.data + tcp.len, address->text.len - tcp.len}, 0, &host))
        return;
    bool keyed = plan->server.secret_key_file || (loader->options && loader->options->keyed);
    if (!is_loopback(host) && !plan->server.insecure && !keyed)
        diag_add_at(&loader->diag, address,
                    "'%.*s' can be reached from other machines and there is no secret key; set "
                    "'secret_key_file' (see zproc keygen), or use 127.0.0.1, an ipc address, or "
                    "'insecure: true'",
                    STR_ARG(address->text));
}

void run_finish(struct loader *loader, const struct node *map, void *target)
{
    struct plan *plan = target;
    const struct node *shell = ynode_get(map, STR("shell"));
    if (shell && shell->type == NODE_LIST && plan->run.shell.count == 0)
        diag_add_at(&loader->diag, shell, "'shell' is empty; it needs at least the program");
}

/* HOST:PORT of a probe; checked here only when there is no ${{ }} in it. */
void tcp_read(struct loader *loader, const struct node *node, void *target)
{
    struct plan_ready *ready = target;
    struct str host;
    if (read_text(loader, "tcp", node, &ready->tcp) && !ready->tcp.template &&
        !port_split(node->text, 1, &host))
        diag_add_at(&loader->diag, node, "'%.*s' is not HOST:PORT, like 127.0.0.1:8080", STR_ARG(node->text));
}

/* ---- Namespaces ---- */

bool namespace_check(struct loader *loader, const struct node *node)
{
    struct str name = node->text;
    if (name.len == 0 || name.len > 255) {
        diag_add_at(&loader->diag, node, "the name of a namespace has 1 to 255 bytes");
        return false;
    }
    for (size_t pos = 0; pos < name.len;) {
        uint32_t code = utf8_next(name, &pos);
        if (code >= 0x20 && (code < 0x7f || code >= 0xa0))
            continue;
        diag_add_at(&loader->diag, node, "the name of a namespace cannot hold control characters");
        return false;
    }
    return true;
}

/* Workers may read and watch what the supervisor writes there; a manifest may not fill it. */
static bool namespace_writable(struct loader *loader, const struct node *node)
{
    if (!str_is(node->text, "zproc") && !str_starts_with(node->text, STR("zproc.")))
        return true;
    diag_add_at(&loader->diag, node, "the namespace '%.*s' is reserved for zproc itself",
                STR_ARG(node->text));
    return false;
}

static void state_read(struct loader *loader, const char *what, const char *namespace,
                       const struct node *node)
{
    if (!ynode_is_unset(node) && node->type != NODE_MAP) {
        diag_add_at(&loader->diag, node, "'%s' must be a map, not %s", what, ynode_type_name(node));
        return;
    }
    for (size_t i = 0; node && i < node->count; i++)
        if (node->entries[i].key->text.len == 0)
            diag_add_at(&loader->diag, node->entries[i].key, "a key of the state cannot be empty");
        else if (node->entries[i].key->text.len > KEY_BYTES_MAX)
            diag_add_at(&loader->diag, node->entries[i].key, "a key of the state has at most 64 KiB");
    struct plan *plan = loader->plan;
    struct value *state = ynode_is_unset(node) ? value_map() : read_value(loader, node);
    plan->namespaces[plan->namespace_count++] = (struct plan_namespace){
        .name = memory_text(loader->memory, str_of(namespace)),
        .state = memory_own_value(loader->memory, state),
    };
}

static void namespaces_read(struct loader *loader, const struct node *root)
{
    const struct node *state = ynode_get(root, STR("state")), *others = ynode_get(root, STR("namespaces"));
    size_t count = others && others->type == NODE_MAP ? others->count : 0;
    loader->plan->namespaces = memory_take(loader->memory, (count + 1) * sizeof(struct plan_namespace));
    if (!ynode_is_unset(state))
        state_read(loader, "state", "default", state);
    if (others && others->type != NODE_NULL && others->type != NODE_MAP)
        diag_add_at(&loader->diag, others, "'namespaces' must be a map, not %s", ynode_type_name(others));
    for (size_t i = 0; i < count; i++) {
        const struct node *key = others->entries[i].key;
        AUTO_FREE char *name = mem_copy(key->text.data, key->text.len);
        if (!namespace_check(loader, key) || !namespace_writable(loader, key))
            continue;
        if (!ynode_is_unset(state) && str_is(key->text, "default"))
            diag_add_at(&loader->diag, key, "the namespace 'default' has its values under 'state' already");
        else
            state_read(loader, name, name, others->entries[i].value);
    }
}

/* ---- The command line's variables ---- */

static void option_var_read(struct loader *loader, struct value *vars, const char *var)
{
    const char *equals = strchr(var, '=');
    struct err err;
    if (!equals || equals == var) {
        diag_add(&loader->diag, 0, 0, "the variable '%s' has no value; write it as NAME=VALUE", var);
        return;
    }
    struct str name = {var, (size_t)(equals - var)}, text = str_of(equals + 1);
    if (!utf8_valid(str_of(var))) {
        diag_add(&loader->diag, 0, 0, "the variable '%.*s' is not UTF-8", STR_ARG(name));
        return;
    }
    struct value *value = value_parse(text, &err);
    if (!value && err.code == ERR_TOO_LARGE) {
        diag_add(&loader->diag, 0, 0, "the variable '%.*s': %s", STR_ARG(name), err.message);
        return;
    }
    map_set(vars, name, value ? value : value_string(text));
}

static void options_vars_read(struct loader *loader)
{
    struct plan *plan = loader->plan;
    if (!plan->vars)
        plan->vars = memory_own_value(loader->memory, value_map());
    for (size_t i = 0; loader->options && i < loader->options->var_count; i++)
        option_var_read(loader, plan->vars, loader->options->vars[i]);
}

/* ---- All of it ---- */

static void required_check(struct loader *loader, const struct node *root)
{
    if (ynode_is_unset(ynode_get(root, STR("version"))))
        diag_add_at(&loader->diag, root, "the manifest has no 'version'; begin it with 'version: 1'");
    if (!ynode_entry_get(root, STR("workers")))
        diag_add_at(&loader->diag, root, "the manifest has no 'workers'; say there what is to run");
}

void manifest_read(struct loader *loader, const struct node *root)
{
    if (root->type == NODE_NULL) {
        diag_add_at(&loader->diag, root, "the manifest is empty; it needs 'version: 1' and 'workers'");
        return;
    }
    section_read(loader, &manifest_section, root, loader->plan);
    required_check(loader, root);
    options_vars_read(loader);
    namespaces_read(loader, root);
    workers_read(loader, root);
    const struct plan *plan = loader->plan;
    definition_make(loader, &manifest_section, root,
                    (const struct plan_env *const[]){&plan->file_env, &plan->env}, &loader->plan->definition);
    graph_check(loader);
    references_check(loader);
    graph_select(loader);
}
