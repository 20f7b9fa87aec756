/* What the files of this folder share: an arena, the tree of YAML nodes, diagnostics, the table of keys. */
#ifndef ZPROC_PLAN_PRIV_H
#define ZPROC_PLAN_PRIV_H

#include "plan.h"

#define MANIFEST_SIZE_MAX ((size_t)16 * 1024 * 1024) /* bytes of a manifest, all its files together */
#define FILES_MAX         256                        /* files of a manifest */
#define NODE_DEPTH_MAX    128                        /* nesting of a manifest */
#define ALIAS_NODES_MAX   10000                      /* nodes that aliases may stand for, in all */
#define ALIAS_BYTES_MAX   ((size_t)4 * 1024 * 1024)  /* text that aliases may stand for, in all */
#define MERGED_MAX        2000000 /* entries that merging defaults and templates may make */
#define EXTENDS_MAX       64      /* length of a chain of `extends` */
#define PROBLEMS_MAX      1000

/* ---- Memory: pieces that are freed together ---- */

struct plan_memory *memory_new(void);
void memory_free(struct plan_memory *memory); /* NULL is fine */
/* Zeroed; lives as long as the arena. */
void *memory_take(struct plan_memory *memory, size_t size);
/* A NUL-terminated copy. */
char *memory_text(struct plan_memory *memory, struct str text);
/* The arena frees these with itself; they return what they got. */
struct expr *memory_own_expr(struct plan_memory *memory, struct expr *expr);
struct template *memory_own_template(struct plan_memory *memory, struct template *t);
struct zone *memory_own_zone(struct plan_memory *memory, struct zone *zone);
struct value *memory_own_value(struct plan_memory *memory, struct value *value);
struct table *memory_own_table(struct plan_memory *memory);

/* ---- The tree of YAML nodes ---- */

enum node_type { NODE_NULL, NODE_BOOL, NODE_INT, NODE_FLOAT, NODE_STRING, NODE_LIST, NODE_MAP };
enum node_style { STYLE_PLAIN, STYLE_SINGLE, STYLE_DOUBLE, STYLE_LITERAL, STYLE_FOLDED };

struct node;
struct node_entry {
    const struct node *key; /* a scalar; NULL in lists */
    const struct node *value;
};
struct source;
/* Shared where an alias stands, so a node never changes once it is built. */
struct node {
    enum node_type type; /* as the core schema resolves it */
    enum node_style style;
    const struct source *source; /* the file; NULL: none */
    size_t line, column;         /* from 1, in characters; 0: no place in the file */
    struct str text;             /* a scalar as it is spelled, without quotes and escapes */
    struct str written;          /* a name without the prefix of its file's inclusion; data NULL: as text */
    struct node_entry *entries;
    size_t count, capacity;
    struct table *index; /* of a large map: key to number of its entry, from 1 */
    size_t nodes, bytes; /* of the whole tree below, aliases expanded */
    size_t height;       /* 0 for a scalar */
};

/* Functions begin with ynode_: node_ is taken by the expressions. */
bool ynode_is_scalar(const struct node *node);
/* Text, number, bool; not null. */
bool ynode_is_text(const struct node *node);
/* NULL and null: the key is not set. */
bool ynode_is_unset(const struct node *node);
/* false, which takes away what lies below it. */
bool ynode_is_false(const struct node *node);
/* "a list", "text" … for messages. */
const char *ynode_type_name(const struct node *node);
/* NULL when there is no such key (or node is no map). */
const struct node *ynode_get(const struct node *map, struct str key);
const struct node_entry *ynode_entry_get(const struct node *map, struct str key);
/* Appends to a list or map under construction; the caller has looked for duplicates. */
void ynode_add(struct plan_memory *memory, struct node *parent, const struct node *key,
               const struct node *value);
struct node *ynode_new(struct plan_memory *memory, enum node_type type, const struct node *place);
/* The type of a plain scalar in YAML 1.2's core schema. */
enum node_type ynode_resolve(struct str text);
/* Exact value of a NODE_INT; false when it does not fit. */
bool ynode_as_int(const struct node *node, int64_t *number);
/* Of a NODE_INT or NODE_FLOAT; false when it is not finite. */
bool ynode_as_double(const struct node *node, double *number);

/* ---- Diagnostics ---- */

struct source {
    const char *file;   /* as messages name it; the plan's */
    const char *folder; /* absolute: files that it includes start here; NULL: it is not read by itself */
    const char *base;   /* absolute: other relative paths in it start here; the plan's */
    struct str text;
    size_t *lines; /* byte offset of the beginning of each */
    size_t line_count;
    size_t number; /* in the order of reading */
};
struct diag {
    const struct source *source; /* what problems without a node are about */
    struct source **sources;     /* all of them */
    size_t source_count, source_capacity;
    struct plan_memory *memory; /* of what is noted here; borrowed */
    struct plan_problems *problems;
    size_t first;      /* problems before this one are not ours */
    struct table seen; /* a template's problem shows up in every worker: said once */
    size_t suggestions_left;
};

void diag_init(struct diag *diag, struct plan_memory *memory, struct plan_problems *problems);
/* A further file; the first one is made the current one. What it is given is borrowed. */
struct source *diag_source(struct diag *diag, const char *file, struct str text);
/* Sorts what was found by place. */
void diag_finish(struct diag *diag);
bool diag_failed(const struct diag *diag);
/* In the current file; line 0: no place in it. */
void diag_add(struct diag *diag, size_t line, size_t column, const char *format, ...) PRINTF_LIKE(4, 5);
void diag_add_place(struct diag *diag, const struct plan_place *place, const char *format, ...)
    PRINTF_LIKE(3, 4);
void diag_add_at(struct diag *diag, const struct node *node, const char *format, ...) PRINTF_LIKE(3, 4);
/* At a byte of a scalar's text. */
void diag_add_inside(struct diag *diag, const struct node *node, size_t offset, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* At a byte of the current file. */
void diag_add_offset(struct diag *diag, size_t offset, const char *format, ...) PRINTF_LIKE(3, 4);
/* str_nearest within a budget, so that thousands of wrong names among thousands stay cheap. */
const char *diag_nearest(struct diag *diag, struct str name, const char *const *candidates, size_t count);

/* The byte of the file where a scalar's content at offset stands; the scalar's beginning where the two
 * cannot be matched. */
size_t source_locate(const struct source *source, const struct node *node, size_t offset);
size_t source_offset(const struct source *source, size_t line, size_t column);

/* ---- YAML ---- */

struct yaml_spent { /* over all files */
    size_t alias_nodes, alias_bytes;
};
/* Reads the current file. Nodes stand in memory. NULL when there is no tree to go on with (with a problem);
 * duplicate keys and the like are problems beside a tree. An empty document is a NODE_NULL. */
const struct node *yaml_read(struct diag *diag, struct plan_memory *memory, struct yaml_spent *spent);

/* ---- The table of keys, and reading by it ---- */

struct loader;
struct section;

enum field_type {
    FIELD_BOOL,
    FIELD_INT,
    FIELD_NUMBER,
    FIELD_DURATION,
    FIELD_SIZE,
    FIELD_STRING,  /* text without ${{ }} */
    FIELD_TEXT,    /* text with ${{ }} */
    FIELD_PATH,    /* the same, relative to the folder of the file that it stands in */
    FIELD_STRINGS, /* list of text without ${{ }} */
    FIELD_TEXTS,
    FIELD_ENV,
    FIELD_COMMAND,
    FIELD_EXPR,
    FIELD_CHOICE,
    FIELD_SECTION,
    FIELD_CUSTOM,  /* `read` does it */
    FIELD_LATER,   /* read in another pass */
    FIELD_IGNORED, /* a prefix: x- */
};
struct field {
    const char *name;
    enum field_type type;
    bool merge;            /* a map lies over the map below it key by key */
    const char *form;      /* type in words; NULL: that of `type` */
    size_t offset;         /* in what the section fills in */
    const char *fallback;  /* YAML text, read when the key is not set; NULL: nothing is */
    const char *otherwise; /* what holds without the key, in words, where there is no fallback */
    const char *help;
    double low, high; /* FIELD_INT, FIELD_NUMBER: bounds */
    const char *const *choices;
    const struct section *section;
    const char *shorthand; /* FIELD_SECTION: a number stands for this key of the section */
    void (*read)(struct loader *loader, const struct node *node, void *target);
};
struct section {
    const char *name;
    const struct field *fields;
    size_t count;
    bool open; /* other keys than these are no mistake */
    /* What no single key shows, once the keys are read. */
    void (*finish)(struct loader *loader, const struct node *map, void *target);
};
extern const char *const overlap_choices[];
extern const struct section manifest_section, worker_section, need_section, http_section;
extern const struct section include_section, env_file_section, worker_env_file_section;
extern const struct section stdin_section, limits_section, memory_section, launcher_section, matrix_section;

/* An expression of a ${{ }}, to be checked once all is read. */
#define NO_WORKER SIZE_MAX
struct reference {
    const struct node *node;
    const struct expr *expr;
    size_t at;     /* where it begins in the node's text */
    size_t worker; /* whose it is; NO_WORKER: the top level's */
};
struct loader {
    struct diag diag;
    struct plan_memory *scratch; /* what is only needed while loading */
    struct plan_memory *memory;  /* what becomes the plan's */
    struct plan *plan;
    const struct plan_options *options;
    bool partial;           /* reading defaults or a template: what is missing may come from the worker */
    struct table fallbacks; /* field's fallback text to its node */
    struct table env_files; /* path to struct plan_env, of those that were read */
    size_t reading;         /* number of the worker that is read; NO_WORKER: none */
    struct reference *references;
    size_t reference_count, reference_capacity;
    size_t merged;           /* entries made by merging */
    struct zone *local_zone; /* NULL: not read yet */
    /* The workers of the manifest, in its order. */
    const struct node **worker_nodes; /* merged */
    const char **worker_names;
    struct table worker_index; /* name to struct plan_worker */
};

const struct field *field_find(const struct section *section, struct str name);
/* The map that a number stands for where a section has a shorthand; other nodes as they are. */
const struct node *shorthand_expand(struct loader *loader, const struct field *field,
                                    const struct node *node);
/* The fallback's text as a node; made once. A scalar, or a list of plain scalars. */
const struct node *fallback_node(struct loader *loader, const char *text);
/* The section in one spelling; envs: what stands for env and env_file. */
void definition_make(struct loader *loader, const struct section *section, const struct node *map,
                     const struct plan_env *const envs[2], struct plan_definition *definition);
/* Reads every key of map (NULL: none is set) into target, fallbacks included. */
void section_read(struct loader *loader, const struct section *section, const struct node *map, void *target);

/* ---- Reading one value; what is wrong is a problem and leaves *out alone. `what` names the key. ---- */

bool read_bool(struct loader *loader, const char *what, const struct node *node, bool *out);
bool read_int(struct loader *loader, const struct field *field, const struct node *node, int64_t *out);
bool read_number(struct loader *loader, const struct field *field, const struct node *node, double *out);
bool read_duration(struct loader *loader, const char *what, const struct node *node, int64_t *ms);
bool read_size(struct loader *loader, const char *what, const struct node *node, int64_t *bytes);
bool read_string(struct loader *loader, const char *what, const struct node *node, char **out);
bool read_text(struct loader *loader, const char *what, const struct node *node, struct plan_text *out);
bool read_path(struct loader *loader, const char *what, const struct node *node, struct plan_text *out);
bool read_texts(struct loader *loader, const char *what, const struct node *node, bool templates,
                struct plan_texts *out);
bool read_env(struct loader *loader, const char *what, const struct node *node, struct plan_env *out);
bool read_command(struct loader *loader, const char *what, const struct node *node, struct plan_command *out);
bool read_expr(struct loader *loader, const char *what, const struct node *node, struct expr **out);
bool read_choice(struct loader *loader, const struct field *field, const struct node *node, int *out);
/* A reference for the caller, or NULL. */
struct value *read_value(struct loader *loader, const struct node *node);
/* A signal's number: SIGTERM or TERM; 0 when there is none of that name. */
int signal_number(struct str name);

/* ---- Keys of their own kind ---- */

void version_read(struct loader *loader, const struct node *node, void *target);
void address_read(struct loader *loader, const struct node *node, void *target);
void name_read(struct loader *loader, const struct node *node, void *target);
void vars_read(struct loader *loader, const struct node *node, void *target);
/* The current file as a file of variables; appends to env. */
void dotenv_read(struct loader *loader, struct plan_env *env);
void matrix_finish(struct loader *loader, const struct node *map, void *target);
void stdin_read(struct loader *loader, const struct node *node, void *target);
void user_read(struct loader *loader, const struct node *node, void *target);
void launchers_read(struct loader *loader, const struct node *node, void *target);
void launcher_read(struct loader *loader, const struct node *node, void *target);
/* Once the worker's keys are read; fills in what holds without the key. */
void stdin_check(struct loader *loader, const struct node *map, struct plan_worker *worker);
void plan_env_file_read(struct loader *loader, const struct node *node, void *target);
void worker_env_file_read(struct loader *loader, const struct node *node, void *target);
void run_finish(struct loader *loader, const struct node *map, void *target);
void server_finish(struct loader *loader, const struct node *map, void *target);
void replicas_read(struct loader *loader, const struct node *node, void *target);
void namespace_read(struct loader *loader, const struct node *node, void *target);
void restart_read(struct loader *loader, const struct node *node, void *target);
void result_read(struct loader *loader, const struct node *node, void *target);
void success_read(struct loader *loader, const struct node *node, void *target);
void tcp_read(struct loader *loader, const struct node *node, void *target);
void http_read(struct loader *loader, const struct node *node, void *target);
void http_url_read(struct loader *loader, const struct node *node, void *target);
void http_finish(struct loader *loader, const struct node *map, void *target);
void ready_log_read(struct loader *loader, const struct node *node, void *target);
void ready_finish(struct loader *loader, const struct node *map, void *target);
void alive_http_read(struct loader *loader, const struct node *node, void *target);
void alive_tcp_read(struct loader *loader, const struct node *node, void *target);
void alive_finish(struct loader *loader, const struct node *map, void *target);
void mutex_read(struct loader *loader, const struct node *node, void *target);
void failures_read(struct loader *loader, const struct node *node, void *target);
void retry_args_read(struct loader *loader, const struct node *node, void *target);
void retry_finish(struct loader *loader, const struct node *map, void *target);
void secrets_read(struct loader *loader, const struct node *node, void *target);
void files_finish(struct loader *loader, const struct node *map, void *target);
void log_finish(struct loader *loader, const struct node *map, void *target);
void stop_signal_read(struct loader *loader, const struct node *node, void *target);
void trigger_change_read(struct loader *loader, const struct node *node, void *target);
void trigger_exclude_read(struct loader *loader, const struct node *node, void *target);
void trigger_equal_read(struct loader *loader, const struct node *node, void *target);
void trigger_not_equal_read(struct loader *loader, const struct node *node, void *target);
void trigger_none_read(struct loader *loader, const struct node *node, void *target);
void trigger_not_none_read(struct loader *loader, const struct node *node, void *target);
void trigger_available_read(struct loader *loader, const struct node *node, void *target);
void trigger_prefix_read(struct loader *loader, const struct node *node, void *target);
void trigger_truthy_read(struct loader *loader, const struct node *node, void *target);
void trigger_falsy_read(struct loader *loader, const struct node *node, void *target);
void trigger_when_read(struct loader *loader, const struct node *node, void *target);
void trigger_worker_read(struct loader *loader, const struct node *node, void *target);
void every_read(struct loader *loader, const struct node *node, void *target);
void cron_read(struct loader *loader, const struct node *node, void *target);
void timezone_read(struct loader *loader, const struct node *node, void *target);
void overlap_read(struct loader *loader, const struct node *node, void *target);
/* What the keys of a schedule make of a worker. */
void schedule_finish(struct loader *loader, const struct node *map, struct plan_worker *worker);
void trigger_finish(struct loader *loader, const struct node *map, void *target);
void map_items_read(struct loader *loader, const struct node *node, void *target);
void map_args_read(struct loader *loader, const struct node *node, void *target);
void map_env_read(struct loader *loader, const struct node *node, void *target);
void map_mode_read(struct loader *loader, const struct node *node, void *target);
void map_finish(struct loader *loader, const struct node *node, void *target);
/* Whether the worker's other keys go with a map; node: the worker. */
void map_fit_check(struct loader *loader, const struct node *node, struct plan_worker *worker);
void worker_finish(struct loader *loader, const struct node *map, void *target);

/* ---- Files ---- */

/* What a manifest is put together from, later ones over earlier ones; text: of the first one, data NULL: to
 * be read. NULL with problems when there is nothing to go on with. */
const struct node *files_read(struct loader *loader, struct str text);

/* ---- Names in ${{ }} ---- */

/* Where name stands as a word of its own; false, and 0, when it does not. */
bool reference_find(struct str text, struct str name, size_t *at);
void reference_note(struct loader *loader, const struct node *node, const struct expr *expr, size_t at);
void references_check(struct loader *loader);

/* ---- Passes ---- */

/* The whole manifest below root into loader->plan. */
void manifest_read(struct loader *loader, const struct node *root);
/* Names a namespace may have; false with a problem. */
bool namespace_check(struct loader *loader, const struct node *node);
struct plan_place ynode_place(const struct loader *loader, const struct node *node);
/* `over` lies over `under`, key by key; section (may be NULL) tells which maps below are merged too. */
const struct node *ynode_merge(struct loader *loader, const struct section *section, const struct node *over,
                               const struct node *under);
/* The same for whole files: every map is merged; null or false takes a worker out. */
const struct node *manifest_merge(struct loader *loader, const struct node *over, const struct node *under);
/* What a worker may be called. */
bool name_check(struct loader *loader, const struct node *key);
/* Reads `defaults`, `templates` and `workers` into plan->workers. */
void workers_read(struct loader *loader, const struct node *root);
/* Needs by name, cycles, names of instances. */
void graph_check(struct loader *loader);
/* Keeps the named workers and what they need. */
void graph_select(struct loader *loader);

#endif
