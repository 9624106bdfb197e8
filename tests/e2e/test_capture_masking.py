"""`rehearse capture --masking`: nothing of production is in what is recorded, and a replay asks a masked copy for
what the application asked production for."""
import json
import os
import subprocess

import psycopg

import conftest
from test_capture import SETUP, capture_of, cluster, mask_key, requests, write_masking  # noqa: F401 (fixtures)


def test_values_are_masked_by_their_column(capture_of, tmp_path):  # noqa: F811
    capture = capture_of("--masking", write_masking(tmp_path), *mask_key(tmp_path))
    address = "user7@example.com"
    with capture.connect(autocommit=True) as connection:
        assert connection.execute("SELECT id FROM users WHERE email = %s", (address,)).fetchone() == (7,)
        assert connection.execute("SELECT id FROM users WHERE email = %b", (address,)).fetchone() == (7,)
        psycopg.ClientCursor(connection).execute("SELECT id FROM users WHERE email = %s AND city = 'Town'", (address,))
        connection.execute("SELECT %s::text /* user7@example.com */", ("somebody's name",))
        # A smallint whose bytes could be a text, "AA", is no text.
        assert connection.execute("SELECT 1 + %b", (0x4141,)).fetchone() == (0x4142,)
        connection.execute("SET search_path = 'public'")
        # Masked as the statements are; rows that a condition chooses among are not.
        with connection.cursor().copy("COPY users (email, id, city) FROM STDIN WITH (FORMAT csv) WHERE id > 0") as copy:
            copy.write("new@example.com,200,Town\n")
    events = capture.end().events()
    bodies = [bytes.fromhex(message["body"]) for event in requests(events) for message in event["messages"]]
    everything = b"\n".join(bodies)
    assert capture.head["masked"]
    for clear in (b"user7", b"somebody", b"new@example"):
        assert clear not in everything and clear not in capture.out.read_bytes()
    quoted = next(body for body in bodies if b"city = 'Town'" in body)
    pseudonym = quoted.split(b"email = '")[1].split(b"'")[0]
    assert len(pseudonym) == len(address) and b"@" in pseudonym
    # The same pseudonym in a text, in a text parameter and in a binary one.
    assert sum(pseudonym in body for body in bodies) == 3
    assert b"SET search_path = 'public'\0" in everything and b"\0\0\0\2AA" in everything
    assert capture.head["gaps"]["copy-data-masked-out"] == len("new@example.com,200,Town\n")
    assert capture.head["gaps"]["values-masked-by-default"] == 1


def test_masked_workload_goes_with_the_snapshot_of_its_key(cluster, capture_of, rehearse, tmp_path):  # noqa: F811
    cluster.new_database("keyed", SETUP.replace("CREATE ROLE", "-- CREATE ROLE"))
    upstream = f"host={cluster.directory} port={cluster.port} user=postgres dbname=keyed"
    _, key = mask_key(tmp_path)
    (tmp_path / "other.key").write_text("00" * 31 + "08\n")
    (tmp_path / "other.key").chmod(0o600)
    made = rehearse("snapshot", "create", "--from", upstream, "-o", tmp_path / "snapshot", "--masking",
                    write_masking(tmp_path), "--key-file", key, timeout=120)
    assert made.status == 0, made
    migration = rehearse.write("1.sql", "SET lock_timeout = '2s';\nCOMMENT ON TABLE users IS 'x';\n")

    def run(*arguments):
        capture = capture_of("--upstream", upstream, *arguments)
        with psycopg.connect(capture.url(database="keyed"), autocommit=True) as connection:
            for number in range(1, 6):
                connection.execute("SELECT id FROM users WHERE email = %s", (f"user{number}@example.com",))
        capture.end()
        return rehearse("run", "--snapshot", tmp_path / "snapshot", "--workload", capture.out, "--compare-budget", "1s",
                        "--no-way-back", "--cuts", "off", migration, timeout=120)

    masking = ("--masking", tmp_path / "snapshot" / "masking.yaml")
    other = run(*masking, "--mask-key-file", tmp_path / "other.key")
    assert other.status == 2 and "what it asks for by a masked value is not there" in other.stderr, other
    # Of the snapshot itself, that is said before anything is recorded.
    refused = rehearse("capture", "--upstream", upstream, "--listen", "127.0.0.1:0", "-o", tmp_path / "refused",
                       "--masking", tmp_path / "snapshot", "--mask-key-file", tmp_path / "other.key")
    assert refused.status == 2 and "the snapshot is masked with key" in refused.stderr, refused
    assert "--mask-key-file" in refused.stderr and not (tmp_path / "refused").exists()
    # No key is made that could not be the snapshot's.
    refused = rehearse("capture", "--upstream", upstream, "--listen", "127.0.0.1:0", "-o", tmp_path / "refused",
                       "--masking", tmp_path / "snapshot", "--mask-key-file", tmp_path / "missing.key")
    assert refused.status == 2 and "missing.key" in refused.stderr, refused
    assert not (tmp_path / "missing.key").exists() and not (tmp_path / "refused").exists()
    same = run("--masking", tmp_path / "snapshot", "--mask-key-file", key)
    assert same.status != 2 and same.result["workload"]["patterns"][0]["baseline"]["rows"] == 1, same.result["workload"]
    clear = run()
    made = rehearse("snapshot", "create", "--from", upstream, "-o", tmp_path / "clear", "--unmasked", timeout=120)
    assert made.status == 0, made
    refused = rehearse("capture", "--upstream", upstream, "--listen", "127.0.0.1:0", "-o", tmp_path / "refused",
                       "--masking", tmp_path / "clear", "--mask-key-file", key)
    assert refused.status == 2 and "is not masked" in refused.stderr, refused
    assert "asks by production's values" in str(clear.result["fidelity"]["notes"]), clear


ORDERS = """
    CREATE TABLE people (id int PRIMARY KEY, email text NOT NULL, tags text[], doc jsonb, at timestamptz);
    INSERT INTO people SELECT i, 'SECRET' || i || '@example.com', ARRAY['SECRET ' || i % 10, 'b'],
        jsonb_build_object('name', 'SECRET ' || i, 'n', i), '2026-01-01'::timestamptz + i * interval '1 hour'
        FROM generate_series(1, 500) i;
    CREATE FUNCTION add_person(number int, what jsonb) RETURNS text LANGUAGE sql AS
        'INSERT INTO people (id, email, doc) VALUES (number, what->>''to'', what) RETURNING doc->>''kind''';
"""
ORDERS_MASKING = """version: 1
tables:
  public.people:
    columns: {id: keep, email: email, tags: text, doc: json, at: keep}
"""


def test_whatever_way_a_query_asks_it_finds_what_it_found(cluster, capture_of, rehearse, tmp_path):  # noqa: F811
    """Arrays, sub-queries, casts, documents, and words of the server's: masked, and the same rows come back."""
    cluster.new_database("ways", ORDERS)
    (tmp_path / "masking.yaml").write_text(ORDERS_MASKING)
    _, key = mask_key(tmp_path)
    upstream = f"host={cluster.directory} port={cluster.port} user=postgres dbname=ways"
    masking = ("--masking", tmp_path / "masking.yaml")
    made = rehearse("snapshot", "create", "--from", upstream, "-o", tmp_path / "snapshot", *masking, "--key-file", key,
                    timeout=120)
    assert made.status == 0, made
    capture = capture_of("--upstream", upstream, *masking, "--mask-key-file", key)
    mails = [f"SECRET{number}@example.com" for number in (3, 400, 9999)]
    asked = [
        ("SELECT id FROM people WHERE email = ANY (%s) ORDER BY id", (mails,), 2),
        ("SELECT id FROM people WHERE email = ANY (%b::text[]) ORDER BY id", (mails,), 2),
        ("SELECT id FROM people JOIN unnest(%s::text[]) AS wanted ON wanted = email", (mails,), 2),
        ("SELECT id FROM people WHERE %s = ANY (tags)", ("SECRET 7",), 50),
        ("SELECT p.id FROM people p JOIN (VALUES (%s), (%s)) AS v (m) ON p.email = v.m", mails[:2], 2),
        ("WITH w AS (SELECT id, lower(email) AS m FROM people) SELECT id FROM w WHERE m = lower(%s)", mails[:1], 1),
        ("SELECT doc->>'n' FROM people WHERE doc ? 'name' AND at < now() - interval '1 second' LIMIT 5", (), 5),
        ("SELECT id FROM people WHERE doc->>'name' = %s", ("SECRET 12",), 1),
        ("SELECT id FROM people WHERE doc->'n' = %s::jsonb", ("12",), 1),
        ("SELECT date_trunc('day', at), count(*) FROM people WHERE at >= %s::timestamptz + (%s || ' hours')::interval "
         "GROUP BY 1 ORDER BY 1", ("2026-01-01T00:00:00Z", "24"), 20),
        ("SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
         "WHERE n.nspname = 'public' AND c.relname = %s AND current_setting('server_version_num')::int > 0",
         ("people",), 1),
        ("SELECT add_person(%s, %s::jsonb)", (1000, '{"to": "SECRET1000@example.com", "kind": null, "ok": true}'), 1),
        ("INSERT INTO people (id, email) SELECT * FROM unnest(%s::int[], %s::text[]) AS u (a, b) RETURNING id",
         ([2001, 2002], ["SECRET2001@example.com", "SECRET2002@example.com"]), 2),
        ("SELECT id FROM people WHERE email = %s", ("SECRET2002@example.com",), 1),
    ]
    with psycopg.connect(capture.url(database="ways"), autocommit=True) as connection:
        for statement, parameters, count in asked:
            assert len(connection.execute(statement, parameters).fetchall()) == count, statement
    events = capture.end().events()
    bodies = b"".join(bytes.fromhex(message["body"]) for event in requests(events) for message in event["messages"])
    assert b"SECRET" not in bodies and b"SECRET" not in capture.out.read_bytes()
    # The document alone, which is assigned to no column where it is seen.
    assert capture.head["gaps"] == {"values-masked-by-default": 1}, capture.head["gaps"]

    cluster.new_database("ways_masked", "SELECT 1")
    done = subprocess.run([f"{cluster.server.bin}/pg_restore", "-h", cluster.directory, "-p", str(cluster.port), "-U",
                           "postgres", "-d", "ways_masked", "--exit-on-error", tmp_path / "snapshot" / "archive"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([conftest.PROGRAM, "replay", capture.out, "--no-config", "--speed", "max", "--to",
                           f"postgresql://postgres@/ways_masked?host={cluster.directory}&port={cluster.port}", "--out",
                           tmp_path / "replay.json"], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr
    replayed = json.loads((tmp_path / "replay.json").read_text())
    assert replayed["errors"] == {"as_recorded": 0, "new": 0, "resolved": 0}, replayed
    assert [pattern["query"] for pattern in replayed["patterns"] if pattern["rows"]["differ"]] == []
