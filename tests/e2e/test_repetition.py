"""Again and halfway: the migration run a second time, and cut off and run again."""
import re
import shutil
import signal
import subprocess

import psycopg
import pytest

from conftest import wait_for
from test_wrapped import node_modules, project, run_tool  # noqa: F401 (a fixture)

USERS = """
CREATE TABLE users (id serial PRIMARY KEY, name text, age int);
INSERT INTO users (name, age) SELECT 'user' || n, n % 90 FROM generate_series(1, 1000) n;
"""
QUIET = "SET lock_timeout = '2s';\n"
TWO = QUIET + "ALTER TABLE users ADD COLUMN a int;\nALTER TABLE users ADD COLUMN b int;\n"
RULES = {"half-applied", "not-repeatable"}


@pytest.fixture
def rehearse(rehearse):
    """As a user has it."""
    del rehearse.environment["REHEARSE_CUTS"]
    return rehearse


def said(outcome):
    """What the report says, however it was wrapped."""
    return " ".join(outcome.stdout.split())


def only_cut(outcome):
    assert len(outcome.result["cuts"]) == 1, outcome.result["cuts"]
    return outcome.result["cuts"][0]


def assert_healthy(outcome):
    assert outcome.status == 0, outcome
    assert not RULES & outcome.rules(), outcome
    assert outcome.result["cuts"], outcome.result["rerun"]
    assert {cut["outcome"] for cut in outcome.result["cuts"]} == {"same"}, outcome.result["cuts"]


# --- halfway: files ----------------------------------------------------------------------------------------

def test_two_statements_on_their_own_are_half_applied(rehearse, server):
    outcome = rehearse.run(TWO, USERS, "--server-bin", server.bin)
    assert outcome.status == 0, outcome
    cut = only_cut(outcome)
    assert (cut["how"], cut["after_statement"], cut["committed"]) == ("disconnect", 2, [2])
    assert cut["outcome"] == "fails" and cut["rerun"]["error"]["sqlstate"] == "42701"
    assert cut["rerun"]["error_sql"] == "ALTER TABLE users ADD COLUMN a int;"
    finding, = outcome.findings("half-applied")
    assert finding["severity"] == "info" and finding["line"] == 2  # as everybody expects of a script
    assert finding["evidence"]["sqlstate"] == "42701" and finding["evidence"]["committed"] == [2]
    assert "cut after statement 2 and run again: fails with 42701" in said(outcome)
    # A plain script makes no claim to run twice.
    assert not outcome.findings("not-repeatable")
    assert not outcome.result["rerun"]["ok"] and outcome.result["rerun"]["difference_count"] == 0


def test_the_same_in_a_transaction_is_all_or_nothing(rehearse, server):
    outcome = rehearse.run("BEGIN;\n" + TWO + "COMMIT;\n", USERS, "--server-bin", server.bin)
    assert_healthy(outcome)
    cut = only_cut(outcome)
    assert cut["in_transaction"] and cut["committed"] == [] and cut["equivalent_boundaries"] == 1
    assert cut["after_statement"] == 4 and cut["rerun"]["ok"]
    assert "inside its transaction and run again: ends as if never cut" in said(outcome)


def test_one_statement_has_nothing_halfway(rehearse):
    outcome = rehearse.run(QUIET + "ALTER TABLE users ADD COLUMN a int;\n", USERS)
    assert outcome.result["cuts"] == [] and not RULES & outcome.rules()
    assert "committed at once" in outcome.result["rerun"]["no_cuts_reason"]


def test_statements_that_can_run_again_are_healthy(rehearse):
    assert_healthy(rehearse.run(TWO.replace("ADD COLUMN", "ADD COLUMN IF NOT EXISTS"), USERS))


def test_an_index_cut_in_the_middle_and_taken_for_done(rehearse, server):
    outcome = rehearse.run(QUIET + "CREATE INDEX CONCURRENTLY IF NOT EXISTS users_name ON users (name);\n",
                           USERS, "--server-bin", server.bin)
    cut = only_cut(outcome)
    assert (cut["how"], cut["in_statement"], cut["outcome"]) == ("cancel", 2, "differs"), cut
    assert cut["unfinished_left"] == cut["unfinished_after"] == ["invalid index public.users_name"]
    assert cut["rerun"]["ok"] and cut["rerun"]["differences"] == ["index public.users_name is invalid"]
    finding, = outcome.findings("half-applied")
    assert "IF NOT EXISTS takes it for done" in finding["why"]
    assert finding["advice_sql"] == "DROP INDEX CONCURRENTLY IF EXISTS public.users_name;"


def test_an_index_that_says_it_is_in_the_way_is_told_without_a_finding(rehearse):
    outcome = rehearse.run(QUIET + "CREATE INDEX CONCURRENTLY users_name ON users (name);\n", USERS)
    cut = only_cut(outcome)
    assert cut["outcome"] == "fails" and cut["rerun"]["error"]["sqlstate"] == "42P07"
    assert cut["unfinished_left"] == ["invalid index public.users_name"]
    assert not RULES & outcome.rules()
    assert "it leaves invalid index public.users_name" in said(outcome)


def test_a_rebuilt_index_cut_in_the_middle_leaves_its_copy(rehearse):
    outcome = rehearse.run("REINDEX INDEX CONCURRENTLY users_pkey;\n", USERS)
    cut = only_cut(outcome)
    assert cut["unfinished_after"] == ["invalid index public.users_pkey_ccnew"]
    finding, = outcome.findings("half-applied")
    assert "nothing takes it away" in finding["why"] and "users_pkey_ccnew" in finding["advice_sql"]


def test_a_procedure_that_commits_is_cut_between_its_commits(rehearse):
    outcome = rehearse.run("CALL grow();\n", USERS + """
CREATE PROCEDURE grow() LANGUAGE plpgsql AS $$ BEGIN
  FOR n IN 1..100 LOOP UPDATE users SET age = age + 1 WHERE id = n; PERFORM pg_sleep(0.005); COMMIT; END LOOP;
END $$;
""")
    cut = only_cut(outcome)
    assert (cut["how"], cut["in_statement"], cut["outcome"]) == ("cancel", 1, "differs"), cut
    assert cut["rerun"]["differences"] == ["public.users.age holds other values"]


def test_an_index_that_clears_away_first_is_healthy(rehearse):
    outcome = rehearse.run(QUIET + "DROP INDEX CONCURRENTLY IF EXISTS users_name;\n"
                           "CREATE INDEX CONCURRENTLY users_name ON users (name);\n", USERS)
    assert_healthy(outcome)
    assert {cut["how"] for cut in outcome.result["cuts"]} == {"disconnect", "cancel"}


def test_numbers_and_times_that_differ_anyway_tell_nothing(rehearse):
    outcome = rehearse.run("BEGIN;\n" + QUIET +
                           "INSERT INTO users (name) SELECT 'new' || n FROM generate_series(1, 5) n;\n"
                           "ALTER TABLE users ADD COLUMN seen timestamptz DEFAULT clock_timestamp();\n"
                           "COMMIT;\n", USERS)
    assert outcome.status in (0, 3, 5), outcome
    assert not RULES & outcome.rules(), outcome
    cut = only_cut(outcome)
    assert cut["outcome"] == "same" and cut["rerun"]["set_aside"] > 0, cut


def test_the_server_killed_halfway(rehearse, server):
    outcome = rehearse.run(TWO, USERS, "--cuts", "all", "--server-bin", server.bin)
    killed, = [cut for cut in outcome.result["cuts"] if cut["how"] == "kill"]
    assert killed["outcome"] == "fails" and killed["rerun"]["error"]["sqlstate"] == "42701"
    outcome = rehearse.run("BEGIN;\n" + TWO + "COMMIT;\n", USERS, "--cuts", "all", "--server-bin", server.bin)
    assert_healthy(outcome)
    assert [cut["how"] for cut in outcome.result["cuts"]] == ["disconnect", "kill"]


def test_a_killed_server_empties_what_is_not_logged(rehearse):
    """What is committed, and yet gone: no disconnection would have shown it."""
    outcome = rehearse.run("CREATE UNLOGGED TABLE IF NOT EXISTS work AS SELECT n FROM generate_series(1, 7) n;\n"
                           "CREATE TABLE IF NOT EXISTS result AS SELECT count(*) AS n FROM work;\n", USERS,
                           "--cuts", "all")
    outcomes = {cut["how"]: cut for cut in outcome.result["cuts"]}
    assert outcomes["disconnect"]["outcome"] == "same", outcomes
    assert outcomes["kill"]["outcome"] == "differs", outcomes
    assert "public.work has 0 rows, not 7" in outcomes["kill"]["rerun"]["differences"]
    assert "half-applied" in outcome.rules()


# --- halfway: directories and commands -----------------------------------------------------------------------

def test_a_file_that_ran_is_not_run_again(rehearse):
    rehearse.write("m/1_a.sql", "ALTER TABLE users ADD COLUMN a int;\n")
    rehearse.write("m/2_b.sql", "ALTER TABLE users ADD COLUMN b int;\n")
    rehearse.write("schema.sql", USERS)
    outcome = rehearse("run", "m", "--schema", "schema.sql", "--cuts", "all")
    assert outcome.result["cuts"] == [] and not RULES & outcome.rules()
    rehearse.write("m/2_b.sql", "ALTER TABLE users ADD COLUMN b int;\nALTER TABLE users ADD COLUMN c int;\n")
    outcome = rehearse("run", "m", "--schema", "schema.sql")
    cut = only_cut(outcome)
    assert cut["rerun"]["from_step"] == "2_b.sql" and "\"b\"" in cut["rerun"]["error"]["message"]


def test_files_of_a_tool_are_not_run_twice(rehearse):
    rehearse.write("m/20260101000000_a.sql", "-- +goose NO TRANSACTION\n-- +goose Up\n"
                   "ALTER TABLE users ADD COLUMN a int;\nALTER TABLE users ADD COLUMN b int;\n")
    rehearse.write("schema.sql", USERS)
    outcome = rehearse("run", "m", "--schema", "schema.sql")
    rerun = outcome.result["rerun"]
    assert rerun["kind"] == "tool-files" and not rerun["was_run"] and "twice" in rerun["reason"]
    # The tool runs the file from its start: that much is known.
    assert only_cut(outcome)["outcome"] == "fails" and outcome.rules() & RULES == {"half-applied"}


def run_psql(rehearse, migration, *arguments, script='psql -q -v ON_ERROR_STOP=1 {} -f m.sql'):
    rehearse.write("m.sql", migration)
    rehearse.write("schema.sql", USERS)
    return rehearse("run", "--schema", "schema.sql", "--", "sh", "-c", script.format(" ".join(arguments)))


def test_wrapped_psql_in_a_single_transaction_is_healthy(rehearse):
    outcome = run_psql(rehearse, TWO, "--single-transaction")
    assert_healthy(outcome)
    assert outcome.result["rerun"]["kind"] == "script" and only_cut(outcome)["in_transaction"]
    outcome = run_psql(rehearse, TWO)
    assert outcome.rules() & RULES == {"half-applied"}
    assert only_cut(outcome)["rerun"]["exit_status"] == 3


def test_nothing_passes_after_the_cut(rehearse):
    """A client that connects again at once must not finish what was cut."""
    outcome = run_psql(
        rehearse, "CREATE TABLE IF NOT EXISTS log (n int);\nINSERT INTO log VALUES (1);\n",
        script="for i in 1 2 3; do psql -q -v ON_ERROR_STOP=1 -f m.sql && exit 0; done; exit 1")
    cut = only_cut(outcome)
    assert cut["outcome"] == "same", cut  # one row, not two


def alembic_project(rehearse, body):
    if not shutil.which("alembic"):
        pytest.skip("no alembic")
    directory = project(rehearse, "alembic")
    version, = (directory / "versions").glob("*.py")
    version.write_text("from alembic import op\n\nrevision = '0001'\ndown_revision = None\n\n\n"
                       f"def upgrade():\n{body}")
    rehearse.write("schema.sql", USERS)
    return rehearse("run", "--schema", rehearse.directory / "schema.sql", "--out", directory / "out", "--",
                    "alembic", "upgrade", "head", cwd=directory)


def test_alembic_in_its_transaction_is_healthy_and_a_no_op_again(rehearse):
    outcome = alembic_project(rehearse, "    op.execute('ALTER TABLE users ADD COLUMN a int')\n"
                                        "    op.execute('ALTER TABLE users ADD COLUMN b int')\n")
    assert_healthy(outcome)
    rerun = outcome.result["rerun"]
    assert rerun["kind"] == "ledger" and rerun["ok"] and rerun["difference_count"] == 0 and rerun["ddl"] == 0
    assert "a no-op, as it should be" in said(outcome)
    assert only_cut(outcome)["in_transaction"]


def test_alembic_autocommit_block_is_half_applied(rehearse):
    outcome = alembic_project(rehearse, "    op.execute('ALTER TABLE users ADD COLUMN a int')\n"
                                        "    with op.get_context().autocommit_block():\n"
                                        "        op.execute('CREATE INDEX CONCURRENTLY users_a ON users (a)')\n")
    assert outcome.status == 0, outcome
    finding, = outcome.findings("half-applied")
    assert finding["evidence"]["outcome"] == "fails"
    assert finding["evidence"]["sqlstate"] in ("42701", "42P07")
    assert outcome.result["rerun"]["difference_count"] == 0  # uninterrupted, its ledger holds


@pytest.mark.parametrize("tool, command", [
    ("dbmate", ("dbmate", "--no-dump-schema", "up")),
    ("knex", ("knex", "migrate:latest")),
    ("node-pg-migrate", ("node-pg-migrate", "up")),
    ("graphile-migrate", ("graphile-migrate", "migrate")),
])
def test_tools_with_a_ledger_are_healthy(rehearse, node_modules, tool, command):  # noqa: F811
    outcome = run_tool(rehearse, tool, *command, modules=node_modules)
    assert_healthy(outcome)
    rerun = outcome.result["rerun"]
    assert rerun["kind"] == "ledger" and rerun["ok"] and rerun["differences"] == [], rerun


# --- again -------------------------------------------------------------------------------------------------

DOUBLES = "CREATE TABLE IF NOT EXISTS plans (name text);\nINSERT INTO plans VALUES ('a'), ('b'), ('c');\n"


def test_a_script_that_claims_it_and_doubles_its_rows_is_not_repeatable(rehearse):
    outcome = rehearse.run(DOUBLES, USERS)
    finding, = outcome.findings("not-repeatable")
    assert finding["evidence"]["differences"] == ["public.plans has 6 rows, not 3"]
    assert "half-applied" not in outcome.rules()
    assert "changes the database again: public.plans has 6 rows, not 3" in said(outcome)


def test_a_script_that_finds_nothing_to_do_is_repeatable(rehearse):
    outcome = rehearse.run("CREATE TABLE IF NOT EXISTS plans (name text PRIMARY KEY, at timestamptz);\n"
                           "INSERT INTO plans VALUES ('a') ON CONFLICT DO NOTHING;\n"
                           "UPDATE plans SET at = clock_timestamp();\n", USERS)
    assert not RULES & outcome.rules(), outcome
    # The time of day differs between any two runs.
    assert outcome.result["rerun"]["ok"] and outcome.result["rerun"]["set_aside"] > 0


def test_a_command_without_a_ledger_is_not_repeatable(rehearse):
    rehearse.write("migrate.py", "import os, psycopg\n"
                   "with psycopg.connect(os.environ['DATABASE_URL']) as connection:\n"
                   "    connection.execute('ALTER TABLE users ADD COLUMN a int')\n")
    rehearse.write("schema.sql", USERS)
    outcome = rehearse("run", "--schema", "schema.sql", "--", "/usr/bin/python3", "migrate.py")
    finding, = outcome.findings("not-repeatable")
    assert finding["evidence"]["sqlstate"] == "42701" and finding["evidence"]["exit_status"] == 1
    assert "half-applied" not in outcome.rules()


def test_keep_leaves_what_the_first_run_left(rehearse, place):
    outcome = rehearse.run(DOUBLES, USERS, "--keep")
    assert outcome.findings("not-repeatable"), outcome
    shown = outcome.stdout + outcome.stderr
    with psycopg.connect(re.search(r"postgres(?:ql)?://\S+", shown)[0]) as connection:
        assert connection.execute("SELECT count(*) FROM plans").fetchone() == (3,)
    stop = re.search(r"Stop it with:\n\s+(.+)", shown)[1]
    subprocess.run(["sh", "-c", stop], check=True, capture_output=True, timeout=30)
    wait_for(lambda: not place.processes(), what="the kept server stops")


# --- the tables back, and what is chosen ---------------------------------------------------------------------

SLOW = USERS + """
CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
  $$ BEGIN PERFORM pg_sleep(0.002); RETURN $1; END $$;
DELETE FROM users WHERE id > 200;
"""


def test_a_cancel_gives_the_tables_back(rehearse):
    outcome = rehearse.run(QUIET + "CREATE INDEX users_slow ON users (slow(age));\n", SLOW)
    rerun = outcome.result["rerun"]
    assert rerun["cancel_statement"] == 2, rerun
    assert 0 < rerun["cancel_release_ms"] < 2000 and rerun["cancel_after_ms"] > 100
    assert re.search(r"cancel +statement 2, cancelled after .* gave its locks back in", said(outcome))


def test_cuts_are_as_many_as_wanted(rehearse):
    migration = QUIET + "".join(f"ALTER TABLE users ADD COLUMN IF NOT EXISTS c{n} int;\n" for n in range(8))
    outcome = rehearse.run(migration, USERS)
    assert len(outcome.result["cuts"]) == 2 and outcome.result["rerun"]["cut_places"] == 7
    assert [cut["after_statement"] for cut in outcome.result["cuts"]] == [8, 2]  # the last, the first
    assert "--cuts all" in outcome.result["rerun"]["cut_choice"]
    assert len(rehearse.run(migration, USERS, "--cuts", "3").result["cuts"]) == 3
    outcome = rehearse.run(migration, USERS, "--cuts", "off")
    assert outcome.result["cuts"] is None and outcome.result["rerun"] is None
    assert "again" not in outcome.stdout


@pytest.mark.parametrize("value", ["0", "-1", "65", "some", "3x"])
def test_cuts_of_no_kind_are_a_usage_error(rehearse, value):
    outcome = rehearse.run(TWO, USERS, f"--cuts={value}")
    assert outcome.status == 2 and "--cuts" in outcome.stderr


def test_an_interrupt_ends_the_cuts_too(rehearse):
    rehearse.write("m.sql", TWO.replace("ADD COLUMN", "ADD COLUMN IF NOT EXISTS"))
    rehearse.write("schema.sql", USERS)
    arguments = ("run", "m.sql", "--schema", "schema.sql", "--cuts", "all")
    process = rehearse.start(*arguments)
    for line in process.stderr:
        if b"cut the migration off" in line:
            process.send_signal(signal.SIGINT)
            break
    outcome = rehearse.finish(process, arguments)
    assert outcome.status == 130, outcome
    assert outcome.result["steps"][0]["ok"]  # what was seen until then is kept


def test_a_migration_that_fails_is_not_run_again(rehearse):
    outcome = rehearse.run(TWO + "ALTER TABLE nothing ADD COLUMN a int;\n", USERS)
    assert outcome.result["cuts"] == [] and not outcome.result["rerun"]["was_run"]
    assert outcome.result["rerun"]["reason"] == "the migration failed"
