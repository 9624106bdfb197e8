/* What `rehearse explain` says of the rules on what queries met while the migration ran. */
#ifndef RH_JUDGE_RULES_TEXT_TRAFFIC_H
#define RH_JUDGE_RULES_TEXT_TRAFFIC_H

#define TEXT_POOL_EXHAUSTION                                                                       \
    "The workload was replayed at production's rate while the migration ran, and at some moment "  \
    "as many of its queries were under way, or waiting for their session, as --pool says the "     \
    "application has connections; without the migration they were not.",                           \
        "A query that waits for a lock keeps its connection. New requests come all the same, and " \
        "once the pool is empty each of them waits, also those that never touch the locked "       \
        "table. That is how one ALTER TABLE of three seconds takes a whole site down.",            \
        "200 queries a second against one table, a pool of 20 and an ACCESS EXCLUSIVE lock of "    \
        "3 s: the last connection was gone after 0.1 s, and up to 600 queries waited.",            \
        "Shorten what is waited for, or bound it and try again:\n"                                 \
        "    SET lock_timeout = '200ms';\n"                                                        \
        "The result recommends a lock_timeout from the recording's own transactions."

#endif
