"""The server and what may stand before it. Everything lives in one directory and ends with it."""
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
IS_ROOT = os.geteuid() == 0


def as_server():
    """PostgreSQL and PgBouncer do not run as root."""
    if not IS_ROOT:
        return {}
    account = pwd.getpwnam("postgres")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


def server_directory():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"),
                   key=lambda path: int(path.parts[-3]))
    if not found:
        raise RuntimeError("no PostgreSQL below /usr/lib/postgresql")
    return found[-1].parent


def cpu_us(pid):
    """CPU time of all threads of a process, in nanosecond resolution from the scheduler."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
        except OSError:
            pass
    return total / 1000


def machine_time():
    """-> (busy, all) CPU time of the machine in ticks (proc_stat(5))."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(field) for field in file.readline().split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


def peak_memory_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def certificate(directory):
    """-> (certificate, key) of 127.0.0.1, readable by the server and whoever stands before it."""
    found = directory / "server.crt", directory / "server.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-keyout", found[1], "-out", found[0]], check=True, capture_output=True)
    found[1].chmod(0o600)
    if IS_ROOT:
        shutil.chown(found[1], "postgres", "postgres")
    return found


class Server:
    """A throw-away PostgreSQL on a loopback port and a Unix socket; with a certificate it takes TLS as well."""

    def __init__(self, directory, scale, certificate=None, **more):
        self.bin = server_directory()
        self.directory = directory
        self.port = free_port()
        self.socket = str(directory / f".s.PGSQL.{self.port}")
        self.pid = None
        data = directory / "data"
        if IS_ROOT:
            shutil.chown(directory, "postgres", "postgres")
        subprocess.run([self.bin / "initdb", "-D", data, "-U", "postgres", "-A", "trust",
                        "--no-sync", "--locale=C", "-E", "UTF8"], check=True, capture_output=True,
                       cwd="/", **as_server())
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "fsync": "off",
                    "unix_socket_directories": directory, "shared_buffers": "256MB",
                    "max_connections": "100", "autovacuum": "off", "max_wal_size": "4GB", **more}
        if certificate:
            settings |= {"ssl": "on", "ssl_cert_file": certificate[0], "ssl_key_file": certificate[1]}
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self.log = open(directory / "server.log", "wb")
        self.process = subprocess.Popen([self.bin / "postgres", "-D", data, *flags], cwd="/",
                                        stdout=self.log, stderr=self.log, **as_server())
        wait_until(lambda: self.sql("SELECT 1", check=False) == "1", "the server answers")
        if scale:
            self.client("pgbench", "-i", "-q", "-s", str(scale))

    def client(self, *command, port=None, sslmode="prefer", environment=None, **options):
        environment = {**os.environ, "PGHOST": "127.0.0.1", "PGPORT": str(port or self.port),
                       "PGUSER": "postgres", "PGDATABASE": "postgres", "PGSSLMODE": sslmode,
                       **(environment or {})}
        options.setdefault("check", True)
        options.setdefault("timeout", 600)
        return subprocess.run([self.bin / command[0], *command[1:]], env=environment,
                              capture_output=True, text=True, **options)

    def sql(self, text, check=True):
        return self.client("psql", "-XAtqc", text, check=check).stdout.strip()

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        self.log.close()


class Peer:
    """A relay in front of the server: a name, a port, a process."""

    def __init__(self, name, port, command, directory, ready_line=False, **options):
        self.name, self.port = name, port
        self.log = open(directory / f"{name.replace(' ', '-')}.log", "wb")
        self.process = None
        if command:
            self.process = subprocess.Popen(list(map(str, command)), stdout=self.log,
                                            stderr=self.log, **options)
            wait_until(lambda: answers(port), f"{name} listens")

    def cpu_us(self):
        return cpu_us(self.process.pid) if self.process else 0.0

    def memory_kb(self):
        return peak_memory_kb(self.process.pid) if self.process else 0

    def stop(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


def direct(server, directory):
    return Peer("direct", server.port, None, directory)


def bare(server, directory, build, over_unix):
    port = free_port()
    name = "bare, unix" if over_unix else "bare"
    target = server.socket if over_unix else server.port
    return Peer(name, port, [build / "tests/unit/tap/bare_relay", port, target], directory)


def tap(server, directory, build, spin_us):
    port = free_port()
    return Peer("tap", port, [build / "tests/unit/tap/tap_relay", "--listen", port, "--server",
                              server.socket, "--collect", "--spin", spin_us], directory)


def capture(server, directory, program, name, *more, certificate=None):
    """As PgBouncer: over the server's Unix socket; with a certificate over TCP, with TLS on both legs."""
    port = free_port()
    out = directory / f"{name.replace(' ', '-')}.workload"
    leg = "host=127.0.0.1 sslmode=require" if certificate else f"host={server.directory}"
    tls = ["--tls-cert", certificate[0], "--tls-key", certificate[1]] if certificate else []
    peer = Peer(name, port, [program, "capture", "--upstream", f"{leg} port={server.port} user=postgres dbname=postgres",
                             "--listen", f"127.0.0.1:{port}", "-o", out, "--unencrypted", "--no-config", "--json",
                             *tls, *more], directory)
    peer.out = out
    return peer


def pgbouncer(server, directory, certificate=None):
    """Over the server's Unix socket; with a certificate over TCP, with TLS on both legs."""
    if not shutil.which("pgbouncer"):
        return None
    port = free_port()
    config = directory / "pgbouncer.ini"
    host = "127.0.0.1" if certificate else server.directory
    tls = (f"client_tls_sslmode = require\nclient_tls_cert_file = {certificate[0]}\n"
           f"client_tls_key_file = {certificate[1]}\nserver_tls_sslmode = require\n" if certificate else "")
    config.write_text(f"""[databases]
postgres = host={host} port={server.port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
auth_file =
pool_mode = session
default_pool_size = 90
max_client_conn = 200
logfile =
log_connections = 0
log_disconnections = 0
ignore_startup_parameters = extra_float_digits
{tls}""")
    config.chmod(0o644)
    return Peer("PgBouncer", port, [shutil.which("pgbouncer"), config], directory, cwd="/",
                **as_server())


def haproxy(server, directory, certificate=None):
    """Over the server's Unix socket; where TLS is wanted over TCP, and what is encrypted passes as it is."""
    if not shutil.which("haproxy"):
        return None
    port = free_port()
    config = directory / "haproxy.cfg"
    target = f"127.0.0.1:{server.port}" if certificate else f"unix@{server.socket}"
    config.write_text(f"""global
    maxconn 200
    nbthread 1
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen relay
    bind 127.0.0.1:{port}
    server postgres {target}
""")
    return Peer("HAProxy", port, [shutil.which("haproxy"), "-db", "-f", config], directory)
