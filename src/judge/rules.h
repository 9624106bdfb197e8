/*
 * The rule registry: every rule id is permanent. A rule looks at the whole trace and adds findings.
 */
#ifndef RH_JUDGE_RULES_H
#define RH_JUDGE_RULES_H

#include "model/result.h"

#include <stddef.h>

struct rule {
    const char *id;
    const char *severity_text; /* "error", "warning", "error over the gate, else warning" */
    const char *summary;       /* one line */
    void (*find)(const struct rule *rule, struct result *result);
    /* The parts of `rehearse explain`: paragraphs of plain text. */
    const char *what, *why, *example, *recipe;
    const char *const *aliases; /* NULL-terminated: names other tools have for it */
};

extern const struct rule rh_rules[];
extern const size_t rh_rule_count;
/* By id or alias; NULL. */
const struct rule *rh_rule_find(const char *id);

#endif
