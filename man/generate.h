/* What the parts of the generator share: what each writes, and text as mdoc wants it. */
#ifndef ZPROC_GENERATE_H
#define ZPROC_GENERATE_H

#include "base.h"

/* Adds generated text to buf. An error means that a table has something that this generator does not know. */
typedef bool writer(struct buf *buf, struct err *err);

/* Parts of zproc.1 */
writer global_options_write, commands_write, statuses_write, later_write;
/* Parts of zproc.yaml.5 */
writer keys_write;
/* Parts of zproc-protocol.7 */
writer ops_write, fields_write, codes_write;
/* Whole files */
writer schema_write, bash_write, zsh_write, fish_write, request_words_write, manifest_words_write;

/* A part of libzproc.3, from the text of zproc.h. */
bool header_write(struct str text, struct buf *out, struct err *err);

/* Running text: what roff would take for a request or an escape is escaped, options keep their dashes. */
void mdoc_text(struct buf *buf, const char *text);
/* The same with a capital letter first and a full stop at the end. */
void mdoc_sentence(struct buf *buf, const char *text);
/* Text that is copied to a terminal or a file: every character stands for itself. Arguments of macros too. */
void mdoc_literal(struct buf *buf, struct str text);
/* A literal block of lines. */
void mdoc_block(struct buf *buf, struct str lines);

#endif
