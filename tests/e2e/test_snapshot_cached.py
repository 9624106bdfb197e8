"""What `snapshot create` leaves in the cache: the sandbox that a run of it would have prepared."""
import json
import re
import shutil
import signal

import pytest
from conftest import wait_for
from test_snapshot import SHOP, certificate, create, no_traces, production
from test_snapshot_cache import came_from_cache, entries, hidden, templates, with_own_cache

__all__ = ["production", "templates"]  # fixtures

# In one transaction: its locks are seen however quick a statement was.
MIGRATION = "SET lock_timeout = '2s';\nBEGIN;\nALTER TABLE users ADD COLUMN nickname text;\n" \
            "CREATE INDEX ON orders (at);\nUPDATE users SET nickname = name WHERE id < 100;\nCOMMIT;\n"
OF_A_SAMPLE = "BEGIN;\nCREATE TABLE names AS SELECT id, name FROM users;\nALTER TABLE names ADD x int;\nCOMMIT;\n"


@pytest.fixture(scope="session")
def market(production):
    """With all that is kept of production beside its rows: settings, roles, owners, a sequence that has moved."""
    name = production.database("market", SHOP)
    production.sql("DO $$ BEGIN CREATE ROLE owner; EXCEPTION WHEN duplicate_object THEN NULL; END $$; "
                   "ALTER ROLE owner SET work_mem = '7MB'; ALTER DATABASE market SET work_mem = '6MB'; "
                   "ALTER ROLE reader SET search_path = public, pg_temp; "
                   "ALTER TABLE users OWNER TO owner; ALTER TABLE orders OWNER TO owner; "
                   "ALTER TABLE parted OWNER TO owner; ALTER TABLE parted_north OWNER TO owner; "
                   "ALTER TABLE parted_south OWNER TO owner; ALTER MATERIALIZED VIEW sums OWNER TO owner; "
                   "CREATE STATISTICS pairs ON user_id, total FROM orders; "
                   "ALTER TABLE orders ALTER COLUMN total SET STATISTICS 500; ANALYZE", name)
    return name


@pytest.fixture
def kept(rehearse, tmp_path, templates):
    return with_own_cache(rehearse, tmp_path, templates, MIGRATION)


def run(program, *arguments, snapshot="s", **options):
    return program("run", "--snapshot", snapshot, "migration.sql", *arguments, **options)


def nothing_kept(program):
    directory = program.cache / "sandboxes"
    return not directory.exists() or list(directory.iterdir()) == []


# What a clock says; what depends on how long something took (samples, probes, the shape of a curve); and
# bytes of log, which two runs from one and the same sandbox do not have in common.
TIMES = re.compile(r"(_ms|_at|_us|_s|_pid|wal_bytes)$|^(probes|sampling|shape|run_directory|from_cache)$")


def without_times(value):
    if isinstance(value, dict):
        value = {name: without_times(item) for name, item in value.items() if not TIMES.search(name)}
        if "locks" in value:  # in the server's order, which is that of a hash table
            value["locks"] = sorted(value["locks"] or [], key=json.dumps)
        return value
    if isinstance(value, list):
        return [without_times(item) for item in value]
    if isinstance(value, str):
        return re.sub(r"blocked for .*|\b[\d.,]+ ?(ms|s|us|min)\b|longest: line \d+ \([A-Z ]+\)", "TIME", value)
    return value


def differences(a, b, path=""):
    if isinstance(a, dict) and isinstance(b, dict):
        return [found for name in sorted({*a, *b})
                for found in differences(a.get(name), b.get(name), f"{path}.{name}")]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [found for n, (x, y) in enumerate(zip(a, b)) for found in differences(x, y, f"{path}[{n}]")]
    return [] if a == b else [(path, a, b)]


@pytest.mark.parametrize("arguments", [[], ["--unmasked"], ["--sample", "20%"]], ids=["masked", "unmasked", "sample"])
def test_the_first_run_starts_from_what_create_left_and_reports_the_same(production, market, kept, arguments):
    done = create(kept, production, *arguments, database=market)
    assert done.status == 0, done
    entry, = entries(kept)
    assert hidden(kept) == []
    if "--sample" in arguments:  # what blocks for so short a time has no size that it grows with
        kept.write("migration.sql", OF_A_SAMPLE)
    more = (["--allow-unmasked"] if "--unmasked" in arguments else []) + \
        (["--accept-sample"] if "--sample" in arguments else [])
    first = run(kept, *more, "--out", "first")
    assert first.status == 0, first.stdout
    assert first.result["fidelity"]["from_cache"], first
    assert "from the cache" in first.stdout and "restore" not in first.stderr, first
    assert entries(kept) == [entry]
    scratch = run(kept, *more, "--no-cache", "--out", "scratch")
    assert not scratch.result["fidelity"]["from_cache"] and "restore" in scratch.stderr
    assert len(first.result["statements"]) > 1 and first.result["fidelity"]["snapshot"]["settings_kept"] > 3
    assert differences(without_times(first.result), without_times(scratch.result)) == []


def test_a_large_one_known_by_its_files_alone_is_found_under_its_name(production, kept):
    """Above 16 MB nothing is hashed; renaming the directory changes no file in it."""
    production.database("noise", "CREATE TABLE noise AS SELECT g AS id, text FROM generate_series(1, 40) g, "
                        "(SELECT string_agg(md5(random()::text || h), '') FROM generate_series(1, 32768) h) n (text)")
    kept.write("migration.sql", "ALTER TABLE noise ADD COLUMN x int;")
    assert create(kept, production, "--unmasked", database="noise").status == 0
    assert sum(path.stat().st_size for path in (kept.directory / "s/archive").iterdir()) > 17 << 20
    entry, = entries(kept)
    (kept.directory / "s").rename(kept.directory / "moved")
    first = run(kept, "--allow-unmasked", snapshot="moved")
    assert first.result["fidelity"]["from_cache"] and entries(kept) == [entry], first


def test_what_import_left_is_found_too(production, market, kept):
    production.cluster.dump(kept.directory / "market.dump", "-Fc", database=market)
    done = kept("snapshot", "import", "market.dump", "-o", "s")
    assert done.status == 0, done
    entry, = entries(kept)
    assert came_from_cache(run(kept)) and entries(kept) == [entry]


def test_role_and_settings_of_runs_here_are_those_it_was_prepared_with(production, market, kept):
    kept.write("rehearse.yaml", "role: owner\nset: {work_mem: 5MB, default_statistics_target: 50}\n")
    assert create(kept, production, database=market).status == 0
    entry, = entries(kept)
    assert came_from_cache(run(kept)) and entries(kept) == [entry]
    assert not came_from_cache(run(kept, "--no-config"))


@pytest.mark.parametrize("settings", ["work_memory: 5MB", "huge_pages: 'on', shared_buffers: 8000GB"])
def test_settings_that_no_server_takes_cost_what_is_left_and_not_the_certificate(production, market, kept, settings):
    kept.write("rehearse.yaml", f"set: {{{settings}}}\n")
    done = create(kept, production, database=market)
    assert done.status == 0 and "not cached: runs here use" in done.stderr, done
    assert certificate(kept.directory / "s", "integrity")["status"] == "passed"
    assert nothing_kept(kept)


# --- nothing is left ---------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments, environment, config", [
    (["--no-cache"], {}, ""), (["--no-verify"], {}, ""), ([], {"REHEARSE_NO_CACHE": "1"}, ""),
    ([], {}, "no-cache: true\n"), ([], {}, "schema: [more.sql]\n"),
    ([], {"REHEARSE_CACHE_SIZE": "1MB"}, ""), ([], {"REHEARSE_CACHE_FREE": "1000TB"}, "")],
    ids=["option", "no sandbox", "environment", "configuration", "runs load more", "cap", "disk"])
def test_nothing_is_left_where_it_may_not_or_has_no_room(production, kept, arguments, environment, config):
    production.database("few", "CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
    kept.write("more.sql", "SELECT 1;")
    kept.write("rehearse.yaml", config)
    done = create(kept, production, *arguments, database="few", env=environment)
    assert done.status == 0, done
    assert ("there is no room" in done.stderr) is ("REHEARSE_CACHE_SIZE" in environment or
                                                   "REHEARSE_CACHE_FREE" in environment), done
    assert nothing_kept(kept)


@pytest.mark.parametrize("name, schema", [
    ("leak", "CREATE TABLE people (id int PRIMARY KEY, email text); INSERT INTO people "
             "SELECT g, 'person' || g || '@example.org' FROM generate_series(1, 20) g; "
             "CREATE VIEW everybody AS SELECT * FROM people WHERE email IN (" +
             ", ".join(f"'person{n}@example.org'" for n in range(1, 21)) + ")"),
    ("integrity", "CREATE TABLE parent (id int PRIMARY KEY); "
                  "CREATE TABLE child (parent_id int REFERENCES parent); "
                  "SET session_replication_role = replica; INSERT INTO child VALUES (1)")])
def test_a_certificate_that_fails_leaves_nothing(production, kept, name, schema):
    production.database("failing", schema)
    done = create(kept, production, database="failing")
    assert done.status == 1 and f'failed its certificate "{name}"' in done.stderr, done
    no_traces(kept, "s")
    assert nothing_kept(kept)


@pytest.fixture(scope="session")
def wide(production):
    """Many tables with rows: preparing them takes its time."""
    production.database("wide", "DO $$ BEGIN FOR i IN 1..600 LOOP EXECUTE format("
                        "'CREATE TABLE t%s (id int PRIMARY KEY)', i); EXECUTE format("
                        "'INSERT INTO t%s VALUES (1)', i); END LOOP; END $$")
    return "wide"


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143),
                                            (signal.SIGKILL, -signal.SIGKILL)])
def test_interrupted_while_it_prepares_it_leaves_nothing(production, wide, kept, place, number, status):
    process = kept.start("snapshot", "create", "--from", production.url(wide), "-o", "s")
    wait_for(lambda: (kept.cache / "sandboxes").exists() and hidden(kept), 60, "it prepares the sandbox")
    process.send_signal(number)
    done = kept.finish(process, timeout=20)
    assert done.status == status, done
    assert not (kept.directory / "s").exists()
    if number == signal.SIGKILL:
        assert place.leftovers(), "it had nothing to leave"
        assert create(kept, production, "--no-verify", database=wide).status == 0
        place.assert_clean()
        assert list(kept.directory.glob("s.incomplete-*")) == []
        kept("snapshot", "prune")
    else:
        no_traces(kept, "s")
    assert nothing_kept(kept)


# --- several ------------------------------------------------------------------------------------------

def test_two_creates_at_once_leave_one_each(production, market, kept):
    running = [kept.start("snapshot", "create", "--from", production.url(market), "-o", out) for out in "ab"]
    assert [kept.finish(process).status for process in running] == [0, 0]
    assert len(entries(kept)) == 2 and hidden(kept) == []
    for out in "ab":
        assert came_from_cache(run(kept, "--out", f"of-{out}", snapshot=out))
    assert len(entries(kept)) == 2


def test_of_two_creates_of_one_name_the_one_that_got_it_is_found(production, market, kept):
    running = [kept.start("snapshot", "create", "--from", production.url(market), "-o", "s") for _ in range(2)]
    assert sorted(kept.finish(process).status for process in running) == [0, 1]
    entry, = entries(kept)
    assert hidden(kept) == []
    assert came_from_cache(run(kept)) and entries(kept) == [entry]


def test_what_was_replaced_is_of_no_use_any_more(production, market, kept):
    assert create(kept, production, database=market).status == 0
    old, = entries(kept)
    assert create(kept, production, "--replace", database=market).status == 0
    new, = set(entries(kept)) - {old}
    pruned = kept("snapshot", "prune", "--json")
    removed = [entry["path"] for entry in json.loads(pruned.stdout)["sandboxes"] if entry["removed"]]
    assert removed == [str(old)] and entries(kept) == [new]
    assert came_from_cache(run(kept))
    shutil.rmtree(kept.directory / "s")
    assert "removed" in kept("snapshot", "prune").stdout and entries(kept) == []
