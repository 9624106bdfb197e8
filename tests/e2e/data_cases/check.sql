--- case add
--- expect check-violations rows=2
CREATE TABLE t (id int PRIMARY KEY, price numeric);
INSERT INTO t VALUES (1, 1), (2, -1), (3, -2), (4, NULL);
--- migration
ALTER TABLE t ADD CONSTRAINT price_positive CHECK (price > 0);

--- case validate
--- expect check-violations rows=1
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1), (2, 0);
ALTER TABLE t ADD CONSTRAINT a_positive CHECK (a > 0) NOT VALID;
--- migration
ALTER TABLE t VALIDATE CONSTRAINT a_positive;

--- case columns
--- expect check-violations rows=1
CREATE TABLE t (id int PRIMARY KEY, starts date, ends date);
INSERT INTO t VALUES (1, '2026-01-01', '2026-01-02'), (2, '2026-01-02', '2026-01-01'), (3, '2026-01-01', NULL);
--- migration
ALTER TABLE t ADD CHECK (starts < ends);

--- case not_null_check
--- expect check-violations rows=1
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, NULL), (2, 1);
--- migration
ALTER TABLE t ADD CONSTRAINT a_not_null CHECK (a IS NOT NULL) NOT VALID;
ALTER TABLE t VALIDATE CONSTRAINT a_not_null;

--- case two
--- expect check-violations rows=1
--- expect check-violations rows=2
CREATE TABLE t (id int PRIMARY KEY, a int, b int);
INSERT INTO t VALUES (1, -1, -1), (2, 1, -1), (3, 1, 1);
--- migration
ALTER TABLE t ADD CHECK (a > 0), ADD CHECK (b > 0);

--- case child
--- expect check-violations rows=1
CREATE TABLE t (id int, a int);
CREATE TABLE child () INHERITS (t);
INSERT INTO t VALUES (1, 1);
INSERT INTO child VALUES (2, -1);
--- migration
ALTER TABLE t ADD CONSTRAINT a_positive CHECK (a > 0);

--- case text_pattern
--- expect check-violations rows=2
CREATE TABLE t (id int PRIMARY KEY, email text);
INSERT INTO t VALUES (1, 'a@x'), (2, 'nobody'), (3, ''), (4, NULL);
--- migration
ALTER TABLE t ADD CHECK (email ~ '@');

--- case domain
--- expect check-violations rows=2
CREATE DOMAIN amount AS int;
CREATE TABLE t (id int PRIMARY KEY, a amount);
CREATE TABLE u (id int PRIMARY KEY, b amount);
INSERT INTO t VALUES (1, 1), (2, -1), (3, -2);
INSERT INTO u VALUES (1, 1);
--- migration
ALTER DOMAIN amount ADD CHECK (VALUE > 0);

--- case domain_not_null
--- expect null-values rows=1
CREATE DOMAIN amount AS int;
CREATE TABLE t (id int PRIMARY KEY, a amount);
INSERT INTO t VALUES (1, 1), (2, NULL);
--- migration
ALTER DOMAIN amount SET NOT NULL;

--- case new_column_default
--- expect failure
CREATE TABLE t (id int PRIMARY KEY);
INSERT INTO t VALUES (1), (2);
--- migration
ALTER TABLE t ADD COLUMN a int DEFAULT 0 CHECK (a > 0);

--- case fine_null_passes
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, NULL), (2, 1);
--- migration
ALTER TABLE t ADD CHECK (a > 0);

--- case fine_two_steps
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1), (2, 5);
--- migration
ALTER TABLE t ADD CONSTRAINT small CHECK (a < 10) NOT VALID;
ALTER TABLE t VALIDATE CONSTRAINT small;

--- case fine_new_column
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY);
INSERT INTO t VALUES (1), (2);
--- migration
ALTER TABLE t ADD COLUMN a int CHECK (a > 0);

--- case fine_domain
--- expect nothing
CREATE DOMAIN amount AS int;
CREATE TABLE t (id int PRIMARY KEY, a amount);
INSERT INTO t VALUES (1, 1), (2, NULL);
--- migration
ALTER DOMAIN amount ADD CHECK (VALUE > 0);

--- case fine_drop
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int CONSTRAINT a_positive CHECK (a > 0));
INSERT INTO t VALUES (1, 1);
--- migration
ALTER TABLE t DROP CONSTRAINT a_positive;

--- case fine_after_update
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, -1), (2, 1);
--- migration
UPDATE t SET a = 0 - a WHERE a < 0;
ALTER TABLE t ADD CHECK (a > 0);

--- case fine_several
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int, b int);
INSERT INTO t VALUES (1, 1, 2), (2, 2, 3);
--- migration
ALTER TABLE t ADD CHECK (a > 0), ADD CHECK (b > a);

--- case fine_no_inherit
--- expect nothing
CREATE TABLE t (id int, a int);
CREATE TABLE child () INHERITS (t);
INSERT INTO t VALUES (1, 1);
INSERT INTO child VALUES (2, -1);
--- migration
ALTER TABLE t ADD CONSTRAINT a_positive CHECK (a > 0) NO INHERIT;

--- case fine_pattern
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, code text);
INSERT INTO t VALUES (1, 'DE'), (2, 'FR'), (3, NULL);
--- migration
ALTER TABLE t ADD CONSTRAINT code_iso CHECK (code ~ '^[A-Z]{2}$') NOT VALID;
ALTER TABLE t VALIDATE CONSTRAINT code_iso;

--- case fine_domain_new
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY);
INSERT INTO t VALUES (1);
--- migration
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
ALTER TABLE t ADD COLUMN a positive DEFAULT 1;

--- case fine_rename_constraint
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int CONSTRAINT a_ok CHECK (a > 0));
INSERT INTO t VALUES (1, 1);
--- migration
ALTER TABLE t RENAME CONSTRAINT a_ok TO a_positive;
