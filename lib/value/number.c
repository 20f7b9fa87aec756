/* Numbers as text: ints, shortest doubles, kept spellings. */
#include "value_priv.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

struct number *number_spelled(enum value_type type, const char *spelling, size_t len)
{
    struct number *number = value_new(type, sizeof *number + len + 1);
    number->head.flag = true;
    memcpy(number->spelling, spelling, len);
    number->spelling[len] = '\0';
    return number;
}

/* ---- Doubles ---- */

/* Adds one in the last place of "d.ddde±x"; false when all digits are 9. */
static bool digits_increment(char *text)
{
    for (char *c = strchr(text, 'e') - 1; c >= text; c--) {
        if (*c == '.')
            continue;
        if (*c != '9') {
            ++*c;
            return true;
        }
        *c = '0';
    }
    return false;
}

/* Writes d > 0 as "d.ddde±x" with the fewest digits that read back the same. */
static void digits_shortest(double d, char text[32])
{
    /* Every decimal of 15 digits survives in a normal double, so fewer are only trailing zeros there. */
    int first = d < DBL_MIN ? 1 : DBL_DIG;
    for (int precision = first; precision < DBL_DECIMAL_DIG; precision++) {
        snprintf(text, 32, "%.*e", precision - 1, d);
        if (strtod(text, NULL) == d)
            return;
        /* Below a power of two doubles are twice as dense: the nearest decimal may be just outside on
         * that side, and the next one above inside. */
        if (digits_increment(text) && strtod(text, NULL) == d)
            return;
    }
    snprintf(text, 32, "%.*e", DBL_DECIMAL_DIG - 1, d);
}

/* Writes digits (without a dot) with the decimal point where exponent (of the first digit) wants it. */
static size_t digits_place(const char *digits, int count, int exponent, char *out)
{
    if (exponent < -4 || exponent >= 16)
        return (size_t)sprintf(out, "%c%s%.*se%c%02d", digits[0], count > 1 ? "." : "", count - 1, digits + 1,
                               exponent < 0 ? '-' : '+', abs(exponent));
    if (exponent < 0)
        return (size_t)sprintf(out, "0.%.*s%.*s", -exponent - 1, "000", count, digits);
    int whole = exponent + 1;
    if (count > whole)
        return (size_t)sprintf(out, "%.*s.%.*s", whole, digits, count - whole, digits + whole);
    return (size_t)sprintf(out, "%.*s%.*s.0", count, digits, whole - count, "000000000000000");
}

size_t double_print(double d, char out[32])
{
    size_t len = 0;
    if (fabs(d) < 1e15 && d == (double)(int64_t)d) {
        if (d == 0 && signbit(d))
            out[len++] = '-';
        len += int_print((int64_t)d, out + len);
        memcpy(out + len, ".0", 3);
        return len + 2;
    }
    if (d < 0)
        out[len++] = '-';
    char text[32], digits[DBL_DECIMAL_DIG + 1];
    digits_shortest(fabs(d), text);
    int count = 0;
    const char *c = text;
    for (; *c != 'e'; c++)
        if (*c != '.')
            digits[count++] = *c;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    return len + digits_place(digits, count, (int)strtol(c + 1, NULL, 10), out + len);
}

struct str number_text(const struct value *value, char room[32])
{
    const struct number *number = as_number(value);
    if (value->flag)
        return str_of(number->spelling);
    size_t len = value->type == VALUE_INT ? int_print(number->i, room) : double_print(number->d, room);
    return (struct str){room, len};
}
