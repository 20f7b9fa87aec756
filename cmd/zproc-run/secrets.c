/* Values of `secrets`: learnt before a process starts that has them, kept out of all that the run shows. */
#include "run_priv.h"

#define LINE_MIN                                                                                             \
    8 /* of a value of several lines each line so long is a secret too: tools print them one by one */
#define VALUES_MAX 1000 /* each costs time for every byte of output */

/* As it is, and as it stands in a JSON string. */
static void add_forms(struct run *run, struct str text)
{
    AUTO_BUF struct buf json = {0}, mended = {0};
    mask_add(&run->mask, text);
    view_add_utf8(&mended, text);
    string_print(&json, buf_str(&mended));
    mask_add(&run->mask, (struct str){json.data + 1, json.len - 2});
}

/* As a terminal shows it. */
static void add_returns(struct run *run, struct str text)
{
    AUTO_BUF struct buf out = {0};
    for (size_t i = 0; i < text.len; i++)
        buf_add_str(&out, text.data[i] == '\n' ? STR("\r\n") : (struct str){text.data + i, 1});
    mask_add(&run->mask, buf_str(&out));
}

static void add_lines(struct run *run, struct str text)
{
    while (text.len > 0) {
        const char *newline = memchr(text.data, '\n', text.len);
        struct str line = {text.data, newline ? (size_t)(newline - text.data) : text.len};
        size_t step = line.len + (newline ? 1 : 0);
        text = (struct str){text.data + step, text.len - step};
        while (line.len > 0 && (line.data[line.len - 1] == '\r' || line.data[line.len - 1] == ' '))
            line.len--;
        while (line.len > 0 && (line.data[0] == ' ' || line.data[0] == '\t')) {
            line.data++;
            line.len--;
        }
        if (line.len >= LINE_MIN)
            add_forms(run, line);
    }
}

static void warn_short(struct run *run, const char *name)
{
    static const char said[] = "";
    if (!table_put(&run->short_secrets, str_of(name), (void *)said))
        run_say(run, 1, "the value of the secret '%s' has fewer than %d bytes: it is not masked", name,
                MASK_MIN);
}

bool secrets_learn(struct run *run, const struct plan_worker *worker, const struct environment *env,
                   struct err *err)
{
    for (size_t i = 0; i < worker->secrets.count; i++) {
        const char *name = worker->secrets.items[i].raw, *value = environment_get(env, name);
        struct str text = str_of(value);
        while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
            text.len--;
        if (text.len >= MASK_MIN)
            add_forms(run, text);
        else if (text.len > 0)
            warn_short(run, name);
        if (text.len > 0 && memchr(text.data, '\n', text.len)) {
            add_lines(run, text);
            add_returns(run, text);
        }
    }
    return run->mask.count <= VALUES_MAX ||
           err_set(err, ERR_TOO_LARGE,
                   "'secrets' have had more than %d different values in this run; take those out that change",
                   VALUES_MAX);
}

struct str secrets_hide(const struct run *run, struct str text, struct buf *space)
{
    if (run->mask.count == 0 || text.len == 0)
        return text;
    mask_whole(&run->mask, text, space);
    return buf_str(space);
}

struct str secrets_hide_json(const struct run *run, struct str json, struct buf *space)
{
    struct str hidden = secrets_hide(run, json, space);
    if (hidden.data == json.data)
        return json;
    AUTO_VALUE struct value *value = value_parse(hidden, NULL);
    if (value)
        return hidden;
    /* A number, or what it stands between, was part of it. */
    AUTO_BUF struct buf text = {0};
    buf_add_str(&text, hidden);
    buf_clear(space);
    string_print(space, buf_str(&text));
    return buf_str(space);
}
