"""What a live server's pg_stat_statements says of production, and what it does to a workload."""
import gzip
import json
import pathlib
import tempfile

import pytest
from conftest import Cluster

# So often production runs each.
OFTEN, SELDOM, UNSEEN = 60, 20, 5


@pytest.fixture(scope="module")
def production(server):
    """A server that counted some statements; two roles that may look, one of them at everything."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix=f"rh-sums{server.major}-", dir="/var/tmp"))
    cluster = Cluster(server, directory)
    try:
        cluster.start(shared_preload_libraries="pg_stat_statements", **{"pg_stat_statements.track": "all"})
        cluster.sql("CREATE DATABASE shop")
        cluster.sql("""
            CREATE ROLE stats LOGIN; GRANT pg_read_all_stats TO stats; CREATE ROLE nobody LOGIN;
            CREATE TABLE orders AS SELECT n AS id, n % 7 AS state FROM generate_series(1, 1000) n;
            CREATE FUNCTION counted() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM orders';
            CREATE SCHEMA monitoring; CREATE EXTENSION pg_stat_statements SCHEMA monitoring;
            GRANT USAGE ON SCHEMA monitoring TO PUBLIC""", "shop")
        with cluster.connect("shop", autocommit=True) as connection:
            connection.execute("SELECT monitoring.pg_stat_statements_reset()")
            for n in range(OFTEN):
                connection.execute(f"SELECT * FROM orders WHERE id = {n}")
            for n in range(SELDOM):
                connection.execute(f"UPDATE orders SET state = 1 WHERE id = {n}")
            for _ in range(UNSEEN):
                connection.execute("SELECT counted(), pg_sleep(0.01)")
        yield cluster
    finally:
        cluster.stop()


def url(cluster, user, database="shop"):
    return f"host={cluster.directory} port=5432 user={user} dbname={database}"


def shown(rehearse, path, *arguments):
    done = rehearse("workload", "show", path, "--json", "--limit", "0", *arguments)
    assert done.status == 0, done
    return json.loads(done.stdout)


def test_statement_sums_of_a_live_server(rehearse, production):
    for role, database, message in (("stats", "postgres", "has no extension pg_stat_statements"),
                                    ("nobody", "shop", "GRANT pg_read_all_stats")):
        refused = rehearse("workload", "import", "--from", url(production, role, database), "-o", "no")
        assert refused.status in (1, 2) and message in refused.stderr, refused
        assert not (rehearse.directory / "no").exists()

    done = rehearse("workload", "import", "--from", url(production, "stats"), "-o", "production")
    assert done.status == 0, done
    sums = shown(rehearse, "production")
    assert sums["origin"] == "pg_stat_statements" and sums["executions"] == 0
    assert sums["fidelity"]["order"] == sums["fidelity"]["parameters"] == "absent"
    calls = {row["query"]: row["calls"] for row in sums["patterns"]}
    assert calls["SELECT * FROM orders WHERE id = $1"] == OFTEN
    assert calls["UPDATE orders SET state = $1 WHERE id = $2"] == SELDOM
    # What a function ran is told from what clients sent where the server does (14 and later).
    assert ("SELECT count(*) FROM orders" in calls) == (production.server.major < 14)
    assert (sums["production"]["window_us"] is not None) == (production.server.major >= 14)
    assert any("since when it counts" in note for note in sums["fidelity"]["notes"]) == \
        (production.server.major < 14)

    refused = rehearse("run", rehearse.write("m.sql", "SELECT 1"), "--workload", "production")
    assert refused.status == 2 and "holds sums alone" in refused.stderr, refused


def test_statement_sums_weigh_a_workload(rehearse, production):
    rehearse.write("app.sql", "SELECT * FROM orders WHERE id = 5;\n" * 3 +
                   "UPDATE orders SET state = 2 WHERE id = 1;\nSELECT 'only here';\n")
    done = rehearse("workload", "import", "--from", url(production, "stats"), "-o", "production")
    assert done.status == 0, done
    ways = {"at once": ["app.sql", "--from", url(production, "stats")],
            "from a file": ["app.sql", "--statement-sums", "production"],
            "afterwards": ["plain", "--statement-sums", "production"]}
    done = rehearse("workload", "import", "app.sql", "--unencrypted", "-o", "plain")
    assert done.status == 0, done
    assert shown(rehearse, "plain")["production"] is None
    for number, arguments in enumerate(ways.values()):
        path = f"w{number}"
        done = rehearse("workload", "import", *arguments, "--unencrypted", "-o", path)
        assert done.status == 0 and "of production's time" in done.stderr, done
        workload = shown(rehearse, path)
        weights = {row["query"]: row["weight"] for row in workload["patterns"]}
        select, update = (weights["SELECT * FROM orders WHERE id = $1"],
                          weights["UPDATE orders SET state = $1 WHERE id = $2"])
        # 60 for 3 here, 20 for 1 here: the same for each, whatever the time that was counted for.
        assert select > 0 and abs(update / select - 1) < 1e-9
        assert weights["SELECT $1"] == 1
        if production.server.major < 14:
            assert abs(select - 1) < 1e-9  # four calls here, and four in all behind the weights
        covers = workload["production"]
        assert 0 < covers["covered_us"] < covers["total_us"]
        assert covers["never_seen"] == covers["patterns"] - 2
        assert workload["executions"] == 5
    text = rehearse("workload", "show", "w0")
    assert "of production's time" in text.stdout, text


def test_statement_sums_url_is_not_handed_on(rehearse, production):
    """It may have a password; gzip has no use for it."""
    line = b"2026-11-20 10:00:00.000 UTC [7] a@shop LOG:  execute <unnamed>: SELECT 1\n"
    rehearse.write("app.log.gz", gzip.compress(line))
    rehearse.write("bin/gzip", f'#!/bin/sh\nenv >{rehearse.directory}/seen\nPATH=$OLD exec gzip "$@"\n').chmod(0o755)
    path = rehearse.environment["PATH"]
    done = rehearse("workload", "import", "app.log.gz", "--format", "stderr", "--unencrypted", "-o", "w",
                    env={"REHEARSE_FROM": url(production, "stats"), "OLD": path,
                         "PATH": f"{rehearse.directory}/bin:{path}"})
    assert done.status == 0, done
    seen = (rehearse.directory / "seen").read_text()
    assert "OLD=" in seen and "REHEARSE_FROM" not in seen


@pytest.mark.alone
def test_statement_sums_count_in_a_comparison(rehearse, debian_cluster):
    """Production runs SELECT nine times as often as UPDATE; the workload has one of each."""
    rehearse.write("app.sql", "SELECT count(*) FROM weighed WHERE id > 5;\nUPDATE weighed SET id = id WHERE id = 1;\n")
    rehearse.write("sums.csv", "query,calls,total_exec_time\n"
                   "SELECT count(*) FROM weighed WHERE id > $1,90,900\n"
                   "UPDATE weighed SET id = id WHERE id = $1,10,50\n"
                   "SELECT * FROM elsewhere,10,50\n")
    done = rehearse("workload", "import", "app.sql", "--statement-sums", "sums.csv", "--unencrypted", "-o", "w")
    assert done.status == 0 and "it covers 95.0 % of production's time" in done.stderr, done
    schema = "CREATE TABLE weighed AS SELECT n AS id FROM generate_series(1, 100) n"
    with debian_cluster.database("weighed_before", schema) as before, \
            debian_cluster.database("weighed_after", schema) as after:
        done = rehearse("compare", "w", "--baseline", before, "--candidate", after, "--compare-budget", "5s",
                        "--json")
    assert done.status in (0, 3), done
    comparison = json.loads(done.stdout)["workload"]
    rows = {row["query"].partition(" ")[0]: row for row in comparison["patterns"]}
    assert rows["SELECT"]["weight"] / rows["UPDATE"]["weight"] == pytest.approx(9)
    assert rows["SELECT"]["calls_per_s"] / rows["UPDATE"]["calls_per_s"] == pytest.approx(9, rel=0.01)
    assert comparison["production_covered"] == pytest.approx(0.95 * comparison["covered"])
