/* Between the two files of the parser: operators and literals (parse.c), names, calls and macros
 * (parse_name.c). */
#ifndef ZPROC_EXPR_PARSE_PRIV_H
#define ZPROC_EXPR_PARSE_PRIV_H

#include "ast_priv.h"

struct parser {
    struct lexer lex;
    struct expr *expr;
    int depth;
    struct str
        bound[2 * (EXPR_NESTING_MAX + 2)]; /* variables of the macros around this place, innermost last */
    size_t bound_count;
};

/* Each returns NULL or false with the error set. The current token is the first one of what is parsed;
 * afterwards the first one behind it. */
struct node *parse_expr(struct parser *p);
/* `root`: written with a dot before it, which passes by the variables of macros. */
struct node *parse_name(struct parser *p, bool root);
struct node *parse_constant(struct parser *p, struct str name);
/* .field, .method(…) or a macro */
struct node *parse_step(struct parser *p);
/* Notes which dotted names the beginning of a path may mean. */
void parse_dotted(struct parser *p, struct node *path);
/* Expressions between commas, and the sign at the end. */
bool parse_list(struct parser *p, struct node *parent, enum sign end, const char *what);
bool parse_at_sign(const struct parser *p, enum sign sign);
bool parse_expect(struct parser *p, enum sign sign);
/* Always NULL: "expected WHAT, found …". */
struct node *parse_expected(struct parser *p, const char *what);

#endif
