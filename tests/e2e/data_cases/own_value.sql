--- case text
--- expect null-values rows=2
--- repair SET email = 'unknown-' || id WHERE email IS NULL
CREATE TABLE t (id int PRIMARY KEY, email text);
INSERT INTO t VALUES (1, 'a@x'), (2, NULL), (3, NULL);
--- migration
ALTER TABLE t ALTER email SET NOT NULL;
CREATE UNIQUE INDEX t_email ON t (lower(email));

--- case text_of_a_domain
--- expect null-values rows=2
--- repair SET v = 'x' || v.n FROM
CREATE DOMAIN code AS varchar(6) CHECK (VALUE !~ '-');
CREATE TABLE t (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), v code);
INSERT INTO t (v) VALUES ('a'), (NULL), (NULL);
--- migration
CREATE UNIQUE INDEX t_v ON t (v);
ALTER TABLE t ALTER v SET NOT NULL;

--- case number_in_one_statement
--- expect null-values rows=3
--- repair SET place = v.last + v.n FROM
CREATE TABLE t (id int PRIMARY KEY, list int, place smallint);
INSERT INTO t VALUES (1, 1, 1), (2, 1, NULL), (3, 1, NULL), (4, 2, NULL);
--- migration
ALTER TABLE t ALTER place SET NOT NULL, ADD UNIQUE (list, place);

--- case date_of_a_key_that_fails
--- expect null-values rows=2
--- expect duplicate-keys groups=1 rows=2
--- repair SET day = v.last + v.n::integer FROM
CREATE TABLE t (id int PRIMARY KEY, day date);
INSERT INTO t VALUES (1, '2024-01-01'), (2, '2024-01-01'), (3, NULL), (4, NULL);
--- migration
ALTER TABLE t ALTER day SET NOT NULL;
ALTER TABLE t ADD CONSTRAINT one_a_day UNIQUE (day);

--- case boolean_in_words
--- expect null-values rows=2
--- repair none
CREATE TABLE t (id int PRIMARY KEY, flag boolean);
INSERT INTO t VALUES (1, NULL), (2, NULL);
--- migration
ALTER TABLE t ALTER flag SET NOT NULL;
CREATE UNIQUE INDEX t_flag ON t (flag);

--- case beside_a_key_that_waits
--- expect null-values rows=2
--- repair SET v = 'unknown-' || id WHERE v IS NULL
CREATE TABLE p (id int PRIMARY KEY, v text UNIQUE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p DEFERRABLE INITIALLY DEFERRED);
INSERT INTO p VALUES (1, 'a'), (2, NULL), (3, NULL);
INSERT INTO c VALUES (1, 2);
--- migration
ALTER TABLE p ALTER v SET NOT NULL;

--- case fine_text
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, email text);
INSERT INTO t VALUES (1, 'a@x'), (2, NULL), (3, NULL);
--- migration
UPDATE t SET email = 'unknown-' || id WHERE email IS NULL;
ALTER TABLE t ALTER email SET NOT NULL;
CREATE UNIQUE INDEX t_email ON t (lower(email));

--- case fine_number_within_its_key
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, list int, place smallint);
INSERT INTO t VALUES (1, 1, 1), (2, 1, NULL), (3, 2, NULL);
--- migration
UPDATE t SET place = 2 WHERE place IS NULL;
ALTER TABLE t ALTER place SET NOT NULL, ADD UNIQUE (list, place);

--- case fine_uuid
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, token uuid);
INSERT INTO t (id) VALUES (1), (2), (3);
--- migration
UPDATE t SET token = gen_random_uuid() WHERE token IS NULL;
ALTER TABLE t ALTER token SET NOT NULL, ADD UNIQUE (token);

--- case fine_nulls_in_a_unique_column
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t VALUES (1, NULL), (2, NULL), (3, 'a');
--- migration
CREATE UNIQUE INDEX t_v ON t (v);

--- case fine_settled
--- expect nothing
CREATE TABLE p (id int PRIMARY KEY, v text);
CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p DEFERRABLE INITIALLY DEFERRED);
INSERT INTO p VALUES (1, 'a'), (2, 'a');
INSERT INTO c VALUES (1, 1);
--- migration
BEGIN;
UPDATE c SET p = 2 WHERE id = 1;
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE c ALTER p SET NOT NULL;
COMMIT;
