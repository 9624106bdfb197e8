/* What `rehearse explain` says of the rules on the queries that a release brings with it. */
#ifndef RH_JUDGE_RULES_TEXT_NEW_QUERIES_H
#define RH_JUDGE_RULES_TEXT_NEW_QUERIES_H

#define TEXT_NEW_QUERY_ERROR                                                                     \
    "A query of --queries was run on the migrated database, as its role and with the "           \
    "parameters of its file, and the server refused it.",                                        \
        "The new release sends it from its first minute on.",                                    \
        "ALTER TABLE orders ADD COLUMN state text; the release asks for \"status\": 42703. Or: " \
        "a table without GRANT to the application's role: 42501.",                               \
        "Let the migration make what the query needs, or change the query."

#define TEXT_NEW_QUERY_SLOW                                                                       \
    "The p95 of a query of --queries is above the limit that its file gives it, beyond doubt: "   \
    "the lower end of the 95 % interval is. Without a limit: most executions did not end "        \
    "within 10 s, which is a warning.",                                                           \
        "There is no old time to compare a new query with: only a limit says what is too slow.",  \
        "200,000 orders, a new column without an index: WHERE state = $1 takes 12 ms, with an "   \
        "index 0.1 ms.",                                                                          \
        "Look at missing-index and statistics-lost beside it: both are tried on the candidate.\n" \
        "    -- limit: 50ms\n"                                                                    \
        "    SELECT * FROM orders WHERE state = $1;"

#define TEXT_NEW_QUERY_COSTLY                                                                   \
    "The plan of a query of --queries reads a table of 10,000 rows or more whole, or sorts or " \
    "hashes through the disk, and no index that was tried repairs it.",                         \
        "It is fast enough here. Its time grows with the table.",                               \
        "SELECT state, count(*) FROM orders GROUP BY 1 reads all 200,000 rows.",                \
        "Nothing to do where it comes seldom; else keep its result, or read less."

#endif
