/* Completions for bash, zsh and fish from the command table. Keys come from the server that the shell would
 * talk to. */
#include "command.h"
#include "generate.h"

#define HEADER "Made from the tables of the program by the target 'docs'; do not edit."

static bool rows_have(const struct option *rows)
{
    return rows && rows->name;
}

/* What the operands of a command are. */
enum operand { OPERAND_OTHER, OPERAND_KEY, OPERAND_FILE };

static enum operand operand_of(const char *name)
{
    struct str word = {name, strcspn(name, " .]")};
    if (str_starts_with(word, STR("["))) {
        word.data++;
        word.len--;
    }
    if (str_is(word, "KEY"))
        return OPERAND_KEY;
    return str_is(word, "FILE") || str_is(word, "DIR") ? OPERAND_FILE : OPERAND_OTHER;
}

/* ---- bash ---- */

static void bash_names(struct buf *buf, const struct option *rows)
{
    const char *before = "";
    for (; rows && rows->name; rows++) {
        buf_add_text(buf, before);
        if (rows->letter)
            buf_add_format(buf, "-%c ", rows->letter);
        buf_add_format(buf, "--%s", rows->name);
        before = " ";
    }
}

/* Patterns of the options that take a value of this kind; false when there are none. */
static bool bash_patterns(struct buf *buf, const struct option *rows, const char *prefix, enum operand kind)
{
    size_t before = buf->len;
    for (; rows && rows->name; rows++) {
        if (!rows->argument || operand_of(rows->argument) != kind)
            continue;
        if (rows->letter)
            buf_add_format(buf, "%s%s-%c", buf->len > before ? " | " : "", prefix, rows->letter);
        buf_add_format(buf, "%s%s--%s", buf->len > before ? " | " : "", prefix, rows->name);
    }
    return buf->len > before;
}

static void bash_kinds(struct buf *buf, const struct option *rows, const char *prefix)
{
    static const char *const names[] = {"value", "key", "file"};
    for (enum operand kind = OPERAND_OTHER; kind <= OPERAND_FILE; kind++) {
        AUTO_BUF struct buf patterns = {0};
        if (bash_patterns(&patterns, rows, prefix, kind))
            buf_add_format(buf, "    %s) echo %s ;;\n", patterns.data, names[kind]);
    }
}

static void bash_tables(struct buf *buf)
{
    buf_add_text(buf, "_zproc_commands='");
    for (const struct command *const *next = commands; *next; next++)
        buf_add_format(buf, "%s ", (*next)->name);
    buf_add_text(buf, "help'\n_zproc_global='");
    bash_names(buf, global_options);
    buf_add_text(buf, "'\n\n# The options of a command.\n_zproc_options() {\n    case $1 in\n");
    for (const struct command *const *next = commands; *next; next++) {
        if (!rows_have((*next)->options))
            continue;
        buf_add_format(buf, "    %s%s%s) echo '", (*next)->name, (*next)->alias ? " | " : "",
                       (*next)->alias ? (*next)->alias : "");
        bash_names(buf, (*next)->options);
        buf_add_text(buf, "' ;;\n");
    }
    buf_add_text(buf, "    esac\n}\n\n# What kind of value an option takes; nothing for a flag.\n"
                      "_zproc_takes() {\n    case \"$1 $2\" in\n");
    for (const struct command *const *next = commands; *next; next++) {
        AUTO_FREE char *prefix = mem_format("'%s '", (*next)->name);
        bash_kinds(buf, (*next)->options, prefix);
    }
    bash_kinds(buf, global_options, "*' '");
    buf_add_text(buf, "    esac\n}\n\n# What kind of operands a command takes.\n"
                      "_zproc_operands() {\n    case $1 in\n");
    for (const struct command *const *next = commands; *next; next++) {
        enum operand kind = operand_of((*next)->usage);
        if (kind != OPERAND_OTHER)
            buf_add_format(buf, "    %s%s%s) echo %s ;;\n", (*next)->name, (*next)->alias ? " | " : "",
                           (*next)->alias ? (*next)->alias : "", kind == OPERAND_KEY ? "key" : "file");
    }
    buf_add_text(buf, "    help) echo command ;;\n    esac\n}\n");
}

static const char bash_function[] =
    "\n# Without ZPROC_RUN a server that is gone is not waited for.\n"
    "_zproc_keys() {\n"
    "    ZPROC_RUN='' command zproc keys 2>/dev/null\n"
    "}\n\n"
    "_zproc_reply() {\n"
    "    local IFS=$'\\n'\n"
    "    case $1 in\n"
    "    key) COMPREPLY=($(compgen -W \"$(_zproc_keys)\" -- \"$2\")) ;;\n"
    "    file) COMPREPLY=($(compgen -f -- \"$2\")) ;;\n"
    "    command) COMPREPLY=($(compgen -W \"${_zproc_commands// /$'\\n'}\" -- \"$2\")) ;;\n"
    "    esac\n"
    "}\n\n"
    "_zproc() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} command='' kind='' word i\n"
    "    COMPREPLY=()\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        if [[ -n $kind ]]; then\n"
    "            kind=\n"
    "        elif [[ $word == -- ]]; then\n"
    "            COMPREPLY=($(compgen -c -- \"$cur\") $(compgen -f -- \"$cur\"))\n"
    "            return\n"
    "        elif [[ $word == -* ]]; then\n"
    "            kind=$(_zproc_takes \"$command\" \"$word\")\n"
    "        elif [[ -z $command ]]; then\n"
    "            command=$word\n"
    "        fi\n"
    "    done\n"
    "    if [[ -n $kind ]]; then\n"
    "        _zproc_reply \"$kind\" \"$cur\"\n"
    "    elif [[ $cur == -* ]]; then\n"
    "        COMPREPLY=($(compgen -W \"$(_zproc_options \"$command\") $_zproc_global\" -- \"$cur\"))\n"
    "    elif [[ -z $command ]]; then\n"
    "        _zproc_reply command \"$cur\"\n"
    "    else\n"
    "        _zproc_reply \"$(_zproc_operands \"$command\")\" \"$cur\"\n"
    "    fi\n"
    "}\n"
    "complete -F _zproc zproc\n";

bool bash_write(struct buf *buf, struct err *err)
{
    (void)err;
    buf_add_text(buf, "# Completion of zproc for bash. " HEADER "\n"
                      "# shellcheck shell=bash disable=SC2207\n");
    bash_tables(buf);
    buf_add_text(buf, bash_function);
    return true;
}

/* ---- zsh ---- */

/* Text within single quotes, where : [ ] have a meaning of their own. */
static void zsh_text(struct buf *buf, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'') {
            buf_add_text(buf, "'\\''");
            continue;
        }
        if (*text == ':' || *text == '[' || *text == ']' || *text == '\\')
            buf_add_char(buf, '\\');
        buf_add_char(buf, *text);
    }
}

static const char *zsh_action(const char *name)
{
    static const char *const actions[] = {
        [OPERAND_OTHER] = " ", [OPERAND_KEY] = "_zproc_keys", [OPERAND_FILE] = "_files"};
    return actions[operand_of(name)];
}

static void zsh_option(struct buf *buf, const struct option *row)
{
    if (row->letter)
        buf_add_format(buf, " \\\n        '(-%c --%s)'{-%c,--%s}'[", row->letter, row->name, row->letter,
                       row->name);
    else
        buf_add_format(buf, " \\\n        '--%s[", row->name);
    zsh_text(buf, row->help);
    buf_add_char(buf, ']');
    if (row->argument) {
        buf_add_char(buf, ':');
        zsh_text(buf, row->argument);
        buf_add_format(buf, ":%s", zsh_action(row->argument));
    }
    buf_add_char(buf, '\'');
}

static void zsh_command(struct buf *buf, const struct command *command)
{
    buf_add_format(buf, "    %s%s%s)\n      _arguments -s -S", command->name, command->alias ? "|" : "",
                   command->alias ? command->alias : "");
    for (const struct option *row = command->options; row && row->name; row++)
        zsh_option(buf, row);
    for (const struct option *row = global_options; row->name; row++)
        zsh_option(buf, row);
    if (*command->usage) {
        buf_add_text(buf, " \\\n        '*:");
        zsh_text(buf, command->usage);
        buf_add_format(buf, ":%s'", zsh_action(command->usage));
    }
    buf_add_text(buf, " ;;\n");
}

bool zsh_write(struct buf *buf, struct err *err)
{
    (void)err;
    buf_add_text(buf, "#compdef zproc\n# Completion of zproc for zsh. " HEADER "\n\n"
                      "_zproc_keys() {\n  local -a keys\n"
                      "  keys=(${(f)\"$(ZPROC_RUN='' command zproc keys 2>/dev/null)\"})\n"
                      "  compadd -a keys\n}\n\n"
                      "_zproc_commands() {\n  local -a commands\n  commands=(\n");
    for (const struct command *const *next = commands; *next; next++) {
        buf_add_format(buf, "    '%s:", (*next)->name);
        zsh_text(buf, (*next)->summary);
        buf_add_text(buf, "'\n");
    }
    buf_add_text(buf, "    'help:Show help, or that of a command'\n  )\n"
                      "  _describe -t commands command commands\n}\n\n"
                      "_zproc() {\n  local curcontext=$curcontext state line\n"
                      "  typeset -A opt_args\n  _arguments -s -S -C");
    for (const struct option *row = global_options; row->name; row++)
        zsh_option(buf, row);
    buf_add_text(buf, " \\\n        '1: :_zproc_commands' '*:: :->operands' && return\n"
                      "  [[ $state == operands ]] || return\n  case $words[1] in\n");
    for (const struct command *const *next = commands; *next; next++)
        zsh_command(buf, *next);
    buf_add_text(buf, "    help) _zproc_commands ;;\n  esac\n}\n\n_zproc \"$@\"\n");
    return true;
}

/* ---- fish ---- */

static void fish_text(struct buf *buf, const char *text)
{
    buf_add_char(buf, '\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            buf_add_char(buf, '\\');
        buf_add_char(buf, *text);
    }
    buf_add_char(buf, '\'');
}

static void fish_option(struct buf *buf, const struct option *row, const char *condition)
{
    buf_add_text(buf, "complete -c zproc");
    if (condition)
        buf_add_format(buf, " -n '__fish_seen_subcommand_from %s'", condition);
    if (row->letter)
        buf_add_format(buf, " -s %c", row->letter);
    buf_add_format(buf, " -l %s", row->name);
    if (row->argument) {
        enum operand kind = operand_of(row->argument);
        buf_add_text(buf, kind == OPERAND_FILE  ? " -r -F"
                          : kind == OPERAND_KEY ? " -x -a '(__zproc_keys)'"
                                                : " -x");
    }
    buf_add_text(buf, " -d ");
    fish_text(buf, row->help);
    buf_add_char(buf, '\n');
}

static void fish_command(struct buf *buf, const struct command *command)
{
    AUTO_FREE char *names =
        mem_format("%s%s%s", command->name, command->alias ? " " : "", command->alias ? command->alias : "");
    buf_add_format(buf, "complete -c zproc -n __fish_use_subcommand -a %s -d ", command->name);
    fish_text(buf, command->summary);
    buf_add_char(buf, '\n');
    for (const struct option *row = command->options; row && row->name; row++)
        fish_option(buf, row, names);
    enum operand kind = operand_of(command->usage);
    if (kind != OPERAND_OTHER)
        buf_add_format(buf, "complete -c zproc -n '__fish_seen_subcommand_from %s' %s\n", names,
                       kind == OPERAND_KEY ? "-a '(__zproc_keys)'" : "-F");
}

bool fish_write(struct buf *buf, struct err *err)
{
    (void)err;
    buf_add_text(buf, "# Completion of zproc for fish. " HEADER "\n"
                      "function __zproc_keys\n"
                      "    env -u ZPROC_RUN zproc keys 2>/dev/null\n"
                      "end\n\n"
                      "complete -c zproc -f\n");
    for (const struct option *row = global_options; row->name; row++)
        fish_option(buf, row, NULL);
    for (const struct command *const *next = commands; *next; next++)
        fish_command(buf, *next);
    buf_add_text(buf, "complete -c zproc -n __fish_use_subcommand -a help -d 'Show help, or that of a "
                      "command'\ncomplete -c zproc -n '__fish_seen_subcommand_from help' -a '");
    for (const struct command *const *next = commands; *next; next++)
        buf_add_format(buf, "%s%s", (*next)->name, next[1] ? " " : "'\n");
    return true;
}
