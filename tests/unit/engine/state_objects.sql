-- One of every kind of object that users make, each with attributes that are not the default, for the
-- test of the schema state: PostgreSQL 13 to 18, one string, one transaction.
CREATE ROLE state_app NOLOGIN;
CREATE ROLE state_team NOLOGIN;
CREATE ROLE state_member LOGIN CONNECTION LIMIT 3 IN ROLE state_team;
COMMENT ON ROLE state_app IS 'the application';
ALTER ROLE state_app SET statement_timeout = '5s';
ALTER ROLE state_app IN DATABASE postgres SET lock_timeout = '1s';
ALTER DATABASE postgres SET work_mem = '8MB';
CREATE SCHEMA "Odd schema" AUTHORIZATION state_app;
CREATE SCHEMA state;
GRANT USAGE ON SCHEMA state TO state_app;
COMMENT ON SCHEMA state IS 'everything';
SET LOCAL search_path = state;

-- types
CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s "fine"');
CREATE DOMAIN positive AS int NOT NULL DEFAULT 1 CONSTRAINT positive_check CHECK (VALUE > 0);
CREATE DOMAIN zip AS text COLLATE "C" CHECK (VALUE ~ '^\d{5}$');
CREATE TYPE pair AS (first int, second text);
CREATE TYPE float_range AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TYPE shell;
CREATE TYPE number;
CREATE FUNCTION number_in(cstring) RETURNS number LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION number_out(number) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE number (INPUT = number_in, OUTPUT = number_out, LIKE = int4, CATEGORY = 'N');
GRANT USAGE ON TYPE mood TO state_app;
COMMENT ON TYPE mood IS 'how it feels';

-- functions
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 5 AS 'SELECT n * 2';
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = state
    AS 'BEGIN RETURN new; END';
CREATE PROCEDURE cleanup(IN age interval) LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE AGGREGATE total (int) (SFUNC = int4pl, STYPE = int, INITCOND = '0', PARALLEL = safe, COMBINEFUNC = int4pl);
REVOKE EXECUTE ON FUNCTION twice(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION twice(int) TO state_app WITH GRANT OPTION;
COMMENT ON FUNCTION twice(int) IS 'doubles';
CREATE FUNCTION number_to_int(number) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'int4abs';
CREATE CAST (number AS int) WITH FUNCTION number_to_int(number) AS ASSIGNMENT;
CREATE FUNCTION number_lt(number, number) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4lt';
CREATE FUNCTION number_gt(number, number) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4gt';
CREATE FUNCTION number_eq(number, number) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4eq';
CREATE FUNCTION number_hash(number) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'hashint4';
CREATE OPERATOR < (LEFTARG = number, RIGHTARG = number, FUNCTION = number_lt, COMMUTATOR = >, RESTRICT = scalarltsel);
CREATE OPERATOR > (LEFTARG = number, RIGHTARG = number, FUNCTION = number_gt, COMMUTATOR = <);
CREATE OPERATOR = (LEFTARG = number, RIGHTARG = number, FUNCTION = number_eq, COMMUTATOR = =, HASHES);
CREATE OPERATOR FAMILY number_family USING hash;
CREATE OPERATOR CLASS number_hash_class DEFAULT FOR TYPE number USING hash FAMILY number_family AS
    OPERATOR 1 =, FUNCTION 1 number_hash(number);
CREATE TRUSTED LANGUAGE sqlish HANDLER plpgsql_call_handler;
CREATE FUNCTION number_from_sql(internal) RETURNS internal LANGUAGE internal IMMUTABLE AS 'int4abs';
CREATE TRANSFORM FOR number LANGUAGE sqlish (FROM SQL WITH FUNCTION number_from_sql(internal));
CREATE ACCESS METHOD heap_again TYPE TABLE HANDLER heap_tableam_handler;

-- tables
CREATE SEQUENCE counter AS int INCREMENT 5 MINVALUE 10 MAXVALUE 1000 START 20 CACHE 3 CYCLE;
CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email varchar(200) COLLATE "C" NOT NULL CONSTRAINT users_email_key UNIQUE,
    age positive, feeling mood DEFAULT 'ok', place pair, serial_no serial,
    doubled int GENERATED ALWAYS AS (serial_no * 2) STORED,
    notes text, number number,
    CONSTRAINT users_age_check CHECK (age < 200)) WITH (fillfactor = 80);
ALTER TABLE users ALTER notes SET STORAGE EXTERNAL, ALTER email SET STATISTICS 500,
    ALTER age SET (n_distinct = 50), REPLICA IDENTITY FULL,
    ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
COMMENT ON TABLE users IS 'people';
COMMENT ON COLUMN users.email IS 'unique';
COMMENT ON CONSTRAINT users_age_check ON users IS 'nobody is older';
GRANT SELECT, INSERT ON users TO state_app;
GRANT UPDATE (notes) ON users TO state_app;
CREATE POLICY own ON users AS RESTRICTIVE FOR UPDATE TO state_app, state_team USING (id > 0) WITH CHECK (age > 1);
CREATE INDEX users_lower ON users USING btree (lower(email) text_pattern_ops DESC) INCLUDE (age)
    WITH (fillfactor = 70) WHERE age > 18;
COMMENT ON INDEX users_lower IS 'for searching';
CREATE INDEX users_serial ON users (serial_no);
ALTER TABLE users CLUSTER ON users_serial;
CREATE UNLOGGED TABLE "Odd schema"."Odd.table" ("Odd "" column" int,
    user_id bigint CONSTRAINT odd_user REFERENCES users ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE "Odd schema"."Odd.table" ADD CONSTRAINT later CHECK ("Odd "" column" > 0) NOT VALID,
    ADD CONSTRAINT apart EXCLUDE USING btree ("Odd "" column" WITH =);
CREATE TABLE events (at date NOT NULL, kind int) PARTITION BY RANGE (at);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_rest PARTITION OF events DEFAULT;
CREATE INDEX events_kind ON events (kind);
CREATE TABLE parent (a int, b int);
CREATE TABLE child (c int) INHERITS (parent);
CREATE TABLE typed OF pair (PRIMARY KEY (first));
CREATE TABLE large (line text) USING heap_again;
CREATE STATISTICS users_statistics (dependencies) ON age, serial_no FROM users;
ALTER STATISTICS users_statistics SET STATISTICS 200;
CREATE TRIGGER touched BEFORE UPDATE OF email ON users FOR EACH ROW WHEN (old.email IS DISTINCT FROM new.email)
    EXECUTE FUNCTION touch();
CREATE TRIGGER silent AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION touch();
ALTER TABLE users DISABLE TRIGGER silent;
COMMENT ON TRIGGER touched ON users IS 'stamps';
CREATE RULE no_delete AS ON DELETE TO parent DO INSTEAD NOTHING;
CREATE EVENT TRIGGER watching ON ddl_command_end WHEN tag IN ('CREATE TABLE') EXECUTE FUNCTION watch();
ALTER EVENT TRIGGER watching DISABLE;

-- views
CREATE VIEW adults WITH (security_barrier) AS SELECT id, email FROM users WHERE age >= 18 WITH LOCAL CHECK OPTION;
CREATE MATERIALIZED VIEW ages AS SELECT age, count(*) AS people FROM users GROUP BY age WITH NO DATA;
CREATE UNIQUE INDEX ages_age ON ages (age);

-- privileges to come, what is spoken, what is replicated, what is elsewhere
ALTER DEFAULT PRIVILEGES IN SCHEMA state GRANT SELECT ON TABLES TO state_app;
CREATE COLLATION german (locale = 'C');
CREATE CONVERSION to_ascii FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE TEXT SEARCH TEMPLATE lexing (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH DICTIONARY plain (TEMPLATE = lexing, STOPWORDS = english);
CREATE TEXT SEARCH PARSER parsing (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);
CREATE TEXT SEARCH CONFIGURATION speech (PARSER = parsing);
ALTER TEXT SEARCH CONFIGURATION speech ADD MAPPING FOR asciiword WITH plain;
CREATE PUBLICATION everything FOR TABLE users, parent WITH (publish = 'insert, update', publish_via_partition_root);
CREATE SUBSCRIPTION hearing CONNECTION 'host=192.0.2.1 password=secret' PUBLICATION everything
    WITH (connect = false, slot_name = NONE, enabled = false, create_slot = false);
CREATE FOREIGN DATA WRAPPER elsewhere OPTIONS (token 'secret');
CREATE SERVER far TYPE 'sql' VERSION '1' FOREIGN DATA WRAPPER elsewhere OPTIONS (host 'secret.example');
GRANT USAGE ON FOREIGN SERVER far TO state_app;
CREATE USER MAPPING FOR state_app SERVER far OPTIONS (user 'me', password 'secret');
CREATE FOREIGN TABLE abroad (id int OPTIONS (name 'no'), value text) SERVER far OPTIONS (table_name 'there');

-- what younger servers have
DO $versions$
DECLARE
    version constant int := current_setting('server_version_num')::int / 10000;
BEGIN
    IF version >= 14 THEN
        EXECUTE 'ALTER TABLE state.users ALTER notes SET COMPRESSION pglz';
    END IF;
    IF version >= 15 THEN
        EXECUTE 'CREATE PUBLICATION part FOR TABLE state.users (id, email) WHERE (id > 5)';
        EXECUTE 'CREATE PUBLICATION whole FOR TABLES IN SCHEMA "Odd schema"';
        EXECUTE 'CREATE UNIQUE INDEX users_nulls ON state.users (notes) NULLS NOT DISTINCT';
    END IF;
    IF version >= 18 THEN
        EXECUTE 'ALTER TABLE state.users ADD COLUMN tripled int GENERATED ALWAYS AS (serial_no * 3) VIRTUAL';
        EXECUTE 'ALTER TABLE state.parent ADD CONSTRAINT soft CHECK (a > 0) NOT ENFORCED';
    END IF;
END
$versions$;
