"""`rehearse capture` on a real server with real clients: what is recorded is what was said, whatever goes
wrong with the recording the traffic goes on, and what must not be stored is not."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading

import psycopg
import pytest

import conftest
import test_tap_tls
from test_wrapped import node_modules  # noqa: F401 (a fixture)

EVENTS = conftest.PROGRAM.parent / "tests" / "unit" / "workload" / "workload_events"
SETUP = """
CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL, city text);
INSERT INTO users SELECT i, 'user' || i || '@example.com', 'Town' FROM generate_series(1, 100) i;
CREATE TYPE mood AS ENUM ('fine', 'sad');
CREATE ROLE scrammed LOGIN PASSWORD 'a secret of the test';
"""


@pytest.fixture(scope="module")
def cluster():
    found = conftest.debian_server()
    if not found:
        pytest.skip("no complete PostgreSQL installation here")
    cluster = test_tap_tls.open_cluster(*found)
    try:
        cluster.start(listen_addresses="127.0.0.1", port=cluster.port, max_connections="120")
        cluster.sql(SETUP)
        yield cluster
    finally:
        cluster.stop()


class Capture:
    """A running capture; its workload once it has ended."""

    def __init__(self, cluster, *arguments, place=None, out=None, listen=None, encrypted=False, environment=None):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="rh-capture-", dir="/tmp")) if place is None else place
        self.owns_place = place is None
        self.out = out or self.place / "app.workload"
        self.port = test_tap_tls.free_port() if listen is None else listen
        command = [conftest.PROGRAM, "capture", "--listen", f"127.0.0.1:{self.port}", "-o", self.out,
                   "--no-config", "--spill", "0", "--json", *map(str, arguments)]
        if "--upstream" not in arguments:
            command += ["--upstream", cluster.url()]
        if not encrypted and "--masking" not in arguments:
            command.append("--unencrypted")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, "HOME": str(self.place), **(environment or {})})
        while "ready" not in (line := self.process.stdout.readline()):
            assert line, self.process.communicate()[1]

    def url(self, user="postgres", database="postgres", **options):
        given = " ".join(f"{name}={value}" for name, value in options.items())
        return f"host=127.0.0.1 port={self.port} user={user} dbname={database} {given}"

    def connect(self, **options):
        return psycopg.connect(self.url(), **options)

    def end(self, status=0):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.stdout, self.stderr = self.process.communicate(timeout=40)
        assert self.process.returncode == status, self.stderr
        events = [json.loads(line) for line in self.stdout.splitlines()]
        self.told = next((event for event in events if event["event"] == "workload"), None)
        return self

    def events(self, *key):
        shown = subprocess.run([EVENTS, self.out, *key], capture_output=True, text=True, check=True)
        self.head, *rest = [json.loads(line) for line in shown.stdout.splitlines()]
        return rest

    def clean(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        if self.owns_place:
            shutil.rmtree(self.place, ignore_errors=True)


@pytest.fixture
def capture_of(cluster):
    made = []

    def make(*arguments, **options):
        made.append(Capture(cluster, *arguments, **options))
        return made[-1]

    yield make
    for capture in made:
        capture.clean()


def texts(messages):
    """Q and P messages as their query."""
    for message in messages:
        body = bytes.fromhex(message["body"])
        if message["type"] == "Q":
            yield body.rstrip(b"\0").decode()
        elif message["type"] == "P":
            yield body.split(b"\0")[1].decode()


def requests(events, session=None):
    return [event for event in events if event["kind"] == "request" and session in (None, event["session"])]


def answers(events, session=None):
    return [event for event in events if event["kind"] == "answer" and session in (None, event["session"])]


def types(event):
    return "".join(message["type"] for message in event["messages"])


def psql(capture, user, sql="SELECT 1", **options):
    return subprocess.run(["psql", "-X", "-A", "-t", "-q", capture.url(user=user, **options), "-c", sql],
                          env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(capture.place),
                               "PGPASSWORD": "open sesame"}, capture_output=True, text=True, timeout=60)


# --- what is recorded ----------------------------------------------------------------------------------

def test_events_are_what_was_said(capture_of):
    capture = capture_of()
    with capture.connect(autocommit=True) as connection:
        connection.execute("SELECT 1")
        connection.execute("SELECT email FROM users WHERE id = %s", (7,))
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT * FROM nowhere")
        psycopg.ClientCursor(connection).execute("BEGIN; SELECT 1; SELECT generate_series(1, 3); COMMIT")
        psycopg.ClientCursor(connection).execute("")
    events = capture.end().events()
    assert [event["kind"] for event in events] == ["begun"] + ["request", "answer"] * 5 + ["ended"]
    assert capture.head["complete"] and capture.head["gaps"] == {}
    assert {"mood", "users"} <= set(capture.head["types"])
    begun, ended = events[0], events[-1]
    assert (begun["user"], begun["midway"], begun["reported"]["server_encoding"]) == ("postgres", False, "UTF8")
    assert not ended["was_cut"]
    asked, answered = requests(events), answers(events)
    assert [list(texts(event["messages"])) for event in asked] == [
        ["SELECT 1"], ["SELECT email FROM users WHERE id = $1"], ["SELECT * FROM nowhere"],
        ["BEGIN; SELECT 1; SELECT generate_series(1, 3); COMMIT"], [""]]
    assert [event["request"] for event in asked] == [1, 2, 3, 4, 5]
    assert [event["request"] for event in answered] == [1, 2, 3, 4, 5]
    assert types(asked[1]) == "PBDES"
    results = [[(result["rows"], result["returned"], result["sqlstate"]) for result in event["results"]]
               for event in answered]
    assert results[:3] == [[(1, 1, "")], [(1, 1, "")], [(-1, 0, "42P01")]]
    assert results[3] == [(-1, 0, ""), (1, 1, ""), (3, 3, ""), (-1, 0, "")]
    assert [event["status"] for event in answered] == ["I"] * 5
    patterns = capture.head["patterns"]
    assert "email" in patterns[answered[1]["results"][0]["pattern"]]
    assert "nowhere" in patterns[answered[2]["results"][0]["pattern"]]
    times = [event["at_us"] for event in events]
    assert times == sorted(times)
    for request, answer in zip(asked, answered):
        assert request["at_us"] <= answer["first_byte_us"] <= answer["at_us"]


def test_pipelines_copy_cursors_and_binary_parameters(capture_of):
    capture = capture_of()
    with capture.connect(autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE t (id int, v text)")
        with connection.pipeline():
            for i in range(5):
                connection.execute("INSERT INTO t VALUES (%s, %s)", (i, "v"))
        with contextlib.suppress(psycopg.Error), connection.pipeline() as pipeline:
            connection.execute("SELECT 1/0")
            connection.execute("SELECT 2")
            pipeline.sync()
        with connection.cursor().copy("COPY t FROM STDIN") as copy:
            for i in range(1000):
                copy.write_row((i, "copied"))
        with connection.cursor().copy("COPY t TO STDOUT (FORMAT binary)") as copy:
            rows = sum(1 for _ in copy)
        with connection.transaction(), connection.cursor("named") as cursor:
            cursor.itersize = 400
            cursor.execute("SELECT * FROM t")
            assert len(cursor.fetchall()) == 1005
        assert connection.execute("SELECT %b::int8 + 1", (2 ** 40,)).fetchone() == (2 ** 40 + 1,)
    events = capture.end().events()
    assert capture.head["gaps"] == {} and rows > 1000
    executions = [result for event in answers(events) for result in event["results"]]
    assert sum(1 for result in executions if result["sqlstate"] == "22012") == 1
    inserts = [result for result in executions
               if "insert into t" in (capture.head["patterns"][result["pattern"]] or "").lower()]
    assert [result["rows"] for result in inserts] == [1] * 5
    copied = b"".join(bytes.fromhex(message["body"]) for event in requests(events)
                      for message in event["messages"] if message["type"] == "d")
    assert copied.count(b"\n") == 1000
    assert [result["rows"] for result in executions if result["rows"] == 1000] == [1000]
    assert [result["returned"] for result in executions if result["rows"] == 1005][0] > 1000
    assert {event["status"] for event in answers(events)} <= {"I", "T"}
    # Every request that ends a unit has its answer, in its order; nothing is answered twice.
    assert [event["request"] for event in answers(events)] == sorted({event["request"] for event in answers(events)})
    binary = [message for event in requests(events) for message in event["messages"]
              if message["type"] == "B" and struct.pack("!q", 2 ** 40) in bytes.fromhex(message["body"])]
    assert len(binary) == 1


def test_digests_tell_rows_and_their_order(capture_of):
    capture = capture_of()
    with capture.connect(autocommit=True) as connection:
        for order in ("id", "id", "id DESC", "id LIMIT 99"):
            connection.execute(f"SELECT * FROM users ORDER BY {order}")
        connection.execute("SELECT repeat('x', 300000) FROM generate_series(1, 5)")
        connection.execute("SELECT repeat('x', 300000) FROM generate_series(1, 5)")
    results = [event["results"][0] for event in answers(capture.end().events())]
    assert results[0]["ordered"] == results[1]["ordered"] != results[2]["ordered"]
    assert results[0]["unordered"] == results[1]["unordered"] == results[2]["unordered"] != results[3]["unordered"]
    # Rows larger than what is read at once are hashed in pieces.
    assert results[4]["unordered"] == results[5]["unordered"] and results[4]["returned"] == 5


def test_copy_beyond_the_cap_is_counted(capture_of):
    capture = capture_of("--copy-max", "10kB")
    with capture.connect(autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE t (v text)")
        with connection.cursor().copy("COPY t FROM STDIN") as copy:
            for _ in range(1000):
                copy.write_row(("x" * 99,))
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (1000,)
    events = capture.end().events()
    assert capture.head["gaps"] == {"copy-data-left-out": 1}
    data = [message for event in requests(events) for message in event["messages"] if message["type"] == "d"]
    assert sum(len(message["body"]) // 2 for message in data) == 10240
    assert sum(message["left_out"] for message in data) == 100000 - 10240


def test_pgbench_of_every_mode_is_recorded_whole(cluster, capture_of, tmp_path):
    script = tmp_path / "script"
    script.write_text("\\set x random(1, 100)\nSELECT city FROM users WHERE id = :x;\n")
    capture = capture_of("--masking", write_masking(tmp_path), *mask_key(tmp_path))
    for mode in ("simple", "extended", "prepared"):
        subprocess.run(["pgbench", "-n", "-f", script, "-M", mode, "-c", "4", "-t", "50", "-h", "127.0.0.1", "-p",
                        str(capture.port), "-U", "postgres", "postgres"], check=True, capture_output=True, timeout=60)
    events = capture.end().events()
    wanted = [number for number, query in enumerate(capture.head["patterns"]) if query and "city" in query]
    assert len(wanted) == 1, "a pattern has one number, whatever the protocol"
    results = [result for event in answers(events) for result in event["results"] if result["pattern"] in wanted]
    assert len(results) == 600
    assert all(result["returned"] == 1 and not result["has_digest"] for result in results)


# --- beginning late ------------------------------------------------------------------------------------

def test_recording_that_begins_midway_knows_the_session(capture_of):
    capture = capture_of("--start-paused", "--metrics", "unix:/tmp/rh-capture-metrics.%d" % os.getpid())
    metrics = pathlib.Path("/tmp/rh-capture-metrics.%d" % os.getpid())
    with capture.connect(autocommit=True) as idle, capture.connect() as busy, capture.connect(autocommit=True) as away:
        for _ in range(6):
            idle.execute("SELECT email FROM users WHERE id = %s", (1,), prepare=True)
        idle.execute("SET search_path = public, pg_catalog")
        idle.execute("SET statement_timeout = '10s'")
        idle.execute("SET search_path = public")
        idle.execute("CREATE TEMP TABLE mine (x int)")
        idle.execute("PREPARE by_sql AS SELECT 1")
        busy.execute("SET application_name = 'rolled back'")
        busy.execute("SELECT 1")
        away.execute("SET statement_timeout = '1s'")
        away.execute("DISCARD ALL")
        command(metrics, "start")
        idle.execute("SELECT email FROM users WHERE id = %s", (2,))
        busy.execute("SELECT 2")
        busy.rollback()
        busy.execute("SELECT 3")
        busy.rollback()
        away.execute("SELECT 4")
        assert "rehearse_capture_recorded_sessions 3" in page(metrics)
        command(metrics, "stop")
        idle.execute("SELECT 'not recorded'")
        command(metrics, "start")
    events = capture.end().events()
    assert not metrics.exists()
    begun = {event["session"]: event for event in events if event["kind"] == "begun"}
    assert all(event["midway"] for event in begun.values())
    by_text = {text: event["session"] for event in requests(events) for text in texts(event["messages"])}
    assert "SELECT 'not recorded'" not in by_text and "SELECT 2" not in by_text
    first = next(event for event in requests(events)
                 if event["messages"][0]["type"] == "B")
    prologue = begun[first["session"]]["prologue"]
    assert list(texts(prologue)) == ["SET statement_timeout = '10s'", "SET search_path = public",
                                     "PREPARE by_sql AS SELECT 1", "SELECT email FROM users WHERE id = $1"]
    assert types({"messages": prologue})[-1] == "S"
    assert begun[first["session"]]["lacks"] == "temporary tables"
    # It knows what its Bind refers to.
    pattern = next(message["pattern"] for message in first["messages"] if message["type"] == "E")
    assert "email" in capture.head["patterns"][pattern]
    # What was rolled back, or discarded, is not there. (An unnamed statement is.)
    assert list(texts(begun[by_text["SELECT 3"]]["prologue"])) == ["ROLLBACK"]
    assert list(texts(begun[by_text["SELECT 4"]]["prologue"])) == []
    assert capture.head["gaps"]["recording-paused"] == 1


def ask(path, text):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(text)
        got = b""
        while part := client.recv(65536):
            got += part
    return got


def command(path, name):
    assert ask(path, f"POST /{name} HTTP/1.0\r\n\r\n".encode()).startswith(b"HTTP/1.0 200")


def page(path):
    return ask(path, b"GET /metrics HTTP/1.0\r\n\r\n").decode()


# --- secrets -------------------------------------------------------------------------------------------

def test_passwords_are_stored_nowhere(cluster, capture_of):
    (cluster.data / "pg_hba.conf").write_text(
        "host all scrammed 127.0.0.1/32 scram-sha-256\nlocal all all trust\nhost all all 127.0.0.1/32 trust\n")
    cluster.sql("SELECT pg_reload_conf()")
    capture = capture_of()
    secret = "a secret of the test"
    with psycopg.connect(capture.url(user="scrammed"), password=secret, autocommit=True) as connection:
        connection.execute("SELECT 'logged in'")
    with capture.connect(autocommit=True) as connection:
        connection.execute("ALTER ROLE scrammed PASSWORD 'another secret'")
        connection.execute(f"ALTER ROLE scrammed PASSWORD '{secret}'")
    events = capture.end().events()
    assert any("SELECT 'logged in'" in texts(event["messages"]) for event in requests(events))
    everything = json.dumps(capture.head) + "".join(
        bytes.fromhex(message["body"]).decode("latin1") for event in requests(events) for message in event["messages"])
    assert "secret" not in everything and "SCRAM" not in everything
    assert capture.head["gaps"]["password-redacted"] >= 2
    assert sum(message["redacted"] for event in requests(events) for message in event["messages"]) >= 2


def test_what_is_not_masked_is_encrypted(capture_of):
    capture = capture_of(encrypted=True)
    with capture.connect(autocommit=True) as connection:
        connection.execute("SELECT 'in clear' AS words")
    capture.end()
    assert b"in clear" not in capture.out.read_bytes()
    key = capture.place / ".config" / "rehearse" / "workload.key"
    assert oct(key.stat().st_mode & 0o777) == "0o600"
    events = capture.events(key.read_text().strip())
    assert "SELECT 'in clear' AS words" in [text for event in requests(events) for text in texts(event["messages"])]
    assert subprocess.run([EVENTS, capture.out], capture_output=True).returncode == 1


def write_masking(place):
    path = place / "masking.yaml"
    path.write_text("version: 1\ntables:\n  public.users:\n    columns:\n      email: email\n      city: keep\n      id: keep\n")
    return path


def mask_key(place):
    (place / "mask.key").write_text("00" * 31 + "07\n")
    (place / "mask.key").chmod(0o600)
    return "--mask-key-file", place / "mask.key"


def test_values_are_masked_by_their_column(capture_of, tmp_path):
    capture = capture_of("--masking", write_masking(tmp_path), *mask_key(tmp_path))
    address = "user7@example.com"
    with capture.connect(autocommit=True) as connection:
        assert connection.execute("SELECT id FROM users WHERE email = %s", (address,)).fetchone() == (7,)
        assert connection.execute("SELECT id FROM users WHERE email = %b", (address,)).fetchone() == (7,)
        psycopg.ClientCursor(connection).execute("SELECT id FROM users WHERE email = %s AND city = 'Town'", (address,))
        connection.execute("SELECT %s::text /* user7@example.com */", ("somebody's name",))
        connection.execute("SET search_path = 'public'")
        # Masked as the statements are; rows that a condition chooses among are not.
        with connection.cursor().copy("COPY users (email, id, city) FROM STDIN WITH (FORMAT csv) WHERE id > 0") as copy:
            copy.write("new@example.com,200,Town\n")
    events = capture.end().events()
    bodies = [bytes.fromhex(message["body"]) for event in requests(events) for message in event["messages"]]
    everything = b"\n".join(bodies)
    assert capture.head["masked"]
    for clear in (b"user7", b"somebody", b"new@example"):
        assert clear not in everything and clear not in capture.out.read_bytes()
    quoted = next(body for body in bodies if b"city = 'Town'" in body)
    pseudonym = quoted.split(b"email = '")[1].split(b"'")[0]
    assert len(pseudonym) == len(address) and b"@" in pseudonym
    # The same pseudonym in a text, in a text parameter and in a binary one.
    assert sum(pseudonym in body for body in bodies) == 3
    assert b"SET search_path = 'public'\0" in everything
    assert capture.head["gaps"]["copy-data-masked-out"] == len("new@example.com,200,Town\n")
    assert capture.head["gaps"]["values-masked-by-default"] == 1


def test_masked_workload_goes_with_the_snapshot_of_its_key(cluster, capture_of, rehearse, tmp_path):
    cluster.new_database("keyed", SETUP.replace("CREATE ROLE", "-- CREATE ROLE"))
    upstream = f"host={cluster.directory} port={cluster.port} user=postgres dbname=keyed"
    _, key = mask_key(tmp_path)
    (tmp_path / "other.key").write_text("00" * 31 + "08\n")
    (tmp_path / "other.key").chmod(0o600)
    made = rehearse("snapshot", "create", "--from", upstream, "-o", tmp_path / "snapshot", "--masking",
                    write_masking(tmp_path), "--key-file", key, timeout=120)
    assert made.status == 0, made
    migration = rehearse.write("1.sql", "SET lock_timeout = '2s';\nCOMMENT ON TABLE users IS 'x';\n")

    def run(*arguments):
        capture = capture_of("--upstream", upstream, *arguments)
        with psycopg.connect(capture.url(database="keyed"), autocommit=True) as connection:
            for number in range(1, 6):
                connection.execute("SELECT id FROM users WHERE email = %s", (f"user{number}@example.com",))
        capture.end()
        return rehearse("run", "--snapshot", tmp_path / "snapshot", "--workload", capture.out, "--compare-budget", "1s",
                        "--no-way-back", "--cuts", "off", migration, timeout=120)

    masking = ("--masking", tmp_path / "snapshot" / "masking.yaml")
    other = run(*masking, "--mask-key-file", tmp_path / "other.key")
    assert other.status == 2 and "what it asks for by a masked value is not there" in other.stderr, other
    same = run(*masking, "--mask-key-file", key)
    assert same.status != 2 and same.result["workload"]["patterns"][0]["baseline"]["rows"] == 1, same.result["workload"]
    clear = run()
    assert "asks by production's values" in str(clear.result["fidelity"]["notes"]), clear


# --- ends ----------------------------------------------------------------------------------------------

def test_sessions_go_on_after_sigterm_until_they_end(capture_of):
    capture = capture_of()
    connection = capture.connect(autocommit=True)
    capture.process.send_signal(signal.SIGTERM)

    def refused():
        try:
            psycopg.connect(capture.url(), connect_timeout=2).close()
            return False
        except psycopg.OperationalError:
            return True

    conftest.wait_for(refused, what="nobody new comes in")
    assert connection.execute("SELECT 'still here'").fetchone() == ("still here",)
    assert capture.process.poll() is None
    connection.close()
    events = capture.end().events()
    assert "SELECT 'still here'" in [text for event in requests(events) for text in texts(event["messages"])]
    assert capture.told["is_complete"]


def test_second_signal_and_drain_end_what_does_not_end(capture_of):
    for arguments, second in ((("--drain", "1h"), True), (("--drain", "1s"), False)):
        capture = capture_of(*arguments)
        with contextlib.closing(capture.connect()) as connection:
            connection.execute("SELECT 1")
            capture.process.send_signal(signal.SIGTERM)
            if second:
                capture.process.send_signal(signal.SIGINT)
            events = capture.end().events()
        assert events[-1]["kind"] == "ended" and events[-1]["was_cut"]


def test_new_capture_takes_over_without_a_refused_connection(capture_of):
    first = capture_of()
    failures, done, stop = [], [0], threading.Event()

    def clients():
        while not stop.is_set():
            try:
                with psycopg.connect(first.url(), connect_timeout=10, autocommit=True) as connection:
                    connection.execute("SELECT 1")
                done[0] += 1
            except psycopg.Error as error:
                failures.append(str(error))

    threads = [threading.Thread(target=clients) for _ in range(4)]
    for thread in threads:
        thread.start()
    captures = [first]
    try:
        for _ in range(3):
            before = done[0]
            conftest.wait_for(lambda: done[0] > before + 20, what="clients come and go")
            captures.append(capture_of(listen=first.port))
            captures[-2].end()
        before = done[0]
        conftest.wait_for(lambda: done[0] > before + 20, what="clients come and go")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    captures[-1].end()
    assert failures == []
    assert sum(len(requests(capture.events())) for capture in captures) == done[0]


def test_cancel_is_forwarded_and_recorded(capture_of):
    capture = capture_of()
    with capture.connect(autocommit=True) as connection:
        timer = threading.Timer(0.3, connection.cancel)
        timer.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            while True:
                connection.execute("SELECT pg_sleep(30)")
        timer.join()
    events = capture.end().events()
    cancel = next(event for event in events if event["kind"] == "cancel")
    asked = next(event for event in requests(events) if "SELECT pg_sleep(30)" in texts(event["messages"]))
    assert cancel["request"] == asked["request"]
    assert any(result["sqlstate"] == "57014" for event in answers(events) for result in event["results"])


def test_killed_clients_and_backends_are_cut_sessions(cluster, capture_of):
    capture = capture_of()
    with capture.connect(autocommit=True) as connection:
        pid = connection.execute("SELECT pg_backend_pid()").fetchone()[0]
        cluster.sql(f"SELECT pg_terminate_backend({pid})")
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
            connection.execute("SELECT 1")
    killed = subprocess.Popen(["psql", capture.url(), "-c", "SELECT pg_sleep(60)"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    with cluster.connect(autocommit=True) as watcher:
        conftest.wait_for(lambda: watcher.execute("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'").rowcount,
                          what="the statement sleeps")
        killed.kill()
        killed.wait()
        watcher.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
    events = capture.end().events()
    assert [event["was_cut"] for event in events if event["kind"] == "ended"] == [True, True]
    assert sum("SELECT pg_sleep(60)" in texts(event["messages"]) for event in requests(events)) == 1


def test_full_disk_ends_the_recording_and_nothing_else(cluster, capture_of):
    if not conftest.IS_ROOT:
        pytest.skip("a small file system needs root")
    small = pathlib.Path(tempfile.mkdtemp(prefix="rh-small-", dir="/tmp"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", small], check=True)
    try:
        capture = capture_of("--copy-max", "1GB", out=small / "app.workload")
        with capture.connect(autocommit=True) as connection:
            connection.execute("CREATE TEMP TABLE t (v text)")
            for _ in range(6):
                with connection.cursor().copy("COPY t FROM STDIN") as copy:
                    for _ in range(100):
                        copy.write(os.urandom(50000).hex() + "\n")
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (600,)
        capture.end(status=1)
        events = capture.events()
        assert not capture.head["complete"] and "recording-failed" in capture.head["gaps"]
        assert len(requests(events)) > 0
        assert "warning: the recording has failed" in capture.stderr
    finally:
        subprocess.run(["umount", small], check=True)
        small.rmdir()


def test_limits_end_the_recording_and_not_the_forwarding(capture_of):
    capture = capture_of("--for", "300ms")
    with capture.connect(autocommit=True) as connection:
        conftest.wait_for(capture.out.exists, what="the workload is complete")
        assert connection.execute("SELECT 'later'").fetchone() == ("later",)
    events = capture.end().events()
    assert "SELECT 'later'" not in [text for event in requests(events) for text in texts(event["messages"])]
    assert capture.head["complete"]
    brief = capture_of("--for", "300ms", "--then", "exit")
    brief.stdout, brief.stderr = brief.process.communicate(timeout=20)
    assert brief.process.returncode == 0


def test_many_connections_at_once(cluster, capture_of):
    """Clients that only knock, and half-open ones, cost nobody anything: 2,000 at a time."""
    capture = capture_of()
    sockets = []
    try:
        for _ in range(2000):
            client = socket.create_connection(("127.0.0.1", capture.port), 10)
            sockets.append(client)
        for client in sockets[::2]:
            client.sendall(b"\0\0\0")  # half a start-up packet
        assert psql(capture, "postgres", "SELECT 1").stdout == "1\n"
    finally:
        for client in sockets:
            client.close()
    assert psql(capture, "postgres", "SELECT 2").stdout == "2\n"
    assert len(requests(capture.end().events())) == 2


# --- other clients -------------------------------------------------------------------------------------

NODE_CLIENT = """
const { Client } = require('pg');
(async () => {
  const client = new Client({ host: '127.0.0.1', port: +process.argv[2], user: 'postgres', database: 'postgres' });
  await client.connect();
  console.log((await client.query('SELECT count(*) FROM users')).rows);
  console.log((await client.query('SELECT email FROM users WHERE id = $1', [7])).rows);
  for (let i = 1; i < 4; i++)
    console.log((await client.query({ name: 'by-id', text: 'SELECT city FROM users WHERE id = $1', values: [i] })).rows);
  await client.query('BEGIN');
  await client.query('SELECT nothing').catch(error => console.log(error.code));
  await client.query('ROLLBACK');
  console.log(await Promise.all([1, 2, 3].map(i => client.query('SELECT $1::int AS i', [i]).then(r => r.rows[0].i))));
  await client.end();
})();
"""


def test_node_postgres_sees_the_same_and_is_recorded(cluster, capture_of, node_modules, tmp_path):  # noqa: F811
    (tmp_path / "node_modules").symlink_to(node_modules)
    (tmp_path / "client.js").write_text(NODE_CLIENT)
    capture = capture_of()
    said = [subprocess.run(["node", "client.js", str(port)], cwd=tmp_path, capture_output=True, text=True, check=True,
                           timeout=60).stdout for port in (cluster.port, capture.port)]
    assert said[0] == said[1] and "42703" in said[1]
    events = capture.end().events()
    assert capture.head["gaps"] == {}
    named = [event for event in requests(events) if any(b"by-id" in bytes.fromhex(message["body"])
                                                        for message in event["messages"])]
    # Parsed once, bound three times: what is executed is known each time.
    executed = [message["pattern"] for event in named for message in event["messages"] if message["type"] == "E"]
    assert len(executed) == 3 and len(set(executed)) == 1 and "city" in capture.head["patterns"][executed[0]]
    assert sum(types(event).count("P") for event in named) == 1


def test_storm_of_cancels_hits_nobody_else(cluster, capture_of):
    capture = capture_of()
    with capture.connect(autocommit=True) as connection:
        for number in range(300):
            with socket.create_connection(("127.0.0.1", capture.port), 10) as client:
                client.sendall(struct.pack("!iiii", 16, 80877102, 1 + number, number))
        assert connection.execute("SELECT 'unharmed'").fetchone() == ("unharmed",)
    events = capture.end().events()
    assert [event for event in events if event["kind"] == "cancel"] == []
    assert len(requests(events)) == 1
