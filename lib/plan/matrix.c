/* `matrix`: from lists to the rows of values that each instance of a worker has. */
#include "plan_priv.h"

#define LABEL_MAX 128   /* bytes of "[a,1]" */
#define ROWS_MAX  10000 /* of a worker */

struct cell {
    struct str key;
    const struct node *value;
};
struct row {
    struct cell *cells;
    size_t count;
    size_t named;             /* the first cells that its name shows */
    const struct node *place; /* where it can be complained about */
};
struct axis {
    struct str key;
    const struct node *values;
};
struct building {
    struct loader *loader;
    struct axis *axes;
    size_t axis_count;
    struct row *rows;
    size_t count, capacity, combinations; /* the first ones come from the lists */
};

static bool is_own_key(struct str key)
{
    return field_find(&matrix_section, key) != NULL;
}

/* ---- Reading ---- */

static bool cell_check(struct loader *loader, struct str key, const struct node *node)
{
    if (!ynode_is_text(node)) {
        diag_add_at(&loader->diag, node, "a value of '%.*s' must be text, a number or a bool, not %s",
                    STR_ARG(key), ynode_type_name(node));
        return false;
    }
    for (size_t pos = 0; pos < node->text.len;) {
        uint32_t code = utf8_next(node->text, &pos);
        if (code >= 0x20 && (code < 0x7f || code >= 0xa0))
            continue;
        diag_add_at(&loader->diag, node,
                    "a value of a matrix is part of a name and cannot hold control characters");
        return false;
    }
    if (str_find(node->text, STR("${{")) < 0)
        return true;
    diag_add_at(&loader->diag, node, "${{ }} is not possible in 'matrix'");
    return false;
}

static bool axis_check(struct loader *loader, const struct node_entry *entry)
{
    const struct node *list = entry->value;
    bool good = true;
    if (list->type != NODE_LIST) {
        diag_add_at(&loader->diag, list, "'%.*s' must be a list of values, not %s", STR_ARG(entry->key->text),
                    ynode_type_name(list));
        return false;
    }
    if (list->count == 0)
        diag_add_at(&loader->diag, list, "'%.*s' is empty: no instance would be left",
                    STR_ARG(entry->key->text));
    for (size_t i = 0; i < list->count; i++)
        good &= cell_check(loader, entry->key->text, list->entries[i].value);
    return good && list->count > 0;
}

static bool axes_read(struct building *building, const struct node *map)
{
    bool good = true;
    building->axes = memory_take(building->loader->scratch, map->count * sizeof *building->axes);
    for (size_t i = 0; i < map->count; i++) {
        const struct node_entry *entry = &map->entries[i];
        if (is_own_key(entry->key->text) || ynode_is_unset(entry->value) || ynode_is_false(entry->value))
            continue;
        good &= axis_check(building->loader, entry);
        building->axes[building->axis_count++] = (struct axis){entry->key->text, entry->value};
    }
    return good;
}

/* ---- Combining ---- */

static struct row *row_new(struct building *building, size_t cells)
{
    struct plan_memory *memory = building->loader->scratch;
    if (building->count == building->capacity) {
        building->capacity = building->capacity ? building->capacity * 2 : 16;
        struct row *rows = memory_take(memory, building->capacity * sizeof *rows);
        if (building->count)
            memcpy(rows, building->rows, building->count * sizeof *rows);
        building->rows = rows;
    }
    struct row *row = &building->rows[building->count++];
    *row = (struct row){.cells = memory_take(memory, cells * sizeof *row->cells)};
    return row;
}

/* Every combination, the last list turning fastest. */
static bool combine(struct building *building, const struct node *map)
{
    size_t total = building->axis_count ? 1 : 0;
    for (size_t i = 0; i < building->axis_count; i++) {
        total *= building->axes[i].values->count;
        if (total <= ROWS_MAX)
            continue;
        diag_add_at(&building->loader->diag, map, "the matrix has more than %d combinations", ROWS_MAX);
        return false;
    }
    for (size_t n = 0; n < total; n++) {
        struct row *row = row_new(building, building->axis_count);
        size_t rest = n;
        row->count = row->named = building->axis_count;
        for (size_t i = building->axis_count; i-- > 0;) {
            const struct axis *axis = &building->axes[i];
            row->cells[i] = (struct cell){axis->key, axis->values->entries[rest % axis->values->count].value};
            rest /= axis->values->count;
        }
        row->place = row->cells[building->axis_count - 1].value;
    }
    building->combinations = total;
    return true;
}

static struct cell *cell_find(const struct row *row, struct str key)
{
    for (size_t i = 0; i < row->count; i++)
        if (str_equal(row->cells[i].key, key))
            return &row->cells[i];
    return NULL;
}

static bool is_axis(const struct building *building, struct str key)
{
    for (size_t i = 0; i < building->axis_count; i++)
        if (str_equal(building->axes[i].key, key))
            return true;
    return false;
}

/* ---- exclude, include ---- */

static bool items_check(struct building *building, const char *what, const struct node *list)
{
    struct diag *diag = &building->loader->diag;
    bool good = true;
    if (list->type != NODE_LIST) {
        diag_add_at(diag, list, "'%s' must be a list of maps, not %s", what, ynode_type_name(list));
        return false;
    }
    for (size_t i = 0; i < list->count; i++) {
        const struct node *item = list->entries[i].value;
        if (item->type != NODE_MAP || item->count == 0) {
            diag_add_at(diag, item, "an item of '%s' must be a map of values, not %s", what,
                        item->type == NODE_MAP ? "an empty one" : ynode_type_name(item));
            good = false;
        }
        for (size_t k = 0; item->type == NODE_MAP && k < item->count; k++)
            good &= cell_check(building->loader, item->entries[k].key->text, item->entries[k].value);
    }
    return good;
}

static bool exclude_keys_check(struct building *building, const struct node *item)
{
    struct plan_memory *memory = building->loader->scratch;
    const char **names = memory_take(memory, (building->axis_count + 1) * sizeof *names);
    bool good = true;
    for (size_t i = 0; i < building->axis_count; i++)
        names[i] = building->axes[i].key.data;
    for (size_t i = 0; i < item->count; i++) {
        const struct node *key = item->entries[i].key;
        if (is_axis(building, key->text))
            continue;
        const char *nearest = diag_nearest(&building->loader->diag, key->text, names, building->axis_count);
        diag_add_at(&building->loader->diag, key, "the matrix has no list '%.*s'%s%s%s", STR_ARG(key->text),
                    nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
        good = false;
    }
    return good;
}

static bool row_fits(const struct row *row, const struct node *item)
{
    for (size_t i = 0; i < item->count; i++) {
        const struct cell *cell = cell_find(row, item->entries[i].key->text);
        if (!cell || !str_equal(cell->value->text, item->entries[i].value->text))
            return false;
    }
    return true;
}

static void exclude(struct building *building, const struct node *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (!exclude_keys_check(building, list->entries[i].value))
            return;
    for (size_t n = 0; n < building->count; n++) {
        bool out = false;
        for (size_t i = 0; i < list->count && !out; i++)
            out = row_fits(&building->rows[n], list->entries[i].value);
        if (!out)
            building->rows[kept++] = building->rows[n];
    }
    building->count = building->combinations = kept;
}

/* Whether the item only adds to the combination: of the lists' keys it has none, or the same values. */
static bool row_takes(const struct building *building, const struct row *row, const struct node *item)
{
    for (size_t i = 0; i < item->count; i++) {
        struct str key = item->entries[i].key->text;
        if (is_axis(building, key) &&
            !str_equal(cell_find(row, key)->value->text, item->entries[i].value->text))
            return false;
    }
    return true;
}

static void row_extend(struct building *building, struct row *row, const struct node *item)
{
    struct cell *cells = memory_take(building->loader->scratch, (row->count + item->count) * sizeof *cells);
    memcpy(cells, row->cells, row->count * sizeof *cells);
    row->cells = cells;
    for (size_t i = 0; i < item->count; i++) {
        struct str key = item->entries[i].key->text;
        struct cell *cell = cell_find(row, key);
        if (!cell)
            cell = &row->cells[row->count++];
        if (!is_axis(building, key))
            *cell = (struct cell){key, item->entries[i].value};
    }
}

/* The lists' keys first, in their order. */
static void row_add(struct building *building, const struct node *item)
{
    struct row *row = row_new(building, item->count);
    row->place = item;
    for (size_t i = 0; i < building->axis_count; i++) {
        const struct node *value = ynode_get(item, building->axes[i].key);
        if (value)
            row->cells[row->count++] = (struct cell){building->axes[i].key, value};
    }
    for (size_t i = 0; i < item->count; i++)
        if (!is_axis(building, item->entries[i].key->text))
            row->cells[row->count++] = (struct cell){item->entries[i].key->text, item->entries[i].value};
    row->named = row->count;
}

static void include(struct building *building, const struct node *list)
{
    for (size_t i = 0; i < list->count && building->count <= ROWS_MAX; i++) {
        const struct node *item = list->entries[i].value;
        bool taken = false;
        for (size_t n = 0; n < building->combinations; n++)
            if (row_takes(building, &building->rows[n], item)) {
                row_extend(building, &building->rows[n], item);
                taken = true;
            }
        if (!taken)
            row_add(building, item);
    }
}

/* ---- The worker's rows ---- */

static char *row_label(struct building *building, const struct row *row)
{
    AUTO_BUF struct buf label = {0};
    buf_add_char(&label, '[');
    for (size_t i = 0; i < row->named; i++) {
        buf_add_text(&label, i ? "," : "");
        buf_add_str(&label, row->cells[i].value->text);
    }
    buf_add_char(&label, ']');
    if (label.len > LABEL_MAX)
        diag_add_at(&building->loader->diag, row->place,
                    "the name that the values make, '%.40s…', is longer than %d bytes", label.data,
                    LABEL_MAX);
    return memory_text(building->loader->memory, buf_str(&label));
}

static struct value *row_values(struct building *building, const struct row *row)
{
    struct value *values = value_map();
    for (size_t i = 0; i < row->count; i++) {
        struct value *value = read_value(building->loader, row->cells[i].value);
        if (value)
            map_set(values, row->cells[i].key, value);
    }
    return memory_own_value(building->loader->memory, values);
}

static void rows_finish(struct building *building, struct plan_worker *worker)
{
    struct plan_memory *memory = building->loader->memory;
    struct table seen = {0};
    worker->rows = memory_take(memory, building->count * sizeof *worker->rows);
    worker->row_count = building->count;
    for (size_t i = 0; i < building->count; i++) {
        struct plan_row *row = &worker->rows[i];
        row->label = row_label(building, &building->rows[i]);
        row->values = row_values(building, &building->rows[i]);
        if (table_put(&seen, str_of(row->label), row))
            diag_add_at(&building->loader->diag, building->rows[i].place,
                        "two instances come out with the name '%s%s'", worker->name, row->label);
    }
    table_release(&seen);
}

static bool list_ready(struct building *building, const struct node *map, const char *what,
                       const struct node **list)
{
    *list = ynode_get(map, str_of(what));
    if (ynode_is_unset(*list) || ynode_is_false(*list))
        *list = NULL;
    return !*list || items_check(building, what, *list);
}

void matrix_finish(struct loader *loader, const struct node *map, void *target)
{
    struct plan_worker *worker = target;
    struct building building = {.loader = loader};
    const struct node *out, *more;
    bool good = axes_read(&building, map);
    good &= list_ready(&building, map, "exclude", &out);
    good &= list_ready(&building, map, "include", &more);
    if (!good || loader->partial || !combine(&building, map))
        return;
    if (out)
        exclude(&building, out);
    if (more)
        include(&building, more);
    if (building.count > ROWS_MAX)
        diag_add_at(&loader->diag, map, "the matrix has more than %d combinations", ROWS_MAX);
    else if (building.count == 0)
        diag_add_at(&loader->diag, map,
                    "the matrix leaves no instance; give it lists of values, or 'include'");
    else
        rows_finish(&building, worker);
}

/* Other keys than these are the lists: read by matrix_finish. */
static const struct field matrix_fields[] = {
    {.name = "include",
     .type = FIELD_LATER,
     .form = "list of maps",
     .otherwise = "[]",
     .help = "values to add to the combinations that they fit, or combinations of their own"},
    {.name = "exclude",
     .type = FIELD_LATER,
     .form = "list of maps",
     .otherwise = "[]",
     .help = "combinations to leave out"},
    {.name = "fail_fast",
     .type = FIELD_BOOL,
     .offset = offsetof(struct plan_worker, fail_fast),
     .fallback = "true",
     .help = "the first instance that fails stops the others"},
};
const struct section matrix_section = {.name = "worker.matrix",
                                       .fields = matrix_fields,
                                       .count = LENGTH_OF(matrix_fields),
                                       .finish = matrix_finish,
                                       .open = true};
