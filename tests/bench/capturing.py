"""What a capture costs: pgbench -S directly, through a capture that is paused, and through one that records."""
import json
import signal
import statistics
import sys

import measures
import peers


def capture(server, directory, program, name, *arguments):
    port = peers.free_port()
    out = directory / f"{name.replace(' ', '-')}.workload"
    peer = peers.Peer(name, port, [program, "capture", "--upstream",
                                   f"host=127.0.0.1 port={server.port} user=postgres dbname=postgres sslmode=disable",
                                   "--listen", f"127.0.0.1:{port}", "-o", out, "--unencrypted", "--no-config", "--json",
                                   *arguments], directory)
    peer.out = out
    return peer


def latencies(server, peer, mode, seconds, directory):
    """Of every transaction of one client, in us, sorted."""
    prefix = directory / f"latency-{peer.port}"
    server.client("pgbench", "-n", "-S", "-M", mode, "-c", "1", "-T", str(seconds), "-l", f"--log-prefix={prefix}",
                  port=peer.port, timeout=seconds + 60)
    seen = []
    for path in directory.glob(f"{prefix.name}.*"):
        seen += [int(line.split()[2]) for line in path.read_text().splitlines()]
        path.unlink()
    return sorted(seen)


def share(values, part):
    return values[min(len(values) - 1, int(part * len(values)))]


def section(directory, arguments, table, goal):
    print(f"\nCapture, pgbench -S, {arguments.rounds} rounds of {arguments.seconds} s a cell")
    server = peers.Server(directory, arguments.scale)
    everyone = [peers.direct(server, directory)]
    try:
        everyone.append(capture(server, directory, arguments.program, "off", "--start-paused"))
        everyone.append(capture(server, directory, arguments.program, "on"))
        rates, cpu, tails = {}, {}, {}
        for number in range(arguments.rounds):
            for mode in arguments.modes:
                turn = number % len(everyone)
                for peer in everyone[turn:] + everyone[:turn]:
                    for clients in arguments.clients:
                        rate, _, used = measures.pgbench(server, peer, mode, clients, arguments.seconds)
                        rates.setdefault((mode, clients, peer.name), []).append(rate)
                        cpu.setdefault((mode, clients, peer.name), []).append(used)
                    tails.setdefault((mode, peer.name), []).extend(
                        latencies(server, peer, mode, arguments.seconds, directory))
                    print(".", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        report(arguments, rates, cpu, tails, table, goal)
        stored(everyone[2], goal)
    finally:
        for peer in everyone:
            peer.stop()
        server.stop()


def report(arguments, rates, cpu, tails, table, goal):
    rows, ratios = [], []
    for mode in arguments.modes:
        for clients in arguments.clients:
            direct, off, on = (statistics.median(rates[mode, clients, name]) for name in ("direct", "off", "on"))
            # Neighbours in time: noise that lasts is in both.
            paired = [b / a for a, b in zip(rates[mode, clients, "off"], rates[mode, clients, "on"])]
            ratios += paired
            rows.append([f"{mode}, {clients}", f"{off / direct:.2f}", f"{on / direct:.2f}",
                         f"{statistics.median(paired):.3f}",
                         *(f"{statistics.median(cpu[mode, clients, name]) / 10:.2f}" for name in ("off", "on"))])
    table(["mode, clients", "off / direct", "on / direct", "on / off", "CPU s / 100k off", "on"], rows)
    rows = []
    for mode in arguments.modes:
        seen = {name: sorted(tails[mode, name]) for name in ("direct", "off", "on")}
        rows.append([mode] + [f"{share(seen[name], part) - share(seen['direct'], part):+d}"
                              for part in (0.5, 0.99) for name in ("off", "on")])
    table(["added us, 1 client", "p50 off", "p50 on", "p99 off", "p99 on"], rows)
    goal("throughput, recording or not (median of pairs)", statistics.median(ratios), 0.97, False)


def stored(peer, goal):
    peer.process.send_signal(signal.SIGTERM)
    peer.process.wait(60)
    told = next(json.loads(line) for line in open(peer.log.name) if '"workload"' in line)
    print(f"  {told['requests']:,} requests, {told['bytes']:,} bytes, gaps: "
          f"{ {gap['kind']: gap['count'] for gap in told['gaps']} }")
    goal("bytes stored per query", told["bytes"] / told["requests"], 60, True)
    goal("the recording is whole", int(told["is_complete"] and not told["gaps"]), 1, False)
    peer.process = None
