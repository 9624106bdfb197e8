/*
 * The rule registry: every rule id is permanent. A rule looks at the whole trace and adds findings.
 */
#ifndef RH_JUDGE_RULES_H
#define RH_JUDGE_RULES_H

#include "base/text.h"
#include "model/result.h"

#include <stddef.h>

struct judgement; /* a result being judged, with what the rules share; see judge_int.h */

struct rule {
    const char *id;
    const char *severity_text; /* "error", "warning", "error over the gate, else warning" */
    const char *summary;       /* one line */
    void (*find)(const struct rule *rule, struct judgement *judgement);
    /* The parts of `rehearse explain`: paragraphs of plain text, split by an empty line. Lines that
       begin with four blanks are SQL or output and are never wrapped. */
    const char *what, *why, *example, *recipe;
    const char *const *aliases; /* NULL-terminated: names other tools have for it */
};

extern const struct rule rh_rules[];
extern const size_t rh_rule_count;
/* By id or alias; NULL. */
const struct rule *rh_rule_find(const char *id);
/* The whole text of `rehearse explain RULE`, wrapped at `columns`, lines ended with \n. */
void rh_rule_explain(const struct rule *rule, size_t columns, struct buf *out);

#endif
