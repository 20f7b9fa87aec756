/* Assignments: `count = count + 1; jobs[0].state = "done"`. Targets are paths of the expression language;
 * what stands between '=' and ';' is an expression. */
#include "eval_priv.h"

#include <stdlib.h>

struct assignment {
    struct expr *target, *value;
};
struct assignments {
    size_t count;
    struct assignment items[ASSIGNMENTS_MAX];
};

/* ---- Parsing ---- */

/* Where one assignment begins and ends in the text, and where its '=' stands. */
struct piece {
    size_t start, equals, end;
};

static struct expr *part_parse(struct str text, size_t from, size_t to, struct err *err)
{
    size_t at, column = 1;
    struct err cause = {0};
    struct expr *expr = expr_parse_at((struct str){text.data + from, to - from}, &at, &cause);
    if (expr)
        return expr;
    for (size_t pos = 0; pos < from + at; utf8_next(text, &pos))
        column++;
    if (cause.code == ERR_INVALID)
        err_set(err, cause.code, "%s at column %zu", cause.message, column);
    else
        err_set(err, cause.code, "%s", cause.message);
    return NULL;
}

/* Moves to the next token that is neither '=' nor ';', which no expression has; the sign that was met
 * instead, or 0. */
static char piece_step(struct lexer *lex)
{
    lex_skip_blanks(lex);
    struct str rest = {lex->text.data + lex->pos, lex->text.len - lex->pos};
    bool equals = str_starts_with(rest, STR("=")) && !str_starts_with(rest, STR("=="));
    if (equals || str_starts_with(rest, STR(";")))
        return rest.data[0];
    return '\0';
}

/* Finds the piece that begins at the lexer's place. A fault in a token is left to the parser of the part. */
static void piece_find(struct lexer *lex, struct piece *piece)
{
    struct err ignored;
    lex->err = &ignored;
    *piece = (struct piece){lex->pos, SIZE_MAX, lex->text.len};
    for (;;) {
        char sign = piece_step(lex);
        if (sign == ';' || (sign == '=' && piece->equals != SIZE_MAX)) {
            piece->end = lex->pos;
            return;
        }
        if (sign == '=')
            piece->equals = lex->pos++;
        else if (!lex_next(lex) || lex->token.type == TOKEN_END)
            return;
    }
}

/* A name or `state` with something behind it; then fields and indexes only. */
static bool is_target(const struct node *node)
{
    if (node->type == NODE_NAME)
        return true;
    if (node->type != NODE_PATH)
        return false;
    const struct node *base = node->first;
    if (base->type != NODE_NAME && (base->type != NODE_ROOT || base->root != EXPR_STATE))
        return false;
    for (const struct node *step = base->next; step; step = step->next)
        if (step->type != NODE_FIELD && step->type != NODE_INDEX)
            return false;
    return true;
}

static bool piece_parse(struct str text, const struct piece *piece, struct assignment *item, struct err *err)
{
    if (piece->equals == SIZE_MAX)
        return err_set(err, ERR_INVALID, "'%.*s' is no assignment: write TARGET = EXPRESSION",
                       STR_ARG(((struct str){text.data + piece->start, piece->end - piece->start})));
    if (piece->end < text.len && text.data[piece->end] == '=')
        return err_set(err, ERR_INVALID, "a second '=' in one assignment; separate assignments with ';'");
    item->target = part_parse(text, piece->start, piece->equals, err);
    item->value = item->target ? part_parse(text, piece->equals + 1, piece->end, err) : NULL;
    if (!item->value)
        return false;
    return is_target(item->target->root) ||
           err_set(
               err, ERR_INVALID,
               "cannot assign to '%.*s', only to a key or state[\"KEY\"], and .FIELD or [INDEX] behind it",
               STR_ARG(expr_text(item->target)));
}

static bool pieces_parse(struct assignments *all, struct str text, struct err *err)
{
    struct lexer lex = {.text = text};
    while (lex_skip_blanks(&lex), lex.pos < text.len) {
        struct piece piece;
        if (all->count == ASSIGNMENTS_MAX)
            return err_set(err, ERR_TOO_LARGE, "more than %d assignments", ASSIGNMENTS_MAX);
        piece_find(&lex, &piece);
        if (!piece_parse(text, &piece, &all->items[all->count++], err))
            return false;
        lex.pos = piece.end + 1;
        if (piece.end >= text.len)
            break;
    }
    return all->count > 0 || err_set(err, ERR_INVALID, "there is no assignment in it");
}

struct assignments *assignments_parse(struct str text, struct err *err)
{
    if (text.len > EXPR_LENGTH_MAX) {
        err_set(err, ERR_TOO_LARGE, "the assignments are longer than %d bytes", EXPR_LENGTH_MAX);
        return NULL;
    }
    struct assignments *all = mem_new(sizeof *all);
    if (pieces_parse(all, text, err))
        return all;
    assignments_free(all);
    return NULL;
}

void assignments_free(struct assignments *all)
{
    if (!all)
        return;
    for (size_t i = 0; i < all->count; i++) {
        expr_free(all->items[i].target);
        expr_free(all->items[i].value);
    }
    free(all);
}

size_t assignments_count(const struct assignments *all)
{
    return all->count;
}

/* ---- Evaluating ---- */

/* What a step names: a string or an int; NULL with err. */
static struct value *step_value(const struct expr *target, const struct node *step,
                                const struct expr_scope *scope, struct err *err)
{
    if (step->type == NODE_FIELD)
        return value_string(step->text);
    struct value *value = eval_part(target, step->first, scope, err);
    if (!value || value_type(value) == VALUE_STRING || value_type(value) == VALUE_INT)
        return value;
    err_set(err, ERR_TYPE, "an index must be an int or a string, not %s", value_type_name(value));
    value_unref(value);
    return NULL;
}

struct value *assignment_place(const struct assignments *all, size_t index, const struct expr_scope *scope,
                               struct err *err)
{
    const struct expr *target = all->items[index].target;
    const struct node *node = target->root, *step = NULL;
    struct value *place = value_list();
    if (node->type == NODE_NAME) {
        list_push(place, value_string(node->text));
    } else {
        step = node->first->next;
        if (node->first->type == NODE_NAME)
            list_push(place, value_string(node->first->text));
    }
    for (; step; step = step->next) {
        struct value *part = step_value(target, step, scope, err);
        if (!part) {
            value_unref(place);
            return NULL;
        }
        list_push(place, part);
    }
    if (value_type(list_at(place, 0)) == VALUE_STRING)
        return place;
    err_set(err, ERR_TYPE, "a key must be a string, not %s", value_type_name(list_at(place, 0)));
    value_unref(place);
    return NULL;
}

struct value *assignment_value(const struct assignments *all, size_t index, const struct expr_scope *scope,
                               struct err *err)
{
    return expr_eval(all->items[index].value, scope, err);
}

/* ---- Named values ---- */

bool expr_args_valid(const struct value *args, struct err *err)
{
    if (value_type(args) != VALUE_MAP)
        return err_set(err, ERR_INVALID, "named values must be an object, not %s", value_type_name(args));
    struct str name;
    for (size_t i = 0; map_at(args, i, &name); i++)
        if (!name_usable(name))
            return err_set(err, ERR_INVALID, "'%.*s' is not a name that an expression can use",
                           STR_ARG(name));
    return true;
}
