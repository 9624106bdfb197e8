"""`rehearse run` on SQL files: verdicts, statuses, files, output."""
import json
import os
import pty
import re
import select
import stat
import subprocess
import time

import psycopg
import pytest

from conftest import PROGRAM, wait_for

USERS = """
CREATE TABLE users (id int PRIMARY KEY, email text, age int);
INSERT INTO users SELECT n, 'user' || n % 900 || '@example.com', n % 90 FROM generate_series(1, 1000) n;
"""
SAFE = "SET lock_timeout = '2s';\nALTER TABLE users ADD COLUMN nickname text;\n"


# --- verdicts ------------------------------------------------------------------------------------------

def test_run_is_safe_when_nothing_is_blocked_for_long(rehearse):
    outcome = rehearse.run(SAFE, USERS)
    assert outcome.status == 0, outcome
    assert outcome.result["verdict"] == "safe"
    assert outcome.result["exit_code"] == 0
    assert "SAFE" in outcome.stdout.strip().splitlines()[-1] or "SAFE" in outcome.stdout[-400:]


def test_run_is_unsafe_when_the_data_says_no(rehearse):
    outcome = rehearse.run("SET lock_timeout = '2s';\nALTER TABLE users ADD UNIQUE (email);\n", USERS)
    assert outcome.status == 5, outcome
    result = outcome.result
    assert result["verdict"] == "unsafe" and result["exit_code"] == 5
    statement = outcome.statement("ADD UNIQUE")
    assert statement["ok"] is False
    assert statement["error"]["sqlstate"] == "23505"
    assert statement["line"] == 2 and statement["step"] == "migration.sql"
    assert any(finding["severity"] == "error" for finding in result["findings"])
    # Key values are personal data: they are in no file and on no screen.
    everything = outcome.stdout + outcome.stderr + "".join(
        path.read_text() for path in outcome.directory.iterdir())
    assert "user1@example.com" not in everything and not re.search(r"user\d+@example", everything)


def test_run_is_unsafe_when_the_blocked_gate_is_exceeded(rehearse):
    schema = "CREATE TABLE events (id int PRIMARY KEY, kind text);\n" \
             "INSERT INTO events SELECT n, 'view' || n FROM generate_series(1, 300000) n;"
    outcome = rehearse.run("SET lock_timeout = '2s';\nALTER TABLE events ALTER COLUMN id TYPE bigint;",
                           schema, "--max-blocked", "20ms")
    assert outcome.status == 5, outcome
    # One cause is told once: the rewrite, not the rewrite and the wait. The column's statistics are another matter.
    assert outcome.rules() == {"table-rewrite", "statistics-lost"}
    gate = next(gate for gate in outcome.result["gates"] if gate["name"] == "blocked")
    assert gate["ok"] is False and gate["limit"].replace(" ", "") == "20ms"
    finding = outcome.findings("table-rewrite")[0]
    assert finding["severity"] == "error"
    assert finding["relation"] == "public.events" and finding["line"] == 2
    probes = [probe for probe in outcome.result["probes"] if probe["relation"] == "public.events"]
    assert {probe["kind"] for probe in probes} == {"read", "write"}
    assert max(probe["longest_wait_ms"] for probe in probes) > 20


def test_run_passes_the_same_rewrite_within_the_limit(rehearse):
    schema = "CREATE TABLE events (id int PRIMARY KEY);\n" \
             "INSERT INTO events SELECT generate_series(1, 1000) n;"
    outcome = rehearse.run("SET lock_timeout = '2s';\nALTER TABLE events ALTER COLUMN id TYPE bigint;",
                           schema, "--max-blocked", "5s")
    assert outcome.status == 0, outcome
    assert [finding["severity"] for finding in outcome.findings("table-rewrite")] == ["warning"]


def test_run_on_empty_tables_is_inconclusive(rehearse):
    schema = "CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE audit (id int);"
    outcome = rehearse.run("SET lock_timeout = '2s';\nALTER TABLE users ADD COLUMN a int;", schema)
    assert outcome.status == 3, outcome
    assert outcome.result["verdict"] == "inconclusive"
    assert "users" in outcome.stdout


def test_run_on_empty_tables_is_accepted_with_structure_only(rehearse):
    outcome = rehearse.run("SET lock_timeout = '2s';\nALTER TABLE users ADD COLUMN a int;",
                           "CREATE TABLE users (id int PRIMARY KEY);", "--structure-only")
    assert outcome.status == 0, outcome


def test_run_without_a_schema_creates_from_nothing(rehearse):
    outcome = rehearse.run("CREATE TABLE users (id int PRIMARY KEY);\nINSERT INTO users VALUES (1);\n")
    assert outcome.status == 0, outcome


def test_run_fail_on_warning_makes_warnings_count(rehearse):
    migration = "ALTER TABLE users ADD COLUMN nickname text;"  # no lock_timeout
    assert rehearse.run(migration, USERS).status == 0
    outcome = rehearse.run(migration, USERS, "--fail-on", "warning")
    assert outcome.status == 5, outcome
    assert "no-lock-timeout" in outcome.rules()


def test_run_stops_at_the_first_failing_statement(rehearse):
    rehearse.write("m/1.sql", "ALTER TABLE users ADD COLUMN a int;\nALTER TABLE nowhere ADD COLUMN b int;\n"
                              "ALTER TABLE users ADD COLUMN c int;\n")
    rehearse.write("m/2.sql", "ALTER TABLE users ADD COLUMN d int;\n")
    rehearse.write("schema.sql", USERS)
    outcome = rehearse("run", "m", "--schema", "schema.sql")
    assert outcome.status == 5, outcome
    assert [statement["ok"] for statement in outcome.result["statements"]] == [True, False]
    assert [(step["name"], step["reached"], step["ok"]) for step in outcome.result["steps"]] == [
        ("1.sql", True, False), ("2.sql", False, False)]
    assert outcome.statement("nowhere")["error"]["sqlstate"] == "42P01"


def test_run_open_transaction_is_unsafe(rehearse):
    outcome = rehearse.run("BEGIN;\nALTER TABLE users ADD COLUMN a int;\n", USERS)
    assert outcome.status == 5, outcome
    assert "open-transaction" in outcome.rules()


def test_run_concurrently_in_transaction_names_what_opened_it(rehearse):
    outcome = rehearse.run("BEGIN;\nCREATE INDEX CONCURRENTLY i ON users (email);\nCOMMIT;\n", USERS)
    assert outcome.status == 5, outcome
    finding = outcome.findings("concurrently-in-transaction")[0]
    assert "BEGIN" in json.dumps(finding)


def test_run_lock_held_across_statements(rehearse):
    outcome = rehearse.run("BEGIN;\nSET LOCAL lock_timeout = '1s';\nALTER TABLE users ADD COLUMN a int;\n"
                           "UPDATE users SET a = 1;\nCOMMIT;\n", USERS)
    assert "lock-held-across-statements" in outcome.rules(), outcome
    lock = [lock for lock in outcome.statement("ADD COLUMN")["locks"]
            if lock["relation"] == "public.users" and lock["mode"] == "AccessExclusiveLock"][0]
    update = outcome.statement("UPDATE")
    assert lock["held_ms"] >= update["duration_ms"]


def test_run_invalid_index_is_left_behind(rehearse):
    outcome = rehearse.run("SET lock_timeout = '1s';\nCREATE UNIQUE INDEX CONCURRENTLY users_email ON users (email);\n",
                           USERS)
    assert outcome.status == 5, outcome
    assert "invalid-left-behind" in outcome.rules()
    assert outcome.result["leftovers"][0]["kind"] == "invalid index"


def test_run_destructive_and_unnamed_side_effects(rehearse):
    schema = USERS + "CREATE VIEW adults AS SELECT * FROM users WHERE age > 17;" \
                     "CREATE INDEX users_age ON users (age);"
    outcome = rehearse.run("SET lock_timeout = '1s';\nALTER TABLE users DROP COLUMN age CASCADE;\n", schema)
    assert {"destructive", "unnamed-side-effect"} <= outcome.rules(), outcome
    dropped = {(one["identity"], one["named"]) for one in outcome.statement("DROP COLUMN")["dropped"]}
    assert ("public.users.age", True) in dropped
    assert ("public.adults", False) in dropped and ("public.users_age", False) in dropped


def test_run_own_settings_reach_the_server(rehearse):
    outcome = rehearse.run("SELECT 1 / (current_setting('work_mem') = '7MB')::int;", None, "--set", "work_mem=7MB")
    assert outcome.statement("work_mem")["ok"], outcome


def test_run_is_not_superuser(rehearse):
    outcome = rehearse.run("SELECT 1 / (SELECT 1 - rolsuper::int FROM pg_roles WHERE rolname = current_user);")
    assert outcome.statement("rolsuper")["ok"], outcome


# --- result.json, files --------------------------------------------------------------------------------

TOP_LEVEL = {"format_version", "rehearse_version", "verdict", "exit_code", "headline", "started_at",
             "duration_ms", "fidelity", "steps", "statements", "findings", "gates", "checks",
             "schema_differences", "data_differences", "round_trip", "rerun", "workload"}
STATEMENT = {"index", "step", "line", "sql", "tag", "ok", "start_ms", "duration_ms", "rows", "wal_bytes",
             "in_transaction", "error", "locks", "rewrites", "scans", "dropped", "children"}


def test_result_has_the_documented_shape(rehearse):
    outcome = rehearse.run("SET lock_timeout = '1s';\nALTER TABLE users ALTER COLUMN id TYPE bigint;\n", USERS)
    result = outcome.result
    assert TOP_LEVEL <= result.keys()
    assert result["format_version"] == "1.0"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", result["started_at"])
    assert {"server_version", "snapshot_age_s", "sample_fraction", "masked_columns", "notes"} \
        <= result["fidelity"].keys()
    assert result["fidelity"]["clone_method"] in ("btrfs snapshot", "reflink", "copy")
    assert re.match(r"\d+ MB", result["fidelity"]["clone_note"])
    step = result["steps"][0]
    assert step["name"] == "migration.sql" and re.fullmatch("[0-9a-f]{64}", step["sha256"])
    for statement in result["statements"]:
        assert STATEMENT <= statement.keys()
    statement = outcome.statement("bigint")
    assert statement["tag"] == "ALTER TABLE" and statement["index"] == 2 and statement["line"] == 2
    assert statement["wal_bytes"] > 0 and statement["duration_ms"] > 0
    lock = [lock for lock in statement["locks"] if lock["relation"] == "public.users"
            and lock["mode"] == "AccessExclusiveLock"][0]
    assert {"acquired_ms", "held_ms", "waited_ms", "preexisting"} <= lock.keys() and lock["preexisting"]
    assert {"relation": "public.users", "reason": "column type"}.items() \
        <= next(one for one in statement["rewrites"] if one["relation"] == "public.users").items()
    finding = result["findings"][0]
    assert {"rule", "severity", "title", "step", "line", "statement", "relation", "evidence", "advice",
            "advice_sql", "advice_tried"} <= finding.keys()
    for gate in result["gates"]:
        assert {"name", "limit", "measured", "ok"} <= gate.keys()


def test_files_have_private_modes_and_latest_links_to_them(rehearse):
    outcome = rehearse.run(SAFE, USERS)
    runs = rehearse.directory / ".rehearse" / "runs"
    latest = runs / "latest"
    assert latest.is_symlink() and "/" not in os.readlink(latest)
    directory = latest.resolve()
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}(-\d+)?", directory.name)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    names = {path.name for path in directory.iterdir()}
    assert {"result.json", "events.ndjson", "summary.txt"} <= names
    assert not [name for name in names if name.startswith(".") or "tmp" in name]
    for path in directory.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert outcome.events, "events as observed"
    assert "SAFE" in (directory / "summary.txt").read_text().splitlines()[0] or \
        "SAFE" in (directory / "summary.txt").read_text()[:300]


def test_every_run_has_its_own_directory(rehearse):
    for _ in range(3):
        assert rehearse.run(SAFE, USERS).status == 0
    runs = [path for path in (rehearse.directory / ".rehearse" / "runs").iterdir()
            if path.is_dir() and not path.is_symlink()]
    assert len(runs) == 3
    assert len({path.name.split("-")[1] for path in runs}) == 1, "the same bytes have the same hash"


def test_out_chooses_another_place(rehearse):
    outcome = rehearse.run(SAFE, USERS, "--out", "reports/mine")
    assert outcome.status == 0, outcome
    assert (rehearse.directory / "reports/mine/result.json").exists()
    assert not (rehearse.directory / ".rehearse").exists()


def test_out_that_cannot_be_written_is_refused_before_anything_starts(rehearse):
    rehearse.write("file", "")
    outcome = rehearse.run(SAFE, USERS, "--out", "file/there")
    assert outcome.status == 2, outcome
    assert "--out" in outcome.stderr and "file/there" in outcome.stderr


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="needs /proc")
def test_default_place_that_cannot_be_written_is_no_reason_not_to_rehearse(rehearse):
    migration, schema = rehearse.write("m.sql", SAFE), rehearse.write("s.sql", USERS)
    outcome = rehearse("run", migration, "--schema", schema, cwd="/proc/self")
    assert outcome.status == 0, outcome
    assert outcome.stderr.count("no files") == 1


# --- output -----------------------------------------------------------------------------------------------

def test_output_is_plain_when_it_is_no_terminal(rehearse):
    outcome = rehearse.run(SAFE, USERS)
    assert "\x1b" not in outcome.stdout + outcome.stderr
    assert "\r" not in outcome.stdout + outcome.stderr


def test_output_color_always_forces_color(rehearse):
    assert "\x1b[" in rehearse.run(SAFE, USERS, "--color", "always").stdout
    assert "\x1b[" not in rehearse.run(SAFE, USERS, "--color", "never").stdout


def test_output_quiet_says_little(rehearse):
    loud, quiet = rehearse.run(SAFE, USERS), rehearse.run(SAFE, USERS, "--quiet")
    assert quiet.status == 0
    assert len(quiet.stdout.splitlines()) < len(loud.stdout.splitlines())
    assert quiet.stderr == ""
    assert "SAFE" in quiet.stdout


def test_output_json_is_json_alone(rehearse):
    outcome = rehearse.run(SAFE, USERS, "--json")
    assert outcome.status == 0, outcome
    events = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert events[0]["event"] == "start" and events[-1]["event"] == "result"
    assert events[-1]["verdict"] == "safe" and events[-1]["statements"]


def test_output_json_tells_errors_too(rehearse):
    outcome = rehearse("run", "gone.sql", "--json")
    assert outcome.status == 2, outcome
    last = json.loads(outcome.stdout.splitlines()[-1])
    assert "gone.sql" in json.dumps(last)


def terminal_output(rehearse, arguments, env):
    """Runs under a pseudo terminal of 100 columns; returns what a person would see, raw."""
    leader, follower = pty.openpty()
    subprocess.run(["stty", "cols", "100", "rows", "40"], stdin=follower, check=True)
    process = subprocess.Popen([str(PROGRAM), *arguments], cwd=rehearse.directory, stdin=follower,
                               stdout=follower, stderr=follower, env={**rehearse.environment, **env})
    os.close(follower)
    seen, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([leader], [], [], 0.1)[0]:
            try:
                chunk = os.read(leader, 65536)
            except OSError:
                break
            if not chunk:
                break
            seen += chunk
        elif process.poll() is not None:
            break
    os.close(leader)
    return process.wait(10), seen.decode(errors="replace")


def test_output_on_a_terminal_has_color_unless_no_color(rehearse):
    rehearse.write("m.sql", SAFE)
    rehearse.write("s.sql", USERS)
    arguments = ["run", "m.sql", "--schema", "s.sql"]
    status, seen = terminal_output(rehearse, arguments, {"TERM": "xterm-256color"})
    assert status == 0 and re.search(r"\x1b\[[0-9;]*m", seen), seen
    status, seen = terminal_output(rehearse, arguments, {"TERM": "xterm-256color", "NO_COLOR": "1"})
    assert status == 0 and not re.search(r"\x1b\[[0-9;]*[1-9][0-9;]*m", seen), seen


def test_output_without_utf8_is_ascii(rehearse):
    outcome = rehearse.run(SAFE, USERS, env={"LANG": "C", "LC_ALL": "C"})
    assert outcome.status == 0
    assert (outcome.stdout + outcome.stderr).isascii()


def test_output_findings_are_short(rehearse):
    outcome = rehearse.run("ALTER TABLE users ALTER COLUMN id TYPE bigint;\nCREATE INDEX ON users (email);\n", USERS)
    assert max(len(line) for line in outcome.stdout.splitlines()) <= 100


# --- keep -------------------------------------------------------------------------------------------------

def test_keep_leaves_it_up_until_it_is_stopped(rehearse, place):
    outcome = rehearse.run(SAFE, USERS, "--keep")
    assert outcome.status == 0, outcome
    shown = outcome.stdout + outcome.stderr
    url = re.search(r"postgres(?:ql)?://\S+", shown)[0]
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(nickname), count(*) FROM users").fetchone() == (0, 1000)
    # The next run does not take it away.
    assert rehearse.run(SAFE, USERS).status == 0
    with psycopg.connect(url) as connection:
        connection.execute("SELECT 1")
    stop = re.search(r"Stop it with:\n\s+(.+)", shown)[1]
    subprocess.run(["sh", "-c", stop], check=True, capture_output=True, timeout=30)
    wait_for(lambda: not place.processes(), what="the kept server stops")
