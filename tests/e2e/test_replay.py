"""Replays of workloads made here, on servers of the test's own."""
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

import pytest
from conftest import IS_ROOT, Cluster, Server, debian_server, wait_for
from workloads import (COPY_DONE, FLUSH, SYNC, Workload, bind, copy_data, describe, execute, parse, query,
                       result)

SECOND = 1_000_000


@pytest.fixture
def target(debian_cluster):
    cluster = debian_cluster
    cluster.sql("DROP DATABASE IF EXISTS app WITH (FORCE)")
    cluster.sql("CREATE DATABASE app")
    yield cluster
    cluster.sql("DROP DATABASE IF EXISTS app WITH (FORCE)")


def url_of(cluster, user="postgres", database="app"):
    return f"postgresql://{user}@/{database}?host={cluster.directory}"


def replay(rehearse, workload, cluster, *options, status=0, url=None, **more):
    path = workload.write(rehearse.directory / "w.workload")
    out = rehearse.directory / "replay.json"
    outcome = rehearse("replay", path, "--to", url or url_of(cluster), "--out", out, *options, **more)
    assert outcome.status == status, outcome
    return json.loads(out.read_text()) if status == 0 else outcome


def in_app(cluster, sql):
    with cluster.connect("app", autocommit=True) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else None


def not_as_recorded(done):
    return {gap["kind"]: gap["count"] for gap in done["not_as_recorded"]}


def pattern_of(done, like):
    return next(pattern for pattern in done["patterns"] if like in pattern["query"])


def test_simple_statements_and_what_they_came_to(rehearse, target):
    w = Workload()
    make = w.pattern("CREATE TABLE t (id int)", writes=["t"])
    insert = w.pattern("INSERT INTO t SELECT generate_series($1, $2)", writes=["t"])
    select = w.pattern("SELECT * FROM t", reads=["t"])
    wrong = w.pattern("SELECT $1 / $2")
    w.begin(1)
    w.ask(1, 1000, query("CREATE TABLE t (id int)", make), results=[result(pattern=make)])
    w.ask(1, 2000, query("INSERT INTO t SELECT generate_series(1, 10)", insert),
          results=[result(10, pattern=insert)])
    w.ask(1, 3000, query("SELECT * FROM t", select), results=[result(10, 10, pattern=select)])
    w.ask(1, 4000, query("SELECT 1 / 0", wrong), results=[result(sqlstate="22012", pattern=wrong)])
    w.ask(1, 5000, query("SELECT * FROM missing", select), results=[result(1, 1, pattern=select)])
    w.ask(1, 6000, query("SELECT 1 / 1", wrong), results=[result(sqlstate="22012", pattern=wrong)])
    w.end(1, 7000)
    done = replay(rehearse, w, target)
    assert done["executions"] == 6
    assert done["errors"] == {"as_recorded": 1, "new": 1, "resolved": 1}
    assert pattern_of(done, "SELECT * FROM t")["sqlstates"] == {"42P01": 1}
    assert pattern_of(done, "SELECT * FROM t")["rows"] == {"same": 1, "differ": 0}
    assert in_app(target, "SELECT count(*) FROM t") == [(10,)]
    assert not_as_recorded(done) == {}


def test_extended_protocol_names_parameters_pipelines(rehearse, target):
    w = Workload()
    one = w.pattern("SELECT $1::int + $2")
    w.begin(1)
    w.ask(1, 1000, parse("s1", "SELECT $1::int + $2", [23, 23]), describe("S", "s1"), SYNC)
    both = [struct.pack(">I", 40), struct.pack(">I", 2)]
    w.ask(1, 2000, bind("s1", values=both, formats=[1], results=[1]), execute(one), SYNC,
          results=[result(1, 1, pattern=one)])
    # Sent without waiting: two batches, the first of which fails in the middle.
    first = w.request(1, 3000, bind("s1", values=both, formats=[1]), execute(one),
                      bind("nope"), execute(one), bind("s1", values=both, formats=[1]), execute(one), SYNC)
    second = w.request(1, 3010, bind("s1", values=[b"1", b"2"]), execute(one), SYNC)
    w.answer(1, 3100, first, results=[result(1, 1, pattern=one), result(sqlstate="26000", pattern=one)])
    w.answer(1, 3200, second, results=[result(1, 1, pattern=one)])
    # A Flush whose answer the client waits for, then the rest.
    w.request(1, 4000, parse("", "SELECT $1::text"), describe("S"), FLUSH)
    w.ask(1, 4200, bind(values=[b"x"]), execute(one), SYNC, results=[result(1, 1, pattern=one)])
    # A portal read in parts.
    w.ask(1, 5000, parse("", "SELECT generate_series(1, 5)"), bind(), execute(one, rows=2),
          execute(one, rows=2), execute(one, rows=2), SYNC,
          results=[dict(result(-1, 2)), result(-1, 2), result(1, 1)])
    w.end(1, 6000)
    done = replay(rehearse, w, target)
    assert done["errors"] == {"as_recorded": 1, "new": 0, "resolved": 0}
    assert done["executions"] == 8
    assert not_as_recorded(done) == {}


def test_copy_in_by_both_protocols_and_one_that_was_cut(rehearse, target):
    in_app(target, "CREATE TABLE t (id int, v text)")
    w = Workload()
    copy = w.pattern("COPY t FROM STDIN", writes=["t"])
    w.begin(1)
    first = w.request(1, 1000, query("COPY t FROM STDIN", copy))
    w.request(1, 1100, copy_data(b"1\tone\n"))
    w.request(1, 1200, copy_data(b"2\ttwo\n"))
    w.request(1, 1300, COPY_DONE)
    w.answer(1, 1400, first, results=[result(2, pattern=copy)])
    # By the extended protocol the first Sync is not answered, the second one is.
    w.request(1, 2000, parse("", "COPY t FROM STDIN"), bind(), execute(copy), SYNC)
    w.request(1, 2100, copy_data(b"3\tthree\n"))
    last = w.request(1, 2200, COPY_DONE, SYNC)
    w.answer(1, 2300, last, results=[result(1, pattern=copy)])
    # Data beyond the recording's cap: the whole rows of what it kept.
    third = w.request(1, 3000, query("COPY t FROM STDIN", copy))
    w.request(1, 3100, copy_data(b"4\tfour\n5\tfi", left_out=1000))
    w.request(1, 3200, COPY_DONE)
    w.answer(1, 3300, third, results=[result(80, pattern=copy)])
    # One that fails at once: its data goes nowhere, the session goes on.
    fourth = w.request(1, 4000, query("COPY nowhere FROM STDIN", copy))
    w.request(1, 4100, copy_data(b"6\tsix\n"))
    w.request(1, 4200, COPY_DONE)
    w.answer(1, 4300, fourth, results=[result(1, pattern=copy)])
    w.ask(1, 5000, query("SELECT 1"), results=[result(1, 1)])
    w.end(1, 6000)
    done = replay(rehearse, w, target)
    assert [row[0] for row in in_app(target, "SELECT id FROM t ORDER BY id")] == [1, 2, 3, 4]
    assert done["errors"] == {"as_recorded": 0, "new": 1, "resolved": 0}
    assert pattern_of(done, "COPY t")["rows"] == {"same": 2, "differ": 1}
    assert not_as_recorded(done) == {"copy-data-cut": 1}
    assert done["executions"] == 5


def test_sessions_keep_temporary_tables_settings_and_sql_prepare(rehearse, target):
    w = Workload()
    w.begin(1, startup={"search_path": "pg_catalog", "application_name": "shop"})
    for at, sql in enumerate(["CREATE TEMP TABLE mine (a int)", "PREPARE p AS SELECT count(*) FROM mine",
                              "EXECUTE p", "SET work_mem = '1MB'", "BEGIN", "SAVEPOINT s", "SELECT 1/0",
                              "ROLLBACK TO s", "INSERT INTO mine VALUES (1)", "COMMIT", "EXECUTE p"]):
        w.ask(1, 1000 * (at + 1), query(sql), status="T" if 4 <= at <= 8 else "I",
              results=[result(sqlstate="22012" if "/0" in sql else "", rows=-1)])
    w.end(1, 20000)
    done = replay(rehearse, w, target)
    assert done["errors"] == {"as_recorded": 1, "new": 0, "resolved": 0}


def test_midway_sessions_are_brought_into_their_state(rehearse, target):
    w = Workload()
    one = w.pattern("SELECT $1")
    w.begin(1, midway=True, prologue=[query("SET application_name = 'old one'"),
                                      parse("kept", "SELECT current_setting('application_name')")])
    w.ask(1, 1000, bind("kept"), execute(one), SYNC, results=[result(1, 1, pattern=one)])
    w.end(1, 2000)
    done = replay(rehearse, w, target)
    assert done["errors"] == {"as_recorded": 0, "new": 0, "resolved": 0}
    assert not_as_recorded(done) == {}


def test_types_have_other_numbers_there(rehearse, target):
    """Enums, composites and arrays of them in binary parameters of a database numbered otherwise."""
    in_app(target, "CREATE TYPE filler AS ENUM ('x')")
    in_app(target, "CREATE TYPE mood AS ENUM ('sad', 'ok')")
    in_app(target, "CREATE TYPE pair AS (m mood, n int)")
    in_app(target, "CREATE TABLE t (m mood, ms mood[], p pair, ps pair[])")
    mood, moods, pair, pairs = 20001, 20002, 20003, 20004
    w = Workload(types=[[mood, "public", "mood", "e", 0], [moods, "public", "_mood", "b", mood],
                        [pair, "public", "pair", "c", 0], [pairs, "public", "_pair", "b", pair],
                        [20005, "public", "gone", "e", 0]])

    def array(element, item):
        return struct.pack(">IIIII", 1, 0, element, 1, 1) + struct.pack(">I", len(item)) + item
    record = (struct.pack(">I", 2) + struct.pack(">II", mood, 2) + b"ok" +
              struct.pack(">II", 23, 4) + struct.pack(">I", 7))
    values = [b"ok", array(mood, b"sad"), record, array(pair, record)]
    insert = w.pattern("INSERT INTO t VALUES ($1, $2, $3, $4)", writes=["t"])
    w.begin(1)
    for at, types in enumerate([(mood, moods, pair, pairs), (), (mood, 0, pair, 0)]):
        w.ask(1, 1000 * (at + 1), parse("", "INSERT INTO t VALUES ($1, $2, $3, $4)", types),
              bind(values=values, formats=[1]), execute(insert), SYNC, results=[result(1, pattern=insert)])
    w.end(1, 9000)
    done = replay(rehearse, w, target)
    assert done["errors"] == {"as_recorded": 0, "new": 0, "resolved": 0}
    assert in_app(target, "SELECT DISTINCT m::text, ms::text, p::text, ps::text FROM t") == [
        ("ok", "{sad}", "(ok,7)", '{"(ok,7)"}')]
    assert done["target"]["types_moved"] == 4
    assert done["target"]["type_missing"] == "public.gone"
    assert not_as_recorded(done) == {"types-missing": 1}


def test_cancel_is_sent_while_the_request_runs_and_is_no_error(rehearse, target):
    w = Workload()
    slow, quick = w.pattern("SELECT pg_sleep($1)"), w.pattern("SELECT $1")
    w.begin(1)
    number = w.request(1, 1000, query("SELECT pg_sleep(30)", slow))
    w.cancel(1, 101_000, number)
    w.answer(1, 120_000, number, results=[result(sqlstate="57014", pattern=slow)])
    # Here it is done before the request to cancel it would come.
    number = w.request(1, 200_000, query("SELECT 1", quick))
    w.cancel(1, 300_000, number)
    w.answer(1, 310_000, number, results=[result(sqlstate="57014", pattern=quick)])
    w.ask(1, 320_000, query("SELECT 2", quick), results=[result(1, 1, pattern=quick)])
    w.end(1, 330_000)
    done = replay(rehearse, w, target)
    assert done["cancels"] == {"sent": 1, "not_needed": 1}
    assert done["cancelled"] == 1
    assert done["errors"] == {"as_recorded": 0, "new": 0, "resolved": 0}
    assert done["duration_ms"] < 5000


@pytest.mark.alone
def test_schedule_is_kept_and_speed_divides_it(rehearse, target):
    w = Workload()
    one = w.pattern("SELECT $1")
    w.begin(1)
    for i in range(10):
        w.ask(1, 100_000 * (i + 1), query("SELECT 1", one), results=[result(1, 1, pattern=one)])
    w.end(1, 1_050_000)
    at_once = replay(rehearse, w, target)
    assert 1000 <= at_once["duration_ms"] < 3000
    os.unlink(rehearse.directory / "w.workload")
    twice = replay(rehearse, w, target, "--speed", "10")
    assert 100 <= twice["duration_ms"] < 700
    os.unlink(rehearse.directory / "w.workload")
    quick = replay(rehearse, w, target, "--skip-idle", "--speed", "0.5")
    assert quick["duration_ms"] < 1900 and quick["skipped_ms"] > 500
    assert quick["executions"] == 10


@pytest.mark.alone
def test_what_keeps_an_arrival_back_counts_as_its_response_time(rehearse, target):
    """Arrivals 100 ms apart behind a statement that takes half a second here and took none there."""
    w = Workload()
    slow, one = w.pattern("SELECT pg_sleep($1)"), w.pattern("SELECT $1")
    w.begin(1)
    w.ask(1, 1000, query("SELECT pg_sleep(0.5)", slow), results=[result(1, 1, pattern=slow)])
    for i in range(3):
        w.ask(1, 101_000 + 100_000 * i, query("SELECT 1", one), results=[result(1, 1, pattern=one)])
    w.end(1, 400_000)
    done = replay(rehearse, w, target)
    arrivals = pattern_of(done, "SELECT $1")
    assert arrivals["service_us"]["max"] < 150_000
    assert 350_000 < arrivals["response_us"]["max"] < 600_000
    assert not done["replayer"]["bound"]


def test_commit_order_between_sessions_is_kept(rehearse, target):
    """Session 2 reads what session 1 had committed before: here that takes longer than there."""
    in_app(target, "CREATE TABLE t (id int)")
    w = Workload()
    insert = w.pattern("INSERT INTO t SELECT $1 FROM pg_sleep($2)", writes=["t"])
    select = w.pattern("SELECT * FROM t", reads=["t"])
    w.begin(1)
    w.begin(2)
    w.ask(1, 1000, query("INSERT INTO t SELECT 1 FROM pg_sleep(0.3)", insert), results=[result(1, pattern=insert)])
    w.ask(2, 50_000, query("SELECT * FROM t", select), results=[result(1, 1, pattern=select)])
    w.end(1, 60_000)
    w.end(2, 60_000)
    for options in ([], ["--speed", "max"]):
        in_app(target, "TRUNCATE t")
        done = replay(rehearse, w, target, *options)
        assert pattern_of(done, "SELECT * FROM t")["rows"] == {"same": 1, "differ": 0}
        assert done["commit_order"]["waits"] == 1
        assert done["commit_order"]["escapes_deadline"] == 0
        os.unlink(rehearse.directory / "w.workload")
    in_app(target, "TRUNCATE t")
    done = replay(rehearse, w, target, "--order-wait", "100ms")
    assert done["commit_order"]["escapes_deadline"] == 1


def test_order_that_would_deadlock_with_a_lock_is_given_up_at_once(rehearse, target):
    """Session 2 holds an advisory lock that session 1 wants here, and waits for its commit."""
    in_app(target, "CREATE TABLE t (id int)")
    w = Workload()
    lock = w.pattern("SELECT pg_advisory_xact_lock($1)")
    insert = w.pattern("INSERT INTO t SELECT $1 FROM pg_advisory_xact_lock($2)", writes=["t"])
    select = w.pattern("SELECT * FROM t", reads=["t"])
    w.begin(1)
    w.begin(2)
    w.ask(2, 1000, query("BEGIN"), status="T", results=[result()])
    w.ask(2, 2000, query("SELECT pg_advisory_xact_lock(1)", lock), status="T", results=[result(1, 1, pattern=lock)])
    w.ask(1, 1_050_000, query("INSERT INTO t SELECT 1 FROM pg_advisory_xact_lock(1)", insert),
          results=[result(1, pattern=insert)])
    w.ask(2, 1_100_000, query("SELECT * FROM t", select), status="T", results=[result(1, 1, pattern=select)])
    w.ask(2, 1_101_000, query("COMMIT"), results=[result()])
    w.end(1, 1_200_000)
    w.end(2, 1_200_000)
    done = replay(rehearse, w, target, "--order-wait", "20s")
    assert done["commit_order"]["escapes_lock"] == 1
    assert done["duration_ms"] < 5000


def test_read_only_leaves_out_what_writes(rehearse, target):
    in_app(target, "CREATE TABLE t (id int)")
    in_app(target, "CREATE FUNCTION sneaky() RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES (1) RETURNING 1'")
    w = Workload()
    insert = w.pattern("INSERT INTO t VALUES ($1)", writes=["t"])
    select, hidden = w.pattern("SELECT count(*) FROM t", reads=["t"]), w.pattern("SELECT sneaky()")
    copy = w.pattern("COPY t FROM STDIN", writes=["t"])
    w.begin(1)
    w.ask(1, 1000, query("INSERT INTO t VALUES (1)", insert), results=[result(1, pattern=insert)])
    w.ask(1, 2000, parse("", "INSERT INTO t VALUES (2)"), bind(), execute(insert),
          parse("", "SELECT count(*) FROM t"), bind(), execute(select), SYNC,
          results=[result(1, pattern=insert), result(1, 1, pattern=select)])
    number = w.request(1, 3000, query("COPY t FROM STDIN", copy))
    w.request(1, 3100, copy_data(b"3\n"))
    w.request(1, 3200, COPY_DONE)
    w.answer(1, 3300, number, results=[result(1, pattern=copy)])
    w.ask(1, 4000, query("SELECT sneaky()", hidden), results=[result(1, 1, pattern=hidden)])
    w.end(1, 5000)
    done = replay(rehearse, w, target, "--read-only")
    assert in_app(target, "SELECT count(*) FROM t") == [(0,)]
    assert not_as_recorded(done) == {"writes": 3}
    assert pattern_of(done, "sneaky")["sqlstates"] == {"25006": 1}
    assert pattern_of(done, "count")["rows"] == {"same": 1, "differ": 0}


def test_redacted_and_left_out_messages_are_counted(rehearse, target):
    w = Workload()
    w.begin(1)
    w.ask(1, 1000, query("", redacted=1), results=[result()])
    w.ask(1, 2000, query("SELECT", left_out=100), results=[result()])
    w.ask(1, 3000, query("SELECT 1"), results=[result(1, 1)])
    w.end(1, 4000)
    done = replay(rehearse, w, target)
    assert not_as_recorded(done) == {"redacted": 1, "left-out": 1}
    assert done["executions"] == 1


def test_roles_by_name_else_the_given_one(rehearse, target):
    target.sql("DROP ROLE IF EXISTS shop")
    target.sql("CREATE ROLE shop LOGIN")
    w = Workload()
    for session, user in enumerate(["shop", "unknown", "mapped"], 1):
        w.begin(session, user=user)
        w.ask(session, 1000 * session, query("DO $$ BEGIN IF session_user <> '%s' THEN RAISE 'x'; END IF; END $$" %
                                             {"shop": "shop", "unknown": "postgres", "mapped": "shop"}[user]),
              results=[result()])
        w.end(session, 9000)
    done = replay(rehearse, w, target, "--user-map", "mapped=shop")
    target.sql("DROP ROLE shop")
    assert done["errors"]["new"] == 0
    assert not_as_recorded(done) == {"users-replaced": 1}
    assert done["target"]["users_replaced"] == "unknown"


def test_production_is_refused_and_a_target_is_a_must(rehearse, target):
    w = Workload()
    w.begin(1)
    w.end(1, 1000)
    path = w.write(rehearse.directory / "w.workload")
    outcome = rehearse("replay", path)
    assert outcome.status == 2 and "--to is missing" in outcome.stderr
    target.sql("ALTER DATABASE app SET rehearse.production = on")
    outcome = rehearse("replay", path, "--to", url_of(target))
    assert outcome.status == 2 and "it is production" in outcome.stderr
    target.sql("ALTER DATABASE app RESET rehearse.production")
    rehearse.write("rehearse.yaml", "production: ['ap*']\n")
    outcome = rehearse("replay", path, "--to", url_of(target))
    assert outcome.status == 2 and 'its name matches "ap*"' in outcome.stderr


def test_more_sessions_than_the_target_has_room_for(rehearse, target):
    w = Workload()
    for session in range(1, 31):
        w.begin(session, at=session)
        w.ask(session, 1000 + session, query("SELECT 1"), results=[result(1, 1)])
        w.end(session, 90_000)
    outcome = replay(rehearse, w, target, status=1)
    assert "30 sessions at once" in outcome.stderr and "--max-sessions" in outcome.stderr
    os.unlink(rehearse.directory / "w.workload")
    done = replay(rehearse, w, target, "--max-sessions", "10")
    assert not_as_recorded(done) == {"sessions-over": 20}
    assert done["executions"] == 10 and done["sessions_most_at_once"] == 10


def test_target_that_lets_nobody_in(rehearse, target):
    w = Workload()
    w.begin(1)
    w.end(1, 1000)
    outcome = replay(rehearse, w, target, url=url_of(target, "nobody_of_that_name"), status=1)
    assert "does not exist" in outcome.stderr
    os.unlink(rehearse.directory / "w.workload")
    outcome = replay(rehearse, w, target, url="postgresql://x@127.0.0.1:1/app", status=1)
    assert "refused" in outcome.stderr


def test_samples_and_gate_for_a_parent(rehearse, target):
    w = Workload()
    one = w.pattern("SELECT $1")
    w.begin(1, midway=True)
    for i in range(5):
        w.ask(1, 1000 * (i + 1), query("SELECT 1", one), results=[result(1, 1, pattern=one)])
    w.end(1, 10_000)
    path = w.write(rehearse.directory / "w.workload")
    samples, samples_end = os.pipe()
    gate_end, gate = os.pipe()
    process = rehearse.start("replay", path, "--to", url_of(target), "--samples-fd", samples_end,
                             "--gate-fd", gate_end, pass_fds=(samples_end, gate_end))
    os.close(samples_end)
    os.close(gate_end)
    with os.fdopen(samples, "rb") as stream:
        assert stream.read(8) == b"RHSAMPL1"
        assert stream.read(112)[0] == 2  # prepared
        begins = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000 + 300_000
        os.write(gate, struct.pack("<q", begins))
        os.close(gate)
        records = [stream.read(112) for _ in range(5)]
        assert stream.read() == b""
    assert rehearse.finish(process).status == 0
    for i, record in enumerate(records):
        kind, pattern, session, request, intended, sent, first, complete, rows, returned = struct.unpack(
            "<IIQQqqqqqq", record[:72])
        assert (kind, pattern, session, request, rows, returned) == (1, one, 1, i + 1, 1, 1)
        assert begins + 1000 * (i + 1) <= intended <= sent <= first <= complete < begins + 2 * SECOND


@pytest.mark.parametrize("how", ["trust", "password", "md5", "scram-sha-256"])
def test_every_way_to_log_in(rehearse, target, how):
    w = Workload()
    w.begin(1, user="keeper")
    w.ask(1, 1000, query("SELECT 1"), results=[result(1, 1)])
    w.end(1, 2000)
    target.sql("DROP ROLE IF EXISTS keeper")
    with target.connect(autocommit=True) as connection:
        connection.execute(f"SET password_encryption = '{'md5' if how == 'md5' else 'scram-sha-256'}'")
        connection.execute("CREATE ROLE keeper LOGIN PASSWORD 'gehéim%'")
    hba = target.data / "pg_hba.conf"
    kept = hba.read_text()
    hba.write_text(f"local all keeper {how}\n" + kept)
    target.sql("SELECT pg_reload_conf()")
    try:
        url = f"postgresql://keeper:geh%C3%A9im%25@/app?host={target.directory}"
        done = replay(rehearse, w, target, url=url)
        assert done["executions"] == 1
        if how != "trust":
            os.unlink(rehearse.directory / "w.workload")
            outcome = replay(rehearse, w, target, url=url.replace("%A9", "%A8"), status=1)
            assert "geh" not in outcome.stderr
    finally:
        hba.write_text(kept)
        target.sql("SELECT pg_reload_conf()")
        target.sql("DROP ROLE keeper")


@pytest.fixture
def own_cluster():
    """A server with settings of its own, which the test may kill."""
    clusters = []

    def start(**settings):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="rh-replay-", dir="/var/tmp"))
        cluster = Cluster(Server(*debian_server()), directory)
        clusters.append(cluster)
        cluster.start(**settings)
        cluster.sql("CREATE DATABASE app")
        return cluster
    yield start
    for cluster in clusters:
        cluster.stop()


@pytest.mark.parametrize("late", ["the first phase", "the second phase"])
@pytest.mark.parametrize("protocol", ["simple", "extended"])
def test_two_phase_commit_is_in_the_order_of_commits(rehearse, own_cluster, late, protocol):
    """Who had seen what COMMIT PREPARED of another session brought waits for it, and that for its PREPARE
    TRANSACTION, though either is later here than it was there."""
    cluster = own_cluster(max_prepared_transactions="5")
    in_app(cluster, "CREATE TABLE t (v int)")
    w = Workload()

    def said(sql, pattern):
        return ([query(sql, pattern)] if protocol == "simple"
                else [parse("", sql), bind(), execute(pattern), SYNC])
    begin, sleep = w.pattern("BEGIN"), w.pattern("SELECT pg_sleep($1)")
    prepare, commit = w.pattern("PREPARE TRANSACTION $1"), w.pattern("COMMIT PREPARED $1")
    insert, select = w.pattern("INSERT INTO t VALUES ($1)", writes=["t"]), w.pattern("SELECT * FROM t", reads=["t"])
    for session in (1, 2, 3):
        w.begin(session)
    w.ask(1, 1000, query("BEGIN", begin), status="T", results=[result(pattern=begin)])
    w.ask(1, 2000, query("INSERT INTO t VALUES (1)", insert), status="T", results=[result(1, pattern=insert)])
    if late == "the first phase":
        w.ask(1, 3000, query("SELECT pg_sleep(0.5)", sleep), status="T", results=[result(1, 1, pattern=sleep)])
    w.ask(1, 4000, *said("PREPARE TRANSACTION 'g'", prepare), results=[result(pattern=prepare)])
    if late == "the second phase":
        w.ask(2, 4500, query("SELECT pg_sleep(0.5)", sleep), results=[result(1, 1, pattern=sleep)])
    w.ask(2, 5000, *said("COMMIT PREPARED 'g'", commit), results=[result(pattern=commit)])
    w.ask(3, 6000, query("SELECT * FROM t", select), results=[result(1, 1, pattern=select)])
    for session in (1, 2, 3):
        w.end(session, 7000)
    for speed in ("1", "max"):
        in_app(cluster, "TRUNCATE t")
        (rehearse.directory / "w.workload").unlink(missing_ok=True)
        done = replay(rehearse, w, cluster, "--speed", speed)
        assert done["errors"] == {"as_recorded": 0, "new": 0, "resolved": 0}
        assert pattern_of(done, "SELECT * FROM t")["rows"] == {"same": 1, "differ": 0}
        assert done["commit_order"]["escapes_deadline"] == done["commit_order"]["escapes_lock"] == 0
        assert done["commit_order"]["waits"] >= 1


def test_a_thousand_sessions_on_one_thread(rehearse, own_cluster):
    cluster = own_cluster(max_connections="1050", shared_buffers="64MB")
    w = Workload()
    one = w.pattern("SELECT $1")
    for session in range(1, 1001):
        w.begin(session, at=session)
        for i in range(3):
            w.ask(session, 1_000_000 * (i + 1) + 1000 * session, query("SELECT 1", one),
                  results=[result(1, 1, pattern=one)])
        w.end(session, 5_000_000)
    done = replay(rehearse, w, cluster, "--speed", "max", timeout=120)
    assert done["executions"] == 3000 and done["sessions_most_at_once"] == 1000
    assert done["errors"]["new"] == 0 and not_as_recorded(done) == {}


@pytest.mark.parametrize("sessions, speed", [(2000, "max"), (150, "4")])
def test_thousands_of_short_sessions_where_few_have_room(rehearse, own_cluster, sessions, speed):
    """The recording never had more than 45 at once; the server needs longer for each than it took there."""
    cluster = own_cluster(max_connections="50", shared_buffers="16MB")
    in_app(cluster, "CREATE TABLE t (session int)")
    w = Workload()
    insert = w.pattern("INSERT INTO t VALUES ($1)", writes=["t"])
    for session in range(1, sessions + 1):
        at = 1000 * session
        w.begin(session, at=at)
        w.ask(session, at + 20_000, query(f"INSERT INTO t VALUES ({session})", insert),
              results=[result(1, pattern=insert)])
        w.end(session, at + 44_000)
    done = replay(rehearse, w, cluster, "--speed", speed, timeout=180)
    assert not_as_recorded(done) == {}, done["lost"]
    assert done["sessions"] == sessions and done["executions"] == sessions
    assert done["errors"] == {"as_recorded": 0, "new": 0, "resolved": 0}
    assert 10 < done["sessions_most_at_once"] < 50
    assert in_app(cluster, "SELECT count(*), count(DISTINCT session) FROM t") == [(sessions, sessions)]


def test_server_killed_in_the_middle(rehearse, own_cluster):
    """What was done until then is told, and the replay ends by itself."""
    cluster = own_cluster(max_connections="60")
    w = Workload()
    one = w.pattern("SELECT $1")
    for session in range(1, 41):
        at = 0 if session <= 5 else 2_000_000 + 1000 * session
        w.begin(session, at=at)
        for i in range(300):
            w.ask(session, at + 10_000 * (i + 1), query("SELECT 1", one), results=[result(1, 1, pattern=one)])
        w.end(session, at + 4_000_000)
    path = w.write(rehearse.directory / "w.workload")
    out = rehearse.directory / "replay.json"
    process = rehearse.start("replay", path, "--to", url_of(cluster), "--out", out)
    with cluster.connect("app", autocommit=True) as connection:
        wait_for(lambda: connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT 1'").fetchone()[0] >= 5,
            20, "sessions play")
    cluster.process.kill()
    outcome = rehearse.finish(process, timeout=60)
    assert outcome.status == 0, outcome
    done = json.loads(out.read_text())
    gaps = not_as_recorded(done)
    assert gaps["sessions-lost"] == 5 and gaps["sessions-refused"] >= 20
    assert done["lost"]["early"] and done["executions"] > 0
    assert "ended early" in outcome.stdout


@pytest.mark.parametrize("mode, how", [("require", "scram-sha-256"), ("disable", "scram-sha-256"),
                                       ("verify-ca", "password")])
def test_over_tcp_and_tls_with_channel_binding(rehearse, own_cluster, tmp_path, mode, how):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    certificate, key = tmp_path / "server.crt", tmp_path / "server.key"
    subprocess.run(["openssl", "req", "-new", "-x509", "-days", "2", "-nodes", "-subj", "/CN=localhost",
                    "-out", certificate, "-keyout", key], check=True, capture_output=True)
    cluster = own_cluster()
    for path in (certificate, key):
        shutil.copy(path, cluster.data)
        (cluster.data / path.name).chmod(0o600)
        if IS_ROOT:
            shutil.chown(cluster.data / path.name, "postgres", "postgres")
    cluster.sql("CREATE ROLE keeper LOGIN PASSWORD 'hush'")
    hba = cluster.data / "pg_hba.conf"
    hba.write_text(hba.read_text() + f"host all keeper 127.0.0.1/32 {how}\n")
    cluster.process.send_signal(signal.SIGINT)
    cluster.process.wait(20)
    cluster.process = subprocess.Popen(
        [f"{cluster.server.bin}/postgres", "-D", str(cluster.data), "-c", "listen_addresses=127.0.0.1",
         "-c", f"port={port}", "-c", f"unix_socket_directories={cluster.directory}", "-c", "ssl=on",
         "-c", "log_connections=on"], cwd="/", stdout=cluster.log, stderr=cluster.log,
        **cluster._as_server())
    w = Workload()
    w.begin(1, user="keeper")
    number = w.request(1, 1000, query("SELECT pg_sleep(20)"))
    w.cancel(1, 51_000, number)
    w.answer(1, 60_000, number, results=[result(sqlstate="57014")])
    w.ask(1, 70_000, query("SELECT repeat('x', 1000) FROM generate_series(1, 5000)"),
          results=[result(5000, 5000)])
    w.end(1, 80_000)
    url = (f"postgresql://keeper:hush@127.0.0.1:{port}/app?sslmode={mode}"
           f"{'&sslrootcert=' + str(certificate) if mode == 'verify-ca' else ''}")
    # It listens before it lets anybody in.
    wait_for(lambda: subprocess.run([f"{cluster.server.bin}/psql", "-h", str(cluster.directory), "-p", str(port), "-U",
                                     "postgres", "-c", "SELECT"], capture_output=True).returncode == 0, 20,
             "the server answers")
    done = replay(rehearse, w, cluster, url=url)
    assert done["cancelled"] == 1 and done["errors"]["new"] == 0
    assert done["executions"] == 2


def test_deep_pipelines_and_large_results_and_copies(rehearse, target):
    """Thousands of batches sent ahead, and more of a COPY than sockets and caps hold."""
    in_app(target, "CREATE TABLE t (v text)")
    w = Workload()
    one, copy = w.pattern("SELECT $1::text"), w.pattern("COPY t FROM STDIN", writes=["t"])
    rows = w.pattern("SELECT repeat($1, $2) FROM generate_series($3, $4)")
    w.begin(1)
    w.begin(2)
    w.ask(1, 900, parse("s", "SELECT $1::text"), SYNC)
    numbers = [w.request(1, 1000 + i, bind("s", values=[b"%d" % i]), execute(one), SYNC) for i in range(5000)]
    for number in numbers:
        w.answer(1, 10_000 + number, number, results=[result(1, 1, pattern=one)])
    w.ask(1, 30_000, query("SELECT repeat('x', 300000) FROM generate_series(1, 100)", rows),
          results=[result(100, 100, pattern=rows)])
    first = w.request(2, 1000, query("COPY t FROM STDIN", copy))
    line = b"x" * 99_999 + b"\n"
    for i in range(1000):
        w.request(2, 1100 + i, copy_data(line))
    w.request(2, 3000, COPY_DONE)
    w.answer(2, 4000, first, results=[result(1000, pattern=copy)])
    w.end(1, 40_000)
    w.end(2, 40_000)
    done = replay(rehearse, w, target, timeout=120)
    assert done["executions"] == 5002 and done["errors"]["new"] == 0
    assert pattern_of(done, "COPY")["rows"] == {"same": 1, "differ": 0}
    assert in_app(target, "SELECT count(*), min(length(v)) FROM t") == [(1000, 99_999)]


def test_damaged_and_missing_workloads(rehearse, target):
    outcome = rehearse("replay", "none.workload", "--to", url_of(target))
    assert outcome.status == 2, outcome
    rehearse.write("w.workload", b"no workload")
    outcome = rehearse("replay", "w.workload", "--to", url_of(target))
    assert outcome.status == 2, outcome
    outcome = rehearse("replay", "w.workload", "--to", url_of(target), "--speed", "0.01")
    assert outcome.status == 2 and "no speed" in outcome.stderr


# --- what was really said ------------------------------------------------------------------------------

@pytest.fixture
def captured(rehearse, target):
    """captured(play): what play(url) does to database app through a capture; a copy of app is as it was."""
    def capture(play):
        target.sql("DROP DATABASE IF EXISTS copy WITH (FORCE)")
        target.sql("CREATE DATABASE copy TEMPLATE app")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = rehearse.start("capture", "--upstream", url_of(target), "--listen", f"127.0.0.1:{port}",
                                 "-o", rehearse.directory / "app.workload", "--unencrypted", "--json")
        try:
            while b"ready" not in (line := process.stdout.readline()):
                assert line, process.communicate()[1]
            play(port)
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=40)
        assert process.returncode == 0
        return rehearse.directory / "app.workload"
    yield capture
    target.sql("DROP DATABASE IF EXISTS copy WITH (FORCE)")


def replay_copy(rehearse, cluster, path, *options):
    out = rehearse.directory / "replay.json"
    outcome = rehearse("replay", path, "--to", url_of(cluster, database="copy"), "--out", out, *options)
    assert outcome.status == 0, outcome
    return json.loads(out.read_text())


def differing(done):
    return [pattern["query"] for pattern in done["patterns"]
            if pattern["rows"]["differ"] or pattern["digests"]["differ"]]


@pytest.mark.parametrize("mode, speed", [("simple", "1"), ("extended", "max"), ("prepared", "10"), ("pipeline", "max")])
def test_pgbench_captured_and_replayed_gives_the_same_answers(rehearse, target, captured, tmp_path, mode, speed):
    bench = [f"{target.server.bin}/pgbench", "-U", "postgres"]
    subprocess.run([*bench, "-h", str(target.directory), "-i", "-q", "app"], check=True, capture_output=True)
    script = tmp_path / "pipeline.sql"
    script.write_text("\\set aid random(1, 100000)\n\\startpipeline\n"
                      "UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;\n"
                      "SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n\\endpipeline\n")
    more = ["-M", "prepared", "-f", str(script)] if mode == "pipeline" else ["-M", mode]
    path = captured(lambda port: subprocess.run(
        [*bench, "-h", "127.0.0.1", "-p", str(port), "-n", "-c", "4", "-t", "50", *more, "app"],
        check=True, capture_output=True))
    done = replay_copy(rehearse, target, path, "--speed", speed)
    assert done["errors"] == {"as_recorded": 0, "new": 0, "resolved": 0}
    assert differing(done) == [] and not_as_recorded(done) == {}
    with target.connect("app") as one, target.connect("copy") as other:
        sums = "SELECT sum(abalance), count(*) FROM pgbench_accounts WHERE abalance <> 0"
        assert one.execute(sums).fetchone() == other.execute(sums).fetchone()


def test_what_psycopg_says_captured_and_replayed(rehearse, target, captured):
    import psycopg
    from psycopg.types.enum import EnumInfo, register_enum
    import enum
    in_app(target, "CREATE TYPE mood AS ENUM ('sad', 'ok')")
    in_app(target, "CREATE TABLE t (id serial, m mood, ms mood[], v text)")

    class Mood(enum.Enum):
        sad, ok = "sad", "ok"

    def play(port):
        with psycopg.connect(f"host=127.0.0.1 port={port} user=postgres dbname=app") as connection:
            register_enum(EnumInfo.fetch(connection, "mood"), connection, Mood)
            cursor = connection.cursor(binary=True)
            for i in range(8):
                cursor.execute("INSERT INTO t (m, ms, v) VALUES (%b, %b, %b)", (Mood.ok, [Mood.sad, Mood.ok], f"v{i}"))
            with cursor.copy("COPY t (m, v) FROM STDIN") as copy:
                for i in range(100):
                    copy.write_row((Mood.sad.value, "x" * i))
            with cursor.copy("COPY (SELECT * FROM t ORDER BY id) TO STDOUT") as copy:
                assert len(b"".join(copy)) > 1000
            with connection.pipeline():
                for i in range(20):
                    cursor.execute("SELECT * FROM t WHERE id = %b", (i,))
            connection.commit()
            try:
                cursor.execute("SELECT 1/0")
            except psycopg.errors.DivisionByZero:
                connection.rollback()
    path = captured(play)
    # Its types have other numbers in the copy.
    with target.connect("copy", autocommit=True) as connection:
        connection.execute("CREATE TYPE other AS ENUM ('x'); DROP TABLE t; DROP TYPE mood; "
                           "CREATE TYPE mood AS ENUM ('sad', 'ok'); "
                           "CREATE TABLE t (id serial, m mood, ms mood[], v text)")
    done = replay_copy(rehearse, target, path)
    assert done["errors"] == {"as_recorded": 1, "new": 0, "resolved": 0}, done
    assert done["target"]["types_moved"] > 0
    with target.connect("app") as one, target.connect("copy") as other:
        rows = "SELECT id, m::text, ms::text, v FROM t ORDER BY id"
        assert one.execute(rows).fetchall() == other.execute(rows).fetchall()


def test_every_server_version_is_logged_in_to_asked_and_cancelled(rehearse, cluster_of, server):
    cluster = cluster_of(server)
    cluster.sql("DROP DATABASE IF EXISTS app WITH (FORCE)")
    cluster.sql("CREATE DATABASE app")
    in_app(cluster, "CREATE TABLE t (id int); CREATE TYPE mood AS ENUM ('ok')")
    w = Workload(types=[[20001, "public", "mood", "e", 0]])
    insert = w.pattern("INSERT INTO t SELECT $1 FROM pg_advisory_xact_lock($2)", writes=["t"])
    select, slow = w.pattern("SELECT * FROM t", reads=["t"]), w.pattern("SELECT pg_sleep($1)")
    w.begin(1)
    w.begin(2)
    w.ask(2, 2000, query("BEGIN; SELECT pg_advisory_xact_lock(1)"), status="T",
          results=[result(), result(1, 1)])
    w.ask(1, 1_050_000, query("INSERT INTO t SELECT 1 FROM pg_advisory_xact_lock(1)", insert),
          results=[result(1, pattern=insert)])
    w.ask(2, 1_100_000, query("SELECT * FROM t", select), status="T", results=[result(1, 1, pattern=select)])
    w.ask(2, 1_101_000, query("COMMIT"), results=[result()])
    w.ask(1, 1_300_000, parse("", "SELECT $1::mood", [20001]), bind(values=[b"ok"], formats=[1]), execute(), SYNC,
          results=[result(1, 1)])
    number = w.request(1, 1_310_000, query("SELECT pg_sleep(20)", slow))
    w.cancel(1, 1_400_000, number)
    w.answer(1, 1_410_000, number, results=[result(sqlstate="57014", pattern=slow)])
    w.end(1, 1_500_000)
    w.end(2, 1_500_000)
    done = replay(rehearse, w, cluster, "--order-wait", "20s")
    cluster.sql("DROP DATABASE app WITH (FORCE)")
    assert done["commit_order"]["escapes_lock"] == 1
    assert done["cancelled"] == 1 and done["errors"]["new"] == 0
    assert done["target"]["server_version"].split(".")[0] == str(server.major)
