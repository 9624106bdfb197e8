#include "model/traffic.h"

#include <string.h>
#include <strings.h>

const char *rh_blocker_name(enum blocker_kind kind)
{
    static const char *const names[] = {
#define X(symbol, name, what) [symbol] = name,
        BLOCKER_LIST(X)
#undef X
    };
    return names[kind];
}

const char *rh_blocker_what(enum blocker_kind kind)
{
    static const char *const whats[] = {
#define X(symbol, name, what) [symbol] = what,
        BLOCKER_LIST(X)
#undef X
    };
    return whats[kind];
}

bool rh_traffic_is_table(const char *named, const char *relation)
{
    const char *bare = rh_bare_name(relation);
    const char *last = strrchr(named, '.');
    size_t len = strlen(bare);
    last = last ? last + 1 : named;
    if (len >= 2 && bare[0] == '"') {
        bare++;
        len -= 2;
    }
    return strlen(last) == len && strncasecmp(last, bare, len) == 0;
}
