"""What a recording costs: pgbench -S directly, through a capture that is paused, and through one that records."""
import json
import signal
import statistics
import sys

import measures
import peers


def section(directory, arguments, table, goal):
    print(f"\nCapture, pgbench -S, {arguments.rounds} rounds of {arguments.seconds} s a cell")
    server = peers.Server(directory, arguments.scale)
    everyone = [peers.direct(server, directory)]
    try:
        everyone.append(peers.capture(server, directory, arguments.program, "off", "--start-paused"))
        everyone.append(peers.capture(server, directory, arguments.program, "on"))
        rates, cpu = {}, {}
        for number in range(arguments.rounds):
            for mode in arguments.modes:
                for clients in arguments.clients:
                    for peer in measures.rotated(everyone, number):
                        rate, _, used = measures.pgbench(server, peer, mode, clients, arguments.seconds)
                        rates.setdefault((mode, clients, peer.name), []).append(rate)
                        cpu.setdefault((mode, clients, peer.name), []).append(used)
                    print(".", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        report(arguments, rates, cpu, table, goal)
        stored(everyone[2], goal)
    finally:
        for peer in everyone:
            peer.stop()
        server.stop()


def report(arguments, rates, cpu, table, goal):
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
