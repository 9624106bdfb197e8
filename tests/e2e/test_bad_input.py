"""Bad input gets a clear error and the documented status; nothing is left behind, nothing is lost.

That nothing is left behind is checked after every test (conftest.nothing_left).
"""
import ctypes
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest

from conftest import IS_ROOT, PROGRAM, SERVERS, wait_for

USERS = """
CREATE TABLE users (id int PRIMARY KEY, email text);
INSERT INTO users SELECT n, 'user' || n FROM generate_series(1, 1000) n;
"""
SAFE = "SET lock_timeout = '2s';\nALTER TABLE users ADD COLUMN nickname text;\n"


def assert_error(outcome, status, *texts):
    assert outcome.status == status, outcome
    assert re.search(r"^(rehearse: )?error: ", outcome.stderr, re.M), outcome
    for text in texts:
        assert text in outcome.stderr, outcome
    assert not outcome.stdout.strip() or status not in (1, 2), outcome
    assert "broken invariant" not in outcome.stderr
    assert outcome.stderr.count("error: ") == 1, "one error is said once"


def assert_nothing_started(rehearse):
    assert not (rehearse.directory / ".rehearse").exists()


# --- arguments --------------------------------------------------------------------------------------------

def test_missing_file(rehearse):
    assert_error(rehearse("run", "0001_gone.sql"), 2, "0001_gone.sql", "No such file")
    assert_nothing_started(rehearse)


@pytest.mark.parametrize("content", ["", "\n\n", "-- nothing but a comment\n", ";\n"])
def test_empty_file(rehearse, content):
    rehearse.write("empty.sql", content)
    assert_error(rehearse("run", "empty.sql"), 2, "empty.sql")
    assert_nothing_started(rehearse)


def test_directory_without_migrations(rehearse):
    rehearse.write("migrations/README.txt", "nothing here")
    assert_error(rehearse("run", "migrations"), 2, "migrations")
    assert_nothing_started(rehearse)


def test_invalid_utf8_names_the_place(rehearse):
    rehearse.write("latin1.sql", b"CREATE TABLE t (id int);\nCOMMENT ON TABLE t IS 'caf\xe9';\n")
    assert_error(rehearse("run", "latin1.sql"), 2, "latin1.sql:2")
    assert_nothing_started(rehearse)


def without_rights_on_files():
    """In a child that is about to become a program: root, too, may then read what its mode says (prctl(2))."""
    for capability in 1, 2:  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def test_unreadable_file(rehearse):
    rehearse.write("secret.sql", SAFE).chmod(0)
    outcome = rehearse("run", "secret.sql", preexec_fn=without_rights_on_files)
    assert_error(outcome, 2, "secret.sql", "Permission denied")


@pytest.mark.parametrize("arguments", [["--frobnicate"], ["--max-blocked", "soon"], ["--max-blocked", "3"],
                                       ["--timeout", "0x"], ["--fail-on", "everything"], ["--color", "blue"],
                                       ["--set", "work_mem"], ["--schema"], ["--schema", "gone.sql"],
                                       ["--snapshot", "gone.dump"]])
def test_wrong_option_is_a_usage_error_before_anything_starts(rehearse, arguments):
    rehearse.write("m.sql", SAFE)
    outcome = rehearse("run", "m.sql", *arguments)
    assert_error(outcome, 2)
    assert arguments[-1].lstrip("-") in outcome.stderr
    assert_nothing_started(rehearse)


def test_nothing_to_run(rehearse):
    assert rehearse("run").status == 2
    assert rehearse("walk").status == 2
    assert_nothing_started(rehearse)


def test_unknown_setting(rehearse):
    outcome = rehearse.run(SAFE, USERS, "--set", "work_memory=7MB")
    assert outcome.status in (1, 2), outcome
    assert_error(outcome, outcome.status, "work_memory")


def test_setting_with_a_bad_value(rehearse):
    outcome = rehearse.run(SAFE, USERS, "--set", "work_mem=lots")
    assert outcome.status in (1, 2), outcome
    assert_error(outcome, outcome.status, "work_mem")


def test_no_server_binaries(rehearse):
    (rehearse.directory / "empty").mkdir()
    outcome = rehearse.run(SAFE, USERS, "--server-bin", "empty")
    assert outcome.status in (1, 2), outcome
    assert_error(outcome, outcome.status, "empty")
    assert "hint" in outcome.stderr


# --- SQL that is none ----------------------------------------------------------------------------------------

def test_syntax_error_has_line_column_and_caret(rehearse):
    outcome = rehearse.run("-- a comment\nALTER TABLE users ADD COLUMN a int;\n\n"
                           "ALTER TABLE users\n    ADD KOLUMN nickname text;\n", USERS)
    assert_error(outcome, 1, "migration.sql:5:25", "syntax error")
    lines = outcome.stderr.splitlines()
    at = next(number for number, line in enumerate(lines) if "ADD KOLUMN" in line and "^" not in line)
    assert lines[at + 1].index("^") == lines[at].index("text")
    # What was seen until then is kept.
    assert outcome.result["exit_code"] == 1
    assert [statement["ok"] for statement in outcome.result["statements"]] == [True, False]


def test_syntax_error_after_wide_characters_and_tabs(rehearse):
    outcome = rehearse.run("COMMENT ON TABLE users IS 'Ünïcödé 漢字'; \tSELEKT 1;\n", USERS)
    assert_error(outcome, 1, "migration.sql:1:42")


def test_syntax_error_of_a_wrapped_command(rehearse):
    rehearse.write("schema.sql", USERS)
    outcome = rehearse("run", "--schema", "schema.sql", "--", "psql", "-v", "ON_ERROR_STOP=1", "-c", "SELEKT 1")
    assert_error(outcome, 1, "SELEKT", "syntax error")


def test_schema_that_fails_names_file_and_line(rehearse):
    outcome = rehearse.run(SAFE, "CREATE TABLE users (id int);\nCREATE TABEL x ();\n")
    assert_error(outcome, 1, "schema.sql", "2")


# --- dumps -------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def dump(debian_cluster, tmp_path_factory):
    """dump(format, *options): a dump of a small database with an owner role."""
    debian_cluster.sql("CREATE ROLE app_owner")
    debian_cluster.new_database("dumped", USERS + "ALTER TABLE users OWNER TO app_owner;"
                                                  "CREATE INDEX ON users (email);")
    directory = tmp_path_factory.mktemp("dumps")

    def make(format, *options):
        path = directory / f"app.{format}{len(list(directory.iterdir()))}"
        return debian_cluster.dump(path, f"-F{format}", *options, database="dumped")
    return make


@pytest.mark.parametrize("format", ["c", "d", "t", "p"])
def test_dump_of_every_format_loads(rehearse, dump, format):
    rehearse.write("m.sql", SAFE)
    outcome = rehearse("run", "m.sql", "--snapshot", dump(format))
    assert outcome.status == 0, outcome
    assert outcome.result["fidelity"]["rows"] == 1000
    assert "app_owner" in json_notes(outcome), "the role that was missing is named"


def json_notes(outcome):
    return "\n".join(outcome.result["fidelity"]["notes"])


@pytest.mark.parametrize("program, suffix", [("gzip", ".gz"), ("zstd", ".zst")])
def test_dump_compressed_loads(rehearse, dump, program, suffix):
    if not shutil.which(program):
        pytest.skip(f"no {program}")
    plain = dump("p")
    packed = rehearse.directory / f"app.sql{suffix}"
    packed.write_bytes(subprocess.run([program, "-c", plain], check=True, capture_output=True).stdout)
    rehearse.write("m.sql", SAFE)
    outcome = rehearse("run", "m.sql", "--snapshot", packed)
    assert outcome.status == 0, outcome
    assert outcome.result["fidelity"]["rows"] == 1000


@pytest.mark.parametrize("format", ["c", "t", "p"])
def test_dump_truncated(rehearse, dump, format):
    whole = dump(format).read_bytes()
    for share in (0.4, 0.9):
        cut = rehearse.write(f"cut{share}.dump", whole[:int(len(whole) * share)])
        rehearse.write("m.sql", SAFE)
        outcome = rehearse("run", "m.sql", "--snapshot", cut)
        assert_error(outcome, 1, cut.name)


def test_dump_truncated_between_two_rows(rehearse, dump):
    """pg_restore alone takes such a tar, or such a file of a directory, for whole: some rows short."""
    rehearse.write("m.sql", SAFE)
    whole = dump("t").read_bytes()
    cut = rehearse.write("cut.tar", whole[:whole.index(b"\n500\t") + 1])
    assert_error(rehearse("run", "m.sql", "--snapshot", cut), 1, "cut.tar")

    directory = dump("d", "-Z0")
    outcome = rehearse("run", "m.sql", "--snapshot", directory)
    assert outcome.result["fidelity"]["rows"] == 1000
    data = max(directory.glob("[0-9]*.dat"), key=lambda path: path.stat().st_size)
    data.write_bytes(data.read_bytes().partition(b"500\t")[0])
    assert_error(rehearse("run", "m.sql", "--snapshot", directory), 1, data.name)


def test_dump_truncated_directory(rehearse, dump):
    directory = rehearse.directory / "dir.dump"
    shutil.copytree(dump("d"), directory)
    data = max(directory.iterdir(), key=lambda path: path.stat().st_size)
    data.write_bytes(data.read_bytes()[:100])
    rehearse.write("m.sql", SAFE)
    assert_error(rehearse("run", "m.sql", "--snapshot", directory), 1, "dir.dump")
    (directory / "toc.dat").unlink()
    outcome = rehearse("run", "m.sql", "--snapshot", directory)
    assert outcome.status in (1, 2), outcome
    assert_error(outcome, outcome.status, "dir.dump")


@pytest.mark.parametrize("name, content", [
    ("mysql.sql", b"-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n"
                  b"CREATE TABLE `users` (`id` int NOT NULL AUTO_INCREMENT) ENGINE=InnoDB;\n"),
    ("app.sqlite", b"SQLite format 3\0" + b"\0" * 4000),
    ("photo.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20),
    ("empty.dump", b""),
])
def test_dump_foreign(rehearse, name, content):
    rehearse.write("m.sql", SAFE)
    dump = rehearse.write(name, content)
    outcome = rehearse("run", "m.sql", "--snapshot", dump)
    assert outcome.status in (1, 2), outcome
    assert_error(outcome, outcome.status, name)


def test_dump_from_a_newer_server(rehearse, dump):
    newest = max(SERVERS)
    rehearse.write("m.sql", SAFE)
    for format in "cp":
        content = dump(format).read_bytes()
        match = re.search(rb"(?:version |\0)(1\d)\.\d+ ", content)
        newer = content.replace(match[1] + match[0].partition(match[1])[2], b"99" + match[0].partition(match[1])[2])
        path = rehearse.write(f"newer.{format}", newer)
        outcome = rehearse("run", "m.sql", "--snapshot", path)
        assert_error(outcome, 1, "99", f"newer.{format}")
    assert newest < 99


def test_dump_needs_an_extension_that_is_not_installed(rehearse, dump):
    text = dump("p").read_text()
    path = rehearse.write("ext.sql", text.replace(
        "CREATE TABLE public.users",
        "CREATE EXTENSION IF NOT EXISTS nosuchext WITH SCHEMA public;\n\nCREATE TABLE public.users"))
    rehearse.write("m.sql", SAFE)
    outcome = rehearse("run", "m.sql", "--snapshot", path)
    assert outcome.status in (0, 1), outcome
    said = outcome.stderr if outcome.status else json_notes(outcome) + outcome.stdout
    assert "nosuchext" in said, outcome


def test_schema_needs_an_extension_that_is_not_installed(rehearse):
    outcome = rehearse.run(SAFE, "CREATE EXTENSION nosuchext;\n" + USERS)
    assert outcome.status == 1, outcome
    assert "nosuchext" in outcome.stderr


def test_schema_needs_a_role_that_does_not_exist(rehearse):
    outcome = rehearse.run(SAFE, USERS + "GRANT SELECT ON users TO reporting;")
    assert outcome.status in (0, 1), outcome
    assert "reporting" in outcome.stderr + outcome.stdout


# --- the machine --------------------------------------------------------------------------------------------

@pytest.fixture
def small_disk(place):
    if not IS_ROOT:
        pytest.skip("mounting a small file system needs root")
    directory = place.root / "small"
    directory.mkdir(exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=90m,mode=0755", "tmpfs", str(directory)]).returncode:
        pytest.skip("may not mount here")
    yield directory
    subprocess.run(["umount", "-l", str(directory)], check=True)


BIG = "CREATE TABLE big (id int, filler text);\n" \
      "INSERT INTO big SELECT n, repeat(md5(n::text), 30) FROM generate_series(1, 200000) n;\n"


def test_disk_full_while_loading(rehearse, small_disk):
    outcome = rehearse.run("SELECT 1;", BIG, env={"REHEARSE_SANDBOX_DIR": str(small_disk)})
    assert_error(outcome, 1)
    assert re.search("No space left|disk is full|space", outcome.stderr), outcome
    assert list(small_disk.iterdir()) == []


def test_disk_full_while_migrating_is_a_finding(rehearse, small_disk):
    outcome = rehearse.run(BIG, USERS, env={"REHEARSE_SANDBOX_DIR": str(small_disk)})
    assert outcome.status in (1, 5), outcome
    assert "space" in outcome.stderr + outcome.stdout
    assert list(small_disk.iterdir()) == []


NO_NAMESPACES = ["/usr/bin/python3", str(pathlib.Path(__file__).with_name("no_namespaces.py"))]


def test_no_permission_for_namespaces_is_said_and_can_be_waived(rehearse):
    if not IS_ROOT or subprocess.run([*NO_NAMESPACES, "true"], capture_output=True).returncode == 77:
        pytest.skip("cannot make a place without namespaces here")
    rehearse.write("s.sql", USERS)

    def run(*arguments):
        command = [*NO_NAMESPACES, str(PROGRAM), "run", "--schema", "s.sql", *arguments]
        process = subprocess.Popen(command, cwd=rehearse.directory, env=rehearse.environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return rehearse.finish(process, arguments)
    outcome = run("--", "psql", "-c", "SELECT 1")
    assert_error(outcome, 1, "--no-isolation")
    outcome = run("--no-isolation", "--", "psql", "-c", "SELECT 1")
    assert outcome.status in (0, 3), outcome
    assert "isolation" in json_notes(outcome)


# --- wrapped commands ------------------------------------------------------------------------------------------

def test_command_not_found(rehearse):
    assert_error(rehearse("run", "--", "nosuchcommand", "up"), 1, "nosuchcommand")
    assert_nothing_started(rehearse)
    rehearse.write("up.sh", "psql -c 'SELECT 1'")
    assert_error(rehearse("run", "--", "./up.sh"), 1, "./up.sh", "Permission denied")
    assert_nothing_started(rehearse)


def test_command_that_is_killed(rehearse):
    rehearse.write("s.sql", USERS)
    outcome = rehearse("run", "--schema", "s.sql", "--", "sh", "-c",
                       "psql -qc 'ALTER TABLE users ADD COLUMN a int' && kill -9 $$")
    assert outcome.status == 5, outcome
    assert outcome.result["steps"][0]["exit_status"] == 137
    assert "KILL" in outcome.stdout or "137" in outcome.stdout


def test_command_that_fails_by_itself(rehearse):
    rehearse.write("s.sql", USERS)
    outcome = rehearse("run", "--schema", "s.sql", "--", "sh", "-c", "psql -qc 'SELECT 1'; exit 7")
    assert outcome.status == 5, outcome
    assert outcome.result["steps"][0]["exit_status"] == 7
    assert "7" in outcome.stdout


# --- servers that die, statements that do not end ---------------------------------------------------------------

MIGRATION_SLEEPS = r"postgres: migrator \S+ .*SELECT"
SCHEMA_SLEEPS = r"postgres: rh_\S+ .*SELECT"


def backend_of(place, pattern):
    """pid of the sandbox's process with such a title ("postgres: USER DATABASE [local] COMMAND")."""
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                title = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                where = os.readlink(entry / "cwd")
            except OSError:
                continue
            if re.search(pattern, title) and where.startswith(str(place.sandboxes)):
                return int(entry.name)
    return None


def start_sleeping(rehearse, place, *arguments):
    rehearse.write("s.sql", USERS)
    rehearse.write("m.sql", "ALTER TABLE users ADD COLUMN a int;\nSELECT pg_sleep(600);\n")
    process = rehearse.start("run", "m.sql", "--schema", "s.sql", *arguments)
    backend = wait_for(lambda: backend_of(place, MIGRATION_SLEEPS) if process.poll() is None else -1, 30,
                       "the migration sleeps")
    assert backend > 0, process.communicate()
    return process, backend


def test_server_crash_in_the_middle_is_a_finding_with_the_log(rehearse, place):
    process, backend = start_sleeping(rehearse, place)
    os.kill(backend, signal.SIGKILL)
    outcome = rehearse.finish(process)
    assert outcome.status == 5, outcome
    run = outcome.result["run"]
    assert run["server_crashed"] and "signal 9" in run["crash_reason"]
    assert any("terminated by signal 9" in line for line in run["log_tail"])
    assert "crash" in outcome.stdout


def test_server_that_is_killed_altogether_is_a_finding(rehearse, place):
    process, backend = start_sleeping(rehearse, place)
    postmaster = int(re.search(r"^PPid:\s+(\d+)", pathlib.Path(f"/proc/{backend}/status").read_text(), re.M)[1])
    os.kill(postmaster, signal.SIGKILL)
    outcome = rehearse.finish(process)
    assert outcome.status == 5, outcome
    assert outcome.result["run"]["server_crashed"]


def test_crashed_server_is_not_kept_but_judged(rehearse, place):
    process, backend = start_sleeping(rehearse, place, "--keep")
    postmaster = int(re.search(r"^PPid:\s+(\d+)", pathlib.Path(f"/proc/{backend}/status").read_text(), re.M)[1])
    os.kill(postmaster, signal.SIGKILL)
    outcome = rehearse.finish(process)
    assert outcome.status == 5, outcome
    assert "not kept" in outcome.stderr and "postgres://" not in outcome.stdout


def test_timeout_ends_a_statement_that_never_ends(rehearse):
    began = time.monotonic()
    outcome = rehearse.run("ALTER TABLE users ADD COLUMN a int;\nSELECT pg_sleep(600);\n", USERS, "--timeout", "3s")
    assert time.monotonic() - began < 12
    assert_error(outcome, 124)
    assert "pg_sleep" in outcome.stderr
    result = outcome.result
    assert result["exit_code"] == 124 and result["verdict"] != "safe" and result["run"]["timed_out"]
    assert outcome.statement("ADD COLUMN")["ok"] and not outcome.statement("pg_sleep")["finished"]


def test_timeout_ends_a_command_that_never_ends(rehearse):
    rehearse.write("s.sql", USERS)
    outcome = rehearse("run", "--schema", "s.sql", "--timeout", "3s", "--", "sh", "-c",
                       "psql -qc 'SELECT 1'; sleep 600 & wait")
    assert_error(outcome, 124)


def test_timeout_while_loading(rehearse):
    outcome = rehearse.run(SAFE, "SELECT pg_sleep(600);", "--timeout", "2s")
    assert_error(outcome, 124)
    assert not list((rehearse.directory / ".rehearse" / "runs").glob("2*")), "a run without a trace leaves no files"


@pytest.mark.parametrize("signal_number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_ends_it_after_cleaning_up(rehearse, place, signal_number, status):
    process, _ = start_sleeping(rehearse, place)
    process.send_signal(signal_number)
    outcome = rehearse.finish(process, timeout=15)
    assert outcome.status == status, outcome
    assert outcome.result["exit_code"] == status


@pytest.mark.parametrize("signal_number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_while_loading(rehearse, place, signal_number, status):
    rehearse.write("s.sql", "SELECT pg_sleep(600);")
    rehearse.write("m.sql", SAFE)
    process = rehearse.start("run", "m.sql", "--schema", "s.sql")
    wait_for(lambda: backend_of(place, SCHEMA_SLEEPS), 30, "the schema sleeps")
    process.send_signal(signal_number)
    assert rehearse.finish(process, timeout=15).status == status


def test_kill_9_leaves_no_server_and_the_next_run_removes_the_rest(rehearse, place):
    process, _ = start_sleeping(rehearse, place, "--no-cache")
    process.kill()
    process.communicate()
    wait_for(lambda: not place.processes(), 10, "the server dies with rehearse")
    assert len(place.leftovers()) == 2, "the prepared sandbox, and its clone that was migrated"
    stranger = place.sandboxes / "not-ours"
    stranger.mkdir()
    (stranger / "file").write_text("keep me")
    outcome = rehearse.run(SAFE, USERS)
    assert outcome.status == 0, outcome
    assert place.leftovers() == [str(stranger)], "the reaper takes ours alone"
    shutil.rmtree(stranger)


# --- a migration that works against us ------------------------------------------------------------------------------

def test_migration_cannot_drop_the_evidence_as_an_ordinary_owner(rehearse):
    outcome = rehearse.run("DROP SCHEMA rehearse CASCADE;", USERS)
    assert outcome.status == 5, outcome
    assert outcome.statement("DROP SCHEMA")["error"]["sqlstate"] == "42501"
    assert outcome.result["run"]["evidence_intact"]


SABOTAGE = {
    "drops the schema": "DROP SCHEMA rehearse CASCADE;",
    "disables the triggers": "DO $$ DECLARE name text; BEGIN FOR name IN SELECT evtname FROM pg_event_trigger LOOP"
                             " EXECUTE format('ALTER EVENT TRIGGER %I DISABLE', name); END LOOP; END $$;",
}


@pytest.mark.parametrize("sabotage", SABOTAGE.values(), ids=SABOTAGE)
def test_superuser_that_destroys_the_evidence_is_never_clean(rehearse, sabotage):
    schema = USERS + "CREATE ROLE boss SUPERUSER; CREATE ROLE deployer; GRANT boss TO deployer;"
    outcome = rehearse.run(f"SET ROLE boss;\n{sabotage}\nSET lock_timeout = '2s';\nALTER TABLE users ADD COLUMN a int;\n", schema,
                           "--role", "deployer")
    assert outcome.status in (3, 5), outcome
    result = outcome.result
    assert result["verdict"] != "safe"
    statement = outcome.statement("ADD COLUMN")
    assert statement["observation"] != "exact" or not result["run"]["evidence_intact"]
    assert "not observed" in outcome.stdout.lower() or "not-observed" in outcome.stdout


def test_superuser_that_switches_triggers_off_is_still_observed(rehearse):
    schema = USERS + "CREATE ROLE boss SUPERUSER; CREATE ROLE deployer; GRANT boss TO deployer;"
    outcome = rehearse.run("SET ROLE boss;\nSET session_replication_role = replica;\nSET lock_timeout = '2s';\n"
                           "ALTER TABLE users ADD COLUMN a int;\n", schema, "--role", "deployer")
    assert outcome.status == 0, outcome
    statement = outcome.statement("ADD COLUMN")
    assert statement["observation"] == "exact"
    assert "AccessExclusiveLock" in {lock["mode"] for lock in statement["locks"]}


def peak_memory_kb(process):
    """The most memory it ever had, read until it ends."""
    peak = 0
    while process.poll() is None:
        try:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            break
        if found := re.search(r"VmHWM:\s+(\d+) kB", status):
            peak = max(peak, int(found[1]))
        time.sleep(0.02)
    return peak


FLAT_KB = 64 * 1024
flat_memory = pytest.mark.skipif("REHEARSE_SANITIZED" in os.environ, reason="sanitizers need memory of their own")


@flat_memory
def test_a_large_result_passes_with_flat_memory(rehearse):
    rehearse.write("m.sql", "SELECT repeat('x', 1000) FROM generate_series(1, 200000);\n"
                            "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 100000)) TO STDOUT;\n")
    process = rehearse.start("run", "m.sql")
    peak = peak_memory_kb(process)
    outcome = rehearse.finish(process)
    assert outcome.status in (0, 3), outcome
    assert outcome.statement("SELECT repeat")["rows"] == 200000
    assert outcome.statement("COPY")["rows"] == 100000
    assert peak < FLAT_KB, f"{peak} kB"


@flat_memory
@pytest.mark.parametrize("megabytes", [50, pytest.param(500, marks=pytest.mark.nightly)])
def test_a_long_row_passes_with_flat_memory(rehearse, megabytes):
    """Once traced, and once more wherever the migration runs again with nobody looking."""
    rehearse.write("m.sql", "CREATE TABLE wide (a text);\n"
                            f"INSERT INTO wide SELECT repeat('x', {megabytes} * 1000 * 1000);\n"
                            "SELECT a || a FROM wide;\n")
    process = rehearse.start("run", "m.sql", "--timeout", "10m")
    peak = peak_memory_kb(process)
    outcome = rehearse.finish(process, timeout=600)
    assert outcome.status in (0, 3), outcome
    assert outcome.statement("a || a")["rows"] == 1
    assert peak < FLAT_KB, f"{peak} kB"
