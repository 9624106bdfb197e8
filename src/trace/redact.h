/*
 * What must not leave a session: passwords in SQL, row values in the server's messages. Pure.
 *
 * Passwords: the string behind the word PASSWORD (roles, user mappings, assignments), "password="
 * in connection strings and the password of URLs become ***; inside dollar quotes and quoted SQL
 * too.
 *
 * Values: the server repeats them in details ("Key (a)=(b) already exists", "Failing row contains
 * (...)", "Partition key of the failing row contains (a) = (b)"), in COPY contexts and, for data
 * exceptions (SQLSTATE class 22), between double quotes in the message. Column names stay, values
 * become ***. Where a value could end in more than one place the longest reading is taken: too much
 * is masked rather than too little.
 */
#ifndef RH_TRACE_REDACT_H
#define RH_TRACE_REDACT_H

#include "base/arena.h"
#include "base/text.h"

/* Results lie in `arena`, end in NUL, and are never longer than REDACT_GROWTH times the input. */
#define REDACT_GROWTH 4 /* each secret of at least one byte and its key grow to at most "'***'" */

char *rh_redact_sql(struct arena *arena, struct text sql);
/* `sqlstate` "" when unknown. */
char *rh_mask_message(struct arena *arena, const char *sqlstate, struct text message);
char *rh_mask_detail(struct arena *arena, const char *sqlstate, struct text detail);
char *rh_mask_context(struct arena *arena, struct text context);
/* A line of the server's log: all of the above. */
char *rh_mask_log_line(struct arena *arena, struct text line);

#endif
