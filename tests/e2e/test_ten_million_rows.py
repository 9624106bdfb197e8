"""A database of ten million rows: what rehearse reports is what the same statements do by hand."""
import threading
import time

import pytest

from conftest import wait_for

ROWS = 10_000_000
SCHEMA = f"""
CREATE TABLE customers (id int PRIMARY KEY);
INSERT INTO customers SELECT generate_series(1, 100000);
CREATE TABLE events (id int PRIMARY KEY, customer_id int NOT NULL, page text);
INSERT INTO events SELECT n, 1 + n % 100000, '/shop/' || n % 5000 FROM generate_series(1, {ROWS}) n;
"""
# Statement -> the strongest lock on events while it runs.
STATEMENTS = {
    "ALTER TABLE events ALTER COLUMN page SET NOT NULL;": "AccessExclusiveLock",
    "ALTER TABLE events ADD FOREIGN KEY (customer_id) REFERENCES customers;": "ShareRowExclusiveLock",
    "CREATE INDEX events_customer ON events (customer_id);": "ShareLock",
    "ALTER TABLE events ALTER COLUMN id TYPE bigint;": "AccessExclusiveLock",
}
LOCKS = """SELECT l.mode FROM pg_locks l WHERE l.pid = %s AND l.granted AND l.relation = 'events'::regclass
    AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')"""


def by_hand(cluster):
    """{statement: (modes seen in pg_locks by another session while it ran, seconds)}"""
    seen = {}
    cluster.new_database("ten", SCHEMA)
    cluster.sql("VACUUM ANALYZE events; ", database="ten")
    with cluster.connect("ten", autocommit=True) as worker, cluster.connect("ten", autocommit=True) as watcher:
        for statement in STATEMENTS:
            took = []

            def run():
                began = time.monotonic()
                worker.execute(statement)
                took.append(time.monotonic() - began)
            thread = threading.Thread(target=run)
            thread.start()
            modes = wait_for(lambda: {mode for mode, in watcher.execute(LOCKS, (worker.info.backend_pid,))}, 60,
                             "its locks are seen")
            thread.join()
            seen[statement] = (modes, took[0])
    cluster.sql("DROP DATABASE ten")
    return seen


@pytest.mark.alone
@pytest.mark.nightly
def test_ten_million_rows_are_reported_as_they_are_by_hand(rehearse, debian_cluster):
    hand = by_hand(debian_cluster)
    outcome = rehearse.run("SET lock_timeout = '2s';\n" + "\n".join(STATEMENTS), SCHEMA, "--server-bin",
                           debian_cluster.server.bin, "--timeout", "20m", timeout=1200)
    assert outcome.status == 5, outcome
    table = []
    for text, mode in STATEMENTS.items():
        statement = outcome.statement(text.rstrip(";"))
        locks = {lock["mode"]: lock for lock in statement["locks"] if lock["relation"] == "public.events"}
        modes, seconds = hand[text]
        table.append((text, modes, f"{seconds:.2f} s by hand", f"{statement['duration_ms'] / 1000:.2f} s rehearsed"))
        assert mode in modes and mode in locks, table
        # Machines breathe: what matters is that it is the same order of size.
        assert 0.33 < statement["duration_ms"] / 1000 / seconds < 3, table
        assert locks[mode]["held_ms"] <= statement["duration_ms"] * 1.05 + 20
        assert locks[mode]["held_ms"] > statement["duration_ms"] * 0.8
    print(*table, sep="\n")
