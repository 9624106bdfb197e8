/*
 * The texts of `rehearse explain`, in the order what, why, measured example, recipe: four members
 * of struct rule each. Paragraphs are lines; lines of four blanks are code. Plain ASCII.
 *
 * Measured: PostgreSQL 15.18, a table "orders" of 1,000,000 rows and 109 MB with two indexes,
 * default settings, two cores of a virtual machine, nobody else at work.
 */
#ifndef RH_JUDGE_RULES_TEXT_H
#define RH_JUDGE_RULES_TEXT_H

/* clang-format off */

#define TEXT_ACCEPT \
    "Findings of severity error make the verdict UNSAFE (exit status 5); --fail-on warning " \
    "or --fail-on info counts milder ones too. Time limits are yours to set: --max-blocked " \
    "is the longest that anything may wait behind the migration (2s unless set), " \
    "--max-duration the longest it may take. Limits also live in the file rehearse.yaml, " \
    "under gates."

#define TEXT_BLOCKS_READS \
    "Queries on a table that existed before the run would wait, or did wait, longer than " \
    "the gate \"blocked\". The time runs from the first lock that conflicts with a SELECT " \
    "(ACCESS EXCLUSIVE, on the table or on any of its indexes) to the end of the " \
    "transaction; where canary sessions waited longer than that, their wait counts. Fires " \
    "only when no rewrite, index build or scan explains the time: those rules say it " \
    "themselves.", \
    "A waiting request keeps its connection. With a pool of 100 connections and 50 " \
    "requests a second on that table, nothing answers any more after two seconds, also " \
    "what never touches the table.", \
    "BEGIN; ALTER TABLE orders ADD COLUMN loyalty int DEFAULT 0 takes 0.7 ms. Followed in " \
    "the same transaction by UPDATE orders SET note = 'x', which takes 11 s, it blocks " \
    "every SELECT for those 11 s.", \
    "Give the statement that needs the lock a transaction of its own, and do slow work " \
    "before or after it:\n" \
    "    SET lock_timeout = '2s';\n" \
    "    ALTER TABLE orders ADD COLUMN loyalty int DEFAULT 0;\n" \
    "    -- committed; now, in batches:\n" \
    "    UPDATE orders SET note = 'x' WHERE id BETWEEN 1 AND 10000;"

#define TEXT_BLOCKS_WRITES \
    "INSERT, UPDATE and DELETE on a table that existed before the run would wait, or did " \
    "wait, longer than the gate \"blocked\"; SELECT goes on. Locks that do this: SHARE " \
    "(CREATE INDEX), SHARE ROW EXCLUSIVE (ADD FOREIGN KEY on both tables, CREATE TRIGGER), " \
    "EXCLUSIVE. Fires only when no index build or scan explains the time: those rules say " \
    "it themselves.", \
    "Writers that wait keep their connections, and often the rows they locked before; so " \
    "the wait spreads to tables the migration never named.", \
    "ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers blocks writes " \
    "to both tables for 140 ms with 1,000,000 orders; at 100 times the rows that is 14 s.", \
    "Keep the transaction short: the statement that takes the lock alone, with " \
    "lock_timeout set; constraints NOT VALID first, then VALIDATE in a transaction of its " \
    "own:\n" \
    "    SET lock_timeout = '2s';\n" \
    "    ALTER TABLE orders ADD CONSTRAINT orders_customer_fk\n" \
    "      FOREIGN KEY (customer_id) REFERENCES customers NOT VALID;\n" \
    "    ALTER TABLE orders VALIDATE CONSTRAINT orders_customer_fk;"

#define TEXT_LOCK_QUEUE \
    "The migration itself waited for a lock longer than the gate \"blocked\", or others " \
    "queued behind its waiting request.", \
    "PostgreSQL's lock queue is fair: once ACCESS EXCLUSIVE waits, every later request " \
    "that conflicts with it waits behind it, even a SELECT that the present holder would " \
    "let through. One report that runs for ten minutes and one ALTER TABLE of a " \
    "millisecond together stop the table for ten minutes.", \
    "A transaction that had only read orders stayed open for 5 s. ALTER TABLE orders ADD " \
    "COLUMN x int waited 4.4 s for its end; a SELECT sent after it waited 4.1 s, and " \
    "without the ALTER TABLE in front of it 7 ms.", \
    "Bound the wait, and retry with a pause until it gets through:\n" \
    "    SET lock_timeout = '2s';\n" \
    "    ALTER TABLE orders ADD COLUMN x int;\n" \
    "Before the deploy look for transactions that are old or idle:\n" \
    "    SELECT pid, state, age(now(), xact_start), left(query, 60)\n" \
    "    FROM pg_stat_activity WHERE xact_start < now() - interval '1 min';"

#define TEXT_LOCK_HELD_ACROSS_STATEMENTS \
    "A statement took a lock that makes others wait, and further statements ran in the " \
    "same transaction before it ended. BEGIN, COMMIT, SET and the like do not count.", \
    "PostgreSQL releases locks only at the end of the transaction. All that runs after the " \
    "lock was taken lengthens everybody's wait, however quick the statement that took it " \
    "was.", \
    "BEGIN; ALTER TABLE orders ADD COLUMN loyalty int; takes 0.7 ms, VALIDATE CONSTRAINT " \
    "after it 47 ms: apart they block reads for 0.7 ms, together for 48 ms.", \
    "One lock, one transaction. Where the tool wraps each file in a transaction, make it " \
    "two files. Where several changes of one table belong together, say them in one ALTER " \
    "TABLE:\n" \
    "    ALTER TABLE orders ADD COLUMN a int, ADD COLUMN b int;"

#define TEXT_NO_LOCK_TIMEOUT \
    "A lock that blocks reads or writes of an existing table was asked for while the " \
    "session's lock_timeout was 0. The setting is read from the session itself, so what " \
    "the role, the database or the tool set counts.", \
    "In the sandbox the lock is free. In production a long query, a backup or a forgotten " \
    "transaction may hold it; with lock_timeout 0 the migration waits for ever, and " \
    "everybody who comes later waits behind it (see lock-queue).", \
    "With lock_timeout = '2s' the ALTER TABLE of lock-queue gives up after 2.0 s with " \
    "SQLSTATE 55P03, nothing is changed, and the SELECT behind it waits 1.7 s instead of " \
    "4.1 s.", \
    "    SET lock_timeout = '2s';              -- the session\n" \
    "    SET LOCAL lock_timeout = '2s';        -- inside a transaction\n" \
    "    ALTER ROLE migrator SET lock_timeout = '2s';\n" \
    "    PGOPTIONS='-c lock_timeout=2s' TOOL   -- for tools on libpq\n" \
    "Then let the deploy retry on 55P03."

#define TEXT_TABLE_REWRITE \
    "The file of a table (or materialized view) that existed before the run was replaced " \
    "by a new one: its relfilenode changed. An error when the table was blocked longer " \
    "than the gate \"blocked\" because of it, else a warning. Not decided by the text: " \
    "varchar(50) to varchar(100) and ADD COLUMN with a constant default rewrite nothing " \
    "and are not reported.", \
    "Every row and every index is written anew under ACCESS EXCLUSIVE, which nobody can " \
    "read through; WAL for all of it goes to every replica, and old and new copy lie on " \
    "the disk side by side. The time grows with the table.", \
    "ALTER TABLE orders ALTER id TYPE bigint: 2.7 s.\n" \
    "ADD COLUMN uid uuid DEFAULT gen_random_uuid(): 4.0 s.\n" \
    "VACUUM FULL orders: 2.8 s.\n" \
    "ADD COLUMN loyalty int DEFAULT 0: 0.7 ms, no rewrite.", \
    "Type change: expand and contract.\n" \
    "    ALTER TABLE orders ADD COLUMN id_new bigint;\n" \
    "    -- trigger that keeps id_new in step; then, batch by batch:\n" \
    "    UPDATE orders SET id_new = id WHERE id BETWEEN 1 AND 10000;\n" \
    "    -- at last, in one short transaction, swap the names\n" \
    "Volatile default: add the column without it, SET DEFAULT, fill the old rows in " \
    "batches. Bloat: VACUUM, or pg_repack. Materialized view: REFRESH ... CONCURRENTLY."

#define TEXT_INDEX_REBUILD \
    "The file of an index of an existing table was replaced, and the table's was not: a " \
    "type or collation change that keeps the rows but not the order, or REINDEX. An error " \
    "when the table was blocked longer than the gate \"blocked\" because of it, else a " \
    "warning.", \
    "The whole table is read and sorted while writes, and under ALTER TABLE also reads, " \
    "wait. A SELECT takes ACCESS SHARE on every index of its tables while it is planned, " \
    "so a locked index stops queries that would never use it.", \
    "REINDEX INDEX orders_customer on 1,000,000 rows: 380 ms.", \
    "    REINDEX INDEX CONCURRENTLY orders_customer;\n" \
    "For a type change: a new column with its own index, built CONCURRENTLY, then swap."

#define TEXT_INDEX_BLOCKS_WRITES \
    "An index on an existing table was built, dropped or rebuilt without CONCURRENTLY, " \
    "also by ADD UNIQUE, ADD PRIMARY KEY and ADD EXCLUDE. An error when the table was " \
    "blocked longer than the gate \"blocked\" because of it, else a warning.", \
    "CREATE INDEX reads and sorts the whole table under SHARE: every INSERT, UPDATE and " \
    "DELETE waits. A constraint that builds its index does so under ACCESS EXCLUSIVE: " \
    "reads wait too. DROP INDEX is quick but takes ACCESS EXCLUSIVE on the table: it needs " \
    "the lock all the same.", \
    "CREATE INDEX ON orders (email): writes blocked for 0.88 s; CONCURRENTLY it takes 0.92 " \
    "s and blocks nobody.\n" \
    "ADD CONSTRAINT ... UNIQUE (email): reads and writes blocked for 0.66 s; UNIQUE USING " \
    "INDEX: 0.5 ms.", \
    "    CREATE INDEX CONCURRENTLY orders_email ON orders (email);\n" \
    "    DROP INDEX CONCURRENTLY orders_email;\n" \
    "A constraint:\n" \
    "    CREATE UNIQUE INDEX CONCURRENTLY orders_email_key ON orders (email);\n" \
    "    ALTER TABLE orders ADD CONSTRAINT orders_email_key\n" \
    "      UNIQUE USING INDEX orders_email_key;\n" \
    "Each outside a transaction. A build that fails leaves an invalid index: drop it, then " \
    "retry. On a partitioned table: CREATE INDEX ON ONLY the parent, CONCURRENTLY on each " \
    "partition, ALTER INDEX ... ATTACH PARTITION."

#define TEXT_SCAN_UNDER_LOCK \
    "An existing table was read from end to end while a lock of the same transaction kept " \
    "others from reading or writing it: a constraint being validated, SET NOT NULL, a " \
    "partition being attached, or a query or UPDATE after ALTER TABLE. An error when the " \
    "table was blocked longer than the gate \"blocked\" because of it, else a warning.", \
    "The lock is needed for a moment, the proof that all rows comply takes as long as " \
    "reading them. PostgreSQL lets you do the two apart.", \
    "ALTER TABLE orders ALTER email SET NOT NULL: 54 ms under ACCESS EXCLUSIVE; with a " \
    "validated CHECK (email IS NOT NULL) in place: 0.4 ms.\n" \
    "ADD FOREIGN KEY: writes to both tables blocked for 140 ms; NOT VALID: 0.5 ms, and " \
    "VALIDATE 135 ms that block nobody.", \
    "    ALTER TABLE orders ADD CONSTRAINT c CHECK (email IS NOT NULL) NOT VALID;\n" \
    "    ALTER TABLE orders VALIDATE CONSTRAINT c;   -- a transaction of its own\n" \
    "    ALTER TABLE orders ALTER email SET NOT NULL;\n" \
    "    ALTER TABLE orders DROP CONSTRAINT c;\n" \
    "Foreign keys and checks: ADD ... NOT VALID, then VALIDATE CONSTRAINT in a transaction " \
    "of its own: that takes SHARE UPDATE EXCLUSIVE, which reads and writes pass."

#define TEXT_CONCURRENTLY_IN_TRANSACTION \
    "The server refused a command with SQLSTATE 25001 because a transaction was open: " \
    "CREATE or DROP INDEX CONCURRENTLY, REINDEX CONCURRENTLY, VACUUM, CREATE DATABASE and " \
    "their like. The finding names what had opened the transaction.", \
    "Such a command commits in between its phases and cannot be rolled back as a whole. " \
    "Many migration tools open a transaction around every file unless told otherwise.", \
    "psql -1 -f 0042.sql with CREATE INDEX CONCURRENTLY in it: \"CREATE INDEX CONCURRENTLY " \
    "cannot run inside a transaction block\"; the whole file is rolled back.", \
    "Give the command a migration of its own and switch the transaction off for it:\n" \
    "    Flyway           executeInTransaction=false\n" \
    "    Liquibase        runInTransaction:false\n" \
    "    goose            -- +goose NO TRANSACTION\n" \
    "    sqlx             -- no-transaction\n" \
    "    dbmate           -- migrate:up transaction:false\n" \
    "    golang-migrate   one statement per file\n" \
    "    Alembic          with op.get_context().autocommit_block():\n" \
    "    Rails            disable_ddl_transaction!\n" \
    "    Django           atomic = False"

#define TEXT_DURATION_GATE \
    "From its first statement to its last the migration took longer than --max-duration.", \
    "A deploy that waits for it takes as long, and so does undoing it half-way.", \
    "UPDATE of all 1,000,000 orders in one statement: 11 s.", \
    "Take what needs no lock out of the deploy: backfills in batches, concurrent index " \
    "builds, VALIDATE CONSTRAINT. Times are those of the machine that rehearsed: compare " \
    "its fidelity lines with production before trusting a number to the second."

#define TEXT_DISK_GATE \
    "At its peak the server's files took more room than the limit: old and new files of " \
    "rewritten tables, indexes, temporary files and WAL together.", \
    "A server whose disk is full stops, for everybody.", \
    "VACUUM FULL of the 109 MB table keeps old and new copy until it commits: twice the " \
    "room, and as much again in WAL.", \
    "No rewrite where expand and contract will do; one table at a time; room first."

#define TEXT_WAL_GATE \
    "The migration wrote more write-ahead log than the limit.", \
    "Every byte of it goes to every replica and into the archive, and replication slots " \
    "keep it on the primary's disk until it was fetched.", \
    "A rewrite writes about the size of the new table and its indexes as WAL; an UPDATE of " \
    "every row more than that.", \
    "Batches with pauses; no rewrite; fewer indexes to maintain while a backfill runs."

#define TEXT_LAG_GATE \
    "WAL written, divided by the rate at which a replica applies it " \
    "(replica_apply_bytes_per_s), is more than the limit. Without the rate the gate cannot " \
    "be measured and the verdict is INCONCLUSIVE.", \
    "Reads from a replica are stale for so long; a failover in that time loses the rest or " \
    "waits for it.", \
    "1 GB of WAL at 50 MB per second: 20 s behind.", \
    "Batches with pauses that watch replay_lag in pg_stat_replication; no rewrite of a " \
    "large table."

#define TEXT_DEADLOCK \
    "A statement of the migration ended with SQLSTATE 40P01.", \
    "Two sessions each held a lock the other asked for. After deadlock_timeout (1 s) the " \
    "server cancels one of them: this time the migration, next time perhaps a customer's " \
    "request.", \
    "Session 1 locks a then b, session 2 locks b then a: after 1.0 s one of them fails.", \
    "Lock in the order the application does, one table per transaction where possible; " \
    "take the strongest lock first instead of upgrading it:\n" \
    "    BEGIN;\n" \
    "    SET LOCAL lock_timeout = '2s';\n" \
    "    LOCK TABLE a, b IN ACCESS EXCLUSIVE MODE;\n" \
    "    COMMIT;"

#define TEXT_LOCK_TIMEOUT \
    "A statement ended with SQLSTATE 55P03: the lock was not free within lock_timeout, or " \
    "at once where NOWAIT was asked for.", \
    "That is the timeout doing its work: nothing was changed, nobody queued for longer. " \
    "But the migration stops here unless somebody retries it.", \
    "With lock_timeout = '2s' and a reader that stays for 5 s: failed after 2.0 s.", \
    "Retry with a pause:\n" \
    "    for i in 1 2 3 4 5; do psql -v ON_ERROR_STOP=1 -f 0042.sql && break; sleep 15; done\n" \
    "and end or wait for long transactions on the table first."

#define TEXT_STATEMENT_TIMEOUT \
    "A statement ended with SQLSTATE 57014: it ran longer than statement_timeout, or was " \
    "cancelled by somebody else than rehearse.", \
    "It takes longer than its session allows, here and so in production: the deploy will " \
    "stop at this place.", \
    "CREATE INDEX CONCURRENTLY cancelled half-way leaves an invalid index that every write " \
    "keeps up to date and no query uses.", \
    "Make it shorter (batches, NOT VALID and VALIDATE), or give this one session more " \
    "time, with lock_timeout kept:\n" \
    "    SET statement_timeout = 0;\n" \
    "    SET lock_timeout = '2s';"

#define TEXT_STATEMENT_ERROR \
    "The server refused a statement. Deadlocks, timeouts and 25001 have rules of their " \
    "own. A query of a wrapped command that asks for something that does not exist, after " \
    "which the command goes on and ends well, is only a note.", \
    "What fails on a copy of production fails in production, after what ran before it was " \
    "committed or had blocked others in vain.", \
    "ALTER TABLE users ADD UNIQUE (email) on a table with duplicates: 23505, found only " \
    "after the whole table was read under ACCESS EXCLUSIVE.", \
    "By SQLSTATE: 23505 list the duplicates and merge them; 23502 fill the NULLs in " \
    "batches; 23503 find the orphans; 23514 find the offending rows; 22001, 22003, 22P02 " \
    "find the values that do not fit; 42501 run as the owner; 42P01, 42703 check the order " \
    "of migrations and the starting point. The finding has the query for the table at hand."

#define TEXT_DESTRUCTIVE \
    "A table, materialized view, column or schema that existed before the run was dropped, " \
    "a table was truncated, or a DELETE took every row it had. Says what exactly went, " \
    "with rows.", \
    "Only a backup brings it back. And code that is still running while the deploy goes on " \
    "names the column or table and fails from that moment on.", \
    "ALTER TABLE orders DROP COLUMN note takes 9 ms; so does losing it.", \
    "First deploy code that no longer uses it. Then rename, wait, and drop in a later " \
    "deploy:\n" \
    "    ALTER TABLE orders RENAME TO orders_to_drop;\n" \
    "Keep a dump of what is in it."

#define TEXT_UNNAMED_SIDE_EFFECT \
    "A statement dropped objects it did not name: an index or constraint that used a " \
    "dropped column together with others, a view, foreign key, policy or trigger that " \
    "CASCADE took. What cannot outlive a dropped table (its own indexes, constraints, " \
    "types) is not reported.\n" \
    "Also, by comparing the state of the database before and after: what a table that was " \
    "dropped and created again no longer has (privileges, policies, indexes, comments), " \
    "objects that changed though no statement named them, and values of tables that only a " \
    "trigger, rule or function can have changed.", \
    "A unique constraint that went unseen lets duplicates in; an index that went makes " \
    "queries slow; a policy that went shows rows to those who must not see them; a privilege " \
    "that went makes the application fail.", \
    "ALTER TABLE orders DROP COLUMN customer_id also drops every index that has the column " \
    "in it, also one on (created, customer_id), without a word.", \
    "Name what is to go, create again what is still needed. Leave CASCADE out: the server " \
    "then refuses and lists the dependents."

#define TEXT_DATA_LOST \
    "The data of the database before and after were compared, and rows are gone from a " \
    "table that no statement names, values of a column became NULL without an UPDATE that " \
    "names it, or a column went along with something else that was dropped.", \
    "The statement succeeds and nothing complains. Who misses the rows does so weeks later, " \
    "when the backups are gone too.", \
    "With order_lines.order_id REFERENCES orders ON DELETE CASCADE, DELETE FROM orders " \
    "WHERE created < '2020-01-01' also deletes every line of those orders. ALTER TABLE " \
    "orders ALTER note TYPE text USING nullif(note, '') turns empty notes into NULL.", \
    "Delete what is meant to go by name, dependents first, after a look at how much that is:\n" \
    "    SELECT count(*) FROM order_lines WHERE order_id IN (SELECT ...);\n" \
    "    DELETE FROM order_lines WHERE order_id IN (SELECT ...);\n" \
    "    DELETE FROM orders WHERE created < '2020-01-01';"

#define TEXT_CASCADE_ROWS \
    "Rows of a table that no statement names were updated or deleted: by a foreign key's " \
    "action, a trigger or a rule. Counted by the server itself, so that rows count that were " \
    "changed back as well. Rows that vanished for good are told by data-lost.", \
    "They take time, locks and WAL that the migration's text does not show, and where the " \
    "foreign key has no index each changed row costs a scan of the referring table.", \
    "UPDATE users SET id = id + 1000000 on 2,000 rows, with sessions.user_id REFERENCES users " \
    "ON UPDATE CASCADE: 2,000 rows of users and 6,000 of sessions; 68 ms with an index on " \
    "user_id, 824 ms without.", \
    "Change them by a statement of their own, so that it can be reviewed and batched. A " \
    "trigger that is not meant to fire:\n" \
    "    ALTER TABLE users DISABLE TRIGGER users_audit;   -- in the migration's transaction"

#define TEXT_BACKFILL_UNBATCHED \
    "UPDATE, DELETE or MERGE changed 10,000 rows or more of an existing table in one " \
    "transaction; or 1,000 or more, and kept them locked longer than the gate \"blocked\", " \
    "which is an error. Rows are those the server reported, of all statements of the " \
    "transaction.", \
    "Whoever wants one of these rows waits for the end of the transaction. Every old version " \
    "stays in the table and its indexes until vacuum, which cannot start before then; replicas " \
    "fall behind; a failure at the end starts from nothing.", \
    "UPDATE orders SET note = '' WHERE note IS NULL, 500,000 of 1,000,000 rows, two indexes: " \
    "9.2 s, all of them locked until the end, 500,000 dead rows, 211 MB of WAL. In batches of " \
    "5,000 numbers: 12.3 s, no row locked for more than 302 ms.", \
    "Along the primary key, each batch in a transaction of its own:\n" \
    "    UPDATE orders SET note = '' WHERE note IS NULL AND id BETWEEN 1 AND 5000;\n" \
    "or, at the top level of a script, outside a transaction:\n" \
    "    DO $$ BEGIN FOR n IN 0 .. (SELECT max(id) / 5000 FROM orders) LOOP\n" \
    "      UPDATE orders SET note = '' WHERE note IS NULL\n" \
    "         AND id BETWEEN n * 5000 + 1 AND (n + 1) * 5000;\n" \
    "      COMMIT; PERFORM pg_sleep(0.05);\n" \
    "    END LOOP; END $$;"

#define TEXT_LOSSY_CAST \
    "The type of a column changed, and values are not what they were. Asked of the data " \
    "before the run: each value is put through the migration's own expression and cast back. " \
    "Where no cast leads back, or everything is coded anew, values count that were different " \
    "and became the same; from json to jsonb, objects with a key that came twice. Of a table " \
    "above 256 MB a sample of the pages is read, and the finding says so.", \
    "The statement succeeds. What is gone is missed weeks later: cents, milliseconds, leading " \
    "zeros, the end of a name.", \
    "ALTER TABLE items ALTER price TYPE numeric(10,2) with prices of four decimals: 1,500 of " \
    "2,000 rounded, no message. 0.0125 becomes 0.01.", \
    "Look at them before, and decide:\n" \
    "    SELECT count(*) FROM items WHERE price::numeric(10,2) <> price;\n" \
    "Take a type that holds them, or keep the old column until nobody misses it."

#define TEXT_NEAR_LIMIT \
    "The type of a column became narrower, all values fit, and some need 95 % of the new " \
    "limit or more. Values that are all equally long are codes, and not reported.", \
    "The copy is older than production will be on the day. One longer value there, and the " \
    "migration fails; one later, and the application's INSERT does.", \
    "ALTER TABLE users ALTER name TYPE varchar(50) with a longest name of 49: fits here.", \
    "Ask production right before the deploy, or leave room:\n" \
    "    SELECT max(length(name)) FROM users;"

#define TEXT_NULL_UNHANDLED \
    "An UPDATE whose text does not say NULL turned values into NULL; or gave NULL to rows in " \
    "which one of the columns it computes from has a value and another has none.", \
    "a || b and a + b are NULL as soon as one of them is; CASE without ELSE and a subquery " \
    "without a row are NULL too. The statement succeeds.", \
    "UPDATE users SET name = first || ' ' || last on 2,000 users, 666 of them without a first " \
    "name: 666 names are NULL, their last names did not arrive.", \
    "    UPDATE users SET name = concat_ws(' ', first, last);\n" \
    "    UPDATE users SET total = coalesce(net, 0) + coalesce(tax, 0);"

#define TEXT_NO_EFFECT \
    "A step succeeded and did nothing of what it says: IF NOT EXISTS met something of that " \
    "name that is not what was meant (another definition, another table, an invalid index); " \
    "IF EXISTS missed a name that differs in case; an exception handler swallowed an error; a " \
    "name was cut to 63 bytes. What was wanted is made beside what is there, empty and in a " \
    "transaction that is rolled back, and the catalogue compares the two. A thing that is there as " \
    "it was meant is no finding, nor is more than was meant.", \
    "The migration is recorded as done. The index that was to make a query fast is another " \
    "one, the constraint that was to keep duplicates out does not exist.", \
    "CREATE INDEX IF NOT EXISTS orders_idx ON orders (customer_id, created) where orders_idx " \
    "is on (customer_id): NOTICE, success, no new index.", \
    "Leave IF NOT EXISTS out of migrations that run once. In DO blocks catch the one condition " \
    "that is meant:\n" \
    "    EXCEPTION WHEN duplicate_object THEN NULL;   -- not OTHERS"

#define TEXT_NULLABILITY_CHANGED \
    "A column that was NOT NULL before the run may be NULL after it, and no statement says " \
    "DROP NOT NULL of it: it was dropped and added again, swapped for another one, or its " \
    "table was made anew.", \
    "NULLs come in unnoticed. Reports miss rows, code that never expected them fails.", \
    "ALTER TABLE orders DROP COLUMN state, ADD COLUMN state text DEFAULT 'new': the NOT NULL of " \
    "the old column is gone.", \
    "    ALTER TABLE orders ADD CONSTRAINT c CHECK (state IS NOT NULL) NOT VALID;\n" \
    "    ALTER TABLE orders VALIDATE CONSTRAINT c;\n" \
    "    ALTER TABLE orders ALTER state SET NOT NULL;\n" \
    "    ALTER TABLE orders DROP CONSTRAINT c;"

#define TEXT_DEFAULT_CHANGED \
    "A column lost its default, identity, generation expression or collation, and no " \
    "statement says so: it was made anew, what the default used was dropped with CASCADE, or " \
    "ALTER COLUMN ... TYPE was written without COLLATE.", \
    "INSERTs that leave the column out write NULL or fail from that moment on; another " \
    "collation sorts and compares in another way.", \
    "DROP SEQUENCE orders_id_seq CASCADE takes the default of orders.id with it: the next " \
    "INSERT fails with 23502.", \
    "    ALTER TABLE orders ALTER id SET DEFAULT nextval('orders_id_seq');\n" \
    "    ALTER TABLE users ALTER name TYPE varchar(100) COLLATE \"de-x-icu\";"

#define TEXT_SEQUENCE_BEHIND \
    "After the run a sequence would give a number that is in its unique column already, and " \
    "before the run it would not.", \
    "Every INSERT that takes a number from it fails with 23505 until it has passed the highest " \
    "one in use.", \
    "INSERT INTO plans (id, name) VALUES (1, 'free'), (2, 'team') on a new table with an " \
    "identity column: the application's first INSERT gets 1.", \
    "    SELECT setval(pg_get_serial_sequence('plans', 'id'), (SELECT max(id) FROM plans));"

#define TEXT_INTEGER_HEADROOM \
    "A primary key, foreign key or column fed by a sequence, of an integer type, in a table " \
    "the migration touched: the highest number it has to hold, as a share of what its type (or " \
    "its sequence) can. A foreign key has to hold what it refers to. Info from 50 %, one " \
    "doubling before the end; a warning from 75 %: a busy table's way to bigint takes several " \
    "deploys and weeks of backfill, and growth of a tenth a month uses the last quarter up in " \
    "three.", \
    "At the last number every INSERT fails at once, until a table with two billion rows has " \
    "been rewritten.", \
    "ALTER TABLE orders ALTER id TYPE bigint leaves order_lines.order_id integer, and a serial's " \
    "sequence at 2,147,483,647.", \
    "A bigint column beside it, kept in step by a trigger, filled in batches, swapped in one " \
    "short transaction; referring columns first; then the sequence:\n" \
    "    ALTER SEQUENCE orders_id_seq AS bigint;"

#define TEXT_STATISTICS_LOST \
    "Columns (or extended statistics objects) of a table of 10,000 rows or more had " \
    "statistics before the run and have none after it.", \
    "The planner guesses until the next ANALYZE: joins change their order, indexes are left " \
    "aside. Autovacuum does not come by itself, for a new type changes no rows in its books.", \
    "ALTER TABLE events ALTER kind TYPE varchar(100), from varchar(50), on 1,000,000 rows: 3 ms, " \
    "no row written, and the estimate for kind = 'login' goes from 395,833 rows to 5,000.", \
    "As the migration's last statement, outside of the transaction that holds the lock:\n" \
    "    ANALYZE events;"

#define TEXT_ROW_COUNT_CHANGED \
    "The data of the database before and after were compared, and a table that no " \
    "statement names has more rows: a warning where a statement was seen to write to it, an " \
    "error where none was. Fewer rows are data-lost.", \
    "What a trigger writes comes on top of what the migration says: time, locks, WAL, and " \
    "rows that others take for events that really happened.", \
    "UPDATE orders SET note = '' on 1,000,000 rows with a row trigger that writes to " \
    "order_history adds 1,000,000 rows to it.", \
    "If the rows are not wanted, switch the trigger off for the migration's transaction:\n" \
    "    SET LOCAL session_replication_role = replica; -- needs the privilege\n" \
    "    UPDATE orders SET note = '';"

#define TEXT_ROLLBACK_LEFT_CHANGES \
    "After a dry run (--rollback) the states of the database were read again, as before it, and " \
    "something differs; sequences, which no rollback sets back, are only told. It is no finding " \
    "where other sessions were connected: they may have done it.", \
    "A dry run promises to leave nothing. What a function writes through another connection is " \
    "committed there.", \
    "CREATE FUNCTION log() ... dblink_exec('dbname=app', 'INSERT INTO audit ...'): the row stays.", \
    "Rehearse such a migration in a sandbox:\n" \
    "    rehearse run --snapshot app.dump migrations/0042.sql"

#define TEXT_CHECK_CHANGED \
    "A query of a --checks file was run before and after the migration and gave two results, " \
    "though it was expected to give the same (-- expect: same, or no expectation). Rows are " \
    "compared whatever their order; where ORDER BY names columns of the result, these must come " \
    "in the same order, too.", \
    "What a query must go on saying is said best by the query.", \
    "    -- name: revenue per month\n" \
    "    SELECT date_trunc('month', paid_at), sum(total) FROM orders GROUP BY 1;\n" \
    "after ALTER TABLE orders ALTER total TYPE numeric(10,1): other values in its 36 rows.", \
    "If the change is meant, say so before the query:\n" \
    "    -- expect: changed"

#define TEXT_CHECK_FAILED \
    "A check of a --checks file does not give what it expects (zero, rows, changed, a " \
    "comparison), or cannot be run any more, or a test of a pgTAP file fails. An error when it " \
    "failed only after the migration; info when it failed before as well, a warning when it is " \
    "further off than before.", \
    "It names what must be true of the data, and the migration made it untrue.", \
    "    -- name: every order has a customer\n" \
    "    -- expect: zero\n" \
    "    SELECT count(*) FROM orders o WHERE NOT EXISTS\n" \
    "      (SELECT FROM customers c WHERE c.id = o.customer_id);\n" \
    "after a DELETE that no foreign key stopped: 37, expected zero; was 0.", \
    "Run the query on the sandbox, which --keep leaves up, and look at what it finds."

#define TEXT_INVALID_LEFT_BEHIND \
    "After the run an index is invalid (indisvalid is false) or a constraint not validated " \
    "(convalidated is false), and was not so before. A NOT VALID constraint after a run " \
    "without a failure is a warning: the next migration may validate it.", \
    "An invalid index costs every write and serves no query; CREATE INDEX IF NOT EXISTS " \
    "takes it for done. The planner does not rely on a constraint that was never validated.", \
    "CREATE UNIQUE INDEX CONCURRENTLY on a column with duplicates fails and leaves the " \
    "index, invalid.", \
    "    DROP INDEX CONCURRENTLY orders_email_key;   -- then repair, then build again\n" \
    "    ALTER TABLE orders VALIDATE CONSTRAINT orders_customer_fk;\n" \
    "Those of the whole database:\n" \
    "    SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid;\n" \
    "    SELECT conrelid::regclass, conname FROM pg_constraint WHERE NOT convalidated;"

#define TEXT_HALF_APPLIED \
    "On a copy of the starting point the migration was cut off (its connection closed, its " \
    "statement cancelled, or the server killed) at a place where part of it was committed, " \
    "and the same command was run again. It failed, or ended in another state than the " \
    "uninterrupted run.", \
    "Deploys are killed, connections break, a DBA cancels what blocks. What then stands in " \
    "the database is neither the old schema nor the new one, and the command that should " \
    "mend it does not. Worst is the one that succeeds: nobody looks again.", \
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS, cancelled after its first transaction, leaves " \
    "the index invalid; run again it says \"already exists, skipping\" and ends with success.", \
    "    BEGIN; ...; COMMIT;   -- all or nothing, wherever the server allows it\n" \
    "Where it does not, a migration of its own, that clears away what an attempt left:\n" \
    "    DROP INDEX CONCURRENTLY IF EXISTS orders_note;\n" \
    "    CREATE INDEX CONCURRENTLY orders_note ON orders (note);\n" \
    "How many places are tried is set by --cuts."

#define TEXT_NOT_REPEATABLE \
    "The migration was run a second time on the database that it had just migrated. A " \
    "wrapped command failed or changed the database again, though it should know what it has " \
    "done; or a script did whose every CREATE and DROP says IF [NOT] EXISTS or OR REPLACE.", \
    "Retries, several instances that start at once and restored backups run migrations " \
    "twice. Plain scripts that make no such claim, and files of tools with a ledger, are " \
    "expected to run once: they never get this finding.", \
    "CREATE TABLE IF NOT EXISTS plans (...); INSERT INTO plans SELECT ...; succeeds twice, " \
    "and leaves every plan twice.", \
    "    INSERT INTO plans (name) VALUES ('basic') ON CONFLICT (name) DO NOTHING;\n" \
    "    UPDATE orders SET state = 'new' WHERE state IS NULL;\n" \
    "    ALTER TABLE orders ADD COLUMN IF NOT EXISTS note text;"

#define TEXT_OPEN_TRANSACTION \
    "A session of the migration ended, or stayed, with a transaction open.", \
    "The server rolls it back: nothing of it is kept, though every statement succeeded and " \
    "the tool reported success.", \
    "psql -f with BEGIN; ALTER TABLE ...; and no COMMIT ends with status 0 and changes " \
    "nothing.", \
    "    COMMIT;\n" \
    "or leave BEGIN out where the tool opens the transaction itself."

#define TEXT_NO_CONNECTION \
    "The wrapped command ended without ever connecting to the server it was given.", \
    "Nothing was rehearsed. A pass would be worth nothing; most likely the command looked " \
    "for another database.", \
    "rehearse run -- true never connects.", \
    "The command gets DATABASE_URL, PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE and the " \
    "variables of Flyway, Liquibase and goose. For others:\n" \
    "    rehearse run --env 'MY_DB_URL={url}' -- COMMAND\n" \
    "    rehearse run -- COMMAND --url {jdbc_url} --user {user} --password {password}"

#define TEXT_SERVER_CRASH \
    "The sandbox's server died while the migration ran; the finding quotes the end of its " \
    "log.", \
    "Memory or disk ran out, or PostgreSQL or an extension has a bug: production runs the " \
    "same statement.", \
    "kill -9 of one backend makes the server restart all of them: every client loses its " \
    "session.", \
    "Read the log in the run's directory; look at work_mem, maintenance_work_mem and the " \
    "size of the change; try the same minor version production runs."

#define TEXT_COMMAND_FAILED \
    "The wrapped command ended with a status other than 0 though the server refused none " \
    "of its statements.", \
    "It failed for a reason of its own: a missing file, a checksum in its ledger, a check " \
    "of its own. A deploy stops here just the same.", \
    "flyway migrate after an applied file was edited: no statement fails, status 1.", \
    "Its output is in output.log of the run's directory."

#define TEXT_DOWN_FAILS \
    "The way back (--down, or the counterpart that the migration's own tool knows) was run on " \
    "a clone behind the migration, once at once and once after rows were written, and the " \
    "server refused it. The rows are generated: a plain one for each table the migration " \
    "touched, and one for each freedom it gave: NULL where a column may be NULL now, a longer " \
    "or bigger value, a new enum label, what a dropped CHECK, UNIQUE or FOREIGN KEY forbade. " \
    "Rows that could not be made are named in the result.", \
    "A rollback is needed after the new version has run, not before. A way back that was " \
    "only ever tried on an unused database meets, in production, the rows that it forbids.", \
    "ALTER TABLE users ALTER email DROP NOT NULL, with SET NOT NULL as its way back: at once " \
    "it works. With one row written in between it fails: column \"email\" of relation " \
    "\"users\" contains null values.", \
    "Decide in the way back what becomes of such rows, before it tightens anything:\n" \
    "    UPDATE users SET email = '' WHERE email IS NULL;\n" \
    "    ALTER TABLE users ALTER email SET NOT NULL;"

#define TEXT_DOWN_DIFFERS \
    "Schema and data were read before the migration and after its way back, and differ: a " \
    "default, a privilege, a comment, a predicate, a collation, a label's place, an index, a " \
    "type's width. Left out are the tool's own ledger and sequences that only went on. Where " \
    "nothing but the order of columns differs it is an info.", \
    "Nobody looks at the database after a rollback that reported success. What is not as it " \
    "was shows when the former version needs it.", \
    "ALTER TABLE users DROP COLUMN status, undone by ADD COLUMN status text: the column had " \
    "DEFAULT 'new' NOT NULL and a GRANT SELECT on it, and has none of them now.", \
    "Write the way back from the definition, not from memory (pg_dump --schema-only -t " \
    "users), or take the commands from rollback.md:\n" \
    "    ALTER TABLE users ADD COLUMN status text DEFAULT 'new' NOT NULL;\n" \
    "    GRANT SELECT (status) ON users TO app;"

#define TEXT_DOWN_LOSES_DATA \
    "After the way back rows or values are missing, or are others, compared with the state " \
    "before the migration; exact counts of rows and of values that are not NULL, and " \
    "digests of the values. A warning where a DROP, TRUNCATE or DELETE of the migration " \
    "names what went: then no way back could bring it back. Else an error.", \
    "What is lost here is lost in production when the release is rolled back, and the " \
    "rollback reports success.", \
    "ALTER TABLE users DROP COLUMN phone, undone by ADD COLUMN phone text, lost 1,204 values " \
    "of users.phone. UPDATE users SET email = lower(email), undone by nothing, leaves other " \
    "values than before.", \
    "Expand first, contract with a later release: rename what is no longer used, and drop it " \
    "when nobody will roll back any more:\n" \
    "    ALTER TABLE users RENAME phone TO phone_unused;\n" \
    "Or keep the former values beside the new ones until then:\n" \
    "    CREATE TABLE users_email_before AS SELECT id, email FROM users;"

#define TEXT_RESTORE_FAILS \
    "With --restore-test the migrated database is dumped by pg_dump and restored into an " \
    "empty sandbox, and the restore failed.", \
    "Backups of this kind are what a rollback without a way back relies on. A restore " \
    "creates objects and loads rows in an order of its own, with an empty search_path: what " \
    "worked in a session that grew the schema step by step need not work there.", \
    "A CHECK that calls a function which reads another table by its bare name: the COPY of " \
    "the restore fails with relation \"limits\" does not exist.", \
    "Qualify the names inside functions, or pin their search_path:\n" \
    "    ALTER FUNCTION within_limit(int) SET search_path = public;"

#define TEXT_RESTORE_DIFFERS \
    "With --restore-test the migrated database was dumped and restored into an empty " \
    "sandbox, and schema or data there differ from what was dumped. Roles, their settings " \
    "and owners are not compared: a dump of one database does not carry them.", \
    "Who restores such a backup gets something else than what was backed up.", \
    "A materialized view that was filled from a table without an order and kept only the " \
    "first 100 rows: the restore fills it again, with others.", \
    "Look at each difference; make what a dump cannot carry part of the restore's own " \
    "script."

#define TEXT_UNSANITIZED_SNAPSHOT \
    "The manifest of the snapshot says that no masking plan decided its columns, or its " \
    "certificate \"leak\" found values of production in it. Without --allow-unmasked nothing is " \
    "started; with it this finding stands in the report. A plain dump says nothing of itself: it " \
    "is used, with a note, unless --require-masked was given.", \
    "Whoever may run a rehearsal may not be meant to read production: the rows lie in the " \
    "snapshot, in the sandbox and its cache, and pieces of them in what a migration prints.", \
    "A manifest.json with \"is_masked\": false: the run ends with status 1 before a server is " \
    "started, naming this rule.", \
    "Make the snapshot with \"rehearse snapshot create\", which masks what passes, or mask an " \
    "archive that exists:\n\n" \
    "    rehearse snapshot import app.dump -o app.snapshot"

#define TEXT_NOT_OBSERVED \
    "Evidence is missing for a statement that can lock tables: the observer was lost, the " \
    "migration removed or disabled the event triggers in schema rehearse, or the statement " \
    "was shorter than the gap between two samples.", \
    "What was not seen is not known to be harmless. The verdict is INCONCLUSIVE unless " \
    "something else is already wrong.", \
    "A migration that runs DROP SCHEMA rehearse CASCADE is reported so, never as clean.", \
    "Leave the schema rehearse and event triggers alone; run it again where the machine " \
    "was too busy for the sampler."

/* clang-format on */

#endif
