"""`rehearse compare` and statements that write, against a real server: what became slower by what its
table has to keep up to date is named with its cause, what did not change is left alone."""
import conftest
from conftest import Server, SERVERS
from test_compare import ROWS, Sides, draw, findings, make_template, pattern, pytest

INSERT = ("INSERT INTO orders (id, customer_id, status, total, day) "
          "SELECT $1 + n, $2, 'open', n, date '2025-03-01' + n FROM generate_series(1, 40) n")
UPDATE = "UPDATE orders SET status = 'held', total = total + 1 WHERE customer_id = $1"
LOOKUP = "SELECT email FROM customers WHERE id = $1"
THREE = ("CREATE INDEX orders_status_idx ON orders (status, day);\n"
         "CREATE INDEX orders_total_idx ON orders (total, status);\n"
         "CREATE INDEX orders_wide_idx ON orders (day, total, status);\n")


@pytest.fixture(scope="module")
def shop(cluster_of):
    major = max(SERVERS)
    cluster = cluster_of(Server(major, SERVERS[major]))
    make_template(cluster)
    return cluster


@pytest.fixture
def sides(shop, rehearse):
    return Sides(shop, rehearse)


def writes(count=60):
    """Skewed: a few customers have most of the orders (of those with the most, a tenth is left out, so
    that a round takes milliseconds)."""
    customers = [customer for customer in draw(4 * count, 5) if customer > 20][:count]
    lines = [("P", "insert", INSERT.replace("$1 +", "$1::int +").replace("$2,", "$2::int,"))]
    lines += [("E", "insert", ROWS + 1 + 100 * n, c) for n, c in enumerate(customers)]
    lines += [("P", "update", UPDATE)] + [("E", "update", c) for c in customers]
    lines += [("P", "lookup", LOOKUP)] + [("E", "lookup", c) for c in customers]
    return lines


@conftest.measures
def test_compare_writes_that_did_not_change(sides):
    outcome = sides.compare(writes())
    if outcome.status == 5:  # a false alarm is not tried again
        pytest.fail(outcome.stdout)
    for like in ("INSERT", "UPDATE"):
        p = pattern(outcome, like)
        assert p["cause"] is None
        assert 0 < p["candidate"]["wal_records"] < 1.2 * p["baseline"]["wal_records"], p
    assert pattern(outcome, "SELECT email")["candidate"]["wal_records"] is None


@conftest.measures
def test_compare_writes_slower_by_three_indexes(sides):
    outcome = sides.compare(writes(), THREE, budget="20s")
    assert outcome.status == 5, outcome.stdout
    slower = {f["evidence"]["query"].split()[0]: f for f in findings(outcome, "query-slower")}
    assert set(slower) <= {"INSERT", "UPDATE"} and "INSERT" in slower, outcome.stdout
    for finding in slower.values():
        assert ("public.orders has 3 more indexes: orders_status_idx, orders_total_idx and "
                "orders_wide_idx") in finding["why"], finding
        assert "WAL records" in finding["why"] and "keeps them up to date" in finding["advice"]
    p = pattern(outcome, "INSERT")
    assert p["verdict"] == "worse" and 1.2 < p["ratio"], p
    assert p["candidate"]["wal_records"] > 1.5 * p["baseline"]["wal_records"]
    assert pattern(outcome, "SELECT email")["verdict"] != "worse"


@conftest.measures
def test_compare_writes_slower_by_what_no_block_shows(sides):
    """Over the same blocks by the same plan: that a constraint is asked is seen in the catalog."""
    outcome = sides.compare(
        writes(), "ALTER TABLE orders ADD CONSTRAINT dear CHECK "
                  "(length(repeat(md5(status || total::text), 100)) > 10);\n", budget="20s")
    p = pattern(outcome, "INSERT")
    assert p["verdict"] == "worse" and p["candidate"]["blocks"] <= 1.1 * p["baseline"]["blocks"], p
    assert p["cause"] == "public.orders has 1 more check constraint: dear"
    assert not p["plan"]["is_changed"]
