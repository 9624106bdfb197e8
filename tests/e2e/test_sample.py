"""Samples of real databases: what the conditions of a plan select, read as a dump reads it."""
import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile

import psycopg
import pytest

import data_cases
import test_data_cases
from conftest import Cluster, IS_ROOT, SERVERS, Server, is_nightly, server_params, wait_for
from samples import Failed, make_sample, planned

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


@pytest.fixture(scope="session", params=server_params())
def version(request):
    return Server(request.param, SERVERS[request.param])


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
def shop(version, cluster_of):
    with cluster_of(version).database("sample_shop", SHOP) as url:
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


def test_sample_of_the_same_seed_is_the_same_and_grows_with_the_data(shop, version, cluster_of):
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
    cluster_of(version).sql("""
        INSERT INTO customers SELECT i, 'n' || i FROM generate_series(1001, 1500) AS i;
        INSERT INTO orders SELECT i, i - 3000 FROM generate_series(3001, 4500) AS i; ANALYZE""",
                           database="sample_shop")
    with planned(shop, fraction=0.05) as plan:
        grown = plan.base_rows()
    cluster_of(version).sql("DELETE FROM orders WHERE id > 3000; DELETE FROM customers WHERE id > 1000; ANALYZE",
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
    ({"conditions": {"orders": "id > extract(epoch from now())"}}, "now means something else in each session"),
    ({"conditions": {"orders": "id < 10 AND CURRENT_DATE > '2026-01-01'"}}, "current_date means"),
    ({"max_rows": -1}, "--max-rows"),
])
def test_sample_options_that_make_no_sense(debian_cluster, request_, words, tmp_path_factory):
    with debian_cluster.database("sample_bad", "CREATE TABLE orders (id int PRIMARY KEY)") as url:
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
    for seed in range(300 if is_nightly(pytestconfig) else 12):
        graph = Graph(seed)
        with debian_cluster.database("sample_graph", "SELECT") as url:
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


# --- shapes of tables --------------------------------------------------------------------------------

PARTITIONS = """
CREATE TABLE users (id int PRIMARY KEY, boss int REFERENCES users);
CREATE TABLE events (id bigint, at date NOT NULL, user_id int NOT NULL REFERENCES users, other int,
    PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2020-07-01');
CREATE TABLE events_2 (other int, user_id int NOT NULL, at date NOT NULL, gone int, id bigint NOT NULL);
ALTER TABLE events_2 DROP COLUMN gone;
ALTER TABLE events ATTACH PARTITION events_2 FOR VALUES FROM ('2020-07-01') TO ('2021-01-01');
CREATE TABLE events_rest PARTITION OF events DEFAULT PARTITION BY HASH (id);
CREATE TABLE events_rest_0 PARTITION OF events_rest FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE events_rest_1 PARTITION OF events_rest FOR VALUES WITH (MODULUS 2, REMAINDER 1);
ALTER TABLE events_2 ADD FOREIGN KEY (other) REFERENCES users;
CREATE TABLE notes (id int PRIMARY KEY, event_id bigint, event_at date,
    FOREIGN KEY (event_id, event_at) REFERENCES events);
CREATE TABLE marks (id int, note int NOT NULL REFERENCES notes, PRIMARY KEY (id)) PARTITION BY LIST (id);
CREATE TABLE marks_all PARTITION OF marks DEFAULT;
CREATE TABLE things (id int PRIMARY KEY, owner int REFERENCES users);
CREATE TABLE special_things (extra text, FOREIGN KEY (owner) REFERENCES users) INHERITS (things);
INSERT INTO users SELECT i, CASE WHEN i > 10 THEN i - 10 END FROM generate_series(1, 800) AS i;
INSERT INTO events SELECT i, date '2020-01-01' + i % 900, 1 + i * 37 % 800, 1 + i * 91 % 800 FROM generate_series(1, 4000) AS i;
INSERT INTO notes SELECT row_number() OVER (), id, at FROM events WHERE id % 2 = 0;
INSERT INTO marks SELECT i, 1 + i % 2000 FROM generate_series(1, 3000) AS i;
INSERT INTO things SELECT i, 1 + i % 800 FROM generate_series(1, 500) AS i;
INSERT INTO special_things SELECT i, 1 + i % 800, 'x' FROM generate_series(501, 1000) AS i;
ANALYZE;
"""


@pytest.fixture(scope="module")
def partitions(version, cluster_of):
    with cluster_of(version).database("sample_parts", PARTITIONS) as url:
        yield url


@pytest.mark.parametrize("options", [{}, {"edge_max_rows": 1}, {"max_rows": 30},
                                     {"conditions": {"events": "at < '2020-02-01'"}}])
def test_sample_of_partitions_and_heirs(partitions, options):
    with planned(partitions, fraction=0.1, **options) as plan:
        rows, base, everything = plan.rows(), plan.base_rows(), plan.all_rows()
    leaves = ["events_1", "events_2", "events_rest_0", "events_rest_1"]
    for found in (rows, base, everything):
        found["public.events"] = [row for leaf in leaves for row in found[f"public.{leaf}"]]
        found["public.marks"] = found["public.marks_all"]
    assert_closed([("users", ["boss"], "users", ["id"]), ("events", ["user_id"], "users", ["id"]),
                   ("events_2", ["other"], "users", ["id"]),
                   ("notes", ["event_id", "event_at"], "events", ["id", "at"]), ("marks", ["note"], "notes", ["id"]),
                   ("things", ["owner"], "users", ["id"]), ("special_things", ["owner"], "users", ["id"])],
                  rows, everything)
    assert all(rows[f"public.{leaf}"] for leaf in leaves), "every partition is represented"
    assert len(rows["public.events"]) < len(everything["public.events"]) / 2
    if not options:
        users = values(base["public.users"], ["id"])
        assert values(base["public.events"], ["id"]) == {(row["id"],) for row in everything["public.events"]
                                                         if (row["user_id"],) in users}
        assert plan.tables["public.marks_all"]["reason"] == "follows public.notes"
    if "max_rows" in options:
        assert len(base["public.events"]) == 30 and len(base["public.special_things"]) <= 30


TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN code AS varchar(20) CHECK (value <> '');
CREATE COLLATION "My c" FROM "C";
"""
KEY_TYPES = [("smallint", "bigint", "i % 1000"), ("bigint", "int", "i % 1000"), ("numeric", "numeric(9,3)", "i % 1000"),
             ("numeric", "int", "i % 1000"), ("text", "varchar(9)", "'t' || i % 1000"), ("text", 'text COLLATE "My c"', "'t' || i % 1000"),
             ("public.code", "text", "'t' || i % 1000"), ("char(9)", "char(7)", "'t' || i % 1000"), ("uuid", "uuid", "md5((i % 1000)::text)::uuid"),
             ("date", "date", "date '2000-01-01' + i % 1000"), ("timestamptz", "timestamptz", "timestamptz '2000-01-01' + i % 1000 * interval '1h'"),
             ("timestamp", "timestamp", "timestamp '2000-01-01' + i % 1000 * interval '1h'"), ("bytea", "bytea", "('x' || i % 1000)::bytea"),
             ("inet", "inet", "inet '10.0.0.0' + i % 1000"), ("float8", "float4", "(i % 1000)::float8"), ("int[]", "int[]", "array[i % 1000, 1]"),
             ("int4range", "int4range", "int4range(i % 1000, 2000)"), ("jsonb", "jsonb", "jsonb_build_object('a', i % 1000)"),
             ("interval", "interval", "(i % 1000) * interval '36h'"), ("public.mood", "public.mood", "(enum_range(NULL::public.mood))[1 + i % 3]"),
             ("boolean", "boolean", "i % 2 = 0"), ("money", "money", "(i % 1000)::money"), ("name", "name", "('t' || i % 1000)::name"),
             ("public.citext", "public.citext", "CASE WHEN i > 1000 THEN 'T' ELSE 't' END || i % 1000")]


def test_sample_by_keys_of_every_type(version, cluster_of):
    cluster = cluster_of(version)
    with cluster.connect() as connection:
        has_citext = connection.execute("SELECT count(*) FROM pg_available_extensions WHERE name = 'citext'").fetchone()[0]
    types = [it for it in KEY_TYPES if has_citext or "citext" not in it[0]]
    sql = TYPES + ("CREATE EXTENSION citext;" if has_citext else "")
    keys = []
    for n, (parent, child, value) in enumerate(types):
        sql += f"""
            CREATE TABLE p{n} (k {parent} PRIMARY KEY, u {parent} UNIQUE, filler text);
            CREATE TABLE c{n} (id int PRIMARY KEY, k {child} NOT NULL REFERENCES p{n}, u {child} REFERENCES p{n} (u));
            CREATE TABLE d{n} (id int REFERENCES c{n});
            INSERT INTO p{n} (k, u) SELECT DISTINCT ({value})::{parent}, ({value})::{parent} FROM generate_series(1, 1000) AS i;
            INSERT INTO c{n} SELECT i, ({value})::{child}, CASE WHEN i % 10 < 3 THEN ({value})::{child} END FROM generate_series(1, 1500) AS i;
            INSERT INTO d{n} SELECT id FROM c{n} WHERE id % 3 = 0;
            """
        keys += [(f"c{n}", "k", f"p{n}", "k"), (f"c{n}", "u", f"p{n}", "u"), (f"d{n}", "id", f"c{n}", "id")]
    with cluster.database("sample_types", sql) as url:
        with planned(url, fraction=0.2) as plan:
            with psycopg.connect(url) as connection, connection.transaction():
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                connection.execute(f"SET TRANSACTION SNAPSHOT '{plan.answer['snapshot']}'")
                for child, column, parent, referenced in keys:
                    kept = {}
                    for table in (child, parent):
                        connection.execute("SET LOCAL search_path = ''")
                        condition = plan.kept()[f"public.{table}"]
                        kept[table] = [row[0] for row in connection.execute(
                            f"SELECT ctid::text FROM ONLY public.{table} WHERE {condition}")]
                        connection.execute("SET LOCAL search_path = public")
                    orphans, rows, of = connection.execute(f"""
                        SELECT count(*) FILTER (WHERE c.{column} IS NOT NULL AND NOT EXISTS (SELECT FROM {parent} AS p
                               WHERE p.{referenced} = c.{column} AND p.ctid = ANY (%s::text[]::tid[]))), count(*),
                               (SELECT count(*) FROM {child})
                          FROM {child} AS c WHERE c.ctid = ANY (%s::text[]::tid[])""", [kept[parent], kept[child]]).fetchone()
                    what = f"{types[int(child[1:])][:2]} {child}.{column}"
                    assert orphans == 0, f"{what}: {orphans} orphans"
                    if types[int(child[1:])][0] not in ("public.mood", "boolean"):  # three keys, two
                        assert rows < of * 0.6, f"{what}: {rows} of {of}"
                    assert child[0] == "d" or plan.tables[f"public.{child}"]["reason"] == f"follows public.{parent}"


# --- witnesses ---------------------------------------------------------------------------------------

CASES = data_cases.load_all()


def first_error(cluster, database, script):
    """The SQLSTATE with which a script ends; None: it does not fail."""
    with cluster.connect(database, autocommit=True) as connection:
        for statement in sql_statements(script):
            try:
                connection.execute(statement)
            except psycopg.Error as error:
                return error.sqlstate
    return None


def sql_statements(script):
    """One at a time, so that CONCURRENTLY is possible; bodies between $ are whole."""
    parts, current = [], ""
    for piece in re.split(r"(;[ \t]*\n)", script):
        current += piece
        if piece.strip() == ";" and current.count("$$") % 2 == 0:
            parts.append(current)
            current = ""
    return [part for part in [*parts, current] if part.strip()]


def test_sample_without_a_share_fails_where_production_does(version, cluster_of):
    """Every data case: no row but what the migration asks for, and the same error."""
    cluster = cluster_of(version)
    icu = test_data_cases.has_icu(version, "/")
    cases = [case for case in CASES if case.since <= version.major and (case.needs != "icu" or icu)]
    with cluster.database("sample_cases", "".join(case.schema_sql() for case in cases)):
        plan = make_sample(cluster, "sample_cases", "sample_cases_copy", fraction=0,
                           witness="".join(case.migration_sql() for case in cases))
        try:
            wrong = []
            for case in cases:
                sampled = first_error(cluster, "sample_cases_copy", case.migration_sql())
                real = first_error(cluster, "sample_cases", case.migration_sql())
                if sampled != real:
                    wrong.append((case.name, real, sampled))
        finally:
            cluster.sql("DROP DATABASE sample_cases_copy")
    # DO blocks, a view's own rows, and what a changed key refers to: said to be not covered
    wrong = [it for it in wrong if it[0] not in ("statements_block_raises", "statements_unique_inside_of_a_block",
                                                 "statements_view_unique_refresh", "own_value_fine_settled")]
    covered = "\n".join(plan.answer["not_covered"])
    assert "(DO), the rows that it needs" in covered and "(REFRESH MATERIALIZED VIEW), the rows" in covered
    assert re.search(r"\(UPDATE\), afterwards, the rows of own_value_fine_settled.p that it refers to", covered)
    assert not wrong, "\n".join(map(str, wrong + plan.answer["not_covered"]))


USERS = """
CREATE TABLE countries (code text PRIMARY KEY);
CREATE TABLE users (id bigint PRIMARY KEY, email text, country text REFERENCES countries, age text, note text, hard text);
CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, product bigint, total int);
CREATE TABLE products (id bigint PRIMARY KEY);
INSERT INTO countries SELECT 'c' || i FROM generate_series(1, 200) AS i;
INSERT INTO products SELECT i FROM generate_series(1, 3000) AS i;
INSERT INTO users (id, email, country, age, note) SELECT i, 'u' || i || '@example.com', 'c' || 1 + i % 200, i % 90, repeat('n', i % 50)
    FROM generate_series(1, 20000) AS i;
INSERT INTO orders SELECT i, 1 + i * 7919 % 20000, 1 + i % 3000, i % 100 FROM generate_series(1, 60000) AS i;
UPDATE users SET email = 'U77@example.com' WHERE id IN (4711, 12345);
UPDATE users SET age = 'about 40' WHERE id = 9999;
UPDATE users SET note = repeat('long ', 1000) WHERE id = 8888;
UPDATE orders SET total = NULL WHERE id = 33333;
UPDATE users SET hard = (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 200) AS i) WHERE id = 7654;
ANALYZE;
"""
FINE = """
ALTER TABLE orders ADD FOREIGN KEY (product) REFERENCES products;
CREATE UNIQUE INDEX ON users (id, email);
ALTER TABLE users ALTER email SET NOT NULL;
ALTER TABLE users ADD CHECK (length(email) > 3);
ALTER TABLE users ALTER id TYPE numeric;
"""


@pytest.fixture(scope="module")
def users(debian_cluster):
    with debian_cluster.database("sample_users", USERS):
        yield "sample_users"


@contextlib.contextmanager
def copies(cluster, *names):
    try:
        yield
    finally:
        for name in names:
            cluster.sql(f"DROP DATABASE IF EXISTS {name}")


@pytest.mark.parametrize("migration, sqlstate", [
    ("CREATE UNIQUE INDEX ON users (lower(email))", "23505"),
    ("ALTER TABLE users ALTER age TYPE int USING age::int", "22P02"),
    ("ALTER TABLE users ALTER note TYPE varchar(500)", "22001"),
    ("ALTER TABLE orders ALTER total SET NOT NULL", "23502"),
    ("ALTER TABLE orders ADD CHECK (total <> 17 OR id <> 6017)", "23514"),
    ("ALTER TABLE users ADD CHECK (20 / (id - 12000) IS NOT NULL)", "22012"),
    ("ALTER TABLE users ADD UNIQUE (country, age, note)", "23505"),
    ("CREATE INDEX ON users (note); CREATE INDEX ON users ((100 / (id - 777)))", "22012"),
    ("CREATE INDEX ON users (hard)", "54000"),
    ("UPDATE users SET id = 20000 - id WHERE id = 5555", "23505"),
    ("UPDATE orders AS o SET user_id = o.user_id * 2 WHERE o.id % 2 = 0", "23503"),
    ("DELETE FROM users WHERE id = 20000 OR id = 123", "23503"),
    (FINE, None),
])
def test_sample_of_one_percent_fails_as_production_does(debian_cluster, users, migration, sqlstate):
    script = migration.replace(";", ";\n")
    with copies(debian_cluster, "sample_users_copy", "sample_users_real"):
        plan = make_sample(debian_cluster, users, "sample_users_copy", fraction=0.01, small_rows=0, witness=script)
        debian_cluster.sql(f"CREATE DATABASE sample_users_real TEMPLATE {users}")
        with debian_cluster.connect("sample_users_copy") as connection:
            kept = {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                    for table in ("users", "orders", "countries", "products")}
            orphans = connection.execute("SELECT count(*) FROM orders WHERE NOT EXISTS "
                                         "(SELECT FROM users WHERE id = user_id)").fetchone()[0]
        sampled = first_error(debian_cluster, "sample_users_copy", script)
        real = first_error(debian_cluster, "sample_users_real", script)
    assert (real, sampled) == (sqlstate, sqlstate), plan.answer
    assert orphans == 0 and kept["users"] < 800 and kept["orders"] < 1500 and kept["countries"] == 200
    assert plan.answer["not_covered"] == []


def test_sample_says_what_it_could_not_ask(debian_cluster, users):
    migration = """
        CREATE TABLE later (id int);
        CREATE UNIQUE INDEX ON later (id);
        ALTER TABLE users ADD COLUMN later int;
        ALTER TABLE users ALTER COLUMN later SET NOT NULL;
        CREATE UNIQUE INDEX ON users (email);
        DO $$ BEGIN UPDATE users SET note = NULL; END $$;
        ALTER TABLE users ADD FOREIGN KEY (note) REFERENCES products;
        """
    url = debian_cluster.url(users)
    with planned(url, fraction=0.01, witness=migration) as plan:
        said = "\n".join(plan.answer["not_covered"])
    with planned(url, fraction=0.01, witness=migration, witness_budget_ms=1) as plan:
        hurried = "\n".join(plan.answer["not_covered"])
        assert all(table["condition"] for table in plan.tables.values())
    assert "statement 2 (CREATE INDEX), later: it is not there" in said
    assert 'statement 4 (ALTER TABLE), NULLs of public.users.later: column "later" does not exist' in said
    assert "statement 6 (DO)" in said
    assert "statement 7 (ALTER TABLE), orphans of public.users" in said
    assert "statement 5 (CREATE INDEX), duplicates of public.users (email): " in hurried
    assert "more than is left" in hurried or "took too long" in hurried or "is over" in hurried


LOUD = """
CREATE TABLE people (id int PRIMARY KEY, email text);
CREATE FUNCTION loud(value text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN RAISE 'no %', value USING ERRCODE = '45000', DETAIL = value, HINT = value; END $$;
INSERT INTO people SELECT i, 'bob@example.com' FROM generate_series(1, 100) AS i;
ANALYZE;
"""


@pytest.mark.parametrize("condition, sqlstate", [
    ("split_part(email, '.', 1)::int > 0", "22P02"),
    ("public.loud(email) > ''", "45000"),
    ("email::regclass > 0", "3F000"),
])
def test_sample_errors_show_no_values(debian_cluster, condition, sqlstate):
    with debian_cluster.database("sample_loud", LOUD) as url:
        with pytest.raises(Failed) as failed:
            with planned(url, fraction=1, conditions={"people": condition}, max_rows=10):
                pass
    assert "bob" not in str(failed.value)
    assert f"a value makes it fail (SQLSTATE {sqlstate})" in str(failed.value)


def test_sample_witnesses_show_no_values(debian_cluster):
    migration = "ALTER TABLE people ALTER email TYPE text USING loud(email); CREATE INDEX ON people ((email::regclass));"
    with debian_cluster.database("sample_loud", LOUD) as url:
        with planned(url, fraction=0, witness=migration) as plan:
            said = json.dumps({key: plan.answer[key] for key in ("not_covered", "witnesses", "notes")})
    assert "bob" not in said
    assert "no text: 1 row forced in" in said, "whatever a function raises is the value's failure"



REACHING = """
CREATE TABLE people (id int PRIMARY KEY, email text);
CREATE FUNCTION reach(value text) RETURNS text LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_lock(4711); RETURN value; END $$;
CREATE FUNCTION follow(value people) RETURNS text LANGUAGE sql AS $$ SELECT public.reach(value.email) $$;
CREATE OPERATOR <~~> (FUNCTION = reach, RIGHTARG = text);
CREATE DOMAIN reached AS text CHECK (public.reach(VALUE) IS NOT NULL);
CREATE FUNCTION still(value text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT value $$;
INSERT INTO people SELECT i, 'bob@example.com' FROM generate_series(1, 100) AS i;
ANALYZE;
"""


@pytest.mark.parametrize("expression, is_asked", [
    ("still(email)", True), ("md5(email)", True), ("CASE WHEN random() < 2 THEN email END", True),
    ("reach(email)", False), ('public."reach" /* ( */ (email)', False), ("people.follow", False), ("<~~> email", False),
    ("email::reached::text", False), ("pg_advisory_lock(4711)::text || email", False),
    ("pg_catalog.pg_advisory_lock_shared(4711)::text || email", False), ("nextval('s')::text", False),
    ("set_config('a.b', email, false)", False),
])
def test_sample_witnesses_call_nothing_that_does_more_than_read(debian_cluster, expression, is_asked):
    migration = f"UPDATE people SET email = {expression} WHERE {expression} IS NOT NULL;"
    with debian_cluster.database("sample_reaching", REACHING) as url:
        with planned(url, fraction=0, witness=migration) as plan:
            with debian_cluster.connect("sample_reaching") as connection:  # the planner's session is still there
                locks = connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()[0]
            said = plan.answer["not_covered"]
    assert locks == 0
    assert bool(said) != is_asked, said
    assert all(it.endswith("it calls a function that may do more than read") for it in said), said


# --- production is only read -------------------------------------------------------------------------

PARTS_ON_STANDBY = """
CREATE TABLE measures (id int PRIMARY KEY, value int) PARTITION BY RANGE (id);
CREATE TABLE measures_1 PARTITION OF measures FOR VALUES FROM (0) TO (100);
CREATE UNLOGGED TABLE measures_2 PARTITION OF measures FOR VALUES FROM (100) TO (200);
INSERT INTO measures SELECT i, i FROM generate_series(1, 199) AS i;
ANALYZE;
"""


class Standby(Cluster):
    """A streaming replica of a cluster."""

    def start(self, primary):
        environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TZ": "UTC"}
        if IS_ROOT:
            shutil.chown(self.directory, "postgres", "postgres")
        self.directory.chmod(0o700)
        subprocess.run([f"{self.server.bin}/pg_basebackup", "-h", primary.directory, "-U", "postgres", "-D",
                        self.data, "-R", "-X", "stream", "-c", "fast"], check=True, capture_output=True,
                       env=environment, cwd="/", **self._as_server())
        flags = [f"listen_addresses=", f"unix_socket_directories={self.directory}", "fsync=off"]
        self.log = open(self.directory / "log", "wb")
        self.process = subprocess.Popen(
            [f"{self.server.bin}/postgres", "-D", self.data, *(p for f in flags for p in ("-c", f))], cwd="/",
            stdout=self.log, stderr=self.log, env=environment, **self._as_server())
        wait_for(self._answers, 20, "the standby answers")
        return self


def written(cluster, before, after):
    """WAL records between two positions, but for what the background writer notes on its own."""
    if before == after:
        return []
    listed = subprocess.run([f"{cluster.server.bin}/pg_waldump", "-p", cluster.data / "pg_wal", "-s", before, "-e", after],
                            capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in listed if "RUNNING_XACTS" not in line and "CHECKPOINT" not in line]


def test_sample_of_a_standby_by_a_role_that_only_reads(debian_cluster, users):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="rh-standby-", dir="/var/tmp"))
    standby = Standby(debian_cluster.server, directory)
    migration = "CREATE UNIQUE INDEX ON users (lower(email)); ALTER TABLE users ALTER age TYPE int USING age::int;"
    try:
        url = debian_cluster.url(users)
        debian_cluster.sql("CREATE ROLE reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
                           database=users)
        debian_cluster.sql("VACUUM", database=users)
        debian_cluster.new_database("sample_standby_parts", PARTS_ON_STANDBY)
        standby.start(debian_cluster)
        debian_cluster.sql("CHECKPOINT")
        with debian_cluster.connect(users, autocommit=True) as connection:
            position = "SELECT pg_current_wal_insert_lsn()::text"
            before = connection.execute(position).fetchone()[0]
            with planned(url.replace("user=postgres", "user=reader"), fraction=0.05, witness=migration) as plan:
                after = connection.execute(position).fetchone()[0]
                assert written(debian_cluster, before, after) == [], "something was written"
                rows, everything = plan.rows(), plan.all_rows()
        there = standby.url(users).replace("user=postgres", "user=reader")
        with planned(there, fraction=0.05, witness=migration) as plan:
            assert plan.answer["not_covered"] == []
            assert frozen(plan.rows()) == frozen(rows), "the standby's sample is the primary's"
        assert_closed([("orders", ["user_id"], "users", ["id"]), ("users", ["country"], "countries", ["code"])],
                      rows, everything)
        found = {row["id"] for row in rows["public.users"]}
        assert len({77, 4711, 12345} & found) >= 2, "two of the three with one address"
        assert 9999 in found
        parts = standby.url("sample_standby_parts")
        with planned(parts, fraction=0.2) as plan:
            assert 5 < len(plan.rows_of("public.measures_1")) < 60
        with pytest.raises(Failed) as failed:
            with planned(parts, fraction=0.2, max_rows=10):
                pass
        assert "measures_2 is unlogged" in str(failed.value) and "sample from the primary" in str(failed.value)
    finally:
        standby.stop()
        debian_cluster.sql("DROP DATABASE IF EXISTS sample_standby_parts")
        debian_cluster.sql("DROP OWNED BY reader; DROP ROLE reader", database=users)
