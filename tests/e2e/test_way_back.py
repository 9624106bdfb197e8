"""The way back: right ones are lossless without a finding, each kind of wrong one is caught."""
import pathlib
import shutil
import signal

import pytest

SHOP = """
CREATE ROLE app;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE users (
  id serial PRIMARY KEY,
  email varchar(40) NOT NULL UNIQUE,
  phone text,
  age int NOT NULL DEFAULT 18 CHECK (age > 0),
  mood mood DEFAULT 'ok',
  name text COLLATE "C",
  score numeric(6,2));
INSERT INTO users (email, phone, age, name, score)
  SELECT 'user' || n || '@x.org', CASE WHEN n % 2 = 0 THEN '+49' || n END, 20 + n % 50, 'n' || n, n
    FROM generate_series(1, 200) n;
CREATE TABLE orders (id bigserial PRIMARY KEY, user_id int NOT NULL REFERENCES users, total int);
INSERT INTO orders (user_id, total) SELECT 1 + n % 200, n FROM generate_series(1, 300) n;
CREATE INDEX users_adults ON users (email) WHERE age >= 18;
CREATE TABLE log (what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO log VALUES (tg_op); RETURN new; END $$;
CREATE TRIGGER users_log AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION note();
COMMENT ON COLUMN users.phone IS 'with the country';
GRANT SELECT ON users TO app;
GRANT SELECT (phone) ON users TO app;
CREATE TABLE notes (id bigserial PRIMARY KEY, user_id int NOT NULL REFERENCES users, body text);
INSERT INTO notes (user_id, body) SELECT n, 'b' FROM generate_series(1, 150) n;
CREATE VIEW busy AS SELECT id FROM orders WHERE user_id > 5;
"""
HARD = pathlib.Path(__file__).with_name("way_back.sql")
QUIET = "SET lock_timeout = '2s';\n"
RULES = ("down-fails", "down-differs", "down-loses-data", "restore-fails", "restore-differs")


def way_back(rehearse, up, down, *arguments, schema=SHOP):
    rehearse.write("down.sql", down)
    return rehearse.run(QUIET + up, schema, "--down", "down.sql", *arguments)


def trip_of(outcome):
    return outcome.result["round_trip"]


def found(outcome):
    return [(finding["rule"], finding["severity"]) for finding in outcome.result["findings"]
            if finding["rule"] in RULES]


# --- wrong ones ------------------------------------------------------------------------------------

# name: schema, up, down, rule, severity, its sentence. All of them are one release, and each is told.
WRONG = {
    "lost default": (
        "CREATE TABLE a1 (age int DEFAULT 18)", "ALTER TABLE a1 DROP age", "ALTER TABLE a1 ADD age int",
        "down-differs", "error", "column public.a1.age lost its default (18)"),
    "lost default, kept column": (
        "CREATE TABLE a2 (age int DEFAULT 18)", "ALTER TABLE a2 ALTER age SET DEFAULT 21",
        "ALTER TABLE a2 ALTER age DROP DEFAULT",
        "down-differs", "error", "column public.a2.age lost its default (18)"),
    "lost grant": (
        "CREATE TABLE a3 (a int); GRANT SELECT ON a3 TO app", "REVOKE ALL ON a3 FROM app",
        "GRANT INSERT ON a3 TO app",
        "down-differs", "error", "table public.a3: privileges of app is INSERT, was SELECT"),
    "lost grant of a table made anew": (
        "CREATE TABLE a4 (a int); GRANT SELECT ON a4 TO app", "DROP TABLE a4", "CREATE TABLE a4 (a int)",
        "down-differs", "error", "table public.a4 lost its privileges of app (SELECT)"),
    "reordered enum": (
        "CREATE TYPE b1 AS ENUM ('sad', 'ok', 'happy')", "DROP TYPE b1",
        "CREATE TYPE b1 AS ENUM ('ok', 'sad', 'happy')",
        "down-differs", "error", "type public.b1: labels in another order, 'ok', 'sad', 'happy', before 'sad', 'ok', 'happy'"),
    "changed collation": (
        'CREATE TABLE b2 (a text COLLATE "C")', "ALTER TABLE b2 ALTER a TYPE varchar(50)",
        "ALTER TABLE b2 ALTER a TYPE text",
        "down-differs", "error", "column public.b2.a lost its collation (\"C\")"),
    "dropped and added column": (
        "CREATE TABLE c1 AS SELECT n, CASE WHEN n % 2 = 0 THEN '+' || n END AS phone FROM generate_series(1, 200) n;"
        "COMMENT ON COLUMN c1.phone IS 'with the country'; GRANT SELECT (phone) ON c1 TO app",
        "ALTER TABLE c1 DROP phone", "ALTER TABLE c1 ADD phone text",
        "down-loses-data", "warning", "public.c1.phone lost all 100 values"),
    "its privilege": ("", "", "", "down-differs", "error", "column public.c1.phone lost its privileges of app (SELECT)"),
    "its comment": ("", "", "", "down-differs", "error", "column public.c1.phone lost its comment (with the country)"),
    "lost comment": (
        "CREATE TABLE c2 (a int); COMMENT ON TABLE c2 IS 'x'", "COMMENT ON TABLE c2 IS 'any'",
        "COMMENT ON TABLE c2 IS NULL", "down-differs", "error", "table public.c2 lost its comment (x)"),
    "lost index predicate": (
        "CREATE TABLE c3 (a int, b int); CREATE INDEX c3_a ON c3 (a) WHERE b > 1", "DROP INDEX c3_a",
        "CREATE INDEX c3_a ON c3 (a)",
        "down-differs", "error", "definition is USING btree (a), was USING btree (a) WHERE (b > 1)"),
    "sequence without its owner": (
        "CREATE TABLE d1 (id serial)", "ALTER TABLE d1 ALTER id DROP DEFAULT; DROP SEQUENCE d1_id_seq",
        "CREATE SEQUENCE d1_id_seq AS int; ALTER TABLE d1 ALTER id SET DEFAULT nextval('d1_id_seq')",
        "down-differs", "error", "sequence public.d1_id_seq lost its owned by (public.d1.id)"),
    "sequence from its start": (
        "CREATE TABLE d2 (id serial); INSERT INTO d2 SELECT FROM generate_series(1, 300)",
        "ALTER TABLE d2 ALTER id DROP DEFAULT; DROP SEQUENCE d2_id_seq",
        "CREATE SEQUENCE d2_id_seq AS int OWNED BY d2.id; ALTER TABLE d2 ALTER id SET DEFAULT nextval('d2_id_seq')",
        "down-differs", "error", "sequence public.d2_id_seq was set back, from 300 to its start"),
    "NOT NULL forgotten": (
        "CREATE TABLE d3 (a int NOT NULL)", "ALTER TABLE d3 ALTER a DROP NOT NULL", "",
        "down-differs", "error", "column public.d3.a lost its not null"),
    "trigger disabled": (
        "CREATE TABLE d4 (a int); CREATE TRIGGER d4_log AFTER INSERT ON d4 FOR EACH ROW EXECUTE FUNCTION note()",
        "ALTER TABLE d4 DISABLE TRIGGER d4_log", "",
        "down-differs", "error", "trigger d4_log on public.d4 is left with enabled"),
    "type of another width": (
        "CREATE TABLE e1 (a varchar(40))", "ALTER TABLE e1 ALTER a TYPE text", "ALTER TABLE e1 ALTER a TYPE varchar(50)",
        "down-differs", "error", "type is character varying(50), was character varying(40)"),
    "index left behind": (
        "CREATE TABLE e2 (a int)", "CREATE INDEX e2_a ON e2 (a)", "",
        "down-differs", "error", "index public.e2_a on public.e2 is left behind (USING btree (a))"),
    "constraint not validated": (
        "CREATE TABLE e3 (a int CHECK (a > 0))", "ALTER TABLE e3 DROP CONSTRAINT e3_a_check",
        "ALTER TABLE e3 ADD CONSTRAINT e3_a_check CHECK (a > 0) NOT VALID",
        "down-differs", "error", "constraint e3_a_check on public.e3 is left with validated"),
    "values not brought back": (
        "CREATE TABLE f1 AS SELECT n, 'u' || n AS email FROM generate_series(1, 9) n", "UPDATE f1 SET email = upper(email)", "",
        "down-loses-data", "error", "public.f1.email holds other values than before"),
    "values rounded": (
        "CREATE TABLE f2 AS SELECT n + 0.25 AS score FROM generate_series(1, 9) n", "ALTER TABLE f2 ALTER score TYPE int",
        "ALTER TABLE f2 ALTER score TYPE numeric",
        "down-loses-data", "error", "public.f2.score holds other values than before"),
    "rows deleted": (
        "CREATE TABLE f3 AS SELECT n FROM generate_series(1, 300) n", "DELETE FROM f3 WHERE n > 290", "",
        "down-loses-data", "warning", "public.f3 lost 10 rows"),
    "rows deleted by the way back": (
        "CREATE TABLE f4 AS SELECT n FROM generate_series(1, 300) n", "ALTER TABLE f4 ADD note text",
        "DELETE FROM f4 WHERE note IS NULL AND n > 295; ALTER TABLE f4 DROP note",
        "down-loses-data", "error", "public.f4 lost 5 rows"),
    "table dropped": (
        "CREATE TABLE f5 AS SELECT n FROM generate_series(1, 150) n", "DROP TABLE f5", "CREATE TABLE f5 (n int)",
        "down-loses-data", "warning", "public.f5 lost 150 rows"),
    "order of columns": (
        "CREATE TABLE g1 (a int, b int)", "ALTER TABLE g1 DROP a", "ALTER TABLE g1 ADD a int",
        "down-differs", "error", "the columns of public.g1 stand in another order: a was number 1 of 2, and is number 2"),
}


def script(index, cases=WRONG):
    return ";\n".join(case[index] for case in cases.values() if case[index]) + ";\n"


@pytest.fixture(scope="session")
def wrong(session_rehearse):
    return way_back(session_rehearse("wrong"), script(1), script(2), schema=SHOP + script(0))


@pytest.mark.parametrize("name", WRONG)
def test_wrong_way_back_is_caught(wrong, name):
    *_, rule, severity, sentence = WRONG[name]
    told = [difference["sentence"] for finding in wrong.result["findings"]
            if (finding["rule"], finding["severity"]) == (rule, severity)
            for difference in finding["evidence"]["differences"]]
    assert any(sentence in told_one for told_one in told), told
    assert wrong.status == 5 and wrong.result["round_trip"]["verdict"] in ("lossy", "fails-after-writes")


def test_wrong_way_back_says_nothing_else(wrong):
    sentences = [case[5] for case in WRONG.values()]
    others = [difference["sentence"] for difference in wrong.result["round_trip"]["differences"]
              if not any(sentence in difference["sentence"] for sentence in sentences)]
    assert others == [
        "column public.c1.phone is lost"] or all("stand in another order" in other for other in others), others


def test_order_of_columns_alone_is_no_error(rehearse):
    outcome = way_back(rehearse, "ALTER TABLE flags DROP a;", "ALTER TABLE flags ADD a int;",
                       schema=SHOP + "CREATE TABLE flags (a int, b int);")
    assert found(outcome) == [("down-differs", "info")] and trip_of(outcome)["verdict"] == "lossless", outcome


def test_way_back_that_fails_at_once_is_caught(rehearse):
    outcome = way_back(rehearse, "ALTER TABLE users ADD COLUMN note text;", "\nALTER TABLE users DROP COLUMN notes;")
    finding, = outcome.findings("down-fails")
    assert 'fails: column "notes" of relation "users" does not exist' in finding["title"], outcome
    assert (finding["step"], finding["line"]) == ("down.sql", 2)
    assert outcome.status == 5 and trip_of(outcome)["verdict"] == "fails"


# --- right at once, wrong after writes -----------------------------------------------------------------

# name: up, down, words of the server
AFTER_WRITES = {
    "NOT NULL dropped": (
        "ALTER TABLE users ALTER email DROP NOT NULL;", "ALTER TABLE users ALTER email SET NOT NULL;",
        "contains null values"),
    "varchar widened": (
        "ALTER TABLE users ALTER email TYPE varchar(80);",
        "ALTER TABLE users ALTER email TYPE varchar(40);",
        "value too long for type character varying(40)"),
    "integer widened": (
        "ALTER TABLE orders ALTER total TYPE bigint;", "ALTER TABLE orders ALTER total TYPE int;",
        "integer out of range"),
    "numeric widened": (
        "ALTER TABLE users ALTER score TYPE numeric(10,2);", "ALTER TABLE users ALTER score TYPE numeric(6,2);",
        "numeric field overflow"),
    "another type": (
        "ALTER TABLE orders ALTER total TYPE text;", "ALTER TABLE orders ALTER total TYPE int USING total::int;",
        "invalid input syntax for type integer"),
    "new enum label": (
        "ALTER TYPE mood ADD VALUE 'angry';",
        "ALTER TABLE users ALTER mood DROP DEFAULT; ALTER TYPE mood RENAME TO mood_old;"
        "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');"
        "ALTER TABLE users ALTER mood TYPE mood USING mood::text::mood, ALTER mood SET DEFAULT 'ok';"
        "DROP TYPE mood_old;",
        "invalid input value for enum"),
    "check dropped": (
        "ALTER TABLE users DROP CONSTRAINT users_age_check;",
        "ALTER TABLE users ADD CONSTRAINT users_age_check CHECK (age > 0);",
        "is violated by some row"),
    "check loosened": (
        "ALTER TABLE users DROP CONSTRAINT users_age_check, ADD CONSTRAINT users_age_check CHECK (age > -5);",
        "ALTER TABLE users DROP CONSTRAINT users_age_check, ADD CONSTRAINT users_age_check CHECK (age > 0);",
        "is violated by some row"),
    "unique dropped": (
        "ALTER TABLE users DROP CONSTRAINT users_email_key;",
        "ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE (email);",
        "could not create unique index"),
    "foreign key dropped": (
        "ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey;",
        "ALTER TABLE orders ADD CONSTRAINT orders_user_id_fkey FOREIGN KEY (user_id) REFERENCES users;",
        "violates foreign key constraint"),
}


@pytest.mark.parametrize("name", AFTER_WRITES)
def test_way_back_that_fails_on_rows_written_since(rehearse, name):
    up, down, words = AFTER_WRITES[name]
    outcome = way_back(rehearse, up, down)
    finding, = outcome.findings("down-fails")
    assert finding["severity"] == "error"
    assert "fails on rows written after the migration" in finding["title"] and words in finding["title"], outcome
    assert outcome.status == 5 and outcome.result["round_trip"]["verdict"] == "fails-after-writes"
    assert outcome.result["round_trip"]["at_once"]["failure"] is None
    assert "user1" not in outcome.stdout


def test_rows_of_the_start_are_safe_when_rows_were_written_since(rehearse):
    """A way back that takes rows of the start along, but only when there are new ones."""
    outcome = way_back(
        rehearse, "ALTER TABLE orders ADD COLUMN note text;",
        "DELETE FROM orders AS o WHERE o.id <= 3 AND EXISTS (SELECT FROM orders WHERE note IS NOT NULL);"
        "ALTER TABLE orders DROP COLUMN note;")
    finding, = outcome.findings("down-loses-data")
    assert "public.orders lost 3 rows" in finding["title"], outcome
    difference, = outcome.result["round_trip"]["differences"]
    assert difference["after_writes"] and difference["count"] == 3


# --- right ones ------------------------------------------------------------------------------------------

RIGHT = {
    "column": ("ALTER TABLE users ADD COLUMN note text;", "ALTER TABLE users DROP COLUMN note;"),
    "index": ("CREATE INDEX CONCURRENTLY users_phone ON users (phone);", "DROP INDEX CONCURRENTLY users_phone;"),
    "table": ("CREATE TABLE tags (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users, tag text NOT NULL);"
              "GRANT SELECT ON tags TO app;", "DROP TABLE tags;"),
    "rename": ("ALTER TABLE notes RENAME body TO words; ALTER TABLE notes RENAME TO remarks;",
               "ALTER TABLE remarks RENAME TO notes; ALTER TABLE notes RENAME words TO body;"),
    "not null, mended": ("ALTER TABLE users ALTER email DROP NOT NULL;",
                         "UPDATE users SET email = 'none' || id WHERE email IS NULL;"
                         "ALTER TABLE users ALTER email SET NOT NULL;"),
    "wider, cut": ("ALTER TABLE users ALTER email TYPE varchar(80);",
                   "ALTER TABLE users ALTER email TYPE varchar(40) USING left(email, 40);"),
    "check added": ("ALTER TABLE users ADD CONSTRAINT grown CHECK (age < 200);",
                    "ALTER TABLE users DROP CONSTRAINT grown;"),
    "values kept beside": ("ALTER TABLE users ADD COLUMN email_before text; UPDATE users SET email_before = email,"
                           " email = upper(email);",
                           "UPDATE users SET email = email_before WHERE email_before IS NOT NULL;"
                           "ALTER TABLE users DROP COLUMN email_before;"),
    "grant": ("GRANT INSERT ON orders TO app;", "REVOKE INSERT ON orders FROM app;"),
    "function": ("CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT 2 * $1';", "DROP FUNCTION twice(int);"),
    "data moved to a table of its own": (
        "CREATE TABLE phones (user_id int PRIMARY KEY REFERENCES users, phone text);"
        "INSERT INTO phones SELECT id, phone FROM users WHERE phone IS NOT NULL;",
        "DROP TABLE phones;"),
}


def test_right_ways_back_are_lossless(rehearse):
    """All of them as one release, undone from the last to the first."""
    outcome = way_back(rehearse, "".join(up for up, _ in RIGHT.values()),
                       "".join(down for _, down in reversed(RIGHT.values())))
    trip = trip_of(outcome)
    assert found(outcome) == [] and trip["verdict"] == "lossless", outcome
    assert trip["at_once"]["ran"] and trip["after_writes"]["ran"], trip
    written = [row for table in trip["writes"] for row in table["rows"]]
    assert written and all(row["written"] for row in written), trip["writes"]


NOTED = ("tenants", "users", "profiles", "rooms", "bookings", "events", "tree", "nothing", "e2", "logs")


def test_rows_are_made_for_tables_of_every_shape(rehearse, server):
    """Composite and one-to-one keys, exclusion, domains, partitions, parents without rows, identities."""
    outcome = way_back(
        rehearse,
        "".join(f"ALTER TABLE {table} ADD note text;" for table in NOTED + ("settings",)) +
        "ALTER TABLE tenants DROP CONSTRAINT tenants_n_check; ALTER TABLE bookings ALTER meta DROP NOT NULL;"
        "ALTER TABLE profiles DROP CONSTRAINT profiles_tenant_id_user_id_fkey; DROP INDEX users_email;",
        "".join(f"ALTER TABLE {table} DROP note;" for table in NOTED + ("settings",)) +
        "DELETE FROM profiles AS p WHERE NOT EXISTS (SELECT FROM users AS u WHERE (u.tenant_id, u.id) = (p.tenant_id, p.user_id));"
        "DELETE FROM profiles AS p USING users AS u WHERE (u.tenant_id, u.id) = (p.tenant_id, p.user_id) AND u.id > 10;"
        "DELETE FROM users WHERE id > 10; UPDATE tenants SET n = NULL WHERE n NOT BETWEEN 1 AND 5;"
        "UPDATE bookings SET meta = '{}' WHERE meta IS NULL; ALTER TABLE bookings ALTER meta SET NOT NULL;"
        "ALTER TABLE tenants ADD CONSTRAINT tenants_n_check CHECK (n BETWEEN 1 AND 5);"
        "ALTER TABLE profiles ADD CONSTRAINT profiles_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id);"
        "CREATE UNIQUE INDEX users_email ON users (tenant_id, lower(email::text));",
        "--server-bin", server.bin, schema=HARD.read_text())
    trip = trip_of(outcome)
    assert found(outcome) == [] and trip["verdict"] == "lossless", (outcome, trip)
    made = {table["table"]: table for table in trip["writes"]}
    for table in NOTED:
        rows = made[f"public.{table}"]["rows"]
        assert all(row["written"] for row in rows), (table, rows)
    uses = {row["uses"] for table in trip["writes"] for row in table["rows"]}
    assert uses == {"plain", "violates the former check", "null", "no such parent", "duplicate key"}
    # A table that holds its one row already takes no other: that is said.
    assert "settings_pkey" in made["public.settings"]["rows"][0]["reason"]


# --- where it comes from -----------------------------------------------------------------------------------

def test_goose_sections_are_run(rehearse):
    rehearse.write("schema.sql", SHOP)
    rehearse.write("m/00001_note.sql", "-- +goose Up\nALTER TABLE users ADD COLUMN note text;\n"
                   "-- +goose Down\nALTER TABLE users DROP COLUMN note;\n")
    rehearse.write("m/00002_fn.sql", "-- +goose Up\n-- +goose StatementBegin\nCREATE FUNCTION one() RETURNS int\n"
                   "LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;\n-- +goose StatementEnd\n"
                   "-- +goose Down\n-- +goose StatementBegin\nDROP FUNCTION one();\n-- +goose StatementEnd\n")
    outcome = rehearse("run", "m", "--schema", "schema.sql")
    assert trip_of(outcome)["verdict"] == "lossless" and found(outcome) == [], outcome
    assert trip_of(outcome)["steps"] == ["00002_fn.sql (down)", "00001_note.sql (down)"]


def test_dbmate_sections_are_run(rehearse):
    rehearse.write("schema.sql", SHOP)
    rehearse.write("m/20240101_index.sql", "-- migrate:up transaction:false\n"
                   "CREATE INDEX CONCURRENTLY users_phone ON users (phone);\n\n"
                   "-- migrate:down transaction:false\nDROP INDEX CONCURRENTLY users_phone;\n")
    outcome = rehearse("run", "m", "--schema", "schema.sql")
    assert trip_of(outcome)["verdict"] == "lossless" and found(outcome) == [], outcome


def test_pairs_of_golang_migrate_are_run(rehearse):
    rehearse.write("schema.sql", SHOP)
    rehearse.write("m/1_note.up.sql", "ALTER TABLE users ADD COLUMN note text;")
    rehearse.write("m/1_note.down.sql", "ALTER TABLE users DROP COLUMN note;")
    rehearse.write("m/2_tag.up.sql", "ALTER TABLE users ADD COLUMN tag text NOT NULL DEFAULT '';")
    rehearse.write("m/2_tag.down.sql", "ALTER TABLE users DROP COLUMN tag;")
    outcome = rehearse("run", "m", "--schema", "schema.sql")
    assert trip_of(outcome)["verdict"] == "lossless" and found(outcome) == [], outcome
    assert trip_of(outcome)["steps"] == ["2_tag.down.sql", "1_note.down.sql"]


def test_flyway_undo_and_diesel_down_are_run(rehearse):
    rehearse.write("schema.sql", SHOP)
    rehearse.write("f/V1__note.sql", "ALTER TABLE users ADD COLUMN note text;")
    rehearse.write("f/U1__note.sql", "ALTER TABLE users DROP COLUMN note;")
    rehearse.write("d/2024-01-01_note/up.sql", "ALTER TABLE users ADD COLUMN note text;")
    rehearse.write("d/2024-01-01_note/down.sql", "ALTER TABLE users DROP COLUMN note;")
    for directory in ("f", "d"):
        outcome = rehearse("run", directory, "--schema", "schema.sql", "--out", "out-" + directory)
        assert trip_of(outcome)["verdict"] == "lossless" and found(outcome) == [], outcome


def test_chain_ends_at_a_step_without_a_way_back(rehearse):
    rehearse.write("schema.sql", SHOP)
    rehearse.write("m/1_a.sql", "ALTER TABLE users ADD COLUMN a text;")
    rehearse.write("m/2_b.sql", "ALTER TABLE users ADD COLUMN b text;")
    rehearse.write("m/2_b.down.sql", "ALTER TABLE users DROP COLUMN b;")
    outcome = rehearse("run", "m", "--schema", "schema.sql")
    trip = trip_of(outcome)
    assert trip["verdict"] == "lossless" and trip["ends_at"] == "1_a.sql" and found(outcome) == [], outcome
    assert trip["steps"] == ["2_b.down.sql"]


def test_directory_of_ways_back(rehearse):
    rehearse.write("schema.sql", SHOP)
    rehearse.write("up/1_a.sql", "ALTER TABLE users ADD COLUMN a text;")
    rehearse.write("undo/1_a.sql", "ALTER TABLE users DROP COLUMN a;")
    outcome = rehearse("run", "up", "--schema", "schema.sql", "--down", "undo")
    assert trip_of(outcome)["verdict"] == "lossless" and found(outcome) == [], outcome


def test_command_is_run_where_it_reaches_the_clone_alone(rehearse):
    outcome = rehearse.run(QUIET + "ALTER TABLE users ADD COLUMN note text;", SHOP, "--down",
                           "psql -v ON_ERROR_STOP=1 -c 'ALTER TABLE users DROP COLUMN note' && echo done {host}")
    assert trip_of(outcome)["verdict"] == "lossless" and found(outcome) == [], outcome


def test_command_that_fails_is_told(rehearse):
    outcome = rehearse.run(QUIET + "ALTER TABLE users ADD COLUMN note text;", SHOP, "--down", "exit 7")
    finding, = outcome.findings("down-fails")
    assert "never connected" in finding["title"] and outcome.status == 5, outcome


@pytest.mark.parametrize("down, words", [("no/such/down.sql", "no such file"), ("undo.sql", "no such file"),
                                         ("empty.sql", "is empty"), ("none.sql", "holds no SQL statement"),
                                         ("ALTER TABLE users DROP COLUMN note", "not SQL"), ("", "--down")])
def test_mistaken_way_back_is_a_usage_error(rehearse, down, words):
    rehearse.write("empty.sql", "")
    rehearse.write("none.sql", "-- nothing\n")
    outcome = rehearse.run("SELECT 1;", SHOP, "--down", down)
    assert outcome.status == 2 and words in outcome.stderr, outcome


def test_alembic_downgrade_leaves_its_ledger_alone(rehearse):
    if not shutil.which("alembic"):
        pytest.skip("alembic is not installed")
    project = rehearse.directory
    rehearse.write("alembic.ini", "[alembic]\nscript_location = migrations\n")
    rehearse.write("migrations/env.py", "import os\nfrom alembic import context\nfrom sqlalchemy import create_engine\n"
                   "engine = create_engine(os.environ['DATABASE_URL'].replace('postgresql:', 'postgresql+psycopg2:')"
                   ".replace('postgres:', 'postgresql+psycopg2:'))\n"
                   "with engine.connect() as connection:\n    context.configure(connection=connection)\n"
                   "    with context.begin_transaction():\n        context.run_migrations()\n")
    rehearse.write("migrations/versions/a.py", "from alembic import op\nimport sqlalchemy as sa\n"
                   "revision = 'a'\ndown_revision = None\n"
                   "def upgrade():\n    op.add_column('users', sa.Column('note', sa.Text))\n"
                   "def downgrade():\n    op.drop_column('users', 'note')\n")
    rehearse.write("schema.sql", SHOP)
    outcome = rehearse("run", "--schema", "schema.sql", "--down", "alembic downgrade -1", "--",
                       "alembic", "upgrade", "head", cwd=project)
    assert trip_of(outcome)["verdict"] == "lossless" and found(outcome) == [], outcome
    assert any("ledger" in note for note in trip_of(outcome)["notes"])


# --- without one: the plan -------------------------------------------------------------------------------

# name: up, statements that the plan must hold, in this order
PLANS = {
    "index": ("CREATE INDEX users_phone ON users (phone);", ["DROP INDEX CONCURRENTLY public.users_phone"]),
    "column": ("ALTER TABLE users ADD COLUMN note text;", ["ALTER TABLE public.users DROP COLUMN note"]),
    "rename": ("ALTER TABLE notes RENAME body TO words; ALTER TABLE notes RENAME TO remarks;",
               ["ALTER TABLE public.remarks RENAME COLUMN words TO body",
                "ALTER TABLE public.remarks RENAME TO notes"]),
    "dropped index": ("DROP INDEX users_adults;",
                      ["CREATE INDEX CONCURRENTLY users_adults ON public.users USING btree (email) WHERE (age >= 18)"]),
    "dropped constraint": ("ALTER TABLE users DROP CONSTRAINT users_age_check;",
                           ["ALTER TABLE public.users ADD CONSTRAINT users_age_check CHECK ((age > 0)) NOT VALID",
                            "ALTER TABLE public.users VALIDATE CONSTRAINT users_age_check"]),
    "dropped key": ("ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey;",
                    ["ALTER TABLE public.orders ADD CONSTRAINT orders_user_id_fkey"]),
    "dropped view": ("DROP VIEW busy;", ["CREATE VIEW public.busy AS"]),
    "view with another meaning": ("CREATE OR REPLACE VIEW busy AS SELECT id FROM orders WHERE user_id > 6;",
                                  ["DROP VIEW public.busy", "CREATE VIEW public.busy AS"]),
    "default and not null": ("ALTER TABLE users ALTER age DROP DEFAULT, ALTER age DROP NOT NULL;",
                             ["ALTER TABLE public.users ALTER COLUMN age SET DEFAULT 18",
                              "ALTER TABLE public.users ALTER COLUMN age SET NOT NULL"]),
    "comment and grant": ("COMMENT ON COLUMN users.phone IS NULL; REVOKE SELECT ON users FROM app;"
                          "GRANT INSERT ON orders TO app;",
                          ["REVOKE INSERT ON TABLE public.orders FROM app",
                           "GRANT SELECT ON TABLE public.users TO app",
                           "COMMENT ON COLUMN public.users.phone IS 'with the country'"]),
    "type": ("ALTER TABLE orders ALTER total TYPE bigint;",
             ["ALTER TABLE public.orders ALTER COLUMN total TYPE integer USING total::integer"]),
    "label": ("ALTER TYPE mood ADD VALUE 'angry';", ["CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'happy')"]),
    "table": ("CREATE TABLE tags (id serial PRIMARY KEY, user_id int REFERENCES users);", ["DROP TABLE public.tags"]),
    "function": ("CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';",
                 ["CREATE OR REPLACE FUNCTION public.note()"]),
    "trigger": ("ALTER TABLE users DISABLE TRIGGER users_log;",
                ["ALTER TABLE public.users ENABLE TRIGGER users_log"]),
    "empty table dropped": ("DROP TABLE log;", ["CREATE TABLE public.log (what text)"]),
    "table with parts dropped, without rows": (
        "DROP TABLE parts;",
        ["CREATE SEQUENCE public.parts_id_seq", "CREATE TABLE public.parts (id integer DEFAULT nextval(",
         "ALTER SEQUENCE public.parts_id_seq OWNED BY public.parts.id",
         "ALTER TABLE public.parts ADD CONSTRAINT parts_pkey PRIMARY KEY (id)",
         "CREATE UNIQUE INDEX CONCURRENTLY parts_name ON public.parts USING btree (lower(name))",
         "CREATE POLICY own ON public.parts", "GRANT SELECT ON TABLE public.parts TO app"]),
}


PARTS = """
CREATE TABLE parts (id serial PRIMARY KEY, name text NOT NULL, tag text DEFAULT 'x');
CREATE UNIQUE INDEX parts_name ON parts (lower(name));
ALTER TABLE parts ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON parts FOR SELECT TO app USING (tag = 'x');
GRANT SELECT ON parts TO app;
COMMENT ON COLUMN parts.tag IS 'its label';
"""


@pytest.fixture(scope="session")
def planned(session_rehearse):
    return session_rehearse("planned").run(QUIET + "".join(up for up, _ in PLANS.values()), SHOP + PARTS)


@pytest.mark.parametrize("name", PLANS)
def test_plan_holds_the_commands(planned, name):
    _, wanted = PLANS[name]
    statements = [item["sql"] for item in trip_of(planned)["plan"]["items"]]
    at = 0
    for sql in wanted:
        at = next((i for i in range(at, len(statements)) if statements[i].startswith(sql)), None)
        assert at is not None, f"no {sql!r} in order in {statements}"
    assert wanted[0] in (planned.directory / "rollback.md").read_text()


def test_plan_is_tried(planned):
    trip = trip_of(planned)
    assert trip["plan"]["tried"] and trip["plan"]["proven"], trip["plan"]
    assert trip["verdict"] == "lossless" and found(planned) == [], planned
    assert "tried" in (planned.directory / "rollback.md").read_text()


def test_plan_undoes_a_release_of_many_kinds(rehearse, server):
    outcome = rehearse.run("""SET lock_timeout = '2s';
DROP TABLE logs;
DROP TRIGGER rooms_tg ON rooms;
DROP VIEW v2; DROP VIEW v1;
DROP MATERIALIZED VIEW mv;
DROP STATISTICS st1;
ALTER TABLE nothing SET SCHEMA other;
ALTER TABLE other.nothing RENAME TO something;
ALTER TABLE e2 RENAME CONSTRAINT e2_pkey TO e2_pk;
ALTER INDEX users_email RENAME TO users_mail;
ALTER DOMAIN email ADD CONSTRAINT short CHECK (length(VALUE) < 500);
DROP TYPE pair;
DROP FUNCTION tg();
ALTER TABLE users ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON users USING (true);
ALTER TABLE users SET (fillfactor = 80);
ALTER TABLE users ALTER email SET STATISTICS 500;
ALTER TABLE rooms ALTER id SET GENERATED BY DEFAULT;
ALTER TABLE e1 ADD x int GENERATED ALWAYS AS (id * 2) STORED;
REVOKE USAGE ON SCHEMA public FROM app2;
CREATE SEQUENCE sq; ALTER TABLE e2 ADD y int DEFAULT nextval('sq');
""", HARD.read_text(), "--server-bin", server.bin)
    trip = trip_of(outcome)
    assert trip["plan"]["proven"] and trip["verdict"] == "lossless", trip["plan"]
    assert found(outcome) == [], outcome


def test_plan_says_what_only_a_backup_brings_back(rehearse):
    outcome = rehearse.run(QUIET + "ALTER TABLE users DROP COLUMN phone;\nDELETE FROM orders WHERE id > 290;", SHOP)
    trip = trip_of(outcome)
    assert trip["verdict"] == "not-reversible" and not trip["plan"]["lossless"] and not trip["plan"]["tried"]
    text = (outcome.directory / "rollback.md").read_text()
    assert "restore from backup: nothing else brings back 100 values of public.users.phone" in text, text
    assert "restore from backup: nothing else brings back 10 rows of public.orders" in text, text
    assert "ALTER TABLE public.users ADD COLUMN phone text;" in text
    assert found(outcome) == []


def test_plan_is_written_of_a_migration_that_failed(rehearse):
    outcome = rehearse.run("CREATE INDEX users_phone ON users (phone);\nSELECT 1 / 0;", SHOP)
    assert trip_of(outcome)["verdict"] == "not-rehearsed"
    assert "DROP INDEX CONCURRENTLY public.users_phone;" in (outcome.directory / "rollback.md").read_text()


def test_way_back_is_not_rehearsed_when_nobody_wants_it(rehearse):
    outcome = way_back(rehearse, "ALTER TABLE users ADD COLUMN note text;", "SELECT 1;", "--no-way-back")
    assert trip_of(outcome)["verdict"] == "not-rehearsed" and found(outcome) == []
    assert (outcome.directory / "rollback.md").exists()


def test_way_back_is_left_out_when_no_time_is_left(rehearse):
    outcome = way_back(rehearse, "SELECT pg_sleep(5); ALTER TABLE users ADD COLUMN note text;",
                       "ALTER TABLE users DROP COLUMN note;", "--timeout", "30s")
    assert outcome.status == 0, outcome
    assert trip_of(outcome)["verdict"] == "not-rehearsed"
    assert trip_of(outcome)["reason"] == "no time was left of --timeout"


def test_way_back_that_hangs_does_not_end_the_run(rehearse):
    outcome = way_back(rehearse, "ALTER TABLE users ADD COLUMN note text;", "SELECT pg_sleep(600);", "--timeout", "30s")
    assert trip_of(outcome)["verdict"] == "not-rehearsed", outcome
    assert trip_of(outcome)["reason"] == "its share of --timeout was over" and outcome.status != 124


def test_interrupt_during_the_way_back_ends_the_run(rehearse):
    rehearse.write("down.sql", "SELECT pg_sleep(600);")
    rehearse.write("migration.sql", QUIET + "ALTER TABLE users ADD COLUMN note text;")
    rehearse.write("schema.sql", SHOP)
    process = rehearse.start("run", "migration.sql", "--schema", "schema.sql", "--down", "down.sql")
    for line in process.stderr:
        if b"rehearse the way back ..." in line:
            break
    process.send_signal(signal.SIGINT)
    outcome = rehearse.finish(process)
    assert outcome.status == 130, outcome


# --- backups -----------------------------------------------------------------------------------------------

@pytest.fixture
def dumping():
    if not shutil.which("pg_dump"):
        pytest.skip("pg_dump is not installed")


def test_restore_of_the_migrated_database_is_the_same(rehearse, dumping):
    outcome = rehearse.run(QUIET + "ALTER TABLE users ADD COLUMN note text DEFAULT 'x';"
                           "CREATE MATERIALIZED VIEW old AS SELECT id FROM users WHERE age > 40;", SHOP, "--restore-test")
    test = trip_of(outcome)["restore_test"]
    assert test["ran"] and test["failure"] is None and test["differences"] == [], test
    assert found(outcome) == [], outcome


def test_restore_that_fails_is_found(rehearse, dumping):
    outcome = rehearse.run(
        QUIET + "CREATE TABLE limits (most int); INSERT INTO limits VALUES (1000);"
        "CREATE FUNCTION within(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS"
        " $$ BEGIN RETURN $1 < (SELECT most FROM limits); END $$;"
        "ALTER TABLE orders ADD CONSTRAINT within CHECK (within(total)) NOT VALID;"
        "ALTER TABLE orders VALIDATE CONSTRAINT within;", SHOP, "--restore-test")
    finding, = outcome.findings("restore-fails")
    assert outcome.status == 5 and "limits" in finding["title"], outcome


def test_restore_is_tested_without_a_way_back_too(rehearse, dumping):
    outcome = rehearse.run(QUIET + "ALTER TABLE users ADD COLUMN note text;", SHOP, "--restore-test", "--no-way-back")
    trip = trip_of(outcome)
    assert trip["restore_test"]["ran"] and trip["restore_test"]["differences"] == []
    assert trip["reason"] == "--no-way-back was given"


def test_restore_says_why_it_was_not_tried(rehearse, dumping):
    outcome = rehearse.run(QUIET + "ALTER TABLE nowhere ADD COLUMN note text;", SHOP, "--restore-test")
    assert trip_of(outcome)["restore_test"]["reason"] == "the migration failed"
    assert "not tried: the migration failed" in outcome.stdout
