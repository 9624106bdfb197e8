--- case text_to_int
--- expect cast-failure rows=3
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, '1'), (2, ' 2 '), (3, 'three'), (4, ''), (5, NULL), (6, '1.5');
--- migration
ALTER TABLE t ALTER a TYPE int USING a::int;

--- case text_to_date
--- expect cast-failure rows=1
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, '2026-01-31'), (2, '2026-02-31');
--- migration
ALTER TABLE t ALTER a TYPE date USING a::date;

--- case text_to_uuid
--- expect cast-failure rows=1
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, '7c9e6679-7425-40de-944b-e07fc1f90ae7'), (2, 'none');
--- migration
ALTER TABLE t ALTER a TYPE uuid USING a::uuid;

--- case text_to_jsonb
--- expect cast-failure rows=2
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, '{"a": 1}'), (2, '{a: 1}'), (3, ''), (4, 'null');
--- migration
ALTER TABLE t ALTER a TYPE jsonb USING a::jsonb;

--- case text_to_boolean
--- expect cast-failure rows=1
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, 'yes'), (2, '0'), (3, 'maybe');
--- migration
ALTER TABLE t ALTER a TYPE boolean USING a::boolean;

--- case text_to_enum
--- expect cast-failure rows=2
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, 'sad'), (2, 'Happy'), (3, 'ok');
--- migration
ALTER TABLE t ALTER a TYPE mood USING a::mood;

--- case enum_to_enum
--- expect cast-failure rows=1
CREATE TYPE old AS ENUM ('a', 'b', 'c');
CREATE TYPE new AS ENUM ('a', 'b');
CREATE TABLE t (id int PRIMARY KEY, a old);
INSERT INTO t VALUES (1, 'a'), (2, 'c');
--- migration
ALTER TABLE t ALTER a TYPE new USING a::text::new;

--- case too_long
--- expect value-too-long rows=2
CREATE TABLE t (id int PRIMARY KEY, a varchar(100));
INSERT INTO t VALUES (1, 'short'), (2, 'far too long'), (3, 'also too long'), (4, 'fits       ');
--- migration
ALTER TABLE t ALTER a TYPE varchar(8);

--- case text_too_long
--- expect value-too-long rows=1
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, 'äöü'), (2, 'äöüß');
--- migration
ALTER TABLE t ALTER a TYPE varchar(3);

--- case int_range
--- expect out-of-range rows=2
CREATE TABLE t (id int PRIMARY KEY, a bigint);
INSERT INTO t VALUES (1, 2147483647), (2, 2147483648), (3, -9000000000), (4, NULL);
--- migration
ALTER TABLE t ALTER a TYPE int;

--- case smallint_range
--- expect out-of-range rows=1
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 32767), (2, 32768);
--- migration
ALTER TABLE t ALTER a TYPE smallint;

--- case numeric_range
--- expect out-of-range rows=1
CREATE TABLE t (id int PRIMARY KEY, a numeric(10,2));
INSERT INTO t VALUES (1, 99.99), (2, 100.00);
--- migration
ALTER TABLE t ALTER a TYPE numeric(4,2);

--- case float_range
--- expect out-of-range rows=1
CREATE TABLE t (id int PRIMARY KEY, a double precision);
INSERT INTO t VALUES (1, 1), (2, 1e12);
--- migration
ALTER TABLE t ALTER a TYPE int;

--- case division
--- expect failure
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1), (2, 0);
--- migration
ALTER TABLE t ALTER a TYPE int USING 100 / a;

--- case two_columns
--- expect cast-failure rows=1
--- expect value-too-long rows=1
CREATE TABLE t (id int PRIMARY KEY, a text, b text);
INSERT INTO t VALUES (1, 'x', 'b'), (2, '2', 'bbbbb');
--- migration
ALTER TABLE t ALTER a TYPE int USING a::int, ALTER b TYPE varchar(2);

--- case generated
--- expect failure
CREATE TABLE t (id int PRIMARY KEY, a int, b int);
INSERT INTO t VALUES (1, 1, 1), (2, 1, 0);
--- migration
ALTER TABLE t ADD COLUMN c int GENERATED ALWAYS AS (a / b) STORED;

--- case in_block_after_others
--- expect cast-failure rows=1
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, 'n/a'), (2, '2');
--- migration
BEGIN;
ALTER TABLE t RENAME a TO b;
ALTER TABLE t ALTER b TYPE int USING b::int;
COMMIT;

--- case fine_text_to_int
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, '1'), (2, '22'), (3, NULL);
--- migration
ALTER TABLE t ALTER a TYPE int USING a::int;

--- case fine_wider
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a varchar(10), b int, c numeric(6,2));
INSERT INTO t VALUES (1, 'ten chars!', 1, 1.25);
--- migration
ALTER TABLE t ALTER a TYPE varchar(200);
ALTER TABLE t ALTER b TYPE bigint;
ALTER TABLE t ALTER c TYPE numeric(12,2);

--- case fine_to_text
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 10), (2, NULL);
--- migration
ALTER TABLE t ALTER a TYPE text;

--- case fine_uuid
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, '7c9e6679-7425-40de-944b-e07fc1f90ae7');
--- migration
ALTER TABLE t ALTER a TYPE uuid USING a::uuid;

--- case fine_enum_value
--- expect nothing
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE t (id int PRIMARY KEY, a mood);
INSERT INTO t VALUES (1, 'sad');
--- migration
ALTER TYPE mood ADD VALUE 'calm';

--- case fine_enum_rename
--- expect nothing
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE t (id int PRIMARY KEY, a mood);
INSERT INTO t VALUES (1, 'sad');
--- migration
ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';

--- case fine_generated
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a int, b int);
INSERT INTO t VALUES (1, 1, 1), (2, 1, 2);
--- migration
ALTER TABLE t ADD COLUMN c int GENERATED ALWAYS AS (a + b) STORED;

--- case fine_json
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, '{"a":1}'), (2, '[]');
--- migration
ALTER TABLE t ALTER a TYPE json USING a::json;

--- case fine_drop_limit
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a varchar(10));
INSERT INTO t VALUES (1, 'ten chars!');
--- migration
ALTER TABLE t ALTER a TYPE varchar;

--- case fine_boolean
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, 'true'), (2, 'false'), (3, NULL);
--- migration
ALTER TABLE t ALTER a TYPE boolean USING a::boolean;

--- case fine_enum
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, 'new'), (2, 'done'), (3, NULL);
--- migration
CREATE TYPE state AS ENUM ('new', 'done');
ALTER TABLE t ALTER a TYPE state USING a::state;

--- case fine_timestamp
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, a timestamp);
INSERT INTO t VALUES (1, '2026-01-01 12:00'), (2, NULL);
--- migration
ALTER TABLE t ALTER a TYPE timestamptz USING a AT TIME ZONE 'UTC';
