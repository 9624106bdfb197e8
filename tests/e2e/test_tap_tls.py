"""The tap in front of a server that speaks TLS: every sslmode accepting and refusing, client
certificates, SCRAM, cancel, large results in flat memory; and a handler that takes CopyData away."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading

import pytest

import conftest
import test_tap_differential

TESTS = conftest.PROGRAM.parent / "tests" / "unit"
RELAY = pathlib.Path(os.environ.get("TAP_RELAY", TESTS / "tap" / "tap_relay"))
MAKE_CERTIFICATES = TESTS / "net" / "make_certificates"

# Users by how the server lets them in.
HBA = """
local   all all                trust
hostnossl all nossl 127.0.0.1/32 trust
hostnossl all all_ways 127.0.0.1/32 trust
hostssl all all_ways 127.0.0.1/32 trust
hostssl all tls     127.0.0.1/32 trust
hostssl all alice   127.0.0.1/32 cert
hostssl all secret  127.0.0.1/32 scram-sha-256
hostssl all postgres 127.0.0.1/32 trust
"""
SETUP = """
CREATE ROLE nossl LOGIN; CREATE ROLE all_ways LOGIN; CREATE ROLE tls LOGIN; CREATE ROLE alice LOGIN;
CREATE ROLE secret LOGIN PASSWORD 'open sesame';
CREATE TABLE numbers AS SELECT i, md5(i::text) AS text FROM generate_series(1, 100000) i;
GRANT SELECT ON numbers TO PUBLIC;
"""
HOW = "SELECT ssl, coalesce(version, '') FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
SSL_REQUEST = struct.pack("!ii", 8, 80877103)

# Sanitizers need memory of their own.
FLAT_KB = 32 * 1024 * (3 if "REHEARSE_SANITIZED" in os.environ else 1)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class TlsCluster(conftest.Cluster):
    """A server with ssl=on whose certificate can be changed while it runs."""

    def __init__(self, server, directory):
        super().__init__(server, directory)
        self.port = free_port()
        self.certificates = pathlib.Path(tempfile.mkdtemp(prefix="rh-certificates-", dir="/tmp"))
        subprocess.run([MAKE_CERTIFICATES, self.certificates], check=True)

    def url(self, database="postgres"):
        return f"host={self.directory} port={self.port} user=postgres dbname={database}"

    def install(self, name, target):
        fresh = self.data / "fresh"
        shutil.copy(self.certificates / name, fresh)
        fresh.chmod(0o600)
        if conftest.IS_ROOT:
            shutil.chown(fresh, "postgres", "postgres")
        fresh.rename(self.data / target)

    def shown_certificate(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", self.port), 10) as plain:
            plain.sendall(SSL_REQUEST)
            if plain.recv(1) != b"S":
                return None
            with context.wrap_socket(plain) as wrapped:
                return wrapped.getpeercert(binary_form=True)

    def use(self, name):
        """The server shows this certificate from now on; None: it offers no TLS."""
        expected = None
        if name:
            for suffix in ("crt", "key"):
                self.install(f"{name}.{suffix}", f"server.{suffix}")
            expected = ssl.PEM_cert_to_DER_cert((self.certificates / f"{name}.crt").read_text())
        self.sql(f"ALTER SYSTEM SET ssl = {'on' if name else 'off'}")
        self.sql("SELECT pg_reload_conf()")
        conftest.wait_for(lambda: self.shown_certificate() == expected, what="the server reloads")

    def begin(self):
        self.start(listen_addresses="127.0.0.1", port=self.port)
        (self.data / "pg_hba.conf").write_text(HBA)
        self.sql(SETUP)
        self.install("root.crt", "root.crt")
        self.sql("ALTER SYSTEM SET ssl_ca_file = 'root.crt'")
        self.use("server")
        return self

    def stop(self):
        super().stop()
        shutil.rmtree(self.certificates, ignore_errors=True)


def open_cluster(major, directory):
    place = pathlib.Path(tempfile.mkdtemp(prefix="rh-tls-", dir="/var/tmp"))
    return TlsCluster(conftest.Server(major, directory), place)


@pytest.fixture(scope="module")
def cluster():
    found = conftest.debian_server()
    if not found:
        pytest.skip("no complete PostgreSQL installation here")
    cluster = open_cluster(*found)
    try:
        yield cluster.begin()
    finally:
        cluster.stop()


class Relay:
    def __init__(self, url, *arguments, name="tap"):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rh-relay-", dir="/tmp"))
        self.process = subprocess.Popen(
            [RELAY, "--listen", self.directory / ".s.PGSQL.5432", "--server", url, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "HOME": str(self.directory), "PGSSLMODE": "disable"})
        self.started = self.process.stdout.readline() == "ready\n"
        self.statistics = self.errors = self.peak_kb = None

    def psql(self, sql, user="tls", **environment):
        return subprocess.run(
            ["psql", "-X", "-A", "-t", "-q", "-h", self.directory, "-U", user, "-d", "postgres", "-c", sql],
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.directory), **environment},
            capture_output=True, text=True, timeout=60)

    def end(self):
        if self.process.poll() is None:
            # (What getrusage says begins with the size of the process that forked.)
            status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
            found = re.search(r"VmHWM:\s+(\d+)", status)
            self.peak_kb = int(found[1]) if found else None
            self.process.send_signal(signal.SIGTERM)
        out, self.errors = self.process.communicate(timeout=20)
        self.statistics = json.loads(out) if out else None
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def url(cluster, **parameters):
    parameters = {"host": "localhost", "hostaddr": "127.0.0.1", "port": cluster.port, "dbname": "postgres",
                  **parameters}
    return " ".join(f"{name}='{value}'" for name, value in parameters.items())


# --- modes -----------------------------------------------------------------------------------------

def check(cluster, expected, user="tls", **parameters):
    """expected: what pg_stat_ssl says of the session, or a part of the error that the client sees."""
    parameters = {name: str(cluster.certificates / value) if name in ("sslrootcert", "sslcert", "sslkey", "sslcrl")
                  else value for name, value in parameters.items()}
    with Relay(url(cluster, **parameters)) as relay:
        assert relay.started, relay.process.stderr.read()
        result = relay.psql(HOW, user=user)
    if expected in ("t", "f"):
        assert result.returncode == 0, result.stderr
        assert result.stdout[0] == expected
        assert relay.statistics["refused"] == 0
    else:
        assert result.returncode == 2
        assert expected in result.stderr
    return result, relay


@pytest.mark.parametrize("mode,user,expected", [
    ("disable", "all_ways", "f"), ("disable", "tls", "no pg_hba.conf entry"),
    ("allow", "all_ways", "f"), ("allow", "tls", "t"), ("allow", "nossl", "f"),
    ("prefer", "all_ways", "t"), ("prefer", "tls", "t"), ("prefer", "nossl", "f"),
    ("prefer", "nobody", "no pg_hba.conf entry"),
    ("require", "all_ways", "t"), ("require", "nossl", "no pg_hba.conf entry"),
])
def test_mode_reaches_the_users_it_can(cluster, mode, user, expected):
    check(cluster, expected, user, sslmode=mode)


@pytest.mark.parametrize("certificate,parameters,expected", [
    ("server", dict(sslmode="verify-ca", sslrootcert="root.crt"), "t"),
    ("server", dict(sslmode="verify-full", sslrootcert="root.crt"), "t"),
    ("server", dict(sslmode="verify-full", sslrootcert="root.crt", host="127.0.0.1"), "t"),
    ("server", dict(sslmode="verify-full", sslrootcert="root.crt", host="a.example.test"), "t"),
    ("common", dict(sslmode="verify-full", sslrootcert="root.crt"), "t"),
    ("named", dict(sslmode="verify-ca", sslrootcert="root.crt"), "t"),
    ("named", dict(sslmode="verify-full", sslrootcert="root.crt"), 'is for "db.example.test", not for "localhost"'),
    ("server", dict(sslmode="verify-ca", sslrootcert="other-root.crt"), "cannot be trusted"),
    ("server", dict(sslmode="verify-full", sslrootcert="other-root.crt"), "cannot be trusted"),
    # libpq's old promise: with a root certificate, require is verify-ca.
    ("server", dict(sslmode="require", sslrootcert="other-root.crt"), "cannot be trusted"),
    ("stranger", dict(sslmode="verify-ca", sslrootcert="root.crt"), "cannot be trusted"),
    ("stranger", dict(sslmode="require"), "t"),
    ("expired", dict(sslmode="verify-ca", sslrootcert="root.crt"), "expired"),
    ("expired", dict(sslmode="require"), "t"),
    ("revoked", dict(sslmode="verify-full", sslrootcert="root.crt", sslcrl="root.crl"), "revoked"),
    ("revoked", dict(sslmode="verify-full", sslrootcert="root.crt"), "t"),
    # prefer does without what it cannot trust, and this user may not come without.
    ("stranger", dict(sslmode="prefer", sslrootcert="root.crt"), "no pg_hba.conf entry"),
    (None, dict(sslmode="require"), "does not offer TLS"),
    (None, dict(sslmode="allow"), "does not offer TLS"),
    (None, dict(sslmode="prefer"), "no pg_hba.conf entry"),
])
def test_certificate_is_verified_as_the_mode_says(cluster, certificate, parameters, expected):
    cluster.use(certificate)
    try:
        result, relay = check(cluster, expected, **parameters)
    finally:
        cluster.use("server")
    if expected != "t" and "pg_hba" not in expected:
        # The person who reads psql's words, and the program that reads ours, are told the same.
        assert "HINT:" in result.stderr
        assert expected in relay.errors and "hint:" in relay.errors


def test_missing_root_certificate_is_said_at_the_start(cluster):
    for parameters, said in [(dict(sslmode="verify-full"), "no root certificate"),
                             (dict(sslmode="verify-ca", sslrootcert="/none"), "No such file"),
                             (dict(sslmode="require", sslcert="/none", sslkey="/none"), "No such file")]:
        with Relay(url(cluster, **parameters)) as relay:
            assert not relay.started
        assert said in relay.errors


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_versions_are_those_asked_for(cluster, version):
    result, _ = check(cluster, "t", sslmode="require", ssl_min_protocol_version=version,
                      ssl_max_protocol_version=version)
    assert result.stdout.strip() == f"t|{version}"


def test_direct_tls(cluster):
    """Since 17. An older server takes it for rubbish."""
    check(cluster, "TLS handshake", sslmode="require", sslnegotiation="direct")
    majors = [major for major in conftest.SERVERS if major >= 17]
    if not majors:
        pytest.skip("no server of 17 or later here")
    newer = open_cluster(majors[-1], conftest.SERVERS[majors[-1]])
    try:
        newer.begin()
        check(newer, "t", sslmode="verify-full", sslrootcert="root.crt", sslnegotiation="direct")
        check(newer, "t", sslmode="verify-full", sslrootcert="root.crt")
    finally:
        newer.stop()


# --- who it is -------------------------------------------------------------------------------------

@pytest.mark.parametrize("certificate,key,version,expected", [
    ("client.crt", "client.key", "TLSv1.3", "t"),
    ("client.crt", "client.key", "TLSv1.2", "t"),
    (None, None, "TLSv1.3", "certificate"),
    ("other-client.crt", "other-client.key", "TLSv1.3", "sslcert"),
    ("other-client.crt", "other-client.key", "TLSv1.2", "sslcert"),
])
def test_client_certificate_authenticates(cluster, certificate, key, version, expected):
    given = {"sslcert": certificate, "sslkey": key} if certificate else {}
    check(cluster, expected, user="alice", sslmode="verify-full", sslrootcert="root.crt",
          ssl_max_protocol_version=version, **given)


def test_encrypted_key_takes_its_password(cluster):
    check(cluster, "t", user="alice", sslmode="require", sslcert="client.crt", sslkey="client-encrypted.key",
          sslpassword="hush")


def test_scram_is_the_clients(cluster):
    with Relay(url(cluster, sslmode="verify-full", sslrootcert=cluster.certificates / "root.crt")) as relay:
        assert relay.psql(HOW, "secret", PGPASSWORD="open sesame").stdout.startswith("t")
        wrong = relay.psql(HOW, "secret", PGPASSWORD="wrong")
        assert wrong.returncode == 2 and "password authentication failed" in wrong.stderr
        bound = relay.psql(HOW, "secret", PGPASSWORD="open sesame", PGCHANNELBINDING="require")
        assert bound.returncode == 2 and "channel binding" in bound.stderr


# --- cancel ----------------------------------------------------------------------------------------

class Wire:
    """Stands between relay and server and keeps what each connection of the relay begins with."""

    def __init__(self, port):
        self.server_port, self.beginnings = port, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.server_port))
            self.beginnings.append(bytearray())
            threading.Thread(target=self.pump, args=(client, server, self.beginnings[-1]), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, None), daemon=True).start()

    @staticmethod
    def pump(source, sink, seen):
        try:
            while data := source.recv(65536):
                if seen is not None:
                    seen += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def test_cancel_goes_over_tls(cluster):
    wire = Wire(cluster.port)
    with Relay(url(cluster, sslmode="verify-full", sslrootcert=cluster.certificates / "root.crt",
                   port=wire.port)) as relay:
        psql = subprocess.Popen(["psql", "-X", "-h", relay.directory, "-U", "tls", "-d", "postgres", "-c",
                                 "SELECT pg_sleep(60)"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, start_new_session=True)
        with cluster.connect(autocommit=True) as watcher:
            conftest.wait_for(lambda: watcher.execute(
                "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'").fetchone() is not None,
                what="the statement sleeps")
        psql.send_signal(signal.SIGINT)
        _, errors = psql.communicate(timeout=30)
    wire.listener.close()
    assert "canceling statement due to user request" in errors
    assert len(wire.beginnings) == 2
    for beginning in wire.beginnings:
        # A request for TLS, then a handshake record; never the key in the clear.
        assert beginning[:8] == SSL_REQUEST and beginning[8] == 0x16
        assert struct.pack("!i", 80877102) not in beginning


# --- much ------------------------------------------------------------------------------------------

def transfer(relay, sql, user="tls"):
    """-> bytes that psql printed"""
    process = subprocess.Popen(["psql", "-X", "-q", "-h", relay.directory, "-U", user, "-d", "postgres", "-c", sql],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    total = 0
    while part := process.stdout.read(1 << 20):
        total += len(part)
    assert process.wait(60) == 0, process.stderr.read()
    return total


ROWS = "COPY (SELECT i, repeat('x', 190) FROM generate_series(1, 1000000) i) TO STDOUT"
ROWS_BYTES = 1000000 * (190 + 2) + sum(len(str(i)) for i in range(1, 1000001))
LARGE = "COPY (SELECT repeat('y', 200000000)) TO STDOUT"


@pytest.mark.parametrize("version,taking", [("TLSv1.2", []), ("TLSv1.3", ["--take"])],
                         ids=["1.2-forwarded", "1.3-taken"])
def test_200_mb_pass_in_flat_memory(cluster, version, taking):
    with Relay(url(cluster, sslmode="require", ssl_max_protocol_version=version), *taking) as relay:
        assert transfer(relay, ROWS) == ROWS_BYTES
        assert transfer(relay, LARGE) == 200000001
    assert relay.peak_kb < FLAT_KB
    if taking:
        # Many rows to a part: a server writes 8 kB at once (PQ_SEND_BUFFER_SIZE), and how much of that one
        # read finds is a matter of time.
        assert relay.statistics["parts"] <= (ROWS_BYTES + 200000001) / 8192 + 100


@pytest.mark.parametrize("taking", [[], ["--take"]], ids=["forwarded", "taken"])
def test_slow_client_pauses_the_server(cluster, taking):
    with Relay(url(cluster, sslmode="require"), *taking) as relay:
        psql = subprocess.Popen(["psql", "-X", "-q", "-h", relay.directory, "-U", "tls", "-d", "postgres", "-c",
                                 LARGE], stdout=subprocess.PIPE)
        with cluster.connect(autocommit=True) as watcher:
            conftest.wait_for(lambda: watcher.execute(
                "SELECT FROM pg_stat_activity WHERE usename = 'tls' AND wait_event = 'ClientWrite'").fetchone()
                is not None, what="the server waits for its client")
        total = 0
        while part := psql.stdout.read(1 << 20):
            total += len(part)
        assert psql.wait(30) == 0
    assert total == 200000001
    assert relay.peak_kb < FLAT_KB


@pytest.mark.parametrize("script,handler", [("simple", "--collect"), ("transactions", "--hold"),
                                            ("ddl", "--take"), ("large", "--hold")])
def test_scripts_print_the_same_over_tls(cluster, script, handler):
    text = test_tap_differential.SCRIPTS[script]

    def run(directory, port):
        result = subprocess.run(["psql", "-X", "-a", "-h", directory, "-p", str(port), "-U", "postgres", "-d",
                                 "postgres"], input=text, capture_output=True, text=True, timeout=60)
        # Every run makes objects, and so numbers, of its own.
        return result.returncode, *(re.sub(r"PID \d+|toast_\d+", "N", text)
                                    for text in (result.stdout, result.stderr))

    direct = run(cluster.directory, cluster.port)
    with Relay(url(cluster, sslmode="verify-full", sslrootcert=cluster.certificates / "root.crt"),
               handler) as relay:
        assert run(relay.directory, 5432) == direct


def test_copy_in_passes(cluster):
    rows = "".join(f"{i}\t{'z' * 500}\n" for i in range(100000))
    with Relay(url(cluster, sslmode="require")) as relay:
        result = subprocess.run(
            ["psql", "-X", "-q", "-A", "-t", "-h", relay.directory, "-U", "tls", "-d", "postgres", "-c",
             "CREATE TEMP TABLE t (i int, x text)", "-c", "COPY t FROM STDIN", "-c",
             "SELECT count(*), sum(length(x)) FROM t"],
            input=rows, capture_output=True, text=True, timeout=60)
    assert result.stdout == "100000|50000000\n", result.stderr


# --- taking ----------------------------------------------------------------------------------------

def test_copy_is_rewritten_and_taken(cluster):
    """What a sampled, masked dump does with pg_dump's COPY."""
    with Relay(url(cluster, sslmode="require"), "--rewrite",
               "COPY public.numbers (i, text) TO stdout;"
               "=COPY (SELECT i, text FROM ONLY public.numbers WHERE i % 1000 < 1) TO stdout") as relay:
        result = relay.psql("COPY public.numbers (i, text) TO stdout;")
        assert len(result.stdout.splitlines()) == 100
        assert result.stdout.startswith("1000\t")
        # Others pass as they are, and the session goes on.
        assert len(relay.psql("COPY public.numbers (i) TO stdout;").stdout.splitlines()) == 100000
        assert relay.psql("SELECT count(*) FROM numbers").stdout == "100000\n"


def test_error_in_the_middle_of_a_taken_copy_comes_behind_its_rows(cluster):
    with Relay(url(cluster, sslmode="require"), "--take") as relay:
        result = relay.psql("COPY (SELECT i, 1 / (i - 3000) FROM generate_series(1, 5000) i) TO STDOUT")
        assert "division by zero" in result.stderr
        assert len(result.stdout.splitlines()) == 2999
        assert relay.psql("SELECT 1").stdout == "1\n"


def test_dump_through_a_taking_tap_is_the_dump(cluster, tmp_path):
    dump = [f"{cluster.server.bin}/pg_dump", "-Fd", "-j", "2", "-Z", "0", "-U", "tls", "-d", "postgres"]
    with Relay(url(cluster, sslmode="require"), "--take") as relay:
        subprocess.run([*dump, "-h", relay.directory, "-f", tmp_path / "tapped"], check=True, timeout=60)
    subprocess.run([*dump, "-h", cluster.directory, "-p", str(cluster.port), "-f", tmp_path / "direct"],
                   check=True, timeout=60)
    names = sorted(path.name for path in (tmp_path / "direct").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "tapped").iterdir())
    for name in names:
        if name != "toc.dat":
            assert (tmp_path / "tapped" / name).read_bytes() == (tmp_path / "direct" / name).read_bytes()
