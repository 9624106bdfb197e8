/*
 * Help texts, made from a command's descriptor and option rows; 80 columns whatever the terminal,
 * so that docs/cli can hold the same text. Pure.
 */
#ifndef RH_CMD_HELP_H
#define RH_CMD_HELP_H

#include "base/text.h"
#include "cmd/options.h"

#define HELP_COLUMNS 80

/* What -h shows: one screen, the common options. */
void rh_help_short(const struct command *command, struct buf *out);
/* What --help shows: everything. */
void rh_help_full(const struct command *command, struct buf *out);
/* A paragraph, each line indented by `indent` blanks. */
void rh_help_paragraph(const char *text, size_t indent, struct buf *out);

#endif
