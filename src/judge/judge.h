/*
 * The judge: a trace and limits -> findings, gates, verdict, headline. Pure. One table of rules
 * (judge/rules.h), one function per rule, no rule reads SQL text: evidence only.
 */
#ifndef RH_JUDGE_JUDGE_H
#define RH_JUDGE_JUDGE_H

#include "model/result.h"

/* Fills findings, gates, verdict, headline and exit_code of `result` (trace, limits and fidelity are set). */
void rh_judge(struct result *result);

#endif
