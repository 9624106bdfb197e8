"""A sample's durations, carried on to production's rows by rehearsing at three sizes."""
import pytest

from conftest import measures
from snapshots import make_snapshot

ROWS, TIMES = 60_000, 100
SCHEMA = f"""
CREATE TABLE customers (id int PRIMARY KEY, name text);
CREATE TABLE orders (id bigint PRIMARY KEY, customer_id int NOT NULL REFERENCES customers,
                     amount int NOT NULL, note text);
INSERT INTO customers SELECT n, 'c' || n FROM generate_series(1, 2000) n;
INSERT INTO orders SELECT n, 1 + n % 2000, n % 1000, md5(n::text) FROM generate_series(1, {ROWS}) n;
ANALYZE;
"""
QUICK = "SET lock_timeout = '2s';\nALTER TABLE orders ADD COLUMN paid bool;\n"
REWRITE = "SET lock_timeout = '2s';\nALTER TABLE orders ALTER COLUMN amount TYPE bigint;\n"


def make(cluster, directory, times):
    """A snapshot whose manifest says that production has so many times the rows."""
    def tables(manifest):
        for table in manifest["tables"]:
            table.update(production_rows=table["rows"] * times, sample_fraction=1 / times,
                         sample_reason=f"root, {100 / times:g} %")
        return manifest["tables"]
    return make_snapshot(cluster, "scaled", directory, tables=tables, is_complete=times == 1,
                         sample_fraction=1 / times)


@pytest.fixture(scope="session")
def scaled(debian_cluster, tmp_path_factory):
    debian_cluster.new_database("scaled", SCHEMA)
    directory = tmp_path_factory.mktemp("scaled")
    return make(debian_cluster, directory / "sample", TIMES), make(debian_cluster, directory / "whole", 1)


def run(rehearse, snapshot, migration, *arguments):
    return rehearse("run", "--snapshot", snapshot, rehearse.write("1_m.sql", migration).name, "--no-way-back",
                    "--accept-sample", *arguments).result


def statement(result, tag):
    return next(s for s in result["statements"] if s["tag"] == tag)


@measures
def test_a_rewrite_is_scaled_by_its_rows(rehearse, scaled):
    result = run(rehearse, scaled[0], REWRITE)
    assert result["scaling"] == {"fractions": [1.0, 0.5, 0.25], "reason": None}
    alter = statement(result, "ALTER TABLE")
    there = alter["in_production"]
    assert there["refusal"] is None
    assert there["rows"] == ROWS and there["production_rows"] == ROWS * TIMES
    assert there["low_ms"] <= there["duration_ms"] <= there["high_ms"]
    # Whatever this machine was doing meanwhile: a hundred times the rows take many times as long.
    assert there["high_ms"] > 5 * alter["duration_ms"]
    blocked = next(g for g in result["gates"] if g["name"] == "blocked")
    finding = next(f for f in result["findings"] if f["rule"] == "table-rewrite")
    assert "in production" in finding["title"]
    assert result["verdict"] in ("unsafe", "inconclusive") if there["high_ms"] > 2000 else blocked["ok"]


def test_what_touches_no_row_needs_no_other_size(rehearse, scaled):
    result = run(rehearse, scaled[0], QUICK)
    assert result["scaling"] == {"fractions": [1.0], "reason": None}
    there = statement(result, "ALTER TABLE")["in_production"]
    assert there["shape"] == "constant" and there["production_rows"] == 0
    assert result["verdict"] == "safe"


def test_a_whole_copy_is_not_scaled(rehearse, scaled):
    result = run(rehearse, scaled[1], REWRITE)
    assert result["scaling"] is None
    assert all(s["in_production"] is None for s in result["statements"])


def test_a_smaller_copy_keeps_every_parent(rehearse, scaled):
    """The constraint is checked at each size: an orphan would make it fail there."""
    migration = ("SET lock_timeout = '2s';\nALTER TABLE orders DROP CONSTRAINT orders_customer_id_fkey,\n"
                 "  ADD CONSTRAINT again FOREIGN KEY (customer_id) REFERENCES customers;\n")
    result = run(rehearse, scaled[0], migration)
    there = statement(result, "ALTER TABLE")["in_production"]
    assert result["scaling"]["reason"] is None
    assert there["refusal"] is None or "ran" not in there["refusal"]


def test_a_failed_migration_is_not_scaled(rehearse, scaled):
    result = run(rehearse, scaled[0], REWRITE + "SELECT 1/0;\n")
    assert result["scaling"]["reason"] == "the migration failed"
    assert result["verdict"] == "unsafe"


def test_a_limit_on_bytes_is_not_decided_by_a_sample(rehearse, scaled):
    result = run(rehearse, scaled[0], QUICK, "--max-wal", "1GB")
    wal = next(g for g in result["gates"] if g["name"] == "wal")
    assert not wal["observed"] and "not scaled" in wal["reason"]
    assert result["verdict"] == "inconclusive"
