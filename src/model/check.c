#include "model/check.h"

const char *rh_check_expect_name(enum check_expect expect)
{
    static const char *const names[] = {
#define X(symbol, name) [symbol] = name,
        CHECK_EXPECT_LIST(X)
#undef X
    };
    return names[expect];
}

const char *rh_check_expect_text(struct arena *arena, enum check_expect expect, const char *limit)
{
    const char *name = rh_check_expect_name(expect);
    return limit ? rh_arena_printf(arena, "%s %s", name, limit) : name;
}

bool rh_check_expect_is_relative(enum check_expect expect)
{
    return expect == CHECK_SAME || expect == CHECK_CHANGED;
}

const char *rh_check_outcome_name(enum check_outcome outcome)
{
    static const char *const names[] = {
#define X(symbol, name) [symbol] = name,
        CHECK_OUTCOME_LIST(X)
#undef X
    };
    return names[outcome];
}
