"""Every blocker at once: one run lists what would stop a whole release, whatever tool sends it.

The release has seven problems with the data of five migrations, one statement that needs a skipped
one, and one failure that is no question of rows. Every client here sends the very same statements.
"""
import json
import os
import shutil
import subprocess
import sys
import textwrap

import pytest

from test_wrapped import node_modules  # noqa: F401 (a fixture)

SCHEMA = """
CREATE TABLE users (id int PRIMARY KEY, email text, name text, code text,
                    created_at timestamptz DEFAULT '2026-01-01');
CREATE TABLE orders (id bigint PRIMARY KEY, user_id int, total numeric, ref text);
INSERT INTO users SELECT i, 'u' || (i % 95) || '@x', CASE WHEN i % 10 = 0 THEN NULL ELSE 'name' || i END,
                         CASE WHEN i = 7 THEN 'n/a' ELSE i::text END FROM generate_series(1, 100) i;
INSERT INTO orders SELECT i, CASE WHEN i % 50 = 0 THEN 1000 + i ELSE i % 100 + 1 END,
                          CASE WHEN i % 33 = 0 THEN -1 ELSE i END,
                          repeat('x', CASE WHEN i < 4 THEN 30 ELSE 5 END) FROM generate_series(1, 200) i;
"""

MIGRATIONS = {
    "1_users": ["ALTER TABLE users ADD COLUMN age int",
                "CREATE UNIQUE INDEX users_email_idx ON users (email)",
                "ALTER TABLE users ALTER COLUMN name SET NOT NULL"],
    "2_orders": ["ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id)",
                 "ALTER TABLE orders ADD CONSTRAINT orders_total CHECK (total >= 0)",
                 "ALTER TABLE orders ADD COLUMN note text"],
    "3_types": ["ALTER TABLE users ALTER COLUMN code TYPE integer USING code::integer",
                "ALTER TABLE orders ALTER COLUMN ref TYPE varchar(10)"],
    "4_key": ["ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE USING INDEX users_email_idx",
              "UPDATE users SET age = 3 WHERE id = 1"],
    "5_last": ["ALTER TABLE users ALTER COLUMN created_at SET NOT NULL",
               "ALTER TABLE orders ALTER COLUMN id TYPE smallint USING (id * 1000)::smallint",
               "ALTER TABLE users ADD COLUMN last int"],
}
STATEMENTS = [statement for file in MIGRATIONS.values() for statement in file]

# What must be found: words of the statement, its SQLSTATE, the rule, and how many groups and rows.
PROBLEMS = [("users_email_idx ON", "23505", "duplicate-keys", 5, 10),
            ("name SET NOT NULL", "23502", "null-values", None, 10),
            ("orders_user FOREIGN", "23503", "orphan-rows", None, 4),
            ("orders_total CHECK", "23514", "check-violations", None, 6),
            ("code::integer", "22P02", "cast-failure", None, 1),
            ("varchar(10)", "22001", "value-too-long", None, 3),
            ("smallint", "22003", "out-of-range", None, 168)]
NOT_REACHED = ("USING INDEX users_email_idx", "42704")


def write_files(rehearse, render):
    for name, statements in MIGRATIONS.items():
        rehearse.write(f"m/{name}.sql", render(statements))
    rehearse.write("schema.sql", SCHEMA)


def plain(statements):
    return "".join(f"{statement};\n" for statement in statements)


SQLSTATES = [sqlstate for _, sqlstate, *_ in PROBLEMS]


def assert_findings(outcome):
    """One finding for each problem, with all its rows and a repair that was tried."""
    findings = [finding for finding in outcome.findings() if finding["severity"] == "error"]
    counts = [(finding["rule"], finding["evidence"].get("groups"), finding["evidence"].get("rows"))
              for finding in findings]
    assert counts == [(rule, groups, rows) for _, _, rule, groups, rows in PROBLEMS], outcome
    for finding in findings:
        assert set(finding["evidence"]) <= {"groups", "rows", "sample_keys", "newest"}
        assert 0 < len(finding["evidence"]["sample_keys"]) <= 10
        assert all(key.startswith("id=") for key in finding["evidence"]["sample_keys"])
        assert finding["advice_sql"] and finding["advice_tried"], finding
    assert {"newest"} <= set(findings[0]["evidence"])


def assert_complete(outcome, first=PROBLEMS[0]):
    """All seven, the one that was not reached, nothing else; and the first pass as it was."""
    assert outcome.status == 5, outcome
    result = outcome.result
    assert result["blockers_incomplete"] is None, outcome
    found = [(blocker["sql"], blocker["error"]["sqlstate"], blocker["needs"]) for blocker in result["blockers"]]
    failed = [(sql, sqlstate) for sql, sqlstate, needs in found if needs is None]
    assert [sqlstate for _, sqlstate in failed] == SQLSTATES, (found, outcome)
    for (words, *_), (sql, _) in zip(PROBLEMS, failed):
        assert words in sql
    assert_findings(outcome)
    behind = [(sql, sqlstate, needs) for sql, sqlstate, needs in found if needs is not None]
    assert len(behind) == 1 and NOT_REACHED[0] in behind[0][0] and behind[0][1] == NOT_REACHED[1], found
    assert "users_email_idx ON" in result["blockers"][behind[0][2] - 1]["sql"]
    assert "7 statements would fail in production" in result["headline"]
    errors = [one for one in result["statements"] if one["error"]]
    assert errors and first[0] in errors[0]["sql"] and errors[0]["error"]["sqlstate"] == first[1]
    return result


# --- files ---------------------------------------------------------------------------------------------

def test_blockers_of_files_in_autocommit(rehearse):
    write_files(rehearse, plain)
    result = assert_complete(rehearse("run", "--schema", "schema.sql", "m"))
    assert [(blocker["step"], blocker["line"]) for blocker in result["blockers"]] == [
        ("1_users.sql", 2), ("1_users.sql", 3), ("2_orders.sql", 1), ("2_orders.sql", 2), ("3_types.sql", 1),
        ("3_types.sql", 2), ("4_key.sql", 1), ("5_last.sql", 2)]
    # The first pass ended where the migration ends, and its trace says so.
    assert [step["name"] for step in result["steps"] if step["ok"]] == []
    assert len(result["statements"]) == 2


def test_blockers_on_every_server_version(rehearse, server):
    write_files(rehearse, lambda statements: f"BEGIN;\n{plain(statements)}COMMIT;\n")
    assert_complete(rehearse("run", "--schema", "schema.sql", "--server-bin", server.bin, "m"))


def test_blockers_show_no_value_unless_asked(rehearse):
    schema = ("CREATE TABLE t (email text PRIMARY KEY, name text, city text);\n"
              "INSERT INTO t VALUES ('ada@example.org', 'Ada Secret', 'Cairo'), ('bob@example.org', 'Bob Secret', NULL),"
              " ('eve@example.org', 'Bob Secret', 'Oslo');\n")
    migration = ("ALTER TABLE t ADD UNIQUE (name);\nALTER TABLE t ALTER city SET NOT NULL;\n"
                 "ALTER TABLE t ALTER city TYPE int USING city::int;\n")
    outcome = rehearse.run(migration, schema)
    text = outcome.stdout + outcome.stderr + json.dumps(outcome.result)
    assert len(outcome.result["blockers"]) == 3, outcome
    assert not any(value in text for value in ("Secret", "Cairo", "Oslo", "@example.org")), text
    outcome = rehearse.run(migration, schema, "--show-values")
    assert "bob@example.org" in json.dumps(outcome.result["blockers"]), outcome


def test_blockers_are_mended_by_the_repairs(rehearse):
    """Pasted where the report says, they make the whole release go through."""
    write_files(rehearse, plain)
    outcome = rehearse("run", "--schema", "schema.sql", "m")
    findings = [finding for finding in outcome.findings() if finding["severity"] == "error"]
    for finding in sorted(findings, key=lambda finding: finding["line"], reverse=True):
        path = rehearse.directory / "m" / finding["step"]
        lines = path.read_text().splitlines(keepends=True)
        lines.insert(finding["line"] - 1, finding["advice_sql"] + "\n")
        path.write_text("".join(lines))
    outcome = rehearse("run", "--schema", "schema.sql", "--max-blocked", "60s", "m")
    result = outcome.result
    assert result["blockers"] is None and all(step["ok"] for step in result["steps"]), outcome
    assert not outcome.rules() & ({rule for _, _, rule, *_ in PROBLEMS} | {"statement-error"}), outcome


def test_blockers_of_files_in_transactions(rehearse):
    write_files(rehearse, lambda statements: f"BEGIN;\n{plain(statements)}COMMIT;\n")
    result = assert_complete(rehearse("run", "--schema", "schema.sql", "m"))
    assert all(blocker["in_transaction"] for blocker in result["blockers"])


def test_blockers_of_a_file_that_only_psql_can_run(rehearse):
    write_files(rehearse, lambda statements: "\\set ON_ERROR_STOP on\n" + plain(statements))
    result = assert_complete(rehearse("run", "--schema", "schema.sql", "m"))
    assert [blocker["line"] for blocker in result["blockers"]] == [3, 4, 2, 3, 2, 3, 2, 3]


# --- wrapped commands -------------------------------------------------------------------------------------

def run_command(rehearse, *command, **options):
    rehearse.write("schema.sql", SCHEMA)
    return rehearse("run", "--schema", "schema.sql", "--", *command, **options)


def run_python(rehearse, body):
    """A client in Python; STATEMENTS and FILES are known to it."""
    program = f"STATEMENTS = {STATEMENTS!r}\nFILES = {MIGRATIONS!r}\n" + textwrap.dedent(body)
    rehearse.write("client.py", program)
    return run_command(rehearse, "/usr/bin/python3", "client.py")


def test_blockers_behind_psql(rehearse):
    rehearse.write("all.sql", plain(STATEMENTS))
    assert_complete(run_command(rehearse, "psql", "-v", "ON_ERROR_STOP=1", "-f", "all.sql"))


def test_blockers_behind_psql_in_one_transaction(rehearse):
    rehearse.write("all.sql", plain(STATEMENTS))
    assert_complete(run_command(rehearse, "psql", "-v", "ON_ERROR_STOP=1", "-1", "-f", "all.sql"))


def test_blockers_inside_one_string(rehearse):
    """A string of several statements is one implicit transaction."""
    assert_complete(run_command(rehearse, "psql", "-c", "; ".join(STATEMENTS)))


def test_blockers_inside_one_string_with_its_own_transactions(rehearse):
    text = "; ".join(f"BEGIN; {'; '.join(statements)}; COMMIT" for statements in MIGRATIONS.values())
    assert_complete(run_command(rehearse, "psql", "-c", text))


def test_blockers_behind_psycopg2(rehearse):
    assert_complete(run_python(rehearse, """
        import psycopg2
        connection = psycopg2.connect("")
        for statements in FILES.values():
            with connection, connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        connection.close()
    """))


def test_blockers_behind_psycopg3(rehearse):
    """Server-side binding: the extended protocol, one Sync each."""
    assert_complete(run_python(rehearse, """
        import psycopg
        with psycopg.connect("", prepare_threshold=0) as connection:
            for statements in FILES.values():
                for statement in statements:
                    connection.execute(statement, prepare=True)
                connection.commit()
    """))


@pytest.mark.parametrize("autocommit", [False, True])
def test_blockers_in_a_pipeline(rehearse, autocommit):
    """The statements of a file are sent in one go, before the first is answered."""
    assert_complete(run_python(rehearse, f"""
        import psycopg
        with psycopg.connect("", autocommit={autocommit}) as connection:
            for statements in FILES.values():
                with connection.pipeline():
                    for statement in statements:
                        connection.execute(statement)
                if not {autocommit}:
                    connection.commit()
    """))


def test_blockers_behind_alembic(rehearse):
    if not shutil.which("alembic"):
        pytest.skip("no alembic")
    rehearse.write("alembic.ini", "[alembic]\nscript_location = scripts\n")
    rehearse.write("scripts/env.py", textwrap.dedent("""
        import os
        import sqlalchemy
        from alembic import context
        engine = sqlalchemy.create_engine(os.environ["DATABASE_URL"].replace("postgres://", "postgresql://"))
        with engine.connect() as connection:
            context.configure(connection=connection, transaction_per_migration=True)
            with context.begin_transaction():
                context.run_migrations()
    """))
    before = None
    for name, statements in MIGRATIONS.items():
        body = "\n".join(f"    op.execute({statement!r})" for statement in statements)
        rehearse.write(f"scripts/versions/v{name}.py",
                       f"from alembic import op\nrevision = {name!r}\ndown_revision = {before!r}\n\n"
                       f"def upgrade():\n{body}\n")
        before = name
    result = assert_complete(run_command(rehearse, "alembic", "upgrade", "head"))
    assert result["steps"][0]["exit_status"] != 0


def test_blockers_behind_node_pg(rehearse, node_modules):  # noqa: F811
    (rehearse.directory / "node_modules").symlink_to(node_modules)
    rehearse.write("client.js", f"const FILES = {json.dumps(MIGRATIONS)};\n" + textwrap.dedent("""
        const { Client } = require('pg');
        (async () => {
          const client = new Client();
          await client.connect();
          for (const statements of Object.values(FILES)) {
            await client.query('BEGIN');
            for (const text of statements)
              await client.query({ text, values: [], queryMode: 'extended' });
            await client.query('COMMIT');
          }
          await client.end();
        })().catch((error) => { console.error(error.message); process.exit(1); });
    """))
    assert_complete(run_command(rehearse, "node", "client.js"))


def test_blockers_behind_knex(rehearse, node_modules):  # noqa: F811
    (rehearse.directory / "node_modules").symlink_to(node_modules)
    rehearse.write("knexfile.js", "module.exports = { client: 'pg', connection: process.env.DATABASE_URL };\n")
    for name, statements in MIGRATIONS.items():
        body = "".join(f"  await knex.raw({json.dumps(statement)});\n" for statement in statements)
        rehearse.write(f"migrations/{name}.js",
                       f"exports.up = async (knex) => {{\n{body}}};\nexports.down = async () => {{}};\n")
    assert_complete(run_command(rehearse, "knex", "migrate:latest",
                                env={"PATH": f"{node_modules}/.bin:{os.environ['PATH']}"}))


# --- what a tool does itself is left alone ------------------------------------------------------------------

def errors_of(result):
    return [(blocker["error"]["sqlstate"], blocker["needs"]) for blocker in result["blockers"]]


def test_blockers_leave_a_tools_own_questions_alone(rehearse):
    """A query for its own table, an error behind its own savepoint, an upsert by error: the client must
    meet them in the second pass as it does in the first."""
    outcome = run_python(rehearse, """
        import psycopg2, sys
        connection = psycopg2.connect("")
        cursor = connection.cursor()
        def fails(statement, sqlstate):
            try:
                cursor.execute(statement)
            except psycopg2.Error as error:
                if error.pgcode != sqlstate:
                    sys.exit(f"{statement}: {error.pgcode}")
            else:
                sys.exit(f"{statement} did not fail")
        for statement, sqlstate in (("SELECT * FROM ledger", "42P01"), ("CREATE TABLE users (id int)", "42P07")):
            fails(statement, sqlstate)
            connection.rollback()
        cursor.execute("CREATE TABLE ledger (n int PRIMARY KEY)")
        cursor.execute("INSERT INTO ledger VALUES (1)")
        cursor.execute("SAVEPOINT mine")
        fails("INSERT INTO ledger VALUES (1)", "23505")
        cursor.execute("ROLLBACK TO SAVEPOINT mine")
        cursor.execute("SELECT count(*) FROM ledger")
        if cursor.fetchone() != (1,):
            sys.exit("the ledger is wrong")
        connection.commit()
        for statement in STATEMENTS:
            cursor.execute(statement)
        connection.commit()
    """)
    result = outcome.result
    assert result["blockers_incomplete"] is None, outcome
    assert "23505" in [sqlstate for sqlstate, _ in errors_of(result)]
    assert [sqlstate for sqlstate, needs in errors_of(result) if needs is None] == [
        sqlstate for sqlstate in SQLSTATES], outcome
    assert not any("ledger" in blocker["sql"] for blocker in result["blockers"])


def test_blockers_say_so_when_the_command_died_of_an_error_of_its_own(rehearse):
    """An error behind the command's own savepoint that the first pass never met is left to it."""
    outcome = run_python(rehearse, """
        import psycopg2
        connection = psycopg2.connect("")
        cursor = connection.cursor()
        cursor.execute(STATEMENTS[1])
        connection.commit()
        cursor.execute("SAVEPOINT mine")
        cursor.execute("INSERT INTO users (id) VALUES (1)")
    """)
    result = outcome.result
    assert errors_of(result) == [("23505", None)], outcome
    assert "left to the command" in result["blockers_incomplete"]
    assert "there may be more" in outcome.stdout


def test_blockers_go_on_behind_a_psql_that_ignores_errors(rehearse):
    rehearse.write("all.sql", plain(STATEMENTS))
    outcome = run_command(rehearse, "psql", "-f", "all.sql")
    assert [sqlstate for sqlstate, needs in errors_of(outcome.result) if needs is None] == [
        sqlstate for sqlstate in SQLSTATES], outcome


# --- kinds of statements ----------------------------------------------------------------------------------

def test_blockers_of_deferred_constraints_come_at_commit(rehearse):
    outcome = rehearse.run(
        "BEGIN;\nALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES users (id)\n"
        "  DEFERRABLE INITIALLY DEFERRED NOT VALID;\nCREATE TABLE log (n int);\n"
        "INSERT INTO orders VALUES (9999, 7777, 1, 'x');\nCOMMIT;\n"
        "INSERT INTO log VALUES (1);\nALTER TABLE users ALTER COLUMN name SET NOT NULL;\n", SCHEMA)
    result = outcome.result
    assert errors_of(result) == [("23503", None), ("42P01", 1), ("23502", None)], outcome
    commit = result["blockers"][0]
    assert commit["tag"] == "COMMIT" and commit["in_transaction"]
    assert [(one["rule"], one["rows"]) for one in commit["offenders"]] == [("orphan-rows", 5)], commit
    assert commit["repair_worked"], commit
    assert result["blockers_incomplete"] is None


DEFERRED = """
CREATE TABLE seats (id int PRIMARY KEY, place int, during int4range,
                    CONSTRAINT one_place UNIQUE (place) DEFERRABLE INITIALLY DEFERRED,
                    CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO seats SELECT n, n, int4range(n * 10, n * 10 + 5) FROM generate_series(1, 100) n;
"""


@pytest.mark.parametrize("end", ["COMMIT", "SET CONSTRAINTS ALL IMMEDIATE"])
@pytest.mark.parametrize("change, expected", [
    ("UPDATE seats SET place = 50 WHERE id IN (7, 8)", ("duplicate-keys", 1, 3, ["id=7", "id=8", "id=50"])),
    ("UPDATE seats SET during = '[13,22)' WHERE id = 90", ("exclusion-conflicts", None, 3, ["id=1", "id=2", "id=90"]))],
    ids=["unique", "exclude"])
def test_blockers_of_deferred_keys_name_the_rows(rehearse, change, expected, end):
    """Only foreign keys were asked about; of these the server's words were all."""
    outcome = rehearse.run(f"BEGIN;\n{change};\n{end};\nCREATE TABLE more (n int);\n"
                           f"{'' if end == 'COMMIT' else 'COMMIT;'}", DEFERRED)
    blocker, *consequences = outcome.result["blockers"]
    # The COMMIT behind SET CONSTRAINTS fails of the same.
    assert [(one["tag"], one["needs"]) for one in consequences] == ([] if end == "COMMIT" else [("COMMIT", 1)])
    assert blocker["tag"] == end.split()[0] and blocker["error"]["constraint"], outcome
    offenders, = blocker["offenders"]
    assert (offenders["rule"], offenders["groups"], offenders["rows"]) == expected[:3], offenders
    assert sorted(offenders["sample_keys"]) == sorted(expected[3])
    assert blocker["repair_worked"], blocker
    assert outcome.result["blockers_incomplete"] is None


def test_blockers_inside_of_a_block_name_the_rows(rehearse):
    outcome = rehearse.run(
        "DO $$ BEGIN\n  ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES users (id);\nEND $$;\n"
        "DO $$ BEGIN UPDATE users SET id = id; COMMIT; ALTER TABLE users ALTER name SET NOT NULL; END $$;\n", SCHEMA)
    foreign, null = outcome.result["blockers"]
    assert foreign["inside"] == "ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES users (id)"
    assert [(one["rule"], one["rows"]) for one in foreign["offenders"]] == [("orphan-rows", 4)], foreign
    assert foreign["repair_worked"], foreign
    finding, = outcome.findings("orphan-rows")
    assert "from inside: ALTER TABLE orders ADD" in finding["why"] and finding["line"] == 1
    # What commits as it goes cannot be tried in a transaction: the statement inside is.
    assert null["inside"] == "ALTER TABLE users ALTER name SET NOT NULL"
    assert [one["rule"] for one in null["offenders"]] == ["null-values"] and null["repair_worked"], null


@pytest.mark.parametrize("key, name", [
    ("CREATE UNIQUE INDEX users_email ON users (lower(email))", "users_email"),  # goes well: NULLs are no duplicates
    ("ALTER TABLE users ADD CONSTRAINT users_email UNIQUE (email)", "users_email"),  # fails, and has a repair too
    ("CREATE INDEX users_email ON users (email)", None)], ids=["made", "failed", "none"])
def test_blockers_do_not_fill_what_is_to_be_unique(rehearse, key, name):
    """'' for the NULLs, then a unique key: its repair deleted all of these rows but one."""
    twice = "INSERT INTO users VALUES (98, 'twice'), (99, 'twice');" if "CONSTRAINT" in key else ""
    outcome = rehearse.run(
        f"SET lock_timeout = '2s';\nALTER TABLE users ALTER email SET NOT NULL;\nDO $$ BEGIN\n{key};\nEND $$;\n",
        "CREATE TABLE users (id int PRIMARY KEY, email text);"
        f"INSERT INTO users SELECT n, CASE WHEN n % 10 > 0 THEN 'u' || n END FROM generate_series(1, 50) n; {twice}")
    offenders, = outcome.result["blockers"][0]["offenders"]
    finding, = outcome.findings("null-values")
    assert offenders["rows"] == 5 and offenders["made_unique"] == name, offenders
    assert ("SET email = ''" in (finding["advice_sql"] or "")) == (name is None), finding
    assert ("value of its own" in finding["advice"]) == (name is not None), finding
    assert finding["advice_tried"] and offenders["repair_invents_values"], finding
    assert not offenders["repair_loses_rows"] and "placeholder" in finding["advice"], finding
    if name:
        assert finding["advice_sql"] == "UPDATE public.users SET email = 'unknown-' || id WHERE email IS NULL;", finding


def test_blockers_own_values_where_a_later_statement_keeps_the_duplicates(rehearse):
    """Deleting them is refused at the end of the release, by a key that it adds; where it stands it is not."""
    outcome = rehearse.run(
        "SET lock_timeout = '2s';\nALTER TABLE users ALTER email SET NOT NULL;\n"
        "CREATE UNIQUE INDEX CONCURRENTLY users_email ON users (lower(email));\n"
        "ALTER TABLE visits ADD CONSTRAINT visits_user FOREIGN KEY (who) REFERENCES users NOT VALID;\n",
        "CREATE TABLE users (id int PRIMARY KEY, email text); CREATE TABLE visits (who int);"
        "INSERT INTO users SELECT n, CASE WHEN n % 10 > 0 THEN 'u' || n % 45 END FROM generate_series(1, 50) n;"
        "INSERT INTO visits SELECT id FROM users;")
    null, = outcome.findings("null-values")
    assert null["advice_sql"] == "UPDATE public.users SET email = 'unknown-' || id WHERE email IS NULL;", outcome
    assert outcome.findings("duplicate-keys")[0]["advice_tried"]


def paste(rehearse, outcome, name):
    """Each repair right before its statement, those of one statement in the order of the report."""
    path = rehearse.directory / name
    lines = path.read_text().splitlines(keepends=True)
    findings = [finding for finding in outcome.findings() if finding["severity"] == "error"]
    for line in sorted({finding["line"] for finding in findings}, reverse=True):
        here = [finding for finding in findings if finding["line"] == line]
        assert all(finding["advice_sql"] and finding["advice_tried"] for finding in here), here
        lines[line - 1:line - 1] = [finding["advice_sql"] + "\n" for finding in here]
    path.write_text("".join(lines))


ACCOUNTS = """
CREATE TABLE tenants (id int PRIMARY KEY, slug varchar(12));
CREATE TABLE accounts (id int PRIMARY KEY, tenant int, email text, place smallint, token uuid, seen date, code text);
CREATE TABLE visits (id int PRIMARY KEY, account int REFERENCES accounts DEFERRABLE INITIALLY DEFERRED, n int);
INSERT INTO tenants SELECT n, CASE WHEN n % 3 > 0 THEN 'tenant-' || n % 8 END FROM generate_series(1, 30) n;
INSERT INTO accounts SELECT n, n % 30 + CASE WHEN n = 7 THEN 100 ELSE 1 END,
    CASE WHEN n % 10 > 0 THEN 'User' || n || '@x' END, nullif(n % 7, 3), NULL,
    CASE WHEN n % 4 > 0 THEN date '2024-01-01' + n END, CASE WHEN n = 9 THEN 'none' ELSE n::text END
    FROM generate_series(1, 50) n;
INSERT INTO accounts VALUES (98, 1, 'user1@X'), (99, 2, 'user2@x'), (100, 3, 'UNKNOWN-20@EXAMPLE.INVALID');
INSERT INTO visits SELECT n, n, -n % 3 FROM generate_series(1, 50) n;
"""
# The keys stand behind the NULLs, before them, in the same statement; over one column, several, an expression.
ACCOUNTS_RELEASE = [
    "ALTER TABLE accounts ALTER email SET NOT NULL",
    "CREATE UNIQUE INDEX accounts_email ON accounts (lower(email))",
    "CREATE UNIQUE INDEX tenants_slug ON tenants (slug)",
    "ALTER TABLE tenants ALTER slug SET NOT NULL",
    "ALTER TABLE accounts ADD UNIQUE (token), ALTER token SET NOT NULL, ALTER seen SET NOT NULL",
    "ALTER TABLE accounts ALTER place SET NOT NULL",
    "ALTER TABLE accounts ADD CONSTRAINT accounts_seen UNIQUE (seen)",
    "ALTER TABLE accounts ADD CONSTRAINT accounts_tenant FOREIGN KEY (tenant) REFERENCES tenants",
    "ALTER TABLE accounts ADD CONSTRAINT accounts_place UNIQUE (tenant, place)",
    "ALTER TABLE accounts ALTER code TYPE varchar(3)",
    "ALTER TABLE visits ADD CONSTRAINT visits_n CHECK (n >= 0)"]


def assert_safe_when_pasted(rehearse, release, *options):
    """No repair of one statement may make what another of the release refuses, or its repair deletes."""
    rehearse.write("schema.sql", ACCOUNTS)
    rehearse.write("m/1.sql", plain(["SET lock_timeout = '2s'", *release]))
    run = ("run", "--schema", "schema.sql", "--max-blocked", "60s", *options, "m")
    paste(rehearse, rehearse(*run), "m/1.sql")
    fixed = rehearse(*run)
    assert fixed.status == 0 and fixed.result["verdict"] == "safe", (fixed.result["headline"], fixed)


def test_blockers_pasted_in_the_order_of_the_report_are_safe(rehearse, server, cluster_of):
    assert_safe_when_pasted(rehearse, ["BEGIN", *ACCOUNTS_RELEASE, "COMMIT"], "--server-bin", server.bin)
    database = cluster_of(server).connect("postgres", autocommit=True)
    database.execute(f"DROP SCHEMA IF EXISTS pasted CASCADE; CREATE SCHEMA pasted; SET search_path = pasted; {ACCOUNTS}")
    database.execute((rehearse.directory / "m/1.sql").read_text().replace("public.", "pasted."))
    # gone are the true duplicates: 98 and 99, and of the slugs all but eight; none that was NULL
    assert database.execute("SELECT count(*), count(DISTINCT lower(email)), count(DISTINCT token), count(DISTINCT seen)"
                            " FROM accounts").fetchone() == (51, 51, 51, 51)
    assert database.execute("SELECT count(*) FROM tenants").fetchone() == (8 + 10,)
    database.execute("DROP SCHEMA pasted CASCADE")
    database.close()


def test_blockers_pasted_without_a_transaction_are_safe(rehearse):
    assert_safe_when_pasted(rehearse, ACCOUNTS_RELEASE)


def test_blockers_do_not_give_one_row_what_another_has(rehearse):
    """'' for the one NULL, and '' is there: then the key is refused."""
    schema = "CREATE TABLE t (id int PRIMARY KEY, v text, w char(1));\nINSERT INTO t VALUES (1, NULL, NULL), (2, '', ''), (3, 'a', 'x');\n"
    rehearse.write("schema.sql", schema)
    rehearse.write("m/1.sql", "SET lock_timeout = '2s';\nALTER TABLE t ALTER v SET NOT NULL;\nCREATE UNIQUE INDEX ON t (v);\n"
                              "ALTER TABLE t ALTER w SET NOT NULL;\nCREATE UNIQUE INDEX ON t (w);\n")
    outcome = rehearse("run", "--schema", "schema.sql", "m")
    text, letter = outcome.findings("null-values")
    assert text["advice_sql"] == "UPDATE public.t SET v = 'unknown-' || id WHERE v IS NULL;", outcome
    # of one letter nothing of ours is left: in words
    assert letter["advice_sql"] is None and "Give each of these rows a value of its own" in letter["advice"], letter


@pytest.mark.parametrize("rows, is_fit", [("(1, 1, NULL), (2, 1, true), (3, 2, NULL)", True),
                                          ("(1, 1, NULL), (2, 1, NULL), (3, 2, NULL)", False),
                                          ("(1, 1, NULL), (2, 1, false), (3, 2, true)", False)])
def test_blockers_one_value_may_do_in_a_key_of_several_columns(rehearse, rows, is_fit):
    """Of a boolean there is no value for each row; within its key none may be needed."""
    outcome = rehearse.run("SET lock_timeout = '2s';\nALTER TABLE t ALTER v SET NOT NULL;\nALTER TABLE t ADD UNIQUE (u, v);\n",
                           f"CREATE TABLE t (id int PRIMARY KEY, u int, v boolean);\nINSERT INTO t VALUES {rows};\n")
    finding, = outcome.findings("null-values")
    assert (finding["advice_sql"] == "UPDATE public.t SET v = false WHERE v IS NULL;") == is_fit, finding
    assert ("value of its own" in finding["advice"]) == (not is_fit), finding


def test_blockers_a_repair_meets_a_key_that_waits(rehearse, server):
    """The server alters no table for whose rows a check is pending; what the repair breaks is found before."""
    schema = ("CREATE TABLE parents (id int PRIMARY KEY, v int NOT NULL);\n"
              "CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents DEFERRABLE INITIALLY DEFERRED);\n"
              "INSERT INTO parents VALUES (1, 7), (2, 7), (3, 8);\nINSERT INTO children VALUES (1, 1);\n")
    migration = "SET lock_timeout = '2s';\nBEGIN;\nCREATE UNIQUE INDEX ON parents (v);\nCOMMIT;\n"
    rehearse.write("schema.sql", schema)
    rehearse.write("m/1.sql", migration)
    run = ("run", "--schema", "schema.sql", "--server-bin", server.bin, "--max-blocked", "60s", "m")
    outcome = rehearse(*run)
    finding, = outcome.findings("duplicate-keys")
    assert finding["advice_tried"] and finding["advice_sql"].endswith(";\nSET CONSTRAINTS ALL IMMEDIATE;"), finding
    paste(rehearse, outcome, "m/1.sql")
    fixed = rehearse(*run)
    assert fixed.status == 0, fixed
    # rows of both are referred to: whichever goes, the key breaks
    rehearse.write("schema.sql", schema + "INSERT INTO children VALUES (2, 2);\n")
    rehearse.write("m/1.sql", migration)
    finding, = rehearse(*run).findings("duplicate-keys")
    assert finding["advice_sql"] is None and "23503" in finding["advice"] and "55006" not in finding["advice"], finding


@pytest.mark.parametrize("key, more, is_mended", [
    ("email", "", True),
    ("lower(email)", "", True),
    ("kind, email", "", True),
    ("email", "ALTER TABLE users ALTER email TYPE varchar(9);\n", False),  # too short for another
    ("email", "INSERT INTO users VALUES (9, 1, 'Duplicate-2-a@b.de');\n", False),  # which may be one of those
    ("email || note", "", False),  # which of them would have to differ?
])
def test_blockers_duplicates_that_others_refer_to_are_told_apart(rehearse, server, key, more, is_mended):
    """No row of theirs can go: the texts get a number each, in front, so that what they were can be seen."""
    rehearse.write("schema.sql", "CREATE TABLE users (id int PRIMARY KEY, kind int NOT NULL, email text NOT NULL, "
                                 "note text NOT NULL DEFAULT '');\n"
                                 "CREATE TABLE posts (id int PRIMARY KEY, author int NOT NULL REFERENCES users);\n"
                                 "INSERT INTO users VALUES (1, 1, 'a@b.de'), (2, 1, 'a@b.de'), (3, 1, 'a@b.de'), (4, 1, 'c@d.de');\n"
                                 "INSERT INTO posts SELECT n, n FROM generate_series(1, 4) n;\n" + more)
    rehearse.write("m/1.sql", f"SET lock_timeout = '2s';\nCREATE UNIQUE INDEX ON users (({key}));\n"
                   .replace("((kind, email))", "(kind, email)"))
    run = ("run", "--schema", "schema.sql", "--server-bin", server.bin, "--max-blocked", "60s", "m")
    outcome = rehearse(*run)
    finding, = outcome.findings("duplicate-keys")
    assert (finding["advice_sql"] is not None) == is_mended, finding
    if not is_mended:
        assert "No repair was found" in finding["advice"]
        return
    assert finding["advice_tried"] and "SET email = 'duplicate-' || d.place || '-' || t.email" in finding["advice_sql"]
    paste(rehearse, outcome, "m/1.sql")
    rehearse.write("checks.sql", "-- name: told apart\n-- expect: = 2\n"
                                 "SELECT count(*) FROM users WHERE email IN ('duplicate-2-a@b.de', 'duplicate-3-a@b.de');\n")
    fixed = rehearse(*run, "--checks", "checks.sql")
    assert fixed.status == 0, fixed


def test_blockers_of_copy(rehearse):
    outcome = run_command_copy(rehearse, "all.sql")
    assert errors_of(outcome.result) == [("23505", None), ("22P02", None), ("23502", None)], outcome
    assert outcome.result["blockers_incomplete"] is None


def run_command_copy(rehearse, name):
    rows = "".join(f"{n}\tuser {n}\n" for n in range(1000, 3000))
    rehearse.write(name, f"COPY users (id, name) FROM stdin;\n{rows}1\tdouble\n\\.\n"
                         f"BEGIN;\nCOPY users (id, name) FROM stdin;\nnone\tbad\n{rows}\\.\nCOMMIT;\n"
                         f"COPY users (id, name) FROM stdin;\n{rows}\\.\n"
                         "ALTER TABLE users ALTER COLUMN email SET NOT NULL;\n")
    return run_command(rehearse, "psql", "-v", "ON_ERROR_STOP=1", "-f", name)


def test_blockers_of_copy_in_the_extended_protocol(rehearse):
    outcome = run_python(rehearse, """
        import psycopg
        with psycopg.connect("") as connection:
            for first in (1, 5000):
                with connection.cursor() as cursor, cursor.copy("COPY users (id, name) FROM STDIN") as copy:
                    for n in range(first, first + 2000):
                        copy.write_row((n, "x"))
                connection.commit()
            connection.execute("ALTER TABLE users ALTER COLUMN email SET NOT NULL", prepare=True)
            connection.commit()
    """)
    assert errors_of(outcome.result) == [("23505", None), ("23502", None)], outcome
    assert outcome.result["blockers_incomplete"] is None


def test_blockers_where_no_savepoint_can_be(rehearse):
    """CONCURRENTLY and VACUUM outside of a transaction. The invalid index that is left would make a later
    rewrite of the table fail, which it would not in production once the first is mended."""
    outcome = rehearse.run(
        "CREATE UNIQUE INDEX CONCURRENTLY i ON users (email);\n"
        "VACUUM users;\n"
        "ALTER TABLE users ADD CONSTRAINT u UNIQUE USING INDEX i;\n"
        "ALTER TABLE users ALTER COLUMN id TYPE bigint;\n"
        "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSET TRANSACTION READ WRITE;\nVACUUM users;\n"
        "ALTER TABLE users ADD COLUMN x int;\nCOMMIT;\nUPDATE users SET x = 1;\n", SCHEMA)
    result = outcome.result
    assert errors_of(result) == [("23505", None), ("42704", 1), ("25001", None)], outcome
    assert result["blockers_incomplete"] is None


def test_blockers_of_statements_the_server_refuses_to_parse(rehearse):
    """psycopg3 prepares on the server: what fails then is answered for later executions too."""
    outcome = run_python(rehearse, """
        import psycopg
        with psycopg.connect("", autocommit=True, prepare_threshold=0) as connection:
            connection.execute("CREATE TABLE t (a int CHECK (a < 0), b text)")
            connection.execute("ALTER TABLE t ADD COLUMN c int, ADD CHECK (a < 1 / (a - a))")
            connection.execute("INSERT INTO t VALUES (1)")
            connection.execute("ALTER TABLE users ADD COLUMN seen int CHECK (seen > 0), ADD CHECK (name <> 'name1')")
            for n in range(3):
                connection.execute("UPDATE users SET seen = %s WHERE id = %s", (n, n), prepare=True)
            cursor = connection.execute("UPDATE users SET seen = %s WHERE id = 1 RETURNING id", (1,))
            assert cursor.fetchall() == []
            assert connection.execute("SELECT count(*) FROM users").fetchone() == (100,)
    """)
    result = outcome.result
    assert result["blockers_incomplete"] is None, outcome
    assert [sqlstate for sqlstate, needs in errors_of(result) if needs is None] == ["23514", "23514"], outcome
    assert [needs for _, needs in errors_of(result) if needs] == [2, 2], outcome


def test_blockers_without_a_question_name_the_row_and_the_functions(rehearse):
    outcome = rehearse.run(
        "ALTER TABLE users ALTER COLUMN name SET NOT NULL;\n"
        "CREATE FUNCTION check_all() RETURNS void LANGUAGE plpgsql AS $$ BEGIN\n"
        "  PERFORM 1 / (id - 7) FROM users ORDER BY id; END $$;\n"
        "SELECT check_all();\nUPDATE orders SET id = 1 WHERE id = 2;\n", SCHEMA)
    assert [sqlstate for sqlstate, _ in errors_of(outcome.result)] == ["23502", "22012", "23505"], outcome
    by_state = {finding["evidence"].get("sqlstate"): finding for finding in outcome.findings("statement-error")}
    assert "check_all() line 2" in by_state["22012"]["evidence"]["context"], outcome
    assert "check_all() line 2" in by_state["22012"]["why"]
    if "23505" in by_state:
        assert "Key (id)=(***)" in by_state["23505"]["evidence"]["detail"]


def test_blockers_a_syntax_error_asks_for_no_second_pass(rehearse):
    outcome = rehearse.run("ALTER TABLE users ADD COLUM x int;\nALTER TABLE users ALTER name SET NOT NULL;\n", SCHEMA)
    assert outcome.status == 1
    assert outcome.result["blockers"] is None


def test_blockers_a_healthy_release_has_no_second_pass(rehearse):
    outcome = rehearse.run("SET lock_timeout = '1s';\nALTER TABLE users ADD COLUMN x int;\n", SCHEMA)
    assert outcome.status == 0, outcome
    assert outcome.result["blockers"] is None
    assert "look for every blocker" not in outcome.stderr


def test_blockers_that_take_too_long_leave_the_verdict_alone(rehearse):
    """Its half of --timeout is over in the second pass, where a function sleeps; the first had failed already."""
    outcome = rehearse.run(
        "ALTER TABLE t ALTER a SET NOT NULL;\nSELECT pg_sleep(60);\n",
        "CREATE TABLE t (id int PRIMARY KEY, a int);\nINSERT INTO t VALUES (1, NULL);\n", "--timeout", "20s")
    assert outcome.status == 5, outcome
    assert outcome.result["blockers_incomplete"] == "its share of --timeout was over"
    assert len(outcome.findings("null-values")) == 1
