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

#define TEXT_QUERY_ERROR                                                                           \
    "A query of the running application fails with the migration, and does not fail, or not as "   \
    "often, without it. The same workload is replayed on both.",                                   \
        "The old application keeps running until it is replaced, on every server that has not "    \
        "been restarted yet, and it sends the old queries to the new schema.",                     \
        "ALTER TABLE users DROP COLUMN name, while the application in production still sends "     \
        "SELECT name FROM users: 42703 for 400 of 1,000 calls.",                                   \
        "Expand and contract: first add what is new and keep what is old, deploy the application " \
        "that needs only the new, and remove the old one in a later release."

#define TEXT_CACHED_PLAN_BROKEN                                                                   \
    "A statement that a session had prepared before the migration fails after it with 0A000, "    \
    "\"cached plan must not change result type\".",                                               \
        "Drivers (JDBC, pgx, Rails, npgsql) and poolers keep prepared statements for as long as " \
        "a connection lives. One whose result has other columns now is refused, and inside a "    \
        "transaction the driver cannot simply prepare it again.",                                 \
        "SELECT * FROM users WHERE id = $1, prepared; then ALTER TABLE users ADD COLUMN nick "    \
        "text: every session that had prepared it fails once.",                                   \
        "Name the columns in the application's queries. Where it says SELECT *, have its pool "   \
        "reconnect right after the migration:\n"                                                  \
        "    RECONNECT;   -- PgBouncer's console"

#endif
