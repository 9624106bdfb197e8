"""`run --workload`: a shop application is recorded in front of a real server; what a migration does to its queries
while it runs and afterwards, against a migration that does nothing to them."""
import pytest

import conftest
from recorded import recorded_shop

SHOP = """
CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL, name text, note text);
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id int NOT NULL REFERENCES customers, total numeric NOT NULL, status text NOT NULL);
INSERT INTO customers SELECT i, 'c' || i || '@example.com', 'Name ' || i FROM generate_series(1, 5000) AS i;
INSERT INTO orders (customer_id, total, status)
    SELECT 1 + i % 5000, i % 500, CASE WHEN i % 50 = 0 THEN 'open' ELSE 'done' END FROM generate_series(1, 100000) AS i;
CREATE INDEX orders_customer_idx ON orders (customer_id);
CREATE ROLE app LOGIN;
GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
ANALYZE;
"""
APPLICATION = r"""\set c random(1, 5000)
SELECT id, total, status FROM orders WHERE customer_id = :c ORDER BY id DESC LIMIT 10;
SELECT * FROM customers WHERE id = :c;
SELECT name, note FROM customers WHERE id = :c;
BEGIN;
INSERT INTO orders (customer_id, total, status) VALUES (:c, 42, 'open') RETURNING id;
UPDATE customers SET name = name WHERE id = :c;
COMMIT;
"""


@pytest.fixture(scope="module")
def shop():
    with recorded_shop(SHOP, (APPLICATION, "-M", "prepared", "-c", "4", "-R", "40", "-T", "10")) as shop:
        yield shop


def run(rehearse, shop, migration, *arguments):
    path = rehearse.write("1.sql", migration)
    return rehearse("run", "--snapshot", shop.dump, "--workload", shop.workload, "--compare-budget", "15s",
                    "--no-way-back", "--cuts", "off", *arguments, path, timeout=180)


def during(outcome, query):
    """What the replay under the migration says of the pattern."""
    found = [it for it in outcome.result["workload"]["during"]["patterns"] if query in it["query"]]
    assert len(found) == 1, outcome.result["workload"]["during"]["patterns"]
    return found[0]


@conftest.measures
def test_run_a_migration_that_changes_nothing_for_the_queries(rehearse, shop):
    outcome = run(rehearse, shop, "SET lock_timeout = '2s';\nCOMMENT ON TABLE orders IS 'of customers';\n",
                  "--pool", "50")
    workload = outcome.result["workload"]
    assert workload["during"]["calls"] > 500 and workload["during"]["baseline_calls"] > 500
    assert workload["during"]["sessions"] >= 4
    assert all(not it["errors"] for it in workload["during"]["patterns"])
    assert len(workload["patterns"]) == 5 and not outcome.rules() & {"query-error", "result-changed", "plan-changed"}
    if conftest.TIMES_COUNT:
        assert outcome.status == 0, [outcome.result["findings"], outcome]
        assert {it["verdict"] for it in workload["patterns"]} <= {"same", "better", "too-noisy", "too-few"}
        assert workload["blocked"]["queries"] == 0
        assert "none had to wait for one of its locks" in outcome.stdout


@conftest.measures
def test_run_a_dropped_index_names_the_query_and_the_index_that_repairs_it(rehearse, shop):
    outcome = run(rehearse, shop, "SET lock_timeout = '2s';\nDROP INDEX CONCURRENTLY orders_customer_idx;\n")
    plans = [it["plan"] for it in outcome.result["workload"]["patterns"] if "FROM orders WHERE" in it["query"]]
    assert len(plans) == 1 and plans[0]["is_changed"] and "orders_customer_idx" in plans[0]["difference"], plans
    if not conftest.TIMES_COUNT:
        return
    assert outcome.status == 5, outcome
    slower = outcome.findings("query-slower")
    assert len(slower) == 1 and "FROM orders WHERE customer_id" in slower[0]["title"], outcome
    assert "orders_customer_idx" in slower[0]["why"], slower
    missing = outcome.findings("missing-index")
    assert len(missing) == 1 and missing[0]["advice_tried"] and "(customer_id" in missing[0]["advice_sql"]
    worse = [it for it in outcome.result["workload"]["patterns"] if it["verdict"] == "worse"]
    assert len(worse) == 1 and worse[0]["candidate"]["p50_us"] > 5 * worse[0]["baseline"]["p50_us"]
    assert "FROM orders WHERE customer_id = $1" in worse[0]["query"]


@conftest.measures
def test_run_queries_that_wait_are_counted_with_what_they_wait_for(rehearse, shop):
    outcome = run(rehearse, shop, "BEGIN;\nLOCK TABLE orders IN ACCESS EXCLUSIVE MODE;\nSELECT pg_sleep(3);\nCOMMIT;\n",
                  "--pool", "15")
    assert outcome.status == 5, outcome
    timeout = outcome.result["workload"]["during"]["lock_timeouts"][0]
    assert timeout["relation"] == "public.orders"
    found = during(outcome, "FROM orders WHERE customer_id")
    if not conftest.TIMES_COUNT:
        return
    assert found["waited"] >= 3 and 2000 < found["longest_wait_ms"] < 10000
    assert found["waits"][0]["relation"] == "public.orders" and found["waits"][0]["mode"] == "AccessExclusiveLock"
    assert found["waits"][0]["statement"] == 2
    # Every transaction begins with that query: the others are never reached, or do not touch the table.
    assert during(outcome, "SELECT * FROM customers")["waited"] == 0
    blocked = outcome.result["workload"]["blocked"]
    assert blocked["queries"] >= found["waited"] and blocked["longest_ms"] >= found["longest_wait_ms"]
    finding = outcome.findings("blocks-reads")[0]
    assert finding["evidence"]["queries_waited"] == blocked["queries"]
    assert "Under the workload" in finding["why"]
    # 40 transactions a second for three seconds, and four sessions: all behind them wait for one.
    assert outcome.findings("pool-exhaustion"), outcome
    depth = outcome.result["workload"]["during"]["depth"]
    assert depth["most"] > 50 and depth["usual"] < 15
    assert timeout["chance"] > 0.9
    assert "by statement 2" in outcome.stdout and "lock_timeout" in outcome.stdout


@conftest.measures
def test_run_the_old_application_on_the_new_schema(rehearse, shop):
    outcome = run(rehearse, shop, "SET lock_timeout = '2s';\nALTER TABLE customers DROP COLUMN note;\n")
    assert outcome.status == 5, outcome
    assert "query-error" in outcome.rules() and "cached-plan-broken" in outcome.rules(), outcome
    broken = during(outcome, "SELECT name, note")
    assert broken["errors"][0]["sqlstate"] == "42703" and broken["errors"][0]["baseline_count"] == 0
    assert broken["errors"][0]["count"] >= 10
    # SELECT * was prepared by sessions that live through it.
    star = during(outcome, "SELECT * FROM customers")
    assert star["errors"][0]["sqlstate"] == "0A000" and star["errors"][0]["baseline_count"] == 0
    # What does not name the column goes on.
    assert not during(outcome, "FROM orders WHERE customer_id")["errors"]


@pytest.mark.parametrize("kind", ["idle-in-transaction", "long-read", "autovacuum"])
def test_run_a_session_in_the_way(rehearse, shop, kind):
    path = rehearse.write("1.sql", "ALTER TABLE customers ADD nick text;\n")
    outcome = rehearse("run", "--snapshot", shop.dump, "--blocker", kind, "--blocker-time", "3s", "--no-way-back",
                       "--cuts", "off", path, timeout=120)
    assert outcome.status == 5, outcome
    finding = outcome.findings("lock-queue")[0]
    assert finding["relation"] == "public.customers" and finding["evidence"]["waited_ms"] > 2000
    assert kind in finding["evidence"]["waited_for"]
    blocker = outcome.result["workload"]["during"]["blocker"]
    assert blocker == {"kind": kind, "relation": "public.customers", "duration_ms": 3000}


def test_run_a_blocker_of_a_table_that_is_named(rehearse, shop):
    path = rehearse.write("1.sql", "SET lock_timeout = '1s';\nALTER TABLE customers ADD nick text;\n")
    outcome = rehearse("run", "--snapshot", shop.dump, "--blocker", "idle-in-transaction", "--blocker-time", "2s",
                       "--blocker-table", "public.orders", "--no-way-back", "--cuts", "off", path, timeout=120)
    assert outcome.status == 0, outcome
    outcome = rehearse("run", "--snapshot", shop.dump, "--blocker", "idle-in-transaction",
                       "--blocker-table", "public.nowhere", "--no-way-back", "--cuts", "off", path, timeout=120)
    assert outcome.status == 3 and "nowhere" in outcome.result["headline"], outcome


def test_run_workloads_that_cannot_be_read_are_said_before_anything_is_started(rehearse, shop):
    path = rehearse.write("1.sql", "SELECT 1;")
    for workload, words in ((rehearse.write("none.workload", "not one"), "none.workload"), ("/nowhere.workload", "nowhere")):
        outcome = rehearse("run", "--snapshot", shop.dump, "--workload", workload, path)
        assert outcome.status == 2 and words in outcome.stderr, outcome
    for arguments, words in ((["--speed", "0"], "--speed"), (["--blocker", "nobody"], "blocker"),
                             (["--blocker", "long-read", "--blocker-time", "0"], "--blocker-time"),
                             (["--p50-max-multiplier", "x"], "p50-max-multiplier")):
        outcome = rehearse("run", "--snapshot", shop.dump, "--workload", shop.workload, *arguments, path)
        assert outcome.status == 2 and words in outcome.stderr, outcome


@pytest.mark.alone
def test_run_an_encrypted_workload_with_the_key_that_was_made_for_it(rehearse, shop):
    home = {"HOME": str(rehearse.directory), "XDG_CONFIG_HOME": ""}
    queries = rehearse.write("queries.sql", "SELECT count(*) FROM customers WHERE id < 10;\n")
    made = rehearse("workload", "import", queries, "--repeat", "50", "-o", "own.workload", env=home)
    assert made.status == 0, made
    path = rehearse.write("1.sql", "SET lock_timeout = '2s';\nALTER TABLE customers ADD nick text;\n")
    run = ("run", "--snapshot", shop.dump, "--workload", "own.workload", "--compare-budget", "3s", "--no-way-back",
           "--cuts", "off", path)
    outcome = rehearse(*run, timeout=120, env=home)
    assert outcome.status in (0, 3), outcome  # so few queries may not be enough to tell
    assert during(outcome, "FROM customers WHERE id <")["calls"] > 0, outcome
    other = rehearse(*run, env={"HOME": "/nonexistent", "XDG_CONFIG_HOME": ""})
    assert other.status == 2 and "encrypted" in other.stderr, other


def test_run_a_failing_migration_is_not_run_under_the_workload(rehearse, shop):
    outcome = run(rehearse, shop, "ALTER TABLE customers ADD email text;\n")
    assert outcome.status == 5 and outcome.result["workload"]["during"]["reason"] == "the migration failed", outcome
