"""`rehearse capture` between legs that are encrypted: who gets through, bound to the channel or not."""
import contextlib
import json
import os
import socket
import ssl
import struct
import subprocess

import psycopg
import pytest

import test_tap_tls
from jdbc import jdbc  # noqa: F401 (a fixture)
from test_capture import Capture, answers, psql, requests, types

tls_cluster = test_tap_tls.cluster  # a fixture


def tls_capture(cluster, certificate, *arguments, upstream="require"):
    files = cluster.certificates
    return Capture(cluster, "--tls-cert", files / f"{certificate}.crt", "--tls-key", files / f"{certificate}.key",
                   "--upstream", f"host=127.0.0.1 port={cluster.port} user=tls dbname=postgres sslmode={upstream}",
                   *arguments)


def test_channel_binding_holds_where_the_certificate_is_the_servers(tls_cluster):
    same = tls_capture(tls_cluster, "server")
    try:
        for binding in ("require", "prefer", "disable"):
            done = psql(same, "secret", sslmode="require", channel_binding=binding)
            assert (done.stdout, done.returncode) == ("1\n", 0), done.stderr
        root = tls_cluster.certificates / "root.crt"
        assert psql(same, "secret", sslmode="verify-ca", sslrootcert=root).stdout == "1\n"
        # From a plain leg nothing can be bound, and nothing has to be.
        assert psql(same, "secret", sslmode="disable").stdout == "1\n"
        assert psql(same, "secret", sslmode="disable", channel_binding="require").returncode != 0
        how = psql(same, "secret", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", sslmode="disable")
        assert how.stdout == "t\n"
        assert len(requests(same.end().events())) == 6
    finally:
        same.clean()


def test_channel_binding_with_another_certificate(tls_cluster):
    other = tls_capture(tls_cluster, "named")
    try:
        assert psql(other, "secret", sslmode="require", channel_binding="require").returncode != 0
        assert psql(other, "secret", sslmode="require", channel_binding="disable").stdout == "1\n"
        assert psql(other, "secret", sslmode="disable").stdout == "1\n"
        other.end()
        assert "bind SCRAM" in other.stderr
    finally:
        other.clean()


def test_clients_without_tls_are_refused_where_it_is_required(tls_cluster):
    capture = tls_capture(tls_cluster, "server", "--tls-required", upstream="prefer")
    try:
        refused = psql(capture, "tls", sslmode="disable")
        assert refused.returncode != 0 and "over TLS alone" in refused.stderr
        assert psql(capture, "tls", sslmode="require").stdout == "1\n"
        capture.end()
    finally:
        capture.clean()


def test_large_results_and_copies_pass_encrypted_legs(tls_cluster):
    capture = tls_capture(tls_cluster, "server", "--copy-max", "1MB")
    try:
        with psycopg.connect(capture.url(user="tls", sslmode="require"), autocommit=True) as connection:
            connection.execute("CREATE TEMP TABLE copied (v text)")
            with connection.cursor().copy("COPY copied FROM STDIN") as copy:
                for _ in range(300):
                    copy.write("x" * 99999 + "\n")
            assert connection.execute("SELECT count(*), sum(length(v)) FROM copied").fetchone() == (300, 29999700)
            rows = connection.execute("SELECT v FROM copied").fetchall()
            assert len(rows) == 300 and all(len(row[0]) == 99999 for row in rows)
            assert len(connection.execute("SELECT repeat('y', 20000000)").fetchone()[0]) == 20000000
            assert connection.execute("SELECT length(%s)", ("z" * 6000000,)).fetchone() == (6000000,)
        events = capture.end().events()
        assert capture.head["gaps"] == {"copy-data-left-out": 1, "messages-cut": 1}
        assert [result["returned"] for event in answers(events) for result in event["results"]][-3] == 300
    finally:
        capture.clean()


@pytest.mark.parametrize("which", ["optional", "required"])
def test_client_certificates(tls_cluster, which):
    files = tls_cluster.certificates
    capture = tls_capture(tls_cluster, "server", "--tls-client-ca", files / "root.crt", "--tls-client-certs", which)
    try:
        with_one = psql(capture, "tls", sslmode="require", sslcert=files / "client.crt", sslkey=files / "client.key")
        assert with_one.stdout == "1\n", with_one.stderr
        without = psql(capture, "tls", sslmode="require")
        assert (without.returncode == 0) == (which == "optional")
        capture.end()
    finally:
        capture.clean()


def test_direct_tls_wants_the_protocols_name(tls_cluster):
    capture = tls_capture(tls_cluster, "server")
    startup = b"user\0tls\0database\0postgres\0\0"
    startup = struct.pack("!ii", len(startup) + 8, 196608) + startup
    try:
        for protocols, works in ((["postgresql"], True), (["http/1.1"], False), ([], False)):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            if protocols:
                context.set_alpn_protocols(protocols)
            got = b""
            with contextlib.suppress(ssl.SSLError, ConnectionError):
                with socket.create_connection(("127.0.0.1", capture.port), 10) as plain, \
                        context.wrap_socket(plain) as wrapped:
                    wrapped.sendall(startup)
                    while not got.endswith(b"Z\0\0\0\5I") and (part := wrapped.recv(65536)):
                        got += part
            assert got.endswith(b"Z\0\0\0\5I") == works, protocols
        capture.end()
    finally:
        capture.clean()


def test_encryption_requests_come_in_either_order(tls_cluster):
    capture = tls_capture(tls_cluster, "server")
    gss, tls = struct.pack("!ii", 8, 80877104), struct.pack("!ii", 8, 80877103)
    try:
        with socket.create_connection(("127.0.0.1", capture.port), 10) as client:
            client.sendall(gss)
            assert client.recv(10) == b"N"
            client.sendall(tls)
            assert client.recv(10) == b"S"
        with socket.create_connection(("127.0.0.1", capture.port), 10) as client:
            client.sendall(tls + b"\0")  # sent before our answer: it was never encrypted
            assert client.recv(10) == b""
        capture.end()
    finally:
        capture.clean()


def test_jdbc_over_tls_sees_the_same_and_is_recorded(tls_cluster, jdbc):  # noqa: F811
    """TLS on both legs, SCRAM; pgjdbc of Debian 12 does not bind it to the channel."""
    tls_cluster.sql("GRANT CREATE ON SCHEMA public TO secret")
    for certificate in ("server", "named"):
        capture = tls_capture(tls_cluster, certificate)
        try:
            part = "cursors" if certificate == "named" else "all"
            said = [subprocess.run([*jdbc, str(port), part, "user=secret&password=open%20sesame&sslmode=require"],
                                   capture_output=True, text=True, timeout=120) for port in
                    ([capture.port] if certificate == "named" else [tls_cluster.port, capture.port])]
            assert all(done.returncode == 0 for done in said), [done.stderr for done in said]
            assert said[0].stdout == said[-1].stdout
            events = capture.end().events()
            assert "open sesame" not in json.dumps(events) and set(capture.head["gaps"]) <= {"copy-data-left-out"}
        finally:
            capture.clean()
        if part == "all":
            assert "22012" in said[0].stdout and "23505" in said[0].stdout
            assert all(event["user"] == "secret" for event in events if event["kind"] == "begun")
            sent = [message for event in requests(events) for message in event["messages"]]
            # Statements that the server keeps; batches; portals in portions; COPY.
            assert any(message["type"] == "P" and bytes.fromhex(message["body"]).startswith(b"S_1\0") for message in sent)
            assert max(types(event).count("E") for event in requests(events)) >= 100
            copied = b"".join(bytes.fromhex(message["body"]) for message in sent if message["type"] == "d")
            assert "".join(f"{i}\trow {i}\n" for i in range(20000)).encode() in copied
