/* CEL (Common Expression Language, google/cel-spec langdef) over JSON values: the part named in the manual,
 * zproc-expr(7). Evaluation always ends, has no side effects and is bounded in cost. */
#ifndef ZPROC_EXPR_H
#define ZPROC_EXPR_H

#include "value.h"

#define EXPR_LENGTH_MAX  (64 * 1024)
#define EXPR_NESTING_MAX 128
#define EXPR_STEPS_MAX   100000 /* one operation, one element or 16 bytes produced */

struct expr;

/* NULL with ERR_INVALID (syntax; the message ends in "at column N", columns counted in characters from 1) or
 * ERR_TOO_LARGE (length, nesting). An unknown function is an error of evaluation, not of parsing (as in the
 * conformance suite). */
struct expr *expr_parse(struct str text, struct err *err);
void expr_free(struct expr *expr); /* NULL is fine */
/* The text that was parsed; borrowed. */
struct str expr_text(const struct expr *expr);
/* Byte offset of the last syntax error's place is not kept: the column in the message is the contract. */

/* ---- What an expression reads (for the watch index) ---- */
/* Top-level identifiers (not bound by a macro), and `state["literal"]`, `state.name`, `"literal" in state`,
 * the same on `old`, are literal keys; each is listed once, sorted. */
size_t expr_key_count(const struct expr *expr);
struct str expr_key(const struct expr *expr, size_t index); /* borrowed */
bool expr_uses_state(const struct expr *expr);   /* the whole namespace, other than through literal keys */
bool expr_uses_old(const struct expr *expr);     /* `old`, in any way */
bool expr_uses_changed(const struct expr *expr); /* `changed` */

/* ---- Where its names come from ---- */
enum expr_root { EXPR_STATE, EXPR_OLD };

/* ctx is handed to each function. Every lookup may be NULL in the struct when there is no such thing; the
 * name is then undeclared. */
struct expr_scope {
    void *ctx;
    /* The value of a key, borrowed for the time of the evaluation; NULL when there is no such key. */
    const struct value *(*key)(void *ctx, enum expr_root root, struct str key);
    /* The whole namespace as a map, a reference for the caller; size tells its number of keys beforehand (for
     * the cost). */
    struct value *(*whole)(void *ctx, enum expr_root root);
    size_t (*size)(void *ctx, enum expr_root root);
    /* The list that `changed` stands for; borrowed; NULL: not defined here. */
    const struct value *changed;
    /* Named values that come before keys (--arg, and the names of a manifest's ${{ }}); a map; may be NULL.
     */
    const struct value *args;
    /* quote(x) is defined (in ${{ }} only). */
    bool quote;
    /* Counts the steps of all evaluations; NULL: nobody wants to know. */
    size_t *steps;
};

/* The value, or NULL with ERR_NOT_FOUND (no such key, index or name), ERR_TYPE (operands do not fit,
 * overflow, division by zero, bad conversion), ERR_TOO_LARGE (a bound of cost) or ERR_INVALID (a bad regular
 * expression). */
struct value *expr_eval(const struct expr *expr, const struct expr_scope *scope, struct err *err);
/* True when it evaluates to true. Errors and other values are false (conditions of watches). */
bool expr_holds(const struct expr *expr, const struct expr_scope *scope);

/* The names of args are identifiers that are not taken; args is a map. ERR_INVALID. */
bool expr_args_valid(const struct value *args, struct err *err);

/* ---- Assignments: TARGET = EXPR; TARGET = EXPR … A target is a key or state["KEY"], and .FIELD or [INDEX]
 * behind it ---- */

#define ASSIGNMENTS_MAX 256
struct assignments;
/* NULL with ERR_INVALID (as expr_parse) or ERR_TOO_LARGE. */
struct assignments *assignments_parse(struct str text, struct err *err);
void assignments_free(struct assignments *all); /* NULL is fine */
size_t assignments_count(const struct assignments *all);
/* Where it puts its value: a list of the key and, below it, fields (strings) and indexes (ints or strings).
 * The value itself. Errors as expr_eval. */
struct value *assignment_place(const struct assignments *all, size_t index, const struct expr_scope *scope,
                               struct err *err);
struct value *assignment_value(const struct assignments *all, size_t index, const struct expr_scope *scope,
                               struct err *err);

/* ---- Regular expressions (RE2's syntax on PCRE2, match limit 100,000), for readiness by log line too ----
 */
struct regex;
struct regex *regex_new(struct str pattern, struct err *err); /* ERR_INVALID */
void regex_free(struct regex *regex);
/* Finds the pattern anywhere in the subject (raw bytes are fine). ERR_TOO_LARGE past the match limit: then
 * false. */
bool regex_find(const struct regex *regex, struct str subject, struct err *err);

/* ---- Templates: text with ${{ EXPR }} ---- */
struct template;
/* NULL with ERR_INVALID; *at is then the byte offset of the fault in text. Text without ${{ is fine. */
struct template *template_parse(struct str text, size_t *at, struct err *err);
void template_free(struct template *t);
bool template_is_plain(const struct template *t); /* no ${{ }} in it */
/* The expressions in it, to check what they read before there are values; *at is the byte offset in the text
 * at which expr_text begins. Borrowed. */
size_t template_expr_count(const struct template *t);
const struct expr *template_expr(const struct template *t, size_t index, size_t *at);
/* Strings go in as they are, other values as JSON. Undefined names are errors but for env.X, which is "". */
bool template_expand(const struct template *t, const struct expr_scope *scope, struct buf *out,
                     struct err *err);

#endif
