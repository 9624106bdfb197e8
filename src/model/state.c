#include "model/state.h"

#define NAMES(function, type, value, list, X) \
    const char *function(type value)          \
    {                                         \
        switch (value) {                      \
            list(X)                           \
        }                                     \
        return "unknown";                     \
    }
#define CASE(symbol, name) \
    case symbol:           \
        return name;

NAMES(rh_difference_change_name, enum difference_change, change, DIFFERENCE_CHANGE_LIST, CASE)
NAMES(rh_explanation_name, enum explanation, explanation, EXPLANATION_LIST, CASE)
NAMES(rh_data_subject_name, enum data_subject, subject, DATA_SUBJECT_LIST, CASE)
NAMES(rh_data_values_name, enum data_values, values, DATA_VALUES_LIST, CASE)
