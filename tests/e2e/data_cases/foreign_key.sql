--- case orphans
--- expect orphan-rows rows=2
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY, p_id int);
INSERT INTO p VALUES (1), (2);
INSERT INTO c VALUES (1, 1), (2, 9), (3, 9), (4, NULL);
--- migration
ALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES p;

--- case validate
--- expect orphan-rows rows=1
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY, p_id int);
INSERT INTO p VALUES (1);
INSERT INTO c VALUES (1, 1), (2, 2);
ALTER TABLE c ADD CONSTRAINT c_p FOREIGN KEY (p_id) REFERENCES p NOT VALID;
--- migration
ALTER TABLE c VALIDATE CONSTRAINT c_p;

--- case two_steps
--- expect orphan-rows rows=1
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY, p_id int);
INSERT INTO p VALUES (1);
INSERT INTO c VALUES (1, 1), (2, 2);
--- migration
ALTER TABLE c ADD CONSTRAINT c_p FOREIGN KEY (p_id) REFERENCES p NOT VALID;
ALTER TABLE c VALIDATE CONSTRAINT c_p;

--- case composite
--- expect orphan-rows rows=1
CREATE TABLE p (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE c (id int PRIMARY KEY, a int, b int);
INSERT INTO p VALUES (1, 1);
INSERT INTO c VALUES (1, 1, 1), (2, 1, 2), (3, 7, NULL), (4, NULL, NULL);
--- migration
ALTER TABLE c ADD FOREIGN KEY (a, b) REFERENCES p (a, b);

--- case match_full
--- expect orphan-rows rows=2
CREATE TABLE p (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE c (id int PRIMARY KEY, a int, b int);
INSERT INTO p VALUES (1, 1);
INSERT INTO c VALUES (1, 1, 1), (2, 1, NULL), (3, 5, 5), (4, NULL, NULL);
--- migration
ALTER TABLE c ADD FOREIGN KEY (a, b) REFERENCES p (a, b) MATCH FULL;

--- case itself
--- expect orphan-rows rows=1
CREATE TABLE t (id int PRIMARY KEY, parent int);
INSERT INTO t VALUES (1, NULL), (2, 1), (3, 99);
--- migration
ALTER TABLE t ADD CONSTRAINT t_parent FOREIGN KEY (parent) REFERENCES t (id);

--- case unique_target
--- expect orphan-rows rows=1
CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE);
CREATE TABLE c (id int PRIMARY KEY, code text);
INSERT INTO p VALUES (1, 'a');
INSERT INTO c VALUES (1, 'a'), (2, 'A');
--- migration
ALTER TABLE c ADD FOREIGN KEY (code) REFERENCES p (code);

--- case deferred
--- expect orphan-rows rows=1
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY, p_id bigint);
INSERT INTO p VALUES (1);
INSERT INTO c VALUES (1, 1), (2, 2);
--- migration
ALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES p DEFERRABLE INITIALLY DEFERRED;

--- case two
--- expect orphan-rows rows=1
--- expect orphan-rows rows=2
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY, a int, b int);
INSERT INTO p VALUES (1);
INSERT INTO c VALUES (1, 1, 8), (2, 9, 9);
--- migration
ALTER TABLE c ADD FOREIGN KEY (a) REFERENCES p, ADD FOREIGN KEY (b) REFERENCES p;

--- case made_by_the_migration
--- expect orphan-rows rows=2
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY, p_id int);
INSERT INTO p VALUES (1), (2);
INSERT INTO c VALUES (1, 1), (2, 2), (3, 2);
--- migration
BEGIN;
DELETE FROM p WHERE id = 2;
ALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES p;
COMMIT;

--- case partitioned
--- expect orphan-rows rows=1
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (k int, p_id int) PARTITION BY LIST (k);
CREATE TABLE c1 PARTITION OF c FOR VALUES IN (1);
CREATE TABLE c2 PARTITION OF c FOR VALUES IN (2);
INSERT INTO p VALUES (1);
INSERT INTO c VALUES (1, 1), (2, 5);
--- migration
ALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES p;

--- case new_column_default
--- expect failure
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY);
INSERT INTO p VALUES (1);
INSERT INTO c VALUES (1);
--- migration
ALTER TABLE c ADD COLUMN p_id int DEFAULT 2 REFERENCES p;

--- case delete_parent
--- expect failure
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p);
INSERT INTO p VALUES (1), (2);
INSERT INTO c VALUES (1, 2);
--- migration
DELETE FROM p WHERE id = 2;

--- case fine_all_there
--- expect nothing
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY, p_id int);
INSERT INTO p VALUES (1), (2);
INSERT INTO c VALUES (1, 1), (2, 2), (3, NULL);
--- migration
ALTER TABLE c ADD CONSTRAINT c_p FOREIGN KEY (p_id) REFERENCES p NOT VALID;
ALTER TABLE c VALIDATE CONSTRAINT c_p;

--- case fine_simple_nulls
--- expect nothing
CREATE TABLE p (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE c (id int PRIMARY KEY, a int, b int);
INSERT INTO p VALUES (1, 1);
INSERT INTO c VALUES (1, 1, 1), (2, 7, NULL);
--- migration
ALTER TABLE c ADD FOREIGN KEY (a, b) REFERENCES p (a, b);

--- case fine_full_nulls
--- expect nothing
CREATE TABLE p (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE c (id int PRIMARY KEY, a int, b int);
INSERT INTO p VALUES (1, 1);
INSERT INTO c VALUES (1, 1, 1), (2, NULL, NULL);
--- migration
ALTER TABLE c ADD FOREIGN KEY (a, b) REFERENCES p (a, b) MATCH FULL;

--- case fine_new_column
--- expect nothing
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY);
INSERT INTO c VALUES (1), (2);
--- migration
ALTER TABLE c ADD COLUMN p_id int REFERENCES p;

--- case fine_itself
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, parent int);
INSERT INTO t VALUES (1, NULL), (2, 1), (3, 3);
--- migration
ALTER TABLE t ADD FOREIGN KEY (parent) REFERENCES t;

--- case fine_wider
--- expect nothing
CREATE TABLE p (id bigint PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY, p_id int);
INSERT INTO p VALUES (1);
INSERT INTO c VALUES (1, 1);
--- migration
ALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES p;

--- case fine_after_repair
--- expect nothing
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY, p_id int);
INSERT INTO p VALUES (1);
INSERT INTO c VALUES (1, 1), (2, 2);
--- migration
BEGIN;
INSERT INTO p SELECT DISTINCT p_id FROM c WHERE p_id NOT IN (SELECT id FROM p);
ALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES p;
COMMIT;

--- case fine_cascade
--- expect nothing
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY, p_id int);
INSERT INTO p VALUES (1);
INSERT INTO c VALUES (1, 1), (2, NULL);
--- migration
ALTER TABLE c ADD CONSTRAINT c_p FOREIGN KEY (p_id) REFERENCES p ON DELETE CASCADE NOT VALID;
ALTER TABLE c VALIDATE CONSTRAINT c_p;

--- case fine_partitioned
--- expect nothing
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (k int, p_id int) PARTITION BY LIST (k);
CREATE TABLE c1 PARTITION OF c FOR VALUES IN (1);
INSERT INTO p VALUES (1);
INSERT INTO c VALUES (1, 1), (1, NULL);
--- migration
ALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES p;

--- case fine_deferred
--- expect nothing
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY, p_id int);
INSERT INTO p VALUES (1);
INSERT INTO c VALUES (1, 1);
--- migration
ALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES p DEFERRABLE INITIALLY DEFERRED;

--- case fine_unique_target
--- expect nothing
CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE);
CREATE TABLE c (id int PRIMARY KEY, code text);
INSERT INTO p VALUES (1, 'a'), (2, 'A');
INSERT INTO c VALUES (1, 'a'), (2, 'A');
--- migration
ALTER TABLE c ADD FOREIGN KEY (code) REFERENCES p (code);
