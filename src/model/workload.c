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

static uint32_t highest_of(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static size_t length_of(const char *text)
{
    return text == NULL ? 0 : strlen(text);
}

static size_t setting_bytes(const struct workload_setting *setting)
{
    return sizeof(*setting) + length_of(setting->name) + length_of(setting->value);
}

static size_t session_bytes(const struct workload_session *session)
{
    size_t bytes = length_of(session->user) + length_of(session->database) +
                   length_of(session->lacks);
    for (size_t i = 0; i < session->startup.count; i++)
        bytes += setting_bytes(&session->startup.items[i]);
    for (size_t i = 0; i < session->reported.count; i++)
        bytes += setting_bytes(&session->reported.items[i]);
    for (size_t i = 0; i < session->prologue.count; i++)
        bytes += sizeof(struct workload_message) + session->prologue.items[i].body.len;
    return bytes;
}

size_t rh_workload_event_bytes(const struct workload_event *event)
{
    size_t bytes = event->begun == NULL ? 0 : session_bytes(event->begun);
    for (size_t i = 0; i < event->message_count; i++)
        bytes += sizeof(struct workload_message) + event->messages[i].body.len;
    return bytes + event->result_count * sizeof(struct workload_result) +
           event->id_count * (sizeof(struct workload_id) + WORKLOAD_ID_BYTES_MAX);
}

uint32_t rh_workload_event_highest_pattern(const struct workload_event *event)
{
    uint32_t highest = 0;
    size_t prologue_count = event->begun == NULL ? 0 : event->begun->prologue.count;
    for (size_t i = 0; i < prologue_count; i++)
        highest = highest_of(highest, event->begun->prologue.items[i].pattern);
    for (size_t i = 0; i < event->message_count; i++)
        highest = highest_of(highest, event->messages[i].pattern);
    for (size_t i = 0; i < event->result_count; i++)
        highest = highest_of(highest, event->results[i].pattern);
    return highest;
}
