-- Every kind of thing that a catalogue tells about.
CREATE ROLE catalog_owner;
CREATE ROLE catalog_reader LOGIN;
CREATE ROLE catalog_team;
CREATE ROLE catalog_member LOGIN IN ROLE catalog_team;
CREATE ROLE catalog_bypass LOGIN BYPASSRLS;
ALTER ROLE catalog_reader SET work_mem = '8MB';
ALTER ROLE catalog_reader IN DATABASE postgres SET lock_timeout = '1s';
ALTER DATABASE postgres SET app.api_key = 'PLANTED-SECRET';
ALTER DATABASE postgres SET random_page_cost = '1.5';
CREATE SCHEMA shop;
CREATE SCHEMA "Odd schema";
CREATE SCHEMA hidden;
CREATE SCHEMA rehearse;
CREATE TABLE rehearse.ours (a int);
SET search_path = shop;
CREATE DOMAIN short AS varchar(40) CONSTRAINT short_check CHECK (VALUE <> '');
CREATE DOMAIN email AS short CONSTRAINT has_at CHECK (VALUE LIKE '%@%');
CREATE DOMAIN tags AS text[];
CREATE DOMAIN amount AS numeric(8,2);
CREATE DOMAIN fine_amount AS amount;
CREATE TYPE terms AS (salary amount, rate numeric(6,4), free numeric);
CREATE TABLE paid (
    salary amount, fine fine_amount, list amount[], lists numeric(5,1)[], free numeric, whole numeric(7), n int,
    terms terms, word text CONSTRAINT words CHECK (word IN ('a')) NO INHERIT, CONSTRAINT numbers CHECK (n > 0)
);
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE place AS (street varchar(30), number int);
CREATE TYPE contact AS (name text, places place[], born daterange, mood mood, mail email);
CREATE TYPE word_range AS RANGE (subtype = text);
CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gone text,
    email email NOT NULL,
    code char(5),
    tags tags,
    numbers varchar(7)[],
    contact contact,
    words word_range,
    mood mood DEFAULT 'ok',
    folded text GENERATED ALWAYS AS (lower(email)) STORED,
    flags varbit(9),
    name text COLLATE "C"
);
ALTER TABLE users ADD CONSTRAINT name_or_code CHECK (name IS NULL OR code IS NULL) NOT VALID;
ALTER TABLE users DROP COLUMN gone;
CREATE UNIQUE INDEX users_email ON users (lower(email), code) INCLUDE (name) WHERE mood = 'ok';
CREATE INDEX users_name ON users (name);
CREATE TABLE refs (
    user_id bigint REFERENCES users,
    email varchar(60),
    during tsrange,
    a int, b int,
    CONSTRAINT refs_excluded EXCLUDE USING gist (during WITH &&),
    UNIQUE (a, b)
);
CREATE TABLE follows (x int, y int);
ALTER TABLE follows ADD CONSTRAINT pair FOREIGN KEY (y, x) REFERENCES refs (b, a) MATCH FULL NOT VALID;
CREATE VIEW joined AS SELECT u.id FROM users AS u JOIN refs AS r ON u.email::text = r.email::text AND u.id = r.user_id;
CREATE VIEW chosen AS SELECT a FROM refs WHERE user_id IN (SELECT id FROM users);
CREATE MATERIALIZED VIEW stored AS SELECT id, email FROM users;
CREATE UNIQUE INDEX stored_id ON stored (id);
CREATE TABLE events (at date NOT NULL, kind text NOT NULL, user_id bigint REFERENCES users, PRIMARY KEY (at, kind))
    PARTITION BY RANGE (at, kind);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01', MINVALUE) TO ('2025-01-01', MINVALUE);
CREATE TABLE folded (id int, kind text) PARTITION BY LIST (lower(kind));
CREATE TABLE about (at date, kind text, FOREIGN KEY (at, kind) REFERENCES events);
CREATE TABLE parent_a (a int);
CREATE TABLE parent_b (b text);
CREATE TABLE child (c int) INHERITS (parent_a, parent_b);
CREATE UNLOGGED TABLE "Odd schema"."Odd.table" ("Odd "" column" text);
CREATE TABLE secured (a int);
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
ALTER TABLE secured OWNER TO catalog_team;
CREATE TABLE forced (a int);
ALTER TABLE forced ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE forced OWNER TO catalog_team;
CREATE TABLE partly (a int, b text);
CREATE TABLE by_column (a int, b text);
CREATE TABLE hidden.away (a int);
CREATE TYPE level_0 AS (name text, next text);
DO $do$
BEGIN
    FOR i IN 1..11 LOOP
        EXECUTE format('CREATE TYPE level_%s AS (name text, next level_%s[])', i, i - 1);
    END LOOP;
END
$do$;
CREATE TABLE deep (top level_11);
CREATE SEQUENCE counter;
GRANT USAGE ON SCHEMA shop, "Odd schema" TO PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA shop, "Odd schema", hidden TO PUBLIC;
REVOKE SELECT ON partly, by_column FROM PUBLIC;
GRANT SELECT (a) ON partly TO catalog_reader;
GRANT SELECT (a, b) ON by_column TO catalog_reader;
INSERT INTO users (email, code, name) SELECT 'u' || g || '@x.org', NULL, CASE WHEN g % 4 = 0 THEN 'n' || g END FROM generate_series(1, 100) AS g;
ANALYZE users;
SELECT lo_create(0), lo_create(0);
CREATE TABLE configured (key text, value text);
CREATE TABLE internal (key text);
ALTER EXTENSION plpgsql ADD TABLE configured;
ALTER EXTENSION plpgsql ADD TABLE internal;
UPDATE pg_extension SET extconfig = ARRAY['configured'::regclass::oid], extcondition = ARRAY[''] WHERE extname = 'plpgsql';
DO $do$
BEGIN
    IF current_setting('server_version_num')::int >= 150000 THEN
        CREATE TABLE nulls (a int);
        EXECUTE 'CREATE UNIQUE INDEX nulls_a ON nulls (a) NULLS NOT DISTINCT';
    END IF;
    IF current_setting('server_version_num')::int >= 180000 THEN
        EXECUTE 'CREATE TABLE computed (a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL)';
        EXECUTE 'ALTER TABLE computed ADD CONSTRAINT soft CHECK (a > 0) NOT ENFORCED';
    END IF;
END
$do$;
RESET search_path
