/* The ZMTP client against a hostile server, without a key: the first byte says in what pieces the rest
 * arrives. */
#include "fuzz.h"
#include "wire_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct zmtp zmtp;
    struct err err = {0};
    size_t piece = data[0] % 64 + 1;
    zmtp_init(&zmtp, NULL);
    zmtp_put(&zmtp, STR("{\"op\":\"ping\"}"), STR("1"));
    for (size_t at = 1; at < size;) {
        size_t len = size - at < piece ? size - at : piece;
        struct str in = {(const char *)data + at, len};
        struct message message = {0};
        enum zmtp_got got = zmtp_take(&zmtp, &in, &message, &err);
        MUST(in.len <= len);
        at += len - in.len;
        message_release(&message);
        if (got == ZMTP_FAILED) {
            MUST(err.message[0]);
            break;
        }
        MUST(got == ZMTP_MESSAGE || in.len == 0);
    }
    zmtp_release(&zmtp);
    return 0;
}
