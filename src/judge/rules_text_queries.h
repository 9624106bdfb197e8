/*
 * What the rules about the queries of an application are for, as rules_text.h: what, why, example,
 * what to write instead.
 *
 * Measured: PostgreSQL 15.18, a table "orders" of 200,000 rows, two cores of a virtual machine.
 */
#ifndef RH_JUDGE_RULES_TEXT_QUERIES_H
#define RH_JUDGE_RULES_TEXT_QUERIES_H

#define TEXT_QUERY_ERROR                                                                         \
    "A query of the workload succeeds on the baseline and its twin, and with the same "          \
    "parameters fails on the candidate. Errors that the baseline gives as well are told in "     \
    "result.json (\"existing\") and are no finding.",                                            \
        "The application that runs now goes on for a while after the migration, and meets the "  \
        "error on every call.",                                                                  \
        "ALTER TABLE orders RENAME customer_id TO client_id: SELECT ... WHERE customer_id = $1 " \
        "fails with 42703, 100 % of its executions.",                                            \
        "Expand, then contract: add the new column, release an application that uses both, "     \
        "and drop the old one when nothing asks for it any more. Where the release comes with "  \
        "the migration, --transform judges what it sends, too, and says whether the old "        \
        "application still runs."

#define TEXT_QUERY_SLOWER                                                                        \
    "A query pattern takes longer on the candidate than on the baseline. Each execution is "     \
    "timed on baseline, twin and candidate in turn, with the parameters of production; slower "  \
    "means that the p50, p95 or p99 (or the share of executions that take twice as long) is "    \
    "beyond what the twins show of each other, at least 1.2 times and some microseconds, in "    \
    "both halves of the measurement, and significant after the correction for many patterns. "   \
    "Where regression_thresholds are set, only what exceeds one of them is an error.",           \
        "A query of 0.1 ms that comes 2,000 times a second keeps a fifth of a core busy; at 10 " \
        "ms it wants twenty cores, and every other query waits for them.",                       \
        "DROP INDEX orders_customer_idx: SELECT ... WHERE customer_id = $1 goes from an index "  \
        "scan to a sequential scan of 200,000 rows, some 90 times as long.",                     \
        "Look at the plan difference of the finding. An index that repairs it is tried where "   \
        "the candidate may be changed (missing-index), and so is ANALYZE (statistics-lost).\n"   \
        "Limits live in rehearse.yaml:\n"                                                        \
        "    gates:\n"                                                                           \
        "      regression_thresholds:\n"                                                         \
        "        p50_max_multiplier: 1.5\n"                                                      \
        "        p95_max_multiplier: 2"

#define TEXT_RESULT_CHANGED                                                                       \
    "To the same parameters the candidate gives other rows than baseline and twin, which agree. " \
    "Columns in which the twins differ (now(), random()) are left out; so are queries that "      \
    "leave open which rows come (LIMIT without ORDER BY, ties), which is tried with other plans " \
    "and with ties broken at random. The same value of another type (as text) is a warning.",     \
        "The application shows, or writes back, what it reads.",                                  \
        "UPDATE orders SET total = round(total): SELECT total ... gives other values of total.",  \
        "If that is what the migration is for, look whether the running application can take "    \
        "it; else find the statement that did it."

#define TEXT_PLAN_CHANGED                                                                        \
    "The nodes, relations or indexes of a query's plan differ between baseline and candidate, "  \
    "while the twins agree; costs do not count. The plan for the parameters that were sent, or " \
    "the generic plan that prepared statements may come to use.",                                \
        "On the data here it is no slower. On production's size it may be.",                     \
        "A new index on orders (created_at): Seq Scan -> Bitmap Heap Scan.",                     \
        "Nothing to do where the data is as large as production's."

#define TEXT_ESTIMATE_OFF                                                                          \
    "A node of the candidate's plan gets at least 10 times as many rows as the planner expected, " \
    "or a tenth, and the baseline's estimates are at least 5 times better.",                       \
        "The planner chooses joins by these numbers.",                                             \
        "After a column got a new type its statistics are gone: 1,000 rows expected, 180,000 "     \
        "come.",                                                                                   \
        "ANALYZE the tables that the migration changed, as its last step:\n"                       \
        "    ANALYZE orders;"

#define TEXT_MISSING_INDEX                                                                        \
    "A query became slower, and an index over the columns that its plan filters or joins by was " \
    "built on the candidate and measured: with it the query is back to about its old time, or, "  \
    "of a query that the release brings, takes at most half of its time. What did not repair it " \
    "is not proposed.",                                                                           \
        "Every execution reads the whole table.",                                                 \
        "ALTER TABLE orders ADD status text ...; SELECT ... WHERE status = $1 reads all rows; "   \
        "CREATE INDEX ON orders (status) repairs it.",                                            \
        "Build it before the release, without blocking writes:\n"                                 \
        "    CREATE INDEX CONCURRENTLY orders_status_idx ON orders (status);"

#define TEXT_CACHED_PLAN_BROKEN                                                                  \
    "A statement that a session prepared before the migration fails in that session after it: "  \
    "SQLSTATE 0A000, cached plan must not change result type. Seen by rehearse run --workload, " \
    "whose sessions live through the migration. The sessions of rehearse compare begin after "   \
    "it: there it is concluded, as a warning, where a query that the workload executes under "   \
    "the name of a prepared statement gives other columns.",                                     \
        "Pools and drivers keep prepared statements for hours; each of their sessions fails "    \
        "until it ends.",                                                                        \
        "PREPARE q AS SELECT * FROM orders; ALTER TABLE orders ADD note text; EXECUTE q fails.", \
        "Name the columns instead of *, or have sessions prepare anew after the migration:\n"    \
        "    DEALLOCATE ALL;"

#endif
