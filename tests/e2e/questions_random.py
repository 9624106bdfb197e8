"""Random tables and random constraints, and what looking at every row says of them.

make(random, major) gives (setup, statement, judge): judge(rows) lists (rule, rows) or (rule, rows,
groups) as the set questions should count them, empty when the statement should succeed. rows are
dictionaries of table t.
"""
import collections

TEXTS = [None, None, "a", "A", "b", "B", "ab", "aB", " a", "a ", "", "1", "01", " 12", "x1", "99999999999", "-7", "ä", "o''x"]
COLUMNS = ("a", "b", "c", "d")


def literal(value):
    return "NULL" if value is None else f"'{value}'" if isinstance(value, str) else str(value)


def table(random, kinds=("", "", "parts"), by="id", has_key=True):
    """Text that makes and fills t; partitioned, or with a dropped column, or neither."""
    rows = []
    for number in range(1, random.choice([0, 1, 8, 40, 120]) + 1):
        rows.append((number, random.choice([None, *range(-3, random.choice([3, 60]))]), random.choice(TEXTS),
                     random.choice([None, "0.0", "0.00", "1.5", "NaN", "2"]), random.randrange(random.choice([2, 100]))))
    values = ", ".join("(" + ", ".join(map(literal, row)) + ")" for row in rows)
    kind = random.choice(kinds)
    definition = "(id int NOT NULL, a int, b text, c numeric, d int NOT NULL)"
    if kind == "parts":
        setup = (f"CREATE TABLE t {definition} PARTITION BY HASH ({by});"
                 "CREATE TABLE t0 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
                 "CREATE TABLE t1 (a int, gone int, id int NOT NULL, d int NOT NULL, c numeric, b text); ALTER TABLE t1 DROP gone;"
                 "ALTER TABLE t ATTACH PARTITION t1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);")
    else:
        setup = f"CREATE TABLE t {definition};" + ("ALTER TABLE t ADD gone int; ALTER TABLE t DROP gone;" if random.random() < 0.3 else "")
    if has_key and random.random() < 0.7:
        setup += "ALTER TABLE t ADD PRIMARY KEY (id);"
    if values:
        setup += f"INSERT INTO t VALUES {values};"
    return kind, setup


def key_of(row, column):
    value = row[column]
    return "NaN" if column == "c" and value is not None and value.is_nan() else value


EXPRESSIONS = {
    "a": lambda row: row["a"], "b": lambda row: row["b"], "c": lambda row: key_of(row, "c"), "d": lambda row: row["d"],
    "(lower(b))": lambda row: row["b"] and row["b"].lower() if row["b"] != "" else "",
    "(abs(a))": lambda row: None if row["a"] is None else abs(row["a"]),
    "(coalesce(b, ''))": lambda row: row["b"] or "",
    "(a / 10)": lambda row: None if row["a"] is None else int(row["a"] / 10),
    'b COLLATE "POSIX" text_pattern_ops DESC': lambda row: row["b"],
}
PREDICATES = {
    None: lambda row: True,
    "a > 1": lambda row: row["a"] is not None and row["a"] > 1,
    "b IS NULL": lambda row: row["b"] is None,
    "d % 2 = 0 AND b IS DISTINCT FROM 'a'": lambda row: row["d"] % 2 == 0 and row["b"] != "a",
}


def groups(rows, keys, nulls_equal):
    counts = collections.Counter()
    for row in rows:
        key = tuple(EXPRESSIONS[name](row) for name in keys)
        if nulls_equal or None not in key:
            counts[key] += 1
    many = [count for count in counts.values() if count > 1]
    return [("duplicate-keys", sum(many), len(many))] if many else []


def unique(random, major):
    kind, setup = table(random, by="d", has_key=False)
    keys = random.sample(list(EXPRESSIONS), random.choice([1, 1, 2, 3]))
    predicate = random.choice(list(PREDICATES))
    nulls_equal = major >= 15 and random.random() < 0.4
    if kind == "parts":
        keys = list(dict.fromkeys([*keys, "d"]))
    sql = f"CREATE UNIQUE INDEX ON t ({', '.join(keys)})"
    sql += " NULLS NOT DISTINCT" if nulls_equal else ""
    sql += f" WHERE {predicate}" if predicate else ""
    return setup, sql, lambda rows: groups(filter(PREDICATES[predicate], rows), keys, nulls_equal)


def unique_constraint(random, major):
    kind, setup = table(random, by="d", has_key=False)
    keys = random.sample(COLUMNS, random.choice([1, 2, 3]))
    if kind == "parts":
        keys = list(dict.fromkeys([*keys, "d"]))
    nulls_equal = major >= 15 and random.random() < 0.4
    return (setup, f"ALTER TABLE t ADD UNIQUE {'NULLS NOT DISTINCT' if nulls_equal else ''} ({', '.join(keys)}) DEFERRABLE",
            lambda rows: groups(rows, keys, nulls_equal))


def primary_key(random, major):
    _, setup = table(random, by="d", has_key=False)
    keys = [*random.sample(COLUMNS[:3], random.choice([0, 1, 2])), "d"]

    def judge(rows):
        nulls = [("null-values", count) for name in keys if (count := sum(row[name] is None for row in rows))]
        return nulls + groups(rows, keys, False)
    return setup, f"ALTER TABLE t ADD PRIMARY KEY ({', '.join(keys)})", judge


def not_null(random, major):
    _, setup = table(random)
    columns = random.sample(COLUMNS[:3], random.choice([1, 2]))
    return (setup, "ALTER TABLE t " + ", ".join(f"ALTER {name} SET NOT NULL" for name in columns),
            lambda rows: [("null-values", count) for name in columns if (count := sum(row[name] is None for row in rows))])


CHECKS = {
    "a > 1": lambda row: row["a"] is None or row["a"] > 1,
    "a > 1 OR b = 'a'": lambda row: (row["a"] is not None and row["a"] > 1) or row["b"] == "a"
                                    or (row["a"] is None or row["b"] is None),
    "b IS NOT NULL AND length(b) < 3": lambda row: row["b"] is not None and len(row["b"]) < 3,
    "a < d": lambda row: row["a"] is None or row["a"] < row["d"],
    "c <> 'NaN'": lambda row: row["c"] is None or not row["c"].is_nan(),
}


def check(random, major):
    _, setup = table(random)
    chosen = random.sample(list(CHECKS), random.choice([1, 2]))
    clauses = [f"ADD CHECK ({expression})" for expression in chosen]
    judge = lambda rows: [("check-violations", count) for expression in chosen
                          if (count := sum(not CHECKS[expression](row) for row in rows))]
    if random.random() < 0.3:
        chosen = chosen[:1]
        return (setup + f"ALTER TABLE t ADD CONSTRAINT \"o'ne\" CHECK ({chosen[0]}) NOT VALID;",
                "ALTER TABLE t VALIDATE CONSTRAINT \"o'ne\"", judge)
    return setup, "ALTER TABLE t " + ", ".join(clauses), judge


def foreign_key(random, major):
    _, setup = table(random)
    parents = {(random.randrange(-3, 4), random.choice([text for text in TEXTS if text])) for _ in range(random.randrange(30))}
    columns = random.choice([("a",), ("b",), ("a", "b"), ("d", "b")])
    keys = {(key[0],) for key in parents} if columns == ("a",) else {(key[1],) for key in parents} if columns == ("b",) else parents
    types = {"a": "bigint", "b": "varchar(20)", "d": "smallint"}
    setup += f"CREATE TABLE parent ({', '.join(f'k{name} {types[name]}' for name in columns)}, UNIQUE ({', '.join('k' + name for name in columns)}));"
    if keys:
        setup += "INSERT INTO parent VALUES " + ", ".join("(" + ", ".join(map(literal, key)) + ")" for key in keys) + ";"
    full = random.random() < 0.5
    known = {tuple(part.replace("''", "'") if isinstance(part, str) else part for part in key) for key in keys}

    def judge(rows):
        count = 0
        for row in rows:
            key = tuple(row[name] for name in columns)
            if None not in key:
                count += key not in known
            elif full:
                count += any(part is not None for part in key)
        return [("orphan-rows", count)] if count else []
    return (setup, f"ALTER TABLE t ADD FOREIGN KEY ({', '.join(columns)}) REFERENCES parent ({', '.join('k' + n for n in columns)})"
                   f"{' MATCH FULL' if full else ''}", judge)


def whole_number(text, low, high):
    stripped = text.strip(" \t\n")
    digits = stripped[1:] if stripped[:1] in ("+", "-") else stripped
    if not digits.isascii() or not digits.isdigit():
        return "cast-failure"
    return None if low <= int(stripped) <= high else "out-of-range"


CASTS = {
    ("b", "int", "b::int"): lambda row: row["b"] is not None and whole_number(row["b"], -2**31, 2**31 - 1),
    ("b", "smallint", "(b)::pg_catalog.int2"): lambda row: row["b"] is not None and whole_number(row["b"], -2**15, 2**15 - 1),
    ("b", "bigint", "nullif(b, '')::int8"): lambda row: row["b"] and whole_number(row["b"], -2**63, 2**63 - 1),
    ("b", "varchar(1)", None): lambda row: row["b"] is not None and row["b"][1:].strip(" ") != "" and "value-too-long",
    ("b", "boolean", "b::boolean"): lambda row: row["b"] is not None and row["b"] != "1" and "cast-failure",
    ("a", "numeric(3, 2)", None): lambda row: row["a"] is not None and abs(row["a"]) > 9 and "out-of-range",
    ("a", "int", "10 / a"): lambda row: row["a"] == 0 and "cast-failure",
    ("c", "int", None): lambda row: row["c"] is not None and row["c"].is_nan() and "cast-failure",
}


def cast(random, major):
    kind, setup = table(random)
    column, new_type, expression = random.choice(list(CASTS))
    wrong = CASTS[column, new_type, expression]

    def judge(rows):
        counts = collections.Counter(why for row in rows if (why := wrong(row)))
        return list(counts.items())
    return setup, f"ALTER TABLE t ALTER {column} TYPE {new_type}" + (f" USING {expression}" if expression else ""), judge


def exclusion(random, major):
    _, setup = table(random, kinds=("",))

    def judge(rows):
        ranges = [(min(row["a"], row["d"]), max(row["a"], row["d"])) for row in rows if row["a"] is not None]
        count = sum(any(one is not other and one[0] <= other[1] and other[0] <= one[1] for other in ranges) for one in ranges)
        return [("exclusion-conflicts", count)] if count else []
    return setup, "ALTER TABLE t ADD EXCLUDE USING gist (int4range(least(a, d), greatest(a, d), CASE WHEN a IS NULL THEN NULL ELSE '[]' END) WITH &&) WHERE (a IS NOT NULL)", judge


def partition(random, major):
    _, setup = table(random, kinds=("",), has_key=False)
    low, high = random.randrange(-3, 3), random.randrange(3, 30)
    bound, fits = random.choice([
        (f"BY RANGE (a)|FROM ({low}) TO ({high})", lambda row: row["a"] is not None and low <= row["a"] < high),
        (f"BY RANGE (a, d)|FROM ({low}, 3) TO ({high}, MAXVALUE)",
         lambda row: row["a"] is not None and (row["a"], row["d"]) >= (low, 3) and row["a"] <= high),
        ("BY LIST (b)|IN ('a', 'A', '1')", lambda row: row["b"] in ("a", "A", "1")),
        ("BY LIST (lower(b))|IN (NULL, 'a')", lambda row: row["b"] is None or row["b"].lower() == "a"),
    ])
    by, values = bound.split("|")
    setup += f";CREATE TABLE p (id int NOT NULL, a int, b text, c numeric, d int NOT NULL) PARTITION {by};"
    judge = lambda rows: [("partition-misfits", count)] if (count := sum(not fits(row) for row in rows)) else []
    return setup, f"ALTER TABLE p ATTACH PARTITION t FOR VALUES {values}", judge


KINDS = (unique, unique, unique_constraint, primary_key, not_null, check, foreign_key, cast, cast, exclusion, partition)


def make(random, major):
    return random.choice(KINDS)(random, major)
