/*
 * What a pgTAP file printed: the Test Anything Protocol (testanything.org, version 13), as pgTAP
 * writes it, to a check's output. Pure.
 */
#ifndef RH_REHEARSAL_PGTAP_OUTPUT_H
#define RH_REHEARSAL_PGTAP_OUTPUT_H

#include "base/text.h"
#include "model/check.h"

/* Longest description that is kept, in bytes. */
#define PGTAP_DESCRIPTION_MAX 512

/*
 * Fills tests, planned, passed, failed and bail_out. Lines that are no TAP (what other queries
 * printed) are passed over, indented ones too (those of subtests: their sum follows). "1..0" with a
 * reason for skipping is a plan of none. Two plans: the last one counts. Texts lie in `arena`.
 */
void rh_pgtap_output_parse(struct text text, struct arena *arena, struct check_output *output);

#endif
