/*
 * A pgTAP file on a sandbox: psql runs it as pg_prove would, and its TAP is read. The file does as
 * it likes (most roll back what they did), so the sandbox is one that nobody compares afterwards.
 */
#ifndef RH_REHEARSAL_PGTAP_H
#define RH_REHEARSAL_PGTAP_H

#include "model/check.h"
#include "sandbox/sandbox.h"

/*
 * Fills *ret_output; a script that fails is in there, not in *err. Where the database has no pgTAP
 * the extension is created in it. RH_ERR_ENVIRONMENT: the server has none, or psql is missing.
 * Blocking, up to PGTAP_MAX_US.
 */
#define PGTAP_MAX_US (10 * 60 * INT64_C(1000000))
enum err_code rh_pgtap_run(const struct engine *engine, const struct sandbox *sandbox,
                           const char *path, struct arena *arena, struct check_output *ret_output,
                           struct err *err) RH_MUST_CHECK;

#endif
