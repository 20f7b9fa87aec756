/* What text becomes: tokens, then a tree of nodes in one arena, which evaluation only reads. */
#ifndef ZPROC_EXPR_AST_PRIV_H
#define ZPROC_EXPR_AST_PRIV_H

#include "expr.h"

/* ---- Tokens ---- */

#define SIGNS(X)                                                                                             \
    X(SIGN_OR, "||")                                                                                         \
    X(SIGN_AND, "&&")                                                                                        \
    X(SIGN_LESS_EQUAL, "<=")                                                                                 \
    X(SIGN_MORE_EQUAL, ">=")                                                                                 \
    X(SIGN_EQUAL, "==")                                                                                      \
    X(SIGN_NOT_EQUAL, "!=")                                                                                  \
    X(SIGN_LESS, "<")                                                                                        \
    X(SIGN_MORE, ">")                                                                                        \
    X(SIGN_IN, "in")                                                                                         \
    X(SIGN_ADD, "+")                                                                                         \
    X(SIGN_SUBTRACT, "-")                                                                                    \
    X(SIGN_MULTIPLY, "*")                                                                                    \
    X(SIGN_DIVIDE, "/")                                                                                      \
    X(SIGN_MODULO, "%")                                                                                      \
    X(SIGN_NOT, "!")                                                                                         \
    X(SIGN_QUESTION, "?")                                                                                    \
    X(SIGN_COLON, ":")                                                                                       \
    X(SIGN_COMMA, ",")                                                                                       \
    X(SIGN_DOT, ".")                                                                                         \
    X(SIGN_OPEN, "(")                                                                                        \
    X(SIGN_CLOSE, ")")                                                                                       \
    X(SIGN_OPEN_LIST, "[")                                                                                   \
    X(SIGN_CLOSE_LIST, "]")                                                                                  \
    X(SIGN_OPEN_MAP, "{")                                                                                    \
    X(SIGN_CLOSE_MAP, "}")

enum sign {
#define X(sign, text) sign,
    SIGNS(X)
#undef X
        SIGN_COUNT
};

/* As it is written. */
const char *sign_text(enum sign sign);

enum token_type {
    TOKEN_END,
    TOKEN_INT,
    TOKEN_DOUBLE,
    TOKEN_STRING,
    TOKEN_NAME,
    TOKEN_QUOTED_NAME,
    TOKEN_SIGN
};

struct token {
    enum token_type type;
    enum sign sign;
    size_t at;       /* byte offset of its beginning */
    size_t body;     /* byte offset of text */
    struct str text; /* of a string or a quoted name what stands between the quotes, else all of it */
    bool raw;        /* a string without escapes */
    uint64_t number; /* TOKEN_INT: without a sign; the parser puts one on and checks the range */
    double real;
};

/* A plain value: a copy of it is a place to come back to. */
struct lexer {
    struct str text;
    size_t pos;
    struct token token; /* the current one */
    size_t fault;       /* byte offset of the last error */
    struct err *err;
};

/* Moves behind blanks and comments. */
void lex_skip_blanks(struct lexer *lex);
/* Moves to the next token; false with the error and its place set. */
bool lex_next(struct lexer *lex);
/* Sets the error and its place; returns false. */
bool lex_fail(struct lexer *lex, size_t at, const char *format, ...) PRINTF_LIKE(3, 4);
/* The value of a string token, or NULL. */
struct value *literal_string(struct lexer *lex, const struct token *token);

/* ---- Nodes ---- */

enum node_type {
    NODE_LITERAL,
    NODE_VARIABLE, /* bound by a macro */
    NODE_NAME,     /* an argument or a key */
    NODE_ROOT,     /* state, old */
    NODE_CHANGED,
    NODE_LIST,
    NODE_MAP, /* children: key, value, key, value … */
    NODE_NOT,
    NODE_NEGATE,
    NODE_AND,
    NODE_OR,
    NODE_CHAIN, /* a + b - c: operands of one precedence, each with the sign that joins it to what is left of
                   it */
    NODE_COND,  /* children: condition, value, condition, value …, value */
    NODE_PATH,  /* children: a base, then steps (FIELD, INDEX, CALL, MACRO), each applied to what came before
                 */
    NODE_FIELD,
    NODE_INDEX,
    NODE_CALL, /* as a step: a method; else a function */
    NODE_MACRO,
    NODE_HAS /* child: a PATH that ends in a FIELD */
};

enum macro_type {
    MACRO_ALL,
    MACRO_EXISTS,
    MACRO_EXISTS_ONE,
    MACRO_FILTER,
    MACRO_MAP,
    MACRO_TRANSFORM_LIST,
    MACRO_TRANSFORM_MAP
};

struct function;

/* Chains and steps are lists, not nested nodes, so that the depth of the tree is bounded by the nesting of
 * the text. */
struct node {
    enum node_type type;
    enum sign join; /* of an operand of a CHAIN but the first */
    struct node *first, *last, *next;
    size_t count;    /* children */
    struct str text; /* NAME, FIELD, CALL, MACRO: the name */
    union {
        struct value *literal;
        enum expr_root root;
        struct {
            size_t slot; /* VARIABLE; MACRO: of its first variable, the second one is behind it */
            enum macro_type macro;
            bool two; /* two variables */
        };
        struct {
            const struct function *function; /* NULL: unknown */
            struct regex *regex;             /* of a literal pattern; NULL: compiled at each call */
        };
        struct {
            struct str *dotted;  /* NAME: a, a.b, a.b.c …: what it and the fields behind it may name */
            size_t dotted_count; /* at least 1 */
        };
        bool quoted; /* FIELD: written in backticks, never part of a dotted name */
    };
    struct node *owned; /* the next node with something to free */
};

struct chunk;

struct expr {
    struct str text;
    struct node *root;
    struct node *owned;
    struct chunk *chunks;
    size_t slots;       /* that macros need for their variables */
    size_t regex_bytes; /* of compiled patterns */
    struct str *keys;
    size_t key_count, key_capacity;
    bool uses_state, uses_old, uses_changed;
};

void *arena_new(struct expr *expr, size_t size);
struct node *node_new(struct expr *expr, enum node_type type);
/* child may be in one list only. */
void node_append(struct node *parent, struct node *child);
/* Puts node on the list of those that own a literal or a regular expression. */
void node_own(struct expr *expr, struct node *node);

/* expr_parse, with the place of a syntax error as a byte offset and not in the message. */
struct expr *expr_parse_at(struct str text, size_t *at, struct err *err);
/* A plain identifier that is neither reserved nor a literal. */
bool name_usable(struct str name);
/* Fills keys and the uses_ flags from the tree. */
void expr_list_keys(struct expr *expr);
/* NULL when there is none. */
const struct function *function_find(struct str name);
/* Compiles the pattern of a call of matches() when it is a literal. */
void function_prepare(struct expr *expr, struct node *call, bool method);

#endif
