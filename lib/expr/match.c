/* Regular expressions: the only place that knows PCRE2. Patterns are RE2's after re2.c has checked and
 * translated them. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "match_priv.h"

#include <pcre2.h>
#include <stdlib.h>

enum { MATCH_LIMIT = 100000, HEAP_LIMIT_KIB = 64 * 1024 };

struct regex {
    pcre2_code *code;
};

/* callouts: PCRE2 reports each item that it tries, so that its work can be counted. */
static struct regex *compile(struct str pattern, uint32_t callouts, struct err *err)
{
    AUTO_BUF struct buf translated = {0};
    if (!re2_translate(pattern, &translated, err)) {
        err_wrap(err, "bad regular expression '%.*s'", STR_ARG(pattern));
        return NULL;
    }
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    int number;
    size_t at;
    uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NO_AUTO_CAPTURE | PCRE2_DOLLAR_ENDONLY |
                       PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_BACKSLASH_C | callouts;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)buf_str(&translated).data, translated.len, options, &number, &at, context);
    pcre2_compile_context_free(context);
    if (!code) {
        char reason[200];
        pcre2_get_error_message(number, (PCRE2_UCHAR *)reason, sizeof reason);
        err_set(err, ERR_INVALID, "bad regular expression '%.*s': %s", STR_ARG(pattern), reason);
        return NULL;
    }
    struct regex *regex = mem_new(sizeof *regex);
    regex->code = code;
    return regex;
}

struct regex *regex_new(struct str pattern, struct err *err)
{
    return compile(pattern, 0, err);
}

struct regex *regex_new_counted(struct str pattern, struct err *err)
{
    return compile(pattern, PCRE2_AUTO_CALLOUT, err);
}

void regex_free(struct regex *regex)
{
    if (!regex)
        return;
    pcre2_code_free(regex->code);
    free(regex);
}

size_t regex_size(const struct regex *regex)
{
    size_t size = 0;
    pcre2_pattern_info(regex->code, PCRE2_INFO_SIZE, &size);
    return size;
}

struct counter {
    size_t work, limit, last;
};

/* Bytes that a repetition passed at once are cheap: 16 of them are one unit. */
static int count_work(pcre2_callout_block *block, void *data)
{
    struct counter *counter = data;
    size_t now = block->current_position;
    counter->work += 1 + (now > counter->last ? (now - counter->last) / 16 : 0);
    counter->last = now;
    return counter->work > counter->limit ? PCRE2_ERROR_CALLOUT : 0;
}

/* The match limit of PCRE2 is for each place where a match may start; counter, which may be NULL, is for all
 * of them. */
static bool find(const struct regex *regex, struct str subject, struct counter *counter, bool *found,
                 struct err *err)
{
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    pcre2_set_match_limit(context, MATCH_LIMIT);
    pcre2_set_heap_limit(context, HEAP_LIMIT_KIB);
    if (counter)
        pcre2_set_callout(context, count_work, counter);
    const char *bytes = subject.len ? subject.data : "";
    int result = pcre2_match(regex->code, (PCRE2_SPTR)bytes, subject.len, 0, 0, data, context);
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    *found = result >= 0;
    if (result >= 0 || result == PCRE2_ERROR_NOMATCH)
        return true;
    return err_set(err, ERR_TOO_LARGE, "the regular expression takes too long on this text; make it simpler");
}

bool regex_find(const struct regex *regex, struct str subject, struct err *err)
{
    bool found;
    return find(regex, subject, NULL, &found, err) && found;
}

bool regex_find_counted(const struct regex *regex, struct str subject, size_t limit, size_t *work,
                        bool *found, struct err *err)
{
    struct counter counter = {.limit = limit};
    bool good = find(regex, subject, &counter, found, err);
    *work = counter.work;
    return good;
}
