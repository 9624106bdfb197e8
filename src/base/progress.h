/*
 * Progress: what is going on right now, on stderr: a status line on a terminal (at most 5 redraws a
 * second), sparse lines in a log (at each phase, then after 10 s, 30 s, 1 min, 2 min ...), nothing
 * when quiet. Never writes to stdout, never estimates without evidence.
 */
#ifndef RH_BASE_PROGRESS_H
#define RH_BASE_PROGRESS_H

#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>

struct progress;

enum progress_style { PROGRESS_NONE, PROGRESS_LOG, PROGRESS_TERMINAL };

struct progress *rh_progress_new(int fd, enum progress_style style);
void rh_progress_free(struct progress *progress);
/* Starts a phase ("restore app.dump"); ends the one before it, which prints its duration. */
void rh_progress_phase(struct progress *progress, const char *fmt, ...) RH_PRINTF(2, 3);
/* What the phase is at ("312 of 900 MB"). Call as often as you like; NULL progress is allowed
   everywhere. */
void rh_progress_at(struct progress *progress, const char *fmt, ...) RH_PRINTF(2, 3);
/* A line that stays ("note: role \"app\" was missing and was created"). */
void rh_progress_note(struct progress *progress, const char *fmt, ...) RH_PRINTF(2, 3);
/* Output of a child, indented and dim on a terminal; takes whole or partial lines. */
void rh_progress_output(struct progress *progress, struct text bytes);
void rh_progress_end(struct progress *progress); /* ends the last phase, clears the status line */

#endif
