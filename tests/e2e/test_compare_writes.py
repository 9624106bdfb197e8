"""`rehearse compare` and statements that write, against a real server: what became slower by what its
table has to keep up to date is named with its cause, what did not change is left alone."""
import pytest

import conftest
from test_compare import ROWS, draw, findings, pattern, shop, sides  # noqa: F401 (the last two are fixtures)

INSERT = ("INSERT INTO orders (id, customer_id, status, total, day) "
          "SELECT $1::int + n, $2::int, 'open', n, date '2025-03-01' + n FROM generate_series(1, 40) n")
UPDATE = "UPDATE orders SET status = 'held', total = total + 1 WHERE customer_id = $1"
NOTE = "UPDATE customers SET note = 'seen' WHERE id BETWEEN $1 AND $1 + 30"
LOOKUP = "SELECT email FROM customers WHERE id = $1"
THREE = ("CREATE INDEX orders_status_idx ON orders (status, day);\n"
         "CREATE INDEX orders_total_idx ON orders (total, status);\n"
         "CREATE INDEX orders_wide_idx ON orders (day, total, status);\n")
# Over the same blocks by the same plan: only the catalog has it.
CHECK = ("ALTER TABLE customers ADD CONSTRAINT dear CHECK "
         "(length(repeat(md5(note || email), 100)) > 10);\n")


def writes(count=60):
    """Skewed: a few customers have most of the orders (of those with the most, a tenth is left out, so
    that a round takes milliseconds)."""
    customers = [customer for customer in draw(4 * count, 5) if customer > 20][:count]
    lines = [("P", "insert", INSERT)]
    lines += [("E", "insert", ROWS + 1 + 100 * n, c) for n, c in enumerate(customers)]
    lines += [("P", "update", UPDATE)] + [("E", "update", c) for c in customers]
    lines += [("P", "note", NOTE)] + [("E", "note", c) for c in customers]
    lines += [("P", "lookup", LOOKUP)] + [("E", "lookup", c) for c in customers]
    return lines


@conftest.measures
def test_compare_writes_that_did_not_change(sides):  # noqa: F811
    outcome = sides.compare(writes(), budget="8s")
    if outcome.status == 5:  # a false alarm is not tried again
        pytest.fail(outcome.stdout)
    for like in ("INSERT", "UPDATE orders", "UPDATE customers"):
        p = pattern(outcome, like)
        assert p["cause"] is None
        assert 0 < p["candidate"]["wal_records"] < 1.2 * p["baseline"]["wal_records"], p
    assert pattern(outcome, "SELECT email")["candidate"]["wal_records"] is None


@conftest.measures
def test_compare_writes_that_became_slower(sides):  # noqa: F811
    outcome = sides.compare(writes(), THREE + CHECK, budget="20s")
    assert outcome.status == 5, outcome.stdout
    slower = {f["evidence"]["query"][:10]: f for f in findings(outcome, "query-slower")}
    assert {"INSERT INT", "UPDATE cus"} <= set(slower), outcome.stdout
    finding, p = slower["INSERT INT"], pattern(outcome, "INSERT")
    assert ("public.orders has 3 more indexes: orders_status_idx, orders_total_idx and "
            "orders_wide_idx") in finding["why"], finding
    assert "WAL records" in finding["why"] and "keeps them up to date" in finding["advice"]
    assert p["verdict"] == "worse" and 1.2 < p["ratio"], p
    assert p["candidate"]["wal_records"] > 1.5 * p["baseline"]["wal_records"]
    p = pattern(outcome, "UPDATE customers")
    assert p["candidate"]["blocks"] <= 1.1 * p["baseline"]["blocks"] and not p["plan"]["is_changed"]
    assert p["cause"] == "public.customers has 1 more check constraint: dear", p
    assert pattern(outcome, "SELECT email")["verdict"] != "worse"
