"""Rows of COPY FROM STDIN in a masked recording: in every format, replayed, they are what a snapshot has."""
import json
import os
import subprocess
import uuid

import psycopg
import psycopg.types.json
import pytest

import conftest
from test_capture import capture_of, cluster, mask_key, requests, write_masking  # noqa: F401 (fixtures)


def test_copied_rows_are_masked_and_replayed(cluster, capture_of, tmp_path):
    """What a COPY FROM STDIN brings is in a masked workload, and finds what a snapshot would hold."""
    cluster.new_database("copies", """
        CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL, city text,
                            shouted text GENERATED ALWAYS AS (upper(city)) STORED);
        CREATE TABLE audit (note text)""")
    upstream = f"host={cluster.directory} port={cluster.port} user=postgres dbname=copies"
    capture = capture_of("--upstream", upstream, "--masking", write_masking(tmp_path), *mask_key(tmp_path))
    rows = [(i, f"person{i}@example.com", None if i % 3 == 0 else f"Town\t{i}\\") for i in range(3000)]
    url = capture.url(database="copies")
    with psycopg.connect(url, autocommit=True) as connection:
        with connection.cursor().copy("COPY users FROM STDIN") as copy:  # all columns but the generated one
            for row in rows[:2000]:
                copy.write_row(row)
        # Cut anywhere; no line feed at the end.
        text = "".join(f"{email}\t{i}\n" for i, email, _ in rows[2000:])[:-1]
        with connection.cursor().copy('copy public."users" (email,ID) from stdin with (format text)') as copy:
            for at in range(0, len(text), 7001):
                copy.write(text[at:at + 7001])
        with pytest.raises(psycopg.errors.InvalidTextRepresentation), \
                connection.cursor().copy("COPY users (id, email) FROM STDIN") as copy:
            copy.write("no number\tperson1@example.com\n")
        for statement, data in (("COPY users (id, email) FROM STDIN WHERE id > 0", "9001\tleft@example.com\n"),
                                ("COPY users (id, email) FROM STDIN", "9002\tleft@example.com\r"),
                                ("COPY users (id, email) FROM STDIN CSV ENCODING 'latin1'", b"9003,left\xe9@example.com\n"),
                                ("COPY audit FROM STDIN", "person of no rule\n")):
            with connection.cursor().copy(statement) as copy:
                copy.write(data)
        connection.execute("SET client_encoding TO 'latin1'")
        with connection.cursor().copy("COPY users (id, email) FROM STDIN CSV") as copy:
            copy.write(b"9004,left\xe9@example.com\n")
        with connection.cursor().copy("COPY users (id, email) FROM STDIN CSV") as copy:
            copy.write(b"9005,person9005@example.com\n")  # what every encoding writes alike
        connection.execute("SET client_encoding TO 'utf8'")
        found = connection.execute("SELECT id FROM users WHERE email = %s", ("person2500@example.com",)).fetchone()
        assert found == (2500,)
    capture.end()
    events = capture.events()
    for clear in (b"person", b"left"):
        assert clear not in b"".join(bytes.fromhex(message["body"]) for event in requests(events)
                                     for message in event["messages"])
    # With a condition, with lines that end in a carriage return, in another encoding than the database's. (A column
    # that masking.yaml does not name is masked by default, here as in a snapshot.)
    left_out = sum(map(len, ("9001\tleft@example.com\n", "9002\tleft@example.com\r",
                             "9003,left?@example.com\n", "9004,left?@example.com\n")))
    assert capture.head["gaps"]["copy-data-masked-out"] == left_out
    cluster.sql("TRUNCATE users; TRUNCATE audit", "copies")
    done = subprocess.run([conftest.PROGRAM, "replay", capture.out, "--no-config", "--speed", "max", "--to",
                           f"postgresql://postgres@/copies?host={cluster.directory}&port={cluster.port}", "--out",
                           tmp_path / "replay.json"], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr
    with cluster.connect("copies") as connection:
        got = connection.execute("SELECT id, email, city, shouted FROM users WHERE id < 9000 ORDER BY id").fetchall()
        assert connection.execute("SELECT array_agg(id) FROM users WHERE id >= 9000").fetchone() == ([9005],)
        sent = next(bytes.fromhex(message["body"]) for event in requests(events) for message in event["messages"]
                    if message["type"] == "B" and b"@" in bytes.fromhex(message["body"]))
    assert [row[0] for row in got] == list(range(3000))
    assert [row[2] for row in got[:2000]] == [city for _, _, city in rows[:2000]]
    assert all("@" in row[1] and len(row[1]) == len(rows[row[0]][1]) for row in got)
    assert len({row[1] for row in got}) == 3000
    # The parameter that finds a row finds it in what was copied.
    assert got[2500][1].encode() in sent


PEOPLE = """
    CREATE TYPE mood AS ENUM ('fine', 'sad');
    CREATE TABLE people (id int PRIMARY KEY, email text NOT NULL, note text, salary int, token uuid, raw bytea,
                         doc jsonb, mood mood, city text)"""
PEOPLE_MASKING = """version: 1
tables:
  public.people:
    columns:
      {id: keep, email: email, note: text, salary: number, token: uuid, raw: bytes, doc: json, mood: keep, city: keep}
"""


def people(first, count):
    """Rows that say SECRET in every column where they can, and all that a format has to escape."""
    notes = ["SECRET, of \"somebody\"", "a\nb\r\nSECRET\tc\\d", None, "", "Zoë's; |SECRET|", "\\.", "NA", " SECRET "]
    return [(i, f"SECRET{i}@example.com", notes[i % len(notes)], None if i % 5 == 0 else 1000 + i,
             f"123e4567-e89b-42d3-a456-{i:012d}", b"SECRET\0%d" % i, json.dumps({"name": f"SECRET {i}", "n": i}),
             ("fine", "sad", None)[i % 3], None if i % 7 == 0 else f"Town \"{i}\"") for i in range(first, first + count)]


def csv_of(rows, delimiter=",", quote='"', escape='"', null="", end="\n"):
    def field(value):
        if value is None:
            return null
        text = "\\x" + value.hex() if isinstance(value, bytes) else str(value)
        if text and text != null and not set(text) & set(delimiter + quote + "\r\n"):
            return text
        text = text.replace(escape, 2 * escape) if escape != quote else text
        return quote + text.replace(quote, escape + quote) + quote
    return "".join(delimiter.join(map(field, row)) + end for row in rows)


def text_of(rows, delimiter, null, end):
    escapes = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", delimiter: "\\" + delimiter})
    return "".join(delimiter.join(null if value is None else
                                  ("\\x" + value.hex() if isinstance(value, bytes) else str(value)).translate(escapes)
                                  for value in row) + end for row in rows)


def test_rows_of_every_format_are_masked_as_those_of_a_snapshot(cluster, capture_of, rehearse, tmp_path):
    """csv, text and binary, by psycopg and psql: replayed, they are what a snapshot has of the rows of production."""
    cluster.new_database("formats", PEOPLE)
    (tmp_path / "masking.yaml").write_text(PEOPLE_MASKING)
    _, key = mask_key(tmp_path)
    upstream = f"host={cluster.directory} port={cluster.port} user=postgres dbname=formats"
    capture = capture_of("--upstream", upstream, "--masking", tmp_path / "masking.yaml", "--mask-key-file", key)
    url = capture.url(database="formats")

    def send(connection, statement, data, step):
        data = data.encode() if isinstance(data, str) else data
        with connection.cursor().copy(statement) as copy:
            for at in range(0, len(data), step):
                copy.write(data[at:at + step])

    with psycopg.connect(url, autocommit=True) as connection:
        send(connection, "COPY people FROM STDIN (FORMAT csv)", csv_of(people(0, 700)), 999)
        send(connection, "COPY people FROM STDIN WITH CSV HEADER",
             "SECRET,\"h\n\"\r\n" + csv_of(people(1000, 60), end="\r\n"), 7)
        send(connection, "COPY people FROM STDIN WITH DELIMITER AS ';' CSV QUOTE AS '''' ESCAPE '\\' NULL 'NA'",
             csv_of(people(2000, 60), ";", "'", "\\", "NA")[:-1], 11)
        send(connection, "COPY people (note, id, email) FROM STDIN (FORMAT csv, FORCE_NOT_NULL (note))",
             ",3000,SECRET@example.com\n", 5)
        send(connection, "COPY people (note, id, email) FROM STDIN CSV FORCE NULL note",
             "\"\",3001,SECRET@example.com\n\\.\n", 100)
        send(connection, "COPY people FROM STDIN DELIMITER '|' NULL ''",
             text_of([row for row in people(4000, 60) if row[2] != ""], "|", "", "\r\n"), 13)
        send(connection, "COPY people FROM STDIN (DELIMITER E'\\x01', NULL '-', FREEZE off)",
             text_of(people(5000, 60), "\x01", "-", "\n"), 1000)
        send(connection, "COPY people FROM STDIN", text_of(people(6000, 60), "\t", "\\N", "\r\n"), 17)
        with connection.cursor().copy("COPY people FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "text", "text", "int4", "uuid", "bytea", "jsonb", "text", "text"])
            for row in people(7000, 700):
                copy.write_row((*row[:4], uuid.UUID(row[4]), row[5], psycopg.types.json.Jsonb(json.loads(row[6])), *row[7:]))
        with connection.cursor().copy("COPY (SELECT id + 1000, email, note, salary, token, raw, doc, mood, city "
                                      "FROM people WHERE id BETWEEN 7000 AND 7100) TO STDOUT BINARY") as copy:
            binary = b"".join(copy)
        send(connection, "COPY BINARY people FROM STDIN", binary, 3)
    (tmp_path / "rows.csv").write_text(csv_of(people(9000, 60)), newline="")
    (tmp_path / "rows.bin").write_bytes(binary)
    done = subprocess.run(
        ["psql", "-X", "-v", "ON_ERROR_STOP=1", url], capture_output=True, text=True, timeout=60,
        input=f"\\copy people from '{tmp_path}/rows.csv' csv\n"
              f"DELETE FROM people WHERE id BETWEEN 8000 AND 8100;\n\\copy people from '{tmp_path}/rows.bin' binary\n"
              "COPY people (id, email) FROM STDIN CSV;\n9990,SECRET@example.com\n\\.\n")
    assert done.returncode == 0, done.stderr
    events = capture.end().events()
    assert capture.head["masked"] and "copy-data-masked-out" not in capture.head["gaps"], capture.head["gaps"]
    bodies = b"".join(bytes.fromhex(message["body"]) for event in requests(events) for message in event["messages"])
    for clear in (b"SECRET", b"SECRET".hex().encode(), b"somebody"):
        assert clear not in bodies and clear not in capture.out.read_bytes()

    made = rehearse("snapshot", "create", "--from", upstream, "-o", tmp_path / "snapshot", "--masking",
                    tmp_path / "masking.yaml", "--key-file", key, timeout=120)
    assert made.status == 0, made
    cluster.new_database("formats_masked", "SELECT 1")
    done = subprocess.run([f"{cluster.server.bin}/pg_restore", "-h", cluster.directory, "-p", str(cluster.port), "-U",
                           "postgres", "-d", "formats_masked", "--exit-on-error", tmp_path / "snapshot" / "archive"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    cluster.sql("TRUNCATE people", "formats")
    done = subprocess.run([conftest.PROGRAM, "replay", capture.out, "--no-config", "--speed", "max", "--to",
                           f"postgresql://postgres@/formats?host={cluster.directory}&port={cluster.port}", "--out",
                           tmp_path / "replay.json"], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr

    def rows(database):
        with cluster.connect(database) as connection:
            return connection.execute("SELECT * FROM people ORDER BY id").fetchall()

    replayed, wanted = rows("formats"), rows("formats_masked")
    assert len(replayed) == len(wanted) > 1700
    assert not [pair for pair in zip(replayed, wanted) if pair[0] != pair[1]][:5]
    assert "SECRET" not in str(replayed)


def test_half_a_row_that_is_left_out_is_counted(cluster, capture_of, tmp_path):
    """Of a row that --copy-max cuts, or that the client never ends, nothing is stored: its bytes are in the ledger."""
    cluster.new_database("halves", "CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL, city text)")
    upstream = f"host={cluster.directory} port={cluster.port} user=postgres dbname=halves"
    capture = capture_of("--upstream", upstream, "--copy-max", "100kB", "--masking", write_masking(tmp_path),
                         *mask_key(tmp_path))
    rows = "".join(f"{i},person{i}@example.com,Town\n" for i in range(10000))
    with psycopg.connect(capture.url(database="halves"), autocommit=True) as connection:
        with connection.cursor().copy("COPY users FROM STDIN CSV") as copy:
            copy.write(rows)
        with pytest.raises(psycopg.errors.BadCopyFileFormat), \
                connection.cursor().copy("COPY users FROM STDIN CSV") as copy:
            copy.write("20000,person@example.com,Town\n20001,\"person")
    capture.end().events()
    assert b"person" not in capture.out.read_bytes()
    cut = rows[:100 * 1024].rsplit("\n", 1)[1]
    assert cut and capture.head["gaps"]["copy-data-masked-out"] == len(cut) + len('20001,"person')
