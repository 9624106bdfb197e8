"""The set questions of a failing CREATE UNIQUE INDEX against the index itself."""
import json
import statistics
import subprocess
import time

import peers

# Columns of the table: a number without order, a text of some length, both without duplicates.
TABLE = """
CREATE TABLE big AS SELECT g AS id, (g::bigint * 7919) %% 20000003 AS number, 'user' || g || '@example.org' AS mail,
       now() - g * interval '1 s' AS created_at FROM generate_series(1, %d) AS g;
ALTER TABLE big ADD PRIMARY KEY (id);
VACUUM ANALYZE big;
CHECKPOINT;
"""


def timed(run):
    start = time.monotonic()
    run()
    return time.monotonic() - start


def build_index(server, column):
    server.sql(f"CREATE UNIQUE INDEX built ON big ({column})")


def ask(program, server, column):
    """Seconds of all questions until the first repair, and what they found."""
    request = {"sql": f"CREATE UNIQUE INDEX built ON big ({column})", "until": "DROP "}
    done = subprocess.run([program, f"host={server.directory} port={server.port} user=postgres dbname=postgres"],
                          input=json.dumps(request) + "\n", capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    [offenders] = answer["blocker"]["offenders"]
    assert (offenders["groups"], offenders["rows"]) == (1, 2) and offenders["newest"], offenders
    return sum(milliseconds for _, _, milliseconds in answer["asked"]) / 1000


def section(directory, arguments, table, goal):
    program = arguments.build / "tests" / "unit" / "engine" / "inquire"
    server = peers.Server(directory, 0)
    columns = ("number", "mail")
    seen = {column: [] for column in columns}
    try:
        for statement in (TABLE % arguments.rows).split(";")[:-1]:
            server.sql(statement)
        print(f"\nAll duplicates of {arguments.rows:,} rows, and CREATE UNIQUE INDEX on the same column (s)")
        for _ in range(arguments.rounds):
            for column in columns:
                built = timed(lambda: build_index(server, column))
                server.sql("DROP INDEX built")
                server.sql(f"INSERT INTO big (id, {column}) SELECT 0, {column} FROM big WHERE id = 7")
                seen[column].append((built, ask(program, server, column)))
                server.sql("DELETE FROM big WHERE id = 0")
                server.sql("VACUUM big")
    finally:
        server.stop()
    table(["", "index", "questions"],
          [[column, f"{statistics.median(b for b, _ in times):.2f}", f"{statistics.median(a for _, a in times):.2f}"]
           for column, times in seen.items()])
    for column, times in seen.items():
        goal(f"{column}: questions of the index", statistics.median(asked / built for built, asked in times), 1.5, True,
             " times")
