"""`rehearse doctor`: what it says of channel binding is what real clients of a real capture meet, and what it
says of the machine is what was tried."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile

import pytest

import conftest
import test_capture
import test_tap_tls
from test_bad_input import NO_NAMESPACES
from test_capture import psql
from test_capture_tls import tls_cluster  # noqa: F401 (a fixture)



def doctor(*arguments, status=0, home="/nonexistent", inside=(), **environment):
    done = subprocess.run([*inside, conftest.PROGRAM, "doctor", "--no-config", "--json", "--quiet", *map(str, arguments)],
                          env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(home), **environment},
                          capture_output=True, text=True, timeout=120)
    if inside and done.returncode == 77:
        pytest.skip("namespaces cannot be forbidden here")
    assert done.returncode == status, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["format_version"] == "1.0" and (found["problems"] > 0) == (status == 1)
    assert found["problems"] == sum(check["status"] == "problem" for check in found["checks"])
    return found


def checks(found, name):
    return [check for check in found["checks"] if check["check"] == name]


# --- the machine ---------------------------------------------------------------------------------------

@pytest.fixture
def sandboxes():
    """For sandboxes of a server that may run as another user."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="rh-doctor-", dir="/var/tmp"))
    place.chmod(0o755)
    yield place
    assert list(place.iterdir()) == [], "nothing of it is left"
    place.rmdir()


def test_machine(tmp_path, sandboxes):
    bin_directory = conftest.debian_server()[1]
    found = doctor("--server-bin", bin_directory, "--sandbox-dir", sandboxes, home=tmp_path)
    assert [server["directory"] for server in found["servers"]] == [str(bin_directory)]
    works = {clone["method"]: clone["works"] for clone in found["clones"]}
    assert list(works) == ["btrfs snapshot", "reflink", "overlay", "copy"]
    assert works["copy"] and all(clone["works"] == (clone["why_not"] is None) for clone in found["clones"])
    # As the probe of a run's command finds it.
    alone = subprocess.run(["unshare", "--net", "--mount", *([] if conftest.IS_ROOT else ["--user"]), "true"])
    assert found["isolation"] == (alone.returncode == 0)
    assert "channel_binding" not in found and found["memory_bytes"] > 0 and found["disk_bytes"] > 0
    assert "psql" in checks(found, "programs")[0]["text"]


def test_machine_without_namespaces(sandboxes, tmp_path):
    found = doctor("--server-bin", conftest.debian_server()[1], "--sandbox-dir", sandboxes, home=tmp_path,
                   inside=NO_NAMESPACES)
    (isolation,) = checks(found, "isolation")
    assert found["isolation"] is False
    assert isolation["status"] == "note" and "--no-isolation" in isolation["advice"]
    overlay, copy = found["clones"][2:]
    assert not overlay["works"] and overlay["why_not"] and copy["works"]
    # The server's own network is told as well.
    assert any("namespaces" in check["text"] for check in checks(found, "sandbox"))


def test_environment_adds_the_capture_to_the_machine(tls_cluster, tmp_path):  # noqa: F811
    found = doctor("--server-bin", tmp_path, status=1, REHEARSE_UPSTREAM=url(tls_cluster, sslmode="require"))
    assert checks(found, "servers") and checks(found, "upstream")[0]["status"] == "ok"


def test_missing_servers_are_a_problem_with_advice(tmp_path):
    found = doctor("--server-bin", tmp_path, status=1)
    assert found["servers"] == [] and "clones" not in found
    (check,) = checks(found, "servers")
    assert "cannot find PostgreSQL server programs" in check["text"] and "postgres" in check["advice"]


def test_place_that_is_no_directory_is_a_problem(tmp_path):
    (tmp_path / "file").write_text("")
    found = doctor("--server-bin", conftest.debian_server()[1], "--sandbox-dir", tmp_path / "file", status=1)
    assert checks(found, "sandbox")[0]["status"] == "problem"


# --- channel binding -----------------------------------------------------------------------------------

def tries(capture, user, expected):
    """Every client of libpq's kind does what doctor said it would."""
    assert len(expected["clients"]) == 6
    for client in expected["clients"]:
        # A client that may go on without TLS would show the other leg.
        options = dict(sslmode="require" if client["tls"] else "disable", channel_binding=client["channel_binding"])
        done = psql(capture, user, **options)
        assert (done.returncode == 0) == client["gets_in"], (client, done.stdout, done.stderr)
        assert done.returncode == 0 or client["why_not"]
        if client["gets_in"] and client["channel_binding"] == "require":
            assert client["binds"]


def url(cluster, user="secret", **parameters):
    return test_tap_tls.url(cluster, host="127.0.0.1", user=user, **parameters)


def tls_options(cluster, name):
    return "--tls-cert", cluster.certificates / f"{name}.crt", "--tls-key", cluster.certificates / f"{name}.key"


def socket_url(cluster, **parameters):
    return url(cluster, hostaddr="", **parameters).replace("'127.0.0.1'", f"'{cluster.directory}'").replace(
        "hostaddr='' ", "")


SETUPS = {
    # (a) The server's leg is plain: a Unix socket, or TCP without TLS.
    "unix-server": (socket_url, {}, "server", (), "server-leg-plain", 0),
    "plain-server": (url, dict(sslmode="disable"), "server", (), "server-leg-plain", 0),
    # (b) The clients' leg is plain.
    "plain-clients": (url, dict(sslmode="require"), None, (), "client-leg-plain", 0),
    # (c) One certificate on both legs.
    "same-certificate": (url, dict(sslmode="require"), "server", (), "same-certificate", 0),
    "same-and-required": (url, dict(sslmode="prefer"), "server", ("--tls-required",), "same-certificate", 0),
    # (d) Two certificates: clients that do not bind.
    "two-certificates": (url, dict(sslmode="require"), "named", (), "clients-disable", 1),
}


@pytest.mark.parametrize("name", SETUPS)
def test_channel_binding_is_what_clients_meet(tls_cluster, name):  # noqa: F811
    make_url, parameters, certificate, more, setup, status = SETUPS[name]
    hba = tls_cluster.data / "pg_hba.conf"
    before = hba.read_text()
    # A Unix socket lets everybody in otherwise.
    hba.write_text("local all secret scram-sha-256\nhost all secret 127.0.0.1/32 scram-sha-256\n" + before)
    tls_cluster.sql("SELECT pg_reload_conf()")
    upstream = make_url(tls_cluster, password="open sesame", **parameters)
    arguments = [*(tls_options(tls_cluster, certificate) if certificate else ()), *more]
    capture = test_capture.Capture(tls_cluster, "--upstream", upstream, *arguments)
    try:
        conftest.wait_for(lambda: "SCRAM" in doctor("--upstream", upstream, *arguments, status=status)[
            "upstream_mechanisms"], what="the server reloads")
        found = doctor("--upstream", upstream, *arguments, status=status)
        assert found["channel_binding"]["setup"] == setup
        assert (found["upstream_tls"] is None) == (setup == "server-leg-plain")
        assert ("SCRAM-SHA-256-PLUS" in found["upstream_mechanisms"]) == (setup != "server-leg-plain")
        (said,) = checks(found, "channel-binding")
        assert (said["status"] == "problem") == (status == 1) == bool(said["advice"])
        assert checks(found, "own-session")[0]["status"] == "ok"
        assert "open sesame" not in json.dumps(found)
        tries(capture, "secret", found["channel_binding"])
    finally:
        capture.end()
        capture.clean()
        hba.write_text(before)
        tls_cluster.sql("SELECT pg_reload_conf()")


def test_channel_binding_with_the_newest_server():
    major = list(conftest.SERVERS)[-1]
    newest = test_tap_tls.open_cluster(major, conftest.SERVERS[major])
    try:
        newest.begin()
        for certificate, setup in (("server", "same-certificate"), ("named", "clients-disable")):
            upstream, options = url(newest, sslmode="require"), tls_options(newest, certificate)
            capture = test_capture.Capture(newest, "--upstream", upstream, *options)
            try:
                found = doctor("--upstream", upstream, *options, status=int(certificate == "named"))
                assert found["channel_binding"]["setup"] == setup
                tries(capture, "secret", found["channel_binding"])
            finally:
                capture.end()
                capture.clean()
    finally:
        newest.stop()


def test_certificate_that_cannot_be_bound_to(tls_cluster):  # noqa: F811
    """Ed25519 has no hash of its own: libpq cannot bind to it, not directly either."""
    place = tls_cluster.certificates
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "3", "-subj", "/CN=localhost",
                    "-keyout", place / "edwards.key", "-out", place / "edwards.crt"], check=True, capture_output=True)
    (place / "edwards.key").chmod(0o600)
    tls_cluster.use("edwards")
    upstream = url(tls_cluster, sslmode="require")
    capture = test_capture.Capture(tls_cluster, "--upstream", upstream, *tls_options(tls_cluster, "edwards"))
    try:
        found = doctor("--upstream", upstream, *tls_options(tls_cluster, "edwards"), status=1)
        assert found["channel_binding"]["setup"] == "clients-disable"
        tries(capture, "secret", found["channel_binding"])
        assert "Ed25519" in checks(found, "channel-binding")[0]["advice"]
        # The password is not in the URL: a capture would have no session of its own.
        assert checks(found, "own-session")[0]["status"] == "note"
    finally:
        capture.end()
        capture.clean()
        tls_cluster.use("server")


def test_role_that_is_asked_for_nothing(tls_cluster):  # noqa: F811
    upstream = url(tls_cluster, user="tls", sslmode="require")
    options = tls_options(tls_cluster, "named")
    capture = test_capture.Capture(tls_cluster, "--upstream", upstream, *options)
    try:
        found = doctor("--upstream", upstream, *options)
        assert found["channel_binding"]["setup"] == "nothing-to-bind"
        assert found["upstream_asks"] == "nothing" and checks(found, "login")[0]["status"] == "note"
        tries(capture, "tls", found["channel_binding"])
    finally:
        capture.end()
        capture.clean()


@pytest.mark.parametrize("parameters,more,said", [
    (dict(user="nobody"), (), "no pg_hba.conf entry"),
    (dict(port=1), (), "cannot reach the server"),
    (dict(sslmode="verify-full"), (), "no root certificate"),
    (dict(target_session_attrs="read-write"), (), "target_session_attrs"),
    ({}, ("--tls-cert", "/none.crt"), "/none.crt"),
], ids=lambda value: str(value)[:20])
def test_what_keeps_a_capture_from_its_server_is_a_problem(tls_cluster, parameters, more, said):  # noqa: F811
    found = doctor("--upstream", url(tls_cluster, **{"sslmode": "require", **parameters}), *more, status=1)
    problems = [check for check in found["checks"] if check["status"] == "problem"]
    assert len(problems) == 1 and said in problems[0]["text"], problems


def test_required_tls_at_a_unix_socket_lets_nobody_in(tls_cluster, tmp_path):  # noqa: F811
    found = doctor("--upstream", url(tls_cluster, sslmode="require"), *tls_options(tls_cluster, "server"),
                   "--tls-required", "--listen", "unix:/tmp/rh-doctor.sock", status=1)
    assert checks(found, "clients")[0]["status"] == "problem"
    assert not any(client["gets_in"] for client in found["channel_binding"]["clients"])


def test_address_to_listen_at(tls_cluster, tmp_path):  # noqa: F811
    upstream = "--upstream", url(tls_cluster, user="tls", sslmode="require")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for address in (f"127.0.0.1:{taken.getsockname()[1]}", "6432", "unix:/no/such/place/s"):
            found = doctor(*upstream, "--listen", address, status=1)
            assert [check["check"] for check in found["checks"] if check["status"] == "problem"] == ["listen"]
    # A capture that is there shares its port with the next one, and loses nobody to the question.
    capture = test_capture.Capture(tls_cluster, *upstream)
    try:
        for _ in range(5):
            found = doctor(*upstream, "--listen", f"127.0.0.1:{capture.port}")
            assert checks(found, "listen")[0]["status"] == "ok"
            assert psql(capture, "tls", sslmode="disable").stdout == "1\n"
    finally:
        capture.end()
        capture.clean()
    assert checks(doctor(*upstream, "--listen", f"unix:{tmp_path}/s"), "listen")[0]["status"] == "ok"
    assert list(tmp_path.iterdir()) == []


# --- a snapshot's source -------------------------------------------------------------------------------

def test_doctor_that_is_interrupted_tells_nothing_else():
    """The server answers the first session, and says nothing in the second one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        done = subprocess.Popen(
            [conftest.PROGRAM, "doctor", "--no-config", "--upstream",
             f"postgresql://app@127.0.0.1:{listener.getsockname()[1]}/shop?sslmode=disable"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        first, _ = listener.accept()
        first.sendall(b"R\0\0\0\x08\0\0\0\0")
        second, _ = listener.accept()
        done.send_signal(signal.SIGINT)
        out, error = done.communicate(timeout=30)
    assert (done.returncode, out) == (130, ""), error
    assert "interrupted" in error


def test_what_a_role_may_not_read(tls_cluster):  # noqa: F811
    tls_cluster.sql("CREATE ROLE half LOGIN; CREATE TABLE bills (id int); CREATE TABLE open_to_all (id int);"
                    "GRANT SELECT ON open_to_all TO half")
    found = doctor("--from", tls_cluster.url().replace("user=postgres", "user=half"), status=1)
    (lack,) = [check for check in checks(found, "rights") if "bills" in check["text"]]
    assert lack["status"] == "problem" and lack["advice"].startswith("GRANT SELECT ON")
    for check in checks(found, "rights"):
        tls_cluster.sql(check["advice"])
    found = doctor("--from", tls_cluster.url().replace("user=postgres", "user=half"))
    assert [check["status"] for check in checks(found, "rights")] == ["ok"]
