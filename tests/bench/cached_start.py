"""The second run on a snapshot: from the command to the first traced statement."""
import statistics

import measures
import peers


def prepare_archive(server, directory, megabytes):
    """A directory archive of about so much data, in tables as an application has them; -> its real bytes."""
    # 1,000,000 narrow rows with an index take 90 MB, of wide ones 125 kB take 1 MB.
    server.sql("CREATE DATABASE cached")
    run = lambda text: server.client("psql", "-XAtqd", "cached", "-c", text)
    rows = megabytes * 1_000_000 // 2 // 90
    run("CREATE TABLE narrow (id bigint PRIMARY KEY, owner int, state text, at timestamptz)")
    run(f"INSERT INTO narrow SELECT n, n % 9973, 'open', now() FROM generate_series(1, {rows}) n")
    run("CREATE TABLE wide (id bigint PRIMARY KEY, text text)")
    run(f"INSERT INTO wide SELECT n, repeat(md5(n::text), 24) FROM generate_series(1, {megabytes * 600}) n")
    size = int(server.client("psql", "-XAtqd", "cached", "-c", "SELECT pg_database_size('cached')").stdout)
    server.client("pg_dump", "-Fd", "-Z0", "-j2", "-d", "cached", "-f", directory)
    return size


def section(directory, arguments, table, goal):
    server = peers.Server(directory, 0)
    archive, migration = directory / "archive", directory / "first.sql"
    migration.write_text("ALTER TABLE narrow ADD COLUMN note text;\n")
    try:
        size = prepare_archive(server, archive, arguments.cached_mb) / 2**30
    finally:
        server.stop()
    print(f"\nFrom the command to the first traced statement, snapshot of {size:.2f} GB (s)")
    environment = {"REHEARSE_CACHE_DIR": str(directory / "cache"), "REHEARSE_CUTS": "off",
                   "REHEARSE_NO_WAY_BACK": "true"}

    def measure():
        return measures.first_statement(arguments.program, ["--snapshot", archive], migration, directory / "out",
                                        environment)
    first, later = measure(), [measure() for _ in range(max(3, arguments.rounds))]
    table(["", "s"], [["first run, which restores it", f"{first:.2f}"],
                      ["later runs, from the cache", f"{statistics.median(later):.2f}"]])
    goal("first traced statement on a cached snapshot, for each GB", statistics.median(later) / max(size, 1), 1,
         True, " s")
    goal("share of a run that restores", statistics.median(later) / first, 0.1, True)
