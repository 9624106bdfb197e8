"""Ids that the server made while a workload was captured, and that it makes otherwise in the replay."""
import json
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
