/* keygen: a new secret key, or what other programs need of one. */
#include "command.h"

#include <stdlib.h>

static const struct option keygen_options[] = {
    {0, "curve", NULL,
     "print the CURVE keys that a ZeroMQ client needs, derived from the key that --key-file or "
     "ZPROC_KEY_FILE names: the server's public one, the client's public and secret ones"},
    {0},
};

static int print_new(const char *path, struct err *err)
{
    char text[SECRET_TEXT_SIZE];
    if (!secret_make(text, err))
        return FAILED;
    if (path)
        return secret_write(path, text, err) ? 0 : FAILED;
    AUTO_BUF struct buf line = {0};
    buf_add_format(&line, "%s\n", text);
    return output_write(&line, err) ? 0 : FAILED;
}

/* Z85 (RFC 32), as ZeroMQ libraries take keys. */
static void z85_add(struct buf *buf, const unsigned char key[SECRET_KEY_LEN])
{
    static const char digits[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    for (size_t i = 0; i < SECRET_KEY_LEN; i += 4) {
        uint32_t number =
            (uint32_t)key[i] << 24 | (uint32_t)key[i + 1] << 16 | (uint32_t)key[i + 2] << 8 | key[i + 3];
        char text[5];
        for (int k = 4; k >= 0; k--, number /= 85)
            text[k] = digits[number % 85];
        buf_add(buf, text, sizeof text);
    }
}

static int print_curve(struct err *err)
{
    struct secret secret;
    bool given;
    AUTO_BUF struct buf text = {0};
    if (!secret_from_env(&secret, &given, err))
        return FAILED;
    if (!given) {
        err_set(err, ERR_INVALID, "--curve needs a key; name its file with --key-file");
        return FAILED;
    }
    const struct {
        const char *name;
        const unsigned char *key;
    } keys[] = {{"server public", secret.server_public},
                {"client public", secret.client_public},
                {"client secret", secret.client_secret}};
    for (size_t i = 0; i < LENGTH_OF(keys); i++) {
        buf_add_format(&text, "%s ", keys[i].name);
        z85_add(&text, keys[i].key);
        buf_add_char(&text, '\n');
    }
    secret_wipe(&secret);
    return output_write(&text, err) ? 0 : FAILED;
}

static int run_keygen(struct context *context, struct err *err)
{
    const struct args *args = &context->args;
    bool curve = args_has(args, "curve");
    if (curve && args->operand_count > 0) {
        err_set(err, ERR_INVALID, "--curve reads a key and takes no FILE to write; use --key-file FILE");
        return FAILED;
    }
    if (!curve && (args_has(args, "key-file") || args_has(args, "secret-key"))) {
        err_set(err, ERR_INVALID, "a new key needs no other one; give the file to write as operand");
        return FAILED;
    }
    return curve ? print_curve(err) : print_new(args->operand_count > 0 ? args->operands[0] : NULL, err);
}

const struct command cmd_keygen = {
    .name = "keygen",
    .group = GROUP_SERVER,
    .usage = "[FILE]",
    .operands_max = 1,
    .summary = "Make a secret key: into FILE, which only you can read, or print it",
    .notes =
        "A file that is there already is left alone. Who has the key can do everything with the server.\n",
    .options = keygen_options,
    .examples =
        "  zproc keygen ~/.zproc.key\n  zproc server --key-file ~/.zproc.key --address 'tcp://*:5555'\n"
        "  zproc keygen --curve --key-file ~/.zproc.key\n",
    .run = run_keygen,
};
