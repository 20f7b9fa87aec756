/* Operands: keys with a pointer, values as JSON or text, from the command line, standard input or a file. */
#include "command.h"

#include <unistd.h>

void key_operand(struct request *request, const char *operand)
{
    struct str key = str_of(operand);
    ptrdiff_t split = str_find(key, STR("#/"));
    if (split >= 0) {
        request_set_str(request, FIELD_path, (struct str){key.data + split + 1, key.len - (size_t)split - 1});
        key.len = (size_t)split;
    }
    request_set_str(request, FIELD_key, key);
}

static bool string_add(struct buf *json, struct str text, struct err *err)
{
    if (!utf8_valid(text))
        return err_set(err, ERR_INVALID, "the value is not valid UTF-8");
    string_print(json, text);
    return true;
}

/* Text that may be JSON. A number out of range is not taken for a string. */
static bool text_add(struct str text, bool strict, bool from_file, struct buf *json, struct err *err)
{
    struct err why = {0};
    AUTO_VALUE struct value *value = value_parse(text, &why);
    if (value) {
        buf_add_str(json, text);
        return true;
    }
    if (strict || why.code == ERR_TOO_LARGE)
        return err_set(err, why.code, "bad value: %s", why.message);
    if (from_file && str_ends_with(text, STR("\n")))
        text.len--;
    return string_add(json, text, err);
}

static bool source_read(const char *operand, struct buf *text, struct err *err)
{
    if (*operand == '@')
        return file_read(operand + 1, WIRE_FRAME_MAX, text, err);
    return fd_read_all(STDIN_FILENO, WIRE_FRAME_MAX, text, err) || err_wrap(err, "standard input");
}

bool value_operand(const struct args *args, const char *operand, struct buf *json, struct err *err)
{
    bool strict = args_has(args, "strict");
    if (args_has(args, "string") && strict)
        return err_set(err, ERR_INVALID, "options '--string' and '--strict' exclude each other");
    if (args_has(args, "string"))
        return string_add(json, str_of(operand), err);
    if (strcmp(operand, "-") != 0 && *operand != '@')
        return text_add(str_of(operand), strict, false, json, err);
    AUTO_BUF struct buf text = {0};
    if (!source_read(operand, &text, err)) {
        /* A file that cannot be read is a mistake in the command line, not a failure of zproc. */
        if (err && err->code == ERR_INTERNAL)
            err->code = ERR_INVALID;
        return false;
    }
    return text_add(buf_str(&text), strict, true, json, err);
}

bool default_operand(const struct args *args, const char **given, struct buf *value, struct err *err)
{
    *given = args_value(args, "default");
    if (*given)
        return value_operand(args, *given, value, err);
    if (args_has(args, "string") || args_has(args, "strict"))
        return err_set(err, ERR_INVALID,
                       "options -s and -J say how the VALUE of --default is read, which is not given");
    return true;
}

bool pair_operand(const struct args *args, const char *operand, struct str *key, struct buf *json,
                  struct err *err)
{
    const char *equals = strchr(operand, '=');
    if (!equals || equals == operand)
        return err_set(err, ERR_INVALID, "'%.200s' is not of the form KEY=VALUE", operand);
    *key = (struct str){operand, (size_t)(equals - operand)};
    return value_operand(args, equals + 1, json, err);
}

bool args_operands(const struct args *args, struct buf *json, struct err *err)
{
    for (size_t i = 0; i < args->given_count; i++) {
        const struct given *given = &args->given[i];
        bool is_json = strcmp(given->row->name, "argjson") == 0;
        if (!is_json && strcmp(given->row->name, "arg") != 0)
            continue;
        struct str name = str_of(given->value), text = str_of(given->second);
        buf_add_char(json, json->len ? ',' : '{');
        if (!string_add(json, name, err))
            return false;
        buf_add_char(json, ':');
        if (!(is_json ? text_add(text, true, false, json, err) : string_add(json, text, err)))
            return err_wrap(err, "option '--%s %s'", given->row->name, given->value);
    }
    if (json->len)
        buf_add_char(json, '}');
    return true;
}
