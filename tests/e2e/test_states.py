"""The states before and after a run: what differs, who did it, and what nobody named."""
SHOP = """
CREATE ROLE app;
CREATE TABLE users (id int PRIMARY KEY, email text, age int, note text);
INSERT INTO users SELECT n, 'user' || n, n % 90, CASE WHEN n % 3 = 0 THEN '' ELSE 'x' END
  FROM generate_series(1, 1000) n;
CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users ON DELETE CASCADE, total numeric(10,2));
INSERT INTO orders SELECT n, 1 + n % 1000, n FROM generate_series(1, 3000) n;
CREATE TABLE audit (what text);
CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO audit VALUES (tg_op); RETURN new; END $$;
CREATE TRIGGER users_audit AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION log();
CREATE VIEW adults AS SELECT id, email FROM users WHERE age > 18;
GRANT SELECT ON orders TO app;
"""
QUIET = "SET lock_timeout = '2s';\n"


def sentences(outcome, kind):
    return [difference["sentence"] for difference in outcome.result[f"{kind}_differences"]]


def test_states_are_the_same_after_a_rollback(rehearse):
    outcome = rehearse.run(QUIET + "BEGIN;\nUPDATE users SET age = 1;\nDROP TABLE orders;\nROLLBACK;", SHOP)
    assert outcome.result["schema_differences"] == [] and outcome.result["data_differences"] == []
    states = outcome.result["states"]
    assert states["schema_compared"] and states["data_compared"]
    assert states["tables"] == 3 and states["rows"] == 4000 and states["skipped_tables"] == 0
    assert "unchanged in 3 tables" in outcome.stdout


def test_states_say_what_each_statement_did(rehearse, server):
    outcome = rehearse.run(QUIET + """
ALTER TABLE users ADD COLUMN nickname text;
ALTER TABLE users RENAME email TO mail;
CREATE INDEX orders_user ON orders (user_id);
GRANT INSERT ON orders TO app;
ALTER TABLE orders ALTER id TYPE bigint;
UPDATE orders SET total = total + 1 WHERE id <= 10;
""", SHOP, "--server-bin", server.bin)
    schema = {difference["sentence"]: difference for difference in outcome.result["schema_differences"]}
    assert set(schema) == {
        "column public.users.nickname added: text",
        "column public.users.email is now mail",  # and the view that reads it is the same view
        "index public.orders_user on public.orders added: USING btree (user_id)",
        "table public.orders: privileges of app was SELECT, now INSERT, SELECT",
        "column public.orders.id: type was integer, now bigint",
    }, outcome
    assert {difference["explanation"] for difference in schema.values()} == {"named"}
    statements = {text.split()[1].rstrip(":"): difference["statement"] for text, difference in schema.items()}
    assert statements == {"public.users.nickname": 2, "public.users.email": 3,
                          "public.orders_user": 4, "public.orders": 5, "public.orders.id": 6}
    assert sentences(outcome, "data") == [
        "public.orders.id (bigint, was integer): the same values",
        "public.orders.total: values changed",
        "public.users.email is now mail, the same 1,000 values",
        "public.users.nickname is new, with no value",
    ]
    assert not {"data-lost", "unnamed-side-effect", "row-count-changed"} & outcome.rules()


def test_states_find_rows_that_a_cascade_took(rehearse, server):
    outcome = rehearse.run(QUIET + "DELETE FROM users WHERE id > 990;", SHOP, "--server-bin", server.bin)
    assert outcome.status == 5, outcome
    finding, = outcome.findings("data-lost")
    assert finding["relation"] == "public.orders" and finding["line"] == 2
    assert finding["evidence"] == {"rows": 30, "rows_before": 3000, "rows_after": 2970}
    named = {difference["table"]: difference["explanation"]
             for difference in outcome.result["data_differences"]}
    assert named == {"public.orders": "unnamed", "public.users": "named"}


def test_states_find_values_that_a_new_type_lost(rehearse):
    outcome = rehearse.run(
        QUIET + "ALTER TABLE users ALTER note TYPE varchar(20) USING nullif(note, '');", SHOP)
    assert outcome.status == 5, outcome
    finding, = outcome.findings("data-lost")
    assert finding["evidence"]["values"] == 333 and finding["evidence"]["column"] == "note"
    assert "public.users.note (character varying(20), was text): 333 became NULL" in outcome.stdout


def test_states_accept_values_that_an_update_names(rehearse):
    outcome = rehearse.run(QUIET + "ALTER TABLE users DISABLE TRIGGER users_audit;\n"
                           "UPDATE users SET note = NULL WHERE note = '';\n"
                           "ALTER TABLE users ENABLE TRIGGER users_audit;\n", SHOP)
    assert outcome.status == 0, outcome
    assert sentences(outcome, "data") == [
        "public.users.note: 333 became NULL; whether others changed is not known"]
    assert outcome.result["schema_differences"] == []


def test_states_find_rows_that_a_trigger_wrote(rehearse):
    outcome = rehearse.run(QUIET + "UPDATE users SET age = age + 1 WHERE id <= 500;", SHOP)
    finding, = outcome.findings("row-count-changed")
    assert finding["severity"] == "warning" and finding["relation"] == "public.audit"
    assert finding["evidence"] == {"rows_before": 0, "rows_after": 500}


def test_states_find_what_a_table_made_anew_lost(rehearse, server):
    outcome = rehearse.run(QUIET + "BEGIN;\nDROP TABLE orders;\n"
                           "CREATE TABLE orders (id int PRIMARY KEY, user_id int, total numeric(10,2));\nCOMMIT;\n",
                           SHOP, "--server-bin", server.bin)
    titles = [finding["title"] for finding in outcome.findings("unnamed-side-effect")]
    assert any("privileges of app was SELECT, now none" in title and
               "orders_user_id_fkey on public.orders" in title for title in titles), outcome


def test_states_cost_nothing_that_counts_as_the_migrations_time(rehearse):
    outcome = rehearse.run(QUIET + "SELECT 1;", "CREATE TABLE t AS SELECT n, md5(n::text) AS v "
                           "FROM generate_series(1, 200000) n;")
    assert outcome.result["states"]["rows"] == 200000
    assert outcome.result["run"]["duration_ms"] < outcome.result["states"]["duration_ms"]


def test_states_know_the_second_of_two_updates_in_one_transaction(rehearse):
    """It takes no lock that the first has not taken."""
    outcome = rehearse.run(QUIET + "BEGIN;\nUPDATE users SET note = 'y' WHERE id = 1;\n"
                           "UPDATE users SET age = NULL WHERE id <= 7;\nCOMMIT;\n", SHOP)
    difference, = [difference for difference in outcome.result["data_differences"]
                   if difference["column"] == "age"]
    assert (difference["explanation"], difference["statement"]) == ("named", 4), difference
    assert "data-lost" not in outcome.rules()
