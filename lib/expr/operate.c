/* Operators on values: arithmetic, comparison, equality and `in`. */
#include "eval_priv.h"

#include <math.h>

/* Beyond what nesting of text and of stored values can reach together. */
enum { EQUAL_DEPTH_MAX = VALUE_DEPTH_MAX + 2 * EXPR_NESTING_MAX };

static bool mismatch(struct eval *ev, enum sign sign, const struct cell *a, const struct cell *b)
{
    const char *hint = cell_is_number(a) && cell_is_number(b) ? "; convert one with int() or double()" : "";
    return err_set(ev->err, ERR_TYPE, "cannot apply '%s' to %s and %s%s", sign_text(sign), cell_type_name(a),
                   cell_type_name(b), hint);
}

static bool operate_ints(struct eval *ev, enum sign sign, int64_t a, int64_t b, struct cell *out)
{
    int64_t result = 0;
    bool overflow = false;
    switch (sign) {
    case SIGN_ADD:
        overflow = __builtin_add_overflow(a, b, &result);
        break;
    case SIGN_SUBTRACT:
        overflow = __builtin_sub_overflow(a, b, &result);
        break;
    case SIGN_MULTIPLY:
        overflow = __builtin_mul_overflow(a, b, &result);
        break;
    default:
        if (b == 0)
            return err_set(ev->err, ERR_TYPE, "division by zero in '%s'", sign_text(sign));
        overflow = a == INT64_MIN && b == -1;
        if (!overflow)
            result = sign == SIGN_DIVIDE ? a / b : a % b;
        break;
    }
    if (overflow)
        return err_set(ev->err, ERR_TYPE, "int overflow in '%s'", sign_text(sign));
    *out = cell_of_int(result);
    return true;
}

static bool operate_doubles(enum sign sign, double a, double b, struct cell *out)
{
    double result;
    switch (sign) {
    case SIGN_ADD:
        result = a + b;
        break;
    case SIGN_SUBTRACT:
        result = a - b;
        break;
    case SIGN_MULTIPLY:
        result = a * b;
        break;
    case SIGN_DIVIDE:
        result = b != 0 ? a / b : a == 0 || isnan(a) ? NAN : signbit(a) == signbit(b) ? INFINITY : -INFINITY;
        break;
    default:
        return false; /* CEL has no '%' for doubles */
    }
    *out = cell_of_double(result);
    return true;
}

static bool concat_strings(struct eval *ev, struct str a, struct str b, struct cell *out)
{
    if (!eval_spend_bytes(ev, a.len + b.len))
        return false;
    AUTO_BUF struct buf buf = {0};
    buf_reserve(&buf, a.len + b.len);
    buf_add_str(&buf, a);
    buf_add_str(&buf, b);
    *out = cell_of_value(value_string(buf_str(&buf)));
    return true;
}

static bool concat_lists(struct eval *ev, const struct cell *a, const struct cell *b, struct cell *out)
{
    if (!eval_spend(ev, cell_len(a)) || !eval_spend(ev, cell_len(b)))
        return false;
    struct bag *bag = bag_new(false);
    const struct cell *const lists[] = {a, b};
    for (size_t which = 0; which < 2; which++) {
        size_t count = cell_len(lists[which]);
        for (size_t i = 0; i < count; i++) {
            struct cell item;
            cell_entry(lists[which], i, NULL, &item);
            bag_push(bag, NULL, &item);
        }
    }
    *out = bag_finish(bag);
    return true;
}

static int order(double a, double b)
{
    return (a > b) - (a < b);
}

/* Exact, also where an int has no double. NaN does not come here. */
static int compare_int_double(int64_t a, double b)
{
    if (b >= 0x1p63)
        return -1;
    if (b < -0x1p63)
        return 1;
    int64_t whole = (int64_t)b;
    if (a != whole)
        return a > whole ? 1 : -1;
    return order(0, b - (double)whole);
}

/* False when they have no order: other types, or NaN (*nan). */
static bool compare(const struct cell *a, const struct cell *b, int *result, bool *nan)
{
    *nan = (a->type == CELL_DOUBLE && isnan(a->d)) || (b->type == CELL_DOUBLE && isnan(b->d));
    if (a->type == CELL_INT && b->type == CELL_INT)
        *result = (a->i > b->i) - (a->i < b->i);
    else if (*nan && cell_is_number(a) && cell_is_number(b))
        *result = 0;
    else if (a->type == CELL_DOUBLE && b->type == CELL_DOUBLE)
        *result = order(a->d, b->d);
    else if (a->type == CELL_INT && b->type == CELL_DOUBLE)
        *result = compare_int_double(a->i, b->d);
    else if (a->type == CELL_DOUBLE && b->type == CELL_INT)
        *result = -compare_int_double(b->i, a->d);
    else if (a->type == CELL_STRING && b->type == CELL_STRING)
        *result = str_compare(cell_str(a), cell_str(b));
    else if (a->type == CELL_BOOL && b->type == CELL_BOOL)
        *result = a->b - b->b;
    else
        return false;
    return true;
}

static bool operate_order(struct eval *ev, enum sign sign, const struct cell *a, const struct cell *b,
                          struct cell *out)
{
    int result = 0;
    bool nan;
    if (a->type == CELL_STRING && b->type == CELL_STRING &&
        !eval_spend_bytes(ev, cell_len(a) < cell_len(b) ? cell_len(a) : cell_len(b)))
        return false;
    if (!compare(a, b, &result, &nan))
        return err_set(ev->err, ERR_TYPE, "cannot compare %s and %s with '%s'", cell_type_name(a),
                       cell_type_name(b), sign_text(sign));
    bool holds = sign == SIGN_LESS         ? result < 0
                 : sign == SIGN_LESS_EQUAL ? result <= 0
                 : sign == SIGN_MORE       ? result > 0
                                           : result >= 0;
    *out = cell_of_bool(holds && !nan);
    return true;
}

bool operate(struct eval *ev, enum sign sign, const struct cell *a, const struct cell *b, struct cell *out)
{
    switch (sign) {
    case SIGN_EQUAL:
    case SIGN_NOT_EQUAL: {
        bool equal;
        if (!cells_equal(ev, a, b, &equal))
            return false;
        *out = cell_of_bool(equal == (sign == SIGN_EQUAL));
        return true;
    }
    case SIGN_LESS:
    case SIGN_LESS_EQUAL:
    case SIGN_MORE:
    case SIGN_MORE_EQUAL:
        return operate_order(ev, sign, a, b, out);
    default:
        break;
    }
    if (a->type == CELL_INT && b->type == CELL_INT)
        return operate_ints(ev, sign, a->i, b->i, out);
    if (a->type == CELL_DOUBLE && b->type == CELL_DOUBLE && operate_doubles(sign, a->d, b->d, out))
        return true;
    if (sign == SIGN_ADD && a->type == CELL_STRING && b->type == CELL_STRING)
        return concat_strings(ev, cell_str(a), cell_str(b), out);
    if (sign == SIGN_ADD && a->type == CELL_LIST && b->type == CELL_LIST)
        return concat_lists(ev, a, b, out);
    return mismatch(ev, sign, a, b);
}

bool operate_negate(struct eval *ev, const struct cell *a, struct cell *out)
{
    if (a->type == CELL_DOUBLE) {
        *out = cell_of_double(-a->d);
        return true;
    }
    if (a->type != CELL_INT)
        return err_set(ev->err, ERR_TYPE, "cannot apply '-' to %s", cell_type_name(a));
    return operate_ints(ev, SIGN_SUBTRACT, 0, a->i, out);
}

static bool equal_at(struct eval *ev, const struct cell *a, const struct cell *b, int depth, bool *equal);

static bool equal_lists(struct eval *ev, const struct cell *a, const struct cell *b, int depth, bool *equal)
{
    size_t count = cell_len(a);
    for (size_t i = 0; i < count && *equal; i++) {
        AUTO_CELL struct cell left = {0}, right = {0};
        cell_entry(a, i, NULL, &left);
        cell_entry(b, i, NULL, &right);
        if (!equal_at(ev, &left, &right, depth + 1, equal))
            return false;
    }
    return true;
}

static bool equal_maps(struct eval *ev, const struct cell *a, const struct cell *b, int depth, bool *equal)
{
    size_t count = cell_len(a);
    for (size_t i = 0; i < count && *equal; i++) {
        AUTO_CELL struct cell key = {0}, left = {0}, right = {0};
        cell_entry(a, i, &key, &left);
        if (!map_find(ev, b, &key, equal, &right))
            return false;
        if (*equal && !equal_at(ev, &left, &right, depth + 1, equal))
            return false;
    }
    return true;
}

static bool equal_strings(struct eval *ev, const struct cell *a, const struct cell *b, bool *equal)
{
    struct str left = cell_str(a), right = cell_str(b);
    *equal = left.len == right.len;
    if (!*equal || left.data == right.data)
        return true;
    *equal = str_equal(left, right);
    return eval_spend_bytes(ev, left.len);
}

static bool equal_at(struct eval *ev, const struct cell *a, const struct cell *b, int depth, bool *equal)
{
    if (depth > EQUAL_DEPTH_MAX)
        return eval_stop(ev, "values nested too deeply to be compared");
    if (!eval_spend(ev, 1))
        return false;
    int result;
    bool nan;
    *equal = true;
    if (a->type == CELL_STRING && b->type == CELL_STRING)
        return equal_strings(ev, a, b, equal);
    if (compare(a, b, &result, &nan)) {
        *equal = result == 0 && !nan;
        return true;
    }
    *equal = a->type == b->type;
    if (!*equal || a->type == CELL_NULL)
        return true;
    *equal = cell_len(a) == cell_len(b);
    if (!*equal)
        return true;
    return a->type == CELL_LIST ? equal_lists(ev, a, b, depth, equal) : equal_maps(ev, a, b, depth, equal);
}

bool cells_equal(struct eval *ev, const struct cell *a, const struct cell *b, bool *equal)
{
    return equal_at(ev, a, b, 0, equal);
}

bool map_find(struct eval *ev, const struct cell *map, const struct cell *key, bool *there, struct cell *item)
{
    *there = false;
    if (!cell_is_bag(map)) {
        if (key->type != CELL_STRING)
            return true;
        struct str name = cell_str(key);
        struct value *value = map_get(map->value, name);
        *there = value != NULL;
        if (value)
            *item = cell_of_value(value_ref(value));
        return eval_spend_bytes(ev, name.len);
    }
    for (size_t i = 0; i < map->bag->count && !*there; i++) {
        if (!cells_equal(ev, &map->bag->keys[i], key, there))
            return false;
        if (*there)
            *item = cell_ref(&map->bag->items[i]);
    }
    return true;
}

bool map_check_unique(struct eval *ev, const struct cell *map, size_t count)
{
    bool twice = cell_len(map) != count;
    if (cell_is_bag(map)) {
        const struct cell *keys = map->bag->keys;
        for (size_t i = 1; i < count && !twice; i++)
            for (size_t j = 0; j < i && !twice; j++)
                if (!cells_equal(ev, &keys[i], &keys[j], &twice))
                    return false;
    }
    return twice ? err_set(ev->err, ERR_TYPE, "a key stands twice in the map") : true;
}
