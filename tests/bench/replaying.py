"""A replay at its greatest speed beside pgbench -S on one thread, at equal concurrency; its memory."""
import json
import os
import random
import re
import statistics
import struct
import subprocess

import peers

SQL = "SELECT abalance FROM pgbench_accounts WHERE aid = "


def message(type_, body, pattern=0):
    return {"type": type_, "pattern": pattern, "body": body.hex()}


def lines(mode, clients, requests):
    """What pgbench -S says with so many clients, each so often; seeded."""
    numbers = random.Random(1)
    yield {"types": [], "patterns": [{"query": SQL + "$1", "flags": 1, "reads": ["pgbench_accounts"], "writes": []}]}
    for client in range(1, clients + 1):
        yield {"k": "begun", "t": 0, "s": client, "user": "postgres", "database": "postgres"}
    at = 1000
    for number in range(1, requests + 1):
        for client in range(1, clients + 1):
            at += 10
            aid = b"%d" % numbers.randint(1, 100000)
            if mode == "simple":
                messages = [message("Q", SQL.encode() + aid + b";\0", 1)]
            else:
                messages = [message("P", b"P0\0" + SQL.encode() + b"$1;\0\0\0")] if number == 1 else []
                messages += [message("B", b"\0P0\0\0\0\0\1" + struct.pack(">I", len(aid)) + aid + b"\0\0"),
                             message("D", b"P\0"), message("E", b"\0" + bytes(4), 1), message("S", b"")]
            yield {"k": "request", "t": at, "s": client, "r": number, "messages": messages}
        for client in range(1, clients + 1):
            at += 10
            yield {"k": "answer", "t": at, "s": client, "r": number, "status": "I",
                   "results": [{"pattern": 1, "rows": 1, "returned": 1}]}
    for client in range(1, clients + 1):
        yield {"k": "ended", "t": at + 10, "s": client}


def make(build, path, mode, clients, requests):
    maker = subprocess.Popen([build / "tests" / "unit" / "replay" / "made_workload", path],
                             stdin=subprocess.PIPE, text=True)
    for line in lines(mode, clients, requests):
        maker.stdin.write(json.dumps(line) + "\n")
    maker.stdin.close()
    if maker.wait():
        raise RuntimeError("no workload was made")


def replay(arguments, server, path):
    """-> (executions per second, peak memory in MB)"""
    url = f"postgresql://postgres@/postgres?host={server.directory}&port={server.port}"
    process = subprocess.Popen([arguments.program, "replay", path, "--to", url, "--speed", "max", "--json",
                                "--no-config", "-q"], stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    done = json.loads(output)
    if process.returncode or done["errors"]["new"] or not done["executions"]:
        raise RuntimeError(f"the replay failed: {output[:500]}")
    return done["executions"] / done["duration_ms"] * 1000, usage.ru_maxrss / 1024


def pgbench(server, mode, clients, requests):
    output = server.client("pgbench", "-h", str(server.directory), "-n", "-S", "-M", mode, "-c", str(clients),
                           "-j", "1", "-t", str(requests)).stdout
    return float(re.search(r"tps = ([\d.]+) \(without", output).group(1))


def section(directory, arguments, table, goal):
    server = peers.Server(directory, 1)
    clients, requests = 8, 20000
    try:
        rows, ratios, memory = [], [], 0
        print(f"\nReplay at --speed max beside pgbench -S -j 1, {clients} clients, {requests * clients:,} requests "
              "(executions/s)")
        for mode in ("simple", "prepared"):
            path = directory / f"{mode}.workload"
            make(arguments.build, path, mode, clients, requests)
            ours, theirs = [], []
            for round_ in range(arguments.rounds):
                for who in (("replay", "pgbench") if round_ % 2 else ("pgbench", "replay")):
                    if who == "replay":
                        rate, megabytes = replay(arguments, server, path)
                        ours.append(rate)
                        memory = max(memory, megabytes)
                    else:
                        theirs.append(pgbench(server, mode, clients, requests))
            ratio = statistics.median(a / b for a, b in zip(ours, theirs))
            ratios.append(ratio)
            rows.append([mode, f"{statistics.median(ours):,.0f}", f"{statistics.median(theirs):,.0f}",
                         f"{ratio:.2f}", f"{path.stat().st_size / requests / clients:.1f}"])
        table(["mode", "replay", "pgbench", "ratio", "bytes/request"], rows)
        goal("replay / pgbench, the slower mode", min(ratios), 0.9, at_most=False)
        goal("memory of a replay", memory, 256, at_most=True, unit=" MB")
    finally:
        server.stop()
