#include "model/result.h"

#include <string.h>

/* DESIGN.md section 3: two seconds is the longest anything may wait unless the user says otherwise.
 */
#define BLOCKED_DEFAULT_US 2000000

const char *rh_verdict_name(enum verdict verdict)
{
    switch (verdict) {
#define X(symbol, name, status) \
    case symbol:                \
        return name;
        VERDICT_LIST(X)
#undef X
    }
    return "unknown";
}

int rh_verdict_exit_status(enum verdict verdict)
{
    switch (verdict) {
#define X(symbol, name, status) \
    case symbol:                \
        return status;
        VERDICT_LIST(X)
#undef X
    }
    return 1;
}

const char *rh_severity_name(enum severity severity)
{
    switch (severity) {
#define X(symbol, name) \
    case symbol:        \
        return name;
        SEVERITY_LIST(X)
#undef X
    }
    return "unknown";
}

bool rh_severity_find(const char *name, enum severity *ret_severity)
{
#define X(symbol, severity_name)            \
    if (strcmp(name, severity_name) == 0) { \
        *ret_severity = symbol;             \
        return true;                        \
    }
    SEVERITY_LIST(X)
#undef X
    return false;
}

struct limits rh_limits_default(void)
{
    return (struct limits){
        .duration_us = LIMIT_UNSET,
        .blocked_us = BLOCKED_DEFAULT_US,
        .wal_bytes = LIMIT_UNSET,
        .disk_bytes = LIMIT_UNSET,
        .lag_us = LIMIT_UNSET,
        .replica_apply_bytes_per_s = LIMIT_UNSET,
        .fail_on = SEVERITY_ERROR,
    };
}

void rh_result_deinit(struct result *result)
{
    for (size_t i = 0; i < result->findings.count; i++) {
        json_decref(result->findings.items[i].evidence);
        result->findings.items[i].evidence = NULL;
    }
    result->findings.count = 0;
    result->gates.count = 0;
}

/*
 * `message` without all between its first and its last quote: a value may hold quotes of its own,
 * which PostgreSQL does not escape, so nothing in between can be trusted. 22021 shows bytes without
 * quotes.
 */
static const char *mask_values(const char *message, struct arena *arena)
{
    const char *first = strchr(message, '"');
    const char *last = strrchr(message, '"');
    const char *bytes = strstr(message, ": 0x");
    if (bytes)
        return rh_arena_strndup(arena, message, (size_t)(bytes - message));
    if (!first)
        return message;
    return rh_arena_printf(arena, "%.*s\"...\"%s", (int)(first - message), message,
                           last > first ? last + 1 : "");
}

const char *rh_server_message_text(const struct server_message *message, struct arena *arena)
{
    if (!message->message)
        return "";
    /* Class 22, "Data Exception" (PostgreSQL 15 manual, appendix A). Constraint violations (23)
       name only objects in their message; their values are in the detail. */
    if (strncmp(message->sqlstate, "22", 2) == 0)
        return mask_values(message->message, arena);
    return message->message;
}
