/* The parts of zproc(1): commands and options from the command table, exit statuses from the error codes. */
#include "command.h"
#include "generate.h"

/* ---- Options ---- */

static const struct option value_rows[] = {VALUE_OPTIONS, {0}};

/* -s and -J are told once, under VALUES. */
static bool is_value_row(const struct option *row)
{
    for (const struct option *next = value_rows; next->name; next++)
        if (row->letter == next->letter && strcmp(row->name, next->name) == 0)
            return true;
    return false;
}

static void option_add(struct buf *buf, const struct option *row)
{
    buf_add_text(buf, ".It ");
    if (row->letter)
        buf_add_format(buf, "Fl %c , ", row->letter);
    buf_add_text(buf, "Fl \\-");
    mdoc_literal(buf, str_of(row->name));
    if (row->argument) {
        buf_add_text(buf, " Ar ");
        mdoc_literal(buf, str_of(row->argument));
    }
    buf_add_char(buf, '\n');
    mdoc_sentence(buf, row->help);
}

static void options_add(struct buf *buf, const struct option *rows)
{
    size_t shown = 0;
    bool values = false;
    for (const struct option *row = rows; row && row->name; row++) {
        values |= is_value_row(row);
        if (is_value_row(row))
            continue;
        if (shown++ == 0)
            buf_add_text(buf, ".Bl -tag -width Ds\n");
        option_add(buf, row);
    }
    if (shown)
        buf_add_text(buf, ".El\n");
    if (values)
        buf_add_format(buf, "%sTakes\n.Fl s\nand\n.Fl J\ntoo; see\n.Sx VALUES .\n", shown ? ".Pp\n" : "");
}

bool global_options_write(struct buf *buf, struct err *err)
{
    (void)err;
    options_add(buf, global_options);
    return true;
}

/* ---- Commands ---- */

/* A word of the usage: "[KEY...]" is optional, "--" and words like it stand for themselves. */
static void usage_word(struct buf *buf, struct str word)
{
    bool opens = str_starts_with(word, STR("[")), closes = str_ends_with(word, STR("]"));
    word.data += opens;
    word.len -= (size_t)opens + closes;
    bool dots = str_ends_with(word, STR("..."));
    word.len -= dots ? 3 : 0;
    if (opens)
        buf_add_text(buf, " Oo");
    buf_add_text(buf, str_is(word, "|") ? " " : str_starts_with(word, STR("-")) ? " Cm " : " Ar ");
    mdoc_literal(buf, word);
    if (dots)
        buf_add_text(buf, " ...");
    if (closes)
        buf_add_text(buf, " Oc");
}

static void usage_add(struct buf *buf, const char *usage)
{
    while (*usage) {
        size_t len = strcspn(usage, " ");
        if (len)
            usage_word(buf, (struct str){usage, len});
        usage += len + (usage[len] == ' ');
    }
}

/* The notes less what VALUES says of all. */
static void notes_add(struct buf *buf, const char *notes)
{
    AUTO_BUF struct buf own = {0};
    const char *common = strstr(notes, VALUE_NOTES);
    if (common) {
        buf_add(&own, notes, (size_t)(common - notes));
        buf_add_text(&own, common + strlen(VALUE_NOTES));
    } else {
        buf_add_text(&own, notes);
    }
    while (own.len > 0 && own.data[own.len - 1] == '\n')
        own.data[--own.len] = '\0';
    for (size_t i = 0; i < own.len; i++)
        if (own.data[i] == '\n')
            own.data[i] = ' ';
    if (own.len > 0) {
        mdoc_text(buf, own.data);
        buf_add_char(buf, '\n');
    }
}

static void examples_add(struct buf *buf, const char *examples)
{
    AUTO_BUF struct buf lines = {0};
    for (const char *line = examples; *line;) {
        size_t len = strcspn(line, "\n");
        size_t blanks = strspn(line, " ");
        blanks = blanks < 2 ? blanks : 2;
        buf_add(&lines, line + blanks, len - blanks);
        buf_add_char(&lines, '\n');
        line += len + (line[len] == '\n');
    }
    mdoc_block(buf, buf_str(&lines));
}

static void command_add(struct buf *buf, const struct command *command)
{
    buf_add_format(buf, ".It Xo\n.Cm %s", command->name);
    if (command->alias)
        buf_add_format(buf, " | %s", command->alias);
    if (command->options && command->options->name)
        buf_add_text(buf, " Op Ar options");
    buf_add_char(buf, '\n');
    if (*command->usage) {
        AUTO_BUF struct buf usage = {0};
        usage_add(&usage, command->usage);
        buf_add_format(buf, ".%s\n", usage.data + 1);
    }
    buf_add_text(buf, ".Xc\n");
    mdoc_sentence(buf, command->summary);
    if (command->notes)
        notes_add(buf, command->notes);
    options_add(buf, command->options);
    if (command->examples)
        examples_add(buf, command->examples);
}

bool commands_write(struct buf *buf, struct err *err)
{
    (void)err;
    const char *title;
    for (size_t group = 0; (title = group_title(group)); group++) {
        buf_add_format(buf, ".Ss %s\n.Bl -tag -width Ds\n", title);
        for (const struct command *const *next = commands; *next; next++)
            if ((*next)->group == group)
                command_add(buf, *next);
        buf_add_text(buf, ".El\n");
    }
    return true;
}

bool later_write(struct buf *buf, struct err *err)
{
    (void)err;
    for (const struct command_later *later = commands_later; later->name; later++)
        buf_add_format(buf, ".Cm %s%s\n", later->name, later[1].name ? " ," : " .");
    return true;
}

/* ---- Exit statuses ---- */

static const struct {
    int status;
    const char *meaning;
} meanings[] = {
    {0, "done, or yes"},
    {1, "the answer is no: a key is missing, a test is false, a comparison fails, or a value has the wrong "
        "type or overflows"},
    {2, "wrong usage, bad JSON, a bad expression or manifest, too large, not supported yet, or not allowed"},
    {3, "no server can be reached (told at once; inside a run after trying for 10 seconds)"},
    {4, "the server or the client uses a secret key that the other does not have"},
    {5, "events were lost: they had fallen off the log, or the session is gone"},
    {124, "timed out"},
    {125, "busy or locked, or a failure of zproc itself"},
};
static const struct {
    const char *code;
    int status;
} codes[] = {
#define X(code, name, status) {name, status},
    ERR_CODES(X)
#undef X
};

static bool code_known(int status)
{
    for (size_t i = 0; i < LENGTH_OF(meanings); i++)
        if (meanings[i].status == status)
            return true;
    return false;
}

bool statuses_write(struct buf *buf, struct err *err)
{
    for (size_t i = 0; i < LENGTH_OF(codes); i++)
        if (!code_known(codes[i].status))
            return err_set(err, ERR_INVALID, "exit status %d of '%s' has no meaning in man/commands.c",
                           codes[i].status, codes[i].code);
    buf_add_text(buf, ".Bl -tag -width 126xx\n");
    for (size_t i = 0; i < LENGTH_OF(meanings); i++) {
        const char *before = "Error codes:\n.Ql ";
        buf_add_format(buf, ".It %d\n", meanings[i].status);
        mdoc_sentence(buf, meanings[i].meaning);
        for (size_t j = 0; j < LENGTH_OF(codes); j++) {
            if (codes[j].status != meanings[i].status || codes[j].status == 0)
                continue;
            buf_add_format(buf, "%s%s", before, codes[j].code);
            before = " ,\n.Ql ";
        }
        if (*before == ' ')
            buf_add_text(buf, " .\n");
    }
    buf_add_text(buf, ".El\n");
    return true;
}

bool codes_write(struct buf *buf, struct err *err)
{
    (void)err;
    buf_add_text(buf, ".Bl -column \"key_rejected\" \"exit status\"\n.It Sy code Ta Sy exit status\n");
    for (size_t i = 0; i < LENGTH_OF(codes); i++)
        if (codes[i].status != 0)
            buf_add_format(buf, ".It Ql %s Ta %d\n", codes[i].code, codes[i].status);
    buf_add_text(buf, ".El\n");
    return true;
}
