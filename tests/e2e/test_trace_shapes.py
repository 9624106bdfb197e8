"""What the trace makes of every way a client can talk."""
import json
import textwrap


SCHEMA = """
CREATE TABLE users (id int PRIMARY KEY, email text);
INSERT INTO users SELECT n, 'user' || n FROM generate_series(1, 1000) n;
CREATE TABLE orders (id int PRIMARY KEY, user_id int);
INSERT INTO orders SELECT n, n FROM generate_series(1, 1000) n;
"""


def modes(statement, relation="public.users"):
    return {lock["mode"] for lock in statement["locks"] if lock["relation"] == relation}


def run_python(rehearse, body, *arguments):
    """A wrapped program of psycopg."""
    rehearse.write("s.sql", SCHEMA)
    rehearse.write("client.py", "import os, psycopg\nurl = os.environ['DATABASE_URL']\n" + textwrap.dedent(body))
    return rehearse("run", "--schema", "s.sql", *arguments, "--", "/usr/bin/python3", "client.py")


# --- inside ------------------------------------------------------------------------------------------------

def test_do_block_shows_its_commands_as_children(rehearse):
    outcome = rehearse.run("DO $$ BEGIN\n  ALTER TABLE users ADD COLUMN a int;\n"
                           "  EXECUTE 'CREATE INDEX users_email ON users (email)';\nEND $$;\n", SCHEMA)
    statement = outcome.statement("DO $$")
    assert statement["tag"] == "DO" and statement["ok"]
    assert [child["tag"] for child in statement["children"]] == ["ALTER TABLE", "CREATE INDEX"]
    assert "AccessExclusiveLock" in modes(statement) | modes(statement["children"][0])
    assert "ADD COLUMN" in statement["children"][0]["sql"]


def test_function_shows_its_commands_as_children(rehearse):
    schema = SCHEMA + """CREATE FUNCTION upgrade() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
        ALTER TABLE users ADD COLUMN a int; ALTER TABLE orders ADD COLUMN b int; END $$;"""
    outcome = rehearse.run("SELECT upgrade();\n", schema)
    statement = outcome.statement("upgrade()")
    assert [child["tag"] for child in statement["children"]] == ["ALTER TABLE", "ALTER TABLE"]
    assert "AccessExclusiveLock" in modes(statement) | modes(statement["children"][0])


def test_procedure_that_commits_shows_its_transactions(rehearse):
    schema = SCHEMA + """CREATE PROCEDURE upgrade() LANGUAGE plpgsql AS $$ BEGIN
        ALTER TABLE users ADD COLUMN a int; COMMIT; ALTER TABLE orders ADD COLUMN b int; END $$;"""
    outcome = rehearse.run("CALL upgrade();\n", schema)
    statement = outcome.statement("CALL")
    assert statement["ok"] and [child["tag"] for child in statement["children"]] == ["ALTER TABLE", "ALTER TABLE"]


def test_multi_statement_string_shows_its_commands_as_children(rehearse):
    outcome = run_python(rehearse, """
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER TABLE users ADD COLUMN a int; UPDATE users SET a = 1; CREATE INDEX ON users (a)",
                               prepare=False)
        """)
    assert outcome.status in (0, 5), outcome
    statement = outcome.statement("ADD COLUMN a")
    children = statement["children"]
    assert [child["tag"] for child in children] == ["ALTER TABLE", "UPDATE", "CREATE INDEX"], children
    assert children[1]["rows"] == 1000
    locks = modes(statement) | {mode for child in children for mode in modes(child)}
    assert {"AccessExclusiveLock", "ShareLock"} <= locks


def test_error_inside_a_function_names_the_inner_statement(rehearse):
    outcome = rehearse.run("DO $$ BEGIN\n  PERFORM 1;\n  ALTER TABLE nowhere ADD COLUMN a int;\nEND $$;\n", SCHEMA)
    assert outcome.status == 5, outcome
    error = outcome.statement("DO $$")["error"]
    assert error["sqlstate"] == "42P01" and "PL/pgSQL" in error["context"]


def test_syntax_error_inside_a_function_is_a_finding_not_a_usage_error(rehearse):
    outcome = rehearse.run("DO $$ BEGIN EXECUTE 'SELEKT 1'; END $$;\n", SCHEMA)
    assert outcome.status == 5, outcome
    assert "statement-error" in outcome.rules()


def test_swallowed_error_is_seen_as_what_it_is(rehearse):
    outcome = rehearse.run("DO $$ BEGIN\n  ALTER TABLE users ADD COLUMN a int;\n  PERFORM 1/0;\n"
                           "EXCEPTION WHEN division_by_zero THEN RAISE NOTICE 'never mind';\nEND $$;\n", SCHEMA)
    statement = outcome.statement("DO $$")
    assert statement["ok"] and statement["notice_count"] == 1
    assert statement["notices"][0]["message"] == "never mind"


# --- the extended protocol --------------------------------------------------------------------------------------

def test_extended_protocol_has_text_and_locks(rehearse):
    outcome = run_python(rehearse, """
        with psycopg.connect(url) as connection:
            connection.execute("UPDATE users SET email = %s WHERE id = %s", ("x", 7), prepare=True)
            connection.execute("ALTER TABLE users ADD COLUMN a int")
        """)
    assert outcome.status == 0, outcome
    update = outcome.statement("UPDATE users")
    assert update["extended_protocol"] and update["rows"] == 1 and update["in_transaction"]
    assert "RowExclusiveLock" in modes(update)
    assert "AccessExclusiveLock" in modes(outcome.statement("ADD COLUMN"))


def test_pipeline_keeps_every_statement_apart(rehearse):
    outcome = run_python(rehearse, """
        with psycopg.connect(url) as connection:
            with connection.pipeline():
                for n in range(1, 6):
                    connection.execute("UPDATE users SET email = %s WHERE id <= %s", ("x", n))
                connection.execute("ALTER TABLE orders ADD COLUMN a int")
        """)
    assert outcome.status == 0, outcome
    updates = [one for one in outcome.result["statements"] if one["sql"].startswith("UPDATE")]
    assert [one["rows"] for one in updates] == [1, 2, 3, 4, 5]
    assert outcome.statement("orders ADD")["ok"]


def test_pipeline_that_fails_aborts_what_is_behind_it(rehearse):
    outcome = run_python(rehearse, """
        try:
            with psycopg.connect(url) as connection, connection.pipeline():
                connection.execute("UPDATE users SET email = 'x'")
                connection.execute("SELECT 1/0")
                connection.execute("UPDATE users SET email = 'y'")
        except psycopg.Error as error:
            print(error)
        """)
    assert outcome.status == 5, outcome
    assert outcome.statement("1/0")["error"]["sqlstate"] == "22012"
    behind = [one for one in outcome.result["statements"] if "'y'" in one["sql"]]
    assert not behind or not behind[0]["ok"]


def test_prepared_statement_executed_often_is_counted_each_time(rehearse):
    outcome = run_python(rehearse, """
        with psycopg.connect(url, autocommit=True) as connection:
            for n in range(20):
                connection.execute("UPDATE users SET email = %s WHERE id = %s", ("x", n), prepare=True)
        """)
    assert outcome.status == 0, outcome
    assert len([one for one in outcome.result["statements"] if one["sql"].startswith("UPDATE")]) == 20


# --- parallel builds -----------------------------------------------------------------------------------------------

# The leader of a parallel build counts the rows that it read itself; 5000 is what the run begins with.
PARALLEL = SCHEMA + """
CREATE TABLE "Big.Table" (id int PRIMARY KEY, v int) WITH (parallel_workers = 2);
INSERT INTO "Big.Table" SELECT n, n FROM generate_series(1, 5000) n;
"""
BIG = 'public."Big.Table"'


def scans(statement):
    found = [(scan["relation"], scan["rows"], scan["observation"]) for scan in statement["scans"]]
    return found + [scan for child in statement["children"] for scan in scans(child)]


def test_parallel_index_build_counts_the_whole_table(rehearse, server):
    outcome = rehearse.run('INSERT INTO "Big.Table" SELECT n, n FROM generate_series(5001, 20000) n;\n'
                           'CREATE INDEX one ON "Big.Table" (v);\n'
                           'SET max_parallel_maintenance_workers = 0;\n'
                           'CREATE INDEX serial ON "Big.Table" (v);\n', PARALLEL, "--server-bin", server.bin)
    assert scans(outcome.statement("CREATE INDEX one")) == [(BIG, 20000, "sampled")], outcome
    assert scans(outcome.statement("CREATE INDEX serial")) == [(BIG, 20000, "exact")], outcome


def test_parallel_index_builds_in_transactions_and_blocks_count_the_whole_table(rehearse, server):
    outcome = rehearse.run('BEGIN;\nCREATE INDEX one ON "Big.Table" (v);\nCOMMIT;\n'
                           'CREATE INDEX CONCURRENTLY two ON "Big.Table" (v);\n'
                           """DO $$ BEGIN EXECUTE 'CREATE INDEX three ON "Big.Table" (v)'; END $$;\n"""
                           'REINDEX TABLE CONCURRENTLY "Big.Table";\n', PARALLEL, "--server-bin", server.bin)
    assert scans(outcome.statement("CREATE INDEX one")) == [(BIG, 5000, "sampled")], outcome
    assert scans(outcome.statement("CONCURRENTLY")) == [(BIG, 10000, "sampled")], outcome
    assert scans(outcome.statement("DO $$")) == [(BIG, 5000, "sampled")], outcome
    # Four indexes, the table read twice for each; how much of that the leader read is chance.
    assert scans(outcome.statement("REINDEX")) == [(BIG, 40000, "sampled")], outcome


# --- COPY ------------------------------------------------------------------------------------------------------

def test_copy_in_and_out_pass_and_are_counted(rehearse):
    outcome = run_python(rehearse, """
        with psycopg.connect(url) as connection:
            with connection.cursor() as cursor:
                with cursor.copy("COPY users (id, email) FROM STDIN") as copy:
                    for n in range(5000, 25000):
                        copy.write_row((n, "copied" * 10))
                with cursor.copy("COPY users TO STDOUT") as copy:
                    lines = sum(bytes(chunk).count(b"\\n") for chunk in copy)
                print("lines", lines)
        """)
    assert outcome.status == 0, outcome
    assert outcome.statement("FROM STDIN")["rows"] == 20000
    assert outcome.statement("TO STDOUT")["rows"] == 21000
    assert "lines 21000" in (outcome.directory / "output.log").read_text()


def test_copy_that_the_client_gives_up_is_an_error_of_the_statement(rehearse):
    outcome = run_python(rehearse, """
        try:
            with psycopg.connect(url) as connection, connection.cursor() as cursor:
                with cursor.copy("COPY users (id, email) FROM STDIN") as copy:
                    copy.write_row((5000, "x"))
                    raise RuntimeError("changed my mind")
        except RuntimeError:
            pass
        """)
    assert outcome.statement("FROM STDIN")["error"]["sqlstate"] == "57014", outcome


def test_psql_script_with_copy_data_runs_through_psql(rehearse):
    outcome = rehearse.run("\\set ON_ERROR_STOP 1\nCOPY users (id, email) FROM stdin;\n5001\ta\n5002\tb\n\\.\n"
                           "SET lock_timeout = '1s';\nALTER TABLE users ADD COLUMN a int;\n", SCHEMA)
    assert outcome.status == 0, outcome
    assert outcome.statement("FROM stdin")["rows"] == 2


# --- messages, cancel, savepoints -------------------------------------------------------------------------------

def test_notices_are_kept_and_ours_are_not_seen_by_the_client(rehearse):
    outcome = run_python(rehearse, """
        seen = []
        with psycopg.connect(url, autocommit=True) as connection:
            connection.add_notice_handler(lambda notice: seen.append((notice.sqlstate, notice.message_primary)))
            connection.execute("CREATE TABLE IF NOT EXISTS users (id int)")
            connection.execute("ALTER TABLE users ADD COLUMN a int")
            connection.execute("DO $$ BEGIN RAISE NOTICE 'mine'; END $$")
        print("seen", seen)
        """)
    log = (outcome.directory / "output.log").read_text()
    assert "mine" in log and "already exists" in log
    assert "RH001" not in log
    assert outcome.statement("IF NOT EXISTS")["notices"][0]["sqlstate"] == "42P07"


def test_cancel_request_reaches_the_server(rehearse):
    outcome = run_python(rehearse, """
        import threading
        with psycopg.connect(url, autocommit=True) as connection:
            timer = threading.Timer(0.5, connection.cancel)
            timer.start()
            try:
                connection.execute("SELECT pg_sleep(60)")
            except psycopg.errors.QueryCanceled as error:
                print("canceled", error)
            # The server signals twice, and the second may come when the first was obeyed: until then it waits.
            timer.join()
            connection.execute("SELECT 1")
        """)
    assert "canceled" in (outcome.directory / "output.log").read_text(), outcome
    sleep = outcome.statement("pg_sleep")
    assert sleep["error"]["sqlstate"] == "57014" and 300 < sleep["duration_ms"] < 20000
    assert outcome.statement("SELECT 1")["ok"]


def test_savepoints_keep_the_locks_that_stay(rehearse):
    outcome = rehearse.run("SET lock_timeout = '1s';\nBEGIN;\nSAVEPOINT a;\nALTER TABLE users ADD COLUMN a int;\n"
                           "ROLLBACK TO SAVEPOINT a;\nALTER TABLE orders ADD COLUMN b int;\nSELECT pg_sleep(0.3);\nCOMMIT;\n",
                           SCHEMA)
    assert outcome.status == 0, outcome
    held = {lock["relation"]: lock["held_ms"] for name in ("users ADD", "orders ADD")
            for lock in outcome.statement(name)["locks"] if lock["mode"] == "AccessExclusiveLock"}
    assert held["public.orders"] >= 300
    # A lock taken inside a savepoint that was rolled back is given up with it: to the end it would be the longer one.
    assert held["public.users"] < held["public.orders"]


def test_transaction_boundaries_are_those_of_the_client(rehearse):
    outcome = rehearse.run("BEGIN;\nALTER TABLE users ADD COLUMN a int;\nROLLBACK;\nALTER TABLE users ADD COLUMN b int;\n",
                           SCHEMA)
    in_block, alone = outcome.statement("COLUMN a"), outcome.statement("COLUMN b")
    assert in_block["in_transaction"] and not alone["in_transaction"]
    transactions = outcome.result["transactions"]
    assert transactions[in_block["transaction"]]["committed"] is False
    assert transactions[in_block["transaction"]]["opened_by"].upper().startswith("BEGIN")


def test_two_sessions_are_kept_apart_and_waiting_is_seen(rehearse):
    outcome = run_python(rehearse, """
        import threading
        with psycopg.connect(url) as one, psycopg.connect(url) as two:
            one.execute("SELECT count(*) FROM users")
            waiter = threading.Thread(target=two.execute, args=("ALTER TABLE users ADD COLUMN a int",))
            waiter.start()
            one.execute("SELECT pg_sleep(0.8)")
            one.commit()
            waiter.join()
            two.commit()
        """)
    result = outcome.result
    assert len(result["sessions"]) == 2, outcome
    statement = outcome.statement("ADD COLUMN")
    lock = [lock for lock in statement["locks"] if lock["mode"] == "AccessExclusiveLock"
            and lock["relation"] == "public.users"][0]
    assert lock["waited_ms"] > 400 and lock["waited_for"]


def test_large_result_and_statement_stream_through(rehearse):
    outcome = run_python(rehearse, """
        with psycopg.connect(url, autocommit=True) as connection:
            row = connection.execute("SELECT repeat('x', 50000000)").fetchone()
            print("length", len(row[0]))
            connection.execute("SELECT length('" + "y" * 5000000 + "')")
        """)
    assert outcome.status == 0, outcome
    assert "length 50000000" in (outcome.directory / "output.log").read_text()
    statement = outcome.statement("SELECT length(")
    assert statement["sql_bytes"] > 5000000 and len(statement["sql"]) <= 64 * 1024 + 16


def test_prepared_transaction_is_not_lost(rehearse):
    outcome = rehearse.run("BEGIN;\nALTER TABLE users ADD COLUMN a int;\nPREPARE TRANSACTION 'later';\n", SCHEMA,
                           "--set", "max_prepared_transactions=5")
    assert outcome.status == 5, outcome
    assert "open-transaction" in outcome.rules()
    assert "prepared transaction" in outcome.result["headline"], outcome


def test_events_tell_the_story_in_order(rehearse):
    outcome = rehearse.run("ALTER TABLE users ADD COLUMN a int;\nALTER TABLE orders ADD COLUMN b int;\n", SCHEMA)
    told = json.dumps(outcome.events)
    assert told.index("COLUMN a") < told.index("COLUMN b")


def test_autocommit_statement_locks_are_exact(rehearse):
    """The locks are gone when the client hears of the end: evidence from inside has seen them."""
    outcome = rehearse.run("ALTER TABLE users ADD COLUMN a int;\n", SCHEMA)
    statement = outcome.statement("ADD COLUMN")
    assert statement["observation"] == "exact" and not statement["in_transaction"]
    assert "AccessExclusiveLock" in modes(statement)
    own = [lock for lock in statement["locks"] if "rehearse" in lock["relation"]]
    assert own == [], "our own schema is no part of the story"


def test_rows_and_wal_of_a_backfill(rehearse):
    outcome = rehearse.run("UPDATE users SET email = email || '!';\n", SCHEMA)
    statement = outcome.statement("UPDATE")
    assert statement["rows"] == 1000 and statement["wal_bytes"] > 50_000
    assert "RowExclusiveLock" in modes(statement) or statement["observation"] != "exact"
