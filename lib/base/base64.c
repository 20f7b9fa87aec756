/* Base64 (RFC 4648, section 4): bytes of any kind inside of JSON. */
#include "base.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_add(struct buf *buf, struct str bytes)
{
    const unsigned char *in = (const unsigned char *)bytes.data;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t bits = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                        (left > 2 ? (uint32_t)in[i + 2] : 0);
        const char out[4] = {letters[bits >> 18], letters[bits >> 12 & 63],
                             left > 1 ? letters[bits >> 6 & 63] : '=', left > 2 ? letters[bits & 63] : '='};
        buf_add(buf, out, sizeof out);
    }
}

static int letter_value(char letter)
{
    const char *at = letter ? strchr(letters, letter) : NULL;
    return at ? (int)(at - letters) : -1;
}

bool base64_read(struct buf *buf, struct str text)
{
    size_t pad = 0;
    while (pad < 2 && pad < text.len && text.data[text.len - 1 - pad] == '=')
        pad++;
    if (text.len % 4 != 0)
        return false;
    for (size_t i = 0; i < text.len; i += 4) {
        uint32_t bits = 0;
        size_t last = i + 4 == text.len ? pad : 0;
        for (size_t j = 0; j < 4; j++) {
            int value = j < 4 - last ? letter_value(text.data[i + j]) : 0;
            if (value < 0)
                return false;
            bits = bits << 6 | (uint32_t)value;
        }
        const char out[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
        buf_add(buf, out, 3 - last);
    }
    return true;
}
