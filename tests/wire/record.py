#!/usr/bin/env python3
"""Records the conversations of tests/wire/*.trace: real clients, a real server, the tap in between.

    record.py --relay build/tests/unit/tap/tap_relay --server /dir/.s.PGSQL.5432 [--protocol-3-2]

The server must let the user "postgres" in without a password. Clients talk to this program, which
frames what passes by itself (it shares no code with the codec that the traces test) and connects to
the tap. --protocol-3-2 records only what needs a server of version 18.

A trace is text: "F" (frontend) or "B" (backend), the type ("-" for a start-up packet), then the body as
"quoted" printable ASCII and hexadecimal bytes. Length words follow from the bodies. Process numbers
are masked as 12345, cancel keys as zeros, time stamps and file lines do not occur in what is recorded.
"""
import argparse
import os
import re
import select
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PID = 12345


def body_text(body):
    parts = []
    for run in re.findall(rb'[ !#-~]{3,}|(?:(?![ !#-~]{3}).)+', body, re.S):
        if len(run) >= 3 and re.fullmatch(rb'[ !#-~]+', run):
            parts.append('"%s"' % run.decode('ascii'))
        else:
            parts.append(run.hex())
    return ' '.join(parts)


class Framer:
    """One direction of one connection; calls sink(type, body)."""

    def __init__(self, direction, sink):
        self.direction, self.sink = direction, sink
        self.untyped = direction == 'F'
        self.bytes = bytearray()

    def feed(self, data):
        self.bytes += data
        while True:
            head = 4 if self.untyped else 5
            if len(self.bytes) < head:
                return
            length = struct.unpack('>I', self.bytes[head - 4:head])[0]
            end = head - 4 + length
            if len(self.bytes) < end:
                return
            kind = '-' if self.untyped else chr(self.bytes[0])
            body = bytes(self.bytes[head:end])
            del self.bytes[:end]
            if self.untyped:
                code = struct.unpack('>I', body[:4])[0]
                self.untyped = code in (80877103, 80877104)
            self.sink(kind, body)


def mask(direction, kind, body):
    if direction == 'B' and kind == 'K':
        return struct.pack('>I', PID) + bytes(len(body) - 4)
    if direction == 'B' and kind == 'A':
        return struct.pack('>I', PID) + body[4:]
    if direction == 'F' and kind == '-' and body[:4] == struct.pack('>I', 80877102):
        return body[:4] + struct.pack('>I', PID) + bytes(len(body) - 8)
    return body


class Recorder:
    """Relays the connections made to `path` to the tap; one list of lines per connection."""

    def __init__(self, path, tap_path, render=body_text):
        self.path, self.tap_path, self.render = path, tap_path, render
        self.connections = []
        self.threads = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(8)
        # For clients that know no Unix sockets.
        self.tcp_listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.tcp_listener.getsockname()[1]
        for listener in (self.listener, self.tcp_listener):
            threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def close(self):
        self.listener.close()
        self.tcp_listener.close()

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            lines = []
            self.connections.append(lines)
            thread = threading.Thread(target=self.relay, args=(client, lines), daemon=True)
            self.threads.append(thread)
            thread.start()

    def relay(self, client, lines):
        tap = socket.socket(socket.AF_UNIX)
        tap.connect(self.tap_path)
        framers = {}
        for direction in 'FB':
            framers[direction] = Framer(
                direction, lambda kind, body, d=direction: lines.append(
                    '%s %s %s' % (d, kind, self.render(mask(d, kind, body)))))
        pairs = {client: ('F', tap), tap: ('B', client)}
        open_ends = {client, tap}
        encryption_answer = 0
        while open_ends:
            for source in select.select(list(open_ends), [], [])[0]:
                direction, sink = pairs[source]
                try:
                    data = source.recv(65536)
                except ConnectionError:
                    data = b''
                if not data:
                    open_ends.discard(source)
                    try:
                        sink.shutdown(socket.SHUT_WR)
                    except OSError:
                        pass
                    continue
                try:
                    sink.sendall(data)
                except OSError:
                    pass  # it has left: what was sent to it is recorded all the same
                if direction == 'F' and len(data) == 8 and data[4:6] == b'\x04\xd2':
                    encryption_answer += 1
                elif direction == 'B' and encryption_answer:
                    encryption_answer -= 1
                    assert data[:1] == b'N'
                    data = data[1:]
                framers[direction].feed(data)
        client.close()
        tap.close()

    def take(self):
        """Waits until the connections made so far have ended."""
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()
        taken, self.connections, self.threads = self.connections, [], []
        return [[line.rstrip() for line in lines] for lines in taken]


def message(kind, *parts):
    body = b''.join(parts)
    return kind.encode() + struct.pack('>I', len(body) + 4) + body


def string(text):
    return text.encode() + b'\0'


class Raw:
    """A client that sends exactly these bytes."""

    def __init__(self, path, version=196608, **parameters):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(path)
        body = struct.pack('>I', version)
        for name, value in dict(user='postgres', database='postgres', **parameters).items():
            body += string(name) + string(value)
        body += b'\0'
        self.key = None
        self.seen = []
        self.framer = Framer('B', self.see)
        self.send(struct.pack('>I', len(body) + 4) + body)
        self.until('Z')

    def see(self, kind, body):
        self.seen.append(kind)
        if kind == 'K':
            self.key = body

    def send(self, *messages):
        self.socket.sendall(b''.join(messages))

    def until(self, kind):
        while kind not in self.seen:
            data = self.socket.recv(65536)
            if not data:
                return
            self.framer.feed(data)
        del self.seen[:self.seen.index(kind) + 1]

    def close(self):
        self.send(message('X'))
        while self.socket.recv(65536):
            pass
        self.socket.close()


def parse(name, query, *types):
    return message('P', string(name), string(query), struct.pack('>H', len(types)),
                   *(struct.pack('>I', t) for t in types))


def bind(portal, statement, *values):
    return message('B', string(portal), string(statement), struct.pack('>HH', 0, len(values)),
                   *(b'\xff\xff\xff\xff' if v is None else struct.pack('>I', len(v)) + v
                     for v in values), struct.pack('>H', 0))


def execute(portal, rows=0):
    return message('E', string(portal), struct.pack('>I', rows))


def describe(kind, name):
    return message('D', kind.encode(), string(name))


def close(kind, name):
    return message('C', kind.encode(), string(name))


SYNC, FLUSH = message('S'), message('H')

SIMPLE = r"""
SELECT 1 AS one, NULL AS nothing, 'text "quoted"' AS t;
SELECT 1\; SELECT 2\; SELECT 'three';
;
CREATE TEMP TABLE t (id int PRIMARY KEY, name text);
INSERT INTO t SELECT i, 'name ' || i FROM generate_series(1, 5) i;
BEGIN;
UPDATE t SET name = upper(name) WHERE id > 3;
INSERT INTO t VALUES (1, 'again');
SELECT 1;
ROLLBACK;
DO $$ BEGIN RAISE NOTICE 'a notice'; RAISE WARNING 'a warning' USING HINT = 'a hint'; END $$;
SELECT * FROM missing_table;
SELECT * FROM t;
SET application_name = 'renamed';
LISTEN channel;
NOTIFY channel, 'payload';
SELECT repeat('long ', 300);
"""

COPY = r"""
CREATE TEMP TABLE t (id int, name text);
\copy t FROM PSTDIN
COPY t FROM STDIN WITH (FORMAT csv);
3,three
\.
COPY t TO STDOUT;
\copy (SELECT * FROM t WHERE id > 1) TO /dev/null
COPY t (id) FROM STDIN;
not a number
\.
COPY t TO STDOUT WITH (FORMAT binary);
SELECT count(*) FROM t;
"""

PIPELINE = r"""
\startpipeline
SELECT 1;
SELECT 2;
SELECT 3;
\endpipeline
\startpipeline
SELECT 4;
SELECT 5;
\endpipeline
"""


class Session:
    def __init__(self, arguments, directory):
        self.directory = directory
        self.tap_path = os.path.join(directory, 'tap')
        self.path = os.path.join(directory, '.s.PGSQL.5432')
        self.tap = subprocess.Popen(
            [arguments.relay, '--listen', self.tap_path, '--server', arguments.server, '--collect'],
            stdout=subprocess.PIPE, text=True)
        assert self.tap.stdout.readline() == 'ready\n'
        self.recorder = Recorder(self.path, self.tap_path)
        self.environment = dict(os.environ, PGHOST=directory, PGPORT='5432', PGUSER='postgres',
                                PGDATABASE='postgres', PGAPPNAME='wire')

    def end(self):
        self.tap.send_signal(signal.SIGTERM)
        self.tap.wait(10)

    def client(self, *command, script=''):
        subprocess.run(command, env=self.environment, input=script, text=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)

    def write(self, name, what, index=0, count=1):
        connections = self.recorder.take()
        assert len(connections) == count, (name, len(connections))
        self.write_lines(name, what, connections[index])
        return connections

    def write_lines(self, name, what, lines):
        version = next((re.search(r'"server_version" 00 "([^"]+)"', line) for line in lines
                        if '"server_version"' in line), None)
        origin = 'PostgreSQL %s' % version.group(1) if version else 'PostgreSQL'
        with open(os.path.join(HERE, name + '.trace'), 'w', encoding='ascii') as file:
            file.write('# %s. %s, recorded through the tap by record.py.\n' % (what, origin))
            file.write('\n'.join(lines) + '\n')


def record_clients(session):
    session.client('psql', '-X', '-q', script=SIMPLE)
    session.write('simple', 'psql: simple queries, several in a string, errors, notices, notifications')

    copy_file = os.path.join(session.directory, 'rows')
    with open(copy_file, 'w', encoding='ascii') as file:
        file.write('1\tone\n2\ttwo\n')
    session.client('psql', '-X', '-q', script=COPY.replace('PSTDIN', copy_file))
    session.write('copy', 'psql: COPY in and out, text, csv and binary, failing on a bad row')

    script = os.path.join(session.directory, 'script')
    for name, mode, text in (('extended', 'extended', 'SELECT :scale + 1;\nSELECT now() < now();\n'),
                             ('prepared', 'prepared', 'SELECT :scale + 1;\n'),
                             ('pipeline', 'extended', PIPELINE)):
        with open(script, 'w', encoding='ascii') as file:
            file.write(text)
        session.client('pgbench', '-n', '-t', '2', '-M', mode, '-f', script, '-s', '41')
        connections = session.recorder.take()
        session.write_lines(name, 'pgbench -M %s' % mode, connections[-1])


def record_raw(session):
    raw = Raw(session.path, application_name='raw')
    raw.send(parse('s1', 'SELECT $1::int + $2', 23, 23), describe('S', 's1'), FLUSH)
    raw.until('T')
    raw.send(bind('p1', 's1', b'1', b'2'), describe('P', 'p1'), execute('p1'), close('P', 'p1'), SYNC)
    raw.until('Z')
    raw.send(parse('', 'SELECT generate_series(1, 5)'), bind('', ''), execute('', 2), execute('', 2),
             execute('', 2), SYNC)
    raw.until('Z')
    raw.send(parse('', ''), bind('', ''), execute(''), SYNC)
    raw.until('Z')
    raw.send(parse('', 'SELECT $1::text'), bind('', '', None), execute(''), close('S', 's1'), SYNC)
    raw.until('Z')
    raw.send(parse('', 'SELECT no_such_column'), bind('', ''), execute(''), SYNC,
             parse('', 'SELECT 1/0'), bind('', ''), execute(''), parse('', 'SELECT 2'), SYNC)
    raw.until('Z')
    raw.until('Z')
    raw.send(message('Q', string('')))
    raw.until('Z')
    # FunctionCall of int4pl (OID 177, pg_proc.dat), arguments and result as text.
    raw.send(message('F', struct.pack('>IHH', 177, 0, 2), struct.pack('>I', 2), b'40',
                     struct.pack('>I', 1), b'2', struct.pack('>H', 0)))
    raw.until('Z')
    raw.send(message('Q', string('CREATE TEMP TABLE c (a int); COPY c FROM STDIN')))
    raw.until('G')
    raw.send(message('d', b'1\n'), message('f', string('the client gives up')))
    raw.until('Z')
    raw.close()
    session.write('raw', 'Portals suspended, pipelined errors, empty queries, function call, CopyFail')

    raw = Raw(session.path)
    raw.send(message('Q', string('SELECT pg_sleep(60)')))
    time.sleep(0.3)  # no message says that the statement runs
    cancel = socket.socket(socket.AF_UNIX)
    cancel.connect(session.path)
    cancel.sendall(struct.pack('>II', 8 + len(raw.key), 80877102) + raw.key)
    assert cancel.recv(1) == b''
    cancel.close()
    raw.until('Z')
    raw.close()
    connections = session.write('cancelled', 'A statement is cancelled', count=2)
    session.write_lines('cancel-request', 'The request that cancels it', connections[1])

    wrong = socket.socket(socket.AF_UNIX)
    wrong.connect(session.path)
    wrong.sendall(struct.pack('>II', 8, 80877104))
    assert wrong.recv(1) == b'N'
    wrong.sendall(struct.pack('>II', 8, 80877103))
    assert wrong.recv(1) == b'N'
    body = struct.pack('>I', 196608) + string('user') + string('postgres') + string('database') + \
        string('no_such_database') + b'\0'
    wrong.sendall(struct.pack('>I', len(body) + 4) + body)
    while wrong.recv(65536):
        pass
    wrong.close()
    session.write('refused', 'GSSENCRequest, SSLRequest, then a database that does not exist')


def record_protocol_3_2(session):
    raw = Raw(session.path, version=196610)
    assert len(raw.key) == 4 + 32
    raw.send(message('Q', string('SELECT 1')))
    raw.until('Z')
    raw.send(message('Q', string('SELECT pg_sleep(60)')))
    time.sleep(0.3)
    cancel = socket.socket(socket.AF_UNIX)
    cancel.connect(session.path)
    cancel.sendall(struct.pack('>II', 8 + len(raw.key), 80877102) + raw.key)
    assert cancel.recv(1) == b''
    cancel.close()
    raw.until('Z')
    raw.close()
    connections = session.write('protocol-3-2', 'Protocol 3.2: a long cancel key', count=2)
    session.write_lines('cancel-request-3-2', 'The cancel request of protocol 3.2', connections[1])

    raw = Raw(session.path, version=196609 + 8, **{'_pq_.unknown_option': 'on'})
    raw.close()
    session.write('negotiate', 'A version and an option that the server negotiates down')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--relay', required=True)
    parser.add_argument('--server', required=True)
    parser.add_argument('--protocol-3-2', action='store_true')
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        session = Session(arguments, directory)
        try:
            if arguments.protocol_3_2:
                record_protocol_3_2(session)
            else:
                record_clients(session)
                record_raw(session)
        finally:
            session.end()


if __name__ == '__main__':
    main()
