/* Text with ${{ EXPR }} in it. */
#include "eval_priv.h"

#include <stdlib.h>

/* Literal text, then the value of an expression (NULL at the end). */
struct piece {
    struct str text;
    struct expr *expr;
};

struct template
{
    char *text;
    struct piece *pieces;
    size_t count, capacity;
};

/* The offset of the "}}" that ends the expression at from: not one in a string or of two maps. */
static bool find_end(struct str text, size_t from, size_t *end, size_t *at, struct err *err)
{
    struct lexer lex = {.text = text, .pos = from, .err = err};
    size_t depth = 0;
    for (;;) {
        if (!lex_next(&lex)) {
            *at = lex.fault;
            return false;
        }
        if (lex.token.type == TOKEN_END) {
            *at = from - 3;
            return err_set(err, ERR_INVALID, "'${{' is not closed; expected '}}'");
        }
        if (lex.token.type != TOKEN_SIGN)
            continue;
        if (lex.token.sign == SIGN_OPEN_MAP)
            depth++;
        if (lex.token.sign != SIGN_CLOSE_MAP)
            continue;
        if (depth == 0 && lex.pos < text.len && text.data[lex.pos] == '}') {
            *end = lex.token.at;
            return true;
        }
        depth -= depth > 0;
    }
}

static void add_piece(struct template *t, struct str text, struct expr *expr)
{
    mem_grow(t->pieces, t->capacity, t->count);
    t->pieces[t->count++] = (struct piece){text, expr};
}

static bool parse_pieces(struct template *t, struct str text, size_t *at, struct err *err)
{
    size_t pos = 0;
    for (;;) {
        struct str rest = {text.data + pos, text.len - pos};
        ptrdiff_t open = str_find(rest, STR("${{"));
        if (open < 0) {
            add_piece(t, rest, NULL);
            return true;
        }
        size_t from = pos + (size_t)open + 3, end = 0;
        if (!find_end(text, from, &end, at, err))
            return false;
        struct expr *expr = expr_parse_at((struct str){text.data + from, end - from}, at, err);
        if (!expr) {
            *at += from;
            return false;
        }
        add_piece(t, (struct str){rest.data, (size_t)open}, expr);
        pos = end + 2;
    }
}

struct template *template_parse(struct str text, size_t *at, struct err *err)
{
    struct template *t = mem_new(sizeof *t);
    t->text = mem_copy(text.data, text.len);
    if (parse_pieces(t, (struct str){t->text, text.len}, at, err))
        return t;
    template_free(t);
    return NULL;
}

void template_free(struct template *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++)
        expr_free(t->pieces[i].expr);
    free(t->pieces);
    free(t->text);
    free(t);
}

bool template_is_plain(const struct template *t)
{
    return t->count == 1;
}

size_t template_expr_count(const struct template *t)
{
    return t->count - 1;
}

const struct expr *template_expr(const struct template *t, size_t index, size_t *at)
{
    const struct piece *piece = &t->pieces[index];
    *at = (size_t)(piece->text.data - t->text) + piece->text.len + 3;
    return piece->expr;
}

bool template_expand(const struct template *t, const struct expr_scope *scope, struct buf *out,
                     struct err *err)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct piece *piece = &t->pieces[i];
        buf_add_str(out, piece->text);
        if (!piece->expr)
            break;
        AUTO_VALUE struct value *value = eval_expr(piece->expr, scope, true, err);
        if (!value)
            return err_wrap(err, "in '${{%.*s}}'", STR_ARG(expr_text(piece->expr)));
        if (value_type(value) == VALUE_STRING)
            buf_add_str(out, value_as_str(value));
        else
            value_print(out, value);
    }
    return true;
}
