"""Changes that succeed and yet are lossy or risky, and healthy ones of the same shape.

A case is a table {t} of its own, filled, and statements on it; what is expected of the rules below is exact, counts
included. Most cases run together, in one rehearsal per server; a case is told by its table and its lines. Those that
need a run of their own (what a trigger or a foreign key did is told of the only statement that can have done it) come
after them.
"""
import json

import pytest

RULES = {
    "backfill-unbatched", "cascade-rows", "data-lost", "default-changed", "destructive", "integer-headroom",
    "invalid-left-behind", "lossy-cast", "near-limit", "no-effect", "null-unhandled", "nullability-changed",
    "row-count-changed", "sequence-behind", "statement-error", "statistics-lost", "unnamed-side-effect",
}


def filled(columns, values, rows=100):
    return f"CREATE TABLE {{t}} (id int PRIMARY KEY, {columns});\n" \
           f"INSERT INTO {{t}} SELECT n, {values} FROM generate_series(1, {rows}) n;"


def fires(rule, severity="warning", **evidence):
    return rule, severity, evidence


# name: schema, migration, what fires
CASES = {
    # --- lossy-cast ---
    "numeric_scale": (filled("v numeric(12,4)", "n / 16.0"), "ALTER TABLE {t} ALTER v TYPE numeric(10,2);",
                      fires("lossy-cast", rows=75, values=100, column="v", test="round-trip")),
    "numeric_scale_unused": (filled("v numeric(12,4)", "n / 4.0"), "ALTER TABLE {t} ALTER v TYPE numeric(10,2);"),
    "time_of_day": (filled("v timestamp", "timestamp '2024-01-01' + n * interval '1 day' + CASE WHEN n <= 10 THEN "
                           "interval '5 min' ELSE '0' END"),
                    "ALTER TABLE {t} ALTER v TYPE date;", fires("lossy-cast", rows=10)),
    "midnights": (filled("v timestamp", "timestamp '2024-01-01' + n * interval '1 day'"),
                  "ALTER TABLE {t} ALTER v TYPE date;"),
    "halves": (filled("v float8", "n / 2.0"), "ALTER TABLE {t} ALTER v TYPE int USING round(v)::int;",
               fires("lossy-cast", rows=50)),
    "cents": (filled("v numeric(10,2)", "n / 4.0"), "ALTER TABLE {t} ALTER v TYPE int USING (v * 100)::int;"),
    "cut": (filled("v text", "repeat('x', n)", 20), "ALTER TABLE {t} ALTER v TYPE varchar(5) USING left(v, 5);",
            fires("lossy-cast", rows=15, values=20)),
    "not_cut": (filled("v text", "'abc' || n % 10"), "ALTER TABLE {t} ALTER v TYPE varchar(50) USING left(v, 50);"),
    "keys_twice": (filled("v json", "(CASE WHEN n <= 3 THEN '{{\"a\":1,\"b\":{{\"c\":1,\"c\":2}}}}' ELSE "
                          "'{{\"a\": {{\"a\": 1}}}}' END)::json"),
                   "ALTER TABLE {t} ALTER v TYPE jsonb;", fires("lossy-cast", rows=3, test="object-keys")),
    "keys_once": (filled("v json", "'{{\"b\": 1, \"a\":  [1.0]}}'::json"), "ALTER TABLE {t} ALTER v TYPE jsonb;"),
    "leading_zeros": (filled("v text", "CASE WHEN n <= 5 THEN '0' ELSE '' END || (1000 + n)"),
                      "ALTER TABLE {t} ALTER v TYPE int USING v::int;", fires("lossy-cast", rows=5)),
    "digits": (filled("v text", "(1000 + n)::text"), "ALTER TABLE {t} ALTER v TYPE int USING v::int;"),
    "three_to_two": (filled("v text", "(ARRAY['yes', 'no', 'maybe'])[1 + n % 3]", 99),
                     "ALTER TABLE {t} ALTER v TYPE boolean USING (v = 'yes');",
                     fires("lossy-cast", rows=66, test="distinct")),
    "two_to_two": (filled("v text", "(ARRAY['yes', 'no'])[1 + n % 2]"),
                   "ALTER TABLE {t} ALTER v TYPE boolean USING (v = 'yes');"),
    "relabelled": (filled("v text", "(ARRAY['active', 'old'])[1 + n % 2]"),
                   "ALTER TABLE {t} ALTER v TYPE varchar(10) USING CASE v WHEN 'old' THEN 'inactive' ELSE v END;"),
    "fractions": (filled("v timestamptz", "timestamptz '2024-01-01 00:00+00' + n * interval '250 ms'"),
                  "ALTER TABLE {t} ALTER v TYPE timestamptz(0);", fires("lossy-cast", rows=75)),
    "to_real": (filled("v bigint", "16777216 + n % 2"), "ALTER TABLE {t} ALTER v TYPE real;",
                fires("lossy-cast", rows=50)),
    "inside_code": (filled("v numeric(12,4)", "n / 16.0"),
                    "DO $$ BEGIN ALTER TABLE {t} ALTER v TYPE numeric(10,2); END $$;", fires("lossy-cast", rows=75)),
    "array": (filled("v numeric[]", "ARRAY[n / 2.0, n]"), "ALTER TABLE {t} ALTER v TYPE int[];",
              fires("lossy-cast", rows=50)),
    "renamed_as_well": (filled("v numeric(12,4)", "n / 16.0"),
                        "ALTER TABLE {t} ALTER v TYPE numeric(10,2);\nALTER TABLE {t} RENAME v TO price;",
                        fires("lossy-cast", rows=75, column="price")),
    "rolled_back": (filled("v numeric(12,4)", "n / 16.0"),
                    "BEGIN;\nALTER TABLE {t} ALTER v TYPE numeric(10,2);\nROLLBACK;"),
    "wider": (filled("v int, w varchar(10), x numeric(10,2)", "n, n, n"),
              "ALTER TABLE {t} ALTER v TYPE bigint, ALTER w TYPE varchar(20), ALTER x TYPE numeric(14,4);"),
    "uuids": (filled("v text", "md5(n::text)"), "ALTER TABLE {t} ALTER v TYPE uuid USING v::uuid;"),
    "times_of_text": (filled("v text", "(timestamp '2024-01-01' + n * interval '1 min')::text"),
                      "ALTER TABLE {t} ALTER v TYPE timestamp USING v::timestamp;"),
    "days_of_text": (filled("v text", "'2024-01-' || 10 + n % 20 || CASE WHEN n <= 7 THEN ' 12:30' ELSE '' END"),
                     "ALTER TABLE {t} ALTER v TYPE date USING v::date;", fires("lossy-cast", rows=7)),
    "days_of_text_first": (filled("v text", "(10 + n % 20) || '.01.2024'"),
                           "ALTER TABLE {t} ALTER v TYPE date USING to_date(v, 'DD.MM.YYYY');"),
    "of_partitions": ("CREATE TABLE {t} (id int, v numeric(12,4)) PARTITION BY RANGE (id);\n"
                      "CREATE TABLE {t}_1 PARTITION OF {t} FOR VALUES FROM (0) TO (50);\n"
                      "CREATE TABLE {t}_2 PARTITION OF {t} FOR VALUES FROM (50) TO (200);\n"
                      "INSERT INTO {t} SELECT n, n / 16.0 FROM generate_series(1, 100) n;",
                      "ALTER TABLE {t} ALTER v TYPE numeric(10,2);", fires("lossy-cast", rows=75, values=100)),
    "labels": ("CREATE TYPE {t}_mood AS ENUM ('sad', 'happy');\n" +
               filled("v text", "(ARRAY['sad', 'happy'])[1 + n % 2]"),
               "ALTER TABLE {t} ALTER v TYPE {t}_mood USING v::{t}_mood;"),
    "epoch": (filled("v bigint", "1700000000 + n"), "ALTER TABLE {t} ALTER v TYPE timestamptz USING to_timestamp(v);"),
    "nulls_stay": (filled("v text", "NULL"), "ALTER TABLE {t} ALTER v TYPE int USING v::int;"),
    "no_rows_touched": (filled("v numeric(12,4)", "n / 16.0"), "ALTER TABLE {t} ADD COLUMN w numeric(10,2);"),
    # --- near-limit ---
    "nearly_full": (filled("v varchar(50)", "repeat('x', n % 20 + 1)"), "ALTER TABLE {t} ALTER v TYPE varchar(20);",
                    fires("near-limit", "info", rows=10, used_percent=100)),
    "half_full": (filled("v varchar(50)", "repeat('x', n % 10 + 1)"), "ALTER TABLE {t} ALTER v TYPE varchar(20);"),
    "codes": (filled("v text", "'DE' || 10 + n % 90"), "ALTER TABLE {t} ALTER v TYPE varchar(4);"),
    "nearly_out_of_int": (filled("v bigint", "n * 21000000"), "ALTER TABLE {t} ALTER v TYPE int;",
                          fires("near-limit", "info", rows=3)),
    # --- integer-headroom ---
    "nine_tenths": ("CREATE TABLE {t} (id serial PRIMARY KEY);\nSELECT setval('{t}_id_seq', 1932735283);",
                    "ALTER TABLE {t} ADD COLUMN v text;",
                    fires("integer-headroom", column="id", used=1932735283, percent=90)),
    "six_tenths": ("CREATE TABLE {t} (id int PRIMARY KEY);\nINSERT INTO {t} VALUES (1288490189);",
                   "ALTER TABLE {t} ADD COLUMN v text;", fires("integer-headroom", "info", percent=60)),
    "narrow_reference": ("CREATE TABLE {t}_to (id bigint PRIMARY KEY);\nINSERT INTO {t}_to VALUES (2000000000);\n"
                         "CREATE TABLE {t} (to_id int REFERENCES {t}_to);\nINSERT INTO {t} VALUES (2000000000);",
                         "ALTER TABLE {t} ADD COLUMN v text;",
                         fires("integer-headroom", column="to_id", role="foreign key", percent=93)),
    "made_wide": ("CREATE TABLE {t} (id serial PRIMARY KEY);\nSELECT setval('{t}_id_seq', 1932735283);",
                  "ALTER TABLE {t} ALTER id TYPE bigint;\nALTER SEQUENCE {t}_id_seq AS bigint;"),
    "sequence_forgotten": ("CREATE TABLE {t} (id serial PRIMARY KEY);\nSELECT setval('{t}_id_seq', 1932735283);",
                           "ALTER TABLE {t} ALTER id TYPE bigint;",
                           fires("integer-headroom", type="bigint", limit=2147483647)),
    "far_away": ("CREATE TABLE {t} (id serial PRIMARY KEY);\nSELECT setval('{t}_id_seq', 100000000);",
                 "ALTER TABLE {t} ADD COLUMN v text;"),
    # --- sequence-behind ---
    "numbers_of_its_own": ("CREATE TABLE {t} (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY);\n"
                           "INSERT INTO {t} SELECT FROM generate_series(1, 10);",
                           "INSERT INTO {t} VALUES (11), (12);",
                           fires("sequence-behind", next=11, highest=12, column="id")),
    "new_table": ("", "CREATE TABLE {t} (id serial PRIMARY KEY);\nINSERT INTO {t} VALUES (1), (2);",
                  fires("sequence-behind", next=1, highest=2)),
    "set_as_well": ("CREATE TABLE {t} (id serial PRIMARY KEY);\nINSERT INTO {t} DEFAULT VALUES;",
                    "INSERT INTO {t} VALUES (7);\nSELECT setval('{t}_id_seq', 7);"),
    "by_itself": ("CREATE TABLE {t} (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v int);",
                  "INSERT INTO {t} (v) SELECT n FROM generate_series(1, 50) n;\nUPDATE {t} SET v = v + 1;"),
    "behind_before": ("CREATE TABLE {t} (id serial PRIMARY KEY);\nINSERT INTO {t} VALUES (1), (2);",
                      "ALTER TABLE {t} ADD COLUMN v text;"),
    # --- backfill-unbatched ---
    "all_at_once": (filled("v text", "NULL", 20000), "UPDATE {t} SET v = 'x';",
                    fires("backfill-unbatched", rows=20000, dead_rows=20000)),
    "in_two_halves": (filled("v text", "NULL", 12000), "BEGIN;\nUPDATE {t} SET v = 'x' WHERE id <= 6000;\n"
                      "UPDATE {t} SET v = 'x' WHERE id > 6000;\nCOMMIT;", fires("backfill-unbatched", rows=12000)),
    "in_code": (filled("v text", "NULL", 20000), "DO $$ BEGIN UPDATE {t} SET v = 'x'; END $$;",
                fires("backfill-unbatched", rows=20000)),
    "by_conflict": (filled("v text", "NULL", 12000), "INSERT INTO {t} SELECT n, 'x' FROM generate_series(1, 12000) n "
                    "ON CONFLICT (id) DO UPDATE SET v = excluded.v;", fires("backfill-unbatched", rows=12000)),
    "more_rows": (filled("v text", "NULL", 12000), "INSERT INTO {t} SELECT 100000 + n FROM generate_series(1, 12000) n;"),
    "in_batches": (filled("v text", "NULL", 12000), "UPDATE {t} SET v = 'x' WHERE id <= 6000;\n"
                   "UPDATE {t} SET v = 'x' WHERE id > 6000;"),
    "small": (filled("v text", "NULL", 2000), "UPDATE {t} SET v = 'x';"),
    "into_a_new_table": (filled("v text", "NULL", 20000), "CREATE TABLE {t}_new (id int, v text);\n"
                         "INSERT INTO {t}_new SELECT * FROM {t};"),
    # --- null-unhandled ---
    "names": (filled("first text, last text", "CASE WHEN n % 3 > 0 THEN 'f' END, 'l'", 99),
              "ALTER TABLE {t} ADD COLUMN name text;\nUPDATE {t} SET name = first || ' ' || last;",
              fires("null-unhandled", rows=33, column="name", sources="first, last")),
    "sum": (filled("net int, tax int, total int", "n, CASE WHEN n > 10 THEN 1 END, n"),
            "UPDATE {t} SET total = net + tax;", fires("null-unhandled", rows=10, column="total")),
    "names_joined": (filled("first text, last text", "CASE WHEN n % 3 > 0 THEN 'f' END, 'l'"),
                     "ALTER TABLE {t} ADD COLUMN name text;\nUPDATE {t} SET name = concat_ws(' ', first, last);"),
    "names_of_some": (filled("first text, last text", "CASE WHEN n % 3 > 0 THEN 'f' END, 'l'"),
                      "ALTER TABLE {t} ADD COLUMN name text;\n"
                      "UPDATE {t} SET name = first || last WHERE first IS NOT NULL;"),
    "with_an_else": (filled("net int, tax int", "n, CASE WHEN n > 10 THEN 1 END"),
                     "UPDATE {t} SET net = CASE WHEN tax IS NULL THEN net ELSE net + tax END;"),
    "copy": (filled("v text", "CASE WHEN n % 3 > 0 THEN 'f' END"),
             "ALTER TABLE {t} ADD COLUMN w text;\nUPDATE {t} SET w = v;"),
    "said_so": (filled("v text", "'x'"), "UPDATE {t} SET v = NULL WHERE id <= 5;"),
    # --- no-effect ---
    "other_index": (filled("v int", "n") + "\nCREATE INDEX {t}_i ON {t} (v);",
                    "CREATE INDEX IF NOT EXISTS {t}_i ON {t} (v, id);", fires("no-effect", reason="exists")),
    "same_index": (filled("v int", "n") + "\nCREATE INDEX {t}_i ON {t} (v) WHERE v > 1;",
                   "CREATE INDEX IF NOT EXISTS {t}_i ON {t} USING btree (v) WHERE v > 1;"),
    "same_index_concurrently": (filled("v int", "n") + "\nCREATE UNIQUE INDEX {t}_i ON {t} (lower(v::text));",
                                "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS {t}_i ON {t} (lower(v::text));"),
    "index_elsewhere": (filled("v int", "n") + "\nCREATE TABLE {t}_b (v int);\nCREATE INDEX {t}_i ON {t}_b (v);",
                        "CREATE INDEX IF NOT EXISTS {t}_i ON {t} (v);", fires("no-effect", name="{t}_i")),
    "invalid_index": (filled("v int", "n") + "\nCREATE INDEX {t}_i ON {t} (v);\n"
                      "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{t}_i'::regclass;",
                      "CREATE INDEX IF NOT EXISTS {t}_i ON {t} (v);", fires("no-effect", reason="exists")),
    "other_table": (filled("v int", "n"), "CREATE TABLE IF NOT EXISTS {t} (id bigint PRIMARY KEY, zip text);",
                    fires("no-effect", differences=["column id is integer, not bigint", "column zip is missing"])),
    "same_table": ("CREATE TABLE {t} (id serial PRIMARY KEY, v text NOT NULL DEFAULT 'x' CHECK (v <> ''));",
                   "CREATE TABLE IF NOT EXISTS {t} (id serial PRIMARY KEY, v text NOT NULL DEFAULT 'x' "
                   "CHECK (v <> ''));"),
    "table_with_more": (filled("v int, w text", "n, 'x'"),
                        "CREATE TABLE IF NOT EXISTS {t} (id int PRIMARY KEY, v int);"),
    "table_changed_later": (filled("v int", "n"), "CREATE TABLE IF NOT EXISTS {t} (id int PRIMARY KEY, v int);\n"
                            "ALTER TABLE {t} ALTER v TYPE bigint;"),
    "other_column": (filled("v text", "'x'"), "ALTER TABLE {t} ADD COLUMN IF NOT EXISTS v int NOT NULL DEFAULT 0;",
                     fires("no-effect", name="v")),
    "same_column": (filled("v varchar(9) DEFAULT 'x'", "'x'"),
                    "ALTER TABLE {t} ADD COLUMN IF NOT EXISTS v varchar(9) DEFAULT 'x';"),
    "swallowed": (filled("v int", "1"),
                  "DO $$ BEGIN ALTER TABLE {t} ADD UNIQUE (v); EXCEPTION WHEN others THEN NULL; END $$;",
                  fires("no-effect", reason="swallowed", sqlstate="23505")),
    "caught_on_purpose": (filled("v int", "n") + "\nCREATE TYPE {t}_mood AS ENUM ('a');",
                          "DO $$ BEGIN CREATE TYPE {t}_mood AS ENUM ('a'); EXCEPTION WHEN duplicate_object THEN NULL; "
                          "END $$;"),
    "constraint_caught": (filled("v int, CONSTRAINT {t}_c CHECK (v > 0)", "n"),
                          "DO $$ BEGIN ALTER TABLE {t} ADD CONSTRAINT {t}_c CHECK (v > 0); EXCEPTION WHEN others THEN "
                          "NULL; END $$;"),
    "long_name": (filled("v int", "n"), "CREATE INDEX {t}_" + "i" * 70 + " ON {t} (v);",
                  fires("no-effect", reason="truncated")),
    "another_case": ("CREATE TABLE {t} (id int);", "DROP TABLE IF EXISTS \"{T}\";",
                     fires("no-effect", reason="missing")),
    "not_there": ("", "DROP TABLE IF EXISTS {t};\nDROP INDEX IF EXISTS {t}_i;"),
    # --- nullability-changed, default-changed ---
    "made_anew": (filled("v text NOT NULL DEFAULT 'x'", "'y'"),
                  "BEGIN;\nALTER TABLE {t} DROP COLUMN v;\nALTER TABLE {t} ADD COLUMN v text;\nCOMMIT;",
                  fires("nullability-changed", column="v"), fires("default-changed", what="default", before="'x'::text"),
                  fires("destructive", rows=100)),
    "swapped": (filled("v int NOT NULL", "n"),
                "ALTER TABLE {t} ADD COLUMN w bigint;\nUPDATE {t} SET w = v;\n"
                "BEGIN;\nALTER TABLE {t} DROP COLUMN v;\nALTER TABLE {t} RENAME w TO v;\nCOMMIT;",
                fires("nullability-changed", column="v"), fires("destructive", rows=100)),
    "may_be_null": (filled("v text NOT NULL", "'y'"), "ALTER TABLE {t} ALTER v DROP NOT NULL;"),
    "no_default": (filled("v text DEFAULT 'x'", "'y'"), "ALTER TABLE {t} ALTER v DROP DEFAULT;"),
    "other_default": (filled("v text DEFAULT 'x'", "'y'"), "ALTER TABLE {t} ALTER v SET DEFAULT 'z';"),
    "collation": (filled("v text COLLATE \"C\"", "'y'"), "ALTER TABLE {t} ALTER v TYPE varchar(20);",
                  fires("default-changed", what="collation")),
    "collation_kept": (filled("v text COLLATE \"C\"", "'y'"), "ALTER TABLE {t} ALTER v TYPE varchar(20) COLLATE \"C\";"),
    "default_gone": ("CREATE SEQUENCE {t}_s;\nCREATE TABLE {t} (id int DEFAULT nextval('{t}_s'));",
                     "DROP SEQUENCE {t}_s CASCADE;", fires("default-changed", what="default")),
    "identity": ("CREATE TABLE {t} (id serial PRIMARY KEY);",
                 "BEGIN;\nALTER TABLE {t} ALTER id DROP DEFAULT;\nDROP SEQUENCE {t}_id_seq;\n"
                 "ALTER TABLE {t} ALTER id ADD GENERATED BY DEFAULT AS IDENTITY;\nCOMMIT;"),
    # --- statistics-lost ---
    "statistics": (filled("v varchar(9), w int", "n % 7, n", 12000), "ALTER TABLE {t} ALTER v TYPE varchar(10);",
                   fires("statistics-lost", columns=["v"], rows=12000)),
    "analyzed": (filled("v varchar(9)", "n % 7", 12000), "ALTER TABLE {t} ALTER v TYPE varchar(10);\nANALYZE {t};"),
    "statistics_of_partitions": (
        "CREATE TABLE {t} (id int, v varchar(9)) PARTITION BY RANGE (id);\n"
        "CREATE TABLE {t}_1 PARTITION OF {t} FOR VALUES FROM (0) TO (7000);\n"
        "CREATE TABLE {t}_2 PARTITION OF {t} FOR VALUES FROM (7000) TO (20000);\n"
        "INSERT INTO {t} SELECT n, n % 7 FROM generate_series(1, 12000) n;",
        "ALTER TABLE {t} ALTER v TYPE varchar(10);", fires("statistics-lost", columns=["v"], rows=12000)),
    "few_rows": (filled("v varchar(9)", "n % 7", 900), "ALTER TABLE {t} ALTER v TYPE varchar(10);"),
    # --- destructive: what went, counted ---
    "dropped_column": (filled("v text", "CASE WHEN n % 4 > 0 THEN 'x' END"), "ALTER TABLE {t} DROP COLUMN v;",
                       fires("destructive", rows=75)),
    "dropped_table": (filled("v text", "'x'", 123), "DROP TABLE {t};", fires("destructive", rows=123)),
}

# Each in a run of its own.
ALONE = {
    "key_changes": (filled("v int", "n") + "\nCREATE TABLE {t}_b (a_id int REFERENCES {t} ON UPDATE CASCADE);\n"
                    "INSERT INTO {t}_b SELECT 1 + n % 100 FROM generate_series(1, 300) n;",
                    "UPDATE {t} SET id = id + 1000 WHERE id <= 50;",
                    fires("cascade-rows", rows=150, updated=150, deleted=0)),
    "trigger": (filled("v int", "n") + "\nCREATE TABLE {t}_b (id int PRIMARY KEY, n int);\n"
                "INSERT INTO {t}_b SELECT n, 0 FROM generate_series(1, 10) n;\n"
                "CREATE FUNCTION {t}_f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "UPDATE {t}_b SET n = n + 1 WHERE id = 1; RETURN NULL; END $$;\n"
                "CREATE TRIGGER {t}_g AFTER UPDATE ON {t} FOR EACH ROW EXECUTE FUNCTION {t}_f();",
                "BEGIN;\nUPDATE {t} SET v = v + 1 WHERE id <= 40;\nCOMMIT;", fires("cascade-rows", rows=40)),
    "rows_that_vanish": (filled("v int", "n") + "\nCREATE TABLE {t}_b (a_id int REFERENCES {t} ON DELETE CASCADE);\n"
                         "INSERT INTO {t}_b SELECT 1 + n % 100 FROM generate_series(1, 300) n;",
                         "DELETE FROM {t} WHERE id <= 10;", fires("data-lost", "error", rows=30)),
    "both_named": (filled("v int", "n") + "\nCREATE TABLE {t}_b (a_id int REFERENCES {t} ON DELETE CASCADE);\n"
                   "INSERT INTO {t}_b SELECT 1 + n % 100 FROM generate_series(1, 300) n;",
                   "DELETE FROM {t}_b WHERE a_id <= 10;\nDELETE FROM {t} WHERE id <= 10;"),
    "partitions": ("CREATE TABLE {t} (id int, v text) PARTITION BY RANGE (id);\n"
                   "CREATE TABLE {t}_p PARTITION OF {t} FOR VALUES FROM (0) TO (100);\n"
                   "INSERT INTO {t} SELECT n, 'x' FROM generate_series(1, 50) n;", "UPDATE {t} SET v = 'y';"),
    "dates_of_a_zone": ("ALTER DATABASE :DBNAME SET TimeZone = 'Europe/Berlin';\n"
                        "CREATE TABLE {t} (v timestamptz);\nINSERT INTO {t} SELECT timestamptz '2024-10-26 22:30+00' + "
                        "n * interval '1 hour' FROM generate_series(1, 24) n;",
                        "ALTER TABLE {t} ALTER v TYPE timestamp;", fires("lossy-cast", rows=1)),
}

assert 2 * sum(len(case) == 2 for case in {**CASES, **ALONE}.values()) >= len(CASES) + len(ALONE)


def spell(text, table):
    return text.replace("{t}", table).replace("{T}", table.upper()).replace("{{", "{").replace("}}", "}")


def spelt(value, table):
    return json.loads(spell(json.dumps(value), table))


def check(name, table, findings, expected):
    found = [finding for finding in findings if finding["rule"] in RULES]
    told = sorted((finding["rule"], finding["severity"]) for finding in found)
    assert told == sorted((rule, severity) for rule, severity, _ in expected), (name, found)
    for rule, _, evidence in expected:
        finding, = [finding for finding in found if finding["rule"] == rule]
        for key, value in spelt(evidence, table).items():
            assert finding["evidence"][key] == value, (name, finding)


def test_risks_and_what_only_looks_like_them(rehearse, server):
    schema, migration = [], ["SET lock_timeout = '2s';"]
    tables, lines = {}, {}
    for number, (name, case) in enumerate(CASES.items()):
        table = f"c{number:02d}x"
        tables[name] = table
        schema.append(spell(case[0], table))
        first = len(migration) + 1
        migration += spell(case[1], table).split("\n")
        lines[name] = range(first, len(migration) + 1)
    outcome = rehearse.run("\n".join(migration) + "\n", "\n".join(schema) + "\n", "--server-bin", server.bin)
    result = outcome.result
    assert result["risks"]["not_asked"] == [], outcome
    assert [item for kind in ("casts", "nulls") for item in result["risks"][kind] if item["not_asked"]] == []
    assert result["risks"]["activity"] is not None

    def belongs(finding, name):
        if finding["line"]:
            return finding["line"] in lines[name]
        return (finding["relation"] or "").startswith("public." + tables[name])

    claimed = 0
    for name, case in CASES.items():
        mine = [finding for finding in result["findings"] if belongs(finding, name)]
        claimed += sum(finding["rule"] in RULES for finding in mine)
        check(name, tables[name], mine, case[2:])
    assert claimed == sum(finding["rule"] in RULES for finding in result["findings"])


@pytest.mark.parametrize("name", ALONE)
def test_risks_of_a_single_statement(rehearse, name):
    case = ALONE[name]
    outcome = rehearse.run("SET lock_timeout = '2s';\n" + spell(case[1], "a") + "\n", spell(case[0], "a") + "\n")
    check(name, "a", outcome.result["findings"], case[2:])
    assert outcome.result["risks"]["not_asked"] == []


def test_risks_of_steps_in_a_string_of_several(rehearse):
    schema = "CREATE TABLE a (id int, v int);\nINSERT INTO a VALUES (1, 1);\nCREATE INDEX a_i ON a (v);\n"
    sql = "CREATE INDEX IF NOT EXISTS a_i ON a (v, id); " \
          "DO $$ BEGIN CREATE INDEX IF NOT EXISTS a_i ON a (id, v); CREATE INDEX IF NOT EXISTS a_i ON a (v); END $$; " \
          "ALTER TABLE a ADD COLUMN IF NOT EXISTS v text; CREATE INDEX a_" + "i" * 70 + " ON a (id)"
    rehearse.write("schema.sql", schema)
    outcome = rehearse("run", "--schema", "schema.sql", "--", "psql", "-X", "-c", sql)
    told = sorted(finding["evidence"].get("differences", ["cut"])[0] for finding in outcome.findings("no-effect"))
    assert told == ["column v is integer, not text", "cut", "it is USING btree (v), not USING btree (id, v)",
                    "it is USING btree (v), not USING btree (v, id)"], outcome


def test_risks_of_a_long_transaction_are_over_the_gate(rehearse):
    outcome = rehearse.run("SET lock_timeout = '2s';\nBEGIN;\nUPDATE a SET v = 'y';\nSELECT pg_sleep(0.3);\nCOMMIT;\n",
                           spell(filled("v text", "'x'", 3000), "a"), "--max-blocked", "250ms")
    finding, = outcome.findings("backfill-unbatched")
    assert finding["severity"] == "error" and finding["evidence"]["rows"] == 3000
    assert finding["evidence"]["row_lock_ms"] >= 300 and outcome.status == 5, outcome


def test_risks_tell_no_values(rehearse):
    schema = spell(filled("v text, w numeric(12,4)", "'secret-' || n, n / 16.0"), "a")
    outcome = rehearse.run("ALTER TABLE a ALTER v TYPE varchar(3) USING left(v, 3), ALTER w TYPE numeric(10,2);\n"
                           "DO $$ BEGIN ALTER TABLE a ADD CHECK (v = ''); EXCEPTION WHEN others THEN NULL; END $$;\n",
                           schema)
    assert {"lossy-cast", "no-effect"} <= outcome.rules(), outcome
    text = (outcome.directory / "result.json").read_text() + outcome.stdout
    assert "secret-" not in text


def test_risks_that_were_not_asked_about_are_said(rehearse):
    outcome = rehearse.run("SET lock_timeout = '2s';\nUPDATE a SET v = '1' WHERE v = 'one';\n"
                           "ALTER TABLE a ALTER v TYPE int USING v::int;\n",
                           "CREATE TABLE a (v text);\nINSERT INTO a VALUES ('one'), ('2');\n")
    assert "lossy-cast" not in outcome.rules()
    cast, = outcome.result["risks"]["casts"]
    assert "22P02" in cast["not_asked"] and cast["changed"] is None
    assert "whether values of public.a.v were lost" in " ".join(outcome.result["not_observed"]), outcome


def test_risks_start_a_clone_only_where_the_start_is_in_question(rehearse):
    schema = "CREATE TABLE a (id serial PRIMARY KEY, v varchar(10));\nINSERT INTO a (v) VALUES ('x');\n"
    wider = rehearse.run("ALTER TABLE a ADD w text;\nALTER TABLE a ALTER v TYPE text;\n", schema, "--no-way-back")
    assert wider.result["risks"]["casts"] == [] and wider.stderr.count("clone the sandbox ...") == 1, wider
    narrower = rehearse.run("ALTER TABLE a ALTER v TYPE varchar(5);\n", schema, "--no-way-back")
    assert len(narrower.result["risks"]["casts"]) == 1, narrower
    assert narrower.stderr.count("clone the sandbox ...") == 2, narrower
