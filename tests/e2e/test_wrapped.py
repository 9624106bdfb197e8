"""Wrapped commands: the tools people use, for real, each with a tiny project (projects/)."""
import os
import pathlib
import re
import shutil
import socket
import subprocess

import pytest

from conftest import ROOT

PROJECTS = pathlib.Path(__file__).parent / "projects"


@pytest.fixture(scope="session")
def node_modules():
    """Installed by whoever comes first; the others wait until it is whole."""
    if os.environ.get("REHEARSE_NODE_MODULES"):
        return pathlib.Path(os.environ["REHEARSE_NODE_MODULES"])
    done = subprocess.run([ROOT / "tools/node-tools"], cwd=ROOT, timeout=600, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        pytest.skip("tools/node-tools could not get the packages")
    return pathlib.Path(done.stdout.strip()).parent


def project(rehearse, name):
    directory = rehearse.directory / name
    shutil.copytree(PROJECTS / name, directory)
    return directory


def run_tool(rehearse, name, *command, modules=None):
    directory = project(rehearse, name)
    env = {}
    if modules:
        (directory / "node_modules").symlink_to(modules)
        env["PATH"] = f"{modules}/.bin:{os.environ['PATH']}"
    return rehearse("run", "--schema", PROJECTS / "schema.sql", "--out", directory / "out", "--", *command,
                    cwd=directory, env=env)


def assert_traced(outcome, tool):
    """The tool did its work, and what it did was seen."""
    assert outcome.status == 0, outcome
    result = outcome.result
    assert result["verdict"] == "safe" and result["run"]["connected"]
    assert result["fidelity"]["isolated"]
    step = result["steps"][0]
    assert step["is_command"] and step["ok"] and step["exit_status"] == 0 and tool in step["name"]

    def walk(statements):
        for statement in statements:
            yield statement
            yield from walk(statement["children"])
    statements = list(walk(result["statements"]))
    added = [one for one in statements if one["tag"] == "ALTER TABLE" and "nickname" in one["sql"]]
    assert added, [one["sql"] for one in statements]
    locks = [lock for one in statements for lock in one["locks"] if lock["relation"] == "public.users"]
    assert {"AccessExclusiveLock", "ShareLock"} <= {lock["mode"] for lock in locks}
    assert "index-blocks-writes" in outcome.rules()
    assert (outcome.directory / "output.log").exists()


def test_wrapped_psql(rehearse):
    rehearse.write("m.sql", "SET lock_timeout = '2s';\nALTER TABLE users ADD COLUMN nickname text;\n"
                            "CREATE INDEX users_nickname ON users (nickname);\n")
    outcome = rehearse("run", "--schema", PROJECTS / "schema.sql", "--", "psql", "-v", "ON_ERROR_STOP=1", "-f", "m.sql")
    assert_traced(outcome, "psql")
    assert "ALTER TABLE" in (outcome.directory / "output.log").read_text()


def test_wrapped_alembic(rehearse):
    if not shutil.which("alembic"):
        pytest.skip("no alembic")
    assert_traced(run_tool(rehearse, "alembic", "alembic", "upgrade", "head"), "alembic")


def test_wrapped_sqitch(rehearse):
    if not shutil.which("sqitch"):
        pytest.skip("no sqitch")
    assert_traced(run_tool(rehearse, "sqitch", "sqitch", "deploy", "db:{url}"), "sqitch")


def test_wrapped_dbmate(rehearse, node_modules):
    outcome = run_tool(rehearse, "dbmate", "dbmate", "--no-dump-schema", "up", modules=node_modules)
    assert_traced(outcome, "dbmate")


def test_wrapped_node_pg_migrate(rehearse, node_modules):
    assert_traced(run_tool(rehearse, "node-pg-migrate", "node-pg-migrate", "up", modules=node_modules),
                  "node-pg-migrate")


def test_wrapped_knex(rehearse, node_modules):
    assert_traced(run_tool(rehearse, "knex", "knex", "migrate:latest", modules=node_modules), "knex")


def test_wrapped_graphile_migrate(rehearse, node_modules):
    outcome = run_tool(rehearse, "graphile-migrate", "graphile-migrate", "migrate", modules=node_modules)
    assert_traced(outcome, "graphile-migrate")


# --- what the command is given ---------------------------------------------------------------------------

def run_shell(rehearse, script, *arguments, **options):
    return rehearse("run", "--schema", PROJECTS / "schema.sql", *arguments, "--", "sh", "-c", script, **options)


def test_command_gets_every_dialect(rehearse):
    outcome = run_shell(rehearse, "env > seen.env; psql -qc 'SELECT 1'")
    assert outcome.status == 0, outcome
    seen = dict(line.partition("=")[::2] for line in (rehearse.directory / "seen.env").read_text().splitlines())
    assert re.match(r"postgres(ql)?://\w+:\w+@127\.0\.0\.1:\d+/\w+", seen["DATABASE_URL"])
    assert {"PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGPASSWORD", "FLYWAY_URL", "FLYWAY_USER", "FLYWAY_PASSWORD",
            "LIQUIBASE_COMMAND_URL", "GOOSE_DRIVER", "GOOSE_DBSTRING"} <= seen.keys()
    assert seen["FLYWAY_URL"].startswith("jdbc:postgresql://127.0.0.1:")


def test_command_arguments_and_environment_have_placeholders(rehearse):
    outcome = rehearse("run", "--schema", PROJECTS / "schema.sql", "--env", "MY_URL={url}", "--env",
                       "MY_JDBC={jdbc_url}", "--", "sh", "-c",
                       "echo \"$MY_URL|$MY_JDBC|$1|$2|$3|$4|$5\" > seen; psql \"$MY_URL\" -qc 'SELECT 1'", "sh",
                       "{host}", "{port}", "{db}", "{user}", "{password}")
    assert outcome.status == 0, outcome
    url, jdbc, host, port, db, user, password = (rehearse.directory / "seen").read_text().strip().split("|")
    assert f"//{user}:{password}@{host}:{port}/{db}" in url and jdbc.startswith(f"jdbc:postgresql://{host}:{port}/{db}")


def test_command_does_not_inherit_a_production_url(rehearse):
    outcome = run_shell(rehearse, "psql -qc 'SELECT 1'; echo \"$DATABASE_URL$PGHOST$PGSERVICE\" > seen",
                        env={"DATABASE_URL": "postgresql://prod.example.com/app", "PGHOST": "prod.example.com",
                             "PGSERVICE": "prod", "PGSSLMODE": "verify-full"})
    assert outcome.status == 0, outcome
    assert "prod" not in (rehearse.directory / "seen").read_text()


# --- never a pass by accident ------------------------------------------------------------------------------

def test_command_that_never_connects_is_an_error(rehearse):
    outcome = run_shell(rehearse, "true")
    assert outcome.status == 5, outcome
    assert "no-connection" in outcome.rules()


def test_command_that_leaves_a_transaction_open_is_an_error(rehearse):
    outcome = run_shell(rehearse, "psql -qc 'BEGIN' -c 'ALTER TABLE users ADD COLUMN a int'")
    assert outcome.status == 5, outcome
    assert "open-transaction" in outcome.rules()


def test_command_that_hides_a_failed_statement_is_seen(rehearse):
    outcome = run_shell(rehearse, "psql -qc 'ALTER TABLE users ADD UNIQUE (nowhere)'; true")
    assert outcome.status == 5, outcome
    assert outcome.result["steps"][0]["exit_status"] == 0
    assert "statement-error" in outcome.rules()


# --- nowhere else to go ---------------------------------------------------------------------------------------

REACH = """
import socket, sys
def reach(family, address):
    try:
        with socket.socket(family, socket.SOCK_STREAM) as s:
            s.settimeout(3); s.connect(address)
        return "reached"
    except OSError as error:
        return type(error).__name__
print(reach(socket.AF_INET, ("127.0.0.1", int(sys.argv[1]))), reach(socket.AF_UNIX, sys.argv[2]))
"""


def test_command_reaches_the_sandbox_and_nothing_else(rehearse):
    path = f"/tmp/.s.PGSQL.{os.getpid() % 40000 + 10000}"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as local:
        local.bind(path)
        try:
            local.listen()
            os.chmod(path, 0o777)
            rehearse.write("reach.py", REACH)
            script = f"/usr/bin/python3 reach.py {tcp.getsockname()[1]} {path} > seen; psql -qc 'SELECT 1'"
            outcome = run_shell(rehearse, script)
            assert outcome.status == 0, outcome
            assert "reached" not in (rehearse.directory / "seen").read_text()
            # The same with --no-isolation reaches both, and the report says that it could.
            outcome = run_shell(rehearse, script, "--no-isolation")
            assert outcome.status == 0, outcome
            assert (rehearse.directory / "seen").read_text().split() == ["reached", "reached"]
            assert not outcome.result["fidelity"]["isolated"]
            assert any("isolation" in note for note in outcome.result["fidelity"]["notes"])
        finally:
            os.unlink(path)


def test_command_without_isolation_runs_once(rehearse):
    script = "echo ran >> runs; psql -v ON_ERROR_STOP=1 -qc '%s'"
    for statement, status in (("CREATE TABLE t (id int)", 0), ("SELECT 1 FROM nowhere", 5)):
        (rehearse.directory / "runs").unlink(missing_ok=True)
        outcome = run_shell(rehearse, script % statement, "--no-isolation", env={"REHEARSE_CUTS": "auto"})
        assert outcome.status == status, outcome
        assert (rehearse.directory / "runs").read_text().split() == ["ran"]
    outcome = run_shell(rehearse, script % "CREATE TABLE t (id int)", env={"REHEARSE_CUTS": "auto"})
    assert len((rehearse.directory / "runs").read_text().split()) > 2  # rehearsed on clones, too


def test_command_output_is_kept_and_shown(rehearse):
    outcome = run_shell(rehearse, "echo to-stdout; echo to-stderr >&2; psql -qc 'SELECT 1'")
    log = (outcome.directory / "output.log").read_text()
    assert "to-stdout" in log and "to-stderr" in log
    assert "to-stdout" in outcome.stderr
