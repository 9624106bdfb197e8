"""rehearse workload import: logs that real servers wrote, against what their clients had sent."""
import gzip
import json
import pathlib
import shutil
import sqlite3
import tempfile

import psycopg
import pytest
from conftest import Cluster, wait_for

PREFIX = "%m [%p] %q%u@%d "
# Lines, quotes, tabs, brackets: whatever could be taken for the log's own.
SIMPLE = ["BEGIN", "INSERT INTO people VALUES (1, 'O''Brien', NULL)",
          "SELECT *\n  FROM people -- \"all\",\n\tWHERE name LIKE 'O%'\n\n", "SELECT 'LOG:  statement: no'",
          "COMMIT", "PREPARE p AS SELECT $1::int", "EXECUTE p(7)", "SELECT 1; SELECT 2",
          "ALTER ROLE postgres PASSWORD 'opensesame'"]
EXTENDED = [("INSERT INTO people VALUES (%s, %s, %s)", (2, "it's a 'name', $2 = ", None)),
            ("SELECT * FROM people\nWHERE id = %s AND name <> %s", (2, "x\ny\t\"z\"")),
            ("SELECT %s::text", ("",)), ("SELECT %s::int", (-5,)), ("SELECT %s::bool", (True,))]
FAILING = "SELECT 1/0"


def logged_how(connection, how):
    if how == "durations":
        connection.execute("SET log_min_duration_statement = 0")
    else:
        connection.execute("SET log_duration = on")
        connection.execute("SET log_statement = 'all'")


@pytest.fixture(scope="module")
def logs(server):
    """{form: path} of what one server wrote of the same sessions."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix=f"rh-log{server.major}-", dir="/var/tmp"))
    cluster = Cluster(server, directory)
    forms = forms_of(server.major)
    try:
        cluster.start(logging_collector="on", log_destination=",".join(forms), log_filename="server.log",
                      log_line_prefix=PREFIX, log_connections="on", log_disconnections="on",
                      log_directory=str(directory / "log.d"))
        cluster.sql("CREATE TABLE people (id int, name text, note text)")
        for how in ("durations", "announced"):
            with cluster.connect(autocommit=True) as connection:
                logged_how(connection, how)
                for query in SIMPLE:
                    connection.pgconn.exec_(query.encode())
                for query, values in EXTENDED:
                    for _ in range(2):
                        connection.execute(query, values, prepare=True)
                with pytest.raises(psycopg.errors.DivisionByZero):
                    connection.execute(FAILING)
        found = {"stderr": directory / "log.d/server.log", "csvlog": directory / "log.d/server.csv",
                 "jsonlog": directory / "log.d/server.json"}
        for form in forms:
            # The last session's last failure, and its end.
            wait_for(lambda path=found[form]: path.read_text().count("division by zero") >= 2 and
                     "disconnection" in path.read_text().rpartition("division by zero")[2], 10,
                     f"{form} is written")
        yield {form: found[form] for form in forms}
    finally:
        cluster.stop()
        shutil.rmtree(directory, ignore_errors=True)


def strings(body, count):
    """NUL-terminated strings at the beginning of a body, and what follows."""
    parts = []
    for _ in range(count):
        text, _, body = body.partition(b"\0")
        parts.append(text.decode())
    return parts, body


def values_of(body):
    """What a Bind of ours binds, as text."""
    (_, name), body = strings(body, 2)
    assert body[:2] == b"\0\0"
    count, body, values = int.from_bytes(body[2:4], "big"), body[4:], []
    for _ in range(count):
        length = int.from_bytes(body[:4], "big", signed=True)
        body = body[4:]
        values.append(None if length < 0 else body[:length].decode())
        body = body[max(length, 0):]
    assert body == b"\0\0"
    return name, values


def sessions_of(rehearse, workload):
    """{session: [(query, values, sqlstate)]} as exported."""
    done = rehearse("workload", "export", workload, "--show-values")
    assert done.status == 0, done
    sessions, prepared, last_us = {}, {}, 0
    for event in map(json.loads, done.stdout.splitlines()):
        number = event["session"]
        assert event["at_us"] >= last_us
        last_us = event["at_us"]
        if event["event"] == "session begun":
            sessions[number] = []
        elif event["event"] == "request":
            messages = [(m["type"], bytes.fromhex(m["body"]), m) for m in event["messages"]]
            if messages[0][0] == "Q":
                redacted = messages[0][2].get("is_redacted", False)
                query = None if redacted else strings(messages[0][1], 1)[0][0]
                sessions[number].append([query, None, ""])
                continue
            for kind, body, _ in messages:
                if kind == "P":
                    (name, query), _ = strings(body, 2)
                    prepared[number, name] = query
                elif kind == "B":
                    name, values = values_of(body)
                    sessions[number].append([prepared[number, name], values, ""])
            assert [kind for kind, _, _ in messages][-3:] == ["B", "E", "S"]
        elif event["event"] == "answer":
            assert event["request"] == len(sessions[number])
            sessions[number][-1][2] = event["results"][-1].get("sqlstate", "")
    return sessions


def expected_of(major):
    simple = [(None if "PASSWORD" in query else query, None, "") for query in SIMPLE]
    extended = []
    for query, values in EXTENDED:
        for index in range(len(values)):
            query = query.replace("%s", f"${index + 1}", 1)
        shown = [None if value is None else {True: "t"}.get(value, str(value)) if value is not True else "t"
                 for value in values]
        extended += [(query, shown, "")] * 2
    return simple + extended + [(FAILING, None, "22012")]


def is_setting(query):
    return query is not None and query.startswith("SET log_")


def forms_of(major):
    return ["stderr", "csvlog"] + (["jsonlog"] if major >= 15 else [])


def applies(params):
    return params.get("form", "stderr") in forms_of(params.get("server", 15))


@pytest.mark.parametrize("form", forms_of(15))
def test_import_finds_what_clients_sent(logs, server, rehearse, form):
    log = rehearse.directory / ("log" + logs[form].suffix)
    log.write_bytes(logs[form].read_bytes())
    done = rehearse("workload", "import", log.name, "-o", "w", "--unencrypted")
    assert done.status == 0, done
    if form == "stderr":
        assert PREFIX in done.stderr, done
    sessions = [[tuple(statement) if statement[1] is None else (statement[0], statement[1], statement[2])
                 for statement in statements if not is_setting(statement[0])]
                for statements in sessions_of(rehearse, "w").values()]
    sessions = [statements for statements in sessions if statements]
    assert len(sessions) == 2, sessions
    for statements in sessions:
        # Blanks around a query are the log's to keep or not.
        got = [(query.strip() if query else query, values, state) for query, values, state in statements]
        # psycopg sends a failing query without parameters in the simple or in the extended protocol.
        got = [(query, None if query == FAILING else values, state) for query, values, state in got]
        expected = [(query.strip() if query else query, values, state)
                    for query, values, state in expected_of(server.major)]
        assert got == expected
    assert "opensesame" not in (rehearse.directory / "w").read_bytes().decode(errors="replace")
    shown = json.loads(rehearse("workload", "show", "w", "--json").stdout)
    assert shown["origin"] == {"stderr": "stderr log"}.get(form, form)
    assert shown["is_complete"] is True
    assert shown["fidelity"]["parameters"] == "exact" and shown["fidelity"]["types"] == "absent"
    assert shown["fidelity"]["timing"] == "exact" and shown["fidelity"]["transactions"] == "exact"
    assert [gap["count"] for gap in shown["gaps"] if gap["kind"] == "password-redacted"] == [2]
    assert shown["errors"] == 2
    executed = [row for row in shown["patterns"] if row["query"] == "PREPARE p AS SELECT $1::int"]
    assert executed, "the prepared statement has a pattern"


def test_import_of_gzip_with_its_prefix_encrypted(logs, rehearse):
    log = rehearse.directory / "server.log.gz"
    log.write_bytes(gzip.compress(logs["stderr"].read_bytes()))
    done = rehearse("workload", "import", log.name, "-o", "w", "--prefix", PREFIX)
    assert done.status == 0 and "a key was made" in done.stderr, done
    shown = rehearse("workload", "show", "w")
    assert shown.status == 0 and "stderr log" in shown.stdout, shown
    assert b"Brien" not in (rehearse.directory / "w").read_bytes()
    done = rehearse("workload", "show", "w", env={"HOME": "/nowhere"})
    assert done.status == 2 and "is encrypted" in done.stderr and "--workload-key" in done.stderr, done
    with sqlite3.connect(rehearse.directory / "w") as database:
        assert database.execute("SELECT sum(calls) FROM top_patterns").fetchone()[0] > 30
    log.write_bytes(log.read_bytes()[:-200])
    done = rehearse("workload", "import", log.name, "-o", "x", "--prefix", PREFIX)
    assert done.status == 1 and "gzip" in done.stderr, done
    assert not list(rehearse.directory.glob("x*"))


def test_import_tells_a_stderr_log_from_a_csvlog(rehearse):
    """Whatever stands in its statements: more commas than a csvlog has."""
    rehearse.write("server.log", "2026-11-20 10:00:00.000 UTC [7] LOG:  duration: 1.5 ms  statement: SELECT " +
                   ", ".join(f"c{n}" for n in range(40)) + " FROM t\n")
    done = rehearse("workload", "import", "server.log", "-o", "w", "--unencrypted")
    assert done.status == 0 and "stderr log, 1 statement" in done.stderr, done


def test_import_ends_sessions_with_their_last_statement(rehearse):
    """log_disconnections is off by default: each session was open to the end of the log, all at once."""
    line = "2026-11-20 {time}.000 UTC [{pid}] LOG:  duration: 1.5 ms  statement: SELECT {pid}\n"
    rehearse.write("server.log", "".join(line.format(time=f"1{minute // 60}:{minute % 60:02}:00", pid=100 + minute)
                                         for minute in range(90)))
    assert rehearse("workload", "import", "server.log", "-o", "w", "--unencrypted").status == 0
    with sqlite3.connect(rehearse.directory / "w") as database:
        lengths = [row[0] for row in database.execute("SELECT ended_at_us - begun_at_us FROM sessions")]
    assert lengths == [1500] * 90
    assert json.loads(rehearse("workload", "show", "w", "--json").stdout)["sessions_most_at_once"] == 1


def test_import_of_sql_files(rehearse):
    rehearse.write("a.sql", "SELECT 1; -- first\nSELECT id FROM t WHERE id = 5;\n")
    rehearse.write("b.sql", "BEGIN; UPDATE t SET a = 'x' WHERE id = 7; COMMIT;")
    done = rehearse("workload", "import", "a.sql", "b.sql", "--repeat", "3", "-o", "w", "--unencrypted")
    assert done.status == 0, done
    sessions = sessions_of(rehearse, "w")
    assert [len(statements) for statements in sessions.values()] == [6, 9]
    text = rehearse("workload", "show", "w").stdout
    assert text.count("UPDATE t SET a = $1 WHERE id = $2") == 1
    # What "replace" of a transform names it by.
    for row in json.loads(rehearse("workload", "show", "w", "--json").stdout)["patterns"]:
        assert f"{row['fingerprint']}\n    {row['query']}\n" in text, text
    assert "'x'" not in rehearse("workload", "export", "w", "--format", "sql").stdout


def test_import_of_pgbench_scripts(rehearse):
    rehearse.write("look.sql", "\\set aid random(1, 100000 * :scale)\n"
                               "SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n")
    rehearse.write("add.sql", "BEGIN;\nUPDATE t SET n = n + 1;\n\\sleep 2 ms\nEND;\n")
    arguments = ["workload", "import", "look.sql@3", "add.sql", "--format", "pgbench", "--clients", "4",
                 "--repeat", "200", "--scale", "2", "--unencrypted"]
    assert rehearse(*arguments, "-o", "w").status == 0
    sessions = sessions_of(rehearse, "w")
    assert len(sessions) == 4
    queries = [query for statements in sessions.values() for query, _, _ in statements]
    keys = {int(query.rpartition("= ")[2].rstrip(";")) for query in queries if "abalance" in query}
    assert 400 < len(keys) < 800 and 1 <= min(keys) and 100000 < max(keys) <= 200000
    assert queries.count("BEGIN;") == queries.count("END;") and 100 < queries.count("BEGIN;") < 300
    assert rehearse(*arguments, "-o", "again").status == 0
    assert sessions_of(rehearse, "again") == sessions
    assert rehearse(*arguments, "--seed", "2", "-o", "other").status == 0
    assert sessions_of(rehearse, "other") != sessions
    rehearse.write("ask.sql", "SELECT 1 AS a \\gset\n\\gset\n")
    done = rehearse("workload", "import", "ask.sql", "--format", "pgbench", "-o", "x")
    assert done.status == 2 and "ask.sql:2" in done.stderr, done


def test_show_says_what_of_production_is_covered(debian_cluster, rehearse):
    rehearse.write("a.sql", "SELECT count(*) FROM generate_series(1, 5);\n")
    assert rehearse("workload", "import", "a.sql", "--repeat", "4", "-o", "w", "--unencrypted").status == 0
    if not (pathlib.Path(debian_cluster.server.bin).parent / "lib/pg_stat_statements.so").exists():
        pytest.skip("no pg_stat_statements here")
    directory = pathlib.Path(tempfile.mkdtemp(prefix="rh-sums-", dir="/var/tmp"))
    cluster = Cluster(debian_cluster.server, directory)
    try:
        cluster.start(shared_preload_libraries="pg_stat_statements")
        cluster.sql("CREATE EXTENSION pg_stat_statements")
        with cluster.connect(autocommit=True) as connection:
            connection.execute("SELECT pg_stat_statements_reset()")
            for _ in range(12):
                connection.execute("SELECT count(*) FROM generate_series(1, 30000)")
            connection.execute("SELECT pg_sleep(0.05)")
            with connection.cursor().copy("COPY (SELECT query, calls, total_exec_time FROM pg_stat_statements) "
                                          "TO STDOUT CSV HEADER") as copy:
                rehearse.write("sums.csv", b"".join(bytes(data) for data in copy))
    finally:
        cluster.stop()
    done = rehearse("workload", "show", "w", "--statement-sums", "sums.csv", "--json")
    assert done.status == 0, done
    shown = json.loads(done.stdout)
    assert 0 < shown["coverage"]["share"] < 1
    assert shown["coverage"]["never_seen_patterns"][0]["query"] == "SELECT pg_sleep($1)"
    assert [row["weight"] for row in shown["patterns"]] == [3]
    done = rehearse("workload", "show", "w", "--statement-sums", "sums.csv")
    assert "of production's time" in done.stdout and "SELECT pg_sleep($1)" in done.stdout, done
    done = rehearse("workload", "show", "w", "--statement-sums", "a.sql")
    assert done.status == 2 and "not an export of pg_stat_statements" in done.stderr, done


def test_import_says_what_it_cannot_read(rehearse):
    rehearse.write("poem.log", "roses are red\nviolets are blue\n" * 50)
    rehearse.write("quiet.log", "2026-11-20 10:49:12.123 UTC [77] LOG:  checkpoint starting: time\n")
    for arguments, message in (
            (["poem.log", "-o", "w"], "is not understood"),
            (["poem.log", "-o", "w", "--prefix", "%p "], "tells no time"),
            (["quiet.log", "-o", "w"], "there is no statement"),
            (["missing.log", "-o", "w"], "No such file"),
            (["poem.log"], "--out is missing"),
            (["-o", "w"], "FILE is missing"),
            (["poem.log", "-o", "poem.log"], "is there already")):
        done = rehearse("workload", "import", *arguments, "--unencrypted")
        assert done.status == 2 and message in done.stderr, done
    assert {path.name for path in rehearse.directory.iterdir()} == {"poem.log", "quiet.log"}
    done = rehearse("workload", "show", "poem.log")
    assert done.status == 2 and "is not a workload" in done.stderr, done


def test_import_of_pgbench_pipelines_and_of_what_only_a_server_tells(rehearse):
    rehearse.write("ask.sql", r"""
\set id random_zipfian(1, 100, 1.2)
BEGIN;
SELECT balance, name AS who FROM accounts WHERE id = :id \gset x_
UPDATE accounts SET balance = :x_balance + 1 WHERE id = :id;
\if :x_balance > 5
DELETE FROM accounts WHERE id = :id;
\endif
COMMIT;
\startpipeline
SELECT :id + 1;
SELECT 'two';
\endpipeline
""")
    done = rehearse("workload", "import", "ask.sql", "--format", "pgbench", "--repeat", "3", "--unencrypted", "-o", "w")
    assert done.status == 0 and r"what \gset reads is known to a server alone" in done.stderr, done
    shown = json.loads(rehearse("workload", "show", "w", "--json").stdout)
    assert {gap["kind"]: gap["count"] for gap in shown["gaps"]} == \
        {"gset-values-not-known": 6, "branches-not-decided": 3}
    assert shown["fidelity"]["parameters"] == shown["fidelity"]["transactions"] == "partial"
    assert {row["query"]: row["calls"] for row in shown["patterns"]} == {
        "BEGIN": 3, "COMMIT": 3, "SELECT balance, name AS who FROM accounts WHERE id = $1": 3,
        "SELECT $1 + $2": 3, "SELECT $1": 3}
    events = [json.loads(line) for line in
              rehearse("workload", "export", "w", "--show-values").stdout.splitlines()]
    batches = [event["messages"] for event in events
               if event["event"] == "request" and len(event["messages"]) > 1]
    assert ["".join(message["type"] for message in batch) for batch in batches] == ["PBEPBES"] * 3
    assert bytes.fromhex(batches[0][0]["body"]) == b"\0SELECT $1 + 1;\0\0\0"
    answers = [event for event in events if event["event"] == "answer" and len(event["results"]) == 2]
    assert len(answers) == 3
    rehearse.write("shell.sql", "\\setshell a echo 1\n")
    done = rehearse("workload", "import", "shell.sql", "--format", "pgbench", "--unencrypted", "-o", "x")
    assert done.status == 2 and '"\\setshell" runs a program' in done.stderr, done
