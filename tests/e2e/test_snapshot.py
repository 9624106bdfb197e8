"""rehearse snapshot: a server of the test's own stands for production, and a replica of it."""
import gzip
import json
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time

import pytest
from conftest import IS_ROOT, Cluster, Server, debian_server, wait_for

SECRET = "Zr9qSecret"          # in every place that can hold text
SECRET_NUMBERS = ["4929717344", "85.214.132.117"]


class Production:
    """A primary with a database `shop` and a role that may only read."""

    def __init__(self, server):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rh-production-", dir="/var/tmp"))
        self.cluster = Cluster(server, self.directory)
        self.cluster.start(wal_level="replica", max_wal_senders="4", hot_standby="on",
                           log_statement="all", log_line_prefix="%a|%u|%d|", max_connections="60")
        self.cluster.sql("CREATE ROLE reader LOGIN PASSWORD 'reader'")

    def url(self, database="shop", user="reader"):
        return f"postgresql://{user}@/{database}?host={self.directory}&port=5432"

    def sql(self, statements, database="shop"):
        self.cluster.sql(statements, database)

    def rows(self, query, database="shop"):
        with self.cluster.connect(database, autocommit=True) as connection:
            return connection.execute(query).fetchall()

    def database(self, name, statements=""):
        """A new database whose rows the reader may read."""
        self.cluster.new_database(name, statements)
        self.cluster.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader; "
                         "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO reader", name)
        return name

    def stop(self):
        self.cluster.stop()


SHOP = f"""
CREATE TABLE users (id bigserial PRIMARY KEY, email text UNIQUE NOT NULL, name varchar(40), born date,
                    profile jsonb, note text, picture bytea, tags text[], address inet, active boolean);
INSERT INTO users (email, name, born, profile, note, picture, tags, address, active)
SELECT 'user' || g || '@example.org', 'Name ' || g, date '1980-01-01' + g % 9000,
       jsonb_build_object('phone', '+49 170 ' || g, 'deep', jsonb_build_array(jsonb_build_object('x', 'y' || g))),
       CASE WHEN g % 3 = 0 THEN NULL ELSE 'note ' || g END, convert_to('picture ' || g, 'UTF8'),
       ARRAY['a' || g, 'b'], ('10.0.' || g % 250 || '.1')::inet, g % 2 = 0
FROM generate_series(1, 2000) g;
CREATE TABLE orders (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, total numeric(10, 2),
                     at timestamptz DEFAULT now());
INSERT INTO orders (user_id, total) SELECT 1 + g % 2000, g * 1.5 FROM generate_series(1, 6000) g;
CREATE TABLE nothing ();
CREATE TABLE "We""ird Name" ("A b" int, "c,d)" text);
INSERT INTO "We""ird Name" VALUES (1, E'x\\\\y\\ttab'), (2, E'line\\nend'), (3, NULL), (4, '');
CREATE TABLE parted (id int, region text, note text) PARTITION BY LIST (region);
CREATE TABLE parted_north PARTITION OF parted FOR VALUES IN ('north');
CREATE TABLE parted_south PARTITION OF parted FOR VALUES IN ('south');
INSERT INTO parted SELECT g, CASE WHEN g % 2 = 0 THEN 'north' ELSE 'south' END, 'p' || g
FROM generate_series(1, 100) g;
CREATE MATERIALIZED VIEW sums AS SELECT user_id, sum(total) FROM orders GROUP BY 1;
COMMENT ON TABLE users IS '{SECRET}';
SELECT lo_from_bytea(4711, convert_to(repeat('{SECRET} ', 5000), 'UTF8'));
GRANT SELECT ON LARGE OBJECT 4711 TO reader;
"""


@pytest.fixture(scope="session")
def production():
    found = debian_server()
    if not found:
        pytest.skip("no complete PostgreSQL installation (pg_dump) here")
    production = Production(Server(*found))
    production.database("shop", SHOP)
    production.cluster.sql("ANALYZE", "shop")
    yield production
    production.stop()


class Standby(Cluster):
    """Made of the primary by pg_basebackup, streaming from it."""

    def __init__(self, production):
        super().__init__(production.cluster.server,
                         pathlib.Path(tempfile.mkdtemp(prefix="rh-standby-", dir="/var/tmp")))
        self.primary = production.cluster

    def start(self, **settings):
        if IS_ROOT:
            shutil.chown(self.directory, "postgres", "postgres")
        environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TZ": "UTC"}
        subprocess.run([f"{self.server.bin}/pg_basebackup", "-h", str(self.primary.directory), "-U", "postgres",
                        "-D", str(self.data), "-R", "-c", "fast"], check=True, capture_output=True, cwd="/",
                       env=environment, **self._as_server())
        self.log = open(self.directory / "log", "wb")
        self.process = subprocess.Popen(
            [f"{self.server.bin}/postgres", "-D", str(self.data), "-c", "listen_addresses=",
             "-c", f"unix_socket_directories={self.directory}", "-c", "max_connections=60",
             "-c", "hot_standby=on"], cwd="/", stdout=self.log, stderr=self.log, env=environment,
            **self._as_server())
        wait_for(self._answers, 30, "the standby answers")
        return self


@pytest.fixture
def standby(production):
    standby = Standby(production).start()
    yield standby
    standby.stop()


# --- what the archive holds ---------------------------------------------------------------------------------

def archive_bytes(snapshot):
    """All of it, decompressed."""
    found = b""
    for path in sorted((snapshot / "archive").iterdir()):
        content = path.read_bytes()
        found += gzip.decompress(content) if path.suffix == ".gz" else content
    return found


def manifest(snapshot):
    return json.loads((snapshot / "manifest.json").read_text())


def table(snapshot, identity):
    return next(table for table in manifest(snapshot)["tables"] if table["identity"] == identity)


def certificate(snapshot, name):
    return next(found for found in manifest(snapshot)["certificates"] if found["name"] == name)


def children(pid, name):
    """Processes below `pid` that run `name`."""
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid=,comm="], capture_output=True, text=True, check=True)
    parents = {}
    for line in listed.stdout.splitlines():
        child, parent, command = line.split(None, 2)
        parents[int(child)] = (int(parent), command)

    def is_below(child):
        while child in parents and child != pid:
            child = parents[child][0]
        return child == pid
    return [child for child, (_, command) in parents.items() if command == name and is_below(child)]


def no_traces(rehearse, out="s"):
    assert [path.name for path in rehearse.directory.iterdir() if path.name.startswith(out)] == []


def create(rehearse, production, *arguments, database="shop", out="s", **options):
    return rehearse("snapshot", "create", "--from", production.url(database), "-o", out, *arguments,
                    **options)


def restore(production, rehearse, snapshot, name):
    """By plain pg_restore, as anybody would."""
    production.cluster.new_database(name)
    done = subprocess.run([f"{production.cluster.server.bin}/pg_restore", "-h", str(production.directory),
                           "-U", "postgres", "-d", name, "--exit-on-error", str(snapshot / "archive")],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return name


# --- the whole of it ----------------------------------------------------------------------------------------

def test_create_restores_with_plain_pg_restore(production, rehearse):
    done = create(rehearse, production)
    assert done.status == 0, done
    snapshot = rehearse.directory / "s"
    assert certificate(snapshot, "integrity")["status"] == "passed"
    listed = subprocess.run([f"{production.cluster.server.bin}/pg_restore", "-l", str(snapshot / "archive")],
                            capture_output=True, text=True)
    assert listed.returncode == 0 and "TABLE DATA public users" in listed.stdout
    name = restore(production, rehearse, snapshot, "restored")
    for query in ("SELECT count(*), count(DISTINCT email), count(note), count(DISTINCT note), sum(length(email)) "
                  "FROM users",
                  "SELECT count(*), count(DISTINCT user_id), sum(total) FROM orders",
                  "SELECT count(*), count(\"c,d)\") FROM \"We\"\"ird Name\"",
                  "SELECT region, count(*) FROM parted GROUP BY 1 ORDER BY 1",
                  "SELECT last_value FROM users_id_seq",
                  "SELECT count(*) FROM sums",
                  "SELECT max(length(lo_get(oid))) FROM pg_largeobject_metadata"):
        assert production.rows(query, name) == production.rows(query), query
    assert production.rows("SELECT email FROM users WHERE id = 7", name) != \
        production.rows("SELECT email FROM users WHERE id = 7")
    mode = stat.S_IMODE(snapshot.stat().st_mode)
    assert mode == 0o700, oct(mode)


def test_create_reads_only(production, rehearse):
    """Of an otherwise idle primary: not a byte of log is written, and no statement writes."""
    log = production.directory / "log"
    production.sql("VACUUM (FREEZE)")  # or reading tidies up what writing left, and that is logged
    production.cluster.sql("CHECKPOINT")
    before = production.rows("SELECT pg_current_wal_insert_lsn()")
    start = log.stat().st_size
    done = create(rehearse, production, "--no-verify")
    assert done.status == 0, done
    assert production.rows("SELECT pg_current_wal_insert_lsn()") == before
    said = log.read_bytes()[start:].decode(errors="replace")
    ours = [line for line in said.splitlines() if line.startswith("rehearse snapshot|") and "statement: " in line]
    assert len(ours) > 20, said[:2000]
    words = {line.partition("statement: ")[2].split()[0].upper().rstrip(";") for line in ours}
    assert words <= {"SET", "BEGIN", "SELECT", "LOCK", "COPY", "PREPARE", "EXECUTE", "ROLLBACK", "COMMIT", "DECLARE",
                     "FETCH", "CLOSE", "WITH", "--", "SHOW", "SAVEPOINT", "RELEASE"}, words
    held = manifest(rehearse.directory / "s")["footprint"]
    # All that the server's log has of us: our own session's questions as well as pg_dump's. It has
    # one line for a string of several statements.
    asked = [line for line in said.splitlines() if line.startswith("rehearse snapshot|") and
             re.search(r"(statement|execute [^:]+): ", line)]
    assert len(asked) <= held["statements"] < 2 * len(asked), (held["statements"], len(asked))
    assert held["bytes_read"] > 100_000 and held["snapshot_age_ms"] > 0
    assert [lock.split()[0] for lock in held["locks"]] == ["AccessShareLock"]


def test_create_of_a_standby(production, standby, rehearse):
    done = rehearse("snapshot", "create", "--from",
                    f"postgresql://reader@/shop?host={standby.directory}&port=5432", "-o", "s")
    assert done.status == 0, done
    snapshot = rehearse.directory / "s"
    found = manifest(snapshot)
    assert found["is_standby"] and found["source"].startswith("standby ")
    assert certificate(snapshot, "integrity")["status"] == "passed"
    assert table(snapshot, "public.users")["rows"] == 2000


def test_create_of_a_standby_has_no_unlogged_rows(production, rehearse):
    production.database("unlogged", "CREATE UNLOGGED TABLE cache (id int); INSERT INTO cache VALUES (1)")
    standby = Standby(production).start()
    try:
        done = rehearse("snapshot", "create", "--from",
                        f"postgresql://reader@/unlogged?host={standby.directory}&port=5432", "-o", "s", "--no-verify")
        assert done.status == 0, done
        found = table(rehearse.directory / "s", "public.cache")
        assert (found["rows"], found["omitted"]) == (0, "unlogged on a standby: only the primary has its rows")
    finally:
        standby.stop()


# --- rights -------------------------------------------------------------------------------------------------

def test_create_names_the_grants_that_are_missing_and_they_are_enough(production, rehearse):
    production.cluster.new_database("strict", "CREATE SCHEMA \"Billing\"; "
                                    "CREATE TABLE \"Billing\".invoice (id serial, total numeric); "
                                    "CREATE TABLE plain (id int); SELECT lo_from_bytea(815, 'x')")
    done = create(rehearse, production, database="strict")
    assert done.status == 1, done
    no_traces(rehearse)
    grants = [line.strip() for line in done.stderr.splitlines()
              if line.strip().startswith(("GRANT ", "DO "))]
    assert any("ON SCHEMA \"Billing\"" in grant for grant in grants), done
    assert any("ON TABLE public.plain" in grant for grant in grants), done
    assert any("ON SEQUENCE \"Billing\".invoice_id_seq" in grant for grant in grants), done
    assert any("LARGE OBJECT" in grant for grant in grants), done
    for grant in grants:
        production.sql(grant, "strict")
    done = create(rehearse, production, "--no-verify", database="strict")
    assert done.status == 0, done


def test_create_without_large_objects_needs_no_right_on_them(production, rehearse):
    production.database("objects", "CREATE TABLE t (id int); SELECT lo_from_bytea(816, 'x')")
    done = create(rehearse, production, "--no-verify", "--no-large-objects", database="objects")
    assert done.status == 0, done
    assert manifest(rehearse.directory / "s")["large_objects"] == 0


def test_create_refuses_rows_hidden_by_row_security(production, rehearse):
    production.database("hidden", "CREATE TABLE accounts (id int, tenant int); INSERT INTO accounts VALUES (1, 1); "
                        "ALTER TABLE accounts ENABLE ROW LEVEL SECURITY; "
                        "CREATE POLICY own_tenant ON accounts FOR SELECT USING (tenant = 2)")
    done = create(rehearse, production, database="hidden")
    assert done.status == 1, done
    assert "row security hides rows" in done.stderr and "own_tenant" in done.stderr, done
    assert "ALTER ROLE reader BYPASSRLS;" in done.stderr, done
    no_traces(rehearse)


def test_create_tells_missing_rights_as_json(production, rehearse):
    production.cluster.new_database("closed", "CREATE TABLE plain (id int)")
    done = create(rehearse, production, "--json", database="closed")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events] == ["start", "missing-rights", "error"], done
    assert events[1]["rights"][0]["remedy"] == "GRANT SELECT ON TABLE public.plain TO reader;"


# --- what goes wrong ----------------------------------------------------------------------------------------

def test_create_gives_up_on_a_locked_table(production, rehearse):
    production.database("locked", "CREATE TABLE busy (id int)")
    with production.cluster.connect("locked") as connection:
        connection.execute("LOCK TABLE busy IN ACCESS EXCLUSIVE MODE")
        done = create(rehearse, production, "--lock-timeout", "300ms", database="locked")
    assert done.status == 1, done
    assert "--lock-timeout" in done.stderr, done
    no_traces(rehearse)


def test_create_fails_when_a_table_was_rewritten_while_it_waited(production, rehearse):
    """pg_dump waits for its lock behind a change of the table; then the old rows are gone."""
    production.database("changed", "CREATE TABLE moving (id int); "
                        "INSERT INTO moving SELECT generate_series(1, 1000)")
    with production.cluster.connect("changed") as connection:
        connection.execute("LOCK TABLE moving IN ACCESS EXCLUSIVE MODE")
        process = rehearse.start("snapshot", "create", "--from", production.url("changed"), "-o", "s",
                                 "--lock-timeout", "20s")
        wait_for(lambda: production.rows("SELECT count(*) FROM pg_locks WHERE NOT granted "
                                         "AND mode = 'AccessShareLock'", "changed")[0][0] > 0,
                 20, "pg_dump waits for its lock")
        connection.execute("ALTER TABLE moving ALTER COLUMN id TYPE bigint")
        connection.commit()
    done = rehearse.finish(process)
    assert done.status == 1, done
    assert "public.moving was rewritten, truncated or dropped" in done.stderr, done
    no_traces(rehearse)


@pytest.fixture(scope="session")
def large(production):
    """A table that takes seconds at the rate the tests ask for."""
    production.database("large", "CREATE TABLE filler (id int, text text); "
                        "INSERT INTO filler SELECT g, repeat('x', 1000) FROM generate_series(1, 8000) g")
    return "large"


def start_slowly(rehearse, production, large, *arguments):
    process = rehearse.start("snapshot", "create", "--from", production.url(large), "-o", "s", "--rate-limit",
                             "500kB/s", *arguments)
    wait_for(lambda: any((path / "archive").exists() for path in rehearse.directory.glob("s.incomplete-*")),
             20, "the dump is under way")
    wait_for(lambda: production.rows("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY public.filler%'",
                                     large)[0][0] > 0, 20, "rows are copied")
    return process


def no_sessions(production, large):
    wait_for(lambda: production.rows("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'rehearse%'",
                                     large)[0][0] == 0, 10, "production is let go")


@pytest.mark.parametrize("signal_number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_create_interrupted_leaves_nothing(production, large, rehearse, signal_number, status):
    process = start_slowly(rehearse, production, large)
    process.send_signal(signal_number)
    done = rehearse.finish(process, timeout=15)
    assert done.status == status, done
    no_traces(rehearse)
    no_sessions(production, large)
    assert children(process.pid, "pg_dump") == []


def test_create_keeps_to_its_timeout(production, large, rehearse):
    process = start_slowly(rehearse, production, large, "--timeout", "2s")
    done = rehearse.finish(process, timeout=15)
    assert done.status == 124, done
    no_traces(rehearse)


def test_create_fails_when_pg_dump_is_killed(production, large, rehearse):
    process = start_slowly(rehearse, production, large)
    for pid in children(process.pid, "pg_dump"):
        os.kill(pid, signal.SIGKILL)
    done = rehearse.finish(process, timeout=15)
    assert done.status == 1, done
    no_traces(rehearse)
    no_sessions(production, large)


def test_create_fails_when_production_goes_away(production, large, rehearse):
    process = start_slowly(rehearse, production, large)
    production.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY public.filler%' "
                    "AND pid <> pg_backend_pid()", large)
    done = rehearse.finish(process, timeout=15)
    assert done.status == 1, done
    no_traces(rehearse)


def test_create_killed_leaves_what_the_next_one_removes(production, large, rehearse):
    process = start_slowly(rehearse, production, large)
    process.kill()
    process.communicate(timeout=10)
    assert list(rehearse.directory.glob("s.incomplete-*")), "it had nothing to leave"
    wait_for(lambda: children(process.pid, "pg_dump") == [], 10, "pg_dump ends with it")
    done = create(rehearse, production, "--no-verify")
    assert done.status == 0, done
    assert list(rehearse.directory.glob("s.incomplete-*")) == []
    no_sessions(production, large)


@pytest.mark.skipif(not IS_ROOT, reason="mounting a small file system needs root")
def test_create_on_a_full_disk_leaves_nothing(production, rehearse):
    production.database("noise", "CREATE TABLE noise (t text); INSERT INTO noise "
                        "SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 400) g, "
                        "generate_series(1, 300) h GROUP BY h")
    place = rehearse.directory / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], check=True)
    try:
        done = create(rehearse, production, "--unmasked", database="noise", out="small/s")
        assert done.status == 1, done
        assert "No space left on device" in done.stderr, done
        assert list(place.iterdir()) == []
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_create_never_replaces_what_it_did_not_make(production, rehearse):
    rehearse.write("s/mine.txt", "mine")
    done = create(rehearse, production, "--replace")
    assert (done.status, "is no snapshot" in done.stderr) == (2, True), done
    assert (rehearse.directory / "s" / "mine.txt").read_text() == "mine"


def test_create_replaces_a_snapshot_only_when_told_and_only_when_done(production, rehearse):
    assert create(rehearse, production, "--no-verify").status == 0
    before = manifest(rehearse.directory / "s")["created_at"]
    done = create(rehearse, production)
    assert (done.status, "--replace" in done.stderr) == (2, True), done
    done = create(rehearse, production, "--replace", "--exclude-table", "no_such_table")
    assert done.status == 2, done
    assert manifest(rehearse.directory / "s")["created_at"] == before
    assert create(rehearse, production, "--no-verify", "--replace").status == 0
    assert manifest(rehearse.directory / "s")["created_at"] != before
    assert [path.name for path in rehearse.directory.iterdir() if path.name.startswith("s")] == ["s"]


# --- rows ---------------------------------------------------------------------------------------------------

def test_create_excludes_tables(production, rehearse):
    done = create(rehearse, production, "--exclude-table", "orders", "--exclude-table", "public.parted")
    assert done.status == 0, done
    snapshot = rehearse.directory / "s"
    assert (table(snapshot, "public.orders")["rows"], table(snapshot, "public.orders")["omitted"]) == (0, "excluded")
    assert table(snapshot, "public.parted_north")["rows"] == 0
    assert not manifest(snapshot)["is_complete"]
    assert certificate(snapshot, "integrity")["status"] == "passed"


def test_create_refuses_to_leave_out_parents(production, rehearse):
    done = create(rehearse, production, "--exclude-table", "users")
    assert done.status == 2, done
    assert "public.orders refer to them" in done.stderr, done


def test_create_samples(production, rehearse):
    done = create(rehearse, production, "--sample", "5%")
    assert done.status == 0, done
    snapshot = rehearse.directory / "s"
    users, orders = table(snapshot, "public.users"), table(snapshot, "public.orders")
    assert 20 < users["rows"] < 300 and users["production_rows"] == 2000
    assert orders["rows"] > 2.5 * users["rows"], "a kept user keeps its orders"
    assert not manifest(snapshot)["is_complete"] and manifest(snapshot)["seed_id"]
    assert certificate(snapshot, "integrity")["status"] == "passed"
    name = restore(production, rehearse, snapshot, "restored_sample")
    assert production.rows("SELECT count(*) FROM users", name)[0][0] == users["rows"]


def test_create_samples_few_children_of_each_parent(production, rehearse):
    done = create(rehearse, production, "--sample", "50%", "--max-children", "1", "--no-verify")
    assert done.status == 0, done
    users, orders = (table(rehearse.directory / "s", name) for name in ("public.users", "public.orders"))
    # One row of the commonest value of each foreign key is there whatever the limit.
    assert 100 < orders["rows"] <= users["rows"] + 10, (users, orders)


def test_create_1600_columns(production, rehearse):
    columns = ", ".join(f"c{number} text" for number in range(1600))
    production.database("wide", f"CREATE TABLE wide ({columns}); "
                        "INSERT INTO wide (c0, c1, c1599) VALUES ('first', 'second', 'last'), ('a', NULL, 'z')")
    done = create(rehearse, production, database="wide")
    assert done.status == 0, done
    found = table(rehearse.directory / "s", "public.wide")
    assert (found["rows"], len(found["columns"])) == (2, 1600)
    assert certificate(rehearse.directory / "s", "integrity")["status"] == "passed"


def large_value(production, rehearse, megabytes):
    production.database("heavy", "CREATE TABLE heavy (id int, t text); ALTER TABLE heavy ALTER t SET STORAGE EXTERNAL; "
                        f"INSERT INTO heavy VALUES (1, repeat('Large value ', {megabytes} * 1024 * 1024 / 12)), (2, 'b')")
    process = rehearse.start("snapshot", "create", "--from", production.url("heavy"), "-o", "s")
    peak = 0
    while process.poll() is None:
        try:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            peak = max([peak] + [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")])
        except OSError:
            pass
        time.sleep(0.02)
    done = rehearse.finish(process, timeout=600)
    assert done.status == 0, done
    assert table(rehearse.directory / "s", "public.heavy")["rows"] == 2
    assert certificate(rehearse.directory / "s", "integrity")["status"] == "passed"
    return peak


def test_create_value_of_64_megabytes(production, rehearse):
    assert large_value(production, rehearse, 64) < 256 * 1024


@pytest.mark.nightly
def test_create_value_of_almost_a_gigabyte(production, rehearse):
    """1 GB is a message's limit. pg_dump and the restore hold it whole; we must not."""
    assert large_value(production, rehearse, 1000) < 256 * 1024


# --- import, inspect ----------------------------------------------------------------------------------------

def test_import_of_an_archive(production, rehearse):
    production.cluster.dump(rehearse.directory / "shop.dump", "-Fc", database="shop")
    done = rehearse("snapshot", "import", "shop.dump", "-o", "s")
    assert done.status == 0, done
    snapshot = rehearse.directory / "s"
    assert manifest(snapshot)["source"] == "archive shop.dump"
    assert table(snapshot, "public.users")["rows"] == 2000
    assert certificate(snapshot, "integrity")["status"] == "passed"
    assert b"user7@example.org" not in archive_bytes(snapshot)


def test_import_of_rows_that_are_refused_shows_none(production, rehearse):
    with production.cluster.database("refused", "CREATE TABLE people (id int PRIMARY KEY, email text); "
                                     "INSERT INTO people VALUES (1, 'bob@example.com')"):
        production.cluster.dump(rehearse.directory / "whole.dump", "-Fd", "-Z0", database="refused")
        production.cluster.dump(rehearse.directory / "whole.sql", database="refused")
    for data in (rehearse.directory / "whole.dump").glob("[0-9]*.dat"):
        data.write_bytes(data.read_bytes().replace(b"1\tbob@example.com", b"bob@example.com\t1"))
    done = rehearse("snapshot", "import", "whole.dump", "-o", "s")
    assert done.status == 1 and "bob" not in done.stdout + done.stderr, done
    assert 'COPY failed for table "people": invalid input syntax' in done.stderr, done
    plain = rehearse.directory / "whole.sql"
    plain.write_bytes(plain.read_bytes().replace(b"1\tbob@example.com", b"bob@example.com\t1"))
    done = rehearse("snapshot", "import", "whole.sql", "-o", "t")
    assert done.status == 1 and "bob" not in done.stdout + done.stderr, done
    assert "invalid input syntax" in done.stderr, done


def test_import_refuses_a_snapshot(production, rehearse):
    assert create(rehearse, production, "--no-verify").status == 0
    done = rehearse("snapshot", "import", "s", "-o", "t")
    assert (done.status, "is a snapshot already" in done.stderr) == (2, True), done


def test_inspect_shows_tables_and_decisions(production, rehearse):
    assert create(rehearse, production, "--sample", "10%").status == 0
    done = rehearse("snapshot", "inspect", "s", "--columns")
    assert done.status == 0, done
    for word in ("public.users", "~2,000", "email text: email", "integrity passed", "AccessShareLock"):
        assert word in done.stdout, done
    done = rehearse("snapshot", "inspect", "s", "--json")
    assert json.loads(done.stdout) == manifest(rehearse.directory / "s")
    production.cluster.dump(rehearse.directory / "shop.dump", "-Fc", database="shop")
    done = rehearse("snapshot", "inspect", "shop.dump")
    assert done.status == 0 and "custom archive" in done.stdout and "database shop" in done.stdout, done
    assert json.loads(rehearse("snapshot", "inspect", "shop.dump", "--json").stdout)["is_masked"] is None


# --- keys ---------------------------------------------------------------------------------------------------

def test_key_is_made_for_its_owner_alone_and_used_again(production, rehearse):
    assert create(rehearse, production, "--no-verify", out="s1").status == 0
    key = rehearse.directory / ".config" / "rehearse" / "mask.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    secret = key.read_text().strip()
    done = create(rehearse, production, "--no-verify", out="s2")
    assert done.status == 0, done
    first, second = (table(rehearse.directory / out, "public.users")["checksum"] for out in ("s1", "s2"))
    assert first == second, "the same key gives the same pseudonyms"
    done = create(rehearse, production, "--no-verify", "--key-file", "other.key", out="s3")
    assert table(rehearse.directory / "s3", "public.users")["checksum"] != first
    for text in (done.stdout, done.stderr, (rehearse.directory / "s1" / "manifest.json").read_text()):
        assert secret not in text


def test_key_file_that_others_can_read_is_refused(production, rehearse):
    key = rehearse.write("shared.key", "0" * 64 + "\n")
    key.chmod(0o644)
    done = create(rehearse, production, "--key-file", "shared.key")
    assert (done.status, "can be read or written by others" in done.stderr) == (2, True), done
    key.chmod(0o600)
    assert create(rehearse, production, "--no-verify", "--key-file", "shared.key").status == 0


def test_key_comes_from_a_command_or_the_environment(production, rehearse):
    checksums = []
    for out, arguments, env in (("a", ["--key-command", "printf '%064d' 7"], {}),
                                ("b", [], {"REHEARSE_MASK_KEY": "7".rjust(64, "0")})):
        done = create(rehearse, production, "--no-verify", *arguments, out=out, env=env)
        assert done.status == 0, done
        checksums.append(table(rehearse.directory / out, "public.users")["checksum"])
    assert checksums[0] == checksums[1]
    assert not (rehearse.directory / ".config").exists()
    done = create(rehearse, production, "--key-command", "echo no key", out="c")
    assert (done.status, "holds no masking key" in done.stderr) == (2, True), done


# --- secrets ------------------------------------------------------------------------------------------------

PLANTED = f"""
CREATE EXTENSION hstore;
CREATE EXTENSION citext;
CREATE EXTENSION postgres_fdw;
CREATE TYPE person AS (name text, age int, mail text);
CREATE DOMAIN short_text AS text CHECK (length(value) < 100);
CREATE TYPE textrange AS RANGE (subtype = text);
CREATE TABLE planted (
    id int PRIMARY KEY, a_text text, a_varchar varchar(60), a_char char(60), a_name name, a_citext citext,
    a_json json, a_jsonb jsonb, an_xml xml, a_bytea bytea, an_array text[], a_matrix text[][], an_hstore hstore,
    a_vector tsvector, a_person person, people person[], a_domain short_text, domains short_text[], a_range textrange,
    an_inet inet, a_cidr cidr, addresses inet[], jsons jsonb[], a_query tsquery, a_path text, a_key text);
INSERT INTO planted VALUES (
    1, '{SECRET}', '{SECRET}', '{SECRET}', '{SECRET}', '{SECRET}',
    '{{"a": "{SECRET}", "b": {{"deep": [1, {{"x": ["{SECRET}"]}}]}}}}',
    '{{"a": "{SECRET}", "b": {{"deep": [1, {{"x": ["{SECRET}", {{"y": {{"z": "{SECRET}"}}}}]}}]}}}}',
    '<p a="{SECRET}">{SECRET}<!-- {SECRET} --></p>', convert_to('{SECRET}', 'UTF8'), ARRAY['{SECRET}', NULL, 'b'],
    ARRAY[ARRAY['{SECRET}', 'a'], ARRAY['b', '{SECRET}']], '"{SECRET}"=>"{SECRET}"', to_tsvector('simple', '{SECRET}'),
    ROW('{SECRET}', 5, '{SECRET}'), ARRAY[ROW('{SECRET}', 5, 'x')::person], '{SECRET}', ARRAY['{SECRET}'],
    textrange('{SECRET}', '{SECRET}zz'), '{SECRET_NUMBERS[1]}', '{SECRET_NUMBERS[1]}', '{{{SECRET_NUMBERS[1]}}}',
    ARRAY['{{"x": "{SECRET}"}}'::jsonb], to_tsquery('simple', '{SECRET}'), repeat('{SECRET} ', 3000),
    '{SECRET_NUMBERS[0]}');
ANALYZE planted;
CREATE VIEW shown AS SELECT a_text FROM planted;
CREATE MATERIALIZED VIEW kept AS SELECT a_text FROM planted;
CREATE INDEX ON planted (lower(a_text));
COMMENT ON TABLE planted IS '{SECRET}';
COMMENT ON COLUMN planted.a_text IS '{SECRET}';
COMMENT ON DATABASE planted IS '{SECRET}';
COMMENT ON VIEW shown IS '{SECRET}';
ALTER DATABASE planted SET app.token = '{SECRET}';
ALTER ROLE reader IN DATABASE planted SET app.token = '{SECRET}';
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'elsewhere.invalid');
CREATE USER MAPPING FOR reader SERVER elsewhere OPTIONS (user 'x', password '{SECRET}');
CREATE FOREIGN TABLE far (a text) SERVER elsewhere;
GRANT SELECT ON far TO reader;
SELECT lo_from_bytea(4712, convert_to('{SECRET}', 'UTF8'));
GRANT SELECT ON LARGE OBJECT 4712 TO reader;
"""


def forms(secret):
    """What a planted text may look like in an archive."""
    plain = secret.encode().lower()
    return [plain, plain.hex().encode(), plain[:6]]


@pytest.mark.parametrize("user", ["reader", "postgres"])
def test_no_planted_secret_is_in_the_snapshot(production, rehearse, user):
    production.database("planted", PLANTED)
    done = rehearse("snapshot", "create", "--from", production.url("planted", user), "-o", "s")
    assert done.status == 0, done
    snapshot = rehearse.directory / "s"
    assert certificate(snapshot, "integrity")["status"] == "passed", manifest(snapshot)["certificates"]
    places = {"archive": archive_bytes(snapshot), "manifest": (snapshot / "manifest.json").read_bytes(),
              "masking.yaml": (snapshot / "masking.yaml").read_bytes(), "output": (done.stdout + done.stderr).encode()}
    for place, content in places.items():
        for secret in [SECRET, *SECRET_NUMBERS]:
            for form in forms(secret):
                at = content.lower().find(form)
                assert at < 0, f"{secret} is in {place}: ...{content[max(0, at - 200):at + 60]!r}"


def test_passwords_are_not_copied_without_a_mask_either(production, rehearse):
    production.database("planted", PLANTED)
    done = rehearse("snapshot", "create", "--from", production.url("planted", "postgres"), "-o", "s", "--unmasked",
                    "--no-verify")
    assert done.status == 0, done
    toc = (rehearse.directory / "s" / "archive" / "toc.dat").read_bytes()
    assert b"CREATE USER MAPPING FOR reader SERVER elsewhere" in toc
    for line in toc.splitlines():
        if b"USER MAPPING" in line or b"app.token" in line or b"password" in line:
            assert SECRET.encode() not in line, line
    assert b"app.token" not in toc


def test_passwords_are_in_no_command_line_and_no_output(production, large, rehearse):
    production.cluster.sql("ALTER ROLE reader PASSWORD 'pass-Zq8-word'")
    process = rehearse.start("snapshot", "create", "-o", "s", "--rate-limit", "500kB/s",
                             env={"REHEARSE_FROM": production.url(large).replace("reader@", "reader:pass-Zq8-word@")})
    wait_for(lambda: children(process.pid, "pg_dump"), 20, "pg_dump runs")
    seen = subprocess.run(["ps", "-e", "-o", "args="], capture_output=True, text=True, check=True).stdout
    process.send_signal(signal.SIGINT)
    done = rehearse.finish(process, timeout=15)
    assert "pass-Zq8-word" not in seen + done.stdout + done.stderr
