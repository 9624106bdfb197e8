/*
 * What of a server's error may be shown when it was met while reading rows of production. Messages
 * quote values, and so do those that users' functions raise, with whatever SQLSTATE they like: only
 * classes whose words are about the server, the session or the statement are let through.
 */
#ifndef RH_SNAPSHOT_SERVER_WORDS_H
#define RH_SNAPSHOT_SERVER_WORDS_H

#include "base/err.h"

/* How the message begins where a row's value is, or may be, to blame. */
#define SERVER_VALUE_FAILS "a value makes it fail"

/*
 * Puts "a value makes it fail (SQLSTATE x)" in place of a message that may quote one, and takes
 * its detail and hint away; contexts stay. What no server said (no sqlstate) is left as it is.
 * Pure.
 */
void rh_server_words_hide_values(struct err *err);

#endif
