/* dump and load: namespaces as lines of JSON, one a key: {"ns": …, "key": …, "value": …}. */
#include "command.h"

#include <errno.h>
#include <stdlib.h>

#define LOAD_BYTES (4 * 1024 * 1024) /* of a request, unless one value is larger */

static bool is_reserved(struct str ns)
{
    return str_is(ns, "zproc") || str_starts_with(ns, STR("zproc."));
}

/* ---- dump ---- */

#define DUMP_TRIES 5 /* when the revision falls off the log before all of it was read */

/* What was read: of each namespace the name, a tab (which no name holds) and the answer as it came, a line
 * each. Nothing is printed before all is there, so that it is of one revision. */
struct dump {
    struct context *context;
    const char *only; /* NULL: all namespaces but the reserved ones */
    struct buf text;
};

static bool namespace_read(struct dump *dump, struct str ns, int64_t at, struct err *err)
{
    struct request request = {.operation = OP_items};
    request_set_str(&request, FIELD_ns, ns);
    request_set_int(&request, FIELD_at, at);
    buf_add_str(&dump->text, ns);
    buf_add_char(&dump->text, '\t');
    if (!context_ask_all(dump->context, &request, &dump->text, err))
        return false;
    buf_add_char(&dump->text, '\n');
    return true;
}

/* *begun: the names were there, so that a revision that is lost has fallen off since. */
static bool all_read(struct dump *dump, bool *begun, struct err *err)
{
    struct request request = {.operation = OP_namespaces};
    struct reply reply;
    *begun = false;
    if (!context_ask(dump->context, &request, (struct str){0}, &reply, err))
        return false;
    *begun = true;
    int64_t at = reply.rev;
    AUTO_VALUE struct value *names = value_parse(reply.value, err);
    reply_release(&reply);
    bool done = names != NULL;
    for (size_t i = 0; done && i < value_len(names); i++) {
        struct str ns = value_as_str(list_at(names, i));
        if (dump->only ? str_is(ns, dump->only) : !is_reserved(ns))
            done = namespace_read(dump, ns, at, err);
    }
    return done;
}

/* items: a list of [KEY, VALUE] */
static bool lines_write(struct str ns, struct str items, struct err *err)
{
    AUTO_BUF struct buf text = {0};
    AUTO_VALUE struct value *list = value_parse(items, err);
    const struct value *item;
    if (!list)
        return false;
    for (size_t i = 0; (item = list_at(list, i)); i++) {
        buf_add_text(&text, "{\"ns\":");
        string_print(&text, ns);
        buf_add_text(&text, ",\"key\":");
        string_print(&text, value_as_str(list_at(item, 0)));
        buf_add_text(&text, ",\"value\":");
        value_print(&text, list_at(item, 1));
        buf_add_text(&text, "}\n");
    }
    return text.len == 0 || output_write(&text, err);
}

static bool all_write(struct str text, struct err *err)
{
    while (text.len > 0) {
        size_t line = (size_t)((const char *)memchr(text.data, '\n', text.len) - text.data);
        size_t name = (size_t)((const char *)memchr(text.data, '\t', line) - text.data);
        struct str ns = {text.data, name}, items = {text.data + name + 1, line - name - 1};
        if (!lines_write(ns, items, err))
            return false;
        text = (struct str){text.data + line + 1, text.len - line - 1};
    }
    return true;
}

static int run_dump(struct context *context, struct err *err)
{
    struct dump dump = {.context = context, .only = args_value(&context->args, "namespace")};
    bool begun, read;
    int tries = 0;
    do {
        buf_clear(&dump.text);
        read = all_read(&dump, &begun, err);
    } while (!read && begun && err->code == ERR_LOST && ++tries < DUMP_TRIES);
    if (!read && begun && err->code == ERR_LOST)
        err_wrap(err,
                 "the state changes faster than it is read, %d times in a row; give the server a larger "
                 "--log-limit",
                 DUMP_TRIES);
    bool done = read && all_write(buf_str(&dump.text), err);
    buf_release(&dump.text);
    return done ? 0 : FAILED;
}

const struct command cmd_dump = {
    .name = "dump",
    .group = GROUP_READ,
    .usage = "",
    .summary = "Print all namespaces, or that of -n, as lines of JSON for zproc load",
    .notes = "Each line is {\"ns\":NAMESPACE,\"key\":KEY,\"value\":VALUE}; all are of one revision.\n"
             "Namespaces of runs (zproc, zproc.*) are left out unless -n names them.\n",
    .examples = "  zproc dump > backup.jsonl\n  zproc dump -n scratch | wc -l\n",
    .run = run_dump,
};

/* ---- load ---- */

struct load {
    struct context *context;
    const char *only;   /* of this namespace; NULL: of all */
    struct value *seen; /* namespaces that were replaced already, as a map */
    struct buf ns, map; /* what is to be sent; ns empty: nothing */
    size_t line;
};

static void load_release(struct load *load)
{
    value_unref(load->seen);
    buf_release(&load->ns);
    buf_release(&load->map);
}

/* The first request of a namespace replaces it, the others add to it. */
static bool load_send(struct load *load, struct err *err)
{
    if (load->ns.len == 0)
        return true;
    struct str ns = buf_str(&load->ns);
    bool first = !map_get(load->seen, ns);
    struct request request = {.operation = first ? OP_replace : OP_update};
    struct reply reply;
    buf_add_char(&load->map, '}');
    request_set_str(&request, FIELD_ns, ns);
    if (!context_ask(load->context, &request, buf_str(&load->map), &reply, err))
        return err_wrap(err, "namespace '%.*s'", STR_ARG(ns));
    reply_release(&reply);
    map_set(load->seen, ns, value_null());
    buf_clear(&load->ns);
    buf_clear(&load->map);
    return true;
}

static bool load_add(struct load *load, const struct value *row, struct err *err)
{
    const struct value *ns = map_get(row, STR("ns")), *key = map_get(row, STR("key")),
                       *value = map_get(row, STR("value"));
    if (!ns || !key || !value || value_type(ns) != VALUE_STRING || value_type(key) != VALUE_STRING ||
        value_len(ns) == 0)
        return err_set(err, ERR_INVALID, "it is not {\"ns\":NAMESPACE,\"key\":KEY,\"value\":VALUE}");
    if (load->only && !str_is(value_as_str(ns), load->only))
        return true;
    AUTO_BUF struct buf text = {0};
    value_print(&text, value);
    bool same = str_equal(buf_str(&load->ns), value_as_str(ns));
    if ((!same || load->map.len + text.len > LOAD_BYTES) && !load_send(load, err))
        return false;
    if (load->ns.len == 0)
        buf_add_str(&load->ns, value_as_str(ns));
    buf_add_char(&load->map, load->map.len ? ',' : '{');
    string_print(&load->map, value_as_str(key));
    buf_add_char(&load->map, ':');
    buf_add_str(&load->map, buf_str(&text));
    return true;
}

static bool line_load(struct load *load, struct str line, struct err *err)
{
    load->line++;
    AUTO_VALUE struct value *row = value_parse(line, err);
    return (row && load_add(load, row, err)) || err_wrap(err, "line %zu", load->line);
}

static bool file_load(struct load *load, FILE *file, struct err *err)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    bool done = true;
    while (done && (len = getline(&line, &room, file)) >= 0)
        done = line_load(load, (struct str){line, (size_t)len}, err);
    free(line);
    if (done && ferror(file))
        return err_errno(err, errno, "cannot read");
    return done && load_send(load, err);
}

static int run_load(struct context *context, struct err *err)
{
    const char *path = context->args.operand_count ? context->args.operands[0] : "-";
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "re");
    if (!file) {
        err_errno(err, errno, "cannot open '%s'", path);
        err->code = ERR_INVALID;
        return FAILED;
    }
    struct load load = {
        .context = context, .only = args_value(&context->args, "namespace"), .seen = value_map()};
    bool done = file_load(&load, file, err);
    load_release(&load);
    if (!standard)
        fclose(file);
    return done ? 0 : FAILED;
}

const struct command cmd_load = {
    .name = "load",
    .group = GROUP_WRITE,
    .usage = "[FILE]",
    .operands_max = 1,
    .summary = "Make namespaces equal to what zproc dump printed, from FILE or standard input",
    .notes =
        "Each namespace in it is replaced, in one step unless it is larger than 4 MiB; others stay as they\n"
        "are. With -n only that namespace is loaded. Stops at the first line that cannot be loaded.\n",
    .examples = "  zproc load state.jsonl\n",
    .run = run_load,
};
