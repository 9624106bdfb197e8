#include "model/result.h"

#include "base/say.h"

#include <string.h>

/* The longest anything may wait unless the user says otherwise (docs/cli/run.md, --max-blocked). */
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

void rh_result_note(struct result *result, const char *sentence)
{
    struct fidelity *fidelity = &result->fidelity;

    if (!rh_say_was_said(fidelity->notes.items, fidelity->notes.count, sentence))
        *RH_PUSH(result->arena, &fidelity->notes) = rh_arena_strdup(result->arena, sentence);
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
