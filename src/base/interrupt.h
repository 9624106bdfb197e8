/*
 * The user's wish to stop: SIGINT, SIGTERM, SIGHUP, and the --timeout of the whole run.
 *
 * Handlers only write a byte to a pipe. Every wait of this program includes rh_interrupt_fd() (or
 * polls rh_interrupt_check) and then unwinds through its ordinary clean-up paths. A second SIGINT
 * within clean-up gives up waiting politely (children are killed), never skips clean-up.
 */
#ifndef RH_BASE_INTERRUPT_H
#define RH_BASE_INTERRUPT_H

#include "base/clock.h"
#include "base/err.h"

#include <stdbool.h>

/* Installs the handlers once, at the start of main. Signals that were ignored when we started stay
   ignored (nohup); SIGPIPE is ignored from here on, SIGCHLD is not. */
enum err_code rh_interrupt_install(struct err *err) RH_MUST_CHECK;
/* Readable (poll POLLIN) once a signal came; never read from it. -1 before install. */
int rh_interrupt_fd(void);
/* The signal that came first, or 0. */
int rh_interrupt_signal(void);
bool rh_interrupt_is_urgent(void); /* a second signal came */
/* The run's own deadline, RH_NEVER unless set. Waits use rh_clock_earlier(theirs, this). */
void rh_interrupt_set_deadline(struct mono deadline);
struct mono rh_interrupt_deadline(void);
/* RH_OK, or RH_ERR_INTERRUPTED / RH_ERR_TIMEOUT with the message set. */
enum err_code rh_interrupt_check(struct err *err) RH_MUST_CHECK;

#endif
