"""What is long takes no more memory: a workload of ten million queries written, shown and replayed, a long log read."""
import datetime
import json
import os
import re
import subprocess
import tempfile
import time

import peers

CLIENTS = 8
MEMORY_MB = 256


def run(command):
    """-> (seconds, peak MB, output) of a program that must succeed."""
    start = time.monotonic()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=said, text=True)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        if process.returncode:
            raise RuntimeError(f"{command[0]} ended with {process.returncode}: {said.read()[-2000:]}")
    return time.monotonic() - start, usage.ru_maxrss / 1024, output


def replayed(arguments, server, path):
    url = f"postgresql://postgres@/postgres?host={server.directory}&port={server.port}"
    seconds, megabytes, output = run([arguments.program, "replay", path, "--to", url, "--speed", "max", "--json",
                                      "--no-config", "-q"])
    done = json.loads(output)
    if done["executions"] != arguments.queries or done["errors"]["new"] or done["lost"]:
        raise RuntimeError(f"not all was replayed: {output[:500]}")
    return seconds, megabytes


def write_log(path, megabytes):
    """A stderr log as busy servers write it: statements with durations, by turns simple and with parameters."""
    begun = datetime.datetime(2026, 11, 20, 8, 0, 0)
    size, number = 0, 0
    with open(path, "w", encoding="ascii", buffering=1 << 20) as file:
        while size < megabytes * 1_000_000:
            second = (begun + datetime.timedelta(seconds=number // 1000)).strftime("%Y-%m-%d %H:%M:%S")
            lines = []
            for number in range(number, number + 1000):
                head = f"{second}.{number % 1000:03} UTC [{4000 + number * 7919 % 40}] postgres@shop "
                aid = number * 7919 % 100000
                if number % 2:
                    lines.append(f"{head}LOG:  duration: 0.{number % 900 + 100} ms  statement: "
                                 f"SELECT abalance FROM pgbench_accounts WHERE aid = {aid};\n")
                else:
                    lines.append(f"{head}LOG:  duration: 0.{number % 900 + 100} ms  execute P_0: "
                                 "UPDATE orders SET note = $1, changed = now() WHERE id = $2 AND customer_id = $3\n"
                                 f"{head}DETAIL:  parameters: $1 = 'note of {number}', $2 = '{aid}', $3 = '{number % 977}'\n")
            number += 1
            text = "".join(lines)
            size += len(text)
            file.write(text)
    return number


def section(directory, arguments, table, goal):
    path, log = directory / "large.workload", directory / "server.stderr"
    print(f"\nA workload of {arguments.queries:,} queries of {CLIENTS} sessions, and a log of {arguments.log_mb} MB "
          f"(the replay takes {arguments.queries / 15000 / 60:.0f} minutes at 15,000/s)")
    rows = []
    seconds, megabytes, output = run([arguments.build / "tests/unit/store/workload_timer", path, arguments.queries,
                                      CLIENTS, "keep"])
    each = float(re.search(r"([\d.]+) bytes a query", output).group(1))
    events = [float(rate) for rate in re.findall(r"([\d.]+) events/s", output)]
    rows.append(["written and read", f"{seconds:.1f}", f"{megabytes:.0f}", f"{events[0]:,.0f} and {events[1]:,.0f} events/s"])
    peaks = {"written and read": megabytes}
    seconds, megabytes, _ = run([arguments.program, "workload", "show", path])
    peaks["shown"] = megabytes
    rows.append(["shown", f"{seconds:.1f}", f"{megabytes:.0f}", f"{path.stat().st_size / 1e6:,.0f} MB"])
    (directory / "server").mkdir()
    server = peers.Server(directory / "server", 1)
    try:
        seconds, megabytes = replayed(arguments, server, path)
    finally:
        server.stop()
    peaks["replayed"] = megabytes
    rows.append(["replayed", f"{seconds:.1f}", f"{megabytes:.0f}", f"{arguments.queries / seconds:,.0f} queries/s"])
    path.unlink()
    statements = write_log(log, arguments.log_mb)
    size = log.stat().st_size / 1e6
    seconds, megabytes, _ = run([arguments.program, "workload", "import", log, "-o", path, "--unencrypted"])
    peaks["imported"] = megabytes
    rows.append(["imported from a log", f"{seconds:.1f}", f"{megabytes:.0f}",
                 f"{size / seconds:.0f} MB/s, {statements / seconds:,.0f} statements/s"])
    table(["", "s", "peak MB", ""], rows)
    for name, peak in peaks.items():
        goal(f"{name}: peak memory", peak, MEMORY_MB, True, " MB")
    goal("bytes stored per query", each, 60, True)
