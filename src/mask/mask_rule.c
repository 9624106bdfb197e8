#include "mask/mask_map.h"

#include <string.h>

static const struct {
    const char *name;
    bool keeps_length;
} rules[] = {
#define X(symbol, name, keeps_length) {name, keeps_length},
    MASK_RULE_LIST(X)
#undef X
};

const char *rh_mask_rule_name(enum mask_rule rule)
{
    return rules[rule].name;
}

bool rh_mask_rule_find(const char *name, enum mask_rule *ret_rule)
{
    for (size_t i = 0; i < MASK_RULE_COUNT; i++)
        if (strcmp(rules[i].name, name) == 0) {
            *ret_rule = (enum mask_rule)i;
            return true;
        }
    return false;
}

bool rh_mask_rule_keeps_length(enum mask_rule rule)
{
    return rules[rule].keeps_length;
}

bool rh_mask_rule_is_injective(enum mask_rule rule)
{
    return rule != MASK_FIXED && rule != MASK_NULL && rule != MASK_HASH && rule != MASK_NOISE &&
           rule != MASK_WORDS;
}
