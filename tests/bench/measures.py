"""One measurement each: a pgbench cell, a large result, memory under COPY, a traced migration."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import time
import urllib.parse

import peers


def rotated(items, by):
    """Another order in each round, so that nobody is always first or last."""
    by %= len(items)
    return items[by:] + items[:by]


def pgbench(server, peer, mode, clients, seconds, sslmode="prefer"):
    """-> (transactions per second, mean latency in us, the peer's CPU us per transaction)."""
    cpu_before = peer.cpu_us()
    output = server.client("pgbench", "-n", "-S", "-M", mode, "-c", str(clients), "-j",
                           str(min(clients, 2)), "-T", str(seconds), port=peer.port,
                           sslmode=sslmode, timeout=seconds + 60).stdout
    cpu_used = peer.cpu_us() - cpu_before
    rate = float(re.search(r"tps = ([\d.]+) \(without", output).group(1))
    count = int(re.search(r"actually processed: (\d+)", output).group(1))
    latency_us = float(re.search(r"latency average = ([\d.]+) ms", output).group(1)) * 1000
    return rate, latency_us, cpu_used / count


def connect_raw(port):
    connection = socket.create_connection(("127.0.0.1", port), 120)
    body = struct.pack(">I", 196608) + b"user\0postgres\0database\0postgres\0\0"
    connection.sendall(struct.pack(">I", len(body) + 4) + body)
    read_until_ready(connection)
    return connection


def read_until_ready(connection):
    """Takes bytes until ReadyForQuery ends them; returns how many. A cheap client is a fair one."""
    total, tail = 0, b""
    buffer = bytearray(256 * 1024)
    while not tail.endswith(b"Z\0\0\0\5I"):
        count = connection.recv_into(buffer)
        if count == 0:
            raise RuntimeError("the connection ended")
        total += count
        tail = (tail + bytes(buffer[max(0, count - 6):count]))[-6:]
    return total


LARGE_ROWS = 50_000


def prepare_large_result(server):
    """50 MB in rows of 1000 bytes, already in the server's memory."""
    server.sql(f"CREATE TABLE large AS SELECT repeat('x', 1000) AS line "
               f"FROM generate_series(1, {LARGE_ROWS})")
    server.sql("VACUUM ANALYZE large")


def large_result(peer):
    """-> MB per second of SELECT over 50 MB."""
    with connect_raw(peer.port) as connection:
        query = b"SELECT line FROM large\0"
        rates = []
        for _ in range(3):
            start = time.perf_counter()
            connection.sendall(b"Q" + struct.pack(">I", len(query) + 4) + query)
            total = read_until_ready(connection)
            rates.append(total / 1e6 / (time.perf_counter() - start))
        return sorted(rates)[1]


def copy_memory(server, peer, megabytes):
    """Peak memory of the peer in kB while COPY passes, out and in."""
    rows = megabytes * 1_000_000 // 1001
    with connect_raw(peer.port) as connection:
        query = f"COPY (SELECT repeat('y', 1000) FROM generate_series(1, {rows})) TO STDOUT\0".encode()
        connection.sendall(b"Q" + struct.pack(">I", len(query) + 4) + query)
        read_until_ready(connection)
    out_kb = peer.memory_kb()
    with connect_raw(peer.port) as connection:
        query = b"CREATE TEMP TABLE copied (line text); COPY copied FROM STDIN\0"
        connection.sendall(b"Q" + struct.pack(">I", len(query) + 4) + query)
        while connection.recv(65536)[-20:].find(b"G") < 0:
            pass
        line = b"z" * 1000 + b"\n"
        message = b"d" + struct.pack(">I", 4 + 60 * len(line)) + 60 * line
        for _ in range(megabytes * 1_000_000 // len(message)):
            connection.sendall(message)
        connection.sendall(b"c" + struct.pack(">I", 4))
        read_until_ready(connection)
    return out_kb, peer.memory_kb()


def row_memory(peer, megabytes):
    """Peak memory of the peer in kB while one row of that size passes."""
    with connect_raw(peer.port) as connection:
        query = f"SELECT repeat('r', {megabytes * 1_000_000})\0".encode()
        connection.sendall(b"Q" + struct.pack(">I", len(query) + 4) + query)
        read_until_ready(connection)
    return peer.memory_kb()


def product_copy_memory(program, directory, megabytes):
    """Peak memory of rehearse in kB while COPY passes out of and into the sandbox."""
    schema = directory / "copied.sql"
    schema.write_text("CREATE TABLE copied (line text);\n")
    rows = megabytes * 1_000_000 // 1001
    script = (f"psql -Xqc \"COPY (SELECT repeat('y', 1000) FROM generate_series(1, {rows})) TO STDOUT\""
              " | psql -Xqc 'COPY copied FROM STDIN'")
    process = subprocess.Popen([program, "run", "--schema", schema, "--out", directory / "copy",
                                "--", "sh", "-c", script], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    peak_kb = 0
    while process.poll() is None:
        try:
            peak_kb = max(peak_kb, peers.peak_memory_kb(process.pid))
        except OSError:
            pass
        time.sleep(0.02)
    result = json.loads((directory / "copy/result.json").read_text())
    if not any(statement["rows"] == rows for statement in result["statements"]):
        raise RuntimeError(f"COPY did not pass: {result['headline']}")
    return peak_kb


# --- the product itself ------------------------------------------------------------------------------

SCHEMA = """
CREATE TABLE shop (id int PRIMARY KEY, name text, price numeric);
INSERT INTO shop SELECT i, 'item ' || i, i FROM generate_series(1, 1000) i;
"""


def migration_text(statements=200):
    """What migrations do: half of it DDL, half of it rows."""
    texts = []
    for i in range(statements // 8):
        texts += [f"CREATE TABLE part_{i} (id int PRIMARY KEY, shop_id int, note text);",
                  f"INSERT INTO part_{i} SELECT i, i, 'note' FROM generate_series(1, 500) i;",
                  f"ALTER TABLE part_{i} ADD COLUMN amount numeric DEFAULT 0;",
                  f"CREATE INDEX part_{i}_shop ON part_{i} (shop_id);",
                  f"UPDATE part_{i} SET note = 'changed' WHERE id % 3 = 0;",
                  f"ALTER TABLE shop ADD COLUMN extra_{i} int;",
                  f"UPDATE shop SET price = price + 1 WHERE id = {i + 1};",
                  f"COMMENT ON TABLE part_{i} IS 'number {i}';"]
    return "\n".join(texts) + "\n"


# What people run: tables of 200,000 rows, statements of ten to a few hundred milliseconds.
WORKING_SCHEMA = """
CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL, country text, created timestamptz);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL, status text, total numeric, placed timestamptz);
CREATE TABLE items (id int PRIMARY KEY, order_id int NOT NULL, sku text, quantity int, price numeric);
INSERT INTO customers SELECT i, 'customer' || i || '@example.com', 'c' || i % 40, timestamptz '2026-01-01' + i * interval '1 minute'
  FROM generate_series(1, 200000) i;
INSERT INTO orders SELECT i, i, 's' || i % 5, i % 1000, timestamptz '2026-01-01' + i * interval '1 minute'
  FROM generate_series(1, 200000) i;
INSERT INTO items SELECT i, i, 'sku' || i % 5000, i % 10, i % 100 FROM generate_series(1, 200000) i;
"""


def working_migration_text():
    """25 statements: indexes, columns, batches of rows, constraints added and validated."""
    texts = ["CREATE INDEX orders_customer ON orders (customer_id);",
             "CREATE INDEX items_order ON items (order_id);",
             "CREATE INDEX orders_placed ON orders (placed);",
             "CREATE INDEX customers_country ON customers (country);",
             "CREATE UNIQUE INDEX customers_email ON customers (lower(email));",
             "CREATE INDEX items_sku ON items (sku, order_id);",
             "ALTER TABLE orders ADD COLUMN note text DEFAULT '';",
             "ALTER TABLE orders ADD CONSTRAINT orders_customer_fk FOREIGN KEY (customer_id) "
             "REFERENCES customers NOT VALID;",
             "ALTER TABLE orders VALIDATE CONSTRAINT orders_customer_fk;",
             "ALTER TABLE items ADD CONSTRAINT items_order_fk FOREIGN KEY (order_id) REFERENCES orders NOT VALID;",
             "ALTER TABLE items VALIDATE CONSTRAINT items_order_fk;",
             "ALTER TABLE items ADD CONSTRAINT items_quantity CHECK (quantity >= 0) NOT VALID;",
             "ALTER TABLE items VALIDATE CONSTRAINT items_quantity;",
             "ALTER TABLE customers ALTER COLUMN country SET NOT NULL;",
             "ALTER TABLE orders ALTER COLUMN status SET NOT NULL;",
             "CREATE TABLE totals AS SELECT customer_id, sum(total) AS total FROM orders GROUP BY 1;",
             "ALTER TABLE totals ADD PRIMARY KEY (customer_id);",
             "ANALYZE orders;",
             "DROP INDEX customers_country;"]
    texts += [f"UPDATE orders SET note = 'old' WHERE id BETWEEN {i * 5000 + 1} AND {(i + 1) * 5000};" for i in range(6)]
    return "\n".join(texts) + "\n"


class Twin:
    """The prepared server of a rehearsal, without the evidence inside: a kept sandbox, copied."""

    def __init__(self, program, directory, schema):
        noop = directory / "noop.sql"
        noop.write_text("SELECT 1;\n")
        kept = subprocess.run([program, "run", "--schema", schema, noop, "--keep", "--out",
                               directory / "kept"], capture_output=True, text=True, timeout=120)
        text = kept.stdout + kept.stderr
        match = re.search(r"postgres://(\S+?):(\S+?)@/(\S+?)\?host=(\S+)", text)
        if not match:
            raise RuntimeError(f"no sandbox was kept: {text}")
        user, password, database, host = map(urllib.parse.unquote, match.groups())
        self.user, self.database = user, database
        sandbox = pathlib.Path(host).parent
        data = next(sandbox.glob("data-*"))
        environment = {**os.environ, "PGHOST": host, "PGUSER": user, "PGPASSWORD": password}
        superuser = subprocess.run(["psql", "-XAtqc", "SELECT rolname FROM pg_roles WHERE rolsuper "
                                    "ORDER BY oid LIMIT 1", "-d", database], env=environment,
                                   capture_output=True, text=True, check=True).stdout.strip()
        pid = int((data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGINT)
        peers.wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "the sandbox ends")
        self.directory = directory / "twin"
        shutil.copytree(data, self.directory, symlinks=True)
        shutil.rmtree(sandbox)
        (self.directory / "pg_hba.conf").write_text("local all all trust\n")
        if peers.IS_ROOT:
            subprocess.run(["chown", "-R", "postgres:postgres", directory / "twin"], check=True)
            directory.chmod(0o755)
        self.directory.chmod(0o700)
        self.sockets = directory / "s"
        self.sockets.mkdir()
        if peers.IS_ROOT:
            shutil.chown(self.sockets, "postgres", "postgres")
        self.log = open(directory / "twin.log", "wb")
        self.process = subprocess.Popen(
            [peers.server_directory() / "postgres", "-D", self.directory, "-c",
             f"unix_socket_directories={self.sockets}"],
            cwd="/", stdout=self.log, stderr=self.log, **peers.as_server())
        peers.wait_until(lambda: self.psql(superuser, "postgres", "-c", "SELECT 1", check=False)
                         .returncode == 0, "the twin answers")
        self.superuser = superuser
        triggers = self.psql(superuser, database, "-c", "SELECT quote_ident(evtname) FROM "
                             "pg_event_trigger").stdout.split()
        for trigger in triggers:
            self.psql(superuser, database, "-c", f"DROP EVENT TRIGGER {trigger}")
        self.psql(superuser, database, "-c", "DROP SCHEMA IF EXISTS rehearse CASCADE")

    def psql(self, user, database, *arguments, check=True):
        return subprocess.run(["psql", "-XAtq", "-h", self.sockets, "-U", user, "-d", database,
                               "-v", "ON_ERROR_STOP=1", *arguments], capture_output=True, text=True,
                              check=check, timeout=120)

    def run(self, migration, empty):
        """Seconds of `psql -f`, without what psql itself takes to start and connect."""
        self.psql(self.superuser, "postgres", "-c", f"CREATE DATABASE bench TEMPLATE {self.database} OWNER {self.user}")
        self.psql(self.superuser, "postgres", "-c", "CHECKPOINT")
        times = []
        for file in (empty, migration):
            start = time.perf_counter()
            self.psql(self.user, "bench", "-f", file)
            times.append(time.perf_counter() - start)
        self.psql(self.superuser, "postgres", "-c", "DROP DATABASE bench")
        return times[1] - times[0]

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        self.log.close()


def traced_migration(program, schema, migration, out, statements):
    """Seconds that the step took under trace, from its first statement on: as psql's, without connecting."""
    shutil.rmtree(out, ignore_errors=True)
    subprocess.run([program, "run", "--schema", schema, migration, "--out", out],
                   capture_output=True, timeout=300, check=False)
    result = json.loads((out / "result.json").read_text())
    if len(result["statements"]) < statements or not all(step["ok"] for step in result["steps"]):
        raise RuntimeError(f"the traced migration did not pass: {result['headline']}")
    return (sum(step["duration_ms"] for step in result["steps"]) - result["statements"][0]["start_ms"]) / 1000


def clones(timer, directory, megabytes, rounds):
    """-> (bytes, seconds of a restore, [(kind, method, seconds, own MB, read s, update s)]).

    As an ordinary user where we are root: the goal is what can be had without.
    """
    command = [timer, directory, str(megabytes), str(rounds)]
    if peers.IS_ROOT and shutil.which("setpriv"):
        shutil.chown(directory, "nobody")
        command = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--", *command]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True,
                            timeout=3600, cwd="/").stdout
    rows = [line.rsplit(" ", 4) for line in output.splitlines() if "timed" in line]
    facts = dict(line.split() for line in output.splitlines() if "timed" not in line)
    return (int(facts["size"]), float(facts["restore"]),
            [(*kind.split(" ", 1), float(answered), int(own_kb) / 1024, float(read), float(update))
             for kind, answered, own_kb, read, update in rows])


def first_statement(program, given, migration, out, environment=None):
    """Seconds from the command to the first statement, as the stream of events tells it."""
    shutil.rmtree(out, ignore_errors=True)
    start = time.perf_counter()
    process = subprocess.Popen([program, "run", "--json", *given, migration, "--out", out],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               env={**os.environ, **(environment or {})})
    seen = None
    for line in process.stdout:
        if seen is None and b'"statement_started"' in line:
            seen = time.perf_counter() - start
    if process.wait(600) != 0 or seen is None:
        raise RuntimeError(f"rehearse ended with {process.returncode}")
    return seen


def copy_rates(timer, seconds):
    """-> {way: MB of rows per second of processor time}, see copy_timer.c."""
    output = subprocess.run([timer, str(seconds)], capture_output=True, text=True, check=True,
                            timeout=seconds * 10 + 60).stdout
    return {name: float(rate) for name, rate in map(str.split, output.splitlines())}


def maps(timer):
    """-> [(rule, type, values a second, MB a second)] of processor time."""
    output = subprocess.run([timer], stdout=subprocess.PIPE, text=True, check=True, timeout=300).stdout
    rows = [line.split() for line in output.splitlines()]
    return [(rule, kind, float(values), float(megabytes)) for rule, kind, values, megabytes in rows]
