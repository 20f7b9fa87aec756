/* Between the translator of patterns (re2.c) and the matcher (match.c). */
#ifndef ZPROC_EXPR_MATCH_PRIV_H
#define ZPROC_EXPR_MATCH_PRIV_H

#include "eval_priv.h"

/* Appends a pattern for PCRE2 that means what pattern means to RE2. Refuses what RE2 does not have. Groups do
 * not capture. */
bool re2_translate(struct str pattern, struct buf *out, struct err *err);

#endif
