/* Tokens to the tree: recursive descent over cel-spec's grammar. Depth of recursion is bounded by
 * EXPR_NESTING_MAX. */
#include "parse_priv.h"

/* The precedences of binary operators, loosest first; a sign is in one of them. */
enum { LEVEL_OR, LEVEL_AND, LEVEL_RELATION, LEVEL_SUM, LEVEL_PRODUCT, LEVEL_COUNT };

static const enum node_type level_types[LEVEL_COUNT] = {
    [LEVEL_OR] = NODE_OR,     [LEVEL_AND] = NODE_AND,       [LEVEL_RELATION] = NODE_CHAIN,
    [LEVEL_SUM] = NODE_CHAIN, [LEVEL_PRODUCT] = NODE_CHAIN,
};

static int sign_level(enum sign sign)
{
    switch (sign) {
    case SIGN_OR:
        return LEVEL_OR;
    case SIGN_AND:
        return LEVEL_AND;
    case SIGN_LESS:
    case SIGN_LESS_EQUAL:
    case SIGN_MORE:
    case SIGN_MORE_EQUAL:
    case SIGN_EQUAL:
    case SIGN_NOT_EQUAL:
    case SIGN_IN:
        return LEVEL_RELATION;
    case SIGN_ADD:
    case SIGN_SUBTRACT:
        return LEVEL_SUM;
    case SIGN_MULTIPLY:
    case SIGN_DIVIDE:
    case SIGN_MODULO:
        return LEVEL_PRODUCT;
    default:
        return LEVEL_COUNT;
    }
}

struct node *parse_expected(struct parser *p, const char *what)
{
    const struct token *token = &p->lex.token;
    if (token->type == TOKEN_END)
        lex_fail(&p->lex, token->at, "expected %s, but the expression ends", what);
    else if (token->type == TOKEN_STRING)
        lex_fail(&p->lex, token->at, "expected %s, found a string", what);
    else
        lex_fail(&p->lex, token->at, "expected %s, found '%.*s'", what, STR_ARG(token->text));
    return NULL;
}

bool parse_at_sign(const struct parser *p, enum sign sign)
{
    return p->lex.token.type == TOKEN_SIGN && p->lex.token.sign == sign;
}

bool parse_expect(struct parser *p, enum sign sign)
{
    if (parse_at_sign(p, sign))
        return lex_next(&p->lex);
    char what[32];
    snprintf(what, sizeof what, "'%s'", sign_text(sign));
    parse_expected(p, what);
    return false;
}

static bool enter(struct parser *p)
{
    if (++p->depth <= EXPR_NESTING_MAX + 1)
        return true;
    return err_set(p->lex.err, ERR_TOO_LARGE, "the expression is nested deeper than %d levels",
                   EXPR_NESTING_MAX);
}

bool parse_list(struct parser *p, struct node *parent, enum sign end, const char *what)
{
    while (!parse_at_sign(p, end)) {
        struct node *item = parse_expr(p);
        if (!item)
            return false;
        node_append(parent, item);
        if (parse_at_sign(p, end))
            break;
        if (!parse_at_sign(p, SIGN_COMMA)) {
            parse_expected(p, what);
            return false;
        }
        if (!lex_next(&p->lex))
            return false;
        if (parse_at_sign(p, end) && end == SIGN_CLOSE) {
            parse_expected(p, "an argument");
            return false;
        }
    }
    return lex_next(&p->lex);
}

static struct node *parse_map(struct parser *p)
{
    struct node *map = node_new(p->expr, NODE_MAP);
    if (!lex_next(&p->lex))
        return NULL;
    while (!parse_at_sign(p, SIGN_CLOSE_MAP)) {
        struct node *key = parse_expr(p);
        if (!key || !parse_expect(p, SIGN_COLON))
            return NULL;
        struct node *item = parse_expr(p);
        if (!item)
            return NULL;
        node_append(map, key);
        node_append(map, item);
        if (parse_at_sign(p, SIGN_CLOSE_MAP))
            break;
        if (!parse_at_sign(p, SIGN_COMMA))
            return parse_expected(p, "',' or '}'");
        if (!lex_next(&p->lex))
            return NULL;
    }
    return lex_next(&p->lex) ? map : NULL;
}

static struct node *new_literal(struct parser *p, struct value *value)
{
    if (!value)
        return NULL;
    struct node *node = node_new(p->expr, NODE_LITERAL);
    node->literal = value;
    node_own(p->expr, node);
    return lex_next(&p->lex) ? node : NULL;
}

static struct node *parse_number(struct parser *p, bool negative)
{
    const struct token *token = &p->lex.token;
    if (token->type == TOKEN_DOUBLE)
        return new_literal(p, value_double(negative ? -token->real : token->real));
    if (token->number > (uint64_t)INT64_MAX + negative) {
        lex_fail(&p->lex, token->at, "the number is too large for an int");
        return NULL;
    }
    return new_literal(p, value_int(negative ? (int64_t)(0 - token->number) : (int64_t)token->number));
}

static struct node *parse_primary(struct parser *p, bool negative)
{
    const struct token *token = &p->lex.token;
    switch (token->type) {
    case TOKEN_INT:
    case TOKEN_DOUBLE:
        return parse_number(p, negative);
    case TOKEN_STRING:
        return new_literal(p, literal_string(&p->lex, token));
    case TOKEN_NAME:
        return parse_name(p, false);
    default:
        break;
    }
    if (parse_at_sign(p, SIGN_DOT)) {
        if (!lex_next(&p->lex))
            return NULL;
        return p->lex.token.type == TOKEN_NAME ? parse_name(p, true) : parse_expected(p, "a name behind '.'");
    }
    if (parse_at_sign(p, SIGN_OPEN)) {
        struct node *inner = lex_next(&p->lex) ? parse_expr(p) : NULL;
        return inner && parse_expect(p, SIGN_CLOSE) ? inner : NULL;
    }
    if (parse_at_sign(p, SIGN_OPEN_LIST)) {
        struct node *list = node_new(p->expr, NODE_LIST);
        return lex_next(&p->lex) && parse_list(p, list, SIGN_CLOSE_LIST, "',' or ']'") ? list : NULL;
    }
    if (parse_at_sign(p, SIGN_OPEN_MAP))
        return parse_map(p);
    return parse_expected(p, "a value");
}

/* What an int, a string or a literal word stands for; a NAME otherwise. */
struct node *parse_constant(struct parser *p, struct str name)
{
    if (str_is(name, "null"))
        return new_literal(p, value_null());
    return new_literal(p, value_bool(str_is(name, "true")));
}

static struct node *parse_index(struct parser *p)
{
    struct node *index = node_new(p->expr, NODE_INDEX);
    struct node *inner = lex_next(&p->lex) ? parse_expr(p) : NULL;
    if (!inner || !parse_expect(p, SIGN_CLOSE_LIST))
        return NULL;
    node_append(index, inner);
    return index;
}

/* A primary and the fields, indexes and calls behind it. */
static struct node *parse_path(struct parser *p, bool negative)
{
    struct node *base = parse_primary(p, negative);
    if (!base || (!parse_at_sign(p, SIGN_DOT) && !parse_at_sign(p, SIGN_OPEN_LIST)))
        return base;
    /* A parenthesised path goes on as one; a name in it stays what it was resolved to. */
    struct node *path = node_new(p->expr, NODE_PATH);
    node_append(path, base);
    for (;;) {
        struct node *step;
        if (parse_at_sign(p, SIGN_DOT))
            step = parse_step(p);
        else if (parse_at_sign(p, SIGN_OPEN_LIST))
            step = parse_index(p);
        else
            break;
        if (!step)
            return NULL;
        node_append(path, step);
    }
    parse_dotted(p, path);
    return path;
}

static struct node *parse_unary(struct parser *p)
{
    if (!parse_at_sign(p, SIGN_NOT) && !parse_at_sign(p, SIGN_SUBTRACT))
        return parse_path(p, false);
    bool negate = parse_at_sign(p, SIGN_SUBTRACT);
    if (!enter(p) || !lex_next(&p->lex))
        return NULL;
    struct node *node;
    if (negate && (p->lex.token.type == TOKEN_INT || p->lex.token.type == TOKEN_DOUBLE)) {
        node = parse_path(p, true);
    } else {
        node = node_new(p->expr, negate ? NODE_NEGATE : NODE_NOT);
        struct node *operand = parse_unary(p);
        if (!operand)
            return NULL;
        node_append(node, operand);
    }
    p->depth--;
    return node;
}

static struct node *parse_level(struct parser *p, int level)
{
    if (level == LEVEL_COUNT)
        return parse_unary(p);
    struct node *first = parse_level(p, level + 1);
    struct node *chain = NULL;
    while (first && p->lex.token.type == TOKEN_SIGN && sign_level(p->lex.token.sign) == level) {
        enum sign sign = p->lex.token.sign;
        if (!chain) {
            chain = node_new(p->expr, level_types[level]);
            node_append(chain, first);
        }
        struct node *operand = lex_next(&p->lex) ? parse_level(p, level + 1) : NULL;
        if (!operand)
            return NULL;
        operand->join = sign;
        node_append(chain, operand);
    }
    return chain ? chain : first;
}

struct node *parse_expr(struct parser *p)
{
    if (!enter(p))
        return NULL;
    struct node *value = parse_level(p, LEVEL_OR);
    struct node *cond = NULL;
    while (value && parse_at_sign(p, SIGN_QUESTION)) {
        if (!cond)
            cond = node_new(p->expr, NODE_COND);
        node_append(cond, value);
        struct node *yes = lex_next(&p->lex) ? parse_level(p, LEVEL_OR) : NULL;
        if (!yes || !parse_expect(p, SIGN_COLON))
            return NULL;
        node_append(cond, yes);
        value = parse_level(p, LEVEL_OR);
    }
    if (value && cond) {
        node_append(cond, value);
        value = cond;
    }
    p->depth--;
    return value;
}

static bool parse_all(struct parser *p)
{
    if (!utf8_valid(p->expr->text))
        return lex_fail(&p->lex, 0, "the expression is not valid UTF-8");
    if (!lex_next(&p->lex))
        return false;
    p->expr->root = parse_expr(p);
    if (!p->expr->root)
        return false;
    if (p->lex.token.type == TOKEN_END)
        return true;
    parse_expected(p, "an operator or the end");
    return false;
}

struct expr *expr_parse_at(struct str text, size_t *at, struct err *err)
{
    *at = 0;
    if (text.len > EXPR_LENGTH_MAX) {
        err_set(err, ERR_TOO_LARGE, "the expression is longer than %d bytes", EXPR_LENGTH_MAX);
        return NULL;
    }
    struct expr *expr = mem_new(sizeof *expr);
    char *copy = arena_new(expr, text.len + 1);
    if (text.len)
        memcpy(copy, text.data, text.len);
    expr->text = (struct str){copy, text.len};
    struct parser p = {.lex = {.text = expr->text, .err = err}, .expr = expr};
    if (!parse_all(&p)) {
        *at = p.lex.fault;
        expr_free(expr);
        return NULL;
    }
    expr_list_keys(expr);
    return expr;
}

struct expr *expr_parse(struct str text, struct err *err)
{
    size_t at;
    struct err cause = {0};
    struct expr *expr = expr_parse_at(text, &at, &cause);
    if (expr)
        return expr;
    size_t column = 1;
    for (size_t pos = 0; pos < at; utf8_next(text, &pos))
        column++;
    if (cause.code == ERR_INVALID)
        err_set(err, cause.code, "%s at column %zu", cause.message, column);
    else
        err_set(err, cause.code, "%s", cause.message);
    return NULL;
}
