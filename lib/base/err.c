/* Error objects: a code from one table and a message that gains context on its way out. */
#include "base.h"

static const struct {
    const char *name;
    int status;
} codes[] = {
#define X(code, name, status) [code] = {name, status},
    ERR_CODES(X)
#undef X
};

/* Messages travel as JSON, but may quote any bytes, and may be cut within a character. */
static void message_clean(char *message)
{
    struct str s = str_of(message);
    for (size_t pos = 0; pos < s.len;) {
        size_t start = pos;
        utf8_next(s, &pos);
        if (!utf8_valid((struct str){s.data + start, pos - start}))
            message[start] = '?';
    }
}

bool err_set(struct err *err, enum err_code code, const char *format, ...)
{
    if (!err)
        return false;
    err->code = code;
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    message_clean(err->message);
    return false;
}

bool err_errno(struct err *err, int number, const char *format, ...)
{
    if (!err)
        return false;
    err->code = ERR_INTERNAL;
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    size_t len = strlen(err->message);
    snprintf(err->message + len, sizeof err->message - len, ": %s", strerror(number));
    message_clean(err->message);
    return false;
}

bool err_wrap(struct err *err, const char *format, ...)
{
    if (!err)
        return false;
    char inner[sizeof err->message];
    memcpy(inner, err->message, sizeof inner);
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    size_t len = strlen(err->message);
    snprintf(err->message + len, sizeof err->message - len, ": %s", inner);
    message_clean(err->message);
    return false;
}

const char *err_code_name(enum err_code code)
{
    return (size_t)code < LENGTH_OF(codes) ? codes[code].name : "internal";
}

enum err_code err_code_from_name(const char *name)
{
    for (size_t i = 0; i < LENGTH_OF(codes); i++)
        if (strcmp(codes[i].name, name) == 0)
            return (enum err_code)i;
    return ERR_INTERNAL;
}

int err_code_status(enum err_code code)
{
    return (size_t)code < LENGTH_OF(codes) ? codes[code].status : 125;
}
