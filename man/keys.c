/* The parts of zproc.yaml(5): every key from the manifest's table. */
#include "generate.h"
#include "plan.h"

struct pass {
    struct buf *buf;
    bool supported;      /* which keys are written */
    const char *section; /* the last one; NULL: none yet */
};

static void section_begin(struct pass *pass, const char *section)
{
    if (pass->section && strcmp(pass->section, section) == 0)
        return;
    if (pass->section)
        buf_add_text(pass->buf, ".El\n");
    pass->section = section;
    if (*section == '\0')
        buf_add_text(pass->buf, ".Ss Top level\n");
    else if (strcmp(section, "worker") == 0)
        buf_add_text(pass->buf, ".Ss A worker\n");
    else
        buf_add_format(pass->buf, ".Ss %s\n", section);
    buf_add_text(pass->buf, ".Bl -tag -width Ds\n");
}

static void key_add(void *ctx, const struct plan_key *key)
{
    struct pass *pass = ctx;
    struct buf *buf = pass->buf;
    section_begin(pass, key->section);
    buf_add_text(buf, ".It Cm ");
    mdoc_literal(buf, str_of(key->name));
    buf_add_text(buf, " : ");
    mdoc_text(buf, key->type);
    buf_add_char(buf, '\n');
    mdoc_sentence(buf, key->help);
    if (strcmp(key->fallback, "required") == 0) {
        buf_add_text(buf, "Required.\n");
    } else if (*key->fallback) {
        buf_add_text(buf, "Default: ");
        mdoc_text(buf, key->fallback);
        buf_add_text(buf, ".\n");
    }
}

bool keys_write(struct buf *buf, struct err *err)
{
    (void)err;
    struct pass pass = {.buf = buf};
    plan_keys(key_add, &pass);
    buf_add_text(buf, ".El\n");
    return true;
}
