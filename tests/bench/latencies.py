"""What a capture adds to the time of a query as its user sees it: an open loop, at shares of saturation.

Transactions of pgbench -S are due on a schedule (--rate), whether the ones before them are answered or not,
and their time counts from when they were due. Every arm gets the same load: a share of what the slowest of
them takes, closed loop, with as many clients. Without TLS all relays reach the server over its Unix socket,
with TLS over TCP; PgBouncer and the capture then end the client's TLS and begin their own, HAProxy passes it
on as it is.
"""
import statistics
import sys

import measures
import peers

CLIENTS = 8
LOADS = (0.2, 0.5, 0.8)
QUANTILES = (0.5, 0.99, 0.999)


def due_latencies(server, peer, sslmode, rate, seconds, directory):
    """us from when each transaction was due, sorted."""
    prefix = directory / f"latency-{peer.port}"
    server.client("pgbench", "-n", "-S", "-c", str(CLIENTS), "-j", "2", "-T", str(seconds), f"--rate={rate:.0f}",
                  "-l", f"--log-prefix={prefix}", port=peer.port, sslmode=sslmode, timeout=seconds + 60)
    seen = []
    for path in directory.glob(f"{prefix.name}.*"):
        seen += [int(line.split()[2]) for line in path.read_text().splitlines()]
        path.unlink()
    return sorted(seen)


def quantiles(values):
    return [values[min(len(values) - 1, int(part * len(values)))] for part in QUANTILES]


def start_everyone(server, directory, arguments, certificate, everyone):
    everyone.append(peers.direct(server, directory))
    everyone.append(peers.capture(server, directory, arguments.program, "off", "--start-paused", certificate=certificate))
    everyone.append(peers.capture(server, directory, arguments.program, "on", certificate=certificate))
    for make in (peers.pgbouncer, peers.haproxy):
        peer = make(server, directory, certificate)
        if peer:
            everyone.append(peer)
        else:
            print(f"  Without {make.__name__}: it is not installed (tools/bootstrap bench).")


def measure(server, everyone, directory, arguments, sslmode):
    """-> (most transactions/s {name: [of each round]}, quantiles {(load, name): [of each round]}, loads in 1/s)"""
    most, seen, rates = {}, {}, None
    for number in range(arguments.rounds):
        for peer in measures.rotated(everyone, number):
            most.setdefault(peer.name, []).append(
                measures.pgbench(server, peer, "simple", CLIENTS, arguments.seconds, sslmode)[0])
        if rates is None:
            rates = {load: load * min(of[0] for of in most.values()) for load in LOADS}
        for load, rate in rates.items():
            for peer in measures.rotated(everyone, number):
                seen.setdefault((load, peer.name), []).append(quantiles(
                    due_latencies(server, peer, sslmode, rate, arguments.seconds, directory)))
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return most, seen, rates


def section(directory, arguments, table, goal):
    cells = 5 * (1 + len(LOADS)) * arguments.rounds
    print(f"\nAdded latency, open loop, pgbench -S --rate with {CLIENTS} clients: {arguments.rounds} rounds of "
          f"{arguments.seconds} s a cell, about {2 * cells * (arguments.seconds + 0.5) / 60:.0f} minutes")
    certificate = peers.certificate(directory)
    server = peers.Server(directory, arguments.scale, certificate)
    try:
        for sslmode, given in (("disable", None), ("require", certificate)):
            everyone, own = [], directory / sslmode
            own.mkdir()
            try:
                start_everyone(server, own, arguments, given, everyone)
                report(sslmode == "require", *measure(server, everyone, own, arguments, sslmode), table, goal)
            finally:
                for peer in everyone:
                    peer.stop()
    finally:
        server.stop()


def report(is_tls, most, seen, rates, table, goal):
    what = "with TLS" if is_tls else "without TLS"

    def added(load, name, which):
        """Median over rounds of differences within a round."""
        return statistics.median(a[which] - b[which] for a, b in zip(seen[load, name], seen[load, "direct"]))

    def row(name):
        return [name, f"{statistics.median(a / b for a, b in zip(most[name], most['direct'])):.2f}"] + [
            " / ".join(f"{added(load, name, which):+.0f}" for which in range(len(QUANTILES))) for load in LOADS]
    direct = [" / ".join(f"{statistics.median(of[which] for of in seen[load, 'direct']):.0f}"
                         for which in range(len(QUANTILES))) for load in LOADS]
    table([f"{what}: us, p50 / p99 / p99.9", "most, of direct",
           *(f"{load:.0%}: {rate:,.0f}/s" for load, rate in rates.items())],
          [["direct", "1", *direct], *(row(name) for name in most if name != "direct")])
    rivals = [name for name in ("PgBouncer", "HAProxy") if name in most]
    goal(f"{what}, {LOADS[0]:.0%} of saturation: added p50", added(LOADS[0], "on", 0), 100, True, " us")
    for rival in rivals:
        goal(f"{what}, {CLIENTS} clients, closed loop: throughput of {rival}'s",
             statistics.median(a / b for a, b in zip(most["on"], most[rival])), 1.0, False, " times")
    goal(f"{what}, {CLIENTS} clients, closed loop: throughput, recording or not",
         statistics.median(a / b for a, b in zip(most["on"], most["off"])), 0.97, False)
