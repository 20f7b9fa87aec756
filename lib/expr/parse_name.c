/* Names to nodes: literal words, variables, keys, calls and macros. */
#include "parse_priv.h"

static const struct {
    const char *name;
    enum macro_type type;
    size_t one, two; /* numbers of arguments with one and with two variables: bit n is set when n is right */
} macros[] = {
    {"all", MACRO_ALL, 1 << 2, 1 << 3},
    {"exists", MACRO_EXISTS, 1 << 2, 1 << 3},
    {"exists_one", MACRO_EXISTS_ONE, 1 << 2, 1 << 3},
    {"existsOne", MACRO_EXISTS_ONE, 1 << 2, 1 << 3},
    {"filter", MACRO_FILTER, 1 << 2, 0},
    {"map", MACRO_MAP, 1 << 2 | 1 << 3, 0},
    {"transformList", MACRO_TRANSFORM_LIST, 0, 1 << 3 | 1 << 4},
    {"transformMap", MACRO_TRANSFORM_MAP, 0, 1 << 3 | 1 << 4},
};

static bool is_one_of(struct str name, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_is(name, words[i]))
            return true;
    return false;
}

static bool is_literal_word(struct str name)
{
    static const char *const words[] = {"false", "null", "true"};
    return is_one_of(name, words, LENGTH_OF(words));
}

/* Reserved by CEL: no identifiers, but good as fields. */
static bool is_reserved(struct str name)
{
    static const char *const words[] = {"as",       "break",  "const",  "continue", "else", "for",
                                        "function", "if",     "import", "let",      "loop", "namespace",
                                        "package",  "return", "var",    "void",     "while"};
    return is_one_of(name, words, LENGTH_OF(words));
}

static bool is_own_name(struct str name)
{
    static const char *const words[] = {"changed", "old", "state"};
    return is_one_of(name, words, LENGTH_OF(words));
}

bool name_usable(struct str name)
{
    struct err ignored;
    struct lexer lex = {.text = name, .err = &ignored};
    return name.len > 0 && lex_next(&lex) && lex.token.type == TOKEN_NAME && lex.token.text.len == name.len &&
           !is_literal_word(name) && !is_reserved(name) && !is_own_name(name);
}

static struct node *parse_call(struct parser *p, struct str name, bool method)
{
    struct node *call = node_new(p->expr, NODE_CALL);
    call->text = name;
    if (!lex_next(&p->lex) || !parse_list(p, call, SIGN_CLOSE, "',' or ')'"))
        return NULL;
    call->function = function_find(name);
    function_prepare(p->expr, call, method);
    return call;
}

/* has(e.f) */
static struct node *parse_has(struct parser *p, size_t at)
{
    struct node *has = node_new(p->expr, NODE_HAS);
    if (!lex_next(&p->lex) || !parse_list(p, has, SIGN_CLOSE, "')'"))
        return NULL;
    struct node *path = has->first;
    if (has->count != 1 || path->type != NODE_PATH || path->last->type != NODE_FIELD) {
        lex_fail(&p->lex, at, "has() takes one field, as in has(state.key) or has(key.field)");
        return NULL;
    }
    return has;
}

static struct node *new_name(struct parser *p, struct str name)
{
    struct node *node;
    if (str_is(name, "changed")) {
        node = node_new(p->expr, NODE_CHANGED);
    } else if (is_own_name(name)) {
        node = node_new(p->expr, NODE_ROOT);
        node->root = str_is(name, "old") ? EXPR_OLD : EXPR_STATE;
    } else {
        node = node_new(p->expr, NODE_NAME);
        node->dotted = arena_new(p->expr, sizeof *node->dotted);
        node->dotted[0] = name;
        node->dotted_count = 1;
    }
    node->text = name;
    return node;
}

struct node *parse_name(struct parser *p, bool root)
{
    struct token token = p->lex.token;
    struct str name = token.text;
    if (is_literal_word(name) && !root)
        return parse_constant(p, name);
    if (is_reserved(name) || is_literal_word(name)) {
        lex_fail(&p->lex, token.at, "'%.*s' is a reserved word; a key of that name is state[\"%.*s\"]",
                 STR_ARG(name), STR_ARG(name));
        return NULL;
    }
    if (!lex_next(&p->lex))
        return NULL;
    if (parse_at_sign(p, SIGN_OPEN))
        return str_is(name, "has") ? parse_has(p, token.at) : parse_call(p, name, false);
    for (size_t i = p->bound_count; i > 0 && !root; i--) {
        if (!str_equal(p->bound[i - 1], name))
            continue;
        struct node *variable = node_new(p->expr, NODE_VARIABLE);
        variable->slot = i - 1;
        variable->text = name;
        return variable;
    }
    return new_name(p, name);
}

/* The name of a macro's variable and the comma behind it. */
static bool parse_variable(struct parser *p, struct str *name)
{
    *name = p->lex.token.text;
    if (p->lex.token.type != TOKEN_NAME || is_literal_word(*name) || is_reserved(*name)) {
        parse_expected(p, "a name for the macro's variable");
        return false;
    }
    if (is_own_name(*name))
        return lex_fail(&p->lex, p->lex.token.at, "'%.*s' is reserved; use another name for the variable",
                        STR_ARG(*name));
    return lex_next(&p->lex) && parse_expect(p, SIGN_COMMA);
}

/* Looks ahead: NAME , — a second variable and not an expression. */
static bool at_variable(const struct parser *p)
{
    if (p->lex.token.type != TOKEN_NAME)
        return false;
    struct err ignored;
    struct lexer ahead = p->lex;
    ahead.err = &ignored;
    return lex_next(&ahead) && ahead.token.type == TOKEN_SIGN && ahead.token.sign == SIGN_COMMA;
}

/* The current token is '('. */
static struct node *parse_macro(struct parser *p, size_t which, size_t at)
{
    struct node *macro = node_new(p->expr, NODE_MACRO);
    macro->text = str_of(macros[which].name);
    macro->macro = macros[which].type;
    macro->slot = p->bound_count;
    struct str names[2];
    if (!lex_next(&p->lex) || !parse_variable(p, &names[0]))
        return NULL;
    macro->two = !macros[which].one || (macros[which].two && at_variable(p));
    if (macro->two && !parse_variable(p, &names[1]))
        return NULL;
    size_t variables = macro->two ? 2 : 1;
    if (macro->two && str_equal(names[0], names[1])) {
        lex_fail(&p->lex, at, "the two variables of %s() have the same name", macros[which].name);
        return NULL;
    }
    for (size_t i = 0; i < variables; i++)
        p->bound[p->bound_count++] = names[i];
    if (p->bound_count > p->expr->slots)
        p->expr->slots = p->bound_count;
    if (!parse_list(p, macro, SIGN_CLOSE, "',' or ')'"))
        return NULL;
    p->bound_count -= variables;
    size_t right = macro->two ? macros[which].two : macros[which].one;
    if (macro->count + variables < 8 && right >> (macro->count + variables) & 1)
        return macro;
    lex_fail(&p->lex, at, "%s() does not take %zu arguments", macros[which].name, macro->count + variables);
    return NULL;
}

static struct node *parse_field(struct parser *p, const struct token *token)
{
    struct node *field = node_new(p->expr, NODE_FIELD);
    field->text = token->text;
    field->quoted = token->type == TOKEN_QUOTED_NAME;
    return field;
}

struct node *parse_step(struct parser *p)
{
    if (!lex_next(&p->lex))
        return NULL;
    struct token token = p->lex.token;
    if (token.type == TOKEN_QUOTED_NAME)
        return lex_next(&p->lex) ? parse_field(p, &token) : NULL;
    if (token.type != TOKEN_NAME || is_literal_word(token.text))
        return parse_expected(p, "the name of a field");
    if (!lex_next(&p->lex))
        return NULL;
    if (!parse_at_sign(p, SIGN_OPEN))
        return parse_field(p, &token);
    for (size_t i = 0; i < LENGTH_OF(macros); i++)
        if (str_is(token.text, macros[i].name))
            return parse_macro(p, i, token.at);
    return parse_call(p, token.text, true);
}

void parse_dotted(struct parser *p, struct node *path)
{
    struct node *name = path->first;
    if (name->type != NODE_NAME)
        return;
    size_t count = 1, len = name->text.len;
    for (const struct node *step = name->next; step && step->type == NODE_FIELD && !step->quoted;
         step = step->next) {
        count++;
        len += 1 + step->text.len;
    }
    char *text = arena_new(p->expr, len);
    name->dotted = arena_new(p->expr, count * sizeof *name->dotted);
    name->dotted_count = count;
    len = 0;
    const struct node *part = name;
    for (size_t i = 0; i < count; i++, part = part->next) {
        if (i)
            text[len++] = '.';
        memcpy(text + len, part->text.data, part->text.len);
        len += part->text.len;
        name->dotted[i] = (struct str){text, len};
    }
}
