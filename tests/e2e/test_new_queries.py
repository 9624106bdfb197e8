"""--queries: what the release brings with it, run on the migrated database alone."""
import re

from conftest import measures

# Orders are many, and customers few; the application's role may read orders.
SHOP = """
CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL);
INSERT INTO customers SELECT n, 'user' || n || '@example.org' FROM generate_series(1, 500) n;
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL, total numeric(10,2));
INSERT INTO orders SELECT n, 1 + n % 500, n % 1000 FROM generate_series(1, 60000) n;
CREATE SCHEMA "o'brien";
CREATE TABLE "o'brien".orders AS SELECT * FROM orders;
ANALYZE;
"""
MIGRATION = """
SET lock_timeout = '2s';
ALTER TABLE orders ADD COLUMN state text NOT NULL DEFAULT 'open';
CREATE TABLE tags (order_id int NOT NULL, tag text NOT NULL, PRIMARY KEY (order_id, tag));
"""
QUERIES = """
-- Everything that 2.0 sends.
-- name: one order
-- parameters: SELECT id FROM orders ORDER BY id LIMIT 50
-- frequency: 50/s
-- limit: 2s
SELECT id, state FROM orders WHERE id = $1;

-- name: tag it
-- repeat: 40
-- parameters: 7, 'it''s late'
-- parameters: 8, NULL
INSERT INTO tags SELECT $1, coalesce($2, 'none');

-- name: by status
SELECT count(*) FROM orders WHERE status = 'open';

-- name: of a customer
-- parameters: 17
-- limit: 1ms
-- repeat: 60
SELECT orders.id, total, repeat(email, 100) FROM "o'brien".orders, customers
 WHERE customers.id = customer_id AND customer_id = $1;
"""


def queries(outcome):
    return {query["name"]: query for query in outcome.result["new_queries"]["queries"]}


@measures
def test_new_queries_fail_are_slow_and_are_repaired(rehearse):
    rehearse.write("queries.sql", QUERIES)
    outcome = rehearse.run(MIGRATION, SHOP, "--queries", "queries.sql")
    assert outcome.status == 5, outcome
    found = queries(outcome)
    assert list(found) == ["one order", "tag it", "by status", "of a customer"]
    assert {name: query["outcome"] for name, query in found.items()} == {
        "one order": "fine", "tag it": "fine", "by status": "failed", "of a customer": "slow"}

    # What fails is a finding, with its place.
    failed, = outcome.findings("new-query-error")
    assert failed["severity"] == "error" and failed["evidence"]["sqlstate"] == "42703"
    assert failed["evidence"]["name"] == "by status" and failed["evidence"]["file_line"] == 16
    assert 'column "status" does not exist' in failed["why"]

    # What is over its limit is one, too; the index was built and measured.
    slow, = outcome.findings("new-query-slow")
    assert slow["severity"] == "error" and "(p95, limit 1ms)" in slow["title"]
    proposal = found["of a customer"]["index_proposal"]
    assert proposal["is_repaired"] and proposal["ratio"] < 0.5 and proposal["bytes"] > 0
    assert re.search(r"ON \"o'brien\"\.orders \(customer_id\)", proposal["sql"])
    missing, = outcome.findings("missing-index")
    assert missing["advice_sql"] == proposal["sql"] and missing["advice_tried"]
    assert "orders_customer_id_idx" in proposal["difference"]
    gate, = [gate for gate in outcome.result["gates"] if gate["name"] == "new_query_p95"]
    assert gate["observed"] and not gate["ok"] and "of a customer" in gate["measured"]

    # Times with their intervals; parameters of a query; what writes is rolled back.
    one = found["one order"]
    assert one["tried"] == 50 and one["executions"] >= 500 and one["calls_per_s"] == 50
    assert 0 < one["p50"]["low_us"] <= one["p50"]["us"] <= one["p50"]["high_us"]
    assert one["p95"]["high_us"] <= 2e6 and one["p99"]["high_us"] >= one["p99"]["us"]
    assert any("Index Scan" in line["text"] for line in one["plan"])
    assert found["tag it"]["tried"] == 2 and found["tag it"]["failed"] == 0
    assert found["of a customer"]["costs"][0]["subject"] == "orders"
    assert found["of a customer"]["executions"] == 60

    assert "2 of 4 queries of the release" in outcome.stdout
    assert "late" not in outcome.stdout + str(outcome.result["new_queries"])


def test_new_queries_that_are_well_are_safe_and_say_what_they_read(rehearse):
    rehearse.write("queries.sql", """
-- name: all of them
-- repeat: 30
SELECT customer_id, count(*) FROM orders GROUP BY 1;
""")
    outcome = rehearse.run(MIGRATION, SHOP, "--queries", "queries.sql")
    assert outcome.status == 0, outcome
    query, = outcome.result["new_queries"]["queries"]
    assert query["outcome"] == "fine" and query["limit_ms"] is None
    costly, = outcome.findings("new-query-costly")
    assert costly["severity"] == "info" and "orders is read whole" in costly["title"]


def test_new_queries_run_as_their_role_and_say_what_was_not_run(rehearse):
    rehearse.write("queries.sql", """
-- name: as the application
-- role: shop_app
SELECT * FROM tags;
-- name: as nobody
-- role: nobody_here
SELECT 1;
-- name: no values
-- parameters: SELECT id FROM orders WHERE false
SELECT * FROM orders WHERE id = $1;
""")
    outcome = rehearse.run(MIGRATION, SHOP + "CREATE ROLE shop_app;", "--queries", "queries.sql")
    assert outcome.status == 5, outcome
    found = queries(outcome)
    assert found["as the application"]["errors"][0]["sqlstate"] == "42501"
    assert found["as nobody"]["outcome"] == "not-run"
    assert found["as nobody"]["reason"] == 'there is no role "nobody_here" here'
    assert found["no values"]["reason"] == "the query for its parameters gives no row"

    rehearse.write("only.sql", "-- role: nobody_here\nSELECT 1;")
    outcome = rehearse.run(MIGRATION, SHOP, "--queries", "only.sql")
    assert outcome.status == 3 and "nobody_here" in outcome.result["headline"], outcome


def test_new_queries_are_not_run_behind_a_migration_that_fails(rehearse):
    rehearse.write("queries.sql", "SELECT 1;")
    outcome = rehearse.run("ALTER TABLE nowhere ADD x int;", SHOP, "--queries", "queries.sql")
    assert outcome.status == 5, outcome
    assert not outcome.result["new_queries"]["was_run"]
    assert outcome.result["new_queries"]["why_not"] == "the migration failed"
    assert "not run: the migration failed" in outcome.stdout
