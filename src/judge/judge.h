/*
 * The judge: a trace and limits -> findings, gates, verdict, headline. Pure: same trace, same
 * verdict.
 *
 * One table of rules (judge/rules.h), one function per rule. Whether a rule fires is decided by
 * evidence alone, never by SQL text; advice may use the names that a statement's own words gave
 * (struct clause), so that its SQL is for this very table and column.
 */
#ifndef RH_JUDGE_JUDGE_H
#define RH_JUDGE_JUDGE_H

#include "model/result.h"

/* Fills findings, gates, verdict, headline and exit_code of `result` (arena, trace, limits and
   fidelity are set; findings and gates are empty). */
void rh_judge(struct result *result);
/* The same of a comparison of queries alone: there was no migration, the trace is empty. */
void rh_judge_comparison(struct result *result);

#endif
