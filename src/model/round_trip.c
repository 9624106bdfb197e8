#include "model/round_trip.h"

#define NAMES(function, type, value, list) \
    const char *function(type value)       \
    {                                      \
        switch (value) {                   \
            list(CASE)                     \
        }                                  \
        return "unknown";                  \
    }
#define CASE(symbol, name) \
    case symbol:           \
        return name;

NAMES(rh_round_trip_verdict_name, enum round_trip_verdict, verdict, ROUND_TRIP_VERDICT_LIST)
NAMES(rh_round_trip_subject_name, enum round_trip_subject, subject, ROUND_TRIP_SUBJECT_LIST)
NAMES(rh_freedom_name, enum freedom_kind, kind, FREEDOM_LIST)
NAMES(rh_plan_item_name, enum plan_item_kind, kind, PLAN_ITEM_LIST)
