"""End-to-end tests run the built program against real servers.

Environment:
  REHEARSE          the program (default: build/rehearse)
  REHEARSE_SERVERS  "15=/usr/lib/postgresql/15/bin 18=..." instead of what is found
  REHEARSE_NIGHTLY  1: also the slow ones
  REHEARSE_SANITIZED  set: the program was built with sanitizers

The sandboxes of a test session live below one directory of ours, so that what is left behind is
seen: at the end of every test nothing may be in it and no server of ours may run.
"""
import contextlib
import functools
import json
import os
import pathlib
import pwd
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("REHEARSE", ROOT / "build" / "rehearse")).resolve()
IS_ROOT = os.geteuid() == 0
DEBIAN_SERVERS = pathlib.Path("/usr/lib/postgresql")


# --- servers ---------------------------------------------------------------------------------------

def find_servers():
    """{major: bin directory}: Debian's, and those that tools/servers knows how to get."""
    given = os.environ.get("REHEARSE_SERVERS")
    if given:
        return {int(pair.partition("=")[0]): pair.partition("=")[2] for pair in given.split()}
    servers = {}
    tool = ROOT / "tools" / "servers"
    if tool.exists():
        listed = subprocess.run([tool], capture_output=True, text=True, timeout=600, cwd=ROOT)
        for line in listed.stdout.splitlines():
            fields = line.split()
            if len(fields) == 2 and fields[0].isdigit():
                servers[int(fields[0])] = fields[1]
    if DEBIAN_SERVERS.is_dir():
        for directory in DEBIAN_SERVERS.iterdir():
            if (directory / "bin" / "postgres").exists():
                servers[int(directory.name)] = str(directory / "bin")
    return dict(sorted(servers.items()))


SERVERS = find_servers()


def debian_server():
    """A complete installation, with psql and pg_dump beside the server."""
    for major, directory in SERVERS.items():
        if (pathlib.Path(directory) / "pg_dump").exists():
            return major, directory
    return None


def pytest_addoption(parser):
    parser.addoption("--nightly", action="store_true", help="also the slow tests")


def pytest_configure(config):
    config.addinivalue_line("markers", "nightly: minutes or gigabytes")
    config.addinivalue_line("markers", "every_version: of `server`, also those between the oldest and the newest")
    config.addinivalue_line("markers", "alone: measures time, and runs while no other test does (tools/check)")
    # A shell starts its background jobs with SIGINT ignored, and so would all that we start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def is_nightly(config):
    return config.getoption("--nightly") or os.environ.get("REHEARSE_NIGHTLY") == "1"


def applies(item):
    """Whether there is such a test: a module may say so of its parameters (what a version does not have)."""
    asked = getattr(item.module, "applies", None)
    return not asked or not hasattr(item, "callspec") or asked(item.callspec.params)


def pytest_collection_modifyitems(config, items):
    # Another suite, or nothing at all; not a lack of this machine: they count as no skips.
    left_out = [item for item in items
                if not applies(item) or ("nightly" in item.keywords and not is_nightly(config))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def server_params(every=False):
    """The oldest, the newest and Debian's; what lies between them nightly, unless it is every one."""
    telling = {min(SERVERS), 15, max(SERVERS)} if SERVERS else set()
    return [pytest.param(major, id=f"pg{major}", marks=[] if every or major in telling else pytest.mark.nightly)
            for major in SERVERS]


def pytest_generate_tests(metafunc):
    if "server" in metafunc.fixturenames:
        every = metafunc.definition.get_closest_marker("every_version") is not None
        metafunc.parametrize("server", server_params(every), indirect=True, scope="session")


class Server:
    def __init__(self, major, bin_directory):
        self.major, self.bin = major, bin_directory


@pytest.fixture(scope="session")
def server(request):
    return Server(request.param, SERVERS[request.param])


# --- polling, never sleeping for luck -----------------------------------------------------------------

# Sanitizers make our side two to four times slower: what is concluded from its times proves nothing, and is
# not asserted then. All else is.
TIMES_COUNT = "REHEARSE_SANITIZED" not in os.environ


def measures(test):
    """For tests of what is concluded from measured times: right in 99 of 100 cases on a machine of its own
    (docs/detection-power.md), in fewer on one that does other things meanwhile. Wrong thrice is wrong."""
    @functools.wraps(test)
    def thrice(*arguments, **named):
        for _ in range(2):
            try:
                return test(*arguments, **named)
            except (AssertionError, IndexError):
                pass
        return test(*arguments, **named)
    return pytest.mark.alone(thrice)


def wait_for(condition, timeout=10.0, what="condition"):
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout} s: {what}")
        time.sleep(0.02)


# --- what is left behind --------------------------------------------------------------------------------

class Place:
    """Directories of this test session. 0755, so that the server's user can get through."""

    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="rh-e2e-", dir="/var/tmp"))
        self.root.chmod(0o755)
        self.sandboxes = self.root / "sandboxes"
        self.cache = self.root / "cache"
        for directory in (self.sandboxes, self.cache):
            directory.mkdir()
            directory.chmod(0o755)

    def processes(self):
        """Processes that work in a sandbox: servers, their children, clients we started there."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                where = os.readlink(entry / "cwd")
            except OSError:
                continue
            if str(self.sandboxes) in command or where.startswith(str(self.sandboxes)):
                found.append((int(entry.name), command.strip()))
        return found

    def leftovers(self):
        return sorted(str(path) for path in self.sandboxes.iterdir())

    def assert_clean(self, timeout=5.0):
        deadline = time.monotonic() + timeout
        while (self.leftovers() or self.processes()) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self.leftovers() == [], "a sandbox directory is left"
        assert self.processes() == [], "a process of a sandbox is left"


@pytest.fixture(scope="session")
def place():
    place = Place()
    yield place
    left, running = place.leftovers(), place.processes()
    for pid, _ in running:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    shutil.rmtree(place.root, ignore_errors=True)
    assert (left, running) == ([], []), "left behind at the end of the session"


@pytest.fixture(autouse=True)
def nothing_left(request, place):
    """Every test ends with nothing left, unless it says that it looks after that itself."""
    yield
    place.assert_clean()


# --- the program ---------------------------------------------------------------------------------------

class Outcome:
    def __init__(self, arguments, status, stdout, stderr, directory):
        self.arguments, self.status = arguments, status
        self.stdout, self.stderr, self.directory = stdout, stderr, directory

    @property
    def result(self):
        path = self.directory / "result.json"
        assert path.exists(), f"no result.json; status {self.status}\n{self.stdout}\n{self.stderr}"
        return json.loads(path.read_text())

    @property
    def events(self):
        return [json.loads(line) for line in (self.directory / "events.ndjson").read_text().splitlines()]

    def findings(self, rule=None):
        return [finding for finding in self.result["findings"] if rule in (None, finding["rule"])]

    def rules(self):
        return {finding["rule"] for finding in self.result["findings"]}

    def statement(self, like, nested=False):
        """The first statement whose text contains `like`."""
        def walk(statements):
            for statement in statements:
                yield statement
                if nested:
                    yield from walk(statement.get("children", []))
        for statement in walk(self.result["statements"]):
            if like in statement["sql"]:
                return statement
        pytest.fail(f"no statement with {like!r} in "
                    f"{[statement['sql'][:80] for statement in self.result['statements']]}")

    def __repr__(self):
        return (f"rehearse {shlex.join(map(str, self.arguments))}\nstatus {self.status}\n"
                f"--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}")


class Program:
    """Runs rehearse in a directory of its own."""

    def __init__(self, place, directory):
        self.place, self.directory = place, directory
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "REHEARSE_SANDBOX_DIR": str(place.sandboxes),
            "XDG_CACHE_HOME": str(place.cache),
            # One run is what most tests are about; test_repetition.py does without this.
            "REHEARSE_CUTS": "off",
        }
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def write(self, name, content):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content)
        return path

    def start(self, *arguments, cwd=None, env=None, **options):
        environment = {**self.environment, **(env or {})}
        environment = {name: value for name, value in environment.items() if value is not None}
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen([str(PROGRAM), *map(str, arguments)], cwd=cwd or self.directory,
                                env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                **options)

    def finish(self, process, arguments=(), cwd=None, timeout=60):
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.terminate()
            stdout, stderr = process.communicate(timeout=20)
            pytest.fail(f"rehearse took longer than {timeout} s\n{stderr.decode(errors='replace')}")
        directory = pathlib.Path(cwd or self.directory)
        out = next((pathlib.Path(str(after)) for before, after in zip(arguments, arguments[1:])
                    if before == "--out"), pathlib.Path(".rehearse/runs/latest"))
        return Outcome(arguments, process.returncode, stdout.decode(errors="replace"),
                       stderr.decode(errors="replace"), directory / out)

    def __call__(self, *arguments, cwd=None, timeout=60, env=None, **options):
        process = self.start(*arguments, cwd=cwd, env=env, **options)
        return self.finish(process, arguments, cwd, timeout)

    def run(self, migration, schema=None, *arguments, **options):
        """`run` of SQL text over a schema given as SQL text."""
        name = self.write("migration.sql", migration).name
        more = list(arguments)
        if schema is not None:
            more += ["--schema", self.write("schema.sql", schema).name]
        return self("run", name, *more, **options)


@pytest.fixture
def rehearse(place, tmp_path):
    if not PROGRAM.exists():
        pytest.fail(f"{PROGRAM} is not built")
    return Program(place, tmp_path)


@pytest.fixture(scope="session")
def session_rehearse(place, tmp_path_factory):
    """For runs that several tests look at."""
    def make(name):
        return Program(place, tmp_path_factory.mktemp(re.sub(r"\W", "_", name)))
    return make


# --- servers of the tests themselves: the proof by hand, and dumps -----------------------------------------

class Cluster:
    """A server started by the test, reached over a socket in its own directory."""

    def __init__(self, server, directory):
        self.server, self.directory = server, directory
        self.data = directory / "data"
        self.process = None

    def _command(self, *arguments):
        return list(map(str, arguments))

    def _as_server(self):
        if not IS_ROOT:
            return {}
        account = pwd.getpwnam("postgres")
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def start(self, **settings):
        if IS_ROOT:
            shutil.chown(self.directory, "postgres", "postgres")
        self.directory.chmod(0o700)
        environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TZ": "UTC"}
        subprocess.run(self._command(f"{self.server.bin}/initdb", "-D", self.data, "-U", "postgres",
                                     "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"),
                       check=True, capture_output=True, env=environment, cwd="/", **self._as_server())
        values = {"listen_addresses": "", "unix_socket_directories": str(self.directory),
                  "fsync": "off", "autovacuum": "off", "max_connections": "20", **settings}
        flags = [part for name, value in values.items() for part in ("-c", f"{name}={value}")]
        self.log = open(self.directory / "log", "wb")
        self.process = subprocess.Popen(
            self._command(f"{self.server.bin}/postgres", "-D", self.data, *flags), cwd="/",
            stdout=self.log, stderr=self.log, env=environment, **self._as_server())
        wait_for(self._answers, 20, "the test's own server answers")
        return self

    def _answers(self):
        import psycopg
        try:
            with psycopg.connect(self.url()):
                return True
        except psycopg.OperationalError:
            return False

    def url(self, database="postgres"):
        return f"host={self.directory} port=5432 user=postgres dbname={database}"

    def connect(self, database="postgres", **options):
        import psycopg
        return psycopg.connect(self.url(database), **options)

    def sql(self, statements, database="postgres"):
        with self.connect(database, autocommit=True) as connection:
            connection.execute(statements)

    def new_database(self, name, statements=""):
        self.sql(f"DROP DATABASE IF EXISTS {name}")
        self.sql(f"CREATE DATABASE {name}")
        if statements:
            self.sql(statements, name)
        return name

    @contextlib.contextmanager
    def database(self, name, statements=""):
        """A new database as long as the block lasts: its URL."""
        self.new_database(name, statements)
        try:
            yield self.url(name)
        finally:
            self.sql(f"DROP DATABASE {name}")

    def dump(self, path, *arguments, database="postgres"):
        program = f"{self.server.bin}/pg_dump"
        subprocess.run([program, "-h", str(self.directory), "-U", "postgres", "-d", database, "-f",
                        str(path), *arguments], check=True, capture_output=True)
        return path

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(20)
            self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster_of():
    """cluster_of(server): one running cluster per server for the whole session."""
    clusters = {}

    def get(server):
        if server.major not in clusters:
            directory = pathlib.Path(tempfile.mkdtemp(prefix=f"rh-pg{server.major}-", dir="/var/tmp"))
            clusters[server.major] = Cluster(server, directory).start()
        return clusters[server.major]
    yield get
    for cluster in clusters.values():
        cluster.stop()


@pytest.fixture(scope="session")
def debian_cluster(cluster_of):
    found = debian_server()
    if not found:
        pytest.skip("no complete PostgreSQL installation (pg_dump) here")
    return cluster_of(Server(*found))
