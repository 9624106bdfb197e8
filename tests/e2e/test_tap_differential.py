"""The same clients, directly and through the tap: every byte that the client saw is the same.

Two servers are started from one copied cluster, so that object identifiers and transaction numbers
agree. A recorder stands between client and relay (or server) and frames what passes by itself; process
numbers and cancel keys alone are masked.
"""
import hashlib
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

import conftest
from jdbc import jdbc  # noqa: F401 (a fixture)

sys.path.insert(0, str(conftest.ROOT / "tests" / "wire"))
import record  # noqa: E402

RELAY = pathlib.Path(os.environ.get(
    "TAP_RELAY", conftest.PROGRAM.parent / "tests" / "unit" / "tap" / "tap_relay"))

SCRIPTS = {
    "simple": record.SIMPLE,
    "transactions": r"""
        \set ON_ERROR_STOP 0
        BEGIN; CREATE TABLE a (id serial PRIMARY KEY, t text UNIQUE); INSERT INTO a (t) VALUES ('x'), ('y');
        SAVEPOINT s; INSERT INTO a (t) VALUES ('x'); ROLLBACK TO s; TABLE a; COMMIT;
        BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY; INSERT INTO a (t) VALUES ('z'); COMMIT;
        PREPARE p (int) AS SELECT * FROM a WHERE id = $1; EXECUTE p(1); EXECUTE p(3); DEALLOCATE p; EXECUTE p(1);
        DECLARE c CURSOR WITH HOLD FOR SELECT generate_series(1, 10); FETCH 3 FROM c; MOVE 2 IN c; FETCH ALL c; CLOSE c;
        SELECT * FROM a \gdesc
        SELECT 1/0; SELECT 'unterminated; SELECT 2;
        ';
        DROP TABLE a;
        """,
    "ddl": r"""
        CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int REFERENCES parent, x text);
        INSERT INTO parent SELECT generate_series(1, 1000); INSERT INTO child SELECT i, 'x' || i FROM generate_series(1, 1000) i;
        ALTER TABLE child ALTER COLUMN x TYPE varchar(3); ALTER TABLE child ADD COLUMN y int NOT NULL DEFAULT 7;
        CREATE INDEX CONCURRENTLY child_x ON child (x); VACUUM ANALYZE child; CLUSTER child USING child_x;
        CREATE OR REPLACE FUNCTION noisy() RETURNS int LANGUAGE plpgsql AS
          $$BEGIN FOR i IN 1..20 LOOP RAISE NOTICE 'number %', i; END LOOP; RETURN 1; END$$;
        SELECT noisy(); SET client_min_messages = debug1; ALTER TABLE child ALTER COLUMN y TYPE bigint;
        RESET client_min_messages; DROP TABLE parent; DROP TABLE parent CASCADE; DROP TABLE child;
        \d child
        """,
    "large": r"""
        SELECT repeat('x', 20000000) AS one_large_value;
        SELECT i, md5(i::text) FROM generate_series(1, 100000) i;
        \copy (SELECT i, repeat('y', i % 300) FROM generate_series(1, 50000) i) TO STDOUT
        SELECT string_agg(i::text, ',') FROM generate_series(1, 200000) i;
        """,
    "settings": r"""
        SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German'; SET client_encoding = 'LATIN1';
        SELECT timestamp '2026-11-20 12:00', U&'\00e9'; SET client_encoding = 'SQL_ASCII';
        SET statement_timeout = '50ms'; SELECT pg_sleep(5); RESET statement_timeout;
        SET lock_timeout = '50ms'; SHOW lock_timeout;
        \c - -
        SELECT current_setting('TimeZone');
        \c no_such_database
        """,
}
# (name, mode, script): pgbench sends what psql cannot.
PGBENCH = [
    ("extended", "extended", "SELECT :scale;\nSELECT 'a', 1.5, NULL;\n"),
    ("prepared", "prepared", "\\set x random(1, 10)\nSELECT :x - :x;\nSELECT :scale;\n"),
    ("pipeline", "extended", record.PIPELINE),
    ("pipeline-error", "prepared", "\\startpipeline\nSELECT 1;\nSELECT 1/0;\nSELECT 2;\n\\endpipeline\n"),
]
# What the handler of the relay does meanwhile: nothing at all, what a trace collects, and holding too; or
# the relay is a capture.
HANDLERS = {"bare": [], "collect": ["--collect"], "hold": ["--hold", "--spin", "100"], "capture": "capture"}


# In a command: the port of the conversation, for clients that know no Unix sockets.
PORT = "PORT"


def render(body):
    if len(body) <= 1000:
        return repr(body)
    return f"{len(body)} bytes {hashlib.sha256(body).hexdigest()}"


def sessions(cluster):
    """Processes that serve clients. A schema for temporary tables belongs to the number of a session's
    slot, so one that lingers would shift the next one's, and with it all object identifiers. (For the
    same reason no launcher of the server's own runs.)"""
    pid = cluster.process.pid
    titles = []
    for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            titles.append(pathlib.Path(f"/proc/{child}/cmdline").read_bytes())
        except OSError:
            pass
    return [title for title in titles
            if title.startswith((b"postgres: postgres ", b"postgres: parallel worker"))]


class Conversation:
    """Clients against one server, directly or through the tap; what they saw and what passed."""

    def __init__(self, directory, cluster, relay_arguments):
        self.directory, self.cluster = directory, cluster
        directory.mkdir()
        target = server_socket = str(cluster.directory / ".s.PGSQL.5432")
        self.relay = None
        if relay_arguments is not None:
            target = str(directory / "tap")
            command = [RELAY, "--listen", target, "--server", server_socket, *relay_arguments]
            if relay_arguments == "capture":
                command = [conftest.PROGRAM, "capture", "--upstream", cluster.url(), "--listen", f"unix:{target}",
                           "-o", directory / "workload", "--unencrypted", "--no-config", "--spill", "0", "--json"]
            self.relay = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            while "ready" not in (line := self.relay.stdout.readline()):
                assert line, "the relay has ended"
        self.recorder = record.Recorder(str(directory / ".s.PGSQL.5432"), target, render)
        self.environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PGHOST": str(directory),
                            "PGPORT": "5432", "PGUSER": "postgres", "PGDATABASE": "postgres",
                            "PGAPPNAME": "differential", "HOME": str(directory)}

    def run(self, command, script=None, interrupts=False):
        """-> what the client printed, and the messages of every connection it made."""
        conftest.wait_for(lambda: not sessions(self.cluster), what="earlier sessions have ended")
        command = [str(self.recorder.port) if part is PORT else part for part in command]
        process = subprocess.Popen(command, env=self.environment, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   cwd=self.directory, start_new_session=True)
        if interrupts:
            # A cancel request that comes before the statement runs is lost, with any server.
            with self.cluster.connect(autocommit=True) as watcher:
                conftest.wait_for(lambda: watcher.execute(
                    "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'").fetchone()
                    is not None, what="the statement sleeps")
            process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate((script or "").encode(), timeout=60)
        connections = [{direction: [line for line in lines if line[0] == direction]
                        for direction in "FB"} for lines in self.recorder.take()]
        return process.returncode, stdout, stderr, connections

    def end(self):
        self.recorder.close()
        if self.relay:
            self.relay.terminate()
            self.relay.communicate(timeout=10)
            assert self.relay.returncode == 0


@pytest.fixture(scope="module")
def twins():
    """Two running servers from one cluster, with the same history."""
    found = conftest.debian_server()
    if not found:
        pytest.skip("no complete PostgreSQL installation here")
    if not RELAY.exists():
        pytest.fail(f"{RELAY} is not built")
    root = pathlib.Path(tempfile.mkdtemp(prefix="rh-twins-", dir="/var/tmp"))
    root.chmod(0o755)
    clusters = [conftest.Cluster(conftest.Server(*found), root / name) for name in "ab"]
    try:
        start_twins(*clusters)
        yield clusters
    finally:
        for cluster in clusters:
            cluster.stop()
        shutil.rmtree(root, ignore_errors=True)


def start_twins(first, second):
    for cluster in (first, second):
        cluster.directory.mkdir()
    first.start()
    first.process.send_signal(signal.SIGINT)
    first.process.wait(20)
    if conftest.IS_ROOT:
        shutil.chown(second.directory, "postgres", "postgres")
    subprocess.run(["cp", "-a", first.data, second.data], check=True)
    second.log = open(second.directory / "log", "wb")
    for cluster in (first, second):
        cluster.directory.chmod(0o755)
        cluster.process = subprocess.Popen(
            [f"{cluster.server.bin}/postgres", "-D", cluster.data, "-c", "listen_addresses=", "-c",
             f"unix_socket_directories={cluster.directory}", "-c", "fsync=off", "-c",
             "autovacuum=off", "-c", "max_logical_replication_workers=0"],
            cwd="/", stdout=cluster.log, stderr=cluster.log, **cluster._as_server())
        conftest.wait_for(cluster._answers, 20, "a twin answers")


def masked(output, conversation):
    """psql names the directory of the socket, and the process that sent a notification."""
    output = output.replace(str(conversation.directory).encode(), b"DIR")
    return re.sub(rb"PID \d+", b"PID", output)


class Both:
    """The same command at both servers; fails at the first difference."""

    def __init__(self, direct, tapped):
        self.direct, self.tapped = direct, tapped

    def check(self, command, script=None, connections=1, **options):
        expected = self.direct.run(command, script, **options)
        got = self.tapped.run(command, script, **options)
        assert got[0] == expected[0], (got[:3], expected[:3])
        for mine, theirs in zip(got[1:3], expected[1:3]):
            assert masked(mine, self.tapped) == masked(theirs, self.direct)
        assert len(expected[3]) >= connections
        assert len(got[3]) == len(expected[3])
        for number, (mine, theirs) in enumerate(zip(got[3], expected[3])):
            for direction in "FB":
                for index, (one, other) in enumerate(zip(mine[direction], theirs[direction])):
                    assert one == other, f"connection {number}, message {index}"
                assert len(mine[direction]) == len(theirs[direction])


@pytest.fixture(params=list(HANDLERS))
def both(request, twins, tmp_path):
    # Socket paths are short: 107 bytes at most.
    place = pathlib.Path(tempfile.mkdtemp(prefix="rh-d-"))
    direct = Conversation(place / "d", twins[0], None)
    tapped = Conversation(place / "t", twins[1], HANDLERS[request.param])
    yield Both(direct, tapped)
    direct.end()
    tapped.end()
    shutil.rmtree(place, ignore_errors=True)


PSQL = ["psql", "-X", "-a"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_psql_sees_the_same_bytes(both, name):
    both.check(PSQL, SCRIPTS[name])


def test_copy_in_and_out_of_files_sees_the_same_bytes(both, tmp_path):
    rows = tmp_path / "rows"
    rows.write_text("".join(f"{i}\tname {i}\n" for i in range(100000)))
    both.check(PSQL, record.COPY.replace("PSTDIN", str(rows)))


@pytest.mark.parametrize("name,mode,text", PGBENCH, ids=[name for name, _, _ in PGBENCH])
def test_pgbench_sees_the_same_bytes(both, tmp_path, name, mode, text):
    script = tmp_path / "script"
    script.write_text(text)
    # Numbers of the summary (times, rates) differ; what passed may not.
    command = ["sh", "-c", f"pgbench -n -t 20 -M {mode} -f {script} -s 41 --random-seed=7 "
               "> /dev/null 2>&1"]
    both.check(command)


def test_cancelled_statement_sees_the_same_bytes(both):
    both.check(PSQL + ["-c", "SELECT pg_sleep(30)"], connections=2, interrupts=True)


DRIVER = r"""
import sys, psycopg
with psycopg.connect("") as c:
    c.execute("CREATE TEMP TABLE t (id int, v text, n numeric, b bytea)")
    with c.pipeline():
        for i in range(50):
            c.execute("INSERT INTO t VALUES (%s, %s, %s, %s)", (i, "v" * i, i / 3, bytes([i])))
    for binary in (False, True):
        with c.cursor(binary=binary) as cur:
            print(cur.execute("SELECT * FROM t ORDER BY id", prepare=True).fetchall())
    with c.cursor("named") as cur:
        cur.itersize = 7
        print(sum(1 for _ in cur.execute("SELECT * FROM t")))
    with c.cursor().copy("COPY t (id, v) FROM STDIN") as copy:
        for i in range(1000):
            copy.write_row((i, "row"))
    with c.cursor().copy("COPY t TO STDOUT (FORMAT binary)") as copy:
        print(sum(len(part) for part in copy))
    try:
        with c.pipeline() as pipeline:
            c.execute("SELECT 1/0")
            pipeline.sync()
    except psycopg.Error as error:
        print(error.sqlstate)
"""


def test_driver_in_pipeline_mode_sees_the_same_bytes(both):
    both.check(["/usr/bin/python3", "-c", DRIVER])


# (A virtual machine takes its time to start: with the handlers that do most.)
@pytest.mark.parametrize("both", ["hold", "capture"], indirect=True)
def test_jdbc_sees_the_same_bytes(both, jdbc):  # noqa: F811
    both.check([*jdbc, PORT, "all"], connections=11)


@pytest.mark.parametrize("both", ["capture"], indirect=True)
def test_jdbc_cancels_with_the_same_bytes(both, jdbc):  # noqa: F811
    both.check([*jdbc, PORT, "cancel"], connections=2, interrupts=True)


def test_random_bytes_instead_of_a_client_get_the_same_answer(twins, both):
    """Whatever is sent after a start-up packet: the server is the judge, not the tap."""
    seed = 20261120
    print("seed", seed)
    generator = random.Random(seed)
    for _ in range(20):
        rubbish = generator.randbytes(generator.randrange(1, 200)).hex()
        program = f"""
import socket, os
s = socket.socket(socket.AF_UNIX); s.connect(os.environ["PGHOST"] + "/.s.PGSQL.5432"); s.settimeout(10)
s.sendall(bytes.fromhex("000000290003000075736572 00706f7374677265730064617461626173650070 6f73746772657300 00".replace(" ", "")))
seen = b""
while not seen.endswith(b"Z\\0\\0\\0\\5I"):
    seen += s.recv(65536)
s.sendall(bytes.fromhex("{rubbish}"))
s.shutdown(socket.SHUT_WR)
rest = b""
while True:
    try:
        part = s.recv(65536)
    except ConnectionResetError:
        break
    if not part:
        break
    rest += part
print(rest)
"""
        expected = both.direct.run(["/usr/bin/python3", "-c", program])
        got = both.tapped.run(["/usr/bin/python3", "-c", program])
        assert got[:3] == expected[:3]
        assert expected[0] == 0, expected[2]
