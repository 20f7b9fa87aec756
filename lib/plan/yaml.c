/* YAML text to a tree of nodes. The only file that includes libyaml: its event parser gives the places, what
 * it accepts beyond YAML 1.2's core types is refused here. */
#include "plan_priv.h"

#include <stdlib.h>
#include <yaml.h>

struct reader {
    yaml_parser_t yaml;
    struct diag *diag;
    struct plan_memory *memory;
    struct table anchors;
    struct yaml_spent *spent;
};

/* ---- Before libyaml ---- */

static bool character_allowed(uint32_t code)
{
    return code == '\t' || code == '\n' || code == '\r' || (code >= 0x20 && code < 0x7f) || code == 0x85 ||
           (code >= 0xa0 && code != 0xfffe && code != 0xffff);
}

/* libyaml would say "control characters are not allowed" and the like without a line. */
static bool characters_check(struct diag *diag)
{
    struct str text = diag->source->text;
    for (size_t pos = 0; pos < text.len;) {
        size_t start = pos;
        uint32_t code = utf8_next(text, &pos);
        if (!utf8_valid((struct str){text.data + start, pos - start})) {
            diag_add_offset(diag, start, "the byte 0x%02x is not UTF-8; save the file as UTF-8",
                            (unsigned char)text.data[start]);
            return false;
        }
        if (!character_allowed(code)) {
            diag_add_offset(diag, start,
                            "the character U+%04X is not allowed in YAML; in a string in double quotes "
                            "write \"\\x%02X\"",
                            code, code);
            return false;
        }
    }
    return true;
}

/* ---- Syntax errors ---- */

/* What to do about libyaml's messages. */
static const struct {
    const char *problem, *advice;
} advices[] = {
    {"mapping values are not allowed in this context",
     "a ':' cannot stand here; put text that holds ': ' in quotes, or check the indentation"},
    {"did not find expected key", "a key was expected here; check the indentation and the quotes"},
    {"did not find expected '-' indicator", "a '-' was expected here; check the indentation"},
    {"did not find expected ',' or ']'", "a ',' or the list's ']' is missing"},
    {"did not find expected ',' or '}'", "a ',' or the map's '}' is missing"},
    {"could not find expected ':'", "a ':' is missing behind this key"},
    {"found unexpected end of stream", "the text in quotes is not closed"},
    {"found unexpected document indicator", "the text in quotes is not closed"},
    {"did not find expected node content", "a value is missing"},
    {"block sequence entries are not allowed in this context",
     "a '-' cannot stand here; begin the list in a line of its own"},
    {"found unknown escape character",
     "this escape does not exist; in single quotes '\\' is an ordinary character"},
    {"found undefined tag handle", "tags are not supported; put text that begins with '!' in quotes"},
    {"found incompatible YAML document", "only YAML 1.1 and 1.2 can be read"},
};

static const char *advice_find(const char *problem)
{
    for (size_t i = 0; i < LENGTH_OF(advices); i++)
        if (strcmp(problem, advices[i].problem) == 0)
            return advices[i].advice;
    return NULL;
}

/* A reference like ${{ vars.name }}, which YAML takes for a map when it stands without quotes within one. */
static bool is_template(const struct source *source, size_t offset)
{
    if (offset == 0 || offset > source->text.len)
        return false;
    struct str rest = {source->text.data + offset - 1, source->text.len - offset + 1};
    return str_starts_with(rest, STR("${{"));
}

static void syntax_problem(struct reader *r)
{
    const yaml_parser_t *yaml = &r->yaml;
    const char *problem = yaml->problem ? yaml->problem : "the text cannot be read";
    if (yaml->error == YAML_READER_ERROR) {
        diag_add_offset(r->diag, yaml->problem_offset, "not valid YAML: %s", problem);
        return;
    }
    const struct source *source = r->diag->source;
    yaml_mark_t mark = yaml->problem_mark;
    size_t offset = source_offset(source, mark.line + 1, mark.column + 1);
    /* What is missing at the end of the file is better looked for where it begins. */
    bool at_end = offset >= source->text.len && yaml->context;
    if (at_end)
        mark = yaml->context_mark;
    size_t line = mark.line + 1, column = mark.column + 1;
    char c = '\0';
    if (offset < source->text.len)
        c = source->text.data[offset];
    const char *advice = advice_find(problem);
    if (c == '\t')
        diag_add(r->diag, line, column, "not valid YAML: a tab cannot stand here; indent with spaces");
    else if (strcmp(problem, "found character that cannot start any token") == 0)
        diag_add(r->diag, line, column, "not valid YAML: text cannot begin with '%c'; put it in quotes", c);
    else if (yaml->context && yaml->context_mark.line + 1 != line)
        diag_add(r->diag, line, column, "not valid YAML: %s (in what begins in line %zu)",
                 advice ? advice : problem, yaml->context_mark.line + 1);
    else
        diag_add(r->diag, line, column, "not valid YAML: %s%s", advice ? advice : problem,
                 is_template(source, offset) ? "; within { } and [ ] text with ${{ }} needs quotes" : "");
}

/* ---- Nodes ---- */

static bool event_next(struct reader *r, yaml_event_t *event)
{
    if (yaml_parser_parse(&r->yaml, event))
        return true;
    syntax_problem(r);
    return false;
}

static void place_set(const struct reader *r, struct node *node, const yaml_event_t *event)
{
    node->source = r->diag->source;
    node->line = event->start_mark.line + 1;
    node->column = event->start_mark.column + 1;
}

static struct str tag_of(const yaml_char_t *tag)
{
    return str_of((const char *)tag);
}

static void tag_problem(struct reader *r, const struct node *node, struct str tag)
{
    struct str prefix = STR("tag:yaml.org,2002:");
    bool core = str_starts_with(tag, prefix);
    if (core)
        tag = (struct str){tag.data + prefix.len, tag.len - prefix.len};
    diag_add_at(r->diag, node, "the tag '%s%.*s' does not fit here; leave it out", core ? "!!" : "",
                STR_ARG(tag));
}

/* Resolves a scalar with a tag; false when the tag is not one of the core schema or does not fit. */
static bool tag_resolve(struct node *node, struct str tag)
{
    static const struct {
        const char *tag;
        enum node_type type;
    } tags[] = {
        {"!", NODE_STRING},
        {"tag:yaml.org,2002:str", NODE_STRING},
        {"tag:yaml.org,2002:int", NODE_INT},
        {"tag:yaml.org,2002:float", NODE_FLOAT},
        {"tag:yaml.org,2002:bool", NODE_BOOL},
        {"tag:yaml.org,2002:null", NODE_NULL},
    };
    enum node_type found = ynode_resolve(node->text);
    for (size_t i = 0; i < LENGTH_OF(tags); i++) {
        enum node_type type = tags[i].type;
        bool fits = type == NODE_STRING || type == found || (type == NODE_FLOAT && found == NODE_INT);
        if (!str_is(tag, tags[i].tag) || !fits)
            continue;
        node->type = type;
        return true;
    }
    return false;
}

static struct node *scalar_make(struct reader *r, const yaml_event_t *event)
{
    struct node *node = ynode_new(r->memory, NODE_STRING, NULL);
    place_set(r, node, event);
    struct str text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    node->text = (struct str){memory_text(r->memory, text), text.len};
    node->bytes = text.len;
    switch (event->data.scalar.style) {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE:
        node->style = STYLE_SINGLE;
        break;
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
        node->style = STYLE_DOUBLE;
        break;
    case YAML_LITERAL_SCALAR_STYLE:
        node->style = STYLE_LITERAL;
        break;
    case YAML_FOLDED_SCALAR_STYLE:
        node->style = STYLE_FOLDED;
        break;
    default:
        node->style = STYLE_PLAIN;
    }
    struct str tag = tag_of(event->data.scalar.tag);
    if (tag.len == 0)
        node->type = node->style == STYLE_PLAIN ? ynode_resolve(node->text) : NODE_STRING;
    else if (!tag_resolve(node, tag))
        tag_problem(r, node, tag);
    return node;
}

static void anchor_set(struct reader *r, const yaml_char_t *anchor, struct node *node)
{
    if (!anchor)
        return;
    struct str name = str_of((const char *)anchor);
    struct str kept = {memory_text(r->memory, name), name.len};
    table_put(&r->anchors, kept, node);
}

static struct node *alias_find(struct reader *r, const yaml_event_t *event, size_t depth)
{
    struct str name = str_of((const char *)event->data.alias.anchor);
    size_t line = event->start_mark.line + 1, column = event->start_mark.column + 1;
    struct node *node = table_get(&r->anchors, name);
    if (!node) {
        diag_add(r->diag, line, column, "no anchor '&%.*s' stands before this alias", STR_ARG(name));
        return NULL;
    }
    r->spent->alias_nodes += node->nodes;
    r->spent->alias_bytes += node->bytes;
    if (r->spent->alias_nodes > ALIAS_NODES_MAX || r->spent->alias_bytes > ALIAS_BYTES_MAX) {
        diag_add(r->diag, line, column,
                 "the aliases up to here stand for more than %d nodes or %zu MiB of text", ALIAS_NODES_MAX,
                 ALIAS_BYTES_MAX / 1024 / 1024);
        return NULL;
    }
    if (depth + node->height > NODE_DEPTH_MAX) {
        diag_add(r->diag, line, column, "nested more than %d deep", NODE_DEPTH_MAX);
        return NULL;
    }
    return node;
}

static struct node *node_read(struct reader *r, yaml_event_t *event, size_t depth);

/* Reads the next event and, unless it ends the collection, its node; false on failure, *node NULL at the end.
 */
static bool member_read(struct reader *r, yaml_event_type_t end, size_t depth, struct node **node)
{
    yaml_event_t event;
    if (!event_next(r, &event))
        return false;
    *node = event.type == end ? NULL : node_read(r, &event, depth);
    bool good = *node || event.type == end;
    yaml_event_delete(&event);
    return good;
}

static bool list_read(struct reader *r, struct node *list, size_t depth)
{
    struct node *item;
    while (member_read(r, YAML_SEQUENCE_END_EVENT, depth + 1, &item)) {
        if (!item)
            return true;
        ynode_add(r->memory, list, NULL, item);
    }
    return false;
}

static void entry_add(struct reader *r, struct node *map, const struct node *key, const struct node *value)
{
    const struct node_entry *first;
    if (!ynode_is_scalar(key))
        diag_add_at(r->diag, key, "a key must be text, not %s", ynode_type_name(key));
    else if ((first = ynode_entry_get(map, key->text)))
        diag_add_at(r->diag, key, "the key '%.*s' is there already, in line %zu", STR_ARG(key->text),
                    first->key->line);
    else
        ynode_add(r->memory, map, key, value);
}

static bool map_read(struct reader *r, struct node *map, size_t depth)
{
    struct node *key, *value;
    while (member_read(r, YAML_MAPPING_END_EVENT, depth + 1, &key)) {
        if (!key)
            return true;
        if (!member_read(r, YAML_NO_EVENT, depth + 1, &value))
            return false;
        entry_add(r, map, key, value);
    }
    return false;
}

static struct node *collection_read(struct reader *r, const yaml_event_t *event, size_t depth)
{
    bool list = event->type == YAML_SEQUENCE_START_EVENT;
    struct node *node = ynode_new(r->memory, list ? NODE_LIST : NODE_MAP, NULL);
    place_set(r, node, event);
    struct str tag = tag_of(list ? event->data.sequence_start.tag : event->data.mapping_start.tag);
    if (tag.len && !str_is(tag, "!") &&
        !str_is(tag, list ? "tag:yaml.org,2002:seq" : "tag:yaml.org,2002:map"))
        tag_problem(r, node, tag);
    if (depth >= NODE_DEPTH_MAX) {
        diag_add_at(r->diag, node, "nested more than %d deep", NODE_DEPTH_MAX);
        return NULL;
    }
    return (list ? list_read(r, node, depth) : map_read(r, node, depth)) ? node : NULL;
}

static struct node *node_read(struct reader *r, yaml_event_t *event, size_t depth)
{
    struct node *node = NULL;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return alias_find(r, event, depth);
    case YAML_SCALAR_EVENT:
        node = scalar_make(r, event);
        anchor_set(r, event->data.scalar.anchor, node);
        return node;
    case YAML_SEQUENCE_START_EVENT:
        if ((node = collection_read(r, event, depth)))
            anchor_set(r, event->data.sequence_start.anchor, node);
        return node;
    case YAML_MAPPING_START_EVENT:
        if ((node = collection_read(r, event, depth)))
            anchor_set(r, event->data.mapping_start.anchor, node);
        return node;
    default:
        return NULL;
    }
}

/* ---- The document ---- */

/* The next event's type; a type in which there is nothing more to read on failure. */
static yaml_event_type_t event_skip(struct reader *r, size_t *line)
{
    yaml_event_t event;
    if (!event_next(r, &event))
        return YAML_NO_EVENT;
    yaml_event_type_t type = event.type;
    *line = event.start_mark.line + 1;
    yaml_event_delete(&event);
    return type;
}

static struct node *document_read(struct reader *r)
{
    size_t line;
    struct node *root;
    if (event_skip(r, &line) != YAML_STREAM_START_EVENT)
        return NULL;
    yaml_event_type_t type = event_skip(r, &line);
    if (type == YAML_STREAM_END_EVENT)
        return ynode_new(r->memory, NODE_NULL,
                         &(struct node){.source = r->diag->source, .line = 1, .column = 1});
    if (type != YAML_DOCUMENT_START_EVENT || !member_read(r, YAML_NO_EVENT, 0, &root) ||
        event_skip(r, &line) != YAML_DOCUMENT_END_EVENT)
        return NULL;
    type = event_skip(r, &line);
    if (type == YAML_DOCUMENT_START_EVENT)
        diag_add(r->diag, line, 1, "a second document begins here; a manifest is one document");
    return type == YAML_NO_EVENT ? NULL : root;
}

const struct node *yaml_read(struct diag *diag, struct plan_memory *memory, struct yaml_spent *spent)
{
    if (!characters_check(diag))
        return NULL;
    struct reader r = {.diag = diag, .memory = memory, .spent = spent};
    if (!yaml_parser_initialize(&r.yaml)) {
        diag_add(diag, 0, 0, "the YAML parser cannot be started: out of memory");
        return NULL;
    }
    struct str text = diag->source->text;
    yaml_parser_set_encoding(&r.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.yaml, (const unsigned char *)text.data, text.len);
    struct node *root = document_read(&r);
    yaml_parser_delete(&r.yaml);
    table_release(&r.anchors);
    return root;
}
