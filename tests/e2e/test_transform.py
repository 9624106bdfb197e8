"""`--transform`: a recorded application whose table and column a migration renames. Sent as it was recorded it fails;
what the new release sends, by rules, does not."""
import json

import psycopg
import pytest

import conftest
from recorded import recorded_shop

SHOP = """
CREATE TABLE customers (id int PRIMARY KEY, name text);
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id int NOT NULL REFERENCES customers, total int NOT NULL, note text);
INSERT INTO customers SELECT i, 'Name ' || i FROM generate_series(1, 1000) AS i;
INSERT INTO orders (customer_id, total) SELECT 1 + i % 1000, i % 500 FROM generate_series(1, 10000) AS i;
CREATE TABLE visits (customer_id int);
CREATE INDEX orders_customer_idx ON orders (customer_id);
CREATE ROLE app LOGIN;
GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
ANALYZE;
"""
# What no rule concerns stands behind what fails in its transaction.
# Prepared without types: what the server makes of a parameter that nothing asks for is an error.
APPLICATION = r"""\set c random(1, 1000)
SELECT id, total FROM orders WHERE customer_id = :c ORDER BY id;
SELECT id, name FROM customers WHERE id = :c;
SELECT o.id, c.name FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.id = :c ORDER BY o.id;
BEGIN;
INSERT INTO orders (customer_id, note, total) VALUES (:c, 'in a hurry', 42);
INSERT INTO visits VALUES (:c);
COMMIT;
SELECT count(*) FROM customers WHERE id < :c;
"""
# After the migration nothing but its Parse fails as what it is.
PREPARED_ALONE = "SELECT name, id + 1 FROM customers WHERE id = :c;\n"
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
    often = "-c", "2", "-t", "15"
    with recorded_shop(SHOP, (APPLICATION + PREPARED_ALONE, "-M", "prepared", *often),
                       (APPLICATION, "-M", "simple", *often)) as shop:
        yield shop


def run(rehearse, shop, rules, *arguments):
    path = rehearse.write("1.sql", MIGRATION)
    if rules:
        arguments += "--transform", rehearse.write("transform.yaml", "version: 1\n" + rules)
    return rehearse("run", "--snapshot", shop.dump, "--workload", shop.workload, "--compare-budget", "2s",
                    "--no-way-back", "--cuts", "off", *arguments, path, timeout=180)


def failing(outcome, application):
    found = [it for it in outcome.findings("query-error")
             if "query" in it["evidence"] and it["evidence"].get("application") == application]
    return {it["evidence"]["query"]: it["severity"] for it in found}


@conftest.measures
def test_transform_judges_the_new_application(rehearse, shop):
    outcome = run(rehearse, shop, "old_application: stopped\n" + RULES)
    assert outcome.status == 0, [outcome.result["findings"], outcome]
    workload = outcome.result["workload"]
    transform = workload["transform"]
    assert transform["old_application"] == "stopped" and not transform["refused"]
    assert [(it["rule"], it["patterns"], it["calls"]) for it in transform["rules"]] == [
        ("rename_table orders to purchases", 3, 180), ("rename_column customers.name to full_name", 3, 150),
        ("drop_column orders.note", 1, 60)], transform
    assert transform["rewritten"] == {"patterns": 5, "calls": 270}
    # The recording's queries fail, and that is told; what the release sends answers the same by the same plan.
    old = failing(outcome, "old")
    assert len(old) == 5 and set(old.values()) == {"info"}, outcome.result["findings"]
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
    assert len(failing(outcome, None)) == 5, outcome.result["findings"]
    assert outcome.result["workload"]["transform"] is None


def compare(rehearse, shop, rules, *arguments):
    """On two databases, the one migrated; a copy of the other, so that what is renamed keeps its number."""
    if rules:
        arguments += "--transform", rehearse.write("transform.yaml", "version: 1\n" + rules)
    return rehearse("compare", shop.workload, "--baseline", shop.url("shop"), "--candidate", shop.url("shop_after"),
                    "--compare-budget", "2s", "--json", "--no-config", *arguments, timeout=120)


@pytest.fixture(scope="module")
def migrated(shop):
    with psycopg.connect(shop.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE shop_after TEMPLATE shop")
    with psycopg.connect(shop.url("shop_after"), autocommit=True) as connection:
        connection.execute(MIGRATION + "ALTER TABLE purchases DROP COLUMN note; ANALYZE")
    return shop


def errors(outcome, application):
    found = [it for it in json.loads(outcome.stdout)["findings"] if it["rule"] == "query-error"]
    assert all(it["severity"] == "error" for it in found), found
    return {it["evidence"]["query"] for it in found if it["evidence"]["application"] == application}


def test_compare_judges_both_applications_apart(rehearse, migrated):
    # The old one still runs, by default: it is judged as without the rules.
    outcome = compare(rehearse, migrated, RULES)
    assert outcome.status == 5, outcome
    assert len(errors(outcome, "old")) == 5 and not errors(outcome, "new"), outcome
    sent = json.loads(outcome.stdout)["workload"]["new_application"]["patterns"]
    assert len(sent) == 5 and all(not it["errors"] and not it["plan"]["is_changed"] for it in sent), sent
    plans = [line["text"] for it in sent for line in it["plan"]["candidate"]]
    assert any("purchases_customer_idx" in line for line in plans), plans


def test_compare_tells_where_the_new_application_fails(rehearse, migrated):
    wrong = RULES.replace("full_name", "whole_name").replace("  - drop_column: orders.note\n", "")
    outcome = compare(rehearse, migrated, wrong)
    assert outcome.status == 5, outcome
    assert len(errors(outcome, "new")) == 4, outcome


def test_compare_replaces_by_fingerprint_and_refuses_a_guess(rehearse, migrated):
    shown = json.loads(rehearse("workload", "show", migrated.workload, "--json").stdout)
    count, = [it["fingerprint"] for it in shown["patterns"] if "count" in it["query"]]
    outcome = compare(rehearse, migrated, f"""old_application: stopped
rules:
  - replace: {count}
    with: SELECT count(full_name) FROM customers WHERE id < $1
  - drop_column: customers.name
""")
    workload = json.loads(outcome.stdout)["workload"]
    sent = {it["sent"]: it for it in workload["new_application"]["patterns"]}
    assert not sent["SELECT count(full_name) FROM customers WHERE id < $1"]["errors"], sent
    assert not sent["SELECT id FROM customers WHERE id = $1"]["errors"], sent
    assert not workload["transform"]["refused"], workload["transform"]
    outcome = compare(rehearse, migrated, "rules:\n  - drop_column: orders.customer_id\n")
    workload = json.loads(outcome.stdout)["workload"]
    assert {it["reason"] for it in workload["transform"]["refused"]} == {
        "orders.customer_id is used in WHERE", "orders.customer_id is used in the condition of a join"}
    assert [it["verdict"] for it in workload["new_application"]["patterns"]].count("not-comparable") == 2, workload


def test_replay_sends_what_the_new_release_sends(rehearse, migrated):
    rules = rehearse.write("transform.yaml", "version: 1\n" + RULES)
    replay = "replay", migrated.workload, "--to", migrated.url("shop_after"), "--speed", "max", "--json", "--no-config"
    before = json.loads(rehearse(*replay).stdout)
    after = json.loads(rehearse(*replay, "--transform", rules).stdout)
    assert before["errors"]["new"] >= 270 and before["transform"] is None, before["errors"]
    assert after["errors"]["new"] == 0 and after["transform"]["rewritten"]["calls"] == 270, after
    assert after["executions"] == 510, after


@pytest.mark.parametrize("rule, said", [
    ("  - drop_column: orders.nothing\n", ':8:5: "drop_column orders.nothing" matches no query of the workload'),
    ("  - replace: 0123456789abcdef\n    with: SELECT 1\n", ':8:5: "replace 0123456789abcdef" matches no query'),
    ("  - rename_colum: a.b\n", ':8:5: unknown key "rename_colum"; did you mean "rename_column"?'),
])
def test_a_rule_that_matches_nothing_is_an_error(rehearse, shop, rule, said):
    outcome = run(rehearse, shop, RULES + rule)
    assert outcome.status == 2 and "transform.yaml" + said in outcome.stderr, outcome
    assert "sandbox" not in outcome.stdout
