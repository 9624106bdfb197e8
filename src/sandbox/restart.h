/*
 * Ending a sandbox's server as a crash would, and bringing it back: what was committed must be
 * there again, from its log alone.
 */
#ifndef RH_SANDBOX_RESTART_H
#define RH_SANDBOX_RESTART_H

#include "sandbox/sandbox.h"

/* Immediate shutdown: no checkpoint, every session is cut. Only asks for it, so it may be called
   from within a callback of a loop that watches the server; the end is seen at its pidfd. */
void rh_sandbox_crash(struct sandbox *sandbox);
/* Waits for the end, starts the server again over the same files, with the settings for running,
   and lets it recover. Sessions and the pidfd of before are gone. The crash counts as asked for:
   rh_sandbox_has_crashed does not speak of it. Blocking, up to the limits of a start. */
enum err_code rh_sandbox_recover(struct sandbox *sandbox, struct err *err) RH_MUST_CHECK;

#endif
