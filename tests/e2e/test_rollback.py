"""--rollback: a dry run on a database of the test's own, which must be as it was."""
import signal
import subprocess

import pytest
from conftest import wait_for

SHOP = """
CREATE TABLE users (id serial PRIMARY KEY, email text, age int);
INSERT INTO users (email, age) SELECT 'user' || n, n % 90 FROM generate_series(1, 1000) n;
CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users DEFERRABLE INITIALLY DEFERRED, total numeric(10,2));
INSERT INTO orders SELECT n, 1 + n % 1000, n FROM generate_series(1, 3000) n;
CREATE TYPE mood AS ENUM ('sad', 'ok');
ANALYZE;
"""


def shop_in(cluster):
    """A database with the shop in it, made anew for each test; owned by an ordinary role."""
    def drop():
        cluster.sql("DROP DATABASE IF EXISTS staging WITH (FORCE)")
    drop()
    with cluster.connect(autocommit=True) as connection:
        connection.execute("DO $$ BEGIN CREATE ROLE deployer LOGIN PASSWORD 'hush-hush'; EXCEPTION "
                           "WHEN duplicate_object THEN NULL; END $$")
        connection.execute("CREATE DATABASE staging OWNER deployer")
        connection.execute("GRANT CREATE ON DATABASE staging TO deployer")
    with cluster.connect("staging", autocommit=True) as connection:
        connection.execute("GRANT ALL ON SCHEMA public TO deployer")  # no longer everybody's since 15
        connection.execute("SET ROLE deployer")
        connection.execute(SHOP)
    yield cluster
    drop()


@pytest.fixture
def staging(debian_cluster):
    yield from shop_in(debian_cluster)


@pytest.fixture
def staging_everywhere(cluster_of, server):
    yield from shop_in(cluster_of(server))


def url_of(cluster, user="postgres", password=""):
    return (f"postgresql://{user}{':' + password if password else ''}@/staging"
            f"?host={cluster.directory}")


def fingerprint(cluster):
    with cluster.connect("staging") as connection:
        return connection.execute("""
            SELECT (SELECT md5(string_agg(u::text, ',' ORDER BY id)) FROM users u),
                   (SELECT md5(string_agg(o::text, ',' ORDER BY id)) FROM orders o),
                   (SELECT string_agg(attrelid::regclass || '.' || attname || ' ' || atttypid::regtype, ','
                                      ORDER BY attrelid::regclass::text, attnum)
                      FROM pg_attribute WHERE attrelid > 16383 AND attnum > 0)""").fetchone()


def dry_run(rehearse, cluster, sql, *arguments, user="postgres", **options):
    return rehearse.run(sql, None, "--rollback", "--sandbox-url", url_of(cluster, user), *arguments, **options)


def test_rollback_leaves_nothing_and_proves_it(rehearse, staging_everywhere):
    before = fingerprint(staging_everywhere)
    outcome = dry_run(rehearse, staging_everywhere, """SET lock_timeout = '1s';
ALTER TABLE users ADD COLUMN tier text NOT NULL DEFAULT 'basic';
UPDATE users SET age = age + 1 WHERE id <= 100;
CREATE TABLE audit (id int);
""")
    assert outcome.status == 0, outcome
    assert fingerprint(staging_everywhere) == before
    rollback = outcome.result["rollback"]
    assert rollback["proof"] == "same" and rollback["tables"] == 2 and rollback["rows"] == 4000
    assert rollback["differences"] == [] and rollback["sequences"] == []
    assert "nothing stayed: schema and 2 tables, 4,000 rows as before" in outcome.stdout
    alter = outcome.statement("ALTER TABLE users")
    assert [(lock["relation"], lock["mode"]) for lock in alter["locks"]] == \
        [("public.users", "AccessExclusiveLock")]
    update = outcome.statement("UPDATE users")
    assert update["rows"] == 100 and update["ok"] and not update["in_transaction"]
    said = [difference["sentence"] for difference in outcome.result["schema_differences"]]
    assert "column public.users.tier added: text, NOT NULL, default 'basic'::text" in said or \
        any("users.tier added" in sentence for sentence in said), said
    by_sentence = {d["sentence"]: d["statement"] for d in outcome.result["data_differences"]}
    assert {text.split()[0].rstrip(":"): statement for text, statement in by_sentence.items()} == \
        {"public.audit": 4, "public.users.age": 3, "public.users.tier": 2}, by_sentence
    assert any("no event triggers" in sentence for sentence in outcome.result["not_observed"])


def test_rollback_judges_what_it_saw(rehearse, staging):
    outcome = dry_run(rehearse, staging, "ALTER TABLE users ALTER id TYPE bigint;\n"
                      "CREATE INDEX users_email ON users (email);", "--max-blocked", "1us")
    assert outcome.status == 5, outcome
    rewrite, = outcome.findings("table-rewrite")
    assert rewrite["relation"] == "public.users" and rewrite["line"] == 1
    assert outcome.findings("no-lock-timeout")


def test_rollback_says_what_would_be_lost(rehearse, staging):
    outcome = dry_run(rehearse, staging, "SET lock_timeout = '1s';\nALTER TABLE users DROP COLUMN age;\nDROP TABLE orders;")
    assert outcome.status == 0, outcome
    lost = {finding["line"]: finding["title"] for finding in outcome.findings("destructive")}
    assert "public.users.age" in lost[2] and "public.orders" in lost[3] and "3,000 rows" in lost[3], lost


def test_rollback_reports_a_failing_statement(rehearse, staging):
    before = fingerprint(staging)
    outcome = dry_run(rehearse, staging, "CREATE TABLE t (id int);\nUPDATE users SET age = 1;\n"
                      "ALTER TABLE users ADD CONSTRAINT old CHECK (age > 17);\nSELECT 1;")
    assert outcome.status == 5, outcome
    finding, = [f for f in outcome.result["findings"] if f["severity"] == "error"]
    assert finding["line"] == 3 and outcome.result["steps"][0]["ok"] is False
    assert len(outcome.result["statements"]) == 3
    # Two statements were said to have been committed, of a transaction that was rolled back.
    assert "run as the file says, 2 statements before it would be committed" in finding["why"]
    assert "had already been committed" not in finding["why"]
    assert fingerprint(staging) == before and outcome.result["rollback"]["proof"] == "same"


def test_rollback_shows_where_a_syntax_error_is(rehearse, staging):
    outcome = dry_run(rehearse, staging, "CREATE TABLE t (id int);\n\nALTER TABEL users ADD COLUMN x int;")
    assert outcome.status == 1, outcome
    assert 'migration.sql:3:7: syntax error at or near "TABEL"' in outcome.stderr
    assert outcome.result["rollback"]["proof"] == "same"


def test_rollback_looks_at_deferred_constraints(rehearse, staging):
    outcome = dry_run(rehearse, staging, "UPDATE orders SET user_id = 4711 WHERE id = 1;")
    assert outcome.status == 5, outcome
    assert outcome.statement("UPDATE orders")["error"]["sqlstate"] == "23503"
    assert "4711" not in outcome.statement("UPDATE orders")["error"]["message"]


def test_rollback_says_which_sequences_advanced(rehearse, staging):
    outcome = dry_run(rehearse, staging, "INSERT INTO users (email) SELECT 'x' FROM generate_series(1, 7);")
    assert outcome.status == 0, outcome
    rollback = outcome.result["rollback"]
    assert rollback["proof"] == "same"
    assert len(rollback["sequences"]) == 1 and "users_id_seq" in rollback["sequences"][0]
    assert "sequences advanced, which no rollback undoes" in outcome.stdout


def test_rollback_as_an_ordinary_role(rehearse, staging_everywhere):
    staging_everywhere.sql("CREATE TABLE secrets (id int); REVOKE ALL ON secrets FROM PUBLIC;", database="staging")
    before = fingerprint(staging_everywhere)
    outcome = dry_run(rehearse, staging_everywhere, "ALTER TABLE users ADD COLUMN tier text;", user="deployer")
    assert outcome.status == 0, outcome
    assert outcome.result["schema_differences"], outcome
    rollback = outcome.result["rollback"]
    assert rollback["proof"] == "same" and rollback["skipped_tables"] == 1
    assert "1 table could not be read" in " ".join(outcome.stdout.split())
    assert fingerprint(staging_everywhere) == before


def test_rollback_shows_no_password_anywhere(rehearse, staging):
    outcome = rehearse.run("SELECT 1;", None, "--rollback", "--verbose", "--sandbox-url",
                           url_of(staging, "deployer", "hush-hush"))
    assert outcome.status in (0, 3), outcome
    seen = outcome.stdout + outcome.stderr
    for path in outcome.directory.rglob("*"):
        if path.is_file():
            seen += path.read_text(errors="replace")
    assert "hush-hush" not in seen and "staging" in seen
    for wrong in ("postgresql://deployer:hush-hush@[::1/staging", "host=x password=hush-hush bogus=1",
                  "postgresql://deployer:hush-hush@127.0.0.1:1/staging", "hush-hush"):
        refused = rehearse.run("SELECT 1;", None, "--rollback", "--sandbox-url", wrong)
        assert refused.status in (1, 2) and "hush-hush" not in refused.stdout + refused.stderr, refused


@pytest.mark.parametrize("statement, said", [
    ("CREATE INDEX CONCURRENTLY i ON users (email);", "CREATE INDEX CONCURRENTLY cannot run inside a transaction"),
    ("VACUUM users;", "VACUUM cannot run"),
    ("BEGIN;\nSELECT 1;\nCOMMIT;", "BEGIN: its transactions are its own"),
    ("ROLLBACK;", "ROLLBACK"),
    ("CREATE DATABASE other;", "CREATE DATABASE"),
    ("ALTER SYSTEM SET work_mem = '64MB';", "ALTER SYSTEM"),
    ("ALTER TYPE mood ADD VALUE 'glad';\nSELECT 'glad'::mood;", "uses 'glad'"),
    ("\\set x 1\nSELECT :x;", "needs psql"),
])
def test_rollback_refuses_up_front_what_it_cannot_test(rehearse, staging, statement, said):
    before = fingerprint(staging)
    outcome = dry_run(rehearse, staging, "ALTER TABLE users ADD COLUMN never int;\n" + statement)
    assert outcome.status == 2, outcome
    assert said in outcome.stderr and "migration.sql" in outcome.stderr and "sandbox" in outcome.stderr, outcome
    assert fingerprint(staging) == before


def test_rollback_tells_what_only_the_server_knew(rehearse, staging):
    staging.sql("CREATE PROCEDURE sneaky() LANGUAGE plpgsql AS $$ BEGIN UPDATE users SET age = 0; COMMIT; END $$",
                database="staging")
    before = fingerprint(staging)
    outcome = dry_run(rehearse, staging, "SELECT 1;\nCALL sneaky();")
    assert outcome.status == 1, outcome
    assert "migration.sql:2 cannot be tested by a rollback" in outcome.stderr
    assert fingerprint(staging) == before


def test_rollback_lets_no_commit_through_that_only_the_server_sees(rehearse, staging):
    """Where backslashes escape in strings, a string ends elsewhere than it seems."""
    staging.sql("ALTER DATABASE staging SET standard_conforming_strings = off")
    before = fingerprint(staging)
    outcome = dry_run(rehearse, staging, "UPDATE users SET age = 0;\nSELECT 'a\\''; COMMIT; SELECT '';\n")
    assert fingerprint(staging) == before
    assert outcome.status in (1, 5) and outcome.statement("COMMIT")["error"]["sqlstate"] == "42601", outcome


def test_rollback_refuses_production(rehearse, staging):
    def refused(*arguments):
        outcome = dry_run(rehearse, staging, "SELECT 1;", *arguments)
        assert outcome.status == 2 and "refused" in outcome.stderr, outcome
        return outcome.stderr
    assert 'its name matches "STAG*"' in refused("--production", "STAG*")
    rehearse.write("rehearse.yaml", "production: [prod, '/*/rh-pg*']\n")
    assert "its host" in refused()
    (rehearse.directory / "rehearse.yaml").unlink()
    staging.sql("COMMENT ON DATABASE staging IS 'the shop (rehearse: production)'")
    assert "its comment says" in refused()
    staging.sql("COMMENT ON DATABASE staging IS NULL")
    staging.sql("ALTER DATABASE staging SET rehearse.production = on")
    assert "rehearse.production = on" in refused()
    staging.sql("ALTER DATABASE staging RESET rehearse.production")
    assert dry_run(rehearse, staging, "SELECT 1;", "--production", "prod*").status != 2


def test_rollback_refuses_a_database_in_use_unless_told(rehearse, staging):
    with staging.connect("staging") as other:
        other.execute("SELECT 1")
        outcome = dry_run(rehearse, staging, "ALTER TABLE users ADD COLUMN tier text;")
        assert outcome.status == 2, outcome
        assert "1 other session is in it, 1 of them at work (of postgres)" in outcome.stderr
        assert "--allow-active-sessions" in outcome.stderr
        allowed = dry_run(rehearse, staging, "ALTER TABLE users ADD COLUMN tier text;",
                          "--allow-active-sessions")
        assert allowed.status == 0, allowed
        assert allowed.result["rollback"]["other_sessions"] == 1
        assert allowed.result["states"]["data_compared"] is False


def test_rollback_gives_up_on_a_lock(rehearse, staging):
    with staging.connect("staging") as other:
        other.execute("LOCK TABLE users IN ACCESS SHARE MODE")
        outcome = dry_run(rehearse, staging, "SET lock_timeout = 0;\nALTER TABLE users ADD COLUMN tier text;",
                          "--allow-active-sessions", "--lock-timeout", "300ms")
    assert outcome.status == 5, outcome
    finding, = outcome.findings("lock-timeout")
    assert finding["line"] == 2


def test_rollback_bounds_each_statement(rehearse, staging):
    outcome = dry_run(rehearse, staging, "SET statement_timeout = 0;\nSELECT pg_sleep(60);",
                      "--statement-timeout", "300ms")
    assert outcome.status == 5 and outcome.findings("statement-timeout"), outcome


def migrating(staging):
    with staging.connect("postgres") as connection:
        return connection.execute("SELECT pid FROM pg_stat_activity WHERE datname = 'staging' "
                                  "AND state = 'active' AND query LIKE '%pg_sleep%'").fetchone()


def sessions(staging):
    with staging.connect("postgres") as connection:
        return connection.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = 'staging' "
                                  "AND backend_type = 'client backend'").fetchone()[0]


def test_rollback_is_rolled_back_when_interrupted(rehearse, staging):
    before = fingerprint(staging)
    rehearse.write("m.sql", "UPDATE users SET age = 0;\nSELECT pg_sleep(120);")
    arguments = ("run", "m.sql", "--rollback", "--sandbox-url", url_of(staging))
    process = rehearse.start(*arguments)
    wait_for(lambda: migrating(staging), 20, "the migration runs")
    process.send_signal(signal.SIGINT)
    outcome = rehearse.finish(process, arguments)
    assert outcome.status == 130, outcome
    wait_for(lambda: sessions(staging) == 0, 10, "its session is gone")
    assert fingerprint(staging) == before


def test_rollback_is_rolled_back_when_the_time_is_over(rehearse, staging):
    before = fingerprint(staging)
    outcome = dry_run(rehearse, staging, "UPDATE users SET age = 0;\nSELECT pg_sleep(120);", "--timeout", "2s")
    assert outcome.status == 124, outcome
    wait_for(lambda: sessions(staging) == 0, 10, "its session is gone")
    assert fingerprint(staging) == before


def test_rollback_is_rolled_back_when_killed(rehearse, staging):
    before = fingerprint(staging)
    rehearse.write("m.sql", "UPDATE users SET age = 0;\nSELECT pg_sleep(120);")
    process = rehearse.start("run", "m.sql", "--rollback", "--sandbox-url", url_of(staging))
    wait_for(lambda: migrating(staging), 20, "the migration runs")
    process.kill()
    process.communicate(timeout=20)
    wait_for(lambda: sessions(staging) == 0, 15, "the server noticed")
    assert fingerprint(staging) == before


def test_rollback_keeps_settings_of_files_apart(rehearse, staging):
    rehearse.write("1.sql", "SET lock_timeout = '1s';\nALTER TABLE users ADD COLUMN a int;")
    rehearse.write("2.sql", "ALTER TABLE orders ADD COLUMN b int;")
    outcome = rehearse("run", "1.sql", "2.sql", "--rollback", "--sandbox-url", url_of(staging))
    assert outcome.status == 0, outcome
    assert [f["step"] for f in outcome.findings("no-lock-timeout")] == ["2.sql"]
    assert outcome.statement("orders")["lock_timeout_ms"] == 0


@pytest.mark.parametrize("written, limits", [
    ("SET lock_timeout = '2s';\nSET statement_timeout = '10min';", ()),
    ("SET lock_timeout = '700ms';\nSET statement_timeout = '90s';",
     ("--lock-timeout", "700ms", "--statement-timeout", "90s")),
], ids=["defaults", "options"])
def test_rollback_knows_settings_that_equal_its_limits(rehearse, staging, written, limits):
    """The file's own lock_timeout of 2s was taken for ours, and a warning said that it had none."""
    outcome = dry_run(rehearse, staging, f"{written}\nALTER TABLE users ADD COLUMN a int;", *limits)
    assert outcome.status == 0, outcome
    assert outcome.findings("no-lock-timeout") == []
    alter = outcome.statement("ALTER TABLE")
    assert (alter["lock_timeout_ms"], alter["statement_timeout_ms"]) == \
        ((700, 90000) if limits else (2000, 600000))


def test_rollback_runs_the_files_of_tools(rehearse, staging):
    """goose wraps a file in a transaction: locks are held to its end, deferred constraints wait for it."""
    rehearse.write("00001_x.sql", "-- +goose Up\nALTER TABLE users ADD COLUMN a int;\n"
                   "UPDATE orders SET user_id = 4711 WHERE id = 1;\nSELECT pg_sleep(0.2);\n"
                   "UPDATE orders SET user_id = 1 WHERE id = 1;\n-- +goose Down\nSELECT 1;\n")
    outcome = rehearse("run", "00001_x.sql", "--rollback", "--sandbox-url", url_of(staging))
    assert outcome.result["steps"][0]["ok"], outcome
    alter = outcome.statement("ALTER TABLE")
    assert alter["in_transaction"] and alter["locks"][0]["held_ms"] >= 200


def test_rollback_says_so_when_the_connection_is_lost(rehearse, staging):
    before = fingerprint(staging)
    rehearse.write("m.sql", "UPDATE users SET age = 0;\nSELECT pg_sleep(120);")
    arguments = ("run", "m.sql", "--rollback", "--sandbox-url", url_of(staging))
    process = rehearse.start(*arguments)
    pid, = wait_for(lambda: migrating(staging), 20, "the migration runs")
    with staging.connect("postgres") as connection:
        connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
    outcome = rehearse.finish(process, arguments)
    assert outcome.status == 1 and "the server rolls back" in outcome.stderr, outcome
    assert fingerprint(staging) == before


def test_rollback_finds_what_went_around_the_transaction(rehearse, staging):
    """What a function writes through a connection of its own is committed there."""
    bins = staging.server.bin
    listed = subprocess.run(["find", f"{bins}/..", "/usr/share/postgresql", "-name", "dblink.control"],
                            capture_output=True, text=True).stdout
    if "dblink.control" not in listed:
        pytest.skip("no dblink here")
    staging.sql("CREATE EXTENSION dblink", database="staging")
    outcome = dry_run(rehearse, staging, f"SELECT dblink_exec('host={staging.directory} user=postgres dbname=staging', "
                      "'INSERT INTO users (email) VALUES (''stays'')');")
    assert outcome.status == 5, outcome
    finding, = outcome.findings("rollback-left-changes")
    assert "public.users" in finding["title"] and outcome.result["rollback"]["proof"] == "differs"
