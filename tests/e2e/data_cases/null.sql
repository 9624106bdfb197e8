--- case set_not_null
--- expect null-values rows=2
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1), (2, NULL), (3, NULL);
--- migration
ALTER TABLE t ALTER a SET NOT NULL;

--- case two_columns
--- expect null-values rows=1
--- expect null-values rows=2
CREATE TABLE t (id int PRIMARY KEY, a int, b text);
INSERT INTO t VALUES (1, NULL, 'x'), (2, 1, NULL), (3, 1, NULL);
--- migration
ALTER TABLE t ALTER a SET NOT NULL, ALTER b SET NOT NULL;

--- case new_column
--- expect null-values rows=3
CREATE TABLE t (id int PRIMARY KEY);
INSERT INTO t VALUES (1), (2), (3);
--- migration
ALTER TABLE t ADD COLUMN a text NOT NULL;

--- case partition
--- expect null-values rows=1
CREATE TABLE t (k int NOT NULL, a int) PARTITION BY RANGE (k);
CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10);
CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20);
INSERT INTO t VALUES (1, 1), (11, NULL);
--- migration
ALTER TABLE t ALTER a SET NOT NULL;

--- case child
--- expect null-values rows=2
CREATE TABLE t (id int, a int);
CREATE TABLE child () INHERITS (t);
INSERT INTO t VALUES (1, 1);
INSERT INTO child VALUES (2, NULL), (3, NULL);
--- migration
ALTER TABLE t ALTER a SET NOT NULL;

--- case backfill_not_whole
--- expect null-values rows=1
CREATE TABLE t (id int PRIMARY KEY, first text, last text);
INSERT INTO t VALUES (1, 'Ann', 'Lee'), (2, 'Cher', NULL);
--- migration
BEGIN;
ALTER TABLE t ADD COLUMN name text;
UPDATE t SET name = first || ' ' || last;
ALTER TABLE t ALTER name SET NOT NULL;
COMMIT;

--- case in_block
--- expect null-values rows=1
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, NULL);
--- migration
BEGIN;
SET LOCAL lock_timeout = '2s';
ALTER TABLE t ALTER COLUMN a SET NOT NULL;
COMMIT;

--- case fine_none
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1), (2, 2);
--- migration
ALTER TABLE t ALTER a SET NOT NULL;

--- case fine_default
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY);
INSERT INTO t VALUES (1), (2);
--- migration
ALTER TABLE t ADD COLUMN a int NOT NULL DEFAULT 0;

--- case fine_after_backfill
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1), (2, NULL);
--- migration
UPDATE t SET a = 0 WHERE a IS NULL;
ALTER TABLE t ALTER a SET NOT NULL;

--- case fine_drop
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL);
INSERT INTO t VALUES (1, 1);
--- migration
ALTER TABLE t ALTER a DROP NOT NULL;

--- case fine_three_steps
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t SELECT i, i FROM generate_series(1, 50) i;
--- migration
ALTER TABLE t ADD CONSTRAINT a_not_null CHECK (a IS NOT NULL) NOT VALID;
ALTER TABLE t VALIDATE CONSTRAINT a_not_null;
ALTER TABLE t ALTER a SET NOT NULL;
ALTER TABLE t DROP CONSTRAINT a_not_null;

--- case fine_identity
--- expect nothing
CREATE TABLE t (a int);
INSERT INTO t VALUES (1), (1);
--- migration
ALTER TABLE t ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY;

--- case fine_empty
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY);
--- migration
ALTER TABLE t ADD COLUMN a text NOT NULL;
