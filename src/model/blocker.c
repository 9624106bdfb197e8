#include "model/blocker.h"

const char *rh_offence_rule(enum offence offence)
{
    static const char *const rules[] = {
#define X(symbol, rule) rule,
        OFFENCE_LIST(X)
#undef X
    };
    return rules[offence];
}
