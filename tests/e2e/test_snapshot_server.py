"""rehearse snapshot: what production, pg_dump and the machine see of it when it goes wrong, or could."""
import contextlib
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import psycopg
import pytest
from conftest import Cluster, IS_ROOT, Server, debian_server, wait_for
from test_snapshot import (archive_bytes, certificate, children, create, large, manifest, no_sessions,
                           no_traces, production, start_slowly)

__all__ = ["large", "production"]  # fixtures


def parent_of(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def test_create_fails_when_workers_are_killed_while_rows_flow(production, large, rehearse):
    """The one that would tell, pg_dump itself, sleeps: the next rows are sent to nobody."""
    process = start_slowly(rehearse, production, large, "--jobs", "2")
    sessions = children(process.pid, "pg_dump")
    leader = next(pid for pid in sessions if parent_of(pid) == process.pid)
    try:
        os.kill(leader, signal.SIGSTOP)
        for pid in sessions:
            if pid != leader:
                os.kill(pid, signal.SIGKILL)
        wait_for(lambda: production.rows("SELECT count(*) FROM pg_stat_activity WHERE query LIKE "
                                         "'COPY public.filler%'", large)[0][0] == 0, 10, "the copy ends")
        assert process.poll() is None, "it ended by itself"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(leader, signal.SIGCONT)
    done = rehearse.finish(process, timeout=15)
    assert done.status == 1, done
    assert "public.filler" in done.stderr, done
    no_traces(rehearse)
    no_sessions(production, large)


def test_create_interrupted_cancels_what_runs_on_the_server(production, large, rehearse):
    """A condition that no row meets: nothing is sent that would tell the server."""
    running = ("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%pg_sleep%' AND state = 'active' "
               "AND pid <> pg_backend_pid()")
    process = rehearse.start("snapshot", "create", "--from", production.url(large), "-o", "s", "--where",
                             "filler=pg_sleep(0.01) IS NULL")
    wait_for(lambda: production.rows(running, large)[0][0] > 0, 20, "it runs")
    process.send_signal(signal.SIGINT)
    done = rehearse.finish(process, timeout=15)
    assert done.status == 130, done
    no_sessions(production, large)
    no_traces(rehearse)


def test_create_fails_when_the_archive_cannot_be_restored(production, rehearse):
    """Rows came into production past its foreign keys."""
    production.database("broken", "CREATE TABLE parent (id int PRIMARY KEY); "
                        "CREATE TABLE child (parent_id int CONSTRAINT child_of REFERENCES parent); "
                        "SET session_replication_role = replica; INSERT INTO child VALUES (1)")
    done = create(rehearse, production, database="broken")
    assert done.status == 1, done
    assert 'failed its certificate "integrity"' in done.stderr and "child_of" in done.stderr, done
    no_traces(rehearse)


@pytest.mark.nightly
@pytest.mark.skipif(not IS_ROOT, reason="stopping a backend needs its owner")
def test_create_gives_up_on_a_server_that_is_silent(production, large, rehearse):
    process = rehearse.start("snapshot", "create", "--from", production.url(large), "-o", "s", "--rate-limit",
                             "100kB/s")
    ours = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_locks%' AND pid <> pg_backend_pid()"
    wait_for(lambda: production.rows(ours, large), 20, "locks are looked at")
    pid = production.rows(ours, large)[0][0]
    os.kill(pid, signal.SIGSTOP)
    try:
        done = rehearse.finish(process, timeout=60)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert done.status == 1, done
    assert "does not answer any more" in done.stderr, done
    no_traces(rehearse)
    no_sessions(production, large)


def test_create_sets_a_limit_for_locks_where_pg_dump_sets_none(production, rehearse):
    log = production.directory / "log"
    start = log.stat().st_size
    done = create(rehearse, production, "--no-verify", "--lock-timeout", "7654ms")
    assert done.status == 0, done
    said = [line for line in log.read_bytes()[start:].decode(errors="replace").splitlines()
            if line.startswith("rehearse snapshot|") and "statement: SET lock_timeout" in line]
    assert said and {line.rpartition("statement: ")[2] for line in said} == {"SET lock_timeout = 7654"}, said


def test_create_forbids_core_files(production, large, rehearse):
    """Of itself and of pg_dump."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    try:
        if IS_ROOT:  # whose limit may be raised: what is to be forbidden must be allowed first
            resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        process = start_slowly(rehearse, production, large)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    for pid in [process.pid, *children(process.pid, "pg_dump")]:
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        core = next(line for line in limits.splitlines() if line.startswith("Max core file size")).split()
        assert core[4:6] == ["1", "1"] or core[4:6] == ["0", "0"], core
    process.send_signal(signal.SIGINT)
    assert rehearse.finish(process, timeout=15).status == 130


# --- servers of other versions, TLS, the rate -----------------------------------------------------------------

def cluster_with_shop(server, **settings):
    directory = pathlib.Path(tempfile.mkdtemp(prefix=f"rh-pg{server.major}-", dir="/var/tmp"))
    cluster = Cluster(server, directory)
    cluster.start(**settings)
    cluster.sql("CREATE ROLE reader LOGIN PASSWORD 'reader'")
    cluster.sql("CREATE TABLE users (id int PRIMARY KEY, email text); "
                "INSERT INTO users SELECT g, 'user' || g || '@example.org' FROM generate_series(1, 500) g; "
                "GRANT SELECT ON users TO reader")
    return cluster


def test_create_of_every_version(server, rehearse):
    """With the pg_dump that is here; where it is older than the server, that is said."""
    found = debian_server()
    if not found:
        pytest.skip("no complete PostgreSQL installation (pg_dump) here")
    cluster = cluster_with_shop(server)
    try:
        done = rehearse("snapshot", "create", "--from", f"postgresql://reader@/postgres?host={cluster.directory}",
                        "-o", "s")
        if server.major > found[0]:
            assert (done.status, f"no pg_dump of version {server.major} or newer" in done.stderr) == (1, True), done
            no_traces(rehearse)
            return
        assert done.status == 0, done
        snapshot = rehearse.directory / "s"
        assert manifest(snapshot)["server_major"] == server.major
        assert certificate(snapshot, "integrity")["status"] == "passed", manifest(snapshot)["certificates"]
        assert b"user7@example.org" not in archive_bytes(snapshot)
        rehearse.write("m.sql", "SET lock_timeout = '2s';\nALTER TABLE users ADD COLUMN x int;\n")
        first = rehearse("run", "--snapshot", "s", "m.sql")
        assert first.status == 0 and first.result["fidelity"]["from_cache"], first
    finally:
        cluster.stop()


def certificates(directory):
    """A server's certificate for localhost, signed by itself."""
    directory.mkdir()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", directory / "server.key",
                    "-out", directory / "server.crt"], check=True, capture_output=True)
    (directory / "server.key").chmod(0o600)
    directory.chmod(0o755)
    if IS_ROOT:
        shutil.chown(directory / "server.key", "postgres")
    return directory


def answers(cluster, port):
    try:
        with psycopg.connect(f"host={cluster.directory} port={port} user=postgres"):
            return True
    except psycopg.OperationalError:
        return False


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_create_over_tls_with_a_password(rehearse):
    """The server takes nothing but TLS there; its certificate is checked by both of our legs."""
    found = debian_server()
    if not found:
        pytest.skip("no complete PostgreSQL installation (pg_dump) here")
    place = pathlib.Path(tempfile.mkdtemp(prefix="rh-tls-", dir="/var/tmp"))
    place.chmod(0o755)
    keys, port = certificates(place / "keys"), free_port()
    cluster = cluster_with_shop(Server(*found))
    try:
        (cluster.data / "pg_hba.conf").write_text("local all all trust\nhostssl all all all scram-sha-256\n")
        for name, value in (("ssl_cert_file", keys / "server.crt"), ("ssl_key_file", keys / "server.key"),
                            ("ssl", "on")):
            cluster.sql(f"ALTER SYSTEM SET {name} = '{value}'")
        cluster.sql("SELECT pg_reload_conf()")
        cluster.process.send_signal(signal.SIGINT)
        cluster.process.wait(20)
        cluster.process = subprocess.Popen(
            [f"{cluster.server.bin}/postgres", "-D", str(cluster.data), "-c", "listen_addresses=127.0.0.1",
             "-p", str(port), "-c", f"unix_socket_directories={cluster.directory}"], cwd="/", stdout=cluster.log,
            stderr=cluster.log, env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}, **cluster._as_server())
        url = f"postgresql://reader:reader@localhost:{port}/postgres?sslmode=verify-full&sslrootcert="
        wait_for(lambda: answers(cluster, port), 20, "the server answers again")
        done = rehearse("snapshot", "create", "--from", url + str(keys / "server.crt"), "-o", "s")
        assert done.status == 0, done
        assert certificate(rehearse.directory / "s", "integrity")["status"] == "passed"
        done = rehearse("snapshot", "create", "--from", url + str(keys / "server.crt") + "&sslcertmode=allow", "-o", "u")
        assert done.status == 0, done
        done = rehearse("snapshot", "create", "--from", url + "/dev/null", "-o", "t")
        assert done.status == 1, done
        done = rehearse("snapshot", "create", "--from", f"postgresql://reader:reader@localhost:{port}/postgres?"
                        "sslmode=disable", "-o", "t")
        assert done.status == 1, done
        no_traces(rehearse, "t")
    finally:
        cluster.stop()
        shutil.rmtree(place, ignore_errors=True)


def test_create_keeps_to_its_rate(production, large, rehearse):
    """8 MB at 4 MB/s."""
    began = time.monotonic()
    done = create(rehearse, production, "--no-verify", "--rate-limit", "4MB/s", database=large)
    assert done.status == 0, done
    assert 1.5 < time.monotonic() - began < 20, done
