"""Samples of real databases: what the conditions of a plan select, read as a dump reads it."""
import contextlib
import random

import pytest

from samples import Failed, planned

SHOP = """
CREATE TABLE customers (id int PRIMARY KEY, name text, manager int REFERENCES customers);
CREATE TABLE products (id int PRIMARY KEY, sku text UNIQUE NOT NULL);
CREATE TABLE orders (id bigint PRIMARY KEY, customer_id int NOT NULL REFERENCES customers);
CREATE TABLE items (order_id bigint NOT NULL REFERENCES orders, line int, product_id int REFERENCES products,
    sku text REFERENCES products (sku), PRIMARY KEY (order_id, line));
CREATE TABLE events (id uuid PRIMARY KEY, order_id bigint, line int,
    FOREIGN KEY (order_id, line) REFERENCES items MATCH FULL);
CREATE TABLE logs (at timestamptz, txt text, doc json);
INSERT INTO customers SELECT i, 'n' || i, CASE WHEN i > 1 THEN i / 2 END FROM generate_series(1, 1000) AS i;
INSERT INTO products SELECT i, 'sku' || i FROM generate_series(1, 500) AS i;
INSERT INTO orders SELECT i, 1 + i * 7919 % 1000 FROM generate_series(1, 3000) AS i;
INSERT INTO items SELECT 1 + i % 3000, i / 3000, 1 + i * 31 % 500, 'sku' || 1 + i * 17 % 500
    FROM generate_series(1, 9000) AS i;
INSERT INTO events SELECT md5(order_id || ' ' || line)::uuid, order_id, line FROM items WHERE order_id % 2 = 0;
INSERT INTO events SELECT md5(i::text)::uuid, NULL, NULL FROM generate_series(1, 400) AS i;
INSERT INTO logs SELECT CASE WHEN i % 3 > 0 THEN now() END, md5(i::text) FROM generate_series(1, 1000) AS i;
ANALYZE;
"""
SHOP_KEYS = [("customers", ["manager"], "customers", ["id"]), ("orders", ["customer_id"], "customers", ["id"]),
             ("items", ["order_id"], "orders", ["id"]), ("items", ["product_id"], "products", ["id"]),
             ("items", ["sku"], "products", ["sku"]), ("events", ["order_id", "line"], "items", ["order_id", "line"])]


@contextlib.contextmanager
def database(cluster, name, sql):
    cluster.sql(f"CREATE DATABASE {name}")
    try:
        cluster.sql(sql, database=name)
        yield cluster.url(name)
    finally:
        cluster.sql(f"DROP DATABASE {name}")


def values(rows, columns):
    """The keys of rows, those with a NULL left out."""
    keys = [tuple(row[column] for column in columns) for row in rows]
    return {key for key in keys if None not in key}


def frozen(rows):
    return {table: sorted(map(repr, found)) for table, found in rows.items()}


def assert_closed(keys, rows, everything, schema="public"):
    """No row lacks a parent that it has in production."""
    for child, columns, parent, referenced in keys:
        child, parent = f"{schema}.{child}", f"{schema}.{parent}"
        wanted = values(rows[child], columns) & values(everything[parent], referenced)
        missing = wanted - values(rows[parent], referenced)
        assert not missing, f"{child} {columns} -> {parent}: {len(missing)} parents are missing"


# --- a shop, on every version ------------------------------------------------------------------------

@pytest.fixture(scope="module")
def shop(server, cluster_of):
    with database(cluster_of(server), "sample_shop", SHOP) as url:
        yield url


def test_sample_has_every_parent_and_the_whole_fan_out(shop):
    with planned(shop, fraction=0.05) as plan:
        rows, base, everything = plan.rows(), plan.base_rows(), plan.all_rows()
    assert_closed(SHOP_KEYS, rows, everything)
    reasons = {name: table["reason"] for name, table in plan.tables.items()}
    assert reasons["public.orders"] == "follows public.customers"
    assert reasons["public.items"] == "follows public.orders"
    assert reasons["public.events"] == "follows public.items"
    assert 10 <= len(base["public.customers"]) <= 120, "about 5 % of 1000"
    assert 10 <= len(base["public.logs"]) <= 120, "about 5 % of 1000"
    customers = values(base["public.customers"], ["id"])
    orders = values(base["public.orders"], ["id"])
    items = values(base["public.items"], ["order_id", "line"])
    assert orders == {(row["id"],) for row in everything["public.orders"]
                      if (row["customer_id"],) in customers}
    assert items == {(row["order_id"], row["line"]) for row in everything["public.items"]
                     if (row["order_id"],) in orders}
    events = [row for row in base["public.events"] if row["order_id"] is not None]
    assert values(events, ["id"]) == {(row["id"],) for row in everything["public.events"]
                                      if (row["order_id"], row["line"]) in items}


def test_sample_of_the_same_seed_is_the_same_and_grows_with_the_data(shop, server, cluster_of):
    with planned(shop, fraction=0.05) as plan:
        first, base = frozen(plan.rows()), plan.base_rows()
    with planned(shop, fraction=0.05) as plan:
        assert frozen(plan.rows()) == first
    with planned(shop, fraction=0.05, seed=8) as plan:
        assert frozen(plan.rows()) != first
    with planned(shop, fraction=0.2) as plan:
        more = plan.base_rows()
    for table in base:
        assert set(map(repr, base[table])) <= set(map(repr, more[table])), "a larger share holds the smaller"
    cluster_of(server).sql("""
        INSERT INTO customers SELECT i, 'n' || i FROM generate_series(1001, 1500) AS i;
        INSERT INTO orders SELECT i, i - 3000 FROM generate_series(3001, 4500) AS i; ANALYZE""",
                           database="sample_shop")
    with planned(shop, fraction=0.05) as plan:
        grown = plan.base_rows()
    cluster_of(server).sql("DELETE FROM orders WHERE id > 3000; DELETE FROM customers WHERE id > 1000; ANALYZE",
                           database="sample_shop")
    for table in base:
        assert set(map(repr, base[table])) <= set(map(repr, grown[table])), f"{table} lost rows"
    assert len(grown["public.customers"]) > len(base["public.customers"])


def test_sample_options_say_who_decides(shop):
    with planned(shop, fraction=1, shares={"orders": 0.1}) as plan:
        rows, base, everything = plan.rows(), plan.base_rows(), plan.all_rows()
    assert plan.tables["public.customers"]["whole"] and plan.tables["public.products"]["whole"]
    assert plan.tables["public.orders"]["reason"] == "root, 10 %"
    assert_closed(SHOP_KEYS, rows, everything)
    assert 200 <= len(base["public.orders"]) <= 400
    with planned(shop, fraction=0.05, conditions={"public.customers": "id <= 20 -- the first"}) as plan:
        rows, base, everything = plan.rows(), plan.base_rows(), plan.all_rows()
    assert values(base["public.customers"], ["id"]) == {(i,) for i in range(1, 21)}
    assert {row["customer_id"] for row in base["public.orders"]} <= set(range(1, 21))
    assert len(base["public.orders"]) == 60
    assert_closed(SHOP_KEYS, rows, everything)
    with planned(shop, fraction=0.5, max_rows=100) as plan:
        rows, base, everything = plan.rows(), plan.base_rows(), plan.all_rows()
    assert {table: len(found) for table, found in base.items()} == {table: 100 for table in base}
    assert_closed(SHOP_KEYS, rows, everything)
    with planned(shop, fraction=0.5, edge_max_rows=2) as plan:
        rows, base, everything = plan.rows(), plan.base_rows(), plan.all_rows()
    assert_closed(SHOP_KEYS, rows, everything)
    counts = {}
    for row in base["public.orders"]:
        counts[row["customer_id"]] = counts.get(row["customer_id"], 0) + 1
    assert set(counts.values()) == {2}
    with planned(shop, fraction=0) as plan:
        rows, everything = plan.rows(), plan.all_rows()
    assert_closed(SHOP_KEYS, rows, everything)
    assert 1 <= len(rows["public.orders"]) <= 5
    with planned(shop, fraction=0.05, small_rows=0) as plan:
        assert plan.tables["public.customers"]["reason"] == "small"
        assert plan.tables["public.orders"]["reason"] == "root, 5 %"


@pytest.mark.parametrize("request_, words", [
    ({"shares": {"nothere": 0.1}}, 'no table "nothere"'),
    ({"shares": {"orders": 1.5}}, "from 0% to 100%"),
    ({"fraction": -0.1}, "from 0% to 100%"),
    ({"conditions": {"orders": "nocolumn > 1"}}, "nocolumn"),
    ({"conditions": {"orders": "true) OR (true"}}, "not one condition"),
    ({"conditions": {"orders": "true; SELECT 1"}}, "not one condition"),
    ({"conditions": {"orders": ""}}, "not one condition"),
    ({"max_rows": -1}, "--max-rows"),
])
def test_sample_options_that_make_no_sense(debian_cluster, request_, words, tmp_path_factory):
    with database(debian_cluster, "sample_bad", "CREATE TABLE orders (id int PRIMARY KEY)") as url:
        with pytest.raises(Failed) as failed:
            with planned(url, **{"fraction": 0.5, **request_}):
                pass
    assert words in failed.value.args[0] and failed.value.args[2] == "usage"


# --- random graphs -----------------------------------------------------------------------------------

class Graph:
    """Tables that refer to each other and to themselves, in circles, by keys of all kinds."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.tables = {f"t{i}": {"rows": [], "count": self.random.choice([0, 1, 40, 150, 400])}
                       for i in range(self.random.randint(2, 7))}
        self.keys, self.sql = [], []
        for name, table in self.tables.items():
            table["composite"] = self.random.random() < 0.4
            table["columns"] = ["a int NOT NULL", "b text NOT NULL", "u text"]
            for i in range(table["count"]):
                table["rows"].append({"a": i // 7 if table["composite"] else i, "b": f"b'{i % 7}\\" if
                                      table["composite"] else f"x{i}",
                                      "u": None if i % 9 == 0 else f"u {i}"})
        for name in self.tables:
            for n in range(self.random.randint(0, 3)):
                self.add_key(name, n)

    def add_key(self, child, n):
        parent = self.random.choice(list(self.tables))
        table, other = self.tables[child], self.tables[parent]
        kind = self.random.choice(["primary", "unique"])
        referenced = ["u"] if kind == "unique" else ["a", "b"] if other["composite"] else ["a"]
        columns = [f"f{n}{column}" for column in referenced]
        choices = [tuple(row[column] for column in referenced) for row in other["rows"]]
        choices = [choice for choice in choices if None not in choice]
        mandatory = bool(choices) and self.random.random() < 0.5
        full = len(columns) > 1 and self.random.random() < 0.5
        orphans = not mandatory and self.random.random() < 0.2
        heavy = choices[:3]
        for row in table["rows"]:
            key = self.random.choice(heavy if self.random.random() < 0.3 else choices) if choices else None
            if not mandatory and (key is None or self.random.random() < 0.4):
                key = tuple(None for _ in columns)
                if len(columns) > 1 and not full and choices and self.random.random() < 0.5:
                    key = (self.random.choice(choices)[0], None)
            elif orphans and self.random.random() < 0.1:
                key = tuple(value + 100000 if isinstance(value, int) else value + "?" for value in key)
            row.update(zip(columns, key))
        for column, like in zip(columns, referenced):
            type_ = {"a": self.random.choice(["int", "bigint"]), "b": "varchar(40)", "u": "text"}[like]
            table["columns"].append(f"{column} {type_}{' NOT NULL' if mandatory else ''}")
        self.keys.append((child, columns, parent, referenced))
        self.sql.append(f"ALTER TABLE {child} ADD FOREIGN KEY ({', '.join(columns)}) REFERENCES {parent} "
                        f"({', '.join(referenced)}){' MATCH FULL' if full else ''}{' NOT VALID' if orphans else ''}")

    def load(self, url):
        import psycopg
        with psycopg.connect(url) as connection:
            for name, table in self.tables.items():
                key = "a, b" if table["composite"] else "a"
                connection.execute(f"CREATE TABLE {name} ({', '.join(table['columns'])}, PRIMARY KEY ({key}), UNIQUE (u))")
                columns = [column.split()[0] for column in table["columns"]]
                with connection.cursor().copy(f"COPY {name} ({', '.join(columns)}) FROM STDIN") as copy:
                    for row in table["rows"]:
                        copy.write_row([row[column] for column in columns])
            for statement in self.sql:
                connection.execute(statement)
            if self.random.random() < 0.8:
                connection.execute("ANALYZE")


def test_sample_of_random_graphs(debian_cluster, pytestconfig):
    nightly = pytestconfig.getoption("--nightly")
    for seed in range(300 if nightly else 25):
        graph = Graph(seed)
        with database(debian_cluster, "sample_graph", "SELECT") as url:
            graph.load(url)
            share = graph.random.choice([0, 0.03, 0.2, 0.6])
            options = {"edge_max_rows": 2} if seed % 5 == 1 else {"max_rows": 10} if seed % 5 == 2 else {}
            with planned(url, fraction=share, **options) as plan:
                rows, base, everything = plan.rows(), plan.base_rows(), plan.all_rows()
            with planned(url, fraction=share, **options) as again:
                assert frozen(again.rows()) == frozen(rows), f"seed {seed}"
        assert_closed(graph.keys, rows, everything)
        for name, table in plan.tables.items():
            if options or not (table["reason"] or "").startswith("follows "):
                continue
            parent = table["reason"].removeprefix("follows ")
            assert any(
                {repr(row) for row in base[name] if values([row], columns)} ==
                {repr(row) for row in everything[name]
                 if values([row], columns) & values(base[parent], referenced)} or
                # orphans decide by the key that they would have
                "NOT VALID" in str(graph.sql)
                for child, columns, to, referenced in graph.keys
                if (f"public.{child}", f"public.{to}") == (name, parent)), f"seed {seed}: {name}"
