/* The JSON Schema of the manifest, for editors. It knows types, choices and bounds; what hangs together over
 * several keys is for the program to check. */
#include "generate.h"
#include "plan.h"

#include <stdlib.h>

/* Types in the words of the manifest's table. A key may always be null: not set. */
static const struct {
    const char *type, *schema;
} types[] = {
    {"bool", "\"type\": [\"boolean\", \"null\"]"},
    {"integer", "\"type\": [\"integer\", \"null\"]"},
    {"integer or null", "\"type\": [\"integer\", \"null\"]"},
    {"number", "\"type\": [\"number\", \"null\"]"},
    {"duration", "\"$ref\": \"#/$defs/duration\""},
    {"size", "\"$ref\": \"#/$defs/size\""},
    {"text", "\"$ref\": \"#/$defs/text\""},
    {"key", "\"$ref\": \"#/$defs/text\""},
    {"expression", "\"$ref\": \"#/$defs/text\""},
    {"regular expression", "\"$ref\": \"#/$defs/text\""},
    {"command", "\"$ref\": \"#/$defs/command\""},
    {"address", "\"type\": [\"string\", \"null\"], \"pattern\": \"^(ipc|tcp)://.\""},
    {"HOST:PORT", "\"type\": [\"string\", \"null\"], \"pattern\": \":\""},
    {"signal", "\"type\": [\"string\", \"null\"], \"pattern\": \"^(SIG)?[A-Z]+[0-9]?$\""},
    {"list of text", "\"$ref\": \"#/$defs/words\""},
    {"list of keys", "\"$ref\": \"#/$defs/words\""},
    {"list of statuses", "\"type\": [\"array\", \"null\"], \"minItems\": 1, "
                         "\"items\": {\"type\": \"integer\", \"minimum\": 0, \"maximum\": 255}"},
    {"list of statuses, ranges, signals, timeout, lost",
     "\"type\": [\"array\", \"null\"], \"minItems\": 1, \"items\": {\"type\": [\"integer\", \"string\"]}"},
    {"list of values", "\"type\": [\"array\", \"null\"]"},
    {"list of lists of text", "\"type\": [\"array\", \"null\"], \"items\": {\"$ref\": \"#/$defs/words\"}"},
    {"list of maps of text", "\"type\": [\"array\", \"null\"], \"items\": {\"type\": \"object\", "
                             "\"additionalProperties\": {\"$ref\": \"#/$defs/text\"}}"},
    {"map of text",
     "\"type\": [\"object\", \"null\"], \"additionalProperties\": {\"$ref\": \"#/$defs/text\"}"},
    {"map of values", "\"type\": [\"object\", \"null\"]"},
    {"map of maps of values",
     "\"type\": [\"object\", \"null\"], \"additionalProperties\": {\"type\": [\"object\", \"null\"]}"},
    {"map of one worker",
     "\"type\": [\"object\", \"null\"], \"minProperties\": 1, \"maxProperties\": 1, "
     "\"additionalProperties\": {\"enum\": [\"started\", \"ready\", \"succeeded\", \"failed\", "
     "\"ended\", \"retrying\", \"stopped\", \"skipped\"]}"},
    {"map of one key", "\"type\": [\"object\", \"null\"], \"minProperties\": 1, \"maxProperties\": 1"},
    {"map of workers", "\"type\": [\"object\", \"null\"], \"propertyNames\": {\"$ref\": \"#/$defs/name\"}, "
                       "\"additionalProperties\": {\"$ref\": \"#/$defs/worker\"}"},
    {"integer or unlimited", "\"anyOf\": [{\"type\": [\"integer\", \"null\"]}, {\"const\": \"unlimited\"}]"},
    {"size or unlimited", "\"anyOf\": [{\"$ref\": \"#/$defs/size\"}, {\"const\": \"unlimited\"}]"},
    {"duration or unlimited", "\"anyOf\": [{\"$ref\": \"#/$defs/duration\"}, {\"const\": \"unlimited\"}]"},
    {"map of launchers", "\"type\": [\"object\", \"boolean\", \"null\"], \"not\": {\"const\": true}, "
                         "\"additionalProperties\": {\"$ref\": \"#/$defs/launchers\"}"},
    {"list of maps", "\"anyOf\": [{\"type\": [\"array\", \"null\"], \"items\": {\"type\": \"object\", "
                     "\"minProperties\": 1}}, {\"const\": false}]"},
    {"list of files", "\"type\": [\"array\", \"null\"], \"items\": {\"anyOf\": [{\"type\": \"string\"}, "
                      "{\"$ref\": \"#/$defs/include\"}]}"},
    {"worker", "\"$ref\": \"#/$defs/worker\""},
};

/* What the types above refer to. */
static const char *const definitions[] = {
    "\"name\": {\"pattern\": \"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$\", \"not\": {\"const\": \"run\"}}",
    "\"text\": {\"type\": [\"string\", \"number\", \"boolean\", \"null\"]}",
    "\"words\": {\"type\": [\"array\", \"null\"], "
    "\"items\": {\"type\": [\"string\", \"number\", \"boolean\"]}}",
    "\"duration\": {\"type\": [\"string\", \"number\", \"null\"], \"minimum\": 0, "
    "\"pattern\": \"^([0-9.]+|([0-9.]+([mM]?[sS]|[mMhHdD]))+)$\"}",
    "\"size\": {\"type\": [\"string\", \"number\", \"null\"], \"minimum\": 0, "
    "\"pattern\": \"^[0-9.]+([bB]|[kKmMgG]([iI]?[bB])?)?$\"}",
    "\"command\": {\"type\": [\"string\", \"number\", \"boolean\", \"array\", \"null\"], \"minItems\": 1, "
    "\"items\": {\"type\": [\"string\", \"number\", \"boolean\"]}}",
};

/* A section is a map, or false: what lies below it is then not used. */
#define SECTION_TYPE "\"type\": [\"object\", \"boolean\", \"null\"], \"not\": {\"const\": true}"

struct row {
    struct plan_key key;
    char *type; /* owned: the key's own does not outlive its visit */
};
struct rows {
    struct row *items;
    size_t count, capacity;
};

static void row_add(void *ctx, const struct plan_key *key)
{
    struct rows *rows = ctx;
    mem_grow(rows->items, rows->capacity, rows->count);
    rows->items[rows->count++] = (struct row){*key, mem_text(key->type)};
}

static void rows_release(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        free(rows->items[i].type);
    free(rows->items);
}

/* "one of a, b, c" */
static void choices_add(struct buf *buf, const char *type)
{
    buf_add_text(buf, "\"enum\": [");
    for (const char *next = type + strlen("one of "); *next; next += strspn(next, ", ")) {
        size_t len = strcspn(next, ",");
        buf_add_format(buf, "\"%.*s\", ", (int)len, next);
        next += len;
    }
    buf_add_text(buf, "null]");
}

/* A list of names, or a map from names to a word or a section. */
static void needs_add(struct buf *buf, const char *section)
{
    buf_add_format(buf,
                   "\"anyOf\": [{\"$ref\": \"#/$defs/words\"}, {" SECTION_TYPE
                   ", \"additionalProperties\": {\"anyOf\": [{\"$ref\": \"#/$defs/%s/properties/is\"}, "
                   "{\"$ref\": \"#/$defs/%s\"}]}}]",
                   section, section);
}

/* A file, a section that names one, or a list of these. */
static void file_add(struct buf *buf, const char *section)
{
    buf_add_format(
        buf,
        "\"anyOf\": [{\"type\": [\"string\", \"null\"]}, {\"$ref\": \"#/$defs/%s\"}, {\"type\": "
        "\"array\", \"items\": {\"anyOf\": [{\"type\": \"string\"}, {\"$ref\": \"#/$defs/%s\"}]}}]",
        section, section);
}

static bool type_add(struct buf *buf, const struct row *row, struct err *err)
{
    const struct plan_key *key = &row->key;
    AUTO_FREE char *section =
        *key->section ? mem_format("%s.%s", key->section, key->name) : mem_text(key->name);
    if (strcmp(row->type, "map") == 0) {
        buf_add_format(buf, "\"$ref\": \"#/$defs/%s\"", section);
        return true;
    }
    if (strcmp(row->type, "integer or map") == 0) {
        buf_add_format(buf, "\"anyOf\": [{\"type\": \"integer\"}, {\"$ref\": \"#/$defs/%s\"}]", section);
        return true;
    }
    if (strcmp(row->type, "text or map") == 0 || strcmp(row->type, "size or map") == 0) {
        buf_add_format(buf, "\"anyOf\": [{\"$ref\": \"#/$defs/%.4s\"}, {\"$ref\": \"#/$defs/%s\"}]",
                       row->type, section);
        return true;
    }
    if (strcmp(row->type, "file, map or list") == 0) {
        file_add(buf, section);
        return true;
    }
    if (strcmp(row->type, "list or map") == 0) {
        needs_add(buf, section);
        return true;
    }
    if (str_starts_with(str_of(row->type), STR("one of "))) {
        choices_add(buf, row->type);
        return true;
    }
    for (size_t i = 0; i < LENGTH_OF(types); i++)
        if (strcmp(types[i].type, row->type) == 0) {
            buf_add_text(buf, types[i].schema);
            return true;
        }
    return err_set(err, ERR_INVALID, "the type '%s' of '%s' has no schema in man/schema.c", row->type,
                   section);
}

static void description_add(struct buf *buf, const struct plan_key *key)
{
    AUTO_BUF struct buf text = {0};
    buf_add_text(&text, key->help);
    if (*key->fallback && strcmp(key->fallback, "required") != 0)
        buf_add_format(&text, "; default: %s", key->fallback);
    buf_add_text(buf, ", \"description\": \"");
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            buf_add_char(buf, '\\');
        buf_add_char(buf, text.data[i]);
    }
    buf_add_char(buf, '"');
}

static bool property_add(struct buf *buf, const struct row *row, struct err *err)
{
    const struct plan_key *key = &row->key;
    buf_add_format(buf, "\"%s\": {", key->name);
    if (!type_add(buf, row, err))
        return false;
    if (key->high > 0)
        buf_add_format(buf, ", \"minimum\": %g, \"maximum\": %.15g", key->low, key->high);
    description_add(buf, key);
    buf_add_char(buf, '}');
    return true;
}

/* The members of a section's schema, each line behind indent blanks. */
static bool section_add(struct buf *buf, const struct rows *rows, const char *section, int indent,
                        struct err *err)
{
    const char *before = "";
    bool ignores = false;
    bool open = strcmp(section, "worker.matrix") == 0;
    buf_add_format(buf, "%*s\"additionalProperties\": %s,\n%*s\"properties\": {", indent, "",
                   open ? "{\"anyOf\": [{\"$ref\": \"#/$defs/words\"}, {\"const\": false}]}" : "false",
                   indent, "");
    for (size_t i = 0; i < rows->count; i++) {
        const struct plan_key *key = &rows->items[i].key;
        if (strcmp(key->section, section) != 0)
            continue;
        if (strcmp(rows->items[i].type, "any") == 0) {
            ignores = true;
            continue;
        }
        buf_add_format(buf, "%s\n%*s", before, indent + 2, "");
        before = ",";
        if (!property_add(buf, &rows->items[i], err))
            return false;
    }
    buf_add_format(buf, "\n%*s}", indent, "");
    if (ignores)
        buf_add_format(buf, ",\n%*s\"patternProperties\": {\"^x-\": true}", indent, "");
    buf_add_char(buf, '\n');
    return true;
}

static void required_add(struct buf *buf, const struct rows *rows)
{
    const char *before = "  \"required\": [";
    for (size_t i = 0; i < rows->count; i++) {
        const struct plan_key *key = &rows->items[i].key;
        /* Below the top level a key may come from defaults or a template. */
        if (*key->section || strcmp(key->fallback, "required") != 0)
            continue;
        buf_add_format(buf, "%s\"%s\"", before, key->name);
        before = ", ";
    }
    buf_add_text(buf, "],\n");
}

static bool is_first_of_section(const struct rows *rows, size_t i)
{
    const char *section = rows->items[i].key.section;
    return *section && (i == 0 || strcmp(rows->items[i - 1].key.section, section) != 0);
}

static bool schema_add(struct buf *buf, const struct rows *rows, struct err *err)
{
    buf_add_text(buf, "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
                      "  \"title\": \"zproc.yaml\",\n  \"description\": \"The manifest of zproc; see man 5 "
                      "zproc.yaml\",\n  \"type\": \"object\",\n");
    required_add(buf, rows);
    if (!section_add(buf, rows, "", 2, err))
        return false;
    buf->data[--buf->len] = '\0'; /* the newline, for a comma */
    buf_add_text(buf, ",\n  \"$defs\": {");
    for (size_t i = 0; i < LENGTH_OF(definitions); i++)
        buf_add_format(buf, "%s\n    %s", i ? "," : "", definitions[i]);
    for (size_t i = 0; i < rows->count; i++) {
        const char *section = rows->items[i].key.section;
        if (!is_first_of_section(rows, i))
            continue;
        buf_add_format(buf, ",\n    \"%s\": {\n      " SECTION_TYPE ",\n", section);
        if (!section_add(buf, rows, section, 6, err))
            return false;
        buf_add_text(buf, "    }");
    }
    buf_add_text(buf, "\n  }\n}\n");
    return true;
}

bool schema_write(struct buf *buf, struct err *err)
{
    struct rows rows = {0};
    plan_keys(row_add, &rows);
    bool good = schema_add(buf, &rows, err);
    rows_release(&rows);
    return good;
}
