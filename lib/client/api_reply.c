/* The public API's replies, and JSON strings. */
#include "api_priv.h"

#include <stdlib.h>

zp_reply *api_reply(struct reply *reply)
{
    zp_reply *made = mem_new(sizeof *made);
    made->reply = *reply;
    return made;
}

void zp_reply_free(zp_reply *reply)
{
    if (!reply)
        return;
    reply_release(&reply->reply);
    free(reply);
}

static const char *text_out(struct str s, size_t *len)
{
    if (len)
        *len = s.len;
    return s.data;
}

/* The value is the last frame of the message, behind which stands a NUL. */
const char *zp_reply_value(const zp_reply *reply, size_t *len)
{
    return text_out(reply->reply.value, len);
}

const char *zp_reply_header(const zp_reply *reply, size_t *len)
{
    return text_out(reply->reply.message.header, len);
}

int64_t zp_reply_revision(const zp_reply *reply)
{
    return reply->reply.rev;
}

int64_t zp_reply_id(const zp_reply *reply)
{
    return reply->reply.id;
}

enum zp_code zp_reply_code(const zp_reply *reply)
{
    return reply->reply.ok ? ZP_OK : api_code(reply->reply.error.code);
}

const char *zp_reply_message(const zp_reply *reply)
{
    return reply->reply.error.message;
}

const char *zp_reply_text(const zp_reply *reply, const char *field, size_t *len)
{
    const struct value *value = reply_field(&reply->reply, field);
    bool is_text = value && value_type(value) == VALUE_STRING;
    return text_out(is_text ? value_as_str(value) : (struct str){0}, len);
}

bool zp_reply_number(const zp_reply *reply, const char *field, int64_t *number)
{
    const struct value *value = reply_field(&reply->reply, field);
    *number = 0;
    if (!value || (value_type(value) != VALUE_INT && value_type(value) != VALUE_BOOL))
        return false;
    *number = value_type(value) == VALUE_INT ? value_as_int(value) : value_as_bool(value);
    return true;
}

char *zp_quote(const char *text, size_t len)
{
    struct str plain = api_str(text, len);
    struct buf json = {0};
    if (!utf8_valid(plain))
        return NULL;
    string_print(&json, plain);
    return buf_detach(&json);
}

char *zp_unquote(const char *json, size_t len, size_t *text_len)
{
    AUTO_VALUE struct value *value = value_parse(api_str(json, len), NULL);
    if (!value || value_type(value) != VALUE_STRING)
        return NULL;
    struct str text = value_as_str(value);
    if (text_len)
        *text_len = text.len;
    return mem_copy(text.data, text.len);
}
