--- case update_makes_double
--- expect failure
CREATE TABLE t (id int PRIMARY KEY, a text UNIQUE);
INSERT INTO t VALUES (1, 'X'), (2, 'x');
--- migration
UPDATE t SET a = lower(a);

--- case update_to_null
--- expect failure
CREATE TABLE t (id int PRIMARY KEY, a text NOT NULL, b text);
INSERT INTO t VALUES (1, 'x', 'y'), (2, 'x', NULL);
--- migration
UPDATE t SET a = b;

--- case insert_double
--- expect failure
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, 'x'), (2, 'y');
--- migration
INSERT INTO t VALUES (3, 'z'), (2, 'again');

--- case insert_orphan
--- expect failure
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY, p_id int NOT NULL REFERENCES p);
INSERT INTO p VALUES (1);
--- migration
INSERT INTO c VALUES (1, 1), (2, 2);

--- case function_raises
--- expect statement-error sqlstate=P0001
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1), (2, -1);
CREATE FUNCTION demand(v int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    IF v < 0 THEN
        RAISE EXCEPTION 'negative';
    END IF;
    RETURN v;
END $$;
--- migration
UPDATE t SET a = demand(a) + 1;

--- case trigger_raises
--- expect statement-error sqlstate=P0001
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'frozen';
END $$;
CREATE TRIGGER frozen BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION refuse();
--- migration
UPDATE t SET a = 2;

--- case block_raises
--- expect failure
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1), (2, 1);
--- migration
DO $$
BEGIN
    ALTER TABLE t ADD CONSTRAINT t_a UNIQUE (a);
END $$;

--- case deferred_key_at_commit
--- expect duplicate-keys groups=1 rows=2
CREATE TABLE t (id int PRIMARY KEY, place int, UNIQUE (place) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO t VALUES (1, 1), (2, 2), (3, 3);
--- migration
BEGIN;
UPDATE t SET place = place + 1 WHERE id < 3;
COMMIT;

--- case deferred_keys_change_places
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, place int, UNIQUE (place) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO t VALUES (1, 1), (2, 2), (3, 3);
--- migration
BEGIN;
UPDATE t SET place = 2 WHERE id = 1;
UPDATE t SET place = 1 WHERE id = 2;
SET CONSTRAINTS ALL IMMEDIATE;
COMMIT;

--- case unique_inside_of_a_block_that_looked
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1), (2, 2), (3, 3);
--- migration
DO $$ BEGIN IF NOT EXISTS (SELECT FROM t GROUP BY a HAVING count(*) > 1) THEN CREATE UNIQUE INDEX t_a ON t (a); END IF; END $$;

--- case unique_inside_of_a_block
--- expect duplicate-keys groups=1 rows=2
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1), (2, 1), (3, 3);
--- migration
DO $$ BEGIN IF true THEN CREATE UNIQUE INDEX t_a ON t (a); END IF; END $$;

--- case deferred_at_commit
--- expect failure
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p DEFERRABLE INITIALLY DEFERRED);
INSERT INTO p VALUES (1);
--- migration
BEGIN;
INSERT INTO c VALUES (1, 1), (2, 7);
COMMIT;

--- case view_unique_refresh
--- expect failure
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1);
CREATE MATERIALIZED VIEW v AS SELECT a FROM t;
CREATE UNIQUE INDEX v_a ON v (a);
INSERT INTO t VALUES (2, 1);
--- migration
REFRESH MATERIALIZED VIEW v;

--- case fine_upsert
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, 'x');
--- migration
INSERT INTO t VALUES (1, 'again'), (2, 'y') ON CONFLICT (id) DO NOTHING;

--- case fine_insert
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, 'x');
--- migration
INSERT INTO t SELECT id + 1, a FROM t;

--- case fine_update
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, 'X'), (2, 'y');
--- migration
UPDATE t SET a = lower(a) WHERE a <> lower(a);

--- case fine_new_table
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY);
INSERT INTO t VALUES (1);
--- migration
CREATE TABLE u (id int PRIMARY KEY, t_id int NOT NULL REFERENCES t);
INSERT INTO u VALUES (1, 1);
CREATE INDEX ON u (t_id);

--- case fine_view
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1);
--- migration
CREATE VIEW v AS SELECT id FROM t WHERE a > 0;
COMMENT ON VIEW v IS 'those that count';

--- case fine_default
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1);
--- migration
ALTER TABLE t ALTER a SET DEFAULT 7;

--- case fine_block
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1);
--- migration
DO $$
BEGIN
    ALTER TABLE t ADD COLUMN b int;
    UPDATE t SET b = a;
END $$;

--- case fine_function
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1);
--- migration
CREATE FUNCTION twice(v int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * v';
UPDATE t SET a = twice(a);

--- case fine_trigger
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int, changed timestamptz);
INSERT INTO t VALUES (1, 1, now());
--- migration
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed := now();
    RETURN NEW;
END $$;
CREATE TRIGGER touch BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();

--- case fine_grant
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY);
INSERT INTO t VALUES (1);
--- migration
GRANT SELECT ON t TO PUBLIC;

--- case fine_statistics
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int, b int);
INSERT INTO t SELECT i, i % 3, i % 5 FROM generate_series(1, 100) i;
--- migration
CREATE STATISTICS t_ab ON a, b FROM t;
ANALYZE t;

--- case fine_rename
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1);
--- migration
ALTER TABLE t RENAME a TO b;

--- case fine_policy
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, owner text);
INSERT INTO t VALUES (1, 'x');
--- migration
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON t USING (owner = current_user);

--- case fine_sequence
--- expect nothing
CREATE TABLE t (id serial PRIMARY KEY, a int);
INSERT INTO t (a) VALUES (1), (2);
--- migration
INSERT INTO t (a) SELECT a FROM t;

--- case fine_enum_column
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY);
INSERT INTO t VALUES (1);
--- migration
CREATE TYPE state AS ENUM ('new', 'done');
ALTER TABLE t ADD COLUMN state state NOT NULL DEFAULT 'new';

--- case fine_reindex
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1);
CREATE INDEX t_a ON t (a);
--- migration
REINDEX INDEX CONCURRENTLY t_a;

--- case fine_extended_checks
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int, b int);
INSERT INTO t VALUES (1, 1, 2), (2, 5, NULL);
--- migration
ALTER TABLE t ADD CONSTRAINT a_before_b CHECK (a < b), ADD CONSTRAINT b_unique UNIQUE (b);

--- case fine_delete_children_first
--- expect nothing
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p);
INSERT INTO p VALUES (1), (2);
INSERT INTO c VALUES (1, 2);
--- migration
BEGIN;
DELETE FROM c WHERE p_id = 2;
DELETE FROM p WHERE id = 2;
COMMIT;

--- case fine_materialized_view
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1), (2, 1);
--- migration
CREATE MATERIALIZED VIEW v AS SELECT a, count(*) AS n FROM t GROUP BY a;
CREATE UNIQUE INDEX v_a ON v (a);
REFRESH MATERIALIZED VIEW CONCURRENTLY v;

--- case fine_deferred
--- expect nothing
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p DEFERRABLE INITIALLY DEFERRED);
INSERT INTO p VALUES (1);
--- migration
BEGIN;
INSERT INTO c VALUES (1, 7);
INSERT INTO p VALUES (7);
COMMIT;

--- case fine_swap_keys
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, place int, UNIQUE (place) DEFERRABLE INITIALLY IMMEDIATE);
INSERT INTO t VALUES (1, 1), (2, 2);
--- migration
UPDATE t SET place = 3 - place;

--- case fine_savepoint
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1);
--- migration
BEGIN;
SAVEPOINT s;
ALTER TABLE t ADD COLUMN b int;
RELEASE SAVEPOINT s;
COMMIT;

--- case fine_exception_expected
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1);
--- migration
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'b') THEN
        ALTER TABLE t ADD COLUMN b int;
    END IF;
END $$;

--- case fine_comment
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY);
INSERT INTO t VALUES (1);
--- migration
COMMENT ON TABLE t IS 'one row';
COMMENT ON COLUMN t.id IS 'its key';

--- case fine_index_on_expression
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, data jsonb);
INSERT INTO t VALUES (1, '{"a": 1}'), (2, '{}');
--- migration
CREATE INDEX CONCURRENTLY t_a ON t ((data ->> 'a'));
CREATE INDEX CONCURRENTLY t_data ON t USING gin (data);

--- case fine_batches
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int, b int);
INSERT INTO t SELECT i, i FROM generate_series(1, 300) i;
--- migration
UPDATE t SET b = a WHERE id BETWEEN 1 AND 100;
UPDATE t SET b = a WHERE id BETWEEN 101 AND 200;
UPDATE t SET b = a WHERE id BETWEEN 201 AND 300;
