"""Prepared sandboxes that are kept: found again, shared, not trusted when they are not whole, removed."""
import fcntl
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

import pytest

from conftest import IS_ROOT, wait_for
from snapshots import make_snapshot

MIGRATION = "SET lock_timeout = '2s';\nALTER TABLE users ADD COLUMN nickname text;\n"
USERS = """
CREATE TABLE users (id int PRIMARY KEY, email text, age int);
INSERT INTO users SELECT n, 'user' || n % 900 || '@example.com', n % 90 FROM generate_series(1, {rows}) n;
ANALYZE users;
"""


@pytest.fixture(scope="session")
def shop(debian_cluster, tmp_path_factory):
    """A snapshot as `rehearse snapshot create` leaves one, of a small database."""
    database = debian_cluster.new_database("kept", USERS.format(rows=2000))
    return make_snapshot(debian_cluster, database, tmp_path_factory.mktemp("shop") / "shop.snapshot")


@pytest.fixture(scope="session")
def templates(tmp_path_factory):
    directory = tmp_path_factory.mktemp("templates")
    directory.chmod(0o700)
    return directory


def with_own_cache(rehearse, directory, templates, migration):
    """A cache of the test's own, so that what lies there is known; only the empty clusters are everybody's."""
    rehearse.cache = directory / "kept"
    rehearse.cache.mkdir(mode=0o700)
    (rehearse.cache / "templates").symlink_to(templates)
    rehearse.environment["REHEARSE_CACHE_DIR"] = str(rehearse.cache)
    rehearse.write("migration.sql", migration)
    return rehearse


@pytest.fixture
def kept(rehearse, tmp_path, templates):
    return with_own_cache(rehearse, tmp_path, templates, MIGRATION)


def entries(program):
    directory = program.cache / "sandboxes"
    return sorted(path for path in directory.iterdir() if not path.name.startswith(".")) \
        if directory.exists() else []


def hidden(program):
    return sorted(path.name for path in (program.cache / "sandboxes").iterdir() if path.name.startswith("."))


def run(program, snapshot, *arguments, migration="migration.sql", **options):
    return program("run", "--snapshot", snapshot, migration, *arguments, **options)


def came_from_cache(outcome):
    assert outcome.status == 0, outcome
    return outcome.result["fidelity"]["from_cache"]


# --- found again ------------------------------------------------------------------------------------

def test_second_run_starts_from_the_cache_and_finds_the_same(kept, shop):
    first = run(kept, shop)
    assert not came_from_cache(first), first
    assert "restore" in first.stderr
    before = first.result
    second = run(kept, shop)
    after = second.result
    assert came_from_cache(second), second
    assert "restore" not in second.stderr and "read the state before" not in second.stderr
    assert len(entries(kept)) == 1
    # What was read of it by the first run serves the second: the same differences.
    for part in ("schema_differences", "data_differences", "verdict", "relations"):
        assert before[part] == after[part], part
    fidelity = after["fidelity"]
    assert fidelity["is_cold"] and not before["fidelity"]["is_cold"]
    assert fidelity["prepared_s"] >= 0 and before["fidelity"]["prepared_s"] is None
    assert fidelity["source"] == before["fidelity"]["source"]
    assert "from the cache" in second.stdout and "cold" in second.stdout
    assert second.stdout.splitlines()[0].startswith("sandbox")


def test_the_way_back_and_repetition_work_on_overlays_of_what_is_kept(kept, shop):
    kept.environment["REHEARSE_CUTS"] = "2"
    kept.write("two.sql", MIGRATION + "CREATE INDEX ON users (email);\nALTER TABLE users ADD UNIQUE (id, age);\n")
    for wanted in (False, True):
        outcome = run(kept, shop, migration="two.sql")
        assert came_from_cache(outcome) is wanted
        assert outcome.result["rerun"], outcome
        assert outcome.result["cuts"], outcome


@pytest.mark.parametrize("change", [pytest.param("role", marks=pytest.mark.nightly),
                                    pytest.param("set", marks=pytest.mark.nightly), "schema",
                                    "migration older than --since"])
def test_what_shapes_a_sandbox_is_another_one(kept, shop, change):
    assert not came_from_cache(run(kept, shop))
    if change == "role":
        kept.write("other.sql", "SELECT 1;")
        other = run(kept, shop, "--role", "deployer", migration="other.sql")
    elif change == "set":
        other = run(kept, shop, "--set", "work_mem=8MB")
    elif change == "schema":
        other = run(kept, shop, "--schema", kept.write("more.sql", "CREATE TABLE more (id int);"))
    else:
        git = dict(GIT_AUTHOR_NAME="A", GIT_AUTHOR_EMAIL="a@x", GIT_COMMITTER_NAME="A", GIT_COMMITTER_EMAIL="a@x")
        kept.write("migrations/1_old.sql", "CREATE TABLE old (id int);")
        for command in (["init", "-qb", "main"], ["add", "migrations"], ["commit", "-qm", "one"],
                        ["checkout", "-qb", "branch"]):
            subprocess.run(["git", *command], cwd=kept.directory, check=True, capture_output=True,
                           env={**os.environ, **git})
        kept.write("migrations/2_new.sql", MIGRATION)
        subprocess.run(["git", "add", "-A", "migrations"], cwd=kept.directory, check=True)
        other = kept("run", "--snapshot", shop, "--dir", "migrations", "--since", "main")
    assert other.status in (0, 3) and not other.result["fidelity"]["from_cache"], other
    assert len(entries(kept)) == 2


def test_a_changed_archive_is_another_snapshot(kept, shop, tmp_path):
    copy = tmp_path / "copy.snapshot"
    shutil.copytree(shop, copy)
    assert not came_from_cache(run(kept, shop))
    # The same bytes elsewhere are the same snapshot.
    assert came_from_cache(run(kept, copy))
    data = next(path for path in (copy / "archive").iterdir() if ".dat" in path.name and path.name != "toc.dat")
    if data.suffix == ".dat":
        data.write_text(data.read_text().replace("user1@", "userX@", 1))
    else:
        pytest.fail("the archive of this test is not compressed")
    assert not came_from_cache(run(kept, copy))
    assert len(entries(kept)) == 2


def test_without_cache_nothing_is_used_or_kept(kept, shop):
    assert not came_from_cache(run(kept, shop, "--no-cache"))
    assert entries(kept) == []
    assert not came_from_cache(run(kept, shop))
    assert not came_from_cache(run(kept, shop, "--no-cache"))
    assert came_from_cache(run(kept, shop))


def test_a_script_that_reads_other_files_is_never_kept(kept):
    # Slow enough to be worth keeping.
    slow = "SELECT pg_sleep(1.2);\nCREATE TABLE users (id int);\nINSERT INTO users VALUES (1);\n"
    kept.write("more.sql", "CREATE TABLE more (id int);")
    schema = kept.write("schema.sql", slow + "\\ir more.sql\n")
    for _ in range(2):
        outcome = kept("run", "--schema", schema, "migration.sql")
        assert not came_from_cache(outcome)
    assert entries(kept) == []
    schema.write_text(slow)
    assert not came_from_cache(kept("run", "--schema", schema, "migration.sql"))
    assert came_from_cache(kept("run", "--schema", schema, "migration.sql"))


def test_a_schema_that_loads_at_once_is_not_worth_keeping(kept, shop):
    run(kept, shop, "--no-cache")  # initdb is not what takes long
    outcome = kept.run(MIGRATION, "CREATE TABLE users (id int); INSERT INTO users VALUES (1);")
    assert not came_from_cache(outcome)
    if re.search(r"\(\d[\d.]* s\)", outcome.stderr.partition("clone the sandbox")[0]):
        pytest.skip("this machine is too busy to load it at once")
    assert entries(kept) == []


# --- secrets -----------------------------------------------------------------------------------------

def test_no_password_is_kept_and_each_run_has_its_own(kept, shop):
    passwords = []
    for _ in range(2):
        outcome = kept("run", "--snapshot", shop, "--", "sh", "-c",
                       "echo \"password $PGPASSWORD\"; psql -qc 'ALTER TABLE users ADD COLUMN b int'")
        assert outcome.status == 0, outcome
        passwords.append(re.search(r"password (\w+)", (outcome.directory / "output.log").read_text()).group(1))
    assert came_from_cache(outcome)
    assert passwords[0] != passwords[1] and all(len(password) == 32 for password in passwords)
    entry, = entries(kept)
    for path in [entry / "entry.json", entry / "states.json"]:
        text = path.read_text()
        assert "password" not in text.lower() and not any(password in text for password in passwords)
    assert entry.stat().st_mode & 0o077 == 0 and entry.parent.stat().st_mode & 0o077 == 0


def test_the_door_that_a_clone_was_given_its_passwords_through_is_shut(kept, shop):
    assert not came_from_cache(run(kept, shop))
    superuser = json.loads((entries(kept)[0] / "entry.json").read_text())["superuser"]
    command = f"env -u PGPASSWORD psql -w -U {superuser} -c 'SELECT 1' && echo OPEN; " \
              "env -u PGPASSWORD psql -w -c 'SELECT 1' && echo OPEN; " \
              "psql -qc 'ALTER TABLE users ADD COLUMN b int'"
    outcome = kept("run", "--snapshot", shop, "--", "sh", "-c", command)
    output = (outcome.directory / "output.log").read_text()
    assert "OPEN" not in output and "password" in output, output
    assert came_from_cache(outcome)


# --- shared ------------------------------------------------------------------------------------------

def test_two_runs_at_once_prepare_it_once(kept, shop):
    arguments = ["run", "--snapshot", str(shop), "migration.sql", "--out"]
    running = [(kept.start(*arguments, f"out{n}"), [*arguments, f"out{n}"]) for n in range(2)]
    outcomes = [kept.finish(process, given) for process, given in running]
    assert sorted(came_from_cache(outcome) for outcome in outcomes) == [False, True], outcomes
    waited = next(outcome for outcome in outcomes if came_from_cache(outcome))
    assert "restore" not in waited.stderr
    assert len(entries(kept)) == 1 and hidden(kept) == []


def test_what_a_run_uses_is_not_removed(kept, shop):
    assert not came_from_cache(run(kept, shop))
    process = kept.start("run", "--snapshot", shop, "--", "sh", "-c",
                         "echo started; psql -qc 'ALTER TABLE users ADD COLUMN b int'; sleep 3")
    entry, = entries(kept)
    def is_locked():
        with open(entry / "lock") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return False
            except BlockingIOError:
                return True
    wait_for(is_locked, what="the run holds its entry")
    pruned = kept("snapshot", "prune", "--all")
    assert pruned.status == 0 and "in use" in pruned.stdout, pruned
    assert entries(kept) == [entry]
    outcome = kept.finish(process)
    assert outcome.status == 0, outcome
    pruned = kept("snapshot", "prune", "--all")
    assert "removed" in pruned.stdout and "are free" in pruned.stdout
    assert entries(kept) == []


def test_another_user_s_directory_is_not_used(kept, shop):
    (kept.cache / "sandboxes").mkdir()
    (kept.cache / "sandboxes").chmod(0o777)
    outcome = run(kept, shop)
    assert not came_from_cache(outcome)
    assert "not this user's alone" in outcome.stderr
    assert entries(kept) == []


@pytest.mark.skipif(not IS_ROOT, reason="needs another user")
def test_an_ordinary_user_keeps_sandboxes_too(kept, shop, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    snapshot = home / "shop.snapshot"
    shutil.copytree(shop, snapshot)
    (home / "migration.sql").write_text(MIGRATION)
    for path in [home, *home.rglob("*")]:
        shutil.chown(path, "nobody", "nogroup")
    with_room = pathlib.Path(tempfile.mkdtemp(prefix="rh-user-", dir="/var/tmp"))
    shutil.chown(with_room, "nobody", "nogroup")
    for parent in [tmp_path, *tmp_path.parents][:-2]:
        parent.chmod(parent.stat().st_mode | 0o011)
    environment = {"HOME": str(home), "REHEARSE_CACHE_DIR": None, "XDG_CACHE_HOME": None,
                   "REHEARSE_SANDBOX_DIR": str(with_room)}
    for wanted in (False, True):
        outcome = kept("run", "--snapshot", snapshot, "migration.sql", cwd=home, env=environment, user="nobody",
                       group="nogroup", extra_groups=[])
        assert came_from_cache(outcome) is wanted, outcome
    with_room.rmdir()  # nothing is left in it
    entry, = (home / ".cache/rehearse/sandboxes").iterdir()
    assert entry.stat().st_uid != 0 and entry.stat().st_mode & 0o077 == 0


# --- not whole ---------------------------------------------------------------------------------------

def test_a_run_that_is_killed_while_it_prepares_leaves_nothing_that_is_trusted(kept, shop):
    process = kept.start("run", "--snapshot", shop, "migration.sql", process_group=0)
    wait_for(lambda: (kept.cache / "sandboxes").exists() and
             any(name.startswith(".wait-") for name in hidden(kept)), what="it prepares")
    process.kill()
    process.communicate(timeout=20)
    assert entries(kept) == []
    assert not came_from_cache(run(kept, shop))
    assert hidden(kept) == [] and len(entries(kept)) == 1
    assert came_from_cache(run(kept, shop))


def test_half_of_an_entry_is_removed_by_the_next_run(kept, shop):
    assert not came_from_cache(run(kept, shop))
    entry, = entries(kept)
    half = entry.parent / ".new-abcdef"
    shutil.copytree(entry, half)
    (half / "entry.json").unlink()
    without_lock = entry.parent / ".new-ghijkl"
    without_lock.mkdir(mode=0o700)
    os.utime(without_lock, (time.time() - 3600,) * 2)
    held = entry.parent / ".new-mnopqr"
    held.mkdir(mode=0o700)
    with open(held / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert came_from_cache(run(kept, shop))
        # One that a living run is moving in stays.
        assert hidden(kept) == [".new-mnopqr"]
    assert came_from_cache(run(kept, shop))
    assert hidden(kept) == []


def corrupt_control(entry):
    path = entry / "data/global/pg_control"
    content = bytearray(path.read_bytes())
    content[16] = 6  # DB_IN_PRODUCTION: as after a crash
    path.write_bytes(content)


def corrupt_size(entry):
    path = max((entry / "data/base").rglob("*"), key=lambda file: file.stat().st_size)
    os.truncate(path, path.stat().st_size // 2)


def corrupt_description(entry):
    (entry / "entry.json").write_text("{")


def pretend_reboot(entry):
    path = entry / "entry.json"
    path.write_text(re.sub(r'"boot_id": "[^"]*"', '"boot_id": "another"', path.read_text()))


def start_server_on_it(entry):
    (entry / "data/postmaster.pid").write_text("1\n")


@pytest.mark.parametrize("damage, said", [
    (corrupt_control, "not shut down in order"), (corrupt_size, "not as large"), (pretend_reboot, "started anew"),
    pytest.param(corrupt_description, "cannot be read", marks=pytest.mark.nightly),
    pytest.param(start_server_on_it, "a server works", marks=pytest.mark.nightly)])
def test_a_damaged_entry_is_thrown_away_and_made_anew(kept, shop, damage, said):
    assert not came_from_cache(run(kept, shop))
    damage(entries(kept)[0])
    outcome = run(kept, shop)
    assert not came_from_cache(outcome)
    assert "cached sandbox not used" in outcome.stderr and said in outcome.stderr, outcome
    assert came_from_cache(run(kept, shop))


def test_damage_that_only_the_server_notices_costs_the_cache_and_not_the_run(kept, shop):
    assert not came_from_cache(run(kept, shop))
    entry, = entries(kept)
    # Same size, other bytes: the map of the system's files, whose checksum every start looks at.
    path = entry / "data/global/pg_filenode.map"
    path.write_bytes(bytes(len(path.read_bytes())))
    outcome = run(kept, shop)
    assert outcome.status == 0 and "cached sandbox not used" in outcome.stderr, outcome
    assert not outcome.result["fidelity"]["from_cache"]
    assert outcome.result["verdict"] == "safe"
    assert not came_from_cache(run(kept, shop))
    assert came_from_cache(run(kept, shop))


# --- room ---------------------------------------------------------------------------------------------

def entry_bytes(program):
    listing = json.loads(program("snapshot", "prune", "--dry-run", "--json").stdout)
    return {entry["path"]: entry["bytes"] for entry in listing["sandboxes"]}


def test_the_least_recently_used_goes_when_there_is_no_room(kept, shop):
    sizes = ["work_mem=1MB", "work_mem=2MB", "work_mem=3MB"]
    paths = {}
    for size in sizes[:2]:
        known = set(entries(kept))
        assert not came_from_cache(run(kept, shop, "--set", size))
        paths[size], = set(entries(kept)) - known
    old, newer = paths[sizes[0]], paths[sizes[1]]
    os.utime(old / "lock", (time.time() - 1000,) * 2)
    os.utime(newer / "lock", (time.time() - 900,) * 2)
    # Used again, the older one is the younger.
    assert came_from_cache(run(kept, shop, "--set", sizes[0]))
    room = sum(entry_bytes(kept).values()) * 5 // 4
    assert not came_from_cache(run(kept, shop, "--set", sizes[2], "--cache-size", f"{room}"))
    assert old in entries(kept) and newer not in entries(kept)
    assert len(entries(kept)) == 2


def test_without_room_a_sandbox_is_not_kept_and_the_run_goes_on(kept, shop):
    for limit in (["--cache-size", "1MB"], ["--cache-free", "1000TB"]):
        outcome = run(kept, shop, *limit)
        assert not came_from_cache(outcome)
        assert "not cached" in outcome.stderr
        assert entries(kept) == []


def test_prune_tells_and_removes(kept, shop):
    empty = kept("snapshot", "prune")
    assert empty.status == 0 and empty.stdout == "no sandbox is kept\n"
    run(kept, shop)
    run(kept, shop, "--set", "work_mem=2MB")
    first, second = entries(kept)
    os.utime(first / "lock", (time.time() - 7200,) * 2)
    nothing = kept("snapshot", "prune")
    assert nothing.stdout.count("kept") == 2 and len(entries(kept)) == 2, nothing
    dry = kept("snapshot", "prune", "--older-than", "1h", "--dry-run", "--json")
    removed = [entry["path"] for entry in json.loads(dry.stdout)["sandboxes"] if entry["removed"]]
    assert removed == [str(first)] and len(entries(kept)) == 2
    older = kept("snapshot", "prune", "--older-than", "1h", "--json")
    report = json.loads(older.stdout)
    assert entries(kept) == [second]
    assert report["removed_bytes"] == sum(e["bytes"] for e in report["sandboxes"] if e["removed"]) > 10 ** 7
    # Of no use to anybody: it goes without being named.
    corrupt_description(second)
    assert "removed" in kept("snapshot", "prune").stdout
    assert entries(kept) == []


def test_prune_looks_where_runs_are_told_to_keep_theirs(rehearse, shop):
    rehearse.write("rehearse.yaml", "cache-dir: elsewhere\n")
    rehearse.write("migration.sql", MIGRATION)
    assert not came_from_cache(run(rehearse, shop))
    assert (rehearse.directory / "elsewhere/sandboxes").is_dir()
    assert "removed" in rehearse("snapshot", "prune", "--all").stdout


def test_a_kept_sandbox_does_not_need_the_cache(kept, shop):
    assert not came_from_cache(run(kept, shop))
    outcome = run(kept, shop, "--keep")
    assert came_from_cache(outcome)
    url, stop = (line.strip() for line in outcome.stdout.splitlines()
                 if line.startswith("    postgres://") or line.startswith("    kill "))
    try:
        assert "removed" in kept("snapshot", "prune", "--all").stdout
        counted = subprocess.run(["psql", url, "-Atc", "SELECT count(nickname IS NULL) FROM users"],
                                 capture_output=True, text=True, timeout=20)
        assert counted.stdout == "2000\n", counted
    finally:
        subprocess.run(["sh", "-c", stop], timeout=20, check=True)
