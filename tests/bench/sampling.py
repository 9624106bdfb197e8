"""Choosing the rows of a sample, and reading them as a dump does, against one sequential read of all."""
import json
import statistics
import subprocess
import threading
import time

import peers

# A shop: customers, orders of theirs, items that refer to products, events of items. About 1 MB a unit.
TABLES = """
CREATE TABLE products (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE customers (id bigint PRIMARY KEY, mail text NOT NULL, about text);
CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, placed_at timestamptz, note text);
CREATE TABLE items (order_id bigint NOT NULL, line int NOT NULL, product_id bigint NOT NULL, price int, note text,
    PRIMARY KEY (order_id, line));
CREATE TABLE events (id bigint PRIMARY KEY, order_id bigint NOT NULL, line int NOT NULL, body text);
INSERT INTO products SELECT i, 'product ' || i FROM generate_series(1, 20 * {mb}) AS i;
INSERT INTO customers SELECT i, 'user' || i || '@example.org', repeat(md5(i::text), 4) FROM generate_series(1, 300 * {mb}) AS i;
INSERT INTO orders SELECT i, 1 + i * 7919::bigint % (300 * {mb}), now(), repeat(md5(i::text), 3) FROM generate_series(1, 1000 * {mb}) AS i;
INSERT INTO items SELECT 1 + i % (1000 * {mb}), i / (1000 * {mb}), 1 + i * 31::bigint % (20 * {mb}), i % 1000, repeat(md5(i::text), 3)
    FROM generate_series(0, 3000 * {mb} - 1) AS i;
INSERT INTO events SELECT i, 1 + i % (1000 * {mb}), i / (1000 * {mb}), repeat(md5(i::text), 4) FROM generate_series(0, 2000 * {mb} - 1) AS i;
ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers;
ALTER TABLE items ADD FOREIGN KEY (order_id) REFERENCES orders;
ALTER TABLE items ADD FOREIGN KEY (product_id) REFERENCES products;
ALTER TABLE events ADD FOREIGN KEY (order_id, line) REFERENCES items;
VACUUM ANALYZE;
CHECKPOINT;
"""
NAMES = ("products", "customers", "orders", "items", "events")
JOBS = 2


def timed(run):
    start = time.monotonic()
    run()
    return time.monotonic() - start


def read(server, snapshot, statements):
    """Each statement in a session of its own, JOBS at once, as pg_dump -j does; the biggest first."""
    waiting = list(reversed(statements))

    def work():
        while waiting:
            statement = waiting.pop()
            begin = "BEGIN ISOLATION LEVEL REPEATABLE READ;" + \
                (f"SET TRANSACTION SNAPSHOT '{snapshot}';" if snapshot else "")
            subprocess.run([server.bin / "psql", "-X", "-q", "-h", str(server.directory), "-p", str(server.port), "-U", "postgres",
                            "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null"],
                           input=f"{begin}\n{statement};\n", text=True, check=True)
    workers = [threading.Thread(target=work) for _ in range(JOBS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


class Planning:
    def __init__(self, program, server, **request):
        self.process = subprocess.Popen(
            [program, f"host={server.directory} port={server.port} user=postgres dbname=postgres"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write(json.dumps({**request, "hold": True}))
        self.process.stdin.flush()
        self.answer = json.loads(self.process.stdout.readline())
        self.seconds = self.answer["planning_us"] / 1e6

    def close(self):
        self.process.communicate(timeout=60)


def section(directory, arguments, table, goal):
    program = arguments.build / "tests" / "unit" / "snapshot" / "plan_sample"
    server = peers.Server(directory, 0)
    seen = []
    try:
        for statement in TABLES.format(mb=arguments.sample_mb).split(";")[:-1]:
            server.sql(statement)
        order = ("items", "events", "orders", "customers", "products")
        print(f"\nA sample of 1 % of {arguments.sample_mb:,} MB, {JOBS} sessions (s)")
        for number in range(arguments.rounds):
            everything = timed(lambda: read(server, None, [f"SELECT count(*) FROM {name} WHERE tableoid IS NULL"
                                                           for name in order]))
            copied = timed(lambda: read(server, None, [f"COPY {name} TO STDOUT" for name in order]))
            planning = Planning(program, server, fraction=0.01, seed=number)
            conditions = {name: planning.answer["tables"][f"public.{name}"]["condition"] for name in order}
            sampled = timed(lambda: read(server, planning.answer["snapshot"], [
                f"COPY (SELECT * FROM ONLY {name} WHERE {conditions[name]}) TO STDOUT" for name in order]))
            planning.close()
            seen.append((everything, copied, planning.seconds, sampled))
    finally:
        server.stop()
    names = ("sequential read", "COPY of all", "planning", "COPY of the sample")
    table(["", "seconds", "to the read", "to COPY of all"],
          [[name, f"{statistics.median(times[i] for times in seen):.2f}",
            f"{statistics.median(times[i] / times[0] for times in seen):.2f}",
            f"{statistics.median(times[i] / times[1] for times in seen):.2f}"] for i, name in enumerate(names)])
    # Cached tables: count(*) of parallel workers reads 3 GB/s then, and touches no column; a dump reads by COPY.
    goal("planning a sample of 1 %, to a sequential read of all", statistics.median(times[2] / times[0] for times in seen),
         1.5, at_most=True)
    goal("planning and COPY of the sample, to COPY of all",
         statistics.median((times[2] + times[3]) / times[1] for times in seen), 0.75, at_most=True)
