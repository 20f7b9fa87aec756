/* JSON values: what is accepted prints to text that reads back as the same value, and prints the same again.
 */
#include "fuzz.h"
#include "value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    AUTO_VALUE struct value *value = value_parse((struct str){(const char *)data, size}, &err);
    if (!value) {
        MUST(err.code != ERR_NONE && err.message[0]);
        return 0;
    }
    AUTO_BUF struct buf text = {0}, again = {0};
    value_print(&text, value);
    AUTO_VALUE struct value *back = value_parse(buf_str(&text), &err);
    MUST(back && value_identical(value, back));
    value_print(&again, back);
    MUST(str_equal(buf_str(&text), buf_str(&again)));
    return 0;
}
