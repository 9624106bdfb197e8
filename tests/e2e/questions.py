"""The cases of test_questions.py: what a failing statement's set questions must find.

A case is (setup, statement, offences, worked): offences are (rule, rows) or (rule, rows, groups) in
any order; worked tells whether the repairs made the statement succeed, None: there is no repair.
"""

USERS = """
CREATE TABLE users (id int PRIMARY KEY, email text, age int, name varchar(20) NOT NULL DEFAULT 'x',
                    created_at timestamptz DEFAULT now());
INSERT INTO users (id, email, age)
SELECT g, CASE WHEN g % 10 = 0 THEN NULL ELSE 'u' || g % 7 || '@x' END, g - 5 FROM generate_series(1, 50) g;
"""
ORDERS = USERS + """
CREATE TABLE orders (id int PRIMARY KEY, user_id int, other int NOT NULL);
INSERT INTO orders SELECT g, nullif(g, 48), g FROM generate_series(45, 60) g;
"""
PAIRS = """
CREATE TABLE parent (a int, b int, UNIQUE (a, b)); INSERT INTO parent VALUES (1, 1), (2, 2);
CREATE TABLE child (id int PRIMARY KEY, a int, b int);
INSERT INTO child VALUES (1, 1, 1), (2, 1, NULL), (3, NULL, NULL), (4, 3, 3), (5, NULL, 9);
"""
# Covered by one row, by two together, not to the end, at a gap, nowhere, by another room; NULLs; empty.
PERIODS = """
CREATE TABLE room (id int4range, during int4range, PRIMARY KEY (id, during WITHOUT OVERLAPS));
INSERT INTO room VALUES ('[1,2)', '[1,10)'), ('[1,2)', '[10,20)'), ('[1,2)', '[30,40)'), ('[2,3)', '[20,30)');
CREATE TABLE stay (n int PRIMARY KEY, room int4range, during int4range);
INSERT INTO stay VALUES (1, '[1,2)', '[3,5)'), (2, '[1,2)', '[5,15)'), (3, '[1,2)', '[15,21)'), (4, '[1,2)', '[15,35)'),
    (5, '[7,8)', '[1,2)'), (6, '[2,3)', '[20,30)'), (7, NULL, '[1,99)'), (8, '[1,2)', NULL), (9, '[1,2)', 'empty');
"""
RANGES = """
CREATE TABLE p (id int, k int) PARTITION BY RANGE (k);
CREATE TABLE p_default PARTITION OF p DEFAULT; INSERT INTO p SELECT g, g FROM generate_series(1, 20) g;
CREATE TABLE c (id int, k int); INSERT INTO c VALUES (1, 100), (2, 5), (3, NULL);
"""
TEXTS = """
CREATE TABLE t (id int PRIMARY KEY, v text, w text NOT NULL DEFAULT '');
INSERT INTO t (id, v) VALUES (1, '12'), (2, ' 7 '), (3, 'x'), (4, ''), (5, NULL), (6, '99999999999'), (7, '-3');
"""
# Two parents with one value, both referred to by a key that is looked at when all is done.
DEFERRED = """
CREATE TABLE parent (id int PRIMARY KEY, v text); INSERT INTO parent VALUES (1, 'x'), (2, 'x'), (3, 'y');
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent DEFERRABLE INITIALLY DEFERRED, v text, n int);
INSERT INTO child VALUES (1, 1, 'x', 1), (2, 2, 'x', NULL), (3, 3, 'y', NULL);
"""
DUPLICATES, NULLS, ORPHANS = "duplicate-keys", "null-values", "orphan-rows"
CHECKS, EXCLUSION, MISFITS = "check-violations", "exclusion-conflicts", "partition-misfits"
CASTS, TOO_LONG, OUT_OF_RANGE = "cast-failure", "value-too-long", "out-of-range"

CASES = {
    # --- unique indexes and keys
    "unique index": (USERS, "CREATE UNIQUE INDEX i ON users (email)", [(DUPLICATES, 45, 7)], True),
    "unique index, the name quoted": (
        USERS + 'ALTER TABLE users RENAME TO "we""ird table";',
        'CREATE UNIQUE INDEX ON "we""ird table" (email)', [(DUPLICATES, 45, 7)], True),
    "unique index, odd columns": (
        """CREATE TABLE t (";drop table x;--" int PRIMARY KEY, "a""b\\'" text, "@NAME@" int);
           INSERT INTO t VALUES (1, 'x', 1), (2, 'x', 1);""",
        'CREATE UNIQUE INDEX ON t ("a""b\\\'", "@NAME@")', [(DUPLICATES, 2, 1)], True),
    "unique constraint called like a mark": (
        USERS, 'ALTER TABLE users ADD CONSTRAINT "@COLUMN@\'; DROP TABLE users; --" UNIQUE (email)',
        [(DUPLICATES, 45, 7)], True),
    "unique expression index": (
        USERS + "UPDATE users SET email = upper(email) WHERE id = 1; UPDATE users SET email = id WHERE id > 8;",
        "CREATE UNIQUE INDEX i ON users (lower(email))", [(DUPLICATES, 2, 1)], True),
    "partial unique index": (USERS, "CREATE UNIQUE INDEX i ON users (email) WHERE age > 0 AND age < 10",
                             [(DUPLICATES, 4, 2)], True),
    "unique index over several columns": (
        "CREATE TABLE t (id int PRIMARY KEY, a int, b text);"
        "INSERT INTO t VALUES (1, 1, 'x'), (2, 1, 'x'), (3, 1, NULL), (4, 1, NULL), (5, 2, 'x');",
        "CREATE UNIQUE INDEX ON t (a, b) INCLUDE (id)", [(DUPLICATES, 2, 1)], True),
    "unique text of fixed length": (
        "CREATE TABLE t (id int PRIMARY KEY, a char(5)); INSERT INTO t VALUES (1, 'x'), (2, 'x  '), (3, 'y'), (4, ' x'), (5, NULL);",
        "CREATE UNIQUE INDEX ON t (a)", [(DUPLICATES, 2, 1)], True),
    "unique, nulls not distinct": (
        "CREATE TABLE t (id int PRIMARY KEY, a int, b text);"
        "INSERT INTO t VALUES (1, 1, 'x'), (2, 1, 'x'), (3, 1, NULL), (4, 1, NULL), (5, NULL, NULL);",
        "CREATE UNIQUE INDEX ON t (a, b) NULLS NOT DISTINCT", [(DUPLICATES, 4, 2)], True, 15),
    "unique index concurrently": (USERS, "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON public.users (email)",
                                  [(DUPLICATES, 45, 7)], True),
    "unique constraint": (USERS, "ALTER TABLE users ADD CONSTRAINT u UNIQUE (email)", [(DUPLICATES, 45, 7)], True),
    "unique constraint, deferrable": (USERS, "ALTER TABLE ONLY users ADD UNIQUE (email) DEFERRABLE INITIALLY DEFERRED",
                                      [(DUPLICATES, 45, 7)], True),
    "unique constraint on a new column": (USERS, "ALTER TABLE users ADD COLUMN c int UNIQUE DEFAULT 3",
                                          [(DUPLICATES, 50, 1)], None),
    "a key of the same name is dropped first": (
        USERS + "ALTER TABLE users ADD CONSTRAINT k UNIQUE (email, id);",
        "ALTER TABLE users DROP CONSTRAINT k, ADD CONSTRAINT k UNIQUE (email)", [(DUPLICATES, 45, 7)], True),
    "duplicates that are referred to": (
        USERS + "CREATE TABLE r (u int REFERENCES users); INSERT INTO r SELECT id FROM users;",
        "CREATE UNIQUE INDEX ON users (email)", [(DUPLICATES, 45, 7)], True),
    "unique index with another operator class": (
        USERS, "CREATE UNIQUE INDEX ON users (email text_pattern_ops)", [(DUPLICATES, 45, 7)], True),
    "unique index of rows compared by image": (
        "CREATE TYPE pair AS (a numeric, b int); CREATE TABLE t (id int PRIMARY KEY, v pair);"
        "INSERT INTO t VALUES (1, (1.0, 1)), (2, (1.00, 1)), (3, (1.0, 1));",
        "CREATE UNIQUE INDEX ON t (v record_image_ops)", [(DUPLICATES, 2)], True),
    "unique index of rows": (
        "CREATE TYPE pair AS (a numeric, b int); CREATE TABLE t (id int PRIMARY KEY, v pair);"
        "INSERT INTO t VALUES (1, (1.0, NULL)), (2, (1.00, NULL)), (3, (NULL, NULL)), (4, (NULL, NULL)), (5, NULL), (6, NULL);",
        "CREATE UNIQUE INDEX ON t (v)", [(DUPLICATES, 4, 2)], True),
    "unique index on padded text": (
        "CREATE TABLE t (id int PRIMARY KEY, v char(5)); INSERT INTO t VALUES (1, 'a'), (2, 'a  '), (3, 'b');",
        "CREATE UNIQUE INDEX ON t (v)", [(DUPLICATES, 2, 1)], True),
    "unique index of a case-blind collation": (
        "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'A'), (3, 'b');",
        "CREATE UNIQUE INDEX ON t (v COLLATE blind)", [(DUPLICATES, 2, 1)], True),
    "unique index of a case-blind column": (
        "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
        "CREATE TABLE t (id int PRIMARY KEY, v text COLLATE blind); INSERT INTO t VALUES (1, 'a'), (2, 'A'), (3, 'b');",
        "CREATE UNIQUE INDEX ON t (v)", [(DUPLICATES, 2, 1)], True),
    "unique index of a column of a case-blind collation, by bytes": (
        "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
        "CREATE TABLE t (id int PRIMARY KEY, v text COLLATE blind); INSERT INTO t VALUES (1, 'a'), (2, 'A'), (3, 'a');",
        'CREATE UNIQUE INDEX ON t (v COLLATE "C")', [(DUPLICATES, 2, 1)], True),
    "unique index of zeros": (
        "CREATE TABLE t (id int PRIMARY KEY, v float8); INSERT INTO t VALUES (1, 0), (2, '-0'), (3, 'NaN'), (4, 'NaN');",
        "CREATE UNIQUE INDEX ON t (v)", [(DUPLICATES, 4, 2)], True),
    "unique index of the parent alone": (
        "CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE t2 () INHERITS (t);"
        "INSERT INTO t VALUES (1, 1), (2, 1), (3, 2); INSERT INTO t2 VALUES (4, 2), (5, 1);",
        "CREATE UNIQUE INDEX ON t (v)", [(DUPLICATES, 2, 1)], True),
    "unique index of a partitioned table": (
        RANGES + "INSERT INTO p VALUES (1, 1), (2, 1);"
        "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200); INSERT INTO p VALUES (1, 100), (1, 100), (1, 101);",
        "CREATE UNIQUE INDEX ON p (id, k)", [(DUPLICATES, 4, 2)], True),
    "unique index of a materialized view": (
        USERS + "CREATE MATERIALIZED VIEW mv AS SELECT * FROM users;",
        "CREATE UNIQUE INDEX ON mv (email)", [(DUPLICATES, 45, 7)], False),
    "an expression that fails": (USERS, "CREATE UNIQUE INDEX ON users ((email::int))", [(CASTS, 45)], None),
    "an expression that fails, no unique index": (USERS, "CREATE INDEX ON users ((10 / (age - 3)))", [(CASTS, 1)], None),
    "primary key": (USERS + "ALTER TABLE users DROP CONSTRAINT users_pkey;",
                    "ALTER TABLE users ADD CONSTRAINT k PRIMARY KEY (email)",
                    [(DUPLICATES, 45, 7), (NULLS, 5)], True),
    "primary key over numbers": (
        "CREATE TABLE t (a int, b bigint); INSERT INTO t VALUES (1, 1), (1, NULL), (NULL, 3), (NULL, 3), (7, 3), (7, 3);",
        "ALTER TABLE t ADD PRIMARY KEY (a, b)", [(DUPLICATES, 2, 1), (NULLS, 2), (NULLS, 1)], True),
    "primary key using an index": (
        "CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (NULL, 'y'), (NULL, 'z'); CREATE UNIQUE INDEX i ON t (a);",
        "ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY USING INDEX i", [(NULLS, 2)], True),

    # --- NULLs
    "set not null": (USERS, "ALTER TABLE users ALTER COLUMN email SET NOT NULL", [(NULLS, 5)], True),
    "set not null, with a default": (
        "CREATE TABLE t (id int PRIMARY KEY, v text DEFAULT 'd'); INSERT INTO t VALUES (1, NULL), (2, 'x');",
        "ALTER TABLE t ALTER v SET NOT NULL", [(NULLS, 1)], True),
    "set not null, a row of NULLs is a value": (
        "CREATE TYPE pair AS (a int, b int); CREATE TABLE t (id int PRIMARY KEY, v pair);"
        "INSERT INTO t VALUES (1, ROW(NULL, NULL)), (2, NULL), (3, (1, 1));",
        "ALTER TABLE t ALTER v SET NOT NULL", [(NULLS, 1)], True),
    "set not null in two columns": (USERS + "UPDATE users SET age = NULL WHERE id < 4;",
                                    "ALTER TABLE users ALTER email SET NOT NULL, ALTER age SET NOT NULL",
                                    [(NULLS, 5), (NULLS, 3)], True),
    "set not null of a parent and its children": (
        "CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE t2 () INHERITS (t);"
        "INSERT INTO t VALUES (1, NULL), (2, 1); INSERT INTO t2 VALUES (4, NULL), (5, 1);",
        "ALTER TABLE t ALTER v SET NOT NULL", [(NULLS, 2)], True),
    "set not null of a unique column": (
        "CREATE TABLE t (id int PRIMARY KEY, v int UNIQUE); INSERT INTO t VALUES (1, NULL), (2, NULL), (3, 5);",
        "ALTER TABLE t ALTER v SET NOT NULL", [(NULLS, 2)], True),
    "set not null of a column inside of a unique expression": (
        USERS + "UPDATE users SET email = id || '@x' WHERE email IS NOT NULL; CREATE UNIQUE INDEX ON users (lower(email));",
        "ALTER TABLE users ALTER email SET NOT NULL", [(NULLS, 5)], True),
    "set not null and unique in one statement": (
        USERS, "ALTER TABLE users ADD UNIQUE (email), ALTER email SET NOT NULL", [(DUPLICATES, 45, 7), (NULLS, 5)], True),
    "primary key of texts and a number": (
        "CREATE TABLE t (a varchar(9), b smallint); INSERT INTO t VALUES ('x', 1), ('x', NULL), (NULL, 1), (NULL, 1), ('x', 1);",
        "ALTER TABLE t ADD PRIMARY KEY (a, b)", [(DUPLICATES, 2, 1), (NULLS, 2), (NULLS, 1)], True),

    # --- constraints that wait for the end of the transaction
    "unique index beside a deferred foreign key": (
        DEFERRED, "CREATE UNIQUE INDEX ON child (v)", [(DUPLICATES, 2, 1)], True),
    "set not null beside a deferred foreign key": (
        DEFERRED, "ALTER TABLE child ALTER n SET NOT NULL", [(NULLS, 2)], True),
    "check beside a deferred foreign key": (
        DEFERRED, "ALTER TABLE child ADD CHECK (v <> 'x')", [(CHECKS, 2)], True),
    "duplicates in front of a deferred foreign key": (
        DEFERRED + "DELETE FROM child WHERE id = 2;", "CREATE UNIQUE INDEX ON parent (v)", [(DUPLICATES, 2, 1)], True),
    "duplicates in front of a deferred foreign key, concurrently": (
        DEFERRED + "DELETE FROM child WHERE id = 2;", "CREATE UNIQUE INDEX CONCURRENTLY i ON parent (v)", [(DUPLICATES, 2, 1)], True),
    "check in front of a deferred foreign key": (
        DEFERRED + "DELETE FROM child WHERE id = 2;",
        "ALTER TABLE parent ADD CHECK (id <> 2)", [(CHECKS, 1)], True),
    "set not null of a deferred foreign key, with a default": (
        DEFERRED.replace("parent int", "parent int DEFAULT 3") + "UPDATE child SET parent = NULL WHERE id > 1;",
        "ALTER TABLE child ALTER parent SET NOT NULL", [(NULLS, 2)], True),
    "set not null of a deferred foreign key, without": (
        DEFERRED + "UPDATE child SET parent = NULL WHERE id > 1;",
        "ALTER TABLE child ALTER parent SET NOT NULL", [(NULLS, 2)], True),
    "duplicates that a deferred foreign key refers to": (
        DEFERRED, "CREATE UNIQUE INDEX ON parent (v)", [(DUPLICATES, 2, 1)], True),
    "duplicates that a deferred foreign key refers to, without NULL": (
        DEFERRED + "ALTER TABLE parent ALTER v SET NOT NULL;", "CREATE UNIQUE INDEX ON parent (v)", [(DUPLICATES, 2, 1)], True),
    "duplicate numbers that a deferred foreign key refers to": (
        DEFERRED + "ALTER TABLE parent ALTER v SET NOT NULL, ADD n int NOT NULL DEFAULT 0; UPDATE parent SET n = id WHERE id > 2;",
        "CREATE UNIQUE INDEX ON parent (n)", [(DUPLICATES, 2, 1)], False),
    "the parent of a deferred foreign key of a partition": (
        "CREATE TABLE p (id int PRIMARY KEY);  INSERT INTO p VALUES (1); CREATE TABLE c (k int, p int, v text) PARTITION BY LIST (k);"
        "CREATE TABLE c1 PARTITION OF c FOR VALUES IN (1); ALTER TABLE c1 ADD FOREIGN KEY (p) REFERENCES p DEFERRABLE INITIALLY DEFERRED;"
        "INSERT INTO c VALUES (1, 1, 'x'), (1, 1, 'x');",
        "ALTER TABLE c ADD UNIQUE (k, v)", [(DUPLICATES, 2, 1)], True),
    "rows deleted that others refer to, beside a deferred foreign key": (
        DEFERRED + "CREATE TABLE boss (id int PRIMARY KEY); INSERT INTO boss VALUES (1), (2);"
        "ALTER TABLE parent ADD boss int REFERENCES boss; UPDATE parent SET boss = id WHERE id < 3;",
        "DELETE FROM boss WHERE id = 2", [(ORPHANS, 1)], True),
    "rows that break a key beside a deferred foreign key": (
        DEFERRED, "UPDATE child SET id = 1 WHERE id = 2", [(DUPLICATES, 2, 1)], None),
    "a new column without a value": (USERS, "ALTER TABLE users ADD COLUMN c int NOT NULL", [(NULLS, 50)], None),
    "not null constraint": (USERS, "ALTER TABLE users ADD CONSTRAINT n NOT NULL email", [(NULLS, 5)], True, 18),
    "validate not null": (USERS + "ALTER TABLE users ADD CONSTRAINT n NOT NULL email NOT VALID;",
                          "ALTER TABLE users VALIDATE CONSTRAINT n", [(NULLS, 5)], True, 18),

    # --- checks
    "check": (USERS, "ALTER TABLE users ADD CONSTRAINT c CHECK (age > 0)", [(CHECKS, 5)], True),
    "check of several columns": (USERS, "ALTER TABLE users ADD CHECK (age > 0 OR id > 3)", [(CHECKS, 3)], True),
    "check, unknown passes": (USERS, "ALTER TABLE users ADD CHECK (email <> 'u1@x')", [(CHECKS, 7)], True),
    "check of the whole row": (USERS, "ALTER TABLE users ADD CHECK (users IS NOT NULL)", [(CHECKS, 5)], True),
    "check in front of NOT NULL": (
        USERS, "ALTER TABLE users ADD CHECK (age > 0), ALTER age SET NOT NULL", [(CHECKS, 5)], True),
    "check of a new column": (USERS, "ALTER TABLE users ADD COLUMN c int CHECK (c > 5) DEFAULT 3", [(CHECKS, 50)], None),
    "check validated": (USERS + "ALTER TABLE users ADD CONSTRAINT c CHECK (age > 0) NOT VALID;",
                        "ALTER TABLE users VALIDATE CONSTRAINT c", [(CHECKS, 5)], True),
    "check of children": (
        "CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE t2 () INHERITS (t);"
        "INSERT INTO t VALUES (1, 1); INSERT INTO t2 VALUES (4, -1);",
        "ALTER TABLE t ADD CHECK (v > 0)", [(CHECKS, 1)], True),
    "check of the parent alone": (
        "CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE t2 () INHERITS (t);"
        "INSERT INTO t VALUES (1, -1); INSERT INTO t2 VALUES (4, -1);",
        "ALTER TABLE t ADD CHECK (v > 0) NO INHERIT", [(CHECKS, 1)], True),

    # --- foreign keys
    "foreign key": (ORDERS, "ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES users",
                    [(ORPHANS, 10)], True),
    "foreign key of a column that has to be": (
        ORDERS, "ALTER TABLE orders ADD FOREIGN KEY (other) REFERENCES users (id) ON DELETE CASCADE DEFERRABLE",
        [(ORPHANS, 10)], True),
    "foreign key validated": (ORDERS + "ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES users NOT VALID;",
                              "ALTER TABLE orders VALIDATE CONSTRAINT f", [(ORPHANS, 10)], True),
    "foreign key to itself": (
        "CREATE TABLE t (id int PRIMARY KEY, boss int); INSERT INTO t VALUES (1, NULL), (2, 1), (3, 9);",
        "ALTER TABLE t ADD FOREIGN KEY (boss) REFERENCES t", [(ORPHANS, 1)], True),
    "foreign key of a pair": (PAIRS, "ALTER TABLE child ADD FOREIGN KEY (a, b) REFERENCES parent (a, b)", [(ORPHANS, 1)], True),
    "foreign key, match full": (PAIRS, "ALTER TABLE child ADD FOREIGN KEY (a, b) REFERENCES parent (a, b) MATCH FULL",
                                [(ORPHANS, 3)], True),
    "foreign key across types": (
        "CREATE TABLE a (id bigint PRIMARY KEY); INSERT INTO a VALUES (1);"
        "CREATE TABLE b (id int PRIMARY KEY, a int); INSERT INTO b VALUES (1, 1), (2, 2);",
        "ALTER TABLE b ADD FOREIGN KEY (a) REFERENCES a", [(ORPHANS, 1)], True),
    "foreign key across collations": (
        'CREATE TABLE a (id text COLLATE "C" PRIMARY KEY); INSERT INTO a VALUES (\'a\');'
        "CREATE TABLE b (id int PRIMARY KEY, a text COLLATE \"POSIX\"); INSERT INTO b VALUES (1, 'a'), (2, 'b');",
        "ALTER TABLE b ADD FOREIGN KEY (a) REFERENCES a", [(ORPHANS, 1)], True),
    "foreign key of a partitioned table": (
        RANGES + "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 15);",
        "ALTER TABLE p ADD FOREIGN KEY (id) REFERENCES a", [(ORPHANS, 5)], True),
    "foreign key to a partitioned table": (
        "CREATE TABLE a (id int PRIMARY KEY) PARTITION BY HASH (id); CREATE TABLE a1 PARTITION OF a FOR VALUES WITH (MODULUS 1, REMAINDER 0);"
        "INSERT INTO a VALUES (1); CREATE TABLE b (id int PRIMARY KEY, a int); INSERT INTO b VALUES (1, 1), (2, 2);",
        "ALTER TABLE b ADD FOREIGN KEY (a) REFERENCES a", [(ORPHANS, 1)], True),
    "foreign key, rows of the child table alone": (
        "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1); CREATE TABLE b (id int PRIMARY KEY, a int); CREATE TABLE b2 () INHERITS (b);"
        "INSERT INTO b VALUES (1, 2); INSERT INTO b2 VALUES (2, 3);",
        "ALTER TABLE b ADD FOREIGN KEY (a) REFERENCES a", [(ORPHANS, 1)], True),
    "foreign key of a new column": (USERS, "ALTER TABLE users ADD COLUMN c int DEFAULT 99 REFERENCES users", [(ORPHANS, 50)], None),
    "several clauses": (
        ORDERS + "UPDATE orders SET other = 1 WHERE id < 50;",
        "ALTER TABLE orders ADD CONSTRAINT u UNIQUE (other), ALTER user_id SET NOT NULL, ADD CHECK (user_id <> 45),"
        " ADD FOREIGN KEY (user_id) REFERENCES users",
        [(DUPLICATES, 5, 1), (NULLS, 1), (CHECKS, 1), (ORPHANS, 10)], True),

    "foreign key of a period": (
        PERIODS, "ALTER TABLE stay ADD CONSTRAINT f FOREIGN KEY (room, PERIOD during) REFERENCES room (id, PERIOD during)",
        [(ORPHANS, 4)], True, 18),
    "foreign key of a period validated": (
        PERIODS + "ALTER TABLE stay ADD CONSTRAINT f FOREIGN KEY (room, PERIOD during) "
        "REFERENCES room (id, PERIOD during) NOT VALID;", "ALTER TABLE stay VALIDATE CONSTRAINT f", [(ORPHANS, 4)], True, 18),

    # --- exclusion
    "exclusion": (
        "CREATE TABLE r (id int PRIMARY KEY, during int4range);"
        "INSERT INTO r VALUES (1, '[1,5)'), (2, '[3,8)'), (3, '[8,9)'), (4, NULL), (5, '[100,200)'), (6, '[7,8)');",
        "ALTER TABLE r ADD CONSTRAINT e EXCLUDE USING gist (during WITH &&) WHERE (id < 100)", [(EXCLUSION, 3)], True),
    "exclusion by equality": (
        "CREATE TABLE r (id int PRIMARY KEY, v int); INSERT INTO r VALUES (1, 1), (2, 1), (3, 2);",
        "ALTER TABLE r ADD EXCLUDE USING btree (v WITH =)", [(EXCLUSION, 2)], True),
    "primary key without overlaps": (
        "CREATE TABLE r (a int4range, during int4range NOT NULL); INSERT INTO r VALUES ('[1,2)', '[1,5)'), ('[1,2)', '[3,8)'), ('[2,3)', '[3,8)');",
        "ALTER TABLE r ADD PRIMARY KEY (a, during WITHOUT OVERLAPS)", [(EXCLUSION, 2)], True, 18),
    "unique key without overlaps": (
        "CREATE TABLE r (id int PRIMARY KEY, a int4range, during int4range);"
        "INSERT INTO r VALUES (1, '[1,2)', '[1,5)'), (2, '[1,2)', '[3,8)'), (3, '[2,3)', '[3,8)'), (4, NULL, '[1,9)'),"
        "(5, '[1,2)', NULL), (6, '[1,2)', '[6,7)'), (7, '[1,2)', 'empty'), (8, '[2,3)', '[8,9)');",
        "ALTER TABLE r ADD UNIQUE (a, during WITHOUT OVERLAPS)", [(EXCLUSION, 3), (CHECKS, 1)], True, 18),
    "empty range without overlaps": (
        "CREATE TABLE r (a int4range, during int4multirange); INSERT INTO r VALUES ('[1,2)', '{}'), ('[3,4)', '{[1,2)}');",
        "ALTER TABLE r ADD PRIMARY KEY (a, during WITHOUT OVERLAPS)", [(CHECKS, 1)], True, 18),

    # --- types
    "text to integer": (TEXTS, "ALTER TABLE t ALTER COLUMN v TYPE int USING v::int", [(CASTS, 2), (OUT_OF_RANGE, 1)], True),
    "text to integer in parentheses": (TEXTS, "ALTER TABLE t ALTER v TYPE integer USING (v::integer)", [(CASTS, 2), (OUT_OF_RANGE, 1)], True),
    "text to integer, qualified": (TEXTS, "ALTER TABLE t ALTER v TYPE int USING nullif(trim(t.v), '')::int", [(CASTS, 1), (OUT_OF_RANGE, 1)], True),
    "text to integer by two columns": (TEXTS, "ALTER TABLE t ALTER v TYPE int USING (v || w)::int", [(CASTS, 2), (OUT_OF_RANGE, 1)], True),
    "text to integer of a column that has to be": (
        "CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL); INSERT INTO t VALUES (1, 'x'), (2, '3');",
        "ALTER TABLE t ALTER v TYPE int USING v::int", [(CASTS, 1)], True),
    "text to bigint to smallint": (TEXTS, "ALTER TABLE t ALTER v TYPE smallint USING v::bigint", [(CASTS, 2), (OUT_OF_RANGE, 1)], True),
    "text to numeric": (TEXTS, "ALTER TABLE t ALTER v TYPE numeric(3, 1) USING v::numeric(3, 1)", [(CASTS, 2), (OUT_OF_RANGE, 1)], True),
    "text to boolean": (TEXTS, "ALTER TABLE t ALTER v TYPE boolean USING v::boolean", [(CASTS, 6)], True),
    "text to date": (
        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, '2024-02-29'), (2, '2023-02-29'), (3, 'soon'), (4, 'today');",
        "ALTER TABLE t ALTER v TYPE date USING v::date", [(CASTS, 2)], True),
    "text to uuid": (
        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'), (2, 'x'), (3, '{a0eebc999c0b4ef8bb6d6bb9bd380a11}');",
        "ALTER TABLE t ALTER v TYPE uuid USING v::uuid", [(CASTS, 1)], True),
    "text to jsonb": (TEXTS, "ALTER TABLE t ALTER v TYPE jsonb USING v::jsonb", [(CASTS, 2)], True),
    "text to an enum": (
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL);"
        "INSERT INTO t VALUES (1, 'sad'), (2, 'Sad'), (3, 'ok ');",
        "ALTER TABLE t ALTER v TYPE mood USING v::mood", [(CASTS, 2)], True),
    "an enum to another": (
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE mood2 AS ENUM ('ok', 'glad'); CREATE TABLE t (id int PRIMARY KEY, v mood);"
        "INSERT INTO t VALUES (1, 'sad'), (2, 'ok'), (3, NULL);",
        "ALTER TABLE t ALTER v TYPE mood2 USING v::text::mood2", [(CASTS, 1)], True),
    "a shorter text": (USERS, "ALTER TABLE users ALTER email TYPE varchar(3)", [(TOO_LONG, 45)], True),
    "a shorter text, blanks at the end": (
        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'abc  '), (2, 'abcd'), (3, 'äöü');",
        "ALTER TABLE t ALTER v TYPE varchar(3)", [(TOO_LONG, 1)], True),
    "a shorter padded text": (
        "CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL); INSERT INTO t VALUES (1, 'abc  '), (2, 'abcd');",
        "ALTER TABLE t ALTER v TYPE char(3)", [(TOO_LONG, 1)], True),
    "bigint to integer": (
        "CREATE TABLE t (id int PRIMARY KEY, v bigint); INSERT INTO t VALUES (1, 3000000000), (2, -3000000000), (3, 5), (4, NULL);",
        "ALTER TABLE t ALTER v TYPE int", [(OUT_OF_RANGE, 2)], True),
    "numeric to smallint": (
        "CREATE TABLE t (id int PRIMARY KEY, v numeric); INSERT INTO t VALUES (1, 32767.4), (2, 32767.5), (3, 'NaN');",
        "ALTER TABLE t ALTER v TYPE smallint", [(CASTS, 1), (OUT_OF_RANGE, 1)], True),
    "double to bigint": (
        "CREATE TABLE t (id int PRIMARY KEY, v float8); INSERT INTO t VALUES (1, 1e19), (2, 9223372036854775807), (3, 9e18);",
        "ALTER TABLE t ALTER v TYPE bigint", [(OUT_OF_RANGE, 2)], True),
    "a shorter numeric": (
        "CREATE TABLE t (id int PRIMARY KEY, v numeric NOT NULL); INSERT INTO t VALUES (1, 99.94), (2, 99.95), (3, 1000);",
        "ALTER TABLE t ALTER v TYPE numeric(3, 1)", [(OUT_OF_RANGE, 2)], True),
    "a division": (USERS, "ALTER TABLE users ALTER age TYPE int USING 100 / age", [(CASTS, 1)], True),
    "a domain": (
        USERS + "CREATE DOMAIN adult AS int CHECK (VALUE >= 18);", "ALTER TABLE users ALTER age TYPE adult", [(CHECKS, 22)], True),
    "a function that raises": (
        USERS + "CREATE FUNCTION f(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN IF $1 < 0 THEN RAISE 'no'; END IF; RETURN $1; END $$;",
        "ALTER TABLE users ALTER age TYPE int USING f(age)", [(CASTS, 4)], True),
    "a type, and not null of the result": (
        TEXTS + "UPDATE t SET v = '1' WHERE v ~ '[^0-9]' OR v = '' OR id = 6;",
        "ALTER TABLE t ALTER v TYPE int USING v::int, ALTER v SET NOT NULL", [(NULLS, 1)], None),
    "a generated column": (USERS, "ALTER TABLE users ADD COLUMN g int GENERATED ALWAYS AS (1 / (age - 3)) STORED", [(CASTS, 1)], None),

    "a check that fails": (USERS, "ALTER TABLE users ADD CHECK (10 / (age - 3) < 100)", [(CASTS, 1)], None),
    "a type that makes keys equal": (
        "CREATE TABLE t (id int PRIMARY KEY, v text UNIQUE); INSERT INTO t VALUES (1, '1'), (2, '01'), (3, '2');",
        "ALTER TABLE t ALTER v TYPE int USING v::int", [(DUPLICATES, 2, 1)], None),
    "a type that breaks a check": (
        "CREATE TABLE t (id int PRIMARY KEY, v numeric CONSTRAINT c CHECK (v > 0)); INSERT INTO t VALUES (1, 0.2), (2, 1);",
        "ALTER TABLE t ALTER v TYPE numeric(3, 0)", [(CHECKS, 1)], None),

    # --- domains
    "domain check": (
        "CREATE DOMAIN d AS text; CREATE TABLE a (id int PRIMARY KEY, v d, value d); CREATE TABLE b (id int PRIMARY KEY, v d NOT NULL);"
        "INSERT INTO a VALUES (1, 'x', 'y'), (2, 'y', 'x'), (3, NULL, NULL), (4, 'x', 'x'); INSERT INTO b VALUES (1, 'x');",
        "ALTER DOMAIN d ADD CONSTRAINT c CHECK (VALUE <> 'x')", [(CHECKS, 2), (CHECKS, 2), (CHECKS, 1)], True),
    "domain check validated": (
        "CREATE DOMAIN d AS text; CREATE TABLE a (id int PRIMARY KEY, v d); INSERT INTO a VALUES (1, 'x'), (2, 'y');"
        "ALTER DOMAIN d ADD CONSTRAINT c CHECK (VALUE <> 'x') NOT VALID;",
        "ALTER DOMAIN d VALIDATE CONSTRAINT c", [(CHECKS, 1)], True),
    "domain of a domain": (
        "CREATE DOMAIN d AS int; CREATE DOMAIN e AS d; CREATE TABLE a (id int PRIMARY KEY, v e); INSERT INTO a VALUES (1, 1), (2, -1);",
        "ALTER DOMAIN d ADD CHECK (VALUE > 0)", [(CHECKS, 1)], True),
    "domain not null": (
        "CREATE DOMAIN d AS text; CREATE TABLE a (id int PRIMARY KEY, v d); INSERT INTO a VALUES (1, 'x'), (2, NULL);",
        "ALTER DOMAIN d SET NOT NULL", [(NULLS, 1)], True),

    # --- partitions
    "partition attached": (RANGES, "ALTER TABLE p ATTACH PARTITION c FOR VALUES FROM (1) TO (10)", [(MISFITS, 2), (MISFITS, 9)], True),
    "partition of a list": (
        "CREATE TABLE p (id int PRIMARY KEY, k int) PARTITION BY LIST (id); CREATE TABLE c (id int PRIMARY KEY, k int); INSERT INTO c VALUES (1, 1), (2, 1), (3, 1);",
        "ALTER TABLE p ATTACH PARTITION c FOR VALUES IN (1, 3)", [(MISFITS, 1)], True),
    "partition by hash": (
        "CREATE TABLE p (id int) PARTITION BY HASH (id); CREATE TABLE c (id int); INSERT INTO c VALUES (1), (2), (3), (4), (5), (6), (7), (8);",
        "ALTER TABLE p ATTACH PARTITION c FOR VALUES WITH (MODULUS 2, REMAINDER 0)", "hash", True),
    "partition of a partition": (
        "CREATE TABLE p (id int, k int) PARTITION BY LIST (id); CREATE TABLE q PARTITION OF p FOR VALUES IN (1) PARTITION BY RANGE (k);"
        "CREATE TABLE c (id int, k int); INSERT INTO c VALUES (1, 1), (2, 1), (1, 100);",
        "ALTER TABLE q ATTACH PARTITION c FOR VALUES FROM (1) TO (10)", [(MISFITS, 2)], True),
    "default partition attached": (
        "CREATE TABLE p (id int) PARTITION BY LIST (id); CREATE TABLE q PARTITION OF p FOR VALUES IN (1, 2); CREATE TABLE c (id int); INSERT INTO c VALUES (1), (5);",
        "ALTER TABLE p ATTACH PARTITION c DEFAULT", [(MISFITS, 1)], True),
    "partition made": (RANGES, "CREATE TABLE IF NOT EXISTS n PARTITION OF p FOR VALUES FROM (1) TO (10)", [(MISFITS, 9)], True),
    "partition attached, its keys": (
        "CREATE TABLE p (id int, UNIQUE (id)) PARTITION BY LIST (id); CREATE TABLE c (id int); INSERT INTO c VALUES (1), (1), (NULL), (NULL);",
        "ALTER TABLE p ATTACH PARTITION c FOR VALUES IN (1, NULL)", [(DUPLICATES, 2, 1)], True),

    # --- inside of blocks and functions
    "unique key inside of a block": (
        USERS, "DO $$ BEGIN\n  ALTER TABLE users\n    ADD CONSTRAINT u UNIQUE (email);\nEND $$", [(DUPLICATES, 45, 7)], True),
    "text with quotes inside of a block": (
        USERS, "DO $$ BEGIN ALTER TABLE users ADD CONSTRAINT \"od\"\"d\" CHECK (email <> 'u1@x\"'\n AND age < 0); END $$",
        [(CHECKS, 46)], True),
    "a type that is put together": (
        TEXTS, "DO $$ BEGIN EXECUTE format('ALTER TABLE %I ALTER v TYPE int USING v::int', 't'); END $$",
        [(CASTS, 2), (OUT_OF_RANGE, 1)], True),
    "not null two functions deep": (
        USERS + "CREATE OR REPLACE FUNCTION inner_() RETURNS void LANGUAGE plpgsql AS $$ BEGIN ALTER TABLE users ALTER email SET NOT NULL; END $$;"
        "CREATE OR REPLACE FUNCTION outer_() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM inner_(); END $$;",
        "SELECT outer_()", [(NULLS, 5)], True),
    "update inside of a block": (USERS + "CREATE UNIQUE INDEX u ON users (age);",
                                 "DO $$ BEGIN UPDATE users SET age = 1 WHERE id < 4; END $$", [(DUPLICATES, 4, 1)], None),

    # --- rows that statements make
    "update that makes duplicates": (USERS + "CREATE UNIQUE INDEX ON users (age);", "UPDATE users SET age = age / 2 WHERE id > 10",
                                     [(DUPLICATES, 43, 20)], None),
    "update that makes NULLs": (USERS, "UPDATE users u SET name = email, age = 1 WHERE u.id < 21", [(NULLS, 2)], None),
    "update that breaks a check": (USERS + "ALTER TABLE users ADD CHECK (age > -9);", "UPDATE users SET age = age - 10", [(CHECKS, 6)], None),
    "update that makes orphans": (
        ORDERS + "UPDATE orders SET user_id = 1; ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users;",
        "UPDATE orders SET user_id = id WHERE user_id IS DISTINCT FROM 7", [(ORPHANS, 10)], None),
    "insert that makes duplicates": (USERS + "CREATE UNIQUE INDEX ON users (age);",
                                     "INSERT INTO users (id, age) SELECT id + 100, age FROM users WHERE id < 5 RETURNING users.id",
                                     [(DUPLICATES, 8, 4)], None),
    "insert beside an identity": (
        "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text NOT NULL UNIQUE, w text NOT NULL); INSERT INTO t (v, w) VALUES ('a', 'b');",
        "INSERT INTO t (v, w) VALUES ('a', 'x'), ('b', 'x'), ('b', 'x')", [(DUPLICATES, 4, 2)], None),
    "insert of NULLs": (USERS, "WITH s AS (SELECT * FROM users) INSERT INTO users (id, name) SELECT id + 100, email FROM s", [(NULLS, 5)], None),
    "insert that breaks a check": (USERS + "ALTER TABLE users ADD CHECK (age > -9);",
                                   "INSERT INTO users (id, age) VALUES (100, 1), (101, -20), (102, -30)", [(CHECKS, 2)], None),
    "insert of orphans": (
        USERS + "CREATE TABLE r (id serial PRIMARY KEY, u int REFERENCES users);", "INSERT INTO r (u) SELECT id + 10 FROM users", [(ORPHANS, 10)], None),
    "delete of what is referred to": (
        ORDERS + "DELETE FROM orders WHERE id > 50; ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users;",
        "DELETE FROM users WHERE age > 40 OR age IS NULL", [(ORPHANS, 4)], True),
    "delete of what must be referred to": (
        ORDERS + "DELETE FROM orders WHERE id > 50; ALTER TABLE orders ADD FOREIGN KEY (other) REFERENCES users;",
        "DELETE FROM users AS u WHERE u.id IN (SELECT id FROM users WHERE age > 40)", [(ORPHANS, 5)], True),
    "delete in a tree": (
        "CREATE TABLE t (id int PRIMARY KEY, boss int REFERENCES t); INSERT INTO t VALUES (1, NULL), (2, 1), (3, 1), (4, 3);",
        "DELETE FROM t WHERE id IN (1, 3)", [(ORPHANS, 2)], None),
    "update of a referenced key": (
        ORDERS + "DELETE FROM orders WHERE id > 50; ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users;",
        "UPDATE users SET id = id + 1000 WHERE id > 46", [(ORPHANS, 3)], True),

    "refresh": (USERS + "CREATE MATERIALIZED VIEW mv AS SELECT age FROM users; CREATE UNIQUE INDEX ON mv (age); UPDATE users SET age = 1 WHERE id IN (3, 4);",
                "REFRESH MATERIALIZED VIEW mv", [(DUPLICATES, 3, 1)], None),
}

# Statements that fail, and nothing may be said of their rows: no inquiry, or one that says why not.
SILENT = {
    "no such column": (USERS, "ALTER TABLE users ADD CHECK (nosuch > 0)"),
    "no such table": (USERS, "CREATE UNIQUE INDEX ON nosuch (a)"),
    "no such constraint": (USERS, "ALTER TABLE users VALIDATE CONSTRAINT nosuch"),
    "a second primary key": (USERS, "ALTER TABLE users ADD PRIMARY KEY (email)"),
    "no automatic cast": (USERS, "ALTER TABLE users ALTER email TYPE int"),
    "no unique key to refer to": (ORDERS, "ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users (age)"),
    "syntax": (USERS, "ALTER TABLE users ADD CONSTRAINT UNIQUE CHECK"),
    "a block that raises": (USERS, "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '23505'; END $$"),
    "a block whose rows come from its variables": (
        USERS + "CREATE UNIQUE INDEX u ON users (age);",
        "DO $$ DECLARE other int := 1; BEGIN UPDATE users SET age = other WHERE users.id < 4; END $$"),
    "a block that made what is wrong": (
        USERS, "DO $$ BEGIN UPDATE users SET name = 'same'; ALTER TABLE users ADD CONSTRAINT c CHECK (name <> 'same'); END $$"),
    "a block that made the column": (
        USERS, "DO $$ BEGIN ALTER TABLE users ADD COLUMN made int; ALTER TABLE users ALTER made SET NOT NULL; END $$"),
    "a default that fails": (USERS, "ALTER TABLE users ADD COLUMN c int DEFAULT 'x'::int"),
    "update behind a trigger": (
        USERS + "CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.age := 1; RETURN NEW; END $$;"
        "CREATE UNIQUE INDEX ON users (age); CREATE TRIGGER t BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION g();",
        "UPDATE users SET age = id"),
    "delete that cascades to what is referred to": (
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a ON DELETE CASCADE);"
        "CREATE TABLE c (id int PRIMARY KEY, b int REFERENCES b);"
        "INSERT INTO a VALUES (1); INSERT INTO b VALUES (1, 1); INSERT INTO c VALUES (1, 1);", "DELETE FROM a"),
    "delete behind a trigger": (
        ORDERS + "DELETE FROM orders WHERE id > 50; ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users;"
        "CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN OLD.id > 48 THEN OLD END; END $$;"
        "CREATE TRIGGER t BEFORE DELETE ON users FOR EACH ROW EXECUTE FUNCTION g();", "DELETE FROM users"),
    "a domain in an array": (
        "CREATE DOMAIN d AS int; CREATE TABLE t (v d[]); INSERT INTO t VALUES ('{1}');", "ALTER DOMAIN d ADD CHECK (VALUE > 3)"),
}

# --- values of their own, for NULLs where the column is to be unique: (definitions beside "id int PRIMARY KEY, v", rows
# beside NULLs, words of the repair; None: there is none but to delete)
INTEGERS = "(SELECT greatest(max(v), 0) FROM public.t) AS last"
OWN_VALUES = {
    "text": ("text", "'a'", "SET v = 'unknown-' || id WHERE v IS NULL"),
    "text, begun like ours": ("text", "'Unknown-7'", "SET v = 'placeholder-' || id WHERE v IS NULL"),
    "text of a case-blind collation": ("text COLLATE blind", "'UNKNOWN-1'", "'placeholder-' || id"),
    "text, both taken": ("text", "'unknown-1'), (50, 'placeholder-1'", "SET v = 'x' || v.n"),
    "text, by a check an address": ("text CHECK (v LIKE '%@%')", "'a@x'", "'unknown-' || id || '@example.invalid'"),
    "text, by a check nothing of ours": ("text CHECK (v IN ('a', 'b'))", "'a'", None),
    "text, long enough": ("varchar(9)", "'a'", "SET v = 'unknown-' || id"),
    "text, too short": ("varchar(8)", "'a'", "SET v = 'x' || v.n"),
    "text, one letter": ("varchar(1)", "'a'", None),
    "padded text": ("char(10)", "'a'", "SET v = 'unknown-' || id"),
    "a byte": ('"char"', "'a'", None),
    "a domain of text": ("label", "'a-1'", "SET v = 'unknown-' || id"),
    "integer": ("int", "7", INTEGERS),
    "integer, negative": ("int", "-7", INTEGERS),
    "integer, at its end": ("int", "2147483647", "SET v = v.last - v.n"),
    "integer, from end to end": ("smallint", "32767), (50, -32768", None),
    "bigint": ("bigint", "9223372036854775807", "SET v = v.last - v.n"),
    "a domain of integers": ("positive", "7", INTEGERS),
    "a domain with a default": ("positive DEFAULT 5", "7", INTEGERS),
    "a number with digits": ("numeric(5, 2)", "3.5", INTEGERS),
    "a number, full": ("numeric(2, 0)", "98", None),
    "a number, not one": ("numeric", "'NaN'", None),
    "a float": ("real", "1.5", INTEGERS),
    "a float, too large to tell": ("real", "1e20", None),
    "a double": ("float8", "-1e300", INTEGERS),
    "uuid": ("uuid", "'00000000-0000-0000-0000-000000000000'", "SET v = gen_random_uuid()"),
    "a domain of uuids": ("token", "'00000000-0000-0000-0000-000000000000'", "SET v = gen_random_uuid()"),
    "date": ("date", "'2024-02-28'", "CURRENT_DATE"),
    "date, without end": ("date", "'infinity'", "isfinite"),
    "timestamp": ("timestamp", "'2024-02-28'", "LOCALTIMESTAMP"),
    "timestamp of seconds": ("timestamptz(0)", "'2024-03-31 00:59:58 Europe/Berlin'", "interval '1 second'"),
    "boolean": ("boolean", "true", None),
    "enum": ("mood", "'sad'", None),
    "json": ("jsonb", "'[]'", None),
    "money": ("money", "1", None),
}
OWN_TYPES = """
CREATE DOMAIN label AS text CHECK (VALUE ~ '-'); CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN plain AS uuid; CREATE DOMAIN token AS plain; CREATE TYPE mood AS ENUM ('sad', 'ok');
"""
BLIND = "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
