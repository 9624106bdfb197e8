"""A masked dump and its restore, against the same of unmasked rows by pg_dump alone."""
import os
import shutil
import statistics
import subprocess

import peers
import sampling

JOBS = 2


def section(directory, arguments, table, goal):
    server = peers.Server(directory, 0)
    url = f"host={server.directory} port={server.port} user=postgres dbname=postgres"
    plain, masked = directory / "plain", directory / "masked"
    environment = {**os.environ, "REHEARSE_KEY_FILE": str(directory / "mask.key")}

    def dump():
        shutil.rmtree(plain, ignore_errors=True)
        # As we ask for it: the default would compress five times as long.
        server.client("pg_dump", "-Fd", "-Z1", f"-j{JOBS}", "-d", "postgres", "-f", plain)

    def create(*more):
        shutil.rmtree(masked, ignore_errors=True)
        subprocess.run([arguments.program, "snapshot", "create", "--from", url, "-o", masked, "--jobs", str(JOBS),
                        "--no-verify", "--quiet", *more], check=True, env=environment, capture_output=True)

    def restore(archive):
        server.sql("DROP DATABASE IF EXISTS again")
        server.sql("CREATE DATABASE again")
        server.client("pg_restore", f"-j{JOBS}", "-d", "again", archive)

    seen = []
    try:
        for statement in sampling.TABLES.format(mb=arguments.masked_mb).split(";")[:-1]:
            server.sql(statement)
        for _ in range(arguments.rounds):
            seen.append((sampling.timed(dump), sampling.timed(lambda: restore(plain)),
                         sampling.timed(create), sampling.timed(lambda: restore(masked / "archive")),
                         sampling.timed(lambda: create("--unmasked"))))
    finally:
        server.stop()
    names = ("pg_dump", "pg_restore of it", "masked dump", "pg_restore of it", "dump through the tap, unmasked")
    print(f"\nDump and restore of about {1.6 * arguments.masked_mb:,.0f} MB, {JOBS} jobs (s)")
    table(["", "seconds", "to pg_dump"],
          [[name, f"{statistics.median(times[i] for times in seen):.2f}",
            f"{statistics.median(times[i] / times[0] for times in seen):.2f}"] for i, name in enumerate(names)])
    goal("masked dump and restore, of the unmasked throughput",
         statistics.median((times[0] + times[1]) / (times[2] + times[3]) for times in seen), 0.9, False)
