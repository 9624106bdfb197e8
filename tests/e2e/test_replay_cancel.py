"""Cancel requests of a replay, with a server that takes its time for them.

The postmaster signals a backend and then its process group (signal_child() in postmaster.c), so that a backend
which was quick to obey gets the second of the two in its next statement: a client is safe once the server has
closed the connection of the request.
"""
import socket
import struct
import threading

import pytest
from conftest import wait_for
from test_replay import replay, target  # noqa: F401
from workloads import Workload, query, result

CANCEL = struct.pack(">I", 80877102)
SECOND_SIGNAL_AFTER_S = 0.5


class SlowPostmaster:
    """Passes a session on as it is; a cancel request goes to the server twice, the second time when the next
    statement runs, or after a while when none does."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.second_hit = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def connect(self):
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(next(self.cluster.directory.glob(".s.PGSQL.*[0-9]"))))
        return server

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        first = client.recv(65536)
        if first[4:8] == CANCEL:
            self.cancel(first)
            self.second_hit = self.next_runs()
            self.cancel(first)
            client.close()
            return
        server = self.connect()
        server.sendall(first)
        threading.Thread(target=self.pump, args=(server, client), daemon=True).start()
        self.pump(client, server)

    def cancel(self, request):
        with self.connect() as server:
            server.sendall(request)
            server.recv(1)

    def next_runs(self):
        with self.cluster.connect("app", autocommit=True) as watcher:
            try:
                wait_for(lambda: watcher.execute(
                    "SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%the next one%'"
                    " AND pid <> pg_backend_pid()").fetchone() is not None, SECOND_SIGNAL_AFTER_S, "it runs")
            except pytest.fail.Exception:
                return False
            return True

    @staticmethod
    def pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def test_the_next_request_waits_until_the_cancel_is_dealt_with(rehearse, target):  # noqa: F811
    w = Workload()
    slow, after = w.pattern("SELECT pg_sleep($1)"), w.pattern("SELECT pg_sleep($1) AS the_next_one")
    w.begin(1)
    number = w.request(1, 1000, query("SELECT pg_sleep(30)", slow))
    w.cancel(1, 51_000, number)
    w.answer(1, 60_000, number, results=[result(sqlstate="57014", pattern=slow)])
    w.ask(1, 70_000, query("SELECT pg_sleep(2) /* the next one */", after), results=[result(1, pattern=after)])
    w.end(1, 2_200_000)
    between = SlowPostmaster(target)
    done = replay(rehearse, w, target, url=f"postgresql://postgres@127.0.0.1:{between.port}/app?sslmode=disable")
    between.listener.close()
    assert done["cancels"] == {"sent": 1, "not_needed": 0}
    assert between.second_hit is False
    assert done["cancelled"] == 1
    assert done["errors"] == {"as_recorded": 0, "new": 0, "resolved": 0}
