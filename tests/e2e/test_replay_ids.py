"""Ids that the server made while a workload was captured, and that it makes otherwise in the replay."""
import ctypes
import json
import pathlib
import queue
import random
import threading

import psycopg
from test_replay import captured, in_app, replay_copy, target  # noqa: F401  (fixtures)

SCHEMA = """
CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
CREATE TABLE orders (id serial PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers, total int DEFAULT 0);
CREATE TABLE items (id bigserial PRIMARY KEY, order_id int NOT NULL REFERENCES orders, price int);
CREATE TABLE tokens (token uuid PRIMARY KEY DEFAULT gen_random_uuid(), customer_id bigint REFERENCES customers);
CREATE TABLE notes (id bigserial PRIMARY KEY, item_id bigint REFERENCES items (id), note text);
INSERT INTO customers (name) SELECT 'old ' || n FROM generate_series(1, 20) n;
INSERT INTO orders (customer_id) SELECT n FROM generate_series(1, 20) n;
"""

ELSEWHERE = """
ALTER TABLE customers ALTER id RESTART 700001;
ALTER SEQUENCE orders_id_seq RESTART 90001;
ALTER SEQUENCE items_id_seq RESTART 5000000001;
ALTER SEQUENCE notes_id_seq RESTART 4001;
"""

WORKERS, ROUNDS = 6, 12


class Shop:
    """A small application: what one session made is used by the others."""

    def __init__(self, port):
        self.conninfo = f"host=127.0.0.1 port={port} user=postgres dbname=app"
        self.customers, self.orders, self.tokens, self.failures = queue.Queue(), queue.Queue(), queue.Queue(), []

    def signs_up(self, connection, name):
        with connection.transaction():
            row = connection.execute("INSERT INTO customers (name) VALUES (%s) RETURNING id, name", [name]).fetchone()
            token = connection.execute("INSERT INTO tokens (customer_id) VALUES (%s) RETURNING token", [row[0]]).fetchone()
        self.customers.put(row[0])
        self.tokens.put(token[0])

    def orders_something(self, connection, customer, binary):
        with connection.transaction():
            cursor = connection.cursor(binary=binary)
            order = cursor.execute("INSERT INTO orders (customer_id) VALUES (%s) RETURNING id", [customer]).fetchone()[0]
            items = cursor.execute("INSERT INTO items (order_id, price) SELECT %s, n FROM generate_series(1, 3) n "
                                   "RETURNING price, id", [order]).fetchall()
            changed = cursor.execute("UPDATE orders SET total = (SELECT sum(price) FROM items WHERE order_id = %s) "
                                     "WHERE id = %s", [order, order]).rowcount
            assert changed == 1
            # No RETURNING: asked for behind it.
            cursor.execute("INSERT INTO notes (item_id, note) VALUES (%s, 'first')", [items[0][1]])
            note = cursor.execute("SELECT lastval()").fetchone()[0]
            assert cursor.execute("UPDATE notes SET note = 'second' WHERE id = %s", [note]).rowcount == 1
        self.orders.put((order, [item[1] for item in items]))

    def looks(self, connection, order, items, binary):
        cursor = connection.cursor(binary=binary)
        assert cursor.execute("SELECT total FROM orders AS o JOIN customers c ON c.id = o.customer_id WHERE o.id = %s",
                              [order]).fetchone() == (6,)
        assert len(cursor.execute("SELECT price FROM items WHERE id = ANY(%s)", [items]).fetchall()) == 3
        # Constants in the text, as drivers send them that know no parameters.
        plain = psycopg.ClientCursor(connection)
        assert len(plain.execute("SELECT price FROM items WHERE order_id = %s AND id IN (%s, %s)",
                                 [order, items[0], items[1]]).fetchall()) == 2
        assert plain.execute(f"DELETE FROM items WHERE id = '{items[2]}'").rowcount == 1

    def allocates(self, connection):
        """An ORM that asks the sequence first."""
        with connection.transaction():
            number = connection.execute("SELECT nextval('orders_id_seq')").fetchone()[0]
            customer = self.customers.get(timeout=20)
            connection.execute("INSERT INTO orders (id, customer_id) VALUES (%s, %s)", [number, customer])
        assert connection.execute("SELECT customer_id FROM orders WHERE id = %s", [number]).fetchone() == (customer,)
        self.customers.put(customer)

    def serves(self, number):
        chance = random.Random(number)
        try:
            with psycopg.connect(self.conninfo, autocommit=True, prepare_threshold=2) as connection:
                for i in range(ROUNDS):
                    self.signs_up(connection, f"customer {number}.{i}")
                    customer = self.customers.get(timeout=20)
                    self.orders_something(connection, customer, binary=chance.random() < 0.5)
                    self.customers.put(customer)
                    self.looks(connection, *self.orders.get(timeout=20), binary=chance.random() < 0.5)
                    token = self.tokens.get(timeout=20)
                    assert connection.execute("SELECT 1 FROM tokens WHERE token = %s", [token]).rowcount == 1
                    if i % 3 == 0:
                        self.allocates(connection)
                    # What was there before keeps its number.
                    assert connection.execute("SELECT customer_id FROM orders WHERE id = %s", [i + 1]).fetchone() == (i + 1,)
        except BaseException as failure:
            self.failures.append(failure)
            raise

    def opens(self):
        threads = [threading.Thread(target=self.serves, args=[number]) for number in range(WORKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not self.failures, self.failures


def rows_that_differ(done):
    return {pattern["query"]: pattern["rows"]["differ"] for pattern in done["patterns"] if pattern["rows"]["differ"]}


COUNTS = ("SELECT (SELECT count(*) FROM customers), (SELECT count(*) FROM orders), (SELECT sum(total) FROM orders), "
          "(SELECT count(*) FROM items), (SELECT count(*) FROM tokens), (SELECT count(*) FROM notes WHERE note = 'second')")


def test_a_shop_whose_sequences_stand_elsewhere(rehearse, target, captured):  # noqa: F811
    in_app(target, SCHEMA)
    path = captured(lambda port: Shop(port).opens())
    with target.connect("copy", autocommit=True) as connection:
        connection.execute(ELSEWHERE)
    target.sql("DROP DATABASE IF EXISTS other WITH (FORCE)")
    target.sql("CREATE DATABASE other TEMPLATE copy")
    done = replay_copy(rehearse, target, path, "--speed", "max")
    assert done["errors"] == {"as_recorded": 0, "new": 0, "resolved": 0}, json.dumps(done, indent=1)
    assert rows_that_differ(done) == {}
    # What differs in the answers are the ids themselves.
    assert [p["query"] for p in done["patterns"] if p["digests"]["differ"]] == []
    assert sum(p["digests"]["same"] for p in done["patterns"]) > sum(p["digests"]["moved_ids"] for p in done["patterns"])
    orders = WORKERS * ROUNDS
    assert done["ids"]["unknown"] == 0
    assert done["ids"]["learned"] >= orders * 7 + WORKERS * ROUNDS // 3
    assert done["ids"]["moved"] == done["ids"]["mapped"] > orders * 10
    with target.connect("app") as one, target.connect("copy") as two:
        assert one.execute(COUNTS).fetchone() == two.execute(COUNTS).fetchone()
        assert two.execute("SELECT count(*) FROM orders WHERE id BETWEEN 21 AND 90000").fetchone() == (0,)
    # Without the map: what was ordered belongs to customers that are not there.
    target.sql("DROP DATABASE copy WITH (FORCE)")
    target.sql("ALTER DATABASE other RENAME TO copy")
    done = replay_copy(rehearse, target, path, "--speed", "max", "--recorded-ids")
    assert done["errors"]["new"] >= orders
    assert done["ids"] == {"learned": 0, "mapped": 0, "moved": 0, "unknown": 0}


class Argument(ctypes.Structure):
    """PQArgBlock of libpq-fe.h: an integer."""
    _fields_ = [("len", ctypes.c_int), ("isint", ctypes.c_int), ("integer", ctypes.c_int), ("unused", ctypes.c_int)]


def calls_functions_by_number(port, double):
    """Large objects, and a function of the user's own, as libpq calls them: by FunctionCall."""
    libpq = ctypes.CDLL("libpq.so.5")
    libpq.PQconnectdb.restype = libpq.PQexec.restype = libpq.PQfn.restype = ctypes.c_void_p
    libpq.PQgetvalue.restype = ctypes.c_char_p
    libpq.lo_creat.restype = ctypes.c_uint
    connection = ctypes.c_void_p(libpq.PQconnectdb(f"host=127.0.0.1 port={port} user=postgres dbname=app".encode()))
    assert libpq.PQstatus(connection) == 0

    def execute(sql):
        result = ctypes.c_void_p(libpq.PQexec(connection, sql.encode()))
        assert libpq.PQresultStatus(result) in (1, 2), sql
        return result

    execute("BEGIN")
    made = libpq.lo_creat(connection, 0x60000)
    assert made
    opened = libpq.lo_open(connection, made, 0x60000)
    assert opened >= 0 and libpq.lo_write(connection, opened, b"a picture", 9) == 9
    assert libpq.lo_close(connection, opened) == 0
    execute(f"INSERT INTO pictures (data) VALUES ({made})")
    execute("COMMIT")
    execute("BEGIN")
    found = int(libpq.PQgetvalue(execute(f"SELECT data FROM pictures WHERE data = {made}"), 0, 0))
    opened = libpq.lo_open(connection, found, 0x40000)
    content = ctypes.create_string_buffer(20)
    assert libpq.lo_read(connection, opened, content, 20) == 9 and content.value == b"a picture"
    execute("COMMIT")
    value, length = ctypes.c_int(), ctypes.c_int()
    result = ctypes.c_void_p(libpq.PQfn(connection, double, ctypes.byref(value), ctypes.byref(length), 1,
                                        ctypes.byref(Argument(4, 1, 21, 0)), 1))
    assert libpq.PQresultStatus(result) == 1 and value.value == 42
    libpq.PQfinish(connection)


def test_functions_called_by_their_numbers(rehearse, target, captured):  # noqa: F811
    double = "CREATE FUNCTION double(int) RETURNS int LANGUAGE sql AS 'SELECT 2 * $1'"
    in_app(target, "CREATE TABLE pictures (id serial, data oid); " + double)
    number = in_app(target, "SELECT 'double'::regproc::oid")[0][0]
    path = captured(lambda port: calls_functions_by_number(port, number))
    with target.connect("copy", autocommit=True) as connection:
        connection.execute("DROP FUNCTION double; CREATE FUNCTION other() RETURNS int LANGUAGE sql AS 'SELECT 1'; " + double)
        assert connection.execute("SELECT 'double'::regproc::oid").fetchone()[0] != number
    done = replay_copy(rehearse, target, path)
    assert done["errors"] == {"as_recorded": 0, "new": 0, "resolved": 0}, json.dumps(done, indent=1)
    assert rows_that_differ(done) == {}
    assert done["ids"]["learned"] == 1 and done["ids"]["moved"] == 4
    with target.connect("copy") as connection:
        assert connection.execute("SELECT convert_from(lo_get(data), 'UTF8') FROM pictures").fetchall() == [("a picture",)]
    target.sql("DROP DATABASE copy WITH (FORCE)")
    target.sql("CREATE DATABASE copy TEMPLATE app")
    in_app_copy = "SELECT lo_unlink(oid) FROM pg_largeobject_metadata; DELETE FROM pictures"
    with target.connect("copy", autocommit=True) as connection:
        connection.execute(in_app_copy)
    assert replay_copy(rehearse, target, path, "--recorded-ids")["errors"]["new"] > 0


KEYS = (pathlib.Path(__file__).parents[2] / "src/engine/postgres/sql/own_keys.sql").read_text()


def test_keys_as_every_server_tells_them(cluster_of, server):
    cluster = cluster_of(server)
    cluster.sql("DROP DATABASE IF EXISTS keys WITH (FORCE)")
    cluster.sql("CREATE DATABASE keys")
    with cluster.connect("keys", autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE free START 100; CREATE SEQUENCE down INCREMENT -1;"
                           "CREATE TABLE a (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, n int);"
                           "INSERT INTO a SELECT FROM generate_series(1, 5);"
                           "CREATE TABLE b (x int, y int REFERENCES a, id bigserial, PRIMARY KEY (id, x)) PARTITION BY LIST (x);"
                           "CREATE TABLE b1 PARTITION OF b FOR VALUES IN (1);"
                           "CREATE TABLE c (token uuid DEFAULT gen_random_uuid(), fixed uuid DEFAULT "
                           "'00000000-0000-0000-0000-000000000000', data oid);"
                           "CREATE TEMP TABLE t (id serial)")
        rows = connection.execute(KEYS).fetchall()
    cluster.sql("DROP DATABASE keys WITH (FORCE)")
    named = {(row[0], row[4], row[5], row[9], row[10]) for row in rows}
    assert named == {("made", "a", "id", "a_id_seq", 5), ("made", "b", "id", "b_id_seq", 0),
                     ("made", "b1", "id", "b_id_seq", 0), ("made", "c", "token", "", None),
                     ("made", "pg_largeobject_metadata", "oid", "", None),
                     ("reference", "b", "y", "", None), ("reference", "b1", "y", "", None),
                     ("reference", "c", "data", "", None),
                     ("sequence", "", "", "free", 99), ("sequence", "", "", "down", None)}
