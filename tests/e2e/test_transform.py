"""`--transform`: a recorded application whose table and column a migration renames. Sent as it was recorded it fails;
what the new release sends, by rules, does not."""
import pathlib
import shutil
import subprocess
import tempfile

import pytest

import conftest
import test_capture
import test_tap_tls

SHOP = """
CREATE TABLE customers (id int PRIMARY KEY, name text);
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id int NOT NULL REFERENCES customers, total int NOT NULL, note text);
INSERT INTO customers SELECT i, 'Name ' || i FROM generate_series(1, 1000) AS i;
INSERT INTO orders (customer_id, total) SELECT 1 + i % 1000, i % 500 FROM generate_series(1, 10000) AS i;
CREATE INDEX orders_customer_idx ON orders (customer_id);
CREATE ROLE app LOGIN;
GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
ANALYZE;
"""
# Prepared without types: what the server makes of a parameter that nothing asks for is an error.
APPLICATION = r"""\set c random(1, 1000)
SELECT id, total FROM orders WHERE customer_id = :c ORDER BY id;
SELECT id, name FROM customers WHERE id = :c;
SELECT o.id, c.name FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.id = :c ORDER BY o.id;
BEGIN;
INSERT INTO orders (customer_id, note, total) VALUES (:c, 'in a hurry', 42);
COMMIT;
SELECT count(*) FROM customers WHERE id < :c;
"""
MIGRATION = """SET lock_timeout = '2s';
ALTER TABLE orders RENAME TO purchases;
ALTER INDEX orders_customer_idx RENAME TO purchases_customer_idx;
ALTER INDEX orders_pkey RENAME TO purchases_pkey;
ALTER TABLE customers RENAME COLUMN name TO full_name;
"""
RULES = """rules:
  - rename_table: orders
    to: purchases
  - rename_column: customers.name
    to: full_name
  - drop_column: orders.note
"""


@pytest.fixture(scope="module")
def shop():
    found = conftest.debian_server()
    if not found or not pathlib.Path(found[1], "pgbench").exists():
        pytest.skip("no complete PostgreSQL installation here")
    place = pathlib.Path(tempfile.mkdtemp(prefix="rh-transform-", dir="/var/tmp"))
    cluster = test_tap_tls.open_cluster(*found)
    try:
        cluster.start(listen_addresses="127.0.0.1", port=cluster.port)
        with cluster.database("shop", SHOP):
            cluster.dump, cluster.workload = place / "shop.dump", place / "app.workload"
            subprocess.run([f"{found[1]}/pg_dump", "-d", cluster.url("shop"), "-Fc", "-f", cluster.dump], check=True)
            script = place / "shop.pgbench"
            script.write_text(APPLICATION)
            capture = test_capture.Capture(cluster, place=place, out=cluster.workload)
            try:
                for mode in "prepared", "simple":
                    done = subprocess.run(
                        [f"{found[1]}/pgbench", "-n", "-M", mode, "-h", "127.0.0.1", "-p", str(capture.port), "-U",
                         "app", "-f", script, "-c", "2", "-t", "15", "shop"],
                        capture_output=True, text=True, timeout=60)
                    assert done.returncode == 0, done.stderr
            finally:
                capture.end()
            yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(place)


def run(rehearse, shop, rules, *arguments):
    path = rehearse.write("1.sql", MIGRATION)
    if rules:
        arguments += "--transform", rehearse.write("transform.yaml", "version: 1\n" + rules)
    return rehearse("run", "--snapshot", shop.dump, "--workload", shop.workload, "--compare-budget", "5s",
                    "--no-way-back", "--cuts", "off", *arguments, path, timeout=180)


def failing(outcome, application):
    found = [it for it in outcome.findings("query-error") if it["evidence"].get("application") == application]
    return {it["evidence"]["query"]: it["severity"] for it in found}


def test_transform_judges_the_new_application(rehearse, shop):
    outcome = run(rehearse, shop, "old_application: stopped\n" + RULES)
    assert outcome.status == 0, [outcome.result["findings"], outcome]
    workload = outcome.result["workload"]
    transform = workload["transform"]
    assert transform["old_application"] == "stopped" and not transform["refused"]
    assert [(it["rule"], it["patterns"], it["calls"]) for it in transform["rules"]] == [
        ("rename_table orders to purchases", 3, 180), ("rename_column customers.name to full_name", 2, 120),
        ("drop_column orders.note", 1, 60)], transform
    assert transform["rewritten"] == {"patterns": 4, "calls": 240}
    # The recording's queries fail, and that is told; what the release sends answers the same by the same plan.
    old = failing(outcome, "old")
    assert len(old) == 4 and set(old.values()) == {"info"}, outcome.result["findings"]
    assert not failing(outcome, "new")
    sent = {it["sent"]: it for it in workload["new_application"]["patterns"]}
    assert "INSERT INTO purchases (customer_id, total) VALUES ($1, $2)" in sent, sent.keys()
    for it in sent.values():
        assert not it["errors"] and it["verdict"] not in ("worse", "not-comparable"), it
        assert it["results"]["change"] == "same" and it["results"]["compared"] > 0, it
        assert not it["plan"]["is_changed"], it
    plans = [line["text"] for it in sent.values() for line in it["plan"]["candidate"]]
    assert any("purchases_customer_idx" in line for line in plans), plans
    assert "rename_table orders to purchases: 3 patterns, 180 calls" in outcome.stdout
    assert "the new application on the new schema" in outcome.stdout


def test_without_transform_the_queries_fail(rehearse, shop):
    outcome = run(rehearse, shop, None)
    assert outcome.status == 5, outcome
    assert len(failing(outcome, None)) == 4, outcome.result["findings"]
    assert outcome.result["workload"]["transform"] is None


def test_transform_leaves_the_running_old_application_judged(rehearse, shop):
    outcome = run(rehearse, shop, RULES)
    assert outcome.status == 5, outcome
    old = failing(outcome, "old")
    assert len(old) == 4 and set(old.values()) == {"error"}, outcome.result["findings"]
    assert not failing(outcome, "new")


def test_transform_tells_where_the_new_application_fails(rehearse, shop):
    outcome = run(rehearse, shop, "old_application: stopped\n" + RULES.replace("full_name", "whole_name"))
    assert outcome.status == 5, outcome
    assert len(failing(outcome, "new")) == 2 and set(failing(outcome, "new").values()) == {"error"}, outcome


@pytest.mark.parametrize("rule, said", [
    ("  - drop_column: orders.nothing\n", ':8:5: "drop_column orders.nothing" matches no query of the workload'),
    ("  - replace: 0123456789abcdef\n    with: SELECT 1\n", ':8:5: "replace 0123456789abcdef" matches no query'),
    ("  - rename_colum: a.b\n", ':8:5: unknown key "rename_colum"; did you mean "rename_column"?'),
])
def test_a_rule_that_matches_nothing_is_an_error(rehearse, shop, rule, said):
    outcome = run(rehearse, shop, RULES + rule)
    assert outcome.status == 2 and "transform.yaml" + said in outcome.stderr, outcome
    assert "sandbox" not in outcome.stdout
