#include "model/workload.h"

const char *rh_workload_origin_name(enum workload_origin origin)
{
    switch (origin) {
#define X(symbol, name) \
    case symbol:        \
        return name;
        WORKLOAD_ORIGIN_LIST(X)
#undef X
    }
    return "?";
}

bool rh_workload_origin_of_name(const char *name, enum workload_origin *ret_origin)
{
#define X(symbol, its_name)            \
    if (strcmp(name, its_name) == 0) { \
        *ret_origin = symbol;          \
        return true;                   \
    }
    WORKLOAD_ORIGIN_LIST(X)
#undef X
    return false;
}

const char *rh_workload_grade_name(enum workload_grade grade)
{
    switch (grade) {
    case GRADE_ABSENT:
        return "absent";
    case GRADE_PARTIAL:
        return "partial";
    case GRADE_EXACT:
        return "exact";
    }
    return "?";
}

bool rh_workload_grade_of_name(const char *name, enum workload_grade *ret_grade)
{
    for (enum workload_grade grade = GRADE_ABSENT; grade <= GRADE_EXACT; grade++) {
        if (strcmp(name, rh_workload_grade_name(grade)) == 0) {
            *ret_grade = grade;
            return true;
        }
    }
    return false;
}

size_t rh_workload_event_bytes(const struct workload_event *event)
{
    size_t bytes = 0;
    for (size_t i = 0; i < event->message_count; i++)
        bytes += sizeof(event->messages[i]) + event->messages[i].body.len;
    bytes += event->result_count * sizeof(*event->results);
    const struct workload_session *begun = event->begun;
    if (begun != NULL) {
        bytes += strlen(begun->user) + strlen(begun->database) + strlen(begun->lacks);
        for (size_t i = 0; i < begun->startup.count; i++)
            bytes += sizeof(struct workload_setting) + strlen(begun->startup.items[i].name) +
                     strlen(begun->startup.items[i].value);
        for (size_t i = 0; i < begun->reported.count; i++)
            bytes += sizeof(struct workload_setting) + strlen(begun->reported.items[i].name) +
                     strlen(begun->reported.items[i].value);
        for (size_t i = 0; i < begun->prologue.count; i++)
            bytes += sizeof(begun->prologue.items[i]) + begun->prologue.items[i].body.len;
    }
    return bytes;
}
