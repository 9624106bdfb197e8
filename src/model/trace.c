#include "model/trace.h"

const char *rh_observation_name(enum observation observation)
{
    switch (observation) {
#define X(symbol, name) \
    case symbol:        \
        return name;
        OBSERVATION_LIST(X)
#undef X
    }
    return "unknown";
}
