/* A request's header: what is accepted prints to a header that is accepted with the same meaning. */
#include "fuzz.h"
#include "wire.h"

static bool same(const struct request *one, const struct request *two)
{
    if (one->operation != two->operation || one->set != two->set)
        return false;
    for (int i = 0; i < FIELD_COUNT; i++) {
        bool is_set = one->set >> i & 1;
        enum field_kind kind = field_info((enum field)i)->kind;
        if (!is_set)
            continue;
        if (kind == FIELD_STR && !str_equal(one->field[i].s, two->field[i].s))
            return false;
        if ((kind == FIELD_INT || kind == FIELD_BOOL) && one->field[i].i != two->field[i].i)
            return false;
        if (kind == FIELD_KEYS && !value_identical(one->field[i].keys, two->field[i].keys))
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct request request, again;
    if (request_parse((struct str){(const char *)data, size}, &request, &err)) {
        AUTO_BUF struct buf text = {0};
        request_print(&text, &request);
        MUST(request_parse(buf_str(&text), &again, &err));
        MUST(same(&request, &again));
        request_release(&again);
    } else {
        MUST(err.code != ERR_NONE && err.message[0]);
    }
    request_release(&request);
    return 0;
}
