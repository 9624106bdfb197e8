"""`rehearse compare` against real servers: three databases made of one template, a migration on one
of them, and the queries of a workload on all three."""
import json
import os
import pathlib
import random
import signal
import subprocess

import pytest

import conftest
from conftest import PROGRAM, SERVERS, Server

MAKER = pathlib.Path(os.environ.get("REHEARSE_MAKE_WORKLOAD",
                                    PROGRAM.parent / "tests" / "power" / "make_workload"))
ROWS = 60000

SCHEMA = f"""
CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL, note text);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customers,
                     status text NOT NULL, total numeric NOT NULL, day date NOT NULL);
INSERT INTO customers SELECT n, 'c' || n || '@example.org', repeat('n', 50)
  FROM generate_series(1, 2000) n;
-- A few customers have most of the orders.
INSERT INTO orders SELECT n, 1 + floor(2000 * power((n * 7919 % 10007) / 10007.0, 4))::int,
    (ARRAY['paid', 'open', 'sent', 'gone'])[1 + n % 4], n % 1000 / 10.0, date '2025-01-01' + n % 300
  FROM generate_series(1, {ROWS}) n;
CREATE INDEX orders_customer_idx ON orders (customer_id);
CREATE INDEX orders_day_idx ON orders (day);
VACUUM ANALYZE;
"""

BY_CUSTOMER = "SELECT id, status, total FROM orders WHERE customer_id = $1 ORDER BY id"


class Sides:
    """Databases of one cluster: base, twin and cand, made anew for each test."""

    def __init__(self, cluster, rehearse):
        self.cluster, self.rehearse = cluster, rehearse

    def make(self, migration=""):
        for name in ("base", "twin", "cand"):
            self.cluster.sql(f'DROP DATABASE IF EXISTS "{name}"')
            self.cluster.sql(f'CREATE DATABASE "{name}" TEMPLATE shop')
        for statement in [part for part in migration.split(";\n") if part.strip()]:
            self.cluster.sql(statement, "cand")

    def workload(self, lines, name="app.workload"):
        script = "\n".join("\t".join(map(str, line)) for line in [("S", "postgres", "shop"), *lines])
        path = self.rehearse.directory / name
        path.unlink(missing_ok=True)
        subprocess.run([MAKER, path], input=script.encode(), check=True)
        return path

    def compare(self, lines, migration="", *arguments, twin=True, budget="12s", seed=1,
                **options):
        self.make(migration)
        more = ["--twin", self.cluster.url("twin")] if twin else []
        outcome = self.rehearse("compare", self.workload(lines), "--baseline",
                                self.cluster.url("base"), "--candidate", self.cluster.url("cand"),
                                "--compare-budget", budget, "--seed", str(seed), "--json", *more,
                                *arguments, timeout=120, **options)
        assert outcome.status in (0, 3, 5), outcome
        outcome.json = json.loads(outcome.stdout)
        return outcome


def patterns(outcome, like):
    return [p for p in outcome.json["workload"]["patterns"] if like in p["query"]]


def pattern(outcome, like):
    found = patterns(outcome, like)
    assert len(found) == 1, [p["query"] for p in outcome.json["workload"]["patterns"]]
    return found[0]


def findings(outcome, rule):
    return [f for f in outcome.json["findings"] if f["rule"] == rule]


@pytest.fixture(scope="module")
def shop(cluster_of):
    """The template, on the newest server."""
    major = max(SERVERS)
    cluster = cluster_of(Server(major, SERVERS[major]))
    make_template(cluster)
    return cluster


def make_template(cluster):
    for name in ("base", "twin", "cand", "shop"):
        cluster.sql(f'DROP DATABASE IF EXISTS "{name}"')
    cluster.sql("CREATE DATABASE shop")
    for statement in SCHEMA.split(";\n"):
        if statement.strip():
            cluster.sql(statement, "shop")


@pytest.fixture
def sides(shop, rehearse):
    return Sides(shop, rehearse)


def draw(count, seed=3):
    """Customers as often as they have orders: skewed."""
    rng = random.Random(seed)
    return [1 + int(2000 * (rng.random() ** 4)) for _ in range(count)]


def shop_queries(count=60):
    lines = [("P", "by_customer", BY_CUSTOMER)]
    lines += [("E", "by_customer", customer) for customer in draw(count)]
    lines += [("P", "", "SELECT email FROM customers WHERE id = $1")]
    lines += [("E", "", customer) for customer in draw(count, 4)]
    lines += [("Q", f"SELECT count(*), sum(total) FROM orders WHERE day = '2025-02-{1 + n % 28:02}'")
              for n in range(count)]
    lines += [("Q", f"UPDATE orders SET status = 'paid' WHERE id = {n * 37 + 1}")
              for n in range(count)]
    return lines


# --- nothing changed ---------------------------------------------------------------------------------

@conftest.measures
def test_compare_unchanged_is_safe(sides):
    outcome = sides.compare(shop_queries())
    if outcome.status == 5:  # a false alarm is not tried again
        pytest.fail(outcome.stdout)
    assert outcome.status == 0, outcome.stdout
    verdicts = {p["query"][:30]: p["verdict"] for p in outcome.json["workload"]["patterns"]}
    assert len(verdicts) == 4 and "worse" not in verdicts.values(), verdicts
    assert not [f for f in outcome.json["findings"] if f["severity"] != "info"]
    for p in outcome.json["workload"]["patterns"]:
        assert p["results"]["change"] in ("same", "not-compared"), p
        assert p["rounds"] >= 20 and p["baseline"]["p50_us"] > 0
    # What was written was rolled back.
    with sides.cluster.connect("base") as connection:
        row = connection.execute("SELECT count(*) FROM orders WHERE status = 'paid'").fetchone()
    assert row[0] == ROWS // 4


@conftest.measures
def test_compare_chance_is_no_change(sides):
    """ORDER BY with ties, random(), now(), LIMIT without ORDER BY: on rows that lie elsewhere."""
    lines = []
    for n in range(25):
        lines += [("Q", f"SELECT id, status FROM orders WHERE id > {n} ORDER BY status LIMIT 7"),
                  ("Q", f"SELECT id, day FROM orders WHERE customer_id = {n} ORDER BY day"),
                  ("Q", f"SELECT id, random() AS r, now() AS at FROM customers WHERE id = {n + 1}"),
                  ("Q", f"SELECT id FROM orders WHERE total > {n} LIMIT 5")]
    outcome = sides.compare(lines, "UPDATE orders SET total = total + 0 WHERE id % 3 = 0;\n"
                                   "VACUUM FULL orders;\nCREATE INDEX ON orders (status);\n"
                                   "VACUUM ANALYZE orders;\n")
    assert findings(outcome, "result-changed") == []
    assert findings(outcome, "query-error") == []
    ties = pattern(outcome, "ORDER BY status LIMIT")
    assert ties["results"]["undetermined"] > 0
    assert sorted(pattern(outcome, "random()")["results"]["masked"]) == ["at", "r"]


# --- slower --------------------------------------------------------------------------------------------

@conftest.measures
def test_compare_dropped_index_is_named_with_plan_and_proposal(sides):
    outcome = sides.compare(shop_queries(), "DROP INDEX orders_customer_idx;\n", "--try-indexes")
    assert outcome.status == 5, outcome.stdout
    slower = findings(outcome, "query-slower")
    assert [f["evidence"]["query"] for f in slower] == [BY_CUSTOMER]
    assert slower[0]["severity"] == "error"
    assert "orders_customer_idx" in slower[0]["why"] and "-> Seq Scan on orders" in slower[0]["why"]
    p = pattern(outcome, "customer_id = $1")
    assert p["verdict"] == "worse" and p["ratio"] > 3
    assert p["plan"]["is_changed"] and p["candidate"]["blocks"] > 3 * p["baseline"]["blocks"]
    index = findings(outcome, "missing-index")
    assert len(index) == 1 and index[0]["advice_tried"], index
    assert "ON public.orders (customer_id" in index[0]["advice_sql"]
    with sides.cluster.connect("cand") as connection:
        left = connection.execute("SELECT count(*) FROM pg_indexes WHERE tablename = 'orders'"
                                  ).fetchone()[0]
    assert left == 2  # the tried one is gone
    assert [p["query"] for p in outcome.json["workload"]["patterns"] if p["verdict"] == "worse"] == [BY_CUSTOMER]


@conftest.measures
@pytest.mark.parametrize("when", ["it waits for its lock",
                                  pytest.param("it is measured", marks=pytest.mark.nightly)])
def test_compare_interrupted_while_it_tries_an_index_leaves_none(sides, when):
    lines = [("P", "by_customer", BY_CUSTOMER)] + [("E", "by_customer", customer) for customer in draw(30)]
    sides.make("DROP INDEX orders_customer_idx;\n")
    arguments = ["compare", sides.workload(lines), "--baseline", sides.cluster.url("base"), "--twin",
                 sides.cluster.url("twin"), "--candidate", sides.cluster.url("cand"), "--compare-budget", "1s",
                 "--seed", "1", "--try-indexes"]
    building = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX %' AND state = 'active'"
    there = "SELECT count(*) FROM pg_class WHERE relname = 'rehearse_tried'"
    with sides.cluster.connect("cand") as writer, sides.cluster.connect("cand", autocommit=True) as watcher:
        def is_time():
            return watcher.execute(building if when == "it waits for its lock" else there).fetchone()[0]
        if when == "it waits for its lock":
            writer.execute("UPDATE orders SET total = total WHERE id = 1")
        process = sides.rehearse.start(*arguments)
        conftest.wait_for(is_time, 30, "an index is tried")
        process.send_signal(signal.SIGINT)
        outcome = sides.rehearse.finish(process, arguments)
        assert outcome.status == 130, outcome
        writer.commit()
        conftest.wait_for(lambda: not watcher.execute(building).fetchone()[0], 30, "the server is done with it")
        assert watcher.execute(there).fetchone()[0] == 0


@conftest.measures
def test_compare_new_column_that_is_filtered(sides):
    """The new release's query: the baseline has the column, with its index."""
    sides.cluster.sql("ALTER TABLE customers ADD COLUMN IF NOT EXISTS tier int DEFAULT 0", "shop")
    sides.cluster.sql("UPDATE customers SET tier = id", "shop")
    sides.cluster.sql("CREATE INDEX IF NOT EXISTS customers_tier_idx ON customers (tier)", "shop")
    sides.cluster.sql("VACUUM ANALYZE customers", "shop")
    try:
        lines = [("P", "", "SELECT email FROM customers WHERE tier = $1")]
        lines += [("E", "", n) for n in range(1, 50)]
        outcome = sides.compare(lines, "DROP INDEX customers_tier_idx;\n", "--try-indexes")
        assert outcome.status == 5, outcome.stdout
        assert len(findings(outcome, "query-slower")) == 1
        assert "(tier)" in findings(outcome, "missing-index")[0]["advice_sql"]
    finally:
        sides.cluster.sql("ALTER TABLE customers DROP COLUMN tier", "shop")


@conftest.measures
def test_compare_lost_statistics_are_told_apart(sides):
    """Statistics gone: the planner takes another plan, and ANALYZE brings the old one back."""
    lines = [("Q", "SELECT count(*) FROM orders o JOIN customers c ON c.id = o.customer_id "
                   f"WHERE o.day >= '2025-01-0{1 + n % 3}' AND o.status = 'paid' AND c.id > {n}")
             for n in range(30)]
    outcome = sides.compare(
        lines, "DELETE FROM pg_statistic WHERE starelid IN ('orders'::regclass, "
               "'customers'::regclass);\nUPDATE pg_class SET reltuples = 10, relpages = 1 WHERE "
               "oid IN ('orders'::regclass, 'customers'::regclass);\n", "--try-indexes",
        budget="20s")
    p = patterns(outcome, "JOIN customers")[0]
    if p["verdict"] != "worse":
        pytest.skip("this server's planner is not misled by it")
    assert p["after_analyze"]["is_repaired"], p
    assert findings(outcome, "statistics-lost")
    assert findings(outcome, "missing-index") == []


@conftest.measures
def test_compare_limits_of_the_file(sides):
    """Within gates.regression_thresholds what is slower is a warning, above it an error."""
    sides.rehearse.write("rehearse.yaml", "gates:\n  blocked: 2s\n  regression_thresholds:\n"
                                          "    p50_max_multiplier: 100000\n  min_query_count: 30\n")
    outcome = sides.compare(shop_queries(40), "DROP INDEX orders_customer_idx;\n")
    assert outcome.status == 0, outcome.stdout
    assert findings(outcome, "query-slower")[0]["severity"] == "warning"
    gate = [g for g in outcome.json["gates"] if g["name"] == "p50_max_multiplier"][0]
    assert gate["ok"] and gate["observed"] and gate["limit"] == "1e+05"
    outcome = sides.compare(shop_queries(40), "DROP INDEX orders_customer_idx;\n",
                            "--p50-max-multiplier", "1.5")
    assert outcome.status == 5
    assert "(limit 1.5)" in findings(outcome, "query-slower")[0]["title"]


@conftest.measures
def test_compare_a_workload_without_times(sides):
    """A file of SQL: its patterns count by their executions, and are decided like any others."""
    sides.make("UPDATE customers SET note = 'other' WHERE id = 7;\n")
    sides.rehearse.write("queries.sql", "".join(f"SELECT email FROM customers WHERE id = {n};\n" for n in range(1, 4))
                         + "SELECT note FROM customers WHERE id = 7;\n")
    made = sides.rehearse("workload", "import", "queries.sql", "-o", "sql.workload", "--unencrypted")
    assert made.status == 0, made
    outcome = sides.rehearse("compare", "sql.workload", "--baseline", sides.cluster.url("base"), "--candidate",
                             sides.cluster.url("cand"), "--twin", sides.cluster.url("twin"), "--json",
                             "--compare-budget", "8s", timeout=60)
    outcome.json = json.loads(outcome.stdout)
    assert outcome.status == 5 and len(findings(outcome, "result-changed")) == 1, outcome
    assert {p["query"]: p["share"] for p in outcome.json["workload"]["patterns"]} == {
        "SELECT email FROM customers WHERE id = $1": 0.75, "SELECT note FROM customers WHERE id = $1": 0.25}
    assert any("no times" in note for note in outcome.json["workload"]["notes"])
    sides.make()
    same = sides.rehearse("compare", "sql.workload", "--baseline", sides.cluster.url("base"), "--candidate",
                          sides.cluster.url("cand"), "--twin", sides.cluster.url("twin"), "--compare-budget", "8s",
                          timeout=60)
    assert same.status == 0, same


# --- errors, results, plans ------------------------------------------------------------------------------

def test_compare_errors_new_and_existing(sides):
    lines = shop_queries(30) + [("Q", f"SELECT nothing FROM orders WHERE id = {n}")
                                for n in range(30)]
    outcome = sides.compare(lines, "ALTER TABLE orders RENAME customer_id TO client_id;\n")
    assert outcome.status == 5
    errors = findings(outcome, "query-error")
    assert [(f["evidence"]["sqlstate"], f["evidence"]["query"]) for f in errors] == [
        ("42703", BY_CUSTOMER)]
    assert "100 %" in errors[0]["title"]
    p = pattern(outcome, "nothing")
    assert p["verdict"] == "not-comparable" and p["errors"][0]["change"] == "existing"


def test_compare_results_that_changed(sides):
    lines = [("Q", f"SELECT id, total FROM orders WHERE id = {n}") for n in range(1, 30)]
    lines += [("Q", f"SELECT count(*) AS n FROM customers WHERE id < {n}") for n in range(20, 40)]
    lines += [("P", "all", "SELECT * FROM customers WHERE id = $1")]
    lines += [("E", "all", n) for n in range(1, 30)]
    outcome = sides.compare(lines, "UPDATE orders SET total = round(total) + 1;\n"
                                   "ALTER TABLE customers ADD COLUMN tier int;\nVACUUM ANALYZE;\n")
    assert outcome.status == 5
    changed = {f["evidence"]["change"]: f for f in findings(outcome, "result-changed")}
    assert set(changed) == {"values-changed", "columns-added"}, changed
    assert "other values of total" in changed["values-changed"]["title"]
    assert changed["columns-added"]["severity"] == "info"
    assert "tier" in changed["columns-added"]["title"]
    # Sessions that prepared it before would be refused: it follows, though no session here did.
    broken = findings(outcome, "cached-plan-broken")
    assert [f["evidence"]["query"] for f in broken] == ["SELECT * FROM customers WHERE id = $1"]
    assert broken[0]["severity"] == "warning" and "concluded, not seen" in broken[0]["why"]


def test_compare_values_of_another_type(sides):
    """An int that becomes a bigint holds what it held, asked for in binary or in text: a warning. So does an enum
    that is made anew. A date that becomes a text of another form does not."""
    for statement in ("CREATE TYPE level AS ENUM ('low', 'high')",
                      "CREATE TABLE IF NOT EXISTS tasks (id int PRIMARY KEY, level level, due date)",
                      "INSERT INTO tasks SELECT n, 'low', date '2025-01-01' + n FROM generate_series(1, 99) n"):
        sides.cluster.sql(statement, "shop")
    try:
        lines = [("P", "by_id", "SELECT id FROM tasks WHERE id = $1")]
        lines += [("B", "by_id", n) for n in range(1, 30)]
        lines += [("Q", f"SELECT level FROM tasks WHERE id = {n}") for n in range(1, 30)]
        lines += [("Q", f"SELECT due FROM tasks WHERE id = {n}") for n in range(1, 30)]
        outcome = sides.compare(
            lines, "ALTER TABLE tasks ALTER id TYPE bigint, ALTER due TYPE text USING to_char(due, 'DD.MM.YYYY');\n"
                   "ALTER TYPE level RENAME TO old_level;\nCREATE TYPE level AS ENUM ('low', 'high', 'highest');\n"
                   "ALTER TABLE tasks ALTER level TYPE level USING level::text::level;\nDROP TYPE old_level;\n"
                   "VACUUM ANALYZE tasks;\n")
    finally:
        sides.cluster.sql("DROP TABLE tasks; DROP TYPE level", "shop")
    changed = {f["evidence"]["query"].split()[1]: (f["evidence"]["change"], f["severity"])
               for f in findings(outcome, "result-changed")}
    assert changed == {"id": ("types-changed", "warning"), "level": ("types-changed", "warning"),
                       "due": ("columns-changed", "error")}
    assert [f["evidence"]["query"] for f in findings(outcome, "cached-plan-broken")] == [
        "SELECT id FROM tasks WHERE id = $1"]


def test_compare_of_databases_that_number_types_otherwise(sides):
    """No copies of each other: types, their arrays among them, are the same by name."""
    for name in ("base", "twin", "cand"):
        sides.cluster.sql(f'DROP DATABASE IF EXISTS "{name}"')
        sides.cluster.sql(f'CREATE DATABASE "{name}"')
        for statement in ("CREATE TYPE level AS ENUM ('low', 'high')",
                          "CREATE TYPE place AS (street text, house int)",
                          "CREATE TABLE tasks (id int PRIMARY KEY, level level, all_levels level[], place place)",
                          "INSERT INTO tasks SELECT n, 'low', '{low,high}', ROW('Elm', n)::place FROM generate_series(1, 99) n",
                          "VACUUM ANALYZE tasks"):
            sides.cluster.sql(statement, name)
    workload = sides.workload([("P", "by_id", "SELECT * FROM tasks WHERE id = $1")]
                              + [("B", "by_id", n) for n in range(1, 30)])
    outcome = sides.rehearse("compare", workload, "--baseline", sides.cluster.url("base"), "--twin",
                             sides.cluster.url("twin"), "--candidate", sides.cluster.url("cand"),
                             "--compare-budget", "5s", "--json", timeout=60)
    outcome.json = json.loads(outcome.stdout)
    results = pattern(outcome, "FROM tasks")["results"]
    assert (results["change"], results["compared"]) == ("same", 10), results
    assert findings(outcome, "cached-plan-broken") == []


@conftest.measures
def test_compare_generic_plan_that_flips(sides):
    """With its parameters the query stays as it was; the plan for all parameters does not."""
    sides.cluster.sql("ANALYZE orders", "shop")
    lines = [("P", "some", "SELECT count(*) FROM orders WHERE customer_id = $1 AND day > $2")]
    lines += [("E", "some", 1900 + n, "2025-10-20") for n in range(40)]
    outcome = sides.compare(lines, "DROP INDEX orders_customer_idx;\n")
    p = pattern(outcome, "customer_id = $1")
    assert p["generic_plan"] and p["generic_plan"]["is_changed"], p["generic_plan"]
    assert "orders_customer_idx" in p["generic_plan"]["difference"]


@conftest.measures
def test_compare_slow_pattern_does_not_eat_the_budget(sides):
    """A pattern that became endless is cut off, and the others are measured all the same."""
    lines = shop_queries(30) + [("Q", f"SELECT slow({n})") for n in range(30)]
    for name in ("shop",):
        sides.cluster.sql("CREATE OR REPLACE FUNCTION slow(int) RETURNS int LANGUAGE sql VOLATILE "
                          "AS 'SELECT $1'", name)
    outcome = sides.compare(
        lines, "CREATE OR REPLACE FUNCTION slow(int) RETURNS int LANGUAGE sql VOLATILE AS "
               "'SELECT $1 FROM pg_sleep(5)';\n", budget="10s")
    assert outcome.status == 5
    assert pattern(outcome, "slow(")["verdict"] == "worse"
    assert pattern(outcome, "slow(")["timeouts"] > 0
    # Ten seconds for all of them: perhaps too few to be sure of the others, but not to have measured them.
    other = pattern(outcome, "FROM customers")
    assert other["verdict"] in ("same", "better", "too-noisy") and other["rounds"] >= 20, other
    assert outcome.json["duration_ms"] < 40000


# --- safety --------------------------------------------------------------------------------------------

def test_compare_refuses_production(sides):
    sides.make()
    workload = sides.workload(shop_queries(5))
    urls = ["--baseline", sides.cluster.url("base"), "--candidate", sides.cluster.url("cand")]
    sides.cluster.sql("COMMENT ON DATABASE cand IS 'the shop (rehearse: production)'")
    refused = sides.rehearse("compare", workload, *urls)
    assert refused.status == 2 and "the candidate is refused" in refused.stderr
    sides.cluster.sql("COMMENT ON DATABASE cand IS NULL")
    refused = sides.rehearse("compare", workload, *urls, "--production", "ba*")
    assert refused.status == 2 and "the baseline is refused" in refused.stderr


@conftest.measures
def test_compare_functions_that_write_are_undone(sides):
    lines = [("Q", f"SELECT note_it({n})") for n in range(30)]
    sides.cluster.sql("CREATE OR REPLACE FUNCTION note_it(int) RETURNS void LANGUAGE sql AS "
                      "'UPDATE customers SET note = $1::text WHERE id = 7'", "shop")
    outcome = sides.compare(lines)
    assert outcome.status in (0, 3), outcome.stdout
    assert pattern(outcome, "note_it")["errors"] == []
    for name in ("base", "twin", "cand"):
        with sides.cluster.connect(name) as connection:
            assert connection.execute("SELECT note FROM customers WHERE id = 7"
                                      ).fetchone()[0] == "n" * 50


@conftest.measures
def test_compare_text_report_and_missing_twin(sides):
    sides.make("DROP INDEX orders_customer_idx;\n")
    shown = sides.rehearse("compare", sides.workload(shop_queries(30)), "--baseline",
                           sides.cluster.url("base"), "--candidate", sides.cluster.url("cand"),
                           "--compare-budget", "8s", timeout=60)
    assert shown.status == 5, shown
    assert "query-slower" in shown.stdout and "Seq Scan on orders" in shown.stdout
    assert "second session on the baseline" in shown.stdout
    assert "UNSAFE" in shown.stdout.splitlines()[-1] or "exit 5" in shown.stdout
    assert all(len(line) <= 100 for line in shown.stdout.splitlines())


@pytest.mark.alone
@pytest.mark.nightly
def test_compare_every_server(server, cluster_of, rehearse):
    """The story of the dropped index on every version, and an unchanged migration."""
    cluster = cluster_of(server)
    make_template(cluster)
    sides = Sides(cluster, rehearse)
    assert sides.compare(shop_queries()).status == 0
    outcome = sides.compare(shop_queries(), "DROP INDEX orders_customer_idx;\n", "--try-indexes")
    assert outcome.status == 5
    assert len(findings(outcome, "query-slower")) == 1 and findings(outcome, "missing-index")
    assert pattern(outcome, "customer_id = $1")["generic_plan"]


@pytest.mark.alone
@pytest.mark.nightly
def test_compare_false_alarms_and_power(sides):
    """On a real server, from a seed: unchanged copies stay silent, slow ones are named."""
    alarms = caught = 0
    trials = int(os.environ.get("REHEARSE_POWER_TRIALS", "20"))
    for trial in range(trials):
        outcome = sides.compare(shop_queries(40), seed=trial, budget="6s")
        alarms += outcome.status == 5
        outcome = sides.compare(shop_queries(40), "DROP INDEX orders_customer_idx;\n", seed=trial,
                                budget="6s")
        caught += bool(findings(outcome, "query-slower"))
    assert alarms <= trials / 100
    assert caught == trials
