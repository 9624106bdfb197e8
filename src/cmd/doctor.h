/*
 * What `rehearse doctor` finds: sentences with a status each, and facts for those who read JSON.
 * The parts look, and say; a part fails only when the user or the clock ended it.
 */
#ifndef RH_CMD_DOCTOR_H
#define RH_CMD_DOCTOR_H

#include "base/arena.h"
#include "base/err.h"
#include "base/progress.h"
#include "base/text.h"
#include "net/tls.h"
#include "sandbox/sandbox.h"

#include <jansson.h>

#define DOCTOR_MACHINE "This machine"
#define DOCTOR_CAPTURE "A capture in front of --upstream"
#define DOCTOR_SNAPSHOT "A snapshot of --from"

/* X(symbol, name) */
#define DOCTOR_STATUS_LIST(X) \
    X(DOCTOR_OK, "ok")        \
    X(DOCTOR_NOTE, "note")    \
    X(DOCTOR_PROBLEM, "problem")
enum doctor_status {
#define X(symbol, name) symbol,
    DOCTOR_STATUS_LIST(X)
#undef X
};

struct doctor_check {
    const char *area;
    const char *name; /* kebab-case; for JSON */
    enum doctor_status status;
    const char *text;
    const char *advice; /* what to do; NULL: nothing */
};

struct doctor {
    struct arena *arena;
    struct progress *progress;
    VEC(struct doctor_check) checks; /* neighbours of one area stand together */
    json_t *facts;                   /* an object */
};

void rh_doctor_add(struct doctor *doctor, const char *area, const char *name,
                   enum doctor_status status, const char *advice, const char *fmt, ...)
    RH_PRINTF(6, 7);
/* The same of an error: its words, and its hint. */
void rh_doctor_add_err(struct doctor *doctor, const char *area, const char *name,
                       enum doctor_status status, const struct err *err);
size_t rh_doctor_problems(const struct doctor *doctor);
void rh_doctor_text(const struct doctor *doctor, struct buf *out);
/* A new object. */
json_t *rh_doctor_json(const struct doctor *doctor);

enum err_code rh_doctor_machine(struct doctor *doctor, const struct sandbox_options *options,
                                struct err *err) RH_MUST_CHECK;

struct doctor_capture {
    const struct engine *engine;
    const char *url;    /* a secret */
    const char *listen; /* NULL: not said */
    const struct tls_options *client_tls;
    bool requires_client_tls;
};
enum err_code rh_doctor_capture(struct doctor *doctor, const struct doctor_capture *capture,
                                struct err *err) RH_MUST_CHECK;
enum err_code rh_doctor_source(struct doctor *doctor, const struct engine *engine, const char *url,
                               struct err *err) RH_MUST_CHECK;

#endif
