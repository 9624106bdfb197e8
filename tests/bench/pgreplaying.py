"""The same statements replayed from the same log: rehearse at --speed max, and pgreplay as fast as it goes."""
import json
import os
import re
import shutil
import statistics
import subprocess
import time

import measures
import peers

CLIENTS = 8
# What pgreplay's manual asks for; statements only of the run that is replayed.
LOGGED = {"logging_collector": "on", "log_destination": "csvlog", "log_filename": "statements.log", "log_connections": "on",
          "log_disconnections": "on", "lc_messages": "C"}
OF_THE_RUN = "-c log_statement=all -c log_min_messages=error -c log_min_error_statement=log"
# So many times as fast as it was: everything is due at once.
AT_ONCE = "1000000"


def log_of_a_run(server, log, mode, transactions, path):
    """The server's log of a run of pgbench -S, at `path`."""
    start = log.stat().st_size
    server.client("pgbench", "-h", str(server.directory), "-n", "-S", "-M", mode, "-c", str(CLIENTS), "-j", "1",
                  "-t", str(transactions), environment={"PGOPTIONS": OF_THE_RUN})
    # The collector writes in order: behind what this session says, nothing of the run is to come.
    mark = f"the end of {mode}"
    server.sql(f"DO $$ BEGIN RAISE LOG '{mark}'; END $$")

    def tail():
        with open(log, "rb") as file:
            file.seek(start)
            return file.read()
    peers.wait_until(lambda: mark.encode() in tail(), "the log of the run is written", 120)
    lines = tail()
    lines = lines[:lines.rindex(b"\n", 0, lines.index(mark.encode())) + 1]
    path.write_bytes(lines)
    return len(lines)


def timed(command):
    """-> ((seconds, of them on a processor), output) of a program that must succeed."""
    start, before = time.monotonic(), os.times()
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-2000:]}")
    after = os.times()
    busy = after.children_user - before.children_user + after.children_system - before.children_system
    return (time.monotonic() - start, busy), done.stdout


def by_rehearse(arguments, server, workload, transactions):
    url = f"postgresql://postgres@/postgres?host={server.directory}&port={server.port}"
    times, output = timed([arguments.program, "replay", workload, "--to", url, "--speed", "max", "--json",
                           "--no-config", "-q"])
    done = json.loads(output)
    if done["executions"] < transactions or done["errors"]["new"]:
        raise RuntimeError(f"not all was replayed: {output[:500]}")
    return times


def by_pgreplay(server, file, transactions):
    times, output = timed(["pgreplay", "-r", "-j", "-s", AT_ONCE, "-h", server.directory, "-p", server.port, file])
    executed, failed = (int(re.search(pattern, output).group(1))
                        for pattern in (r"SQL statements executed: (\d+)", r"\((\d+) or [\d.]+% of these"))
    if executed < transactions or failed:
        raise RuntimeError(f"not all was replayed: {output}")
    return times


def section(directory, arguments, table, goal):
    if not shutil.which("pgreplay"):
        print("\nReplay beside pgreplay: it is not installed (tools/bootstrap bench).")
        return
    log = directory / "statements.csv"
    server = peers.Server(directory, 1, log_directory=directory, **LOGGED)
    each = arguments.logged_queries // CLIENTS
    print(f"\nA log of pgbench -S, {CLIENTS} clients, {each * CLIENTS:,} queries, replayed as fast as it goes "
          "(seconds from start to end / of them on a processor)")
    try:
        rows, ratios = [], []
        for mode in ("simple", "prepared"):
            files = [directory / f"{mode}.{kind}" for kind in ("csv", "pgreplay", "workload")]
            size = log_of_a_run(server, log, mode, each, files[0])
            parsing = timed(["pgreplay", "-f", "-c", "-o", files[1], files[0]])[0][0]
            importing = timed([arguments.program, "workload", "import", files[0], "-o", files[2], "--unencrypted"])[0][0]
            ways = {"rehearse": lambda: by_rehearse(arguments, server, files[2], each * CLIENTS),
                    "pgreplay": lambda: by_pgreplay(server, files[1], each * CLIENTS)}
            seen = {name: [] for name in ways}
            for number in range(arguments.rounds):
                for name in measures.rotated(list(ways), number):
                    seen[name].append(ways[name]())
            ratio, of_processor = (statistics.median(b[which] / a[which] for a, b in zip(seen["rehearse"], seen["pgreplay"]))
                                   for which in (0, 1))
            ratios.append(ratio)
            rows.append([mode, *(f"{statistics.median(s for s, _ in of):.2f} / {statistics.median(cpu for _, cpu in of):.2f}"
                                 for of in seen.values()), f"{ratio:.2f}", f"{of_processor:.2f}",
                         f"{importing:.2f}", f"{parsing:.2f}", f"{size / 1e6:.0f}"])
        # How much faster it can be is the server's to say: the processor's time is the replay's own.
        table(["mode", "rehearse s / CPU", "pgreplay", "times as fast", "CPU", "import s", "pgreplay -f", "log MB"], rows)
        goal("replay, times as fast as pgreplay, the slower mode", min(ratios), 5, False)
    finally:
        server.stop()
