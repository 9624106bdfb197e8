"""--checks: queries that are run before and after, and pgTAP files."""
import pathlib
import re
import subprocess

import pytest
from conftest import SERVERS, Server

SHOP = """
CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL, secret text);
INSERT INTO customers SELECT n, 'user' || n || '@example.org', 'hush' || n FROM generate_series(1, 100) n;
CREATE TABLE orders (id int PRIMARY KEY, customer_id int, total numeric(10,2));
INSERT INTO orders SELECT n, 1 + n % 100, n + 0.25 FROM generate_series(1, 1000) n;
"""
QUIET = "SET lock_timeout = '2s';\n"

# What pgTAP does, in a few lines: the real one is an extension that not every machine has.
PGTAP = """
CREATE FUNCTION plan(n int) RETURNS text LANGUAGE sql AS $$ SELECT '1..' || n $$;
CREATE SEQUENCE test_number;
CREATE FUNCTION ok(is_ok boolean, what text) RETURNS text LANGUAGE sql AS
  $$ SELECT CASE WHEN is_ok THEN '' ELSE 'not ' END || 'ok ' || nextval('test_number') || ' - ' || what $$;
CREATE FUNCTION finish() RETURNS SETOF text LANGUAGE sql AS $$ SELECT '# done' $$;
GRANT ALL ON SEQUENCE test_number TO PUBLIC;
"""


def checks(outcome):
    return {check["name"]: check for check in outcome.result["checks"]}


def test_checks_tell_what_changed_and_what_did_not(rehearse, server):
    rehearse.write("checks.sql", """
-- name: sum of totals
SELECT sum(total) FROM orders;

-- name: emails
-- expect: same
SELECT id, email FROM customers ORDER BY id;

-- name: no orphans
-- expect: zero
SELECT count(*) FROM orders o LEFT JOIN customers c ON c.id = o.customer_id WHERE c.id IS NULL;

-- name: new tier is filled
-- expect: zero
SELECT * FROM customers WHERE tier IS NULL;

-- name: few customers
-- expect: <= 100
TABLE customers;

-- name: raised
-- expect: changed
SELECT max(total) FROM orders;
""")
    outcome = rehearse.run(QUIET + """
ALTER TABLE customers ADD COLUMN tier text NOT NULL DEFAULT 'basic';
UPDATE orders SET total = total + 1 WHERE id = 1000;
UPDATE orders SET customer_id = 4711 WHERE id <= 3;
""", SHOP, "--checks", "checks.sql", "--server-bin", server.bin)
    assert outcome.status == 5, outcome
    found = checks(outcome)
    assert {name: check["outcome"] for name, check in found.items()} == {
        "sum of totals": "failed", "emails": "passed", "no orphans": "failed",
        "new tier is filled": "passed", "few customers": "passed", "raised": "passed"}
    changed, = outcome.findings("check-changed")
    assert changed["severity"] == "error" and changed["evidence"]["check"] == "sum of totals"
    assert changed["title"] == \
        'check "sum of totals" gives another result than before: was 500750.00, now 500751.00'
    failed, = outcome.findings("check-failed")
    assert failed["evidence"]["number_before"] == "0" and failed["evidence"]["number_after"] == "3"
    assert "3, expected zero; was 0" in failed["title"]
    assert found["new tier is filled"]["before"]["sqlstate"] == "42703"
    assert found["few customers"]["after"]["row_count"] == 100
    assert "4 of 6 passed" in outcome.stdout


def test_checks_of_a_healthy_migration_find_nothing(rehearse):
    rehearse.write("checks.sql", """
SELECT * FROM customers;
SELECT id, customer_id FROM orders ORDER BY customer_id;
SELECT id, total FROM orders ORDER BY customer_id % 10;
""")  # ties: their order is nobody's promise, and the index changes it
    outcome = rehearse.run(QUIET + "CREATE INDEX CONCURRENTLY orders_customer ON orders (customer_id);\n",
                           SHOP, "--checks", "checks.sql")
    assert outcome.status == 0, outcome
    assert not {"check-changed", "check-failed"} & outcome.rules()
    assert [check["ok"] for check in outcome.result["checks"]] == [True, True, True]


def test_checks_see_another_order_where_it_matters(rehearse):
    rehearse.write("checks.sql", "SELECT email FROM customers ORDER BY email;\n")
    outcome = rehearse.run(
        QUIET + "ALTER TABLE customers ALTER email TYPE text COLLATE backwards;",
        SHOP + "CREATE COLLATION backwards (provider = icu, locale = 'en-u-kn-true');",
        "--checks", "checks.sql")
    finding, = outcome.findings("check-changed")
    assert "the same 100 rows in another order" in finding["title"], outcome


def test_checks_that_failed_before_do_not_blame_the_migration(rehearse):
    rehearse.write("checks.sql", """
-- name: no dear orders
-- expect: zero
SELECT id FROM orders WHERE total > 900;
""")
    outcome = rehearse.run(QUIET + "ALTER TABLE orders ADD COLUMN note text;", SHOP, "--checks", "checks.sql")
    assert outcome.status == 0, outcome
    finding, = outcome.findings("check-failed")
    assert finding["severity"] == "info" and "before the migration already" in finding["title"]
    check, = outcome.result["checks"]
    assert not check["ok"] and check["outcome"] == "failed-before"


def test_checks_that_the_migration_breaks_are_findings(rehearse):
    rehearse.write("checks.sql", "-- name: emails\nSELECT email FROM customers;\n")
    outcome = rehearse.run(QUIET + "ALTER TABLE customers RENAME email TO mail;", SHOP, "--checks", "checks.sql")
    finding, = outcome.findings("check-failed")
    assert finding["severity"] == "error" and "cannot be run any more" in finding["title"]


def test_checks_show_values_only_when_told(rehearse):
    rehearse.write("checks.sql", "-- name: secrets\nSELECT secret FROM customers ORDER BY id;\n")
    arguments = (QUIET + "UPDATE customers SET secret = 'loud' WHERE id = 7;", SHOP, "--checks", "checks.sql")
    outcome = rehearse.run(*arguments)
    for path in outcome.directory.rglob("*"):
        if path.is_file() and path.name != "migration.sql":
            assert "hush" not in path.read_text(errors="replace"), path
    check, = outcome.result["checks"]
    assert check["before"]["rows"] is None and check["before"]["row_count"] == 100
    assert check["before"]["digest"] != check["after"]["digest"]
    shown = rehearse.run(*arguments, "--show-values")
    check, = shown.result["checks"]
    assert check["after"]["rows"][6] == ["loud"] and len(check["after"]["rows"]) == 100


def test_checks_larger_than_what_is_kept_are_compared_whole(rehearse):
    rehearse.write("checks.sql", "SELECT n, md5(n::text) FROM numbers;\n")
    outcome = rehearse.run(QUIET + "UPDATE numbers SET n = -n WHERE n = 54321;",
                           "CREATE TABLE numbers AS SELECT n FROM generate_series(1, 60000) n;",
                           "--checks", "checks.sql", "--show-values")
    check, = outcome.result["checks"]
    assert check["outcome"] == "failed" and check["reason"] == "other values in its 60,000 rows"
    assert check["after"]["row_count"] == 60000 and len(check["after"]["rows"]) == 100


@pytest.mark.parametrize("sql, said", [
    ("SELEC 1;", "this statement is no query"),
    ("SELECT id FRM orders WHERE;", "syntax error"),
    ("SELECT missing FROM customers;", 'column "missing" does not exist'),
    ("SELECT random();", "another result each time"),
    ("WITH gone AS (DELETE FROM orders RETURNING 1) SELECT count(*) FROM gone;", "cannot be run"),
    ("SELECT setval('pg_temp.x', 1);", "cannot be run"),
    ("SELECT id FROM orders FOR UPDATE;", "read-only"),
])
def test_checks_that_are_wrong_are_told_before_the_migration(rehearse, sql, said):
    rehearse.write("checks.sql", "\n  " + sql)
    outcome = rehearse.run("UPDATE orders SET total = 0;", SHOP, "--checks", "checks.sql")
    # A statement that is no query is refused before a server is started; the others by the server.
    assert outcome.status == 2, outcome
    assert "checks.sql:2:3: " in outcome.stderr and said in outcome.stderr, outcome
    assert not (outcome.directory / "result.json").exists()


def test_checks_that_name_what_nobody_makes_are_inconclusive(rehearse):
    rehearse.write("checks.sql", "-- expect: zero\nSELECT * FROM customers WHERE teir IS NULL;\n")
    outcome = rehearse.run(QUIET + "ALTER TABLE customers ADD COLUMN tier text;", SHOP, "--checks", "checks.sql")
    assert outcome.status == 3, outcome
    assert 'column "teir" does not exist' in outcome.result["headline"]


def test_checks_are_not_judged_after_a_failed_migration(rehearse):
    rehearse.write("checks.sql", "-- expect: changed\nSELECT count(*) FROM orders;\n")
    outcome = rehearse.run("INSERT INTO orders VALUES (1);", SHOP, "--checks", "checks.sql")
    assert outcome.status == 5 and not {"check-changed", "check-failed"} & outcome.rules()
    check, = outcome.result["checks"]
    assert check["outcome"] == "undecided" and "did not come to its end" in check["reason"]


def test_checks_in_the_configuration_are_relative_to_it(rehearse):
    rehearse.write("db/checks.sql", "SELECT count(*) FROM orders;\n")
    rehearse.write("rehearse.yaml", "checks: [db/checks.sql]\n")
    outcome = rehearse.run(QUIET + "DELETE FROM orders WHERE id = 1;", SHOP)
    assert [finding["evidence"]["number_after"] for finding in outcome.findings("check-changed")] == ["999"]


PGTAP_FILE = """
\\set ON_ERROR_ROLLBACK 1
BEGIN;
SELECT plan(3);
SELECT ok(count(*) = 100, 'all customers') FROM customers;
SELECT ok(max(total) < 2000, 'totals are small') FROM orders;
SELECT ok(false, 'one day') || ' # TODO not yet';
SELECT * FROM finish();
ROLLBACK;
"""


def test_checks_read_the_tests_of_pgtap_files(rehearse, server):
    rehearse.write("tests.sql", PGTAP_FILE)
    outcome = rehearse.run(QUIET + "UPDATE orders SET total = total + 5000 WHERE id = 1000;", SHOP + PGTAP,
                           "--checks", "tests.sql", "--server-bin", server.bin)
    assert outcome.status == 5, outcome
    check, = outcome.result["checks"]
    assert check["kind"] == "pgtap" and check["before"]["planned"] == 3
    assert (check["before"]["passed"], check["before"]["failed"]) == (3, 0)
    assert (check["after"]["passed"], check["after"]["failed"]) == (2, 1)
    finding, = outcome.findings("check-failed")
    assert "1 of 3 tests fails: totals are small" in finding["title"]
    # The tests advanced a sequence, on a clone of their own: no difference of the migration's.
    assert not [d for d in outcome.result["data_differences"] if d["subject"] == "sequence"], outcome


def test_checks_of_pgtap_pass_when_all_tests_do(rehearse):
    rehearse.write("tests.sql", PGTAP_FILE)
    outcome = rehearse.run(QUIET + "ALTER TABLE orders ADD COLUMN note text;", SHOP + PGTAP,
                           "--checks", "tests.sql")
    assert outcome.status == 0, outcome
    assert outcome.result["checks"][0]["ok"] and "1 of 1 passed" in outcome.stdout


def test_checks_that_bail_out_only_afterwards_are_findings(rehearse):
    rehearse.write("tests.sql", "SELECT plan(1);\nSELECT CASE WHEN count(*) < 1000 THEN 'Bail out! orders are gone' "
                   "ELSE ok(true, 'orders') END FROM orders;\n")
    outcome = rehearse.run(QUIET + "DELETE FROM orders WHERE id > 10;", SHOP + PGTAP, "--checks", "tests.sql")
    finding, = outcome.findings("check-failed")
    assert "it bailed out: orders are gone" in finding["title"]


def test_checks_say_that_pgtap_is_missing(rehearse):
    server = Server(*list(SERVERS.items())[-1])
    shared = subprocess.run([f"{server.bin}/pg_config", "--sharedir"], capture_output=True, text=True).stdout.strip() \
        if (pathlib.Path(server.bin) / "pg_config").exists() else str(pathlib.Path(server.bin).parent / "share")
    if any(pathlib.Path(shared).rglob("pgtap.control")):
        pytest.skip("this server has pgTAP")
    rehearse.write("tests.sql", PGTAP_FILE)
    outcome = rehearse.run("SELECT 1;", SHOP, "--checks", "tests.sql", "--server-bin", server.bin)
    assert outcome.status == 1, outcome
    assert re.search(r'the extension "pgtap" is not installed', outcome.stderr)
    assert f"postgresql-{server.major}-pgtap" in outcome.stderr
