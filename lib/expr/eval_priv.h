/* What evaluation works on: cells, which are values that may also be what JSON cannot express (NaN, maps with
 * keys that are no strings), and the state of one evaluation. */
#ifndef ZPROC_EXPR_EVAL_PRIV_H
#define ZPROC_EXPR_EVAL_PRIV_H

#include "ast_priv.h"

struct eval {
    const struct expr_scope *scope;
    struct cell *slots; /* variables of macros */
    size_t steps;
    struct value *whole[2]; /* by expr_root: made once */
    bool stopped;           /* past a bound: nothing absorbs this error */
    bool env_is_lenient;    /* a missing member of `env` is "" */
    struct err *err;        /* NULL while errors do not count */
    struct err *top;        /* where going past a bound is noted, whatever err is */
};

/* ---- Cells ---- */

enum cell_type {
    CELL_NULL,
    CELL_BOOL,
    CELL_INT,
    CELL_DOUBLE,
    CELL_STRING,
    CELL_LIST,
    CELL_MAP,
    CELL_ROOT /* `state` or `old`, not looked at as a whole yet: only as the base of a path and the right side
                 of `in` */
};

/* Items, and for a map keys, that may be any cells. */
struct bag {
    size_t refs;
    size_t count, capacity;
    bool is_map;
    bool exotic; /* holds something that is not JSON, at any depth */
    struct cell *keys, *items;
};

struct cell {
    enum cell_type type;
    union {
        bool b;
        int64_t i;
        double d;
        enum expr_root root;
        struct bag *bag; /* LIST and MAP without a value */
    };
    struct value *value; /* owned; STRING always, LIST and MAP but bags, others when they come from a value */
};

static inline bool cell_is_number(const struct cell *cell)
{
    return cell->type == CELL_INT || cell->type == CELL_DOUBLE;
}
static inline bool cell_is_bag(const struct cell *cell)
{
    return (cell->type == CELL_LIST || cell->type == CELL_MAP) && !cell->value;
}
/* Takes value. */
struct cell cell_of_value(struct value *value);
struct cell cell_of_bool(bool b);
struct cell cell_of_int(int64_t i);
struct cell cell_of_double(double d);
struct cell cell_ref(const struct cell *cell);
/* Empties it. */
void cell_release(struct cell *cell);
#define AUTO_CELL __attribute__((cleanup(cell_release)))
const char *cell_type_name(const struct cell *cell);
/* Bytes of a string. */
struct str cell_str(const struct cell *cell);
/* Items of a list, entries of a map. */
size_t cell_len(const struct cell *cell);
/* References to what stands at an index below cell_len; key may be NULL, and is the index for a list. */
void cell_entry(const struct cell *cell, size_t index, struct cell *key, struct cell *item);
/* A value for the caller, or NULL when it is not JSON. */
struct value *cell_to_value(struct eval *ev, const struct cell *cell);

struct bag *bag_new(bool is_map);
/* Takes item, and key when it is a map. */
void bag_push(struct bag *bag, const struct cell *key, const struct cell *item);
void bag_unref(struct bag *bag);
/* Takes the bag. */
struct cell bag_finish(struct bag *bag);

/* ---- Evaluation: false with the error set; out is written on success only ---- */

/* Ends the evaluation with ERR_TOO_LARGE; returns false. */
bool eval_stop(struct eval *ev, const char *message);
/* Counts steps; false when there were too many. */
bool eval_spend(struct eval *ev, size_t steps);
/* Steps for bytes that are produced or looked at. */
bool eval_spend_bytes(struct eval *ev, size_t bytes);
bool eval_node(struct eval *ev, const struct node *node, struct cell *out);
/* A bool, or an error that names what stands there. */
bool eval_condition(struct eval *ev, const struct node *node, const char *where, bool *out);
/* Evaluates with nothing but args and keys of the scope. */
struct value *eval_expr(const struct expr *expr, const struct expr_scope *scope, bool env_is_lenient,
                        struct err *err);

/* Evaluates a node of the expression on its own. */
struct value *eval_part(const struct expr *expr, const struct node *node, const struct expr_scope *scope,
                        struct err *err);

/* && and ||: an error only counts when nothing decides. */
struct pending {
    struct err *err;
    bool failed;
};
/* After a failure: true when evaluation may go on without errors being noted. */
bool pending_absorb(struct eval *ev, struct pending *pending);
/* Before the result: true when it is good (decided, or no failure). */
bool pending_finish(struct eval *ev, struct pending *pending, bool decided);

/* ---- Names, fields and indexes (eval_path.c) ---- */

bool path_eval(struct eval *ev, const struct node *path, struct cell *out);
bool path_has(struct eval *ev, const struct node *has, struct cell *out);
bool name_eval(struct eval *ev, const struct node *name, struct cell *out);
/* The whole namespace. */
bool root_eval(struct eval *ev, enum expr_root root, struct cell *out);
/* `left in right`; right may be a ROOT. */
bool cell_in(struct eval *ev, const struct cell *left, const struct cell *right, struct cell *out);

/* ---- Operators (operate.c) ---- */

bool operate(struct eval *ev, enum sign sign, const struct cell *a, const struct cell *b, struct cell *out);
bool operate_negate(struct eval *ev, const struct cell *a, struct cell *out);
/* false when a bound was passed. */
bool cells_equal(struct eval *ev, const struct cell *a, const struct cell *b, bool *equal);
/* Finds the entry of a map with this key (numbers fit across types); item is written when it is there. False
 * when a bound was passed. */
bool map_find(struct eval *ev, const struct cell *map, const struct cell *key, bool *there,
              struct cell *item);
/* No key stands twice in a map that was made of count entries. */
bool map_check_unique(struct eval *ev, const struct cell *map, size_t count);

/* ---- Calls and macros ---- */

/* target: NULL for a function. */
bool call_eval(struct eval *ev, const struct node *call, const struct cell *target, struct cell *out);
bool macro_eval(struct eval *ev, const struct node *macro, const struct cell *range, struct cell *out);

/* ---- Regular expressions whose work is counted (match.c) ---- */

/* Like regex_new. */
struct regex *regex_new_counted(struct str pattern, struct err *err);
/* Bytes of the compiled pattern. */
size_t regex_size(const struct regex *regex);
/* *work: about one for each item tried and each byte passed; more than limit is ERR_TOO_LARGE. */
bool regex_find_counted(const struct regex *regex, struct str subject, size_t limit, size_t *work,
                        bool *found, struct err *err);

#endif
