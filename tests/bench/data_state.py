"""The data state of a database against pg_dump of it to /dev/null."""
import statistics
import subprocess
import time

import peers

# Shares of the size: what shops have. Rows a MB of heap and TOAST, measured.
TABLES = {
    "customers": (0.10, 7300, "id bigint PRIMARY KEY, email text, name text, country char(2), balance numeric(12,2), "
                  "created_at timestamptz, seen_at timestamptz",
                  "g, 'customer' || g || '@example.org', 'Name ' || md5(g::text), 'de', g % 100000 / 100.0, "
                  "timestamptz '2026-01-01' - g * interval '1 s', CASE WHEN g % 3 > 0 THEN now() END"),
    "orders": (0.25, 10000, "id bigint PRIMARY KEY, customer_id bigint NOT NULL, status text, total numeric(12,2), "
               "placed_at timestamptz, note text",
               "g, g % 99991, (ARRAY['new', 'paid', 'sent', 'done'])[1 + g % 4], g % 50000 / 100.0, "
               "timestamptz '2026-01-01' - g * interval '1 s', CASE WHEN g % 5 = 0 THEN md5(g::text) END"),
    "items": (0.30, 15000, "order_id bigint, line int, sku text, quantity int, price double precision, PRIMARY KEY (order_id, line)",
              "g / 3, g % 3, 'sku-' || g % 50021, 1 + g % 7, g % 9973 / 7.0"),
    "events": (0.25, 4200, "id bigint PRIMARY KEY, at timestamptz, kind text, payload jsonb",
               "g, timestamptz '2026-01-01' - g * interval '1 s', 'page', jsonb_build_object('user', g % 99991, 'path', "
               "'/item/' || g % 50021, 'token', md5(g::text), 'ok', g % 2 = 0)"),
    "documents": (0.10, 240, "id bigint PRIMARY KEY, title text, body text",
                  "g, 'Document ' || g, (SELECT string_agg(md5(g::text || n), ' ') FROM generate_series(1, 120) AS n)"),
}
# As rehearsal/states.c has it.
RUN_SAMPLES_OVER = 1024 * 1024 * 1024
KINDS = {"every row": 0, "as a run does": RUN_SAMPLES_OVER}


def fill(server, megabytes):
    for name, (share, rows, columns, values) in TABLES.items():
        server.sql(f"CREATE TABLE {name} ({columns})")
        server.sql(f"INSERT INTO {name} SELECT {values} FROM generate_series(1, {int(megabytes * share * rows)}) AS g")
    server.sql("VACUUM ANALYZE")
    server.sql("CHECKPOINT")
    return int(server.sql("SELECT pg_database_size('postgres')"))


def dump(server):
    start = time.monotonic()
    subprocess.run([server.bin / "pg_dump", "-h", server.directory, "-p", str(server.port), "-U", "postgres", "postgres"],
                   stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - start


def read(program, server, sample_over):
    """Seconds, and what was read."""
    output = subprocess.run([program, server.directory, str(server.port), str(sample_over)], capture_output=True,
                            text=True, check=True).stdout.split()
    tables, rows, size, skipped, sampled = map(int, output[1:])
    assert tables == len(TABLES) and skipped == 0, output
    return float(output[0]), rows, sampled


def section(directory, arguments, table, goal):
    program = arguments.build / "tests" / "unit" / "engine" / "state_timer"
    server = peers.Server(directory, 0)
    seen = {"pg_dump": [], **{kind: [] for kind in KINDS}}
    try:
        size = fill(server, arguments.state_mb)
        runs = {"pg_dump": lambda: dump(server),
                **{kind: lambda over=over: read(program, server, over)[0] for kind, over in KINDS.items()}}
        rows = read(program, server, 0)[1]  # and the machine's memory is as full as it gets
        for number in range(arguments.rounds):
            for kind in list(runs)[number % len(runs):] + list(runs)[:number % len(runs)]:
                seen[kind].append(runs[kind]())
    finally:
        server.stop()
    print(f"\nThe data state of {size / 2**30:.1f} GB, {rows:,} rows, and pg_dump of it (s)")
    ratios = {kind: statistics.median(mine / base for mine, base in zip(seen[kind], seen["pg_dump"])) for kind in KINDS}
    table(["", "s", "of pg_dump"], [[kind, f"{statistics.median(times):.1f}", f"{ratios.get(kind, 1):.2f}"]
                                    for kind, times in seen.items()])
    goal("data state, every row digested: of pg_dump", ratios["every row"], 0.5, True, " times")
