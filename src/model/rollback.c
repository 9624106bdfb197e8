#include "model/rollback.h"

const char *rh_rollback_proof_name(enum rollback_proof proof)
{
    static const char *const names[] = {
#define X(symbol, name) [symbol] = name,
        ROLLBACK_PROOF_LIST(X)
#undef X
    };
    return names[proof];
}
