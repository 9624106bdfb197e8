#include "model/risk.h"

const char *rh_cast_test_name(enum cast_test test)
{
    static const char *const names[] = {
#define X(symbol, name) name,
        CAST_TEST_LIST(X)
#undef X
    };
    return names[test];
}

const char *rh_skip_name(enum skip skip)
{
    static const char *const names[] = {
#define X(symbol, name) name,
        SKIP_LIST(X)
#undef X
    };
    return names[skip];
}
