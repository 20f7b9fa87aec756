/* Writes what is made from the program's own tables: parts of the manual pages, the manifest's JSON schema
 * and the completions. generate FOLDER writes into the source folder; generate --check FOLDER only compares.
 * In a page the lines between '.\" generated: PART' and '.\" end' are replaced. */
#include "generate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_MAX ((size_t)4 * 1024 * 1024)
#define BEGIN    ".\\\" generated: "
#define END      ".\\\" end\n"

static const struct part {
    const char *name;
    writer *write;
} parts[] = {
    {"global options", global_options_write},
    {"commands", commands_write},
    {"exit statuses", statuses_write},
    {"commands to come", later_write},
    {"keys", keys_write},
    {"operations", ops_write},
    {"fields", fields_write},
    {"error codes", codes_write},
};
static const char *const pages[] = {"man/zproc.1",      "man/zproc.yaml.5",     "man/zproc-protocol.7",
                                    "man/zproc-expr.7", "man/zproc-security.7", "man/libzproc.3"};
static const struct {
    const char *path;
    writer *write;
} files[] = {
    {"configs/zproc.schema.json", schema_write},      {"cmd/zproc/completions/zproc.bash", bash_write},
    {"cmd/zproc/completions/zproc.zsh", zsh_write},   {"cmd/zproc/completions/zproc.fish", fish_write},
    {"tests/fuzz/request.dict", request_words_write}, {"tests/fuzz/manifest.dict", manifest_words_write},
};

struct generator {
    const char *folder;
    bool check;
    size_t stale;
};

static bool source_read(const struct generator *generator, const char *folder, struct str name,
                        struct buf *text, struct err *err)
{
    AUTO_FREE char *path = mem_format("%s/%s/%.*s", generator->folder, folder, STR_ARG(name));
    return file_read(path, FILE_MAX, text, err);
}

static bool example_write(const struct generator *generator, struct str name, struct buf *out,
                          struct err *err)
{
    AUTO_BUF struct buf text = {0};
    if (!source_read(generator, "man/examples", name, &text, err))
        return false;
    mdoc_block(out, buf_str(&text));
    return true;
}

static bool interface_write(const struct generator *generator, struct buf *out, struct err *err)
{
    AUTO_BUF struct buf text = {0};
    return source_read(generator, "lib/client/zproc", STR("zproc.h"), &text, err) &&
           header_write(buf_str(&text), out, err);
}

static bool part_write(const struct generator *generator, struct str name, struct buf *out, struct err *err)
{
    struct str example = STR("example ");
    if (str_starts_with(name, example))
        return example_write(generator, (struct str){name.data + example.len, name.len - example.len}, out,
                             err);
    if (str_is(name, "interface"))
        return interface_write(generator, out, err);
    for (size_t i = 0; i < LENGTH_OF(parts); i++)
        if (str_is(name, parts[i].name))
            return parts[i].write(out, err);
    return err_set(err, ERR_INVALID, "no generated part is called '%.*s'", STR_ARG(name));
}

static struct str rest_of(struct str text, size_t from)
{
    return (struct str){text.data + from, text.len - from};
}

/* The page with its generated parts made anew. */
static bool page_write(const struct generator *generator, struct str old, struct buf *out, struct err *err)
{
    ptrdiff_t begin;
    while ((begin = str_find(old, STR(BEGIN))) >= 0) {
        size_t line = (size_t)begin + strlen(BEGIN);
        ptrdiff_t name_len = str_find(rest_of(old, line), STR("\n"));
        ptrdiff_t end = str_find(rest_of(old, line), STR(END));
        if (name_len < 0 || end < name_len)
            return err_set(err, ERR_INVALID, "a generated part has no line '.\\\" end'");
        struct str name = {old.data + line, (size_t)name_len};
        buf_add(out, old.data, line + name.len + 1);
        if (!part_write(generator, name, out, err))
            return false;
        buf_add_text(out, END);
        old = rest_of(old, line + (size_t)end + strlen(END));
    }
    buf_add_str(out, old);
    return true;
}

/* Writes or compares one file. */
static bool file_settle(struct generator *generator, const char *name, struct str text, struct err *err)
{
    AUTO_BUF struct buf old = {0};
    AUTO_FREE char *path = mem_format("%s/%s", generator->folder, name);
    if (file_read(path, FILE_MAX, &old, NULL) && str_equal(buf_str(&old), text))
        return true;
    generator->stale++;
    if (generator->check) {
        fprintf(stderr, "%s is not what the tables say; build the target 'docs' and commit it\n", name);
        return true;
    }
    AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || !fd_write_all(fd, text.data, text.len))
        return err_errno(err, errno, "cannot write '%s'", path);
    printf("%s\n", name);
    return true;
}

static bool page_settle(struct generator *generator, const char *name, struct err *err)
{
    AUTO_BUF struct buf old = {0}, new = {0};
    AUTO_FREE char *path = mem_format("%s/%s", generator->folder, name);
    return file_read(path, FILE_MAX, &old, err) &&
           (page_write(generator, buf_str(&old), &new, err) || err_wrap(err, "%s", name)) &&
           file_settle(generator, name, buf_str(&new), err);
}

static bool generate(struct generator *generator, struct err *err)
{
    for (size_t i = 0; i < LENGTH_OF(pages); i++)
        if (!page_settle(generator, pages[i], err))
            return false;
    for (size_t i = 0; i < LENGTH_OF(files); i++) {
        AUTO_BUF struct buf text = {0};
        if (!files[i].write(&text, err) || !file_settle(generator, files[i].path, buf_str(&text), err))
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct generator generator = {.check = argc == 3 && strcmp(argv[1], "--check") == 0};
    if (argc != 2 + generator.check) {
        fputs("usage: generate [--check] FOLDER\n", stderr);
        return 2;
    }
    generator.folder = argv[argc - 1];
    if (!generate(&generator, &err)) {
        fprintf(stderr, "generate: %s\n", err.message);
        return 2;
    }
    return generator.check && generator.stale > 0;
}
