"""Workloads made by the tests, event by event (tests/tools/made_workload.c writes the file)."""
import json
import pathlib
import struct
import subprocess

from conftest import PROGRAM

MAKER = PROGRAM.parent / "tests" / "unit" / "replay" / "made_workload"

PARSED, WRITES, ORDERS = 1, 2, 8


def text(value):
    return value.encode() + b"\0"


def message(type_, body=b"", pattern=0, **more):
    return {"type": type_, "pattern": pattern, "body": body.hex(), **more}


def query(sql, pattern=0, **more):
    return message("Q", text(sql), pattern, **more)


def parse(name, sql, types=()):
    return message("P", text(name) + text(sql) + struct.pack(">H", len(types)) +
                   b"".join(struct.pack(">I", oid) for oid in types))


def bind(name="", portal="", values=(), formats=(), results=()):
    body = text(portal) + text(name)
    body += struct.pack(">H", len(formats)) + b"".join(struct.pack(">H", f) for f in formats)
    body += struct.pack(">H", len(values))
    for value in values:
        body += struct.pack(">i", -1) if value is None else struct.pack(">I", len(value)) + value
    return message("B", body + struct.pack(">H", len(results)) +
                   b"".join(struct.pack(">H", f) for f in results))


def execute(pattern=0, portal="", rows=0):
    return message("E", text(portal) + struct.pack(">I", rows), pattern)


def describe(kind="P", name=""):
    return message("D", kind.encode() + text(name))


SYNC, FLUSH, COPY_DONE = message("S"), message("H"), message("c")


def copy_data(data, **more):
    return message("d", data, **more)


def result(rows=-1, returned=0, sqlstate="", pattern=0):
    return {"pattern": pattern, "rows": rows, "returned": returned, "sqlstate": sqlstate}


class Workload:
    def __init__(self, types=()):
        self.types, self.patterns, self.events, self.numbers = list(types), [], [], {}
        self.requests = {}

    def pattern(self, sql, flags=PARSED, reads=(), writes=()):
        if sql not in self.numbers:
            self.patterns.append({"query": sql, "flags": flags | (WRITES if writes else 0),
                                  "reads": list(reads), "writes": list(writes)})
            self.numbers[sql] = len(self.patterns)
        return self.numbers[sql]

    def begin(self, session, at=0, user="postgres", database="app", **more):
        self.events.append((at, {"k": "begun", "s": session, "user": user, "database": database, **more}))

    def request(self, session, at, *messages):
        number = self.requests[session] = self.requests.get(session, 0) + 1
        self.events.append((at, {"k": "request", "s": session, "r": number, "messages": list(messages)}))
        return number

    def answer(self, session, at, request=None, status="I", results=()):
        self.events.append((at, {"k": "answer", "s": session, "r": request or self.requests[session],
                                 "status": status, "results": list(results)}))

    def ask(self, session, at, *messages, took=100, status="I", results=()):
        """A request and its answer."""
        number = self.request(session, at, *messages)
        self.answer(session, at + took, number, status, results)
        return number

    def cancel(self, session, at, request):
        self.events.append((at, {"k": "cancel", "s": session, "r": request}))

    def end(self, session, at):
        self.events.append((at, {"k": "ended", "s": session}))

    def write(self, path):
        lines = [json.dumps({"types": self.types, "patterns": self.patterns})]
        for at, event in sorted(self.events, key=lambda pair: pair[0]):
            lines.append(json.dumps({"t": at, **event}))
        done = subprocess.run([MAKER, path], input="\n".join(lines) + "\n", text=True,
                              capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return pathlib.Path(path)
