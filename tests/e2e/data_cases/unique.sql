--- case index_plain
--- expect duplicate-keys groups=2 rows=5
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1), (2, 1), (3, 2), (4, 3), (5, 3), (6, 3), (7, NULL), (8, NULL);
--- migration
CREATE UNIQUE INDEX t_a ON t (a);

--- case constraint
--- expect duplicate-keys groups=1 rows=2
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, 'x'), (2, 'x'), (3, 'y');
--- migration
ALTER TABLE t ADD CONSTRAINT t_a_unique UNIQUE (a);

--- case concurrently
--- expect duplicate-keys groups=1 rows=3
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, 'x'), (2, 'x'), (3, 'x'), (4, 'y');
--- migration
CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a);

--- case primary_key
--- expect duplicate-keys groups=1 rows=2
CREATE TABLE t (id int, a text);
INSERT INTO t VALUES (1, 'x'), (1, 'y'), (2, 'z');
--- migration
ALTER TABLE t ADD PRIMARY KEY (id);

--- case primary_key_null
--- expect null-values rows=1
CREATE TABLE t (id int, a text);
INSERT INTO t VALUES (1, 'x'), (NULL, 'y');
--- migration
ALTER TABLE t ADD PRIMARY KEY (id);

--- case primary_key_null_and_double
--- expect null-values rows=2
--- expect duplicate-keys groups=1 rows=2
CREATE TABLE t (id int, a text);
INSERT INTO t VALUES (1, 'x'), (1, 'y'), (NULL, 'z'), (NULL, 'z');
--- migration
ALTER TABLE t ADD PRIMARY KEY (id);

--- case expression
--- expect duplicate-keys groups=1 rows=2
CREATE TABLE t (id int PRIMARY KEY, email text);
INSERT INTO t VALUES (1, 'A@x'), (2, 'a@x'), (3, 'b@x');
--- migration
CREATE UNIQUE INDEX t_email ON t (lower(email));

--- case partial
--- expect duplicate-keys groups=1 rows=2
CREATE TABLE t (id int PRIMARY KEY, email text, deleted bool NOT NULL);
INSERT INTO t VALUES (1, 'a', false), (2, 'a', false), (3, 'a', true), (4, 'b', true), (5, 'b', true);
--- migration
CREATE UNIQUE INDEX t_email ON t (email) WHERE NOT deleted;

--- case columns
--- expect duplicate-keys groups=1 rows=2
CREATE TABLE t (id int PRIMARY KEY, a int, b int);
INSERT INTO t VALUES (1, 1, 1), (2, 1, 2), (3, 1, 2), (4, NULL, 2), (5, NULL, 2);
--- migration
ALTER TABLE t ADD UNIQUE (a, b);

--- case nulls_not_distinct
--- since 15
--- expect duplicate-keys groups=1 rows=3
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, NULL), (2, NULL), (3, NULL), (4, 1);
--- migration
CREATE UNIQUE INDEX t_a ON t (a) NULLS NOT DISTINCT;

--- case deferrable
--- expect duplicate-keys groups=1 rows=2
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1), (2, 1);
--- migration
ALTER TABLE t ADD UNIQUE (a) DEFERRABLE INITIALLY DEFERRED;

--- case collation
--- needs icu
--- expect duplicate-keys groups=1 rows=2
CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE t (id int PRIMARY KEY, a text COLLATE ci);
INSERT INTO t VALUES (1, 'Ann'), (2, 'ann'), (3, 'Bob');
--- migration
CREATE UNIQUE INDEX t_a ON t (a);

--- case numeric_scale
--- expect duplicate-keys groups=1 rows=2
CREATE TABLE t (id int PRIMARY KEY, a numeric);
INSERT INTO t VALUES (1, 1.0), (2, 1.00), (3, 1.01);
--- migration
CREATE UNIQUE INDEX t_a ON t (a);

--- case padded
--- expect duplicate-keys groups=1 rows=2
CREATE TABLE t (id int PRIMARY KEY, a char(4));
INSERT INTO t VALUES (1, 'a'), (2, 'a  '), (3, 'b');
--- migration
CREATE UNIQUE INDEX t_a ON t (a);

--- case instant
--- expect duplicate-keys groups=1 rows=2
CREATE TABLE t (id int PRIMARY KEY, a timestamptz);
INSERT INTO t VALUES (1, '2026-01-01 12:00+00'), (2, '2026-01-01 13:00+01'), (3, '2026-01-01 14:00+01');
--- migration
CREATE UNIQUE INDEX t_a ON t (a);

--- case arrays
--- expect duplicate-keys groups=1 rows=2
CREATE TABLE t (id int PRIMARY KEY, a int[]);
INSERT INTO t VALUES (1, '{1,2}'), (2, '{1,2}'), (3, '{2,1}');
--- migration
CREATE UNIQUE INDEX t_a ON t (a);

--- case partitioned
--- expect duplicate-keys groups=1 rows=2
CREATE TABLE t (k int, a int) PARTITION BY RANGE (k);
CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10);
CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20);
INSERT INTO t VALUES (1, 1), (1, 2), (11, 1), (11, 1), (12, 1);
--- migration
CREATE UNIQUE INDEX t_k_a ON t (k, a);

--- case odd_names
--- expect duplicate-keys groups=1 rows=2
CREATE TABLE "we""ird t" ("i d" int PRIMARY KEY, "A'b" text);
INSERT INTO "we""ird t" VALUES (1, 'x'), (2, 'x');
--- migration
CREATE UNIQUE INDEX "the index" ON "we""ird t" ("A'b");

--- case no_key
--- expect duplicate-keys groups=2 rows=4
CREATE TABLE t (a int);
INSERT INTO t VALUES (1), (1), (2), (2), (3);
--- migration
CREATE UNIQUE INDEX t_a ON t (a);

--- case two_in_one
--- expect duplicate-keys groups=1 rows=2
--- expect duplicate-keys groups=2 rows=4
CREATE TABLE t (id int PRIMARY KEY, a int, b int);
INSERT INTO t VALUES (1, 1, 1), (2, 1, 1), (3, 2, 2), (4, 3, 2);
--- migration
ALTER TABLE t ADD UNIQUE (a), ADD UNIQUE (b);

--- case made_by_the_migration
--- expect duplicate-keys groups=1 rows=3
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, ' x'), (2, 'x'), (3, 'x ');
--- migration
BEGIN;
UPDATE t SET a = trim(a);
CREATE UNIQUE INDEX t_a ON t (a);
COMMIT;

--- case fine_distinct
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1), (2, 2), (3, NULL), (4, NULL);
--- migration
CREATE UNIQUE INDEX t_a ON t (a);

--- case fine_case
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, 'a'), (2, 'A'), (3, 'a '), (4, '');
--- migration
ALTER TABLE t ADD UNIQUE (a);

--- case fine_partial
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a text, deleted bool NOT NULL);
INSERT INTO t VALUES (1, 'a', false), (2, 'a', true), (3, 'a', true);
--- migration
CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a) WHERE NOT deleted;

--- case fine_columns_with_null
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int, b int);
INSERT INTO t VALUES (1, 1, NULL), (2, 1, NULL), (3, 1, 1);
--- migration
ALTER TABLE t ADD UNIQUE (a, b);

--- case fine_using_index
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL);
INSERT INTO t SELECT i, i FROM generate_series(1, 20) i;
--- migration
CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a);
ALTER TABLE t ADD CONSTRAINT t_a_unique UNIQUE USING INDEX t_a;

--- case fine_after_repair
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1), (2, 1), (3, 2);
--- migration
BEGIN;
UPDATE t SET a = 10 + id WHERE id IN (SELECT max(id) FROM t GROUP BY a HAVING count(*) > 1);
CREATE UNIQUE INDEX t_a ON t (a);
COMMIT;

--- case fine_plain_index
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1), (2, 1);
--- migration
CREATE INDEX CONCURRENTLY t_a ON t (a);

--- case fine_include
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int, b int);
INSERT INTO t VALUES (1, 1, 1), (2, 2, 1);
--- migration
CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a) INCLUDE (b);

--- case fine_desc
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, NULL);
--- migration
CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a text_pattern_ops DESC NULLS LAST);

--- case fine_primary_key
--- expect nothing
CREATE TABLE t (id int NOT NULL, a text);
INSERT INTO t VALUES (1, 'x'), (2, 'x');
--- migration
ALTER TABLE t ADD PRIMARY KEY (id);

--- case fine_deferrable
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1), (2, 2);
--- migration
ALTER TABLE t ADD UNIQUE (a) DEFERRABLE INITIALLY DEFERRED;

--- case fine_partitioned
--- expect nothing
CREATE TABLE t (k int, a int) PARTITION BY RANGE (k);
CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10);
CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20);
INSERT INTO t VALUES (1, 1), (11, 1);
--- migration
CREATE UNIQUE INDEX t_k_a ON t (k, a);

--- case fine_expression
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, email text);
INSERT INTO t VALUES (1, 'A@x'), (2, 'b@x'), (3, NULL), (4, NULL);
--- migration
CREATE UNIQUE INDEX CONCURRENTLY t_email ON t (lower(email));
